//! Where a desk's commands go: to the simulated venue, or out of the door to a real one.

use super::door::Door;
use crate::book::{Change, Replica};
use crate::error::Result;
use crate::event::{Event, Execution, Reason};
use crate::matching::venue::InFlight;
use crate::matching::{Command, OpenOrder, Venue};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty};

/// What takes a desk's commands.
#[derive(Debug)]
pub(super) enum OrderEntry {
    Simulated(Box<Venue>),
    Away(Box<Door>),
}

impl OrderEntry {
    pub(super) fn send(
        &mut self,
        now: Nanos,
        account: AccountId,
        instrument: InstrumentId,
        command: Command,
    ) {
        match self {
            Self::Simulated(venue) => venue.send(now, account, instrument, command),
            Self::Away(door) => door.send(InFlight { due: now, account, instrument, command }),
        }
    }

    /// How long the next report to a strategy is on its way; that of a real venue is there.
    pub(super) fn report_delay(&mut self) -> Nanos {
        match self {
            Self::Simulated(venue) => venue.report_delay(),
            Self::Away(_) => Nanos(0),
        }
    }

    /// When the next command arrives.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Nanos> {
        match self {
            Self::Simulated(venue) => venue.next_due(),
            Self::Away(door) => door.next_due(),
        }
    }

    /// Lets the first command that is due by `until` arrive and says when it was due.
    pub(super) fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        books: &Replica,
        out: &mut Vec<Execution>,
    ) -> Option<Nanos> {
        match self {
            Self::Simulated(venue) => venue.receive(until, ts_event, books, out),
            Self::Away(door) => door.receive(until, ts_event, out),
        }
    }

    /// Lets own orders follow what an event changed.
    pub(super) fn after(
        &mut self,
        event: &Event,
        change: &Change,
        books: &Replica,
        out: &mut Vec<Execution>,
    ) {
        if let Self::Simulated(venue) = self {
            venue.after(event, change, books, out);
        }
    }

    /// Whether events of an instrument can change own orders.
    #[inline]
    pub(super) fn is_active(&self, instrument: InstrumentId) -> bool {
        match self {
            Self::Simulated(venue) => venue.is_active(instrument),
            Self::Away(_) => false,
        }
    }

    /// A day of the feed ended; a real venue says itself when its own does.
    pub(super) fn end_day(&mut self, ts_event: Nanos, out: &mut Vec<Execution>) {
        if let Self::Simulated(venue) = self {
            venue.end_day(ts_event, out);
        }
    }

    /// The feed ended.
    pub(super) fn end(&mut self, ts_event: Nanos, out: &mut Vec<Execution>) {
        match self {
            Self::Simulated(venue) => venue.end(ts_event, out),
            Self::Away(door) => while door.receive(ts_event, ts_event, out).is_some() {},
        }
    }

    pub(super) fn kill(
        &mut self,
        account: AccountId,
        reason: Reason,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        match self {
            Self::Simulated(venue) => venue.kill(account, reason, ts_event, out),
            Self::Away(door) => door.kill(account, ts_event),
        }
    }

    pub(super) fn cancel_all(
        &mut self,
        account: AccountId,
        reason: Reason,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        match self {
            Self::Simulated(venue) => venue.cancel_all(account, reason, ts_event, out),
            Self::Away(door) => door.cancel_all(account, ts_event),
        }
    }

    /// An order that is not over.
    pub(super) fn order(&self, order_id: OrderId) -> Option<OpenOrder> {
        match self {
            Self::Simulated(venue) => venue.order(order_id),
            Self::Away(door) => door.order(order_id),
        }
    }

    /// Of a replacement on its way: what it replaces, price, quantity.
    pub(super) fn replacement(&self, order_id: OrderId) -> Option<(OrderId, Price, Qty)> {
        match self {
            Self::Simulated(venue) => venue.replacement(order_id),
            Self::Away(door) => door.replacement(order_id),
        }
    }

    /// Own orders of an instrument: bids, then offers, each best first, then those in flight.
    pub(super) fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = OpenOrder> {
        let (venue, away) = match self {
            Self::Simulated(venue) => (Some(venue), vec![]),
            Self::Away(door) => (None, door.open_orders(instrument)),
        };
        let simulated = venue.into_iter().flat_map(move |venue| {
            let in_flight = venue.in_flight().filter(move |o| o.terms.instrument == instrument);
            venue.open_orders(instrument).chain(in_flight)
        });
        simulated.chain(away)
    }

    /// The instrument of an order that is not over.
    pub(super) fn instrument_of(&self, order_id: OrderId) -> Option<InstrumentId> {
        match self {
            Self::Simulated(venue) => venue.instrument_of(order_id),
            Self::Away(door) => door.instrument_of(order_id),
        }
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        match self {
            Self::Simulated(venue) => venue.save(writer),
            Self::Away(door) => door.save(writer),
        }
    }

    pub(super) fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        match self {
            Self::Simulated(venue) => venue.load(reader),
            Self::Away(door) => door.load(reader),
        }
    }
}
