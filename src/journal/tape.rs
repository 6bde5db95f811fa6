//! Walking a journal record by record, over its segments, live or dead: the one loop under
//! [`Reader`](super::Reader) and [`verify`](super::verify()).
//!
//! Where no record can be read the walk decides:
//!
//! ```text
//!   a seal, closed                        -> end, sealed
//!   a seal, rolled                        -> next segment
//!   neither, something later is readable  -> corruption
//!   neither, nothing later, writer alive  -> pending
//!   neither, nothing later, writer gone   -> end; torn if anything but zeros is there
//! ```

use std::io;
use std::path::{Path, PathBuf};

use super::directory::{WriterWatch, list_segments, segment_path};
use super::format::{SEAL_CLOSE, Seal, SegmentHeader};
use super::segment::{Opening, Segment, Slot, bad, read_header};
use crate::error::{Error, Result};

/// Reads at a silent head between two questions whether the writer is still alive.
const POLLS_PER_QUESTION: u32 = 32;

const RESTORE: &str = "restore the segment from a copy; what is before can be read";

/// What is left of a record that a killed writer had begun, or of more after a crash of the
/// machine: nothing readable follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornTail {
    /// The segment.
    pub path: PathBuf,
    /// The first sequence that cannot be read.
    pub sequence: u64,
    /// The first byte of the segment, as a multiple of 8, that is not zero.
    pub offset: u64,
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
    /// First sequences of the segments that are known to be in use.
    starts: Vec<u64>,
    segment: Segment,
    /// Records of the present segment before the position.
    index: u64,
    /// Whether the header of the present block was checked.
    in_block: bool,
    /// CRC of the record before the position, where known.
    last_crc: Option<u32>,
    watch: WriterWatch,
    /// Reads in a row that found nothing.
    idle: u32,
}

impl Tape {
    /// Opens a journal at its first record after checking that its segments belong together.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let starts = check_segments(dir)?;
        let segment = Segment::open_in_use(&segment_path(dir, starts[0]))?;
        Ok(Self {
            dir: dir.to_owned(),
            starts,
            segment,
            index: 0,
            in_block: false,
            last_crc: None,
            watch: WriterWatch::default(),
            idle: 0,
        })
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.segment.header
    }

    /// The sequence of the next record.
    pub(super) fn position(&self) -> u64 {
        self.segment.header.first_sequence + self.index
    }

    pub(super) fn first_sequence(&self) -> u64 {
        self.starts[0]
    }

    /// Segments in use, as far as known.
    pub(super) fn segments(&self) -> u64 {
        self.starts.len() as u64
    }

    /// Bytes of the present segment up to the position.
    pub(super) fn bytes_here(&self) -> u64 {
        self.segment.end_offset(self.index) as u64
    }

    /// Copies records of the present segment into `out`, of `words_each` words a record; returns
    /// how many; if it is 0, [`head`](Self::head) says why.
    #[inline]
    pub(super) fn read(&mut self, words_each: usize, out: &mut [[u8; 8]]) -> Result<usize> {
        let geometry = self.segment.geometry;
        let (wanted, mut done) = (out.len() / words_each, 0);
        while done < wanted && self.index < geometry.records() {
            let in_block = self.index % geometry.block_records;
            if (in_block == 0 || !self.in_block) && !self.enter_block()? {
                break;
            }
            let run = (wanted - done).min((geometry.block_records - in_block) as usize);
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
        let full = self.index == self.segment.geometry.records();
        let next = if full || !alive { self.later_segment()? } else { None };
        // SYNC: what was written before the evidence, or before the writer went, is visible now.
        if self.segment.is_readable(self.index) {
            self.idle = 0;
            return Ok(Head::More);
        }
        match (evidence, next) {
            (Some(later), _) => Err(self.corrupt(later)),
            (None, Some(next)) => Err(self.unsealed(next)),
            (None, None) if alive => Ok(Head::Pending),
            (None, None) => Ok(Head::End { sealed: false, torn_tail: self.torn_tail() }),
        }
    }

    /// The start of a segment in use after the present one.
    fn later_segment(&self) -> Result<Option<u64>> {
        let own = self.segment.header.first_sequence;
        Ok(check_segments(&self.dir)?.into_iter().find(|&start| start > own))
    }

    fn torn_tail(&self) -> Option<TornTail> {
        let offset = self.segment.first_garbage(self.index)? as u64;
        let path = self.segment.path.clone();
        Some(TornTail { path, sequence: self.position(), offset })
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
            return Ok(Head::End { sealed: true, torn_tail: None });
        }
        let path = segment_path(&self.dir, seal.next_sequence);
        if !path.exists() {
            let what = format!("the journal goes on in `{}`, which is missing", path.display());
            return Err(bad(&self.segment.path, self.bytes_here(), what, "restore it from a copy"));
        }
        let next = Segment::open(&path)?;
        check_neighbours(&self.segment.header, &next.header, &path)?;
        match next.opening()? {
            Opening::Opened(previous) if previous == seal.last_crc => {
                self.enter(next, Some(previous));
                Ok(Head::More)
            }
            Opening::Opened(_) => {
                let what = "the segment does not continue the one before it";
                Err(bad(&path, 0, what, RESTORE))
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
            Opening::Prepared if begun => Err(next.lost_opening()),
            Opening::Prepared if alive => Ok(Head::Pending),
            Opening::Prepared => Ok(Head::End { sealed: false, torn_tail: None }),
        }
    }

    fn enter(&mut self, segment: Segment, last_crc: Option<u32>) {
        let start = segment.header.first_sequence;
        if self.starts.last().is_some_and(|&last| last < start) {
            self.starts.push(start);
        }
        self.segment = segment;
        self.index = 0;
        self.in_block = false;
        self.last_crc = last_crc;
        self.idle = 0;
    }

    /// Moves to `sequence`, which may be the one after the last record.
    pub(super) fn seek(&mut self, sequence: u64) -> Result<()> {
        let starts = check_segments(&self.dir)?;
        let segment = starts.partition_point(|&start| start <= sequence);
        let Some(&start) = segment.checked_sub(1).and_then(|segment| starts.get(segment)) else {
            return Err(Error::usage(
                format!("sequence {sequence} is no longer in the journal"),
                format!("the first is {}", starts[0]),
            ));
        };
        let segment = Segment::open_in_use(&segment_path(&self.dir, start))?;
        let index = sequence - start;
        if index > 0 && (index > segment.geometry.records() || !is_record(&segment, index - 1)) {
            return Err(Error::usage(
                format!("sequence {sequence} is not in the journal yet"),
                "seek to one that is, or read up to it",
            ));
        }
        self.starts = starts;
        self.enter(segment, None);
        self.index = index;
        Ok(())
    }
}

