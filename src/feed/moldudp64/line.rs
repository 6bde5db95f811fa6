//! What one line brought of a session, and what another had to bring in its place.
//!
//! ```text
//!   numbers     1     4     7     10    13
//!   line A      |1-3  |4-6        |10-12      holes of A: 7-9
//!   line B      |1-3        |7-9  |10-12      holes of B: 4-6
//! ```
//!
//! A hole closes when its messages come late on the line itself. What is left of it came elsewhere,
//! or was given up.

use std::collections::VecDeque;
use std::ops::Range;

use crate::feed::LineCounts;

/// Ranges that are remembered; what is older has become what it is for good.
const RANGES_MAX: usize = 256;

/// Ranges of message numbers, ascending.
#[derive(Debug, Default)]
pub(super) struct Ranges(VecDeque<Range<u64>>);

/// How far a line is.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The number behind the last message that came; `None` before the first.
    reached: Option<u64>,
    holes: Ranges,
}

impl Ranges {
    /// Adds a range behind all others.
    pub(super) fn push(&mut self, range: Range<u64>) {
        if self.0.len() == RANGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(range);
    }

    /// How many numbers of a range are in these.
    fn shared_with(&self, range: &Range<u64>) -> u64 {
        self.0.iter().map(|own| overlap(own, range).map_or(0, |both| both.end - both.start)).sum()
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
            for closed in self.holes.take_out(&numbers) {
                counts.missing -= closed.end - closed.start;
                counts.filled -= closed.end - closed.start - lost.shared_with(&closed);
            }
        } else if numbers.start > reached {
            let hole = reached..numbers.start;
            counts.missing += hole.end - hole.start;
            counts.filled += hole.end - hole.start - lost.shared_with(&hole);
            self.holes.push(hole);
        }
        self.reached = Some(reached.max(numbers.end));
        is_late
    }

    /// Messages were given up: what is missing of them here did not come elsewhere.
    pub(super) fn give_up(&self, numbers: &Range<u64>, counts: &mut LineCounts) {
        counts.filled -= self.holes.shared_with(numbers);
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
}
