//! The bell: wakes the threads that are parked at a ring.

use std::time::Duration;

use super::sync::{AtomicU32, Condvar, Mutex, Ordering, fence};

/// How long a sleeper sleeps at most when nobody rings.
const SLEEP_MAX: Duration = Duration::from_millis(1);

/// Threads that are parked at a ring, and a way to wake them.
///
/// Who moves a cursor rings, which is one load of a line that is written only when somebody goes
/// to sleep. Between that load and the cursor's store there is no barrier, so a sleeper that comes
/// in just then can be missed: it wakes by itself after a millisecond at most.
#[derive(Debug)]
pub(super) struct Bell {
    sleepers: AtomicU32,
    lock: Mutex<()>,
    rung: Condvar,
}

#[cfg(loom)]
std::thread_local! {
    static HAS_SLEEPERS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Says that the models of this thread have sleepers.
///
/// Loom knows no time, so under it the ringer has the barrier and the models prove the rest; but
/// only where somebody sleeps, because the barrier would hide a missing Release of all who ring.
#[cfg(loom)]
pub fn expect_sleepers() {
    HAS_SLEEPERS.set(true);
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { sleepers: AtomicU32::new(0), lock: Mutex::new(()), rung: Condvar::new() }
    }

    /// Wakes all sleepers; costs one load when there is none.
    #[inline(always)]
    pub(super) fn ring(&self) {
        #[cfg(loom)]
        if HAS_SLEEPERS.get() {
            fence(Ordering::SeqCst);
        }
        // WHY: Relaxed, because the sleeper's own look and its timeout close the race.
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // The lock lets no sleeper be between its last look and its sleep.
        drop(self.lock.lock());
        self.rung.notify_all();
    }

    /// Sleeps until the bell rings, unless `is_ready` says that there is no need.
    #[cold]
    pub(super) fn sleep(&self, is_ready: impl FnOnce() -> bool) {
        let Ok(guard) = self.lock.lock() else { return };
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        // SYNC: a ringer whose load misses the count above stored its cursor before our look.
        fence(Ordering::SeqCst);
        if !is_ready() {
            let _ = self.rung.wait_timeout(guard, SLEEP_MAX);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
