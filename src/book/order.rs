//! The records of the slabs: orders and levels, 32 bytes each, two to a cache line.

use bytemuck::Zeroable;

use super::slab::{Linked, NIL};
use super::view::OrderView;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// The largest open quantity of one order, in quantity increments: 2^48 - 1.
///
/// Quantity and priority share 12 bytes of the order. 48 bits hold 2.8 million units at an
/// increment of 1e-8, and 281 thousand billion shares.
pub const ORDER_QTY_MAX: Qty = Qty((1 << 48) - 1);

/// The largest priority: enough for 8.9 years of a million orders a second.
pub(super) const PRIORITY_MAX: u64 = (1 << 48) - 1;

/// A resting order.
///
/// ```text
///  0          8         12         16     20     24      28         30          32
///  | order_id | qty low | prio low | next | prev | level | qty high | prio high |
/// ```
#[derive(Clone, Copy, Debug, Zeroable)]
#[repr(C, align(32))]
pub(super) struct Order {
    pub(super) order_id: OrderId,
    qty_low: u32,
    priority_low: u32,
    /// The order behind this one at its level; the next free record when this one is free.
    pub(super) next: u32,
    /// The order ahead of this one at its level.
    pub(super) prev: u32,
    /// The level that it rests at, which knows price, side and instrument; [`NIL`] for an order of
    /// the matcher's that rests nowhere, and when this one is free.
    pub(super) level: u32,
    qty_high: u16,
    priority_high: u16,
}

/// A price level: a queue of orders at one price on one side of one instrument.
#[derive(Clone, Copy, Debug, Zeroable)]
#[repr(C, align(32))]
pub(super) struct Level {
    pub(super) price: Price,
    /// Sum of its orders' open quantities, modulo 2^64.
    pub(super) qty: Qty,
    /// The order at the front.
    pub(super) head: u32,
    /// The order at the back.
    pub(super) tail: u32,
    /// Orders in the queue; the next free record when this one is free.
    pub(super) orders: u32,
    /// Instrument and side: `id * 2 + side`; [`NO_OWNER`] when this one is free.
    owner: u32,
}

/// The owner of a free level.
const NO_OWNER: u32 = u32::MAX;

const _: () = {
    assert!(size_of::<Order>() == 32);
    assert!(size_of::<Level>() == 32);
    assert!(crate::limits::INSTRUMENTS_MAX < 1 << 31);
};

impl Order {
    /// An order without level and neighbours; `qty` is at most [`ORDER_QTY_MAX`].
    #[inline(always)]
    pub(super) fn new(order_id: OrderId, qty: Qty, priority: u64) -> Self {
        let mut order = Self {
            order_id,
            qty_low: 0,
            priority_low: priority as u32,
            next: NIL,
            prev: NIL,
            level: NIL,
            qty_high: 0,
            priority_high: (priority >> 32) as u16,
        };
        order.set_qty(qty);
        order
    }

    /// The order at a level, behind another one; [`NIL`] for none.
    #[inline(always)]
    pub(super) fn behind(self, prev: u32, level: u32) -> Self {
        Self { prev, level, ..self }
    }

    /// Open quantity.
    #[inline(always)]
    pub(super) fn qty(&self) -> Qty {
        Qty(u64::from(self.qty_high) << 32 | u64::from(self.qty_low))
    }

    /// Sets the open quantity.
    #[inline(always)]
    pub(super) fn set_qty(&mut self, qty: Qty) {
        debug_assert!(qty <= ORDER_QTY_MAX);
        self.qty_low = qty.0 as u32;
        self.qty_high = (qty.0 >> 32) as u16;
    }

    /// The order as it rests at its level.
    #[inline(always)]
    pub(super) fn seen_at(&self, level: &Level) -> OrderView {
        OrderView {
            order_id: self.order_id,
            instrument: level.instrument(),
            side: level.side(),
            price: level.price,
            qty: self.qty(),
            priority: self.priority(),
        }
    }

    /// Whether it is in no book.
    #[inline(always)]
    pub(super) fn is_free(&self) -> bool {
        self.level == NIL
    }

    /// Place in time: smaller is earlier.
    #[inline(always)]
    pub(super) fn priority(&self) -> u64 {
        u64::from(self.priority_high) << 32 | u64::from(self.priority_low)
    }
}

impl Level {
    /// A level without orders.
    #[inline(always)]
    pub(super) fn new(instrument: InstrumentId, side: Side, price: Price) -> Self {
        let owner = owner(instrument, side);
        Self { price, qty: Qty(0), head: NIL, tail: NIL, orders: 0, owner }
    }

    /// Whether it is the live level of that price.
    #[inline(always)]
    pub(super) fn is_at(&self, instrument: InstrumentId, side: Side, price: Price) -> bool {
        self.price == price && self.owner == owner(instrument, side)
    }

    /// Says that it is no instrument's level any more.
    #[inline(always)]
    pub(super) fn disown(&mut self) {
        self.owner = NO_OWNER;
    }

    /// The instrument whose book it is in.
    #[inline(always)]
    pub(super) fn instrument(&self) -> InstrumentId {
        InstrumentId(self.owner >> 1)
    }

    /// The side that it is on.
    #[inline(always)]
    pub(super) fn side(&self) -> Side {
        if self.owner & 1 == Side::Buy.index() as u32 { Side::Buy } else { Side::Sell }
    }
}

/// An instrument and a side in 32 bits.
#[inline(always)]
fn owner(instrument: InstrumentId, side: Side) -> u32 {
    instrument.0 << 1 | side.index() as u32
}

impl Linked for Order {
    #[inline(always)]
    fn next(&self) -> u32 {
        self.next
    }

    #[inline(always)]
    fn set_free(&mut self, next: u32) {
        (self.next, self.level) = (next, NIL);
    }
}

impl Linked for Level {
    #[inline(always)]
    fn next(&self) -> u32 {
        self.orders
    }

    #[inline(always)]
    fn set_free(&mut self, next: u32) {
        self.orders = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantity_and_priority_keep_all_their_48_bits() {
        let mut order = Order::new(OrderId(u64::MAX), ORDER_QTY_MAX, (1 << 48) - 2);
        assert_eq!((order.qty(), order.priority()), (ORDER_QTY_MAX, (1 << 48) - 2));
        order.set_qty(Qty(1 << 32));
        assert_eq!((order.qty(), order.priority()), (Qty(1 << 32), (1 << 48) - 2));
    }

    #[test]
    fn a_level_knows_its_instrument_and_side() {
        for side in [Side::Buy, Side::Sell] {
            let level = Level::new(InstrumentId(65_535), side, Price(-1));
            assert_eq!((level.instrument(), level.side()), (InstrumentId(65_535), side));
        }
    }
}
