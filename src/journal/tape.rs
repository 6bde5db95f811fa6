//! Walking a journal record by record, over its segments, live or dead: the one loop under
//! [`Reader`](super::Reader) and [`verify`](super::verify()).
//!
//! Where no record can be read the walk decides:
//!
//! ```text
//!   a later epoch begins here             -> that epoch's segment
//!   the journal is being cut here         -> pending, or end if nobody is at it
//!   a seal, closed                        -> end, sealed
//!   a seal, rolled                        -> next segment
//!   neither, something later is readable  -> corruption, or torn: see below
//!   neither, nothing later, writer alive  -> pending
//!   neither, nothing later, writer gone   -> end; torn if anything but zeros is there
//! ```
//!
//! While the machine runs, what a process stored stays in order, so something readable behind the
//! gap means corruption. A machine that goes down loses pages in any order: after another boot than
//! the writer's, a gap is torn if it lies at or above the highest sequence that was known to be on
//! the disk, and corruption below.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::chain::{Chain, RESTORE, check_neighbours};
use super::directory::{WriterWatch, boot_id, segment_path};
use super::format::{SEAL_CLOSE, Seal, SegmentHeader};
use super::segment::{Opening, Segment, Slot, bad, read_header};
use crate::error::{Error, Result};

mod seek;

/// Reads at a silent head between two questions whether the writer is still alive.
const POLLS_PER_QUESTION: u32 = 32;

/// What is left of a record that a killed writer had begun, or of more after a crash of the
/// machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornTail {
    /// The segment.
    pub path: PathBuf,
    /// The first sequence that cannot be read.
    pub sequence: u64,
    /// The first byte of the segment, as a multiple of 8, that is not zero.
    pub offset: u64,
    /// The first readable record behind it, which the crash of the machine spared; `None` when
    /// nothing readable follows.
    pub later: Option<u64>,
}

/// What is behind the last record that can be read.
#[derive(Clone, Debug)]
pub(super) enum Head {
    /// More records after all.
    More,
    /// Nothing yet; the writer is alive.
    Pending,
    /// Nothing, and nothing will come.
    End { sealed: bool, torn_tail: Option<TornTail> },
}

/// A position in a journal.
#[derive(Debug)]
pub(super) struct Tape {
    dir: PathBuf,
    chain: Chain,
    /// Segments whose names are not below this are not looked at.
    until: u64,
    segment: Segment,
    /// Records of the present segment before the position.
    index: u64,
    /// Records of the present segment that count.
    limit: u64,
    /// Whether a later epoch begins at `limit`.
    is_superseded: bool,
    /// Whether the header of the present block was checked.
    in_block: bool,
    /// CRC of the record before the position, where known.
    last_crc: Option<u32>,
    watch: WriterWatch,
    /// The present boot of this machine; zeros where that is unknown.
    boot_id: [u8; 16],
    /// Reads in a row that found nothing.
    idle: u32,
}

