//! One segment as a reader sees it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};

use super::crc::SlotCrc;
use super::format::{BlockHeader, OPENING_OFFSET, Seal, SegmentHeader, SlotBuffer, opening_word};
use super::geometry::Geometry;
use crate::error::{Error, Result};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::map::{ReadMap, WORD_BYTES};

/// A mapped segment whose header was found sound.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) header: SegmentHeader,
    pub(super) geometry: Geometry,
    file: File,
    map: ReadMap,
    crc: SlotCrc,
}

/// What stands where a record could.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// A whole record.
    Record,
    /// A whole seal.
    Seal(Seal),
    /// Neither: not written, half written or damaged.
    Unreadable,
}

/// How far a segment has come into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Prepared ahead only.
    Prepared,
    /// In use, behind a record with this CRC.
    Opened(u32),
}

/// Reads and checks the header of a segment file, without mapping it.
pub(super) fn read_header(path: &Path) -> Result<SegmentHeader> {
    open_checked(path).map(|(_, header)| header)
}

fn open_checked(path: &Path) -> Result<(File, SegmentHeader)> {
    let failed = |source| Error::io("read", path, source);
    // WHY: to open a pipe waits for whoever is at its other end.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(bad(path, 0, "a segment is a file, and this is none", "move it away"));
    }
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut head = [0; SEGMENT_HEADER_BYTES];
    file.read_exact(&mut head).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => bad(
            path,
            bytes,
            format!("the segment has only {bytes} bytes, less than its header"),
            "restore it from a copy",
        ),
        _ => failed(source),
    })?;
    let header = SegmentHeader::decode(&head)
        .map_err(|(offset, what, cure)| bad(path, offset as u64, what, cure))?;
    if bytes != header.segment_bytes {
        let what = format!(
            "the segment has {bytes} bytes instead of {}: it was cut or extended",
            header.segment_bytes
        );
        return Err(bad(path, bytes.min(header.segment_bytes), what, "restore it from a copy"));
    }
    Ok((file, header))
}

/// An [`Error::BadJournal`].
pub(super) fn bad(
    path: &Path,
    offset: u64,
    what: impl Into<String>,
    cure: impl Into<String>,
) -> Error {
    Error::BadJournal { path: path.to_owned(), offset, what: what.into(), cure: cure.into() }
}

impl Segment {
    /// Maps a segment that should be in use; one that is only prepared must be empty.
    pub(super) fn open_in_use(path: &Path) -> Result<Self> {
        let segment = Self::open(path)?;
        // SYNC: a block is begun after the segment was opened, so whoever sees the one and asks
        // for the other afterwards sees that too.
        let begun = segment.is_begun();
        if begun && segment.opening()? == Opening::Prepared {
            return Err(segment.lost_opening());
        }
        segment.opening()?;
        Ok(segment)
    }

    /// The error of a segment that holds data and yet was never opened.
    pub(super) fn lost_opening(&self) -> Error {
        let what = "the segment holds data and yet was never opened: its opening word is lost";
        bad(&self.path, OPENING_OFFSET as u64, what, "restore the segment from a copy")
    }

