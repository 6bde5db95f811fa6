//! Commands that change orders: cancel, reduce, replace, mass cancel.

use super::auction::EVERY_INSTRUMENT;
use super::config::Priority;
use super::hand::{InHand, Shown};
use super::matcher::Matcher;
use super::terms::Berth;
use crate::book::{Found, NIL, ORDER_QTY_MAX};
use crate::event::{Event, Execution, ExecutionKind, Reason, payload};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty};

/// Bits of a mass cancel's criteria.
const BY_ACCOUNT: u32 = 1;
const BY_INSTRUMENT: u32 = 2;
const BY_SIDE: u32 = 4;
const BY_PRICE: u32 = 8;

impl Matcher {
    /// The live order of a number, if it is of the instrument that the command names (0 names none)
    /// and of the account that asks, if one does.
    #[inline]
    fn find_of(
        &self,
        event: &Event,
        order_id: OrderId,
        account: Option<AccountId>,
    ) -> Option<Found> {
        let found = self.books.find(order_id)?;
        let is_of = account.is_none_or(|account| self.terms[found.handle].account == account)
            && (event.instrument == 0
                || self.instrument_of(found.handle) == InstrumentId(event.instrument));
        is_of.then_some(found)
    }

    /// The account that terms before a replacement name, and whether its number was used before.
    #[cold]
    fn take_asking(&mut self) -> (Option<AccountId>, bool) {
        self.has_terms = false;
        self.terms_at_hand = None;
        let more = self.more_terms_at_hand.take();
        let account = more.filter(|more| more.has_account != 0).map(|more| more.account);
        (account, more.is_some_and(|more| more.is_used != 0))
    }

    #[inline]
    pub(super) fn cancel(
        &mut self,
        event: &Event,
        cancel: &payload::CancelOrder,
        out: &mut Vec<Execution>,
    ) {
        let account = (cancel.any_account == 0).then_some(cancel.account);
        match self.find_of(event, cancel.order_id, account) {
            Some(found) => {
                self.end_found(found, ExecutionKind::Cancelled, Reason::Requested, out);
            }
            None => {
                let record = unknown(event, cancel.order_id, cancel.account);
                self.reject(record, Reason::UnknownOrder, out);
            }
        }
    }

    pub(super) fn reduce(
        &mut self,
        event: &Event,
        reduce: &payload::ReduceOrder,
        out: &mut Vec<Execution>,
    ) {
        let &payload::ReduceOrder { order_id, qty, account, any_account, .. } = reduce;
        match self.find_of(event, order_id, (any_account == 0).then_some(account)) {
            None => {
                let record = Execution { qty: qty.0, ..unknown(event, order_id, account) };
                self.reject(record, Reason::UnknownOrder, out);
            }
            Some(found) if qty.0 == 0 => {
                let shown = self.shown(found.handle);
                let record = shown.record(ExecutionKind::Rejected, qty, Reason::None, self.now);
                self.reject(record, Reason::BadQuantity, out);
            }
            Some(found) => self.take_off(found.handle, qty, Reason::Requested, out),
        }
    }

    pub(super) fn replace(
        &mut self,
        event: &Event,
        replace: &payload::ReplaceOrder,
        out: &mut Vec<Execution>,
    ) {
        let &payload::ReplaceOrder { order_id, price, qty, new_order_id } = replace;
        let (account, is_used) = if self.has_terms { self.take_asking() } else { (None, false) };
        let Some(found) = self.find_of(event, order_id, account) else {
            let record = Execution {
                qty: qty.0,
                new_order_id: new_order_id.0,
                ..unknown(event, order_id, account.unwrap_or(AccountId(0)))
            };
            self.reject(record, Reason::UnknownOrder, out);
            return;
        };
        if !is_used && let Some(new) = self.plain_replacement(found, replace) {
            self.exchange_plain(found, new, replace.order_id, out);
            return;
        }
        let old = self.look(found.handle);
        let total = if qty.0 == 0 { old.shown.total() } else { qty };
        let checked = match is_used {
            true => Err(Reason::DuplicateOrder),
            false => self.check_replacement(&old, replace, total),
        };
        match checked {
            Err(reason) => {
                let record = old.shown.record(ExecutionKind::Rejected, qty, Reason::None, self.now);
                self.reject(Execution { new_order_id: new_order_id.0, ..record }, reason, out);
            }
            Ok(None) => {
                self.end_found(found, ExecutionKind::Cancelled, Reason::ReplacedBelowCum, out);
            }
            Ok(Some(new)) => {
                let is_same_price = price.0 == 0 || price == old.shown.price;
                let is_cut = is_same_price && total < old.shown.total();
                if is_cut && self.config.priority == Priority::Cme {
                    out.push(self.replaced(&old, &new));
                    self.shrink(found.handle, Qty(old.shown.leaves.0 - new.shown.leaves.0));
                    self.rename(found, new.shown.order_id);
                } else {
                    self.exchange(found, &old, new, out);
                }
            }
        }
    }

