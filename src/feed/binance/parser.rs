//! From messages to events: the sequence of diffs, the snapshot under them, the quotes beside them.

use std::collections::VecDeque;

use super::message::{Depth, Line, Message, PLACES, Snapshot, Ticker, Trade};
use crate::event::kinds::{Raw, Text};
use crate::event::{Event, Flags, Instrument, InstrumentTable, payload};
use crate::feed::lines::{LineFault, LineParser, Staged};
use crate::feed::{Checks, currency_of};
use crate::units::{InstrumentId, MatchId, OrderId};

/// ns in one ms.
const MS: u64 = 1_000_000;

/// Best prices that wait for a diff, at most; with more the oldest are taken for in force.
const TICKERS_MAX: usize = 1 << 16;

/// Diffs that wait for a snapshot, at most; with more the oldest are lost.
const HELD_MAX: usize = 1 << 14;

/// Follows the lines of a recording.
#[derive(Default)]
pub(in crate::feed) struct Parser {
    symbols: Vec<Symbol>,
    /// A snapshot that came before anything that names the symbol.
    early: Option<Snapshot>,
    /// The latest time of the venue.
    ts: u64,
}

/// One symbol's stream.
struct Symbol {
    name: String,
    id: u32,
    state: State,
    /// Best prices beyond the last diff, ascending.
    tickers: VecDeque<Ticker>,
    /// The best prices as of the last diff.
    in_force: Option<Ticker>,
}

enum State {
    /// No snapshot yet: diffs are held, so many were lost.
    Waiting { held: VecDeque<Depth>, lost: u64 },
    /// The book is as of an update.
    Following { last_id: u64, is_first: bool, is_bad: bool },
}

impl LineParser for Parser {
    fn line(
        &mut self,
        line: &[u8],
        staged: &mut Staged,
        checks: &mut Checks,
    ) -> Result<(), LineFault> {
        let Line { local_ns, message } = Line::parse(line)?;
        let (letter, ts) = match &message {
            Message::Snapshot(_) => (b's', None),
            Message::Depth(depth) => (b'd', Some(depth.ts)),
            Message::Ticker(_) => (b'b', None),
            Message::Trade(trade) => (b't', Some(trade.ts)),
            Message::Other => {
                checks.unknown_types.note_at(checks.messages, local_ns, checks.offset);
                return Ok(());
            }
        };
        checks.by_type[usize::from(letter)] += 1;
        if let Some(ts) = ts {
            checks.note_time(ts);
        }
        self.ts = match self.ts {
            0 => ts.unwrap_or(local_ns / MS * MS),
            latest => latest.max(ts.unwrap_or(0)),
        };
        match message {
            Message::Snapshot(snapshot) => self.snapshot(snapshot, staged, checks),
            Message::Depth(depth) => {
                let index = self.meet(&depth.symbol, staged, checks)?;
                self.symbols[index].depth(depth, staged, checks);
                Ok(())
            }
            Message::Ticker(ticker) => {
                let index = self.meet(&ticker.symbol, staged, checks)?;
                self.symbols[index].ticker(ticker);
                Ok(())
            }
            Message::Trade(trade) => {
                let index = self.meet(&trade.symbol, staged, checks)?;
                staged.push(event_of(&trade, self.symbols[index].id));
                Ok(())
            }
            Message::Other => Ok(()),
        }
    }

    fn end(&mut self, _: &mut Staged, assumptions: &mut Vec<String>) {
        for symbol in &self.symbols {
            if let State::Waiting { held, lost } = &symbol.state
                && held.len() as u64 + lost > 0
            {
                assumptions.push(format!(
                    "{} depth diffs of {} were left out because no snapshot came: there is no \
                     book; record the REST snapshot too",
                    held.len() as u64 + lost,
                    symbol.name
                ));
            }
        }
    }
}

impl Parser {
    /// The place of a symbol, which is introduced when it is new.
    fn meet(
        &mut self,
        name: &str,
        staged: &mut Staged,
        checks: &mut Checks,
    ) -> Result<usize, LineFault> {
        if let Some(known) = self.symbols.iter().position(|symbol| symbol.name == name) {
            return Ok(known);
        }
        let id = self.symbols.len() as u32 + 1;
        InstrumentTable::events(self.ts, InstrumentId(id), &instrument(name))
            .into_iter()
            .for_each(|record| staged.push(record));
        self.symbols.push(Symbol {
            name: name.to_owned(),
            id,
            state: State::Waiting { held: VecDeque::new(), lost: 0 },
            tickers: VecDeque::new(),
            in_force: None,
        });
        if let Some(early) = self.early.take() {
            self.snapshot(early, staged, checks)?;
        }
        Ok(self.symbols.len() - 1)
    }

    fn snapshot(
        &mut self,
        snapshot: Snapshot,
        staged: &mut Staged,
        checks: &mut Checks,
    ) -> Result<(), LineFault> {
        match &mut self.symbols[..] {
            [] => {
                self.early = Some(snapshot);
                Ok(())
            }
            [symbol] => {
                symbol.snapshot(&snapshot, self.ts, staged, checks);
                Ok(())
            }
            _ => Err(LineFault::new(
                0,
                "a snapshot does not say its symbol, and the recording has several: record each \
                 in a file of its own",
            )),
        }
    }
}

