//! The exclusive consumer: may change the records that it reads.

use bytemuck::Pod;

use super::batch::Batch;
use super::consumer::Consumer;
use super::wait::Wait;
use crate::error::Result;

/// The consumer of an [exclusive](super::RingBuilder::exclusive) stage.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let square = builder.exclusive("square", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut square = consumers.take_exclusive(square)?;
/// let mut claim = producer.claim(3, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = i as u64);
/// claim.commit_all();
/// producer.close();
/// while let Some(mut batch) = square.next_batch(2, Wait::Auto)? {
///     for i in 0..batch.len() {
///         *batch.slot(i) *= *batch.slot(i);
///     }
/// }
/// assert!(square.poll(2)?.is_empty());
/// assert!(square.consumer().is_finished());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct ExclusiveConsumer<T: Pod> {
    consumer: Consumer<T>,
}

impl<T: Pod> ExclusiveConsumer<T> {
    pub(super) fn new(consumer: Consumer<T>) -> Self {
        Self { consumer }
    }

    /// As [`Consumer::poll`].
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::poll`].
    #[inline]
    pub fn poll(&mut self, max: usize) -> Result<ExclusiveBatch<'_, T>> {
        self.consumer.poll(max).map(|batch| ExclusiveBatch { batch })
    }

    /// As [`Consumer::next_batch`].
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::poll`].
    #[inline]
    pub fn next_batch(&mut self, max: usize, wait: Wait) -> Result<Option<ExclusiveBatch<'_, T>>> {
        Ok(self.consumer.next_batch(max, wait)?.map(|batch| ExclusiveBatch { batch }))
    }

    /// The stage as one that only reads: its position, lag and name, and all else.
    pub fn consumer(&mut self) -> &mut Consumer<T> {
        &mut self.consumer
    }
}

/// Records in sequence that may be changed, released when it is dropped.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 4)?;
/// let double = builder.exclusive("double", &[])?;
/// let sum = builder.stage("sum", &[double])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let (mut double, mut sum) = (consumers.take_exclusive(double)?, consumers.take(sum)?);
/// let mut claim = producer.claim(3, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = 10 + i as u64);
/// claim.commit_all();
///
/// let mut batch = double.poll(3)?;
/// *batch.slot(0) *= 2;
/// batch.release(1);
/// assert!(sum.poll(3)?.iter().eq(&[20]), "the first record is done with");
/// assert_eq!((batch.first_sequence(), batch.len()), (1, 2));
/// batch.for_each_mut(|_, number| *number *= 2);
/// drop(batch);
/// assert!(sum.poll(3)?.iter().eq(&[22, 24]));
/// assert!(double.poll(3)?.is_empty());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
///
/// No two references to records live at once:
///
/// ```compile_fail,E0499
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let own = builder.exclusive("own", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut own = consumers.take_exclusive(own).unwrap();
/// let mut batch = own.poll(2).unwrap();
/// let (one, two) = (batch.slot(0), batch.slot(0));
/// *one = *two;
/// ```
///
/// nor does one leave the closure that it was lent to:
///
/// ```compile_fail,E0521
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let own = builder.exclusive("own", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut own = consumers.take_exclusive(own).unwrap();
/// let mut escaped: Option<&mut u64> = None;
/// own.poll(2).unwrap().for_each_mut(|_, record| escaped = Some(record));
/// ```
///
/// or outlives its release:
///
/// ```compile_fail,E0499
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let own = builder.exclusive("own", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut own = consumers.take_exclusive(own).unwrap();
/// let mut batch = own.poll(2).unwrap();
/// let escaped = batch.slot(0);
/// batch.release(1);
/// *escaped = 1;
/// ```
///
/// ```compile_fail,E0505
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let own = builder.exclusive("own", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut own = consumers.take_exclusive(own).unwrap();
/// let mut batch = own.poll(2).unwrap();
/// let escaped = batch.slot(0);
/// drop(batch);
/// *escaped = 1;
/// ```
#[derive(Debug)]
#[must_use = "a batch that is dropped unread is released"]
pub struct ExclusiveBatch<'a, T: Pod> {
    batch: Batch<'a, T>,
}

impl<T: Pod> ExclusiveBatch<'_, T> {
    /// The number of records not yet released.
    #[inline]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The sequence of the first record not yet released.
    #[inline]
    pub fn first_sequence(&self) -> u64 {
        self.batch.first_sequence()
    }

    /// Record `i` of the batch.
    ///
    /// # Panics
    ///
    /// Unless `i` is less than the batch's length.
    #[inline]
    pub fn slot(&mut self, i: usize) -> &mut T {
        self.batch.slot(i)
    }

    /// Calls `change` with each record in order and its index in the batch.
    #[inline]
    pub fn for_each_mut(&mut self, mut change: impl FnMut(usize, &mut T)) {
        (0..self.len()).for_each(|i| change(i, self.slot(i)));
    }

    /// Releases the first `k` records now; the batch goes on behind them.
    ///
    /// # Panics
    ///
    /// If `k` is greater than the batch's length.
    #[inline]
    pub fn release(&mut self, k: usize) {
        self.batch.release(k);
    }
}
