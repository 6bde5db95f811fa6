//! Stops that wait, and those that are reached.

use std::collections::VecDeque;

use ringtape::event::{ExecutionKind, OrderType, Reason};
use ringtape::units::{Price, Side};

use super::book::Market;
use super::continuous::Traded;
use super::order::{Order, Place};
use super::tape::Tape;

impl Order {
    /// Moves a trailing stop behind the best price.
    fn follow(&mut self, traded: Traded) {
        let seen = match self.side {
            Side::Buy => traded.lowest,
            Side::Sell => traded.highest,
        };
        let Some(seen) = seen.filter(|_| self.stop.trail > 0) else { return };
        let is_better = |best: Price| match self.side {
            Side::Buy => seen < best,
            Side::Sell => seen > best,
        };
        if self.stop.best.is_some_and(|best| !is_better(best)) {
            return;
        }
        self.stop.best = Some(seen);
        let behind = self.behind(seen);
        self.stop.price = Some(match (self.side, self.stop.price) {
            (_, None) => behind,
            (Side::Buy, Some(stop)) => stop.min(behind),
            (Side::Sell, Some(stop)) => stop.max(behind),
        });
    }

    /// Where a trailing stop lies when `best` is the best price.
    fn behind(&self, best: Price) -> Price {
        match self.side {
            Side::Buy => Price(best.0 + self.stop.trail),
            Side::Sell => Price(best.0 - self.stop.trail),
        }
    }

    fn is_reached(&self, traded: Traded) -> bool {
        let Some(stop) = self.stop.price else { return false };
        match self.side {
            Side::Buy => traded.highest.is_some_and(|highest| highest >= stop),
            Side::Sell => traded.lowest.is_some_and(|lowest| lowest <= stop),
        }
    }

    /// The order that a stop becomes.
    fn triggered(mut self) -> Self {
        self.order_type = match self.order_type {
            OrderType::Stop | OrderType::Trailing => OrderType::Market,
            _ => OrderType::Limit,
        };
        self
    }
}

impl Market {
    /// An accepted stop enters: it waits, unless its price is reached already.
    pub fn enter_stop(&mut self, mut stop: Order, tape: &mut Tape) {
        let source = self.source(&stop, Traded::at(self.last_price));
        stop.follow(source);
        if self.is_matching() && stop.is_reached(source) {
            self.trigger(VecDeque::from([stop]), tape);
        } else {
            self.put(stop, Place::Stop);
            self.test_stops(Traded::default(), tape);
        }
    }

    /// Triggers what the trades of an incoming order, or the touch after it, reached; and what that
    /// reaches, and so on.
    pub fn test_stops(&mut self, traded: Traded, tape: &mut Tape) {
        let reached = self.take_reached(traded);
        self.trigger(reached.into(), tape);
    }

    fn trigger(&mut self, mut queue: VecDeque<Order>, tape: &mut Tape) {
        while let Some(stop) = queue.pop_front() {
            tape.tell(ExecutionKind::Triggered, &stop, stop.leaves, Reason::None);
            let traded = self.enter(stop.triggered(), tape);
            queue.extend(self.take_reached(traded));
        }
    }

    /// Takes out the stops that are reached, in the order in which they enter.
    fn take_reached(&mut self, traded: Traded) -> Vec<Order> {
        if !self.is_matching() {
            return Vec::new();
        }
        let (mut reached, mut others) = (Vec::new(), Vec::new());
        for mut order in self.orders.clone() {
            let source = self.source(&order, traded);
            if order.place == Place::Stop {
                order.follow(source);
            }
            match order.place == Place::Stop && order.is_reached(source) {
                true => reached.push(order),
                false => others.push(order),
            }
        }
        self.orders = others;
        reached.sort_by_key(|stop| {
            let price = stop.stop.price.expect("it was reached").0;
            match stop.side {
                Side::Buy => (0, price, stop.time),
                Side::Sell => (1, -price, stop.time),
            }
        });
        reached
    }

    /// The prices that a stop looks at.
    fn source(&self, stop: &Order, traded: Traded) -> Traded {
        match stop.stop.looks_at_touch {
            true => Traded::at(self.displayed_price(stop.side.opposite())),
            false => traded,
        }
    }
}
