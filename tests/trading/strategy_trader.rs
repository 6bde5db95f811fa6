//! The trader: strategy, venue and own account driven event by event.
//!
//! Would catch: a strategy that sees a half-told exchange event, an execution before its listing, a
//! held instrument without a quote, a maker over its limit or with two orders a side, state lost by
//! a save in the middle, two runs that differ.

use std::sync::{Arc, Mutex};

use ringtape::book::Replica;
use ringtape::error::Result;
use ringtape::event::kinds::{Raw, Text};
use ringtape::event::{Event, Execution, ExecutionKind, Flags, Instrument, InstrumentTable};
use ringtape::event::{Reason, payload};
use ringtape::matching::NewOrder;
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::run::{Run, config, maker};
use crate::venue_tape::{X, add, cross, d, delete, execute, kinds, open, status};

/// A strategy that writes down what it is told and sends what it is given.
#[derive(Default)]
struct Scripted {
    log: Arc<Mutex<Vec<String>>>,
    /// Sent one after another, one an exchange event.
    orders: Vec<NewOrder>,
    answers_rejects: bool,
}

impl Strategy for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    fn on_start(&mut self, _: &mut Desk<'_>) {
        self.log.lock().expect("log").push("start".into());
    }
    fn on_event(&mut self, event: &Event, _: &mut Desk<'_>) {
        let name = event.kind().map_or("?", |kind| kind.name());
        self.log.lock().expect("log").push(name.into());
    }
    fn on_exchange_event(&mut self, _: InstrumentId, desk: &mut Desk<'_>) {
        self.log.lock().expect("log").push(format!("complete at {}", desk.now()));
        if let Some(order) = self.orders.pop() {
            desk.submit(order);
        }
    }
    fn on_fill(&mut self, fill: &Execution, desk: &mut Desk<'_>) {
        self.told(fill, desk);
    }
    fn on_order_update(&mut self, update: &Execution, desk: &mut Desk<'_>) {
        self.told(update, desk);
    }
    fn on_end(&mut self, desk: &mut Desk<'_>) {
        desk.submit(NewOrder::limit(X, Buy, d(1000), Qty(1)));
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

impl Scripted {
    fn told(&mut self, execution: &Execution, desk: &mut Desk<'_>) {
        let name = execution.kind().map_or("?", ExecutionKind::name);
        let position = desk.position(X);
        self.log.lock().expect("log").push(format!("{name} at {}, {position}", desk.now()));
        if self.answers_rejects && name == "rejected" {
            desk.submit(NewOrder::limit(X, Buy, Price(1), Qty(0)));
        }
    }
}

fn scripted(orders: Vec<NewOrder>, latency: u64) -> (Run, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(vec![]));
    let strategy = Scripted { log: log.clone(), orders, ..Scripted::default() };
    (Run::new(Trader::with_strategy(Box::new(strategy), config(latency))), log)
}

#[test]
fn a_strategy_hears_of_fills_inside_an_exchange_event_once_it_is_complete() {
    let order = NewOrder::limit(X, Buy, d(1000), Qty(50));
    let (mut run, log) = scripted(vec![order], 500);
    run.play_all(&[add(1, Sell, d(1002), 10), add(2, Buy, d(1000), 100)]);
    let open_fill = run.play(open(execute(2, 30))).expect("it plays");
    assert_eq!(kinds(&open_fill), ["quote", "filled"]);
    let last = run.play(execute(2, 30)).expect("it plays");
    assert_eq!(kinds(&last), ["filled", "quote"]);
    assert_eq!(
        *log.lock().expect("log"),
        [
            "start",
            "add",
            "complete at 3000",
            "accepted at 3500, 0",
            "add",
            "complete at 4000",
            "execute",
            "execute",
            "filled at 6000, 50",
            "filled at 6000, 50",
            "complete at 6000",
        ]
    );
}

