//! Values of fields: decimals, times, names.

use crate::error::nearest;
use crate::units::Price;

/// ns of a second, minute and hour.
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Decimal places of 1e-9.
const PLACES: usize = 9;

/// Why a decimal is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadPrice {
    NoNumber,
    OffTick,
    TooLarge,
}

/// A decimal in units of `increment` (in 1e-9), exactly.
pub(super) fn price(text: &str, increment: u64) -> Result<Price, BadPrice> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(BadPrice::NoNumber);
    }
    let (near, far) = fraction.split_at(fraction.len().min(PLACES));
    if far.bytes().any(|byte| byte != b'0') {
        return Err(BadPrice::OffTick);
    }
    let scaled = format!("0{whole}{near:0<PLACES$}");
    let scaled: i128 = scaled.parse().map_err(|_| BadPrice::TooLarge)?;
    let increment = i128::from(increment);
    if scaled % increment != 0 {
        return Err(BadPrice::OffTick);
    }
    let steps = i64::try_from(scaled / increment).map_err(|_| BadPrice::TooLarge)?;
    Ok(Price(if is_negative { -steps } else { steps }))
}

/// ns, or a time of day `HH:MM[:SS[.n]]` counted from `midnight_ns`.
pub(super) fn time(text: &str, midnight_ns: u64) -> Option<u64> {
    if !text.contains(':') {
        return text.parse().ok();
    }
    let mut parts = text.split(':');
    let hours = below(parts.next()?, 24)?;
    let minutes = below(parts.next()?, 60)?;
    let seconds = parts.next().map_or(Some(0), seconds)?;
    let since_midnight = hours * HOUR + minutes * MINUTE + seconds;
    parts.next().is_none().then(|| midnight_ns.checked_add(since_midnight)).flatten()
}

/// Seconds with up to nine places, in ns.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.is_empty() || fraction.len() > PLACES || !is_digits {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<PLACES$}").parse().ok()?;
    Some(below(whole, 60)? * SECOND + fraction)
}

/// A number of one or two digits less than `most`.
fn below(text: &str, most: u64) -> Option<u64> {
    let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&value| is_number && value < most)
}

/// What to write instead of `text`: the name nearest to it, or one of all.
pub(super) fn suggestion<'a>(text: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(text, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENT: u64 = 10_000_000;

    #[test]
    fn decimals_are_converted_exactly_or_refused() {
        for (text, expected) in [
            ("10.05", Ok(Price(1_005))),
            ("10", Ok(Price(1_000))),
            (".5", Ok(Price(50))),
            ("-0.010", Ok(Price(-1))),
            ("10.0500000000000", Ok(Price(1_005))),
            ("10.005", Err(BadPrice::OffTick)),
            ("10.0000000000001", Err(BadPrice::OffTick)),
            ("92233720368547758.08", Err(BadPrice::TooLarge)),
            ("1e3", Err(BadPrice::NoNumber)),
            ("1,5", Err(BadPrice::NoNumber)),
            (".", Err(BadPrice::NoNumber)),
            ("", Err(BadPrice::NoNumber)),
        ] {
            assert_eq!(price(text, CENT), expected, "{text}");
        }
    }

    #[test]
    fn times_are_ns_or_of_the_day() {
        for (text, expected) in [
            ("42", Some(42)),
            ("09:30", Some(7 + 34_200 * SECOND)),
            ("9:30:00.5", Some(7 + 34_200 * SECOND + SECOND / 2)),
            ("23:59:59.999999999", Some(7 + 24 * HOUR - 1)),
            ("24:00:00", None),
            ("09:30:", None),
            ("09:30:00.", None),
            ("09:30:00:00", None),
            ("-1", None),
        ] {
            assert_eq!(time(text, 7), expected, "{text}");
        }
    }
}
