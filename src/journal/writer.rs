//! The one writer of a journal.
//!
//! ```text
//!   append --> put: CRC, record words, commit word last      every record
//!                |
//!             advance: next block's header                   every 64 KiB
//!                |
//!             roll: seal, take the prepared segment, open it  every segment
//! ```

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytemuck::Pod;

use super::crc::SlotCrc;
use super::directory::{WriterLock, end_cut, is_present, or_gone, remove_unfinished, segment_path};
use super::durability::Durability;
use super::flusher::Flusher;
use super::format::{
    BlockHeader, Progress, SEAL_CLOSE, SEAL_ROLL, Seal, SegmentHeader, SlotBuffer, commit_word,
};
use super::geometry::Geometry;
use super::options::{
    JournalOptions, Start, Summary, Tally, backend, check_segment_bytes, first_header, header_after,
};
use super::prepare::{CHUNK_BYTES, Helper, WriteSegment};
use super::record::{Record, slot_bytes, words_of};
use super::recover::clear_all;
use super::storage::Backend;
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, SEGMENT_HEADER_BYTES};

/// Appends records to a journal: a new one, or one that an earlier writer left.
///
/// A helper thread prepares segments ahead; it inherits the cores of the thread that calls
/// [`create`](Self::create), so create the writer before pinning that thread. Dropping a writer
/// without [`close`](Self::close) leaves the journal as a killed process would: everything is
/// there, the seal is not.
#[derive(Debug)]
pub struct Writer<R> {
    segment: Arc<WriteSegment>,
    crc: SlotCrc,
    /// Sequence of the next record.
    sequence: u64,
    /// Offset of the next record's slot; the end of the block when that is full.
    offset: usize,
    block_end: usize,
    /// Highest time so far.
    time_max: u64,
    /// CRC of the last record, 0 before the first.
    last_crc: u32,
    /// The block that comes next in this segment, and how many hold records.
    next_block: u64,
    geometry: Geometry,
    header: SegmentHeader,
    dir: PathBuf,
    /// What the journal held when this writer came to it.
    before: Tally,
    /// Number of this writer's first segment.
    first_number: u64,
    /// Bytes of the segments before this one, up to their seals.
    bytes_before: u64,
    /// Segments that were filled and are still to be forced to the disk, from this sequence on.
    unsynced_from: u64,
    /// Every record below this sequence is on the disk.
    durable: u64,
    stalls: u64,
    /// Why nothing can be appended any more.
    failed: Option<io::ErrorKind>,
    /// Whether the disk refused to take what was appended.
    has_disk_failed: bool,
    backend: Arc<dyn Backend>,
    durability: Durability,
    /// Present with durability at intervals, until the writer is closed or dropped.
    flusher: Option<Flusher>,
    /// Present until the writer is closed or dropped.
    helper: Option<Helper>,
    _lock: WriterLock,
    _records: PhantomData<fn(&R)>,
}

impl<R: Record> Writer<R> {
    /// Makes a journal in `dir`, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a segment size that cannot be, a directory that holds a journal already
    /// or one that another writer has locked; [`Error::Io`] for everything else, a full disk
    /// included.
    pub fn create(dir: &Path, options: &JournalOptions) -> Result<Self> {
        check_segment_bytes(options.segment_bytes)?;
        fs::create_dir_all(dir).map_err(|source| Error::io("create directory", dir, source))?;
        let lock = WriterLock::take(dir)?;
        if is_present(dir)? {
            return Err(Error::usage(
                format!("`{}` already holds a journal", dir.display()),
                "use another directory, or remove what is in it",
            ));
        }
        remove_unfinished(dir)?;
        clear_all(dir)?;
        let start = Start {
            header: first_header::<R>(options),
            at: Progress::default(),
            before: Tally::default(),
            durability: options.durability,
        };
        Self::start(dir, lock, &start, backend(options.durability))
    }

