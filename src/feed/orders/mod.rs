//! Order files: commands for the matching engine as CSV, readable and writable by people.
//!
//! ```text
//! # A trader's morning.
//! action,order_id,account,symbol,side,type,tif,price,qty,ts
//! new,1,7,ACME,sell,limit,gtc,10.05,300,09:30:00
//! new,2,8,ACME,buy,market,,,100,
//! cancel,1,7,,,,,,,
//! ```
//!
//! The first line that is neither blank nor a comment (`#`) names the columns, in any order; only
//! `action` must be there. What a row leaves empty takes its default:
//!
//! | column | meaning | empty |
//! |---|---|---|
//! | `action` | `new`, `cancel`, `reduce`, `replace`, `mass_cancel`, `halt`, `resume`, `auction`, `uncross`, `time`, `end_of_day` | an error |
//! | `order_id` | number from 1, unique over all accounts and symbols | an error where an order is meant |
//! | `account` | number; of a change, that of the order; of a `mass_cancel`: its criterion | 0; that of the order |
//! | `symbol` | ASCII; of a change, that of the order; of a `mass_cancel` or a phase: `*` for all | the nameless one; that of the order; all |
//! | `side` | `buy`, `sell` | an error for `new` |
//! | `type` | `limit`, `market`, `stop`, `stop_limit`, `trailing`, `trailing_limit` | `limit` |
//! | `tif` | `day`, `gtc`, `gtd`, `ioc`, `fok`, `opg`, `cls`; of an `auction`: `opg`, `cls` | `gtc` |
//! | `price` | limit, or the cap of a type without one | none; unchanged |
//! | `qty` | quantity; of a `reduce` what is taken off, of a `replace` the total with what is filled | an error for `new` and `reduce`; unchanged, where 0 is an error |
//! | `stop_price`, `trail`, `display_qty`, `min_qty` | terms of a `new`; the `stop_price` of a trailing type is its first stop | none |
//! | `flags` | any of `post_only`, `reprice`, `hidden`, `trigger_bidask`, joined by `\|` | none |
//! | `expire_ts` | when a `gtd` order expires, as `ts` | none |
//! | `stp`, `stp_group` | `none`, `newest`, `oldest`, `both`, `decrement`; the group | `none`; the account |
//! | `new_order_id` | of a `replace` | the order keeps its number |
//! | `ref_price` | of an `uncross` | none |
//! | `price_from`, `price_to` | range of a `mass_cancel`; collar of an `uncross` | open |
//! | `ts` | ns, or `HH:MM:SS[.n]` since midnight, UTC; never backwards | 1 ns after the row before |
//!
//! Prices are decimals and must be multiples of the symbol's tick, 0.01 unless
//! [`OpenOptions::instruments`] knows otherwise;
//! they are converted exactly. A fault names line and column, and what is before it has been
//! delivered.
//!
//! A `cancel`, `reduce` or `replace` whose account or symbol is not the order's is rejected as
//! `unknown_order`. Where they are empty the live order of the number is meant, whatever rows of
//! the same number were rejected or have ended. The reader does not know which of them lives: a
//! `replace` with a price, of a number that had several symbols, needs the symbol when the file's
//! symbols differ in their tick.
//!
//! The reader holds the whole text: an auction is the session's opening one when it uncrosses
//! first in it, and the closing one when no other uncrosses after it, so it looks ahead (`survey`)
//! through halts, calls, days that end and the hours of instruments. It takes an uncross with a
//! collar to trade; where one does not and the next auction must know, `tif` says what it is. All
//! instruments are defined before the first row.

mod columns;
mod numbers;
mod row;
mod split;
mod survey;
mod value;

use std::io::Read;
use std::sync::Arc;

use self::columns::{Column, Header};
use self::numbers::Numbers;
use self::row::{Increments, Row};
use self::split::Lines;
use self::survey::Survey;
use super::source::Source;
use super::{Checks, Description, Feed, Fill, OpenOptions, Position, Zone};
use crate::error::{Error, Result};
use crate::event::kinds::Text;
use crate::event::{Event, Instrument, InstrumentOverrides, InstrumentTable};
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::units::InstrumentId;

