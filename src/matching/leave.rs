//! Orders that leave, in whole or in part.

use super::hand::{InHand, Shown};
use super::matcher::Matcher;
use super::terms::{Berth, Extra};
use crate::book::{Found, NIL};
use crate::event::{Execution, ExecutionKind, Reason};
use crate::units::{InstrumentId, Qty};

impl Matcher {
    /// What a record about a live order shows.
    pub(super) fn shown(&self, handle: u32) -> Shown {
        let terms = &self.terms[handle];
        let (instrument, side, price) = match self.books.place(handle) {
            Some(place) => (place.book.instrument(), place.side, place.price),
            None => {
                let extra = &self.extras[terms.extra];
                (extra.instrument, extra.side, extra.price)
            }
        };
        Shown {
            order_id: self.books.order_id(handle),
            account: terms.account,
            instrument,
            side,
            price,
            leaves: self.leaves(handle),
            cum: terms.cum(),
        }
    }

    /// The instrument of a live order.
    #[inline]
    pub(super) fn instrument_of(&self, handle: u32) -> InstrumentId {
        match self.books.place(handle) {
            Some(place) => place.book.instrument(),
            None => self.extras[self.terms[handle].extra].instrument,
        }
    }

    /// A live order with all its terms, as it is.
    pub(super) fn look(&self, handle: u32) -> InHand {
        let shown = self.shown(handle);
        let terms = &self.terms[handle];
        let extra = match terms.extra {
            NIL => Extra { price: shown.price, ..Extra::none(shown.instrument, shown.side) },
            at => self.extras[at],
        };
        InHand { shown, codes: terms.codes, extra }
    }

    /// Takes a live order out of wherever it is.
    pub(super) fn take_out(&mut self, found: Found) -> InHand {
        let handle = found.handle;
        let order = self.look(handle);
        let InHand { shown, codes, extra } = order;
        let at = self.terms[handle].extra;
        if at != NIL {
            if extra.expire_ts.0 != 0 {
                self.forget_expiry(extra.expiry_at);
            }
            self.leave_berth(handle, &order);
            self.extras.remove(at);
        }
        if extra.berth == Berth::Book {
            let lane = self.lane_mut(shown.instrument);
            lane.hidden[shown.side.index()] -= u32::from(codes.is_hidden());
            lane.icebergs -= u32::from(codes.is_iceberg());
        }
        self.books.remove(found);
        self.disturb(shown.instrument);
        InHand { extra: Extra { expiry_at: NIL, stop_at: NIL, ..extra }, ..order }
    }

    /// Takes a parked order out of its heap or list.
    fn leave_berth(&mut self, handle: u32, order: &InHand) {
        match order.extra.berth {
            Berth::Book => {}
            Berth::Stop | Berth::Trailing => {
                self.unpend(handle, order);
                self.lane_mut(order.shown.instrument).stops -= 1;
            }
            Berth::Triggered => self.lane_mut(order.shown.instrument).stops -= 1,
            Berth::Pool(pool) => self.leave_pool(handle, order.shown.instrument, pool),
        }
    }

    /// Ends a live order and tells of it.
    #[inline]
    pub(super) fn end(
        &mut self,
        handle: u32,
        kind: ExecutionKind,
        reason: Reason,
        out: &mut Vec<Execution>,
    ) {
        let found = self.books.find(self.books.order_id(handle)).expect("a live order");
        self.end_found(found, kind, reason, out);
    }

    /// Ends a live order that was just found, and tells of it.
    #[inline]
    pub(super) fn end_found(
        &mut self,
        found: Found,
        kind: ExecutionKind,
        reason: Reason,
        out: &mut Vec<Execution>,
    ) {
        let terms = &self.terms[found.handle];
        if terms.extra == NIL && !terms.codes.is_hidden() && self.calls == 0 {
            out.push(self.shown(found.handle).ended(kind, reason, self.now));
            self.books.remove_resting(found);
        } else {
            let order = self.take_out(found);
            out.push(order.shown.ended(kind, reason, self.now));
        }
    }

    /// Takes quantity off a live order and tells of it; an order with no more than that ends.
    ///
    /// An iceberg loses its reserve first. The order keeps its place.
    pub(super) fn take_off(
        &mut self,
        handle: u32,
        qty: Qty,
        reason: Reason,
        out: &mut Vec<Execution>,
    ) {
        if qty >= self.leaves(handle) {
            self.end(handle, ExecutionKind::Cancelled, reason, out);
            return;
        }
        self.shrink(handle, qty);
        out.push(self.shown(handle).record(ExecutionKind::Reduced, qty, reason, self.now));
    }

    /// Takes quantity off a live order that has more.
    pub(super) fn shrink(&mut self, handle: u32, qty: Qty) {
        let mut shown = qty;
        let at = self.terms[handle].extra;
        if at != NIL {
            let reserve = &mut self.extras[at].reserve;
            let hidden = qty.min(*reserve);
            reserve.0 -= hidden.0;
            shown.0 -= hidden.0;
        }
        if shown.0 > 0 {
            self.books.reduce(handle, shown);
        }
        if self.calls > 0 {
            self.disturb(self.shown(handle).instrument);
        }
    }

    /// Takes note that an open call may have another indicative result.
    #[inline]
    pub(super) fn disturb(&mut self, instrument: InstrumentId) {
        if self.calls == 0 {
            return;
        }
        let lane = self.lane_mut(instrument);
        if lane.is_call && !lane.is_disturbed {
            lane.is_disturbed = true;
            self.disturbed.push(instrument);
        }
    }
}
