//! The cursor lines of a ring: the producer's head, a gate for each stage, and who the stages are.

use std::sync::Arc;

use crossbeam::utils::CachePadded;

use super::bell::Bell;
use super::failure::{Alarm, End};
use super::sync::{AtomicU8, AtomicU64, Mutex, MutexGuard, Ordering, lock};

/// What a failure of a stage means to the others.
///
/// ```
/// use ringtape::ring::{MemoryRecording, Policy, RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// builder.observable()?;
/// builder.spare_stages(2);
/// let (mut producer, _) = builder.build()?;
/// for (policy, goes_on) in [(Policy::Detach, true), (Policy::Stop, false)] {
///     let (ring, recording) = (producer.ring(), MemoryRecording::new());
///     let mut picky = ring.attach_from("picky", policy, ring.published(), recording)?;
///     assert_eq!(picky.poll_each(1, |_, _| Ok::<_, String>(()))?, 0, "it takes its seat");
///     producer.claim(1, Wait::Yield)?.commit_all();
///     assert!(picky.poll_each(1, |_, _| Err("not that one")).is_err());
///     assert_eq!(producer.claim(1, Wait::Yield).is_ok(), goes_on);
/// }
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// The producer and the stages behind it stop.
    #[default]
    Stop,
    /// The stage is cut off, also when it lags by a whole ring, and nobody else notices.
    Detach,
}

/// What a gate means to the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum GateState {
    /// Nobody's: a seat for a stage to come.
    Vacant,
    /// It holds the writer back.
    Live,
    /// It holds the writer back, which may cut it at any moment.
    Detachable,
    /// It holds the writer back until its stage sees that it is to go.
    Leaving,
    /// It holds nobody back any more, because its stage left or was told to.
    Cut,
    /// It holds nobody back any more, because its stage lagged by a whole ring.
    Lapped,
}

impl GateState {
    const ALL: [Self; 6] =
        [Self::Vacant, Self::Live, Self::Detachable, Self::Leaving, Self::Cut, Self::Lapped];

    fn from_byte(byte: u8) -> Self {
        Self::ALL[usize::from(byte)]
    }

    /// Whether the gate holds the writer back.
    #[inline]
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Live | Self::Detachable | Self::Leaving)
    }

    /// Whether the gate holds the writer back and the writer must not cut it.
    #[inline]
    pub(super) fn holds_firmly(self) -> bool {
        matches!(self, Self::Live | Self::Leaving)
    }
}

/// How far one stage has come, and whether that holds the writer back.
#[derive(Debug)]
pub(super) struct Gate {
    released: AtomicU64,
    state: AtomicU8,
}

impl Gate {
    pub(super) fn new(state: GateState) -> Self {
        Self { released: AtomicU64::new(0), state: AtomicU8::new(state as u8) }
    }

    /// Records released so far.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `advance_to`.
        self.released.load(Ordering::Acquire)
    }

    /// Moves the gate; only its stage does.
    #[inline]
    pub(super) fn advance_to(&self, position: u64) {
        // SYNC: Release, pairs with the Acquire in `position`: the writer and the stages behind
        // go on only after this stage's reads and effects.
        self.released.store(position, Ordering::Release);
    }

    #[inline]
    pub(super) fn state(&self) -> GateState {
        // SYNC: Acquire, pairs with the Release in `set_state` and `cut`: who sees a gate as live
        // sees the position it was set to before.
        GateState::from_byte(self.state.load(Ordering::Acquire))
    }

    pub(super) fn set_state(&self, state: GateState) {
        // SYNC: Release, pairs with the Acquire in `state`.
        self.state.store(state as u8, Ordering::Release);
    }

    /// Whether its stage is to read nothing more.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        const { assert!(GateState::Detachable as u8 + 1 == GateState::Leaving as u8) };
        // SYNC: Acquire, as in `state`.
        self.state.load(Ordering::Acquire) >= GateState::Leaving as u8
    }

    /// Changes the state from `from` to `to`; whether it was `from`.
    pub(super) fn change_state(&self, from: GateState, to: GateState) -> bool {
        let (from, to) = (from as u8, to as u8);
        // SYNC: AcqRel, pairs with the loads and stores above.
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The position, if it holds the writer back.
    #[inline]
    pub(super) fn holding(&self) -> Option<u64> {
        self.holding_so(GateState::holds)
    }

    /// The position, if `holds` says that it holds the writer back.
    #[inline]
    fn holding_so(&self, holds: fn(GateState) -> bool) -> Option<u64> {
        holds(self.state()).then(|| self.position())
    }
}

