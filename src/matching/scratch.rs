//! Rooms that one record's work needs and that keep their size for the next.

use super::triggers::Due;
use super::uncross::{Participant, Rung};
use crate::units::{OrderId, Qty};

/// Empty between records, and never given back.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Orders to be looked through or ended, with their handles.
    pub(super) orders: Vec<(OrderId, u32)>,
    /// What each order of a queue gets in a pro-rata allocation.
    pub(super) shares: Vec<(u32, Qty)>,
    /// Stops that trigger together.
    pub(super) due: Vec<Due>,
    /// Prices of an auction.
    pub(super) rungs: Vec<Rung>,
    /// Who trades in an uncross, by side.
    pub(super) participants: [Vec<Participant>; 2],
}