/// Name of the format in descriptions.
pub const ORDERS_FORMAT: &str = "orders";

/// Price increment of a symbol that nothing is known of: 0.01, in 1e-9.
const UNKNOWN_INCREMENT: u64 = 10_000_000;

/// An order file.
///
/// ```
/// use ringtape::event::{Event, Kind};
/// use ringtape::feed::OpenOptions;
/// use ringtape::feed::orders::OrderFeed;
///
/// let text = "action,order_id,symbol,side,price,qty\nnew,1,ACME,sell,10.05,300\n";
/// let mut feed = OrderFeed::from_bytes("example", text, &OpenOptions::default())?;
/// let mut records = Vec::new();
/// assert_eq!(feed.next_row(&mut records)?, Some(2));
/// let kinds: Vec<_> = records.iter().map(Event::kind).collect();
/// assert_eq!(
///     kinds,
///     [Some(Kind::Instrument), Some(Kind::InstrumentTerms), Some(Kind::NewOrder)]
/// );
/// assert_eq!(feed.next_row(&mut records)?, None);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct OrderFeed {
    text: String,
    header: Header,
    survey: Survey,
    midnight_ns: u64,
    /// What the user knows of symbols.
    instruments: Arc<InstrumentOverrides>,
    increments: Increments,
    /// Where the next line starts, and its number.
    offset: usize,
    line: u64,
    /// Time of the row before.
    last_ts: u64,
    numbers: Numbers,
    is_defined: bool,
    /// Records of the row at hand that are still to be delivered.
    staged: Vec<Event>,
    description: Description,
    checks: Checks,
    is_ended: bool,
}

/// Whether a source that starts with `head` is an order file: its header names an `action`.
pub(crate) fn is_order_file(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let first = Lines::new(&text).next();
    first.is_some_and(|(_, line)| {
        line.split(',').any(|name| name.trim().trim_matches('"') == Column::Action.name())
    })
}

