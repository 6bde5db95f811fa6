//! What tells a session of the whole market from one of a few stocks.
//!
//! A few stocks are liquid ones, each with the day to itself. The whole market has quiet stocks
//! whose books are nearly as deep as those of the busy ones, touches that are bettered and left all
//! the time, and far more messages a day than most sessions are given: such a session keeps to the
//! pace of the real day for a while, and then rests.

use std::ops::Range;

use super::phases::{FEW_STOCKS, Phases, WHOLE_MARKET};
use super::random::Random;

/// Partitions of the whole market.
const PARTITIONS: usize = 4;

/// Symbols from which on a session is one of the whole market.
const MARKET_SYMBOLS: u32 = 1_000;

/// How old the orders are that leave, in powers of two of ns, among few stocks. Where none is so
/// young an older one leaves: a real one of ten lives less than a millisecond, half of them live
/// less than 157 ms, and one of ten more than 5 s.
const AGES_OF_FEW: &[(u32, u32, u32)] =
    &[(200, 6, 15), (640, 16, 23), (980, 24, 28), (1012, 29, 35), (1024, 36, 44)];

/// The same in the whole market.
const AGES_OF_MANY: &[(u32, u32, u32)] =
    &[(60, 6, 15), (420, 17, 23), (990, 24, 28), (1016, 29, 31), (1024, 32, 40)];

/// How orders are placed and how time passes.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// Draws of 1,024 that better the touch where there is room.
    pub(super) improve: u32,
    /// Draws of 1,024 that join the touch, where they do not better it.
    pub(super) join: Range<u32>,
    /// How often of 1,024 times the order that is alone at an exposed touch is the one that leaves.
    pub(super) leave_alone: u32,
    /// How long orders live that are cancelled: powers of two of ns.
    ages: &'static [(u32, u32, u32)],
    /// The phases of the day.
    pub(super) phases: &'static Phases,
    /// Parts of the market that are made independently, each with a clock of its own.
    pub(super) partitions: usize,
    /// Whether it rests when it has fewer messages than the real day.
    pub(super) has_lulls: bool,
}

impl Style {
    /// The style of a session of so many stocks.
    pub(super) fn of(symbols: u32) -> Self {
        if !is_market(symbols) {
            return Self {
                improve: 340,
                join: 0..410,
                leave_alone: 800,
                ages: AGES_OF_FEW,
                phases: &FEW_STOCKS,
                partitions: 1,
                has_lulls: false,
            };
        }
        Self {
            improve: 400,
            join: 780..1024,
            leave_alone: 900,
            ages: AGES_OF_MANY,
            phases: &WHOLE_MARKET,
            partitions: PARTITIONS,
            has_lulls: true,
        }
    }

    /// An age beyond which an order is as likely to leave as any.
    #[inline]
    pub(super) fn draw_age(&self, random: &mut Random) -> u64 {
        let octave = random.in_table(self.ages);
        (1 << octave) + random.below_wide(1 << octave)
    }
}

fn is_market(symbols: u32) -> bool {
    symbols >= MARKET_SYMBOLS
}

/// The part that each stock has of the live orders, in any unit, by its part of the messages: the
/// same among few stocks; in the whole market its root, and at most a quarter more than the part of
/// the messages, because orders have to come before they rest.
pub(super) fn live_weights(activity: &[u64]) -> Vec<u64> {
    if !is_market(activity.len() as u32) {
        return activity.to_vec();
    }
    let all: u64 = activity.iter().sum();
    let all_roots: u64 = activity.iter().map(|weight| weight.isqrt()).sum();
    let most = |weight: u64| weight * all_roots * 5 / 4;
    activity.iter().map(|&weight| (weight.isqrt() * all).min(most(weight))).collect()
}
