//! One stage's reader of a ring.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::hint::expect_to_read;
use super::memory::Slots;
use super::{Published, SIGNAL};
use crate::ring::cursor::{Gate, GateState, Head, Line};
use crate::ring::failure::End;
use crate::ring::sync::Ordering;

/// How far ahead of the record at hand a reader asks for what comes.
// WHY: batches of a full ring of 1 MiB went at 190 M/s without, 219 with 8, 253 with 16, 275 with
// 32 and no faster with 64 or 128.
const SLOTS_AHEAD: usize = 32;

/// What a look for more records found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ring) enum Found {
    /// Records to read.
    Records,
    /// Nothing yet.
    Nothing,
    /// Nothing, and the stream has ended, or the producer or a stage before this one failed. A
    /// failed stage may have released more since this look.
    End,
    /// The stage was cut, and there will be nothing more for it.
    Cut,
}

/// The copies of a reader that takes no references into the ring.
#[derive(Debug)]
pub(super) struct Copies<T> {
    records: Box<[Published<T>]>,
    /// The sequence of the first copy.
    first: u64,
    /// Sequences below were published at the last look.
    known: u64,
    /// Records that were overwritten before they could be copied.
    missed: u64,
    /// Whether a gate holds the writer back, so that nothing is overwritten unless it was cut.
    is_gated: bool,
}

impl<T: Pod> Copies<T> {
    pub(super) fn new(count: usize, is_gated: bool) -> Self {
        let records = (0..count).map(|_| Published::empty()).collect();
        Self { records, first: 0, known: 0, missed: 0, is_gated }
    }
}

/// One stage's reader of a ring.
#[derive(Debug)]
pub(in crate::ring) struct Reader<T> {
    /// The sequence to read next; equals the gate's position.
    position: u64,
    /// Sequences below are there to be read. It may lag behind what is published: that only hides
    /// records. For a stage behind the writer it is always the end of a commit.
    limit: u64,
    /// Whether the last look found nothing.
    is_waiting: bool,
    /// Whether it reads the slots themselves, right behind the writer.
    is_next_to_writer: bool,
    is_exclusive: bool,
    slots: Slots<T>,
    gate: Arc<CachePadded<Gate>>,
    head: Arc<CachePadded<Head>>,
    upstreams: Box<[Arc<CachePadded<Gate>>]>,
    copies: Option<Copies<T>>,
    line: Arc<Line>,
}

impl<T: Pod> Reader<T> {
    pub(super) fn new(
        slots: Slots<T>,
        head: Arc<CachePadded<Head>>,
        line: Arc<Line>,
        position: u64,
        copies: Option<Copies<T>>,
        is_exclusive: bool,
    ) -> Self {
        let copies = copies.map(|copies| Copies { known: position, ..copies });
        Self {
            position,
            limit: position,
            is_waiting: false,
            is_next_to_writer: line.upstreams.is_empty() && copies.is_none(),
            is_exclusive,
            slots,
            gate: Arc::clone(&line.gate),
            head,
            upstreams: line.upstreams.iter().map(|up| Arc::clone(&up.gate)).collect(),
            copies,
            line,
        }
    }

    /// Looks at the head once, for a reader that begins between the ends of two commits, where no
    /// stamp would tell it.
    pub(super) fn begin(&mut self) {
        if self.upstreams.is_empty() {
            let published = self.head.position();
            match &mut self.copies {
                None => self.limit = published,
                Some(copies) => copies.known = published,
            }
        }
    }

    #[inline]
    pub(in crate::ring) fn head(&self) -> &Arc<CachePadded<Head>> {
        &self.head
    }

    #[inline]
    pub(in crate::ring) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    #[inline]
    pub(in crate::ring) fn position(&self) -> u64 {
        self.position
    }

    /// Records known to be there and ready to be read.
    #[inline]
    pub(in crate::ring) fn readable(&self) -> usize {
        (self.limit - self.position) as usize
    }

    /// Records known to be there.
    #[inline]
    pub(in crate::ring) fn depth(&self) -> usize {
        let known = self.copies.as_ref().map_or(self.limit, |copies| copies.known);
        (known - self.position) as usize
    }

