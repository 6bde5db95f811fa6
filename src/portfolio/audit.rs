//! The audit: two independent paths must lead to the same equity.

use super::account::Portfolio;
use crate::error::{Error, Result};
use crate::units::{AccountId, Money};

impl Portfolio {
    /// Checks the audit identity of every position and of every account's cash.
    ///
    /// # Errors
    ///
    /// [`Error::CheckFailed`] with the account, the instrument and both amounts.
    pub fn audit(&self) -> Result<()> {
        let failed = |what| Error::CheckFailed {
            what,
            cure: "run again with --audit to find the first record that breaks it".into(),
        };
        for &(instrument, account) in self.positions.keys() {
            self.audit_position(instrument, account).map_err(failed)?;
        }
        self.audit_ledgers().map_err(failed)
    }

    /// `realised + unrealised - fees = cash + inventory x multiplier x mark` of one position, and
    /// sum of signed fills = position.
    pub(super) fn audit_position(&self, instrument: u32, account: AccountId) -> Result<(), String> {
        let known = &self.instruments[&instrument];
        let holding = &self.positions[&(instrument, account)];
        let position = &holding.position;
        let at = || format!("account {account}, {}", known.listing.symbol.as_str());

        let inventory = position.flows.inventory();
        if inventory != i128::from(position.qty) {
            let held = position.qty;
            return Err(format!("audit: fills sum to {inventory}, position is {held}, {}", at()));
        }
        let valued = |qty: i128| match known.mark {
            Some(mark) => known.worth.value(mark.half_price, qty),
            None => Some(position.cost),
        };
        let overflow =
            || format!("audit: the position's value is beyond what money holds, {}", at());
        let unrealised = valued(i128::from(position.qty)).ok_or_else(overflow)? - position.cost;
        let earned = position.realised + unrealised - position.fees;
        let equity = position.flows.cash() + valued(inventory).ok_or_else(overflow)?;
        let lots = &holding.lots;
        if lots.qty() != u128::from(position.qty.unsigned_abs()) {
            let (open, held) = (lots.qty(), position.qty);
            return Err(format!("audit: lots sum to {open}, position is {held}, {}", at()));
        }
        // The third path: what lots earned, at the same value of what is held.
        let value = valued(i128::from(position.qty)).ok_or_else(overflow)?;
        let open = if known.mark.is_some() { value - lots.cost() } else { Money(0) };
        let by_lots = lots.realised + open - position.fees;
        let expected =
            if known.mark.is_some() { equity } else { position.flows.cash() + lots.cost() };
        if by_lots != expected {
            return Err(format!(
                "audit: by lots realised + unrealised - fees is {by_lots}, cash + inventory is \
                 {expected}, {}",
                at()
            ));
        }
        if earned == equity {
            return Ok(());
        }
        Err(format!(
            "audit: realised + unrealised - fees is {earned}, cash + inventory at the mark is \
             {equity}, {}",
            at()
        ))
    }

    /// What the two fills of a match move sums to nothing before fees.
    pub(super) fn audit_match(&mut self, match_id: u64, moved: Money) -> Result<(), String> {
        let (last, before) = self.last_match;
        if last != match_id || match_id == 0 {
            self.last_match = (match_id, moved);
            return Ok(());
        }
        self.last_match = (0, Money(0));
        match before + moved {
            Money(0) => Ok(()),
            left => Err(format!("audit: the two fills of match {match_id} leave {left}")),
        }
    }

    /// Cash of every account and currency = initial cash + the flows of its positions.
    pub(super) fn audit_ledgers(&self) -> Result<(), String> {
        for (&(account, currency), ledger) in &self.ledgers {
            let flows = self
                .positions
                .iter()
                .filter(|((instrument, of), _)| {
                    *of == account && self.instruments[instrument].listing.currency.0 == currency
                })
                .fold(Money(0), |sum, (_, holding)| sum + holding.position.cash());
            let gains = self
                .positions
                .iter()
                .filter(|((instrument, of), _)| {
                    *of == account && self.instruments[instrument].listing.currency.0 == currency
                })
                .fold(Money(0), |sum, (_, holding)| sum + holding.valued.gain);
            if ledger.gain != gains {
                let gain = ledger.gain;
                return Err(format!(
                    "audit: the gain of account {account} is {gain}, its positions make {gains}"
                ));
            }
            let expected = ledger.initial + flows;
            if ledger.cash != expected {
                let cash = ledger.cash;
                return Err(format!(
                    "audit: cash of account {account} is {cash}, its fills make {expected}"
                ));
            }
        }
        Ok(())
    }
}
