//! The built-in momentum strategy: follows the side that trades more.
//!
//! ```text
//!   trades of the last `window`:  bought 1,700   sold 400   =>  +1,300 >= threshold  =>  buy
//! ```
//!
//! A trade at or above the best offer before its exchange event was bought, one at or below the
//! best bid sold; others count for neither. When the difference reaches the threshold it takes
//! `size` from the other side's touch, up to its limit, and gives the position back after `hold`.

use std::collections::VecDeque;

use super::symbols::Symbols;
use super::{Desk, Strategy, TimerId};
use crate::book::Touch;
use crate::error::Result;
use crate::event::{Event, EventView, Execution, ExecutionKind, Flags, Instrument, TimeInForce};
use crate::matching::NewOrder;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, Nanos, OrderId, Price, Qty, Side};

/// What shapes a momentum strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentumConfig {
    /// Symbols to trade; empty for the only instrument of the feed.
    pub symbols: Vec<String>,
    /// Quantity of an order, in increments.
    pub size: u64,
    /// Position in quantity increments that is not exceeded, long or short.
    pub limit: i64,
    /// Time in which trades count.
    pub window: Nanos,
    /// Difference of bought and sold quantity at which it acts.
    pub threshold: u64,
    /// Time after which a position is given back.
    pub hold: Nanos,
}

impl Default for MomentumConfig {
    fn default() -> Self {
        Self {
            symbols: vec![],
            size: 100,
            limit: 1_000,
            window: Nanos(1_000_000_000),
            threshold: 1_000,
            hold: Nanos(5_000_000_000),
        }
    }
}

/// A strategy that follows trade imbalance.
#[derive(Clone, Debug)]
pub struct Momentum {
    config: MomentumConfig,
    symbols: Symbols,
    /// By ascending instrument.
    followed: Vec<Followed>,
    warnings: Vec<String>,
}

/// What it knows of an instrument.
#[derive(Clone, Debug, Default)]
struct Followed {
    instrument: InstrumentId,
    /// The touch after the last complete exchange event.
    touch: Touch,
    /// Time and signed quantity of the trades in the window.
    trades: VecDeque<(u64, i64)>,
    sum: i64,
    /// The order whose end is awaited.
    order: Option<OrderId>,
    /// The timer after which the position is given back.
    exit: Option<TimerId>,
}

impl Momentum {
    /// A strategy that has seen nothing.
    pub fn new(config: MomentumConfig) -> Self {
        let symbols = Symbols::new("momentum", config.symbols.clone());
        Self { config, symbols, followed: vec![], warnings: vec![] }
    }

    fn find(&mut self, instrument: InstrumentId) -> Option<&mut Followed> {
        self.followed.iter_mut().find(|followed| followed.instrument == instrument)
    }

    fn note_end(&mut self, execution: &Execution) {
        let is_over = execution.leaves == 0;
        let instrument = InstrumentId(execution.instrument);
        if let Some(followed) = self.find(instrument).filter(|_| is_over)
            && followed.order == Some(execution.order_id())
        {
            followed.order = None;
        }
    }
}

impl Followed {
    /// Takes in a trade at the price that the tape printed last.
    fn trade(&mut self, now: Nanos, qty: Qty, price: Price) {
        let Touch { bid_price, bid_qty, ask_price, ask_qty } = self.touch;
        let signed = i64::try_from(qty.0).unwrap_or(i64::MAX);
        let signed = if ask_qty.0 > 0 && price >= ask_price {
            signed
        } else if bid_qty.0 > 0 && price <= bid_price {
            -signed
        } else {
            return;
        };
        self.trades.push_back((now.0, signed));
        self.sum = self.sum.saturating_add(signed);
    }

    fn forget_before(&mut self, oldest: u64) {
        while let Some(&(time, signed)) = self.trades.front().filter(|(time, _)| *time < oldest) {
            debug_assert!(time < oldest);
            self.sum = self.sum.saturating_sub(signed);
            self.trades.pop_front();
        }
    }

    /// Takes up to `qty` from the other side's touch.
    fn take(&mut self, side: Side, qty: u64, desk: &mut Desk<'_>) {
        let touch = desk.books().touch(self.instrument);
        let (price, shown) = match side {
            Side::Buy => (touch.ask_price, touch.ask_qty),
            Side::Sell => (touch.bid_price, touch.bid_qty),
        };
        let is_market = desk.is_trading(self.instrument) && !touch.is_crossed();
        if qty == 0 || shown.0 == 0 || !is_market {
            return;
        }
        // A limit that reaches the touch, also where that is off the instrument's own ticks.
        let price = desk.on_tick(self.instrument, side.opposite(), price);
        let order = NewOrder::limit(self.instrument, side, price, Qty(qty));
        self.order = Some(desk.submit(order.with_time_in_force(TimeInForce::Ioc)));
    }
}

