//! `ringtape venue`: the matching engine as a venue that others send orders to.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use ringtape::engine::{
    Engine, EngineConfig, JournalConfig, OpeningBook, RunReport, VenueCounts, VenueServer,
};
use ringtape::error::{Error, Result};
use ringtape::feed::Feed;
use ringtape::feed::orders::ORDERS_FORMAT;
use ringtape::report::{self, Machine};
use serde_json::json;

use super::config::{DATED, RunConfig};
use super::instruments::{self, Instruments};
use super::matching::MatcherFlags;
use super::replay::read_back;
use super::threads::ThreadFlags;
use super::{Ending, input, parse, term};

/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(super) struct VenueArgs {
    /// What the venue opens with: the books at the end of a recorded feed, or what an order file
    /// leaves on them
    #[arg(value_name = "FEED", required = true)]
    feeds: Vec<PathBuf>,
    /// Address to listen at, `127.0.0.1:7001`; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: String,
    /// Keep journals of commands and executions in this new directory
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Go on with the venue that the journal directory holds, or open it if it holds none
    #[arg(long)]
    resume: bool,
    /// What survives what: `pagecache` a killed process, `interval:10ms` and `batch` a power cut
    #[arg(long, value_name = "LEVEL", default_value = "interval:10ms")]
    durability: String,
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day
    #[arg(long, value_name = "DATE", value_parser = parse::some_text())]
    date: Option<String>,
    /// Open with the books as they are before the first message at or after this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    matcher: MatcherFlags,
    /// Terms and rules of instruments, a table for each symbol: orders off the tick or lot, too
    /// small or too large are rejected
    #[arg(long, value_name = "FILE.toml", value_parser = instruments::read)]
    instruments: Option<Instruments>,
    #[command(flatten)]
    threads: ThreadFlags,
    /// Print the report to stdout as one JSON document instead of to stderr as text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VenueArgs) -> Result<Ending> {
    let listener = TcpListener::bind(&args.listen).map_err(|error| {
        let what = format!("cannot listen at `{}`: {error}", args.listen);
        Error::usage(what, "write an address of this machine, such as 127.0.0.1:7001")
    })?;
    let feed = open_feed(args)?;
    let clock = feed.description().zone;
    let own = args.instruments.as_ref();
    let instruments = own.map(|own| own.overrides(clock)).transpose()?;
    let rules = args.matcher.config()?;
    let book = OpeningBook::of(feed, rules, &instruments.clone().unwrap_or_default())?;
    let MatcherFlags { priority, allocation, capacity } = args.matcher.clone();
    let shape = RunConfig {
        priority,
        allocation,
        capacity,
        instruments: args.instruments.clone(),
        clock: Some(clock.code().to_owned()),
        times: Some(DATED.to_owned()),
        ..RunConfig::default()
    };
    let config = args.threads.shape(EngineConfig {
        exchange: Some(rules),
        instruments,
        journal: Some(JournalConfig {
            resume: args.resume,
            durability: args.durability.parse()?,
            ..JournalConfig::new(&args.journal, shape.of_orders()?.to_toml())
        }),
        ..EngineConfig::default()
    })?;
    let engine = Engine::start(book.feed(), config)?;
    let is_stopped = stop_on_interrupt()?;
    let server = VenueServer::start(listener, &engine, &args.journal, &book, args.threads.wait()?)?;
    let (instruments, orders) = book.sizes();
    term::tell(format_args!(
        "ringtape: listening at {}, with {instruments} instruments and {orders} orders",
        server.address()
    ));
    while !is_stopped.load(Ordering::Relaxed) && !engine.is_finished() && !server.is_finished() {
        std::thread::sleep(LOOK);
    }
    let served = server.stop();
    engine.handle().stop();
    // A venue is open until it is closed.
    let mut report = RunReport { interrupted: false, ..engine.join() };
    let (journal, damage) = read_back(Some(&args.journal), &report);
    let counts = served?;
    counts.leave_out_own(&mut report.trades);
    let machine = Machine::look();
    if args.json {
        let mut document = report::run_json(&report, &machine, journal.as_ref());
        document["venue"] = counts_json(&counts);
        term::print(format_args!("{document:#}"))?;
    } else {
        term::tell(report::run_text(&report, &machine, journal.as_ref()).trim_end());
        tell_counts(&counts);
    }
    match report.error.or(damage) {
        Some(error) => Err(error),
        None => Ok(Ending::Interrupted),
    }
}

/// The feed with whose end the venue opens.
fn open_feed(args: &VenueArgs) -> Result<Box<dyn Feed>> {
    let own = args.instruments.as_ref();
    own.map_or(Ok(()), |own| own.check_no_fees("a venue charges nothing"))?;
    let feed = input::open(&args.feeds, args.date.as_deref(), own)?;
    if feed.description().format != ORDERS_FORMAT {
        own.map_or(Ok(()), |own| own.check_recorded(feed.description()))?;
    }
    if feed.description().arrival.is_some() {
        return Err(Error::usage(
            "a live feed is never over, so there is no book that it ends with",
            "name a recorded feed or an order file",
        ));
    }
    input::until(feed, args.until.as_deref())
}

/// The flag that the first Ctrl-C sets; the second aborts.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_stopped);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Ending::Interrupted.code()));
        }
        term::tell(format_args!("\nringtape: closing; once more to abort"));
    })
    .map_err(|error| Error::usage(format!("cannot handle Ctrl-C: {error}"), "report this"))?;
    Ok(is_stopped)
}

fn tell_counts(counts: &VenueCounts) {
    let VenueCounts { runs, sessions, commands, reports, breaks, .. } = counts;
    term::tell(format_args!(
        "venue: {runs} runs, {sessions} sessions, {commands} commands taken, {reports} reports sent"
    ));
    for one in breaks {
        term::tell(format_args!("  ! a session broke: {one}"));
    }
}

fn counts_json(counts: &VenueCounts) -> serde_json::Value {
    json!({
        "runs": counts.runs,
        "sessions": counts.sessions,
        "commands": counts.commands,
        "reports": counts.reports,
        "breaks": counts.breaks,
    })
}
