//! The thread that forces what is complete to the disk, while the writer goes on.
//!
//! ```text
//!   segment  |#################|######|###.............|
//!            on the disk       synced  open page: left alone while the writer moves
//! ```
//!
//! A page under write-back makes a store to it wait, so the page that is being written is left
//! alone. A writer that stood still for a whole interval is not disturbed: then that page goes too.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::geometry::Geometry;
use super::prepare::WriteSegment;
use super::storage::locked;
use crate::error::{Error, Result};

/// Bytes of a page, as far as writing one back goes.
pub(super) const PAGE_BYTES: usize = 4096;

/// What writer and flusher tell one another.
#[derive(Debug)]
struct Shared {
    /// Sequence after the last appended record.
    appended: AtomicU64,
    /// Every record below this is on the disk.
    durable: AtomicU64,
    /// Segments that are not wholly on the disk, oldest first.
    segments: Mutex<VecDeque<Arc<WriteSegment>>>,
    is_stopped: AtomicBool,
    /// The disk refused; what it holds is unknown from then on.
    failed: Mutex<Option<io::ErrorKind>>,
    has_failed: AtomicBool,
}

/// The writer's side of the flusher thread.
#[derive(Debug)]
pub(super) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the flusher of a writer whose records before `durable` are on the disk.
    pub(super) fn start(
        segment: &Arc<WriteSegment>,
        durable: u64,
        interval: Duration,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            appended: AtomicU64::new(durable),
            durable: AtomicU64::new(durable),
            segments: Mutex::new(VecDeque::from([Arc::clone(segment)])),
            is_stopped: AtomicBool::new(false),
            failed: Mutex::new(None),
            has_failed: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new().name("journal-flusher".into()).spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared, interval)
        });
        let thread = thread
            .map_err(|source| Error::io("start flusher thread for", &segment.path, source))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Tells the flusher that the records before `sequence` are appended.
    #[inline]
    pub(super) fn note(&self, sequence: u64) {
        // SYNC: pairs with the load in `run`: what was published before is what is forced out.
        self.shared.appended.store(sequence, Ordering::Release);
    }

    /// Hands the flusher a segment that is written from now on.
    pub(super) fn begin(&self, segment: &Arc<WriteSegment>) {
        locked(&self.shared.segments).push_back(Arc::clone(segment));
    }

    /// Every record below this is on the disk.
    #[inline]
    pub(super) fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Why the disk refused, if it did.
    #[inline]
    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        if !self.shared.has_failed.load(Ordering::Acquire) {
            return None;
        }
        *locked(&self.shared.failed)
    }

    /// Stops the thread.
    pub(super) fn stop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the flusher was printed; the writer's close forces everything out itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, interval: Duration) {
    // Sequence at the last look, and the bytes of the oldest segment that are on the disk.
    let (mut before, mut synced) = (0, 0);
    while !shared.is_stopped.load(Ordering::Acquire) {
        std::thread::park_timeout(interval);
        let appended = shared.appended.load(Ordering::Acquire);
        let is_idle = appended == before;
        before = appended;
        if appended == shared.durable.load(Ordering::Relaxed) {
            continue;
        }
        if let Err(error) = force_out(shared, appended, is_idle, &mut synced) {
            // WHY: never again. The kernel forgets after one failure which pages it could not
            // write, so a second attempt would succeed and prove nothing.
            *locked(&shared.failed) = Some(error.kind());
            shared.has_failed.store(true, Ordering::Release);
            return;
        }
    }
}

/// Forces out what is complete of the records before `appended`.
fn force_out(shared: &Shared, appended: u64, is_idle: bool, synced: &mut usize) -> io::Result<()> {
    loop {
        let Some(segment) = locked(&shared.segments).front().cloned() else { return Ok(()) };
        let (first, geometry) = (segment.header.first_sequence, segment.header.geometry());
        let is_full = appended - first >= geometry.records() && has_next(shared);
        let end = if is_full {
            segment.bytes()
        } else {
            complete_bytes(geometry, appended - first, is_idle)
        };
        if end > *synced {
            segment.sync_range(*synced..end)?;
            // The open page goes again with what comes into it later.
            *synced = if is_full { end } else { complete_bytes(geometry, appended - first, false) };
        }
        if !is_full {
            let index = if is_idle { appended - first } else { whole_records(geometry, end) };
            shared.durable.fetch_max(first + index, Ordering::Release);
            return Ok(());
        }
        shared.durable.fetch_max(first + geometry.records(), Ordering::Release);
        locked(&shared.segments).pop_front();
        *synced = 0;
    }
}

fn has_next(shared: &Shared) -> bool {
    locked(&shared.segments).len() > 1
}

/// Bytes of the whole pages before the record at `index`; of its page too when nobody writes there.
fn complete_bytes(geometry: Geometry, index: u64, is_idle: bool) -> usize {
    let offset = geometry.slot_offset(index);
    if is_idle { offset.next_multiple_of(PAGE_BYTES) } else { offset / PAGE_BYTES * PAGE_BYTES }
}

/// Records that lie wholly before `bytes`, which end a page.
fn whole_records(geometry: Geometry, bytes: usize) -> u64 {
    if bytes <= geometry.block_offset(0) { 0 } else { geometry.index_at(bytes) }
}
