//! `ringtape doctor`: what this machine does to latency, and what cures it.

mod facts;
pub(super) mod measure;
mod measured;

use std::path::PathBuf;

use clap::Args;
use ringtape::error::Result;
use ringtape::report::Machine;
use serde_json::{Value, json};

use super::Ending;
use super::term::{self, Stdout};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Directory on the disk to measure, such as that of the journals [default: the current one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Exit 1 when something costs latency
    #[arg(long)]
    strict: bool,
    /// Print the findings to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

/// Something that was looked at.
#[derive(Debug)]
struct Check {
    /// Its name in JSON.
    name: &'static str,
    /// What was found, for people.
    found: String,
    /// What was found, for scripts.
    value: Value,
    /// What it costs and what cures it; `None` when it is as it should be.
    finding: Option<Finding>,
}

/// What costs latency.
#[derive(Debug)]
struct Finding {
    effect: String,
    cure: String,
}

impl Check {
    fn new(name: &'static str, found: impl Into<String>, value: Value) -> Self {
        Self { name, found: found.into(), value, finding: None }
    }

    /// The same as a finding, if `is_bad`.
    fn costs(mut self, is_bad: bool, effect: impl Into<String>, cure: impl Into<String>) -> Self {
        if is_bad {
            self.finding = Some(Finding { effect: effect.into(), cure: cure.into() });
        }
        self
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "found": self.found,
            "value": self.value,
            "effect": self.finding.as_ref().map(|finding| &finding.effect),
            "cure": self.finding.as_ref().map(|finding| &finding.cure),
        })
    }

    fn print(&self, out: &mut Stdout) -> Result<()> {
        let sign = if self.finding.is_some() { "!" } else { " " };
        out.line(format_args!("{sign} {:<16} {}", self.name, self.found))?;
        if let Some(Finding { effect, cure }) = &self.finding {
            out.line(format_args!("                   costs  {effect}"))?;
            out.line(format_args!("                   cure   {cure}"))?;
        }
        Ok(())
    }
}

/// What the system tells that costs latency, with the cure, in a line each; nothing is measured.
pub(super) fn costs() -> Vec<String> {
    let line = |Check { name, found, finding, .. }: Check| {
        let Finding { effect, cure } = finding?;
        Some(format!("{}: {found}. Costs: {effect}. Cure: {cure}.", name.replace('_', " ")))
    };
    facts::all().into_iter().filter_map(line).collect()
}

pub(super) fn run(args: &DoctorArgs) -> Result<Ending> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let machine = Machine::look();
    let mut checks = facts::all();
    checks.extend(measured::all(&machine, &dir)?);
    let findings = checks.iter().filter(|check| check.finding.is_some()).count();
    if args.json {
        term::print(format_args!(
            "{:#}",
            json!({
                "schema": 1,
                "ringtape": machine.version,
                "cpu": machine.cpu,
                "kernel": machine.kernel,
                "findings": findings,
                "checks": checks.iter().map(Check::to_json).collect::<Vec<_>>(),
            })
        ))?;
    } else {
        let mut out = Stdout::lock();
        out.line(format_args!("{}, Linux {}", machine.cpu, machine.kernel))?;
        checks.iter().try_for_each(|check| check.print(&mut out))?;
        let rest = "nothing that costs latency was found";
        match findings {
            0 => out.line(rest)?,
            _ => out.line(format_args!("{findings} findings, marked with !"))?,
        }
        out.finish()?;
    }
    Ok(if args.strict && findings > 0 { Ending::CheckFailed } else { Ending::Done })
}
