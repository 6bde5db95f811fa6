//! Quantities with their units: what must not be mixed up has a type of its own.
//!
//! Prices and quantities are integers in an instrument's increments; money is an integer in 1e-9
//! of the currency. There are no floats in events, books, matching, portfolio or journal.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use bytemuck::{Pod, Zeroable};

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype! {
    /// A price in the instrument's price increments.
    Price(i64)
}
newtype! {
    /// A quantity in the instrument's quantity increments.
    Qty(u64)
}
newtype! {
    /// A point in time or a duration in nanoseconds.
    Nanos(u64)
}
newtype! {
    /// A count of records on a ring or in a journal; the first record is 0.
    Sequence(u64)
}
newtype! {
    /// A dense number of an instrument within one run (the stock locate of an ITCH feed).
    InstrumentId(u32)
}
newtype! {
    /// An order's number, unique over all accounts and instruments of a run.
    OrderId(u64)
}
newtype! {
    /// The number of the match that two fills share.
    MatchId(u64)
}
newtype! {
    /// A trading account; 0 is the first.
    AccountId(u32)
}

impl OrderId {
    /// Own orders of a replay have this bit set, so that they never meet an exchange's reference.
    pub const OWN: u64 = 1 << 63;

    /// Whether this order is one of ours, not one on the tape.
    pub fn is_own(self) -> bool {
        self.0 & Self::OWN != 0
    }

    /// The number without the bit of own orders: as a venue knows one of ours and people are told.
    pub fn number(self) -> u64 {
        self.0 & !Self::OWN
    }
}

/// A duration with its unit, such as `500ns`, `50us`, `1.5ms`, `2s`, `10m` or `1h`; `None` when it
/// is none, or no whole number of nanoseconds.
///
/// ```
/// use ringtape::units::{Nanos, duration};
///
/// assert_eq!(duration("1.5ms"), Some(Nanos(1_500_000)));
/// assert_eq!(duration("10m"), Some(Nanos(600_000_000_000)));
/// assert_eq!(duration("5"), None);
/// ```
pub fn duration(text: &str) -> Option<Nanos> {
    const UNITS: [(&str, u128); 6] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, ns) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || places.len() > 12 || !is_digits(whole) || !is_digits(places) {
        return None;
    }
    let scale = 10u128.pow(places.len() as u32);
    let scaled = format!("{whole}{places}").parse::<u128>().ok()?.checked_mul(ns)?;
    if !scaled.is_multiple_of(scale) {
        return None;
    }
    u64::try_from(scaled / scale).ok().map(Nanos)
}

/// The index of a processor, as the operating system numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub usize);

impl fmt::Display for CoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The side of an order or of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Bids: higher is better.
    Buy = 1,
    /// Offers: lower is better.
    Sell = 2,
}

impl Side {
    /// The side that a record's byte names; `None` for 0 and any other value.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Buy),
            2 => Some(Self::Sell),
            _ => None,
        }
    }

    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Whether `a` has price priority over `b` on this side: higher for bids, lower for offers.
    pub fn is_better(self, a: Price, b: Price) -> bool {
        self.priority_of(a) > self.priority_of(b)
    }

    /// A number that is larger for a better price.
    ///
    /// The complement reverses the order of all `i64`, which negation does not (`i64::MIN`).
    /// WHY: whether an order buys or sells cannot be predicted, so there is no branch.
    #[inline(always)]
    pub(crate) fn priority_of(self, price: Price) -> i64 {
        // All ones for offers, nothing for bids.
        price.0 ^ -i64::from(self == Self::Sell)
    }

    /// Position in a pair of sides: 0 for buy, 1 for sell.
    pub fn index(self) -> usize {
        self as usize - 1
    }

    /// `buy` or `sell`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// Fractions of a currency unit that [`Money`] counts: 1e-9.
pub const MONEY_SCALE: i128 = 1_000_000_000;

/// An exact amount of money in 1e-9 of the currency.
///
/// ```
/// use ringtape::units::Money;
///
/// assert_eq!(Money(1_500_000_000).to_string(), "1.50");
/// assert_eq!(Money(-2_300_000).to_string(), "-0.0023");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i128);

impl fmt::Display for Money {
    /// A decimal with at least two and at most nine places, without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let scale = MONEY_SCALE.unsigned_abs();
        let mut places = format!("{:09}", magnitude % scale);
        while places.len() > 2 && places.ends_with('0') {
            places.pop();
        }
        write!(f, "{sign}{}.{places}", magnitude / scale)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_prints_every_unit_and_keeps_two_places() {
        for (amount, text) in [
            (0, "0.00"),
            (1, "0.000000001"),
            (-1, "-0.000000001"),
            (12_340_000_000, "12.34"),
            (-7_000_000_000, "-7.00"),
        ] {
            assert_eq!(Money(amount).to_string(), text);
        }
    }

    #[test]
    fn price_priority_is_higher_for_bids_and_lower_for_offers() {
        assert!(Side::Buy.is_better(Price(2), Price(1)));
        assert!(Side::Sell.is_better(Price(1), Price(2)));
        assert!(!Side::Buy.is_better(Price(1), Price(1)));
    }
}
