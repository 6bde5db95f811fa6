//! The built-in market maker: joins the touch on both sides.
//!
//! | situation | what it does on a side |
//! |---|---|
//! | no order, a touch to join | sends a post-only order at the touch, of whole lots |
//! | the touch moved away from its order | replaces the order |
//! | filled | joins again after the next exchange event |
//! | a full fill would exceed the inventory limit | cancels and does not quote |
//! | no touch, a crossed book, not trading | cancels and does not quote |
//! | the venue or the gate refused a price | waits until the touch is another |
//! | inventory, and a skew | on the side that would add to it, steps back from the touch by `skew` ticks x inventory / limit |

use super::symbols::Symbols;
use super::{Desk, Strategy};
use crate::error::Result;
use crate::event::{Execution, ExecutionKind, Instrument, Reason};
use crate::matching::NewOrder;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// What shapes a market maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakerConfig {
    /// Symbols to quote; empty for the only instrument of the feed.
    pub symbols: Vec<String>,
    /// Size of a quote in round lots.
    pub lots: u32,
    /// Size of a quote in quantity increments, in the place of lots.
    pub size: Option<u64>,
    /// Inventory in quantity increments that is not exceeded, long or short.
    pub limit: i64,
    /// Ticks by which a quote steps back from the touch when the inventory is at its limit.
    pub skew: u32,
}

impl Default for MakerConfig {
    fn default() -> Self {
        Self { symbols: vec![], lots: 1, size: None, limit: 1_000, skew: 0 }
    }
}

/// A market maker that joins the touch.
#[derive(Clone, Debug)]
pub struct Maker {
    config: MakerConfig,
    symbols: Symbols,
    /// By ascending instrument.
    quoters: Vec<Quoter>,
    is_killed: bool,
    warnings: Vec<String>,
}

/// The maker's orders in one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quoter {
    instrument: InstrumentId,
    /// By side.
    orders: [Option<Quoted>; 2],
    /// By side: the price that the venue refused last.
    refused: [Option<Price>; 2],
}

/// An order and what was asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quoted {
    order_id: OrderId,
    price: Price,
    /// An answer is outstanding; until then the order is left alone.
    is_pending: bool,
    /// The number and price of the order that was asked to replace it.
    moving_to: Option<(OrderId, Price)>,
}

impl Maker {
    /// A maker without orders.
    pub fn new(config: MakerConfig) -> Self {
        let symbols = Symbols::new("maker", config.symbols.clone());
        Self { config, symbols, quoters: vec![], is_killed: false, warnings: vec![] }
    }

    fn note(&mut self, execution: &Execution) {
        if let Some((quoter, side)) = self.side_of(execution.order_id()) {
            quoter.note(side, execution);
        }
    }

    fn side_of(&mut self, order_id: OrderId) -> Option<(&mut Quoter, Side)> {
        self.quoters.iter_mut().find_map(|quoter| {
            let holds = |side: &Side| {
                quoter.orders[side.index()].is_some_and(|quoted| quoted.order_id == order_id)
            };
            let side = [Side::Buy, Side::Sell].into_iter().find(holds)?;
            Some((quoter, side))
        })
    }
}

impl Quoter {
    /// Brings a side's order in line with the touch.
    fn quote(&mut self, side: Side, config: &MakerConfig, desk: &mut Desk<'_>) {
        let touch = touch_to_join(self.instrument, side, desk);
        let size = quote_size(self.instrument, config, desk);
        let signed = match side {
            Side::Buy => desk.position(self.instrument),
            Side::Sell => -desk.position(self.instrument),
        };
        let touch =
            touch.map(|price| step_back(self.instrument, side, price, signed, config, desk));
        let room = u64::try_from(config.limit.saturating_sub(signed)).unwrap_or(0);
        let refused = &mut self.refused[side.index()];
        if touch != *refused {
            *refused = None;
        }
        let price = touch.filter(|_| refused.is_none());
        match (&mut self.orders[side.index()], price) {
            (Some(quoted), _) if quoted.is_pending => {}
            (Some(quoted), price) => {
                let Some(order) = desk.order(quoted.order_id) else { return };
                quoted.is_pending = match price {
                    Some(price) if price == quoted.price && order.leaves.0 <= room => false,
                    Some(price) if price != quoted.price && size.0 <= room => {
                        let total = whole_lots(self.instrument, order.cum.0 + size.0, desk);
                        let new_id = desk.replace(quoted.order_id, price, total);
                        quoted.moving_to = Some((new_id, price));
                        true
                    }
                    // Refused at the touch: what rests elsewhere stays until the touch moves on.
                    None if refused.is_some() && order.leaves.0 <= room => false,
                    _ => {
                        desk.cancel(quoted.order_id);
                        true
                    }
                };
            }
            (none, Some(price)) if size.0 > 0 && size.0 <= room => {
                let order = NewOrder::limit(self.instrument, side, price, size).post_only();
                let order_id = desk.submit(order);
                *none = Some(Quoted { order_id, price, is_pending: true, moving_to: None });
            }
            _ => {}
        }
    }

