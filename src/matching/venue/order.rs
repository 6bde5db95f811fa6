//! Own orders: what the venue keeps of them, and what their strategy sees.

use super::super::stops::Stop;
use super::new_order::NewOrder;
use crate::event::{Execution, ExecutionKind, Reason, TimeInForce};
use crate::units::{AccountId, Nanos, OrderId, Price, Qty};

/// The priority of an order that everything displayed at its price is ahead of.
const BEHIND_ALL: u64 = u64::MAX;

/// An own order at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnOrder {
    pub(super) id: OrderId,
    pub(super) account: AccountId,
    pub(super) terms: NewOrder,
    /// When it expires: at its own time, or with its session; 0 when neither is.
    pub(super) expire_ts: Nanos,
    /// Quantity filled so far.
    pub(super) cum: Qty,
    /// Of an iceberg: what is left of the part that it displays.
    pub(super) displayed: Qty,
    /// Where it triggers, until it has.
    pub(super) stop: Stop,
    /// Displayed shares ahead at its price.
    pub(super) ahead: Qty,
    /// Real orders at its price with a smaller priority are ahead.
    pub(super) priority: u64,
    /// Where a feed tells levels: what printed at its price since the level was told.
    pub(super) printed: Qty,
    /// `ahead` when it entered the queue.
    pub(super) ahead_at_entry: Qty,
}

impl OwnOrder {
    pub(super) fn new(id: OrderId, account: AccountId, terms: NewOrder) -> Self {
        let (nothing, is_stop) = (Qty(0), terms.order_type.is_stop());
        Self {
            id,
            account,
            terms,
            expire_ts: terms.expire_ts,
            cum: nothing,
            displayed: terms.display_qty.min(terms.qty),
            stop: if is_stop { Stop::new(terms.stop_price, terms.trail) } else { Stop::default() },
            ahead: nothing,
            priority: 0,
            printed: nothing,
            ahead_at_entry: nothing,
        }
    }

    /// The order that takes this one's place with other terms: what is filled stays.
    pub(super) fn replaced(&self, id: OrderId, terms: NewOrder) -> Self {
        let new = Self { cum: self.cum, stop: self.stop, ..Self::new(id, self.account, terms) };
        Self { displayed: terms.display_qty.min(new.leaves()), ..new }
    }

    /// What a stop becomes when it triggers.
    pub(super) fn triggered(self) -> Self {
        let order_type = self.terms.order_type.triggered();
        let (stop_price, trail, is_bidask_triggered) = (Price(0), Price(0), false);
        let terms = NewOrder { order_type, stop_price, trail, is_bidask_triggered, ..self.terms };
        Self { terms, stop: Stop::default(), ..self }
    }

    /// Whether it ends with its day.
    pub(super) fn is_of_day(&self) -> bool {
        !matches!(self.terms.time_in_force, TimeInForce::Gtc | TimeInForce::Gtd)
    }

    /// Quantity still open.
    pub(super) fn leaves(&self) -> Qty {
        Qty(self.terms.qty.0 - self.cum.0)
    }

    /// Whether it shows a part of itself only.
    pub(super) fn is_iceberg(&self) -> bool {
        self.terms.display_qty.0 != 0
    }

    /// What it gives before it goes to the back of its queue, or is filled.
    pub(super) fn front(&self) -> Qty {
        if self.is_iceberg() { self.displayed } else { self.leaves() }
    }

    /// Whether an iceberg has used up what it displays and has more.
    pub(super) fn wants_refill(&self) -> bool {
        self.is_iceberg() && self.displayed.0 == 0 && self.leaves().0 > 0
    }

    /// Comes to the back of its queue, behind `ahead` displayed shares; `priority` is that of the
    /// next real order.
    pub(super) fn join(&mut self, ahead: Qty, priority: u64) {
        self.displayed = self.terms.display_qty.min(self.leaves());
        self.ahead = ahead;
        self.ahead_at_entry = ahead;
        self.printed = Qty(0);
        self.priority = if self.terms.is_hidden { BEHIND_ALL } else { priority };
    }

    /// Trades so much of its front.
    pub(super) fn fill(&mut self, qty: Qty) {
        self.cum.0 += qty.0;
        self.displayed.0 = self.displayed.0.saturating_sub(qty.0);
    }

    /// Loses so much, an iceberg from what it does not display first.
    pub(super) fn reduce(&mut self, qty: Qty) {
        self.terms.qty.0 -= qty.0;
        self.displayed = self.displayed.min(self.leaves());
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
    /// A stop that has not triggered.
    Pending,
    /// Waiting for the opening or closing auction.
    Waiting,
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
    /// What others see of it: of an iceberg the part that it displays; 0 unless it rests.
    pub displayed: Qty,
    /// Where it triggers now, of a stop that pends; `None` while a trailing one awaits a price.
    pub stop: Option<Price>,
    /// Where it is.
    pub state: OrderState,
    /// Displayed shares ahead of it at its price; 0 unless it rests.
    pub ahead: Qty,
    /// Displayed shares that were ahead when it came to rest.
    pub ahead_at_entry: Qty,
}

impl OpenOrder {
    pub(super) fn of(order: &OwnOrder, state: OrderState) -> Self {
        let is_shown = state == OrderState::Resting && !order.terms.is_hidden;
        Self {
            order_id: order.id,
            account: order.account,
            terms: order.terms,
            cum: order.cum,
            leaves: order.leaves(),
            displayed: if is_shown { order.front() } else { Qty(0) },
            stop: order.stop.price,
            state,
            ahead: order.ahead,
            ahead_at_entry: order.ahead_at_entry,
        }
    }
}
