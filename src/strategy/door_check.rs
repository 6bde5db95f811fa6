//! A report of a venue held against the order that it tells of.

use super::door::Away;
use super::door_list::unsound;
use crate::error::Result;
use crate::event::{Execution, ExecutionKind, Liquidity, OrderType};
use crate::units::{AccountId, Price, Qty, Side};

impl Away {
    /// Refuses a report that contradicts the order: of another side or account, a fill of more than
    /// is open, or at a price that the order does not allow.
    ///
    /// A rejected command leaves the order as it was, whatever it names.
    pub(super) fn check(
        &self,
        kind: ExecutionKind,
        record: &Execution,
        side: Option<Side>,
        account: AccountId,
    ) -> Result<()> {
        let refuse = |what: String| {
            let number = record.order_id().number();
            Err(unsound(&format!("report of order {number}: {what}")))
        };
        if kind == ExecutionKind::Rejected {
            return Ok(());
        }
        if side.is_some_and(|side| side != self.terms.side) {
            return refuse("it is of the other side".to_owned());
        }
        if account != self.account {
            return refuse(format!("account {account} has it there, {} here", self.account));
        }
        if kind != ExecutionKind::Filled {
            return Ok(());
        }
        let (price, qty, open) = (Price(record.price), Qty(record.qty), self.leaves());
        if qty.0 == 0 || qty > open {
            return refuse(format!("{qty} were filled of {open} that were open"));
        }
        if record.leaves != open.0 - qty.0 {
            let leaves = Qty(record.leaves);
            return refuse(format!("{leaves} stayed open when {qty} of {open} were filled"));
        }
        if price.0 <= 0 {
            return refuse(format!("it was filled at {price}"));
        }
        let is_limited = matches!(self.terms.order_type, OrderType::Limit | OrderType::StopLimit);
        if is_limited && self.terms.side.is_better(price, self.terms.price) {
            return refuse(format!(
                "a fill at {price} is worse than its limit {}",
                self.terms.price
            ));
        }
        if Liquidity::from_code(record.liquidity).is_none() {
            return refuse("the fill does not say which side of the match it was".to_owned());
        }
        Ok(())
    }
}
