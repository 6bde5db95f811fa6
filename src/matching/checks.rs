//! Whether a new order is taken: the checks in the order of the table, the first failure is the
//! reason.

use super::hand::{InHand, Shown};
use super::matcher::Matcher;
use super::stops::Stop;
use super::terms::{Codes, Extra};
use crate::event::{Event, Instructions, OrderType, Reason, SelfTrade, TimeInForce, payload};
use crate::units::{InstrumentId, Nanos, OrderId, Price, Qty, Side};

/// A new order with the terms that came before it.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) event: &'a Event,
    pub(super) new: &'a payload::NewOrder,
    pub(super) terms: Option<payload::Terms>,
    pub(super) more: Option<payload::TermsMore>,
}

/// The terms of a request, read.
pub(super) struct Terms {
    pub(super) codes: Codes,
    pub(super) side: Side,
    pub(super) stop_price: Price,
    pub(super) trail: Price,
    pub(super) display: Qty,
    pub(super) expire_ts: u64,
    pub(super) min_qty: Qty,
    pub(super) group: u64,
}

impl Request<'_> {
    /// Limit, or cap of an order without one; 0 when none.
    pub(super) fn price(&self) -> Price {
        let cap = self.more.map_or(Price(0), |more| more.cap_price);
        let is_capped = OrderType::from_code(self.new.order_type).is_some_and(|order_type| {
            matches!(order_type, OrderType::Market | OrderType::Stop | OrderType::Trailing)
        });
        if is_capped && cap.0 != 0 { cap } else { self.new.price }
    }

    /// The terms; `None` for codes that mean nothing.
    fn read(&self) -> Option<Terms> {
        let order_type = OrderType::from_code(self.new.order_type)?;
        let time_in_force = TimeInForce::from_code(self.new.time_in_force)?;
        let self_trade = SelfTrade::from_code(self.new.self_trade)?;
        let instructions = self.new.instructions;
        if instructions >= 16 {
            return None;
        }
        let (terms, more) = (self.terms.as_ref(), self.more.as_ref());
        Some(Terms {
            codes: Codes::new(order_type, time_in_force, self_trade, instructions),
            side: self.event.side()?,
            stop_price: terms.map_or(Price(0), |terms| terms.stop_price),
            trail: terms.map_or(Price(0), |terms| terms.trail),
            display: terms.map_or(Qty(0), |terms| terms.display_qty),
            expire_ts: terms.map_or(0, |terms| terms.expire_ts),
            min_qty: more.map_or(Qty(0), |more| more.min_qty),
            group: more.map_or(0, |more| more.self_trade_group),
        })
    }
}

impl Terms {
    /// Whether the terms of an order for `qty` go together at a time.
    pub(super) fn agree(&self, qty: Qty, now: u64) -> bool {
        let codes = self.codes;
        let time_in_force = codes.time_in_force();
        let (has_min, has_display) = (self.min_qty.0 != 0, self.display.0 != 0);
        let is_stop = codes.is_stop();
        let is_market = codes.order_type() == OrderType::Market;
        let is_post_only = codes.has(Instructions::POST_ONLY);
        let is_immediate = matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let is_for_auction = matches!(time_in_force, TimeInForce::Opening | TimeInForce::Closing);
        let is_timed = time_in_force == TimeInForce::Gtd;
        let contradicts = is_post_only && (is_market || is_stop || is_immediate || has_min)
            || codes.has(Instructions::REPRICE) && !is_post_only
            || has_display && (is_market || is_stop || codes.is_hidden() || is_immediate)
            || self.min_qty > qty
            || has_min && is_stop
            || is_timed && self.expire_ts <= now
            || !is_timed && self.expire_ts != 0
            || codes.has(Instructions::TRIGGER_BIDASK) && !is_stop
            || is_for_auction && (is_stop || is_post_only || has_min || has_display);
        !contradicts
    }

    /// Stop and trail, with what was found of limit or cap: all in range before any is on the tick.
    pub(super) fn check_prices(
        &self,
        price_checked: Result<(), Reason>,
        is_on_tick: impl Fn(Price) -> bool,
    ) -> Result<(), Reason> {
        let is_stop_in_range = match self.codes.order_type() {
            OrderType::Stop | OrderType::StopLimit => self.stop_price.0 > 0,
            OrderType::Trailing | OrderType::TrailingLimit => {
                self.trail.0 > 0 && self.stop_price.0 >= 0
            }
            OrderType::Limit | OrderType::Market => true,
        };
        if price_checked == Err(Reason::BadPrice) || !is_stop_in_range {
            return Err(Reason::BadPrice);
        }
        price_checked?;
        if self.codes.is_stop() && !is_on_tick(self.stop_price) {
            return Err(Reason::OffTick);
        }
        Ok(())
    }
}

