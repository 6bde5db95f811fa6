//! The record of the execution ring: what became of an order, and what the portfolio needs to
//! value it.

use bytemuck::{Pod, Zeroable};

use super::codes::{ExecutionKind, Reason};
use super::kinds::Text;
use crate::units::{AccountId, OrderId, Price, Qty, Side};

/// A record of the execution ring: 120 bytes.
///
/// Times are those of the cause, the market event whose sequence is [`Execution::cause`]. A match
/// is two fills, maker then taker, with one `match_id`; where only one side is ours, it is one.
///
/// ```
/// use ringtape::event::{Execution, ExecutionKind, Reason};
///
/// let mut execution = Execution::new(ExecutionKind::Rejected, 34_200_000_000_000, 13);
/// execution.reason = Reason::OffTick as u16;
/// assert_eq!(execution.kind(), Some(ExecutionKind::Rejected));
/// assert_eq!(execution.reason().name(), "off_tick");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Execution {
    /// Exchange time of the cause in ns.
    pub ts_event: u64,
    /// Engine clock of the cause in ns.
    pub ts_ingest: u64,
    /// Code of the [`ExecutionKind`].
    pub kind: u8,
    /// Code of the [`Side`]; 0 for none.
    pub side: u8,
    /// Bits of [`ExecutionFlags`](Execution).
    pub flags: u16,
    /// Number of the instrument.
    pub instrument: u32,
    /// The order.
    pub order_id: u64,
    /// Price of the fill, or the order's limit.
    pub price: i64,
    /// Quantity of the fill, or of the change.
    pub qty: u64,
    /// Quantity still open.
    pub leaves: u64,
    /// Quantity filled so far.
    pub cum: u64,
    /// The order on the other side of a fill; 0 when hidden.
    pub contra_order_id: u64,
    /// Number of the match that the two fills of a trade share.
    pub match_id: u64,
    /// Market sequence of the event that caused this record; the one after the last if the end of
    /// the market did.
    pub cause: u64,
    /// Number of the order that replaces this one.
    pub new_order_id: u64,
    /// The account.
    pub account: u32,
    /// Code of the [`Reason`].
    pub reason: u16,
    /// Code of the [`Liquidity`](super::Liquidity); 0 when nothing traded.
    pub liquidity: u8,
    /// Filling.
    pub pad: u8,
    /// Fee in 1e-9 of the currency; a rebate is negative.
    pub fee: i64,
    /// An order at a simulated venue: quantity ahead in its queue at entry (low half) and now (high
    /// half), both at most 2^32 - 1; else 0. No part of any hash.
    pub reserved: u64,
}

/// What the portfolio needs to mark a position: the touch, the last trade, the state.
///
/// Prices and quantities are in the instrument's increments; an empty side has quantity 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Best bid.
    pub bid_price: Price,
    /// Displayed quantity at the best bid.
    pub bid_qty: Qty,
    /// Best offer.
    pub ask_price: Price,
    /// Displayed quantity at the best offer.
    pub ask_qty: Qty,
    /// Price of the last printable trade; `None` before the first.
    pub last_price: Option<Price>,
    /// Price of the closing cross; `None` before it.
    pub close_price: Option<Price>,
    /// Whether the instrument is trading; an unknown state counts as trading.
    pub trading: bool,
}

/// An instrument as the execution ring introduces it, before its first other record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Symbol.
    pub symbol: Text<24>,
    /// Currency of prices.
    pub currency: Text<4>,
    /// Price increment in 1e-9 of the currency.
    pub price_increment: u64,
    /// Quantity increment in 1e-9 of a unit.
    pub qty_increment: u64,
    /// Currency units that one point of price is worth.
    pub multiplier: u32,
}

/// Bits of [`Execution::flags`].
impl Execution {
    /// Quote: the instrument is trading.
    pub const TRADING: u16 = 1 << 0;
    /// Quote: `last_price` is there.
    pub const HAS_LAST: u16 = 1 << 1;
    /// Quote: `close_price` is there.
    pub const HAS_CLOSE: u16 = 1 << 2;
    /// Status: this record introduces an instrument.
    pub const LISTING: u16 = 1 << 3;

    /// A record with all else zero.
    pub fn new(kind: ExecutionKind, ts_event: u64, instrument: u32) -> Self {
        Self { ts_event, kind: kind as u8, instrument, ..Self::zeroed() }
    }

    /// A record that carries a quote.
    pub fn from_quote(ts_event: u64, instrument: u32, quote: &Quote) -> Self {
        let bit = |holds: bool, flag: u16| if holds { flag } else { 0 };
        Self {
            flags: bit(quote.trading, Self::TRADING)
                | bit(quote.last_price.is_some(), Self::HAS_LAST)
                | bit(quote.close_price.is_some(), Self::HAS_CLOSE),
            price: quote.bid_price.0,
            qty: quote.bid_qty.0,
            leaves: quote.ask_qty.0,
            cum: quote.ask_price.0.cast_unsigned(),
            contra_order_id: quote.last_price.unwrap_or_default().0.cast_unsigned(),
            match_id: quote.close_price.unwrap_or_default().0.cast_unsigned(),
            ..Self::new(ExecutionKind::Quote, ts_event, instrument)
        }
    }

