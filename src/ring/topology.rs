//! The graph of a ring's stages: declared by name and id, checked, then built.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::consumer::Consumer;
use super::cursor::{Gate, GateState, Head, Line, Policy};
use super::exclusive::ExclusiveConsumer;
use super::handle::Ring;
use super::producer::Producer;
use super::progress::StageCursor;
use super::slots::{Memory, Reader};
use crate::error::{Error, Result};

/// Identities of builders; no two in a process are the same.
static BUILDERS: AtomicU64 = AtomicU64::new(0);

/// A stage of one ring; means nothing to another ring.
///
/// ```
/// use ringtape::ring::{RingBuilder, StageId};
///
/// let mut builder = RingBuilder::<u64>::new("market", 2)?;
/// let journal: StageId = builder.stage("journal", &[])?;
/// let mut other = RingBuilder::<u64>::new("executions", 2)?;
/// assert!(other.stage("portfolio", &[journal]).is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageId {
    builder: u64,
    index: usize,
}

/// A stage as it is declared.
#[derive(Debug)]
struct Stage {
    name: String,
    /// The stages that it follows, by index; none means that it follows the writer.
    upstreams: Vec<usize>,
    policy: Policy,
    is_exclusive: bool,
}

/// Declares a ring: its name, its capacity and the graph of its stages.
///
/// Records are plain old data, so that one that was never written is a record too:
///
/// ```compile_fail,E0599
/// use ringtape::ring::RingBuilder;
///
/// let builder = RingBuilder::<String>::new("words", 4).unwrap();
/// ```
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
    is_observable: bool,
    spare_stages: usize,
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
        Ok(Self {
            name,
            capacity,
            identity,
            is_observable: false,
            spare_stages: 0,
            stages: Vec::new(),
            record: PhantomData,
        })
    }

    /// Lets the ring be read by copy, which observers and detachable stages do: records go in as
    /// atomic words behind a mark that tells which old ones are gone, at the price of one more
    /// copy of each record.
    ///
    /// ```
    /// use ringtape::ring::RingBuilder;
    ///
    /// let mut builder = RingBuilder::<u64>::new("market", 64)?;
    /// builder.observable()?;
    /// builder.detachable("email", &[])?;
    /// assert!(RingBuilder::<[u8; 3]>::new("letters", 64)?.observable().is_err());
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] unless records consist of aligned 8-byte words.
    pub fn observable(&mut self) -> Result<()> {
        if !size_of::<T>().is_multiple_of(8) || !align_of::<T>().is_multiple_of(8) {
            let what = format!("records of ring `{}` are not made of 8-byte words", self.name);
            return Err(Error::usage(what, "give the record a u64 field and pad it to 8 bytes"));
        }
        self.is_observable = true;
        Ok(())
    }

    /// Keeps room for `count` stages that are attached to the built ring.
    ///
    /// ```
    /// use ringtape::ring::RingBuilder;
    ///
    /// let mut builder = RingBuilder::<u64>::new("market", 64)?;
    /// builder.spare_stages(1);
    /// let (producer, _) = builder.build()?;
    /// let late = producer.ring().attach("late", &[])?;
    /// assert!(producer.ring().attach("later", &[]).is_err(), "there was one seat");
    /// # drop(late);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn spare_stages(&mut self, count: usize) {
        self.spare_stages = count;
    }

    /// Declares a stage that sees each record once all of `upstreams` have released it; without
    /// upstreams, once it is published. Its failure stops the producer and the stages behind it.
    ///
    /// A stage can follow only stages that are already declared, so the graph has no cycle.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the name is taken or an upstream belongs to another builder or is
    /// detachable.
    pub fn stage(&mut self, name: impl Into<String>, upstreams: &[StageId]) -> Result<StageId> {
        self.declare(name.into(), upstreams, Policy::Stop, false)
    }

    /// Declares a stage that nobody waits for: when it fails, or lags by a whole ring, it is cut
    /// off and gets [`Error::StageCut`], and nobody else notices.
    ///
    /// It reads by copy, so the ring must be [`observable`](Self::observable), and no stage can
    /// follow it.
    ///
    /// # Errors
    ///
    /// Those of [`stage`](Self::stage); [`build`](Self::build) refuses a ring that is not
    /// observable.
    pub fn detachable(
        &mut self,
        name: impl Into<String>,
        upstreams: &[StageId],
    ) -> Result<StageId> {
        self.declare(name.into(), upstreams, Policy::Detach, false)
    }

    /// Declares a stage that may change the records, for those behind it.
    ///
    /// ```
    /// use ringtape::ring::RingBuilder;
    ///
    /// let mut builder = RingBuilder::<u64>::new("market", 64)?;
    /// let double = builder.exclusive("double", &[])?;
    /// let sum = builder.stage("sum", &[double])?;
    /// let (mut producer, mut consumers) = builder.build()?;
    /// let (mut double, mut sum) = (consumers.take_exclusive(double)?, consumers.take(sum)?);
    /// let mut claim = producer.claim(2, Default::default())?;
    /// claim.for_each_mut(|i, number| *number = 10 + i as u64);
    /// claim.commit_all();
    ///
    /// double.poll(2)?.for_each_mut(|_, number| *number *= 2);
    /// assert_eq!(sum.poll(2)?.iter().sum::<u64>(), 42);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`stage`](Self::stage); [`build`](Self::build) refuses a graph in which another
    /// stage is neither before nor behind it, and an observable ring.
    pub fn exclusive(&mut self, name: impl Into<String>, upstreams: &[StageId]) -> Result<StageId> {
        self.declare(name.into(), upstreams, Policy::Stop, true)
    }

    fn declare(
        &mut self,
        name: String,
        upstreams: &[StageId],
        policy: Policy,
        is_exclusive: bool,
    ) -> Result<StageId> {
        if self.stages.iter().any(|stage| stage.name == name) {
            let what = format!("ring `{}` already has a stage `{name}`", self.name);
            return Err(Error::usage(what, "give each stage a name of its own"));
        }
        if upstreams.iter().any(|id| id.builder != self.identity) {
            let what = format!("stage `{name}` of ring `{}` follows a foreign stage", self.name);
            return Err(Error::usage(what, "name stages that the same builder declared"));
        }
        let upstreams: Vec<usize> = upstreams.iter().map(|id| id.index).collect();
        if let Some(&up) = upstreams.iter().find(|&&up| self.stages[up].policy == Policy::Detach) {
            let what =
                format!("stage `{name}` follows detachable stage `{}`", self.stages[up].name);
            return Err(Error::usage(what, "follow a stage that cannot go away"));
        }
        let id = StageId { builder: self.identity, index: self.stages.len() };
        self.stages.push(Stage { name, upstreams, policy, is_exclusive });
        Ok(id)
    }

    /// Allocates the ring and hands out its two sides. Nothing is allocated afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when no stage was declared and none can come later, the memory cannot be
    /// had, or a detachable or exclusive stage asks for what the ring cannot give.
    pub fn build(self) -> Result<(Producer<T>, Consumers<T>)> {
        if self.stages.is_empty() && self.spare_stages == 0 && !self.is_observable {
            let what = format!("ring `{}` has no stage", self.name);
            return Err(Error::usage(what, "declare at least one, or nothing is ever read"));
        }
        let lines = self.lines()?;
        let is_sink = |line: &&Arc<Line>| !lines.iter().any(|other| other.is_behind(line));
        let sinks = lines.iter().filter(is_sink).cloned().collect();
        let head = Head::new(self.name, self.capacity, self.is_observable, self.spare_stages);
        let (memory, writer) = Memory::new(head, sinks)?;
        memory.head.lines().extend(lines.iter().cloned());
        let seats = lines.into_iter().zip(&self.stages).map(|(line, stage)| Seat {
            reader: Some(memory.reader(Arc::clone(&line), stage.is_exclusive)),
            is_exclusive: stage.is_exclusive,
            line,
        });
        let seats = seats.collect();
        let exclusives = self.stages.iter().enumerate().filter(|(_, stage)| stage.is_exclusive);
        let exclusives = exclusives.map(|(index, _)| index).collect();
        let ring = Ring::new(memory, self.identity, exclusives);
        Ok((Producer::new(writer, ring.clone()), Consumers { ring, seats }))
    }

    /// The stages as the ring knows them, checked.
    fn lines(&self) -> Result<Vec<Arc<Line>>> {
        let mut lines: Vec<Arc<Line>> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let state = match stage.policy {
                Policy::Stop => GateState::Live,
                Policy::Detach if self.is_observable => GateState::Detachable,
                Policy::Detach => {
                    let what = format!("stage `{}` is detachable, its ring not", stage.name);
                    return Err(Error::usage(what, "make the ring observable"));
                }
            };
            let upstreams = stage.upstreams.iter().map(|&up| Arc::clone(&lines[up])).collect();
            let gate = Arc::new(CachePadded::new(Gate::new(state)));
            lines.push(Line::new(stage.name.clone(), stage.policy, upstreams, gate, false));
        }
        for (own, _) in lines.iter().zip(&self.stages).filter(|(_, stage)| stage.is_exclusive) {
            let is_apart = |other: &&Arc<Line>| {
                !Arc::ptr_eq(own, other) && !own.is_behind(other) && !other.is_behind(own)
            };
            if let Some(other) = lines.iter().find(is_apart) {
                let what = format!("`{}` and exclusive stage `{}`", other.name, own.name);
                let what = format!("{what} may hold the same record at once");
                return Err(Error::usage(what, "put one before the other"));
            }
            if self.is_observable {
                let what = format!("exclusive stage `{}` is on an observable ring", own.name);
                return Err(Error::usage(what, "observe another ring"));
            }
        }
        Ok(lines)
    }
}

