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
mod merger;
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

pub use flow::{CommandFlow, Flow, FlowProfile};
pub use liquid::LiquidName;
pub use profile::Profile;
pub use summary::Summary;

use crate::error::Result;
use crate::event::Event;

use batch::Form;
use merger::Merger;
use partition::Partition;

/// Bytes that [`Generator::fill`] appends at a time, give or take a message's.
const CHUNK_BYTES: usize = 64 << 10;

/// A synthetic session, made as it is asked for.
///
/// [`Generator::next_message`] gives records, [`Generator::fill`] and [`Generator::write_itch`]
/// give ITCH 5.0; a generator is used in one of these ways. Messages are made ahead, some 10,000 of
/// each partition; those of a session of the whole market on as many threads as there are
/// processors for, at most four.
#[derive(Clone)]
pub struct Generator {
    profile: Profile,
    partitions: Vec<Partition>,
    threads: usize,
    merger: Merger,
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
            merger: Merger::new(partitions.len(), profile.symbols as usize),
            partitions,
        })
    }

    /// What the session is to be like.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What was generated so far, messages made ahead included.
    pub fn summary(&self) -> Summary {
        let mut summary = self.merger.summary();
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
        loop {
            if let Some(records) = self.merger.next_message() {
                out[..records.len()].copy_from_slice(records);
                return records.len();
            }
            if self.merger.is_over() {
                return 0;
            }
            self.make(Form::Records);
        }
    }

    /// Appends some 64 KiB of framed ITCH 5.0 messages and says how many messages they are; 0 at
    /// the end of the session.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> u64 {
        let until = out.len() + CHUNK_BYTES;
        let mut messages = 0;
        loop {
            messages += self.merger.fill(out, until.saturating_sub(out.len()));
            if out.len() >= until || self.merger.is_over() {
                return messages;
            }
            self.make(Form::Bytes);
        }
    }

    /// Writes the rest of the session as framed ITCH 5.0 messages, and says what it was like.
    ///
    /// Messages are made while the ones before them are merged and written.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_itch(&mut self, out: &mut impl Write) -> io::Result<Summary> {
        let mut chunk = Vec::with_capacity(2 * CHUNK_BYTES);
        while !self.merger.is_over() {
            self.make_beside(Form::Bytes, |merger| {
                while merger.fill(&mut chunk, CHUNK_BYTES) > 0 {
                    out.write_all(&chunk)?;
                    chunk.clear();
                }
                Ok::<(), io::Error>(())
            })?;
        }
        out.flush()?;
        Ok(self.summary())
    }

    /// Makes messages of all partitions.
    fn make(&mut self, form: Form) {
        self.make_beside(form, |_| ());
    }

    /// Makes messages of all partitions while something else is done with those that wait.
    fn make_beside<T>(&mut self, form: Form, other: impl FnOnce(&mut Merger) -> T) -> T {
        let queue = SegQueue::new();
        self.partitions.iter_mut().for_each(|partition| queue.push(partition));
        let work = || {
            while let Some(partition) = queue.pop() {
                partition.fill(form);
            }
        };
        let done = thread::scope(|scope| {
            for _ in 1..self.threads {
                // A thread that cannot be had leaves its work to the others.
                let _ = thread::Builder::new().name("generator".into()).spawn_scoped(scope, work);
            }
            let done = other(&mut self.merger);
            work();
            done
        });
        drop(queue);
        self.merger.accept(self.partitions.iter_mut().map(Partition::batch_mut));
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_the_same_on_any_number_of_threads_and_however_it_is_asked_for() {
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

        let mut generator = Generator::new(&profile).expect("a valid profile");
        let (mut filled, mut messages) = (Vec::new(), 0);
        while let more @ 1.. = generator.fill(&mut filled) {
            messages += more;
        }
        assert!(alone == filled);
        assert_eq!((messages, generator.summary().messages()), (200_000, 200_000));
    }
}
