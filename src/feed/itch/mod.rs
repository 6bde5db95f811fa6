//! NASDAQ TotalView-ITCH 5.0.
//!
//! A recording is a sequence of frames, compressed as a rule:
//!
//! ```text
//!  0    2    3      5        7         13                                        2+length
//!  | u16 | type | locate | tracking | timestamp | fields of the type            | next frame
//!  length  u8     u16      u16        u48 ns since Eastern midnight
//! ```
//!
//! All integers are big-endian and unsigned, prices are in 1e-4 USD, text is padded with spaces.
//! The length counts the message alone; a length of zero ends the session. Which letter becomes
//! which record stands in [`MESSAGES`]; how a message becomes several, in `messages`; which
//! messages are one exchange event, in `group`. Source: NASDAQ TotalView-ITCH 5.0 (2015-03-06) and
//! BinaryFILE specifications, checked against NASDAQ's own files.
//!
//! Traps that recordings hold:
//!
//! * files written by the R package RITCH have a zero length before *every* message: the lengths of
//!   the types are used, and [`Description::assumptions`](super::Description) says so;
//! * timestamps are not unique, references do not grow, stub quotes go from 0.0001 to 199,999.99;
//! * a slice starts in the middle of a session: an instrument that is used before its stock
//!   directory message is introduced from the symbol of the first message that has one, with terms
//!   marked as assumed;
//! * cross trades and imbalances have 8-byte quantities, all others 4 bytes.

mod decode;
mod encode;
mod group;
mod messages;
mod recognise;
mod shape;
mod table;
mod view;

use std::fmt;
use std::io::Read;

pub use encode::Encoder;
pub(crate) use encode::{FRAME_BYTES_MAX, Room};
pub use table::{MESSAGES, MessageInfo, message};

pub(crate) use self::decode::{Decoder, Framing, Stop};
use self::decode::{Fault, FaultKind};
use super::OpenOptions;
use super::source::{Source, WINDOW_MARGIN};
use super::unpack::Compression;
use super::{Checks, Description, Feed, Fill, Position, sniff};
use crate::error::{Error, Result};
use crate::event::{Event, Flags};

const _: () = assert!(view::VIEW_BYTES <= WINDOW_MARGIN);

/// What a reader of zero lengths assumes.
const BY_TYPE_ASSUMED: &str = "every message has a zero length prefix (files of the R package \
    RITCH do), so messages were cut by the length of their type: if the counts look wrong, get \
    the file from its source";

/// A recording of ITCH 5.0.
///
/// ```
/// use ringtape::event::{Event, Flags, Kind};
/// use ringtape::feed::itch::ItchFeed;
/// use ringtape::feed::{Feed, Fill, OpenOptions};
///
/// // One system event: start of messages, at 3:00:00.
/// let mut bytes = vec![0, 12, b'S', 0, 0, 0, 0];
/// bytes.extend_from_slice(&10_800_000_000_000_u64.to_be_bytes()[2..]);
/// bytes.push(b'O');
/// let mut feed = ItchFeed::from_bytes("example", bytes, &OpenOptions::default())?;
///
/// let mut events: [Event; 8] = [bytemuck::Zeroable::zeroed(); 8];
/// assert_eq!(feed.fill(&mut events)?, Fill::Records(1));
/// assert_eq!(events[0].kind(), Some(Kind::Phase));
/// assert_eq!(events[0].ts_event, 10_800_000_000_000);
/// assert!(events[0].has(Flags::LAST));
/// assert_eq!(feed.fill(&mut events)?, Fill::End);
/// assert!(feed.checks().has_start);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub struct ItchFeed {
    source: Source,
    decoder: Decoder,
    description: Description,
    position: Position,
    /// The fault that comes after the messages delivered before it.
    fault: Option<Error>,
    is_ended: bool,
}

impl fmt::Debug for ItchFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItchFeed")
            .field("description", &self.description)
            .field("position", &self.position)
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}

