//! Own orders: what a strategy asks for, and what the venue keeps of it.

use crate::event::{Execution, ExecutionKind, Reason, TimeInForce};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

/// A limit order to be sent.
///
/// ```
/// use ringtape::event::TimeInForce;
/// use ringtape::matching::NewOrder;
/// use ringtape::units::{InstrumentId, Price, Qty, Side};
///
/// let order = NewOrder::limit(InstrumentId(13), Side::Buy, Price(3_201_400), Qty(100));
/// assert_eq!(order.time_in_force, TimeInForce::Day);
/// assert!(order.post_only().is_post_only);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The side.
    pub side: Side,
    /// The limit in price increments, on the tick.
    pub price: Price,
    /// The quantity in quantity increments.
    pub qty: Qty,
    /// How long it stays: a day, immediate or kill; the venue rejects others as `bad_terms`.
    pub time_in_force: TimeInForce,
    /// Whether to reject it rather than let it take liquidity.
    pub is_post_only: bool,
}

impl NewOrder {
    /// A day order.
    pub fn limit(instrument: InstrumentId, side: Side, price: Price, qty: Qty) -> Self {
        let time_in_force = TimeInForce::Day;
        Self { instrument, side, price, qty, time_in_force, is_post_only: false }
    }

    /// The same order with another time in force.
    #[must_use]
    pub fn with_time_in_force(self, time_in_force: TimeInForce) -> Self {
        Self { time_in_force, ..self }
    }

    /// The same order, rejected if it would take liquidity.
    #[must_use]
    pub fn post_only(self) -> Self {
        Self { is_post_only: true, ..self }
    }
}

/// An own order at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnOrder {
    pub(super) id: OrderId,
    pub(super) account: AccountId,
    pub(super) terms: NewOrder,
    /// Quantity filled so far.
    pub(super) cum: Qty,
    /// Displayed shares ahead at its price.
    pub(super) ahead: Qty,
    /// Real orders at its price with a smaller priority are ahead.
    pub(super) priority: u64,
    /// `ahead` when it entered the queue.
    pub(super) ahead_at_entry: Qty,
}

impl OwnOrder {
    pub(super) fn new(id: OrderId, account: AccountId, terms: NewOrder) -> Self {
        let nothing = Qty(0);
        Self {
            id,
            account,
            terms,
            cum: nothing,
            ahead: nothing,
            priority: 0,
            ahead_at_entry: nothing,
        }
    }

    /// Quantity still open.
    pub(super) fn leaves(&self) -> Qty {
        Qty(self.terms.qty.0 - self.cum.0)
    }

    /// A record about the order: its limit and total as price and quantity.
    pub(super) fn report(&self, kind: ExecutionKind, ts_event: Nanos, reason: Reason) -> Execution {
        Execution {
            side: self.terms.side as u8,
            order_id: self.id.0,
            price: self.terms.price.0,
            qty: self.terms.qty.0,
            leaves: self.leaves().0,
            cum: self.cum.0,
            account: self.account.0,
            reason: reason as u16,
            ..Execution::new(kind, ts_event.0, self.terms.instrument.0)
        }
        .with_queue_ahead(self.ahead_at_entry, self.ahead)
    }

    /// A record of its end: quantity is what was still open, and nothing is open any more.
    pub(super) fn ended(&self, kind: ExecutionKind, ts_event: Nanos, reason: Reason) -> Execution {
        Execution { qty: self.leaves().0, leaves: 0, ..self.report(kind, ts_event, reason) }
    }
}

/// Where an own order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// On its way to the venue.
    InFlight,
    /// Accepted during a halt; it enters the book when trading resumes.
    Halted,
    /// Resting in its queue.
    Resting,
}

/// An own order as its strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The order's number.
    pub order_id: OrderId,
    /// The account that it is for.
    pub account: AccountId,
    /// What was asked for; the quantity is the total including what is filled.
    pub terms: NewOrder,
    /// Quantity filled so far.
    pub cum: Qty,
    /// Quantity still open.
    pub leaves: Qty,
    /// Where it is.
    pub state: OrderState,
    /// Displayed shares ahead of it at its price; 0 unless it rests.
    pub ahead: Qty,
    /// Displayed shares that were ahead when it came to rest.
    pub ahead_at_entry: Qty,
}

impl OpenOrder {
    pub(super) fn of(order: &OwnOrder, state: OrderState) -> Self {
        Self {
            order_id: order.id,
            account: order.account,
            terms: order.terms,
            cum: order.cum,
            leaves: order.leaves(),
            state,
            ahead: order.ahead,
            ahead_at_entry: order.ahead_at_entry,
        }
    }
}
