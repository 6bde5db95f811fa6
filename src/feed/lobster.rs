//! LOBSTER message files: one row a message, of one instrument.
//!
//! ```text
//!   time,type,order id,size,price,direction
//!   34200.004241176,1,16113575,18,5853300,1
//! ```
//!
//! The time is in seconds after midnight, US Eastern, as a decimal of up to nine places, and is
//! read as an integer of ns; the price is in 1e-4 USD; the direction is the side of the resting
//! order, 1 for a buy and -1 for a sell, so that an execution with -1 was initiated by a buyer.
//! There is no header row. Source: LOBSTER's sample ReadMe (2013-09-01), checked against its AAPL
//! sample.
//!
//! | type | what | record |
//! |---|---|---|
//! | 1 | new order | add |
//! | 2 | part of an order is cancelled | reduce |
//! | 3 | an order is deleted | delete |
//! | 4 | a visible order is executed | execute |
//! | 5 | a hidden order is executed | trade |
//! | 6 | an auction's or cross's trade | cross |
//! | 7 | price -1 halt, 0 quoting resumes, 1 trading resumes | status |
//!
//! Neighbouring executions, visible or hidden, of equal time and direction are one exchange event;
//! every other row is one of its own. The file has no match numbers: a row's number stands for it.
//!
//! A file begins in the middle of a session, so that its first rows may name orders which rested
//! before; books count them as unknown. The symbol comes from the file's name, as LOBSTER names
//! files (`AAPL_2012-06-21_34200000_57600000_message_10.csv`); the date does too, but times stay
//! times of day unless the caller says which midnight they count from.

mod oracle;
mod row;

use std::fmt;
use std::io::Read;
use std::path::Path;

use self::oracle::Oracle;
use self::row::{Row, RowFault};
use super::OpenOptions;
use super::source::Source;
use super::{Checks, Description, Feed, Fill, Position};
use crate::error::{Error, Result};
use crate::event::kinds::{Letter, Raw, Text};
use crate::event::{Event, Flags, Instrument, payload};
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::units::{MatchId, OrderId, Price, Qty};

pub(crate) use row::looks_like_rows;

/// Bytes of the longest row that is read; real ones have some 50.
const ROW_BYTES_MAX: usize = 256;

/// The number of the one instrument.
const INSTRUMENT: u32 = 1;

/// Symbol of an instrument whose file's name does not say it.
const UNNAMED: &str = "LOBSTER";

/// A LOBSTER message file.
///
/// ```
/// use ringtape::event::{Event, EventView};
/// use ringtape::feed::lobster::LobsterFeed;
/// use ringtape::feed::{Feed, Fill, OpenOptions};
///
/// let rows = "34200.004241176,1,16113575,18,5853300,1\n34200.2,4,16113575,18,5853300,1\n";
/// let mut feed =
///     LobsterFeed::from_bytes("AAPL_2012-06-21_message_10.csv", rows, &OpenOptions::default())?;
/// let mut events = [Event::default(); 16];
/// // The instrument is introduced by two records, then both rows follow.
/// assert_eq!(feed.fill(&mut events)?, Fill::Records(4));
/// assert!(matches!(events[0].view(), EventView::Instrument(i) if i.symbol.as_str() == "AAPL"));
/// assert!(matches!(events[2].view(), EventView::Add(_)));
/// assert_eq!(events[2].ts_event, 34_200_004_241_176);
/// assert_eq!(feed.checks().messages, 2);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub struct LobsterFeed {
    source: Source,
    description: Description,
    checks: Checks,
    midnight_ns: u64,
    position: Position,
    symbol: String,
    /// The order book file beside, where there is one.
    oracle: Option<Oracle>,
    /// The fault that comes after the messages delivered before it.
    fault: Option<Error>,
    is_ended: bool,
}

impl fmt::Debug for LobsterFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LobsterFeed")
            .field("description", &self.description)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// What the window shows next.
enum Next {
    /// A row, its bytes with the end of the line, and whether it ends its exchange event.
    Row(Row, usize, bool),
    /// More of the source is needed to tell.
    More,
    End,
    /// A fault at a byte from the window's start.
    Fault(usize, String),
}

