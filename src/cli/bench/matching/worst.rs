//! Commands that are hard on a matcher: what it pays for where its structure is weak.
//!
//! Each case fills one instrument's book, then times commands: all of them together, and one by one
//! for the longest. One by one the machine interrupts now and then, at another command in each
//! round, so the least of the rounds' longest is what counts.

use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use ringtape::event::{
    Event, ExecutionKind, Flags, Instrument, InstrumentTable, OrderType, payload,
};
use ringtape::hash::RunningHash;
use ringtape::matching::{Matcher, MatcherConfig};
use ringtape::report::format::{duration, thousands};
use ringtape::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};
use serde_json::{Value, json};

use super::Rates;
use crate::cli::bench::yardstick::Looks;
use crate::cli::term;

/// Commands that fill the book, and those that are timed.
struct Case {
    name: &'static str,
    fill: Vec<Event>,
    timed: Vec<Event>,
}

/// What the rounds of a case came to.
pub(super) struct WorstFigures {
    name: &'static str,
    commands: u64,
    rates: Rates,
    /// The longest command: the least of the rounds.
    longest: Duration,
    fills: u64,
    hash: u64,
    looks: Looks,
}

/// Times every case.
pub(super) fn measure(rounds: usize) -> Vec<WorstFigures> {
    let cases = [crowd(), sweep(), far_end(), walk(), stops()];
    cases.iter().map(|case| WorstFigures::measure(case, rounds)).collect()
}

impl WorstFigures {
    fn measure(case: &Case, rounds: usize) -> Self {
        let mut figures = Self {
            name: case.name,
            commands: case.timed.len() as u64,
            rates: Rates::default(),
            longest: Duration::MAX,
            fills: 0,
            hash: 0,
            looks: Looks::default(),
        };
        for round in 0..rounds {
            let mut matcher = filled(case);
            let mut out = Vec::with_capacity(1 << 16);
            let (mut hash, mut fills) = (RunningHash::default(), 0);
            let start = Instant::now();
            for event in &case.timed {
                matcher.apply(event, &mut out);
                out.clear();
            }
            figures.rates.add(figures.commands, start.elapsed());
            figures.looks.look();

            let mut matcher = filled(case);
            let mut longest = Duration::ZERO;
            for event in &case.timed {
                let start = Instant::now();
                matcher.apply(event, &mut out);
                longest = longest.max(start.elapsed());
                for execution in out.drain(..) {
                    hash.update(bytemuck::bytes_of(&execution));
                    fills += u64::from(execution.kind() == Some(ExecutionKind::Filled));
                }
            }
            figures.longest = figures.longest.min(longest);
            assert!(round == 0 || figures.hash == hash.value(), "every round says the same");
            (figures.hash, figures.fills) = (hash.value(), fills);
        }
        figures
    }

    pub(super) fn describe(&self) {
        let Self { name, rates, fills, hash, .. } = self;
        let longest = duration(self.longest.as_nanos() as u64);
        term::tell(format_args!("worst case {name}, {} commands", thousands(self.commands)));
        term::tell(format_args!("  commands/s {rates}"));
        term::tell(format_args!(
            "  longest command {longest} (least of the rounds), {} fills, hash {hash:016x}",
            thousands(*fills)
        ));
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "case": self.name,
            "commands": self.commands,
            "commands_per_s": self.rates.to_json(),
            "longest_command_ns": self.longest.as_nanos() as u64,
            "fills": self.fills,
            "executions_hash": format!("{:016x}", self.hash),
            "yardstick": self.looks.to_json(),
        })
    }
}

/// A matcher with the case's book.
fn filled(case: &Case) -> Matcher {
    let config = MatcherConfig { orders_expected: case.fill.len() + 1, ..MatcherConfig::default() };
    let mut matcher = Matcher::new(config);
    let mut out = Vec::new();
    let definition = InstrumentTable::events(0, INSTRUMENT, &Instrument::us_equity("WORST"));
    for event in definition.iter().chain(&case.fill) {
        matcher.apply(event, &mut out);
        out.clear();
    }
    matcher
}

const INSTRUMENT: InstrumentId = InstrumentId(1);

const TICK: i64 = 100;

fn order(id: u64, side: Side, price: i64, qty: u64) -> Event {
    let new = payload::NewOrder {
        order_id: OrderId(id),
        price: Price(price),
        qty: Qty(qty),
        account: AccountId(1),
        ..payload::NewOrder::zeroed()
    };
    Event::new(id, INSTRUMENT.0, new).with_side(side)
}

