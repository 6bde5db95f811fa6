//! `ringtape bench all`: every bench of this machine, each in a process of its own.

use std::process::{Command, Stdio};

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::report::Machine;
use serde_json::{Map, Value, json};

use super::yardstick;
use crate::cli::{Ending, term};

/// The benches and what they are asked for, thoroughly and quickly.
///
/// WHY: 7 rounds each, since of some hundred figures fewer never tell a difference from chance.
const BENCHES: [(&str, &str, &str); 6] = [
    ("ring", "", "--quick --rounds 7"),
    ("book", "", "--messages 1M --symbols 500 --live 60k --rounds 7"),
    ("match", "", "--quick --rounds 7"),
    ("journal", "", "--records 500k --synced-records 10k --rounds 7 --paced-seconds 1"),
    ("pipeline", "", "--quick --rounds 7"),
    ("door", "", "--quick"),
];

#[derive(Debug, Args)]
pub(crate) struct AllArgs {
    /// Shorter rounds and smaller sessions: two minutes instead of a quarter of an hour
    #[arg(long)]
    quick: bool,
    /// Print all figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AllArgs) -> Result<Ending> {
    let (mut benches, mut yardsticks) = (Map::new(), Map::new());
    let mut has_failed = false;
    for (name, thorough, quick) in BENCHES {
        term::tell(format_args!("== bench {name}"));
        let before = yardstick::measure();
        let (document, is_done) = one(name, if args.quick { quick } else { thorough }, args.json)?;
        yardsticks.insert(name.to_owned(), yardstick::to_json(before, yardstick::measure()));
        has_failed |= !is_done;
        benches.insert(name.to_owned(), document);
    }
    if args.json {
        let machine = Machine::look();
        let document = json!({
            "schema": 1,
            "bench": "all",
            "quick": args.quick,
            "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
            "yardsticks": yardsticks,
            "benches": benches,
        });
        term::print(format_args!("{document:#}"))?;
    }
    Ok(if has_failed { Ending::CheckFailed } else { Ending::Done })
}

/// Runs a bench; its document, null unless asked for, and whether its own checks held.
fn one(name: &str, flags: &str, as_json: bool) -> Result<(Value, bool)> {
    let failed = |source| Error::io("start", "ringtape bench", source);
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["bench", name]).args(flags.split_whitespace()).stdin(Stdio::null());
    if as_json {
        command.arg("--json").stdout(Stdio::piped());
    }
    let output = command.stderr(Stdio::inherit()).spawn().map_err(failed)?;
    let output = output.wait_with_output().map_err(failed)?;
    let code = output.status.code().unwrap_or(4);
    if code > 1 {
        return Err(Error::CheckFailed {
            what: format!("`bench {name}` ended with code {code}"),
            cure: "see what it said above".to_owned(),
        });
    }
    let document = match as_json {
        true => serde_json::from_slice(&output.stdout).map_err(|error| Error::CheckFailed {
            what: format!("`bench {name}` printed no document: {error}"),
            cure: "report this".to_owned(),
        })?,
        false => Value::Null,
    };
    Ok((document, code == 0))
}
