//! The threads of one round: each peer hands in its sides, and all are driven by the same loops.

use std::any::Any;
use std::ops::Range;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ringtape::clock::Clock;
use ringtape::error::Result;
use ringtape::runtime::pin_current_thread;
use ringtape::units::CoreId;

use super::job::{Job, Load, Shape};
use super::watch::{End, Latency, Lateness, Outcome, Part, Seen, Watch, histogram, outcome};

/// Time between a paced round's setup and its first record, in which the threads start.
const PACED_START_NS: u64 = 20_000_000;

/// Records that are sent between two looks at the time; a multiple of every batch.
const STRETCH_RECORDS: u64 = 1 << 12;

/// The same for trips, each of which a blocking peer takes tens of microseconds for.
const STRETCH_TRIPS: u64 = 1 << 6;

type Stage = (Part, Box<dyn Any + Send>);

/// The sending side of a peer.
pub(crate) trait Source: Send + 'static {
    /// Sends `count` records of the stream from `first` on in one piece, and waits for room.
    // WHY: always inlined, so that a constant count leaves the code that a program for it has: a
    // call for every record cost more than some peers' sending.
    fn send(&mut self, first: u64, count: usize);
}

/// The threads of a round that have been started; the last one is the caller's own.
pub(crate) struct Crew {
    job: Job,
    end: End,
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
        Self {
            job: job.clone(),
            end: End::unknown(),
            pace,
            seats: 0,
            stages: Vec::new(),
            handlers: 0,
            sender,
            parts,
        }
    }

    /// The core of the next stage that is started, if threads are pinned.
    fn next_core(&mut self) -> Option<CoreId> {
        self.seats += 1;
        self.job.cores.get(self.seats).copied()
    }

    fn watch(&self) -> Watch {
        let lateness = self.pace.as_ref().map(|(clock, first_ns)| {
            let Load::Paced { gap_ns } = self.job.load else { unreachable!("a paced load") };
            Lateness::new(clock.clone(), *first_ns, gap_ns)
        });
        Watch::new(self.job.warm_up, self.job.batch_max, self.end.clone(), lateness)
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
        (self.watch().handing_in_to(self.sender.clone()), core)
    }

    /// Starts a thread that sends back every record it reads.
    pub(crate) fn echo(
        &mut self,
        mut stage: impl FnMut(usize, &mut Seen) + Send + 'static,
        mut source: impl Source,
    ) {
        self.stage(move |_, seen| {
            stage(1, seen);
            source.send(seen.tally.records - 1, 1);
        });
    }

    /// Produces the whole stream on this thread and gathers what the stages saw.
    pub(crate) fn produce(mut self, mut source: impl Source) -> Result<Outcome> {
        take_core(self.job.cores.first().copied());
        match self.job.load {
            Load::Full { batch: 1 } => self.stretches(|sequences| {
                sequences.for_each(|sequence| source.send(sequence, 1));
            }),
            Load::Full { batch } => self.stretches(|sequences| {
                sequences.step_by(batch).for_each(|first| source.send(first, batch));
            }),
            Load::Slowed { spins } => {
                let mut burnt = 0;
                self.stretches(|sequences| {
                    for sequence in sequences {
                        burnt = burn(spins, burnt);
                        source.send(sequence, 1);
                    }
                });
            }
            Load::Paced { gap_ns } => {
                let (clock, first_ns) = self.pace.as_ref().expect("a paced crew has a clock");
                self.stretches(|sequences| {
                    for sequence in sequences {
                        while clock.now().0 < first_ns + sequence * gap_ns {}
                        source.send(sequence, 1);
                    }
                });
            }
        }
        drop(source);
        let parts = self.gather();
        let histogram = parts.iter().find_map(|part| part.histogram.as_ref());
        let latency = histogram.map(Latency::of);
        outcome(&parts, latency)
    }

    /// Sends one record at a time and waits until it is back.
    pub(crate) fn call(
        mut self,
        mut source: impl Source,
        mut stage: impl FnMut(usize, &mut Seen),
    ) -> Result<Outcome> {
        take_core(self.job.cores.first().copied());
        let clock = Clock::new();
        let mut histogram = histogram();
        let mut watch = self.watch();
        self.stretches(|sequences| {
            let is_measured = sequences.start >= self.job.warm_up;
            if sequences.start == self.job.warm_up {
                watch.start();
            }
            for sequence in sequences {
                let sent = clock.now().0;
                source.send(sequence, 1);
                stage(1, &mut watch.seen);
                let back = clock.now().0;
                if is_measured {
                    histogram.saturating_record(back - sent);
                }
            }
        });
        let own = watch.finish();
        drop(source);
        let mut parts = self.gather();
        parts.push(own);
        outcome(&parts, Some(Latency::of(&histogram)))
    }

    /// Hands the warm-up's sequences to `send`, then stretch by stretch those of the measured part.
    fn stretches(&self, mut send: impl FnMut(Range<u64>)) {
        let Job { warm_up, records_max, time_max, .. } = self.job;
        send(0..warm_up);
        let stretch = match self.job.shape {
            Shape::RoundTrip => STRETCH_TRIPS,
            _ => STRETCH_RECORDS,
        };
        let most = warm_up.saturating_add(records_max);
        let (begin, mut first) = (Instant::now(), warm_up);
        loop {
            let next = first.saturating_add(stretch).min(most);
            let is_last = next == most || begin.elapsed() >= time_max;
            if is_last {
                self.end.set(next);
            }
            send(first..next);
            if is_last {
                return;
            }
            first = next;
        }
    }

    /// Waits for all stages, whose stream is at its end.
    fn gather(&mut self) -> Vec<Part> {
        let joined = self.stages.drain(..).map(|stage| stage.join().expect("no stage panics").0);
        let handled = (0..self.handlers).map(|_| self.parts.recv().expect("a handler's account"));
        joined.chain(handled).collect()
    }
}

fn take_core(core: Option<CoreId>) {
    if let Some(core) = core {
        pin_current_thread(core);
    }
}

/// Keeps the processor busy for `spins` turns of a loop that it cannot shorten, nor begin before
/// it has what the one before came to.
#[inline]
pub(crate) fn burn(spins: u64, before: u64) -> u64 {
    let turn = |value: u64, turn: u64| (value ^ turn).rotate_left(5);
    std::hint::black_box((0..spins).fold(before, turn))
}
