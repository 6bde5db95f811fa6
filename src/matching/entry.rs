//! Orders that come in: the short way of plain limit orders, and the way of all others.

use super::checks::Request;
use super::config::Allocation;
use super::cross::Sweep;
use super::hand::{InHand, Shown};
use super::matcher::Matcher;
use super::stops::Traded;
use super::terms::{Berth, Codes, Pool, Terms};
use crate::book::{BookId, NIL, ORDER_QTY_MAX, Place};
use crate::event::{
    Event, Execution, ExecutionKind, OrderType, Reason, SelfTrade, TimeInForce, payload,
};
use crate::units::{InstrumentId, Qty, Side};

impl Matcher {
    /// A new order, with the terms that came before it.
    #[inline]
    pub(super) fn new_order(
        &mut self,
        event: &Event,
        new: &payload::NewOrder,
        out: &mut Vec<Execution>,
    ) {
        match self.plain(event, new) {
            Some((order, codes)) => {
                let total = order.leaves;
                out.push(order.record(ExecutionKind::Accepted, total, Reason::None, self.now));
                self.enter_plain(order, codes, out);
            }
            None => self.new_order_with_terms(event, new, out),
        }
    }

    /// A limit order that nothing sets apart, in an instrument that nothing sets apart.
    ///
    /// `None` also for orders that will be rejected: the reason is found on the long way.
    #[inline]
    fn plain(&self, event: &Event, new: &payload::NewOrder) -> Option<(Shown, Codes)> {
        let &payload::NewOrder { order_id, price, qty, account, .. } = new;
        let time_in_force = match new.time_in_force {
            0 => TimeInForce::Day,
            1 => TimeInForce::Gtc,
            3 => TimeInForce::Ioc,
            _ => return None,
        };
        let lane = self.lanes.get(event.instrument as usize)?;
        let side = event.side()?;
        let is_plain = (new.order_type | new.self_trade | new.instructions) == 0
            && !self.has_terms
            && lane.is_plain
            && lane.hidden[side.opposite().index()] == 0
            && qty.0.wrapping_sub(1) < ORDER_QTY_MAX.0
            && price.0 > 0
            && lane.is_on_plain_tick(price)
            && self.books.live_orders() < self.config.orders_max
            && self.books.find(order_id).is_none();
        let codes = Codes::new(OrderType::Limit, time_in_force, SelfTrade::None, 0);
        let instrument = InstrumentId(event.instrument);
        let cum = Qty(0);
        is_plain.then_some((
            Shown { order_id, account, instrument, side, price, leaves: qty, cum },
            codes,
        ))
    }

    /// Matches a plain order, rests what is left or cancels it.
    #[inline(never)]
    pub(super) fn enter_plain(&mut self, mut order: Shown, codes: Codes, out: &mut Vec<Execution>) {
        let Shown { order_id, instrument, side, price, .. } = order;
        let book = BookId::displayed(instrument);
        let resting = side.opposite();
        let mut sweep = Sweep::default();
        while order.leaves.0 > 0 {
            let best = self.books.best(book, resting);
            if best.qty.0 == 0 || resting.is_better(price, best.price) {
                break;
            }
            let maker = self.books.front(book, resting);
            let qty = order.leaves.min(self.books.qty(maker));
            self.trade(&mut order, maker, best.price, qty, out);
            sweep.note(best.price);
        }
        if order.leaves.0 > 0 {
            if codes.time_in_force() == TimeInForce::Ioc {
                let reason = Reason::ImmediateRemainder;
                out.push(order.ended(ExecutionKind::Cancelled, reason, self.now));
            } else {
                let handle = self.books.rest(order_id, Place { book, side, price }, order.leaves);
                self.terms.set(handle, Terms::new(order.account, codes, order.cum, NIL));
            }
        }
        if let Some(traded) = sweep.traded {
            let last = if side == Side::Buy { traded.high } else { traded.low };
            self.lane_mut(instrument).last_price = Some(last);
        }
        if self.lane(instrument).stops > 0 {
            self.run_stops(instrument, sweep.traded, out);
        }
    }

    #[inline(never)]
    fn new_order_with_terms(
        &mut self,
        event: &Event,
        new: &payload::NewOrder,
        out: &mut Vec<Execution>,
    ) {
        let terms = self.terms_at_hand.take();
        let more = self.more_terms_at_hand.take();
        self.has_terms = false;
        let request = Request { event, new, terms, more };
        match self.check(&request) {
            Ok((order, min_qty)) => self.admit(order, min_qty, out),
            Err(reason) => {
                let rejected = Execution {
                    side: event.side,
                    order_id: new.order_id.0,
                    price: request.price().0,
                    qty: new.qty.0,
                    account: new.account.0,
                    ..Execution::new(ExecutionKind::Rejected, self.now, event.instrument)
                };
                self.reject(rejected, reason, out);
            }
        }
    }

