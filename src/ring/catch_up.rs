//! Catching up: a stage that comes late reads a recording first, then joins the live ring.
//!
//! ```text
//!     recording   0 ---------------------------------> 7
//!     ring                                     5 6 7 8 9 10   (holds the newest few)
//!
//!     behind      reads the recording from where it stopped
//!     joining     near the head: takes a seat at the head (8), so that the ring keeps what comes,
//!                 and reads the rest of the recording up to 8
//!     live        reads the ring from 8 on
//! ```
//!
//! The seat is taken before the rest is read, so there is no gap; the recording is read up to the
//! seat's first sequence and no further, so there is no repeat.

use std::fmt::Display;
use std::sync::Arc;

use bytemuck::Pod;

use super::consumer::Consumer;
use super::cursor::Policy;
use super::handle::Ring;
use super::handler::sealed::Steps;
use super::handler::{self, Handler, HandlerResult, Stream, guard};
use super::progress::StageCursor;
use super::slots::Start;
use super::sync::{Mutex, MutexGuard, lock};
use super::wait::{Wait, Waiter};
use crate::error::{Error, Result};
use crate::limits::COPIED_RECORDS_MAX;

/// The records of a ring from an earlier time on, to be read by sequence.
///
/// Whatever keeps every record of a ring is one: a journal, or [`MemoryRecording`]. A stage that
/// keeps records has done so before it releases them; who keeps them otherwise has kept them all
/// before the ring is closed.
///
/// ```
/// use ringtape::error::Result;
/// use ringtape::ring::Recording;
///
/// /// Squares need not be kept: they can be had again.
/// struct Squares {
///     count: u64,
/// }
///
/// impl Recording<u64> for Squares {
///     fn read(&mut self, first: u64, records: &mut [u64]) -> Result<usize> {
///         let squares = (first..self.count).map(|number| number * number);
///         Ok(records.iter_mut().zip(squares).map(|(record, square)| *record = square).count())
///     }
/// }
///
/// let mut records = [0; 4];
/// assert_eq!(Squares { count: 10 }.read(8, &mut records)?, 2);
/// assert_eq!(records, [64, 81, 0, 0]);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub trait Recording<T> {
    /// Reads records from sequence `first` on into `records` and returns how many; 0 while nothing
    /// from there on is recorded yet.
    ///
    /// # Errors
    ///
    /// Whatever keeps the recording from being read.
    fn read(&mut self, first: u64, records: &mut [T]) -> Result<usize>;
}

impl<T, R: Recording<T> + ?Sized> Recording<T> for Box<R> {
    fn read(&mut self, first: u64, records: &mut [T]) -> Result<usize> {
        (**self).read(first, records)
    }
}

/// A recording in memory, complete from sequence 0; clones share it.
///
/// As the [`Handler`] of a stage it records what the stage sees.
///
/// ```
/// use ringtape::ring::{MemoryRecording, Recording, RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let recorder = builder.stage("recorder", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut claim = producer.claim(5, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = 10 * i as u64);
/// claim.commit_all();
/// producer.close();
/// let mut recording = MemoryRecording::new();
/// assert!(recording.is_empty());
/// consumers.take(recorder)?.run(Wait::Auto, &mut recording)?;
///
/// let mut records = [0; 9];
/// assert_eq!(recording.read(3, &mut records)?, 2);
/// assert_eq!((&records[..2], recording.len()), (&[30, 40][..], 5));
/// recording.push(50);
/// assert_eq!(recording.clone().read(3, &mut records)?, 3, "clones share it");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryRecording<T> {
    records: Arc<Mutex<Vec<T>>>,
}

impl<T: Pod> MemoryRecording<T> {
    /// An empty recording.
    pub fn new() -> Self {
        Self { records: Arc::default() }
    }

    /// Adds the next record.
    pub fn push(&self, record: T) {
        self.records().push(record);
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn records(&self) -> MutexGuard<'_, Vec<T>> {
        lock(&self.records)
    }
}

