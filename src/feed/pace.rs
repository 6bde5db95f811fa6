//! Pacing: when each event of a replay is due.
//!
//! Pure integer arithmetic without a clock: the caller compares what [`Pacer::intended`] says with
//! the time that has passed since the run started.

use std::str::FromStr;

use crate::error::{Error, Result};

/// Nanoseconds in a second.
const SECOND_NS: u128 = 1_000_000_000;

/// Decimal places that a speed may have.
const SPEED_PLACES: usize = 9;

/// How fast a recording is replayed.
///
/// ```
/// use ringtape::feed::Pace;
///
/// assert_eq!("max".parse::<Pace>()?, Pace::Max);
/// assert_eq!("0.5x".parse::<Pace>()?, Pace::Speed { numerator: 1, denominator: 2 });
/// assert!("fast".parse::<Pace>().is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the engine takes it.
    #[default]
    Max,
    /// So many messages a second, evenly spaced.
    Rate(u64),
    /// So many times as fast as it was recorded, as a fraction.
    Speed {
        /// Recorded time that passes in `denominator` units of replay time.
        numerator: u64,
        /// Replay time in which `numerator` units of recorded time pass.
        denominator: u64,
    },
}

impl FromStr for Pace {
    type Err = Error;

    /// Reads a speed: `max`, or a decimal with an `x` behind it such as `1x`, `10x` or `0.5x`.
    fn from_str(text: &str) -> Result<Self> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let refuse = |cure: &str| Err(Error::usage(format!("speed `{text}`"), cure));
        let Some(number) = text.strip_suffix('x') else {
            return refuse("write a factor such as `1x`, `10x` or `0.5x`, or `max`");
        };
        let (whole, places) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (places.is_empty() && number.contains('.')) {
            return refuse("write digits before the `x` and around the point, such as `0.5x`");
        }
        if places.len() > SPEED_PLACES {
            return refuse("write at most nine decimal places");
        }
        let digits = [whole, places].concat();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return refuse("write a factor such as `1x`, `10x` or `0.5x`, or `max`");
        }
        let Ok(numerator) = digits.parse::<u64>() else {
            return refuse("write a smaller factor, or `max`");
        };
        if numerator == 0 {
            return refuse("nothing would ever be due: write a factor above zero");
        }
        let denominator = 10_u64.pow(places.len() as u32);
        let divisor = greatest_common_divisor(numerator, denominator);
        Ok(Self::Speed { numerator: numerator / divisor, denominator: denominator / divisor })
    }
}

impl Pace {
    /// A rate in messages a second.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a rate of 0.
    pub fn per_second(messages: u64) -> Result<Self> {
        match messages {
            0 => Err(Error::usage(
                "a rate of 0 messages a second",
                "nothing would ever be due: give a rate above zero",
            )),
            rate => Ok(Self::Rate(rate)),
        }
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Says when each event of a run is due.
///
/// ```
/// use ringtape::feed::{Pace, Pacer};
///
/// let mut pacer = Pacer::new("10x".parse::<Pace>()?);
/// assert_eq!(pacer.intended(34_200_000_000_000, 0), Some(0));
/// assert_eq!(pacer.intended(34_200_000_005_000, 1), Some(500));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: Pace,
    /// Time and number of the first message asked about.
    start: Option<(u64, u64)>,
    /// The latest answer: time never goes back.
    latest: u64,
}

impl Pacer {
    /// A pacer for a run that has not started.
    ///
    /// # Panics
    ///
    /// When the rate, or a part of the speed, is 0.
    pub fn new(pace: Pace) -> Self {
        let is_positive = match pace {
            Pace::Max => true,
            Pace::Rate(rate) => rate > 0,
            Pace::Speed { numerator, denominator } => numerator > 0 && denominator > 0,
        };
        assert!(is_positive, "a pace of zero: {pace:?}");
        Self { pace, start: None, latest: 0 }
    }