    /// Takes note of what became of the order on a side.
    fn note(&mut self, side: Side, execution: &Execution) {
        let slot = &mut self.orders[side.index()];
        let Some(quoted) = slot else { return };
        match execution.kind() {
            Some(ExecutionKind::Accepted) => quoted.is_pending = false,
            Some(ExecutionKind::Filled) if execution.leaves == 0 => *slot = None,
            Some(ExecutionKind::Cancelled | ExecutionKind::Expired) => *slot = None,
            Some(ExecutionKind::Replaced) => {
                let price = Price(execution.price);
                let order_id = OrderId(execution.new_order_id);
                *slot = Some(Quoted { order_id, price, is_pending: false, moving_to: None });
            }
            Some(ExecutionKind::Rejected) => {
                let (asked, is_move) = match quoted.moving_to.take() {
                    Some((_, price)) => (price, true),
                    None => (quoted.price, false),
                };
                self.refused[side.index()] = Some(asked);
                if is_move && execution.reason() != Reason::UnknownOrder {
                    quoted.is_pending = false;
                } else {
                    *slot = None;
                }
            }
            _ => {}
        }
    }
}

/// The price to join on a side, or where the instrument's own ticks have none there the next one
/// behind it; `None` when there is no market to make.
fn touch_to_join(instrument: InstrumentId, side: Side, desk: &Desk<'_>) -> Option<Price> {
    let touch = desk.books().touch(instrument);
    let (price, qty) = match side {
        Side::Buy => (touch.bid_price, touch.bid_qty),
        Side::Sell => (touch.ask_price, touch.ask_qty),
    };
    let is_market = desk.is_trading(instrument) && !touch.is_crossed();
    let price = desk.on_tick(instrument, side, price);
    (is_market && qty.0 > 0 && price.0 > 0).then_some(price)
}

/// The price to quote instead of the touch, by what is held already on the side.
fn step_back(
    instrument: InstrumentId,
    side: Side,
    touch: Price,
    held: i64,
    config: &MakerConfig,
    desk: &Desk<'_>,
) -> Price {
    let ticks = i128::from(config.skew) * i128::from(held.max(0)) / i128::from(config.limit.max(1));
    if ticks == 0 {
        return touch;
    }
    let tick = desk.tick(instrument, touch);
    let back = tick.saturating_mul(i64::try_from(ticks).unwrap_or(i64::MAX));
    let price = match side {
        Side::Buy => Price(touch.0.saturating_sub(back).max(tick)),
        Side::Sell => Price(touch.0.saturating_add(back)),
    };
    // Another band of prices may have other ticks.
    desk.on_tick(instrument, side, price)
}

fn quote_size(instrument: InstrumentId, config: &MakerConfig, desk: &Desk<'_>) -> Qty {
    let by_lots = || {
        let known = desk.books().instruments().get(instrument);
        u64::from(config.lots) * u64::from(known.map_or(0, |known| known.round_lot))
    };
    whole_lots(instrument, config.size.unwrap_or_else(by_lots), desk)
}

/// The most of a quantity that an order may have.
fn whole_lots(instrument: InstrumentId, qty: u64, desk: &Desk<'_>) -> Qty {
    Qty(qty - qty % desk.lot(instrument).0.max(1))
}

