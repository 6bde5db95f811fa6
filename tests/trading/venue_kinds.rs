//! Every kind of order at the simulated venue, row by row of its table.
//!
//! Would catch: a market order that rests, a stop that looks at what is not printed or triggers out
//! of turn, a trailing stop that loosens, a hidden order that goes first, an iceberg that shows all
//! or keeps its place, an order that outlives its auction or its time.

use ringtape::event::{Execution, Reason, TimeInForce};
use ringtape::matching::{Command, NewOrder, OrderState, VenueConfig};
use ringtape::units::{Nanos, OrderId, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::*;

fn limit(side: Side, price: Price, qty: u64) -> NewOrder {
    NewOrder::limit(X, side, price, Qty(qty))
}

fn market(side: Side, qty: u64) -> NewOrder {
    NewOrder::market(X, side, Qty(qty))
}

/// Offers of 100 at 10.01, 10.02 and 10.03.
fn offers() -> Tape {
    let mut tape = Tape::new();
    for id in 1..=3 {
        tape.play(add(id, Sell, d(1000 + id as i64), 100));
    }
    tape
}

/// The numbers of the orders that triggered.
fn triggered(executions: &[Execution]) -> Vec<u64> {
    let triggered = executions.iter().zip(kinds(executions)).filter(|(_, k)| *k == "triggered");
    triggered.map(|(execution, _)| execution.order_id & 0xffff).collect()
}

#[test]
fn a_market_order_takes_up_to_its_cap_and_never_rests() {
    let mut tape = offers();
    let capped = NewOrder { price: d(1002), ..market(Buy, 250) };
    let out = tape.order(capped).1;
    assert_eq!(fills(&out), [(1, 100, d(1001)), (1, 100, d(1002))]);
    assert_eq!(reason(&out), ("cancelled", Reason::Collar));
    let out = tape.order(market(Buy, 150)).1;
    assert_eq!(fills(&out), [(2, 100, d(1003))]);
    assert_eq!(reason(&out), ("cancelled", Reason::NoLiquidity));
    let fok = market(Buy, 1).with_time_in_force(TimeInForce::Fok);
    assert_eq!(reason(&tape.order(fok).1), ("cancelled", Reason::NotFillable));
    assert_eq!(tape.venue.open_orders(X).count(), 0);
}

#[test]
fn a_market_order_queues_in_a_halt_and_is_first_in_its_cross() {
    let mut tape = offers();
    tape.play(status(b'Q'));
    tape.order(limit(Buy, d(1005), 100));
    let (order_id, out) = tape.order(market(Buy, 150));
    assert_eq!((kinds(&out), tape.state(order_id).state), (vec!["accepted"], OrderState::Halted));
    let out = tape.play(cross_of(b'H', d(1002), 120));
    assert_eq!(fills(&out), [(2, 120, d(1002))]);
    let out = tape.play(status(b'T'));
    assert_eq!(fills(&out), [(1, 100, d(1001)), (2, 30, d(1002))]);
}

#[test]
fn gtc_outlasts_the_end_of_the_feed_and_day_does_not() {
    let mut tape = Tape::new();
    tape.rest(Buy, d(1000), 10);
    let (kept, _) = tape.order(limit(Buy, d(999), 10).with_time_in_force(TimeInForce::Gtc));
    tape.order(limit(Buy, d(998), 10).with_time_in_force(TimeInForce::Closing));
    let mut out = vec![];
    tape.venue.end(Nanos(tape.now), &mut out);
    assert_eq!(kinds(&out), ["expired", "expired"]);
    assert!(out.iter().all(|execution| execution.reason() == Reason::EndOfDay));
    assert_eq!(tape.state(kept).state, OrderState::Resting);
}

#[test]
fn gtd_expires_before_the_first_event_at_or_past_its_time() {
    let mut tape = Tape::new();
    tape.play_at(1_000, add(1, Buy, d(999), 10));
    let good = |time| limit(Buy, d(1000), 10).until(Nanos(time));
    tape.order(good(1_050));
    let (replaced, _) = tape.order(good(1_050));
    tape.order(good(1_040));
    let (new_order_id, price) = (own(9), d(1000));
    tape.command(Command::Replace { order_id: replaced, new_order_id, price, qty: Qty(5) });
    assert!(tape.play_at(1_039, add(2, Buy, d(999), 10)).is_empty());
    assert_eq!(tape.venue.next_due(), Some(Nanos(1_040)));
    // It was gone before order 3 could have traded with it.
    let out = tape.play_at(1_060, add(3, Sell, d(1000), 100));
    let gone: Vec<u64> = out.iter().map(|execution| execution.order_id & 0xff).collect();
    assert_eq!((kinds(&out), gone), (vec!["expired"; 3], vec![3, 1, 9]));
    assert!(out.iter().all(|execution| execution.reason() == Reason::Expired));
    assert_eq!(reason(&tape.order(good(1_060)).1), ("rejected", Reason::BadTerms));
    assert_eq!(tape.venue.next_due(), None);
}

#[test]
fn nothing_expires_inside_an_open_exchange_event() {
    let mut tape = Tape::new();
    tape.play_at(1_000, add(1, Buy, d(1000), 10));
    tape.play_at(1_001, add(2, Buy, d(999), 10));
    tape.order(limit(Buy, d(1000), 10).until(Nanos(1_005)));
    tape.play_at(1_004, open(execute(1, 10)));
    assert_eq!(fills(&tape.play_at(1_006, execute(2, 4))), [(1, 4, d(1000))]);
    assert_eq!(kinds(&tape.play_at(1_006, delete(2))), ["expired"]);
}

#[test]
fn opening_and_closing_orders_wait_for_their_cross_and_go_with_it() {
    let mut tape = Tape::new();
    let for_auction = |order: NewOrder, tif| order.with_time_in_force(tif);
    let (opening, closing) = (TimeInForce::Opening, TimeInForce::Closing);
    tape.play(add(1, Sell, d(1000), 500));
    let (first, out) = tape.order(for_auction(limit(Buy, d(1001), 100), opening));
    assert_eq!((kinds(&out), tape.state(first).state), (vec!["accepted"], OrderState::Waiting));
    tape.order(for_auction(market(Buy, 50), opening));
    tape.order(for_auction(limit(Buy, d(1000), 50), opening));
    tape.order(for_auction(limit(Sell, d(900), 70), closing));
    assert!(tape.play(cross_of(b'O', d(1000), 0)).is_empty(), "a cross of 0 is none");
    // Market first, then better than the cross; at its price nothing, and that is over.
    let out = tape.play(cross_of(b'O', d(1000), 120));
    assert_eq!(fills(&out), [(2, 50, d(1000)), (1, 70, d(1000))]);
    assert_eq!(kinds(&out), ["filled", "filled", "cancelled", "cancelled"]);
    assert!(out[2..].iter().all(|execution| execution.reason() == Reason::AuctionOver));
    let late = tape.order(for_auction(limit(Buy, d(1001), 100), opening)).1;
    assert_eq!(reason(&late), ("rejected", Reason::AuctionOver));
    assert_eq!(fills(&tape.play(cross_of(b'C', d(1000), 60))), [(4, 60, d(1000))]);
    assert_eq!(tape.venue.open_orders(X).count(), 0);
    let late = tape.order(for_auction(limit(Sell, d(900), 70), closing)).1;
    assert_eq!(reason(&late), ("rejected", Reason::AuctionOver));
}

#[test]
fn auctions_of_another_day_are_its_own() {
    let mut tape = Tape::new();
    let for_auction = |price, tif| limit(Buy, d(price), 10).with_time_in_force(tif);
    let (opening, closing) = (TimeInForce::Opening, TimeInForce::Closing);
    for day in 0..2 {
        let first = tape.order(for_auction(1001, opening)).0;
        let last = tape.order(for_auction(1001, closing)).0;
        let number = |id: OrderId| id.0 & !OrderId::OWN;
        assert_eq!(fills(&tape.play(cross_of(b'O', d(1000), 100))), [(number(first), 10, d(1000))]);
        let late = tape.order(for_auction(1001, opening)).1;
        assert_eq!(reason(&late), ("rejected", Reason::AuctionOver), "day {day}");
        assert_eq!(fills(&tape.play(cross_of(b'C', d(1000), 100))), [(number(last), 10, d(1000))]);
        let late = tape.order(for_auction(1001, closing)).1;
        assert_eq!(reason(&late), ("rejected", Reason::AuctionOver), "day {day}");
        // The book of the day before goes.
        tape.play(clear());
    }
}

#[test]
fn crosses_without_a_type_are_the_opening_one_and_then_the_closing_one() {
    let mut tape = Tape::new();
    tape.order(market(Buy, 10).with_time_in_force(TimeInForce::Opening));
    tape.order(market(Buy, 10).with_time_in_force(TimeInForce::Closing));
    assert_eq!(fills(&tape.play(cross_of(0, d(1000), 100))), [(1, 10, d(1000))]);
    assert_eq!(fills(&tape.play(cross_of(0, d(1001), 100))), [(2, 10, d(1001))]);
}

#[test]
fn in_a_cross_displayed_goes_before_hidden_and_hidden_before_reserve() {
    let mut tape = Tape::new();
    tape.order(limit(Buy, d(1001), 50).hidden());
    let (iceberg, _) = tape.order(limit(Buy, d(1001), 90).iceberg(Qty(30)));
    tape.rest(Buy, d(1001), 20);
    tape.rest(Buy, d(1002), 10);
    let out = tape.play(cross_of(b'I', d(1000), 150));
    let expected = [(4, 10), (2, 30), (3, 20), (1, 50), (2, 40)];
    assert_eq!(fills(&out), expected.map(|(id, qty)| (id, qty, d(1000))));
    assert_eq!((tape.state(iceberg).displayed, tape.state(iceberg).leaves), (Qty(20), Qty(20)));
}

#[test]
fn post_only_with_reprice_moves_to_the_next_price_off_what_is_visible() {
    let mut tape = offers();
    tape.order(limit(Buy, d(1001), 100));
    let (order_id, out) = tape.order(limit(Buy, d(1005), 10).repriced());
    assert_eq!((kinds(&out), out[0].price), (vec!["accepted"], d(1001).0));
    assert_eq!(tape.state(order_id).terms.price, d(1001));
    let (new_order_id, price, qty) = (own(50), d(1003), Qty(0));
    let out = tape.command(Command::Replace { order_id, new_order_id, price, qty });
    assert_eq!((kinds(&out), out[0].price), (vec!["replaced"], d(1001).0));
    // Below a dollar a tick is a hundredth of a cent.
    tape.play(add(8, Buy, Price(9_000), 10));
    let out = tape.order(limit(Sell, Price(8_000), 10).repriced()).1;
    assert_eq!(out[0].price, 9_001, "own bids do not count");
    let mut tape = Tape::new();
    tape.play(add(1, Sell, Price(10_000), 10));
    let out = tape.order(limit(Buy, Price(10_100), 10).repriced()).1;
    assert_eq!(out[0].price, 9_999, "ticks are of the price that is moved to");
}

#[test]
fn a_hidden_order_stands_behind_all_that_is_displayed_at_its_price() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    let (order_id, _) = tape.order(limit(Buy, d(1000), 50).hidden());
    assert_eq!((tape.ahead(order_id), tape.state(order_id).displayed), (100, Qty(0)));
    tape.play(add(2, Buy, d(1000), 40));
    tape.rest(Buy, d(1000), 5);
    assert_eq!(tape.ahead(order_id), 140);
    assert!(tape.play(execute(2, 30)).is_empty());
    tape.play(replace(2, 3, d(1000), 60));
    assert_eq!(tape.ahead(order_id), 160);
    // Another hidden order was first: only what is displayed goes before it.
    assert_eq!(fills(&tape.play(hidden_trade(d(1000), 20))), [(2, 5, d(1000))]);
    assert_eq!(fills(&tape.play(hidden_trade(d(999), 20))), [(1, 20, d(1000))]);
    tape.play(add(4, Buy, d(999), 10));
    assert_eq!(fills(&tape.play(execute(4, 10))), [(1, 10, d(1000))]);
    assert_eq!(fills(&tape.play(add(5, Sell, d(1000), 100))), [(1, 20, d(1000))]);
}

