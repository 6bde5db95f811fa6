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
}
