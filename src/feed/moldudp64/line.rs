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

use std::collections::BTreeMap;
use std::ops::Range;

use crate::feed::LineCounts;

/// Ranges that are remembered, more than packets are [held](super::arbiter); what is lower has
/// become what it is for good.
const RANGES_MAX: usize = 1 << 18;

/// Ranges of message numbers that do not overlap: the end of each by its start.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

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
    /// Adds a range, and forgets the lowest where there are too many.
    pub(super) fn push(&mut self, range: Range<u64>) {
        self.0.insert(range.start, range.end);
        if self.0.len() > RANGES_MAX {
            self.0.pop_first();
        }
    }

    /// How many numbers of a range are in these.
    pub(super) fn count(&self, range: &Range<u64>) -> u64 {
        self.within(range).map(|both| both.end - both.start).sum()
    }

    /// The parts of a range that are in these, and those that are not.
    pub(super) fn split(&self, range: Range<u64>) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let (within, mut left) = (self.within(&range).collect::<Vec<_>>(), Vec::new());
        let mut from = range.start;
        for own in &within {
            left.push(from..own.start);
            from = own.end;
        }
        left.push(from..range.end);
        left.retain(|part| !part.is_empty());
        (within, left)
    }

    /// Takes a range out; the parts that were in these.
    fn take_out(&mut self, range: &Range<u64>) -> Vec<Range<u64>> {
        let taken: Vec<_> = self.within(range).collect();
        for part in &taken {
            let found = self.0.range(..=part.start).next_back().map(|(start, end)| *start..*end);
            let Some(own) = found else { continue };
            self.0.remove(&own.start);
            let around = [own.start..part.start, part.end..own.end];
            around.into_iter().filter(|rest| !rest.is_empty()).for_each(|rest| self.push(rest));
        }
        taken
    }

    /// The parts of a range that are in these, the lowest first.
    fn within(&self, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let Range { start, end } = *range;
        let first = self.0.range(..=start).next_back().map_or(start, |(first, _)| *first);
        let near = self.0.range(first..end.max(first));
        near.map(move |(from, until)| start.max(*from)..end.min(*until))
            .filter(|both| !both.is_empty())
    }
}

/// How many numbers are in ranges that do not overlap.
fn count(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
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
    fn what_is_given_up_behind_hundreds_of_holes_was_not_filled() {
        let (mut line, lost, mut counts) =
            (Line::default(), Ranges::default(), LineCounts::default());
        (0..2_000).for_each(|half| _ = line.note(2 * half..2 * half + 1, &lost, &mut counts));
        assert_eq!((counts.missing, counts.filled), (1_999, 1_999));
        line.give_up(&(1..2), &mut counts);
        assert_eq!((counts.missing, counts.filled), (1_999, 1_998));
    }

    #[test]
    fn a_line_remembers_so_many_ranges_and_no_more() {
        let (mut line, lost, mut counts) =
            (Line::default(), Ranges::default(), LineCounts::default());
        line.note(0..1, &lost, &mut counts);
        let halves = RANGES_MAX as u64 + 100;
        line.note(2 * halves..2 * halves + 1, &lost, &mut counts);
        // Every second message comes late: each leaves one hole more.
        (1..halves).for_each(|half| _ = line.note(2 * half..2 * half + 1, &lost, &mut counts));
        assert_eq!(line.holes.0.len(), RANGES_MAX);
    }
}
