//! Publishers: through the inbox from any number of threads, or straight into the ring from one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::{Core, Intake};
use super::envelope::{BusEvent, Envelope};
use crate::error::Result;
use crate::ring::{InboxSender, Producer};

/// How long a waiting publisher sleeps before it asks whether waiting makes sense.
const WAIT_SLICE: Duration = Duration::from_millis(5);

/// Publishes on a bus from any thread; [`Bus::publisher`](super::Bus::publisher) gives it.
///
/// Events of one publisher keep their order. A clone is the same publisher: its events carry the
/// same number.
///
/// ```
/// use std::thread;
/// use std::time::Duration;
///
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::{Bus, BusEvent, Context};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Tick {
///     number: u64,
/// }
///
/// impl BusEvent for Tick {
///     const ID: u32 = 1;
/// }
///
/// let bus = Bus::new("ticks")?;
/// bus.subscribe("check", |tick: &Tick, context: Context| {
///     assert!(tick.number < 100 && context.publisher > 0);
///     Ok(())
/// })?;
/// let publishers = [bus.publisher()?, bus.publisher()?];
/// let threads = publishers.map(|publisher| {
///     thread::spawn(move || (0..100).try_for_each(|number| publisher.publish(Tick { number })))
/// });
/// for thread in threads {
///     thread.join().expect("no publisher panics")?;
/// }
/// let report = bus.shutdown(Duration::from_secs(10));
/// assert!(report.is_clean());
/// assert_eq!(report.stats.published, 200);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Publisher {
    core: Arc<Core>,
    inbox: InboxSender<Envelope>,
    number: u16,
}

impl Publisher {
    pub(super) fn new(core: Arc<Core>, inbox: InboxSender<Envelope>, number: u16) -> Self {
        Self { core, inbox, number }
    }

    /// The same with another number.
    pub(super) fn with_number(&self, number: u16) -> Self {
        Self { number, ..self.clone() }
    }

    /// The number that its events carry.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Publishes `event`, waiting for room in the inbox.
    ///
    /// Once this returns, the event reaches every subscriber, unless the bus fails.
    ///
    /// # Errors
    ///
    /// * [`Usage`](crate::error::Error::Usage) when the bus is closed, when another type has the
    ///   number of `E`, or when
    ///   a handler publishes and the room that it waits for depends on itself.
    /// * [`ConsumerFailed`](crate::error::Error::ConsumerFailed) once a subscriber whose policy is
    ///   [`Stop`](crate::ring::Policy::Stop) has failed.
    #[inline]
    pub fn publish<E: BusEvent>(&self, event: E) -> Result<()> {
        self.post(event, None).map(drop)
    }

    /// Publishes `event`, waiting for room up to `timeout`; whether it was published.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    #[inline]
    pub fn publish_within<E: BusEvent>(&self, event: E, timeout: Duration) -> Result<bool> {
        self.post(event, Some(timeout))
    }

    /// Publishes `event` if there is room now; whether it was published. The bus counts refusals.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use bytemuck::{Pod, Zeroable};
    /// use ringtape::bus::{Bus, BusEvent, Context};
    ///
    /// # #[derive(Clone, Copy, Pod, Zeroable)]
    /// # #[repr(C)]
    /// # struct Tick { number: u64 }
    /// # impl BusEvent for Tick { const ID: u32 = 1; }
    /// let bus = Bus::builder("ticks").capacity(2).inbox_capacity(2).start()?;
    /// let count = |ticks: &mut u64, _: &Tick, _: Context| Ok(*ticks += 1);
    /// let mut slow = bus.subscriber("slow", 0).on(count).polled()?;
    /// let publisher = bus.publisher()?;
    /// assert_eq!(publisher.number(), 1);
    /// let mut number = 0;
    /// while publisher.try_publish(Tick { number })? {
    ///     number += 1;
    /// }
    /// assert_eq!(bus.stats().refused, 1, "`slow` holds the ring's slots, and the inbox is full");
    /// while !publisher.publish_within(Tick { number }, Duration::from_millis(1))? {
    ///     slow.poll(usize::MAX)?;
    /// }
    /// bus.close();
    /// while !slow.is_finished() {
    ///     slow.poll(usize::MAX)?;
    /// }
    /// assert_eq!(*slow.state(), number + 1, "what was refused came later");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    #[inline]
    pub fn try_publish<E: BusEvent>(&self, event: E) -> Result<bool> {
        self.post(event, Some(Duration::ZERO))
    }

    #[inline]
    fn post<E: BusEvent>(&self, event: E, timeout: Option<Duration>) -> Result<bool> {
        self.core.registry.check::<E>()?;
        self.core.admit()?;
        match self.inbox.post(Envelope::new(self.number, event)) {
            Ok(()) => Ok(true),
            Err(envelope) => self.post_late(envelope, timeout),
        }
    }

    /// Posts to an inbox that was full or closed.
    #[cold]
    fn post_late(&self, mut envelope: Envelope, timeout: Option<Duration>) -> Result<bool> {
        let begin = Instant::now();
        let left = || timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()));
        let mut has_waited = false;
        while !self.inbox.is_closed() && left() != Some(Duration::ZERO) {
            if !has_waited {
                has_waited = true;
                self.core.waited.fetch_add(1, Ordering::Relaxed);
            }
            let slice = left().map_or(WAIT_SLICE, |left| left.min(WAIT_SLICE));
            match self.inbox.post_within(envelope, self.core.wait, slice) {
                Ok(()) => return Ok(true),
                Err(refused) => envelope = refused,
            }
            self.core.check_self_wait()?;
        }
        if self.inbox.is_closed() {
            return Err(self.core.refusal());
        }
        self.core.refused.fetch_add(1, Ordering::Relaxed);
        Ok(false)
    }
}

