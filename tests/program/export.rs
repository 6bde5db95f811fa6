//! `ringtape export`: trades, bars and snapshots of books as tables.
//!
//! Would catch a trade that is lost, counted twice or given the wrong side, a bar with a price that
//! never traded, a snapshot of the wrong moment, a price that went through a float.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::program::{run, run_with_small_files};

const SAMPLE: &str = "feeds/sample.itch.gz";

/// A bid and an offer; an execution, a hidden one, an execution, a cross.
const ROWS: &str = "34200,1,1,100,5000000,1\n34200.5,1,2,50,5000100,-1\n\
    34201,4,1,30,5000000,1\n34230,5,0,15,5000050,-1\n34261,4,2,50,5000100,-1\n\
    34262,6,-1,900,5000000,-1\n";

fn feed(dir: &Path) -> PathBuf {
    let path = dir.join("ACME_2012-06-21_34200000_57600000_message_10.csv");
    fs::write(&path, ROWS).expect("a free disk");
    path
}

/// What `export` prints with these words.
fn export(table: &str, feed: &Path, flags: &str) -> String {
    let words = ["export", table, feed.to_str().expect("letters")];
    let ran = run(words.into_iter().chain(flags.split_whitespace()));
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.stdout
}

#[test]
fn trades_have_their_kind_the_side_that_took_and_exact_prices() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let expected = "message,ts_ns,symbol,kind,side,price,qty,match_id\n\
        2,34201000000000,ACME,execution,sell,500.0000,30,2\n\
        3,34230000000000,ACME,hidden,,500.0050,15,3\n\
        4,34261000000000,ACME,execution,buy,500.0100,50,4\n\
        5,34262000000000,ACME,cross,,500.0000,900,5\n";
    let feed = feed(scratch.path());
    assert_eq!(export("trades", &feed, ""), expected);
    for table in ["trades", "bars", "books"] {
        let ran = run(["export", table, feed.to_str().expect("letters"), "--symbols", "ORBQ,ACME"]);
        assert!(ran.stderr.starts_with("! symbol ORBQ is not in the feed"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    assert_eq!(export("trades", &feed, "--symbols ORBQ").lines().count(), 1);
    let late = export("trades", &feed, "--from 09:31:02");
    assert_eq!(late.lines().nth(1), expected.lines().nth(4));
}

#[test]
fn bars_end_by_time_or_with_the_trade_that_fills_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let feed = feed(scratch.path());
    let head = "symbol,first_ns,last_ns,open,high,low,close,volume,turnover,trades\n";
    let first = "ACME,34201000000000,34230000000000,500.0000,500.0050,500.0000,500.0050,45,\
        22500.075,2\n";
    let by_time = "ACME,34261000000000,34262000000000,500.0100,500.0100,500.0000,500.0000,950,\
        475000.50,2\n";
    assert_eq!(export("bars", &feed, "--every 60s"), [head, first, by_time].concat());
    let second = "ACME,34261000000000,34261000000000,500.0100,500.0100,500.0100,500.0100,50,\
        25000.50,1\n";
    let third = "ACME,34262000000000,34262000000000,500.0000,500.0000,500.0000,500.0000,900,\
        450000.00,1\n";
    assert_eq!(export("bars", &feed, "--volume 40"), [head, first, second, third].concat());
}

#[test]
fn a_snapshot_is_of_the_book_before_the_first_message_after_its_time() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let expected = "ts_ns,symbol,side,level,price,qty,orders\n\
        34260000000000,ACME,buy,1,500.0000,70,1\n\
        34260000000000,ACME,sell,1,500.0100,50,1\n";
    assert_eq!(export("books", &feed(scratch.path()), "--every 60s --depth 3"), expected);
}

/// Would catch a table whose rows of one instrument depend on whether others had messages.
#[test]
fn snapshots_are_taken_in_silence_too() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let day = scratch.path().join("X_2024-01-02_34200000_57600000_message_1.csv");
    fs::write(&day, "34200.5,1,1,100,5000000,1\n34500,3,1,100,5000000,1\n90000,1,2,5,5000000,1\n")
        .expect("a free disk");
    let books = export("books", &day, "--every 60s");
    let times = column(&books, "ts_ns");
    let expected: Vec<String> =
        (1..=5).map(|nth| format!("{}000000000", 34_200 + 60 * nth)).collect();
    assert_eq!(times, expected);
}

