//! Clocks of feeds: dates, times of day, and where they lie among a feed's times.
//!
//! A feed counts its times from a midnight of its own clock, or from the Unix epoch. A user names a
//! time of day in the feed's own clock (`09:30`), or in UTC with a `Z` behind it (`14:30Z`);
//! [`TimeOfDay::among`] finds the day by any time of the session.

use std::fmt;
use std::str::FromStr;

use super::decimal::scaled;
use crate::error::{Error, Result};

/// ns of one second, minute, hour and day.
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// When clocks are turned, on the days on which they are.
const TURN: u64 = 2 * HOUR;

/// Times below this are since some midnight, others since the Unix epoch.
const UNDATED_BELOW: u64 = 2 * DAY;

/// The clock in which a venue tells the time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// US Eastern time, with daylight saving.
    #[default]
    Eastern,
    /// Coordinated universal time.
    Utc,
}

impl Zone {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eastern => "US Eastern",
            Self::Utc => "UTC",
        }
    }

    /// The name in JSON and in `run.toml`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Eastern => "eastern",
            Self::Utc => "utc",
        }
    }

    /// The zone of a [`code`](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Eastern, Self::Utc].into_iter().find(|zone| zone.code() == code)
    }

    /// Midnight at the start of a date in this zone, in ns since the Unix epoch.
    ///
    /// US daylight saving by the rule in force since 2007 (Energy Policy Act of 2005): from the
    /// second Sunday of March to the first of November, both at 2:00, so that each of these days
    /// still starts as the day before ended.
    ///
    /// ```
    /// use ringtape::feed::{Date, Zone};
    ///
    /// let date: Date = "2020-01-30".parse()?;
    /// assert_eq!(Zone::Utc.midnight_ns(date), 1_580_342_400_000_000_000);
    /// assert_eq!(Zone::Eastern.midnight_ns(date), 1_580_360_400_000_000_000);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn midnight_ns(self, date: Date) -> u64 {
        date.0 * DAY + self.behind_utc(date)
    }

    /// How far the clock is behind UTC as a date begins.
    fn behind_utc(self, date: Date) -> u64 {
        match self {
            Self::Utc => 0,
            Self::Eastern if date.has_daylight_saving_at_midnight() => 4 * HOUR,
            Self::Eastern => 5 * HOUR,
        }
    }

    /// When the clock shows a time of day on a date: the first time where it does so twice, and
    /// where it leaps over it, when it does.
    fn moment(self, date: Date, time: u64) -> u64 {
        let (midnight, evening) = (self.midnight_ns(date), self.behind_utc(Date(date.0 + 1)));
        match time < TURN {
            true => midnight.saturating_add(time),
            false => (date.0 * DAY + evening).saturating_add(time).max(midnight + TURN),
        }
    }

    /// When the clock shows a time of day on the day that a feed's time lies in.
    pub(crate) fn moment_of_day(self, ns: u64, time: u64) -> u64 {
        match ns {
            0..UNDATED_BELOW => ns / DAY * DAY + time,
            _ => self.moment(self.date_at(ns), time),
        }
    }

    /// The same on the day after it; the last days that 64 bits reach have none.
    pub(crate) fn moment_of_next_day(self, ns: u64, time: u64) -> u64 {
        match ns {
            0..UNDATED_BELOW => (ns / DAY + 1) * DAY + time,
            _ if ns > u64::MAX - 2 * DAY => u64::MAX,
            _ => self.moment(Date(self.date_at(ns).0 + 1), time),
        }
    }

    /// The time of day that the clock shows at a feed's time, in ns after midnight.
    pub(crate) fn time_of_day(self, ns: u64) -> u64 {
        if ns < UNDATED_BELOW {
            return ns % DAY;
        }
        let date = self.date_at(ns);
        let since = ns - self.midnight_ns(date);
        match since < TURN {
            true => since,
            false => since + self.behind_utc(date) - self.behind_utc(Date(date.0 + 1)),
        }
    }

    /// The end of the day, in this zone, that a feed's time lies in.
    pub(crate) fn day_end(self, ns: u64) -> u64 {
        match ns {
            0..UNDATED_BELOW => (ns / DAY + 1) * DAY,
            // The last days that 64 bits reach have no end.
            _ if ns > u64::MAX - 2 * DAY => u64::MAX,
            _ => self.midnight_ns(Date(self.date_at(ns).0 + 1)),
        }
    }

    /// The day, in this zone, of a feed's time: its date, or its number in a feed without dates.
    pub(crate) fn day_name(self, ns: u64) -> String {
        match ns {
            0..UNDATED_BELOW => format!("day {}", ns / DAY + 1),
            _ => self.date_at(ns).to_string(),
        }
    }

    /// The date in this zone at a time since the Unix epoch.
    fn date_at(self, ns: u64) -> Date {
        let date = Date(ns / DAY);
        if self.midnight_ns(date) > ns { Date(date.0.saturating_sub(1)) } else { date }
    }
}

