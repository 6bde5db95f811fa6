//! The directory of a journal: names of segments, the writer's lock, identities.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytemuck::Zeroable;

use super::format::{ENDIANNESS, MAGIC, SegmentHeader, VERSION};
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, SEGMENT_HEADER_BYTES, STAMP_BYTES};

/// Extension of a segment.
const SEGMENT_EXTENSION: &str = "tape";

/// Extension of a segment whose preparation is not finished.
const UNFINISHED_EXTENSION: &str = "unfinished";

/// Digits of the first sequence in a segment's name: any `u64` fits, names sort as numbers.
const NAME_DIGITS: usize = 20;

/// Extension of the mark of a cut: what is at the sequence of its name or behind counts no more.
const CUT_EXTENSION: &str = "cut";

/// The file that the writer locks; its text is the writer's process id, for information.
const LOCK_NAME: &str = "writer.lock";

/// The directory that keeps what a recovery or repair took out of a journal.
const QUARANTINE_NAME: &str = "quarantine";

/// Attempts to get the lock, 1 ms apart: a reader that asks whether the writer is alive holds the
/// lock for a moment, and so does a child of the writer's process until it is another program.
const LOCK_ATTEMPTS: u32 = 100;

/// An error of a journal's writer: not to find a file that it made is nobody's slip in a command.
pub(super) fn or_gone(error: Error, dir: &Path) -> Error {
    match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let gone = "the journal, or a segment of it, was deleted or moved while it was \
                        written: put it back, or record again";
            Error::io("go on with", dir, io::Error::other(gone))
        }
        error => error,
    }
}

/// The path of the segment that begins at `first_sequence`.
pub(super) fn segment_path(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:0NAME_DIGITS$}.{SEGMENT_EXTENSION}"))
}

/// The path of the same segment while it is prepared.
pub(super) fn unfinished_path(segment: &Path) -> PathBuf {
    segment.with_extension(UNFINISHED_EXTENSION)
}

/// First sequences, by name, and paths of all segments of a directory, in order.
pub(super) fn list_segments(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let named = |path: PathBuf| Some((sequence_of(&path, SEGMENT_EXTENSION)?, path));
    let mut segments: Vec<_> = list(dir)?.into_iter().filter_map(named).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Whether `dir` holds a journal; `false` if it does not exist, or if all of it was being cut off.
///
/// # Errors
///
/// [`Error::Io`] for a directory that cannot be listed.
pub fn is_present(dir: &Path) -> Result<bool> {
    let first = match list_segments(dir) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        listed => listed?.first().map(|&(start, _)| start),
    };
    let Some(first) = first else { return Ok(false) };
    Ok(begun_cut(dir)?.is_none_or(|cut| first < cut))
}

/// Whether all of the journal in `dir` was being cut off when its writer stopped.
///
/// # Errors
///
/// [`Error::Io`] for a directory that cannot be listed.
pub fn is_cut_off(dir: &Path) -> Result<bool> {
    match begun_cut(dir) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        begun => Ok(begun?.is_some() && !is_present(dir)?),
    }
}

/// Removes what a killed writer had not finished to prepare.
pub(super) fn remove_unfinished(dir: &Path) -> Result<()> {
    for path in list(dir)? {
        if path.extension().is_some_and(|extension| extension == UNFINISHED_EXTENSION) {
            fs::remove_file(&path).map_err(|source| Error::io("remove", path, source))?;
        }
    }
    Ok(())
}

/// Notes that the journal of `dir` ends before `until`, whatever segments are there, until
/// [`end_cut`].
pub(super) fn begin_cut(dir: &Path, until: u64) -> Result<()> {
    let path = segment_path(dir, until).with_extension(CUT_EXTENSION);
    File::create(&path).map_err(|source| Error::io("write", path, source))?;
    sync_directory(dir)
}

/// Where the journal of `dir` is being cut, or was when whoever did it was killed.
pub(super) fn begun_cut(dir: &Path) -> Result<Option<u64>> {
    Ok(list(dir)?.iter().filter_map(|path| sequence_of(path, CUT_EXTENSION)).min())
}

/// Notes that nothing is left to be cut off.
pub(super) fn end_cut(dir: &Path) -> Result<()> {
    for path in list(dir)? {
        if sequence_of(&path, CUT_EXTENSION).is_some() {
            fs::remove_file(&path).map_err(|source| Error::io("remove", path, source))?;
        }
    }
    Ok(())
}

/// A path in the quarantine of `dir`, which is made, at which nothing is yet.
pub(super) fn quarantine_path(dir: &Path, name: &str) -> Result<PathBuf> {
    let quarantine = dir.join(QUARANTINE_NAME);
    let failed = |source| Error::io("create directory", &quarantine, source);
    fs::create_dir_all(&quarantine).map_err(failed)?;
    let free = |path: &PathBuf| path.symlink_metadata().is_err();
    let paths = (0u64..).map(|attempt| match attempt {
        0 => quarantine.join(name),
        _ => quarantine.join(format!("{name}.{attempt}")),
    });
    Ok(paths.into_iter().find(free).expect("some name is free"))
}