#[test]
fn an_instrument_is_listed_before_its_first_execution_and_quoted_while_held() {
    let order = NewOrder::limit(X, Buy, d(1002), Qty(10));
    let (mut run, _) = scripted(vec![order], 500);
    run.play_all(&[add(1, Sell, d(1002), 100), add(2, Buy, d(1000), 100)]);
    assert_eq!(kinds(&run.out), ["status", "accepted", "quote", "filled", "quote", "quote"]);
    let listing = run.out[0].listing().expect("a listing");
    assert_eq!(listing.symbol, Text::new("X"));
    // Quotes before and after the fill came before order 2; then its bid made another.
    let quotes: Vec<i64> =
        run.out.iter().filter_map(Execution::quote).map(|q| q.bid_price.0).collect();
    assert_eq!(quotes, [0, 0, 100_000]);
    let kinds_of = |run: &mut Run, event| kinds(&run.play(event).expect("it plays"));
    assert_eq!(kinds_of(&mut run, add(3, Buy, d(1000), 100)), ["quote"]);
    assert!(kinds_of(&mut run, add(4, Buy, d(999), 100)).is_empty());
    assert!(kinds_of(&mut run, open(add(5, Buy, d(1001), 100))).is_empty());
    assert_eq!(kinds_of(&mut run, delete(4)), ["quote"]);
    assert_eq!(kinds_of(&mut run, status(b'H')), ["quote"]);
    assert_eq!(kinds_of(&mut run, cross(d(1001), 50)), ["quote"]);
    let end = run.end();
    assert_eq!(kinds(&end), ["rejected", "quote"]);
    assert_eq!(end[0].reason(), Reason::EndOfDay);
    assert_eq!(end[1].quote().expect("a quote").close_price, Some(d(1001)));
    let row = &run.trader.account().rows()[0];
    assert_eq!(row.unrealised.to_string(), "-0.10");
}

#[test]
fn an_order_whose_reference_rested_elsewhere_meets_the_own_orders_of_its_instrument() {
    let (mut run, _) = scripted(vec![NewOrder::limit(X, Buy, d(1_000), Qty(50))], 500);
    let y = InstrumentId(14);
    run.play_all(&InstrumentTable::events(0, y, &Instrument::us_equity("Y")));
    run.play_all(&[
        add(1, Sell, d(1_002), 100),
        Event { instrument: y.0, ..add(3, Buy, d(500), 9) },
    ]);
    run.play(add(3, Sell, d(999), 40)).expect("it plays");
    assert_eq!((run.position(), run.replica.live_orders()), (40, 2));
}

/// Would catch an account that is killed, or told to have lost, for a mark of long ago.
#[test]
fn a_fill_after_a_while_without_quotes_is_valued_at_the_market_as_it_is() {
    let order = |side, cents, qty| NewOrder::limit(X, side, d(cents), Qty(qty));
    // Sent one after another from the last on: in, out, and in again at another price.
    let orders = vec![order(Sell, 1_210, 100), order(Sell, 1_000, 50), order(Buy, 1_002, 50)];
    let (mut run, _) = scripted(orders, 500);
    run.play_all(&[add(1, Sell, d(1_002), 100), add(2, Buy, d(1_000), 100), delete(1), delete(2)]);
    assert_eq!(run.position(), 0);
    let later = 20_000_000_000;
    let moved =
        [add(3, Buy, d(1_200), 100), add(4, Sell, d(1_210), 100), add(5, Sell, d(1_210), 9)];
    for (nth, event) in (0..).zip(moved) {
        run.play(Event { ts_event: later + nth * 1_000, ..event }).expect("it plays");
    }
    // The own offer at 12.10 is first in its queue, and filled within an exchange event.
    for (nth, event) in (10..).zip([open(execute(4, 50)), execute(4, 50)]) {
        run.play(Event { ts_event: later + nth * 1_000, ..event }).expect("it plays");
    }
    assert_eq!(run.position(), -100);
    let mut portfolio = Portfolio::new(PortfolioConfig::default());
    let mut gains = vec![];
    for execution in &run.out {
        portfolio.apply(execution).expect("sound");
        if execution.kind() == Some(ExecutionKind::Filled) {
            gains.push(portfolio.totals()[0].equity.to_string());
        }
    }
    assert_eq!(gains, ["0.00", "-1.00", "1.50", "4.00"]);
    assert_eq!(portfolio.totals()[0].drawdown.to_string(), "1.00");
}

