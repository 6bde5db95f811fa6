//! What has to be known of a whole order file before its first row: symbols, and which auctions are
//! a session's first and last.

use std::collections::{BTreeMap, HashMap};

use super::columns::{Column, Header};
use super::row::ALL_SYMBOLS;
use super::split::{self, Lines};
use super::value;
use crate::event::{InstrumentOverrides, TradingHours};
use crate::units::InstrumentId;

/// Bits of an auction: it is the session's opening, its closing one.
pub(super) const OPENING: u8 = 1;
pub(super) const CLOSING: u8 = 2;

#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By instrument, from 1.
    symbols: Vec<String>,
    ids: HashMap<String, u32>,
    /// Bits of each auction by line and instrument.
    auctions: BTreeMap<(u64, u32), u8>,
}

/// A row that changes the state of instruments.
struct Turn {
    line: u64,
    ts: u64,
    symbol: String,
    change: Change,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Halt,
    Resume,
    Auction,
    Uncross,
    EndOfDay,
}

impl Change {
    fn of(action: &str) -> Option<Self> {
        Some(match action {
            "halt" => Self::Halt,
            "resume" => Self::Resume,
            "auction" => Self::Auction,
            "uncross" => Self::Uncross,
            "end_of_day" => Self::EndOfDay,
            _ => return None,
        })
    }
}

/// An auction that uncrosses, and its session.
struct Call {
    line: u64,
    /// Rows that ended a day before it uncrosses.
    days: u32,
    /// The close of the hours in which it is called or, between two, of the next; 0 without hours.
    close: u64,
}

impl Call {
    fn of(turn: &Turn, days: u32, hours: Option<TradingHours>) -> Self {
        let close = hours.map_or(0, |hours| hours.close_after(turn.ts));
        Self { line: turn.line, days, close }
    }
}

impl Survey {
    /// Looks at every row; one that cannot be split or has no time is for the reader to find.
    pub(super) fn of(
        header: &Header,
        lines: Lines<'_>,
        midnight_ns: u64,
        instruments: &InstrumentOverrides,
    ) -> Self {
        let mut survey = Self::default();
        let mut turns = Vec::new();
        let mut last_ts = 0_u64;
        for (line, text) in lines {
            let Ok(fields) = split::fields("", line, text) else { break };
            let get = |column: Column| {
                let field = header.position(column).and_then(|index| fields.get(index));
                field.map_or("", |field| field.trim())
            };
            let (action, symbol) = (get(Column::Action), get(Column::Symbol));
            // A nameless symbol is one of its own only where an order is sent to it.
            if symbol != ALL_SYMBOLS && (!symbol.is_empty() || action == "new") {
                survey.note(symbol);
            }
            let ts = match get(Column::Ts) {
                "" => Some(last_ts.saturating_add(1)),
                text => value::time(text, midnight_ns),
            };
            let Some(ts) = ts else { break };
            last_ts = ts;
            if let Some(change) = Change::of(action) {
                turns.push(Turn { line, ts, symbol: symbol.to_owned(), change });
            }
        }
        for id in 1..=survey.symbols.len() as u32 {
            let own = instruments.get(&survey.symbols[id as usize - 1]);
            survey.mark_auctions(id, &turns, own.and_then(|own| own.hours));
        }
        survey
    }

    fn note(&mut self, symbol: &str) {
        if !self.ids.contains_key(symbol) {
            self.symbols.push(symbol.to_owned());
            self.ids.insert(symbol.to_owned(), self.symbols.len() as u32);
        }
    }

    /// Finds the first and last auction of each session of an instrument: those that uncross, since
    /// rows that the instrument's state does not allow are rejected.
    fn mark_auctions(&mut self, id: u32, turns: &[Turn], hours: Option<TradingHours>) {
        let symbol = &self.symbols[id as usize - 1];
        let concerns = |named: &str| named.is_empty() || named == ALL_SYMBOLS || named == symbol;
        let (mut is_halted, mut call, mut days) = (false, None, 0);
        let mut calls = Vec::new();
        for turn in turns.iter().filter(|turn| concerns(&turn.symbol)) {
            match turn.change {
                Change::Halt => is_halted = true,
                Change::Resume => is_halted = false,
                Change::EndOfDay => days += 1,
                Change::Auction if !is_halted && call.is_none() => call = Some(turn),
                Change::Uncross if !is_halted => {
                    calls.extend(call.take().map(|call| Call::of(call, days, hours)));
                }
                Change::Auction | Change::Uncross => {}
            }
        }
        calls.extend(call.map(|call| Call::of(call, days, hours)));
        for session in calls.chunk_by(|a, b| (a.days, a.close) == (b.days, b.close)) {
            let (first, last) = (session[0].line, session[session.len() - 1].line);
            *self.auctions.entry((first, id)).or_default() |= OPENING;
            *self.auctions.entry((last, id)).or_default() |= CLOSING;
        }
    }

    /// The instrument of a symbol of the file.
    pub(super) fn find(&self, symbol: &str) -> Option<u32> {
        self.ids.get(symbol).copied()
    }

    /// All symbols with their instruments, ascending.
    pub(super) fn symbols(&self) -> impl Iterator<Item = (InstrumentId, &str)> {
        (1..).zip(&self.symbols).map(|(id, symbol)| (InstrumentId(id), symbol.as_str()))
    }

    /// What the auction of a line is to an instrument.
    pub(super) fn auction_bits(&self, line: u64, instrument: u32) -> u8 {
        self.auctions.get(&(line, instrument)).copied().unwrap_or(0)
    }
}