/// Moves a segment into quarantine; says where it is now.
pub(super) fn quarantine_segment(dir: &Path, segment: &Path) -> Result<PathBuf> {
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let to = quarantine_path(dir, &name)?;
    fs::rename(segment, &to).map_err(|source| Error::io("quarantine", segment, source))?;
    Ok(to)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|file| file.sync_all());
    synced.map_err(|source| Error::io("sync directory", dir, source))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    entries.map_err(|source| Error::io("list directory", dir, source))
}

/// The sequence in a name with this extension.
fn sequence_of(path: &Path, extension: &str) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let is_name = path.extension()? == extension
        && stem.len() == NAME_DIGITS
        && stem.bytes().all(|byte| byte.is_ascii_digit());
    if is_name { stem.parse().ok() } else { None }
}

/// The writer's lock on a directory, held until dropped or until the process ends, however it does.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock; a directory with a living writer is refused.
    pub(super) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join(LOCK_NAME);
        let opened =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| Error::io("open", &path, source))?;
        let mut attempts = 0;
        while let Err(refused) = file.try_lock() {
            attempts += 1;
            match refused {
                TryLockError::Error(source) => return Err(Error::io("lock", path, source)),
                TryLockError::WouldBlock if attempts < LOCK_ATTEMPTS => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                TryLockError::WouldBlock => return Err(in_use(dir, &mut file)),
            }
        }
        let pid = std::process::id();
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{pid}"));
        noted.map_err(|source| Error::io("write", path, source))?;
        Ok(Self { _file: file })
    }
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let mut pid = String::new();
    let holder = match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
        _ => "another process".into(),
    };
    Error::usage(
        format!("journal `{}` is being written by {holder}", dir.display()),
        "wait until that ends, or use another directory",
    )
}

/// Answers whether a journal's writer is alive.
#[derive(Debug, Default)]
pub(super) struct WriterWatch {
    lock: Option<File>,
    /// Whether it is the caller who holds the lock, and does not write.
    is_held_by_caller: bool,
}

impl WriterWatch {
    /// The answer of someone who holds the writer's lock and does not write: nobody does.
    pub(super) fn under(_lock: &WriterLock) -> Self {
        Self { lock: None, is_held_by_caller: true }
    }

    /// Whether some process, perhaps this one, holds the writer's lock of `dir`.
    pub(super) fn is_alive(&mut self, dir: &Path) -> bool {
        if self.is_held_by_caller {
            return false;
        }
        if self.lock.is_none() {
            // WHY: no lock file means no writer; a journal may be copied without it.
            self.lock = File::open(dir.join(LOCK_NAME)).ok();
        }
        let Some(file) = &self.lock else { return false };
        match file.try_lock_shared() {
            Ok(()) => {
                // A failure to unlock cannot be helped; closing the file unlocks it too.
                if file.unlock().is_err() {
                    self.lock = None;
                }
                false
            }
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false,
        }
    }
}

/// The header of a new journal's first segment, with new identities and everything optional zero.
pub(super) fn new_header(
    name: &str,
    slot_bytes: usize,
    schema_hash: u64,
    segment_bytes: u64,
) -> SegmentHeader {
    let mut header = SegmentHeader {
        magic: MAGIC,
        endianness: ENDIANNESS,
        version: VERSION,
        header_bytes: SEGMENT_HEADER_BYTES as u32,
        block_bytes: BLOCK_BYTES as u32,
        slot_bytes: slot_bytes as u32,
        record_bytes: (slot_bytes - STAMP_BYTES) as u32,
        segment_bytes,
        schema_hash,
        journal_id: random_id(),
        boot_id: boot_id(),
        ..SegmentHeader::zeroed()
    };
    header.schema_name[..name.len()].copy_from_slice(name.as_bytes());
    header
}

/// A random UUID (version 4): the hash keys that the system gave, over time and process.
pub(crate) fn random_id() -> [u8; 16] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let half = |part: u8| RandomState::new().hash_one((part, now, std::process::id()));
    let mut id: [u8; 16] = bytemuck::cast([half(0), half(1)]);
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// The identity that Linux gives each boot; zeros where there is none.
pub(super) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
    u128::from_str_radix(&digits, 16).map(u128::to_be_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segment_names_are_segments_and_they_sort_by_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let ours = [segment_path(dir.path(), 10), segment_path(dir.path(), 9)];
        let unfinished = unfinished_path(&ours[0]);
        let others = ["run.toml", "9.tape", "+0000000000000000009.tape", "writer.lock"];
        for path in ours.iter().chain([&unfinished]) {
            File::create(path).unwrap();
        }
        for name in others {
            File::create(dir.path().join(name)).unwrap();
        }
        let [ten, nine] = ours;
        assert_eq!(list_segments(dir.path()).unwrap(), [(9, nine), (10, ten)]);
        remove_unfinished(dir.path()).unwrap();
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_second_writer_is_refused_and_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = WriterWatch::default();
        assert!(!watch.is_alive(dir.path()));
        let lock = WriterLock::take(dir.path()).unwrap();
        assert!(watch.is_alive(dir.path()));
        let refused = WriterLock::take(dir.path()).unwrap_err();
        let holder = format!("process {}", std::process::id());
        assert!(refused.to_string().contains(&holder), "{refused}");
        drop(lock);
        assert!(!watch.is_alive(dir.path()));
        WriterLock::take(dir.path()).unwrap();
    }

    #[test]
    fn two_journals_have_two_identities() {
        assert_ne!(random_id(), random_id());
    }
}
