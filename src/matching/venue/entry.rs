//! Commands that arrive: orders are checked, trade, rest, wait or go.

use super::order::{NewOrder, OwnOrder};
use super::simulated::Venue;
use super::wire::{Command, InFlight};
use crate::book::{ORDER_QTY_MAX, Replica};
use crate::event::{Execution, ExecutionKind, Instrument, Reason, TimeInForce};
use crate::limits::INSTRUMENTS_MAX;
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty};

/// When something arrives, and the books that it meets.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// Exchange time for the records.
    pub(super) ts_event: Nanos,
    pub(super) replica: &'a Replica,
}

impl Venue {
    /// Lets the first command that is due by `until` arrive and returns when it was due.
    ///
    /// Commands of an instrument wait while an exchange event of it is open. Records get the
    /// exchange time `ts_event`.
    pub fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Option<Nanos> {
        let is_ready = |instrument| !replica.is_event_open(instrument);
        let InFlight { due, account, instrument, command } = self.wire.receive(until, is_ready)?;
        let at = Arrival { ts_event, replica };
        let unknown = |order_id| unknown_order(order_id, account, instrument, ts_event);
        // An order of another account is none that this one may change.
        let mut own = |order_id| self.get_mut(order_id).copied().filter(|o| o.account == account);
        match command {
            Command::New { order_id, terms } => {
                self.new_order(OwnOrder::new(order_id, account, terms), at, out);
            }
            Command::Cancel { order_id } => match own(order_id) {
                Some(order) => {
                    self.remove(order_id);
                    out.push(order.ended(ExecutionKind::Cancelled, ts_event, Reason::Requested));
                }
                None => out.push(unknown(order_id)),
            },
            Command::Reduce { order_id, qty } => match own(order_id) {
                Some(_) => self.reduce(order_id, qty, ts_event, out),
                None => out.push(unknown(order_id)),
            },
            Command::Replace { order_id, new_order_id, price, qty } => match own(order_id) {
                Some(old) => {
                    self.replace(&old, new_order_id, price, qty, at, out);
                }
                None => {
                    out.push(Execution { new_order_id: new_order_id.0, ..unknown(order_id) });
                }
            },
        }
        Some(due)
    }

    fn new_order(&mut self, order: OwnOrder, at: Arrival<'_>, out: &mut Vec<Execution>) {
        let ts_event = at.ts_event;
        match self.refusal(&order, at.replica) {
            None => {
                out.push(order.report(ExecutionKind::Accepted, ts_event, Reason::None));
                self.enter(order, at, out);
            }
            Some(reason) => out.push(order.ended(ExecutionKind::Rejected, ts_event, reason)),
        }
    }

    fn reduce(&mut self, id: OrderId, qty: Qty, ts_event: Nanos, out: &mut Vec<Execution>) {
        let Some(order) = self.get_mut(id) else { return };
        if qty.0 == 0 {
            out.push(order.report(ExecutionKind::Rejected, ts_event, Reason::BadQuantity));
        } else if qty < order.leaves() {
            order.terms.qty.0 -= qty.0;
            let reduced = order.report(ExecutionKind::Reduced, ts_event, Reason::Requested);
            out.push(Execution { qty: qty.0, ..reduced });
        } else if let Some(order) = self.remove(id) {
            out.push(order.ended(ExecutionKind::Cancelled, ts_event, Reason::Requested));
        }
    }

    fn replace(
        &mut self,
        old: &OwnOrder,
        new_id: OrderId,
        price: Price,
        qty: Qty,
        at: Arrival<'_>,
        out: &mut Vec<Execution>,
    ) {
        let ts_event = at.ts_event;
        let qty = if qty.0 == 0 { old.terms.qty } else { qty };
        if qty <= old.cum {
            self.remove(old.id);
            let reason = Reason::ReplacedBelowCum;
            out.push(old.ended(ExecutionKind::Cancelled, ts_event, reason));
            return;
        }
        let terms = NewOrder { price, qty, ..old.terms };
        let new = OwnOrder { cum: old.cum, ..OwnOrder::new(new_id, old.account, terms) };
        let of_old = |kind, reason| Execution {
            order_id: old.id.0,
            new_order_id: new_id.0,
            ..new.report(kind, ts_event, reason)
        };
        if let Some(reason) = self.refusal(&new, at.replica) {
            out.push(of_old(ExecutionKind::Rejected, reason));
            return;
        }
        self.remove(old.id);
        out.push(of_old(ExecutionKind::Replaced, Reason::Requested));
        self.enter(new, at, out);
    }

