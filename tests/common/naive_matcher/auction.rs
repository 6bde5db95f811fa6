//! The auction: who takes part, at which price most trades, who trades with whom.

use ringtape::event::{ExecutionKind, Reason, TimeInForce, payload};
use ringtape::units::{OrderId, Price, Side};

use super::book::{Market, State, is_within};
use super::continuous::Traded;
use super::order::{Order, Place, has_limit};
use super::tape::Tape;

/// What an auction would trade: nothing without orders, or as long as the volume is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cross {
    pub price: Price,
    pub volume: u64,
    /// What more is bought than sold at the price.
    pub imbalance: i128,
}

/// The part of an order that stands at one place of the allocation.
#[derive(Clone, Debug)]
struct Part {
    id: OrderId,
    open: u64,
    is_reserve: bool,
}

/// Displayed parts of a price trade before hidden orders, and those before icebergs' reserves.
const DISPLAYED: u8 = 0;
const HIDDEN: u8 = 1;
const RESERVE: u8 = 2;

impl Market {
    fn takes_part(&self, order: &Order) -> bool {
        match order.place {
            Place::Book | Place::Pool => true,
            Place::ForAuction => match order.tif {
                TimeInForce::Opening => self.is_opening,
                _ => self.is_closing,
            },
            Place::Stop => false,
        }
    }

    /// What of an order that takes part may trade at `price`.
    fn quantity_at(&self, price: Price, side: Side) -> u64 {
        let orders = self.orders.iter().filter(|order| order.side == side);
        let orders = orders.filter(|order| self.takes_part(order));
        orders.filter(|order| may_trade(order, price)).map(|order| order.leaves).sum()
    }

    /// The price at which most trades, with what trades there; by the five rules.
    fn cross(&self, reference: Option<Price>) -> Cross {
        let orders = || self.orders.iter().filter(|order| self.takes_part(order));
        if orders().next().is_none() {
            return Cross::default();
        }
        let limits = orders().filter(|order| is_bound(order)).map(|order| order.price);
        let mut candidates: Vec<Price> = limits.collect();
        let (lowest, highest) = (candidates.iter().min(), candidates.iter().max());
        let is_inside = |price: &Price| {
            lowest.is_none_or(|lowest| lowest <= price)
                && highest.is_none_or(|highest| highest >= price)
        };
        candidates.extend(reference.filter(is_inside));
        let mut crosses: Vec<Cross> = candidates
            .into_iter()
            .map(|price| {
                let bought = self.quantity_at(price, Side::Buy);
                let sold = self.quantity_at(price, Side::Sell);
                let imbalance = i128::from(bought) - i128::from(sold);
                Cross { price, volume: bought.min(sold), imbalance }
            })
            .collect();
        let Some(most) = crosses.iter().map(|cross| cross.volume).max() else {
            return Cross::default();
        };
        crosses.retain(|cross| cross.volume == most);
        let least = crosses.iter().map(|cross| cross.imbalance.abs()).min();
        crosses.retain(|cross| Some(cross.imbalance.abs()) == least);
        if crosses.iter().all(|cross| cross.imbalance > 0) {
            return highest_of(&crosses);
        }
        if crosses.iter().all(|cross| cross.imbalance < 0) {
            return crosses.iter().copied().min_by_key(|cross| cross.price).expect("at least one");
        }
        if let Some(reference) = reference {
            let distance = |cross: &Cross| (cross.price.0 - reference.0).abs();
            let nearest = crosses.iter().map(distance).min();
            crosses.retain(|cross| Some(distance(cross)) == nearest);
        }
        highest_of(&crosses)
    }

    fn reference(&self) -> Option<Price> {
        self.last_price.or(self.rules.previous_close)
    }

    /// Tells what the call would trade now, when that changed.
    pub fn publish_indicative(&mut self, tape: &mut Tape) {
        if self.state != State::Call {
            return;
        }
        let cross = self.cross(self.reference());
        if cross == self.indicative {
            return;
        }
        self.indicative = cross;
        let status = tape.status(self.id, Reason::Indicative);
        status.price = cross.price.0;
        status.qty = cross.volume;
        status.leaves = cross.imbalance.unsigned_abs() as u64;
        status.side = match cross.imbalance {
            0 => 0,
            1.. => Side::Buy as u8,
            _ => Side::Sell as u8,
        };
    }