/// The lowest position of the gates that hold the writer back, which `holds` tells, at most `most`.
#[inline]
pub(super) fn lowest(
    gates: &[Arc<CachePadded<Gate>>],
    holds: fn(GateState) -> bool,
    most: u64,
) -> u64 {
    gates.iter().filter_map(|gate| gate.holding_so(holds)).fold(most, u64::min)
}

/// As [`lowest`], of stages. One that holds the writer back no more held it for those before it
/// too, so from then on they do it themselves.
#[inline]
pub(super) fn lowest_of_stages(
    lines: &[Arc<Line>],
    holds: fn(GateState) -> bool,
    most: u64,
) -> u64 {
    let bound = |line: &Line| {
        let own = line.gate.holding_so(holds);
        own.unwrap_or_else(|| lowest_before(line, holds, most))
    };
    lines.iter().map(|line| bound(line)).fold(most, u64::min)
}

#[cold]
fn lowest_before(line: &Line, holds: fn(GateState) -> bool, most: u64) -> u64 {
    lowest_of_stages(&line.upstreams, holds, most)
}

/// Who stands at a gate.
#[derive(Debug)]
pub(super) struct Line {
    /// The stage's name.
    pub(super) name: String,
    /// What its failure means to the others.
    pub(super) policy: Policy,
    /// The stages that it follows; none means that it follows the writer.
    pub(super) upstreams: Box<[Arc<Line>]>,
    /// Whether it reads a recording first, which it therefore does not make.
    pub(super) is_catching_up: bool,
    pub(super) gate: Arc<CachePadded<Gate>>,
    /// What stopped this stage: its own failure or one before it.
    pub(super) alarm: Alarm,
    /// Where it was when it gave its seat back; [`NOT_LEFT`] before.
    left_at: AtomicU64,
}

/// No stage comes that far.
const NOT_LEFT: u64 = u64::MAX;

impl Line {
    pub(super) fn new(
        name: String,
        policy: Policy,
        upstreams: Box<[Arc<Line>]>,
        gate: Arc<CachePadded<Gate>>,
        is_catching_up: bool,
    ) -> Arc<Self> {
        let (alarm, left_at) = (Alarm::new(), AtomicU64::new(NOT_LEFT));
        Arc::new(Self { name, policy, upstreams, is_catching_up, gate, alarm, left_at })
    }

    /// Where it was when it gave its seat back, if it did.
    pub(super) fn left_at(&self) -> Option<u64> {
        // SYNC: Acquire, pairs with the Release in `leave_seat`.
        Some(self.left_at.load(Ordering::Acquire)).filter(|&at| at != NOT_LEFT)
    }

    /// Lets another stage have the gate, which then tells nothing of this one any more.
    pub(super) fn leave_seat(&self, position: u64) {
        // SYNC: Release, pairs with the Acquire in `left_at`; and before the gate is vacant.
        self.left_at.store(position, Ordering::Release);
        self.gate.set_state(GateState::Vacant);
    }

    /// Records released so far.
    pub(super) fn position(&self) -> u64 {
        // The gate first: who gets another stage's position sees that this one has left.
        let position = self.gate.position();
        self.left_at().unwrap_or(position)
    }

    /// The state of the gate, which may be another stage's once this one has left.
    pub(super) fn state(&self) -> GateState {
        // The gate first: who gets another stage's state sees that this one has left.
        let state = self.gate.state();
        if self.left_at().is_some() { GateState::Cut } else { state }
    }

    /// Whether the stage is one of those before this one, however far.
    pub(super) fn is_behind(&self, stage: &Arc<Line>) -> bool {
        // WHY: each stage once, because there may be more ways to it than can be gone.
        let mut before: Vec<&Arc<Line>> = self.upstreams.iter().collect();
        let mut looked_at = 0;
        while let Some(&line) = before.get(looked_at) {
            for up in &line.upstreams {
                if !before.iter().any(|known| Arc::ptr_eq(known, up)) {
                    before.push(up);
                }
            }
            looked_at += 1;
        }
        before.iter().any(|line| Arc::ptr_eq(line, stage))
    }
}

