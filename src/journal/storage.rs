//! Where a writer's segments are: the one trait under all levels of durability.
//!
//! ```text
//!                 publish            flush              sync
//!   Mapped        store into map     nothing            msync of the range
//!   Written       into a buffer      pwrite             fdatasync
//!   in memory     either             either             copies pages; all of it fails on demand
//! ```
//!
//! The third one is made for tests: it keeps what a crash would leave apart from what readers see.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};

use super::directory::{segment_path, sync_directory, unfinished_path};
use super::format::SegmentHeader;
use super::prepare::CHUNK_BYTES;
use crate::error::{Error, Result};
use crate::map::WriteMap;

/// The bytes of one segment that is written.
pub(super) trait Storage: Send + Sync + fmt::Debug {
    /// Bytes of the segment.
    fn bytes(&self) -> usize;

    /// Stores `words` behind a commit word at `offset`, and the commit word last.
    fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]);

    /// Makes what was published visible to readers.
    fn flush(&self) -> io::Result<()>;

    /// Forces what was flushed of a range to the disk; it begins at a page.
    fn sync(&self, range: Range<usize>) -> io::Result<()>;

    /// Makes sure that a range that was never used can be written without an error.
    fn populate(&self, range: Range<usize>) -> io::Result<()>;

    /// Gives the space from `offset` on back; the length stays.
    fn give_back(&self, offset: usize) -> io::Result<()>;
}

/// Makes segments.
pub(super) trait Backend: Send + Sync + fmt::Debug {
    /// Makes the segment of `header` in `dir`, zero behind its header and on the disk under its
    /// name.
    fn create(&self, dir: &Path, header: &SegmentHeader) -> Result<Store>;

    /// Removes a segment that was never used.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Forces a segment to the disk that is not written any more.
    fn sync(&self, path: &Path) -> Result<()>;

    /// Looks whether a segment is where it was made.
    fn find(&self, path: &Path) -> Result<()>;
}

/// A segment's storage; the mapped one is called without a detour.
#[derive(Debug)]
pub(super) enum Store {
    Mapped(Mapped),
    Other(Box<dyn Storage>),
}

impl Store {
    /// As [`Storage::publish`].
    #[inline]
    pub(super) fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        match self {
            Self::Mapped(mapped) => mapped.map.publish(offset, commit, words),
            Self::Other(other) => other.publish(offset, commit, words),
        }
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Other(other) => &**other,
        }
    }
}

/// Segments as memory maps.
#[derive(Debug)]
pub(super) struct MappedFiles {
    /// Bytes that are populated at a time: the file system makes one piece of them, as far as it
    /// can, and writes it back as a whole.
    pub(super) piece_bytes: usize,
}

/// Segments that are written by system calls.
#[derive(Debug)]
pub(super) struct WrittenFiles;

impl Backend for MappedFiles {
    fn create(&self, dir: &Path, header: &SegmentHeader) -> Result<Store> {
        let file = create_file(dir, header)?;
        let map = WriteMap::new(&file, &segment_path(dir, header.first_sequence))?;
        Ok(Store::Mapped(Mapped { file, map, piece_bytes: self.piece_bytes }))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        remove_file(path)
    }

    fn sync(&self, path: &Path) -> Result<()> {
        sync_file(path)
    }

    fn find(&self, path: &Path) -> Result<()> {
        find_file(path)
    }
}

impl Backend for WrittenFiles {
    fn create(&self, dir: &Path, header: &SegmentHeader) -> Result<Store> {
        let file = create_file(dir, header)?;
        let bytes = header.segment_bytes as usize;
        Ok(Store::Other(Box::new(Written { file, bytes, pending: Mutex::default() })))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        remove_file(path)
    }

    fn sync(&self, path: &Path) -> Result<()> {
        sync_file(path)
    }

    fn find(&self, path: &Path) -> Result<()> {
        find_file(path)
    }
}

/// Makes a segment's file: under a temporary name until its space and its header are on the disk.
fn create_file(dir: &Path, header: &SegmentHeader) -> Result<File> {
    let path = segment_path(dir, header.first_sequence);
    let unfinished = unfinished_path(&path);
    let made = make_file(&path, &unfinished, header);
    if made.is_err() {
        // The space of an unfinished file helps nobody; the first error is the one to report.
        let _ = fs::remove_file(&unfinished);
    }
    let file = made.map_err(|source| Error::io("prepare segment", &path, source))?;
    sync_directory(dir)?;
    Ok(file)
}

