//! What the outside is told.

use ringtape::event::{Execution, ExecutionKind, Liquidity, Reason};
use ringtape::units::{OrderId, Price};

use super::order::Order;

#[derive(Default)]
pub struct Tape {
    /// Time of the command.
    pub now: u64,
    /// Matches so far.
    pub matches: u64,
    pub executions: Vec<Execution>,
}

impl Tape {
    /// Tells of an order as it is now.
    pub fn tell(&mut self, kind: ExecutionKind, order: &Order, qty: u64, reason: Reason) {
        self.executions.push(Execution {
            side: order.side as u8,
            order_id: order.id.0,
            price: order.price.0,
            qty,
            leaves: order.leaves,
            cum: order.cum,
            account: order.account,
            reason: reason as u16,
            ..Execution::new(kind, self.now, order.instrument)
        });
    }

    /// Tells of the end of what is open of an order.
    pub fn end(&mut self, kind: ExecutionKind, order: &Order, reason: Reason) {
        let ended = Order { leaves: 0, ..order.clone() };
        self.tell(kind, &ended, order.leaves, reason);
    }

    /// Tells that an order goes on as `new`.
    pub fn replaced(&mut self, old_id: OrderId, new: &Order) {
        self.tell(ExecutionKind::Replaced, new, new.total(), Reason::Requested);
        let record = self.executions.last_mut().expect("just told");
        record.order_id = old_id.0;
        record.new_order_id = new.id.0;
    }

    /// Tells of a match: two fills, each order as it is after it.
    pub fn matched(
        &mut self,
        first: &Order,
        second: &Order,
        price: Price,
        qty: u64,
        is_auction: bool,
    ) {
        self.matches += 1;
        let liquidity = match is_auction {
            true => [Liquidity::Auction, Liquidity::Auction],
            false => [Liquidity::Maker, Liquidity::Taker],
        };
        for (order, contra, liquidity) in
            [(first, second, liquidity[0]), (second, first, liquidity[1])]
        {
            self.tell(ExecutionKind::Filled, order, qty, Reason::None);
            let record = self.executions.last_mut().expect("just told");
            record.price = price.0;
            record.contra_order_id = contra.id.0;
            record.match_id = self.matches;
            record.liquidity = liquidity as u8;
        }
    }

    /// Tells of an instrument's state.
    pub fn status(&mut self, instrument: u32, reason: Reason) -> &mut Execution {
        let status = Execution::new(ExecutionKind::Status, self.now, instrument);
        self.executions.push(Execution { reason: reason as u16, ..status });
        self.executions.last_mut().expect("just told")
    }
}