#[test]
fn answers_to_answers_end() {
    for latency in [0, 7] {
        let log = Arc::new(Mutex::new(vec![]));
        let bad = NewOrder::limit(X, Buy, d(1000), Qty(0));
        let strategy = Scripted { log: log.clone(), orders: vec![bad], answers_rejects: true };
        let mut run = Run::new(Trader::with_strategy(Box::new(strategy), config(latency)));
        run.play_all(&[add(1, Buy, d(1000), 1)]);
        run.play(Event { ts_event: 1_000_000, ..delete(99) }).expect("it plays");
        run.end();
        assert!(run.trader.counts().rejected > 1_000);
        assert!(run.trader.counts().postponed > 0);
        assert!(run.trader.warnings().iter().any(|warning| warning.contains("rest waited")));
    }
}

#[test]
fn a_delayed_order_arrives_at_its_own_time_and_its_answer_in_time_too() {
    let orders = vec![NewOrder::limit(X, Buy, d(1000), Qty(0))];
    let (mut run, log) = scripted(orders, 500);
    run.play_all(&[add(1, Buy, d(1000), 1)]);
    let out = run.play(Event { ts_event: 60_000, ..delete(99) }).expect("it plays");
    assert_eq!(out.last().expect("an answer").ts_event, 60_000);
    assert!(log.lock().expect("log").contains(&"rejected at 3500, 0".to_owned()));
}

#[test]
fn fees_come_from_the_schedule_and_reach_the_own_account() {
    let fees = "maker=-0.0020/share,taker=0.0030/share".parse().expect("a schedule");
    let order = NewOrder::limit(X, Buy, d(1002), Qty(30));
    let strategy = Scripted { orders: vec![order], ..Scripted::default() };
    let config = TraderConfig { fees, ..config(500) };
    let mut run = Run::new(Trader::with_strategy(Box::new(strategy), config));
    run.play_all(&[add(1, Sell, d(1002), 10), add(2, Buy, d(1002), 100), execute(2, 100)]);
    let fees: Vec<i64> =
        run.out.iter().filter(|e| e.kind() == Some(ExecutionKind::Filled)).map(|e| e.fee).collect();
    assert_eq!(fees, [30_000_000, -40_000_000]);
    assert_eq!(run.trader.account().rows()[0].fees.to_string(), "-0.01");
}

#[test]
fn changed_terms_are_listed_again() {
    let order = NewOrder::limit(X, Buy, d(1002), Qty(10));
    let (mut run, _) = scripted(vec![order], 500);
    run.play_all(&[add(1, Sell, d(1002), 100), delete(99)]);
    let changed = Instrument { multiplier: 10, ..Instrument::us_equity("X") };
    let [first, terms] = InstrumentTable::events(0, X, &changed);
    assert!(run.play(first).expect("it plays").is_empty());
    let out = run.play(terms).expect("it plays");
    assert_eq!(out[0].listing().expect("a listing").multiplier, 10);
    assert!(run.play(terms).expect("it plays").is_empty());
}

/// A session of two instruments with sweeps, halts and crosses, from a small generator of its own.
fn session(events: u64) -> Vec<Event> {
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut tape = InstrumentTable::events(0, X, &Instrument::us_equity("X")).to_vec();
    let other = InstrumentId(20);
    tape.extend(InstrumentTable::events(0, other, &Instrument::us_equity("Y")));
    let (mut live, mut id, mut ts_event): (Vec<u64>, u64, u64) = (vec![], 0, 0);
    for _ in 0..events {
        ts_event += 1 + next(40) * next(40) * 50;
        let mid = 1_000;
        let pick = next(live.len().max(1) as u64) as usize;
        let mut event = match next(100) {
            0..46 if live.len() < 16 => {
                id += 1;
                live.push(id);
                let (side, away) = (if next(2) == 0 { Buy } else { Sell }, next(4) as i64);
                let price = if side == Buy { mid - away } else { mid + 1 + away };
                add(id, side, d(price), 1 + next(300))
            }
            40..60 if !live.is_empty() => execute(live[pick], 1 + next(200)),
            0..95 if !live.is_empty() => delete(live.swap_remove(pick)),
            95 => crate::venue_tape::hidden_trade(d(mid + next(2) as i64), 1 + next(50)),
            96 => cross(d(mid), next(3) * 100),
            97 => status([b'H', b'T', b'T', b'T'][next(4) as usize]),
            98 if next(2) == 0 => Event::new(
                0,
                0,
                payload::FeedMark { source: 0, byte_offset: 0, message: 0, identity: 0 },
            ),
            98 => Event::new(0, 0, payload::FeedGap { message: 0, from: 1, until: 9, byte: 0 }),
            _ => Event::new(0, 0, payload::Time { pad: Raw([0; 32]) }),
        };
        event.ts_event = ts_event;
        if event.instrument == X.0 {
            // Every third order is one of the other instrument; a few messages get it wrong.
            if event.payload[0] % 3 == 0 || next(200) == 0 {
                event.instrument = other.0;
            }
            if next(10) == 0 {
                event.flags &= !Flags::LAST;
            }
        }
        tape.push(event);
    }
    tape
}

