//! What the rounds came to: figures of a line, a row's verdict, text and JSON.

use ringtape::report::Machine;
use serde_json::{Value, json};

use super::peers::{self, PEERS};
use super::rows::{Measure, Row};
use super::schedule::{Entry, Percentiles, Round};
use crate::cli::term;

/// Fewest rounds whose quartiles can part two lines.
const VERDICT_ROUNDS_MIN: usize = 3;

/// The spread of a figure over the rounds.
#[derive(Clone, Copy, Debug)]
struct Spread {
    min: f64,
    lower: f64,
    median: f64,
    upper: f64,
    max: f64,
}

impl Spread {
    fn of(rounds: &[(usize, Round)], figure: impl Fn(&Round) -> f64) -> Option<Self> {
        let mut figures: Vec<f64> = rounds.iter().map(|(_, round)| figure(round)).collect();
        figures.sort_by(f64::total_cmp);
        let at = |quarter: usize| figures[(figures.len() - 1) * quarter / 4];
        let (&min, &max) = (figures.first()?, figures.last()?);
        Some(Self { min, lower: at(1), median: figures[figures.len() / 2], upper: at(3), max })
    }

    /// Whether the middle halves of the rounds lie beside each other.
    fn is_apart_from(self, other: Self) -> bool {
        self.lower > other.upper || other.lower > self.upper
    }

    fn to_json(self) -> Value {
        let round = |figure: f64| (figure * 1e3).round() / 1e3;
        json!({
            "min": round(self.min),
            "lower_quartile": round(self.lower),
            "median": round(self.median),
            "upper_quartile": round(self.upper),
            "max": round(self.max),
        })
    }
}

/// Ours beside the best of the others.
struct Verdict {
    best: String,
    /// Ours over theirs, of medians.
    ratio: f64,
    ratio_p99: Option<f64>,
    /// `better`, `worse` or `no difference`; `None` with too few rounds.
    word: Option<&'static str>,
}

/// A measured row.
pub(crate) struct Figures<'a> {
    row: &'a Row,
    threads: usize,
    cores: Vec<usize>,
    entries: &'a [Entry],
}

impl<'a> Figures<'a> {
    pub(crate) fn new(
        row: &'a Row,
        threads: usize,
        cores: Vec<usize>,
        entries: &'a [Entry],
    ) -> Self {
        Self { row, threads, cores, entries }
    }

    /// Whether every line that has rounds read the same stream, and none failed.
    pub(crate) fn agree(&self) -> bool {
        let mut checksums = self
            .entries
            .iter()
            .flat_map(|entry| entry.rounds.iter().map(|(_, round)| &round.checksum));
        let first = checksums.next();
        let same = first.is_none_or(|first| checksums.all(|other| other == first));
        same && self.entries.iter().all(|entry| entry.missing.is_none() || !entry.peer.is_built())
    }

    fn spread(&self, entry: &Entry) -> Option<Spread> {
        Spread::of(&entry.rounds, |round| round.figure(self.row.measure))
    }

    /// The median over the rounds of one percentile, where the row has them.
    fn percentile(entry: &Entry, pick: impl Fn(&Percentiles) -> u64) -> Option<f64> {
        let rounds = entry.rounds.iter().filter_map(|(_, round)| round.latency_ns);
        let mut values: Vec<u64> = rounds.map(|latency| pick(&latency)).collect();
        values.sort_unstable();
        values.get(values.len() / 2).map(|&value| value as f64)
    }

    fn p99(entry: &Entry) -> Option<f64> {
        Self::percentile(entry, |latency| latency.p99)
    }

    fn verdict(&self) -> Option<Verdict> {
        let ours = self.entries.iter().find(|entry| entry.label == PEERS[0].name)?;
        let mine = self.spread(ours)?;
        let others = self.entries.iter().filter(|entry| !entry.peer.is_ours());
        let spreads = others.filter_map(|entry| Some((entry, self.spread(entry)?)));
        let by_median =
            |one: &(_, Spread), other: &(_, Spread)| one.1.median.total_cmp(&other.1.median);
        let is_more_better = self.row.measure == Measure::Rate;
        let (best, theirs) = match is_more_better {
            true => spreads.max_by(by_median),
            false => spreads.min_by(by_median),
        }?;
        let is_better = (mine.median > theirs.median) == is_more_better;
        let word = match (mine.is_apart_from(theirs), is_better) {
            (false, _) => "no difference",
            (true, true) => "better",
            (true, false) => "worse",
        };
        Some(Verdict {
            best: best.label.clone(),
            ratio: mine.median / theirs.median,
            ratio_p99: Self::p99(ours).zip(Self::p99(best)).map(|(ours, theirs)| ours / theirs),
            word: (ours.rounds.len() >= VERDICT_ROUNDS_MIN).then_some(word),
        })
    }

