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
//! the touch, 8 bytes each.
//!
//! WHY: a near rung keeps half of its key, so that eight share a cache line. With whole keys, four
//! to a line, a message of a day of 1.9 million live orders took 12 % longer.
//!
//! A side of more than 256 levels spills its far ones into blocks, so that a level that comes or
//! goes far away moves no more than a block, whatever the number of levels.

mod far;
mod shelf;

use std::hint::select_unpredictable;

use bytemuck::{Pod, Zeroable};

use self::far::{Far, FarRung};
use self::shelf::Row;
pub(super) use self::shelf::Shelf;
use super::slab::NIL;
use crate::units::{Price, Side};

/// Rungs at the touch that are searched together: a cache line of them.
const TOUCH_RUNGS: usize = 8;

/// Rungs near the touch before the far half of them is spilled.
const NEAR_RUNGS_MAX: usize = 1 << shelf::BITS_MAX;

/// The lower half of a level's key, and its handle.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Rung {
    key: u32,
    level: u32,
}

impl Rung {
    /// No rung: better than all that are some.
    const NONE: Self = Self { key: u32::MAX, level: NIL };
}

/// The near rungs of one side of a book.
///
/// The upper half of their keys is the same and kept once: prices of 32 bits, such as those of
/// ITCH, never know, and a book whose prices pass a multiple of 2^32 spills or fetches there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    near: Row,
    upper: i32,
}

/// The rungs of either side that are worse than all near ones; `None` until a side first has some.
#[derive(Clone, Debug, Default)]
pub(super) struct FarRungs(Option<Box<[Far; 2]>>);

/// Where a price without a level belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Before the near rung of this position.
    Near(usize),
    /// Among the far ones.
    Far,
    /// Before all rungs, which cannot lie in a row with it.
    Beyond,
}

impl FarRungs {
    #[inline]
    fn of(&self, side: Side) -> Option<&Far> {
        self.0.as_ref().map(|sides| &sides[side.index()])
    }

    fn of_mut(&mut self, side: Side) -> &mut Far {
        &mut self.0.get_or_insert_default()[side.index()]
    }

    #[inline(always)]
    fn has_any(&self, side: Side) -> bool {
        self.of(side).is_some_and(|far| !far.is_empty())
    }

    /// Bytes of memory held beside the structure itself.
    pub(super) fn bytes(&self) -> usize {
        let sides = self.0.iter().flat_map(|sides| sides.iter());
        sides.map(|far| size_of::<Far>() + far.bytes()).sum()
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self { near: Row::EMPTY, upper: 0 }
    }
}

impl Ladder {
    /// The level at `price`, or the place where it belongs.
    #[inline(always)]
    pub(super) fn find(
        &self,
        side: Side,
        price: Price,
        far: &FarRungs,
        shelf: &Shelf,
    ) -> Result<u32, Gap> {
        let key = side.priority_of(price);
        if !self.is_near(key) {
            return self.find_distant(side, key, far);
        }
        match search(shelf, self.near, key as u32) {
            (_, last) if last.key == key as u32 && last.level != NIL => Ok(last.level),
            (0, _) if far.has_any(side) => find_far(side, key, far),
            (end, _) => Err(Gap::Near(end)),
        }
    }

    /// The near level at `price`; [`NIL`] when there is none.
    #[inline(always)]
    pub(super) fn peek(&self, side: Side, price: Price, shelf: &Shelf) -> u32 {
        let key = side.priority_of(price);
        let (_, last) = search(shelf, self.near, key as u32);
        let is_it = self.is_near(key) & (last.key == key as u32);
        select_unpredictable(is_it, last.level, NIL)
    }

    /// Puts a level in the place that [`find`](Self::find) named.
    #[inline]
    pub(super) fn insert(
        &mut self,
        gap: Gap,
        side: Side,
        price: Price,
        level: u32,
        far: &mut FarRungs,
        shelf: &mut Shelf,
    ) {
        let key = side.priority_of(price);
        match gap {
            Gap::Near(position) => {
                self.upper = upper_of(key);
                shelf.insert(&mut self.near, position, Rung { key: key as u32, level });
                if self.near.len() == NEAR_RUNGS_MAX {
                    self.spill(NEAR_RUNGS_MAX / 2, far.of_mut(side), shelf);
                }
            }
            Gap::Far => far.of_mut(side).insert(FarRung { key, level }),
            Gap::Beyond => {
                self.spill(self.near.len(), far.of_mut(side), shelf);
                self.upper = upper_of(key);
                shelf.insert(&mut self.near, 0, Rung { key: key as u32, level });
            }
        }
    }

