//! The wish to stop, seen by every thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that asks the feed to stop; everything behind it then drains and ends by itself.
///
/// ```
/// use ringtape::runtime::StopFlag;
///
/// let stop = StopFlag::default();
/// let handler = stop.clone();
/// handler.set();
/// assert!(stop.is_set());
/// ```
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks to stop.
    pub fn set(&self) {
        // SYNC: no data travels with the flag; the reader only has to see it some time.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
