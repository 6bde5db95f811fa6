//! The consumer: polls batches, reads them, releases them.

use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};

use bytemuck::Pod;

use super::failure::{End, Failure, panic_message};
use super::slots::{Found, Published, Reader};
use crate::error::{Error, Result};
use crate::limits::BATCH_RECORDS_MAX;

/// One stage's reader of a ring.
///
/// It sees every record once and in order, after the stages that it follows have released it. A
/// consumer that is dropped before it is finished counts as failed, so that nobody waits for it.
///
/// ```
/// use ringtape::ring::RingBuilder;
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let sum = builder.stage("sum", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut sum = consumers.take(sum)?;
/// for number in [1, 2, 3] {
///     let mut claim = producer.try_claim(1)?.expect("there is room");
///     claim.set(0, number);
///     claim.commit_all();
/// }
/// producer.close();
///
/// let mut total = 0;
/// while !sum.is_finished() {
///     let batch = sum.poll(2)?;
///     total += batch.iter().sum::<u64>();
/// }
/// assert_eq!(total, 6);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Consumer<T: Pod> {
    reader: Reader<T>,
    /// It, or a stage or producer before it; the cause is in its line.
    has_failed: bool,
}

impl<T: Pod> Consumer<T> {
    pub(super) fn new(reader: Reader<T>) -> Self {
        Self { reader, has_failed: false }
    }