impl ItchFeed {
    /// A feed over a recording in memory, plain or compressed; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// Those of [`open`](super::open), the file system's aside.
    pub fn from_bytes(
        origin: &str,
        bytes: impl AsRef<[u8]> + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_bytes(origin, bytes)?, options)
    }

    /// A feed over a stream, plain or compressed; `origin` names it in messages.
    ///
    /// Reads wait for the stream.
    ///
    /// # Errors
    ///
    /// Those of [`open`](super::open).
    pub fn from_reader(
        origin: &str,
        reader: impl Read + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_reader(origin, Box::new(reader))?, options)
    }

    pub(super) fn from_source(mut source: Source, options: &OpenOptions) -> Result<Self> {
        let stranger = sniff::refusal(source.head());
        let recognised = match stranger {
            Some(refusal) => Err(refusal),
            None => recognise::framing(source.head()),
        };
        let framing = match recognised {
            Ok(framing) => framing,
            Err(refusal) => {
                return Err(source.take_failure(0).unwrap_or_else(|| Error::UnknownFormat {
                    origin: source.origin().to_owned(),
                    what: refusal.what,
                    cure: refusal.cure,
                }));
            }
        };
        let mut description = source.describe("itch-5.0");
        description.midnight_ns = options.midnight_ns;
        if framing == Framing::ByType {
            description.assumptions.push(BY_TYPE_ASSUMED.to_owned());
        }
        let mut decoder = Decoder::new(framing, options.midnight_ns);
        decoder.is_of_file = !source.is_unwrapped();
        Ok(Self {
            source,
            decoder,
            description,
            position: Position::default(),
            fault: None,
            is_ended: false,
        })
    }

    /// Takes note that `bytes` were decoded.
    fn advance(&mut self, bytes: usize) {
        self.source.consume(bytes);
        self.decoder.checks.bytes = self.source.offset();
        self.decoder.checks.inflate_ns = self.source.inflate_ns();
        self.position = Position {
            byte_offset: self.source.offset(),
            message: self.decoder.checks.messages,
            stored_bytes: self.source.stored_offset(),
        };
    }

    /// Takes note of what carried the messages decoded so far; the records of the last batch that
    /// come behind a gap are marked as doubtful.
    fn note_findings(&mut self, before: u64, batch: &mut [Event]) {
        let checks = &mut self.decoder.checks;
        let Some(findings) = self.source.findings() else { return };
        checks.packets = Some(findings.packets);
        checks.lines.clone_from(&findings.lines);
        while let Some(gap) = findings.gaps.pop_front_if(|gap| gap.message < checks.messages) {
            checks.note_gap(gap, mark_message(batch, gap.message - before));
        }
    }

    /// Ends the feed, with an error or without.
    fn end(&mut self, stop: Stop) -> Option<Error> {
        self.is_ended = true;
        if let Some(findings) = self.source.findings() {
            let checks = &mut self.decoder.checks;
            findings.gaps.drain(..).for_each(|gap| checks.note_gap(gap, None));
            checks.packets = Some(findings.packets);
            checks.lines.clone_from(&findings.lines);
            checks.has_end |= findings.has_end;
            self.description.assumptions.append(&mut findings.notes);
        }
        if let Stop::EndMark = stop {
            self.advance(view::PREFIX_BYTES);
            self.decoder.checks.has_end = true;
            self.note_rest();
        }
        let failure = self.source.take_failure(self.position.message);
        match stop {
            Stop::Fault(Fault { kind: FaultKind::Truncated, .. }) if failure.is_some() => failure,
            Stop::Fault(fault) => Some(self.bad_feed(fault)),
            _ => failure,
        }
    }

    /// Says so when bytes follow the mark that ends the session.
    fn note_rest(&mut self) {
        if self.source.window().limit == 0 && !self.source.window().is_ended {
            self.source.refill();
        }
        if self.source.window().limit > 0 {
            self.description.assumptions.push(format!(
                "more bytes follow the end of the session at byte {}, and were not read: if they \
                 are another session, give it in a file of its own",
                self.source.offset(),
            ));
        }
    }

    fn bad_feed(&self, fault: Fault) -> Error {
        let is_packed = self.source.compression() != Compression::None;
        let cure = match (fault.kind, is_packed) {
            (FaultKind::Truncated, _) => {
                "every message before it was read; get the file again if it should be longer"
            }
            (FaultKind::Damaged, true) => {
                "get the file again; `gzip -t` or `zstd -t` tells whether it was damaged after it \
                 was packed"
            }
            (FaultKind::Damaged, false) => {
                "every message before it was read; get the file again, it is damaged here"
            }
        };
        let offset = self.source.offset() + fault.at as u64;
        let (offset, what) = match self.source.is_unwrapped() {
            true => {
                let what = format!("{} (byte {offset} of the messages taken out)", fault.what);
                (self.source.stored_offset(), what)
            }
            false => (offset, fault.what),
        };
        Error::BadFeed {
            origin: self.source.origin().to_owned(),
            offset,
            message: self.position.message,
            what,
            cure: cure.to_owned(),
        }
    }
}

/// Marks the records of the batch's message number `index`, counted from 0, and says its time.
pub(crate) fn mark_message(batch: &mut [Event], index: u64) -> Option<u64> {
    let (mut message, mut ts) = (0, None);
    for event in batch {
        if message == index {
            event.flags |= Flags::MAYBE_BAD;
            ts = Some(event.ts_event);
        }
        message += u64::from(!event.is_continued());
    }
    ts
}

impl Feed for ItchFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.is_ended {
                return Ok(Fill::End);
            }
            let before = self.decoder.checks.messages;
            let batch = self.decoder.decode(self.source.window(), out);
            self.advance(batch.bytes);
            self.note_findings(before, &mut out[..batch.records]);
            match batch.stop {
                // What comes to light at the end is found once all before it is delivered.
                _ if batch.records > 0 => return Ok(Fill::Records(batch.records)),
                Stop::Full => {}
                Stop::Starved => self.source.refill(),
                stop => self.fault = self.end(stop),
            }
        }
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.decoder.checks
    }
}
