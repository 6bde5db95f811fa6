//! What the portfolio shows: a row a position, a total an account and currency, and its hash.

use std::collections::BTreeMap;

use super::account::{Known, Portfolio};
use super::holding::Holding;
use super::markouts::Quality;
use super::position::Position;
use crate::event::kinds::Text;
use crate::hash::RunningHash;
use crate::units::{AccountId, InstrumentId, Money};

/// A position as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionRow {
    /// The account.
    pub account: AccountId,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its symbol.
    pub symbol: String,
    /// Currency of all amounts of the row.
    pub currency: Text<4>,
    /// Quantity held in increments; negative when short.
    pub position: i64,
    /// Total cost of what is held; negative when short.
    pub cost: Money,
    /// Cash that the position brought in, fees taken off; initial cash stands in the totals.
    pub cash: Money,
    /// Profit of what was closed, before fees.
    pub realised: Money,
    /// Profit of what is held at the mark; 0 while unpriced.
    pub unrealised: Money,
    /// Fees less rebates.
    pub fees: Money,
    /// `realised + unrealised - fees`.
    pub equity: Money,
    /// Total cost of the open lots; negative when short.
    pub lots_cost: Money,
    /// Profit of what was closed first in, first out, before fees.
    pub lots_realised: Money,
    /// Number of open lots.
    pub lots: usize,
    /// Spread capture, markouts and adverse selection.
    pub quality: Quality,
    /// The mark in currency a unit; `None` while unpriced.
    pub mark: Option<Money>,
    /// Whether there is a mark, or nothing is held that would need one.
    pub priced: bool,
    /// Quantity bought and sold in increments.
    pub volume: i128,
    /// Value bought and sold.
    pub turnover: Money,
    /// Number of fills.
    pub fills: u64,
}

/// An account's sums in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTotal {
    /// The account.
    pub account: AccountId,
    /// The currency.
    pub currency: Text<4>,
    /// Cash at the start.
    pub initial_cash: Money,
    /// Cash now.
    pub cash: Money,
    /// Sum of the rows.
    pub realised: Money,
    /// Sum of the rows.
    pub unrealised: Money,
    /// Sum of the rows.
    pub fees: Money,
    /// `initial cash + realised + unrealised - fees`.
    pub equity: Money,
    /// Sum of the rows.
    pub turnover: Money,
    /// Sum of the rows.
    pub fills: u64,
    /// Value of all positions, shorts counted as longs.
    pub gross_exposure: Money,
    /// Value of longs less shorts.
    pub net_exposure: Money,
    /// The highest gross exposure, after fills and marks.
    pub gross_exposure_max: Money,
    /// The largest fall of equity from its highest so far.
    pub drawdown: Money,
    /// The equity in the base currency; `None` without a rate.
    pub equity_in_base: Option<Money>,
}

impl Portfolio {
    /// All positions that ever had a fill, by account, then symbol, then instrument number.
    pub fn rows(&self) -> Vec<PositionRow> {
        let mut rows: Vec<PositionRow> = self
            .positions
            .iter()
            .map(|(&(instrument, account), holding)| {
                row(account, InstrumentId(instrument), &self.instruments[&instrument], holding)
            })
            .collect();
        rows.sort_by(|a, b| (a.account, &a.symbol).cmp(&(b.account, &b.symbol)));
        rows
    }

    /// Sums by account, then currency.
    pub fn totals(&self) -> Vec<AccountTotal> {
        let mut totals: BTreeMap<(AccountId, [u8; 4]), AccountTotal> = self
            .ledgers
            .iter()
            .map(|(&(account, currency), ledger)| {
                let total = AccountTotal {
                    account,
                    currency: Text(currency),
                    initial_cash: ledger.initial,
                    cash: ledger.cash,
                    realised: Money(0),
                    unrealised: Money(0),
                    fees: Money(0),
                    equity: ledger.initial,
                    turnover: Money(0),
                    fills: 0,
                    gross_exposure: ledger.gross,
                    net_exposure: ledger.net,
                    gross_exposure_max: ledger.gross_max,
                    drawdown: ledger.drawdown,
                    equity_in_base: self.in_base(Text(currency), ledger.initial + ledger.gain),
                };
                ((account, currency), total)
            })
            .collect();
        for row in self.rows() {
            if let Some(total) = totals.get_mut(&(row.account, row.currency.0)) {
                total.realised += row.realised;
                total.unrealised += row.unrealised;
                total.fees += row.fees;
                total.equity += row.equity;
                total.turnover += row.turnover;
                total.fills += row.fills;
            }
        }
        totals.into_values().collect()
    }

    /// The hash of positions, cost, cash and fees by account and symbol.
    ///
    /// One record a row, little-endian: account `u32`, symbol 24 bytes, position `i64`, then cost,
    /// cash and fees as `i128` in 1e-9 of the currency. Instrument numbers stay out.
    pub fn hash(&self) -> u64 {
        let mut hash = RunningHash::default();
        for row in self.rows() {
            let mut record = [0; 84];
            record[..4].copy_from_slice(&row.account.0.to_le_bytes());
            record[4..28].copy_from_slice(&Text::<24>::new(&row.symbol).0);
            record[28..36].copy_from_slice(&row.position.to_le_bytes());
            for (place, money) in record[36..].chunks_mut(16).zip([row.cost, row.cash, row.fees]) {
                place.copy_from_slice(&money.0.to_le_bytes());
            }
            hash.update(&record);
        }
        hash.value()
    }

    /// Profit of what is held at the mark; 0 while unpriced.
    pub fn unrealised(&self, account: AccountId, instrument: InstrumentId) -> Money {
        match (self.instruments.get(&instrument.0), self.position(account, instrument)) {
            (Some(known), Some(position)) => unrealised(known, position),
            _ => Money(0),
        }
    }
}

/// Profit of what is held at the mark.
///
/// A value beyond `i128` counts as 0 here; the audit reports it.
fn unrealised(known: &Known, position: &Position) -> Money {
    let value =
        known.mark.and_then(|mark| known.worth.value(mark.half_price, i128::from(position.qty)));
    value.map_or(Money(0), |value| value - position.cost)
}

fn row(
    account: AccountId,
    instrument: InstrumentId,
    known: &Known,
    holding: &Holding,
) -> PositionRow {
    let position = &holding.position;
    let unrealised = unrealised(known, position);
    let increment = i128::from(known.listing.price_increment);
    PositionRow {
        account,
        instrument,
        symbol: known.listing.symbol.as_str().to_owned(),
        currency: known.listing.currency,
        position: position.qty,
        cost: position.cost,
        cash: position.cash(),
        realised: position.realised,
        unrealised,
        fees: position.fees,
        equity: position.realised + unrealised - position.fees,
        lots_cost: holding.lots.cost(),
        lots_realised: holding.lots.realised,
        lots: holding.lots.iter().len(),
        quality: holding.quality,
        mark: known.mark.map(|mark| Money(mark.half_price * increment / 2)),
        priced: known.mark.is_some() || position.qty == 0,
        volume: position.flows.volume(),
        turnover: position.flows.turnover(),
        fills: position.fills,
    }
}
