//! LOBSTER message files: read, grouped, refused where they are faulty, and held to the exchange's
//! own books row by row.
//!
//! Would catch a misread column, a swapped side, a halt or a hidden execution that moves the book, a
//! group that is parted, a last line without its end that is lost.

use std::fs;

use ringtape::book::Replica;
use ringtape::event::kinds::Text;
use ringtape::event::{Event, EventView, Flags, payload};
use ringtape::feed::lobster::LobsterFeed;
use ringtape::feed::{self, Feed, OpenOptions};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use crate::feed_common::{Trickle, drain, drain_to_fault};

const ID: InstrumentId = InstrumentId(1);

fn open(rows: &str) -> LobsterFeed {
    let name = "ACME_2012-06-21_34200000_57600000_message_10.csv";
    let rows = rows.to_owned();
    LobsterFeed::from_bytes(name, rows, &OpenOptions::default()).expect("rows")
}

/// The events without the two that introduce the instrument.
fn events(rows: &str) -> Vec<Event> {
    drain(&mut open(rows)).split_off(2)
}

#[test]
fn each_type_becomes_its_record_and_the_last_line_needs_no_end() {
    let rows = "1.000000001,1,7,100,5000000,1\r\n1.5,2,7,30,5000000,1\n2,4,7,20,5000000,1\n\
                3,5,0,15,5000100,-1\n4,6,-1,900,5000000,-1\n5,7,0,0,-1,-1\n6,7,0,0,0,-1\n\
                7,7,0,0,1,-1\n8,3,7,50,5000000,1";
    let events = events(rows);
    assert_eq!(events.len(), 9);
    assert!(events.iter().all(Event::is_last));
    assert_eq!((events[0].ts_event, events[0].side()), (1_000_000_001, Some(Side::Buy)));
    let states: Vec<u8> = events
        .iter()
        .filter_map(|event| match event.view() {
            EventView::Status(status) => Some(status.state.0),
            _ => None,
        })
        .collect();
    assert_eq!(states, *b"HQT");

    let mut replica = Replica::new();
    events.iter().for_each(|event| _ = replica.apply(event));
    assert_eq!(replica.totals().live_orders, 0);
    let stats = replica.stats(ID);
    assert_eq!(
        (stats.executed_qty, stats.hidden_qty, stats.cross_qty),
        (Qty(20), Qty(15), Qty(900))
    );
    assert_eq!((stats.volume, stats.trades), (Qty(935), 3));
    assert_eq!((replica.counts().unknown_orders.count, replica.is_trading(ID)), (0, true));
}

#[test]
fn neighbouring_executions_of_one_time_and_direction_are_one_exchange_event() {
    let rows = "1,1,7,100,5000000,-1\n2,4,7,10,5000000,-1\n2,5,0,10,5000000,-1\n\
                2,4,7,10,5000000,-1\n2,4,9,10,5000000,1\n2,1,8,10,5000000,1\n3,4,7,10,5000000,-1\n";
    let last: Vec<bool> = events(rows).iter().map(Event::is_last).collect();
    assert_eq!(last, [true, false, false, true, true, true, true]);
}

#[test]
fn a_stream_that_trickles_gives_the_same_events() {
    let rows =
        "1,1,7,100,5000000,-1\n2,4,7,10,5000000,-1\n2,4,7,10,5000000,-1\n9,3,7,80,5000000,-1";
    let source = Trickle { inner: rows.as_bytes(), step: 3 };
    let mut feed =
        LobsterFeed::from_reader("ACME_x.csv", source, &OpenOptions::default()).expect("rows");
    assert_eq!(drain(&mut feed), drain(&mut open(rows)));
}

#[test]
fn a_faulty_line_is_told_after_everything_before_it() {
    let mut feed = open("1,1,7,100,5000000,-1\n2,4,7,1O,5000000,-1\n3,3,7,90,5000000,-1\n");
    let (events, outcome) = drain_to_fault(&mut feed, 8);
    assert_eq!((events.len(), feed.checks().messages), (3, 1));
    let told = outcome.expect_err("a fault").to_string();
    assert!(told.contains("byte 27, message 1: line 2: the size is `1O`"), "{told}");
    let long = format!("1,1,7,100,5000000,-1\n{}\n", "9".repeat(300));
    let (_, outcome) = drain_to_fault(&mut open(&long), 8);
    assert!(outcome.expect_err("a fault").to_string().contains("no end within 256 bytes"));
}

