//! Feeds: pull iterators that turn a recording into [`Event`]s and know no ring.
//!
//! [`open`] recognises a recording by its content and takes off compression and packets; what it
//! returns is pulled through [`Feed::fill`], a batch of records at a time. [`Pacer`] says when each
//! is due.

#[cfg(feature = "pcap")]
mod capture;
pub mod itch;
pub mod lobster;
#[cfg(feature = "pcap")]
mod moldudp64;
pub mod orders;
pub mod pace;
mod sniff;
mod source;
mod unpack;

pub use pace::{Pace, Pacer};
pub use source::{OpenOptions, open, open_orders};

use crate::error::Result;
use crate::event::Event;
use crate::limits::GAPS_LISTED_MAX;

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

    /// What was counted and checked so far.
    fn checks(&self) -> &Checks;
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

/// What a feed's source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// File name, directory or `stdin`.
    pub origin: String,
    /// Name of the format, such as `itch-5.0`.
    pub format: &'static str,
    /// Compression that was taken off: `none`, `gzip` or `zstd`.
    pub compression: &'static str,
    /// Size of the source as it is stored; `None` for a stream.
    pub stored_bytes: Option<u64>,
    /// Hash that identifies the source: of its first bytes, after decompression.
    pub identity: u64,
    /// What the reader assumed, in sentences that tell the user what to do when it is wrong.
    pub assumptions: Vec<String>,
}

/// How often something was found, and where first and last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// How often.
    pub count: u64,
    /// Number of the first message concerned.
    pub first: u64,
    /// Number of the last message concerned.
    pub last: u64,
}

impl Located {
    /// Counts one more at `message`.
    #[inline]
    pub fn note(&mut self, message: u64) {
        if self.count == 0 {
            self.first = message;
        }
        self.count += 1;
        self.last = message;
    }

    /// Counts `count` more at `message`.
    pub fn note_many(&mut self, message: u64, count: u64) {
        if count > 0 {
            self.note(message);
            self.count += count - 1;
        }
    }
}

/// Messages that the format's numbering says are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Number of the feed's message that follows the gap.
    pub message: u64,
    /// The venue's number of the first missing message.
    pub from: u64,
    /// The venue's number of the first message after the gap.
    pub until: u64,
}

impl Gap {
    /// How many messages are missing.
    pub fn count(&self) -> u64 {
        self.until - self.from
    }
}

/// What was counted of the packets that carried a feed's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Packets of the feed's session.
    pub packets: u64,
    /// Those among them that only say that the session is alive.
    pub heartbeats: u64,
    /// Messages that came again, on the other line or the same.
    pub copies: u64,
    /// Packets that came behind a later one of their own line.
    pub late: u64,
    /// Packets of the capture that were none of the feed's.
    pub foreign: u64,
}

/// What a feed counted and checked.
#[derive(Clone, Debug)]
pub struct Checks {
    /// Messages delivered or skipped.
    pub messages: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Messages by the venue's type letter; feeds without letters leave it empty.
    pub by_type: [u64; 256],
    /// Exchange time of the first message in ns; `None` before it.
    pub first_ts: Option<u64>,
    /// Exchange time of the last message in ns.
    pub last_ts: Option<u64>,
    /// Messages that the format's numbering says are missing; `count` is of messages.
    pub gaps: Located,
    /// The same one by one: the first [`GAPS_LISTED_MAX`](crate::limits::GAPS_LISTED_MAX).
    pub gap_ranges: Vec<Gap>,
    /// What carried the messages; `None` when no packets did.
    pub packets: Option<PacketCounts>,
    /// Time that taking off the compression took, in ns.
    pub inflate_ns: u64,
    /// Messages whose time is before that of the message before them.
    pub backwards: Located,
    /// Messages of a type that the format does not know; skipped, kept as notices.
    pub unknown_types: Located,
    /// Whether the recording starts with the venue's first message of the session.
    pub has_start: bool,
    /// Whether the recording ends with the venue's last message of the session.
    pub has_end: bool,
}

impl Checks {
    /// Takes note of messages that are missing.
    pub fn note_gap(&mut self, gap: Gap) {
        self.gaps.note_many(gap.message, gap.count());
        if self.gap_ranges.len() < GAPS_LISTED_MAX {
            self.gap_ranges.push(gap);
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            messages: 0,
            bytes: 0,
            by_type: [0; 256],
            first_ts: None,
            last_ts: None,
            gaps: Located::default(),
            gap_ranges: Vec::new(),
            packets: None,
            inflate_ns: 0,
            backwards: Located::default(),
            unknown_types: Located::default(),
            has_start: false,
            has_end: false,
        }
    }
}
