//! A market journal as a feed: the recorded run, once more.

use std::path::Path;

use super::config::MARKET_DIR;
use super::findings::{Heard, is_finding};
use super::recorded::Sieve;
use crate::error::Result;
use crate::event::{Event, EventView, Kind};
use crate::feed::{Checks, Description, Feed, Fill, Position};
use crate::journal::{Read, Reader};
use crate::limits::MESSAGE_RECORDS_MAX;

/// Name of the format in descriptions.
pub const JOURNAL_FORMAT: &str = "journal";

/// Plays a run's market journal as the feed that it was recorded from.
///
/// What the engine added stays behind: marks, and the definitions that each segment but the first
/// repeats between its first record and its first feed mark. Positions and message numbers are
/// those of the recorded feed, and so is what its reader found: gaps, unknown types and the like,
/// and whether the session was whole. Packets are not recorded; in the counts, types are codes of
/// [`Kind`].
#[derive(Debug)]
pub struct JournalFeed {
    reader: Reader<Event>,
    description: Description,
    checks: Checks,
    position: Position,
    sieve: Sieve,
    heard: Heard,
    /// Findings before a message that is still to be delivered.
    held: Vec<Event>,
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
        let missing = |first| {
            format!(
                "the journal begins at record {first}, those before were removed: books and \
                 results are of what is left"
            )
        };
        let first = Some(reader.first_sequence()).filter(|&first| first > 0);
        let description = Description {
            assumptions: first.map(missing).into_iter().collect(),
            origin: dir.display().to_string(),
            format: JOURNAL_FORMAT,
            compression: "none",
            stored_bytes: None,
            identity: header.feed_identity,
            ..Description::default()
        };
        Ok(Self {
            reader,
            description,
            checks: Checks::default(),
            position: Position::default(),
            sieve: Sieve::default(),
            heard: Heard::default(),
            held: Vec::new(),
        })
    }

    /// The same with what the records do not tell of the recorded feed: the venue's clock, the
    /// midnight that times count from, whether they have a date, whether it was of price levels.
    pub fn of_feed(mut self, recorded: &Description) -> Self {
        let &Description { zone, midnight_ns, is_dated, is_of_levels, .. } = recorded;
        self.description =
            Description { zone, midnight_ns, is_dated, is_of_levels, ..self.description };
        self
    }

    /// The sequence in the journal of the record that comes after the first `count`; `None`
    /// behind the last one.
    ///
    /// # Errors
    ///
    /// Those of reading.
    pub fn sequence_after(mut self, count: u64) -> Result<Option<u64>> {
        let mut left = count;
        let mut one = [Event::default()];
        while let Read::Records(kept) = self.read_kept(&mut one)? {
            if kept > left as usize {
                return Ok(Some(self.reader.position() - 1));
            }
            left -= kept as u64;
        }
        Ok(None)
    }

    /// Reads records up to the end of a message into `out`, and takes out what the engine added;
    /// says how many are left.
    fn read_messages(&mut self, out: &mut [Event]) -> Result<Read> {
        let most = out.len() - (MESSAGE_RECORDS_MAX - 1);
        let mut kept = match self.read_kept(&mut out[..most])? {
            Read::Records(kept) => kept,
            other => return Ok(other),
        };
        while kept > 0 && out[kept - 1].is_continued() && kept < out.len() {
            match self.read_kept(&mut out[kept..=kept])? {
                Read::Records(one) => kept += one,
                _ => break,
            }
        }
        Ok(Read::Records(kept))
    }

    /// Reads records into `out` and moves those of the recorded feed to its front.
    fn read_kept(&mut self, out: &mut [Event]) -> Result<Read> {
        let count = match self.reader.read(out)? {
            Read::Records(count) => count,
            other => return Ok(other),
        };
        // What is read in one go is of one segment.
        let start = self.reader.header().first_sequence;
        let first = self.reader.position() - count as u64;
        let is_first_segment = start == self.reader.first_sequence();
        let mut kept = 0;
        for index in 0..count {
            let event = out[index];
            let begins_segment = index == 0 && first == start && !is_first_segment;
            match event.view() {
                EventView::FeedMark(mark) if mark.source > 0 => self.heard.meet(mark.source),
                EventView::FeedMark(mark) => {
                    self.position.byte_offset = mark.byte_offset;
                    self.position.message = mark.message;
                }
                _ if is_finding(&event) => self.held.push(event),
                _ => {}
            }
            if self.sieve.keeps(&event, begins_segment) {
                out[kept] = event;
                kept += 1;
                self.note_held();
                self.count(&event);
            }
        }
        Ok(Read::Records(kept))
    }

    /// Takes note of the findings before the next message, or before the end.
    fn note_held(&mut self) {
        for finding in self.held.drain(..) {
            self.heard.note(&finding, &mut self.checks);
        }
    }

    /// Counts a record of the recorded feed.
    fn count(&mut self, event: &Event) {
        self.checks.bytes += size_of::<Event>() as u64;
        if event.is_continued() {
            return;
        }
        self.heard.note_message(self.position.message, event);
        self.checks.first_ts.get_or_insert(event.ts_event);
        self.checks.last_ts = Some(event.ts_event);
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
            let read = self.read_messages(out)?;
            if !matches!(read, Read::Records(_)) {
                self.note_held();
            }
            self.checks.set_found(self.heard.found());
            match read {
                Read::Records(kept) => {
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
