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
use dispatch::{Dispatch, DispatchParts};
pub(super) use errands::Errands;
use errands::errands;
pub(super) use farewell::Farewell;
pub use tcp::TcpGateway;

use super::config::EngineConfig;
use super::outcomes::Handover;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::gateway::{Gateway, GatewayCounts, RunId};
use crate::ring::InboxSender;
use crate::runtime::StopFlag;
use crate::strategy::Trader;

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

/// What a gateway needs of the others, and its agent; all `None` without one.
#[derive(Default)]
pub(super) struct Door {
    pub(super) farewell: Option<Farewell>,
    pub(super) errands: Option<Errands>,
    pub(super) dispatch: Option<Dispatch>,
}

impl Door {
    /// Refuses a gateway without a trader that sends orders through it.
    pub(super) fn check(config: &EngineConfig) -> Result<()> {
        if config.gateway.is_some() && !config.trader.as_ref().is_some_and(Trader::is_away) {
            return Err(Error::usage(
                "a gateway needs a trader whose orders go through it",
                "make one with `Trader::through_gateway`, or leave the gateway out",
            ));
        }
        Ok(())
    }

    /// The way to a real venue, if there is to be one, for a run whose new records begin at
    /// `new_from`; its reports go to the inbox, and the run is stopped if it fails.
    pub(super) fn of(
        gateway: Option<Box<dyn Gateway>>,
        (inbox, stop): (&InboxSender<Event>, &StopFlag),
        handover: &mut Option<Handover<GatewayReport>>,
        run: RunId,
        new_from: u64,
    ) -> Self {
        let Some(gateway) = gateway else { return Self::default() };
        let (errands, inward) = errands(run, new_from);
        let (farewell, own) = Farewell::pair();
        let dispatch = Dispatch::new(DispatchParts {
            gateway,
            inward,
            inbox: inbox.clone(),
            farewell: own,
            stop: stop.clone(),
            run,
            handover: handover.insert(Handover::default()).clone(),
        });
        Self { farewell: Some(farewell), errands: Some(errands), dispatch: Some(dispatch) }
    }
}
