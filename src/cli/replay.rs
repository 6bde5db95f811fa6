//! `ringtape replay`: the main job.

mod read_back;
mod refusal;
mod tables;

use std::net::TcpListener;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringtape::engine::{Engine, EngineConfig, EngineHandle, JournalConfig, RunReport};
use ringtape::error::{Error, Result};
use ringtape::feed::{Feed, Pace, orders::ORDERS_FORMAT};
use ringtape::journal::Durability;
use ringtape::portfolio::PortfolioConfig;
use ringtape::report::{self, DataFaults, JournalCheck, Machine, Samples};

pub(super) use self::read_back::read_back;
use self::refusal::Refusal;
use super::config::RunConfig;
use super::control::{self, KillSignal};
use super::door::DoorFlags;
use super::input::NOTHING_IN_WINDOW;
use super::report::ReportFlags;
use super::threads::ThreadFlags;
use super::watch::{self, Screen, Wish};
use super::{Ending, dry_run, input, matching, metrics, parse, story, sweep, term, trading};

/// Time between two looks at a running engine.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What is said of a run over recorded market data with flags of its own.
const NEW_RUN: &str = "this is a new run over the recorded market data, by other flags than the \
                       recorded run: leave them out to repeat that one";

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Recorded feed, plain or compressed, several as one by time; `-` for stdin; the directory of
    /// a run's journal; or a live feed,
    /// udp://GROUP:PORT[?b=GROUP:PORT&request=ADDRESS:PORT&interface=ADDRESS&...]
    #[arg(value_name = "FEED", required = true)]
    feeds: Vec<PathBuf>,
    #[command(flatten)]
    config: RunConfig,
    /// TOML file with flags that shape the run by their names; what is given as a flag goes before
    #[arg(long = "config", value_name = "FILE")]
    config_file: Option<PathBuf>,
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
    /// [default: pagecache]
    #[arg(long, value_name = "LEVEL", requires = "journal")]
    durability: Option<String>,
    /// What matching waits for before it acts on an event: `none`, `journaled` or `durable`
    /// [default: none; with --gateway journaled]
    #[arg(long, value_name = "GATE")]
    gate: Option<String>,
    #[command(flatten)]
    door: DoorFlags,
    /// Pace as recorded, times a factor: `1x`, `10x`, `0.5x`, or `max`
    #[arg(long, value_name = "X", conflicts_with = "rate")]
    speed: Option<String>,
    /// Pace evenly, so many messages a second
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    #[command(flatten)]
    threads: ThreadFlags,
    /// Write every fill, with the queue ahead of it at entry and at the fill, to this CSV file
    #[arg(long, value_name = "FILE")]
    fills_out: Option<PathBuf>,
    /// Write the positions at the end to this CSV file
    #[arg(long, value_name = "FILE")]
    positions_out: Option<PathBuf>,
    /// Tell the story of an order: its place in the queue, and the events that filled it
    #[arg(long, value_name = "ORDER")]
    explain: Option<String>,
    /// Read commands while the run goes on: the lines of a file and those appended to it, or of a
    /// named pipe, whoever writes to it, or of stdin, `-`; `kill`, `kill account=0`,
    /// `limits position=500,loss=250.00 account=0`; the signal USR1 kills too
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Run the strategy at every point of a grid, side by side: `skew=1..5,size=100,200`; a table
    /// to stderr, CSV to stdout
    #[arg(
        long,
        value_name = "KEY=VALUES,...",
        conflicts_with_all = ["journal", "speed", "rate", "fills_out", "positions_out", "explain",
            "control", "check_matching", "expect_hash", "strict", "runners", "cores"]
    )]
    sweep: Option<String>,
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
    /// Record the hashes after every so many messages, in the JSON document, where `compare` of two
    /// such documents finds the first that differ
    #[arg(long, value_name = "N", requires = "json", conflicts_with_all = ["resume", "sweep"])]
    hash_every: Option<String>,
    /// Print the report to stdout as one JSON document instead of to stderr as text
    #[arg(long)]
    json: bool,
    /// Only tell what the run would do: threads and cores, sizes, free space, what shapes it
    #[arg(long, conflicts_with_all = ["report", "metrics", "sweep"])]
    dry_run: bool,
    /// Show a dashboard in the terminal while the run goes on: stages, books, positions, faults;
    /// `q` closes it, the arrows show other books
    #[arg(long, conflicts_with_all = ["sweep", "dry_run"])]
    watch: bool,
    /// Serve the gauges for Prometheus on this machine alone: `127.0.0.1:9100`
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    #[command(flatten)]
    report: ReportFlags,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Ending> {
    let expected = args.expect_hash.as_deref().map(parse::hash).transpose()?;
    tables::check(args)?;
    args.report.check()?;
    if args.watch {
        watch::check()?;
    }
    let metrics = args.metrics.as_deref().map(metrics::listen).transpose()?;
    let run_dir = match &args.feeds[..] {
        [dir] if dir.is_dir() => Some(input::run_dir(dir)),
        _ => None,
    };
    let recorded = run_dir.map(RunConfig::read_recorded).transpose()?;
    let resumed = args.journal.as_deref().filter(|_| args.resume);
    let resumed = resumed.map(RunConfig::read_if_present).transpose()?.flatten();
    let is_resumed = resumed.is_some();
    let base = resumed.or(recorded.clone()).unwrap_or_default();
    let written = args.config_file.as_deref().map(RunConfig::read_file).transpose()?;
    let given = args.config.clone().or(written.unwrap_or_default());
    let shape = args.door.shape(&given, base, is_resumed)?.spelled_out()?;
    let feed = input::open(&args.feeds, shape.date.as_deref(), shape.instruments.as_ref())?;
    if feed.description().arrival.is_some() {
        check_live(args)?;
    }
    given.check_feed(feed.description())?;
    let shape = shape.of_feed(feed.description());
    if feed.description().is_of_levels {
        check_levels(args)?;
    }
    shape.check_queue()?;
    let is_of_orders = match &recorded {
        Some(recorded) => recorded.is_of_orders(),
        None => feed.description().format == ORDERS_FORMAT,
    };
    let shape = if is_of_orders { shape.of_orders()? } else { shape };
    if let Some(own) = &shape.instruments {
        match is_of_orders {
            true => own.check_clock(feed.description())?,
            false => own.check_recorded(feed.description())?,
        }
    }
    let instruments = shape.overrides()?;
    input::check_window(&*feed, shape.from.as_deref(), shape.until.as_deref())?;
    let from = shape.from.as_deref().map(|text| input::moment(&*feed, text)).transpose()?;
    let feed = input::until(feed, shape.until.as_deref())?;
    let mut config =
        EngineConfig { from, instruments, ..engine_config(args, &shape, is_of_orders)? };
    args.door.open(&mut config)?;
    given.check_flags(config.trader.is_some(), is_of_orders)?;
    tables::check_trading(args, config.trader.is_some(), is_of_orders)?;
    if args.dry_run {
        return dry_run::run(feed.description(), &config, &shape, args.json);
    }
    if let Some(grid) = &args.sweep {
        return sweep::run(&args.feeds, &shape, grid, args.audit, args.json);
    }
    let refusal = Refusal::of(args, feed.description());
    let driven = drive(args, feed, config, &shape, metrics);
    let (mut report, samples) = refusal.take(driven)?;
    if recorded.is_some_and(|recorded| recorded != shape) {
        report.feed.assumptions.push(NEW_RUN.to_owned());
    }
    report.feed.assumptions.extend(queue_assumption(&shape));
    report.trader_warnings.extend(trading::missing_rates(&shape, &report));
    if shape.until.is_some() && report.checks.messages == 0 && report.error.is_none() {
        report.feed.assumptions.push(NOTHING_IN_WINDOW.to_owned());
    }
    let (journal, damage) = read_back(args.journal.as_deref(), &report);
    print_report(args, &report, journal.as_ref())?;
    tables::write(args, &report)?;
    args.report.write(drawn_feeds(args, &report), &report, samples.as_ref(), &shape)?;
    report.error = report.error.or(damage);
    ending(report, args.strict, expected)
}

