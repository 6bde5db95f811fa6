//! Latency over time: a row of intervals, each with its own coarse histogram, in fixed memory.
//!
//! ```text
//!   start   +w      +2w                       +512w
//!     |-------|-------|---- ... ----------------|
//!       counts  counts    when the run gets longer, neighbours are joined and w doubles
//! ```
//!
//! A whole-run histogram hides when something happened; this shows a stall where it was.

use super::buckets::{BUCKETS, P99_SAMPLES_MIN, bucket, percentile};
use crate::units::Nanos;

/// Intervals of a timeline at most.
const INTERVALS_MAX: usize = 512;

/// Binary logarithm of the first width in ns: about a millisecond.
const FIRST_SHIFT: u32 = 20;

/// Durations by the time at which they ended.
///
/// Costs an addition and a comparison a record and nothing is allocated after it was made. When
/// the row is full, joining neighbours takes some ten microseconds: after half a second, one, two,
/// four and so on.
///
/// ```
/// use ringtape::runtime::Timeline;
/// use ringtape::units::Nanos;
///
/// let mut timeline = Timeline::new();
/// timeline.record(Nanos(5_000_000), 900, 3);
/// timeline.record(Nanos(9_000_000), 80_000, 1);
/// let busy: Vec<_> = timeline.intervals().filter(|interval| interval.count > 0).collect();
/// assert_eq!((busy[0].start, busy[0].count, busy[0].max), (Nanos(5_000_000), 3, 900));
/// assert_eq!((busy[1].count, busy[1].max, busy[1].p99), (1, 80_000, None));
/// ```
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Time of the first record.
    start: Option<u64>,
    /// Binary logarithm of the present width.
    shift: u32,
    /// Intervals up to the last one with a record.
    used: usize,
    counts: Box<[[u32; BUCKETS]]>,
    longest: Box<[u64]>,
}

/// What ended in an interval of a [`Timeline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub start: Nanos,
    /// How long it was.
    pub width: Nanos,
    /// Number of records.
    pub count: u64,
    /// Median, up to a fifth too long; 0 without records.
    pub p50: u64,
    /// 99th percentile, up to a fifth too long; `None` with too few records.
    pub p99: Option<u64>,
    /// Longest, exactly; 0 without records.
    pub max: u64,
}

impl Timeline {
    /// An empty timeline.
    pub fn new() -> Self {
        Self {
            start: None,
            shift: FIRST_SHIFT,
            used: 0,
            counts: vec![[0; BUCKETS]; INTERVALS_MAX].into_boxed_slice(),
            longest: vec![0; INTERVALS_MAX].into_boxed_slice(),
        }
    }

    /// Records that `count` things took `ns` and ended at `now`.
    #[inline]
    pub fn record(&mut self, now: Nanos, ns: u64, count: u64) {
        let start = *self.start.get_or_insert(now.0);
        let since = now.0.saturating_sub(start);
        while since >> self.shift >= INTERVALS_MAX as u64 {
            self.join_neighbours();
        }
        let at = (since >> self.shift) as usize;
        self.used = self.used.max(at + 1);
        let cell = &mut self.counts[at][bucket(ns)];
        *cell = cell.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.longest[at] = self.longest[at].max(ns);
    }

    /// The intervals from the first record to the last, also those without one.
    pub fn intervals(&self) -> impl Iterator<Item = Interval> {
        let width = 1 << self.shift;
        let start = self.start.unwrap_or(0);
        (0..self.used).map(move |at| self.interval(at, start + at as u64 * width, width))
    }

    fn interval(&self, at: usize, start: u64, width: u64) -> Interval {
        let counts = &self.counts[at];
        let count: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let max = self.longest[at];
        let at_most = |percent| {
            let counts = counts.iter().map(|&count| u64::from(count));
            percentile(counts, count, percent).map_or(max, |ns| ns.min(max))
        };
        Interval {
            start: Nanos(start),
            width: Nanos(width),
            count,
            p50: at_most(50),
            p99: (count >= P99_SAMPLES_MIN).then(|| at_most(99)),
            max,
        }
    }

    #[cold]
    fn join_neighbours(&mut self) {
        let most = self.longest[..self.used].iter().max().map_or(0, |&ns| bucket(ns) + 1);
        for at in 0..self.used.div_ceil(2) {
            let (one, other) = (2 * at, 2 * at + 1);
            for bucket in 0..most {
                let joined = self.counts[one][bucket].saturating_add(self.counts[other][bucket]);
                self.counts[at][bucket] = joined;
            }
            self.longest[at] = self.longest[one].max(self.longest[other]);
        }
        let used = self.used.div_ceil(2);
        for at in used..self.used {
            self.counts[at][..most].fill(0);
            self.longest[at] = 0;
        }
        self.used = used;
        self.shift += 1;
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_all_counts_and_the_time_of_its_stall() {
        let mut timeline = Timeline::new();
        const MS: u64 = 1_000_000;
        for ms in 0..10_000 {
            let ns = if ms == 7_000 { 30 * MS } else { 1_000 };
            timeline.record(Nanos(77 + ms * MS), ns, 2);
        }
        let intervals: Vec<Interval> = timeline.intervals().collect();
        assert!(intervals.len() <= INTERVALS_MAX);
        assert_eq!(intervals.iter().map(|interval| interval.count).sum::<u64>(), 20_000);
        let stalled: Vec<_> = intervals.iter().filter(|interval| interval.max > 1_000).collect();
        assert_eq!(stalled.len(), 1);
        let (start, end) = (stalled[0].start.0, stalled[0].start.0 + stalled[0].width.0);
        assert!((start..end).contains(&(77 + 7_000 * MS)), "{start} to {end}");
        assert_eq!(stalled[0].max, 30 * MS);
        assert!((1_000..1_250).contains(&stalled[0].p50), "{}", stalled[0].p50);
    }
}
