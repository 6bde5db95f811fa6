//! A cross of the tape, and the own orders that take part in it.

use super::super::rank::{Part, Rank};
use super::lane::{Lane, LaneFill};
use super::order::OwnOrder;
use crate::book::Replica;
use crate::event::kinds::Letter;
use crate::event::{Liquidity, TimeInForce, payload};
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Which auctions of a session a cross is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Auction {
    is_opening: bool,
    pub(super) is_closing: bool,
}

impl Auction {
    /// Of a cross that the replica has applied.
    ///
    /// The first of a session is the opening one unless it says that it is the closing one; one
    /// without a type that is not the first is taken for the closing one.
    pub(super) fn of(cross: &payload::Cross, instrument: InstrumentId, replica: &Replica) -> Self {
        let is_first = replica.session_cross_qty(instrument) <= cross.qty;
        let is_closing = match cross.cross_type {
            Letter(b'C') => true,
            Letter(0) => !is_first,
            _ => false,
        };
        Self { is_opening: is_first && !is_closing, is_closing }
    }

    fn takes(self, time_in_force: TimeInForce) -> bool {
        match time_in_force {
            TimeInForce::Opening => self.is_opening,
            TimeInForce::Closing => self.is_closing,
            _ => true,
        }
    }
}

/// A part of an own order in a cross; sorts by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Participant {
    rank: Rank,
    /// Resting orders before those that wait for trading, before those for this auction.
    queue: usize,
    index: usize,
}

impl Participant {
    /// The parts of an order that stands at a place.
    fn of(own: &OwnOrder, queue: usize, index: usize) -> impl Iterator<Item = Self> {
        let terms = &own.terms;
        let limit = (!terms.order_type.is_market()).then_some(terms.price);
        let first = if terms.is_hidden { Part::Hidden } else { Part::Displayed };
        let reserve = own.is_iceberg().then_some(Part::Reserve);
        [Some(first), reserve].into_iter().flatten().map(move |part| Self {
            rank: Rank::new(terms.side, limit, part),
            queue,
            index,
        })
    }
}

impl Lane {
    /// Fills own orders better than a cross's price at that price, `shares` at most in all.
    pub(super) fn fill_in_cross(
        &mut self,
        price: Price,
        shares: Qty,
        auction: Auction,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) {
        let mut left = shares.0;
        for side in [Side::Buy, Side::Sell] {
            for Participant { rank, queue, index } in self.participants(side, price, auction) {
                let Self { resting, halted, waiting, .. } = self;
                let own = match queue {
                    0 => &mut resting[side.index()][index],
                    1 => &mut halted[index],
                    _ => &mut waiting[index],
                };
                // The part that an iceberg displays went before, if there was enough for it.
                let open = if rank.part == Part::Reserve { own.leaves() } else { own.front() };
                let qty = open.0.min(left);
                if qty == 0 {
                    continue;
                }
                left -= qty;
                own.fill(Qty(qty));
                let (contra, liquidity) = (OrderId(0), Liquidity::Auction);
                fills.push(LaneFill { order: *own, price, qty: Qty(qty), contra, liquidity });
            }
            self.refill(side, replica);
        }
        self.drop_filled();
    }

    /// Own orders of a side that a cross at a price fills, by priority.
    fn participants(&self, side: Side, price: Price, auction: Auction) -> Vec<Participant> {
        let queues = [&self.resting[side.index()], &self.halted, &self.waiting];
        let mut found = vec![];
        for (at, queue) in queues.into_iter().enumerate() {
            let orders = queue.iter().enumerate().filter(|(_, own)| {
                let is_better = side.is_better(own.terms.bound(), price);
                own.terms.side == side && is_better && auction.takes(own.terms.time_in_force)
            });
            found.extend(orders.flat_map(|(index, own)| Participant::of(own, at, index)));
        }
        found.sort_unstable();
        found
    }

    /// Resting icebergs whose displayed part was used up go to the back of their queues.
    fn refill(&mut self, side: Side, replica: &Replica) {
        while let Some(at) = self.resting[side.index()].iter().position(OwnOrder::wants_refill) {
            let own = self.resting[side.index()].remove(at);
            self.rest(own, replica);
        }
    }
}
