//! Instruments with their books, and what happens to orders outside of executions: arrival,
//! deletion, reduction, replacement.

use crate::event::kinds::Text;
use crate::processor::prefetch;
use crate::units::Side;

use super::book::{Handle, Ladder, Level, Order, Orders, key_of};
use super::liquid::{BUSIEST, Place};
use super::profile::in_proportion;
use super::random::Random;
use super::recent::Recent;
use super::style::Style;
use super::symbols::{self, Terms};
use super::tape::Tape;

/// Market participants that attribute their quotes; invented.
pub(super) const PARTICIPANTS: [&str; 12] = [
    "ALFQ", "BRVQ", "CHRL", "DLTQ", "ECHQ", "FXTR", "GLFQ", "HTLQ", "INDQ", "JLTQ", "KILQ", "LIMQ",
];

/// Distances from the touch in ticks of orders that neither improve nor join, in busy instruments.
const DISTANCE_BUSY: &[(u32, u32, u32)] = &[
    (170, 1, 1),
    (320, 2, 2),
    (470, 3, 4),
    (680, 5, 8),
    (830, 9, 32),
    (944, 33, 128),
    (1008, 129, 288),
    (1024, 289, 600),
];

/// The same in the others: more orders far away.
const DISTANCE_QUIET: &[(u32, u32, u32)] = &[
    (143, 1, 1),
    (240, 2, 2),
    (340, 3, 4),
    (420, 5, 8),
    (480, 9, 32),
    (530, 33, 128),
    (560, 129, 512),
    (1024, 513, 4_000),
];

/// Ticks behind the touch from which on an order is far away: more than 512.
const FAR_TICKS: u64 = 513;

/// Bytes that the processor fetches at a time.
const LINE_BYTES: usize = 64;

/// Prices of stub quotes in 0.0001 dollars.
const STUB_PRICES: [(Side, u32); 2] = [(Side::Buy, 1), (Side::Sell, 1_999_999_900)];

/// What may happen to an instrument's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trading,
    /// Orders may enter and leave, and the book may cross.
    Quoting,
    /// Orders may only leave.
    Halted,
}

/// An instrument.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    pub(super) terms: Terms,
    pub(super) state: State,
    /// The price that makers and takers think right; moves at random.
    pub(super) fair: u32,
    pub(super) ladders: [Ladder; 2],
    pub(super) live: u32,
    /// Its part of all live orders, of 2^32.
    pub(super) share: u64,
    distances: &'static [(u32, u32, u32)],
    recent: Recent,
}

/// The instruments of a partition, their orders, and the tape that everything is written on.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) stocks: Vec<Stock>,
    pub(super) orders: Orders,
    pub(super) random: Random,
    pub(super) tape: Tape,
    pub(super) style: Style,
}

/// Which of how many parts of a session something is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) of: u32,
}

impl Stock {
    /// The stock of a rank among `count`.
    fn new(rank: u32, count: u32, random: &mut Random) -> Self {
        let terms = symbols::terms(rank, count, random);
        let is_busy = rank < count.div_ceil(20);
        Self {
            state: State::Trading,
            fair: terms.price,
            ladders: [Ladder::default(), Ladder::default()],
            live: 0,
            share: 0,
            distances: if is_busy { DISTANCE_BUSY } else { DISTANCE_QUIET },
            recent: Recent::default(),
            terms,
        }
    }

    /// The stocks of a session, busiest first.
    pub(super) fn all(count: u32, random: &mut Random) -> Vec<Self> {
        (0..count).map(|rank| Self::new(rank, count, random)).collect()
    }

    #[inline]
    pub(super) fn best(&self, side: Side) -> Option<Level> {
        self.ladders[side.index()].best().copied()
    }

    /// The best price of a side.
    #[inline]
    pub(super) fn best_price(&self, side: Side) -> Option<u32> {
        self.ladders[side.index()].best_key().map(|key| key_of(side, key))
    }

    /// The distance from the fair price within which prices count as the market's.
    #[inline]
    pub(super) fn band(&self) -> u32 {
        (16 + 8 * self.terms.half_spread) * self.terms.tick
    }

