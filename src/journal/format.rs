#![doc = include_str!("format.md")]

use bytemuck::{Pod, Zeroable};

use super::crc::SlotCrc;
use super::geometry::Geometry;
use crate::limits::{BLOCK_BYTES, SEGMENT_HEADER_BYTES, STAMP_BYTES};

/// The first bytes of a segment.
pub const MAGIC: [u8; 8] = *b"RINGTAPE";

/// The version of the format that this crate writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// What `endianness` reads on a machine of the right byte order.
pub const ENDIANNESS: u32 = 0x0102_0304;

/// Features that a reader must know to read a segment; this version knows none.
pub const INCOMPATIBLE_KNOWN: u64 = 0;

/// Bytes of a record type's name in the header.
pub const NAME_BYTES: usize = 24;

/// Bytes of a slot at most.
pub const SLOT_BYTES_MAX: usize = 4096;

/// Offset of the header's CRC, which covers everything before it.
pub const HEADER_CRC_OFFSET: usize = 4084;

/// Offset of the opening word.
pub const OPENING_OFFSET: usize = 4088;

/// Words of a slot behind its commit word at most.
pub(super) const SLOT_WORDS_MAX: usize = SLOT_BYTES_MAX / 8 - 1;

const BLOCK_MAGIC: [u8; 8] = *b"ringtblk";
const SEAL_MAGIC: [u8; 8] = *b"ringseal";

// Records and headers are written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "journals are little-endian");

/// The fields of a segment's header; all but those marked are equal in all segments of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`MAGIC`]: files are recognised by content.
    pub magic: [u8; 8],
    /// [`ENDIANNESS`]: a reader of the wrong byte order notices at once.
    pub endianness: u32,
    /// [`VERSION`]: a newer one is refused with advice.
    pub version: u32,
    /// Bits of features that a reader may ignore.
    pub compatible: u64,
    /// Bits of features without which a reader would read wrong data.
    pub incompatible: u64,
    /// Bytes of the header; the first block begins here.
    pub header_bytes: u32,
    /// Bytes of a block.
    pub block_bytes: u32,
    /// Bytes of a slot: 8 of the commit word and the record.
    pub slot_bytes: u32,
    /// Bytes of a record.
    pub record_bytes: u32,
    /// Bytes of the file; another length means that it was cut or extended later.
    pub segment_bytes: u64,
    /// Name of the record type, padded with zeros: what a tool without its type shows.
    pub schema_name: [u8; NAME_BYTES],
    /// Hash of the record's layout: another layout of the same name is refused.
    pub schema_hash: u64,
    /// Random number of the journal: a segment of another one is noticed.
    pub journal_id: [u8; 16],
    /// Number of the segment, from 0: a missing one is noticed. Per segment.
    pub segment_number: u64,
    /// Sequence of the first record, as in the file's name: a renamed file is noticed. Per segment.
    pub first_sequence: u64,
    /// Number of the continuous run of writing; what an earlier run left behind never passes for
    /// the present one's. Rises within a journal.
    pub epoch: u64,
    /// Boot of the machine that wrote it: tells a killed process from a lost machine. Per epoch.
    pub boot_id: [u8; 16],
    /// Hash of the configuration that shapes the run's state: a resume under another is refused.
    pub run_hash: u64,
    /// Hash of the feed's identity: a resume with another feed is refused.
    pub feed_identity: u64,
    /// Counter of the engine's clock at `clock_wall_ns`; 0 if not calibrated.
    pub clock_counter: u64,
    /// Wall clock in ns since the Unix epoch at `clock_counter`.
    pub clock_wall_ns: u64,
    /// Rate of the counter, to convert raw readings.
    pub clock_counter_hz: u64,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<SegmentHeader>() == 184);
    assert!(offset_of!(SegmentHeader, compatible) == 16);
    assert!(offset_of!(SegmentHeader, header_bytes) == 32);
    assert!(offset_of!(SegmentHeader, segment_bytes) == 48);
    assert!(offset_of!(SegmentHeader, schema_hash) == 80);
    assert!(offset_of!(SegmentHeader, segment_number) == 104);
    assert!(offset_of!(SegmentHeader, boot_id) == 128);
    assert!(offset_of!(SegmentHeader, clock_counter_hz) == 176);
    assert!(HEADER_CRC_OFFSET + 4 == OPENING_OFFSET);
    assert!(OPENING_OFFSET + STAMP_BYTES == SEGMENT_HEADER_BYTES);
    assert!(2 * SLOT_BYTES_MAX <= BLOCK_BYTES - SEGMENT_HEADER_BYTES);
    assert!(size_of::<BlockHeader>() == 56 && size_of::<Seal>() == 56);
};

