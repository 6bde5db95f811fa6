//! The table of trades, and what a trade is.

use std::io;

use ringtape::book::Replica;
use ringtape::event::{Event, EventView, Flags};
use ringtape::units::{InstrumentId, MatchId, Price, Qty, Side};

use super::{Column, Moment, Rows, Table, Value, qty};

/// The kind of a trade that is taken back.
pub(super) const BROKEN: &str = "broken";

/// A trade that counts as volume, or one that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trade {
    /// `execution`, `execution_at`, `hidden`, `cross` or `broken`.
    pub(super) kind: &'static str,
    pub(super) instrument: InstrumentId,
    /// The side that took; `None` where the venue does not tell.
    pub(super) side: Option<Side>,
    /// `None` for a broken trade, and for an execution of an order that is not in the book.
    pub(super) price: Option<Price>,
    pub(super) qty: Qty,
    pub(super) match_id: MatchId,
}

impl Trade {
    /// The trade that an event is, given the books before it.
    pub(super) fn of(event: &Event, replica: &Replica) -> Option<Self> {
        let instrument = InstrumentId(event.instrument);
        let trade = |kind, price, qty, match_id| Self {
            kind,
            instrument,
            side: None,
            price,
            qty,
            match_id,
        };
        let taker = |resting: Side| match resting {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        match event.view() {
            EventView::Execute(done) if done.qty.0 > 0 => {
                let order = replica.order(done.order_id);
                let price = order.map(|order| order.price);
                let side = order.map(|order| taker(order.side));
                Some(Self { side, ..trade("execution", price, done.qty, done.match_id) })
            }
            EventView::ExecuteAt(done) if event.has(Flags::PRINTABLE) && done.qty.0 > 0 => {
                let side = replica.order(done.order_id).map(|order| taker(order.side));
                let price = Some(done.price);
                Some(Self { side, ..trade("execution_at", price, done.qty, done.match_id) })
            }
            EventView::Trade(done) if done.qty.0 > 0 => {
                Some(trade("hidden", Some(done.price), done.qty, done.match_id))
            }
            EventView::Cross(done) if done.qty.0 > 0 => {
                Some(trade("cross", Some(done.price), done.qty, done.match_id))
            }
            EventView::Broken(broken) => Some(trade(BROKEN, None, Qty(0), broken.match_id)),
            _ => None,
        }
    }
}

/// A row for each trade.
pub(super) struct Trades;

impl Rows for Trades {
    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::count("message"),
                Column::count("ts_ns"),
                Column::text("symbol"),
                Column::text("kind"),
                Column::text("side"),
                Column::decimal("price"),
                Column::count("qty"),
                Column::count("match_id"),
            ]
        }
    }

    fn before(&mut self, at: &Moment<'_>, event: &Event, table: &mut dyn Table) -> io::Result<()> {
        let Some(trade) = Trade::of(event, at.replica) else { return Ok(()) };
        let Some(instrument) = at.listed(trade.instrument) else { return Ok(()) };
        let increment = instrument.price_increment;
        let is_broken = trade.kind == BROKEN;
        table.row(&[
            Value::Count(at.message),
            Value::Count(at.ts_ns),
            Value::Text(instrument.symbol.as_str()),
            Value::Text(trade.kind),
            trade.side.map_or(Value::Nothing, |side| Value::Text(side.name())),
            trade.price.map_or(Value::Nothing, |price| Value::Price(price, increment)),
            if is_broken { Value::Nothing } else { qty(trade.qty) },
            Value::Count(trade.match_id.0),
        ])
    }

    fn end(&mut self, _at: &Moment<'_>, _table: &mut dyn Table) -> io::Result<()> {
        Ok(())
    }
}
