//! `ringtape replay FEED --check-matching`, as a user runs it.

use std::fs;

use ringtape::event::{Event, Instrument, InstrumentTable};
use ringtape::feed::itch::Encoder;
use ringtape::units::{InstrumentId, Side};
use serde_json::json;

use super::{SAMPLE, aapl};
use crate::book_events::{add, execute};
use crate::common::program::run;

#[test]
fn the_report_tells_what_was_checked_and_the_hash_stays() {
    let ran = run(["replay", SAMPLE, "--check-matching", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let document = ran.json();
    let check = &document["check_matching"];
    assert_eq!(check["checked"], check["agree"]);
    assert_eq!(check["disagree"], 0);
    let numbers = [
        "executions",
        "remainders",
        "cross",
        "priced",
        "unknown_reference",
        "hidden_prints",
        "unclassified",
    ];
    for name in numbers {
        assert!(check[name].is_u64(), "{name} in {check}");
    }
    for name in ["in_company", "on_reduced", "on_replaced", "over_levels", "with_remainder"] {
        assert!(check["evidence"][name].as_u64() > Some(0), "{name} in {check}");
    }
    let plain = run(["replay", SAMPLE, "--json"]).json();
    assert!(plain["check_matching"].is_null());
    assert_eq!(plain["state_hash"], document["state_hash"]);
}

#[test]
fn a_strategy_and_a_journal_change_nothing_of_the_check() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run").display().to_string();
    let strategy = "maker:symbols=ACME";
    let with = ["--check-matching", "--json", "--strategy", strategy, "--journal", &dir];
    let first = run([&["replay", SAMPLE], &with[..]].concat());
    assert_eq!(first.code, 0, "{}", first.all());
    let again = run(["replay", &dir, "--check-matching", "--json"]);
    assert_eq!(again.code, 0, "{}", again.all());
    let alone = run(["replay", SAMPLE, "--check-matching", "--json"]).json();
    assert_eq!(first.json()["check_matching"], alone["check_matching"]);
    assert_eq!(again.json()["check_matching"], alone["check_matching"]);
}

#[test]
fn the_aapl_recording_is_proved_by_the_program() {
    let Some(path) = aapl() else { return };
    let path = path.display().to_string();
    let ran = run(["replay", &path, "--check-matching", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let expected = json!({
        "checked": 687, "agree": 687, "disagree": 0, "adds_would_trade": 0, "executions": 849,
        "remainders": 45, "cross": 0, "priced": 0, "unknown_reference": 0, "hidden_prints": 120,
        "implausible_prints": 0, "unclassified": 0,
        "evidence": {
            "in_company": 139, "on_reduced": 1, "on_replaced": 4, "over_levels": 145,
            "with_remainder": 59,
        },
        "grouped_by_match_number": false, "disagreements": [],
    });
    assert_eq!(ran.json()["check_matching"], expected);
    let text = run(["replay", &path, "--check-matching"]).stderr;
    for line in ["687 exchange events: 849 executions, 45 remainders", "in company 139"] {
        assert!(text.contains(line), "{text}");
    }
}

/// A feed of two offers and what comes after them.
fn offers_and(rest: &[Event]) -> (tempfile::TempDir, String) {
    let (mut encoder, mut feed) = (Encoder::new(0), Vec::new());
    let definition = InstrumentTable::events(0, InstrumentId(1), &Instrument::us_equity("ACME"));
    assert!(encoder.encode(&definition, &mut feed));
    let offers = [1, 2].map(|id| add(1, id, Side::Sell, 101_000, 100));
    for (ts_event, event) in (34_200_000_000_000..).zip(offers.iter().chain(rest)) {
        assert!(encoder.encode(&[Event { ts_event, ..*event }], &mut feed));
    }
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("offers.itch");
    fs::write(&path, feed).expect("a file");
    (scratch, path.display().to_string())
}

#[test]
fn a_disagreement_is_shown_and_exits_with_1() {
    let (_scratch, path) = offers_and(&[execute(1, 2, 30, 1)]);
    assert_eq!(run(["replay", &path]).code, 0, "without the check nobody asks");
    let text = run(["replay", &path, "--check-matching"]);
    assert_eq!(text.code, 1, "{}", text.all());
    let line = "at 09:30:00.000000002, ACME, order 2: passed over 100 shares; expected 30 of 2 at \
                10.1000; got 30 of 1 at 10.1000";
    assert!(text.stderr.contains(line), "{}", text.stderr);
    assert!(
        text.stderr.contains("disagreements of the matching engine with the feed: 1")
            && text.stderr.contains("grouped by match")
    );
    let document = run(["replay", &path, "--check-matching", "--json"]);
    assert_eq!(document.code, 1);
    assert_eq!(document.json()["check_matching"]["disagreements"][0]["order_id"], 2);
}

#[test]
fn a_feed_without_executions_proves_nothing_and_says_so() {
    let (_scratch, path) = offers_and(&[]);
    let ran = run(["replay", &path, "--check-matching"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.stderr.contains("found no execution to judge"), "{}", ran.stderr);
}

#[test]
fn an_order_file_has_nothing_to_check_against() {
    let ran = run(["replay", "tests/orders/auction.csv", "--check-matching"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.stderr.contains("leave --check-matching out"), "{}", ran.stderr);
}
