//! Where the bytes of a feed come from: a mapped file, memory, a pipe, any of them compressed or
//! wrapped in packets.
//!
//! A [`Source`] shows its bytes as a [`Window`], so that one decode loop serves all: the whole file
//! at once where it lies in memory, a bounded buffer's content where it streams. A window always
//! shows some bytes past its limit, which lets the decoder load without looking where the data end.
//!
//! ```text
//!   mapped file  [=================================================|.........]   first window
//!                                                                  [=========]+zeros   second
//!   stream              [consumed....|=== window ===|free.....]+zeros   refill moves it left
//! ```

use std::io::{self, Cursor, Read};

use super::Description;
use super::unpack::{Compression, Findings, MAGIC_BYTES, Unpacked, Unwrap, Wrapped};
use crate::error::{Error, Result};
use crate::hash::hash_bytes;

/// Bytes past a window's limit that it shows all the same.
pub(crate) const WINDOW_MARGIN: usize = 128;

/// Bytes of a streaming source's buffer: small enough that what was inflated is still in the
/// processor's cache when it is decoded.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;

/// First bytes, after decompression, that recognise a format and identify a source.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

const _: () = {
    // The longest frame with its prefix and the header after it fits, and so does the head.
    assert!(BUFFER_BYTES > (1 << 16) + 2 * WINDOW_MARGIN);
    assert!(BUFFER_BYTES >= HEAD_BYTES);
};

/// The bytes that can be decoded now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// The bytes, and at least [`WINDOW_MARGIN`] more past the limit.
    pub(crate) bytes: &'a [u8],
    /// Bytes that count.
    pub(crate) limit: usize,
    /// Whether nothing follows the limit.
    pub(crate) is_ended: bool,
}

/// The bytes of a feed after decompression.
pub(crate) struct Source {
    origin: String,
    /// Size as stored; `None` for a stream.
    stored_bytes: Option<u64>,
    compression: Compression,
    /// What carries the messages; `None` when they follow one another in the bytes.
    carrier: Option<Carrier>,
    /// Offset of the window's first byte.
    offset: u64,
    bytes: Bytes,
}

/// What messages are carried in.
#[derive(Clone, Copy)]
struct Carrier {
    /// Name of the format, carrier and all.
    format: &'static str,
    /// How the carrier is compressed.
    compression: &'static str,
}

enum Bytes {
    Memory(Memory),
    Stream(Stream),
}

/// Bytes that are all there.
struct Memory {
    all: Box<dyn AsRef<[u8]> + Send>,
    /// The last bytes with a margin of zeros, once the window has come there.
    tail: Option<Vec<u8>>,
    /// Where the window starts, in `all` or in the tail.
    start: usize,
}

/// Bytes that come bit by bit.
struct Stream {
    reader: Unpacked,
    /// Bytes read lie in `start..end`; a margin is kept free behind.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_ended: bool,
    /// The error that ended it.
    failure: Option<io::Error>,
}

impl Source {
    /// A source over bytes in memory, plain or compressed.
    pub(crate) fn from_bytes(
        origin: &str,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self> {
        let stored_bytes = Some(bytes.as_ref().len() as u64);
        if Compression::of(bytes.as_ref()) != Compression::None {
            let source = Self::from_reader(origin, Box::new(Cursor::new(bytes)))?;
            return Ok(Self { stored_bytes, ..source });
        }
        let mut memory = Memory { all: Box::new(bytes), tail: None, start: 0 };
        if memory.all.as_ref().as_ref().len() <= WINDOW_MARGIN {
            memory.move_to_tail();
        }
        Ok(Self {
            origin: origin.to_owned(),
            stored_bytes,
            compression: Compression::None,
            carrier: None,
            offset: 0,
            bytes: Bytes::Memory(memory),
        })
    }

    /// A source over a stream, plain or compressed.
    pub(crate) fn from_reader(origin: &str, mut reader: Box<dyn Read + Send>) -> Result<Self> {
        let failed = |source| Error::io("read", origin, source);
        let mut magic = Vec::new();
        reader.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic).map_err(failed)?;
        let compression = Compression::of(&magic);
        let whole = Box::new(Cursor::new(magic).chain(reader));
        let reader = Unpacked::new(compression, whole).map_err(failed)?;
        Ok(Self {
            origin: origin.to_owned(),
            stored_bytes: None,
            compression,
            carrier: None,
            offset: 0,
            bytes: Bytes::Stream(Stream::new(reader)),
        })
    }

