//! Saving a replica while it goes on.
//!
//! ```text
//!   at the mark     head: counts, hash, sizes
//!   from then on    prints, instruments, orders as they lie in the slab: a slice at a time
//!   before an event what it may change and is not saved yet: an order or two, an instrument
//! ```
//!
//! What comes out is the state at the mark, whatever is applied meanwhile. An event changes the
//! orders that it names, its own instrument and that of those orders, and one print at most; an
//! order that came after the mark is known by its priority. So an event costs a bounded number of
//! bytes however deep its book is, with two exceptions: what clears a book saves the orders that it
//! takes out, and what sets a level saves the levels of its instrument.

use super::books::Books;
use super::prints::Print;
use super::replica::Replica;
use super::save::{save_book, save_counts, save_instrument, save_order, save_tape};
use crate::event::{Event, EventView};
use crate::limits::INSTRUMENTS_MAX;
use crate::state::StateWriter;
use crate::units::{InstrumentId, MatchId, OrderId};

/// Prints that an event saves at most; one is what it may overwrite.
const PRINTS_AHEAD: usize = 32;

/// What an instrument costs beside its orders, in orders.
const INSTRUMENT_COST: usize = 8;

/// Orders whose levels are asked for before the first of them is saved.
const LOOK_AHEAD_ORDERS: usize = 32;

/// Broken trades for whose prints there is room from the start.
const BROKEN_EXPECTED: usize = 64;

/// The pieces of a saved replica, in the order in which [`Replica::load`] reads them.
///
/// Each consists of the pieces of that name in the order in which they were taken.
pub const SAVED_PIECES: [&str; 7] = [
    "books.head",
    "books.sizes",
    "books.prints",
    "books.instruments",
    "books.books",
    "books.orders",
    "books.levels",
];

/// Places in [`SAVED_PIECES`].
const HEAD: usize = 0;
const SIZES: usize = 1;
const PRINTS: usize = 2;
const INSTRUMENTS: usize = 3;
const BOOKS: usize = 4;
const ORDERS: usize = 5;
const LEVELS: usize = 6;

/// Saves a replica's state as of the moment at which [`begin`](Self::begin) was called.
///
/// It is used again and again: its memory is had when it is made, one bit for each order for which
/// the replica has room.
///
/// ```
/// use ringtape::book::{Replica, SAVED_PIECES, Saving};
/// use ringtape::event::Event;
/// use ringtape::state::StateReader;
///
/// let mut replica = Replica::new();
/// let hash = replica.books_hash();
/// let mut saving = Saving::of(&replica);
/// saving.begin(&replica);
/// let event = Event::default();
/// saving.before(&event, &replica);
/// replica.apply(&event);
/// while saving.advance(&replica, 1_000) {}
///
/// let mut pieces = Vec::new();
/// saving.take(1, |name, bytes| {
///     pieces.push((name, bytes));
///     Vec::new()
/// });
/// pieces.sort_by_key(|(name, _)| SAVED_PIECES.iter().position(|other| other == name));
/// let bytes: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
/// let loaded = Replica::load(&mut StateReader::new("books", &bytes))?;
/// assert_eq!(loaded.books_hash(), hash);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Saving {
    pieces: [StateWriter; 7],
    /// By instrument, whether it is saved; all `false` again once it is passed.
    saved_instruments: Vec<bool>,
    /// By handle, a bit for each order that was saved ahead of its turn; likewise.
    saved_orders: Bits,
    /// Instruments and handles before these are saved.
    next_instrument: usize,
    next_order: usize,
    /// Instruments, handles and priorities that there were.
    instruments_until: usize,
    orders_until: usize,
    priorities_until: u64,
    /// How many instruments, books and books of levels are saved.
    instruments: usize,
    books: usize,
    books_of_levels: usize,
    /// Where the oldest print was, how many there were, and how many of them are saved.
    oldest_print: usize,
    prints: usize,
    prints_saved: usize,
    /// Prints that are broken meanwhile, as they were, by their place behind the oldest.
    broken: Vec<(usize, Print)>,
    /// Events since; each overwrites one print at most.
    events: usize,
    is_complete: bool,
}

impl Replica {
    /// Writes everything that the replica's answers and future depend on, all at once and book by
    /// book: two replicas in the same state write the same bytes.
    pub fn save(&self, writer: &mut StateWriter) {
        let mut saving = Saving::new(0, self.tapes.len());
        saving.begin(self);
        saving.save_prints(self, usize::MAX);
        for index in 0..self.tapes.len() {
            saving.save_if_due(index, self);
            for handle in self.books.resting(InstrumentId(index as u32)) {
                save_order(&self.books.view(handle), &mut saving.pieces[ORDERS]);
            }
        }
        saving.complete();
        saving.pieces.iter().for_each(|piece| writer.append(piece));
    }
}

