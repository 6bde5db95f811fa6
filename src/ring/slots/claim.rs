//! The claim: free slots that are the producer's until it commits them.

use bytemuck::Pod;

use super::Published;
use super::hint::expect_to_write;
use super::memory::Slots;
use crate::ring::cursor::Head;
use crate::ring::sync::Ordering;

/// How far ahead of the records the writer asks for its slots.
// WHY: a reader had the line last, and a store waits until its core lets it go. Single records
// went through a ring of 1 MiB at 155 M/s without asking, at 163 with 8 ahead, 178 with 16, 183
// with 32 and 180 with 64; p99 of a round trip fell from 600 to 400 ns. A ring of fewer slots is
// gone round, which helps or does nothing.
const SLOTS_AHEAD: u64 = 32;

/// Slots to be written, then published by a commit; dropped without one it publishes nothing.
///
/// A slot holds whatever record was there a lap ago until it is written.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let sum = builder.stage("sum", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut claim = producer.claim(4, Wait::Yield)?;
/// assert_eq!((claim.first_sequence(), claim.len()), (0, 4));
/// claim.set(0, 10);
/// *claim.slot(1) = 11;
/// claim.commit(2);
///
/// let mut claim = producer.claim(2, Wait::Yield)?;
/// assert_eq!(claim.first_sequence(), 2, "the other two were not published");
/// claim.for_each_mut(|i, number| *number = 12 + i as u64);
/// claim.commit_all();
/// let mut sum = consumers.take(sum)?;
/// assert!(sum.poll(8)?.iter().eq(&[10, 11, 12, 13]));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
///
/// No reference to a slot outlives the claim:
///
/// ```compile_fail,E0505
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let mut claim = producer.try_claim(1).unwrap().unwrap();
/// let escaped = claim.slot(0);
/// claim.commit_all();
/// *escaped = 1;
/// ```
///
/// nor the closure that fills it:
///
/// ```compile_fail,E0521
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let mut escaped: Option<&mut u64> = None;
/// let mut claim = producer.try_claim(1).unwrap().unwrap();
/// claim.for_each_mut(|_, slot| escaped = Some(slot));
/// ```
///
/// and no second claim is made while one is open:
///
/// ```compile_fail,E0499
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let first = producer.try_claim(1).unwrap();
/// let second = producer.try_claim(1).unwrap();
/// drop(first);
/// ```
///
/// A claim does not outlive its producer, here or on another thread:
///
/// ```compile_fail,E0505
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let claim = producer.try_claim(1).unwrap().unwrap();
/// drop(producer);
/// claim.commit_all();
/// ```
///
/// ```compile_fail,E0597
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let claim = producer.try_claim(1).unwrap().unwrap();
/// std::thread::spawn(move || claim.commit_all());
/// ```
///
/// and is committed once:
///
/// ```compile_fail,E0382
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (mut producer, consumers) = builder.build().unwrap();
/// let claim = producer.try_claim(1).unwrap().unwrap();
/// claim.commit(1);
/// claim.commit(1);
/// ```
#[derive(Debug)]
#[must_use = "a claim that is not committed publishes nothing"]
pub struct Claim<'a, T: Pod> {
    /// The writer's next sequence, borrowed, so that nothing moves meanwhile.
    // WHY: the parts of the writer and not the writer itself, because the compiler cannot know that
    // a record's bytes are not the writer's and would load each part again after each record.
    next: &'a mut u64,
    first: u64,
    /// At most what the writer has free.
    len: usize,
    first_slot: &'a Published<T>,
    slots: &'a Slots<T>,
    head: &'a Head,
    /// On an observable ring: where the records wait until they are published.
    staged: Option<&'a mut [T]>,
}

#[allow(clippy::len_without_is_empty)] // A claim holds at least one slot.
impl<'a, T: Pod> Claim<'a, T> {
    /// The next `len` slots, which the writer has found to be free.
    #[inline(always)]
    pub(super) fn new(
        next: &'a mut u64,
        len: usize,
        slots: &'a Slots<T>,
        head: &'a Head,
        staged: Option<&'a mut [T]>,
    ) -> Self {
        let first = *next;
        Self { next, first, len, first_slot: slots.at(first), slots, head, staged }
    }

