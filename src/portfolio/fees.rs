//! Fee schedules: what a fill costs, by who provided the liquidity.
//!
//! A schedule is written as `maker=-0.0020/share,taker=0.0030/share`. Each of `maker`, `taker` and
//! `auction` has one or more parts joined by `+`:
//!
//! | part | meaning |
//! |---|---|
//! | `0.0030/share` | currency a unit of quantity |
//! | `0.01/trade` | currency a fill |
//! | `0.5bps` | hundredths of a percent of the fill's value |
//! | `20ppm` | millionths of the fill's value |
//!
//! Rebates are negative; what is not named is free, and so is everything without a schedule.
//! Amounts are exact decimals; the fee of a fill is rounded toward zero to 1e-9 of the currency.

use std::fmt;
use std::str::FromStr;

use super::position::Worth;
use crate::error::Error;
use crate::event::{Liquidity, Listing};
use crate::units::{MONEY_SCALE, Money, Price, Qty};

/// The cure that every mistake in a schedule gets.
const CURE: &str =
    "write it like `maker=-0.0020/share,taker=0.0030/share+0.5bps,auction=0.01/trade`";

/// Fees of one kind of liquidity; negative parts are rebates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeRate {
    /// In 1e-9 of the currency a unit of quantity.
    pub per_share: i64,
    /// In 1e-9 of the currency a fill.
    pub per_trade: i64,
    /// In 1e-9 of the fill's value.
    pub per_notional: i64,
}

/// Fees by liquidity; the default is free of fees.
///
/// ```
/// use ringtape::event::{Instrument, Liquidity};
/// use ringtape::portfolio::{FeeSchedule, Worth};
/// use ringtape::units::{Money, Price, Qty};
///
/// let fees: FeeSchedule = "maker=-0.0020/share,taker=0.0030/share".parse()?;
/// let listing = Instrument::us_equity("AAPL").listing();
/// let worth = Worth::of(&listing).expect("small numbers");
/// let fee = |liquidity| fees.fee(liquidity, Price(3_201_400), Qty(100), &listing, worth);
/// assert_eq!(fee(Liquidity::Maker), Some(Money(-200_000_000)));
/// assert_eq!(fee(Liquidity::Taker), Some(Money(300_000_000)));
/// assert_eq!(fees.to_string(), "maker=-0.0020/share,taker=0.0030/share");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedule {
    /// Fees of resting orders.
    pub maker: FeeRate,
    /// Fees of arriving orders.
    pub taker: FeeRate,
    /// Fees of auctions and crosses.
    pub auction: FeeRate,
}

impl FeeSchedule {
    /// The fee of a fill; `None` when it is beyond what an execution can hold.
    pub fn fee(
        &self,
        liquidity: Liquidity,
        price: Price,
        qty: Qty,
        listing: &Listing,
        worth: Worth,
    ) -> Option<Money> {
        let rate = match liquidity {
            Liquidity::Maker => &self.maker,
            Liquidity::Taker => &self.taker,
            Liquidity::Auction => &self.auction,
        };
        if *rate == FeeRate::default() {
            return Some(Money(0));
        }
        let units = i128::from(qty.0).checked_mul(i128::from(listing.qty_increment))?;
        let by_share = units.checked_mul(i128::from(rate.per_share))?;
        let by_trade = i128::from(rate.per_trade) * MONEY_SCALE;
        // The sum is rounded, not its parts: what is left over after 1e-18 only shows which way.
        let (by_value, rest) = worth.times(price, qty, i128::from(rate.per_notional))?;
        let sum = by_share.checked_add(by_trade)?.checked_add(by_value)?;
        let toward_zero = i128::from(sum < 0 && rest);
        let fee = (sum + toward_zero) / MONEY_SCALE;
        i64::try_from(fee).ok().map(|fee| Money(i128::from(fee)))
    }

    fn rates(&self) -> [(&'static str, &FeeRate); 3] {
        [("maker", &self.maker), ("taker", &self.taker), ("auction", &self.auction)]
    }
}

impl FromStr for FeeSchedule {
    type Err = Error;

    /// Reads a schedule; the empty text is free of fees.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the faulty part.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut schedule = Self::default();
        let mut names = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let Some((name, parts)) = item.split_once('=') else {
                return Err(Error::usage(format!("fee `{item}` has no `=`"), CURE));
            };
            let name = name.trim();
            if names.contains(&name) {
                return Err(Error::usage(format!("fee `{name}` is given twice"), CURE));
            }
            names.push(name);
            let rate = match name {
                "maker" => &mut schedule.maker,
                "taker" => &mut schedule.taker,
                "auction" => &mut schedule.auction,
                other => {
                    return Err(Error::usage(format!("no fee is called `{other}`"), CURE));
                }
            };
            for part in parts.split('+') {
                rate.add(part.trim())?;
            }
        }
        Ok(schedule)
    }
}

