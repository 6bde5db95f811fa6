//! Feeds and journals as commands name them.

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::JournalFeed;
use ringtape::error::Result;
use ringtape::feed::{self, Feed, OpenOptions};

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
}

/// Opens a feed file, stdin, or a run's journal.
pub(super) fn open(path: &Path, date: Option<&str>) -> Result<Box<dyn Feed>> {
    if path.is_dir() {
        return Ok(Box::new(JournalFeed::open(path)?));
    }
    let midnight_ns = date.map(parse::eastern_midnight).transpose()?.unwrap_or(0);
    feed::open(path, &OpenOptions { midnight_ns })
}
