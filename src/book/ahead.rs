//! Looking ahead: what the next events will touch is brought into the cache before they come.
//!
//! Applying a message is a chain of memory loads, each waiting for the one before: index, order,
//! level, neighbours. Across messages the chains are independent. So while a chunk of events is
//! applied, the chunks behind it are looked at, one link of the chain each:
//!
//! ```text
//!   chunk     n        n + 1          n + 2          n + 3          n + 4   n + 5
//!   named     applied  -              -              level and      order   book, bucket
//!                                                    neighbours
//!   added     applied  -              last in level  level          touch   book, bucket
//!   replaced  applied  last in level  level of the   level, touch   order   book, buckets
//!                                     new price
//! ```
//!
//! A look changes nothing, and what it finds is a guess that applying checks: an add takes the
//! level that was found for it if it still is the one at its price.

use super::books::Books;
use super::order::Level;
use super::replica::Replica;
use super::slab::NIL;
use super::view::Change;
use crate::event::{Event, Kind};
use crate::units::{InstrumentId, OrderId, Price, Side};

/// Events of a chunk: enough to hide a load behind the others, few enough that what is brought in
/// is still there when it is used.
///
/// WHY: M messages/s over a day of 1.9 million live orders, in two runs each: 8 events 5.9 and 6.0,
/// 16 events 5.9 and 5.6, 32 events 5.2 and 5.7. Batches of 256, 1,024 and 4,096 events made no
/// difference.
const CHUNK_EVENTS: usize = 16;

/// Looks at a chunk before it is applied.
const LOOKS: usize = 5;

/// Events to look at together when looking ahead is called by hand.
pub const LOOK_AHEAD_EVENTS: usize = 2 * CHUNK_EVENTS;

/// What the looks at a chunk have found.
///
/// WHY: adds and deletes come without a pattern. Sorted into lists once, without a branch, each
/// look goes through those that it is for, where asking every event for its kind at every look
/// would be mispredicted twice a message.
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

