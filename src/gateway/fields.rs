//! The fields of messages: how each type lies in bytes, and which bytes it refuses.

use super::message::RefusalReason;
use crate::event::kinds::Text;
use crate::event::{
    ExecutionKind, Instructions, Liquidity, OrderType, Reason, SelfTrade, TimeInForce,
};
use crate::units::{AccountId, MatchId, OrderId, Side};

/// A type that a message's field may have; little-endian.
pub(super) trait Field: Sized {
    /// Bytes of the field.
    const BYTES: usize;
    /// Its name in tables.
    const TYPE: &'static str;

    /// Appends the field.
    fn put(&self, out: &mut Vec<u8>);

    /// The field's value; `None` for bytes that mean nothing.
    fn get(bytes: &[u8]) -> Option<Self>;
}

/// The number of a run: the one of its market journal, or a random one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub [u8; 16]);

/// What an instrument is called.
pub type Symbol = Text<24>;

/// Yes or no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

/// Bits of [`Instructions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderBits(pub u8);

macro_rules! numbers {
    ($($ty:ident),+) => {$(
        impl Field for $ty {
            const BYTES: usize = size_of::<$ty>();
            const TYPE: &'static str = stringify!($ty);

            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )+};
}

macro_rules! wrapped {
    ($($ty:ident($inner:ident)),+) => {$(
        impl Field for $ty {
            const BYTES: usize = <$inner as Field>::BYTES;
            const TYPE: &'static str = stringify!($inner);

            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                <$inner as Field>::get(bytes).map(Self)
            }
        }
    )+};
}

macro_rules! coded {
    ($($ty:ident($code:ident)),+) => {$(
        impl Field for $ty {
            const BYTES: usize = <$code as Field>::BYTES;
            const TYPE: &'static str = concat!(stringify!($code), " code");

            fn put(&self, out: &mut Vec<u8>) {
                (*self as $code).put(out);
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                <$code as Field>::get(bytes).and_then(Self::from_code)
            }
        }
    )+};
}

macro_rules! optional {
    ($($ty:ident),+) => {$(
        impl Field for Option<$ty> {
            const BYTES: usize = 1;
            const TYPE: &'static str = "u8 code";

            fn put(&self, out: &mut Vec<u8>) {
                out.push(self.map_or(0, |value| value as u8));
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                match u8::get(bytes)? {
                    0 => Some(None),
                    code => $ty::from_code(code).map(Some),
                }
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, i64);
wrapped!(OrderId(u64), AccountId(u32), MatchId(u64));
coded!(
    Side(u8),
    OrderType(u8),
    TimeInForce(u8),
    SelfTrade(u8),
    ExecutionKind(u8),
    RefusalReason(u8),
    Reason(u16)
);
optional!(Side, Liquidity);

impl Field for Flag {
    const BYTES: usize = 1;
    const TYPE: &'static str = "u8 flag";

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0));
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(Self(false)),
            [1] => Some(Self(true)),
            _ => None,
        }
    }
}

impl Field for OrderBits {
    const BYTES: usize = 1;
    const TYPE: &'static str = "u8 bits";

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        u8::get(bytes).filter(|bits| bits & !Instructions::ALL == 0).map(Self)
    }
}

impl Field for RunId {
    const BYTES: usize = 16;
    const TYPE: &'static str = "16 bytes";

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Field for Symbol {
    const BYTES: usize = 24;
    const TYPE: &'static str = "24 letters";

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::new(self.as_str()).0);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.trim_end_matches(['\0', ' ']);
        let is_word = !text.is_empty() && text.bytes().all(|letter| matches!(letter, b' '..=b'~'));
        let symbol = Self(bytes.try_into().ok()?);
        (is_word && Self::new(text) == symbol).then_some(symbol)
    }
}
