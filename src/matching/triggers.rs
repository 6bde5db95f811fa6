//! Stops: pending beside the book until a price reaches them, then orders like others.
//!
//! ```text
//!   an order is done --> trailing stops follow --> who is due? --+   all buys by ascending stop,
//!        ^                what it traded            heaps, lists |   then all sells by descending
//!        |                                                       v   stop; equals by entry
//!        +------------------ the first enters <------------- [ queue ]
//! ```
//!
//! There is no recursion: what a stop triggers goes behind those already queued.

use super::hand::InHand;
use super::heap::Entry;
use super::lane::Desk;
use super::matcher::Matcher;
use super::stops::{Sources, Stop, Traded, key};
use super::terms::Berth;
use crate::book::{BookId, NIL};
use crate::event::{Execution, ExecutionKind, Instructions, Reason};
use crate::units::{InstrumentId, Qty, Side};

/// A stop that triggers, in the order in which they enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// Buys are 0, sells 1.
    side: usize,
    key: i64,
    entered: u64,
    handle: u32,
}

/// Which source a stop looks at: 0 the last trade, 1 bid and ask.
fn source_of(order: &InHand) -> usize {
    usize::from(order.codes.has(Instructions::TRIGGER_BIDASK))
}

impl Matcher {
    /// What the sources say after something traded at these prices.
    fn sources(&self, instrument: InstrumentId, traded: Option<Traded>) -> Sources {
        Sources::new(self.books.touch(BookId::displayed(instrument)), traded)
    }

    /// The last trade as if it had just happened.
    fn last_traded(&self, instrument: InstrumentId) -> Option<Traded> {
        self.lane(instrument).last_price.map(Traded::at)
    }

    /// A trailing stop starts from what its source says now.
    pub(super) fn start_trailing(&self, order: &mut InHand) {
        if order.codes.is_trailing() {
            let instrument = order.shown.instrument;
            let sources = self.sources(instrument, self.last_traded(instrument));
            let side = order.shown.side;
            order.extra.stop.follow(side, sources.favourable(source_of(order), side));
        }
    }

    /// Whether the condition of a new stop is true already.
    pub(super) fn is_due_on_entry(&self, order: &InHand) -> bool {
        let instrument = order.shown.instrument;
        let sources = self.sources(instrument, self.last_traded(instrument));
        let side = order.shown.side;
        order.extra.stop.reached(side, sources.reached(source_of(order), side)).is_some()
    }

    /// The desk of an instrument, made when first needed.
    pub(super) fn desk_mut(&mut self, instrument: InstrumentId) -> &mut Desk {
        let lane = &mut self.lanes[instrument.0 as usize];
        if lane.desk == NIL {
            lane.desk = self.desks.len() as u32;
            self.desks.push(Desk::default());
        }
        &mut self.desks[lane.desk as usize]
    }

    /// Parks a stop until it triggers; a saved one has its place in time already.
    pub(super) fn pend(&mut self, order: &InHand, entered: Option<u64>) {
        let instrument = order.shown.instrument;
        let entered = entered.unwrap_or_else(|| self.take_priority());
        let handle = self.books.park(order.shown.order_id, order.shown.leaves, entered);
        let is_trailing = order.codes.is_trailing();
        let berth = if is_trailing { Berth::Trailing } else { Berth::Stop };
        self.berth(order, handle, berth, Qty(0));
        self.lane_mut(instrument).stops += 1;
        self.desk_mut(instrument);
        let Self { lanes, desks, books, terms, extras, .. } = self;
        let desk = &mut desks[lanes[instrument.0 as usize].desk as usize];
        let source = source_of(order);
        if is_trailing {
            desk.trailing[source].append(books, handle);
        } else {
            let side = order.shown.side;
            let stop = order.extra.stop.price.unwrap_or_default();
            let entry = Entry { key: key(side, stop), tie: entered, handle };
            desk.stops[source][side.index()].insert(entry, |handle, place| {
                extras[terms[handle].extra].stop_at = place;
            });
        }
    }

