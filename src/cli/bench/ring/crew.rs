//! The threads of one round: each peer hands in its two sides, and all are driven, verified and
//! timed by the same loops.

use std::any::Any;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringtape::clock::Clock;
use ringtape::error::{Error, Result};
use ringtape::runtime::pin_current_thread;
use ringtape::units::CoreId;

use super::job::{Job, Load};
use super::stream::{Record, is_whole};

/// A record in a cache line of its own, as the peers hold it.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) Record);

/// Time between a paced round's setup and its first record, in which the threads start.
const PACED_START_NS: u64 = 20_000_000;

/// Longest latency that the histograms tell apart, in ns.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What a stage has read: sums that a lost, repeated, swapped or torn record would change.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    checksum: u64,
    faults: u64,
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
        self.looks += 1;
    }
}

/// Latencies of a paced stream, from each record's intended time to the end of the look that
/// brought it.
struct Lateness {
    clock: Clock,
    first_ns: u64,
    gap_ns: u64,
    histogram: Histogram<u64>,
}

impl Lateness {
    #[inline]
    fn note(&mut self, records: std::ops::Range<u64>) {
        let now = self.clock.now().0;
        for sequence in records {
            let intended = self.first_ns + sequence * self.gap_ns;
            self.histogram.saturating_record(now.saturating_sub(intended));
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds")
}

/// One stage's own account of a round.
pub(crate) struct Watch {
    seen: Seen,
    warm_up: u64,
    total: u64,
    batch_max: u64,
    /// Where the next part of the round begins.
    boundary: u64,
    lateness: Option<Lateness>,
    /// The checksum at the end of the warm-up, which has the same length for all peers.
    checksum: u64,
    begin: Instant,
    looks_before: u64,
    part: Option<mpsc::Sender<Part>>,
}

impl Watch {
    /// Drives a stage that waits and reads, given the most records it may read.
    fn follow(&mut self, stage: &mut impl FnMut(usize, &mut Seen)) -> Part {
        self.read_until(self.warm_up, stage);
        self.start();
        self.read_until(self.total, stage);
        self.finish()
    }

    fn read_until(&mut self, records: u64, stage: &mut impl FnMut(usize, &mut Seen)) {
        while self.seen.tally.records < records {
            let first = self.seen.tally.records;
            stage((records - first).min(self.batch_max) as usize, &mut self.seen);
            self.note(first);
        }
    }

    /// One record that a peer's own thread hands over, and whether it is the last of its batch.
    #[inline]
    pub(crate) fn event(&mut self, record: &Record, is_last: bool) {
        self.seen.tally.record(record);
        if is_last {
            self.seen.looks += 1;
        }
        if self.lateness.is_some() {
            self.note(self.seen.tally.records - 1);
        }
        if self.seen.tally.records == self.boundary {
            self.cross();
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
    fn cross(&mut self) {
        if self.boundary == self.warm_up {
            self.boundary = self.total;
            return self.start();
        }
        let part = self.finish();
        if let Some(sender) = self.part.take() {
            sender.send(part).expect("the crew waits for it");
        }
    }

    fn start(&mut self) {
        self.checksum = self.seen.tally.checksum;
        self.looks_before = self.seen.looks;
        self.begin = Instant::now();
    }

    fn finish(&mut self) -> Part {
        Part {
            elapsed: self.begin.elapsed(),
            looks: self.seen.looks - self.looks_before,
            checksum: self.checksum,
            faults: self.seen.tally.faults,
            histogram: self.lateness.take().map(|lateness| lateness.histogram),
        }
    }
}

/// What one stage brought home.
struct Part {
    elapsed: Duration,
    looks: u64,
    checksum: u64,
    faults: u64,
    histogram: Option<Histogram<u64>>,
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
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            samples: histogram.len(),
        }
    }
}

type Stage = (Part, Box<dyn Any + Send>);

/// The threads of a round that have been started; the last one is the caller's own.
pub(crate) struct Crew {
    job: Job,
    /// Clock and time of the first record of a paced stream.
    pace: Option<(Clock, u64)>,
    seats: usize,
    stages: Vec<JoinHandle<Stage>>,
    handlers: usize,
    sender: mpsc::Sender<Part>,
    parts: mpsc::Receiver<Part>,
}

impl Crew {
    pub(crate) fn new(job: &Job) -> Self {
        let (sender, parts) = mpsc::channel();
        let pace = matches!(job.load, Load::Paced { .. }).then(|| {
            let clock = Clock::new();
            let first_ns = clock.now().0 + PACED_START_NS;
            (clock, first_ns)
        });
        Self { job: job.clone(), pace, seats: 0, stages: Vec::new(), handlers: 0, sender, parts }
    }

    /// The core of the next stage that is started, if threads are pinned.
    fn next_core(&mut self) -> Option<CoreId> {
        self.seats += 1;
        self.job.cores.get(self.seats).copied()
    }

    fn watch(&self) -> Watch {
        let lateness = self.pace.as_ref().map(|(clock, first_ns)| {
            let Load::Paced { gap_ns } = self.job.load else { unreachable!("a paced load") };
            Lateness { clock: clock.clone(), first_ns: *first_ns, gap_ns, histogram: histogram() }
        });
        Watch {
            seen: Seen::default(),
            warm_up: self.job.warm_up,
            total: self.job.total(),
            batch_max: self.job.batch_max as u64,
            boundary: self.job.warm_up,
            lateness,
            checksum: 0,
            begin: Instant::now(),
            looks_before: 0,
            part: None,
        }
    }

    /// Starts a thread that drives `stage`, which waits for records and reads at most as many as it
    /// is told to.
    pub(crate) fn stage(&mut self, mut stage: impl FnMut(usize, &mut Seen) + Send + 'static) {
        let core = self.next_core();
        let mut watch = self.watch();
        self.stages.push(thread::spawn(move || {
            take_core(core);
            let part = watch.follow(&mut stage);
            // WHY: the stage goes home alive, because a consumer that leaves before the stream is
            // closed counts as failed.
            (part, Box::new(stage) as Box<dyn Any + Send>)
        }));
    }

    /// A watch for a thread that the peer starts itself, and the core to pin it to.
    pub(crate) fn handler(&mut self) -> (Watch, Option<CoreId>) {
        let core = self.next_core();
        self.handlers += 1;
        (Watch { part: Some(self.sender.clone()), ..self.watch() }, core)
    }

    /// Starts a thread that sends back every record it reads.
    pub(crate) fn echo(
        &mut self,
        mut stage: impl FnMut(usize, &mut Seen) + Send + 'static,
        mut source: impl FnMut(u64, usize) + Send + 'static,
    ) {
        self.stage(move |_, seen| {
            stage(1, seen);
            source(seen.tally.records - 1, 1);
        });
    }

    /// Produces the whole stream on this thread and gathers what the stages saw.
    ///
    /// `source` sends the records of the stream from a sequence on, so many in one piece, and waits
    /// for room.
    pub(crate) fn produce(mut self, mut source: impl FnMut(u64, usize)) -> Result<Outcome> {
        take_core(self.job.cores.first().copied());
        let total = self.job.total();
        match self.job.load {
            Load::Full { batch } => {
                assert!(total.is_multiple_of(batch as u64), "whole batches");
                (0..total).step_by(batch).for_each(|first| source(first, batch));
            }
            Load::Slowed { spins } => (0..total).for_each(|sequence| {
                burn(spins);
                source(sequence, 1);
            }),
            Load::Paced { gap_ns } => {
                let (clock, first_ns) = self.pace.as_ref().expect("a paced crew has a clock");
                for sequence in 0..total {
                    while clock.now().0 < first_ns + sequence * gap_ns {}
                    source(sequence, 1);
                }
            }
        }
        drop(source);
        let parts = self.gather();
        let histogram = parts.iter().find_map(|part| part.histogram.as_ref());
        let latency = histogram.map(Latency::of);
        outcome(&self.job, &parts, latency)
    }

    /// Sends one record at a time and waits until it is back.
    pub(crate) fn call(
        mut self,
        mut source: impl FnMut(u64, usize),
        mut stage: impl FnMut(usize, &mut Seen),
    ) -> Result<Outcome> {
        take_core(self.job.cores.first().copied());
        let clock = Clock::new();
        let mut histogram = histogram();
        let mut watch = self.watch();
        let mut trip = |sequence, watch: &mut Watch| {
            let sent = clock.now().0;
            source(sequence, 1);
            stage(1, &mut watch.seen);
            clock.now().0 - sent
        };
        for sequence in 0..self.job.warm_up {
            trip(sequence, &mut watch);
        }
        watch.start();
        for sequence in self.job.warm_up..self.job.total() {
            histogram.saturating_record(trip(sequence, &mut watch));
        }
        let own = watch.finish();
        drop(source);
        let mut parts = self.gather();
        parts.push(own);
        outcome(&self.job, &parts, Some(Latency::of(&histogram)))
    }

    /// Waits for all stages, whose stream is at its end.
    fn gather(&mut self) -> Vec<Part> {
        let joined = self.stages.drain(..).map(|stage| stage.join().expect("no stage panics").0);
        let handled = (0..self.handlers).map(|_| self.parts.recv().expect("a handler's account"));
        joined.chain(handled).collect()
    }
}

/// Puts the stages' accounts together.
fn outcome(job: &Job, parts: &[Part], latency: Option<Latency>) -> Result<Outcome> {
    let checksum = parts[0].checksum;
    if parts.iter().any(|part| part.faults != 0 || part.checksum != checksum) {
        let what = "a stage read a stream other than the one that was sent";
        return Err(Error::CheckFailed {
            what: what.to_owned(),
            cure: "that ring is broken, or this bench is".to_owned(),
        });
    }
    let looks: u64 = parts.iter().map(|part| part.looks).sum();
    Ok(Outcome {
        records: job.records,
        elapsed: parts.iter().map(|part| part.elapsed).max().expect("a stage"),
        mean_batch: (job.records * parts.len() as u64) as f64 / looks.max(1) as f64,
        checksum,
        latency,
    })
}

fn take_core(core: Option<CoreId>) {
    if let Some(core) = core {
        pin_current_thread(core);
    }
}

/// Keeps the processor busy for `spins` turns of a loop that it cannot shorten.
#[inline]
pub(crate) fn burn(spins: u64) {
    let mut value = spins;
    for turn in 0..spins {
        value = (value ^ turn).rotate_left(5);
    }
    std::hint::black_box(value);
}
