//! The books of all instruments over one store of orders: what replica and matcher share.
//!
//! Nothing here knows a feed or a command. Callers look an order up once and name it by handle.

use std::hint::select_unpredictable;

use super::index::{Found, OrderIndex, Vacancy};
use super::ladder::{FarRungs, Gap, Ladder, Shelf};
use super::order::{Level, Order};
use super::slab::{NIL, Slab};
use super::tape::Units;
use super::view::{Best, LevelView, OrderView, Touch, touch_of};
use crate::processor::prefetch;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Orders of a level, few: what room for orders leads one to expect.
const ORDERS_A_LEVEL: usize = 2;

/// Rungs that a level takes, with those of its row that are free.
const RUNGS_A_LEVEL: usize = 2;

/// One instrument's book: two cache lines.
#[derive(Clone, Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Book {
    /// The touch now, by side.
    pub(super) best: [Best; 2],
    ladders: [Ladder; 2],
    /// Trading state as the venue's letter; 0 while unknown.
    pub(super) state: u8,
    /// Whether the instrument's own market has halted operationally.
    pub(super) is_halted: bool,
    /// Whether the last record was without LAST.
    pub(super) is_open: bool,
    /// Whether the touch, or whether the instrument trades, may have changed since the last look at
    /// the touch.
    pub(super) is_changed: bool,
    /// Whether a crossed touch has been counted since the touch last changed.
    pub(super) is_crossing_counted: bool,
    /// The touch as it was last looked at after LAST, by side. From here on it is the second line,
    /// for touches that change.
    pub(super) marked: [Best; 2],
    /// For hashing; known when they are needed first or the instrument is defined.
    pub(super) units: Units,
    far: FarRungs,
}

const _: () = assert!(size_of::<Book>() == 128 && std::mem::offset_of!(Book, marked) == 64);

/// All books, the orders in them and the index of references.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) books: Vec<Book>,
    pub(super) orders: Slab<Order>,
    pub(super) levels: Slab<Level>,
    pub(super) shelf: Shelf,
    pub(super) index: OrderIndex,
    pub(super) next_priority: u64,
    /// Orders that were live at once before these books were saved and loaded.
    pub(super) earlier_peak: usize,
}

impl Book {
    /// The levels of a side.
    #[inline(always)]
    pub(super) fn ladder(&self, side: Side) -> &Ladder {
        &self.ladders[side.index()]
    }

    /// The level at `price`, or the place where it belongs.
    #[inline(always)]
    fn find(&self, side: Side, price: Price, shelf: &Shelf) -> Result<u32, Gap> {
        self.ladder(side).find(side, price, &self.far, shelf)
    }

    /// Whether anything but resting orders tells it from a new book.
    pub(super) fn is_used(&self) -> bool {
        let flags = self.is_halted || self.is_open || self.is_crossing_counted;
        flags || self.state != 0 || self.marked != <[Best; 2]>::default()
    }

    /// The level at `price` changed to `qty`, which is not 0.
    #[inline(always)]
    pub(super) fn level_changed(&mut self, side: Side, price: Price, qty: Qty) {
        let best = &mut self.best[side.index()];
        let is_best = (best.qty.0 == 0) | !side.is_better(best.price, price);
        best.price = select_unpredictable(is_best, price, best.price);
        best.qty = select_unpredictable(is_best, qty, best.qty);
        self.is_changed |= is_best;
    }

    /// Asks for the lines that most messages need.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(&raw const self.best);
        prefetch(&raw const self.marked);
    }
}

impl Books {
    pub(super) fn with_capacity(orders: usize) -> Self {
        let mut books = Self {
            books: Vec::new(),
            orders: Slab::new(),
            levels: Slab::new(),
            shelf: Shelf::new(),
            index: OrderIndex::with_capacity(orders),
            next_priority: 0,
            earlier_peak: 0,
        };
        books.orders.populate(orders);
        books.levels.populate(orders / ORDERS_A_LEVEL);
        books.shelf.populate(orders / ORDERS_A_LEVEL * RUNGS_A_LEVEL);
        books
    }

    /// The order of a reference.
    #[inline(always)]
    pub(super) fn find(&self, order_id: OrderId) -> Option<Found> {
        self.index.find(order_id, &self.orders)
    }

    /// The order of a handle.
    #[inline(always)]
    pub(super) fn view(&self, handle: u32) -> OrderView {
        let order = &self.orders[handle];
        order.seen_at(&self.levels[order.level])
    }

    /// The order of a reference, or the room for a new one.
    #[inline(always)]
    pub(super) fn find_or_vacancy(&mut self, order_id: OrderId) -> Result<Found, Vacancy> {
        self.index.find_or_vacancy(order_id, &self.orders)
    }

