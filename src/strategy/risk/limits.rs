//! The limits: numbers, names, units, and how they are written.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, nearest};
use crate::event::Reason;
use crate::units::{MONEY_SCALE, Money};

/// What a limit bounds; the code is that of a `limits` record of the market ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Limit {
    /// Quantity of an order, in quantity increments.
    OrderQty = 1,
    /// Position long or short with all open orders of its side, in quantity increments.
    Position = 2,
    /// Value of all positions and open orders, in 1e-9 of the currency.
    GrossNotional = 3,
    /// Value of longs less shorts, in 1e-9 of the currency.
    NetNotional = 4,
    /// Distance of a limit price through the market, in parts per million of the reference.
    PriceCollar = 5,
    /// Messages in any second.
    MessageRate = 6,
    /// Open orders.
    OpenOrders = 7,
    /// Messages for each fill.
    OrderToTrade = 8,
    /// Loss at which the kill switch is thrown, in 1e-9 of the currency.
    Loss = 9,
    /// Not 0: orders are cancelled when the feed lost messages.
    CancelOnDisconnect = 10,
}

/// How a limit's number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Money,
    Percent,
    Switch,
}

/// Number of limits.
const LIMITS: usize = Limit::ALL.len();

impl Limit {
    /// Every limit, by ascending code.
    pub const ALL: [Self; 10] = [
        Self::OrderQty,
        Self::Position,
        Self::GrossNotional,
        Self::NetNotional,
        Self::PriceCollar,
        Self::MessageRate,
        Self::OpenOrders,
        Self::OrderToTrade,
        Self::Loss,
        Self::CancelOnDisconnect,
    ];

    /// The limit of a code; `None` for codes without one.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| *limit as u32 == code)
    }

    /// The name in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderQty => "order-qty",
            Self::Position => "position",
            Self::GrossNotional => "gross-notional",
            Self::NetNotional => "net-notional",
            Self::PriceCollar => "price-collar",
            Self::MessageRate => "message-rate",
            Self::OpenOrders => "open-orders",
            Self::OrderToTrade => "order-to-trade",
            Self::Loss => "loss",
            Self::CancelOnDisconnect => "cancel-on-disconnect",
        }
    }

    /// What an order is told that runs into it.
    pub fn reason(self) -> Reason {
        match self {
            Self::OrderQty => Reason::OrderSize,
            Self::Position => Reason::PositionLimit,
            Self::GrossNotional => Reason::GrossNotional,
            Self::NetNotional => Reason::NetNotional,
            Self::PriceCollar => Reason::PriceCollar,
            Self::MessageRate => Reason::MessageRate,
            Self::OpenOrders => Reason::OpenOrders,
            Self::OrderToTrade => Reason::OrderToTrade,
            Self::Loss => Reason::LossLimit,
            Self::CancelOnDisconnect => Reason::Disconnected,
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::GrossNotional | Self::NetNotional | Self::Loss => Unit::Money,
            Self::PriceCollar => Unit::Percent,
            Self::CancelOnDisconnect => Unit::Switch,
            _ => Unit::Count,
        }
    }

    /// Reads a value as it is written: a count, an amount, a percentage, yes or no.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that shows how to write it.
    pub fn parse_value(self, text: &str) -> Result<u64> {
        let (value, example) = match self.unit() {
            Unit::Count => (text.parse().ok(), "500"),
            Unit::Money => (scaled(text, 9), "250000.00"),
            Unit::Percent => (scaled(text.trim_end_matches('%'), 4), "5%"),
            Unit::Switch => {
                (["no", "yes"].iter().position(|word| *word == text).map(|at| at as u64), "yes")
            }
        };
        let name = self.name();
        value.filter(|value| *value < u64::MAX).ok_or_else(|| {
            Error::usage(
                format!("`{name}={text}` is no limit"),
                format!("write it like `{name}={example}`"),
            )
        })
    }

    fn format_value(self, value: u64) -> String {
        match self.unit() {
            Unit::Count => value.to_string(),
            Unit::Money => Money(i128::from(value)).to_string(),
            Unit::Percent => {
                let places = format!("{:04}", value % 10_000);
                let places = places.trim_end_matches('0');
                let point = if places.is_empty() { "" } else { "." };
                format!("{}{point}{places}%", value / 10_000)
            }
            Unit::Switch => (if value == 0 { "no" } else { "yes" }).to_owned(),
        }
    }
}

