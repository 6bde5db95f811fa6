//! What a book shows: touch, levels, orders, and what an event changed.

use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Best bid and offer of one instrument; quantity and price of an empty side are 0.
///
/// ```
/// use ringtape::book::Touch;
/// use ringtape::units::{Price, Qty};
///
/// let locked = Touch {
///     bid_price: Price(100),
///     bid_qty: Qty(5),
///     ask_price: Price(100),
///     ask_qty: Qty(7),
/// };
/// assert!(locked.is_crossed());
/// assert!(!Touch::default().is_crossed());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Highest bid.
    pub bid_price: Price,
    /// All that is bid at the highest bid.
    pub bid_qty: Qty,
    /// Lowest offer.
    pub ask_price: Price,
    /// All that is offered at the lowest offer.
    pub ask_qty: Qty,
}

impl Touch {
    /// Whether both sides are there and the bid reaches the offer: locked or crossed.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        self.is_two_sided() && self.bid_price >= self.ask_price
    }

    /// Whether both sides are there.
    #[inline]
    pub fn is_two_sided(&self) -> bool {
        self.bid_qty.0 > 0 && self.ask_qty.0 > 0
    }
}

/// The best level of one side; zeros when the side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Best {
    pub(crate) price: Price,
    pub(crate) qty: Qty,
}

/// A pair of sides as a touch.
#[inline]
pub(super) fn touch_of(best: &[Best; 2]) -> Touch {
    let [bid, ask] = best;
    Touch { bid_price: bid.price, bid_qty: bid.qty, ask_price: ask.price, ask_qty: ask.qty }
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The order's reference.
    pub order_id: OrderId,
    /// The instrument whose book it rests in.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Its limit.
    pub price: Price,
    /// Its open quantity.
    pub qty: Qty,
    /// Its place in time: at one level, smaller is ahead.
    pub priority: u64,
}

/// A price level; all zeros but the price when nothing rests there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelView {
    /// Its price.
    pub price: Price,
    /// Sum of its orders' open quantities.
    pub qty: Qty,
    /// Number of its orders.
    pub orders: u32,
}

/// What an event did to a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Nothing.
    None,
    /// An order came.
    Added,
    /// An order was executed, at its price or another.
    Executed,
    /// Quantity was taken off an order.
    Reduced,
    /// An order left.
    Deleted,
    /// An order left and another took its place, at the back of its queue.
    Replaced,
    /// An order got another price or quantity.
    Modified,
    /// All orders of the instrument left.
    Cleared,
    /// A price level was told anew by a feed that names no orders.
    LevelSet,
    /// The event names an order that is not in the book; nothing changed.
    Unknown,
}

/// What an event did to a book, with the order concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The order as it was before the change; for `Added` as it was added, for `LevelSet` the
    /// level.
    ///
    /// For `None`, `Cleared` and `Unknown` only the reference and the instrument mean something:
    /// they are those of the event.
    pub order: OrderView,
    /// Quantity that the event took out of the book.
    ///
    /// Never more than the order had: a message that takes more is counted
    /// ([`ReplicaCounts::excess_quantities`](super::ReplicaCounts)). For `Unknown` it is what the
    /// message names, for `Added` 0, for `Replaced` all of the old order, for `Modified` what was
    /// taken off if it kept its place, for `LevelSet` what the level lost.
    pub qty: Qty,
    /// For `Replaced` and `Modified` the order after the change, for `LevelSet` the level.
    pub new: Option<OrderView>,
    /// Whether `order` no longer rests: it was executed, taken off or replaced completely.
    pub left_book: bool,
}

impl Change {
    /// A change of no order.
    #[inline]
    pub(super) fn of_none(
        kind: ChangeKind,
        order_id: OrderId,
        instrument: InstrumentId,
        qty: Qty,
    ) -> Self {
        let order = OrderView {
            order_id,
            instrument,
            side: Side::Buy,
            price: Price(0),
            qty: Qty(0),
            priority: 0,
        };
        Self { kind, order, qty, new: None, left_book: false }
    }
}
