//! The program on real recordings with known truth.
//!
//! Would catch a decoder, grouping, book or report that is consistent with itself and wrong.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::common::program::run;
use crate::common::shared_feeds;

const AAPL: &str = "itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50";

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Replays a recording and gives the JSON report.
fn replay(feed: &Path, rest: &[&str]) -> Value {
    let mut arguments = vec!["replay".to_owned(), text(feed), "--json".to_owned()];
    arguments.extend(rest.iter().map(|&argument| argument.to_owned()));
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

fn recording(name: &str) -> Option<PathBuf> {
    shared_feeds().map(|folder| folder.join(name))
}

#[test]
fn a_premarket_of_aapl_is_replayed_as_published_and_repeats_itself() {
    let Some(feed) = recording(AAPL) else { return };
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = text(&scratch.path().join("run"));
    let first = replay(&feed, &["--journal", &dir, "--strategy", "maker", "--audit"]);
    assert_eq!(first["feed"]["messages"], 10_000);
    let by_type = json!({
        "A": 4758, "D": 4083, "E": 849, "F": 2, "H": 1, "L": 52, "P": 240, "R": 1, "U": 7, "X": 6,
        "Y": 1,
    });
    assert_eq!(first["feed"]["by_type"], by_type);
    assert_eq!((&first["feed"]["unknown_orders"], &first["feed"]["gaps"]), (&json!(0), &json!(0)));
    assert_eq!(first["books"]["live_orders"], 215, "own orders never touch the replica");
    assert_eq!(first["books"]["levels"], 79 + 63);
    assert_eq!(first["books"]["crossed"], 0);
    assert_eq!(first["journal"]["verified"], true);
    assert!(first["fills"].as_u64() > Some(0));
    assert!(!first["portfolio"].as_array().expect("rows").is_empty());

    let second = replay(&feed, &["--strategy", "maker"]);
    let repeated = replay(Path::new(&dir), &[]);
    for other in [&second, &repeated] {
        for part in ["hashes", "state_hash", "orders", "fills", "portfolio"] {
            assert_eq!(other[part], first[part], "{part}");
        }
    }
}

#[test]
fn the_best_bid_and_offer_of_aapl_is_right_after_every_message() {
    let Some(feed) = recording(AAPL) else { return };
    let mut truth = String::new();
    let file = std::fs::File::open(feed.with_extension("bbo.csv.gz")).expect("the truth");
    GzDecoder::new(file).read_to_string(&mut truth).expect("text");
    let ran = run(["book".to_owned(), text(&feed), "--csv".to_owned()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut rows = 0;
    for (ours, theirs) in ran.stdout.lines().skip(1).zip(truth.lines().skip(1)) {
        let theirs: Vec<&str> = theirs.split(',').collect();
        let without_type = [&theirs[..2], &theirs[3..]].concat().join(",");
        assert_eq!(ours, without_type, "row {rows}");
        rows += 1;
    }
    assert_eq!(rows, 10_000);
    assert_eq!(ran.stdout.lines().count(), 10_001);
}

#[test]
fn a_file_with_zero_length_prefixes_is_read_and_named() {
    let Some(feed) = recording("itch/ex20101224.TEST_ITCH_50.gz") else { return };
    let report = replay(&feed, &[]);
    let by_type = json!({
        "A": 4997, "D": 1745, "E": 198, "F": 3, "H": 3, "P": 5000, "R": 3, "S": 6, "U": 12, "X": 45,
    });
    assert_eq!(report["feed"]["by_type"], by_type);
    assert_eq!(report["feed"]["unknown_orders"], 117);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("zero length prefix"), "{warnings}");
}

#[test]
fn a_slice_of_an_opening_gives_its_counts_and_its_unknown_orders() {
    let Some(feed) = recording("itch/ALL_20191230_open_1000.NASDAQ_ITCH50") else { return };
    let report = replay(&feed, &[]);
    let by_type = json!({
        "A": 367, "C": 1, "D": 167, "E": 28, "F": 193, "I": 4, "P": 4, "Q": 4, "S": 1, "U": 225,
        "X": 6,
    });
    assert_eq!(report["feed"]["by_type"], by_type);
    assert_eq!(report["feed"]["unknown_orders"], 399);
    assert_eq!(report["feed"]["complete"], false);
}

#[test]
fn the_best_bid_and_offer_of_binance_is_the_venues_in_3448_of_3448_states() {
    let Some(feed) = recording("binance/spot_btcusdt_20240808.gz") else { return };
    let report = replay(&feed, &[]);
    let lines = json!({ "b": 28_040, "d": 3_451, "s": 1, "t": 9_757 });
    assert_eq!(report["feed"]["by_type"], lines);
    assert_eq!(report["feed"]["gaps"], 0);
    assert_eq!(report["books"]["venue_quotes"], json!({ "compared": 3_448, "differ": 0 }));
    assert_eq!(report["hashes"]["books_of"], "levels");
    // 124,057 levels of the diffs behind the snapshot, and what makes up the first state: 2,000
    // of the snapshot, 16 of the diff before it that it does not hold, the clear, the instrument.
    let messages = report["feed"]["messages"].as_u64().expect("a number");
    assert_eq!(messages, 124_057 + 2_000 + 16 + 1 + 1 + 3_448 + 9_757);
}

#[test]
fn each_capture_of_iex_decodes_to_its_one_message() {
    let Some(folder) = recording("iex") else { return };
    for (name, format, letter, told) in [
        ("Deep.IexTp.v1.0__PriceLevelBuyUpdateMessage", "iex-deep", "8", "price=202.7700 qty=190"),
        ("Deep.IexTp.v1.0__PriceLevelSellUpdateMessage", "iex-deep", "5", "price=344.1400 qty=82"),
        ("Tops.IexTp.v1.5__TradeReportMessage", "iex-tops", "T", "price=0.9998 qty=100"),
        ("Tops.IexTp.v1.6__QuoteUpdateMessage", "iex-tops", "Q", "price=24.1900 qty=18773"),
    ] {
        let feed = folder.join(format!("Iex__{name}.pcap"));
        let report = replay(&feed, &[]);
        assert_eq!(report["feed"]["format"], format, "{name}");
        assert_eq!(report["feed"]["messages"], 1, "{name}");
        assert_eq!(report["feed"]["by_type"], json!({ letter: 1 }), "{name}");
        assert_eq!(report["hashes"]["books_of"], "levels");
        let dump = run(["dump".to_owned(), text(&feed)]).stdout;
        assert!(dump.contains(told), "{name}: {dump}");
    }
}

#[test]
fn the_order_book_file_beside_lobsters_messages_agrees_in_998_of_998_steps() {
    let Some(folder) = recording("lobster") else { return };
    let name = "AAPL_2012-06-21_first999_message_10.csv";
    let report = replay(&folder.join(name), &[]);
    assert_eq!(report["feed"]["messages"], 999);
    assert_eq!(report["feed"]["venue_books"], json!({ "compared": 998, "differ": 0 }));
    assert_eq!(report["feed"]["unknown_orders"], 9, "orders older than the file");

    // A wrong row is found, twice: as the end of one step and the start of the next.
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
    let books = read(&name.replace("message", "orderbook"));
    let mut rows: Vec<String> = books.lines().map(str::to_owned).collect();
    let best = rows[500].split(',').nth(1).expect("a size").to_owned();
    rows[500] = rows[500].replacen(&format!(",{best},"), ",77777,", 1);
    std::fs::write(scratch.path().join(name), read(name)).expect("written");
    let beside = scratch.path().join(name.replace("message", "orderbook"));
    std::fs::write(beside, rows.join("\n")).expect("written");
    let feed = scratch.path().join(name);
    let wrong = replay(&feed, &[]);
    assert_eq!(wrong["feed"]["venue_books"], json!({ "compared": 998, "differ": 2 }));
    assert_eq!(wrong["feed"]["faults"]["states_differ"]["first"], 500);
    assert_eq!(run(["replay".to_owned(), text(&feed), "--strict".to_owned()]).code, 1);
}
