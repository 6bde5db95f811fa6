//! How to wait for a ring: what a thread does between two looks.

use super::sync::{spin_loop, yield_now};

/// What a thread does between two looks at a ring that has nothing for it.
///
/// None of these costs the other side anything. Where there are fewer cores than threads only
/// [`Wait::Yield`] lets the awaited thread run.
///
/// ```
/// use ringtape::ring::Wait;
///
/// let mut looks = 0;
/// while looks < 3 {
///     looks += 1;
///     Wait::Yield.idle();
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Look again at once: the shortest reaction, for a thread with a core to itself.
    Spin,
    /// Look again after the processor's pause instruction: nearly as short, kinder to a
    /// hyper-thread sibling.
    Pause,
    /// Offer the core to another thread before looking again: a system call.
    Yield,
}

impl Wait {
    /// Waits once.
    #[inline]
    pub fn idle(self) {
        match self {
            // Loom explores a loop only when it says that it waits for another thread.
            Self::Spin if cfg!(loom) => yield_now(),
            Self::Spin => {}
            Self::Pause => spin_loop(),
            Self::Yield => yield_now(),
        }
    }
}
