//! IEX's DEEP 1.0 and TOPS 1.5 and 1.6: price levels and best prices, in captures of IEX-TP.
//!
//! ```text
//!   datagram   header (40 bytes) | length u16 | message | length u16 | message | ...
//!   header     version u8 . protocol u16 channel u32 session u32 bytes u16 count u16
//!              offset i64 first number i64 sent i64                    all little-endian
//!   message    type u8, flags u8, time i64 (ns since the Unix epoch), symbol[8], ...
//! ```
//!
//! | message | record |
//! |---|---|
//! | `8`, `5` a level of the bids, the offers (DEEP) | `level_set`, LAST with the event-complete bit |
//! | `Q` the best prices (TOPS) | `level_set` for each level that goes, comes or changes |
//! | `T` trade, `B` broken trade | `trade`, `broken` |
//! | `H` trading status, `S` system event | `status`, `phase` |
//! | others | `notice` |
//!
//! Messages are numbered in each session: what is missing counts as a gap with its range, and what
//! comes twice, from a second line, is read once; what comes behind a later one is lost. A capture
//! is of the protocol of its first segment; datagrams of others are left out and told. Prices are
//! in 1e-4 USD. Source: IEX's DEEP 1.0, TOPS 1.6 and Transport 1.25 specifications.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::capture::Capture;
use super::lines::Staged;
use super::{Checks, Description, Feed, Fill, Gap, Position, Zone};
use crate::error::{Error, Result};
use crate::event::kinds::{Letter, Raw, Text};
use crate::event::{Event, Flags, Instrument, payload};
use crate::units::{MatchId, OrderId, Price, Qty, Side};

/// Bytes of a datagram's header, and of a length before a message.
const HEADER_BYTES: usize = 40;
const LENGTH_BYTES: usize = 2;

/// Numbers of the protocols: best prices, of versions 1.5 and 1.6, levels, and orders.
const TOPS: [u16; 2] = [0x8002, 0x8003];
const DEEP: u16 = 0x8004;
const DEEP_PLUS: u16 = 0x8005;

/// Version of every header.
const VERSION: u8 = 1;

/// Letters of all messages of these protocols.
const LETTERS: &[u8] = b"SDHIOPE85QTXBA";

/// Bit of a level's flags: the event is complete, and the book consistent.
const EVENT_COMPLETE: u8 = 1;

/// Lengths of the messages that are read, by their letter.
const LENGTHS: [(u8, usize); 7] =
    [(b'8', 30), (b'5', 30), (b'Q', 42), (b'T', 38), (b'B', 38), (b'H', 22), (b'S', 10)];

/// A capture of IEX's feeds.
pub(super) struct IexFeed {
    capture: Capture,
    /// Number of the protocol that is read.
    protocol: u16,
    description: Description,
    checks: Checks,
    position: Position,
    staged: Staged,
    /// Number of the message in hand, or of the next one.
    number: u64,
    /// Datagrams of other protocols, and where the first one is.
    others: u64,
    first_other: u64,
    symbols: HashMap<[u8; 8], u32>,
    /// The best prices as told last, by instrument from 1: bid and offer.
    best: Vec<[(Price, Qty); 2]>,
    /// Session and channel, and the numbers that were there, from the lowest to the one that comes
    /// next.
    known: HashMap<(u32, u32), Range<u64>>,
    /// Gaps behind which no message came yet.
    gaps: Vec<Gap>,
    fault: Option<Error>,
    is_ended: bool,
}

impl fmt::Debug for IexFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IexFeed")
            .field("description", &self.description)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// The fields of a message, whose length is that of its type.
#[derive(Clone, Copy)]
struct Message<'a>(&'a [u8]);

impl Message<'_> {
    fn bytes<const N: usize>(self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("lengths are checked by type")
    }

    fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn price(self, at: usize) -> Price {
        Price(i64::from_le_bytes(self.bytes(at)))
    }

    fn qty(self, at: usize) -> Qty {
        Qty(self.u32(at).into())
    }

    fn ts(self) -> u64 {
        u64::from_le_bytes(self.bytes(2))
    }
}