    /// Whether the touch of a side is about as near to the fair price as makers come.
    #[inline]
    fn is_exposed(&self, side: Side) -> bool {
        let Terms { tick, half_spread, .. } = self.terms;
        let best = self.ladders[side.index()].best_key();
        best.is_some_and(|key| key + half_spread * tick > key_of(side, self.fair))
    }

    /// Whether the touch of a side lies on the wrong side of the fair price.
    #[inline]
    pub(super) fn is_stale(&self, side: Side) -> bool {
        let best = self.ladders[side.index()].best_key();
        best.is_some_and(|key| key >= key_of(side, self.fair))
    }
}

impl Market {
    /// The market of `part`, whose stocks have `weights` of its live orders, in any unit.
    pub(super) fn new(
        part: Part,
        mut stocks: Vec<Stock>,
        weights: &[u64],
        style: Style,
        random: Random,
    ) -> Self {
        for (stock, share) in stocks.iter_mut().zip(in_proportion(1 << 32, weights)) {
            stock.share = share;
        }
        let tape = Tape::new(part, stocks.len());
        Self { stocks, orders: Orders::new(), random, tape, style }
    }

    /// The instrument number of a stock: its locate, from 1.
    #[inline]
    pub(super) fn locate(&self, stock: usize) -> u32 {
        let Part { number, of } = self.tape.part;
        stock as u32 * of + number + 1
    }

    /// Asks for the memory that messages of a stock will want, deeper as more of others go by.
    #[inline]
    pub(super) fn prefetch(&self, stock: usize, step: u32) {
        let locate = self.locate(stock);
        let stock = &self.stocks[stock];
        match step {
            0 => {
                self.tape.prefetch(locate);
                let lines = size_of::<Stock>().div_ceil(LINE_BYTES);
                let start = std::ptr::from_ref(stock).cast::<u8>();
                (0..lines).for_each(|line| prefetch(start.wrapping_add(line * LINE_BYTES)));
            }
            2 => {
                stock.ladders.iter().for_each(Ladder::prefetch);
                stock.recent.prefetch_latest();
            }
            3 => {
                let levels = stock.ladders.iter().filter_map(Ladder::best);
                levels.for_each(|level| {
                    self.orders.prefetch(level.head);
                    self.orders.prefetch(level.tail);
                });
                stock.recent.prefetch_orders(&self.orders);
            }
            _ => {}
        }
    }

    /// Asks for the memory that the next message of a stock that just had one will want.
    #[inline]
    pub(super) fn prefetch_next(&self, stock: usize) {
        self.stocks[stock].recent.prefetch_orders(&self.orders);
    }

    /// Moves the fair price now and then, a few ticks at most, within half to double the first.
    #[inline]
    pub(super) fn drift(&mut self, stock: usize) {
        if !self.random.chance(10) {
            return;
        }
        let stock = &mut self.stocks[stock];
        let step = stock.terms.tick * self.random.between(1, stock.terms.half_spread);
        let is_up = self.random.chance(512);
        let (low, high) = (stock.terms.price / 2, stock.terms.price * 2);
        let low = low.max(stock.terms.floor + stock.band());
        let high = high.min(stock.terms.cap - stock.band());
        let moved = if is_up { stock.fair + step } else { stock.fair - step };
        if (low..=high).contains(&moved) {
            stock.fair = moved;
        }
    }

    /// Shares of a new order: 73 % round lots of 100, 25 % odd lots, the rest larger.
    #[inline]
    pub(super) fn draw_size(&mut self) -> u32 {
        match self.random.below(1024) {
            0..748 => 100,
            748..1004 => self.random.between(1, 99),
            _ => 100 * self.random.between(2, 50),
        }
    }

