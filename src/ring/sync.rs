//! The atomics and the cell that the ring is made of: the standard library's, or loom's.
//!
//! Under `--cfg loom` the same ring runs inside loom, which tries every interleaving of its atomic
//! operations and reports a data race on any slot. Everything else in the ring uses these names
//! and knows nothing of the difference.

#[cfg(not(tsan))]
use std::sync::PoisonError;
pub(super) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub(super) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, fence},
    sync::{Condvar, Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(not(loom))]
pub(super) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, fence},
    sync::{Condvar, Mutex, MutexGuard},
    thread::yield_now,
};

/// Takes a lock, also when a thread panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // ThreadSanitizer follows a lock that is taken at once, and not the standard library's wait for
    // one that is not.
    #[cfg(tsan)]
    loop {
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
        yield_now();
    }
    #[cfg(not(tsan))]
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The standard cell behind loom's interface.
#[cfg(not(loom))]
#[derive(Debug)]
pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(super) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline(always)]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
