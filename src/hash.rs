//! The running hash that makes two runs comparable.
//!
//! `h' = XXH3_64(record, seed = h)`, starting at [`SEED`]: 64 bits, no state beside the value,
//! the same on every machine, and easy to recompute elsewhere (any XXH3 library will do). Records
//! are hashed in their little-endian form. Source: the XXH3 specification of the xxHash project.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Value of a running hash before the first record.
pub const SEED: u64 = u64::from_le_bytes(*b"ringtape");

/// A running hash over records.
///
/// ```
/// use ringtape::hash::RunningHash;
///
/// let mut one = RunningHash::default();
/// one.update(b"first");
/// one.update(b"second");
/// let mut other = RunningHash::default();
/// other.update(b"second");
/// other.update(b"first");
/// assert_ne!(one.value(), other.value());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningHash(u64);

impl RunningHash {
    /// A hash that goes on from a saved value.
    pub fn resume(value: u64) -> Self {
        Self(value)
    }

    /// Takes in one record.
    #[inline]
    pub fn update(&mut self, record: &[u8]) {
        self.0 = xxh3_64_with_seed(record, self.0);
    }

    /// The hash of everything so far.
    #[inline]
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Default for RunningHash {
    fn default() -> Self {
        Self(SEED)
    }
}

/// The hash of one piece of data on its own.
pub fn hash_bytes(data: &[u8]) -> u64 {
    xxh3_64_with_seed(data, SEED)
}

/// A seeded stream of random numbers whose state is one number: for what must be saved.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), with
/// the constants of the reference implementation.
///
/// ```
/// use ringtape::hash::SplitMix64;
///
/// let mut random = SplitMix64::new(1);
/// assert_eq!(random.next(), 0x910a_2dec_8902_5cc1);
/// assert!(random.below(6) < 6);
/// assert_eq!(SplitMix64::new(random.state()).next(), random.next());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream of a seed, or of a saved state.
    pub fn new(state: u64) -> Self {
        Self { state }
    }

    /// The next number; every value is as likely.
    #[allow(clippy::should_implement_trait, reason = "a stream without end is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// What the rest of the stream depends on.
    pub fn state(self) -> u64 {
        self.state
    }
}
