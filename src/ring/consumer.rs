//! The consumer: polls batches, reads them, releases them.

use std::fmt::Display;
use std::sync::Arc;

use bytemuck::Pod;

use super::batch::Batch;
use super::cursor::{GateState, Policy};
use super::failure::{End, Failure};
use super::handle::check_sink;
use super::handler::sealed::Steps;
use super::handler::{self, Handler, Stream};
use super::progress::StageCursor;
use super::slots::{Found, Reader};
use super::wait::{Wait, Waiter};
use crate::error::{Error, Result};
use crate::limits::BATCH_RECORDS_MAX;

/// Batches in a row that did not wait for their reader, after which it lets records gather. A
/// stream whose batches are awaited never comes there, so a round trip is as short as without.
const HURRY_BATCHES: u32 = 3;

/// Records enough, behind which a reader is far from the head.
const HURRY_RECORDS: usize = 256;

/// One stage's reader of a ring.
///
/// It sees every record once and in order, after the stages that it follows have released it. A
/// consumer that is dropped before it is finished counts as failed, so that nobody waits for it.
/// There is one a stage:
///
/// ```compile_fail,E0599
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let sum = consumers.take(sum).unwrap();
/// let second = sum.clone();
/// ```
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
/// assert_eq!((sum.name(), sum.position(), sum.lag()), ("sum", 0, 3));
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
    /// Whether it polls nothing more: it failed, or a stage or producer before it did, and the
    /// cause is in its line; or it was cut.
    has_stopped: bool,
    /// Batches in a row that were found at once and were small.
    hurry: u32,
}

impl<T: Pod> Consumer<T> {
    pub(super) fn new(reader: Reader<T>) -> Self {
        Self { reader, has_stopped: false, hurry: 0 }
    }

