//! What a feed's reader finds and the messages do not tell, as records among them.
//!
//! ```text
//!   checks of the feed --> Told --> feed_gap, feed_finding --> journal --> Heard --> checks
//! ```
//!
//! A finding stands before the message that it is about; behind the batch of that message where
//! there was no room and where several feeds are read ahead, behind all where no message follows.
//! What a batch has several of stands before the last of them, and before the first of all. Nobody
//! who follows the ring acts on it: books, orders and money are those of the messages.

use crate::event::kinds::{Group, Letter, Raw};
use crate::event::{Event, EventView, Flags, Kind, payload};
use crate::feed::{Checks, Feed, Found, Gap, Located};
use crate::limits::FEEDS_MERGED_MAX;

const MISSING: u8 = b'M';
const BACKWARDS: u8 = b'B';
const UNKNOWN_TYPE: u8 = b'U';
const STATE_DIFFERS: u8 = b'D';
const STATES: u8 = b'C';
const START: u8 = b'S';
const END: u8 = b'E';

/// What has a number and a place, in the order of [`Counts::located`].
const LOCATED: [u8; 4] = [MISSING, BACKWARDS, UNKNOWN_TYPE, STATE_DIFFERS];

/// Whether an event is a finding.
pub(super) fn is_finding(event: &Event) -> bool {
    matches!(event.kind(), Some(Kind::FeedGap | Kind::FeedFinding))
}

/// The feed's message that a finding is about.
pub(super) fn message_of(finding: &Event) -> u64 {
    match finding.view() {
        EventView::FeedGap(gap) => gap.message,
        EventView::FeedFinding(found) => found.message,
        _ => 0,
    }
}

/// What is on the ring already of what a feed's reader has found.
#[derive(Debug, Default)]
pub(super) struct Told {
    whole: Counts,
    /// Of several feeds that are read as one, each.
    sources: Vec<Counts>,
    /// Gaps of a feed alone that were told with their numbers.
    gaps_listed: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    located: [u64; LOCATED.len()],
    states: u64,
    has_start: bool,
    has_end: bool,
}

impl Told {
    /// Nothing is told yet of a feed, or of so many that are read as one.
    pub(super) fn new(sources: usize) -> Self {
        Self { sources: vec![Counts::default(); sources], ..Self::default() }
    }

    /// Takes it that all has been told that `feed` has found by now.
    pub(super) fn catch_up(&mut self, feed: &dyn Feed) {
        let checks = feed.checks();
        self.whole.located = located(&checks.found()).map(|one| one.count);
        self.gaps_listed = checks.gap_ranges.len();
        for (told, source) in self.sources.iter_mut().zip(feed.sources()) {
            told.located = located(&source.found).map(|one| one.count);
        }
    }

    /// Takes note of a finding that is in the journal.
    pub(super) fn note(&mut self, finding: &Event) {
        let told = match finding.source() {
            Some(source) => self.sources.get_mut(source as usize - 1),
            None => None,
        };
        let told = told.unwrap_or(&mut self.whole);
        match finding.view() {
            EventView::FeedGap(gap) => {
                let count = gap.until.saturating_sub(gap.from);
                told.located[0] = told.located[0].saturating_add(count);
                self.gaps_listed += 1;
            }
            EventView::FeedFinding(found) => match found.what.0 {
                STATES => told.states = found.count,
                START => told.has_start = true,
                END => told.has_end = true,
                what => {
                    if let Some(index) = LOCATED.iter().position(|one| *one == what) {
                        told.located[index] = told.located[index].saturating_add(found.count);
                    }
                }
            },
            _ => {}
        }
    }

    /// Takes note of what a batch, the last one of `feed`, tells itself of where the session begins
    /// and ends.
    pub(super) fn note_phases(&mut self, feed: &dyn Feed, batch: &[Event]) {
        if self.sources.is_empty() {
            let checks = feed.checks();
            return self.whole.note_phases(checks.has_start, checks.has_end, batch.iter());
        }
        for ((told, source), number) in self.sources.iter_mut().zip(feed.sources()).zip(1..) {
            let own = batch.iter().filter(|event| event.source() == Some(number));
            told.note_phases(source.found.has_start, source.found.has_end, own);
        }
    }

    /// The next finding of `feed` that is to be told; once it is over, at the time `end_ts`, also
    /// what is told at its end.
    pub(super) fn next(&mut self, feed: &dyn Feed, end_ts: Option<u64>) -> Option<Event> {
        if !self.sources.is_empty() {
            let sources = self.sources.iter_mut().zip(feed.sources());
            return sources.zip(1..).find_map(|((told, source), number)| {
                let finding = told.next(&source.found, source.position.message, end_ts)?;
                Some(finding.with_source(number))
            });
        }
        let checks = feed.checks();
        if let Some(gap) = checks.gap_ranges.get(self.gaps_listed) {
            let told = &mut self.whole.located[0];
            let ts = if *told == 0 { checks.gaps.first_ts } else { checks.gaps.last_ts };
            *told = told.saturating_add(gap.count());
            self.gaps_listed += 1;
            let &Gap { message, from, until, byte } = gap;
            let byte = byte.unwrap_or(0);
            return Some(Event::new(ts, 0, payload::FeedGap { message, from, until, byte }));
        }
        self.whole.next(&checks.found(), feed.position().message, end_ts)
    }
}

