//! `ringtape journal`: what can be done with journals.

mod recover;
mod repair;
mod retain;
mod tail;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR};
use ringtape::error::Result;

use super::Ending;

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

/// The journals in a run's directory, or the one that `dir` itself is.
pub(super) fn journals(dir: &Path) -> Vec<(String, PathBuf)> {
    let parts: Vec<_> = [MARKET_DIR, EXECUTIONS_DIR]
        .into_iter()
        .map(|name| (name.to_owned(), dir.join(name)))
        .filter(|(_, path)| path.is_dir())
        .collect();
    if parts.is_empty() { vec![("journal".to_owned(), dir.to_owned())] } else { parts }
}