impl OrderFeed {
    /// A feed over a text in memory, plain or gzip; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// A header that cannot be ([`Error::BadOrders`]); a compression that is damaged.
    pub fn from_bytes(
        origin: &str,
        bytes: impl AsRef<[u8]> + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_bytes(origin, bytes)?, options)
    }

    /// A feed over a stream, plain or gzip, which is read to its end; `origin` names it in
    /// messages.
    ///
    /// # Errors
    ///
    /// Those of [`OrderFeed::from_bytes`], and I/O.
    pub fn from_reader(
        origin: &str,
        reader: impl Read + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_reader(origin, Box::new(reader))?, options)
    }

    pub(super) fn from_source(mut source: Source, options: &OpenOptions) -> Result<Self> {
        let mut description = source.describe(ORDERS_FORMAT);
        description.zone = Zone::Utc;
        description.midnight_ns = options.utc_midnight_ns;
        let bytes = source.read_to_end()?;
        let text =
            String::from_utf8(bytes).map_err(|error| not_text(&description.origin, &error))?;
        let (header, offset, line) = Header::read(&description.origin, &text)?;
        let instruments = options.instruments.clone().unwrap_or_default();
        let lines = Lines::at(&text, offset, line);
        let survey = Survey::of(&header, lines, options.utc_midnight_ns, &instruments);
        for (_, symbol) in survey.symbols() {
            let defined = instruments.applied_to(&unknown_instrument(symbol));
            instruments.check(symbol, defined.price_increment)?;
        }
        let terms = |symbol| instruments.applied_to(&unknown_instrument(symbol));
        let increments = survey.symbols().map(|(_, symbol)| terms(symbol).price_increment);
        let increments = Increments(increments.collect());
        let checks = Checks { has_start: true, ..Checks::default() };
        Ok(Self {
            text,
            header,
            survey,
            midnight_ns: options.utc_midnight_ns,
            instruments,
            increments,
            offset,
            line,
            last_ts: 0,
            numbers: Numbers::default(),
            is_defined: false,
            staged: Vec::new(),
            description,
            checks,
            is_ended: false,
        })
    }

    /// Appends the records of the next row to `out` and says which line it is; `None` at the end.
    ///
    /// The definitions of all instruments come before the records of the first row.
    ///
    /// # Errors
    ///
    /// [`Error::BadOrders`] with the row's line and column; after it the feed is at its end.
    pub fn next_row(&mut self, out: &mut Vec<Event>) -> Result<Option<u64>> {
        let start = out.len();
        let line = self.read_row(out);
        self.is_ended |= !matches!(line, Ok(Some(_)));
        self.checks.has_end |= matches!(line, Ok(None));
        for event in &out[start..] {
            self.count(event);
        }
        line
    }

    /// The symbols of the file, by ascending instrument from 1.
    pub fn symbols(&self) -> impl Iterator<Item = (InstrumentId, &str)> {
        self.survey.symbols()
    }

    fn read_row(&mut self, out: &mut Vec<Event>) -> Result<Option<u64>> {
        if self.is_ended {
            return Ok(None);
        }
        let mut lines = Lines::at(&self.text, self.offset, self.line);
        let Some((number, line)) = lines.next() else { return Ok(None) };
        (self.offset, self.line) = lines.position();
        let origin = &self.description.origin;
        let row = Row::split(origin, &self.header, number, line)?;
        let ts = row.ts(self.last_ts, self.midnight_ns)?;
        let mut context = row::Context {
            survey: &self.survey,
            numbers: &mut self.numbers,
            increments: &self.increments,
            midnight_ns: self.midnight_ns,
            ts,
        };
        let records = row.records(&mut context)?;
        self.last_ts = ts;
        if !self.is_defined {
            self.is_defined = true;
            for (id, symbol) in self.survey.symbols() {
                let instrument = self.instruments.applied_to(&unknown_instrument(symbol));
                out.extend(InstrumentTable::events(ts, id, &instrument));
            }
        }
        out.extend(records);
        Ok(Some(number))
    }

    fn count(&mut self, event: &Event) {
        self.checks.by_type[usize::from(event.kind)] += u64::from(!event.is_continued());
        self.checks.messages += u64::from(!event.is_continued());
        self.checks.bytes = self.offset as u64;
        self.checks.first_ts.get_or_insert(event.ts_event);
        self.checks.last_ts = Some(event.ts_event);
    }
}

/// The terms of a symbol that nothing is known of.
fn unknown_instrument(symbol: &str) -> Instrument {
    Instrument {
        venue: Text::new(""),
        price_increment: UNKNOWN_INCREMENT,
        round_lot: 1,
        assumed: true,
        ..Instrument::us_equity(symbol)
    }
}

fn not_text(origin: &str, error: &std::string::FromUtf8Error) -> Error {
    let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = valid.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
    let column = valid.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    Error::BadOrders {
        origin: origin.to_owned(),
        line,
        column: format!("at byte {column}"),
        what: "this is no text in UTF-8".to_owned(),
        cure: "save the file as plain UTF-8 text".to_owned(),
    }
}

impl Feed for OrderFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        debug_assert!(out.len() >= MESSAGE_RECORDS_MAX);
        // A phase of all symbols of a file without any is a row without records.
        while self.staged.is_empty() {
            let mut staged = std::mem::take(&mut self.staged);
            let row = self.next_row(&mut staged);
            self.staged = staged;
            if row?.is_none() {
                return Ok(Fill::End);
            }
        }
        let fits = &self.staged[..self.staged.len().min(out.len())];
        let whole = fits.iter().rposition(|event| !event.is_continued());
        let count = whole.map_or(0, |last| last + 1);
        for (slot, event) in out.iter_mut().zip(self.staged.drain(..count)) {
            *slot = event;
        }
        Ok(Fill::Records(count))
    }

    fn position(&self) -> Position {
        let staged = self.staged.iter().filter(|event| !event.is_continued()).count() as u64;
        Position {
            byte_offset: self.offset as u64,
            message: self.checks.messages - staged,
            stored_bytes: self.offset as u64,
        }
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }
}
