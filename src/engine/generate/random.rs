//! Random numbers by integer arithmetic alone, the same on every machine.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A seeded stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// This stream and others that are far away from it, `count` in all.
    pub(super) fn split(self, count: usize) -> Vec<Self> {
        let further = |before: &Self| {
            let mut next = before.clone();
            next.0.jump();
            Some(next)
        };
        std::iter::successors(Some(self), further).take(count).collect()
    }

    /// A number below `limit`; 0 when that is 0.
    #[inline]
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let bits = self.0.next_u64() >> 32;
        ((bits * u64::from(limit)) >> 32) as u32
    }

    /// A number of `low..=high`.
    #[inline]
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// A number below `limit`, which may have more than 32 bits.
    #[inline]
    pub(super) fn below_wide(&mut self, limit: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    /// Whether something happens that happens `per_1024` times in 1,024.
    #[inline]
    pub(super) fn chance(&mut self, per_1024: u32) -> bool {
        self.below(1024) < per_1024
    }

    /// One of `choices`.
    #[inline]
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }

    /// A number from a table of `(below, low, high)`: the first row whose `below` exceeds a number
    /// under 1,024, and a number of its `low..=high`.
    #[inline]
    pub(super) fn in_table(&mut self, table: &[(u32, u32, u32)]) -> u32 {
        let drawn = self.below(1024);
        let row = table.iter().find(|row| drawn < row.0);
        row.map_or(0, |&(_, low, high)| self.between(low, high))
    }

    /// An exponentially distributed number with a mean near 1,024, at most 22,720.
    #[inline]
    pub(super) fn exponential(&mut self) -> u64 {
        // -ln(u) = ln 2 * -log2(u), and log2 of a mantissa m in [1, 2) is near m - 1.
        let uniform = (self.0.next_u64() >> 32) as u32 | 1;
        let zeros = uniform.leading_zeros();
        let mantissa = u64::from(uniform << zeros) >> 21 & 1023;
        let log2_x1024 = (u64::from(zeros) + 1) * 1024 - mantissa;
        log2_x1024 * 710 / 1024
    }
}

/// Draws indices with given weights in constant time (Walker's alias method).
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    /// Threshold of 2^32 under which the cell's own index is drawn, and the other index.
    cells: Vec<(u32, u32)>,
}

impl Weighted {
    pub(super) fn new(weights: &[u64]) -> Self {
        let count = weights.len() as u128;
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        // Each cell holds `total`; a weight fills `weight * count` of such cells.
        let mut fills: Vec<u128> =
            weights.iter().map(|&weight| u128::from(weight) * count).collect();
        let mut cells: Vec<(u32, u32)> = (0..weights.len() as u32).map(|i| (u32::MAX, i)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&i| fills[i] < total);
        while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
            small.pop();
            cells[low] = (((fills[low] << 32) / total) as u32, high as u32);
            fills[high] -= total - fills[low];
            if fills[high] < total {
                large.pop();
                small.push(high);
            }
        }
        Self { cells }
    }

    #[inline]
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let cell = random.below(self.cells.len() as u32);
        let (threshold, other) = self.cells[cell as usize];
        if random.below(u32::MAX) < threshold { cell as usize } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_draws_come_out_by_weight() {
        let mut random = Random::new(1);
        let weighted = Weighted::new(&[700, 200, 100]);
        let mut counts = [0; 3];
        for _ in 0..100_000 {
            counts[weighted.draw(&mut random)] += 1;
        }
        for (count, expected) in counts.into_iter().zip([70_000_i32, 20_000, 10_000]) {
            assert!((expected - count).abs() < 1_000, "{counts:?}");
        }
    }

    #[test]
    fn exponential_draws_have_their_mean() {
        let mut random = Random::new(1);
        let sum: u64 = (0..100_000).map(|_| random.exponential()).sum();
        assert!((990..1_060).contains(&(sum / 100_000)), "{}", sum / 100_000);
    }
}
