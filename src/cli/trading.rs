//! Strategies, venue, fees and limits of a run, from its configuration.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ringtape::engine::RunReport;
use ringtape::error::{Error, Result};
use ringtape::hash::hash_bytes;
use ringtape::matching::{LatencyModel, QueueModel, VenueConfig};
use ringtape::portfolio::{MarkRule, Rates};
use ringtape::strategy::risk::RiskLimits;
use ringtape::strategy::{Strategy, StrategySpec, Trader, TraderConfig};
use ringtape::units::Nanos;

use super::config::RunConfig;
use super::instruments::Instruments;
use super::{parse, toml_file};

/// Most ways that a file of recorded latencies may hold.
const RECORDED_WAYS_MAX: usize = 10_000_000;

/// The strategies of a run; empty when there is none that does anything.
pub(super) fn strategies(shape: &RunConfig) -> Result<Vec<StrategySpec>> {
    let given = shape.strategy.iter().flatten();
    let specs = given.map(|text| text.parse()).collect::<Result<Vec<StrategySpec>>>()?;
    Ok(if specs.iter().all(|spec| *spec == StrategySpec::None) { vec![] } else { specs })
}

/// The strategies with their venue, fees and limits; `None` without a strategy.
pub(super) fn trader(shape: &RunConfig) -> Result<Option<Trader>> {
    let specs = strategies(shape)?;
    if specs.is_empty() {
        return Ok(None);
    }
    let built: Vec<Box<dyn Strategy>> = specs.iter().map(StrategySpec::build).collect();
    let trader = Trader::with_strategies(built, trader_config(shape)?);
    Ok(Some(if shape.is_away() { trader.through_gateway() } else { trader }))
}

/// What shapes trading beside the strategies.
pub(super) fn trader_config(shape: &RunConfig) -> Result<TraderConfig> {
    Ok(TraderConfig {
        venue: VenueConfig {
            latency: latency(shape.latency.as_deref())?,
            conservative: is_conservative(shape.fills.as_deref())?,
            queue: queue_model(shape.queue.as_deref())?,
            instruments: shape.overrides()?.unwrap_or_default(),
        },
        fees: shape.fees.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
        fees_of: shape.instruments.as_ref().map(Instruments::fees).transpose()?.unwrap_or_default(),
        marks: mark_rule(shape.mark_max_spread.as_deref())?,
        rates: rates(shape.rates.as_deref())?,
        limits: shape.limits.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
        seed: shape.seed.unwrap_or(1),
        clock: shape.zone(),
        ..TraderConfig::default()
    })
}

/// The rates of a run.
pub(super) fn rates(text: Option<&str>) -> Result<Rates> {
    text.map(str::parse).transpose().map(Option::unwrap_or_default)
}

/// Currencies that were traded and of which the rates of a run say nothing.
pub(super) fn missing_rates(shape: &RunConfig, report: &RunReport) -> Vec<String> {
    let totals = report.accounts.iter().filter(|_| shape.rates.is_some());
    let without = totals.filter(|total| total.equity_in_base.is_none());
    let currencies: BTreeSet<&str> = without.map(|total| total.currency.as_str()).collect();
    let warning =
        |currency| format!("no rate leads from {currency} to the base: add it to --rates");
    currencies.into_iter().map(warning).collect()
}

fn is_conservative(rules: Option<&str>) -> Result<bool> {
    match rules {
        None | Some("default") => Ok(false),
        Some("conservative") => Ok(true),
        Some(other) => Err(Error::usage(
            format!("unknown rules of fills `{other}`"),
            "use default or conservative",
        )),
    }
}

/// What is assumed of places in the queues of price levels.
pub(super) fn queue_model(name: Option<&str>) -> Result<QueueModel> {
    let Some(name) = name else { return Ok(QueueModel::default()) };
    let found = QueueModel::ALL.iter().find(|model| model.name() == name);
    found.copied().ok_or_else(|| {
        Error::usage(
            format!("`{name}` is no model of the queue"),
            "use pessimistic or proportional",
        )
    })
}

