//! What the venue answered becomes executions: listings, fees, own account, quotes.

use super::desk::Office;
use super::trader::{HELD, LISTED, ORDERS, QUOTE_DUE, Trader};
use crate::book::Replica;
use crate::error::{Error, Result};
use crate::event::{Execution, ExecutionKind, Liquidity, Quote};
use crate::units::{InstrumentId, Nanos, Price, Qty};

impl Trader {
    /// Writes what the venue answered: listing first, fees added, own account kept.
    pub(super) fn settle(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        for index in 0..self.reports.len() {
            let mut execution = self.reports[index];
            let instrument = InstrumentId(execution.instrument);
            let ts_event = Nanos(execution.ts_event);
            self.list(instrument, ts_event, replica, out)?;
            let is_fill = execution.kind() == Some(ExecutionKind::Filled);
            if is_fill {
                execution.fee = self.fee(&execution)?;
                self.office.account.apply(&execution)?;
            }
            self.office.counts.note(&execution);
            self.untold.push_back(execution);
            out.push(execution);
            self.look_again(instrument);
            if is_fill && replica.is_event_open(instrument) {
                self.interest[instrument.0 as usize] |= QUOTE_DUE;
            } else if is_fill {
                self.quote(instrument, ts_event, true, replica, out)?;
            }
        }
        self.reports.clear();
        Ok(())
    }

    fn fee(&self, execution: &Execution) -> Result<i64> {
        let instrument = InstrumentId(execution.instrument);
        let account = &self.office.account;
        let fee = || {
            let liquidity = Liquidity::from_code(execution.liquidity)?;
            let (listing, worth) = (account.listing(instrument)?, account.worth(instrument)?);
            let (price, qty) = (Price(execution.price), Qty(execution.qty));
            let fee = self.config.fees.fee(liquidity, price, qty, listing, worth)?;
            i64::try_from(fee.0).ok()
        };
        fee().ok_or_else(|| Error::CheckFailed {
            what: format!("the fee of a fill of order {} is beyond i64", execution.order_id),
            cure: "check the fee schedule and the order's size".into(),
        })
    }

    /// Writes an instrument's listing unless it was written before.
    pub(super) fn list(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let index = instrument.0 as usize;
        let Some(known) = replica.instruments().get(instrument) else { return Ok(()) };
        if self.interest.len() <= index {
            self.interest.resize(index + 1, 0);
        }
        if self.interest[index] & LISTED == 0 {
            self.interest[index] |= LISTED;
            let listing = Execution::from_listing(ts_event.0, instrument.0, &known.listing());
            self.office.account.apply(&listing)?;
            out.push(listing);
        }
        Ok(())
    }

    /// Writes a quote if it differs from the last one, or if it must be written.
    pub(super) fn quote(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        is_forced: bool,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let quote = quote_of(instrument, replica);
        if is_forced || self.quotes.get(&instrument.0) != Some(&quote) {
            self.write_quote(instrument, ts_event, &quote, out)?;
        }
        Ok(())
    }

    pub(super) fn write_quote(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        quote: &Quote,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        self.interest[instrument.0 as usize] &= !QUOTE_DUE;
        self.quotes.insert(instrument.0, *quote);
        let execution = Execution::from_quote(ts_event.0, instrument.0, quote);
        self.office.account.apply(&execution)?;
        out.push(execution);
        Ok(())
    }

    /// Brings the bits for orders and position up to date.
    pub(super) fn look_again(&mut self, instrument: InstrumentId) {
        let Office { venue, account, account_id, .. } = &self.office;
        let is_active = venue.is_active(instrument);
        let position = account.position(*account_id, instrument);
        let is_held = position.is_some_and(|position| position.qty != 0);
        if let Some(bits) = self.interest.get_mut(instrument.0 as usize) {
            *bits &= !(ORDERS | HELD);
            *bits |= if is_active { ORDERS } else { 0 } | if is_held { HELD } else { 0 };
        }
    }
}

/// What the books say of an instrument now; the closing cross is left for the end of the day.
pub(super) fn quote_of(instrument: InstrumentId, replica: &Replica) -> Quote {
    let touch = replica.touch(instrument);
    Quote {
        bid_price: touch.bid_price,
        bid_qty: touch.bid_qty,
        ask_price: touch.ask_price,
        ask_qty: touch.ask_qty,
        last_price: replica.last_price(instrument),
        close_price: None,
        trading: replica.is_trading(instrument),
    }
}
