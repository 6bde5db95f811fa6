//! Consumers of the application itself on the engine's rings.
//!
//! A guest stands beside the engine's own stages: it holds the writer back like them, and fails
//! like them. One that has a handler is an agent on the engine's runners; one without is handed
//! out and polled.

use std::fmt;

use bytemuck::Pod;

use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::limits::BATCH_RECORDS_MAX;
use crate::ring::{Consumer, Consumers, HandlerResult, RingBuilder, StageId};
use crate::runtime::{Agent, AgentLoad};
use crate::units::Nanos;

/// Expected cost of a record to a guest, in ns.
const LOAD: u32 = 10;

/// What a guest does with a record.
type Handle<T> = Box<dyn FnMut(u64, &T) -> HandlerResult + Send>;

/// A consumer that the application asked for.
pub(super) struct Guest<T> {
    name: &'static str,
    /// `None` for one that is polled.
    handle: Option<Handle<T>>,
}

impl<T> fmt::Debug for Guest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_polled = self.handle.is_none();
        f.debug_struct("Guest").field("name", &self.name).field("is_polled", &is_polled).finish()
    }
}

/// The guests of both rings.
#[derive(Debug, Default)]
pub(super) struct Guests {
    pub(super) market: Vec<Guest<Event>>,
    pub(super) executions: Vec<Guest<Execution>>,
}

impl Guests {
    /// Those that are agents, behind all others of the plan.
    pub(super) fn loads(&self) -> impl Iterator<Item = AgentLoad> {
        let market = self.market.iter().filter(|guest| guest.handle.is_some());
        let executions = self.executions.iter().filter(|guest| guest.handle.is_some());
        let names = market.map(|guest| guest.name).chain(executions.map(|guest| guest.name));
        names.map(|name| AgentLoad { name, weight: LOAD })
    }
}

/// The guests of a ring that is built.
pub(super) struct Seated<T: Pod> {
    pub(super) agents: Vec<Box<dyn Agent>>,
    pub(super) polled: Polled<T>,
}

/// Consumers that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Polled<T: Pod>(Vec<Consumer<T>>);

impl<T: Pod + Send + Sync> Guest<T> {
    /// One that an agent runs, or one that is polled.
    pub(super) fn new(name: &'static str, handle: Option<Handle<T>>) -> Self {
        Self { name, handle }
    }

    /// Declares stages that wait for what `upstream` are done with.
    pub(super) fn declare(
        guests: &[Self],
        ring: &mut RingBuilder<T>,
        upstream: &[StageId],
    ) -> Result<Vec<StageId>> {
        guests.iter().map(|guest| ring.stage(guest.name, upstream)).collect()
    }

    /// Seats guests at the stages that were declared for them.
    pub(super) fn seat(
        guests: Vec<Self>,
        stages: Vec<StageId>,
        consumers: &mut Consumers<T>,
    ) -> Result<Seated<T>> {
        let (mut agents, mut polled) = (Vec::<Box<dyn Agent>>::new(), Vec::new());
        for (Guest { name, handle }, stage) in guests.into_iter().zip(stages) {
            let consumer = consumers.take(stage)?;
            match handle {
                Some(handle) => agents.push(Box::new(Attendant { name, consumer, handle })),
                None => polled.push(consumer),
            }
        }
        Ok(Seated { agents, polled: Polled(polled) })
    }
}

impl<T: Pod> Polled<T> {
    /// The consumer called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is none, or it was taken before.
    pub(super) fn take(&mut self, name: &str) -> Result<Consumer<T>> {
        let at = self.0.iter().position(|consumer| consumer.name() == name);
        at.map(|at| self.0.remove(at)).ok_or_else(|| {
            let what = format!("no consumer `{name}` waits to be polled");
            Error::usage(what, "declare it when building the engine, and take it once")
        })
    }
}

/// The agent that runs a guest.
struct Attendant<T: Pod> {
    name: &'static str,
    consumer: Consumer<T>,
    handle: Handle<T>,
}

impl<T: Pod + Send + Sync> Agent for Attendant<T> {
    fn name(&self) -> &str {
        self.name
    }

    fn do_work(&mut self) -> Result<usize> {
        self.consumer.poll_each(BATCH_RECORDS_MAX, &mut self.handle)
    }

    fn completed(&mut self, _started: Nanos, _now: Nanos) {}

    fn is_done(&self) -> bool {
        self.consumer.is_finished()
    }

    fn fail(&mut self, cause: &str) {
        self.consumer.fail(self.consumer.position(), cause);
    }

    fn finish(&mut self) {}
}
