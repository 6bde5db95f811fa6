//! A running engine's gauges: how far everybody is, read from outside without disturbing anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Pod;

use crate::clock::Clock;
use crate::feed::Position;
use crate::ring::{Ring, StageCursor};
use crate::units::Nanos;

/// The gauges of a running engine, for any thread; to read them costs the engine nothing but the
/// cache lines that are looked at.
///
/// ```
/// use ringtape::engine::{Engine, EngineConfig};
/// use ringtape::feed::itch::ItchFeed;
///
/// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
/// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
/// let engine = Engine::start(Box::new(feed), EngineConfig::default())?;
/// let gauges = engine.handle().gauges();
/// engine.join();
/// let reading = gauges.read();
/// assert_eq!((reading.messages, reading.rings[0].depth), (1, 0));
/// assert_eq!(gauges.rings()[0].stages, ["matching"]);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gauges {
    clock: Clock,
    started: Nanos,
    progress: Arc<Progress>,
    rings: [RingGauge; 2],
}

/// A ring as its gauges know it.
#[derive(Clone, Debug)]
pub struct RingGauge {
    /// The ring's name.
    pub name: String,
    /// Its slots.
    pub slots: usize,
    /// The stages that read it, in order.
    pub stages: Vec<String>,
    cursors: Vec<StageCursor>,
}

/// What the gauges showed at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Time since the start of the run.
    pub at: Nanos,
    /// Messages taken from the feed.
    pub messages: u64,
    /// Bytes of the feed, as it is stored, that were read.
    pub stored_bytes: u64,
    /// Exchange time of the last of them, as the feed counts time.
    pub ts_event: u64,
    /// Messages that the feed's numbering says are missing.
    pub missing: u64,
    /// Market ring and execution ring.
    pub rings: [RingReading; 2],
}

/// What a ring's gauges showed at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingReading {
    /// Records that the furthest stage has released.
    pub handled: u64,
    /// Records published and not yet released by the slowest stage.
    pub depth: u64,
    /// Records published and not yet released, by stage.
    pub lags: Vec<u64>,
}

/// How far the feed handler is, readable from any thread.
#[derive(Debug, Default)]
pub(super) struct Progress {
    messages: AtomicU64,
    stored_bytes: AtomicU64,
    /// Exchange time of the last message.
    ts_event: AtomicU64,
    /// Messages that are missing.
    missing: AtomicU64,
}

impl Progress {
    /// Tells how far the feed was read, the exchange time there, and how many messages are missing.
    pub(super) fn note(&self, position: Position, last_ts_event: u64, gaps: u64) {
        let Self { messages, stored_bytes, ts_event, missing } = self;
        messages.store(position.message, Ordering::Relaxed);
        stored_bytes.store(position.stored_bytes, Ordering::Relaxed);
        ts_event.store(last_ts_event, Ordering::Relaxed);
        missing.store(gaps, Ordering::Relaxed);
    }
}

impl RingReading {
    /// Records that the stage at `index` has released.
    pub fn handled_by(&self, index: usize) -> u64 {
        let ahead = self.lags.iter().min().copied().unwrap_or(0);
        (self.handled + ahead).saturating_sub(self.lags[index])
    }
}

impl Gauges {
    pub(super) fn new(
        clock: Clock,
        started: Nanos,
        progress: Arc<Progress>,
        rings: [RingGauge; 2],
    ) -> Self {
        Self { clock, started, progress, rings }
    }

    /// Market ring and execution ring, with the names of their stages.
    pub fn rings(&self) -> &[RingGauge; 2] {
        &self.rings
    }

    /// Reads all gauges.
    pub fn read(&self) -> Reading {
        let progress = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading {
            at: Nanos(self.clock.now().0.saturating_sub(self.started.0)),
            messages: progress(&self.progress.messages),
            stored_bytes: progress(&self.progress.stored_bytes),
            ts_event: progress(&self.progress.ts_event),
            missing: progress(&self.progress.missing),
            rings: self.rings.each_ref().map(RingGauge::read),
        }
    }
}

impl RingGauge {
    pub(super) fn of<T: Pod>(ring: &Ring<T>) -> Self {
        let stages: Vec<String> = ring.stages().into_iter().map(|stage| stage.name).collect();
        let cursors = stages.iter().filter_map(|name| ring.cursor(name).ok()).collect();
        Self { name: ring.name().to_owned(), slots: ring.capacity(), stages, cursors }
    }

    fn read(&self) -> RingReading {
        let lags: Vec<u64> = self.cursors.iter().map(StageCursor::lag).collect();
        RingReading {
            handled: self.cursors.iter().map(StageCursor::sequence).max().unwrap_or(0),
            depth: lags.iter().copied().max().unwrap_or(0),
            lags,
        }
    }
}
