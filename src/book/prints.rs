//! The prints that may still be broken: quantity and price by match number.
//!
//! A broken trade names its match and nothing else, so its quantity must be remembered. Broken
//! trades are a handful a day while prints are millions (7 million on a busy NASDAQ day), so a
//! print costs one sequential write of 24 bytes and a broken trade a search from the latest print
//! back. The newest [`BREAKABLE_PRINTS_MAX`] are kept in 24 MiB, reserved at the start and backed
//! with memory as prints come. A break of an older print is counted, and its volume stays.

use crate::error::Result;
use crate::limits::{BREAKABLE_PRINTS_MAX, INSTRUMENTS_MAX};
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, MatchId, Price, Qty};

/// One print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    /// Match number and instrument, see [`key`].
    key: u64,
    qty: Qty,
    /// [`NO_PRICE`] when it is not known.
    price: Price,
}

const _: () = assert!(INSTRUMENTS_MAX.is_power_of_two() && size_of::<Print>() == 24);

/// Bytes of a saved print.
pub(super) const PRINT_BYTES: usize = 24;

/// The price of a print at an unknown order's.
const NO_PRICE: Price = Price(i64::MIN);

/// The newest prints, in a ring.
#[derive(Clone, Debug)]
pub(super) struct Prints {
    prints: Vec<Print>,
    /// Where the oldest print is, once the ring is full.
    oldest: usize,
}

/// What names a print: its match number, with its instrument in the upper 20 bits, which are 0 in
/// the numbers of every venue.
#[inline]
fn key(match_id: MatchId, instrument: InstrumentId) -> u64 {
    match_id.0 ^ u64::from(instrument.0) << (u64::BITS - INSTRUMENTS_MAX.ilog2())
}

impl Print {
    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_u64(self.key);
        writer.put_u64(self.qty.0);
        writer.put_i64(self.price.0);
    }
}

impl Prints {
    /// Remembers a print.
    #[inline]
    pub(super) fn note(
        &mut self,
        match_id: MatchId,
        instrument: InstrumentId,
        qty: Qty,
        price: Option<Price>,
    ) {
        let key = key(match_id, instrument);
        let print = Print { key, qty, price: price.unwrap_or(NO_PRICE) };
        if self.prints.len() < BREAKABLE_PRINTS_MAX {
            self.prints.push(print);
            return;
        }
        self.prints[self.oldest] = print;
        self.oldest = (self.oldest + 1) % BREAKABLE_PRINTS_MAX;
    }

    /// Quantity and price of a print that is broken now; `None` when unknown or broken before.
    pub(super) fn take(
        &mut self,
        match_id: MatchId,
        instrument: InstrumentId,
    ) -> Option<(Qty, Option<Price>)> {
        let index = self.find(match_id, instrument)?;
        let print = &mut self.prints[index];
        let price = (print.price != NO_PRICE).then_some(print.price);
        Some((std::mem::take(&mut print.qty), price))
    }

    /// The index of a print that is not broken.
    pub(super) fn find(&self, match_id: MatchId, instrument: InstrumentId) -> Option<usize> {
        let key = key(match_id, instrument);
        let is_it = |print: &Print| print.key == key && print.qty.0 > 0;
        let (newer, older) = self.prints.split_at(self.oldest);
        let among_older = || Some(self.oldest + older.iter().rposition(is_it)?);
        newer.iter().rposition(is_it).or_else(among_older)
    }

    /// Bytes of memory used.
    pub(super) fn bytes(&self) -> usize {
        self.prints.len() * size_of::<Print>()
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    /// The index of the oldest one; those that came after it follow, in a circle.
    pub(super) fn oldest(&self) -> usize {
        self.oldest
    }

    /// The print at an index.
    pub(super) fn nth(&self, index: usize) -> &Print {
        &self.prints[index]
    }

    /// Reads `count` prints, oldest first.
    pub(super) fn load(count: usize, reader: &mut StateReader<'_>) -> Result<Self> {
        if count > BREAKABLE_PRINTS_MAX {
            return Err(reader.bad(format!("{count} prints are more than are kept")));
        }
        let mut loaded = Self::default();
        for _ in 0..count {
            loaded.prints.push(Print {
                key: reader.u64()?,
                qty: Qty(reader.u64()?),
                price: Price(reader.i64()?),
            });
        }
        Ok(loaded)
    }
}

impl Default for Prints {
    fn default() -> Self {
        Self { prints: Vec::with_capacity(BREAKABLE_PRINTS_MAX), oldest: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: InstrumentId = InstrumentId(3);

    #[test]
    fn a_print_is_broken_once_and_only_on_its_instrument() {
        let mut prints = Prints::default();
        prints.note(MatchId(7), X, Qty(100), Some(Price(5)));
        assert_eq!(prints.take(MatchId(7), InstrumentId(4)), None);
        assert_eq!(prints.take(MatchId(7), X), Some((Qty(100), Some(Price(5)))));
        assert_eq!(prints.take(MatchId(7), X), None);
    }

    #[test]
    fn the_largest_quantity_of_the_last_instrument_is_kept() {
        let last = InstrumentId(INSTRUMENTS_MAX as u32 - 1);
        let mut prints = Prints::default();
        prints.note(MatchId(1), last, Qty(u64::MAX), None);
        assert_eq!(prints.take(MatchId(1), X), None);
        assert_eq!(prints.take(MatchId(1), last), Some((Qty(u64::MAX), None)));
        assert_eq!(prints.take(MatchId(1), last), None);
    }

    #[test]
    fn the_newest_prints_are_kept_in_bounded_memory_and_survive_saving() {
        let mut prints = Prints::default();
        for number in 0..BREAKABLE_PRINTS_MAX as u64 + 2 {
            prints.note(MatchId(number), X, Qty(number + 1), None);
        }
        let mut writer = StateWriter::default();
        for nth in 0..prints.len() {
            prints.nth((prints.oldest() + nth) % prints.len()).save(&mut writer);
        }
        let bytes = writer.into_bytes();
        let mut reader = StateReader::new("test", &bytes);
        let mut loaded = Prints::load(prints.len(), &mut reader).expect("just saved");
        for prints in [&mut prints, &mut loaded] {
            assert_eq!(prints.take(MatchId(1), X), None);
            assert_eq!(prints.take(MatchId(2), X), Some((Qty(3), None)));
            let newest = BREAKABLE_PRINTS_MAX as u64 + 1;
            assert_eq!(prints.take(MatchId(newest), X), Some((Qty(newest + 1), None)));
            prints.note(MatchId(newest + 1), X, Qty(1), None);
            assert_eq!(prints.take(MatchId(3), X), Some((Qty(4), None)));
            prints.note(MatchId(newest + 2), X, Qty(1), None);
            assert_eq!(prints.take(MatchId(4), X), Some((Qty(5), None)));
        }
        assert_eq!(prints.prints.len(), BREAKABLE_PRINTS_MAX);
    }
}
