//! Captures of packets: pcap and pcapng files down to the payloads of UDP datagrams.
//!
//! ```text
//!   file        | header | record | record | ...      `file`: pcap and pcapng, in both orders
//!   record      stamp, lengths | frame
//!   frame       Ethernet [802.1Q, 802.1ad] | IPv4, IPv6 | UDP | payload      `link`
//!   payload     MoldUDP64, IEX-TP, ...                                       `protocol`
//! ```
//!
//! What a payload means is for others: `Capture::next` hands out one `Datagram` at a time and
//! knows no protocol; `protocol` tells what the first ones of a capture look like.
//!
//! * Frames that are no UDP datagrams are passed over and counted.
//! * A fragment of a UDP datagram is an error: nothing here puts it together, and to leave it out
//!   would lose messages in silence.
//! * Frames that the capture cut short are passed over, counted and told.
//! * A capture that ends inside a record, as one does whose program was killed, ends there, and
//!   says so.

mod file;
mod link;
mod protocol;
mod write;

use std::net::SocketAddr;

use self::file::{File, Step};
use self::link::Frame;
pub(crate) use self::protocol::{Protocol, protocol};
pub use self::write::{CaptureFormat, CaptureWriter};
use super::Description;
use super::source::{BUFFER_BYTES, Source};
use crate::error::{Error, Result};

/// Format of a capture by its first bytes; `None` when it is none.
pub(crate) fn format(head: &[u8]) -> Option<&'static str> {
    file::format(head)
}

/// The payload of a UDP datagram, and where it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) payload: &'a [u8],
    /// When it was captured, in ns since the Unix epoch.
    pub(crate) captured_ns: u64,
    pub(crate) destination: SocketAddr,
    /// Byte of the capture where its record starts.
    pub(crate) offset: u64,
}

/// What was passed over in a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Frames that hold no UDP datagram.
    pub(crate) others: u64,
    /// Frames of which the capture holds a part only.
    pub(crate) cut: u64,
}

/// A capture that is being read.
pub(crate) struct Capture {
    source: Source,
    description: Description,
    file: File,
    /// The payload in hand, and what is known of it.
    payload: Vec<u8>,
    found: Found,
    passed: Passed,
    /// Where the capture ends inside a record.
    torn_at: Option<u64>,
}

/// A datagram without its payload.
#[derive(Clone, Copy, Debug)]
struct Found {
    captured_ns: u64,
    destination: SocketAddr,
    offset: u64,
}

impl Capture {
    /// Reads the header of a capture.
    ///
    /// # Errors
    ///
    /// [`Error::BadFeed`] when the header is damaged, or of links that are not known here.
    pub(crate) fn new(mut source: Source) -> Result<Self> {
        let description = source.describe(format(source.head()).unwrap_or("pcap"));
        let file = File::new(&mut source)?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Self {
            source,
            description,
            file,
            payload: Vec::new(),
            found: Found { captured_ns: 0, destination: nowhere, offset: 0 },
            passed: Passed::default(),
            torn_at: None,
        })
    }

    /// What the capture is.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// What was passed over so far.
    pub(crate) fn passed(&self) -> Passed {
        self.passed
    }

    /// Bytes read of the capture as it is stored.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.source.stored_offset()
    }

    /// Time spent on decompression.
    pub(crate) fn inflate_ns(&self) -> u64 {
        self.source.inflate_ns()
    }

    /// The byte where the capture ends inside a record, once its end was reached.
    pub(crate) fn torn_at(&self) -> Option<u64> {
        self.torn_at
    }

    /// The next UDP datagram; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::BadFeed`] for damaged records and for fragments, and I/O.
    pub(crate) fn next(&mut self) -> Result<Option<Datagram<'_>>> {
        while let Some(is_datagram) = self.step()? {
            if is_datagram {
                let Found { captured_ns, destination, offset } = self.found;
                let payload = &self.payload;
                return Ok(Some(Datagram { payload, captured_ns, destination, offset }));
            }
        }
        Ok(None)
    }

    /// Reads one record, or more of the source: whether it held a datagram; `None` at the end.
    fn step(&mut self) -> Result<Option<bool>> {
        let offset = self.source.offset();
        let window = self.source.window();
        let bytes = &window.bytes[..window.limit];
        match self.file.step(bytes) {
            Ok(Step::Record(record, consumed)) => {
                let frame = link::frame(record.link, record.data, record.is_cut);
                let is_datagram = match frame {
                    Frame::Datagram { payload, destination } => {
                        self.payload.clear();
                        self.payload.extend_from_slice(payload);
                        let captured_ns = record.captured_ns;
                        self.found = Found { captured_ns, destination, offset };
                        true
                    }
                    Frame::Fragment => return Err(self.fragment(offset)),
                    Frame::Cut => {
                        self.passed.cut += 1;
                        false
                    }
                    Frame::Other => {
                        self.passed.others += 1;
                        false
                    }
                };
                self.source.consume(consumed);
                Ok(Some(is_datagram))
            }
            Ok(Step::Other(consumed)) => {
                self.source.consume(consumed);
                Ok(Some(false))
            }
            Ok(Step::More) if !window.is_ended && self.source.is_full() => {
                let what = format!("a record is longer than {BUFFER_BYTES} bytes");
                Err(self.damaged(offset, what))
            }
            Ok(Step::More) if !window.is_ended => {
                self.source.refill();
                Ok(Some(false))
            }
            Ok(Step::More) => {
                self.torn_at = (window.limit > 0).then_some(offset);
                self.source.take_failure(0).map_or(Ok(None), Err)
            }
            Err(what) => Err(self.damaged(offset, what)),
        }
    }

    fn damaged(&self, offset: u64, what: String) -> Error {
        Error::BadFeed {
            origin: self.description.origin.clone(),
            offset,
            message: 0,
            what,
            cure: "every packet before it was read; get the capture again, it is damaged here"
                .to_owned(),
        }
    }

    fn fragment(&self, offset: u64) -> Error {
        Error::BadFeed {
            origin: self.description.origin.clone(),
            offset,
            message: 0,
            what: "a UDP datagram comes in IP fragments, which are not put together here"
                .to_owned(),
            cure: "capture the feed where it is not fragmented, or leave other traffic out with a \
                   filter such as `tcpdump -r IN -w OUT udp dst port 26477`"
                .to_owned(),
        }
    }
}
