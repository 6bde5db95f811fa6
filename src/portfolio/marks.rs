//! The price at which a position is valued.
//!
//! | in this order | mark |
//! |---|---|
//! | the closing cross is known (quotes at the end of the day) | its price |
//! | two-sided, not crossed, trading, spread at most the limit | the mid, in half increments |
//! | a printable trade happened | the last one's price |
//! | there was a mark | that one |
//! | nothing of the above | unpriced |
//!
//! The spread is measured against the mid: `(offer - bid) / mid`, 5 % at most unless set otherwise.

use crate::error::Result;
use crate::event::Quote;
use crate::state::{StateReader, StateWriter};

/// Spread in parts per million of the mid up to which a mid is a mark, unless set otherwise: 5 %.
pub const MAX_SPREAD_PPM_DEFAULT: u32 = 50_000;

/// Where a mark came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarkSource {
    /// The middle of bid and offer.
    Mid = 1,
    /// The last printable trade.
    Last = 2,
    /// The closing cross.
    Close = 3,
}

/// A price to value a position at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The price in half increments.
    pub half_price: i128,
    /// Where it came from.
    pub source: MarkSource,
}

/// The rule that turns quotes into marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRule {
    /// Widest spread in parts per million of the mid at which the mid is a mark.
    pub max_spread_ppm: u32,
}

impl Default for MarkRule {
    fn default() -> Self {
        Self { max_spread_ppm: MAX_SPREAD_PPM_DEFAULT }
    }
}

impl MarkRule {
    /// The mark after a quote, from the one before it.
    ///
    /// ```
    /// use ringtape::event::Quote;
    /// use ringtape::portfolio::MarkRule;
    /// use ringtape::units::{Price, Qty};
    ///
    /// let quote = Quote {
    ///     bid_price: Price(100),
    ///     bid_qty: Qty(1),
    ///     ask_price: Price(101),
    ///     ask_qty: Qty(1),
    ///     trading: true,
    ///     ..Quote::default()
    /// };
    /// let mark = MarkRule::default().next(None, &quote).expect("a two-sided market");
    /// assert_eq!(mark.half_price, 201);
    /// ```
    pub fn next(self, previous: Option<Mark>, quote: &Quote) -> Option<Mark> {
        let whole = |price: crate::units::Price, source| Mark {
            half_price: 2 * i128::from(price.0),
            source,
        };
        quote
            .close_price
            .map(|price| whole(price, MarkSource::Close))
            .or_else(|| self.mid(quote))
            .or_else(|| quote.last_price.map(|price| whole(price, MarkSource::Last)))
            .or(previous)
    }

    fn mid(self, quote: &Quote) -> Option<Mark> {
        let (bid, ask) = (i128::from(quote.bid_price.0), i128::from(quote.ask_price.0));
        let is_two_sided = quote.bid_qty.0 > 0 && quote.ask_qty.0 > 0;
        let half_price = bid + ask;
        let is_narrow =
            (ask - bid) * 2_000_000 <= half_price.abs() * i128::from(self.max_spread_ppm);
        (is_two_sided && bid <= ask && quote.trading && is_narrow)
            .then_some(Mark { half_price, source: MarkSource::Mid })
    }
}

/// Writes a mark that may be absent.
pub(super) fn save_mark(mark: Option<Mark>, writer: &mut StateWriter) {
    writer.put_u8(mark.map_or(0, |mark| mark.source as u8));
    writer.put_i128(mark.map_or(0, |mark| mark.half_price));
}

/// Reads a mark that may be absent.
pub(super) fn load_mark(reader: &mut StateReader<'_>) -> Result<Option<Mark>> {
    let code = reader.u8()?;
    let half_price = reader.i128()?;
    let source = match code {
        0 => return Ok(None),
        1 => MarkSource::Mid,
        2 => MarkSource::Last,
        3 => MarkSource::Close,
        other => return Err(reader.bad(format!("mark has source {other}"))),
    };
    Ok(Some(Mark { half_price, source }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Price, Qty};

    fn quote(bid: i64, ask: i64) -> Quote {
        Quote {
            bid_price: Price(bid),
            bid_qty: Qty(1),
            ask_price: Price(ask),
            ask_qty: Qty(1),
            last_price: Some(Price(50)),
            close_price: None,
            trading: true,
        }
    }

    fn marked(quote: &Quote) -> (i128, MarkSource) {
        let before = Some(Mark { half_price: 7, source: MarkSource::Mid });
        let mark = MarkRule::default().next(before, quote).expect("there was a mark before");
        (mark.half_price, mark.source)
    }

    #[test]
    fn the_mid_counts_up_to_a_spread_of_five_percent() {
        // 39 and 41 differ by exactly 5 % of 40.
        assert_eq!(marked(&quote(39_000, 41_000)), (80_000, MarkSource::Mid));
        assert_eq!(marked(&quote(39_000, 41_001)), (100, MarkSource::Last));
    }

    #[test]
    fn halted_crossed_and_one_sided_books_are_marked_at_the_last_trade() {
        let good = quote(99, 101);
        for bad in [
            Quote { trading: false, ..good },
            Quote { bid_price: Price(102), ..good },
            Quote { bid_qty: Qty(0), ..good },
            Quote { ask_qty: Qty(0), ..good },
        ] {
            assert_eq!(marked(&bad), (100, MarkSource::Last));
        }
        let untraded = Quote { trading: false, last_price: None, ..good };
        assert_eq!(marked(&untraded), (7, MarkSource::Mid));
        assert_eq!(MarkRule::default().next(None, &untraded), None);
    }

    #[test]
    fn the_closing_cross_wins() {
        let closed = Quote { close_price: Some(Price(60)), ..quote(99, 101) };
        assert_eq!(marked(&closed), (120, MarkSource::Close));
    }
}
