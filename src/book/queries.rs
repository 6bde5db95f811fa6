//! Questions to the books: where an order stands, who leans which way, what the average trade paid,
//! and what an event changed.

use super::replica::Replica;
use super::slab::NIL;
use super::tape::Turnover;
use super::view::{Change, ChangeKind, LevelView, OrderView, Touch};
use crate::event::{Event, EventView};
use crate::units::{InstrumentId, OrderId, Qty, Side};

/// Where an order stands in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// The order itself.
    pub order: OrderView,
    /// Open quantity of the orders before it at its price.
    pub ahead_qty: Qty,
    /// Their number; 0 at the front.
    pub ahead_orders: u32,
}

/// What rests on both sides down to some depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imbalance {
    /// Quantity bid.
    pub bid_qty: Qty,
    /// Quantity offered.
    pub ask_qty: Qty,
}

impl Imbalance {
    /// (bid - ask) / (bid + ask) in parts per million, rounded toward zero: 1,000,000 when only
    /// bids are there, -1,000,000 when only offers are, 0 when nothing is.
    pub fn ppm(&self) -> i64 {
        let (bid, ask) = (i128::from(self.bid_qty.0), i128::from(self.ask_qty.0));
        ((bid - ask) * 1_000_000 / (bid + ask).max(1)) as i64
    }
}

/// What an event changed in a book, for those who follow touch or depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// The change of the order.
    pub change: Change,
    /// The levels that changed, as they are now: none, one, or two when an order moved. A level
    /// without quantity is gone.
    pub levels: [Option<(Side, LevelView)>; 2],
    /// The touch, if it is another than before.
    pub touch: Option<Touch>,
}

impl Replica {
    /// Where a resting order stands in its queue; walks over the orders before it.
    ///
    /// ```
    /// use ringtape::book::Replica;
    /// use ringtape::event::kinds::Text;
    /// use ringtape::event::{Event, Flags, payload};
    /// use ringtape::units::{OrderId, Price, Qty, Side};
    ///
    /// let mut replica = Replica::new();
    /// for (id, shares) in [(1, 300), (2, 200), (3, 100)] {
    ///     let text = Text::new("");
    ///     let (order_id, price, qty) = (OrderId(id), Price(50), Qty(shares));
    ///     let add = payload::Add { order_id, price, qty, attribution: text, pad: 0 };
    ///     replica.apply(&Event::new(0, 1, add).with_side(Side::Buy).with_flags(Flags::LAST));
    /// }
    /// let position = replica.position(OrderId(3)).expect("it rests");
    /// assert_eq!((position.ahead_qty, position.ahead_orders), (Qty(500), 2));
    /// assert_eq!(replica.position(OrderId(4)), None);
    /// ```
    pub fn position(&self, order_id: OrderId) -> Option<QueuePosition> {
        let handle = self.books.find(order_id)?.handle;
        let (mut ahead_qty, mut ahead_orders) = (Qty(0), 0);
        let mut before = self.books.orders[handle].prev;
        while before != NIL {
            let order = &self.books.orders[before];
            ahead_qty.0 += order.qty().0;
            ahead_orders += 1;
            before = order.prev;
        }
        Some(QueuePosition { order: self.books.view(handle), ahead_qty, ahead_orders })
    }

    /// What rests on the best `depth` levels of both sides.
    ///
    /// ```
    /// use ringtape::book::{Imbalance, Replica};
    /// use ringtape::units::{InstrumentId, Qty};
    ///
    /// let empty = Replica::new().imbalance(InstrumentId(1), 5);
    /// assert_eq!((empty, empty.ppm()), (Imbalance::default(), 0));
    /// assert_eq!(Imbalance { bid_qty: Qty(300), ask_qty: Qty(100) }.ppm(), 500_000);
    /// ```
    pub fn imbalance(&self, instrument: InstrumentId, depth: usize) -> Imbalance {
        let [bid_qty, ask_qty] = [Side::Buy, Side::Sell].map(|side| {
            let levels = self.levels(instrument, side).take(depth);
            Qty(levels.fold(0, |sum: u64, level| sum.saturating_add(level.qty.0)))
        });
        Imbalance { bid_qty, ask_qty }
    }