    /// Prints the row for people.
    pub(crate) fn describe(&self) {
        let place = if self.cores.is_empty() {
            format!("{} threads, placed by the system", self.threads)
        } else {
            format!("{} threads, pinned", self.threads)
        };
        term::tell(format_args!("\n{}: {} ({place})", self.row.name, self.row.picture));
        let columns: &[&str] = match self.row.measure {
            Measure::Rate => &["M/s: min", "median", "max", "batch"],
            Measure::Latency => &["p50: min", "median", "max", "p99", "p99.9", "max ns"],
        };
        let columns: String = columns.iter().map(|column| format!("{column:>10}")).collect();
        term::tell(format_args!("  {:<22} {:<14}{columns}", "", "wait"));
        for entry in self.entries {
            self.describe_entry(entry);
        }
        let Some(verdict) = self.verdict() else { return };
        let p99 = verdict.ratio_p99.map_or_else(String::new, |ratio| format!(", p99 {ratio:.2}x"));
        let word = verdict.word.unwrap_or("too few rounds to tell");
        term::tell(format_args!("  ringtape {:.2}x {}{p99}: {word}", verdict.ratio, verdict.best));
    }

    fn describe_entry(&self, entry: &Entry) {
        let label = &entry.label;
        let (Some(spread), None) = (self.spread(entry), &entry.missing) else {
            let why = entry.missing.as_deref().unwrap_or("no rounds");
            return term::tell(format_args!("  {label:<22} n/a: {why}"));
        };
        let way = entry.way().name();
        let Spread { min, median, max, .. } = spread;
        let head = format!("  {label:<22} {way:<14}");
        if self.row.measure == Measure::Rate {
            let batch = Spread::of(&entry.rounds, |round| round.mean_batch);
            let batch = batch.map_or(0.0, |batch| batch.median);
            return term::tell(format_args!(
                "{head}{min:>10.1}{median:>10.1}{max:>10.1}{batch:>10.1}"
            ));
        }
        let tail = |pick: fn(&Percentiles) -> u64| Self::percentile(entry, pick).unwrap_or(0.0);
        let (p99, p999) = (tail(|latency| latency.p99), tail(|latency| latency.p999));
        let longest = tail(|latency| latency.max);
        term::tell(format_args!(
            "{head}{min:>10.0}{median:>10.0}{max:>10.0}{p99:>10.0}{p999:>10.0}{longest:>10.0}"
        ));
    }

    pub(crate) fn to_json(&self) -> Value {
        let (unit, better) = match self.row.measure {
            Measure::Rate => ("M records/s", "more"),
            Measure::Latency => ("ns, median", "less"),
        };
        let verdict = self.verdict().map(|verdict| {
            json!({
                "best_peer": verdict.best,
                "ratio": verdict.ratio,
                "ratio_p99": verdict.ratio_p99,
                "verdict": verdict.word,
            })
        });
        json!({
            "row": self.row.name,
            "picture": self.row.picture,
            "unit": unit,
            "better": better,
            "threads": self.threads,
            "cores": self.cores,
            "peers": self.entries.iter().map(|entry| self.entry_json(entry)).collect::<Vec<_>>(),
            "against_best_peer": verdict,
        })
    }

    fn entry_json(&self, entry: &Entry) -> Value {
        if let Some(why) = &entry.missing {
            return json!({ "peer": entry.label, "missing": why });
        }
        let tried: serde_json::Map<String, Value> = entry
            .tried
            .iter()
            .map(|tried| (tried.way.name(), json!(tried.figure(self.row.measure))))
            .collect();
        let rounds: Vec<Value> = entry
            .rounds
            .iter()
            .map(|(place, round)| {
                json!({
                    "place": place,
                    "figure": round.figure(self.row.measure),
                    "records": round.records,
                    "elapsed_ns": round.elapsed_ns,
                    "mean_batch": round.mean_batch,
                    "latency_ns": round.latency_ns,
                    "checksum": round.checksum,
                })
            })
            .collect();
        json!({
            "peer": entry.label,
            "control": (!entry.peer.is_ours()).then_some("peer"),
            "wait": entry.way().name(),
            "waits_tried": tried,
            "figure": self.spread(entry).map(Spread::to_json),
            "p99_ns": Self::p99(entry),
            "mean_batch": Spread::of(&entry.rounds, |round| round.mean_batch).map(|b| b.median),
            "checksum": entry.rounds.first().map(|(_, round)| &round.checksum),
            "rounds": rounds,
        })
    }
}

/// Names and versions of the peers in this build.
pub(crate) fn versions() -> Vec<(&'static str, String)> {
    let built = PEERS.iter().filter(|peer| peer.is_built());
    built
        .map(|peer| {
            let version = peer.package.map(|package| peers::version(package).unwrap_or("unknown"));
            (peer.name, version.unwrap_or("of the standard library").to_owned())
        })
        .collect()
}

/// How this program was compiled.
pub(crate) fn flags(machine: &Machine) -> String {
    if !machine.is_optimised {
        return "not optimised: these figures mean nothing".to_owned();
    }
    let manifest = include_str!("../../../../Cargo.toml");
    let profile = manifest.split("[profile.release]\n").nth(1).unwrap_or_default();
    let lines: Vec<_> = profile.lines().take_while(|line| !line.is_empty()).collect();
    format!("release: {}", lines.join(", "))
}
