//! The books that follow a feed, and the check of the matching engine beside them.

use crate::book::{Change, Replica};
use crate::event::Event;
use crate::matching::proof::{Checker, MatchingCheck, OnTape};

/// A replica, and perhaps a checker that applies everything to it.
pub(super) struct Follower {
    replica: Replica,
    checker: Option<Box<Checker<OnTape>>>,
}

impl Follower {
    /// Empty books, with a check or without.
    pub(super) fn new(is_checked: bool) -> Self {
        let checker = is_checked.then(|| Box::new(Checker::new(OnTape::new())));
        Self { replica: Replica::new(), checker }
    }

    /// The books of a snapshot, without a check: that cannot begin in the middle.
    pub(super) fn following(replica: Replica) -> Self {
        Self { replica, checker: None }
    }

    /// Whether there is a check.
    pub(super) fn is_checking(&self) -> bool {
        self.checker.is_some()
    }

    /// The books.
    #[inline]
    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Applies an event to the books.
    #[inline]
    pub(super) fn apply(&mut self, event: &Event) -> Change {
        match &mut self.checker {
            None => self.replica.apply(event),
            Some(checker) => checker.apply(&mut self.replica, event),
        }
    }

    /// Applies a batch of events, which `event` shows in what it consists of, and hands each on.
    #[inline]
    pub(super) fn apply_each<E>(
        &mut self,
        batch: &[E],
        event: impl Fn(&E) -> &Event,
        mut then: impl FnMut(&E),
    ) {
        let Some(checker) = &mut self.checker else {
            return self.replica.apply_each(batch, event, |item, _| then(item));
        };
        for item in batch {
            checker.apply(&mut self.replica, event(item));
            then(item);
        }
    }

    /// Ends the check and gives what it found; what the user should know joins the warnings.
    pub(super) fn finish_check(&mut self, warnings: &mut Vec<String>) -> Option<MatchingCheck> {
        let checker = self.checker.as_mut()?;
        let check = checker.finish(&self.replica);
        warnings.extend(checker.matcher().refused().map(|(reason, count)| {
            format!(
                "{count} times the matching engine would have refused what the feed shows ({}): it \
                 was made to take it",
                reason.name()
            )
        }));
        if check.checked == 0 {
            warnings.push(
                "the check of matching found no execution to judge: it proves nothing about this \
                 feed"
                    .to_owned(),
            );
        }
        Some(check)
    }
}
