//! Lines of a text, and the fields of a line (RFC 4180, without line breaks inside quotes).

use std::borrow::Cow;

use crate::error::{Error, Result};

/// A field, without its quotes.
pub(super) type Field<'a> = Cow<'a, str>;

/// The lines that are neither blank nor a comment, with their numbers from 1.
pub(super) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// All lines of a text; a byte order mark at its start is no part of it.
    pub(super) fn new(text: &'a str) -> Self {
        let mark = '\u{feff}';
        let offset = if text.starts_with(mark) { mark.len_utf8() } else { 0 };
        Self::at(text, offset, 1)
    }

    /// The lines from `offset` on, where the line of number `line` starts.
    pub(super) fn at(text: &'a str, offset: usize, line: u64) -> Self {
        Self { text, offset, line }
    }

    /// Where the next line starts, and its number.
    pub(super) fn position(&self) -> (usize, u64) {
        (self.offset, self.line)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u64, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while self.offset < self.text.len() {
            let rest = &self.text[self.offset..];
            let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
            let line = rest[..end].trim_end_matches(['\n', '\r']);
            let number = self.line;
            self.offset += end;
            self.line += 1;
            let content = line.trim_start();
            if !content.is_empty() && !content.starts_with('#') {
                return Some((number, line));
            }
        }
        None
    }
}

/// The fields of a line.
pub(super) fn fields<'a>(origin: &str, number: u64, line: &'a str) -> Result<Vec<Field<'a>>> {
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let bad = |what: &str, cure: &str| Error::BadOrders {
            origin: origin.to_owned(),
            line: number,
            column: (fields.len() + 1).to_string(),
            what: what.to_owned(),
            cure: cure.to_owned(),
        };
        let (field, after) = match text.trim_start().strip_prefix('"') {
            None => match text.split_once(',') {
                Some((field, after)) => (Cow::Borrowed(field), Some(after)),
                None => (Cow::Borrowed(text), None),
            },
            Some(quoted) => {
                let Some(end) = closing_quote(quoted) else {
                    return Err(bad("a quote is not closed", "close it on the same line"));
                };
                let after = quoted[end + 1..].trim_start();
                let after = match after.strip_prefix(',') {
                    Some(after) => Some(after),
                    None if after.is_empty() => None,
                    None => {
                        return Err(bad(
                            "something follows a closing quote",
                            "put a comma behind it, or double quotes inside quotes",
                        ));
                    }
                };
                (Cow::Owned(quoted[..end].replace("\"\"", "\"")), after)
            }
        };
        fields.push(field);
        rest = after;
    }
    Ok(fields)
}

/// Where the quote is that ends a quoted field; two in a row are one inside it.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += quoted[at..].find('"')?;
        if !quoted[at + 1..].starts_with('"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_blanks_are_told_apart() {
        let split = |line| fields("test", 1, line).expect("a good line");
        assert_eq!(split("a,,b"), ["a", "", "b"]);
        assert_eq!(split(" \"a,b\" , \"c\"\"d\""), ["a,b", "c\"d"]);
        assert_eq!(split("a,"), ["a", ""]);
        assert!(fields("test", 1, "\"a").is_err());
        assert!(fields("test", 1, "\"a\"b").is_err());
    }

    #[test]
    fn comments_and_blank_lines_are_passed_over_and_counted() {
        let lines: Vec<_> = Lines::new("\u{feff}# one\r\n\r\nthree\r\n  \n # five\nsix").collect();
        assert_eq!(lines, [(3, "three"), (6, "six")]);
    }
}