    /// The number of slots claimed.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The sequence of the first slot.
    #[inline]
    pub fn first_sequence(&self) -> u64 {
        self.first
    }

    /// Writes `value` to slot `i` of the claim.
    ///
    /// # Panics
    ///
    /// Unless `i` is less than the claim's length.
    #[inline(always)]
    pub fn set(&mut self, i: usize, value: T) {
        *self.slot(i) = value;
    }

    /// Slot `i` of the claim.
    ///
    /// # Panics
    ///
    /// Unless `i` is less than the claim's length.
    #[inline(always)]
    pub fn slot(&mut self, i: usize) -> &mut T {
        assert!(i < self.len, "slot {i} of a claim of {}", self.len);
        if let Some(staged) = &mut self.staged {
            return &mut staged[i];
        }
        let slot = if i == 0 { self.first_slot } else { self.slots.at(self.first + i as u64) };
        // SAFETY: the sequence lies in the writer's `next..limit`, so no reader has a reference
        // into this slot (invariants 2 and 3), and the borrow of `self` keeps the one claim of the
        // one writer from making a second.
        slot.value.with_mut(|value| unsafe { &mut *value })
    }

    /// Calls `write` with each slot in order and its index in the claim.
    #[inline]
    pub fn for_each_mut(&mut self, mut write: impl FnMut(usize, &mut T)) {
        if let Some(staged) = &mut self.staged {
            let staged = staged[..self.len].iter_mut();
            return staged.enumerate().for_each(|(i, value)| write(i, value));
        }
        let (head, tail) = self.slots.run(self.first, self.len);
        let ahead = self.first + SLOTS_AHEAD;
        head.iter().chain(tail).enumerate().for_each(|(i, slot)| {
            expect_to_write(self.slots.at(ahead + i as u64));
            // SAFETY: as in `slot`; the reference ends with the call.
            slot.value.with_mut(|value| write(i, unsafe { &mut *value }));
        });
    }

    /// Publishes the first `k` slots; the others can be claimed again.
    ///
    /// # Panics
    ///
    /// If `k` is greater than the claim's length.
    #[inline]
    pub fn commit(self, k: usize) {
        assert!(k <= self.len, "commit of {k} in a claim of {}", self.len);
        if k > 0 {
            self.publish(k);
        }
    }

    /// Publishes every slot of the claim.
    #[inline(always)]
    pub fn commit_all(self) {
        let len = self.len;
        self.publish(len);
    }

    #[inline(always)]
    fn publish(self, count: usize) {
        if let Some(staged) = &self.staged {
            unstage(self.slots, self.head, self.first, &staged[..count]);
        }
        let next = self.first + count as u64;
        *self.next = next;
        self.first_slot.set_stamp(next);
        self.head.advance_to(next);
        self.head.bell.ring();
        expect_to_write(self.slots.at(next + SLOTS_AHEAD));
    }
}

/// Moves staged records into their slots from sequence `first` on, word by word.
#[inline(never)] // WHY: it would take the registers of the claims of rings without staging.
fn unstage<T: Pod>(slots: &Slots<T>, head: &Head, first: u64, staged: &[T]) {
    head.set_overwriting(first + staged.len() as u64);
    let (until_end, from_begin) = slots.run(first, staged.len());
    for (slot, record) in until_end.iter().chain(from_begin).zip(staged) {
        let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(record));
        for (to, &word) in slot.words().iter().zip(words) {
            // SYNC: Release, pairs with the Acquire in `Reader::copy`: who loads this word
            // sees the mark that tells that the old record is gone.
            to.store(word, Ordering::Release);
        }
        // Under loom the words lie beside the record, which the stages read.
        #[cfg(loom)]
        // SAFETY: as in `Claim::slot`.
        slot.value.with_mut(|value| unsafe { *value = *record });
    }
}
