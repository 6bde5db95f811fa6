//! Orders that are good until a time, of their own or of their session.

use super::super::expiry::reason_of;
use super::order::OwnOrder;
use super::simulated::Venue;
use crate::event::{Execution, ExecutionKind};
use crate::units::{InstrumentId, Nanos, OrderId};

/// Orders that will expire, by time, then number. Few at a time: a sorted row.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    row: Vec<(Nanos, OrderId, InstrumentId)>,
}

impl Expiries {
    pub(super) fn first(&self) -> Option<Nanos> {
        self.row.first().map(|&(due, ..)| due)
    }

    /// An order has come, which may be good until a time.
    pub(super) fn note(&mut self, order: &OwnOrder) {
        let due = order.expire_ts;
        if due.0 != 0 {
            let entry = (due, order.id, order.terms.instrument);
            let place = self.row.partition_point(|other| *other < entry);
            self.row.insert(place, entry);
        }
    }

    /// An order has gone.
    pub(super) fn forget(&mut self, order_id: OrderId) {
        self.row.retain(|&(_, id, _)| id != order_id);
    }
}

impl Venue {
    /// Lets the first order expire that is due by `until` and whose instrument is ready; says when
    /// it was due.
    pub(super) fn expire(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        is_ready: impl Fn(InstrumentId) -> bool,
        out: &mut Vec<Execution>,
    ) -> Option<Nanos> {
        let mut due = self.expiries.row.iter().take_while(|(due, ..)| *due <= until);
        let &(due, order_id, _) = due.find(|&&(.., instrument)| is_ready(instrument))?;
        let order = self.remove(order_id)?;
        let reason = reason_of(order.terms.time_in_force);
        out.push(order.ended(ExecutionKind::Expired, ts_event, reason));
        Some(due)
    }
}
