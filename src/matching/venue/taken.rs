//! What own orders took of real orders that the tape still shows.

use crate::units::{OrderId, Price, Qty, Side};

/// What was taken of a price level is kept under this number.
///
/// A feed that tells levels of an instrument names no orders of it.
pub(super) fn level_key(side: Side, price: Price) -> OrderId {
    OrderId(price.0.cast_unsigned() << 1 | side.index() as u64)
}

/// Shares taken by real order: the same liquidity is never consumed twice.
///
/// Few real orders are remembered at a time, so a sorted vector beats a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// By ascending order number.
    entries: Vec<(OrderId, Qty)>,
}

impl Taken {
    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Shares taken of a real order.
    pub(super) fn of(&self, order: OrderId) -> Qty {
        self.find(order).map_or(Qty(0), |index| self.entries[index].1)
    }

    /// What is left to take of a real order that shows `displayed`.
    pub(super) fn visible(&self, order: OrderId, displayed: Qty) -> Qty {
        Qty(displayed.0.saturating_sub(self.of(order).0))
    }

    /// Remembers that `qty` more was taken.
    pub(super) fn add(&mut self, order: OrderId, qty: Qty) {
        match self.find(order) {
            Ok(index) => self.entries[index].1.0 += qty.0,
            Err(_) if qty.0 == 0 => {}
            Err(index) => self.entries.insert(index, (order, qty)),
        }
    }

    /// The tape itself took `qty` off the order.
    pub(super) fn shrink(&mut self, order: OrderId, qty: Qty) {
        if let Ok(index) = self.find(order) {
            let taken = &mut self.entries[index].1;
            taken.0 = taken.0.saturating_sub(qty.0);
            if taken.0 == 0 {
                self.entries.remove(index);
            }
        }
    }

    /// Forgets an order and says what was taken of it.
    pub(super) fn forget(&mut self, order: OrderId) -> Qty {
        self.find(order).map_or(Qty(0), |index| self.entries.remove(index).1)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// All entries by ascending order number.
    pub(super) fn entries(&self) -> &[(OrderId, Qty)] {
        &self.entries
    }

    fn find(&self, order: OrderId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&order, |&(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tape_takes_was_ours_first() {
        let (order, mut taken) = (OrderId(7), Taken::default());
        taken.add(order, Qty(60));
        assert_eq!(taken.visible(order, Qty(100)), Qty(40));
        taken.shrink(order, Qty(50));
        assert_eq!(taken.visible(order, Qty(50)), Qty(40));
        taken.shrink(order, Qty(50));
        assert!(taken.is_empty());
    }
}
