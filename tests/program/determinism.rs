//! The state of a run is a function of the feed and of what shapes it, and of nothing else.
//!
//! Would catch a thread, wait, ring size, journal, compression or clock that reaches the books, the
//! orders or the money, and a pipeline that deadlocks when its agents share a thread.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, Gate, Hashes, JournalConfig, RunReport};
use ringtape::event::{Event, payload};
use ringtape::feed::OpenOptions;
use ringtape::feed::itch::ItchFeed;
use ringtape::limits::SEGMENT_BYTES_MIN;
use ringtape::ring::Wait;
use ringtape::strategy::{StrategySpec, Trader, TraderConfig};
use ringtape::units::AccountId;

use crate::common::program::{Ran, run};

const STRATEGY: &str = "maker:symbols=ACME,BOLTX,lots=1,limit=500";

/// A session of 60,000 messages.
fn session() -> Vec<u8> {
    let profile = Profile { messages: 60_000, symbols: 8, live: 1_500, seed: 11 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    session
}

fn trader() -> Option<Trader> {
    let spec: StrategySpec = STRATEGY.parse().expect("a valid strategy");
    Some(Trader::new(&spec, TraderConfig::default()))
}

fn replay(session: &Arc<[u8]>, config: EngineConfig) -> RunReport {
    let feed = ItchFeed::from_bytes("session", session.clone(), &OpenOptions::default());
    let feed = feed.expect("a valid session");
    let config = EngineConfig { trader: trader(), ..config };
    let report = Engine::start(Box::new(feed), config).expect("a valid configuration").join();
    assert!(report.error.is_none(), "{:?}", report.error);
    report
}

/// The hashes of the session, replayed on one thread with default rings and no journal.
fn reference(session: &Arc<[u8]>) -> Hashes {
    let report = replay(session, EngineConfig { runners: Some(1), ..EngineConfig::default() });
    assert!(report.trades.fills > 0, "a session without own fills proves little");
    assert!(report.totals.peak_live_orders > 1_000);
    report.hashes
}

#[test]
fn threads_and_waits_reach_no_hash() {
    let session: Arc<[u8]> = session().into();
    let expected = reference(&session);
    for runners in 1..=3 {
        for wait in Wait::ALL {
            let config = EngineConfig { runners: Some(runners), wait, ..EngineConfig::default() };
            assert_eq!(replay(&session, config).hashes, expected, "{runners} runners, {wait:?}");
        }
    }
}

#[test]
fn rings_of_two_slots_on_one_thread_neither_deadlock_nor_reach_a_hash() {
    let session: Arc<[u8]> = session().into();
    let expected = reference(&session);
    for ring_slots in [2, 4, 64] {
        for (gate, level) in [
            (Gate::None, "pagecache"),
            (Gate::Journaled, "interval:1ms"),
            (Gate::Durable, "interval:1ms"),
        ] {
            // WHY: with fewer slots every other record waits for the disk, a minute in all.
            if gate == Gate::Durable && ring_slots < 64 {
                continue;
            }
            let scratch = tempfile::tempdir().expect("a scratch folder");
            let durability = level.parse().expect("a level");
            let config = EngineConfig {
                runners: Some(1),
                ring_slots,
                gate,
                journal: Some(JournalConfig { durability, ..journal(&scratch.path().join("run")) }),
                ..EngineConfig::default()
            };
            let report = replay(&session, config);
            assert_eq!(report.hashes, expected, "{ring_slots} slots, gate {}", gate.name());
        }
    }
}

/// Journals with the smallest segments.
fn journal(dir: &Path) -> JournalConfig {
    JournalConfig { segment_bytes: SEGMENT_BYTES_MIN, ..JournalConfig::new(dir, "") }
}

#[test]
fn a_journal_of_several_segments_reaches_no_hash_and_starts_each_with_the_definitions() {
    let profile = Profile { messages: 600_000, symbols: 300, live: 20_000, seed: 12 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut bytes = Vec::new();
    while generator.fill(&mut bytes) > 0 {}
    let session: Arc<[u8]> = bytes.into();
    let expected = reference(&session);

    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let config = EngineConfig { journal: Some(journal(&dir)), ..EngineConfig::default() };
    let report = replay(&session, config);
    assert_eq!(report.hashes, expected);
    let market = report.journal.expect("a journal").market;
    assert!(market.segments >= 3, "{market:?}");
    assert_eq!(market.records, report.records);
    assert_segments_start_with_definitions(&dir, market.segments);

    let feed = ringtape::engine::JournalFeed::open(&dir).expect("a journal");
    let config = EngineConfig { trader: trader(), ..EngineConfig::default() };
    let again = Engine::start(Box::new(feed), config).expect("a valid configuration").join();
    assert_eq!(again.hashes, expected);
    assert_eq!(again.checks.messages, report.checks.messages);
}

/// Every segment but the first begins with the definitions of all 300 instruments.
fn assert_segments_start_with_definitions(dir: &Path, segments: u64) {
    use ringtape::event::Kind;
    use ringtape::journal::{Read, Reader, records_per_segment};

    let mut reader = Reader::<Event>::open(&dir.join("market")).expect("a journal");
    for segment in 1..segments {
        reader.seek(segment * records_per_segment::<Event>(SEGMENT_BYTES_MIN)).expect("in range");
        let mut events = vec![Event::default(); 900];
        let mut count = 0;
        while count < events.len() {
            match reader.read(&mut events[count..]).expect("whole records") {
                Read::Records(read) => count += read,
                other => panic!("segment {segment} ends: {other:?}"),
            }
        }
        let defined = events.iter().filter(|event| event.kind() == Some(Kind::Instrument)).count();
        assert_eq!(defined, 300, "segment {segment}");
        assert!(events.iter().all(|event| matches!(
            event.kind(),
            Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing)
        )));
    }
}

#[test]
fn a_journal_of_chosen_symbols_repeats_no_definitions_of_others() {
    let profile = Profile { messages: 600_000, symbols: 2, live: 5_000, seed: 12 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut bytes = Vec::new();
    while generator.fill(&mut bytes) > 0 {}
    let session: Arc<[u8]> = bytes.into();
    let config = || EngineConfig { symbols: vec!["ACME".to_owned()], ..EngineConfig::default() };
    let plain = replay(&session, config());

    let scratch = tempfile::tempdir().expect("a scratch folder");
    let run = Some(journal(&scratch.path().join("run")));
    let journaled = replay(&session, EngineConfig { journal: run, ..config() });
    assert!(journaled.journal.expect("a journal").market.segments > 1);
    assert_eq!(journaled.totals.instruments, 1);
    assert_eq!((journaled.totals, journaled.hashes), (plain.totals, plain.hashes));
}

#[test]
fn commands_come_through_the_inbox_and_a_kill_ends_trading() {
    let session: Arc<[u8]> = session().into();
    let free = replay(&session, EngineConfig::default());

    let feed = ItchFeed::from_bytes("session", session, &OpenOptions::default());
    let feed = Box::new(feed.expect("a valid session"));
    // One message a second: the kill is sequenced long before the first order could be sent.
    let pace = "0.000001x".parse().expect("a pace");
    let config = EngineConfig { trader: trader(), pace, ..EngineConfig::default() };
    let engine = Engine::start(feed, config).expect("a valid configuration");
    let kill = payload::Kill {
        account: AccountId(0),
        all_accounts: 1,
        pad: ringtape::event::kinds::Raw([0; 24]),
    };
    engine.handle().inbox().post(Event::new(0, 0, kill)).expect("room in the inbox");
    // What was posted before the stop is still sequenced.
    engine.handle().stop();
    let killed = engine.join();
    assert_eq!((killed.commands, killed.trades.fills, killed.interrupted), (1, 0, true));
    assert!(free.trades.fills > 0);
}

/// The state hash that a run of the program reports.
fn state_hash(ran: &Ran) -> String {
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()["state_hash"].as_str().expect("a state hash").to_owned()
}

#[test]
fn the_program_gives_one_hash_for_plain_gzip_stdin_and_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let session = session();
    std::fs::write(path("day.itch"), &session).expect("written");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&session).expect("compressed");
    std::fs::write(path("day.gz"), gzip.finish().expect("compressed")).expect("written");

    let replay = |feed: &str, rest: &[&str]| {
        let mut arguments = vec!["replay", feed, "--json"];
        arguments.extend(rest);
        state_hash(&run(arguments))
    };
    let flags = ["--strategy", STRATEGY];
    let run_dir = path("run");
    let expected = replay(&path("day.itch"), &flags);
    let journaled = [flags[0], flags[1], "--journal", &run_dir];
    assert_eq!(replay(&path("day.gz"), &journaled), expected);
    assert_eq!(replay(&run_dir, &[]), expected, "a journal repeats its run without a flag");
    assert_eq!(replay(&run_dir, &["--runners", "1", "--wait", "yield"]), expected);
    assert_ne!(replay(&run_dir, &["--strategy", "none"]), expected, "a flag makes a new run");

    let mut piped = crate::common::program::ringtape(["replay", "-", "--json", flags[0], flags[1]]);
    let input = std::fs::File::open(path("day.gz")).expect("the file just written");
    let output = piped.stdin(input).output().expect("the program starts");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["state_hash"], expected.as_str());
}
