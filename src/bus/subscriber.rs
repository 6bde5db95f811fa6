//! Subscribers: which types go to which handler, on a thread of their own or polled.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, InsideGuard};
use super::envelope::{BusEvent, Context, Envelope};
use super::handle::Bus;
use super::member::{Member, Order, Source};
use crate::error::{Error, Result};
use crate::ring::{Handler, HandlerResult, Policy, Wait};

/// What a subscriber does with one event.
type Call<S> = Box<dyn FnMut(&mut S, &Envelope, Context) -> HandlerResult + Send>;

/// What a subscriber does when there is nothing to do.
type Idle<S> = Box<dyn FnMut(&mut S) + Send>;

/// What a subscriber does at its end.
type End<S> = Box<dyn FnMut(&mut S, &Result<()>) + Send>;

/// A handler and the type that it asks for; `None` asks for all.
struct Route<S> {
    id: Option<u32>,
    call: Call<S>,
}

/// All handlers of one subscriber, with the state that they share.
struct Handlers<S> {
    state: S,
    routes: Vec<Route<S>>,
    idle: Option<Idle<S>>,
    end: Option<End<S>>,
}

/// A subscriber at work: hands each event to the handlers that ask for its type.
struct Dispatch<S> {
    handlers: Handlers<S>,
    delivered: u64,
    member: Arc<Member>,
}

impl<S> Handler<Envelope> for Dispatch<S> {
    fn event(&mut self, sequence: u64, envelope: &Envelope) -> HandlerResult {
        if self.member.ordered() == Order::Stop {
            return Err("the bus was shut down".into());
        }
        let context = Context { sequence, publisher: envelope.publisher() };
        let Handlers { state, routes, .. } = &mut self.handlers;
        let mut is_wanted = false;
        for route in routes {
            if route.id.is_none_or(|id| id == envelope.id()) {
                is_wanted = true;
                (route.call)(state, envelope, context)?;
            }
        }
        self.delivered += u64::from(is_wanted);
        self.member.handled(sequence + 1, self.delivered);
        Ok(())
    }

    fn idle(&mut self) {
        if let Some(idle) = &mut self.handlers.idle {
            idle(&mut self.handlers.state);
        }
    }

    fn stop(&mut self, end: &Result<()>) {
        if let Some(call) = &mut self.handlers.end {
            call(&mut self.handlers.state, end);
        }
    }
}

