//! Taking off what a recording is wrapped in: compression, and what carries its messages.
//!
//! ```text
//!   stored bytes --> gzip or zstd --> packets of a capture --> framed messages --> decoder
//!                    `Unpacked`       `Unwrap`
//! ```

use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::Instant;

use flate2::read::MultiGzDecoder;

use super::{Gap, LineCounts, PacketCounts};
use crate::error::Result;

/// First bytes of a gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// First bytes of a zstd frame (RFC 8878).
#[cfg(feature = "zstd")]
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes that tell the compression.
pub(super) const MAGIC_BYTES: usize = 4;

/// How stored bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Compression {
    /// The compression of bytes that start with `head`.
    pub(super) fn of(head: &[u8]) -> Self {
        if head.starts_with(&GZIP_MAGIC) {
            return Self::Gzip;
        }
        #[cfg(feature = "zstd")]
        if head.starts_with(&ZSTD_MAGIC) {
            return Self::Zstd;
        }
        Self::None
    }

    /// Its name in descriptions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    /// The command that tells whether a file so compressed is whole.
    pub(super) fn test_command(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "`gzip -t`",
            #[cfg(feature = "zstd")]
            Self::Zstd => "`zstd -t`",
        }
    }
}

/// Takes messages out of what carries them, such as the packets of a capture.
pub(crate) trait Unwrap: Send {
    /// Takes the next packet in and adds its messages to `ready`, each a 2-byte big-endian length
    /// and so many bytes; `false` when no packet follows.
    fn step(&mut self, ready: &mut Vec<u8>) -> Result<bool>;

    /// What was found on the way so far.
    fn findings(&mut self) -> &mut Findings;

    /// Bytes read of the source as it is stored.
    fn stored_bytes(&self) -> u64;

    /// Time spent on decompression.
    fn inflate_ns(&self) -> u64;
}

/// What a carrier of messages had to tell beside them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Messages that are missing, in order, until the reader takes note of them.
    pub(crate) gaps: VecDeque<Gap>,
    /// What was counted of packets.
    pub(crate) packets: PacketCounts,
    /// The same by line; empty where there are none.
    pub(crate) lines: Vec<LineCounts>,
    /// Whether the carrier said that the session ended.
    pub(crate) has_end: bool,
    /// Sentences for the user.
    pub(crate) notes: Vec<String>,
}

/// A reader without compression and wrapping that knows how much it has read.
pub(super) enum Unpacked {
    Plain(Counted),
    Gzip(Timed<MultiGzDecoder<Counted>>),
    #[cfg(feature = "zstd")]
    Zstd(Timed<zstd::Decoder<'static, io::BufReader<Counted>>>),
    Wrapped(Wrapped),
}

/// A carrier of messages, and those that it gave and nobody has read yet.
pub(super) struct Wrapped {
    pub(super) carrier: Box<dyn Unwrap>,
    /// Framed messages, from `taken` on.
    ready: Vec<u8>,
    taken: usize,
    is_ended: bool,
}

pub(super) struct Counted {
    reader: Box<dyn Read + Send>,
    bytes: u64,
}

/// A decompressor and the time that it took.
pub(super) struct Timed<R> {
    reader: Box<R>,
    busy_ns: u64,
}

impl<R: Read> Timed<R> {
    fn new(reader: R) -> Self {
        Self { reader: Box::new(reader), busy_ns: 0 }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        let outcome = self.reader.read(buffer);
        self.busy_ns += u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        outcome
    }
}

impl Wrapped {
    pub(super) fn new(carrier: Box<dyn Unwrap>) -> Self {
        Self { carrier, ready: Vec::new(), taken: 0, is_ended: false }
    }

    /// Writes the next bytes of framed messages; 0 at the end. An error of ours travels inside the
    /// error.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.is_ended {
            self.ready.clear();
            self.taken = 0;
            let goes_on = self.carrier.step(&mut self.ready);
            self.is_ended = !matches!(goes_on, Ok(true));
            goes_on.map_err(io::Error::other)?;
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl Unpacked {
    /// What takes the compression off `reader`.
    pub(super) fn new(compression: Compression, reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let whole = Counted { reader, bytes: 0 };
        Ok(match compression {
            Compression::None => Self::Plain(whole),
            Compression::Gzip => Self::Gzip(Timed::new(MultiGzDecoder::new(whole))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Self::Zstd(Timed::new(zstd::Decoder::new(whole)?)),
        })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Wrapped(wrapped) => wrapped.read(buffer),
        }
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Plain(reader) => reader.bytes,
            Self::Gzip(decoder) => decoder.reader.get_ref().bytes,
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => decoder.reader.get_ref().get_ref().bytes,
            Self::Wrapped(wrapped) => wrapped.carrier.stored_bytes(),
        }
    }

    /// Time spent on decompression.
    pub(super) fn busy_ns(&self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Gzip(decoder) => decoder.busy_ns,
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => decoder.busy_ns,
            Self::Wrapped(wrapped) => wrapped.carrier.inflate_ns(),
        }
    }
}
