//! Every row of the simulated venue's table, on short tapes through a real replica.
//!
//! Would catch: a place in the queue lost or won, a fill behind a better order, liquidity consumed
//! twice, a fill while halted, an order that enters inside an exchange event.

use ringtape::event::{Event, Liquidity, Reason, TimeInForce};
use ringtape::matching::{Command, NewOrder, OrderState, VenueConfig};
use ringtape::units::{Nanos, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::*;

fn limit(side: Side, price: Price, qty: u64) -> NewOrder {
    NewOrder::limit(X, side, price, Qty(qty))
}

#[test]
fn an_order_arrives_after_its_latency_and_behind_every_displayed_order() {
    let mut tape = Tape::with(VenueConfig { latency: Nanos(50).into(), ..VenueConfig::default() });
    tape.play_at(1_000, add(1, Buy, d(1000), 300));
    let order_id = own(1);
    tape.send(Command::New { order_id, terms: limit(Buy, d(1000), 100) });
    assert_eq!(tape.state(order_id).state, OrderState::InFlight);
    assert!(tape.play_at(1_049, add(2, Buy, d(1000), 200)).is_empty());
    // At 1,050 it arrives before that event, so order 3 is behind it.
    assert_eq!(kinds(&tape.play_at(1_050, add(3, Buy, d(1000), 50))), ["accepted"]);
    assert_eq!(tape.state(order_id).state, OrderState::Resting);
    assert_eq!((tape.ahead(order_id), tape.state(order_id).ahead_at_entry), (500, Qty(500)));
}

#[test]
fn an_order_never_arrives_inside_an_open_exchange_event() {
    let mut tape = Tape::with(VenueConfig { latency: Nanos(5).into(), ..VenueConfig::default() });
    tape.play_at(1_000, add(1, Sell, d(1001), 100));
    tape.play_at(1_000, add(2, Sell, d(1002), 100));
    tape.send(Command::New { order_id: own(1), terms: limit(Buy, d(1002), 100) });
    tape.play_at(1_001, open(execute(1, 100)));
    assert!(tape.play_at(1_005, open(execute(2, 40))).is_empty());
    assert!(tape.play_at(1_005, add(3, Sell, d(1003), 60)).is_empty());
    assert_eq!(fills(&tape.play_at(1_006, add(4, Buy, d(900), 1))), [(1, 60, d(1002))]);
}

#[test]
fn an_execution_ahead_shortens_the_queue_without_a_fill() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 300));
    let order_id = tape.rest(Buy, d(1000), 100);
    assert!(tape.play(execute(1, 120)).is_empty());
    assert_eq!(tape.ahead(order_id), 180);
    assert!(tape.play(execute_at(1, 30, d(999), true)).is_empty());
    assert_eq!(tape.ahead(order_id), 150);
}

#[test]
fn what_leaves_ahead_shortens_the_queue_and_never_comes_back_ahead() {
    let mut tape = Tape::new();
    for id in 1..=4 {
        tape.play(add(id, Buy, d(1000), 100));
    }
    let order_id = tape.rest(Buy, d(1000), 100);
    tape.play(reduce(1, 30));
    assert_eq!(tape.ahead(order_id), 370);
    tape.play(delete(2));
    assert_eq!(tape.ahead(order_id), 270);
    tape.play(replace(3, 30, d(1000), 100));
    assert_eq!(tape.ahead(order_id), 170);
    tape.play(modify(4, d(1000), 60));
    assert_eq!(tape.ahead(order_id), 130);
    tape.play(modify(4, d(1000), 61));
    assert_eq!(tape.ahead(order_id), 70);
    tape.play(reduce(30, 10));
    tape.play(delete(4));
    assert_eq!(tape.ahead(order_id), 70);
    // Order 30 is behind now: its execution reaches ours.
    assert_eq!(fills(&tape.play(execute(30, 40))), [(1, 40, d(1000))]);
    assert_eq!(tape.ahead(order_id), 70);
}

#[test]
fn a_message_under_the_wrong_instrument_still_moves_the_queue() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 300));
    let order_id = tape.rest(Buy, d(1000), 100);
    tape.play(Event { instrument: 14, ..reduce(1, 120) });
    assert_eq!(tape.ahead(order_id), 180);
}

#[test]
fn a_cleared_book_leaves_nothing_ahead() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    let order_id = tape.rest(Buy, d(1000), 100);
    tape.play(clear());
    assert_eq!(tape.ahead(order_id), 0);
    tape.play(add(1, Buy, d(1000), 100));
    assert_eq!(fills(&tape.play(execute(1, 30))), [(1, 30, d(1000))]);
}

