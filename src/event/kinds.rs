//! The one table of record kinds on the market ring: code, name, group and payload fields.
//!
//! The list below is the only one. From it come the [`Kind`] enum, the payload structures, the
//! [`EventView`] that consumers match on, and the table [`KINDS`] that the decoder, the encoder,
//! `ringtape dump`, the documentation and the tests share.
//!
//! A message that needs more room than one record goes on in records of a kind of its own
//! (`instrument` in `instrument_terms` and `instrument_listing`, `notice` in `notice_more`); each
//! record but the last carries [`Flags::CONTINUED`](super::Flags::CONTINUED).

use std::mem::{offset_of, size_of};

use bytemuck::{Pod, Zeroable};

use super::Event;
use super::describe::kinds;
pub use super::describe::{Group, KindInfo, PAYLOAD_BYTES, PAYLOAD_OFFSET, Payload};
use super::fields::Field;
pub use super::fields::{FieldInfo, Letter, Price32, Raw, Text};
use crate::units::{AccountId, MatchId, OrderId, Price, Qty};

kinds! {
    /// An instrument's symbol and price increment; its terms and listing may follow.
    Market "instrument" Instrument = 1 {
        /// Symbol as the venue writes it.
        symbol: Text<24>,
        /// Smallest price step of the feed in 1e-9 of the currency.
        price_increment: u64,
    }
    /// Continues an instrument: venue, currency, lot and multiplier.
    Market "instrument_terms" InstrumentTerms = 2 {
        /// Venue that lists it.
        venue: Text<8>,
        /// Currency of its prices, as ISO 4217.
        currency: Text<4>,
        /// Quantity increments of a round lot.
        round_lot: u32,
        /// Quantity increment in 1e-9 of a unit.
        qty_increment: u64,
        /// Currency units that one point of price is worth.
        multiplier: u32,
        /// 1 when the feed named no terms and these were assumed.
        assumed: u32,
    }
    /// Continues an instrument: the fields of a stock directory message.
    Market "instrument_listing" InstrumentListing = 3 {
        /// Leverage factor of an exchange-traded product.
        etp_leverage: u32,
        /// Market category.
        market_category: Letter,
        /// Financial status indicator.
        financial_status: Letter,
        /// Y when only round lots are accepted.
        round_lots_only: Letter,
        /// Issue classification.
        issue_class: Letter,
        /// Issue sub-type.
        issue_subtype: Text<2>,
        /// P for a live instrument, T for a test one.
        authenticity: Letter,
        /// Y when the short sale threshold applies.
        short_sale_threshold: Letter,
        /// Y when set for an initial public offering.
        ipo: Letter,
        /// Limit-up limit-down tier, 1 or 2.
        luld_tier: Letter,
        /// Y for an exchange-traded product.
        etp: Letter,
        /// Y for an inverse product.
        inverse: Letter,
        /// Filling.
        pad: Raw<16>,
    }
    /// An order enters the displayed book.
    Market "add" Add = 4 {
        /// The order's reference.
        order_id: OrderId,
        /// Its limit.
        price: Price,
        /// Its displayed quantity.
        qty: Qty,
        /// Market participant it is attributed to; zeros when anonymous.
        attribution: Text<4>,
        /// Filling.
        pad: u32,
    }
    /// A displayed order is executed at its own price.
    Market "execute" Execute = 5 {
        /// The resting order.
        order_id: OrderId,
        /// Filling.
        pad: u64,
        /// Executed quantity.
        qty: Qty,
        /// Number of the match.
        match_id: MatchId,
    }
    /// A displayed order is executed at another price than its own.
    Market "execute_at" ExecuteAt = 6 {
        /// The resting order.
        order_id: OrderId,
        /// Execution price.
        price: Price,
        /// Executed quantity.
        qty: Qty,
        /// Number of the match.
        match_id: MatchId,
    }
    /// Shares are taken off a displayed order, which keeps its place.
    Market "reduce" Reduce = 7 {
        /// The resting order.
        order_id: OrderId,
        /// Filling.
        pad: u64,
        /// Quantity taken off.
        qty: Qty,
        /// Filling.
        pad2: u64,
    }
    /// A displayed order leaves the book.
    Market "delete" Delete = 8 {
        /// The resting order.
        order_id: OrderId,
        /// Filling.
        pad: Raw<24>,
    }
    /// A displayed order is replaced by a new one, at the back of its queue.
    Market "replace" Replace = 9 {
        /// The order that leaves.
        order_id: OrderId,
        /// The new order's limit.
        price: Price,
        /// The new order's open quantity.
        qty: Qty,
        /// The new order's reference.
        new_order_id: OrderId,
    }
    /// A displayed order is changed to an absolute price and size.
    Market "modify" Modify = 10 {
        /// The resting order.
        order_id: OrderId,
        /// Its new limit.
        price: Price,
        /// Its new open quantity.
        qty: Qty,
        /// Filling.
        pad: u64,
    }
    /// A trade without a displayed order.
    Market "trade" Trade = 11 {
        /// The hidden order's reference, 0 as a rule.
        order_id: OrderId,
        /// Trade price.
        price: Price,
        /// Traded quantity.
        qty: Qty,
        /// Number of the match.
        match_id: MatchId,
    }
    /// An auction's or cross's print; a quantity of 0 is no trade.
    Market "cross" Cross = 12 {
        /// Type of the cross: O opening, C closing, H halt or IPO, I intraday.
        cross_type: Letter,
        /// Filling.
        pad: Raw<7>,
        /// Cross price.
        price: Price,
        /// Crossed quantity.
        qty: Qty,
        /// Number of the match.
        match_id: MatchId,
    }
    /// A trade is broken: volume is reversed, the book is not.
    Market "broken" Broken = 13 {
        /// Filling.
        pad: Raw<24>,
        /// Number of the broken match.
        match_id: MatchId,
    }
    /// Imbalance and indicative prices before a cross.
    Market "imbalance" Imbalance = 14 {
        /// Quantity that would pair at the reference price.
        paired_qty: Qty,
        /// Quantity that would not.
        imbalance_qty: Qty,
        /// Price that crosses the auction orders alone.
        far_price: Price32,
        /// Price that crosses auction and continuous orders.
        near_price: Price32,
        /// Price at which the quantities are counted.
        reference_price: Price32,
        /// Side of the imbalance: B, S, N none, O too few orders, P paused.
        direction: Letter,
        /// Type of the cross.
        cross_type: Letter,
        /// Deviation of near price from reference, as the venue codes it.
        price_variation: Letter,
        /// Filling.
        pad: u8,
    }
    /// Price collar of a limit-up limit-down reopening auction.
    Market "collar" Collar = 15 {
        /// Reference price.
        reference_price: Price,
        /// Upper collar.
        upper_price: Price,
        /// Lower collar.
        lower_price: Price,
        /// Number of extensions.
        extension: u64,
    }
    /// A price level's total is set; 0 removes it.
    Market "level_set" LevelSet = 16 {
        /// Orders at the level; 0 when the feed does not say.
        order_count: u64,
        /// Price of the level.
        price: Price,
        /// New total.
        qty: Qty,
        /// Filling.
        pad: u64,
    }
    /// All orders and levels of the instrument are gone.
    Market "clear" Clear = 17 {
        /// Filling.
        pad: Raw<32>,
    }
    /// Trading in an instrument is halted, paused, quoting or resumed.
    Market "status" Status = 18 {
        /// H halted, P paused, Q quotation only, T trading.
        state: Letter,
        /// Market that halted operationally (Q, B, X); 0 when the state holds everywhere.
        market: Letter,
        /// Reserved byte of the venue's message.
        reserved: Letter,
        /// Filling.
        pad: u8,
        /// Reason as the venue codes it.
        reason: Text<4>,
        /// Filling.
        pad2: Raw<24>,
    }
    /// The session enters a phase.
    Market "phase" Phase = 19 {
        /// ITCH: O S Q M E C; order file: h halt, r resume, a auction, u uncross, d end of day.
        code: Letter,
        /// Bits of an auction of the order file: 1 it is the opening one, 2 the closing one.
        auction: u8,
        /// Filling.
        pad: Raw<6>,
        /// Reference price of an uncross; 0 when none.
        reference_price: Price,
        /// Lower collar of an uncross; 0 when none.
        lower_price: Price,
        /// Upper collar of an uncross; 0 when none.
        upper_price: Price,
    }
    /// Any other message of the venue: type, length and the bytes after its header.
    Market "notice" Notice = 20 {
        /// The venue's message type.
        message_type: Letter,
        /// Filling.
        pad: u8,
        /// Bytes of the body; bytes past the records that follow are not kept.
        body_bytes: u16,
        /// The body's first bytes.
        body: Raw<28>,
    }
    /// Continues a notice.
    Market "notice_more" NoticeMore = 21 {
        /// The body's next bytes.
        body: Raw<32>,
    }
    /// The venue's own best bid and offer, beside what its levels or orders say: a check.
    Market "quote" Quote = 22 {
        /// Highest bid; 0 without one.
        bid_price: Price,
        /// What is bid there.
        bid_qty: Qty,
        /// Lowest offer; 0 without one.
        ask_price: Price,
        /// What is offered there.
        ask_qty: Qty,
    }
    /// Terms of the new order that follows: stop, trail, display, expiry.
    Command "terms" Terms = 64 {
        /// Price at which a stop order triggers; 0 when none.
        stop_price: Price,
        /// Offset of a trailing stop; 0 when none.
        trail: Price,
        /// Displayed quantity of an iceberg; 0 when all is displayed.
        display_qty: Qty,
        /// Time of expiry in ns; 0 when none.
        expire_ts: u64,
    }
    /// More terms of the new order that follows, or who asks for the replacement that follows.
    Command "terms_more" TermsMore = 65 {
        /// Quantity to be filled on entry at least; 0 when none.
        min_qty: Qty,
        /// Cap of a market order; 0 when none.
        cap_price: Price,
        /// Self-trade prevention group; 0 means the account.
        self_trade_group: u64,
        /// Account that asks for a replacement.
        account: AccountId,
        /// 1 when an account asks; 0 when the order's own does.
        has_account: u16,
        /// 1 when an order of the sender had the number before, which makes it a duplicate.
        is_used: u16,
    }
    /// A new order.
    Command "new_order" NewOrder = 66 {
        /// The order's number.
        order_id: OrderId,
        /// Its limit; 0 for a market order without a cap.
        price: Price,
        /// Its quantity.
        qty: Qty,
        /// Account that sends it.
        account: AccountId,
        /// Order type: 0 limit, 1 market, 2 stop, 3 stop limit, 4 trailing, 5 trailing limit.
        order_type: u8,
        /// Time in force: 0 day, 1 GTC, 2 GTD, 3 IOC, 4 FOK, 5 opening, 6 closing.
        time_in_force: u8,
        /// Self-trade prevention: 0 none, 1 newest, 2 oldest, 3 both, 4 decrement.
        self_trade: u8,
        /// Bits: 1 post-only, 2 reprice, 4 hidden, 8 triggered by bid and offer.
        instructions: u8,
    }
    /// An order is to be cancelled.
    Command "cancel_order" CancelOrder = 67 {
        /// The order.
        order_id: OrderId,
        /// Filling.
        pad: Raw<16>,
        /// Account that asks.
        account: AccountId,
        /// 1 when the order's own account asks, whichever that is.
        any_account: u32,
    }
    /// An order is to be reduced.
    Command "reduce_order" ReduceOrder = 68 {
        /// The order.
        order_id: OrderId,
        /// Filling.
        pad: u64,
        /// Quantity to take off.
        qty: Qty,
        /// Account that asks.
        account: AccountId,
        /// 1 when the order's own account asks, whichever that is.
        any_account: u32,
    }
    /// An order is to be replaced.
    Command "replace_order" ReplaceOrder = 69 {
        /// The order.
        order_id: OrderId,
        /// New limit.
        price: Price,
        /// New total quantity including what is filled; 0 when unchanged.
        qty: Qty,
        /// New number.
        new_order_id: OrderId,
    }
    /// All orders of an account, instrument, side or price range are to be cancelled.
    Command "mass_cancel" MassCancel = 70 {
        /// Account.
        account: AccountId,
        /// Bits of the criteria that hold: 1 account, 2 instrument, 4 side, 8 price range.
        criteria: u32,
        /// Lowest price.
        lower_price: Price,
        /// Highest price.
        upper_price: Price,
        /// Filling.
        pad: u64,
    }
    /// A risk limit is changed.
    Command "limits" Limits = 71 {
        /// Account.
        account: AccountId,
        /// Number of the limit.
        limit: u32,
        /// Its new value.
        value: u64,
        /// Filling.
        pad: Raw<16>,
    }
    /// The kill switch: cancel everything of the account and send nothing more.
    Command "kill" Kill = 72 {
        /// Account.
        account: AccountId,
        /// 1 when all accounts are meant.
        all_accounts: u32,
        /// Filling.
        pad: Raw<24>,
    }
    /// A session of order entry begins or ends.
    Command "session" Session = 73 {
        /// Number of the command that the venue takes next; 0 when it did not say.
        next_command: u64,
        /// Number of the session's run at the venue.
        run_number: u32,
        /// 1 when the session begins.
        is_up: u8,
        /// 1 when orders are cancelled once the connection ends.
        cancel_on_disconnect: u8,
        /// Filling.
        pad: u16,
        /// The run whose session it is.
        run: Raw<16>,
    }
    /// What a venue says of an own order, or of all open ones; the next record completes it.
    Command "report" Report = 74 {
        /// Number of the report; 0 when it tells of an open order.
        number: u64,
        /// The order that replaces this one; 0 when none.
        new_order_id: OrderId,
        /// Quantity still open, in 1e-9 of a unit; orders that are open at the end of their list.
        leaves: u64,
        /// Account of the order.
        account: AccountId,
        /// What happened, as executions have it: 1 accepted, 2 rejected, 3 filled...
        report: u8,
        /// Which side of a match it was, as executions have it; 0 when nothing traded.
        liquidity: u8,
        /// Why, as executions have it.
        reason: u16,
    }
    /// Completes a report.
    Command "report_more" ReportMore = 75 {
        /// The order; 0 at the end of the list of open ones.
        order_id: OrderId,
        /// Price of a fill, else the order's limit, in 1e-9 of the currency.
        price: u64,
        /// Quantity of the fill or change, in 1e-9 of a unit.
        qty: u64,
        /// Number of the match; 0 when nothing traded.
        match_id: MatchId,
    }
    /// Live time, after a while without another event.
    Engine "time" Time = 96 {
        /// Filling.
        pad: Raw<32>,
    }
    /// Where in the feed the next event comes from. Of several feeds that are read as one, a mark
    /// of each comes before that of all.
    Engine "feed_mark" FeedMark = 97 {
        /// Number, from 1, of the feed among several that are read as one; 0 for all of them, and
        /// for a feed alone.
        source: u64,
        /// Byte offset after decompression; several feeds are read ahead of the next message.
        byte_offset: u64,
        /// Number of the next message; of one among several feeds, as it delivers them.
        message: u64,
        /// Hash that identifies the source.
        identity: u64,
    }
    /// All parts save their state here.
    Engine "snapshot_mark" SnapshotMark = 98 {
        /// Number of the snapshot.
        snapshot: u64,
        /// Number of the feed's next message.
        message: u64,
        /// Filling.
        pad: Raw<16>,
    }
    /// The feed's reader found that messages are missing, and which.
    Engine "feed_gap" FeedGap = 99 {
        /// Number of the feed's message that follows the gap.
        message: u64,
        /// The venue's number of the first missing message.
        from: u64,
        /// The venue's number of the first message after the gap.
        until: u64,
        /// Byte of the unpacked feed at which the packet begins that follows the gap, or tells of
        /// it; 0 where packets have no place in a file.
        byte: u64,
    }
    /// The feed's reader found something that its messages do not tell.
    Engine "feed_finding" FeedFinding = 100 {
        /// Number of the feed's message that it is about, the last one of several.
        message: u64,
        /// How often since the finding before; of C how often in all.
        count: u64,
        /// What: M messages missing, not numbered; B older than the one before; U of an unknown
        /// type; D steps of the venue's own book that do not follow; C such steps compared; S the
        /// session's start is there; E its end is.
        what: Letter,
        /// 1 when the byte is known.
        has_byte: u8,
        /// Filling.
        pad: Raw<6>,
        /// Byte of the unpacked feed at which the message begins, or its packet.
        byte: u64,
    }
}

#[cfg(test)]
mod tests;
