//! `ringtape bench compare`: two documents of `bench --json`, figure by figure.
//!
//! What is a difference, and what only looks like one, is decided in [`super::verdict`], beside
//! the rows that cannot differ ([`super::controls`]).

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::error::{Error, Result};
use serde_json::{Map, Value, json};

use super::controls::Controls;
use super::verdict::{Range, Verdict};
use super::yardstick;
use crate::cli::{Ending, term};

/// Keys by which the elements of a list are told apart.
const LABELS: [&str; 9] =
    ["bench", "row", "flow", "case", "name", "peer", "label", "agent", "rate"];

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

/// Rounds of a figure that does not say how many it had.
const ROUNDS_ASSUMED: usize = 3;

/// A figure of a document.
#[derive(Clone, Debug)]
struct Figure {
    path: String,
    range: Range,
    is_more_better: bool,
    /// What kind of control it is, if any.
    control: Option<String>,
    /// The way to wait that was chosen for its rounds.
    wait: Option<String>,
}

impl Figure {
    /// Why a figure says nothing about two builds, if so.
    fn unjudged_because(&self, other: &Self) -> Option<String> {
        let control = self.control.as_ref().or(other.control.as_ref()).cloned();
        control.or_else(|| self.other_wait(other))
    }

    fn other_wait(&self, other: &Self) -> Option<String> {
        let (before, after) = self.wait.as_ref().zip(other.wait.as_ref())?;
        (before != after).then(|| format!("waited by {before}, then by {after}"))
    }
}

/// What the objects around a figure say about it.
#[derive(Clone, Copy, Debug, Default)]
struct Surroundings<'a> {
    count: usize,
    /// The rounds, where they are listed.
    rounds: &'a [Value],
    /// `None` where only the figure's name tells.
    is_more_better: Option<bool>,
    control: Option<&'a str>,
    wait: Option<&'a str>,
}

impl<'a> Surroundings<'a> {
    fn within(self, object: &'a Map<String, Value>) -> Self {
        let (count, rounds) = match object.get("rounds") {
            Some(Value::Array(rounds)) => (rounds.len(), rounds.as_slice()),
            Some(number) => (number.as_u64().map_or(self.count, |count| count as usize), &[][..]),
            None => (self.count, self.rounds),
        };
        let word = |key: &str| object.get(key).and_then(Value::as_str);
        Self {
            count,
            rounds,
            is_more_better: word("better").map(|word| word == "more").or(self.is_more_better),
            control: word("control").or(self.control),
            wait: word("wait").or(self.wait),
        }
    }

    /// The figure called `name`: an object with a minimum, a median and a maximum. Its rounds are
    /// numbers, or objects with a number of its name.
    fn range(self, name: &str, object: &Map<String, Value>) -> Option<Range> {
        let number = |key: &str| object.get(key).and_then(Value::as_f64);
        let round = |round: &Value| round.as_f64().or_else(|| round.get(name)?.as_f64());
        Some(Range {
            low: number("min")?,
            median: number("median")?,
            high: number("max")?,
            count: self.count,
            rounds: self.rounds.iter().map(round).collect::<Option<_>>().unwrap_or_default(),
        })
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
        let around = Surroundings { count: ROUNDS_ASSUMED, ..Surroundings::default() };
        document.walk(&value, "", around);
        Ok((document, value))
    }

