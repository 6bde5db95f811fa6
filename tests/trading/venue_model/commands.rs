//! What own orders do of themselves and by command: they trigger, expire, enter, change and go.

use ringtape::event::{OrderType, Reason, TimeInForce};
use ringtape::matching::{Command, NewOrder};
use ringtape::units::{Nanos, OrderId, Price, Qty, Side};

use super::{Mine, NaiveVenue, Place, sign};

impl NaiveVenue {
    // ---- stops ----

    /// Lets a stop see the market; its price if it is due.
    fn see(&mut self, id: u64, printed: Option<[Price; 2]>) -> Option<Price> {
        let (ask, bid) = (self.best_real(Side::Sell, false), self.best_real(Side::Buy, false));
        let mine = self.mine.get_mut(&id).expect("a stop");
        let (terms, is_buy) = (mine.terms, mine.terms.side == Side::Buy);
        let [high, low] = [printed.map(|p| p[0]), printed.map(|p| p[1])];
        let (reached, good) = match (terms.is_bidask_triggered, is_buy) {
            (true, true) => (ask, ask),
            (true, false) => (bid, bid),
            (false, true) => (high, low),
            (false, false) => (low, high),
        };
        if terms.trail.0 > 0
            && let Some(good) = good
        {
            let best = mine.best.map_or(good, |b| if is_buy { b.min(good) } else { b.max(good) });
            let stop = Price(best.0 + if is_buy { terms.trail.0 } else { -terms.trail.0 });
            mine.best = Some(best);
            mine.stop =
                Some(mine.stop.map_or(stop, |s| if is_buy { s.min(stop) } else { s.max(stop) }));
        }
        let is_reached =
            |stop: Price, price: Price| if is_buy { price >= stop } else { price <= stop };
        mine.stop.filter(|&stop| reached.is_some_and(|price| is_reached(stop, price)))
    }

    pub(super) fn run_stops(&mut self, printed: Option<[Price; 2]>) {
        let pending = self.mine.iter().filter(|(_, mine)| mine.place == Place::Pending);
        let pending: Vec<(u64, u64)> = pending.map(|(&id, mine)| (id, mine.arrival)).collect();
        let mut due = vec![];
        for (id, arrival) in pending {
            let side = self.mine[&id].terms.side;
            if let Some(stop) = self.see(id, printed) {
                due.push((side == Side::Sell, -sign(side) * stop.0, arrival, id));
            }
        }
        due.sort_unstable();
        due.into_iter().for_each(|(.., id)| self.trigger(id));
    }

    fn trigger(&mut self, id: u64) {
        let mine = self.mine.get_mut(&id).expect("a stop");
        let is_market = matches!(mine.terms.order_type, OrderType::Stop | OrderType::Trailing);
        mine.terms.order_type = if is_market { OrderType::Market } else { OrderType::Limit };
        (mine.terms.trail, mine.stop) = (Price(0), None);
        self.told.push(("triggered", id, mine.terms.qty.0, mine.terms.price, Reason::None));
        self.enter(id);
    }

    // ---- commands ----

    pub(crate) fn send(&mut self, now: u64, way: u64, command: Command) {
        let last = self.wire.back().map_or(0, |(due, _)| *due);
        self.wire.push_back((last.max(now + way), command));
    }

    /// Lets orders expire and commands arrive that are due.
    pub(crate) fn receive(&mut self, now: u64) {
        while !self.is_open {
            let command = self.wire.front().map(|(due, _)| *due).filter(|due| *due <= now);
            let expiry = self
                .mine
                .iter()
                .filter(|(_, mine)| mine.terms.expire_ts.0 > 0)
                .map(|(&id, mine)| (mine.terms.expire_ts.0, id))
                .min();
            match expiry.filter(|(due, _)| *due <= command.unwrap_or(now)) {
                Some((_, id)) => self.end(id, "expired", Reason::Expired),
                None if command.is_none() => return,
                None => {
                    let (due, command) = self.wire.pop_front().expect("it is due");
                    self.take(due, &command);
                }
            }
        }
    }

    fn take(&mut self, now: u64, command: &Command) {
        let number = |order_id: OrderId| order_id.0 & !OrderId::OWN;
        match *command {
            Command::New { order_id, terms } => {
                let id = number(order_id);
                match self.check(&terms, now) {
                    Ok(price) => {
                        let terms = NewOrder { price, ..terms };
                        self.told.push(("accepted", id, terms.qty.0, price, Reason::None));
                        self.admit(id, terms, 0);
                    }
                    Err(reason) => {
                        self.told.push(("rejected", id, terms.qty.0, terms.price, reason));
                    }
                }
            }
            Command::Cancel { order_id } => {
                let id = number(order_id);
                match self.mine.contains_key(&id) {
                    true => self.end(id, "cancelled", Reason::Requested),
                    false => self.unknown(id),
                }
            }
            Command::Reduce { order_id, qty } => {
                let id = number(order_id);
                match self.mine.get_mut(&id) {
                    None => self.unknown(id),
                    Some(mine) if qty.0 >= mine.leaves() => {
                        self.end(id, "cancelled", Reason::Requested);
                    }
                    Some(mine) => {
                        mine.terms.qty.0 -= qty.0;
                        mine.displayed = mine.displayed.min(mine.leaves());
                        let price = mine.terms.price;
                        self.told.push(("reduced", id, qty.0, price, Reason::Requested));
                    }
                }
            }
            Command::Replace { order_id, new_order_id, price, qty } => {
                self.replace(number(order_id), number(new_order_id), price, qty, now);
            }
        }
    }

