//! `ringtape bench pipeline`: the whole engine over a generated session, at full speed and at fixed
//! rates.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, JournalConfig, RunReport};
use ringtape::error::{Error, Result};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{OpenOptions, Pace};
use ringtape::hash::hash_bytes;
use ringtape::report::Machine;
use ringtape::report::format::{bytes, thousands};
use ringtape::report::hdr::hgrm;
use serde_json::{Value, json};

use super::sweep::{Plan, Sweep};
use super::yardstick::Looks;
use crate::cli::report::write_files;
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
    /// Runs to take minimum, median and maximum of; 7 unless given, 3 with --quick
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
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
    /// Rates at which latency is measured, or `none` for full speed alone
    #[arg(long, value_name = "A,B", default_value = "10k,100k,300k,1M,3M,5M")]
    rates: String,
    /// Seconds for which a rate is held in a round, or as long as the session has messages for
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// A small session, two rates, rounds of a second
    #[arg(long)]
    quick: bool,
    /// Exit 1 when the 99th percentile of `matching` is above this at any rate: `20us`
    #[arg(long, value_name = "TIME")]
    p99_max: Option<String>,
    /// Write a percentile distribution (.hgrm) of each rate and stage into this directory
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
    /// Write all histograms as one interval log (.hlog)
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Write a page of charts into this new directory, with its histograms beside it
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write over files that exist already
    #[arg(long)]
    force: bool,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

/// How long idle cores are watched before and after the rates.
const IDLE: Duration = Duration::from_secs(2);

/// The same in a quick bench.
const IDLE_QUICK: Duration = Duration::from_millis(500);

/// Rates of a quick bench.
const RATES_QUICK: [u64; 2] = [100_000, 1_000_000];

pub(super) fn run(args: &PipelineArgs) -> Result<Ending> {
    if args.rounds() == 0 || args.seconds <= 0.0 {
        return Err(Error::usage(
            "nothing measured says nothing",
            "ask for 1 round or more, and time",
        ));
    }
    let rates = rates(args)?;
    let p99_max = args.p99_max.as_deref().map(parse::duration).transpose()?;
    let wanted = [&args.hgrm, &args.hlog, &args.report];
    if rates.is_empty() && (p99_max.is_some() || wanted.iter().any(|path| path.is_some())) {
        return Err(Error::usage(
            "without rates there is no latency to write down or to bound",
            "leave `--rates none` out",
        ));
    }
    for dir in [&args.hgrm, &args.report].into_iter().flatten() {
        term::check_dir(dir, args.force)?;
    }
    if let Some(path) = &args.hlog {
        term::check_files(&[path], &[], args.hgrm.as_deref(), args.force)?;
    }
    let session = generate(args)?;
    let sweep = if rates.is_empty() { None } else { Some(sweep(args, &rates, &session)?) };
    let mut looks = Looks::default();
    let at_full_speed = |_| {
        let report = round(args, &session, Pace::Max)?;
        looks.look();
        Ok(report)
    };
    let rounds = (0..args.rounds()).map(at_full_speed).collect::<Result<Vec<_>>>()?;
    let figures = Figures::of(args, &session, &rounds, looks);
    if args.json {
        term::print(format_args!("{:#}", figures.to_json(sweep.as_ref())))?;
    } else {
        figures.describe(sweep.as_ref());
    }
    if let Some(sweep) = &sweep {
        write(args, &figures, sweep)?;
    }
    let is_within = p99_max.is_none_or(|max| sweep.as_ref().is_none_or(|one| one.is_within(max)));
    if !is_within {
        let bound = args.p99_max.as_deref().unwrap_or_default();
        term::tell(format_args!("ringtape: a 99th percentile of matching is above {bound}"));
    }
    let is_good = figures.is_deterministic && is_within;
    Ok(if is_good { Ending::Done } else { Ending::CheckFailed })
}

impl PipelineArgs {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 })
    }
}

/// The rates to measure latency at, ascending.
fn rates(args: &PipelineArgs) -> Result<Vec<u64>> {
    if args.rates == "none" {
        return Ok(Vec::new());
    }
    if args.quick {
        return Ok(RATES_QUICK.to_vec());
    }
    let mut rates = args.rates.split(',').map(parse::count).collect::<Result<Vec<_>>>()?;
    rates.sort_unstable();
    rates.dedup();
    Ok(rates)
}

fn sweep(args: &PipelineArgs, rates: &[u64], session: &[u8]) -> Result<Sweep> {
    let plan = Plan {
        rates,
        rounds: args.rounds(),
        seconds: if args.quick { 1.0 } else { args.seconds },
        idle: if args.quick { IDLE_QUICK } else { IDLE },
    };
    Sweep::measure(&plan, session, &|part, pace| round(args, part, pace))
}

