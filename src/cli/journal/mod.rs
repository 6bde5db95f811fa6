//! `ringtape journal`: what can be done with journals.

mod recover;
mod repair;
mod retain;
mod tail;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR, RUN_FILE};
use ringtape::error::{Error, Result};
use ringtape::journal::{is_cut_off, is_present};

use super::{Ending, term};

pub(super) use verify::{torn_json, torn_text};

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Check every record, block and segment; exit 3 on corruption
    Verify(verify::VerifyArgs),
    /// Bring journals whose writer was killed to a clean end; refuse corrupt ones
    Recover(recover::RecoverArgs),
    /// Print records in lines, from anywhere, also while the journal is written
    Tail(tail::TailArgs),
    /// Delete old segments within limits, or say when each may go
    Retain(retain::RetainArgs),
    /// Cut a corrupt journal as you choose; what it takes out goes to quarantine
    Repair(repair::RepairArgs),
}

pub(super) fn run(command: &JournalCommand) -> Result<Ending> {
    match command {
        JournalCommand::Verify(args) => verify::run(args),
        JournalCommand::Recover(args) => recover::run(args),
        JournalCommand::Tail(args) => tail::run(args),
        JournalCommand::Retain(args) => retain::run(args),
        JournalCommand::Repair(args) => repair::run(args),
    }
}

/// The journals in a run's directory, or the one that `dir` itself is. Says so of a journal of the
/// run that was not begun when it was stopped, and refuses a run whose market journal is gone.
pub(super) fn journals(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let [market, executions] = [MARKET_DIR, EXECUTIONS_DIR].map(|name| dir.join(name));
    let is_run = dir.join(RUN_FILE).exists();
    if !is_run && !market.is_dir() && !executions.is_dir() {
        return Ok(vec![("journal".to_owned(), dir.to_owned())]);
    }
    let mut there = Vec::new();
    if is_present(&market)? {
        there.push((MARKET_DIR.to_owned(), market));
    } else if is_present(&executions)? && !is_cut_off(&market)? {
        return Err(Error::BadJournal {
            path: market,
            offset: 0,
            what: "the journal is gone, and the executions that came of it are there".to_owned(),
            cure: "restore it from a copy".to_owned(),
        });
    } else {
        term::tell("! market: not begun when the run was stopped; `replay --resume` begins it");
    }
    if is_present(&executions)? {
        there.push((EXECUTIONS_DIR.to_owned(), executions));
    } else if is_run || executions.is_dir() {
        term::tell(
            "! executions: not begun; `replay --resume` derives them from the market journal",
        );
    }
    Ok(there)
}