impl StageId {
    /// The stage's index, if it belongs to the ring of that identity.
    pub(super) fn index_in(self, identity: u64) -> Option<usize> {
        (self.builder == identity).then_some(self.index)
    }
}

/// The consumers of a built ring, to be taken one by one by their ids.
///
/// A consumer that is still here when this is dropped counts as dropped before it finished.
///
/// ```
/// use ringtape::ring::RingBuilder;
///
/// let mut builder = RingBuilder::<u64>::new("market", 2)?;
/// let stamp = builder.exclusive("stamp", &[])?;
/// let journal = builder.stage("journal", &[stamp])?;
/// let (_producer, mut consumers) = builder.build()?;
/// let progress = consumers.cursor(journal)?;
/// let journal_consumer = consumers.take(journal)?;
/// assert_eq!((progress.sequence(), journal_consumer.position()), (0, 0));
/// assert!(consumers.take(journal).is_err(), "it is taken");
/// let mut stamp = consumers.take_exclusive(stamp)?;
/// assert_eq!(consumers.ring().stages()[0].name, stamp.consumer().name());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Consumers<T: Pod> {
    ring: Ring<T>,
    seats: Vec<Seat<T>>,
}

#[derive(Debug)]
struct Seat<T: Pod> {
    line: Arc<Line>,
    is_exclusive: bool,
    reader: Option<Reader<T>>,
}