    /// Ends the call with trades at one price, unless the collar excludes it.
    pub fn uncross(&mut self, phase: &payload::Phase, tape: &mut Tape) {
        let given = Some(phase.reference_price).filter(|price| price.0 != 0);
        let found = self.cross(self.reference().or(given));
        let cross = if found.volume == 0 { Cross::default() } else { found };
        let is_below = phase.lower_price.0 != 0 && cross.price < phase.lower_price;
        let is_above = phase.upper_price.0 != 0 && cross.price > phase.upper_price;
        let is_excluded = cross.volume > 0 && (is_below || is_above);
        let reason = if is_excluded { Reason::Collar } else { Reason::Uncrossed };
        let status = tape.status(self.id, reason);
        status.price = cross.price.0;
        status.qty = cross.volume;
        if is_excluded {
            return;
        }
        if cross.volume > 0 {
            self.trade_auction(cross, tape);
            self.last_price = Some(cross.price);
        }
        self.end_auction_orders(tape);
        self.state = State::Trading;
        if self.is_opening {
            self.opened_until = self.session_end(tape.now);
        }
        self.indicative = Cross::default();
        self.test_stops(Traded::at(self.last_price), tape);
    }

    /// Two pointers down the two lists.
    fn trade_auction(&mut self, cross: Cross, tape: &mut Tape) {
        let mut buys = self.allocation(Side::Buy, cross.price);
        let mut sells = self.allocation(Side::Sell, cross.price);
        let traders: Vec<OrderId> =
            buys.iter().chain(&sells).filter(|part| !part.is_reserve).map(|part| part.id).collect();
        let (mut buy, mut sell) = (0, 0);
        while buy < buys.len() && sell < sells.len() {
            let qty = buys[buy].open.min(sells[sell].open);
            for part in [&mut buys[buy], &mut sells[sell]] {
                part.open -= qty;
                let order = self.order(part.id);
                order.fill(qty);
                if !order.is_hidden && !part.is_reserve {
                    order.shown -= qty;
                }
            }
            let bought = self.order(buys[buy].id).clone();
            let sold = self.order(sells[sell].id).clone();
            tape.matched(&bought, &sold, cross.price, qty, true);
            buy += usize::from(buys[buy].open == 0);
            sell += usize::from(sells[sell].open == 0);
        }
        for id in traders {
            self.refill_or_remove(id);
        }
    }

    /// What may trade of a side, in the order in which it does.
    fn allocation(&self, side: Side, price: Price) -> Vec<Part> {
        let orders = self.orders.iter().filter(|order| order.side == side);
        let orders = orders.filter(|order| self.takes_part(order) && may_trade(order, price));
        let mut parts = Vec::new();
        for order in orders {
            let price_rank = match (is_bound(order), side) {
                (false, _) => i64::MIN,
                (true, Side::Buy) => -order.price.0,
                (true, Side::Sell) => order.price.0,
            };
            let is_hidden = order.is_hidden && !order.is_market();
            let first = if is_hidden { HIDDEN } else { DISPLAYED };
            let split = [(first, order.available()), (RESERVE, order.reserve())];
            for (class, open) in split.into_iter().filter(|(_, open)| *open > 0) {
                let part = Part { id: order.id, open, is_reserve: class == RESERVE };
                parts.push(((price_rank, class, order.time), part));
            }
        }
        parts.sort_by_key(|(rank, _)| *rank);
        parts.into_iter().map(|(_, part)| part).collect()
    }

    /// Cancels what is left of orders that were for this auction alone.
    fn end_auction_orders(&mut self, tape: &mut Tape) {
        let is_over = |order: &&Order| order.place != Place::Book && self.takes_part(order);
        let over = self.orders.iter().filter(is_over);
        let mut over: Vec<(OrderId, Reason)> = over
            .map(|order| match order.place {
                Place::Pool => (order.id, Reason::NoLiquidity),
                _ => (order.id, Reason::AuctionOver),
            })
            .collect();
        over.sort_by_key(|(id, _)| *id);
        for (id, reason) in over {
            let order = self.remove(id);
            tape.end(ExecutionKind::Cancelled, &order, reason);
        }
    }
}

/// Whether an order has a limit or a cap.
fn is_bound(order: &Order) -> bool {
    has_limit(order.order_type) || order.is_priced()
}

/// Whether a limit or cap allows the price.
fn may_trade(order: &Order, price: Price) -> bool {
    is_within(order.side, is_bound(order).then_some(order.price), price)
}

fn highest_of(crosses: &[Cross]) -> Cross {
    crosses.iter().copied().max_by_key(|cross| cross.price).expect("at least one")
}