    /// A source of the messages that `carrier` takes out of `packed`'s bytes; `format` names both.
    pub(crate) fn unwrapped(
        packed: &Description,
        format: &'static str,
        carrier: Box<dyn Unwrap>,
    ) -> Self {
        Self {
            origin: packed.origin.clone(),
            stored_bytes: packed.stored_bytes,
            compression: Compression::None,
            carrier: Some(Carrier { format, compression: packed.compression }),
            offset: 0,
            bytes: Bytes::Stream(Stream::new(Unpacked::Wrapped(Wrapped::new(carrier)))),
        }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The first bytes, while nothing was consumed.
    pub(crate) fn head(&self) -> &[u8] {
        let bytes = match &self.bytes {
            Bytes::Memory(memory) => memory.all.as_ref().as_ref(),
            Bytes::Stream(stream) => &stream.buffer[..stream.end],
        };
        &bytes[..bytes.len().min(HEAD_BYTES)]
    }

    /// What is known of the source before the first message of `format`.
    pub(crate) fn describe(&self, format: &'static str) -> Description {
        Description {
            origin: self.origin.clone(),
            format: self.carrier.map_or(format, |carrier| carrier.format),
            compression: match self.carrier {
                Some(carrier) => carrier.compression,
                None => self.compression.name(),
            },
            stored_bytes: self.stored_bytes,
            identity: hash_bytes(self.head()),
            ..Description::default()
        }
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Whether the messages were taken out of packets, so that offsets are not the file's.
    pub(crate) fn is_unwrapped(&self) -> bool {
        self.carrier.is_some()
    }

    /// What the carrier of the messages found so far.
    #[inline]
    pub(crate) fn findings(&mut self) -> Option<&mut Findings> {
        match &mut self.bytes {
            Bytes::Stream(Stream { reader: Unpacked::Wrapped(wrapped), .. }) => {
                Some(wrapped.carrier.findings())
            }
            _ => None,
        }
    }

    /// Time spent on decompression.
    pub(crate) fn inflate_ns(&self) -> u64 {
        match &self.bytes {
            Bytes::Memory(_) => 0,
            Bytes::Stream(stream) => stream.reader.busy_ns(),
        }
    }

    /// Offset of the window's first byte after decompression.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes read of the source as it is stored.
    pub(crate) fn stored_offset(&self) -> u64 {
        match &self.bytes {
            Bytes::Memory(_) => self.offset,
            Bytes::Stream(stream) => stream.reader.stored_bytes(),
        }
    }

    #[inline]
    pub(crate) fn window(&self) -> Window<'_> {
        match &self.bytes {
            Bytes::Memory(memory) => memory.window(),
            Bytes::Stream(stream) => Window {
                bytes: &stream.buffer[stream.start..],
                limit: stream.end - stream.start,
                is_ended: stream.is_ended,
            },
        }
    }

    /// Whether the window shows as much as there is room for.
    #[cfg(feature = "pcap")]
    pub(crate) fn is_full(&self) -> bool {
        match &self.bytes {
            Bytes::Memory(_) => false,
            Bytes::Stream(stream) => stream.end - stream.start == BUFFER_BYTES,
        }
    }

    /// Moves the window's start behind what was decoded.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.offset += count as u64;
        match &mut self.bytes {
            Bytes::Memory(memory) => memory.consume(count),
            Bytes::Stream(stream) => stream.start += count,
        }
    }

    /// Shows more of what follows; waits for it where it streams.
    ///
    /// A failure to read ends the window; [`Source::take_failure`] has it.
    pub(crate) fn refill(&mut self) {
        match &mut self.bytes {
            Bytes::Memory(memory) => memory.move_to_tail(),
            Bytes::Stream(stream) => stream.refill(),
        }
    }

