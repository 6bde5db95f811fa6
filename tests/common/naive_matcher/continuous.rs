//! Continuous matching: an incoming order meets the book.

use ringtape::event::{ExecutionKind, Reason, TimeInForce};
use ringtape::units::{OrderId, Price, Side};

use super::Allocation;
use super::book::{Market, is_within};
use super::order::{Order, Place, has_limit};
use super::tape::Tape;

/// The prices that an incoming order traded at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traded {
    pub lowest: Option<Price>,
    pub highest: Option<Price>,
}

impl Traded {
    /// One price, or none.
    pub fn at(price: Option<Price>) -> Self {
        Self { lowest: price, highest: price }
    }

    fn note(&mut self, price: Price) {
        self.lowest = Some(self.lowest.map_or(price, |lowest| lowest.min(price)));
        self.highest = Some(self.highest.map_or(price, |highest| highest.max(price)));
    }
}

impl Market {
    /// Lets an incoming order trade, and then rest or end.
    pub fn enter(&mut self, mut order: Order, tape: &mut Tape) -> Traded {
        let mut traded = Traded::default();
        order.shown = 0;
        let bound = self.bound(&order);
        let needed = match order.tif {
            TimeInForce::Fok => (order.leaves, Reason::NotFillable),
            _ => (order.min_qty, Reason::MinQty),
        };
        if self.volume_for(&order, bound) < needed.0 {
            tape.end(ExecutionKind::Cancelled, &order, needed.1);
            return traded;
        }
        order.min_qty = 0;
        while order.leaves > 0 {
            let best = self.best_price(order.side.opposite());
            let Some(price) = best.filter(|&price| is_within(order.side, bound, price)) else {
                break;
            };
            match self.config.allocation {
                Allocation::Fifo => self.match_front(&mut order, price, &mut traded, tape),
                Allocation::ProRata { top } => {
                    self.match_shares(&mut order, price, top, &mut traded, tape);
                }
            }
        }
        if order.leaves > 0 {
            self.end_or_rest(order, tape);
        }
        traded
    }

    /// The worst price that an incoming order takes; `None`: any.
    fn bound(&self, order: &Order) -> Option<Price> {
        if has_limit(order.order_type) || order.is_priced() {
            return Some(order.price);
        }
        let (collar, last) = (self.rules.collar?, self.last_price?);
        Some(match order.side {
            Side::Buy => Price(last.0 + collar),
            Side::Sell => Price(last.0 - collar),
        })
    }

    /// The quantity within the bound that the order could trade with.
    fn volume_for(&self, order: &Order, bound: Option<Price>) -> u64 {
        self.side(order.side.opposite())
            .filter(|resting| is_within(order.side, bound, resting.price))
            .filter(|resting| !order.refuses(resting))
            .map(|resting| resting.leaves)
            .sum()
    }

    /// Lets an incoming order meet the first order at a price.
    pub fn match_front(
        &mut self,
        order: &mut Order,
        price: Price,
        traded: &mut Traded,
        tape: &mut Tape,
    ) {
        let front = self.queue(order.side.opposite(), price)[0].clone();
        if order.refuses(&front) {
            self.prevent_self_trade(order, front.id, tape);
            return;
        }
        let qty = order.leaves.min(front.available());
        self.trade(order, front.id, qty, traded, tape);
        self.refill_or_remove(front.id);
    }

    /// A trade at the resting order's price.
    pub fn trade(
        &mut self,
        order: &mut Order,
        resting: OrderId,
        qty: u64,
        traded: &mut Traded,
        tape: &mut Tape,
    ) {
        let resting = self.order(resting);
        resting.fill(qty);
        if !resting.is_hidden {
            resting.shown -= qty;
        }
        order.fill(qty);
        let price = resting.price;
        tape.matched(resting, order, price, qty, false);
        traded.note(price);
        self.last_price = Some(price);
    }

    /// After a trade: a filled order leaves, an iceberg with nothing displayed goes to the back.
    pub fn refill_or_remove(&mut self, id: OrderId) {
        let order = self.order(id);
        if order.leaves == 0 {
            self.remove(id);
        } else if order.available() == 0 {
            let order = self.remove(id);
            self.put(order, Place::Book);
        }
    }

    /// What becomes of what an incoming order has left.
    fn end_or_rest(&mut self, order: Order, tape: &mut Tape) {
        if order.is_market() {
            let is_liquidity_left = self.best_price(order.side.opposite()).is_some();
            let reason = if is_liquidity_left { Reason::Collar } else { Reason::NoLiquidity };
            tape.end(ExecutionKind::Cancelled, &order, reason);
        } else if matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok) {
            tape.end(ExecutionKind::Cancelled, &order, Reason::ImmediateRemainder);
        } else {
            self.put(order, Place::Book);
        }
    }
}