const SPEC: &str = "maker:symbols=X,Y,lots=1,limit=300";

fn fresh() -> Run {
    let trader = maker(SPEC, 3_000);
    let mut run = Run { replica: Replica::new(), trader, out: vec![], events: 0 };
    run.trader.start(&run.replica, &mut run.out).expect("it starts");
    run
}

#[test]
fn the_same_events_make_the_same_executions_and_a_portfolio_that_adds_up() {
    let events = session(20_000);
    let (mut first, mut second) = (fresh(), fresh());
    for run in [&mut first, &mut second] {
        run.play_all(&events);
        run.end();
    }
    assert!(first.out == second.out);
    let counts = first.trader.counts();
    assert!(counts.fills > 100 && counts.replaced > 100, "{counts:?}");

    let mut portfolio = Portfolio::new(PortfolioConfig { audit: true, ..Default::default() });
    let mut is_listed = std::collections::BTreeSet::new();
    for execution in &first.out {
        if execution.listing().is_some() {
            is_listed.insert(execution.instrument);
        }
        assert!(is_listed.contains(&execution.instrument));
        portfolio.apply(execution).expect("the audit holds");
        for row in portfolio.rows() {
            assert!(row.position.abs() <= 300, "{row:?}");
        }
    }
    assert_eq!(portfolio.rows(), first.trader.account().rows());
    assert_eq!(portfolio.hash(), first.trader.account().hash());
}

#[test]
fn a_session_cut_by_save_and_load_goes_on_as_if_nothing_had_happened() {
    let events = session(6_000);
    let mut whole = fresh();
    whole.play_all(&events);
    whole.end();
    for cut in [5, 700, 701, 1_999, 4_321, 5_990] {
        let mut before = fresh();
        before.play_all(&events[..cut]);
        let mut writer = StateWriter::default();
        before.replica.save(&mut writer);
        before.trader.save(&mut writer);
        let bytes = writer.into_bytes();

        let mut reader = StateReader::new("trader", &bytes);
        let mut after = fresh();
        after.replica = Replica::load(&mut reader).expect("just saved");
        after.trader.load(&mut reader).expect("just saved");
        reader.finish().expect("nothing is left over");
        (after.events, after.out) = (before.events, before.out);
        after.play_all(&events[cut..]);
        after.end();
        assert!(after.out == whole.out, "cut at {cut}");
        assert_eq!(after.trader.counts(), whole.trader.counts());
    }
}

#[test]
fn marks_and_events_without_interest_leave_no_trace() {
    let events = session(3_000);
    let names = ["feed_mark", "feed_gap"];
    let is_mark = |event: &&Event| event.kind().is_some_and(|kind| names.contains(&kind.name()));
    let without: Vec<Event> = events.iter().filter(|e| !is_mark(e)).copied().collect();
    assert!(without.len() < events.len());
    let (mut all, mut fewer) = (fresh(), fresh());
    all.play_all(&events);
    fewer.play_all(&without);
    assert!(all.out == fewer.out);
    assert!(all.out.iter().all(|e| !e.order_id().is_own() || e.order_id > OrderId::OWN));
}
