//! `ringtape bench pipeline`: the whole engine at full speed over a generated session.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, JournalConfig, RunReport};
use ringtape::error::{Error, Result};
use ringtape::feed::OpenOptions;
use ringtape::feed::itch::ItchFeed;
use ringtape::hash::hash_bytes;
use ringtape::report::Machine;
use ringtape::report::format::{bytes, thousands};
use serde_json::{Value, json};

use crate::cli::trading::trader;
use crate::cli::{Ending, config::RunConfig, parse, term};

#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// Messages of the session
    #[arg(long, value_name = "N", default_value = "2M")]
    messages: String,
    /// Stocks of the session
    #[arg(long, value_name = "N", default_value = "8000")]
    symbols: String,
    /// Live orders at the peak
    #[arg(long, value_name = "N", default_value = "200k")]
    live: String,
    /// Seed of the session
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Runs to take minimum, median and maximum of
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Number of threads; one a core unless given
    #[arg(long, value_name = "N")]
    runners: Option<usize>,
    /// Keep no journals
    #[arg(long)]
    no_journal: bool,
    /// Directory on the disk to measure; each round's journals in it are removed after it
    #[arg(long, value_name = "DIR", conflicts_with = "no_journal")]
    journal: Option<PathBuf>,
    /// Strategy, as in `replay`
    #[arg(long, value_name = "NAME[:key=value,...]")]
    strategy: Option<String>,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PipelineArgs) -> Result<Ending> {
    if args.rounds == 0 {
        return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
    }
    let session = generate(args)?;
    let rounds = (0..args.rounds).map(|_| round(args, &session)).collect::<Result<Vec<_>>>()?;
    let figures = Figures::of(args, &session, &rounds);
    if args.json {
        term::print(format_args!("{:#}", figures.to_json()))?;
    } else {
        figures.describe();
    }
    Ok(if figures.is_deterministic { Ending::Done } else { Ending::CheckFailed })
}

/// The session that every round replays, resident in memory.
fn generate(args: &PipelineArgs) -> Result<Arc<[u8]>> {
    let profile = Profile {
        messages: parse::count(&args.messages)?,
        symbols: parse::count_u32(&args.symbols)?,
        live: parse::count(&args.live)?,
        seed: args.seed,
    };
    let mut generator = Generator::new(&profile)?;
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    Ok(session.into())
}

fn round(args: &PipelineArgs, session: &Arc<[u8]>) -> Result<RunReport> {
    let feed = ItchFeed::from_bytes("generated session", session.clone(), &OpenOptions::default())?;
    let shape =
        RunConfig { strategy: args.strategy.clone().map(|one| vec![one]), ..RunConfig::default() };
    // A directory of our own, so that nothing of the user's goes when it is removed.
    let dir = args
        .journal
        .clone()
        .unwrap_or_else(std::env::temp_dir)
        .join(format!("ringtape-bench-{}", std::process::id()));
    let config = EngineConfig {
        trader: trader(&shape)?,
        journal: (!args.no_journal).then(|| JournalConfig::new(&dir, shape.to_toml())),
        runners: args.runners,
        ..EngineConfig::default()
    };
    let run = Engine::start(Box::new(feed), config).map(Engine::join);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).map_err(|error| Error::io("remove", &dir, error))?;
    }
    let report = run?;
    match report.error {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// What the rounds came to.
struct Figures {
    machine: Machine,
    session_bytes: u64,
    session_checksum: u64,
    state_hash: u64,
    is_deterministic: bool,
    has_journal: bool,
    /// Messages a second, ascending.
    rates: Vec<u64>,
    /// Of the median round: runner, agent, ns a message, share of its runner's time in per mille.
    stages: Vec<(usize, String, f64, u64)>,
}

impl Figures {
    fn of(args: &PipelineArgs, session: &[u8], rounds: &[RunReport]) -> Self {
        let mut order: Vec<&RunReport> = rounds.iter().collect();
        order.sort_by_key(|report| report.messages_per_second());
        let median = order[order.len() / 2];
        let state_hash = median.hashes.state();
        let stages = median.runners.iter().enumerate().flat_map(|(index, runner)| {
            runner.agents.iter().map(move |agent| {
                let each = agent.busy.0 as f64 / median.checks.messages.max(1) as f64;
                (index, agent.name.clone(), each, agent.busy.0 * 1_000 / runner.wall.0.max(1))
            })
        });
        Self {
            machine: Machine::look(),
            session_bytes: session.len() as u64,
            session_checksum: hash_bytes(session),
            state_hash,
            is_deterministic: rounds.iter().all(|report| report.hashes.state() == state_hash),
            has_journal: !args.no_journal,
            rates: order.iter().map(|report| report.messages_per_second()).collect(),
            stages: stages.collect(),
        }
    }

    fn min_median_max(&self) -> [u64; 3] {
        [self.rates[0], self.rates[self.rates.len() / 2], self.rates[self.rates.len() - 1]]
    }

    fn describe(&self) {
        let machine = &self.machine;
        let [min, median, max] = self.min_median_max().map(thousands);
        term::tell(format_args!(
            "machine    {}, {} cores allowed",
            machine.cpu, machine.cores_allowed
        ));
        term::tell(format_args!(
            "session    {}, checksum {:016x}, resident in memory",
            bytes(self.session_bytes),
            self.session_checksum
        ));
        term::tell(format_args!("journal    {}", if self.has_journal { "on" } else { "off" }));
        term::tell(format_args!(
            "messages/s {min} / {median} / {max} (min / median / max of {} rounds)",
            self.rates.len()
        ));
        for (runner, agent, each, share) in &self.stages {
            term::tell(format_args!(
                "  runner {runner}  {agent:<18} {each:>7.1} ns a message, {:>3}.{} % of its time",
                share / 10,
                share % 10
            ));
        }
        let verdict = if self.is_deterministic { "same in all rounds" } else { "NOT THE SAME" };
        term::tell(format_args!("state hash {:016x} ({verdict})", self.state_hash));
    }

    fn to_json(&self) -> Value {
        let [min, median, max] = self.min_median_max();
        let stages: Vec<_> = self
            .stages
            .iter()
            .map(|(runner, agent, each, share)| {
                json!({
                    "runner": runner,
                    "agent": agent,
                    "ns_per_message": each,
                    "share": *share as f64 / 1_000.0,
                })
            })
            .collect();
        json!({
            "schema": 1,
            "bench": "pipeline",
            "machine": { "cpu": self.machine.cpu, "cores_allowed": self.machine.cores_allowed },
            "session": {
                "bytes": self.session_bytes,
                "checksum": format!("{:016x}", self.session_checksum),
            },
            "journal": self.has_journal,
            "messages_per_s": { "min": min, "median": median, "max": max, "rounds": self.rates },
            "stages": stages,
            "state_hash": format!("{:016x}", self.state_hash),
            "deterministic": self.is_deterministic,
        })
    }
}
