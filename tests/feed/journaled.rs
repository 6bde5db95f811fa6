//! What a feed's reader found and its messages do not tell is in the journal of a run.
//!
//! Would catch a journal that forgets a gap or an unknown type, tells it twice or of another place,
//! also behind a kill at any record, at the end of a window and in a run of some symbols; a whole
//! session that is a slice in its journal; and findings that change what books and orders are.
#![cfg(feature = "cli")]

use std::path::Path;

use ringtape::engine::{JournalFeed, MARKET_DIR};
use ringtape::event::{Event, EventView, Kind};
use ringtape::feed::{self, Checks, Feed, OpenOptions};
use ringtape::journal::{Read, Reader};
use serde_json::{Value, json};

use crate::common::program::run;
use crate::common::runs::{cut_market, resuming, start as run_of};
use crate::feed_common::{Message, drain, start};

const OPEN: u64 = 34_200_000_000_000;

/// An order of one of two symbols.
fn add(reference: u64, ts: u64) -> Message {
    let (locate, symbol) = if reference.is_multiple_of(3) { (2, "BOLT") } else { (1, "ACME") };
    let message = Message::new(b'A', locate, 0, OPEN + ts).u64(reference).text("B");
    message.u32(100).text(&format!("{symbol:<8}")).u32(100_000)
}

/// Frames of a session with messages of unknown types, the first and the last among them, and
/// messages that are older than the one before.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = vec![start()];
    for number in 1..1_500 {
        let ts = 10 * number;
        frames.push(match number {
            1 | 2 | 254 | 255 | 700 | 701 | 1_499 => {
                Message::new(b'~', 0, 0, OPEN + ts).u64(7).raw_frame()
            }
            20 | 511 | 1_000 => add(number, ts - 15).frame(),
            _ => add(number, ts).frame(),
        });
    }
    frames
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

/// The document of a command that ends with this code.
fn told(code: i32, arguments: &[&str]) -> Value {
    let ran = run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}", ran.all());
    ran.json()
}

/// What was found, in the document of `replay` or `info`.
fn found(document: &Value) -> Value {
    let feed = document.get("feed").unwrap_or(document);
    let faults = &feed["faults"];
    let kinds = ["gaps", "backwards", "unknown_types", "states_differ"].map(|kind| &faults[kind]);
    let keys = ["gaps", "gap_ranges", "complete", "messages", "venue_books"].map(|key| &feed[key]);
    json!([kinds, keys])
}

/// Runs a feed with a journal, and holds against it what is read of the journal.
fn assert_journal_tells(folder: &Path, feed: &str, flags: &[&str]) -> Value {
    let dir = folder.join("run").display().to_string();
    let again = folder.join("again").display().to_string();
    let replayed = |code, feed: &str, more: &[&str]| {
        told(code, &[&["replay", feed, "--json"], flags, more].concat())
    };
    let first = replayed(1, feed, &["--strict", "--journal", &dir]);
    let second = replayed(1, &dir, &["--strict", "--journal", &again]);
    let third = replayed(1, &again, &["--strict"]);
    for journaled in [&second, &third] {
        assert_eq!(found(journaled), found(&first), "{flags:?}");
        assert_eq!(journaled["hashes"], first["hashes"]);
    }
    let resumed = replayed(1, feed, &["--strict", "--resume", "--journal", &dir]);
    assert_eq!(found(&resumed), found(&first), "{flags:?}");
    assert_eq!(found(&replayed(0, &dir, &[])), found(&first), "{flags:?}: resumed");
    assert_eq!(told(0, &["compare", &dir, &again, "--json"])["market"]["difference"], Value::Null);
    std::fs::remove_dir_all(&again).expect("a folder");
    first
}

#[test]
fn unknown_types_and_messages_out_of_order_are_in_the_journal_where_they_were_found() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path();
    let path = write(folder, "day.itch", &frames().concat());
    let first = assert_journal_tells(folder, &path, &[]);
    assert_eq!(first["feed"]["faults"]["unknown_types"]["count"], 7);
    assert_eq!(first["feed"]["faults"]["unknown_types"]["last"], 1_499);
    assert_eq!(first["feed"]["faults"]["backwards"]["count"], 3);
    let dir = folder.join("run").display().to_string();
    let infos = [&path, &dir].map(|feed| found(&told(0, &["info", feed, "--json"])));
    assert_eq!(infos[0], infos[1]);
    // A window ends before what was found behind it, in the midst of a batch too.
    for until in ["09:30:00.000000015", "09:30:00.000005125", "09:30:00.000006995"] {
        let ended = [&path, &dir]
            .map(|feed| found(&told(0, &["replay", feed, "--until", until, "--json"])));
        assert_eq!(ended[0], ended[1], "{until}");
    }
    // Each stands before its message, as a follower of the journal sees it.
    let mut count = 0;
    for pair in journaled(Path::new(&dir)).windows(2) {
        let EventView::FeedFinding(found) = pair[0].view() else { continue };
        let expected = if found.what.0 == b'U' { Kind::Notice } else { Kind::Add };
        assert_eq!(pair[1].kind(), Some(expected), "{found:?}");
        count += found.count;
    }
    assert_eq!(count, 7 + 3);
    // What was found among other symbols' messages counts too.
    let scratch = tempfile::tempdir().expect("a folder");
    assert_journal_tells(scratch.path(), &path, &["--symbols", "BOLT"]);
}

