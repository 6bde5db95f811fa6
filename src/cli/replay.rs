//! `ringtape replay`: the main job.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR};
use ringtape::engine::{Engine, EngineConfig, Gate, JournalConfig, RunReport};
use ringtape::error::{Error, Result};
use ringtape::feed::Pace;
use ringtape::feed::orders::ORDERS_FORMAT;
use ringtape::journal::{Durability, Summary, VerifyReport, verify_any};
use ringtape::matching::VenueConfig;
use ringtape::portfolio::{MarkRule, PortfolioConfig};
use ringtape::report::{self, DataFaults, JournalCheck, Machine, Samples};
use ringtape::ring::Wait;
use ringtape::strategy::{StrategySpec, Trader, TraderConfig};
use ringtape::units::Nanos;

use super::config::RunConfig;
use super::instruments::Instruments;
use super::report::ReportFlags;
use super::{Ending, dry_run, input, matching, metrics, parse, term};

/// Time between two looks at a running engine.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Recorded feed, plain or gzip; `-` for stdin; or the directory of a run's journal
    #[arg(value_name = "FEED")]
    feed: PathBuf,
    #[command(flatten)]
    config: RunConfig,
    /// Keep journals of both rings in this new directory
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Go on with the run that the journal directory holds, or start it if it holds none
    #[arg(long, requires = "journal")]
    resume: bool,
    /// Take a snapshot of the whole state every so many messages, for --resume to go on from
    #[arg(long, value_name = "N", requires = "journal")]
    snapshot_every: Option<String>,
    /// What survives what: `pagecache` a killed process, `interval:10ms` and `batch` a power cut
    #[arg(long, value_name = "LEVEL", default_value = "pagecache")]
    durability: String,
    /// What matching waits for before it acts on an event: `none`, `journaled` or `durable`
    #[arg(long, value_name = "GATE", default_value = "none")]
    gate: String,
    /// Pace as recorded, times a factor: `1x`, `10x`, `0.5x`, or `max`
    #[arg(long, value_name = "X", conflicts_with = "rate")]
    speed: Option<String>,
    /// Pace evenly, so many messages a second
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// Cores to run on, `0,2-3`; all that are allowed unless given
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// Number of threads; one a core unless given
    #[arg(long, value_name = "N")]
    runners: Option<usize>,
    /// How threads wait: auto, spin, pause, yield or park
    #[arg(long, value_name = "WAIT", default_value = "auto")]
    wait: String,
    /// Check after every execution that the money adds up; exit 1 when it does not
    #[arg(long)]
    audit: bool,
    /// Hold the matching engine against the feed's own executions, order by order; exit 1 when they
    /// disagree
    #[arg(long)]
    check_matching: bool,
    /// Exit 1 when the feed has data faults
    #[arg(long)]
    strict: bool,
    /// Exit 1 unless the state hash is this one
    #[arg(long, value_name = "HASH")]
    expect_hash: Option<String>,
    /// Print the report to stdout as one JSON document instead of to stderr as text
    #[arg(long)]
    json: bool,
    /// Take flags that shape the run from this TOML file, by the same names; those given here win
    #[arg(long = "config", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Only tell what the run would do: threads and cores, sizes, free space, what shapes it
    #[arg(long, conflicts_with_all = ["report", "metrics"])]
    dry_run: bool,
    /// Serve the gauges for Prometheus on this machine alone: `127.0.0.1:9100`
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    #[command(flatten)]
    report: ReportFlags,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Ending> {
    let expected = args.expect_hash.as_deref().map(parse_hash).transpose()?;
    args.report.check()?;
    let metrics = args.metrics.as_deref().map(metrics::listen).transpose()?;
    let is_recorded_run = args.feed.is_dir();
    let recorded = is_recorded_run.then(|| RunConfig::read(&args.feed)).transpose()?;
    let resumed = args.journal.as_deref().filter(|_| args.resume);
    let resumed = resumed.map(RunConfig::read_if_present).transpose()?.flatten();
    let base = resumed.or(recorded.clone()).unwrap_or_default();
    let from_file = args.config_file.as_deref().map(RunConfig::read_own).transpose()?;
    let given = args.config.clone().or(from_file.unwrap_or_default());
    let mut shape = given.clone().or(base).spelled_out()?;
    let instruments = shape.instruments.as_ref().map(Instruments::overrides).transpose()?;
    let feed = input::open(&args.feed, shape.date.as_deref(), instruments.clone())?;
    shape.clock = Some(feed.description().zone.code().to_owned());
    let is_of_orders = match &recorded {
        Some(recorded) => recorded.is_of_orders(),
        None => feed.description().format == ORDERS_FORMAT,
    };
    let shape = if is_of_orders { shape.of_orders()? } else { shape };
    if let Some(own) = shape.instruments.as_ref().filter(|_| !is_of_orders) {
        own.check_recorded()?;
    }
    let from = shape.from.as_deref().map(|text| input::moment(&*feed, text)).transpose()?;
    let feed = input::until(feed, shape.until.as_deref())?;
    let config = EngineConfig { from, instruments, ..engine_config(args, &shape, is_of_orders)? };
    given.check_flags(config.trader.is_some())?;
    if args.dry_run {
        return dry_run::run(feed.description(), &config, &shape, args.json);
    }
    let stored_bytes = feed.description().stored_bytes;
    let portfolio = config.portfolio.clone();

    let engine = Engine::start(feed, config)?;
    stop_on_interrupt(&engine)?;
    metrics.map_or(Ok(()), |listener| metrics::serve(listener, &engine))?;
    let samples = watch(args, &engine, stored_bytes);
    let mut report = engine.join();
    if recorded.is_some_and(|recorded| recorded != shape) {
        report.feed.assumptions.push(
            "this is a new run over the recorded market data, by other flags than the recorded \
             run: leave them out to repeat that one"
                .to_owned(),
        );
    }
    let (journal, damage) = read_back(args.journal.as_deref(), &report);
    print_report(&report, journal.as_ref(), args.json)?;
    args.report.write(&args.feed, &report, samples.as_ref(), &shape, &portfolio)?;
    report.error = report.error.or(damage);
    ending(report, args.strict, expected)
}