impl Tape {
    /// Opens a journal at its first record after checking that its segments belong together.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        Self::open_until(dir, u64::MAX, WriterWatch::default())
    }

    /// As [`open`](Self::open), without the segments whose names are not below `until`.
    pub(super) fn open_until(dir: &Path, until: u64, watch: WriterWatch) -> Result<Self> {
        let chain = Chain::look(dir, until)?;
        let segment = Segment::open_in_use(&segment_path(dir, chain.first_sequence()))?;
        let mut tape = Self {
            dir: dir.to_owned(),
            chain,
            until,
            segment,
            index: 0,
            limit: 0,
            is_superseded: false,
            in_block: false,
            last_crc: None,
            watch,
            boot_id: boot_id(),
            idle: 0,
        };
        tape.find_limit()?;
        Ok(tape)
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.segment.header
    }

    /// The sequence of the next record.
    pub(super) fn position(&self) -> u64 {
        self.segment.header.first_sequence + self.index
    }

    pub(super) fn first_sequence(&self) -> u64 {
        self.chain.first_sequence()
    }

    /// Segments in use, as far as known.
    pub(super) fn segments(&self) -> u64 {
        self.chain.segments()
    }

    /// CRC of the record before the position; `None` at the start.
    pub(super) fn last_crc(&self) -> Option<u32> {
        self.last_crc
    }

    /// Bytes of the present segment up to the position.
    pub(super) fn bytes_here(&self) -> u64 {
        self.segment.end_offset(self.index) as u64
    }

    /// The first sequence of the block at the position, and the highest time before it.
    pub(super) fn block_start(&self) -> (u64, u64) {
        let records = self.segment.geometry.block_records;
        let header = self.segment.block(self.index / records);
        (self.position() - self.index % records, header.map_or(0, |header| header.time_max))
    }

    /// Copies records of the present segment into `out`, of `words_each` words a record; returns
    /// how many; if it is 0, [`head`](Self::head) says why.
    #[inline]
    pub(super) fn read(&mut self, words_each: usize, out: &mut [[u8; 8]]) -> Result<usize> {
        let geometry = self.segment.geometry;
        let (wanted, mut done) = (out.len() / words_each, 0);
        while done < wanted && self.index < self.limit {
            let in_block = self.index % geometry.block_records;
            if (in_block == 0 || !self.in_block) && !self.enter_block()? {
                break;
            }
            let in_reach = (geometry.block_records - in_block).min(self.limit - self.index);
            let run = (wanted - done).min(in_reach as usize);
            let run_out = &mut out[done * words_each..(done + run) * words_each];
            let (count, crc) = self.segment.read_run(self.index, words_each, run_out);
            if count > 0 {
                self.last_crc = Some(crc);
                self.idle = 0;
            }
            self.index += count as u64;
            done += count;
            if count < run {
                break;
            }
        }
        Ok(done)
    }

    /// Checks the header of the present block; `false` if there is none.
    fn enter_block(&mut self) -> Result<bool> {
        let geometry = self.segment.geometry;
        let number = self.index / geometry.block_records;
        let Some(header) = self.segment.block(number) else { return Ok(false) };
        let begins = self.index.is_multiple_of(geometry.block_records);
        if begins && self.last_crc.is_some_and(|last| last != header.previous_crc) {
            let offset = geometry.block_offset(number) as u64;
            let what = format!("the block at sequence {} is another journal's", self.position());
            return Err(bad(&self.segment.path, offset, what, RESTORE));
        }
        self.in_block = true;
        Ok(true)
    }

    /// Says what is at a position where [`read`](Self::read) found no record.
    pub(super) fn head(&mut self) -> Result<Head> {
        match self.look_at_head() {
            // A recovery puts a segment in the place of one that nothing was written to.
            Err(Error::Io { source, .. })
                if source.kind() == ErrorKind::NotFound && self.watch.is_alive(&self.dir) =>
            {
                Ok(Head::Pending)
            }
            head => head,
        }
    }

    fn look_at_head(&mut self) -> Result<Head> {
        if self.is_superseded && self.index == self.limit {
            return self.pass_epoch();
        }
        if self.segment.is_readable(self.index) {
            return match self.segment.slot(self.index) {
                Slot::Seal(seal) => self.pass_seal(&seal),
                Slot::Record | Slot::Unreadable => Ok(Head::More),
            };
        }
        let asks = self.idle.is_multiple_of(POLLS_PER_QUESTION);
        self.idle = self.idle.wrapping_add(1);
        if !asks {
            return Ok(Head::Pending);
        }
        let alive = self.watch.is_alive(&self.dir);
        let evidence = if alive {
            self.segment.glimpse_evidence(self.index)
        } else {
            self.segment.first_evidence(self.index)
        };
        if self.look_again(alive)? {
            return Ok(Head::More);
        }
        // SYNC: what was written before the evidence, or before the writer went, is visible now.
        if self.segment.is_readable(self.index) {
            self.idle = 0;
            return Ok(Head::More);
        }
        match (evidence, self.chain.after(&self.segment.header)) {
            (None, None) if alive => Ok(Head::Pending),
            (None, None) => Ok(self.end_torn(None)),
            (later, _) if !alive && self.can_be_torn()? => Ok(self.end_torn(later)),
            (Some(later), _) => Err(self.corrupt(later)),
            (None, Some(next)) => Err(self.unsealed(next.start)),
        }
    }

    /// Looks whether segments have come; whether the position is now at the start of an epoch.
    fn look_again(&mut self, alive: bool) -> Result<bool> {
        if self.index == 0 && read_header(&self.segment.path)?.epoch > self.segment.header.epoch {
            // An epoch that nothing was written to has given way to the next one.
            self.segment = Segment::open(&self.segment.path)?;
            self.in_block = false;
        }
        if (!alive || self.chain.has_changed(&self.dir, self.until)?)
            && let Some(chain) = Chain::look_if_any(&self.dir, self.until)?
        {
            self.chain = chain;
            self.find_limit()?;
        }
        Ok(self.is_superseded && self.index == self.limit)
    }

    /// Finds out how many records of the present segment count.
    fn find_limit(&mut self) -> Result<()> {
        let header = &self.segment.header;
        let end = self.chain.superseded_at(header);
        self.is_superseded = end.is_some();
        self.limit = end.map_or(self.segment.geometry.records(), |end| end - header.first_sequence);
        if self.index > self.limit {
            let sequence = header.first_sequence + self.limit;
            let what = format!("the journal was cut at sequence {sequence}, which was read before");
            return Err(bad(&self.segment.path, self.bytes_here(), what, "read again from there"));
        }
        Ok(())
    }

    /// Whether a gap at the position can be what the crash of the machine left behind.
    fn can_be_torn(&self) -> Result<bool> {
        let SegmentHeader { first_sequence, epoch, boot_id, .. } = self.segment.header;
        let same_boot = boot_id == self.boot_id || [boot_id, self.boot_id].contains(&[0; 16]);
        if same_boot || self.chain.last().epoch != epoch {
            return Ok(false);
        }
        let mut durable = self.segment.durable_mark();
        for link in self.chain.from(first_sequence + 1) {
            let segment = Segment::open(&segment_path(&self.dir, link.start))?;
            durable = durable.max(segment.durable_mark());
        }
        Ok(self.position() >= durable)
    }

    /// The end at an unreadable position, before something readable at index `later`.
    fn end_torn(&self, later: Option<u64>) -> Head {
        let later = later.and_then(|index| self.segment.first_slot(index));
        let torn = self.segment.first_garbage(self.index).map(|offset| TornTail {
            path: self.segment.path.clone(),
            sequence: self.position(),
            offset: offset as u64,
            later: later.map(|index| self.segment.header.first_sequence + index),
        });
        Head::End { sealed: false, torn_tail: torn }
    }

    fn unsealed(&self, next: u64) -> Error {
        let sequence = self.position();
        let what = format!(
            "the segment ends without a seal at sequence {sequence}, and the next begins at {next}"
        );
        bad(&self.segment.path, self.bytes_here(), what, RESTORE)
    }

    /// The error of a position that cannot be read though `evidence` behind it can.
    fn corrupt(&self, evidence: u64) -> Error {
        let from = self.bytes_here();
        let what = if evidence == self.index {
            format!("the header of the block at sequence {} is damaged", self.position())
        } else {
            let later = self.segment.first_slot(self.index + 1).unwrap_or(evidence);
            let sequence = self.segment.header.first_sequence + later;
            let to = self.segment.end_offset(later);
            format!(
                "sequences {}..{sequence} (bytes {from}..{to}) are damaged, what follows is not",
                self.position(),
            )
        };
        bad(&self.segment.path, from, what, RESTORE)
    }

    /// Checks a seal and goes on behind it.
    fn pass_seal(&mut self, seal: &Seal) -> Result<Head> {
        if self.last_crc.is_some_and(|last| last != seal.last_crc) {
            let what = format!("the seal at sequence {} is another journal's", self.position());
            return Err(bad(&self.segment.path, self.bytes_here(), what, RESTORE));
        }
        if seal.reason == SEAL_CLOSE {
            if self.look_again(false)? {
                return self.pass_epoch();
            }
            return Ok(Head::End { sealed: true, torn_tail: None });
        }
        let path = segment_path(&self.dir, seal.next_sequence);
        if !path.exists() {
            let chain = Chain::look(&self.dir, self.until)?;
            if chain.first_sequence() > seal.next_sequence {
                return Err(Error::usage(
                    format!("sequence {} is no longer in the journal", seal.next_sequence),
                    format!(
                        "the first is {}; a cursor keeps retention away",
                        chain.first_sequence()
                    ),
                ));
            }
            let what = format!("the journal goes on in `{}`, which is missing", path.display());
            return Err(bad(&self.segment.path, self.bytes_here(), what, "restore it from a copy"));
        }
        self.pass_to(&path, seal.last_crc)
    }

    /// Goes on to the epoch that begins at the position, once it does.
    fn pass_epoch(&mut self) -> Result<Head> {
        if self.chain.after(&self.segment.header).is_none() {
            let alive = self.watch.is_alive(&self.dir);
            self.look_again(alive)?;
            return Ok(match self.chain.after(&self.segment.header) {
                Some(_) => Head::More,
                None if alive => Head::Pending,
                None => Head::End { sealed: false, torn_tail: None },
            });
        }
        let path = segment_path(&self.dir, self.position());
        // An epoch begins behind a record at least, which was read or which a seek looked at.
        self.pass_to(&path, self.last_crc.unwrap_or_default())
    }

    /// Goes on to the segment at `path`, which must refer to a record of CRC `last_crc`.
    fn pass_to(&mut self, path: &Path, last_crc: u32) -> Result<Head> {
        let next = Segment::open(path)?;
        check_neighbours(&self.segment.header, &next.header, path)?;
        match next.opening()? {
            Opening::Opened(previous) if previous == last_crc => {
                if next.header.first_sequence > self.chain.last().start {
                    self.chain = Chain::look(&self.dir, self.until)?;
                }
                self.enter(next, Some(previous))?;
                Ok(Head::More)
            }
            Opening::Opened(_) => {
                let what = "the segment does not continue the one before it";
                Err(bad(path, 0, what, RESTORE))
            }
            Opening::Prepared => self.wait_for(&next),
        }
    }

    /// Decides about a next segment that is not in use.
    fn wait_for(&mut self, next: &Segment) -> Result<Head> {
        let alive = self.watch.is_alive(&self.dir);
        // SYNC: as in `Segment::open_in_use`.
        let begun = next.is_begun();
        match next.opening()? {
            Opening::Opened(_) => Ok(Head::More),
            Opening::Prepared if begun && !alive && self.can_be_torn()? => {
                let (path, sequence) = (next.path.clone(), self.position());
                let offset = next.first_garbage(0).unwrap_or_default() as u64;
                let torn_tail = Some(TornTail { path, sequence, offset, later: None });
                Ok(Head::End { sealed: false, torn_tail })
            }
            Opening::Prepared if begun => Err(next.lost_opening()),
            Opening::Prepared if alive => Ok(Head::Pending),
            Opening::Prepared => Ok(Head::End { sealed: false, torn_tail: None }),
        }
    }

    fn enter(&mut self, segment: Segment, last_crc: Option<u32>) -> Result<()> {
        self.segment = segment;
        self.index = 0;
        self.in_block = false;
        self.last_crc = last_crc;
        self.idle = 0;
        self.find_limit()
    }
}
