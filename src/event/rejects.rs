//! Rejects, counted by their reasons.

use super::codes::Reason;

/// Reasons that rejects are counted by.
const REASONS: usize = {
    let all = Reason::ALL;
    all[all.len() - 1] as usize + 1
};

/// Rejects, by reason.
///
/// ```
/// use ringtape::event::{Reason, RejectCounts};
///
/// let counts = RejectCounts::default();
/// assert_eq!((counts.rejected(Reason::Capacity), counts.rejects().count()), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectCounts {
    /// By a reason's code.
    pub(crate) by_reason: [u64; REASONS],
}

impl Default for RejectCounts {
    fn default() -> Self {
        Self { by_reason: [0; REASONS] }
    }
}

impl RejectCounts {
    /// Counts a reject.
    pub(crate) fn note(&mut self, reason: Reason) {
        self.by_reason[reason as usize] += 1;
    }

    /// Commands that were rejected for a reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.by_reason[reason as usize]
    }

    /// All reasons that commands were rejected for, with how many.
    pub fn rejects(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counted = Reason::ALL.iter().map(|&reason| (reason, self.rejected(reason)));
        counted.filter(|&(_, count)| count > 0)
    }
}
