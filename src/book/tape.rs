//! What is known of an instrument beside its book: prices and volume of the tape, and the units in
//! which its touch is hashed.

use super::view::{Best, touch_of};
use crate::event::Instrument;
use crate::hash::{RunningHash, hash_bytes};
use crate::units::{InstrumentId, Price, Qty};

/// What was traded in one instrument.
///
/// `volume = executed_qty + hidden_qty + cross_qty - broken_qty`, all in quantity increments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentStats {
    /// Printed volume.
    pub volume: Qty,
    /// Printed executions of displayed orders, of unknown references too.
    pub executed_qty: Qty,
    /// Executions of displayed orders that print elsewhere, such as in a cross.
    pub unprinted_qty: Qty,
    /// Trades without a displayed order.
    pub hidden_qty: Qty,
    /// Crosses.
    pub cross_qty: Qty,
    /// Broken trades.
    pub broken_qty: Qty,
    /// Prints that count as volume; broken ones are taken off.
    pub trades: u64,
}

/// Printed trades whose price is known: what a volume-weighted average price is made of.
///
/// An execution at the price of an order that is not in the book has volume and no price, so its
/// shares are not here. A broken trade is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Sum of price times quantity, in increments of both, modulo 2^128.
    pub value: i128,
    /// Sum of the quantities.
    pub qty: Qty,
}

impl Turnover {
    /// Volume-weighted average price in price increments, rounded to the nearest one and halfway
    /// up; `None` before the first trade.
    pub fn vwap(&self) -> Option<Price> {
        let qty = i128::from(self.qty.0);
        (qty > 0).then(|| Price(self.value.wrapping_add(qty / 2).div_euclid(qty) as i64))
    }

    // Wrapping, because a damaged feed may claim prices and quantities of 64 bits, and what a
    // broken trade takes back must still be what was added.
    #[inline]
    pub(super) fn add(&mut self, price: Price, qty: Qty) {
        self.value = self.value.wrapping_add(i128::from(price.0) * i128::from(qty.0));
        self.qty.0 = self.qty.0.saturating_add(qty.0);
    }

    pub(super) fn take(&mut self, price: Price, qty: Qty) {
        self.value = self.value.wrapping_sub(i128::from(price.0) * i128::from(qty.0));
        self.qty.0 = self.qty.0.saturating_sub(qty.0);
    }
}

/// The tape of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tape {
    pub(super) stats: InstrumentStats,
    pub(super) last_price: Option<Price>,
    pub(super) close_price: Option<Price>,
    /// What crossed since the book was last cleared, as it is before another day.
    pub(super) session_cross_qty: Qty,
    pub(super) turnover: Turnover,
}

/// An instrument's symbol and increments as hashes need them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    /// Hash of the symbol's text.
    pub(crate) symbol: u64,
    price_increment: u64,
    qty_increment: u64,
}

impl Tape {
    /// Whether anything tells it from a new tape.
    pub(super) fn is_used(&self) -> bool {
        *self != Self::default()
    }
}

impl Units {
    /// The units of a defined instrument.
    pub(crate) fn of(instrument: &Instrument) -> Self {
        Self {
            symbol: hash_bytes(instrument.symbol.as_str().as_bytes()),
            price_increment: instrument.price_increment,
            qty_increment: instrument.qty_increment,
        }
    }

    /// Whether they are an instrument's; before, they are all 0.
    #[inline(always)]
    pub(super) fn are_known(&self) -> bool {
        *self != Self::default()
    }

    /// The units of an instrument without a definition: its number for a symbol, US equity
    /// increments.
    #[cold]
    pub(super) fn assumed(id: InstrumentId) -> Self {
        Self::of(&Instrument::us_equity(&format!("#{id}")))
    }

    /// `price` in 1e-9 of the currency, modulo 2^64.
    #[inline]
    pub(crate) fn price(&self, price: Price) -> u64 {
        price.0.cast_unsigned().wrapping_mul(self.price_increment)
    }

    /// `qty` in 1e-9 of a unit, modulo 2^64.
    #[inline]
    pub(crate) fn qty(&self, qty: Qty) -> u64 {
        qty.0.wrapping_mul(self.qty_increment)
    }

    /// Takes a touch into a running hash: symbol, bid price, bid quantity, ask price, ask quantity.
    #[inline]
    pub(super) fn hash_touch(&self, best: &[Best; 2], hash: &mut RunningHash) {
        let touch = touch_of(best);
        hash_words(
            hash,
            [
                self.symbol,
                self.price(touch.bid_price),
                self.qty(touch.bid_qty),
                self.price(touch.ask_price),
                self.qty(touch.ask_qty),
            ],
        );
    }
}

/// Takes numbers into a running hash as one little-endian record.
#[inline]
pub(crate) fn hash_words<const N: usize>(hash: &mut RunningHash, mut words: [u64; N]) {
    // WHY: `map` on the array is a call of its own, 24 instructions a message.
    words.iter_mut().for_each(|word| *word = word.to_le());
    hash.update(bytemuck::cast_slice(&words));
}

impl InstrumentStats {
    /// Takes a broken trade back.
    pub(super) fn reverse(&mut self, qty: Qty) {
        add(&mut self.broken_qty, qty);
        self.volume.0 = self.volume.0.saturating_sub(qty.0);
        self.trades = self.trades.saturating_sub(1);
    }
}

/// Adds to a sum that stays at the largest number rather than wrap.
#[inline]
pub(super) fn add(sum: &mut Qty, qty: Qty) {
    sum.0 = sum.0.saturating_add(qty.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turnover_of_impossible_prices_is_taken_back_whole() {
        let (price, qty) = (Price(i64::MAX), Qty(u64::MAX / 2));
        let mut turnover = Turnover::default();
        (0..2).for_each(|_| turnover.add(price, qty));
        turnover.add(price, Qty(1));
        turnover.take(price, Qty(1));
        (0..2).for_each(|_| turnover.take(price, qty));
        assert_eq!(turnover, Turnover::default());
    }
}
