//! One recording in every wrapping: plain, gzip, zstd, several members, and streams that trickle.
//!
//! Would catch a message lost, doubled or grouped differently where a buffer or a file ends, and a
//! panic on bytes that are no recording.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ringtape::event::{Event, Flags};
use ringtape::feed::itch::{ItchFeed, MESSAGES};
use ringtape::feed::{self, Feed, OpenOptions};

use crate::feed_common::{
    Message, Trickle, drain, drain_to_fault, events_of, feed_of, messages, start, valid_message,
};

const OPTIONS: OpenOptions = OpenOptions { midnight_ns: 0, utc_midnight_ns: 0, instruments: None };

#[test]
#[cfg(feature = "cli")]
fn the_report_says_whether_decompression_or_decoding_bounds_a_packed_feed() {
    use crate::common::program::run;
    const SAMPLE: &str = "feeds/sample.itch.gz";
    let report = run(["replay", SAMPLE, "--json"]).json();
    let inflate = &report["throughput"]["inflate"];
    let share = inflate["share"].as_f64().expect("a share");
    assert!(inflate["ns"].as_u64() > Some(0) && share > 0.0 && share <= 1.0, "{inflate}");
    assert_eq!(inflate["bound"], if share >= 0.5 { "decompression" } else { "decoding" });
    let told = run(["replay", SAMPLE]).stderr;
    let line = told.lines().find(|line| line.trim_start().starts_with("unpacking"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains(" of gzip data, ") && line.ends_with(" bounds it"), "{line}");

    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("day.itch").display().to_string();
    std::fs::write(&plain, recording(1_000)).expect("space");
    let report = run(["replay", &plain, "--json"]).json();
    assert_eq!(report["throughput"]["inflate"], serde_json::Value::Null, "nothing was packed");
}

/// A recording of `count` messages of all types with some unknown ones.
fn recording(count: usize) -> Vec<u8> {
    let mut bytes = start();
    let mut noise = [7_u8; 64];
    for index in 1..count {
        for byte in &mut noise {
            *byte = byte.wrapping_mul(5).wrapping_add(index as u8 | 1);
        }
        let message = match index % 50 {
            49 => Message::new(b'z', 1, 0, 5).text(&"?".repeat(index % 400)).raw_frame(),
            _ => valid_message(index, &noise).frame(),
        };
        bytes.extend(message);
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

#[cfg(feature = "zstd")]
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory is writable")
}

fn streamed(bytes: Vec<u8>) -> ItchFeed {
    let reader = Trickle { inner: Cursor::new(bytes), step: 1 };
    ItchFeed::from_reader("stream", reader, &OPTIONS).expect("an ITCH recording")
}

#[test]
fn plain_gzip_members_and_trickling_streams_give_the_same_events() {
    let bytes = recording(20_000);
    assert!(bytes.len() > 512 << 10, "more than a buffer or two");
    let mut plain = feed_of(bytes.clone());
    let expected = drain(&mut plain);
    let halves = bytes.split_at(bytes.len() / 2);
    let members = [gzip(halves.0), gzip(halves.1)].concat();
    let feeds = [
        feed_of(gzip(&bytes)),
        feed_of(members.clone()),
        streamed(bytes.clone()),
        streamed(gzip(&bytes)),
        streamed(members),
        #[cfg(feature = "zstd")]
        feed_of(zstd(&bytes)),
        #[cfg(feature = "zstd")]
        streamed([zstd(halves.0), zstd(halves.1)].concat()),
    ];
    for mut feed in feeds {
        assert!(drain(&mut feed) == expected, "{feed:?}");
        assert_eq!(feed.description().identity, plain.description().identity);
        let (these, those) = (feed.checks(), plain.checks());
        assert_eq!((these.messages, these.bytes), (those.messages, those.bytes));
        assert_eq!(these.by_type, those.by_type);
        assert_eq!(these.backwards, those.backwards);
        assert_eq!(these.unknown_types, those.unknown_types);
        assert_eq!(feed.position().byte_offset, bytes.len() as u64);
        assert_eq!(feed.position().message, 20_000);
    }
    assert_eq!(messages(&expected).count(), 20_000);
}

#[test]
fn files_are_recognised_by_content_whatever_their_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = recording(300);
    let expected = events_of(bytes.clone());
    for (name, content, compression) in
        [("day.csv", bytes.clone(), "none"), ("day.itch", gzip(&bytes), "gzip")]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, &content).expect("a writable folder");
        let mut feed = feed::open(&path, &OPTIONS).expect("an ITCH recording");
        assert!(drain(&mut *feed) == expected);
        let description = feed.description();
        assert_eq!((description.format, description.compression), ("itch-5.0", compression));
        assert_eq!(description.stored_bytes, Some(content.len() as u64));
        assert_eq!(feed.position().stored_bytes, content.len() as u64);
        assert_eq!(description.origin, path.display().to_string());
    }
}

