//! Mistakes that other order books shipped, one test each, and the faults that messages may have.
//!
//! Would catch: lost time priority, phantom levels, stale best prices, reused references, totals
//! that do not add up, leaking slots, and panics or silence at the edges of every number.

use ringtape::book::{ChangeKind, InstrumentStats, ORDER_QTY_MAX, Replica, ReplicaCounts, Touch};
use ringtape::event::{Event, Instrument, InstrumentTable};
use ringtape::limits::INSTRUMENTS_MAX;
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use crate::book_events::*;

const X: u32 = 13;
const ID: InstrumentId = InstrumentId(X);

fn after(stream: &[Event]) -> Replica {
    let mut replica = Replica::new();
    for event in stream {
        replica.apply(event);
    }
    replica
}

/// References of the queue at a price, front to back.
fn queue(replica: &Replica, side: Side, price: i64) -> Vec<u64> {
    let queue: Vec<_> = replica.queue(ID, side, Price(price)).collect();
    assert!(queue.is_sorted_by(|a, b| a.priority < b.priority));
    queue.iter().map(|order| order.order_id.0).collect()
}

/// Prices of a side, best first; every level's total must be the sum of its queue.
fn prices(replica: &Replica, side: Side) -> Vec<i64> {
    let conserved = |price, qty, orders| {
        let queue: Vec<_> = replica.queue(ID, side, price).collect();
        assert_eq!(queue.iter().map(|order| order.qty.0).sum::<u64>(), qty);
        assert_eq!(queue.len(), orders as usize);
        price.0
    };
    replica
        .levels(ID, side)
        .map(|level| conserved(level.price, level.qty.0, level.orders))
        .collect()
}

fn touch(bid: (i64, u64), ask: (i64, u64)) -> Touch {
    Touch {
        bid_price: Price(bid.0),
        bid_qty: Qty(bid.1),
        ask_price: Price(ask.0),
        ask_qty: Qty(ask.1),
    }
}

/// Three bids of 10 at one price, in the order of their references.
fn three_bids() -> Replica {
    after(&[1, 2, 3].map(|id| add(X, id, Side::Buy, 100, 10)))
}

#[test]
fn a_cancel_in_the_middle_keeps_the_queue_in_order() {
    for (cancelled, rest) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        let mut replica = three_bids();
        replica.apply(&delete(X, cancelled));
        assert_eq!(queue(&replica, Side::Buy, 100), rest);
        replica.apply(&add(X, 4, Side::Buy, 100, 10));
        assert_eq!(queue(&replica, Side::Buy, 100), [rest[0], rest[1], 4]);
        assert_eq!(prices(&replica, Side::Buy), [100]);
    }
}

#[test]
fn a_partial_fill_a_reduction_and_a_smaller_modify_keep_the_place() {
    for event in [execute(X, 1, 4, 1), reduce(X, 1, 4), modify(X, 1, 100, 6), modify(X, 1, 100, 10)]
    {
        let mut replica = three_bids();
        replica.apply(&event);
        assert_eq!(queue(&replica, Side::Buy, 100), [1, 2, 3]);
        assert_eq!(prices(&replica, Side::Buy), [100]);
    }
}

#[test]
fn a_replace_and_a_larger_modify_go_to_the_back() {
    let mut replica = three_bids();
    let change = replica.apply(&replace(X, 1, 1, 100, 5));
    assert_eq!(queue(&replica, Side::Buy, 100), [2, 3, 1], "onto its own reference, and smaller");
    assert_eq!((change.kind, change.qty, change.left_book), (ChangeKind::Replaced, Qty(10), true));
    assert_eq!(change.new, replica.order(OrderId(1)));

    let change = replica.apply(&modify(X, 2, 100, 11));
    assert_eq!(queue(&replica, Side::Buy, 100), [3, 1, 2]);
    assert_eq!((change.kind, change.qty, change.left_book), (ChangeKind::Modified, Qty(0), false));
    assert_eq!(replica.level(ID, Side::Buy, Price(100)).qty, Qty(10 + 5 + 11));
}

