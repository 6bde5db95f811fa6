//! The price levels of one side, sorted, with the touch at the end of a contiguous row.
//!
//! ```text
//!          far blocks of at most 128 rungs           near: at most 256 rungs
//!   bids | 90.00 .. 91.27 | 91.28 .. 92.55 | ...   | 99.97  99.98  99.99  100.00 | <- touch
//! ```
//!
//! The near rungs of all ladders lie on one [`Shelf`]; a ladder names its row.
//!
//! Prices become keys that ascend toward the touch on either side, so that one search serves both.
//! Activity is near the touch: a search counts the last rungs that are better, without a branch a
//! rung, and only then halves the rest. A level that comes or goes moves the rungs between it and
//! the touch, 16 bytes each.
//!
//! A side of more than 256 levels spills its far ones into blocks, so that a level that comes or
//! goes far away moves no more than a block, whatever the number of levels.

mod far;
mod shelf;

use bytemuck::{Pod, Zeroable};

use self::far::Far;
use self::shelf::Row;
pub(super) use self::shelf::Shelf;
use crate::units::{Price, Side};

/// Rungs at the touch that are searched together: two cache lines.
const TOUCH_RUNGS: usize = 8;

/// Rungs near the touch before the far half of them is spilled.
const NEAR_RUNGS_MAX: usize = 1 << shelf::BITS_MAX;

/// A level's price and handle.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Rung {
    key: i64,
    level: u32,
    pad: u32,
}

/// One side of a book.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    near: Row,
    /// The rungs worse than all near ones; `None` until a side first has so many.
    far: Option<Box<Far>>,
}

/// Where a price without a level belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Before the near rung of this position.
    Near(usize),
    /// Among the far ones.
    Far,
}

/// A number that grows with a price's priority on its side.
///
/// The complement reverses the order of all `i64`, which negation does not (`i64::MIN`).
#[inline(always)]
fn key(side: Side, price: Price) -> i64 {
    // All ones for offers, nothing for bids.
    price.0 ^ -i64::from(side == Side::Sell)
}

impl Default for Ladder {
    fn default() -> Self {
        Self { near: Row::EMPTY, far: None }
    }
}

impl Ladder {
    /// The level at `price`, or the place where it belongs.
    #[inline(always)]
    pub(super) fn find(&self, side: Side, price: Price, shelf: &Shelf) -> Result<u32, Gap> {
        let key = key(side, price);
        let near = shelf.row(self.near);
        match search(near, key) {
            Ok(position) => Ok(near[position].level),
            Err(0) if self.has_far() => self.find_far(key),
            Err(position) => Err(Gap::Near(position)),
        }
    }

    /// Puts a level in the place that [`find`](Self::find) named.
    #[inline]
    pub(super) fn insert(
        &mut self,
        gap: Gap,
        side: Side,
        price: Price,
        level: u32,
        shelf: &mut Shelf,
    ) {
        let rung = Rung { key: key(side, price), level, pad: 0 };
        match gap {
            Gap::Near(position) => {
                shelf.insert(&mut self.near, position, rung);
                if self.near.len() == NEAR_RUNGS_MAX {
                    self.spill(shelf);
                }
            }
            Gap::Far => self.far.get_or_insert_default().insert(rung),
        }
    }

    /// Takes the level at `price` out.
    #[inline]
    pub(super) fn remove(&mut self, side: Side, price: Price, shelf: &mut Shelf) {
        let key = key(side, price);
        if let Ok(position) = search(shelf.row(self.near), key) {
            shelf.remove(&mut self.near, position);
            if self.near.len() == 0 && self.has_far() {
                self.fetch(shelf);
            }
        } else if let Some(far) = &mut self.far {
            far.remove(key);
        }
    }

    /// The best level.
    #[inline]
    pub(super) fn best(&self, shelf: &Shelf) -> Option<u32> {
        shelf.row(self.near).last().map(|rung| rung.level)
    }

    /// The levels, best last.
    pub(super) fn levels<'a>(
        &'a self,
        shelf: &'a Shelf,
    ) -> impl DoubleEndedIterator<Item = u32> + 'a {
        let far = self.far.iter().flat_map(|far| far.rungs());
        far.chain(shelf.row(self.near)).map(|rung| rung.level)
    }

    /// Takes all levels out.
    pub(super) fn clear(&mut self, shelf: &mut Shelf) {
        shelf.clear(&mut self.near);
        self.far = None;
    }

    /// Bytes of memory held beside the structure itself and its row.
    pub(super) fn bytes(&self) -> usize {
        self.far.as_ref().map_or(0, |far| far.bytes())
    }

    /// Asks for the rungs at the touch.
    #[inline(always)]
    pub(super) fn prefetch_touch(&self, shelf: &Shelf) {
        shelf.prefetch_end(self.near);
    }

    #[inline(always)]
    fn has_far(&self) -> bool {
        self.far.as_ref().is_some_and(|far| !far.is_empty())
    }

    #[cold]
    fn find_far(&self, key: i64) -> Result<u32, Gap> {
        let found = self.far.as_ref().and_then(|far| far.find(key));
        found.ok_or(Gap::Far)
    }

    /// Moves the far half of the near rungs into a block.
    #[cold]
    fn spill(&mut self, shelf: &mut Shelf) {
        let block = self.far.get_or_insert_default().push();
        shelf.drain(&mut self.near, NEAR_RUNGS_MAX / 2, block);
    }

    /// Moves the nearest block back.
    #[cold]
    fn fetch(&mut self, shelf: &mut Shelf) {
        if let Some(far) = &mut self.far {
            far.pop(|(position, rung)| shelf.insert(&mut self.near, position, rung));
        }
    }
}

