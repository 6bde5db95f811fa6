//! What executions alone say of the orders, and the rules that hold whatever was asked for.

use std::collections::BTreeMap;

use ringtape::event::{Execution, ExecutionKind, Liquidity};
use ringtape::units::{OrderId, Price, Side};

use crate::naive_matcher::{Market, NaiveMatcher};

/// A live order as its executions tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    side: u8,
    account: u32,
    price: i64,
    leaves: u64,
    cum: u64,
}

#[derive(Default)]
pub(crate) struct Ledger {
    live: BTreeMap<OrderId, Entry>,
    matches: u64,
}

impl Ledger {
    /// Books the executions of one command.
    pub(crate) fn apply(&mut self, executions: &[Execution]) -> Result<(), String> {
        let mut fills = executions.iter().filter(|e| e.kind() == Some(ExecutionKind::Filled));
        while let Some(first) = fills.next() {
            let second = fills.next().ok_or("a match has two fills")?;
            self.check_match(first, second)?;
        }
        for execution in executions {
            self.book(execution).map_err(|fault| format!("{fault}: {execution:?}"))?;
        }
        Ok(())
    }

    fn check_match(&mut self, first: &Execution, second: &Execution) -> Result<(), String> {
        self.matches += 1;
        let is_pair = first.match_id == self.matches
            && second.match_id == self.matches
            && first.price == second.price
            && first.qty == second.qty
            && first.side != second.side
            && first.contra_order_id == second.order_id
            && second.contra_order_id == first.order_id;
        let is_auction = first.liquidity == Liquidity::Auction as u8;
        let is_order_kept = match is_auction {
            true => first.side() == Some(Side::Buy),
            false => first.liquidity == Liquidity::Maker as u8,
        };
        match is_pair && is_order_kept && first.qty > 0 {
            true => Ok(()),
            false => Err(format!("no match: {first:?} and {second:?}")),
        }
    }

    fn book(&mut self, execution: &Execution) -> Result<(), String> {
        let id = execution.order_id();
        let kind = execution.kind().ok_or("no kind")?;
        if matches!(kind, ExecutionKind::Status | ExecutionKind::Rejected) {
            return Ok(());
        }
        if kind == ExecutionKind::Accepted {
            let entry = Entry {
                side: execution.side,
                account: execution.account,
                price: execution.price,
                leaves: execution.qty,
                cum: 0,
            };
            let is_new = self.live.insert(id, entry).is_none();
            return check(is_new && execution.leaves == execution.qty, "accepted twice");
        }
        let mut entry = self.live.remove(&id).ok_or("no live order")?;
        let (qty, total) = (execution.qty, entry.leaves + entry.cum);
        match kind {
            ExecutionKind::Filled => {
                check(qty <= entry.leaves, "more filled than open")?;
                let bound = Price(entry.price);
                let is_worse =
                    execution.side().ok_or("no side")?.is_better(Price(execution.price), bound);
                check(bound.0 == 0 || !is_worse, "beyond the limit")?;
                entry.leaves -= qty;
                entry.cum += qty;
            }
            ExecutionKind::Reduced => entry.leaves -= qty,
            ExecutionKind::Cancelled | ExecutionKind::Expired => {
                check(qty == entry.leaves, "not all of it ended")?;
                entry.leaves = 0;
            }
            ExecutionKind::Replaced => {
                check(qty > entry.cum, "replaced below what was filled")?;
                entry.leaves = qty - entry.cum;
                entry.price = execution.price;
            }
            ExecutionKind::Triggered => check(qty == total, "a stop is whole")?,
            _ => return Err("an unexpected kind".to_owned()),
        }
        check(entry.leaves == execution.leaves, "leaves do not add up")?;
        check(entry.cum == execution.cum, "cum does not add up")?;
        check(entry.side == execution.side, "another side")?;
        check(entry.account == execution.account, "another account")?;
        let new_id = match kind {
            ExecutionKind::Replaced => OrderId(execution.new_order_id),
            _ => id,
        };
        if entry.leaves > 0 {
            let is_free = self.live.insert(new_id, entry).is_none();
            check(is_free, "two live orders of one number")?;
        }
        Ok(())
    }

    /// Compares with the model's orders, and checks its books.
    pub(crate) fn compare(&self, model: &NaiveMatcher) -> Result<(), String> {
        let orders = model.orders().map(|order| {
            let entry = Entry {
                side: order.side as u8,
                account: order.account,
                price: order.price.0,
                leaves: order.leaves,
                cum: order.cum,
            };
            (order.id, entry)
        });
        let orders: BTreeMap<_, _> = orders.collect();
        check(orders == self.live, "other orders live than the executions say")?;
        model.markets.values().try_for_each(check_market)
    }
}

/// Never crossed while trading; icebergs show something and no more than they have.
fn check_market(market: &Market) -> Result<(), String> {
    let [bid, ask] = [Side::Buy, Side::Sell].map(|side| market.best_price(side));
    let is_crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask);
    check(!(market.is_matching() && is_crossed), "crossed while trading")?;
    let is_sound = |side: Side| {
        market.side(side).all(|order| {
            let most = order.display.unwrap_or(u64::MAX).min(order.leaves);
            order.leaves > 0 && order.price.0 > 0 && order.shown <= most && order.available() > 0
        })
    };
    check(is_sound(Side::Buy) && is_sound(Side::Sell), "a displayed quantity is wrong")
}

fn check(holds: bool, fault: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault.to_owned()) }
}