#[test]
fn an_execution_behind_or_at_a_worse_price_fills_at_our_price() {
    let mut tape = Tape::new();
    let order_id = tape.rest(Buy, d(1000), 100);
    tape.play(add(1, Buy, d(1000), 500));
    tape.play(add(2, Buy, d(999), 500));
    assert_eq!(fills(&tape.play(execute(1, 30))), [(1, 30, d(1000))]);
    assert_eq!(fills(&tape.play(execute(2, 20))), [(1, 20, d(1000))]);
    let last = tape.play(execute(1, 400));
    assert_eq!(fills(&last), [(1, 50, d(1000))]);
    let last = &last[0];
    assert_eq!((last.leaves, last.cum, last.liquidity), (0, 100, Liquidity::Maker as u8));
    assert_eq!((last.contra_order_id, last.match_id, last.ts_event), (0, 3, tape.now));
    assert!(tape.venue.order(order_id).is_none());
    assert!(tape.play(execute(1, 10)).is_empty());
}

#[test]
fn an_execution_at_a_better_price_or_of_the_other_side_fills_nothing() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1001), 100));
    tape.play(add(2, Sell, d(1002), 100));
    tape.rest(Buy, d(1000), 100);
    assert!(tape.play(execute(1, 50)).is_empty());
    assert!(tape.play(execute(2, 50)).is_empty());
}

#[test]
fn one_execution_is_shared_by_own_orders_in_price_then_time() {
    let mut tape = Tape::new();
    tape.rest(Sell, d(1001), 30);
    tape.rest(Sell, d(1000), 30);
    tape.rest(Sell, d(1000), 30);
    tape.play(add(1, Sell, d(1001), 500));
    tape.rest(Sell, d(1001), 30);
    let out = tape.play(execute(1, 80));
    assert_eq!(fills(&out), [(2, 30, d(1000)), (3, 30, d(1000)), (1, 20, d(1001))]);
}

#[test]
fn an_execution_that_is_not_printable_fills_nothing() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 100);
    tape.play(add(1, Buy, d(1000), 500));
    assert!(tape.play(execute_at(1, 100, d(1000), false)).is_empty());
    assert_eq!(fills(&tape.play(execute_at(1, 60, d(1000), true))), [(1, 60, d(1000))]);
}

#[test]
fn a_hidden_trade_at_our_price_or_worse_fills_and_a_better_one_does_not() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 100);
    assert!(tape.play(hidden_trade(d(1001), 50)).is_empty());
    assert_eq!(fills(&tape.play(hidden_trade(d(1000), 50))), [(1, 50, d(1000))]);
    assert_eq!(fills(&tape.play(hidden_trade(d(998), 500))), [(1, 50, d(1000))]);
    tape.rest(Sell, d(1005), 100);
    assert!(tape.play(hidden_trade(d(1004), 50)).is_empty());
    assert_eq!(fills(&tape.play(hidden_trade(d(1006), 50))), [(2, 50, d(1005))]);
}

#[test]
fn a_crossing_order_fills_once_at_our_price_and_remembers_it() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 100);
    let out = tape.play(add(7, Sell, d(999), 60));
    assert_eq!(fills(&out), [(1, 60, d(1000))]);
    assert_eq!(out[0].contra_order_id, 7);
    // All of order 7 was taken: nothing is left for an aggressive order, nor for its replacement.
    assert_eq!(fills(&tape.order(limit(Buy, d(999), 50)).1), []);
    assert_eq!(fills(&tape.play(replace(7, 8, d(998), 60))), []);
    assert_eq!(fills(&tape.play(add(9, Sell, d(998), 50))), [(1, 40, d(1000)), (2, 10, d(999))]);
}

#[test]
fn a_replacement_or_modification_that_crosses_fills_too() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 100);
    tape.play(add(1, Sell, d(1003), 40));
    assert_eq!(fills(&tape.play(replace(1, 2, d(1000), 40))), [(1, 40, d(1000))]);
    tape.play(add(3, Sell, d(1003), 40));
    assert_eq!(fills(&tape.play(modify(3, d(1000), 30))), [(1, 30, d(1000))]);
    assert_eq!(fills(&tape.play(modify(3, d(1000), 20))), []);
}

#[test]
fn own_fills_of_an_exchange_event_stay_within_executed_and_remaining_shares() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 1_000);
    tape.play(add(1, Buy, d(1000), 70));
    tape.play(add(2, Buy, d(999), 50));
    // An aggressor sells 70 + 50 + 20 hidden and rests 60 more.
    let mut out = tape.play(open(execute(1, 70)));
    out.extend(tape.play(open(execute(2, 50))));
    out.extend(tape.play(open(hidden_trade(d(999), 20))));
    out.extend(tape.play(add(3, Sell, d(998), 60)));
    assert_eq!(fills(&out).iter().map(|fill| fill.1).sum::<u64>(), 200);
}

