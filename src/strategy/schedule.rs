//! The built-in execution strategies: work a parent order over time.
//!
//! | strategy | what should be done by a slice's time |
//! |---|---|
//! | `twap` | the parent's quantity x time gone / whole time |
//! | `vwap` | a rate of what the market has traded since the start, up to the parent's quantity |
//!
//! Every slice takes what is missing from the other side's touch, as an order that does not rest;
//! what the touch does not give is missing at the next slice. The time begins with the first
//! two-sided market in which the instrument trades.

use super::symbols::Symbols;
use super::{Desk, Strategy, TimerId};
use crate::error::Result;
use crate::event::{Execution, Instrument, TimeInForce};
use crate::matching::NewOrder;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, Nanos, OrderId, Qty, Side};

/// What a schedule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleKind {
    /// Time.
    Twap {
        /// The whole time.
        span: Nanos,
        /// Slices come up to this part of their distance later, at random.
        jitter_percent: u32,
    },
    /// The market's volume.
    Vwap {
        /// Part of the market's volume.
        rate_percent: u32,
    },
}

impl ScheduleKind {
    /// `twap` or `vwap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Twap { .. } => "twap",
            Self::Vwap { .. } => "vwap",
        }
    }
}

/// What shapes an execution strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// Symbols to trade, each with a parent order; empty for the only instrument of the feed.
    pub symbols: Vec<String>,
    /// Side of the parent order.
    pub side: Side,
    /// Its quantity, in increments.
    pub qty: u64,
    /// Time between two slices.
    pub every: Nanos,
    /// What the schedule follows.
    pub kind: ScheduleKind,
}

/// A strategy that works parent orders.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    symbols: Symbols,
    parents: Vec<Parent>,
    warnings: Vec<String>,
}

/// A parent order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parent {
    instrument: InstrumentId,
    /// When the schedule began; `None` before the first market.
    started: Option<Nanos>,
    /// The market's volume then.
    volume_before: u64,
    filled: u64,
    /// The slice whose end is awaited.
    order: Option<OrderId>,
    timer: Option<TimerId>,
}

impl Schedule {
    /// A strategy with nothing done.
    pub fn new(config: ScheduleConfig) -> Self {
        let symbols = Symbols::new(config.kind.name(), config.symbols.clone());
        Self { config, symbols, parents: vec![], warnings: vec![] }
    }

    fn find(&mut self, instrument: InstrumentId) -> Option<&mut Parent> {
        self.parents.iter_mut().find(|parent| parent.instrument == instrument)
    }

    fn note(&mut self, execution: &Execution, filled: u64) {
        let order_id = execution.order_id();
        if let Some(parent) = self.parents.iter_mut().find(|p| p.order == Some(order_id)) {
            parent.filled += filled;
            if execution.leaves == 0 {
                parent.order = None;
            }
        }
    }
}

impl Parent {
    /// What should be filled by now.
    fn target(&self, config: &ScheduleConfig, desk: &Desk<'_>) -> u64 {
        let started = self.started.unwrap_or(desk.now());
        let part = |whole: u64, of: u64| {
            let due = u128::from(config.qty) * u128::from(whole.min(of)) / u128::from(of.max(1));
            due as u64
        };
        match config.kind {
            ScheduleKind::Twap { span, .. } => part(desk.now().0 - started.0, span.0),
            ScheduleKind::Vwap { rate_percent } => {
                let volume = desk.books().stats(self.instrument).volume.0;
                let traded = u128::from(volume.saturating_sub(self.volume_before));
                (traded * u128::from(rate_percent) / 100).min(config.qty.into()) as u64
            }
        }
    }

