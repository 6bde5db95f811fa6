//! Records of one size in one array, named by `u32` handles and recycled through a free list.
//!
//! The array lies in address space that is reserved at the start and backed with memory as records
//! come, in huge pages after the first 2 MiB. So growing moves no record, no message waits while
//! millions of them are copied, and what is not used is not held.
//!
//! The free list runs through the `next` field that orders and levels have anyway, so that giving
//! a record back never allocates; the record freed last is used first, while it is still cached.

use std::ops::{Index, IndexMut};

use bytemuck::Zeroable;

use crate::map::HugeArray;
use crate::processor::prefetch_at;

/// The handle of no record.
pub(crate) const NIL: u32 = u32::MAX;

/// Address space that is reserved for a slab: 64 million orders.
const RESERVED_BYTES: usize = 2 << 30;

/// Records that are reserved for at least, whatever the system allows.
const RECORDS_MIN: usize = 1 << 10;

/// A record with room for the handle of the next one.
pub(crate) trait Linked: Copy + Zeroable {
    /// The next record of the list that this one is in.
    fn next(&self) -> u32;
    /// Makes it a free record, with the next one of their list.
    fn set_free(&mut self, next: u32);
}

/// The records and their free list.
#[derive(Debug)]
pub(crate) struct Slab<T: Linked> {
    records: HugeArray<T>,
    /// Records that were ever in use: the first ones.
    used: usize,
    free: FreeList,
    /// Records that were backed with memory before they came.
    populated: usize,
}

/// The records that are free: the first one, which names the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreeList {
    first: u32,
    /// Records that are not in it.
    live: usize,
}

impl FreeList {
    const EMPTY: Self = Self { first: NIL, live: 0 };

    /// Takes a record back; its handle may be handed out again at once.
    #[inline(always)]
    pub(super) fn take_back<T: Linked>(&mut self, record: &mut T, handle: u32) {
        record.set_free(self.first);
        self.first = handle;
        self.live -= 1;
    }
}

impl<T: Linked> Slab<T> {
    /// An empty slab.
    pub(crate) fn new() -> Self {
        let records = HugeArray::reserved(RESERVED_BYTES / size_of::<T>(), RECORDS_MIN);
        Self { records, used: 0, free: FreeList::EMPTY, populated: 0 }
    }

    /// Backs the first `count` records with memory.
    pub(super) fn populate(&mut self, count: usize) {
        self.records.populate(count);
        self.populated = count.min(self.records.len());
    }

    /// Stores a record and names it.
    #[inline(always)]
    pub(crate) fn insert(&mut self, record: T) -> u32 {
        self.free.live += 1;
        let handle = if self.free.first == NIL { self.fresh() } else { self.free.first };
        let place = &mut self[handle];
        let next = place.next();
        *place = record;
        self.free.first = next;
        handle
    }

    /// A record that was never in use, which ends the free list.
    #[inline(never)]
    fn fresh(&mut self) -> u32 {
        assert!(self.used < NIL as usize, "handles of 32 bits are used up");
        if self.used == self.records.len() {
            self.move_to(2 * self.used);
        }
        let handle = self.used as u32;
        self.used += 1;
        self[handle].set_free(NIL);
        handle
    }

    /// Moves into a larger array: only where so much address space was not to be had before.
    #[cold]
    fn move_to(&mut self, count: usize) {
        self.records = HugeArray::reserved_from(&self.records[..self.used], count, count);
    }

    /// Gives a record's room back; its handle may be handed out again at once.
    #[inline(always)]
    pub(crate) fn remove(&mut self, handle: u32) {
        let (records, free) = self.parts();
        free.take_back(&mut records[handle as usize], handle);
    }

    /// The records, in use or not, and the list of those that are not: for one who changes several
    /// and looks only once where they are.
    #[inline(always)]
    pub(super) fn parts(&mut self) -> (&mut [T], &mut FreeList) {
        (&mut self.records, &mut self.free)
    }

    /// Records that were ever in use: their handles are the numbers below.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Records for which there is room before the array has to move.
    pub(super) fn room(&self) -> usize {
        self.records.len()
    }

    /// Records in use.
    #[inline]
    pub(super) fn live(&self) -> usize {
        self.free.live
    }

    /// Asks for the cache line of a record; of none when `handle` is no record's.
    #[inline(always)]
    pub(crate) fn prefetch(&self, handle: u32) {
        prefetch_at(&self.records, handle as usize);
    }

    /// Asks for the cache line of the place in which the next record is stored.
    #[inline(always)]
    pub(crate) fn prefetch_next(&self) {
        let first = self.free.first;
        self.prefetch(if first == NIL { self.used as u32 } else { first });
    }

    /// The record of a handle, in use or not; `None` for a handle that never was one.
    #[inline(always)]
    pub(super) fn get(&self, handle: u32) -> Option<&T> {
        self.records.get(handle as usize)
    }

    /// Bytes of memory held: the records that were ever in use.
    pub(super) fn bytes(&self) -> usize {
        self.used.max(self.populated) * size_of::<T>()
    }
}

impl<T: Linked> Clone for Slab<T> {
    fn clone(&self) -> Self {
        let used = &self.records[..self.used];
        let records = HugeArray::reserved_from(used, self.records.len(), RECORDS_MIN);
        Self { records, populated: 0, ..*self }
    }
}

impl<T: Linked> Index<u32> for Slab<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, handle: u32) -> &T {
        &self.records[handle as usize]
    }
}

impl<T: Linked> IndexMut<u32> for Slab<T> {
    #[inline(always)]
    fn index_mut(&mut self, handle: u32) -> &mut T {
        &mut self.records[handle as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Linked for u32 {
        fn next(&self) -> u32 {
            *self
        }
        fn set_free(&mut self, next: u32) {
            *self = next;
        }
    }

    #[test]
    fn freed_records_are_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let handles = [slab.insert(10u32), slab.insert(11), slab.insert(12)];
        let bytes = slab.bytes();
        slab.remove(handles[0]);
        slab.remove(handles[2]);
        assert_eq!(slab.live(), 1);
        assert_eq!([slab.insert(13), slab.insert(14)], [handles[2], handles[0]]);
        assert_eq!((slab[handles[0]], slab[handles[1]], slab[handles[2]]), (14, 11, 13));
        assert_eq!((slab.live(), slab.bytes()), (3, bytes));
        assert_eq!((slab.insert(15), slab.bytes()), (3, bytes + 4));
    }

    #[test]
    fn records_keep_their_value_when_the_array_has_to_move() {
        let records = HugeArray::zeroed(2);
        let mut slab = Slab { records, used: 0, free: FreeList::EMPTY, populated: 0 };
        for value in 0..200_000u32 {
            assert_eq!(slab.insert(value), value);
        }
        let clone = slab.clone();
        assert!((0..200_000).all(|handle| slab[handle] == handle && clone[handle] == handle));
        slab.prefetch(NIL);
        assert_eq!((slab.bytes(), clone.bytes()), (800_000, 800_000));
    }
}
