//! An order of the model: everything that is known of it in one place.

use ringtape::event::{OrderType, SelfTrade, TimeInForce};
use ringtape::units::{OrderId, Price, Side};

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the book.
    Book,
    /// A stop that was not reached yet.
    Stop,
    /// For the opening or closing auction only, in or before its call.
    ForAuction,
    /// A market order that waits for the end of the call.
    Pool,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub id: OrderId,
    pub instrument: u32,
    pub account: u32,
    /// Whom it must not trade with: whether a group was named, and its number or the account's.
    pub group: (bool, u64),
    pub side: Side,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    pub self_trade: SelfTrade,
    /// The limit; the cap of a market or stop order, 0 without one.
    pub price: Price,
    /// Open quantity, an iceberg's reserve included.
    pub leaves: u64,
    pub cum: u64,
    /// What an iceberg shows at most; `None` when it is none.
    pub display: Option<u64>,
    /// What others see of it now.
    pub shown: u64,
    pub is_hidden: bool,
    pub is_post_only: bool,
    pub is_repriced: bool,
    pub min_qty: u64,
    pub expire_ts: u64,
    pub place: Place,
    /// Its time in the queue: the smaller, the earlier.
    pub time: u64,
    pub stop: StopTerms,
}

#[derive(Clone, Copy, Debug)]
pub struct StopTerms {
    /// `None` while a trailing stop waits for a first price.
    pub price: Option<Price>,
    /// The offset of a trailing stop; 0 for others.
    pub trail: i64,
    /// The best price since entry that a trailing stop follows.
    pub best: Option<Price>,
    /// Whether it looks at the touch, not at trades.
    pub looks_at_touch: bool,
}

impl Order {
    pub fn is_market(&self) -> bool {
        self.order_type == OrderType::Market
    }

    pub fn is_stop(&self) -> bool {
        is_stop(self.order_type)
    }

    /// Total quantity: what is open and what was filled.
    pub fn total(&self) -> u64 {
        self.leaves + self.cum
    }

    /// What an incoming order can take of it at once.
    pub fn available(&self) -> u64 {
        if self.is_hidden { self.leaves } else { self.shown }
    }

    /// An iceberg's quantity that others do not see.
    pub fn reserve(&self) -> u64 {
        if self.is_hidden { 0 } else { self.leaves - self.shown }
    }

    /// Shows what its terms allow.
    pub fn show(&mut self) {
        let most = self.display.unwrap_or(u64::MAX);
        self.shown = if self.is_hidden { 0 } else { self.leaves.min(most) };
    }

    /// Takes quantity off without a trade: the reserve first.
    pub fn take_off(&mut self, qty: u64) {
        let of_reserve = qty.min(self.reserve());
        self.leaves -= qty;
        if !self.is_hidden {
            self.shown -= qty - of_reserve;
        }
    }

    /// Books a trade of what was available.
    pub fn fill(&mut self, qty: u64) {
        assert!(qty > 0 && qty <= self.leaves);
        self.leaves -= qty;
        self.cum += qty;
    }

    pub fn is_priced(&self) -> bool {
        self.price.0 != 0
    }

    /// Whether the two must not trade, by this incoming order's wish.
    pub fn refuses(&self, resting: &Self) -> bool {
        self.self_trade != SelfTrade::None && self.group == resting.group
    }
}

pub fn is_stop(order_type: OrderType) -> bool {
    !matches!(order_type, OrderType::Limit | OrderType::Market)
}

/// Whether the type has a limit; the `price` of the others is a cap.
pub fn has_limit(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit | OrderType::TrailingLimit)
}

pub fn is_trailing(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Trailing | OrderType::TrailingLimit)
}