#[test]
fn an_aggressive_order_takes_displayed_shares_front_to_back_at_their_prices() {
    let mut tape = Tape::new();
    tape.play(add(1, Sell, d(1001), 100));
    tape.play(add(2, Sell, d(1001), 50));
    tape.play(add(3, Sell, d(1002), 100));
    tape.play(add(4, Sell, d(1003), 100));
    let (id, out) = tape.order(limit(Buy, d(1002), 300));
    assert_eq!(kinds(&out), ["accepted", "filled", "filled", "filled"]);
    assert_eq!(fills(&out), [(1, 100, d(1001)), (1, 50, d(1001)), (1, 100, d(1002))]);
    let contra: Vec<u64> = out[1..].iter().map(|fill| fill.contra_order_id).collect();
    assert_eq!(contra, [1, 2, 3]);
    assert!(out[1..].iter().all(|fill| fill.liquidity == Liquidity::Taker as u8));
    assert_eq!((tape.state(id).leaves, tape.state(id).cum), (Qty(50), Qty(250)));
    assert_eq!(tape.ahead(id), 0);
}

#[test]
fn the_same_shares_are_never_taken_twice_until_the_tape_shows_new_ones() {
    let mut tape = Tape::new();
    let ioc = |qty| limit(Buy, d(1001), qty).with_time_in_force(TimeInForce::Ioc);
    tape.play(add(1, Sell, d(1001), 100));
    assert_eq!(fills(&tape.order(ioc(60)).1), [(1, 60, d(1001))]);
    assert_eq!(fills(&tape.order(ioc(60)).1), [(2, 40, d(1001))]);
    assert_eq!(fills(&tape.order(ioc(60)).1), []);
    // 30 of the 100 taken are executed on the tape: still nothing new.
    tape.play(execute(1, 30));
    assert_eq!(fills(&tape.order(ioc(60)).1), []);
    tape.play(add(2, Sell, d(1001), 10));
    assert_eq!(fills(&tape.order(ioc(60)).1), [(5, 10, d(1001))]);
    // More shares in the same order are new ones.
    tape.play(modify(2, d(1001), 25));
    assert_eq!(fills(&tape.order(ioc(60)).1), [(6, 15, d(1001))]);
    tape.play(delete(2));
    tape.play(add(2, Sell, d(1001), 5));
    assert_eq!(fills(&tape.order(ioc(60)).1), [(7, 5, d(1001))]);
}

#[test]
fn immediate_orders_are_cancelled_where_they_cannot_trade() {
    let mut tape = Tape::new();
    tape.play(add(1, Sell, d(1001), 100));
    let ioc = limit(Buy, d(1001), 150).with_time_in_force(TimeInForce::Ioc);
    let out = tape.order(ioc).1;
    assert_eq!(kinds(&out), ["accepted", "filled", "cancelled"]);
    assert_eq!(reason(&out), ("cancelled", Reason::ImmediateRemainder));
    assert_eq!((out[2].qty, out[2].leaves, out[2].cum), (50, 0, 100));
}

#[test]
fn fill_or_kill_counts_the_visible_book_net_of_what_was_taken() {
    let mut tape = Tape::new();
    tape.play(add(1, Sell, d(1001), 100));
    tape.play(add(2, Sell, d(1002), 100));
    tape.rest(Sell, d(1001), 500);
    let fok = |qty| limit(Buy, d(1002), qty).with_time_in_force(TimeInForce::Fok);
    let out = tape.order(fok(201)).1;
    assert_eq!(kinds(&out), ["accepted", "cancelled"]);
    assert_eq!(reason(&out), ("cancelled", Reason::NotFillable));
    let out = tape.order(fok(150)).1;
    assert_eq!(fills(&out), [(3, 100, d(1001)), (3, 50, d(1002))]);
    assert_eq!(reason(&tape.order(fok(51)).1).1, Reason::NotFillable);
    assert_eq!(fills(&tape.order(fok(50)).1), [(5, 50, d(1002))]);
}

#[test]
fn post_only_is_rejected_where_it_would_take_and_own_orders_do_not_count() {
    let mut tape = Tape::new();
    tape.play(add(1, Sell, d(1001), 100));
    tape.rest(Sell, d(1000), 500);
    let out = tape.order(limit(Buy, d(1001), 10).post_only()).1;
    assert_eq!(reason(&out), ("rejected", Reason::WouldTake));
    assert_eq!(kinds(&tape.order(limit(Buy, d(1000), 10).post_only()).1), ["accepted"]);
    tape.order(limit(Buy, d(1001), 100));
    assert_eq!(kinds(&tape.order(limit(Buy, d(1001), 10).post_only()).1), ["accepted"]);
}