/// A subscriber in the making: handlers that share one state, a policy, a place to begin.
///
/// [`Bus::subscriber`] begins one. Handlers of one subscriber run one after the other in the order
/// of the events, so the state needs no lock. An event of a type with two handlers goes to both, in
/// the order in which they were added.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::{Bus, BusEvent, Context};
/// use ringtape::ring::Wait;
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Bought {
///     copies: u64,
/// }
///
/// impl BusEvent for Bought {
///     const ID: u32 = 1;
/// }
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Sold {
///     copies: u64,
/// }
///
/// impl BusEvent for Sold {
///     const ID: u32 = 2;
/// }
///
/// let (send, receive) = mpsc::channel();
/// let bus = Bus::new("shop")?;
/// bus.subscriber("stock", 0)
///     .wait(Wait::Yield)
///     .on(|stock: &mut u64, event: &Bought, _context: Context| {
///         *stock += event.copies;
///         Ok(())
///     })
///     .on(|stock: &mut u64, event: &Sold, context: Context| {
///         let sequence = context.sequence;
///         *stock = stock.checked_sub(event.copies).ok_or(format!("sold out at {sequence}"))?;
///         Ok(())
///     })
///     .on_end(move |stock, _end| send.send(*stock).expect("somebody asks"))
///     .start()?;
/// bus.publish(Bought { copies: 10 })?;
/// bus.publish(Sold { copies: 3 })?;
/// assert!(bus.shutdown(Duration::from_secs(10)).is_clean());
/// assert_eq!(receive.recv(), Ok(7));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[must_use = "a subscriber begins with `start` or `polled`"]
pub struct SubscriberBuilder<S> {
    bus: Bus,
    name: String,
    policy: Policy,
    begin: Option<u64>,
    resumes: bool,
    wait: Option<Wait>,
    handlers: Handlers<S>,
    /// The first type whose number another one has.
    clash: Option<Error>,
}

impl<S: Send + 'static> SubscriberBuilder<S> {
    pub(super) fn new(bus: Bus, name: &str, state: S) -> Self {
        Self {
            bus,
            name: name.to_owned(),
            policy: Policy::Stop,
            begin: None,
            resumes: false,
            wait: None,
            handlers: Handlers { state, routes: Vec::new(), idle: None, end: None },
            clash: None,
        }
    }

    /// Hands every event of type `E` to `handler`.
    ///
    /// An error or panic of the handler fails the subscriber at that event.
    pub fn on<E: BusEvent>(
        mut self,
        mut handler: impl FnMut(&mut S, &E, Context) -> HandlerResult + Send + 'static,
    ) -> Self {
        if let Err(clash) = self.bus.core().registry.check::<E>() {
            self.clash.get_or_insert(clash);
        }
        let call = move |state: &mut S, envelope: &Envelope, context| match envelope.event::<E>() {
            Some(event) => handler(state, event, context),
            None => Err(another_size::<E>(envelope).into()),
        };
        self.handlers.routes.push(Route { id: Some(E::ID), call: Box::new(call) });
        self
    }

    /// Hands every event of whatever type to `handler`, as it travels: for logs and bridges.
    ///
    /// ```
    /// use ringtape::bus::{Bus, Context, Envelope};
    ///
    /// let bus = Bus::new("shop")?;
    /// bus.subscriber("log", String::new())
    ///     .on_any(|log: &mut String, envelope: &Envelope, context: Context| {
    ///         log.push_str(&format!("{} is of type {}\n", context.sequence, envelope.id()));
    ///         Ok(())
    ///     })
    ///     .start()?;
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn on_any(
        mut self,
        handler: impl FnMut(&mut S, &Envelope, Context) -> HandlerResult + Send + 'static,
    ) -> Self {
        self.handlers.routes.push(Route { id: None, call: Box::new(handler) });
        self
    }

    /// Calls `idle` after each look that found nothing, such as to flush what was gathered.
    ///
    /// ```
    /// # use bytemuck::{Pod, Zeroable};
    /// use ringtape::bus::{Bus, BusEvent, Context};
    ///
    /// # #[derive(Clone, Copy, Pod, Zeroable)]
    /// # #[repr(C)]
    /// # struct Tick { number: u64 }
    /// # impl BusEvent for Tick { const ID: u32 = 1; }
    /// let (bus, mut publisher) = Bus::builder("ticks").start_direct()?;
    /// let mut log = bus
    ///     .subscriber("log", String::new())
    ///     .on(|log: &mut String, tick: &Tick, _: Context| Ok(*log += &tick.number.to_string()))
    ///     .on_idle(|log| log.push('.'))
    ///     .polled()?;
    /// for number in [7, 8] {
    ///     publisher.publish(Tick { number })?;
    /// }
    /// while !log.state().contains('.') {
    ///     log.poll(1)?;
    /// }
    /// assert_eq!(log.state(), "78.");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn on_idle(mut self, idle: impl FnMut(&mut S) + Send + 'static) -> Self {
        self.handlers.idle = Some(Box::new(idle));
        self
    }

    /// Calls `end` once when the subscriber ends, with the error that ended it or with `Ok` at the
    /// end of the bus. A polled subscriber has no need of it and does not call it.
    pub fn on_end(mut self, end: impl FnMut(&mut S, &Result<()>) + Send + 'static) -> Self {
        self.handlers.end = Some(Box::new(end));
        self
    }

    /// Makes it a subscriber that nobody waits for: its failure is its own affair, and when it lags
    /// by a whole ring it is cut off.
    ///
    /// On a [recorded](super::BusBuilder::recorded) bus it then reads the recording and joins again
    /// by itself; on another one it ends. After a failure [`Bus::resume`] takes up where it ended.
    /// Without this its failure stops the bus, and publishers wait for it when the ring is full.
    pub fn detachable(mut self) -> Self {
        self.policy = Policy::Detach;
        self
    }

    /// Begins at `sequence` instead of now: with what the ring still holds, or on a
    /// [recorded](super::BusBuilder::recorded) bus anywhere from 0 on.
    pub fn from(mut self, sequence: u64) -> Self {
        self.begin = Some(sequence);
        self
    }

    /// Begins with the first event that the former subscriber of this name has not handled, and has
    /// its policy; see [`Bus::resume`].
    ///
    /// ```
    /// # use bytemuck::{Pod, Zeroable};
    /// use ringtape::bus::{Bus, BusEvent, Context};
    ///
    /// # #[derive(Clone, Copy, Pod, Zeroable)]
    /// # #[repr(C)]
    /// # struct Tick { number: u64 }
    /// # impl BusEvent for Tick { const ID: u32 = 1; }
    /// let keep = |kept: &mut Vec<u64>, tick: &Tick, _: Context| Ok(kept.push(tick.number));
    /// let bus = Bus::builder("ticks").recorded().start()?;
    /// for number in 0..10 {
    ///     bus.publish(Tick { number })?;
    /// }
    /// bus.settle(std::time::Duration::from_secs(10));
    /// let mut some = bus.subscriber("keep", Vec::new()).from(0).detachable().on(keep).polled()?;
    /// assert_eq!(some.poll(4)?, 4);
    /// let kept = std::mem::take(some.state_mut());
    /// drop(some);
    /// let mut all = bus.subscriber("keep", kept).resuming().on(keep).polled()?;
    /// while all.state().len() < 10 {
    ///     all.poll(4)?;
    /// }
    /// assert!(all.state().iter().copied().eq(0..10), "nothing is left out, nothing comes twice");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn resuming(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Waits for events in another way than the bus.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Starts the subscriber on a thread of its own.
    ///
    /// # Errors
    ///
    /// * [`Error::Usage`] when the bus is closed, the name is taken, all
    ///   [seats](super::BusBuilder::subscribers_max) are, two types have the same number, or the
    ///   place to begin at is still to come.
    /// * [`Error::Overwritten`] when the place to begin at is gone.
    pub fn start(self) -> Result<()> {
        let core = Arc::clone(self.bus.core());
        let wait = self.wait.unwrap_or(core.wait);
        let (dispatch, source) = self.admit()?;
        Arc::clone(&dispatch.member).spawn(core, source, wait, dispatch)
    }

    /// Makes the subscriber one that its owner polls, beside whatever else its thread does.
    ///
    /// # Errors
    ///
    /// As [`SubscriberBuilder::start`].
    pub fn polled(self) -> Result<PolledSubscriber<S>> {
        let core = Arc::clone(self.bus.core());
        let (dispatch, source) = self.admit()?;
        Ok(PolledSubscriber { core, source: Some(source), dispatch })
    }

    /// Takes the subscriber's name and seat.
    fn admit(mut self) -> Result<(Dispatch<S>, Source)> {
        if let Some(clash) = self.clash {
            return Err(clash);
        }
        if self.resumes {
            let (begin, policy) = self.bus.ended(&self.name, Duration::ZERO)?;
            (self.begin, self.policy) = (Some(begin), policy);
        }
        let (member, source) = self.bus.admit(&self.name, self.policy, self.begin)?;
        Ok((Dispatch { handlers: self.handlers, delivered: 0, member }, source))
    }
}

