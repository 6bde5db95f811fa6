#![doc = include_str!("snapshot.md")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::directory::{list_segments, sync_directory};
use super::segment::bad;
use super::storage::sync_file;
use crate::error::{Error, Result};

/// First bytes of a snapshot.
const MAGIC: [u8; 8] = *b"RINGSNAP";

/// As in a segment's header.
const ENDIANNESS: u32 = 0x0102_0304;

/// Version of the container; what is in the sections has versions of its own.
const VERSION: u32 = 1;

const HEADER_BYTES: usize = 32;
const FRAME_HEAD_BYTES: usize = 40;
const NAME_BYTES: usize = 24;

/// Bytes of one frame's payload at most, so that a wrong length asks for no absurd memory.
const FRAME_BYTES_MAX: u64 = 1 << 30;

/// Name of the last frame.
const END: &str = "end";

const EXTENSION: &str = "snapshot";
const UNFINISHED_EXTENSION: &str = "unfinished";

/// Digits of the sequence in a name.
const NAME_DIGITS: usize = 20;

/// What to do about a snapshot that cannot be used.
const CURE: &str = "remove it: a run goes on from the snapshot before it, or from its first record";

/// Writes a snapshot, frame by frame.
///
/// ```
/// use ringtape::journal::snapshot::{Snapshot, SnapshotWriter, snapshots};
///
/// # let scratch = tempfile::tempdir().unwrap();
/// # let dir = scratch.path();
/// let mut writer = SnapshotWriter::create(dir, 1)?;
/// writer.add("books", b"first, ")?;
/// writer.add("portfolio", b"money")?;
/// writer.add("books", b"second")?;
/// let (path, _bytes) = writer.finish(1_000)?;
///
/// assert_eq!(snapshots(dir)?, [(1_000, path.clone())]);
/// assert_eq!(Snapshot::read(&path)?.section("books")?, b"first, second");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct SnapshotWriter {
    file: BufWriter<File>,
    unfinished: PathBuf,
    frames: u32,
    bytes: u64,
    is_finished: bool,
}

impl SnapshotWriter {
    /// Begins snapshot `number` in `dir`, which is made.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn create(dir: &Path, number: u64) -> Result<Self> {
        let unfinished = dir.join(format!("{number}.{UNFINISHED_EXTENSION}"));
        let mut head = [0; HEADER_BYTES];
        head[..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&ENDIANNESS.to_le_bytes());
        head[12..16].copy_from_slice(&VERSION.to_le_bytes());
        head[16..24].copy_from_slice(&number.to_le_bytes());
        let crc = crc32c::crc32c(&head[..28]);
        head[28..].copy_from_slice(&crc.to_le_bytes());
        let made = fs::create_dir_all(dir).and_then(|()| {
            let mut file = BufWriter::new(File::create(&unfinished)?);
            file.write_all(&head)?;
            Ok(file)
        });
        let file = made.map_err(|source| Error::io("write snapshot", &unfinished, source))?;
        let bytes = HEADER_BYTES as u64;
        Ok(Self { file, unfinished, frames: 0, bytes, is_finished: false })
    }

    /// Appends bytes to a section.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    ///
    /// # Panics
    ///
    /// For a name that is empty, too long or not of letters, digits and `.`.
    pub fn add(&mut self, name: &str, payload: &[u8]) -> Result<()> {
        assert!(is_name(name) && name != END, "`{name}` cannot name a section");
        self.frame(name, payload)
    }

    fn frame(&mut self, name: &str, payload: &[u8]) -> Result<()> {
        let mut head = [0; FRAME_HEAD_BYTES];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[24..32].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        head[32..36].copy_from_slice(&self.frames.to_le_bytes());
        let filling = &[0; 8][..filling(payload.len() as u64)];
        let crc = frame_crc(&head, payload, filling);
        head[36..].copy_from_slice(&crc.to_le_bytes());
        for part in [&head[..], payload, filling] {
            let written = self.file.write_all(part);
            written.map_err(|source| Error::io("write snapshot", &self.unfinished, source))?;
            self.bytes += part.len() as u64;
        }
        self.frames += 1;
        Ok(())
    }

    /// Forces everything to the disk and gives the snapshot its name, by the sequence of the first
    /// market record that it does not contain; returns path and bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; there is no snapshot then.
    pub fn finish(mut self, sequence: u64) -> Result<(PathBuf, u64)> {
        let bytes = self.bytes + FRAME_HEAD_BYTES as u64 + 8;
        self.frame(END, &bytes.to_le_bytes())?;
        let dir = self.unfinished.parent().expect("a snapshot lies in a directory").to_owned();
        let path = dir.join(format!("{sequence:0NAME_DIGITS$}.{EXTENSION}"));
        let finished = self.file.flush().and_then(|()| {
            self.file.get_ref().sync_all()?;
            fs::rename(&self.unfinished, &path)
        });
        finished.map_err(|source| Error::io("write snapshot", &path, source))?;
        self.is_finished = true;
        sync_directory(&dir)?;
        Ok((path, bytes))
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nobody reads an unfinished one, and the next run removes it as well.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// A snapshot that was read and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    path: PathBuf,
    number: u64,
    sections: BTreeMap<String, Vec<u8>>,
}

