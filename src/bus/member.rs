//! Members: what the bus knows of each subscriber, and the threads that run them.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::core::{Core, InsideGuard};
use super::envelope::Envelope;
use super::stats::{SubscriberState, SubscriberStats};
use crate::error::{Error, Result};
use crate::ring::{CatchUp, Consumer, Handler, HandlerResult, Policy, Recording, StageState, Wait};

/// A recording of any kind.
pub(super) type AnyRecording = Box<dyn Recording<Envelope> + Send>;

/// What a subscriber reads.
pub(super) enum Source {
    /// The ring.
    Live(Consumer<Envelope>),
    /// A recording, then the ring.
    Recorded(CatchUp<Envelope, AnyRecording>),
}

impl Source {
    fn run(&mut self, wait: Wait, handler: &mut impl Handler<Envelope>) -> Result<()> {
        match self {
            Self::Live(consumer) => consumer.run(wait, handler),
            Self::Recorded(catch_up) => catch_up.run(wait, handler),
        }
    }

    pub(super) fn poll_each(
        &mut self,
        max: usize,
        handler: impl FnMut(u64, &Envelope) -> HandlerResult,
    ) -> Result<usize> {
        match self {
            Self::Live(consumer) => consumer.poll_each(max, handler),
            Self::Recorded(catch_up) => catch_up.poll_each(max, handler),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Live(consumer) => consumer.is_finished(),
            Self::Recorded(catch_up) => catch_up.is_finished(),
        }
    }

    pub(super) fn leave(self) -> Result<u64> {
        match self {
            Self::Live(consumer) => consumer.leave(),
            Self::Recorded(catch_up) => catch_up.leave(),
        }
    }
}

/// What a subscriber is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Go,
    /// Leave between two batches.
    Leave,
    /// Handle nothing more.
    Stop,
}

impl Order {
    const ALL: [Self; 3] = [Self::Go, Self::Leave, Self::Stop];
}

/// What the bus knows of one subscriber.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) policy: Policy,
    /// The first event that is not handled.
    next: AtomicU64,
    delivered: AtomicU64,
    /// Whether it falls back to a recording when it is cut off.
    is_recorded: bool,
    order: AtomicU8,
    end: Mutex<Option<SubscriberState>>,
    ended: Condvar,
}

impl Member {
    pub(super) fn new(name: &str, policy: Policy, begin: u64, is_recorded: bool) -> Self {
        Self {
            name: name.to_owned(),
            policy,
            next: AtomicU64::new(begin),
            delivered: AtomicU64::new(0),
            is_recorded,
            order: AtomicU8::new(Order::Go as u8),
            end: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    /// The first event that it has not handled.
    pub(super) fn next(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `handled`: who sees an event as handled sees
        // what the handler did, such as publishing.
        self.next.load(Ordering::Acquire)
    }

    /// Notes that everything before `next` is handled; only who runs the subscriber does.
    #[inline]
    pub(super) fn handled(&self, next: u64, delivered: u64) {
        // WHY: Relaxed and no read-modify-write, because there is one writer.
        self.delivered.store(delivered, Ordering::Relaxed);
        // SYNC: Release, pairs with the Acquire in `next`.
        self.next.store(next, Ordering::Release);
    }

    /// Gives an order; it is never taken back.
    pub(super) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::Relaxed);
    }

    /// The order that it was given last.
    #[inline]
    pub(super) fn ordered(&self) -> Order {
        Order::ALL[usize::from(self.order.load(Ordering::Relaxed))]
    }

    fn end(&self) -> MutexGuard<'_, Option<SubscriberState>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end().is_some()
    }

    /// Notes how it ended, and stops the bus if its policy says so.
    pub(super) fn finish(&self, core: &Core, outcome: Result<(), &Error>) {
        let state = match outcome {
            Ok(()) => SubscriberState::Finished,
            Err(Error::StageCut { .. }) if self.ordered() == Order::Leave => SubscriberState::Left,
            Err(Error::StageCut { .. }) => SubscriberState::Cut,
            Err(_) if self.ordered() == Order::Stop => SubscriberState::Cut,
            Err(error) => {
                if self.policy == Policy::Stop {
                    core.fail(error);
                }
                SubscriberState::Failed(error.to_string())
            }
        };
        self.end().get_or_insert(state);
        self.ended.notify_all();
    }

    /// Waits until it has ended, at most until `deadline`; whether it has.
    pub(super) fn wait_end(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.ended.wait_timeout_while(self.end(), left, |end| end.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }

    pub(super) fn stats(&self, core: &Core) -> SubscriberStats {
        let end = self.end().clone();
        let is_running = end.is_none();
        let sequence = self.next();
        SubscriberStats {
            name: self.name.clone(),
            policy: self.policy,
            sequence,
            lag: core.ring.published().saturating_sub(sequence),
            delivered: self.delivered.load(Ordering::Relaxed),
            state: end.unwrap_or_else(|| self.running_state(core)),
            is_running,
        }
    }

    /// Whether nothing is to be expected of it any more.
    pub(super) fn is_away(&self, core: &Core) -> bool {
        self.has_ended() || self.running_state(core) == SubscriberState::Cut
    }

    /// What it is about while its thread has not ended.
    fn running_state(&self, core: &Core) -> SubscriberState {
        // The newest stage of that name may be that of an earlier subscriber, which is gone.
        let stage = core.ring.cursor(&self.name).map(|stage| stage.status().state);
        match stage {
            Ok(StageState::Live | StageState::Failed | StageState::Finished) => {
                SubscriberState::Live
            }
            _ if self.is_recorded && self.ordered() == Order::Go => SubscriberState::CatchingUp,
            _ => SubscriberState::Cut,
        }
    }

    /// Runs the subscriber on a thread of its own.
    pub(super) fn spawn<H>(
        self: Arc<Self>,
        core: Arc<Core>,
        source: Source,
        wait: Wait,
        handler: H,
    ) -> Result<()>
    where
        H: Handler<Envelope> + Send + 'static,
    {
        let name = format!("{} {}", core.name, self.name);
        let run = move || self.run(&core, source, wait, handler);
        let spawned = thread::Builder::new().name(name).spawn(run);
        spawned.map(drop).map_err(|source| Error::io("start a thread for", "a subscriber", source))
    }

    fn run(
        self: &Arc<Self>,
        core: &Core,
        mut source: Source,
        wait: Wait,
        mut handler: impl Handler<Envelope>,
    ) {
        let _inside = InsideGuard::enter(core, self);
        let outcome = source.run(wait, &mut handler);
        // The seat is given back first: who sees the end may take name and seat again.
        drop(source);
        self.finish(core, outcome.as_ref().copied());
    }
}
