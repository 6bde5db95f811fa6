//! The venue's list of open orders held against the own ones, and the units of its messages.

use super::door::{Away, Door, NOTES_MAX};
use crate::book::Replica;
use crate::error::{Error, Result};
use crate::event::{Execution, ExecutionKind, Reason, payload};
use crate::units::{InstrumentId, Nanos, OrderId, Price, Qty};

impl Door {
    /// Holds an order of the venue's list against the own one; at the end of the list what the
    /// venue does not have is taken as cancelled.
    pub(super) fn hold_against(
        &mut self,
        head: &payload::Report,
        more: &payload::ReportMore,
        ts_event: Nanos,
        books: &Replica,
        out: &mut Vec<Execution>,
    ) {
        if more.order_id.0 != 0 {
            let order_id = own(more.order_id);
            self.listed.push(order_id);
            let leaves = self.orders.get(&order_id).map(|away| {
                let units = Units::of(away.terms.instrument, books);
                (away.leaves(), units.and_then(|units| units.qty(head.leaves).ok()))
            });
            match leaves {
                None => self.differ(format!("it has order {}, which is over here", more.order_id)),
                Some((here, there)) if there != Some(here) => self.differ(format!(
                    "of order {} it has {}, and {here} are open here",
                    more.order_id,
                    there.map_or("another quantity".to_owned(), |there| format!("{there} open"))
                )),
                Some(_) => {}
            }
            return;
        }
        let listed = std::mem::take(&mut self.listed);
        let missing: Vec<(OrderId, Away)> = self
            .orders
            .iter()
            .filter(|(order_id, away)| away.is_accepted && !listed.contains(order_id))
            .map(|(&order_id, &away)| (order_id, away))
            .collect();
        for (order_id, away) in missing {
            self.orders.remove(&order_id);
            let number = order_id.number();
            self.differ(format!("it does not have order {number}, which is open here"));
            let record = away.record(order_id, ExecutionKind::Cancelled, ts_event);
            let (qty, reason) = (away.leaves().0, Reason::UnknownOrder as u16);
            out.push(Execution { qty, leaves: 0, reason, ..record });
        }
    }

    pub(super) fn differ(&mut self, note: String) {
        self.differences += 1;
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        }
    }
}

/// The number of an own order, by the one that the venue knows it under.
pub(super) fn own(number: OrderId) -> OrderId {
    OrderId(number.0 | OrderId::OWN)
}

/// The increments of an instrument.
pub(super) struct Units {
    price: u64,
    qty: u64,
}

impl Units {
    /// Amounts as they are told.
    pub(super) const ONE: Self = Self { price: 1, qty: 1 };

    pub(super) fn of(instrument: InstrumentId, books: &Replica) -> Option<Self> {
        let known = books.instruments().get(instrument)?;
        Some(Self { price: known.price_increment.max(1), qty: known.qty_increment.max(1) })
    }

    /// A quantity of a message in increments.
    pub(super) fn qty(&self, told: u64) -> Result<Qty> {
        match told.is_multiple_of(self.qty) {
            true => Ok(Qty(told / self.qty)),
            false => Err(unsound(&format!("a quantity of {told} is no multiple of {}", self.qty))),
        }
    }

    /// A price of a message in increments.
    pub(super) fn price(&self, told: u64) -> Result<Price> {
        let (told, step) = (told.cast_signed(), self.price.cast_signed());
        match told % step {
            0 => Ok(Price(told / step)),
            _ => Err(unsound(&format!("a price of {told} is no multiple of {step}"))),
        }
    }
}

pub(super) fn unsound(what: &str) -> Error {
    Error::Venue {
        what: format!("a report of the venue cannot be booked: {what}"),
        cure: "stop trading there and compare its orders and fills with the run's".to_owned(),
    }
}