    /// Puts an order at the back of its queue and gives it the next priority.
    ///
    /// The room was just found for `order.order_id`, `order.qty` is
    /// 1..=[`ORDER_QTY_MAX`](super::ORDER_QTY_MAX), and the instrument has a book.
    ///
    /// `hint` may name the level at the price, found some time ago; [`NIL`] is no hint.
    #[inline(always)]
    pub(super) fn add(&mut self, vacancy: Vacancy, order: OrderView, hint: u32) -> OrderView {
        let order = OrderView { priority: self.next_priority, ..order };
        self.next_priority += 1;
        let handle = self.enqueue(&order, hint);
        self.index.fill(vacancy, order.order_id, handle);
        order
    }

    /// Puts an order whose reference is not live at the back of its queue with the priority that it
    /// has.
    pub(super) fn restore(&mut self, order: OrderView) {
        let handle = self.enqueue(&order, NIL);
        self.index.insert(order.order_id, handle, &self.orders);
    }

    /// Takes an order out of its book, and its level if it was the last one there.
    #[inline(always)]
    pub(super) fn remove(&mut self, found: Found) -> OrderView {
        self.index.remove(found, &self.orders);
        let handle = found.handle;
        let (orders, free) = self.orders.parts();
        let order = orders[handle as usize];
        let level = &mut self.levels[order.level];
        let view = order.seen_at(level);
        let OrderView { instrument, side, price, .. } = view;
        if level.orders == 1 {
            free.take_back(&mut orders[handle as usize], handle);
            self.drop_level(order.level);
            return view;
        }
        level.orders -= 1;
        level.qty.0 = level.qty.0.wrapping_sub(view.qty.0);
        let qty = level.qty;
        // WHY: whether an order is first or last in its queue cannot be predicted. The neighbour
        // that is not there is the order itself, whose links mean nothing any more.
        let Order { prev, next, .. } = order;
        level.head = select_unpredictable(prev == NIL, next, level.head);
        level.tail = select_unpredictable(next == NIL, prev, level.tail);
        orders[select_unpredictable(prev == NIL, handle, prev) as usize].next = next;
        orders[select_unpredictable(next == NIL, handle, next) as usize].prev = prev;
        free.take_back(&mut orders[handle as usize], handle);
        self.books[instrument.0 as usize].level_changed(side, price, qty);
        view
    }

    /// Takes `by` off an order that has more; it keeps its place. Says what it was before.
    #[inline(always)]
    pub(super) fn reduce(&mut self, handle: u32, by: Qty) -> OrderView {
        let order = &mut self.orders[handle];
        debug_assert!(by < order.qty(), "an order without quantity leaves the book");
        let level = &mut self.levels[order.level];
        let view = order.seen_at(level);
        order.set_qty(Qty(view.qty.0 - by.0));
        level.qty.0 = level.qty.0.wrapping_sub(by.0);
        let book = &mut self.books[view.instrument.0 as usize];
        book.level_changed(view.side, view.price, level.qty);
        view
    }

    /// Takes all orders of an instrument out; says how many there were.
    pub(super) fn clear(&mut self, instrument: InstrumentId) -> u32 {
        let book = &mut self.books[instrument.0 as usize];
        let mut cleared = 0;
        for side in [Side::Buy, Side::Sell] {
            for level in book.ladder(side).levels(side, &book.far, &self.shelf) {
                let mut handle = self.levels[level].head;
                while handle != NIL {
                    let order = self.orders[handle];
                    if let Some(found) = self.index.find(order.order_id, &self.orders) {
                        self.index.remove(found, &self.orders);
                    }
                    self.orders.remove(handle);
                    handle = order.next;
                    cleared += 1;
                }
                self.levels[level].disown();
                self.levels.remove(level);
            }
            book.ladders[side.index()].clear(&mut self.shelf);
        }
        book.far = FarRungs::default();
        book.best = Default::default();
        book.is_changed = true;
        cleared
    }

    /// The touch of an instrument.
    #[inline(always)]
    pub(super) fn touch(&self, instrument: InstrumentId) -> Touch {
        self.book(instrument).map_or(Touch::default(), |book| touch_of(&book.best))
    }

    /// The levels of a side, best last.
    pub(super) fn levels(
        &self,
        instrument: InstrumentId,
        side: Side,
    ) -> impl DoubleEndedIterator<Item = &Level> {
        let book = self.book(instrument);
        let levels = book.map(|book| book.ladder(side).levels(side, &book.far, &self.shelf));
        levels.into_iter().flatten().map(|level| &self.levels[level])
    }