    /// Begins a segment as `start` says.
    pub(super) fn start(
        dir: &Path,
        lock: WriterLock,
        start: &Start,
        backend: Arc<dyn Backend>,
    ) -> Result<Self> {
        let mut writer = Self::start_alone(dir, lock, start, backend)?;
        let helper = Helper::start(&writer.backend, dir)?;
        helper.populate(&writer.segment, 0);
        helper.prepare(header_after(&start.header, writer.geometry));
        writer.helper = Some(helper);
        if let Durability::Interval(interval) = start.durability {
            let durable = start.at.durable;
            writer.flusher = Some(Flusher::start(&writer.segment, durable, interval)?);
        }
        Ok(writer)
    }

    /// As [`start`](Self::start), for a writer that does not go beyond one segment.
    pub(super) fn start_alone(
        dir: &Path,
        lock: WriterLock,
        start: &Start,
        backend: Arc<dyn Backend>,
    ) -> Result<Self> {
        let &Start { header, at, before, durability } = start;
        let segment = Arc::new(WriteSegment::create(&*backend, dir, &header)?);
        let crc = SlotCrc::new(header.epoch);
        segment.populate(CHUNK_BYTES)?;
        segment.open(crc, at.last_crc)?;
        // A segment that begins an epoch must not lose the word that says so.
        segment.sync_header()?;
        end_cut(dir)?;
        Ok(Self {
            segment,
            crc,
            sequence: at.sequence,
            offset: SEGMENT_HEADER_BYTES,
            block_end: SEGMENT_HEADER_BYTES,
            time_max: at.time_max,
            last_crc: at.last_crc,
            next_block: 0,
            geometry: header.geometry(),
            header,
            dir: dir.to_owned(),
            before,
            first_number: header.segment_number,
            bytes_before: before.bytes,
            unsynced_from: at.sequence,
            durable: at.durable,
            stalls: 0,
            failed: None,
            has_disk_failed: false,
            backend,
            durability,
            flusher: None,
            helper: None,
            _lock: lock,
            _records: PhantomData,
        })
    }

    /// The sequence that the next record gets.
    #[inline]
    pub fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// The header of the segment that is written.
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// How often the helper came too late: the writer waited for a segment, or populated memory
    /// itself.
    pub fn stalls(&self) -> u64 {
        self.stalls
    }

    /// What is done for records to survive.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Every record below this sequence is on the disk and survives a power cut. With the page
    /// cache alone it stands still.
    pub fn durable(&self) -> u64 {
        self.flusher.as_ref().map_or(self.durable, Flusher::durable)
    }

    /// Appends one record; when this returns, any reader can see it, and with [`Durability::Batch`]
    /// it is on the disk.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the next segment or memory could not be had, or the disk refused; nothing
    /// can be appended any more. What was appended before stays readable.
    #[inline]
    pub fn append(&mut self, record: &R) -> Result<()> {
        self.append_one(record)?;
        self.commit()
    }

