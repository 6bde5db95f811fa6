//! Saving a replica while it goes on.
//!
//! ```text
//!   at the mark     head: counts, hash, sizes
//!   from then on    instrument by instrument, a few thousand orders at a time
//!   before an event the instruments that it may change, if they are not saved yet
//! ```
//!
//! What comes out is the state at the mark, whatever is applied meanwhile: an event changes the
//! books of its own instrument and of the order that it names, nothing else that is saved late.
//! The longest pause is that of one slice, or of the largest single book when an event asks for it.

use super::replica::Replica;
use super::save::{ORDER_BYTES, save_book, save_counts, save_instrument, save_order, save_tape};
use crate::event::{Event, Kind};
use crate::state::StateWriter;
use crate::units::{InstrumentId, OrderId, Side};

/// Prints that are saved at a time.
const PRINTS_SLICE: usize = 4096;

/// What an instrument costs beside its orders, in orders.
const INSTRUMENT_COST: usize = 4;

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

/// A replica's state as of the moment at which [`Replica::begin_save`] was called.
///
/// ```
/// use ringtape::book::{Replica, SAVED_PIECES};
/// use ringtape::event::Event;
/// use ringtape::state::StateReader;
///
/// let mut replica = Replica::new();
/// let hash = replica.books_hash();
/// let mut saving = replica.begin_save();
/// let event = Event::default();
/// saving.before(&event, &replica);
/// replica.apply(&event);
/// while saving.advance(&replica, 1_000) {}
///
/// let mut pieces = saving.take();
/// pieces.sort_by_key(|(name, _)| SAVED_PIECES.iter().position(|other| other == name));
/// let bytes: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
/// let loaded = Replica::load(&mut StateReader::new("books", &bytes))?;
/// assert_eq!(loaded.books_hash(), hash);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Saving {
    pieces: [StateWriter; 7],
    /// Whether an instrument is saved, for those that there were.
    is_saved: Vec<bool>,
    /// All instruments before this are saved.
    next: usize,
    instruments: usize,
    books: usize,
    books_of_levels: usize,
    /// Where the oldest print was, how many there were, and how many of them are saved.
    oldest_print: usize,
    prints: usize,
    prints_saved: usize,
    /// Events since; each overwrites one print at most.
    events: usize,
    is_complete: bool,
}

impl Replica {
    /// Begins to save everything that the replica's answers and future depend on.
    pub fn begin_save(&self) -> Saving {
        let mut saving = Saving {
            pieces: Default::default(),
            is_saved: vec![false; self.tapes.len()],
            next: 0,
            instruments: 0,
            books: 0,
            books_of_levels: 0,
            oldest_print: self.prints.oldest(),
            prints: self.prints.len(),
            prints_saved: 0,
            events: 0,
            is_complete: false,
        };
        let head = &mut saving.pieces[HEAD];
        head.put_u64(self.applied);
        head.put_u64(self.touches.value());
        save_counts(&self.counts, head);
        head.put_u64(self.books.next_priority);
        head.put_len(self.books.peak_orders);
        head.put_len(self.books.live_orders());
        head.put_len(self.tapes.len());
        head.put_len(self.prints.len());
        saving
    }
}

impl Saving {
    /// Saves what `event` may change; to be called before each event that is applied until all is
    /// saved.
    pub fn before(&mut self, event: &Event, replica: &Replica) {
        if self.is_complete {
            return;
        }
        self.save_if_due(event.instrument as usize, replica);
        // What is no order in some kinds of event is unlikely to be one by chance, and no harm.
        if let Some(order) = replica.order(OrderId(event.payload[0])) {
            self.save_if_due(order.instrument.0 as usize, replica);
        }
        self.events += 1;
        if event.kind == Kind::Broken as u8 {
            while self.save_prints(replica) {}
        } else if self.prints_saved < self.events {
            self.save_prints(replica);
        }
    }

    /// Saves some more, about as much as `orders` orders; whether anything is left.
    pub fn advance(&mut self, replica: &Replica, orders: usize) -> bool {
        let enough = self.pieces[ORDERS].len() + orders.saturating_mul(ORDER_BYTES);
        let mut instruments_left = orders / INSTRUMENT_COST + 1;
        if self.save_prints(replica) && orders < PRINTS_SLICE * INSTRUMENT_COST {
            return true;
        }
        while self.save_prints(replica) {}
        while self.next < self.is_saved.len() {
            if self.pieces[ORDERS].len() >= enough || instruments_left == 0 {
                return true;
            }
            instruments_left -= 1;
            self.save_if_due(self.next, replica);
            self.next += 1;
        }
        if !self.is_complete {
            self.is_complete = true;
            let sizes = &mut self.pieces[SIZES];
            sizes.put_len(self.instruments);
            sizes.put_len(self.books);
            sizes.put_len(self.books_of_levels);
        }
        false
    }

    /// Takes what was saved since the last time, by name.
    pub fn take(&mut self) -> Vec<(&'static str, Vec<u8>)> {
        let pieces = SAVED_PIECES.into_iter().zip(&mut self.pieces);
        let taken = pieces.map(|(name, piece)| (name, std::mem::take(piece).into_bytes()));
        taken.filter(|(_, bytes)| !bytes.is_empty()).collect()
    }

    /// Bytes that were saved and not taken.
    pub fn pending_bytes(&self) -> usize {
        self.pieces.iter().map(StateWriter::len).sum()
    }

    /// All pieces, in their order, of a saving from which nothing was taken.
    pub(super) fn write(&self, writer: &mut StateWriter) {
        self.pieces.iter().for_each(|piece| writer.append(piece));
    }

    fn save_if_due(&mut self, index: usize, replica: &Replica) {
        if self.is_saved.get(index) == Some(&false) {
            self.is_saved[index] = true;
            self.save(index, replica);
        }
    }

    fn save(&mut self, index: usize, replica: &Replica) {
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
        for side in [Side::Buy, Side::Sell] {
            for level in replica.books.levels(id, side) {
                let queue = replica.books.queue(level);
                queue.for_each(|order| save_order(&order, &mut self.pieces[ORDERS]));
            }
        }
    }

    /// Saves the next slice of prints, oldest first; whether any are left.
    fn save_prints(&mut self, replica: &Replica) -> bool {
        let until = self.prints.min(self.prints_saved + PRINTS_SLICE);
        for nth in self.prints_saved..until {
            let index = (self.oldest_print + nth) % self.prints;
            replica.prints.save_one(index, &mut self.pieces[PRINTS]);
        }
        self.prints_saved = until;
        until < self.prints
    }
}