    /// A price for a new order that neither locks nor crosses the displayed book.
    #[inline]
    fn draw_price(&mut self, stock: usize, side: Side) -> u32 {
        let Style { improve, ref join, .. } = self.style;
        let random = &mut self.random;
        let stock = &self.stocks[stock];
        let Terms { tick, half_spread, floor, cap, .. } = stock.terms;
        let fair = key_of(side, stock.fair);
        let jitter = random.below(3).min(half_spread);
        let mut top = fair - (half_spread - jitter) * tick;
        if let Some(opposite) = stock.best_price(side.opposite()) {
            top = top.min(key_of(side, opposite) - tick);
        }
        let near = match stock.ladders[side.index()].best_key() {
            Some(best) if best >= fair => best.min(top),
            Some(best) if best + stock.band() >= fair => best,
            _ => top,
        };
        let key = match random.below(1024) {
            drawn if drawn < improve && near < top => {
                let room = (top - near) / tick;
                near + random.between(1, room.min(half_spread)) * tick
            }
            drawn if join.contains(&drawn) => near,
            _ => {
                let price = key_of(side, near);
                let room = match side {
                    Side::Buy => price - floor,
                    Side::Sell => cap - price,
                };
                let distance = random.in_table(stock.distances);
                let fits = distance * tick <= room;
                near - (if fits { distance } else { distance % (room / tick + 1) }) * tick
            }
        };
        key_of(side, key)
    }

    fn draw_side(&mut self) -> Side {
        if self.random.chance(512) { Side::Buy } else { Side::Sell }
    }

    /// A new order at a price that does not cross.
    #[inline]
    pub(super) fn add(&mut self, stock: usize, is_attributed: bool) {
        let side = self.draw_side();
        let price = self.draw_price(stock, side);
        let qty = self.draw_size();
        let attribution = match is_attributed {
            true => Text::new(self.random.pick(&PARTICIPANTS)),
            false => Text([0; 4]),
        };
        self.enter(stock, side, (price, qty), attribution);
        self.tape.end_event();
    }

    /// A new order through the fair price, as a quoting period allows.
    pub(super) fn add_through(&mut self, stock: usize) {
        let side = self.draw_side();
        let Terms { tick, half_spread, .. } = self.stocks[stock].terms;
        let ticks = self.random.between(0, 2 * half_spread);
        let price = key_of(side, key_of(side, self.stocks[stock].fair) + ticks * tick);
        let qty = self.draw_size();
        self.enter(stock, side, (price, qty), Text::new(""));
        self.tape.end_event();
    }

    /// Where an order lies that is not yet in the book.
    fn place(&self, stock: usize, side: Side, key: u32) -> Place {
        let stock = &self.stocks[stock];
        let tick = i64::from(stock.terms.tick);
        let best = stock.ladders[side.index()].best_key();
        let touch = stock.best_price(Side::Buy).zip(stock.best_price(Side::Sell));
        Place {
            behind: best.map(|best| (i64::from(best) - i64::from(key)) / tick),
            spread: touch.map(|(bid, ask)| u64::from(ask.saturating_sub(bid)) / tick as u64),
        }
    }

    /// Puts a new order into the book, and takes note of where it comes to lie.
    fn rest(&mut self, stock: usize, side: Side, id: u64, (price, qty): (u32, u32)) {
        let order = Order::new(id, side, price, qty);
        self.note_order(stock, &order);
        self.insert(stock, order);
    }

    #[inline]
    fn note_order(&mut self, stock: usize, order: &Order) {
        let Stock { terms, ladders, .. } = &self.stocks[stock];
        if let Some(best) = ladders[order.side().index()].best_key() {
            let far = u64::from(best) >= u64::from(order.key) + FAR_TICKS * u64::from(terms.tick);
            self.tape.summary.note_placed(far);
        }
        if self.locate(stock) == BUSIEST {
            self.note_liquid(stock, order.side(), order.id, (order.price(), order.qty));
        }
    }

    #[cold]
    fn note_liquid(&mut self, stock: usize, side: Side, id: u64, (price, qty): (u32, u32)) {
        let place = self.place(stock, side, key_of(side, price));
        self.tape.summary.liquid.note_order((id, qty), self.tape.now, place);
    }

    /// Writes an add and puts the order into the book, the exchange event left open.
    #[inline]
    pub(super) fn enter(
        &mut self,
        stock: usize,
        side: Side,
        (price, qty): (u32, u32),
        attribution: Text<4>,
    ) {
        let id = self.tape.next_id(stock);
        self.tape.add(self.locate(stock), side, id, (price, qty), attribution);
        self.rest(stock, side, id, (price, qty));
    }

