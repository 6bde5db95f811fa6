//! One account's position in one instrument, kept along two independent paths.

use crate::error::Result;
use crate::event::Listing;
use crate::state::{StateReader, StateWriter};
use crate::units::{MONEY_SCALE, Money, Price, Qty, Side};

/// What one increment of price times one increment of quantity is worth: a fraction in lowest
/// terms, in 1e-9 of the currency for a price in half increments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    numerator: i128,
    denominator: i128,
}

impl Worth {
    /// The worth that a listing's increments and multiplier make; `None` when it is beyond `i128`.
    pub fn of(listing: &Listing) -> Option<Self> {
        let increments =
            i128::from(listing.price_increment).checked_mul(i128::from(listing.qty_increment))?;
        let numerator = increments.checked_mul(i128::from(listing.multiplier))?;
        let denominator = 2 * MONEY_SCALE;
        let common = greatest_common_divisor(numerator, denominator);
        Some(Self { numerator: numerator / common, denominator: denominator / common })
    }

    /// The value of `qty` at a price in half increments, rounded toward zero; `None` beyond `i128`.
    ///
    /// ```
    /// use ringtape::event::Instrument;
    /// use ringtape::portfolio::Worth;
    /// use ringtape::units::Money;
    ///
    /// let worth = Worth::of(&Instrument::us_equity("X").listing()).expect("small numbers");
    /// // 100 shares at 10.00005 USD, the middle of 10.0000 and 10.0001.
    /// assert_eq!(worth.value(200_001, 100), Some(Money(1_000_005_000_000)));
    /// ```
    pub fn value(self, half_price: i128, qty: i128) -> Option<Money> {
        Some(Money(self.scaled(half_price, qty)? / self.denominator))
    }

    /// A value before it is divided by the denominator.
    fn scaled(self, half_price: i128, qty: i128) -> Option<i128> {
        half_price.checked_mul(qty)?.checked_mul(self.numerator)
    }

    /// The value of `qty` at a price in whole increments, times a rate, rounded down, and whether
    /// there was anything to round; `None` beyond `i128`.
    pub(super) fn times(self, price: Price, qty: Qty, rate: i128) -> Option<(i128, bool)> {
        let scaled = self.scaled(2 * i128::from(price.0), i128::from(qty.0))?;
        // Part by part, so that no product is larger than it must be.
        let (whole, rest) = (scaled / self.denominator, scaled % self.denominator);
        let rest = rest.checked_mul(rate)?;
        let sum = whole.checked_mul(rate)?.checked_add(rest.div_euclid(self.denominator))?;
        Some((sum, rest.rem_euclid(self.denominator) != 0))
    }

    /// The value of `qty` at a price in whole increments.
    pub fn value_at(self, price: Price, qty: Qty) -> Option<Money> {
        self.value(2 * i128::from(price.0), i128::from(qty.0))
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// A position: the average-cost path, and beside it the cash flows that audit it.
///
/// ```
/// use ringtape::event::Instrument;
/// use ringtape::portfolio::{Position, Worth};
/// use ringtape::units::{Money, Price, Qty, Side};
///
/// let worth = Worth::of(&Instrument::us_equity("X").listing()).expect("small numbers");
/// let mut position = Position::default();
/// position.fill(Side::Buy, Price(100_000), Qty(100), Money(0), worth).expect("small numbers");
/// position.fill(Side::Sell, Price(101_000), Qty(40), Money(0), worth).expect("small numbers");
/// assert_eq!(position.qty, 60);
/// assert_eq!(position.cost.to_string(), "600.00");
/// assert_eq!(position.realised.to_string(), "4.00");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Quantity held in increments; negative when short.
    pub qty: i64,
    /// Total cost of what is held; negative (proceeds) when short.
    pub cost: Money,
    /// Profit of what was closed, before fees.
    pub realised: Money,
    /// Fees less rebates.
    pub fees: Money,
    /// Number of fills.
    pub fills: u64,
    /// Sums of cash flows: the other path.
    pub flows: Flows,
}

/// What went in and out, summed without regard to what was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Quantity bought.
    pub bought_qty: i128,
    /// Quantity sold.
    pub sold_qty: i128,
    /// Value bought.
    pub bought: Money,
    /// Value sold.
    pub sold: Money,
    /// Fees paid.
    pub charges: Money,
    /// Rebates received.
    pub rebates: Money,
}

impl Flows {
    /// Net inflow of cash: sales and rebates less purchases and charges.
    pub fn cash(&self) -> Money {
        self.sold + self.rebates - self.bought - self.charges
    }

    /// Signed sum of all fills.
    pub fn inventory(&self) -> i128 {
        self.bought_qty - self.sold_qty
    }

    /// Quantity bought and sold.
    pub fn volume(&self) -> i128 {
        self.bought_qty + self.sold_qty
    }

    /// Value bought and sold.
    pub fn turnover(&self) -> Money {
        self.bought + self.sold
    }

