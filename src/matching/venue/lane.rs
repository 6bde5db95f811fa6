//! One instrument's own orders: their queues, and what the tape does to them.
//!
//! ```text
//!   resting, by side   | best price: displayed, then hidden, each by time | next price | ...
//!   halted             accepted while not trading, in order of arrival
//!   waiting            for the opening or closing auction, in order of arrival
//!   pending            stops that have not triggered, in order of arrival
//! ```

use super::super::stops::Traded;
use super::levels::QueueModel;
use super::order::{OpenOrder, OrderState, OwnOrder};
use super::taken::Taken;
use crate::book::{Change, ChangeKind, OrderView, Replica};
use crate::event::Liquidity;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// A fill that an own order got, before it is a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneFill {
    /// The order after the fill.
    pub(super) order: OwnOrder,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) contra: OrderId,
    pub(super) liquidity: Liquidity,
}

/// Which own orders a print of the tape reaches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// An execution of this order: own orders of its side that are ahead of it.
    Order(OrderView),
    /// A hidden trade: own orders of a side at this price or better, hidden ones only better.
    Hidden(Side, Price),
    /// Own orders of a side at this price or better.
    UpTo(Side, Price),
    /// Own orders of a side at a better price than this one.
    Through(Side, Price),
}

impl Reach {
    fn side(self) -> Side {
        match self {
            Self::Order(order) => order.side,
            Self::Hidden(side, _) | Self::UpTo(side, _) | Self::Through(side, _) => side,
        }
    }

    fn reaches(&self, own: &OwnOrder) -> bool {
        let better = |side: Side, price| side.is_better(own.terms.price, price);
        match *self {
            Self::Order(order) => {
                let is_ahead = own.terms.price == order.price && own.priority <= order.priority;
                better(order.side, order.price) || is_ahead
            }
            Self::Hidden(side, price) => {
                better(side, price) || (own.terms.price == price && !own.terms.is_hidden)
            }
            Self::UpTo(side, price) => !side.is_better(price, own.terms.price),
            Self::Through(side, price) => better(side, price),
        }
    }
}

/// Own orders of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) instrument: InstrumentId,
    /// By side: best price first, then displayed before hidden, then in order of arrival.
    pub(super) resting: [Vec<OwnOrder>; 2],
    /// Accepted while not trading, in order of arrival.
    pub(super) halted: Vec<OwnOrder>,
    /// For the opening or closing auction, in order of arrival.
    pub(super) waiting: Vec<OwnOrder>,
    /// Stops that have not triggered, in order of arrival.
    pub(super) pending: Vec<OwnOrder>,
    pub(super) taken: Taken,
    /// What printed in the exchange event at hand, while stops pend.
    pub(super) traded: Option<Traded>,
    /// Whether the feed tells levels of the instrument and no orders.
    pub(super) is_of_levels: bool,
}

impl Lane {
    pub(super) fn new(instrument: InstrumentId) -> Self {
        Self {
            instrument,
            resting: [vec![], vec![]],
            halted: vec![],
            waiting: vec![],
            pending: vec![],
            taken: Taken::default(),
            traded: None,
            is_of_levels: false,
        }
    }

    /// Whether no event of the instrument can change anything here.
    pub(super) fn is_idle(&self) -> bool {
        self.queues().all(Vec::is_empty) && self.taken.is_empty()
    }

    /// All orders, in the order in which they are saved.
    pub(super) fn queues(&self) -> impl Iterator<Item = &Vec<OwnOrder>> {
        self.resting.iter().chain([&self.halted, &self.waiting, &self.pending])
    }

    pub(super) fn queues_mut(&mut self) -> impl Iterator<Item = &mut Vec<OwnOrder>> {
        let Self { resting, halted, waiting, pending, .. } = self;
        resting.iter_mut().chain([halted, waiting, pending])
    }

    /// Lets an order rest behind every displayed order at its price.
    pub(super) fn rest(&mut self, mut order: OwnOrder, replica: &Replica) {
        let ahead = replica.level(self.instrument, order.terms.side, order.terms.price).qty;
        self.is_of_levels |= replica.has_levels(self.instrument);
        order.join(ahead, replica.next_priority());
        self.insert(order);
    }

    /// Puts an order at the back of its queue: of the displayed ones at its price, or of the hidden
    /// ones.
    pub(super) fn insert(&mut self, order: OwnOrder) {
        let (side, price) = (order.terms.side, order.terms.price);
        let queue = &mut self.resting[side.index()];
        let place = queue.partition_point(|other| {
            let is_hidden_after = other.terms.is_hidden && !order.terms.is_hidden;
            side.is_better(other.terms.price, price)
                || (other.terms.price == price && !is_hidden_after)
        });
        queue.insert(place, order);
    }

