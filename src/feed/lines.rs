//! Feeds of text in lines, each of which becomes any number of messages.
//!
//! ```text
//!   source --> line --> parser --> staged messages --> batches
//! ```
//!
//! A recorded line may hold thousands of price levels. Each record that no other continues is a
//! message here, so that places in the feed, in a journal and in a dump have the same numbers; the
//! counts by type are of lines.

use super::source::Source;
use super::{Checks, Description, Feed, Fill, Position};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::limits::MESSAGE_RECORDS_MAX;

/// Bytes of the longest line that is read.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Messages that are still to be delivered.
#[derive(Debug, Default)]
pub(super) struct Staged {
    records: Vec<Event>,
    next: usize,
}

impl Staged {
    /// Puts a record behind the others.
    pub(super) fn push(&mut self, event: Event) {
        self.records.push(event);
    }

    /// The record that was put in last, while it is not delivered.
    #[cfg(feature = "json")]
    pub(super) fn last_mut(&mut self) -> Option<&mut Event> {
        self.records.last_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.records.len()
    }

    /// Moves whole messages to `out`, one at least if there is any; how many messages and records.
    pub(super) fn deliver(&mut self, out: &mut [Event]) -> (u64, usize) {
        let full = out.len().checked_sub(MESSAGE_RECORDS_MAX - 1).expect("room for one message");
        let (mut messages, mut records) = (0, 0);
        while records < full && !self.is_empty() {
            let rest = &self.records[self.next..];
            let end = rest.iter().position(|event| !event.is_continued());
            let count = end.map_or(rest.len(), |end| end + 1);
            out[records..records + count].copy_from_slice(&rest[..count]);
            records += count;
            self.next += count;
            messages += 1;
        }
        if self.is_empty() {
            self.records.clear();
            self.next = 0;
        }
        (messages, records)
    }
}

/// What is wrong with a line, and where in it.
#[derive(Debug)]
pub(super) struct LineFault {
    pub(super) at: usize,
    pub(super) what: String,
}

impl LineFault {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

/// Turns lines into messages.
pub(super) trait LineParser: Send {
    /// Takes a line without its end; what it means goes into `staged` and `checks`.
    fn line(
        &mut self,
        line: &[u8],
        staged: &mut Staged,
        checks: &mut Checks,
    ) -> Result<(), LineFault>;

    /// The source is over: what was held back, and what the user should know.
    fn end(&mut self, staged: &mut Staged, assumptions: &mut Vec<String>);
}

/// A feed of lines.
pub(super) struct LineFeed<P> {
    source: Source,
    description: Description,
    checks: Checks,
    position: Position,
    parser: P,
    staged: Staged,
    line: Vec<u8>,
    lines: u64,
    /// Offset of the line at hand.
    line_offset: u64,
    /// The fault that comes after the messages delivered before it.
    fault: Option<Error>,
    is_ended: bool,
}

impl<P: LineParser> LineFeed<P> {
    /// A feed of price levels of a venue that tells its times in UTC with their date.
    pub(super) fn of_levels(source: Source, format: &'static str, parser: P) -> Self {
        let description = Description {
            zone: super::Zone::Utc,
            is_dated: true,
            is_of_levels: true,
            ..source.describe(format)
        };
        Self {
            source,
            description,
            checks: Checks::default(),
            position: Position::default(),
            parser,
            staged: Staged::default(),
            line: Vec::new(),
            lines: 0,
            line_offset: 0,
            fault: None,
            is_ended: false,
        }
    }

    /// What the reader assumes, for the user to know.
    pub(super) fn assuming(mut self, assumption: &str) -> Self {
        self.description.assumptions.push(assumption.to_owned());
        self
    }

    /// Reads the next line; whether there is one.
    fn read_line(&mut self) -> Result<bool, LineFault> {
        self.line_offset = self.source.offset();
        let is_one = self.source.read_line(&mut self.line, LINE_BYTES_MAX);
        if self.line.len() > LINE_BYTES_MAX {
            return Err(LineFault::new(0, "the line has no end within 64 MiB"));
        }
        self.lines += 1;
        Ok(is_one)
    }

