//! The way from matching through a gateway to a venue, and back into the inbox.
//!
//! ```text
//!   matching --errands--> gateway agent --> Gateway --> socket
//!                             |                           |
//!   feed handler <---inbox----+ <-------------------------+
//! ```

mod address;
mod connection;
mod dispatch;
mod errands;
mod farewell;
mod tcp;

pub use address::GatewayAddress;
pub(super) use connection::Connection;
pub(super) use dispatch::{Dispatch, DispatchParts, GATEWAY};
pub(super) use errands::{Errands, errands};
pub(super) use farewell::Farewell;
pub use tcp::TcpGateway;

use crate::gateway::GatewayCounts;

/// What became of a run's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayReport {
    /// Where it led.
    pub address: String,
    /// What it did.
    pub counts: GatewayCounts,
    /// Orders of which the venue said something else than the run knew.
    pub differences: u64,
}
