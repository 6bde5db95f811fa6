//! What shapes a matcher: limits, policies, and the rules of each instrument.

use crate::book::ORDER_QTY_MAX;
use crate::event::{Instrument, InstrumentOverride, Reason, TickBands, TimeInForce, TradingHours};
use crate::units::{Nanos, Price, Qty, Side};

/// Live orders of a matcher unless set otherwise: 4 Mi.
pub const MATCHER_ORDERS_MAX_DEFAULT: usize = 1 << 22;

/// What a replacement does to an order's place in its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Every replacement loses its place.
    #[default]
    Standard,
    /// A smaller total at the same price keeps its place.
    Cme,
}

/// How an incoming order is shared among the displayed orders at a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// The order at the front first.
    #[default]
    Fifo,
    /// In proportion to what each displays, in whole lots; what is left over front to back.
    ProRata {
        /// Whether the order at the front is filled before the others share.
        top: bool,
    },
}

/// What shapes a matcher.
///
/// ```
/// use ringtape::matching::{Allocation, Matcher, MatcherConfig, Priority};
///
/// let config = MatcherConfig {
///     priority: Priority::Cme,
///     allocation: Allocation::ProRata { top: true },
///     ..MatcherConfig::default()
/// };
/// assert_eq!(Matcher::new(config).config().priority, Priority::Cme);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatcherConfig {
    /// Live orders at the same time, over all instruments; one more is rejected with `capacity`.
    pub orders_max: usize,
    /// Live orders to make room for before the first command.
    pub orders_expected: usize,
    /// What a replacement does to an order's place.
    pub priority: Priority,
    /// How an incoming order is shared at a price.
    pub allocation: Allocation,
}

impl Default for MatcherConfig {
    fn default() -> Self {
        Self {
            orders_max: MATCHER_ORDERS_MAX_DEFAULT,
            orders_expected: 0,
            priority: Priority::Standard,
            allocation: Allocation::Fifo,
        }
    }
}

/// The rules of one instrument that its definition on the market ring does not tell.
///
/// ```
/// use ringtape::matching::InstrumentRules;
/// use ringtape::units::{Price, Qty};
///
/// let rules = InstrumentRules { lot: Qty(10), collar: Some(Price(500)), ..Default::default() };
/// assert_eq!(rules.price_max, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentRules {
    /// Quantities are multiples of this, which is not 0.
    pub lot: Qty,
    /// How far from the last trade a market order without a cap trades.
    pub collar: Option<Price>,
    /// The highest price of an order.
    pub price_max: Option<Price>,
    /// The smallest quantity of an order.
    pub qty_min: Qty,
    /// The largest quantity of an order.
    pub qty_max: Qty,
    /// The close of the session before: an auction's reference until something trades.
    pub previous_close: Option<Price>,
    /// The ticks of new orders, in price increments; the definition's own without.
    pub ticks: Option<TickBands>,
    /// Self-trade group of orders that name none; 0 means their account.
    pub self_trade_group: u64,
    /// When the instrument trades, and its day ends.
    pub hours: Option<TradingHours>,
}

impl InstrumentRules {
    /// The rules that an override gives an instrument; amounts are rounded down to its increments,
    /// and ticks that are no multiples of them are none.
    pub fn of(own: &InstrumentOverride, instrument: &Instrument) -> Self {
        let default = Self::default();
        let price = |amount: Option<u64>| {
            let steps = amount? / instrument.price_increment.max(1);
            Some(Price(i64::try_from(steps).unwrap_or(i64::MAX)))
        };
        Self {
            lot: own.lot.unwrap_or(default.lot),
            collar: price(own.collar),
            price_max: price(own.price_max),
            qty_min: own.qty_min.unwrap_or(default.qty_min),
            qty_max: own.qty_max.unwrap_or(default.qty_max),
            previous_close: price(own.previous_close),
            ticks: own.ticks.and_then(|ticks| ticks.in_steps_of(instrument.price_increment)),
            self_trade_group: own.self_trade_group.unwrap_or(default.self_trade_group),
            hours: own.hours,
        }
    }