#[test]
fn an_iceberg_shows_a_part_and_each_next_one_comes_to_the_back() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    let (order_id, _) = tape.order(limit(Buy, d(1000), 100).iceberg(Qty(30)));
    tape.play(add(2, Buy, d(1000), 80));
    let state = tape.state(order_id);
    assert_eq!((state.ahead, state.displayed, state.leaves), (Qty(100), Qty(30), Qty(100)));
    // Only what is displayed; the next part is behind order 2.
    assert_eq!(fills(&tape.play(execute(2, 50))), [(1, 30, d(1000))]);
    assert_eq!((tape.ahead(order_id), tape.state(order_id).ahead_at_entry), (130, Qty(130)));
    assert!(tape.play(execute(2, 30)).is_empty());
    assert_eq!(tape.ahead(order_id), 100);
    // An aggressor who went on to a worse price had used all of it up, part by part.
    tape.play(add(3, Buy, d(999), 90));
    let out = tape.play(execute(3, 50));
    assert_eq!(fills(&out), [(1, 30, d(1000)), (1, 20, d(1000))]);
    let state = tape.state(order_id);
    assert_eq!((state.displayed, state.leaves), (Qty(10), Qty(20)));
    // A reduction takes what is not displayed first.
    tape.command(Command::Reduce { order_id, qty: Qty(12) });
    assert_eq!((tape.state(order_id).displayed, tape.state(order_id).leaves), (Qty(8), Qty(8)));
}

