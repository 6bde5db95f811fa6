//! Values of flags: counts, times, dates, lists.

use ringtape::error::{Error, Result};
use ringtape::units::CoreId;

/// ns of one second, minute and hour.
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Highest number of a core that a list may name.
const CORE_MAX: usize = 65_535;

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

/// A time of day, `HH:MM[:SS[.n]]`, in ns since midnight.
pub(super) fn time_of_day(text: &str) -> Result<u64> {
    let bad = || {
        Error::usage(format!("`{text}` is no time"), "write HH:MM, HH:MM:SS or HH:MM:SS.nnnnnnnnn")
    };
    let mut parts = text.split(':');
    let mut part = |places, below: u64| {
        parts.next().and_then(|part| decimal(part, places)).filter(|&value| value < below)
    };
    let hours = part(0, 24).ok_or_else(bad)?;
    let minutes = part(0, 60).ok_or_else(bad)?;
    let seconds = if text.matches(':').count() > 1 { part(9, MINUTE).ok_or_else(bad)? } else { 0 };
    if text.matches(':').count() > 2 {
        return Err(bad());
    }
    Ok(hours * HOUR + minutes * MINUTE + seconds)
}

/// Midnight of a date `YYYY-MM-DD` in US Eastern time, in ns since the Unix epoch.
///
/// Daylight saving by the rule in force since 2007 (Energy Policy Act of 2005): from the second
/// Sunday of March to the first of November, both at 2:00, so that each of these days still starts
/// as the day before ended.
pub(super) fn eastern_midnight(text: &str) -> Result<u64> {
    let bad = || Error::usage(format!("`{text}` is no date"), "write YYYY-MM-DD, 2007 or later");
    let parts: Option<Vec<u64>> = text.split('-').map(|part| decimal(part, 0)).collect();
    let Some(&[year, month, day]) = parts.as_deref() else { return Err(bad()) };
    // A u64 of ns since the Unix epoch ends in 2554.
    let is_valid = (2007..=2500).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    if !is_valid {
        return Err(bad());
    }
    let date = days_since_epoch(year, month, day);
    let saving = days_since_epoch(year, 3, 1)..days_since_epoch(year, 11, 1);
    let starts = first_sunday(saving.start) + 7;
    let ends = first_sunday(saving.end);
    let offset_hours = if date > starts && date <= ends { 4 } else { 5 };
    Ok(date * DAY + offset_hours * HOUR)
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

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let months: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first Sunday on or after a day; 1970-01-01 was a Thursday.
fn first_sunday(day: u64) -> u64 {
    day + (7 - (day + 4) % 7) % 7
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
    fn times_of_day_reach_to_the_nanosecond() {
        assert_eq!(time_of_day("09:30").ok(), Some(34_200 * SECOND));
        assert_eq!(time_of_day("09:30:00.000000230").ok(), Some(34_200 * SECOND + 230));
        for text in ["24:00", "9:60", "09:30:60", "09", "09:30:00:00", "9:30:00.0000000001"] {
            assert!(time_of_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn eastern_midnights_follow_daylight_saving() {
        // `date -d 'TZ="America/New_York" 2020-01-30' +%s` and so on.
        for (date, seconds) in [
            ("2020-01-30", 1_580_360_400),
            ("2020-03-08", 1_583_643_600),
            ("2020-03-09", 1_583_726_400),
            ("2020-11-01", 1_604_203_200),
            ("2020-11-02", 1_604_293_200),
            ("2024-02-29", 1_709_182_800),
        ] {
            assert_eq!(eastern_midnight(date).ok(), Some(seconds * SECOND), "{date}");
        }
        for text in ["2023-02-29", "9999-01-01", "2020-x-01-30", "2020-01"] {
            assert!(eastern_midnight(text).is_err(), "{text}");
        }
    }

    #[test]
    fn cores_and_durations_are_read() {
        assert_eq!(cores("0,2-3").ok(), Some(vec![CoreId(0), CoreId(2), CoreId(3)]));
        for text in ["", "3-1", "0,0", "0-1,1", "0-18446744073709551615", "a"] {
            assert!(cores(text).is_err(), "{text}");
        }
        assert_eq!(duration("1.5ms").ok(), Some(1_500_000));
        assert_eq!(duration("2s").ok(), Some(2 * SECOND));
        assert!(duration("5").is_err());
    }
}
