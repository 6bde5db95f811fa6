//! The producer: claims free slots, writes them, publishes them.

use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::failure::End;
use super::handle::Ring;
use super::slots::{Claim, Writer};
use super::wait::{Wait, Waiter};
use crate::error::{Error, Result};

/// The single writer of a ring.
///
/// There is no second one:
///
/// ```compile_fail,E0599
/// # use ringtape::ring::RingBuilder;
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # builder.stage("sum", &[]).unwrap();
/// # let (producer, consumers) = builder.build().unwrap();
/// let second = producer.clone();
/// ```
///
/// Dropping it closes the ring: the consumers read what was published and finish. When it is
/// dropped by a panic it fails instead, and the consumers get
/// [`UpstreamFailed`](Error::UpstreamFailed) after what was published.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 4)?;
/// let sum = builder.stage("sum", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut sum = consumers.take(sum)?;
///
/// let mut claim = producer.claim(3, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = 10 * i as u64);
/// claim.commit_all();
/// assert!(producer.try_claim(2)?.is_none(), "three of four slots are taken");
/// assert_eq!(sum.poll(usize::MAX)?.iter().sum::<u64>(), 30);
/// assert_eq!(producer.free_slots()?, 4);
/// assert_eq!((producer.name(), producer.capacity()), ("numbers", 4));
///
/// producer.close();
/// assert!(producer.ring().is_ended() && producer.try_claim(1).is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Producer<T: Pod> {
    writer: Writer<T>,
    ring: Ring<T>,
}

impl<T: Pod> Producer<T> {
    pub(super) fn new(writer: Writer<T>, ring: Ring<T>) -> Self {
        Self { writer, ring }
    }

