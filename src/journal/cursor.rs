//! Named cursors: how far somebody has read, kept beside the segments.
//!
//! A cursor is a file `cursors/NAME` of one line: format, journal, sequence of the next record, CRC
//! of what stands before it. It is replaced whole, so a reader that is killed finds the last
//! position that it saved.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::segment::bad;
use crate::error::{Error, Result};

/// The directory of the cursors.
const CURSORS_NAME: &str = "cursors";

/// Extension of a cursor while it is written.
const UNFINISHED_EXTENSION: &str = "unfinished";

/// Letters of a cursor's name at most.
const NAME_LETTERS_MAX: usize = 64;

/// First word of a cursor's line.
const MAGIC: &str = "ringtape-cursor-1";

/// A cursor's file.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    journal_id: [u8; 16],
}

impl Cursor {
    /// The cursor `name` of the journal in `dir`, which has `journal_id`.
    pub(super) fn new(dir: &Path, name: &str, journal_id: [u8; 16]) -> Result<Self> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || name.len() > NAME_LETTERS_MAX || !name.chars().all(is_letter) {
            return Err(Error::usage(
                format!("`{name}` cannot be the name of a cursor"),
                format!("use up to {NAME_LETTERS_MAX} letters, digits, `-` and `_`"),
            ));
        }
        Ok(Self { path: dir.join(CURSORS_NAME).join(name), journal_id })
    }

    /// The saved position; `None` for a cursor that was never saved.
    pub(super) fn load(&self) -> Result<Option<u64>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &self.path, error)),
        };
        let Some((journal, sequence)) = parse(&text) else {
            let cure = "remove it, and read from the start or a sequence that you know";
            return Err(bad(&self.path, 0, "this cursor is damaged", cure));
        };
        if journal != hex(&self.journal_id) {
            let cure = "remove it, or move it back to its own journal";
            return Err(bad(&self.path, 0, "this cursor is of another journal", cure));
        }
        Ok(Some(sequence))
    }

    /// Saves a position; when this returns it survives a power cut.
    pub(super) fn save(&self, sequence: u64) -> Result<()> {
        let unfinished = self.path.with_extension(UNFINISHED_EXTENSION);
        let write = || {
            let directory = self.path.parent().expect("a cursor lies in a directory");
            fs::create_dir_all(directory)?;
            let mut file = File::create(&unfinished)?;
            file.write_all(line(&self.journal_id, sequence).as_bytes())?;
            file.sync_data()?;
            fs::rename(&unfinished, &self.path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|source| Error::io("save cursor", &self.path, source))
    }
}

/// Positions and names of all cursors of the journal in `dir`, whose headers have `journal_id`; the
/// one furthest behind first.
///
/// # Errors
///
/// [`Error::BadJournal`] for a cursor that is damaged or another journal's; [`Error::Io`].
pub fn cursors(dir: &Path, journal_id: [u8; 16]) -> Result<Vec<(u64, String)>> {
    let directory = dir.join(CURSORS_NAME);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list directory", directory, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| Error::io("list directory", &directory, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some() {
            continue;
        }
        if let Some(sequence) = Cursor::new(dir, &name, journal_id)?.load()? {
            found.push((sequence, name));
        }
    }
    found.sort();
    Ok(found)
}

fn hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(journal_id: &[u8; 16], sequence: u64) -> String {
    let body = format!("{MAGIC} {} {sequence}", hex(journal_id));
    let crc = crc32c::crc32c(body.as_bytes());
    format!("{body} {crc:08x}\n")
}

/// The journal and the position in a cursor's line, if that is whole.
fn parse(text: &str) -> Option<(&str, u64)> {
    let (body, crc) = text.strip_suffix('\n')?.rsplit_once(' ')?;
    if format!("{:08x}", crc32c::crc32c(body.as_bytes())) != crc {
        return None;
    }
    let mut words = body.split(' ');
    let magic = words.next()?;
    let (journal, sequence) = (words.next()?, words.next()?.parse().ok()?);
    (magic == MAGIC && words.next().is_none()).then_some((journal, sequence))
}

#[cfg(test)]
mod tests {
    use super::super::faults::tried;
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_no_flipped_bit_passes() {
        let dir = tempfile::tempdir().unwrap();
        let cursor = Cursor::new(dir.path(), "risk-2", [7; 16]).unwrap();
        assert_eq!(cursor.load().unwrap(), None);
        for sequence in [0, 17, u64::MAX] {
            cursor.save(sequence).unwrap();
            assert_eq!(cursor.load().unwrap(), Some(sequence));
        }
        assert_eq!(cursors(dir.path(), [7; 16]).unwrap(), [(u64::MAX, "risk-2".to_owned())]);
        let other = Cursor::new(dir.path(), "risk-2", [8; 16]).unwrap();
        assert_eq!(other.load().unwrap_err().exit_code(), 3);
        let whole = fs::read(&cursor.path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&cursor.path, flipped).unwrap();
            assert!(cursor.load().is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&cursor.path, &whole[..length]).unwrap();
            assert!(cursor.load().is_err(), "length {length}");
        }
        tried("a cursor with a flipped bit or cut", (9 * whole.len()) as u64);
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for name in ["", "..", "a/b", "a.b", &"a".repeat(65)] {
            assert!(Cursor::new(Path::new("x"), name, [0; 16]).is_err(), "{name}");
        }
    }
}
