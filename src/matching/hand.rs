//! An order in hand: out of every book and list, on its way in or out.

use super::terms::{Codes, Extra};
use crate::event::{Execution, ExecutionKind, Liquidity, Reason};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

/// What every record about an order shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) order_id: OrderId,
    pub(super) account: AccountId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// Limit or cap; 0 when none.
    pub(super) price: Price,
    /// Open quantity, an iceberg's reserve included.
    pub(super) leaves: Qty,
    pub(super) cum: Qty,
}

/// An order with all its terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct InHand {
    pub(super) shown: Shown,
    pub(super) codes: Codes,
    pub(super) extra: Extra,
}

/// Whose orders do not trade with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Account(AccountId),
    Group(u64),
}

/// One side of a match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) match_id: u64,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) contra: OrderId,
    pub(super) liquidity: Liquidity,
}

impl Owner {
    #[inline]
    pub(super) fn new(account: AccountId, group: u64) -> Self {
        if group == 0 { Self::Account(account) } else { Self::Group(group) }
    }
}

impl Shown {
    /// Quantity with what is filled.
    #[inline]
    pub(super) fn total(&self) -> Qty {
        Qty(self.leaves.0 + self.cum.0)
    }

    /// A record about the order as it is now.
    #[inline]
    pub(super) fn record(
        &self,
        kind: ExecutionKind,
        qty: Qty,
        reason: Reason,
        ts_event: u64,
    ) -> Execution {
        Execution {
            ts_event,
            ts_ingest: 0,
            kind: kind as u8,
            side: self.side as u8,
            flags: 0,
            instrument: self.instrument.0,
            order_id: self.order_id.0,
            price: self.price.0,
            qty: qty.0,
            leaves: self.leaves.0,
            cum: self.cum.0,
            contra_order_id: 0,
            match_id: 0,
            cause: 0,
            new_order_id: 0,
            account: self.account.0,
            reason: reason as u16,
            liquidity: 0,
            pad: 0,
            fee: 0,
            reserved: 0,
        }
    }

    /// The record of an order that leaves with nothing but what is filled.
    #[inline]
    pub(super) fn ended(&self, kind: ExecutionKind, reason: Reason, ts_event: u64) -> Execution {
        Execution { leaves: 0, ..self.record(kind, self.leaves, reason, ts_event) }
    }

    /// The record of a match that is counted in already.
    #[inline]
    pub(super) fn filled(&self, fill: &Match, ts_event: u64) -> Execution {
        Execution {
            price: fill.price.0,
            contra_order_id: fill.contra.0,
            match_id: fill.match_id,
            liquidity: fill.liquidity as u8,
            ..self.record(ExecutionKind::Filled, fill.qty, Reason::None, ts_event)
        }
    }
}

impl InHand {
    #[inline]
    pub(super) fn owner(&self) -> Owner {
        Owner::new(self.shown.account, self.extra.group)
    }

    /// What an order that rests would display.
    #[inline]
    pub(super) fn displayed(&self) -> Qty {
        if self.codes.is_iceberg() {
            self.shown.leaves.min(self.extra.display)
        } else {
            self.shown.leaves
        }
    }
}
