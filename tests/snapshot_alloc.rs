//! What a snapshot costs the thread that matches while it is taken: no memory between two events.
//!
//! Would catch a buffer that grows, a piece in memory of its own, a note that needs a node. The
//! strategy is the witness: it is called on that thread, event by event.

#[path = "common/allocations.rs"]
mod counting;
#[path = "common/runs.rs"]
#[allow(dead_code, unreachable_pub)]
mod runs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use counting::allocated;
use ringtape::engine::{Engine, EngineConfig, JournalConfig, RunReport};
use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use runs::{feed, folder, resuming, session};

/// Records of the session between two marks.
const EVERY: u64 = 40_000;

/// What the witness has seen.
#[derive(Default)]
struct Seen {
    /// Marks so far.
    marks: AtomicU64,
    /// By event: how many allocations its thread had made, and marks that had passed.
    events: Mutex<Vec<(u64, u64)>>,
}

struct Witness {
    seen: Arc<Seen>,
    events: Vec<(u64, u64)>,
}

impl Strategy for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn on_event(&mut self, _: &Event, _: &mut Desk<'_>) {
        if self.events.len() < self.events.capacity() {
            self.events.push((allocated(), self.seen.marks.load(Ordering::Relaxed)));
        }
    }

    fn on_end(&mut self, _: &mut Desk<'_>) {
        let events = std::mem::take(&mut self.events);
        *self.seen.events.lock().unwrap_or_else(PoisonError::into_inner) = events;
    }

    fn save(&self, _: &mut StateWriter) {
        self.seen.marks.fetch_add(1, Ordering::Relaxed);
    }

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// A run with a thread for matching alone.
fn run(journal: JournalConfig, messages: u64) -> (RunReport, Vec<(u64, u64)>) {
    let seen = Arc::<Seen>::default();
    let witness = Witness { seen: Arc::clone(&seen), events: Vec::with_capacity(1 << 20) };
    let config = EngineConfig {
        trader: Some(Trader::with_strategy(Box::new(witness), TraderConfig::default())),
        journal: Some(journal),
        runners: Some(5),
        ..EngineConfig::default()
    };
    let report = Engine::start(feed(&session(messages, 11)), config).expect("a run").join();
    assert!(report.error.is_none(), "{:?}", report.error);
    let events = std::mem::take(&mut *seen.events.lock().unwrap_or_else(PoisonError::into_inner));
    (report, events)
}

#[test]
fn a_snapshot_allocates_nothing_between_two_events() {
    let count = |every| {
        let scratch = folder();
        let journal = JournalConfig { snapshot_every: every, ..resuming(scratch.path()) };
        let (report, events) = run(journal, 200_000);
        let taken = report.snapshots.map_or(0, |snapshots| snapshots.written);
        // Between two events with the same marks before them, none has passed.
        let pairs = events.windows(2).filter(|pair| pair[0].1 == pair[1].1);
        let allocations: u64 = pairs.map(|pair| pair[1].0 - pair[0].0).sum();
        println!("{} events, {taken} snapshots: {allocations} allocations", events.len());
        (events.len(), taken, allocations)
    };
    let (without, with) = (count(None), count(Some(EVERY)));
    assert!(with.1 > 1 && without.0 > 100_000 && without.0 == with.0, "{without:?}, {with:?}");
    assert_eq!(with.2, without.2);
}
