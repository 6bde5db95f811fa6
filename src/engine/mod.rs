//! The engine: one feed, two rings, books, strategy, portfolio and journals on a few threads.
//!
//! ```text
//!   inbox --+
//!   feed ---+--> feed handler
//!                     |
//!                market ring --+--> market journal
//!                              +--> matching
//!                                      |
//!                               execution ring --+--> execution journal
//!                                                +--> portfolio
//! ```
//!
//! Each box is an agent; [`Plan`](crate::runtime::Plan) puts them on threads. What comes out is a
//! function of the feed and of what [`EngineConfig`] calls shaping: threads, waits, pace, ring
//! sizes and journals change none of it.

mod accounting;
mod builder;
mod collector;
mod config;
mod definitions;
mod exchange;
mod explain;
mod filter;
mod findings;
mod follower;
mod gateway;
mod gauges;
pub mod generate;
mod guests;
mod handle;
mod hashes;
mod intake;
mod journal_feed;
mod journals;
mod kept;
mod matching;
mod names;
mod outcomes;
mod past;
mod recorded;
mod recording;
mod rederive;
mod run_state;
mod saver;
mod snapshots;
mod standby;
mod stats;
mod trail;
mod valve;
mod venue;
mod watch;
mod wiring;

pub use builder::EngineBuilder;
pub use collector::SnapshotReport;
pub use config::{
    EXECUTIONS_DIR, EngineConfig, Gate, JournalConfig, MARKET_DIR, RUN_FILE, SNAPSHOTS_DIR,
};
pub use exchange::Exchange;
pub use explain::Chapter;
pub use gateway::{GatewayAddress, GatewayReport, TcpGateway};
pub use gauges::{Gauges, Reading, RingGauge, RingReading};
pub use handle::EngineHandle;
pub use hashes::{HashPoint, Hashes};
pub use journal_feed::{JOURNAL_FORMAT, JournalFeed};
pub use journals::Resumed;
pub use kept::{FillRecord, KeptExecutions};
pub use outcomes::StrategyReport;
pub use rederive::{Rederived, rederive};
pub use snapshots::{NeededFrom, SnapshotRefused, SnapshotUsed, needed_from};
pub use stats::{JournalReport, RunReport, StageReport};
pub use venue::{OpeningBook, VenueCounts, VenueServer};
pub use watch::{
    BookView, MarketView, MoneyView, PositionView, WATCHED_BOOKS_MAX, WATCHED_LEVELS_MAX,
    WATCHED_POSITIONS_MAX, Watch, WatchedLevel, WatchedSymbols,
};
pub use wiring::Engine;
