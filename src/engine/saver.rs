//! What matching does for snapshots: passes marks on, and saves its state while it goes on.

use super::run_state::{Market, Tally};
use super::snapshots::{Part, Sink};
use crate::book::{Replica, Saving};
use crate::clock::Clock;
use crate::event::{Event, EventView, Execution, ExecutionKind, Kind};
use crate::limits::{SNAPSHOT_PIECE_BYTES, SNAPSHOT_SLICE_ORDERS};

/// Saves matching's state.
///
/// Books are saved in slices of [`SNAPSHOT_SLICE_ORDERS`] orders between batches, and an instrument
/// at once when an event is about to change it; what is saved is handed in from
/// [`SNAPSHOT_PIECE_BYTES`] on. So at no time does matching save more than one slice and the
/// largest single book, or keep more than that, however many orders there are. The longest pause is
/// in the report; where the machine takes the core away meanwhile it is longer than that work.
pub(super) struct Saver {
    clock: Clock,
    /// `None` when marks only pass: no snapshot was asked for, or it is impossible.
    sink: Option<Sink>,
    /// Marks before this sequence were there when the run was taken up.
    new_from: u64,
    /// Whether marks can come at all.
    is_watching: bool,
    /// The snapshot that is being taken.
    saving: Option<(u64, Saving)>,
    longest_pause_ns: u64,
    skipped: u64,
}

impl Saver {
    /// A saver that hands its sections to `sink`, at marks from `new_from` on; `may_pass` says
    /// whether older marks can come.
    pub(super) fn new(clock: Clock, sink: Option<Sink>, new_from: u64, may_pass: bool) -> Self {
        let is_watching = sink.is_some() || may_pass;
        Self { clock, sink, new_from, is_watching, saving: None, longest_pause_ns: 0, skipped: 0 }
    }

    /// Whether a snapshot is being taken.
    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Where the first mark is among `events`.
    pub(super) fn mark_in<'a>(&self, mut events: impl Iterator<Item = &'a Event>) -> Option<usize> {
        if self.is_watching { events.position(is_mark) } else { None }
    }

    /// To be called before an event is applied to `replica`.
    #[inline]
    pub(super) fn before(&mut self, event: &Event, replica: &Replica) {
        if self.saving.is_some() {
            self.save_before(event, replica);
        }
    }

    #[cold]
    fn save_before(&mut self, event: &Event, replica: &Replica) {
        let (Some((number, saving)), Some(sink)) = (&mut self.saving, &self.sink) else { return };
        let before = self.clock.now();
        saving.before(event, replica);
        // WHY: a batch of events asks for a thousand books. Kept until the next slice they came to
        // 9 MB in one buffer.
        if saving.pending_bytes() >= SNAPSHOT_PIECE_BYTES {
            hand_in(*number, saving, sink);
        }
        self.note_pause(before.0);
    }

    /// To be called after `event`, of this sequence, was applied: if it is a mark, it goes on to
    /// `out`, and a snapshot begins.
    #[inline]
    pub(super) fn after(
        &mut self,
        sequence: u64,
        event: &Event,
        market: &Market,
        tally: Tally,
        out: &mut Vec<Execution>,
    ) {
        if is_mark(event) {
            self.pass_mark(sequence, event, market, tally, out);
        }
    }

    #[cold]
    fn pass_mark(
        &mut self,
        sequence: u64,
        event: &Event,
        market: &Market,
        tally: Tally,
        out: &mut Vec<Execution>,
    ) {
        let Some(passed_on) = mark_of(event) else { return };
        let number = passed_on.order_id;
        out.push(passed_on);
        let Some(sink) = self.sink.as_ref().filter(|_| sequence >= self.new_from) else { return };
        if self.saving.is_some() || !sink.begin(number) {
            self.skipped += 1;
            return;
        }
        let before = self.clock.now();
        for (name, bytes) in market.sections(tally) {
            sink.section(number, name, bytes);
        }
        self.saving = Some((number, market.books.replica().begin_save()));
        self.note_pause(before.0);
    }

    /// Saves the next slice; whether there was one.
    pub(super) fn advance(&mut self, replica: &Replica) -> bool {
        let (Some((number, saving)), Some(sink)) = (&mut self.saving, &self.sink) else {
            return false;
        };
        let before = self.clock.now();
        let number = *number;
        let has_more = saving.advance(replica, SNAPSHOT_SLICE_ORDERS);
        if !has_more || saving.pending_bytes() >= SNAPSHOT_PIECE_BYTES {
            hand_in(number, saving, sink);
        }
        if !has_more {
            sink.done(number, Part::Matching);
            self.saving = None;
        }
        self.note_pause(before.0);
        true
    }

    /// The market is over: saves what is left of the snapshot at hand.
    pub(super) fn finish(&mut self, replica: &Replica) {
        while self.advance(replica) {}
        self.sink = None;
    }

    /// Longest pause in ns, and marks that passed while a snapshot was being taken.
    pub(super) fn outcome(&self) -> (u64, u64) {
        (self.longest_pause_ns, self.skipped)
    }

    fn note_pause(&mut self, since: u64) {
        let pause = self.clock.now().0.saturating_sub(since);
        self.longest_pause_ns = self.longest_pause_ns.max(pause);
    }
}

/// Hands in what was saved so far.
fn hand_in(number: u64, saving: &mut Saving, sink: &Sink) {
    for (name, bytes) in saving.take() {
        sink.section(number, name, bytes);
    }
}

/// The mark in the execution ring that follows a mark in the market ring.
pub(super) fn mark_of(event: &Event) -> Option<Execution> {
    let EventView::SnapshotMark(mark) = event.view() else { return None };
    let passed_on = Execution::new(ExecutionKind::SnapshotMark, event.ts_event, 0);
    Some(Execution { order_id: mark.snapshot, ..passed_on })
}

#[inline]
fn is_mark(event: &Event) -> bool {
    event.kind == Kind::SnapshotMark as u8
}
