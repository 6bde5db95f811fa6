//! A run that goes on from a snapshot comes to the same state as one that was not interrupted.
//!
//! Catches: a part of the state that a snapshot lacks or that is of another moment than the rest, a
//! record that is applied twice or not at all behind one, a damaged snapshot that is used or that
//! ends a run, retention that leaves nothing to go on from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{
    EXECUTIONS_DIR, Engine, EngineConfig, Exchange, Hashes, JournalConfig, JournalFeed, MARKET_DIR,
    RunReport, SNAPSHOTS_DIR, needed_from, rederive,
};
use ringtape::error::Result;
use ringtape::event::{Event, Execution};
use ringtape::feed::orders::OrderFeed;
use ringtape::feed::{Feed, OpenOptions};
use ringtape::journal::snapshot::{Snapshot, SnapshotWriter, snapshots};
use ringtape::journal::{Limits, Reader, retain, verify};
use ringtape::limits::SNAPSHOT_PIECE_BYTES;
use ringtape::matching::MatcherConfig;
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Strategy, StrategySpec, Trader, TraderConfig};

use crate::common::program::run_line;
use crate::common::runs::{
    STRATEGY, cut_market, feed, folder, resuming, session, start, tapes, trader,
};
use crate::written::tried;

const MESSAGES: u64 = 60_000;

fn with_snapshots(dir: &Path, every: u64) -> JournalConfig {
    JournalConfig { snapshot_every: Some(every), ..resuming(dir) }
}

fn snapshot_paths(dir: &Path) -> Vec<PathBuf> {
    let found = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder");
    found.into_iter().map(|(_, path)| path).collect()
}

/// Where a run went on; 0 for its first record.
fn origin(report: &RunReport) -> u64 {
    let snapshot = report.resumed.as_ref().expect("a resumed run").snapshot.as_ref();
    snapshot.map_or(0, |used| used.market)
}

/// A run with two snapshots at least in `dir`, and the hashes of one without anything.
fn recorded(dir: &Path, symbols: &[&str], every: u64) -> (Arc<[u8]>, Hashes, RunReport) {
    let session = session(MESSAGES, 11);
    let expected = start(feed(&session), None, symbols).expect("a run");
    let mut run = || start(feed(&session), Some(with_snapshots(dir, every)), symbols);
    let report = until_two_snapshots(dir, &mut run);
    assert_eq!(report.hashes, expected.hashes, "snapshots change nothing");
    assert_eq!(report.executions, expected.executions);
    (session, expected.hashes, report)
}

/// Runs until a run has left two snapshots: while the disk is slow, marks are left out.
fn until_two_snapshots(dir: &Path, run: &mut dyn FnMut() -> Result<RunReport>) -> RunReport {
    for _ in 0..20 {
        let report = run().expect("a run");
        assert!(report.error.is_none(), "{:?}", report.error);
        if snapshot_paths(dir).len() == 2 {
            return report;
        }
        fs::remove_dir_all(dir).expect("a run");
    }
    panic!("the disk is too slow for two snapshots");
}

fn assert_same(report: &RunReport, expected: &Hashes, dir: &Path, about: &str) {
    assert!(report.error.is_none(), "{about}: {:?}", report.error);
    assert_eq!(&report.hashes, expected, "{about}");
    assert_eq!(report.checks.messages, MESSAGES, "{about}");
    let journal = report.journal.expect("a journal");
    let found = verify::<Event>(&dir.join(MARKET_DIR)).expect("a whole journal");
    assert_eq!((found.records, found.sealed), (journal.market.records, true), "{about}");
    let found = verify::<Execution>(&dir.join(EXECUTIONS_DIR)).expect("a whole journal");
    assert_eq!((found.records, found.sealed), (journal.executions.records, true), "{about}");
}