    fn add(&mut self, side: Side, qty: Qty, value: Money, fee: Money) {
        match side {
            Side::Buy => {
                self.bought_qty += i128::from(qty.0);
                self.bought += value;
            }
            Side::Sell => {
                self.sold_qty += i128::from(qty.0);
                self.sold += value;
            }
        }
        if fee.0 < 0 {
            self.rebates -= fee;
        } else {
            self.charges += fee;
        }
    }
}

impl Position {
    /// Takes in a fill; `None`, and nothing changed, when a number would not fit.
    pub fn fill(
        &mut self,
        side: Side,
        price: Price,
        qty: Qty,
        fee: Money,
        worth: Worth,
    ) -> Option<()> {
        let value = worth.value_at(price, qty)?;
        let sign = match side {
            Side::Buy => 1,
            Side::Sell => -1,
        };
        let signed_qty = i64::try_from(qty.0).ok()? * sign;
        let new_qty = self.qty.checked_add(signed_qty)?;
        let closed = self.closed_by(side, qty);
        let closed_value = worth.value_at(price, Qty(closed))?;
        let moved_cost = self.cost_of(closed)?;

        let signed = |value: Money| Money(value.0 * i128::from(sign));
        self.cost = self.cost - moved_cost + signed(value - closed_value);
        self.realised -= moved_cost + signed(closed_value);
        self.qty = new_qty;
        self.fees += fee;
        self.fills += 1;
        self.flows.add(side, qty, value, fee);
        Some(())
    }

    /// How much of what is held a fill would close.
    pub(super) fn closed_by(&self, side: Side, qty: Qty) -> u64 {
        let is_closing = match side {
            Side::Buy => self.qty < 0,
            Side::Sell => self.qty > 0,
        };
        if is_closing { self.qty.unsigned_abs().min(qty.0) } else { 0 }
    }

    /// The cost that closing `closed` of what is held moves out, rounded toward zero.
    fn cost_of(&self, closed: u64) -> Option<Money> {
        if closed == 0 {
            return Some(Money(0));
        }
        let held = i128::from(self.qty.unsigned_abs());
        Some(Money(self.cost.0.checked_mul(i128::from(closed))? / held))
    }

    /// Cash that the position brought in, fees taken off.
    pub fn cash(&self) -> Money {
        self.flows.cash()
    }

    /// Writes the position.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_i64(self.qty);
        writer.put_u64(self.fills);
        for money in [self.cost, self.realised, self.fees] {
            writer.put_i128(money.0);
        }
        let flows = &self.flows;
        writer.put_i128(flows.bought_qty);
        writer.put_i128(flows.sold_qty);
        for money in [flows.bought, flows.sold, flows.charges, flows.rebates] {
            writer.put_i128(money.0);
        }
    }

    /// Reads a position back.
    ///
    /// # Errors
    ///
    /// Cut state.
    pub fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let (qty, fills) = (reader.i64()?, reader.u64()?);
        let mut money = || reader.i128().map(Money);
        let (cost, realised, fees) = (money()?, money()?, money()?);
        let (bought_qty, sold_qty) = (money()?.0, money()?.0);
        let (bought, sold) = (money()?, money()?);
        let (charges, rebates) = (money()?, money()?);
        let flows = Flows { bought_qty, sold_qty, bought, sold, charges, rebates };
        Ok(Self { qty, cost, realised, fees, fills, flows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Instrument;
    use crate::event::kinds::Text;

    #[test]
    fn a_fill_that_does_not_fit_changes_nothing() {
        let worth = Worth::of(&Instrument::us_equity("X").listing()).expect("fits");
        let mut position = Position { qty: i64::MAX, ..Position::default() };
        let before = position;
        assert_eq!(position.fill(Side::Buy, Price(1), Qty(1), Money(0), worth), None);
        assert_eq!(position.fill(Side::Sell, Price(1), Qty(u64::MAX), Money(0), worth), None);
        assert_eq!(position, before);
    }

    #[test]
    fn increments_finer_than_money_round_toward_zero_once_a_fill() {
        let listing = Listing {
            symbol: Text::new("BTCUSD"),
            currency: Text::new("USD"),
            price_increment: 10_000_000,
            qty_increment: 10,
            multiplier: 1,
        };
        let worth = Worth::of(&listing).expect("fits");
        // 1 increment of quantity at 0.01 is 1e-10 USD; 30 are 3e-9.
        assert_eq!(worth.value_at(Price(1), Qty(1)), Some(Money(0)));
        assert_eq!(worth.value_at(Price(1), Qty(30)), Some(Money(3)));
        let mut position = Position::default();
        position.fill(Side::Buy, Price(1), Qty(15), Money(0), worth).expect("fits");
        position.fill(Side::Sell, Price(1), Qty(25), Money(0), worth).expect("fits");
        assert_eq!((position.qty, position.cost), (-10, Money(-1)));
        assert_eq!(position.realised - position.cost, position.cash());
    }
}
