//! Continuous matching: an incoming order against the orders that rest.
//!
//! ```text
//!   at a price:   displayed queue, front to back     hidden queue, front to back     next price
//!                 an iceberg that is used up comes
//!                 back at the end, from its reserve
//! ```

use super::hand::{InHand, Match, Owner, Shown};
use super::matcher::Matcher;
use super::stops::Traded;
use crate::book::{BookId, NIL};
use crate::event::{Execution, Liquidity, SelfTrade};
use crate::units::{InstrumentId, Price, Qty, Side};

use super::config::Allocation;

/// How the matching of an incoming order went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sweep {
    /// The prices that it traded at.
    pub(super) traded: Option<Traded>,
    /// Whether self-trade prevention ended the order.
    pub(super) is_prevented: bool,
}

impl Sweep {
    /// Takes note of a trade; prices come best first, so the ends are the first and the last.
    #[inline]
    pub(super) fn note(&mut self, price: Price) {
        self.traded = Some(Traded::and(self.traded, price));
    }
}

impl Matcher {
    /// The queue that is matched next on a side, and its price.
    #[inline]
    pub(super) fn best_queue(
        &self,
        instrument: InstrumentId,
        side: Side,
    ) -> Option<(BookId, Price)> {
        let displayed = BookId::displayed(instrument);
        let best = self.books.best(displayed, side);
        let shown = (best.qty.0 != 0).then_some((displayed, best.price));
        if self.lane(instrument).hidden[side.index()] == 0 {
            return shown;
        }
        let hidden = BookId::hidden(instrument);
        let price = self.books.best(hidden, side).price;
        Some(shown.filter(|&(_, best)| !side.is_better(price, best)).unwrap_or((hidden, price)))
    }

    /// The queue that an order of the other side with this limit would meet next.
    #[inline]
    fn next_queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        bound: Price,
    ) -> Option<(BookId, Price)> {
        self.best_queue(instrument, side).filter(|&(_, price)| !side.is_better(bound, price))
    }

    /// Lets an order take what it can within its bound.
    pub(super) fn take(
        &mut self,
        order: &mut InHand,
        bound: Price,
        out: &mut Vec<Execution>,
    ) -> Sweep {
        let Shown { instrument, side, .. } = order.shown;
        let resting = side.opposite();
        let mut sweep = Sweep::default();
        while order.shown.leaves.0 > 0 {
            let Some((book, price)) = self.next_queue(instrument, resting, bound) else { break };
            if let Allocation::ProRata { top } = self.config.allocation
                && !book.is_hidden()
            {
                self.share(order, price, top, &mut sweep, out);
            } else {
                let maker = self.books.front(book, resting);
                if self.is_own(order, maker) {
                    self.prevent(order, maker, &mut sweep, out);
                } else {
                    let qty = order.shown.leaves.min(self.books.qty(maker));
                    self.trade(&mut order.shown, maker, price, qty, out);
                    sweep.note(price);
                }
            }
            if sweep.is_prevented {
                break;
            }
        }
        if let Some(traded) = sweep.traded {
            // The last trade is the farthest from the touch.
            let last = if side == Side::Buy { traded.high } else { traded.low };
            self.lane_mut(instrument).last_price = Some(last);
        }
        sweep
    }

    /// One match at a resting order's price; the resting order is reduced, refilled or removed.
    #[inline]
    pub(super) fn trade(
        &mut self,
        taker: &mut Shown,
        maker: u32,
        price: Price,
        qty: Qty,
        out: &mut Vec<Execution>,
    ) {
        debug_assert!(qty.0 > 0, "a match has a quantity");
        let left = self.books.qty(maker).0 - qty.0;
        let terms = &mut self.terms[maker];
        terms.add_cum(qty);
        let terms = *terms;
        let reserve =
            if terms.codes.is_iceberg() { self.extras[terms.extra].reserve } else { Qty(0) };
        let resting = Shown {
            order_id: self.books.order_id(maker),
            account: terms.account,
            instrument: taker.instrument,
            side: taker.side.opposite(),
            price,
            leaves: Qty(left + reserve.0),
            cum: terms.cum(),
        };
        taker.leaves.0 -= qty.0;
        taker.cum.0 += qty.0;
        self.matches += 1;
        let fill = Match {
            match_id: self.matches,
            price,
            qty,
            contra: taker.order_id,
            liquidity: Liquidity::Maker,
        };
        out.push(resting.filled(&fill, self.now));
        let taken = Match { contra: resting.order_id, liquidity: Liquidity::Taker, ..fill };
        out.push(taker.filled(&taken, self.now));
        if left > 0 {
            self.books.reduce_resting(maker, qty);
        } else if reserve.0 > 0 {
            self.refill(maker);
        } else {
            self.drop_filled(maker);
        }
    }

    /// Takes out an order that is filled.
    #[inline]
    fn drop_filled(&mut self, handle: u32) {
        let found = self.books.find(self.books.order_id(handle)).expect("a resting order lives");
        let terms = &self.terms[handle];
        if terms.extra == NIL && !terms.codes.is_hidden() {
            self.books.remove_resting(found);
        } else {
            self.take_out(found);
        }
    }

    /// An iceberg whose displayed part is used up shows the next one at the back of its queue.
    #[inline(never)]
    pub(super) fn refill(&mut self, handle: u32) {
        let extra = &mut self.extras[self.terms[handle].extra];
        let shown = extra.display.min(extra.reserve);
        debug_assert!(shown.0 > 0, "a refill comes from a reserve");
        extra.reserve.0 -= shown.0;
        self.books.requeue(handle, shown);
    }

    /// Whom a live order belongs to.
    pub(super) fn owner(&self, handle: u32) -> Owner {
        let terms = &self.terms[handle];
        let group = if terms.extra == NIL { 0 } else { self.extras[terms.extra].group };
        Owner::new(terms.account, group)
    }

    /// Whether self-trade prevention keeps an incoming order from trading with this one.
    #[inline]
    pub(super) fn is_own(&self, order: &InHand, resting: u32) -> bool {
        order.codes.self_trade() != SelfTrade::None && self.owner(resting) == order.owner()
    }

    /// Whether at least `wanted` rests within an order's bound, hidden and reserve counted, orders
    /// that self-trade prevention would keep off not.
    pub(super) fn is_fillable(&self, order: &InHand, bound: Price, wanted: Qty) -> bool {
        let Shown { instrument, side, .. } = order.shown;
        let resting = side.opposite();
        let mut found = 0_u64;
        for book in [BookId::displayed(instrument), BookId::hidden(instrument)] {
            let levels = self.books.levels(book, resting);
            for (_, front) in levels.take_while(|(level, _)| !resting.is_better(bound, level.price))
            {
                let mut handle = front;
                while handle != NIL {
                    if !self.is_own(order, handle) {
                        found = found.saturating_add(self.leaves(handle).0);
                        if found >= wanted.0 {
                            return true;
                        }
                    }
                    handle = self.books.next(handle);
                }
            }
        }
        found >= wanted.0
    }

    /// Open quantity of a live order, an iceberg's reserve included.
    #[inline]
    pub(super) fn leaves(&self, handle: u32) -> Qty {
        let terms = &self.terms[handle];
        let shown = self.books.qty(handle).0;
        if terms.codes.is_iceberg() {
            Qty(shown + self.extras[terms.extra].reserve.0)
        } else {
            Qty(shown)
        }
    }
}
