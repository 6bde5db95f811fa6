//! `ringtape journal recover`.

use std::path::PathBuf;

use clap::Args;
use ringtape::error::Result;
use ringtape::journal::{Recovery, recover_any};
use ringtape::report::format::thousands;
use serde_json::{Map, Value, json};

use super::journals;
use super::verify::{torn_json, torn_text};
use crate::cli::{Ending, term};

#[derive(Debug, Args)]
pub(in crate::cli) struct RecoverArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print what was done to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RecoverArgs) -> Result<Ending> {
    let mut document = Map::new();
    for (name, dir) in journals(&args.dir)? {
        let done = recover_any(&dir)?;
        if !args.json {
            describe(&name, &done);
        }
        document.insert(name, json_of(&done));
    }
    if args.json {
        term::print(format_args!("{:#}", json!({ "schema": 1, "journals": document })))?;
    }
    Ok(Ending::Done)
}

/// Tells what a recovery or repair found and did.
pub(super) fn describe(name: &str, done: &Recovery) {
    let ending = if done.was_closed {
        "was closed cleanly; nothing to do".to_owned()
    } else {
        format!("closed; epoch {} begins at sequence {}", done.epoch, done.next_sequence)
    };
    term::tell(format_args!("{name}: {} records kept, {ending}", thousands(done.records)));
    if let Some(torn) = &done.torn_tail {
        term::tell(format_args!("  torn tail: {}", torn_text(torn)));
    }
    for path in &done.quarantined {
        term::tell(format_args!("  set aside: {}", path.display()));
    }
}

/// What a recovery or repair found and did, in JSON.
pub(super) fn json_of(done: &Recovery) -> Value {
    let quarantined = done.quarantined.iter().map(|path| path.display().to_string());
    json!({
        "records": done.records,
        "next_sequence": done.next_sequence,
        "epoch": done.epoch,
        "was_closed": done.was_closed,
        "torn_tail": done.torn_tail.as_ref().map(torn_json),
        "quarantined": quarantined.collect::<Vec<_>>(),
    })
}
