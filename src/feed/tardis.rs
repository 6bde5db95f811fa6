//! Tardis `incremental_book_L2` files: CSV with a header row, one price level a row.
//!
//! ```text
//!   exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
//!   binance,BTCUSDT,1723161255208000,1723161255310000,false,bid,61837.63,3.78826
//! ```
//!
//! Times are in us since the Unix epoch; an amount is what rests at the price from then on, 0
//! removes the level. Neighbouring rows of one symbol with equal times are one message of the venue
//! and so one exchange event. Where snapshot rows begin after others, the book is cleared first.
//!
//! Prices and amounts are read exactly, in 1e-9 and 1e-8: the file does not say the venue's tick.
//! Source: Tardis' documentation of downloadable CSV files.

use super::Checks;
use super::lines::{LineFault, LineFeed, LineParser, Staged, feed_of_lines};
use super::source::Source;
use crate::error::{Error, Result};
use crate::event::decimal::scaled;
use crate::event::kinds::{Raw, Text};
use crate::event::{Event, Flags, Instrument, InstrumentTable, payload};
use crate::units::{InstrumentId, Price, Qty, Side};

/// The first line of every file.
const HEADER: &[u8] = b"exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";

/// Columns of a row.
const COLUMNS: usize = 8;

/// Decimal places of prices and of amounts.
const PRICE_PLACES: u32 = 9;
const AMOUNT_PLACES: u32 = 8;

const ASSUMED: &str = "prices are in steps of 0.000000001 and amounts of 0.00000001, because the \
                       file does not say the venue's: tick and lot are finer than the venue's";

feed_of_lines! {
    /// A Tardis `incremental_book_L2` file.
    ///
    /// ```
    /// use ringtape::event::{Event, EventView};
    /// use ringtape::feed::tardis::TardisFeed;
    /// use ringtape::feed::{Feed, Fill};
    ///
    /// let rows = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
    ///             binance,BTCUSDT,1723161255208000,1723161255310000,true,bid,61837.63,3.78826\n";
    /// let mut feed = TardisFeed::from_bytes("book.csv", rows)?;
    /// let mut events = [Event::default(); 16];
    /// // The instrument's two records and a clear; then the level, once it must be the last.
    /// assert_eq!(feed.fill(&mut events)?, Fill::Records(3));
    /// assert_eq!(feed.fill(&mut events)?, Fill::Records(1));
    /// let EventView::LevelSet(level) = events[0].view() else { panic!("a level") };
    /// assert_eq!(level.qty.0, 378_826_000);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    TardisFeed, Parser
}

/// Whether a source that starts with `head` is such a file.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or(head);
    line.trim_ascii_end() == HEADER
}

impl TardisFeed {
    pub(super) fn from_source(source: Source) -> Result<Self> {
        if !looks_like(source.head()) {
            return Err(Error::UnknownFormat {
                origin: source.origin().to_owned(),
                what: "the first line is not the header of an incremental_book_L2 file".to_owned(),
                cure: "give a file as Tardis writes it, header row included".to_owned(),
            });
        }
        let feed = LineFeed::of_levels(source, "tardis", Parser::default());
        Ok(Self(feed.assuming(ASSUMED)))
    }
}

/// Follows the rows of a file.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// By instrument, from 1.
    symbols: Vec<Symbol>,
    is_past_header: bool,
    /// The row before: it is the last of its message only if the next one is of another.
    pending: Option<(Event, Key)>,
}

#[derive(Debug)]
struct Symbol {
    name: Vec<u8>,
    is_in_snapshot: bool,
}

/// What rows of one message have in common: instrument, exchange's and local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(u32, u64, u64);

