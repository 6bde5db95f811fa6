//! Replacing a live order.

use ringtape::event::{Event, ExecutionKind, Reason, payload};
use ringtape::units::{OrderId, Price};

use super::order::{Order, Place, has_limit};
use super::{Asked, NaiveMatcher};

impl NaiveMatcher {
    pub fn replace(&mut self, event: &Event, replace: &payload::ReplaceOrder) {
        let &payload::ReplaceOrder { order_id, price, qty, new_order_id } = replace;
        let account = self.terms_more.filter(|more| more.has_account != 0).map(|more| more.account);
        let shown = account.map_or(0, |account| account.0);
        let asked = Asked { order_id, new_order_id, qty, account: shown, ..Asked::default() };
        let Some(old) = self.order_of(event, order_id, account) else {
            return self.reject(event, &asked, Reason::UnknownOrder);
        };
        let new_id = if new_order_id == OrderId(0) { order_id } else { new_order_id };
        let total = if qty.0 == 0 { old.total() } else { qty.0 };
        let price = if price == Price(0) { old.price } else { price };
        if new_id != order_id && self.order(new_id).is_some() {
            return self.reject_change(&old, &asked, Reason::DuplicateOrder);
        }
        let now = self.tape.now;
        if !self.market_of(&old).is_taking(now) {
            return self.reject_change(&old, &asked, Reason::NotTrading);
        }
        if total <= old.cum {
            return self.end(order_id, ExecutionKind::Cancelled, Reason::ReplacedBelowCum);
        }
        let mut new = Order { id: new_id, price, leaves: total - old.cum, ..old.clone() };
        match self.check_change(&new, total) {
            Err(reason) => self.reject_change(&old, &asked, reason),
            Ok(_) if self.keeps_place(&old, price, total) => self.shrink(&old, new_id, total),
            Ok(price) => {
                new.price = price;
                self.go_on_as(&old, new);
            }
        }
    }

    /// The price that the changed order goes on with.
    fn check_change(&mut self, new: &Order, total: u64) -> Result<Price, Reason> {
        let market = self.market_of(new);
        market.check_qty(total)?;
        let is_capless = !has_limit(new.order_type) && !new.is_priced();
        if !is_capless && !market.is_in_range(new.price) {
            return Err(Reason::BadPrice);
        }
        if !market.is_on_tick(new.price) {
            return Err(Reason::OffTick);
        }
        let is_tested = new.place == Place::Book && market.is_matching();
        if is_tested { market.post_only_price(new) } else { Ok(new.price) }
    }

    fn keeps_place(&self, old: &Order, price: Price, total: u64) -> bool {
        let is_reduction = price == old.price && total < old.total();
        self.config.reduction_keeps_place && is_reduction
    }

    /// A change that keeps the order's place.
    fn shrink(&mut self, old: &Order, new_id: OrderId, total: u64) {
        let market = self.markets.get_mut(&old.instrument).expect("its market");
        let order = market.order(old.id);
        order.take_off(old.total() - total);
        order.id = new_id;
        self.tape.replaced(old.id, order);
    }

    /// A change that loses the order's place, a pending stop's excepted.
    fn go_on_as(&mut self, old: &Order, new: Order) {
        let market = self.markets.get_mut(&old.instrument).expect("its market");
        market.remove(old.id);
        self.tape.replaced(old.id, &new);
        if new.place == Place::Stop {
            market.orders.push(Order { shown: new.leaves, ..new });
        } else if new.place == Place::Book && market.is_matching() {
            let traded = market.enter(new, &mut self.tape);
            market.test_stops(traded, &mut self.tape);
        } else {
            let place = new.place;
            market.put(new, place);
        }
    }
}
