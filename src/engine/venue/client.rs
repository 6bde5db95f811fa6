//! A client at the door: its connection, and where its session stands.

use std::time::Instant;

use crate::engine::gateway::Connection;
use crate::gateway::Login;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was said.
    Silent,
    /// It wants to log in, and waits until the venue knows what it has.
    Waiting(Login),
    /// The run at this place trades.
    Up(usize),
    /// The run at this place has logged out, and waits for this echo.
    Leaving(usize, u64),
    /// All has been said; what is left to write is written.
    Over,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) stage: Stage,
    /// When the connection was made.
    pub(super) since: Instant,
}

impl Client {
    /// The place of the run that hears of its orders here.
    pub(super) fn run(&self) -> Option<usize> {
        match self.stage {
            Stage::Up(run) | Stage::Leaving(run, _) => Some(run),
            _ => None,
        }
    }
}