    /// The records that are there, at most `max` and at most [`BATCH_RECORDS_MAX`]; an empty batch
    /// means nothing now.
    ///
    /// # Errors
    ///
    /// * [`Error::UpstreamFailed`] when all is read that a failed stage or producer before this
    ///   one let through.
    /// * [`Error::ConsumerFailed`] when this stage itself has failed.
    /// * [`Error::StageCut`] when it was cut off.
    #[inline(always)]
    pub fn poll(&mut self, max: usize) -> Result<Batch<'_, T>> {
        if self.has_stopped {
            return Err(self.own_error());
        }
        if self.reader.readable() == 0 || self.reader.is_over() {
            self.look()?;
        }
        let len = self.reader.readable().min(max).min(BATCH_RECORDS_MAX);
        Ok(Batch::new(&mut self.reader, len))
    }

    /// Looks for records.
    #[inline(always)]
    fn look(&mut self) -> Result<Found> {
        match self.reader.refresh() {
            found @ (Found::Records | Found::Nothing) => Ok(found),
            found => self.check_end(found),
        }
    }

    /// What it means that nothing more may come.
    #[cold]
    fn check_end(&mut self, found: Found) -> Result<Found> {
        if found == Found::Cut {
            self.has_stopped = true;
            return Err(self.own_error());
        }
        self.check_upstreams()?;
        Ok(found)
    }

    /// Waits for a batch, at most `max` records and at most [`BATCH_RECORDS_MAX`]; `None` at the
    /// end of the stream.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let sum = builder.stage("sum", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let mut sum = consumers.take(sum)?;
    /// producer.claim(5, Wait::Yield)?.commit_all();
    /// producer.close();
    /// let mut records = 0;
    /// while let Some(batch) = sum.next_batch(2, Wait::Auto)? {
    ///     records += batch.len();
    /// }
    /// assert_eq!(records, 5);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::poll`].
    #[inline(always)]
    pub fn next_batch(&mut self, max: usize, wait: Wait) -> Result<Option<Batch<'_, T>>> {
        if max == 0 {
            return Err(Error::usage("a batch of 0 records never comes", "ask for 1 or more"));
        }
        if !self.wait_for_records(wait, || {})? {
            return Ok(None);
        }
        let len = self.reader.readable().min(max).min(BATCH_RECORDS_MAX);
        Ok(Some(Batch::new(&mut self.reader, len)))
    }

    /// Waits until there is something to read, with `idle` after each look in vain; false at the
    /// end of the stream.
    #[inline(always)]
    fn wait_for_records(&mut self, wait: Wait, mut idle: impl FnMut()) -> Result<bool> {
        if self.has_stopped {
            return Err(self.own_error());
        }
        if self.reader.readable() > 0 && !self.reader.is_over() {
            return Ok(true);
        }
        let mut waiter = Waiter::new(wait);
        if self.hurry >= HURRY_BATCHES {
            waiter.gather();
        }
        loop {
            match self.look()? {
                Found::Records => break,
                Found::End if self.reader.is_finished() => return Ok(false),
                _ => {}
            }
            idle();
            let reader = &self.reader;
            waiter.idle(&reader.head().bell, || reader.has_news());
        }
        let len = self.reader.readable();
        let is_hurried = waiter.looks() == 0 || (len > 1 && waiter.looks() < HURRY_BATCHES);
        self.hurry = match is_hurried && len < HURRY_RECORDS {
            true => self.hurry.saturating_add(1),
            false if is_hurried => self.hurry,
            false => 0,
        };
        Ok(true)
    }

    /// Polls once and hands each record with its sequence to `handler`; returns how many.
    ///
    /// A handler that returns an error or panics fails this stage at that record, with the error
    /// or the panic's message as the cause: the producer learns of it at its next claim, unless
    /// the stage is detachable.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let picky = builder.stage("picky", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let mut picky = consumers.take(picky)?;
    /// let mut claim = producer.claim(2, Wait::Yield)?;
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
        handler: impl FnMut(u64, &T) -> Result<(), E>,
    ) -> Result<usize> {
        let before = self.position();
        let outcome = self.poll(max)?.hand_out(handler);
        self.settle(outcome)?;
        Ok((self.position() - before) as usize)
    }

    /// Runs the stage to the end of the stream: hands every record to `handler`.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let sum = builder.stage("sum", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// producer.claim(5, Wait::Yield)?.for_each_mut(|i, number| *number = i as u64);
    /// producer.claim(5, Wait::Yield)?.commit_all();
    /// producer.close();
    /// let mut total = 0;
    /// consumers.take(sum)?.run(Wait::Auto, &mut |_, number: &u64| {
    ///     total += number;
    ///     Ok(())
    /// })?;
    /// assert_eq!(total, 10);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::poll`], and [`Error::ConsumerFailed`] when the handler failed.
    pub fn run(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<()> {
        handler::run(self, wait, handler)
    }

    /// Fails the stage if a handler did.
    fn settle(&mut self, outcome: Result<(), String>) -> Result<()> {
        outcome.map_err(|cause| self.abort(cause))
    }

    /// Leaves the ring between two batches, so that it holds nobody back; returns the sequence that
    /// it would have read next.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 2)?;
    /// let journal = builder.stage("journal", &[])?;
    /// let guest = builder.stage("guest", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let (mut journal, guest) = (consumers.take(journal)?, consumers.take(guest)?);
    /// producer.claim(2, Wait::Yield)?.commit_all();
    /// drop(journal.poll(2)?);
    /// assert_eq!(producer.free_slots()?, 0);
    /// assert_eq!(guest.leave()?, 0);
    /// assert_eq!(producer.free_slots()?, 2);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when another stage follows it: then it stays, and counts as dropped.
    pub fn leave(mut self) -> Result<u64> {
        self.leave_as_sink()?;
        self.has_stopped = true;
        Ok(self.position())
    }

    fn leave_as_sink(&mut self) -> Result<()> {
        let head = Arc::clone(self.reader.head());
        // Held until it is gone, so that nobody comes to follow it meanwhile.
        let lines = head.lines();
        check_sink(&lines, self.reader.line())?;
        self.reader.leave();
        Ok(())
    }

    /// Whether the producer has closed the ring and this stage has released everything.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// Records of an observable ring that were overwritten before this stage could copy them.
    pub(super) fn missed(&self) -> u64 {
        self.reader.missed()
    }

    /// The error of a stage that has failed.
    pub(super) fn failure(&self) -> Option<Error> {
        self.reader.line().alarm.is_raised().then(|| self.own_error())
    }

    /// Whether it was cut because it lagged by a whole ring.
    pub(super) fn has_lagged(&self) -> bool {
        self.reader.line().gate.state() == GateState::Lapped
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
    /// polls nothing more. Only the first failure of a ring reaches the producer. A detachable
    /// stage is cut off instead, and nobody else notices.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let check = builder.stage("check", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let mut check = consumers.take(check)?;
    /// check.fail(7, "the sum is wrong");
    /// let error = producer.claim(1, Wait::Yield).unwrap_err();
    /// assert_eq!(error.to_string(), "stage `check` failed at sequence 7: the sum is wrong");
    /// assert!(check.poll(1).is_err());
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn fail(&mut self, sequence: u64, cause: impl Into<String>) {
        if self.has_stopped {
            return;
        }
        let failure = Failure { origin: self.name().to_owned(), sequence, cause: cause.into() };
        self.stop(failure.clone());
        match self.reader.line().policy {
            Policy::Stop => self.reader.head().alarm.raise(failure),
            Policy::Detach => self.reader.leave(),
        }
        self.reader.head().bell.ring();
    }

    /// Polls nothing more and tells the stages behind why.
    fn stop(&mut self, failure: Failure) {
        self.has_stopped = true;
        self.reader.line().alarm.raise(failure);
        self.reader.head().bell.ring();
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
                Err(self.own_error())
            }
        }
    }

    /// The failure of a stage or producer before this one whose position is `relevant`.
    fn upstream_failure(&self, relevant: impl Fn(u64) -> bool) -> Option<Failure> {
        let head = self.reader.head();
        if self.reader.line().upstreams.is_empty() {
            let failed = head.end() == End::Failed && relevant(head.position());
            return failed.then(|| Failure {
                origin: format!("producer of {}", head.name),
                sequence: head.position(),
                cause: "the producer failed".to_owned(),
            });
        }
        let mut upstreams = self.reader.line().upstreams.iter();
        upstreams
            .find_map(|stage| stage.alarm.failure().filter(|_| relevant(stage.position())).cloned())
    }

    /// The error that stands for what stopped this stage.
    #[cold]
    fn own_error(&self) -> Error {
        let Some(failure) = self.reader.line().alarm.failure() else {
            return Error::StageCut { name: self.name().to_owned(), sequence: self.position() };
        };
        if failure.origin == self.name() {
            return failure.clone().into_error();
        }
        Error::UpstreamFailed { name: self.name().to_owned(), upstream: failure.origin.clone() }
    }
}

