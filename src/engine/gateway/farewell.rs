//! How a run that ends and its gateway take leave of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Nothing was said yet.
const OPEN: u8 = 0;
/// The run wants to end.
const ASKED: u8 = 1;
/// The gateway has told all that there is.
const SAID: u8 = 2;
/// The run has ended, and nobody listens.
const LEFT: u8 = 3;

/// The state that the feed handler and the gateway agent share.
///
/// The feed handler asks, and holds the market ring open until the gateway has said all; dropped on
/// its side, nobody listens any more.
#[derive(Debug)]
pub(in crate::engine) struct Farewell {
    state: Arc<AtomicU8>,
    is_handler: bool,
}

impl Farewell {
    /// The feed handler's end and the gateway agent's.
    pub(in crate::engine) fn pair() -> (Self, Self) {
        let state = Arc::<AtomicU8>::default();
        (Self { state: state.clone(), is_handler: true }, Self { state, is_handler: false })
    }

    /// Asks the gateway to come to its end.
    pub(in crate::engine) fn ask(&self) {
        // WHY: Relaxed, because the wish carries nothing; a wish that was made stays.
        let _ = self.state.compare_exchange(OPEN, ASKED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the gateway was asked, or nobody listens.
    pub(super) fn is_asked(&self) -> bool {
        self.state.load(Ordering::Relaxed) != OPEN
    }

    /// Whether nobody listens.
    pub(super) fn is_left(&self) -> bool {
        self.state.load(Ordering::Relaxed) == LEFT
    }

    /// The gateway has said all.
    pub(super) fn say(&self) {
        // SYNC: Release, pairs with the Acquire in `is_said`: what was posted before is seen then.
        self.state.store(SAID, Ordering::Release);
    }

    /// Whether the gateway has said all.
    pub(in crate::engine) fn is_said(&self) -> bool {
        self.state.load(Ordering::Acquire) == SAID
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if self.is_handler {
            self.state.store(LEFT, Ordering::Relaxed);
        }
    }
}