impl Saving {
    /// Room for saving `replica`, also once it has grown to the size for which it has room.
    pub fn of(replica: &Replica) -> Self {
        Self::new(replica.books.orders.room(), INSTRUMENTS_MAX)
    }

    fn new(orders: usize, instruments: usize) -> Self {
        Self {
            pieces: Default::default(),
            // The system finds the memory of zeros when they are touched.
            saved_instruments: vec![false; instruments],
            saved_orders: Bits::new(orders),
            next_instrument: 0,
            next_order: 0,
            instruments_until: 0,
            orders_until: 0,
            priorities_until: 0,
            instruments: 0,
            books: 0,
            books_of_levels: 0,
            oldest_print: 0,
            prints: 0,
            prints_saved: 0,
            broken: Vec::with_capacity(BROKEN_EXPECTED),
            events: 0,
            is_complete: true,
        }
    }

    /// Begins to save everything that the replica's answers and future depend on; a saving that was
    /// not at its end is given up.
    pub fn begin(&mut self, replica: &Replica) {
        self.forget();
        (self.next_instrument, self.next_order) = (0, 0);
        self.instruments_until = replica.tapes.len();
        self.orders_until = replica.books.orders.used();
        self.saved_orders.make_room(self.orders_until);
        self.priorities_until = replica.books.next_priority;
        (self.instruments, self.books, self.books_of_levels) = (0, 0, 0);
        (self.oldest_print, self.prints) = (replica.prints.oldest(), replica.prints.len());
        self.prints_saved = 0;
        self.events = 0;
        self.is_complete = false;
        let head = &mut self.pieces[HEAD];
        head.put_u64(replica.applied);
        head.put_u64(replica.touches.value());
        save_counts(&replica.counts, head);
        head.put_u64(replica.books.next_priority);
        head.put_len(replica.books.peak_orders());
        head.put_len(replica.books.live_orders());
        head.put_len(replica.tapes.len());
        head.put_len(replica.prints.len());
    }

    /// Makes sure that nothing is left of a saving before, and that there is room for the next.
    fn forget(&mut self) {
        if !self.is_complete {
            self.saved_instruments[self.next_instrument..self.instruments_until].fill(false);
            self.saved_orders = Bits::new(self.orders_until);
            self.broken.clear();
        }
        self.take(0, |_, bytes| bytes);
    }

    /// Saves what `event` may change; to be called before each event that is applied until all is
    /// saved.
    pub fn before(&mut self, event: &Event, replica: &Replica) {
        if self.is_complete {
            return;
        }
        self.save_if_due(event.instrument as usize, replica);
        // What is no order in some kinds of event is unlikely to be one by chance, and no harm.
        self.save_named(OrderId(event.payload[0]), replica);
        let instrument = InstrumentId(event.instrument);
        match event.view() {
            EventView::Replace(replace) => self.save_named(replace.new_order_id, replica),
            EventView::Clear(_) => {
                replica.books.resting(instrument).for_each(|one| self.save_ahead(one, replica));
            }
            EventView::Broken(broken) => self.keep_print(broken.match_id, instrument, replica),
            _ => {}
        }
        self.events += 1;
        if self.prints_saved < self.events {
            self.save_prints(replica, PRINTS_AHEAD);
        }
    }

    /// Saves some more, as much as `orders` orders at most or one instrument; whether anything is
    /// left.
    pub fn advance(&mut self, replica: &Replica, orders: usize) -> bool {
        if self.is_complete {
            return false;
        }
        let mut left = orders.max(1);
        left -= self.save_prints(replica, left);
        while self.next_instrument < self.instruments_until {
            if left == 0 {
                return true;
            }
            left = left.saturating_sub(INSTRUMENT_COST);
            self.save_if_due(self.next_instrument, replica);
            self.saved_instruments[self.next_instrument] = false;
            self.next_instrument += 1;
        }
        self.save_orders(replica, left);
        let has_more = self.prints_saved < self.prints || self.next_order < self.orders_until;
        if !has_more {
            self.complete();
        }
        has_more
    }

