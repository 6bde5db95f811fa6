//! Values of flags: counts, durations, lists.

use clap::builder::NonEmptyStringValueParser;
use ringtape::error::{Error, Result};
use ringtape::units::CoreId;

/// Highest number of a core that a list may name.
const CORE_MAX: usize = 65_535;

/// Text that is not empty.
pub(super) fn some_text() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

/// A count with an optional suffix: `10M`, `1.9M`, `800k`, `123_456`.
pub(super) fn count(text: &str) -> Result<u64> {
    let bad = || Error::usage(format!("`{text}` is no count"), "write 250000, 250k, 1.9M or 2G");
    let (digits, places) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 3),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 6),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 9),
        _ => (text, 0),
    };
    decimal(&digits.replace('_', ""), places).ok_or_else(bad)
}

/// A count of at most 32 bits.
pub(super) fn count_u32(text: &str) -> Result<u32> {
    u32::try_from(count(text)?)
        .map_err(|_| Error::usage(format!("{text} is too many"), "ask for fewer than 2^32"))
}

/// Notes a name of a list in which each stands once; `what` is what it names.
pub(super) fn once<'a>(names: &mut Vec<&'a str>, name: &'a str, what: &str) -> Result<()> {
    if names.contains(&name) {
        return Err(Error::usage(format!("{what} `{name}` is given twice"), "give it once"));
    }
    names.push(name);
    Ok(())
}

/// A list of cores, `0,2-3`.
pub(super) fn cores(text: &str) -> Result<Vec<CoreId>> {
    let bad = || Error::usage(format!("`{text}` is no list of cores"), "write 0,2 or 0-3");
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.parse().map_err(|_| bad())?;
        let last: usize = last.parse().map_err(|_| bad())?;
        if first > last || last > CORE_MAX {
            return Err(bad());
        }
        for core in (first..=last).map(CoreId) {
            if cores.contains(&core) {
                return Err(Error::usage(format!("core {core} is listed twice"), "name it once"));
            }
            cores.push(core);
        }
    }
    Ok(cores)
}

/// A share in per cent, `0.1%`, as parts of a million.
pub(super) fn share_of_a_million(text: &str) -> Result<u32> {
    let percent = text.strip_suffix('%').and_then(|text| decimal(text, 4));
    let share = percent.and_then(|parts| u32::try_from(parts).ok()).filter(|&ppm| ppm <= 1_000_000);
    share.ok_or_else(|| Error::usage(format!("`{text}` is no share"), "write 0.1% or 5%"))
}

/// A duration with its unit, `50us`, in ns.
pub(super) fn duration(text: &str) -> Result<u64> {
    let found = ringtape::units::duration(text).map(|duration| duration.0);
    found.ok_or_else(|| {
        Error::usage(format!("`{text}` is no duration"), "write 500ns, 50us, 1.5ms or 2s")
    })
}

/// A decimal without sign times 10^`places`; `None` when it is none or has more places than that.
pub(super) fn decimal(text: &str, places: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    digits.checked_mul(10_u64.checked_pow(missing)?)
}

/// A state hash.
pub(super) fn hash(text: &str) -> Result<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_whole = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let hash = u64::from_str_radix(digits, 16).ok().filter(|_| is_whole);
    hash.ok_or_else(|| {
        Error::usage(format!("`{text}` is no hash"), "give the 16 hex digits of a state hash")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_suffixes_and_fractions() {
        for (text, value) in [
            ("0", 0),
            ("250k", 250_000),
            ("1.9M", 1_900_000),
            ("2G", 2_000_000_000),
            ("1_000", 1_000),
        ] {
            assert_eq!(count(text).ok(), Some(value), "{text}");
        }
        for text in ["", "k", "-1", "1.2345k", "1e6", "99999999999G"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn cores_and_durations_are_read() {
        assert_eq!(cores("0,2-3").ok(), Some(vec![CoreId(0), CoreId(2), CoreId(3)]));
        for text in ["", "3-1", "0,0", "0-1,1", "0-18446744073709551615", "a"] {
            assert!(cores(text).is_err(), "{text}");
        }
        assert_eq!(duration("1.5ms").ok(), Some(1_500_000));
        assert_eq!(duration("2s").ok(), Some(2_000_000_000));
        assert!(duration("5").is_err());
    }
}
