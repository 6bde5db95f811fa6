//! The one writer of a journal.
//!
//! ```text
//!   append --> put: CRC, record words, commit word last      every record
//!                |
//!             advance: next block's header                   every 64 KiB
//!                |
//!             roll: seal, take the prepared segment, open it  every segment
//! ```

use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytemuck::Pod;
use rustix::fs::{FallocateFlags, fallocate};

use super::crc::SlotCrc;
use super::directory::{WriterLock, list_segments, new_header, remove_unfinished, segment_path};
use super::format::{
    BlockHeader, Progress, SEAL_CLOSE, SEAL_ROLL, Seal, SegmentHeader, SlotBuffer, commit_word,
};
use super::geometry::Geometry;
use super::prepare::{CHUNK_BYTES, Helper, WriteSegment};
use super::record::{Record, slot_bytes, words_of};
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES};

/// What a new journal is to be like, and what its headers say about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// Bytes of a segment: a multiple of 64 KiB, at least 16 MiB; 256 MiB by default.
    pub segment_bytes: u64,
    /// Hash of everything that shapes the run's state.
    pub run_hash: u64,
    /// Hash that identifies the feed.
    pub feed_identity: u64,
    /// Number of this continuous run of writing.
    pub epoch: u64,
    /// How the clock of the records' ingest times was set.
    pub clock: ClockCalibration,
}

/// How a clock that counts ticks was set by the wall clock; zeros when it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockCalibration {
    /// The counter at `wall_ns`.
    pub counter: u64,
    /// The wall clock in ns since the Unix epoch at `counter`.
    pub wall_ns: u64,
    /// Ticks of the counter in a second.
    pub counter_hz: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            run_hash: 0,
            feed_identity: 0,
            epoch: 0,
            clock: ClockCalibration::default(),
        }
    }
}

/// What a journal holds before its writer begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) first_sequence: u64,
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

