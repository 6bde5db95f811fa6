//! What has to be known of a whole order file before its first row: symbols, and which auctions are
//! a session's first and last.

use std::collections::{BTreeMap, HashMap};

use super::columns::{Column, Header};
use super::row::ALL_SYMBOLS;
use super::split::{self, Lines};
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

/// What a row does to a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Auction,
    EndOfDay,
}

impl Survey {
    /// Looks at every row; one that cannot be split is for the reader to find.
    pub(super) fn of(header: &Header, text: &str, offset: usize, line: u64) -> Self {
        let mut survey = Self::default();
        let mut turns = Vec::new();
        for (number, line) in Lines::at(text, offset, line) {
            let Ok(fields) = split::fields("", number, line) else { break };
            let get = |column: Column| {
                let field = header.position(column).and_then(|index| fields.get(index));
                field.map_or("", |field| field.trim())
            };
            let (action, symbol) = (get(Column::Action), get(Column::Symbol));
            // A nameless symbol is one of its own only where an order is sent to it.
            if symbol != ALL_SYMBOLS && (!symbol.is_empty() || action == "new") {
                survey.note(symbol);
            }
            match action {
                "auction" => turns.push((number, symbol.to_owned(), Turn::Auction)),
                "end_of_day" => turns.push((number, symbol.to_owned(), Turn::EndOfDay)),
                _ => {}
            }
        }
        for id in 1..=survey.symbols.len() as u32 {
            survey.mark_auctions(id, &turns);
        }
        survey
    }

    fn note(&mut self, symbol: &str) {
        if !self.ids.contains_key(symbol) {
            self.symbols.push(symbol.to_owned());
            self.ids.insert(symbol.to_owned(), self.symbols.len() as u32);
        }
    }

    /// Finds the first and last auction of each session of an instrument.
    fn mark_auctions(&mut self, id: u32, turns: &[(u64, String, Turn)]) {
        let symbol = &self.symbols[id as usize - 1];
        let concerns = |named: &str| named.is_empty() || named == ALL_SYMBOLS || named == symbol;
        let mut last = None;
        for (line, _, turn) in turns.iter().filter(|(_, named, _)| concerns(named)) {
            match turn {
                Turn::Auction => {
                    let bits = if last.is_none() { OPENING } else { 0 };
                    self.auctions.insert((*line, id), bits);
                    last = Some(*line);
                }
                Turn::EndOfDay => {
                    if let Some(line) = last.take() {
                        *self.auctions.entry((line, id)).or_default() |= CLOSING;
                    }
                }
            }
        }
        if let Some(line) = last {
            *self.auctions.entry((line, id)).or_default() |= CLOSING;
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
