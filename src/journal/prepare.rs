//! Segments as their writer sees them, and the helper thread that prepares them ahead.
//!
//! The helper makes the next segment while the present one is written, and keeps the pages ahead
//! of the writer populated. A full disk is thus an error where a file is made, not a SIGBUS where a
//! record is stored, and the writer's stores do not fault.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::crc::SlotCrc;
use super::directory::segment_path;
use super::format::{OPENING_OFFSET, SegmentHeader, opening_word};
use super::storage::{Backend, Store, locked};
use crate::error::{Error, Result};
use crate::limits::{POPULATE_AHEAD_BYTES, SEGMENT_HEADER_BYTES};

/// Bytes that are populated at a time, and after which the writer tells the helper where it is: a
/// huge page.
pub(super) const CHUNK_BYTES: usize = 2 << 20;

/// Jobs that may wait for the helper; one that finds no room is left out or waits, by its kind.
const JOBS_MAX: usize = 32;

/// A segment that is written or prepared.
#[derive(Debug)]
pub(super) struct WriteSegment {
    pub(super) path: PathBuf,
    pub(super) header: SegmentHeader,
    store: Store,
    /// Bytes from the start that will not fault.
    populated: AtomicUsize,
    /// Held while more is populated: what is populated must not be populated again under the
    /// writer.
    populating: Mutex<()>,
}

impl WriteSegment {
    /// Makes the segment of `header` in `dir`.
    pub(super) fn create(
        backend: &dyn Backend,
        dir: &Path,
        header: &SegmentHeader,
    ) -> Result<Self> {
        Ok(Self {
            path: segment_path(dir, header.first_sequence),
            header: *header,
            store: backend.create(dir, header)?,
            populated: AtomicUsize::new(0),
            populating: Mutex::new(()),
        })
    }

    /// Bytes of the segment.
    pub(super) fn bytes(&self) -> usize {
        self.store.storage().bytes()
    }

    /// Stores `words` behind a commit word at `offset`, and the commit word last.
    #[inline]
    pub(super) fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        self.store.publish(offset, commit, words);
    }

    /// Brings a prepared segment into use, behind a record with this CRC.
    pub(super) fn open(&self, crc: SlotCrc, previous_crc: u32) -> Result<()> {
        let word = opening_word(crc, self.header.first_sequence, previous_crc);
        self.publish(OPENING_OFFSET, word, &[]);
        self.flush()
    }

    /// Makes what was published visible to readers.
    pub(super) fn flush(&self) -> Result<()> {
        self.store.storage().flush().map_err(|source| Error::io("write", &self.path, source))
    }

    /// Forces what the segment holds to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.force(self.bytes())
    }

    /// Forces the header of a segment without records to the disk.
    ///
    /// WHY: a page that is forced out faults at its next store. Forced out as a whole, what was
    /// populated so that the first records find it ready would be so no more.
    pub(super) fn sync_header(&self) -> Result<()> {
        self.force(SEGMENT_HEADER_BYTES)
    }

    /// Forces the first bytes to the disk.
    fn force(&self, bytes: usize) -> Result<()> {
        let synced = self.sync_range(0..bytes);
        synced.map_err(|source| Error::io("sync", &self.path, source))
    }

    /// Forces what was flushed of a range to the disk.
    pub(super) fn sync_range(&self, range: Range<usize>) -> io::Result<()> {
        self.store.storage().sync(range)
    }

    /// Gives the space from `offset` on back.
    pub(super) fn give_back(&self, offset: usize) -> Result<()> {
        let given = self.store.storage().give_back(offset);
        given.map_err(|source| Error::io("punch a hole in", &self.path, source))
    }

    /// Bytes from the start that will not fault.
    #[inline]
    pub(super) fn populated(&self) -> usize {
        self.populated.load(Ordering::Acquire)
    }

    /// Populates up to `end`, chunk by chunk.
    pub(super) fn populate(&self, end: usize) -> Result<()> {
        let end = end.min(self.bytes());
        while self.populated() < end {
            let _alone = locked(&self.populating);
            let from = self.populated();
            if from >= end {
                return Ok(());
            }
            let to = (from + CHUNK_BYTES).min(self.bytes());
            // The segment's header is there from the start.
            let populated = self.store.storage().populate(from.max(SEGMENT_HEADER_BYTES)..to);
            populated.map_err(|source| Error::io("populate segment", &self.path, source))?;
            self.populated.store(to, Ordering::Release);
        }
        Ok(())
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
    pub(super) fn start(backend: &Arc<dyn Backend>, dir: &Path) -> Result<Self> {
        let (jobs, asked) = sync_channel(JOBS_MAX);
        let (hand_over, prepared) = sync_channel(1);
        let thread = std::thread::Builder::new().name("journal-helper".into()).spawn({
            let (backend, dir) = (Arc::clone(backend), dir.to_owned());
            move || help(&*backend, &dir, &asked, &hand_over)
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

fn help(
    backend: &dyn Backend,
    dir: &Path,
    jobs: &Receiver<Job>,
    hand_over: &SyncSender<Result<Arc<WriteSegment>>>,
) {
    let mut next: Option<Arc<WriteSegment>> = None;
    for job in jobs {
        match job {
            Job::Prepare(header) => {
                let made = WriteSegment::create(backend, dir, &header).map(Arc::new);
                next = made.as_ref().ok().map(Arc::clone);
                if hand_over.send(made).is_err() {
                    return;
                }
            }
            Job::Populate(segment, offset) => {
                let ahead = offset + POPULATE_AHEAD_BYTES;
                let beyond = ahead.saturating_sub(segment.bytes());
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