    /// Gives each piece that has `bytes_min` bytes or more to `exchange`, by name, and goes on with
    /// the buffer that it gives back; what is in that is dropped.
    pub fn take(
        &mut self,
        bytes_min: usize,
        mut exchange: impl FnMut(&'static str, Vec<u8>) -> Vec<u8>,
    ) {
        for (name, piece) in SAVED_PIECES.into_iter().zip(&mut self.pieces) {
            if piece.len() >= bytes_min {
                let bytes = std::mem::take(piece).into_bytes();
                *piece = StateWriter::reusing(exchange(name, bytes));
            }
        }
    }

    /// Bytes that were saved and not taken.
    pub fn pending_bytes(&self) -> usize {
        self.pieces.iter().map(StateWriter::len).sum()
    }

    fn complete(&mut self) {
        self.is_complete = true;
        self.broken.clear();
        let sizes = &mut self.pieces[SIZES];
        sizes.put_len(self.instruments);
        sizes.put_len(self.books);
        sizes.put_len(self.books_of_levels);
    }

    /// Saves an instrument unless that is done, without its orders.
    fn save_if_due(&mut self, index: usize, replica: &Replica) {
        let is_due = (self.next_instrument..self.instruments_until).contains(&index);
        if is_due && !std::mem::replace(&mut self.saved_instruments[index], true) {
            self.save_instrument(index, replica);
        }
    }

    fn save_instrument(&mut self, index: usize, replica: &Replica) {
        let id = InstrumentId(index as u32);
        if let Some(instrument) = replica.instruments.get(id) {
            save_instrument(id, instrument, &mut self.pieces[INSTRUMENTS]);
            self.instruments += 1;
        }
        let (book, tape) = (&replica.books.books[index], &replica.tapes[index]);
        if book.is_used() || tape.is_used() {
            let piece = &mut self.pieces[BOOKS];
            piece.put_u32(id.0);
            save_book(book, piece);
            save_tape(tape, piece);
            self.books += 1;
        }
        let has_levels = replica.level_books.save_one(id, &mut self.pieces[LEVELS]);
        self.books_of_levels += usize::from(has_levels);
    }

    /// Saves an order that an event names, and the instrument that it rests in.
    fn save_named(&mut self, order_id: OrderId, replica: &Replica) {
        if let Some(found) = replica.books.find(order_id) {
            let instrument = replica.books.view(found.handle).instrument;
            self.save_if_due(instrument.0 as usize, replica);
            self.save_ahead(found.handle, replica);
        }
    }

    /// Saves an order before its turn, unless that was done or it came later.
    fn save_ahead(&mut self, handle: u32, replica: &Replica) {
        let order = replica.books.view(handle);
        let is_due = handle as usize >= self.next_order && order.priority < self.priorities_until;
        if is_due && !self.saved_orders.set(handle) {
            save_order(&order, &mut self.pieces[ORDERS]);
        }
    }

    /// Saves the next orders of the slab, `count` at most, free ones included.
    fn save_orders(&mut self, replica: &Replica, count: usize) {
        let Books { orders, levels, .. } = &replica.books;
        let until = self.orders_until.min(self.next_order.saturating_add(count));
        while self.next_order < until {
            let end = until.min(self.next_order + LOOK_AHEAD_ORDERS);
            let chunk = self.next_order as u32..end as u32;
            chunk.clone().for_each(|handle| levels.prefetch(orders[handle].level));
            for handle in chunk {
                let order = &orders[handle];
                let is_new = order.priority() >= self.priorities_until;
                if !self.saved_orders.unset(handle) && !order.is_free() && !is_new {
                    let level = &levels[order.level];
                    save_order(&order.seen_at(level), &mut self.pieces[ORDERS]);
                }
            }
            self.next_order = end;
        }
    }

    /// Saves the next prints, oldest first, `count` at most; says how many.
    fn save_prints(&mut self, replica: &Replica, count: usize) -> usize {
        let from = self.prints_saved;
        let until = self.prints.min(from.saturating_add(count));
        for nth in from..until {
            let was = self.broken.iter().find(|(place, _)| *place == nth);
            let print = was.map_or_else(
                || replica.prints.nth((self.oldest_print + nth) % self.prints),
                |(_, print)| print,
            );
            print.save(&mut self.pieces[PRINTS]);
        }
        self.prints_saved = until;
        until - from
    }

    /// Remembers a print that is about to be broken, if it is still to be saved.
    fn keep_print(&mut self, match_id: MatchId, instrument: InstrumentId, replica: &Replica) {
        let Some(index) = replica.prints.find(match_id, instrument) else { return };
        let is_old = index < self.prints;
        let nth = (index + self.prints - self.oldest_print) % self.prints.max(1);
        if is_old && nth >= self.prints_saved {
            self.broken.push((nth, *replica.prints.nth(index)));
        }
    }
}

/// A bit for each handle.
#[derive(Debug)]
struct Bits(Vec<u64>);

impl Bits {
    /// Room for so many; the system finds the memory when it is touched.
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(u64::BITS as usize)])
    }

    fn make_room(&mut self, count: usize) {
        let words = count.div_ceil(u64::BITS as usize);
        if words > self.0.len() {
            self.0.resize(words, 0);
        }
    }

    /// Sets a bit; whether it was set.
    fn set(&mut self, index: u32) -> bool {
        let (word, bit) = self.find(index);
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    /// Takes a bit back; whether it was set.
    fn unset(&mut self, index: u32) -> bool {
        let (word, bit) = self.find(index);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    fn find(&mut self, index: u32) -> (&mut u64, u64) {
        (&mut self.0[(index / u64::BITS) as usize], 1 << (index % u64::BITS))
    }
}
