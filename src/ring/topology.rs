//! The graph of a ring's stages: declared by name and id, checked, then built.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::consumer::Consumer;
use super::producer::Producer;
use super::slots::{self, Head, Line, Stage};
use crate::error::{Error, Result};

/// Identities of builders; no two in a process are the same.
static BUILDERS: AtomicU64 = AtomicU64::new(0);

/// A stage of one ring; means nothing to another ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageId {
    builder: u64,
    index: usize,
}

/// Declares a ring: its name, its capacity and the graph of its stages.
///
/// ```
/// use ringtape::ring::RingBuilder;
///
/// let mut builder = RingBuilder::<u64>::new("market", 1024)?;
/// let journal = builder.stage("journal", &[])?;
/// let matching = builder.stage("matching", &[journal])?;
/// let (producer, mut consumers) = builder.build()?;
/// let matching = consumers.take(matching)?;
/// assert_eq!((producer.capacity(), matching.name()), (1024, "matching"));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct RingBuilder<T> {
    name: String,
    capacity: usize,
    identity: u64,
    stages: Vec<Stage>,
    record: PhantomData<fn() -> T>,
}

impl<T: Pod> RingBuilder<T> {
    /// Begins a ring of `capacity` slots.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] unless `capacity` is a power of two (1 and 2 are).
    pub fn new(name: impl Into<String>, capacity: usize) -> Result<Self> {
        let name = name.into();
        if !capacity.is_power_of_two() {
            let what = format!("ring `{name}` cannot have {capacity} slots");
            return Err(Error::usage(what, "choose a power of two"));
        }
        // WHY: Relaxed, because only the number's uniqueness matters.
        let identity = BUILDERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { name, capacity, identity, stages: Vec::new(), record: PhantomData })
    }

    /// Declares a stage that sees each record once all of `upstreams` have released it; without
    /// upstreams, once it is published.
    ///
    /// A stage can follow only stages that are already declared, so the graph has no cycle.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the name is taken or an upstream belongs to another builder.
    pub fn stage(&mut self, name: impl Into<String>, upstreams: &[StageId]) -> Result<StageId> {
        let name = name.into();
        if self.stages.iter().any(|stage| stage.name == name) {
            let what = format!("ring `{}` already has a stage `{name}`", self.name);
            return Err(Error::usage(what, "give each stage a name of its own"));
        }
        if upstreams.iter().any(|id| id.builder != self.identity) {
            let what = format!("stage `{name}` of ring `{}` follows a foreign stage", self.name);
            return Err(Error::usage(what, "name stages that the same builder declared"));
        }
        let id = StageId { builder: self.identity, index: self.stages.len() };
        let upstreams = upstreams.iter().map(|id| id.index).collect();
        self.stages.push(Stage { name, upstreams });
        Ok(id)
    }

    /// Allocates the ring and hands out its two sides. Nothing is allocated afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when no stage was declared or the memory cannot be had.
    pub fn build(self) -> Result<(Producer<T>, Consumers<T>)> {
        if self.stages.is_empty() {
            let what = format!("ring `{}` has no stage", self.name);
            return Err(Error::usage(what, "declare at least one, or nothing is ever released"));
        }
        let (writer, readers) = slots::slots(self.name, self.capacity, self.stages)?;
        let seats = readers.into_iter().map(|reader| Seat {
            cursor: StageCursor {
                head: Arc::clone(reader.head()),
                line: Arc::clone(reader.line()),
            },
            consumer: Some(Consumer::new(reader)),
        });
        let consumers = Consumers { identity: self.identity, seats: seats.collect() };
        Ok((Producer::new(writer), consumers))
    }
}

/// The consumers of a built ring, to be taken one by one by their ids.
///
/// A consumer that is still here when this is dropped counts as dropped before it finished.
#[derive(Debug)]
pub struct Consumers<T: Pod> {
    identity: u64,
    seats: Vec<Seat<T>>,
}

#[derive(Debug)]
struct Seat<T: Pod> {
    cursor: StageCursor,
    consumer: Option<Consumer<T>>,
}

impl<T: Pod> Consumers<T> {
    /// The consumer of stage `id`, which moves to the thread that runs the stage.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when `id` belongs to another ring or its consumer was taken before.
    pub fn take(&mut self, id: StageId) -> Result<Consumer<T>> {
        self.check(id)?;
        let seat = &mut self.seats[id.index];
        seat.consumer.take().ok_or_else(|| {
            let what = format!("the consumer of stage `{}` was already taken", seat.cursor.name());
            Error::usage(what, "take each consumer once and keep it")
        })
    }

    /// A view of how far stage `id` has come, for any thread; it works before and after `take`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when `id` belongs to another ring.
    pub fn cursor(&self, id: StageId) -> Result<StageCursor> {
        self.check(id)?;
        Ok(self.seats[id.index].cursor.clone())
    }

    fn check(&self, id: StageId) -> Result<()> {
        if id.builder == self.identity {
            return Ok(());
        }
        let ring = &self.seats[0].cursor.head.name;
        let what = format!("ring `{ring}` was asked for a foreign stage");
        Err(Error::usage(what, "use the ids that its own builder returned"))
    }
}

/// How far one stage has come, readable from any thread at any time.
#[derive(Clone, Debug)]
pub struct StageCursor {
    head: Arc<CachePadded<Head>>,
    line: Arc<CachePadded<Line>>,
}

impl StageCursor {
    /// The number of records that the stage has released: its next sequence.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.line.position()
    }

    /// Whether the stage has failed, or stopped because one before it did: it comes no further than
    /// [`sequence`](Self::sequence) says when it is asked after this.
    pub fn has_failed(&self) -> bool {
        self.line.alarm.is_raised()
    }

    /// The number of records that are published and not yet released by the stage.
    pub fn lag(&self) -> u64 {
        self.head.lag_of(&self.line)
    }

    /// The stage's name.
    pub fn name(&self) -> &str {
        &self.line.name
    }
}