    /// Whether a time lies in the instrument's hours.
    pub(crate) fn is_open(&self, now: u64) -> bool {
        self.hours.is_none_or(|hours| hours.is_open(now))
    }

    /// When an order that comes in at a time expires with its session: a day order and one for the
    /// opening auction at the close, one for the closing auction when the next session opens; 0 for
    /// others, and without hours.
    pub(super) fn end_of_session(&self, time_in_force: TimeInForce, now: u64) -> Nanos {
        let Some(hours) = self.hours else { return Nanos(0) };
        let close = hours.close_after(now);
        Nanos(match time_in_force {
            TimeInForce::Day | TimeInForce::Opening => close,
            TimeInForce::Closing => hours.open_from(close),
            _ => 0,
        })
    }

    /// One tick at a price of an instrument.
    pub(crate) fn tick(&self, price: Price, instrument: &Instrument) -> i64 {
        let steps = price.0.max(0).cast_unsigned();
        match &self.ticks {
            Some(ticks) => ticks.step(steps).cast_signed(),
            None => instrument.tick(price),
        }
    }

    /// `price`, or where that is off the tick, the nearest price that gives less away on a side.
    pub(crate) fn on_tick(&self, side: Side, price: Price, instrument: &Instrument) -> Price {
        self.rounded(side, price, instrument.tick(price)).unwrap_or(Price(i64::MAX))
    }

    /// The price of a side that is nearest to the best one of the other without meeting it; none
    /// where an order may not have it. `tick` is the definition's at a price.
    pub(super) fn short_of(
        &self,
        side: Side,
        best: Price,
        tick: impl Fn(Price) -> i64,
    ) -> Option<Price> {
        let short = match side {
            Side::Buy => best.0.checked_sub(1),
            Side::Sell => best.0.checked_add(1),
        };
        let short = Price(short?);
        self.rounded(side, short, tick(short)).filter(|&price| self.takes_price(price))
    }

    /// A price on the schedule's tick, or without one on `tick`, that gives no more away on a side;
    /// none beyond 64 bits.
    fn rounded(&self, side: Side, price: Price, tick: i64) -> Option<Price> {
        let (steps, tick) = (price.0.max(0).cast_unsigned(), tick.unsigned_abs());
        let moved = match (&self.ticks, side) {
            (Some(ticks), Side::Buy) => ticks.down_from(steps),
            (Some(ticks), Side::Sell) => ticks.up_from(steps),
            (None, Side::Buy) => steps - steps % tick,
            (None, Side::Sell) => steps.next_multiple_of(tick),
        };
        i64::try_from(moved).ok().map(Price)
    }

    /// Why an order may not have a quantity.
    pub(super) fn check_qty(&self, qty: Qty) -> Result<(), Reason> {
        let most = self.qty_max.min(ORDER_QTY_MAX);
        if qty.0 == 0 || qty < self.qty_min || qty > most {
            return Err(Reason::BadQuantity);
        }
        qty.0.is_multiple_of(self.lot.0).then_some(()).ok_or(Reason::OffLot)
    }

    /// Whether a price is one that an order may have.
    pub(super) fn takes_price(&self, price: Price) -> bool {
        price.0 > 0 && self.price_max.is_none_or(|most| price <= most)
    }

    /// How far a market order trades: to its cap, or to the collar around the last trade.
    pub(super) fn bound(&self, side: Side, cap: Price, last_price: Option<Price>) -> Price {
        if cap.0 != 0 {
            return cap;
        }
        match (self.collar, last_price, side) {
            (Some(collar), Some(last), Side::Buy) => Price(last.0.saturating_add(collar.0)),
            (Some(collar), Some(last), Side::Sell) => Price(last.0.saturating_sub(collar.0)),
            (_, _, Side::Buy) => Price(i64::MAX),
            (_, _, Side::Sell) => Price(i64::MIN),
        }
    }
}

impl Default for InstrumentRules {
    fn default() -> Self {
        Self {
            lot: Qty(1),
            collar: None,
            price_max: None,
            qty_min: Qty(1),
            qty_max: ORDER_QTY_MAX,
            previous_close: None,
            ticks: None,
            self_trade_group: 0,
            hours: None,
        }
    }
}