    /// Maps a segment after checking its header and length.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, header) = open_checked(path)?;
        let map = ReadMap::new(&file, path)?;
        if map.bytes() as u64 != header.segment_bytes {
            return Err(bad(path, 0, "the segment changes its length", "stop who does that"));
        }
        Ok(Self {
            path: path.to_owned(),
            header,
            geometry: header.geometry(),
            file,
            map,
            crc: SlotCrc::new(header.epoch),
        })
    }

    /// Whether the segment is in use, from its opening word.
    pub(super) fn opening(&self) -> Result<Opening> {
        let word = self.map.load_acquire(OPENING_OFFSET);
        let previous = word as u32;
        if word == 0 {
            Ok(Opening::Prepared)
        } else if word == opening_word(self.crc, self.header.first_sequence, previous) {
            Ok(Opening::Opened(previous))
        } else {
            let what = "the opening word of the segment is damaged";
            Err(bad(&self.path, OPENING_OFFSET as u64, what, "restore the segment from a copy"))
        }
    }

    /// Copies whole records from `index` on, all within one block, into `out` of `words_each` words
    /// a record; returns how many and the CRC of the last.
    #[inline]
    pub(super) fn read_run(
        &self,
        index: u64,
        words_each: usize,
        out: &mut [[u8; 8]],
    ) -> (usize, u32) {
        let mut offset = self.geometry.slot_offset(index);
        let mut last = (0, 0);
        let sequences = self.header.first_sequence + index..;
        for (sequence, record) in sequences.zip(out.chunks_exact_mut(words_each)) {
            let commit = self.map.load_acquire(offset);
            if commit as u32 != sequence as u32 {
                break;
            }
            self.map.load(offset + 8, record);
            let crc = (commit >> 32) as u32;
            if self.crc.of(sequence, record) != crc {
                break;
            }
            last = (last.0 + 1, crc);
            offset += (words_each + 1) * 8;
        }
        last
    }

    /// What stands at the slot of record `index`, which may be the one after the last.
    pub(super) fn slot(&self, index: u64) -> Slot {
        let sequence = self.header.first_sequence + index;
        let offset = self.geometry.slot_offset(index);
        if index < self.geometry.records() && self.load_slot(offset, sequence, sequence).is_some() {
            return Slot::Record;
        }
        let seal = self.load_slot(offset, sequence, !sequence).map(|buffer| buffer.get());
        match seal {
            Some(seal @ Seal { .. }) if seal.is_sound() => Slot::Seal(seal),
            _ => Slot::Unreadable,
        }
    }

    /// The header of block `number`, which may be the trailer; `None` unless it is whole.
    pub(super) fn block(&self, number: u64) -> Option<BlockHeader> {
        let sequence = self.header.first_sequence + number * self.geometry.block_records;
        let offset = self.geometry.block_offset(number);
        let header: BlockHeader = self.load_slot(offset, sequence, sequence)?.get();
        let sound = header.is_sound() && u64::from(header.number) == number;
        sound.then_some(header)
    }

    /// The content of a slot whose commit word has this tag, if the CRC is right.
    fn load_slot(&self, offset: usize, sequence: u64, tag: u64) -> Option<SlotBuffer> {
        let commit = self.map.load_acquire(offset);
        if commit == 0 || commit as u32 != tag as u32 {
            return None;
        }
        let mut buffer = SlotBuffer::new();
        let words = buffer.first_mut(self.geometry.slot_words());
        self.map.load(offset + 8, words);
        let right = self.crc.of(sequence, words) == (commit >> 32) as u32;
        right.then_some(buffer)
    }

    /// Whether a record or seal stands at `index`, in a block whose header is whole.
    pub(super) fn is_readable(&self, index: u64) -> bool {
        !matches!(self.slot(index), Slot::Unreadable)
            && self.block(index / self.geometry.block_records).is_some()
    }

    /// Whether something stands at `index` that is written only after what is before `index`.
    fn is_evidence(&self, index: u64) -> bool {
        let begins_block = index.is_multiple_of(self.geometry.block_records);
        !matches!(self.slot(index), Slot::Unreadable)
            || begins_block && self.block(index / self.geometry.block_records).is_some()
    }

    /// The first index behind `index` that proves that `index` was once written; `index` itself if
    /// its own slot is whole and only its block's header is not.
    pub(super) fn first_evidence(&self, index: u64) -> Option<u64> {
        if !matches!(self.slot(index), Slot::Unreadable) && !self.is_readable(index) {
            return Some(index);
        }
        self.written_after(index).find(|&later| self.is_evidence(later))
    }

    /// The first record or seal from `index` on.
    pub(super) fn first_slot(&self, index: u64) -> Option<u64> {
        let is_slot = |later: &u64| !matches!(self.slot(*later), Slot::Unreadable);
        if is_slot(&index) { Some(index) } else { self.written_after(index).find(is_slot) }
    }

    /// The indexes behind `index` whose slots, or whose block's header, are not all zeros.
    fn written_after(&self, index: u64) -> impl Iterator<Item = u64> {
        let geometry = self.geometry;
        let next = move |&index: &u64| {
            let from = geometry.slot_offset(index) + geometry.slot_bytes;
            let found = geometry.index_at(self.first_nonzero(from)?);
            // The header of the block that was already looked at lies before its first slot.
            Some(found.max(index + 1)).filter(|&found| found <= geometry.records())
        };
        std::iter::successors(next(&index), next)
    }

    /// Like [`first_evidence`](Self::first_evidence), at distances that double: cheap enough to
    /// ask again and again while a writer is at work, and certain once it has gone on.
    pub(super) fn glimpse_evidence(&self, index: u64) -> Option<u64> {
        if !matches!(self.slot(index), Slot::Unreadable) && !self.is_readable(index) {
            return Some(index);
        }
        let distances = (0..u64::BITS).map(|doubling| 1 << doubling);
        distances
            .map_while(|distance| index.checked_add(distance))
            .take_while(|&later| later <= self.geometry.records())
            .find(|&later| self.is_evidence(later))
    }

    /// The byte where the slot of `index` begins, or that of its block's header if that is not
    /// whole: the first byte that is not part of what can be read.
    pub(super) fn end_offset(&self, index: u64) -> usize {
        let block = index / self.geometry.block_records;
        let begins_block = index.is_multiple_of(self.geometry.block_records);
        if begins_block && self.block(block).is_none() {
            self.geometry.block_offset(block)
        } else {
            self.geometry.slot_offset(index)
        }
    }

    /// The first byte, as a multiple of 8, that is not zero though nothing readable is there.
    pub(super) fn first_garbage(&self, index: u64) -> Option<usize> {
        self.first_nonzero(self.end_offset(index))
    }

    /// The CRC in the commit word of the record at `index`.
    pub(super) fn stored_crc(&self, index: u64) -> u32 {
        (self.map.load_acquire(self.geometry.slot_offset(index)) >> 32) as u32
    }

    /// Blocks that were begun, in a segment without damage.
    pub(super) fn blocks_begun(&self) -> u64 {
        let (mut begun, mut not) = (0, self.geometry.blocks);
        while begun < not {
            let middle = begun + (not - begun) / 2;
            (begun, not) =
                if self.block(middle).is_some() { (middle + 1, not) } else { (begun, middle) };
        }
        begun
    }

    /// Every record below this is on the disk, as far as blocks and seals of the segment know.
    pub(super) fn durable_mark(&self) -> u64 {
        let headers = (0..=self.geometry.blocks).filter_map(|number| self.block(number));
        let last = headers.clone().next_back().map_or(0, |header| u64::from(header.number));
        let in_last = last * self.geometry.block_records..=self.geometry.records();
        let sealed = in_last.take(self.geometry.block_records as usize + 1).filter_map(|index| {
            match self.slot(index) {
                Slot::Seal(seal) => Some(seal.durable),
                Slot::Record | Slot::Unreadable => None,
            }
        });
        headers.map(|header| header.durable).chain(sealed).max().unwrap_or(0)
    }

    /// The bytes from the slot of `index`, or from its block's header if that is not whole, to the
    /// end of the last slot that is not zero.
    pub(super) fn rest(&self, index: u64) -> Range<usize> {
        let from = self.end_offset(index);
        let last = self.last_nonzero(from);
        from..last.map_or(from, |last| (last + 1).next_multiple_of(self.geometry.slot_bytes))
    }

    /// The bytes behind the slot of `index` and behind everything that is not zero.
    pub(super) fn unused(&self, index: u64) -> Range<usize> {
        let end = self.rest(index).end.max(self.geometry.slot_offset(index));
        end.min(self.map.bytes())..self.map.bytes()
    }

    /// The offset of the first word from `from` on that is not zero.
    fn first_nonzero(&self, from: usize) -> Option<usize> {
        stored(&self.file, from..self.map.bytes()).find_map(|range| self.map.find_nonzero(range))
    }

    /// The offset of the last word from `from` on that is not zero.
    fn last_nonzero(&self, from: usize) -> Option<usize> {
        let ranges: Vec<_> = stored(&self.file, from..self.map.bytes()).collect();
        ranges.into_iter().rev().find_map(|range| self.map.find_last_nonzero(range))
    }

    /// Whether the slot of `index` is a seal and nothing of `rest` is behind it.
    pub(super) fn ends_sealed_at(&self, index: u64, rest: &Range<usize>) -> bool {
        let end = self.geometry.slot_offset(index) + self.geometry.slot_bytes;
        matches!(self.slot(index), Slot::Seal(_)) && rest.end <= end
    }

    /// Whether the first block's header or first record is there.
    pub(super) fn is_begun(&self) -> bool {
        self.is_evidence(0)
    }
}