/// Why a maker of these sizes can quote nothing in an instrument; `None` when it can.
fn never_quotes(instrument: InstrumentId, config: &MakerConfig, desk: &Desk<'_>) -> Option<String> {
    let symbol = desk.books().instruments().get(instrument)?.symbol;
    let (size, limit) = (quote_size(instrument, config, desk).0, config.limit);
    let why = if size == 0 {
        format!(
            "its size is less than the lot of {}: write `size` or `lots` larger",
            desk.lot(instrument)
        )
    } else if i128::from(size) > i128::from(limit) {
        format!("a fill of {size} would exceed its limit of {limit}: set `limit={size}` or more")
    } else {
        return None;
    };
    Some(format!("strategy `maker` could not quote `{}`: {why}", symbol.as_str()))
}

impl Strategy for Maker {
    fn name(&self) -> &str {
        "maker"
    }

    fn on_instrument(&mut self, id: InstrumentId, instrument: &Instrument) -> Result<bool> {
        if !self.symbols.wants(instrument.symbol.as_str())? {
            return Ok(false);
        }
        if let Err(place) = self.quoters.binary_search_by_key(&id, |quoter| quoter.instrument) {
            let quoter = Quoter { instrument: id, orders: [None; 2], refused: [None; 2] };
            self.quoters.insert(place, quoter);
        }
        Ok(true)
    }

    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let found = self.quoters.binary_search_by_key(&instrument, |quoter| quoter.instrument);
        if let (Ok(index), false) = (found, self.is_killed) {
            for side in [Side::Buy, Side::Sell] {
                self.quoters[index].quote(side, &self.config, desk);
            }
        }
    }

    fn on_fill(&mut self, fill: &Execution, _desk: &mut Desk<'_>) {
        self.note(fill);
    }

    fn on_order_update(&mut self, update: &Execution, _desk: &mut Desk<'_>) {
        let ends = [Reason::Killed, Reason::LossLimit];
        self.is_killed |= ends.contains(&update.reason());
        self.note(update);
    }

    fn on_end(&mut self, desk: &mut Desk<'_>) {
        self.warnings.extend(self.symbols.missing(desk));
        let instruments = self.quoters.iter().map(|quoter| quoter.instrument);
        let unquoted = instruments.filter_map(|one| never_quotes(one, &self.config, desk));
        self.warnings.extend(unquoted);
    }

    fn save(&self, writer: &mut StateWriter) {
        writer.put_bool(self.is_killed);
        self.symbols.save(writer);
        writer.put_len(self.quoters.len());
        for quoter in &self.quoters {
            writer.put_u32(quoter.instrument.0);
            for (quoted, refused) in quoter.orders.iter().zip(quoter.refused) {
                save_price(refused, writer);
                writer.put_bool(quoted.is_some());
                let Some(quoted) = quoted else { continue };
                writer.put_u64(quoted.order_id.0);
                writer.put_i64(quoted.price.0);
                writer.put_bool(quoted.is_pending);
                writer.put_u64(quoted.moving_to.map_or(0, |(id, _)| id.0));
                save_price(quoted.moving_to.map(|(_, price)| price), writer);
            }
        }
    }

    fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.is_killed = reader.bool()?;
        self.symbols.load(reader)?;
        self.quoters.clear();
        for _ in 0..reader.len(4)? {
            let instrument = InstrumentId(reader.u32()?);
            let (mut orders, mut refused) = ([None; 2], [None; 2]);
            for side in 0..2 {
                refused[side] = load_price(reader)?;
                if !reader.bool()? {
                    continue;
                }
                let (order_id, price) = (OrderId(reader.u64()?), Price(reader.i64()?));
                let is_pending = reader.bool()?;
                let new_id = OrderId(reader.u64()?);
                let moving_to = load_price(reader)?.map(|price| (new_id, price));
                orders[side] = Some(Quoted { order_id, price, is_pending, moving_to });
            }
            self.quoters.push(Quoter { instrument, orders, refused });
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

fn save_price(price: Option<Price>, writer: &mut StateWriter) {
    writer.put_bool(price.is_some());
    writer.put_i64(price.unwrap_or_default().0);
}

fn load_price(reader: &mut StateReader<'_>) -> Result<Option<Price>> {
    let (is_there, price) = (reader.bool()?, Price(reader.i64()?));
    Ok(is_there.then_some(price))
}
