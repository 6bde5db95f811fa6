//! Several feeds as one, by time: two venues, two days, a day in parts.
//!
//! ```text
//!   feed 1   09:30:00.1         09:30:00.3 ...
//!   feed 2            09:30:00.2         09:30:00.3 ...      equal times: the first feed first
//!   merged   1        2         1        1          2
//! ```
//!
//! The order is a function of the feeds and of their order. Message numbers, gaps and other checks
//! of each feed are its own; the merged feed counts them together, says of which feed the first and
//! the last are, and tells each feed's in a sentence.
//!
//! * Instruments get new numbers. A symbol that another feed of another venue has gets the venue
//!   behind it (`AAPL.BX`); one that a feed of the same venue had, which is over, goes on as the
//!   same instrument, with an empty book; one that such a feed still tells gets the feed's number.
//! * References of orders get the feed's number in their highest byte but a bit, so that those of
//!   two venues never meet.
//! * Events say which feed they are of ([`Event::source`]).

use std::collections::HashMap;
use std::fmt;

use super::{Checks, Description, Feed, Fill, Found, Position, SourceChecks, SourcePosition, Zone};
use crate::error::{Error, Result};
use crate::event::kinds::{Raw, Text};
use crate::event::{Event, EventView, Flags, Kind, payload};
use crate::hash::hash_bytes;
use crate::limits::{FEED_BATCH_RECORDS, FEEDS_MERGED_MAX, MESSAGE_RECORDS_MAX};

/// Where a feed's number lies in a reference.
const FEED_SHIFT: u32 = 56;

/// Instrument numbers from here on mean no single instrument.
const EVERY_INSTRUMENT: u32 = u32::MAX;

/// Several feeds as one.
///
/// ```
/// use ringtape::event::Event;
/// use ringtape::feed::lobster::LobsterFeed;
/// use ringtape::feed::{Feed, Fill, Merged};
///
/// let feed = |symbol: &str, second: u32| -> ringtape::error::Result<Box<dyn Feed>> {
///     let row = format!("3420{second}.0,1,7,18,5853300,1\n");
///     Ok(Box::new(LobsterFeed::from_bytes(symbol, row, &Default::default())?))
/// };
/// let mut merged = Merged::new(vec![feed("B_x.csv", 2)?, feed("A_x.csv", 1)?])?;
/// let mut events = [Event::default(); 64];
/// // Each instrument is introduced by two records; the second feed's comes first.
/// assert_eq!(merged.fill(&mut events)?, Fill::Records(6));
/// assert!(events[..6].is_sorted_by_key(|event| event.ts_event));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub struct Merged {
    parts: Vec<Part>,
    /// Symbols as told, with their venue, feed and new number.
    known: HashMap<Vec<u8>, Vec<Known>>,
    instruments: u32,
    description: Description,
    checks: Checks,
    position: Position,
    sources: Vec<SourcePosition>,
    /// Whether a feed was read on since what they found was taken over.
    has_news: bool,
    fault: Option<Error>,
    is_ended: bool,
}

/// One of the feeds, and what was read of it ahead.
struct Part {
    feed: Box<dyn Feed>,
    batch: Box<[Event; FEED_BATCH_RECORDS]>,
    next: usize,
    len: usize,
    /// Where the feed was once it had filled the batch.
    position: Position,
    /// The highest time so far, which is when its next message is due at the earliest.
    due: u64,
    /// New numbers by its own.
    ids: HashMap<u32, u32>,
    is_ended: bool,
}

