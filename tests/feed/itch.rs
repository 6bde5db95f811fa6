//! The ITCH decoder against real recordings: counts by type, exchange events, traps.
//!
//! Would catch a message that is lost, counted twice, decoded at a wrong offset or grouped wrongly.

use std::path::Path;

use ringtape::event::{Event, EventView, Flags, Kind};
use ringtape::feed::{self, Feed, OpenOptions};

use crate::feed_common::drain;

fn open(path: &Path) -> Box<dyn Feed> {
    feed::open(path, &OpenOptions::default()).expect("a recording that opens")
}

/// The counts of a feed's checks as `A 3 D 2`, by letter.
fn counts(feed: &dyn Feed) -> String {
    let by_type = feed.checks().by_type.iter().enumerate().filter(|(_, count)| **count > 0);
    let words: Vec<_> =
        by_type.map(|(letter, count)| format!("{} {count}", letter as u8 as char)).collect();
    words.join(" ")
}

#[test]
fn the_aapl_recording_has_its_counts_and_exchange_events() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let mut feed = open(&folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50"));
    let events = drain(&mut *feed);
    assert_eq!(counts(&*feed), "A 4758 D 4083 E 849 F 2 H 1 L 52 P 240 R 1 U 7 X 6 Y 1");
    let checks = feed.checks();
    assert_eq!((checks.messages, checks.bytes), (10_000, 307_643));
    assert_eq!((checks.unknown_types.count, checks.backwards.count, checks.gaps.count), (0, 0, 0));
    assert_eq!(checks.first_ts, Some(0x0a37_d4d0_d309));
    assert_eq!((checks.has_start, checks.has_end), (false, false));
    assert!(feed.description().assumptions.is_empty());

    let messages = events.iter().filter(|e| !e.has(Flags::CONTINUED)).count();
    assert_eq!((messages, events.len()), (10_000, 10_002), "only R becomes three records");

    let (mut executions, mut hidden, mut largest) = (0, 0, 0);
    for group in events.split_inclusive(|e| e.has(Flags::LAST)) {
        let has = |kind| group.iter().any(|e| e.kind() == Some(kind));
        executions += usize::from(has(Kind::Execute));
        hidden += usize::from(has(Kind::Trade) && !has(Kind::Execute));
        largest = largest.max(group.len());
    }
    assert_eq!((executions, hidden), (687, 120));
    assert!(largest > 5, "some aggressor took several orders");
}

#[test]
fn the_opening_slice_introduces_its_instruments_as_it_meets_them() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let mut feed = open(&folder.join("itch/ALL_20191230_open_1000.NASDAQ_ITCH50"));
    let events = drain(&mut *feed);
    assert_eq!(counts(&*feed), "A 367 C 1 D 167 E 28 F 193 I 4 P 4 Q 4 S 1 U 225 X 6");
    assert_eq!(events.iter().filter(|e| !e.has(Flags::CONTINUED)).count(), 1_000);
    let assumed = events
        .iter()
        .filter(|e| matches!(e.view(), EventView::InstrumentTerms(t) if t.assumed == 1));
    assert!(assumed.count() > 100);
    let printed = |e: &&Event| e.kind() == Some(Kind::Cross) && e.has(Flags::PRINTABLE);
    assert_eq!(events.iter().filter(printed).count(), 2, "two of the four crosses have 0 shares");
}

#[test]
fn a_file_of_zero_length_prefixes_is_read_by_type_and_says_so() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let mut feed = open(&folder.join("itch/ex20101224.TEST_ITCH_50.gz"));
    drain(&mut *feed);
    assert_eq!(counts(&*feed), "A 4997 D 1745 E 198 F 3 H 3 P 5000 R 3 S 6 U 12 X 45");
    assert_eq!(feed.description().compression, "gzip");
    let [assumed] = &feed.description().assumptions[..] else { panic!("one assumption") };
    assert!(assumed.contains("zero length prefix"), "{assumed}");
    assert!(feed.checks().has_start && feed.checks().has_end);
}
