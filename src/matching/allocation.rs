//! Pro-rata: an incoming order shared among the displayed orders at a price.

use super::cross::Sweep;
use super::hand::InHand;
use super::matcher::Matcher;
use crate::book::{BookId, NIL};
use crate::event::{Execution, SelfTrade};
use crate::units::{Price, Qty};

impl Matcher {
    /// Goes once through the displayed queue at a price, the best one.
    ///
    /// Self-trade prevention comes first, front to back. Then the front order if `top`, then
    /// everyone who can be filled, or a share for everyone; an iceberg that is used up comes back
    /// at the end of the queue and has its turn when the level is gone through again.
    pub(super) fn share(
        &mut self,
        order: &mut InHand,
        price: Price,
        top: bool,
        sweep: &mut Sweep,
        out: &mut Vec<Execution>,
    ) {
        self.prevent_all(order, sweep, out);
        let side = order.shown.side.opposite();
        let book = BookId::displayed(order.shown.instrument);
        let level = self.books.level(book, side, price);
        if sweep.is_prevented || level.orders == 0 {
            return;
        }
        self.allot(order, self.books.front_at(book, side, price), level.qty, top);
        let mut shares = std::mem::take(&mut self.scratch.shares);
        for &(maker, qty) in shares.iter().filter(|(_, qty)| qty.0 > 0) {
            self.trade(&mut order.shown, maker, price, qty, out);
            sweep.note(price);
        }
        shares.clear();
        self.scratch.shares = shares;
    }

    /// Works out what each order of a queue gets, in queue order.
    fn allot(&mut self, order: &InHand, front: u32, total: Qty, top: bool) {
        let mut incoming = order.shown.leaves;
        let mut total = total;
        let lot = self.lane(order.shown.instrument).rules.lot.0;
        let shares = &mut self.scratch.shares;
        debug_assert!(shares.is_empty(), "shares are worked out one level at a time");
        let mut handle = front;
        if top {
            let open = self.books.qty(front);
            let share = incoming.min(open);
            shares.push((front, share));
            incoming.0 -= share.0;
            total.0 -= open.0;
            handle = self.books.next(front);
        }
        let mut left = incoming.0;
        while handle != NIL {
            let open = self.books.qty(handle);
            let share = if incoming >= total { open } else { share_of(incoming, open, total, lot) };
            left -= share.0;
            shares.push((handle, share));
            handle = self.books.next(handle);
        }
        for (handle, share) in shares.iter_mut().skip(usize::from(top)) {
            let more = left.min(self.books.qty(*handle).0 - share.0);
            share.0 += more;
            left -= more;
        }
    }

    /// Self-trade prevention against every order of the queue at the front.
    fn prevent_all(&mut self, order: &mut InHand, sweep: &mut Sweep, out: &mut Vec<Execution>) {
        if order.codes.self_trade() == SelfTrade::None {
            return;
        }
        let side = order.shown.side.opposite();
        let mut handle = self.books.front(BookId::displayed(order.shown.instrument), side);
        while handle != NIL && !sweep.is_prevented {
            let next = self.books.next(handle);
            if self.is_own(order, handle) {
                self.prevent(order, handle, sweep, out);
            }
            handle = next;
        }
    }
}

/// An order's part of what comes in, in whole lots.
fn share_of(incoming: Qty, open: Qty, total: Qty, lot: u64) -> Qty {
    let lots = u128::from(incoming.0) * u128::from(open.0) / u128::from(total.0) / u128::from(lot);
    // Less than `open`, as less than `total` comes in.
    Qty((lots as u64) * lot)
}
