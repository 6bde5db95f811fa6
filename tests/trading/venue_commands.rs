//! Commands to the simulated venue: rejects, reductions, replacements, the ends of orders.
//!
//! Would catch: a bad order that is accepted, a replacement that keeps its place or refills what
//! was filled, an order that outlives the session or the kill switch.

use std::sync::Arc;

use ringtape::event::{
    InstrumentOverride, InstrumentOverrides, Reason, TickBands, TimeInForce, TradingHours, Zone,
};
use ringtape::matching::{Command, NewOrder, OrderState, VenueConfig};
use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::*;

fn limit(side: Side, price: Price, qty: u64) -> NewOrder {
    NewOrder::limit(X, side, price, Qty(qty))
}

#[test]
fn what_cannot_be_an_order_is_rejected_with_its_reason() {
    let mut tape = Tape::new();
    let unknown = NewOrder { instrument: InstrumentId(99), ..limit(Buy, d(1000), 100) };
    for (terms, expected) in [
        (limit(Buy, Price(100_001), 100), Reason::OffTick),
        (limit(Buy, Price(0), 100), Reason::BadPrice),
        (limit(Sell, Price(-100), 100), Reason::BadPrice),
        (limit(Sell, Price(i64::MAX), 100), Reason::BadPrice),
        (limit(Buy, d(1000), 0), Reason::BadQuantity),
        (limit(Buy, d(1000), u64::MAX), Reason::BadQuantity),
        (unknown, Reason::UnknownInstrument),
    ] {
        let out = tape.order(terms).1;
        assert_eq!((out.len(), reason(&out)), (1, ("rejected", expected)));
        assert_eq!(out[0].leaves, 0);
    }
    // Below a dollar the tick is finer.
    tape.rest(Buy, Price(9_999), 100);
    let out = tape.command(Command::New { order_id: own(8), terms: limit(Buy, d(1000), 1) });
    assert_eq!(reason(&out), ("rejected", Reason::DuplicateOrder));
    for command in [
        Command::Cancel { order_id: own(77) },
        Command::Reduce { order_id: own(77), qty: Qty(1) },
        Command::Replace { order_id: own(77), new_order_id: own(78), price: d(1), qty: Qty(1) },
    ] {
        assert_eq!(reason(&tape.command(command)), ("rejected", Reason::UnknownOrder));
    }
}

#[test]
fn rules_that_the_feed_does_not_tell_hold_for_own_orders_too() {
    let own_rules = InstrumentOverride {
        lot: Some(Qty(10)),
        qty_min: Some(Qty(20)),
        qty_max: Some(Qty(500)),
        price_max: Some(20_000_000_000),
        collar: Some(50_000_000),
        ticks: TickBands::new(&[(0, 10_000_000), (10_000_000_000, 50_000_000)]).ok(),
        ..InstrumentOverride::default()
    };
    let instruments = Arc::new(InstrumentOverrides::new([("X".to_owned(), own_rules)]));
    let latency = Nanos(0).into();
    let mut tape = Tape::with(VenueConfig { instruments, latency, ..VenueConfig::default() });
    for (terms, expected) in [
        (limit(Buy, d(1000), 25), Reason::OffLot),
        (limit(Buy, d(1000), 10), Reason::BadQuantity),
        (limit(Buy, d(1000), 510), Reason::BadQuantity),
        (limit(Sell, d(2001), 20), Reason::BadPrice),
        (limit(Buy, d(1003), 20), Reason::OffTick),
    ] {
        let out = tape.order(terms).1;
        assert_eq!((out.len(), reason(&out)), (1, ("rejected", expected)));
    }
    tape.rest(Sell, d(2000), 20);
    let order_id = tape.rest(Buy, d(900), 20);
    let too_large =
        Command::Replace { order_id, new_order_id: own(9), price: d(900), qty: Qty(25) };
    assert_eq!(reason(&tape.command(too_large)), ("rejected", Reason::OffLot));
    // A market order goes as far from the last trade as the collar lets it, and no farther.
    for (id, cents) in [(1, 1000), (2, 1005), (3, 1006)] {
        tape.play(add(id, Sell, d(cents), 40));
    }
    tape.play(execute(1, 20));
    let out = tape.order(NewOrder::market(X, Buy, Qty(100))).1;
    assert_eq!(
        fills(&out).iter().map(|fill| (fill.1, fill.2)).collect::<Vec<_>>(),
        [(20, d(1000)), (40, d(1005)),]
    );
    assert_eq!(reason(&out), ("cancelled", Reason::Collar));
}

