//! `ringtape convert`: one session in every format, faults of lines, refusals.
//!
//! Would catch a format that loses or reorders what it can express, one that does not say what it
//! cannot, a file that is overwritten unasked, and a capture whose faults are not the ones asked for.

use std::path::Path;

use serde_json::Value;

use crate::common::program::{Ran, run};

const SAMPLE: &str = "feeds/sample.itch.gz";

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn convert(from: &str, to: &str, rest: &[&str]) -> Ran {
    run([&["convert", from, to], rest].concat())
}

fn converted(from: &str, to: &str, rest: &[&str]) -> Ran {
    let ran = convert(from, to, rest);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran
}

fn replay(feed: &str) -> Value {
    let ran = run(["replay", feed, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

/// A smaller session than the sample.
fn session(folder: &Path) -> String {
    let path = text(&folder.join("day.itch"));
    let ran = run([
        "generate",
        "--messages",
        "60k",
        "--symbols",
        "12",
        "--live",
        "2k",
        "--seed",
        "3",
        "-o",
        &path,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    path
}

#[test]
#[cfg(feature = "zstd")]
fn one_session_has_one_book_hash_in_every_format_that_carries_orders() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path());
    let expected = replay(&day);
    let mut from = day.clone();
    let names = [
        "a.itch",
        "b.itch.gz",
        "c.itch.zst",
        "d.pcap",
        "e.pcapng",
        "f.pcap.gz",
        "g.pcapng.zst",
        "run",
        "h.itch",
    ];
    // Each is made from the one before, so that every format is read and written.
    for name in names {
        let to = text(&folder.path().join(name));
        converted(&from, &to, &[]);
        let report = replay(&to);
        assert_eq!(report["hashes"]["books"], expected["hashes"]["books"], "{name}");
        assert_eq!(report["state_hash"], expected["state_hash"], "{name}");
        assert_eq!(report["feed"]["messages"], expected["feed"]["messages"], "{name}");
        assert_eq!(report["feed"]["complete"], true, "{name}");
        assert_eq!(report["feed"]["gaps"], 0, "{name}");
        from = to;
    }
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
    assert!(bytes("day.itch") == bytes("h.itch"), "the last is the first, byte by byte");
}

#[test]
fn lobster_files_give_the_same_book_at_the_end_and_step_by_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = text(&folder.path().join("ACME_2020-01-30_message_10.csv"));
    let ran = converted(SAMPLE, &to, &["--symbol", "ACME", "--until", "12:00"]);
    assert!(ran.stderr.contains("rows in"), "{}", ran.all());
    assert!(ran.stderr.contains("executions that are no volume"), "{}", ran.all());
    let depth = |feed: &str| {
        let ran =
            run(["book", feed, "--symbol", "ACME", "--at", "12:00", "--depth", "20", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let document = ran.json();
        (document["bids"].clone(), document["asks"].clone())
    };
    assert_eq!(depth(&to), depth(SAMPLE));
    let rows = std::fs::read_to_string(&to).expect("messages");
    let books = std::fs::read_to_string(to.replace("message", "orderbook")).expect("books");
    assert_eq!(rows.lines().count(), books.lines().count());
    assert!(rows.lines().count() > 1_000);
    // The best prices of each row are those of the book rebuilt from the rows.
    let ran = run(["book", &to, "--csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (index, (rebuilt, row)) in ran.stdout.lines().skip(1).zip(books.lines()).enumerate() {
        let rebuilt: Vec<&str> = rebuilt.split(',').collect();
        let row: Vec<&str> = row.split(',').collect();
        let known =
            |price: &str, qty: &str| if qty == "0" { "0".to_owned() } else { price.to_owned() };
        let ours = [rebuilt[2].to_owned(), rebuilt[4].to_owned()];
        assert_eq!(ours, [known(row[2], row[3]), known(row[0], row[1])], "row {index}");
    }
}

#[test]
fn an_order_file_makes_the_matching_engine_build_the_same_books() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = text(&folder.path().join("orders.csv"));
    let ran = converted(SAMPLE, &to, &["--until", "12:00"]);
    assert!(ran.stderr.contains("rows in"), "{}", ran.all());
    assert!(ran.stderr.contains("no command says them"), "what is left out is said");
    let increments = to.replace(".csv", ".toml");
    let book_out = text(&folder.path().join("book.csv"));
    let ran = run(["match", &to, "--instruments", &increments, "--book-out", &book_out, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let matched = ran.json();
    let left = run(["replay", SAMPLE, "--until", "12:00", "--json"]).json();
    assert_eq!(matched["rejected"], 0, "{}", matched["rejects"]);
    assert_eq!(matched["live_orders"], left["books"]["live_orders"]);
    let book = std::fs::read_to_string(&book_out).expect("the book");
    for symbol in ["ACME", "BOLTX", "PENNX"] {
        let asked =
            ["book", SAMPLE, "--symbol", symbol, "--at", "12:00", "--depth", "5000", "--json"];
        let told = run(asked).json();
        for (side, key) in [("buy", "bids"), ("sell", "asks")] {
            // Prices in ten-thousandths, whatever digits they are written with.
            let price_of =
                |text: &str| (text.parse::<f64>().expect("a price") * 1e4).round() as i64;
            let mut levels: Vec<(i64, u64)> = Vec::new();
            let prefix = format!("{symbol},{side},");
            for row in book.lines().filter_map(|row| row.strip_prefix(&prefix)) {
                let fields: Vec<&str> = row.split(',').collect();
                let price = price_of(fields[0]);
                let qty: u64 = fields[3].parse().expect("a quantity");
                match levels.last_mut() {
                    Some(level) if level.0 == price => level.1 += qty,
                    _ => levels.push((price, qty)),
                }
            }
            let mut told: Vec<(i64, u64)> = told[key]
                .as_array()
                .expect("levels")
                .iter()
                .map(|level| {
                    let price = level["price"].as_str().expect("a price");
                    (price_of(price), level["qty"].as_u64().expect("a quantity"))
                })
                .collect();
            for side in [&mut levels, &mut told] {
                side.sort_unstable();
            }
            assert!(levels.len() > 10, "{symbol} {side}: {} levels", levels.len());
            assert_eq!(levels, told, "{symbol} {side}");
        }
    }
}

#[test]
fn two_bad_lines_make_a_whole_session_and_one_has_the_gaps_that_were_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path());
    let expected = replay(&day);
    let bad = ["--loss", "1%", "--duplicate", "1%", "--reorder", "2%"];
    let two = text(&folder.path().join("two.pcap"));
    converted(&day, &two, &[&bad[..], &["--two-lines"]].concat());
    let report = replay(&two);
    let packets = &report["feed"]["packets"];
    assert!(packets["copies"].as_u64() > Some(50_000), "{packets}");
    assert!(packets["late"].as_u64() > Some(10), "{packets}");
    let lost_on_both = report["feed"]["gaps"].as_u64().expect("a count");
    let one = text(&folder.path().join("one.pcapng"));
    converted(&day, &one, &bad);
    let report = replay(&one);
    let missing = report["feed"]["gaps"].as_u64().expect("a count");
    assert!(missing > 100 && lost_on_both < missing / 10, "{missing} and {lost_on_both}");
    let ranges = report["feed"]["gap_ranges"].as_array().expect("ranges");
    let width = |range: &Value| {
        range["until"].as_u64().expect("a number") - range["from"].as_u64().expect("a number")
    };
    assert_eq!(ranges.iter().map(width).sum::<u64>(), missing);
    let messages = expected["feed"]["messages"].as_u64().expect("a count");
    assert_eq!(report["feed"]["messages"].as_u64(), Some(messages - missing));
    let strict = run(["replay", &one, "--strict"]);
    assert_eq!(strict.code, 1, "{}", strict.all());
    assert!(strict.stderr.contains("messages are missing"), "{}", strict.stderr);
    // The same seed gives the same faults.
    let again = text(&folder.path().join("again.pcapng"));
    converted(&day, &again, &bad);
    let bytes = |path: &str| std::fs::read(path).expect("a file");
    assert!(bytes(&one) == bytes(&again));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = text(&folder.path().join("there.itch"));
    std::fs::write(&there, "mine").expect("a file");
    let journal = text(folder.path());
    let lobster = text(&folder.path().join("ACME_message_10.csv"));
    let other = text(&folder.path().join("day.xyz"));
    let new = text(&folder.path().join("new.itch"));
    for (from, to, rest, told) in [
        (SAMPLE, &there[..], &[][..], "--force"),
        (SAMPLE, &journal, &[], "never overwritten"),
        (SAMPLE, &other, &[], "no format that can be written"),
        (SAMPLE, &lobster, &[], "of one instrument"),
        (SAMPLE, &new, &["--speed", "2x"], "--speed does nothing"),
        (SAMPLE, &new, &["--loss", "1%"], "--loss does nothing"),
        (SAMPLE, &new, &["--from", "10:00"], "--from would leave out"),
        ("tests/orders/auction.csv", &new, &[], "commands"),
        ("no/such.itch", &new, &[], "check the path"),
    ] {
        let ran = convert(from, to, rest);
        assert_eq!(ran.code, 2, "{to}: {}", ran.all());
        assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
    }
    assert_eq!(std::fs::read_to_string(&there).expect("a file"), "mine");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");

    // A refusal that comes with the feed's second instrument leaves what was there as it was.
    let books = lobster.replace("message", "orderbook");
    for path in [&lobster, &books] {
        std::fs::write(path, "mine").expect("a file");
    }
    assert_eq!(convert(SAMPLE, &lobster, &["--force"]).code, 2);
    for path in [&lobster, &books] {
        assert_eq!(std::fs::read_to_string(path).expect("a file"), "mine");
    }
    let ran = convert(&there, &there, &["--force"]);
    assert!(ran.code == 2 && ran.stderr.contains("is an input"), "{}", ran.all());
    converted(SAMPLE, &there, &["--force"]);
    assert!(std::fs::metadata(&there).expect("a file").len() > 1_000_000);
}
