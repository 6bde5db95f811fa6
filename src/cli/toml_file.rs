//! TOML files that the user writes: what is wrong with one, by file, line and nearest name.

use std::fs;
use std::path::Path;

use ringtape::error::{Error, Result, nearest};
use serde::de::DeserializeOwned;

/// Reads a file; `cure` says what to write in it when nothing better can be said.
pub(super) fn read<T: DeserializeOwned>(path: &Path, cure: &str) -> Result<T> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or("", |span| &text[..span.start]);
        let line = before.matches('\n').count() + 1;
        let (what, cure) = match unknown_key(error.message()) {
            Some((key, Some(near))) => {
                (format!("unknown key `{key}`"), format!("did you mean `{near}`?"))
            }
            Some((key, None)) => (format!("unknown key `{key}`"), cure.to_owned()),
            None => (error.message().to_owned(), cure.to_owned()),
        };
        Error::usage(format!("{}, line {line}: {what}", path.display()), cure)
    })
}

/// What is wrong with an entry of a file, told with the line of the first of `keys` that is found.
pub(super) fn at_entry(path: &Path, keys: &[&str], error: Error) -> Error {
    let Error::Usage { what, cure } = error else { return error };
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = keys.iter().find_map(|key| line_of(&text, key));
    let place = line.map_or(String::new(), |line| format!(", line {line}"));
    Error::usage(format!("{}{place}: {what}", path.display()), cure)
}

/// Number of the line that gives a value to `key` or begins its table.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let is_it = |line: &str| {
        let after = line.trim_start_matches([' ', '\t', '[', '"']).strip_prefix(key);
        after.is_some_and(|rest| rest.trim_start_matches(['"', ' ', '\t']).starts_with(['=', ']']))
    };
    text.lines().position(is_it).map(|index| index + 1)
}

/// The key that a message of the reader is about, and the nearest of those that it names.
fn unknown_key(message: &str) -> Option<(&str, Option<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    let known = expected.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    Some((key, nearest(key, known.into_iter())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_told_with_the_nearest_that_is_known() {
        let several = "unknown field `stratgy`, expected one of `date`, `strategy`, `seed`";
        assert_eq!(unknown_key(several), Some(("stratgy", Some("strategy"))));
        let two = "unknown field `zzz`, expected `date` or `seed`";
        assert_eq!(unknown_key(two), Some(("zzz", None)));
        assert_eq!(unknown_key("invalid type: map, expected a string"), None);
    }

    #[test]
    fn an_entry_is_found_by_its_key_and_not_by_one_that_begins_like_it() {
        let text = "# loss = 1\nloss-limit = 2\n\n[ACME]\n\"loss\" = 3\n";
        assert_eq!((line_of(text, "loss"), line_of(text, "ACME")), (Some(5), Some(4)));
        assert_eq!(line_of(text, "limit"), None);
    }
}
