//! Where the slots of a segment lie: arithmetic, as [`format`](mod@super::format) documents it.

use crate::limits::{BLOCK_BYTES, SEGMENT_HEADER_BYTES};

/// The shape of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) slot_bytes: usize,
    /// Records of a whole block.
    pub(super) block_records: u64,
    /// Whole blocks.
    pub(super) blocks: u64,
}

impl Geometry {
    pub(super) fn new(slot_bytes: usize, segment_bytes: u64) -> Self {
        let blocks = segment_bytes.saturating_sub(SEGMENT_HEADER_BYTES as u64);
        Self {
            slot_bytes,
            block_records: (BLOCK_BYTES / slot_bytes - 1) as u64,
            blocks: blocks / BLOCK_BYTES as u64,
        }
    }

    /// Records of a full segment; also the index of the slot for the seal of one.
    pub(super) fn records(self) -> u64 {
        self.blocks * self.block_records
    }

    /// Words of a slot behind the commit word.
    #[inline]
    pub(super) fn slot_words(self) -> usize {
        self.slot_bytes / 8 - 1
    }

    /// Offset of block `number`; the trailer is the block after the last.
    #[inline]
    pub(super) fn block_offset(self, number: u64) -> usize {
        SEGMENT_HEADER_BYTES + number as usize * BLOCK_BYTES
    }

    /// Offset of the slot of record `index`.
    #[inline]
    pub(super) fn slot_offset(self, index: u64) -> usize {
        let in_block = (index % self.block_records + 1) as usize;
        self.block_offset(index / self.block_records) + in_block * self.slot_bytes
    }

    /// The index of the record to whose slot a byte behind the segment header belongs; a block's
    /// header goes with its first record.
    pub(super) fn index_at(self, offset: usize) -> u64 {
        let body = offset - SEGMENT_HEADER_BYTES;
        let slot = (body % BLOCK_BYTES / self.slot_bytes) as u64;
        (body / BLOCK_BYTES) as u64 * self.block_records + slot.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_record_has_a_slot_of_its_own_between_the_block_headers(
            slot_shift in 6u32..13, blocks in 2u64..600, pick in any::<u64>(),
        ) {
            let slot = 1usize << slot_shift;
            let bytes = blocks * BLOCK_BYTES as u64;
            let geometry = Geometry::new(slot, bytes);
            prop_assert_eq!(geometry.blocks, blocks - 1);
            let index = pick % (geometry.records() + 1);
            let offset = geometry.slot_offset(index);
            prop_assert!((offset - SEGMENT_HEADER_BYTES) % BLOCK_BYTES >= slot);
            prop_assert!(offset + slot <= bytes as usize);
            prop_assert!(offset.is_multiple_of(slot.min(SEGMENT_HEADER_BYTES)));
            prop_assert_eq!(geometry.index_at(offset), index);
            prop_assert_eq!(geometry.index_at(offset + slot - 1), index);
            if index < geometry.records() {
                let next = geometry.slot_offset(index + 1);
                let crosses = (index + 1).is_multiple_of(geometry.block_records);
                prop_assert_eq!(next - offset, if crosses { 2 * slot } else { slot });
            }
        }
    }
}