    fn replace(&mut self, id: u64, new_id: u64, price: Price, qty: Qty, now: u64) {
        let Some(old) = self.mine.get(&id).cloned() else { return self.unknown(id) };
        let qty = if qty.0 == 0 { old.terms.qty } else { qty };
        let price = if price.0 == 0 { old.terms.price } else { price };
        if qty.0 <= old.cum {
            return self.end(id, "cancelled", Reason::ReplacedBelowCum);
        }
        let mut terms = NewOrder { price, qty, ..old.terms };
        match self.check(&terms, now) {
            Err(reason) => self.told.push(("rejected", id, qty.0, price, reason)),
            Ok(price) => {
                terms.price = price;
                self.told.push(("replaced", id, qty.0, price, Reason::Requested));
                self.leave(id);
                if old.place == Place::Pending {
                    self.mine.insert(new_id, Mine { terms, ..old });
                } else {
                    self.admit(new_id, terms, old.cum);
                }
            }
        }
    }

    fn unknown(&mut self, id: u64) {
        self.told.push(("rejected", id, 0, Price(0), Reason::UnknownOrder));
    }

    fn leave(&mut self, id: u64) -> Mine {
        self.orders.retain(|o| !(o.is_own && o.id == id));
        self.mine.remove(&id).expect("an own order")
    }

    pub(super) fn end(&mut self, id: u64, what: &'static str, reason: Reason) {
        let mine = self.leave(id);
        self.told.push((what, id, mine.leaves(), mine.terms.price, reason));
    }

    /// Its price, or why an order is not taken; its terms go together.
    fn check(&self, terms: &NewOrder, now: u64) -> Result<Price, Reason> {
        use TimeInForce as Tif;
        match terms.time_in_force {
            Tif::Gtd if terms.expire_ts <= Nanos(now) => Err(Reason::BadTerms),
            Tif::Ioc | Tif::Fok if !self.is_trading => Err(Reason::NotTrading),
            Tif::Opening if self.over[0] => Err(Reason::AuctionOver),
            Tif::Closing if self.over[1] => Err(Reason::AuctionOver),
            _ => self.at_price(terms),
        }
    }

    /// The limit of an order that may not take, or may be moved instead.
    pub(super) fn at_price(&self, terms: &NewOrder) -> Result<Price, Reason> {
        let best = self.best_real(terms.side.opposite(), true);
        let takes = best.filter(|&best| !terms.side.is_better(best, terms.price));
        match takes {
            Some(best) if terms.is_post_only && self.is_trading => {
                let moved = Price(best.0 + sign(terms.side) * 100);
                terms.is_repriced.then_some(moved).ok_or(Reason::WouldTake)
            }
            _ => Ok(terms.price),
        }
    }

    fn admit(&mut self, id: u64, terms: NewOrder, cum: u64) {
        self.arrivals += 1;
        let is_stop = !matches!(terms.order_type, OrderType::Limit | OrderType::Market);
        let is_for_auction =
            matches!(terms.time_in_force, TimeInForce::Opening | TimeInForce::Closing);
        let place = if is_stop { Place::Pending } else { Place::Waiting };
        let stop = Some(terms.stop_price).filter(|stop| is_stop && stop.0 > 0);
        let displayed = terms.display_qty.0.min(terms.qty.0 - cum);
        let (best, arrival) = (None, self.arrivals);
        self.mine.insert(id, Mine { terms, cum, displayed, place, stop, best, arrival });
        if is_stop {
            let last = self.last_price.map(|price| [price; 2]);
            if self.see(id, last).is_some() && self.is_trading {
                self.trigger(id);
            }
        } else if !is_for_auction {
            self.enter(id);
        }
    }

    /// An order takes what is visible, rests, waits or goes.
    pub(super) fn enter(&mut self, id: u64) {
        let mine = &self.mine[&id];
        let (terms, leaves) = (mine.terms, mine.leaves());
        if !self.is_trading {
            self.mine.get_mut(&id).expect("it is there").place = Place::Halted;
            return;
        }
        let is_market = terms.order_type == OrderType::Market;
        let is_any = is_market && terms.price.0 == 0;
        let mut reach = self.queue(terms.side.opposite());
        reach.retain(|&at| {
            let real = &self.orders[at];
            !real.is_own && (is_any || !terms.side.is_better(real.price, terms.price))
        });
        let visible: u64 =
            reach.iter().map(|&at| self.orders[at].qty - self.orders[at].taken).sum();
        if terms.time_in_force == TimeInForce::Fok && visible < leaves {
            return self.end(id, "cancelled", Reason::NotFillable);
        }
        let mut left = leaves;
        for at in reach {
            let real = &mut self.orders[at];
            let qty = left.min(real.qty - real.taken);
            if qty > 0 {
                real.taken += qty;
                left -= qty;
                let price = real.price;
                self.fill(id, qty, price);
            }
        }
        let is_immediate = matches!(terms.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let has_more = self.best_real(terms.side.opposite(), true).is_some();
        match left {
            0 => {
                self.leave(id);
            }
            _ if is_market && has_more => self.end(id, "cancelled", Reason::Collar),
            _ if is_market => self.end(id, "cancelled", Reason::NoLiquidity),
            _ if is_immediate => self.end(id, "cancelled", Reason::ImmediateRemainder),
            _ => self.stand(id),
        }
    }
}
