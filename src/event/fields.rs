//! The fields of payloads: their types, and how a table row reads one out of a record.

use bytemuck::{Pod, Zeroable};

use super::Event;
use crate::units::{AccountId, MatchId, OrderId, Price, Qty};

/// How a payload field reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// An unsigned integer of the field's size.
    Unsigned,
    /// An `i64` in the instrument's price increments.
    Price,
    /// A `u32` in the instrument's price increments.
    Price32,
    /// A `u64` in the instrument's quantity increments.
    Qty,
    /// One ASCII character; 0 when absent.
    Letter,
    /// ASCII text, padded with spaces or zeros.
    Text,
    /// Bytes as the venue sent them.
    Raw,
}

/// One ASCII character of a venue's message; 0 when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Letter(pub u8);

/// A price of at most 32 bits, in the instrument's price increments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct Price32(pub u32);

/// ASCII text of `N` bytes, padded with spaces or zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Text<const N: usize>(pub [u8; N]);

/// Bytes as the venue sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Raw<const N: usize>(pub [u8; N]);

/// A type that payload fields may have.
pub(super) trait Field {
    const TYPE: FieldType;
}

macro_rules! field_types {
    ($($ty:ty => $field:ident),* $(,)?) => {
        $(impl Field for $ty { const TYPE: FieldType = FieldType::$field; })*
    };
}

field_types! {
    u8 => Unsigned, u16 => Unsigned, u32 => Unsigned, u64 => Unsigned,
    OrderId => Unsigned, MatchId => Unsigned, AccountId => Unsigned,
    Price => Price, Price32 => Price32, Qty => Qty, Letter => Letter,
}

impl<const N: usize> Field for Text<N> {
    const TYPE: FieldType = FieldType::Text;
}

impl<const N: usize> Field for Raw<N> {
    const TYPE: FieldType = FieldType::Raw;
}

/// A field of a payload: where it lies in the record and how it reads.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The field's name; `pad` is filling and always zero.
    pub name: &'static str,
    /// What it holds, in a sentence.
    pub summary: &'static str,
    /// Byte offset within the [`Event`], 24..56.
    pub offset: usize,
    /// Bytes that it occupies.
    pub bytes: usize,
    /// How it reads.
    pub field_type: FieldType,
}

/// A field's value, read out of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// An unsigned integer.
    Unsigned(u64),
    /// A price in the instrument's increments.
    Price(Price),
    /// One ASCII character; `None` when absent.
    Letter(Option<char>),
    /// Text without its padding.
    Text(&'a str),
    /// Bytes as the venue sent them.
    Raw(&'a [u8]),
}

impl FieldInfo {
    /// Whether the field is filling.
    pub fn is_filling(&self) -> bool {
        self.name.starts_with("pad")
    }

    /// The field's value in `event`, whose kind must be that of the row.
    ///
    /// ```
    /// use ringtape::event::fields::FieldValue;
    /// use ringtape::event::{Event, Kind, payload};
    /// use ringtape::units::{OrderId, Price, Qty};
    ///
    /// let replace = payload::Replace {
    ///     order_id: OrderId(1),
    ///     price: Price(2),
    ///     qty: Qty(3),
    ///     new_order_id: OrderId(4),
    /// };
    /// let event = Event::new(0, 1, replace);
    /// let values: Vec<_> = Kind::Replace.info().fields.iter().map(|f| f.read(&event)).collect();
    /// assert_eq!(values[1], FieldValue::Price(Price(2)));
    /// assert_eq!(values[3], FieldValue::Unsigned(4));
    /// ```
    pub fn read<'a>(&self, event: &'a Event) -> FieldValue<'a> {
        let bytes = &bytemuck::bytes_of(event)[self.offset..self.offset + self.bytes];
        let mut word = [0; 8];
        word[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        let unsigned = u64::from_le_bytes(word);
        match self.field_type {
            FieldType::Unsigned | FieldType::Qty => FieldValue::Unsigned(unsigned),
            FieldType::Price | FieldType::Price32 => {
                FieldValue::Price(Price(unsigned.cast_signed()))
            }
            FieldType::Letter => {
                FieldValue::Letter((unsigned != 0).then(|| char::from(unsigned as u8)))
            }
            FieldType::Text => FieldValue::Text(unpadded(bytes)),
            FieldType::Raw => FieldValue::Raw(bytes),
        }
    }
}

impl<const N: usize> Text<N> {
    /// Text padded with zeros, cut at `N` bytes.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        let kept = text.len().min(N);
        bytes[..kept].copy_from_slice(&text.as_bytes()[..kept]);
        Self(bytes)
    }

    /// Text padded with zeros from a venue's field with spaces behind its text; those within the
    /// text are of it.
    ///
    /// ```
    /// use ringtape::event::kinds::Text;
    ///
    /// assert_eq!(Text::<8>::from_padded(b"A B     ").as_str(), "A B");
    /// ```
    #[inline]
    pub fn from_padded(field: &[u8]) -> Self {
        let end = field.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
        let mut bytes = [0; N];
        for (byte, &given) in bytes.iter_mut().zip(&field[..end]) {
            *byte = given;
        }
        Self(bytes)
    }

    /// The text without its padding; empty when it is not ASCII.
    pub fn as_str(&self) -> &str {
        unpadded(&self.0)
    }
}

/// Text without the spaces and zeros behind it; empty when it is not ASCII.
fn unpadded(field: &[u8]) -> &str {
    let end = field.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    let text = &field[..end];
    if text.is_ascii() { std::str::from_utf8(text).unwrap_or("") } else { "" }
}
