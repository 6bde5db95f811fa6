//! Where the bytes of a feed come from: a mapped file, memory, a pipe, any of them as gzip.
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

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

#[cfg(feature = "json")]
use super::binance;
use super::itch::ItchFeed;
use super::lobster::{LobsterFeed, looks_like_rows};
use super::orders::{self, OrderFeed};
use super::tardis::{self, TardisFeed};
use super::{Date, Description, Feed, Zone};
use crate::error::{Error, Result};
use crate::event::InstrumentOverrides;
use crate::hash::hash_bytes;
use crate::map;

/// Bytes past a window's limit that it shows all the same.
pub(crate) const WINDOW_MARGIN: usize = 128;

/// Bytes of a streaming source's buffer: small enough that what was inflated is still in the
/// processor's cache when it is decoded.
const BUFFER_BYTES: usize = 256 << 10;

/// First bytes, after decompression, that recognise a format and identify a source.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

const _: () = {
    // The longest frame with its prefix and the header after it fits, and so does the head.
    assert!(BUFFER_BYTES > (1 << 16) + 2 * WINDOW_MARGIN);
    assert!(BUFFER_BYTES >= HEAD_BYTES);
};

/// First bytes of a gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a caller knows about a feed that the feed does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Midnight of the session in US Eastern time, in ns since the Unix epoch, for feeds whose
    /// clock that is; 0 leaves times as ns since midnight.
    pub midnight_ns: u64,
    /// The same in UTC, for feeds of other venues.
    pub utc_midnight_ns: u64,
    /// What the user knows of instruments; order files take their price increments from it.
    pub instruments: Option<Arc<InstrumentOverrides>>,
}

impl OpenOptions {
    /// The options for a session of a date.
    ///
    /// ```
    /// use ringtape::feed::OpenOptions;
    ///
    /// let options = OpenOptions::on("2020-01-30".parse()?);
    /// assert_eq!(options.midnight_ns - options.utc_midnight_ns, 5 * 3_600_000_000_000);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn on(date: Date) -> Self {
        Self {
            midnight_ns: Zone::Eastern.midnight_ns(date),
            utc_midnight_ns: Zone::Utc.midnight_ns(date),
            instruments: None,
        }
    }
}

/// Opens a recorded feed; the path `-` is standard input.
///
/// The content decides what the format is, plain or gzip, never the name. A plain file is mapped;
/// pipes are read as they come, and pulling from them waits.
///
/// # Errors
///
/// [`Error::Io`] when there is no such file or it cannot be read, [`Error::UnknownFormat`] when it
/// is of no format that can be read (the message says what it looks like), [`Error::BadFeed`] when
/// its compressed data are damaged at the very start.
///
/// ```no_run
/// use ringtape::event::Event;
/// use ringtape::feed::{self, Fill, OpenOptions};
///
/// let mut feed = feed::open("day.itch.gz".as_ref(), &OpenOptions::default())?;
/// let mut events = [bytemuck::Zeroable::zeroed(); 256];
/// while let Fill::Records(count) = feed.fill(&mut events)? {
///     let records: &[Event] = &events[..count];
///     println!("{} records", records.len());
/// }
/// println!("{} messages", feed.checks().messages);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub fn open(path: &Path, options: &OpenOptions) -> Result<Box<dyn Feed>> {
    let source = open_source(path)?;
    if orders::is_order_file(source.head()) {
        return Ok(Box::new(OrderFeed::from_source(source, options)?));
    }
    if tardis::looks_like(source.head()) {
        return Ok(Box::new(TardisFeed::from_source(source)?));
    }
    #[cfg(feature = "json")]
    if binance::looks_like(source.head()) {
        return Ok(Box::new(binance::BinanceFeed::from_source(source)?));
    }
    if looks_like_rows(source.head()) {
        return Ok(Box::new(LobsterFeed::from_source(source, options)?));
    }
    Ok(Box::new(ItchFeed::from_source(source, options)?))
}

