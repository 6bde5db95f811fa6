//! Loads for looking ahead in a store: each brings one link of the chain that a command follows
//! into the cache, and gives a number to feed to a sum.
//!
//! They take any number and decide nothing, so that no branch waits for what is loaded.

use super::store::{BookId, OrderStore};
use crate::units::{OrderId, Side};

impl OrderStore {
    /// Whether nothing has rested yet: then nothing can be looked at.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        self.books.orders.is_untouched() || self.books.levels.is_untouched()
    }

    /// The handle in the slot where the index looks first, which may be another order's or none.
    #[inline]
    pub(crate) fn home_handle(&self, order_id: OrderId) -> u32 {
        self.books.index.load_home(order_id) as u32
    }

    /// Both cache lines of a book.
    #[inline]
    pub(crate) fn load_book(&self, book: BookId) -> u64 {
        let book = self.books.book(book.0);
        book.map_or(0, |book| book.best[0].qty.0 ^ u64::from(book.state))
    }

    /// The rung at the touch.
    #[inline]
    pub(crate) fn load_best(&self, book: BookId, side: Side) -> u64 {
        let best = self.books.book(book.0).and_then(|book| book.ladder(side).best());
        best.map_or(0, u64::from)
    }

    /// The order of a handle.
    #[inline]
    pub(crate) fn load_order(&self, handle: u32) -> u64 {
        self.books.orders.near(handle).order_id.0
    }

    /// The level of an order, and the orders before and behind it.
    #[inline]
    pub(crate) fn load_neighbours(&self, handle: u32) -> u64 {
        let orders = &self.books.orders;
        let order = orders.near(handle);
        let level = self.books.levels.near(order.level).qty.0;
        level ^ orders.near(order.prev).order_id.0 ^ orders.near(order.next).order_id.0
    }
}
