//! What one line brought of a session, and what another had to bring in its place.
//!
//! ```text
//!   numbers     1     4     7     10    13
//!   line A      |1-3  |4-6        |10-12      holes of A: 7-9
//!   line B      |1-3        |7-9  |10-12      holes of B: 4-6
//! ```
//!
//! A hole closes when its messages come late on the line itself. What is left of it came elsewhere,
//! or was given up. Numbers may be damaged, in one session after another: counts end where 64 bits
//! do.

use std::collections::VecDeque;
use std::ops::Range;

use crate::feed::LineCounts;

/// Ranges that are remembered; what is older has become what it is for good.
const RANGES_MAX: usize = 256;

/// Ranges of message numbers, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ranges(VecDeque<Range<u64>>);

/// How far a line is.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The number behind the last message that came; `None` before the first.
    reached: Option<u64>,
    /// What did not come on it, and was not given up.
    holes: Ranges,
    /// What did not come on it, and was.
    lost: Ranges,
}

impl Ranges {
    /// Adds a range, and forgets the oldest where there are too many.
    pub(super) fn push(&mut self, range: Range<u64>) {
        self.0.push_back(range);
        self.forget_oldest();
    }

    /// How many numbers of a range are in these, which do not overlap.
    pub(super) fn count(&self, range: &Range<u64>) -> u64 {
        self.0.iter().filter_map(|own| overlap(own, range)).map(|both| both.end - both.start).sum()
    }

    /// The parts of a range that are in these, and those that are not.
    pub(super) fn split(&self, range: Range<u64>) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let (mut within, mut left) = (Vec::new(), Self(VecDeque::from([range])));
        for own in &self.0 {
            within.append(&mut left.take_out(own));
        }
        (within, left.0.into())
    }

    /// Takes a range out; the parts that were in these.
    fn take_out(&mut self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut taken = Vec::new();
        let mut left = VecDeque::with_capacity(self.0.len() + 1);
        for own in self.0.drain(..) {
            let Some(both) = overlap(&own, range) else {
                left.push_back(own);
                continue;
            };
            let around = [own.start..both.start, both.end..own.end];
            left.extend(around.into_iter().filter(|part| !part.is_empty()));
            taken.push(both);
        }
        self.0 = left;
        taken
    }

    fn forget_oldest(&mut self) {
        let more = self.0.len().saturating_sub(RANGES_MAX);
        self.0.drain(..more);
    }
}

/// How many numbers are in ranges that do not overlap.
fn count(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (!both.is_empty()).then_some(both)
}

impl Line {
    /// A packet with these numbers came; `lost` was given up. Whether it is behind a later one.
    pub(super) fn note(
        &mut self,
        numbers: Range<u64>,
        lost: &Ranges,
        counts: &mut LineCounts,
    ) -> bool {
        let reached = *self.reached.get_or_insert(numbers.start);
        let is_late = numbers.start < reached;
        if is_late {
            let closed = count(&self.holes.take_out(&numbers));
            let found = closed + count(&self.lost.take_out(&numbers));
            counts.filled = counts.filled.saturating_sub(closed);
            counts.missing = counts.missing.saturating_sub(found);
            // What came in the middle of a hole made two of it.
            self.holes.forget_oldest();
            self.lost.forget_oldest();
        } else if numbers.start > reached {
            let (lost, holes) = lost.split(reached..numbers.start);
            counts.filled = counts.filled.saturating_add(count(&holes));
            counts.missing = counts.missing.saturating_add(numbers.start - reached);
            holes.into_iter().for_each(|hole| self.holes.push(hole));
            lost.into_iter().for_each(|hole| self.lost.push(hole));
        }
        self.reached = Some(reached.max(numbers.end));
        is_late
    }

    /// Messages were given up: what is missing of them here did not come elsewhere.
    pub(super) fn give_up(&mut self, numbers: &Range<u64>, counts: &mut LineCounts) {
        for hole in self.holes.take_out(numbers) {
            counts.filled = counts.filled.saturating_sub(hole.end - hole.start);
            self.lost.push(hole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::SplitMix64;

    #[test]
    fn a_line_counts_as_one_who_looks_at_every_number_does() {
        for seed in 0..200 {
            let mut random = SplitMix64::new(seed);
            let (mut line, mut lost, mut counts) =
                (Line::default(), Ranges::default(), LineCounts::default());
            let (mut seen, mut given_up) = (vec![], vec![]);
            let (mut first, mut next) = (None, 100);
            for _ in 0..60 {
                // Given up is what nobody brought so far, and in order.
                let from = given_up.last().map_or(100, |last| last + 1).max(next - random.below(6));
                let wanted = from..next + random.below(3);
                let is_missing = wanted.clone().all(|number| !seen.contains(&number));
                if !wanted.is_empty() && is_missing && first.is_some() && random.below(4) == 0 {
                    line.give_up(&wanted, &mut counts);
                    given_up.extend(wanted.clone());
                    lost.push(wanted);
                }
                let number = match random.below(3) {
                    0 => next + random.below(5),
                    1 => next.saturating_sub(random.below(20)).max(first.unwrap_or(next)),
                    _ => next,
                };
                let numbers = number..number + random.below(4);
                let is_late = line.note(numbers.clone(), &lost, &mut counts);
                assert_eq!(is_late, number < next, "seed {seed}");
                let first = *first.get_or_insert(number);
                next = next.max(numbers.end);
                seen.extend(numbers);
                let missing: Vec<u64> = (first..next).filter(|one| !seen.contains(one)).collect();
                let filled = missing.iter().filter(|one| !given_up.contains(one)).count() as u64;
                let expected = (missing.len() as u64, filled);
                assert_eq!((counts.missing, counts.filled), expected, "seed {seed}");
            }
        }
    }

    #[test]
    fn what_came_late_on_a_line_is_counted_after_any_number_of_losses() {
        let (mut line, mut lost, mut counts) =
            (Line::default(), Ranges::default(), LineCounts::default());
        // This line has nothing of 1 to 9, nobody else either; then it is silent while the other
        // one loses much.
        line.note(0..1, &lost, &mut counts);
        lost.push(1..10);
        line.note(10..11, &lost, &mut counts);
        assert_eq!((counts.missing, counts.filled), (9, 0));
        for number in 0..2 * RANGES_MAX as u64 {
            let range = 20 + 10 * number..25 + 10 * number;
            line.give_up(&range, &mut counts);
            lost.push(range);
        }
        assert!(line.note(1..10, &lost, &mut counts));
        assert_eq!((counts.missing, counts.filled), (0, 0));
    }

    #[test]
    fn a_line_remembers_so_many_ranges_and_no_more() {
        let (mut line, lost, mut counts) =
            (Line::default(), Ranges::default(), LineCounts::default());
        line.note(0..1, &lost, &mut counts);
        line.note(10_000..10_001, &lost, &mut counts);
        // Every second message comes late: each leaves one hole more.
        (1..5_000).for_each(|half| _ = line.note(2 * half..2 * half + 1, &lost, &mut counts));
        assert_eq!(line.holes.0.len(), RANGES_MAX);
    }
}
