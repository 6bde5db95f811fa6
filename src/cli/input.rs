//! Feeds and journals as commands name them.

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::{JournalFeed, MARKET_DIR};
use ringtape::error::{Error, Result};
use ringtape::event::InstrumentTable;
use ringtape::feed::orders::ORDERS_FORMAT;
use ringtape::feed::{
    self, Begin, Checks, Date, Description, Feed, Merged, Moment, OpenOptions, TimeOfDay, Until,
    Zone,
};
use ringtape::report::format::thousands;

use super::config::RunConfig;
use super::instruments::Instruments;
use super::{parse, term};

/// What a window without a message is told as.
pub(super) const NOTHING_IN_WINDOW: &str = "no message is in the window of --from and --until: \
    times of day are of the day on which the feed begins, and `ringtape info` without them says \
    when it begins and ends";

/// The feed that a command reads.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// Recorded feed, plain or compressed, several as one by time; `-` for stdin; or the directory
    /// of a run's journal
    #[arg(value_name = "FEED", required = true)]
    pub(super) feeds: Vec<PathBuf>,
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day; one for each of
    /// several feeds, separated by commas
    #[arg(long, value_name = "DATE", value_parser = parse::some_text())]
    pub(super) date: Option<String>,
    /// Messages from this time on: HH:MM[:SS[.n]] in the feed's clock, with Z behind it in UTC
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// End before the first message at or after this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
}

impl Input {
    /// Opens the feed up to `--until`, or to `at` where a command has another flag for it.
    pub(super) fn open(&self, at: Option<&str>) -> Result<Box<dyn Feed>> {
        let feed = open(&self.feeds, self.date.as_deref(), None)?;
        if feed.description().arrival.is_some() {
            return Err(Error::usage(
                "a live feed is never over, so nothing can be said of all of it",
                "run it with `ringtape replay`, or record it with `ringtape convert`",
            ));
        }
        check_window(&*feed, self.from.as_deref(), self.until.as_deref())?;
        until(feed, at.or(self.until.as_deref()))
    }

    /// When to begin.
    pub(super) fn begin(&self, feed: &dyn Feed) -> Result<Begin> {
        let from = self.from.as_deref().map(|text| moment(feed, text)).transpose()?;
        Ok(Begin::at(from))
    }

    /// Says so when a feed that was read to its end has no message in the window.
    pub(super) fn tell_empty(&self, begin: &Begin, checks: &Checks) {
        let has_window = self.from.is_some() || self.until.is_some();
        if has_window && (checks.messages == 0 || !begin.has_come()) {
            term::tell(format_args!("ringtape: {NOTHING_IN_WINDOW}"));
        }
    }
}

/// Tells how many messages of a feed are missing, where its format numbers them; of a live one,
/// which nobody can look at again, also which.
pub(super) fn tell_missing(feed: &Description, checks: &Checks) {
    let count = thousands(checks.gaps.count);
    match feed.arrival {
        _ if checks.gaps.count == 0 => {}
        None => term::tell(format_args!(
            "! {count} messages are missing in the feed: `ringtape info` tells which"
        )),
        Some(_) => {
            term::tell(format_args!(
                "! {count} messages are missing in the feed, and only a journal says so itself:"
            ));
            for gap in &checks.gap_ranges {
                let (count, last) = (thousands(gap.count()), gap.until - 1);
                let (from, message) = (gap.from, gap.message);
                term::tell(format_args!(
                    "!   {count}, numbers {from} to {last}, before message {message}"
                ));
            }
        }
    }
}

/// Warns of symbols that were asked for and that no instrument has, as a replay does.
pub(super) fn warn_of_missing(symbols: &[String], instruments: &InstrumentTable) {
    // What `dump` writes for a symbol where a message is of all instruments, or of none.
    let is_symbol = |symbol: &&String| !["*", ""].contains(&symbol.as_str());
    let symbols = symbols.iter().filter(is_symbol);
    for symbol in symbols.filter(|symbol| instruments.find(symbol).is_none()) {
        term::tell(format_args!(
            "! symbol {symbol} is not in the feed: `ringtape info` lists those that are"
        ));
    }
}

/// What to do with a date that no feed is in need of.
const LEAVE_OUT: &str = "leave --date out, or its place empty where each feed has one";

/// Opens feeds, several as one; a date is of all that have none, or there is one for each.
pub(super) fn open(
    paths: &[PathBuf],
    date: Option<&str>,
    instruments: Option<&Instruments>,
) -> Result<Box<dyn Feed>> {
    let dates: Vec<&str> = date.map(|date| date.split(',').collect()).unwrap_or_default();
    // A journal is of as many dates as the feeds that it was recorded from.
    let is_journal = matches!(paths, [path] if path.is_dir());
    if dates.len() > 1 && dates.len() != paths.len() && !is_journal {
        let feeds = if paths.len() == 1 { "one feed" } else { &format!("{} feeds", paths.len()) };
        return Err(Error::usage(
            format!("{} dates for {feeds}", dates.len()),
            "give one date for all, or one for each feed",
        ));
    }
    if let [path] = paths {
        return open_one(path, date, instruments);
    }
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Error::usage("stdin is there once", "name all feeds but one by their files"));
    }
    if paths.iter().any(|path| path.to_string_lossy().starts_with(feed::udp::SCHEME)) {
        return Err(Error::usage(
            "a live feed comes when it comes and cannot be merged with others by time",
            "record it with `ringtape convert`, and merge the recordings",
        ));
    }
    if let Some(journal) = paths.iter().find(|path| path.is_dir()) {
        return Err(Error::usage(
            format!("the journal {} is of a run of its own", journal.display()),
            "replay it alone, or name the feeds that were recorded",
        ));
    }
    let feeds = paths.iter().enumerate().map(|(index, path)| {
        // One date is that of the feeds that have none.
        let feed = match dates[..] {
            [date] => open_file(path, Some(date), instruments)?,
            _ => open_one(path, dates.get(index).copied(), instruments)?,
        };
        if feed.description().format == ORDERS_FORMAT {
            return Err(Error::usage(
                format!("{} is an order file, which is no venue's feed", path.display()),
                "replay it alone",
            ));
        }
        Ok(feed)
    });
    let feeds = feeds.collect::<Result<Vec<_>>>()?;
    if dates.len() == 1 && feeds.iter().all(|feed| feed.description().is_dated) {
        return Err(Error::usage("the times of all these feeds have their date", LEAVE_OUT));
    }
    Ok(Box::new(Merged::new(feeds)?))
}

