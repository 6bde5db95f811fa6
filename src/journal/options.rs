//! What a writer is told, and what it tells at its end.

use std::sync::Arc;

use super::directory::new_header;
use super::durability::Durability;
use super::flusher::PAGE_BYTES;
use super::format::{Progress, SegmentHeader};
use super::geometry::Geometry;
use super::prepare::CHUNK_BYTES;
use super::record::{Record, slot_bytes};
use super::storage::{Backend, MappedFiles, WrittenFiles};
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN};

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
    /// What is done for records to survive; the header does not say it.
    pub durability: Durability,
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
            durability: Durability::default(),
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

/// Where and how a writer begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// The header of its first segment.
    pub(super) header: SegmentHeader,
    pub(super) at: Progress,
    pub(super) before: Tally,
    pub(super) durability: Durability,
}

/// What a closed journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records, those of earlier epochs included.
    pub records: u64,
    /// The sequence after the last of them.
    pub next_sequence: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes up to the seals, headers included.
    pub bytes: u64,
}

/// Where segments are with a level of durability.
///
/// WHY: what is forced out at intervals must not share a page with what is written: a writer at
/// 1 M/s with a flusher every 10 ms stalled for over 100 us some 30 times a second with the pages
/// that the file system chose, and once or twice with pages of 4 KiB.
pub(super) fn backend(durability: Durability) -> Arc<dyn Backend> {
    match durability {
        Durability::PageCache => Arc::new(MappedFiles { piece_bytes: CHUNK_BYTES }),
        Durability::Interval(_) => Arc::new(MappedFiles { piece_bytes: PAGE_BYTES }),
        Durability::Batch => Arc::new(WrittenFiles),
    }
}

pub(super) fn check_segment_bytes(bytes: u64) -> Result<()> {
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

pub(super) fn first_header<R: Record>(options: &JournalOptions) -> SegmentHeader {
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
pub(super) fn header_after(header: &SegmentHeader, geometry: Geometry) -> SegmentHeader {
    SegmentHeader {
        segment_number: header.segment_number + 1,
        first_sequence: header.first_sequence + geometry.records(),
        ..*header
    }
}