    /// Records that were overwritten before they could be copied.
    pub(in crate::ring) fn missed(&self) -> u64 {
        self.copies.as_ref().map_or(0, |copies| copies.missed)
    }

    /// Whether records are read by copy.
    pub(in crate::ring) fn is_copying(&self) -> bool {
        self.copies.is_some()
    }

    /// Whether the stage is to read nothing more.
    #[inline]
    pub(in crate::ring) fn is_over(&self) -> bool {
        self.gate.is_over()
    }

    /// Looks for more once everything known has been released, or the stage is to go.
    // WHY: what a stage behind the writer does while it waits, and when the awaited commit comes,
    // is inlined, all else is not: in a round trip each call costs as much as a look.
    #[inline(always)]
    pub(in crate::ring) fn refresh(&mut self) -> Found {
        if self.is_next_to_writer && self.readable() == 0 && !self.is_over() {
            let stamp = self.slots.at(self.position).stamp();
            if stamp <= self.position {
                self.is_waiting = true;
                return Found::Nothing;
            }
            // WHY: for a reader that waited, one line tells and carries the news, unless the
            // commit after it is there too.
            let is_one = self.is_waiting && stamp > self.position && stamp != SIGNAL;
            if is_one && self.slots.at(stamp).stamp() <= stamp {
                self.is_waiting = false;
                self.limit = stamp;
                return Found::Records;
            }
        }
        self.look_around()
    }

    /// Looks at all that there is to see.
    #[inline(never)]
    fn look_around(&mut self) -> Found {
        self.is_waiting = false;
        if self.is_over() {
            self.leave();
            return Found::Cut;
        }
        debug_assert_eq!(self.position, self.limit);
        if self.copies.as_ref().is_some_and(|copies| copies.known > self.position) {
            return self.copy();
        }
        let found =
            if self.upstreams.is_empty() { self.look_at_writer() } else { self.look_at_stages() };
        if found == Found::Records && self.copies.is_some() {
            return self.copy();
        }
        found
    }

    fn look_at_writer(&mut self) -> Found {
        let stamp = self.slots.at(self.position).stamp();
        if stamp <= self.position {
            return Found::Nothing;
        }
        // With news at once the reader lags: the cursor tells of all the commits since. It may
        // also be behind the stamp, which is stored first.
        let told = if stamp == SIGNAL { self.position } else { stamp };
        self.limit = told.max(self.head.position());
        if self.limit > self.position { Found::Records } else { Found::End }
    }

    fn look_at_stages(&mut self) -> Found {
        let lowest = self.upstreams.iter().map(|upstream| upstream.position()).min();
        self.limit = lowest.expect("called only with upstream stages");
        if self.limit > self.position {
            return Found::Records;
        }
        let failed = self.line.upstreams.iter().any(|upstream| upstream.alarm.is_raised());
        if failed || self.is_finished() { Found::End } else { Found::Nothing }
    }

