//! How a ring ends: closed by its producer, or by a failure that is told to the others.

use std::any::Any;
use std::sync::OnceLock;

use super::sync::{AtomicBool, Ordering};
use crate::error::Error;

/// How the producer's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// It has not ended.
    Open,
    /// The producer has written all that it had.
    Closed,
    /// The producer failed.
    Failed,
}

impl End {
    /// The end that was stored as `byte`.
    pub(super) fn from_byte(byte: u8) -> Self {
        [Self::Open, Self::Closed, Self::Failed][usize::from(byte)]
    }
}

/// One failure, as it is told to the producer and to the stages behind.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The stage or producer that failed first.
    pub(super) origin: String,
    /// The sequence that it was handling.
    pub(super) sequence: u64,
    /// Its error or panic message.
    pub(super) cause: String,
}

impl Failure {
    /// The error that the producer and the failed stage itself get.
    pub(super) fn into_error(self) -> Error {
        Error::ConsumerFailed { name: self.origin, sequence: self.sequence, cause: self.cause }
    }
}

/// Holds the first failure that is reported to it; looking at it costs one load.
#[derive(Debug)]
pub(super) struct Alarm {
    raised: AtomicBool,
    failure: OnceLock<Failure>,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { raised: AtomicBool::new(false), failure: OnceLock::new() }
    }

    /// Reports a failure; only the first one is kept.
    #[cold]
    pub(super) fn raise(&self, failure: Failure) {
        if self.failure.set(failure).is_ok() {
            // SYNC: Release, pairs with the Acquire in `is_raised`: who sees the flag sees the
            // failure and everything that its stage released before it failed.
            self.raised.store(true, Ordering::Release);
        }
    }

    /// Whether a failure was reported.
    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        // SYNC: Acquire, pairs with the Release in `raise`.
        self.raised.load(Ordering::Acquire)
    }

    /// The failure, once reported.
    #[cold]
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.is_raised().then(|| self.failure.get()).flatten()
    }
}

/// What a caught panic said.
pub(super) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it panicked").to_owned();
    // WHY: whatever it is may panic when it is dropped, and nobody would catch that.
    std::mem::forget(payload);
    text
}
