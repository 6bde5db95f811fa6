//! `ringtape bench door`: from a feed's event to an order's fill, with the venue in a process of
//! its own.
//!
//! ```text
//!   this process                                       ringtape venue
//!   feed -> journal -> strategy -> gateway --TCP--> server -> journal -> matching
//!                         ^                                                 |
//!                 journal, feed handler <--TCP-- server <-- execution journal
//! ```

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, JournalConfig, RunReport, TcpGateway};
use ringtape::error::{Error, Result};
use ringtape::event::{Execution, Instrument, TimeInForce};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{OpenOptions, Pace};
use ringtape::journal::Durability;
use ringtape::matching::NewOrder;
use ringtape::report::Machine;
use ringtape::report::format::{duration, thousands};
use ringtape::ring::Wait;
use ringtape::runtime::{LatencySummary, Meter, allowed_cores};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use ringtape::units::{InstrumentId, OrderId, Qty, Side};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::cli::doctor::measure;
use crate::cli::{Ending, parse, term};

/// The stages of the way, as reports name them.
const STAGES: [&str; 4] = ["ring", "matching", "tick_to_order", "tick_to_fill"];

/// Messages of the shortest session that is generated.
const MESSAGES_MIN: u64 = 5_000;

/// Orders rest at the venue at this price, so that every buy trades at once.
const OPENING: &str = "action,order_id,symbol,side,price,qty\n";

#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    /// Messages a second of the feed
    #[arg(long, value_name = "N", default_value = "2k")]
    rate: String,
    /// Seconds of a round
    #[arg(long, value_name = "S", default_value_t = 5)]
    seconds: u64,
    /// Rounds, each with a venue of its own
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// How threads of both processes wait: auto, spin, pause, yield or park
    #[arg(long, value_name = "WAIT", default_value = "auto")]
    wait: String,
    /// Threads of each process beside the venue's server; half the cores unless given
    #[arg(long, value_name = "N")]
    runners: Option<usize>,
    /// Two rounds of a second
    #[arg(long)]
    quick: bool,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

impl DoorArgs {
    /// Threads of each process; two processes share the cores.
    fn runners(&self) -> usize {
        self.runners.unwrap_or_else(|| (allowed_cores().len() / 2).max(1))
    }
}

/// Buys one share of the first instrument after each exchange event, while no order is out.
#[derive(Default)]
struct Taker {
    instrument: Option<InstrumentId>,
    order: Option<OrderId>,
}

impl Strategy for Taker {
    fn name(&self) -> &str {
        "taker"
    }

