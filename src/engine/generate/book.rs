//! The generator's own lean books: just enough to know the touch and who is first in each queue.
//!
//! A ladder keeps prices as *keys* that grow with the price's priority (the price itself for bids,
//! its complement for offers), so that both sides share one code: the touch is the last level, and
//! one tick up is one tick more aggressive.

use bytemuck::Zeroable;

use crate::book::{Linked, NIL, Slab};
use crate::processor::prefetch_at;
use crate::units::Side;

/// Names an order among [`Orders`].
pub(super) type Handle = u32;

/// The orders of all books.
pub(super) type Orders = Slab<Order>;

/// A displayed order.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) key: u32,
    pub(super) qty: u32,
    prev: Handle,
    next: Handle,
    /// Where it is among the stock's orders by arrival.
    pub(super) place: u32,
    is_buy: bool,
    /// A stub quote, which stays all day.
    pub(super) is_stub: bool,
}

/// A price level: its orders in the order of their arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) key: u32,
    pub(super) head: Handle,
    pub(super) tail: Handle,
}

/// One side of a book, worst price first.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    levels: Vec<Level>,
    /// Key of the best level, 0 when there is none; beside the levels because most steps want no
    /// more of them.
    best_key: u32,
}

/// The key of a price on a side, and the price of a key.
#[inline]
pub(super) fn key_of(side: Side, price: u32) -> u32 {
    match side {
        Side::Buy => price,
        Side::Sell => !price,
    }
}

impl Order {
    #[inline]
    pub(super) fn new(id: u64, side: Side, price: u32, qty: u32) -> Self {
        let key = key_of(side, price);
        let is_buy = side == Side::Buy;
        Self { id, key, qty, prev: NIL, next: NIL, place: 0, is_buy, is_stub: false }
    }

    #[inline]
    pub(super) fn side(&self) -> Side {
        if self.is_buy { Side::Buy } else { Side::Sell }
    }

    #[inline]
    pub(super) fn price(&self) -> u32 {
        key_of(self.side(), self.key)
    }
}

impl Linked for Order {
    #[inline(always)]
    fn next(&self) -> u32 {
        self.next
    }

    #[inline(always)]
    fn set_free(&mut self, next: u32) {
        self.next = next;
    }
}

impl Level {
    /// Whether it holds one order only.
    #[inline]
    pub(super) fn is_single(&self) -> bool {
        self.head == self.tail
    }
}

impl Ladder {
    #[inline]
    pub(super) fn best(&self) -> Option<&Level> {
        self.levels.last()
    }

    #[inline]
    pub(super) fn best_key(&self) -> Option<u32> {
        (self.best_key != 0).then_some(self.best_key)
    }

    /// Asks for the memory of the best levels, and of those that a search for another looks at
    /// first.
    #[inline]
    pub(super) fn prefetch(&self) {
        let levels = self.levels.len();
        prefetch_at(&self.levels, levels.wrapping_sub(1));
        prefetch_at(&self.levels, levels / 2);
        prefetch_at(&self.levels, levels / 4 * 3);
    }

    /// Where a key's level is, or where it belongs.
    #[inline]
    fn find(&self, key: u32) -> Result<usize, usize> {
        const NEAR: usize = 8;
        let len = self.levels.len();
        let near = len.saturating_sub(NEAR);
        for index in (near..len).rev() {
            let there = self.levels[index].key;
            if there <= key {
                return if there == key { Ok(index) } else { Err(index + 1) };
            }
        }
        self.levels[..near].binary_search_by_key(&key, |level| level.key)
    }

    /// Puts an order at the back of its queue.
    // WHY always: as `Market::insert`, whose order this is.
    #[inline(always)]
    pub(super) fn insert(&mut self, orders: &mut Orders, order: Order) -> Handle {
        let handle = orders.insert(order);
        match self.find(order.key) {
            Ok(index) => {
                let level = &mut self.levels[index];
                orders[level.tail].next = handle;
                orders[handle].prev = level.tail;
                level.tail = handle;
            }
            Err(index) => {
                let level = Level { key: order.key, head: handle, tail: handle };
                self.levels.insert(index, level);
                self.best_key = self.best_key.max(order.key);
            }
        }
        handle
    }

    /// Takes an order out.
    #[inline]
    pub(super) fn remove(&mut self, orders: &mut Orders, handle: Handle) -> Order {
        let order = orders[handle];
        if order.prev != NIL {
            orders[order.prev].next = order.next;
        }
        if order.next != NIL {
            orders[order.next].prev = order.prev;
        }
        if order.prev == NIL || order.next == NIL {
            self.move_end(&order);
        }
        orders.remove(handle);
        order
    }

    /// Moves the end of a queue past an order that was first or last in it; one that was both takes
    /// its level along.
    #[inline]
    fn move_end(&mut self, order: &Order) {
        let index = self.find(order.key).expect("a resting order has a level");
        let level = &mut self.levels[index];
        match (order.prev, order.next) {
            (NIL, NIL) => {
                self.levels.remove(index);
                self.best_key = self.levels.last().map_or(0, |level| level.key);
            }
            (NIL, next) => level.head = next,
            (prev, _) => level.tail = prev,
        }
    }
}
