//! The instruments of a session: tickers, activity, prices and spreads.

use super::random::Random;

/// Tickers of the busiest instruments; invented, as all of them are.
const FIRST_TICKERS: [&str; 24] = [
    "ACME", "BOLTX", "ORBQ", "QNTA", "ZEPHR", "FLUQ", "NOVQ", "TIDX", "KRNQ", "GLYF", "VANQ",
    "PENNX", "HAZZ", "EMBR", "CRUXA", "WISP", "LYNQ", "ODEX", "RUNQ", "UMBR", "JOLTZ", "YARR",
    "SPRQ", "IVYX",
];

/// Symbols that the generated tickers suffice for.
pub(super) const SYMBOLS_MAX: u32 = 65_000;

/// Activity by rank among 8,906 symbols, in parts per million of all messages: the shape of a real
/// day, where the first 10 have 5.7 %, 100 have 23 %, 500 have 52.5 % and 1,000 have 68 %.
const ACTIVITY: [(u64, u64); 11] = [
    (0, 8_860),
    (1, 6_800),
    (4, 5_500),
    (10, 4_300),
    (30, 2_200),
    (100, 1_050),
    (200, 850),
    (500, 440),
    (1_000, 195),
    (2_000, 75),
    (4_453, 22),
];

/// Rank and activity at which [`ACTIVITY`] ends.
const LAST_ACTIVITY: (u64, u64) = (8_906, 4);

/// What distinguishes an instrument from others.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) ticker: String,
    /// First price in 0.0001 dollars.
    pub(super) price: u32,
    /// Price step in 0.0001 dollars.
    pub(super) tick: u32,
    /// Ticks that makers keep from the fair price.
    pub(super) half_spread: u32,
    /// Lowest and highest price of ordinary orders.
    pub(super) floor: u32,
    pub(super) cap: u32,
}

/// The activity of each of `count` symbols, busiest first, in any unit.
pub(super) fn weights(count: u32) -> Vec<u64> {
    let count = u64::from(count);
    (0..count).map(|rank| activity((2 * rank + 1) * LAST_ACTIVITY.0 * 500 / count)).collect()
}

/// Activity at a rank given in thousandths, interpolated, in thousandths.
fn activity(rank_x1000: u64) -> u64 {
    let end = ACTIVITY.iter().position(|&(rank, _)| rank * 1000 > rank_x1000);
    let (from, to) = match end {
        Some(index) => (ACTIVITY[index - 1], ACTIVITY[index]),
        None => (ACTIVITY[ACTIVITY.len() - 1], LAST_ACTIVITY),
    };
    let gone = rank_x1000 - from.0 * 1000;
    from.1 * 1000 - (from.1 - to.1) * gone / (to.0 - from.0)
}

/// A ticker of one to five letters, different for every index below [`SYMBOLS_MAX`].
pub(super) fn ticker(index: u32) -> String {
    const CONSONANTS: &[u8; 21] = b"BCDFGHJKLMNPQRSTVWXYZ";
    const VOWELS: &[u8; 5] = b"AEIOU";
    const FOUR_LETTERS: u32 = 21 * 5 * 21 * 5;
    // Coprime to the number of words, so that neighbours do not look alike.
    const STRIDE: u32 = 4_649;

    if let Some(first) = FIRST_TICKERS.get(index as usize) {
        return (*first).to_owned();
    }
    let (word, last) = (index % FOUR_LETTERS, index / FOUR_LETTERS);
    let mut rest = word * STRIDE % FOUR_LETTERS;
    let mut letters = Vec::with_capacity(5);
    for alphabet in [&CONSONANTS[..], &VOWELS[..], &CONSONANTS[..], &VOWELS[..]] {
        letters.push(alphabet[rest as usize % alphabet.len()]);
        rest /= alphabet.len() as u32;
    }
    if last > 0 {
        letters.push(CONSONANTS[last as usize]);
    }
    String::from_utf8(letters).expect("letters are ASCII")
}

/// The terms of the symbol of a rank among `count`.
pub(super) fn terms(rank: u32, count: u32, random: &mut Random) -> Terms {
    const DOLLAR: u32 = 10_000;
    const DOLLARS: &[(u32, u32, u32)] =
        &[(150, 2, 5), (460, 5, 20), (750, 20, 60), (930, 60, 150), (1024, 150, 500)];
    const DOLLARS_OF_BUSY: &[(u32, u32, u32)] = &[(500, 10, 60), (900, 60, 150), (1024, 150, 320)];

    let ticker = ticker(rank);
    if rank % 20 == 11 {
        let price = random.between(1_500, 7_500);
        let half_spread = random.between(4, 12);
        return Terms { ticker, price, tick: 1, half_spread, floor: 1, cap: DOLLAR - 1 };
    }
    let is_busy = rank < count.div_ceil(8);
    let dollars = match rank {
        0 => random.between(150, 320),
        _ => random.in_table(if is_busy { DOLLARS_OF_BUSY } else { DOLLARS }),
    };
    let price = dollars * DOLLAR + random.below(100) * 100;
    let by_price = match dollars {
        0..20 => 1,
        20..60 => 2,
        _ => 3,
    };
    let half_spread = if is_busy { by_price } else { by_price + 3 * rank / count };
    Terms { ticker, price, tick: 100, half_spread, floor: DOLLAR, cap: 190_000 * DOLLAR }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_symbols_share_a_ticker() {
        let tickers: BTreeSet<String> = (0..SYMBOLS_MAX).map(ticker).collect();
        assert_eq!(tickers.len(), SYMBOLS_MAX as usize);
        assert!(tickers.iter().all(|ticker| (1..=5).contains(&ticker.len())));
    }

    #[test]
    fn activity_is_that_of_a_real_day() {
        let weights = weights(8_906);
        let total: u64 = weights.iter().sum();
        for (first, per_mille) in [(10, 57), (100, 230), (500, 525), (1_000, 680)] {
            let share = weights[..first].iter().sum::<u64>() * 1000 / total;
            assert!(share.abs_diff(per_mille) <= 12, "first {first}: {share} per mille");
        }
    }
}