impl<T: Pod> Consumers<T> {
    /// The consumer of stage `id`, which moves to the thread that runs the stage.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when `id` belongs to another ring, its consumer was taken before, or it
    /// is an exclusive stage.
    pub fn take(&mut self, id: StageId) -> Result<Consumer<T>> {
        self.take_reader(id, false).map(Consumer::new)
    }

    /// The consumer of exclusive stage `id`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when `id` belongs to another ring, its consumer was taken before, or it
    /// is not an exclusive stage.
    pub fn take_exclusive(&mut self, id: StageId) -> Result<ExclusiveConsumer<T>> {
        self.take_reader(id, true).map(|reader| ExclusiveConsumer::new(Consumer::new(reader)))
    }

    /// A view of how far stage `id` has come, for any thread; it works before and after `take`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when `id` belongs to another ring.
    pub fn cursor(&self, id: StageId) -> Result<StageCursor> {
        let index = self.ring.index_of(id)?;
        Ok(self.ring.cursor_of(&self.seats[index].line))
    }

    /// The ring as seen from outside: gauges, and stages that come and go.
    pub fn ring(&self) -> Ring<T> {
        self.ring.clone()
    }

    fn take_reader(&mut self, id: StageId, as_exclusive: bool) -> Result<Reader<T>> {
        let index = self.ring.index_of(id)?;
        let seat = &mut self.seats[index];
        let name = &seat.line.name;
        if seat.is_exclusive != as_exclusive {
            let (what, cure) = match as_exclusive {
                true => (format!("stage `{name}` is not exclusive"), "take it with `take`"),
                false => (format!("stage `{name}` is exclusive"), "take it with `take_exclusive`"),
            };
            return Err(Error::usage(what, cure));
        }
        seat.reader.take().ok_or_else(|| {
            let what = format!("the consumer of stage `{name}` was already taken");
            Error::usage(what, "take each consumer once and keep it")
        })
    }
}

impl<T: Pod> Drop for Consumers<T> {
    fn drop(&mut self) {
        for reader in self.seats.iter_mut().filter_map(|seat| seat.reader.take()) {
            drop(Consumer::new(reader));
        }
    }
}
