//! The worked examples, run as a user runs them.
//!
//! Would catch an example that does not build, hangs, or is wrong about who saw what: above all a
//! letter that is written twice or never around the outage of the mail server, and a strategy whose
//! fills depend on anything but its feed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::program::run_line;

/// Lines that example `name` prints.
fn run(name: &str, arguments: &[&str]) -> Vec<String> {
    let cargo = |verb: &str| {
        let mut command = Command::new(env!("CARGO"));
        // As `cargo test` has built it already.
        command.args([verb, "--quiet", "--profile", "test", "--example", name]);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        command
    };
    assert!(cargo("build").status().expect("cargo starts").success(), "{name} does not build");
    let begin = Instant::now();
    let mut command = cargo("run");
    command.arg("--").args(arguments);
    let output = command.output().expect("the example starts");
    let (out, err) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    let (out, err) = (out.expect("text"), err.expect("text"));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(begin.elapsed() < Duration::from_secs(20), "{name} took {:?}", begin.elapsed());
    out.lines().map(str::to_owned).collect()
}

/// What follows `who` on the line that begins with it.
fn said<'a>(lines: &'a [String], who: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(who)).map(str::trim).collect()
}

#[test]
fn each_part_works_alone() {
    assert_eq!(run("ring", &[]), ["volume 1000000"]);
    assert_eq!(run("own_event", &[]), ["kitchen 8000 slices", "till 900000 cents"]);
    assert_eq!(
        run("journal", &[]),
        ["chart 0 to 10000", "chart 10000 to 25000", "whole 25000 records"]
    );
}

#[test]
fn the_book_at_noon_is_the_one_that_the_program_shows() {
    let lines = run("book", &[]);
    let shown =
        run_line("book feeds/sample.itch.gz --symbol ACME --at 12:00 --depth 3 --json").json();
    for (side, key) in [("bid", "bids"), ("ask", "asks")] {
        let levels: Vec<String> =
            shown[key].as_array().expect("levels").iter().map(level).collect();
        assert_eq!(said(&lines, side), levels);
    }
    assert_eq!(run("book", &["feeds/sample.itch.gz", "NONE"]).len(), 1);
}

/// A level of the program's book, as the example prints it.
fn level(level: &serde_json::Value) -> String {
    let text = |key: &str| level[key].to_string().trim_matches('"').to_owned();
    format!("{} {} in {} orders", text("price"), text("qty"), text("orders"))
}

#[test]
fn a_feed_of_ones_own_is_traded_on_the_same_every_time() {
    let lines = run("own_feed", &[]);
    assert_eq!(lines[..2], ["messages 3001 fills 5", "position 500"]);
    assert_eq!(said(&lines, "state hash")[0].len(), 16);
    assert_eq!(run("own_feed", &[]), lines);
}

#[test]
fn a_loop_of_ones_own_gets_every_record_also_over_a_pause() {
    let lines = run("own_loop", &[]);
    let counts = said(&lines, "records")[0].split_once(" of ").expect("two counts");
    assert_eq!(counts.0, counts.1);
    assert_eq!((said(&lines, "paused"), said(&lines, "lag")), (vec!["true"], vec!["0"]));
    let trades = said(&lines, "trades")[0].split_once(" in ").expect("two counts");
    assert_eq!((trades.0 != "0", trades.1), (true, "400000 messages"));
}

