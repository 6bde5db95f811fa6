//! When two sets of rounds differ.
//!
//! A difference is claimed when the rounds of the one rank above those of the other, when chance
//! alone would rank them so in fewer than one of five comparisons with as many figures and rounds
//! (the exact test of Mann and Whitney, times the figures that are judged: that holds however the
//! figures hang together), and when the medians are apart by 3 % or more beyond what the machine
//! itself changed by. Anything less is "no difference". Ranks, because a round in which the machine
//! stood still says nothing about the others.
//!
//! The test takes every order of the rounds for equally likely, which rounds of one run are not:
//! what differs from run to run moves them together. That part is the drift, of the yardstick and
//! of the controls ([`super::controls`]); without either the ranks say more than they know.

/// Share of comparisons of equal things in fewer than which a difference may be claimed.
const CHANCE_MAX: f64 = 0.2;

/// Difference of medians in per cent below which it is the layout of the code in memory.
const DIFFERENCE_PERCENT_MIN: f64 = 3.0;

/// A figure over the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
    /// How many rounds there were.
    pub(super) count: usize,
    /// Each of them; empty where only the rest is told.
    pub(super) rounds: Vec<f64>,
}

impl Range {
    /// How many times the median of this that of `other` is.
    pub(super) fn ratio(&self, other: &Self) -> f64 {
        other.median / self.median
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    /// How likely two sets of rounds of the same thing rank so far apart, or farther.
    ///
    /// Where single rounds are not told, only sets that do not overlap at all are apart.
    fn chance(&self, other: &Self) -> f64 {
        if self.rounds.is_empty() || other.rounds.is_empty() {
            return match self.overlaps(other) {
                true => 1.0,
                false => chance_of_inversions(self.count, other.count, 0),
            };
        }
        // Inversions in halves, so that rounds that are equal count as half of one.
        let pairs = self.rounds.iter().flat_map(|a| other.rounds.iter().map(move |b| (a, b)));
        let halves = pairs.map(|(a, b)| if a < b { 0 } else { 1 + usize::from(a > b) });
        let above: usize = halves.sum();
        let least = above.min(2 * self.rounds.len() * other.rounds.len() - above);
        chance_of_inversions(self.rounds.len(), other.rounds.len(), least.div_ceil(2))
    }

    /// Half the width in per cent of the median.
    pub(super) fn noise_percent(&self) -> f64 {
        if self.median > 0.0 { (self.high - self.low) * 50.0 / self.median } else { 0.0 }
    }
}

/// How likely `own` and `others` rounds of the same thing have so few pairs in the rarer order.
///
/// Of all orders in which the rounds of both may come, those with `k` inversions are the
/// coefficient of `q^k` in the product of `(1 - q^(others + i)) / (1 - q^i)` for `i` in `1..=own`.
fn chance_of_inversions(own: usize, others: usize, inversions: usize) -> f64 {
    let mut orders = vec![0.0; own * others + 1];
    orders[0] = 1.0;
    for i in 1..=own {
        for k in (others + i..orders.len()).rev() {
            orders[k] -= orders[k - others - i];
        }
        for k in i..orders.len() {
            orders[k] += orders[k - i];
        }
    }
    let all: f64 = orders.iter().sum();
    let so_few: f64 = orders.iter().take(inversions + 1).sum();
    (2.0 * so_few / all).min(1.0)
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// None, or none beyond what the layout of code in memory makes.
    NoDifference,
    /// Chance might have made it, with so few rounds or so many figures.
    Unsure,
    /// The machine might have made it, which was not as fast both times.
    Machine,
    Better,
    Worse,
    /// It says nothing about two builds.
    NotJudged,
}

impl Verdict {
    /// The verdict on one of so many `figures`; the machine itself changed by `drift` per cent.
    pub(super) fn of(
        is_more_better: bool,
        (a, b): (&Range, &Range),
        figures: usize,
        drift: f64,
    ) -> Self {
        let least = a.median.min(b.median).abs().max(f64::MIN_POSITIVE);
        let percent = (b.median - a.median).abs() * 100.0 / least;
        if percent < DIFFERENCE_PERCENT_MIN {
            return Self::NoDifference;
        }
        if a.chance(b) * figures as f64 >= CHANCE_MAX {
            return if a.overlaps(b) { Self::NoDifference } else { Self::Unsure };
        }
        if percent < DIFFERENCE_PERCENT_MIN + drift {
            return Self::Machine;
        }
        if (b.median > a.median) == is_more_better { Self::Better } else { Self::Worse }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoDifference | Self::Unsure | Self::Machine => "no difference",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NotJudged => "not judged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rounds: &[f64]) -> Range {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, median, high) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        Range { low, median, high, count: rounds.len(), rounds: sorted }
    }

