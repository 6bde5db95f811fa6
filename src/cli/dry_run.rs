//! `replay --dry-run`: what a run would do and take, without doing it.

use std::path::{Path, PathBuf};

use ringtape::engine::{Engine, EngineConfig};
use ringtape::error::{Error, Result};
use ringtape::feed::Description;
use ringtape::limits::{EVENT_BYTES, EXECUTION_BYTES, STAMP_BYTES};
use ringtape::report::format::bytes;
use rustix::fs::statvfs;
use serde_json::{Value, json};

use super::Ending;
use super::config::RunConfig;
use super::term::{self, Stdout};

/// Bytes of a message in a plain recording, on average of a NASDAQ day, in tenths.
const MESSAGE_TENTHS: u64 = 307;

/// How much a compressed recording grows when it is inflated, at most in those that were seen.
const INFLATION: u64 = 3;

/// Segments beside those that the market fills: one made ahead, and one of executions.
const SEGMENTS_BESIDE: u64 = 2;

/// What a run would take.
struct Needs {
    rings_bytes: u64,
    /// Of the market journal; `None` when the feed does not say how long it is.
    journal_bytes: Option<u64>,
    /// What both journals take while they are written, at least, with the segment made ahead.
    disk_bytes: Option<u64>,
    /// Where the journal would lie and what is free there.
    free: Option<(PathBuf, u64)>,
}

/// Prints plan, sizes and free space of the run that `config` describes.
pub(super) fn run(
    feed: &Description,
    config: &EngineConfig,
    shape: &RunConfig,
    as_json: bool,
) -> Result<Ending> {
    let journal = config.journal.as_ref();
    journal.map_or(Ok(()), |journal| Engine::check_journal(journal, feed))?;
    let plan = Engine::plan_for(config)?;
    let needs = Needs::of(feed, config)?;
    let runners: Vec<(String, Option<usize>)> = plan
        .runners
        .iter()
        .map(|runner| (runner.agents.join(", "), runner.core.map(|core| core.0)))
        .collect();
    if as_json {
        let runners =
            runners.iter().map(|(agents, core)| json!({ "agents": agents, "core": core }));
        term::print(format_args!(
            "{:#}",
            json!({
                "schema": 1,
                "dry_run": true,
                "feed": {
                    "origin": feed.origin,
                    "format": feed.format,
                    "compression": feed.compression,
                    "stored_bytes": feed.stored_bytes,
                },
                "plan": { "runners": runners.collect::<Vec<_>>(), "wait": plan.wait.name() },
                "sizes": needs.to_json(),
                "run_toml": shape.to_toml(),
            })
        ))?;
        return Ok(Ending::Done);
    }
    let mut out = Stdout::lock();
    let stored = feed.stored_bytes.map_or_else(|| "of unknown length".to_owned(), bytes);
    out.line(format_args!("feed       {}, {}, {stored}", feed.origin, feed.format))?;
    for (index, (agents, core)) in runners.iter().enumerate() {
        let core = core.map_or_else(|| "not pinned".to_owned(), |core| format!("on core {core}"));
        out.line(format_args!("runner {index}   {agents} {core}"))?;
    }
    out.line(format_args!("waiting    {}", plan.wait.name()))?;
    out.line(format_args!("rings      {}", bytes(needs.rings_bytes)))?;
    if let Some((dir, free)) = &needs.free {
        let needed = needs.journal_bytes.map_or_else(
            || "of unknown length".to_owned(),
            |needed| format!("about {}", bytes(needed)),
        );
        let taken = needs.disk_bytes.unwrap_or_default();
        out.line(format_args!(
            "journal    {needed}, at least {} while it is written; {} free at {}",
            bytes(taken),
            bytes(*free),
            dir.display()
        ))?;
        if taken > *free {
            out.line("! the disk would be full before the end: name another with --journal")?;
        }
    }
    out.line("shape      ")?;
    shape.to_toml().lines().try_for_each(|line| out.line(format_args!("  {line}")))?;
    out.finish()?;
    Ok(Ending::Done)
}

impl Needs {
    fn of(feed: &Description, config: &EngineConfig) -> Result<Self> {
        let slots = config.ring_slots as u64;
        let slot_bytes = (EVENT_BYTES + EXECUTION_BYTES + 2 * STAMP_BYTES) as u64;
        let inflated = feed.stored_bytes.map(|stored| match feed.compression {
            "none" => stored,
            _ => stored * INFLATION,
        });
        let journal = config.journal.as_ref();
        let record = (EVENT_BYTES + STAMP_BYTES) as u64;
        let estimate = |plain: u64| (plain * 10 / MESSAGE_TENTHS).max(1) * record;
        let free = journal.map(|journal| free(&journal.dir)).transpose()?;
        let journal_bytes = journal.and(inflated).map(estimate);
        let disk_bytes = journal.map(|journal| {
            let filled = journal_bytes.unwrap_or(1).div_ceil(journal.segment_bytes);
            (filled + SEGMENTS_BESIDE) * journal.segment_bytes
        });
        Ok(Self { rings_bytes: slots * slot_bytes, journal_bytes, disk_bytes, free })
    }

    fn to_json(&self) -> Value {
        json!({
            "rings_bytes": self.rings_bytes,
            "journal_bytes_estimate": self.journal_bytes,
            "disk_bytes_estimate": self.disk_bytes,
            "free_bytes": self.free.as_ref().map(|(_, free)| free),
        })
    }
}

/// The nearest directory above `dir` that is there, and what is free in it.
fn free(dir: &Path) -> Result<(PathBuf, u64)> {
    let absolute = std::path::absolute(dir).map_err(|error| Error::io("look at", dir, error))?;
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let space = statvfs(there).map_err(|error| Error::io("look at", there, error.into()))?;
    Ok((there.to_owned(), space.f_bavail * space.f_frsize))
}
