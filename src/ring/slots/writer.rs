//! The one writer of a ring.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::SIGNAL;
use super::memory::Slots;
use crate::ring::cursor::{Gate, GateState, Head, lowest};
use crate::ring::failure::End;
use crate::ring::sync::{Ordering, fence};

/// The one writer of a ring.
#[derive(Debug)]
pub(in crate::ring) struct Writer<T> {
    /// The sequence to publish next; equals the head's position.
    next: u64,
    /// Sequences below are free to be written. It may lag behind what the gates have released:
    /// cursors only move forwards, so a stale limit only hides free slots.
    limit: u64,
    slots: Slots<T>,
    head: Arc<CachePadded<Head>>,
    /// The gates of the declared stages, the sinks first.
    gates: Box<[Arc<CachePadded<Gate>>]>,
    /// How many are sinks: stages that no other declared one follows.
    sinks: usize,
    /// On an observable ring: the records of the open claim, until they are published.
    staged: Option<Box<[T]>>,
}

impl<T: Pod> Writer<T> {
    pub(super) fn new(
        slots: Slots<T>,
        head: Arc<CachePadded<Head>>,
        gates: Box<[Arc<CachePadded<Gate>>]>,
        sinks: usize,
    ) -> Self {
        let limit = slots.capacity();
        let staged = head.is_observable.then(|| vec![T::zeroed(); limit].into());
        Self { next: 0, limit: limit as u64, slots, head, gates, sinks, staged }
    }

    #[inline]
    pub(in crate::ring) fn head(&self) -> &Head {
        &self.head
    }

    #[inline]
    pub(in crate::ring) fn next(&self) -> u64 {
        self.next
    }

    pub(in crate::ring) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Slots known to be free.
    #[inline]
    pub(in crate::ring) fn free(&self) -> usize {
        (self.limit - self.next) as usize
    }

    /// The lowest position of the declared stages that hold the writer back, at most the next
    /// sequence. A sink stands for all those before it until it goes.
    #[inline]
    fn released(&self) -> u64 {
        let mut sinks = self.gates[..self.sinks].iter().map(|gate| gate.holding());
        let released =
            sinks.try_fold(self.next, |released, position| Some(released.min(position?)));
        released.unwrap_or_else(|| lowest(&self.gates, self.next))
    }

    /// Looks at the gates again.
    #[inline(never)] // WHY: once a lap; inlined it costs every claim registers.
    pub(in crate::ring) fn refresh(&mut self) {
        let capacity = self.slots.capacity() as u64;
        let mut released = self.released();
        if !self.head.seats.is_empty() {
            self.head.set_reserved(released + capacity);
            // SYNC: pairs with the fence in `Memory::attach`.
            fence(Ordering::SeqCst);
            released = lowest(&self.head.seats, released);
        }
        // A gate that is just being set may stand lower for a moment; the limit only rises.
        self.limit = self.limit.max(released + capacity);
    }

    /// Whether a look at the gates would find `count` slots free.
    pub(in crate::ring) fn could_free(&self, count: usize) -> bool {
        let released = lowest(&self.head.seats, self.released());
        released + self.slots.capacity() as u64 >= self.next + count as u64
    }

    /// Cuts the detachable stages that alone keep `count` slots from being free; whether any was.
    #[cold]
    pub(in crate::ring) fn cut_laggards(&mut self, count: usize) -> bool {
        let needed = (self.next + count as u64).saturating_sub(self.slots.capacity() as u64);
        let gates = || self.gates.iter().chain(&self.head.seats);
        let lagging = || gates().filter(|gate| gate.holding().is_some_and(|at| at < needed));
        if lagging().any(|gate| gate.state() != GateState::Detachable) {
            return false;
        }
        let cut = |gate: &Gate| gate.change_state(GateState::Detachable, GateState::Lapped);
        lagging().filter(|gate| cut(gate)).count() > 0
    }

    /// The record `offset` behind the next sequence, to be written.
    ///
    /// # Panics
    ///
    /// Unless `offset` is less than [`Writer::free`].
    #[inline(always)]
    pub(in crate::ring) fn slot(&mut self, offset: usize) -> &mut T {
        assert!(offset < self.free(), "write beyond what is free");
        if let Some(staged) = &mut self.staged {
            return &mut staged[offset];
        }
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
    pub(in crate::ring) fn for_each(&mut self, count: usize, mut write: impl FnMut(usize, &mut T)) {
        assert!(count <= self.free(), "write beyond what is free");
        if let Some(staged) = &mut self.staged {
            return staged[..count].iter_mut().enumerate().for_each(|(i, value)| write(i, value));
        }
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
    pub(in crate::ring) fn publish(&mut self, count: usize) {
        assert!(count <= self.free(), "publish beyond what is free");
        if count == 0 {
            return;
        }
        if self.staged.is_some() {
            self.unstage(count);
        }
        let begin = self.next;
        self.next += count as u64;
        self.slots.at(begin).set_stamp(self.next);
        self.head.advance_to(self.next);
        self.head.bell.ring();
    }

    /// Moves the staged records into their slots, word by word.
    fn unstage(&mut self, count: usize) {
        let Some(staged) = &self.staged else { return };
        self.head.set_overwriting(self.next + count as u64);
        let (head, tail) = self.slots.run(self.next, count);
        for (slot, record) in head.iter().chain(tail).zip(staged) {
            let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(record));
            for (to, &word) in slot.words().iter().zip(words) {
                // SYNC: Release, pairs with the Acquire in `Reader::copy`: who loads this word
                // sees the mark that tells that the old record is gone.
                to.store(word, Ordering::Release);
            }
            // Under loom the words lie beside the record, which the stages read.
            #[cfg(loom)]
            // SAFETY: as in `for_each`.
            slot.value.with_mut(|value| unsafe { *value = *record });
        }
    }

    /// Ends the stream. Nothing is to be published afterwards.
    pub(in crate::ring) fn end(&mut self, end: End) {
        self.head.set_end(end);
        // Who sees the signal sees the end and the final position. When the ring is full this
        // slot's stamp still announces an unread commit; its reader finds that commit through the
        // cursor.
        self.slots.at(self.next).set_stamp(SIGNAL);
        self.head.bell.ring();
    }
}
