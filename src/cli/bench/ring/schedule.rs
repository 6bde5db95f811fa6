//! The order of rounds: a short screening finds each line's best way to wait, then the lines take
//! turns in random order, each round in a process of its own.

use std::process::Command;
use std::time::Instant;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::crew::burn;
use super::job::Way;
use super::peers::Peer;
use super::rows::{Measure, Row, SLOWED_EVENT_NS, Setup};
use super::stream::record;
use super::watch::{Latency, Outcome};

/// Events that one reading of the busy loop's speed takes.
const CALIBRATION_EVENTS: u64 = 100_000;

/// Turns between which the busy loop's speed is taken to be linear.
const CALIBRATION_SPINS: u64 = 64;

/// How many times worse than a line's best way another must be to be given up after one round.
// WHY: spinning threads that share cores are worse by that much and take long; the slow and the
// fast mode of a ring lie closer together.
const HOPELESS: f64 = 10.0;

/// What a round's process prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) records: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) mean_batch: f64,
    pub(crate) checksum: String,
    pub(crate) latency_ns: Option<Percentiles>,
}

/// Percentiles in ns.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    pub(crate) samples: u64,
}

impl From<Latency> for Percentiles {
    fn from(latency: Latency) -> Self {
        let Latency { p50, p99, p999, max, samples } = latency;
        Self { p50, p99, p999, max, samples }
    }
}

impl From<Outcome> for Round {
    fn from(outcome: Outcome) -> Self {
        Self {
            records: outcome.records,
            elapsed_ns: outcome.elapsed.as_nanos() as u64,
            mean_batch: outcome.mean_batch,
            checksum: format!("{:016x}", outcome.checksum),
            latency_ns: outcome.latency.map(Percentiles::from),
        }
    }
}

impl Round {
    /// Records a second.
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 * 1e9 / self.elapsed_ns.max(1) as f64
    }

    /// The figure that the row compares: M records/s or the median in ns.
    pub(crate) fn figure(&self, measure: Measure) -> f64 {
        match (measure, self.latency_ns) {
            (Measure::Latency, Some(latency)) => latency.p50 as f64,
            _ => self.rate() / 1e6,
        }
    }
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) screening_rounds: usize,
    /// Length of a round's measured part.
    pub(crate) round_ms: u64,
    pub(crate) screening_ms: u64,
}

/// One line of a row's table: a peer, used in the best of some ways.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) peer: &'static Peer,
    /// What the line is called.
    pub(crate) label: String,
    pub(crate) tried: Vec<Tried>,
    /// Index of the best way in `tried`.
    pub(crate) best: usize,
    /// The rounds and when each one ran within the row.
    pub(crate) rounds: Vec<(usize, Round)>,
    /// Why there is no figure.
    pub(crate) missing: Option<String>,
}

/// A way, and what its screening came to.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) way: Way,
    rounds: Vec<Round>,
}

impl Tried {
    /// The median figure.
    pub(crate) fn figure(&self, measure: Measure) -> Option<f64> {
        let mut figures: Vec<f64> = self.rounds.iter().map(|round| round.figure(measure)).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }
}

impl Entry {
    pub(crate) fn new(peer: &'static Peer, label: String, ways: &[Way]) -> Self {
        let tried = ways.iter().map(|&way| Tried { way, rounds: Vec::new() });
        let missing = ways.is_empty().then(|| "built without the feature `peers`".to_owned());
        Self { peer, label, tried: tried.collect(), best: 0, rounds: Vec::new(), missing }
    }

    /// Index of the way with the best median so far.
    fn best_way(&self, measure: Measure) -> Option<usize> {
        let figures = self.tried.iter().map(|tried| tried.figure(measure)).enumerate();
        let figures = figures.filter_map(|(index, figure)| Some((index, figure?)));
        let by_figure = |one: &(_, f64), other: &(_, f64)| one.1.total_cmp(&other.1);
        let best = match measure {
            Measure::Rate => figures.max_by(by_figure),
            Measure::Latency => figures.min_by(by_figure),
        };
        best.map(|(index, _)| index)
    }

