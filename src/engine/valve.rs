//! The valve before the feed: an engine that is paused takes nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::units::Nanos;

/// The wish to pause, seen by the feed handler.
#[derive(Clone, Debug, Default)]
pub(super) struct PauseFlag(Arc<AtomicBool>);

impl PauseFlag {
    /// Asks for a pause, or for its end.
    pub(super) fn set(&self, is_paused: bool) {
        // SYNC: no data travels with the flag; the feed handler only has to see it some time.
        self.0.store(is_paused, Ordering::Relaxed);
    }

    /// Whether a pause is asked for.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The feed handler's side of a pause.
#[derive(Debug)]
pub(super) struct Valve {
    flag: PauseFlag,
    closed_at: Option<Nanos>,
}

/// A pause that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    began: Nanos,
    length_ns: u64,
}

impl Valve {
    pub(super) fn new(flag: PauseFlag) -> Self {
        Self { flag, closed_at: None }
    }

    /// Closes and opens as is wished; a run that is to stop waits for no pause. The pause, when
    /// one has just ended.
    #[inline]
    pub(super) fn turn(&mut self, clock: &Clock, is_stopping: bool) -> Option<Pause> {
        let is_wanted = self.flag.is_set() && !is_stopping;
        if is_wanted == self.is_closed() {
            return None;
        }
        let now = clock.now();
        match self.closed_at.take() {
            Some(began) => Some(Pause { began, length_ns: now.0.saturating_sub(began.0) }),
            None => {
                self.closed_at = Some(now);
                None
            }
        }
    }

    /// Whether nothing may pass.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }
}

impl Pause {
    /// What was due after the pause began is due later by its length.
    pub(super) fn put_off(self, due_ns: &mut u64) {
        if *due_ns > self.began.0 {
            *due_ns += self.length_ns;
        }
    }

    /// The start of a feed as if the pause had not been.
    pub(super) fn put_off_start(self, started: Nanos) -> Nanos {
        Nanos(started.0 + self.length_ns)
    }
}