/// What a datagram's header says.
struct Header {
    stream: (u32, u32),
    count: u64,
    first: u64,
}

impl Header {
    /// Reads a header of a protocol; `None` when the payload has none.
    fn read(payload: &[u8], protocol: u16) -> Option<Self> {
        let header = Message(payload.get(..HEADER_BYTES)?);
        let is_its = header.0[0] == VERSION && u16::from_le_bytes(header.bytes(2)) == protocol;
        is_its.then(|| Self {
            stream: (header.u32(8), header.u32(4)),
            count: u16::from_le_bytes(header.bytes(14)).into(),
            first: u64::from_le_bytes(header.bytes(24)),
        })
    }
}

impl IexFeed {
    /// A feed of the protocol of this number.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFormat`] for one that is not read here.
    pub(super) fn new(capture: Capture, protocol: u16) -> Result<Self> {
        let format = match protocol {
            DEEP => "iex-deep",
            _ if TOPS.contains(&protocol) => "iex-tops",
            _ => {
                let name = if protocol == DEEP_PLUS { " (DEEP+)" } else { "" };
                return Err(Error::UnknownFormat {
                    origin: capture.description().origin.clone(),
                    what: format!(
                        "this is a capture of IEX's protocol {protocol:#06x}{name}, which is not \
                         read here"
                    ),
                    cure: "give a capture of DEEP 1.0, or of TOPS 1.5 or 1.6".to_owned(),
                });
            }
        };
        let description = Description {
            format,
            zone: Zone::Utc,
            is_dated: true,
            is_of_levels: true,
            ..capture.description().clone()
        };
        Ok(Self {
            capture,
            protocol,
            description,
            checks: Checks::default(),
            position: Position::default(),
            staged: Staged::default(),
            number: 0,
            others: 0,
            first_other: 0,
            symbols: HashMap::new(),
            best: Vec::new(),
            known: HashMap::new(),
            gaps: Vec::new(),
            fault: None,
            is_ended: false,
        })
    }

    /// Stages the messages of the next datagram; whether there was one.
    fn stage_datagram(&mut self) -> Result<bool> {
        let Some(datagram) = self.capture.next()? else { return Ok(false) };
        let (payload, offset) = (datagram.payload.to_vec(), datagram.offset);
        self.checks.bytes = offset + payload.len() as u64;
        self.checks.offset = Some(offset);
        let Some(header) = Header::read(&payload, self.protocol) else {
            if self.others == 0 {
                self.first_other = offset;
            }
            self.others += 1;
            return Ok(true);
        };
        let numbers = header.first..header.first.saturating_add(header.count);
        let known = self.known.entry(header.stream).or_insert(numbers.start..numbers.start);
        let (message, byte) = (self.number, Some(offset));
        let mut note = |gap: Range<u64>| {
            if !gap.is_empty() {
                self.gaps.push(Gap { message, from: gap.start, until: gap.end, byte });
            }
        };
        note(known.end..numbers.start);
        // What is below the first number comes too late.
        if !numbers.is_empty() {
            note(numbers.start..known.start);
            known.start = known.start.min(numbers.start);
        }
        let known_count = known.end.saturating_sub(numbers.start);
        known.end = known.end.max(numbers.end);
        let mut rest = &payload[HEADER_BYTES..];
        for number in 0..header.count {
            let message = cut(&mut rest).ok_or_else(|| self.bad_feed(offset))?;
            if number >= known_count {
                self.stage(Message(message), offset)?;
                self.number += 1;
            }
        }
        Ok(true)
    }

    fn bad_feed(&self, offset: u64) -> Error {
        Error::BadFeed {
            origin: self.description.origin.clone(),
            offset,
            message: self.number,
            what: "a message is shorter than its type or the packet says".to_owned(),
            cure: "every message before it was read; get the capture again".to_owned(),
        }
    }

