//! Commands that arrive: orders are checked, trade, rest, wait or go.

use super::new_order::NewOrder;
use super::order::OwnOrder;
use super::simulated::Venue;
use super::wire::{Command, InFlight};
use crate::book::Replica;
use crate::event::{Execution, ExecutionKind, Reason, TimeInForce};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty};

/// When something arrives, and the books that it meets.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// Exchange time for the records.
    pub(super) ts_event: Nanos,
    /// When it arrives.
    pub(super) now: Nanos,
    pub(super) replica: &'a Replica,
}

impl Venue {
    /// Lets the first order expire or command arrive that is due by `until` and returns when it was
    /// due; at the same time an expiry goes first.
    ///
    /// Both wait while an exchange event of their instrument is open. Records get the exchange time
    /// `ts_event`.
    pub fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Option<Nanos> {
        let is_ready = |instrument| !replica.is_event_open(instrument);
        let arriving = self.wire.first_ready(until, is_ready);
        let by = arriving.map_or(until, |(_, due)| due);
        if let Some(due) = self.expire(by, ts_event, is_ready, out) {
            return Some(due);
        }
        let InFlight { due, account, instrument, command } = self.wire.take(arriving?.0)?;
        let at = Arrival { ts_event, now: due, replica };
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
        match self.check(&order, at) {
            Ok(order) => {
                out.push(order.report(ExecutionKind::Accepted, ts_event, Reason::None));
                self.admit(order, at, out);
            }
            Err(reason) => out.push(order.ended(ExecutionKind::Rejected, ts_event, reason)),
        }
    }

    fn reduce(&mut self, id: OrderId, qty: Qty, ts_event: Nanos, out: &mut Vec<Execution>) {
        let Some(order) = self.get_mut(id) else { return };
        if qty.0 == 0 {
            out.push(order.report(ExecutionKind::Rejected, ts_event, Reason::BadQuantity));
        } else if qty < order.leaves() {
            order.reduce(qty);
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
        let price = if price.0 == 0 { old.terms.price } else { price };
        if qty <= old.cum {
            self.remove(old.id);
            let reason = Reason::ReplacedBelowCum;
            out.push(old.ended(ExecutionKind::Cancelled, ts_event, reason));
            return;
        }
        let new = old.replaced(new_id, NewOrder { price, qty, ..old.terms });
        let of_old = |new: &OwnOrder, kind, reason| Execution {
            order_id: old.id.0,
            new_order_id: new_id.0,
            ..new.report(kind, ts_event, reason)
        };
        let new = match self.check(&new, at) {
            Ok(new) => new,
            Err(reason) => {
                out.push(of_old(&new, ExecutionKind::Rejected, reason));
                return;
            }
        };
        out.push(of_old(&new, ExecutionKind::Replaced, Reason::Requested));
        if new.terms.order_type.is_stop() {
            // A stop that pends keeps its price and its place in time.
            self.forget_live(old.id);
            self.note_live(&new);
            if let Some(lane) = self.lane_index(new.terms.instrument)
                && let Some(pending) = self.lanes[lane].get_mut(old.id)
            {
                *pending = new;
            }
            return;
        }
        self.remove(old.id);
        self.admit(new, at, out);
    }

    /// An accepted order pends as a stop, waits for its auction, or enters.
    fn admit(&mut self, order: OwnOrder, at: Arrival<'_>, out: &mut Vec<Execution>) {
        if order.terms.order_type.is_stop() {
            self.enter_stop(order, at, out);
        } else if order.terms.is_for_auction() {
            let lane = self.make_lane(order.terms.instrument);
            self.lanes[lane].waiting.push(order);
            self.note_live(&order);
        } else {
            self.enter(order, at, out);
        }
    }

    /// An order trades, rests, waits for trading or is cancelled.
    pub(super) fn enter(&mut self, mut order: OwnOrder, at: Arrival<'_>, out: &mut Vec<Execution>) {
        let Arrival { ts_event, replica, .. } = at;
        let instrument = order.terms.instrument;
        let collar = self.collar(&order, replica);
        let is_trading = self.is_trading(instrument, at);
        let lane_index = self.make_lane(instrument);
        let lane = &mut self.lanes[lane_index];
        let cancelled =
            |order: &OwnOrder, why| order.ended(ExecutionKind::Cancelled, ts_event, why);
        if !is_trading {
            lane.halted.push(order);
            self.note_live(&order);
            return;
        }
        order.terms.price = collar.unwrap_or(order.terms.price);
        let is_all_or_none = order.terms.time_in_force == TimeInForce::Fok;
        if is_all_or_none && lane.takeable(&order, replica) < order.leaves() {
            out.push(cancelled(&order, Reason::NotFillable));
            return;
        }
        lane.take(&mut order, replica, &mut self.fills);
        let is_market = order.terms.order_type.is_market();
        let is_open = order.leaves().0 > 0;
        let rests = is_open && !is_market && !order.terms.is_immediate();
        let reason = match is_market {
            false => Reason::ImmediateRemainder,
            true if lane.best_visible(order.terms.side.opposite(), replica).is_some() => {
                Reason::Collar
            }
            true => Reason::NoLiquidity,
        };
        if rests {
            lane.rest(order, replica);
            self.note_live(&order);
        }
        self.report_fills(ts_event, out);
        if is_open && !rests {
            out.push(cancelled(&order, reason));
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
        for mut order in std::mem::take(&mut self.lanes[lane].halted) {
            self.forget_live(order.id);
            match self.post_only_price(&order, at) {
                Ok(price) => {
                    order.terms.price = price;
                    self.enter(order, at, out);
                }
                Err(reason) => {
                    out.push(order.ended(ExecutionKind::Cancelled, at.ts_event, reason));
                }
            }
        }
    }

    /// A cross has traded: what is left of the orders for that auction goes, by ascending number.
    pub(super) fn end_auction(
        &mut self,
        instrument: InstrumentId,
        is_closing: bool,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        let Some(lane) = self.lane_index(instrument) else { return };
        let is_over =
            |own: &OwnOrder| is_closing || own.terms.time_in_force == TimeInForce::Opening;
        let waiting = self.lanes[lane].waiting.iter().filter(|own| is_over(own));
        let mut over: Vec<OrderId> = waiting.map(|own| own.id).collect();
        over.sort_unstable();
        for id in over {
            if let Some(order) = self.remove(id) {
                out.push(order.ended(ExecutionKind::Cancelled, ts_event, Reason::AuctionOver));
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