impl LobsterFeed {
    /// A feed over a message file in memory, plain or gzip; `origin` names it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFormat`] when the first line is no row of a message file.
    pub fn from_bytes(
        origin: &str,
        bytes: impl AsRef<[u8]> + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_bytes(origin, bytes)?, options)
    }

    /// A feed over a stream, plain or gzip; `origin` names it. Reads wait for the stream.
    ///
    /// # Errors
    ///
    /// Those of [`from_bytes`](Self::from_bytes), and I/O.
    pub fn from_reader(
        origin: &str,
        reader: impl Read + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self> {
        Self::from_source(Source::from_reader(origin, Box::new(reader))?, options)
    }

    pub(super) fn from_source(source: Source, options: &OpenOptions) -> Result<Self> {
        if !looks_like_rows(source.head()) {
            return Err(Error::UnknownFormat {
                origin: source.origin().to_owned(),
                what: "the first line is not six numbers".to_owned(),
                cure: "give a LOBSTER message file: time,type,id,size,price,direction".to_owned(),
            });
        }
        let mut description = source.describe("lobster");
        description.midnight_ns = options.midnight_ns;
        let (symbol, assumed) = match symbol_of(source.origin()) {
            Some(symbol) => (symbol, "the symbol is that of the file's name"),
            None => (
                UNNAMED.to_owned(),
                "the file's name has no symbol, so LOBSTER stands for it: name the file \
                 SYMBOL_DATE_..., as LOBSTER does",
            ),
        };
        description.assumptions.push(assumed.to_owned());
        Ok(Self {
            source,
            description,
            checks: Checks::default(),
            midnight_ns: options.midnight_ns,
            position: Position::default(),
            symbol,
            oracle: None,
            fault: None,
            is_ended: false,
        })
    }

    /// The same with the order book file that lies beside it, for a check of every step.
    pub(super) fn beside(self, books: Source) -> Self {
        Self { oracle: Some(Oracle::new(books)), ..self }
    }

    /// Reads the next row, and as much of the one after it as says whether it goes on.
    fn next(&self) -> Next {
        let window = self.source.window();
        let bytes = &window.bytes[..window.limit];
        let Some((line, after)) = line(bytes, window.is_ended) else {
            return match window.is_ended {
                true => Next::End,
                false if bytes.len() > ROW_BYTES_MAX => Next::Fault(0, overlong()),
                false => Next::More,
            };
        };
        if line.len() > ROW_BYTES_MAX {
            return Next::Fault(0, overlong());
        }
        let row = match Row::parse(line) {
            Ok(row) => row,
            Err(RowFault { at, what }) => return Next::Fault(at, what),
        };
        if !row.is_execution() {
            return Next::Row(row, after, true);
        }
        let rest = &bytes[after..];
        match self::line(rest, window.is_ended) {
            // A row that cannot be read is told when it is its turn.
            Some((line, _)) => {
                let is_last = !Row::parse(line).is_ok_and(|next| next.continues(&row));
                Next::Row(row, after, is_last)
            }
            None if window.is_ended || rest.len() > ROW_BYTES_MAX => Next::Row(row, after, true),
            None => Next::More,
        }
    }

    /// Writes a row's records and takes note of it; how many they were.
    fn take(&mut self, row: &Row, bytes: usize, is_last: bool, out: &mut [Event]) -> usize {
        let ts_event = self.midnight_ns.wrapping_add(row.time_ns);
        let mut records = 0;
        if self.checks.messages == 0 {
            let terms = Instrument { assumed: true, ..Instrument::us_equity(&self.symbol) };
            let (named, terms) = terms.payloads();
            out[0] = Event::new(ts_event, INSTRUMENT, named).with_flags(Flags::CONTINUED);
            out[1] = Event::new(ts_event, INSTRUMENT, terms).with_flags(Flags::CONTINUED);
            records = 2;
        }
        let mut event = self.event(row, ts_event);
        event.flags |= u16::from(is_last) * Flags::LAST;
        out[records] = event;

        self.checks.offset = Some(self.source.offset());
        if let Some(oracle) = &mut self.oracle {
            oracle.step(row, ts_event, &mut self.checks);
        }
        let checks = &mut self.checks;
        if checks.last_ts.is_some_and(|last| ts_event < last) {
            checks.backwards.note_at(checks.messages, ts_event, checks.offset);
        }
        checks.first_ts.get_or_insert(ts_event);
        checks.last_ts = Some(ts_event);
        checks.by_type[usize::from(row.letter)] += 1;
        checks.messages += 1;
        self.source.consume(bytes);
        checks.bytes = self.source.offset();
        self.position = Position {
            byte_offset: self.source.offset(),
            message: self.checks.messages,
            stored_bytes: self.source.stored_offset(),
        };
        records + 1
    }

    fn event(&self, row: &Row, ts_event: u64) -> Event {
        let (order_id, price, qty) = (OrderId(row.order_id), Price(row.price), Qty(row.size));
        let match_id = MatchId(self.checks.messages);
        let sided = |event: Event| event.with_side(row.side);
        let printed = Flags::PRINTABLE;
        match row.letter {
            b'1' => sided(Event::new(
                ts_event,
                INSTRUMENT,
                payload::Add { order_id, price, qty, attribution: Text([0; 4]), pad: 0 },
            )),
            b'2' => {
                Event::new(ts_event, INSTRUMENT, payload::Reduce { order_id, pad: 0, qty, pad2: 0 })
            }
            b'3' => {
                Event::new(ts_event, INSTRUMENT, payload::Delete { order_id, pad: Raw([0; 24]) })
            }
            b'4' => Event::new(
                ts_event,
                INSTRUMENT,
                payload::Execute { order_id, pad: 0, qty, match_id },
            )
            .with_flags(printed),
            b'5' => sided(Event::new(
                ts_event,
                INSTRUMENT,
                payload::Trade { order_id, price, qty, match_id },
            ))
            .with_flags(printed),
            b'6' => Event::new(
                ts_event,
                INSTRUMENT,
                payload::Cross { cross_type: Letter(0), pad: Raw([0; 7]), price, qty, match_id },
            )
            .with_flags(if row.size == 0 { 0 } else { printed }),
            _ => Event::new(
                ts_event,
                INSTRUMENT,
                payload::Status {
                    state: Letter(match row.price {
                        -1 => b'H',
                        0 => b'Q',
                        _ => b'T',
                    }),
                    market: Letter(0),
                    reserved: Letter(0),
                    pad: 0,
                    reason: Text([0; 4]),
                    pad2: Raw([0; 24]),
                },
            ),
        }
    }

    fn bad_feed(&self, at: usize, what: &str) -> Error {
        Error::BadFeed {
            origin: self.source.origin().to_owned(),
            offset: self.source.offset() + at as u64,
            message: self.checks.messages,
            what: format!("line {}: {what}", self.checks.messages + 1),
            cure: "every row before it was read; get the file again, or mend the line".to_owned(),
        }
    }
}

