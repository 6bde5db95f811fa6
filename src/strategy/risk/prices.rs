//! Prices that orders are judged by.

use crate::book::Replica;
use crate::event::Reason;
use crate::matching::NewOrder;
use crate::units::{Price, Side};

/// What an order is likely to trade at: its limit or cap, its stop, or else the other side of the
/// market.
pub(super) fn likely_price(terms: &NewOrder, books: &Replica) -> Price {
    let touch = books.touch(terms.instrument);
    let other = match terms.side {
        Side::Buy => touch.ask_price,
        Side::Sell => touch.bid_price,
    };
    let known = [terms.price, terms.stop_price, other].into_iter().find(|price| price.0 != 0);
    known.or_else(|| books.last_price(terms.instrument)).unwrap_or_default()
}

/// Whether a limit or cap is not too far through the market, of a stop through its stop price;
/// without a market it is not, and without a limit or cap it is.
pub(super) fn collar(terms: &NewOrder, most_ppm: u64, books: &Replica) -> Result<(), Reason> {
    let touch = books.touch(terms.instrument);
    let mid =
        touch.is_two_sided().then(|| i128::from(touch.bid_price.0) + i128::from(touch.ask_price.0));
    let last = books.last_price(terms.instrument).map(|price| 2 * i128::from(price.0));
    let stop = terms.order_type.is_stop() && terms.stop_price.0 != 0;
    let stop = stop.then(|| 2 * i128::from(terms.stop_price.0));
    if terms.price.0 == 0 && terms.order_type.is_market() {
        return Err(Reason::PriceCollar);
    }
    let Some(double) = stop.or(last).or(mid) else { return Ok(()) };
    let through = match terms.side {
        Side::Buy => 2 * i128::from(terms.price.0) - double,
        Side::Sell => double - 2 * i128::from(terms.price.0),
    };
    let is_within = through * 1_000_000 <= double.abs() * i128::from(most_ppm);
    is_within.then_some(()).ok_or(Reason::PriceCollar)
}
