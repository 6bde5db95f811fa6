//! The feed handler: the agent that owns the feed and is the single writer of the market ring.

use std::sync::Arc;

use super::definitions::Definitions;
use super::filter::SymbolFilter;
use super::findings::Told;
use super::gateway::Farewell;
use super::gauges::Progress;
use super::journals::Segments;
use super::names::FEED;
use super::outcomes::{Handover, IntakeOutcome, hand_over};
use super::recorded::Recorded;
use super::valve::Valve;
use crate::clock::Clock;
use crate::error::Result;
use crate::event::kinds::Raw;
use crate::event::{Event, EventView, InstrumentOverrides, payload};
use crate::feed::{Begin, Feed, Fill, Pacer, Position, SourcePosition};
use crate::limits::{
    FEED_BATCH_RECORDS, FEED_MARK_RECORDS, FINDINGS_STAGED_MAX, MESSAGE_RECORDS_MAX,
};
use crate::ring::{InboxReceiver, Producer};
use crate::runtime::{Agent, StageMeter, StopFlag};
use crate::units::Nanos;

mod between;
mod found;

/// Records that have room on their way to the ring: a batch of the feed's, and what its reader
/// found in it.
const STAGED_RECORDS: usize = FEED_BATCH_RECORDS + FINDINGS_STAGED_MAX;

/// What the feed handler is made of.
pub(super) struct IntakeParts {
    pub(super) feed: Box<dyn Feed>,
    /// `None` once the stream is closed.
    pub(super) ring: Option<Producer<Event>>,
    pub(super) inbox: InboxReceiver<Event>,
    pub(super) clock: Clock,
    pub(super) pacer: Pacer,
    pub(super) filter: SymbolFilter,
    pub(super) instruments: InstrumentOverrides,
    pub(super) begin: Begin,
    pub(super) stop: StopFlag,
    /// What a gateway has to say before the run may end; `None` without one.
    pub(super) farewell: Option<Farewell>,
    pub(super) valve: Valve,
    pub(super) progress: Arc<Progress>,
    /// What a run that goes on has in its journal already, and runs again first.
    pub(super) recorded: Option<Recorded>,
    /// Where the segments of the market journal begin; `None` without a journal.
    pub(super) segments: Option<Segments>,
    /// Sequence of the first record; behind a snapshot it is not 0.
    pub(super) origin: u64,
    /// Messages between two marks of snapshots; `None` for no marks.
    pub(super) snapshot_every: Option<u64>,
    pub(super) meter: StageMeter,
    pub(super) handover: Handover<IntakeOutcome>,
}

/// The feed handler.
///
/// ```text
///   feed --> staged records --> market ring
///               ^       ^
///   inbox ------+       +------ feed marks, findings, definitions at the start of a segment
/// ```
///
/// Records are staged in a buffer of fixed size and published as slots get free and, in a paced
/// replay, as they get due.
pub(super) struct Intake {
    parts: IntakeParts,
    /// Records on their way to the ring are `staged[next..len]`.
    staged: Box<[Event; STAGED_RECORDS]>,
    next: usize,
    len: usize,
    /// Sequence of the first record that is not staged yet.
    sequence: u64,
    /// Records staged since the last feed mark; none was staged before the first.
    since_mark: Option<usize>,
    definitions: Definitions,
    /// The findings of the feed's reader that have been staged.
    told: Told,
    /// Whether definitions are to be issued again although no segment begins.
    is_reissue_due: bool,
    /// Messages that were taken from the feed before this run.
    messages_before: u64,
    /// Engine time at which a paced feed began, pauses left out.
    started: Option<Nanos>,
    last_ts_event: u64,
    /// Exchange time of the last record that was published.
    published_ts: u64,
    /// Number of the last snapshot, and messages before its mark.
    snapshot: u64,
    snapshot_at: u64,
    /// Messages of the feed that have been staged.
    messages: u64,
    state: State,
    meter: StageMeter,
    outcome: IntakeOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// The feed is over; what its reader found at the end is still to be staged.
    ///
    /// It stands behind the last mark: a run that goes on from there finds it again.
    Closing,
    /// The feed is over; what is staged is still to be published.
    Ending,
    Done,
}