impl Snapshot {
    /// Reads and checks the snapshot at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`] for one that is damaged, cut, extended or of a newer version.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |source| Error::io("read snapshot", path, source);
        let about = fs::metadata(path).map_err(failed)?;
        if !about.is_file() {
            return Err(bad(path, 0, "a snapshot is a file, and this is none", CURE));
        }
        let file = BufReader::new(File::open(path).map_err(failed)?);
        Self::decode(path, file, about.len())
    }

    /// As [`read`](Self::read), from `bytes` that are called `path` in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::decode(path, bytes, bytes.len() as u64)
    }

    fn decode(path: &Path, mut source: impl Read, length: u64) -> Result<Self> {
        let mut head = [0; HEADER_BYTES];
        fill(&mut source, &mut head, path, 0)?;
        let number = check_head(path, &head)?;
        let mut sections: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut at = HEADER_BYTES as u64;
        for index in 0.. {
            let frame = read_frame(&mut source, path, at, length, index)?;
            at += FRAME_HEAD_BYTES as u64 + frame.payload.len() as u64;
            let bytes = frame.bytes as usize;
            if frame.name == END {
                let is_end = frame.payload == length.to_le_bytes() && at == length;
                let what = "the snapshot was cut or extended";
                return match is_end {
                    true => Ok(Self { path: path.to_owned(), number, sections }),
                    false => Err(bad(path, at, what, CURE)),
                };
            }
            let section = sections.entry(frame.name).or_default();
            section.extend_from_slice(&frame.payload[..bytes]);
        }
        unreachable!("the frames of a file come to an end")
    }

    /// The number of the snapshot.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its sections.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// The bytes of a section.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`] if there is none of that name.
    pub fn section(&self, name: &str) -> Result<&[u8]> {
        let bytes = self.sections.get(name).map(Vec::as_slice);
        bytes.ok_or_else(|| bad(&self.path, 0, format!("it has no section `{name}`"), CURE))
    }
}

/// A frame as it was read; the payload with its filling.
struct Frame {
    name: String,
    bytes: u64,
    payload: Vec<u8>,
}

fn read_frame(
    source: &mut impl Read,
    path: &Path,
    at: u64,
    length: u64,
    index: u32,
) -> Result<Frame> {
    let damaged = || bad(path, at, format!("frame {index} is damaged"), CURE);
    let mut head = [0; FRAME_HEAD_BYTES];
    fill(source, &mut head, path, at)?;
    let bytes = u64::from_le_bytes(head[24..32].try_into().expect("eight bytes"));
    let left = length.saturating_sub(at + FRAME_HEAD_BYTES as u64);
    if bytes > left.min(FRAME_BYTES_MAX) {
        return Err(damaged());
    }
    let mut payload = vec![0; bytes as usize + filling(bytes)];
    fill(source, &mut payload, path, at)?;
    let stored = u32::from_le_bytes(head[36..].try_into().expect("four bytes"));
    let is_whole = frame_crc(&head, &payload, &[]) == stored
        && head[32..36] == index.to_le_bytes()
        && payload[bytes as usize..].iter().all(|&byte| byte == 0);
    let letters = head[..NAME_BYTES].split(|&byte| byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(letters) {
        Ok(name) if is_whole && is_name(name) => {
            Ok(Frame { name: name.to_owned(), bytes, payload })
        }
        _ => Err(damaged()),
    }
}

/// Reads exactly `out`; a source that ends before is a snapshot that was cut.
fn fill(source: &mut impl Read, out: &mut [u8], path: &Path, at: u64) -> Result<()> {
    source.read_exact(out).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad(path, at, "the snapshot was cut", CURE),
        _ => Error::io("read snapshot", path, error),
    })
}

/// Checks a header; returns the snapshot's number.
fn check_head(path: &Path, head: &[u8; HEADER_BYTES]) -> Result<u64> {
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    if head[..8] != MAGIC || word(8) != ENDIANNESS {
        return Err(bad(path, 0, "this is no snapshot", CURE));
    }
    if word(28) != crc32c::crc32c(&head[..28]) || word(24) != 0 {
        return Err(bad(path, 0, "the header is damaged", CURE));
    }
    if word(12) != VERSION {
        let what = format!("the snapshot has version {}, not {VERSION}", word(12));
        return Err(bad(path, 12, what, "resume with the version that wrote it, or remove it"));
    }
    Ok(u64::from_le_bytes(head[16..24].try_into().expect("eight bytes")))
}

fn frame_crc(head: &[u8; FRAME_HEAD_BYTES], payload: &[u8], filling: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&head[..36]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, payload), filling)
}