impl LineParser for Parser {
    fn line(
        &mut self,
        line: &[u8],
        staged: &mut Staged,
        checks: &mut Checks,
    ) -> Result<(), LineFault> {
        if !std::mem::replace(&mut self.is_past_header, true) {
            return Ok(());
        }
        let row = Row::split(line)?;
        let us = |column: usize| {
            let time = scaled(row.text(column), 0).and_then(|us| us.checked_mul(1_000));
            time.ok_or_else(|| row.fault(column, "no time in us"))
        };
        let (ts, local_ts) = (us(2)?, us(3)?);
        let is_snapshot = match row.text(4) {
            b"true" => true,
            b"false" => false,
            _ => return Err(row.fault(4, "neither true nor false")),
        };
        let side = match row.text(5) {
            b"bid" => Side::Buy,
            b"ask" => Side::Sell,
            _ => return Err(row.fault(5, "neither bid nor ask")),
        };
        let price = scaled(row.text(6), PRICE_PLACES).and_then(|price| i64::try_from(price).ok());
        let price = price.ok_or_else(|| row.fault(6, "no price of at most 9 places"))?;
        let qty = scaled(row.text(7), AMOUNT_PLACES);
        let qty = qty.ok_or_else(|| row.fault(7, "no amount of at most 8 places"))?;

        let (id, is_new) = self.find(row.text(1));
        let key = Key(id, ts, local_ts);
        let begins_snapshot = is_snapshot
            && !std::mem::replace(&mut self.symbols[id as usize - 1].is_in_snapshot, is_snapshot);
        self.symbols[id as usize - 1].is_in_snapshot = is_snapshot;
        self.release(Some(key), staged);
        if is_new {
            let instrument = instrument(row.text(0), row.text(1));
            InstrumentTable::events(ts, InstrumentId(id), &instrument)
                .into_iter()
                .for_each(|record| staged.push(record));
        }
        if begins_snapshot {
            let clear = Event::new(ts, id, payload::Clear { pad: Raw([0; 32]) });
            staged.push(clear.with_flags(Flags::SNAPSHOT));
        }
        let level =
            payload::LevelSet { order_count: 0, price: Price(price), qty: Qty(qty), pad: 0 };
        let flags = if is_snapshot { Flags::SNAPSHOT } else { 0 };
        let event = Event::new(ts, id, level).with_side(side).with_flags(flags);
        self.pending = Some((event, key));
        checks.note_time(ts);
        checks.by_type[usize::from(if is_snapshot { b's' } else { b'u' })] += 1;
        Ok(())
    }

    fn end(&mut self, staged: &mut Staged, _: &mut Vec<String>) {
        self.release(None, staged);
    }
}

impl Parser {
    /// Lets the row before go, now that the next one's key is known.
    fn release(&mut self, next: Option<Key>, staged: &mut Staged) {
        if let Some((event, key)) = self.pending.take() {
            let flags = if next == Some(key) { 0 } else { Flags::LAST };
            staged.push(event.with_flags(flags));
        }
    }

    /// The instrument of a symbol, and whether it is new.
    fn find(&mut self, name: &[u8]) -> (u32, bool) {
        let known = self.symbols.iter().position(|symbol| symbol.name == name);
        let index = known.unwrap_or_else(|| {
            self.symbols.push(Symbol { name: name.to_vec(), is_in_snapshot: false });
            self.symbols.len() - 1
        });
        (index as u32 + 1, known.is_none())
    }
}

/// A row, cut at its commas.
struct Row<'a> {
    line: &'a [u8],
    columns: [&'a [u8]; COLUMNS],
}

impl<'a> Row<'a> {
    fn split(line: &'a [u8]) -> Result<Self, LineFault> {
        let mut columns = [&[][..]; COLUMNS];
        let mut count = 0;
        for column in line.split(|&byte| byte == b',') {
            if let Some(slot) = columns.get_mut(count) {
                *slot = column;
            }
            count += 1;
        }
        if count != COLUMNS {
            return Err(LineFault::new(0, format!("{count} columns, not {COLUMNS}")));
        }
        Ok(Self { line, columns })
    }

    fn text(&self, column: usize) -> &'a [u8] {
        self.columns[column]
    }

    fn fault(&self, column: usize, what: &str) -> LineFault {
        let before: usize = self.columns[..column].iter().map(|text| text.len() + 1).sum();
        let name = HEADER.split(|&byte| byte == b',').nth(column).unwrap_or_default();
        let [name, text] = [name, self.text(column)].map(String::from_utf8_lossy);
        debug_assert!(before <= self.line.len());
        LineFault::new(before, format!("the {name} is `{text}`, {what}"))
    }
}

fn instrument(exchange: &[u8], symbol: &[u8]) -> Instrument {
    let [venue, symbol] = [exchange, symbol].map(String::from_utf8_lossy);
    let short: String = venue.chars().filter(char::is_ascii).take(8).collect();
    let symbol: String = symbol.chars().filter(char::is_ascii).take(24).collect();
    Instrument {
        symbol: Text::new(&symbol),
        venue: Text::new(&short),
        currency: Text::new(super::currency_of(&symbol)),
        price_increment: 10_u64.pow(9 - PRICE_PLACES),
        qty_increment: 10_u64.pow(9 - AMOUNT_PLACES),
        round_lot: 1,
        multiplier: 1,
        assumed: true,
    }
}