    /// The printed trades of an instrument whose price is known, for their average price.
    ///
    /// ```
    /// use ringtape::book::Replica;
    /// use ringtape::event::{Event, payload};
    /// use ringtape::units::{InstrumentId, MatchId, OrderId, Price, Qty};
    ///
    /// let mut replica = Replica::new();
    /// for (price, shares) in [(100, 300), (106, 100)] {
    ///     let (order_id, match_id) = (OrderId(0), MatchId(shares));
    ///     let (price, qty) = (Price(price), Qty(shares));
    ///     let trade = payload::Trade { order_id, price, qty, match_id };
    ///     replica.apply(&Event::new(0, 1, trade));
    /// }
    /// let turnover = replica.turnover(InstrumentId(1));
    /// assert_eq!((turnover.qty, turnover.vwap()), (Qty(400), Some(Price(102))));
    /// ```
    pub fn turnover(&self, instrument: InstrumentId) -> Turnover {
        self.tapes.get(instrument.0 as usize).map_or(Turnover::default(), |tape| tape.turnover)
    }

    /// Applies one event, as [`apply`](Self::apply), and says which levels and whether the touch
    /// changed.
    ///
    /// Within an exchange event the book may be one that never existed: act after
    /// [`is_event_open`](Self::is_event_open) says no.
    ///
    /// ```
    /// use ringtape::book::Replica;
    /// use ringtape::event::kinds::Text;
    /// use ringtape::event::{Event, Flags, payload};
    /// use ringtape::units::{OrderId, Price, Qty, Side};
    ///
    /// let bid = |id, price| {
    ///     let text = Text::new("");
    ///     let (order_id, price, qty) = (OrderId(id), Price(price), Qty(5));
    ///     Event::new(0, 1, payload::Add { order_id, price, qty, attribution: text, pad: 0 })
    ///         .with_side(Side::Buy)
    ///         .with_flags(Flags::LAST)
    /// };
    /// let mut replica = Replica::new();
    /// let first = replica.apply_and_tell(&bid(1, 100));
    /// assert_eq!(first.touch.map(|touch| touch.bid_price), Some(Price(100)));
    /// let behind = replica.apply_and_tell(&bid(2, 99));
    /// assert_eq!(behind.touch, None);
    /// let (side, level) = behind.levels[0].expect("a level changed");
    /// assert_eq!((side, level.price, level.qty), (Side::Buy, Price(99), Qty(5)));
    /// ```
    pub fn apply_and_tell(&mut self, event: &Event) -> Update {
        let instrument = self.concerned(event);
        let before = self.touch(instrument);
        let change = self.apply(event);
        let after = self.touch(instrument);
        let mut levels = [None; 2];
        let is_of_order =
            !matches!(change.kind, ChangeKind::None | ChangeKind::Cleared | ChangeKind::Unknown);
        if is_of_order {
            let OrderView { side, price, .. } = change.order;
            levels[0] = Some((side, self.level(change.order.instrument, side, price)));
        }
        if let Some(new) = change.new
            && (new.side, new.price) != (change.order.side, change.order.price)
        {
            levels[1] = Some((new.side, self.level(new.instrument, new.side, new.price)));
        }
        Update { change, levels, touch: (after != before).then_some(after) }
    }

    /// The instrument whose book an event changes: that of the order that it names, if it does.
    fn concerned(&self, event: &Event) -> InstrumentId {
        let order_id = match event.view() {
            EventView::Delete(delete) => delete.order_id,
            EventView::Replace(replace) => replace.order_id,
            EventView::Execute(execute) => execute.order_id,
            EventView::ExecuteAt(execute) => execute.order_id,
            EventView::Reduce(reduce) => reduce.order_id,
            EventView::Modify(modify) => modify.order_id,
            _ => return InstrumentId(event.instrument),
        };
        self.order(order_id).map_or(InstrumentId(event.instrument), |order| order.instrument)
    }
}