#[test]
fn bookstore_writes_every_letter_once_although_email_was_away() {
    let lines = run("bookstore", &["--letters"]);
    let (mut orders, mut cents_total) = (Vec::new(), 0);
    let mut sold: BTreeMap<&str, u32> = BTreeMap::new();
    for letter in said(&lines, "letter") {
        let (order, rest) =
            letter.strip_prefix("order ").unwrap().split_once(" customer ").unwrap();
        let (customer, rest) = rest.split_once(' ').unwrap();
        let (book, cents) = rest.split_once(" cents ").unwrap();
        let (copies, title) = book.split_once(" x ").unwrap();
        let order: u64 = order.parse().unwrap();
        assert_eq!(customer.parse::<u64>().unwrap(), 1000 + order % 83, "whose order that is");
        *sold.entry(title).or_default() += copies.parse::<u32>().unwrap();
        cents_total += cents.parse::<u64>().unwrap();
        orders.push(order);
    }
    assert!(orders.into_iter().eq(1..=500), "every order, once, in order");

    // The letters agree with what inventory and payment did, who never were away.
    assert_eq!(said(&lines, "inventory"), [format!("saw 500 orders, sold {sold:?}")]);
    assert_eq!(said(&lines, "payment"), [format!("saw 500 orders, took {cents_total} cents")]);
    assert_eq!(said(&lines, "email"), ["wrote 500 letters, every order exactly once"]);
    assert_eq!(
        said(&lines, "meanwhile"),
        [
            "recorder handled 1000 events and is live",
            "inventory handled 500 events and is live",
            "payment handled 500 events and is live",
            "email handled 120 events and is down before order 121",
        ]
    );
}

#[test]
fn bookstore_says_the_same_every_time() {
    let lines = run("bookstore", &[]);
    assert!(said(&lines, "letter").is_empty(), "letters only when asked for");
    assert_eq!(lines, run("bookstore", &[]));
}

#[test]
fn sensors_add_an_alert_while_the_stream_flows() {
    let lines = run("sensors", &[]);
    // Three sensors, two minutes, 100 readings a second; and three switches.
    assert_eq!(said(&lines, "analytics"), ["saw 36003 readings and switches"]);
    assert_eq!(
        said(&lines, "dashboard"),
        [
            "saw 360 windows",
            "sensor 0: 120 windows, 12000 readings, 18000 to 19000",
            "sensor 1: 120 windows, 12000 readings, 20000 to 36000",
            "sensor 2: 120 windows, 12000 readings, 22000 to 38000",
        ]
    );
    // The fire of the first minute was before its time. The last second of that minute ends with
    // the first reading of the next one, so 60 windows of each sensor and one more.
    let alert = said(&lines, "alert");
    assert_eq!(alert[0], "joined after a minute and saw 183 windows");
    let fire: Vec<String> = (75..80)
        .map(|second| {
            let mean = if second % 2 == 0 { 37495 } else { 37505 };
            format!("sensor 2 at second {second}: mean {mean}")
        })
        .collect();
    assert_eq!(alert[1..], fire);
    assert_eq!(lines, run("sensors", &[]), "the same every time");
}

#[test]
fn a_strategy_of_25_lines_trades_the_same_every_time_and_from_its_journal() {
    let source = include_str!("../../examples/scalper.rs");
    let strategy = source.split("impl Strategy for Scalper").nth(1).expect("the strategy");
    let lines = strategy.lines().position(|line| line == "}").expect("its end") + 1;
    assert!(lines <= 25, "{lines} lines");

    let scratch = tempfile::tempdir().expect("a scratch folder");
    let mut feeds = vec![("feeds/sample.itch.gz".to_owned(), "ACME")];
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/feeds/itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    match recording.exists() {
        true => feeds.push((recording.display().to_string(), "AAPL")),
        false => eprintln!("skipped the recording: no {}", recording.display()),
    }
    for (feed, symbol) in feeds {
        let dir = scratch.path().join(symbol).display().to_string();
        let first = run("scalper", &[&feed, symbol, &dir]);
        let trades: Vec<u64> = said(&first, "orders")[0]
            .split(" fills ")
            .map(|count| count.parse().expect("a count"))
            .collect();
        assert!(trades[0] > 10 && trades[1] > 2, "{first:?}");
        assert!(said(&first, symbol)[0].contains("equity"), "{first:?}");
        assert_eq!(said(&first, "state hash")[0].len(), 16);
        assert_eq!(run("scalper", &[&feed, symbol]), first, "twice the same");
        assert_eq!(run("scalper", &[&dir, symbol]), first, "the same from the journal");
    }
}
