//! Every feed: fields, framing, damage, recorded truth, several at once, live, and converted.

#[path = "../common/mod.rs"]
mod common;
mod feed_common;

mod bad;
mod convert;
mod dbn;
mod fields;
mod findings;
mod iex;
mod itch;
mod itchy;
mod journaled;
mod levels;
mod live;
mod live_namespaces;
mod live_packets;
mod live_programs;
mod lobster;
mod merged;
mod moldudp64;
mod mutations;
mod pacing;
mod recordings;
mod soupbintcp;
mod streams;
mod time_flags;
