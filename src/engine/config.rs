//! What an engine is told.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::InstrumentOverrides;
use crate::feed::{Moment, Pace};
use crate::gateway::Gateway;
use crate::journal::Durability;
use crate::limits::{RING_CAPACITY_DEFAULT, SEGMENT_BYTES_DEFAULT};
use crate::matching::MatcherConfig;
use crate::portfolio::PortfolioConfig;
use crate::ring::Wait;
use crate::strategy::Trader;
use crate::units::CoreId;

/// File that says what shaped the state of a run.
pub const RUN_FILE: &str = "run.toml";

/// Directory of the market journal within a run's directory.
pub const MARKET_DIR: &str = "market";

/// Directory of the execution journal within a run's directory.
pub const EXECUTIONS_DIR: &str = "executions";

/// Directory of the snapshots within a run's directory.
pub const SNAPSHOTS_DIR: &str = "snapshots";

/// How an engine is put together.
///
/// What shapes the state is the feed, [`symbols`](Self::symbols),
/// [`instruments`](Self::instruments), [`from`](Self::from), [`trader`](Self::trader),
/// [`exchange`](Self::exchange) and [`portfolio`](Self::portfolio). Everything else changes speed
/// and records, never results.
#[derive(Debug)]
pub struct EngineConfig {
    /// Symbols to follow; empty for all.
    pub symbols: Vec<String>,
    /// What the user knows of instruments better than the feed does.
    pub instruments: Option<Arc<InstrumentOverrides>>,
    /// When pacing, strategy and statistics begin; books are built from the start all the same.
    /// `None` is from the start.
    pub from: Option<Moment>,
    /// Strategy, venue and fees; `None` rebuilds books only.
    pub trader: Option<Trader>,
    /// The way to a real venue for a trader whose orders go there
    /// ([`Trader::through_gateway`]); such a trader without one repeats a recorded run.
    pub gateway: Option<Box<dyn Gateway>>,
    /// The matching engine for a feed of orders, in place of books that follow a venue's.
    pub exchange: Option<MatcherConfig>,
    /// Whether to hold the matching engine against the feed's own executions.
    pub check_matching: bool,
    /// Initial cash, rules of marking, and whether to audit.
    pub portfolio: PortfolioConfig,
    /// Whether the report is to have every fill.
    pub keep_fills: bool,
    /// An order whose story the report is to tell, as executions number it.
    pub explain: Option<u64>,
    /// Where to keep the journals; `None` keeps none.
    pub journal: Option<JournalConfig>,
    /// What matching waits for before it acts on an event.
    pub gate: Gate,
    /// When events are due.
    pub pace: Pace,
    /// Threads; `None` for one a core.
    pub runners: Option<usize>,
    /// Cores to use; empty for all that are allowed.
    pub cores: Vec<CoreId>,
    /// How threads wait.
    pub wait: Wait,
    /// Slots of each ring, a power of two.
    pub ring_slots: usize,
    /// Executions to keep in memory for a report; 0 keeps none.
    pub keep_executions: usize,
    /// Messages between two points at which the hashes are recorded; `None` records none.
    pub hash_every: Option<NonZeroU64>,
    /// Whether somebody is to look in while the engine runs, by [`Watch`](super::Watch).
    pub is_watched: bool,
}

impl EngineConfig {
    /// Whether records get to the disk while the run goes on.
    pub(super) fn becomes_durable(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.durability.advances())
    }
}

/// Where and how to keep the journals of a run.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// Directory that will hold `market/`, `executions/` and `run.toml`.
    pub dir: PathBuf,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Text of `run.toml`: everything that shapes the state of the run.
    pub run_toml: String,
    /// What is done for records to survive.
    pub durability: Durability,
    /// Whether to go on with the run that the directory holds, or to start it if it holds none.
    pub resume: bool,
    /// Messages of the feed between two snapshots; `None` for none.
    ///
    /// In a run of an order file a second matching engine follows the journal to be saved: it
    /// takes the memory of the first once more, and some of another core.
    pub snapshot_every: Option<u64>,
}

impl JournalConfig {
    /// Journals in `dir` with segments of the default size.
    pub fn new(dir: impl Into<PathBuf>, run_toml: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            run_toml: run_toml.into(),
            durability: Durability::default(),
            resume: false,
            snapshot_every: None,
        }
    }
}

/// What matching waits for before it acts on an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Nothing: matching and journal run side by side.
    #[default]
    None,
    /// The event is in the market journal: a killed process does not lose what was acted on.
    Journaled,
    /// The event is on the disk: nor does a power cut.
    Durable,
}

impl Gate {
    /// `none`, `journaled` or `durable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Journaled => "journaled",
            Self::Durable => "durable",
        }
    }
}

impl FromStr for Gate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let gates = [Self::None, Self::Journaled, Self::Durable];
        gates.into_iter().find(|gate| gate.name() == text).ok_or_else(|| {
            Error::usage(format!("unknown gate `{text}`"), "use `none`, `journaled` or `durable`")
        })
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            instruments: None,
            from: None,
            trader: None,
            gateway: None,
            exchange: None,
            check_matching: false,
            portfolio: PortfolioConfig::default(),
            keep_fills: false,
            explain: None,
            journal: None,
            gate: Gate::None,
            pace: Pace::Max,
            runners: None,
            cores: Vec::new(),
            wait: Wait::Auto,
            ring_slots: RING_CAPACITY_DEFAULT,
            keep_executions: 0,
            hash_every: None,
            is_watched: false,
        }
    }
}