    /// Takes a pending stop out of its heap or list.
    pub(super) fn unpend(&mut self, handle: u32, order: &InHand) {
        let Self { lanes, desks, books, terms, extras, .. } = self;
        let desk = &mut desks[lanes[order.shown.instrument.0 as usize].desk as usize];
        let source = source_of(order);
        if order.codes.is_trailing() {
            desk.trailing[source].unlink(books, handle);
        } else {
            let heap = &mut desk.stops[source][order.shown.side.index()];
            heap.remove(extras[terms[handle].extra].stop_at, |handle, place| {
                extras[terms[handle].extra].stop_at = place;
            });
        }
    }

    /// Lets every stop enter that is due after an order traded so, and those that they trigger.
    pub(super) fn run_stops(
        &mut self,
        instrument: InstrumentId,
        traded: Option<Traded>,
        out: &mut Vec<Execution>,
    ) {
        if self.lane(instrument).stops == 0 {
            return;
        }
        self.queue_due(instrument, traded);
        while let Some(handle) = self.triggered.pop_front() {
            let found = self.books.find(self.books.order_id(handle)).expect("a stop lives");
            let order = self.take_out(found);
            let traded = self.trigger(order, out);
            self.queue_due(instrument, traded);
        }
    }

    /// Tests all stops of an instrument against the last price and the touch.
    pub(super) fn run_all_stops(&mut self, instrument: InstrumentId, out: &mut Vec<Execution>) {
        self.run_stops(instrument, self.last_traded(instrument), out);
    }

    /// A stop that is due as it arrives.
    pub(super) fn enter_triggered(&mut self, order: InHand, out: &mut Vec<Execution>) {
        let instrument = order.shown.instrument;
        let traded = self.trigger(order, out);
        self.run_stops(instrument, traded, out);
    }

    /// A stop becomes the order that it stands for; says what it traded.
    fn trigger(&mut self, mut order: InHand, out: &mut Vec<Execution>) -> Option<Traded> {
        order.codes = order.codes.with_type(order.codes.order_type().triggered());
        order.extra.stop = Stop::default();
        let total = order.shown.total();
        out.push(order.shown.record(ExecutionKind::Triggered, total, Reason::None, self.now));
        self.process(order, Qty(0), out)
    }

    /// Queues the stops that are due; trailing ones follow the prices first.
    fn queue_due(&mut self, instrument: InstrumentId, traded: Option<Traded>) {
        let sources = self.sources(instrument, traded);
        let Self { lanes, desks, books, terms, extras, scratch, triggered, .. } = self;
        let at = lanes[instrument.0 as usize].desk;
        let Some(desk) = desks.get_mut(at as usize) else { return };
        let due = &mut scratch.due;
        for source in 0..2 {
            for side in [Side::Buy, Side::Sell] {
                let Some(reached) = sources.reached(source, side) else { continue };
                let heap = &mut desk.stops[source][side.index()];
                while let Some(&Entry { key: first, tie, handle }) = heap.first()
                    && first <= key(side, reached)
                {
                    heap.remove(0, |handle, place| extras[terms[handle].extra].stop_at = place);
                    due.push(Due { side: side.index(), key: first, entered: tie, handle });
                }
            }
            let mut handle = desk.trailing[source].head;
            while handle != NIL {
                let next = books.next(handle);
                let extra = &mut extras[terms[handle].extra];
                let side = extra.side;
                extra.stop.follow(side, sources.favourable(source, side));
                if let Some(stop) = extra.stop.reached(side, sources.reached(source, side)) {
                    desk.trailing[source].unlink(books, handle);
                    let entered = books.priority(handle);
                    due.push(Due { side: side.index(), key: key(side, stop), entered, handle });
                }
                handle = next;
            }
        }
        due.sort_unstable();
        for due in due.drain(..) {
            extras[terms[due.handle].extra].berth = Berth::Triggered;
            triggered.push_back(due.handle);
        }
    }
}
