//! The orders of one stock by arrival, from which those are drawn whose owners act.

use crate::processor::prefetch_at;

use super::book::{Handle, Orders};
use super::random::Random;

/// How long orders live that are cancelled: powers of two of ns, so that one in ten has less than a
/// millisecond, half have less than 157 ms, and one in ten has more than 5 s.
const AGES: &[(u32, u32, u32)] =
    &[(200, 6, 15), (640, 16, 23), (980, 24, 28), (1012, 29, 35), (1024, 36, 44)];

/// Entries of gone orders that are passed on the way to one that rests, before they are cleared
/// away.
const PASSED_MAX: usize = 128;

/// Stamp of an entry whose order is known to be gone.
const GONE: u32 = 0;

/// An order when it came.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ts: u64,
    handle: Handle,
    stamp: u32,
}

/// Orders by arrival, latest last; those that are gone stay until they are in the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Vec<Entry>);

impl Recent {
    #[inline]
    pub(super) fn push(&mut self, ts: u64, handle: Handle, orders: &Orders) {
        self.0.push(Entry { ts, handle, stamp: orders.get(handle).stamp });
    }

    /// Asks for the memory of the latest entries.
    pub(super) fn prefetch_latest(&self) {
        prefetch_at(&self.0, self.0.len().wrapping_sub(1));
    }

    /// Clears away the orders that are gone once they outnumber the `live` ones.
    #[inline]
    pub(super) fn tidy(&mut self, live: u32, orders: &Orders) {
        if self.0.len() > 2 * live as usize + 64 {
            self.clear_away(orders);
        }
    }

    fn clear_away(&mut self, orders: &Orders) {
        self.0.retain(|entry| entry.stamp != GONE && orders.get(entry.handle).stamp == entry.stamp);
    }

    /// The latest order of a random age or older; the earliest when none is so old.
    ///
    /// One that `leaves` is known as gone from then on, without a look at it.
    pub(super) fn draw(
        &mut self,
        now: u64,
        (stubs_too, leaves): (bool, bool),
        (orders, random): (&Orders, &mut Random),
    ) -> Option<Handle> {
        let octave = random.in_table(AGES);
        let until = now.saturating_sub((1 << octave) + random.below_wide(1 << octave));
        let rests = |entry: &Entry| {
            let order = || orders.get(entry.handle);
            entry.stamp != GONE && order().stamp == entry.stamp && (stubs_too || !order().is_stub)
        };
        let older = self.count_until(until);
        let near = older.saturating_sub(PASSED_MAX);
        let mut found = (near..older).rev().find(|&index| rests(&self.0[index]));
        if found.is_none() {
            self.clear_away(orders);
            let older = self.count_until(until);
            let mut both = (0..older).rev().chain(older..self.0.len());
            found = both.find(|&index| rests(&self.0[index]));
        }
        let entry = &mut self.0[found?];
        if leaves {
            entry.stamp = GONE;
        }
        Some(entry.handle)
    }

    /// How many orders came until a time; looks at the latest first.
    fn count_until(&self, ts: u64) -> usize {
        let len = self.0.len();
        let mut back = 8;
        while back < len && self.0[len - back].ts > ts {
            back *= 2;
        }
        let from = len.saturating_sub(back);
        from + self.0[from..].partition_point(|entry| entry.ts <= ts)
    }
}