/// The cells of a column, which a header names, without the empty ones.
fn column<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let at = table.lines().next().and_then(|head| head.split(',').position(|own| own == name));
    let cell = |line: &'a str| line.split(',').nth(at.expect("such a column")).expect("a cell");
    table.lines().skip(1).map(cell).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn tables_of_a_whole_session_agree_with_each_other_and_with_the_book() {
    let sum = |cells: Vec<&str>| {
        cells.iter().map(|cell| cell.parse::<u64>().expect("a count")).sum::<u64>()
    };
    let sample = Path::new(SAMPLE);
    let trades = export("trades", sample, "--symbols ACME,ORBQ");
    let bars = export("bars", sample, "--symbols ACME,ORBQ --every 300s");
    let by_volume = export("bars", sample, "--symbols ACME,ORBQ --volume 10k");
    let volume = sum(column(&trades, "qty"));
    assert!(volume > 100_000, "{volume}");
    assert_eq!((sum(column(&bars, "volume")), sum(column(&by_volume, "volume"))), (volume, volume));
    let taken = column(&trades, "qty").len() as u64;
    assert_eq!(sum(column(&bars, "trades")), taken);

    let books = export("books", sample, "--symbols ACME --every 1800s --depth 1");
    let noon = format!("{},ACME,buy,1,", 12 * 3_600_000_000_000_u64);
    let row = books.lines().find(|line| line.starts_with(&noon)).expect("a bid at noon");
    let book = run(["book", SAMPLE, "--symbol", "ACME", "--at", "12:00", "--depth", "1", "--json"]);
    let best = &book.json()["bids"][0];
    assert!(row.ends_with(&format!(",{},{}", best["qty"], best["orders"])), "{row} {best}");
}

#[test]
fn a_broken_trade_is_in_no_bar() {
    let book = run(["book", SAMPLE, "--symbol", "NOVQ", "--json"]).json();
    for flags in ["--every 24h", "--volume 10M"] {
        let bars = export("bars", Path::new(SAMPLE), &format!("--symbols NOVQ {flags}"));
        assert_eq!(column(&bars, "volume"), [book["volume"].to_string()], "{flags}");
        assert_eq!(column(&bars, "trades"), [book["trades"].to_string()], "{flags}");
    }
    // It came at 11:02 and its trade before that: the bar was over.
    let bars = export("bars", Path::new(SAMPLE), "--symbols NOVQ --every 1s");
    let counts = column(&bars, "trades");
    let trades: u64 = counts.iter().map(|count| count.parse::<u64>().expect("a count")).sum();
    assert_eq!(book["trades"], trades);
}

#[test]
#[cfg(feature = "json")]
fn a_turnover_is_in_whole_currency_whatever_the_increments_and_the_multiplier() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| scratch.path().join(name);
    let trade = |id, price, qty| {
        format!(
            "1723161254087896568 {{\"stream\":\"x@trade\",\"data\":{{\"e\":\"trade\",\
             \"E\":1723161255343,\"s\":\"XUSDT\",\"t\":{id},\"p\":\"{price}\",\"q\":\"{qty}\",\
             \"T\":1723161255342,\"m\":true,\"M\":true}}}}\n"
        )
    };
    let (feed, own, journal) = (path("x.json"), path("own.toml"), path("run"));
    fs::write(&feed, trade(7, "10.00000001", "0.5") + &trade(8, "9", "2")).expect("a free disk");
    let bars = export("bars", &feed, "");
    assert_eq!(column(&bars, "turnover"), ["23.000000005"], "{bars}");
    fs::write(&own, "[XUSDT]\nmultiplier = 50\n").expect("a free disk");
    let [feed, own, dir] = [&feed, &own, &journal].map(|path| path.to_str().expect("letters"));
    let ran = run(["replay", feed, "--instruments", own, "--journal", dir]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(column(&export("bars", &journal, ""), "turnover"), ["1150.00000025"]);
}

