//! First in, first out: the lots of a position, beside its average cost.

use std::collections::VecDeque;

use super::position::Worth;
use crate::error::Result;
use crate::state::{StateReader, StateWriter};
use crate::units::{Money, Price, Qty, Side};

/// What is left of one opening fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Quantity left.
    pub qty: u64,
    /// Its cost; negative (proceeds) when short.
    pub cost: Money,
}

/// The open lots of a position, oldest first, all on its side.
///
/// ```
/// use ringtape::event::Instrument;
/// use ringtape::portfolio::{Lots, Worth};
/// use ringtape::units::{Money, Price, Qty, Side};
///
/// let worth = Worth::of(&Instrument::us_equity("X").listing()).expect("small numbers");
/// let mut lots = Lots::default();
/// for price in [100_000, 120_000] {
///     lots.fill(Side::Buy, Price(price), Qty(10), worth, 0).expect("small numbers");
/// }
/// // The first ten cost 10.00 each.
/// lots.fill(Side::Sell, Price(130_000), Qty(10), worth, 10).expect("small numbers");
/// assert_eq!(lots.realised, Money(30_000_000_000));
/// assert_eq!(lots.cost(), Money(120_000_000_000));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lots {
    open: VecDeque<Lot>,
    /// Profit of what was closed, before fees.
    pub realised: Money,
}

impl Lots {
    /// The open lots, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Lot> {
        self.open.iter()
    }

    /// Total cost of what is open; negative when short.
    pub fn cost(&self) -> Money {
        self.open.iter().fold(Money(0), |sum, lot| sum + lot.cost)
    }

    /// Quantity that is open.
    pub fn qty(&self) -> u128 {
        self.open.iter().map(|lot| u128::from(lot.qty)).sum()
    }

    /// Takes in a fill that closes `closed` of what is open; `None`, and nothing changed, when a
    /// value would not fit.
    pub fn fill(
        &mut self,
        side: Side,
        price: Price,
        qty: Qty,
        worth: Worth,
        closed: u64,
    ) -> Option<()> {
        let sign = if side == Side::Buy { 1 } else { -1 };
        let value = Money(worth.value_at(price, qty)?.0 * sign);
        let closed_value = Money(worth.value_at(price, Qty(closed))?.0 * sign);
        let mut left = closed;
        while left > 0 {
            let Some(lot) = self.open.front_mut() else { break };
            let taken = lot.qty.min(left);
            let moved = lot.cost_of(taken);
            lot.qty -= taken;
            lot.cost -= moved;
            self.realised -= moved;
            left -= taken;
            if lot.qty == 0 {
                self.open.pop_front();
            }
        }
        self.realised -= closed_value;
        if qty.0 > closed {
            self.open.push_back(Lot { qty: qty.0 - closed, cost: value - closed_value });
        }
        Some(())
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_i128(self.realised.0);
        writer.put_len(self.open.len());
        for lot in &self.open {
            writer.put_u64(lot.qty);
            writer.put_i128(lot.cost.0);
        }
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut lots = Self { realised: Money(reader.i128()?), open: VecDeque::new() };
        for _ in 0..reader.len(24)? {
            lots.open.push_back(Lot { qty: reader.u64()?, cost: Money(reader.i128()?) });
        }
        Ok(lots)
    }
}

impl Lot {
    /// The cost that `taken` of the lot moves out, rounded toward zero.
    fn cost_of(&self, taken: u64) -> Money {
        let (cost, qty, taken) = (self.cost.0, i128::from(self.qty), i128::from(taken));
        // WHY: cost x taken / qty without a product that could overflow; the remainder has the sign
        // of the cost, so both parts round the same way.
        Money(cost / qty * taken + cost % qty * taken / qty)
    }
}
