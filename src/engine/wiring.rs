//! The wiring: rings, agents and runners of one run.

use std::sync::Arc;

use super::accounting::{Accounting, AccountingParts};
use super::collector::{Collector, Sink};
use super::config::{EngineConfig, Gate, JournalConfig};
use super::filter::SymbolFilter;
use super::gateway::Door;
use super::gauges::{Gauges, Progress, RingGauge};
use super::guests::{Guest, Guests, Polled, Seated};
use super::handle::EngineHandle;
use super::intake::{Intake, IntakeParts};
use super::journals::{self, Journals};
use super::matching::{Matching, MatchingParts};
use super::names::{
    EXECUTION_JOURNAL, FEED, GATEWAY, JOURNAL_STAGE, MARKET_JOURNAL, MATCHING, PORTFOLIO,
    RING_STAGE,
};
use super::past::Logs;
use super::recording::{JournalStage, recordings};
use super::run_state::RunState;
use super::saver::{Saver, SaverParts};
use super::stats::{Outcomes, RunParts, RunReport};
use super::valve::{PauseFlag, Valve};
use super::watch::{Watch, Watched};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::feed::{Description, Feed, Pace, Pacer};
use crate::limits::INBOX_CAPACITY;
use crate::ring::{Consumer, InboxReceiver, InboxSender, Producer, RingBuilder, inbox};
use crate::runtime::{Agent, AgentLoad, Plan, Runner, StopFlag, allowed_cores};
use crate::units::{CoreId, Nanos};

/// Expected cost of an event to each agent, in ns; it only decides who shares a thread.
const LOADS: [(&str, u32); 6] = [
    (FEED, 25),
    (MARKET_JOURNAL, 15),
    (MATCHING, 90),
    (EXECUTION_JOURNAL, 1),
    (PORTFOLIO, 1),
    (GATEWAY, 1),
];

/// An engine that is running.
///
/// ```
/// use ringtape::engine::{Engine, EngineConfig};
/// use ringtape::feed::itch::ItchFeed;
///
/// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
/// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
/// let engine = Engine::start(Box::new(feed), EngineConfig::default())?;
/// assert!(!engine.plan().runners.is_empty());
/// let report = engine.join();
/// assert_eq!(report.checks.messages, 1);
/// assert!(report.error.is_none());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    runners: Vec<Runner>,
    handle: EngineHandle,
    polled: (Polled<Event>, Polled<Execution>),
    clock: Clock,
    started: Nanos,
    outcomes: Outcomes,
    collector: Option<Collector>,
    watch: Option<Watch>,
    is_paced: bool,
}

impl Engine {
    /// Wires an engine and starts its threads.
    pub(super) fn wire(feed: Box<dyn Feed>, config: EngineConfig, guests: Guests) -> Result<Self> {
        let clock = Clock::new();
        let started = clock.now();
        let plan = plan(&config, &guests)?;
        let is_paced = config.pace != Pace::Max;
        let (stop, pause) = (StopFlag::default(), PauseFlag::default());
        let progress = Arc::<Progress>::default();
        let (inbox, commands) = inbox(INBOX_CAPACITY);
        let mut outcomes = Outcomes {
            gate: config.gate,
            durability: config.journal.as_ref().map(|one| one.durability).unwrap_or_default(),
            ..Outcomes::default()
        };
        let (watched, watch) = Watched::new(config.is_watched, config.hash_every)?;
        let outside = Outside {
            watched,
            commands,
            inbox: inbox.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
            valve: Valve::new(pause.clone()),
            progress: progress.clone(),
        };
        let core = plan.core_of(MARKET_JOURNAL);
        let wired = agents(feed, config, guests, outside, &mut outcomes, core)?;
        let gauges = Gauges::new(clock.clone(), started, progress, wired.rings);
        let (own_market, own_executions) = wired.guests;
        let own = own_market.agents.into_iter().chain(own_executions.agents);
        let mut agents = wired.agents.into_iter().chain(own);
        let runners = plan
            .runners
            .iter()
            .map(|planned| {
                let own = agents.by_ref().take(planned.agents.len()).collect();
                Runner::start(planned, plan.wait, &clock, own)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            plan,
            runners,
            handle: EngineHandle::new(gauges, inbox, pause, stop),
            polled: (own_market.polled, own_executions.polled),
            clock,
            started,
            outcomes,
            collector: wired.collector,
            watch,
            is_paced,
        })
    }