    /// Whether messages wait until they are due.
    pub fn is_paced(&self) -> bool {
        self.pace != Pace::Max
    }

    /// When a message is due, in ns from the start of the run; `None` when it is at once.
    ///
    /// The first message asked about is due at 0. Call it for messages in their order: one whose
    /// recorded time goes backwards is due with the one before it.
    #[inline]
    pub fn intended(&mut self, ts_event: u64, message: u64) -> Option<u64> {
        let &mut (start_ts, start_message) = self.start.get_or_insert((ts_event, message));
        let due = match self.pace {
            Pace::Max => return None,
            Pace::Rate(rate) => scale(message.saturating_sub(start_message), SECOND_NS, rate),
            Pace::Speed { numerator, denominator } => {
                scale(ts_event.saturating_sub(start_ts), u128::from(denominator), numerator)
            }
        };
        self.latest = self.latest.max(due);
        Some(self.latest)
    }
}

/// `count * factor / divisor`, at most the largest time there is.
#[inline]
fn scale(count: u64, factor: u128, divisor: u64) -> u64 {
    u64::try_from(u128::from(count) * factor / u128::from(divisor)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(pace: Pace, messages: &[(u64, u64)]) -> Vec<Option<u64>> {
        let mut pacer = Pacer::new(pace);
        messages.iter().map(|&(ts, message)| pacer.intended(ts, message)).collect()
    }

    #[test]
    fn speeds_parse_exactly_and_say_what_is_wrong_with_them() {
        for (text, numerator, denominator) in [
            ("1x", 1, 1),
            ("10x", 10, 1),
            ("0.5x", 1, 2),
            ("2.50x", 5, 2),
            ("0.000000001x", 1, 1_000_000_000),
        ] {
            assert_eq!(text.parse::<Pace>().unwrap(), Pace::Speed { numerator, denominator });
        }
        assert_eq!("max".parse::<Pace>().unwrap(), Pace::Max);
        for (text, hint) in [
            ("10", "such as `1x`"),
            ("", "such as `1x`"),
            ("x", "digits before"),
            (".5x", "digits before"),
            ("5.x", "digits before"),
            ("0x", "above zero"),
            ("0.0x", "above zero"),
            ("-1x", "such as `1x`"),
            ("1e3x", "such as `1x`"),
            ("1.2.3x", "such as `1x`"),
            ("0.0000000001x", "nine decimal"),
            ("99999999999999999999x", "smaller"),
        ] {
            let error = text.parse::<Pace>().unwrap_err();
            assert!(error.to_string().contains(hint), "{text}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn recorded_gaps_are_scaled_and_time_never_goes_back() {
        let times = [(1_000, 0), (2_000, 1), (1_500, 2), (500, 3), (4_000, 4)];
        let speed = |numerator, denominator| Pace::Speed { numerator, denominator };
        assert_eq!(due(speed(1, 1), &times), [0, 1_000, 1_000, 1_000, 3_000].map(Some));
        assert_eq!(due(speed(10, 1), &times), [0, 100, 100, 100, 300].map(Some));
        assert_eq!(due(speed(1, 2), &times), [0, 2_000, 2_000, 2_000, 6_000].map(Some));
        assert_eq!(due(Pace::Max, &times), [None; 5]);
    }

    #[test]
    fn a_rate_spaces_messages_evenly_from_the_first_without_drift() {
        let times = [(7, 100), (7, 101), (9, 102), (9, 3_000_100)];
        assert_eq!(
            due(Pace::Rate(3), &times),
            [0, 333_333_333, 666_666_666, 1_000_000 * 1_000_000_000].map(Some)
        );
        assert!(Pace::per_second(0).is_err());
    }

    #[test]
    fn the_far_future_is_the_latest_time_there_is() {
        let slowest = Pace::Speed { numerator: 1, denominator: u64::MAX };
        assert_eq!(due(slowest, &[(0, 0), (u64::MAX, 1)]), [Some(0), Some(u64::MAX)]);
    }
}