/// Runs the engine to its end, with all that looks on and steers.
fn drive(
    args: &ReplayArgs,
    feed: Box<dyn Feed>,
    config: EngineConfig,
    shape: &RunConfig,
    metrics: Option<TcpListener>,
) -> Result<(RunReport, Option<Samples>)> {
    let description = feed.description().clone();
    let stored_bytes = description.stored_bytes;
    let accounts = config.trader.as_ref().map_or(0, |trader| trader.names().count());
    let mut engine = Engine::start(feed, config)?;
    stop_on_interrupt(engine.handle())?;
    metrics.map_or(Ok(()), |listener| metrics::serve(listener, &engine))?;
    let kill_signal = KillSignal::listen()?;
    let follow = |path: &PathBuf| control::follow(path, accounts, engine.handle().inbox());
    args.control.as_ref().map_or(Ok(()), follow)?;
    let symbols = shape.symbols.as_deref().unwrap_or_default();
    let open = || Screen::open(&mut engine, description, symbols, pace_text(args));
    // A run that has begun is not given up for a picture of it.
    let screen = args.watch.then(open).and_then(|opened| opened.map_err(term::tell).ok());
    let samples = look_on(args, &engine, stored_bytes, kill_signal, screen);
    Ok((engine.join(), samples))
}