fn is_record(segment: &Segment, index: u64) -> bool {
    matches!(segment.slot(index), Slot::Record)
}

/// Checks that the segments of a directory are one journal without a gap; returns the first
/// sequences of those in use.
fn check_segments(dir: &Path) -> Result<Vec<u64>> {
    let checked = try_check_segments(dir);
    match checked {
        // A writer that closed meanwhile has removed the segment that it had prepared.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            try_check_segments(dir)
        }
        checked => checked,
    }
}

fn try_check_segments(dir: &Path) -> Result<Vec<u64>> {
    let listed = list_segments(dir)?;
    if listed.is_empty() {
        return Err(Error::usage(
            format!("`{}` holds no journal", dir.display()),
            "name the directory that holds the `.tape` files",
        ));
    }
    let mut before: Option<SegmentHeader> = None;
    for (named, path) in &listed {
        let header = read_header(path)?;
        if header.first_sequence != *named {
            let what = format!("the segment begins at sequence {}", header.first_sequence);
            return Err(bad(path, 112, what, "give it back its name"));
        }
        if let Some(before) = &before {
            check_neighbours(before, &header, path)?;
        }
        before = Some(header);
    }
    let mut starts: Vec<u64> = listed.iter().map(|&(start, _)| start).collect();
    let (_, last) = &listed[listed.len() - 1];
    if starts.len() > 1 && Segment::open(last)?.opening()? == Opening::Prepared {
        starts.pop();
    }
    Ok(starts)
}

/// Checks that one segment's header can follow another's.
fn check_neighbours(before: &SegmentHeader, header: &SegmentHeader, path: &Path) -> Result<()> {
    if header.journal_id != before.journal_id
        || header.schema_name != before.schema_name
        || header.schema_hash != before.schema_hash
        || header.slot_bytes != before.slot_bytes
    {
        let what = "the segment belongs to another journal";
        return Err(bad(path, 88, what, "move it to the directory of its own journal"));
    }
    let missing = header.segment_number.wrapping_sub(before.segment_number).wrapping_sub(1);
    if missing != 0 {
        let what = format!(
            "segment {} follows segment {}, which begins at sequence {}",
            header.segment_number, before.segment_number, before.first_sequence
        );
        return Err(bad(path, 104, what, "restore the missing segments from a copy"));
    }
    let behind = header.first_sequence.checked_sub(before.first_sequence);
    let follows = behind.is_some_and(|records| records <= before.geometry().records());
    if !follows || header.epoch < before.epoch {
        let what = "the segment does not continue the one before it";
        return Err(bad(path, 112, what, RESTORE));
    }
    Ok(())
}