#[test]
fn batches_of_any_size_hold_whole_messages_and_positions_between_them() {
    let bytes = recording(2_000);
    let expected = events_of(bytes.clone());
    for batch_records in [8, 9, 10, 63, 256, 5_000] {
        let (events, outcome) = drain_to_fault(&mut feed_of(bytes.clone()), batch_records);
        outcome.expect("a good feed");
        assert!(events == expected, "batches of {batch_records}");
    }
    let mut feed = feed_of(bytes.clone());
    let mut batch = [bytemuck::Zeroable::zeroed(); 8];
    feed.fill(&mut batch).expect("records");
    let position = feed.position();
    let rest = feed_of(bytes[position.byte_offset as usize..].to_vec());
    assert_eq!(feed.checks().messages, position.message);
    assert_eq!(drain(&mut { rest }).last(), expected.last());
}

/// Which records are LAST, as a word of 1 and 0.
fn lasts(bytes: Vec<u8>) -> String {
    events_of(bytes).iter().map(|e| if e.has(Flags::LAST) { '1' } else { '0' }).collect()
}

#[test]
fn an_exchange_event_ends_where_the_next_message_does_not_continue_it() {
    let delete = |locate, tracking, ts| Message::new(b'D', locate, tracking, ts).u64(1).frame();
    let sweep = [delete(1, 2, 9), delete(1, 4, 9), delete(1, 5, 9)].concat();
    assert_eq!(lasts(sweep.clone()), "001", "the end of the data ends it");
    assert_eq!(lasts([sweep.clone(), delete(1, 5, 9)].concat()), "0011", "equal numbers");
    assert_eq!(lasts([sweep.clone(), delete(1, 6, 10)].concat()), "0011", "a later time");
    assert_eq!(lasts([sweep.clone(), delete(2, 6, 9)].concat()), "0011", "another instrument");
    let woven = [delete(1, 2, 9), delete(2, 2, 9), delete(1, 4, 9)].concat();
    assert_eq!(lasts(woven), "111", "neighbours only");
    let marked = [sweep, vec![0, 0], delete(1, 6, 9)].concat();
    assert_eq!(lasts(marked), "001", "the end mark ends it, whatever follows");
}

#[test]
fn the_end_mark_ends_the_session_and_what_follows_is_named() {
    for rest in [&b""[..], b"\0\0\0\0", b"more"] {
        let bytes = [&start()[..], &[0, 0], rest].concat();
        for content in [bytes.clone(), gzip(&bytes)] {
            let mut feed = feed_of(content);
            assert_eq!(drain(&mut feed).len(), 1);
            assert!(feed.checks().has_start && feed.checks().has_end);
            assert_eq!((feed.checks().bytes, feed.position().byte_offset), (16, 16));
            let said = feed.description().assumptions.join("");
            assert_eq!(said.contains("more bytes follow"), !rest.is_empty(), "{said}");
        }
    }
}

#[test]
fn an_unknown_type_is_kept_as_far_as_its_records_reach() {
    let long = Message::new(b'z', 3, 0, 5).text(&"x".repeat(65_524));
    assert_eq!(long.0.len(), 65_535);
    let bytes = [start(), long.raw_frame(), start()].concat();
    let mut feed = streamed(bytes);
    let events = drain(&mut feed);
    assert_eq!(events.len(), 1 + 8 + 1);
    let ringtape::event::EventView::Notice(notice) = events[1].view() else { panic!() };
    assert_eq!(
        (notice.message_type.0, notice.body_bytes, notice.body.0),
        (b'z', 65_524, [b'x'; 28])
    );
    let found = feed.checks().unknown_types;
    assert_eq!((found.count, found.first, found.last), (1, 1, 1));
}