    /// Takes what is missing, and sees to the next slice.
    fn slice(&mut self, config: &ScheduleConfig, desk: &mut Desk<'_>) {
        let missing = self.target(config, desk).saturating_sub(self.filled);
        let touch = desk.books().touch(self.instrument);
        let (price, shown) = match config.side {
            Side::Buy => (touch.ask_price, touch.ask_qty),
            Side::Sell => (touch.bid_price, touch.bid_qty),
        };
        let is_market = desk.is_trading(self.instrument) && !touch.is_crossed();
        if self.order.is_none() && missing > 0 && shown.0 > 0 && is_market {
            // A limit that reaches the touch, also where that is off the instrument's own ticks.
            let price = desk.on_tick(self.instrument, config.side.opposite(), price);
            let order = NewOrder::limit(self.instrument, config.side, price, Qty(missing));
            self.order = Some(desk.submit(order.with_time_in_force(TimeInForce::Ioc)));
        }
        let later = match config.kind {
            ScheduleKind::Twap { jitter_percent, .. } => {
                desk.random_below(config.every.0 / 100 * u64::from(jitter_percent) + 1)
            }
            ScheduleKind::Vwap { .. } => 0,
        };
        let due = desk.now().0.saturating_add(config.every.0).saturating_add(later);
        let is_done = self.filled >= config.qty;
        self.timer = (!is_done).then(|| desk.set_timer(Nanos(due)));
    }
}

impl Strategy for Schedule {
    fn name(&self) -> &str {
        self.config.kind.name()
    }

    fn on_instrument(&mut self, id: InstrumentId, instrument: &Instrument) -> Result<bool> {
        let is_wanted = self.symbols.wants(instrument.symbol.as_str())?;
        if is_wanted && self.find(id).is_none() {
            self.parents.push(Parent { instrument: id, ..Parent::default() });
        }
        Ok(is_wanted)
    }

    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let touch = desk.books().touch(instrument);
        let is_market = touch.is_two_sided() && desk.is_trading(instrument);
        let volume = desk.books().stats(instrument).volume.0;
        let Some(index) = self.parents.iter().position(|p| p.instrument == instrument) else {
            return;
        };
        let parent = &mut self.parents[index];
        if parent.started.is_none() && is_market {
            parent.started = Some(desk.now());
            parent.volume_before = volume;
            parent.slice(&self.config, desk);
        }
    }

    fn on_fill(&mut self, fill: &Execution, _desk: &mut Desk<'_>) {
        self.note(fill, fill.qty);
    }

    fn on_order_update(&mut self, update: &Execution, _desk: &mut Desk<'_>) {
        self.note(update, 0);
    }

    fn on_timer(&mut self, timer: TimerId, desk: &mut Desk<'_>) {
        if let Some(parent) = self.parents.iter_mut().find(|p| p.timer == Some(timer)) {
            parent.slice(&self.config, desk);
        }
    }

    fn on_end(&mut self, desk: &mut Desk<'_>) {
        self.warnings.extend(self.symbols.missing(desk));
        for parent in &self.parents {
            if parent.filled < self.config.qty {
                let known = desk.books().instruments().get(parent.instrument);
                self.warnings.push(format!(
                    "strategy `{}` filled {} of {} in `{}` by the end of the feed: give it more \
                     time, or a higher rate",
                    self.config.kind.name(),
                    parent.filled,
                    self.config.qty,
                    known.map_or("?", |known| known.symbol.as_str())
                ));
            }
        }
    }

    fn save(&self, writer: &mut StateWriter) {
        self.symbols.save(writer);
        writer.put_len(self.parents.len());
        for parent in &self.parents {
            writer.put_u32(parent.instrument.0);
            writer.put_bool(parent.started.is_some());
            writer.put_u64(parent.started.unwrap_or_default().0);
            writer.put_u64(parent.volume_before);
            writer.put_u64(parent.filled);
            writer.put_u64(parent.order.map_or(0, |order| order.0));
            writer.put_u64(parent.timer.map_or(0, |timer| timer.0));
        }
    }

    fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.symbols.load(reader)?;
        self.parents.clear();
        for _ in 0..reader.len(4)? {
            let instrument = InstrumentId(reader.u32()?);
            let (has_started, started) = (reader.bool()?, Nanos(reader.u64()?));
            self.parents.push(Parent {
                instrument,
                started: has_started.then_some(started),
                volume_before: reader.u64()?,
                filled: reader.u64()?,
                order: Some(OrderId(reader.u64()?)).filter(|order| order.0 != 0),
                timer: Some(TimerId(reader.u64()?)).filter(|timer| timer.0 != 0),
            });
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}
