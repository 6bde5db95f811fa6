//! `ringtape bench match`: the matcher on a flow of commands in memory, beside other matchers.

#[cfg(feature = "peers")]
mod matchcore;
mod worst;

use std::time::{Duration, Instant};

use clap::Args;
use ringtape::engine::generate::{CommandFlow, Flow, FlowProfile};
use ringtape::error::{Error, Result};
use ringtape::event::{Execution, ExecutionKind};
use ringtape::hash::RunningHash;
use ringtape::matching::{MATCH_AHEAD_EVENTS, Matcher, MatcherConfig};
use ringtape::report::Machine;
use ringtape::report::format::{bytes, thousands};
use serde_json::{Value, json};

#[cfg(feature = "peers")]
use self::matchcore::Peer;
use self::worst::WorstFigures;
use super::yardstick::Looks;
use crate::cli::flow::FlowName;
use crate::cli::{Ending, parse, term};

/// What brings the other matcher.
#[cfg(not(feature = "peers"))]
const HOW_TO_BUILD: &str = "cargo run --release --features peers -- bench match";

#[derive(Debug, Args)]
pub(crate) struct MatchArgs {
    /// Mix of commands; all three, and the worst cases, unless given
    #[arg(long, value_enum)]
    flow: Option<FlowName>,
    /// The worst cases alone: a crowd at one price, sweeps, far levels, a price that walks, stops
    #[arg(long, conflicts_with_all = ["flow", "commands", "symbols", "live", "look_ahead"])]
    worst: bool,
    /// Commands of a round
    #[arg(long, value_name = "N", default_value = "1M")]
    commands: String,
    /// Instruments; the flow's own number unless given
    #[arg(long, value_name = "N")]
    symbols: Option<String>,
    /// Live orders; the flow's own number unless given
    #[arg(long, value_name = "N")]
    live: Option<String>,
    /// Look ahead over each batch of commands before applying it
    #[arg(long)]
    look_ahead: bool,
    /// Seed of the commands
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Rounds to take minimum, median and maximum of; 7 unless given, 3 with --quick
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// A small run: 100,000 commands in 100 instruments with 10,000 live orders
    #[arg(long, conflicts_with_all = ["commands", "symbols", "live"])]
    quick: bool,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MatchArgs) -> Result<Ending> {
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 7 });
    if rounds == 0 {
        return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
    }
    let flows = match args.flow {
        Some(name) => vec![name.flow()],
        None if args.worst => Vec::new(),
        None => Flow::ALL.to_vec(),
    };
    let machine = Machine::look();
    if !args.json {
        let (cpu, cores) = (&machine.cpu, machine.cores_allowed);
        term::tell(format_args!("machine    {cpu}, {cores} cores allowed"));
    }
    let mut rows = Vec::new();
    for flow in flows {
        let profile = profile(args, flow)?;
        let figures = Figures::measure(&profile, &profile.generate()?, rounds, args.look_ahead);
        if !args.json {
            figures.describe();
        }
        rows.push(figures.to_json());
    }
    let cases = if args.flow.is_none() { worst::measure(rounds) } else { Vec::new() };
    if args.json {
        let cases: Vec<Value> = cases.iter().map(WorstFigures::to_json).collect();
        let document = json!({
            "schema": 1,
            "bench": "match",
            "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
            "flows": rows,
            "worst": cases,
        });
        term::print(format_args!("{document:#}"))?;
    } else {
        cases.iter().for_each(WorstFigures::describe);
    }
    Ok(Ending::Done)
}

fn profile(args: &MatchArgs, flow: Flow) -> Result<FlowProfile> {
    let own = FlowProfile { seed: args.seed, ..flow.profile() };
    if args.quick {
        return Ok(FlowProfile { commands: 100_000, symbols: 100, live: 10_000, ..own });
    }
    Ok(FlowProfile {
        commands: parse::count(&args.commands)?,
        symbols: match &args.symbols {
            Some(symbols) => parse::count_u32(symbols)?,
            None => own.symbols,
        },
        live: match &args.live {
            Some(live) => parse::count(live)?,
            None => own.live,
        },
        ..own
    })
}

/// A matcher with full books.
fn set_up(flow: &CommandFlow) -> Matcher {
    let mut matcher = Matcher::new(MatcherConfig {
        orders_expected: flow.setup.len() + flow.setup.len() / 2,
        ..MatcherConfig::default()
    });
    let mut out = Vec::new();
    for event in &flow.setup {
        matcher.apply(event, &mut out);
        out.clear();
    }
    matcher
}