    /// The quote of a record of kind `quote`; `None` for others.
    pub fn quote(&self) -> Option<Quote> {
        let has = |flag: u16| self.flags & flag != 0;
        let price = |bits: u64| Price(bits.cast_signed());
        (self.kind() == Some(ExecutionKind::Quote)).then(|| Quote {
            bid_price: Price(self.price),
            bid_qty: Qty(self.qty),
            ask_price: price(self.cum),
            ask_qty: Qty(self.leaves),
            last_price: has(Self::HAS_LAST).then(|| price(self.contra_order_id)),
            close_price: has(Self::HAS_CLOSE).then(|| price(self.match_id)),
            trading: has(Self::TRADING),
        })
    }

    /// A record that introduces an instrument.
    pub fn from_listing(ts_event: u64, instrument: u32, listing: &Listing) -> Self {
        let [first, second, third]: [u64; 3] = bytemuck::cast(listing.symbol);
        Self {
            flags: Self::LISTING,
            reason: Reason::Listed as u16,
            order_id: first,
            contra_order_id: second,
            match_id: third,
            price: listing.price_increment.cast_signed(),
            qty: listing.qty_increment,
            leaves: u64::from(listing.multiplier),
            cum: u64::from(u32::from_le_bytes(listing.currency.0)),
            ..Self::new(ExecutionKind::Status, ts_event, instrument)
        }
    }

    /// The instrument that a listing record introduces; `None` for other records.
    pub fn listing(&self) -> Option<Listing> {
        let is_listing =
            self.kind() == Some(ExecutionKind::Status) && self.flags & Self::LISTING != 0;
        is_listing.then(|| Listing {
            symbol: bytemuck::cast([self.order_id, self.contra_order_id, self.match_id]),
            currency: Text((self.cum as u32).to_le_bytes()),
            price_increment: self.price.cast_unsigned(),
            qty_increment: self.qty,
            multiplier: self.leaves as u32,
        })
    }

    /// The record as hashes take it in: without ingest time, cause and reserved bytes.
    #[must_use]
    pub fn canonical(self) -> Self {
        Self { ts_ingest: 0, cause: 0, reserved: 0, ..self }
    }

    /// The same record with what was ahead of a resting order at entry, and is now.
    #[must_use]
    pub fn with_queue_ahead(self, at_entry: Qty, now: Qty) -> Self {
        let half = |qty: Qty| qty.0.min(u64::from(u32::MAX));
        Self { reserved: half(at_entry) | half(now) << 32, ..self }
    }

    /// What was ahead of an order in its queue at entry, and is now; `None` when it never rested,
    /// or rested first with nothing before it and is no maker's fill.
    pub fn queue_ahead(&self) -> Option<[u64; 2]> {
        let is_maker = self.liquidity == super::Liquidity::Maker as u8;
        let ahead = [self.reserved & u64::from(u32::MAX), self.reserved >> 32];
        (is_maker || self.reserved != 0).then_some(ahead)
    }

    /// The kind; `None` for a code that this version does not know.
    #[inline]
    pub fn kind(&self) -> Option<ExecutionKind> {
        ExecutionKind::from_code(self.kind)
    }

    /// The side; `None` when the record has none.
    #[inline]
    pub fn side(&self) -> Option<Side> {
        Side::from_code(self.side)
    }

    /// The reason; [`Reason::None`] for a code that this version does not know.
    pub fn reason(&self) -> Reason {
        Reason::from_code(self.reason).unwrap_or(Reason::None)
    }

    /// The order's number.
    pub fn order_id(&self) -> OrderId {
        OrderId(self.order_id)
    }

    /// The account's number.
    pub fn account(&self) -> AccountId {
        AccountId(self.account)
    }

    /// Whether it says the same as another; when they were made does not count.
    pub(crate) fn says_same(&self, other: &Self) -> bool {
        Self { ts_ingest: 0, ..*self } == Self { ts_ingest: 0, ..*other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_survives_the_record() {
        let quote = Quote {
            bid_price: Price(-5),
            bid_qty: Qty(100),
            ask_price: Price(7),
            ask_qty: Qty(200),
            last_price: Some(Price(6)),
            close_price: None,
            trading: true,
        };
        assert_eq!(Execution::from_quote(1, 2, &quote).quote(), Some(quote));
        assert_eq!(Execution::new(ExecutionKind::Filled, 1, 2).quote(), None);
    }

    #[test]
    fn a_listing_survives_the_record() {
        let listing = Listing {
            symbol: Text::new("A-SYMBOL-OF-24-LETTERS-X"),
            currency: Text::new("USD"),
            price_increment: 100_000,
            qty_increment: 1_000_000_000,
            multiplier: 50,
        };
        assert_eq!(Execution::from_listing(1, 2, &listing).listing(), Some(listing));
    }
}
