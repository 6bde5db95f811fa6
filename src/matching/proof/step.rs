//! The records of an exchange event with what they did to the replica, and the class of the whole.

use super::TapeFill;
use crate::book::{Change, ChangeKind, Replica};
use crate::event::{Event, EventView, Flags, Kind};
use crate::units::{InstrumentId, MatchId, OrderId, Price, Qty, Side};

/// One record of an exchange event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    /// What it did to the replica.
    pub(super) change: Change,
    /// Number of the record.
    pub(super) number: u64,
    /// Orders in the queue before one of them was executed.
    pub(super) in_queue: u32,
}

/// What kind of exchange event it is, and so what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    UnknownReference,
    Cross,
    Priced,
    Unclassified,
    /// Orders of this side were executed, and only they.
    Executions(Side),
    HiddenPrints,
    /// Nothing traded.
    Quiet,
}

impl Step {
    /// A record that the replica just applied.
    #[inline]
    pub(super) fn new(event: &Event, change: &Change, replica: &Replica, number: u64) -> Self {
        let in_queue = if change.kind == ChangeKind::Executed {
            let order = &change.order;
            let level = replica.level(order.instrument, order.side, order.price);
            level.orders + u32::from(change.left_book)
        } else {
            0
        };
        Self { event: *event, change: *change, number, in_queue }
    }

    /// Whether a displayed order was executed at its own price.
    #[inline]
    pub(super) fn is_execution(&self) -> bool {
        self.event.kind == Kind::Execute as u8 && self.change.kind == ChangeKind::Executed
    }

    /// Whether an order came.
    pub(super) fn is_add_of(&self, side: Side) -> bool {
        self.change.kind == ChangeKind::Added && self.change.order.side == side
    }

    /// The fill as the tape has it.
    pub(super) fn fill(&self) -> TapeFill {
        let qty = match self.event.view() {
            EventView::Execute(execute) => execute.qty,
            _ => self.change.qty,
        };
        TapeFill { order_id: self.change.order.order_id, price: self.change.order.price, qty }
    }

    /// The queues that it changed.
    pub(super) fn queues(&self) -> impl Iterator<Item = Queue> {
        let is_of_order = !matches!(
            self.change.kind,
            ChangeKind::None | ChangeKind::Cleared | ChangeKind::Unknown | ChangeKind::LevelSet
        );
        let orders = is_of_order.then_some(self.change.order).into_iter().chain(self.change.new);
        orders.map(|order| (order.instrument, order.side, order.price))
    }
}

/// Where a queue is.
pub(super) type Queue = (InstrumentId, Side, Price);

impl Class {
    /// The class of an exchange event: the first that holds.
    pub(super) fn of(steps: &[Step]) -> Self {
        let mut sides = [false; 2];
        let [mut is_unknown, mut is_cross, mut is_priced] = [false; 3];
        let [mut is_mixed, mut has_trade] = [false; 2];
        for step in steps {
            let Step { event, change, .. } = step;
            match change.kind {
                ChangeKind::Unknown => is_unknown = true,
                ChangeKind::Cleared => is_mixed = true,
                ChangeKind::Executed if event.kind == Kind::ExecuteAt as u8 => {
                    let is_printed = event.has(Flags::PRINTABLE);
                    is_priced |= is_printed;
                    is_cross |= !is_printed;
                }
                ChangeKind::Executed => {
                    sides[change.order.side.index()] = true;
                    is_mixed |= change.order.instrument.0 != event.instrument;
                }
                _ => has_trade |= event.kind == Kind::Trade as u8,
            }
        }
        match sides {
            _ if is_unknown => Self::UnknownReference,
            _ if is_cross => Self::Cross,
            _ if is_priced => Self::Priced,
            [true, true] => Self::Unclassified,
            [true, false] | [false, true] if is_mixed => Self::Unclassified,
            [true, false] => Self::Executions(Side::Buy),
            [false, true] => Self::Executions(Side::Sell),
            [false, false] if has_trade => Self::HiddenPrints,
            [false, false] => Self::Quiet,
        }
    }
}

/// Whether a record goes on with what `steps` began, in a feed that does not say so: equal time,
/// the next match number, one resting side, prices that do not improve.
pub(super) fn goes_on(steps: &[Step], event: &Event, replica: &Replica) -> bool {
    let Some(last) = steps.last() else { return false };
    let match_id = |event: &Event| match event.view() {
        EventView::Execute(execute) => Some(execute.match_id),
        EventView::Trade(trade) => Some(trade.match_id),
        _ => None,
    };
    let is_next = |(last, next): (MatchId, MatchId)| last.0.wrapping_add(1) == next.0;
    if last.event.ts_event != event.ts_event
        || !match_id(&last.event).zip(match_id(event)).is_some_and(is_next)
    {
        return false;
    }
    let EventView::Execute(execute) = event.view() else { return true };
    let before = steps.iter().rev().find(|step| step.is_execution());
    before.zip(replica.order(execute.order_id)).is_some_and(|(before, order)| {
        let before = before.change.order;
        before.side == order.side && !order.side.is_better(order.price, before.price)
    })
}

/// Shares that were displayed, came before the last executed order and were passed over.
pub(super) fn passed_over(steps: &[Step], side: Side, replica: &Replica) -> Qty {
    let executed = steps.iter().rev().find(|step| step.is_execution());
    let Some(last) = executed.map(|step| step.change.order) else { return Qty(0) };
    let came_now = |order_id: OrderId| {
        steps.iter().any(|step| step.is_add_of(side) && step.change.order.order_id == order_id)
    };
    let levels = replica
        .levels(last.instrument, side)
        .take_while(|level| !side.is_better(last.price, level.price));
    let ahead = levels
        .flat_map(|level| replica.queue(last.instrument, side, level.price))
        .filter(|order| order.price != last.price || order.priority < last.priority)
        .filter(|order| !came_now(order.order_id));
    Qty(ahead.fold(0, |sum, order| sum.saturating_add(order.qty.0)))
}
