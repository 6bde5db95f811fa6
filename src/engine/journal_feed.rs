//! A market journal as a feed: the recorded run, once more.

use std::path::Path;

use super::wiring::MARKET_DIR;
use crate::error::Result;
use crate::event::kinds::Group;
use crate::event::{Event, EventView, Kind};
use crate::feed::{Checks, Description, Feed, Fill, Position};
use crate::journal::{Read, Reader, records_per_segment};
use crate::limits::MESSAGE_RECORDS_MAX;

/// Name of the format in descriptions.
pub const JOURNAL_FORMAT: &str = "journal";

/// Plays a run's market journal as the feed that it was recorded from.
///
/// What the engine added stays behind: marks, and the definitions that each segment repeats between
/// its first record and its first feed mark. Positions and message numbers are those of the
/// recorded feed; in the counts, types are codes of [`Kind`].
#[derive(Debug)]
pub struct JournalFeed {
    reader: Reader<Event>,
    /// Records of a segment.
    segment_records: u64,
    description: Description,
    checks: Checks,
    position: Position,
    /// Whether the definitions at the start of a segment are being passed over.
    is_in_repeated_definitions: bool,
}

impl JournalFeed {
    /// Opens the market journal of the run in `dir`.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`](crate::error::Error::BadJournal) and I/O.
    pub fn open(dir: &Path) -> Result<Self> {
        let market = dir.join(MARKET_DIR);
        let reader = Reader::<Event>::open(&market)?;
        let header = reader.header();
        let description = Description {
            origin: dir.display().to_string(),
            format: JOURNAL_FORMAT,
            compression: "none",
            stored_bytes: None,
            identity: header.feed_identity,
            assumptions: Vec::new(),
        };
        Ok(Self {
            segment_records: records_per_segment::<Event>(header.segment_bytes),
            reader,
            description,
            checks: Checks::default(),
            position: Position::default(),
            is_in_repeated_definitions: false,
        })
    }

    /// Reads records up to the end of a message into `out`; says how many are there.
    fn read_messages(&mut self, out: &mut [Event]) -> Result<Read> {
        let most = out.len() - (MESSAGE_RECORDS_MAX - 1);
        let mut count = match self.reader.read(&mut out[..most])? {
            Read::Records(count) => count,
            other => return Ok(other),
        };
        while out[count - 1].is_continued() && count < out.len() {
            match self.reader.read(&mut out[count..=count])? {
                Read::Records(one) => count += one,
                _ => break,
            }
        }
        Ok(Read::Records(count))
    }

    /// Moves what the recorded feed delivered to the front of `batch`, whose first record has
    /// sequence `first`; says how many records that are.
    fn take_in(&mut self, batch: &mut [Event], first: u64) -> usize {
        let mut kept = 0;
        for index in 0..batch.len() {
            let event = batch[index];
            let sequence = first + index as u64;
            if sequence > 0 && sequence.is_multiple_of(self.segment_records) {
                self.is_in_repeated_definitions = true;
            }
            if let EventView::FeedMark(mark) = event.view() {
                self.is_in_repeated_definitions = false;
                self.position.byte_offset = mark.byte_offset;
                self.position.message = mark.message;
                continue;
            }
            let is_engine = event.kind().is_some_and(|kind| kind.info().group == Group::Engine);
            if is_engine || self.is_in_repeated_definitions {
                continue;
            }
            batch[kept] = event;
            kept += 1;
            self.count(&event);
        }
        kept
    }

    /// Counts a record of the recorded feed.
    fn count(&mut self, event: &Event) {
        self.checks.bytes += size_of::<Event>() as u64;
        if event.is_continued() {
            return;
        }
        let message = self.position.message;
        if self.checks.last_ts.is_some_and(|last| event.ts_event < last) {
            self.checks.backwards.note(message);
        }
        self.checks.first_ts.get_or_insert(event.ts_event);
        self.checks.last_ts = Some(event.ts_event);
        if let EventView::Phase(phase) = event.view() {
            self.checks.has_start |= phase.code.0 == b'O' && message == 0;
            self.checks.has_end |= phase.code.0 == b'C';
        }
        let kind = match event.kind() {
            Some(Kind::InstrumentTerms | Kind::InstrumentListing) => Kind::Instrument as u8,
            Some(Kind::NoticeMore) => Kind::Notice as u8,
            _ => event.kind,
        };
        self.checks.by_type[usize::from(kind)] += 1;
        self.position.message += 1;
        self.checks.messages = self.position.message;
    }
}

impl Feed for JournalFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        loop {
            let first = self.reader.position();
            match self.read_messages(out)? {
                Read::Records(count) => {
                    let kept = self.take_in(&mut out[..count], first);
                    self.checks.messages = self.position.message;
                    if kept > 0 {
                        return Ok(Fill::Records(kept));
                    }
                }
                // A journal whose writer is gone or still writing ends where it ends now.
                Read::Pending | Read::End => return Ok(Fill::End),
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
        &self.checks
    }
}
