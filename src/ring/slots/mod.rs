//! The slots of a ring and who may touch them when: the only unsafe code of the ring.
//!
//! The interface is safe: whatever the rest of the crate does with the one [`Writer`] and the
//! [`Reader`]s of a [`Memory`], no record is read while it is written. It rests on these
//! invariants, each of which is upheld in this folder alone (the fields are private to it):
//!
//! 1. *One owner a side.* There is one `Writer`, and one `Reader` a gate; none can be cloned. Each
//!    moves a cursor that nobody else stores to while it lives, and only forwards.
//! 2. *Published before read.* A reader's `limit` is raised only to a position that it loaded with
//!    Acquire from a stamp or cursor which was stored with Release after the records below it were
//!    written. It reads `position..limit` only.
//! 3. *Released before overwritten.* The writer's `limit` is raised only to `capacity` above the
//!    lowest gate that holds it back, loaded with Acquire. Those are the gates of the *sinks*, the
//!    stages that no other follows, and the seats of the stages that came later. A reader that
//!    follows others never passes them (its limit is their lowest cursor), so the lowest sink
//!    is at or behind every reader. Where a sink is gone, the stages that it followed hold the
//!    writer back in its place. The writer writes `next..limit` only.
//! 4. *Borrows end before cursors move.* References to records borrow the `Writer` or `Reader`;
//!    `commit`, `release` and `refresh` borrow it mutably.
//! 5. *Who is cut reads nothing more.* A gate stops holding the writer back only when its reader
//!    says so itself, in `refresh` or `leave`, and that reader's limit never rises again; or, at
//!    any moment, when its reader copies (7), and so has no reference into the slots.
//! 6. *A new gate is seen in time.* A stage that comes later first makes its gate hold, then,
//!    behind a barrier, checks that the writer has not reserved the slots from there on. The
//!    writer says what it reserves, then, behind a barrier, looks at the seats. So at least one of
//!    the two sees the other; see [`Memory::attach`].
//! 7. *Copies are checked.* On an observable ring the writer stores records as atomic words, after
//!    a mark that tells which older ones are gone. Whoever copies loads them as atomic words and
//!    looks at the mark afterwards, so a copy that is kept is whole.
//! 8. *Exclusive means alone.* A reader that hands out `&mut T` was built where every other stage
//!    is strictly before or behind it and the ring is not observable.
//!
//! By 2, 3 and 5 a slot is at any time either the writer's or the readers'; by 4 no reference
//! outlives that. Stamps are atomics and may be looked at any time.
//!
//! # Stamps
//!
//! The stamp of the slot in which a commit *begins* is the sequence after the commit's last
//! record. A reader that has read everything published so far stands where the next commit will
//! begin, so it watches one line: the one that the record itself will arrive in. A stamp greater
//! than the reader's position says that all below the stamp is there; the stamp of an earlier lap
//! cannot be greater, because a commit spans at most `capacity` records. [`SIGNAL`] says that the
//! end of the stream is in the producer's cursor line.
#![allow(unsafe_code)] // The ring's memory is shared between threads without a lock.

mod claim;
mod hint;
mod memory;
mod reader;
mod writer;

use std::ops::Deref;

use bytemuck::Pod;

pub use claim::Claim;
pub(super) use memory::{Memory, Start};
pub(super) use reader::{Found, Reader};
pub(super) use writer::Writer;

use super::sync::{AtomicU64, Ordering, UnsafeCell};

/// A stamp that sends the reader to the producer's cursor line.
const SIGNAL: u64 = u64::MAX;

/// A published record in its slot, as a batch hands it out; dereferences to the record.
///
/// It is as large as the slot: the stamp, then the record, rounded up to whole cache lines.
///
/// ```
/// use ringtape::ring::{Published, RingBuilder};
///
/// assert_eq!(size_of::<Published<[u64; 7]>>(), 64);
/// let mut builder = RingBuilder::<u64>::new("numbers", 2)?;
/// let sum = builder.stage("sum", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// producer.claim(1, Default::default())?.commit_all();
/// let mut sum = consumers.take(sum)?;
/// let batch = sum.poll(1)?;
/// let record: &Published<u64> = &batch.slices().0[0];
/// assert_eq!(**record, 0);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Published<T> {
    stamp: AtomicU64,
    value: UnsafeCell<T>,
    /// Loom's atomics cannot lie over a cell, so there the words of an observable ring lie beside.
    #[cfg(loom)]
    words: Box<[AtomicU64]>,
}

// SAFETY: the value is reached only through a `Writer` (exclusively) and `Reader`s (shared), and
// the invariants above keep those apart. `Send` lets a record written on one thread be read on
// another, `Sync` lets several read it at once.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

#[cfg(not(loom))]
const _: () = {
    use crate::limits::{CACHE_LINE_BYTES, EVENT_BYTES, EXECUTION_BYTES};
    assert!(size_of::<Published<[u64; EVENT_BYTES / 8]>>() == CACHE_LINE_BYTES);
    assert!(size_of::<Published<[u64; EXECUTION_BYTES / 8]>>() == 2 * CACHE_LINE_BYTES);
};

impl<T: Pod> Deref for Published<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: a `Published` is reachable from outside this folder only through
        // `Reader::slices`, which borrows the reader and covers `position..limit`; the writer
        // stays out of those slots until the borrow ends (invariants 3 and 4), or they are the
        // reader's own copies.
        self.value.with(|value| unsafe { &*value })
    }
}

impl<T: Pod> Published<T> {
    fn empty() -> Self {
        Self {
            stamp: AtomicU64::new(0),
            value: UnsafeCell::new(T::zeroed()),
            #[cfg(loom)]
            words: (0..size_of::<T>() / 8).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    #[inline(always)]
    fn stamp(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `set_stamp`.
        self.stamp.load(Ordering::Acquire)
    }

    #[inline(always)]
    fn set_stamp(&self, stamp: u64) {
        // SYNC: Release, pairs with the Acquire in `stamp`: a waiting reader that sees the stamp
        // sees the records, or the end of the stream.
        self.stamp.store(stamp, Ordering::Release);
    }

    /// The record as atomic words, on an observable ring, whose records consist of whole ones.
    #[cfg(not(loom))]
    #[inline(always)]
    fn words(&self) -> &[AtomicU64] {
        const { assert!(size_of::<AtomicU64>() == 8 && align_of::<AtomicU64>() == 8) };
        // SAFETY: the value lies behind an 8-byte stamp in a slot of 64-byte alignment, so it is
        // aligned for words, and as many whole words as fit are its own. Every bit pattern is a
        // word, and the cell allows writes behind a shared reference.
        self.value.with_mut(|value| unsafe {
            std::slice::from_raw_parts(value.cast::<AtomicU64>(), size_of::<T>() / 8)
        })
    }

    #[cfg(loom)]
    fn words(&self) -> &[AtomicU64] {
        &self.words
    }
}
