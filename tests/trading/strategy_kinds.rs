//! Timers, several strategies on one market, ways that take time, and the built-in strategies.
//!
//! Would catch: a timer inside an exchange event or out of turn, an account that sees another's
//! orders, liquidity that two strategies both took, a report told before it arrived, randomness
//! that another run does not repeat, a parent order that is overfilled, an order that outlives its
//! day.

use std::sync::{Arc, Mutex};

use ringtape::error::Result;
use ringtape::event::{Event, Execution, ExecutionKind, Instrument, Reason, TimeInForce};
use ringtape::matching::{LatencyModel, NewOrder, VenueConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, StrategySpec, TimerId, Trader, TraderConfig};
use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::run::{Run, config};
use crate::venue_tape::{X, add, d, delete, execute, open};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it is told; sends one order and sets timers at its first exchange event.
struct Diary {
    log: Log,
    order: Option<NewOrder>,
    timers: Vec<u64>,
    draws: bool,
}

impl Diary {
    fn note(&self, text: String) {
        self.log.lock().expect("the log").push(text);
    }
}

impl Strategy for Diary {
    fn name(&self) -> &str {
        "diary"
    }
    fn on_instrument(&mut self, _: InstrumentId, _: &Instrument) -> Result<bool> {
        Ok(true)
    }
    fn on_exchange_event(&mut self, _: InstrumentId, desk: &mut Desk<'_>) {
        if self.draws {
            let number = desk.random_below(1_000_000);
            self.note(format!("drew {number}"));
        }
        for due in std::mem::take(&mut self.timers) {
            desk.set_timer(Nanos(due));
        }
        if let Some(order) = self.order.take() {
            let order_id = desk.submit(order);
            self.note(format!("sent {} of account {}", order_id.0 & 0xff, desk.account_id()));
        }
    }
    fn on_fill(&mut self, fill: &Execution, desk: &mut Desk<'_>) {
        let held = desk.position(X);
        self.note(format!("filled {} at {}, holds {held}", fill.qty, desk.now()));
    }
    fn on_order_update(&mut self, update: &Execution, desk: &mut Desk<'_>) {
        let name = update.kind().map_or("?", ExecutionKind::name);
        let seen = desk.open_orders(X).count();
        self.note(format!("{name} at {}, sees {seen}", desk.now()));
    }
    fn on_timer(&mut self, timer: TimerId, desk: &mut Desk<'_>) {
        self.note(format!("timer {} at {}", timer.0, desk.now()));
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

fn diary(order: Option<NewOrder>, timers: &[u64]) -> (Box<dyn Strategy>, Log) {
    let log = Log::default();
    let diary = Diary { log: log.clone(), order, timers: timers.to_vec(), draws: false };
    (Box::new(diary), log)
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().expect("the log").clone()
}

#[test]
fn timers_fire_in_turn_before_the_first_event_at_or_past_their_time() {
    let (strategy, log) = diary(None, &[9_000, 5_000, 5_000, 6_000]);
    let mut run = Run::new(Trader::with_strategy(strategy, config(0)));
    // Event 3 sets them; events 4 to 8 are at 4,000 and so on.
    run.play_all(&[add(1, Buy, d(1000), 1), delete(99)]);
    assert_eq!(lines(&log), [""; 0]);
    run.play_all(&[open(delete(99))]);
    assert_eq!(lines(&log), ["timer 2 at 5000", "timer 3 at 5000"]);
    // While that exchange event is open none fires; with its end the one that is due does.
    run.play_all(&[open(delete(99))]);
    assert_eq!(lines(&log).len(), 2);
    run.play_all(&[delete(99)]);
    assert_eq!(lines(&log)[2..], ["timer 4 at 7000"]);
    run.play_all(&[Event { ts_event: 20_000, ..delete(99) }]);
    assert_eq!(lines(&log)[3..], ["timer 1 at 9000"]);
}

#[test]
fn a_day_order_expires_with_its_day_and_others_stay_for_the_next() {
    const DAY: u64 = 86_400_000_000_000;
    let day = |order: NewOrder| order.with_time_in_force(TimeInForce::Day);
    let later = NewOrder::limit(X, Buy, d(900), Qty(1));
    for (order, is_over) in [
        (day(later), true),
        (later.with_time_in_force(TimeInForce::Closing), true),
        (later.with_time_in_force(TimeInForce::Gtc), false),
        (later.until(Nanos(DAY + 70_000)), false),
    ] {
        let (strategy, log) = diary(Some(order), &[DAY]);
        let mut run = Run::new(Trader::with_strategy(strategy, config(500)));
        run.play_all(&[add(1, Buy, d(1000), 1)]);
        let last = Event { ts_event: DAY - 1, ..delete(99) };
        run.play_all(&[last]);
        assert_eq!(lines(&log)[1..], ["accepted at 3500, sees 1"], "{order:?}");
        // It expires at midnight, which is before what happens then.
        let expired = ["expired at 86400000000000, sees 0".to_owned()];
        let timer = ["timer 1 at 86400000000000".to_owned()];
        let told = [&expired[..usize::from(is_over)], &timer].concat();
        let out = run.play_all_and_tell(&[Event { ts_event: DAY + 60_000, ..delete(99) }]);
        assert_eq!(lines(&log)[2..], told, "{order:?}");
        let reasons: Vec<_> = out.iter().map(|one| (one.ts_event, one.reason())).collect();
        let ended = [(DAY + 60_000, Reason::EndOfDay)];
        assert_eq!(reasons, ended[..usize::from(is_over)], "{order:?}");
        let mut left = lines(&log).len();
        run.play_all(&[Event { ts_event: DAY + 80_000, ..delete(99) }]);
        // The one that is good until a time is over by now.
        left += usize::from(order.expire_ts.0 > 0);
        assert_eq!(lines(&log).len(), left, "{order:?}");
    }
}

#[test]
fn what_was_sent_before_midnight_arrives_on_its_day_and_what_is_on_its_way_the_next() {
    const DAY: u64 = 86_400_000_000_000;
    let order = NewOrder::limit(X, Buy, d(900), Qty(1)).with_time_in_force(TimeInForce::Day);
    for (latency, told) in [
        (500, &["accepted at 86399999999999, sees 1", "expired at 86400000000000, sees 0"][..]),
        (501, &["accepted at 86400000000000, sees 1"]),
    ] {
        let (strategy, log) = diary(Some(order), &[]);
        let mut run = Run::new(Trader::with_strategy(strategy, config(latency)));
        run.play_all(&[Event { ts_event: DAY - 501, ..add(1, Buy, d(1000), 1) }]);
        run.play_all(&[Event { ts_event: DAY + 60_000, ..delete(99) }]);
        assert_eq!(lines(&log)[1..], *told, "{latency}");
    }
}

#[test]
fn strategies_have_accounts_of_their_own_and_share_the_market() {
    let order = |side, cents| Some(NewOrder::limit(X, side, d(cents), Qty(80)));
    let (first, first_log) = diary(order(Buy, 1002), &[]);
    let (second, second_log) = diary(order(Buy, 1002), &[]);
    let (third, third_log) = diary(order(Sell, 1002), &[]);
    let trader = Trader::with_strategies(vec![first, second, third], config(0));
    let mut run = Run::new(trader);
    // 100 are offered: the first takes 80, the second 20, and neither meets the third.
    run.play_all(&[add(1, Sell, d(1002), 100), delete(99)]);
    assert_eq!(lines(&first_log)[..2], ["sent 1 of account 0", "accepted at 3000, sees 0"]);
    assert_eq!(lines(&first_log)[2], "filled 80 at 3000, holds 80");
    assert_eq!(lines(&second_log)[0], "sent 2 of account 1");
    assert_eq!(lines(&second_log)[2], "filled 20 at 3000, holds 20");
    assert_eq!(lines(&third_log), ["sent 3 of account 2", "accepted at 3000, sees 1"]);
    let position = |account| {
        run.trader.account().position(AccountId(account), X).map_or(0, |position| position.qty)
    };
    assert_eq!([0, 1, 2].map(position), [80, 20, 0]);
    let names: Vec<_> =
        run.trader.strategies().map(|(id, _, counts)| (id.0, counts.fills)).collect();
    assert_eq!(names, [(0, 1), (1, 1), (2, 0)]);
}

/// A strategy that asks to cancel the orders of everybody.
struct Meddler;

impl Strategy for Meddler {
    fn name(&self) -> &str {
        "meddler"
    }
    fn on_exchange_event(&mut self, _: InstrumentId, desk: &mut Desk<'_>) {
        assert!(desk.order(OrderId(OrderId::OWN | 1)).is_none());
        desk.cancel(OrderId(OrderId::OWN | 1));
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_order_of_another_account_cannot_be_changed() {
    let (owner, log) = diary(Some(NewOrder::limit(X, Buy, d(1000), Qty(80))), &[]);
    let mut run = Run::new(Trader::with_strategies(vec![owner, Box::new(Meddler)], config(0)));
    run.play_all(&[add(1, Sell, d(1002), 100), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1000, 80)]);
    assert_eq!(lines(&log).len(), 2);
    assert!(run.trader.counts().rejected > 0);
}

#[test]
fn a_report_on_its_way_is_told_when_it_arrives_and_held_only_then() {
    let latency =
        LatencyModel { order: Nanos(500), report: Nanos(2_500), ..LatencyModel::default() };
    let venue = VenueConfig { latency, ..VenueConfig::default() };
    let (strategy, log) = diary(Some(NewOrder::limit(X, Buy, d(1002), Qty(10))), &[]);
    let config = TraderConfig { venue, ..TraderConfig::default() };
    let mut run = Run::new(Trader::with_strategy(strategy, config));
    run.play_all(&[add(1, Sell, d(1002), 100), add(2, Buy, d(1000), 9), delete(99)]);
    assert_eq!(lines(&log), ["sent 1 of account 0"]);
    assert_eq!(run.position(), 0, "the fill is at the venue, not yet known");
    run.play_all(&[delete(99)]);
    // Sent at 3,000, there at 3,500, told at 6,000: before the event of that time.
    let told = ["accepted at 6000, sees 0", "filled 10 at 6000, holds 10"];
    assert_eq!(lines(&log)[1..], told);
    assert_eq!(run.position(), 10);
}

#[test]
fn jitter_is_bounded_keeps_the_order_and_repeats_with_its_seed() {
    let arrivals = |seed| {
        let latency = LatencyModel { jitter: Nanos(400), seed, ..Nanos(500).into() };
        let venue = VenueConfig { latency, ..VenueConfig::default() };
        let mut venue = ringtape::matching::Venue::new(venue);
        let mut dues = vec![];
        for number in 0..50 {
            let terms = NewOrder::limit(X, Buy, d(1000), Qty(1));
            let command = ringtape::matching::Command::New { order_id: OrderId(number), terms };
            venue.send(Nanos(number * 10_000), AccountId(0), X, command);
            let (mut out, until) = (vec![], Nanos(u64::MAX));
            let replica = ringtape::book::Replica::new();
            let due = venue.receive(until, until, &replica, &mut out).expect("it arrives");
            dues.push(due.0 - number * 10_000);
        }
        dues
    };
    let first = arrivals(1);
    assert!(first.iter().all(|way| (500..=900).contains(way)));
    assert!(first.iter().any(|way| *way < 600) && first.iter().any(|way| *way > 800));
    assert_eq!(first, arrivals(1));
    assert_ne!(first, arrivals(2));
}

#[test]
fn recorded_ways_are_used_one_after_another_and_again() {
    let ways = [[100, 0], [700, 0], [300, 0]].map(|way| way.map(Nanos));
    let latency = LatencyModel { recorded: Some(ways.to_vec().into()), ..LatencyModel::default() };
    let venue = VenueConfig { latency, ..VenueConfig::default() };
    let mut venue = ringtape::matching::Venue::new(venue);
    let mut dues = vec![];
    for number in 0..5 {
        let terms = NewOrder::limit(X, Buy, d(1000), Qty(1));
        let command = ringtape::matching::Command::New { order_id: OrderId(number), terms };
        venue.send(Nanos(number * 10_000), AccountId(0), X, command);
        let until = Nanos(u64::MAX);
        let replica = ringtape::book::Replica::new();
        let due = venue.receive(until, until, &replica, &mut vec![]).expect("it arrives");
        dues.push(due.0 - number * 10_000);
    }
    assert_eq!(dues, [100, 700, 300, 100, 700]);
}

#[test]
fn randomness_repeats_with_its_seed_and_differs_between_strategies() {
    let draws = |seed| {
        let logs = [Log::default(), Log::default()];
        let strategies = logs.each_ref().map(|log| {
            let diary = Diary { log: log.clone(), order: None, timers: vec![], draws: true };
            Box::new(diary) as Box<dyn Strategy>
        });
        let config = TraderConfig { seed, ..config(0) };
        let mut run = Run::new(Trader::with_strategies(strategies.into(), config));
        run.play_all(&[add(1, Buy, d(1000), 1), delete(99), delete(99)]);
        logs.each_ref().map(lines)
    };
    let [first, second] = draws(1);
    assert_eq!(first.len(), 3);
    assert_ne!(first, second);
    assert_eq!(draws(1), [first.clone(), second]);
    assert_ne!(draws(2)[0], first);
}

fn built_in(text: &str) -> Run {
    let spec = StrategySpec::parse(text).expect(text);
    Run::new(Trader::new(&spec, config(0)))
}

#[test]
fn momentum_follows_the_side_that_trades_more_and_gives_back_after_its_time() {
    let mut run = built_in("momentum:threshold=100,size=50,limit=80,window=1s,hold=20us");
    run.play_all(&[add(1, Buy, d(1000), 900), add(2, Sell, d(1002), 900)]);
    // 60 bought, 30 sold, 60 bought: 90 more bought than sold, then 110.
    run.play_all(&[execute(2, 60), execute(1, 30), execute(2, 60)]);
    assert_eq!(run.position(), 0);
    run.play_all(&[execute(2, 20)]);
    assert_eq!(run.position(), 50);
    // Its limit leaves 30 more.
    run.play_all(&[execute(2, 1), execute(2, 1)]);
    assert_eq!(run.position(), 80);
    // Nothing is given back before 20 us have gone since the last purchase.
    run.play_all(&[Event { ts_event: 2_000_000_000, ..delete(99) }, delete(99)]);
    run.play_all(&[Event { ts_event: 2_100_000_000, ..delete(99) }]);
    assert_eq!(run.position(), 0);
    let row = &run.trader.account().rows()[0];
    assert_eq!(row.realised.to_string(), "-1.60");
}

#[test]
fn twap_fills_its_part_of_the_time_and_no_more_than_its_parent() {
    let mut run = built_in("twap:side=sell,qty=100,every=10us,for=100us");
    run.play_all(&[add(1, Buy, d(1000), 1_000), add(2, Sell, d(1002), 1_000)]);
    let start = 4_000;
    for (after, expected) in [(25, -20), (55, -50), (99, -90), (300, -100), (900, -100)] {
        let ts_event = start + after * 1_000;
        run.play_all(&[Event { ts_event, ..delete(99) }]);
        assert_eq!(run.position(), expected, "after {after} us");
    }
    assert!(run.trader.warnings().iter().all(|warning| !warning.contains("twap")));
    // Without a bid nothing can be sold, and that is said.
    let mut run = built_in("twap:side=sell,qty=100,every=10us,for=100us");
    run.play_all(&[add(1, Buy, d(1000), 30), add(2, Sell, d(1002), 1_000), delete(99)]);
    run.play_all(&[Event { ts_event: 900_000, ..delete(1) }, delete(99)]);
    run.end();
    let said = run.trader.warnings();
    assert!(said.iter().any(|one| one.contains("`twap` filled 30 of 100 in `X`")), "{said:?}");
}

#[test]
fn vwap_fills_its_rate_of_the_market() {
    let mut run = built_in("vwap:side=buy,qty=50,every=10us,rate=10");
    run.play_all(&[add(1, Buy, d(1000), 1_000), add(2, Sell, d(1002), 5_000)]);
    run.play_all(&[execute(2, 319), Event { ts_event: 40_000, ..delete(99) }]);
    assert_eq!(run.position(), 31, "31.9 rounded down");
    run.play_all(&[Event { ts_event: 41_000, ..execute(2, 2_000) }]);
    run.play_all(&[Event { ts_event: 90_000, ..delete(99) }]);
    assert_eq!(run.position(), 50, "a parent is not overfilled");
}

#[test]
fn a_maker_with_skew_steps_back_where_it_holds_much() {
    let mut run = built_in("maker:size=60,limit=120,skew=4");
    run.play_all(&[add(1, Buy, d(1000), 10), add(2, Sell, d(1010), 10), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1000, 60), (Sell, 1010, 60)]);
    run.play_all(&[add(3, Buy, d(1000), 500), execute(1, 10), execute(3, 60), delete(99)]);
    // Long 60 of 120: two ticks behind the bid, at the offer as before.
    assert_eq!((run.position(), run.resting()), (60, vec![(Buy, 998, 60), (Sell, 1010, 60)]));
}