/// Opens an order file; the path `-` is standard input.
///
/// # Errors
///
/// [`Error::Io`], and [`Error::BadOrders`] when the header is not that of an order file.
pub fn open_orders(path: &Path, options: &OpenOptions) -> Result<OrderFeed> {
    OrderFeed::from_source(open_source(path)?, options)
}

fn open_source(path: &Path) -> Result<Source> {
    if path == Path::new("-") {
        return Source::from_reader("stdin", Box::new(io::stdin()));
    }
    open_file(path)
}

fn open_file(path: &Path) -> Result<Source> {
    let failed = |source| Error::io("open", path, source);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let origin = path.display().to_string();
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() {
        return Source::from_bytes(&origin, map::map_for_reading(&file, path)?);
    }
    Source::from_reader(&origin, Box::new(file))
}

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
    /// Offset of the window's first byte.
    offset: u64,
    bytes: Bytes,
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
    reader: Inflate,
    /// Bytes read lie in `start..end`; a margin is kept free behind.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_ended: bool,
    /// The error that ended it.
    failure: Option<io::Error>,
}

/// A reader with or without decompression that knows how much it has read.
enum Inflate {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
}

struct Counted {
    reader: Box<dyn Read + Send>,
    bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }

    fn stored_bytes(&self) -> u64 {
        match self {
            Self::Plain(reader) => reader.bytes,
            Self::Gzip(decoder) => decoder.get_ref().bytes,
        }
    }
}

impl Source {
    /// A source over bytes in memory, plain or gzip.
    pub(crate) fn from_bytes(
        origin: &str,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self> {
        let stored_bytes = Some(bytes.as_ref().len() as u64);
        if bytes.as_ref().starts_with(&GZIP_MAGIC) {
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
            offset: 0,
            bytes: Bytes::Memory(memory),
        })
    }

    /// A source over a stream, plain or gzip.
    pub(crate) fn from_reader(origin: &str, mut reader: Box<dyn Read + Send>) -> Result<Self> {
        let mut magic = Vec::new();
        reader
            .by_ref()
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(|source| Error::io("read", origin, source))?;
        let is_gzip = magic == GZIP_MAGIC;
        let whole = Counted { reader: Box::new(Cursor::new(magic).chain(reader)), bytes: 0 };
        let reader = match is_gzip {
            true => Inflate::Gzip(Box::new(MultiGzDecoder::new(whole))),
            false => Inflate::Plain(whole),
        };
        let mut stream = Stream {
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
        Ok(Self {
            origin: origin.to_owned(),
            stored_bytes: None,
            offset: 0,
            bytes: Bytes::Stream(stream),
        })
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
            format,
            compression: if self.is_gzip() { "gzip" } else { "none" },
            stored_bytes: self.stored_bytes,
            identity: hash_bytes(self.head()),
            ..Description::default()
        }
    }

    pub(crate) fn is_gzip(&self) -> bool {
        matches!(&self.bytes, Bytes::Stream(Stream { reader: Inflate::Gzip(_), .. }))
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

    /// Moves the window's start behind what was decoded.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.offset += count as u64;
        match &mut self.bytes {
            Bytes::Memory(memory) => memory.start += count,
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
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};

        let is_gzip = self.is_gzip();
        let Bytes::Stream(stream) = &mut self.bytes else { return None };
        let failure = stream.failure.take()?;
        let what = match failure.kind() {
            UnexpectedEof if is_gzip => "the gzip data end early".to_owned(),
            InvalidData | InvalidInput if is_gzip => {
                format!("the gzip data are damaged ({failure})")
            }
            _ => return Some(Error::io("read", &self.origin, failure)),
        };
        let offset = self.offset + (stream.end - stream.start) as u64;
        Some(Error::BadFeed {
            origin: self.origin.clone(),
            offset,
            message,
            what,
            cure: "get the file again; `gzip -t` tells whether it is whole".to_owned(),
        })
    }
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
