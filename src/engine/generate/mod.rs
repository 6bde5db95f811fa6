//! The generator: a synthetic NASDAQ session with the statistics of a real day.
//!
//! ```text
//!  4:00      9:25        9:30         10:00            15:50        16:00        20:00
//!   | sparse   | imbalance | crosses,   | regular trading  | imbalance  | crosses,   |
//!   | adds     | notices   | burst      | halts            | notices    | deletions  |
//! ```
//!
//! Each step draws an instrument by activity, moves its fair price now and then, and lets one thing
//! happen to its own lean book. Executions respect price-time priority of the displayed orders, and
//! the displayed book is never locked or crossed while trading, so that a session can be checked
//! against a matching engine. All arithmetic is on integers: the same [`Profile`] gives the same
//! bytes on every machine.
//!
//! A session of a thousand stocks or more is one of the whole market, and keeps to the real day's
//! pace: when it has fewer messages than that day, it rests between stretches of it. It is made in
//! four partitions, as an exchange has them, each with stocks, clock and random numbers of its own;
//! they are made on as many threads as there are processors for, and merged by time:
//!
//! ```text
//!  partition 0  ACME, ZEPHR, ... ---> batch --+
//!  partition 1  BOLTX, FLUQ, ... ---> batch --+--> merged by time --> records or ITCH 5.0
//!  partition 2  ORBQ, NOVQ, ...  ---> batch --+
//!  partition 3  QNTA, TIDX, ...  ---> batch --+
//! ```
//!
//! The message mix is steered by what is still owed of each type; adds and deletes by the number of
//! live orders that the time of day asks for.

mod batch;
mod book;
mod draft;
mod flow;
mod flow_export;
mod flow_orders;
mod liquid;
mod lulls;
mod market;
mod partition;
mod phases;
mod profile;
mod random;
mod recent;
mod schedule;
mod style;
mod summary;
mod symbols;
mod tape;
mod trades;

use std::io::{self, Write};
use std::thread;

use crossbeam::queue::SegQueue;
use xxhash_rust::xxh3::Xxh3;

pub use flow::{CommandFlow, Flow, FlowProfile};
pub use liquid::LiquidName;
pub use profile::Profile;
pub use summary::Summary;

use crate::error::Result;
use crate::event::Event;

use batch::Form;
use partition::Partition;

/// Bytes that [`Generator::fill`] appends at a time, give or take a message's.
const CHUNK_BYTES: usize = 64 << 10;