#[test]
fn two_icebergs_of_a_price_take_turns() {
    let mut tape = Tape::new();
    tape.order(limit(Sell, d(1000), 50).iceberg(Qty(20)));
    tape.order(limit(Sell, d(1000), 30).iceberg(Qty(10)));
    let out = tape.play(hidden_trade(d(1001), 70));
    let expected = [(1, 20), (2, 10), (1, 20), (2, 10), (1, 10)];
    assert_eq!(fills(&out), expected.map(|(id, qty)| (id, qty, d(1000))));
}

#[test]
fn a_stop_enters_once_the_exchange_event_that_reached_it_is_complete() {
    let mut tape = offers();
    tape.play(execute(1, 10));
    let (order_id, out) = tape.order(market(Buy, 120).stop_at(d(1002)));
    assert_eq!((kinds(&out), tape.state(order_id).state), (vec!["accepted"], OrderState::Pending));
    assert!(tape.play(execute_at(1, 10, d(1002), false)).is_empty(), "it is not printable");
    assert!(tape.play(open(execute(2, 30))).is_empty());
    let out = tape.play(execute(1, 30));
    assert_eq!(kinds(&out), ["triggered", "filled", "filled"]);
    assert_eq!(fills(&out), [(1, 50, d(1001)), (1, 70, d(1002))]);
}

