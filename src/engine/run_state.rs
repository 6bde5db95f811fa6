//! Everything that the records of a run change: what a snapshot holds.

use super::config::EngineConfig;
use super::exchange::Exchange;
use super::follower::Follower;
use super::gateway::Errands;
use crate::book::{Replica, SAVED_PIECES};
use crate::error::Result;
use crate::event::{Event, Execution, ExecutionKind, Flags, Kind};
use crate::feed::Begin;
use crate::hash::RunningHash;
use crate::journal::snapshot::Snapshot;
use crate::portfolio::Portfolio;
use crate::state::{StateReader, StateWriter};
use crate::strategy::{Trader, TraderCounts};

/// Section of what matching counts itself.
const MATCHING_SECTION: &str = "matching";
/// Section of own orders and strategy.
const TRADER_SECTION: &str = "trader";
/// Section of the matching engine of an order file.
pub(super) const EXCHANGE_SECTION: &str = "exchange";
/// Section of the portfolio.
pub(super) const PORTFOLIO_SECTION: &str = "portfolio";

/// The state of a run, before it is given to the agents.
pub(super) struct RunState {
    pub(super) market: Market,
    pub(super) tally: Tally,
    pub(super) portfolio: Portfolio,
}

/// What follows the market: books, and beside or in place of them what trades there.
pub(super) struct Market {
    pub(super) books: Follower,
    pub(super) trader: Option<Trader>,
    /// For a feed of orders, in place of books and trader.
    pub(super) exchange: Option<Exchange>,
    /// When the trader begins.
    pub(super) begin: Begin,
}

/// Executions, hashed and counted; marks of snapshots are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) hash: RunningHash,
    pub(super) count: u64,
}

impl Tally {
    /// Takes an execution in.
    #[inline]
    pub(super) fn note(&mut self, execution: &Execution) {
        if execution.kind() != Some(ExecutionKind::SnapshotMark) {
            self.hash.update(bytemuck::bytes_of(&execution.canonical()));
            self.count += 1;
        }
    }
}

impl RunState {
    /// The state before the first record.
    pub(super) fn new(config: &mut EngineConfig) -> Self {
        let instruments = config.instruments.clone().unwrap_or_default();
        let exchange = config.exchange.map(|rules| Exchange::new(rules).knowing(instruments));
        let market = Market {
            books: Follower::new(config.check_matching),
            trader: config.trader.take(),
            exchange,
            begin: Begin::at(config.from),
        };
        let portfolio = Portfolio::new(std::mem::take(&mut config.portfolio));
        Self { market, tally: Tally::default(), portfolio }
    }

    /// Replaces the state by that of a snapshot of the same run; on an error it stays as it is.
    pub(super) fn load(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut reader = StateReader::new("matching", snapshot.section(MATCHING_SECTION)?);
        let tally = Tally { hash: RunningHash::resume(reader.u64()?), count: reader.u64()? };
        let has_ts = reader.bool()?;
        let ts = Some(reader.u64()?).filter(|_| has_ts);
        let begin = self.market.begin.clone().having_found((ts, reader.bool()?));
        reader.finish()?;
        let pieces = SAVED_PIECES.map(|name| snapshot.section(name).unwrap_or_default());
        let bytes = pieces.concat();
        let mut reader = StateReader::new("books", &bytes);
        let replica = Replica::load(&mut reader)?;
        reader.finish()?;
        let mut reader = StateReader::new("portfolio", snapshot.section(PORTFOLIO_SECTION)?);
        let mut portfolio = self.portfolio.clone();
        portfolio.load(&mut reader)?;
        reader.finish()?;
        let exchange = self.market.exchange.as_ref();
        let exchange = exchange.map(|empty| load_exchange(empty, snapshot)).transpose()?;
        if let Some(trader) = &mut self.market.trader {
            load_trader(trader, snapshot.section(TRADER_SECTION)?)?;
        }
        self.market.books = Follower::following(replica);
        self.market.exchange = exchange;
        self.market.begin = begin;
        (self.tally, self.portfolio) = (tally, portfolio);
        Ok(())
    }
}

/// Loads a trader, which stays as it is on an error.
fn load_trader(trader: &mut Trader, bytes: &[u8]) -> Result<()> {
    let mut before = StateWriter::default();
    trader.save(&mut before);
    let mut reader = StateReader::new("trader", bytes);
    let loaded = trader.load(&mut reader).and_then(|()| reader.finish());
    if loaded.is_err() {
        let before = before.into_bytes();
        trader.load(&mut StateReader::new("trader", &before))?;
    }
    loaded
}