/// Bytes to the next multiple of eight.
fn filling(bytes: u64) -> usize {
    (bytes.next_multiple_of(8) - bytes) as usize
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_letter)
}

/// Sequences and paths of the snapshots in `dir`, oldest first; none if it does not exist.
///
/// # Errors
///
/// [`Error::Io`] for a directory that cannot be listed.
pub fn snapshots(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found: Vec<_> =
        list(dir)?.into_iter().filter_map(|path| Some((sequence_of(&path)?, path))).collect();
    found.sort_unstable();
    Ok(found)
}

/// Forces the records `from..until` of the journal in `dir` to the disk, so that a snapshot never
/// knows more than its journals after a power cut.
///
/// # Errors
///
/// [`Error::Io`].
pub fn force_out(dir: &Path, from: u64, until: u64) -> Result<()> {
    let segments = list_segments(dir)?;
    for (index, (start, path)) in segments.iter().enumerate() {
        let end = segments.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
        if *start < until && end > from {
            match sync_file(path) {
                // Retention has removed it: nobody needs it any more.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
    }
    Ok(())
}

/// Removes what a killed process had not finished to write.
///
/// # Errors
///
/// [`Error::Io`].
pub fn remove_unfinished(dir: &Path) -> Result<()> {
    for path in list(dir)? {
        if path.extension().is_some_and(|extension| extension == UNFINISHED_EXTENSION) {
            fs::remove_file(&path).map_err(|source| Error::io("remove", path, source))?;
        }
    }
    Ok(())
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        }),
    };
    entries.map_err(|source| Error::io("list directory", dir, source))
}

fn sequence_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let is_ours = path.extension()? == EXTENSION
        && stem.len() == NAME_DIGITS
        && stem.bytes().all(|byte| byte.is_ascii_digit());
    if is_ours { stem.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::faults::tried;
    use super::*;

    fn written(dir: &Path) -> (PathBuf, Vec<u8>) {
        let mut writer = SnapshotWriter::create(dir, 7).expect("a writer");
        writer.add("books.orders", &[1, 2, 3]).expect("space");
        writer.add("trader", &[]).expect("space");
        writer.add("books.orders", &[4; 8]).expect("space");
        let (path, bytes) = writer.finish(99).expect("space");
        let whole = fs::read(&path).expect("a snapshot");
        assert_eq!(whole.len() as u64, bytes);
        (path, whole)
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, whole) = written(dir.path());
        let read = Snapshot::from_bytes(&path, &whole).expect("whole");
        assert_eq!(read, Snapshot::read(&path).expect("whole"));
        assert_eq!((read.number(), read.path()), (7, path.as_path()));
        assert_eq!(read.section("books.orders").expect("there"), [1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!(read.sections().collect::<Vec<_>>(), ["books.orders", "trader"]);
        assert_eq!(read.section("portfolio").expect_err("not there").exit_code(), 3);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = Snapshot::from_bytes(&path, &flipped).expect_err("damage");
            assert_eq!(error.exit_code(), 3, "bit {bit}: {error}");
        }
        for length in 0..whole.len() {
            assert!(Snapshot::from_bytes(&path, &whole[..length]).is_err(), "length {length}");
        }
        for more in [1, 8, 40, 4096] {
            let longer = [whole.as_slice(), &vec![0; more]].concat();
            assert!(Snapshot::from_bytes(&path, &longer).is_err(), "{more} bytes more");
        }
        tried("a snapshot with a flipped bit", 8 * whole.len() as u64);
        tried("a snapshot of another length", whole.len() as u64 + 4);
    }

    #[test]
    fn frames_that_are_left_out_repeated_or_swapped_are_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, whole) = written(dir.path());
        let frames = [&whole[32..80], &whole[80..120], &whole[120..168], &whole[168..]];
        for order in [&[0, 2, 3][..], &[0, 1, 1, 2, 3], &[1, 0, 2, 3], &[0, 1, 2], &[3]] {
            let parts: Vec<_> = order.iter().map(|&index| frames[index]).collect();
            let changed = [&whole[..32], &parts.concat()].concat();
            assert!(Snapshot::from_bytes(&path, &changed).is_err(), "{order:?}");
        }
        tried("frames of a snapshot left out, repeated or swapped", 5);
    }

    #[test]
    fn an_unfinished_snapshot_is_none_and_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let names = || snapshots(dir.path()).expect("a folder").len();
        let mut writer = SnapshotWriter::create(dir.path(), 1).expect("a writer");
        writer.add("books", &[1; 100]).expect("space");
        assert_eq!(names(), 0);
        drop(writer);
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
        std::mem::forget(SnapshotWriter::create(dir.path(), 2).expect("a writer"));
        written(dir.path());
        remove_unfinished(dir.path()).expect("a folder");
        assert_eq!((names(), fs::read_dir(dir.path()).expect("a folder").count()), (1, 1));
        assert_eq!(snapshots(&dir.path().join("none")).expect("nothing"), []);
    }
}