fn cancel(id: u64) -> Event {
    let account = AccountId(1);
    let cancel =
        payload::CancelOrder { order_id: OrderId(id), account, ..payload::CancelOrder::zeroed() };
    Event::new(u64::MAX / 2, INSTRUMENT.0, cancel)
}

/// 100,000 orders at one price leave from the middle outward.
fn crowd() -> Case {
    const ORDERS: u64 = 100_000;
    let middle = ORDERS / 2;
    Case {
        name: "100,000 orders at one price, cancelled from the middle",
        fill: (1..=ORDERS).map(|id| order(id, Side::Buy, 1_000_000, 100)).collect(),
        timed: (0..middle)
            .flat_map(|far| [cancel(middle - far), cancel(middle + 1 + far)])
            .collect(),
    }
}

/// An aggressor takes 5,000 orders, five at each price; twenty times.
fn sweep() -> Case {
    const MAKERS: u64 = 5_000;
    const TIMES: u64 = 20;
    let price = |id: u64| 1_000_000 + (id / 5) as i64 * TICK;
    let all = MAKERS * TIMES;
    Case {
        name: "sweeps of 5,000 makers",
        fill: (0..all).map(|id| order(id + 1, Side::Sell, price(id), 100)).collect(),
        timed: (0..TIMES)
            .map(|turn| order(all + 1 + turn, Side::Buy, price(all), 100 * MAKERS))
            .collect(),
    }
}

/// A side of 10,000 levels whose far end comes and goes.
fn far_end() -> Case {
    const LEVELS: u64 = 10_000;
    const TIMES: u64 = 50_000;
    let ladder = (1..=LEVELS).map(|id| order(id, Side::Buy, 10_000_000 - id as i64 * TICK, 100));
    Case {
        name: "the far end of 10,000 levels comes and goes",
        fill: ladder.collect(),
        timed: (1..=TIMES)
            .flat_map(|turn| {
                let id = LEVELS + turn;
                [order(id, Side::Buy, 1_000_000 + (turn % 50) as i64 * TICK, 100), cancel(id)]
            })
            .collect(),
    }
}

/// The price rises for ever: the touch moves on, and the far end follows 200 levels behind.
fn walk() -> Case {
    const WIDTH: u64 = 200;
    const STEPS: u64 = 50_000;
    let price = |ticks: u64| 1_000_000 + ticks as i64 * TICK;
    let bid = |step: u64| order(2 * step + 2, Side::Buy, price(step), 100);
    let offer = |step: u64| order(2 * step + 3, Side::Sell, price(WIDTH + 1 + step), 100);
    Case {
        name: "a price that rises 50,000 ticks, 200 levels a side",
        fill: (0..WIDTH).flat_map(|step| [bid(step), offer(step)]).collect(),
        timed: (WIDTH..WIDTH + STEPS)
            .flat_map(|step| {
                let gone = step - WIDTH;
                [cancel(2 * gone + 3), bid(step), offer(step), cancel(2 * gone + 2)]
            })
            .collect(),
    }
}

/// One trade sets off 10,000 stops, each of which sets off the next.
fn stops() -> Case {
    const STOPS: u64 = 10_000;
    let price = |number: u64| 1_000_000 + number as i64 * TICK;
    let offers = (0..=STOPS).map(|number| order(number + 1, Side::Sell, price(number), 1));
    let waiting = (0..STOPS).flat_map(|number| {
        let terms = payload::Terms { stop_price: Price(price(number)), ..payload::Terms::zeroed() };
        let terms = Event::new(0, INSTRUMENT.0, terms).with_flags(Flags::CONTINUED);
        let stop = payload::NewOrder {
            order_id: OrderId(2 * STOPS + number),
            qty: Qty(1),
            account: AccountId(2),
            order_type: OrderType::Stop as u8,
            ..payload::NewOrder::zeroed()
        };
        let stop = Event::new(STOPS + number, INSTRUMENT.0, stop);
        [terms, stop].map(|event| event.with_side(Side::Buy))
    });
    Case {
        name: "a trade that sets off 10,000 stops in a row",
        fill: offers.chain(waiting).collect(),
        timed: vec![order(4 * STOPS, Side::Buy, price(0), 1)],
    }
}
