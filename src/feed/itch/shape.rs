//! Where the fields of order messages lie: what the decode loop reads instead of branching on the
//! letter.

use super::messages::stock_at;
use super::table::MESSAGES;
use crate::event::Flags;
use crate::units::Side;

/// Where the fields of a message lie that decodes without a branch.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Bytes of the message; 0 for letters that ITCH 5.0 does not use.
    pub(super) bytes: u16,
    /// Code of the record's kind.
    pub(super) kind: u8,
    /// Flags that every record of the letter has.
    pub(super) flags: u16,
    /// Whether the message is about an order or a hidden trade.
    pub(super) is_order: bool,
    /// Whether the table alone decodes it.
    pub(super) is_complete: bool,
    /// Whether the message names its stock.
    pub(super) has_stock: bool,
    /// All ones when the message has a side, else 0.
    pub(super) side_mask: u8,
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
pub(super) static SHAPES: [Shape; 256] = {
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

/// The code of the [`Side`] that a letter names; 0 when it names none.
#[inline(always)]
pub(super) fn side_code(letter: u8) -> u8 {
    u8::from(letter == b'B') * Side::Buy as u8 + u8::from(letter == b'S') * Side::Sell as u8
}