impl Feed for LobsterFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let full = out.len().checked_sub(MESSAGE_RECORDS_MAX - 1).expect("room for one message");
        let mut records = 0;
        while records < full && !self.is_ended {
            match self.next() {
                Next::Row(row, bytes, is_last) => {
                    records += self.take(&row, bytes, is_last, &mut out[records..]);
                }
                Next::More => self.source.refill(),
                Next::End => {
                    self.is_ended = true;
                    self.fault = self.source.take_failure(self.checks.messages);
                    let summary = self.oracle.take().map(|oracle| oracle.summary(&self.checks));
                    self.description.assumptions.extend(summary);
                }
                Next::Fault(at, what) => {
                    self.is_ended = true;
                    let failure = self.source.take_failure(self.checks.messages);
                    self.fault = failure.or_else(|| Some(self.bad_feed(at, &what)));
                }
            }
        }
        match self.fault.take_if(|_| records == 0) {
            Some(fault) => Err(fault),
            None if records == 0 => Ok(Fill::End),
            None => Ok(Fill::Records(records)),
        }
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }
}

/// The first line without its end, and where the next one starts; `None` while its end is not
/// there. The last line of a file may have no end.
fn line(bytes: &[u8], is_ended: bool) -> Option<(&[u8], usize)> {
    match bytes.iter().take(ROW_BYTES_MAX + 2).position(|&byte| byte == b'\n') {
        Some(end) => Some((bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]), end + 1)),
        None if is_ended && !bytes.is_empty() => Some((bytes, bytes.len())),
        None => None,
    }
}

fn overlong() -> String {
    format!("the line has no end within {ROW_BYTES_MAX} bytes")
}

/// The symbol in a file's name: the letters before the first underscore.
fn symbol_of(origin: &str) -> Option<String> {
    let name = Path::new(origin).file_name()?.to_str()?;
    let (symbol, _) = name.split_once('_')?;
    let is_symbol = (1..=8).contains(&symbol.len())
        && symbol.bytes().all(|byte| byte.is_ascii_uppercase() || b".-+=".contains(&byte));
    is_symbol.then(|| symbol.to_owned())
}