/// Shows progress and samples the gauges until all threads have ended.
fn watch(args: &ReplayArgs, engine: &Engine, stored_bytes: Option<u64>) -> Option<Samples> {
    let mut progress = term::Progress::new(stored_bytes);
    let mut samples = args.report.samples(engine);
    while !engine.is_finished() {
        let period = samples.as_ref().map(|samples| Duration::from_nanos(samples.period().0));
        std::thread::sleep(period.unwrap_or(LOOK_INTERVAL));
        if let Some(samples) = &mut samples {
            samples.look();
        }
        let (messages, bytes) = engine.progress();
        progress.update(messages, bytes);
    }
    progress.clear();
    samples
}

/// What the engine is told: by the flags, and by what shapes the state.
fn engine_config(args: &ReplayArgs, shape: &RunConfig, is_of_orders: bool) -> Result<EngineConfig> {
    if is_of_orders && args.check_matching {
        return Err(Error::usage(
            "an order file has no executions of an exchange to check against",
            "leave --check-matching out, or replay a recorded feed",
        ));
    }
    let exchange = if is_of_orders {
        let [priority, allocation, capacity] =
            [&shape.priority, &shape.allocation, &shape.capacity].map(Option::as_deref);
        Some(matching::matcher_config(priority, allocation, capacity)?)
    } else {
        shape.check_matcher_flags()?;
        None
    };
    let pace = match (&args.speed, &args.rate) {
        (Some(speed), _) => speed.parse()?,
        (None, Some(rate)) => Pace::per_second(parse::count(rate)?)?,
        (None, None) => Pace::Max,
    };
    let durability = args.durability.parse::<Durability>()?;
    let snapshot_every = args.snapshot_every.as_deref().map(parse::count).transpose()?;
    if snapshot_every == Some(0) {
        return Err(Error::usage(
            "a snapshot every 0 messages leaves no time for them",
            "write --snapshot-every 1M, or leave it out",
        ));
    }
    Ok(EngineConfig {
        symbols: shape.symbols.clone().unwrap_or_default(),
        trader: trader(shape)?,
        exchange,
        check_matching: args.check_matching,
        portfolio: PortfolioConfig {
            marks: mark_rule(shape.mark_max_spread.as_deref())?,
            audit: args.audit,
            ..PortfolioConfig::default()
        },
        journal: args.journal.as_ref().map(|dir| JournalConfig {
            resume: args.resume,
            durability,
            snapshot_every,
            ..JournalConfig::new(dir, shape.to_toml())
        }),
        gate: args.gate.parse::<Gate>()?,
        pace,
        runners: args.runners,
        cores: args.cores.as_deref().map(parse::cores).transpose()?.unwrap_or_default(),
        wait: args.wait.parse::<Wait>()?,
        keep_executions: args.report.kept_executions(),
        ..EngineConfig::default()
    })
}

