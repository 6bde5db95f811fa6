//! From an order's reference to its handle: open addressing in buckets of a cache line.
//!
//! ```text
//!   bucket   | tag x 12 | passed | handle x 12 |     64 bytes; tag 0: the lane is empty
//! ```
//!
//! A tag is 8 bits of the reference, so one comparison of sixteen bytes answers a search, and the
//! slab is asked only when a tag is equal. What finds its home full goes into the next bucket that
//! is not, and every bucket that it passed counts it: a search ends at a bucket that nothing
//! passed, which is nearly always the first, and a removal counts back. There are no tombstones,
//! and a table never ages.
//!
//! Some neighbouring references have the same home, because venues number orders almost in
//! sequence.
//!
//! **Growing** is no stall: when 15 of 24 lanes are used a table of twice the size is mapped, and
//! each later insert moves a bucket over; until all are moved, a search asks both. The longest
//! message of two million adds into an empty replica took 0.8 to 4.3 ms, where moving all at once
//! took 17 ms.
//!
//! WHY: at the peak of a generated day (1.88 million live orders of 9.4 million, some of every age)
//! 558,000 of 586,000 pages of 16 references hold a live one. As pages of handles they would take
//! 43 MiB with their directory, and a line each; with the orders in them 272 MiB, 152 bytes an
//! order. This table takes 16 MiB there; with tags of 32 bits, eight to a line, it took 32.

use bytemuck::{Pod, Zeroable};

use super::order::Order;
use super::slab::Slab;
use crate::map::HugeArray;
use crate::processor::{equal_bytes, prefetch_at};
use crate::units::OrderId;

/// Neighbouring references that have the same home: 2^2.
const GROUP_BITS: u32 = 2;

/// Entries of a bucket.
const LANES: usize = 12;

/// A bit for each lane.
const ALL_LANES: u32 = (1 << LANES) - 1;

/// Buckets of the smallest table: 2^3.
const BITS_MIN: u32 = 3;

/// Buckets of the largest table: 2^28, so that homes and tags come from different bits.
const BITS_MAX: u32 = 28;

/// Buckets that an insert moves while the table grows: enough to be done long before the new table
/// is full.
const MOVED_BUCKETS: usize = 1;

/// Buckets ahead of those that are moved whose orders are asked for.
const MOVED_AHEAD: usize = 4;

/// Odd multiplier that spreads groups; fixed, so that every run probes alike.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Twelve entries.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u8; LANES],
    /// Entries that lie in later buckets because this one was full when they came.
    passed: u32,
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
    /// Entries with which the next insert has to grow the table; 0 while it grows.
    grows_at: usize,
}

/// A live reference: where its entry and its order are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    lane: Lane,
    /// Whether the entry is where one looks first: in the table in use, in its home.
    is_home: bool,
    pub(crate) handle: u32,
}

/// Where the entry of a reference that is not live goes; good until the index changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vacancy {
    lane: Lane,
    is_home: bool,
    tag: u8,
}

/// A place in a table: `bucket * 16 + lane`.
#[derive(Clone, Copy, Debug)]
struct Lane(u32);

impl Lane {
    #[inline(always)]
    fn new(bucket: usize, lane: usize) -> Self {
        Self((bucket * 16 + lane) as u32)
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        self.0 as usize / 16
    }

    #[inline(always)]
    fn lane(self) -> usize {
        self.0 as usize % 16
    }
}

/// Well-mixed bits of the reference's group, the upper ones best.
#[inline(always)]
fn mixed(order_id: OrderId) -> u64 {
    (order_id.0 >> GROUP_BITS).wrapping_mul(SPREAD)
}

/// Mixed bits of the group, different for the references of one; never 0.
#[inline(always)]
fn tag(order_id: OrderId) -> u8 {
    ((mixed(order_id) >> 28) as u8 ^ order_id.0 as u8).max(1)
}

/// The first lane that has a bit; any lane for none.
#[inline(always)]
fn first(lanes: u32) -> usize {
    (lanes.trailing_zeros() as usize).min(LANES - 1)
}

impl Bucket {
    /// A bit for each lane that has this tag.
    #[inline(always)]
    fn lanes_of(&self, tag: u8) -> u32 {
        let tags = bytemuck::bytes_of(self).first_chunk().expect("a bucket has 64 bytes");
        equal_bytes(tags, tag) & ALL_LANES
    }

    /// A bit for each empty lane.
    #[inline(always)]
    fn empty_lanes(&self) -> u32 {
        self.lanes_of(0)
    }
}

impl Table {
    fn new(bits: u32) -> Self {
        assert!(bits <= BITS_MAX, "the index of references is full");
        Self { buckets: HugeArray::zeroed(1 << bits), bits }
    }