/// Applies all commands; `seen` gets the executions of each batch.
#[inline(never)]
fn play(
    matcher: &mut Matcher,
    flow: &CommandFlow,
    looks_ahead: bool,
    mut seen: impl FnMut(&[Execution]),
) {
    let mut out = Vec::with_capacity(64 * MATCH_AHEAD_EVENTS);
    for batch in flow.events.chunks(MATCH_AHEAD_EVENTS) {
        if looks_ahead {
            matcher.look_ahead(batch);
        }
        for event in batch {
            matcher.apply(event, &mut out);
        }
        seen(&out);
        out.clear();
    }
}

/// What commands trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Traded {
    matches: u64,
    qty: u64,
}

/// Commands a second of the rounds, ascending.
#[derive(Clone, Debug, Default)]
struct Rates(Vec<u64>);

impl Rates {
    fn add(&mut self, commands: u64, took: Duration) {
        let rate = (u128::from(commands) * 1_000_000_000 / took.as_nanos().max(1)) as u64;
        self.0.insert(self.0.partition_point(|&other| other < rate), rate);
    }

    fn min_median_max(&self) -> [u64; 3] {
        [self.0[0], self.0[self.0.len() / 2], self.0[self.0.len() - 1]]
    }

    fn to_json(&self) -> Value {
        let [min, median, max] = self.min_median_max();
        json!({ "min": min, "median": median, "max": max, "rounds": self.0 })
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [min, median, max] = self.min_median_max().map(thousands);
        let rounds = self.0.len();
        write!(out, "{min} / {median} / {max} (min / median / max of {rounds} rounds)")
    }
}

/// What the rounds of a flow came to.
struct Figures {
    profile: FlowProfile,
    rates: Rates,
    executions: u64,
    traded: Traded,
    hash: u64,
    live_orders: usize,
    levels: usize,
    bytes: usize,
    rejects: u64,
    beside: Beside,
    looks: Looks,
}

/// The other matcher's line.
enum Beside {
    Missing(String),
    #[cfg(feature = "peers")]
    Measured {
        rates: Rates,
        /// Replacements that became two commands.
        halved: u64,
        /// What it traded, or how many commands it refused.
        traded: std::result::Result<Traded, u64>,
    },
}

impl Figures {
    fn measure(
        profile: &FlowProfile,
        flow: &CommandFlow,
        rounds: usize,
        looks_ahead: bool,
    ) -> Self {
        let mut matcher = set_up(flow);
        let matches_before = matcher.totals().matches;
        let (mut hash, mut executions, mut filled) = (RunningHash::default(), 0, 0);
        play(&mut matcher, flow, looks_ahead, |out| {
            executions += out.len() as u64;
            for execution in out {
                hash.update(bytemuck::bytes_of(execution));
                if execution.kind() == Some(ExecutionKind::Filled) {
                    filled += execution.qty;
                }
            }
        });
        let totals = matcher.totals();
        let rejects = matcher.counts().rejects().map(|(_, count)| count).sum();
        drop(matcher);
        let mut looks = Looks::default();
        let round = || {
            let mut matcher = set_up(flow);
            let mut told = 0;
            let start = Instant::now();
            play(&mut matcher, flow, looks_ahead, |out| told += out.len() as u64);
            let took = start.elapsed();
            assert_eq!(told, executions, "every round says the same");
            looks.look();
            took
        };
        let (rates, beside) = take_turns(profile.flow, flow, rounds, round);
        Self {
            profile: *profile,
            rates,
            executions,
            // Each match is two fills.
            traded: Traded { matches: totals.matches - matches_before, qty: filled / 2 },
            hash: hash.value(),
            live_orders: totals.live_orders,
            levels: totals.levels,
            bytes: totals.bytes,
            rejects,
            beside,
            looks,
        }
    }

    fn describe(&self) {
        let FlowProfile { flow, commands, symbols, live, seed } = self.profile;
        term::tell(format_args!(
            "{:<10} {} commands, {} symbols, {} live orders at first, seed {seed}, in memory",
            flow.name(),
            thousands(commands),
            thousands(u64::from(symbols)),
            thousands(live),
        ));
        term::tell(format_args!("  commands/s {}", self.rates));
        term::tell(format_args!(
            "  {}.{:02} executions a command, {} matches of {}, {} rejects, hash {:016x}",
            self.executions / commands.max(1),
            self.executions * 100 / commands.max(1) % 100,
            thousands(self.traded.matches),
            thousands(self.traded.qty),
            thousands(self.rejects),
            self.hash
        ));
        term::tell(format_args!(
            "  {} live orders, {} levels, {} at the end",
            thousands(self.live_orders as u64),
            thousands(self.levels as u64),
            bytes(self.bytes as u64)
        ));
        self.beside.describe(self);
    }