    /// The level at a price.
    pub(super) fn level(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> Option<&Level> {
        let found = self.book(instrument)?.find(side, price, &self.shelf);
        found.ok().map(|level| &self.levels[level])
    }

    /// The orders of a level, front to back.
    pub(super) fn queue(&self, level: &Level) -> impl Iterator<Item = OrderView> {
        self.queued(level).map(|handle| self.view(handle))
    }

    /// The same as handles.
    fn queued(&self, level: &Level) -> impl Iterator<Item = u32> {
        let handle_or_end = |handle: u32| (handle != NIL).then_some(handle);
        std::iter::successors(handle_or_end(level.head), move |&handle| {
            handle_or_end(self.orders[handle].next)
        })
    }

    /// The handles of an instrument's orders: bids, then offers, best level last, front to back.
    pub(super) fn resting(&self, instrument: InstrumentId) -> impl Iterator<Item = u32> {
        let sides = [Side::Buy, Side::Sell].into_iter();
        let levels = sides.flat_map(move |side| self.levels(instrument, side));
        levels.flat_map(|level| self.queued(level))
    }

    /// Orders in all books.
    pub(super) fn live_orders(&self) -> usize {
        self.orders.live()
    }

    /// The most orders that were in all books at once.
    pub(super) fn peak_orders(&self) -> usize {
        self.earlier_peak.max(self.orders.used())
    }

    /// Levels in all books.
    pub(super) fn live_levels(&self) -> usize {
        self.levels.live()
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        let far: usize = self.books.iter().map(|book| book.far.bytes()).sum();
        let books = self.books.capacity() * size_of::<Book>();
        let slabs = self.orders.bytes() + self.levels.bytes() + self.shelf.bytes();
        books + far + slabs + self.index.bytes()
    }

    #[inline(always)]
    pub(super) fn book(&self, instrument: InstrumentId) -> Option<&Book> {
        self.books.get(instrument.0 as usize)
    }

    /// Stores an order behind its level's last one, or as the first one of a new level.
    #[inline(always)]
    pub(super) fn enqueue(&mut self, view: &OrderView, hint: u32) -> u32 {
        let &OrderView { instrument, side, price, .. } = view;
        let order = || Order::new(view.order_id, view.qty, view.priority);
        let is_there = hint != NIL && self.levels[hint].is_at(instrument, side, price);
        let found = match is_there {
            true => Ok(hint),
            false => self.books[instrument.0 as usize].find(side, price, &self.shelf),
        };
        let (handle, qty) = match found {
            Ok(level) => self.join_level(level, order(), view.qty),
            Err(gap) => (self.make_level(gap, order(), instrument, side, price), view.qty),
        };
        self.books[instrument.0 as usize].level_changed(side, price, qty);
        handle
    }

    /// Stores an order behind its level's last one; says what the level then has.
    #[inline(always)]
    fn join_level(&mut self, at: u32, order: Order, qty: Qty) -> (u32, Qty) {
        let level = &mut self.levels[at];
        let last = level.tail;
        let handle = self.orders.insert(order.behind(last, at));
        self.orders[last].next = handle;
        level.tail = handle;
        level.orders += 1;
        level.qty.0 = level.qty.0.wrapping_add(qty.0);
        (handle, level.qty)
    }

    /// Stores an order as the only one of a new level.
    #[inline(never)]
    fn make_level(
        &mut self,
        gap: Gap,
        order: Order,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> u32 {
        let level = self.levels.insert(Level::new(instrument, side, price));
        let handle = self.orders.insert(order.behind(NIL, level));
        let made = &mut self.levels[level];
        (made.head, made.tail, made.orders, made.qty) = (handle, handle, 1, order.qty());
        let book = &mut self.books[instrument.0 as usize];
        let ladder = &mut book.ladders[side.index()];
        ladder.insert(gap, side, price, level, &mut book.far, &mut self.shelf);
        handle
    }

    /// Takes a level out of its ladder.
    #[inline(never)]
    fn drop_level(&mut self, handle: u32) {
        let level = self.levels[handle];
        self.levels[handle].disown();
        self.levels.remove(handle);
        let (side, price) = (level.side(), level.price);
        let book = &mut self.books[level.instrument().0 as usize];
        let ladder = &mut book.ladders[side.index()];
        ladder.remove(side, price, &mut book.far, &mut self.shelf);
        let best = &mut book.best[side.index()];
        if best.price == price {
            book.is_changed = true;
            *best = ladder.best(&self.shelf).map_or(Best::default(), |level| {
                let level = &self.levels[level];
                Best { price: level.price, qty: level.qty }
            });
        }
    }
}

impl From<&Level> for LevelView {
    fn from(level: &Level) -> Self {
        Self { price: level.price, qty: level.qty, orders: level.orders }
    }
}