    fn ends(low: f64, high: f64) -> Range {
        Range { low, median: (low + high) / 2.0, high, count: 7, rounds: Vec::new() }
    }

    #[test]
    fn ranges_that_overlap_do_not_differ_and_the_direction_follows_the_unit() {
        let (slow, fast) = (ends(10.0, 20.0), ends(30.0, 40.0));
        let rate = |a: &Range, b: &Range| Verdict::of(true, (a, b), 10, 0.0);
        let time = |a: &Range, b: &Range| Verdict::of(false, (a, b), 10, 0.0);
        assert_eq!(rate(&slow, &ends(20.0, 30.0)), Verdict::NoDifference);
        assert_eq!((rate(&slow, &fast), rate(&fast, &slow)), (Verdict::Better, Verdict::Worse));
        assert_eq!((time(&slow, &fast), time(&fast, &slow)), (Verdict::Worse, Verdict::Better));
        assert_eq!(rate(&ends(100.0, 101.0), &ends(101.5, 102.0)), Verdict::NoDifference);
    }

    #[test]
    fn few_rounds_of_many_figures_lie_apart_by_chance_and_claim_nothing() {
        // 3 and 3 rounds come in 20 orders, 7 and 7 in 3,432.
        assert!((chance_of_inversions(3, 3, 0) - 0.1).abs() < 1e-9);
        assert!((chance_of_inversions(7, 7, 0) - 2.0 / 3_432.0).abs() < 1e-9);
        // Tables of the test: 5 % on both sides for 7 and 7 rounds up to 8 inversions.
        assert!(chance_of_inversions(7, 7, 8) < 0.05);
        assert!(chance_of_inversions(7, 7, 9) > 0.05);
        assert!((chance_of_inversions(4, 9, 36) - 1.0).abs() < 1e-9);
        let (low, high) = (of(&[1.0, 1.1, 1.2]), of(&[2.0, 2.1, 2.2]));
        let three = Verdict::of(true, (&low, &high), 40, 0.0);
        assert_eq!(three, Verdict::Unsure);
        // Exactly one of five is not fewer.
        let (low, high) = (of(&[951.0, 964.0, 994.0]), of(&[975.0, 1_058.0, 1_073.0]));
        assert_eq!(Verdict::of(true, (&low, &high), 1, 0.0), Verdict::NoDifference);
    }

    #[test]
    fn a_round_in_which_the_machine_stood_still_hides_no_difference() {
        let before = of(&[100.0, 101.0, 102.0, 99.0, 98.0, 100.5, 40.0, 101.5, 100.2]);
        let slowed = of(&[70.0, 71.0, 72.0, 69.0, 68.0, 70.5, 35.0, 71.5, 70.2]);
        assert!(before.overlaps(&slowed));
        assert_eq!(Verdict::of(true, (&before, &slowed), 40, 0.0), Verdict::Worse);
        assert_eq!(Verdict::of(true, (&before, &before), 40, 0.0), Verdict::NoDifference);
    }

    #[test]
    fn what_the_machine_itself_may_have_changed_is_no_difference() {
        let before = of(&[100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0]);
        let after = of(&[90.0, 91.0, 92.0, 93.0, 94.0, 95.0, 96.0]);
        let verdict = |drift| Verdict::of(true, (&before, &after), 10, drift);
        assert_eq!((verdict(1.0), verdict(12.0)), (Verdict::Worse, Verdict::Machine));
    }
}
