//! IEX DEEP and TOPS from datagrams built here: levels, quotes, trades, gaps, copies.
//!
//! Would catch a level on the wrong side, a book looked at before its event is complete, a quote
//! whose old price stays, a gap or copy miscounted, and a header that overflows.
#![cfg(feature = "pcap")]

use ringtape::book::Replica;
use ringtape::event::{Event, EventView, Flags};
use ringtape::feed::{self, Checks, Located, OpenOptions};
use ringtape::units::{InstrumentId, Price, Qty, Side};

use crate::feed_common::iex::{DEEP, Message, TOPS, capture, segment};
use crate::feed_common::{drain, drain_to_fault};

const START: i64 = 1_700_000_000_000_000_000;

fn level(letter: u8, is_complete: bool, ts: i64, (qty, price): (u32, i64)) -> Message {
    Message::new(letter, u8::from(is_complete), START + ts, "ACME").u32(qty).i64(price)
}

fn quote(ts: i64, bid: (u32, i64), ask: (u32, i64)) -> Message {
    let message = Message::new(b'Q', 0, START + ts, "ACME");
    message.u32(bid.0).i64(bid.1).i64(ask.1).u32(ask.0)
}

fn trade(letter: u8, ts: i64, number: i64) -> Message {
    Message::new(letter, 0, START + ts, "ACME").u32(100).i64(1_002_500).i64(number)
}

/// What is neither: a message of letter `z`, longer than any header.
fn unknown(ts: i64) -> Message {
    Message::new(b'z', 0, START + ts, "ACME")
}

fn read(segments: &[Vec<u8>]) -> (Vec<Event>, Checks, &'static str) {
    let options = OpenOptions::default();
    let mut feed = feed::open_bytes("test", capture(segments), &options).expect("a capture");
    let events = drain(&mut *feed);
    (events, feed.checks().clone(), feed.description().format)
}

fn levels(events: &[Event], side: Side) -> Vec<(i64, u64)> {
    let mut replica = Replica::new();
    for event in events {
        replica.apply(event);
    }
    replica.levels(InstrumentId(1), side).map(|level| (level.price.0, level.qty.0)).collect()
}

#[test]
fn levels_of_deep_build_both_sides_and_an_event_ends_with_its_bit() {
    let (events, checks, format) = read(&[
        segment(DEEP, 1, &[level(b'8', true, 0, (300, 1_002_500))]),
        segment(
            DEEP,
            2,
            &[level(b'5', false, 1, (200, 1_002_600)), level(b'5', true, 1, (50, 1_002_700))],
        ),
        segment(DEEP, 4, &[level(b'8', true, 2, (0, 1_002_500)), trade(b'T', 3, 9)]),
    ]);
    assert_eq!(format, "iex-deep");
    assert_eq!((checks.messages, checks.gaps.count), (5, 0));
    assert_eq!(levels(&events, Side::Buy), []);
    assert_eq!(levels(&events, Side::Sell), [(1_002_600, 200), (1_002_700, 50)]);
    let set = events.iter().filter(|event| matches!(event.view(), EventView::LevelSet(_)));
    let is_last: Vec<bool> = set.map(|event| event.has(Flags::LAST)).collect();
    assert_eq!(is_last, [true, false, true, true]);
}

#[test]
fn a_quote_of_tops_takes_away_what_it_no_longer_tells() {
    let first = quote(0, (300, 1_002_500), (200, 1_002_600));
    let second = quote(1, (100, 1_002_400), (200, 1_002_600));
    let third = quote(2, (100, 1_002_400), (0, 0));
    let (events, checks, format) =
        read(&[segment(TOPS, 1, &[first, second]), segment(TOPS, 3, &[third])]);
    assert_eq!((format, checks.messages), ("iex-tops", 3));
    assert_eq!(levels(&events, Side::Buy), [(1_002_400, 100)]);
    assert_eq!(levels(&events, Side::Sell), []);
}

#[test]
fn trades_print_and_are_broken_by_their_number() {
    let (events, ..) = read(&[segment(TOPS, 1, &[trade(b'T', 0, 41), trade(b'B', 1, 41)])]);
    let mut replica = Replica::new();
    let trade = events.iter().find_map(|event| match event.view() {
        EventView::Trade(trade) => Some((trade.price, trade.qty, trade.match_id.0)),
        _ => None,
    });
    assert_eq!(trade, Some((Price(1_002_500), Qty(100), 41)));
    for event in &events {
        replica.apply(event);
    }
    assert_eq!(replica.counts().unknown_breaks, 0);
}