impl Intake {
    pub(super) fn new(mut parts: IntakeParts) -> Self {
        let messages = parts.feed.position().message;
        let origin = parts.origin;
        let meter = std::mem::take(&mut parts.meter);
        let (mut last_ts_event, mut snapshot) = (0, 0);
        let mut definitions = Definitions::default();
        if let Some(recorded) = &mut parts.recorded {
            (last_ts_event, snapshot) = (recorded.ts_event, recorded.snapshot);
            definitions = std::mem::take(&mut recorded.definitions);
        }
        Self {
            told: Told::new(parts.feed.sources().len()),
            parts,
            staged: Box::new([bytemuck::Zeroable::zeroed(); STAGED_RECORDS]),
            next: 0,
            len: 0,
            sequence: origin,
            since_mark: None,
            definitions,
            is_reissue_due: false,
            messages_before: messages,
            started: None,
            last_ts_event,
            published_ts: last_ts_event,
            snapshot,
            snapshot_at: messages,
            messages,
            state: State::Reading,
            meter,
            outcome: IntakeOutcome { records: origin, ..IntakeOutcome::default() },
        }
    }

    /// Stages the next records; says how many they are.
    fn refill(&mut self) -> usize {
        self.next = 0;
        if self.parts.recorded.is_some() {
            return self.stage_recorded();
        }
        let room = self.room_in_segment();
        if self.is_at_segment_start() || std::mem::take(&mut self.is_reissue_due) {
            self.definitions.begin_reissue();
            // Readers of a journal take what comes before the first mark for repeated definitions.
            self.since_mark = None;
        }
        self.len = self.definitions.reissue(self.parts.clock.now(), &mut self.staged[..room]);
        if self.len == 0 {
            self.stage_findings(room);
        }
        if self.len == 0 {
            self.stage_next(room);
        }
        self.sequence += self.len as u64;
        self.len
    }

    /// Stages the next records of the journal that this run goes on with; behind them the rest of
    /// the message in which it ends.
    fn stage_recorded(&mut self) -> usize {
        let Some(recorded) = &mut self.parts.recorded else { return 0 };
        self.len = match recorded.read(&mut self.staged[..FEED_BATCH_RECORDS]) {
            Ok(0) => {
                self.parts.filter = std::mem::take(&mut recorded.filter);
                self.parts.instruments = std::mem::take(&mut recorded.instruments);
                self.told = std::mem::take(&mut recorded.told);
                let rest = std::mem::take(&mut recorded.rest);
                self.parts.recorded = None;
                self.is_reissue_due = !rest.is_empty();
                self.staged[..rest.len()].copy_from_slice(&rest);
                rest.len()
            }
            Ok(count) => count,
            Err(error) => {
                self.outcome.error = Some(error);
                self.state = State::Ending;
                0
            }
        };
        for event in &self.staged[..self.len] {
            // What the feed's times are was asked when the run was recorded.
            let _ = self.parts.begin.look(event);
        }
        let batch = &self.staged[..self.len];
        let highest = batch.iter().map(|event| event.ts_event).max();
        self.last_ts_event = self.last_ts_event.max(highest.unwrap_or(0));
        for event in batch {
            if let EventView::SnapshotMark(mark) = event.view() {
                self.snapshot = mark.snapshot;
            }
        }
        self.definitions.note(batch);
        self.sequence += self.len as u64;
        self.len
    }

    /// Stages a mark when one is due, commands, and what the feed has next, in at most `room`
    /// records.
    fn stage_next(&mut self, room: usize) {
        if room < self.parts.feed.sources().len() + MESSAGE_RECORDS_MAX {
            // Marks and a message's records stay together, so the segment ends with marks of all.
            return (0..room).for_each(|_| self.stage_mark());
        }
        if self.since_mark.is_none_or(|records| records >= FEED_MARK_RECORDS) {
            self.stage_marks();
        }
        self.stage_snapshot_mark();
        self.stage_commands(room);
        if self.parts.stop.is_set() {
            self.outcome.interrupted = true;
            match self.parts.feed.stop() {
                true => self.stage_messages(room),
                false => self.end(),
            }
        } else if !self.parts.valve.is_closed() {
            self.stage_messages(room);
        }
    }

    /// Heeds a wish to pause; after a pause what was to come is due later.
    fn heed_valve(&mut self) {
        let IntakeParts { valve, clock, stop, pacer, .. } = &mut self.parts;
        let pause = valve.turn(clock, stop.is_set()).filter(|_| pacer.is_paced());
        let Some(pause) = pause else { return };
        let staged = &mut self.staged[self.next..self.len];
        staged.iter_mut().for_each(|event| pause.put_off(&mut event.ts_ingest));
        self.started = self.started.map(|started| pause.put_off_start(started));
    }

