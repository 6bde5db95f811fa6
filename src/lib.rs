//! ringtape is a low-latency trading event engine.
//!
//! One writer puts market events on a ring; consumers on their own cores rebuild order books, run a
//! strategy against a simulated venue, keep the portfolio and write the journal; nobody waits for
//! anybody they need not wait for. The same feed gives the same books, fills, money and hashes on
//! every machine and every run.
//!
//! # The picture
//!
//! ```text
//!   recorded file · capture · stdin · journal               commands, gateways
//!                 | pull                                          | bounded inbox
//!          +------v-------+   decode, group, pace, check, sequence |
//!          | feed handler |<--------------------------------------+
//!          +------+-------+   the single writer of the market ring
//!                 | claim / commit
//!  ===== market ring: slots of 64 bytes = stamp + Event (56 bytes) ==========
//!     |                     |                       |
//!  market journal        matching              your consumer
//!  (memory map)     books, own orders,
//!                   venue, strategy
//!                           | claim / commit
//!  ===== execution ring: slots of 128 bytes = stamp + Execution (120 bytes) =
//!     |                     |                       |
//!  execution journal     portfolio             your consumer
//!  (memory map)     positions, P&L, fees
//! ```
//!
//! # The words
//!
//! *Event* and *execution* are the plain-old-data records of the two rings. A *slot* is a stamp and
//! a record; a *sequence* counts records from 0. A *stage* is a named consumer in a ring's graph.
//! An *agent* has a duty cycle and never blocks; a *runner* is a thread that drives agents; the
//! *plan* says which agent runs where. A *feed* is a source of events. An *exchange event* is all
//! records of one thing that happened at the venue; the last one carries the flag `LAST`. A
//! *journal* is a directory of *segments*, each a row of *blocks*.
//!
//! # The modules
//!
//! In reading order, which is the order of the data. A module uses those above it and none below;
//! a test holds the table to the code. The drawing under it leaves out what nearly all use.
//!
//! | module | what it is | uses |
//! |---|---|---|
//! | `error` | the one error type: what, where, what to do |  |
//! | `units` | prices, quantities, times and ids that cannot be mixed up |  |
//! | `limits` | every limit, related to the others at compile time |  |
//! | `hash` | the running hash over records; random numbers with a state to save |  |
//! | `state` | saved state as bytes | `error` |
//! | `clock` | nanoseconds from the time-stamp counter | `units` |
//! | `map` | memory maps and huge pages; with the ring's slots, the journal's CRC and `processor` a place with `unsafe` | `error` |
//! | `processor` | prefetch, and eight comparisons at once |  |
//! | `event` | the records, the one table of kinds, instruments | `units` `limits` |
//! | `feed` | recordings as pull iterators of events: open, recognise, decode, group, check, pace | `error` `units` `limits` `hash` `map` `processor` `event` |
//! | `ring` | the single-writer ring; knows nothing of trading | `error` `limits` |
//! | `bus` | typed publish and subscribe on a ring, for any application | `error` `limits` `ring` |
//! | `runtime` | agents, runners, the plan, meters | `error` `units` `limits` `clock` `ring` |
//! | `book` | full-depth books and the replica of a feed | `error` `units` `limits` `hash` `state` `map` `processor` `event` `feed` |
//! | `matching` | the matching engine and its proof on a tape; the simulated venue: own orders beside the replica | `error` `units` `limits` `hash` `state` `event` `book` |
//! | `portfolio` | positions, cash, marks, fees in exact integers | `error` `units` `hash` `state` `event` |
//! | `gateway` | order entry at a real venue: messages, sequences, the trait | `error` `units` `event` `matching` |
//! | `strategy` | the strategy trait, its desk, the risk gate, the built-in ones | `error` `units` `limits` `hash` `state` `event` `book` `matching` `portfolio` `gateway` |
//! | `journal` | memory-mapped segments, generic over the record | `error` `limits` `map` `event` |
//! | `engine` | the wiring: one feed, two rings, agents on runners; the generator | `error` `units` `limits` `hash` `state` `clock` `event` `feed` `ring` `runtime` `book` `matching` `portfolio` `gateway` `strategy` `journal` |
//! | `report` | a run as text, as JSON and as a page of charts | `error` `units` `clock` `event` `feed` `runtime` `book` `matching` `portfolio` `journal` `engine` |
//!
//! ```text
//!   error units limits hash state clock map processor
//!      |
//!    event --> feed -----------------------------------+
//!      |        |                                      |
//!      +-----> book --> matching --> strategy ------+  |
//!      |                                ^           v  v
//!      +-----> portfolio ---------------+-------> engine --> report --> the program's cli
//!      |                                            ^  ^
//!      +-----> journal (record types) --------------+  |
//!                                                      |
//!    ring, runtime (know no event) --------------------+
//!      |
//!    bus (for any application; the engine does not use it)
//! ```
//!
//! # A first program
//!
//! The layers work alone. Here a generated session of 20,000 messages goes through feed and books,
//! without ring or threads:
//!
//! ```
//! use ringtape::book::Replica;
//! use ringtape::engine::generate::{Generator, Profile};
//! use ringtape::event::Event;
//! use ringtape::feed::itch::ItchFeed;
//! use ringtape::feed::{Feed, Fill, OpenOptions};
//!
//! let profile = Profile { messages: 20_000, symbols: 4, live: 500, seed: 7 };
//! let mut generator = Generator::new(&profile)?;
//! let mut session = Vec::new();
//! while generator.fill(&mut session) > 0 {}
//!
//! let mut feed = ItchFeed::from_bytes("a session", session, &OpenOptions::default())?;
//! let mut replica = Replica::new();
//! let mut events = [Event::default(); 256];
//! while let Fill::Records(count) = feed.fill(&mut events)? {
//!     for event in &events[..count] {
//!         replica.apply(event);
//!     }
//! }
//! assert_eq!(feed.checks().messages, 20_000);
//! assert_eq!(replica.counts().unknown_orders.count, 0);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! The whole engine is [`engine::Engine`]; the program `ringtape` is a thin command line over it.
//!
//! # What the hashes mean
//!
//! All are 64 bits, [`hash::RunningHash`] over little-endian records with the seed
//! [`hash::SEED`]:
//!
//! * *books*: every change of a best bid or offer after `LAST`, then all resting orders by symbol,
//!   side, price and place in the queue; see [`book::Replica::books_hash`].
//! * *orders*: every [`event::Execution`] but snapshot marks, with `ts_ingest`, `cause` and
//!   `reserved` set to 0.
//! * *portfolio*: positions, cost, cash and fees by account and symbol; see
//!   [`portfolio::Portfolio::hash`].
//! * *state*: the three above.
//!
//! # Features
//!
//! `cli` builds the program and pulls in clap, serde, serde_json, toml, ctrlc, and what `pcap` and
//! `udp` do: captures of packets, and live feeds. `zstd` reads and writes feeds that are compressed
//! so, `dbn` reads Databento's recordings, `json` raw recordings of JSON text. All are on by
//! default; the library alone is `default-features = false`.

pub mod book;
pub mod bus;
pub mod clock;
pub mod engine;
pub mod error;
pub mod event;
pub mod feed;
pub mod gateway;
pub mod hash;
pub mod journal;
pub mod limits;
pub mod map;
pub mod matching;
pub mod portfolio;
mod processor;
pub mod report;
pub mod ring;
pub mod runtime;
pub mod state;
pub mod strategy;
pub mod units;

/// The README's Rust examples, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
