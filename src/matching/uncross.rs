//! The uncross of an auction: one price, then who trades with whom.
//!
//! ```text
//!   buys                                     sells
//!   market, by time                          market, by time
//!   highest price: displayed, hidden,        lowest price: displayed, hidden,
//!     reserve, each by time          <---->    reserve, each by time
//!   ... down to the price                    ... up to the price
//! ```
//!
//! Two pointers go down the lists; each step is one match of the smaller open part.

use super::hand::{Match, Shown};
use super::matcher::Matcher;
use super::rank::{Part, Rank};
use crate::book::{BookId, NIL};
use crate::event::{Execution, ExecutionKind, Liquidity, OrderType, Reason, TimeInForce, payload};
use crate::units::{InstrumentId, Price, Qty, Side};

/// What is wanted at a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    price: Price,
    /// By side.
    qty: [u128; 2],
}

/// Where orders cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cross {
    pub(super) price: Price,
    pub(super) volume: u128,
    /// What one side wants more than the other.
    pub(super) imbalance: u128,
    /// The side that wants more; `None` when they are even.
    pub(super) side: Option<Side>,
}

/// What a call would trade, as it is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indicative {
    pub(super) price: Price,
    pub(super) volume: Qty,
    pub(super) imbalance: Qty,
    /// Code of the imbalance's side; 0 when there is none.
    pub(super) side: u8,
}

/// An order, or a part of it, that may trade in an uncross; sorts by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Participant {
    rank: Rank,
    entered: u64,
    handle: u32,
    /// What the part has left to trade.
    open: u64,
    /// What the part traded.
    taken: u64,
    /// What the order had open in all, with what was filled before.
    total: u64,
}

impl Rung {
    pub(super) fn new(price: Price, side: Side, wanted: u128) -> Self {
        let mut qty = [0; 2];
        qty[side.index()] = wanted;
        Self { price, qty }
    }
}

impl Indicative {
    pub(super) fn of(cross: &Cross) -> Self {
        let qty = |sum: u128| Qty(u64::try_from(sum).unwrap_or(u64::MAX));
        Self {
            price: cross.price,
            volume: qty(cross.volume),
            imbalance: qty(cross.imbalance),
            side: cross.side.map_or(0, |side| side as u8),
        }
    }
}

/// The candidates that are equally good so far, of which ascending prices come one by one.
struct Tied {
    lowest: Cross,
    highest: Cross,
    nearest: Cross,
    all_buy: bool,
    all_sell: bool,
}

impl Tied {
    fn alone(cross: Cross) -> Self {
        Self {
            lowest: cross,
            highest: cross,
            nearest: cross,
            all_buy: cross.side == Some(Side::Buy),
            all_sell: cross.side == Some(Side::Sell),
        }
    }

    fn join(&mut self, cross: Cross, reference: Option<Price>) {
        let distance =
            |cross: &Cross| reference.map_or(0, |reference| cross.price.0.abs_diff(reference.0));
        self.highest = cross;
        // Prices ascend, so that of two that are equally near the higher one stays.
        if distance(&cross) <= distance(&self.nearest) {
            self.nearest = cross;
        }
        self.all_buy &= cross.side == Some(Side::Buy);
        self.all_sell &= cross.side == Some(Side::Sell);
    }

    fn best(&self) -> Cross {
        match (self.all_buy, self.all_sell) {
            (true, _) => self.highest,
            (_, true) => self.lowest,
            _ => self.nearest,
        }
    }
}

/// The price of an auction; `None` when no price comes into question.
///
/// Candidates are all limits, and the reference if it lies among them, or alone if there are only
/// market orders. Largest volume, then smallest imbalance, then the highest if all that remain lack
/// sells or the lowest if all lack buys, then the nearest to the reference, then the highest.
pub(super) fn best_cross(
    rungs: &mut Vec<Rung>,
    market: [u128; 2],
    reference: Option<Price>,
) -> Option<Cross> {
    let prices = || rungs.iter().map(|rung| rung.price);
    let is_among = |price| prices().min() <= Some(price) && Some(price) <= prices().max();
    let has_market = market != [0; 2];
    if let Some(price) = reference
        && (if rungs.is_empty() { has_market } else { is_among(price) })
    {
        rungs.push(Rung { price, qty: [0; 2] });
    }
    rungs.sort_unstable_by_key(|rung| rung.price);
    let [mut buys, mut sells] = market;
    buys += rungs.iter().map(|rung| rung.qty[0]).sum::<u128>();
    let mut tied: Option<Tied> = None;
    for group in rungs.chunk_by(|a, b| a.price == b.price) {
        sells += group.iter().map(|rung| rung.qty[1]).sum::<u128>();
        let cross = Cross {
            price: group[0].price,
            volume: buys.min(sells),
            imbalance: buys.abs_diff(sells),
            side: match buys.cmp(&sells) {
                std::cmp::Ordering::Greater => Some(Side::Buy),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Less => Some(Side::Sell),
            },
        };
        buys -= group.iter().map(|rung| rung.qty[0]).sum::<u128>();
        let merit = |cross: &Cross| (cross.volume, std::cmp::Reverse(cross.imbalance));
        match &mut tied {
            Some(best) if merit(&cross) < merit(&best.lowest) => {}
            Some(best) if merit(&cross) == merit(&best.lowest) => best.join(cross, reference),
            _ => tied = Some(Tied::alone(cross)),
        }
    }
    tied.map(|tied| tied.best())
}

