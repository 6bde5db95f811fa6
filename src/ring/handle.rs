//! The ring as seen from outside: gauges, and stages that come and go while it runs.

use std::sync::Arc;

use bytemuck::Pod;
use crossbeam::utils::CachePadded;

use super::bell::Bell;
use super::catch_up::{CatchUp, Recording};
use super::consumer::Consumer;
use super::cursor::{Gate, GateState, Head, Line, Policy, lowest};
use super::failure::End;
use super::observer::Observer;
use super::progress::{StageCursor, StageStatus};
use super::slots::{Memory, Start};
use super::sync::yield_now;
use super::topology::StageId;
use crate::error::{Error, Result};

/// A ring as seen from outside, for any thread; to clone it is cheap.
///
/// It reads the gauges, attaches and cuts stages, and makes observers. Nothing here takes part in
/// the data path, and it works while the producer is idle.
///
/// ```
/// use ringtape::ring::{RingBuilder, StageState, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// builder.observable()?;
/// builder.spare_stages(2);
/// let journal = builder.stage("journal", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let ring = producer.ring();
/// producer.claim(3, Wait::Yield)?.commit_all();
///
/// assert_eq!((ring.name(), ring.capacity(), ring.is_ended()), ("market", 8, false));
/// assert_eq!((ring.published(), ring.fill(), ring.dropped()), (3, 3, 0));
/// let late = ring.attach("late", &[journal])?;
/// assert_eq!(late.position(), 0, "behind the journal, which has released nothing yet");
/// let status = ring.stages();
/// assert_eq!((status[0].name.as_str(), status[0].lag), ("journal", 3));
/// ring.cut("late")?;
/// assert_eq!(ring.stages()[1].state, StageState::Leaving);
///
/// let guest = ring.attach_detachable("guest", Some(1))?;
/// assert_eq!((guest.lag(), ring.cursor("guest")?.lag()), (2, 2));
/// assert_eq!(ring.observe("watch")?.position(), 3, "it sees what comes from now on");
/// producer.close();
/// assert!(ring.is_ended());
/// # drop((late, consumers.take(journal)?));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Ring<T> {
    memory: Memory<T>,
    identity: u64,
    /// Stages that change records, by index: who comes later must stand behind them.
    exclusives: Arc<[usize]>,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self {
            memory: self.memory.clone(),
            identity: self.identity,
            exclusives: Arc::clone(&self.exclusives),
        }
    }
}

impl<T: Pod> Ring<T> {
    pub(super) fn new(memory: Memory<T>, identity: u64, exclusives: Arc<[usize]>) -> Self {
        Self { memory, identity, exclusives }
    }

    fn head(&self) -> &Arc<CachePadded<Head>> {
        &self.memory.head
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.head().bell
    }

    /// The ring's name.
    pub fn name(&self) -> &str {
        &self.head().name
    }

    /// The number of slots.
    pub fn capacity(&self) -> usize {
        self.head().capacity as usize
    }

    /// Records published so far.
    pub fn published(&self) -> u64 {
        self.head().position()
    }

    /// Records published and not yet released by the slowest stage that holds the producer back.
    pub fn fill(&self) -> u64 {
        let gates: Vec<_> = self.head().lines().iter().map(|line| line.gate.clone()).collect();
        // The gates first: they only move forwards, so the fill is never negative.
        let released = lowest(&gates, GateState::holds, u64::MAX);
        let published = self.published();
        published - released.min(published)
    }