/// The bench with a session of X from 9:30 to 16:00, its time at 9:00 of the first day.
fn with_hours() -> Tape {
    closing_at(at(16, 0))
}

/// The same with another close.
fn closing_at(close: u64) -> Tape {
    let hours = TradingHours { open: at(9, 30), close, zone: Zone::Utc };
    let own = InstrumentOverride { hours: Some(hours), ..InstrumentOverride::default() };
    let instruments = Arc::new(InstrumentOverrides::new([("X".to_owned(), own)]));
    let latency = Nanos(0).into();
    let mut tape = Tape::with(VenueConfig { instruments, latency, ..VenueConfig::default() });
    tape.now = at(9, 0);
    tape
}

/// A time of day in ns.
fn at(hour: u64, minute: u64) -> u64 {
    (hour * 60 + minute) * 60_000_000_000
}

#[test]
fn outside_its_hours_an_instrument_does_not_trade_whatever_the_tape_says() {
    let mut tape = with_hours();
    tape.play(add(1, Sell, d(1000), 100));
    let ioc = limit(Buy, d(1000), 10).with_time_in_force(TimeInForce::Ioc);
    assert_eq!(reason(&tape.order(ioc).1), ("rejected", Reason::NotTrading));
    let (early, out) = tape.order(limit(Buy, d(1000), 10));
    assert_eq!((kinds(&out), tape.state(early).state), (vec!["accepted"], OrderState::Halted));
    assert!(tape.play_at(at(9, 30) - 1, add(2, Buy, d(990), 5)).is_empty());
    // The first event in the hours lets it in.
    let out = tape.play_at(at(9, 30), add(3, Buy, d(990), 5));
    assert_eq!(fills(&out), [(2, 10, d(1000))]);
    // At the close what is good beyond the day stays, and nothing fills it.
    let gtc = limit(Buy, d(995), 10).with_time_in_force(TimeInForce::Gtc);
    let (kept, _) = tape.order(gtc);
    assert!(tape.play_at(at(16, 0), add(4, Sell, d(995), 50)).is_empty());
    assert_eq!(tape.state(kept).leaves, Qty(10));
    let stop =
        NewOrder::market(X, Buy, Qty(10)).stop_at(d(999)).with_time_in_force(TimeInForce::Gtc);
    let (pending, _) = tape.order(stop);
    assert!(tape.play(execute(1, 10)).is_empty());
    assert_eq!(tape.state(pending).state, OrderState::Pending);
    let out = tape.play_at(at(24 + 9, 30), add(5, Sell, d(995), 50));
    assert_eq!(fills(&out), [(kept.0 & !OrderId::OWN, 10, d(995))]);
}

