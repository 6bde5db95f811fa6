//! Builds a bus.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::envelope::Envelope;
use super::handle::Bus;
use super::member::AnyRecording;
use super::publisher::DirectPublisher;
use super::recorder::Recorder;
use super::sequencer::Sequencer;
use crate::error::{Error, Result};
use crate::limits::{BUS_SUBSCRIBERS_DEFAULT, INBOX_CAPACITY, RING_CAPACITY_DEFAULT};
use crate::ring::{Handler, MemoryRecording, Producer, Recording, RingBuilder, Wait, inbox};

/// Declares a bus: its name, its size, how its threads wait, whether it is recorded.
///
/// ```
/// use ringtape::bus::Bus;
/// use ringtape::ring::Wait;
///
/// let bus = Bus::builder("shop")
///     .capacity(1024)
///     .inbox_capacity(256)
///     .subscribers_max(4)
///     .wait(Wait::Yield)
///     .recorded()
///     .start()?;
/// assert_eq!((bus.name(), bus.stats().capacity), ("shop", 1024));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[must_use = "a bus begins with `start` or `start_direct`"]
pub struct BusBuilder {
    name: String,
    capacity: usize,
    inbox_capacity: usize,
    subscribers_max: usize,
    wait: Wait,
    recorder: Option<Recorder>,
}

impl BusBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            capacity: RING_CAPACITY_DEFAULT,
            inbox_capacity: INBOX_CAPACITY,
            subscribers_max: BUS_SUBSCRIBERS_DEFAULT,
            wait: Wait::Park,
            recorder: None,
        }
    }

    /// Slots of the ring, a power of two: how far a subscriber may lag. 16,384 by default.
    pub fn capacity(mut self, slots: usize) -> Self {
        self.capacity = slots;
        self
    }

    /// Events that the inbox holds before publishers wait. 1,024 by default.
    pub fn inbox_capacity(mut self, events: usize) -> Self {
        self.inbox_capacity = events;
        self
    }

    /// Subscribers at the same time. 16 by default.
    pub fn subscribers_max(mut self, subscribers: usize) -> Self {
        self.subscribers_max = subscribers;
        self
    }

    /// How the bus's threads wait for events and publishers for room.
    ///
    /// By default they [park](Wait::Park): an idle bus leaves the cores to others, and an event
    /// reaches a sleeping subscriber within tens of microseconds. Where each thread has a core to
    /// itself, [`Wait::Pause`] brings that below a microsecond.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Keeps every event in memory, 56 bytes each, so that a subscriber can begin anywhere and one
    /// that was away can catch up.
    pub fn recorded(self) -> Self {
        let recording = MemoryRecording::new();
        self.recorded_by(recording.clone(), recording)
    }

    /// Keeps every event where `writer` puts it; `reader` and its clones read it from there.
    ///
    /// The writer is a subscriber called `recorder`; its failure stops the bus.
    ///
    /// ```
    /// use ringtape::bus::Bus;
    /// use ringtape::ring::MemoryRecording;
    ///
    /// let recording = MemoryRecording::new();
    /// let bus = Bus::builder("shop").recorded_by(recording.clone(), recording.clone()).start()?;
    /// assert_eq!(bus.stats().subscribers[0].name, "recorder");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn recorded_by<R>(
        mut self,
        writer: impl Handler<Envelope> + Send + 'static,
        reader: R,
    ) -> Self
    where
        R: Recording<Envelope> + Clone + Send + Sync + 'static,
    {
        let reader = move || -> AnyRecording { Box::new(reader.clone()) };
        self.recorder = Some(Recorder { writer: Box::new(writer), reader: Box::new(reader) });
        self
    }

    /// Starts the bus: any number of threads publish through its inbox.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the capacity is no power of two, the inbox has none or the memory
    /// cannot be had; [`Error::Io`] when the system cannot start a thread.
    pub fn start(self) -> Result<Bus> {
        if self.inbox_capacity == 0 {
            let what = format!("the inbox of bus `{}` holds nothing", self.name);
            return Err(Error::usage(what, "choose a capacity of 1 or more"));
        }
        let producer = self.producer()?;
        let (sender, receiver) = inbox(self.inbox_capacity);
        let core = Core::new(self.name, self.wait, producer.ring(), Some(sender));
        let core = Arc::new(core);
        let bus = Bus::start(Arc::clone(&core), self.recorder)?;
        Sequencer::spawn(core, producer, receiver)?;
        Ok(bus)
    }

    /// Starts the bus without an inbox: one thread owns the publisher and writes straight into the
    /// ring. [`Bus::publish`] and [`Bus::publisher`] are refused.
    ///
    /// ```
    /// use ringtape::bus::Bus;
    ///
    /// let (bus, publisher) = Bus::builder("ticks").capacity(64).start_direct()?;
    /// assert!(bus.publisher().is_err(), "there is one, and no inbox");
    /// drop(publisher);
    /// assert!(bus.shutdown(std::time::Duration::from_secs(10)).is_clean());
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`BusBuilder::start`].
    pub fn start_direct(self) -> Result<(Bus, DirectPublisher)> {
        let producer = self.producer()?;
        let core = Arc::new(Core::new(self.name, self.wait, producer.ring(), None));
        let bus = Bus::start(Arc::clone(&core), self.recorder)?;
        Ok((bus, DirectPublisher::new(core, producer)))
    }

    fn producer(&self) -> Result<Producer<Envelope>> {
        let mut ring = RingBuilder::new(self.name.as_str(), self.capacity)?;
        ring.observable()?;
        ring.spare_stages(self.subscribers_max + usize::from(self.recorder.is_some()));
        ring.build().map(|(producer, _)| producer)
    }
}

impl fmt::Debug for BusBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("BusBuilder");
        debug.field("name", &self.name).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
