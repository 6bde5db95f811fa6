//! `ringtape replay --sweep`: one run for each point of a grid of parameters, side by side.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ringtape::engine::{Engine, EngineConfig, RunReport};
use ringtape::error::{Error, Result};
use ringtape::feed::udp::SCHEME;
use ringtape::portfolio::PortfolioConfig;
use ringtape::runtime::allowed_cores;
use ringtape::strategy::StrategySpec;
use ringtape::units::{CoreId, Money};
use serde_json::{Value, json};

use super::config::RunConfig;
use super::{Ending, input, term, trading};

/// Points of a grid at most.
const POINTS_MAX: usize = 10_000;

/// A point of the grid: a value for each parameter.
type Point = Vec<(String, String)>;

/// A run at a point.
struct Row {
    point: Point,
    report: RunReport,
}

/// Runs the grid that `text` spans, each point on one thread, and prints a table to stderr and CSV,
/// or JSON, to stdout.
pub(super) fn run(
    feeds: &[PathBuf],
    shape: &RunConfig,
    text: &str,
    has_audit: bool,
    as_json: bool,
) -> Result<Ending> {
    let points = grid(text)?;
    let spec = match &trading::strategies(shape)?[..] {
        [spec] => spec.clone(),
        specs => {
            return Err(Error::usage(
                format!("a sweep is of one strategy, and {} are given", specs.len()),
                "name one with --strategy",
            ));
        }
    };
    let comes_once =
        |feed: &PathBuf| feed == Path::new("-") || feed.to_string_lossy().starts_with(SCHEME);
    if feeds.iter().any(comes_once) {
        return Err(Error::usage("a sweep reads its feed again and again", "name a file"));
    }
    let specs = points.iter().map(|point| at(&spec, point)).collect::<Result<Vec<_>>>()?;
    let rows = run_all(feeds, shape, points, &specs, has_audit)?;
    if as_json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        let document = json!({ "schema": 1, "strategy": spec.to_string(), "rows": rows });
        term::print(format_args!("{document:#}"))?;
    } else {
        term::tell(table(&rows).trim_end());
        term::print(csv(&rows).trim_end())?;
    }
    Ok(Ending::Done)
}

/// The points of `KEY=VALUES,KEY=VALUES`: a value without a key continues the list before it, and
/// `1..5` stands for 1, 2, 3, 4, 5.
fn grid(text: &str) -> Result<Vec<Point>> {
    let bad = |what: &str| {
        Error::usage(
            format!("`{what}` is no grid"),
            "write it like `skew=1..5,size=100,200`, the last of a range included",
        )
    };
    let mut axes: Vec<(String, Vec<String>)> = vec![];
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let value = match item.split_once('=') {
            Some((key, value)) => {
                if axes.iter().any(|(other, _)| other == key) {
                    return Err(bad(item));
                }
                axes.push((key.to_owned(), vec![]));
                value
            }
            None => item,
        };
        let Some((_, values)) = axes.last_mut() else { return Err(bad(item)) };
        match value.split_once("..") {
            None => values.push(value.to_owned()),
            Some((first, last)) => {
                let number = |text: &str| text.parse::<u64>().map_err(|_| bad(item));
                let (first, last) = (number(first)?, number(last)?);
                if first > last || last - first >= POINTS_MAX as u64 {
                    return Err(bad(item));
                }
                values.extend((first..=last).map(|value| value.to_string()));
            }
        }
    }
    let mut points: Vec<Point> = vec![vec![]];
    for (key, values) in axes {
        let extended = points.iter().flat_map(|point| {
            let key = &key;
            values.iter().map(move |value| {
                let mut point = point.clone();
                point.push((key.clone(), value.clone()));
                point
            })
        });
        points = extended.take(POINTS_MAX + 1).collect();
    }
    match points.len() {
        0 | 1 if points.concat().is_empty() => Err(bad(text)),
        count if count > POINTS_MAX => Err(Error::usage(
            format!("`{text}` has more than {POINTS_MAX} points"),
            "sweep fewer values",
        )),
        _ => Ok(points),
    }
}

/// The strategy at a point.
fn at(spec: &StrategySpec, point: &Point) -> Result<StrategySpec> {
    point.iter().try_fold(spec.clone(), |spec, (key, value)| spec.with(key, value))
}

/// Runs every strategy, as many at a time as there are cores, and gives them in the grid's order.
fn run_all(
    feeds: &[PathBuf],
    shape: &RunConfig,
    points: Vec<Point>,
    specs: &[StrategySpec],
    has_audit: bool,
) -> Result<Vec<Row>> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<RunReport>>>> =
        specs.iter().map(|_| Mutex::new(None)).collect();
    let run = |core: CoreId| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(spec), Some(result)) = (specs.get(index), results.get(index)) else {
                return;
            };
            let outcome = run_one(feeds, shape, spec, has_audit, core);
            *result.lock().expect("no thread panics while it holds this") = Some(outcome);
        }
    };
    thread::scope(|scope| {
        for core in allowed_cores().into_iter().take(specs.len()) {
            let run = &run;
            scope.spawn(move || run(core));
        }
    });
    let outcomes = results.into_iter().map(|result| {
        let outcome = result.into_inner().expect("no thread panics while it holds this");
        outcome.expect("every point was run")
    });
    points
        .into_iter()
        .zip(outcomes)
        .map(|(point, outcome)| outcome.map(|report| Row { point, report }))
        .collect()
}

