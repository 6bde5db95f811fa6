//! The portfolio: accounts, their positions and their cash, fed by execution records.

use std::collections::BTreeMap;

use super::holding::{Holding, Ledger};
use super::lots::Lots;
use super::markouts::{Markouts, QualityOf};
use super::marks::{Mark, MarkRule};
use super::position::{Position, Worth};
use super::rates::Rates;
use crate::error::{Error, Result};
use crate::event::kinds::Text;
use crate::event::{Execution, ExecutionKind, Listing, Quote};
use crate::units::{AccountId, InstrumentId, Money, Price, Qty};

/// What shapes a portfolio beside its executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortfolioConfig {
    /// Cash that every account starts with, by currency; none in currencies that are not named.
    pub initial_cash: Vec<(Text<4>, Money)>,
    /// How quotes become marks.
    pub marks: MarkRule,
    /// Rates into the base currency.
    pub rates: Rates,
    /// Whether to check the audit identity after every fill and every mark.
    pub audit: bool,
}

/// An instrument as the portfolio knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) listing: Listing,
    pub(super) worth: Worth,
    pub(super) mark: Option<Mark>,
    pub(super) markouts: Markouts,
}

/// Positions of all accounts, valued and audited; a function of its executions alone.
///
/// ```
/// use ringtape::event::{Execution, ExecutionKind, Instrument, Liquidity};
/// use ringtape::portfolio::{Portfolio, PortfolioConfig};
/// use ringtape::units::Side;
///
/// let mut portfolio = Portfolio::new(PortfolioConfig { audit: true, ..Default::default() });
/// portfolio.apply(&Execution::from_listing(0, 13, &Instrument::us_equity("AAPL").listing()))?;
///
/// let mut fill = Execution::new(ExecutionKind::Filled, 34_200_000_000_000, 13);
/// fill.side = Side::Buy as u8;
/// fill.price = 3_201_400;
/// fill.qty = 100;
/// fill.liquidity = Liquidity::Maker as u8;
/// fill.fee = -200_000_000;
/// portfolio.apply(&fill)?;
///
/// let row = &portfolio.rows()[0];
/// assert_eq!((row.symbol.as_str(), row.position), ("AAPL", 100));
/// assert_eq!(row.cash.to_string(), "-32013.80");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Portfolio {
    pub(super) config: PortfolioConfig,
    pub(super) instruments: BTreeMap<u32, Known>,
    /// By instrument, then account: a quote concerns one instrument of all accounts.
    pub(super) positions: BTreeMap<(u32, AccountId), Holding>,
    pub(super) ledgers: BTreeMap<(AccountId, [u8; 4]), Ledger>,
    /// Number of the last match and what its fills so far moved before fees, for the audit.
    pub(super) last_match: (u64, Money),
}

impl Portfolio {
    /// A portfolio without positions.
    pub fn new(config: PortfolioConfig) -> Self {
        Self {
            config,
            instruments: BTreeMap::new(),
            positions: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            last_match: (0, Money(0)),
        }
    }

    /// What the portfolio was told.
    pub fn config(&self) -> &PortfolioConfig {
        &self.config
    }

    /// The same without the audit.
    pub(crate) fn unaudited(mut self) -> Self {
        self.config.audit = false;
        self
    }