#[test]
fn a_stop_limit_rests_with_fresh_priority_and_is_a_limit_order_from_then_on() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    tape.play(add(2, Buy, d(999), 100));
    let (order_id, _) = tape.order(limit(Sell, d(1001), 50).stop_at(d(999)).on_bidask());
    tape.play(add(3, Sell, d(1001), 70));
    assert_eq!(kinds(&tape.play(delete(1))), ["triggered"]);
    assert_eq!((tape.state(order_id).state, tape.ahead(order_id)), (OrderState::Resting, 70));
    let (new_order_id, price, qty) = (own(50), d(1002), Qty(0));
    let out = tape.command(Command::Replace { order_id, new_order_id, price, qty });
    assert_eq!(kinds(&out), ["replaced"]);
    assert_eq!(tape.ahead(new_order_id), 0);
}

#[test]
fn a_stop_that_is_true_on_entry_enters_at_once() {
    let mut tape = offers();
    tape.play(execute(2, 10));
    let out = tape.order(limit(Buy, d(1001), 20).stop_at(d(1002))).1;
    assert_eq!(kinds(&out), ["accepted", "triggered", "filled"]);
    let out = tape.order(limit(Buy, d(1001), 20).stop_at(d(1001)).on_bidask()).1;
    assert_eq!(kinds(&out), ["accepted", "triggered", "filled"]);
}

