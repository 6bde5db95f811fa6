//! SoupBinTCP recordings: the events of the plain file, numbers across logins, faults named.
//!
//! Would catch a recording that is taken for another format, a message lost or doubled where a
//! connection was made anew, and an end that is not told.

use std::io::Write;

use ringtape::error::Error;
use ringtape::feed::{self, Feed, Gap, OpenOptions};

use crate::feed_common::{drain, drain_to_fault, events_of, start, valid_message};

fn frames(count: usize) -> Vec<Vec<u8>> {
    let noise = [9_u8; 64];
    let valid = (1..count).map(|index| valid_message(index, &noise).frame());
    std::iter::once(start()).chain(valid).collect()
}

/// A packet of a type with its payload.
fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u16 + 1).to_be_bytes()[..], &[kind], payload].concat()
}

/// The packet of a framed message.
fn message(frame: &[u8]) -> Vec<u8> {
    packet(b'S', &frame[2..])
}

fn login(session: &str, next: u64) -> Vec<u8> {
    packet(b'A', format!("{session:>10}{next:>20}").as_bytes())
}

fn open(bytes: &[u8]) -> Result<Box<dyn Feed>, Error> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("a writable file");
    feed::open(file.path(), &OpenOptions::default())
}

#[test]
fn a_recording_gives_the_events_of_the_plain_file() {
    let frames = frames(500);
    let mut bytes = [packet(b'+', b"hello"), login("DAY1", 1)].concat();
    for (index, frame) in frames.iter().enumerate() {
        bytes.extend(message(frame));
        if index % 50 == 0 {
            bytes.extend(packet(b'H', b""));
        }
    }
    bytes.extend(packet(b'Z', b""));
    let mut feed = open(&bytes).expect("a recording");
    assert!(drain(&mut *feed) == events_of(frames.concat()));
    assert_eq!(feed.description().format, "itch-5.0 in soupbintcp");
    let checks = feed.checks();
    assert!(checks.has_end);
    assert_eq!((checks.messages, checks.gaps.count), (500, 0));
    assert_eq!(checks.packets.expect("packets").heartbeats, 10);
}

#[test]
fn a_new_connection_repeats_nothing_and_what_it_misses_is_a_gap() {
    let frames = frames(40);
    let sent = |range: std::ops::Range<usize>| -> Vec<u8> {
        frames[range].iter().flat_map(|frame| message(frame)).collect()
    };
    let bytes = [
        login("DAY1", 1),
        sent(0..20),
        login("DAY1", 16),
        sent(15..30),
        login("DAY1", 36),
        sent(35..40),
    ]
    .concat();
    let mut feed = open(&bytes).expect("a recording");
    let events = drain(&mut *feed);
    let kept = [frames[..30].concat(), frames[35..].concat()].concat();
    assert_eq!(
        crate::feed_common::messages(&events).count(),
        crate::feed_common::messages(&events_of(kept)).count()
    );
    let checks = feed.checks();
    let logins = [login("DAY1", 1), sent(0..20), login("DAY1", 16), sent(15..30)].concat();
    let byte = Some(logins.len() as u64);
    assert_eq!(checks.gap_ranges, [Gap { message: 30, from: 31, until: 36, byte }]);
    let behind = crate::feed_common::messages(&events).nth(30).expect("a message");
    assert_eq!(checks.gaps.first_ts, behind[0].ts_event);
    assert_eq!(checks.packets.expect("packets").copies, 5);
    let notes = feed.description().assumptions.join("\n");
    assert!(notes.contains("without the end of its session"), "{notes}");
}

#[test]
fn damage_and_a_cut_are_told_behind_what_came_before() {
    let frames = frames(5);
    let good: Vec<u8> = frames.iter().flat_map(|frame| message(frame)).collect();
    let start = [login("DAY1", 1), good].concat();
    for (tail, told) in [
        (packet(b'?', b"x"), "of type `?`"),
        (vec![0, 0, b'S'], "has no type"),
        (message(&frames[1])[..9].to_vec(), "ends inside a packet"),
        (packet(b'A', b"          x                   "), "names no number"),
    ] {
        let mut feed = open(&[&start[..], &tail].concat()).expect("a recording");
        let (events, outcome) = drain_to_fault(&mut *feed, 64);
        assert_eq!(crate::feed_common::messages(&events).count(), 5);
        let error = outcome.expect_err(told);
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.to_string().contains("message 5"), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
}
