//! A reader of one type of record: any number of them, in any process, also while the writer
//! writes.

use std::marker::PhantomData;
use std::path::Path;

use super::directory::segment_path;
use super::format::SegmentHeader;
use super::record::{Record, slot_bytes};
use super::segment::bad;
use super::tape::{Head, Tape};
use crate::error::{Error, Result};
use crate::ring::Recording;

/// What a [`Reader::read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many records were copied, at least one.
    Records(usize),
    /// Nothing yet: the writer may append more. Whether it is alive is asked at the first read that
    /// finds nothing and at every 32nd after it, so poll until [`Read::End`].
    Pending,
    /// Nothing, and nothing will come: the journal is sealed, or its writer is gone.
    End,
}

/// Reads the records of a journal in order.
///
/// Follows a living writer over any number of segments; each record is delivered once, in order,
/// and only if its CRC is right. The module's [example](super) shows one at work.
#[derive(Debug)]
pub struct Reader<R> {
    tape: Tape,
    _records: PhantomData<fn() -> R>,
}

impl<R: Record> Reader<R> {
    /// Opens the journal in `dir` at its first record.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::error::Error::Usage) for a directory without segments,
    /// [`Error::BadJournal`](crate::error::Error::BadJournal) for segments that are damaged, are
    /// not one journal, hold other records or need a newer version.
    pub fn open(dir: &Path) -> Result<Self> {
        let tape = Tape::open(dir)?;
        check_record_type::<R>(dir, tape.header())?;
        Ok(Self { tape, _records: PhantomData })
    }

    /// Copies the records that come next to the start of `records` and moves behind them.
    ///
    /// May return fewer than there is room for although more are there. What `records` holds behind
    /// the returned count is unspecified.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`](crate::error::Error::BadJournal) where records are damaged or missing
    /// and later ones are there; all records before were delivered.
    ///
    /// # Panics
    ///
    /// If `records` is empty.
    pub fn read(&mut self, records: &mut [R]) -> Result<Read> {
        assert!(!records.is_empty(), "no room for a record");
        let words_each = const { slot_bytes::<R>() / 8 - 1 };
        let words = bytemuck::cast_slice_mut::<R, u8>(records).as_chunks_mut().0;
        loop {
            let count = self.tape.read(words_each, words)?;
            if count > 0 {
                return Ok(Read::Records(count));
            }
            match self.tape.head()? {
                Head::More => {}
                Head::Pending => return Ok(Read::Pending),
                Head::End { .. } => return Ok(Read::End),
            }
        }
    }

    /// The next record; `None` where [`read`](Self::read) finds none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_one(&mut self) -> Result<Option<R>> {
        let mut record = [R::zeroed()];
        Ok(matches!(self.read(&mut record)?, Read::Records(_)).then_some(record[0]))
    }

    /// Moves to the record of `sequence`, or behind the last record.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::error::Error::Usage) if the journal does not reach there; the
    /// position stays.
    pub fn seek(&mut self, sequence: u64) -> Result<()> {
        if self.tape.seek(sequence)? {
            return Ok(());
        }
        let what = format!("sequence {sequence} is not in the journal yet");
        Err(Error::usage(what, "seek to one that is, or read up to it"))
    }

    /// Moves behind the last record that is there now.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`](crate::error::Error::BadJournal) for damage near the end.
    pub fn seek_end(&mut self) -> Result<()> {
        self.tape.seek_end()
    }

    /// Moves to the first record whose time is `time` or later; behind the last one if there is
    /// none.
    ///
    /// Times need not rise from record to record: a search over block headers, which hold the
    /// highest time before them, finds the block.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`](crate::error::Error::BadJournal) for damage near the place.
    pub fn seek_time(&mut self, time: u64) -> Result<()> {
        self.tape.seek_block_before(time)?;
        while let Some(record) = self.read_one()? {
            if record.time() >= time {
                return self.seek(self.position() - 1);
            }
        }
        Ok(())
    }

    /// The sequence of the record that comes next.
    pub fn position(&self) -> u64 {
        self.tape.position()
    }

    /// The first sequence that the journal still holds.
    pub fn first_sequence(&self) -> u64 {
        self.tape.first_sequence()
    }

    /// Whether the journal was closed behind the last record that could be read.
    pub(crate) fn is_sealed(&mut self) -> Result<bool> {
        Ok(matches!(self.tape.head()?, Head::End { sealed: true, .. }))
    }

    /// The header of the segment at the position.
    pub fn header(&self) -> &SegmentHeader {
        self.tape.header()
    }
}

/// A stage that comes late reads the journal of its ring first, with
/// [`Ring::attach_from`](crate::ring::Ring::attach_from).
impl<R: Record> Recording<R> for Reader<R> {
    fn read(&mut self, first: u64, records: &mut [R]) -> Result<usize> {
        if self.position() != first && !self.tape.seek(first)? {
            return Ok(0);
        }
        match self.read(records)? {
            Read::Records(count) => Ok(count),
            Read::Pending | Read::End => Ok(0),
        }
    }
}

/// Refuses a journal of other records than `R`.
pub(super) fn check_record_type<R: Record>(dir: &Path, header: &SegmentHeader) -> Result<()> {
    let slot = const { slot_bytes::<R>() };
    let path = segment_path(dir, header.first_sequence);
    let name = header.schema_name();
    if name != R::NAME || header.slot_bytes as usize != slot {
        let what = format!(
            "the journal holds `{name}` records of {} bytes, not `{}` of {}",
            header.record_bytes,
            R::NAME,
            size_of::<R>(),
        );
        return Err(bad(&path, 40, what, "read it as what it is"));
    }
    if header.schema_hash != R::SCHEMA {
        let what =
            format!("the journal's `{name}` records have another layout than this version's");
        return Err(bad(&path, 80, what, "read it with the version that wrote it"));
    }
    Ok(())
}