impl FeeRate {
    fn add(&mut self, part: &str) -> Result<(), Error> {
        let (number, unit) = match part.find(|c: char| c == '/' || c.is_ascii_alphabetic()) {
            Some(at) => part.split_at(at),
            None => (part, ""),
        };
        let (field, divisor) = match unit {
            "/share" => (&mut self.per_share, 1),
            "/trade" => (&mut self.per_trade, 1),
            "bps" => (&mut self.per_notional, 10_000),
            "ppm" => (&mut self.per_notional, 1_000_000),
            _ => {
                let what = format!("fee `{part}` has no unit; units are /share, /trade, bps, ppm");
                return Err(Error::usage(what, CURE));
            }
        };
        let amount = parse_scaled(number).filter(|scaled| scaled % divisor == 0);
        let sum = amount.and_then(|scaled| field.checked_add(scaled / divisor));
        *field = sum.ok_or_else(|| {
            Error::usage(format!("fee `{part}` is no number with up to nine decimal places"), CURE)
        })?;
        Ok(())
    }
}

/// A decimal in 1e-9, exactly; `None` when it is none or does not fit.
pub(super) fn parse_scaled(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let is_decimal = !whole.is_empty()
        && places.len() <= 9
        && whole.bytes().chain(places.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_decimal {
        return None;
    }
    let fraction: i64 = format!("{places:0<9}").parse().ok()?;
    let scaled = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)?;
    Some(sign * scaled)
}

impl fmt::Display for FeeSchedule {
    /// The canonical text, which parses back to the same schedule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = "";
        for (name, rate) in self.rates() {
            if *rate == FeeRate::default() {
                continue;
            }
            write!(f, "{lead}{name}=")?;
            lead = ",";
            let mut plus = "";
            for (amount, unit) in [(rate.per_share, "/share"), (rate.per_trade, "/trade")] {
                if amount != 0 {
                    write!(f, "{plus}{}{unit}", decimal(amount.into(), 4))?;
                    plus = "+";
                }
            }
            if rate.per_notional != 0 {
                write!(f, "{plus}{}bps", decimal(i128::from(rate.per_notional) * 10_000, 0))?;
            }
        }
        Ok(())
    }
}

/// An amount in 1e-9 as a decimal of at least `places_min` places.
pub(super) fn decimal(scaled: i128, places_min: usize) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let (magnitude, unit) = (scaled.unsigned_abs(), MONEY_SCALE.unsigned_abs());
    let mut places = format!("{:09}", magnitude % unit);
    while places.len() > places_min && places.ends_with('0') {
        places.pop();
    }
    let point = if places.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{places}", magnitude / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Instrument;

    #[test]
    fn the_sum_of_all_parts_is_rounded_toward_zero_once() {
        let listing = Instrument::us_equity("X").listing();
        let worth = Worth::of(&listing).expect("small numbers");
        for (text, expected) in [
            ("maker=-1/trade+0.001ppm", -999_995_211),
            ("maker=1/trade+-0.001ppm", 999_995_211),
            ("maker=-0.001ppm", -4_788),
            ("maker=0.001ppm", 4_788),
            ("maker=-0.000000001/share+0.001ppm", 4_767),
        ] {
            let fees: FeeSchedule = text.parse().expect(text);
            let fee = fees.fee(Liquidity::Maker, Price(2_280_100), Qty(21), &listing, worth);
            assert_eq!(fee, Some(Money(expected)), "{text}");
        }
        // Values that have more places than money.
        let listing = Listing { price_increment: 1, qty_increment: 1, ..listing };
        let worth = Worth::of(&listing).expect("small numbers");
        for (text, expected) in
            [("maker=0.000000001/trade+-1ppm", 0), ("maker=-0.000000001/trade+1ppm", 0)]
        {
            let fees: FeeSchedule = text.parse().expect(text);
            let fee = fees.fee(Liquidity::Maker, Price(1), Qty(1), &listing, worth);
            assert_eq!(fee, Some(Money(expected)), "{text}");
        }
    }

    #[test]
    fn the_canonical_text_parses_back() {
        for text in [
            "",
            "maker=-0.0020/share,taker=0.0030/share",
            "taker=0.0030/share+0.0100/trade+0.5bps",
            "auction=-12bps",
            "maker=0.01bps",
        ] {
            let schedule: FeeSchedule = text.parse().expect(text);
            assert_eq!(schedule.to_string(), text);
        }
        let same: FeeSchedule = "taker=20ppm".parse().expect("a schedule");
        assert_eq!(same.to_string(), "taker=0.2bps");
    }

    #[test]
    fn a_mistake_names_the_part_and_shows_how_to_write_it() {
        for (text, named) in [
            ("maker", "`maker`"),
            ("makr=1/share", "`makr`"),
            ("maker=0.002", "`0.002`"),
            ("taker=0.002/lot", "`0.002/lot`"),
            ("taker=x/share", "`x/share`"),
            ("taker=0.0000000001/share", "`0.0000000001/share`"),
            ("taker=99999999999/share", "`99999999999/share`"),
            ("taker=1.00000000001bps", "`1.00000000001bps`"),
            ("taker=--1/share", "`--1/share`"),
        ] {
            let message = text.parse::<FeeSchedule>().expect_err(text).to_string();
            assert!(message.contains(named) && message.contains("maker=-0.0020"), "{message}");
        }
    }
}