#[test]
fn day_orders_end_with_their_session_and_those_for_the_closing_auction_wait_for_it() {
    let mut tape = with_hours();
    tape.play_at(at(10, 0), add(1, Sell, d(1000), 100));
    let day = tape.rest(Buy, d(990), 10);
    let kept = tape.order(limit(Buy, d(990), 10).with_time_in_force(TimeInForce::Gtc)).0;
    let close = limit(Buy, d(1010), 10).with_time_in_force(TimeInForce::Closing);
    let crossed = tape.order(close).0;
    assert!(tape.play_at(at(16, 0) - 1, delete(99)).is_empty());
    let out = tape.play_at(at(16, 0), delete(99));
    assert_eq!((out.len(), out[0].order_id), (1, day.0));
    assert_eq!(reason(&out), ("expired", Reason::EndOfDay));
    assert_eq!(fills(&tape.play(cross(d(1000), 10))), [(crossed.0 & !OrderId::OWN, 10, d(1000))]);
    // Midnight ends no day of an instrument that has hours.
    let late = tape.order(limit(Buy, d(980), 10)).0;
    let mut out = vec![];
    tape.venue.end_day(Nanos(at(24, 0)), &mut out);
    assert_eq!(out, []);
    let out = tape.play_at(at(24 + 16, 0), delete(99));
    assert_eq!((out.len(), out[0].order_id), (1, late.0));
    // A replacement is of the session in which it comes.
    tape.play_at(at(48 + 10, 0), delete(99));
    let new_order_id = own(70);
    let replace =
        |order_id| Command::Replace { order_id, new_order_id, price: d(985), qty: Qty(0) };
    let day = tape.rest(Buy, d(990), 10);
    tape.command(replace(day));
    assert_eq!(tape.state(new_order_id).terms.expire_ts, Nanos(0));
    let out = tape.play_at(at(48 + 16, 0), delete(99));
    assert_eq!((out.len(), out[0].order_id), (1, new_order_id.0));
    // The feed's end ends them all.
    let last = tape.order(limit(Buy, d(980), 10)).0;
    let mut out = vec![];
    tape.venue.end(Nanos(tape.now), &mut out);
    assert_eq!(out.iter().map(|one| one.order_id).collect::<Vec<_>>(), [last.0]);
    assert_eq!(tape.state(kept).leaves, Qty(10));
}

#[test]
fn day_orders_miss_the_closing_cross_that_comes_after_the_close_of_their_hours() {
    // The cross comes 100 ms after four, as it does at a venue that closes at four.
    let cross_at = at(16, 0) + 100_000_000;
    for (close, cents_filled) in [(at(16, 0), vec![990]), (cross_at + 1, vec![995, 990])] {
        let mut tape = closing_at(close);
        tape.play_at(at(10, 0), add(1, Sell, d(1000), 100));
        let day = tape.rest(Buy, d(995), 10);
        let closing = limit(Buy, d(990), 10).with_time_in_force(TimeInForce::Closing);
        let closing = tape.order(closing).0;
        let out = tape.play_at(cross_at, cross(d(980), 100));
        let orders = cents_filled.iter().map(|cents| if *cents == 995 { day } else { closing });
        let expected: Vec<_> = orders.map(|order| (order.0 & !OrderId::OWN, 10, d(980))).collect();
        assert_eq!(fills(&out), expected, "closing at {close}");
        let expired = out.iter().filter(|one| one.reason() == Reason::EndOfDay).count();
        assert_eq!(expired, 2 - cents_filled.len(), "closing at {close}");
    }
}

#[test]
fn an_order_for_a_closing_auction_that_never_comes_ends_when_the_next_session_opens() {
    let mut tape = with_hours();
    let close = limit(Buy, d(1000), 10).with_time_in_force(TimeInForce::Closing);
    let waiting = tape.order(close).0;
    assert!(tape.play_at(at(24 + 9, 30) - 1, delete(99)).is_empty());
    assert_eq!(tape.state(waiting).state, OrderState::Waiting);
    let out = tape.play_at(at(24 + 9, 30), delete(99));
    assert_eq!(reason(&out), ("expired", Reason::EndOfDay));
}

