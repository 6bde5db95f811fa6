//! What all parts of one bus share: its ring, its types, whether it still takes events.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::envelope::Envelope;
use super::member::Member;
use super::registry::Registry;
use crate::error::{Error, Result};
use crate::ring::{InboxSender, Policy, Ring, Wait};

/// Who may still publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Intake {
    /// Everybody.
    Open,
    /// Only the bus's own subscribers, while they handle what was published before.
    Closing,
    /// Nobody.
    Closed,
}

impl Intake {
    const ALL: [Self; 3] = [Self::Open, Self::Closing, Self::Closed];
}

/// Why a bus stopped before it was told to: the error that publishers get from then on.
#[derive(Clone, Debug)]
struct Failure {
    name: String,
    sequence: u64,
    cause: String,
}

/// The part of a bus that publishers, subscribers and the sequencer share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) name: String,
    pub(super) wait: Wait,
    pub(super) registry: Registry,
    pub(super) ring: Ring<Envelope>,
    /// The way to the sequencer; `None` when a direct publisher owns the ring's producer.
    pub(super) inbox: Option<InboxSender<Envelope>>,
    intake: AtomicU8,
    failure: OnceLock<Failure>,
    /// Events that found no room and were not to wait for it.
    pub(super) refused: AtomicU64,
    /// Events that had to wait for room in the inbox.
    pub(super) waited: AtomicU64,
    /// Whether the sequencer has published everything that it took from the inbox.
    pub(super) is_at_rest: AtomicBool,
    /// Whether the sequencer is to end at once.
    pub(super) is_abandoned: AtomicBool,
    /// Events taken from the inbox that could not be published any more.
    pub(super) unpublished: AtomicU64,
    /// Whether the ring's producer is gone, so that the ring is closed.
    pub(super) is_sealed: AtomicBool,
}

impl Core {
    pub(super) fn new(
        name: String,
        wait: Wait,
        ring: Ring<Envelope>,
        inbox: Option<InboxSender<Envelope>>,
    ) -> Self {
        Self {
            name,
            wait,
            registry: Registry::new(),
            ring,
            is_at_rest: AtomicBool::new(inbox.is_none()),
            inbox,
            intake: AtomicU8::new(Intake::Open as u8),
            failure: OnceLock::new(),
            refused: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            is_abandoned: AtomicBool::new(false),
            unpublished: AtomicU64::new(0),
            is_sealed: AtomicBool::new(false),
        }
    }

    pub(super) fn intake(&self) -> Intake {
        // SYNC: Acquire, pairs with the AcqRel in `lower_intake`.
        Intake::ALL[usize::from(self.intake.load(Ordering::Acquire))]
    }

    /// Lets fewer publish; it never lets more.
    pub(super) fn lower_intake(&self, intake: Intake) {
        // SYNC: AcqRel, pairs with the Acquire in `intake`.
        self.intake.fetch_max(intake as u8, Ordering::AcqRel);
        if intake == Intake::Closed
            && let Some(inbox) = &self.inbox
        {
            inbox.close();
        }
    }

    /// Stops the bus because of `error`; only the first one is kept.
    pub(super) fn fail(&self, error: &Error) {
        let failure = match error {
            Error::ConsumerFailed { name, sequence, cause } => {
                Failure { name: name.clone(), sequence: *sequence, cause: cause.clone() }
            }
            other => Failure {
                name: self.name.clone(),
                sequence: self.ring.published(),
                cause: other.to_string(),
            },
        };
        let _ = self.failure.set(failure);
        self.lower_intake(Intake::Closed);
    }

    /// What stopped the bus, if anything did.
    pub(super) fn failure(&self) -> Option<Error> {
        let Failure { name, sequence, cause } = self.failure.get()?.clone();
        Some(Error::ConsumerFailed { name, sequence, cause })
    }

    /// Whether the calling thread may publish now.
    ///
    /// # Errors
    ///
    /// [`Core::refusal`] when it may not.
    #[inline]
    pub(super) fn admit(&self) -> Result<()> {
        if self.intake() == Intake::Open { Ok(()) } else { self.admit_late() }
    }

    #[cold]
    fn admit_late(&self) -> Result<()> {
        let may = self.intake() == Intake::Closing && self.inside().is_some();
        if may { Ok(()) } else { Err(self.refusal()) }
    }

    /// Why nothing is published any more.
    #[cold]
    pub(super) fn refusal(&self) -> Error {
        self.failure().unwrap_or_else(|| {
            let what = format!("bus `{}` is closed", self.name);
            Error::usage(what, "publish before closing it or shutting it down")
        })
    }

    /// The subscriber of this bus whose handler the calling thread runs, if it runs one.
    fn inside(&self) -> Option<Arc<Member>> {
        INSIDE.with_borrow(|inside| {
            let here = inside.as_ref().filter(|inside| inside.bus == self.identity());
            here.map(|inside| Arc::clone(&inside.subscriber))
        })
    }

    fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// An error when the calling thread would wait for itself: it runs the handler of the
    /// subscriber that the whole bus waits for, so no room will ever come.
    #[cold]
    pub(super) fn check_self_wait(&self) -> Result<()> {
        let Some(subscriber) = self.inside() else { return Ok(()) };
        if subscriber.policy == Policy::Detach {
            return Ok(());
        }
        let name = &subscriber.name;
        let capacity = self.ring.capacity() as u64;
        let is_slowest = |lag| lag >= capacity;
        let stages = self.ring.stages();
        if !stages.iter().any(|stage| stage.name == *name && is_slowest(stage.lag)) {
            return Ok(());
        }
        let what =
            format!("subscriber `{name}` of bus `{}` waits for itself to publish", self.name);
        Err(Error::usage(what, "use `try_publish` in handlers, or a larger capacity or inbox"))
    }
}

thread_local! {
    static INSIDE: RefCell<Option<Inside>> = const { RefCell::new(None) };
}

/// Which handler a thread runs.
#[derive(Debug)]
struct Inside {
    /// The address of the bus's core, which lives at least as long as the handler.
    bus: usize,
    subscriber: Arc<Member>,
}

/// Marks the calling thread as one that runs a subscriber's handler, until it is dropped.
#[derive(Debug)]
pub(super) struct InsideGuard {
    outer: Option<Inside>,
}

impl InsideGuard {
    pub(super) fn enter(core: &Core, subscriber: &Arc<Member>) -> Self {
        let here = Inside { bus: core.identity(), subscriber: Arc::clone(subscriber) };
        Self { outer: INSIDE.replace(Some(here)) }
    }
}

impl Drop for InsideGuard {
    fn drop(&mut self) {
        INSIDE.set(self.outer.take());
    }
}
