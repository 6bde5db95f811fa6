//! What a check found: counts, the strength of the evidence, and the first disagreements.

use std::fmt;

use super::TapeFill;
use crate::event::Instrument;
use crate::units::{InstrumentId, OrderId, Qty};

/// Disagreements that a report keeps; all are counted.
pub const DISAGREEMENTS_KEPT: usize = 10;

/// What a [`Checker`](super::Checker) found; the module's tables say what the counts mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingCheck {
    /// Execution events that got a verdict.
    pub checked: u64,
    /// Those in which matcher and tape agree.
    pub agree: u64,
    /// Those in which they do not, and adds that would trade.
    pub disagree: u64,
    /// Adds that would trade.
    pub adds_would_trade: u64,
    /// Executions in checked events.
    pub executions: u64,
    /// Checked events whose aggressor came to rest.
    pub remainders: u64,
    /// Events with executions that show in a cross.
    pub cross: u64,
    /// Events with printed executions at another price than the order's.
    pub priced: u64,
    /// Events that name an order which is not in the book.
    pub unknown_reference: u64,
    /// Events of trades without a displayed order and nothing executed.
    pub hidden_prints: u64,
    /// Trades without a displayed order, in those events and others, at a price that displayed
    /// orders should have traded at first.
    pub implausible_prints: u64,
    /// Events that execute orders of both sides.
    pub unclassified: u64,
    /// How much an agreement means.
    pub evidence: Evidence,
    /// Whether executions came and the feed never showed an exchange event of several records.
    pub is_grouped_by_match_number: bool,
    /// The first disagreements.
    pub disagreements: Vec<Disagreement>,
}

/// The executions in checked events that say more than that the best price was taken.
///
/// One may count in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Of an order in a queue of more than one.
    pub in_company: u64,
    /// Of an order that was reduced before.
    pub on_reduced: u64,
    /// Of an order that came in for another.
    pub on_replaced: u64,
    /// In an event that took orders at several prices.
    pub over_levels: u64,
    /// In an event whose aggressor came to rest.
    pub with_remainder: u64,
}

/// Matcher and tape disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Number of the exchange event's last record among all that were applied, from 0: the market
    /// sequence, where every event of the market ring is applied.
    pub event: u64,
    /// Exchange time.
    pub ts_event: u64,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its definition, if there was one.
    pub definition: Option<Instrument>,
    /// The order that would trade; else the first that the tape executed.
    pub order_id: OrderId,
    /// In what they disagree.
    pub why: Why,
    /// The fills on the tape, in order.
    pub expected: Vec<TapeFill>,
    /// The matcher's, up to the first part of the event that differs.
    pub got: Vec<TapeFill>,
}

/// In what matcher and tape disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The tape rests an order that the matcher would let trade.
    AddWouldTrade,
    /// The tape passed over so many displayed shares that came first.
    PassedOver(Qty),
    /// The tape kept price and time, and the matcher did not.
    OtherFills,
}

/// In words: `add would trade`, `passed over 300 shares`, `other fills`.
///
/// ```
/// use ringtape::matching::proof::Why;
/// use ringtape::units::Qty;
///
/// assert_eq!(Why::PassedOver(Qty(300)).to_string(), "passed over 300 shares");
/// ```
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddWouldTrade => f.write_str("add would trade"),
            Self::PassedOver(qty) => write!(f, "passed over {qty} shares"),
            Self::OtherFills => f.write_str("other fills"),
        }
    }
}
