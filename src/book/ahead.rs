//! Looking ahead: what the next events will touch is brought into the cache before they come.
//!
//! Applying a message is a chain of memory loads, each waiting for the one before: index, order,
//! level, book. Across messages the chains are independent. So a batch is looked at in three
//! passes of independent loads, one link of the chain each, which the processor overlaps; then the
//! messages are applied to memory that is already there.
//!
//! WHY: plain loads do this without `unsafe`; the sum that they feed is thrown away.

use std::hint::black_box;

use super::books::Books;
use super::slab::NIL;
use crate::event::{Event, EventView};
use crate::units::{InstrumentId, OrderId, Side};

/// Events to look at together: enough to hide a load behind the others, few enough that what is
/// brought in is still there when it is used.
pub const LOOK_AHEAD_EVENTS: usize = 32;

/// What an event will touch first.
#[derive(Clone, Copy)]
enum Subject {
    /// An order that is in the book.
    Order(u32),
    /// A side of a book, where an order is added.
    Side(InstrumentId, Side),
    Nothing,
}

/// The order that a message about a resting order names.
#[inline]
fn named_order(event: &Event) -> Option<OrderId> {
    match event.view() {
        EventView::Execute(execute) => Some(execute.order_id),
        EventView::ExecuteAt(execute) => Some(execute.order_id),
        EventView::Reduce(reduce) => Some(reduce.order_id),
        EventView::Delete(delete) => Some(delete.order_id),
        EventView::Replace(replace) => Some(replace.order_id),
        EventView::Modify(modify) => Some(modify.order_id),
        _ => None,
    }
}

impl Books {
    /// Brings into the cache what applying `events` will touch; changes nothing.
    ///
    /// Looks at no more than [`LOOK_AHEAD_EVENTS`].
    pub(super) fn look_ahead<'a>(&self, events: impl Iterator<Item = &'a Event> + Clone) {
        let events = events.take(LOOK_AHEAD_EVENTS);
        let mut loaded = 0_u64;
        for event in events.clone() {
            loaded ^= match (named_order(event), event.side()) {
                (Some(order_id), _) => self.index.load_home(order_id),
                (None, Some(side)) => self.load_best(InstrumentId(event.instrument), side),
                (None, None) => 0,
            };
        }
        let mut subjects = [Subject::Nothing; LOOK_AHEAD_EVENTS];
        for (subject, event) in subjects.iter_mut().zip(events) {
            *subject = match (named_order(event), event.side()) {
                (Some(order_id), _) => {
                    self.index.peek(order_id).map_or(Subject::Nothing, Subject::Order)
                }
                (None, Some(side)) => Subject::Side(InstrumentId(event.instrument), side),
                (None, None) => Subject::Nothing,
            };
            loaded ^= match *subject {
                Subject::Order(handle) => self.orders[handle].order_id.0,
                Subject::Side(instrument, side) => self.load_ladder(instrument, side),
                Subject::Nothing => 0,
            };
        }
        for subject in subjects {
            loaded ^= match subject {
                Subject::Order(handle) => self.load_level(self.orders[handle].level),
                Subject::Side(instrument, side) => self.load_best_level(instrument, side),
                Subject::Nothing => 0,
            };
        }
        black_box(loaded);
    }

    fn load_best(&self, instrument: InstrumentId, side: Side) -> u64 {
        self.book(instrument).map_or(0, |book| book.best[side.index()].qty.0)
    }

    fn load_ladder(&self, instrument: InstrumentId, side: Side) -> u64 {
        let best = self.book(instrument).and_then(|book| book.ladder(side).best());
        best.map_or(0, u64::from)
    }

    fn load_best_level(&self, instrument: InstrumentId, side: Side) -> u64 {
        let best = self.book(instrument).and_then(|book| book.ladder(side).best());
        best.map_or(0, |level| u64::from(self.levels[level].tail))
    }

    fn load_level(&self, level: u32) -> u64 {
        if level == NIL { 0 } else { self.levels[level].qty.0 }
    }
}
