//! The engine's books beside the model's: levels, queues, every live order.

use ringtape::matching::Matcher;
use ringtape::units::{InstrumentId, Price, Side};

use crate::naive_matcher::{Market, NaiveMatcher, Place};

/// What is different, if anything.
pub(crate) fn compare(model: &NaiveMatcher, engine: &Matcher) -> Result<(), String> {
    for market in model.markets.values() {
        let id = InstrumentId(market.id);
        for side in [Side::Buy, Side::Sell] {
            equal("levels", &levels(market, side), &engine_levels(engine, id, side))?;
            for (price, ..) in levels(market, side) {
                let queue = market.queue(side, price);
                let queue = queue.iter().filter(|order| !order.is_hidden);
                let expected: Vec<_> = queue.map(|order| (order.id, order.shown)).collect();
                let found = engine.queue(id, side, price);
                let found: Vec<_> = found.map(|order| (order.order_id, order.qty.0)).collect();
                equal("queue", &expected, &found)?;
            }
        }
        let mut expected: Vec<_> = market
            .orders
            .iter()
            .map(|order| {
                let shown = if order.place == Place::Book { order.shown } else { 0 };
                (order.id, order.account, order.price, order.leaves, shown, order.cum)
            })
            .collect();
        let mut found: Vec<_> = engine
            .orders(id)
            .iter()
            .map(|order| {
                let (leaves, shown, cum) = (order.leaves.0, order.displayed.0, order.cum.0);
                (order.order_id, order.account.0, order.price, leaves, shown, cum)
            })
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        equal("orders", &expected, &found)?;
        equal("last price", &market.last_price, &engine.last_price(id))?;
        equal("halted", &market.is_halted, &engine.is_halted(id))?;
    }
    let live = model.orders().count();
    equal("live orders", &live, &engine.totals().live_orders)
}

/// Price, displayed quantity and orders of each level, best first.
fn levels(market: &Market, side: Side) -> Vec<(Price, u64, usize)> {
    let displayed = || market.side(side).filter(|order| !order.is_hidden);
    let mut prices: Vec<Price> = displayed().map(|order| order.price).collect();
    prices.sort_unstable_by_key(|price| if side == Side::Buy { -price.0 } else { price.0 });
    prices.dedup();
    let level = |price: Price| {
        let here = displayed().filter(|order| order.price == price);
        let shown: Vec<u64> = here.map(|order| order.shown).collect();
        (price, shown.iter().sum(), shown.len())
    };
    prices.into_iter().map(level).collect()
}

fn engine_levels(engine: &Matcher, id: InstrumentId, side: Side) -> Vec<(Price, u64, usize)> {
    engine.levels(id, side).map(|level| (level.price, level.qty.0, level.orders as usize)).collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, model: &T, engine: &T) -> Result<(), String> {
    match model == engine {
        true => Ok(()),
        false => Err(format!("{what}\n  model:  {model:?}\n  engine: {engine:?}")),
    }
}