#[test]
fn every_truncation_delivers_what_is_whole_and_names_the_rest() {
    let bytes = recording(30);
    let expected = events_of(bytes.clone());
    let mut boundaries = vec![0];
    while let Some(&at) = boundaries.last().filter(|&&at| at < bytes.len()) {
        boundaries.push(at + 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]])));
    }
    for length in 3..bytes.len() {
        let whole = boundaries.partition_point(|&at| at <= length) - 1;
        let is_boundary = boundaries.contains(&length);
        for mut feed in [feed_of(bytes[..length].to_vec()), streamed(bytes[..length].to_vec())] {
            let (events, outcome) = drain_to_fault(&mut feed, 64);
            assert_eq!(messages(&events).count(), whole, "{length} bytes");
            let same = |a: &Event, b: &Event| (a.kind, a.payload) == (b.kind, b.payload);
            assert!(events.iter().zip(&expected).all(|(a, b)| same(a, b)));
            assert_eq!(outcome.is_ok(), is_boundary, "{length} bytes: {outcome:?}");
            if let Err(error) = outcome {
                let told = format!("byte {}, message {whole}: ", boundaries[whole]);
                assert!(error.to_string().contains(&told), "{error}");
                assert_eq!(error.exit_code(), 3);
            }
        }
    }
}

#[test]
fn every_truncation_of_a_gzip_file_is_an_error() {
    let packed = gzip(&recording(30));
    for length in 1..packed.len() {
        let opened = ItchFeed::from_bytes("cut", packed[..length].to_vec(), &OPTIONS);
        let outcome = opened.and_then(|mut feed| drain_to_fault(&mut feed, 64).1);
        let error = outcome.expect_err("cut short");
        assert_eq!(error.exit_code(), 3, "{length} bytes: {error}");
        if length > 2 {
            assert!(error.to_string().contains("the gzip data end early"), "{length}: {error}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        garbage in prop::collection::vec(any::<u8>(), 0..2_000),
        messages in 0_usize..20,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = recording(messages + 1);
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= value;
        }
        for content in [bytes.clone(), [bytes.clone(), garbage.clone()].concat(), garbage, gzip(&bytes)] {
            if let Ok(mut feed) = ItchFeed::from_bytes("noise", content, &OPTIONS) {
                let (events, outcome) = drain_to_fault(&mut feed, 16);
                prop_assert_eq!(crate::feed_common::messages(&events).count() as u64, feed.checks().messages);
                prop_assert!(outcome.is_ok() || outcome.is_err_and(|e| e.exit_code() == 3));
            }
        }
    }

    #[test]
    fn zero_prefixes_read_the_same_as_lengths(
        given in prop::collection::vec((0..MESSAGES.len(), any::<[[u8; 32]; 2]>()), 3..40),
    ) {
        let (mut prefixed, mut zeroed) = (Vec::new(), Vec::new());
        for (choice, noise) in given {
            let frame = valid_message(choice, bytemuck::cast_ref(&noise)).frame();
            zeroed.extend([&[0, 0], &frame[2..]].concat());
            prefixed.extend(frame);
        }
        let mut feed = feed_of(zeroed);
        prop_assert_eq!(drain(&mut feed), events_of(prefixed));
        prop_assert!(feed.description().assumptions[0].contains("zero length prefix"));
    }
}

#[test]
fn damage_behind_the_end_mark_of_a_gzip_file_is_told() {
    let mut packed = gzip(&[start(), vec![0, 0]].concat());
    let checksum = packed.len() - 6;
    packed[checksum] ^= 1;
    let (events, outcome) = drain_to_fault(&mut feed_of(packed), 64);
    assert_eq!(events.len(), 1);
    assert!(outcome.expect_err("a wrong checksum").to_string().contains("gzip data are damaged"));
}
