//! The memory of a ring, and how readers come to it.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::Published;
use super::reader::{Copies, Reader};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::limits::COPIED_RECORDS_MAX;
use crate::ring::cursor::{GateState, Head, Line, Policy};
use crate::ring::sync::{Ordering, fence};

/// The slots alone; their number is a power of two.
#[derive(Debug)]
pub(super) struct Slots<T>(Arc<[Published<T>]>);

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Pod> Slots<T> {
    #[inline(always)]
    pub(super) fn capacity(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn index(&self, sequence: u64) -> usize {
        sequence as usize & (self.0.len() - 1)
    }

    #[inline(always)]
    pub(super) fn at(&self, sequence: u64) -> &Published<T> {
        // SAFETY: the number of slots is a power of two, so the index is below it.
        unsafe { self.0.get_unchecked(self.index(sequence)) }
    }

    /// The slots of `count` sequences: up to the end of the memory, then from its beginning.
    #[inline(always)]
    pub(super) fn run(&self, first: u64, count: usize) -> (&[Published<T>], &[Published<T>]) {
        let begin = self.index(first);
        let until_end = count.min(self.0.len() - begin);
        (&self.0[begin..begin + until_end], &self.0[..count - until_end])
    }
}

/// Where a stage that comes later begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ring) enum Start {
    /// With the next record that those before it let through.
    Now,
    /// At a sequence that the ring still holds.
    At(u64),
}

/// A ring's slots and cursors; whoever has it can add readers.
#[derive(Debug)]
pub(in crate::ring) struct Memory<T> {
    slots: Slots<T>,
    pub(in crate::ring) head: Arc<CachePadded<Head>>,
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), head: Arc::clone(&self.head) }
    }
}

impl<T: Pod> Memory<T> {
    /// Allocates the slots of `head`'s ring, with the one writer, who is gated on `lines`.
    ///
    /// # Panics
    ///
    /// Unless the capacity is a power of two.
    pub(in crate::ring) fn new(head: Head, sinks: Box<[Arc<Line>]>) -> Result<(Self, Writer<T>)> {
        assert!(head.capacity.is_power_of_two());
        let capacity = head.capacity as usize;
        let mut memory = Vec::new();
        memory.try_reserve_exact(capacity).map_err(|_| {
            let bytes = capacity.saturating_mul(size_of::<Published<T>>());
            let what = format!("ring `{}` of {capacity} slots needs {bytes} bytes", head.name);
            Error::usage(what, "choose a smaller capacity")
        })?;
        // Every slot is written here, so the memory's pages exist before the first record.
        memory.resize_with(capacity, Published::empty);
        let slots = Slots(Arc::from(memory));
        let head = Arc::new(CachePadded::new(head));
        let writer = Writer::new(slots.clone(), Arc::clone(&head), sinks);
        Ok((Self { slots, head }, writer))
    }

    /// The reader of a stage that was declared before the writer wrote anything.
    pub(in crate::ring) fn reader(&self, line: Arc<Line>, is_exclusive: bool) -> Reader<T> {
        assert!(!(is_exclusive && self.head.is_observable));
        let copies = (line.gate.state() == GateState::Detachable).then(|| self.copies(true));
        Reader::new(self.slots.clone(), Arc::clone(&self.head), line, 0, copies, is_exclusive)
    }

    /// A reader that holds nobody back, from the next record on.
    pub(in crate::ring) fn observer(&self, line: Arc<Line>) -> Reader<T> {
        assert!(self.head.is_observable);
        let (slots, head) = (self.slots.clone(), Arc::clone(&self.head));
        let position = head.position();
        Reader::new(slots, head, line, position, Some(self.copies(false)), false)
    }

    /// Makes the vacant gate of `line` hold the writer back, for a new reader that begins at
    /// `start`; or says which sequence is the oldest that can still be had.
    ///
    /// Why the writer cannot overwrite what the reader is to read (invariant 6): the writer stores
    /// what it reserves, then has a barrier, then looks at the seats; we make the gate hold, then
    /// have a barrier, then look. If our barrier is first, the writer sees the gate before it
    /// raises its limit. If the writer's is first, we see what it reserved, and refuse a start of
    /// which a slot is among that. For `Start::Now` none can be: the writer reserves at most the
    /// capacity above each cursor that it loaded before its barrier, and we load the same cursors
    /// after ours, so we see them there or later. (What it reserves is not asked then, because it
    /// may have reserved more since, which our gate keeps it from using.)
    pub(in crate::ring) fn attach(&self, line: Arc<Line>, start: Start) -> Result<Reader<T>, u64> {
        let oldest = || self.head.reserved().saturating_sub(self.head.capacity);
        if let Start::At(sequence) = start
            && sequence < oldest()
        {
            // Its gate must not hold the writer back for a moment.
            return Err(oldest());
        }
        let state = match line.policy {
            Policy::Stop => GateState::Live,
            Policy::Detach => GateState::Detachable,
        };
        let now = || match line.upstreams.is_empty() {
            true => self.head.position(),
            false => line.upstreams.iter().map(|up| up.position()).fold(u64::MAX, u64::min),
        };
        let before = match start {
            Start::Now => now(),
            Start::At(sequence) => sequence,
        };
        line.gate.advance_to(before);
        line.gate.set_state(state);
        fence(Ordering::SeqCst);
        let first = match start {
            Start::Now => now(),
            Start::At(sequence) if sequence < oldest() => {
                line.gate.set_state(GateState::Vacant);
                return Err(oldest());
            }
            Start::At(sequence) => sequence,
        };
        line.gate.advance_to(first);
        let copies = (state == GateState::Detachable).then(|| self.copies(true));
        let (slots, head) = (self.slots.clone(), Arc::clone(&self.head));
        let mut reader = Reader::new(slots, head, line, first, copies, false);
        reader.begin();
        Ok(reader)
    }

    /// Room for copies of records, of a reader whose gate holds the writer back or not.
    fn copies(&self, is_gated: bool) -> Copies<T> {
        Copies::new(self.slots.capacity().min(COPIED_RECORDS_MAX), is_gated)
    }
}
