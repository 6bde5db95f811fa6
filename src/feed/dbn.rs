//! Databento DBN, schema market by order (`mbo`), versions 1 to 3, by the crate `dbn`.
//!
//! | action | what | record |
//! |---|---|---|
//! | `A` | an order enters | add |
//! | `C` | size is taken off an order | reduce, less what a fill before it in the event took off |
//! | `M` | an order has this price and size now | modify: keeps its place if it only shrinks |
//! | `R` | the book is empty | clear |
//! | `F` | a resting order is filled | execute |
//! | `T` | an aggressor traded | trade, unless fills follow in the event, which say it again |
//! | `N` | nothing | notice |
//!
//! Databento writes a fill twice: `F` names the order and leaves the book, and a `C` or `M` behind
//! it takes the shares off. Here the fill is what takes them off, so that volume, queues and
//! simulated fills are those of an execution, and a cancel says only what is left of it; a modify
//! is absolute. Records that have nothing left to say become notices, one each, so that messages
//! count as in the file.
//!
//! Prices are in 1e-9 of the currency. Flags: the last record of an event ends an exchange event; a
//! snapshot's records are marked, as is what Databento says to doubt. Times are UTC since the
//! epoch; those of a snapshot go back and are no fault. Instruments get dense numbers in order of
//! appearance, their symbols come from the metadata's mappings.

mod reader;

use std::collections::HashMap;
use std::fmt;

use dbn::decode::{DbnDecoder, DbnMetadata};
use dbn::{FlagSet, MboMsg, Metadata, Record, Schema, SymbolMappingMsg, VersionUpgradePolicy};

use self::reader::SourceReader;
use super::source::Source;
use super::{Checks, Description, Feed, Fill, Position, Zone};
use crate::error::{Error, Result};
use crate::event::kinds::{Letter, Raw, Text};
use crate::event::{Event, Flags, Instrument, payload};
use crate::limits::{DBN_METADATA_BYTES_MAX, MESSAGE_RECORDS_MAX};
use crate::units::{MatchId, OrderId, Price, Qty, Side};

/// First bytes of a file.
const MAGIC: &[u8] = b"DBN";

/// Bytes before the metadata: magic, version, length.
const PRELUDE_BYTES: usize = 8;

/// Prices are in this many parts of 1e-9 of the currency.
const PRICE_INCREMENT: u64 = 1;

