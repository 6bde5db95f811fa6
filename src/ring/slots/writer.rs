//! The one writer of a ring.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::SIGNAL;
use super::claim::Claim;
use super::memory::Slots;
use crate::ring::cursor::{Gate, GateState, Head, Line, lowest, lowest_of_stages};
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
    /// The declared stages that no other follows.
    sinks: Box<[Arc<Line>]>,
    /// On an observable ring: the records of the open claim, until they are published.
    staged: Option<Box<[T]>>,
}

impl<T: Pod> Writer<T> {
    pub(super) fn new(
        slots: Slots<T>,
        head: Arc<CachePadded<Head>>,
        sinks: Box<[Arc<Line>]>,
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
        let mut released = lowest_of_stages(&self.sinks, GateState::holds, self.next);
        if !self.head.seats.is_empty() {
            // Nothing is reserved that the stages which are there do not let through: whoever
            // comes can have all that they still hold.
            released = lowest(&self.head.seats, GateState::holds, released);
            if released + capacity <= self.limit {
                return;
            }
            self.head.set_reserved(released + capacity);
            // SYNC: pairs with the fence in `Memory::attach`.
            fence(Ordering::SeqCst);
            released = lowest(&self.head.seats, GateState::holds, released);
        }
        // A gate that is just being set may stand lower for a moment; the limit only rises.
        self.limit = self.limit.max(released + capacity);
    }

    /// Whether a look at the gates, and a cut of those that may be cut, would find `count` slots
    /// free.
    pub(in crate::ring) fn could_free(&self, count: usize) -> bool {
        let released = lowest_of_stages(&self.sinks, GateState::holds_firmly, self.next);
        let released = lowest(&self.head.seats, GateState::holds_firmly, released);
        released >= self.needed_for(count)
    }

    /// Cuts the detachable stages that alone keep `count` slots from being free; whether any was.
    #[cold]
    pub(in crate::ring) fn cut_laggards(&mut self, count: usize) -> bool {
        if !self.could_free(count) {
            return false;
        }
        let needed = self.needed_for(count);
        let gates = self.sinks.iter().map(|line| &line.gate).chain(&self.head.seats);
        let lagging = gates.filter(|gate| gate.holding().is_some_and(|at| at < needed));
        let cut = |gate: &Gate| gate.change_state(GateState::Detachable, GateState::Lapped);
        lagging.filter(|gate| cut(gate)).count() > 0
    }

    /// What must be released so that `count` slots are free.
    fn needed_for(&self, count: usize) -> u64 {
        (self.next + count as u64).saturating_sub(self.slots.capacity() as u64)
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
