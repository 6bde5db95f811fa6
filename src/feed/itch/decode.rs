//! The decode loop: bytes of a window to records of a batch.
//!
//! ```text
//!  0    2    3      5        7         13                          2+length
//!  | u16 | type | locate | tracking | timestamp | fields of the type | u16 | type ...
//!  length  u8     u16      u16        u48 ns since midnight
//! ```
//!
//! All integers are big-endian and unsigned. Six letters make up 96 % of a day (A D U E X P) and
//! their fields are few: reference, quantity, price, one number more. They are decoded without a
//! branch on the letter, from a table that says where the fields lie; everything else takes the
//! other road, [`Decoder::other`], which also deals with every doubt: frames that do not fit, the
//! end of the window, instruments that were not introduced.
//!
//! WHY: a jump on the letter costs a misprediction every second or third message, because adds
//! and deletes alternate without a pattern.

use bytemuck::Zeroable;

use super::group::Header;
use super::messages::{self, Byte, Chain, stock_at};
use super::table::{MESSAGES, message};
use super::view::{HEADER_BYTES, PREFIX_BYTES, View, prefix, u8_at, u32_at, u64_at, view};
use crate::event::{Event, Flags};
use crate::feed::Checks;
use crate::feed::source::Window;
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::units::Side;

/// How the ends of messages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By the length before each message.
    Prefixed,
    /// By the length of each type: every prefix is zero.
    ByType,
}

/// Where the fields of a message lie that decodes without a branch.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes of the message; 0 for letters that ITCH 5.0 does not use.
    bytes: u16,
    kind: u8,
    flags: u16,
    /// Whether the message is about an order or a hidden trade.
    is_order: bool,
    /// Whether the table alone decodes it.
    is_complete: bool,
    /// Whether the message names its stock.
    has_stock: bool,
    /// All ones when the message has a side, else 0.
    side_mask: u8,
    qty_at: u8,
    qty_mask: u32,
    price_at: u8,
    price_mask: u32,
    fourth_at: u8,
    fourth_mask: u64,
}

/// Offset of the reference in all messages about orders.
const ORDER_AT: u8 = 11;

/// Offset of the side in A, F and P.
pub(super) const SIDE_AT: u8 = 19;

impl Shape {
    const NONE: Self = Self {
        bytes: 0,
        kind: 0,
        flags: 0,
        is_order: false,
        is_complete: false,
        has_stock: false,
        side_mask: 0,
        qty_at: 0,
        qty_mask: 0,
        price_at: 0,
        price_mask: 0,
        fourth_at: 0,
        fourth_mask: 0,
    };

    /// The same with the places of quantity, price and fourth word; 0 where there is none.
    const fn fields(self, qty_at: u8, price_at: u8, fourth_at: u8) -> Self {
        Self {
            is_order: true,
            is_complete: true,
            qty_at,
            qty_mask: if qty_at == 0 { 0 } else { u32::MAX },
            price_at,
            price_mask: if price_at == 0 { 0 } else { u32::MAX },
            fourth_at,
            fourth_mask: if fourth_at == 0 { 0 } else { u64::MAX },
            ..self
        }
    }

    const fn sided(self) -> Self {
        Self { side_mask: u8::MAX, ..self }
    }

    const fn printable(self) -> Self {
        Self { flags: Flags::PRINTABLE, ..self }
    }

    /// Has the fields, and something more that the table cannot say.
    const fn incomplete(self) -> Self {
        Self { is_complete: false, ..self }
    }
}

/// The shapes by letter.
static SHAPES: [Shape; 256] = {
    let mut shapes = [Shape::NONE; 256];
    let mut index = 0;
    while index < MESSAGES.len() {
        let row = &MESSAGES[index];
        let plain = Shape {
            bytes: row.bytes as u16,
            kind: row.kind as u8,
            has_stock: stock_at(row.letter) != 0,
            ..Shape::NONE
        };
        shapes[row.letter as usize] = match row.letter {
            b'A' => plain.fields(20, 32, 0).sided(),
            b'F' => plain.fields(20, 32, 0).sided().incomplete(),
            b'E' => plain.fields(19, 0, 23).printable(),
            b'C' => plain.fields(19, 32, 23).incomplete(),
            b'X' => plain.fields(19, 0, 0),
            b'D' => plain.fields(0, 0, 0),
            b'U' => plain.fields(27, 31, 19),
            b'P' => plain.fields(20, 32, 36).sided().printable(),
            _ => plain,
        };
        index += 1;
    }
    shapes
};

/// What one call of [`Decoder::decode`] did.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Records written.
    pub(crate) records: usize,
    /// Bytes of the window that were decoded.
    pub(crate) bytes: usize,
    /// Why it stopped.
    pub(crate) stop: Stop,
}

/// Why decoding stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// There may be no room for the next message's records.
    Full,
    /// The window ends before the next message, or before the header after it.
    Starved,
    /// The source ends here, between two messages.
    End,
    /// A frame of length zero marks the end of the session.
    EndMark,
    /// The next message cannot be decoded.
    Fault(Fault),
}

