//! Live meters: coarse histograms that somebody reads while a stage fills them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::buckets::{BUCKETS, P99_SAMPLES_MIN, bucket, longest_in, percentile};

/// Durations counted by one stage, for one reader on another thread.
///
/// ```
/// use ringtape::runtime::LiveMeter;
///
/// let (mut meter, mut reader) = LiveMeter::new();
/// meter.record(900, 3);
/// meter.record(80_000, 1);
/// let recent = reader.recent();
/// assert_eq!((recent.count, recent.p99), (4, None));
/// assert!((900..1_125).contains(&recent.p50.expect("a median")));
/// assert!((80_000..100_000).contains(&recent.max.expect("a longest")));
/// assert_eq!(reader.recent().count, 0, "it was read already");
/// ```
#[derive(Clone, Debug)]
pub struct LiveMeter {
    counts: Arc<[AtomicU64; BUCKETS]>,
}

/// The reading end of a [`LiveMeter`].
#[derive(Debug)]
pub struct LiveReader {
    counts: Arc<[AtomicU64; BUCKETS]>,
    /// What was counted when it was last read.
    before: [u64; BUCKETS],
}

/// What a [`LiveMeter`] counted between two looks; durations in ns, each up to a fifth too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Number of samples.
    pub count: u64,
    /// Median; `None` without samples.
    pub p50: Option<u64>,
    /// 99th percentile; `None` with too few samples.
    pub p99: Option<u64>,
    /// Longest; `None` without samples.
    pub max: Option<u64>,
}

impl LiveMeter {
    /// An empty meter and its reader.
    pub fn new() -> (Self, LiveReader) {
        let counts = Arc::new([const { AtomicU64::new(0) }; BUCKETS]);
        (Self { counts: counts.clone() }, LiveReader { counts, before: [0; BUCKETS] })
    }

    /// Records the same duration `count` times.
    #[inline]
    pub fn record(&mut self, ns: u64, count: u64) {
        let cell = &self.counts[bucket(ns)];
        // SYNC: nobody else writes, and a reader takes each count for itself.
        cell.store(cell.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}

impl LiveReader {
    /// What was recorded since the last look.
    pub fn recent(&mut self) -> Recent {
        let mut fresh = [0; BUCKETS];
        for ((fresh, before), cell) in fresh.iter_mut().zip(&mut self.before).zip(&*self.counts) {
            let now = cell.load(Ordering::Relaxed);
            *fresh = now - *before;
            *before = now;
        }
        let count = fresh.iter().sum();
        Recent {
            count,
            p50: percentile(fresh, count, 50),
            p99: percentile(fresh, count, 99).filter(|_| count >= P99_SAMPLES_MIN),
            max: fresh.iter().rposition(|&count| count > 0).map(longest_in),
        }
    }
}
