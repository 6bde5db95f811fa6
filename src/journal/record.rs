//! What a journal holds: records of one type and fixed size.

use bytemuck::Pod;

use super::format::{NAME_BYTES, SLOT_BYTES_MAX};
use super::geometry::Geometry;
use crate::event::{Event, Execution};
use crate::limits::{BLOCK_BYTES, STAMP_BYTES};

/// A type whose records a journal can hold: plain old data, so that its bytes are its value.
///
/// Its size and the 8 bytes of the commit word together are 64, 128, 256 ... 4,096 bytes, which is
/// checked at compile time.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::journal::{Record, schema_hash};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Reading {
///     time: u64,
///     values: [i64; 6],
/// }
///
/// impl Record for Reading {
///     const NAME: &'static str = "reading";
///     const SCHEMA: u64 = schema_hash("0 time u64, 8 values [i64; 6]");
///
///     fn time(&self) -> u64 {
///         self.time
///     }
/// }
/// ```
pub trait Record: Pod {
    /// The name of the type in segment headers and messages, at most 24 bytes.
    const NAME: &'static str;
    /// The hash of its layout; a journal of another layout is refused. See [`schema_hash`].
    const SCHEMA: u64;

    /// The time of the record in ns, by which a journal can be searched.
    fn time(&self) -> u64;
}

impl Record for Event {
    const NAME: &'static str = "event";
    const SCHEMA: u64 = schema_hash(
        "0 ts_event u64, 8 ts_ingest u64, 16 kind u8, 17 side u8, 18 flags u16, \
         20 instrument u32, 24 payload by kind, meaning 1",
    );

    #[inline]
    fn time(&self) -> u64 {
        self.ts_event
    }
}

impl Record for Execution {
    const NAME: &'static str = "execution";
    const SCHEMA: u64 = schema_hash(
        "0 ts_event u64, 8 ts_ingest u64, 16 kind u8, 17 side u8, 18 flags u16, \
         20 instrument u32, 24 order_id u64, 32 price i64, 40 qty u64, 48 leaves u64, 56 cum u64, \
         64 contra_order_id u64, 72 match_id u64, 80 cause u64, 88 new_order_id u64, \
         96 account u32, 100 reason u16, 102 liquidity u8, 104 fee i64, meaning 1",
    );

    #[inline]
    fn time(&self) -> u64 {
        self.ts_event
    }
}

/// The hash of a description of a record's layout: FNV-1a of its text, 64 bits.
///
/// Describe offset, name and type of each field; change the text when the meaning of an existing
/// field changes. A code that is new in a field is no change.
pub const fn schema_hash(layout: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut rest = layout.as_bytes();
    while let [byte, after @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        rest = after;
    }
    hash
}

/// How many records a segment of `segment_bytes` holds.
///
/// A writer that starts at sequence 0 begins a new segment at each multiple of this.
///
/// ```
/// use ringtape::event::Event;
/// use ringtape::journal::records_per_segment;
///
/// assert_eq!(records_per_segment::<Event>(16 << 20), 255 * 1023);
/// ```
pub fn records_per_segment<R: Record>(segment_bytes: u64) -> u64 {
    Geometry::new(slot_bytes::<R>(), segment_bytes).records()
}

/// Bytes of a slot, commit word and record.
pub(super) const fn slot_bytes<R: Record>() -> usize {
    const {
        let bytes = STAMP_BYTES + size_of::<R>();
        assert!(bytes.is_multiple_of(64) && bytes <= SLOT_BYTES_MAX, "a record of this size");
        assert!(BLOCK_BYTES.is_multiple_of(bytes), "slots fill a block exactly");
        assert!(R::NAME.len() <= NAME_BYTES, "the name fits the segment header");
        bytes
    }
}

/// A record as the words that maps and CRC work on.
#[inline]
pub(super) fn words_of<R: Record>(record: &R) -> &[[u8; 8]] {
    bytemuck::bytes_of(record).as_chunks().0
}