    /// What becomes of a plain order, if its replacement is as plain as a new order may be.
    ///
    /// `None` also for those that will be rejected: the reason is found on the long way.
    #[inline]
    fn plain_replacement(&self, found: Found, replace: &payload::ReplaceOrder) -> Option<Shown> {
        let terms = &self.terms[found.handle];
        if terms.extra != NIL || !terms.codes.is_plain() || self.config.priority == Priority::Cme {
            return None;
        }
        let old = self.shown(found.handle);
        let lane = self.lane(old.instrument);
        let price = if replace.price.0 == 0 { old.price } else { replace.price };
        let total = if replace.qty.0 == 0 { old.total() } else { replace.qty };
        let is_same = replace.new_order_id.0 == 0 || replace.new_order_id == replace.order_id;
        let order_id = if is_same { replace.order_id } else { replace.new_order_id };
        let is_plain = lane.is_plain
            && lane.hidden[old.side.opposite().index()] == 0
            && total > old.cum
            && total <= ORDER_QTY_MAX
            && price.0 > 0
            && lane.is_on_plain_tick(price)
            && (is_same || self.books.find(order_id).is_none());
        let leaves = Qty(total.0.wrapping_sub(old.cum.0));
        is_plain.then_some(Shown { order_id, price, leaves, ..old })
    }

    /// Lets a plain order come in again, changed.
    fn exchange_plain(
        &mut self,
        found: Found,
        new: Shown,
        old_id: OrderId,
        out: &mut Vec<Execution>,
    ) {
        let codes = self.terms[found.handle].codes;
        self.books.remove_resting(found);
        let (kind, reason) = (ExecutionKind::Replaced, Reason::Requested);
        out.push(Execution {
            order_id: old_id.0,
            new_order_id: new.order_id.0,
            ..new.record(kind, new.total(), reason, self.now)
        });
        self.enter_plain(new, codes, out);
    }

    /// The order after a replacement; none if nothing of it is left, or why it is rejected.
    fn check_replacement(
        &self,
        old: &InHand,
        replace: &payload::ReplaceOrder,
        total: Qty,
    ) -> Result<Option<InHand>, Reason> {
        let Shown { order_id, instrument, cum, .. } = old.shown;
        let new_id = if replace.new_order_id.0 == 0 { order_id } else { replace.new_order_id };
        if new_id != order_id && self.is_live(new_id) {
            return Err(Reason::DuplicateOrder);
        }
        if !self.lane(instrument).takes_orders(self.now) {
            return Err(Reason::NotTrading);
        }
        if total <= cum {
            return Ok(None);
        }
        let price = if replace.price.0 == 0 { old.shown.price } else { replace.price };
        self.check_size(instrument, total)?;
        self.check_price(instrument, price, old.codes.is_market())?;
        let leaves = Qty(total.0 - cum.0);
        let mut new = *old;
        new.shown = Shown { order_id: new_id, price, leaves, ..old.shown };
        new.extra.price = price;
        if old.extra.berth == Berth::Book {
            self.check_post_only(&mut new)?;
        }
        Ok(Some(new))
    }