/// A date of the Gregorian calendar, from 2007 to 2500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(
    /// Days since 1970-01-01.
    u64,
);

impl FromStr for Date {
    type Err = Error;

    /// Reads `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self> {
        let bad =
            || Error::usage(format!("`{text}` is no date"), "write YYYY-MM-DD, 2007 or later");
        let parts: Option<Vec<u64>> =
            text.split('-').map(|part| scaled(part.as_bytes(), 0)).collect();
        let Some(&[year, month, day]) = parts.as_deref() else { return Err(bad()) };
        // A u64 of ns since the Unix epoch ends in 2554.
        let is_valid = (2007..=2500).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        if is_valid { Ok(Self::of(year, month, day)) } else { Err(bad()) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let year = self.year();
        let begins = |month: &u64| Self::of(year, *month, 1).0 <= self.0;
        let month = (1..=12).rev().find(begins).unwrap_or(1);
        write!(f, "{year}-{month:02}-{:02}", self.0 - Self::of(year, month, 1).0 + 1)
    }
}

impl Date {
    fn of(year: u64, month: u64, day: u64) -> Self {
        let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
        let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
        let months: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
        Self(years + months + day - 1)
    }

    fn year(self) -> u64 {
        // A year has 365.2425 days; the guess may be off by one where a year turns.
        let guess = 1970 + self.0 * 400 / 146_097;
        let begins = |year: &u64| Self::of(*year, 1, 1).0 <= self.0;
        (guess - 1..=guess + 1).rev().find(begins).unwrap_or(guess)
    }

    fn has_daylight_saving_at_midnight(self) -> bool {
        let year = self.year();
        let starts = Self::of(year, 3, 1).first_sunday() + 7;
        let ends = Self::of(year, 11, 1).first_sunday();
        self.0 > starts && self.0 <= ends
    }

    /// The first Sunday on or after the date; 1970-01-01 was a Thursday.
    fn first_sunday(self) -> u64 {
        self.0 + (7 - (self.0 + 4) % 7) % 7
    }
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

/// A time of day in a feed's own clock, or in UTC.
///
/// ```
/// use ringtape::feed::{TimeOfDay, Zone};
///
/// let open: TimeOfDay = "09:30".parse()?;
/// let open_in_winter: TimeOfDay = "14:30Z".parse()?;
/// let some_time_of_2020_01_30 = 1_580_400_000_000_000_000;
/// assert_eq!(
///     open.among(some_time_of_2020_01_30, Zone::Eastern),
///     open_in_winter.among(some_time_of_2020_01_30, Zone::Eastern),
/// );
/// // Without a date nobody knows how far UTC is.
/// assert_eq!(open.among(7, Zone::Eastern), Some(34_200_000_000_000));
/// assert_eq!(open_in_winter.among(7, Zone::Eastern), None);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay {
    since_midnight: u64,
    is_utc: bool,
}

impl FromStr for TimeOfDay {
    type Err = Error;