/// Writes the files that were asked for.
fn write(args: &PipelineArgs, figures: &Figures, sweep: &Sweep) -> Result<()> {
    if let Some(dir) = &args.hgrm {
        fs::create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
        for (name, meter) in sweep.histograms() {
            let text = hgrm(meter);
            let path = dir.join(format!("{name}.hgrm"));
            term::write_whole(&path, |mut file| file.write_all(text.as_bytes()))?;
        }
    }
    if let Some(path) = &args.hlog {
        let text = sweep.hlog();
        term::write_whole(path, |mut file| file.write_all(text.as_bytes()))?;
    }
    if let Some(dir) = &args.report {
        write_files(dir, &sweep.page(figures.machine(), &figures.facts(), figures.all_rounds()))?;
    }
    Ok(())
}

/// The session that every round replays, resident in memory.
fn generate(args: &PipelineArgs) -> Result<Arc<[u8]>> {
    let (messages, symbols, live) = match args.quick {
        true => ("1M", "500", "60k"),
        false => (args.messages.as_str(), args.symbols.as_str(), args.live.as_str()),
    };
    let profile = Profile {
        messages: parse::count(messages)?,
        symbols: parse::count_u32(symbols)?,
        live: parse::count(live)?,
        seed: args.seed,
    };
    let mut generator = Generator::new(&profile)?;
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    Ok(session.into())
}

fn round(args: &PipelineArgs, session: &Arc<[u8]>, pace: Pace) -> Result<RunReport> {
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
        pace,
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
    /// From the start of a run to its first event on the ring, journals prepared, in ns, ascending.
    first_event_ns: Vec<u64>,
    /// Of the median round: runner, agent, ns a message, share of its runner's time in per mille.
    stages: Vec<(usize, String, f64, u64)>,
    /// How fast the machine was between the rounds.
    looks: Looks,
}

impl Figures {
    fn of(args: &PipelineArgs, session: &[u8], rounds: &[RunReport], looks: Looks) -> Self {
        let mut order: Vec<&RunReport> = rounds.iter().collect();
        order.sort_by_key(|report| report.messages_per_second());
        let median = order[order.len() / 2];
        let state_hash = median.hashes.state();
        let mut first_event_ns: Vec<u64> =
            rounds.iter().filter_map(|report| report.first_event).map(|at| at.0).collect();
        first_event_ns.sort_unstable();
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
            first_event_ns,
            stages: stages.collect(),
            looks,
        }
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Messages a second of the rounds at full speed, ascending.
    fn all_rounds(&self) -> &[u64] {
        &self.rates
    }

    /// What a page tells of stream and result.
    fn facts(&self) -> Vec<(String, String)> {
        let verdict = if self.is_deterministic { "same in all rounds" } else { "NOT THE SAME" };
        let fact = |name: &str, fact: String| (name.to_owned(), fact);
        vec![
            fact(
                "session",
                format!("{}, checksum {:016x}", bytes(self.session_bytes), self.session_checksum),
            ),
            fact("journal", if self.has_journal { "on" } else { "off" }.to_owned()),
            fact("state hash", format!("{:016x} ({verdict})", self.state_hash)),
        ]
    }

    fn min_median_max(&self) -> [u64; 3] {
        min_median_max(&self.rates)
    }

    fn describe(&self, sweep: Option<&Sweep>) {
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
        if !self.first_event_ns.is_empty() {
            let [min, median, max] =
                min_median_max(&self.first_event_ns).map(|ns| format!("{:.1}", ns as f64 / 1e6));
            term::tell(format_args!("first event {min} / {median} / {max} ms after the start"));
        }
        let verdict = if self.is_deterministic { "same in all rounds" } else { "NOT THE SAME" };
        term::tell(format_args!("state hash {:016x} ({verdict})", self.state_hash));
        term::tell(format_args!("clock      {} ns a read", machine.clock_read_ns));
        if let Some(sweep) = sweep {
            sweep.describe(self.min_median_max()[1]);
        }
    }

    fn to_json(&self, sweep: Option<&Sweep>) -> Value {
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
            "yardstick": self.looks.to_json(),
            "first_event_ns": self.first_event_ns,
            "stages": stages,
            "clock_read_ns": self.machine.clock_read_ns,
            "latency": sweep.map(|sweep| sweep.to_json(median)),
            "state_hash": format!("{:016x}", self.state_hash),
            "deterministic": self.is_deterministic,
        })
    }
}

/// Of figures in ascending order.
fn min_median_max(figures: &[u64]) -> [u64; 3] {
    [figures[0], figures[figures.len() / 2], figures[figures.len() - 1]]
}