/// A synthetic session, made as it is asked for.
///
/// [`Generator::next_message`] gives records, [`Generator::fill`] and [`Generator::write_itch`]
/// give ITCH 5.0; a generator is used in one of these ways. Messages are made ahead, some 4,000 of
/// each partition; those of a session of the whole market on as many threads as there are
/// processors for, at most four.
#[derive(Clone)]
pub struct Generator {
    profile: Profile,
    partitions: Vec<Partition>,
    threads: usize,
    /// The partition whose messages come next, and the time and partition of the first message that
    /// is not its own.
    turn: (usize, (u64, usize)),
    /// What is known of the merged messages only.
    merged: Summary,
    hasher: Xxh3,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator at the start of its session.
    ///
    /// # Errors
    ///
    /// Those of [`Profile::check`].
    pub fn new(profile: &Profile) -> Result<Self> {
        profile.check()?;
        let partitions = draft::partitions(profile);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            profile: *profile,
            threads: processors.min(partitions.len()),
            partitions,
            turn: (0, (0, 0)),
            merged: Summary::new(profile.symbols as usize),
            hasher: Xxh3::new(),
        })
    }

    /// What the session is to be like.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What was generated so far, messages made ahead included.
    pub fn summary(&self) -> Summary {
        let mut summary = self.merged.clone();
        summary.checksum = self.hasher.digest();
        summary.liquid = self.partitions[0].summary().liquid.clone();
        self.partitions.iter().for_each(|partition| summary.add(partition.summary()));
        summary
    }

    /// Copies the records of the next message to the front of `out` and says how many they are; 0
    /// at the end of the session.
    ///
    /// Times are in ns since midnight, US Eastern.
    ///
    /// # Panics
    ///
    /// When `out` is shorter than [`MESSAGE_RECORDS_MAX`](crate::limits::MESSAGE_RECORDS_MAX).
    pub fn next_message(&mut self, out: &mut [Event]) -> usize {
        let Some((partition, _)) = self.next_turn(Form::Records) else { return 0 };
        let mut is_first = true;
        let (records, _) = self.partitions[partition].batch.take(|mark| {
            let is_due = std::mem::take(&mut is_first);
            if is_due {
                self.merged.note_mark(mark);
            }
            is_due
        });
        out[..records.len()].copy_from_slice(records);
        records.len()
    }

    /// Appends some 64 KiB of framed ITCH 5.0 messages and says how many messages they are; 0 at
    /// the end of the session.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> u64 {
        let start = out.len();
        let mut messages = 0;
        while out.len() - start < CHUNK_BYTES {
            let Some((partition, until)) = self.next_turn(Form::Bytes) else { break };
            let mut room = (CHUNK_BYTES - (out.len() - start)) as isize;
            let (_, bytes) = self.partitions[partition].batch.take(|mark| {
                let is_due = room > 0 && (mark.ts, partition) < until;
                if is_due {
                    room -= mark.bytes as isize;
                    messages += 1;
                    self.merged.note_mark(mark);
                }
                is_due
            });
            out.extend_from_slice(bytes);
        }
        self.hasher.update(&out[start..]);
        self.merged.bytes += (out.len() - start) as u64;
        messages
    }

    /// Writes the rest of the session as framed ITCH 5.0 messages, and says what it was like.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_itch(&mut self, out: &mut impl Write) -> io::Result<Summary> {
        let mut chunk = Vec::with_capacity(2 * CHUNK_BYTES);
        while self.fill(&mut chunk) > 0 {
            out.write_all(&chunk)?;
            chunk.clear();
        }
        out.flush()?;
        Ok(self.summary())
    }

    /// The partition whose message comes next, and the time and partition of the first message that
    /// is not its own; `None` at the end of the session. At equal times the first partition goes
    /// first.
    #[inline]
    fn next_turn(&mut self, form: Form) -> Option<(usize, (u64, usize))> {
        let (partition, until) = self.turn;
        let next = self.partitions[partition].batch.next_ts();
        if next.is_none_or(|ts| (ts, partition) >= until) {
            self.turn = self.find_turn(form)?;
        }
        Some(self.turn)
    }

    fn find_turn(&mut self, form: Form) -> Option<(usize, (u64, usize))> {
        const NEVER: (u64, usize) = (u64::MAX, usize::MAX);
        if self.partitions.iter().any(|partition| partition.next_ts().is_none()) {
            self.make(form);
        }
        let (mut first, mut second) = (NEVER, NEVER);
        for (index, partition) in self.partitions.iter().enumerate() {
            let next = partition.next_ts().map_or(NEVER, |ts| (ts, index));
            if next < first {
                second = first;
                first = next;
            } else {
                second = second.min(next);
            }
        }
        (first.0 < u64::MAX).then_some((first.1, second))
    }

    /// Makes messages of all partitions.
    fn make(&mut self, form: Form) {
        let queue = SegQueue::new();
        self.partitions.iter_mut().for_each(|partition| queue.push(partition));
        let work = || {
            while let Some(partition) = queue.pop() {
                partition.fill(form);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads {
                // A thread that cannot be had leaves its work to the others.
                let _ = thread::Builder::new().name("generator".into()).spawn_scoped(scope, work);
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_the_same_on_any_number_of_threads() {
        let profile = Profile { messages: 200_000, symbols: 1_000, live: 10_000, seed: 5 };
        let bytes = |threads| {
            let mut generator = Generator::new(&profile).expect("a valid profile");
            assert_eq!(generator.partitions.len(), 4);
            generator.threads = threads;
            let mut bytes = Vec::new();
            generator.write_itch(&mut bytes).expect("memory takes everything");
            bytes
        };
        let alone = bytes(1);
        assert!(alone == bytes(2) && alone == bytes(4));
    }
}
