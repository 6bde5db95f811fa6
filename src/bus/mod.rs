//! The bus: typed publish and subscribe on a ring, for any application.
//!
//! Events are plain-old-data structs, each with a number of its own. Publishers and subscribers do
//! not know each other: either can be added, at any time, without touching the other. Here a shop,
//! whose email service is away:
//!
//! ```text
//!     web shop     phone orders                     any number of threads
//!         \            /   publish
//!        bounded inbox, one order for all
//!               |
//!          sequencer            (or one direct publisher, without an inbox)
//!               | claim / commit
//!     ===== ring: slots of 64 bytes = stamp + Envelope (56 bytes) =====
//!        |          |          |                    :
//!    inventory   payment    recorder              email    detachable: away
//!                           (memory, journal) ....../      catches up from the recording
//! ```
//!
//! * Every subscriber sees the events of the types that it asked for, all in the same order and
//!   each once. Events of one publisher keep their order.
//! * A subscriber has a thread of its own, or is [polled](PolledSubscriber) in its owner's loop.
//! * By default nothing is lost: a slow subscriber makes publishers wait once it lags by the whole
//!   ring, and one that fails stops the bus, whose publishers get its error. A
//!   [detachable](SubscriberBuilder::detachable) one is cut off instead, and the others do not
//!   notice. On a [recorded](BusBuilder::recorded) bus it catches up.
//! * Publishing allocates nothing and takes no lock. On [`Wait::Park`](crate::ring::Wait::Park),
//!   the default, it wakes sleeping threads.
//!
//! # A first program
//!
//! ```
//! use std::sync::mpsc;
//! use std::time::Duration;
//!
//! use bytemuck::{Pod, Zeroable};
//! use ringtape::bus::{Bus, BusEvent, Context};
//!
//! #[derive(Clone, Copy, Debug, Pod, Zeroable)]
//! #[repr(C)]
//! struct OrderPlaced {
//!     order: u64,
//!     title: u32,
//!     copies: u32,
//! }
//!
//! impl BusEvent for OrderPlaced {
//!     const ID: u32 = 1;
//! }
//!
//! let (ship, shipped) = mpsc::channel();
//! let bus = Bus::new("shop")?;
//! bus.subscribe("inventory", move |event: &OrderPlaced, _context: Context| {
//!     ship.send((event.title, event.copies))?;
//!     Ok(())
//! })?;
//! bus.subscribe("payment", |event: &OrderPlaced, context: Context| {
//!     assert_eq!(event.order, 100 + context.sequence, "a panic here stops the bus, by name");
//!     Ok(())
//! })?;
//! bus.publish(OrderPlaced { order: 100, title: 7, copies: 1 })?;
//! bus.publish(OrderPlaced { order: 101, title: 9, copies: 3 })?;
//!
//! let report = bus.shutdown(Duration::from_secs(10));
//! assert!(report.is_clean(), "{report:?}");
//! assert_eq!(shipped.iter().collect::<Vec<_>>(), [(7, 1), (9, 3)]);
//! # Ok::<(), ringtape::error::Error>(())
//! ```
//!
//! `bytemuck` with its feature `derive` is the one other crate that an application needs. The
//! examples `bookstore` and `sensors` are whole applications.
//!
//! # Handlers that publish
//!
//! A handler may publish on its own bus, through a [`Publisher`] that it owns. When inbox and ring
//! are full, and the ring because of that very subscriber, waiting would never end: the publisher
//! then gets an error that says so.

mod builder;
mod core;
mod envelope;
mod handle;
mod member;
mod publisher;
mod recorder;
mod registry;
mod sequencer;
mod stats;
mod subscriber;

pub use builder::BusBuilder;
pub use envelope::{BusEvent, Context, Envelope};
pub use handle::Bus;
pub use publisher::{DirectPublisher, Publisher};
pub use stats::{BusReport, BusStats, SubscriberState, SubscriberStats};
pub use subscriber::{PolledSubscriber, SubscriberBuilder};
