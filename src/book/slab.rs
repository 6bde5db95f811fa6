//! Records of one size in one vector, named by `u32` handles and recycled through a free list.
//!
//! The free list runs through the `next` field that orders and levels have anyway, so that giving
//! a record back never allocates; the record freed last is used first, while it is still cached.

use std::ops::{Index, IndexMut};

/// The handle of no record.
pub(crate) const NIL: u32 = u32::MAX;

/// A record with room for the handle of the next one.
pub(crate) trait Linked: Copy {
    /// The next record of the list that this one is in.
    fn next(&self) -> u32;
    /// Sets the next record.
    fn set_next(&mut self, next: u32);
}

/// The records and their free list.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    records: Vec<T>,
    free: u32,
    live: usize,
}

impl<T: Linked> Slab<T> {
    /// An empty slab with room for `capacity` records.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { records: Vec::with_capacity(capacity), free: NIL, live: 0 }
    }

    /// Stores a record and names it.
    #[inline]
    pub(crate) fn insert(&mut self, record: T) -> u32 {
        self.live += 1;
        if self.free != NIL {
            let handle = self.free;
            self.free = self[handle].next();
            self[handle] = record;
            return handle;
        }
        assert!(self.records.len() < NIL as usize, "handles of 32 bits are used up");
        self.records.push(record);
        (self.records.len() - 1) as u32
    }

    /// Gives a record's room back; its handle may be handed out again at once.
    #[inline]
    pub(crate) fn remove(&mut self, handle: u32) {
        let free = self.free;
        self[handle].set_next(free);
        self.free = handle;
        self.live -= 1;
    }

    /// The record of a handle that may be none's: then any record. The slab is not empty.
    #[inline]
    pub(crate) fn near(&self, handle: u32) -> &T {
        &self.records[(handle as usize).min(self.records.len() - 1)]
    }

    /// Whether no record was ever stored.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        self.records.is_empty()
    }

    /// Records in use.
    #[inline]
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<T>()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, handle: u32) -> &T {
        &self.records[handle as usize]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
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
        fn set_next(&mut self, next: u32) {
            *self = next;
        }
    }

    #[test]
    fn freed_records_are_used_again_before_the_slab_grows() {
        let mut slab = Slab::with_capacity(2);
        let handles = [slab.insert(10u32), slab.insert(11), slab.insert(12)];
        let bytes = slab.bytes();
        slab.remove(handles[0]);
        slab.remove(handles[2]);
        assert_eq!(slab.live(), 1);
        assert_eq!([slab.insert(13), slab.insert(14)], [handles[2], handles[0]]);
        assert_eq!((slab[handles[0]], slab[handles[1]], slab[handles[2]]), (14, 11, 13));
        assert_eq!((slab.live(), slab.bytes()), (3, bytes));
    }
}