    /// Copies what was found, as much as there is room for, and checks that it is whole.
    fn copy(&mut self) -> Found {
        let Some(copies) = &mut self.copies else { return Found::Records };
        let capacity = self.slots.capacity() as u64;
        let known = copies.known.max(self.limit);
        self.limit = self.position;
        let count = ((known - self.position) as usize).min(copies.records.len());
        let (head, tail) = self.slots.run(self.position, count);
        for (to, slot) in copies.records.iter_mut().zip(head.iter().chain(tail)) {
            // SAFETY: the copies are this reader's own, borrowed mutably.
            let record = to.value.with_mut(|value| unsafe { &mut *value });
            let words: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(record));
            for (to, word) in words.iter_mut().zip(slot.words()) {
                // SYNC: Acquire, pairs with the Release in `Writer::unstage`.
                *to = word.load(Ordering::Acquire);
            }
        }
        let gone = self.head.overwriting().saturating_sub(capacity);
        if gone <= self.position {
            (copies.first, copies.known) = (self.position, known);
            self.limit = self.position + count as u64;
            return Found::Records;
        }
        if copies.is_gated {
            self.leave();
            return Found::Cut;
        }
        // Half a ring behind the head there is time to copy.
        copies.known = self.head.position();
        let next = gone.max(copies.known.saturating_sub(capacity / 2));
        copies.missed += next - self.position;
        (self.position, self.limit) = (next, next);
        self.gate.advance_to(next);
        Found::Nothing
    }

    /// Reads nothing more and holds nobody back.
    pub(in crate::ring) fn leave(&mut self) {
        self.limit = self.position;
        if let Some(copies) = &mut self.copies {
            copies.known = self.position;
        }
        if self.gate.state() != GateState::Lapped {
            self.gate.set_state(GateState::Cut);
        }
        self.head.bell.ring();
    }

    /// Whether the stream is closed and this stage has released all of it.
    #[inline]
    pub(in crate::ring) fn is_finished(&self) -> bool {
        // The stamp first: it is in the line that this stage watches anyway.
        self.slots.at(self.position).stamp() == SIGNAL
            && self.head.end() == End::Closed
            && self.head.position() == self.position
    }

    /// Whether a look would find anything: records, the end or an alarm.
    pub(in crate::ring) fn has_news(&self) -> bool {
        // What an observer skipped to need not be where a commit begins, with a stamp.
        let is_known = self.copies.as_ref().is_some_and(|copies| copies.known > self.position);
        let found = match self.upstreams.is_empty() {
            true => self.slots.at(self.position).stamp() > self.position,
            false => self.upstreams.iter().all(|up| up.position() > self.position),
        };
        let alarmed = || self.line.upstreams.iter().any(|up| up.alarm.is_raised());
        // WHY: not any end of the stream, because a stage that still waits for one before it would
        // stay awake for that one's last records.
        is_known || found || self.gate.is_over() || self.is_finished() || alarmed()
    }

    /// The next `count` records, in two runs.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Reader::readable`].
    #[inline]
    pub(in crate::ring) fn slices(&self, count: usize) -> (&[Published<T>], &[Published<T>]) {
        assert!(count <= self.readable(), "read beyond what is there");
        match &self.copies {
            None => self.slots.run(self.position, count),
            // The reader may stand far behind its last copies, or have none yet.
            Some(_) if count == 0 => (&[], &[]),
            Some(copies) => {
                let begin = (self.position - copies.first) as usize;
                (&copies.records[begin..begin + count], &[])
            }
        }
    }

    /// The next `count` records one after the other, each asked for in time.
    #[inline]
    pub(in crate::ring) fn records(&self, count: usize) -> impl Iterator<Item = &Published<T>> {
        let (head, tail) = self.slices(count);
        // Not beyond what is known to be there: that is the writer's.
        let asked_for = match &self.copies {
            None => self.readable().saturating_sub(SLOTS_AHEAD),
            Some(_) => 0,
        };
        head.iter().chain(tail).enumerate().map(move |(i, slot)| {
            if i < asked_for {
                let ahead = self.position + (i + SLOTS_AHEAD) as u64;
                expect_to_read(self.slots.at(ahead));
            }
            slot
        })
    }

    /// The record `offset` behind the position, to be changed.
    ///
    /// # Panics
    ///
    /// Unless the reader is exclusive and `offset` less than [`Reader::readable`].
    #[inline]
    pub(in crate::ring) fn slot(&mut self, offset: usize) -> &mut T {
        assert!(self.is_exclusive && offset < self.readable(), "change what is not its own");
        let slot = self.slots.at(self.position + offset as u64);
        // SAFETY: the sequence lies in `position..limit`, so the writer is out (invariant 3); every
        // other stage is before this one and has released it or behind and has not got it yet
        // (invariant 8), and the borrow of `self` keeps this one from making a second reference.
        slot.value.with_mut(|value| unsafe { &mut *value })
    }

    /// Gives the next `count` records back to the stages behind and to the writer.
    ///
    /// # Panics
    ///
    /// If `count` is greater than [`Reader::readable`].
    #[inline]
    pub(in crate::ring) fn release(&mut self, count: usize) {
        assert!(count <= self.readable(), "release beyond what was read");
        self.position += count as u64;
        self.gate.advance_to(self.position);
        self.head.bell.ring();
    }
}
