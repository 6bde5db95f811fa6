//! `ringtape bench compare`: two documents of `bench --json`, figure by figure.
//!
//! A difference is claimed when all rounds of the one lie on one side of all rounds of the other,
//! when chance alone would do that in fewer than one of five comparisons with as many figures and
//! rounds, and when the medians are apart by 3 % or more. Anything less is "no difference".

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::error::{Error, Result};
use serde_json::{Map, Value, json};

use crate::cli::{Ending, term};

/// Keys by which the elements of a list are told apart.
const LABELS: [&str; 8] = ["bench", "row", "flow", "name", "peer", "label", "agent", "rate"];

/// Parts of a document that say where it was measured, not what.
const SURROUNDINGS: [&str; 3] = ["machine", "core_to_core_ns", "idle_ns"];

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// What `bench ... --json` printed before
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// What it printed after
    #[arg(value_name = "B.json")]
    b: PathBuf,
    /// Print the comparison to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

/// Share of comparisons of equal things in which a difference may be claimed.
const CHANCE_MAX: f64 = 0.2;

/// Difference of medians in per cent below which it is the layout of the code in memory.
const DIFFERENCE_PERCENT_MIN: f64 = 3.0;

/// Rounds of a figure that does not say how many it had.
const ROUNDS_ASSUMED: usize = 3;

/// A figure over the rounds: where most of them lie.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    rounds: usize,
    low: f64,
    median: f64,
    high: f64,
}

impl Range {
    /// The range of an object with a minimum, a median and a maximum; the middle half of the rounds
    /// where it has that too.
    fn of(object: &Map<String, Value>, rounds: usize) -> Option<Self> {
        let number = |key: &str| object.get(key).and_then(Value::as_f64);
        let median = number("median")?;
        let low = number("lower_quartile").or_else(|| number("min"))?;
        let high = number("upper_quartile").or_else(|| number("max"))?;
        Some(Self { rounds, low, median, high })
    }

    fn overlaps(self, other: Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    /// How likely two ranges of so many rounds of the same thing lie apart: of all orders in which
    /// the rounds of both may come, two keep them apart.
    fn chance(self, other: Self) -> f64 {
        let (own, all) = (self.rounds as u64, (self.rounds + other.rounds) as u64);
        let orders = (1..=own).map(|k| (all - own + k) as f64 / k as f64).product::<f64>();
        2.0 / orders
    }

    /// Half the width in per cent of the median: what a difference must exceed to be seen.
    fn noise_percent(self) -> f64 {
        if self.median > 0.0 { (self.high - self.low) * 50.0 / self.median } else { 0.0 }
    }
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    NoDifference,
    Better,
    Worse,
}

impl Verdict {
    /// The verdict on one of so many `figures`.
    fn of(is_more_better: bool, a: Range, b: Range, figures: usize) -> Self {
        let percent = (b.median - a.median).abs() * 100.0 / a.median.abs().max(f64::MIN_POSITIVE);
        let is_chance = a.chance(b) * figures as f64 > CHANCE_MAX;
        if a.overlaps(b) || is_chance || percent < DIFFERENCE_PERCENT_MIN {
            return Self::NoDifference;
        }
        if (b.median > a.median) == is_more_better { Self::Better } else { Self::Worse }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NoDifference => "no difference",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }
}

/// A figure of a document.
#[derive(Clone, Debug)]
struct Figure {
    path: String,
    range: Range,
    is_more_better: bool,
}

/// What the objects around a figure say about it.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    rounds: usize,
    /// `None` where only the figure's name tells.
    is_more_better: Option<bool>,
}

impl Surroundings {
    fn within(self, object: &Map<String, Value>) -> Self {
        let rounds = match object.get("rounds") {
            Some(Value::Array(rounds)) => Some(rounds.len()),
            Some(number) => number.as_u64().map(|rounds| rounds as usize),
            None => None,
        };
        let more = object.get("better").and_then(Value::as_str).map(|word| word == "more");
        Self { rounds: rounds.unwrap_or(self.rounds), is_more_better: more.or(self.is_more_better) }
    }
}

