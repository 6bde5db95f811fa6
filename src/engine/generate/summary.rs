//! What a generated session turned out to be.

use crate::processor::prefetch_at;

use super::batch::Mark;
use super::liquid::{Liquid, LiquidName};

/// Counts of a generated session.
///
/// [`generated::rows`](crate::report::generated::rows) puts them beside a real day's.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Messages by type letter.
    pub by_type: [u64; 256],
    /// Bytes written, length prefixes included.
    pub bytes: u64,
    /// XXH3 of the bytes, with seed 0.
    pub checksum: u64,
    /// Resting orders at the moment.
    pub live: u64,
    /// Resting orders at the peak.
    pub live_peak: u64,
    /// Messages at the time of their predecessor.
    pub same_time: u64,
    /// Displayed executions whose level held other orders.
    pub with_company: u64,
    /// Exchange events with displayed executions.
    pub aggressors: u64,
    /// Aggressors that took orders at two prices or more.
    pub sweeps: u64,
    /// Aggressors whose remainder rested.
    pub remainders: u64,
    /// Aggressors that a reserve order refilled behind.
    pub refills: u64,
    /// Exchange events with hidden executions only.
    pub hidden_only: u64,
    /// Order references below the one issued before.
    pub references_down: u64,
    /// Order references issued.
    pub references: u64,
    /// Orders that were executed to the last share.
    pub executed_whole: u64,
    /// Orders that came to a side that had others.
    pub placed: u64,
    /// Those of them that were more than 512 ticks behind the touch.
    pub placed_far: u64,
    pub(super) liquid: Liquid,
    messages: u64,
    /// Time of the last message, and the last reference.
    last: (u64, u64),
    by_instrument: Vec<u64>,
}

impl Summary {
    pub(super) fn new(symbols: usize) -> Self {
        Self {
            by_type: [0; 256],
            bytes: 0,
            checksum: 0,
            live: 0,
            live_peak: 0,
            same_time: 0,
            with_company: 0,
            aggressors: 0,
            sweeps: 0,
            remainders: 0,
            refills: 0,
            hidden_only: 0,
            references_down: 0,
            references: 0,
            executed_whole: 0,
            placed: 0,
            placed_far: 0,
            liquid: Liquid::new(),
            messages: 0,
            last: (0, 0),
            by_instrument: vec![0; symbols + 1],
        }
    }

    #[inline]
    pub(super) fn note_message(&mut self, letter: u8, instrument: u32) {
        self.messages += 1;
        self.by_type[usize::from(letter)] += 1;
        self.by_instrument[instrument as usize] += 1;
    }

    /// Asks for the memory of an instrument's count.
    #[inline]
    pub(super) fn prefetch(&self, instrument: u32) {
        prefetch_at(&self.by_instrument, instrument as usize);
    }

    #[inline]
    pub(super) fn note_live(&mut self, change: i64) {
        self.live = self.live.wrapping_add_signed(change);
    }

    /// Takes note of what depends on the order of all messages.
    #[inline]
    pub(super) fn note_marks(&mut self, marks: &[Mark]) {
        for &Mark { ts, reference, live, .. } in marks {
            self.same_time += u64::from(ts == self.last.0);
            self.last.0 = ts;
            if reference > 0 {
                self.references += 1;
                self.references_down += u64::from(reference < self.last.1);
                self.last.1 = reference;
            }
            self.note_live(i64::from(live));
            self.live_peak = self.live_peak.max(self.live);
        }
    }

    /// Adds what does not depend on the order of all messages, of a part of the session.
    pub(super) fn add(&mut self, part: &Self) {
        let add = |sums: &mut [u64], counts: &[u64]| {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        };
        add(&mut self.by_type, &part.by_type);
        add(&mut self.by_instrument, &part.by_instrument);
        self.messages += part.messages;
        self.with_company += part.with_company;
        self.aggressors += part.aggressors;
        self.sweeps += part.sweeps;
        self.remainders += part.remainders;
        self.refills += part.refills;
        self.hidden_only += part.hidden_only;
        self.executed_whole += part.executed_whole;
        self.placed += part.placed;
        self.placed_far += part.placed_far;
    }

    /// A new order on a side that has others.
    #[inline]
    pub(super) fn note_placed(&mut self, is_far: bool) {
        self.placed += 1;
        self.placed_far += u64::from(is_far);
    }

    /// What the busiest stock was like.
    pub fn liquid_name(&self) -> LiquidName {
        self.liquid.name()
    }

    /// Symbols that had a message.
    pub fn symbols(&self) -> usize {
        self.by_instrument[1..].iter().filter(|&&count| count > 0).count()
    }

    /// Messages of the session so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages of the types in `letters`.
    pub fn count(&self, letters: &[u8]) -> u64 {
        letters.iter().map(|&letter| self.by_type[usize::from(letter)]).sum()
    }

    /// Messages of the `count` busiest instruments.
    pub fn messages_of_busiest(&self, count: usize) -> u64 {
        let mut counts = self.by_instrument[1..].to_vec();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.iter().take(count).sum()
    }
}
