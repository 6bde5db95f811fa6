//! The risk gate: each limit is run into, says so, and lets nothing past it.
//!
//! Would catch: a limit that counts what is filled but not what is open, an order of the wrong side
//! that is stopped, a replacement that slips through, a loss that goes on, a limit changed at run
//! time that is forgotten by a save.

use proptest::prelude::*;
use ringtape::book::Replica;
use ringtape::error::Result;
use ringtape::event::kinds::Raw;
use ringtape::event::{Event, Execution, ExecutionKind, Flags, Instrument, InstrumentTable};
use ringtape::event::{Reason, payload};
use ringtape::matching::{LatencyModel, NewOrder, VenueConfig};
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::risk::{Circumstances, Limit, RiskGate};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};
use std::sync::{Arc, Mutex};

use Side::{Buy, Sell};

use crate::venue_tape::run::{Run, config};
use crate::venue_tape::{X, add, d, delete, execute, kinds};

/// What a strategy is to do at the next exchange event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    New(NewOrder),
    Replace(u64, Price, u64),
    Cancel(u64),
    Kill,
}

/// A strategy that does what it is given.
#[derive(Default)]
struct Puppet {
    acts: Arc<Mutex<Vec<Act>>>,
}

impl Strategy for Puppet {
    fn name(&self) -> &str {
        "puppet"
    }
    fn on_exchange_event(&mut self, _: InstrumentId, desk: &mut Desk<'_>) {
        for act in std::mem::take(&mut *self.acts.lock().expect("the acts")) {
            match act {
                Act::New(order) => {
                    desk.submit(order);
                }
                Act::Replace(number, price, qty) => {
                    desk.replace(OrderId(OrderId::OWN | number), price, Qty(qty));
                }
                Act::Cancel(number) => desk.cancel(OrderId(OrderId::OWN | number)),
                Act::Kill => desk.kill(),
            }
        }
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// A run with limits, and the strings of its puppet.
pub(crate) struct Stage {
    pub(crate) run: Run,
    pub(crate) acts: Arc<Mutex<Vec<Act>>>,
}

impl Stage {
    /// Limits, and a market of 10.00 to 10.02 with 1,000 on each side, last traded at 10.00.
    fn new(limits: &str) -> Self {
        Self::with(limits, Nanos(0).into())
    }

    pub(crate) fn with(limits: &str, latency: LatencyModel) -> Self {
        let acts = Arc::<Mutex<Vec<Act>>>::default();
        let strategy = Box::new(Puppet { acts: acts.clone() });
        let limits = limits.parse().expect("limits");
        let venue = VenueConfig { latency, ..VenueConfig::default() };
        let config = TraderConfig { limits, venue, ..TraderConfig::default() };
        let mut run = Run::new(Trader::with_strategy(strategy, config));
        run.play_all(&[add(1, Buy, d(1000), 1_100), add(2, Sell, d(1002), 1_000)]);
        run.play_all(&[execute(1, 100)]);
        Self { run, acts }
    }

    /// Does one thing after the next event and gives what came of it.
    pub(crate) fn act(&mut self, act: Act) -> Vec<Execution> {
        self.act_at(0, act)
    }

    fn act_at(&mut self, ts_event: u64, act: Act) -> Vec<Execution> {
        self.plan(act);
        let mut out = self.run.play(Event { ts_event, ..delete(99) }).expect("it plays");
        out.retain(|one| !matches!(one.kind(), Some(ExecutionKind::Status | ExecutionKind::Quote)));
        out
    }

    /// Has a thing done after the next event.
    pub(crate) fn plan(&mut self, act: Act) {
        self.acts.lock().expect("the acts").push(act);
    }

    pub(crate) fn new_order(&mut self, side: Side, cents: i64, qty: u64) -> Reason {
        let out = self.act(Act::New(NewOrder::limit(X, side, d(cents), Qty(qty))));
        let first = out.first().expect("an answer");
        match first.kind() {
            Some(ExecutionKind::Rejected) => first.reason(),
            _ => Reason::None,
        }
    }
}

#[test]
fn an_order_may_not_be_too_large() {
    let mut stage = Stage::new("order-qty=100");
    assert_eq!(stage.new_order(Buy, 990, 101), Reason::OrderSize);
    assert_eq!(stage.new_order(Buy, 990, 100), Reason::None);
    let out = stage.act(Act::Replace(2, d(990), 101));
    assert_eq!((kinds(&out), out[0].reason()), (vec!["rejected"], Reason::OrderSize));
    assert_eq!(out[0].leaves, 100, "the old order stays as it was");
    assert_eq!(kinds(&stage.act(Act::Replace(2, d(989), 60))), ["replaced"]);
}

#[test]
fn the_position_counts_with_all_that_is_open_on_the_side() {
    let mut stage = Stage::new("position=150");
    assert_eq!(stage.new_order(Buy, 990, 100), Reason::None);
    assert_eq!(stage.new_order(Buy, 991, 51), Reason::PositionLimit);
    assert_eq!(stage.new_order(Buy, 991, 50), Reason::None);
    // The other side has its own room.
    assert_eq!(stage.new_order(Sell, 1010, 150), Reason::None);
    assert_eq!(stage.new_order(Sell, 1011, 1), Reason::PositionLimit);
    // A replacement stands in the place of what it replaces.
    assert_eq!(kinds(&stage.act(Act::Replace(1, d(992), 100))), ["replaced"]);
    let out = stage.act(Act::Replace(3, d(992), 60));
    assert_eq!(out[0].reason(), Reason::PositionLimit);
    // What is cancelled makes room.
    assert_eq!(kinds(&stage.act(Act::Cancel(3))), ["cancelled"]);
    assert_eq!(stage.new_order(Buy, 1002, 50), Reason::None);
    assert_eq!(stage.run.position(), 50);
    assert_eq!(stage.new_order(Buy, 991, 1), Reason::PositionLimit);
    // Long 50 with 150 offered: to sell 50 more leads to 150 short at most.
    assert_eq!(stage.new_order(Sell, 1011, 50), Reason::None);
    assert_eq!(stage.new_order(Sell, 1011, 1), Reason::PositionLimit);
}

#[test]
fn gross_and_net_values_count_what_is_open_at_its_worst() {
    let mut stage = Stage::new("gross-notional=1010.00");
    assert_eq!(stage.new_order(Buy, 1000, 102), Reason::GrossNotional);
    assert_eq!(stage.new_order(Buy, 1000, 100), Reason::None);
    // The worse side counts, not both; without a mark at the latest limit.
    assert_eq!(stage.new_order(Sell, 1010, 100), Reason::None);
    assert_eq!(stage.new_order(Sell, 1010, 1), Reason::GrossNotional);

    let mut stage = Stage::new("net-notional=1000.00");
    assert_eq!(stage.new_order(Sell, 1010, 100), Reason::NetNotional);
    assert_eq!(stage.new_order(Sell, 1010, 99), Reason::None);
    assert_eq!(stage.new_order(Buy, 1000, 100), Reason::None);
    assert_eq!(stage.new_order(Buy, 1000, 1), Reason::NetNotional);
}

#[test]
fn a_value_without_a_rate_is_no_value_to_trade_at() {
    let acts = Arc::<Mutex<Vec<Act>>>::default();
    let strategy = Box::new(Puppet { acts: acts.clone() });
    let limits = "gross-notional=1000.00".parse().expect("limits");
    let rates = "base=EUR".parse().expect("rates");
    let config = TraderConfig { limits, rates, ..config(0) };
    let mut run = Run::new(Trader::with_strategy(strategy, config));
    run.play_all(&[add(1, Buy, d(1000), 100), add(2, Sell, d(1002), 100)]);
    let mut stage = Stage { run, acts };
    assert_eq!(stage.new_order(Buy, 1000, 1), Reason::GrossNotional);
}

#[test]
fn a_price_may_not_lie_too_far_through_the_market() {
    let mut stage = Stage::new("price-collar=5%");
    assert_eq!(stage.new_order(Buy, 1051, 1), Reason::PriceCollar);
    assert_eq!(stage.new_order(Sell, 949, 1), Reason::PriceCollar);
    assert_eq!(stage.new_order(Buy, 1050, 1), Reason::None);
    assert_eq!(stage.new_order(Sell, 950, 1), Reason::None);
    // Away from the market there is no harm.
    assert_eq!(stage.new_order(Buy, 100, 1), Reason::None);
    assert_eq!(stage.new_order(Sell, 9_000, 1), Reason::None);
}

#[test]
fn a_market_order_needs_a_cap_within_the_collar_and_a_stop_a_limit_near_its_stop() {
    let mut stage = Stage::new("price-collar=5%");
    let mut send = |order| stage.act(Act::New(order))[0].reason();
    for side in [Buy, Sell] {
        let market = NewOrder::market(X, side, Qty(1));
        assert_eq!(send(market), Reason::PriceCollar);
        assert_eq!(send(market.stop_at(d(1000))), Reason::PriceCollar);
    }
    let capped = |cents| NewOrder { price: d(cents), ..NewOrder::market(X, Buy, Qty(1)) };
    assert_eq!(send(capped(1051)), Reason::PriceCollar);
    assert_eq!(send(capped(1050)), Reason::None);
    let stop = |cents, stop| NewOrder::limit(X, Buy, d(cents), Qty(1)).stop_at(d(stop));
    assert_eq!(send(stop(1261, 1200)), Reason::PriceCollar);
    assert_eq!(send(stop(1260, 1200)), Reason::None);
}

#[test]
fn a_market_order_is_valued_at_the_other_side_of_the_market() {
    let mut stage = Stage::new("gross-notional=1002.00");
    let mut send = |qty| stage.act(Act::New(NewOrder::market(X, Buy, Qty(qty))))[0].reason();
    assert_eq!(send(101), Reason::GrossNotional);
    assert_eq!(send(100), Reason::None);
}

#[test]
fn a_number_that_is_open_is_refused_and_free_again_when_the_order_is_gone() {
    let mut books = Replica::new();
    for event in InstrumentTable::events(0, X, &Instrument::us_equity("X")) {
        books.apply(&event);
    }
    let portfolio = Portfolio::new(PortfolioConfig::default());
    let at = Circumstances { now: Nanos(0), books: &books, account: &portfolio };
    let (account, order) = (AccountId(0), NewOrder::limit(X, Buy, d(1000), Qty(10)));
    let mut gate = RiskGate::new("position=30".parse().expect("limits"));
    let [first, second] = [OrderId(1), OrderId(2)];
    assert_eq!(gate.pass_new(account, first, &order, at), Ok(()));
    assert_eq!(gate.pass_new(account, first, &order, at), Err(Reason::DuplicateOrder));
    assert_eq!(gate.pass_new(account, second, &order, at), Ok(()));
    let replaced = gate.pass_replace(account, first, second, &order, at);
    assert_eq!(replaced, Err(Reason::DuplicateOrder));
    // What was refused holds no room: 20 of 30 are open.
    assert_eq!(gate.pass_new(account, OrderId(3), &order, at), Ok(()));
    gate.note(&Execution { order_id: first.0, ..Execution::new(ExecutionKind::Cancelled, 0, X.0) });
    assert_eq!(gate.pass_new(account, first, &order, at), Ok(()));
    // Another account has numbers of its own.
    assert_eq!(gate.pass_new(AccountId(1), first, &order, at), Ok(()));
}

#[test]
fn so_many_messages_in_any_second_and_no_more() {
    const SECOND: u64 = 1_000_000_000;
    let mut stage = Stage::new("message-rate=3");
    let order = NewOrder::limit(X, Buy, d(990), Qty(1));
    let mut at = |time| {
        let out = stage.act_at(time, Act::New(order));
        out[0].reason()
    };
    assert_eq!([10, 11, 12].map(|tenths| at(tenths * SECOND / 10)), [Reason::None; 3]);
    assert_eq!(at(13 * SECOND / 10), Reason::MessageRate);
    assert_eq!(at(2 * SECOND - 1), Reason::MessageRate);
    // The first is a second old; a refused message was none.
    assert_eq!(at(2 * SECOND), Reason::None);
    assert_eq!(at(2 * SECOND + 1), Reason::MessageRate);
    assert_eq!(at(21 * SECOND / 10), Reason::None);
    // A cancel passes, and counts.
    assert_eq!(kinds(&stage.act_at(211 * SECOND / 100, Act::Cancel(1))), ["cancelled"]);
}

#[test]
fn so_many_orders_are_open_and_no_more() {
    let mut stage = Stage::new("open-orders=2");
    assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
    assert_eq!(stage.new_order(Buy, 991, 1), Reason::None);
    assert_eq!(stage.new_order(Buy, 992, 1), Reason::OpenOrders);
    assert_eq!(kinds(&stage.act(Act::Replace(1, d(993), 1))), ["replaced"]);
    // A replacement still is one order; a fill makes room.
    assert_eq!(stage.new_order(Buy, 992, 1), Reason::OpenOrders);
    stage.act(Act::Cancel(2));
    assert_eq!(stage.new_order(Buy, 1002, 1), Reason::None);
    assert_eq!(stage.new_order(Buy, 1002, 1), Reason::None);
    assert_eq!(stage.run.position(), 2);
}

#[test]
fn so_many_messages_for_each_fill_and_no_more() {
    let mut stage = Stage::new("order-to-trade=4");
    for _ in 0..2 {
        assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
    }
    stage.act(Act::Cancel(1));
    assert_eq!(stage.new_order(Buy, 1002, 1), Reason::None);
    // Four messages, one fill: the first was granted, so there must be another.
    assert_eq!(stage.new_order(Buy, 1002, 1), Reason::OrderToTrade);
    let mut stage = Stage::new("order-to-trade=2");
    for _ in 0..2 {
        assert_eq!(stage.new_order(Buy, 1002, 1), Reason::None);
    }
    assert_eq!(stage.new_order(Buy, 1002, 1), Reason::None, "two fills allow four messages");
}

#[test]
fn what_the_gate_refuses_is_no_message() {
    for limits in ["order-qty=10,order-to-trade=2", "order-qty=10,message-rate=2"] {
        let mut stage = Stage::new(limits);
        for _ in 0..5 {
            assert_eq!(stage.new_order(Buy, 990, 11), Reason::OrderSize);
        }
        assert_eq!(stage.new_order(Buy, 990, 10), Reason::None, "{limits}");
        assert_eq!(stage.act(Act::Replace(6, d(990), 11))[0].reason(), Reason::OrderSize);
        assert_eq!(stage.new_order(Buy, 990, 10), Reason::None, "{limits}");
        assert_ne!(stage.new_order(Buy, 990, 10), Reason::None, "{limits}");
    }
}

#[test]
fn a_loss_beyond_its_limit_cancels_everything_and_ends_the_account() {
    let mut stage = Stage::new("loss=100.00");
    assert_eq!(stage.new_order(Buy, 1002, 100), Reason::None);
    assert_eq!(stage.new_order(Buy, 100, 7), Reason::None);
    // The mid falls from 10.01 to 9.025: a loss of 99.50, then of 100.50.
    let out = stage.run.play_all_and_tell(&[delete(2), delete(1), add(3, Buy, d(902), 10)]);
    assert!(!kinds(&out).contains(&"cancelled"));
    let out = stage.run.play_all_and_tell(&[add(4, Sell, d(903), 10)]);
    assert_eq!(kinds(&out), ["quote"]);
    let out = stage.run.play_all_and_tell(&[add(5, Sell, d(902), 10), delete(3)]);
    assert!(!kinds(&out).contains(&"cancelled"));
    let out = stage.run.play_all_and_tell(&[add(6, Buy, d(901), 10)]);
    assert_eq!(kinds(&out), ["quote", "cancelled"]);
    assert_eq!((out[1].reason(), out[1].qty), (Reason::LossLimit, 7));
    assert_eq!(stage.new_order(Sell, 1010, 1), Reason::Killed);
    assert!(stage.run.trader.warnings().iter().any(|warning| warning.contains("kill switch")));
}

#[test]
fn the_kill_switch_is_thrown_by_the_strategy_or_by_a_command_for_one_account_or_all() {
    let mut stage = Stage::new("");
    assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
    let out = stage.act(Act::Kill);
    assert_eq!((kinds(&out), out[0].reason()), (vec!["cancelled"], Reason::Killed));
    assert_eq!(stage.new_order(Buy, 990, 1), Reason::Killed);

    for (account, all_accounts, is_meant) in [(0, 0, true), (1, 0, false), (9, 1, true)] {
        let mut stage = Stage::new("");
        assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
        let account = AccountId(account);
        stage.command(payload::Kill { account, all_accounts, pad: Raw([0; 24]) });
        let expected = if is_meant { Reason::Killed } else { Reason::None };
        assert_eq!(stage.new_order(Buy, 990, 1), expected);
        assert_eq!(stage.run.resting().is_empty(), is_meant);
    }
}

#[test]
fn a_feed_that_lost_messages_cancels_where_that_is_asked_for() {
    for (limits, expected) in [("cancel-on-disconnect=yes", 1), ("cancel-on-disconnect=no", 0)] {
        let mut stage = Stage::new(limits);
        assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
        let bad = delete(99).with_flags(Flags::LAST | Flags::MAYBE_BAD);
        let out = stage.run.play_all_and_tell(&[bad]);
        assert_eq!(kinds(&out).len(), expected);
        assert!(out.iter().all(|one| one.reason() == Reason::Disconnected));
        // Orders may be sent again.
        assert_eq!(stage.new_order(Buy, 990, 1), Reason::None);
        assert_eq!(stage.run.resting().len(), 2 - expected);
    }
}

#[test]
fn limits_change_while_the_market_runs_and_a_save_keeps_them() {
    let mut stage = Stage::new("position=100");
    let set = |limit, value| payload::Limits {
        account: AccountId(0),
        limit: limit as u32,
        value,
        pad: Raw([0; 16]),
    };
    stage.command(set(Limit::Position, 10));
    assert_eq!(stage.new_order(Buy, 990, 11), Reason::PositionLimit);
    assert_eq!(stage.new_order(Buy, 990, 10), Reason::None);

    let mut writer = StateWriter::default();
    stage.run.trader.save(&mut writer);
    let bytes = writer.into_bytes();
    let fresh = Stage::new("position=100");
    let mut stage = Stage { acts: fresh.acts, run: Run { trader: fresh.run.trader, ..stage.run } };
    let mut reader = StateReader::new("trader", &bytes);
    stage.run.trader.load(&mut reader).expect("just saved");
    reader.finish().expect("nothing is left over");
    assert_eq!(stage.new_order(Buy, 990, 1), Reason::PositionLimit);
    stage.command(set(Limit::Position, u64::MAX));
    assert_eq!(stage.new_order(Buy, 990, 1_000), Reason::None);
}

impl Stage {
    fn command(&mut self, payload: impl ringtape::event::Payload) {
        let (event, Run { trader, replica, out, .. }) = (Event::new(0, 0, payload), &mut self.run);
        trader.command(&event, replica, out).expect("it is followed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_gets_past_the_gate(
        steps in prop::collection::vec(
            (0..9u8, any::<bool>(), 995..1008i64, 1..120u64, 1..30u64), 1..80),
    ) {
        let mut stage =
            Stage::new("order-qty=90,position=200,open-orders=5,gross-notional=3000");
        let mut id = 10;
        for (what, is_buy, cents, qty, number) in steps {
            let side = if is_buy { Buy } else { Sell };
            match what {
                0..=2 => {
                    stage.act(Act::New(NewOrder::limit(X, side, d(cents), Qty(qty))));
                }
                6 => {
                    stage.act(Act::New(NewOrder::market(X, side, Qty(qty))));
                }
                7 => {
                    let market = NewOrder::market(X, side, Qty(qty));
                    stage.act(Act::New(market.stop_at(d(cents))));
                }
                8 => {
                    let limit = NewOrder::limit(X, side, d(cents), Qty(qty));
                    stage.act(Act::New(limit.iceberg(Qty(number)).trailing(Price(100))));
                    stage.act(Act::New(limit.iceberg(Qty(number))));
                }
                3 => {
                    stage.act(Act::Replace(number, d(cents), qty));
                }
                4 => {
                    stage.act(Act::Cancel(number));
                }
                _ => {
                    id += 1;
                    stage.run.play_all(&[add(id, side, d(cents), qty), execute(id, qty)]);
                }
            }
            let trader = &stage.run.trader;
            let open: Vec<_> = trader.venue().expect("a simulated one").open_orders(X).collect();
            let sum = |side| open.iter().filter(|o| o.terms.side == side)
                .map(|o| o.leaves.0 as i64).sum::<i64>();
            let held = stage.run.position();
            prop_assert!(open.len() <= 5);
            prop_assert!(open.iter().all(|order| order.terms.qty.0 <= 90));
            prop_assert!(held + sum(Buy) <= 200 && held - sum(Sell) >= -200, "{} {:?}", held, open);
        }
    }
}