    fn stage(&mut self, message: Message<'_>, offset: u64) -> Result<()> {
        let letter = *message.0.first().ok_or_else(|| self.bad_feed(offset))?;
        let known = LENGTHS.iter().find(|(known, _)| *known == letter);
        let least = known.map_or(10, |(_, bytes)| *bytes);
        if message.0.len() < least {
            return Err(self.bad_feed(offset));
        }
        let ts = message.ts();
        self.checks.by_type[usize::from(letter)] += 1;
        self.note_gaps(Some(ts));
        self.checks.note_time_of(self.number, ts);
        if !LETTERS.contains(&letter) {
            self.checks.unknown_types.note_at(self.number, ts, Some(offset));
        }
        let has_symbol = letter != b'S' && message.0.len() >= 18;
        let id = if has_symbol { self.meet(message.bytes(10), ts) } else { 0 };
        match letter {
            b'8' | b'5' => {
                let side = if letter == b'8' { Side::Buy } else { Side::Sell };
                let is_last = message.0[1] & EVENT_COMPLETE != 0;
                let level = level(message.price(22), message.qty(18));
                let flags = if is_last { Flags::LAST } else { 0 };
                self.staged.push(Event::new(ts, id, level).with_side(side).with_flags(flags));
            }
            b'Q' => self.stage_quote(message, id),
            b'T' => {
                let (order_id, match_id) =
                    (OrderId(0), MatchId(u64::from_le_bytes(message.bytes(30))));
                let (price, qty) = (message.price(22), message.qty(18));
                // The levels that a trade changes come behind it and complete its event.
                let last = if self.protocol == DEEP { 0 } else { Flags::LAST };
                let trade = payload::Trade { order_id, price, qty, match_id };
                self.staged.push(Event::new(ts, id, trade).with_flags(Flags::PRINTABLE | last));
            }
            b'B' => {
                let match_id = MatchId(u64::from_le_bytes(message.bytes(30)));
                let broken = payload::Broken { pad: Raw([0; 24]), match_id };
                self.staged.push(Event::new(ts, id, broken).with_flags(Flags::LAST));
            }
            b'H' => self.staged.push(Event::new(ts, id, status(message)).with_flags(Flags::LAST)),
            b'S' => {
                let code = message.0[1];
                self.checks.has_start |= code == b'O' && self.number == 0;
                self.checks.has_end |= code == b'C';
                self.staged.push(Event::new(ts, 0, phase(code)).with_flags(Flags::LAST));
            }
            _ => self.staged.push(Event::new(ts, id, notice(message)).with_flags(Flags::LAST)),
        }
        Ok(())
    }

    /// The instrument of a symbol, which is introduced before its first message.
    fn meet(&mut self, name: [u8; 8], ts: u64) -> u32 {
        let next = self.symbols.len() as u32 + 1;
        let id = *self.symbols.entry(name).or_insert(next);
        if id == next {
            self.best.push(Default::default());
            let text = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
            let instrument = Instrument {
                venue: Text::new("IEX"),
                assumed: true,
                ..Instrument::us_equity(&text)
            };
            let (named, terms) = instrument.payloads();
            self.staged.push(Event::new(ts, id, named).with_flags(Flags::CONTINUED));
            self.staged.push(Event::new(ts, id, terms).with_flags(Flags::CONTINUED));
        }
        id
    }

