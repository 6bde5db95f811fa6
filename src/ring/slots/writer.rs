//! The one writer of a ring.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::SIGNAL;
use super::claim::Claim;
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
    is_ended: bool,
    slots: Slots<T>,
    head: Arc<CachePadded<Head>>,
    /// The gates of the declared stages that no other follows.
    sinks: Box<[Arc<CachePadded<Gate>>]>,
    /// On an observable ring: the records of the open claim, until they are published.
    staged: Option<Box<[T]>>,
}

impl<T: Pod> Writer<T> {
    pub(super) fn new(
        slots: Slots<T>,
        head: Arc<CachePadded<Head>>,
        sinks: Box<[Arc<CachePadded<Gate>>]>,
    ) -> Self {
        let limit = slots.capacity();
        let staged = head.is_observable.then(|| vec![T::zeroed(); limit].into());
        Self { next: 0, limit: limit as u64, is_ended: false, slots, head, sinks, staged }
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

    #[inline]
    pub(in crate::ring) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Slots known to be free.
    #[inline]
    pub(in crate::ring) fn free(&self) -> usize {
        (self.limit - self.next) as usize
    }

    /// Looks at the gates again.
    #[inline(never)] // WHY: once a lap; inlined it costs every claim registers.
    pub(in crate::ring) fn refresh(&mut self) {
        if self.is_ended {
            return;
        }
        let capacity = self.slots.capacity() as u64;
        let mut released = lowest(&self.sinks, self.next);
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
        let released = lowest(&self.head.seats, lowest(&self.sinks, self.next));
        released + self.slots.capacity() as u64 >= self.next + count as u64
    }

    /// Cuts the detachable stages that alone keep `count` slots from being free; whether any was.
    #[cold]
    pub(in crate::ring) fn cut_laggards(&mut self, count: usize) -> bool {
        let needed = (self.next + count as u64).saturating_sub(self.slots.capacity() as u64);
        let gates = || self.sinks.iter().chain(&self.head.seats);
        let lagging = || gates().filter(|gate| gate.holding().is_some_and(|at| at < needed));
        if lagging().any(|gate| gate.state() != GateState::Detachable) {
            return false;
        }
        let cut = |gate: &Gate| gate.change_state(GateState::Detachable, GateState::Lapped);
        lagging().filter(|gate| cut(gate)).count() > 0
    }

    /// The next `count` slots, to be written and published.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Writer::free`].
    #[inline(always)]
    pub(in crate::ring) fn claim(&mut self, count: usize) -> Claim<'_, T> {
        assert!(count <= self.free(), "claim beyond what is free");
        Claim::new(&mut self.next, count, &self.slots, &self.head, self.staged.as_deref_mut())
    }

    /// Ends the stream: nothing is free afterwards.
    pub(in crate::ring) fn end(&mut self, end: End) {
        self.limit = self.next;
        self.is_ended = true;
        self.head.set_end(end);
        // Who sees the signal sees the end and the final position. When the ring is full this
        // slot's stamp still announces an unread commit; its reader finds that commit through the
        // cursor.
        self.slots.at(self.next).set_stamp(SIGNAL);
        self.head.bell.ring();
    }
}
