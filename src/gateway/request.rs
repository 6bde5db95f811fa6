//! A command on its way from the desk to a gateway.

use super::fields::{OrderBits, Symbol};
use super::message::{Cancel, Message, NewOrder, Reduce, Replace};
use crate::event::kinds::Text;
use crate::event::{Instrument, SelfTrade};
use crate::matching::Command;
use crate::units::{AccountId, OrderId, Price, Qty};

/// What messages need to know of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its symbol.
    pub symbol: Symbol,
    /// Price increment in 1e-9 of the currency.
    pub price_increment: u64,
    /// Quantity increment in 1e-9 of a unit.
    pub qty_increment: u64,
}

impl Terms {
    /// Those of an instrument that is not defined, in which no venue takes an order.
    pub const UNKNOWN: Self = Self {
        symbol: Text(*b"?\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        price_increment: 1,
        qty_increment: 1,
    };

    /// A price in 1e-9 of the currency; 0, which no venue takes, where that is beyond 64 bits.
    fn price(&self, price: Price) -> i64 {
        let scaled = i128::from(price.0) * i128::from(self.price_increment);
        i64::try_from(scaled).unwrap_or(0)
    }

    /// A quantity in 1e-9 of a unit; 0, which no venue takes, where that is beyond 64 bits.
    fn qty(&self, qty: Qty) -> u64 {
        qty.0.checked_mul(self.qty_increment).unwrap_or(0)
    }
}

impl From<&Instrument> for Terms {
    fn from(instrument: &Instrument) -> Self {
        let Instrument { symbol, price_increment, qty_increment, .. } = *instrument;
        Self { symbol, price_increment, qty_increment }
    }
}

/// A command of a run, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Sessions that the run had had when it was sent: it is meant for the last of them.
    pub session: u64,
    /// Its number, from 1.
    pub number: u64,
    /// The account that sends it.
    pub account: AccountId,
    /// The instrument of the order.
    pub terms: Terms,
    /// What is asked for.
    pub command: Command,
}

impl Request {
    /// The message that says it.
    pub fn message(&self) -> Message {
        let Self { number: command, account, terms, .. } = *self;
        match self.command {
            Command::New { order_id, terms: order } => NewOrder {
                command,
                order_id: number_of(order_id),
                account,
                side: order.side,
                order_type: order.order_type,
                time_in_force: order.time_in_force,
                self_trade: SelfTrade::None,
                instructions: OrderBits(order.instructions()),
                symbol: terms.symbol,
                price_increment: terms.price_increment,
                qty_increment: terms.qty_increment,
                price: terms.price(order.price),
                qty: terms.qty(order.qty),
                stop_price: terms.price(order.stop_price),
                trail: terms.price(order.trail),
                display_qty: terms.qty(order.display_qty),
                min_qty: 0,
                expire_ts: order.expire_ts.0,
            }
            .into(),
            Command::Cancel { order_id } => {
                Cancel { command, order_id: number_of(order_id), account }.into()
            }
            Command::Reduce { order_id, qty } => {
                Reduce { command, order_id: number_of(order_id), qty: terms.qty(qty), account }
                    .into()
            }
            Command::Replace { order_id, new_order_id, price, qty } => Replace {
                command,
                order_id: number_of(order_id),
                new_order_id: number_of(new_order_id),
                price: terms.price(price),
                qty: terms.qty(qty),
                account,
            }
            .into(),
        }
    }
}

/// The number under which the venue knows an order of the run.
fn number_of(order_id: OrderId) -> OrderId {
    OrderId(order_id.number())
}