    /// Reads the next line into `line`, without its end, or what is left where no end follows;
    /// stops when it is longer than `bytes_max`. Whether there was one.
    pub(crate) fn read_line(&mut self, line: &mut Vec<u8>, bytes_max: usize) -> bool {
        line.clear();
        loop {
            let window = self.window();
            let bytes = &window.bytes[..window.limit];
            let end = bytes.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            let (consumed, is_over) = (end.map_or(bytes.len(), |end| end + 1), window.is_ended);
            self.consume(consumed);
            if end.is_some() || is_over || line.len() > bytes_max {
                return end.is_some() || !line.is_empty();
            }
            self.refill();
        }
    }

    /// Everything that is left, for formats that look ahead.
    pub(crate) fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let Window { bytes, limit, is_ended } = self.window();
            all.extend_from_slice(&bytes[..limit]);
            self.consume(limit);
            if is_ended {
                return self.take_failure(0).map_or(Ok(all), Err);
            }
            self.refill();
        }
    }

    /// The error that ended the source before its time, as a fault of message `message`.
    pub(crate) fn take_failure(&mut self, message: u64) -> Option<Error> {
        use io::ErrorKind::UnexpectedEof;

        let Bytes::Stream(stream) = &mut self.bytes else { return None };
        let failure = match stream.failure.take()?.downcast::<Error>() {
            Ok(told) => return Some(told.at_message(message)),
            Err(failure) => failure,
        };
        let packed = self.compression.name();
        let what = match failure.kind() {
            _ if self.compression == Compression::None => {
                return Some(Error::io("read", &self.origin, failure));
            }
            UnexpectedEof => format!("the {packed} data end early"),
            kind if is_of_data(kind) => format!("the {packed} data are damaged ({failure})"),
            _ => return Some(Error::io("read", &self.origin, failure)),
        };
        let offset = self.offset + (stream.end - stream.start) as u64;
        let test = self.compression.test_command();
        Some(Error::BadFeed {
            origin: self.origin.clone(),
            offset,
            message,
            what,
            cure: format!("get the file again; {test} tells whether it is whole"),
        })
    }
}

/// Whether an error of this kind is one of a decompressor: `zstd` has no kind of its own.
fn is_of_data(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other};
    matches!(kind, InvalidData | InvalidInput | Other)
}

impl Memory {
    #[inline]
    fn window(&self) -> Window<'_> {
        match &self.tail {
            Some(tail) => Window {
                bytes: &tail[self.start..],
                limit: tail.len() - WINDOW_MARGIN - self.start,
                is_ended: true,
            },
            None => {
                let bytes = &self.all.as_ref().as_ref()[self.start..];
                Window { bytes, limit: bytes.len() - WINDOW_MARGIN, is_ended: false }
            }
        }
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.start += count;
        // A header that reaches into the margin leaves less than one behind it.
        if self.tail.is_none() && self.all.as_ref().as_ref().len() - self.start < WINDOW_MARGIN {
            self.move_to_tail();
        }
    }

    /// Copies what is left, so that a margin can follow it.
    fn move_to_tail(&mut self) {
        if self.tail.is_none() {
            let left = &self.all.as_ref().as_ref()[self.start..];
            self.tail = Some([left, &[0; WINDOW_MARGIN]].concat());
            self.start = 0;
        }
    }
}

impl Stream {
    /// A stream of which the first bytes are there.
    fn new(reader: Unpacked) -> Self {
        let mut stream = Self {
            reader,
            buffer: vec![0; BUFFER_BYTES + WINDOW_MARGIN],
            start: 0,
            end: 0,
            is_ended: false,
            failure: None,
        };
        while stream.end < HEAD_BYTES && !stream.is_ended {
            stream.refill();
        }
        stream
    }

    fn refill(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        debug_assert!(self.end < BUFFER_BYTES, "a frame and the next header fit");
        match self.reader.read(&mut self.buffer[self.end..BUFFER_BYTES]) {
            Ok(0) => self.is_ended = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.is_ended = true;
                self.failure = Some(error);
            }
        }
    }
}
