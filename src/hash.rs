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