/// The directory of the run that `dir` is of: the market journal of a run stands for it.
pub(super) fn run_dir(dir: &Path) -> &Path {
    let run = dir.parent().filter(|run| *dir == run.join(MARKET_DIR) && is_run(run));
    run.unwrap_or(dir)
}

/// Whether a feed is an order file, or the journal of one.
pub(super) fn is_of_orders(paths: &[PathBuf], feed: &dyn Feed) -> Result<bool> {
    match paths {
        [dir] if dir.is_dir() => Ok(RunConfig::read(run_dir(dir))?.is_of_orders()),
        _ => Ok(feed.description().format == ORDERS_FORMAT),
    }
}

/// Opens a feed file, stdin, or a run's journal.
fn open_one(
    path: &Path,
    date: Option<&str>,
    instruments: Option<&Instruments>,
) -> Result<Box<dyn Feed>> {
    if path.is_dir() {
        let path = run_dir(path);
        let recorded = RunConfig::read(path)?;
        if date.is_some() && date != recorded.date.as_deref() {
            return Err(Error::usage(
                "the times in a journal are those of its recorded run",
                "leave --date out, or replay the feed that was recorded",
            ));
        }
        let feed = JournalFeed::open(path)?;
        return Ok(Box::new(feed.of_feed(&recorded.recorded_feed()?)));
    }
    let date = date.filter(|date| !date.is_empty());
    let feed = open_file(path, date, instruments)?;
    if date.is_some() && feed.description().is_dated {
        let what = format!("the times of `{}` have their date", path.display());
        return Err(Error::usage(what, LEAVE_OUT));
    }
    Ok(feed)
}

/// Opens a feed file or stdin; the date is none of a feed whose times have theirs.
fn open_file(
    path: &Path,
    date: Option<&str>,
    instruments: Option<&Instruments>,
) -> Result<Box<dyn Feed>> {
    let dated = date.map(str::parse::<Date>).transpose()?.map(OpenOptions::on);
    // Only order files, which are in UTC, take anything from it.
    let instruments = instruments.map(|own| own.overrides(Zone::Utc)).transpose()?;
    feed::open(path, &OpenOptions { instruments, ..dated.unwrap_or_default() })
}

fn is_run(dir: &Path) -> bool {
    matches!(RunConfig::read_if_present(dir), Ok(Some(_)))
}

/// `feed` up to a time, if one is given.
pub(super) fn until(feed: Box<dyn Feed>, text: Option<&str>) -> Result<Box<dyn Feed>> {
    let Some(text) = text else { return Ok(feed) };
    let end = moment(&*feed, text)?;
    Ok(Box::new(Until::new(feed, end)))
}

/// Refuses a window of a feed that ends before it begins.
pub(super) fn check_window(feed: &dyn Feed, from: Option<&str>, until: Option<&str>) -> Result<()> {
    let (Some(from), Some(until)) = (from, until) else { return Ok(()) };
    let moments = (moment(feed, from)?, moment(feed, until)?);
    check_order(moments, feed.description().midnight_ns)
}

/// Refuses two times of day, counted from this midnight, of which the second is earlier.
pub(super) fn check_order((from, until): (Moment, Moment), midnight_ns: u64) -> Result<()> {
    let is_later = match [from, until].map(|moment| moment.time.among(midnight_ns, moment.zone)) {
        [Some(from), Some(until)] => from > until,
        // Two of the same clock compare on any day.
        [None, None] => from.time.since_midnight() > until.time.since_midnight(),
        _ => false,
    };
    match is_later {
        true => Err(Error::usage(
            "--from is later than --until",
            "name two times of the day on which the feed begins, the earlier one with --from",
        )),
        false => Ok(()),
    }
}

/// A time of day in the clock of a feed.
pub(super) fn moment(feed: &dyn Feed, text: &str) -> Result<Moment> {
    let time: TimeOfDay = text.parse()?;
    let &feed::Description { zone, midnight_ns, is_dated, .. } = feed.description();
    if time.is_utc() && zone != Zone::Utc && midnight_ns == 0 && !is_dated {
        return Err(Error::usage(
            format!("the feed's times are {} without a date", zone.name()),
            "name the session's date with --date, or give the time without Z",
        ));
    }
    Ok(Moment { time, zone })
}
