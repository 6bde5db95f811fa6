//! The price levels of one side, sorted, with the touch at the end of a contiguous vector.
//!
//! ```text
//!   bids   ... 99.97  99.98  99.99  100.00 |   <- push and pop here
//!   asks   ... 100.05 100.03 100.02 100.01 |
//! ```
//!
//! Prices become keys that ascend toward the touch on either side, so that one search serves both.
//! Activity is near the touch: a search looks at the last rungs one by one and only then halves the
//! rest. A level that comes or goes far away moves the rungs between it and the touch, 16 bytes
//! each: adding and deleting one at the far end of 10,000 levels takes some 5 us together.

use crate::units::{Price, Side};

/// Rungs at the touch that are searched one by one: two cache lines.
const NEAR_RUNGS: usize = 8;

/// A level's price and handle.
#[derive(Clone, Copy, Debug)]
struct Rung {
    key: i64,
    level: u32,
}

/// One side of a book.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    rungs: Vec<Rung>,
}

/// A number that grows with a price's priority on its side.
///
/// The complement reverses the order of all `i64`, which negation does not (`i64::MIN`).
#[inline]
fn key(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.0,
        Side::Sell => !price.0,
    }
}

impl Ladder {
    /// The level at `price`, or the place where it belongs.
    #[inline]
    pub(super) fn find(&self, side: Side, price: Price) -> Result<u32, usize> {
        self.search(key(side, price)).map(|position| self.rungs[position].level)
    }

    /// Puts a level in the place that [`find`](Self::find) named.
    #[inline]
    pub(super) fn insert(&mut self, position: usize, side: Side, price: Price, level: u32) {
        self.rungs.insert(position, Rung { key: key(side, price), level });
    }

    /// Takes the level at `price` out.
    #[inline]
    pub(super) fn remove(&mut self, side: Side, price: Price) {
        if let Ok(position) = self.search(key(side, price)) {
            self.rungs.remove(position);
        }
    }

    /// The best level.
    #[inline]
    pub(super) fn best(&self) -> Option<u32> {
        self.rungs.last().map(|rung| rung.level)
    }

    /// The levels, best last.
    pub(super) fn levels(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.rungs.iter().map(|rung| rung.level)
    }

    /// Takes all levels out.
    pub(super) fn clear(&mut self) {
        self.rungs.clear();
    }

    /// Bytes of memory held beside the structure itself.
    pub(super) fn bytes(&self) -> usize {
        self.rungs.capacity() * size_of::<Rung>()
    }

    #[inline]
    fn search(&self, key: i64) -> Result<usize, usize> {
        let near = self.rungs.len().saturating_sub(NEAR_RUNGS);
        for (position, rung) in self.rungs.iter().enumerate().skip(near).rev() {
            if rung.key <= key {
                return if rung.key == key { Ok(position) } else { Err(position + 1) };
            }
        }
        self.rungs[..near].binary_search_by_key(&key, |rung| rung.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stay_sorted_toward_the_touch_on_both_sides_at_all_prices() {
        let prices = [0, 5, -3, i64::MAX, i64::MIN, 1_999_999_900, 7, 8, 9, 10, 11, 12, 13];
        for side in [Side::Buy, Side::Sell] {
            let mut ladder = Ladder::default();
            for (level, &price) in prices.iter().enumerate() {
                let place = ladder.find(side, Price(price)).expect_err("new level");
                ladder.insert(place, side, Price(price), level as u32);
            }
            let listed: Vec<i64> = ladder.levels().map(|level| prices[level as usize]).collect();
            assert!(listed.is_sorted_by(|&a, &b| side.is_better(Price(b), Price(a))), "{listed:?}");
            for (level, &price) in prices.iter().enumerate() {
                assert_eq!(ladder.find(side, Price(price)), Ok(level as u32));
                ladder.remove(side, Price(price));
                assert!(ladder.find(side, Price(price)).is_err());
            }
            assert_eq!(ladder.best(), None);
        }
    }
}
