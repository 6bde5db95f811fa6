//! Numbers that were used once.

use std::collections::BTreeMap;

/// A set of numbers, kept as ranges: who numbers one by one takes the room of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    /// The last number of each range, by its first.
    ranges: BTreeMap<u64, u64>,
}

impl Used {
    /// Notes a number; whether it was there.
    pub(super) fn note(&mut self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back().map(|(&first, &last)| (first, last));
        if before.is_some_and(|(_, last)| last >= number) {
            return true;
        }
        let adjacent = before.filter(|&(_, last)| last + 1 == number);
        let first = adjacent.map_or(number, |(first, _)| first);
        let last = self.ranges.remove(&(number + 1)).unwrap_or(number);
        self.ranges.insert(first, last);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once_and_neighbours_share_a_range() {
        let mut used = Used::default();
        for number in [5, 7, 6, 1, 2, 9] {
            assert!(!used.note(number), "{number}");
        }
        assert!([1, 2, 5, 6, 7, 9].into_iter().all(|number| used.note(number)));
        assert_eq!(used.ranges, BTreeMap::from([(1, 2), (5, 7), (9, 9)]));
    }
}
