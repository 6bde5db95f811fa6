//! Commands on their way to the venue.

use std::collections::VecDeque;

use super::new_order::NewOrder;
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty};

/// What a strategy sends to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new order.
    New {
        /// Its number.
        order_id: OrderId,
        /// Its terms.
        terms: NewOrder,
    },
    /// An order is to be cancelled.
    Cancel {
        /// The order.
        order_id: OrderId,
    },
    /// Quantity is to be taken off an order, which keeps its place.
    Reduce {
        /// The order.
        order_id: OrderId,
        /// Quantity to take off.
        qty: Qty,
    },
    /// An order is to be replaced by a new one, which loses its place.
    Replace {
        /// The order.
        order_id: OrderId,
        /// The number of the new one.
        new_order_id: OrderId,
        /// The new limit or cap; 0 when unchanged.
        price: Price,
        /// The new total including what is filled; 0 when unchanged.
        qty: Qty,
    },
}

/// A command with its way behind or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) due: Nanos,
    pub(crate) account: AccountId,
    /// The instrument that the sender meant; of an order that is gone, it is what it was.
    pub(crate) instrument: InstrumentId,
    pub(crate) command: Command,
}

impl InFlight {
    /// Of the command that sends a replacement under this number: what it replaces, price and
    /// quantity.
    pub(crate) fn replacement(&self, number: OrderId) -> Option<(OrderId, Price, Qty)> {
        match self.command {
            Command::Replace { order_id, new_order_id, price, qty } if new_order_id == number => {
                Some((order_id, price, qty))
            }
            _ => None,
        }
    }
}

/// Commands in flight, in the order in which they were sent.
///
/// With a constant latency and a time that never runs back, that is also the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wire {
    queue: VecDeque<InFlight>,
}

impl Wire {
    pub(super) fn send(&mut self, in_flight: InFlight) {
        debug_assert!(self.last_due() <= Some(in_flight.due));
        self.queue.push_back(in_flight);
    }

    /// When the next command arrives; `None` when nothing is in flight.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.queue.front().map(|first| first.due)
    }

    /// When the last command arrives; `None` when nothing is in flight.
    pub(super) fn last_due(&self) -> Option<Nanos> {
        self.queue.back().map(|last| last.due)
    }

    /// The place of the first command due by `until` whose instrument is ready for it, and when it
    /// is due.
    ///
    /// A command that has to wait holds up only commands of its own instrument.
    pub(super) fn first_ready(
        &self,
        until: Nanos,
        is_ready: impl Fn(InstrumentId) -> bool,
    ) -> Option<(usize, Nanos)> {
        let due = self.queue.iter().take_while(|in_flight| in_flight.due <= until);
        let ready = due.enumerate().find(|(_, in_flight)| is_ready(in_flight.instrument))?;
        Some((ready.0, ready.1.due))
    }

    /// Takes the command at a place off the wire.
    pub(super) fn take(&mut self, place: usize) -> Option<InFlight> {
        self.queue.remove(place)
    }

    /// Takes everything off the wire.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = InFlight> {
        self.queue.drain(..)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &InFlight> {
        self.queue.iter()
    }
}
