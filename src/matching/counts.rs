//! What a matcher counts: rejects by reason, and sizes.

use crate::event::Reason;

/// Reasons that rejects are counted by.
const REASONS: usize = {
    let all = Reason::ALL;
    all[all.len() - 1] as usize + 1
};

/// Rejects of a matcher, by reason.
///
/// ```
/// use ringtape::event::Reason;
/// use ringtape::matching::MatcherCounts;
///
/// let counts = MatcherCounts::default();
/// assert_eq!((counts.rejected(Reason::Capacity), counts.rejects().count()), (0, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatcherCounts {
    pub(super) rejected: [u64; REASONS],
}

impl Default for MatcherCounts {
    fn default() -> Self {
        Self { rejected: [0; REASONS] }
    }
}

impl MatcherCounts {
    pub(super) fn note(&mut self, reason: Reason) {
        self.rejected[reason as usize] += 1;
    }

    /// Commands that were rejected for a reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    /// All reasons that commands were rejected for, with how many.
    pub fn rejects(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counted = Reason::ALL.iter().map(|&reason| (reason, self.rejected(reason)));
        counted.filter(|&(_, count)| count > 0)
    }
}

/// Sizes of a matcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatcherTotals {
    /// Instruments that were defined.
    pub instruments: usize,
    /// Orders that rest, pend or wait.
    pub live_orders: usize,
    /// Price levels of displayed and hidden orders.
    pub levels: usize,
    /// Matches so far.
    pub matches: u64,
    /// Bytes of memory that slabs, books and index hold, spare room included.
    pub bytes: usize,
}
