//! The hashes by which runs are compared, at their end and along the way.

use crate::hash::RunningHash;

/// The hashes by which runs are compared.
///
/// Equal state gives equal hashes on every machine and in every arrangement of threads, journal on
/// or off. Each is a [`RunningHash`]; the crate's documentation says over what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// Of every change of a touch, then of all resting orders.
    pub books: u64,
    /// Of every execution record.
    pub orders: u64,
    /// Of positions, cost, cash and fees.
    pub portfolio: u64,
}

impl Hashes {
    /// The hash over the three: the one number of a run.
    pub fn state(&self) -> u64 {
        let mut hash = RunningHash::default();
        for part in [self.books, self.orders, self.portfolio] {
            hash.update(&part.to_le_bytes());
        }
        hash.value()
    }
}

/// The hashes after so many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPoint {
    /// Messages before it: of the market and commands, definitions of instruments aside, which
    /// come again with each segment of a journal.
    pub messages: u64,
    /// The hashes.
    pub hashes: Hashes,
}
