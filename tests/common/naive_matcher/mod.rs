//! The matching engine once more, written for reading: vectors, filters, sorting, and a walk over
//! all orders for every answer.
//!
//! It follows `SEMANTICS` 3 and 4 rule by rule and shares nothing with the crate's matcher but the
//! records. A command goes through it in this order:
//!
//! ```text
//!   expiries due -> the command (entry, changes, phases) -> triggered stops -> indicative price
//!                        |                                     |
//!                        +---- continuous (self_trade, pro_rata) ----+
//! ```
//!
//! What the rules leave open is taken here as follows:
//!
//! * `price` of a market or stop order's records is its cap, 0 without one; a rejected change shows
//!   the order's own price and the quantity that was asked for.
//! * A reduce that was asked for and a replace have the reason `requested`.
//! * Pending stops are tested after an order came in (new or replaced, stops too), never after a
//!   cancel, a reduce or an expiry, even when those move the touch.
//! * A trailing stop is never farther from its best price than its offset, from its entry on: a
//!   stop price of its own counts while it is the tighter one.
//! * A capped market order takes part in an auction as a limit order of that price would: its cap
//!   is a candidate and gives it its place. If it went first it could take what better priced
//!   orders need, and leave the book crossed.
//! * The indicative record follows the rules of the price even when nothing would trade, so that
//!   it shows the imbalance; the price of an uncross without volume is 0.
//! * A phase of all instruments is one of each, ascending, with its indicative price; the end of a
//!   day tells its status first, then what expired.
//! * With pro-rata and a top order, each round over a level serves its front order first; what
//!   an iceberg refills waits for the next round.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod auction;
mod book;
mod changes;
mod continuous;
mod entry;
mod order;
mod phases;
mod pro_rata;
mod replace;
mod self_trade;
mod stops;
mod tape;

use std::collections::BTreeMap;

use ringtape::event::{
    Event, EventView, Execution, ExecutionKind, InstrumentTable, Kind, Reason, payload,
};
use ringtape::units::{InstrumentId, OrderId, Price, Qty};

pub use book::Market;
pub use order::{Order, Place};
use tape::Tape;

/// What the venue is like.
#[derive(Clone, Copy, Debug)]
pub struct NaiveConfig {
    /// Live orders at most, over all instruments.
    pub orders_max: usize,
    /// Whether a replace that only reduces the quantity keeps its place (`priority = "cme"`).
    pub reduction_keeps_place: bool,
    pub allocation: Allocation,
}

/// Who of a price level's displayed orders trades with an incoming order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// The first come.
    Fifo,
    /// All, by their share of the displayed quantity; with `top` the front order before them.
    ProRata { top: bool },
}

/// What is set for an instrument from outside.
#[derive(Clone, Copy, Debug)]
pub struct NaiveRules {
    pub lot: u64,
    /// How far from the last price a market order without a cap may trade.
    pub collar: Option<i64>,
    pub price_max: Option<Price>,
    pub qty_min: u64,
    pub qty_max: u64,
    pub previous_close: Option<Price>,
    /// The hours of the day, of 24, at which sessions open and close.
    pub hours: Option<(u64, u64)>,
}

impl Default for NaiveRules {
    fn default() -> Self {
        Self {
            lot: 1,
            collar: None,
            price_max: None,
            qty_min: 0,
            qty_max: u64::MAX,
            previous_close: None,
            hours: None,
        }
    }
}

pub struct NaiveMatcher {
    config: NaiveConfig,
    rules: BTreeMap<u32, NaiveRules>,
    instruments: InstrumentTable,
    pub markets: BTreeMap<u32, Market>,
    /// Terms that wait for their new order.
    terms: Option<payload::Terms>,
    terms_more: Option<payload::TermsMore>,
    tape: Tape,
}

impl NaiveMatcher {
    pub fn new(config: NaiveConfig) -> Self {
        Self {
            config,
            rules: BTreeMap::new(),
            instruments: InstrumentTable::default(),
            markets: BTreeMap::new(),
            terms: None,
            terms_more: None,
            tape: Tape::default(),
        }
    }

    /// Sets the rules of an instrument, before it is defined.
    pub fn set_rules(&mut self, instrument: InstrumentId, rules: NaiveRules) {
        self.rules.insert(instrument.0, rules);
    }

    pub fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) {
        self.tape.now = event.ts_event;
        if !event.is_continued() {
            self.expire_due();
        }
        match event.view() {
            EventView::Terms(terms) => self.terms = Some(*terms),
            EventView::TermsMore(more) => self.terms_more = Some(*more),
            EventView::NewOrder(new) => self.new_order(event, new),
            EventView::CancelOrder(cancel) => self.cancel(event, cancel),
            EventView::ReduceOrder(reduce) => self.reduce(event, reduce),
            EventView::ReplaceOrder(replace) => self.replace(event, replace),
            EventView::MassCancel(mass) => self.mass_cancel(event, mass),
            EventView::Phase(phase) => self.phase(event, phase),
            _ => self.define(event),
        }
        if !matches!(event.kind(), Some(Kind::Terms | Kind::TermsMore)) {
            self.terms = None;
            self.terms_more = None;
        }
        for market in self.markets.values_mut() {
            market.publish_indicative(&mut self.tape);
        }
        out.append(&mut self.tape.executions);
    }

    fn define(&mut self, event: &Event) {
        self.instruments.apply(event);
        let id = event.instrument;
        if let Some(instrument) = self.instruments.get(InstrumentId(id)) {
            let rules = self.rules.get(&id).copied().unwrap_or_default();
            let config = self.config;
            let market = self.markets.entry(id).or_insert_with(|| Market::new(id, config, rules));
            market.instrument = *instrument;
        }
    }

    /// All live orders of all instruments.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.markets.values().flat_map(|market| &market.orders)
    }

    fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders().find(|order| order.id == id)
    }

    /// The market that a live order is in.
    fn market_of(&mut self, order: &Order) -> &mut Market {
        self.markets.get_mut(&order.instrument).expect("orders are in markets")
    }

    /// A reject that concerns no live order.
    fn reject(&mut self, event: &Event, asked: &Asked, reason: Reason) {
        self.tape.executions.push(Execution {
            side: event.side,
            order_id: asked.order_id.0,
            new_order_id: asked.new_order_id.0,
            account: asked.account,
            price: asked.price.0,
            qty: asked.qty.0,
            reason: reason as u16,
            ..Execution::new(ExecutionKind::Rejected, self.tape.now, event.instrument)
        });
    }

    /// A reject of a change to a live order, which stays as it is.
    fn reject_change(&mut self, order: &Order, asked: &Asked, reason: Reason) {
        self.tape.executions.push(Execution {
            side: order.side as u8,
            order_id: asked.order_id.0,
            new_order_id: asked.new_order_id.0,
            account: order.account,
            price: order.price.0,
            qty: asked.qty.0,
            leaves: order.leaves,
            cum: order.cum,
            reason: reason as u16,
            ..Execution::new(ExecutionKind::Rejected, self.tape.now, order.instrument)
        });
    }
}

/// What a rejected command asked for.
#[derive(Clone, Copy, Default)]
struct Asked {
    order_id: OrderId,
    new_order_id: OrderId,
    account: u32,
    price: Price,
    qty: Qty,
}