#[test]
fn orders_of_one_timestamp_queue_in_the_order_of_the_messages() {
    let replica = after(&[9, 3, 7, 1].map(|id| add(X, id, Side::Sell, 50, 1)));
    assert_eq!(queue(&replica, Side::Sell, 50), [9, 3, 7, 1]);
}

#[test]
fn no_level_stays_behind_and_no_best_price_is_stale_after_the_best_is_gone() {
    let gone = [delete(X, 2), execute(X, 2, 10, 1), reduce(X, 2, 10), replace(X, 2, 9, 90, 10)];
    for event in gone {
        for side in [Side::Buy, Side::Sell] {
            let best = if side == Side::Buy { 101 } else { 99 };
            let mut replica = after(&[add(X, 1, side, 100, 5), add(X, 2, side, best, 10)]);
            assert_eq!(prices(&replica, side), [best, 100]);
            let change = replica.apply(&event);
            assert!(change.left_book);
            assert_eq!(replica.level(ID, side, Price(best)).orders, 0);
            let new_best =
                change.new.map_or(100, |new| if side == Side::Buy { 100 } else { new.price.0 });
            assert_eq!(prices(&replica, side)[0], new_best);
            let touch = replica.touch(ID);
            let shown = if side == Side::Buy { touch.bid_price } else { touch.ask_price };
            assert_eq!(shown, Price(new_best));
        }
    }
    let empty = after(&[add(X, 1, Side::Buy, 100, 5), delete(X, 1)]);
    assert_eq!((empty.touch(ID), empty.totals().levels), (Touch::default(), 0));
}

#[test]
fn a_reference_used_again_after_its_order_left_is_a_new_order() {
    let replica = after(&[
        add(X, 5, Side::Buy, 100, 10),
        add(X, 6, Side::Buy, 100, 10),
        delete(X, 5),
        add(X, 5, Side::Sell, 103, 7),
    ]);
    assert_eq!(queue(&replica, Side::Buy, 100), [6]);
    assert_eq!(queue(&replica, Side::Sell, 103), [5]);
    assert_eq!(*replica.counts(), ReplicaCounts::default());
}

#[test]
fn a_live_reference_that_comes_anew_replaces_its_order_and_is_counted() {
    let mut replica = three_bids();
    let change = replica.apply(&add(X, 1, Side::Sell, 105, 4));
    assert_eq!((change.kind, change.left_book), (ChangeKind::Replaced, true));
    assert_eq!(queue(&replica, Side::Buy, 100), [2, 3]);
    assert_eq!(queue(&replica, Side::Sell, 105), [1]);

    replica.apply(&replace(X, 2, 3, 99, 8));
    assert_eq!(queue(&replica, Side::Buy, 99), [3]);
    assert_eq!(prices(&replica, Side::Buy), [99]);
    assert_eq!((replica.counts().duplicate_adds.count, replica.totals().live_orders), (2, 2));
}

#[test]
fn a_cancel_of_a_filled_order_is_unknown_and_changes_nothing() {
    let mut replica = three_bids();
    replica.apply(&execute(X, 2, 10, 1));
    for event in [delete(X, 2), reduce(X, 2, 1), replace(X, 2, 8, 100, 1), modify(X, 2, 100, 1)] {
        let change = replica.apply(&event);
        assert_eq!((change.kind, change.order.order_id), (ChangeKind::Unknown, OrderId(2)));
    }
    assert_eq!(queue(&replica, Side::Buy, 100), [1, 3]);
    assert_eq!(replica.order(OrderId(8)), None, "a replace of an unknown order inserts nothing");
    let unknown = replica.counts().unknown_orders;
    assert_eq!((unknown.count, unknown.first, unknown.last), (4, 4, 7));
}

