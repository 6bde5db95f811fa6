//! One instrument's own orders: their queues, and what the tape does to them.

use super::order::{OpenOrder, OrderState, OwnOrder};
use super::taken::Taken;
use crate::book::{Change, ChangeKind, OrderView, Replica};
use crate::event::Liquidity;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// A fill that an own order got, before it is a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneFill {
    /// The order after the fill.
    pub(super) order: OwnOrder,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) contra: OrderId,
    pub(super) liquidity: Liquidity,
}

/// Which own orders a print of the tape reaches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// An execution of this order: own orders of its side that are ahead of it.
    Order(OrderView),
    /// Own orders of a side at this price or better.
    UpTo(Side, Price),
}

/// Own orders of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) instrument: InstrumentId,
    /// By side: best price first, then in order of arrival.
    pub(super) resting: [Vec<OwnOrder>; 2],
    /// Accepted while not trading, in order of arrival.
    pub(super) halted: Vec<OwnOrder>,
    pub(super) taken: Taken,
}

impl Lane {
    pub(super) fn new(instrument: InstrumentId) -> Self {
        Self { instrument, resting: [vec![], vec![]], halted: vec![], taken: Taken::default() }
    }

    /// Whether no event of the instrument can change anything here.
    pub(super) fn is_idle(&self) -> bool {
        self.resting.iter().all(Vec::is_empty) && self.halted.is_empty() && self.taken.is_empty()
    }

    /// Lets an order rest behind every displayed order at its price.
    pub(super) fn rest(&mut self, mut order: OwnOrder, replica: &Replica) {
        let (side, price) = (order.terms.side, order.terms.price);
        order.ahead = replica.level(self.instrument, side, price).qty;
        order.ahead_at_entry = order.ahead;
        order.priority = replica.next_priority();
        let queue = &mut self.resting[side.index()];
        let place = queue.partition_point(|other| !side.is_better(price, other.terms.price));
        queue.insert(place, order);
    }

    /// Takes an order out, wherever it is.
    pub(super) fn remove(&mut self, id: OrderId) -> Option<OwnOrder> {
        for queue in self.resting.iter_mut().chain([&mut self.halted]) {
            if let Some(index) = queue.iter().position(|order| order.id == id) {
                return Some(queue.remove(index));
            }
        }
        None
    }

    /// The order of a number, to be changed in place.
    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OwnOrder> {
        let queues = self.resting.iter_mut().chain([&mut self.halted]);
        queues.flatten().find(|order| order.id == id)
    }