/// The records of a run's market journal.
fn journaled(dir: &Path) -> Vec<Event> {
    let mut reader = Reader::<Event>::open(&dir.join(MARKET_DIR)).expect("a journal");
    let mut events = vec![Event::default(); 10_000];
    let mut count = 0;
    while let Read::Records(more) = reader.read(&mut events[count..]).expect("whole records") {
        count += more;
    }
    events.truncate(count);
    events
}

/// A capture that lost messages: one packet, two in a row, and the last ones.
#[cfg(feature = "pcap")]
fn capture() -> Vec<u8> {
    use crate::feed_common::packets::{LINE_A, PCAP, SESSION, frame, mold, packet};
    let frames = frames();
    let mut wire = Vec::new();
    for (index, chunk) in frames.chunks(3).enumerate().filter(|(n, _)| ![9, 170, 171].contains(n)) {
        let chunk: Vec<_> = chunk.iter().map(Vec::as_slice).collect();
        wire.push(frame(LINE_A, &packet(3 * index as u64 + 1, &chunk), 0));
    }
    wire.push(frame(LINE_A, &mold(SESSION, 1_510, 0, &[]), 0));
    PCAP.file(&wire)
}

#[cfg(feature = "pcap")]
#[test]
fn the_gaps_of_a_capture_are_in_the_journal_with_their_numbers() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path();
    let path = write(folder, "day.pcap", &capture());
    let first = assert_journal_tells(folder, &path, &[]);
    assert_eq!(first["feed"]["gaps"], 3 + 6 + 9);
    let ranges = first["feed"]["gap_ranges"].as_array().expect("a list");
    let range = |gap: &Value| (gap["message"].clone(), gap["from"].clone(), gap["until"].clone());
    let expected = [(27, 28, 31), (507, 511, 517), (1_491, 1_501, 1_510)];
    assert_eq!(
        ranges.iter().map(range).collect::<Vec<_>>(),
        expected.map(|(message, from, until)| (json!(message), json!(from), json!(until)))
    );
    let dir = folder.join("run").display().to_string();
    let info = run(["info", &dir]).stdout;
    assert!(info.contains("3 messages, numbers 28 to 30, before message 27"), "{info}");
    let tail = run(["journal", "tail", &dir, "--kind", "feed_gap", "--json"]).stdout;
    assert_eq!(tail.lines().count(), 3, "{tail}");
}

/// What the reader of a feed found.
fn facts(checks: &Checks) -> String {
    format!("{} {:?} {:?}", checks.messages, checks.found(), checks.gap_ranges)
}

#[test]
fn a_run_that_is_killed_anywhere_and_goes_on_tells_each_finding_once() {
    let feeds = [
        ("day.itch", frames().concat()),
        #[cfg(feature = "pcap")]
        ("day.pcap", capture()),
    ];
    for (name, bytes) in feeds {
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().join(write(scratch.path(), name, &bytes));
        let dir = scratch.path().join("run");
        let open = || feed::open(&path, &OpenOptions::default()).expect("a feed");
        let mut expected = open();
        drain(&mut *expected);
        let expected = facts(expected.checks());
        let ran = || run_of(open(), Some(resuming(&dir)), &[]).expect("a run");
        ran();
        let events = journaled(&dir);
        let is_engine = |event: &Event| event.kind >= Kind::FeedMark as u8;
        let near = (0..events.len()).filter(|&at| is_engine(&events[at]));
        let mut cuts: Vec<_> = near.flat_map(|at| [at, at + 1, at + 2]).collect();
        cuts.retain(|at| *at <= events.len());
        cuts.dedup();
        assert!(cuts.len() > 20, "{} cuts", cuts.len());
        for cut in cuts {
            cut_market(&dir, cut as u64);
            let resumed = ran();
            assert!(resumed.error.is_none(), "cut at {cut}: {:?}", resumed.error);
            assert_eq!(facts(&resumed.checks), expected, "cut at {cut}");
            let mut journal = JournalFeed::open(&dir).expect("a journal");
            drain(&mut journal);
            assert_eq!(facts(journal.checks()), expected, "cut at {cut}");
        }
    }
}

#[test]
fn an_order_file_is_whole_in_its_journal_too() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path();
    let rows = "action,order_id,symbol,side,price,qty\nnew,1,ACME,buy,1.00,10\n\
                new,2,ACME,sell,1.00,4\n";
    let path = write(folder, "orders.csv", rows.as_bytes());
    let dir = folder.join("run").display().to_string();
    let first = told(0, &["replay", &path, "--strict", "--json", "--journal", &dir]);
    assert_eq!(first["feed"]["complete"], true);
    let again = told(0, &["replay", &dir, "--strict", "--json"]);
    assert_eq!(found(&again), found(&first));
    assert_eq!(again["state_hash"], first["state_hash"]);
}