fn run_one(
    feeds: &[PathBuf],
    shape: &RunConfig,
    spec: &StrategySpec,
    has_audit: bool,
    core: CoreId,
) -> Result<RunReport> {
    let shape = RunConfig { strategy: Some(vec![spec.to_string()]), ..shape.clone() };
    let config = EngineConfig {
        symbols: shape.symbols.clone().unwrap_or_default(),
        trader: trading::trader(&shape)?,
        portfolio: PortfolioConfig {
            marks: trading::mark_rule(shape.mark_max_spread.as_deref())?,
            rates: trading::rates(shape.rates.as_deref())?,
            audit: has_audit,
            ..PortfolioConfig::default()
        },
        runners: Some(1),
        cores: vec![core],
        ..EngineConfig::default()
    };
    let instruments = shape.overrides()?;
    let feed = input::open(feeds, shape.date.as_deref(), shape.instruments.as_ref())?;
    let from = shape.from.as_deref().map(|text| input::moment(&*feed, text)).transpose()?;
    let feed = input::until(feed, shape.until.as_deref())?;
    let config = EngineConfig { from, instruments, ..config };
    let mut report = Engine::start(feed, config)?.join();
    match report.error.take() {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// What is compared: name and value.
fn figures(report: &RunReport) -> Vec<(&'static str, String)> {
    let sum = |of: fn(&ringtape::portfolio::AccountTotal) -> Money| {
        report.accounts.iter().fold(Money(0), |sum, total| sum + of(total)).to_string()
    };
    vec![
        ("orders", report.trades.submitted.to_string()),
        ("rejected", report.trades.rejected.to_string()),
        ("fills", report.trades.fills.to_string()),
        ("position", report.portfolio.iter().map(|row| row.position).sum::<i64>().to_string()),
        ("realised", sum(|total| total.realised)),
        ("unrealised", sum(|total| total.unrealised)),
        ("fees", sum(|total| total.fees)),
        ("equity", sum(|total| total.equity)),
        ("drawdown", sum(|total| total.drawdown)),
        ("turnover", sum(|total| total.turnover)),
        ("state_hash", format!("{:016x}", report.hashes.state())),
    ]
}

fn names(row: &Row) -> Vec<&str> {
    let keys = row.point.iter().map(|(key, _)| key.as_str());
    keys.chain(figures(&row.report).into_iter().map(|(name, _)| name)).collect()
}

fn values(row: &Row) -> Vec<String> {
    let keys = row.point.iter().map(|(_, value)| value.clone());
    keys.chain(figures(&row.report).into_iter().map(|(_, value)| value)).collect()
}

fn csv(rows: &[Row]) -> String {
    let mut text = rows.first().map_or(String::new(), |row| names(row).join(",")) + "\n";
    for row in rows {
        let _ = writeln!(text, "{}", values(row).join(","));
    }
    text
}

fn table(rows: &[Row]) -> String {
    let head: Vec<String> =
        rows.first().map_or(vec![], |row| names(row).into_iter().map(str::to_owned).collect());
    let lines: Vec<Vec<String>> = [head].into_iter().chain(rows.iter().map(values)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (field, width) in line.iter().zip(&widths) {
            let _ = write!(text, "  {field:>width$}");
        }
        text.push('\n');
    }
    text
}

fn row_json(row: &Row) -> Value {
    let mut object = serde_json::Map::new();
    let parameters: serde_json::Map<String, Value> =
        row.point.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    object.insert("parameters".to_owned(), Value::Object(parameters));
    for (name, value) in figures(&row.report) {
        let value = match value.parse::<i64>() {
            Ok(number) if !value.contains('.') && name != "state_hash" => json!(number),
            _ => json!(value),
        };
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_the_product_of_its_lists_and_ranges() {
        let points = grid("skew=1..3,size=100,200").expect("a grid");
        let texts: Vec<String> = points
            .iter()
            .map(|point| {
                point.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
            })
            .map(|pairs| pairs.join(" "))
            .collect();
        assert_eq!(texts.len(), 6);
        assert_eq!((texts[0].as_str(), texts[5].as_str()), ("skew=1 size=100", "skew=3 size=200"));
        for text in ["", "5", "skew=5..1", "skew=a..b", "skew=1,skew=2", "a=1..99999"] {
            assert!(grid(text).is_err(), "{text}");
        }
        assert!(grid("a=1..200,b=1..200").expect_err("too many").to_string().contains("points"));
    }
}
