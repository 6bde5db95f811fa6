//! `ringtape journal verify`.

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::{EngineConfig, RUN_FILE, Rederived, rederive};
use ringtape::error::{Error, Result};
use ringtape::journal::{TornTail, VerifyReport, verify_any};
use ringtape::report::format::{bytes, thousands};
use serde_json::{Map, Value, json};

use super::journals;
use crate::cli::config::RunConfig;
use crate::cli::{Ending, input, replay, term};

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Derive a run's executions and snapshots again from its market journal and compare them;
    /// exit 1 when they differ
    #[arg(long)]
    deep: bool,
    /// Print the findings to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<Ending> {
    let mut document = Map::new();
    let mut damage = None;
    let journals = journals(&args.dir)?;
    // Of a run that was stopped before both were begun there is nothing to derive.
    let is_begun = journals.len() == 2 || !args.dir.join(RUN_FILE).exists();
    for (name, dir) in journals {
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
    let deep = match args.deep && is_begun && damage.is_none() {
        true => Some(derive_again(&args.dir)),
        false => None,
    };
    if let (Some(Ok(found)), false) = (&deep, args.json) {
        tell_derived(found);
    }
    if args.json {
        let deep = deep.as_ref().map(|found| match found {
            Ok(found) => json!({
                "from": found.from,
                "records": found.records,
                "executions": found.executions,
                "removed": found.removed,
                "missing": found.missing,
                "ahead": found.ahead,
                "snapshots": found.snapshots.iter().map(|path| path.display().to_string())
                    .collect::<Vec<_>>(),
            }),
            Err(error) => json!({ "difference": error.to_string() }),
        });
        let document = json!({ "schema": 1, "journals": document, "deep": deep });
        term::print(format_args!("{document:#}"))?;
    }
    match (damage, deep) {
        (Some(damage), _) => Err(damage),
        (None, Some(Err(error))) => Err(error),
        (None, _) => Ok(Ending::Done),
    }
}

/// Says what came out when a run was derived again.
fn tell_derived(found: &Rederived) {
    term::tell(format_args!(
        "derived again: {} market records, {} executions and {} snapshots are the same",
        thousands(found.records),
        thousands(found.executions),
        found.snapshots.len()
    ));
    if found.removed > 0 {
        term::tell(format_args!(
            "  {} executions before the first that is there came out too: nothing is left to \
             compare them with",
            thousands(found.removed)
        ));
    }
    if found.ahead > 0 {
        term::tell(format_args!(
            "  ! the market journal ends before the execution journal: what caused its last {} \
             executions is lost; `replay --resume` sets them aside and goes on",
            thousands(found.ahead)
        ));
    }
    if found.missing > 0 {
        term::tell(format_args!(
            "  {} more executions came out: `replay --resume` appends them",
            thousands(found.missing)
        ));
    }
}

/// Derives the run in `dir` again, by what shaped it.
fn derive_again(dir: &Path) -> Result<Rederived> {
    let shape = RunConfig::read_recorded(dir)?;
    let instruments = shape.overrides()?;
    let feed = input::open(&[dir.to_owned()], shape.date.as_deref(), shape.instruments.as_ref())?;
    let from = shape.from.as_deref().map(|text| input::moment(&*feed, text)).transpose()?;
    let shaped = replay::shaped_config(&shape, shape.is_of_orders())?;
    rederive(dir, EngineConfig { from, instruments, ..shaped })
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
        term::tell(format_args!("  ! torn tail: {}", torn_text(torn)));
        term::tell("    `ringtape journal recover` and `replay --resume` set it aside and go on");
    }
}

/// A torn tail in a sentence.
pub(in crate::cli) fn torn_text(torn: &TornTail) -> String {
    let how = match torn.later {
        None => "the writer was stopped in mid-record".to_owned(),
        Some(later) => format!(
            "the machine went down before they were on the disk; {later} is the first readable \
             one behind"
        ),
    };
    format!(
        "nothing counts from sequence {} on ({}, byte {}): {how}; what is before is whole",
        torn.sequence,
        torn.path.display(),
        torn.offset
    )
}

/// A torn tail in JSON.
pub(in crate::cli) fn torn_json(torn: &TornTail) -> Value {
    json!({
        "segment": torn.path.display().to_string(),
        "sequence": torn.sequence,
        "offset": torn.offset,
        "later": torn.later,
    })
}

fn json_of(found: &VerifyReport) -> Value {
    json!({
        "records": found.records,
        "segments": found.segments,
        "bytes": found.bytes,
        "first_sequence": found.first_sequence,
        "next_sequence": found.next_sequence,
        "sealed": found.sealed,
        "epoch": found.epoch,
        "torn_tail": found.torn_tail.as_ref().map(torn_json),
    })
}
