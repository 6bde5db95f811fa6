//! Databento's market-by-order recordings: versions, actions, flags, faults.
//!
//! Would catch a version that is misread, a fill that takes its shares off twice or its volume, a
//! modify that loses or keeps its place against the rule, and damage that passes in silence.
#![cfg(feature = "dbn")]

use ringtape::book::Replica;
use ringtape::error::Error;
use ringtape::event::{EventView, Flags, Kind};
use ringtape::feed::dbn::DbnFeed;
use ringtape::feed::{self, Feed, OpenOptions};
use ringtape::units::{InstrumentId, OrderId, Price, Qty};

#[cfg(feature = "cli")]
use crate::common::program::run;
use crate::common::shared_feeds;
use crate::feed_common::{drain, drain_to_fault};

/// Flags of a record: the last of its event; of a snapshot.
const LAST: u8 = 0x80;
const SNAPSHOT: u8 = 0x20;

/// Bytes of the prelude and metadata below.
const HEAD_BYTES: usize = 8 + 100 + 16;

/// A file of version 1 without symbols.
fn file(schema: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut metadata = b"XNAS.ITCH\0\0\0\0\0\0\0".to_vec();
    metadata.extend(schema.to_le_bytes());
    metadata.extend([0; 8]);
    metadata.extend([0xff; 8]);
    metadata.extend([0; 8]);
    metadata.extend([0xff; 8]);
    metadata.extend([0xff, 0, 0]);
    metadata.extend([0; 47]);
    metadata.extend([0; 4 + 16]);
    let mut bytes = b"DBN\x01".to_vec();
    bytes.extend((metadata.len() as u32).to_le_bytes());
    bytes.extend(metadata);
    bytes.extend(records.concat());
    bytes
}

struct Row(u64, u8, u8, u64, i64, u32, u8);

/// A market-by-order record.
fn record(Row(ts, action, side, order_id, price, size, flags): Row) -> Vec<u8> {
    let mut bytes = vec![14, 0xa0, 1, 0];
    bytes.extend(77_u32.to_le_bytes());
    bytes.extend(ts.to_le_bytes());
    bytes.extend(order_id.to_le_bytes());
    bytes.extend((price * 1_000_000_000).to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend([flags, 0, action, side]);
    bytes.extend(ts.to_le_bytes());
    bytes.extend([0; 8]);
    bytes
}

fn feed_of(bytes: Vec<u8>) -> DbnFeed {
    DbnFeed::from_bytes("test", bytes).expect("a recording")
}

#[test]
#[cfg(feature = "cli")]
fn hours_in_another_clock_than_utc_hold_for_a_file_and_for_the_journal_of_it() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (day, own, dir) = (path("day.dbn"), path("own.toml"), path("run"));
    let noon = 1_580_403_600_000_000_000;
    let add = record(Row(noon, b'A', b'B', 1, 100, 10, LAST));
    std::fs::write(&day, file(0, &[add])).expect("a file");
    let hours = "[77]\nopen = \"09:30\"\nclose = \"16:00\"\nzone = \"eastern\"\n";
    std::fs::write(&own, hours).expect("a file");
    for arguments in [
        vec!["replay", &day, "--instruments", &own, "--json"],
        vec!["replay", &day, "--journal", &dir, "--json"],
        vec!["replay", &dir, "--instruments", &own, "--json"],
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.all());
        assert!(!ran.all().contains("not in the feed"), "{}", ran.all());
    }
}

