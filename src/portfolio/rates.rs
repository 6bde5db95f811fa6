//! Rates of exchange into the base currency.

use std::fmt;
use std::str::FromStr;

use super::fees::{decimal, parse_scaled};
use crate::error::Error;
use crate::event::kinds::Text;
use crate::units::{MONEY_SCALE, Money};

const CURE: &str = "write it like `base=USD,EUR=1.0850,GBP=1.2710`";

/// What a unit of each currency is worth in the base currency, constant over a run.
///
/// Without any, amounts of different currencies stay apart and a lone one is its own base.
///
/// ```
/// use ringtape::event::kinds::Text;
/// use ringtape::portfolio::Rates;
/// use ringtape::units::Money;
///
/// let rates: Rates = "base=USD,EUR=1.0850".parse()?;
/// let euros = Money(2_000_000_000);
/// assert_eq!(rates.convert(Text::new("EUR"), euros), Some(Money(2_170_000_000)));
/// assert_eq!(rates.convert(Text::new("USD"), euros), Some(euros));
/// assert_eq!(rates.convert(Text::new("JPY"), euros), None);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The base currency first, whose rate is 1; then 1e-9 of it a unit.
    rates: Vec<(Text<4>, i64)>,
}

impl Rates {
    /// The base currency; `None` without rates.
    pub fn base(&self) -> Option<Text<4>> {
        self.rates.first().map(|(currency, _)| *currency)
    }

    /// An amount in the base currency, rounded toward zero; `None` without a rate, or beyond what
    /// money can hold. Without any rates the amount itself.
    pub fn convert(&self, currency: Text<4>, amount: Money) -> Option<Money> {
        if self.rates.is_empty() {
            return Some(amount);
        }
        let (_, rate) = self.rates.iter().find(|(code, _)| *code == currency)?;
        Some(Money(amount.0.checked_mul(i128::from(*rate))? / MONEY_SCALE))
    }
}

impl FromStr for Rates {
    type Err = Error;

    /// Reads `base=CODE,CODE=RATE,...`; the empty text has no rates.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut rates: Vec<(Text<4>, i64)> = vec![];
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let Some((name, value)) = item.split_once('=') else {
                return Err(Error::usage(format!("rate `{item}` has no `=`"), CURE));
            };
            let (code, rate) = match (rates.is_empty(), name) {
                (true, "base") => (value, Some(1_000_000_000)),
                (true, _) => {
                    return Err(Error::usage("the rates do not begin with their base", CURE));
                }
                (false, code) => (code, parse_scaled(value).filter(|rate| *rate > 0)),
            };
            let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
            let is_new = !rates.iter().any(|(known, _)| known.as_str() == code);
            match rate.filter(|_| is_code && is_new) {
                Some(rate) => rates.push((Text::new(code), rate)),
                None => return Err(Error::usage(format!("`{item}` is no new rate"), CURE)),
            }
        }
        Ok(Self { rates })
    }
}

impl fmt::Display for Rates {
    /// The canonical text, which parses back to the same rates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (code, rate)) in self.rates.iter().enumerate() {
            match index {
                0 => write!(f, "base={}", code.as_str())?,
                _ => write!(f, ",{}={}", code.as_str(), decimal((*rate).into(), 4))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_text_parses_back_and_mistakes_are_named() {
        for text in ["", "base=USD", "base=USD,EUR=1.0850,JPY=0.006712345"] {
            assert_eq!(text.parse::<Rates>().expect(text).to_string(), text);
        }
        for (text, named) in [
            ("EUR=1.1", "begin with their base"),
            ("base", "`base`"),
            ("base=US", "`base=US`"),
            ("base=USD,EUR=0", "`EUR=0`"),
            ("base=USD,EUR=x", "`EUR=x`"),
            ("base=USD,EUR=1,EUR=2", "`EUR=2`"),
        ] {
            let message = text.parse::<Rates>().expect_err(text).to_string();
            assert!(message.contains(named) && message.contains("base=USD,EUR"), "{message}");
        }
    }
}
