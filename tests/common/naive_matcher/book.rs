//! One instrument: its orders, wherever they are, and its state.

use ringtape::event::{Instrument, Reason, TimeInForce};
use ringtape::units::{OrderId, Price, Side};

use super::auction::Cross;
use super::order::{Order, Place};
use super::{NaiveConfig, NaiveRules};

/// ns of an hour.
const HOUR: u64 = 3_600_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Trading,
    /// An auction's call is open.
    Call,
}

pub struct Market {
    pub id: u32,
    pub config: NaiveConfig,
    pub rules: NaiveRules,
    pub instrument: Instrument,
    pub state: State,
    pub is_halted: bool,
    /// Whether the call that is open is the opening auction's, the closing auction's.
    pub is_opening: bool,
    pub is_closing: bool,
    /// When the session ends whose opening auction is over.
    pub opened_until: u64,
    pub last_price: Option<Price>,
    /// What was last told of the call.
    pub indicative: Cross,
    pub orders: Vec<Order>,
    next_time: u64,
}

impl Market {
    pub fn new(id: u32, config: NaiveConfig, rules: NaiveRules) -> Self {
        Self {
            id,
            config,
            rules,
            instrument: Instrument::us_equity(""),
            state: State::Trading,
            is_halted: false,
            is_opening: false,
            is_closing: false,
            opened_until: 0,
            last_price: None,
            indicative: Cross::default(),
            orders: Vec::new(),
            next_time: 0,
        }
    }

    /// Whether incoming orders match and stops trigger.
    pub fn is_matching(&self) -> bool {
        self.state == State::Trading && !self.is_halted
    }

    /// Whether orders may come in.
    pub fn is_taking(&self, now: u64) -> bool {
        let is_open = self.rules.hours.is_none_or(|(open, close)| {
            // Walks back to the last opening or close.
            let back = (0..24).map(|back| (now / HOUR + 24 - back) % 24);
            back.into_iter().find(|hour| *hour == open || *hour == close) == Some(open)
        });
        !self.is_halted && (is_open || self.state == State::Call)
    }

    /// The end of the session that is open or opens next; the end of time without hours.
    pub fn session_end(&self, now: u64) -> u64 {
        let Some((_, close)) = self.rules.hours else { return u64::MAX };
        let hours = now / HOUR + 1..;
        hours.into_iter().find(|hour| hour % 24 == close).expect("it comes every day") * HOUR
    }

    /// When an order expires that comes in now, by its own time or with its session.
    pub fn expiry(&self, order: &Order, now: u64) -> u64 {
        let Some((open, _)) = self.rules.hours else { return order.expire_ts };
        let end = self.session_end(now);
        match order.tif {
            TimeInForce::Day | TimeInForce::Opening => end,
            TimeInForce::Closing => {
                let hours = end / HOUR..;
                hours.into_iter().find(|hour| hour % 24 == open).expect("every day") * HOUR
            }
            _ => order.expire_ts,
        }
    }

    pub fn next_time(&mut self) -> u64 {
        self.next_time += 1;
        self.next_time
    }

    pub fn order(&mut self, id: OrderId) -> &mut Order {
        self.orders.iter_mut().find(|order| order.id == id).expect("a live order")
    }

    pub fn remove(&mut self, id: OrderId) -> Order {
        let index = self.orders.iter().position(|order| order.id == id).expect("a live order");
        self.orders.remove(index)
    }

    /// Puts an order at the back of its queue.
    pub fn put(&mut self, mut order: Order, place: Place) {
        order.place = place;
        order.time = self.next_time();
        order.show();
        self.orders.push(order);
    }

    /// The orders of a side of the book.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(move |order| order.place == Place::Book && order.side == side)
    }

    /// The orders at a price in the order in which they trade: displayed before hidden, then time.
    pub fn queue(&self, side: Side, price: Price) -> Vec<&Order> {
        let mut queue: Vec<_> = self.side(side).filter(|order| order.price == price).collect();
        queue.sort_by_key(|order| (order.is_hidden, order.time));
        queue
    }

    /// The best price of a side, hidden orders included.
    pub fn best_price(&self, side: Side) -> Option<Price> {
        best(side, self.side(side).map(|order| order.price))
    }

    /// The best price that others see.
    pub fn displayed_price(&self, side: Side) -> Option<Price> {
        best(side, self.side(side).filter(|order| !order.is_hidden).map(|order| order.price))
    }

    /// Whether a new price lies on the tick.
    pub fn is_on_tick(&self, price: Price) -> bool {
        price.0 % self.instrument.tick(price) == 0
    }

    /// What is wrong with a quantity.
    pub fn check_qty(&self, qty: u64) -> Result<(), Reason> {
        let rules = &self.rules;
        let most = rules.qty_max.min(ringtape::book::ORDER_QTY_MAX.0);
        if qty == 0 || qty < rules.qty_min || qty > most {
            return Err(Reason::BadQuantity);
        }
        if !qty.is_multiple_of(rules.lot) {
            return Err(Reason::OffLot);
        }
        Ok(())
    }

    /// Whether a price is one that an order may have.
    pub fn is_in_range(&self, price: Price) -> bool {
        price.0 > 0 && self.rules.price_max.is_none_or(|most| price <= most)
    }
}

/// The best of the prices for those who rest on `side`.
fn best(side: Side, prices: impl Iterator<Item = Price>) -> Option<Price> {
    match side {
        Side::Buy => prices.max(),
        Side::Sell => prices.min(),
    }
}

/// Whether an order of `side` with this bound may trade at `price`.
pub fn is_within(side: Side, bound: Option<Price>, price: Price) -> bool {
    bound.is_none_or(|bound| !side.is_better(price, bound))
}
