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
//! | `event` | the records, the one table of kinds, instruments, clocks of venues | `error` `units` `limits` |
//! | `feed` | recordings as pull iterators of events: open, recognise, decode, group, check, pace | `error` `units` `limits` `hash` `map` `processor` `event` |
//! | `ring` | the single-writer ring; knows nothing of trading | `error` `limits` |
//! | `bus` | typed publish and subscribe on a ring, for any application | `error` `limits` `ring` |
//! | `runtime` | agents, runners, the plan, meters | `error` `units` `limits` `clock` `ring` |
//! | `book` | full-depth books and the replica of a feed | `error` `units` `limits` `hash` `state` `map` `processor` `event` `feed` |
//! | `matching` | the matching engine and its proof on a tape; the simulated venue: own orders beside the replica | `error` `units` `limits` `hash` `state` `event` `book` |
//! | `portfolio` | positions, cash, marks, fees in exact integers | `error` `units` `hash` `state` `event` |
//! | `gateway` | order entry at a real venue: messages, sequences, the trait | `error` `units` `event` `matching` |
//! | `strategy` | the strategy trait, its desk, the risk gate, the built-in ones | `error` `units` `limits` `hash` `state` `event` `feed` `book` `matching` `portfolio` `gateway` |
//! | `journal` | memory-mapped segments, generic over the record | `error` `limits` `map` `event` `ring` |
//! | `engine` | the wiring: one feed, two rings, agents on runners; the generator | `error` `units` `limits` `hash` `state` `clock` `processor` `event` `feed` `ring` `runtime` `book` `matching` `portfolio` `gateway` `strategy` `journal` |
//! | `report` | a run as text, as JSON and as a page of charts | `error` `units` `clock` `event` `feed` `runtime` `book` `matching` `portfolio` `journal` `engine` |
//! | `prelude` | the names that nearly every application writes | `error` `units` `state` `event` `feed` `ring` `bus` `book` `matching` `strategy` `engine` |
//! | `capi` | ring, journal reader and book for C, behind a feature; a place with `unsafe` | `error` `units` `limits` `event` `ring` `book` `journal` |
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
//! # A guide in five steps
//!
//! Every layer works alone; take what you need. Each step is a whole program, and each has a longer
//! one in `examples/`, run by the tests: `cargo run --example NAME`.
//!
//! | you want | begin with | example |
//! |---|---|---|
//! | threads that hand records on without locks | step 1, [`ring`] | `ring` |
//! | typed publish and subscribe in an application | [`bus`] | `own_event`, `bookstore`, `sensors` |
//! | records that survive, and are read anywhere | step 2, [`journal`] | `journal` |
//! | order books of a recorded or live feed | step 3, [`book`], [`feed`] | `book` |
//! | a strategy on a simulated venue | step 4, [`strategy`], [`engine`] | `scalper` |
//! | an engine inside your own service | step 5, [`engine::EngineBuilder`] | `own_loop` |
//! | a source of data that nobody else has | [`feed::Feed`] | `own_feed` |
//!
//! ## 1. The ring alone
//!
//! Declare stages and who follows whom; take the ends to their threads. Any plain old data is a
//! record: a struct of your own derives `bytemuck::Pod`.
//!
//! ```
//! use std::thread;
//!
//! use ringtape::prelude::*;
//!
//! let mut ring = RingBuilder::<u64>::new("numbers", 1024)?;
//! let sum = ring.stage("sum", &[])?;
//! let (mut numbers, mut consumers) = ring.build()?;
//! let mut sum = consumers.take(sum)?;
//! let summed = thread::spawn(move || -> Result<u64> {
//!     let mut total = 0;
//!     while let Some(batch) = sum.next_batch(usize::MAX, Wait::Auto)? {
//!         total += batch.iter().sum::<u64>();
//!     }
//!     Ok(total)
//! });
//! for number in 0..1000 {
//!     let mut claim = numbers.claim(1, Wait::Auto)?;
//!     claim.set(0, number);
//!     claim.commit_all();
//! }
//! numbers.close();
//! assert_eq!(summed.join().expect("no panic")?, 499_500);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! ## 2. The journal alone
//!
//! A directory of segments, written through a memory map by one writer and followed by any number
//! of readers in any process. What has a size of 56, 120 ... bytes and a [`journal::Record`] can be
//! kept; [`event::Event`] can anyway.
//!
//! ```
//! use ringtape::event::Event;
//! use ringtape::journal::{From, JournalOptions, Read, Tailer, Writer};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let dir = scratch.path().join("market");
//! let mut writer = Writer::<Event>::create(&dir, &JournalOptions::default())?;
//! for ts_event in [10, 20, 30] {
//!     writer.append(&Event { ts_event, ..Event::default() })?;
//! }
//! let mut events = [Event::default(); 64];
//! let mut tailer = Tailer::<Event>::open(&dir, &From::Time(15))?;
//! assert_eq!(tailer.read(&mut events)?, Read::Records(2));
//! writer.close()?;
//! assert_eq!(tailer.read(&mut events)?, Read::End);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 3. The book alone
//!
//! A feed is pulled, a batch of records at a time; a replica follows it. Here a generated session
//! of 20,000 messages, in the place of [`feed::open`] and a file:
//!
//! ```
//! use ringtape::engine::generate::{Generator, Profile};
//! use ringtape::feed::itch::ItchFeed;
//! use ringtape::prelude::*;
//!
//! let profile = Profile { messages: 20_000, symbols: 4, live: 500, seed: 7 };
//! let mut generator = Generator::new(&profile)?;
//! let mut session = Vec::new();
//! while generator.fill(&mut session) > 0 {}
//!
//! let mut feed = ItchFeed::from_bytes("a session", session, &OpenOptions::default())?;
//! let mut books = Replica::new();
//! let mut events = [Event::default(); 256];
//! while let Fill::Records(count) = feed.fill(&mut events)? {
//!     for event in &events[..count] {
//!         books.apply(event);
//!     }
//! }
//! assert_eq!(feed.checks().messages, 20_000);
//! assert_eq!(books.counts().unknown_orders.count, 0);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! ## 4. A strategy in the whole engine
//!
//! [`engine::Engine::builder`] wires feed, rings, books, venue, portfolio and journals, and puts
//! them on threads; the program `ringtape` goes through it too. A strategy is called after each
//! exchange event and acts through its [`strategy::Desk`].
//!
//! ```
//! # use ringtape::engine::generate::{Generator, Profile};
//! # use ringtape::feed::itch::ItchFeed;
//! use ringtape::prelude::*;
//!
//! /// Buys 100 at the best bid whenever it has no order.
//! struct Joiner;
//!
//! impl Strategy for Joiner {
//!     fn name(&self) -> &str {
//!         "joiner"
//!     }
//!     fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
//!         let touch = desk.books().touch(instrument);
//!         if touch.is_two_sided() && desk.open_orders(instrument).next().is_none() {
//!             desk.submit(NewOrder::limit(instrument, Side::Buy, touch.bid_price, Qty(100)));
//!         }
//!     }
//!     fn save(&self, _: &mut StateWriter) {}
//!     fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! # let profile = Profile { messages: 20_000, symbols: 4, live: 500, seed: 7 };
//! # let mut generator = Generator::new(&profile)?;
//! # let mut session = Vec::new();
//! # while generator.fill(&mut session) > 0 {}
//! # let feed = ItchFeed::from_bytes("a session", session, &OpenOptions::default())?;
//! let engine = Engine::builder(Box::new(feed)).strategy(Box::new(Joiner)).audit().start()?;
//! let report = engine.join();
//! assert!(report.error.is_none() && report.trades.submitted > 0);
//! println!("{} fills, state hash {:016x}", report.trades.fills, report.hashes.state());
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! ## 5. An engine in a loop of your own
//!
//! A consumer of your own rides beside the engine's stages: run by the engine
//! ([`on_market`](engine::EngineBuilder::on_market)), or polled by you beside sockets and timers. A
//! [handle](engine::EngineHandle) watches, pauses and stops the run from any thread.
//!
//! ```
//! # use ringtape::feed::itch::ItchFeed;
//! use ringtape::prelude::*;
//!
//! # let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
//! # let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
//! let mut engine = Engine::builder(Box::new(feed)).polled_market("service").start()?;
//! let mut market = engine.take_market("service")?;
//! let handle = engine.handle();
//! let mut records = 0;
//! while !market.is_finished() {
//!     for event in market.poll(256)?.iter() {
//!         records += u64::from(event.kind().is_some());
//!     }
//!     if handle.lag("matching") > Some(10_000) {
//!         handle.pause();
//!     } else if handle.is_paused() {
//!         handle.resume();
//!     }
//!     // ... epoll, timers, a screen ...
//! }
//! assert_eq!(records, engine.join().records);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! For other languages the feature `capi` has ring, journal reader and book behind C functions.
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
//! | feature | by default | what it adds |
//! |---|---|---|
//! | `cli` | yes | the program `ringtape`, and what `pcap` and `udp` do |
//! | `json` | yes | raw recordings of JSON text (Binance) |
//! | `zstd` | yes | feeds compressed by zstd |
//! | `dbn` | yes | Databento's market-by-order recordings, and what `zstd` does |
//! | `watch` | yes | the dashboard of `replay --watch` |
//! | `pcap` | with `cli` | captures of packets, pcap and pcapng |
//! | `udp` | with `cli` | live feeds |
//! | `parquet` | no | tables of `ringtape export` as Parquet |
//! | `capi` | no | ring, journal reader and book for C |
//! | `peers` | no | other crates' rings and matcher in `ringtape bench` |
//!
//! The library alone is `default-features = false`: ring, bus, runtime, books, matching, portfolio,
//! strategies, journal, engine, reports, and the feeds that need none of these.
//!
//! # Versions
//!
//! The crate follows semantic versioning, and before 1.0 a new minor version may break. Held to it
//! are the public items, the flags, JSON fields (`"schema"`) and exit codes of the program, and the
//! formats on disk; hashes of the state change only with a minor version, which says so. A newer
//! Rust than `rust-version` is asked for only with a minor version. Journals have a version of
//! their own: one of a newer version is refused with advice, one of an older version is read.

pub mod book;
pub mod bus;
#[cfg(feature = "capi")]
pub mod capi;
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
pub mod prelude;
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