    /// Claims the next `n` slots, or `None` while fewer are free.
    ///
    /// # Errors
    ///
    /// * [`Error::Usage`] when `n` is 0 or greater than the capacity, or the ring is closed.
    /// * [`Error::ConsumerFailed`] once any stage has failed; every later claim gets it too.
    #[inline(always)]
    pub fn try_claim(&mut self, n: usize) -> Result<Option<Claim<'_, T>>> {
        Ok(if self.has_free(n)? { Some(self.writer.claim(n)) } else { None })
    }

    /// Claims the next `n` slots, waiting until they are free.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_claim`]: a stage that fails while this waits ends the wait.
    #[inline(always)]
    pub fn claim(&mut self, n: usize, wait: Wait) -> Result<Claim<'_, T>> {
        if !self.has_free(n)? {
            self.wait_for(n, wait, || false)?;
        }
        Ok(self.writer.claim(n))
    }

    /// Claims the next `n` slots, or `None` when they do not become free within `time`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 2)?;
    /// let sleeper = builder.stage("sleeper", &[])?;
    /// let (mut producer, _consumers) = builder.build()?;
    /// producer.claim(2, Wait::Yield)?.commit_all();
    /// let time = Duration::from_millis(2);
    /// assert!(producer.claim_timeout(1, Wait::Park, time)?.is_none());
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Producer::claim`].
    pub fn claim_timeout(
        &mut self,
        n: usize,
        wait: Wait,
        time: Duration,
    ) -> Result<Option<Claim<'_, T>>> {
        if !self.has_free(n)? {
            let begin = Instant::now();
            if !self.wait_for(n, wait, || begin.elapsed() >= time)? {
                return Ok(None);
            }
        }
        Ok(Some(self.writer.claim(n)))
    }

    /// Claims the next `n` slots, or drops them and counts them as dropped while fewer are free.
    ///
    /// ```
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 2)?;
    /// let sleeper = builder.stage("sleeper", &[])?;
    /// let (mut producer, _consumers) = builder.build()?;
    /// for number in 0..5 {
    ///     if let Some(mut claim) = producer.claim_or_drop(1)? {
    ///         claim.set(0, number);
    ///         claim.commit_all();
    ///     }
    /// }
    /// assert_eq!((producer.next_sequence(), producer.dropped()), (2, 3));
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Producer::try_claim`].
    #[inline]
    pub fn claim_or_drop(&mut self, n: usize) -> Result<Option<Claim<'_, T>>> {
        if !self.has_free(n)? {
            self.writer.head().add_dropped(n as u64);
            return Ok(None);
        }
        Ok(Some(self.writer.claim(n)))
    }

    /// The number of records that [`claim_or_drop`](Self::claim_or_drop) dropped.
    pub fn dropped(&self) -> u64 {
        self.writer.head().dropped()
    }

    /// The ring as seen from outside: gauges, and stages that come and go.
    pub fn ring(&self) -> Ring<T> {
        self.ring.clone()
    }

    /// The number of slots that can be claimed now.
    ///
    /// # Errors
    ///
    /// [`Error::ConsumerFailed`] once any stage has failed.
    pub fn free_slots(&mut self) -> Result<usize> {
        if self.writer.head().alarm.is_raised() {
            return Err(self.refusal(1));
        }
        self.writer.refresh();
        Ok(self.writer.free())
    }

    /// The sequence of the record that is published next: the number of records so far.
    #[inline]
    pub fn next_sequence(&self) -> u64 {
        self.writer.next()
    }

    /// The number of slots.
    pub fn capacity(&self) -> usize {
        self.writer.capacity()
    }

    /// The ring's name.
    pub fn name(&self) -> &str {
        &self.writer.head().name
    }

    /// Ends the stream: the consumers read what was published and finish. Again it does nothing.
    pub fn close(&mut self) {
        self.end(End::Closed);
    }

    /// Ends the stream as failed: after what was published, the consumers get
    /// [`UpstreamFailed`](Error::UpstreamFailed). On a closed ring it does nothing.
    ///
    /// ```
    /// use ringtape::error::Error;
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
    /// let sum = builder.stage("sum", &[])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let mut sum = consumers.take(sum)?;
    /// producer.claim(2, Wait::Yield)?.commit_all();
    /// producer.fail();
    /// assert_eq!(sum.poll(8)?.len(), 2);
    /// assert!(matches!(sum.poll(8), Err(Error::UpstreamFailed { .. })));
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn fail(&mut self) {
        self.end(End::Failed);
    }

    fn end(&mut self, end: End) {
        if !self.writer.is_ended() {
            self.writer.end(end);
        }
    }

    /// Whether `n` slots are free, or why they never can be.
    #[inline(always)]
    fn has_free(&mut self, n: usize) -> Result<bool> {
        // WHY: the alarm first, so that the claim's own look at what is free is this one.
        let is_alarmed = self.writer.head().alarm.is_raised();
        if !is_alarmed && 0 < n && n <= self.writer.free() {
            return Ok(true);
        }
        self.look_for(n)
    }

    /// Looks at the gates again, and cuts the stages that alone keep `n` slots from being free and
    /// may be cut.
    #[inline(never)]
    fn look_for(&mut self, n: usize) -> Result<bool> {
        let fits = 0 < n && n <= self.capacity();
        if !fits || self.writer.is_ended() || self.writer.head().alarm.is_raised() {
            return Err(self.refusal(n));
        }
        self.writer.refresh();
        if self.writer.free() < n && self.writer.cut_laggards(n) {
            self.writer.refresh();
        }
        Ok(self.writer.free() >= n)
    }

    /// Waits until `n` slots are free, or until `is_over` says that it was long enough; whether
    /// they are.
    #[inline(never)]
    fn wait_for(&mut self, n: usize, wait: Wait, is_over: impl Fn() -> bool) -> Result<bool> {
        let mut waiter = Waiter::new(wait);
        while !self.look_for(n)? {
            if is_over() {
                return Ok(false);
            }
            let writer = &self.writer;
            waiter.idle(&writer.head().bell, || {
                writer.could_free(n) || writer.head().alarm.is_raised()
            });
        }
        Ok(true)
    }

    /// Why a claim of `n` is refused.
    #[cold]
    fn refusal(&self, n: usize) -> Error {
        if let Some(failure) = self.writer.head().alarm.failure() {
            return failure.clone().into_error();
        }
        let (name, capacity) = (self.name(), self.capacity());
        if self.writer.is_ended() {
            return Error::usage(format!("ring `{name}` is closed"), "claim before closing it");
        }
        let what = format!("ring `{name}` of {capacity} slots cannot claim {n}");
        Error::usage(what, format!("claim from 1 to {capacity}, or build a larger ring"))
    }
}

impl<T: Pod> Drop for Producer<T> {
    fn drop(&mut self) {
        self.end(if std::thread::panicking() { End::Failed } else { End::Closed });
    }
}
