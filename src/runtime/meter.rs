//! Meters: histograms of durations, filled on the data plane without allocation.
//!
//! Values are recorded as they are. Latencies are measured from the intended time, so nothing is
//! corrected afterwards (a correcting record would count the same delay twice).

use hdrhistogram::Histogram;

use super::live::LiveMeter;
use super::timeline::Timeline;
use crate::limits::BATCH_RECORDS_MAX;
use crate::units::Nanos;

/// The longest duration that a meter tells apart from longer ones.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Decimal digits that a meter keeps.
const DIGITS: u8 = 3;

/// Events of which it is told what they would have waited.
const WAITS_MAX: u64 = 1_000_000;

/// Runs of equal ingest times that are kept until the batch's end is known.
const RUNS_MAX: usize = BATCH_RECORDS_MAX;

/// A histogram of durations in nanoseconds.
#[derive(Clone, Debug)]
pub struct Meter {
    histogram: Histogram<u64>,
}

/// What a meter says, in nanoseconds; a percentile with too few samples behind it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencySummary {
    /// Number of samples.
    pub count: u64,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p999: Option<u64>,
    /// 99.99th percentile.
    pub p9999: Option<u64>,
    /// Longest.
    pub max: Option<u64>,
}

impl Meter {
    /// An empty meter; allocates all it will ever need.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .expect("the bounds are constants that the histogram allows");
        Self { histogram }
    }

    /// Records one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.histogram.saturating_record(ns);
    }

    /// Records the same duration `count` times.
    #[inline]
    pub fn record_many(&mut self, ns: u64, count: u64) {
        self.histogram.saturating_record_n(ns, count);
    }

    /// Adds all that another meter has seen.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all meters have the same bounds");
    }

    /// What events would have waited that came `per_second`, evenly, all through these durations,
    /// one behind the other: each for the end of the one that it came in. Of more than a million
    /// events, evenly chosen ones.
    ///
    /// Of the gaps of an idle core this is what the machine alone adds to the latency of events at
    /// that rate. A long gap is met by many events, and a short one by few: a millisecond in which
    /// a core stood still is one gap of fifty million, which no percentile of them shows, and one
    /// event in a thousand meets it.
    ///
    /// ```
    /// use ringtape::runtime::Meter;
    ///
    /// let mut gaps = Meter::new();
    /// gaps.record_many(10, 90);
    /// gaps.record(100);
    /// let waits = gaps.waits_at_rate(200_000_000).summary();
    /// assert_eq!((waits.count, waits.max), (200, Some(100)));
    /// ```
    pub fn waits_at_rate(&self, per_second: u64) -> Self {
        let durations = || {
            self.histogram.iter_recorded().map(|step| {
                let length = step.value_iterated_to();
                (length, length.saturating_mul(step.count_since_last_iteration()))
            })
        };
        let total = durations().fold(0, |sum: u64, (_, all)| sum.saturating_add(all));
        let apart = (1_000_000_000 / per_second.max(1)).max(total / WAITS_MAX).max(1);
        let mut waits = Self::new();
        // From the start of the durations of one length to the next event.
        let mut next = 0_u64;
        for (length, all) in durations() {
            while next < all {
                waits.record(length - next % length);
                next = next.saturating_add(apart);
            }
            next -= all;
        }
        waits
    }

    /// The histogram itself, for those who write it down.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Percentiles; those that need more samples than there are stay empty.
    ///
    /// A percentile of which fewer than ten samples lie above says nothing.
    pub fn summary(&self) -> LatencySummary {
        let count = self.histogram.len();
        let at = |per_10k: u64| {
            let above = count * (10_000 - per_10k) / 10_000;
            (above >= 10).then(|| self.histogram.value_at_quantile(per_10k as f64 / 10_000.0))
        };
        LatencySummary {
            count,
            p50: at(5_000),
            p90: at(9_000),
            p99: at(9_900),
            p999: at(9_990),
            p9999: at(9_999),
            max: (count > 0).then(|| self.histogram.max()),
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// The latency meter of a stage: notes ingest times while a batch is handled, and records all of
/// them against the batch's end.
///
/// An event's latency is thus an upper bound: it is stamped when its whole batch was done. The mean
/// batch length stands beside it. The service time, handler alone, is that of the whole batch too.
#[derive(Clone, Debug)]
pub struct StageMeter {
    meter: Meter,
    service: Meter,
    timeline: Timeline,
    /// For a reader while the run goes on; `None` unless there is one.
    live: Option<LiveMeter>,
    /// Runs of equal ingest times since the last batch end: time and length.
    runs: Vec<(u64, u64)>,
    events: u64,
    batches: u64,
    last: Option<Nanos>,
}

impl StageMeter {
    /// An empty meter.
    pub fn new() -> Self {
        Self {
            meter: Meter::new(),
            service: Meter::new(),
            timeline: Timeline::new(),
            live: None,
            runs: Vec::with_capacity(RUNS_MAX),
            events: 0,
            batches: 0,
            last: None,
        }
    }

    /// The same meter, whose durations are also told live.
    pub fn telling(self, live: Option<LiveMeter>) -> Self {
        Self { live, ..self }
    }

    /// Notes one event of the present batch; an ingest time of 0 means that it has none.
    #[inline]
    pub fn note(&mut self, ts_ingest: u64) {
        if ts_ingest == 0 {
            return;
        }
        let is_full = self.runs.len() == RUNS_MAX;
        if let Some((time, count)) = self.runs.last_mut() {
            // WHY: a batch has at most as many runs as records; should a caller note more than one
            // batch, the event counts with its neighbour rather than allocating.
            if *time == ts_ingest || is_full {
                *count += 1;
                return;
            }
        }
        self.runs.push((ts_ingest, 1));
    }

    /// Records everything noted as complete at `now`.
    pub fn complete(&mut self, now: Nanos) {
        if self.runs.is_empty() {
            return;
        }
        for (time, count) in self.runs.drain(..) {
            let ns = now.0.saturating_sub(time);
            self.meter.record_many(ns, count);
            self.timeline.record(now, ns, count);
            if let Some(live) = &mut self.live {
                live.record(ns, count);
            }
            self.events += count;
        }
        self.batches += 1;
        self.last = Some(now);
    }

    /// Records everything noted as begun and complete at these times.
    pub fn complete_since(&mut self, started: Nanos, now: Nanos) {
        let count = self.runs.iter().map(|&(_, count)| count).sum();
        self.service.record_many(now.0.saturating_sub(started.0), count);
        self.complete(now);
    }

    /// The times of the handler alone; empty unless their beginnings were told.
    pub fn service(&self) -> &Meter {
        &self.service
    }

    /// The durations.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The durations by the time at which they ended.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// When the last batch was complete; `None` before the first.
    pub fn last(&self) -> Option<Nanos> {
        self.last
    }

    /// Events per batch in hundredths; 0 before the first batch.
    pub fn mean_batch_hundredths(&self) -> u64 {
        (self.events * 100).checked_div(self.batches).unwrap_or(0)
    }
}

impl Default for StageMeter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_wait_for_the_end_of_the_gap_that_they_come_in() {
        let mut gaps = Meter::new();
        gaps.record_many(50, 1_000);
        gaps.record(100_000);
        // Two thirds of all time are one gap: as many events wait for its end, evenly far away.
        let waits = gaps.waits_at_rate(100_000_000);
        let summary = waits.summary();
        // A meter keeps three digits of a duration.
        assert_eq!(summary.count / 10, 1_500);
        assert_eq!(summary.p50.map(|ns| ns / 1_000), Some(25), "{summary:?}");
        assert_eq!(summary.max.map(|ns| ns / 100), Some(1_000), "{summary:?}");
        let short = waits.histogram().count_between(1, 50);
        assert!((5_000..5_010).contains(&short), "{short}");
        // Fewer than one event in each gap.
        assert_eq!(gaps.waits_at_rate(10_000).summary().count, 2);
        // No more than a million.
        gaps.record_many(3_600_000_000_000, 10);
        assert_eq!(gaps.waits_at_rate(u64::MAX).summary().count / 1_000, 1_000);
        assert_eq!(Meter::new().waits_at_rate(1).summary().count, 0);
    }

    #[test]
    fn percentiles_with_too_few_samples_stay_empty() {
        let mut meter = Meter::new();
        for ns in 1..=1_000 {
            meter.record(ns);
        }
        let summary = meter.summary();
        assert_eq!((summary.count, summary.p50, summary.p99), (1_000, Some(500), Some(990)));
        assert_eq!((summary.p999, summary.p9999, summary.max), (None, None, Some(1_000)));
        assert_eq!(Meter::new().summary(), LatencySummary::default());
    }

    #[test]
    fn a_batch_is_stamped_with_its_end() {
        let mut stage = StageMeter::new();
        for time in [100, 100, 150] {
            stage.note(time);
        }
        stage.complete(Nanos(200));
        stage.complete(Nanos(900));
        let summary = stage.meter().summary();
        assert_eq!((summary.count, summary.max), (3, Some(100)));
        assert_eq!(stage.mean_batch_hundredths(), 300);
        assert_eq!(stage.service().summary().count, 0);
        stage.note(950);
        stage.complete_since(Nanos(980), Nanos(1_000));
        let (latency, service) = (stage.meter().summary(), stage.service().summary());
        assert_eq!((latency.count, service.count, service.max), (4, 1, Some(20)));
    }
}
