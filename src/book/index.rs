//! From an order's reference to its handle: open addressing in buckets of a cache line.
//!
//! ```text
//!   bucket   | tag x 8 | handle x 8 |     64 bytes; tag 0: the lane is empty
//! ```
//!
//! A tag is 32 bits of the reference, well mixed; its upper bits say which bucket it wants to be
//! in, all of it tells it from its neighbours. So one comparison of eight lanes answers a search,
//! the slab is asked only when a tag is equal, and growing never looks into it. What finds its
//! bucket full goes into the next one that is not, so a search ends at a bucket with an empty lane.
//! When an order leaves a full bucket, one that overflowed from there comes back: there are no
//! tombstones, and a table never ages.
//!
//! Some neighbouring references want to share a bucket, because venues number orders almost in
//! sequence.
//!
//! **Growing** is no stall: at five eighths full a table of twice the size is mapped, and each
//! later insert moves a few buckets over; until all are moved, a search asks both. The longest
//! message of two million adds into an empty replica took 0.8 to 4.3 ms, where moving all at once
//! took 17 ms.
//!
//! WHY: at the peak of a generated day (1.88 million live orders of 9.4 million, some of every age)
//! 558,000 of 586,000 pages of 16 references hold a live one. As pages of handles they would take
//! 43 MiB with their directory, and a line each; with the orders in them 272 MiB, 152 bytes an
//! order. This table takes 32 MiB there.

use bytemuck::{Pod, Zeroable};

use super::order::Order;
use super::slab::Slab;
use crate::map::HugeArray;
use crate::processor::{equal_lanes, prefetch_at};
use crate::units::OrderId;

/// Neighbouring references that share a bucket: 2^2.
const GROUP_BITS: u32 = 2;

/// Entries of a bucket: 2^3.
const LANE_BITS: u32 = 3;

const LANES: usize = 1 << LANE_BITS;

/// Buckets of the smallest table: 2^3.
const BITS_MIN: u32 = 3;

/// Buckets that an insert moves while the table grows: enough to be done long before the new table
/// is full.
const MOVED_BUCKETS: usize = 4;

/// Odd multiplier that spreads groups; fixed, so that every run probes alike.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bit that every tag has, so that none is 0.
const USED: u32 = 1 << GROUP_BITS;

/// Eight entries.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u32; LANES],
    handles: [u32; LANES],
}

/// The buckets, two to the power of `bits`.
#[derive(Clone, Debug)]
struct Table {
    buckets: HugeArray<Bucket>,
    bits: u32,
}

/// The index.
#[derive(Clone, Debug)]
pub(super) struct OrderIndex {
    table: Table,
    /// The table before while its entries move over.
    old: Option<Table>,
    /// Buckets of the old table that have moved.
    moved: usize,
    used: usize,
}

/// A live reference: where its entry and its order are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    bucket: u32,
    lane: u8,
    is_old: bool,
    pub(crate) handle: u32,
}

/// Well-mixed bits of the reference's group, a bit that is always set, then its low bits.
#[inline(always)]
fn tag(order_id: OrderId) -> u32 {
    let group = order_id.0 >> GROUP_BITS;
    let mixed = (group ^ group >> 32).wrapping_mul(SPREAD) >> 32;
    let low = (1 << GROUP_BITS) - 1;
    mixed as u32 & !low | USED | order_id.0 as u32 & low
}

/// The first lane that has a bit; any lane for none.
#[inline(always)]
fn lane(lanes: u32) -> usize {
    lanes.trailing_zeros() as usize % LANES
}

impl Bucket {
    /// A bit for each lane that has this tag.
    #[inline(always)]
    fn lanes_of(&self, tag: u32) -> u32 {
        equal_lanes(&self.tags, tag)
    }

    /// A bit for each empty lane.
    #[inline(always)]
    fn empty_lanes(&self) -> u32 {
        self.lanes_of(0)
    }
}

impl Table {
    fn new(bits: u32) -> Self {
        assert!(bits + LANE_BITS <= 32, "the index of references is full");
        Self { buckets: HugeArray::zeroed(1 << bits), bits }
    }