impl<T: Pod> Stream<T> for Consumer<T> {
    fn name(&self) -> &str {
        self.name()
    }

    fn position(&self) -> u64 {
        self.position()
    }
}

impl<T: Pod> Steps<T> for Consumer<T> {
    fn step(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<bool> {
        if !self.wait_for_records(wait, || handler.idle())? {
            return Ok(false);
        }
        let len = self.reader.readable().min(BATCH_RECORDS_MAX);
        let batch = Batch::new(&mut self.reader, len);
        handler.batch(batch.first_sequence(), len, batch.depth());
        let outcome = batch.hand_out(|sequence, record| handler.event(sequence, record));
        self.settle(outcome).map(|()| true)
    }

    fn abort(&mut self, cause: String) -> Error {
        self.fail(self.position(), cause);
        self.own_error()
    }

    fn progress(&self) -> Option<StageCursor> {
        Some(StageCursor::new(self.reader.head(), self.reader.line()))
    }
}

impl<T: Pod> Drop for Consumer<T> {
    fn drop(&mut self) {
        if !self.has_stopped && !self.is_finished() {
            self.stop_unfinished();
        }
        self.give_back_seat();
    }
}

impl<T: Pod> Consumer<T> {
    /// Tells the others that this stage goes before its end.
    fn stop_unfinished(&mut self) {
        if self.reader.is_over() {
            return self.reader.leave();
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

    /// Lets another stage have the seat, unless this one must hold the producer back for good.
    fn give_back_seat(&mut self) {
        let gate = &self.reader.line().gate;
        let is_done = !gate.state().holds() || self.is_finished();
        if is_done && self.reader.head().seats.iter().any(|seat| Arc::ptr_eq(seat, gate)) {
            self.reader.line().leave_seat(self.position());
        }
    }
}
