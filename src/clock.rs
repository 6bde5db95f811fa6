//! The engine's clock: nanoseconds from the processor's time-stamp counter.
//!
//! Only the feed handler, the runners and the reports read it; no state depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::units::Nanos;

/// Reads of the clock that [`Clock::cost_ns`] averages over.
const COST_READS: u32 = 10_000;

/// A monotonic clock in nanoseconds since the Unix epoch, as set when it was made.
///
/// ```
/// use ringtape::clock::Clock;
///
/// let clock = Clock::new();
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    counter: quanta::Clock,
    /// Counter value at `epoch_ns`.
    base: u64,
    /// Wall clock in ns since the Unix epoch when the counter was at `base`.
    epoch_ns: u64,
}

impl Clock {
    /// Calibrates the clock and sets it by the wall clock.
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let base = counter.raw();
        Self { counter, base, epoch_ns: wall.as_nanos() as u64 }
    }

    /// The present time.
    #[inline]
    pub fn now(&self) -> Nanos {
        Nanos(self.epoch_ns + self.counter.delta_as_nanos(self.base, self.counter.raw()))
    }

    /// What the clock reads.
    pub fn source(&self) -> &'static str {
        if cfg!(target_arch = "x86_64") { "time-stamp counter (quanta)" } else { "quanta" }
    }

    /// The cost of one read in ns, measured now.
    pub fn cost_ns(&self) -> u64 {
        let start = self.now();
        for _ in 0..COST_READS {
            std::hint::black_box(self.now());
        }
        (self.now().0 - start.0) / u64::from(COST_READS)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