#[test]
fn every_action_does_to_the_book_what_it_says() {
    let rows = [
        Row(1, b'R', b'N', 0, 0, 0, SNAPSHOT),
        Row(9, b'A', b'B', 1, 100, 10, SNAPSHOT),
        Row(5, b'A', b'B', 2, 100, 20, SNAPSHOT | LAST),
        Row(20, b'A', b'A', 3, 102, 30, LAST),
        // Keeps its place at an equal price and a smaller size, loses it with a larger one.
        Row(21, b'M', b'B', 1, 100, 8, LAST),
        Row(22, b'M', b'B', 1, 100, 9, LAST),
        Row(23, b'C', b'A', 3, 102, 5, LAST),
        // A sell of 25 takes order 2 and part of order 1: said by trade, fills, and what is left.
        Row(30, b'T', b'A', 0, 100, 25, 0),
        Row(30, b'F', b'B', 2, 100, 20, 0),
        Row(30, b'F', b'B', 1, 100, 5, 0),
        Row(30, b'C', b'B', 2, 100, 20, 0),
        Row(30, b'M', b'B', 1, 100, 4, LAST),
        // A hidden trade, and nothing.
        Row(40, b'T', b'B', 0, 101, 7, LAST),
        Row(41, b'N', b'N', 0, 0, 0, LAST),
    ];
    let mut feed = feed_of(file(0, &rows.map(record)));
    let events = drain(&mut feed);
    let kinds: Vec<_> = events[2..].iter().filter_map(|event| event.kind()).collect();
    let expected = [
        Kind::Clear,
        Kind::Add,
        Kind::Add,
        Kind::Add,
        Kind::Modify,
        Kind::Modify,
        Kind::Reduce,
        Kind::Notice,
        Kind::Execute,
        Kind::Execute,
        Kind::Notice,
        Kind::Modify,
        Kind::Trade,
        Kind::Notice,
    ];
    assert_eq!(kinds, expected);
    let lasts = events.iter().filter(|event| event.has(Flags::LAST)).count();
    let snapshot = events.iter().filter(|event| event.has(Flags::SNAPSHOT)).count();
    assert_eq!((lasts, snapshot), (8, 3));

    let mut replica = Replica::new();
    for event in &events[..8] {
        replica.apply(event);
    }
    let queue = |replica: &Replica| -> Vec<u64> {
        let side = ringtape::units::Side::Buy;
        let price = Price(100_000_000_000);
        replica.queue(InstrumentId(1), side, price).map(|order| order.order_id.0).collect()
    };
    assert_eq!(queue(&replica), [2, 1], "a larger size goes to the back");
    for event in &events[8..] {
        replica.apply(event);
    }
    assert_eq!(replica.order(OrderId(1)).map(|order| order.qty), Some(Qty(4)));
    assert!(replica.order(OrderId(2)).is_none());
    assert_eq!(replica.order(OrderId(3)).map(|order| order.qty), Some(Qty(25)));
    assert_eq!(replica.counts().unknown_orders.count, 0);
    assert_eq!(replica.stats(InstrumentId(1)).volume, Qty(25 + 7));

    let checks = feed.checks();
    assert_eq!((checks.messages, checks.backwards.count), (14, 0));
    assert!(checks.has_start);
    assert_eq!(feed.position().byte_offset, checks.bytes);
    assert!(feed.description().assumptions[0].contains("names no symbols"));
}

