//! The slots of a ring and the cursors that guard them: the only unsafe code of the ring.
//!
//! The interface is safe: whatever the rest of the crate does with a [`Writer`] and the
//! [`Reader`]s of [`slots`], no record is read while it is written. It rests on these invariants,
//! each of which is upheld in this file alone (the fields are private to it):
//!
//! 1. *One owner a side.* `slots` hands out one `Writer` and one `Reader` a stage; neither can be
//!    cloned. Each moves a cursor that nobody else stores to, and only forwards.
//! 2. *Published before read.* A reader's `limit` is raised only to a position that it loaded with
//!    Acquire from a stamp or cursor which was stored with Release after the records below it were
//!    written. It reads `position..limit` only.
//! 3. *Released before overwritten.* The writer's `limit` is raised only to `capacity` above the
//!    lowest sink cursor, loaded with Acquire. A sink is a reader that no reader follows. A reader
//!    that follows others never passes them (its limit is their lowest cursor), so the lowest sink
//!    is at or behind every reader. The writer writes `next..limit` only.
//! 4. *Borrows end before cursors move.* References to records borrow the `Writer` or `Reader`;
//!    `publish` and `release` borrow it mutably.
//!
//! By 2 and 3 a slot is at any time either the writer's or the readers'; by 4 no reference
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

use std::ops::Deref;
use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::failure::{Alarm, End};
use super::sync::{AtomicU8, AtomicU64, Ordering, UnsafeCell};
use crate::error::{Error, Result};

/// A stamp that sends the reader to the producer's cursor line.
const SIGNAL: u64 = u64::MAX;

/// A published record in its slot, as a batch hands it out; dereferences to the record.
///
/// It is as large as the slot: the stamp, then the record, rounded up to whole cache lines.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Published<T> {
    stamp: AtomicU64,
    value: UnsafeCell<T>,
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
        // SAFETY: a `Published` is reachable from outside this file only through
        // `Reader::slices`, which borrows the reader and covers `position..limit`; the writer
        // stays out of those slots until the borrow ends (invariants 3 and 4).
        self.value.with(|value| unsafe { &*value })
    }
}

/// The producer's cursor line.
#[derive(Debug)]
pub(super) struct Head {
    published: AtomicU64,
    end: AtomicU8,
    /// The first failure among the consumers.
    pub(super) alarm: Alarm,
    /// The ring's name.
    pub(super) name: String,
}

impl Head {
    /// Records published so far.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `Writer::publish`.
        self.published.load(Ordering::Acquire)
    }

    /// Records published and not yet released by the stage of `line`, at most the capacity.
    pub(super) fn lag_of(&self, line: &Line) -> u64 {
        // The stage may already have released a commit whose stamp it saw and whose cursor is
        // still to be stored, so it can seem to be ahead.
        let published = self.position();
        published.saturating_sub(line.position())
    }

    /// How the stream ended, if it did.
    pub(super) fn end(&self) -> End {
        // SYNC: Acquire, pairs with the Release in `Writer::end`.
        End::from_byte(self.end.load(Ordering::Acquire))
    }
}

/// A stage's cursor line.
#[derive(Debug)]
pub(super) struct Line {
    released: AtomicU64,
    /// What stopped this stage: its own failure or one before it.
    pub(super) alarm: Alarm,
    /// The stage's name.
    pub(super) name: String,
}

impl Line {
    /// Records released so far.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `Reader::release`.
        self.released.load(Ordering::Acquire)
    }
}

/// The memory of a ring; its length is a power of two.
#[derive(Clone, Debug)]
struct Slots<T>(Arc<[Published<T>]>);

impl<T: Pod> Slots<T> {
    #[inline(always)]
    fn index(&self, sequence: u64) -> usize {
        sequence as usize & (self.0.len() - 1)
    }

    #[inline(always)]
    fn at(&self, sequence: u64) -> &Published<T> {
        &self.0[self.index(sequence)]
    }

    /// The slots of `count` sequences: up to the end of the memory, then from its beginning.
    #[inline(always)]
    fn run(&self, first: u64, count: usize) -> (&[Published<T>], &[Published<T>]) {
        let begin = self.index(first);
        let until_end = count.min(self.0.len() - begin);
        (&self.0[begin..begin + until_end], &self.0[..count - until_end])
    }

    #[inline(always)]
    fn stamp(&self, sequence: u64) -> u64 {
        // SYNC: Acquire, pairs with the Release in `Writer::publish` and `Writer::end`.
        self.at(sequence).stamp.load(Ordering::Acquire)
    }
}

/// A stage as [`slots`] wants it.
#[derive(Debug)]
pub(super) struct Stage {
    /// Its name.
    pub(super) name: String,
    /// The stages that it follows, by index; none means that it follows the writer.
    pub(super) upstreams: Vec<usize>,
}