/// What the market of a report is drawn from: a live feed comes once, but is in its journal.
fn drawn_feeds<'a>(args: &'a ReplayArgs, report: &RunReport) -> &'a [PathBuf] {
    match &args.journal {
        Some(journal) if report.feed.arrival.is_some() => std::slice::from_ref(journal),
        _ => &args.feeds,
    }
}

/// Refuses what a live feed cannot do.
fn check_live(args: &ReplayArgs) -> Result<()> {
    let given = [("speed", args.speed.is_some()), ("rate", args.rate.is_some())];
    if args.resume && !args.feeds.iter().any(|feed| feed.to_string_lossy().contains("request=")) {
        return Err(Error::usage(
            "without a server to ask, a live feed has nothing of what came before",
            "name one with `request=`, or leave --resume out",
        ));
    }
    if args.report.is_wanted() && args.journal.is_none() {
        return Err(Error::usage(
            "a report draws the market from a second pass, and a live feed comes once",
            "keep what comes with --journal DIR, from which it is drawn, or leave --report out",
        ));
    }
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Error::usage(
            format!("--{name} does nothing for a live feed, which comes when it comes"),
            "leave it out",
        )),
        None => Ok(()),
    }
}

/// Refuses what needs single orders, in a feed that tells price levels.
fn check_levels(args: &ReplayArgs) -> Result<()> {
    match args.check_matching {
        true => Err(Error::usage(
            "the feed tells price levels and no orders: there is no execution of an order to check \
             matching against",
            "leave the flag out to rebuild the books, or replay a feed of orders",
        )),
        false => Ok(()),
    }
}

/// What is said of queues that the feed does not tell; `None` where nothing trades in them.
fn queue_assumption(shape: &RunConfig) -> Option<String> {
    let model = shape.queue.as_ref()?;
    Some(format!(
        "the feed tells price levels: places of own orders in their queues are {model} guesses, of \
         which --queue names the other"
    ))
}

/// How the feed is paced.
fn pace_text(args: &ReplayArgs) -> String {
    match (&args.speed, &args.rate) {
        (Some(speed), _) => format!("speed {speed}"),
        (None, Some(rate)) => format!("{rate} a second"),
        (None, None) => "as fast as it goes".to_owned(),
    }
}

/// Shows progress, samples the gauges and heeds signal and keys until all threads have ended.
fn look_on(
    args: &ReplayArgs,
    engine: &Engine,
    stored_bytes: Option<u64>,
    mut kill_signal: KillSignal,
    mut screen: Option<Screen>,
) -> Option<Samples> {
    let mut progress = term::Progress::new(stored_bytes);
    let mut samples = args.report.samples(engine);
    let handle = engine.handle();
    while !engine.is_finished() {
        let period = samples.as_ref().map(|samples| Duration::from_nanos(samples.period().0));
        std::thread::sleep(period.unwrap_or(LOOK_INTERVAL));
        if let Some(samples) = &mut samples {
            samples.look();
        }
        kill_signal.pass_on(&handle.inbox());
        let wish = screen.as_mut().map(|screen| screen.turn(handle.is_stopping()));
        if wish == Some(Wish::Stop) {
            interrupt(&handle);
        }
        if !watch::is_shown() {
            let stats = handle.stats();
            progress.update(stats.messages, stats.stored_bytes);
        }
    }
    progress.clear();
    samples
}

/// The order to explain, as executions number it.
fn explained(args: &ReplayArgs, is_of_orders: bool) -> Result<Option<u64>> {
    args.explain.as_deref().map(|text| story::order_number(text, is_of_orders)).transpose()
}

