//! The names that nearly every application writes, one by one.
//!
//! ```
//! use ringtape::prelude::*;
//!
//! let order = NewOrder::limit(InstrumentId(13), Side::Buy, Price(3_201_400), Qty(100));
//! assert_eq!(order.post_only().qty, Qty(100));
//! ```
//!
//! | for | names |
//! |---|---|
//! | a run | `Engine` `EngineBuilder` `EngineHandle` `RunReport` `Pace` |
//! | a strategy | `Strategy` `Desk` `NewOrder` `StateReader` `StateWriter` |
//! | records | `Event` `EventView` `Execution` `ExecutionKind` |
//! | what is in them | `InstrumentId` `OrderId` `AccountId` `Price` `Qty` `Side` `Nanos` |
//! | a feed | `Feed` `Fill` `OpenOptions` |
//! | books | `Replica` `Touch` |
//! | rings | `RingBuilder` `Wait` `HandlerResult` |
//! | a bus | `Bus` `BusEvent` `Context` |
//! | what can go wrong | `Error` `Result` |
//!
//! Journals are not in it: [`journal`](crate::journal) has short names that others have too.

pub use crate::book::{Replica, Touch};
pub use crate::bus::{Bus, BusEvent, Context};
pub use crate::engine::{Engine, EngineBuilder, EngineHandle, RunReport};
pub use crate::error::{Error, Result};
pub use crate::event::{Event, EventView, Execution, ExecutionKind};
pub use crate::feed::{Feed, Fill, OpenOptions, Pace};
pub use crate::matching::NewOrder;
pub use crate::ring::{HandlerResult, RingBuilder, Wait};
pub use crate::state::{StateReader, StateWriter};
pub use crate::strategy::{Desk, Strategy};
pub use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};