/// Makes a ring's memory with its one writer and one reader a stage.
///
/// # Panics
///
/// Unless `capacity` is a power of two, there is a stage, and each stage follows only earlier ones.
pub(super) fn slots<T: Pod>(
    name: String,
    capacity: usize,
    stages: Vec<Stage>,
) -> Result<(Writer<T>, Vec<Reader<T>>)> {
    assert!(capacity.is_power_of_two() && !stages.is_empty());
    let mut memory = Vec::new();
    memory.try_reserve_exact(capacity).map_err(|_| {
        let bytes = capacity.saturating_mul(size_of::<Published<T>>());
        let what = format!("ring `{name}` of {capacity} slots needs {bytes} bytes");
        Error::usage(what, "choose a smaller capacity")
    })?;
    // Every slot is written here, so the memory's pages exist before the first record.
    memory.resize_with(capacity, || Published {
        stamp: AtomicU64::new(0),
        value: UnsafeCell::new(T::zeroed()),
    });
    let slots = Slots(Arc::from(memory));
    let head = Arc::new(CachePadded::new(Head {
        published: AtomicU64::new(0),
        end: AtomicU8::new(End::Open as u8),
        alarm: Alarm::new(),
        name,
    }));

    let mut readers: Vec<Reader<T>> = Vec::with_capacity(stages.len());
    let mut is_sink = vec![true; stages.len()];
    for stage in stages {
        let line = Line { released: AtomicU64::new(0), alarm: Alarm::new(), name: stage.name };
        for &upstream in &stage.upstreams {
            assert!(upstream < readers.len(), "a stage follows only earlier ones");
            is_sink[upstream] = false;
        }
        readers.push(Reader {
            position: 0,
            limit: 0,
            is_waiting: false,
            upstreams: stage.upstreams.iter().map(|&up| Arc::clone(&readers[up].line)).collect(),
            line: Arc::new(CachePadded::new(line)),
            slots: slots.clone(),
            head: Arc::clone(&head),
        });
    }
    let sinks = readers.iter().zip(is_sink).filter(|(_, is_sink)| *is_sink);
    let sinks = sinks.map(|(reader, _)| Arc::clone(&reader.line)).collect();
    let writer = Writer { next: 0, limit: capacity as u64, slots, head, sinks };
    Ok((writer, readers))
}

/// The one writer of a ring.
#[derive(Debug)]
pub(super) struct Writer<T> {
    /// The sequence to publish next; equals the head's `published`.
    next: u64,
    /// Sequences below are free to be written. It may lag behind what the sinks have released:
    /// cursors only move forwards, so a stale limit only hides free slots.
    limit: u64,
    slots: Slots<T>,
    head: Arc<CachePadded<Head>>,
    sinks: Box<[Arc<CachePadded<Line>>]>,
}

impl<T: Pod> Writer<T> {
    #[inline]
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.0.len()
    }

    /// Slots known to be free.
    #[inline]
    pub(super) fn free(&self) -> usize {
        (self.limit - self.next) as usize
    }

    /// Looks at the sinks again.
    #[inline(never)] // WHY: once a lap; inlined it costs every claim registers.
    pub(super) fn refresh(&mut self) {
        let released = self.sinks.iter().map(|sink| sink.position()).min();
        self.limit = released.expect("a ring has a sink") + self.slots.0.len() as u64;
    }

    /// The record `offset` behind the next sequence, to be written.
    ///
    /// # Panics
    ///
    /// Unless `offset` is less than [`Writer::free`].
    #[inline(always)]
    pub(super) fn slot(&mut self, offset: usize) -> &mut T {
        assert!(offset < self.free(), "write beyond what is free");
        let slot = self.slots.at(self.next + offset as u64);
        // SAFETY: the sequence lies in `next..limit`, so no reader has a reference into this slot
        // (invariants 2 and 3), and the borrow of `self` keeps the one writer from making a second.
        slot.value.with_mut(|value| unsafe { &mut *value })
    }

    /// Calls `write` with each of the next `count` records, to be written, and its offset.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Writer::free`].
    #[inline(always)]
    pub(super) fn for_each(&mut self, count: usize, mut write: impl FnMut(usize, &mut T)) {
        assert!(count <= self.free(), "write beyond what is free");
        let (head, tail) = self.slots.run(self.next, count);
        head.iter().chain(tail).enumerate().for_each(|(offset, slot)| {
            // SAFETY: the sequences lie in `next..limit`, so no reader has a reference into these
            // slots (invariants 2 and 3), the borrow of `self` keeps the one writer from making
            // another, and this one ends with the call.
            slot.value.with_mut(|value| write(offset, unsafe { &mut *value }));
        });
    }

    /// Publishes the next `count` records.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Writer::free`].
    #[inline(always)]
    pub(super) fn publish(&mut self, count: usize) {
        assert!(count <= self.free(), "publish beyond what is free");
        if count == 0 {
            return;
        }
        let begin = self.next;
        self.next += count as u64;
        // SYNC: Release, pairs with the Acquire in `Slots::stamp`: a waiting reader that sees the
        // stamp sees the records.
        self.slots.at(begin).stamp.store(self.next, Ordering::Release);
        // SYNC: Release, pairs with the Acquire in `Head::position`, for the reader that lags.
        self.head.published.store(self.next, Ordering::Release);
    }

    /// Ends the stream. Nothing is to be published afterwards.
    pub(super) fn end(&mut self, end: End) {
        // SYNC: Release, pairs with the Acquire in `Head::end`.
        self.head.end.store(end as u8, Ordering::Release);
        // SYNC: Release, pairs with the Acquire in `Slots::stamp`: who sees the signal sees the
        // end and the final position. When the ring is full this slot's stamp still announces an
        // unread commit; its reader finds that commit through the cursor.
        self.slots.at(self.next).stamp.store(SIGNAL, Ordering::Release);
    }
}