fn make_file(path: &Path, unfinished: &Path, header: &SegmentHeader) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(unfinished)?;
    allocate(&file, header.segment_bytes)?;
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()?;
    // The lock keeps other writers away, so nobody makes this file between check and rename.
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(unfinished, path)?;
    Ok(file)
}

/// Gives a file its length with all blocks reserved.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(file, 0..bytes as usize, CHUNK_BYTES),
        done => Ok(done?),
    }
}

/// Writes zeros, at most [`CHUNK_BYTES`] at a time.
fn write_zeros(file: &File, range: Range<usize>, piece_bytes: usize) -> io::Result<()> {
    // Never written to, so that all of it is the one page of zeros that the system keeps.
    static ZEROS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; CHUNK_BYTES]);
    for from in range.clone().step_by(piece_bytes) {
        let count = (range.end - from).min(piece_bytes);
        file.write_all_at(&ZEROS[..count], from as u64)?;
    }
    Ok(())
}

fn find_file(path: &Path) -> Result<()> {
    fs::metadata(path).map(drop).map_err(|source| Error::io("find", path, source))
}

fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
}

/// Forces what a file holds to the disk.
pub(super) fn sync_file(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_data());
    synced.map_err(|source| Error::io("sync", path, source))
}

/// Punches a hole; a file system that cannot keeps the space.
pub(super) fn punch_hole(file: &File, range: Range<usize>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, hole, range.start as u64, range.len() as u64) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(refused) => Err(refused.into()),
    }
}

/// A segment in a memory map.
#[derive(Debug)]
pub(super) struct Mapped {
    file: File,
    map: WriteMap,
    piece_bytes: usize,
}

impl Storage for Mapped {
    fn bytes(&self) -> usize {
        self.map.bytes()
    }

    fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        self.map.publish(offset, commit, words);
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, range: Range<usize>) -> io::Result<()> {
        if range.len() == self.map.bytes() {
            return self.file.sync_data();
        }
        self.map.sync(range)
    }

    /// WHY: what is written in one go comes in as one large page where the file system has them;
    /// pages that were faulted in one by one took three times as long, and more than the records
    /// that fill them.
    fn populate(&self, range: Range<usize>) -> io::Result<()> {
        write_zeros(&self.file, range.clone(), self.piece_bytes)?;
        self.map.populate(range.start, range.len())
    }

    fn give_back(&self, offset: usize) -> io::Result<()> {
        punch_hole(&self.file, offset..self.map.bytes())
    }
}

/// A segment that is written by `pwrite`.
#[derive(Debug)]
struct Written {
    file: File,
    bytes: usize,
    pending: Mutex<Pending>,
}

impl Storage for Written {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        locked(&self.pending).add(offset, commit, words);
    }

    fn flush(&self) -> io::Result<()> {
        locked(&self.pending).write(|bytes, offset| self.file.write_at(bytes, offset))
    }

    fn sync(&self, _range: Range<usize>) -> io::Result<()> {
        self.file.sync_data()
    }

    /// WHY: zeros, and on the disk, so that forcing a record out later writes its block and nothing
    /// else: no extent has to be noted as written in the file system's own journal.
    fn populate(&self, range: Range<usize>) -> io::Result<()> {
        write_zeros(&self.file, range, CHUNK_BYTES)?;
        self.file.sync_data()
    }

    fn give_back(&self, offset: usize) -> io::Result<()> {
        punch_hole(&self.file, offset..self.bytes)
    }
}

/// Takes a lock, whoever may have panicked with it: bytes have no invariant to lose.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that wait to be written, as runs in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct Pending {
    runs: Vec<(usize, Vec<u8>)>,
}

impl Pending {
    pub(super) fn add(&mut self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        let follows = |(start, bytes): &(usize, Vec<u8>)| start + bytes.len() == offset;
        if !self.runs.last().is_some_and(follows) {
            self.runs.push((offset, Vec::new()));
        }
        let (_, bytes) = self.runs.last_mut().expect("a run is there or was just pushed");
        bytes.extend_from_slice(&commit.to_le_bytes());
        bytes.extend_from_slice(words.as_flattened());
    }

    /// Writes everything by `write`, which may write less than it is given.
    pub(super) fn write(
        &mut self,
        mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
    ) -> io::Result<()> {
        for (offset, bytes) in &self.runs {
            let mut done = 0;
            while done < bytes.len() {
                match write(&bytes[done..], (offset + done) as u64) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => done += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        // The room of the first run is kept for the next batch.
        self.runs.truncate(1);
        if let Some((offset, bytes)) = self.runs.first_mut() {
            *offset += bytes.len();
            bytes.clear();
        }
        Ok(())
    }
}
