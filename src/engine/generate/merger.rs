//! The messages of all partitions in the order of their times.

use std::mem;

use xxhash_rust::xxh3::Xxh3;

use crate::event::Event;

use super::batch::{Batch, Taken};
use super::summary::Summary;

/// Merges what the partitions make.
#[derive(Clone)]
pub(super) struct Merger {
    /// What waits of each partition, and what follows it.
    waiting: Vec<[Batch; 2]>,
    /// The partition whose messages come next, and the time before which they do.
    turn: (usize, u64),
    /// What is known of the merged messages only.
    summary: Summary,
    hasher: Xxh3,
}

impl Merger {
    /// One for so many partitions, of all of which nothing waits yet.
    pub(super) fn new(partitions: usize, symbols: usize) -> Self {
        Self {
            waiting: vec![Default::default(); partitions],
            turn: (0, 0),
            summary: Summary::new(symbols),
            hasher: Xxh3::new(),
        }
    }

    /// What is known of the messages so far by their order.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        summary.checksum = self.hasher.digest();
        summary
    }

    /// Whether no message is left, and none will come.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.iter().all(|[batch, _]| batch.is_last && batch.len() == 0)
    }

    /// Takes what each partition has made, where there is room for it, and gives an empty batch.
    pub(super) fn accept<'a>(&mut self, made: impl Iterator<Item = &'a mut Batch>) {
        for ([batch, next], made) in self.waiting.iter_mut().zip(made) {
            if next.is_out() {
                next.clear();
                mem::swap(next, made);
            }
            if batch.is_out() {
                mem::swap(batch, next);
            }
        }
    }

    /// The records of the next message; `None` when messages have to be made first.
    pub(super) fn next_message(&mut self) -> Option<&[Event]> {
        let (partition, until) = self.next_turn()?;
        let Taken { marks, records, .. } = self.waiting[partition][0].take(until, 1);
        self.summary.note_marks(marks);
        Some(records)
    }

    /// Appends at least so many bytes of messages, less when messages have to be made first, and
    /// says how many messages they are.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>, bytes_min: usize) -> u64 {
        let start = out.len();
        let mut messages = 0;
        while out.len() - start < bytes_min {
            let Some((partition, until)) = self.next_turn() else { break };
            let room = bytes_min - (out.len() - start);
            let Taken { marks, bytes, .. } = self.waiting[partition][0].take(until, room);
            self.summary.note_marks(marks);
            messages += marks.len() as u64;
            out.extend_from_slice(bytes);
        }
        self.hasher.update(&out[start..]);
        self.summary.bytes += (out.len() - start) as u64;
        messages
    }

    /// The partition whose message comes next, and the time before which further ones of its own
    /// are next as well; `None` when it is not known. At equal times the first partition goes
    /// first.
    #[inline]
    fn next_turn(&mut self) -> Option<(usize, u64)> {
        let (partition, until) = self.turn;
        if self.waiting[partition][0].next_ts().is_none_or(|ts| ts >= until) {
            self.turn = self.find_turn()?;
        }
        Some(self.turn)
    }

    fn find_turn(&mut self) -> Option<(usize, u64)> {
        const NEVER: (u64, usize) = (u64::MAX, 0);
        // No other partition can have run out of messages.
        let [batch, next] = &mut self.waiting[self.turn.0];
        if batch.is_out() {
            mem::swap(batch, next);
            if batch.is_out() {
                return None;
            }
        }
        let (mut first, mut second) = (NEVER, NEVER);
        for (partition, [batch, _]) in self.waiting.iter().enumerate() {
            let ts = batch.next_ts().unwrap_or(u64::MAX);
            if ts < first.0 {
                second = first;
                first = (ts, partition);
            } else if ts < second.0 {
                second = (ts, partition);
            }
        }
        let until = second.0.saturating_add(u64::from(first.1 < second.1));
        (first.0 < u64::MAX).then_some((first.1, until))
    }
}
