//! What one round has to do: shape, load, waits, lengths.

use std::time::Duration;

use ringtape::units::CoreId;

/// Which thread hands records to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `producer -> a, b, ...`: every one of so many stages sees every record.
    Multicast(usize),
    /// `producer -> a -> b`
    Pipeline,
    /// `producer -> a, b; a and b -> c`
    Diamond,
    /// `caller -> echo -> caller`
    RoundTrip,
}

impl Shape {
    /// One producer, one consumer.
    pub(crate) const UNICAST: Self = Self::Multicast(1);

    pub(crate) fn threads(self) -> usize {
        match self {
            Self::Multicast(stages) => 1 + stages,
            Self::Pipeline => 3,
            Self::Diamond => 4,
            Self::RoundTrip => 2,
        }
    }
}

/// When the producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// As fast as it can, so many records in one piece.
    Full { batch: usize },
    /// One record after so many turns of a busy loop.
    Slowed { spins: u64 },
    /// One record at each multiple of so many ns.
    Paced { gap_ns: u64 },
}

/// What a thread does between two looks at a ring or channel that has nothing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Looks again at once.
    Spin,
    /// Looks again after the processor's pause instruction.
    Pause,
    /// Offers the core to another thread first.
    Yield,
    /// Sleeps until the other side wakes it, in the peer's own blocking call.
    Block,
    /// ringtape's own: sleeps until the other side rings.
    Park,
    /// ringtape's own: pauses or yields, whatever suits threads and cores.
    Auto,
}

impl How {
    const ALL: [Self; 6] =
        [Self::Spin, Self::Pause, Self::Yield, Self::Block, Self::Park, Self::Auto];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Pause => "pause",
            Self::Yield => "yield",
            Self::Block => "block",
            Self::Park => "park",
            Self::Auto => "auto",
        }
    }

    /// Waits once; what has no wait but a call of its own yields.
    #[inline]
    pub(crate) fn idle(self) {
        match self {
            Self::Spin => {}
            Self::Pause => std::hint::spin_loop(),
            Self::Yield | Self::Block | Self::Park | Self::Auto => std::thread::yield_now(),
        }
    }
}

/// One of the ways in which a peer can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// How its threads wait.
    pub(crate) how: How,
    /// Whether the consumers run on threads that the peer manages, as handlers.
    pub(crate) is_managed: bool,
}

impl Way {
    pub(crate) const fn new(how: How) -> Self {
        Self { how, is_managed: false }
    }

    pub(crate) const fn managed(how: How) -> Self {
        Self { how, is_managed: true }
    }

    pub(crate) fn name(self) -> String {
        let prefix = if self.is_managed { "managed-" } else { "" };
        format!("{prefix}{}", self.how.name())
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let (is_managed, how) =
            name.strip_prefix("managed-").map_or((false, name), |how| (true, how));
        let how = How::ALL.into_iter().find(|one| one.name() == how)?;
        Some(Self { how, is_managed })
    }
}

/// The ways of a ring whose calls come back at once.
pub(crate) const LOOKING: [Way; 3] =
    [Way::new(How::Spin), Way::new(How::Pause), Way::new(How::Yield)];

/// The ways of a channel that has blocking calls too.
pub(crate) const BLOCKING: [Way; 4] =
    [Way::new(How::Spin), Way::new(How::Pause), Way::new(How::Yield), Way::new(How::Block)];

/// One round: a stream of records through threads of one shape.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) shape: Shape,
    pub(crate) load: Load,
    pub(crate) way: Way,
    /// Slots of every ring and channel.
    pub(crate) capacity: usize,
    /// Most records that a stage takes in one look.
    pub(crate) batch_max: usize,
    /// Records before the measured part, a multiple of every batch.
    pub(crate) warm_up: u64,
    /// Most records of the measured part.
    pub(crate) records_max: u64,
    /// Time after which the producer ends the measured part.
    pub(crate) time_max: Duration,
    /// A core for each thread, the producer first; empty when the system places the threads.
    pub(crate) cores: Vec<CoreId>,
}