#[test]
fn stops_that_trigger_together_enter_buys_up_then_sells_down_then_by_time() {
    let mut tape = Tape::new();
    for order in [
        market(Sell, 1).stop_at(d(995)),
        market(Sell, 1).stop_at(d(998)),
        market(Buy, 1).stop_at(d(1004)),
        market(Buy, 1).stop_at(d(1002)),
        market(Buy, 1).stop_at(d(1002)),
        market(Buy, 1).stop_at(d(1006)),
    ] {
        tape.order(order);
    }
    tape.play(open(hidden_trade(d(1005), 1)));
    tape.play(open(hidden_trade(d(1000), 1)));
    let out = tape.play(hidden_trade(d(995), 1));
    assert_eq!(triggered(&out), [4, 5, 3, 2, 1]);
}

#[test]
fn own_fills_are_no_prints_and_trigger_nothing() {
    let mut tape = offers();
    tape.order(market(Buy, 1).stop_at(d(1002)));
    assert_eq!(fills(&tape.order(market(Buy, 300)).1).len(), 3);
    assert!(tape.play(delete(99)).is_empty());
}

#[test]
fn a_stop_waits_out_a_halt_and_then_looks_at_the_last_price_and_the_touch() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    tape.play(status(b'H'));
    tape.order(market(Sell, 10).stop_at(d(1001)));
    tape.order(market(Sell, 10).stop_at(d(1000)).on_bidask());
    assert!(tape.play(cross_of(b'H', d(1001), 100)).is_empty());
    let out = tape.play(status(b'T'));
    assert_eq!(triggered(&out), [1, 2]);
    assert_eq!(fills(&out), [(1, 10, d(1000)), (2, 10, d(1000))]);
}

#[test]
fn a_trailing_stop_follows_the_best_price_and_never_loosens() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(900), 100));
    let (order_id, _) = tape.order(market(Sell, 10).trailing(Price(500)));
    assert_eq!(tape.state(order_id).stop, None, "it waits for a first price");
    for (cents, stop) in [(1000, 995), (1010, 1005), (1006, 1005), (1012, 1007)] {
        assert!(tape.play(hidden_trade(d(cents), 1)).is_empty());
        assert_eq!(tape.state(order_id).stop, Some(d(stop)));
    }
    // In one exchange event the best price counts before the test.
    tape.play(open(hidden_trade(d(1020), 1)));
    let out = tape.play(hidden_trade(d(1015), 1));
    assert_eq!(kinds(&out), ["triggered", "filled"]);
}

#[test]
fn a_trailing_stop_limit_rests_where_its_limit_says() {
    let mut tape = Tape::new();
    tape.play(hidden_trade(d(1000), 1));
    let (order_id, _) = tape.order(limit(Buy, d(990), 10).trailing(Price(200)));
    assert_eq!(tape.state(order_id).stop, Some(d(1002)));
    assert_eq!(kinds(&tape.play(hidden_trade(d(1002), 1))), ["triggered"]);
    let state = tape.state(order_id);
    assert_eq!((state.state, state.stop), (OrderState::Resting, None));
}

