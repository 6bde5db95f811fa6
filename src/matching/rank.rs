//! Priority in an auction, the same for the matcher and the simulated venue.

use crate::units::{Price, Side};

/// Which part of an order takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Displayed,
    Hidden,
    Reserve,
}

/// A part's priority among those of its side, by which it sorts; of equal ones the first to come
/// goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    is_limit: bool,
    /// Smaller is the better limit; 0 without one.
    key: i64,
    pub(super) part: Part,
}

impl Rank {
    /// That of a part whose order has a limit, or trades at any price.
    pub(super) fn new(side: Side, limit: Option<Price>, part: Part) -> Self {
        let key = match (limit, side) {
            (None, _) => 0,
            (Some(limit), Side::Buy) => !limit.0,
            (Some(limit), Side::Sell) => limit.0,
        };
        Self { is_limit: limit.is_some(), key, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_price_goes_first_then_the_better_limit_then_what_is_displayed() {
        let rank = |side, limit: i64, part| {
            let limit = (limit != 0).then_some(Price(limit));
            Rank::new(side, limit, part)
        };
        for (side, better, worse) in [(Side::Buy, 11, 10), (Side::Sell, 10, 11)] {
            let by_rank = [
                rank(side, 0, Part::Displayed),
                rank(side, better, Part::Displayed),
                rank(side, better, Part::Hidden),
                rank(side, better, Part::Reserve),
                rank(side, worse, Part::Displayed),
            ];
            assert!(by_rank.is_sorted_by(|one, next| one < next), "{side:?}: {by_rank:?}");
        }
    }
}
