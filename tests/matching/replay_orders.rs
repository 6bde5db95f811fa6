//! An order file as the feed of the whole engine: the same executions as `ringtape match`, whatever
//! threads and rings, and the same again from the journal.
//!
//! Would catch a matching agent that loses, repeats or reorders executions, a journal that does not
//! repeat a run of orders, and flags that reach one command and not the other.

use std::fs;
use std::path::{Path, PathBuf};

use ringtape::engine::{EXECUTIONS_DIR, Engine, EngineConfig, Exchange, JournalConfig, RunReport};
use ringtape::event::Execution;
use ringtape::feed::OpenOptions;
use ringtape::feed::orders::OrderFeed;
use ringtape::journal::{Read, Reader};
use ringtape::limits::SEGMENT_BYTES_MIN;
use ringtape::matching::MatcherConfig;
use ringtape::units::Price;

use crate::common::program::{Ran, run};

/// All worked files without flags as one, each with symbols, accounts and order numbers of its own,
/// many times over: thousands of rows.
fn orders() -> String {
    let header = "action,order_id,account,symbol,side,type,tif,price,qty,stop_price,trail,flags";
    let mut text = header.to_owned() + "\n";
    for round in 0..400_u64 {
        let id = |number: u64| round * 100 + number;
        let symbol = ["ACME", "BOLT", "CORE"][round as usize % 3];
        let cents = 1_000 + round * 7 % 40;
        let price =
            |offset: u64| format!("{}.{:02}", (cents + offset) / 100, (cents + offset) % 100);
        let mut row = |row: String| text += &(row + "\n");
        for number in 0..5 {
            let (sell, buy) = (price(20 + number), price(10 - number));
            row(format!("new,{},1,{symbol},sell,limit,gtc,{sell},100,,,", id(number)));
            row(format!("new,{},2,{symbol},buy,limit,day,{buy},90,,,", id(10 + number)));
        }
        row(format!("new,{},3,{symbol},sell,stop,gtc,,30,{},,", id(20), price(8)));
        row(format!("new,{},3,{symbol},buy,trailing,gtc,,30,,0.05,", id(21)));
        row(format!("new,{},4,{symbol},sell,limit,ioc,{},150,,,hidden", id(22), price(7)));
        row(format!("replace,{},,,,,,{},120,,,", id(1), price(12)));
        row(format!("cancel,{},1,,,,,,,,,", id(2)));
        if round % 10 == 9 {
            row(format!("auction,,,{symbol},,,,,,,,"));
            row(format!("new,{},5,{symbol},buy,market,day,,70,,,", id(30)));
            row(format!("uncross,,,{symbol},,,,,,,,"));
            row("end_of_day,,,*,,,,,,,,".to_owned());
        }
    }
    // Numbers from 1.
    text.replace("new,0,", "new,99,")
}

fn feed(text: &str) -> OrderFeed {
    OrderFeed::from_bytes("orders", text.to_owned(), &OpenOptions::default()).expect("a header")
}

/// What the exchange says without an engine around it.
fn direct(text: &str) -> (Vec<Execution>, Exchange) {
    let (mut feed, mut exchange) = (feed(text), Exchange::new(MatcherConfig::default()));
    let (mut records, mut executions) = (Vec::new(), Vec::new());
    while feed.next_row(&mut records).expect("a good row").is_some() {
        for record in records.drain(..) {
            exchange.apply(&record, &mut executions);
        }
    }
    exchange.end(&mut executions);
    (executions, exchange)
}

fn replay(text: &str, config: EngineConfig) -> RunReport {
    let config = EngineConfig { exchange: Some(MatcherConfig::default()), ..config };
    let report = Engine::start(Box::new(feed(text)), config).expect("a valid run").join();
    assert!(report.error.is_none(), "{:?}", report.error);
    report
}

fn journaled(dir: &Path) -> Vec<Execution> {
    let mut reader = Reader::<Execution>::open(&dir.join(EXECUTIONS_DIR)).expect("a journal");
    let mut executions = Vec::new();
    let mut batch = [bytemuck::Zeroable::zeroed(); 64];
    while let Read::Records(count) = reader.read(&mut batch).expect("a sound journal") {
        executions.extend(batch[..count].iter().map(|execution: &Execution| execution.canonical()));
    }
    executions
}

#[test]
fn the_engine_publishes_what_the_exchange_says_whatever_threads_and_rings() {
    let text = orders();
    let (expected, exchange) = direct(&text);
    assert!(exchange.matcher().totals().matches > 1_000, "{:?}", exchange.matcher().totals());
    for (runners, ring_slots) in [(1, 2), (1, 1 << 14), (2, 64), (3, 1 << 10)] {
        let scratch = tempfile::tempdir().expect("a folder");
        let dir = scratch.path().join("run");
        let journal = JournalConfig {
            segment_bytes: SEGMENT_BYTES_MIN,
            ..JournalConfig::new(&dir, "priority = \"standard\"\n")
        };
        let report = replay(
            &text,
            EngineConfig {
                runners: Some(runners),
                ring_slots,
                journal: Some(journal),
                ..EngineConfig::default()
            },
        );
        let found = journaled(&dir);
        assert_eq!(found.len(), expected.len(), "{runners} runners, {ring_slots} slots");
        let difference =
            found.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert_eq!(difference, None, "{runners} runners, {ring_slots} slots");
        assert_eq!(report.hashes.books, exchange.books_hash());
        assert_eq!(report.trades, exchange.counts());
        assert_eq!(report.totals, exchange.totals());
        assert!(!report.portfolio.is_empty());
    }
}

