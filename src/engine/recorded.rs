//! The market journal of a run that goes on: what it holds, and where its feed was.

use std::ops::Range;

use super::config::EngineConfig;
use super::definitions::Definitions;
use super::filter::SymbolFilter;
use super::findings::{Told, is_finding};
use super::snapshots::SnapshotUsed;
use crate::error::{Error, Result};
use crate::event::kinds::Group;
use crate::event::{Event, EventView, InstrumentOverrides, Kind, payload};
use crate::feed::orders::ORDERS_FORMAT;
use crate::feed::{Feed, Fill, Position};
use crate::journal::{Read, Reader};
use crate::limits::{FEED_BATCH_RECORDS, MESSAGE_RECORDS_MAX};

/// Records at the end of a journal in which a feed mark is looked for at first.
const TAIL_RECORDS: u64 = 2048;

/// Tells what a feed delivered from what the engine added to a market journal: marks, and the
/// definitions that each segment repeats between its first record and its first feed mark.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sieve {
    /// Whether repeated definitions are being passed over.
    is_repeating: bool,
    /// Whether the last record of the feed is continued.
    is_continued: bool,
    /// Whether repeated definitions come once that message is whole.
    repeats_next: bool,
}

impl Sieve {
    /// Whether the feed delivered `event`, the next record; `begins_segment` is false for the first
    /// record of a journal, which repeats nothing.
    pub(super) fn keeps(&mut self, event: &Event, begins_segment: bool) -> bool {
        if begins_segment {
            // A run that was killed within a message went on with the rest of it.
            self.is_repeating = !self.is_continued;
            self.repeats_next = self.is_continued;
        }
        if let EventView::FeedMark(_) = event.view() {
            (self.is_repeating, self.repeats_next) = (false, false);
            return false;
        }
        // Times come from the feed too: a live one's silence, an order file's row.
        let kind = event.kind().filter(|kind| *kind != Kind::Time);
        let is_engine = kind.is_some_and(|kind| kind.info().group == Group::Engine);
        if is_engine || self.is_repeating {
            return false;
        }
        self.is_continued = event.is_continued();
        if self.repeats_next && !self.is_continued {
            (self.is_repeating, self.repeats_next) = (true, false);
        }
        true
    }
}

/// The records of a market journal that are run again before a run goes on.
#[derive(Debug)]
pub(super) struct Recorded {
    reader: Reader<Event>,
    until: u64,
    /// Exchange time of the mark behind which it begins.
    pub(super) ts_event: u64,
    /// Number of the snapshot at that mark.
    pub(super) snapshot: u64,
    /// The definitions before the end of the journal.
    pub(super) definitions: Definitions,
    /// The filter as it was when the last record was taken from the feed.
    pub(super) filter: SymbolFilter,
    /// The same of what the user knows of instruments.
    pub(super) instruments: InstrumentOverrides,
    /// What is missing of the message in which the journal ends.
    pub(super) rest: Vec<Event>,
    /// The findings of the feed's reader that are in the journal.
    pub(super) told: Told,
}

impl Recorded {
    pub(super) fn new(
        reader: Reader<Event>,
        until: u64,
        used: Option<&SnapshotUsed>,
        skipped: Skipped,
    ) -> Self {
        let Skipped { filter, instruments, definitions, rest, told } = skipped;
        let (ts_event, snapshot) = used.map_or((0, 0), |used| (used.ts_event, used.number));
        Self { reader, until, ts_event, snapshot, definitions, filter, instruments, rest, told }
    }

    /// Reads the next records; 0 at the end. They have no ingest time, so that no latency is
    /// measured from the time of another process.
    pub(super) fn read(&mut self, out: &mut [Event]) -> Result<usize> {
        let left = usize::try_from(self.until - self.reader.position()).unwrap_or(usize::MAX);
        let room = out.len().min(left);
        if room == 0 {
            return Ok(0);
        }
        match self.reader.read(&mut out[..room])? {
            Read::Records(count) => {
                out[..count].iter_mut().for_each(|event| event.ts_ingest = 0);
                Ok(count)
            }
            Read::Pending | Read::End => Err(Error::usage(
                format!("the journal ends before sequence {}", self.until),
                "resume it once nothing else writes there",
            )),
        }
    }
}

/// The end of a market journal.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last mark of the feed; `None` in a journal without records.
    mark: Option<payload::FeedMark>,
    /// Where several feeds are read as one, the marks of each before it.
    sources: Vec<payload::FeedMark>,
    /// What the feed delivered behind it.
    behind: Vec<Event>,
    /// What its reader found behind it.
    findings: Vec<Event>,
}

/// Finds the last feed mark before `until`, the journal's end, and what `feed` delivered behind it.
pub(super) fn find_tail(reader: &mut Reader<Event>, until: u64, feed: &dyn Feed) -> Result<Tail> {
    // Elsewhere commands come from the inbox.
    let delivers_commands = feed.description().format == ORDERS_FORMAT;
    let first = reader.first_sequence();
    let mut window = TAIL_RECORDS;
    loop {
        let from = until.saturating_sub(window).max(first);
        let tail = read_tail(reader, from..until, delivers_commands)?;
        if tail.mark.is_some() || from == first {
            return Ok(tail);
        }
        window *= 4;
    }
}