/// The levels of a row of the order-book file: bids, then offers, best first.
fn levels(row: &str) -> [Vec<(Price, Qty)>; 2] {
    let numbers: Vec<i64> = row.split(',').map(|text| text.parse().expect("a number")).collect();
    let side = |first: usize| {
        let levels = numbers.chunks(4).map(|level| (level[first], level[first + 1]));
        let there = levels.filter(|&(_, qty)| qty > 0);
        there.map(|(price, qty)| (Price(price), Qty(qty as u64))).collect()
    };
    [side(2), side(0)]
}

/// A replica with one order for each level of a row; its reference is the level's price.
fn rebuilt(row: &str) -> Replica {
    let mut replica = Replica::new();
    for (side, levels) in [Side::Buy, Side::Sell].into_iter().zip(levels(row)) {
        for (price, qty) in levels {
            let order_id = OrderId(price.0 as u64);
            let add = payload::Add { order_id, price, qty, attribution: Text([0; 4]), pad: 0 };
            replica.apply(&Event::new(0, ID.0, add).with_side(side).with_flags(Flags::LAST));
        }
    }
    replica
}

/// What a message does to the levels: orders older than the file are found by price and side too.
fn on_levels(event: &Event, price: u64) -> Event {
    let (ts, id) = (event.ts_event, event.instrument);
    let reduce = |qty| {
        let reduce = payload::Reduce { order_id: OrderId(price), pad: 0, qty, pad2: 0 };
        Event::new(ts, id, reduce).with_flags(Flags::LAST)
    };
    match event.view() {
        EventView::Execute(execute) => reduce(execute.qty),
        EventView::Reduce(taken) => reduce(taken.qty),
        _ => *event,
    }
}

#[test]
fn the_aapl_sample_steps_from_row_to_row_998_times_of_998() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let name = |kind| folder.join(format!("lobster/AAPL_2012-06-21_first999_{kind}_10.csv"));
    let mut feed = feed::open(&name("message"), &OpenOptions::default()).expect("a message file");
    let events = drain(&mut *feed).split_off(2);
    let messages = fs::read_to_string(name("message")).expect("messages");
    let books = fs::read_to_string(name("orderbook")).expect("books");
    let books: Vec<&str> = books.lines().collect();
    assert_eq!((events.len(), books.len(), feed.checks().messages), (999, 999, 999));

    let (mut agreed, mut revealed) = (0, 0);
    // The first message's book before it is not in the file.
    let steps = events[1..].iter().zip(messages.lines().skip(1)).zip(&books).zip(&books[1..]);
    for (((event, message), before), after) in steps {
        let columns: Vec<&str> = message.split(',').collect();
        let price: u64 = columns[4].parse().expect("a price");
        let mut replica = rebuilt(before);
        let event = match event.view() {
            // A delete takes the order's shares off its level.
            EventView::Delete(_) => on_levels(
                &Event::new(
                    event.ts_event,
                    ID.0,
                    payload::Reduce {
                        order_id: OrderId(0),
                        pad: 0,
                        qty: Qty(columns[3].parse().expect("a size")),
                        pad2: 0,
                    },
                ),
                price,
            ),
            _ => on_levels(event, price),
        };
        replica.apply(&event);
        assert_eq!(replica.counts().unknown_orders.count, 0, "{message}");
        let mut is_revealed = false;
        for (side, truth) in [Side::Buy, Side::Sell].into_iter().zip(levels(after)) {
            let known = replica.levels(ID, side).map(|level| (level.price, level.qty));
            let known: Vec<_> = known.take(truth.len()).collect();
            is_revealed |= known.len() < truth.len();
            assert_eq!(known, truth[..known.len()], "{message}");
        }
        agreed += 1;
        revealed += usize::from(is_revealed);
    }
    assert_eq!((agreed, revealed), (998, 318));

    let mut replica = Replica::new();
    events.iter().for_each(|event| _ = replica.apply(event));
    assert_eq!(replica.counts().unknown_orders.count, 9, "orders older than the file");
}