/// A symbol that a feed told.
struct Known {
    venue: Text<8>,
    part: usize,
    id: u32,
    symbol: Text<24>,
}

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged")
            .field("description", &self.description)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Merged {
    /// Merges feeds; their order decides between equal times.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for no feed or too many, and for feeds whose times do not compare.
    pub fn new(feeds: Vec<Box<dyn Feed>>) -> Result<Self> {
        if feeds.is_empty() || feeds.len() > FEEDS_MERGED_MAX {
            let what = format!("{} feeds cannot be merged", feeds.len());
            return Err(Error::usage(what, format!("give 1 to {FEEDS_MERGED_MAX}")));
        }
        let descriptions: Vec<&Description> = feeds.iter().map(|feed| feed.description()).collect();
        let description = describe(&descriptions)?;
        let sources = feeds.iter().map(|feed| SourcePosition {
            position: feed.position(),
            identity: feed.description().identity,
            found: feed.checks().found(),
        });
        let sources = sources.collect();
        let part = |feed: Box<dyn Feed>| Part {
            position: feed.position(),
            feed,
            batch: Box::new([bytemuck::Zeroable::zeroed(); FEED_BATCH_RECORDS]),
            next: 0,
            len: 0,
            due: 0,
            ids: HashMap::new(),
            is_ended: false,
        };
        Ok(Self {
            parts: feeds.into_iter().map(part).collect(),
            known: HashMap::new(),
            instruments: 0,
            description,
            checks: Checks::default(),
            position: Position::default(),
            sources,
            has_news: false,
            fault: None,
            is_ended: false,
        })
    }

    /// The feed whose next message is due first; `None` when all are over.
    fn next_part(&mut self) -> Result<Option<usize>> {
        for part in &mut self.parts {
            self.has_news |= part.refill()?;
        }
        let there = self.parts.iter().enumerate().filter(|(_, part)| part.next < part.len);
        let next = there.min_by_key(|(index, part)| (part.due, *index)).map(|(index, _)| index);
        // The end waits until all before it is delivered.
        if next.is_some() && self.has_news {
            self.note_found();
        }
        Ok(next)
    }

    /// Takes over what the feeds have found.
    fn note_found(&mut self) {
        self.has_news = false;
        for (source, part) in self.sources.iter_mut().zip(&self.parts) {
            source.found = part.feed.checks().found();
        }
    }

    /// Moves the next message of a feed to `out`; how many records it has now.
    fn take(&mut self, index: usize, out: &mut [Event]) -> usize {
        let mut message = [Event::default(); MESSAGE_RECORDS_MAX];
        let count = self.parts[index].take(&mut message);
        let position = &mut self.sources[index].position;
        *position = Position { message: position.message + 1, ..self.parts[index].position };
        let mut clear = None;
        for at in 0..count {
            if let EventView::Instrument(defined) = message[at].view() {
                let terms = message[at..count].iter().find_map(|event| match event.view() {
                    EventView::InstrumentTerms(terms) => Some(terms.venue),
                    _ => None,
                });
                let (venue, own) = (terms.unwrap_or(Text([0; 8])), message[at].instrument);
                let (symbol, goes_on) = self.meet(index, own, defined.symbol, venue);
                let defined = payload::Instrument { symbol, ..*defined };
                if let Some(id) = goes_on {
                    let record = payload::Clear { pad: Raw([0; 32]) };
                    let flags = Flags::CONTINUED | Flags::LAST;
                    let record = Event::new(message[at].ts_event, id, record).with_flags(flags);
                    clear = Some(record.with_source(index as u16 + 1));
                }
                message[at].payload = bytemuck::cast(defined);
            }
            self.renumber(index, &mut message[at]);
        }
        let first = usize::from(clear.is_some());
        if let Some(clear) = clear {
            out[0] = clear;
        }
        // A message that defines an instrument is never so long that a clear has no room.
        out[first..first + count].copy_from_slice(&message[..count]);
        first + count
    }

    /// The symbol under which a feed's instrument goes; and, where it goes on as one of a feed that
    /// is over, its number.
    fn meet(
        &mut self,
        index: usize,
        own: u32,
        symbol: Text<24>,
        venue: Text<8>,
    ) -> (Text<24>, Option<u32>) {
        let next = self.instruments + 1;
        let all = self.known.entry(symbol.as_str().as_bytes().to_vec()).or_default();
        if let Some(told) = all.iter().find(|known| known.part == index) {
            self.parts[index].ids.insert(own, told.id);
            return (told.symbol, None);
        }
        let of_venue = all.iter().position(|known| known.venue == venue);
        let over = of_venue.filter(|&at| self.parts[all[at].part].is_over());
        if let Some(at) = over {
            let known = &mut all[at];
            known.part = index;
            self.parts[index].ids.insert(own, known.id);
            return (known.symbol, Some(known.id));
        }
        let told = match of_venue {
            None if all.is_empty() => symbol,
            None => Text::new(&format!("{}.{}", symbol.as_str(), venue.as_str())),
            Some(_) => Text::new(&format!("{}.{}", symbol.as_str(), index + 1)),
        };
        if told != symbol {
            let origin = &self.parts[index].feed.description().origin;
            let what = format!("{} of {origin} is called {}", symbol.as_str(), told.as_str());
            self.description.assumptions.push(what);
        }
        all.push(Known { venue, part: index, id: next, symbol: told });
        self.instruments = next;
        self.parts[index].ids.insert(own, next);
        (told, None)
    }

    /// Gives a record the merged feed's numbers.
    fn renumber(&mut self, index: usize, event: &mut Event) {
        if !matches!(event.instrument, 0 | EVERY_INSTRUMENT) {
            let next = self.instruments + 1;
            let id = *self.parts[index].ids.entry(event.instrument).or_insert(next);
            self.instruments = self.instruments.max(id);
            event.instrument = id;
        }
        *event = event.with_source(index as u16 + 1);
        let mark = (index as u64) << FEED_SHIFT;
        match event.kind() {
            Some(
                Kind::Add
                | Kind::Execute
                | Kind::ExecuteAt
                | Kind::Reduce
                | Kind::Delete
                | Kind::Modify,
            ) => event.payload[0] ^= mark,
            Some(Kind::Replace) => {
                event.payload[0] ^= mark;
                event.payload[3] ^= mark;
            }
            _ => {}
        }
    }

    /// Adds up what the feeds counted.
    fn count(&mut self) {
        let mut sum = Checks { messages: self.checks.messages, ..Checks::default() };
        (sum.first_ts, sum.last_ts) = (self.checks.first_ts, self.checks.last_ts);
        for checks in self.parts.iter().map(|part| part.feed.checks()) {
            sum.bytes += checks.bytes;
            sum.inflate_ns += checks.inflate_ns;
            for (count, more) in sum.by_type.iter_mut().zip(checks.by_type) {
                *count += more;
            }
        }
        sum.set_found(Found::sum(self.sources.iter().map(|source| source.found)));
        sum.sources = std::mem::take(&mut self.checks.sources);
        self.checks = sum;
    }

    /// Says what each feed was and counted, once all are over.
    fn tell(&mut self) {
        for (number, part) in (1..).zip(&self.parts) {
            let (description, checks) = (part.feed.description(), part.feed.checks());
            let (own, counted) = (description.clone(), checks.clone());
            self.checks.sources.push(SourceChecks { description: own, checks: counted });
            let notes = &mut self.description.assumptions;
            notes.extend(
                description.assumptions.iter().map(|note| format!("feed {number}: {note}")),
            );
            notes.push(format!(
                "feed {number} is {}: {} messages of {}, {} missing, {} backwards in time, {} of \
                 unknown types",
                description.origin,
                checks.messages,
                description.format,
                checks.gaps.count,
                checks.backwards.count,
                checks.unknown_types.count
            ));
        }
    }
}

