//! The decode loop: bytes of a window to records of a batch.
//!
//! Six letters make up 98 % of a day (A D U E X P) and their fields are few: reference, quantity,
//! price, one number more. They are decoded without a branch on the letter, from a table that says
//! where the fields lie; everything else takes the other road, [`Decoder::other`], which also deals
//! with every doubt: frames that do not fit, the end of the window, instruments that were not
//! introduced.
//!
//! WHY: adds and deletes, six of seven messages, alternate without a pattern, so a jump on the
//! letter would often be mispredicted.

use bytemuck::Zeroable;

use super::group::Header;
use super::messages::{self, Byte, Chain, stock_at};
use super::shape::{ORDER_AT, SHAPES, SIDE_AT, SIDES, Shape};
use super::table::{MESSAGES, message};
use super::view::{HEADER_BYTES, PREFIX_BYTES, VIEW_BYTES, View, u8_at, u32_at, u64_at, view};
use crate::event::{Event, Flags};
use crate::feed::Checks;
use crate::feed::source::Window;
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::processor::prefetch_at;

/// Bytes of the longest frame and the header of the one after it.
const FRAME_AND_HEADER_BYTES: usize = {
    let mut longest = 0;
    let mut index = 0;
    while index < MESSAGES.len() {
        if MESSAGES[index].bytes > longest {
            longest = MESSAGES[index].bytes;
        }
        index += 1;
    }
    2 * PREFIX_BYTES + longest + HEADER_BYTES
};

/// Bytes past a window's limit that may be shown as long as a view's first frame and the header
/// after it lie before the limit.
const LOOKAHEAD_MARGIN: usize = VIEW_BYTES - FRAME_AND_HEADER_BYTES;

/// Bytes ahead of the message in hand that are asked for.
///
/// WHY: the processor's own prefetcher stops at every page of 4 KiB, some 130 messages, and waits
/// there. Over 615 MB in memory, M messages/s: 66 without, 112 at 512, 146 at 1,024, 160 at 2,048,
/// 149 to 168 at 4,096.
const PREFETCH_BYTES: usize = 2048;