    /// Takes the level at `price` out.
    #[inline]
    pub(super) fn remove(
        &mut self,
        side: Side,
        price: Price,
        far: &mut FarRungs,
        shelf: &mut Shelf,
    ) {
        let key = side.priority_of(price);
        match search(shelf, self.near, key as u32) {
            (end, last) if self.is_near(key) && last.key == key as u32 && end > 0 => {
                shelf.remove(&mut self.near, end - 1);
                if self.near.len() == 0 && far.has_any(side) {
                    self.fetch(far.of_mut(side), shelf);
                }
            }
            _ => far.of_mut(side).remove(key),
        }
    }

    /// The best level.
    #[inline]
    pub(super) fn best(&self, shelf: &Shelf) -> Option<u32> {
        shelf.row(self.near).last().map(|rung| rung.level)
    }

    /// The levels, best last.
    pub(super) fn levels<'a>(
        &self,
        side: Side,
        far: &'a FarRungs,
        shelf: &'a Shelf,
    ) -> impl DoubleEndedIterator<Item = u32> + 'a {
        let far = far.of(side).into_iter().flat_map(|far| far.rungs()).map(|rung| rung.level);
        far.chain(shelf.row(self.near).iter().map(|rung| rung.level))
    }

    /// Takes all near levels out.
    pub(super) fn clear(&mut self, shelf: &mut Shelf) {
        shelf.clear(&mut self.near);
    }

    /// Asks for the rungs at the touch, or for none.
    #[inline(always)]
    pub(super) fn prefetch_touch_if(&self, is_wanted: bool, shelf: &Shelf) {
        let end = self.near.start as usize + self.near.len();
        shelf.prefetch_before(select_unpredictable(is_wanted, end, 0));
    }

    /// Whether a key has the upper half of the near ones.
    #[inline(always)]
    fn is_near(&self, key: i64) -> bool {
        upper_of(key) == self.upper
    }

    /// The level of a key that has not the upper half of the near ones.
    #[cold]
    fn find_distant(&self, side: Side, key: i64, far: &FarRungs) -> Result<u32, Gap> {
        match upper_of(key) > self.upper {
            _ if self.near.len() == 0 => Err(Gap::Near(0)),
            true => Err(Gap::Beyond),
            false => find_far(side, key, far),
        }
    }

    /// Moves the worst near rungs to the far ones.
    #[cold]
    fn spill(&mut self, count: usize, far: &mut Far, shelf: &mut Shelf) {
        shelf.drain(&mut self.near, count, |rung| {
            let key = i64::from(self.upper) << 32 | i64::from(rung.key);
            far.push(FarRung { key, level: rung.level });
        });
    }

    /// Moves the nearest of the far rungs back.
    #[cold]
    fn fetch(&mut self, far: &mut Far, shelf: &mut Shelf) {
        let Some(best) = far.best() else { return };
        self.upper = upper_of(best.key);
        far.pop_down_to(i64::from(self.upper) << 32, |rung| {
            let end = self.near.len();
            shelf.insert(&mut self.near, end, Rung { key: rung.key as u32, level: rung.level });
        });
    }
}

/// The half of a key that the near rungs of a side share.
#[inline(always)]
fn upper_of(key: i64) -> i32 {
    (key >> 32) as i32
}

#[cold]
fn find_far(side: Side, key: i64, far: &FarRungs) -> Result<u32, Gap> {
    far.of(side).and_then(|far| far.find(key)).ok_or(Gap::Far)
}

/// The end of a row's rungs that are not better than a key, and the last of them, or
/// [`Rung::NONE`].
#[inline(always)]
fn search(shelf: &Shelf, row: Row, key: u32) -> (usize, Rung) {
    let touch = shelf.touch(row);
    let before = row.len().saturating_sub(TOUCH_RUNGS);
    if before > 0 && touch[0].key > key {
        let rungs = &shelf.row(row)[..before];
        let end = search_deep(rungs, key);
        return (end, rungs[..end].last().copied().unwrap_or(Rung::NONE));
    }
    let count = not_better(touch, key).min(row.len());
    let last = touch[count.wrapping_sub(1) % TOUCH_RUNGS];
    (before + count, if count == 0 { Rung::NONE } else { last })
}

