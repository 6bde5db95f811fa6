//! Runs that are refused on their way, as by a strategy that meets an instrument too many.

use std::fs;
use std::path::{Path, PathBuf};

use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR, RUN_FILE, RunReport, SNAPSHOTS_DIR};
use ringtape::error::{Error, Result};
use ringtape::feed::Description;
use ringtape::report::Samples;

use super::ReplayArgs;

type Driven = Result<(RunReport, Option<Samples>)>;

/// What a refused run leaves: nothing, so that the command that mends it may name the same
/// directory.
pub(super) struct Refusal {
    /// Whether the feed can be read once more; else what was journaled of it is all there is.
    is_repeatable: bool,
    /// Where the run begins its journal; `None` without one, and where one is there before.
    begun: Option<PathBuf>,
}

impl Refusal {
    /// Looks at what is there before a run.
    pub(super) fn of(args: &ReplayArgs, feed: &Description) -> Self {
        let is_stdin = args.feeds.iter().any(|feed| feed == Path::new("-"));
        let parts = [RUN_FILE, MARKET_DIR, EXECUTIONS_DIR];
        let is_new = |dir: &&PathBuf| !parts.iter().any(|part| dir.join(part).exists());
        Self {
            is_repeatable: feed.arrival.is_none() && !is_stdin,
            begun: args.journal.as_ref().filter(is_new).cloned(),
        }
    }

    /// What a run came to; the error alone when it was refused.
    pub(super) fn take(self, driven: Driven) -> Driven {
        let refused = match driven {
            Err(error @ Error::Usage { .. }) => error,
            Ok((RunReport { error: Some(error @ Error::Usage { .. }), .. }, _))
                if self.is_repeatable =>
            {
                error
            }
            driven => return driven,
        };
        if let Some(dir) = self.begun.filter(|_| self.is_repeatable) {
            remove_journal(&dir);
        }
        Err(refused)
    }
}

/// Removes the journal of a run, and its directory unless it holds more.
fn remove_journal(dir: &Path) {
    // The refusal is told; a failure to tidy up would only hide it.
    for part in [MARKET_DIR, EXECUTIONS_DIR, SNAPSHOTS_DIR] {
        let _ = fs::remove_dir_all(dir.join(part));
    }
    let _ = fs::remove_file(dir.join(RUN_FILE));
    let _ = fs::remove_dir(dir);
}
