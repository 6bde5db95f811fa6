//! `ringtape convert`: a feed in another format, or played to whoever listens.

mod lobster;
mod orders;
mod play;
mod tape;
mod target;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringtape::engine::{Engine, EngineConfig, JournalConfig};
use ringtape::error::{Error, Result};
use ringtape::event::{Event, EventView};
use ringtape::feed::{Checks, Description, Feed, Fill};
use ringtape::limits::FEED_BATCH_RECORDS;
use ringtape::report::format::thousands;
use ringtape::runtime::StopFlag;

use self::target::Target;
use super::config::RunConfig;
use super::control::stop_on_interrupt;
use super::input::{self, Input};
use super::{Ending, term};

/// Time for which a live feed without news is left alone.
const PENDING: Duration = Duration::from_micros(100);

/// Bytes of the name that packets give their session.
const SESSION_BYTES_MAX: usize = 10;

// --from is refused with the reason.
#[derive(Debug, Args)]
#[command(mut_arg("from", |from| from.hide(true)))]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    input: Input,
    /// What to write, by its name: day.itch, day.pcap, day.pcapng, each with .gz or .zst behind it,
    /// SYMBOL_..._message_10.csv (LOBSTER, with the order book file of so many levels beside it),
    /// orders.csv (an order file, with its price increments beside it as orders.toml), a new
    /// directory (journal), udp://GROUP:PORT (live), or `-` for ITCH on stdout
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The instrument of a LOBSTER file, when the feed has several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Name of the session in packets, ten characters
    #[arg(long, value_name = "NAME", default_value = "RINGTAPE01")]
    session: String,
    /// Write packets on two lines, A and B; an address says so itself, with `b=`
    #[arg(long)]
    two_lines: bool,
    /// Share of packets that each line loses, `0.1%`
    #[arg(long, value_name = "SHARE")]
    loss: Option<String>,
    /// Share of packets that come twice on their line
    #[arg(long, value_name = "SHARE")]
    duplicate: Option<String>,
    /// Share of packets that come behind the one after them
    #[arg(long, value_name = "SHARE")]
    reorder: Option<String>,
    /// What the faults of the lines come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Pace of a live feed: as recorded, times a factor, `1x`, `10x`, or `max`
    #[arg(long, value_name = "X", conflicts_with = "rate")]
    speed: Option<String>,
    /// Pace of a live feed: so many messages a second
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// Time for which a live feed's end is told, once at least, and requests are answered
    /// [default: 2s]
    #[arg(long, value_name = "TIME")]
    linger: Option<String>,
    /// Overwrite files
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &ConvertArgs) -> Result<Ending> {
    let target = Target::of(&args.output)?;
    target.check_flags(args)?;
    if args.session.len() > SESSION_BYTES_MAX {
        return Err(Error::usage(
            format!("`{}` is too long for the name of a session", args.session),
            "name it in ten characters or fewer",
        ));
    }
    term::check_files(&target.files(), &args.input.feeds, None, args.force)?;
    let feed = input::open(&args.input.feeds, args.input.date.as_deref(), None)?;
    let feed = input::until(feed, args.input.until.as_deref())?;
    if args.input.from.is_some() {
        return Err(Error::usage(
            "--from would leave out what the books before it were built from",
            "leave it out, and give --from to the command that reads the new feed",
        ));
    }
    if input::is_of_orders(&args.input.feeds, &*feed)? {
        return Err(Error::usage(
            "an order file holds commands, which no recording of a venue has",
            "run it with `ringtape match`, or keep it as a journal with `replay --journal`",
        ));
    }
    if feed.description().is_of_levels && !matches!(target, Target::Journal(_)) {
        return Err(Error::usage(
            "the feed tells price levels, and no message of ITCH or LOBSTER does, nor a command",
            "convert it to a journal, by a name without an extension",
        ));
    }
    if feed.description().is_dated && !matches!(target, Target::Journal(_) | Target::Orders(_)) {
        return Err(Error::usage(
            "the feed's times have their date, and those of ITCH and LOBSTER are times of one day",
            "convert each day's recording alone, or all of them to a journal, by a name without an \
             extension",
        ));
    }
    match target {
        Target::Journal(dir) => to_journal(args, feed, &dir),
        Target::Lobster(path) => lobster::write(args, feed, &path),
        Target::Orders(path) => orders::write(feed, &path),
        Target::Tape(tape) => tape::write(args, feed, &tape),
        Target::Live(address) => play::play(args, feed, address),
    }
}