    /// Stages the messages of the next line.
    fn stage_line(&mut self) -> Result<(), LineFault> {
        if !self.read_line()? {
            self.is_ended = true;
            self.parser.end(&mut self.staged, &mut self.description.assumptions);
            return Ok(());
        }
        self.checks.bytes = self.source.offset();
        self.checks.offset = Some(self.line_offset);
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if line.is_empty() {
            return Ok(());
        }
        self.parser.line(line, &mut self.staged, &mut self.checks)
    }

    fn bad_feed(&self, fault: &LineFault) -> Error {
        Error::BadFeed {
            origin: self.description.origin.clone(),
            offset: self.line_offset + fault.at as u64,
            message: self.checks.messages,
            what: format!("line {}: {}", self.lines, fault.what),
            cure: "every line before it was read; get the file again, or mend the line".to_owned(),
        }
    }
}

impl<P: LineParser> Feed for LineFeed<P> {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        while self.staged.is_empty() && !self.is_ended {
            if let Err(fault) = self.stage_line() {
                self.is_ended = true;
                self.fault = Some(self.bad_feed(&fault));
            }
            if self.is_ended {
                let failure = self.source.take_failure(self.checks.messages);
                self.fault = failure.or_else(|| self.fault.take());
            }
        }
        let (messages, records) = self.staged.deliver(out);
        if records == 0 {
            return self.fault.take().map_or(Ok(Fill::End), Err);
        }
        self.checks.messages += messages;
        self.position = Position {
            byte_offset: self.source.offset(),
            message: self.checks.messages,
            stored_bytes: self.source.stored_offset(),
        };
        Ok(Fill::Records(records))
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }
}

/// The public face of a feed of lines: constructors, and the [`Feed`] that it wraps.
macro_rules! feed_of_lines {
    ($(#[$doc:meta])* $name:ident, $parser:ty) => {
        $(#[$doc])*
        pub struct $name($crate::feed::lines::LineFeed<$parser>);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("description", $crate::feed::Feed::description(&self.0))
                    .field("position", &$crate::feed::Feed::position(&self.0))
                    .finish_non_exhaustive()
            }
        }

        impl $name {
            /// A feed over bytes in memory, plain or compressed; `origin` names it.
            ///
            /// # Errors
            ///
            /// [`Error::UnknownFormat`](crate::error::Error::UnknownFormat) when it does not begin
            /// as the format does.
            pub fn from_bytes(
                origin: &str,
                bytes: impl AsRef<[u8]> + Send + 'static,
            ) -> $crate::error::Result<Self> {
                Self::from_source($crate::feed::source::Source::from_bytes(origin, bytes)?)
            }

            /// A feed over a stream, plain or compressed; `origin` names it. Reads wait for the
            /// stream.
            ///
            /// # Errors
            ///
            /// Those of [`from_bytes`](Self::from_bytes), and I/O.
            pub fn from_reader(
                origin: &str,
                reader: impl std::io::Read + Send + 'static,
            ) -> $crate::error::Result<Self> {
                let reader = Box::new(reader);
                Self::from_source($crate::feed::source::Source::from_reader(origin, reader)?)
            }
        }

        impl $crate::feed::Feed for $name {
            fn fill(
                &mut self,
                out: &mut [$crate::event::Event],
            ) -> $crate::error::Result<$crate::feed::Fill> {
                self.0.fill(out)
            }

            fn position(&self) -> $crate::feed::Position {
                self.0.position()
            }

            fn description(&self) -> &$crate::feed::Description {
                self.0.description()
            }

            fn checks(&self) -> &$crate::feed::Checks {
                self.0.checks()
            }
        }
    };
}

pub(super) use feed_of_lines;