/// How the ends of messages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By the length before each message.
    Prefixed,
    /// By the length of each type: every prefix is zero.
    ByType,
}

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
    /// Offset of the faulty byte from the message's length prefix.
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
    /// Smallest prefix that is no end mark.
    prefix_min: u32,
    midnight_ns: u64,
    /// Locates whose instrument was introduced, by the feed or by this decoder.
    introduced: Box<[bool; 1 << 16]>,
    /// Timestamp of the message before.
    previous_ts: u64,
    /// Counts and findings; bytes are the owner's to keep.
    pub(crate) checks: Checks,
    /// Whether the messages lie one behind the other in a file, so that each has its byte there.
    pub(crate) is_of_file: bool,
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
            prefix_min: u32::from(framing == Framing::Prefixed),
            midnight_ns,
            introduced: Box::new([false; 1 << 16]),
            previous_ts: 0,
            checks: Checks::default(),
            is_of_file: false,
        }
    }

    /// The byte of the file that is `at` bytes into the window; `None` where there is none.
    fn byte(&self, at: usize) -> Option<u64> {
        self.is_of_file.then_some(self.checks.bytes + at as u64)
    }

    /// Decodes messages from the window's start into `out` until one of the two is used up.
    ///
    /// `out` must have room for one message's records at least.
    pub(crate) fn decode(&mut self, window: Window<'_>, out: &mut [Event]) -> Batch {
        // Records from which on there may be no room for another message.
        let full = out.len().checked_sub(MESSAGE_RECORDS_MAX - 1).expect("room for one message");
        let mut at = 0;
        let mut records = 0;
        let stop = loop {
            let bytes = &window.bytes[at..window.limit + LOOKAHEAD_MARGIN];
            let room = &mut out[records.min(full)..full];
            let (decoded_bytes, decoded) = match self.framing {
                Framing::Prefixed => self.orders::<true>(bytes, at, room),
                Framing::ByType => self.orders::<false>(bytes, at, room),
            };
            at += decoded_bytes;
            records += decoded;
            if records >= full {
                break Stop::Full;
            }
            match self.other(window, at, &mut out[records..]) {
                Ok((next, written)) => {
                    at = next;
                    records += written;
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

    /// Decodes messages that the table of shapes knows all about, one record each, until there is
    /// another, a doubt, or no more room: bytes and records. `bytes` begin `at` bytes into the
    /// window.
    ///
    /// WHY: `PREFIXED` finds the next message by the length before this one, checked against the
    /// type's afterwards: the way from message to message then leads through one load, where the
    /// table would add another to it (6.8 instead of 7.8 ns a message).
    #[inline(never)]
    fn orders<const PREFIXED: bool>(
        &mut self,
        bytes: &[u8],
        at: usize,
        out: &mut [Event],
    ) -> (usize, usize) {
        let Some(first) = bytes.first_chunk() else { return (0, 0) };
        let first_message = self.checks.messages;
        let mut previous_ts = self.previous_ts;
        let mut header = Header::at(first, 0);
        let mut rest = bytes;
        let mut records = 0;
        for slot in out {
            let Some(view) = rest.first_chunk::<VIEW_BYTES>() else { break };
            prefetch_at(rest, PREFETCH_BYTES);
            let shape = &SHAPES[usize::from(header.letter())];
            let frame_bytes = match PREFIXED {
                true => (PREFIX_BYTES as u32 + header.prefix()) as u8,
                false => shape.frame_bytes,
            };
            let following = Header::at(view, frame_bytes);
            let side = SIDES[usize::from(u8_at(view, SIDE_AT))] & shape.side_mask;
            if header.prefix() != shape.prefix[usize::from(!PREFIXED)]
                || side < shape.side_min
                || !(shape.is_stockless | self.introduced[usize::from(header.locate())])
            {
                break;
            }
            *slot = self.order(view, shape, header, side, self.is_last(header, following));
            if header.timestamp() < previous_ts {
                let byte = self.byte(at + bytes.len() - rest.len());
                let message = first_message + records as u64;
                self.checks.backwards.note_at(message, slot.ts_event, byte);
            }
            previous_ts = header.timestamp();
            self.checks.by_type[usize::from(header.letter())] += 1;
            rest = &rest[usize::from(frame_bytes)..];
            header = following;
            records += 1;
        }
        self.previous_ts = previous_ts;
        self.checks.messages += records as u64;
        (bytes.len() - rest.len(), records)
    }

    /// Whether the message of `header` ends its exchange event, given what follows it.
    #[inline(always)]
    fn is_last(&self, header: Header, following: Header) -> bool {
        !following.continues(header) | (following.prefix() < self.prefix_min)
    }

    /// The record of a message about an order, from the table.
    #[inline(always)]
    fn order(&self, view: &View, shape: &Shape, header: Header, side: u8, is_last: bool) -> Event {
        Event {
            ts_event: self.midnight_ns.wrapping_add(header.timestamp()),
            ts_ingest: 0,
            kind: shape.kind,
            side,
            flags: shape.flags | (u16::from(is_last) * Flags::LAST),
            instrument: u32::from(header.locate()),
            payload: [
                u64_at(view, ORDER_AT),
                u64::from(u32_at(view, shape.price_at) & shape.price_mask),
                u64::from(u32_at(view, shape.qty_at) & shape.qty_mask),
                u64_at(view, shape.fourth_at) & shape.fourth_mask,
            ],
        }
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
        let letter = header.letter();
        let blank = Event {
            ts_event: self.midnight_ns.wrapping_add(header.timestamp()),
            instrument: u32::from(header.locate()),
            ..Event::zeroed()
        };
        let mut chain = Chain::new(blank, out);

        let is_introduced = &mut self.introduced[usize::from(header.locate())];
        if stock_at(letter) != 0 && header.locate() != 0 && !*is_introduced {
            *is_introduced = true;
            if letter != b'R' {
                messages::assume_instrument(view, &mut chain);
            }
        }
        let shape = &SHAPES[usize::from(letter)];
        if shape.is_order() {
            let side = SIDES[usize::from(u8_at(view, SIDE_AT))] & shape.side_mask;
            let mut event = self.order(view, shape, header, side, false);
            messages::complete_order(view, shape.side_min, &mut event)
                .map_err(|field| Stop::damaged(PREFIX_BYTES + field.offset, field.what))?;
            chain.push_event(event);
        } else {
            messages::decode(view, body, &mut chain);
        }
        let written = chain.finish(is_last);
        self.count(view, header, self.byte(at));
        Ok((next, written))
    }

    /// Counts a message, and notes what it says about the session.
    fn count(&mut self, view: &View, header: Header, byte: Option<u64>) {
        let letter = header.letter();
        let checks = &mut self.checks;
        let ts = self.midnight_ns + header.timestamp();
        if header.timestamp() < self.previous_ts {
            checks.backwards.note_at(checks.messages, ts, byte);
        }
        self.previous_ts = header.timestamp();
        if message(letter).is_none() {
            checks.unknown_types.note_at(checks.messages, ts, byte);
        }
        if letter == b'S' {
            let code = u8_at(view, 11);
            checks.has_start |= code == b'O' && checks.messages == 0;
            checks.has_end |= code == b'C';
        }
        checks.by_type[usize::from(letter)] += 1;
        checks.messages += 1;
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
            _ => PREFIX_BYTES + self.length(view)?,
        };
        let next = at + needed;
        if next > window.limit {
            return Err(match window.is_ended {
                true => Stop::truncated(there, needed),
                false => Stop::Starved,
            });
        }
        let following = match window.limit - next {
            left if left >= PREFIX_BYTES + HEADER_BYTES => true,
            _ if window.is_ended => false,
            _ => return Err(Stop::Starved),
        };
        let header = Header::at(view, 0);
        let is_last =
            !following || self.is_last(header, Header::at(self::view(window.bytes, next), 0));
        Ok(Frame {
            header,
            body: &window.bytes[at + PREFIX_BYTES + HEADER_BYTES..next],
            next,
            is_last,
        })
    }

    fn is_end_mark(&self, view: &View) -> bool {
        Header::at(view, 0).prefix() < self.prefix_min
    }

    /// Bytes of a message without its prefix.
    fn length(&self, view: &View) -> Result<usize, Stop> {
        let letter = u8_at(view, 0);
        let name = Byte(letter);
        let said = Header::at(view, 0).prefix() as usize;
        match (self.framing, message(letter)) {
            (Framing::Prefixed, Some(known)) if said == known.bytes => Ok(said),
            (Framing::Prefixed, Some(known)) => Err(Stop::damaged(
                0,
                format!(
                    "the length prefix says {said} bytes, but a message of type {name} ({}) has {}",
                    known.name, known.bytes,
                ),
            )),
            (Framing::Prefixed, None) if said >= HEADER_BYTES => Ok(said),
            (Framing::Prefixed, None) => Err(Stop::damaged(
                0,
                format!(
                    "a message of unknown type {name} is said to have {said} bytes, fewer than the \
                     {HEADER_BYTES} of every header",
                ),
            )),
            (Framing::ByType, Some(known)) if said == 0 => Ok(known.bytes),
            (Framing::ByType, Some(_)) => Err(Stop::damaged(
                0,
                format!("a length prefix says {said} bytes, but all before it were zero"),
            )),
            (Framing::ByType, None) => Err(Stop::damaged(
                PREFIX_BYTES,
                format!("message type {name} is unknown, and no length says where it ends"),
            )),
        }
    }
}

impl Stop {
    fn damaged(at: usize, what: String) -> Self {
        Self::Fault(Fault { at, what, kind: FaultKind::Damaged })
    }

    fn truncated(has: usize, needs: usize) -> Self {
        let what = format!("the recording ends inside a message: {has} of {needs} bytes are there");
        Self::Fault(Fault { at: 0, what, kind: FaultKind::Truncated })
    }
}