impl Matcher {
    /// Ends a call: trades at one price, unless the collar excludes it.
    pub(super) fn uncross(
        &mut self,
        instrument: InstrumentId,
        phase: &payload::Phase,
        out: &mut Vec<Execution>,
    ) {
        let asked = Some(phase.reference_price).filter(|price| price.0 != 0);
        let reference = self.reference(instrument).or(asked);
        let cross = self.find_cross(instrument, reference).filter(|cross| cross.volume > 0);
        let result = cross.as_ref().map_or(Indicative::default(), Indicative::of);
        let (lower, upper) = (phase.lower_price, phase.upper_price);
        let is_outside = cross.is_some_and(|cross| {
            lower.0 != 0 && cross.price < lower || upper.0 != 0 && cross.price > upper
        });
        let told = Indicative { price: result.price, volume: result.volume, ..Default::default() };
        if is_outside {
            self.tell(instrument, Reason::Collar, told, out);
            return;
        }
        // The pools that took part are known by the call, which ends here.
        let mut left = std::mem::take(&mut self.scratch.orders);
        self.close_call(instrument);
        self.tell(instrument, Reason::Uncrossed, told, out);
        if let Some(cross) = cross {
            self.cross_orders(instrument, cross.price, out);
            self.lane_mut(instrument).last_price = Some(cross.price);
        }
        left.extend(
            self.pools(instrument)
                .flat_map(|pool| pool.iter(&self.books))
                .map(|handle| (self.books.order_id(handle), handle)),
        );
        left.sort_unstable();
        for &(_, handle) in &left {
            let reason = match self.terms[handle].codes.time_in_force() {
                TimeInForce::Opening | TimeInForce::Closing => Reason::AuctionOver,
                _ => Reason::NoLiquidity,
            };
            self.end(handle, ExecutionKind::Cancelled, reason, out);
        }
        left.clear();
        self.scratch.orders = left;
        self.run_all_stops(instrument, out);
    }

    /// Matches all who take part at one price, then brings books and pools up to date.
    fn cross_orders(&mut self, instrument: InstrumentId, price: Price, out: &mut Vec<Execution>) {
        let mut lists = std::mem::take(&mut self.scratch.participants);
        for side in [Side::Buy, Side::Sell] {
            let list = &mut lists[side.index()];
            self.list_participants(instrument, side, price, list);
            list.sort_unstable();
        }
        let [buys, sells] = &mut lists;
        let (mut buy, mut sell) = (0, 0);
        while buy < buys.len() && sell < sells.len() {
            let qty = buys[buy].open.min(sells[sell].open);
            self.match_pair(&mut buys[buy], &mut sells[sell], price, Qty(qty), out);
            buy += usize::from(buys[buy].open == 0);
            sell += usize::from(sells[sell].open == 0);
        }
        for list in &mut lists {
            list.iter().filter(|part| part.taken > 0).for_each(|part| self.settle(part));
            list.clear();
        }
        self.scratch.participants = lists;
    }

