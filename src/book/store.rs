//! The books as the matcher uses them: orders come with a handle, and some wait in no queue.
//!
//! An instrument has two books here, one of displayed and one of hidden orders ([`BookId`]). An
//! order that is live without resting (a pending stop, an order for an auction) is *parked*: it has
//! a place in slab and index and none in a book, and its neighbours link lists of the matcher's.

use super::books::Books;
use super::index::Found;
use super::order::Order;
use super::slab::NIL;
use super::view::{Best, LevelView, OrderView, Touch};
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// One of the two books of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BookId(pub(super) InstrumentId);

/// Where an order rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) book: BookId,
    pub(crate) side: Side,
    pub(crate) price: Price,
}

/// The books of all instruments, and the orders that are parked beside them.
#[derive(Clone, Debug)]
pub(crate) struct OrderStore {
    pub(super) books: Books,
}

const _: () = assert!(crate::limits::INSTRUMENTS_MAX <= 1 << 30);

impl BookId {
    #[inline]
    pub(crate) fn displayed(instrument: InstrumentId) -> Self {
        Self(InstrumentId(instrument.0 << 1))
    }

    #[inline]
    pub(crate) fn hidden(instrument: InstrumentId) -> Self {
        Self(InstrumentId(instrument.0 << 1 | 1))
    }

    #[inline]
    pub(crate) fn instrument(self) -> InstrumentId {
        InstrumentId(self.0.0 >> 1)
    }

    #[inline]
    pub(crate) fn is_hidden(self) -> bool {
        self.0.0 & 1 == 1
    }
}

