//! New orders: what is checked, and where they go.

use ringtape::event::{
    Event, ExecutionKind, Instructions, OrderType, Reason, SelfTrade, TimeInForce, payload,
};
use ringtape::units::{Price, Side};

use super::book::{Market, State};
use super::order::{Order, Place, StopTerms, has_limit, is_stop, is_trailing};
use super::{Asked, NaiveMatcher};

/// A new order with its terms, as asked for.
struct Request {
    order: Order,
    stop_price: Price,
    display_qty: u64,
    has_trigger_bidask: bool,
}

impl NaiveMatcher {
    pub fn new_order(&mut self, event: &Event, new: &payload::NewOrder) {
        let terms = self.terms.take().unwrap_or(bytemuck::Zeroable::zeroed());
        let more = self.terms_more.take().unwrap_or(bytemuck::Zeroable::zeroed());
        let mut asked = Asked {
            order_id: new.order_id,
            account: new.account.0,
            price: new.price,
            qty: new.qty,
            ..Asked::default()
        };
        let Some(request) = request(event, new, &terms, &more) else {
            return self.reject(event, &asked, Reason::BadTerms);
        };
        asked.price = request.order.price;
        match self.check(event, &request) {
            Err(reason) => self.reject(event, &asked, reason),
            Ok(price) => {
                let market = self.markets.get_mut(&event.instrument).expect("it was checked");
                let mut order = request.order;
                order.price = price;
                order.expire_ts = market.expiry(&order, self.tape.now);
                self.tape.tell(ExecutionKind::Accepted, &order, order.leaves, Reason::None);
                match place(&order, market.state) {
                    Some(place) => market.put(order, place),
                    None if order.is_stop() => market.enter_stop(order, &mut self.tape),
                    None => {
                        let traded = market.enter(order, &mut self.tape);
                        market.test_stops(traded, &mut self.tape);
                    }
                }
            }
        }
    }

    /// The price that an order is accepted with, or the first reason why it is not.
    fn check(&self, event: &Event, request: &Request) -> Result<Price, Reason> {
        let order = &request.order;
        let Some(market) = self.markets.get(&event.instrument) else {
            return Err(Reason::UnknownInstrument);
        };
        if self.order(order.id).is_some() {
            return Err(Reason::DuplicateOrder);
        }
        market.check_qty(order.leaves)?;
        market.check_prices(request)?;
        if has_contradiction(request, self.tape.now) {
            return Err(Reason::BadTerms);
        }
        market.check_state(order, self.tape.now)?;
        if self.orders().count() >= self.config.orders_max {
            return Err(Reason::Capacity);
        }
        if market.is_matching() { market.post_only_price(order) } else { Ok(order.price) }
    }
}

impl Market {
    fn check_prices(&self, request: &Request) -> Result<(), Reason> {
        let order = &request.order;
        let is_missing = |price: Price| price.0 <= 0;
        let is_bad_price = match has_limit(order.order_type) {
            true => !self.is_in_range(order.price),
            false => order.price.0 != 0 && !self.is_in_range(order.price),
        };
        let is_bad_stop = match order.order_type {
            OrderType::Stop | OrderType::StopLimit => is_missing(request.stop_price),
            OrderType::Trailing | OrderType::TrailingLimit => {
                request.stop_price.0 < 0 || order.stop.trail <= 0
            }
            _ => false,
        };
        if is_bad_price || is_bad_stop {
            return Err(Reason::BadPrice);
        }
        let is_stop_on_tick = !is_stop(order.order_type) || self.is_on_tick(request.stop_price);
        if !self.is_on_tick(order.price) || !is_stop_on_tick {
            return Err(Reason::OffTick);
        }
        Ok(())
    }

    /// Whether the state of the market lets the order in.
    fn check_state(&self, order: &Order, now: u64) -> Result<(), Reason> {
        if !self.is_taking(now) {
            return Err(Reason::NotTrading);
        }
        let is_immediate = matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        let is_picky = is_immediate || order.is_post_only || order.min_qty > 0;
        if self.state == State::Call && is_picky {
            return Err(Reason::NotInAuction);
        }
        if order.tif == TimeInForce::Opening && now < self.opened_until {
            return Err(Reason::AuctionOver);
        }
        Ok(())
    }

