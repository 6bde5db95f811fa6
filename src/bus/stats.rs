//! How a bus is doing, and how it ended.

use crate::ring::Policy;

/// What a subscriber is about.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::bus::{Bus, Context, Envelope, SubscriberState};
///
/// let bus = Bus::new("shop")?;
/// for name in ["guest", "log"] {
///     bus.subscriber(name, ()).on_any(|(), _: &Envelope, _: Context| Ok(())).start()?;
/// }
/// assert_eq!(bus.stats().subscribers[0].state, SubscriberState::Live);
/// bus.unsubscribe("guest", Duration::from_secs(10))?;
/// let report = bus.shutdown(Duration::from_secs(10));
/// let states = report.stats.subscribers.into_iter().map(|subscriber| subscriber.state);
/// assert!(states.eq([SubscriberState::Left, SubscriberState::Finished]));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberState {
    /// It reads the recording and is not yet where the bus is.
    CatchingUp,
    /// It handles events as they are published.
    Live,
    /// It was told to go, or it left.
    Left,
    /// It lagged by a whole ring and was cut off.
    Cut,
    /// Its handler failed.
    Failed(String),
    /// The bus was closed and it has handled everything.
    Finished,
}

/// How one subscriber is doing.
///
/// ```
/// # use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::{Bus, BusEvent, Context};
/// use ringtape::ring::Policy;
///
/// # #[derive(Clone, Copy, Pod, Zeroable)]
/// # #[repr(C)]
/// # struct Tick { number: u64 }
/// # impl BusEvent for Tick { const ID: u32 = 1; }
/// let (bus, mut publisher) = Bus::builder("ticks").start_direct()?;
/// let mut slow = bus.subscriber("slow", ()).on(|(), _: &Tick, _: Context| Ok(())).polled()?;
/// for number in 0..3 {
///     publisher.publish(Tick { number })?;
/// }
/// slow.poll(1)?;
/// let stats = bus.stats().subscribers.remove(0);
/// assert_eq!((stats.name.as_str(), stats.policy), ("slow", Policy::Stop));
/// assert_eq!((stats.sequence, stats.lag, stats.delivered), (1, 2, 1));
/// assert!(stats.is_running);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberStats {
    /// Its name.
    pub name: String,
    /// What its failure means to the others.
    pub policy: Policy,
    /// The event that it handles now or next; everything before it is handled.
    pub sequence: u64,
    /// Events that are published and not yet behind it, whatever their type.
    pub lag: u64,
    /// Events that its handlers got: those of the types that it asked for.
    pub delivered: u64,
    /// What it is about.
    pub state: SubscriberState,
    /// Whether its thread, or who polls it, has not let go of it yet. A subscriber that was cut off
    /// and still runs is inside its handler.
    pub is_running: bool,
}

/// How a bus is doing; [`Bus::stats`](super::Bus::stats) tells.
///
/// ```
/// use ringtape::bus::{Bus, Context, Envelope};
///
/// let bus = Bus::builder("shop").capacity(64).start()?;
/// bus.subscriber("log", ()).on_any(|(), _: &Envelope, _: Context| Ok(())).start()?;
/// let stats = bus.stats();
/// assert_eq!((stats.capacity, stats.published, stats.fill), (64, 0, 0));
/// assert_eq!(stats.subscriber("log").map(|log| log.lag), Some(0));
/// assert_eq!(stats.subscriber("email"), None);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// Slots of the ring.
    pub capacity: usize,
    /// Events published so far: the next one's sequence.
    pub published: u64,
    /// Slots that the slowest subscriber still holds.
    pub fill: u64,
    /// Events in the inbox.
    pub inbox: usize,
    /// Events that found no room and were not to wait for it, or not longer.
    pub refused: u64,
    /// Events that waited for room in the inbox.
    pub waited: u64,
    /// Every subscriber, in the order in which they came; the newest one of each name.
    pub subscribers: Vec<SubscriberStats>,
}

impl BusStats {
    /// The subscriber called `name`, if there is or was one.
    pub fn subscriber(&self, name: &str) -> Option<&SubscriberStats> {
        self.subscribers.iter().find(|subscriber| subscriber.name == name)
    }
}

/// How a bus ended; [`Bus::shutdown`](super::Bus::shutdown) tells.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::bus::Bus;
///
/// let report = Bus::new("shop")?.shutdown(Duration::from_secs(1));
/// assert!(report.is_clean());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusReport {
    /// The last figures.
    pub stats: BusStats,
    /// Events that were accepted and never published, because the bus failed or the deadline came.
    pub unpublished: u64,
    /// What stopped the bus, if it was not the shutdown.
    pub failure: Option<String>,
}

impl BusReport {
    /// Whether every event that was accepted was handled by every subscriber that did not leave.
    pub fn is_clean(&self) -> bool {
        let is_done = |state: &SubscriberState| {
            matches!(state, SubscriberState::Finished | SubscriberState::Left)
        };
        let mut subscribers = self.stats.subscribers.iter();
        self.failure.is_none()
            && self.unpublished == 0
            && subscribers.all(|subscriber| !subscriber.is_running && is_done(&subscriber.state))
    }
}
