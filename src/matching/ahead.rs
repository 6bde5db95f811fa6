//! Looking ahead: what the next commands will touch is brought into the cache before they come.
//!
//! A command is a chain of memory loads, each waiting for the one before. Across commands the
//! chains are independent, so a batch is looked at in passes of one link each, which the processor
//! overlaps.
//!
//! ```text
//!   pass 1                    pass 2                        pass 3
//!   slot of the number, book  order in that slot and its    its level and neighbours
//!                             terms, rung at the touch
//! ```
//!
//! WHY: what is looked at is a guess that decides nothing: the order in the first slot of a number
//! is taken for the one meant, and a new order's slot is looked at like that of a cancel. Looking
//! exactly took a branch for each guess, and the branches that went wrong cost more than the loads
//! saved (flow `active`, 100 symbols: 5.8 M commands/s against 9.1 without looking ahead). It pays
//! where the books do not fit the cache: flow `nasdaq`, 1.9 M live orders, 2.38 M commands/s with
//! it and 1.54 without; and it costs where they do: `active`, 8.2 with and 13.7 without.

use std::hint::black_box;

use super::matcher::Matcher;
use crate::book::BookId;
use crate::event::Event;
use crate::units::{InstrumentId, OrderId, Side};

/// Commands to look at together: enough to hide a load behind the others, few enough that what is
/// brought in is still there when it is used.
pub const MATCH_AHEAD_EVENTS: usize = 32;

impl Matcher {
    /// Brings into the cache what applying the next commands will touch; looks at no more than
    /// [`MATCH_AHEAD_EVENTS`].
    ///
    /// It changes nothing, and commands that never come do no harm. Worth calling before each batch
    /// of a stream over books that do not fit the cache; where they do, it costs more than it
    /// saves.
    pub fn look_ahead(&self, events: &[Event]) {
        let book = |event: &Event| BookId::displayed(InstrumentId(event.instrument));
        // All commands about orders have the order's number first.
        let number = |event: &Event| OrderId(event.payload[0]);
        let events = &events[..events.len().min(MATCH_AHEAD_EVENTS)];
        for event in events {
            self.books.look_at_number(number(event), book(event));
        }
        let mut handles = [0; MATCH_AHEAD_EVENTS];
        let mut loaded = 0;
        for (handle, event) in handles.iter_mut().zip(events) {
            let side = if event.side == Side::Sell as u8 { Side::Sell } else { Side::Buy };
            *handle = self.books.look_at_order(number(event));
            self.books.look_at_touch(book(event), side);
            loaded ^= self.terms.extra_of_any(*handle);
        }
        for &handle in &handles[..events.len()] {
            self.books.look_at_neighbours(handle);
        }
        black_box(loaded);
    }
}