    /// Appends records in order, as [`append`](Self::append) does.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append); the records before the failure are appended, and
    /// [`next_sequence`](Self::next_sequence) says how many.
    #[inline]
    pub fn append_batch<'a>(&mut self, records: impl IntoIterator<Item = &'a R>) -> Result<()> {
        for record in records {
            self.append_one(record)?;
        }
        self.commit()
    }

    #[inline]
    fn append_one(&mut self, record: &R) -> Result<()> {
        if self.offset == self.block_end {
            self.advance()?;
        }
        self.put(record);
        Ok(())
    }

    /// Does for what was appended what the level of durability promises.
    #[inline]
    fn commit(&mut self) -> Result<()> {
        match self.durability {
            Durability::PageCache => Ok(()),
            Durability::Interval(_) | Durability::Batch => self.commit_durably(),
        }
    }

    #[inline(never)]
    fn commit_durably(&mut self) -> Result<()> {
        self.check_health()?;
        let committed = match &self.flusher {
            Some(flusher) => {
                flusher.note(self.sequence);
                Ok(())
            }
            None if self.durable == self.sequence => Ok(()),
            None => self.force_out(),
        };
        self.note_failure(committed)?;
        if self.flusher.is_none() {
            self.durable = self.sequence;
        }
        Ok(())
    }

    /// Hands over and forces to the disk what the segment holds.
    fn force_out(&mut self) -> Result<()> {
        let forced = self.segment.flush().and_then(|()| self.segment.sync());
        self.has_disk_failed |= forced.is_err();
        forced
    }

    /// Refuses to go on after a failure: what is on the disk is not known any more.
    fn check_health(&mut self) -> Result<()> {
        self.failed = self.failed.or(self.flusher.as_ref().and_then(Flusher::failure));
        match self.failed {
            Some(kind) => {
                Err(Error::io("append after a failure to", &self.segment.path, kind.into()))
            }
            None => Ok(()),
        }
    }

    fn note_failure(&mut self, outcome: Result<()>) -> Result<()> {
        let outcome = outcome.map_err(|error| or_gone(error, &self.dir));
        if let Err(Error::Io { source, .. }) = &outcome {
            self.failed = Some(source.kind());
        }
        outcome
    }

    /// Forces everything to the disk, seals the journal and gives back the space that was not used.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the disk refuses; every appended record stays readable all the same. Or
    /// when the journal was deleted or moved.
    pub fn close(mut self) -> Result<Summary> {
        self.end().map_err(|error| or_gone(error, &self.dir))
    }

    fn end(&mut self) -> Result<Summary> {
        if let Some(flusher) = &mut self.flusher {
            flusher.stop();
        }
        // A disk that failed once may claim afterwards that all is well.
        self.check_disk()?;
        self.sync_full_segments()?;
        self.force_out()?;
        self.flusher = None;
        self.durable = self.sequence;
        self.seal(SEAL_CLOSE)?;
        self.stop_helper()?;
        self.segment.flush()?;
        self.segment.give_back(self.bytes_here() as usize)?;
        self.segment.sync()?;
        self.backend.find(&self.segment.path)?;
        Ok(Summary {
            records: self.sequence - self.before.first_sequence,
            next_sequence: self.sequence,
            segments: self.before.segments + self.segments_here(),
            bytes: self.bytes_before + self.bytes_here(),
        })
    }

    /// Refuses to close what the disk did not take.
    fn check_disk(&mut self) -> Result<()> {
        if self.has_disk_failed || self.flusher.as_ref().is_some_and(|f| f.failure().is_some()) {
            return self.check_health();
        }
        Ok(())
    }

    /// Forces the segments to the disk that were filled since the last time.
    fn sync_full_segments(&mut self) -> Result<()> {
        while self.unsynced_from < self.header.first_sequence {
            match self.backend.sync(&segment_path(&self.dir, self.unsynced_from)) {
                // Retention has removed it: nobody needs it any more.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
            self.unsynced_from += self.geometry.records();
        }
        Ok(())
    }

    /// Segments that this writer has begun.
    fn segments_here(&self) -> u64 {
        self.header.segment_number + 1 - self.first_number
    }

    /// Stores a record into its slot. SYNC: the commit word is stored last, with Release.
    #[inline]
    fn put(&mut self, record: &R) {
        let words = words_of(record);
        let crc = self.crc.of(self.sequence, words);
        self.segment.publish(self.offset, commit_word(self.sequence, crc), words);
        self.offset += const { slot_bytes::<R>() };
        self.sequence += 1;
        self.last_crc = crc;
        self.time_max = self.time_max.max(record.time());
    }

    /// Goes on to the next block, in the next segment if this one is full.
    #[cold]
    #[inline(never)]
    fn advance(&mut self) -> Result<()> {
        self.check_health()?;
        let advanced = self.try_advance();
        self.note_failure(advanced)
    }

    fn try_advance(&mut self) -> Result<()> {
        if self.next_block == self.geometry.blocks {
            self.roll()?;
        }
        self.begin_block()
    }

    /// Writes the header of the next block and makes sure that the block will not fault.
    fn begin_block(&mut self) -> Result<()> {
        let start = self.geometry.block_offset(self.next_block);
        self.ensure_populated(start + BLOCK_BYTES)?;
        let number = self.next_block as u32;
        let header = BlockHeader::new(&self.progress(), number);
        self.publish_slot(start, self.sequence, self.sequence, &header);
        self.offset = start + self.geometry.slot_bytes;
        self.block_end = start + BLOCK_BYTES;
        self.next_block += 1;
        if start % CHUNK_BYTES < BLOCK_BYTES
            && let Some(helper) = &self.helper
        {
            helper.populate(&self.segment, start);
        }
        Ok(())
    }

    fn ensure_populated(&mut self, end: usize) -> Result<()> {
        let end = end.min(self.segment.bytes());
        if self.segment.populated() < end {
            self.stalls += 1;
            self.segment.populate(end)?;
        }
        Ok(())
    }

    /// Seals the full segment and opens the one that was prepared.
    fn roll(&mut self) -> Result<()> {
        let next = self.take_prepared()?;
        self.seal(SEAL_ROLL)?;
        if self.durability == Durability::Batch {
            self.force_out()?;
            self.durable = self.sequence;
        }
        self.bytes_before += self.bytes_here();
        next.open(self.crc, self.last_crc)?;
        if let Some(flusher) = &self.flusher {
            flusher.note(self.sequence);
            flusher.begin(&next);
        }
        self.header = header_after(&self.header, self.geometry);
        (self.offset, self.block_end) = (SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
        self.next_block = 0;
        let full = std::mem::replace(&mut self.segment, next);
        if let Some(helper) = &self.helper {
            helper.prepare(header_after(&self.header, self.geometry));
            helper.retire(full);
        }
        Ok(())
    }

    fn take_prepared(&mut self) -> Result<Arc<WriteSegment>> {
        let helper = self.helper.as_ref();
        if let Some(ready) = helper.and_then(Helper::try_take) {
            return ready;
        }
        self.stalls += 1;
        helper.and_then(Helper::take).unwrap_or_else(|| {
            let gone = io::Error::other("the helper thread ended");
            Err(Error::io("prepare segment", &self.dir, gone))
        })
    }

    /// Writes a seal where the next record would be.
    fn seal(&mut self, reason: u32) -> Result<()> {
        if self.offset == self.block_end {
            self.begin_block()?;
        }
        let seal = Seal::new(&self.progress(), reason);
        self.publish_slot(self.offset, self.sequence, !self.sequence, &seal);
        Ok(())
    }

    fn progress(&self) -> Progress {
        let Self { sequence, time_max, last_crc, .. } = *self;
        Progress { sequence, time_max, durable: self.durable(), last_crc }
    }

    /// Stores a block header or a seal like a record, with `tag` in the commit word.
    fn publish_slot<T: Pod>(&self, offset: usize, sequence: u64, tag: u64, content: &T) {
        let mut buffer = SlotBuffer::holding(content);
        let words = buffer.first_mut(self.geometry.slot_words());
        let crc = self.crc.of(sequence, words);
        self.segment.publish(offset, commit_word(tag, crc), words);
    }

    /// Bytes of this segment up to its seal.
    fn bytes_here(&self) -> u64 {
        (self.offset + self.geometry.slot_bytes) as u64
    }

    /// Stops the helper and removes the segment that it prepared in vain.
    fn stop_helper(&mut self) -> Result<()> {
        match self.helper.take().and_then(Helper::stop) {
            Some(unused) => self.backend.remove(&unused.path),
            None => Ok(()),
        }
    }
}

impl<R> Drop for Writer<R> {
    fn drop(&mut self) {
        // A prepared segment stays: readers know it for one that was never opened.
        if let Some(helper) = self.helper.take() {
            helper.stop();
        }
    }
}

// One block in each chunk tells the helper where the writer is.
const _: () = assert!(CHUNK_BYTES.is_multiple_of(BLOCK_BYTES));
