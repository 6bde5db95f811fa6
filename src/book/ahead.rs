//! Looking ahead: what the next events will touch is brought into the cache before they come.
//!
//! Applying a message is a chain of memory loads, each waiting for the one before: index, order,
//! level, neighbours. Across messages the chains are independent. So before a chunk of events is
//! applied, all of them are looked at five times, one link of the chain each:
//!
//! ```text
//!   look      1              2                3                    4                5
//!   named     book, bucket   order            level, neighbours    touch, if last   -
//!   added     book, bucket   touch            level                last in level    -
//!   replaced  book, bucket   order, bucket    level, neighbours    touch            new level
//! ```
//!
//! A replica of few orders is applied without looking: what it touches is in the cache anyway.
//!
//! A look changes nothing, and what it finds is a guess that applying checks: an add takes the
//! level that was found for it if it still is the one at its price.
//!
//! WHY: with a look at one chunk while another is applied, five chunks under way, the same messages
//! took 0 to 7 % longer: there is no more waiting to hide, and more is pushed out of the cache.

use std::hint::select_unpredictable;

use super::books::Books;
use super::order::Level;
use super::replica::Replica;
use super::slab::NIL;
use super::view::Change;
use crate::event::{Event, Kind};
use crate::units::{InstrumentId, OrderId, Price, Side};

/// Events of a chunk: enough to hide a load behind the others, few enough that what is brought in
/// is still there when it is used. 16, 32 and 64 differ by less than the machine's noise.
const CHUNK_EVENTS: usize = 32;

/// Orders that a replica has had at once before it looks ahead: with fewer, nearly all that is
/// looked for is in the cache already.
///
/// WHY: looking takes instructions too. Without it a stream of 5,000 orders of one instrument, or
/// of 8,000 or 20,000 of a hundred, took 10 to 20 % less time; 60,000 of five hundred took the
/// same, and 120,000 of two thousand half as much again.
const CACHED_ORDERS: usize = 1 << 14;

/// Events to look at together when looking ahead is called by hand.
pub const LOOK_AHEAD_EVENTS: usize = CHUNK_EVENTS;

/// What the looks at a chunk have found.
#[derive(Clone, Copy)]
struct Plan {
    added: List,
    named: List,
    replaced: List,
    /// By event, probably the order that it names.
    orders: [u32; CHUNK_EVENTS],
    /// By event, probably the level where it adds an order; [`NIL`] while none was found.
    levels: [u32; CHUNK_EVENTS],
}

impl Plan {
    const EMPTY: Self = Self {
        added: List::EMPTY,
        named: List::EMPTY,
        replaced: List::EMPTY,
        orders: [0; CHUNK_EVENTS],
        levels: [NIL; CHUNK_EVENTS],
    };
}

/// Numbers of events of a chunk.
///
/// WHY: adds and deletes come without a pattern. Sorted into lists once, without a branch, each
/// look goes through those that it is for, where asking every event for its kind at every look
/// would be mispredicted twice a message.
#[derive(Clone, Copy)]
struct List {
    events: [u8; CHUNK_EVENTS],
    count: usize,
}

impl List {
    const EMPTY: Self = Self { events: [0; CHUNK_EVENTS], count: 0 };

    /// Adds an event, or does not.
    #[inline(always)]
    fn push_if(&mut self, is_one: bool, event: usize) {
        self.events[self.count % CHUNK_EVENTS] = event as u8;
        self.count += usize::from(is_one);
    }

    #[inline(always)]
    fn events(&self) -> &[u8] {
        &self.events[..self.count]
    }
}

impl Replica {
    /// Applies events in their order, as fast as the machine's memory allows, and hands each on
    /// with what it changed; `event` shows the event in what a batch consists of.
    ///
    /// The same as [`apply`](Self::apply) on each of them. The longer the batch, the better:
    /// looking ahead ends with it.
    ///
    /// ```
    /// use ringtape::book::{ChangeKind, Replica};
    /// use ringtape::event::{Event, Flags, payload};
    /// use ringtape::event::kinds::Text;
    /// use ringtape::units::{OrderId, Price, Qty, Side};
    ///
    /// let bid = |id| {
    ///     let text = Text::new("");
    ///     let (order_id, price, qty) = (OrderId(id), Price(100), Qty(5));
    ///     Event::new(0, 1, payload::Add { order_id, price, qty, attribution: text, pad: 0 })
    ///         .with_side(Side::Buy)
    ///         .with_flags(Flags::LAST)
    /// };
    /// let mut replica = Replica::new();
    /// let mut added = 0;
    /// replica.apply_each(&[bid(1), bid(2), bid(3)], |event| event, |_, change| {
    ///     added += u32::from(change.kind == ChangeKind::Added);
    /// });
    /// assert_eq!(added, 3);
    /// ```
    #[inline]
    pub fn apply_each<E>(
        &mut self,
        batch: &[E],
        event: impl Fn(&E) -> &Event,
        mut then: impl FnMut(&E, Change),
    ) {
        for chunk in batch.chunks(CHUNK_EVENTS) {
            let is_cached = self.books.orders.used() < CACHED_ORDERS;
            let plan = if is_cached { Plan::EMPTY } else { self.look_at(chunk, &event) };
            for (item, &level) in chunk.iter().zip(&plan.levels) {
                self.step(event(item), level, |change| then(item, change));
            }
        }
    }