    /// Takes in the next record of the execution ring.
    ///
    /// Listings, fills and quotes count; other kinds change nothing.
    ///
    /// # Errors
    ///
    /// [`Error::CheckFailed`] with the record's cause: a fill or quote of an instrument without a
    /// listing, a number beyond what money can hold, or an audit that does not hold.
    pub fn apply(&mut self, execution: &Execution) -> Result<()> {
        match execution.kind() {
            Some(ExecutionKind::Filled) => self.fill(execution),
            Some(ExecutionKind::Quote) => match execution.quote() {
                Some(quote) => self.mark(execution, &quote),
                None => Ok(()),
            },
            Some(ExecutionKind::Status) => match execution.listing() {
                Some(listing) => self.list(execution, listing),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn list(&mut self, execution: &Execution, listing: Listing) -> Result<()> {
        let worth = Worth::of(&listing)
            .ok_or_else(|| failed(execution, "an instrument's increments are beyond reason"))?;
        let markouts = Markouts::default();
        let known = self.instruments.entry(execution.instrument);
        let known = known.or_insert(Known { listing, worth, mark: None, markouts });
        (known.listing, known.worth) = (listing, worth);
        self.revalue(execution.instrument);
        Ok(())
    }

    fn fill(&mut self, execution: &Execution) -> Result<()> {
        self.settle_markouts(execution);
        let known = self.instruments.get_mut(&execution.instrument);
        let known = known.ok_or_else(|| unlisted(execution))?;
        let side = execution.side().ok_or_else(|| failed(execution, "a fill has no side"))?;
        let account = execution.account();
        let (price, qty) = (Price(execution.price), Qty(execution.qty));
        let fee = Money(i128::from(execution.fee));
        let beyond = || failed(execution, "a fill is beyond what money can hold");
        let holding = self.positions.entry((execution.instrument, account)).or_default();
        let cash_before = holding.position.cash();
        let closed = holding.position.closed_by(side, qty);
        holding.position.fill(side, price, qty, fee, known.worth).ok_or_else(beyond)?;
        holding.lots.fill(side, price, qty, known.worth, closed).ok_or_else(beyond)?;
        let flow = holding.position.cash() - cash_before;
        known.markouts.note(account, side, price, qty, execution.ts_event);

        let currency = known.listing.currency;
        let initial = self.config.initial_cash_of(currency);
        let ledger = self.ledgers.entry((account, currency.0));
        let ledger = ledger.or_insert_with(|| Ledger::new(initial));
        ledger.cash += flow;
        let valued = holding.value(known);
        ledger.revalue(holding.valued, valued);
        holding.valued = valued;
        if self.config.audit {
            self.audit_match(execution.match_id, flow + fee)
                .and_then(|()| self.audit_position(execution.instrument, account))
                .and_then(|()| self.audit_ledgers())
                .map_err(|what| failed(execution, &what))?;
        }
        Ok(())
    }

    fn mark(&mut self, execution: &Execution, quote: &Quote) -> Result<()> {
        self.settle_markouts(execution);
        let known = self.instruments.get_mut(&execution.instrument);
        let known = known.ok_or_else(|| unlisted(execution))?;
        known.mark = self.config.marks.next(known.mark, quote);
        self.measure(execution.instrument, |markouts, mark, worth, quality_of| {
            markouts.capture(mark, worth, quality_of);
        });
        self.revalue(execution.instrument);
        if self.config.audit {
            let instrument = execution.instrument;
            for &(_, account) in self.positions.range(accounts_of(instrument)).map(|(key, _)| key) {
                self.audit_position(instrument, account)
                    .map_err(|what| failed(execution, &what))?;
            }
            self.audit_ledgers().map_err(|what| failed(execution, &what))?;
        }
        Ok(())
    }

    /// Brings the sums of all accounts in line with an instrument's mark.
    fn revalue(&mut self, instrument: u32) {
        let Some(known) = self.instruments.get(&instrument) else { return };
        for (&(_, account), holding) in self.positions.range_mut(accounts_of(instrument)) {
            let valued = holding.value(known);
            if let Some(ledger) = self.ledgers.get_mut(&(account, known.listing.currency.0)) {
                ledger.revalue(holding.valued, valued);
            }
            holding.valued = valued;
        }
    }

    /// Measures the fills of the execution's instrument whose markouts are due.
    fn settle_markouts(&mut self, execution: &Execution) {
        self.measure(execution.instrument, |markouts, mark, worth, quality_of| {
            markouts.settle(execution.ts_event, mark, worth, quality_of);
        });
    }

    /// Measures the fills of an instrument; what is measured goes to the accounts' holdings.
    fn measure(
        &mut self,
        instrument: u32,
        measure: impl FnOnce(&mut Markouts, Option<Mark>, Worth, &mut QualityOf<'_>),
    ) {
        let Some(known) = self.instruments.get_mut(&instrument) else { return };
        if known.markouts.is_empty() {
            return;
        }
        let positions = &mut self.positions;
        measure(&mut known.markouts, known.mark, known.worth, &mut |account, change| {
            if let Some(holding) = positions.get_mut(&(instrument, account)) {
                change(&mut holding.quality);
            }
        });
    }

    /// What an account is worth in a currency: initial cash and profit less fees.
    pub fn equity(&self, account: AccountId, currency: Text<4>) -> Money {
        let ledger = self.ledgers.get(&(account, currency.0));
        ledger.map_or(Money(0), |ledger| ledger.initial + ledger.gain)
    }

    /// Whether any account holds something of an instrument.
    pub fn is_held(&self, instrument: InstrumentId) -> bool {
        let mut holdings = self.positions.range(accounts_of(instrument.0));
        holdings.any(|(_, holding)| holding.position.qty != 0)
    }

    /// An amount in the base currency; `None` without a rate, or beyond what money can hold.
    pub fn in_base(&self, currency: Text<4>, amount: Money) -> Option<Money> {
        self.config.rates.convert(currency, amount)
    }

    /// What an account made since the start, fees taken off, in the base currency; `None` when a
    /// rate is missing.
    pub fn gain_in_base(&self, account: AccountId) -> Option<Money> {
        let ledgers = self.ledgers.range((account, [0; 4])..=(account, [u8::MAX; 4]));
        ledgers
            .map(|(&(_, currency), ledger)| self.in_base(Text(currency), ledger.gain))
            .try_fold(Money(0), |sum, gain| Some(sum + gain?))
    }

    /// The position of an account in an instrument; `None` before its first fill.
    pub fn position(&self, account: AccountId, instrument: InstrumentId) -> Option<&Position> {
        self.positions.get(&(instrument.0, account)).map(|holding| &holding.position)
    }

    /// All positions that ever had a fill, by instrument, then account.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = (AccountId, InstrumentId, &Position)> {
        let holdings = self.positions.iter();
        holdings.map(|(&(instrument, account), holding)| {
            (account, InstrumentId(instrument), &holding.position)
        })
    }

    /// What every account is worth in each of its currencies, as [`equity`](Self::equity) says.
    pub fn equities(&self) -> impl Iterator<Item = (AccountId, Text<4>, Money)> {
        let ledgers = self.ledgers.iter();
        ledgers.map(|(&(account, currency), ledger)| {
            (account, Text(currency), ledger.initial + ledger.gain)
        })
    }

    /// The open lots of an account in an instrument; `None` before its first fill.
    pub fn lots(&self, account: AccountId, instrument: InstrumentId) -> Option<&Lots> {
        self.positions.get(&(instrument.0, account)).map(|holding| &holding.lots)
    }

    /// The mark of an instrument; `None` while it is unpriced.
    pub fn mark_of(&self, instrument: InstrumentId) -> Option<Mark> {
        self.instruments.get(&instrument.0)?.mark
    }

    /// What an instrument's listing said; `None` before it.
    pub fn listing(&self, instrument: InstrumentId) -> Option<&Listing> {
        self.instruments.get(&instrument.0).map(|known| &known.listing)
    }

    /// The instruments that have been listed.
    pub(crate) fn listings(&self) -> impl Iterator<Item = (InstrumentId, &Listing)> {
        self.instruments.iter().map(|(&id, known)| (InstrumentId(id), &known.listing))
    }

    /// What an instrument's increments are worth; `None` before its listing.
    pub fn worth(&self, instrument: InstrumentId) -> Option<Worth> {
        self.instruments.get(&instrument.0).map(|known| known.worth)
    }
}

impl PortfolioConfig {
    /// Cash that every account starts with in a currency.
    fn initial_cash_of(&self, currency: Text<4>) -> Money {
        let of_currency = self.initial_cash.iter().filter(|(code, _)| *code == currency);
        of_currency.fold(Money(0), |sum, (_, cash)| sum + *cash)
    }
}

/// The positions of all accounts in an instrument.
fn accounts_of(instrument: u32) -> std::ops::RangeInclusive<(u32, AccountId)> {
    (instrument, AccountId(0))..=(instrument, AccountId(u32::MAX))
}

fn unlisted(execution: &Execution) -> Error {
    failed(execution, "a record is of an instrument that no listing introduced")
}

/// An error at an execution, which its cause finds again.
fn failed(execution: &Execution, what: &str) -> Error {
    Error::CheckFailed {
        what: format!(
            "{what}, instrument {}, order {}, execution caused by market sequence {}",
            execution.instrument, execution.order_id, execution.cause
        ),
        cure: format!("look at market sequence {} in the journal", execution.cause),
    }
}
