//! Everything found wrong with a feed is counted, and told with its number and time.
//!
//! Would catch a finding that is not counted or not located, a halt that counts as a fault, a slice
//! whose books are not said to be complete from somewhere on, and `--strict` that lets one pass.
#![cfg(feature = "cli")]

use serde_json::json;

use crate::common::program::run;
use crate::feed_common::{Message, start};

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
    let frames: Vec<u8> = messages.iter().flat_map(Message::raw_frame).collect();
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
    let backwards = &feed["faults"]["backwards"];
    assert_eq!(backwards["first"], 6, "the number of the message");
    let byte = backwards["first_byte"].as_u64().expect("its place in the file") as usize;
    let frame = Message::new(b'D', 1, 0, OPEN + 4).u64(2).frame();
    let bytes = std::fs::read(&path).expect("the file");
    assert_eq!(bytes[byte..byte + frame.len()], frame, "the message is there");
    assert_eq!(feed["faults"]["crossed"]["first_byte"], json!(null), "of an event of the ring");
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
    let located = format!("1, first at message 6 (byte {byte}), 09:30:00.000000004");
    assert!(info.contains(&located), "{info}");
    let packed = format!("{path}.gz");
    let file = std::fs::File::create(&packed).expect("a file");
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &bytes).expect("it takes all");
    encoder.finish().expect("it ends");
    let info = run(["info", &packed, "--json"]).json();
    assert_eq!(info["faults"]["backwards"]["first_byte"], byte, "a place in the unpacked file");
}

#[test]
fn the_byte_of_a_finding_is_right_wherever_a_batch_of_the_reader_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    for before in [0, 1, 1_000, 1_019, 1_020, 1_021, 4_000] {
        let mut messages: Vec<_> =
            (0..before).map(|reference| add(reference + 1, 10, "B", 100_000)).collect();
        messages.extend([add(9_000, 9, "B", 100_000), add(9_001, 11, "B", 100_000)]);
        messages.push(Message::new(b'~', 1, 0, OPEN + 5).u64(0));
        let path = file(&folder, &messages);
        let info = run(["info", &path, "--json"]).json();
        let bytes = std::fs::read(&path).expect("the file");
        let place =
            |name: &str, key: &str| info["faults"][name][key].as_u64().map(|at| at as usize);
        let at = place("unknown_types", "first_byte").expect("a place");
        assert_eq!(bytes[at + 2], b'~', "after {before}: {info}");
        assert_eq!(place("backwards", "last_byte"), Some(at), "after {before}");
        if before > 0 {
            let at = place("backwards", "first_byte").expect("a place");
            assert_eq!(bytes[at + 13..at + 21], 9_000_u64.to_be_bytes(), "after {before}");
        }
    }
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

/// A file of the start of a session, an instrument of its own, and these messages.
fn file_of(folder: &tempfile::TempDir, symbol: &str, messages: &[Message]) -> String {
    let path = folder.path().join(format!("{symbol}.itch"));
    let frames: Vec<u8> = messages.iter().flat_map(Message::raw_frame).collect();
    std::fs::write(&path, [start(), frames].concat()).expect("a file");
    path.display().to_string()
}

#[test]
fn what_is_found_in_the_books_of_several_feeds_names_the_file_it_came_from() {
    let folder = tempfile::tempdir().expect("a folder");
    // The books of the second file cross and halt, then the first's; each names an order that is
    // not there.
    let own = |symbol: &str, ts: u64| {
        let add = |reference: u64, ts: u64, side: &str, price: u32| {
            let message = Message::new(b'A', 1, 0, OPEN + ts).u64(reference).text(side);
            message.u32(100).text(&format!("{symbol:<8}")).u32(price)
        };
        let halt = Message::new(b'H', 1, 0, OPEN + ts + 4).text(&format!("{symbol:<8}H LUDP"));
        let add_again = add(2, ts + 3, "S", 100_100);
        vec![
            add(1, ts, "B", 100_000),
            add(2, ts + 1, "S", 100_000),
            delete(99, ts + 2),
            add_again,
            halt,
        ]
    };
    let one = file_of(&folder, "AAA", &own("AAA", 20));
    let two = file_of(&folder, "BBB", &own("BBB", 10));
    let names = ["unknown_orders", "crossed", "duplicate_orders", "halts"];
    let dir = folder.path().join("run").display().to_string();
    let snapshots = ["--journal", &dir, "--snapshot-every", "5"];
    let ran = run(["replay", &one, &two, "--json"].iter().chain(&snapshots));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let places = |document: &serde_json::Value, name: &str| {
        let fault = &document["feed"]["faults"][name];
        assert_eq!(fault["count"], 2, "{name}: {fault}");
        json!([fault["first_source"], fault["last_source"]])
    };
    let again = run(["replay", &one, &two, "--until", "09:35", "--json"]).json();
    let resumed = run(["replay", &one, &two, "--json", "--resume"].iter().chain(&snapshots));
    assert_ne!(resumed.json()["journal"]["resumed"]["snapshot"], json!(null), "{}", resumed.all());
    let recorded = run(["replay", &dir, "--json"]).json();
    for name in names {
        for document in [&ran.json(), &again, &resumed.json()] {
            assert_eq!(places(document, name), json!([two, one]), "{name}");
        }
        assert_eq!(places(&recorded, name), json!(["feed 2", "feed 1"]), "{name}: of the journal");
    }
    let told = run(["replay", &one, &two]).stderr;
    for from in [format!(" (from {two}), 09:30:00.0000000"), format!(" (from {one}), 09:30:00.0")] {
        assert_eq!(told.matches(&from).count(), names.len(), "{from}: {told}");
    }
    let alone = run(["replay", &two, "--json"]).json();
    assert_eq!(alone["feed"]["faults"]["halts"]["first_source"], json!(null), "there is but one");
}
