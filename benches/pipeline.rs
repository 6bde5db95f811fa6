//! The whole engine at full speed over a generated session of 300,000 messages and 500 symbols,
//! resident in memory: with books alone, with a market maker, and with journals.
//!
//! The checksum of the session and the state hash are printed; equal hashes with and without
//! journals are asserted, so that a fast wrong run is worth nothing.

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, JournalConfig};
use ringtape::feed::OpenOptions;
use ringtape::feed::itch::ItchFeed;
use ringtape::limits::SEGMENT_BYTES_MIN;
use ringtape::strategy::{StrategySpec, Trader, TraderConfig};

const PROFILE: Profile = Profile { messages: 300_000, symbols: 500, live: 30_000, seed: 5 };

fn session() -> Arc<[u8]> {
    let mut generator = Generator::new(&PROFILE).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    println!(
        "session of {} messages, xxh3 {:016x}",
        PROFILE.messages,
        generator.summary().checksum
    );
    session.into()
}

/// Replays the session and gives the state hash.
fn replay(session: &Arc<[u8]>, strategy: &str, journal: Option<&Path>) -> u64 {
    let feed = ItchFeed::from_bytes("session", session.clone(), &OpenOptions::default());
    let spec: StrategySpec = strategy.parse().expect("a valid strategy");
    let config = EngineConfig {
        trader: Some(Trader::new(&spec, TraderConfig::default())),
        journal: journal.map(|dir| JournalConfig {
            segment_bytes: SEGMENT_BYTES_MIN,
            ..JournalConfig::new(dir, "")
        }),
        ..EngineConfig::default()
    };
    let feed = Box::new(feed.expect("a valid session"));
    let report = Engine::start(feed, config).expect("a valid configuration").join();
    assert!(report.error.is_none(), "{:?}", report.error);
    report.hashes.state()
}

fn pipeline(criterion: &mut Criterion) {
    let session = session();
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(PROFILE.messages)).sample_size(10);
    for (name, strategy) in [("books", "none"), ("maker", "maker:symbols=ACME,BOLTX")] {
        let expected = replay(&session, strategy, None);
        println!("{name}: state hash {expected:016x}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(replay(&session, strategy, None), expected));
        });
        group.bench_function(format!("{name}, journal"), |bencher| {
            bencher.iter_with_setup(
                || tempfile::tempdir().expect("a scratch folder"),
                |scratch| {
                    let dir = scratch.path().join("run");
                    assert_eq!(replay(&session, strategy, Some(&dir)), expected);
                },
            );
        });
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
