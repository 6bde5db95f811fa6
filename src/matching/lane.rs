//! One instrument's state: what every command of it reads, and the desk that few instruments need.

use super::config::InstrumentRules;
use super::heap::Heap;
use super::uncross::Indicative;
use crate::book::{NIL, ORDER_QTY_MAX, OrderStore};
use crate::event::Instrument;
use crate::units::{Price, Side};

/// An instrument's state and rules; the first cache line is what plain orders read.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Lane {
    /// Whether plain orders may take the short way: it trades and has no rules of its own.
    pub(super) is_plain: bool,
    /// Whether the instrument is defined.
    pub(super) is_known: bool,
    pub(super) is_halted: bool,
    /// Whether an auction call is open.
    pub(super) is_call: bool,
    /// Bits of the open call: [`OPENING`], [`CLOSING`].
    pub(super) auction: u8,
    /// Whether something changed in the call since the indicative result was looked at.
    pub(super) is_disturbed: bool,
    /// Whether the tick is that of a US equity.
    has_cent_ticks: bool,
    /// Hidden orders that rest, by side.
    pub(super) hidden: [u32; 2],
    /// Icebergs that rest.
    pub(super) icebergs: u32,
    /// Stops that have not entered.
    pub(super) stops: u32,
    /// The instrument's desk; `NIL` when it needs none.
    pub(super) desk: u32,
    pub(super) last_price: Option<Price>,
    /// Until when no opening auction is to come, because the session has had it.
    pub(super) opening_over_until: u64,
    pub(super) rules: InstrumentRules,
}

/// The call is the session's opening auction.
pub(super) const OPENING: u8 = 1;

/// The call is the session's closing auction.
pub(super) const CLOSING: u8 = 2;

impl Default for Lane {
    fn default() -> Self {
        Self {
            is_plain: false,
            is_known: false,
            is_halted: false,
            is_call: false,
            auction: 0,
            is_disturbed: false,
            has_cent_ticks: false,
            hidden: [0; 2],
            icebergs: 0,
            stops: 0,
            desk: NIL,
            last_price: None,
            opening_over_until: 0,
            rules: InstrumentRules::default(),
        }
    }
}

impl Lane {
    /// Whether orders match as they arrive.
    #[inline]
    pub(super) fn is_trading(&self) -> bool {
        self.is_known && !self.is_halted && !self.is_call
    }

    /// Whether orders may come in at a time: in a call also outside the hours.
    pub(super) fn takes_orders(&self, now: u64) -> bool {
        !self.is_halted && (self.is_call || self.rules.is_open(now))
    }

    /// To be called after a change of state or rules.
    pub(super) fn judge(&mut self, is_fifo: bool) {
        let rules = &self.rules;
        let has_no_rules = rules.lot.0 == 1
            && rules.price_max.is_none()
            && rules.qty_min.0 <= 1
            && rules.qty_max >= ORDER_QTY_MAX
            && rules.ticks.is_none()
            && rules.self_trade_group == 0
            && rules.hours.is_none();
        self.is_plain = self.is_trading() && has_no_rules && is_fifo;
    }

    /// Takes over what the instrument's definition says.
    pub(super) fn define(&mut self, instrument: &Instrument) {
        self.is_known = true;
        self.has_cent_ticks = instrument.tick(Price(i64::MAX)) == 100;
    }

    /// Whether a positive price lies on the definition's tick, which plain orders are held to; the
    /// same as `price % Instrument::tick(price)`.
    ///
    /// WHY: dividing by a constant costs a multiplication, by a variable some 25 cycles.
    #[inline]
    pub(super) fn is_on_plain_tick(&self, price: Price) -> bool {
        !self.has_cent_ticks || price.0 < 10_000 || price.0 % 100 == 0
    }

    /// Whether a positive price lies on the tick that orders are held to.
    pub(super) fn is_on_tick(&self, price: Price) -> bool {
        match &self.rules.ticks {
            Some(ticks) => ticks.is_on(price.0.unsigned_abs()),
            None => self.is_on_plain_tick(price),
        }
    }

    /// The price of a side that is nearest to the best one of the other without meeting it; none
    /// where an order may not have it.
    pub(super) fn short_of(&self, side: Side, best: Price) -> Option<Price> {
        let tick = |price: Price| if self.has_cent_ticks && price.0 >= 10_000 { 100 } else { 1 };
        self.rules.short_of(side, best, tick)
    }

    /// How far a market order trades: to its cap, or to the collar around the last trade.
    pub(super) fn bound(&self, side: Side, cap: Price) -> Price {
        self.rules.bound(side, cap, self.last_price)
    }
}

/// The ends of a list of parked orders, which their neighbours link.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

/// Pending stops and orders that wait for an auction.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    /// Stops with a fixed price, by source, then side.
    pub(super) stops: [[Heap; 2]; 2],
    /// Trailing stops, by source.
    pub(super) trailing: [List; 2],
    /// Orders that wait for an auction, by [`Pool`](super::terms::Pool).
    pub(super) pools: [List; 3],
    /// The indicative result that was published last.
    pub(super) published: Indicative,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NIL, tail: NIL }
    }
}

impl List {
    /// Puts a parked order at the end.
    pub(super) fn append(&mut self, books: &mut OrderStore, handle: u32) {
        books.link_parked(handle, self.tail, NIL);
        self.tail = handle;
        if self.head == NIL {
            self.head = handle;
        }
    }

    /// Takes a member out.
    pub(super) fn unlink(&mut self, books: &mut OrderStore, handle: u32) {
        let (prev, next) = books.unlink_parked(handle);
        if prev == NIL {
            self.head = next;
        }
        if next == NIL {
            self.tail = prev;
        }
    }

    /// The members, first to last.
    pub(super) fn iter<'a>(&self, books: &'a OrderStore) -> impl Iterator<Item = u32> + use<'a> {
        let or_end = |handle: u32| (handle != NIL).then_some(handle);
        std::iter::successors(or_end(self.head), move |&handle| or_end(books.next(handle)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TickBands;

    #[test]
    fn the_price_short_of_another_is_the_next_that_an_order_may_have() {
        let mut stock = Lane::default();
        stock.define(&Instrument::us_equity("X"));
        let mut banded = Lane::default();
        banded.rules.ticks = TickBands::new(&[(0, 4), (10, 10), (33, 3)]).ok();
        banded.rules.price_max = Some(Price(60));
        for (lane, prices) in [(stock, 9_900..10_300), (banded, 1..70)] {
            let may_be = |&price: &i64| {
                lane.rules.takes_price(Price(price)) && lane.is_on_tick(Price(price))
            };
            for best in prices.filter(may_be) {
                let below = (1..best).rev().find(may_be).map(Price);
                let above = (best + 1..20_000).find(may_be).map(Price);
                assert_eq!(lane.short_of(Side::Buy, Price(best)), below, "{best}");
                assert_eq!(lane.short_of(Side::Sell, Price(best)), above, "{best}");
            }
        }
    }

    #[test]
    fn the_short_way_to_the_tick_agrees_with_the_instrument() {
        let stock = Instrument::us_equity("X");
        let coin = Instrument { price_increment: 10_000_000, ..stock };
        for instrument in [stock, coin] {
            let mut lane = Lane::default();
            lane.define(&instrument);
            for price in (1..40_000).chain(1_999_999_800..2_000_000_100).map(Price) {
                assert_eq!(lane.is_on_tick(price), price.0 % instrument.tick(price) == 0);
            }
        }
    }
}
