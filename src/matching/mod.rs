//! Matching: the engine's own order matching, its [`proof`] on an exchange's tape, and the simulated
//! venue.

mod ahead;
mod allocation;
mod auction;
mod change;
mod checks;
mod config;
mod counts;
mod cross;
mod entry;
mod expiry;
mod hand;
mod heap;
mod lane;
mod leave;
mod matcher;
pub mod proof;
mod queries;
mod save;
mod scratch;
mod self_trade;
mod terms;
mod triggers;
mod uncross;
pub mod venue;

pub use ahead::MATCH_AHEAD_EVENTS;
pub use auction::EVERY_INSTRUMENT;
pub use config::{
    Allocation, InstrumentRules, MATCHER_ORDERS_MAX_DEFAULT, MatcherConfig, Priority,
};
pub use counts::{MatcherCounts, MatcherTotals};
pub use matcher::Matcher;
pub use queries::{MatcherOrder, OrderPlace};
pub use venue::{Command, LATENCY_DEFAULT, NewOrder, OpenOrder, OrderState, Venue, VenueConfig};