impl OrderStore {
    /// A store with room for so many orders before it first grows.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self { books: Books::with_capacity(orders) }
    }

    /// Makes the books of all instruments up to this one.
    pub(crate) fn make_books(&mut self, instrument: InstrumentId) {
        let count = BookId::hidden(instrument).0.0 as usize + 1;
        if self.books.books.len() < count {
            self.books.books.resize_with(count, Default::default);
        }
    }

    /// Orders that rest or are parked.
    #[inline]
    pub(crate) fn live_orders(&self) -> usize {
        self.books.live_orders()
    }

    /// Levels in all books.
    pub(crate) fn live_levels(&self) -> usize {
        self.books.live_levels()
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.books.bytes()
    }

    /// The place in time that the next order gets.
    pub(crate) fn next_priority(&self) -> u64 {
        self.books.next_priority
    }

    /// Sets the place in time that the next order gets.
    pub(crate) fn set_next_priority(&mut self, priority: u64) {
        self.books.next_priority = priority;
    }

    #[inline]
    pub(crate) fn find(&self, order_id: OrderId) -> Option<Found> {
        self.books.find(order_id)
    }

    #[inline]
    pub(crate) fn order_id(&self, handle: u32) -> OrderId {
        self.books.orders[handle].order_id
    }

    /// Open quantity; of an iceberg what it displays.
    #[inline]
    pub(crate) fn qty(&self, handle: u32) -> Qty {
        self.books.orders[handle].qty()
    }

    #[inline]
    pub(crate) fn priority(&self, handle: u32) -> u64 {
        self.books.orders[handle].priority()
    }

    /// Where an order rests; `None` when it is parked.
    #[inline]
    pub(crate) fn place(&self, handle: u32) -> Option<Place> {
        let level = self.books.orders[handle].level;
        (level != NIL).then(|| {
            let level = &self.books.levels[level];
            Place { book: BookId(level.instrument()), side: level.side(), price: level.price }
        })
    }

    /// The best level of a side; its quantity is 0 when the side is empty.
    #[inline]
    pub(crate) fn best(&self, book: BookId, side: Side) -> Best {
        self.books.books[book.0.0 as usize].best[side.index()]
    }

    /// Best bid and offer of a book.
    #[inline]
    pub(crate) fn touch(&self, book: BookId) -> Touch {
        self.books.touch(book.0)
    }

    /// The order at the front of the best level of a side that is not empty.
    #[inline]
    pub(crate) fn front(&self, book: BookId, side: Side) -> u32 {
        let level = self.books.books[book.0.0 as usize].ladder(side).best(&self.books.shelf);
        level.map_or(NIL, |level| self.books.levels[level].head)
    }

    /// The order behind this one; `NIL` when there is none.
    #[inline]
    pub(crate) fn next(&self, handle: u32) -> u32 {
        self.books.orders[handle].next
    }

    /// The levels of a side, best first, each with its front order.
    pub(crate) fn levels(
        &self,
        book: BookId,
        side: Side,
    ) -> impl Iterator<Item = (LevelView, u32)> {
        self.books.levels(book.0, side).rev().map(|level| (LevelView::from(level), level.head))
    }

    /// The level at a price; without quantity and orders if nothing rests there.
    pub(crate) fn level(&self, book: BookId, side: Side, price: Price) -> LevelView {
        let empty = LevelView { price, ..LevelView::default() };
        self.books.level(book.0, side, price).map_or(empty, LevelView::from)
    }

    /// The front order at a price; `NIL` when nothing rests there.
    pub(crate) fn front_at(&self, book: BookId, side: Side, price: Price) -> u32 {
        self.books.level(book.0, side, price).map_or(NIL, |level| level.head)
    }

    /// Puts an order at the back of its queue; its number is not live.
    #[inline]
    pub(crate) fn rest(&mut self, order_id: OrderId, place: Place, qty: Qty) -> u32 {
        let priority = self.books.next_priority;
        self.books.next_priority += 1;
        self.restore(order_id, place, qty, priority)
    }

    /// Puts an order at the back of its queue with the place in time that it has.
    #[inline]
    pub(crate) fn restore(
        &mut self,
        order_id: OrderId,
        place: Place,
        qty: Qty,
        priority: u64,
    ) -> u32 {
        let Place { book, side, price } = place;
        let view = OrderView { order_id, instrument: book.0, side, price, qty, priority };
        let handle = self.books.enqueue(&view, NIL);
        self.books.index.insert(order_id, handle, &self.books.orders);
        handle
    }

    /// Parks an order with a place in time.
    pub(crate) fn park(&mut self, order_id: OrderId, qty: Qty, priority: u64) -> u32 {
        let handle = self.books.orders.insert(Order::new(order_id, qty, priority));
        self.books.index.insert(order_id, handle, &self.books.orders);
        handle
    }

    /// Takes an order out of its book; a parked one is in no list of the matcher's any more.
    #[inline]
    pub(crate) fn remove(&mut self, found: Found) {
        if self.books.orders[found.handle].level == NIL {
            self.books.index.remove(found, &self.books.orders);
            self.books.orders.remove(found.handle);
        } else {
            self.books.remove(found);
        }
    }

    /// Takes a resting order out of its book.
    #[inline]
    pub(crate) fn remove_resting(&mut self, found: Found) {
        self.books.remove(found);
    }

    /// Takes `by` off an order that has more; it keeps its place.
    #[inline]
    pub(crate) fn reduce(&mut self, handle: u32, by: Qty) {
        let order = &mut self.books.orders[handle];
        if order.level == NIL {
            order.set_qty(Qty(order.qty().0 - by.0));
        } else {
            self.books.reduce(handle, by);
        }
    }

    /// Takes `by` off a resting order that has more; it keeps its place.
    #[inline]
    pub(crate) fn reduce_resting(&mut self, handle: u32, by: Qty) {
        self.books.reduce(handle, by);
    }

    /// Sets what a parked order has open.
    pub(crate) fn set_parked_qty(&mut self, handle: u32, qty: Qty) {
        debug_assert_eq!(self.books.orders[handle].level, NIL, "a level sums its orders");
        self.books.orders[handle].set_qty(qty);
    }

    /// Gives an order another number.
    pub(crate) fn rename(&mut self, found: Found, order_id: OrderId) {
        self.books.index.remove(found, &self.books.orders);
        self.books.orders[found.handle].order_id = order_id;
        self.books.index.insert(order_id, found.handle, &self.books.orders);
    }

    /// Moves a resting order to the back of its level, with another quantity and a new place in
    /// time.
    pub(crate) fn requeue(&mut self, handle: u32, qty: Qty) {
        let priority = self.books.next_priority;
        self.books.next_priority += 1;
        let Books { books, orders, levels, .. } = &mut self.books;
        let order = orders[handle];
        let level = &mut levels[order.level];
        level.qty.0 = level.qty.0.wrapping_sub(order.qty().0).wrapping_add(qty.0);
        let mut moved = Order::new(order.order_id, qty, priority);
        (moved.prev, moved.level) = (order.prev, order.level);
        if order.next != NIL {
            if order.prev == NIL {
                level.head = order.next;
            } else {
                orders[order.prev].next = order.next;
            }
            orders[order.next].prev = order.prev;
            moved.prev = std::mem::replace(&mut level.tail, handle);
            orders[moved.prev].next = handle;
        }
        orders[handle] = moved;
        let (side, price, qty) = (level.side(), level.price, level.qty);
        books[level.instrument().0 as usize].level_changed(side, price, qty);
    }

    /// Links a parked order between two others of a list; `NIL` for none.
    pub(crate) fn link_parked(&mut self, handle: u32, prev: u32, next: u32) {
        let orders = &mut self.books.orders;
        orders[handle].prev = prev;
        orders[handle].next = next;
        if prev != NIL {
            orders[prev].next = handle;
        }
        if next != NIL {
            orders[next].prev = handle;
        }
    }

    /// Takes a parked order out of its list and says who was before and behind it.
    pub(crate) fn unlink_parked(&mut self, handle: u32) -> (u32, u32) {
        let orders = &mut self.books.orders;
        let (prev, next) = (orders[handle].prev, orders[handle].next);
        if prev != NIL {
            orders[prev].next = next;
        }
        if next != NIL {
            orders[next].prev = prev;
        }
        (prev, next)
    }
}
