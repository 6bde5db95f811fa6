//! Codes of records: what executions say and what new orders ask for, each with its name.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $repr:ty {
        $( $(#[$variant_doc:meta])* $variant:ident = $code:literal $text:literal, )+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant = $code, )+
        }

        impl $name {
            /// Every value, by ascending code.
            pub const ALL: &[Self] = &[ $( Self::$variant, )+ ];

            /// The value of a code; `None` for codes without one.
            #[inline]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$variant), )+
                    _ => None,
                }
            }

            /// The name in files and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }
    };
}

codes! {
    /// What an [`Execution`](super::Execution) says.
    ExecutionKind: u8 {
        /// The order was accepted.
        Accepted = 1 "accepted",
        /// The order, or the change of it, was rejected; the reason says why.
        Rejected = 2 "rejected",
        /// A part of the order, or all of it, traded.
        Filled = 3 "filled",
        /// The order left the market unfilled in part or whole.
        Cancelled = 4 "cancelled",
        /// Quantity was taken off the order.
        Reduced = 5 "reduced",
        /// The order was replaced by another.
        Replaced = 6 "replaced",
        /// A stop order triggered.
        Triggered = 7 "triggered",
        /// The order's time in force ended.
        Expired = 8 "expired",
        /// The touch of a held instrument changed; see
        /// [`Execution::quote`](super::Execution::quote).
        Quote = 9 "quote",
        /// An instrument is introduced
        /// ([`Execution::listing`](super::Execution::listing)) or its trading state changed.
        Status = 10 "status",
        /// All parts save their state here.
        SnapshotMark = 11 "snapshot_mark",
    }
}

codes! {
    /// Why an order was rejected, cancelled or reduced, or what a status record tells.
    Reason: u16 {
        /// No special reason.
        None = 0 "none",
        /// The account asked for it.
        Requested = 1 "requested",
        /// The price is not a multiple of the tick.
        OffTick = 2 "off_tick",
        /// The quantity is not a multiple of the lot.
        OffLot = 3 "off_lot",
        /// The quantity is 0 or above the maximum.
        BadQuantity = 4 "bad_quantity",
        /// The price is not positive or above the maximum.
        BadPrice = 5 "bad_price",
        /// No such order.
        UnknownOrder = 6 "unknown_order",
        /// No such instrument.
        UnknownInstrument = 7 "unknown_instrument",
        /// An order of that number exists already.
        DuplicateOrder = 8 "duplicate_order",
        /// The order would have taken liquidity.
        WouldTake = 9 "would_take",
        /// Nothing was there to trade with.
        NoLiquidity = 10 "no_liquidity",
        /// The remainder of an immediate order.
        ImmediateRemainder = 11 "immediate_remainder",
        /// The whole quantity was not there.
        NotFillable = 12 "not_fillable",
        /// The instrument is not trading.
        NotTrading = 13 "not_trading",
        /// The session ended.
        EndOfDay = 14 "end_of_day",
        /// The kill switch was thrown.
        Killed = 15 "killed",
        /// A capacity limit of the engine was reached.
        Capacity = 16 "capacity",
        /// The position would have exceeded its limit.
        PositionLimit = 17 "position_limit",
        /// Introduces an instrument.
        Listed = 18 "listed",
        /// A replacement's total was not above what had been filled.
        ReplacedBelowCum = 19 "replaced_below_cum",
        /// What was left lies beyond the cap or collar of a market order, or of an uncross.
        Collar = 20 "collar",
        /// Self-trade prevention.
        SelfTrade = 21 "self_trade",
        /// The minimum quantity was not there.
        MinQty = 22 "min_qty",
        /// The time of expiry came.
        Expired = 23 "expired",
        /// The order's terms contradict one another.
        BadTerms = 24 "bad_terms",
        /// Orders of this kind are not taken during an auction call.
        NotInAuction = 25 "not_in_auction",
        /// The auction that the order was for is over.
        AuctionOver = 26 "auction_over",
        /// The instrument's state does not allow the change.
        WrongState = 27 "wrong_state",
        /// A mass cancel asked for it.
        MassCancel = 28 "mass_cancel",
        /// Trading halted.
        Halted = 29 "halted",
        /// Trading resumed.
        Resumed = 30 "resumed",
        /// An auction call opened.
        Auction = 31 "auction",
        /// An auction ended.
        Uncrossed = 32 "uncrossed",
        /// What an auction would trade now.
        Indicative = 33 "indicative",
        /// The order is larger than one order may be.
        OrderSize = 34 "order_size",
        /// The value of all positions and open orders would have exceeded its limit.
        GrossNotional = 35 "gross_notional",
        /// The value of longs less shorts would have exceeded its limit.
        NetNotional = 36 "net_notional",
        /// The price lies too far through the market.
        PriceCollar = 37 "price_collar",
        /// Too many messages were sent in a second.
        MessageRate = 38 "message_rate",
        /// Too many orders are open.
        OpenOrders = 39 "open_orders",
        /// Too many messages were sent for the fills that came of them.
        OrderToTrade = 40 "order_to_trade",
        /// The account lost more than it may.
        LossLimit = 41 "loss_limit",
        /// Messages of the feed were lost, or the connection was.
        Disconnected = 42 "disconnected",
    }
}