    /// The records that are there, at most `max` and at most [`BATCH_RECORDS_MAX`]; an empty batch
    /// means nothing now.
    ///
    /// # Errors
    ///
    /// * [`Error::UpstreamFailed`] when all is read that a failed stage or producer before this
    ///   one let through.
    /// * [`Error::ConsumerFailed`] when this stage itself has failed.
    #[inline]
    pub fn poll(&mut self, max: usize) -> Result<Batch<'_, T>> {
        if self.has_failed {
            return Err(self.own_failure());
        }
        if self.reader.readable() == 0 && self.reader.refresh() == Found::End {
            self.check_upstreams()?;
        }
        let len = self.reader.readable().min(max).min(BATCH_RECORDS_MAX);
        Ok(Batch { reader: &mut self.reader, len })
    }

    /// Polls once and hands each record with its sequence to `handler`; returns how many.
    ///
    /// A handler that returns an error or panics fails this stage at that record, with the error
    /// or the panic's message as the cause: the producer learns of it at its next claim.
    ///
    /// ```
    /// use ringtape::ring::RingBuilder;
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let picky = builder.stage("picky", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let mut picky = consumers.take(picky)?;
    /// let mut claim = producer.try_claim(2)?.expect("there is room");
    /// claim.for_each_mut(|i, number| *number = i as u64);
    /// claim.commit_all();
    ///
    /// let refuse_one = |_, &number: &u64| if number == 1 { Err("it is a one") } else { Ok(()) };
    /// assert!(picky.poll_each(usize::MAX, refuse_one).is_err());
    /// let error = producer.try_claim(1).unwrap_err();
    /// assert_eq!(error.to_string(), "stage `picky` failed at sequence 1: it is a one");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::poll`], and [`Error::ConsumerFailed`] when the handler failed.
    pub fn poll_each<E: Display>(
        &mut self,
        max: usize,
        mut handler: impl FnMut(u64, &T) -> Result<(), E>,
    ) -> Result<usize> {
        let batch = self.poll(max)?;
        let first = batch.first_sequence();
        let mut done = 0;
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            batch.iter().try_for_each(|record| {
                handler(first + done as u64, record)?;
                done += 1;
                Ok(())
            })
        }));
        batch.end_at(done);
        let cause = match outcome {
            Ok(Ok(())) => return Ok(done),
            Ok(Err(error)) => E::to_string(&error),
            Err(payload) => panic_message(payload.as_ref()),
        };
        self.fail(first + done as u64, cause);
        Err(self.own_failure())
    }

    /// Whether the producer has closed the ring and this stage has released everything.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// The number of records that this stage has released: the next sequence that it polls.
    #[inline]
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// The number of records that are published and not yet released by this stage.
    pub fn lag(&self) -> u64 {
        self.reader.head().lag_of(self.reader.line())
    }

    /// The stage's name.
    pub fn name(&self) -> &str {
        &self.reader.line().name
    }

    /// Reports that this stage failed while it handled `sequence`.
    ///
    /// The producer gets [`Error::ConsumerFailed`] at its next claim, the stages behind this one
    /// get [`Error::UpstreamFailed`] once they have read what this one released, and this one
    /// polls nothing more. Only the first failure of a ring reaches the producer.
    pub fn fail(&mut self, sequence: u64, cause: impl Into<String>) {
        if self.has_failed {
            return;
        }
        let failure = Failure { origin: self.name().to_owned(), sequence, cause: cause.into() };
        self.stop(failure.clone());
        self.reader.head().alarm.raise(failure);
    }

    /// Polls nothing more and tells the stages behind why.
    fn stop(&mut self, failure: Failure) {
        self.has_failed = true;
        self.reader.line().alarm.raise(failure);
    }

    /// An error once a failed stage or producer before this one has nothing more for it: the
    /// failure is seen first, so a position equal to ours is its last.
    #[cold]
    fn check_upstreams(&mut self) -> Result<()> {
        let position = self.position();
        match self.upstream_failure(|upstream_position| upstream_position == position) {
            None => Ok(()),
            Some(failure) => {
                self.stop(failure);
                Err(self.own_failure())
            }
        }
    }

    /// The failure of a stage or producer before this one whose position is `relevant`.
    fn upstream_failure(&self, relevant: impl Fn(u64) -> bool) -> Option<Failure> {
        let head = self.reader.head();
        if self.reader.upstreams().is_empty() {
            let failed = head.end() == End::Failed && relevant(head.position());
            return failed.then(|| Failure {
                origin: format!("producer of {}", head.name),
                sequence: head.position(),
                cause: "the producer failed".to_owned(),
            });
        }
        let mut upstreams = self.reader.upstreams().iter();
        upstreams
            .find_map(|stage| stage.alarm.failure().filter(|_| relevant(stage.position())).cloned())
    }

    /// The error that stands for what stopped this stage.
    #[cold]
    fn own_failure(&self) -> Error {
        let failure = self.reader.line().alarm.failure().expect("a stopped stage knows why");
        if failure.origin == self.name() {
            return failure.clone().into_error();
        }
        Error::UpstreamFailed { name: self.name().to_owned(), upstream: failure.origin.clone() }
    }
}

impl<T: Pod> Drop for Consumer<T> {
    fn drop(&mut self) {
        if self.has_failed || self.is_finished() {
            return;
        }
        if let Some(failure) = self.upstream_failure(|_| true) {
            return self.stop(failure);
        }
        let cause = match std::thread::panicking() {
            true => "its thread panicked",
            false => "it was dropped before the ring was closed and read to the end",
        };
        self.fail(self.position(), cause);
    }
}

/// Records in sequence, released to the stages behind and to the producer when it is dropped.
///
/// While a panic unwinds it releases nothing: those records count as not handled.
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
#[derive(Debug)]
#[must_use = "a batch that is dropped unread is released"]
pub struct Batch<'a, T: Pod> {
    reader: &'a mut Reader<T>,
    len: usize,
}

impl<T: Pod> Batch<'_, T> {
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
        self.reader.readable()
    }

    /// The records: those up to the end of the ring, then those from its beginning.
    #[inline]
    pub fn slices(&self) -> (&[Published<T>], &[Published<T>]) {
        self.reader.slices(self.len)
    }

    /// The records in sequence.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (head, tail) = self.slices();
        head.iter().chain(tail).map(|record| &**record)
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