/// The parts of a range, which begins and ends at words, that the file system holds anything in;
/// all of it where that cannot be told. What is in between reads as zeros.
///
/// WHY: most of a segment that a killed writer left was never written, and a recovery looks at all
/// of it several times.
fn stored(file: &File, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = range;
    let next = move |from: usize| {
        if from >= end {
            return None;
        }
        let found = match seek(file, SeekFrom::Data(from as u64)) {
            Ok(found) => found as usize,
            Err(rustix::io::Errno::NXIO) => return None,
            Err(_) => return Some(from..end),
        };
        let until = seek(file, SeekFrom::Hole(found as u64)).map_or(end, |hole| hole as usize);
        let whole_words = found / WORD_BYTES * WORD_BYTES..until.next_multiple_of(WORD_BYTES);
        let found = whole_words.start.max(from)..whole_words.end.min(end);
        (!found.is_empty()).then_some(found)
    };
    std::iter::successors(next(start), move |found| next(found.end))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn only_what_is_stored_is_looked_at_and_nothing_of_that_is_left_out() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(16 << 20).expect("space");
        assert_eq!(stored(&file, 8..16 << 20).count(), 0);
        let written = [5 << 20, (5 << 20) + 4096, 12 << 20, (16 << 20) - 8];
        for at in written {
            file.write_all_at(&[1], at as u64).expect("space");
        }
        let holds = |range: Range<usize>, at| {
            let found: Vec<_> = stored(&file, range.clone()).collect();
            assert!(found.iter().all(|one| one.start >= range.start && one.end <= range.end));
            assert!(found.iter().map(Range::len).sum::<usize>() < 1 << 20, "{found:?}");
            found.iter().any(|one| one.contains(&at))
        };
        assert!(written.iter().all(|&at| holds(0..16 << 20, at)));
        assert!(holds((12 << 20) - 8..(12 << 20) + 8, 12 << 20));
        assert!(!holds((5 << 20) + 8..16 << 20, 5 << 20));
    }
}
