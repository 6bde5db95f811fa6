//! The portfolio: accounts, their positions and their cash, fed by execution records.

use std::collections::BTreeMap;

use super::marks::{Mark, MarkRule, load_mark, save_mark};
use super::position::{Position, Worth};
use crate::error::{Error, Result};
use crate::event::kinds::Text;
use crate::event::{Execution, ExecutionKind, Listing, Quote};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Money, Price, Qty};

/// What shapes a portfolio beside its executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortfolioConfig {
    /// Cash that every account starts with, by currency; none in currencies that are not named.
    pub initial_cash: Vec<(Text<4>, Money)>,
    /// How quotes become marks.
    pub marks: MarkRule,
    /// Whether to check the audit identity after every fill and every mark.
    pub audit: bool,
}

/// An instrument as the portfolio knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) listing: Listing,
    pub(super) worth: Worth,
    pub(super) mark: Option<Mark>,
}

/// Sums over an account's positions in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) initial: Money,
    pub(super) cash: Money,
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
    pub(super) positions: BTreeMap<(u32, AccountId), Position>,
    pub(super) ledgers: BTreeMap<(AccountId, [u8; 4]), Ledger>,
}

impl Portfolio {
    /// A portfolio without positions.
    pub fn new(config: PortfolioConfig) -> Self {
        Self {
            config,
            instruments: BTreeMap::new(),
            positions: BTreeMap::new(),
            ledgers: BTreeMap::new(),
        }
    }

    /// What the portfolio was told.
    pub fn config(&self) -> &PortfolioConfig {
        &self.config
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
        let known = self.instruments.entry(execution.instrument);
        let known = known.or_insert(Known { listing, worth, mark: None });
        (known.listing, known.worth) = (listing, worth);
        Ok(())
    }

    fn fill(&mut self, execution: &Execution) -> Result<()> {
        let known = self.instruments.get(&execution.instrument);
        let known = known.ok_or_else(|| unlisted(execution))?;
        let side = execution.side().ok_or_else(|| failed(execution, "a fill has no side"))?;
        let account = execution.account();
        let position = self.positions.entry((execution.instrument, account)).or_default();
        let cash_before = position.cash();
        position
            .fill(
                side,
                Price(execution.price),
                Qty(execution.qty),
                Money(i128::from(execution.fee)),
                known.worth,
            )
            .ok_or_else(|| failed(execution, "a fill is beyond what money can hold"))?;
        let flow = position.cash() - cash_before;

        let currency = known.listing.currency;
        let initial = self.config.initial_cash_of(currency);
        let ledger = self.ledgers.entry((account, currency.0));
        ledger.or_insert(Ledger { initial, cash: initial }).cash += flow;
        if self.config.audit {
            self.audit_position(execution.instrument, account)
                .and_then(|()| self.audit_ledgers())
                .map_err(|what| failed(execution, &what))?;
        }
        Ok(())
    }

    fn mark(&mut self, execution: &Execution, quote: &Quote) -> Result<()> {
        let known = self.instruments.get_mut(&execution.instrument);
        let known = known.ok_or_else(|| unlisted(execution))?;
        known.mark = self.config.marks.next(known.mark, quote);
        if self.config.audit {
            let instrument = execution.instrument;
            let accounts = (instrument, AccountId(0))..=(instrument, AccountId(u32::MAX));
            for &(_, account) in self.positions.range(accounts).map(|(key, _)| key) {
                self.audit_position(instrument, account)
                    .map_err(|what| failed(execution, &what))?;
            }
        }
        Ok(())
    }

    /// The position of an account in an instrument; `None` before its first fill.
    pub fn position(&self, account: AccountId, instrument: InstrumentId) -> Option<&Position> {
        self.positions.get(&(instrument.0, account))
    }

    /// The mark of an instrument; `None` while it is unpriced.
    pub fn mark_of(&self, instrument: InstrumentId) -> Option<Mark> {
        self.instruments.get(&instrument.0)?.mark
    }

    /// What an instrument's listing said; `None` before it.
    pub fn listing(&self, instrument: InstrumentId) -> Option<&Listing> {
        self.instruments.get(&instrument.0).map(|known| &known.listing)
    }

    /// What an instrument's increments are worth; `None` before its listing.
    pub fn worth(&self, instrument: InstrumentId) -> Option<Worth> {
        self.instruments.get(&instrument.0).map(|known| known.worth)
    }

    /// Writes positions, marks and cash.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_len(self.instruments.len());
        for (&instrument, known) in &self.instruments {
            let listing = Execution::from_listing(0, instrument, &known.listing);
            writer.put_bytes(bytemuck::bytes_of(&listing));
            save_mark(known.mark, writer);
        }
        writer.put_len(self.positions.len());
        for (&(instrument, account), position) in &self.positions {
            writer.put_u32(instrument);
            writer.put_u32(account.0);
            position.save(writer);
        }
        writer.put_len(self.ledgers.len());
        for (&(account, currency), ledger) in &self.ledgers {
            writer.put_u32(account.0);
            writer.put_u32(u32::from_le_bytes(currency));
            writer.put_i128(ledger.initial.0);
            writer.put_i128(ledger.cash.0);
        }
    }

    /// Replaces what the portfolio holds by saved state.
    ///
    /// # Errors
    ///
    /// Cut state, or state that is none of a portfolio.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut loaded = Self::new(self.config.clone());
        for _ in 0..reader.len(size_of::<Execution>())? {
            let record: &[u8; size_of::<Execution>()] =
                reader.bytes()?.try_into().map_err(|_| reader.bad("a listing has another size"))?;
            let record: Execution = bytemuck::pod_read_unaligned(record);
            let mark = load_mark(reader)?;
            let listing = record.listing().ok_or_else(|| reader.bad("a listing is none"))?;
            let worth =
                Worth::of(&listing).ok_or_else(|| reader.bad("increments beyond reason"))?;
            loaded.instruments.insert(record.instrument, Known { listing, worth, mark });
        }
        for _ in 0..reader.len(8)? {
            let key = (reader.u32()?, AccountId(reader.u32()?));
            if !loaded.instruments.contains_key(&key.0) {
                return Err(reader.bad("a position is in an instrument that was not listed"));
            }
            loaded.positions.insert(key, Position::load(reader)?);
        }
        for _ in 0..reader.len(8)? {
            let key = (AccountId(reader.u32()?), reader.u32()?.to_le_bytes());
            let (initial, cash) = (Money(reader.i128()?), Money(reader.i128()?));
            loaded.ledgers.insert(key, Ledger { initial, cash });
        }
        *self = loaded;
        Ok(())
    }
}

impl PortfolioConfig {
    /// Cash that every account starts with in a currency.
    fn initial_cash_of(&self, currency: Text<4>) -> Money {
        let of_currency = self.initial_cash.iter().filter(|(code, _)| *code == currency);
        of_currency.fold(Money(0), |sum, (_, cash)| sum + *cash)
    }
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