/// What a document holds: figures and checksums by path.
#[derive(Debug, Default)]
struct Document {
    figures: Vec<Figure>,
    streams: Vec<(String, String)>,
}

impl Document {
    fn read(path: &Path) -> Result<(Self, Value)> {
        let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            Error::usage(
                format!("{}: {error}", path.display()),
                "give what `ringtape bench ... --json` printed",
            )
        })?;
        if value["schema"] != 1 || !value["bench"].is_string() {
            return Err(Error::usage(
                format!("{} is no document of `ringtape bench`", path.display()),
                "give what `ringtape bench ... --json` printed",
            ));
        }
        let mut document = Self::default();
        document.walk(&value, "", Surroundings { rounds: ROUNDS_ASSUMED, is_more_better: None });
        Ok((document, value))
    }

    /// Takes in what lies under `path`, in the light of what stands around it.
    fn walk(&mut self, value: &Value, path: &str, around: Surroundings) {
        let under = |name: &str| match path {
            "" => name.to_owned(),
            _ => format!("{path} / {name}"),
        };
        match value {
            Value::Object(object) => {
                let around = around.within(object);
                if let Some(range) = Range::of(object, around.rounds) {
                    let more = around.is_more_better;
                    let is_more_better = more.unwrap_or_else(|| path.contains("per_s"));
                    self.figures.push(Figure { path: path.to_owned(), range, is_more_better });
                    return;
                }
                for (name, value) in object {
                    match value {
                        Value::String(text) if name == "checksum" && is_of_stream(path) => {
                            self.streams.push((under(name), text.clone()));
                        }
                        _ if SURROUNDINGS.contains(&name.as_str()) => {}
                        _ => self.walk(value, &under(name), around),
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let label = LABELS.iter().find_map(|key| item.get(key));
                    let name = match label {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => index.to_string(),
                    };
                    self.walk(item, &under(&name), around);
                }
            }
            _ => {}
        }
    }
}

/// Whether a checksum at `path` is that of what was measured with.
fn is_of_stream(path: &str) -> bool {
    path.ends_with("session") || path.ends_with("stream")
}

/// A figure of both documents.
struct Line {
    path: String,
    a: Range,
    b: Range,
    verdict: Verdict,
}

pub(super) fn run(args: &CompareArgs) -> Result<Ending> {
    let ((a, a_value), (b, b_value)) = (Document::read(&args.a)?, Document::read(&args.b)?);
    check_streams(&a, &b)?;
    let pair = |figure: &Figure| {
        let other = b.figures.iter().find(|other| other.path == figure.path)?;
        Some((figure.clone(), other.range))
    };
    let pairs: Vec<(Figure, Range)> = a.figures.iter().filter_map(pair).collect();
    let count = pairs.len();
    let line = |(Figure { path, range: a, is_more_better }, b)| {
        let verdict = Verdict::of(is_more_better, a, b, count);
        Line { path, a, b, verdict }
    };
    let lines: Vec<Line> = pairs.into_iter().map(line).collect();
    if lines.is_empty() {
        return Err(Error::usage(
            "the two documents have no figure in common",
            "run the same `bench` with the same rows twice",
        ));
    }
    let has_same_machine = a_value["machine"] == b_value["machine"];
    if args.json {
        term::print(format_args!("{:#}", to_json(&lines, has_same_machine)))?;
    } else {
        describe(&lines, has_same_machine)?;
    }
    let is_worse = lines.iter().any(|line| line.verdict == Verdict::Worse);
    Ok(if is_worse { Ending::CheckFailed } else { Ending::Done })
}