fn assert_goes_on_from_snapshots(symbols: &[&str]) {
    let scratch = folder();
    let dir = scratch.path();
    let (session, expected, report) = recorded(dir, symbols, 7_000);
    let taken = report.snapshots.as_ref().expect("snapshots");
    assert_eq!((taken.written + taken.skipped, &taken.failure), (8, &None));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(9);
    let mut used = 0;
    for round in 0..18 {
        // Directly behind, at and before the marks that are there, anywhere behind, and at the end.
        if snapshot_paths(dir).is_empty() {
            fs::remove_dir_all(dir).expect("a run");
            recorded(dir, symbols, 7_000);
        }
        let records = verify::<Event>(&dir.join(MARKET_DIR)).expect("a journal").records;
        let marks = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder");
        let mark = marks[round % marks.len()].0;
        let cut = match round % 6 {
            near @ 0..3 => mark + 1 - near as u64,
            5 => records - 1,
            _ => mark + random.next_u64() % (records - mark),
        };
        cut_market(dir, cut);
        let report = start(feed(&session), Some(with_snapshots(dir, 7_000)), symbols);
        let report = report.expect("a resumed run");
        assert_same(&report, &expected, dir, &format!("cut at {cut}"));
        let origin = origin(&report);
        assert!(origin <= cut, "cut at {cut}, from {origin}");
        assert!(origin >= mark || cut < mark, "cut at {cut} behind {mark}, from {origin}");
        used += u64::from(origin > 0);
        println!(
            "cut at {cut}: went on from {origin}, with {} snapshots",
            snapshot_paths(dir).len()
        );
    }
    assert!(used >= 9, "snapshots were used {used} times");
    let again = Box::new(JournalFeed::open(dir).expect("a journal"));
    assert_eq!(start(again, None, symbols).expect("a run").hashes, expected);
}

#[test]
fn a_run_goes_on_from_the_newest_snapshot_to_the_same_state() {
    assert_goes_on_from_snapshots(&[]);
}

#[test]
fn a_snapshot_is_handed_in_piece_by_piece_however_many_books_a_batch_changes() {
    let profile = Profile { messages: 400_000, symbols: 300, live: 80_000, seed: 4 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    let session: Arc<[u8]> = session.into();
    let scratch = folder();
    let dir = scratch.path();
    let report = start(feed(&session), Some(with_snapshots(dir, 300_000)), &[]).expect("a run");
    assert_eq!(report.snapshots.expect("snapshots").written, 1);
    let bytes = fs::read(&snapshot_paths(dir)[0]).expect("a snapshot");
    // A frame is a piece: 40 bytes of head, in which its length is, then as much and a filling.
    let (mut at, mut largest) = (32, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at + 24..at + 32].try_into().expect("eight bytes"));
        largest = largest.max(length as usize);
        at += 40 + length.next_multiple_of(8) as usize;
    }
    assert!(bytes.len() > 3 * SNAPSHOT_PIECE_BYTES, "{} bytes are too few", bytes.len());
    assert!(largest < 2 * SNAPSHOT_PIECE_BYTES, "{largest} of {} bytes at once", bytes.len());
}

#[test]
fn a_run_of_some_symbols_goes_on_from_the_newest_snapshot_to_the_same_state() {
    assert_goes_on_from_snapshots(&["ACME", "BOLTX"]);
}