codes! {
    /// Who provided the liquidity of a fill.
    Liquidity: u8 {
        /// The order rested.
        Maker = 1 "maker",
        /// The order arrived.
        Taker = 2 "taker",
        /// An auction or cross.
        Auction = 3 "auction",
    }
}

codes! {
    /// What a new order asks for.
    OrderType: u8 {
        /// Trades at its limit or better.
        Limit = 0 "limit",
        /// Trades at any price up to its cap or the collar, and never rests.
        Market = 1 "market",
        /// Becomes a market order when its stop price is reached.
        Stop = 2 "stop",
        /// Becomes a limit order when its stop price is reached.
        StopLimit = 3 "stop_limit",
        /// A stop whose price follows the market at an offset.
        Trailing = 4 "trailing",
        /// A stop limit whose stop price follows the market at an offset.
        TrailingLimit = 5 "trailing_limit",
    }
}

impl OrderType {
    /// Whether it waits for a price before it enters.
    #[inline]
    pub const fn is_stop(self) -> bool {
        !matches!(self, Self::Limit | Self::Market)
    }

    /// Whether it is a stop whose price follows the market.
    #[inline]
    pub const fn is_trailing(self) -> bool {
        matches!(self, Self::Trailing | Self::TrailingLimit)
    }

    /// Whether it is, or becomes when it triggers, an order that never rests.
    #[inline]
    pub const fn is_market(self) -> bool {
        matches!(self, Self::Market | Self::Stop | Self::Trailing)
    }

    /// What it is once it has triggered; itself when it is no stop.
    #[inline]
    pub const fn triggered(self) -> Self {
        if self.is_market() { Self::Market } else { Self::Limit }
    }
}

codes! {
    /// How long an order stays.
    TimeInForce: u8 {
        /// Until the end of the session.
        Day = 0 "day",
        /// Until it is cancelled.
        Gtc = 1 "gtc",
        /// Until its time of expiry.
        Gtd = 2 "gtd",
        /// What does not trade at once is cancelled.
        Ioc = 3 "ioc",
        /// Trades completely at once or not at all.
        Fok = 4 "fok",
        /// For the session's opening auction only.
        Opening = 5 "opg",
        /// For the session's closing auction only.
        Closing = 6 "cls",
    }
}

codes! {
    /// What happens when an incoming order meets one of its own group.
    SelfTrade: u8 {
        /// They trade.
        None = 0 "none",
        /// The rest of the incoming order is cancelled.
        Newest = 1 "newest",
        /// The resting order is cancelled.
        Oldest = 2 "oldest",
        /// Both are cancelled.
        Both = 3 "both",
        /// Both lose the smaller open quantity without a trade.
        Decrement = 4 "decrement",
    }
}

/// Bits of a new order's instructions.
#[derive(Clone, Copy, Debug)]
pub struct Instructions;

impl Instructions {
    /// Rejected rather than take liquidity.
    pub const POST_ONLY: u8 = 1;
    /// With post-only: moved to the next price that takes none, where there is one.
    pub const REPRICE: u8 = 2;
    /// Not displayed.
    pub const HIDDEN: u8 = 4;
    /// A stop that looks at the best bid and offer, not at trades.
    pub const TRIGGER_BIDASK: u8 = 8;
    /// All of them.
    pub const ALL: u8 = 15;
}