/// Refuses figures of different streams.
fn check_streams(a: &Document, b: &Document) -> Result<()> {
    for (path, checksum) in &a.streams {
        let other = b.streams.iter().find(|(other, _)| other == path);
        if let Some((_, other)) = other.filter(|(_, other)| other != checksum) {
            return Err(Error::usage(
                format!("{path} is {checksum} in the one and {other} in the other"),
                "figures of different streams do not compare: run both with the same flags",
            ));
        }
    }
    Ok(())
}

fn describe(lines: &[Line], has_same_machine: bool) -> Result<()> {
    let width = lines.iter().map(|line| line.path.chars().count()).max().unwrap_or(0);
    let mut out = term::Stdout::lock();
    if !has_same_machine {
        out.line("! measured on different machines: differences may be theirs")?;
    }
    for Line { path, a, b, verdict } in lines {
        let change = (b.median / a.median - 1.0) * 100.0;
        let words = match verdict {
            Verdict::NoDifference if a.overlaps(*b) => {
                let noise = a.noise_percent().max(b.noise_percent());
                format!("no difference (the rounds themselves differ by {noise:.1} %)")
            }
            Verdict::NoDifference if a.chance(*b) * lines.len() as f64 > CHANCE_MAX => {
                let rounds = a.rounds.min(b.rounds);
                format!("no difference that {rounds} rounds could show ({change:+.1} %)")
            }
            Verdict::NoDifference => format!("no difference ({change:+.1} %)"),
            other => format!("{} ({change:+.1} %)", other.words()),
        };
        out.line(format_args!(
            "{path:<width$}  {:>12.1} -> {:>12.1}  {words}",
            a.median, b.median
        ))?;
    }
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    let (better, worse) = (count(Verdict::Better), count(Verdict::Worse));
    match better + worse {
        0 => out.line("no difference beyond the noise of these rounds")?,
        _ => out.line(format_args!(
            "{better} better, {worse} worse, {} without a difference",
            lines.len() - better - worse
        ))?,
    }
    out.finish()
}

fn to_json(lines: &[Line], has_same_machine: bool) -> Value {
    let range = |range: &Range| json!([range.low, range.median, range.high]);
    let rows = lines.iter().map(|line| {
        json!({
            "figure": line.path,
            "a": range(&line.a),
            "b": range(&line.b),
            "verdict": line.verdict.words(),
        })
    });
    json!({
        "schema": 1,
        "bench": "compare",
        "same_machine": has_same_machine,
        "figures": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_overlap_do_not_differ_and_the_direction_follows_the_unit() {
        let range = |low, high| Range { rounds: 7, low, median: (low + high) / 2.0, high };
        let (slow, fast) = (range(10.0, 20.0), range(30.0, 40.0));
        let rate = |a, b| Verdict::of(true, a, b, 10);
        let time = |a, b| Verdict::of(false, a, b, 10);
        assert_eq!(rate(slow, range(20.0, 30.0)), Verdict::NoDifference);
        assert_eq!((rate(slow, fast), rate(fast, slow)), (Verdict::Better, Verdict::Worse));
        assert_eq!((time(slow, fast), time(fast, slow)), (Verdict::Worse, Verdict::Better));
        assert_eq!(rate(range(100.0, 101.0), range(101.5, 102.0)), Verdict::NoDifference);
    }

    #[test]
    fn few_rounds_of_many_figures_lie_apart_by_chance_and_claim_nothing() {
        let range = |rounds, low: f64| Range { rounds, low, median: low, high: low };
        // 3 and 3 rounds come in 20 orders, 7 and 7 in 3,432.
        assert!((range(3, 1.0).chance(range(3, 2.0)) - 0.1).abs() < 1e-9);
        assert!((range(7, 1.0).chance(range(7, 2.0)) - 2.0 / 3_432.0).abs() < 1e-9);
        let verdict = |rounds| Verdict::of(true, range(rounds, 1.0), range(rounds, 2.0), 40);
        assert_eq!((verdict(3), verdict(7)), (Verdict::NoDifference, Verdict::Better));
    }
}