/// The producer's cursor line.
#[derive(Debug)]
pub(super) struct Head {
    published: AtomicU64,
    end: AtomicU8,
    /// The writer does not look at the seats again before it writes up to here.
    reserved: AtomicU64,
    /// On an observable ring: every sequence that is `capacity` or more below is being overwritten.
    overwriting: AtomicU64,
    dropped: AtomicU64,
    /// The first failure among the consumers.
    pub(super) alarm: Alarm,
    /// The ring's name.
    pub(super) name: String,
    pub(super) capacity: u64,
    pub(super) is_observable: bool,
    /// Wakes who is parked.
    pub(super) bell: CachePadded<Bell>,
    /// Gates for stages that come later.
    pub(super) seats: Box<[Arc<CachePadded<Gate>>]>,
    lines: Mutex<Vec<Arc<Line>>>,
}

impl Head {
    pub(super) fn new(name: String, capacity: usize, is_observable: bool, seats: usize) -> Self {
        let seat = || Arc::new(CachePadded::new(Gate::new(GateState::Vacant)));
        Self {
            published: AtomicU64::new(0),
            end: AtomicU8::new(End::Open as u8),
            reserved: AtomicU64::new(capacity as u64),
            overwriting: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            alarm: Alarm::new(),
            name,
            capacity: capacity as u64,
            is_observable,
            bell: CachePadded::new(Bell::new()),
            seats: (0..seats).map(|_| seat()).collect(),
            lines: Mutex::new(Vec::new()),
        }
    }

    /// Records published so far.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        // SYNC: Acquire, pairs with the Release in `advance_to`.
        self.published.load(Ordering::Acquire)
    }

    /// Moves the head; only the writer does.
    #[inline]
    pub(super) fn advance_to(&self, position: u64) {
        // SYNC: Release, pairs with the Acquire in `position`.
        self.published.store(position, Ordering::Release);
    }

    /// How the stream ended, if it did.
    pub(super) fn end(&self) -> End {
        // SYNC: Acquire, pairs with the Release in `set_end`.
        End::from_byte(self.end.load(Ordering::Acquire))
    }

    pub(super) fn set_end(&self, end: End) {
        // SYNC: Release, pairs with the Acquire in `end`.
        self.end.store(end as u8, Ordering::Release);
    }

    /// Up to where the writer may write without looking at the seats.
    pub(super) fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Acquire)
    }

    pub(super) fn set_reserved(&self, until: u64) {
        self.reserved.store(until, Ordering::Release);
    }

    /// Up to where the writer has begun to write, on an observable ring.
    #[inline]
    pub(super) fn overwriting(&self) -> u64 {
        // SYNC: called after Acquire loads of the words, which pair with the writer's Release
        // stores of them: a reader that got a new word sees the mark set before it. Acquire, so
        // that what was published before the mark was set is seen too.
        self.overwriting.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn set_overwriting(&self, until: u64) {
        // SYNC: Release, pairs with the Acquire in `overwriting`; the Release stores of the words
        // that follow carry it too.
        self.overwriting.store(until, Ordering::Release);
    }

    /// Records that the producer gave up because the ring was full.
    pub(super) fn dropped(&self) -> u64 {
        // WHY: Relaxed, because the count orders nothing.
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn add_dropped(&self, count: u64) {
        self.dropped.store(self.dropped() + count, Ordering::Relaxed);
    }

    /// Records published and not yet released by the stage of `line`, at most the capacity unless
    /// it was cut.
    pub(super) fn lag_of(&self, line: &Line) -> u64 {
        // The stage may already have released a commit whose stamp it saw and whose cursor is
        // still to be stored, so it can seem to be ahead.
        let published = self.position();
        published.saturating_sub(line.position())
    }

    /// Who stands at the gates. Nobody on the data path takes this lock.
    pub(super) fn lines(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        lock(&self.lines)
    }
}
