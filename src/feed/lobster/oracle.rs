//! The order book file beside a message file, as a check: row k is the book after message k.
//!
//! Each step is checked alone: the row before, with the message applied, must be the row. Where a
//! level vanished, the one that comes into view at the far end cannot be known, and the others are
//! compared.

use super::row::Row;
use crate::feed::Checks;
use crate::feed::source::Source;
use crate::units::Side;

/// Bytes of the longest row: some 13 for each of the columns of 200 levels.
const ROW_BYTES_MAX: usize = 16 << 10;

/// Price and quantity of each level of a side, best first.
type Levels = Vec<(i64, u64)>;

/// The rows of an order book file, read beside the messages.
pub(super) struct Oracle {
    source: Source,
    line: Vec<u8>,
    rows: u64,
    /// The book after the message before, bids and offers.
    before: Option<[Levels; 2]>,
    /// Levels of a row.
    depth: usize,
    is_over: bool,
    /// Why the rows came to an end before the messages did.
    fault: Option<String>,
}

impl Oracle {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            line: Vec::new(),
            rows: 0,
            before: None,
            depth: 0,
            is_over: false,
            fault: None,
        }
    }

    /// What the user should know of the file, once it is over.
    pub(super) fn summary(&self, checks: &Checks) -> String {
        let origin = self.source.origin();
        let (all, differ) = (checks.states, checks.states_differ.count);
        let told =
            format!("{} of {all} steps agree with the order book file {origin}", all - differ);
        match &self.fault {
            Some(fault) => format!("{told}, which was left at its row {}: {fault}", self.rows),
            None => told,
        }
    }

    /// Checks the step of the next message, which is of a time.
    pub(super) fn step(&mut self, message: &Row, ts: u64, checks: &mut Checks) {
        if self.is_over {
            return;
        }
        let Some(after) = self.read() else {
            self.is_over = true;
            return;
        };
        if let Some(mut book) = self.before.take() {
            apply(&mut book, message);
            let agrees = book.iter_mut().zip(&after).all(|(side, told)| {
                side.truncate(self.depth);
                let known = side.len().min(told.len());
                // Fewer levels than are known means that one is missing.
                side.len() <= told.len() && side[..known] == told[..known]
            });
            checks.states += 1;
            if !agrees {
                checks.states_differ.note_at(checks.messages, ts, checks.offset);
            }
        }
        self.before = Some(after);
    }

    /// The next row; `None` at the end, or where it cannot be read.
    fn read(&mut self) -> Option<[Levels; 2]> {
        self.rows += 1;
        self.source.read_line(&mut self.line, ROW_BYTES_MAX);
        if self.line.is_empty() {
            self.fault = Some("there is a row less than messages".to_owned());
            return None;
        }
        let text = std::str::from_utf8(&self.line).ok()?;
        let numbers: Result<Vec<i64>, _> = text.trim().split(',').map(str::parse).collect();
        let Some(numbers) = numbers.ok().filter(|numbers| numbers.len().is_multiple_of(4)) else {
            self.fault = Some("it is no row of price and size pairs".to_owned());
            return None;
        };
        self.depth = numbers.len() / 4;
        let side = |first: usize| -> Levels {
            let levels = numbers.chunks(4).map(|level| (level[first], level[first + 1]));
            levels.filter(|&(_, size)| size > 0).map(|(price, size)| (price, size as u64)).collect()
        };
        Some([side(2), side(0)])
    }
}

/// Applies a message to the book before it; messages name orders by side and price here.
fn apply(book: &mut [Levels; 2], message: &Row) {
    let levels = &mut book[message.side.index()];
    let is_better = |price: i64| match message.side {
        Side::Buy => price > message.price,
        Side::Sell => price < message.price,
    };
    let place = levels.iter().take_while(|(price, _)| is_better(*price)).count();
    let is_there = levels.get(place).is_some_and(|(price, _)| *price == message.price);
    match message.letter {
        b'1' if is_there => levels[place].1 += message.size,
        b'1' => levels.insert(place, (message.price, message.size)),
        b'2' | b'3' | b'4' if is_there => {
            let left = levels[place].1.saturating_sub(message.size);
            if left == 0 {
                levels.remove(place);
            } else {
                levels[place].1 = left;
            }
        }
        _ => {}
    }
}