/// The exchange of a snapshot, with the configuration of `empty`.
pub(super) fn load_exchange(empty: &Exchange, snapshot: &Snapshot) -> Result<Exchange> {
    let mut reader = StateReader::new("exchange", snapshot.section(EXCHANGE_SECTION)?);
    let loaded = empty.load(&mut reader)?;
    reader.finish()?;
    Ok(loaded)
}

/// The exchange's section.
pub(super) fn exchange_section(exchange: &Exchange) -> Vec<u8> {
    let mut writer = StateWriter::default();
    exchange.save(&mut writer);
    writer.into_bytes()
}

/// The portfolio's section.
pub(super) fn portfolio_section(portfolio: &Portfolio) -> Vec<u8> {
    let mut writer = StateWriter::default();
    portfolio.save(&mut writer);
    writer.into_bytes()
}

impl Market {
    /// The run starts.
    pub(super) fn start(&mut self, out: &mut Vec<Execution>) -> Result<()> {
        match &mut self.trader {
            Some(trader) if self.begin.has_come() => trader.start(self.books.replica(), out),
            _ => Ok(()),
        }
    }

    /// Applies one event to everything.
    pub(super) fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) -> Result<()> {
        match (&mut self.exchange, &self.trader) {
            (Some(exchange), _) => exchange.apply(event, out),
            (None, Some(_)) => _ = self.trade(event, out)?,
            (None, None) => _ = self.books.apply(event),
        }
        Ok(())
    }

    /// Applies one event to books, own orders and strategies, once they have begun; whether they
    /// sent an order in answer to an exchange event that it completed.
    #[inline]
    pub(super) fn trade(&mut self, event: &Event, out: &mut Vec<Execution>) -> Result<bool> {
        let Self { books, trader: Some(trader), begin, .. } = self else { return Ok(false) };
        match event.kind() {
            Some(Kind::Kill | Kind::Limits) => trader.command(event, books.replica(), out)?,
            Some(Kind::Session | Kind::Report | Kind::ReportMore) => {
                trader.command(event, books.replica(), out)?;
                return Ok(false);
            }
            _ => {}
        }
        if !begin.has_come() {
            if !begin.look(event)? {
                books.apply(event);
                return Ok(false);
            }
            trader.start(books.replica(), out)?;
        }
        trader.before(event, books.replica(), out)?;
        let change = books.apply(event);
        let sent = trader.orders_sent();
        trader.after(event, &change, books.replica(), out)?;
        Ok(trader.orders_sent() != sent && event.has(Flags::LAST))
    }

    /// Takes what strategies sent to a real venue in answer to the event at `sequence`, and notes
    /// its fills among `executions`; as [`Errands::take`].
    pub(super) fn send(
        &mut self,
        sequence: u64,
        event: &Event,
        errands: &mut Errands,
        executions: &[Execution],
    ) -> bool {
        let Self { books, trader: Some(trader), .. } = self else { return false };
        errands.take(sequence, event, trader, books.replica(), executions)
    }

    /// Lets strategy and orders come to their end.
    pub(super) fn end(&mut self, out: &mut Vec<Execution>) -> Result<()> {
        if let Some(trader) = self.trader.as_mut().filter(|_| self.begin.has_come()) {
            trader.end(self.books.replica(), out)?;
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.end(out);
        }
        Ok(())
    }

    /// What own orders, or all orders of an order file, came to so far.
    pub(super) fn trades(&self) -> TraderCounts {
        match (&self.exchange, &self.trader) {
            (Some(exchange), _) => exchange.counts(),
            (None, Some(trader)) => trader.counts(),
            (None, None) => TraderCounts::default(),
        }
    }

    /// The hash of the books.
    pub(super) fn books_hash(&self) -> u64 {
        match &self.exchange {
            Some(exchange) => exchange.books_hash(),
            None => self.books.replica().books_hash(),
        }
    }

    /// Whether everything here can be saved.
    pub(super) fn can_save(&self) -> bool {
        self.trader.as_ref().is_none_or(Trader::can_save)
    }

    /// Saves all but books and exchange: gives `section` the name of each section and what writes
    /// it.
    pub(super) fn save(
        &self,
        tally: Tally,
        mut section: impl FnMut(&'static str, &dyn Fn(&mut StateWriter)),
    ) {
        section(MATCHING_SECTION, &|writer| {
            writer.put_u64(tally.hash.value());
            writer.put_u64(tally.count);
            let (ts, has_come) = self.begin.found();
            writer.put_bool(ts.is_some());
            writer.put_u64(ts.unwrap_or(0));
            writer.put_bool(has_come);
        });
        if let Some(trader) = &self.trader {
            section(TRADER_SECTION, &|writer| trader.save(writer));
        }
    }
}
