//! The bus itself, as an application holds it.

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::builder::BusBuilder;
use super::core::{Core, Intake};
use super::envelope::{BusEvent, Context};
use super::member::{AnyRecording, Member, Order, Source};
use super::publisher::Publisher;
use super::recorder::{RECORDER, Recorder, Recording};
use super::stats::{BusReport, BusStats};
use super::subscriber::SubscriberBuilder;
use crate::error::{Error, Result};
use crate::ring::{HandlerResult, Policy, Stream};

/// How long the calls that wait for the bus sleep between two looks.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// How long a sequencer that is told to give up may take at most; it looks every few milliseconds.
const ABANDON_MAX: Duration = Duration::from_secs(1);

/// How long subscribers have to end when the deadline came before the bus was closed.
const GRACE: Duration = Duration::from_millis(100);

/// Typed publish and subscribe; to clone it is cheap, and any thread may hold a clone.
///
/// When the last clone is dropped the bus closes: subscribers handle what was published and end.
/// [`Bus::shutdown`] does that too, waits for it and tells how it went. A handler that publishes
/// owns a [`Publisher`], not a clone, which would keep the bus open.
///
/// See the [module](super) for the picture and a first program.
///
/// ```
/// # use std::time::Duration;
/// # use bytemuck::{Pod, Zeroable};
/// use std::thread;
///
/// use ringtape::bus::{Bus, BusEvent, Context};
///
/// # #[derive(Clone, Copy, Pod, Zeroable)]
/// # #[repr(C)]
/// # struct Tick { number: u64 }
/// # impl BusEvent for Tick { const ID: u32 = 1; }
/// let bus = Bus::new("ticks")?;
/// bus.subscribe("check", |tick: &Tick, context: Context| {
///     assert_eq!(tick.number, context.sequence);
///     Ok(())
/// })?;
/// let clone = bus.clone();
/// let publish = move || clone.publish(Tick { number: 0 });
/// thread::spawn(publish).join().expect("it does not panic")?;
/// bus.publish(Tick { number: 1 })?;
/// assert!(bus.settle(Duration::from_secs(10)), "both are handled");
/// assert_eq!((bus.name(), bus.stats().published), ("ticks", 2));
///
/// bus.close();
/// assert!(bus.publish(Tick { number: 2 }).is_err());
/// assert!(bus.shutdown(Duration::from_secs(10)).is_clean());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bus {
    shared: Arc<Shared>,
}

/// What the clones share; the bus's own threads hold none of it.
struct Shared {
    core: Arc<Core>,
    /// The bus as a publisher; `None` when a direct publisher owns the producer.
    publisher: Option<Publisher>,
    publishers: AtomicU16,
    recording: Option<Box<dyn Fn() -> AnyRecording + Send + Sync>>,
    members: Mutex<Vec<Arc<Member>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.lower_intake(Intake::Closed);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("core", &self.core).finish_non_exhaustive()
    }
}

impl Bus {
    /// A bus with everything by default; see [`BusBuilder`].
    ///
    /// # Errors
    ///
    /// As [`BusBuilder::start`].
    pub fn new(name: &str) -> Result<Self> {
        Self::builder(name).start()
    }

    /// Begins to declare a bus.
    pub fn builder(name: &str) -> BusBuilder {
        BusBuilder::new(name)
    }

