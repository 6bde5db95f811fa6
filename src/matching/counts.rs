//! What a matcher counts of its sizes.

/// Sizes of a matcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatcherTotals {
    /// Instruments that were defined.
    pub instruments: usize,
    /// Orders that rest, pend or wait.
    pub live_orders: usize,
    /// Price levels of displayed and hidden orders.
    pub levels: usize,
    /// Matches so far.
    pub matches: u64,
    /// Bytes of memory that slabs, books and index hold, spare room included.
    pub bytes: usize,
}