    /// Records that can be staged at once without crossing the end of a journal segment.
    fn room_in_segment(&self) -> usize {
        let batch = FEED_BATCH_RECORDS;
        self.parts.segments.map_or(batch, |segments| {
            usize::try_from(segments.left(self.sequence)).map_or(batch, |left| left.min(batch))
        })
    }

    fn is_at_segment_start(&self) -> bool {
        self.parts.segments.is_some_and(|segments| segments.begins_at(self.sequence))
    }

    /// Stages records of where each of several feeds is, and one of where the next message starts.
    fn stage_marks(&mut self) {
        for index in 0..self.parts.feed.sources().len() {
            let SourcePosition { position, identity, .. } = self.parts.feed.sources()[index];
            self.stage_mark_of(index as u64 + 1, position, identity);
        }
        self.stage_mark();
    }

    /// Stages a record of where the next message starts.
    fn stage_mark(&mut self) {
        let (position, feed) = (self.parts.feed.position(), self.parts.feed.description());
        self.stage_mark_of(0, position, feed.identity);
    }

    fn stage_mark_of(&mut self, source: u64, position: Position, identity: u64) {
        let Position { byte_offset, message, .. } = position;
        let mark = payload::FeedMark { source, byte_offset, message, identity };
        self.staged[self.len] = Event::new(self.last_ts_event, 0, mark);
        self.staged[self.len].ts_ingest = self.parts.clock.now().0;
        self.len += 1;
        self.since_mark = Some(0);
    }

    /// Stages the mark at which all parts save themselves, when one is due.
    fn stage_snapshot_mark(&mut self) {
        let Some(every) = self.parts.snapshot_every else { return };
        if self.messages - self.snapshot_at < every {
            return;
        }
        (self.snapshot, self.snapshot_at) = (self.snapshot + 1, self.messages);
        let (snapshot, message) = (self.snapshot, self.messages);
        let mark = payload::SnapshotMark { snapshot, message, pad: Raw([0; 16]) };
        self.staged[self.len] = Event::new(self.last_ts_event, 0, mark);
        self.staged[self.len].ts_ingest = self.parts.clock.now().0;
        self.len += 1;
    }

    /// Stages the commands that wait in the inbox, sequenced between two messages;
    /// there is room for a message behind them.
    fn stage_commands(&mut self, room: usize) {
        while self.len + MESSAGE_RECORDS_MAX < room.min(FEED_BATCH_RECORDS / 2) {
            let Some(mut command) = self.parts.inbox.try_take() else { return };
            command.ts_event = command.ts_event.max(self.last_ts_event);
            command.ts_ingest = self.parts.clock.now().0;
            self.staged[self.len] = command;
            self.len += 1;
            self.since_mark = self.since_mark.map(|records| records + 1);
            self.outcome.commands += 1;
        }
    }

    /// Stages the feed's next messages, up to `room` records in all.
    fn stage_messages(&mut self, room: usize) {
        if room - self.len < MESSAGE_RECORDS_MAX {
            return;
        }
        match self.parts.feed.fill(&mut self.staged[self.len..room]) {
            Ok(Fill::Records(count)) => {
                if let Err(error) = self.take_in(count) {
                    self.outcome.error = Some(error);
                    self.end();
                }
            }
            Ok(Fill::Pending) => {}
            Ok(Fill::End) => self.end(),
            Err(error) => {
                self.outcome.error = Some(error);
                self.end();
            }
        }
        let (feed, progress) = (&self.parts.feed, &self.parts.progress);
        progress.note(feed.position(), self.last_ts_event, feed.checks().gaps.count);
    }

