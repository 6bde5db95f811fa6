//! Feeds of price levels: where an own order stands in a queue that nobody tells.
//!
//! ```text
//!   level of 100   | 60 ahead | own 30 | 40 behind |
//!   print of 70    | eaten    | 10     |             what is ahead trades first
//!   then level 30  | the 70 that printed are gone |  a record explains a print once
//!   then level 20  | 10 went without a print: from behind, or in proportion |
//! ```

use super::lane::{Lane, LaneFill, Reach};
use super::order::OwnOrder;
use super::taken::level_key;
use crate::book::{Change, Replica};
use crate::event::Liquidity;
use crate::units::{OrderId, Price, Qty, Side};

/// What leaves a price level without a print: where in the queue it stood.
///
/// ```
/// use ringtape::matching::{QueueModel, VenueConfig};
///
/// let config = VenueConfig { queue: QueueModel::Proportional, ..VenueConfig::default() };
/// assert_eq!(config.queue.name(), "proportional");
/// assert_eq!(QueueModel::default(), QueueModel::Pessimistic);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueModel {
    /// Behind own orders, as long as anything is behind them: they move up by prints alone.
    #[default]
    Pessimistic,
    /// Anywhere with the same chance: ahead in proportion to what is ahead, rounded down.
    Proportional,
}

impl QueueModel {
    /// Every model.
    pub const ALL: &[Self] = &[Self::Pessimistic, Self::Proportional];

    /// The name in flags and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pessimistic => "pessimistic",
            Self::Proportional => "proportional",
        }
    }

    /// How much of `gone` shares of a level was ahead of an order, of `total` that stood there.
    fn ahead_of(self, gone: u64, ahead: u64, total: u64) -> u64 {
        match self {
            Self::Pessimistic => 0,
            Self::Proportional if total == 0 => 0,
            Self::Proportional => {
                let share = u128::from(gone) * u128::from(ahead) / u128::from(total);
                u64::try_from(share).unwrap_or(ahead)
            }
        }
    }
}

impl Lane {
    /// A level was told anew: own orders there move up as the model says.
    pub(super) fn follow_level(&mut self, change: &Change, model: QueueModel) {
        self.is_of_levels = true;
        let (side, price, before) = (change.order.side, change.order.price, change.order.qty);
        let now = change.new.map_or(Qty(0), |new| new.qty);
        let gone = before.0.saturating_sub(now.0);
        self.taken.shrink(level_key(side, price), Qty(gone));
        for own in at_price(&mut self.resting[side.index()], price) {
            let printed = std::mem::take(&mut own.printed).0.min(gone);
            if own.terms.is_hidden {
                own.ahead = now;
                continue;
            }
            let (silent, stood) = (gone - printed, before.0 - printed);
            own.ahead.0 -= model.ahead_of(silent, own.ahead.0, stood).min(own.ahead.0);
            own.ahead = own.ahead.min(now);
        }
    }

    /// Own orders of the other side that what came to a level crosses are filled, once.
    pub(super) fn meet_crossing_level(
        &mut self,
        change: &Change,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) {
        let Some(new) = change.new else { return };
        let (side, price) = (new.side, new.price);
        let key = level_key(side, price);
        let came = new.qty.0.saturating_sub(change.order.qty.0);
        let shares = self.taken.visible(key, new.qty).min(Qty(came));
        let reach = Reach::UpTo(side.opposite(), price);
        let used = self.fill_passively(reach, shares, OrderId(0), replica, fills);
        self.taken.add(key, used);
    }

    /// A print at a price fills own orders of a side: better ones, then those at it from what is
    /// left once what was ahead of them has traded.
    pub(super) fn fill_from_print(
        &mut self,
        side: Side,
        price: Price,
        shares: Qty,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) -> Qty {
        let passed =
            self.fill_passively(Reach::Through(side, price), shares, OrderId(0), replica, fills);
        let shares = shares.0 - passed.0;
        let level = replica.level(self.instrument, side, price).qty;
        let mut given = 0;
        let queue = &mut self.resting[side.index()];
        let mut at = queue.partition_point(|own| side.is_better(own.terms.price, price));
        while let Some(own) = queue.get_mut(at)
            && own.terms.price == price
            && !own.terms.is_hidden
        {
            let reach = shares.saturating_sub(own.ahead.0).saturating_sub(given);
            let qty = own.front().0.min(reach);
            if qty == 0 {
                break;
            }
            given += qty;
            own.fill(Qty(qty));
            fills.push(LaneFill {
                order: *own,
                price,
                qty: Qty(qty),
                contra: OrderId(0),
                liquidity: Liquidity::Maker,
            });
            if own.wants_refill() {
                let mut own = queue.remove(at);
                let printed = own.printed;
                own.join(Qty(level.0.saturating_sub(printed.0)), replica.next_priority());
                own.printed = printed;
                let behind = queue[at..]
                    .iter()
                    .take_while(|other| other.terms.price == price && !other.terms.is_hidden);
                let place = at + behind.count();
                queue.insert(place, own);
            } else {
                at += 1;
            }
        }
        for own in at_price(queue, price).filter(|own| !own.terms.is_hidden) {
            own.ahead.0 = own.ahead.0.saturating_sub(shares);
            own.printed.0 += shares;
        }
        self.drop_filled();
        Qty(passed.0 + given)
    }
}

/// Own orders of a queue at one price.
fn at_price(queue: &mut [OwnOrder], price: Price) -> impl Iterator<Item = &mut OwnOrder> {
    queue.iter_mut().filter(move |own| own.terms.price == price)
}
