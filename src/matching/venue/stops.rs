//! Own stops: they pend until the tape reaches them, then enter one after another.

use super::super::stops::{Sources, Traded, key};
use super::entry::Arrival;
use super::lane::Lane;
use super::order::OwnOrder;
use super::simulated::Venue;
use crate::book::{Change, ChangeKind};
use crate::event::{Event, EventView, Execution, ExecutionKind, Flags, Reason};
use crate::units::{InstrumentId, Price};

impl Lane {
    /// Notes what an event printed while stops pend.
    pub(super) fn note_print(&mut self, event: &Event, change: &Change) {
        if let Some(price) = printed_price(event, change) {
            self.traded = Some(Traded::and(self.traded, price));
        }
    }

    /// Takes out the stops that are due, in the order in which they enter: buys by ascending stop,
    /// sells by descending stop, equals as they arrived. Trailing ones follow the prices first.
    fn take_due(&mut self, sources: &Sources) -> Vec<OwnOrder> {
        let mut due = vec![];
        self.pending.retain_mut(|own| {
            let reached = own.see(sources);
            if let Some(price) = reached {
                due.push((own.terms.side.index(), key(own.terms.side, price), *own));
            }
            reached.is_none()
        });
        due.sort_by_key(|&(side, key, _)| (side, key));
        due.into_iter().map(|(_, _, own)| own).collect()
    }
}

impl OwnOrder {
    /// A stop sees what the sources say; its price, if they have reached it.
    fn see(&mut self, sources: &Sources) -> Option<Price> {
        let (side, source) = (self.terms.side, usize::from(self.terms.is_bidask_triggered));
        if self.terms.order_type.is_trailing() {
            self.stop.follow(side, sources.favourable(source, side));
        }
        self.stop.reached(side, sources.reached(source, side))
    }
}

impl Venue {
    /// A stop that is accepted: it enters at once if its condition is true already.
    pub(super) fn enter_stop(
        &mut self,
        mut order: OwnOrder,
        at: Arrival<'_>,
        out: &mut Vec<Execution>,
    ) {
        let (instrument, replica) = (order.terms.instrument, at.replica);
        let last = replica.last_price(instrument).map(Traded::at);
        let reached = order.see(&Sources::new(replica.touch(instrument), last));
        if reached.is_some() && self.is_trading(instrument, at) {
            self.trigger(order, at, out);
        } else {
            let lane = self.make_lane(instrument);
            self.lanes[lane].pending.push(order);
            self.note_live(&order);
        }
    }

    /// An exchange event is complete while trading: lets the stops enter that it triggered.
    ///
    /// A status that lets trade is tested with the last price.
    pub(super) fn run_stops(
        &mut self,
        event: &Event,
        instrument: InstrumentId,
        traded: Option<Traded>,
        at: Arrival<'_>,
        out: &mut Vec<Execution>,
    ) {
        let Some(lane) = self.lane_index(instrument) else { return };
        let lane = &mut self.lanes[lane];
        if lane.pending.is_empty() {
            return;
        }
        let last = match event.view() {
            EventView::Status(_) => at.replica.last_price(instrument),
            _ => None,
        };
        let traded = last.map(|last| Traded::and(traded, last)).or(traded);
        let sources = Sources::new(at.replica.touch(instrument), traded);
        for order in lane.take_due(&sources) {
            self.forget_live(order.id);
            self.trigger(order, at, out);
        }
    }

    /// A stop becomes the order that it stands for.
    fn trigger(&mut self, order: OwnOrder, at: Arrival<'_>, out: &mut Vec<Execution>) {
        let order = order.triggered();
        out.push(order.report(ExecutionKind::Triggered, at.ts_event, Reason::None));
        self.enter(order, at, out);
    }
}

/// The price at which an event printed something.
fn printed_price(event: &Event, change: &Change) -> Option<Price> {
    let (price, qty) = match event.view() {
        EventView::Execute(_) if change.kind == ChangeKind::Executed => {
            (change.order.price, change.qty)
        }
        EventView::ExecuteAt(at) if event.has(Flags::PRINTABLE) => (at.price, at.qty),
        EventView::Trade(trade) => (trade.price, trade.qty),
        EventView::Cross(cross) => (cross.price, cross.qty),
        _ => return None,
    };
    (qty.0 > 0).then_some(price)
}