impl Counts {
    fn note_phases<'a>(
        &mut self,
        has_start: bool,
        has_end: bool,
        mut batch: impl Iterator<Item = &'a Event> + Clone,
    ) {
        if has_start && !self.has_start {
            self.has_start = batch.clone().next().is_some_and(is_start);
        }
        if has_end && !self.has_end {
            self.has_end = batch.any(is_end);
        }
    }

    fn next(&mut self, found: &Found, messages: u64, end_ts: Option<u64>) -> Option<Event> {
        for ((one, told), what) in located(found).iter().zip(&mut self.located).zip(LOCATED) {
            if one.count > *told {
                return Some(next_of(one, told, what));
            }
        }
        let end_ts = end_ts?;
        if found.states != self.states {
            self.states = found.states;
            return Some(finding(end_ts, messages, STATES, found.states, None));
        }
        if found.has_start && !self.has_start {
            self.has_start = true;
            return Some(finding(end_ts, 0, START, 1, None));
        }
        if found.has_end && !self.has_end {
            self.has_end = true;
            return Some(finding(end_ts, messages, END, 1, None));
        }
        None
    }
}

fn located(found: &Found) -> [Located; LOCATED.len()] {
    [found.gaps, found.backwards, found.unknown_types, found.states_differ]
}

/// Tells of the first place, else of the last one and of all that was not told before it.
fn next_of(found: &Located, told: &mut u64, what: u8) -> Event {
    let is_one_place = found.first == found.last;
    let (finding, source) = if *told == 0 && !is_one_place {
        *told = 1;
        (finding(found.first_ts, found.first, what, 1, found.first_byte), found.first_source)
    } else {
        let count = found.count - *told;
        *told = found.count;
        (finding(found.last_ts, found.last, what, count, found.last_byte), found.last_source)
    };
    // A journal of several feeds names them, though it is one feed.
    source.map_or(finding, |source| finding.with_source(source as u16))
}

fn finding(ts: u64, message: u64, what: u8, count: u64, byte: Option<u64>) -> Event {
    let found = payload::FeedFinding {
        message,
        count,
        what: Letter(what),
        has_byte: byte.is_some().into(),
        pad: Raw([0; 6]),
        byte: byte.unwrap_or(0),
    };
    Event::new(ts, 0, found)
}

/// What a market journal says of what the reader of its feed found.
#[derive(Debug, Default)]
pub(super) struct Heard {
    whole: Found,
    /// Of several feeds that were read as one, each.
    sources: Vec<Source>,
    /// Messages older than the one before, as their times tell.
    backwards: Located,
    /// The time of the last message that has its place in that order.
    last_ts: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    found: Found,
    has_messages: bool,
}

impl Heard {
    /// Takes note of a finding; `checks` list the gaps of a feed alone.
    pub(super) fn note(&mut self, event: &Event, checks: &mut Checks) {
        let found = match event.source() {
            Some(source) => &mut self.source(source).found,
            None => &mut self.whole,
        };
        let ts = event.ts_event;
        match event.view() {
            EventView::FeedGap(&payload::FeedGap { message, from, until, byte }) => {
                let byte = Some(byte).filter(|byte| *byte > 0);
                let until = until.max(from);
                found.gaps.note_many((message, ts), byte, until - from);
                checks.list_gap(Gap { message, from, until, byte });
            }
            EventView::FeedFinding(told) => {
                let byte = (told.has_byte != 0).then_some(told.byte);
                let located = match told.what.0 {
                    MISSING => &mut found.gaps,
                    BACKWARDS => &mut found.backwards,
                    UNKNOWN_TYPE => &mut found.unknown_types,
                    STATE_DIFFERS => &mut found.states_differ,
                    what => {
                        found.has_start |= what == START;
                        found.has_end |= what == END;
                        found.states = if what == STATES { told.count } else { found.states };
                        return;
                    }
                };
                located.note_many((told.message, ts), byte, told.count);
            }
            _ => {}
        }
    }

    /// Takes note of the last record of the feed's message of this number.
    pub(super) fn note_message(&mut self, message: u64, event: &Event) {
        // A silence and commands that came in it, a snapshot: their times are not the order in
        // which messages came.
        let is_of_venue = event.kind().is_some_and(|kind| kind.info().group == Group::Market);
        if is_of_venue && !event.has(Flags::SNAPSHOT) {
            if self.last_ts.is_some_and(|last| event.ts_event < last) {
                self.backwards.note(message, event.ts_event);
            }
            self.last_ts = Some(event.ts_event);
        }
        let (found, is_first) = match event.source() {
            Some(source) => {
                let source = self.source(source);
                let is_first = !std::mem::replace(&mut source.has_messages, true);
                (&mut source.found, is_first)
            }
            None => (&mut self.whole, message == 0),
        };
        found.has_start |= is_first && is_start(event);
        found.has_end |= is_end(event);
    }

    /// Takes note of a feed among several that are read as one.
    pub(super) fn meet(&mut self, source: u64) {
        if (1..=FEEDS_MERGED_MAX as u64).contains(&source) {
            self.source(source as u32);
        }
    }

    /// All of it.
    pub(super) fn found(&self) -> Found {
        let mut found = self.whole;
        if !self.sources.is_empty() {
            found = Found::sum(self.sources.iter().map(|source| source.found));
            found.states += self.whole.states;
            found.has_start |= self.whole.has_start;
            found.has_end |= self.whole.has_end;
        }
        // Journals of versions that wrote no findings.
        if found.backwards.count == 0 {
            found.backwards = self.backwards;
        }
        found
    }

    fn source(&mut self, source: u32) -> &mut Source {
        let index = source as usize - 1;
        if self.sources.len() <= index {
            self.sources.resize(index + 1, Source::default());
        }
        &mut self.sources[index]
    }
}

/// Whether an event is the venue's first message of a session.
fn is_start(event: &Event) -> bool {
    matches!(event.view(), EventView::Phase(phase) if phase.code.0 == b'O')
}

/// Whether an event is the venue's last message of a session.
fn is_end(event: &Event) -> bool {
    matches!(event.view(), EventView::Phase(phase) if phase.code.0 == b'C')
}