#[test]
fn a_file_is_written_whole_and_never_over_another() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("trades.csv");
    let file = path.to_str().expect("letters");
    let feed = feed(scratch.path());
    assert_eq!(export("trades", &feed, &format!("-o {file}")), "");
    assert_eq!(fs::read_to_string(&path).expect("a file"), export("trades", &feed, ""));
    let feed = feed.to_str().expect("letters");
    for name in [file, "trades.xls"] {
        let ran = run(["export", "trades", feed, "-o", name]);
        assert_eq!(ran.code, 2, "{}", ran.all());
    }
    if cfg!(not(feature = "parquet")) {
        let ran = run(["export", "trades", feed, "-o", "trades.parquet"]);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.stderr.contains("--features parquet"), "{}", ran.stderr);
    }
    let ran = run(["export", "trades", feed, "-o", feed, "--force"]);
    assert!(ran.code == 2 && ran.stderr.contains("is an input"), "{}", ran.all());
    assert_eq!(run(["export", "bars", feed, "--every", "0s"]).code, 2);
    assert_eq!(run(["export", "books", feed, "--depth", "0"]).code, 2);
    assert_eq!(run(["export", "books", feed, "--every", "100us"]).code, 2);
}

/// Orders of which the recording has no beginning, executed.
#[test]
fn trades_without_a_price_are_volume_in_every_table() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let message = |letter: u8, second: u64, fields: &[&[u8]]| {
        let header = [letter, 0, 1, 0, 0];
        let time = (second * 1_000_000_000).to_be_bytes();
        let bytes = [&header, &time[2..], &fields.concat()].concat();
        [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
    };
    let execution = |second, order: u64| {
        message(b'E', second, &[&order.to_be_bytes(), &[0, 0, 0, 10], &second.to_be_bytes()])
    };
    let order = [&1_u64.to_be_bytes()[..], b"B", &[0, 0, 0, 99], b"AAA     ", &[0, 0, 39, 16]];
    let frames = [
        message(b'A', 36_000, &order),
        execution(36_001, 7),
        execution(36_002, 1),
        execution(36_003, 8),
        execution(36_070, 9),
    ];
    let day = scratch.path().join("day.itch");
    fs::write(&day, frames.concat()).expect("a free disk");
    let bars = export("bars", &day, "--every 60s");
    assert_eq!(column(&bars, "volume"), ["30", "10"], "{bars}");
    assert_eq!(column(&bars, "trades"), ["3", "1"], "{bars}");
    assert_eq!(column(&bars, "high"), ["1.0000"], "{bars}");
    assert_eq!(column(&export("trades", &day, ""), "qty"), ["10"; 4]);
    let book = run(["book", day.to_str().expect("letters"), "--json"]).json();
    assert_eq!((&book["volume"], &book["trades"]), (&40.into(), &4.into()));
}

#[test]
fn nothing_is_left_of_a_table_whose_feed_ends_in_a_fault() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let out = scratch.path().join("trades.csv");
    fs::write(&out, "mine").expect("a free disk");
    let name = out.to_str().expect("letters");
    let ran = run(["export", "trades", "feeds/bad/truncated-message.itch", "-o", name, "--force"]);
    assert!(ran.code == 3 && ran.stderr.contains("was not written"), "{}", ran.all());
    assert_eq!(fs::read_to_string(&out).expect("a file"), "mine");
    assert_eq!(fs::read_dir(scratch.path()).expect("a folder").count(), 1);
}

#[test]
fn a_file_that_may_not_grow_is_named_and_not_left_behind() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("trades.csv");
    let file = path.display();
    let ran = run_with_small_files(100, &format!("export trades {SAMPLE} -o {file}"));
    assert_eq!(ran.code, 4, "{}", ran.all());
    assert!(ran.stderr.contains(&format!("cannot write {file}: ")), "{}", ran.all());
    assert_eq!(fs::read_dir(scratch.path()).expect("a folder").count(), 0);
}
