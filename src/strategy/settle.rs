//! What gate and venue answered becomes executions: listings, fees, own accounts, quotes.

use super::desk::Office;
use super::risk::Limit;
use super::trader::{HELD, LISTED, ORDERS, QUOTE_DUE, QUOTED, RECENT, Told, Trader};
use crate::book::Replica;
use crate::error::{Error, Result};
use crate::event::{Execution, ExecutionKind, Liquidity, Quote, Reason};
use crate::portfolio::MARKOUT_LONGEST;
use crate::units::{InstrumentId, Nanos, Price, Qty};

impl Trader {
    /// Writes what was answered: listing first, fees added, own accounts kept.
    #[inline]
    pub(super) fn settle(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        if self.office.reports.is_empty() && self.office.refusals.is_empty() {
            return Ok(());
        }
        self.settle_answers(replica, out)
    }

    fn settle_answers(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        // A loss beyond its limit cancels orders, which are answers too.
        let mut index = 0;
        while index < self.office.reports.len() {
            let execution = self.office.reports[index];
            index += 1;
            if self.tells_at_once {
                self.office.gate.note(&execution);
            }
            self.settle_one(execution, replica, out)?;
        }
        self.office.reports.clear();
        for index in 0..self.office.refusals.len() {
            self.settle_one(self.office.refusals[index], replica, out)?;
        }
        self.office.refusals.clear();
        Ok(())
    }

    fn settle_one(
        &mut self,
        mut execution: Execution,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let instrument = InstrumentId(execution.instrument);
        let ts_event = Nanos(execution.ts_event);
        self.list(instrument, ts_event, replica, out)?;
        let is_fill = execution.kind() == Some(ExecutionKind::Filled);
        if is_fill {
            execution.fee = self.fee(&execution)?;
            if self.interest[instrument.0 as usize] & QUOTED == 0 {
                self.quote(instrument, ts_event, false, replica, out)?;
            }
        }
        // Account and gate know what the strategy was told: a report on its way is in neither.
        if is_fill && self.tells_at_once {
            self.office.account.apply(&execution)?;
        }
        self.office.counts.note(&execution);
        if let Some(index) = self.member_of(execution.account()) {
            self.members[index].seat.counts.note(&execution);
        }
        let due = Nanos(self.office.now.0.saturating_add(self.office.venue.report_delay().0));
        let due = self.untold.back().map_or(due, |last| last.due.max(due));
        self.untold.push_back(Told { due, execution });
        out.push(execution);
        self.look_again(instrument);
        if !is_fill {
            return Ok(());
        }
        let index = instrument.0 as usize;
        self.interest[index] |= RECENT;
        self.recent_until[index] = execution.ts_event.saturating_add(MARKOUT_LONGEST);
        if replica.is_event_open(instrument) {
            self.interest[index] |= QUOTE_DUE;
            self.guard_losses();
            return Ok(());
        }
        self.quote(instrument, ts_event, true, replica, out)
    }

    fn fee(&self, execution: &Execution) -> Result<i64> {
        let instrument = InstrumentId(execution.instrument);
        let account = &self.office.account;
        let fee = || {
            let liquidity = Liquidity::from_code(execution.liquidity)?;
            let (listing, worth) = (account.listing(instrument)?, account.worth(instrument)?);
            let (price, qty) = (Price(execution.price), Qty(execution.qty));
            let own = self.config.fees_of.get(listing.symbol.as_str());
            let fees = own.unwrap_or(&self.config.fees);
            let fee = fees.fee(liquidity, price, qty, listing, worth)?;
            i64::try_from(fee.0).ok()
        };
        fee().ok_or_else(|| Error::CheckFailed {
            what: format!(
                "the fee of a fill of order {} is beyond i64",
                execution.order_id().number()
            ),
            cure: "check the fee schedule and the order's size".into(),
        })
    }

    /// Throws the kill switch of every account that lost more than it may.
    pub(super) fn guard_losses(&mut self) {
        for member in &self.members {
            let account = member.seat.account;
            if self.office.gate.limits(account).get(Limit::Loss).is_none() {
                continue;
            }
            // A sum that no rate leads to is no reason to go on.
            let is_ruined = match self.office.account.gain_in_base(account) {
                Some(gain) => self.office.gate.is_ruined(account, gain),
                None => !self.office.gate.is_killed(account),
            };
            if is_ruined {
                self.office.kill(account, Reason::LossLimit);
            }
        }
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
        self.make_room(instrument);
        if self.interest[index] & LISTED == 0 {
            self.interest[index] |= LISTED;
            let listing = Execution::from_listing(ts_event.0, instrument.0, &known.listing());
            self.office.account.apply(&listing)?;
            out.push(listing);
        }
        Ok(())
    }

    /// An exchange event is complete: writes the quote that a fill within it awaits, or one that
    /// changed where something is held or was lately.
    #[inline]
    pub(super) fn quote_after_last(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let index = instrument.0 as usize;
        let interest = self.interest[index];
        if interest & QUOTED == 0 {
            return Ok(());
        }
        // The last quote of the time of markouts lets them be settled.
        let is_over = interest & RECENT != 0 && ts_event.0 > self.recent_until[index];
        if is_over {
            self.interest[index] &= !RECENT;
        }
        let is_forced = is_over || interest & QUOTE_DUE != 0;
        self.quote(instrument, ts_event, is_forced, replica, out)?;
        self.settle(replica, out)
    }

    /// Writes a quote if it differs from the last one, or if it must be written.
    fn quote(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        is_forced: bool,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let quote = self.office.quote(instrument, replica);
        if is_forced || self.quotes.get(&instrument.0) != Some(&quote) {
            self.write_quote(instrument, ts_event, &quote, out)?;
        }
        Ok(())
    }

    fn write_quote(
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
        self.guard_losses();
        Ok(())
    }

    /// Writes the last quotes of a day, with the closing cross if there was one, where something is
    /// held or was lately.
    pub(super) fn quote_close(
        &mut self,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        for index in 0..self.interest.len() {
            let instrument = InstrumentId(index as u32);
            if self.interest[index] & (HELD | RECENT) != 0 {
                let close_price = replica.close_price(instrument);
                let quote = Quote { close_price, ..self.office.quote(instrument, replica) };
                self.write_quote(instrument, ts_event, &quote, out)?;
            }
        }
        Ok(())
    }

    /// Brings the bits for orders and position up to date.
    pub(super) fn look_again(&mut self, instrument: InstrumentId) {
        let Office { venue, account, .. } = &self.office;
        let is_active = venue.is_active(instrument);
        let is_held = account.is_held(instrument);
        if let Some(bits) = self.interest.get_mut(instrument.0 as usize) {
            *bits &= !(ORDERS | HELD);
            *bits |= if is_active { ORDERS } else { 0 } | if is_held { HELD } else { 0 };
        }
    }

    /// Makes room for what is kept by instrument.
    pub(super) fn make_room(&mut self, instrument: InstrumentId) {
        let index = instrument.0 as usize;
        if self.interest.len() <= index {
            self.interest.resize(index + 1, 0);
            self.recent_until.resize(index + 1, 0);
        }
    }
}