    /// Takes an order out, wherever it is.
    pub(super) fn remove(&mut self, id: OrderId) -> Option<OwnOrder> {
        self.queues_mut().find_map(|queue| {
            let index = queue.iter().position(|order| order.id == id)?;
            Some(queue.remove(index))
        })
    }

    /// The order of a number, to be changed in place.
    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OwnOrder> {
        self.queues_mut().flatten().find(|order| order.id == id)
    }

    /// All orders, resting ones first.
    pub(super) fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        let [bids, offers] = &self.resting;
        let states = [
            (bids, OrderState::Resting),
            (offers, OrderState::Resting),
            (&self.halted, OrderState::Halted),
            (&self.waiting, OrderState::Waiting),
            (&self.pending, OrderState::Pending),
        ];
        states
            .into_iter()
            .flat_map(|(queue, state)| queue.iter().map(move |order| OpenOrder::of(order, state)))
    }

    /// Keeps what is ahead of own orders, and what was taken, in step with the tape.
    pub(super) fn follow(&mut self, change: &Change, model: QueueModel) {
        let order = &change.order;
        match change.kind {
            ChangeKind::Added => self.join_ahead(order),
            ChangeKind::Executed | ChangeKind::Reduced | ChangeKind::Deleted => {
                self.leave_ahead(order, change.qty);
                self.taken.shrink(order.order_id, change.qty);
                if change.left_book {
                    self.taken.forget(order.order_id);
                }
            }
            ChangeKind::Replaced | ChangeKind::Modified => {
                let Some(new) = &change.new else { return };
                let kept_place = new.price == order.price && new.priority == order.priority;
                let cut = order.qty.0.saturating_sub(new.qty.0);
                self.leave_ahead(order, if kept_place { Qty(cut) } else { order.qty });
                if !kept_place {
                    self.join_ahead(new);
                }
                let taken = self.taken.forget(order.order_id);
                self.taken.add(new.order_id, Qty(taken.0.saturating_sub(cut)));
            }
            ChangeKind::LevelSet => self.follow_level(change, model),
            // A level's queue is not known to be gone: its levels are told again.
            ChangeKind::Cleared if self.is_of_levels => self.taken.clear(),
            ChangeKind::Cleared => {
                self.taken.clear();
                self.resting.iter_mut().flatten().for_each(|own| own.ahead = Qty(0));
            }
            ChangeKind::None | ChangeKind::Unknown => {}
        }
    }

    /// `qty` of a real order left the queue at its price.
    fn leave_ahead(&mut self, order: &OrderView, qty: Qty) {
        let is_behind =
            |own: &&mut OwnOrder| own.terms.price == order.price && order.priority < own.priority;
        for own in self.resting[order.side.index()].iter_mut().filter(is_behind) {
            debug_assert!(own.ahead >= qty, "more left the queue than was ahead");
            own.ahead.0 = own.ahead.0.saturating_sub(qty.0);
        }
    }

    /// A real order came to the queue at its price: it is ahead of hidden own ones.
    fn join_ahead(&mut self, order: &OrderView) {
        let is_behind = |own: &&mut OwnOrder| own.terms.price == order.price && own.terms.is_hidden;
        for own in self.resting[order.side.index()].iter_mut().filter(is_behind) {
            own.ahead.0 += order.qty.0;
        }
    }

    /// Fills own orders at their prices from `shares` of one record; says what was used.
    ///
    /// An iceberg gives what it displays and goes to the back of its queue, where the record may
    /// reach it again.
    pub(super) fn fill_passively(
        &mut self,
        reach: Reach,
        shares: Qty,
        contra: OrderId,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) -> Qty {
        let side = reach.side().index();
        let (mut left, mut at) = (shares.0, 0);
        // Orders stand by priority: whom this record does not reach, it reaches none behind.
        while left > 0
            && let Some(own) = self.resting[side].get_mut(at)
            && reach.reaches(own)
        {
            let qty = own.front().0.min(left);
            left -= qty;
            own.fill(Qty(qty));
            let (price, liquidity) = (own.terms.price, Liquidity::Maker);
            fills.push(LaneFill { order: *own, price, qty: Qty(qty), contra, liquidity });
            if own.wants_refill() {
                let own = self.resting[side].remove(at);
                self.rest(own, replica);
            } else {
                at += 1;
            }
        }
        if left < shares.0 {
            self.drop_filled();
        }
        Qty(shares.0 - left)
    }

    pub(super) fn drop_filled(&mut self) {
        self.queues_mut().for_each(|queue| queue.retain(|own| own.leaves().0 > 0));
    }
}
