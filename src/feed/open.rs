//! Opening a feed: what the bytes are decides who reads them, never a name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "json")]
use super::binance;
#[cfg(feature = "pcap")]
use super::capture::{self, Capture, Protocol};
#[cfg(feature = "dbn")]
use super::dbn::DbnFeed;
#[cfg(feature = "pcap")]
use super::iex::IexFeed;
use super::itch::ItchFeed;
use super::lobster::{LobsterFeed, looks_like_rows};
#[cfg(feature = "pcap")]
use super::moldudp64;
use super::orders::{self, OrderFeed};
use super::soupbintcp;
use super::source::Source;
use super::tardis::{self, TardisFeed};
#[cfg(feature = "udp")]
use super::udp::{SCHEME, UdpFeed};
use super::{Date, Feed, Zone};
use crate::error::{Error, Result};
use crate::event::InstrumentOverrides;
use crate::map;

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

/// Opens a feed: a recording, standard input by the path `-`, or what is live at a path that is an
/// address, `udp://...`.
///
/// The content decides what the format is, plain or compressed, never the name. A plain file is
/// mapped; pipes are read as they come, and pulling from them waits.
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
    #[cfg(feature = "udp")]
    if let Some(address) = path.to_str().filter(|path| path.starts_with(SCHEME)) {
        return Ok(Box::new(UdpFeed::open(address.parse()?, options)?));
    }
    recognise(open_source(path)?, books_beside(path), options)
}

/// Opens a feed over bytes in memory, plain or compressed: what [`open`] makes of a file of them.
///
/// # Errors
///
/// Those of [`open`], but for missing files.
///
/// ```
/// use ringtape::feed::{self, OpenOptions};
///
/// let row = "34200.0,1,7,18,5853300,1\n";
/// let feed = feed::open_bytes("example", row, &OpenOptions::default())?;
/// assert_eq!(feed.description().format, "lobster");
/// let none = feed::open_bytes("example", "no feed", &OpenOptions::default());
/// assert!(none.is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub fn open_bytes(
    origin: &str,
    bytes: impl AsRef<[u8]> + Send + 'static,
    options: &OpenOptions,
) -> Result<Box<dyn Feed>> {
    recognise(Source::from_bytes(origin, bytes)?, None, options)
}

/// Reads a source by what its first bytes are; `books` is the order book file of LOBSTER beside it.
fn recognise(
    source: Source,
    books: Option<PathBuf>,
    options: &OpenOptions,
) -> Result<Box<dyn Feed>> {
    #[cfg(feature = "pcap")]
    if capture::format(source.head()).is_some() {
        return open_capture(source, options);
    }
    #[cfg(feature = "dbn")]
    if super::dbn::is_dbn(source.head()) {
        return Ok(Box::new(DbnFeed::from_source(source)?));
    }
    if soupbintcp::is_recording(source.head()) {
        return Ok(Box::new(ItchFeed::from_source(soupbintcp::unwrap(source), options)?));
    }
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
        let feed = LobsterFeed::from_source(source, options)?;
        return Ok(match books {
            Some(books) => Box::new(feed.beside(open_file(&books)?)),
            None => Box::new(feed),
        });
    }
    Ok(Box::new(ItchFeed::from_source(source, options)?))
}

/// Opens a capture of packets by what they carry.
#[cfg(feature = "pcap")]
fn open_capture(source: Source, options: &OpenOptions) -> Result<Box<dyn Feed>> {
    let protocol = capture::protocol(source.head());
    let capture = Capture::new(source)?;
    match protocol {
        Protocol::MoldUdp64 | Protocol::Unknown => {
            Ok(Box::new(ItchFeed::from_source(moldudp64::unwrap(capture), options)?))
        }
        Protocol::IexTp(inner) => Ok(Box::new(IexFeed::new(capture, inner)?)),
    }
}

/// The order book file of LOBSTER that lies beside a message file, by their names.
fn books_beside(messages: &Path) -> Option<PathBuf> {
    let name = messages.file_name()?.to_str()?;
    let books = messages.with_file_name(name.replace("message", "orderbook"));
    (books != messages && books.is_file()).then_some(books)
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