    /// The price that an order enters with: its own, or the next one off the other side when it is
    /// post-only, would trade and may be repriced.
    pub fn post_only_price(&self, order: &Order) -> Result<Price, Reason> {
        let Some(best) = self.best_price(order.side.opposite()) else { return Ok(order.price) };
        if !order.is_post_only || order.side.is_better(best, order.price) {
            return Ok(order.price);
        }
        let step = if order.side == Side::Buy { -1 } else { 1 };
        // A step of a tick schedule is found within so many prices.
        let mut others = (1..=1_000).map(|steps| Price(best.0 + steps * step));
        let off = others.find(|&price| self.is_on_tick(price));
        let off = off.filter(|&price| order.is_repriced && self.is_in_range(price));
        off.ok_or(Reason::WouldTake)
    }
}

/// Where an accepted order waits; `None` when it goes on at once.
fn place(order: &Order, state: State) -> Option<Place> {
    match (order.tif, state) {
        (TimeInForce::Opening | TimeInForce::Closing, _) => Some(Place::ForAuction),
        _ if order.is_stop() => None,
        (_, State::Call) if order.is_market() => Some(Place::Pool),
        (_, State::Call) => Some(Place::Book),
        (_, State::Trading) => None,
    }
}

/// Whether the terms contradict one another.
fn has_contradiction(request: &Request, now: u64) -> bool {
    let order = &request.order;
    let is_stop = order.is_stop();
    let is_immediate = matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
    let is_for_auction = matches!(order.tif, TimeInForce::Opening | TimeInForce::Closing);
    let has_display = request.display_qty > 0;
    let has_min = order.min_qty > 0;
    let is_never_passive = order.is_market() || is_stop || is_immediate;
    let is_gtd = order.tif == TimeInForce::Gtd;
    [
        order.is_post_only && (is_never_passive || has_min),
        order.is_repriced && !order.is_post_only,
        has_display && (is_never_passive || order.is_hidden),
        has_min && (order.min_qty > order.leaves || is_stop),
        is_gtd && order.expire_ts <= now,
        !is_gtd && order.expire_ts != 0,
        request.has_trigger_bidask && !is_stop,
        is_for_auction && (is_stop || order.is_post_only || has_min || has_display),
    ]
    .contains(&true)
}

/// The order that is asked for; `None` when a code means nothing or the side is missing.
fn request(
    event: &Event,
    new: &payload::NewOrder,
    terms: &payload::Terms,
    more: &payload::TermsMore,
) -> Option<Request> {
    let order_type = OrderType::from_code(new.order_type)?;
    let has = |bit: u8| new.instructions & bit != 0;
    let price = match has_limit(order_type) || more.cap_price.0 == 0 {
        true => new.price,
        false => more.cap_price,
    };
    let group = match more.self_trade_group {
        0 => (false, u64::from(new.account.0)),
        group => (true, group),
    };
    let is_iceberg = terms.display_qty.0 > 0 && terms.display_qty < new.qty;
    let is_stop_given = terms.stop_price.0 != 0;
    let order = Order {
        id: new.order_id,
        instrument: event.instrument,
        account: new.account.0,
        group,
        side: event.side()?,
        order_type,
        tif: TimeInForce::from_code(new.time_in_force)?,
        self_trade: SelfTrade::from_code(new.self_trade)?,
        price,
        leaves: new.qty.0,
        cum: 0,
        display: is_iceberg.then_some(terms.display_qty.0),
        shown: 0,
        is_hidden: has(Instructions::HIDDEN),
        is_post_only: has(Instructions::POST_ONLY),
        is_repriced: has(Instructions::REPRICE),
        min_qty: more.min_qty.0,
        expire_ts: terms.expire_ts,
        place: Place::Book,
        time: 0,
        stop: StopTerms {
            price: is_stop_given.then_some(terms.stop_price),
            trail: if is_trailing(order_type) { terms.trail.0 } else { 0 },
            best: None,
            looks_at_touch: has(Instructions::TRIGGER_BIDASK),
        },
    };
    Some(Request {
        order,
        stop_price: terms.stop_price,
        display_qty: terms.display_qty.0,
        has_trigger_bidask: has(Instructions::TRIGGER_BIDASK),
    })
}