#[test]
fn quantities_of_zero_add_nothing_and_print_nothing() {
    let mut replica = three_bids();
    for event in [
        add(X, 4, Side::Buy, 101, 0),
        execute(X, 1, 0, 1),
        execute_at(X, 1, 99, 0, 2),
        reduce(X, 1, 0),
        trade(X, 100, 0, 3),
        cross(X, b'C', 100, 0, 4),
    ] {
        assert_eq!(replica.apply(&event).kind, ChangeKind::None);
    }
    assert_eq!(queue(&replica, Side::Buy, 100), [1, 2, 3]);
    assert_eq!((replica.last_price(ID), replica.close_price(ID)), (None, None));
    assert_eq!(replica.stats(ID), InstrumentStats::default());
    assert_eq!(replica.counts().zero_quantities, 5, "a cross of 0 is no fault");

    let kinds = [replace(X, 1, 9, 100, 0), modify(X, 2, 100, 0)].map(|e| replica.apply(&e).kind);
    assert_eq!(kinds, [ChangeKind::Deleted; 2], "replaced or modified to nothing");
    assert_eq!(queue(&replica, Side::Buy, 100), [3]);
}

#[test]
fn more_than_an_order_has_takes_all_of_it_and_is_counted() {
    let mut replica = three_bids();
    let change = replica.apply(&execute(X, 1, 15, 1));
    assert_eq!((change.qty, change.left_book), (Qty(10), true));
    assert_eq!(replica.stats(ID).volume, Qty(15), "the tape printed it");
    let change = replica.apply(&reduce(X, 2, u64::MAX));
    assert_eq!((change.qty, change.left_book), (Qty(10), true));
    assert_eq!(replica.counts().excess_quantities, 2);
    assert_eq!(queue(&replica, Side::Buy, 100), [3]);
}

#[test]
fn volume_counts_what_prints_and_the_last_price_comes_from_nothing_else() {
    let mut replica = three_bids();
    let mut volume_and_last = |event: Event| {
        replica.apply(&event);
        (replica.stats(ID).volume.0, replica.last_price(ID).map(|price| price.0))
    };
    assert_eq!(volume_and_last(execute(X, 1, 2, 1)), (2, Some(100)));
    assert_eq!(volume_and_last(execute_at(X, 1, 97, 3, 2)), (5, Some(97)));
    assert_eq!(volume_and_last(unprinted(execute_at(X, 1, 50, 5, 3))), (5, Some(97)));
    assert_eq!(volume_and_last(trade(X, 98, 100, 4)), (105, Some(98)));
    assert_eq!(volume_and_last(cross(X, b'C', 99, 1_000, 5)), (1_105, Some(99)));
    assert_eq!(volume_and_last(execute(X, 77, 7, 6)), (1_112, Some(99)), "unknown, still volume");
    assert_eq!(volume_and_last(execute_at(X, 77, 96, 1, 7)), (1_113, Some(96)));
    assert_eq!(volume_and_last(unprinted(execute_at(X, 77, 1, 1, 8))), (1_113, Some(96)));
    assert_eq!(volume_and_last(broken(X, 5)), (113, Some(96)));
    assert_eq!(volume_and_last(broken(X, 5)), (113, Some(96)), "broken once");
    assert_eq!(volume_and_last(broken(X, 3)), (113, Some(96)), "never printed");
    assert_eq!(replica.close_price(ID), Some(Price(99)));
    assert_eq!(queue(&replica, Side::Buy, 100), [2, 3], "breaking leaves the book alone");
    assert_eq!(replica.counts().unknown_breaks, 2);
    let stats = replica.stats(ID);
    let sum = stats.executed_qty.0 + stats.hidden_qty.0 + stats.cross_qty.0 - stats.broken_qty.0;
    assert_eq!((sum, stats.unprinted_qty, stats.trades), (113, Qty(6), 5));
}

#[test]
fn slots_do_not_leak_when_orders_and_levels_come_and_go() {
    let mut replica = Replica::new();
    let wave = |replica: &mut Replica, wave: u64| {
        for number in 0..1_000 {
            let price = 100 + (number % 50) as i64;
            replica.apply(&add(X, wave * 1_000 + number, Side::Buy, price, 10));
        }
        for number in 0..1_000 {
            let id = wave * 1_000 + number;
            replica.apply(
                &[delete(X, id), reduce(X, id, 10), execute(X, id, 10, 0)][number as usize % 3],
            );
        }
    };
    wave(&mut replica, 0);
    let bytes = |replica: &Replica| {
        let totals = replica.totals();
        assert_eq!((totals.live_orders, totals.levels, totals.peak_live_orders), (0, 0, 1_000));
        totals.bytes
    };
    let before = bytes(&replica);
    for number in 1..20 {
        wave(&mut replica, number);
    }
    let prints = 32 * 8_192;
    assert!(bytes(&replica) <= before + prints, "only the memory of prints grows");
}

