//! When a stop triggers: what the matcher and the simulated venue share.

use crate::book::Touch;
use crate::units::{Price, Side};

/// The prices that something traded at: the highest and the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traded {
    pub(super) high: Price,
    pub(super) low: Price,
}

impl Traded {
    pub(super) fn at(price: Price) -> Self {
        Self { high: price, low: price }
    }

    /// With another trade, at this price.
    #[inline]
    pub(super) fn and(traded: Option<Self>, price: Price) -> Self {
        match traded {
            None => Self::at(price),
            Some(Self { high, low }) => Self { high: high.max(price), low: low.min(price) },
        }
    }
}

/// What the sources say: by source (last trade, bid and ask), then side of the stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    /// The price that triggers a stop of the side.
    reached: [[Option<Price>; 2]; 2],
    /// The best price for a trailing stop of the side.
    favourable: [[Option<Price>; 2]; 2],
}

impl Sources {
    /// What a touch says, and something that traded.
    pub(super) fn new(touch: Touch, traded: Option<Traded>) -> Self {
        let ask = (touch.ask_qty.0 > 0).then_some(touch.ask_price);
        let bid = (touch.bid_qty.0 > 0).then_some(touch.bid_price);
        let high = traded.map(|traded| traded.high);
        let low = traded.map(|traded| traded.low);
        Self { reached: [[high, low], [ask, bid]], favourable: [[low, high], [ask, bid]] }
    }

    /// The price that triggers a stop of a side; `source` is 0 for trades, 1 for bid and ask.
    pub(super) fn reached(&self, source: usize, side: Side) -> Option<Price> {
        self.reached[source][side.index()]
    }

    /// The best price for a trailing stop of a side.
    pub(super) fn favourable(&self, source: usize, side: Side) -> Option<Price> {
        self.favourable[source][side.index()]
    }
}

/// Where a stop triggers; nowhere for an order that is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stop {
    /// Where it triggers; `None` while a trailing stop waits for a first price.
    pub(super) price: Option<Price>,
    /// Of a trailing stop: the best price seen.
    pub(super) best: Option<Price>,
    /// Of a trailing stop: the offset; 0 otherwise.
    pub(super) trail: Price,
}

impl Stop {
    /// A stop at a price, 0 for none, with the offset of a trailing one.
    pub(super) fn new(price: Price, trail: Price) -> Self {
        Self { price: (price.0 != 0).then_some(price), best: None, trail }
    }

    /// A trailing stop of a side sees a price: the best one counts, and the stop never loosens.
    pub(super) fn follow(&mut self, side: Side, source: Option<Price>) {
        let Some(source) = source else { return };
        let (best, stop) = match side {
            Side::Sell => {
                let best = self.best.map_or(source, |best| best.max(source));
                let stop = Price(best.0.saturating_sub(self.trail.0));
                (best, self.price.map_or(stop, |old| old.max(stop)))
            }
            Side::Buy => {
                let best = self.best.map_or(source, |best| best.min(source));
                let stop = Price(best.0.saturating_add(self.trail.0));
                (best, self.price.map_or(stop, |old| old.min(stop)))
            }
        };
        self.best = Some(best);
        self.price = Some(stop);
    }

    /// Its price, if the source has reached it.
    pub(super) fn reached(&self, side: Side, source: Option<Price>) -> Option<Price> {
        let source = source?;
        self.price.filter(|&stop| key(side, stop) <= key(side, source))
    }
}

/// Sorts buys by ascending, sells by descending stop.
pub(super) fn key(side: Side, stop: Price) -> i64 {
    match side {
        Side::Buy => stop.0,
        Side::Sell => !stop.0,
    }
}