    /// Stages the levels that a quote takes away and those that it sets, as one message.
    fn stage_quote(&mut self, message: Message<'_>, id: u32) {
        let told = [(message.price(22), message.qty(18)), (message.price(30), message.qty(38))];
        let before = std::mem::replace(&mut self.best[id as usize - 1], told);
        let set =
            |side, price, qty| Event::new(message.ts(), id, level(price, qty)).with_side(side);
        let mut records = Vec::with_capacity(4);
        for (side, (old, new)) in [Side::Buy, Side::Sell].into_iter().zip(before.iter().zip(told)) {
            if old.1.0 > 0 && (old.0 != new.0 || new.1.0 == 0) {
                records.push(set(side, old.0, Qty(0)));
            }
            if new.1.0 > 0 && *old != new {
                records.push(set(side, new.0, new.1));
            }
        }
        let Some(last) = records.len().checked_sub(1) else {
            // Nothing changed; the message still counts.
            let same = set(Side::Buy, told[0].0, told[0].1).with_flags(Flags::LAST);
            return self.staged.push(same);
        };
        for (index, record) in records.into_iter().enumerate() {
            let flags = if index == last { Flags::LAST } else { Flags::CONTINUED };
            self.staged.push(record.with_flags(flags));
        }
    }

    /// Takes note of the gaps before the message of this time, or before the end.
    fn note_gaps(&mut self, ts: Option<u64>) {
        self.gaps.drain(..).for_each(|gap| self.checks.note_gap(gap, ts));
    }

    /// Says what was passed over.
    fn end(&mut self) {
        let passed = self.capture.passed();
        let notes = &mut self.description.assumptions;
        if let Some(byte) = self.capture.torn_at() {
            notes.push(format!(
                "the capture ends inside a record at byte {byte}, as one does whose program was \
                 killed: what is before it was read"
            ));
        }
        if self.others > 0 {
            notes.push(format!(
                "{} datagrams of other protocols were left out, the first at byte {}: if they are \
                 a feed, give it in a capture of its own",
                self.others, self.first_other
            ));
        }
        if passed.cut > 0 {
            notes.push(format!(
                "{} frames were cut short by the capture and left out: capture whole frames",
                passed.cut
            ));
        }
    }
}

impl Feed for IexFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        while self.staged.is_empty() && !self.is_ended {
            match self.stage_datagram() {
                Ok(true) => continue,
                Ok(false) => self.end(),
                Err(fault) => self.fault = Some(fault),
            }
            self.is_ended = true;
            self.note_gaps(None);
        }
        let (messages, records) = self.staged.deliver(out);
        if records == 0 {
            return self.fault.take().map_or(Ok(Fill::End), Err);
        }
        self.checks.messages += messages;
        self.position = Position {
            byte_offset: self.checks.bytes,
            message: self.checks.messages,
            stored_bytes: self.capture.stored_bytes(),
        };
        Ok(Fill::Records(records))
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

/// Cuts the next message off, without its length; `None` when it is not whole.
fn cut<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_at_checked(LENGTH_BYTES)?;
    let length = u16::from_le_bytes([length[0], length[1]]);
    let (message, behind) = behind.split_at_checked(length.into())?;
    *rest = behind;
    Some(message)
}

fn level(price: Price, qty: Qty) -> payload::LevelSet {
    payload::LevelSet { order_count: 0, price, qty, pad: 0 }
}

/// A trading status; the order acceptance period after a halt is a pause.
fn status(message: Message<'_>) -> payload::Status {
    let state = if message.0[1] == b'O' { b'P' } else { message.0[1] };
    payload::Status {
        state: Letter(state),
        market: Letter(0),
        reserved: Letter(0),
        pad: 0,
        reason: Text(message.bytes(18)),
        pad2: Raw([0; 24]),
    }
}

/// A system event; the start of regular hours has the letter that ITCH gives it.
fn phase(code: u8) -> payload::Phase {
    payload::Phase {
        code: Letter(if code == b'R' { b'Q' } else { code }),
        auction: 0,
        pad: Raw([0; 6]),
        reference_price: Price(0),
        lower_price: Price(0),
        upper_price: Price(0),
    }
}

/// Any other message: its type, length and first bytes.
fn notice(message: Message<'_>) -> payload::Notice {
    let body = &message.0[10..];
    let mut first = [0; 28];
    let kept = body.len().min(first.len());
    first[..kept].copy_from_slice(&body[..kept]);
    payload::Notice {
        message_type: Letter(message.0[0]),
        pad: 0,
        body_bytes: body.len() as u16,
        body: Raw(first),
    }
}