/// The position of a key, or the one where it belongs.
#[inline(always)]
fn search(rungs: &[Rung], key: i64) -> Result<usize, usize> {
    let end = match rungs.last_chunk::<TOUCH_RUNGS>() {
        Some(touch) if touch[0].key <= key => rungs.len() - TOUCH_RUNGS + not_better(touch, key),
        Some(_) => search_deep(&rungs[..rungs.len() - TOUCH_RUNGS], key),
        None => rungs.iter().filter(|rung| rung.key <= key).count(),
    };
    match rungs[..end].last() {
        Some(rung) if rung.key == key => Ok(end - 1),
        _ => Err(end),
    }
}

/// The end of the rungs that are not better than a key, looked for in steps that double from the
/// touch, then between the last two.
///
/// WHY: the loads of the steps do not wait for one another, because the processor guesses that the
/// next step is made; a search that halves waits for every one, and rungs away from the touch are
/// in no cache: a fifth of the time of a day's stream was spent there.
#[inline(never)]
fn search_deep(rungs: &[Rung], key: i64) -> usize {
    let mut end = rungs.len();
    let mut step = TOUCH_RUNGS;
    while let Some(at) = end.checked_sub(step) {
        if rungs[at].key <= key {
            break;
        }
        end = at;
        step *= 2;
    }
    let start = end.saturating_sub(step);
    start + rungs[start..end].partition_point(|rung| rung.key <= key)
}

/// How many of eight rungs are not better than a key; the worst one is not.
///
/// WHY: how deep a level lies cannot be predicted, so the steps are made without a branch.
#[inline(always)]
fn not_better(touch: &[Rung; TOUCH_RUNGS], key: i64) -> usize {
    let mut count = 1;
    for step in [4, 2, 1] {
        let rung = touch[(count + step - 1) % TOUCH_RUNGS];
        count += step * usize::from(rung.key <= key);
    }
    count
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn insert(ladder: &mut Ladder, side: Side, price: i64, level: u32, shelf: &mut Shelf) {
        let gap = ladder.find(side, Price(price), shelf).expect_err("new level");
        ladder.insert(gap, side, Price(price), level, shelf);
    }

    #[test]
    fn levels_stay_sorted_toward_the_touch_on_both_sides_at_all_prices() {
        let prices = [0, 5, -3, i64::MAX, i64::MIN, 1_999_999_900, 7, 8, 9, 10, 11, 12, 13];
        for side in [Side::Buy, Side::Sell] {
            let (mut ladder, mut shelf) = (Ladder::default(), Shelf::new());
            for (level, &price) in prices.iter().enumerate() {
                insert(&mut ladder, side, price, level as u32, &mut shelf);
            }
            let listed: Vec<i64> =
                ladder.levels(&shelf).map(|level| prices[level as usize]).collect();
            assert!(listed.is_sorted_by(|&a, &b| side.is_better(Price(b), Price(a))), "{listed:?}");
            for (level, &price) in prices.iter().enumerate() {
                assert_eq!(ladder.find(side, Price(price), &shelf), Ok(level as u32));
                ladder.remove(side, Price(price), &mut shelf);
                assert!(ladder.find(side, Price(price), &shelf).is_err());
            }
            assert_eq!(ladder.best(&shelf), None);
        }
    }

    #[test]
    fn a_side_of_thousands_of_levels_agrees_with_a_map_wherever_they_come_and_go() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for side in [Side::Buy, Side::Sell] {
            let (mut ladder, mut shelf) = (Ladder::default(), Shelf::new());
            let mut model = BTreeMap::new();
            for turn in 0..60_000u32 {
                // Grows for a while, then shrinks from the touch, from afar and in the middle.
                let price = random(6_000) as i64;
                let is_growing = turn % 30_000 < 18_000;
                let chosen = match random(3) {
                    0 => model.first_key_value(),
                    1 => model.last_key_value(),
                    _ => model.range(price..).next(),
                };
                match chosen.map(|(&price, _)| price) {
                    Some(price) if !is_growing || turn % 5 == 0 => {
                        ladder.remove(side, Price(price), &mut shelf);
                        model.remove(&price);
                    }
                    _ if !model.contains_key(&price) => {
                        insert(&mut ladder, side, price, turn, &mut shelf);
                        model.insert(price, turn);
                    }
                    _ => assert_eq!(
                        ladder.find(side, Price(price), &shelf).ok(),
                        Some(model[&price])
                    ),
                }
                let best = match side {
                    Side::Buy => model.last_key_value(),
                    Side::Sell => model.first_key_value(),
                };
                assert_eq!(ladder.best(&shelf), best.map(|(_, &level)| level));
                if turn % 500 == 0 {
                    let mut expected: Vec<u32> = model.values().copied().collect();
                    if side == Side::Sell {
                        expected.reverse();
                    }
                    assert_eq!(ladder.levels(&shelf).collect::<Vec<_>>(), expected);
                    let back: Vec<u32> = ladder.levels(&shelf).rev().collect();
                    assert!(back.into_iter().rev().eq(expected));
                }
            }
        }
    }
}
