//! The orders of one stock by arrival, from which those are drawn whose owners act.

use crate::processor::prefetch_at;

use super::book::{Handle, Orders};

/// Entries of gone orders that are passed on the way to one that rests, before they are cleared
/// away.
const PASSED_MAX: usize = 128;

/// Latest orders whose memory is asked for ahead.
const LATEST: usize = 4;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Rests,
    /// A stub quote, which rests all day.
    Stub,
    Gone,
}

/// An order when it came.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ts: u64,
    handle: Handle,
    standing: Standing,
}

/// Orders by arrival, latest last; those that are gone stay until they are in the way.
///
/// WHY an entry knows whether its order is gone: a search that has to look at the orders to tell
/// misses the caches at each of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Vec<Entry>);

impl Recent {
    #[inline]
    pub(super) fn push(&mut self, ts: u64, handle: Handle, orders: &mut Orders) {
        let order = &mut orders[handle];
        order.place = self.0.len() as u32;
        let standing = if order.is_stub { Standing::Stub } else { Standing::Rests };
        self.0.push(Entry { ts, handle, standing });
    }

    /// Takes note that the order of a place is gone.
    #[inline]
    pub(super) fn forget(&mut self, place: u32) {
        self.0[place as usize].standing = Standing::Gone;
    }

    /// Asks for the memory of the latest entries.
    #[inline]
    pub(super) fn prefetch_latest(&self) {
        prefetch_at(&self.0, self.0.len().wrapping_sub(1));
        prefetch_at(&self.0, self.0.len().wrapping_sub(LATEST));
    }

    /// Asks for the memory of the latest orders.
    #[inline]
    pub(super) fn prefetch_orders(&self, orders: &Orders) {
        if let Some(latest) = self.0.last_chunk::<LATEST>() {
            latest.iter().for_each(|entry| orders.prefetch(entry.handle));
        }
    }

    /// Clears away the orders that are gone once they outnumber the `live` ones.
    #[inline]
    pub(super) fn tidy(&mut self, live: u32, orders: &mut Orders) {
        let most = 2 * live as usize + 64;
        if self.0.len() > most {
            // Most of those that are gone came late, among few that rest.
            self.clear_away(self.0.len() / 2, orders);
            if self.0.len() > most / 4 * 3 {
                self.clear_away(0, orders);
            }
        }
    }

    /// Clears away the orders that are gone from an index on.
    #[inline(never)]
    fn clear_away(&mut self, from: usize, orders: &mut Orders) {
        let mut kept = from;
        for index in from..self.0.len() {
            let entry = self.0[index];
            if entry.standing != Standing::Gone {
                orders[entry.handle].place = kept as u32;
                self.0[kept] = entry;
                kept += 1;
            }
        }
        self.0.truncate(kept);
    }

    /// The latest order that came until a time; the earliest when none did.
    #[inline]
    pub(super) fn draw(
        &mut self,
        until: u64,
        stubs_too: bool,
        orders: &mut Orders,
    ) -> Option<Handle> {
        let rests = |entry: &Entry| match entry.standing {
            Standing::Rests => true,
            Standing::Stub => stubs_too,
            Standing::Gone => false,
        };
        let older = self.count_until(until);
        let near = older.saturating_sub(PASSED_MAX);
        let mut found = self.0[near..older].iter().rev().find(|entry| rests(entry));
        if found.is_none() {
            if older - near == PASSED_MAX {
                self.clear_away(near, orders);
            }
            let (older, later) = self.0.split_at(self.count_until(until));
            found = older.iter().rev().chain(later).find(|entry| rests(entry));
        }
        found.map(|entry| entry.handle)
    }

    /// How many orders came until a time; looks at the latest first.
    #[inline]
    fn count_until(&self, ts: u64) -> usize {
        const NEAR: usize = 8;
        let len = self.0.len();
        let far = len.saturating_sub(NEAR);
        if let Some(index) = self.0[far..].iter().rposition(|entry| entry.ts <= ts) {
            return far + index + 1;
        }
        let mut back = 2 * NEAR;
        while back < len && self.0[len - back].ts > ts {
            back *= 2;
        }
        let from = len.saturating_sub(back);
        from + self.0[from..far].partition_point(|entry| entry.ts <= ts)
    }
}
