//! What the replica counts: faults of the messages, and sizes.

use crate::feed::Located;

/// Faults and oddities of the messages that a replica applied; none of them stops it.
///
/// The places in [`Located`] are numbers of applied events from 0: the market sequence, where every
/// event of the market ring is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaCounts {
    /// Messages that name an order which is not in the book, each once.
    pub unknown_orders: Located,
    /// Different touches found locked or crossed after LAST while trading.
    pub crossed: Located,
    /// Best bids and offers that the venue told to be compared with the book's.
    pub quotes: u64,
    /// Those of them that the book's was not.
    pub quotes_differ: Located,
    /// References that came anew while live; the order under the reference left for the new one.
    pub duplicate_adds: Located,
    /// Times that an instrument ceased to trade: halts, pauses, quoting periods.
    pub halts: Located,
    /// Orders, executions, reductions and hidden trades of quantity 0: nothing is added or printed,
    /// and what is replaced or modified to 0 leaves.
    pub zero_quantities: u64,
    /// Executions and reductions of more than the order had open: all of it is taken, and an
    /// execution still counts in full as volume.
    pub excess_quantities: u64,
    /// Orders above [`ORDER_QTY_MAX`](super::ORDER_QTY_MAX): they rest with that quantity.
    pub oversized_orders: u64,
    /// Orders without a side: ignored.
    pub sideless_orders: u64,
    /// Messages of another instrument than the order they name: the order's book changes.
    pub foreign_orders: u64,
    /// Events of an instrument number of
    /// [`INSTRUMENTS_MAX`](crate::limits::INSTRUMENTS_MAX) or above: ignored.
    pub instruments_out_of_range: u64,
    /// Records of kinds that are not known, and levels without a side or of one on which orders
    /// rest: ignored.
    pub unsupported: u64,
    /// Broken trades whose print is not remembered: the volume stays.
    pub unknown_breaks: u64,
}

/// Sizes over all books of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Instruments that were defined.
    pub instruments: usize,
    /// Orders in all books.
    pub live_orders: usize,
    /// Most orders that were in all books at one time.
    pub peak_live_orders: usize,
    /// Price levels of both sides in all books.
    pub levels: usize,
    /// Bytes of memory that books, index and tape hold, spare room included.
    pub bytes: usize,
}
