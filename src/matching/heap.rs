//! A heap whose members know their places, so that one can leave from the middle.
//!
//! Keys are unique: the tie is an order's number or place in time. Places are told to the caller,
//! who keeps them with the members.

/// A member: the smallest key, then the smallest tie, is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: i64,
    pub(super) tie: u64,
    pub(super) handle: u32,
}

/// The members, as a binary heap.
#[derive(Clone, Debug, Default)]
pub(super) struct Heap {
    entries: Vec<Entry>,
}

impl Heap {
    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// Takes a member in; `moved` hears of every member's new place.
    pub(super) fn insert(&mut self, entry: Entry, moved: impl FnMut(u32, u32)) {
        self.entries.push(entry);
        self.rise(self.entries.len() - 1, moved);
    }

    /// Takes the member at a place out.
    pub(super) fn remove(&mut self, place: u32, mut moved: impl FnMut(u32, u32)) -> Entry {
        let place = place as usize;
        let removed = self.entries.swap_remove(place);
        if place < self.entries.len() {
            let place = self.rise(place, &mut moved);
            self.sink(place, moved);
        }
        removed
    }

    fn rise(&mut self, mut place: usize, mut moved: impl FnMut(u32, u32)) -> usize {
        let entry = self.entries[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.entries[parent] <= entry {
                break;
            }
            self.set(place, self.entries[parent], &mut moved);
            place = parent;
        }
        self.set(place, entry, &mut moved);
        place
    }

    fn sink(&mut self, mut place: usize, mut moved: impl FnMut(u32, u32)) {
        let entry = self.entries[place];
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.entries.len() && self.entries[child + 1] < self.entries[child] {
                child += 1;
            }
            if child >= self.entries.len() || entry <= self.entries[child] {
                break;
            }
            self.set(place, self.entries[child], &mut moved);
            place = child;
        }
        self.set(place, entry, &mut moved);
    }

    fn set(&mut self, place: usize, entry: Entry, moved: &mut impl FnMut(u32, u32)) {
        self.entries[place] = entry;
        moved(entry.handle, place as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn members_leave_in_order_from_anywhere() {
        let mut heap = Heap::default();
        let mut places = vec![0u32; 1_000];
        let mut model = BTreeSet::new();
        let mut state = 1u64;
        for turn in 0..20_000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let handle = (state >> 33) as u32 % 1_000;
            let found = model.iter().find(|entry: &&Entry| entry.handle == handle).copied();
            let moved = |handle: u32, place| places[handle as usize] = place;
            if let Some(entry) = found {
                model.remove(&entry);
                let place = places[handle as usize];
                let moved = |handle: u32, place| places[handle as usize] = place;
                assert_eq!(heap.remove(place, moved), entry);
            } else {
                let entry = Entry { key: (state >> 40) as i64 % 50, tie: turn, handle };
                model.insert(entry);
                heap.insert(entry, moved);
            }
            assert_eq!(heap.first(), model.first());
        }
    }
}