    /// Entries above which it grows: five eighths of the lanes.
    ///
    /// WHY: a bucket overflows only then and now, and a search looks at one.
    fn entries_max(&self) -> usize {
        5 << self.bits
    }

    /// The bucket that a tag wants to be in.
    #[inline(always)]
    fn home(&self, tag: u32) -> usize {
        (tag >> (32 - self.bits)) as usize
    }

    #[inline(always)]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & ((1 << self.bits) - 1)
    }

    /// The entry whose tag is that of a reference and whose order it is.
    #[inline(always)]
    fn find(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<(usize, usize, u32)> {
        let tag = tag(order_id);
        let mut at = self.home(tag);
        loop {
            let bucket = &self.buckets[at];
            let mut lanes = bucket.lanes_of(tag);
            while lanes != 0 {
                let lane = lane(lanes);
                let handle = bucket.handles[lane];
                if orders[handle].order_id == order_id {
                    return Some((at, lane, handle));
                }
                lanes &= lanes - 1;
            }
            if bucket.empty_lanes() != 0 {
                return None;
            }
            at = self.after(at);
        }
    }

    /// Puts an entry into the first bucket that has room for it.
    #[inline(always)]
    fn insert(&mut self, tag: u32, handle: u32) {
        let mut at = self.home(tag);
        loop {
            let bucket = &mut self.buckets[at];
            let empty = bucket.empty_lanes();
            if empty != 0 {
                let lane = lane(empty);
                bucket.tags[lane] = tag;
                bucket.handles[lane] = handle;
                return;
            }
            at = self.after(at);
        }
    }

    /// Takes an entry out.
    #[inline(always)]
    fn remove(&mut self, at: usize, lane: usize) {
        let bucket = &mut self.buckets[at];
        let was_full = bucket.empty_lanes() == 0;
        bucket.tags[lane % LANES] = 0;
        if was_full {
            self.pull_back(at, lane);
        }
    }

    /// Fills the empty lane of a bucket that was full with an entry that wanted to be in it or
    /// before it, and so on where that one came from.
    #[inline(never)]
    fn pull_back(&mut self, mut gap: usize, mut gap_lane: usize) {
        let mask = (1 << self.bits) - 1;
        let mut at = gap;
        loop {
            at = self.after(at);
            if at == gap {
                return;
            }
            let bucket = self.buckets[at];
            let is_full = bucket.empty_lanes() == 0;
            let from_gap = at.wrapping_sub(gap) & mask;
            let overflowed = (0..LANES).find(|&lane| {
                let tag = bucket.tags[lane];
                tag != 0 && at.wrapping_sub(self.home(tag)) & mask >= from_gap
            });
            if let Some(lane) = overflowed {
                self.buckets[gap].tags[gap_lane] = bucket.tags[lane];
                self.buckets[gap].handles[gap_lane] = bucket.handles[lane];
                self.buckets[at].tags[lane] = 0;
                (gap, gap_lane) = (at, lane);
            }
            if !is_full {
                return;
            }
        }
    }
}

impl OrderIndex {
    /// An index with room for `orders` references.
    pub(super) fn with_capacity(orders: usize) -> Self {
        let buckets = (orders / 5 + 1).next_power_of_two();
        Self { table: Table::new(buckets.ilog2().max(BITS_MIN)), old: None, moved: 0, used: 0 }
    }