#[test]
fn extreme_prices_sort_and_leave_like_others() {
    let extremes = [0, 1_999_999_900, i64::MIN, i64::MAX, -1, 1];
    for side in [Side::Buy, Side::Sell] {
        let mut replica = Replica::new();
        for (id, &price) in extremes.iter().enumerate() {
            replica.apply(&add(X, id as u64, side, price, 1));
        }
        let mut sorted = extremes;
        sorted.sort_by_key(|&price| if side == Side::Buy { !price } else { price });
        assert_eq!(prices(&replica, side), sorted);
        for id in 0..extremes.len() as u64 {
            replica.apply(&delete(X, id));
        }
        assert_eq!(replica.touch(ID), Touch::default());
    }
}

#[test]
fn an_order_at_price_zero_is_a_touch_and_an_empty_side_is_not() {
    let mut replica = after(&[add(X, 1, Side::Sell, 0, 3)]);
    assert_eq!(replica.touch(ID), touch((0, 0), (0, 3)));
    assert_eq!(replica.counts().crossed.count, 0);
    replica.apply(&add(X, 2, Side::Buy, 0, 4));
    assert_eq!(replica.touch(ID), touch((0, 4), (0, 3)));
    assert_eq!(replica.counts().crossed.count, 1);
}

#[test]
fn the_highest_locate_and_the_highest_instrument_have_books_and_none_above_has() {
    let highest = INSTRUMENTS_MAX as u32 - 1;
    let mut replica = Replica::new();
    for id in [65_535, highest] {
        replica.apply(&add(id, u64::from(id), Side::Buy, 100, 1));
        assert_eq!(replica.touch(InstrumentId(id)), touch((100, 1), (0, 0)));
    }
    for id in [highest + 1, u32::MAX] {
        assert_eq!(replica.apply(&add(id, 7, Side::Buy, 100, 1)).kind, ChangeKind::None);
        assert_eq!(replica.touch(InstrumentId(id)), Touch::default());
    }
    assert_eq!(replica.counts().instruments_out_of_range, 2);
    assert_eq!(replica.order(OrderId(7)), None);
}

#[test]
fn references_over_32_bits_are_told_apart() {
    let references = [1, 1 | 1 << 32, 1 | 1 << 33, 1 | 1 << 62, u64::MAX, u64::MAX >> 1];
    let stream: Vec<_> = references.iter().map(|&id| add(X, id, Side::Buy, 100, 1)).collect();
    let mut replica = after(&stream);
    assert_eq!(queue(&replica, Side::Buy, 100), references);
    for id in references {
        assert_eq!(replica.apply(&delete(X, id)).order.order_id, OrderId(id));
    }
    assert_eq!(*replica.counts(), ReplicaCounts::default());
}

#[test]
fn quantities_beyond_the_largest_rest_with_the_largest_and_are_counted() {
    let mut replica = after(&[add(X, 1, Side::Buy, 100, u64::MAX)]);
    assert_eq!(replica.order(OrderId(1)).map(|order| order.qty), Some(ORDER_QTY_MAX));
    replica.apply(&execute(X, 1, 1, 1));
    assert_eq!(replica.touch(ID).bid_qty, Qty(ORDER_QTY_MAX.0 - 1));
    assert_eq!(replica.counts().oversized_orders, 1);
}

#[test]
fn crossing_is_tested_after_last_only_while_trading_and_once_for_each_touch() {
    let mut replica = after(&[
        add(X, 1, Side::Sell, 100, 10),
        unfinished(add(X, 2, Side::Buy, 100, 10)),
        execute(X, 1, 10, 1),
    ]);
    assert!(!replica.is_event_open(ID));
    assert_eq!(replica.counts().crossed.count, 0, "crossed within an exchange event only");

    replica.apply(&status(X, b'H', 0));
    replica.apply(&add(X, 3, Side::Sell, 99, 10));
    assert!(replica.touch(ID).is_crossed() && !replica.is_trading(ID));
    assert_eq!(replica.counts().crossed.count, 0, "halted");
    replica.apply(&status(X, b'T', 0));
    replica.apply(&status(X, b'T', 0));
    assert_eq!(replica.counts().crossed.count, 1, "the same touch counts once");
    replica.apply(&add(X, 4, Side::Sell, 98, 10));
    assert_eq!((replica.counts().crossed.count, replica.counts().crossed.last), (2, 7));
}

