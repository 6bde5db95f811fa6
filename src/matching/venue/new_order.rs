//! What a strategy asks for.

use super::super::checks::Terms;
use super::super::terms::Codes;
use crate::event::{Instructions, OrderType, SelfTrade, TimeInForce};
use crate::units::{InstrumentId, Nanos, Price, Qty, Side};

/// An order to be sent: a limit or a market order, and what sets it apart.
///
/// ```
/// use ringtape::event::{OrderType, TimeInForce};
/// use ringtape::matching::NewOrder;
/// use ringtape::units::{InstrumentId, Nanos, Price, Qty, Side};
///
/// let (aapl, price) = (InstrumentId(13), Price(3_201_400));
/// let bid = NewOrder::limit(aapl, Side::Buy, price, Qty(100));
/// assert_eq!((bid.order_type, bid.time_in_force), (OrderType::Limit, TimeInForce::Day));
/// assert!(bid.post_only().is_post_only && bid.hidden().is_hidden);
/// assert_eq!(bid.iceberg(Qty(10)).display_qty, Qty(10));
/// assert_eq!(bid.until(Nanos(36_000_000_000_000)).time_in_force, TimeInForce::Gtd);
///
/// // What it becomes when the stop triggers comes first.
/// let stop = NewOrder::market(aapl, Side::Sell, Qty(100)).stop_at(Price(3_190_000));
/// assert_eq!(stop.order_type, OrderType::Stop);
/// let trailing = NewOrder::limit(aapl, Side::Sell, price, Qty(100)).trailing(Price(5_000));
/// assert_eq!(trailing.order_type, OrderType::TrailingLimit);
/// let buy = NewOrder::market(aapl, Side::Buy, Qty(100));
/// assert_eq!(buy.with_time_in_force(TimeInForce::Opening).price, Price(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The side.
    pub side: Side,
    /// The limit in price increments, on the tick; of an order that never rests its cap, 0 for
    /// none.
    pub price: Price,
    /// The quantity in quantity increments.
    pub qty: Qty,
    /// What it does: limit, market, or a stop that becomes one of them.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// Whether to reject it rather than let it take liquidity.
    pub is_post_only: bool,
    /// With post-only: whether to move it to the next price that takes none instead.
    pub is_repriced: bool,
    /// Whether it rests behind all that is displayed at its price.
    pub is_hidden: bool,
    /// Of a stop: whether it looks at the best bid and offer, not at trades.
    pub is_bidask_triggered: bool,
    /// Of a stop: where it triggers; 0 for a trailing one that starts from the market.
    pub stop_price: Price,
    /// Of a trailing stop: how far it stays behind the best price; 0 for other orders.
    pub trail: Price,
    /// What an iceberg displays; 0 when all is displayed.
    pub display_qty: Qty,
    /// When an order good till a date expires; 0 for other orders.
    pub expire_ts: Nanos,
}

impl NewOrder {
    /// A day order that trades at its limit or better.
    pub fn limit(instrument: InstrumentId, side: Side, price: Price, qty: Qty) -> Self {
        Self {
            instrument,
            side,
            price,
            qty,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            is_post_only: false,
            is_repriced: false,
            is_hidden: false,
            is_bidask_triggered: false,
            stop_price: Price(0),
            trail: Price(0),
            display_qty: Qty(0),
            expire_ts: Nanos(0),
        }
    }

    /// An order that trades at any price and never rests; set `price` to cap it.
    pub fn market(instrument: InstrumentId, side: Side, qty: Qty) -> Self {
        Self { order_type: OrderType::Market, ..Self::limit(instrument, side, Price(0), qty) }
    }

    /// The same order with another time in force.
    #[must_use]
    pub fn with_time_in_force(self, time_in_force: TimeInForce) -> Self {
        Self { time_in_force, ..self }
    }

    /// The same order, good until a time: it expires before the first event at or past it.
    #[must_use]
    pub fn until(self, expire_ts: Nanos) -> Self {
        Self { time_in_force: TimeInForce::Gtd, expire_ts, ..self }
    }

    /// The same order, rejected if it would take liquidity.
    #[must_use]
    pub fn post_only(self) -> Self {
        Self { is_post_only: true, ..self }
    }

    /// The same order, moved to the next price that takes none if it would take liquidity.
    #[must_use]
    pub fn repriced(self) -> Self {
        Self { is_post_only: true, is_repriced: true, ..self }
    }

    /// The same order, not displayed.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { is_hidden: true, ..self }
    }

    /// The same order, of which no more than this is displayed at a time.
    #[must_use]
    pub fn iceberg(self, display_qty: Qty) -> Self {
        Self { display_qty, ..self }
    }

    /// The same order, held back until the last trade reaches a price.
    #[must_use]
    pub fn stop_at(self, stop_price: Price) -> Self {
        let is_market = self.order_type.is_market();
        let order_type = if is_market { OrderType::Stop } else { OrderType::StopLimit };
        Self { order_type, stop_price, ..self }
    }

    /// The same order, held back until the last trade is this far from the best one since it came.
    #[must_use]
    pub fn trailing(self, trail: Price) -> Self {
        let is_market = self.order_type.is_market();
        let order_type = if is_market { OrderType::Trailing } else { OrderType::TrailingLimit };
        Self { order_type, trail, ..self }
    }

    /// The same stop, looking at the best bid and offer instead of the last trade.
    #[must_use]
    pub fn on_bidask(self) -> Self {
        Self { is_bidask_triggered: true, ..self }
    }

    /// The same order with another price and quantity; 0 leaves either unchanged.
    pub(crate) fn with(self, price: Price, qty: Qty) -> Self {
        let price = if price.0 == 0 { self.price } else { price };
        let qty = if qty.0 == 0 { self.qty } else { qty };
        Self { price, qty, ..self }
    }

    /// The worst price that it trades at.
    pub(super) fn bound(&self) -> Price {
        match self.side {
            _ if self.price.0 != 0 || !self.order_type.is_market() => self.price,
            Side::Buy => Price(i64::MAX),
            Side::Sell => Price(i64::MIN),
        }
    }

    /// Whether what does not trade at once goes.
    pub(super) fn is_immediate(&self) -> bool {
        matches!(self.time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
    }

    /// Whether it takes part in one auction only.
    pub(super) fn is_for_auction(&self) -> bool {
        matches!(self.time_in_force, TimeInForce::Opening | TimeInForce::Closing)
    }

    /// The bits of [`Instructions`].
    pub(crate) fn instructions(&self) -> u8 {
        let instructions = [
            (self.is_post_only, Instructions::POST_ONLY),
            (self.is_repriced, Instructions::REPRICE),
            (self.is_hidden, Instructions::HIDDEN),
            (self.is_bidask_triggered, Instructions::TRIGGER_BIDASK),
        ];
        let asked = instructions.into_iter().filter(|(is_asked, _)| *is_asked);
        asked.fold(0, |bits, (_, bit)| bits | bit)
    }

    /// The terms as the matcher checks them.
    pub(super) fn terms(&self) -> Terms {
        let bits = self.instructions();
        Terms {
            codes: Codes::new(self.order_type, self.time_in_force, SelfTrade::None, bits),
            side: self.side,
            stop_price: self.stop_price,
            trail: self.trail,
            display: self.display_qty,
            expire_ts: self.expire_ts.0,
            min_qty: Qty(0),
            group: 0,
        }
    }
}