fn read_tail(
    reader: &mut Reader<Event>,
    Range { start: from, end: until }: Range<u64>,
    delivers_commands: bool,
) -> Result<Tail> {
    let mut tail =
        Tail { mark: None, sources: Vec::new(), behind: Vec::new(), findings: Vec::new() };
    let mut sources = Vec::new();
    let mut sieve = Sieve::default();
    let mut batch = [Event::default(); FEED_BATCH_RECORDS];
    reader.seek(from)?;
    while reader.position() < until {
        let Read::Records(count) = reader.read(&mut batch)? else { break };
        let first = reader.position() - count as u64;
        let start = reader.header().first_sequence;
        for (sequence, event) in (first..until).zip(&batch[..count]) {
            let keeps = sieve.keeps(event, sequence == start && sequence > 0);
            match event.view() {
                EventView::FeedMark(mark) if mark.source > 0 => sources.push(*mark),
                EventView::FeedMark(mark) => {
                    tail.mark = Some(*mark);
                    tail.sources = std::mem::take(&mut sources);
                    tail.behind.clear();
                    tail.findings.clear();
                }
                _ if is_finding(event) => tail.findings.push(*event),
                _ => {}
            }
            let is_of_feed = match event.kind().map(|kind| kind.info().group) {
                Some(Group::Market) => true,
                // Of the engine's kinds only times get here.
                Some(Group::Command | Group::Engine) => delivers_commands,
                None => false,
            };
            if keeps && is_of_feed {
                tail.behind.push(*event);
            }
        }
    }
    Ok(tail)
}

/// What a feed told before the end of a journal.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// The filter, which has seen it all.
    pub(super) filter: SymbolFilter,
    /// What the user knows of instruments, which has seen it all too.
    pub(super) instruments: InstrumentOverrides,
    /// The definitions of the wanted instruments.
    pub(super) definitions: Definitions,
    /// What the last message has beyond the journal's end.
    pub(super) rest: Vec<Event>,
    /// The findings of the feed's reader that are in the journal.
    pub(super) told: Told,
}

/// Moves `feed` behind the last message of the journal that ends with `tail`.
pub(super) fn skip_to(tail: &Tail, feed: &mut dyn Feed, config: &EngineConfig) -> Result<Skipped> {
    let mut skipped = Skipped {
        filter: SymbolFilter::new(&config.symbols),
        instruments: config.instruments.as_deref().cloned().unwrap_or_default(),
        told: Told::new(feed.sources().len()),
        ..Skipped::default()
    };
    let Skipped { filter, instruments, definitions, told, .. } = &mut skipped;
    let Some(mark) = tail.mark else { return Ok(skipped) };
    let mut batch = [Event::default(); FEED_BATCH_RECORDS];
    while feed.position().message < mark.message {
        // A message has a record at least, so a batch cannot go beyond the mark.
        let left = mark.message - feed.position().message;
        let room = match usize::try_from(left) {
            Ok(left) if left < FEED_BATCH_RECORDS => MESSAGE_RECORDS_MAX,
            _ => FEED_BATCH_RECORDS,
        };
        let count = fill(feed, &mut batch[..room])?;
        instruments.rewrite(&mut batch[..count])?;
        let kept = filter.retain(&mut batch[..count]);
        definitions.note(&batch[..kept]);
        told.note_phases(feed, &batch[..kept]);
    }
    told.catch_up(feed);
    tail.findings.iter().for_each(|finding| told.note(finding));
    for mark in &tail.sources {
        check_source(mark, feed)?;
    }
    let position = feed.position();
    if (position.message, position.byte_offset) != (mark.message, mark.byte_offset) {
        return Err(another_feed(feed));
    }
    let mut wanted = tail.behind.as_slice();
    while !wanted.is_empty() {
        let count = fill(feed, &mut batch[..MESSAGE_RECORDS_MAX])?;
        instruments.rewrite(&mut batch[..count])?;
        let kept = filter.retain(&mut batch[..count]);
        let common = kept.min(wanted.len());
        if !batch[..common].iter().zip(wanted).all(|(one, other)| is_same(one, other)) {
            return Err(another_feed(feed));
        }
        told.note_phases(feed, &batch[..common]);
        wanted = &wanted[common..];
        if common < kept {
            skipped.rest = batch[common..kept].to_vec();
            break;
        }
    }
    Ok(skipped)
}

/// Refuses another feed than that of a mark, one of several that are read as one.
fn check_source(mark: &payload::FeedMark, feed: &dyn Feed) -> Result<()> {
    let index = mark.source as usize - 1;
    let is_same = feed.sources().get(index).is_some_and(|source| {
        let Position { byte_offset, message, .. } = source.position;
        (byte_offset, message, source.identity) == (mark.byte_offset, mark.message, mark.identity)
    });
    if is_same {
        return Ok(());
    }
    let origin = feed.description().sources.get(index).map_or("", String::as_str);
    Err(Error::usage(
        format!(
            "the run was recorded from another feed: feed {}, `{origin}`, differs before its \
             message {}",
            mark.source, mark.message
        ),
        "name the feeds that it was recorded from, in their order",
    ))
}

fn fill(feed: &mut dyn Feed, out: &mut [Event]) -> Result<usize> {
    // The silences of a live feed are others when it is asked again.
    let is_silence = |event: &Event| event.kind() == Some(Kind::Time);
    loop {
        match feed.fill(out)? {
            Fill::Records(1) if feed.description().arrival.is_some() && is_silence(&out[0]) => {}
            Fill::Records(count) => return Ok(count),
            Fill::Pending => std::thread::yield_now(),
            Fill::End => return Err(another_feed(feed)),
        }
    }
}

fn is_same(one: &Event, other: &Event) -> bool {
    Event { ts_ingest: 0, ..*one } == Event { ts_ingest: 0, ..*other }
}

fn another_feed(feed: &dyn Feed) -> Error {
    Error::usage(
        format!(
            "the run was recorded from another feed: `{}` differs before message {}",
            feed.description().origin,
            feed.position().message
        ),
        "name the feed that it was recorded from",
    )
}
