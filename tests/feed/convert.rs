//! `ringtape convert`: one session in every format, faults of lines, refusals.
//!
//! Would catch a format that loses or reorders what it can express, one that does not say what it
//! cannot, a file that is overwritten unasked or half, and a capture whose faults are not the ones
//! asked for.

use std::path::Path;

use serde_json::Value;

use crate::common::program::{Ran, run};
use crate::feed_common::{Message, start};

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

/// ns from midnight to ten.
const TEN: u64 = 36_000_000_000_000;

/// An order to buy 100 for 1.00, so many ns after ten.
fn add(locate: u16, after: u64, reference: u64) -> Vec<u8> {
    let add = Message::new(b'A', locate, 0, TEN + after).u64(reference).text("B").u32(100);
    add.text(&format!("{:<8}", ["", "AAA", "BBB"][usize::from(locate)])).u32(10_000).frame()
}

/// An execution of so many shares.
fn execution(after: u64, tracking: u16, reference: u64, shares: u32) -> Vec<u8> {
    Message::new(b'E', 1, tracking, TEN + after).u64(reference).u32(shares).u64(after).frame()
}

/// A file of messages.
fn file(folder: &Path, name: &str, frames: &[Vec<u8>]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, frames.concat()).expect("a file");
    text(&path)
}

/// What is in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("letters"))
        .collect();
    names.sort();
    names
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
    let orders = text(&folder.path().join("orders.csv"));
    for words in [
        &["export", "trades", &one][..],
        &["book", &one, "--symbol", "ACME", "--csv"],
        &["dump", &one, "--kind", "phase"],
        &["convert", &one, &orders],
    ] {
        let ran = run(words);
        let told = " messages are missing in the feed";
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    assert!(run(["info", &one]).stdout.contains("whole session, with gaps"));
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

#[test]
fn the_first_message_of_an_instrument_without_a_directory_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| text(&folder.path().join(name));
    let day = file(folder.path(), "day.itch", &[add(1, 0, 1), add(2, 1, 2), add(1, 2, 3)]);
    converted(&day, &path("orders.csv"), &[]);
    let orders = std::fs::read_to_string(path("orders.csv")).expect("orders");
    assert_eq!(orders.lines().filter(|row| row.starts_with("new,")).count(), 3, "{orders}");
    let ran = converted(&day, &path("AAA_message_2.csv"), &["--symbol", "AAA"]);
    assert!(!ran.stderr.contains("left out"), "{}", ran.stderr);
    let expected = "36000.000000000,1,1,100,10000,1\n36000.000000002,1,3,100,10000,1\n";
    let rows = std::fs::read_to_string(path("AAA_message_2.csv")).expect("rows");
    assert_eq!(rows, expected);
    // LOBSTER names no instrument, so its first row introduces it, too.
    converted(&path("AAA_message_2.csv"), &path("again_message_2.csv"), &[]);
    assert_eq!(std::fs::read_to_string(path("again_message_2.csv")).expect("rows"), expected);
    let books = std::fs::read_to_string(path("AAA_orderbook_2.csv")).expect("books");
    assert!(books.lines().all(|row| row.split(',').count() == 8), "two levels: {books}");
    let ran = convert(&day, &path("CCC_message_2.csv"), &["--symbol", "CCC"]);
    assert!(ran.code == 2 && ran.stderr.contains("no message of CCC"), "{}", ran.all());
}

