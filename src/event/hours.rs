//! The hours of an instrument's session, day by day.

use super::Zone;

/// When an instrument's session opens and closes, each day anew, in a clock.
///
/// One that closes before it opens goes over midnight; one that closes when it opens never stops,
/// and a day of it ends then.
///
/// ```
/// use ringtape::event::{TradingHours, Zone};
///
/// const MINUTE: u64 = 60_000_000_000;
/// let hours = TradingHours { open: 570 * MINUTE, close: 960 * MINUTE, zone: Zone::Eastern };
/// assert!(hours.is_open(570 * MINUTE) && !hours.is_open(960 * MINUTE));
/// assert_eq!(hours.close_after(600 * MINUTE), 960 * MINUTE);
/// // 2020-01-30 21:00 in UTC is 16:00 in New York.
/// let four = 1_580_418_000_000_000_000;
/// assert!(hours.is_open(four - 1) && !hours.is_open(four));
/// assert_eq!(hours.close_after(four - 1), four);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingHours {
    /// When it opens, in ns after midnight.
    pub open: u64,
    /// When it closes, in ns after midnight.
    pub close: u64,
    /// The clock of both.
    pub zone: Zone,
}

impl TradingHours {
    /// Whether a session is open at a time of a feed.
    pub fn is_open(self, ts: u64) -> bool {
        let time = self.zone.time_of_day(ts);
        let (is_after_open, is_before_close) = (time >= self.open, time < self.close);
        match self.open < self.close {
            true => is_after_open && is_before_close,
            false => is_after_open || is_before_close,
        }
    }

    /// The first close after a time.
    pub fn close_after(self, ts: u64) -> u64 {
        self.first(self.close, ts.saturating_add(1))
    }

    /// The first opening at or after a time.
    pub fn open_from(self, ts: u64) -> u64 {
        self.first(self.open, ts)
    }

    /// The first time at or after `ts` at which the clock shows a time of day.
    fn first(self, time: u64, ts: u64) -> u64 {
        let today = self.zone.moment_of_day(ts, time);
        if today >= ts { today } else { self.zone.moment_of_next_day(ts, time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    /// What is open by looking at every hour of two days, which is what closes and openings are
    /// held against.
    #[test]
    fn hours_open_and_close_where_a_walk_along_the_day_says() {
        // 2020-01-29 23:00 UTC, in the middle of the Eastern day; and days without a date.
        for start in [1_580_338_800_000_000_000, 0] {
            for (open, close) in [(9, 16), (18, 17), (17, 17), (0, 23)] {
                for zone in [Zone::Utc, Zone::Eastern] {
                    let hours = TradingHours { open: open * HOUR, close: close * HOUR, zone };
                    let hour_of = |ts: u64| zone.time_of_day(ts) / HOUR;
                    let steps = || (0..30).map(|step| start + step * HOUR);
                    for ts in steps().take(6) {
                        let next =
                            |hour, from| steps().find(|&at| at >= from && hour_of(at) == hour);
                        assert_eq!(Some(hours.close_after(ts)), next(close, ts + 1));
                        assert_eq!(Some(hours.open_from(ts)), next(open, ts));
                        let is_open = (0..24)
                            .map(|back| (hour_of(ts) + 24 - back) % 24)
                            .find(|hour| [open, close].contains(hour));
                        assert_eq!(hours.is_open(ts), is_open == Some(open), "{hours:?} {ts}");
                    }
                }
            }
        }
    }

    #[test]
    fn hours_follow_the_clock_on_the_days_on_which_it_is_turned() {
        // Futures open at 18:00 on Sundays, when clocks are turned too: 22:00 UTC in March, 23:00
        // in November.
        for sunday_six in [1_583_704_800_000_000_000, 1_604_271_600_000_000_000] {
            let hours = TradingHours { open: 18 * HOUR, close: 17 * HOUR, zone: Zone::Eastern };
            assert!(hours.is_open(sunday_six) && !hours.is_open(sunday_six - 1));
            assert_eq!(hours.open_from(sunday_six - 9 * HOUR), sunday_six);
            assert_eq!(hours.close_after(sunday_six), sunday_six + 23 * HOUR);
            assert_eq!(hours.close_after(sunday_six - 2 * HOUR), sunday_six - HOUR);
        }
    }

    #[test]
    fn the_last_day_that_is_counted_has_hours_too() {
        let hours = TradingHours { open: 9 * HOUR, close: 16 * HOUR, zone: Zone::Eastern };
        assert_eq!(hours.close_after(u64::MAX), u64::MAX);
        assert_eq!(hours.open_from(u64::MAX - 1), u64::MAX);
        let _ = hours.is_open(u64::MAX);
    }
}
