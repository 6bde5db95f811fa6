//! The ring: a single writer, many readers, no lock; knows nothing of trading.
//!
//! A [`RingBuilder`] declares the stages and which follow which; `build` hands out one
//! [`Producer`] and one [`Consumer`] a stage. The graph as declared, here a diamond:
//!
//! ```text
//!                  +--> journal --+
//!     producer ----|              |---> matching
//!                  +--> audit ----+
//! ```
//!
//! and as built, a ring of 8 slots and a cursor for each side, in a cache line of its own, that
//! counts the records it is done with:
//!
//! ```text
//!     slot             0     1     2     3     4     5     6     7
//!     holds         |  8  |  9  | 10  | 11  |  4  |  5  |  6  |  7  |
//!                      ^                       ^           ^     ^
//!     producer 12 -----+-----------------------'           |     |   may write 12 and 13
//!     journal   8 -----'                                   |     |   may read 8 to 11
//!     audit     7 -----------------------------------------+-----'   may read 7 to 11
//!     matching  6 -----------------------------------------'         may read 6
//! ```
//!
//! * The producer claims slots, writes them and commits. It may go `capacity` records ahead of the
//!   slowest *sink*, a stage that no other follows (where one has gone, of those before it); it
//!   keeps the last minimum it saw and looks again only when that is used up. A claim that finds
//!   the ring full is refused, waits, waits for a time, or is dropped and counted: the caller
//!   chooses.
//! * A stage behind the producer waits at its next slot: the stamp beside the record says that a
//!   commit has arrived, so news and record come in one cache line. When more has arrived already
//!   it takes the producer's cursor instead and gets everything in one batch.
//! * A stage behind others waits for the lowest of their cursors.
//! * A closed ring and a failed producer are announced in the stamp that the stages watch; a
//!   failed stage raises an alarm in its own cursor line, for the stages behind, and in the
//!   producer's, which the producer looks at with every claim. So nobody waits for the dead.
//!
//! # Who reads
//!
//! | reader | declared or made by | reads | holds the producer back | when it fails or is cut |
//! |---|---|---|---|---|
//! | [`Consumer`] | [`stage`](RingBuilder::stage), [`attach`](Ring::attach) | slices of the ring | yes | producer and stages behind stop |
//! | [`ExclusiveConsumer`] | [`exclusive`](RingBuilder::exclusive) | and changes records | yes | producer and stages behind stop |
//! | [`Consumer`] | [`detachable`](RingBuilder::detachable), [`attach_detachable`](Ring::attach_detachable) | copies | until it lags by a whole ring | nobody else notices |
//! | [`CatchUp`] | [`attach_from`](Ring::attach_from) | a recording, then the ring | once it is live | as its policy says |
//! | [`Observer`] | [`observe`](Ring::observe) | copies, and counts what it missed | never | nobody else notices |
//!
//! Copies need a ring built [`observable`](RingBuilder::observable). [`Ring`] is the ring as seen
//! from outside: it tells fill and lag, and stages come and go through it while the producer runs
//! or rests. [`Workers`] run stages on threads of their own and end in bounded time; who has a loop
//! already polls in it.
//!
//! # A first program
//!
//! ```
//! use std::thread;
//!
//! use ringtape::error::Result;
//! use ringtape::ring::{RingBuilder, Wait};
//!
//! let mut builder = RingBuilder::<u64>::new("numbers", 64)?;
//! let check = builder.stage("check", &[])?;
//! let sum = builder.stage("sum", &[check])?;
//! let (mut producer, mut consumers) = builder.build()?;
//! let stages = [consumers.take(check)?, consumers.take(sum)?];
//!
//! let totals: Vec<u64> = thread::scope(|scope| {
//!     let totals = stages.map(|mut stage| {
//!         scope.spawn(move || {
//!             let mut total = 0;
//!             while let Some(batch) = stage.next_batch(usize::MAX, Wait::Auto)? {
//!                 total += batch.iter().sum::<u64>();
//!             }
//!             Ok(total)
//!         })
//!     });
//!     for number in 0..1000 {
//!         let mut claim = producer.claim(1, Wait::Auto)?;
//!         claim.set(0, number);
//!         claim.commit_all();
//!     }
//!     producer.close();
//!     let join = |total: thread::ScopedJoinHandle<'_, _>| total.join().expect("no stage panics");
//!     totals.into_iter().map(join).collect::<Result<_>>()
//! })?;
//! assert_eq!(totals, [499_500, 499_500]);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! # Memory ordering
//!
//! Every pair is a Release store and an Acquire load of the same atomic; there are no fences and
//! no read-modify-write operations on the data path.
//!
//! | stored with Release | loaded with Acquire | carries |
//! |---|---|---|
//! | a slot's stamp, by `commit` and `close` | by a stage behind the producer | the records of the commit |
//! | the producer's cursor, by `commit` | by a stage that lags | all records below |
//! | a stage's cursor, by `release` | by the stages behind and, for sinks, by the producer | the stage's reads are over |
//! | an alarm | by the stages behind and by the producer | who failed, where and why |
//!
//! Besides there is a barrier off the data path: a stage that takes a seat and a producer that
//! looks at the seats (once a lap, only on a ring that has seats) agree on who saw whom. Records of
//! an observable ring are atomic words, each a Release and Acquire pair, behind the mark that says
//! which old ones are gone.
//!
//! After `build` nothing is allocated (a failure's text, and what attaching takes, excepted), no
//! lock is taken and no system call is made, except by [`Wait::Yield`], [`Wait::Park`] and
//! [`Wait::Auto`] while they wait, and to wake who is parked.

mod batch;
mod bell;
mod catch_up;
mod consumer;
mod cursor;
mod exclusive;
mod failure;
mod handle;
mod handler;
mod inbox;
mod observer;
mod producer;
mod progress;
mod slots;
mod sync;
mod topology;
mod wait;
mod workers;

pub use batch::Batch;
#[cfg(loom)]
pub use bell::expect_sleepers;
pub use catch_up::{CatchUp, MemoryRecording, Recording};
pub use consumer::Consumer;
pub use cursor::Policy;
pub use exclusive::{ExclusiveBatch, ExclusiveConsumer};
pub use handle::Ring;
pub use handler::{Handler, HandlerResult, Stream};
pub use inbox::{InboxReceiver, InboxSender, inbox};
pub use observer::Observer;
pub use producer::Producer;
pub use progress::{StageCursor, StageState, StageStatus};
pub use slots::{Claim, Published};
pub use topology::{Consumers, RingBuilder, StageId};
pub use wait::Wait;
pub use workers::{ShutdownReport, StageEnd, StageReport, Workers};
