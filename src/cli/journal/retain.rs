//! `ringtape journal retain`: deleting what is not needed, and saying what is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR, RUN_FILE, needed_from};
use ringtape::error::{Error, Result};
use ringtape::journal::{Fate, Limits, retain};
use ringtape::report::format::bytes;
use serde_json::{Map, Value, json};

use super::journals;
use crate::cli::{Ending, parse, term};

#[derive(Debug, Args)]
pub(in crate::cli) struct RetainArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Keep at most so many bytes of each journal: `10G`
    #[arg(long, value_name = "BYTES")]
    size: Option<String>,
    /// Keep what was written within this time: `12h`, `7d`
    #[arg(long, value_name = "TIME")]
    age: Option<String>,
    /// Keep at most so many segments of each journal
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Let a run's journals lose what no snapshot stands for: the run can then not be resumed
    #[arg(long)]
    forget_start: bool,
    /// Delete nothing; say of each segment when it may go
    #[arg(long)]
    dry_run: bool,
    /// Print the findings to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RetainArgs) -> Result<Ending> {
    let size = args.size.as_deref().map(size_bytes).transpose()?;
    let age = args.age.as_deref().map(age).transpose()?;
    let mut document = Map::new();
    for (name, dir) in journals(&args.dir)? {
        let needed_from = match dir.parent().filter(|run| run.join(RUN_FILE).exists()) {
            Some(run) if !args.forget_start => needed(run, &dir)?,
            _ => None,
        };
        let limits = Limits { size, age, count: args.count, needed_from };
        let fates = retain(&dir, &limits, args.dry_run)?;
        if !args.json {
            term::tell(format_args!("{name}:"));
            fates.iter().for_each(|fate| describe(fate, args.dry_run));
        }
        document.insert(name, fates.iter().map(|fate| json_of(fate, args.dry_run)).collect());
    }
    if args.json {
        let document = json!({ "schema": 1, "dry_run": args.dry_run, "journals": document });
        term::print(format_args!("{document:#}"))?;
    }
    Ok(Ending::Done)
}

/// From where on a run needs one of its journals to go on.
fn needed(run: &Path, dir: &Path) -> Result<Option<u64>> {
    let needed = needed_from(run)?;
    Ok(match dir.file_name().and_then(|name| name.to_str()) {
        Some(MARKET_DIR) => Some(needed.market),
        Some(EXECUTIONS_DIR) => needed.executions,
        _ => None,
    })
}

fn describe(fate: &Fate, is_dry: bool) {
    let what = match &fate.hold {
        Some(hold) => hold.to_string(),
        None if is_dry => "would be removed".to_owned(),
        None => "removed".to_owned(),
    };
    term::tell(format_args!("  {} {:>10}  {what}", fate.path.display(), bytes(fate.bytes)));
}

fn json_of(fate: &Fate, is_dry: bool) -> Value {
    json!({
        "segment": fate.path.display().to_string(),
        "first_sequence": fate.first_sequence,
        "bytes": fate.bytes,
        "removable": fate.hold.is_none(),
        "removed": fate.hold.is_none() && !is_dry,
        "why": fate.hold.as_ref().map(ToString::to_string),
    })
}

/// A size such as `10G`, in units of 1,000.
fn size_bytes(text: &str) -> Result<u64> {
    let giga = text.strip_suffix('G').and_then(|number| parse::decimal(number, 9));
    giga.map_or_else(|| parse::count(text), Ok)
}

/// An age such as `12h` or `7d`.
fn age(text: &str) -> Result<Duration> {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        text.strip_suffix(unit)?.parse::<u32>().ok().map(|count| u64::from(count) * seconds)
    });
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| Error::usage(format!("`{text}` is no age"), "write 90s, 30min, 12h or 7d"))
}