/// The limits of an account; what is not set is not tested.
///
/// ```
/// use ringtape::strategy::risk::{Limit, RiskLimits};
///
/// let limits: RiskLimits = "position=1000,price-collar=5%,loss=250.00".parse()?;
/// assert_eq!(limits.get(Limit::Position), Some(1_000));
/// assert_eq!(limits.get(Limit::PriceCollar), Some(50_000));
/// assert_eq!(limits.to_string(), "position=1000,price-collar=5%,loss=250.00");
///
/// let error = "positon=1".parse::<RiskLimits>().expect_err("no such limit");
/// assert!(error.to_string().contains("did you mean `position`?"));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RiskLimits {
    values: [Option<u64>; LIMITS],
}

impl RiskLimits {
    /// The value of a limit; `None` while it is not set.
    #[inline]
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.values[limit as usize - 1]
    }

    /// The value of a limit that is an amount of money.
    pub(super) fn money(&self, limit: Limit) -> Option<Money> {
        self.get(limit).map(|value| Money(i128::from(value)))
    }

    /// Sets a limit; [`u64::MAX`] takes it away.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.values[limit as usize - 1] = (value != u64::MAX).then_some(value);
    }
}

impl FromStr for RiskLimits {
    type Err = Error;

    /// Reads `NAME=VALUE,...`.
    fn from_str(text: &str) -> Result<Self> {
        let mut limits = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let Some((name, value)) = item.split_once('=') else {
                let what = format!("limit `{item}` has no `=`");
                return Err(Error::usage(what, "write limits as `position=1000,loss=250.00`"));
            };
            let limit = limit_of(name.trim())?;
            if limits.get(limit).is_some() {
                let what = format!("limit `{}` is given twice", limit.name());
                return Err(Error::usage(what, "give it once"));
            }
            limits.set(limit, limit.parse_value(value.trim())?);
        }
        Ok(limits)
    }
}

impl fmt::Display for RiskLimits {
    /// The canonical text, which parses back to the same limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = "";
        for limit in Limit::ALL {
            if let Some(value) = self.get(limit) {
                write!(f, "{lead}{}={}", limit.name(), limit.format_value(value))?;
                lead = ",";
            }
        }
        Ok(())
    }
}

/// The limit of a name.
fn limit_of(name: &str) -> Result<Limit> {
    Limit::ALL.into_iter().find(|limit| limit.name() == name).ok_or_else(|| {
        let cure = match nearest(name, Limit::ALL.iter().map(|limit| limit.name())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names = Limit::ALL.map(Limit::name);
                format!("known are {}", names.join(", "))
            }
        };
        Error::usage(format!("unknown limit `{name}`"), cure)
    })
}

/// A decimal without sign times 10^`places`; `None` when it is none or does not fit.
fn scaled(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal =
        !whole.is_empty() && fraction.len() <= places && is_digits(whole) && is_digits(fraction);
    is_decimal.then(|| format!("{whole}{fraction:0<places$}").parse().ok())?
}

const _: () = assert!(MONEY_SCALE == 1_000_000_000, "amounts are read with nine places");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_to_their_limit_and_are_dense() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index + 1);
            assert_eq!(Limit::from_code(limit as u32), Some(limit));
        }
        assert_eq!(Limit::from_code(0), None);
    }

    #[test]
    fn the_canonical_text_parses_back() {
        for text in [
            "",
            "order-qty=500,position=1000,gross-notional=1000000.50,net-notional=1.000000001",
            "price-collar=2.5%,message-rate=100,open-orders=10,order-to-trade=50",
            "loss=0.00,cancel-on-disconnect=yes",
        ] {
            let limits: RiskLimits = text.parse().expect(text);
            assert_eq!(limits.to_string(), text);
        }
    }

    #[test]
    fn a_mistake_names_the_limit_and_shows_how_to_write_it() {
        for (text, parts) in [
            ("position", ["`position`", "position=1000"]),
            ("position=-1", ["`position=-1`", "position=500"]),
            ("loss=1.0000000001", ["`loss=1.0000000001`", "loss=250000.00"]),
            ("price-collar=x", ["`price-collar=x`", "price-collar=5%"]),
            ("cancel-on-disconnect=1", ["`cancel-on-disconnect=1`", "=yes"]),
            ("message-rate=18446744073709551615", ["message-rate", "=500"]),
            ("loss=1,loss=2", ["`loss`", "once"]),
            ("speed=1", ["`speed`", "order-qty, position"]),
        ] {
            let message = text.parse::<RiskLimits>().expect_err(text).to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
