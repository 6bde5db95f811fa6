//! What a run that went on from a snapshot tells of its orders, fills and money.
//!
//! Would catch fills, orders or chapters that are missing because they were before the snapshot,
//! and a count of a part that does not say so.

use std::fs;
use std::path::Path;

use ringtape::engine::{
    EXECUTIONS_DIR, Engine, EngineConfig, JournalConfig, RunReport, SNAPSHOTS_DIR,
};
use ringtape::event::Event;
use ringtape::journal::snapshot::snapshots;
use ringtape::journal::verify;
use ringtape::report::MoneyStory;
use ringtape::units::OrderId;

use crate::common::program::run_line;
use crate::common::runs::{cut_market, feed, folder, resuming, session, tapes, trader};

const REPLAY: &str =
    "replay feeds/sample.itch.gz --strategy maker:symbols=ACME,ORBQ --json --force";

/// What a run told.
struct Told {
    json: serde_json::Value,
    /// Fills without the sequences that caused them: a run that goes on has more marks.
    fills: Vec<String>,
    page: String,
    equity: String,
}

fn tell(scratch: &Path, journal: &Path, flags: &str) -> Told {
    let at = |name: &str| scratch.join(name).display().to_string();
    let files = format!("--fills-out {} --report {}", at("fills.csv"), at("report"));
    let ran = run_line(&format!("{REPLAY} --journal {} {files} {flags}", journal.display()));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let read = |name: &str| fs::read_to_string(scratch.join(name)).expect("a file");
    let line = |line: &str| {
        let mut cells: Vec<_> = line.split(',').collect();
        cells.remove(15);
        cells.join(",")
    };
    let page = read("report/index.html");
    let (_, tables) = page.split_once("<h2>Positions</h2>").expect("positions");
    let (tables, _) = tables.split_once("<h2>Machine").expect("a machine");
    Told {
        json: ran.json(),
        fills: read("fills.csv").lines().map(line).collect(),
        page: tables.to_owned(),
        equity: read("report/equity.svg"),
    }
}

/// The story of an order without the numbers of what caused it.
fn chapters(json: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut chapters = json["explain"]["chapters"].as_array().expect("a story").clone();
    for chapter in &mut chapters {
        let by = chapter["by"].as_str().expect("a cause");
        let event = by.split_once(": ").map_or("", |(_, event)| event).to_owned();
        (chapter["cause"], chapter["by"]) = (().into(), event.into());
    }
    chapters
}

#[test]
fn a_run_that_went_on_from_a_snapshot_tells_of_all_its_orders_fills_and_money() {
    let scratch = folder();
    let dir = scratch.path().join("run");
    let whole = tell(scratch.path(), &dir, "--snapshot-every 50k --audit --explain 1");
    let records = verify::<Event>(&dir.join("market")).expect("a journal").records;
    assert_eq!(
        (&whole.json["audits_from"], &whole.json["feed"]["records"]),
        (&0.into(), &records.into())
    );
    assert!(!chapters(&whole.json).is_empty() && whole.fills.len() > 100);

    cut_market(&dir, records - 1_000);
    let again = tell(scratch.path(), &dir, "--resume --audit --explain 1");
    let used = &again.json["journal"]["resumed"]["snapshot"];
    assert!(used["executions"].as_u64() > Some(1_000), "{used}");
    assert_eq!(again.json["state_hash"], whole.json["state_hash"]);
    assert_eq!(again.fills, whole.fills);
    assert!(again.page == whole.page, "another table of positions and orders");
    assert!(again.page.contains("<td>ACME</td>") && again.equity == whole.equity);
    assert_eq!(chapters(&again.json), chapters(&whole.json));
    // What counts a part says so, and what can be whole is.
    assert_eq!(again.json["audits_from"], used["executions"]);
    let audits = |told: &Told| told.json["audits"].as_u64().expect("a count");
    assert!(audits(&again) > 0 && audits(&again) < audits(&whole));
    let records = verify::<Event>(&dir.join("market")).expect("a journal").records;
    assert_eq!(again.json["feed"]["records"], records);

    cut_market(&dir, records - 1_000);
    let unaudited = tell(scratch.path(), &dir, "--resume");
    assert_eq!((&unaudited.json["audits"], unaudited.fills), (&0.into(), whole.fills));
}

#[test]
fn what_retention_has_taken_is_not_told_and_a_warning_says_since_when_the_rest_is() {
    let scratch = folder();
    let dir = scratch.path();
    let session = session(60_000, 11);
    let run = |every: Option<u64>, order: u64| -> RunReport {
        let config = EngineConfig {
            trader: Some(trader()),
            journal: Some(JournalConfig { snapshot_every: every, ..resuming(dir) }),
            keep_fills: true,
            keep_executions: 1 << 18,
            explain: Some(order | OrderId::OWN),
            ..EngineConfig::default()
        };
        let report = Engine::start(feed(&session), config).expect("a run").join();
        assert!(report.error.is_none(), "{:?}", report.error);
        report
    };
    let whole = run(None, 1);
    // The executions of the second half are in a segment of their own, with all snapshots.
    cut_market(dir, whole.records / 2);
    run(Some(10_000), 1);
    fs::remove_file(&tapes(&dir.join(EXECUTIONS_DIR))[0]).expect("a segment");
    let marks = snapshots(&dir.join(SNAPSHOTS_DIR)).expect("a folder");
    cut_market(dir, marks[0].0 + 1);
    let last = whole.fill_log.last().expect("fills").execution.order_id & !OrderId::OWN;
    let part = run(None, last);
    let used = part.resumed.as_ref().and_then(|resumed| resumed.snapshot.as_ref());
    let from = used.expect("a snapshot").executions;
    let warning = format!("are told from execution {from} on");
    assert!(part.trader_warnings.iter().any(|text| text.contains(&warning)), "{part:?}");
    assert_eq!(part.hashes, whole.hashes);

    let (fills, all) = (&part.fill_log, &whole.fill_log);
    assert!(!fills.is_empty() && fills.len() < all.len(), "{} of {}", fills.len(), all.len());
    for (one, other) in fills.iter().zip(&all[all.len() - fills.len()..]) {
        assert_eq!(
            (one.position, one.realised, one.equity),
            (other.position, other.realised, other.equity)
        );
        assert_eq!(one.symbol, other.symbol);
    }
    let story = MoneyStory::of(part.kept.as_ref().expect("executions"));
    assert!(!story.orders.is_empty() && !story.charts(Default::default()).is_empty());
    assert!(story.orders.iter().all(|row| !row.symbol.starts_with('#')), "{:?}", story.orders);
    let chapters = part.story.expect("a story");
    assert!(chapters.iter().all(|chapter| chapter.price_increment > 0));
}