    /// Entries above which it grows: 15 of 24 lanes.
    ///
    /// WHY: a bucket overflows only then and now, and a search looks at one.
    fn entries_max(&self) -> usize {
        15 << (self.bits - 1)
    }

    /// The bucket where a reference's entry is looked for first.
    #[inline(always)]
    fn home(&self, order_id: OrderId) -> usize {
        (mixed(order_id) >> (64 - self.bits)) as usize
    }

    #[inline(always)]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & ((1 << self.bits) - 1)
    }

    /// The entry whose tag is that of a reference and whose order it is, with the order's handle.
    fn find(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<(Lane, u32)> {
        let tag = tag(order_id);
        let mut at = self.home(order_id);
        loop {
            let bucket = &self.buckets[at];
            let mut lanes = bucket.lanes_of(tag);
            while lanes != 0 {
                let lane = first(lanes);
                let handle = bucket.handles[lane];
                if orders[handle].order_id == order_id {
                    return Some((Lane::new(at, lane), handle));
                }
                lanes &= lanes - 1;
            }
            if bucket.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
    }

    /// The first lane that has room for a reference.
    fn vacant(&self, order_id: OrderId) -> Lane {
        let mut at = self.home(order_id);
        loop {
            let empty = self.buckets[at].empty_lanes();
            if empty != 0 {
                return Lane::new(at, first(empty));
            }
            at = self.after(at);
        }
    }

    /// Writes an entry into a lane.
    #[inline(always)]
    fn set(&mut self, lane: Lane, tag: u8, handle: u32) {
        let bucket = &mut self.buckets[lane.bucket()];
        let lane = lane.lane().min(LANES - 1);
        bucket.tags[lane] = tag;
        bucket.handles[lane] = handle;
    }

    /// Empties a lane.
    #[inline(always)]
    fn empty(&mut self, lane: Lane) {
        if let Some(tag) = self.buckets[lane.bucket()].tags.get_mut(lane.lane()) {
            *tag = 0;
        }
    }

    /// Puts an entry into the first lane that has room for it.
    #[inline(never)]
    fn insert(&mut self, order_id: OrderId, handle: u32) {
        let lane = self.vacant(order_id);
        self.set(lane, tag(order_id), handle);
        self.count_passed(order_id, lane, 1);
    }

    /// Takes an entry out.
    fn remove(&mut self, order_id: OrderId, lane: Lane) {
        self.empty(lane);
        self.count_passed(order_id, lane, -1);
    }

    /// An entry that passes the buckets between its home and its own has come or gone.
    fn count_passed(&mut self, order_id: OrderId, lane: Lane, change: i32) {
        let mut at = self.home(order_id);
        while at != lane.bucket() {
            let bucket = &mut self.buckets[at];
            bucket.passed = bucket.passed.wrapping_add_signed(change);
            at = self.after(at);
        }
    }
}

impl OrderIndex {
    /// An index with room for `orders` references.
    pub(super) fn with_capacity(orders: usize) -> Self {
        let buckets = (2 * orders / 15 + 1).next_power_of_two();
        let mut table = Table::new(buckets.ilog2().max(BITS_MIN));
        table.buckets.populate(if orders > 0 { buckets } else { 0 });
        let grows_at = table.entries_max();
        Self { table, old: None, moved: 0, used: 0, grows_at }
    }

    /// The order of a reference.
    #[inline(always)]
    pub(super) fn find(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<Found> {
        let home = self.table.home(order_id);
        let bucket = &self.table.buckets[home];
        let lanes = bucket.lanes_of(tag(order_id));
        if lanes | bucket.passed == 0 && self.old.is_none() {
            return None;
        }
        let lane = first(lanes);
        let handle = bucket.handles[lane];
        if lanes != 0 && orders[handle].order_id == order_id {
            return Some(Found { lane: Lane::new(home, lane), is_home: true, handle });
        }
        let (lane, handle) = self.find_elsewhere(order_id, orders)?;
        Some(Found { lane, is_home: false, handle })
    }

    /// The order of a reference whose entry is not the first one looked at.
    #[cold]
    #[inline(never)]
    fn find_elsewhere(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<(Lane, u32)> {
        let find = |table: &Table| table.find(order_id, orders);
        find(&self.table).or_else(|| find(self.old.as_ref()?))
    }

    /// Probably the order of a reference, or any other handle: what to bring into the cache.
    #[inline(always)]
    pub(super) fn peek(&self, order_id: OrderId) -> u32 {
        let bucket = &self.table.buckets[self.table.home(order_id)];
        bucket.handles[first(bucket.lanes_of(tag(order_id)))]
    }

    /// Asks for the bucket where a reference may be.
    #[inline(always)]
    pub(super) fn prefetch(&self, order_id: OrderId) {
        prefetch_at(&self.table.buckets, self.table.home(order_id));
    }

    /// The order of a reference, or where its entry goes when there is none; `orders` has all that
    /// are in the index.
    #[inline(always)]
    pub(super) fn find_or_vacancy(
        &mut self,
        order_id: OrderId,
        orders: &Slab<Order>,
    ) -> Result<Found, Vacancy> {
        if self.used >= self.grows_at {
            self.grow(orders);
        }
        let home = self.table.home(order_id);
        let bucket = &self.table.buckets[home];
        let tag = tag(order_id);
        let (lanes, empty) = (bucket.lanes_of(tag), bucket.empty_lanes());
        let at_home = Vacancy { lane: Lane::new(home, first(empty)), is_home: true, tag };
        if lanes | bucket.passed == 0 && empty != 0 && self.old.is_none() {
            return Err(at_home);
        }
        match self.find_elsewhere(order_id, orders) {
            Some((lane, handle)) => Ok(Found { lane, is_home: false, handle }),
            None if empty != 0 => Err(at_home),
            None => Err(Vacancy { lane: self.table.vacant(order_id), is_home: false, tag }),
        }
    }

    /// Enters a reference where [`find_or_vacancy`](Self::find_or_vacancy) said.
    #[inline(always)]
    pub(super) fn fill(&mut self, vacancy: Vacancy, order_id: OrderId, handle: u32) {
        self.used += 1;
        self.table.set(vacancy.lane, vacancy.tag, handle);
        if !vacancy.is_home {
            self.table.count_passed(order_id, vacancy.lane, 1);
        }
    }

    /// Enters a reference that is not in the index; `orders` has all that are.
    #[inline(always)]
    pub(super) fn insert(&mut self, order_id: OrderId, handle: u32, orders: &Slab<Order>) {
        if self.used >= self.grows_at {
            self.grow(orders);
        }
        self.used += 1;
        let home = self.table.home(order_id);
        let empty = self.table.buckets[home].empty_lanes();
        if empty != 0 {
            self.table.set(Lane::new(home, first(empty)), tag(order_id), handle);
        } else {
            self.table.insert(order_id, handle);
        }
    }

    /// Forgets a reference that was just found; `orders` still has its order.
    #[inline(always)]
    pub(super) fn remove(&mut self, found: Found, orders: &Slab<Order>) {
        self.used -= 1;
        if found.is_home {
            self.table.empty(found.lane);
        } else {
            self.remove_elsewhere(orders[found.handle].order_id, found.lane, found.handle);
        }
    }

    #[cold]
    #[inline(never)]
    fn remove_elsewhere(&mut self, order_id: OrderId, lane: Lane, handle: u32) {
        let is_here = |table: &Table| {
            let bucket = table.buckets.get(lane.bucket());
            bucket.is_some_and(|bucket| {
                let lane = lane.lane() % LANES;
                bucket.tags[lane] == tag(order_id) && bucket.handles[lane] == handle
            })
        };
        match &mut self.old {
            Some(old) if !is_here(&self.table) => old.remove(order_id, lane),
            _ => self.table.remove(order_id, lane),
        }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.table.buckets.bytes() + self.old.as_ref().map_or(0, |old| old.buckets.bytes())
    }

    /// Begins to grow, or goes on with it.
    #[cold]
    fn grow(&mut self, orders: &Slab<Order>) {
        let Some(old) = &mut self.old else {
            let larger = Table::new(self.table.bits + 1);
            self.old = Some(std::mem::replace(&mut self.table, larger));
            self.moved = 0;
            self.grows_at = 0;
            return;
        };
        if let Some(ahead) = old.buckets.get(self.moved + MOVED_AHEAD) {
            ahead.handles.iter().for_each(|&handle| orders.prefetch(handle));
        }
        let end = (self.moved + MOVED_BUCKETS).min(old.buckets.len());
        for at in self.moved..end {
            let bucket = old.buckets[at];
            for number in (0..LANES).filter(|&number| bucket.tags[number] != 0) {
                let handle = bucket.handles[number];
                let order_id = orders[handle].order_id;
                old.remove(order_id, Lane::new(at, number));
                self.table.insert(order_id, handle);
            }
        }
        self.moved = end;
        if self.moved == old.buckets.len() {
            self.old = None;
            self.grows_at = self.table.entries_max();
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
                index.remove(found, &orders);
                orders.remove(found.handle);
            } else {
                let handle = orders.insert(Order::new(id, Qty(1), turn as u64));
                index.insert(id, handle, &orders);
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
        let home = |group: u64| mixed(OrderId(group << GROUP_BITS)) >> 50;
        let same = (1..10_000_000u64).filter(|&group| home(group) == home(1));
        let chosen: Vec<u64> = same.take(300).map(|group| group << GROUP_BITS).collect();
        assert!(chosen.len() > 100);
        churn((0..9_000).map(|turn| chosen[turn * 7 % chosen.len()]));
    }
}
