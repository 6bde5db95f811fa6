//! What the tape displays and own orders have not taken yet.

use super::lane::{Lane, LaneFill};
use super::order::OwnOrder;
use super::taken::level_key;
use crate::book::{LevelView, OrderView, Replica};
use crate::event::Liquidity;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Displayed shares of one owner: a real order, or a level of a feed that names no orders.
#[derive(Clone, Copy, Debug)]
struct Displayed {
    /// Under which it is remembered what was taken.
    key: OrderId,
    /// The real order; 0 when it is not known.
    order_id: OrderId,
    price: Price,
    qty: Qty,
}

impl Displayed {
    fn of_order(order: OrderView) -> Self {
        let OrderView { order_id, price, qty, .. } = order;
        Self { key: order_id, order_id, price, qty }
    }

    fn of_level(side: Side, level: LevelView) -> Self {
        let LevelView { price, qty, .. } = level;
        Self { key: level_key(side, price), order_id: OrderId(0), price, qty }
    }
}

impl Lane {
    /// Shares that an order could take at once, counted up to its own.
    pub(super) fn takeable(&self, order: &OwnOrder, replica: &Replica) -> Qty {
        let wanted = order.leaves().0;
        let mut found = 0;
        for real in reachable(self.instrument, order, replica) {
            found += self.taken.visible(real.key, real.qty).0;
            if found >= wanted {
                return Qty(wanted);
            }
        }
        Qty(found)
    }

    /// The best price at which a side has shares left to take.
    pub(super) fn best_visible(&self, side: Side, replica: &Replica) -> Option<Price> {
        displayed(self.instrument, side, replica)
            .find(|real| self.taken.visible(real.key, real.qty).0 > 0)
            .map(|real| real.price)
    }

    /// Takes displayed shares front to back, up to what the order wants.
    pub(super) fn take(
        &mut self,
        order: &mut OwnOrder,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) {
        for real in reachable(self.instrument, order, replica) {
            let qty = self.taken.visible(real.key, real.qty).0.min(order.leaves().0);
            if qty == 0 {
                continue;
            }
            order.cum.0 += qty;
            self.taken.add(real.key, Qty(qty));
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

/// What the other side displays within an order's bound, best price first, front to back.
fn reachable<'a>(
    instrument: InstrumentId,
    order: &OwnOrder,
    replica: &'a Replica,
) -> impl Iterator<Item = Displayed> + use<'a> {
    let (side, bound) = (order.terms.side, order.terms.bound());
    displayed(instrument, side.opposite(), replica)
        .take_while(move |real| !side.is_better(real.price, bound))
}

/// What a side displays, best price first, front to back.
fn displayed(
    instrument: InstrumentId,
    side: Side,
    replica: &Replica,
) -> impl Iterator<Item = Displayed> + use<'_> {
    replica.levels(instrument, side).flat_map(move |level| {
        let mut orders = replica.queue(instrument, side, level.price).peekable();
        // A level without orders stands as one.
        let told = orders.peek().is_none().then(|| Displayed::of_level(side, level));
        told.into_iter().chain(orders.map(Displayed::of_order))
    })
}
