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
            None => told(error.message(), cure),
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

/// The file and line of a key in a table, or of the table where the key is not found.
pub(super) fn place(path: &Path, table: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = line_in(&text, table, key).or_else(|| line_of(&text, table));
    line.map_or(path.display().to_string(), |line| format!("{}, line {line}", path.display()))
}

/// Number of the line in a table that gives a value to `key` or begins the key's own table.
fn line_in(text: &str, table: &str, key: &str) -> Option<usize> {
    let mut is_inside = false;
    text.lines().zip(1..).find_map(|(line, number)| {
        if let Some(header) = line.trim_start().strip_prefix('[') {
            let header = header.split(']').next().unwrap_or(header);
            let mut names = header.split('.').map(|name| name.trim().trim_matches('"'));
            is_inside = names.any(|name| name == table);
            return (is_inside && names.next() == Some(key)).then_some(number);
        }
        (is_inside && line_of(line, key).is_some()).then_some(number)
    })
}

/// Number of the line that gives a value to `key` or begins its table.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let is_it = |line: &str| {
        let after = line.trim_start_matches([' ', '\t', '[', '"']).strip_prefix(key);
        after.is_some_and(|rest| rest.trim_start_matches(['"', ' ', '\t']).starts_with(['=', ']']))
    };
    text.lines().position(is_it).map(|index| index + 1)
}

/// What a message of the reader says, in words of the file instead of the program's types, and what
/// to do about it.
fn told(message: &str, cure: &str) -> (String, String) {
    // What this program says itself of a value comes with what to do.
    let own = message.rsplit_once(": ").filter(|(_, cure)| cure.starts_with("write "));
    if let Some((what, cure)) = own {
        return (what.to_owned(), cure.to_owned());
    }
    let cure = match message {
        "duplicate key" => "give it once",
        _ => wrong_type(message).unwrap_or(cure),
    };
    let what = match message.rsplit_once(", expected ") {
        Some((before, "u64")) => format!("{before}, expected a whole number of at least 0"),
        Some((before, "u32")) => format!("{before}, expected a whole number of 0 to {}", u32::MAX),
        Some((before, other)) if other.starts_with("struct ") => {
            format!("{before}, expected a table")
        }
        _ => message.to_owned(),
    };
    (what, cure.to_owned())
}

/// What to do about a value of the type that a message of the reader complains of.
fn wrong_type(message: &str) -> Option<&'static str> {
    let (_, expected) = message.strip_prefix("invalid ")?.rsplit_once(", expected ")?;
    match expected {
        "a string" => Some("write it in quotes"),
        "a sequence" => Some("write a list, as in `[\"A\", \"B\"]`"),
        "u64" | "u32" => Some("write such a number, without quotes"),
        _ => None,
    }
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
    fn a_message_is_told_in_words_of_the_file_with_what_to_do() {
        for (message, what, cure) in [
            ("duplicate key", "duplicate key", "give it once"),
            (
                "invalid value: integer `-3`, expected u64",
                "invalid value: integer `-3`, expected a whole number of at least 0",
                "write such a number, without quotes",
            ),
            (
                "invalid value: integer `5000000000`, expected u32",
                "invalid value: integer `5000000000`, expected a whole number of 0 to 4294967295",
                "write such a number, without quotes",
            ),
            (
                "invalid type: integer `3`, expected struct Entry",
                "invalid type: integer `3`, expected a table",
                "the cure",
            ),
            ("it has no name: write name = \"x\"", "it has no name", "write name = \"x\""),
            ("string values must be quoted", "string values must be quoted", "the cure"),
        ] {
            assert_eq!(told(message, "the cure"), (what.to_owned(), cure.to_owned()));
        }
    }

    #[test]
    fn an_entry_is_found_by_its_key_and_not_by_one_that_begins_like_it() {
        let text = "# loss = 1\nloss-limit = 2\n\n[ACME]\n\"loss\" = 3\n";
        assert_eq!((line_of(text, "loss"), line_of(text, "ACME")), (Some(5), Some(4)));
        assert_eq!(line_of(text, "limit"), None);
    }

    #[test]
    fn a_key_is_found_in_its_own_table_however_that_is_written() {
        let text = "[A]\nlot = 1\n[B]\nlot = 2\n[B.ticks]\n\"0\" = \"1\"\n[x.\"C\"]\nlot = 3\n";
        for (table, key, line) in
            [("A", "lot", 2), ("B", "lot", 4), ("B", "ticks", 5), ("C", "lot", 8)]
        {
            assert_eq!(line_in(text, table, key), Some(line), "{table} {key}");
        }
        assert_eq!((line_in(text, "A", "ticks"), line_in(text, "lot", "2")), (None, None));
    }
}
