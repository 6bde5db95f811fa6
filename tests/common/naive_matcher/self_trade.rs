//! Self-trade prevention, one pair of orders at a time.

use ringtape::event::{ExecutionKind, Reason, SelfTrade};
use ringtape::units::OrderId;

use super::book::Market;
use super::order::Order;
use super::tape::Tape;

impl Market {
    /// Keeps an incoming order from trading with a resting one of its own group.
    ///
    /// The incoming order has nothing left when it is the one to go.
    pub fn prevent_self_trade(&mut self, order: &mut Order, resting: OrderId, tape: &mut Tape) {
        match order.self_trade {
            SelfTrade::None => unreachable!("it refuses nobody"),
            SelfTrade::Newest => end_incoming(order, tape),
            SelfTrade::Oldest => self.end_resting(resting, tape),
            SelfTrade::Both => {
                self.end_resting(resting, tape);
                end_incoming(order, tape);
            }
            SelfTrade::Decrement => {
                let qty = order.leaves.min(self.order(resting).leaves);
                decrement(self.order(resting), qty, tape);
                decrement(order, qty, tape);
                if self.order(resting).leaves == 0 {
                    self.remove(resting);
                }
            }
        }
    }

    fn end_resting(&mut self, resting: OrderId, tape: &mut Tape) {
        let order = self.remove(resting);
        tape.end(ExecutionKind::Cancelled, &order, Reason::SelfTrade);
    }
}

fn end_incoming(order: &mut Order, tape: &mut Tape) {
    tape.end(ExecutionKind::Cancelled, order, Reason::SelfTrade);
    order.leaves = 0;
}

fn decrement(order: &mut Order, qty: u64, tape: &mut Tape) {
    order.take_off(qty);
    let kind = if order.leaves == 0 { ExecutionKind::Cancelled } else { ExecutionKind::Reduced };
    tape.tell(kind, order, qty, Reason::SelfTrade);
}
