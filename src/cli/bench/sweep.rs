//! The pipeline at fixed rates: latency from intended time, beside the machine's idle hiccups.
//!
//! ```text
//!   clock, core to core | idle 2 s | each rate, warm-up first, in turns | idle 2 s | verdict
//! ```
//!
//! Beside the stages of each rate stand the hiccups of the same seconds. Both they and the idle
//! cores are told as what events would have waited, so that their percentiles compare with those of
//! latencies.

use std::sync::Arc;
use std::time::Duration;

use ringtape::engine::RunReport;
use ringtape::error::Result;
use ringtape::feed::Pace;
use ringtape::report::format::{duration, thousands};
use ringtape::runtime::{LatencySummary, Meter, allowed_cores};
use serde_json::{Value, json};

use crate::cli::doctor::measure::{self, Hop, IDLE_P99_NS_MAX, TAIL_RATE};
use crate::cli::term;

/// Share of a rate, in per cent, below which the pipeline did not keep up with it.
const KEPT_UP_PERCENT: u64 = 98;

/// Median latency in ns above which it did not either: what is late stays late.
const KEPT_UP_P50_NS: u64 = 1_000_000;

/// What the 99th percentile may add to that of an idle core, in ns.
const ADDED_P99_NS: u64 = 3_000;

/// Messages of a round at least.
const MESSAGES_MIN: u64 = 1_000;

/// Messages of the round that warms up.
const WARM_UP_MESSAGES: u64 = 200_000;

/// The stage whose latency the verdict and the bound are about.
pub(super) const STAGE: &str = "matching";

/// What stands beside the stages and is none: what the machine's hiccups, in the idle moments of
/// the same runners in the same seconds, would have added to the latency of events at the rate.
pub(super) const HICCUPS: &str = "hiccups";

/// Replays a session at a pace.
pub(super) type Replay<'a> = dyn Fn(&Arc<[u8]>, Pace) -> Result<RunReport> + 'a;

/// What is asked of a sweep.
pub(super) struct Plan<'a> {
    /// Rates in messages a second, ascending.
    pub(super) rates: &'a [u64],
    pub(super) rounds: usize,
    /// How long a rate is held in a round.
    pub(super) seconds: f64,
    /// How long the idle cores are watched before and after.
    pub(super) idle: Duration,
}

/// A latency stage over the rounds of a rate.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) rounds: Vec<LatencySummary>,
    pub(super) all: Meter,
}

/// A rate and what came of it.
pub(super) struct Rate {
    pub(super) asked: u64,
    /// Messages a second, by round.
    pub(super) reached: Vec<u64>,
    pub(super) stages: Vec<Stage>,
}

/// A finished sweep.
pub(super) struct Sweep {
    hops: Vec<Hop>,
    idle: Meter,
    rates: Vec<Rate>,
    started_ns: u64,
    seconds: f64,
}

/// Minimum, median and maximum of what is there; `None` when a round lacks it.
fn spread(values: impl Iterator<Item = Option<u64>>) -> Option<[u64; 3]> {
    let mut values: Vec<u64> = values.collect::<Option<_>>()?;
    values.sort_unstable();
    Some([*values.first()?, values[values.len() / 2], *values.last()?])
}