#[test]
fn a_cross_fills_orders_better_than_its_price_at_its_price() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1001), 100);
    tape.rest(Buy, d(1000), 100);
    tape.rest(Sell, d(1000), 100);
    assert!(tape.play(cross(d(1000), 0)).is_empty());
    let out = tape.play(cross(d(1000), 500));
    assert_eq!(fills(&out), [(1, 100, d(1000))]);
    assert_eq!(out[0].liquidity, Liquidity::Auction as u8);
    assert_eq!(fills(&tape.play(cross(d(1005), 30))), [(3, 30, d(1005))]);
    let out = tape.play(cross(d(999), 30));
    assert_eq!(fills(&out), [(2, 30, d(999))]);
}

#[test]
fn own_fills_in_a_cross_never_exceed_its_shares() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1003), 40);
    tape.rest(Buy, d(1002), 40);
    tape.rest(Sell, d(998), 40);
    let out = tape.play(cross(d(1000), 90));
    assert_eq!(fills(&out), [(1, 40, d(1000)), (2, 40, d(1000)), (3, 10, d(1000))]);
}

#[test]
fn while_halted_orders_queue_cancels_work_and_nothing_fills() {
    for state in [b'H', b'P', b'Q'] {
        let mut tape = Tape::new();
        tape.rest(Buy, d(1000), 100);
        let resting = tape.rest(Buy, d(999), 100);
        tape.play(add(1, Buy, d(1000), 100));
        tape.play(add(2, Sell, d(1002), 100));
        tape.play(status(state));
        assert!(tape.play(execute(1, 10)).is_empty());
        assert!(tape.play(hidden_trade(d(998), 10)).is_empty());
        assert!(tape.play(add(3, Sell, d(998), 10)).is_empty());
        let (first, out) = tape.order(limit(Buy, d(1002), 60));
        assert_eq!(kinds(&out), ["accepted"]);
        assert_eq!(tape.state(first).state, OrderState::Halted);
        let (second, _) = tape.order(limit(Buy, d(1002), 70));
        let (third, _) = tape.order(limit(Buy, d(1002), 70));
        let ioc = limit(Buy, d(1002), 60).with_time_in_force(TimeInForce::Ioc);
        assert_eq!(reason(&tape.order(ioc).1), ("rejected", Reason::NotTrading));
        for order_id in [resting, second] {
            let out = tape.command(Command::Cancel { order_id });
            assert_eq!(reason(&out), ("cancelled", Reason::Requested));
        }
        // Trading again: order 3, 10 at 9.98, then order 2 are taken in the order of arrival.
        let out = tape.play(status(b'T'));
        let expected = [(3, 10, d(998)), (3, 50, d(1002)), (5, 50, d(1002))];
        assert_eq!(fills(&out), expected);
        assert_eq!(tape.state(third).leaves, Qty(20));
    }
}

#[test]
fn orders_that_queue_in_a_halt_take_part_in_its_cross() {
    let mut tape = Tape::new();
    tape.play(status(b'Q'));
    let (order_id, _) = tape.order(limit(Buy, d(1001), 60));
    let (post_only, _) = tape.order(limit(Buy, d(1000), 60).post_only());
    tape.play(add(1, Sell, d(1000), 10));
    assert_eq!(fills(&tape.play(cross(d(1000), 40))), [(1, 40, d(1000))]);
    let out = tape.play(status(b'T'));
    assert_eq!(fills(&out), [(1, 10, d(1000))]);
    assert_eq!(tape.state(order_id).leaves, Qty(10));
    // Own orders took what it would have taken.
    assert_eq!(tape.state(post_only).state, OrderState::Resting);
}

#[test]
fn conservative_fills_leave_out_hidden_trades_and_crossing_orders() {
    let mut tape = Tape::with(VenueConfig {
        latency: Nanos(0).into(),
        conservative: true,
        ..VenueConfig::default()
    });
    tape.rest(Buy, d(1000), 100);
    tape.play(add(1, Buy, d(1000), 100));
    assert!(tape.play(hidden_trade(d(999), 50)).is_empty());
    assert!(tape.play(add(2, Sell, d(999), 60)).is_empty());
    assert!(tape.play(replace(2, 3, d(998), 60)).is_empty());
    assert_eq!(fills(&tape.play(execute(1, 30))), [(1, 30, d(1000))]);
}
