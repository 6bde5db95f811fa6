//! Whether the venue takes an order: the first check that fails is the reason.

use super::entry::Arrival;
use super::new_order::NewOrder;
use super::order::OwnOrder;
use super::simulated::Venue;
use crate::book::Replica;
use crate::event::{Instrument, Reason, TimeInForce};
use crate::limits::INSTRUMENTS_MAX;
use crate::matching::InstrumentRules;
use crate::units::{InstrumentId, Price, Qty};

impl Venue {
    /// The order as it is accepted, a post-only one perhaps at another price, or why it is not.
    pub(super) fn check(&self, order: &OwnOrder, at: Arrival<'_>) -> Result<OwnOrder, Reason> {
        let (terms, replica) = (&order.terms, at.replica);
        if self.killed.binary_search(&order.account).is_ok() {
            return Err(Reason::Killed);
        }
        let known = replica.instruments().get(terms.instrument);
        let known = known.filter(|_| (terms.instrument.0 as usize) < INSTRUMENTS_MAX);
        let known = known.ok_or(Reason::UnknownInstrument)?;
        if self.find_live(order.id).is_ok() {
            return Err(Reason::DuplicateOrder);
        }
        let rules = self.rules(known);
        rules.check_qty(terms.qty)?;
        let is_on_tick = |price: Price| price.0 % rules.tick(price, known) == 0;
        let asked = terms.terms();
        let price_checked = match terms.price {
            Price(0) if terms.order_type.is_market() => Ok(()),
            price if !rules.takes_price(price) || !is_representable(price, known) => {
                Err(Reason::BadPrice)
            }
            price => is_on_tick(price).then_some(()).ok_or(Reason::OffTick),
        };
        asked.check_prices(price_checked, is_on_tick)?;
        if !asked.agree(terms.qty, at.now.0) {
            return Err(Reason::BadTerms);
        }
        if !self.is_trading(terms.instrument, at) && terms.is_immediate() {
            return Err(Reason::NotTrading);
        }
        if is_over(terms.time_in_force, terms.instrument, replica) {
            return Err(Reason::AuctionOver);
        }
        let price = self.post_only_price(order, at)?;
        let mut order = *order;
        order.terms.price = price;
        if order.expire_ts.0 == 0 {
            order.expire_ts = rules.end_of_session(order.terms.time_in_force, at.now.0);
        }
        Ok(order)
    }

    /// Whether an instrument trades: as the tape says, and within its hours.
    pub(super) fn is_trading(&self, instrument: InstrumentId, at: Arrival<'_>) -> bool {
        let is_open = |known| self.rules(known).is_open(at.now.0);
        at.replica.is_trading(instrument)
            && (self.config().instruments.is_empty()
                || at.replica.instruments().get(instrument).is_none_or(is_open))
    }

    /// What an order of an instrument is held to.
    fn rules(&self, instrument: &Instrument) -> InstrumentRules {
        let own = self.config().instruments.get(instrument.symbol.as_str());
        own.map_or_else(InstrumentRules::default, |own| InstrumentRules::of(own, instrument))
    }

    /// The price that a market order without one goes to at the most; `None` without a collar.
    pub(super) fn collar(&self, order: &OwnOrder, replica: &Replica) -> Option<Price> {
        let NewOrder { instrument, side, price, order_type, .. } = order.terms;
        if !order_type.is_market() || price.0 != 0 {
            return None;
        }
        let rules = self.rules(replica.instruments().get(instrument)?);
        let last_price = replica.last_price(instrument).filter(|_| rules.collar.is_some())?;
        Some(rules.bound(side, price, Some(last_price)))
    }

    /// The limit of an order: of a post-only one that would take, the next price that does not, if
    /// it asks for that.
    pub(super) fn post_only_price(
        &self,
        order: &OwnOrder,
        at: Arrival<'_>,
    ) -> Result<Price, Reason> {
        let replica = at.replica;
        let (instrument, side, price) =
            (order.terms.instrument, order.terms.side, order.terms.price);
        if !order.terms.is_post_only || !self.is_trading(instrument, at) {
            return Ok(price);
        }
        let other = side.opposite();
        let best = self.lane_or_empty(instrument, |lane| lane.best_visible(other, replica));
        let Some(best) = best.filter(|&best| !side.is_better(best, price)) else {
            return Ok(price);
        };
        let known = replica.instruments().get(instrument);
        let rules = known.map(|known| self.rules(known)).unwrap_or_default();
        let tick = |price| known.map_or(1, |known| known.tick(price));
        let moved = rules.short_of(side, best, tick).filter(|_| order.terms.is_repriced);
        moved.ok_or(Reason::WouldTake)
    }
}

/// Whether the auction that an order is for has traded already.
fn is_over(time_in_force: TimeInForce, instrument: InstrumentId, replica: &Replica) -> bool {
    match time_in_force {
        TimeInForce::Opening => replica.session_cross_qty(instrument) > Qty(0),
        TimeInForce::Closing => replica.close_price(instrument).is_some(),
        _ => false,
    }
}

/// Whether a price fits 64 bits in 1e-9 of the currency.
fn is_representable(price: Price, instrument: &Instrument) -> bool {
    let scaled = i128::from(price.0) * i128::from(instrument.price_increment);
    i64::try_from(scaled).is_ok()
}
