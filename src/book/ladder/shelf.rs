//! The near rungs of all ladders in one array, in huge pages, in rows that double as they grow.
//!
//! WHY: 16,000 sides with a vector each are spread over thousands of small pages, far more than the
//! processor remembers the places of, and every touch of one waits for that first.

use super::{Rung, TOUCH_RUNGS};
use crate::map::HugeArray;
use crate::processor::prefetch_at;

/// Address space that is reserved: 128 million rungs.
const RUNGS_RESERVED: usize = 1 << 27;

/// Rungs that are reserved for at least, whatever the system allows.
const RUNGS_MIN: usize = 1 << 10;

/// Rungs of the smallest row: 2^3, a cache line.
const BITS_MIN: u8 = 3;

/// Rungs of the largest row: 2^8.
pub(super) const BITS_MAX: u8 = 8;

/// The start of no row.
const NOWHERE: u32 = u32::MAX;

/// A row of rungs: where it starts, how many are in use, and the bits of how many fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) start: u32,
    len: u16,
    bits: u8,
}

/// All rows, and those that are free by size.
#[derive(Debug)]
pub(in crate::book) struct Shelf {
    rungs: HugeArray<Rung>,
    /// Rungs that were ever part of a row: the first ones.
    used: usize,
    /// Rungs that were backed with memory before they came.
    populated: usize,
    /// The first free row of each size; its first rung names the next one.
    free: [u32; BITS_MAX as usize + 1],
}

impl Row {
    pub(super) const EMPTY: Self = Self { start: 0, len: 0, bits: 0 };

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        usize::from(self.len)
    }
}

impl Shelf {
    pub(in crate::book) fn new() -> Self {
        let rungs = HugeArray::reserved(RUNGS_RESERVED, RUNGS_MIN);
        Self { rungs, used: 0, populated: 0, free: [NOWHERE; BITS_MAX as usize + 1] }
    }

    /// Backs the first `count` rungs with memory.
    pub(in crate::book) fn populate(&mut self, count: usize) {
        self.rungs.populate(count);
        self.populated = count.min(self.rungs.len());
    }

    /// The rungs of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: Row) -> &[Rung] {
        &self.rungs[row.start as usize..][..row.len()]
    }

    /// The last rungs of a row; of a shorter one all, and [`Rung::NONE`] past them.
    #[inline(always)]
    pub(super) fn touch(&self, row: Row) -> &[Rung; TOUCH_RUNGS] {
        let start = row.start as usize + row.len().saturating_sub(TOUCH_RUNGS);
        self.rungs[start..].first_chunk().expect("the smallest row has so many")
    }

    /// Puts a rung before that of a position; the row has fewer than the largest.
    #[inline(always)]
    pub(super) fn insert(&mut self, row: &mut Row, position: usize, rung: Rung) {
        if row.bits == 0 || row.len() == 1 << row.bits {
            self.grow(row);
        }
        let (start, len) = (row.start as usize, row.len());
        let rungs = &mut self.rungs[start..=start + len];
        if position < len {
            rungs.copy_within(position..len, position + 1);
        }
        rungs[position] = rung;
        row.len += 1;
    }

    /// Takes the rung of a position out.
    #[inline(always)]
    pub(super) fn remove(&mut self, row: &mut Row, position: usize) {
        let rungs = &mut self.rungs[row.start as usize..][..row.len()];
        let last = rungs.len() - 1;
        if position < last {
            rungs.copy_within(position + 1.., position);
        }
        rungs[last] = Rung::NONE;
        row.len -= 1;
    }

    /// Takes the first `count` rungs out and hands them over.
    pub(super) fn drain(&mut self, row: &mut Row, count: usize, to: impl FnMut(&Rung)) {
        let rungs = &mut self.rungs[row.start as usize..][..row.len()];
        rungs[..count].iter().for_each(to);
        rungs.copy_within(count.., 0);
        let left = rungs.len() - count;
        rungs[left..].fill(Rung::NONE);
        row.len = left as u16;
    }

    /// Gives a row's room back and leaves it empty.
    pub(super) fn clear(&mut self, row: &mut Row) {
        let Row { start, bits, .. } = std::mem::replace(row, Row::EMPTY);
        if bits > 0 {
            self.rungs[start as usize].level = self.free[usize::from(bits)];
            self.free[usize::from(bits)] = start;
        }
    }

    /// Asks for the last two lines before a rung.
    #[inline(always)]
    pub(super) fn prefetch_before(&self, end: usize) {
        prefetch_at(&self.rungs, end.wrapping_sub(1));
        prefetch_at(&self.rungs, end.wrapping_sub(TOUCH_RUNGS));
    }

    /// Bytes of memory held: the rows that were ever in use.
    pub(in crate::book) fn bytes(&self) -> usize {
        self.used.max(self.populated) * size_of::<Rung>()
    }

    /// Moves a full row into one of twice the size.
    #[inline(never)]
    fn grow(&mut self, row: &mut Row) {
        let bits = if row.bits == 0 { BITS_MIN } else { row.bits + 1 };
        assert!(bits <= BITS_MAX, "a row is spilled before it is full");
        let start = self.fresh(bits);
        let (from, len) = (row.start as usize, row.len());
        self.rungs.copy_within(from..from + len, start as usize);
        if len == 0 {
            self.rungs[start as usize..][..TOUCH_RUNGS].fill(Rung::NONE);
        }
        self.clear(row);
        *row = Row { start, len: len as u16, bits };
    }

    /// A free row.
    fn fresh(&mut self, bits: u8) -> u32 {
        let free = &mut self.free[usize::from(bits)];
        if *free != NOWHERE {
            return std::mem::replace(free, self.rungs[*free as usize].level);
        }
        let start = self.used;
        self.used += 1 << bits;
        if self.used > self.rungs.len() {
            self.move_to(2 * self.rungs.len());
        }
        u32::try_from(start).expect("rows of fewer than 2^32 rungs")
    }

    /// Moves into a larger array: only where so much address space was not to be had before.
    #[cold]
    fn move_to(&mut self, count: usize) {
        self.rungs = HugeArray::reserved_from(&self.rungs, count, count);
    }
}

impl Clone for Shelf {
    fn clone(&self) -> Self {
        let used = &self.rungs[..self.used];
        let rungs = HugeArray::reserved_from(used, self.rungs.len(), RUNGS_MIN);
        Self { rungs, populated: 0, ..*self }
    }
}