    /// Puts a replacement in the place of the old order, or lets it come in as a new one.
    fn exchange(&mut self, found: Found, old: &InHand, new: InHand, out: &mut Vec<Execution>) {
        let Shown { instrument, price, leaves, .. } = new.shown;
        out.push(self.replaced(old, &new));
        match old.extra.berth {
            Berth::Stop | Berth::Trailing | Berth::Triggered => {
                let handle = found.handle;
                self.books.set_parked_qty(handle, leaves);
                let at = self.terms[handle].extra;
                self.extras[at].price = price;
                self.rename(found, new.shown.order_id);
            }
            Berth::Pool(pool) => {
                self.take_out(found);
                self.wait(&new, pool, None);
            }
            Berth::Book => {
                self.take_out(found);
                if self.lane(instrument).is_call {
                    self.rest(&new);
                } else {
                    let traded = self.process(new, Qty(0), out);
                    self.run_stops(instrument, traded, out);
                }
            }
        }
    }

    fn replaced(&self, old: &InHand, new: &InHand) -> Execution {
        let total = new.shown.total();
        Execution {
            order_id: old.shown.order_id.0,
            new_order_id: new.shown.order_id.0,
            ..new.shown.record(ExecutionKind::Replaced, total, Reason::Requested, self.now)
        }
    }

    /// Gives a live order another number where it is.
    fn rename(&mut self, found: Found, order_id: OrderId) {
        let handle = found.handle;
        if self.books.order_id(handle) == order_id {
            return;
        }
        self.books.rename(found, order_id);
        let at = self.terms[handle].extra;
        if at != NIL && self.extras[at].expire_ts.0 != 0 {
            let extra = self.extras[at];
            self.forget_expiry(extra.expiry_at);
            self.note_expiry(handle, extra.expire_ts, order_id);
        }
    }

    /// Cancels every order that meets all criteria, by ascending number.
    pub(super) fn mass_cancel(
        &mut self,
        event: &Event,
        mass: &payload::MassCancel,
        out: &mut Vec<Execution>,
    ) {
        let criteria = mass.criteria;
        let rejected = unknown(event, OrderId(0), mass.account);
        if criteria == 0 || criteria >= BY_PRICE << 1 {
            self.reject(rejected, Reason::BadTerms, out);
            return;
        }
        let mut orders = std::mem::take(&mut self.scratch.orders);
        if criteria & BY_INSTRUMENT != 0 && event.instrument != EVERY_INSTRUMENT {
            self.list_orders(InstrumentId(event.instrument), &mut orders);
        } else {
            (0..self.lanes.len())
                .for_each(|id| self.list_orders(InstrumentId(id as u32), &mut orders));
        }
        orders.retain(|&(_, handle)| {
            let shown = self.shown(handle);
            let is_in_range = || {
                // An order without limit or cap is in no range.
                shown.price != Price(0)
                    && mass.lower_price <= shown.price
                    && shown.price <= mass.upper_price
            };
            (criteria & BY_ACCOUNT == 0 || shown.account == mass.account)
                && (criteria & BY_SIDE == 0 || event.side() == Some(shown.side))
                && (criteria & BY_PRICE == 0 || is_in_range())
        });
        orders.sort_unstable();
        if orders.is_empty() {
            self.reject(rejected, Reason::UnknownOrder, out);
        }
        for &(_, handle) in &orders {
            self.end(handle, ExecutionKind::Cancelled, Reason::MassCancel, out);
        }
        orders.clear();
        self.scratch.orders = orders;
    }

    /// All live orders of an instrument with their handles, in no order.
    pub(super) fn list_orders(&self, instrument: InstrumentId, into: &mut Vec<(OrderId, u32)>) {
        self.for_each_order(instrument, |handle| into.push((self.books.order_id(handle), handle)));
    }
}

/// The reject of a command about an order that is not there; it shows what the command names.
fn unknown(event: &Event, order_id: OrderId, account: AccountId) -> Execution {
    Execution {
        side: event.side,
        order_id: order_id.0,
        account: account.0,
        ..Execution::new(ExecutionKind::Rejected, event.ts_event, event.instrument)
    }
}