    /// The plan that an engine of this configuration would run by; starts nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for cores or runners that cannot be had, and for the journal's directory if
    /// it holds a run that this one does not go on with.
    pub fn plan_for(config: &EngineConfig) -> Result<Plan> {
        config.journal.as_ref().map_or(Ok(()), journals::check_new)?;
        plan(config, &Guests::default())
    }

    /// Refuses journals that a run over `feed` cannot begin, or go on with, as far as their first
    /// segments and `run.toml` say.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] as [`start`](Self::start) gives it, [`Error::BadJournal`] and I/O.
    pub fn check_journal(config: &JournalConfig, feed: &Description) -> Result<()> {
        journals::check(config, feed)
    }

    /// The engine in the hands of other threads: looks, pauses, commands, stop.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// The plan that the engine runs by.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The consumer that was declared by
    /// [`EngineBuilder::polled_market`](super::EngineBuilder::polled_market).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is none of that name, or it was taken before.
    pub fn take_market(&mut self, name: &str) -> Result<Consumer<Event>> {
        self.polled.0.take(name)
    }

    /// The consumer that was declared by
    /// [`EngineBuilder::polled_executions`](super::EngineBuilder::polled_executions).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is none of that name, or it was taken before.
    pub fn take_executions(&mut self, name: &str) -> Result<Consumer<Execution>> {
        self.polled.1.take(name)
    }

    /// The look into the engine; `None` unless the configuration asked for it, and once it was
    /// taken.
    pub fn take_watch(&mut self) -> Option<Watch> {
        self.watch.take()
    }

    /// Whether all threads have ended.
    pub fn is_finished(&self) -> bool {
        self.runners.iter().all(Runner::is_finished)
    }

    /// Waits for the end of the run and reports.
    ///
    /// A polled consumer that nobody took would hold the run up for ever: it fails here, and the
    /// run with it.
    pub fn join(mut self) -> RunReport {
        drop(self.polled);
        let runners = self.runners.into_iter().map(Runner::join).collect();
        self.outcomes.snapshots = self.collector.map(Collector::join);
        let wall = Nanos(self.clock.now().0 - self.started.0);
        RunReport::new(RunParts {
            plan: self.plan,
            runners,
            outcomes: self.outcomes,
            started: self.started,
            wall,
            is_paced: self.is_paced,
        })
    }
}

/// The market ring and its consumers.
struct MarketRing {
    producer: Producer<Event>,
    matching: Consumer<Event>,
    journal: Option<JournalStage>,
    guests: Seated<Event>,
}

impl MarketRing {
    fn build(config: &EngineConfig, guests: Vec<Guest<Event>>) -> Result<Self> {
        let mut builder = RingBuilder::new("market", config.ring_slots)?;
        let journal =
            config.journal.as_ref().map(|_| builder.stage(MARKET_JOURNAL, &[])).transpose()?;
        let upstream = match (config.gate, journal) {
            (Gate::None, _) => vec![],
            (Gate::Durable, Some(_)) if !config.becomes_durable() => {
                return Err(Error::usage(
                    "with the durability `pagecache` the gate `durable` would never open",
                    "use the durability `batch` or `interval:10ms`, or the gate `journaled`",
                ));
            }
            (Gate::Journaled | Gate::Durable, Some(journal)) => vec![journal],
            (gate, None) => {
                return Err(Error::usage(
                    format!("the gate `{}` needs a journal", gate.name()),
                    "name a journal directory, or use the gate `none`",
                ));
            }
        };
        let matching = builder.stage(MATCHING, &upstream)?;
        let stages = Guest::declare(&guests, &mut builder, &upstream)?;
        let (producer, mut consumers) = builder.build()?;
        let guests = Guest::seat(guests, stages, &mut consumers)?;
        let journal = journal
            .map(|stage_id| {
                let cursor = consumers.cursor(stage_id)?;
                let releases_durable = config.gate == Gate::Durable;
                let stage = |consumer| JournalStage { consumer, cursor, releases_durable };
                consumers.take(stage_id).map(stage)
            })
            .transpose()?;
        Ok(Self { producer, matching: consumers.take(matching)?, journal, guests })
    }
}