    /// Brings into the cache what applying the next events will touch; looks at no more than
    /// [`LOOK_AHEAD_EVENTS`].
    ///
    /// It changes nothing, and events that never come do no harm. Worth calling before each chunk
    /// of a stream over thousands of books, where most of the cost is waiting for memory.
    pub fn look_ahead<E>(&self, events: &[E], event: impl Fn(&E) -> &Event) {
        self.look_at(&events[..events.len().min(LOOK_AHEAD_EVENTS)], event);
    }

    /// All looks at a chunk, one after another.
    #[inline(always)]
    fn look_at<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event) -> Plan {
        let mut plan = Plan::EMPTY;
        self.books.look_1(chunk, &event, &mut plan);
        self.books.look_2(chunk, &event, &mut plan);
        self.books.look_3(chunk, &event, &mut plan);
        self.books.look_4(chunk, &event, &mut plan);
        self.books.look_5(chunk, &event, &mut plan);
        plan
    }

    /// Applies events in their order, as [`apply_each`](Self::apply_each) does.
    pub fn apply_all(&mut self, events: &[Event]) {
        self.apply_each(events, |event| event, |_, _| {});
    }
}

impl Books {
    /// Sorts a chunk's events, and asks for their books and the buckets of their references.
    #[inline(always)]
    fn look_1<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for (number, item) in chunk.iter().enumerate() {
            let event = event(item);
            if let Some(book) = self.books.get(event.instrument as usize) {
                book.prefetch();
            }
            self.index.prefetch(OrderId(event.payload[0]));
            let is_named = event.kind > Kind::Add as u8 && event.kind <= LAST_NAMING;
            plan.added.push_if(event.kind == Kind::Add as u8, number);
            plan.named.push_if(is_named, number);
            plan.replaced.push_if(event.kind == Kind::Replace as u8, number);
        }
    }

    /// Asks for the orders that are named and the buckets of references that replace others, and
    /// for the touch where orders are added.
    #[inline(always)]
    fn look_2<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for &number in plan.named.events() {
            let event = event(&chunk[usize::from(number)]);
            let order = self.index.peek(OrderId(event.payload[0]));
            plan.orders[usize::from(number)] = order;
            self.orders.prefetch(order);
            let entered = usize::from(event.kind == Kind::Replace as u8) * 3;
            self.index.prefetch(OrderId(event.payload[entered]));
        }
        for &number in plan.added.events() {
            let event = event(&chunk[usize::from(number)]);
            if let Some(book) = self.book(InstrumentId(event.instrument)) {
                book.ladder(side_of(event)).prefetch_touch_if(true, &self.shelf);
            }
        }
    }

    /// Asks for the levels and neighbours of named orders, and for the levels of added ones.
    #[inline(always)]
    fn look_3<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for &number in plan.named.events() {
            let handle = plan.orders[usize::from(number)];
            if let Some(order) = self.orders.get(handle) {
                self.levels.prefetch(order.level);
                self.orders.prefetch(select_unpredictable(order.prev == NIL, handle, order.prev));
                self.orders.prefetch(select_unpredictable(order.next == NIL, handle, order.next));
            }
        }
        for &number in plan.added.events() {
            let event = event(&chunk[usize::from(number)]);
            let level = self.look_for_level(event, side_of(event));
            plan.levels[usize::from(number)] = level;
        }
    }

    /// Asks for the last orders of the levels where orders are added, and for the touch of those
    /// that will end or be looked for.
    #[inline(always)]
    fn look_4<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for &number in plan.added.events() {
            let level = plan.levels[usize::from(number)];
            if let Some(level) = self.levels.get(select_unpredictable(level == NIL, 0, level)) {
                self.orders.prefetch(level.tail);
            }
        }
        for &number in plan.named.events() {
            let is_replaced = event(&chunk[usize::from(number)]).kind == Kind::Replace as u8;
            if let Some(level) = self.level_of(plan.orders[usize::from(number)])
                && let Some(book) = self.book(level.instrument())
            {
                let is_wanted = is_replaced | (level.orders == 1);
                book.ladder(level.side()).prefetch_touch_if(is_wanted, &self.shelf);
            }
        }
    }

    /// Asks for the new levels of replaced orders.
    #[inline(always)]
    fn look_5<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for &number in plan.replaced.events() {
            if let Some(level) = self.level_of(plan.orders[usize::from(number)]) {
                let event = event(&chunk[usize::from(number)]);
                plan.levels[usize::from(number)] = self.look_for_level(event, level.side());
            }
        }
    }

    /// The level of an event's price; [`NIL`] when there is none.
    #[inline(always)]
    fn look_for_level(&self, event: &Event, side: Side) -> u32 {
        let Some(book) = self.book(InstrumentId(event.instrument)) else { return NIL };
        let price = Price(event.payload[1].cast_signed());
        let level = book.ladder(side).peek(side, price, &self.shelf);
        self.levels.prefetch(level);
        level
    }

    /// The level of what is probably a resting order.
    #[inline(always)]
    fn level_of(&self, order: u32) -> Option<&Level> {
        self.levels.get(self.orders.get(order)?.level)
    }
}

/// The side of an event that has one.
#[inline(always)]
fn side_of(event: &Event) -> Side {
    if event.side == Side::Sell as u8 { Side::Sell } else { Side::Buy }
}

/// The last of the kinds that name a resting order; they stand together, after the add.
const LAST_NAMING: u8 = Kind::Modify as u8;

const _: () = {
    let naming =
        [Kind::Execute, Kind::ExecuteAt, Kind::Reduce, Kind::Delete, Kind::Replace, Kind::Modify];
    let mut place = 0;
    while place < naming.len() {
        assert!(naming[place] as u8 == Kind::Add as u8 + 1 + place as u8);
        place += 1;
    }
};
