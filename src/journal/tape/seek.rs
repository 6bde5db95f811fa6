//! Moving to a place in a journal: a sequence, a time, the end.

use super::{Head, Tape};
use crate::error::{Error, Result};
use crate::journal::chain::Chain;
use crate::journal::directory::segment_path;
use crate::journal::segment::{Segment, Slot};

impl Tape {
    /// Moves to `sequence`, which may be the one after the last record; `false` if it is behind
    /// that, and the position stays.
    pub(in crate::journal) fn seek(&mut self, sequence: u64) -> Result<bool> {
        let chain = Chain::look(&self.dir, self.until)?;
        let Some(link) = chain.holding(sequence) else {
            return Err(Error::usage(
                format!("sequence {sequence} is no longer in the journal"),
                format!("the first is {}", chain.first_sequence()),
            ));
        };
        let segment = Segment::open_in_use(&segment_path(&self.dir, link.start))?;
        let index = sequence - link.start;
        let end = chain.superseded_at(&segment.header).unwrap_or(u64::MAX);
        let reaches = sequence <= end && index <= segment.geometry.records();
        if !reaches || index > 0 && !is_record(&segment, index - 1) {
            return Ok(false);
        }
        self.chain = chain;
        let last_crc = index.checked_sub(1).map(|before| segment.stored_crc(before));
        self.enter(segment, last_crc)?;
        self.index = index;
        Ok(true)
    }

    /// Moves behind the last record that is there now.
    pub(in crate::journal) fn seek_end(&mut self) -> Result<()> {
        self.chain = Chain::look(&self.dir, self.until)?;
        self.enter_at(self.chain.last().start)?;
        self.go_to_block(self.blocks().saturating_sub(1));
        let words_each = self.segment.geometry.slot_words();
        let mut batch = vec![[0; 8]; words_each * self.segment.geometry.block_records as usize];
        loop {
            while self.read(words_each, &mut batch)? > 0 {}
            if !matches!(self.head()?, Head::More) {
                return Ok(());
            }
        }
    }

    /// Moves to the start of the block before which all times are below `time`, and in which or
    /// behind which the first that is not must be.
    pub(in crate::journal) fn seek_block_before(&mut self, time: u64) -> Result<()> {
        self.chain = Chain::look(&self.dir, self.until)?;
        let starts: Vec<u64> = self.chain.from(0).map(|link| link.start).collect();
        let (mut from, mut to) = (0, starts.len());
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            self.enter_at(starts[middle])?;
            let begins_earlier = self.segment.block(0).is_some_and(|block| block.time_max < time);
            (from, to) = if begins_earlier { (middle, to) } else { (from, middle) };
        }
        self.enter_at(starts[from])?;
        let (mut from, mut to) = (0, self.blocks().max(1));
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            let begins_earlier =
                self.segment.block(middle).is_some_and(|block| block.time_max < time);
            (from, to) = if begins_earlier { (middle, to) } else { (from, middle) };
        }
        self.go_to_block(from);
        Ok(())
    }

    fn enter_at(&mut self, start: u64) -> Result<()> {
        self.enter(Segment::open_in_use(&segment_path(&self.dir, start))?, None)
    }

    /// Blocks of the present segment that were begun and count.
    fn blocks(&self) -> u64 {
        let counting = self.limit.div_ceil(self.segment.geometry.block_records);
        self.segment.blocks_begun().min(counting)
    }

    /// Moves to the start of a block of the present segment.
    fn go_to_block(&mut self, number: u64) {
        self.index = number * self.segment.geometry.block_records;
        self.in_block = false;
        self.last_crc = self.index.checked_sub(1).map(|before| self.segment.stored_crc(before));
    }
}

fn is_record(segment: &Segment, index: u64) -> bool {
    matches!(segment.slot(index), Slot::Record)
}