impl SegmentHeader {
    /// The name of the record type, as far as it is text.
    pub fn schema_name(&self) -> String {
        let end = self.schema_name.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
        String::from_utf8_lossy(&self.schema_name[..end]).into_owned()
    }

    /// The header as it stands in the file, not yet opened.
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..size_of::<Self>()].copy_from_slice(bytemuck::bytes_of(self));
        let crc = crc32c::crc32c(&bytes[..HEADER_CRC_OFFSET]);
        bytes[HEADER_CRC_OFFSET..OPENING_OFFSET].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header in a file's first bytes, or what is wrong with them and what to do.
    pub(super) fn decode(
        bytes: &[u8; SEGMENT_HEADER_BYTES],
    ) -> Result<Self, (usize, String, &'static str)> {
        let header: Self = bytemuck::pod_read_unaligned(&bytes[..size_of::<Self>()]);
        if header.magic != MAGIC {
            return Err((0, "this is no journal segment".into(), "remove it, or restore a copy"));
        }
        if header.endianness == ENDIANNESS.swap_bytes() {
            return Err((8, "the byte order is not this machine's".into(), "read it elsewhere"));
        }
        let stored = u32::from_le_bytes([bytes[4084], bytes[4085], bytes[4086], bytes[4087]]);
        if stored != crc32c::crc32c(&bytes[..HEADER_CRC_OFFSET]) {
            let what = "the segment header is damaged".into();
            return Err((HEADER_CRC_OFFSET, what, "restore the segment from a copy"));
        }
        let update = "use a newer ringtape";
        if header.version > VERSION {
            let what = format!("format version {} is newer than {VERSION}", header.version);
            return Err((12, what, update));
        }
        if header.incompatible & !INCOMPATIBLE_KNOWN != 0 {
            let unknown = header.incompatible & !INCOMPATIBLE_KNOWN;
            return Err((24, format!("it needs unknown features {unknown:#x}"), update));
        }
        if !header.has_sound_geometry() {
            return Err((32, "sizes in the header contradict one another".into(), update));
        }
        Ok(header)
    }

    fn has_sound_geometry(&self) -> bool {
        let slot = self.slot_bytes as usize;
        self.endianness == ENDIANNESS
            && self.version > 0
            && self.header_bytes as usize == SEGMENT_HEADER_BYTES
            && self.block_bytes as usize == BLOCK_BYTES
            && slot.is_power_of_two()
            && (64..=SLOT_BYTES_MAX).contains(&slot)
            && self.record_bytes as usize == slot - STAMP_BYTES
            && self.segment_bytes.is_multiple_of(BLOCK_BYTES as u64)
            && self.segment_bytes >= 2 * BLOCK_BYTES as u64
            && isize::try_from(self.segment_bytes).is_ok()
            && self.first_sequence.checked_add(self.segment_bytes).is_some()
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry::new(self.slot_bytes as usize, self.segment_bytes)
    }
}

/// The commit word of a slot; for a seal, `sequence` is the complement of the next one.
#[inline]
pub(super) fn commit_word(sequence: u64, crc: u32) -> u64 {
    sequence & 0xffff_ffff | u64::from(crc) << 32
}

/// The opening word of a segment.
pub(super) fn opening_word(crc: SlotCrc, first_sequence: u64, previous: u32) -> u64 {
    let check = crc.of(first_sequence, &[u64::from(previous).to_le_bytes()]);
    commit_word(u64::from(previous), check)
}