    /// Reads `HH:MM[:SS[.n]]`, with `Z` behind it for UTC.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            let cure = "write HH:MM, HH:MM:SS or HH:MM:SS.nnnnnnnnn, with Z behind it for UTC";
            Error::usage(format!("`{text}` is no time"), cure)
        };
        let (digits, is_utc) = match text.strip_suffix('Z') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let parts: Vec<&str> = digits.split(':').collect();
        let (hours, minutes, seconds) = match parts[..] {
            [hours, minutes] => (hours, minutes, "0"),
            [hours, minutes, seconds] => (hours, minutes, seconds),
            _ => return Err(bad()),
        };
        let part = |text: &str, places, below: u64| {
            scaled(text.as_bytes(), places).filter(|&value| value < below)
        };
        let hours = part(hours, 0, 24).ok_or_else(bad)?;
        let minutes = part(minutes, 0, 60).ok_or_else(bad)?;
        let seconds = part(seconds, 9, MINUTE).ok_or_else(bad)?;
        Ok(Self { since_midnight: hours * HOUR + minutes * MINUTE + seconds, is_utc })
    }
}

impl TimeOfDay {
    /// How long after midnight of its clock it is, in ns.
    pub fn since_midnight(self) -> u64 {
        self.since_midnight
    }

    /// Whether it is in UTC whatever the feed's clock.
    pub fn is_utc(self) -> bool {
        self.is_utc
    }

    /// Where it lies among the times of a feed, one of which is `ts`; the feed's clock is `zone`.
    ///
    /// `None` when it is in UTC and the feed's times are of a day in another zone without a date.
    pub fn among(self, ts: u64, zone: Zone) -> Option<u64> {
        if ts < UNDATED_BELOW {
            let is_known = zone == Zone::Utc || !self.is_utc;
            return is_known.then_some(self.since_midnight);
        }
        let clock = if self.is_utc { Zone::Utc } else { zone };
        Some(clock.moment(zone.date_at(ts), self.since_midnight))
    }
}

/// A time of day with the clock of the feed that it is meant in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub time: TimeOfDay,
    /// The feed's clock.
    pub zone: Zone,
}