/// What is wrong with a message.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Offset of the faulty byte in the window.
    pub(crate) at: usize,
    pub(crate) what: String,
    pub(crate) kind: FaultKind,
}

/// What to do about a fault depends on what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The source ends too early.
    Truncated,
    /// Bytes that the format does not allow.
    Damaged,
}

/// Decodes messages; remembers which instruments were introduced, and counts.
pub(crate) struct Decoder {
    framing: Framing,
    /// All ones when prefixes hold lengths, 0 when all are zero.
    prefix_mask: u16,
    midnight_ns: u64,
    /// Locates whose instrument was introduced, by the feed or by this decoder.
    introduced: Box<[bool; 1 << 16]>,
    /// Timestamp of the message before.
    previous_ts: u64,
    /// Counts and findings; bytes are the owner's to keep.
    pub(crate) checks: Checks,
}

/// A frame whose length is right.
struct Frame<'a> {
    header: Header,
    /// The fields after the header.
    body: &'a [u8],
    /// Where the next frame starts.
    next: usize,
    /// Whether the next message does not continue this one.
    is_last: bool,
}

impl Decoder {
    pub(crate) fn new(framing: Framing, midnight_ns: u64) -> Self {
        Self {
            framing,
            prefix_mask: if framing == Framing::Prefixed { u16::MAX } else { 0 },
            midnight_ns,
            introduced: Box::new([false; 1 << 16]),
            previous_ts: 0,
            checks: Checks::default(),
        }
    }

    /// Decodes messages from the window's start into `out` until one of the two is used up.
    ///
    /// `out` must have room for one message's records at least.
    pub(crate) fn decode(&mut self, window: Window<'_>, out: &mut [Event]) -> Batch {
        let full = out.len().checked_sub(MESSAGE_RECORDS_MAX).expect("room for one message");
        let lookahead = window.limit.saturating_sub(HEADER_BYTES + PREFIX_BYTES);
        let mut at = 0;
        let mut records = 0;
        let stop = loop {
            if records > full {
                break Stop::Full;
            }
            let current = view(window.bytes, at);
            let letter = u8_at(current, 0);
            let shape = &SHAPES[usize::from(letter)];
            let header = Header::of(current);
            let side = side_code(u8_at(current, SIDE_AT)) & shape.side_mask;
            let next = at + PREFIX_BYTES + usize::from(shape.bytes);
            let is_clear = shape.is_complete
                & (prefix(current) == shape.bytes & self.prefix_mask)
                & (next <= lookahead)
                & ((side != 0) | (shape.side_mask == 0))
                & (!shape.has_stock | self.introduced[usize::from(header.locate())]);
            if is_clear {
                let is_last = self.is_last(header, view(window.bytes, next));
                out[records] = self.order(current, shape, header, side, is_last);
                self.count(letter, header.timestamp());
                records += 1;
                at = next;
                continue;
            }
            match self.other(window, at, &mut out[records..]) {
                Ok((frame_end, written)) => {
                    records += written;
                    at = frame_end;
                }
                Err(stop) => break stop,
            }
        };
        if let Some(written) = out[..records].last() {
            self.checks.first_ts.get_or_insert(out[0].ts_event);
            self.checks.last_ts = Some(written.ts_event);
        }
        Batch { records, bytes: at, stop }
    }

    /// Whether the message of `header` ends its exchange event, given what follows it.
    #[inline(always)]
    fn is_last(&self, header: Header, following: &View) -> bool {
        // A zero prefix is the end mark, unless all are zero.
        let ends = (prefix(following) == 0) & (self.prefix_mask != 0);
        !Header::of(following).continues(header) | ends
    }

    /// The record of a message about an order, from the table.
    #[inline(always)]
    fn order(&self, view: &View, shape: &Shape, header: Header, side: u8, is_last: bool) -> Event {
        Event {
            ts_event: self.midnight_ns.wrapping_add(header.timestamp()),
            ts_ingest: 0,
            kind: shape.kind,
            side,
            flags: shape.flags | u16::from(is_last) * Flags::LAST,
            instrument: u32::from(header.locate()),
            payload: [
                u64_at(view, ORDER_AT),
                u64::from(u32_at(view, shape.price_at) & shape.price_mask),
                u64::from(u32_at(view, shape.qty_at) & shape.qty_mask),
                u64_at(view, shape.fourth_at) & shape.fourth_mask,
            ],
        }
    }

    #[inline(always)]
    fn count(&mut self, letter: u8, timestamp: u64) {
        if timestamp < self.previous_ts {
            self.checks.backwards.note(self.checks.messages);
        }
        self.previous_ts = timestamp;
        self.checks.by_type[usize::from(letter)] += 1;
        self.checks.messages += 1;
    }

