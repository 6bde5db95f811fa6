//! `ringtape bench match`: the matcher on a flow of commands in memory, beside other matchers.

use std::time::Instant;

use clap::{Args, ValueEnum};
use ringtape::engine::generate::{CommandFlow, Flow, FlowProfile};
use ringtape::error::{Error, Result};
use ringtape::event::Execution;
use ringtape::hash::RunningHash;
use ringtape::matching::{MATCH_AHEAD_EVENTS, Matcher, MatcherConfig};
use ringtape::report::Machine;
use ringtape::report::format::{bytes, thousands};
use serde_json::{Value, json};

use crate::cli::{Ending, parse, term};

#[derive(Debug, Args)]
pub(crate) struct MatchArgs {
    /// Mix of commands; all three unless given
    #[arg(long, value_enum)]
    flow: Option<FlowName>,
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
    /// Rounds to take minimum, median and maximum of
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// A small run: 3 rounds of 100,000 commands in 100 instruments with 10,000 live orders
    #[arg(long, conflicts_with_all = ["commands", "symbols", "live", "rounds"])]
    quick: bool,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FlowName {
    /// 46 % passive adds, 43 % cancels, 8 % replacements, 3 % aggressive
    Nasdaq,
    /// 40 % passive adds, 30 % cancels, 10 % replacements, 20 % aggressive
    Active,
    /// As active, with icebergs, stops, post-only, fill-or-kill, self-trade prevention
    Rich,
}

impl FlowName {
    fn flow(self) -> Flow {
        match self {
            Self::Nasdaq => Flow::Nasdaq,
            Self::Active => Flow::Active,
            Self::Rich => Flow::Rich,
        }
    }
}

pub(super) fn run(args: &MatchArgs) -> Result<Ending> {
    let rounds = if args.quick { 3 } else { args.rounds };
    if rounds == 0 {
        return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
    }
    let flows = match args.flow {
        Some(name) => vec![name.flow()],
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
    if args.json {
        let document = json!({
            "schema": 1,
            "bench": "match",
            "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
            "flows": rows,
        });
        term::print(format_args!("{document:#}"))?;
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

/// What the rounds of a flow came to.
struct Figures {
    profile: FlowProfile,
    /// Commands a second, ascending.
    rates: Vec<u64>,
    executions: u64,
    matches: u64,
    hash: u64,
    live_orders: usize,
    levels: usize,
    bytes: usize,
    rejects: u64,
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
        let (mut hash, mut executions) = (RunningHash::default(), 0);
        play(&mut matcher, flow, looks_ahead, |out| {
            executions += out.len() as u64;
            out.iter().for_each(|execution| hash.update(bytemuck::bytes_of(execution)));
        });
        let totals = matcher.totals();
        let mut rates: Vec<u64> = (0..rounds)
            .map(|_| {
                let mut matcher = set_up(flow);
                let mut told = 0;
                let start = Instant::now();
                play(&mut matcher, flow, looks_ahead, |out| told += out.len() as u64);
                let nanos = start.elapsed().as_nanos().max(1);
                assert_eq!(told, executions, "every round says the same");
                (u128::from(flow.commands) * 1_000_000_000 / nanos) as u64
            })
            .collect();
        rates.sort_unstable();
        Self {
            profile: *profile,
            rates,
            executions,
            matches: totals.matches - matches_before,
            hash: hash.value(),
            live_orders: totals.live_orders,
            levels: totals.levels,
            bytes: totals.bytes,
            rejects: matcher.counts().rejects().map(|(_, count)| count).sum(),
        }
    }

    fn min_median_max(&self) -> [u64; 3] {
        [self.rates[0], self.rates[self.rates.len() / 2], self.rates[self.rates.len() - 1]]
    }

    fn describe(&self) {
        let FlowProfile { flow, commands, symbols, live, seed } = self.profile;
        let [min, median, max] = self.min_median_max().map(thousands);
        term::tell(format_args!(
            "{:<10} {} commands, {} symbols, {} live orders at first, seed {seed}, in memory",
            flow.name(),
            thousands(commands),
            thousands(u64::from(symbols)),
            thousands(live),
        ));
        term::tell(format_args!(
            "  commands/s {min} / {median} / {max} (min / median / max of {} rounds)",
            self.rates.len()
        ));
        term::tell(format_args!(
            "  {}.{:02} executions a command, {} matches, {} rejects, hash {:016x}",
            self.executions / commands.max(1),
            self.executions * 100 / commands.max(1) % 100,
            thousands(self.matches),
            thousands(self.rejects),
            self.hash
        ));
        term::tell(format_args!(
            "  {} live orders, {} levels, {} at the end",
            thousands(self.live_orders as u64),
            thousands(self.levels as u64),
            bytes(self.bytes as u64)
        ));
    }

    fn to_json(&self) -> Value {
        let [min, median, max] = self.min_median_max();
        let FlowProfile { flow, commands, symbols, live, seed } = self.profile;
        json!({
            "flow": flow.name(),
            "commands": commands,
            "symbols": symbols,
            "live": live,
            "seed": seed,
            "commands_per_s": { "min": min, "median": median, "max": max, "rounds": self.rates },
            "executions": self.executions,
            "matches": self.matches,
            "rejects": self.rejects,
            "executions_hash": format!("{:016x}", self.hash),
            "live_orders": self.live_orders,
            "levels": self.levels,
            "bytes": self.bytes,
        })
    }
}
