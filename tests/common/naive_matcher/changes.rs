//! What ends or shrinks live orders: cancel, reduce, mass cancel, expiry.

use ringtape::event::{Event, ExecutionKind, Reason, TimeInForce, payload};
use ringtape::units::{AccountId, OrderId, Qty};

use super::order::Order;
use super::{Asked, NaiveMatcher};

const BY_ACCOUNT: u32 = 1;
const BY_INSTRUMENT: u32 = 2;
const BY_SIDE: u32 = 4;
const BY_PRICE: u32 = 8;

/// The instrument number that means all.
pub const ALL_INSTRUMENTS: u32 = u32::MAX;

impl NaiveMatcher {
    /// Ends orders whose time has come, the earliest first.
    pub fn expire_due(&mut self) {
        let now = self.tape.now;
        let is_due = |order: &&Order| order.expire_ts != 0 && order.expire_ts <= now;
        let mut due: Vec<Order> = self.orders().filter(is_due).cloned().collect();
        due.sort_by_key(|order| (order.expire_ts, order.id));
        for order in due {
            let is_own = order.tif == TimeInForce::Gtd;
            let reason = if is_own { Reason::Expired } else { Reason::EndOfDay };
            self.end(order.id, ExecutionKind::Expired, reason);
        }
    }

    pub fn cancel(&mut self, event: &Event, cancel: &payload::CancelOrder) {
        let (order_id, account) = (cancel.order_id, cancel.account);
        let asked = Asked { order_id, account: account.0, ..Asked::default() };
        let asking = (cancel.any_account == 0).then_some(account);
        match self.order_of(event, order_id, asking) {
            None => self.reject(event, &asked, Reason::UnknownOrder),
            Some(order) => self.end(order.id, ExecutionKind::Cancelled, Reason::Requested),
        }
    }

    pub fn reduce(&mut self, event: &Event, reduce: &payload::ReduceOrder) {
        let &payload::ReduceOrder { order_id, account, qty, .. } = reduce;
        let asked = Asked { order_id, account: account.0, qty, ..Asked::default() };
        let asking = (reduce.any_account == 0).then_some(account);
        match self.order_of(event, order_id, asking) {
            None => self.reject(event, &asked, Reason::UnknownOrder),
            Some(order) if qty == Qty(0) => {
                self.reject_change(&order, &asked, Reason::BadQuantity);
            }
            Some(order) if qty.0 >= order.leaves => {
                self.end(order.id, ExecutionKind::Cancelled, Reason::Requested);
            }
            Some(order) => {
                let order =
                    self.markets.get_mut(&order.instrument).expect("a market").order(order_id);
                order.take_off(qty.0);
                self.tape.tell(ExecutionKind::Reduced, order, qty.0, Reason::Requested);
            }
        }
    }

    pub fn mass_cancel(&mut self, event: &Event, mass: &payload::MassCancel) {
        let asked = Asked { account: mass.account.0, ..Asked::default() };
        let known = BY_ACCOUNT | BY_INSTRUMENT | BY_SIDE | BY_PRICE;
        if mass.criteria == 0 || mass.criteria & !known != 0 {
            return self.reject(event, &asked, Reason::BadTerms);
        }
        let asks = |criterion: u32| mass.criteria & criterion != 0;
        let is_meant = |order: &&Order| {
            let of_account = order.account == mass.account.0;
            let of_instrument = [order.instrument, ALL_INSTRUMENTS].contains(&event.instrument);
            let of_side = Some(order.side) == event.side();
            let of_price =
                order.is_priced() && (mass.lower_price..=mass.upper_price).contains(&order.price);
            (of_account || !asks(BY_ACCOUNT))
                && (of_instrument || !asks(BY_INSTRUMENT))
                && (of_side || !asks(BY_SIDE))
                && (of_price || !asks(BY_PRICE))
        };
        let mut ids: Vec<OrderId> = self.orders().filter(is_meant).map(|order| order.id).collect();
        ids.sort();
        if ids.is_empty() {
            return self.reject(event, &asked, Reason::UnknownOrder);
        }
        for id in ids {
            self.end(id, ExecutionKind::Cancelled, Reason::MassCancel);
        }
    }

    /// Ends a live order.
    pub fn end(&mut self, id: OrderId, kind: ExecutionKind, reason: Reason) {
        let instrument = self.order(id).expect("a live order").instrument;
        let order = self.markets.get_mut(&instrument).expect("its market").remove(id);
        self.tape.end(kind, &order, reason);
    }

    /// The live order of that number, if it is the account's that asks and of the instrument that
    /// the command names.
    pub fn order_of(
        &self,
        event: &Event,
        id: OrderId,
        account: Option<AccountId>,
    ) -> Option<Order> {
        let order = self.order(id)?;
        let is_named = [0, order.instrument].contains(&event.instrument);
        let is_own = account.is_none_or(|account| order.account == account.0);
        (is_named && is_own).then(|| order.clone())
    }
}
