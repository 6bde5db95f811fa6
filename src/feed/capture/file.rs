//! Records of capture files, by `pcap-parser`: pcap with stamps in us or ns, and pcapng.

use pcap_parser::nom::Err as Parse;
use pcap_parser::pcapng::{Block, parse_block_be, parse_block_le, parse_sectionheaderblock};
use pcap_parser::{Linktype, PcapError, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::link;
use crate::error::{Error, Result};
use crate::feed::source::Source;

/// Bytes of a pcap file's header and of each record's.
const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;

/// Bytes of the longest record that is believed: no capture program asks for longer frames.
const FRAME_BYTES_MAX: u32 = 256 << 10;

/// First bytes of a pcapng section.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// ns of one second.
const SECOND: u64 = 1_000_000_000;

/// Format of a capture by its first bytes; `None` when it is none.
pub(super) fn format(head: &[u8]) -> Option<&'static str> {
    let &[a, b, c, d, ..] = head else { return None };
    match [a, b, c, d] {
        SECTION => Some("pcapng"),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] => Some("pcap"),
        [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => Some("pcap"),
        _ => None,
    }
}

/// A frame as it was captured.
pub(super) struct Record<'a> {
    pub(super) link: Linktype,
    pub(super) data: &'a [u8],
    pub(super) captured_ns: u64,
    /// Whether the frame was longer on the wire.
    pub(super) is_cut: bool,
}

/// What comes next in a file.
pub(super) enum Step<'a> {
    /// A frame, and the bytes of its record.
    Record(Record<'a>, usize),
    /// Something else of so many bytes.
    Other(usize),
    /// More bytes are needed to tell.
    More,
}

/// How a file says what it holds.
pub(super) enum File {
    Pcap {
        is_big_endian: bool,
        /// ns of a unit of the stamp's fraction.
        unit_ns: u64,
        link: Linktype,
    },
    Pcapng {
        is_big_endian: bool,
        interfaces: Vec<Interface>,
    },
}

/// An interface of a pcapng section.
pub(super) struct Interface {
    link: Linktype,
    units_per_second: u64,
    offset_seconds: i64,
}

impl File {
    /// Reads the header of a pcap file; a pcapng file has one in each section.
    pub(super) fn new(source: &mut Source) -> Result<Self> {
        let head = source.head();
        if head.starts_with(&SECTION) {
            return Ok(Self::Pcapng { is_big_endian: false, interfaces: Vec::new() });
        }
        let header = match parse_pcap_header(head) {
            Ok((_, header)) => header,
            Err(_) => {
                let what = format!(
                    "the capture's header has {} of {FILE_HEADER_BYTES} bytes",
                    head.len().min(FILE_HEADER_BYTES)
                );
                return Err(bad_header(source, what));
            }
        };
        // The upper bits hold the length of a checksum behind each frame.
        let link = Linktype(header.network.0 & 0xffff);
        if !link::is_known(link) {
            let what = format!("the capture is of links of type {}, not known here", link.0);
            return Err(bad_header(source, what));
        }
        source.consume(FILE_HEADER_BYTES);
        Ok(Self::Pcap {
            is_big_endian: header.is_bigendian(),
            unit_ns: if header.is_nanosecond_precision() { 1 } else { 1000 },
            link,
        })
    }

    /// Reads what `bytes` start with.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> std::result::Result<Step<'a>, String> {
        match self {
            Self::Pcap { is_big_endian, unit_ns, link } => {
                pcap_record(bytes, *is_big_endian, *unit_ns, *link)
            }
            Self::Pcapng { is_big_endian, interfaces } => {
                pcapng_block(bytes, is_big_endian, interfaces)
            }
        }
    }
}

fn bad_header(source: &Source, what: String) -> Error {
    Error::BadFeed {
        origin: source.origin().to_owned(),
        offset: 0,
        message: 0,
        what,
        cure: "capture on Ethernet or on any interface, or get the file again".to_owned(),
    }
}

fn pcap_record(
    bytes: &[u8],
    is_big_endian: bool,
    unit_ns: u64,
    link: Linktype,
) -> std::result::Result<Step<'_>, String> {
    let parse = if is_big_endian { parse_pcap_frame_be } else { parse_pcap_frame };
    match parse(bytes) {
        Ok((rest, frame)) => {
            let seconds = u64::from(frame.ts_sec) * SECOND;
            let captured_ns = seconds + u64::from(frame.ts_usec) * unit_ns;
            let is_cut = frame.caplen < frame.origlen;
            let record = Record { link, data: frame.data, captured_ns, is_cut };
            Ok(Step::Record(record, bytes.len() - rest.len()))
        }
        Err(Parse::Incomplete(_)) => {
            let length = bytes.get(8..12).and_then(|field| field.first_chunk::<4>().copied());
            let length = length.map_or(0, |field| match is_big_endian {
                true => u32::from_be_bytes(field),
                false => u32::from_le_bytes(field),
            });
            believable(length, RECORD_HEADER_BYTES)
        }
        Err(Parse::Error(error) | Parse::Failure(error)) => Err(damaged(&error)),
    }
}