    /// Takes in what lies under `path`, in the light of what stands around it.
    fn walk(&mut self, value: &Value, path: &str, around: Surroundings<'_>) {
        let under = |name: &str| match path {
            "" => name.to_owned(),
            _ => format!("{path} / {name}"),
        };
        match value {
            Value::Object(object) => {
                let around = around.within(object);
                let name = path.rsplit(" / ").next().unwrap_or_default();
                if let Some(range) = around.range(name, object) {
                    let more = around.is_more_better;
                    let is_more_better = more.unwrap_or_else(|| path.contains("per_s"));
                    self.figures.push(Figure {
                        path: path.to_owned(),
                        range,
                        is_more_better,
                        control: around.control.map(str::to_owned),
                        wait: around.wait.map(str::to_owned),
                    });
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
    /// Per cent by which the machine itself changed.
    drift: f64,
    verdict: Verdict,
    /// Why it is not judged.
    unjudged: Option<String>,
}

impl Line {
    /// Of the median, in per cent of what it was.
    fn change_percent(&self) -> f64 {
        (self.a.ratio(&self.b) - 1.0) * 100.0
    }
}

/// The figures of both documents, judged.
fn lines(a: &Document, b: &Document, yardstick: f64) -> Vec<Line> {
    let other = |figure: &Figure| b.figures.iter().find(|other| other.path == figure.path);
    let figures = a.figures.iter();
    let pair = |one| {
        let other = other(one)?;
        Some((one, other, one.unjudged_because(other)))
    };
    let pairs: Vec<(&Figure, &Figure, Option<String>)> = figures.filter_map(pair).collect();
    let mut controls = Controls::default();
    for (one, other, _) in &pairs {
        let control = one.control.as_deref().or(other.control.as_deref());
        if let Some(control) = control.filter(|_| one.other_wait(other).is_none()) {
            let ratio = one.range.ratio(&other.range);
            let faster = if one.is_more_better { ratio } else { 1.0 / ratio };
            controls.note(&one.path, control == yardstick::CONTROL, faster);
        }
    }
    let judged = pairs.iter().filter(|(_, _, unjudged)| unjudged.is_none()).count();
    let line = |(one, other, unjudged): (&Figure, &Figure, Option<String>)| {
        let (a, b) = (one.range.clone(), other.range.clone());
        let drift = yardstick.max(controls.drift_percent(&one.path));
        let verdict = match unjudged {
            Some(_) => Verdict::NotJudged,
            None => Verdict::of(one.is_more_better, (&a, &b), judged, drift),
        };
        Line { path: one.path.clone(), a, b, drift, verdict, unjudged }
    };
    pairs.into_iter().map(line).collect()
}

pub(super) fn run(args: &CompareArgs) -> Result<Ending> {
    let ((a, a_value), (b, b_value)) = (Document::read(&args.a)?, Document::read(&args.b)?);
    check_streams(&a, &b)?;
    let drift = yardstick::drift_percent(&a_value["yardsticks"], &b_value["yardsticks"]);
    let lines = lines(&a, &b, drift);
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
    for line in lines {
        let Line { path, a, b, drift, verdict, unjudged } = line;
        let change = line.change_percent();
        let words = match verdict {
            Verdict::NoDifference if a.overlaps(b) => {
                let noise = a.noise_percent().max(b.noise_percent());
                format!("no difference (the rounds themselves differ by {noise:.1} %)")
            }
            Verdict::Unsure => {
                let rounds = a.count.min(b.count);
                format!("no difference that {rounds} rounds could show ({change:+.1} %)")
            }
            Verdict::Machine => {
                format!("no difference ({change:+.1} %, the machine itself {drift:.1} %)")
            }
            Verdict::NotJudged => {
                format!("{}, not judged ({change:+.1} %)", unjudged.as_deref().unwrap_or_default())
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
    let unjudged = count(Verdict::NotJudged);
    let same = lines.len() - better - worse - unjudged;
    match better + worse {
        0 if same == 0 => out.line("nothing here is judged")?,
        0 => out.line("no difference beyond the noise of these rounds")?,
        _ => out.line(format_args!(
            "{better} better, {worse} worse, {same} without a difference, {unjudged} not judged"
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
            "change_percent": line.change_percent(),
            "machine_percent": line.drift,
            "verdict": line.verdict.words(),
            "why": line.unjudged,
        })
    });
    json!({
        "schema": 1,
        "bench": "compare",
        "same_machine": has_same_machine,
        "figures": rows.collect::<Vec<_>>(),
    })
}
