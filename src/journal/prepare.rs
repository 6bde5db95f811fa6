//! Segments as their writer sees them, and the helper thread that prepares them ahead.
//!
//! The helper makes the next segment while the present one is written, and keeps the pages ahead
//! of the writer populated. A full disk is thus an error where a file is made, not a SIGBUS where a
//! record is stored, and the writer's stores do not fault.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::{FallocateFlags, fallocate};

use super::crc::SlotCrc;
use super::directory::{segment_path, sync_directory, unfinished_path};
use super::format::{OPENING_OFFSET, SegmentHeader, opening_word};
use crate::error::{Error, Result};
use crate::limits::POPULATE_AHEAD_BYTES;
use crate::map::WriteMap;

/// Bytes that are populated at a time, and after which the writer tells the helper where it is.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// Jobs that may wait for the helper; one that finds no room is left out or waits, by its kind.
const JOBS_MAX: usize = 32;

/// A segment that is written or prepared.
#[derive(Debug)]
pub(super) struct WriteSegment {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) map: WriteMap,
    header: SegmentHeader,
    /// Bytes from the start that will not fault.
    populated: AtomicUsize,
}

impl WriteSegment {
    /// Makes a segment: under a temporary name until its space and its header are on the disk.
    pub(super) fn create(dir: &Path, header: &SegmentHeader) -> Result<Self> {
        let path = segment_path(dir, header.first_sequence);
        let unfinished = unfinished_path(&path);
        let made = Self::make(&path, &unfinished, header);
        if made.is_err() {
            // The space of an unfinished file helps nobody; the first error is the one to report.
            let _ = fs::remove_file(&unfinished);
        }
        let segment = made?;
        sync_directory(dir)?;
        Ok(segment)
    }

    fn make(path: &Path, unfinished: &Path, header: &SegmentHeader) -> Result<Self> {
        let failed = |source| Error::io("prepare segment", path, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(unfinished).map_err(failed)?;
        allocate(&file, header.segment_bytes).map_err(failed)?;
        file.write_all_at(&header.encode(), 0).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let map = WriteMap::new(&file, path)?;
        // The lock keeps other writers away, so nobody makes this file between check and rename.
        if path.try_exists().map_err(failed)? {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        fs::rename(unfinished, path).map_err(failed)?;
        let populated = AtomicUsize::new(0);
        Ok(Self { path: path.to_owned(), file, map, header: *header, populated })
    }

    /// Brings a prepared segment into use, behind a record with this CRC.
    pub(super) fn open(&self, crc: SlotCrc, previous_crc: u32) {
        let word = opening_word(crc, self.header.first_sequence, previous_crc);
        self.map.publish(OPENING_OFFSET, word, &[]);
    }

    /// Forces what the segment holds to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| Error::io("sync", &self.path, source))
    }

    /// Bytes from the start that will not fault.
    #[inline]
    pub(super) fn populated(&self) -> usize {
        self.populated.load(Ordering::Relaxed)
    }

    /// Populates up to `end`, chunk by chunk.
    pub(super) fn populate(&self, end: usize) -> Result<()> {
        let end = end.min(self.map.bytes());
        loop {
            let from = self.populated();
            if from >= end {
                return Ok(());
            }
            let bytes = CHUNK_BYTES.min(self.map.bytes() - from);
            let populated = self.map.populate(from, bytes);
            populated.map_err(|source| Error::io("populate segment", &self.path, source))?;
            self.populated.fetch_max(from + bytes, Ordering::Relaxed);
        }
    }
}

/// Gives a file its length with all blocks reserved.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let zeros = vec![0; CHUNK_BYTES];
            for from in (0..bytes).step_by(CHUNK_BYTES) {
                let count = (bytes - from).min(CHUNK_BYTES as u64);
                file.write_all_at(&zeros[..count as usize], from)?;
            }
            Ok(())
        }
        done => Ok(done?),
    }
}

/// What the writer asks of the helper.
#[derive(Debug)]
enum Job {
    /// Make the segment of this header and hand it over.
    Prepare(SegmentHeader),
    /// Populate ahead of this offset, in the next segment too if the present one ends before.
    Populate(Arc<WriteSegment>, usize),
    /// Unmap a segment that is full: it takes a while.
    Retire(Arc<WriteSegment>),
}

/// The writer's side of the helper thread.
#[derive(Debug)]
pub(super) struct Helper {
    jobs: SyncSender<Job>,
    prepared: Receiver<Result<Arc<WriteSegment>>>,
    thread: JoinHandle<()>,
}

impl Helper {
    /// Starts the helper of a journal's directory.
    pub(super) fn start(dir: &Path) -> Result<Self> {
        let (jobs, asked) = sync_channel(JOBS_MAX);
        let (hand_over, prepared) = sync_channel(1);
        let thread = std::thread::Builder::new().name("journal-helper".into()).spawn({
            let dir = dir.to_owned();
            move || help(&dir, &asked, &hand_over)
        });
        let thread = thread.map_err(|source| Error::io("start helper thread for", dir, source))?;
        Ok(Self { jobs, prepared, thread })
    }

    /// Asks for the segment that comes next; waits for room, which is there after a roll.
    pub(super) fn prepare(&self, header: SegmentHeader) {
        // A helper that is gone is noticed when its segment is missed.
        let _ = self.jobs.send(Job::Prepare(header));
    }

    /// Tells the helper that the writer is at `offset`. A busy helper is not waited for: it hears
    /// of the next chunk.
    pub(super) fn populate(&self, segment: &Arc<WriteSegment>, offset: usize) {
        let _ = self.jobs.try_send(Job::Populate(Arc::clone(segment), offset));
    }

    /// Gives a full segment away.
    pub(super) fn retire(&self, segment: Arc<WriteSegment>) {
        let _ = self.jobs.try_send(Job::Retire(segment));
    }

    /// The segment that was asked for, if it is ready.
    pub(super) fn try_take(&self) -> Option<Result<Arc<WriteSegment>>> {
        self.prepared.try_recv().ok()
    }

    /// The segment that was asked for; waits for it. `None` if the helper is gone.
    pub(super) fn take(&self) -> Option<Result<Arc<WriteSegment>>> {
        self.prepared.recv().ok()
    }

    /// Stops the helper; what it had prepared in vain is returned.
    pub(super) fn stop(self) -> Option<Arc<WriteSegment>> {
        let Self { jobs, prepared, thread } = self;
        drop(jobs);
        let unused = prepared.recv().ok().and_then(Result::ok);
        // A panic of the helper was printed; nothing that it did is needed any more.
        let _ = thread.join();
        unused
    }
}

fn help(dir: &Path, jobs: &Receiver<Job>, hand_over: &SyncSender<Result<Arc<WriteSegment>>>) {
    let mut next: Option<Arc<WriteSegment>> = None;
    for job in jobs {
        match job {
            Job::Prepare(header) => {
                let made = WriteSegment::create(dir, &header).map(Arc::new);
                next = made.as_ref().ok().map(Arc::clone);
                if hand_over.send(made).is_err() {
                    return;
                }
            }
            Job::Populate(segment, offset) => {
                let ahead = offset + POPULATE_AHEAD_BYTES;
                let beyond = ahead.saturating_sub(segment.map.bytes());
                // The writer meets an error at the same place and reports it.
                let _ = segment.populate(ahead);
                if let Some(next) = next.as_ref().filter(|next| next.path != segment.path) {
                    let _ = next.populate(beyond);
                }
            }
            Job::Retire(segment) => drop(segment),
        }
    }
}