/// The end of the rungs that are not better than a key, looked for in steps that double from the
/// touch, then between the last two.
///
/// WHY: the loads of the steps do not wait for one another, because the processor guesses that the
/// next step is made; a search that halves waits for every one, and rungs away from the touch are
/// in no cache: a fifth of the time of a day's stream was spent there. A guess from how far apart
/// the rungs at the touch are was no faster.
#[inline(never)]
fn search_deep(rungs: &[Rung], key: u32) -> usize {
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

/// How many of eight rungs are not better than a key.
///
/// WHY: how deep a level lies cannot be predicted, so the steps are made without a branch.
#[inline(always)]
fn not_better(touch: &[Rung; TOUCH_RUNGS], key: u32) -> usize {
    let mut count = 0;
    for step in [4, 2, 1, 1] {
        let rung = touch[(count + step - 1) % TOUCH_RUNGS];
        count += step * usize::from(rung.key <= key);
    }
    count
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// One side with all its rungs.
    struct Rungs {
        side: Side,
        ladder: Ladder,
        far: FarRungs,
        shelf: Shelf,
    }

    impl Rungs {
        fn new(side: Side) -> Self {
            let (ladder, far) = (Ladder::default(), FarRungs::default());
            Self { side, ladder, far, shelf: Shelf::new() }
        }

        fn find(&self, price: i64) -> Option<u32> {
            self.ladder.find(self.side, Price(price), &self.far, &self.shelf).ok()
        }

        fn insert(&mut self, price: i64, level: u32) {
            let found = self.ladder.find(self.side, Price(price), &self.far, &self.shelf);
            let gap = found.expect_err("new level");
            let Self { side, ladder, far, shelf } = self;
            ladder.insert(gap, *side, Price(price), level, far, shelf);
        }

        fn remove(&mut self, price: i64) {
            let Self { side, ladder, far, shelf } = self;
            ladder.remove(*side, Price(price), far, shelf);
        }

        fn levels(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
            self.ladder.levels(self.side, &self.far, &self.shelf)
        }
    }

    #[test]
    fn levels_stay_sorted_toward_the_touch_on_both_sides_at_all_prices() {
        let near = [0, 5, -3, 1_999_999_900, 7, 8, 9, 10, 11, 12, 13];
        let distant =
            [i64::MAX, i64::MIN, 1 << 32, (1 << 32) - 1, -1 << 40, 1 << 60, (1 << 60) + 1];
        let prices = [&near[..], &distant[..]].concat();
        for side in [Side::Buy, Side::Sell] {
            let mut rungs = Rungs::new(side);
            for (level, &price) in prices.iter().enumerate() {
                rungs.insert(price, level as u32);
            }
            let listed: Vec<i64> = rungs.levels().map(|level| prices[level as usize]).collect();
            assert!(listed.is_sorted_by(|&a, &b| side.is_better(Price(b), Price(a))), "{listed:?}");
            for (level, &price) in prices.iter().enumerate() {
                assert_eq!(rungs.find(price), Some(level as u32));
                rungs.remove(price);
                assert_eq!(rungs.find(price), None);
            }
            assert_eq!(rungs.ladder.best(&rungs.shelf), None);
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
            let mut rungs = Rungs::new(side);
            let mut model = BTreeMap::new();
            for turn in 0..60_000u32 {
                // Grows for a while, then shrinks from the touch, from afar and in the middle. Some
                // prices are many times 2^32 away.
                let price = random(6_000) as i64 + ((random(40) as i64 / 38) << random(60));
                let is_growing = turn % 30_000 < 18_000;
                let chosen = match random(3) {
                    0 => model.first_key_value(),
                    1 => model.last_key_value(),
                    _ => model.range(price..).next(),
                };
                match chosen.map(|(&price, _)| price) {
                    Some(price) if !is_growing || turn % 5 == 0 => {
                        rungs.remove(price);
                        model.remove(&price);
                    }
                    _ if !model.contains_key(&price) => {
                        rungs.insert(price, turn);
                        model.insert(price, turn);
                    }
                    _ => assert_eq!(rungs.find(price), Some(model[&price])),
                }
                let best = match side {
                    Side::Buy => model.last_key_value(),
                    Side::Sell => model.first_key_value(),
                };
                assert_eq!(rungs.ladder.best(&rungs.shelf), best.map(|(_, &level)| level));
                if turn % 500 == 0 {
                    let mut expected: Vec<u32> = model.values().copied().collect();
                    if side == Side::Sell {
                        expected.reverse();
                    }
                    assert_eq!(rungs.levels().collect::<Vec<_>>(), expected);
                    let back: Vec<u32> = rungs.levels().rev().collect();
                    assert!(back.into_iter().rev().eq(expected));
                }
            }
        }
    }
}
