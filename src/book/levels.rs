//! Price levels as a venue tells them: books of feeds that name no orders.
//!
//! ```text
//!   bids   | price, qty, orders | ... | best |        asks   | ... | best |
//!            worst                                     worst
//! ```
//!
//! A side is one sorted vector with its best level at the end: nearly all updates are near the
//! touch, where an insertion moves little.

use super::tape::{Units, hash_words};
use super::view::LevelView;
use crate::error::Result;
use crate::hash::RunningHash;
use crate::limits::INSTRUMENTS_MAX;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, Price, Qty, Side};

/// Bytes of a saved level, and of a saved book without any.
const LEVEL_BYTES: usize = 8 + 8 + 4;
pub(super) const LEVEL_BOOK_BYTES: usize = 4 + 2 * 8;

/// The levels of every instrument whose feed tells them.
#[derive(Clone, Debug, Default)]
pub(super) struct LevelBooks {
    /// By instrument, both sides; the best level is the last one.
    books: Vec<[Vec<LevelView>; 2]>,
    count: usize,
}

impl LevelBooks {
    /// Sets what rests at a price, 0 for nothing, and gives the side's best level then.
    ///
    /// The instrument is below [`INSTRUMENTS_MAX`].
    pub(super) fn set(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        level: LevelView,
    ) -> LevelView {
        let index = instrument.0 as usize;
        if self.books.len() <= index {
            self.books.resize_with(index + 1, Default::default);
        }
        let levels = &mut self.books[index][side.index()];
        let place = levels.partition_point(|other| side.is_better(level.price, other.price));
        let is_there = levels.get(place).is_some_and(|other| other.price == level.price);
        match (level.qty.0 > 0, is_there) {
            (true, true) => levels[place] = level,
            (true, false) => {
                levels.insert(place, level);
                self.count += 1;
            }
            (false, true) => {
                levels.remove(place);
                self.count -= 1;
            }
            (false, false) => {}
        }
        levels.last().copied().unwrap_or_default()
    }

    /// Takes all levels of an instrument out.
    pub(super) fn clear(&mut self, instrument: InstrumentId) {
        if let Some(book) = self.books.get_mut(instrument.0 as usize) {
            self.count -= book.iter().map(Vec::len).sum::<usize>();
            book.iter_mut().for_each(Vec::clear);
        }
    }

    /// The levels of a side, best first.
    pub(super) fn levels(
        &self,
        instrument: InstrumentId,
        side: Side,
    ) -> impl Iterator<Item = LevelView> {
        let book = self.books.get(instrument.0 as usize);
        book.into_iter().flat_map(move |book| book[side.index()].iter().rev().copied())
    }

    /// The level at a price.
    pub(super) fn level(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> Option<LevelView> {
        let levels = &self.books.get(instrument.0 as usize)?[side.index()];
        let place = levels.partition_point(|other| side.is_better(price, other.price));
        levels.get(place).filter(|level| level.price == price).copied()
    }

    /// Levels in all books.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        let levels: usize = self.books.iter().flatten().map(Vec::capacity).sum();
        levels * size_of::<LevelView>() + self.books.capacity() * size_of::<[Vec<LevelView>; 2]>()
    }

    /// Takes an instrument's levels into a hash: bids, then offers, by ascending price, each with
    /// symbol, side, price and quantity.
    pub(super) fn hash(&self, instrument: InstrumentId, units: &Units, hash: &mut RunningHash) {
        let Some([bids, asks]) = self.books.get(instrument.0 as usize) else { return };
        let sides = [(Side::Buy, bids.iter()), (Side::Sell, asks.iter())];
        for (side, levels) in sides {
            let take = |level: &LevelView| {
                let (price, qty) = (units.price(level.price), units.qty(level.qty));
                hash_words(hash, [units.symbol, side as u64, price, qty]);
            };
            match side {
                Side::Buy => levels.for_each(take),
                Side::Sell => levels.rev().for_each(take),
            }
        }
    }

    /// Writes the levels of an instrument; whether there are any.
    pub(super) fn save_one(&self, instrument: InstrumentId, writer: &mut StateWriter) -> bool {
        let book = self.books.get(instrument.0 as usize);
        let Some(book) = book.filter(|book| book.iter().any(|side| !side.is_empty())) else {
            return false;
        };
        writer.put_u32(instrument.0);
        for side in book {
            writer.put_len(side.len());
            for level in side {
                writer.put_i64(level.price.0);
                writer.put_u64(level.qty.0);
                writer.put_u32(level.orders);
            }
        }
        true
    }

    /// Reads `count` books that [`save_one`](Self::save_one) wrote.
    pub(super) fn load(count: usize, reader: &mut StateReader<'_>) -> Result<Self> {
        let mut loaded = Self::default();
        for _ in 0..count {
            let id = reader.u32()?;
            if id as usize >= INSTRUMENTS_MAX {
                return Err(reader.bad(format!("levels of instrument {id}")));
            }
            for side in [Side::Buy, Side::Sell] {
                for _ in 0..reader.len(LEVEL_BYTES)? {
                    let (price, qty) = (Price(reader.i64()?), Qty(reader.u64()?));
                    let level = LevelView { price, qty, orders: reader.u32()? };
                    loaded.set(InstrumentId(id), side, level);
                }
            }
        }
        Ok(loaded)
    }
}
