//! The rows of the table: scenarios, each with its picture, load and measure.

use std::time::Duration;

use ringtape::units::CoreId;

use super::job::{Job, Load, Shape, Way};

/// Records of a throughput round's warm-up.
const WARM_UP_RECORDS: u64 = 1 << 16;

/// Trips or paced records of a latency round's warm-up.
const WARM_UP_TRIPS: u64 = 1 << 11;

/// Interval of the paced row's records: 1 M/s.
pub(crate) const PACED_GAP_NS: u64 = 1_000;

/// Time that the slowed producer takes for an event: about 28 M/s alone.
pub(crate) const SLOWED_EVENT_NS: f64 = 36.0;

/// What a row compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// M records/s of the slowest stage; more is better.
    Rate,
    /// Median latency in ns, beside p99 and p99.9; less is better.
    Latency,
}

/// The threads of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    Of(Shape),
    /// A producer and two stages for every core.
    MoreThanCores,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Full(usize),
    Slowed,
    Paced,
}

/// One scenario.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) picture: &'static str,
    pub(crate) measure: Measure,
    threads: Threads,
    kind: Kind,
}

impl Row {
    const fn rate(name: &'static str, picture: &'static str, shape: Shape, kind: Kind) -> Self {
        Self { name, picture, measure: Measure::Rate, threads: Threads::Of(shape), kind }
    }
}

/// All rows, in the order of the table.
pub(crate) const ROWS: [Row; 10] = [
    Row::rate(
        "unicast-1",
        "producer --> consumer, one record a commit",
        Shape::UNICAST,
        Kind::Full(1),
    ),
    Row::rate(
        "unicast-64",
        "producer --> consumer, 64 records a commit",
        Shape::UNICAST,
        Kind::Full(64),
    ),
    Row::rate("multicast-2", "producer --> a, b", Shape::Multicast(2), Kind::Full(1)),
    Row::rate("multicast-3", "producer --> a, b, c", Shape::Multicast(3), Kind::Full(1)),
    Row::rate("pipeline", "producer --> a --> b", Shape::Pipeline, Kind::Full(1)),
    Row::rate("diamond", "producer --> a, b --> c", Shape::Diamond, Kind::Full(1)),
    Row {
        name: "round-trip",
        picture: "caller --> echo --> caller, one record at a time",
        measure: Measure::Latency,
        threads: Threads::Of(Shape::RoundTrip),
        kind: Kind::Full(1),
    },
    Row {
        name: "paced",
        picture: "producer --> consumer, 1 M records/s, from the intended time",
        measure: Measure::Latency,
        threads: Threads::Of(Shape::UNICAST),
        kind: Kind::Paced,
    },
    Row::rate(
        "head",
        "producer slowed to 36 ns a record --> consumer",
        Shape::UNICAST,
        Kind::Slowed,
    ),
    Row {
        name: "oversubscribed",
        picture: "producer --> two stages for every core",
        measure: Measure::Rate,
        threads: Threads::MoreThanCores,
        kind: Kind::Full(1),
    },
];

/// What a round's job takes from the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) capacity: usize,
    pub(crate) batch_max: usize,
    /// Turns of the busy loop that slow a producer down as the row `head` wants it.
    pub(crate) spins: u64,
}

impl Row {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }

    /// Whether its producer is slowed by a busy loop.
    pub(crate) fn is_slowed(&self) -> bool {
        self.kind == Kind::Slowed
    }

    pub(crate) fn shape(&self, cores: usize) -> Shape {
        match self.threads {
            Threads::Of(shape) => shape,
            Threads::MoreThanCores => Shape::Multicast(2 * cores.max(1)),
        }
    }

    /// The cores of its threads, the producer's first; none when there are fewer than threads,
    /// and the system places them.
    pub(crate) fn cores(&self, allowed: &[CoreId]) -> Vec<CoreId> {
        let threads = self.shape(allowed.len()).threads();
        allowed.get(..threads).map_or_else(Vec::new, <[CoreId]>::to_vec)
    }

    fn warm_up(&self) -> u64 {
        match self.measure {
            Measure::Rate => WARM_UP_RECORDS,
            Measure::Latency => WARM_UP_TRIPS,
        }
    }

    pub(crate) fn job(&self, way: Way, time: Duration, setup: Setup, allowed: &[CoreId]) -> Job {
        let load = match self.kind {
            Kind::Full(batch) => Load::Full { batch },
            Kind::Slowed => Load::Slowed { spins: setup.spins },
            Kind::Paced => Load::Paced { gap_ns: PACED_GAP_NS },
        };
        Job {
            shape: self.shape(allowed.len()),
            load,
            way,
            capacity: setup.capacity,
            batch_max: setup.batch_max,
            warm_up: self.warm_up(),
            records_max: u64::MAX,
            time_max: time,
            cores: self.cores(allowed),
        }
    }
}
