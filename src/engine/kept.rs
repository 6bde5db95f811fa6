//! Executions that a run keeps for its report, in fixed memory, and fills with what they made.

use crate::event::kinds::Text;
use crate::event::{Execution, ExecutionKind};
use crate::portfolio::Portfolio;
use crate::units::{InstrumentId, Money};

/// A fill, and where its account stood after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillRecord {
    /// The fill.
    pub execution: Execution,
    /// Symbol of its instrument.
    pub symbol: Text<24>,
    /// Price increment in 1e-9 of the currency.
    pub price_increment: u64,
    /// Position of the account in the instrument.
    pub position: i64,
    /// Profit of what the account closed in the instrument, before fees.
    pub realised: Money,
    /// Equity of the account in the instrument's currency.
    pub equity: Money,
}

impl FillRecord {
    /// The record of a fill that the portfolio has taken in; `None` for other executions.
    pub(super) fn of(execution: &Execution, portfolio: &Portfolio) -> Option<Self> {
        if execution.kind() != Some(ExecutionKind::Filled) {
            return None;
        }
        let (account, instrument) = (execution.account(), InstrumentId(execution.instrument));
        let listing = portfolio.listing(instrument)?;
        let position = portfolio.position(account, instrument)?;
        Some(Self {
            execution: *execution,
            symbol: listing.symbol,
            price_increment: listing.price_increment,
            position: position.qty,
            realised: position.realised,
            equity: portfolio.equity(account, listing.currency),
        })
    }
}

/// What a run kept of its executions.
///
/// All kinds but quotes are kept while there is room. Of the quotes, which only value positions
/// between fills, every second goes each time the room is used up.
#[derive(Clone, Debug)]
pub struct KeptExecutions {
    /// The portfolio before the first of them; it does not audit.
    pub before: Portfolio,
    /// The records in their order.
    pub records: Vec<Execution>,
    /// Of how many quotes one was kept.
    pub quote_stride: u64,
    /// Records other than quotes that found no room.
    pub left_out: u64,
}

/// What the report is to tell of executions, as far as it is asked to.
#[derive(Debug, Default)]
pub(super) struct FillLog {
    /// `None` when executions are not kept.
    pub(super) keeper: Option<Keeper>,
    /// `None` when fills are not kept.
    pub(super) fills: Option<Vec<FillRecord>>,
}

impl FillLog {
    /// Takes in an execution that the portfolio has taken in.
    #[inline]
    pub(super) fn note(&mut self, execution: &Execution, portfolio: &Portfolio) {
        if let Some(keeper) = &mut self.keeper {
            keeper.note(execution);
        }
        if let Some(fills) = &mut self.fills {
            fills.extend(FillRecord::of(execution, portfolio));
        }
    }
}

/// Keeps executions up to a number.
#[derive(Debug)]
pub(super) struct Keeper {
    kept: KeptExecutions,
    room: usize,
    quotes: u64,
}

impl Keeper {
    /// A keeper of `room` records behind those that made `before`; it allocates nothing later.
    pub(super) fn new(room: usize, before: Portfolio) -> Self {
        let records = Vec::with_capacity(room);
        let kept = KeptExecutions { before, records, quote_stride: 1, left_out: 0 };
        Self { kept, room, quotes: 0 }
    }

    /// Keeps a record, if it is to be kept.
    #[inline]
    pub(super) fn note(&mut self, execution: &Execution) {
        let is_quote = execution.kind() == Some(ExecutionKind::Quote);
        if is_quote {
            self.quotes += 1;
            if !self.quotes.is_multiple_of(self.kept.quote_stride) {
                return;
            }
        }
        if self.kept.records.len() == self.room {
            self.thin();
        }
        if self.kept.records.len() < self.room {
            self.kept.records.push(*execution);
        } else {
            self.kept.left_out += u64::from(!is_quote);
        }
    }

    /// What was kept.
    pub(super) fn into_kept(self) -> KeptExecutions {
        self.kept
    }

    #[cold]
    fn thin(&mut self) {
        if self.kept.left_out > 0 {
            return;
        }
        let mut quotes = 0_u64;
        self.kept.records.retain(|record| {
            let is_quote = record.kind() == Some(ExecutionKind::Quote);
            quotes += u64::from(is_quote);
            !is_quote || quotes.is_multiple_of(2)
        });
        self.kept.quote_stride *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portfolio::PortfolioConfig;

    fn keeper(room: usize) -> Keeper {
        Keeper::new(room, Portfolio::new(PortfolioConfig::default()))
    }

    #[test]
    fn quotes_make_room_for_fills_until_there_are_only_fills() {
        let mut keeper = keeper(8);
        let record = |kind, ts| Execution::new(kind, ts, 1);
        for ts in 0..20 {
            keeper.note(&record(ExecutionKind::Quote, ts));
        }
        for ts in 20..26 {
            keeper.note(&record(ExecutionKind::Filled, ts));
        }
        let kept = keeper.into_kept();
        let fills = kept.records.iter().filter(|e| e.kind() == Some(ExecutionKind::Filled));
        assert!(fills.map(|fill| fill.ts_event).eq(20..26));
        assert!(kept.quote_stride >= 4 && kept.left_out == 0, "{kept:?}");

        let mut keeper = self::keeper(3);
        (0..5).for_each(|ts| keeper.note(&record(ExecutionKind::Filled, ts)));
        let kept = keeper.into_kept();
        assert_eq!((kept.records.len(), kept.left_out), (3, 2));
    }
}