/// What a closed journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records, those of earlier epochs included.
    pub records: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes up to the seals, headers included.
    pub bytes: u64,
}

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
        if !list_segments(dir)?.is_empty() {
            return Err(Error::usage(
                format!("`{}` already holds a journal", dir.display()),
                "use another directory, or remove what is in it",
            ));
        }
        remove_unfinished(dir)?;
        Self::start(dir, lock, &first_header::<R>(options), Progress::default(), Tally::default())
    }

    /// Begins a segment behind what `at` and `before` say.
    pub(super) fn start(
        dir: &Path,
        lock: WriterLock,
        header: &SegmentHeader,
        at: Progress,
        before: Tally,
    ) -> Result<Self> {
        let mut writer = Self::start_alone(dir, lock, header, at, before)?;
        let helper = Helper::start(dir)?;
        helper.populate(&writer.segment, 0);
        helper.prepare(header_after(header, writer.geometry));
        writer.helper = Some(helper);
        Ok(writer)
    }

    /// As [`start`](Self::start), for a writer that does not go beyond one segment.
    pub(super) fn start_alone(
        dir: &Path,
        lock: WriterLock,
        header: &SegmentHeader,
        at: Progress,
        before: Tally,
    ) -> Result<Self> {
        let geometry = header.geometry();
        let crc = SlotCrc::new(header.epoch);
        let segment = Arc::new(WriteSegment::create(dir, header)?);
        segment.populate(CHUNK_BYTES)?;
        segment.open(crc, at.last_crc);
        // A segment that begins an epoch must not lose the word that says so.
        segment.sync()?;
        Ok(Self {
            segment,
            crc,
            sequence: at.sequence,
            offset: SEGMENT_HEADER_BYTES,
            block_end: SEGMENT_HEADER_BYTES,
            time_max: at.time_max,
            last_crc: at.last_crc,
            next_block: 0,
            geometry,
            header: *header,
            dir: dir.to_owned(),
            before,
            first_number: header.segment_number,
            bytes_before: before.bytes,
            unsynced_from: at.sequence,
            durable: at.durable,
            stalls: 0,
            failed: None,
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

    /// Appends one record; when this returns, any reader can see it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the next segment or memory could not be had; nothing was appended, and
    /// nothing can be any more. What was appended before stays readable.
    #[inline]
    pub fn append(&mut self, record: &R) -> Result<()> {
        if self.offset == self.block_end {
            self.advance()?;
        }
        self.put(record);
        Ok(())
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
            self.append(record)?;
        }
        Ok(())
    }

    /// Forces everything to the disk, seals the journal and gives back the space that was not used.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the disk refuses; every appended record stays readable all the same.
    pub fn close(mut self) -> Result<Summary> {
        self.sync_full_segments()?;
        self.segment.sync()?;
        self.durable = self.sequence;
        self.seal(SEAL_CLOSE)?;
        self.stop_helper()?;
        self.give_back_space()?;
        self.segment.sync()?;
        Ok(Summary {
            records: self.sequence - self.before.first_sequence,
            segments: self.before.segments + self.segments_here(),
            bytes: self.bytes_before + self.bytes_here(),
        })
    }

    /// Forces the segments to the disk that were filled since the last time.
    fn sync_full_segments(&mut self) -> Result<()> {
        while self.unsynced_from < self.header.first_sequence {
            sync_file(&segment_path(&self.dir, self.unsynced_from))?;
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
        self.segment.map.publish(self.offset, commit_word(self.sequence, crc), words);
        self.offset += const { slot_bytes::<R>() };
        self.sequence += 1;
        self.last_crc = crc;
        self.time_max = self.time_max.max(record.time());
    }

    /// Goes on to the next block, in the next segment if this one is full.
    #[cold]
    #[inline(never)]
    fn advance(&mut self) -> Result<()> {
        if let Some(kind) = self.failed {
            return Err(Error::io("append after a failure to", &self.segment.path, kind.into()));
        }
        let advanced = self.try_advance();
        if let Err(Error::Io { source, .. }) = &advanced {
            self.failed = Some(source.kind());
        }
        advanced
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
        let end = end.min(self.segment.map.bytes());
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
        self.bytes_before += self.bytes_here();
        next.open(self.crc, self.last_crc);
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
        let Self { sequence, time_max, durable, last_crc, .. } = *self;
        Progress { sequence, time_max, durable, last_crc }
    }

    /// Stores a block header or a seal like a record, with `tag` in the commit word.
    fn publish_slot<T: Pod>(&self, offset: usize, sequence: u64, tag: u64, content: &T) {
        let mut buffer = SlotBuffer::holding(content);
        let words = buffer.first_mut(self.geometry.slot_words());
        let crc = self.crc.of(sequence, words);
        self.segment.map.publish(offset, commit_word(tag, crc), words);
    }

    /// Bytes of this segment up to its seal.
    fn bytes_here(&self) -> u64 {
        (self.offset + self.geometry.slot_bytes) as u64
    }

    /// Stops the helper and removes the segment that it prepared in vain.
    fn stop_helper(&mut self) -> Result<()> {
        match self.helper.take().and_then(Helper::stop) {
            Some(unused) => fs::remove_file(&unused.path)
                .map_err(|source| Error::io("remove", &unused.path, source)),
            None => Ok(()),
        }
    }

    /// Punches a hole over what lies behind the seal; the length stays.
    fn give_back_space(&self) -> Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let (used, length) = (self.bytes_here(), self.header.segment_bytes);
        match fallocate(&self.segment.file, hole, used, length - used) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(refused) => Err(Error::io("punch a hole in", &self.segment.path, refused.into())),
        }
    }
}

/// Forces what a file holds to the disk.
pub(super) fn sync_file(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_data());
    synced.map_err(|source| Error::io("sync", path, source))
}

fn check_segment_bytes(bytes: u64) -> Result<()> {
    let fits = bytes >= SEGMENT_BYTES_MIN
        && bytes.is_multiple_of(BLOCK_BYTES as u64)
        && isize::try_from(bytes).is_ok();
    if fits {
        return Ok(());
    }
    Err(Error::usage(
        format!("a journal segment cannot have {bytes} bytes"),
        format!("choose a multiple of 64 KiB, at least {SEGMENT_BYTES_MIN}"),
    ))
}

fn first_header<R: Record>(options: &JournalOptions) -> SegmentHeader {
    let slot = const { slot_bytes::<R>() };
    let ClockCalibration { counter, wall_ns, counter_hz } = options.clock;
    SegmentHeader {
        run_hash: options.run_hash,
        feed_identity: options.feed_identity,
        epoch: options.epoch,
        clock_counter: counter,
        clock_wall_ns: wall_ns,
        clock_counter_hz: counter_hz,
        ..new_header(R::NAME, slot, R::SCHEMA, options.segment_bytes)
    }
}

/// The header of the segment after that of `header`, when this one is full.
fn header_after(header: &SegmentHeader, geometry: Geometry) -> SegmentHeader {
    SegmentHeader {
        segment_number: header.segment_number + 1,
        first_sequence: header.first_sequence + geometry.records(),
        ..*header
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