impl Moment {
    /// Where it lies among the times of a feed, one of which is `ts`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the feed would need a date.
    pub fn among(&self, ts: u64) -> Result<u64> {
        self.time.among(ts, self.zone).ok_or_else(|| {
            Error::usage(
                format!("the feed's times are {} without a date", self.zone.name()),
                "give the time without Z, or the date with --date where the feed is read",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eastern_midnights_follow_daylight_saving() {
        // `date -d 'TZ="America/New_York" 2020-01-30' +%s` and so on.
        for (text, seconds) in [
            ("2020-01-30", 1_580_360_400),
            ("2020-03-08", 1_583_643_600),
            ("2020-03-09", 1_583_726_400),
            ("2020-11-01", 1_604_203_200),
            ("2020-11-02", 1_604_293_200),
            ("2024-02-29", 1_709_182_800),
        ] {
            let date: Date = text.parse().expect("a date");
            let midnight = Zone::Eastern.midnight_ns(date);
            assert_eq!(midnight, seconds * SECOND, "{text}");
            assert_eq!(Zone::Eastern.date_at(midnight), date, "{text}");
            assert_eq!(Zone::Eastern.date_at(midnight - 1), Date(date.0 - 1), "{text}");
            assert_eq!(Zone::Eastern.day_end(midnight - 1), midnight, "{text}");
            assert!(Zone::Eastern.day_end(midnight) > midnight + 22 * HOUR, "{text}");
        }
        for text in ["2023-02-29", "9999-01-01", "2020-x-01-30", "2020-01"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_show_the_same_time_of_day_before_and_after_they_are_turned() {
        // `TZ=America/New_York date -d '2020-03-08 18:00' +%s` and so on; 2:30 is leapt over.
        for (date, time, seconds) in [
            ("2020-03-08", "01:59", 1_583_650_740),
            ("2020-03-08", "02:30", 1_583_650_800),
            ("2020-03-08", "03:00", 1_583_650_800),
            ("2020-03-08", "18:00", 1_583_704_800),
            ("2020-11-01", "01:30", 1_604_208_600),
            ("2020-11-01", "02:00", 1_604_214_000),
            ("2020-11-01", "18:00", 1_604_271_600),
            ("2020-11-02", "18:00", 1_604_358_000),
        ] {
            let midnight = Zone::Eastern.midnight_ns(date.parse().expect("a date"));
            let time: TimeOfDay = time.parse().expect("a time");
            let moment = time.among(midnight + HOUR, Zone::Eastern).expect("a moment");
            assert_eq!(moment, seconds * SECOND, "{date} {time:?}");
            let shown = Zone::Eastern.time_of_day(moment);
            let is_leapt_over = time.since_midnight / MINUTE == 150;
            let expected = if is_leapt_over { 3 * HOUR } else { time.since_midnight };
            assert_eq!(shown, expected, "{date} {time:?}");
        }
        // 1:30 again, an hour later.
        assert_eq!(Zone::Eastern.time_of_day(1_604_212_200 * SECOND), HOUR + 30 * MINUTE);
        assert_eq!([7, DAY + 7].map(|ns| Zone::Eastern.time_of_day(ns)), [7, 7]);
    }

    #[test]
    fn a_day_without_a_date_has_24_hours_and_the_last_one_never_ends() {
        for zone in [Zone::Eastern, Zone::Utc] {
            assert_eq!([0, DAY - 1, DAY].map(|ns| zone.day_end(ns)), [DAY, DAY, 2 * DAY]);
            assert_eq!(zone.day_end(u64::MAX - 1), u64::MAX);
        }
        assert_eq!(Zone::Utc.day_end(18_262 * DAY), 18_263 * DAY);
    }

    #[test]
    fn dates_are_written_as_they_are_read() {
        for text in ["2007-01-01", "2020-02-29", "2021-02-28", "2021-03-01", "2500-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        // Half past nine in the evening in New York is half past one of the next day in UTC.
        let evening = Zone::Eastern.midnight_ns("2021-07-31".parse().unwrap()) + 21 * HOUR;
        assert_eq!(Zone::Eastern.day_name(evening), "2021-07-31");
        assert_eq!(Zone::Utc.day_name(evening), "2021-08-01");
        assert_eq!([DAY - 1, DAY].map(|ns| Zone::Eastern.day_name(ns)), ["day 1", "day 2"]);
    }

    #[test]
    fn years_begin_and_end_where_they_do() {
        for year in 2007..=2500 {
            assert_eq!(Date::of(year, 1, 1).year(), year);
            assert_eq!(Date::of(year, 12, 31).year(), year);
        }
    }

    #[test]
    fn times_of_day_reach_to_the_nanosecond() {
        let read = |text: &str| {
            let time: Option<TimeOfDay> = text.parse().ok();
            time.and_then(|time| time.among(0, Zone::Utc))
        };
        assert_eq!(read("09:30"), Some(34_200 * SECOND));
        assert_eq!(read("09:30Z"), Some(34_200 * SECOND));
        assert_eq!(read("09:30:00.000000230"), Some(34_200 * SECOND + 230));
        for text in
            ["24:00", "9:60", "09:30:60", "09", "09:30:00:00", "9:30:00.0000000001", "Z", "09:30z"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_evening_in_new_york_is_of_its_own_date() {
        // 2020-01-31 01:00 UTC is 20:00 the evening before.
        let evening = 1_580_432_400 * SECOND;
        let open: TimeOfDay = "09:30".parse().expect("a time");
        assert_eq!(open.among(evening, Zone::Eastern), Some(1_580_394_600 * SECOND));
        assert_eq!(open.among(evening, Zone::Utc), Some(1_580_463_000 * SECOND));
    }
}
