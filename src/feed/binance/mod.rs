//! Raw recordings of Binance's websocket: depth diffs, trades and best prices, one JSON a line.
//!
//! ```text
//!   <local ns> {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","U":7,"u":9,...}}
//!   <local ns> {"stream":"btcusdt@bookTicker","data":{"u":9,"b":"61837.63","B":"3.7",...}}
//!   <local ns> {"lastUpdateId":8,"bids":[["61837.63","3.7"],...],"asks":[...]}
//! ```
//!
//! The last kind is the REST snapshot, on which diffs build. The book begins with the snapshot:
//! diffs that came before it are held, those that it contains (`u` not above its `lastUpdateId`)
//! are dropped, and the others belong to the first state. From then on each diff must go on where
//! the one before ended: its `U` is that `u` plus 1 (spot), or its `pu` is that `u` (futures). What
//! is missing counts as gaps, and levels are marked as perhaps bad until the next snapshot.
//!
//! The venue tells its best bid and offer (`bookTicker`) with the same update numbers. After each
//! diff the last one whose number is not beyond the diff's is what the book's touch must be; it
//! comes as a `quote`, which books compare. States that no bookTicker precedes are not comparable.
//!
//! | line | letter | records |
//! |---|---|---|
//! | snapshot | `s` | clear, then `level_set` for each level and each held diff |
//! | depth diff | `d` | `level_set` for each level, then the `quote` in force |
//! | trade, aggTrade | `t` | `trade`; its side is that of the order that rested |
//! | bookTicker | `b` | none of its own |
//!
//! Times are the venue's (`E`, in ms since the Unix epoch); a line without one has that of the
//! latest before it. Prices and quantities are decimals of eight places and are read exactly.
//! Source: Binance's documentation of its websocket streams; recordings as hftbacktest's collector
//! writes them.

mod message;
mod parser;

use self::message::Line;
use self::parser::Parser;
use super::lines::{LineFeed, feed_of_lines};
use super::source::Source;
use crate::error::{Error, Result};

const ASSUMED: &str = "prices and quantities are in steps of 0.00000001, the venue's decimals: its \
                       tick and lot are coarser";

feed_of_lines! {
    /// A raw recording of Binance's websocket.
    ///
    /// ```
    /// use ringtape::event::{Event, EventView};
    /// use ringtape::feed::binance::BinanceFeed;
    /// use ringtape::feed::{Feed, Fill};
    ///
    /// let snapshot = r#"1 {"lastUpdateId":8,"bids":[["10.5","3"]],"asks":[]}"#;
    /// let diff = r#"{"E":17,"s":"X","U":9,"u":9,"b":[["10.5","0"]],"a":[]}"#;
    /// let ns = "17231612539370";
    /// let lines = format!("{ns}{snapshot}\n{ns} {{\"stream\":\"x@depth\",\"data\":{diff}}}\n");
    /// let mut feed = BinanceFeed::from_bytes("recording", lines)?;
    /// let mut events = Vec::new();
    /// let mut batch = [Event::default(); 16];
    /// while let Fill::Records(count) = feed.fill(&mut batch)? {
    ///     events.extend_from_slice(&batch[..count]);
    /// }
    /// // The instrument's two records, a clear, the snapshot's level, and that it is gone.
    /// assert_eq!(events.len(), 5);
    /// assert!(matches!(events[4].view(), EventView::LevelSet(level) if level.qty.0 == 0));
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    BinanceFeed, Parser
}

/// Whether a source that starts with `head` is such a recording: a time in ns, a space, an object.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or(head);
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (13..=20).contains(&digits) && line[digits..].starts_with(b" {")
}

impl BinanceFeed {
    pub(super) fn from_source(source: Source) -> Result<Self> {
        let head = source.head();
        let line = head.split(|&byte| byte == b'\n').next().unwrap_or(head);
        // A snapshot may be longer than what the head shows of it.
        let is_cut = line.len() == head.len();
        let known = looks_like(head) && (is_cut || Line::parse(line).is_ok());
        if !known {
            return Err(Error::UnknownFormat {
                origin: source.origin().to_owned(),
                what: "the first line is not a time in ns and a message of Binance's".to_owned(),
                cure: "give a recording with `<local ns> <json>` a line, as hftbacktest's \
                       collector writes it"
                    .to_owned(),
            });
        }
        let feed = LineFeed::of_levels(source, "binance", Parser::default());
        Ok(Self(feed.assuming(ASSUMED)))
    }
}