#[test]
fn gaps_have_their_numbers_and_copies_are_read_once() {
    let add = |ts| level(b'8', true, ts, (100, 1_000_000 + ts * 100));
    let (events, checks, _) = read(&[
        segment(DEEP, 1, &[add(1), add(2)]),
        // The other line, one message further.
        segment(DEEP, 1, &[add(1), add(2), add(3)]),
        segment(DEEP, 4, &[]),
        segment(DEEP, 9, &[add(9)]),
    ]);
    assert_eq!((checks.messages, checks.gaps.count), (4, 5));
    let gap = checks.gap_ranges[0];
    assert_eq!((gap.from, gap.until, gap.message), (4, 9, 3));
    assert_eq!(checks.gaps.first_ts, START as u64 + 9, "the time of the message behind it");
    assert_eq!(levels(&events, Side::Buy).len(), 4);
    // What comes below the first number is lost, and told once.
    let (_, checks, _) = read(&[
        segment(DEEP, 5, &[add(5)]),
        segment(DEEP, 3, &[add(3), add(4)]),
        segment(DEEP, 3, &[add(3), add(4), add(5), add(6)]),
        segment(DEEP, 9, &[]),
    ]);
    let ranges: Vec<_> = checks.gap_ranges.iter().map(|gap| (gap.from, gap.until)).collect();
    assert_eq!((checks.messages, ranges), (2, vec![(3, 5), (7, 9)]));
}

#[test]
fn numbers_that_overflow_and_messages_cut_short_are_no_panic() {
    let (_, checks, _) = read(&[segment(DEEP, -1, &[level(b'8', true, 0, (1, 100))])]);
    assert_eq!(checks.messages, 1);
    let mut short = segment(DEEP, 1, &[level(b'8', true, 0, (1, 100))]);
    let last = short.len() - 1;
    short.truncate(last);
    let length = (last as u16 - 40).to_le_bytes();
    short[12..14].copy_from_slice(&length);
    let options = OpenOptions::default();
    let mut feed = feed::open_bytes("test", capture(&[short]), &options).expect("a capture");
    let (_, outcome) = drain_to_fault(&mut *feed, 64);
    let told = outcome.expect_err("a fault").to_string();
    assert!(told.contains("shorter than its type"), "{told}");
}

#[test]
fn a_protocol_that_is_not_read_is_refused_by_its_name() {
    for (protocol, told) in [(0x8005, "0x8005 (DEEP+)"), (0x8001, "0x8001")] {
        let bytes = capture(&[segment(protocol, 1, &[level(b'8', true, 0, (300, 1_002_500))])]);
        let refused = feed::open_bytes("test", bytes, &OpenOptions::default()).err();
        let refused = refused.expect("a refusal");
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.exit_code(), 3);
    }
}

#[test]
fn datagrams_of_another_protocol_are_left_out_and_told() {
    let add = |ts| level(b'8', true, ts, (100, 1_000_000 + ts * 100));
    let segments = [
        segment(DEEP, 1, &[add(1)]),
        segment(TOPS, 1, &[quote(2, (300, 1_002_500), (200, 1_002_600))]),
        b"a question that is as long as a header, and longer".to_vec(),
        segment(DEEP, 2, &[add(3)]),
    ];
    let options = OpenOptions::default();
    let mut feed = feed::open_bytes("test", capture(&segments), &options).expect("a capture");
    drain(&mut *feed);
    assert_eq!((feed.checks().messages, feed.checks().gaps.count), (2, 0));
    let byte = capture(&segments[..1]).len();
    let told = feed.description().assumptions.join("\n");
    let expected =
        format!("2 datagrams of other protocols were left out, the first at byte {byte}");
    assert!(told.contains(&expected), "{told}");
}

#[test]
fn unknown_types_and_backward_times_are_found_at_their_message() {
    let add = |ts| level(b'8', true, ts, (100, 1_000_000 + ts * 100));
    let first = segment(DEEP, 1, &[add(1)]);
    let bytes = Some(capture(std::slice::from_ref(&first)).len() as u64);
    let second = segment(DEEP, 2, &[add(2), unknown(3), add(4), add(2), add(5)]);
    let (_, checks, _) = read(&[first, second]);
    let place = |found: &Located| (found.count, found.first, found.first_byte);
    assert_eq!(place(&checks.unknown_types), (1, 2, bytes));
    assert_eq!(place(&checks.backwards), (1, 4, bytes));
}
