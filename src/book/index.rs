//! From an order's reference to its handle: open addressing with linear probing.
//!
//! A slot is 8 bytes: the handle and 32 bits that say where the slot's order wants to be and tell
//! it from its neighbours. So a probe looks into the slab only when those bits are equal, and
//! neither growing nor removing looks into it at all. Removing shifts the run behind the gap back;
//! there are no tombstones, so a table never ages.
//!
//! Eight neighbouring references want to share a cache line, because venues number orders almost
//! in sequence. The table doubles at two thirds full.

use super::order::Order;
use super::slab::{NIL, Slab};
use crate::units::OrderId;

/// Neighbouring references that share a line: 2^3.
const GROUP_BITS: u32 = 3;

/// Slots of the smallest table: 2^6.
const BITS_MIN: u32 = 6;

/// Odd multiplier that spreads groups; fixed, so that every run probes alike.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A place in the table.
#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    handle: u32,
}

const EMPTY: Slot = Slot { tag: 0, handle: NIL };

/// The table.
#[derive(Clone, Debug)]
pub(super) struct OrderIndex {
    slots: Vec<Slot>,
    bits: u32,
    used: usize,
}

/// A live reference: where its slot and its order are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    slot: usize,
    pub(crate) handle: u32,
}

/// 29 well-mixed bits of the reference's group, then its 3 low bits.
#[inline]
fn tag(order_id: OrderId) -> u32 {
    let group = order_id.0 >> GROUP_BITS;
    let mixed = (group ^ group >> 32).wrapping_mul(SPREAD) >> 32;
    let low = (1 << GROUP_BITS) - 1;
    mixed as u32 & !low | order_id.0 as u32 & low
}

impl OrderIndex {
    /// A table with room for `orders` references.
    pub(super) fn with_capacity(orders: usize) -> Self {
        let bits = (orders.saturating_mul(3) / 2 + 1).next_power_of_two().ilog2().max(BITS_MIN);
        Self { slots: vec![EMPTY; 1 << bits], bits, used: 0 }
    }

    /// The order of a reference.
    #[inline]
    pub(super) fn find(&self, order_id: OrderId, orders: &Slab<Order>) -> Option<Found> {
        self.probe(order_id, |handle| orders[handle].order_id == order_id)
    }

    /// Probably the order of a reference: its tag says so, the order itself is not asked.
    #[inline]
    pub(super) fn peek(&self, order_id: OrderId) -> Option<u32> {
        self.probe(order_id, |_| true).map(|found| found.handle)
    }

    /// The first slot where a reference may be, as a number to feed to a sum.
    #[inline]
    pub(super) fn load_home(&self, order_id: OrderId) -> u64 {
        u64::from(self.slots[self.home(tag(order_id))].handle)
    }

    /// Enters a reference that is not in the table.
    #[inline]
    pub(super) fn insert(&mut self, order_id: OrderId, handle: u32) {
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        self.used += 1;
        self.place(Slot { tag: tag(order_id), handle });
    }

    /// Forgets a reference that was just found.
    #[inline]
    pub(super) fn remove(&mut self, found: Found) {
        self.used -= 1;
        let mask = self.slots.len() - 1;
        let mut gap = found.slot;
        let mut slot = gap;
        loop {
            slot = self.after(slot);
            let moving = self.slots[slot];
            if moving.handle == NIL {
                break;
            }
            // It may move back to the gap only if its home is not behind the gap.
            let from_home = slot.wrapping_sub(self.home(moving.tag)) & mask;
            let from_gap = slot.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.slots[gap] = moving;
                gap = slot;
            }
        }
        self.slots[gap] = EMPTY;
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// The first slot whose tag is that of a reference and whose order `is_it`.
    #[inline]
    fn probe(&self, order_id: OrderId, is_it: impl Fn(u32) -> bool) -> Option<Found> {
        let tag = tag(order_id);
        let mut slot = self.home(tag);
        loop {
            let Slot { tag: other, handle } = self.slots[slot];
            if handle == NIL {
                return None;
            }
            if other == tag && is_it(handle) {
                return Some(Found { slot, handle });
            }
            slot = self.after(slot);
        }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        let low = (1 << GROUP_BITS) - 1;
        (u64::from(tag) >> (32 - self.bits)) as usize & !low | tag as usize & low
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    #[inline]
    fn place(&mut self, new: Slot) {
        let mut slot = self.home(new.tag);
        while self.slots[slot].handle != NIL {
            slot = self.after(slot);
        }
        self.slots[slot] = new;
    }

    #[cold]
    fn grow(&mut self) {
        assert!(self.bits < 32, "the index of references is full");
        self.bits += 1;
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; 1 << self.bits]);
        for slot in old.into_iter().filter(|slot| slot.handle != NIL) {
            self.place(slot);
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
        let mut orders = Slab::with_capacity(0);
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
        let mut state = 1u64;
        churn((0..20_000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % 700
        }));
    }

    #[test]
    fn references_that_share_a_group_or_a_home_are_told_apart() {
        churn((0..4_000u64).map(|turn| ((turn * 31 % 101) << 60) | (turn * 17 % 13)));
        churn((0..4_000u64).map(|turn| u64::MAX - turn * 29 % 211));
    }
}