impl Matcher {
    /// The order of a request and its minimum quantity, or why it is rejected.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<(InHand, Qty), Reason> {
        let instrument = InstrumentId(request.event.instrument);
        let &payload::NewOrder { order_id, qty, account, .. } = request.new;
        let terms = request.read().ok_or(Reason::BadTerms)?;
        if !self.is_known(instrument) {
            return Err(Reason::UnknownInstrument);
        }
        let is_used = request.more.is_some_and(|more| more.is_used != 0);
        if is_used || self.books.find(order_id).is_some() {
            return Err(Reason::DuplicateOrder);
        }
        let price = request.price();
        self.check_size(instrument, qty)?;
        let price_checked = self.check_price(instrument, price, terms.codes.is_market());
        terms.check_prices(price_checked, |price| self.lane(instrument).is_on_tick(price))?;
        if !terms.agree(qty, self.now) {
            return Err(Reason::BadTerms);
        }
        self.check_state(instrument, &terms)?;
        let shown = Shown {
            order_id,
            account,
            instrument,
            side: terms.side,
            price,
            leaves: qty,
            cum: Qty(0),
        };
        let is_iceberg = terms.display.0 != 0 && terms.display < qty;
        let rules = &self.lane(instrument).rules;
        let mut order = InHand {
            shown,
            codes: terms.codes.as_iceberg(is_iceberg),
            extra: Extra {
                display: if is_iceberg { terms.display } else { Qty(0) },
                group: match terms.group {
                    0 => rules.self_trade_group,
                    own => own,
                },
                expire_ts: match terms.expire_ts {
                    0 => rules.end_of_session(terms.codes.time_in_force(), self.now),
                    own => Nanos(own),
                },
                stop: Stop::new(terms.stop_price, terms.trail),
                price,
                ..Extra::none(instrument, terms.side)
            },
        };
        self.check_post_only(&mut order)?;
        Ok((order, terms.min_qty))
    }

    /// Quantity and lot.
    pub(super) fn check_size(&self, instrument: InstrumentId, qty: Qty) -> Result<(), Reason> {
        self.lane(instrument).rules.check_qty(qty)
    }

    /// A limit or cap alone, of an order that may do without it or not.
    pub(super) fn check_price(
        &self,
        instrument: InstrumentId,
        price: Price,
        may_be_none: bool,
    ) -> Result<(), Reason> {
        let lane = self.lane(instrument);
        if may_be_none && price.0 == 0 {
            return Ok(());
        }
        if !lane.rules.takes_price(price) {
            return Err(Reason::BadPrice);
        }
        if !lane.is_on_tick(price) {
            return Err(Reason::OffTick);
        }
        Ok(())
    }

    /// Whether the instrument's state, and the room that is left, allow the order.
    fn check_state(&self, instrument: InstrumentId, terms: &Terms) -> Result<(), Reason> {
        let lane = self.lane(instrument);
        let time_in_force = terms.codes.time_in_force();
        if !lane.takes_orders(self.now) {
            return Err(Reason::NotTrading);
        }
        let is_of_continuous_trading = matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
            || terms.codes.has(Instructions::POST_ONLY)
            || terms.min_qty.0 != 0;
        if lane.is_call && is_of_continuous_trading {
            return Err(Reason::NotInAuction);
        }
        if self.now < lane.opening_over_until && time_in_force == TimeInForce::Opening {
            return Err(Reason::AuctionOver);
        }
        if self.books.live_orders() >= self.config.orders_max {
            return Err(Reason::Capacity);
        }
        Ok(())
    }

    /// A post-only order that would take is moved to the next price that does not, or rejected.
    pub(super) fn check_post_only(&self, order: &mut InHand) -> Result<(), Reason> {
        let Shown { instrument, side, price, .. } = order.shown;
        let lane = self.lane(instrument);
        if !order.codes.has(Instructions::POST_ONLY) || !lane.is_trading() {
            return Ok(());
        }
        let Some(best) = self.best_price(instrument, side.opposite()) else { return Ok(()) };
        if side.is_better(best, price) {
            return Ok(());
        }
        let moved = lane.short_of(side, best).filter(|_| order.codes.has(Instructions::REPRICE));
        let moved = moved.ok_or(Reason::WouldTake)?;
        order.shown.price = moved;
        order.extra.price = moved;
        Ok(())
    }

    pub(super) fn is_known(&self, instrument: InstrumentId) -> bool {
        self.lanes.get(instrument.0 as usize).is_some_and(|lane| lane.is_known)
    }

    /// The best price of a side, hidden orders included.
    pub(super) fn best_price(&self, instrument: InstrumentId, side: Side) -> Option<Price> {
        self.best_queue(instrument, side).map(|(_, price)| price)
    }

    /// Whether an order of that number lives.
    pub(super) fn is_live(&self, order_id: OrderId) -> bool {
        self.books.find(order_id).is_some()
    }
}