/// The strategy with its venue and fees; `None` without a strategy.
pub(super) fn trader(shape: &RunConfig) -> Result<Option<Trader>> {
    let spec: StrategySpec = shape.strategy.as_deref().unwrap_or("none").parse()?;
    if spec == StrategySpec::None {
        return Ok(None);
    }
    let config = TraderConfig {
        venue: VenueConfig {
            latency: latency(shape.latency.as_deref())?,
            conservative: is_conservative(shape.fills.as_deref())?,
        },
        fees: shape.fees.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
        marks: mark_rule(shape.mark_max_spread.as_deref())?,
        ..TraderConfig::default()
    };
    Ok(Some(Trader::new(&spec, config)))
}

fn latency(text: Option<&str>) -> Result<Nanos> {
    let Some(text) = text else { return Ok(VenueConfig::default().latency) };
    let time = text
        .strip_prefix("order=")
        .ok_or_else(|| Error::usage(format!("`{text}` is no latency"), "write order=50us"))?;
    parse::duration(time).map(Nanos)
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

fn mark_rule(max_spread: Option<&str>) -> Result<MarkRule> {
    let Some(text) = max_spread else { return Ok(MarkRule::default()) };
    let percent = text.trim_end_matches('%');
    // Parts per million of a per cent are four decimal places.
    match parse::decimal(percent, 4).map(u32::try_from) {
        Some(Ok(max_spread_ppm)) => Ok(MarkRule { max_spread_ppm }),
        _ => Err(Error::usage(format!("`{text}` is no percentage"), "write 5 or 0.5")),
    }
}

/// The first Ctrl-C stops the feed, so that everything drains and reports; the second aborts.
fn stop_on_interrupt(engine: &Engine) -> Result<()> {
    let stop = engine.stop_flag();
    ctrlc::set_handler(move || {
        if stop.is_set() {
            std::process::exit(i32::from(Ending::Interrupted.code()));
        }
        term::tell(format_args!("\nringtape: stopping; once more to abort"));
        stop.set();
    })
    .map_err(|error| Error::usage(format!("cannot handle Ctrl-C: {error}"), "report this"))
}

/// Reads back what was journaled: what is there, `None` without a journal, and what is wrong.
fn read_back(dir: Option<&Path>, report: &RunReport) -> (Option<JournalCheck>, Option<Error>) {
    let (Some(dir), Some(journal)) = (dir, &report.journal) else { return (None, None) };
    let [market, executions] =
        [(MARKET_DIR, &journal.market), (EXECUTIONS_DIR, &journal.executions)]
            .map(|(name, written)| read_back_one(&dir.join(name), written));
    let check = JournalCheck {
        path: dir.display().to_string(),
        market: market.as_ref().ok().cloned(),
        executions: executions.as_ref().ok().cloned(),
    };
    (Some(check), market.and(executions).err())
}

/// Verifies a journal and that it holds all that was written.
fn read_back_one(dir: &Path, written: &Summary) -> Result<VerifyReport> {
    let found = verify_any(dir)?;
    if found.sealed && found.records == written.records {
        return Ok(found);
    }
    Err(Error::BadJournal {
        path: dir.to_owned(),
        offset: found.bytes,
        what: format!("{} records, of {} written", found.records, written.records),
        cure: "do not rely on it; look at the disk and record again".to_owned(),
    })
}

fn print_report(report: &RunReport, journal: Option<&JournalCheck>, as_json: bool) -> Result<()> {
    let machine = Machine::look();
    if as_json {
        let document = report::run_json(report, &machine, journal);
        return term::print(format_args!("{document:#}"));
    }
    term::tell(report::run_text(report, &machine, journal).trim_end());
    Ok(())
}

/// How the command ends, by what was found and asked for.
fn ending(report: RunReport, strict: bool, expected: Option<u64>) -> Result<Ending> {
    let faults = DataFaults::of(&report).found().count();
    if let Some(error) = report.error {
        return Err(error);
    }
    if report.interrupted {
        return Ok(Ending::Interrupted);
    }
    let state = report.hashes.state();
    if let Some(expected) = expected.filter(|&expected| expected != state) {
        term::tell(format_args!(
            "ringtape: the state hash is {state:016x}, not {expected:016x} as expected"
        ));
        return Ok(Ending::CheckFailed);
    }
    if let Some(check) = report.check_matching.filter(|check| check.disagree > 0) {
        term::tell(format_args!(
            "ringtape: disagreements of the matching engine with the feed: {}",
            check.disagree
        ));
        return Ok(Ending::CheckFailed);
    }
    if strict && faults > 0 {
        term::tell(format_args!("ringtape: {faults} kinds of data fault, and --strict was given"));
        return Ok(Ending::CheckFailed);
    }
    Ok(Ending::Done)
}

fn parse_hash(text: &str) -> Result<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| {
        Error::usage(format!("`{text}` is no hash"), "give the 16 hex digits of a state hash")
    })
}