impl<S> fmt::Debug for SubscriberBuilder<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("SubscriberBuilder");
        debug.field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// An event has the number of `E` and another size.
fn another_size<E: BusEvent>(envelope: &Envelope) -> String {
    let (name, bytes, found) = (std::any::type_name::<E>(), size_of::<E>(), envelope.bytes().len());
    format!("type {} has {found} bytes and `{name}` has {bytes}: it was recorded as another", E::ID)
}

/// A subscriber that its owner polls; [`SubscriberBuilder::polled`] makes it.
///
/// Dropping it unsubscribes, unless a panic drops it: that fails it like a handler's error. While
/// it is not polled it holds its events' slots, so its owner polls it before waiting for others and
/// publishes with [`try_publish`](super::Publisher::try_publish).
///
/// ```
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
/// let mut sum = bus
///     .subscriber("sum", 0)
///     .on(|sum: &mut u64, tick: &Tick, _context: Context| {
///         *sum += tick.number;
///         Ok(())
///     })
///     .polled()?;
/// for number in 0..10 {
///     publisher.publish(Tick { number })?;
/// }
/// assert_eq!((sum.poll(4)?, *sum.state()), (4, 6));
/// assert_eq!((sum.poll(100)?, *sum.state()), (6, 45));
///
/// *sum.state_mut() = 0;
/// publisher.publish(Tick { number: 10 })?;
/// drop(publisher);
/// assert_eq!((sum.poll(100)?, *sum.state()), (1, 10));
/// assert_eq!((sum.poll(100)?, sum.is_finished()), (0, true));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub struct PolledSubscriber<S> {
    core: Arc<Core>,
    /// `None` only while it is dropped.
    source: Option<Source>,
    dispatch: Dispatch<S>,
}

impl<S> PolledSubscriber<S> {
    /// Handles what is there, at most `max` events; returns how many, whatever their type.
    ///
    /// # Errors
    ///
    /// * [`Error::ConsumerFailed`] when a handler failed; every later poll is refused.
    /// * [`Error::StageCut`] when it was cut off.
    pub fn poll(&mut self, max: usize) -> Result<usize> {
        let Some(source) = &mut self.source else { return Ok(0) };
        let _inside = InsideGuard::enter(&self.core, &self.dispatch.member);
        let dispatch = &mut self.dispatch;
        let polled = source.poll_each(max, |sequence, event| dispatch.event(sequence, event));
        match &polled {
            Ok(0) => dispatch.idle(),
            Ok(_) => {}
            Err(error) => dispatch.member.finish(&self.core, Err(error)),
        }
        polled
    }

    /// Whether the bus is closed and every event is handled.
    pub fn is_finished(&self) -> bool {
        self.source.as_ref().is_some_and(Source::is_finished)
    }

    /// The state that its handlers share.
    pub fn state(&self) -> &S {
        &self.dispatch.handlers.state
    }

    /// The state, to be changed between polls.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.dispatch.handlers.state
    }
}

impl<S> Drop for PolledSubscriber<S> {
    fn drop(&mut self) {
        let Some(source) = self.source.take() else { return };
        let member = &self.dispatch.member;
        if source.is_finished() {
            drop(source);
            return member.finish(&self.core, Ok(()));
        }
        let (name, sequence) = (member.name.clone(), member.next());
        if std::thread::panicking() {
            drop(source);
            let cause = "the thread that polls it panicked".to_owned();
            let error = Error::ConsumerFailed { name, sequence, cause };
            return member.finish(&self.core, Err(&error));
        }
        let _ = source.leave();
        member.order(Order::Leave);
        member.finish(&self.core, Err(&Error::StageCut { name, sequence }));
    }
}

impl<S> fmt::Debug for PolledSubscriber<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("PolledSubscriber");
        debug.field("member", &self.dispatch.member).finish_non_exhaustive()
    }
}
