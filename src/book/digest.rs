//! The hash of the books: the history of the touch, then what rests.

use super::order::Level;
use super::replica::Replica;
use super::tape::{Units, hash_words};
use crate::hash::RunningHash;
use crate::units::{InstrumentId, Side};

impl Replica {
    /// A hash of every touch so far and of every resting order.
    ///
    /// A [`RunningHash`] over records of little-endian `u64`s. First, as they came, one for each
    /// change of a best bid or offer after LAST: symbol, bid price, bid quantity, ask price, ask
    /// quantity; zeros for an empty side. Then the resting orders by symbol text, side (bids
    /// first), ascending price and queue: for each level symbol, side (1, 2), price and number of
    /// orders, and for each of its orders reference and open quantity.
    ///
    /// Of an instrument whose feed tells levels and no orders each level has symbol, side, price
    /// and quantity instead, so that its hash compares with that of other feeds of levels only.
    ///
    /// A symbol is the [`hash_bytes`](crate::hash::hash_bytes) of its text, a price is in 1e-9 of
    /// the currency and a quantity in 1e-9 of a unit, modulo 2^64. Instrument numbers,
    /// attributions, statistics and ingest times do not enter. Costs a walk over all orders.
    pub fn books_hash(&self) -> u64 {
        let mut hash = self.touches;
        let mut instruments: Vec<(String, InstrumentId)> = (0..self.tapes.len() as u32)
            .map(InstrumentId)
            .filter(|&id| self.books.touch(id) != Default::default())
            .map(|id| (self.instruments.symbol(id), id))
            .collect();
        instruments.sort_unstable();
        for (_, id) in instruments {
            let units = self.units(id);
            // Ladders end at the touch: bids ascend, offers descend.
            for level in self.books.levels(id, Side::Buy) {
                self.hash_level(level, &units, &mut hash);
            }
            for level in self.books.levels(id, Side::Sell).rev() {
                self.hash_level(level, &units, &mut hash);
            }
            self.level_books.hash(id, &units, &mut hash);
        }
        hash.value()
    }

    /// The units of an instrument, assumed where nothing defines it.
    fn units(&self, id: InstrumentId) -> Units {
        let units = self.books.book(id).map(|book| book.units);
        units.filter(Units::are_known).unwrap_or_else(|| Units::assumed(id))
    }

    fn hash_level(&self, level: &Level, units: &Units, hash: &mut RunningHash) {
        let (side, orders) = (level.side() as u64, u64::from(level.orders));
        hash_words(hash, [units.symbol, side, units.price(level.price), orders]);
        for order in self.books.queue(level) {
            hash_words(hash, [order.order_id.0, units.qty(order.qty)]);
        }
    }
}
