//! Saved state: how each stateful part turns itself into bytes and back.
//!
//! A part writes fixed-width little-endian numbers and counted byte strings in an order of its own
//! and reads them back in the same order. Reading past the end, a count that cannot be, or bytes
//! left over are an [`Error::BadState`] that names the part, never a panic.

use crate::error::{Error, Result};

/// Writes a part's state.
///
/// ```
/// use ringtape::state::{StateReader, StateWriter};
///
/// let mut writer = StateWriter::default();
/// writer.put_u64(7);
/// writer.put_bytes(b"seven");
/// let bytes = writer.into_bytes();
///
/// let mut reader = StateReader::new("example", &bytes);
/// assert_eq!(reader.u64()?, 7);
/// assert_eq!(reader.bytes()?, b"seven");
/// reader.finish()?;
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

/// Reads a part's state back.
#[derive(Clone, Debug)]
pub struct StateReader<'a> {
    part: &'static str,
    bytes: &'a [u8],
}

macro_rules! numbers {
    ($($put:ident $get:ident $ty:ty),+ $(,)?) => {
        impl StateWriter {
            $(
                #[doc = concat!("Writes a `", stringify!($ty), "`.")]
                pub fn $put(&mut self, value: $ty) {
                    self.bytes.extend_from_slice(&value.to_le_bytes());
                }
            )+
        }

        impl StateReader<'_> {
            $(
                #[doc = concat!("Reads a `", stringify!($ty), "`.")]
                pub fn $get(&mut self) -> Result<$ty> {
                    Ok(<$ty>::from_le_bytes(self.array()?))
                }
            )+
        }
    };
}

numbers! {
    put_u8 u8 u8, put_u16 u16 u16, put_u32 u32 u32, put_u64 u64 u64,
    put_i64 i64 i64, put_i128 i128 i128,
}

impl StateWriter {
    /// A writer into a buffer, whose room it uses; what was in it is dropped.
    pub fn reusing(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { bytes: buffer }
    }

    /// Writes a flag.
    pub fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    /// Writes a count.
    pub fn put_len(&mut self, count: usize) {
        self.put_u64(count as u64);
    }

    /// Writes a byte string with its length.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends what another writer wrote.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<'a> StateReader<'a> {
    /// A reader of the bytes that `part` wrote.
    pub fn new(part: &'static str, bytes: &'a [u8]) -> Self {
        Self { part, bytes }
    }

    /// Reads a flag.
    pub fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.bad(format!("flag has value {other}"))),
        }
    }

    /// Reads a count of things that take at least `bytes_each` bytes.
    pub fn len(&mut self, bytes_each: usize) -> Result<usize> {
        let count = self.u64()?;
        let most = self.bytes.len() / bytes_each.max(1);
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(self.bad(format!("count {count} does not fit what is left"))),
        }
    }

    /// Reads a byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.len(1)?;
        let (head, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(head)
    }

    /// Checks that nothing is left.
    pub fn finish(self) -> Result<()> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(self.bad(format!("{left} bytes are left over"))),
        }
    }

    /// An error of this part.
    pub fn bad(&self, what: impl Into<String>) -> Error {
        Error::bad_state(self.part, what)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) =
            self.bytes.split_first_chunk::<N>().ok_or_else(|| self.bad("it ends too early"))?;
        self.bytes = rest;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_or_overlong_state_is_an_error_at_every_length() {
        let mut writer = StateWriter::default();
        writer.put_i128(-1);
        writer.put_bytes(b"abc");
        let bytes = writer.into_bytes();
        let load = |bytes: &[u8]| -> Result<()> {
            let mut reader = StateReader::new("test", bytes);
            reader.i128()?;
            reader.bytes()?;
            reader.finish()
        };
        assert!(load(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(load(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(load(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}