impl<T: Pod> Recording<T> for MemoryRecording<T> {
    fn read(&mut self, first: u64, records: &mut [T]) -> Result<usize> {
        let recorded = self.records();
        let Some(rest) = recorded.get(first as usize..) else { return Ok(0) };
        let count = rest.len().min(records.len());
        records[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl<T: Pod> Handler<T> for MemoryRecording<T> {
    fn event(&mut self, sequence: u64, event: &T) -> HandlerResult {
        let mut records = self.records();
        if sequence != records.len() as u64 {
            return Err(format!("record {sequence} comes after {} records", records.len()).into());
        }
        records.push(*event);
        Ok(())
    }
}

/// A stage that catches up from a recording and then goes on live; made by [`Ring::attach_from`].
///
/// A detachable one that is cut off because it lags falls back to the recording by itself and joins
/// again; one that is cut by [`Ring::cut`] ends with [`Error::StageCut`].
///
/// ```
/// use ringtape::ring::{MemoryRecording, Policy, RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 4)?;
/// builder.spare_stages(1);
/// let (mut producer, _) = builder.build()?;
/// let recording = MemoryRecording::new();
/// let mut publish = |number| {
///     let mut claim = producer.claim(1, Wait::Yield)?;
///     claim.set(0, number);
///     claim.commit_all();
///     recording.push(number);
///     Ok::<_, ringtape::error::Error>(producer.ring())
/// };
/// for number in 0..100 {
///     publish(number)?;
/// }
/// let ring = publish(100)?;
/// let mut late = ring.attach_from("late", Policy::Stop, 40, recording.clone())?;
/// let mut seen = Vec::new();
/// while !late.is_live() {
///     late.poll_each(usize::MAX, |_, &number| Ok::<_, String>(seen.push(number)))?;
/// }
/// publish(101)?;
/// late.poll_each(usize::MAX, |_, &number| Ok::<_, String>(seen.push(number)))?;
/// assert!(seen.into_iter().eq(40..=101));
///
/// let early = ring.attach_from("early", Policy::Stop, 7, recording.clone())?;
/// assert_eq!(early.leave()?, 7, "where it would have begun");
/// producer.close();
/// late.run(Wait::Auto, &mut |_, _: &u64| Ok(()))?;
/// assert!(late.is_finished());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct CatchUp<T: Pod, R> {
    ring: Ring<T>,
    name: String,
    policy: Policy,
    recording: R,
    /// What was read of the recording last.
    records: Box<[T]>,
    /// The sequence to read in the recording next.
    next: u64,
    /// The seat on the live ring, once taken, and the sequence at which it takes over.
    seat: Option<(Consumer<T>, u64)>,
}

impl<T: Pod, R: Recording<T>> CatchUp<T, R> {
    pub(super) fn new(
        ring: Ring<T>,
        name: String,
        policy: Policy,
        next: u64,
        recording: R,
    ) -> Self {
        let records = vec![T::zeroed(); COPIED_RECORDS_MAX].into();
        Self { ring, name, policy, recording, records, next, seat: None }
    }

    /// Whether it has caught up and reads the live ring.
    pub fn is_live(&self) -> bool {
        self.seat.as_ref().is_some_and(|(_, joins_at)| self.next >= *joins_at)
    }

    /// Whether the producer has closed the ring and this stage has handed out everything.
    pub fn is_finished(&self) -> bool {
        self.is_live() && self.seat.as_ref().is_some_and(|(seat, _)| seat.is_finished())
    }

    /// Hands the next records to `handler`, at most `max`; returns how many. 0 means nothing now.
    ///
    /// # Errors
    ///
    /// Those of the recording, of [`Ring::attach`] when it takes its seat, and of
    /// [`Consumer::poll_each`]; [`Error::ConsumerFailed`] when the ring has ended or failed and the
    /// recording does not reach its seat. A handler's failure stops the producer only once the seat
    /// is taken.
    pub fn poll_each<E: Display>(
        &mut self,
        max: usize,
        handler: impl FnMut(u64, &T) -> Result<(), E>,
    ) -> Result<usize> {
        if let Some(seat) = self.live_seat() {
            let live = seat.poll_each(max, handler);
            return self.fall_back(live, 0);
        }
        let count = self.read(max)?;
        self.hand_out(count, handler).map(|()| count)
    }

    /// Leaves between two batches, so that it holds nobody back; returns the sequence that it would
    /// have handed out next. See [`Consumer::leave`].
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::leave`], once the seat is taken.
    pub fn leave(mut self) -> Result<u64> {
        let next = self.position();
        self.seat.take().map_or(Ok(next), |(seat, _)| seat.leave().map(|_| next))
    }

    /// Runs the stage to the end of the stream; see [`Consumer::run`].
    ///
    /// # Errors
    ///
    /// Those of [`CatchUp::poll_each`].
    pub fn run(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<()> {
        handler::run(self, wait, handler)
    }

    fn live_seat(&mut self) -> Option<&mut Consumer<T>> {
        let is_live = self.is_live();
        self.seat.as_mut().filter(|_| is_live).map(|(seat, _)| seat)
    }

    /// Reads on in the recording, not beyond the seat, and takes one when it is near the head.
    fn read(&mut self, max: usize) -> Result<usize> {
        if let Some(error) = self.seat.as_ref().and_then(|(seat, _)| seat.failure()) {
            return Err(error);
        }
        // Asked first: then all is recorded that ever will be.
        let is_over = self.ring.is_over();
        let until = self.seat.as_ref().map_or(u64::MAX, |(_, joins_at)| *joins_at);
        let wanted = (until - self.next).min(self.records.len().min(max) as u64) as usize;
        let count = self.recording.read(self.next, &mut self.records[..wanted])?;
        assert!(count <= wanted, "a recording gave {count} records, {wanted} were wanted");
        if self.seat.is_none() {
            self.take_seat(self.next + count as u64)?;
        }
        if is_over && count == 0 && wanted > 0 && !self.is_live() {
            return Err(self.abort("its recording ends before the ring does".to_owned()));
        }
        Ok(count)
    }

    /// Takes a seat at the head if `next` is at most half a ring behind it.
    fn take_seat(&mut self, next: u64) -> Result<()> {
        let published = self.ring.published();
        // A recording may be ahead of the ring, when the record was kept before it was published.
        if next <= published && published - next <= self.ring.capacity() as u64 / 2 {
            let seat = self.ring.seat(&self.name, &[], self.policy, Start::Now, true)?;
            let joins_at = seat.position();
            self.seat = Some((seat, joins_at));
        }
        Ok(())
    }

    /// Hands out the first `count` records of those that were read last.
    fn hand_out<E: Display>(
        &mut self,
        count: usize,
        mut handler: impl FnMut(u64, &T) -> Result<(), E>,
    ) -> Result<()> {
        let outcome = guard(|| {
            self.records[..count].iter().try_for_each(|record| {
                handler(self.next, record)?;
                self.next += 1;
                Ok::<(), E>(())
            })
        });
        outcome.map_err(|cause| self.abort(cause))
    }

    /// Goes back to the recording if the seat was lost to lag; then the outcome is `instead`.
    fn fall_back<V>(&mut self, live: Result<V>, instead: V) -> Result<V> {
        let Some((seat, _)) = &self.seat else { return live };
        if matches!(live, Err(Error::StageCut { .. })) && seat.has_lagged() {
            self.next = seat.position();
            self.seat = None;
            return Ok(instead);
        }
        live
    }
}

impl<T: Pod, R: Recording<T>> Stream<T> for CatchUp<T, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn position(&self) -> u64 {
        self.seat.as_ref().filter(|_| self.is_live()).map_or(self.next, |(seat, _)| seat.position())
    }
}

impl<T: Pod, R: Recording<T>> Steps<T> for CatchUp<T, R> {
    fn step(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<bool> {
        if let Some(seat) = self.live_seat() {
            let live = seat.step(wait, handler);
            return self.fall_back(live, true);
        }
        let mut waiter = Waiter::new(wait);
        loop {
            let count = self.read(usize::MAX)?;
            if count > 0 {
                let depth = self.ring.published().saturating_sub(self.next) as usize;
                handler.batch(self.next, count, depth.max(count));
                self.hand_out(count, |sequence, record| handler.event(sequence, record))?;
                return Ok(true);
            }
            if self.is_live() {
                return Ok(true);
            }
            handler.idle();
            waiter.idle(self.ring.bell(), || false);
        }
    }

    fn abort(&mut self, cause: String) -> Error {
        let (name, sequence) = (self.name.clone(), self.position());
        if let Some((seat, _)) = &mut self.seat {
            seat.fail(sequence, cause.as_str());
        }
        Error::ConsumerFailed { name, sequence, cause }
    }

    fn progress(&self) -> Option<StageCursor> {
        None
    }
}