/// Whether a source that starts with `head` is of this format.
pub(super) fn is_dbn(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// A market-by-order record.
#[derive(Clone, Copy)]
struct Row {
    instrument_id: u32,
    publisher_id: u16,
    ts_event: u64,
    order_id: u64,
    price: i64,
    size: u32,
    flags: FlagSet,
    action: u8,
    side: u8,
    sequence: u32,
}

impl Row {
    fn of(message: &MboMsg) -> Self {
        Self {
            instrument_id: message.hd.instrument_id,
            publisher_id: message.hd.publisher_id,
            ts_event: message.hd.ts_event,
            order_id: message.order_id,
            price: message.price,
            size: message.size,
            flags: message.flags,
            action: message.action as u8,
            side: message.side as u8,
            sequence: message.sequence,
        }
    }

    fn side(&self) -> Option<Side> {
        match self.side {
            b'B' => Some(Side::Buy),
            b'A' => Some(Side::Sell),
            _ => None,
        }
    }
}

/// What the decoder gave.
enum Next {
    /// A record and its bytes.
    Row(Row, u64),
    /// A record of another schema, its type and bytes.
    Other(u8, u64),
}

/// A recording of market-by-order data.
pub struct DbnFeed {
    decoder: DbnDecoder<SourceReader>,
    description: Description,
    checks: Checks,
    position: Position,
    symbols: HashMap<u32, String>,
    /// Numbers of instruments here, by the venue's.
    instruments: HashMap<u32, u32>,
    /// What fills of the event in hand took off, by order.
    filled: HashMap<u64, u64>,
    /// The record after the one in hand.
    ahead: Option<Next>,
    /// Bytes of the one in hand while the one after it is decoded.
    in_hand: Option<u64>,
    publisher: Option<u16>,
    fault: Option<Error>,
    is_ended: bool,
}

impl fmt::Debug for DbnFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbnFeed")
            .field("description", &self.description)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl DbnFeed {
    /// A feed over a recording in memory, plain or compressed; `origin` names it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFormat`] when it is of another format, version or schema.
    pub fn from_bytes(origin: &str, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<Self> {
        Self::from_source(Source::from_bytes(origin, bytes)?)
    }

    pub(super) fn from_source(source: Source) -> Result<Self> {
        let mut description = source.describe("dbn-mbo");
        description.zone = Zone::Utc;
        description.is_dated = true;
        let origin = description.origin.clone();
        let refuse = |what: String, cure: &str| Error::UnknownFormat {
            origin: origin.clone(),
            what,
            cure: cure.to_owned(),
        };
        let metadata_bytes = match source.head().get(4..PRELUDE_BYTES) {
            Some(&[a, b, c, d]) => u64::from(u32::from_le_bytes([a, b, c, d])),
            _ => 0,
        };
        // The crate allocates as much as the file says.
        if metadata_bytes > DBN_METADATA_BYTES_MAX {
            return Err(refuse(
                format!("its metadata is said to have {metadata_bytes} bytes, which cannot be"),
                "give the file as Databento made it",
            ));
        }
        let version = source.head().get(3).copied().unwrap_or(0);
        let policy = VersionUpgradePolicy::AsIs;
        let reader = SourceReader::new(source, PRELUDE_BYTES as u64 + metadata_bytes);
        let decoder = DbnDecoder::with_upgrade_policy(reader, policy);
        let decoder = decoder.map_err(|error| {
            let what =
                format!("this is Databento data of version {version}, not readable: {error}");
            refuse(what, "give market-by-order data of DBN version 1, 2 or 3, whole")
        })?;
        let metadata = decoder.metadata();
        if let Some(schema) = metadata.schema.filter(|schema| *schema != Schema::Mbo) {
            return Err(refuse(
                format!("this is Databento data of schema `{schema}`, not market by order"),
                "ask Databento for schema `mbo`",
            ));
        }
        let symbols = symbols(metadata);
        if symbols.is_empty() {
            description.assumptions.push(
                "the file names no symbols, so instruments are called by the venue's numbers"
                    .to_owned(),
            );
        }
        let checks = Checks { bytes: PRELUDE_BYTES as u64 + metadata_bytes, ..Checks::default() };
        Ok(Self {
            decoder,
            description,
            position: Position { byte_offset: checks.bytes, ..Position::default() },
            checks,
            symbols,
            instruments: HashMap::new(),
            filled: HashMap::new(),
            ahead: None,
            in_hand: None,
            publisher: None,
            fault: None,
            is_ended: false,
        })
    }

    /// Decodes the next record.
    fn pull(&mut self) -> Result<Option<Next>> {
        match self.decoder.decode_ref() {
            Ok(Some(record)) => {
                let bytes = record.record_size() as u64;
                // The crate panics on a record that is shorter than its type.
                let holds = |size: usize| record.record_size() >= size;
                if record.has::<MboMsg>() && !holds(size_of::<MboMsg>()) {
                    return Err(self.bad(format!("a record has {bytes} bytes, too few for it")));
                }
                if let Some(message) = record.get::<MboMsg>() {
                    return Ok(Some(Next::Row(Row::of(message), bytes)));
                }
                if holds(size_of::<SymbolMappingMsg>())
                    && let Some(mapping) = record.get::<SymbolMappingMsg>()
                    && let Ok(symbol) = mapping.stype_out_symbol()
                {
                    let id = mapping.hd.instrument_id;
                    self.symbols.entry(id).or_insert_with(|| symbol.to_owned());
                }
                Ok(Some(Next::Other(record.header().rtype, bytes)))
            }
            Ok(None) => Ok(None),
            Err(dbn::Error::Io { source, .. }) => Err(match source.downcast::<Error>() {
                Ok(told) => told.at_message(self.place().message),
                Err(source) => Error::io("read", &self.description.origin, source),
            }),
            Err(error) => Err(self.bad(error.to_string())),
        }
    }

    /// Where the record is that is being decoded.
    fn place(&self) -> Position {
        let &Position { byte_offset, message, stored_bytes } = &self.position;
        Position {
            byte_offset: byte_offset + self.in_hand.unwrap_or(0),
            message: message + u64::from(self.in_hand.is_some()),
            stored_bytes,
        }
    }

    fn bad(&self, what: String) -> Error {
        let Position { byte_offset: offset, message, .. } = self.place();
        Error::BadFeed {
            origin: self.description.origin.clone(),
            offset,
            message,
            what,
            cure: "every record before it was read; get the file again, it is damaged here"
                .to_owned(),
        }
    }

    /// Ends the feed; says so when bytes are left that are no whole record.
    fn end(&mut self) {
        self.is_ended = true;
        let read = self.decoder.get_ref().source.offset();
        let left = read.saturating_sub(self.position.byte_offset);
        if left > 0 && self.fault.is_none() {
            self.fault = Some(Error::BadFeed {
                origin: self.description.origin.clone(),
                offset: self.position.byte_offset,
                message: self.checks.messages,
                what: format!("the file ends inside a record, of which it has {left} bytes"),
                cure: "every record before it was read; get the file again if it should be longer"
                    .to_owned(),
            });
        }
    }

    /// The record in hand; the one behind it is decoded already.
    fn advance(&mut self) -> Option<Next> {
        let next = self.ahead.take().or_else(|| self.pull_or_end());
        if let Some(Next::Row(_, bytes) | Next::Other(_, bytes)) = next
            && !self.is_ended
        {
            self.in_hand = Some(bytes);
            self.ahead = self.pull_or_end();
            self.in_hand = None;
        }
        next
    }

    fn pull_or_end(&mut self) -> Option<Next> {
        if self.fault.is_some() || self.is_ended {
            return None;
        }
        self.pull().unwrap_or_else(|error| {
            self.fault = Some(error);
            None
        })
    }

    /// Whether fills of the same event follow the trade `row`.
    fn is_followed_by_fill(&self, row: &Row) -> bool {
        matches!(&self.ahead, Some(Next::Row(next, _))
            if next.action == b'F' && next.instrument_id == row.instrument_id
                && next.ts_event == row.ts_event)
    }

    /// The number of a record's instrument here; introduces it with two records when it is new.
    fn instrument(&mut self, row: &Row, out: &mut [Event]) -> (u32, usize) {
        if let Some(&number) = self.instruments.get(&row.instrument_id) {
            return (number, 0);
        }
        let number = self.instruments.len() as u32 + 1;
        self.instruments.insert(row.instrument_id, number);
        let symbol = match self.symbols.get(&row.instrument_id) {
            Some(symbol) => symbol.clone(),
            None => row.instrument_id.to_string(),
        };
        let terms = Instrument {
            price_increment: PRICE_INCREMENT,
            assumed: true,
            ..Instrument::us_equity(&symbol)
        };
        let (named, terms) = terms.payloads();
        out[0] = Event::new(row.ts_event, number, named).with_flags(Flags::CONTINUED);
        out[1] = Event::new(row.ts_event, number, terms).with_flags(Flags::CONTINUED);
        (number, 2)
    }

    /// Writes a record's events and takes note of it; how many they are.
    fn take(&mut self, row: &Row, out: &mut [Event]) -> Result<usize> {
        let (number, introduced) = self.instrument(row, out);
        let mut event = self.event(row, number)?;
        event.flags |= [
            (row.flags.is_last(), Flags::LAST),
            (row.flags.is_snapshot(), Flags::SNAPSHOT),
            (row.flags.is_maybe_bad_book(), Flags::MAYBE_BAD),
        ]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .fold(0, |flags, (_, flag)| flags | flag);
        out[introduced] = event;
        if row.flags.is_last() {
            self.filled.clear();
        }
        let checks = &mut self.checks;
        let is_snapshot = row.flags.is_snapshot();
        if !is_snapshot && checks.last_ts.is_some_and(|last| row.ts_event < last) {
            checks.backwards.note_at(checks.messages, row.ts_event, Some(checks.bytes));
        }
        if checks.messages == 0 {
            checks.has_start = is_snapshot || row.action == b'R';
        }
        checks.first_ts.get_or_insert(row.ts_event);
        if !is_snapshot || checks.last_ts.is_none() {
            checks.last_ts = Some(row.ts_event);
        }
        checks.by_type[usize::from(row.action)] += 1;
        if self.publisher.is_some_and(|known| known != row.publisher_id) {
            let note = "records of several venues are in one file, and order numbers may be the \
                        same on two: ask for one dataset at a time";
            if !self.description.assumptions.iter().any(|known| known == note) {
                self.description.assumptions.push(note.to_owned());
            }
        }
        self.publisher = Some(row.publisher_id);
        Ok(introduced + 1)
    }

    /// The event of a record.
    fn event(&mut self, row: &Row, number: u32) -> Result<Event> {
        let (order_id, price) = (OrderId(row.order_id), Price(row.price));
        let qty = Qty(u64::from(row.size));
        let match_id = MatchId(u64::from(row.sequence));
        let ts = row.ts_event;
        let sided = |event: Event| match row.side() {
            Some(side) => Ok(event.with_side(side)),
            None => Err(format!("an order of action `{}` has no side", char::from(row.action))),
        };
        let outcome = match row.action {
            b'A' => sided(Event::new(
                ts,
                number,
                payload::Add { order_id, price, qty, attribution: Text([0; 4]), pad: 0 },
            )),
            b'M' => Ok(Event::new(ts, number, payload::Modify { order_id, price, qty, pad: 0 })),
            b'C' => {
                let taken = self.filled.remove(&row.order_id).unwrap_or(0);
                Ok(match qty.0.saturating_sub(taken) {
                    0 => notice(row, number),
                    left => {
                        let qty = Qty(left);
                        Event::new(ts, number, payload::Reduce { order_id, pad: 0, qty, pad2: 0 })
                    }
                })
            }
            b'R' => Ok(Event::new(ts, number, payload::Clear { pad: Raw([0; 32]) })),
            b'F' => {
                *self.filled.entry(row.order_id).or_default() += qty.0;
                let fill = payload::Execute { order_id, pad: 0, qty, match_id };
                Ok(Event::new(ts, number, fill).with_flags(Flags::PRINTABLE))
            }
            b'T' if self.is_followed_by_fill(row) => Ok(notice(row, number)),
            b'T' => {
                let trade = payload::Trade { order_id: OrderId(0), price, qty, match_id };
                let event = Event::new(ts, number, trade).with_flags(Flags::PRINTABLE);
                Ok(row.side().map_or(event, |side| event.with_side(side)))
            }
            b'N' => Ok(notice(row, number)),
            other => Err(format!("a record has the unknown action `{}`", other.escape_ascii())),
        };
        outcome.map_err(|what| self.bad(what))
    }
}

impl Feed for DbnFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        let full = out.len().checked_sub(MESSAGE_RECORDS_MAX - 1).expect("room for one message");
        let mut records = 0;
        while records < full {
            let Some(next) = self.advance() else { break };
            let bytes = match next {
                Next::Row(row, bytes) => match self.take(&row, &mut out[records..]) {
                    Ok(written) => {
                        records += written;
                        bytes
                    }
                    Err(error) => {
                        self.fault = Some(error);
                        self.is_ended = true;
                        break;
                    }
                },
                Next::Other(kind, bytes) => {
                    let ts = self.checks.last_ts.unwrap_or(0);
                    let checks = &mut self.checks;
                    checks.unknown_types.note_at(checks.messages, ts, Some(checks.bytes));
                    out[records] = other_notice(kind, ts);
                    records += 1;
                    bytes
                }
            };
            self.checks.messages += 1;
            self.checks.bytes += bytes;
            self.checks.inflate_ns = self.decoder.get_ref().source.inflate_ns();
            self.position = Position {
                byte_offset: self.checks.bytes,
                message: self.checks.messages,
                stored_bytes: self.decoder.get_ref().source.stored_offset(),
            };
        }
        if records > 0 {
            return Ok(Fill::Records(records));
        }
        if !self.is_ended {
            self.end();
        }
        self.fault.take().map_or(Ok(Fill::End), Err)
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

/// A record that changes nothing here.
fn notice(row: &Row, number: u32) -> Event {
    let mut body = [0; 28];
    body[..8].copy_from_slice(&row.order_id.to_le_bytes());
    body[8..16].copy_from_slice(&row.price.to_le_bytes());
    body[16..20].copy_from_slice(&row.size.to_le_bytes());
    body[20] = row.side;
    let message_type = Letter(row.action);
    let notice = payload::Notice { message_type, pad: 0, body_bytes: 21, body: Raw(body) };
    Event::new(row.ts_event, number, notice)
}

/// A record of another schema.
fn other_notice(kind: u8, ts_event: u64) -> Event {
    let message_type = Letter(kind);
    let notice = payload::Notice { message_type, pad: 0, body_bytes: 0, body: Raw([0; 28]) };
    Event::new(ts_event, 0, notice).with_flags(Flags::LAST)
}

/// Symbols by the venue's number of the instrument.
fn symbols(metadata: &Metadata) -> HashMap<u32, String> {
    let mut symbols = HashMap::new();
    for mapping in &metadata.mappings {
        for interval in &mapping.intervals {
            if let Ok(id) = interval.symbol.parse() {
                symbols.entry(id).or_insert_with(|| mapping.raw_symbol.clone());
            }
        }
    }
    symbols
}