/// Asks for more, unless a length is one that no record has.
fn believable<'a>(length: u32, header_bytes: usize) -> std::result::Result<Step<'a>, String> {
    if length > FRAME_BYTES_MAX - header_bytes as u32 {
        return Err(format!("a record of the capture is said to have {length} bytes"));
    }
    Ok(Step::More)
}

fn damaged(error: &PcapError<&[u8]>) -> String {
    let kind = match error {
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => format!("{kind:?}"),
        other => other.to_string(),
    };
    format!("a record of the capture is damaged ({kind})")
}

fn pcapng_block<'a>(
    bytes: &'a [u8],
    is_big_endian: &mut bool,
    interfaces: &mut Vec<Interface>,
) -> std::result::Result<Step<'a>, String> {
    if bytes.len() < 12 {
        return Ok(Step::More);
    }
    let parsed = if bytes.starts_with(&SECTION) {
        parse_sectionheaderblock(bytes).map(|(rest, header)| {
            *is_big_endian = header.big_endian();
            interfaces.clear();
            (rest, None)
        })
    } else {
        let parse = if *is_big_endian { parse_block_be } else { parse_block_le };
        parse(bytes).map(|(rest, block)| (rest, Some(block)))
    };
    let (rest, block) = match parsed {
        Ok(parsed) => parsed,
        Err(Parse::Incomplete(_)) => {
            let &[_, _, _, _, a, b, c, d, ..] = bytes else { return Ok(Step::More) };
            let length = match *is_big_endian && !bytes.starts_with(&SECTION) {
                true => u32::from_be_bytes([a, b, c, d]),
                false if bytes.starts_with(&SECTION) => 0,
                false => u32::from_le_bytes([a, b, c, d]),
            };
            return believable(length, 0);
        }
        Err(Parse::Error(error) | Parse::Failure(error)) => return Err(damaged(&error)),
    };
    let consumed = bytes.len() - rest.len();
    match block {
        Some(Block::InterfaceDescription(described)) => {
            interfaces.push(Interface {
                link: described.linktype,
                units_per_second: units_per_second(described.if_tsresol)?,
                offset_seconds: described.if_tsoffset,
            });
            Ok(Step::Other(consumed))
        }
        Some(Block::EnhancedPacket(packet)) => {
            let interface = interface(interfaces, packet.if_id)?;
            let length = packet.data.len().min(packet.caplen as usize);
            let record = Record {
                link: interface.link,
                data: &packet.data[..length],
                captured_ns: interface.stamp_ns(packet.ts_high, packet.ts_low),
                is_cut: packet.caplen < packet.origlen,
            };
            Ok(Step::Record(record, consumed))
        }
        Some(Block::SimplePacket(packet)) => {
            let interface = interface(interfaces, 0)?;
            let length = packet.data.len().min(packet.origlen as usize);
            let record = Record {
                link: interface.link,
                data: &packet.data[..length],
                captured_ns: 0,
                is_cut: length < packet.origlen as usize,
            };
            Ok(Step::Record(record, consumed))
        }
        _ => Ok(Step::Other(consumed)),
    }
}

fn interface(interfaces: &[Interface], id: u32) -> std::result::Result<&Interface, String> {
    interfaces
        .get(id as usize)
        .ok_or_else(|| format!("a packet is of interface {id}, which the capture never described"))
}

/// Units of a stamp in a second: a power of ten, or of two when the highest bit is set.
fn units_per_second(resolution: u8) -> std::result::Result<u64, String> {
    let exponent = u32::from(resolution & 0x7f);
    let units = match resolution & 0x80 {
        0 => 10_u64.checked_pow(exponent),
        _ => 2_u64.checked_pow(exponent),
    };
    units.ok_or_else(|| format!("an interface has stamps of resolution {resolution}"))
}

impl Interface {
    fn stamp_ns(&self, high: u32, low: u32) -> u64 {
        let units = u128::from(high) << 32 | u128::from(low);
        let ns = units * u128::from(SECOND) / u128::from(self.units_per_second);
        let offset = i128::from(self.offset_seconds) * i128::from(SECOND);
        u64::try_from(ns as i128 + offset).unwrap_or(0)
    }
}