#[test]
fn a_run_of_books_alone_on_one_thread_with_rings_of_two_slots_does_too() {
    let session = session(MESSAGES, 11);
    let scratch = folder();
    let dir = scratch.path();
    let run = |journal| {
        let config =
            EngineConfig { journal, runners: Some(1), ring_slots: 2, ..EngineConfig::default() };
        Engine::start(feed(&session), config).expect("a run").join()
    };
    let expected = run(None).hashes;
    let first = until_two_snapshots(dir, &mut || Ok(run(Some(with_snapshots(dir, 10_000)))));
    assert_eq!(first.hashes, expected);
    let mark = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder").last().expect("one").0;
    cut_market(dir, mark + 5_000);
    let report = run(Some(resuming(dir)));
    assert_same(&report, &expected, dir, "books");
    assert_eq!(origin(&report), mark);
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_one_before_and_that_to_the_first_record() {
    let scratch = folder();
    let dir = scratch.path();
    let (session, expected, _) = recorded(dir, &[], 10_000);
    let records = verify::<Event>(&dir.join(MARKET_DIR)).expect("a journal").records;
    let [older, newer] = snapshot_paths(dir).try_into().expect("two are kept");
    let whole = fs::read(&newer).expect("a snapshot");
    for damage in 0..4 {
        let mut damaged = whole.clone();
        match damage {
            0 => damaged[whole.len() / 2] ^= 1,
            1 => damaged.truncate(whole.len() - 1),
            2 => damaged.truncate(0),
            _ => damaged.extend([0; 4096]),
        }
        fs::write(&newer, &damaged).expect("space");
        cut_market(dir, records - 10);
        let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
        assert_same(&report, &expected, dir, &format!("damage {damage}"));
        let resumed = report.resumed.as_ref().expect("resumed");
        assert_eq!(resumed.snapshot.as_ref().expect("the older").path, older);
        assert_eq!(resumed.refused[0].path, newer);
        assert!(!newer.exists(), "it is in quarantine");
    }
    fs::write(&older, &whole[..100]).expect("space");
    fs::write(&newer, &whole[..100]).expect("space");
    cut_market(dir, records - 10);
    let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
    assert_same(&report, &expected, dir, "both damaged");
    assert_eq!((origin(&report), report.resumed.expect("resumed").refused.len()), (0, 2));
    tried("a run on from damaged snapshots", 5);
}

#[test]
fn what_a_snapshot_stands_for_may_be_deleted_and_the_run_still_goes_on() {
    let scratch = folder();
    let dir = scratch.path();
    let session = session(700_000, 12);
    let mut run = || start(feed(&session), Some(with_snapshots(dir, 40_000)), &[]);
    let first = until_two_snapshots(dir, &mut run);
    let market = dir.join(MARKET_DIR);
    let before = verify::<Event>(&market).expect("a journal");
    let needed = needed_from(dir).expect("two snapshots");
    let marks = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder");
    assert_eq!(needed.market, marks[0].0 - 1);
    assert!(needed.market > 255 * 1023, "the first segment is needed no more");
    let limits = Limits { count: Some(1), needed_from: Some(needed.market), ..Limits::default() };
    retain(&market, &limits, false).expect("a journal");
    let found = verify::<Event>(&market).expect("a journal");
    assert!(found.first_sequence > 0 && found.first_sequence <= needed.market, "{found:?}");
    let left = JournalFeed::open(dir).expect("a journal");
    let told = format!("begins at record {}", found.first_sequence);
    assert!(left.description().assumptions[0].contains(&told), "{:?}", left.description());

    for kept in [2, 1] {
        cut_market(dir, before.next_sequence - 1_000);
        let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(report.hashes, first.hashes);
        assert_eq!(origin(&report), marks[kept - 1].0);
        fs::write(&marks[kept - 1].1, b"damaged").expect("space");
    }
    cut_market(dir, before.next_sequence - 1_000);
    let refused =
        start(feed(&session), Some(resuming(dir)), &[]).expect_err("nothing to start from");
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains("no snapshot stands for it"), "{refused}");
}

#[test]
fn a_run_of_orders_goes_on_from_a_snapshot() {
    let mut rows = String::from("action,order_id,account,symbol,side,type,tif,price,qty\n");
    for number in 1..6_000_u64 {
        let symbol = ["ACME", "BOLT", "CORE"][number as usize % 3];
        let side = if number * 7 % 4 < 2 { "buy" } else { "sell" };
        let price = 1_000 + number * 31 % 50;
        let row = format!("new,{number},{},{symbol},{side},limit,gtc", number % 5 + 1);
        rows += &format!("{row},{}.{:02},{}\n", price / 100, price % 100, 10 + number % 90);
    }
    let feed = || -> Box<dyn Feed> {
        let feed = OrderFeed::from_bytes("orders", rows.clone(), &OpenOptions::default());
        Box::new(feed.expect("a header"))
    };
    let scratch = folder();
    let dir = scratch.path();
    let config = |journal| {
        let exchange = Some(MatcherConfig::default());
        EngineConfig { exchange, journal, ..EngineConfig::default() }
    };
    let run = |journal| Engine::start(feed(), config(journal)).expect("a run").join();
    let expected = run(None);
    assert!(expected.trades.fills > 1_000);
    let first = until_two_snapshots(dir, &mut || Ok(run(Some(with_snapshots(dir, 500)))));
    assert_eq!(first.hashes, expected.hashes);
    let marks = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder");
    for cut in [marks[1].0 + 100, marks[1].0, marks[0].0 + 1] {
        cut_market(dir, cut);
        let report = run(Some(resuming(dir)));
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!((report.hashes, report.trades), (expected.hashes, expected.trades));
        println!("cut at {cut}: went on from {}", origin(&report));
        assert!(origin(&report) > 0 || cut < marks[1].0, "cut at {cut}");
    }
    // What went on from a snapshot leaves snapshots again, and all are those of the whole run.
    cut_market(dir, marks[0].0 + 1);
    let report = run(Some(with_snapshots(dir, 500)));
    let taken = report.snapshots.as_ref().expect("snapshots");
    assert_eq!((origin(&report), &taken.failure), (marks[0].0, &None));
    assert!(taken.written > 0, "{taken:?}");
    let again = rederive(dir, config(None)).expect("the same run");
    assert_eq!((again.missing, again.snapshots), (0, snapshot_paths(dir)));
    let saved = |exchange: &Exchange| {
        let mut writer = StateWriter::default();
        exchange.save(&mut writer);
        writer.into_bytes()
    };
    let bytes = saved(&Exchange::new(MatcherConfig::default()));
    let cut = Exchange::new(MatcherConfig::default())
        .load(&mut StateReader::new("exchange", &bytes[..bytes.len() - 1]));
    assert_eq!(cut.expect_err("cut").exit_code(), 3);
}