/// The one publisher of a bus without an inbox: it writes straight into the ring.
///
/// [`BusBuilder::start_direct`](super::BusBuilder::start_direct) gives it; it moves to the thread
/// that publishes. An event then goes from that thread to its subscribers without another thread
/// between. Dropping it closes the bus.
///
/// ```
/// use std::time::Duration;
///
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::{Bus, BusEvent, Context};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Tick {
///     number: u64,
/// }
///
/// impl BusEvent for Tick {
///     const ID: u32 = 1;
/// }
///
/// let (bus, mut publisher) = Bus::builder("ticks").start_direct()?;
/// bus.subscribe("check", |tick: &Tick, context: Context| {
///     assert_eq!(tick.number, context.sequence);
///     Ok(())
/// })?;
/// for number in 0..100 {
///     assert_eq!(publisher.publish(Tick { number })?, number);
/// }
/// drop(publisher);
/// assert!(bus.shutdown(Duration::from_secs(10)).is_clean());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct DirectPublisher {
    core: Arc<Core>,
    producer: Producer<Envelope>,
}

impl DirectPublisher {
    pub(super) fn new(core: Arc<Core>, producer: Producer<Envelope>) -> Self {
        Self { core, producer }
    }

    /// Publishes `event`, waiting for a free slot; its sequence.
    ///
    /// # Errors
    ///
    /// * [`Usage`](crate::error::Error::Usage) when the bus is closed or another type has the
    ///   number of `E`.
    /// * [`ConsumerFailed`](crate::error::Error::ConsumerFailed) once a subscriber whose policy is
    ///   [`Stop`](crate::ring::Policy::Stop) has failed.
    #[inline]
    pub fn publish<E: BusEvent>(&mut self, event: E) -> Result<u64> {
        loop {
            if let Some(sequence) = self.write(event, WAIT_SLICE)? {
                return Ok(sequence);
            }
        }
    }

    /// Publishes `event`, waiting for a free slot up to `timeout`; its sequence if that came.
    ///
    /// # Errors
    ///
    /// As [`DirectPublisher::publish`].
    pub fn publish_within<E: BusEvent>(
        &mut self,
        event: E,
        timeout: Duration,
    ) -> Result<Option<u64>> {
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            let sequence = self.write(event, left.min(WAIT_SLICE))?;
            if sequence.is_some() || left.is_zero() {
                return Ok(self.count(sequence));
            }
        }
    }

    /// Publishes `event` if a slot is free; its sequence if it was published. The bus counts
    /// refusals.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use bytemuck::{Pod, Zeroable};
    /// use ringtape::bus::{Bus, BusEvent, Context};
    ///
    /// # #[derive(Clone, Copy, Pod, Zeroable)]
    /// # #[repr(C)]
    /// # struct Tick { number: u64 }
    /// # impl BusEvent for Tick { const ID: u32 = 1; }
    /// let (bus, mut publisher) = Bus::builder("ticks").capacity(2).start_direct()?;
    /// let mut slow = bus.subscriber("slow", ()).on(|(), _: &Tick, _: Context| Ok(())).polled()?;
    /// assert_eq!(publisher.try_publish(Tick { number: 0 })?, Some(0));
    /// assert_eq!(publisher.try_publish(Tick { number: 1 })?, Some(1));
    /// assert_eq!(publisher.try_publish(Tick { number: 2 })?, None, "`slow` holds both slots");
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(publisher.publish_within(Tick { number: 2 }, timeout)?, None);
    /// slow.poll(1)?;
    /// assert_eq!(publisher.publish_within(Tick { number: 2 }, timeout)?, Some(2));
    /// assert_eq!(bus.stats().refused, 2);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`DirectPublisher::publish`].
    #[inline]
    pub fn try_publish<E: BusEvent>(&mut self, event: E) -> Result<Option<u64>> {
        let sequence = self.write(event, Duration::ZERO)?;
        Ok(self.count(sequence))
    }

    #[inline]
    fn write<E: BusEvent>(&mut self, event: E, timeout: Duration) -> Result<Option<u64>> {
        self.core.registry.check::<E>()?;
        if self.core.intake() != Intake::Open {
            self.producer.close();
            return Err(self.core.refusal());
        }
        let Some(mut claim) = self.producer.claim_timeout(1, self.core.wait, timeout)? else {
            return Ok(None);
        };
        let sequence = claim.first_sequence();
        claim.set(0, Envelope::new(0, event));
        claim.commit_all();
        Ok(Some(sequence))
    }

    /// Counts a refusal.
    #[inline]
    fn count(&self, sequence: Option<u64>) -> Option<u64> {
        if sequence.is_none() {
            self.core.refused.fetch_add(1, Ordering::Relaxed);
        }
        sequence
    }
}

impl Drop for DirectPublisher {
    fn drop(&mut self) {
        self.core.lower_intake(Intake::Closed);
        // SYNC: Release, pairs with the Acquire of who waits for the bus's end.
        self.core.is_sealed.store(true, Ordering::Release);
    }
}