    /// The stub quotes of a market maker without opinion.
    pub(super) fn add_stubs(&mut self, stock: usize) {
        for (side, price) in STUB_PRICES {
            let id = self.tape.next_id(stock);
            let attribution = Text::new(PARTICIPANTS[stock % PARTICIPANTS.len()]);
            self.tape.add(self.locate(stock), side, id, (price, 100), attribution);
            self.tape.end_event();
            let mut order = Order::new(id, side, price, 100);
            order.is_stub = true;
            self.insert(stock, order);
        }
    }

    // WHY always: an order goes from its values straight into its place in the slab; as an argument
    // it was stored in narrow pieces and loaded in wide ones, which waits for the stores: a
    // twentieth of a session's time.
    #[inline(always)]
    fn insert(&mut self, stock: usize, order: Order) {
        let stock = &mut self.stocks[stock];
        let handle = stock.ladders[order.side().index()].insert(&mut self.orders, order);
        stock.recent.push(self.tape.now, handle, &mut self.orders);
        stock.live += 1;
        self.orders.prefetch_next();
    }

    /// Takes an order out of the book and writes nothing.
    #[inline]
    pub(super) fn take_out(&mut self, stock: usize, handle: Handle) -> Order {
        let stock = &mut self.stocks[stock];
        let side = self.orders[handle].side();
        stock.live -= 1;
        let order = stock.ladders[side.index()].remove(&mut self.orders, handle);
        stock.recent.forget(order.place);
        stock.recent.tidy(stock.live, &mut self.orders);
        order
    }

    /// An order whose owner acts now: one at a stale touch, one that is alone at the touch, else
    /// one of a random age.
    #[inline]
    fn draw_order(&mut self, stock: usize, stubs_too: bool) -> Option<Handle> {
        const LEAVE_STALE: u32 = 640;
        let stock = &mut self.stocks[stock];
        for side in [Side::Buy, Side::Sell] {
            if stock.is_stale(side) && self.random.chance(LEAVE_STALE) {
                let level = stock.best(side)?;
                let is_latest = self.random.chance(640);
                return Some(if is_latest { level.tail } else { level.head });
            }
        }
        let side = if self.random.chance(512) { Side::Buy } else { Side::Sell };
        if let Some(level) = stock.best(side)
            && level.is_single()
            && stock.is_exposed(side)
            && self.random.chance(self.style.leave_alone)
        {
            return Some(level.head);
        }
        let age = self.style.draw_age(&mut self.random);
        let until = self.tape.now.saturating_sub(age);
        stock.recent.draw(until, stubs_too, &mut self.orders)
    }

    /// Takes out an order whose owner acts now and writes nothing.
    #[inline]
    fn take_drawn(&mut self, stock: usize, stubs_too: bool) -> Option<Order> {
        let handle = self.draw_order(stock, stubs_too)?;
        Some(self.take_out(stock, handle))
    }

    /// Deletes an order; `false` when none was found.
    #[inline]
    pub(super) fn delete(&mut self, stock: usize, stubs_too: bool) -> bool {
        let Some(order) = self.take_drawn(stock, stubs_too) else { return false };
        self.tape.delete(self.locate(stock), order.id);
        true
    }

    /// Replaces an order by another of its side; `false` when none was found.
    pub(super) fn replace(&mut self, stock: usize) -> bool {
        let Some(old) = self.take_drawn(stock, false) else { return false };
        let price = self.draw_price(stock, old.side());
        let qty = if self.random.chance(700) { old.qty } else { self.draw_size() };
        let id = self.tape.next_id(stock);
        self.tape.replace(self.locate(stock), (old.id, id), (price, qty));
        self.rest(stock, old.side(), id, (price, qty));
        true
    }

    /// Takes shares off an order; `false` when none was found.
    pub(super) fn reduce(&mut self, stock: usize) -> bool {
        let Some(handle) = self.draw_order(stock, false) else { return false };
        let order = &mut self.orders[handle];
        if order.qty < 2 {
            return false;
        }
        let qty = self.random.between(1, order.qty - 1);
        order.qty -= qty;
        let id = order.id;
        self.tape.reduce(self.locate(stock), id, qty);
        true
    }
}
