//! `ringtape journal repair`: the operator's choices where a recovery refuses.

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::MARKET_DIR;
use ringtape::error::{Error, Result};
use ringtape::journal::{Repair, repair_any, verify_any};
use serde_json::json;

use super::recover::{describe, json_of};
use crate::cli::{Ending, term};

#[derive(Debug, Args)]
pub(in crate::cli) struct RepairArgs {
    /// Directory of one journal, such as RUN/market
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Keep what is before this sequence, set everything else aside and close the journal
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "drop_segment")]
    cut_at: Option<u64>,
    /// Set aside the segment with this number as its file name: a copy, or another journal's
    #[arg(long, value_name = "N")]
    drop_segment: Option<u64>,
    /// Print what was done to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RepairArgs) -> Result<Ending> {
    if args.dir.join(MARKET_DIR).is_dir() {
        return Err(Error::usage(
            format!("`{}` holds two journals", args.dir.display()),
            "name the one to repair: its `market` or its `executions`",
        ));
    }
    let choice = match (args.cut_at, args.drop_segment) {
        (Some(sequence), _) => Repair::CutAt(sequence),
        (None, Some(segment)) => Repair::DropSegment(segment),
        (None, None) => return advise(&args.dir),
    };
    let done = repair_any(&args.dir, choice)?;
    if args.json {
        let document = json!({ "schema": 1, "journal": json_of(&done) });
        term::print(format_args!("{document:#}"))?;
    } else if args.cut_at.is_some() {
        describe("journal", &done);
    } else {
        done.quarantined.iter().for_each(|path| {
            term::tell(format_args!("set aside: {}", path.display()));
        });
    }
    Ok(Ending::Done)
}

/// Says what could be done; the error is the damage.
fn advise(dir: &Path) -> Result<Ending> {
    let Err(damage) = verify_any(dir) else {
        term::tell("nothing to repair: `ringtape journal recover` brings it to a clean end");
        return Ok(Ending::Done);
    };
    if matches!(damage, Error::BadJournal { .. }) {
        term::tell("The damage is below. Nothing was changed. The choices, best first:");
        term::tell("  restore the segment from a copy");
        term::tell("  --cut-at SEQUENCE   keep what is before it, set the rest aside");
        term::tell("  --drop-segment N    set a segment aside that is a copy or another journal's");
    }
    Err(damage)
}