/// Numbers of events of a chunk.
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
    fn iter(&self) -> impl Iterator<Item = usize> {
        let events = self.events.iter().take(self.count);
        events.map(|&event| usize::from(event) % CHUNK_EVENTS)
    }
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
        let mut plans = [Plan::EMPTY; LOOKS + 1];
        let chunk_at = |number: usize| {
            let start = batch.len().min(number * CHUNK_EVENTS);
            &batch[start..batch.len().min(start + CHUNK_EVENTS)]
        };
        for turn in 0..batch.len().div_ceil(CHUNK_EVENTS) + LOOKS {
            // A chunk that has not begun, or is over, is empty.
            self.books.look_1(chunk_at(turn), &event, &mut plans[turn % (LOOKS + 1)]);
            let earlier = |look: usize| {
                let number = turn.checked_sub(look);
                let chunk = number.map_or(&batch[..0], chunk_at);
                (chunk, (turn + LOOKS + 1 - look) % (LOOKS + 1))
            };
            let (chunk, at) = earlier(1);
            self.books.look_2(chunk, &event, &mut plans[at]);
            let (chunk, at) = earlier(2);
            self.books.look_3(chunk, &event, &mut plans[at]);
            let (chunk, at) = earlier(3);
            self.books.look_4(chunk, &event, &mut plans[at]);
            let (_, at) = earlier(4);
            self.books.look_5(&plans[at]);
            let (chunk, at) = earlier(5);
            for (item, &level) in chunk.iter().zip(&plans[at].levels) {
                let change = self.step(event(item), level);
                then(item, change);
            }
        }
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
        *plan = Plan::EMPTY;
        for (number, item) in chunk.iter().enumerate().take(CHUNK_EVENTS) {
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
        for number in plan.replaced.iter() {
            if let Some(item) = chunk.get(number) {
                self.index.prefetch(OrderId(event(item).payload[3]));
            }
        }
    }

    /// Asks for the orders that are named, and for the touch where orders are added.
    #[inline(always)]
    fn look_2<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for number in plan.named.iter() {
            if let Some(item) = chunk.get(number) {
                let order = self.index.peek(OrderId(event(item).payload[0]));
                plan.orders[number] = order;
                self.orders.prefetch(order);
            }
        }
        for number in plan.added.iter() {
            if let Some(item) = chunk.get(number) {
                self.look_at_touch(event(item), event(item).side);
            }
        }
    }

    /// Asks for the levels and neighbours of named orders, and for the levels of added ones.
    #[inline(always)]
    fn look_3<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for number in plan.named.iter() {
            let handle = plan.orders[number];
            if let Some(order) = self.orders.get(handle) {
                self.levels.prefetch(order.level);
                self.orders.prefetch(if order.prev == NIL { handle } else { order.prev });
                self.orders.prefetch(if order.next == NIL { handle } else { order.next });
            }
        }
        for number in plan.replaced.iter() {
            if let Some(item) = chunk.get(number) {
                self.look_at_touch(event(item), Side::Buy as u8);
                self.look_at_touch(event(item), Side::Sell as u8);
            }
        }
        for number in plan.added.iter() {
            if let Some(item) = chunk.get(number) {
                let event = event(item);
                let side = if event.side == Side::Sell as u8 { Side::Sell } else { Side::Buy };
                plan.levels[number] = self.look_for_level(event, side);
            }
        }
    }

    /// Asks for the last orders of the levels where orders are added, and for the levels of
    /// replaced ones.
    #[inline(always)]
    fn look_4<E>(&self, chunk: &[E], event: impl Fn(&E) -> &Event, plan: &mut Plan) {
        for number in plan.added.iter() {
            self.look_at_tail(plan.levels[number]);
        }
        for number in plan.named.iter() {
            if let Some(level) = self.level_of(plan.orders[number]) {
                self.look_at_end(level);
            }
        }
        for number in plan.replaced.iter() {
            let level = self.level_of(plan.orders[number]);
            if let (Some(level), Some(item)) = (level, chunk.get(number)) {
                plan.levels[number] = self.look_for_level(event(item), level.side());
            }
        }
    }

    /// Asks for the last orders of replaced orders' new levels.
    #[inline(always)]
    fn look_5(&self, plan: &Plan) {
        for number in plan.replaced.iter() {
            self.look_at_tail(plan.levels[number]);
        }
    }

    #[inline(always)]
    fn look_at_touch(&self, event: &Event, side: u8) {
        if let Some(book) = self.book(InstrumentId(event.instrument)) {
            let side = if side == Side::Sell as u8 { Side::Sell } else { Side::Buy };
            book.ladder(side).prefetch_touch(&self.shelf);
        }
    }

    /// The level of an event's price; [`NIL`] when there is none.
    #[inline(always)]
    fn look_for_level(&self, event: &Event, side: Side) -> u32 {
        let Some(book) = self.book(InstrumentId(event.instrument)) else { return NIL };
        let price = Price(event.payload[1].cast_signed());
        let level = book.ladder(side).find(side, price, &self.shelf).unwrap_or(NIL);
        self.levels.prefetch(level);
        level
    }

    /// The level of what is probably a resting order.
    #[inline(always)]
    fn level_of(&self, order: u32) -> Option<&Level> {
        self.levels.get(self.orders.get(order)?.level)
    }

    /// The touch of the side of a level, which is taken out there when its last order leaves.
    #[inline(always)]
    fn look_at_end(&self, level: &Level) {
        if level.orders == 1
            && let Some(book) = self.book(level.instrument())
        {
            book.ladder(level.side()).prefetch_touch(&self.shelf);
        }
    }

    #[inline(always)]
    fn look_at_tail(&self, level: u32) {
        if let Some(level) = self.levels.get(level) {
            self.orders.prefetch(level.tail);
        }
    }

    /// All looks at the first [`LOOK_AHEAD_EVENTS`] of `events`, one after another.
    pub(super) fn look_ahead<E>(&self, events: &[E], event: impl Fn(&E) -> &Event) {
        let events = &events[..events.len().min(LOOK_AHEAD_EVENTS)];
        let mut plans = [Plan::EMPTY; LOOK_AHEAD_EVENTS / CHUNK_EVENTS];
        let chunks = || events.chunks(CHUNK_EVENTS);
        chunks().zip(&mut plans).for_each(|(chunk, plan)| self.look_1(chunk, &event, plan));
        chunks().zip(&mut plans).for_each(|(chunk, plan)| self.look_2(chunk, &event, plan));
        chunks().zip(&mut plans).for_each(|(chunk, plan)| self.look_3(chunk, &event, plan));
        chunks().zip(&mut plans).for_each(|(chunk, plan)| self.look_4(chunk, &event, plan));
        plans.iter().for_each(|plan| self.look_5(plan));
    }
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