    fn to_json(&self) -> Value {
        let FlowProfile { flow, commands, symbols, live, seed } = self.profile;
        json!({
            "flow": flow.name(),
            "commands": commands,
            "symbols": symbols,
            "live": live,
            "seed": seed,
            "commands_per_s": self.rates.to_json(),
            "executions": self.executions,
            "matches": self.traded.matches,
            "traded_qty": self.traded.qty,
            "rejects": self.rejects,
            "executions_hash": format!("{:016x}", self.hash),
            "live_orders": self.live_orders,
            "levels": self.levels,
            "bytes": self.bytes,
            "matchcore": self.beside.to_json(self.traded),
            "yardstick": self.looks.to_json(),
        })
    }
}

/// Without the peer: our rounds alone.
#[cfg(not(feature = "peers"))]
fn take_turns(
    _flow: Flow,
    stream: &CommandFlow,
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
) -> (Rates, Beside) {
    let mut rates = Rates::default();
    (0..rounds).for_each(|_| rates.add(stream.commands, ours()));
    (rates, Beside::Missing(format!("not in this build: {HOW_TO_BUILD}")))
}

/// Our rounds and the peer's; who is first alternates.
#[cfg(feature = "peers")]
fn take_turns(
    flow: Flow,
    stream: &CommandFlow,
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
) -> (Rates, Beside) {
    let (mut rates, mut theirs) = (Rates::default(), Rates::default());
    let peer = match Peer::new(flow, stream) {
        Ok(peer) => peer,
        Err(why) => {
            (0..rounds).for_each(|_| rates.add(stream.commands, ours()));
            return (rates, Beside::Missing(format!("cannot express this flow: {why}")));
        }
    };
    let traded = peer.traded();
    for round in 0..rounds {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                rates.add(stream.commands, ours());
            } else {
                let (took, told) = peer.round();
                assert!(traded.is_err() || traded.is_ok_and(|traded| traded.matches == told));
                theirs.add(stream.commands, took);
            }
        }
    }
    (rates, Beside::Measured { rates: theirs, halved: peer.halved, traded })
}

impl Beside {
    #[cfg_attr(not(feature = "peers"), allow(unused_variables))]
    fn describe(&self, ours: &Figures) {
        match self {
            Self::Missing(why) => term::tell(format_args!("  matchcore: {why}")),
            #[cfg(feature = "peers")]
            Self::Measured { rates, halved, traded } => {
                let version = Peer::version();
                term::tell(format_args!("  matchcore {version}, in turns: commands/s {rates}"));
                let [_, mine, _] = ours.rates.min_median_max();
                let [_, other, _] = rates.min_median_max();
                let hundredths = mine * 100 / other.max(1);
                term::tell(format_args!(
                    "    ringtape over it: {}.{:02} of medians; {} replacements were two commands \
                     of it; result {}",
                    hundredths / 100,
                    hundredths % 100,
                    thousands(*halved),
                    compare(ours.traded, *traded)
                ));
            }
        }
    }

    #[cfg_attr(not(feature = "peers"), allow(unused_variables))]
    fn to_json(&self, ours: Traded) -> Value {
        match self {
            Self::Missing(why) => json!({ "missing": why }),
            #[cfg(feature = "peers")]
            Self::Measured { rates, halved, traded } => json!({
                "control": "peer",
                "version": Peer::version(),
                "commands_per_s": rates.to_json(),
                "replacements_as_two": halved,
                "result": compare(ours, *traded),
            }),
        }
    }
}

/// Whether the peer traded the same, in words.
#[cfg(feature = "peers")]
fn compare(ours: Traded, theirs: std::result::Result<Traded, u64>) -> String {
    match theirs {
        Ok(theirs) if theirs == ours => "equal (matches and traded quantity)".to_owned(),
        Ok(Traded { matches, qty }) => {
            let (matches, qty) = (thousands(matches), thousands(qty));
            format!("differs: {matches} matches of {qty}, why is not known: rates say nothing")
        }
        Err(refused) => format!("differs: it refuses {} commands", thousands(refused)),
    }
}