    /// Records that the producer dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.head().dropped()
    }

    /// Whether the producer has closed the ring or failed.
    pub fn is_ended(&self) -> bool {
        self.head().end() != End::Open
    }

    /// Every stage: the declared ones in order, then those attached, also after they left, until
    /// another takes their seat.
    pub fn stages(&self) -> Vec<StageStatus> {
        self.head().lines().iter().map(|line| self.cursor_of(line).status()).collect()
    }

    /// A view of how far the stage called `name` has come.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is none.
    pub fn cursor(&self, name: &str) -> Result<StageCursor> {
        let lines = self.head().lines();
        Ok(self.cursor_of(self.line_in(&lines, name)?))
    }

    /// Attaches a stage that sees everything from now on that `upstreams` let through.
    ///
    /// Its failure stops the producer, like that of a declared stage.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the name is taken, no [spare seat](super::RingBuilder::spare_stages)
    /// is left, an upstream is foreign, or an exclusive stage would not be before it.
    pub fn attach(&self, name: &str, upstreams: &[StageId]) -> Result<Consumer<T>> {
        self.seat(name, upstreams, Policy::Stop, Start::Now, false)
    }

    /// Attaches a stage that begins at `sequence`, which the ring must still hold.
    ///
    /// ```
    /// use ringtape::error::Error;
    /// use ringtape::ring::{RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("market", 4)?;
    /// builder.spare_stages(1);
    /// let (mut producer, _) = builder.build()?;
    /// for _ in 0..6 {
    ///     producer.claim(1, Wait::Yield)?.commit_all();
    /// }
    /// let ring = producer.ring();
    /// let gone = ring.attach_at("late", &[], 3).unwrap_err();
    /// assert!(matches!(gone, Error::Overwritten { sequence: 3, oldest: 4, .. }));
    /// assert_eq!(ring.attach_at("late", &[], 4)?.poll(9)?.len(), 2);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * Those of [`attach`](Self::attach).
    /// * [`Error::Overwritten`] when the producer may already write over `sequence`.
    /// * [`Error::Usage`] when `sequence` is not yet published or not yet through `upstreams`.
    pub fn attach_at(
        &self,
        name: &str,
        upstreams: &[StageId],
        sequence: u64,
    ) -> Result<Consumer<T>> {
        self.seat(name, upstreams, Policy::Stop, Start::At(sequence), false)
    }

    /// Attaches a stage that is cut off when it fails or lags by a whole ring, to begin at
    /// `sequence` or, without one, now. The ring must be observable.
    ///
    /// # Errors
    ///
    /// Those of [`attach_at`](Self::attach_at).
    pub fn attach_detachable(&self, name: &str, sequence: Option<u64>) -> Result<Consumer<T>> {
        let start = sequence.map_or(Start::Now, Start::At);
        self.seat(name, &[], Policy::Detach, start, false)
    }

    /// Brings a stage up to date from a recording, from `sequence` on, and attaches it when it has
    /// nearly caught up, so that it sees every record once and in order.
    ///
    /// ```
    /// use ringtape::ring::{MemoryRecording, Policy, RingBuilder, Wait};
    ///
    /// let mut builder = RingBuilder::<u64>::new("market", 4)?;
    /// builder.spare_stages(1);
    /// let (mut producer, _) = builder.build()?;
    /// let recording = MemoryRecording::new();
    /// for number in 0..6 {
    ///     producer.claim(1, Wait::Yield)?.commit_all();
    ///     recording.push(number);
    /// }
    /// let mut late = producer.ring().attach_from("late", Policy::Stop, 1, recording)?;
    /// assert_eq!(late.poll_each(9, |_, _| Ok::<_, String>(()))?, 5, "the ring holds four");
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the policy asks for an observable ring and this one is not, when
    /// `sequence` is not yet published, or when the ring has an exclusive stage.
    pub fn attach_from<R: Recording<T>>(
        &self,
        name: &str,
        policy: Policy,
        sequence: u64,
        recording: R,
    ) -> Result<CatchUp<T, R>> {
        self.check_policy(name, policy)?;
        self.check_place(name, &self.head().lines(), &[], Start::At(sequence))?;
        Ok(CatchUp::new(self.clone(), name.to_owned(), policy, sequence, recording))
    }

    /// Cuts a stage off, and says what it had released: a detachable stage at once, another one
    /// when it looks for its next batch. It gets [`Error::StageCut`]; nobody else notices.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is no such stage or another stage follows it.
    pub fn cut(&self, name: &str) -> Result<u64> {
        // Held until it is told, so that nobody comes to follow it, or to have its seat, meanwhile.
        let lines = self.head().lines();
        let line = self.line_in(&lines, name)?;
        check_sink(&lines, line)?;
        let gate = &line.gate;
        if !gate.change_state(GateState::Detachable, GateState::Cut) {
            gate.change_state(GateState::Live, GateState::Leaving);
        }
        // One that was cut for its lag does not come back by itself either.
        gate.change_state(GateState::Lapped, GateState::Cut);
        self.head().bell.ring();
        Ok(line.position())
    }

    /// An observer, which sees what is published from now on and never holds anybody back.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] unless the ring is observable.
    pub fn observe(&self, name: &str) -> Result<Observer<T>> {
        if !self.head().is_observable {
            let what = format!("ring `{}` cannot be observed by `{name}`", self.name());
            return Err(Error::usage(what, "build it with `observable`"));
        }
        let gate = Arc::new(CachePadded::new(Gate::new(GateState::Live)));
        let line = Line::new(name.to_owned(), Policy::Detach, Box::default(), gate, false);
        Ok(Observer::new(self.memory.observer(line)))
    }

    /// A new stage in a vacant seat; `is_catching_up` says that a recording is read up to it.
    pub(super) fn seat(
        &self,
        name: &str,
        upstreams: &[StageId],
        policy: Policy,
        start: Start,
        is_catching_up: bool,
    ) -> Result<Consumer<T>> {
        self.check_policy(name, policy)?;
        let mut lines = self.head().lines();
        if lines.iter().any(|line| line.name == name && line.state().holds()) {
            let what = format!("ring `{}` already has a stage `{name}`", self.name());
            return Err(Error::usage(what, "cut it first, or give each stage a name of its own"));
        }
        let upstreams = upstreams.iter().map(|&id| Ok(Arc::clone(&lines[self.index_of(id)?])));
        let upstreams = upstreams.collect::<Result<Vec<_>>>()?;
        self.check_place(name, &lines, &upstreams, start)?;
        let vacant = |seat: &&Arc<CachePadded<Gate>>| seat.state() == GateState::Vacant;
        let gate = self.head().seats.iter().find(vacant).cloned().ok_or_else(|| {
            let what = format!("ring `{}` has no seat left for `{name}`", self.name());
            Error::usage(what, "build it with more `spare_stages`")
        })?;
        lines.retain(|line| !Arc::ptr_eq(&line.gate, &gate));
        let line = Line::new(name.to_owned(), policy, upstreams.into(), gate, is_catching_up);
        let reader = self.memory.attach(Arc::clone(&line), start).map_err(|oldest| {
            let sequence = if let Start::At(sequence) = start { sequence } else { oldest };
            Error::Overwritten { ring: self.name().to_owned(), sequence, oldest }
        })?;
        lines.push(line);
        Ok(Consumer::new(reader))
    }

    fn check_policy(&self, name: &str, policy: Policy) -> Result<()> {
        if policy == Policy::Stop || self.head().is_observable {
            return Ok(());
        }
        let what = format!("stage `{name}` is detachable, ring `{}` is not", self.name());
        Err(Error::usage(what, "build it with `observable`"))
    }

    /// Whether a new stage may stand behind `upstreams` and begin at `start`.
    fn check_place(
        &self,
        name: &str,
        lines: &[Arc<Line>],
        upstreams: &[Arc<Line>],
        start: Start,
    ) -> Result<()> {
        let is_before =
            |own: &Arc<Line>| upstreams.iter().any(|up| Arc::ptr_eq(up, own) || up.is_behind(own));
        let own = self.exclusives.iter().map(|&index| &lines[index]);
        if let Some(own) = own.into_iter().find(|own| !is_before(own)) {
            let what = format!("`{name}` and exclusive stage `{}`", own.name);
            let what = format!("{what} may hold the same record at once");
            return Err(Error::usage(what, "attach it behind that stage"));
        }
        let gone = |up: &&Arc<Line>| up.policy == Policy::Detach || up.state() != GateState::Live;
        if let Some(up) = upstreams.iter().find(gone) {
            let what = format!("stage `{name}` would follow `{}`, which can go away", up.name);
            return Err(Error::usage(what, "follow a stage that stays"));
        }
        let has_released = |sequence| lines.iter().any(|line| line.position() >= sequence);
        let through = || match upstreams.iter().map(|up| up.position()).min() {
            Some(position) => position,
            None => self.published(),
        };
        if let Start::At(sequence) = start
            && upstreams.is_empty()
            && has_released(sequence)
        {
            // A stage sees a commit before the producer's cursor tells of it, which comes at once.
            while self.published() < sequence {
                yield_now();
            }
        }
        let through = through();
        match start {
            Start::At(sequence) if sequence > through => {
                let what = format!("stage `{name}` cannot begin at {sequence}");
                Err(Error::usage(what, format!("begin at {through} or before")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the ring has ended or failed and no stage that could record it has anything left.
    pub(super) fn is_over(&self) -> bool {
        let head = self.head();
        if head.end() == End::Open && !head.alarm.is_raised() {
            return false;
        }
        let is_done = |line: &Arc<Line>| {
            let is_at_end = line.position() >= self.published();
            line.is_catching_up || line.alarm.is_raised() || !line.state().holds() || is_at_end
        };
        head.lines().iter().all(is_done)
    }

    pub(super) fn index_of(&self, id: StageId) -> Result<usize> {
        id.index_in(self.identity).ok_or_else(|| {
            let what = format!("ring `{}` was asked for a foreign stage", self.name());
            Error::usage(what, "use the ids that its own builder returned")
        })
    }

    pub(super) fn cursor_of(&self, line: &Arc<Line>) -> StageCursor {
        StageCursor::new(self.head(), line)
    }

    fn line_in<'a>(&self, lines: &'a [Arc<Line>], name: &str) -> Result<&'a Arc<Line>> {
        // The newest one of that name: an older one was cut.
        lines.iter().rev().find(|line| line.name == name).ok_or_else(|| {
            let what = format!("ring `{}` has no stage `{name}`", self.name());
            Error::usage(what, "see `Ring::stages` for those it has")
        })
    }
}

/// An error when a stage that has not left follows `line`.
pub(super) fn check_sink(lines: &[Arc<Line>], line: &Arc<Line>) -> Result<()> {
    let follows = |other: &&Arc<Line>| other.state().holds() && other.is_behind(line);
    match lines.iter().find(follows) {
        None => Ok(()),
        Some(other) => {
            let what = format!("stage `{}` cannot go: `{}` follows it", line.name, other.name);
            Err(Error::usage(what, "cut those that follow it first"))
        }
    }
}
