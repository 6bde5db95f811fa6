//! What a session is to look like.

use crate::error::{Error, Result};

use super::symbols::SYMBOLS_MAX;

/// The size of a synthetic session, and its seed.
///
/// Everything else about it follows a real NASDAQ day: message mix, activity of symbols, lifetimes,
/// distances from the touch. The defaults are those of the project's sample feed.
///
/// ```
/// use ringtape::engine::generate::{Generator, Profile};
///
/// let profile = Profile { messages: 20_000, symbols: 4, live: 500, seed: 7 };
/// let mut generator = Generator::new(&profile)?;
/// let mut session = Vec::new();
/// while generator.fill(&mut session) > 0 {}
/// assert_eq!(generator.summary().messages(), 20_000);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Messages of the session; met exactly.
    pub messages: u64,
    /// Symbols that trade.
    pub symbols: u32,
    /// Resting orders at the peak, late in the trading day; met within a few per cent.
    pub live: u64,
    /// Seed of all randomness: the same profile gives the same bytes on every machine.
    pub seed: u64,
}

impl Default for Profile {
    fn default() -> Self {
        Self { messages: 400_000, symbols: 24, live: 8_000, seed: 42 }
    }
}

impl Profile {
    /// A fifth of a NASDAQ day, with all of its symbols and resting orders.
    pub fn nasdaq() -> Self {
        Self { messages: 50_000_000, symbols: 8_900, live: 1_900_000, seed: 42 }
    }

    /// Messages of a type that has `ppm` parts in a million.
    pub(super) fn part(&self, ppm: u64) -> u64 {
        (u128::from(self.messages) * u128::from(ppm) / 1_000_000) as u64
    }

    /// Messages of a session at most: more than a month of days, and a plan that fits into memory.
    const MESSAGES_MAX: u64 = 10_000_000_000;

    /// Messages that a session of so many symbols needs at least.
    fn messages_min(symbols: u32) -> u64 {
        4_096 + 24 * u64::from(symbols)
    }

    /// Checks that a session of this size can be made.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for no symbols or too many, too few messages for the symbols or more than
    /// 10 billion, more live orders than a fifth of the messages or than 2^31, fewer than two for
    /// each symbol.
    pub fn check(&self) -> Result<()> {
        let Self { messages, symbols, live, .. } = *self;
        if symbols == 0 || symbols > SYMBOLS_MAX {
            let cure = format!("ask for 1 to {SYMBOLS_MAX}");
            return Err(Error::usage(format!("cannot generate {symbols} symbols"), cure));
        }
        let messages_min = Self::messages_min(symbols);
        if messages < messages_min {
            let what = format!("{messages} messages are too few for {symbols} symbols");
            return Err(Error::usage(what, format!("ask for at least {messages_min}")));
        }
        if messages > Self::MESSAGES_MAX {
            let cure = format!("ask for at most {}", Self::MESSAGES_MAX);
            return Err(Error::usage(format!("cannot generate {messages} messages"), cure));
        }
        let (live_min, live_max) = (2 * u64::from(symbols), (messages / 5).min(1 << 31));
        if live < live_min || live > live_max {
            let what = format!("{live} live orders do not suit {messages} messages");
            return Err(Error::usage(what, format!("ask for {live_min} to {live_max}")));
        }
        Ok(())
    }
}

/// A number in parts as `weights` ask for, each rounded down.
pub(super) fn in_proportion(whole: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    weights.iter().map(|&weight| (u128::from(whole) * u128::from(weight) / sum) as u64).collect()
}

/// Message types whose share the generator steers, by their letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// An add or a delete, whichever the number of live orders asks for.
    Churn,
    /// An add with attribution.
    Attributed,
    Replace,
    Reduce,
    /// An aggressor that takes displayed orders.
    Aggress,
    /// An aggressor that meets hidden orders only.
    Hidden,
    /// An execution at another price.
    Priced,
    Imbalance,
}

/// Each action, the letters that it is counted by, and their share of a real day in parts per
/// million.
pub(super) const MIX: [(Action, &[u8], u64); 8] = [
    (Action::Churn, b"AD", 862_000),
    (Action::Attributed, b"F", 5_500),
    (Action::Replace, b"U", 80_500),
    (Action::Reduce, b"X", 10_000),
    (Action::Aggress, b"E", 21_000),
    (Action::Hidden, b"P", 4_500),
    (Action::Priced, b"C", 400),
    (Action::Imbalance, b"I", IMBALANCE_PPM),
];

/// Imbalance messages of a day, in parts per million.
pub(super) const IMBALANCE_PPM: u64 = 15_000;

/// Market participant positions of a day, in parts per million of its messages.
pub(super) const POSITIONS_PPM: u64 = 800;