impl Strategy for Momentum {
    fn name(&self) -> &str {
        "momentum"
    }

    fn on_instrument(&mut self, id: InstrumentId, instrument: &Instrument) -> Result<bool> {
        let is_wanted = self.symbols.wants(instrument.symbol.as_str())?;
        if is_wanted && self.find(id).is_none() {
            self.followed.push(Followed { instrument: id, ..Followed::default() });
            self.followed.sort_by_key(|followed| followed.instrument);
        }
        Ok(is_wanted)
    }

    fn on_event(&mut self, event: &Event, desk: &mut Desk<'_>) {
        let qty = match event.view() {
            EventView::Execute(execute) => execute.qty,
            EventView::ExecuteAt(execute) if event.has(Flags::PRINTABLE) => execute.qty,
            EventView::Trade(trade) => trade.qty,
            _ => return,
        };
        let instrument = InstrumentId(event.instrument);
        let price = desk.books().last_price(instrument);
        if let (Some(followed), Some(price)) = (self.find(instrument), price) {
            followed.trade(desk.now(), qty, price);
        }
    }

    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let MomentumConfig { size, limit, window, threshold, hold, .. } = self.config;
        let Some(followed) = self.find(instrument) else { return };
        followed.touch = desk.books().touch(instrument);
        followed.forget_before(desk.now().0.saturating_sub(window.0));
        if followed.order.is_some() || followed.sum.unsigned_abs() < threshold {
            return;
        }
        let side = if followed.sum > 0 { Side::Buy } else { Side::Sell };
        let held = desk.position(instrument);
        let signed = if side == Side::Buy { held } else { -held };
        let room = u64::try_from(limit.saturating_sub(signed)).unwrap_or(0);
        followed.take(side, size.min(room), desk);
        if let Some(timer) = followed.exit.take() {
            desk.stop_timer(timer);
        }
        followed.exit = Some(desk.set_timer(Nanos(desk.now().0.saturating_add(hold.0))));
    }

    fn on_fill(&mut self, fill: &Execution, _desk: &mut Desk<'_>) {
        self.note_end(fill);
    }

    fn on_order_update(&mut self, update: &Execution, _desk: &mut Desk<'_>) {
        let is_end = update.kind() != Some(ExecutionKind::Accepted);
        if is_end {
            self.note_end(update);
        }
    }

    fn on_timer(&mut self, timer: TimerId, desk: &mut Desk<'_>) {
        let hold = self.config.hold;
        let mut due = self.followed.iter_mut().filter(|followed| followed.exit == Some(timer));
        let Some(followed) = due.next() else { return };
        followed.exit = None;
        let held = desk.position(followed.instrument);
        if held == 0 {
            return;
        }
        if followed.order.is_none() {
            let side = if held > 0 { Side::Sell } else { Side::Buy };
            followed.take(side, held.unsigned_abs(), desk);
        }
        // What the touch does not take is given back later.
        followed.exit = Some(desk.set_timer(Nanos(desk.now().0.saturating_add(hold.0))));
    }

    fn on_end(&mut self, desk: &mut Desk<'_>) {
        self.warnings.extend(self.symbols.missing(desk));
    }

    fn save(&self, writer: &mut StateWriter) {
        self.symbols.save(writer);
        writer.put_len(self.followed.len());
        for followed in &self.followed {
            writer.put_u32(followed.instrument.0);
            writer.put_i64(followed.touch.bid_price.0);
            writer.put_u64(followed.touch.bid_qty.0);
            writer.put_i64(followed.touch.ask_price.0);
            writer.put_u64(followed.touch.ask_qty.0);
            writer.put_len(followed.trades.len());
            for &(time, signed) in &followed.trades {
                writer.put_u64(time);
                writer.put_i64(signed);
            }
            writer.put_u64(followed.order.map_or(0, |order| order.0));
            writer.put_u64(followed.exit.map_or(0, |timer| timer.0));
        }
    }

    fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.symbols.load(reader)?;
        self.followed.clear();
        for _ in 0..reader.len(4)? {
            let instrument = InstrumentId(reader.u32()?);
            let touch = Touch {
                bid_price: Price(reader.i64()?),
                bid_qty: Qty(reader.u64()?),
                ask_price: Price(reader.i64()?),
                ask_qty: Qty(reader.u64()?),
            };
            let mut followed = Followed { instrument, touch, ..Followed::default() };
            for _ in 0..reader.len(16)? {
                let trade = (reader.u64()?, reader.i64()?);
                followed.sum = followed.sum.saturating_add(trade.1);
                followed.trades.push_back(trade);
            }
            followed.order = Some(OrderId(reader.u64()?)).filter(|order| order.0 != 0);
            followed.exit = Some(TimerId(reader.u64()?)).filter(|timer| timer.0 != 0);
            self.followed.push(followed);
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}
