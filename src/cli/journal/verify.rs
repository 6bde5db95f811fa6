//! `ringtape journal verify`.

use std::path::PathBuf;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::journal::{TornTail, VerifyReport, verify_any};
use ringtape::report::format::{bytes, thousands};
use serde_json::{Map, Value, json};

use super::journals;
use crate::cli::{Ending, term};

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print the findings to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<Ending> {
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
pub(super) fn torn_text(torn: &TornTail) -> String {
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
pub(super) fn torn_json(torn: &TornTail) -> Value {
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