#[test]
#[cfg(feature = "cli")]
fn steps_that_itch_has_not_are_refused_and_an_old_file_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let [day, itch] = ["day.dbn", "day.itch.gz"].map(|name| folder.path().join(name));
    let add = Row(1, b'A', b'B', 1, 10, 5, LAST);
    std::fs::write(&day, file(0, &[record(add)])).expect("a file");
    std::fs::write(&itch, "mine").expect("a file");
    let [day, to] = [&day, &itch].map(|path| path.to_str().expect("letters"));
    let ran = run(["convert", day, to, "--force"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert_eq!(std::fs::read_to_string(&itch).expect("a file"), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

#[test]
fn other_schemas_damage_and_cuts_are_named() {
    let error = DbnFeed::from_bytes("test", file(4, &[])).expect_err("trades are no orders");
    assert!(error.to_string().contains("schema `trades`"), "{error}");
    let good = record(Row(1, b'A', b'B', 1, 100, 10, LAST));
    for (bad, told) in [
        (record(Row(2, b'Q', b'B', 1, 100, 10, LAST)), "unknown action `Q`"),
        (record(Row(2, b'A', b'N', 1, 100, 10, LAST)), "has no side"),
        (good[..30].to_vec(), "ends inside a record, of which it has 30 bytes"),
    ] {
        let bytes = file(0, &[good.clone(), good.clone(), bad]);
        let (events, outcome) = drain_to_fault(&mut feed_of(bytes), 64);
        assert_eq!(crate::feed_common::messages(&events).count(), 2);
        let error = outcome.expect_err(told);
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.to_string().contains("message 2"), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
    let cut = file(0, &[])[..HEAD_BYTES - 60].to_vec();
    let error = DbnFeed::from_bytes("test", cut).expect_err("no whole metadata");
    assert!(error.to_string().contains("version 1"), "{error}");
}

#[test]
fn databentos_own_files_of_three_versions_hold_two_records_each() {
    let Some(folder) = shared_feeds() else { return };
    let mut seen = Vec::new();
    for name in ["v1.dbn.zst", "v2.dbn.zst", "v3.dbn.zst", "v3.dbn"] {
        let path = folder.join(format!("dbn/test_data.mbo.{name}"));
        let mut feed = feed::open(&path, &OpenOptions::default()).expect("a recording");
        let events = drain(&mut *feed);
        assert_eq!(feed.checks().messages, 2, "{name}");
        assert_eq!(feed.checks().by_type[usize::from(b'C')], 2, "{name}");
        let reduces: Vec<_> = events
            .iter()
            .filter_map(|event| match event.view() {
                EventView::Reduce(reduce) => Some((event.ts_event, reduce.order_id, reduce.qty)),
                _ => None,
            })
            .collect();
        assert_eq!(reduces.len(), 2, "{name}");
        assert_eq!(feed.description().format, "dbn-mbo");
        let symbol = events.iter().find_map(|event| match event.view() {
            EventView::Instrument(named) => Some(named.symbol.as_str().to_owned()),
            _ => None,
        });
        assert_eq!(symbol.as_deref(), Some("ESH1"), "{name}");
        seen.push((events, feed.checks().bytes));
    }
    assert!(seen.iter().all(|(events, _)| *events == seen[0].0), "the same in each version");
    assert_eq!(seen[2].1, seen[3].1);
}

#[test]
fn metadata_of_a_length_that_cannot_be_is_refused_before_memory_is_asked_for() {
    let mut bytes = file(0, &[]);
    bytes[4..8].fill(0xff);
    let refused = DbnFeed::from_bytes("test", bytes).expect_err("4 GiB of metadata");
    assert!(refused.to_string().contains("4294967295 bytes"), "{refused}");
    assert_eq!(refused.exit_code(), 3);
}

#[test]
fn a_file_that_ends_before_its_metadata_do_is_refused_at_every_length() {
    let mut whole = file(0, &[]);
    whole.resize(400, 0);
    whole[4..8].copy_from_slice(&400_u32.to_le_bytes());
    for length in 0..whole.len() {
        let refused = DbnFeed::from_bytes("test", whole[..length].to_vec());
        let refused = refused.expect_err("a part of the metadata");
        assert_eq!(refused.exit_code(), 3, "{length} bytes: {refused}");
    }
}

#[test]
fn a_record_that_cannot_be_is_told_where_it_is_and_those_before_it_are_delivered() {
    let add = |order| record(Row(1_000 + order, b'A', b'B', order, 100, 10, LAST));
    let before = file(0, &[add(1), add(2)]);
    let place = before.len() as u64;
    let bytes = [before, vec![0; 56]].concat();
    let (events, outcome) = drain_to_fault(&mut feed_of(bytes), 64);
    assert_eq!(crate::feed_common::messages(&events).count(), 2);
    let Err(Error::BadFeed { offset, message, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((offset, message), (place, 2));
}
