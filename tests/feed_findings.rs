//! Everything found wrong with a feed is counted, and told with its number and time.
//!
//! Would catch a finding that is not counted or not located, a halt that counts as a fault, a slice
//! whose books are not said to be complete from somewhere on, and `--strict` that lets one pass.
#![cfg(feature = "cli")]

mod common;
mod feed_common;

use common::program::run;
use feed_common::{Message, start};
use serde_json::json;

const OPEN: u64 = 34_200_000_000_000;

fn add(reference: u64, ts: u64, side: &str, price: u32) -> Message {
    let message = Message::new(b'A', 1, 0, OPEN + ts).u64(reference).text(side);
    message.u32(100).text("ACME    ").u32(price)
}

fn delete(reference: u64, ts: u64) -> Message {
    Message::new(b'D', 1, 0, OPEN + ts).u64(reference)
}

fn halt(ts: u64) -> Message {
    Message::new(b'H', 1, 0, OPEN + ts).text("ACME    H LUDP")
}

/// A file of the start of a session and these messages.
fn file(folder: &tempfile::TempDir, messages: &[Message]) -> String {
    let path = folder.path().join("day.itch");
    let frames: Vec<u8> = messages.iter().flat_map(Message::frame).collect();
    std::fs::write(&path, [start(), frames].concat()).expect("a file");
    path.display().to_string()
}

#[test]
fn faults_are_counted_and_located_by_number_and_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(
        &folder,
        &[
            add(1, 1, "B", 100_000),
            add(1, 2, "B", 100_100),
            delete(99, 3),
            delete(98, 5),
            add(2, 6, "S", 100_000),
            delete(2, 4),
            halt(7),
        ],
    );
    let ran = run(["replay", &path, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let feed = &ran.json()["feed"];
    for (name, count, first_ts, last_ts) in [
        ("duplicate_orders", 1, 2, 2),
        ("unknown_orders", 2, 3, 5),
        ("crossed", 1, 6, 6),
        ("backwards", 1, 4, 4),
        ("halts", 1, 7, 7),
    ] {
        let fault = &feed["faults"][name];
        assert_eq!(fault["count"], count, "{name}: {fault}");
        let times = [OPEN + first_ts, OPEN + last_ts];
        assert_eq!(json!([fault["first_ts"], fault["last_ts"]]), json!(times), "{name}");
    }
    assert_eq!(feed["faults"]["backwards"]["first"], 6, "the number of the message");
    assert_eq!(feed["books_complete_since"], OPEN + 5);
    let told = run(["replay", &path]).stderr;
    for sentence in [
        "first at event",
        "09:30:00.000000003, last at event",
        "complete since 09:30:00.000000005",
        "locked or crossed while trading",
        "came under the reference of one in the book",
    ] {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
    let strict = run(["replay", &path, "--strict"]);
    assert_eq!(strict.code, 1, "{}", strict.all());
    let info = run(["info", &path]).stdout;
    assert!(info.contains("1, first at message 6, 09:30:00.000000004"), "{info}");
}

#[test]
fn a_halt_is_told_and_is_no_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, &[add(1, 1, "B", 100_000), halt(2), delete(1, 3)]);
    let strict = run(["replay", &path, "--strict"]);
    assert_eq!(strict.code, 0, "{}", strict.all());
    assert!(strict.stderr.contains("halts"), "{}", strict.stderr);
    let report = run(["replay", &path, "--json"]).json();
    assert_eq!(report["feed"]["faults"]["halts"]["count"], 1);
    assert_eq!(report["feed"]["books_complete_since"], json!(null));
}