    /// Why an order is not accepted; `None` when it is.
    fn refusal(&self, order: &OwnOrder, replica: &Replica) -> Option<Reason> {
        let NewOrder { instrument, price, qty, time_in_force, is_post_only, .. } = order.terms;
        if self.killed.binary_search(&order.account).is_ok() {
            return Some(Reason::Killed);
        }
        let known = replica.instruments().get(instrument);
        let Some(known) = known.filter(|_| (instrument.0 as usize) < INSTRUMENTS_MAX) else {
            return Some(Reason::UnknownInstrument);
        };
        if self.find_live(order.id).is_ok() {
            return Some(Reason::DuplicateOrder);
        }
        if qty.0 == 0 || qty > ORDER_QTY_MAX {
            return Some(Reason::BadQuantity);
        }
        if price.0 <= 0 || !is_representable(price, known) {
            return Some(Reason::BadPrice);
        }
        if price.0 % known.tick(price) != 0 {
            return Some(Reason::OffTick);
        }
        if !matches!(time_in_force, TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok) {
            return Some(Reason::BadTerms);
        }
        let is_trading = replica.is_trading(instrument);
        if !is_trading && time_in_force != TimeInForce::Day {
            return Some(Reason::NotTrading);
        }
        let would_take =
            || self.lane_or_empty(instrument, |lane| lane.takeable(order, replica).0 > 0);
        (is_post_only && is_trading && would_take()).then_some(Reason::WouldTake)
    }

    /// An accepted order trades, rests, waits or is cancelled.
    fn enter(&mut self, mut order: OwnOrder, at: Arrival<'_>, out: &mut Vec<Execution>) {
        let Arrival { ts_event, replica } = at;
        let instrument = order.terms.instrument;
        let lane_index = self.make_lane(instrument);
        let lane = &mut self.lanes[lane_index];
        let cancelled =
            |order: &OwnOrder, why| order.ended(ExecutionKind::Cancelled, ts_event, why);
        if !replica.is_trading(instrument) {
            lane.halted.push(order);
            self.note_live(order.id, instrument);
            return;
        }
        let is_all_or_none = order.terms.time_in_force == TimeInForce::Fok;
        if is_all_or_none && lane.takeable(&order, replica) < order.leaves() {
            out.push(cancelled(&order, Reason::NotFillable));
            return;
        }
        lane.take(&mut order, replica, &mut self.fills);
        let rests = order.leaves().0 > 0 && order.terms.time_in_force == TimeInForce::Day;
        if rests {
            lane.rest(order, replica);
            self.note_live(order.id, instrument);
        }
        self.report_fills(ts_event, out);
        if !rests && order.leaves().0 > 0 {
            out.push(cancelled(&order, Reason::ImmediateRemainder));
        }
    }

    /// Trading resumed: orders that waited enter in the order of their arrival.
    pub(super) fn enter_halted(
        &mut self,
        instrument: InstrumentId,
        at: Arrival<'_>,
        out: &mut Vec<Execution>,
    ) {
        let Some(lane) = self.lane_index(instrument) else { return };
        if self.lanes[lane].halted.is_empty() {
            return;
        }
        for order in std::mem::take(&mut self.lanes[lane].halted) {
            self.forget_live(order.id);
            let would_take = self.lanes[lane].takeable(&order, at.replica).0 > 0;
            if order.terms.is_post_only && would_take {
                let reason = Reason::WouldTake;
                out.push(order.ended(ExecutionKind::Cancelled, at.ts_event, reason));
            } else {
                self.enter(order, at, out);
            }
        }
    }
}

/// The answer to a command about an order that is not at the venue.
pub(super) fn unknown_order(
    order_id: OrderId,
    account: AccountId,
    instrument: InstrumentId,
    ts_event: Nanos,
) -> Execution {
    Execution {
        order_id: order_id.0,
        account: account.0,
        reason: Reason::UnknownOrder as u16,
        ..Execution::new(ExecutionKind::Rejected, ts_event.0, instrument.0)
    }
}

/// Whether a price fits 64 bits in 1e-9 of the currency.
fn is_representable(price: Price, instrument: &Instrument) -> bool {
    let scaled = i128::from(price.0) * i128::from(instrument.price_increment);
    i64::try_from(scaled).is_ok()
}