/// The bytes of the first `messages` messages of a session in frames.
fn first_messages(session: &[u8], messages: u64) -> Arc<[u8]> {
    let mut end = 0;
    for _ in 0..messages {
        let Some(length) = session.get(end..end + 2) else { break };
        end += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
    session[..end.min(session.len())].into()
}

impl Sweep {
    /// Measures every rate with `run`.
    pub(super) fn measure(plan: &Plan<'_>, session: &[u8], run: &Replay<'_>) -> Result<Self> {
        let cores = allowed_cores();
        let hops = measure::core_to_core(&cores[..cores.len().min(4)]);
        let started_ns = ringtape::clock::Clock::new().now().0;
        let mut idle = Meter::new();
        measure::watch_idle(&cores, plan.idle, TAIL_RATE, &mut idle);
        let mut rates: Vec<Rate> = Vec::new();
        let length = |rate: u64| (rate as f64 * plan.seconds) as u64;
        let parts: Vec<Arc<[u8]>> = plan
            .rates
            .iter()
            .map(|&rate| first_messages(session, length(rate).max(MESSAGES_MIN)))
            .collect();
        // The first run finds cold caches and pages; it does not count.
        run(&first_messages(session, WARM_UP_MESSAGES), Pace::Max)?;
        for &asked in plan.rates {
            rates.push(Rate { asked, reached: Vec::new(), stages: Vec::new() });
        }
        // The rates take turns, so that what the machine does for a while hits all of them.
        for _ in 0..plan.rounds {
            for (rate, part) in rates.iter_mut().zip(&parts) {
                rate.note(&run(part, Pace::per_second(rate.asked)?)?);
            }
        }
        measure::watch_idle(&cores, plan.idle, TAIL_RATE, &mut idle);
        Ok(Self { hops, idle, rates, started_ns, seconds: plan.seconds })
    }

    /// Whether the 99th percentile stays within a bound at every rate, in the median of its rounds.
    pub(super) fn is_within(&self, p99_max_ns: u64) -> bool {
        self.rates.iter().all(|rate| rate.p99().is_none_or(|[_, p99, _]| p99 <= p99_max_ns))
    }

    /// The rates, ascending.
    pub(super) fn rates(&self) -> &[Rate] {
        &self.rates
    }

    /// What events would have waited for the idle cores, before and after.
    pub(super) fn idle(&self) -> &Meter {
        &self.idle
    }

    /// The verdict in words.
    pub(super) fn verdict(&self) -> String {
        let idle = self.idle.summary().p99.unwrap_or(0);
        let rate = self.rates.iter().find(|rate| rate.asked == TAIL_RATE);
        let Some([_, p99, _]) = rate.and_then(Rate::p99) else {
            return format!(
                "no tail claim without a round at {} messages/s that has a 99th percentile",
                thousands(TAIL_RATE)
            );
        };
        let (own, bound) = (duration(p99), duration(idle + ADDED_P99_NS));
        if idle > IDLE_P99_NS_MAX {
            return format!(
                "this machine cannot support a tail claim: p99 of idle cores is {}",
                duration(idle)
            );
        }
        match p99 <= idle + ADDED_P99_NS {
            true => format!("p99 {own} at 100k/s lies within idle p99 + 3 us = {bound}"),
            false => format!("p99 {own} at 100k/s lies above idle p99 + 3 us = {bound}"),
        }
    }

    /// The highest rate that was kept up with, and the lowest that was not.
    fn saturation(&self) -> (Option<u64>, Option<u64>) {
        let lost = self.rates.iter().find(|rate| !rate.is_kept_up()).map(|rate| rate.asked);
        let below = |rate: &&Rate| lost.is_none_or(|lost| rate.asked < lost);
        (self.rates.iter().filter(below).map(|rate| rate.asked).max(), lost)
    }

    pub(super) fn saturation_words(&self, full_speed: u64) -> String {
        let kept = self.saturation();
        let full = thousands(full_speed);
        match kept {
            (Some(kept), Some(lost)) => format!(
                "keeps up with {} messages/s, not with {}; full speed is {full}",
                thousands(kept),
                thousands(lost)
            ),
            (Some(kept), None) => {
                format!("keeps up with all rates to {}; full speed is {full}", thousands(kept))
            }
            (None, _) => format!("keeps up with none of these rates; full speed is {full}"),
        }
    }

    /// Prints the table; `full_speed` is what an unpaced run reached.
    pub(super) fn describe(&self, full_speed: u64) {
        for hop in &self.hops {
            let [min, median, max] = hop.ns;
            term::tell(format_args!(
                "core {} to {}  {min} / {median} / {max} ns one way",
                hop.from, hop.to
            ));
        }
        term::tell(format_args!(
            "\n{:>10} {:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}   (medians of the rounds, from \
             intended time)",
            "rate", "stage", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        ));
        for rate in &self.rates {
            for stage in &rate.stages {
                let cells = stage.percentiles().map(|(_, spread)| {
                    let text = spread.map_or_else(|| "n/a".to_owned(), |[_, mid, _]| duration(mid));
                    format!("{text:>9}")
                });
                let late = if rate.is_kept_up() { "" } else { "   does not keep up" };
                term::tell(format_args!(
                    "{:>10} {:<10} {}{late}",
                    thousands(rate.asked),
                    stage.name,
                    cells.join(" ")
                ));
            }
        }
        let idle = Stage { name: "idle", rounds: vec![self.idle.summary()], all: Meter::new() };
        let cells = idle.percentiles().map(|(_, spread)| {
            let text = spread.map_or_else(|| "n/a".to_owned(), |[_, mid, _]| duration(mid));
            format!("{text:>9}")
        });
        term::tell(format_args!("{:>10} {:<10} {}", "", "idle cores", cells.join(" ")));
        term::tell(format_args!("saturation {}", self.saturation_words(full_speed)));
        term::tell(format_args!("verdict    {}", self.verdict()));
    }

    /// The parts of the JSON document.
    pub(super) fn to_json(&self, full_speed: u64) -> Value {
        let hops = self.hops.iter().map(|hop| {
            let [min, median, max] = hop.ns;
            json!({ "from": hop.from.0, "to": hop.to.0, "min": min, "median": median, "max": max })
        });
        let idle = self.idle.summary();
        let (kept, lost) = self.saturation();
        json!({
            "core_to_core_ns": hops.collect::<Vec<_>>(),
            "idle_ns": {
                "count": idle.count, "p50": idle.p50, "p90": idle.p90, "p99": idle.p99,
                "p999": idle.p999, "p9999": idle.p9999, "max": idle.max,
            },
            "rates": self.rates.iter().map(Rate::to_json).collect::<Vec<_>>(),
            "saturation": {
                "keeps_up_with": kept,
                "not_with": lost,
                "words": self.saturation_words(full_speed),
            },
            "verdict": self.verdict(),
        })
    }

    /// Every rate's stages over all rounds, with the names that files give them; then idle cores.
    pub(super) fn histograms(&self) -> Vec<(String, &Meter)> {
        let stages = self.rates.iter().flat_map(|rate| {
            rate.stages.iter().map(|stage| (format!("{}_{}", stage.name, rate.asked), &stage.all))
        });
        stages.chain([("idle".to_owned(), &self.idle)]).collect()
    }

    /// The histograms as an interval log.
    pub(super) fn hlog(&self) -> String {
        let histograms = self.histograms();
        let length = (self.seconds * 1e9) as u64;
        let intervals: Vec<_> =
            histograms.iter().map(|(name, meter)| (name.as_str(), length, *meter)).collect();
        ringtape::report::hdr::hlog(self.started_ns, &intervals)
    }
}

impl Rate {
    fn note(&mut self, run: &RunReport) {
        self.reached.push(run.messages_per_second());
        for report in &run.stages {
            self.note_stage(report.name, report.latency.meter());
        }
        let mut hiccups = Meter::new();
        run.hiccups().iter().for_each(|of_runner| hiccups.merge(of_runner));
        self.note_stage(HICCUPS, &hiccups);
    }

    fn note_stage(&mut self, name: &'static str, meter: &Meter) {
        let summary = meter.summary();
        if summary.count == 0 {
            return;
        }
        match self.stages.iter_mut().find(|stage| stage.name == name) {
            Some(stage) => {
                stage.rounds.push(summary);
                stage.all.merge(meter);
            }
            None => self.stages.push(Stage { name, rounds: vec![summary], all: meter.clone() }),
        }
    }

    pub(super) fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    pub(super) fn p99(&self) -> Option<[u64; 3]> {
        spread(self.stage(STAGE)?.rounds.iter().map(|round| round.p99))
    }

    fn is_kept_up(&self) -> bool {
        let reached = spread(self.reached.iter().map(|&rate| Some(rate)));
        let p50 = self.stage(STAGE).and_then(|stage| spread(stage.rounds.iter().map(|r| r.p50)));
        let is_fast = reached.is_some_and(|[_, mid, _]| mid * 100 >= self.asked * KEPT_UP_PERCENT);
        is_fast && p50.is_none_or(|[_, mid, _]| mid <= KEPT_UP_P50_NS)
    }

    fn to_json(&self) -> Value {
        let three = |spread: Option<[u64; 3]>| {
            spread.map(|[min, median, max]| json!({ "min": min, "median": median, "max": max }))
        };
        let stages = self.stages.iter().map(|stage| {
            let percentiles = stage.percentiles();
            let values = percentiles.map(|(name, spread)| (name.to_owned(), json!(three(spread))));
            let mut row = serde_json::Map::from_iter(values);
            row.insert("count".to_owned(), json!(stage.all.summary().count));
            if stage.name == HICCUPS {
                row.insert("control".to_owned(), json!(HICCUPS));
            }
            (stage.name.to_owned(), Value::Object(row))
        });
        json!({
            "rate": self.asked,
            "rounds": self.reached.len(),
            "reached_per_s": three(spread(self.reached.iter().map(|&rate| Some(rate)))),
            "keeps_up": self.is_kept_up(),
            "latency_ns": serde_json::Map::from_iter(stages),
        })
    }
}

impl Stage {
    /// Each percentile over the rounds; `None` where a round has too few samples.
    pub(super) fn percentiles(&self) -> [(&'static str, Option<[u64; 3]>); 6] {
        let over = |pick: fn(&LatencySummary) -> Option<u64>| spread(self.rounds.iter().map(pick));
        [
            ("p50", over(|round| round.p50)),
            ("p90", over(|round| round.p90)),
            ("p99", over(|round| round.p99)),
            ("p999", over(|round| round.p999)),
            ("p9999", over(|round| round.p9999)),
            ("max", over(|round| round.max)),
        ]
    }
}
