//! Feeds and journals as commands name them.

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::JournalFeed;
use ringtape::error::{Error, Result};
use ringtape::feed::{self, Feed, OpenOptions};

use super::config::RunConfig;
use super::parse;

/// The feed that a command reads.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// Recorded feed, plain or gzip; `-` for stdin; or the directory of a run's journal
    #[arg(value_name = "FEED")]
    pub(super) feed: PathBuf,
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day
    #[arg(long, value_name = "DATE")]
    pub(super) date: Option<String>,
}

impl Input {
    pub(super) fn open(&self) -> Result<Box<dyn Feed>> {
        open(&self.feed, self.date.as_deref())
    }

    /// What the feed's times of day count from: midnight of its date, 0 without one. A journal has
    /// the date that its run was recorded with.
    pub(super) fn midnight_ns(&self) -> Result<u64> {
        let recorded =
            if self.feed.is_dir() { RunConfig::read(&self.feed)?.date } else { self.date.clone() };
        midnight_ns(recorded.as_deref())
    }
}

/// Opens a feed file, stdin, or a run's journal.
pub(super) fn open(path: &Path, date: Option<&str>) -> Result<Box<dyn Feed>> {
    if path.is_dir() {
        let recorded = RunConfig::read(path)?.date;
        if date.is_some() && date != recorded.as_deref() {
            return Err(Error::usage(
                "the times in a journal are those of its recorded run",
                "leave --date out, or replay the feed that was recorded",
            ));
        }
        return Ok(Box::new(JournalFeed::open(path)?));
    }
    feed::open(path, &OpenOptions { midnight_ns: midnight_ns(date)? })
}

/// What times of day count from, with a date or without.
pub(super) fn midnight_ns(date: Option<&str>) -> Result<u64> {
    Ok(date.map(parse::eastern_midnight).transpose()?.unwrap_or(0))
}