    /// All orders, resting ones first.
    pub(super) fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        let resting = self.resting.iter().flatten();
        let halted = self.halted.iter();
        resting
            .map(|order| OpenOrder::of(order, OrderState::Resting))
            .chain(halted.map(|order| OpenOrder::of(order, OrderState::Halted)))
    }

    /// Keeps what is ahead of own orders, and what was taken, in step with the tape.
    pub(super) fn follow(&mut self, change: &Change) {
        let order = &change.order;
        match change.kind {
            ChangeKind::Executed | ChangeKind::Reduced | ChangeKind::Deleted => {
                self.leave_ahead(order, change.qty);
                self.taken.shrink(order.order_id, change.qty);
                if change.left_book {
                    self.taken.forget(order.order_id);
                }
            }
            ChangeKind::Replaced | ChangeKind::Modified => {
                let Some(new) = &change.new else { return };
                let kept_place = new.price == order.price && new.priority == order.priority;
                let cut = order.qty.0.saturating_sub(new.qty.0);
                self.leave_ahead(order, if kept_place { Qty(cut) } else { order.qty });
                let taken = self.taken.forget(order.order_id);
                self.taken.add(new.order_id, Qty(taken.0.saturating_sub(cut)));
            }
            ChangeKind::Cleared => {
                self.taken.clear();
                self.resting.iter_mut().flatten().for_each(|own| own.ahead = Qty(0));
            }
            ChangeKind::None | ChangeKind::Added | ChangeKind::Unknown => {}
        }
    }

    /// `qty` of a real order left the queue at its price.
    fn leave_ahead(&mut self, order: &OrderView, qty: Qty) {
        let is_behind =
            |own: &&mut OwnOrder| own.terms.price == order.price && order.priority < own.priority;
        for own in self.resting[order.side.index()].iter_mut().filter(is_behind) {
            debug_assert!(own.ahead >= qty, "more left the queue than was ahead");
            own.ahead.0 = own.ahead.0.saturating_sub(qty.0);
        }
    }

    /// Fills resting own orders at their price from `shares` of one record; says what was used.
    pub(super) fn fill_passively(
        &mut self,
        reach: Reach,
        shares: Qty,
        contra: OrderId,
        fills: &mut Vec<LaneFill>,
    ) -> Qty {
        let side = match reach {
            Reach::Order(order) => order.side,
            Reach::UpTo(side, _) => side,
        };
        let mut left = shares.0;
        for own in &mut self.resting[side.index()] {
            let is_reached = match reach {
                Reach::Order(order) => {
                    side.is_better(own.terms.price, order.price)
                        || (own.terms.price == order.price && own.priority <= order.priority)
                }
                Reach::UpTo(_, price) => !side.is_better(price, own.terms.price),
            };
            // Orders stand by priority: whom this record does not reach, it reaches none behind.
            if left == 0 || !is_reached {
                break;
            }
            let qty = own.leaves().0.min(left);
            left -= qty;
            own.cum.0 += qty;
            let (price, liquidity) = (own.terms.price, Liquidity::Maker);
            fills.push(LaneFill { order: *own, price, qty: Qty(qty), contra, liquidity });
        }
        if left < shares.0 {
            self.drop_filled();
        }
        Qty(shares.0 - left)
    }

    /// Fills own orders better than a cross's price at that price, `shares` at most in all.
    pub(super) fn fill_in_cross(&mut self, price: Price, shares: Qty, fills: &mut Vec<LaneFill>) {
        let mut left = shares.0;
        for side in [Side::Buy, Side::Sell] {
            let resting = self.resting[side.index()].iter_mut();
            let halted = self.halted.iter_mut().filter(|own| own.terms.side == side);
            let is_better = |own: &&mut OwnOrder| side.is_better(own.terms.price, price);
            for own in resting.chain(halted).filter(is_better) {
                let qty = own.leaves().0.min(left);
                if qty == 0 {
                    break;
                }
                left -= qty;
                own.cum.0 += qty;
                let (contra, liquidity) = (OrderId(0), Liquidity::Auction);
                fills.push(LaneFill { order: *own, price, qty: Qty(qty), contra, liquidity });
            }
        }
        self.drop_filled();
    }

    fn drop_filled(&mut self) {
        for queue in self.resting.iter_mut().chain([&mut self.halted]) {
            queue.retain(|own| own.leaves().0 > 0);
        }
    }

    /// Shares that an order could take at once, counted up to its own.
    pub(super) fn takeable(&self, order: &OwnOrder, replica: &Replica) -> Qty {
        let wanted = order.leaves().0;
        let mut found = 0;
        for real in reachable(self.instrument, order, replica) {
            found += self.taken.visible(real.order_id, real.qty).0;
            if found >= wanted {
                return Qty(wanted);
            }
        }
        Qty(found)
    }

    /// Takes displayed shares front to back, up to what the order wants.
    pub(super) fn take(
        &mut self,
        order: &mut OwnOrder,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) {
        for real in reachable(self.instrument, order, replica) {
            let qty = self.taken.visible(real.order_id, real.qty).0.min(order.leaves().0);
            if qty == 0 {
                continue;
            }
            order.cum.0 += qty;
            self.taken.add(real.order_id, Qty(qty));
            fills.push(LaneFill {
                order: *order,
                price: real.price,
                qty: Qty(qty),
                contra: real.order_id,
                liquidity: Liquidity::Taker,
            });
            if order.leaves().0 == 0 {
                break;
            }
        }
    }
}

/// Real orders of the other side that an order's limit reaches, best price first, front to back.
fn reachable<'a>(
    instrument: InstrumentId,
    order: &OwnOrder,
    replica: &'a Replica,
) -> impl Iterator<Item = OrderView> + use<'a> {
    let (side, limit) = (order.terms.side, order.terms.price);
    let other = side.opposite();
    replica
        .levels(instrument, other)
        .take_while(move |level| !side.is_better(level.price, limit))
        .flat_map(move |level| replica.queue(instrument, other, level.price))
}