    /// Lists the orders of a side that a price is good enough for, an iceberg's reserve by itself.
    fn list_participants(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        list: &mut Vec<Participant>,
    ) {
        let mut note = |handle: u32, limit: Option<Price>, part: Part, open: u64| {
            list.push(Participant {
                rank: Rank::new(side, limit, part),
                entered: self.books.priority(handle),
                handle,
                open,
                taken: 0,
                total: self.leaves(handle).0 + self.terms[handle].cum().0,
            });
        };
        for book in [BookId::displayed(instrument), BookId::hidden(instrument)] {
            let part = if book.is_hidden() { Part::Hidden } else { Part::Displayed };
            let levels = self.books.levels(book, side);
            for (level, front) in
                levels.take_while(|(level, _)| !side.is_better(price, level.price))
            {
                let mut handle = front;
                while handle != NIL {
                    let shown = self.books.qty(handle);
                    note(handle, Some(level.price), part, shown.0);
                    let reserve = self.leaves(handle).0 - shown.0;
                    if reserve > 0 {
                        note(handle, Some(level.price), Part::Reserve, reserve);
                    }
                    handle = self.books.next(handle);
                }
            }
        }
        for handle in self.pools(instrument).flat_map(|pool| pool.iter(&self.books)) {
            let Shown { side: own, price: limit, leaves, .. } = self.shown(handle);
            let codes = self.terms[handle].codes;
            // A market order's cap bounds it as a limit would.
            let limit = Some(limit).filter(|limit| limit.0 != 0);
            if own == side && !limit.is_some_and(|limit| side.is_better(price, limit)) {
                let is_hidden = codes.order_type() == OrderType::Limit && codes.is_hidden();
                let part = if is_hidden { Part::Hidden } else { Part::Displayed };
                note(handle, limit, part, leaves.0);
            }
        }
    }

    fn match_pair(
        &mut self,
        buy: &mut Participant,
        sell: &mut Participant,
        price: Price,
        qty: Qty,
        out: &mut Vec<Execution>,
    ) {
        self.matches += 1;
        let match_id = self.matches;
        let ids = [buy.handle, sell.handle].map(|handle| self.books.order_id(handle));
        let now = self.now;
        for (part, contra) in [(buy, ids[1]), (sell, ids[0])] {
            part.open -= qty.0;
            part.taken += qty.0;
            self.terms[part.handle].add_cum(qty);
            let shown = self.shown(part.handle);
            let shown = Shown { leaves: Qty(part.total - shown.cum.0), ..shown };
            let liquidity = Liquidity::Auction;
            let fill = Match { match_id, price, qty, contra, liquidity };
            out.push(shown.filled(&fill, now));
        }
    }

    /// Brings an order's open quantity up to date after its fills; parts come in order of priority,
    /// an iceberg's displayed part before its reserve.
    fn settle(&mut self, part: &Participant) {
        if part.rank.part == Part::Reserve {
            return;
        }
        let handle = part.handle;
        let left = part.total - self.terms[handle].cum().0;
        if left == 0 {
            let found = self.books.find(self.books.order_id(handle)).expect("it took part");
            self.take_out(found);
        } else if part.taken < self.books.qty(handle).0 {
            self.books.reduce(handle, Qty(part.taken));
        } else {
            self.extras[self.terms[handle].extra].reserve = Qty(left);
            self.refill(handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cross(
        buys: &[(i64, u128)],
        sells: &[(i64, u128)],
        reference: Option<i64>,
    ) -> Option<(i64, u128, u128)> {
        let rung = |side| move |&(price, qty): &(i64, u128)| Rung::new(Price(price), side, qty);
        let mut rungs: Vec<Rung> = buys.iter().map(rung(Side::Buy)).collect();
        rungs.extend(sells.iter().map(rung(Side::Sell)));
        best_cross(&mut rungs, [0; 2], reference.map(Price))
            .map(|cross| (cross.price.0, cross.volume, cross.imbalance))
    }

    #[test]
    fn the_largest_volume_wins_then_the_smallest_imbalance() {
        let buys = [(103, 10), (101, 40), (99, 50)];
        let sells = [(98, 20), (101, 30), (102, 40)];
        assert_eq!(cross(&buys, &sells, None), Some((101, 50, 0)));
    }

    #[test]
    fn a_buy_imbalance_everywhere_takes_the_highest_price_and_a_sell_imbalance_the_lowest() {
        assert_eq!(cross(&[(105, 50)], &[(100, 20)], Some(102)), Some((105, 20, 30)));
        assert_eq!(cross(&[(105, 20)], &[(100, 50)], Some(102)), Some((100, 20, 30)));
    }

    #[test]
    fn balanced_prices_go_to_the_reference_and_then_up() {
        assert_eq!(cross(&[(105, 20)], &[(100, 20)], Some(102)), Some((102, 20, 0)));
        assert_eq!(cross(&[(105, 20)], &[(100, 20)], Some(90)), Some((100, 20, 0)));
        assert_eq!(cross(&[(105, 20)], &[(100, 20)], None), Some((105, 20, 0)));
    }

    #[test]
    fn market_orders_alone_cross_at_the_reference_or_nowhere() {
        let alone = |reference| best_cross(&mut vec![], [30, 20], reference);
        assert_eq!(
            alone(Some(Price(7))).map(|cross| (cross.price, cross.volume)),
            Some((Price(7), 20))
        );
        assert_eq!(alone(None), None);
    }
}