/// What the first slot of a block holds behind its commit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct BlockHeader {
    magic: [u8; 8],
    pub(super) first_sequence: u64,
    pub(super) time_max: u64,
    pub(super) durable: u64,
    pub(super) number: u32,
    pub(super) previous_crc: u32,
    zero: [u64; 2],
}

/// What the slot after the last record holds behind its commit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Seal {
    magic: [u8; 8],
    pub(super) next_sequence: u64,
    pub(super) time_max: u64,
    pub(super) durable: u64,
    pub(super) reason: u32,
    pub(super) last_crc: u32,
    zero: [u64; 2],
}

/// How far a writer is, as block headers and seals note it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Sequence of the next record.
    pub(super) sequence: u64,
    /// Highest time of any record before.
    pub(super) time_max: u64,
    /// Every record below this sequence is on the disk.
    pub(super) durable: u64,
    /// CRC of the last record, 0 before the first.
    pub(super) last_crc: u32,
}

/// Reason of a seal: the journal goes on in the next segment.
pub(super) const SEAL_ROLL: u32 = 1;

/// Reason of a seal: the writer closed the journal.
pub(super) const SEAL_CLOSE: u32 = 2;

impl BlockHeader {
    pub(super) fn new(at: &Progress, number: u32) -> Self {
        Self {
            magic: BLOCK_MAGIC,
            first_sequence: at.sequence,
            time_max: at.time_max,
            durable: at.durable,
            number,
            previous_crc: at.last_crc,
            zero: [0; 2],
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.magic == BLOCK_MAGIC
    }
}

impl Seal {
    pub(super) fn new(at: &Progress, reason: u32) -> Self {
        Self {
            magic: SEAL_MAGIC,
            next_sequence: at.sequence,
            time_max: at.time_max,
            durable: at.durable,
            reason,
            last_crc: at.last_crc,
            zero: [0; 2],
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.magic == SEAL_MAGIC && matches!(self.reason, SEAL_ROLL | SEAL_CLOSE)
    }
}

/// The words of a slot whose record is shorter than the slot: a block header or a seal.
#[derive(Debug)]
pub(super) struct SlotBuffer {
    words: [[u8; 8]; SLOT_WORDS_MAX],
}

impl SlotBuffer {
    pub(super) fn new() -> Self {
        Self { words: [[0; 8]; SLOT_WORDS_MAX] }
    }

    /// The first `count` words, for filling.
    pub(super) fn first_mut(&mut self, count: usize) -> &mut [[u8; 8]] {
        &mut self.words[..count]
    }

    /// A buffer that begins with `record` and is zero behind it.
    pub(super) fn holding<T: Pod>(record: &T) -> Self {
        let mut buffer = Self::new();
        let bytes = bytemuck::bytes_of(record);
        buffer.words.as_flattened_mut()[..bytes.len()].copy_from_slice(bytes);
        buffer
    }