/// The execution ring and its consumers.
struct ExecutionRing {
    producer: Producer<Execution>,
    portfolio: Consumer<Execution>,
    journal: Option<Consumer<Execution>>,
    guests: Seated<Execution>,
}

impl ExecutionRing {
    fn build(config: &EngineConfig, guests: Vec<Guest<Execution>>) -> Result<Self> {
        let mut builder = RingBuilder::new("executions", config.ring_slots)?;
        let journal =
            config.journal.as_ref().map(|_| builder.stage(EXECUTION_JOURNAL, &[])).transpose()?;
        let portfolio = builder.stage(PORTFOLIO, &[])?;
        let stages = Guest::declare(&guests, &mut builder, &[])?;
        let (producer, mut consumers) = builder.build()?;
        let guests = Guest::seat(guests, stages, &mut consumers)?;
        let journal = journal.map(|stage| consumers.take(stage)).transpose()?;
        Ok(Self { producer, portfolio: consumers.take(portfolio)?, journal, guests })
    }
}

/// What the feed handler shares with the threads outside.
struct Outside {
    commands: InboxReceiver<Event>,
    inbox: InboxSender<Event>,
    watched: Watched,
    clock: Clock,
    stop: StopFlag,
    valve: Valve,
    progress: Arc<Progress>,
}

/// Agents that are ready to run, the application's consumers, the gauges of the rings between
/// them, and who collects their snapshots.
struct Wired {
    agents: Vec<Box<dyn Agent>>,
    guests: (Seated<Event>, Seated<Execution>),
    rings: [RingGauge; 2],
    collector: Option<Collector>,
}

/// The rings' agents, in pipeline order, as the plan names them, and what belongs to them; `core`
/// is the market journal's.
fn agents(
    mut feed: Box<dyn Feed>,
    mut config: EngineConfig,
    guests: Guests,
    mut outside: Outside,
    outcomes: &mut Outcomes,
    core: Option<CoreId>,
) -> Result<Wired> {
    let market = MarketRing::build(&config, guests.market)?;
    let executions = ExecutionRing::build(&config, guests.executions)?;
    let rings = gauges_of(&market, &executions);
    let mut state = RunState::new(&mut config);
    let (mut journals, origins, new_from) =
        open_journals(&config, &mut *feed, core, &mut state, outcomes)?;
    let clock = outside.clock.clone();
    let (saver, sink, collector) =
        saver_and_collector(&*feed, &config, &state, (clock, new_from), outcomes)?;
    let logs = Logs::of(&config, &state.portfolio, outcomes)?;
    let run = Journals::run_id(journals.as_ref());
    let ends = (&outside.inbox, &outside.stop);
    let door = Door::of(config.gateway.take(), ends, &mut outcomes.gateway, run, new_from);
    let intake = Intake::new(IntakeParts {
        feed,
        ring: Some(market.producer),
        inbox: outside.commands,
        clock: outside.clock.clone(),
        pacer: Pacer::new(config.pace),
        filter: SymbolFilter::new(&config.symbols),
        instruments: config.instruments.as_deref().cloned().unwrap_or_default(),
        begin: state.market.begin.clone(),
        recorded: journals.as_mut().and_then(|journals| journals.recorded.take()),
        stop: outside.stop,
        farewell: door.farewell,
        valve: outside.valve,
        progress: outside.progress,
        segments: journals.as_ref().map(Journals::segments),
        origin: origins.0,
        snapshot_every: snapshot_every(&config).filter(|_| sink.is_some()),
        meter: outside.watched.meter(RING_STAGE),
        handover: outcomes.intake.clone(),
    });
    let matching = Matching::new(MatchingParts {
        ring: market.matching,
        executions: executions.producer,
        origin: origins.0,
        market: state.market,
        tally: state.tally,
        saver,
        clock: outside.clock,
        story: logs.story,
        errands: door.errands,
        told: outside.watched.by_matching(),
        handover: outcomes.matching.clone(),
    });
    let accounting = Accounting::new(AccountingParts {
        executions: executions.portfolio,
        portfolio: state.portfolio,
        sink: sink.clone(),
        log: logs.fills,
        told: outside.watched.by_portfolio(),
        handover: outcomes.accounting.clone(),
    });
    let mut agents: Vec<Box<dyn Agent>> = vec![Box::new(intake), Box::new(matching)];
    if let Some((journals, from)) = journals.zip(market.journal.zip(executions.journal)) {
        let handovers = outcomes.recording.insert(Default::default());
        let told = (outside.watched.meter(JOURNAL_STAGE), sink);
        let (of_market, of_executions) = recordings(journals, origins, from, handovers, told);
        agents.insert(1, Box::new(of_market));
        agents.push(Box::new(of_executions));
    }
    agents.push(Box::new(accounting));
    agents.extend(door.dispatch.map(|dispatch| Box::new(dispatch) as Box<dyn Agent>));
    Ok(Wired { agents, guests: (market.guests, executions.guests), rings, collector })
}

