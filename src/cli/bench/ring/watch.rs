//! What a stage of a round reads, and how it is verified and timed.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringtape::clock::Clock;
use ringtape::error::{Error, Result};

use super::stream::{Record, is_whole};

/// A record in a cache line of its own, as the peers hold it.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) Record);

/// Longest latency that the histograms tell apart, in ns.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What a stage has read: sums that a lost, repeated, swapped or torn record would change.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    checksum: u64,
    /// 0 when each record was whole and the next one.
    pub(crate) faults: u64,
}

impl Tally {
    /// Takes in the next record and verifies that it is the next and whole.
    #[inline]
    pub(crate) fn record(&mut self, record: &Record) {
        // WHY: no branch, because a bench that jumps on every record measures its jumps.
        self.faults |= (record[0] ^ self.records) | u64::from(!is_whole(record));
        self.checksum = self.checksum.rotate_left(1) ^ record[6];
        self.records += 1;
    }

    /// Verifies that another stream of which as much was read is the same.
    #[inline]
    pub(crate) fn compare(&mut self, other: &Self) {
        self.faults |= other.faults | (self.checksum ^ other.checksum);
    }
}

/// A tally, and in how many looks it was gathered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) tally: Tally,
    looks: u64,
}

impl Seen {
    /// One look of a stage that found something.
    #[inline]
    pub(crate) fn look(&mut self, read: impl FnOnce(&mut Tally)) {
        // WHY: in a local variable, so that the sums stay in registers while the batch is read.
        let mut tally = self.tally;
        read(&mut tally);
        self.tally = tally;
        self.count_look();
    }

    #[inline]
    fn count_look(&mut self) {
        self.looks += 1;
    }
}

/// Latencies of a paced stream, from each record's intended time to the end of the look that
/// brought it.
pub(crate) struct Lateness {
    clock: Clock,
    first_ns: u64,
    gap_ns: u64,
    histogram: Histogram<u64>,
}

impl Lateness {
    pub(crate) fn new(clock: Clock, first_ns: u64, gap_ns: u64) -> Self {
        Self { clock, first_ns, gap_ns, histogram: histogram() }
    }

    #[inline]
    fn note(&mut self, records: Range<u64>) {
        let now = self.clock.now().0;
        for sequence in records {
            let intended = self.first_ns + sequence * self.gap_ns;
            self.histogram.saturating_record(now.saturating_sub(intended));
        }
    }
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds")
}

/// The number of records of a round, once the producer knows it.
#[derive(Clone)]
pub(crate) struct End(Arc<AtomicU64>);

impl End {
    pub(crate) fn unknown() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Sets the number, before the last of the records are sent.
    pub(crate) fn set(&self, records: u64) {
        // SYNC: Relaxed, because the records that are sent afterwards carry the news: who has read
        // the last one sees this.
        self.0.store(records, Ordering::Relaxed);
    }

    #[inline]
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One stage's own account of a round.
pub(crate) struct Watch {
    pub(crate) seen: Seen,
    warm_up: u64,
    end: End,
    batch_max: u64,
    lateness: Option<Lateness>,
    /// The checksum at the end of the warm-up, which has the same length for all peers.
    checksum: u64,
    begin: Instant,
    looks_before: u64,
    part: Option<mpsc::Sender<Part>>,
}

impl Watch {
    pub(crate) fn new(
        warm_up: u64,
        batch_max: usize,
        end: End,
        lateness: Option<Lateness>,
    ) -> Self {
        Self {
            seen: Seen::default(),
            warm_up,
            end,
            batch_max: batch_max as u64,
            lateness,
            checksum: 0,
            begin: Instant::now(),
            looks_before: 0,
            part: None,
        }
    }

    /// The watch of a handler, which sends its account when the stream is at its end.
    pub(crate) fn handing_in_to(self, part: mpsc::Sender<Part>) -> Self {
        Self { part: Some(part), ..self }
    }

