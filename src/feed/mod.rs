//! Feeds: pull iterators that turn a recording into [`Event`]s and know no ring.
//!
//! [`open`] recognises a recording by its content and takes off compression and packets; what it
//! returns is pulled through [`Feed::fill`], a batch of records at a time. [`Pacer`] says when each
//! is due.

mod begin;
#[cfg(feature = "json")]
pub mod binance;
#[cfg(feature = "pcap")]
pub mod capture;
mod check;
#[cfg(feature = "dbn")]
pub mod dbn;
#[cfg(feature = "pcap")]
mod iex;
pub mod itch;
mod lines;
pub mod lobster;
mod merged;
#[cfg(any(feature = "pcap", feature = "udp"))]
pub mod moldudp64;
mod open;
pub mod orders;
pub mod pace;
mod sniff;
mod soupbintcp;
mod source;
pub mod tardis;
#[cfg(feature = "udp")]
pub mod udp;
mod unpack;
mod until;

pub use begin::Begin;
pub use check::{Checks, Found, Gap, LineCounts, Located, PacketCounts, SourceChecks};
pub use merged::Merged;
pub use open::{OpenOptions, open, open_bytes, open_orders};
pub use pace::{Pace, Pacer};
pub use until::Until;

pub use crate::event::{Date, Moment, TimeOfDay, Zone};

use crate::error::Result;
use crate::event::Event;

/// A source of events.
///
/// A feed decodes, groups exchange events (flag `LAST`), checks and counts. It never waits: a live
/// feed without news answers [`Fill::Pending`].
pub trait Feed: Send {
    /// Decodes the next messages into `out` and says how many records it filled.
    ///
    /// Only whole messages are delivered: all records of one, continuations included. `out` holds
    /// at least [`MESSAGE_RECORDS_MAX`](crate::limits::MESSAGE_RECORDS_MAX) records.
    ///
    /// # Errors
    ///
    /// Bytes that the format does not allow, and I/O. Messages before the fault have been delivered
    /// by earlier calls; after an error the feed is at its end.
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill>;

    /// Where the next message starts.
    fn position(&self) -> Position;

    /// What the source is.
    fn description(&self) -> &Description;

    /// What was counted and checked so far: in the messages delivered, and at the end once
    /// [`fill`](Self::fill) has told of it. A run that goes on relies on that.
    fn checks(&self) -> &Checks;

    /// Asks a live feed to stop: it delivers what has come, and then its end. Whether there may be
    /// something left to [`fill`](Self::fill); a recording is left where it is.
    fn stop(&mut self) -> bool {
        false
    }

    /// Where each of several feeds is that are read as one; empty for a feed alone.
    fn sources(&self) -> &[SourcePosition] {
        &[]
    }
}

/// The outcome of [`Feed::fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many records were filled, at least one.
    Records(usize),
    /// Nothing now; more may come.
    Pending,
    /// Nothing more will come.
    End,
}

/// A place in a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Byte offset after decompression.
    pub byte_offset: u64,
    /// Number of the next message, from 0.
    pub message: u64,
    /// Bytes read of the source as it is stored, for progress.
    pub stored_bytes: u64,
}

/// A place in one of several feeds that are read as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourcePosition {
    /// The number of its next message, and the bytes that were read of it when its last one came,
    /// which are ahead of it.
    pub position: Position,
    /// The identity in its [`Description`].
    pub identity: u64,
    /// What its reader has found, ahead of its next message, too.
    pub found: Found,
}

/// What a feed's source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// File name, directory or `stdin`.
    pub origin: String,
    /// Of several feeds that are read as one, the origin of each; empty for a feed alone.
    pub sources: Vec<String>,
    /// Name of the format, such as `itch-5.0`.
    pub format: &'static str,
    /// Compression that was taken off: `none`, `gzip` or `zstd`.
    pub compression: &'static str,
    /// Size of the source as it is stored; `None` for a stream.
    pub stored_bytes: Option<u64>,
    /// Hash that identifies the source: of its first bytes, after decompression.
    pub identity: u64,
    /// The venue's clock, in which times of day are meant.
    pub zone: Zone,
    /// What its times count from, in ns since the Unix epoch; 0 when that is a midnight without a
    /// date, or the epoch itself.
    pub midnight_ns: u64,
    /// Whether its times have their date of themselves, or several feeds theirs of several dates.
    pub is_dated: bool,
    /// What a live feed's events are stamped by when they arrive; `None` for a recording.
    pub arrival: Option<&'static str>,
    /// Whether it tells price levels and no single orders.
    pub is_of_levels: bool,
    /// What the reader assumed, in sentences that tell the user what to do when it is wrong.
    pub assumptions: Vec<String>,
}

/// The currency of a pair's prices, by how its symbol ends; empty when nothing fits.
fn currency_of(pair: &str) -> &'static str {
    const CURRENCIES: [&str; 12] =
        ["USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB"];
    CURRENCIES.into_iter().find(|currency| pair.ends_with(currency)).unwrap_or("")
}
