//! The batch: records that a consumer reads in one go.

use std::fmt::Display;

use bytemuck::Pod;

use super::handler::guard;
use super::slots::{Published, Reader};

/// Records in sequence, released to the stages behind and to the producer when it is dropped.
///
/// While a panic unwinds it releases nothing: those records count as not handled.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 4)?;
/// let sum = builder.stage("sum", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut sum = consumers.take(sum)?;
/// producer.claim(2, Wait::Yield)?.commit_all();
/// drop(sum.poll(2)?);
/// let mut claim = producer.claim(4, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = 10 * i as u64);
/// claim.commit_all();
///
/// let mut batch = sum.poll(3)?;
/// assert_eq!((batch.first_sequence(), batch.len(), batch.depth()), (2, 3, 4));
/// let (until_end, from_begin) = batch.slices();
/// assert_eq!((until_end.len(), *from_begin[0]), (2, 20));
/// batch.release(1);
/// assert_eq!(producer.free_slots()?, 1, "the first record's");
/// assert!(batch.iter().eq(&[10, 20]));
/// batch.end_at(1);
/// let rest = sum.poll(3)?;
/// assert_eq!(rest.first_sequence(), 4, "what was not released is polled again");
/// drop(rest);
/// assert!(sum.poll(3)?.is_empty());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
///
/// No reference to a record outlives the batch:
///
/// ```compile_fail,E0597
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let escaped = {
///     let batch = sum.poll(1).unwrap();
///     batch.iter().next()
/// };
/// println!("{escaped:?}");
/// ```
///
/// nor an early release:
///
/// ```compile_fail,E0502
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let mut batch = sum.poll(1).unwrap();
/// let (records, _) = batch.slices();
/// batch.release(1);
/// println!("{}", *records[0]);
/// ```
///
/// nor the closure of [`poll_each`](super::Consumer::poll_each):
///
/// ```compile_fail,E0521
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let mut escaped: Option<&u64> = None;
/// let keep = |_: u64, record: &u64| {
///     escaped = Some(record);
///     Ok::<_, String>(())
/// };
/// sum.poll_each(1, keep).unwrap();
/// ```
///
/// A batch does not outlive its consumer:
///
/// ```compile_fail,E0505
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let batch = sum.poll(1).unwrap();
/// sum.leave().unwrap();
/// println!("{}", batch.len());
/// ```
///
/// on no other thread either, and there are no two of them at once:
///
/// ```compile_fail,E0597
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let batch = sum.poll(1).unwrap();
/// std::thread::spawn(move || drop(batch));
/// ```
///
/// ```compile_fail,E0499
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let (one, two) = (sum.poll(1), sum.poll(1));
/// drop(one);
/// ```
///
/// Nor is a published record taken out of it:
///
/// ```compile_fail,E0507
/// # use ringtape::ring::{Published, RingBuilder};
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let batch = sum.poll(1).unwrap();
/// let taken: Published<u64> = *batch.slices().0.first().unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a batch that is dropped unread is released"]
pub struct Batch<'a, T: Pod> {
    reader: &'a mut Reader<T>,
    len: usize,
}

impl<'a, T: Pod> Batch<'a, T> {
    #[inline]
    pub(super) fn new(reader: &'a mut Reader<T>, len: usize) -> Self {
        Self { reader, len }
    }

    /// Hands each record with its sequence to `handler` and releases what it did; an error or
    /// panic of the handler ends the batch before that record, with its message.
    pub(super) fn hand_out<E: Display>(
        mut self,
        mut handler: impl FnMut(u64, &T) -> Result<(), E>,
    ) -> Result<(), String> {
        let first = self.first_sequence();
        let mut done = 0;
        // WHY: whoever cuts a stage that is stuck wants to know at which record.
        let is_copying = self.reader.is_copying();
        let outcome = guard(|| {
            if is_copying {
                while self.len > 0 {
                    handler(self.first_sequence(), &self.slices().0[0])?;
                    self.release(1);
                }
                return Ok::<(), E>(());
            }
            self.iter().try_for_each(|record| {
                handler(first + done as u64, record)?;
                done += 1;
                Ok(())
            })
        });
        self.end_at(done);
        outcome
    }

    /// The number of records not yet released.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sequence of the first record not yet released.
    #[inline]
    pub fn first_sequence(&self) -> u64 {
        self.reader.position()
    }

    /// The number of records known to be there from the batch's first one on; at least its length.
    #[inline]
    pub fn depth(&self) -> usize {
        self.reader.depth()
    }

    /// The records: those up to the end of the ring, then those from its beginning.
    #[inline]
    pub fn slices(&self) -> (&[Published<T>], &[Published<T>]) {
        self.reader.slices(self.len)
    }

    /// The records in sequence, each asked of the writer's core while those before it are read:
    /// faster than the slices where a batch is long. Best driven by `for_each` or `fold`.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.reader.records(self.len).map(|record| &**record)
    }

    /// Record `i` of an exclusive stage's batch, to be changed.
    #[inline]
    pub(super) fn slot(&mut self, i: usize) -> &mut T {
        assert!(i < self.len, "record {i} of a batch of {}", self.len);
        self.reader.slot(i)
    }

    /// Releases the first `k` records now; the batch goes on behind them.
    ///
    /// # Panics
    ///
    /// If `k` is greater than the batch's length.
    #[inline]
    pub fn release(&mut self, k: usize) {
        assert!(k <= self.len, "release of {k} in a batch of {}", self.len);
        self.reader.release(k);
        self.len -= k;
    }

    /// Ends the batch and releases exactly its first `k` records: the others are polled again.
    ///
    /// # Panics
    ///
    /// If `k` is greater than the batch's length.
    #[inline]
    pub fn end_at(mut self, k: usize) {
        self.release(k);
        self.len = 0;
    }
}

impl<T: Pod> Drop for Batch<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 && !std::thread::panicking() {
            self.reader.release(self.len);
        }
    }
}
