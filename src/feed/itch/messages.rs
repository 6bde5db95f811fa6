//! Messages whose fields need more than a table: each becomes a chain of one or more records.
//!
//! | letter | chain |
//! |---|---|
//! | R | instrument, instrument_terms, instrument_listing |
//! | S H h J Q B I | phase, status, status, collar, cross, broken, imbalance |
//! | L V W Y K N O and unknown letters | notice, and notice_more for each further 32 bytes |
//! | A F P Q I H h Y L J K N O before their R | instrument, instrument_terms (assumed), then their own |
//!
//! Every record of a chain but the last carries [`Flags::CONTINUED`], so a reader counts messages
//! by counting records without it.

use std::fmt;

use super::shape::SIDE_AT;
use super::view::{
    View, letter_at, long_qty_at, match_at, price_at, price32_at, text_at, u8_at, u32_at,
};
use crate::event::kinds::{Letter, Raw, Text};
use crate::event::{Event, Flags, Instrument, Payload, payload};
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::units::Qty;

/// Offset of the stock in messages of a letter; 0 when they name none.
pub(super) const fn stock_at(letter: u8) -> u8 {
    match letter {
        b'R' | b'H' | b'h' | b'Y' | b'J' | b'K' | b'N' | b'O' => 11,
        b'L' => 15,
        b'Q' => 19,
        b'A' | b'F' | b'P' => 24,
        b'I' => 28,
        _ => 0,
    }
}

/// The records of one message as they are written.
pub(super) struct Chain<'a> {
    /// Time and instrument of every record.
    blank: Event,
    out: &'a mut [Event],
    written: usize,
}

impl<'a> Chain<'a> {
    pub(super) fn new(blank: Event, out: &'a mut [Event]) -> Self {
        Self { blank, out, written: 0 }
    }

    fn push<P: Payload>(&mut self, payload: P) {
        let kind = P::KIND as u8;
        self.push_event(Event { kind, payload: bytemuck::cast(payload), ..self.blank });
    }

    fn push_with_flags<P: Payload>(&mut self, payload: P, flags: u16) {
        self.push(payload);
        self.out[self.written - 1].flags |= flags;
    }

    pub(super) fn push_event(&mut self, event: Event) {
        if let Some(before) = self.written.checked_sub(1) {
            self.out[before].flags |= Flags::CONTINUED;
        }
        self.out[self.written] = event;
        self.written += 1;
    }

    /// Ends the message, and its exchange event if it is the last one there; the records written.
    pub(super) fn finish(self, is_last: bool) -> usize {
        self.out[self.written - 1].flags |= u16::from(is_last) * Flags::LAST;
        self.written
    }
}

/// A field whose value the format does not allow.
pub(super) struct BadField {
    /// Offset within the message.
    pub(super) offset: usize,
    pub(super) what: String,
}

impl BadField {
    fn new(offset: u8, byte: u8, field: &str, allowed: &str) -> Self {
        let what = format!("{field} is {}, not {allowed}", Byte(byte));
        Self { offset: usize::from(offset), what }
    }
}

/// A byte as messages name it: a letter if it is one.
pub(super) struct Byte(pub(super) u8);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            letter if letter.is_ascii_graphic() => write!(f, "`{}`", char::from(letter)),
            byte => write!(f, "{byte:#04x}"),
        }
    }
}

/// Introduces the instrument of a message that comes before its stock directory message.
pub(super) fn assume_instrument(view: &View, chain: &mut Chain<'_>) {
    let symbol = text_at::<8, 24>(view, stock_at(u8_at(view, 0)));
    let assumed = Instrument { symbol, assumed: true, ..Instrument::us_equity("") };
    push_instrument(&assumed, chain);
}

fn push_instrument(instrument: &Instrument, chain: &mut Chain<'_>) {
    let (named, terms) = instrument.payloads();
    chain.push(named);
    chain.push(terms);
}

/// Checks what the table of shapes cannot, and fills in what it does not hold.
pub(super) fn complete_order(view: &View, side_min: u8, event: &mut Event) -> Result<(), BadField> {
    if event.side < side_min {
        return Err(BadField::new(SIDE_AT, u8_at(view, SIDE_AT), "the side", "`B` or `S`"));
    }
    match u8_at(view, 0) {
        b'F' => {
            let [order_id, price, qty, _] = event.payload;
            let attribution: Text<4> = text_at::<4, 4>(view, 36);
            let fourth = bytemuck::cast([attribution.0, [0; 4]]);
            event.payload = [order_id, price, qty, fourth];
        }
        b'C' => match u8_at(view, 31) {
            b'Y' => event.flags |= Flags::PRINTABLE,
            b'N' => {}
            byte => return Err(BadField::new(31, byte, "the printable flag", "`Y` or `N`")),
        },
        _ => {}
    }
    Ok(())
}

