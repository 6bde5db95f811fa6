//! What the rows so far say of the order of a number.

use std::collections::HashMap;

use crate::units::{AccountId, OrderId};

/// Account and instrument of every order that a row named, by number; only looked up.
///
/// The reader does not know which rows the matcher rejects, nor which orders still live. What all
/// rows that gave a number to an order agree in holds for the live order of that number, if there
/// is one; what they differ in is left to the matcher.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<u64, Named>);

/// Whose the orders of a number are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// `None` where rows differ, or there was none.
    pub(super) account: Option<AccountId>,
    /// 0 where rows differ, or there was none.
    pub(super) instrument: u32,
}

impl Numbers {
    /// What is known of the order of a number.
    pub(super) fn get(&self, id: OrderId) -> Named {
        self.0.get(&id.0).copied().unwrap_or_default()
    }

    /// A row gives a number to an order.
    pub(super) fn note(&mut self, id: OrderId, named: Named) {
        let known = self.0.entry(id.0).or_insert(named);
        known.account = known.account.filter(|_| known.account == named.account);
        if known.instrument != named.instrument {
            known.instrument = 0;
        }
    }

    /// A row gives an order another number; if nobody named the order, it is none.
    pub(super) fn rename(&mut self, from: OrderId, to: OrderId) {
        if let Some(&named) = self.0.get(&from.0) {
            self.note(to, named);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_differ_in_is_not_known_any_more() {
        let named = |account, instrument| Named { account: Some(AccountId(account)), instrument };
        let mut numbers = Numbers::default();
        numbers.note(OrderId(1), named(7, 1));
        numbers.rename(OrderId(9), OrderId(1));
        assert_eq!(numbers.get(OrderId(1)), named(7, 1), "9 is nobody's");
        numbers.note(OrderId(1), named(8, 1));
        assert_eq!(numbers.get(OrderId(1)), Named { account: None, instrument: 1 });
        numbers.note(OrderId(1), named(7, 2));
        assert_eq!(numbers.get(OrderId(1)), Named::default());
        numbers.note(OrderId(2), named(7, 1));
        numbers.rename(OrderId(1), OrderId(2));
        assert_eq!(numbers.get(OrderId(2)), Named::default());
    }
}