    /// The bus around `core`, with its recorder at work.
    pub(super) fn start(core: Arc<Core>, recorder: Option<Recorder>) -> Result<Self> {
        let (writer, recording) = recorder.map(|it| (it.writer, it.reader)).unzip();
        let inbox = core.inbox.clone();
        let shared = Shared {
            publisher: inbox.map(|inbox| Publisher::new(Arc::clone(&core), inbox, 0)),
            publishers: AtomicU16::new(0),
            recording,
            members: Mutex::default(),
            core,
        };
        let bus = Self { shared: Arc::new(shared) };
        if let Some(writer) = writer {
            let (member, source) = bus.admit(RECORDER, Policy::Stop, None)?;
            let recording = Recording { writer, member: Arc::clone(&member) };
            member.spawn(Arc::clone(bus.core()), source, bus.core().wait, recording)?;
        }
        Ok(bus)
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    fn members(&self) -> MutexGuard<'_, Vec<Arc<Member>>> {
        self.shared.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bus's name.
    pub fn name(&self) -> &str {
        &self.core().name
    }

    /// Publishes `event`, waiting for room in the inbox. The events' publisher is number 0.
    ///
    /// Once this returns, the event reaches every subscriber, unless the bus fails.
    ///
    /// # Errors
    ///
    /// Those of [`Publisher::publish`], and [`Error::Usage`] on a bus with a
    /// [`DirectPublisher`](super::DirectPublisher).
    #[inline]
    pub fn publish<E: BusEvent>(&self, event: E) -> Result<()> {
        self.own_publisher()?.publish(event)
    }

    fn own_publisher(&self) -> Result<&Publisher> {
        self.shared.publisher.as_ref().ok_or_else(|| {
            let what = format!("bus `{}` has one direct publisher", self.name());
            Error::usage(what, "publish with that one, or begin the bus with `start`")
        })
    }

    /// A publisher with a number of its own, for another thread or part of the application.
    ///
    /// ```
    /// use ringtape::bus::Bus;
    ///
    /// let bus = Bus::new("shop")?;
    /// assert_eq!((bus.publisher()?.number(), bus.publisher()?.number()), (1, 2));
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] on a bus with a [`DirectPublisher`](super::DirectPublisher), and when all
    /// 65,535 numbers are taken.
    pub fn publisher(&self) -> Result<Publisher> {
        let publisher = self.own_publisher()?;
        let next = |number: u16| number.checked_add(1);
        let taken = self.shared.publishers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let number = taken.map_err(|_| {
            let what = format!("bus `{}` has no number left for a publisher", self.name());
            Error::usage(what, "clone a publisher instead of asking for another")
        })?;
        Ok(publisher.with_number(number + 1))
    }

    /// Hands every event of type `E` from now on to `handler`, on a thread of its own.
    ///
    /// An error or panic of the handler stops the bus: publishers get it. Subscribers with other
    /// policies, several types or a state begin with [`Bus::subscriber`].
    ///
    /// # Errors
    ///
    /// As [`SubscriberBuilder::start`].
    pub fn subscribe<E: BusEvent>(
        &self,
        name: &str,
        mut handler: impl FnMut(&E, Context) -> HandlerResult + Send + 'static,
    ) -> Result<()> {
        self.subscriber(name, ()).on(move |(), event, context| handler(event, context)).start()
    }

