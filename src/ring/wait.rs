//! How to wait for a ring: what a thread does between two looks.

use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::thread::{CpuSet, sched_getaffinity};

use super::bell::Bell;
use super::sync::{spin_loop, yield_now};
use crate::error::{Error, Result};

/// What a thread does between two looks at a ring that has nothing for it.
///
/// Spin, pause and yield cost the other side nothing; for park it looks once a commit or release
/// whether anybody sleeps.
///
/// ```
/// use ringtape::ring::Wait;
///
/// let wait: Wait = "park".parse()?;
/// assert_eq!((wait, wait.name()), (Wait::Park, "park"));
/// assert_eq!(Wait::default(), Wait::Auto);
/// for wait in Wait::ALL {
///     assert_eq!(wait.name().parse::<Wait>()?, wait);
/// }
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Look again at once, for a thread with a core to itself.
    Spin,
    /// Look again after a few of the processor's pause instructions: the best for most, because
    /// looking at a line delays who writes it; also kinder to a hyper-thread sibling.
    Pause,
    /// Offer the core to another thread before looking again: a system call.
    Yield,
    /// Sleep until the other side rings: tens of microseconds, and no load on the core.
    Park,
    /// Pause while the threads that wait on rings have a core each, yield where they have not and
    /// after a long time in vain.
    ///
    /// The threads are those of this process that have waited on a ring with this setting and are
    /// still alive; the cores are those that any of them may run on. So threads pinned to one core
    /// share it, and a thread that only polls does not count.
    #[default]
    Auto,
}

impl Wait {
    /// Every way of waiting.
    pub const ALL: [Self; 5] = [Self::Spin, Self::Pause, Self::Yield, Self::Park, Self::Auto];

    /// `spin`, `pause`, `yield`, `park` or `auto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Pause => "pause",
            Self::Yield => "yield",
            Self::Park => "park",
            Self::Auto => "auto",
        }
    }
}

impl FromStr for Wait {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|wait| wait.name() == text).ok_or_else(|| {
            Error::usage(
                format!("unknown way of waiting `{text}`"),
                "use auto, spin, pause, yield or park",
            )
        })
    }
}

/// Looks in vain after which a parking thread goes to sleep.
const LOOKS_BEFORE_PARK: u32 = 100;

/// Pauses between two looks.
// WHY: a look takes the line that the other side is about to write, and so delays what it looks
// for. A round trip (p50 of 40 ms, median of 7) took 300 ns with one pause between two looks (8.5
// ns each), 220 with 2 to 6, 180 with 7 or 8, 310 with 16; a record of a paced stream 167 ns with
// one, 90 with 4, 110 with 8.
const PAUSES: u32 = 8;

/// Looks in vain after which an automatic wait yields although there are cores enough.
const LOOKS_BEFORE_YIELD: u32 = 250;

/// Looks in vain after which an automatic wait yields where threads share cores.
// WHY: the other side may be on another core and nearly done; a yield costs as much as 20 pauses.
const LOOKS_BEFORE_YIELD_SHARED: u32 = 1;

/// Pauses in which records gather.
// WHY: a reader right behind the head takes the line that the producer is about to write, for a
// record or two at a time, and both are slow: unicast of single records ran at 70 M/s at best, with
// 16 pauses (0.25 us) at 180 M/s, in batches of 170.
const GATHER_PAUSES: u32 = 16;

/// Leaves the other side's line alone for a moment.
#[inline]
fn pause() {
    (0..PAUSES).for_each(|_| spin_loop());
}

/// One wait, from the first look in vain to the one that finds something.
#[derive(Debug)]
pub(super) struct Waiter {
    wait: Wait,
    looks: u32,
    looks_max: u32,
}

impl Waiter {
    #[inline]
    pub(super) fn new(wait: Wait) -> Self {
        Self { wait, looks: 0, looks_max: 0 }
    }

    /// Lets records gather before a look, for a reader that is right behind the head.
    // WHY: where threads share cores, the time of a look at two records is the producer's, or that
    // of a stage that has a thousand to read: yielding instead gave batches eight times as long.
    #[inline]
    pub(super) fn gather(&self) {
        match self.wait {
            Wait::Yield => yield_now(),
            Wait::Auto if !cores_suffice() => yield_now(),
            _ => (0..GATHER_PAUSES).for_each(|_| spin_loop()),
        }
    }

    /// Looks in vain so far.
    #[inline]
    pub(super) fn looks(&self) -> u32 {
        self.looks
    }

    /// Waits between two looks; `is_ready` is asked again before the thread sleeps.
    #[inline]
    pub(super) fn idle(&mut self, bell: &Bell, is_ready: impl FnOnce() -> bool) {
        self.looks = self.looks.saturating_add(1);
        match self.wait {
            // Loom explores a loop only when it says that it waits for another thread.
            Wait::Spin if cfg!(loom) => yield_now(),
            Wait::Spin => {}
            Wait::Pause => pause(),
            Wait::Yield => yield_now(),
            Wait::Park if cfg!(loom) => bell.sleep(is_ready),
            Wait::Park if self.looks < LOOKS_BEFORE_PARK => spin_loop(),
            Wait::Park => bell.sleep(is_ready),
            Wait::Auto => self.idle_auto(),
        }
    }

    #[inline]
    fn idle_auto(&mut self) {
        if self.looks == 1 {
            self.looks_max = match cores_suffice() {
                true => LOOKS_BEFORE_YIELD,
                false => LOOKS_BEFORE_YIELD_SHARED,
            };
        }
        if self.looks <= self.looks_max && !cfg!(loom) { pause() } else { yield_now() }
    }
}

/// A thread that waits on rings, with the cores that it may run on.
#[derive(Debug)]
struct Waiting {
    id: usize,
    cores: CpuSet,
}

/// Threads that wait on rings, by number.
static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

/// How many they are, less the cores that they have: more than 0 means that some share one.
static MISSING_CORES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SEAT: Seat = Seat::take();
}

/// A thread's place among those that wait, given back when the thread ends.
struct Seat(usize);

impl Seat {
    fn take() -> Self {
        static IDS: AtomicUsize = AtomicUsize::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        change(|waiting| waiting.push(Waiting { id, cores: allowed_cores() }));
        Self(id)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        change(|waiting| waiting.retain(|thread| thread.id != self.0));
    }
}

/// Whether each thread that waits on rings has a core to itself; the caller is one of them.
#[inline]
fn cores_suffice() -> bool {
    // A thread that is at its end has no place any more and counts as one too many.
    SEAT.try_with(|_| ()).is_ok() && MISSING_CORES.load(Ordering::Relaxed) == 0
}

/// Changes who waits, and counts anew.
fn change(edit: impl FnOnce(&mut Vec<Waiting>)) {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    edit(&mut waiting);
    let allowed = |core: &usize| waiting.iter().any(|thread| thread.cores.is_set(*core));
    let cores = (0..CpuSet::MAX_CPU).filter(allowed).count();
    MISSING_CORES.store(waiting.len().saturating_sub(cores), Ordering::Relaxed);
}

/// The cores that the calling thread may run on; none when the system does not tell.
fn allowed_cores() -> CpuSet {
    sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new())
}