#[test]
fn a_rejected_auction_row_does_not_change_which_auction_is_open() {
    let text = "action,order_id,side,tif,price,qty\nauction,,,cls,,\nnew,1,sell,,10.00,5\n\
        new,2,buy,,10.00,5\nauction,,,opg,,\nuncross,,,,,\n";
    let (executions, _) = direct(text);
    let last = executions.iter().rev().find_map(Execution::quote).expect("it traded");
    assert_eq!(last.close_price, Some(Price(1_000)));
}

/// Runs `ringtape` with `--json`.
fn json(words: &[&str]) -> serde_json::Value {
    let ran = run(words.iter().chain(&["--json"]));
    assert_eq!(ran.code, 0, "{words:?}: {}", ran.all());
    ran.json()
}

fn written(scratch: &Path, text: &str) -> PathBuf {
    let path = scratch.join("orders.csv");
    fs::write(&path, text).expect("a file");
    path
}

#[test]
fn match_replay_and_replay_of_the_journal_have_the_same_hashes() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = written(scratch.path(), &orders());
    let path = path.to_string_lossy();
    for (round, flags) in [
        vec![],
        vec!["--priority", "cme", "--allocation", "pro-rata:top"],
        vec!["--capacity", "60"],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = scratch.path().join(format!("run-{round}"));
        let dir = dir.to_string_lossy();
        let matched = json(&[&["match", &*path], &*flags].concat());
        let replayed =
            json(&[&["replay", &*path, "--audit", "--journal", &*dir], &*flags].concat());
        let repeated = json(&["replay", &*dir]);
        for hash in ["books", "orders"] {
            assert_eq!(replayed["hashes"][hash], matched["hashes"][hash], "{hash} {flags:?}");
        }
        assert_eq!(repeated["hashes"], replayed["hashes"], "{flags:?}");
        assert_eq!(repeated["state_hash"], replayed["state_hash"]);
        assert_eq!(replayed["feed"]["format"], "orders");
        assert_eq!(replayed["feed"]["messages"], repeated["feed"]["messages"]);
        assert_eq!(replayed["books"]["live_orders"], matched["live_orders"]);
    }
}

#[test]
fn flags_that_do_not_belong_to_the_feed_are_refused() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = written(scratch.path(), &orders());
    let path = path.to_string_lossy();
    let refused = |words: &[&str], cure: &str| {
        let ran: Ran = run(words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.all());
        assert!(ran.stderr.contains(cure), "{words:?}: {}", ran.all());
    };
    refused(
        &["replay", &path, "--strategy", "maker:symbols=ACME"],
        "does not trade in an order file",
    );
    refused(&["replay", &path, "--allocation", "equal"], "use fifo, pro-rata");
    refused(&["book", &path], "ringtape match --book-out");
    refused(&["replay", "feeds/sample.itch.gz", "--priority", "cme"], "is for order files");
    // Its journal holds commands too, under the name of the run or of the journal itself.
    let dir = scratch.path().join("run");
    let dir = dir.to_string_lossy();
    assert_eq!(run(["replay", &*path, "--journal", &*dir]).code, 0);
    let out = scratch.path().join("out");
    for feed in [&*dir, &format!("{dir}/market")] {
        refused(&["book", feed, "--symbol", "ACME"], "ringtape match --book-out");
        refused(&["export", "trades", feed], "ringtape match");
        for name in ["out.itch", "ACME_2020-01-30_0_0_message_10.csv", "out.csv", "out"] {
            let to = out.with_file_name(name);
            refused(&["convert", feed, &to.to_string_lossy()], "ringtape match");
            assert!(!to.exists());
        }
    }
}

#[test]
fn what_fills_captured_is_told_of_each_account() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = written(scratch.path(), &orders());
    let ran = run(["replay", &path.to_string_lossy()]);
    let told: Vec<_> = ran
        .all()
        .lines()
        .filter(|line| line.contains("spread capture"))
        .map(String::from)
        .collect();
    let whose = |line: &String| line.contains(" account ");
    assert!(told.len() > 2 && told.iter().all(whose), "{told:#?}");
}

#[test]
fn info_and_dump_read_order_files() {
    let info = run(["info", "tests/orders/mass_cancel.csv"]);
    assert_eq!(info.code, 0, "{}", info.all());
    assert!(info.stdout.contains("mass_cancel") && info.stdout.contains("ACME"), "{}", info.all());
    let dump = run(["dump", "tests/orders/mass_cancel.csv", "--kind", "new_order"]);
    assert_eq!(dump.stdout.lines().count(), 6, "{}", dump.all());
    assert!(dump.stdout.contains("stop_price=11.00"), "{}", dump.all());
}

#[test]
fn a_faulty_row_ends_the_run_with_what_came_before_it() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = written(scratch.path(), "action,order_id,side,price,qty\nnew,1,buy,1,5\nnew,2\n");
    let ran = run(["replay", &*path.to_string_lossy(), "--json"]);
    assert_eq!(ran.code, 3, "{}", ran.all());
    assert!(ran.stderr.contains("line 3, column 3 (side)"), "{}", ran.all());
    assert_eq!(ran.json()["books"]["live_orders"], 1);
}