    /// Decodes the message at `at` whatever it is: where the next one starts and how many records
    /// it became.
    #[inline(never)]
    fn other(
        &mut self,
        window: Window<'_>,
        at: usize,
        out: &mut [Event],
    ) -> Result<(usize, usize), Stop> {
        let Frame { header, body, next, is_last } = self.frame(window, at)?;
        let view = view(window.bytes, at);
        let letter = u8_at(view, 0);
        let shape = &SHAPES[usize::from(letter)];
        let blank = Event {
            ts_event: self.midnight_ns.wrapping_add(header.timestamp()),
            instrument: u32::from(header.locate()),
            ..Event::zeroed()
        };
        let mut chain = Chain::new(blank, out);

        let is_introduced = &mut self.introduced[usize::from(header.locate())];
        if shape.has_stock && header.locate() != 0 && !*is_introduced {
            *is_introduced = true;
            if letter != b'R' {
                messages::assume_instrument(view, &mut chain);
            }
        }
        if shape.is_order {
            let side = side_code(u8_at(view, SIDE_AT)) & shape.side_mask;
            let mut event = self.order(view, shape, header, side, false);
            messages::complete_order(view, shape.side_mask != 0, &mut event)
                .map_err(|field| Stop::damaged(at + PREFIX_BYTES + field.offset, field.what))?;
            chain.push_event(event);
        } else {
            messages::decode(view, body, &mut chain);
        }
        let written = chain.finish(is_last);
        if letter == b'S' {
            self.note_session(u8_at(view, 11));
        }
        if shape.bytes == 0 {
            self.checks.unknown_types.note(self.checks.messages);
        }
        self.count(letter, header.timestamp());
        Ok((next, written))
    }

    /// Notes the venue's first and last message of the session.
    fn note_session(&mut self, code: u8) {
        self.checks.has_start |= code == b'O' && self.checks.messages == 0;
        self.checks.has_end |= code == b'C';
    }

    /// The frame at `at`, once its length is right and the window shows all that matters of it.
    fn frame<'a>(&self, window: Window<'a>, at: usize) -> Result<Frame<'a>, Stop> {
        let there = window.limit - at;
        let view = view(window.bytes, at);
        if there == 0 && window.is_ended {
            return Err(Stop::End);
        }
        if there >= PREFIX_BYTES && self.is_end_mark(view) {
            return Err(Stop::EndMark);
        }
        // Only a whole prefix and letter say how long the frame is.
        let needed = match there {
            0..=PREFIX_BYTES => PREFIX_BYTES + HEADER_BYTES,
            _ => PREFIX_BYTES + self.length(view, at)?,
        };
        let next = at + needed;
        if next > window.limit {
            return Err(match window.is_ended {
                true => Stop::truncated(at, there, needed),
                false => Stop::Starved,
            });
        }
        let following = match window.limit - next {
            left if left >= PREFIX_BYTES + HEADER_BYTES => true,
            _ if window.is_ended => false,
            _ => return Err(Stop::Starved),
        };
        let header = Header::of(view);
        Ok(Frame {
            header,
            body: &window.bytes[at + PREFIX_BYTES + HEADER_BYTES..next],
            next,
            is_last: !following || self.is_last(header, self::view(window.bytes, next)),
        })
    }

    fn is_end_mark(&self, view: &View) -> bool {
        self.framing == Framing::Prefixed && prefix(view) == 0
    }

    /// Bytes of the message at `at` without its prefix.
    fn length(&self, view: &View, at: usize) -> Result<usize, Stop> {
        let letter = u8_at(view, 0);
        let name = Byte(letter);
        let said = usize::from(prefix(view));
        match (self.framing, message(letter)) {
            (Framing::Prefixed, Some(known)) if said == known.bytes => Ok(said),
            (Framing::Prefixed, Some(known)) => Err(Stop::damaged(
                at,
                format!(
                    "the length prefix says {said} bytes, but a message of type {name} ({}) has {}",
                    known.name, known.bytes,
                ),
            )),
            (Framing::Prefixed, None) if said >= HEADER_BYTES => Ok(said),
            (Framing::Prefixed, None) => Err(Stop::damaged(
                at,
                format!(
                    "a message of unknown type {name} is said to have {said} bytes, fewer than the \
                     {HEADER_BYTES} of every header",
                ),
            )),
            (Framing::ByType, Some(known)) if said == 0 => Ok(known.bytes),
            (Framing::ByType, Some(_)) => Err(Stop::damaged(
                at,
                format!("a length prefix says {said} bytes, but all before it were zero"),
            )),
            (Framing::ByType, None) => Err(Stop::damaged(
                at + PREFIX_BYTES,
                format!("message type {name} is unknown, and no length says where it ends"),
            )),
        }
    }
}

impl Stop {
    fn damaged(at: usize, what: String) -> Self {
        Self::Fault(Fault { at, what, kind: FaultKind::Damaged })
    }

    fn truncated(at: usize, has: usize, needs: usize) -> Self {
        let what = format!("the data end inside a message: {has} of {needs} bytes are there");
        Self::Fault(Fault { at, what, kind: FaultKind::Truncated })
    }
}

/// The code of the [`Side`] that a letter names; 0 when it names none.
#[inline(always)]
fn side_code(letter: u8) -> u8 {
    u8::from(letter == b'B') * Side::Buy as u8 + u8::from(letter == b'S') * Side::Sell as u8
}
