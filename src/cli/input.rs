//! Feeds and journals as commands name them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ringtape::engine::JournalFeed;
use ringtape::error::{Error, Result};
use ringtape::event::InstrumentOverrides;
use ringtape::feed::{self, Begin, Date, Feed, Moment, OpenOptions, TimeOfDay, Until, Zone};

use super::config::RunConfig;

/// The feed that a command reads.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// Recorded feed, plain or gzip; `-` for stdin; or the directory of a run's journal
    #[arg(value_name = "FEED")]
    pub(super) feed: PathBuf,
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day
    #[arg(long, value_name = "DATE")]
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
        let feed = open(&self.feed, self.date.as_deref(), None)?;
        until(feed, at.or(self.until.as_deref()))
    }

    /// When to begin.
    pub(super) fn begin(&self, feed: &dyn Feed) -> Result<Begin> {
        let from = self.from.as_deref().map(|text| moment(feed, text)).transpose()?;
        Ok(Begin::at(from))
    }
}

/// Opens a feed file, stdin, or a run's journal.
pub(super) fn open(
    path: &Path,
    date: Option<&str>,
    instruments: Option<Arc<InstrumentOverrides>>,
) -> Result<Box<dyn Feed>> {
    if path.is_dir() {
        let recorded = RunConfig::read(path)?;
        if date.is_some() && date != recorded.date.as_deref() {
            return Err(Error::usage(
                "the times in a journal are those of its recorded run",
                "leave --date out, or replay the feed that was recorded",
            ));
        }
        let feed = JournalFeed::open(path)?;
        let (zone, midnight_ns) = (recorded.zone(), recorded.midnight_ns()?);
        return Ok(Box::new(feed.of_feed(zone, midnight_ns, recorded.is_of_levels())));
    }
    let dated = date.map(str::parse::<Date>).transpose()?.map(OpenOptions::on);
    let feed = feed::open(path, &OpenOptions { instruments, ..dated.unwrap_or_default() })?;
    if date.is_some() && feed.description().is_dated {
        return Err(Error::usage(
            format!("the times of `{}` have their date", path.display()),
            "leave --date out",
        ));
    }
    Ok(feed)
}

/// `feed` up to a time, if one is given.
pub(super) fn until(feed: Box<dyn Feed>, text: Option<&str>) -> Result<Box<dyn Feed>> {
    let Some(text) = text else { return Ok(feed) };
    let end = moment(&*feed, text)?;
    Ok(Box::new(Until::new(feed, end)))
}

/// A time of day in the clock of a feed.
pub(super) fn moment(feed: &dyn Feed, text: &str) -> Result<Moment> {
    let time: TimeOfDay = text.parse()?;
    let &feed::Description { zone, midnight_ns, .. } = feed.description();
    if time.is_utc() && zone != Zone::Utc && midnight_ns == 0 {
        return Err(Error::usage(
            format!("the feed's times are {} without a date", zone.name()),
            "name the session's date with --date, or give the time without Z",
        ));
    }
    Ok(Moment { time, zone })
}
