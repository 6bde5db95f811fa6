//! Self-trade prevention: an incoming order met one of its own group.

use super::cross::Sweep;
use super::hand::InHand;
use super::matcher::Matcher;
use crate::event::{Execution, ExecutionKind, Reason, SelfTrade};
use crate::units::Qty;

impl Matcher {
    /// What the incoming order's mode does to the pair; nothing trades.
    pub(super) fn prevent(
        &mut self,
        order: &mut InHand,
        resting: u32,
        sweep: &mut Sweep,
        out: &mut Vec<Execution>,
    ) {
        let mode = order.codes.self_trade();
        match mode {
            SelfTrade::None => unreachable!("without prevention they trade"),
            SelfTrade::Newest => {}
            SelfTrade::Oldest | SelfTrade::Both => {
                self.end(resting, ExecutionKind::Cancelled, Reason::SelfTrade, out);
            }
            SelfTrade::Decrement => {
                let lost = order.shown.leaves.min(self.leaves(resting));
                self.take_off(resting, lost, Reason::SelfTrade, out);
                order.shown.leaves.0 -= lost.0;
                let (kind, reason) = match order.shown.leaves {
                    Qty(0) => (ExecutionKind::Cancelled, Reason::SelfTrade),
                    _ => (ExecutionKind::Reduced, Reason::SelfTrade),
                };
                out.push(order.shown.record(kind, lost, reason, self.now));
                sweep.is_prevented = order.shown.leaves.0 == 0;
            }
        }
        if matches!(mode, SelfTrade::Newest | SelfTrade::Both) {
            out.push(order.shown.ended(ExecutionKind::Cancelled, Reason::SelfTrade, self.now));
            order.shown.leaves = Qty(0);
            sweep.is_prevented = true;
        }
    }
}