/// A market maker whose author did not write all of its state down.
struct Forgetful;

impl Strategy for Forgetful {
    fn name(&self) -> &str {
        "forgetful"
    }

    fn can_save(&self) -> bool {
        false
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_strategy_that_cannot_be_saved_makes_no_snapshots_and_a_warning_says_so() {
    let session = session(20_000, 3);
    let scratch = folder();
    let dir = scratch.path();
    let run = |journal| {
        let trader = Some(Trader::with_strategy(Box::new(Forgetful), TraderConfig::default()));
        let config = EngineConfig { trader, journal, ..EngineConfig::default() };
        Engine::start(feed(&session), config).expect("a run").join()
    };
    let first = run(Some(with_snapshots(dir, 1_000)));
    assert_eq!((&first.snapshots, snapshot_paths(dir).len()), (&None, 0));
    let warning = "the strategy cannot be saved";
    assert!(first.trader_warnings.iter().any(|text| text.contains(warning)), "{first:?}");
    cut_market(dir, 10_000);
    assert_eq!(run(Some(resuming(dir))).hashes, first.hashes);
}

#[test]
fn a_check_of_the_matching_engine_begins_with_the_first_record_all_the_same() {
    let scratch = folder();
    let dir = scratch.path();
    let (session, expected, report) = recorded(dir, &[], 10_000);
    cut_market(dir, report.records - 100);
    let config = EngineConfig {
        trader: Some(trader()),
        journal: Some(resuming(dir)),
        check_matching: true,
        ..EngineConfig::default()
    };
    let report = Engine::start(feed(&session), config).expect("a run").join();
    assert_same(&report, &expected, dir, "checked");
    assert_eq!(origin(&report), 0);
    assert!(report.check_matching.expect("a check").checked > 0);
}

#[test]
fn a_snapshot_of_another_run_is_not_used() {
    let [one, other] = [(); 2].map(|()| folder());
    let (session, expected, report) = recorded(one.path(), &[], 10_000);
    recorded(other.path(), &[], 10_000);
    // The same feed and strategy, and yet another journal.
    fs::remove_dir_all(one.path().join(SNAPSHOTS_DIR)).expect("snapshots");
    fs::rename(other.path().join(SNAPSHOTS_DIR), one.path().join(SNAPSHOTS_DIR)).expect("a folder");
    cut_market(one.path(), report.records - 100);
    let report = start(feed(&session), Some(resuming(one.path())), &[]).expect("a resumed run");
    assert_same(&report, &expected, one.path(), STRATEGY);
    assert_eq!((origin(&report), report.resumed.expect("resumed").refused.len()), (0, 2));
    assert!(STRATEGY.parse::<StrategySpec>().is_ok());
}

#[test]
fn deriving_a_run_again_gives_its_executions_and_its_snapshots() {
    let scratch = folder();
    let dir = scratch.path();
    let config = || EngineConfig { trader: Some(trader()), ..EngineConfig::default() };
    let (session, _, report) = recorded(dir, &[], 10_000);
    let found = rederive(dir, config()).expect("the same");
    let records = verify::<Event>(&dir.join(MARKET_DIR)).expect("a journal").records;
    assert_eq!((found.from, found.records, found.missing), (0, records, 0));
    assert_eq!((found.executions, found.snapshots.len()), (report_executions(dir), 2));
    assert!(found.executions >= report.executions);
    // Also of a run that went on from a snapshot.
    cut_market(dir, records - 10);
    start(feed(&session), Some(with_snapshots(dir, 1_000)), &[]).expect("a resumed run");
    rederive(dir, config()).expect("the same");

    // A snapshot that is whole and yet of another state.
    let path = snapshot_paths(dir).pop().expect("one");
    let mark = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder").last().expect("one").0;
    let whole = Snapshot::read(&path).expect("a snapshot");
    let mut writer = SnapshotWriter::create(&dir.join(SNAPSHOTS_DIR), whole.number()).expect("one");
    for name in whole.sections() {
        let mut bytes = whole.section(name).expect("there").to_vec();
        if name == "matching" {
            bytes[0] ^= 1;
        }
        writer.add(name, &bytes).expect("space");
    }
    writer.finish(mark).expect("space");
    let differs = rederive(dir, config()).expect_err("another hash");
    assert_eq!(differs.exit_code(), 1);
    assert!(differs.to_string().contains("section `matching`"), "{differs}");
    // Another strategy than that of the run.
    let other = rederive(dir, EngineConfig::default()).expect_err("no trader");
    assert_eq!(other.exit_code(), 1);
}

#[test]
fn what_no_longer_has_its_counterpart_in_the_other_journal_is_no_difference() {
    let scratch = folder();
    let dir = scratch.path();
    let config = || EngineConfig { trader: Some(trader()), ..EngineConfig::default() };
    let session = session(MESSAGES, 11);
    let run = || start(feed(&session), Some(resuming(dir)), &[]).expect("a run");
    let (records, all) = (run().records, report_executions(dir));

    // The market journal has lost its tail, and the executions go on.
    let mut reader = Reader::<Execution>::open(&dir.join(EXECUTIONS_DIR)).expect("a journal");
    reader.seek(all / 2).expect("it is there");
    let mut middle = [bytemuck::Zeroable::zeroed(); 1];
    reader.read(&mut middle).expect("an execution");
    for cut in [records - 1, middle[0].cause + 1, middle[0].cause] {
        cut_market(dir, cut);
        let found = rederive(dir, config()).expect("nothing differs");
        assert_eq!((found.records, found.missing), (cut, 0));
        assert_eq!(found.executions + found.ahead, all, "cut at {cut}");
        assert!(found.ahead > 0 || cut == records - 1, "cut at {cut}");
    }

    // Retention has taken the first executions, for which no snapshot stands.
    run();
    let [first, .., last] = &tapes(&dir.join(EXECUTIONS_DIR))[..] else { panic!("two segments") };
    assert!(first < last);
    fs::remove_file(first).expect("a segment");
    let kept = verify::<Execution>(&dir.join(EXECUTIONS_DIR)).expect("a journal");
    let found = rederive(dir, config()).expect("nothing differs");
    assert_eq!((found.removed, found.executions), (kept.first_sequence, kept.records));
    assert!(found.removed > 0 && found.executions > 0 && found.ahead == 0, "{found:?}");
}

fn report_executions(dir: &Path) -> u64 {
    verify::<Execution>(&dir.join(EXECUTIONS_DIR)).expect("a journal").records
}

#[test]
fn the_command_derives_a_run_again_and_its_exit_code_tells_what_is_wrong() {
    let scratch = folder();
    let dir = scratch.path().join("run").display().to_string();
    let line =
        "replay feeds/sample.itch.gz --strategy maker:symbols=ACME,ORBQ --snapshot-every 50k";
    // The audit leaves nothing in a snapshot.
    let recorded = run_line(&format!("{line} --audit --journal {dir}"));
    assert_eq!(recorded.code, 0, "{}", recorded.all());
    let deep = run_line(&format!("journal verify --deep {dir}"));
    assert_eq!(deep.code, 0, "{}", deep.all());
    assert!(deep.stderr.contains("are the same"), "{}", deep.all());
    let json = run_line(&format!("journal verify --deep --json {dir}")).json();
    assert!(json["deep"]["executions"].as_u64() > Some(0), "{json}");
    let taken = snapshot_paths(Path::new(&dir));
    assert!(!taken.is_empty());
    let mut bytes = fs::read(&taken[0]).expect("a snapshot");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&taken[0], bytes).expect("space");
    let damaged = run_line(&format!("journal verify --deep {dir}"));
    assert_eq!(damaged.code, 3, "{}", damaged.all());
    assert_eq!(run_line(&format!("journal verify {dir}")).code, 0, "the journals are whole");
}