/// The journals of a run that keeps some, where its rings begin in them, and the first sequence
/// that is new; `state` becomes what the journals hold.
fn open_journals(
    config: &EngineConfig,
    feed: &mut dyn Feed,
    core: Option<CoreId>,
    state: &mut RunState,
    outcomes: &mut Outcomes,
) -> Result<(Option<Journals>, (u64, u64), u64)> {
    let Some(kept) = &config.journal else { return Ok((None, (0, 0), 0)) };
    let mut journals = journals::open(kept, feed, config, core, state)?;
    let (origins, new_from) = (journals.origins(), journals.market.next_sequence());
    outcomes.resumed = journals.resumed.take();
    Ok((Some(journals), origins, new_from))
}

/// Who saves matching's state, where the other parts of snapshots go and who collects them, if
/// there are to be any; snapshots are taken at marks from `new_from` on.
fn saver_and_collector(
    feed: &dyn Feed,
    config: &EngineConfig,
    state: &RunState,
    (clock, new_from): (Clock, u64),
    outcomes: &mut Outcomes,
) -> Result<(Saver, Option<Sink>, Option<Collector>)> {
    let identity = feed.description().identity;
    let warnings = &mut outcomes.warnings;
    let start = outcomes.resumed.as_ref().and_then(|resumed| resumed.snapshot.clone());
    let started = Collector::start(config.journal.as_ref(), identity, (state, start), warnings)?;
    let (outlet, collector) = match started {
        Some((sink, buffers, collector)) => (Some((sink, buffers)), Some(collector)),
        None => (None, None),
    };
    let sink = outlet.as_ref().map(|(sink, _)| sink.clone());
    let replica = state.market.books.replica();
    let may_pass = outcomes.resumed.is_some();
    let saver = Saver::new(SaverParts { clock, outlet, new_from, may_pass, replica });
    Ok((saver, sink, collector))
}

/// The gauges of both rings.
fn gauges_of(market: &MarketRing, executions: &ExecutionRing) -> [RingGauge; 2] {
    [RingGauge::of(&market.producer.ring()), RingGauge::of(&executions.producer.ring())]
}

/// How often snapshots are asked for.
fn snapshot_every(config: &EngineConfig) -> Option<u64> {
    config.journal.as_ref()?.snapshot_every
}

/// The plan for the agents that `config` needs, and the guests behind them.
fn plan(config: &EngineConfig, guests: &Guests) -> Result<Plan> {
    Door::check(config)?;
    let is_needed = |name: &str| match name {
        MARKET_JOURNAL | EXECUTION_JOURNAL => config.journal.is_some(),
        GATEWAY => config.gateway.is_some(),
        _ => true,
    };
    let loads: Vec<AgentLoad> = LOADS
        .iter()
        .filter(|(name, _)| is_needed(name))
        .map(|&(name, weight)| AgentLoad { name, weight })
        .chain(guests.loads())
        .collect();
    let allowed = allowed_cores();
    if let Some(core) = config.cores.iter().find(|core| !allowed.contains(core)) {
        let list: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        return Err(Error::usage(
            format!("core {core} is not among those that this process may use"),
            format!("choose from {}", list.join(",")),
        ));
    }
    let cores = if config.cores.is_empty() { &allowed } else { &config.cores };
    Plan::new(&loads, config.runners, cores, config.wait)
}