/// Decodes a message that is not about an order; `body` is what follows its header.
pub(super) fn decode(view: &View, body: &[u8], chain: &mut Chain<'_>) {
    let zeros = Letter(0);
    match u8_at(view, 0) {
        b'S' => chain.push(payload::Phase {
            code: letter_at(view, 11),
            auction: 0,
            pad: Raw([0; 6]),
            reference_price: Default::default(),
            lower_price: Default::default(),
            upper_price: Default::default(),
        }),
        b'R' => directory(view, chain),
        b'H' => status(
            chain,
            letter_at(view, 19),
            zeros,
            letter_at(view, 20),
            text_at::<4, 4>(view, 21),
        ),
        b'h' => status(chain, letter_at(view, 20), letter_at(view, 19), zeros, Text([0; 4])),
        b'J' => chain.push(payload::Collar {
            reference_price: price_at(view, 19),
            upper_price: price_at(view, 23),
            lower_price: price_at(view, 27),
            extension: u64::from(u32_at(view, 31)),
        }),
        b'Q' => cross(view, chain),
        b'B' => chain.push(payload::Broken { pad: Raw([0; 24]), match_id: match_at(view, 11) }),
        b'I' => imbalance(view, chain),
        letter => notice(letter, body, chain),
    }
}

fn directory(view: &View, chain: &mut Chain<'_>) {
    let listed = Instrument {
        symbol: text_at::<8, 24>(view, 11),
        round_lot: u32_at(view, 21),
        ..Instrument::us_equity("")
    };
    push_instrument(&listed, chain);
    chain.push(payload::InstrumentListing {
        etp_leverage: u32_at(view, 34),
        market_category: letter_at(view, 19),
        financial_status: letter_at(view, 20),
        round_lots_only: letter_at(view, 25),
        issue_class: letter_at(view, 26),
        issue_subtype: text_at::<2, 2>(view, 27),
        authenticity: letter_at(view, 29),
        short_sale_threshold: letter_at(view, 30),
        ipo: letter_at(view, 31),
        luld_tier: letter_at(view, 32),
        etp: letter_at(view, 33),
        inverse: letter_at(view, 38),
        pad: Raw([0; 16]),
    });
}

fn status(chain: &mut Chain<'_>, state: Letter, market: Letter, reserved: Letter, reason: Text<4>) {
    chain.push(payload::Status { state, market, reserved, pad: 0, reason, pad2: Raw([0; 24]) });
}

fn cross(view: &View, chain: &mut Chain<'_>) {
    let qty = long_qty_at(view, 11);
    let cross = payload::Cross {
        cross_type: letter_at(view, 39),
        pad: Raw([0; 7]),
        price: price_at(view, 27),
        qty,
        match_id: match_at(view, 31),
    };
    // A cross of 0 shares is no trade.
    chain.push_with_flags(cross, if qty == Qty(0) { 0 } else { Flags::PRINTABLE });
}

fn imbalance(view: &View, chain: &mut Chain<'_>) {
    chain.push(payload::Imbalance {
        paired_qty: long_qty_at(view, 11),
        imbalance_qty: long_qty_at(view, 19),
        far_price: price32_at(view, 36),
        near_price: price32_at(view, 40),
        reference_price: price32_at(view, 44),
        direction: letter_at(view, 27),
        cross_type: letter_at(view, 48),
        price_variation: letter_at(view, 49),
        pad: 0,
    });
}

/// Keeps a message as it is, as far as its records hold it.
fn notice(letter: u8, body: &[u8], chain: &mut Chain<'_>) {
    const FIRST: usize = 28;
    const MORE: usize = 32;
    let (first, more) = body.split_at(body.len().min(FIRST));
    chain.push(payload::Notice {
        message_type: Letter(letter),
        pad: 0,
        body_bytes: body.len() as u16,
        body: padded(first),
    });
    for piece in more.chunks(MORE).take(MESSAGE_RECORDS_MAX - 1) {
        chain.push(payload::NoticeMore { body: padded(piece) });
    }
}

fn padded<const N: usize>(bytes: &[u8]) -> Raw<N> {
    let mut raw = [0; N];
    raw[..bytes.len()].copy_from_slice(bytes);
    Raw(raw)
}
