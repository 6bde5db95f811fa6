//! Orders whose time ends: at a time of their own, with the hours of their instrument, and at the
//! end of the day.

use super::heap::Entry;
use super::matcher::Matcher;
use crate::event::{Execution, ExecutionKind, Reason, TimeInForce};
use crate::units::{InstrumentId, Nanos, OrderId};

/// A key that sorts as the time does.
fn key(expire_ts: Nanos) -> i64 {
    (expire_ts.0 ^ 1 << 63).cast_signed()
}

/// Why an order expires at its time: that is its own, or that of its day's end.
pub(super) fn reason_of(time_in_force: TimeInForce) -> Reason {
    match time_in_force {
        TimeInForce::Gtd => Reason::Expired,
        _ => Reason::EndOfDay,
    }
}

impl Matcher {
    /// Lets every order expire that is due, by time, then number.
    #[inline(never)]
    pub(super) fn expire(&mut self, out: &mut Vec<Execution>) {
        while let Some(&Entry { handle, .. }) = self.expiries.first()
            && self.next_expiry <= self.now
        {
            let reason = reason_of(self.terms[handle].codes.time_in_force());
            self.end(handle, ExecutionKind::Expired, reason, out);
        }
    }

    /// An order is to expire.
    pub(super) fn note_expiry(&mut self, handle: u32, expire_ts: Nanos, order_id: OrderId) {
        let Self { expiries, terms, extras, .. } = self;
        let entry = Entry { key: key(expire_ts), tie: order_id.0, handle };
        expiries.insert(entry, |handle, place| extras[terms[handle].extra].expiry_at = place);
        self.set_next_expiry();
    }

    /// The order at a place of the heap leaves.
    pub(super) fn forget_expiry(&mut self, place: u32) {
        let Self { expiries, terms, extras, .. } = self;
        expiries.remove(place, |handle, place| extras[terms[handle].extra].expiry_at = place);
        self.set_next_expiry();
    }

    fn set_next_expiry(&mut self) {
        let first = self.expiries.first();
        let at = first.map(|entry| self.extras[self.terms[entry.handle].extra].expire_ts);
        self.next_expiry = at.map_or(u64::MAX, |at| at.0);
    }

    /// Ends the session of an instrument: day, opening and closing orders expire.
    pub(super) fn end_day(&mut self, instrument: InstrumentId, out: &mut Vec<Execution>) {
        self.lane_mut(instrument).opening_over_until = 0;
        let mut orders = std::mem::take(&mut self.scratch.orders);
        self.list_orders(instrument, &mut orders);
        orders.retain(|&(_, handle)| {
            matches!(
                self.terms[handle].codes.time_in_force(),
                TimeInForce::Day | TimeInForce::Opening | TimeInForce::Closing
            )
        });
        orders.sort_unstable();
        for &(_, handle) in &orders {
            self.end(handle, ExecutionKind::Expired, Reason::EndOfDay, out);
        }
        orders.clear();
        self.scratch.orders = orders;
    }
}