#[test]
fn an_operational_halt_concerns_the_instruments_own_market_only() {
    let mut replica = Replica::new();
    for event in InstrumentTable::events(0, ID, &Instrument::us_equity("X")) {
        replica.apply(&event);
    }
    let mut trades = |state, market| {
        replica.apply(&status(X, state, market));
        replica.is_trading(ID)
    };
    assert!(trades(b'H', b'B'), "another market");
    assert!(!trades(b'H', b'Q'));
    assert!(!trades(b'T', 0), "its own market is still down");
    assert!(trades(b'T', b'Q'));
    assert!([b'H', b'P', b'Q'].iter().all(|&state| !trades(state, 0)));
}

#[test]
fn what_a_book_of_orders_cannot_apply_is_counted() {
    let unknown_kind = Event { kind: 250, ..clear(X) };
    let level = level_set(X, 100, 5).with_side(Side::Buy);
    let mut replica = after(&[add(X, 7, Side::Buy, 99, 1), level, unknown_kind, delete(X, 7)]);
    assert_eq!((replica.counts().unsupported, replica.totals().levels), (2, 0));
    replica.apply(&Event { side: 0, ..add(X, 1, Side::Buy, 100, 1) });
    replica.apply(&add(X, 2, Side::Buy, 100, 1));
    replica.apply(&delete(X + 1, 2));
    let counts = replica.counts();
    assert_eq!((counts.sideless_orders, counts.foreign_orders), (1, 1));
    assert_eq!(replica.touch(ID), Touch::default());
}

#[test]
fn the_hash_knows_symbols_and_units_but_no_locates_or_statistics() {
    let day = |locate: u32, increment: u64| {
        let instrument = Instrument { price_increment: increment, ..Instrument::us_equity("X") };
        let mut replica = Replica::new();
        for event in InstrumentTable::events(0, InstrumentId(locate), &instrument) {
            replica.apply(&event);
        }
        let scale = (100_000 / increment) as i64;
        replica.apply(&add(locate, 1, Side::Buy, 100 * scale, 5));
        replica.apply(&add(locate, 2, Side::Sell, 101 * scale, 5));
        replica
    };
    let hash = day(13, 100_000).books_hash();
    assert_eq!(day(14, 100_000).books_hash(), hash, "another locate");
    assert_eq!(day(13, 10_000).books_hash(), hash, "the same prices in other increments");
    let mut traded = day(13, 100_000);
    traded.apply(&trade(13, 100, 5, 1));
    assert_eq!(traded.books_hash(), hash);

    let mut history = day(13, 100_000);
    history.apply(&add(13, 3, Side::Buy, 100, 5));
    history.apply(&delete(13, 3));
    assert_ne!(history.books_hash(), hash, "the touch has a history");
    let mut unseen = day(13, 100_000);
    unseen.apply(&unfinished(add(13, 3, Side::Buy, 100, 5)));
    unseen.apply(&delete(13, 3));
    assert_eq!(unseen.books_hash(), hash, "but not within an exchange event");
}

#[test]
fn clearing_takes_every_order_of_the_instrument_and_no_other() {
    let mut replica = three_bids();
    replica.apply(&add(X, 4, Side::Sell, 101, 1));
    replica.apply(&add(X + 1, 5, Side::Sell, 101, 1));
    assert_eq!(replica.apply(&clear(X)).kind, ChangeKind::Cleared);
    assert_eq!((replica.touch(ID), replica.totals().levels), (Touch::default(), 1));
    assert!([1, 2, 3, 4].iter().all(|&id| replica.order(OrderId(id)).is_none()));
    replica.apply(&add(X, 1, Side::Buy, 100, 1));
    assert_eq!((queue(&replica, Side::Buy, 100), replica.totals().live_orders), (vec![1], 2));
}