    fn on_instrument(&mut self, id: InstrumentId, _: &Instrument) -> Result<bool> {
        Ok(*self.instrument.get_or_insert(id) == id)
    }

    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let touch = desk.books().touch(instrument);
        if self.order.is_none() && touch.ask_qty.0 > 0 {
            let order = NewOrder::limit(instrument, Side::Buy, touch.ask_price, Qty(1));
            self.order = Some(desk.submit(order.with_time_in_force(TimeInForce::Ioc)));
        }
    }

    fn on_fill(&mut self, fill: &Execution, desk: &mut Desk<'_>) {
        self.on_order_update(fill, desk);
    }

    fn on_order_update(&mut self, update: &Execution, _: &mut Desk<'_>) {
        if update.leaves == 0 {
            self.order = None;
        }
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// A venue in a process of its own, which goes when this value does.
struct Venue {
    child: Child,
    address: String,
}

impl Venue {
    fn start(args: &DoorArgs, dir: &Path, orders: &Path) -> Result<Self> {
        let failed = |source| Error::io("start", "ringtape venue", source);
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("venue").arg(orders).args(["--listen", "127.0.0.1:0", "--wait", &args.wait]);
        command.arg("--journal").arg(dir.join("venue"));
        command.args(["--runners", &args.runners().to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stderr) = &mut child.stderr {
            BufReader::new(stderr).read_line(&mut line).map_err(failed)?;
        }
        let told = line.strip_prefix("ringtape: listening at ").and_then(|at| at.split(',').next());
        let address = told.map(str::to_owned).ok_or_else(|| Error::CheckFailed {
            what: format!("the venue does not listen: {}", line.trim()),
            cure: "see what it says".to_owned(),
        })?;
        Ok(Self { child, address })
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        if let Some(id) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(id, Signal::INT);
        }
        let _ = self.child.wait();
    }
}

pub(super) fn run(args: &DoorArgs) -> Result<Ending> {
    let (rounds, seconds) = if args.quick { (2, 1) } else { (args.rounds, args.seconds) };
    let rate = parse::count(&args.rate)?;
    if rounds == 0 || seconds == 0 || rate == 0 || args.runners == Some(0) {
        return Err(Error::usage("nothing measured says nothing", "ask for 1 or more of each"));
    }
    let wait = args.wait.parse::<Wait>()?;
    let session = generate(rate * seconds)?;
    let cores = allowed_cores();
    let idle_for = Duration::from_millis(if args.quick { 500 } else { 2_000 });
    let mut idle = Meter::new();
    measure::watch_idle(&cores, idle_for, rate, &mut idle);
    let mut figures = Figures::default();
    for number in 0..rounds {
        let report = round(args, &session, Pace::per_second(rate)?, wait, number)?;
        figures.note(&report);
    }
    measure::watch_idle(&cores, idle_for, rate, &mut idle);
    if args.json {
        term::print(format_args!("{:#}", figures.to_json(rate, &idle)))?;
    } else {
        figures.describe(rate, seconds, &idle);
    }
    Ok(if figures.fills == figures.orders { Ending::Done } else { Ending::CheckFailed })
}

/// A session of one instrument.
fn generate(messages: u64) -> Result<Arc<[u8]>> {
    let profile = Profile { messages: messages.max(MESSAGES_MIN), symbols: 1, live: 200, seed: 42 };
    let mut generator = Generator::new(&profile)?;
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    Ok(session.into())
}

/// Trades a session at a venue that opens for it.
fn round(
    args: &DoorArgs,
    session: &Arc<[u8]>,
    pace: Pace,
    wait: Wait,
    number: usize,
) -> Result<RunReport> {
    // A directory of our own, so that nothing of the user's goes when it is removed.
    let name = format!("ringtape-bench-door-{}-{number}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    let run = trade(args, session, pace, wait, &dir);
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|error| Error::io("remove", &dir, error))?;
    }
    let report = run?;
    match report.error {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

fn trade(
    args: &DoorArgs,
    session: &Arc<[u8]>,
    pace: Pace,
    wait: Wait,
    dir: &PathBuf,
) -> Result<RunReport> {
    fs::create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
    let feed = ItchFeed::from_bytes("generated session", session.clone(), &OpenOptions::default())?;
    let orders = dir.join("opening.csv");
    let row = format!("new,1,{},sell,0.01,100000000\n", symbol(session)?);
    fs::write(&orders, OPENING.to_owned() + &row)
        .map_err(|error| Error::io("write", &orders, error))?;
    let venue = Venue::start(args, dir, &orders)?;
    let gateway = TcpGateway::new(format!("tcp://{}", venue.address).parse()?);
    let trader = Trader::with_strategy(Box::<Taker>::default(), TraderConfig::default());
    let config = EngineConfig {
        trader: Some(trader.through_gateway()),
        gateway: Some(Box::new(gateway)),
        journal: Some(JournalConfig {
            durability: "interval:10ms".parse::<Durability>()?,
            ..JournalConfig::new(dir.join("run"), "")
        }),
        gate: ringtape::engine::Gate::Journaled,
        runners: Some(args.runners()),
        wait,
        pace,
        ..EngineConfig::default()
    };
    Ok(Engine::start(Box::new(feed), config)?.join())
}

/// The symbol of the session's first instrument.
fn symbol(session: &Arc<[u8]>) -> Result<String> {
    use ringtape::book::Replica;
    use ringtape::event::Event;
    use ringtape::feed::{Feed, Fill};
    let mut feed = ItchFeed::from_bytes("session", session.clone(), &OpenOptions::default())?;
    let (mut replica, mut events) = (Replica::new(), [Event::default(); 256]);
    if let Fill::Records(count) = feed.fill(&mut events)? {
        events[..count].iter().for_each(|event| _ = replica.apply(event));
    }
    let first = replica.instruments().iter().next();
    Ok(first.map(|(id, _)| replica.instruments().symbol(id)).unwrap_or_default())
}

/// What the rounds came to.
#[derive(Default)]
struct Figures {
    orders: u64,
    fills: u64,
    /// By stage, over all rounds.
    stages: Vec<(&'static str, Meter)>,
    /// What events at the rate would have waited for the run's own threads, idle.
    hiccups: Meter,
}

impl Figures {
    fn note(&mut self, report: &RunReport) {
        self.orders += report.trades.accepted;
        self.fills += report.trades.fills;
        for name in STAGES {
            let Some(stage) = report.stages.iter().find(|stage| stage.name == name) else {
                continue;
            };
            match self.stages.iter_mut().find(|(other, _)| *other == name) {
                Some((_, meter)) => meter.merge(stage.latency.meter()),
                None => self.stages.push((name, stage.latency.meter().clone())),
            }
        }
        report.hiccups().iter().for_each(|of_runner| self.hiccups.merge(of_runner));
    }

    /// Rows of the table: the stages, then what the machine does by itself.
    fn rows(&self, idle: &Meter) -> Vec<(&'static str, LatencySummary)> {
        let stages = self.stages.iter().map(|(name, meter)| (*name, meter.summary()));
        stages
            .chain([("idle cores", idle.summary()), ("idle threads", self.hiccups.summary())])
            .collect()
    }

    fn describe(&self, rate: u64, seconds: u64, idle: &Meter) {
        let machine = Machine::look();
        let cell = |value: Option<u64>| value.map_or_else(|| "n/a".to_owned(), duration);
        term::tell(format_args!(
            "machine    {}, {} cores allowed",
            machine.cpu, machine.cores_allowed
        ));
        term::tell(format_args!(
            "feed       {} messages a second for {seconds} s a round",
            thousands(rate)
        ));
        term::tell(format_args!(
            "orders     {}, of which {} were filled, at a venue in another process",
            thousands(self.orders),
            thousands(self.fills)
        ));
        term::tell(format_args!(
            "  {:<14} {:>10} {:>10} {:>10} {:>10}",
            "", "p50", "p90", "p99", "max"
        ));
        for (name, summary) in self.rows(idle) {
            term::tell(format_args!(
                "  {name:<14} {:>10} {:>10} {:>10} {:>10}",
                cell(summary.p50),
                cell(summary.p90),
                cell(summary.p99),
                cell(summary.max)
            ));
        }
    }

    fn to_json(&self, rate: u64, idle: &Meter) -> Value {
        let machine = Machine::look();
        let rows = self.rows(idle).into_iter().map(|(name, summary)| {
            let LatencySummary { count, p50, p90, p99, p999, max, .. } = summary;
            let row = json!({
                "count": count, "p50": p50, "p90": p90, "p99": p99, "p999": p999, "max": max,
            });
            (name.replace(' ', "_"), row)
        });
        json!({
            "schema": 1,
            "bench": "door",
            "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
            "rate": rate,
            "orders": self.orders,
            "fills": self.fills,
            "latency_ns": rows.collect::<serde_json::Map<_, _>>(),
        })
    }
}
