//! What makes the table of kinds: the shape of a row, and the macro that turns the one list into
//! enum, payloads, view and table.

use super::fields::FieldInfo;
use super::kinds::{KINDS, Kind};
use bytemuck::Pod;

/// Who puts records of a kind on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What a venue published.
    Market,
    /// What a user asks for: orders, limits, the kill switch.
    Command,
    /// What the engine itself notes: time, positions in the feed, snapshots.
    Engine,
}

/// A row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// Its name in dumps, filters and documents.
    pub name: &'static str,
    /// Who puts it on the ring.
    pub group: Group,
    /// What it means, in a sentence.
    pub summary: &'static str,
    /// Its payload, in the order of the bytes.
    pub fields: &'static [FieldInfo],
}

impl Kind {
    /// The kind's row in the table.
    pub fn info(self) -> &'static KindInfo {
        let index = KINDS.partition_point(|info| (info.kind as u8) < self as u8);
        &KINDS[index]
    }

    /// The kind's name in dumps, filters and documents.
    pub fn name(self) -> &'static str {
        self.info().name
    }
}

/// Bytes of a payload.
pub const PAYLOAD_BYTES: usize = 32;

/// Offset of the payload within the record.
pub const PAYLOAD_OFFSET: usize = std::mem::offset_of!(super::Event, payload);

/// A payload structure and the kind that it belongs to.
pub trait Payload: Pod {
    /// The kind whose payload this is.
    const KIND: Kind;
}

/// Makes the kinds: an enum, a payload structure each, the view, the table.
macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])+
        $group:ident $name:literal $kind:ident = $code:literal {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $ty:ty, )+
        }
    )+) => {
        /// The kind of an [`Event`]: byte 16 of the record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $( $(#[doc = $doc])+ $kind = $code, )+
        }

        impl Kind {
            /// The kind of a code; `None` for codes without one.
            #[inline]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$kind), )+
                    _ => None,
                }
            }
        }

        /// The payloads of all kinds, 32 bytes each.
        pub mod payload {
            use super::*;

            $(
                $(#[doc = $doc])+
                #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
                #[repr(C)]
                pub struct $kind {
                    $( $(#[doc = $field_doc])+ pub $field: $ty, )+
                }

                impl super::Payload for $kind {
                    const KIND: Kind = Kind::$kind;
                }

                const _: () = assert!(size_of::<$kind>() == super::PAYLOAD_BYTES);
            )+
        }

        /// A record with its payload typed by kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventView<'a> {
            $( $(#[doc = $doc])+ $kind(&'a payload::$kind), )+
            /// A code that this version does not know.
            Unknown(u8),
        }

        impl Event {
            /// The payload, typed by the record's kind.
            #[inline(always)]
            pub fn view(&self) -> EventView<'_> {
                match self.kind {
                    $( $code => EventView::$kind(bytemuck::cast_ref(&self.payload)), )+
                    code => EventView::Unknown(code),
                }
            }
        }

        /// Every kind, by ascending code.
        pub const KINDS: &[KindInfo] = &[
            $( KindInfo {
                kind: Kind::$kind,
                name: $name,
                group: Group::$group,
                summary: concat!($($doc),+),
                fields: &[
                    $( FieldInfo {
                        name: stringify!($field),
                        summary: concat!($($field_doc),+),
                        offset: PAYLOAD_OFFSET + offset_of!(payload::$kind, $field),
                        bytes: size_of::<$ty>(),
                        field_type: <$ty as Field>::TYPE,
                    }, )+
                ],
            }, )+
        ];
    };
}

pub(super) use kinds;
