//! What matching does for snapshots: passes marks on, and saves its state while it goes on.
//!
//! ```text
//!                       saves at most                                  and that costs
//!   between two batches 1,024 orders, or prints, or 128 instruments    40 KB written to memory
//!   before an event     what it may change: 2 orders, 3 instruments    2 KiB
//!   at the mark         own orders and strategies, all at once         as much as they are
//! ```
//!
//! That is all that matching does for a snapshot between two events, however many orders there are
//! and however deep a book is ([`SNAPSHOT_SLICE_ORDERS`], [`SNAPSHOT_EVENT_BYTES_MAX`]). None of it
//! allocates, waits, or calls the system; tests count the bytes and the allocations. The longest
//! pause is in the report: where the machine takes the core away meanwhile, it is longer than that
//! work.
//!
//! Two kinds of event are dearer. One that clears a book saves the orders that it takes out; one
//! that sets a level in a feed of levels saves its instrument's levels. Where the disk is so slow
//! that all buffers are on their way to it, slices wait for one, and what an event changes goes
//! into a new one. The matching engine of an order file is not saved here: its [`Standby`] is.
//!
//! [`SNAPSHOT_EVENT_BYTES_MAX`]: crate::limits::SNAPSHOT_EVENT_BYTES_MAX
//! [`Standby`]: super::standby::Standby

use super::collector::{Buffers, Part, Sink};
use super::run_state::{Market, Tally};
use crate::book::{Replica, Saving};
use crate::clock::Clock;
use crate::event::{Event, EventView, Execution, ExecutionKind, Kind};
use crate::limits::{SNAPSHOT_PIECE_BYTES, SNAPSHOT_SLICE_ORDERS};
use crate::state::StateWriter;

/// Saves matching's state.
pub(super) struct Saver {
    clock: Clock,
    /// `None` when marks only pass: no snapshot was asked for, or it is impossible.
    outlet: Option<Outlet>,
    /// Marks before this sequence were there when the run was taken up.
    new_from: u64,
    /// Whether marks can come at all.
    is_watching: bool,
    longest_pause_ns: u64,
    skipped: u64,
}

/// What a saver is made of.
pub(super) struct SaverParts<'a> {
    pub(super) clock: Clock,
    /// Where sections go and what they are written into, if snapshots are to be taken.
    pub(super) outlet: Option<(Sink, Buffers)>,
    /// Snapshots are taken at marks from this sequence on.
    pub(super) new_from: u64,
    /// Whether older marks can come.
    pub(super) may_pass: bool,
    /// What will be saved.
    pub(super) replica: &'a Replica,
}

/// The way of what is saved to the collector.
struct Outlet {
    sink: Sink,
    buffers: Buffers,
    saving: Saving,
    /// The snapshot that is being taken.
    number: Option<u64>,
}

impl Saver {
    pub(super) fn new(parts: SaverParts<'_>) -> Self {
        let SaverParts { clock, outlet, new_from, may_pass, replica } = parts;
        let outlet = outlet.map(|(sink, buffers)| Outlet {
            sink,
            buffers,
            saving: Saving::of(replica),
            number: None,
        });
        let is_watching = outlet.is_some() || may_pass;
        Self { clock, outlet, new_from, is_watching, longest_pause_ns: 0, skipped: 0 }
    }

    /// Whether a snapshot is being taken.
    pub(super) fn is_saving(&self) -> bool {
        self.outlet.as_ref().is_some_and(|outlet| outlet.number.is_some())
    }

    /// Where the first mark is among `events`.
    pub(super) fn mark_in<'a>(&self, mut events: impl Iterator<Item = &'a Event>) -> Option<usize> {
        if self.is_watching { events.position(is_mark) } else { None }
    }

    /// To be called before an event is applied to `replica`.
    #[inline]
    pub(super) fn before(&mut self, event: &Event, replica: &Replica) {
        if self.is_saving() {
            self.save_before(event, replica);
        }
    }

    #[cold]
    fn save_before(&mut self, event: &Event, replica: &Replica) {
        let Some((outlet, number)) = at_work(&mut self.outlet) else { return };
        let before = self.clock.now();
        outlet.saving.before(event, replica);
        outlet.hand_in(number, SNAPSHOT_PIECE_BYTES);
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
        let is_new = sequence >= self.new_from;
        let Some(outlet) = self.outlet.as_mut().filter(|_| is_new) else { return };
        if outlet.number.is_some() || !outlet.sink.begin(number, tally) {
            self.skipped += 1;
            return;
        }
        let before = self.clock.now();
        outlet.begin(number, market, tally);
        self.note_pause(before.0);
    }

    /// Saves the next slice; whether there was one, and a buffer for it.
    pub(super) fn advance(&mut self, replica: &Replica) -> bool {
        let Some((outlet, number)) = at_work(&mut self.outlet) else { return false };
        if outlet.buffers.are_few() {
            return false;
        }
        let before = self.clock.now();
        outlet.advance(number, replica);
        self.note_pause(before.0);
        true
    }

    /// The market is over: saves what is left of the snapshot at hand.
    pub(super) fn finish(&mut self, replica: &Replica) {
        while let Some((outlet, number)) = at_work(&mut self.outlet) {
            outlet.advance(number, replica);
        }
        self.outlet = None;
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

/// The outlet and the number of the snapshot that is being taken.
fn at_work(outlet: &mut Option<Outlet>) -> Option<(&mut Outlet, u64)> {
    let outlet = outlet.as_mut()?;
    let number = outlet.number?;
    Some((outlet, number))
}

impl Outlet {
    fn begin(&mut self, number: u64, market: &Market, tally: Tally) {
        let Self { sink, buffers, saving, .. } = self;
        market.save(tally, |name, save| {
            let mut writer = StateWriter::reusing(buffers.take());
            save(&mut writer);
            sink.section(number, name, writer.into_bytes());
        });
        let is_room = |bytes: &Vec<u8>| bytes.capacity() > 0;
        saving.take(0, |_, bytes| Some(bytes).filter(is_room).unwrap_or_else(|| buffers.take()));
        saving.begin(market.books.replica());
        self.number = Some(number);
    }

    fn advance(&mut self, number: u64, replica: &Replica) {
        let has_more = self.saving.advance(replica, SNAPSHOT_SLICE_ORDERS);
        self.hand_in(number, if has_more { SNAPSHOT_PIECE_BYTES } else { 1 });
        if !has_more {
            self.sink.done(number, Part::Matching);
            self.number = None;
        }
    }

    /// Hands in the pieces that have grown to `bytes_min`.
    fn hand_in(&mut self, number: u64, bytes_min: usize) {
        let Self { sink, buffers, saving, .. } = self;
        saving.take(bytes_min, |name, bytes| {
            sink.section(number, name, bytes);
            buffers.take()
        });
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