    /// The order of a reference.
    #[inline(always)]
    pub(super) fn find(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<Found> {
        match self.table.find(order_id, orders) {
            Some((bucket, lane, handle)) => {
                Some(Found { bucket: bucket as u32, lane: lane as u8, is_old: false, handle })
            }
            None if self.old.is_none() => None,
            None => self.find_old(order_id, orders),
        }
    }

    /// The order of a reference that has not moved yet.
    #[cold]
    fn find_old(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<Found> {
        let (bucket, lane, handle) = self.old.as_ref()?.find(order_id, orders)?;
        Some(Found { bucket: bucket as u32, lane: lane as u8, is_old: true, handle })
    }

    /// Probably the order of a reference, or any other handle: what to bring into the cache.
    #[inline(always)]
    pub(super) fn peek(&self, order_id: OrderId) -> u32 {
        let tag = tag(order_id);
        let bucket = &self.table.buckets[self.table.home(tag)];
        bucket.handles[lane(bucket.lanes_of(tag))]
    }

    /// Asks for the bucket where a reference may be.
    #[inline(always)]
    pub(super) fn prefetch(&self, order_id: OrderId) {
        prefetch_at(&self.table.buckets, self.table.home(tag(order_id)));
    }

    /// Enters a reference that is not in the index.
    #[inline(always)]
    pub(super) fn insert(&mut self, order_id: OrderId, handle: u32) {
        if self.used >= self.table.entries_max() || self.old.is_some() {
            self.grow();
        }
        self.used += 1;
        self.table.insert(tag(order_id), handle);
    }

    /// Forgets a reference that was just found.
    #[inline(always)]
    pub(super) fn remove(&mut self, found: Found) {
        self.used -= 1;
        let table = match &mut self.old {
            Some(old) if found.is_old => old,
            _ => &mut self.table,
        };
        table.remove(found.bucket as usize, usize::from(found.lane));
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.table.buckets.bytes() + self.old.as_ref().map_or(0, |old| old.buckets.bytes())
    }

    /// Begins to grow, or goes on with it.
    #[cold]
    fn grow(&mut self) {
        let Some(old) = &mut self.old else {
            let larger = Table::new(self.table.bits + 1);
            self.old = Some(std::mem::replace(&mut self.table, larger));
            self.moved = 0;
            return;
        };
        // What overflowed from a full bucket lies in the next ones: they move in one go.
        let end = (self.moved + MOVED_BUCKETS).min(old.buckets.len());
        let mut was_full = true;
        while self.moved < old.buckets.len() && (self.moved < end || was_full) {
            let bucket = std::mem::replace(&mut old.buckets[self.moved], Bucket::zeroed());
            was_full = bucket.empty_lanes() == 0;
            for (tag, handle) in bucket.tags.into_iter().zip(bucket.handles) {
                if tag != 0 {
                    self.table.insert(tag, handle);
                }
            }
            self.moved += 1;
        }
        if self.moved == old.buckets.len() {
            self.old = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::units::Qty;

    /// Enters and removes references in waves and compares with a map after each wave.
    fn churn(references: impl Iterator<Item = u64>) {
        let mut orders = Slab::new();
        let mut index = OrderIndex::with_capacity(0);
        let mut model = BTreeMap::new();
        for (turn, reference) in references.enumerate() {
            let id = OrderId(reference);
            if let Some(found) = index.find(id, &orders) {
                assert_eq!(model.remove(&reference), Some(found.handle));
                index.remove(found);
                orders.remove(found.handle);
            } else {
                let handle = orders.insert(Order::new(id, Qty(1), turn as u64, 0));
                index.insert(id, handle);
                assert_eq!(model.insert(reference, handle), None);
            }
            if turn % 97 == 0 {
                for (&reference, &handle) in &model {
                    let found = index.find(OrderId(reference), &orders).map(|found| found.handle);
                    assert_eq!(found, Some(handle), "{reference}");
                }
            }
        }
        assert_eq!(index.used, model.len());
    }

    #[test]
    fn the_table_agrees_with_a_map_through_growth_and_removal() {
        for range in [30, 700, 5_000] {
            let mut state = 1u64;
            churn((0..20_000).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % range
            }));
        }
    }

    #[test]
    fn references_that_share_a_group_or_a_home_are_told_apart() {
        churn((0..4_000u64).map(|turn| ((turn * 31 % 101) << 60) | (turn * 17 % 13)));
        churn((0..4_000u64).map(|turn| u64::MAX - turn * 29 % 211));
    }

    #[test]
    fn references_that_all_want_one_bucket_overflow_and_come_back() {
        // Groups that differ by a multiple of 2^32 + 1 are mixed alike.
        let same = (1..20_000u64)
            .map(|n| n * ((1 << 32) + 1))
            .filter(|group| tag(OrderId(group << GROUP_BITS)) >> 29 == tag(OrderId(0)) >> 29);
        let chosen: Vec<u64> = same.take(300).map(|group| group << GROUP_BITS).collect();
        assert!(chosen.len() > 100);
        churn((0..9_000).map(|turn| chosen[turn * 7 % chosen.len()]));
    }
}