    /// Begins to declare a subscriber whose handlers share `state`.
    pub fn subscriber<S: Send + 'static>(&self, name: &str, state: S) -> SubscriberBuilder<S> {
        SubscriberBuilder::new(self.clone(), name, state)
    }

    /// Subscribes `name` again, from the first event on that it has not handled, with the policy
    /// that it had: nothing is left out and nothing comes twice. One with a state or several types
    /// comes back with [`SubscriberBuilder::resuming`].
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use std::time::Duration;
    /// # use bytemuck::{Pod, Zeroable};
    /// use ringtape::bus::{Bus, BusEvent, Context};
    ///
    /// # #[derive(Clone, Copy, Pod, Zeroable)]
    /// # #[repr(C)]
    /// # struct Tick { number: u64 }
    /// # impl BusEvent for Tick { const ID: u32 = 1; }
    /// let (send, receive) = mpsc::channel();
    /// let bus = Bus::builder("ticks").recorded().start()?;
    /// let refuse_three = {
    ///     let send = send.clone();
    ///     move |_: &mut (), tick: &Tick, _: Context| match tick.number {
    ///         3 => Err("not a three".into()),
    ///         number => Ok(send.send(number)?),
    ///     }
    /// };
    /// bus.subscriber("picky", ()).detachable().on(refuse_three).start()?;
    /// for number in 0..6 {
    ///     bus.publish(Tick { number })?;
    /// }
    /// assert_eq!(bus.wait_end("picky", Duration::from_secs(10))?, 3);
    /// bus.resume("picky", move |tick: &Tick, _: Context| Ok(send.send(tick.number)?))?;
    /// assert!(bus.shutdown(Duration::from_secs(10)).is_clean());
    /// assert!(receive.iter().eq(0..6));
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SubscriberBuilder::start`], and [`Error::Usage`] while the former subscriber of that
    /// name is still running.
    pub fn resume<E: BusEvent>(
        &self,
        name: &str,
        mut handler: impl FnMut(&E, Context) -> HandlerResult + Send + 'static,
    ) -> Result<()> {
        let handler = move |(): &mut (), event: &E, context: Context| handler(event, context);
        self.subscriber(name, ()).resuming().on(handler).start()
    }

    /// Tells subscriber `name` to go, waits until its handler has returned, for `timeout` at most,
    /// and gives the first sequence that it has not handled.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::bus::{Bus, Context, Envelope};
    ///
    /// let bus = Bus::new("shop")?;
    /// bus.subscriber("log", ()).on_any(|(), _: &Envelope, _: Context| Ok(())).start()?;
    /// assert_eq!(bus.unsubscribe("log", Duration::from_secs(10))?, 0);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is no such subscriber or its handler did not return in time;
    /// then it goes as soon as it does.
    pub fn unsubscribe(&self, name: &str, timeout: Duration) -> Result<u64> {
        let deadline = later(timeout);
        let member = self.member(name)?;
        member.order(Order::Leave);
        // Again and again, because one that reads the recording has no seat to be cut from yet.
        while !member.wait_end(deadline.min(Instant::now() + LOOK_EVERY)) {
            let _ = self.core().ring.cut(name);
            if Instant::now() >= deadline {
                break;
            }
        }
        self.wait_end(name, Duration::ZERO)
    }

    /// Waits until subscriber `name` has ended, for `timeout` at most, and gives the first sequence
    /// that it has not handled.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is no such subscriber or it has not ended.
    pub fn wait_end(&self, name: &str, timeout: Duration) -> Result<u64> {
        self.ended(name, timeout).map(|(next, _)| next)
    }

    /// Where subscriber `name` ended, and its policy.
    pub(super) fn ended(&self, name: &str, timeout: Duration) -> Result<(u64, Policy)> {
        let member = self.member(name)?;
        if member.wait_end(later(timeout)) {
            return Ok((member.next(), member.policy));
        }
        let what = format!("subscriber `{name}` is at sequence {} and not done", member.next());
        Err(Error::usage(what, "wait until it has ended; a handler that never returns never does"))
    }

    fn member(&self, name: &str) -> Result<Arc<Member>> {
        let member = self.members().iter().find(|member| member.name == name).cloned();
        member.ok_or_else(|| {
            let what = format!("bus `{}` has no subscriber `{name}`", self.name());
            Error::usage(what, "see `Bus::stats` for those it has")
        })
    }

    /// Gives a subscriber its name and its place on the ring.
    pub(super) fn admit(
        &self,
        name: &str,
        policy: Policy,
        begin: Option<u64>,
    ) -> Result<(Arc<Member>, Source)> {
        let core = self.core();
        if core.intake() == Intake::Closed {
            return Err(core.refusal());
        }
        let mut members = self.members();
        if members.iter().any(|member| member.name == name && !member.has_ended()) {
            let what = format!("bus `{}` already has a subscriber `{name}`", self.name());
            return Err(Error::usage(what, "give each subscriber a name of its own"));
        }
        let source = self.source(name, policy, begin)?;
        let begin = match &source {
            Source::Live(consumer) => consumer.position(),
            Source::Recorded(catch_up) => catch_up.position(),
        };
        let is_recorded = matches!(source, Source::Recorded(_));
        let member = Arc::new(Member::new(name, policy, begin, is_recorded));
        members.retain(|member| member.name != name);
        members.push(Arc::clone(&member));
        Ok((member, source))
    }

    fn source(&self, name: &str, policy: Policy, begin: Option<u64>) -> Result<Source> {
        let ring = &self.core().ring;
        let published = ring.published();
        if let Some(begin) = begin.filter(|&begin| begin > published) {
            let what = format!("subscriber `{name}` cannot begin at {begin}");
            return Err(Error::usage(what, format!("begin at {published} or before")));
        }
        // A detachable one reads the recording whenever it lags too much.
        let is_recorded = begin.is_some() || policy == Policy::Detach;
        if let (true, Some(recording)) = (is_recorded, &self.shared.recording) {
            let begin = begin.unwrap_or(published);
            let catch_up = ring.attach_from(name, policy, begin, recording())?;
            return Ok(Source::Recorded(catch_up));
        }
        let consumer = match (policy, begin) {
            (Policy::Stop, None) => ring.attach(name, &[]),
            (Policy::Stop, Some(begin)) => ring.attach_at(name, &[], begin),
            (Policy::Detach, begin) => ring.attach_detachable(name, begin),
        };
        consumer.map(Source::Live)
    }

    /// How the bus and its subscribers are doing.
    pub fn stats(&self) -> BusStats {
        let core = self.core();
        BusStats {
            capacity: core.ring.capacity(),
            published: core.ring.published(),
            fill: core.ring.fill(),
            inbox: core.inbox.as_ref().map_or(0, |inbox| inbox.len()),
            refused: core.refused.load(Ordering::Relaxed),
            waited: core.waited.load(Ordering::Relaxed),
            subscribers: self.members().iter().map(|member| member.stats(core)).collect(),
        }
    }

    /// Waits until everything that was published is handled by every running subscriber, and
    /// whatever their handlers published meanwhile too, for `timeout` at most; whether it is so.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::bus::Bus;
    ///
    /// let bus = Bus::new("shop")?;
    /// assert!(bus.settle(Duration::from_secs(10)), "nothing was published");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn settle(&self, timeout: Duration) -> bool {
        let begin = Instant::now();
        while !self.is_settled() {
            if begin.elapsed() >= timeout || self.core().intake() == Intake::Closed {
                return self.is_settled();
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    fn is_settled(&self) -> bool {
        let core = self.core();
        let published = core.ring.published();
        let members = self.members().clone();
        // Handlers publish before they count as done, so the inbox is looked at after them, and the
        // sequencer after the inbox: what it took is published before it is at rest again.
        members.iter().all(|member| member.next() >= published || member.is_away(core))
            && core.inbox.as_ref().is_none_or(|inbox| inbox.is_empty())
            && core.is_at_rest.load(Ordering::SeqCst)
            && core.ring.published() == published
    }

    /// Closes the bus for publishers, at once and without waiting: subscribers handle what was
    /// published and end.
    pub fn close(&self) {
        self.core().lower_intake(Intake::Closed);
    }

    /// Ends the bus and tells how it ended.
    ///
    /// Publishers are refused from now on. Handlers may still publish, until everything is handled;
    /// then the bus is closed and its subscribers end. At the `deadline`, or a tenth of a second
    /// later, whatever has not ended is cut off: a handler that never returns is left behind, and
    /// the report says what is left.
    ///
    /// A [`DirectPublisher`](super::DirectPublisher) and [polled](super::PolledSubscriber)
    /// subscribers end with their owners, so drop them or let them go on in threads of their own.
    ///
    /// [PolledSubscriber]: super::PolledSubscriber
    pub fn shutdown(&self, deadline: Duration) -> BusReport {
        let deadline = later(deadline);
        let left = || deadline.saturating_duration_since(Instant::now());
        let core = self.core();
        core.lower_intake(Intake::Closing);
        self.settle(left());
        core.lower_intake(Intake::Closed);
        self.wait_sealed(deadline);
        core.is_abandoned.store(true, Ordering::Relaxed);
        if core.inbox.is_some() {
            self.wait_sealed(Instant::now() + ABANDON_MAX);
        }
        // Who only had to hear of the end gets a moment after the deadline too.
        let deadline = deadline.max(Instant::now() + GRACE);
        for member in self.members().clone() {
            if !member.wait_end(deadline) {
                member.order(Order::Stop);
                let _ = core.ring.cut(&member.name);
            }
        }
        BusReport {
            stats: self.stats(),
            unpublished: core.unpublished.load(Ordering::Relaxed),
            failure: core.failure().map(|error| error.to_string()),
        }
    }

    /// Waits until nobody can publish any more, at most until `deadline`.
    fn wait_sealed(&self, deadline: Instant) {
        // SYNC: Acquire, pairs with the Release of the sequencer or direct publisher that ends.
        while !self.core().is_sealed.load(Ordering::Acquire) && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The time after `timeout`, or after a year if that is sooner.
fn later(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + timeout.min(YEAR)
}