    /// What the buffer begins with.
    pub(super) fn get<T: Pod>(&self) -> T {
        bytemuck::pod_read_unaligned(&self.words.as_flattened()[..size_of::<T>()])
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::event::kinds::KINDS;
    use crate::event::{Event, Execution, ExecutionKind};
    use crate::journal::directory::new_header;
    use crate::journal::record::{Record, words_of};

    /// A closed journal of one event, with identities of its own.
    fn example() -> Vec<u8> {
        let header = SegmentHeader {
            journal_id: [0x11; 16],
            boot_id: [0x22; 16],
            ..new_header(Event::NAME, 64, Event::SCHEMA, 16 << 20)
        };
        let event = Event {
            ts_event: 34_200_000_000_000,
            kind: 4,
            side: 1,
            flags: 1,
            instrument: 13,
            payload: [7, 1_500_000, 100, 0],
            ..Event::zeroed()
        };
        let crc = SlotCrc::new(0);
        let slot = |sequence: u64, tag: u64, words: &[[u8; 8]]| {
            let word = commit_word(tag, crc.of(sequence, words));
            [&word.to_le_bytes()[..], words.as_flattened()].concat()
        };
        let block = BlockHeader::new(&Progress::default(), 0);
        let words = words_of(&event);
        let (last_crc, time_max) = (crc.of(0, words), event.ts_event);
        let at = Progress { sequence: 1, time_max, durable: 1, last_crc };
        let mut bytes = header.encode().to_vec();
        bytes[OPENING_OFFSET..].copy_from_slice(&opening_word(crc, 0, 0).to_le_bytes());
        bytes.extend(slot(0, 0, SlotBuffer::holding(&block).first_mut(7)));
        bytes.extend(slot(0, 0, words));
        bytes.extend(slot(1, !1, SlotBuffer::holding(&Seal::new(&at, SEAL_CLOSE)).first_mut(7)));
        bytes
    }

    #[test]
    fn the_worked_example_is_what_a_writer_would_store() {
        let bytes = example();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut rows = String::new();
        for (number, row) in bytes.chunks(16).enumerate() {
            if row.iter().any(|&byte| byte != 0) {
                let (left, right) = row.split_at(8);
                rows += &format!("{:>5}  {}  {}\n", number * 16, hex(left), hex(right));
            }
        }
        let document = include_str!("format.md");
        assert!(document.contains(&rows), "the example should be\n{rows}");
        let record = hex(&bytes[4160..4224]);
        assert!(document.contains(&record), "the record should be {record}");
    }

    #[test]
    fn the_document_has_every_field_of_an_execution_in_its_place_and_every_kind() {
        let words: Vec<_> = include_str!("format.md").split_whitespace().collect();
        let document = words.join(" ");
        let events = KINDS.iter().map(|info| (info.kind as usize, info.name));
        let executions = ExecutionKind::ALL.iter().map(|kind| (*kind as usize, kind.name()));
        let fields = [
            (offset_of!(Execution, order_id), "order_id u64"),
            (offset_of!(Execution, price), "price i64"),
            (offset_of!(Execution, qty), "qty u64"),
            (offset_of!(Execution, leaves), "leaves u64"),
            (offset_of!(Execution, cum), "cum u64"),
            (offset_of!(Execution, contra_order_id), "contra_order_id u64"),
            (offset_of!(Execution, match_id), "match_id u64"),
            (offset_of!(Execution, cause), "cause u64"),
            (offset_of!(Execution, new_order_id), "new_order_id u64"),
            (offset_of!(Execution, account), "account u32"),
            (offset_of!(Execution, reason), "reason u16"),
            (offset_of!(Execution, liquidity), "liquidity u8"),
            (offset_of!(Execution, fee), "fee i64"),
            (offset_of!(Execution, reserved), "reserved u64"),
        ];
        for (number, name) in events.chain(executions).chain(fields) {
            assert!(document.contains(&format!("{number} {name}")), "{number} {name}");
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was_written_and_no_flipped_bit_passes() {
        let header = new_header("event", 64, 7, 16 << 20);
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        assert_eq!(header.schema_name(), "event");
        for bit in 0..HEADER_CRC_OFFSET * 8 + 32 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_and_unknown_features_are_refused_by_name() {
        let header = new_header("event", 64, 7, 16 << 20);
        let newer = SegmentHeader { version: VERSION + 1, ..header }.encode();
        let (_, what, cure) = SegmentHeader::decode(&newer).unwrap_err();
        assert_eq!((what.as_str(), cure), ("format version 2 is newer than 1", update()));
        let unknown = SegmentHeader { incompatible: 4, ..header }.encode();
        let (_, what, cure) = SegmentHeader::decode(&unknown).unwrap_err();
        assert_eq!((what.as_str(), cure), ("it needs unknown features 0x4", update()));
        let ignorable = SegmentHeader { compatible: 4, ..header };
        assert_eq!(SegmentHeader::decode(&ignorable.encode()), Ok(ignorable));
    }

    fn update() -> &'static str {
        "use a newer ringtape"
    }
}