/// What the engine is told: by the flags, and by what shapes the state.
fn engine_config(args: &ReplayArgs, shape: &RunConfig, is_of_orders: bool) -> Result<EngineConfig> {
    if is_of_orders && args.check_matching {
        return Err(Error::usage(
            "an order file has no executions of an exchange to check against",
            "leave --check-matching out, or replay a recorded feed",
        ));
    }
    let shaped = shaped_config(shape, is_of_orders)?;
    let pace = match (&args.speed, &args.rate) {
        (Some(speed), _) => speed.parse()?,
        (None, Some(rate)) => Pace::per_second(parse::count(rate)?)?,
        (None, None) => Pace::Max,
    };
    let durability = args.durability.as_deref().map(str::parse::<Durability>).transpose()?;
    let snapshot_every = args.snapshot_every.as_deref().map(parse::count).transpose()?;
    if snapshot_every == Some(0) {
        return Err(Error::usage(
            "a snapshot every 0 messages leaves no time for them",
            "write --snapshot-every 1M, or leave it out",
        ));
    }
    let hash_every = args.hash_every.as_deref().map(parse::count).transpose()?;
    let hash_every = hash_every.map(|every| {
        NonZeroU64::new(every).ok_or_else(|| {
            Error::usage("hashes every 0 messages are none", "write --hash-every 100k")
        })
    });
    args.threads.shape(EngineConfig {
        hash_every: hash_every.transpose()?,
        check_matching: args.check_matching,
        keep_fills: args.fills_out.is_some(),
        explain: explained(args, is_of_orders)?,
        portfolio: PortfolioConfig { audit: args.audit, ..shaped.portfolio },
        journal: args.journal.as_ref().map(|dir| JournalConfig {
            resume: args.resume,
            durability: durability.unwrap_or_default(),
            snapshot_every,
            ..JournalConfig::new(dir, shape.to_toml())
        }),
        gate: args.door.gate(args.gate.as_deref(), args.journal.is_some())?,
        pace,
        keep_executions: args.report.kept_executions(),
        is_watched: args.watch,
        ..shaped
    })
}

/// What shapes the state, times and instruments aside.
pub(super) fn shaped_config(shape: &RunConfig, is_of_orders: bool) -> Result<EngineConfig> {
    let exchange = if is_of_orders {
        let [priority, allocation, capacity] =
            [&shape.priority, &shape.allocation, &shape.capacity].map(Option::as_deref);
        Some(matching::matcher_config(priority, allocation, capacity)?)
    } else {
        shape.check_matcher_flags()?;
        None
    };
    Ok(EngineConfig {
        symbols: shape.symbols.clone().unwrap_or_default(),
        trader: trading::trader(shape)?,
        exchange,
        portfolio: PortfolioConfig {
            marks: trading::mark_rule(shape.mark_max_spread.as_deref())?,
            rates: trading::rates(shape.rates.as_deref())?,
            ..PortfolioConfig::default()
        },
        ..EngineConfig::default()
    })
}

/// The first Ctrl-C stops the feed, so that everything drains and reports; the second aborts.
fn stop_on_interrupt(handle: EngineHandle) -> Result<()> {
    ctrlc::set_handler(move || interrupt(&handle))
        .map_err(|error| Error::usage(format!("cannot handle Ctrl-C: {error}"), "report this"))
}

fn interrupt(handle: &EngineHandle) {
    if handle.is_stopping() {
        watch::restore();
        std::process::exit(i32::from(Ending::Interrupted.code()));
    }
    if !watch::is_shown() {
        term::tell(format_args!("\nringtape: stopping; once more to abort"));
    }
    handle.stop();
}

fn print_report(
    args: &ReplayArgs,
    report: &RunReport,
    journal: Option<&JournalCheck>,
) -> Result<()> {
    let machine = Machine::look();
    let story = args.explain.as_deref().zip(report.story.as_deref());
    if args.json {
        let mut document = report::run_json(report, &machine, journal);
        if let Some((order, chapters)) = story {
            document["explain"] = story::json(order, chapters);
        }
        return term::print(format_args!("{document:#}"));
    }
    if let Some((order, chapters)) = story {
        term::tell(story::text(order, chapters, report.feed.zone).trim_end());
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
