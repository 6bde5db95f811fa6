//! Looking ahead in a store: each call asks for one link of the chain that a command follows.
//!
//! They take any number and change nothing.

use super::store::{BookId, OrderStore};
use crate::units::{OrderId, Side};

impl OrderStore {
    /// Asks for the bucket of an order's number and for a book.
    #[inline]
    pub(crate) fn look_at_number(&self, order_id: OrderId, book: BookId) {
        self.books.index.prefetch(order_id);
        if let Some(book) = self.books.book(book.0) {
            book.prefetch();
        }
    }

    /// Probably the handle of an order, which is asked for; or any other handle.
    #[inline]
    pub(crate) fn look_at_order(&self, order_id: OrderId) -> u32 {
        let handle = self.books.index.peek(order_id);
        self.books.orders.prefetch(handle);
        handle
    }

    /// Asks for the rung at the touch.
    #[inline]
    pub(crate) fn look_at_touch(&self, book: BookId, side: Side) {
        if let Some(book) = self.books.book(book.0) {
            book.ladder(side).prefetch_touch_if(true, &self.books.shelf);
        }
    }

    /// Asks for the level of an order, and for the orders before and behind it.
    #[inline]
    pub(crate) fn look_at_neighbours(&self, handle: u32) {
        let orders = &self.books.orders;
        if let Some(order) = orders.get(handle) {
            self.books.levels.prefetch(order.level);
            orders.prefetch(order.prev);
            orders.prefetch(order.next);
        }
    }
}
