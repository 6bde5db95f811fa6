//! One property test for each bug that other matchers shipped, named after it.
//!
//! Each drives the matcher with random commands, or builds the case that went wrong elsewhere.

use std::collections::BTreeMap;

use bytemuck::Zeroable;
use proptest::prelude::*;
use ringtape::event::{
    Event, Execution, ExecutionKind, Instrument, InstrumentTable, Liquidity, OrderType, Reason,
    TimeInForce, payload,
};
use ringtape::matching::{Matcher, MatcherConfig};
use ringtape::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

const X: InstrumentId = InstrumentId(1);

/// A matcher of one instrument with everything that it said.
struct Venue {
    matcher: Matcher,
    said: Vec<Execution>,
    now: u64,
}

impl Venue {
    fn new() -> Self {
        let matcher = Matcher::new(MatcherConfig::default());
        let mut venue = Self { matcher, said: Vec::new(), now: 1 };
        let instrument = Instrument { price_increment: 10_000_000, ..Instrument::us_equity("X") };
        for event in InstrumentTable::events(0, X, &instrument) {
            venue.apply(event);
        }
        venue
    }

    /// What one record causes.
    fn apply(&mut self, mut event: Event) -> Vec<Execution> {
        event.ts_event = self.now;
        let start = self.said.len();
        self.matcher.apply(&event, &mut self.said);
        self.said[start..].to_vec()
    }

    fn order(
        &mut self,
        id: u64,
        side: Side,
        price: i64,
        qty: u64,
        tif: TimeInForce,
    ) -> Vec<Execution> {
        let order = payload::NewOrder {
            order_id: OrderId(id),
            price: Price(price),
            qty: Qty(qty),
            account: AccountId(id as u32 % 3),
            time_in_force: tif as u8,
            ..payload::NewOrder::zeroed()
        };
        self.apply(Event::new(0, X.0, order).with_side(side))
    }

    fn limit(&mut self, id: u64, side: Side, price: i64, qty: u64) -> Vec<Execution> {
        self.order(id, side, price, qty, TimeInForce::Day)
    }

    fn stop(&mut self, id: u64, side: Side, stop: i64, trail: i64) -> Vec<Execution> {
        let terms = payload::Terms {
            stop_price: Price(stop),
            trail: Price(trail),
            ..payload::Terms::zeroed()
        };
        let order_type = if trail > 0 { OrderType::Trailing } else { OrderType::Stop };
        let order = payload::NewOrder {
            order_id: OrderId(id),
            qty: Qty(1),
            order_type: order_type as u8,
            ..payload::NewOrder::zeroed()
        };
        self.apply(Event::new(0, X.0, terms).with_side(side));
        self.apply(Event::new(0, X.0, order).with_side(side))
    }

    fn cancel(&mut self, id: u64, account: u32) -> Vec<Execution> {
        let cancel = payload::CancelOrder {
            order_id: OrderId(id),
            account: AccountId(account),
            ..payload::CancelOrder::zeroed()
        };
        self.apply(Event::new(0, X.0, cancel))
    }

    fn replace(&mut self, id: u64, price: i64, qty: u64, new_id: u64) -> Vec<Execution> {
        let replace = payload::ReplaceOrder {
            order_id: OrderId(id),
            price: Price(price),
            qty: Qty(qty),
            new_order_id: OrderId(new_id),
        };
        self.apply(Event::new(0, X.0, replace))
    }

    /// Trades one at a price, between two orders that come for it.
    fn trade_at(&mut self, id: u64, price: i64) -> Vec<Execution> {
        self.limit(id, Side::Sell, price, 1);
        self.limit(id + 1, Side::Buy, price, 1)
    }
}

fn kinds(executions: &[Execution]) -> Vec<&'static str> {
    executions.iter().map(|execution| execution.kind().expect("a kind").name()).collect()
}

