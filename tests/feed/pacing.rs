//! Pacing in the running engine: when messages come, and that lateness shows.
//!
//! Would catch gaps that are shortened or lengthened, and a slow consumer whose delay hides in the
//! send times of the messages behind it.

use std::thread;
use std::time::{Duration, Instant};

use ringtape::engine::{Engine, EngineConfig, RunReport};
use ringtape::feed::lobster::LobsterFeed;
use ringtape::feed::{OpenOptions, Pace};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use ringtape::units::InstrumentId;

/// Messages, and ns from one to the next.
const MESSAGES: u64 = 50;
const GAP_NS: u64 = 2_000_000;

/// When the strategy saw each message, and how long it sleeps at the first.
struct Witness {
    seen: std::sync::Arc<std::sync::Mutex<Vec<Instant>>>,
    nap: Duration,
}

impl Strategy for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn on_exchange_event(&mut self, _: InstrumentId, _: &mut Desk<'_>) {
        let mut seen = self.seen.lock().expect("nobody panicked");
        seen.push(Instant::now());
        if seen.len() == 1 {
            thread::sleep(self.nap);
        }
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> ringtape::error::Result<()> {
        Ok(())
    }
}

fn paced(pace: &str, nap: Duration) -> (RunReport, Vec<Instant>) {
    let row = |n: u64| {
        let ns = 34_200_000_000_000 + n * GAP_NS;
        format!("{}.{:09},1,{},10,5000000,1\n", ns / 1_000_000_000, ns % 1_000_000_000, n + 1)
    };
    let rows: String = (0..MESSAGES).map(row).collect();
    let feed = LobsterFeed::from_bytes("ACME_x.csv", rows, &OpenOptions::default()).expect("rows");
    let seen = std::sync::Arc::default();
    let strategy = Witness { seen: std::sync::Arc::clone(&seen), nap };
    let config = EngineConfig {
        trader: Some(Trader::with_strategy(Box::new(strategy), TraderConfig::default())),
        pace: pace.parse::<Pace>().expect("a speed"),
        ..EngineConfig::default()
    };
    let report = Engine::start(Box::new(feed), config).expect("a valid run").join();
    assert!(report.error.is_none(), "{:?}", report.error);
    let seen = seen.lock().expect("nobody panicked").clone();
    (report, seen)
}

#[test]
fn recorded_gaps_come_again_and_a_factor_shortens_them() {
    for (pace, factor) in [("1x", 1), ("4x", 4)] {
        let started = Instant::now();
        let (report, seen) = paced(pace, Duration::ZERO);
        assert_eq!(seen.len() as u64, MESSAGES);
        assert!(report.is_paced);
        // How late the machine makes one does not bring the next one forward.
        for (at, n) in seen.iter().zip(0..) {
            assert!(*at - started >= Duration::from_nanos(n * GAP_NS / factor), "{pace}: {n}");
        }
    }
}

#[test]
fn messages_that_wait_behind_a_slow_one_are_late_in_the_report() {
    let nap = Duration::from_millis(80);
    let (report, seen) = paced("1x", nap);
    assert_eq!(seen.len() as u64, MESSAGES);
    let matching = report.stages.iter().find(|stage| stage.name == "matching").expect("a stage");
    let summary = matching.latency.meter().summary();
    // Forty of the fifty were due while the first was handled. Measured from the time that each was
    // due, half of all are late by 30 ms and more; from the time that it was taken, by nothing.
    assert!(summary.count >= MESSAGES && summary.max >= Some(79_000_000), "{summary:?}");
    assert!(summary.p50 > Some(15_000_000), "{summary:?}");
}