    /// Drives a stage that waits and reads, given the most records it may read.
    pub(crate) fn follow(&mut self, stage: &mut impl FnMut(usize, &mut Seen)) -> Part {
        while self.seen.tally.records < self.warm_up {
            self.drive(self.warm_up, stage);
        }
        self.start();
        loop {
            let end = self.end.get();
            if self.seen.tally.records >= end {
                return self.finish();
            }
            self.drive(end, stage);
        }
    }

    /// Lets the stage read once, up to `end`.
    #[inline]
    fn drive(&mut self, end: u64, stage: &mut impl FnMut(usize, &mut Seen)) {
        let first = self.seen.tally.records;
        stage((end - first).min(self.batch_max) as usize, &mut self.seen);
        self.note(first);
    }

    /// The beginning of a batch that a handler is told of.
    pub(crate) fn batch(&mut self) {
        self.seen.count_look();
    }

    /// One record that a peer's own thread hands over, and whether it is the last of its batch.
    #[inline]
    pub(crate) fn event(&mut self, record: &Record, is_last: bool) {
        self.seen.tally.record(record);
        if is_last {
            self.seen.count_look();
        }
        if self.lateness.is_some() {
            self.note(self.seen.tally.records - 1);
        }
        if self.seen.tally.records == self.warm_up {
            self.start();
        }
        if self.seen.tally.records == self.end.get() {
            self.hand_in();
        }
    }

    #[inline]
    fn note(&mut self, first: u64) {
        let Some(lateness) = &mut self.lateness else { return };
        if first >= self.warm_up {
            lateness.note(first..self.seen.tally.records);
        }
    }

    #[cold]
    fn hand_in(&mut self) {
        let part = self.finish();
        if let Some(sender) = self.part.take() {
            sender.send(part).expect("the crew waits for it");
        }
    }

    #[cold]
    pub(crate) fn start(&mut self) {
        self.checksum = self.seen.tally.checksum;
        self.looks_before = self.seen.looks;
        self.begin = Instant::now();
    }

    pub(crate) fn finish(&mut self) -> Part {
        Part {
            elapsed: self.begin.elapsed(),
            records: self.seen.tally.records - self.warm_up,
            looks: self.seen.looks - self.looks_before,
            checksum: self.checksum,
            faults: self.seen.tally.faults,
            histogram: self.lateness.take().map(|lateness| lateness.histogram),
        }
    }
}

/// What one stage brought home.
pub(crate) struct Part {
    pub(crate) elapsed: Duration,
    pub(crate) records: u64,
    pub(crate) looks: u64,
    pub(crate) checksum: u64,
    pub(crate) faults: u64,
    pub(crate) histogram: Option<Histogram<u64>>,
}

/// What a round came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Records of the measured part.
    pub(crate) records: u64,
    /// The slowest stage's time for them.
    pub(crate) elapsed: Duration,
    /// Mean number of records that a successful look brought.
    pub(crate) mean_batch: f64,
    /// Of the warm-up's records, as every stage read them.
    pub(crate) checksum: u64,
    pub(crate) latency: Option<Latency>,
}

/// Percentiles in ns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    pub(crate) samples: u64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            samples: histogram.len(),
        }
    }
}

/// Puts the stages' accounts together.
pub(crate) fn outcome(parts: &[Part], latency: Option<Latency>) -> Result<Outcome> {
    let Part { records, checksum, .. } = parts[0];
    let is_same =
        |part: &Part| (part.records, part.checksum, part.faults) == (records, checksum, 0);
    if !parts.iter().all(is_same) {
        let what = "a stage read a stream other than the one that was sent";
        return Err(Error::CheckFailed {
            what: what.to_owned(),
            cure: "that ring is broken, or this bench is".to_owned(),
        });
    }
    let looks: u64 = parts.iter().map(|part| part.looks).sum();
    Ok(Outcome {
        records,
        elapsed: parts.iter().map(|part| part.elapsed).max().expect("a stage"),
        mean_batch: (records * parts.len() as u64) as f64 / looks.max(1) as f64,
        checksum,
        latency,
    })
}