#[test]
fn an_order_of_reference_0_is_one_that_the_matching_engine_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let delete = Message::new(b'D', 1, 0, TEN + 2).u64(0).frame();
    let frames = [add(1, 0, 0), execution(1, 2, 0, 40), delete, add(1, 3, 0)];
    let day = file(folder.path(), "day.itch", &frames);
    let orders = text(&folder.path().join("orders.csv"));
    converted(&day, &orders, &[]);
    let ran = run(["match", &orders, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!((&ran.json()["rejected"], &ran.json()["live_orders"]), (&0.into(), &1.into()));
}

#[test]
fn exchange_events_of_one_time_stay_apart_and_others_together() {
    let folder = tempfile::tempdir().expect("a folder");
    // An order and its execution as two events and as one, twice each.
    let frames = [
        start(),
        add(1, 0, 1),
        execution(0, 0, 1, 10),
        execution(0, 2, 1, 10),
        add(1, 5, 2),
        execution(5, 2, 1, 10),
        execution(5, 2, 1, 10),
        add(1, 5, 3),
        execution(6, 4, 2, 10),
        execution(6, 3, 2, 10),
    ];
    let mut from = file(folder.path(), "day.itch", &frames);
    let expected = replay(&from);
    for name in ["a.itch", "b.pcap", "run", "c.itch"] {
        let to = text(&folder.path().join(name));
        converted(&from, &to, &[]);
        let report = replay(&to);
        assert_eq!(report["hashes"]["books"], expected["hashes"]["books"], "{name}");
        assert_eq!(report["state_hash"], expected["state_hash"], "{name}");
        from = to;
    }
}

#[test]
fn a_session_ends_where_its_feed_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = Message::new(b'S', 0, 0, TEN + 2_000_000_000).text("C").frame();
    let slice = [start(), add(1, 0, 1), add(1, 1, 2)];
    let whole = file(folder.path(), "whole.itch", &[&slice[..], &[end]].concat());
    let slice = file(folder.path(), "slice.itch", &slice);
    for (from, flags, complete) in
        [(&slice, &[][..], false), (&whole, &["--until", "10:00:01"], false), (&whole, &[], true)]
    {
        for name in ["out.itch", "out.pcap", "out.pcapng"] {
            let to = text(&folder.path().join(name));
            converted(from, &to, &[flags, &["--force"]].concat());
            let info = run(["info", &to, "--json"]).json();
            assert_eq!(info["complete"], complete, "{from} {flags:?} {name}");
        }
    }
}

#[test]
fn two_days_are_no_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let days = ["1.itch", "2.itch"].map(|name| file(folder.path(), name, &[start(), add(1, 0, 1)]));
    let [first, second] = &days;
    for name in ["out.itch", "out.pcap", "AAA_message_10.csv"] {
        let to = text(&folder.path().join(name));
        let of_days = |dates| run(["convert", first, second, &to, "--date", dates]);
        let ran = of_days("2020-01-02,2020-01-03");
        assert!(ran.code == 2 && ran.stderr.contains("to a journal"), "{}", ran.all());
        assert_eq!(names(folder.path()), ["1.itch", "2.itch"]);
    }
}

#[test]
fn nothing_is_left_of_an_output_whose_feed_ends_in_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut frames = vec![start(), add(1, 0, 1), add(1, 1, 2), add(1, 2, 3)];
    frames[3].pop();
    let cut = file(folder.path(), "cut.itch", &frames);
    let outputs = ["out.itch", "out.pcap", "out.csv", "AAA_message_10.csv", "out.itch.gz"];
    for name in outputs {
        let to = text(&folder.path().join(name));
        let ran = convert(&cut, &to, &[]);
        assert!(ran.code == 3 && ran.stderr.contains("was not written"), "{}", ran.all());
        assert_eq!(names(folder.path()), ["cut.itch"], "{name}");
        std::fs::write(&to, "mine").expect("a file");
        assert_eq!(convert(&cut, &to, &["--force"]).code, 3, "{name}");
        assert_eq!(std::fs::read_to_string(&to).expect("a file"), "mine", "{name}");
        converted(&cut, &to, &["--force", "--until", "10:00:00.000000001"]);
        std::fs::remove_file(&to).expect("a file");
        for beside in ["out.toml", "AAA_orderbook_10.csv"] {
            let _ = std::fs::remove_file(folder.path().join(beside));
        }
    }
}