/// The orders that were filled as makers.
fn makers(executions: &[Execution]) -> Vec<u64> {
    let is_maker = |execution: &&Execution| execution.liquidity == Liquidity::Maker as u8;
    executions.iter().filter(is_maker).map(|execution| execution.order_id).collect()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    New { side: bool, price: i64, qty: u64, tif: u8 },
    Cancel { back: u64 },
    Replace { back: u64, price: i64, qty: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let new = (any::<bool>(), 95..105_i64, 1..9_u64, prop_oneof![Just(0_u8), Just(3), Just(4)])
        .prop_map(|(side, price, qty, tif)| Step::New { side, price, qty, tif });
    let cancel = (1..30_u64).prop_map(|back| Step::Cancel { back });
    let replace = (1..30_u64, 95..105_i64, 1..12_u64)
        .prop_map(|(back, price, qty)| Step::Replace { back, price, qty });
    prop::collection::vec(prop_oneof![4 => new, 1 => cancel, 1 => replace], 1..120)
}

/// Plays steps; order numbers count up, and replaced orders get a new one.
fn play(steps: &[Step], mut after: impl FnMut(&Venue, Step, &[Execution])) {
    let mut venue = Venue::new();
    let mut next = 1;
    for &step in steps {
        let said = match step {
            Step::New { side, price, qty, tif } => {
                let side = if side { Side::Buy } else { Side::Sell };
                let tif = TimeInForce::from_code(tif).expect("a code");
                next += 1;
                venue.order(next, side, price, qty, tif)
            }
            Step::Cancel { back } => {
                let id = next.saturating_sub(back);
                let account = venue.matcher.order(OrderId(id)).map_or(0, |order| order.account.0);
                venue.cancel(id, account)
            }
            Step::Replace { back, price, qty } => {
                next += 1;
                venue.replace(next.saturating_sub(back + 1), price, qty, next)
            }
        };
        after(&venue, step, &said);
    }
}

proptest! {
    #[test]
    fn a_trade_prints_at_the_makers_price_and_never_beyond_the_takers_limit(steps in steps()) {
        let mut limits = BTreeMap::new();
        play(&steps, |_, _, said| {
            for execution in said {
                let id = match execution.kind() {
                    Some(ExecutionKind::Accepted) => execution.order_id,
                    Some(ExecutionKind::Replaced) => execution.new_order_id,
                    Some(ExecutionKind::Filled) => {
                        let limit = Price(limits[&execution.order_id]);
                        let side = execution.side().expect("a side");
                        let price = Price(execution.price);
                        match execution.liquidity {
                            maker if maker == Liquidity::Maker as u8 => assert_eq!(price, limit),
                            _ => assert!(!side.is_better(price, limit)),
                        }
                        continue;
                    }
                    _ => continue,
                };
                limits.insert(id, execution.price);
            }
        });
    }

    #[test]
    fn the_book_is_never_crossed_and_no_best_price_is_stale_or_phantom(steps in steps()) {
        play(&steps, |venue, _, _| {
            let touch = venue.matcher.touch(X);
            assert!(!touch.is_crossed(), "also after a replacement into the other side");
            for (side, best) in [(Side::Buy, touch.bid_price), (Side::Sell, touch.ask_price)] {
                let first = venue.matcher.levels(X, side).next();
                assert_eq!(first.map_or(Price(0), |level| level.price), best);
            }
        });
    }

    #[test]
    fn a_levels_total_is_the_sum_of_its_orders_and_none_is_empty(steps in steps()) {
        play(&steps, |venue, _, _| {
            for side in [Side::Buy, Side::Sell] {
                for level in venue.matcher.levels(X, side) {
                    let queue: Vec<_> = venue.matcher.queue(X, side, level.price).collect();
                    assert_eq!(queue.iter().map(|order| order.qty.0).sum::<u64>(), level.qty.0);
                    assert_eq!(queue.len(), level.orders as usize);
                    assert!(queue.iter().all(|order| order.qty.0 > 0));
                    assert!(queue.is_sorted_by_key(|order| order.priority), "first in first out");
                }
            }
        });
    }

    #[test]
    fn no_fill_has_quantity_zero_and_no_immediate_order_rests(steps in steps()) {
        play(&steps, |venue, step, said| {
            assert!(said.iter().all(|e| e.kind() != Some(ExecutionKind::Filled) || e.qty > 0));
            if let Step::New { tif: 3 | 4, .. } = step {
                assert!(venue.matcher.order(OrderId(said[0].order_id)).is_none());
            }
        });
    }

    #[test]
    fn fill_or_kill_looks_at_every_level_and_fills_all_or_nothing(steps in steps()) {
        play(&steps, |_, step, said| {
            if let Step::New { tif: 4, qty, .. } = step
                && said[0].kind() == Some(ExecutionKind::Accepted)
            {
                let id = said[0].order_id;
                let own = said.iter().filter(|execution| execution.order_id == id);
                let filled: u64 = own
                    .filter(|execution| execution.kind() == Some(ExecutionKind::Filled))
                    .map(|execution| execution.qty)
                    .sum();
                assert!(filled == qty || filled == 0);
            }
        });
    }

    #[test]
    fn slots_do_not_leak_on_cancels(steps in steps()) {
        play(&steps, |venue, _, _| {
            assert_eq!(venue.matcher.live_orders(), venue.matcher.orders(X).len());
        });
    }
}

#[test]
fn fill_or_kill_across_three_levels_fills() {
    let mut venue = Venue::new();
    for (id, price) in [(1, 100), (2, 101), (3, 102)] {
        venue.limit(id, Side::Sell, price, 5);
    }
    let said = venue.order(9, Side::Buy, 102, 15, TimeInForce::Fok);
    assert_eq!(makers(&said), [1, 2, 3]);
    assert_eq!(said.last().map(|fill| fill.leaves), Some(0));
}

#[test]
fn time_priority_survives_an_interior_cancel_a_partial_fill_and_equal_timestamps() {
    let mut venue = Venue::new();
    (1..=5).for_each(|id| _ = venue.limit(id, Side::Sell, 100, 10));
    venue.limit(6, Side::Buy, 100, 4);
    venue.cancel(3, 0);
    assert_eq!(makers(&venue.limit(7, Side::Buy, 100, 36)), [1, 2, 4, 5]);
}

#[test]
fn the_cancel_of_a_filled_order_is_rejected() {
    let mut venue = Venue::new();
    venue.limit(1, Side::Sell, 100, 5);
    venue.limit(2, Side::Buy, 100, 5);
    let said = venue.cancel(1, 1);
    assert_eq!((kinds(&said), said[0].reason()), (vec!["rejected"], Reason::UnknownOrder));
}

#[test]
fn the_number_of_a_live_order_cannot_be_used_again_and_that_of_a_dead_one_can() {
    let mut venue = Venue::new();
    venue.limit(1, Side::Sell, 100, 5);
    assert_eq!(venue.limit(1, Side::Buy, 90, 5)[0].reason(), Reason::DuplicateOrder);
    venue.cancel(1, 1);
    assert_eq!(kinds(&venue.limit(1, Side::Buy, 90, 5)), ["accepted"]);
}

#[test]
fn a_replacement_into_the_other_side_trades_at_once() {
    let mut venue = Venue::new();
    venue.limit(1, Side::Sell, 101, 5);
    venue.limit(2, Side::Buy, 99, 5);
    assert_eq!(kinds(&venue.replace(2, 101, 0, 0)), ["replaced", "filled", "filled"]);
}

#[test]
fn prices_at_the_ends_of_their_range_do_not_overflow_anything() {
    let mut venue = Venue::new();
    venue.limit(1, Side::Sell, i64::MAX, 5);
    venue.limit(2, Side::Buy, 1, 5);
    assert_eq!(venue.limit(3, Side::Buy, 0, 5)[0].reason(), Reason::BadPrice);
    assert_eq!(makers(&venue.limit(4, Side::Buy, i64::MAX, 5)), [1]);
    assert_eq!(makers(&venue.limit(5, Side::Sell, 1, 5)), [2]);
    assert_eq!(venue.limit(u64::MAX, Side::Sell, 1_999_999_900, 1)[0].qty, 1);
}

#[test]
fn a_stop_triggers_on_its_own_side_only() {
    let mut venue = Venue::new();
    venue.trade_at(1, 100);
    venue.stop(10, Side::Buy, 105, 0);
    venue.stop(11, Side::Sell, 95, 0);
    assert!(!kinds(&venue.trade_at(20, 100)).contains(&"triggered"));
    let said = venue.trade_at(30, 105);
    let triggered = said.iter().find(|e| e.kind() == Some(ExecutionKind::Triggered));
    assert_eq!(triggered.map(|e| e.order_id), Some(10));
    assert!(venue.matcher.order(OrderId(11)).is_some());
}

#[test]
fn a_trailing_stop_follows_every_new_price_and_never_loosens() {
    let mut venue = Venue::new();
    venue.trade_at(1, 100);
    venue.stop(10, Side::Sell, 0, 5);
    let stop = |venue: &Venue| venue.matcher.order(OrderId(10)).and_then(|order| order.stop);
    let mut id = 20;
    for (price, expected) in [(102, 97), (101, 97), (110, 105), (106, 105), (120, 115)] {
        venue.trade_at(id, price);
        assert_eq!(stop(&venue), Some(Price(expected)), "after {price}");
        id += 2;
    }
    assert!(kinds(&venue.trade_at(id, 115)).contains(&"triggered"));
}

#[test]
fn stops_that_trigger_stops_end_even_at_the_highest_price() {
    let mut venue = Venue::new();
    venue.trade_at(1, 100);
    for number in 0..50 {
        venue.limit(100 + number, Side::Sell, 101 + number as i64, 1);
        venue.stop(200 + number, Side::Buy, 101 + number as i64, 0);
    }
    venue.limit(300, Side::Sell, i64::MAX, 1);
    let said = venue.limit(400, Side::Buy, 101, 1);
    let triggered = kinds(&said).iter().filter(|kind| **kind == "triggered").count();
    assert_eq!(triggered, 50, "each one triggers the next");
    assert_eq!(makers(&said).last(), Some(&300));
}

#[test]
fn a_sweep_of_five_thousand_makers_fills_each_once() {
    let mut venue = Venue::new();
    (1..=5_000).for_each(|id| _ = venue.limit(id, Side::Sell, 100 + id as i64 % 10, 1));
    let said = venue.limit(9_999, Side::Buy, 200, 5_000);
    let mut filled = makers(&said);
    filled.sort_unstable();
    assert_eq!(filled, (1..=5_000).collect::<Vec<u64>>());
    assert_eq!(venue.matcher.live_orders(), 0);
}