    fn is_hopeful(&self, way: usize, measure: Measure) -> bool {
        let figure = |way: usize| self.tried[way].figure(measure);
        let best = self.best_way(measure).and_then(figure);
        best.zip(figure(way)).is_none_or(|(best, this)| match measure {
            Measure::Rate => this * HOPELESS > best,
            Measure::Latency => this < best * HOPELESS,
        })
    }

    pub(crate) fn way(&self) -> Way {
        self.tried[self.best].way
    }
}

/// Runs rounds, each in a process of its own.
#[derive(Debug)]
pub(crate) struct Schedule {
    effort: Effort,
    setup: Setup,
    random: Xoshiro256PlusPlus,
}

impl Schedule {
    pub(crate) fn new(effort: Effort, setup: Setup, seed: u64) -> Self {
        Self { effort, setup, random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// Measures all lines of a row. A line that fails says why in `missing`.
    pub(crate) fn measure(&mut self, row: &Row, entries: &mut [Entry]) {
        self.screen(row, entries);
        for entry in entries.iter_mut() {
            entry.best = entry.best_way(row.measure).unwrap_or(0);
        }
        let mut place = 0;
        for _ in 0..self.effort.rounds {
            let mut order: Vec<usize> = (0..entries.len()).collect();
            self.shuffle(&mut order);
            for index in order {
                let entry = &mut entries[index];
                if entry.missing.is_some() {
                    continue;
                }
                match self.round(row, entry.peer, entry.way(), self.effort.round_ms) {
                    Ok(round) => entry.rounds.push((place, round)),
                    Err(error) => entry.missing = Some(error.to_string()),
                }
                place += 1;
            }
        }
    }

    /// Tries every way of every line for a short time, the hopeless ones only once.
    fn screen(&mut self, row: &Row, entries: &mut [Entry]) {
        let ways =
            |(index, entry): (usize, &Entry)| (0..entry.tried.len()).map(move |way| (index, way));
        let mut order: Vec<_> = entries.iter().enumerate().flat_map(ways).collect();
        for _ in 0..self.effort.screening_rounds {
            self.shuffle(&mut order);
            for &(index, way) in &order {
                let entry = &mut entries[index];
                if entry.missing.is_some() {
                    continue;
                }
                let tried = &mut entry.tried[way];
                match self.round(row, entry.peer, tried.way, self.effort.screening_ms) {
                    Ok(round) => tried.rounds.push(round),
                    Err(error) => entry.missing = Some(error.to_string()),
                }
            }
            order.retain(|&(index, way)| entries[index].is_hopeful(way, row.measure));
        }
    }

    fn round(&self, row: &Row, peer: &Peer, way: Way, ms: u64) -> Result<Round> {
        let program = std::env::current_exe().map_err(|e| Error::io("find", "this program", e))?;
        let output = Command::new(&program)
            .args(["bench", "ring-round", "--row", row.name, "--peer", peer.name])
            .args(["--way", &way.name(), "--ms", &ms.to_string()])
            .args(["--capacity", &self.setup.capacity.to_string()])
            .args(["--batch-max", &self.setup.batch_max.to_string()])
            .args(["--spins", &self.setup.spins.to_string()])
            .output()
            .map_err(|error| Error::io("start", &program, error))?;
        let failed = |what: &str| Error::CheckFailed {
            what: format!("a round of {} failed", peer.name),
            cure: what.to_owned(),
        };
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&error.to_string()))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = (self.random.next_u64() % (end as u64 + 1)) as usize;
            items.swap(end, other);
        }
    }
}

/// Turns of the busy loop that make a record cost as much as the row `head` wants.
pub(crate) fn calibrate_spins() -> u64 {
    let event_ns = |spins: u64| {
        let reading = |_| {
            let begin = Instant::now();
            let mut burnt = 0;
            for sequence in 0..CALIBRATION_EVENTS {
                burnt = burn(std::hint::black_box(spins), burnt);
                std::hint::black_box(record(sequence));
            }
            begin.elapsed().as_nanos() as f64 / CALIBRATION_EVENTS as f64
        };
        (0..5).map(reading).fold(f64::INFINITY, f64::min)
    };
    let (without, with) = (event_ns(0), event_ns(CALIBRATION_SPINS));
    let each = (with - without) / CALIBRATION_SPINS as f64;
    ((SLOWED_EVENT_NS - without) / each).max(0.0).round() as u64
}