impl Symbol {
    fn ticker(&mut self, ticker: Ticker) {
        if self.tickers.len() == TICKERS_MAX {
            self.in_force = self.tickers.pop_front();
        }
        if self.tickers.back().is_none_or(|last| last.id < ticker.id) {
            self.tickers.push_back(ticker);
        }
    }

    /// Puts the book where a snapshot says it is, and the held diffs upon it: one first state.
    fn snapshot(&mut self, snapshot: &Snapshot, ts: u64, staged: &mut Staged, checks: &mut Checks) {
        let held = match &mut self.state {
            State::Following { last_id, is_bad: false, .. } if *last_id > snapshot.last_id => {
                return;
            }
            State::Following { .. } => VecDeque::new(),
            State::Waiting { held, .. } => std::mem::take(held),
        };
        let clear = Event::new(ts, self.id, payload::Clear { pad: Raw([0; 32]) });
        staged.push(clear.with_flags(Flags::SNAPSHOT));
        self.state = State::Following { last_id: snapshot.last_id, is_first: true, is_bad: false };
        self.push_levels(ts, &snapshot.levels, Flags::SNAPSHOT, staged);
        for depth in held {
            if self.go_on(&depth, checks) {
                self.push_levels(ts, &depth.levels, Flags::SNAPSHOT | self.doubt(), staged);
            }
        }
        if let Some(last) = staged.last_mut() {
            last.flags |= Flags::LAST;
        }
    }

    fn depth(&mut self, depth: Depth, staged: &mut Staged, checks: &mut Checks) {
        if let State::Waiting { held, lost } = &mut self.state {
            if held.len() == HELD_MAX {
                held.pop_front();
                *lost += 1;
            }
            held.push_back(depth);
            return;
        }
        if !self.go_on(&depth, checks) {
            return;
        }
        self.push_levels(depth.ts, &depth.levels, self.doubt(), staged);
        if !depth.levels.is_empty()
            && let Some(last) = staged.last_mut()
        {
            last.flags |= Flags::LAST;
        }
        while self.tickers.front().is_some_and(|ticker| ticker.id <= depth.last_id) {
            self.in_force = self.tickers.pop_front();
        }
        if let Some(ticker) = &self.in_force {
            let (bid_price, bid_qty) = ticker.bid;
            let (ask_price, ask_qty) = ticker.ask;
            let quote = payload::Quote { bid_price, bid_qty, ask_price, ask_qty };
            staged.push(Event::new(depth.ts, self.id, quote).with_flags(Flags::LAST));
        }
    }

    /// Checks that a diff goes on where the book is; whether it says anything new.
    fn go_on(&mut self, depth: &Depth, checks: &mut Checks) -> bool {
        let State::Following { last_id, is_first, is_bad } = &mut self.state else { return false };
        if depth.last_id <= *last_id {
            return false;
        }
        let follows = match depth.previous_id {
            Some(previous) if !*is_first => previous == *last_id,
            _ => depth.first_id <= *last_id + 1,
        };
        if !follows {
            let missing = depth.first_id.saturating_sub(*last_id + 1).max(1);
            checks.note_missing((checks.messages, depth.ts), missing);
            *is_bad = true;
        }
        (*last_id, *is_first) = (depth.last_id, false);
        true
    }

    /// The flag of records that may be wrong.
    fn doubt(&self) -> u16 {
        match self.state {
            State::Following { is_bad: true, .. } => Flags::MAYBE_BAD,
            _ => 0,
        }
    }

    fn push_levels(
        &self,
        ts: u64,
        levels: &[super::message::Level],
        flags: u16,
        staged: &mut Staged,
    ) {
        for &(side, price, qty) in levels {
            let level = payload::LevelSet { order_count: 0, price, qty, pad: 0 };
            staged.push(Event::new(ts, self.id, level).with_side(side).with_flags(flags));
        }
    }
}

fn event_of(trade: &Trade, id: u32) -> Event {
    let &Trade { ts, price, qty, .. } = trade;
    let trade_payload =
        payload::Trade { order_id: OrderId(0), price, qty, match_id: MatchId(trade.id) };
    Event::new(ts, id, trade_payload)
        .with_side(trade.resting)
        .with_flags(Flags::PRINTABLE | Flags::LAST)
}

fn instrument(name: &str) -> Instrument {
    let symbol: String = name.chars().filter(char::is_ascii).take(24).collect();
    Instrument {
        symbol: Text::new(&symbol),
        venue: Text::new("BINANCE"),
        currency: Text::new(currency_of(&symbol)),
        price_increment: 10_u64.pow(9 - PLACES),
        qty_increment: 10_u64.pow(9 - PLACES),
        round_lot: 1,
        multiplier: 1,
        assumed: true,
    }
}