    /// Tells of a reject and counts it.
    #[inline(never)]
    pub(super) fn reject(&mut self, record: Execution, reason: Reason, out: &mut Vec<Execution>) {
        self.counts.note(reason);
        out.push(Execution { reason: reason as u16, ..record });
    }

    /// An order that passed the checks: it trades, rests, or waits.
    fn admit(&mut self, mut order: InHand, min_qty: Qty, out: &mut Vec<Execution>) {
        let Shown { instrument, leaves, .. } = order.shown;
        out.push(order.shown.record(ExecutionKind::Accepted, leaves, Reason::None, self.now));
        let is_trading = self.lane(instrument).is_trading();
        if order.codes.is_stop() {
            self.start_trailing(&mut order);
            if is_trading && self.is_due_on_entry(&order) {
                self.enter_triggered(order, out);
            } else {
                self.pend(&order, None);
                if is_trading {
                    self.run_stops(instrument, None, out);
                }
            }
        } else if let Some(pool) = self.pool_of(&order) {
            self.wait(&order, pool, None);
        } else if is_trading {
            let traded = self.process(order, min_qty, out);
            self.run_stops(instrument, traded, out);
        } else {
            self.rest(&order);
        }
    }

    /// The pool that an order waits in, if it does.
    pub(super) fn pool_of(&self, order: &InHand) -> Option<Pool> {
        match order.codes.time_in_force() {
            TimeInForce::Opening => Some(Pool::Opening),
            TimeInForce::Closing => Some(Pool::Closing),
            _ if order.codes.order_type() != OrderType::Market => None,
            _ => self.lane(order.shown.instrument).is_call.then_some(Pool::Market),
        }
    }

    /// Matches an order while trading, then rests what is left or cancels it; says what traded.
    pub(super) fn process(
        &mut self,
        mut order: InHand,
        min_qty: Qty,
        out: &mut Vec<Execution>,
    ) -> Option<Traded> {
        let Shown { instrument, side, price, leaves, .. } = order.shown;
        let is_market = order.codes.order_type() == OrderType::Market;
        let time_in_force = order.codes.time_in_force();
        let bound = if is_market { self.lane(instrument).bound(side, price) } else { price };
        let is_all_or_none = time_in_force == TimeInForce::Fok;
        let refusal = if is_all_or_none && !self.is_fillable(&order, bound, leaves) {
            Some(Reason::NotFillable)
        } else if min_qty.0 > 0 && !self.is_fillable(&order, bound, min_qty) {
            Some(Reason::MinQty)
        } else {
            None
        };
        if let Some(reason) = refusal {
            out.push(order.shown.ended(ExecutionKind::Cancelled, reason, self.now));
            return None;
        }
        let sweep = self.take(&mut order, bound, out);
        if order.shown.leaves.0 > 0 {
            let reason = if is_market {
                let is_left = self.best_queue(instrument, side.opposite()).is_some();
                if is_left { Reason::Collar } else { Reason::NoLiquidity }
            } else if is_all_or_none || time_in_force == TimeInForce::Ioc {
                Reason::ImmediateRemainder
            } else {
                self.rest(&order);
                return sweep.traded;
            };
            out.push(order.shown.ended(ExecutionKind::Cancelled, reason, self.now));
        }
        sweep.traded
    }

    /// Puts an order at the back of the queue at its price.
    pub(super) fn rest(&mut self, order: &InHand) {
        let Shown { order_id, instrument, side, price, .. } = order.shown;
        let is_hidden = order.codes.is_hidden();
        let book =
            if is_hidden { BookId::hidden(instrument) } else { BookId::displayed(instrument) };
        let shown = order.displayed();
        let handle = self.books.rest(order_id, Place { book, side, price }, shown);
        self.berth(order, handle, Berth::Book, Qty(order.shown.leaves.0 - shown.0));
        let lane = self.lane_mut(instrument);
        lane.hidden[side.index()] += u32::from(is_hidden);
        lane.icebergs += u32::from(order.codes.is_iceberg());
    }

    /// Keeps the terms of an order whose handle is new.
    pub(super) fn berth(&mut self, order: &InHand, handle: u32, berth: Berth, reserve: Qty) {
        let InHand { shown, codes, mut extra } = *order;
        let is_needed = berth != Berth::Book || extra.is_needed();
        let at = if is_needed {
            extra.berth = berth;
            extra.reserve = reserve;
            extra.price = shown.price;
            self.extras.insert(extra)
        } else {
            NIL
        };
        self.terms.set(handle, Terms::new(shown.account, codes, shown.cum, at));
        if extra.expire_ts.0 != 0 {
            self.note_expiry(handle, extra.expire_ts, shown.order_id);
        }
        self.disturb(shown.instrument);
    }

    /// Whether incoming orders are shared front to back everywhere.
    pub(super) fn is_fifo(&self) -> bool {
        self.config.allocation == Allocation::Fifo
    }
}