/// Keeps the feed as the journal of a run without a strategy.
fn to_journal(args: &ConvertArgs, feed: Box<dyn Feed>, dir: &Path) -> Result<Ending> {
    if dir.exists() {
        return Err(Error::usage(
            format!("{} exists already", dir.display()),
            "name a new directory; a journal is never overwritten",
        ));
    }
    let shape = RunConfig {
        date: args.input.date.clone(),
        until: args.input.until.clone(),
        ..RunConfig::default()
    };
    let shape = shape.of_feed(feed.description());
    let journal = JournalConfig::new(dir, shape.to_toml());
    let config = EngineConfig { journal: Some(journal), ..EngineConfig::default() };
    let report = Engine::start(feed, config)?.join();
    tell_notes(&report.feed, &report.checks);
    if let Some(error) = report.error {
        return Err(error);
    }
    term::tell(format_args!(
        "{} messages in {}, books {:016x}",
        thousands(report.checks.messages),
        dir.display(),
        report.hashes.books
    ));
    Ok(Ending::Done)
}

/// Writes a file, of which nothing stays where the feed or the writing fails.
fn write_output(path: &Path, write: impl FnOnce(File) -> io::Result<Result<()>>) -> Result<()> {
    let mut outcome = Ok(());
    let named = term::write_whole(path, |file| {
        outcome = write(file)?;
        outcome.as_ref().map_or_else(|error| Err(io::Error::other(error.to_string())), |()| Ok(()))
    });
    if let Err(Error::BadFeed { .. }) = outcome {
        term::tell_unwritten(path);
    }
    outcome.and(named)
}

/// Hands the records of each message of a feed to `take`, until the feed's end or a stop; those
/// that clear a book before a message come by themselves.
fn drive(
    feed: &mut dyn Feed,
    stop: &StopFlag,
    mut take: impl FnMut(&[Event]) -> Result<()>,
) -> Result<()> {
    let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
    while !stop.is_set() || feed.stop() {
        match feed.fill(&mut batch)? {
            Fill::Records(count) => batch[..count]
                .split_inclusive(|event| !event.is_continued() || is_clear(event))
                .try_for_each(&mut take)?,
            Fill::Pending => std::thread::sleep(PENDING),
            Fill::End => break,
        }
    }
    Ok(())
}

fn is_clear(event: &Event) -> bool {
    matches!(event.view(), EventView::Clear(_))
}

/// The records of a message that introduce its instrument, and those that say something of it.
fn parted(records: &[Event]) -> (&[Event], &[Event]) {
    let introduces = |event: &&Event| {
        use EventView::{Instrument, InstrumentListing, InstrumentTerms};
        matches!(event.view(), Instrument(_) | InstrumentTerms(_) | InstrumentListing(_))
    };
    records.split_at(records.iter().take_while(introduces).count())
}

/// Tells what a reader assumed, and what is missing in its feed.
fn tell_notes(feed: &Description, checks: &Checks) {
    feed.assumptions.iter().for_each(|note| term::tell(format_args!("! {note}")));
    input::tell_missing(feed, checks);
}

/// How a command ended that may have been stopped.
fn ending(stop: &StopFlag) -> Ending {
    if stop.is_set() { Ending::Interrupted } else { Ending::Done }
}
