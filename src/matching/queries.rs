//! What a matcher shows of its books and orders.

use super::config::MatcherConfig;
use super::counts::MatcherTotals;
use super::matcher::Matcher;
use super::terms::Berth;
use crate::book::{BookId, LevelView, NIL, OrderView, Touch};
use crate::event::{InstrumentTable, OrderType, RejectCounts, TimeInForce};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderPlace {
    /// In the displayed book.
    Displayed,
    /// In the book of hidden orders.
    Hidden,
    /// A stop that has not triggered.
    Pending,
    /// Waits for an auction.
    Waiting,
}

/// A live order of a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatcherOrder {
    /// Its number.
    pub order_id: OrderId,
    /// The account that sent it.
    pub account: AccountId,
    /// Its instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Its type; a stop that triggered has become limit.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// Its limit, or the cap of an order without one; 0 when none.
    pub price: Price,
    /// Open quantity, an iceberg's reserve included.
    pub leaves: Qty,
    /// What of it is displayed.
    pub displayed: Qty,
    /// Filled so far.
    pub cum: Qty,
    /// Where a pending stop triggers now.
    pub stop: Option<Price>,
    /// Where it is.
    pub place: OrderPlace,
}

impl Matcher {
    /// What shapes the matcher.
    pub fn config(&self) -> MatcherConfig {
        self.config
    }

    /// All instruments that were defined.
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Best displayed bid and offer of an instrument.
    #[inline]
    pub fn touch(&self, instrument: InstrumentId) -> Touch {
        self.books.touch(BookId::displayed(instrument))
    }

    /// The displayed levels of a side, best first.
    pub fn levels(&self, instrument: InstrumentId, side: Side) -> impl Iterator<Item = LevelView> {
        self.books.levels(BookId::displayed(instrument), side).map(|(level, _)| level)
    }

    /// The displayed level at a price; without quantity and orders if nothing rests there.
    pub fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> LevelView {
        self.books.level(BookId::displayed(instrument), side, price)
    }

    /// The displayed orders at a price, front to back; of an iceberg what it displays.
    pub fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = OrderView> {
        let front = self.books.front_at(BookId::displayed(instrument), side, price);
        self.chain(front).map(move |handle| OrderView {
            order_id: self.books.order_id(handle),
            instrument,
            side,
            price,
            qty: self.books.qty(handle),
            priority: self.books.priority(handle),
        })
    }

    /// The live order of a number.
    pub fn order(&self, order_id: OrderId) -> Option<MatcherOrder> {
        self.books.find(order_id).map(|found| self.describe(found.handle))
    }

    /// All live orders of an instrument: displayed and hidden ones by side, best first and front to
    /// back, then pending and waiting ones.
    pub fn orders(&self, instrument: InstrumentId) -> Vec<MatcherOrder> {
        let mut orders = Vec::new();
        self.for_each_order(instrument, |handle| orders.push(self.describe(handle)));
        orders
    }

    /// Orders that rest, pend or wait, over all instruments.
    pub fn live_orders(&self) -> usize {
        self.books.live_orders()
    }

    /// Whether an instrument is halted.
    pub fn is_halted(&self, instrument: InstrumentId) -> bool {
        self.lanes.get(instrument.0 as usize).is_some_and(|lane| lane.is_halted)
    }

    /// Whether the time of the last record lies in an instrument's hours.
    pub fn is_open(&self, instrument: InstrumentId) -> bool {
        let lane = self.lanes.get(instrument.0 as usize);
        lane.is_none_or(|lane| lane.rules.is_open(self.now))
    }

    /// Whether an auction call of an instrument is open.
    pub fn is_in_call(&self, instrument: InstrumentId) -> bool {
        self.lanes.get(instrument.0 as usize).is_some_and(|lane| lane.is_call)
    }

    /// Price of an instrument's last trade.
    pub fn last_price(&self, instrument: InstrumentId) -> Option<Price> {
        self.lanes.get(instrument.0 as usize)?.last_price
    }

    /// Rejects so far.
    pub fn counts(&self) -> &RejectCounts {
        &self.counts
    }

    /// Sizes over all instruments.
    pub fn totals(&self) -> MatcherTotals {
        let desks = self.desks.iter().flat_map(|desk| desk.stops.iter().flatten());
        let heaps = desks.map(|heap| heap.bytes()).sum::<usize>() + self.expiries.bytes();
        MatcherTotals {
            instruments: self.instruments.len(),
            live_orders: self.books.live_orders(),
            levels: self.books.live_levels(),
            matches: self.matches,
            bytes: self.books.bytes() + self.terms.bytes() + self.extras.bytes() + heaps,
        }
    }

    /// The orders from one on to the end of its queue or list.
    fn chain(&self, first: u32) -> impl Iterator<Item = u32> {
        let or_end = |handle: u32| (handle != NIL).then_some(handle);
        std::iter::successors(or_end(first), move |&handle| or_end(self.books.next(handle)))
    }

    /// Goes through all live orders of an instrument.
    pub(super) fn for_each_order(&self, instrument: InstrumentId, mut visit: impl FnMut(u32)) {
        let Some(lane) = self.lanes.get(instrument.0 as usize) else { return };
        for side in [Side::Buy, Side::Sell] {
            for book in [BookId::displayed(instrument), BookId::hidden(instrument)] {
                let levels = self.books.levels(book, side);
                levels.flat_map(|(_, front)| self.chain(front)).for_each(&mut visit);
            }
        }
        let Some(desk) = self.desks.get(lane.desk as usize) else { return };
        for heap in desk.stops.iter().flatten() {
            heap.iter().for_each(|entry| visit(entry.handle));
        }
        for list in desk.trailing.iter().chain(&desk.pools) {
            list.iter(&self.books).for_each(&mut visit);
        }
    }

    fn describe(&self, handle: u32) -> MatcherOrder {
        let order = self.look(handle);
        let is_hidden = order.codes.is_hidden();
        let (place, displayed) = match order.extra.berth {
            Berth::Book if is_hidden => (OrderPlace::Hidden, Qty(0)),
            Berth::Book => (OrderPlace::Displayed, self.books.qty(handle)),
            Berth::Stop | Berth::Trailing | Berth::Triggered => (OrderPlace::Pending, Qty(0)),
            Berth::Pool(_) => (OrderPlace::Waiting, Qty(0)),
        };
        MatcherOrder {
            order_id: order.shown.order_id,
            account: order.shown.account,
            instrument: order.shown.instrument,
            side: order.shown.side,
            order_type: order.codes.order_type(),
            time_in_force: order.codes.time_in_force(),
            price: order.shown.price,
            leaves: order.shown.leaves,
            displayed,
            cum: order.shown.cum,
            stop: order.extra.stop.price.filter(|_| place == OrderPlace::Pending),
            place,
        }
    }
}
