//! How numbers, times and durations read in reports.

use crate::event::{Reason, RejectCounts};
use crate::feed::{Checks, Description, Zone};

/// ns of one second.
const SECOND: u64 = 1_000_000_000;

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the largest unit of which there is at least one, with three digits or more.
///
/// ```
/// use ringtape::report::format::duration;
///
/// assert_eq!(duration(950), "950 ns");
/// assert_eq!(duration(12_345), "12.3 us");
/// assert_eq!(duration(61_000_000_000), "61.0 s");
/// ```
pub fn duration(ns: u64) -> String {
    let tenths = |unit: u64, name: &str| {
        let tenths = ns / (unit / 10);
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    };
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => tenths(1_000, "us"),
        1_000_000..SECOND => tenths(1_000_000, "ms"),
        _ => tenths(SECOND, "s"),
    }
}

/// A size in the largest binary unit of which there is at least one.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    UNITS.iter().find(|(_, shift)| count >> shift > 0).map_or_else(
        || format!("{count} B"),
        |(name, shift)| {
            let tenths = (count * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}

/// The time of day, `HH:MM:SS.nnnnnnnnn`, that a feed's clock shows at one of its times, whatever
/// these count from: a midnight of that clock, or the Unix epoch.
///
/// ```
/// use ringtape::event::Zone;
/// use ringtape::report::format::time_of_day;
///
/// let open = "09:30:00.000000001";
/// assert_eq!(time_of_day(34_200_000_000_001, Zone::Eastern), open);
/// assert_eq!(time_of_day(1_580_394_600_000_000_001, Zone::Eastern), open);
/// ```
pub fn time_of_day(ts: u64, zone: Zone) -> String {
    let ns = zone.time_of_day(ts);
    let seconds = ns / SECOND;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:09}", seconds % 60, ns % SECOND)
}

/// The span between two times of a feed, in its clock; with days if it has more than one.
///
/// ```
/// use ringtape::feed::Zone;
/// use ringtape::report::format::span;
///
/// let (open, close) = (1_577_975_400_000_000_000, 1_577_998_800_000_000_000);
/// let session = "09:30:00.000000000 to 16:00:00.000000000 US Eastern";
/// assert_eq!(span(open, close, Zone::Eastern), session);
/// let next_open = open + 86_400_000_000_000;
/// let both = "2020-01-02 16:00:00.000000000 to 2020-01-03 09:30:00.000000000 US Eastern";
/// assert_eq!(span(close, next_open, Zone::Eastern), both);
/// ```
pub fn span(first: u64, last: u64, zone: Zone) -> String {
    let days = [first, last].map(|ts| zone.day_name(ts));
    let [from, to] = [first, last].map(|ts| time_of_day(ts, zone));
    let name = zone.name();
    match days {
        [first_day, last_day] if first_day == last_day => format!("{from} to {to} {name}"),
        [first_day, last_day] => format!("{first_day} {from} to {last_day} {to} {name}"),
    }
}

/// What the hash of the books is over: single orders, or price levels.
pub(super) fn books_of(feed: &Description) -> &'static str {
    if feed.is_of_levels { "levels" } else { "orders" }
}

/// What a type that a feed counts is called: the venue's letters, or names of kinds.
fn type_name(feed: &Description, code: u8) -> String {
    if [crate::engine::JOURNAL_FORMAT, crate::feed::orders::ORDERS_FORMAT].contains(&feed.format) {
        let kind = crate::event::Kind::from_code(code);
        kind.map_or_else(|| format!("kind {code}"), |kind| kind.name().to_owned())
    } else if code.is_ascii_graphic() {
        char::from(code).to_string()
    } else {
        format!("0x{code:02x}")
    }
}

/// Names and counts of the types of message that a feed had.
pub fn messages_by_type<'a>(
    feed: &'a Description,
    checks: &'a Checks,
) -> impl Iterator<Item = (String, u64)> + 'a {
    let counted = (0..=u8::MAX).zip(checks.by_type).filter(|&(_, count)| count > 0);
    counted.map(|(code, count)| (type_name(feed, code), count))
}

/// What was rejected by its reasons, in brackets behind a number: ` (3 off_lot, 1 would_take)`.
pub fn reasons(rejects: &RejectCounts) -> String {
    let told = |(reason, count): (Reason, u64)| format!("{} {}", thousands(count), reason.name());
    match rejects.rejects().map(told).collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        reasons => format!(" ({})", reasons.join(", ")),
    }
}

/// A field of CSV, in quotes where it needs them.
///
/// ```
/// use ringtape::report::format::csv_field;
///
/// assert_eq!(csv_field("BRK B"), "BRK B");
/// assert_eq!(csv_field("5\" gun, \n"), "\"5\"\" gun, \n\"");
/// ```
pub fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_by_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn times_and_sizes_read_as_people_write_them() {
        assert_eq!(time_of_day(34_200_000_000_001, Zone::Eastern), "09:30:00.000000001");
        assert_eq!(time_of_day(1_580_394_600_000_000_001, Zone::Utc), "14:30:00.000000001");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(duration(999_999), "999.9 us");
    }
}