/// The rule that turns quotes into marks.
pub(super) fn mark_rule(max_spread: Option<&str>) -> Result<MarkRule> {
    let Some(text) = max_spread else { return Ok(MarkRule::default()) };
    let percent = text.trim_end_matches('%');
    // Parts per million of a per cent are four decimal places.
    match parse::decimal(percent, 4).map(u32::try_from) {
        Some(Ok(max_spread_ppm)) => Ok(MarkRule { max_spread_ppm }),
        _ => Err(Error::usage(format!("`{text}` is no percentage"), "write 5 or 0.5")),
    }
}

/// Reads `order=50us,report=30us,jitter=5us,seed=1`, or `file=PATH` in the place of the first two.
fn latency(text: Option<&str>) -> Result<LatencyModel> {
    let mut model = LatencyModel::default();
    let (mut file, mut hash) = (None, None);
    let mut names = Vec::new();
    for item in text.into_iter().flat_map(|text| text.split(',')) {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        let time = || parse::duration(value).map(Nanos);
        parse::once(&mut names, key.trim(), "latency")?;
        match key.trim() {
            "order" => model.order = time()?,
            "report" => model.report = time()?,
            "jitter" => model.jitter = time()?,
            "seed" => model.seed = parse::count(value)?,
            "file" => file = Some(Path::new(value)),
            "hash" => hash = Some(value),
            _ => {
                return Err(Error::usage(
                    format!("`{item}` is no latency"),
                    "write order=50us,report=30us,jitter=5us,seed=1 or file=PATH",
                ));
            }
        }
    }
    if let Some(path) = file {
        let (ways, found) = recorded_ways(path)?;
        if hash.is_some_and(|hash| hash != found) {
            return Err(Error::usage(
                format!("`{}` is not the file of latencies of the recorded run", path.display()),
                "restore it, or give --latency anew for a run of its own",
            ));
        }
        model.recorded = Some(ways);
    }
    Ok(model)
}

/// The text of a latency with the hash of the file that it names, so that a run is not repeated
/// with another one.
pub(super) fn latency_with_hash(text: &str) -> Result<String> {
    let file = text.split(',').find_map(|item| item.strip_prefix("file="));
    match file {
        Some(path) if !text.contains("hash=") => {
            Ok(format!("{text},hash={}", recorded_ways(Path::new(path))?.1))
        }
        _ => Ok(text.to_owned()),
    }
}

type Ways = Arc<[[Nanos; 2]]>;

/// Reads latencies, a line each: the order's, and after a comma the report's, with units or in ns;
/// `#` begins a comment.
fn recorded_ways(path: &Path) -> Result<(Ways, String)> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let mut ways = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
        if line.is_empty() {
            continue;
        }
        let (order, report) = line.split_once(',').unwrap_or((line, "0"));
        let time = |text: &str| {
            let text = text.trim();
            text.parse().ok().or_else(|| parse::duration(text).ok()).map(Nanos)
        };
        let (Some(order), Some(report)) = (time(order), time(report)) else {
            return Err(Error::usage(
                format!("{}, line {}: `{line}` is no latency", path.display(), number + 1),
                "write a line each, as in `50us` or `50us,30us`",
            ));
        };
        ways.push([order, report]);
    }
    if ways.is_empty() || ways.len() > RECORDED_WAYS_MAX {
        return Err(Error::usage(
            format!("{} holds {} latencies", path.display(), ways.len()),
            format!("give a file of 1 to {RECORDED_WAYS_MAX}"),
        ));
    }
    Ok((ways.into(), format!("{:016x}", hash_bytes(text.as_bytes()))))
}

/// The canonical text of limits, which may stand in a TOML file.
pub(super) fn limits_text(given: &str) -> Result<String> {
    let text = if given.ends_with(".toml") {
        let cure = "write a limit a line, as in `position = 1000`";
        let table: toml::Table = toml_file::read(Path::new(given), cure)?;
        let text = super::config::pairs(&table);
        check_limits(Path::new(given), &text)?;
        text
    } else {
        given.to_owned()
    };
    Ok(text.parse::<RiskLimits>()?.to_string())
}

/// Refuses limits of the file at `path` that are none, and says on which line.
pub(super) fn check_limits(path: &Path, text: &str) -> Result<()> {
    for item in text.split(',') {
        let name = item.split('=').next().unwrap_or(item).trim();
        let read = item.parse::<RiskLimits>();
        read.map_err(|error| toml_file::at_entry(path, &[name, "limits"], error))?;
    }
    Ok(())
}
