//! Where the fields of order messages lie: what the decode loop reads instead of branching on the
//! letter.

use super::messages::stock_at;
use super::table::{MESSAGES, MessageInfo};
use super::view::PREFIX_BYTES;
use crate::event::Flags;
use crate::units::Side;

/// A length that no frame has.
const NO_PREFIX: u32 = u32::MAX;

/// Where the fields of a message about an order lie.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The prefix that such a frame has, where prefixes are lengths and where they are zero, when
    /// this table alone decodes it; else one that no frame has.
    pub(super) prefix: [u32; 2],
    /// Bytes of the whole frame; 0 when the table does not decode the message.
    pub(super) frame_bytes: u8,
    /// Code of the record's kind.
    pub(super) kind: u8,
    /// Flags that every record of the letter has.
    pub(super) flags: u16,
    /// All ones when the message has a side, else 0.
    pub(super) side_mask: u8,
    /// Smallest code of a side that is valid: 1 when the message has a side, else 0.
    pub(super) side_min: u8,
    /// Whether the message names no stock.
    pub(super) is_stockless: bool,
    /// Offset of the quantity; its mask is 0 when there is none. Price and fourth word likewise.
    pub(super) qty_at: u8,
    pub(super) qty_mask: u32,
    pub(super) price_at: u8,
    pub(super) price_mask: u32,
    /// Offset of the payload's fourth word: match number or new reference.
    pub(super) fourth_at: u8,
    pub(super) fourth_mask: u64,
}

/// Offset of the reference in all messages about orders.
pub(super) const ORDER_AT: u8 = 11;

/// Offset of the side in A, F and P.
pub(super) const SIDE_AT: u8 = 19;

impl Shape {
    const NONE: Self = Self {
        prefix: [NO_PREFIX; 2],
        frame_bytes: 0,
        kind: 0,
        flags: 0,
        side_mask: 0,
        side_min: 0,
        is_stockless: true,
        qty_at: 0,
        qty_mask: 0,
        price_at: 0,
        price_mask: 0,
        fourth_at: 0,
        fourth_mask: 0,
    };

    /// The shape of a letter with the places of quantity, price and fourth word; 0 where it has
    /// none.
    const fn of(letter: u8, qty_at: u8, price_at: u8, fourth_at: u8) -> Self {
        let row = row(letter);
        Self {
            prefix: [row.bytes as u32, 0],
            frame_bytes: (PREFIX_BYTES + row.bytes) as u8,
            kind: row.kind as u8,
            is_stockless: stock_at(letter) == 0,
            qty_at,
            qty_mask: if qty_at == 0 { 0 } else { u32::MAX },
            price_at,
            price_mask: if price_at == 0 { 0 } else { u32::MAX },
            fourth_at,
            fourth_mask: if fourth_at == 0 { 0 } else { u64::MAX },
            ..Self::NONE
        }
    }

    const fn sided(self) -> Self {
        Self { side_mask: u8::MAX, side_min: 1, ..self }
    }

    const fn printable(self) -> Self {
        Self { flags: Flags::PRINTABLE, ..self }
    }

    /// Has the fields, and something more that the table cannot say.
    const fn incomplete(self) -> Self {
        Self { prefix: [NO_PREFIX; 2], ..self }
    }

    /// Whether the letter is that of a message about an order or a hidden trade.
    pub(super) fn is_order(&self) -> bool {
        self.frame_bytes != 0
    }
}

const fn row(letter: u8) -> &'static MessageInfo {
    let mut index = 0;
    while MESSAGES[index].letter != letter {
        index += 1;
    }
    &MESSAGES[index]
}

/// The shapes by letter.
pub(super) static SHAPES: [Shape; 256] = {
    let mut shapes = [Shape::NONE; 256];
    shapes[b'A' as usize] = Shape::of(b'A', 20, 32, 0).sided();
    shapes[b'F' as usize] = Shape::of(b'F', 20, 32, 0).sided().incomplete();
    shapes[b'E' as usize] = Shape::of(b'E', 19, 0, 23).printable();
    shapes[b'C' as usize] = Shape::of(b'C', 19, 32, 23).incomplete();
    shapes[b'X' as usize] = Shape::of(b'X', 19, 0, 0);
    shapes[b'D' as usize] = Shape::of(b'D', 0, 0, 0);
    shapes[b'U' as usize] = Shape::of(b'U', 27, 31, 19);
    shapes[b'P' as usize] = Shape::of(b'P', 20, 32, 36).sided().printable();
    shapes
};

/// The codes of the sides that letters name; 0 for letters that name none.
pub(super) static SIDES: [u8; 256] = {
    let mut codes = [0; 256];
    codes[b'B' as usize] = Side::Buy as u8;
    codes[b'S' as usize] = Side::Sell as u8;
    codes
};