#[test]
fn a_reduction_keeps_the_place_and_a_replacement_loses_it() {
    let mut tape = Tape::new();
    tape.play(add(1, Buy, d(1000), 100));
    let order_id = tape.rest(Buy, d(1000), 100);
    tape.play(add(2, Buy, d(1000), 100));
    let out = tape.command(Command::Reduce { order_id, qty: Qty(30) });
    assert_eq!((kinds(&out), out[0].qty, out[0].leaves), (vec!["reduced"], 30, 70));
    assert_eq!(tape.ahead(order_id), 100);
    assert_eq!(fills(&tape.play(execute(2, 20))), [(1, 20, d(1000))]);

    let (new_order_id, price) = (own(50), d(1000));
    let out = tape.command(Command::Replace { order_id, new_order_id, price, qty: Qty(90) });
    assert_eq!(kinds(&out), ["replaced"]);
    assert_eq!((out[0].order_id, out[0].new_order_id), (order_id.0, new_order_id.0));
    assert_eq!((out[0].qty, out[0].cum, out[0].leaves), (90, 20, 70));
    assert_eq!(tape.ahead(new_order_id), 180);
    assert!(tape.venue.order(order_id).is_none());
    assert!(tape.play(execute(2, 20)).is_empty());

    let below =
        Command::Replace { order_id: new_order_id, new_order_id: own(51), price, qty: Qty(20) };
    let out = tape.command(below);
    assert_eq!(reason(&out), ("cancelled", Reason::ReplacedBelowCum));
    assert_eq!((out[0].qty, out[0].leaves), (70, 0));
}

#[test]
fn a_replacement_that_crosses_trades_at_once_unless_it_is_post_only() {
    let mut tape = Tape::new();
    tape.play(add(1, Sell, d(1001), 30));
    let (new_order_id, price) = (own(50), d(1001));
    let order_id = tape.rest(Buy, d(1000), 100);
    let out = tape.command(Command::Replace { order_id, new_order_id, price, qty: Qty(0) });
    assert_eq!(kinds(&out), ["replaced", "filled"]);
    assert_eq!(tape.state(new_order_id).leaves, Qty(70));

    tape.play(add(2, Sell, d(1002), 30));
    let (order_id, _) = tape.order(limit(Buy, d(999), 10).post_only());
    let replace = Command::Replace { order_id, new_order_id: own(60), price: d(1002), qty: Qty(0) };
    let out = tape.command(replace);
    assert_eq!(reason(&out), ("rejected", Reason::WouldTake));
    assert_eq!(tape.state(order_id).leaves, Qty(10));
}

#[test]
fn a_reduction_to_nothing_is_a_cancel_and_a_reduction_by_nothing_is_rejected() {
    let mut tape = Tape::new();
    let order_id = tape.rest(Buy, d(1000), 100);
    let out = tape.command(Command::Reduce { order_id, qty: Qty(0) });
    assert_eq!(reason(&out), ("rejected", Reason::BadQuantity));
    let out = tape.command(Command::Reduce { order_id, qty: Qty(100) });
    assert_eq!(reason(&out), ("cancelled", Reason::Requested));
    assert!(!tape.venue.is_active(X));
}

/// A venue with a latency of 5 ns, an own order that rests and another on its way.
fn one_resting_and_one_in_flight() -> Tape {
    let mut tape = Tape::with(VenueConfig { latency: Nanos(5).into(), ..VenueConfig::default() });
    tape.send(Command::New { order_id: own(1), terms: limit(Buy, d(1000), 10) });
    tape.now += 5;
    tape.receive();
    tape.send(Command::New { order_id: own(2), terms: limit(Buy, d(1000), 10) });
    tape
}

#[test]
fn the_kill_switch_cancels_everything_and_rejects_what_arrives_later() {
    let mut tape = one_resting_and_one_in_flight();
    let mut out = vec![];
    tape.venue.kill(AccountId(0), Reason::Killed, Nanos(tape.now), &mut out);
    assert_eq!(reason(&out), ("cancelled", Reason::Killed));
    tape.now += 5;
    assert_eq!(reason(&tape.receive()), ("rejected", Reason::Killed));
}

#[test]
fn at_the_end_orders_expire_and_what_is_in_flight_is_rejected() {
    let mut tape = one_resting_and_one_in_flight();
    let mut out = vec![];
    tape.venue.end(Nanos(tape.now), &mut out);
    assert_eq!(kinds(&out), ["expired", "rejected"]);
    assert!(out.iter().all(|execution| execution.reason() == Reason::EndOfDay));
    assert!(!tape.venue.is_active(X) && tape.venue.next_due().is_none());
    assert!(tape.venue.order(OrderId(OrderId::OWN | 2)).is_none());
}
