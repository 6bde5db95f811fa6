//! A source as the `dbn` crate reads it, with nothing in it that the crate does not bear.

use std::io::{self, Read};

use super::PRELUDE_BYTES;
use crate::error::Error;
use crate::feed::source::Source;

/// Bytes of the words in which a record's first byte tells its length.
const WORD_BYTES: u64 = 4;

/// A source as a reader, for the crate's decoder.
///
/// WHY it looks at lengths: the crate takes records by reference where they lie, and relies on each
/// having a whole number of eight bytes, which a damaged file need not keep to.
pub(super) struct SourceReader {
    pub(super) source: Source,
    /// Offset of the next record.
    next_record: u64,
}

impl SourceReader {
    /// A reader of a whole file whose first record is at `first_record`.
    pub(super) fn new(source: Source, first_record: u64) -> Self {
        Self { source, next_record: first_record }
    }

    /// How many of `bytes`, from `offset` on, come before a record of a wrong length.
    fn sound(&mut self, offset: u64, bytes: &[u8]) -> usize {
        loop {
            let at = usize::try_from(self.next_record - offset).unwrap_or(usize::MAX);
            match bytes.get(at) {
                Some(words) if words % 2 == 1 => return at,
                // The decoder refuses a record without length.
                Some(0) => self.next_record = u64::MAX,
                Some(words) => self.next_record += WORD_BYTES * u64::from(*words),
                None => return bytes.len(),
            }
        }
    }

    /// Reads what the source shows next.
    fn read_window(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.source.window().limit == 0 {
            if self.source.window().is_ended {
                let failure = self.source.take_failure(0);
                return failure.map_or(Ok(0), |error| Err(io::Error::other(error)));
            }
            self.source.refill();
        }
        let offset = self.source.offset();
        let count = self.source.window().limit.min(out.len());
        out[..count].copy_from_slice(&self.source.window().bytes[..count]);
        let sound = self.sound(offset, &out[..count]);
        if sound == 0 && count > 0 {
            return Err(io::Error::other(Error::BadFeed {
                origin: self.source.origin().to_owned(),
                offset,
                message: 0,
                what: format!(
                    "a record has {} bytes, no multiple of 8",
                    u64::from(out[0]) * WORD_BYTES
                ),
                cure: "every record before it was read; get the file again, it is damaged here"
                    .to_owned(),
            }));
        }
        self.source.consume(sound);
        Ok(sound)
    }
}

impl Read for SourceReader {
    /// WHY the first bytes come together: the crate panics when its first read brings less than
    /// what stands before the metadata, and the last bytes of a short file are a window apart.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = self.read_window(out)?;
        while count > 0 && self.source.offset() < PRELUDE_BYTES as u64 {
            match self.read_window(&mut out[count..])? {
                0 => break,
                more => count += more,
            }
        }
        Ok(count)
    }
}