/// What a look for more records found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Records to read.
    Records,
    /// Nothing yet.
    Nothing,
    /// Nothing, and the producer ended or a stage before this one failed. A failed stage may have
    /// released more since this look.
    End,
}

/// One stage's reader of a ring.
#[derive(Debug)]
pub(super) struct Reader<T> {
    /// The sequence to read next; equals the line's `released`.
    position: u64,
    /// Sequences below are there to be read. It may lag behind what is published: that only hides
    /// records. For a stage behind the writer it is always the end of a commit.
    limit: u64,
    /// Whether the last look found nothing.
    is_waiting: bool,
    slots: Slots<T>,
    line: Arc<CachePadded<Line>>,
    head: Arc<CachePadded<Head>>,
    upstreams: Box<[Arc<CachePadded<Line>>]>,
}

impl<T: Pod> Reader<T> {
    #[inline]
    pub(super) fn head(&self) -> &Arc<CachePadded<Head>> {
        &self.head
    }

    #[inline]
    pub(super) fn line(&self) -> &Arc<CachePadded<Line>> {
        &self.line
    }

    pub(super) fn upstreams(&self) -> &[Arc<CachePadded<Line>>] {
        &self.upstreams
    }

    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Records known to be there.
    #[inline]
    pub(super) fn readable(&self) -> usize {
        (self.limit - self.position) as usize
    }

    /// Looks for more once everything known has been released.
    #[inline]
    pub(super) fn refresh(&mut self) -> Found {
        debug_assert_eq!(self.position, self.limit);
        if self.upstreams.is_empty() { self.look_at_writer() } else { self.look_at_upstreams() }
    }

    #[inline]
    fn look_at_writer(&mut self) -> Found {
        let stamp = self.slots.stamp(self.position);
        let has_waited = std::mem::replace(&mut self.is_waiting, stamp <= self.position);
        if self.is_waiting {
            return Found::Nothing;
        }
        // WHY: for a reader that waited, one line tells and carries the news, unless the commit
        // after it is there too. With news at once the reader lags: the cursor tells of all the
        // commits since. It may also be behind the stamp, which is stored first.
        let told = if stamp == SIGNAL { self.position } else { stamp };
        let is_all = has_waited && stamp != SIGNAL && self.slots.stamp(stamp) <= stamp;
        self.limit = if is_all { told } else { told.max(self.head.position()) };
        if self.limit > self.position { Found::Records } else { Found::End }
    }

    #[inline(never)]
    fn look_at_upstreams(&mut self) -> Found {
        let lowest = self.upstreams.iter().map(|upstream| upstream.position()).min();
        self.limit = lowest.expect("called only with upstream stages");
        if self.limit > self.position {
            return Found::Records;
        }
        let failed = self.upstreams.iter().any(|upstream| upstream.alarm.is_raised());
        if failed { Found::End } else { Found::Nothing }
    }

    /// Whether the stream is closed and this stage has released all of it.
    #[inline]
    pub(super) fn is_finished(&self) -> bool {
        // The stamp first: it is in the line that this stage watches anyway.
        self.slots.stamp(self.position) == SIGNAL
            && self.head.end() == End::Closed
            && self.head.position() == self.position
    }

    /// The next `count` records, in two runs.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Reader::readable`].
    #[inline]
    pub(super) fn slices(&self, count: usize) -> (&[Published<T>], &[Published<T>]) {
        assert!(count <= self.readable(), "read beyond what is there");
        self.slots.run(self.position, count)
    }

    /// Gives the next `count` records back to the stages behind and to the writer.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Reader::readable`].
    #[inline]
    pub(super) fn release(&mut self, count: usize) {
        assert!(count <= self.readable(), "release beyond what was read");
        self.position += count as u64;
        // SYNC: Release, pairs with the Acquire in `Line::position`: the writer and the stages
        // behind go on only after this stage's reads and effects.
        self.line.released.store(self.position, Ordering::Release);
    }
}