    /// Times, filters and notes the `count` records that the feed just delivered.
    fn take_in(&mut self, count: usize) -> Result<()> {
        let now = self.parts.clock.now();
        let batch = &mut self.staged[self.len..self.len + count];
        self.last_ts_event = batch[count - 1].ts_event.max(self.last_ts_event);
        let mut message = self.messages;
        let mut before = 0;
        // What comes before the run begins is due at once, and no latency is taken of it.
        while before < count && !self.parts.begin.look(&batch[before])? {
            batch[before].ts_ingest = 0;
            message += u64::from(!batch[before].is_continued());
            before += 1;
        }
        if before > 0 {
            self.outcome.messages_before += message - self.messages;
            self.messages_before = message;
        }
        if self.parts.pacer.is_paced() && before < count {
            let started = self.started.get_or_insert(now).0;
            for event in &mut batch[before..] {
                let offset =
                    self.parts.pacer.intended(event.ts_event, message - self.messages_before);
                event.ts_ingest = started + offset.unwrap_or(0);
                message += u64::from(!event.is_continued());
            }
        } else {
            // A live feed says how long ago its packet came, a recording says 0.
            let arrived = |event: &Event| now.0.saturating_sub(event.ts_ingest);
            batch[before..].iter_mut().for_each(|event| event.ts_ingest = arrived(event));
        }
        let count = self.insert_findings(count);
        self.messages = self.parts.feed.position().message;
        let batch = &mut self.staged[self.len..self.len + count];
        self.parts.instruments.rewrite(batch)?;
        let kept = self.parts.filter.retain(batch);
        self.definitions.note(&batch[..kept]);
        self.told.note_phases(&*self.parts.feed, &batch[..kept]);
        self.outcome.filtered += (count - kept) as u64;
        self.len += kept;
        self.since_mark = self.since_mark.map(|records| records + kept);
        Ok(())
    }

    /// Lets the stream end with a mark of how far the feed was read, once nobody has more to say.
    fn end(&mut self) {
        if !self.has_heard_all() {
            return;
        }
        let room = self.staged.len() - self.len;
        if room > self.parts.feed.sources().len() {
            self.stage_marks();
        } else if room > 0 {
            self.stage_mark();
        }
        self.state = State::Closing;
    }

    /// Stages what the feed's reader found at its end; says how many records they are.
    fn close(&mut self) -> usize {
        (self.next, self.len) = (0, 0);
        self.stage_findings(FEED_BATCH_RECORDS);
        if self.len == 0 {
            self.state = State::Ending;
        }
        self.sequence += self.len as u64;
        self.len
    }

    /// Publishes what is staged, due and fits; says how many records that were.
    fn publish(&mut self) -> Result<usize> {
        let Some(ring) = &mut self.parts.ring else { return Ok(0) };
        let staged = &self.staged[self.next..self.len];
        // Once a stop is asked for, what was taken from the feed is published without delay.
        let due = if self.parts.pacer.is_paced() && !self.parts.stop.is_set() {
            if self.parts.valve.is_closed() {
                return Ok(0);
            }
            let now = self.parts.clock.now().0;
            staged.iter().take_while(|event| event.ts_ingest <= now).count()
        } else {
            staged.len()
        };
        let count = due.min(ring.free_slots()?);
        if count == 0 {
            return if due == 0 { self.publish_between() } else { Ok(0) };
        }
        let Some(mut claim) = ring.try_claim(count)? else { return Ok(0) };
        for (index, event) in staged[..count].iter().enumerate() {
            claim.set(index, *event);
            self.meter.note(event.ts_ingest);
        }
        claim.commit_all();
        if self.outcome.first_published.is_none() && self.parts.begin.has_come() {
            self.outcome.first_published = Some(self.parts.clock.now());
        }
        self.next += count;
        self.published_ts = self.staged[self.next - 1].ts_event.max(self.published_ts);
        self.outcome.records += count as u64;
        Ok(count)
    }
}

impl Agent for Intake {
    fn name(&self) -> &str {
        FEED
    }

    fn do_work(&mut self) -> Result<usize> {
        self.heed_valve();
        let mut taken = 0;
        if self.next == self.len {
            match self.state {
                State::Reading => taken = self.refill(),
                State::Closing => taken = self.close(),
                State::Ending => {
                    self.parts.ring = None;
                    self.state = State::Done;
                    return Ok(1);
                }
                State::Done => return Ok(0),
            }
        }
        // Records count once, when they are published; taking some in is work of its own.
        let published = self.publish()?;
        Ok(if published > 0 { published } else { taken.min(1) })
    }

    fn completed(&mut self, started: Nanos, now: Nanos) {
        self.meter.complete_since(started, now);
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn fail(&mut self, _cause: &str) {
        if let Some(ring) = &mut self.parts.ring {
            ring.fail();
        }
    }

    fn finish(&mut self) {
        self.parts.farewell = None;
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.description = self.parts.feed.description().clone();
        outcome.checks = self.parts.feed.checks().clone();
        outcome.missing_symbols = self.parts.filter.missing();
        outcome.missing_symbols.extend(self.parts.instruments.missing().map(str::to_owned));
        outcome.latency = std::mem::take(&mut self.meter);
        hand_over(&self.parts.handover, outcome);
    }
}

#[cfg(test)]
mod tests;
