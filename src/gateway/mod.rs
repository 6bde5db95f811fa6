//! Order entry at a real venue: commands out, reports in, the same strategy as in a replay.
//!
//! ```text
//!    strategies --> gate --> door ............ in place of the simulated venue
//!                             |   ^
//!        commands, numbered   |   |  reports, as events of the market ring
//!                             v   |
//!   ======== market ring ===========================================
//!                             |   ^
//!                             v   | inbox
//!                           Gateway .......... sockets, heartbeats, logins
//!                             |   ^
//!                             v   |
//!                            the venue
//! ```
//!
//! What the venue says becomes events of the market ring: the gateway posts them to the inbox of
//! the ring's writer, who gives them their place among the feed's. So they stand in the market
//! journal, the state stays a function of that journal, and `replay` of the run's directory
//! repeats it without any venue. The strategy's side, the [door](crate::strategy), is in that
//! state and knows no socket; a [`Gateway`] has no state that matters and knows no strategy.
//!
//! # What is never lost or done twice
//!
//! | | number | kept by | after a break |
//! |---|---|---|---|
//! | commands | from 1, a run's own | the run's market journal, by deriving them again; the venue's market journal, by counting those it took | the venue says which it takes next; those from there on never arrived, and are rejected to their strategy with `disconnected`: no order is ever sent late |
//! | reports | from 1, a run's own | the venue's execution journal, which can send any of them again; the run's market journal | the client says which it needs next, and gets them from there |
//!
//! A command or report that comes with another number than the next one ends the connection; order
//! numbers are the client's own, and the venue never takes one twice. After each login the client
//! asks for all open orders and holds the answer against its own: what differs is told in the
//! report, and an order that the venue does not have is taken as cancelled.
//!
//! A report that contradicts its order (another side or account, more than is open, a price that is
//! none or worse than the limit) is not booked but ends the run: whoever trades on would not know
//! what it has. A session that the venue ends unasked, or whose list does not count what it tells,
//! is told as a break and begun again.
//!
//! Where a power cut took the end of a journal, the two do not fit together any more, and the login
//! is refused rather than guessed at: the side that has lost something says so. That is why a run
//! with a gateway needs a journal that is written to the disk, and acts only on what is in it.
//!
//! # Messages
//!
//! [`message`] has every byte. [`Incoming`] reads messages out of a stream. The engine has one
//! gateway that works, [`TcpGateway`](crate::engine::TcpGateway), and a venue to talk to,
//! [`VenueServer`](crate::engine::VenueServer): `ringtape replay FEED --gateway tcp://HOST:PORT`
//! and `ringtape venue`.

mod fields;
pub mod message;
mod request;
mod wire;

pub use fields::{Flag, OrderBits, RunId, Symbol};
pub use message::{
    Accepted, Cancel, Goodbye, Heartbeat, ListOrders, Login, Logout, Message, NewOrder, OpenOrder,
    OrdersListed, Reduce, RefusalReason, Refused, Replace, Report,
};
pub use request::{Request, Terms};
pub use wire::Incoming;

use crate::error::Result;

/// Where a run stands when it wants to trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The run.
    pub run: RunId,
    /// Number of the next command that it would send, from 1.
    pub next_command: u64,
    /// Number of the next report that it has not had, from 1.
    pub next_report: u64,
    /// Sessions that it has had.
    pub sessions: u64,
    /// Whether the venue is to cancel its orders when the connection ends.
    pub cancel_on_disconnect: bool,
}

/// What a gateway has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A session has begun; the venue takes this command next, and those from there on that were
    /// sent before never arrived.
    Up {
        /// Number of that command.
        next_command: u64,
    },
    /// The session is over, or there never was one.
    Down {
        /// As of [`Up`](Self::Up), where the venue said so; 0 where it did not.
        next_command: u64,
    },
    /// Something became of an order; each comes once and in order.
    Report(Report),
    /// An order is open at the venue.
    OpenOrder(OpenOrder),
    /// All open orders have been told.
    OrdersListed(OrdersListed),
}

/// What a gateway did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounts {
    /// Commands that were sent.
    pub commands: u64,
    /// Commands that came while there was no session, and were dropped.
    pub dropped: u64,
    /// Reports that came.
    pub reports: u64,
    /// Of them, those that were made before the session began.
    pub recovered: u64,
    /// Sessions that began.
    pub sessions: u64,
    /// Heartbeats that came.
    pub heartbeats: u64,
    /// Why sessions ended that nobody asked to end, the first ones.
    pub breaks: Vec<String>,
}

/// Order entry at a venue.
///
/// Nothing here waits: the engine calls from a duty cycle. A gateway of your own may speak any
/// protocol, as long as commands keep their order, and reports come once, in order, from the one
/// that was asked for on.
///
/// ```
/// use ringtape::error::Result;
/// use ringtape::gateway::{Gateway, GatewayCounts, News, Request, Standing};
///
/// /// Takes every command and never answers.
/// #[derive(Debug, Default)]
/// struct Void {
///     news: Vec<News>,
///     counts: GatewayCounts,
///     is_closed: bool,
/// }
///
/// impl Gateway for Void {
///     fn address(&self) -> &str {
///         "nowhere"
///     }
///     fn open(&mut self, standing: Standing) {
///         self.news.push(News::Up { next_command: standing.next_command });
///     }
///     fn send(&mut self, _: &Request) {
///         self.counts.commands += 1;
///     }
///     fn poll(&mut self, news: &mut Vec<News>) -> Result<usize> {
///         let count = self.news.len();
///         news.append(&mut self.news);
///         Ok(count)
///     }
///     fn close(&mut self) {
///         self.news.push(News::Down { next_command: 0 });
///         self.is_closed = true;
///     }
///     fn is_closed(&self) -> bool {
///         self.is_closed && self.news.is_empty()
///     }
///     fn counts(&self) -> GatewayCounts {
///         self.counts.clone()
///     }
/// }
/// ```
pub trait Gateway: Send + std::fmt::Debug {
    /// Where it leads, for reports.
    fn address(&self) -> &str;

    /// The run is ready to trade: a session is to be opened, and again whenever it breaks.
    fn open(&mut self, standing: Standing);

    /// Sends a command, unless there is no session, or not the one that the command was meant for.
    fn send(&mut self, request: &Request);

    /// Does what is due, appends what came to `news` and says how much was done.
    ///
    /// # Errors
    ///
    /// What no other session would cure; it ends the run.
    fn poll(&mut self, news: &mut Vec<News>) -> Result<usize>;

    /// The run is over: open orders are to be cancelled and the session ended.
    fn close(&mut self);

    /// Whether [`close`](Self::close) has come to its end and all news were told.
    fn is_closed(&self) -> bool;

    /// What it did so far.
    fn counts(&self) -> GatewayCounts;
}