#[test]
fn a_pending_stop_is_replaced_in_its_place_reduced_and_cancelled() {
    let mut tape = Tape::new();
    let (first, _) = tape.order(market(Buy, 10).stop_at(d(1002)));
    let (second, _) = tape.order(market(Buy, 10).stop_at(d(1002)));
    let (new_order_id, price, qty) = (own(70), Price(0), Qty(6));
    let out = tape.command(Command::Replace { order_id: first, new_order_id, price, qty });
    assert_eq!((kinds(&out), out[0].leaves), (vec!["replaced"], 6));
    assert_eq!(tape.state(new_order_id).stop, Some(d(1002)));
    tape.command(Command::Reduce { order_id: second, qty: Qty(3) });
    assert_eq!(tape.state(second).leaves, Qty(7));
    assert_eq!(triggered(&tape.play(hidden_trade(d(1002), 1))), [70, 2]);
    let (third, _) = tape.order(market(Buy, 10).stop_at(d(1003)));
    let out = tape.command(Command::Cancel { order_id: third });
    assert_eq!(reason(&out), ("cancelled", Reason::Requested));
    assert!(!tape.venue.is_active(X));
}

#[test]
fn terms_that_contradict_one_another_are_rejected_with_their_reason() {
    let mut tape = Tape::new();
    let bid = limit(Buy, d(1000), 100);
    let with = |order: NewOrder, tif| order.with_time_in_force(tif);
    for (order, expected) in [
        (limit(Buy, Price(0), 100), Reason::BadPrice),
        (NewOrder { price: Price(-1), ..market(Buy, 1) }, Reason::BadPrice),
        (NewOrder { price: Price(100_001), ..market(Buy, 1) }, Reason::OffTick),
        (market(Buy, 1).stop_at(Price(0)), Reason::BadPrice),
        (market(Buy, 1).stop_at(Price(100_001)), Reason::OffTick),
        (market(Buy, 1).trailing(Price(0)), Reason::BadPrice),
        (market(Buy, 1).post_only(), Reason::BadTerms),
        (bid.stop_at(d(1001)).post_only(), Reason::BadTerms),
        (with(bid.post_only(), TimeInForce::Ioc), Reason::BadTerms),
        (NewOrder { is_repriced: true, ..bid }, Reason::BadTerms),
        (bid.iceberg(Qty(10)).hidden(), Reason::BadTerms),
        (with(bid.iceberg(Qty(10)), TimeInForce::Fok), Reason::BadTerms),
        (market(Buy, 10).iceberg(Qty(1)), Reason::BadTerms),
        (with(bid, TimeInForce::Gtd), Reason::BadTerms),
        (NewOrder { expire_ts: Nanos(u64::MAX), ..bid }, Reason::BadTerms),
        (bid.on_bidask(), Reason::BadTerms),
        (with(bid.stop_at(d(1001)), TimeInForce::Opening), Reason::BadTerms),
        (with(bid.post_only(), TimeInForce::Closing), Reason::BadTerms),
    ] {
        assert_eq!(reason(&tape.order(order).1), ("rejected", expected), "{order:?}");
    }
    assert_eq!(tape.venue.open_orders(X).count(), 0);
}

#[test]
fn the_kill_switch_takes_orders_of_every_kind() {
    let mut tape = Tape::with(VenueConfig { latency: Nanos(0).into(), ..VenueConfig::default() });
    tape.order(limit(Buy, d(1000), 10).iceberg(Qty(1)));
    tape.order(limit(Buy, d(1000), 10).hidden());
    tape.order(market(Buy, 10).stop_at(d(1001)));
    tape.order(market(Buy, 10).with_time_in_force(TimeInForce::Closing));
    tape.order(limit(Buy, d(1000), 10).until(Nanos(1_000_000)));
    let mut out = vec![];
    let account = ringtape::units::AccountId(0);
    tape.venue.kill(account, Reason::Killed, Nanos(tape.now), &mut out);
    assert_eq!(kinds(&out), ["cancelled"; 5]);
    assert!(!tape.venue.is_active(X) && tape.venue.next_due().is_none());
}
