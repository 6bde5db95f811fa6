//! Coarse buckets of durations: four an octave, up to an hour.

/// Buckets of an octave.
const STEPS: usize = 4;

/// Number of buckets: octaves up to an hour in ns.
pub(super) const BUCKETS: usize = 42 * STEPS;

/// Samples that a 99th percentile needs.
pub(super) const P99_SAMPLES_MIN: u64 = 100;

/// The bucket of a duration.
#[inline]
pub(super) fn bucket(ns: u64) -> usize {
    let ns = ns.clamp(1, u64::MAX >> 2);
    let octave = ns.ilog2();
    let step = ((ns << 2) >> octave) as usize & (STEPS - 1);
    (octave as usize * STEPS + step).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
pub(super) fn longest_in(bucket: usize) -> u64 {
    let (octave, step) = ((bucket / STEPS) as u32, (bucket % STEPS) as u64);
    ((STEPS as u64 + step + 1) << octave).div_ceil(STEPS as u64) - 1
}

/// The duration that `percent` of `total` samples do not exceed, up to a fifth too long; `None`
/// without samples.
pub(super) fn percentile(
    counts: impl IntoIterator<Item = u64>,
    total: u64,
    percent: u64,
) -> Option<u64> {
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    let found = counts.into_iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    found.filter(|_| total > 0).map(longest_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket_and_not_in_the_one_before() {
        for ns in (1..5_000).chain([1 << 20, (1 << 41) + 12_345]) {
            let own = bucket(ns);
            assert!(ns <= longest_in(own), "{ns}");
            assert!(own == 0 || ns > longest_in(own - 1) || own < 8, "{ns}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