impl Part {
    /// Reads ahead when nothing is left; whether it did.
    fn refill(&mut self) -> Result<bool> {
        if self.next < self.len || self.is_ended {
            return Ok(false);
        }
        (self.next, self.len) = (0, 0);
        match self.feed.fill(&mut self.batch[..])? {
            Fill::Records(count) => (self.len, self.position) = (count, self.feed.position()),
            Fill::Pending => {}
            Fill::End => self.is_ended = true,
        }
        if self.len > 0 {
            self.due = self.due.max(self.batch[0].ts_event);
        }
        Ok(true)
    }

    /// Whether nothing more will come.
    fn is_over(&self) -> bool {
        self.is_ended && self.next == self.len
    }

    /// Moves the next message to `out`; how many records it has.
    fn take(&mut self, out: &mut [Event]) -> usize {
        let rest = &self.batch[self.next..self.len];
        let end = rest.iter().position(|event| !event.is_continued());
        let count = end.map_or(rest.len(), |end| end + 1);
        out[..count].copy_from_slice(&rest[..count]);
        self.next += count;
        if let Some(next) = self.batch[..self.len].get(self.next) {
            self.due = self.due.max(next.ts_event);
        }
        count
    }
}

impl Feed for Merged {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        let mut records = 0;
        while !self.is_ended && records + MESSAGE_RECORDS_MAX <= out.len() {
            match self.next_part() {
                Ok(Some(index)) => {
                    let first = records;
                    records += self.take(index, &mut out[records..]);
                    let ts = out[first].ts_event;
                    self.checks.first_ts.get_or_insert(ts);
                    self.checks.last_ts = Some(ts);
                    self.checks.messages += 1;
                }
                Ok(None) => {
                    self.is_ended = true;
                    self.tell();
                }
                Err(fault) => {
                    self.is_ended = true;
                    self.tell();
                    self.fault = Some(fault);
                }
            }
        }
        if records == 0 {
            self.note_found();
        }
        self.count();
        if records == 0 {
            return self.fault.take().map_or(Ok(Fill::End), Err);
        }
        let sum = |value: fn(&Position) -> u64| {
            self.sources.iter().map(|source| value(&source.position)).sum()
        };
        self.position = Position {
            byte_offset: sum(|position| position.byte_offset),
            message: self.checks.messages,
            stored_bytes: sum(|position| position.stored_bytes),
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

    fn sources(&self) -> &[SourcePosition] {
        &self.sources
    }
}

/// What the feeds are together.
fn describe(parts: &[&Description]) -> Result<Description> {
    let is_since_epoch = |part: &&Description| part.is_dated || part.midnight_ns > 0;
    let dated = parts.iter().filter(|part| is_since_epoch(part)).count();
    let first = parts[0];
    let common_zone = parts.iter().all(|part| part.zone == first.zone);
    if dated != 0 && dated != parts.len() || dated == 0 && !common_zone {
        return Err(Error::usage(
            "the times of these feeds do not compare: some have a date and some have not, or they \
             are of days in different zones",
            "give --date, one date for all that have none, or one for each feed, separated by \
             commas and empty for those that have theirs",
        ));
    }
    let all_same =
        |same: fn(&Description, &Description) -> bool| parts.iter().all(|part| same(part, first));
    let midnight_ns = match all_same(|a, b| a.midnight_ns == b.midnight_ns) {
        true => first.midnight_ns,
        false => 0,
    };
    let origins: Vec<String> = parts.iter().map(|part| part.origin.clone()).collect();
    let identities: Vec<u8> = parts.iter().flat_map(|part| part.identity.to_le_bytes()).collect();
    Ok(Description {
        arrival: None,
        origin: origins.join(" + "),
        sources: origins,
        format: if all_same(|a, b| a.format == b.format) { first.format } else { "several" },
        compression: match all_same(|a, b| a.compression == b.compression) {
            true => first.compression,
            false => "several",
        },
        stored_bytes: parts.iter().map(|part| part.stored_bytes).sum(),
        identity: hash_bytes(&identities),
        zone: if common_zone { first.zone } else { Zone::Utc },
        midnight_ns,
        is_dated: dated > 0 && midnight_ns == 0,
        is_of_levels: parts.iter().any(|part| part.is_of_levels),
        assumptions: Vec::new(),
    })
}
