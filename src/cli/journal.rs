//! `ringtape journal`: what can be done with journals.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR};
use ringtape::error::{Error, Result};
use ringtape::journal::{VerifyReport, verify_any};
use ringtape::report::format::{bytes, thousands};
use serde_json::{Map, Value, json};

use super::{Ending, term};

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Check every record, block and segment; exit 3 on corruption
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print the findings to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &JournalCommand) -> Result<Ending> {
    match command {
        JournalCommand::Verify(args) => verify(args),
    }
}

fn verify(args: &VerifyArgs) -> Result<Ending> {
    let mut document = Map::new();
    let mut damage = None;
    for (name, dir) in journals(&args.dir) {
        let value = match verify_any(&dir) {
            Ok(found) => {
                if !args.json {
                    describe(&name, &found);
                }
                json_of(&found)
            }
            Err(error @ Error::BadJournal { .. }) => {
                let value = json!({ "damage": error.to_string() });
                damage.get_or_insert(error);
                value
            }
            Err(error) => return Err(error),
        };
        document.insert(name, value);
    }
    if args.json {
        term::print(format_args!("{:#}", json!({ "schema": 1, "journals": document })))?;
    }
    damage.map_or(Ok(Ending::Done), Err)
}

/// The journals in a run's directory, or the one that `dir` itself is.
fn journals(dir: &Path) -> Vec<(String, PathBuf)> {
    let parts: Vec<_> = [MARKET_DIR, EXECUTIONS_DIR]
        .into_iter()
        .map(|name| (name.to_owned(), dir.join(name)))
        .filter(|(_, path)| path.is_dir())
        .collect();
    if parts.is_empty() { vec![("journal".to_owned(), dir.to_owned())] } else { parts }
}

fn describe(name: &str, found: &VerifyReport) {
    term::tell(format_args!(
        "{name}: {} records in {} segments, {}, {}",
        thousands(found.records),
        found.segments,
        bytes(found.bytes),
        if found.sealed { "closed cleanly" } else { "not closed" }
    ));
    if let Some(torn) = &found.torn_tail {
        term::tell(format_args!(
            "  ! torn tail: nothing readable from sequence {} on ({}, byte {}): the writer was \
             stopped in mid-record; what is before is whole",
            torn.sequence,
            torn.path.display(),
            torn.offset
        ));
    }
}

fn json_of(found: &VerifyReport) -> Value {
    json!({
        "records": found.records,
        "segments": found.segments,
        "bytes": found.bytes,
        "first_sequence": found.first_sequence,
        "next_sequence": found.next_sequence,
        "sealed": found.sealed,
        "torn_tail": found.torn_tail.as_ref().map(|torn| json!({
            "segment": torn.path.display().to_string(),
            "sequence": torn.sequence,
            "offset": torn.offset,
        })),
    })
}
