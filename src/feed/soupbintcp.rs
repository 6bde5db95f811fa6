//! SoupBinTCP: the stream in which a venue sends its messages over TCP, as it was recorded.
//!
//! ```text
//!   | length u16 | type u8 | payload: length - 1 bytes | ...
//! ```
//!
//! | type | what | payload |
//! |---|---|---|
//! | `A` | login accepted | session (10), number of the next message (20), both text |
//! | `S` | a message of the session | one message |
//! | `H` | heartbeat | |
//! | `Z` | end of session | |
//! | `J` | login rejected | `A` not authorised, `S` no such session |
//! | `+` | debug text | text |
//! | `L` `U` `R` `O` | what the client says: login, data, heartbeat, logout | |
//!
//! Messages have no numbers of their own: the login gives the first, and each counts one more. A
//! recording of several connections has several logins; messages that came again are left out, and
//! those that no connection brought are a gap. Source: NASDAQ, SoupBinTCP 3.00 (2017-02-22).

use super::Gap;
use super::itch::message;
use super::source::Source;
use super::unpack::{Findings, Unwrap};
use crate::error::{Error, Result};

/// Bytes before a packet's payload: its length and its type.
const HEAD_BYTES: usize = 3;

/// Bytes of a session's name in a login.
const SESSION_BYTES: usize = 10;

/// Packets that are looked at to recognise a recording.
const PACKETS_LOOKED_AT: usize = 64;

/// Whether a recording that starts with `head` is one of SoupBinTCP: its packets follow one
/// another, and one of them is a login or holds a message of the length of its type.
pub(super) fn is_recording(head: &[u8]) -> bool {
    let mut rest = head;
    let mut is_convinced = false;
    for _ in 0..PACKETS_LOOKED_AT {
        let Some(packet) = Packet::parse(rest) else { break };
        match (packet.kind, packet.payload) {
            (b'S', [letter, ..]) => match message(*letter) {
                Some(known) if known.bytes == packet.payload.len() => is_convinced = true,
                _ => return is_convinced,
            },
            (b'A', payload) if login(payload).is_some() => is_convinced = true,
            (b'H' | b'Z' | b'R' | b'O', []) | (b'J', [_]) | (b'+' | b'U', _) => {}
            (b'L', payload) if payload.len() == 46 => {}
            _ => return is_convinced,
        }
        rest = &rest[packet.bytes..];
    }
    is_convinced
}

/// A source of the messages in a recording.
pub(super) fn unwrap(source: Source) -> Source {
    let packed = source.describe("soupbintcp");
    let format = "itch-5.0 in soupbintcp";
    Source::unwrapped(&packed, format, Box::new(SoupUnwrap::new(source)))
}

/// A packet.
struct Packet<'a> {
    kind: u8,
    payload: &'a [u8],
    /// Its bytes in all.
    bytes: usize,
}

impl<'a> Packet<'a> {
    /// The packet that `bytes` start with; `None` when they end inside it, or it has no type.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let &[high, low, kind, ..] = bytes else { return None };
        let end = 2 + usize::from(u16::from_be_bytes([high, low]));
        let payload = bytes.get(HEAD_BYTES..end)?;
        Some(Self { kind, payload, bytes: end })
    }
}

/// Session and number of the next message of a login.
fn login(payload: &[u8]) -> Option<([u8; SESSION_BYTES], u64)> {
    let (session, number) = payload.split_first_chunk::<SESSION_BYTES>()?;
    if number.len() != 20 {
        return None;
    }
    let number = std::str::from_utf8(number).ok()?.trim().parse().ok()?;
    Some((*session, number))
}

/// Takes the messages out of a recording.
struct SoupUnwrap {
    source: Source,
    findings: Findings,
    session: Option<[u8; SESSION_BYTES]>,
    /// Number of the next message on the connection.
    number: u64,
    /// Number of the next message of the session.
    expected: u64,
    delivered: u64,
    client_packets: u64,
}

impl SoupUnwrap {
    fn new(source: Source) -> Self {
        Self {
            source,
            findings: Findings::default(),
            session: None,
            number: 1,
            expected: 1,
            delivered: 0,
            client_packets: 0,
        }
    }

    /// Takes note of a login.
    fn begin(&mut self, session: [u8; SESSION_BYTES], number: u64) {
        match self.session {
            Some(before) if before == session => {
                if number > self.expected {
                    let (message, from) = (self.delivered, self.expected);
                    let byte = Some(self.source.offset());
                    self.findings.gaps.push_back(Gap { message, from, until: number, byte });
                    self.expected = number;
                }
            }
            Some(_) => {
                self.findings.notes.push(format!(
                    "session `{}` begins at message {}: if they are different days, give each in \
                     a file of its own",
                    String::from_utf8_lossy(&session).trim(),
                    self.delivered,
                ));
                self.expected = number;
            }
            None => self.expected = number,
        }
        self.session = Some(session);
        self.number = number;
    }

    /// Ends the session where the recording does.
    fn end(&mut self) -> Result<bool> {
        if let Some(failure) = self.source.take_failure(0) {
            return Err(failure);
        }
        if !self.findings.has_end {
            self.findings.notes.push(
                "the recording ends without the end of its session: if it should be a whole \
                 session, what came after is missing"
                    .to_owned(),
            );
        }
        if self.client_packets > 0 {
            self.findings.notes.push(format!(
                "{} packets of the client were left out: record the venue's side alone",
                self.client_packets
            ));
        }
        Ok(false)
    }

    fn bad(&self, what: String) -> Error {
        Error::BadFeed {
            origin: self.source.origin().to_owned(),
            offset: self.source.offset(),
            message: self.delivered,
            what,
            cure: "every message before it was read; record the stream of one connection, from \
                   its login on"
                .to_owned(),
        }
    }
}

impl Unwrap for SoupUnwrap {
    fn step(&mut self, ready: &mut Vec<u8>) -> Result<bool> {
        let window = self.source.window();
        let bytes = &window.bytes[..window.limit];
        let Some(packet) = Packet::parse(bytes) else {
            let is_damaged = matches!(bytes, [0, 0, ..]);
            return match (bytes.len(), window.is_ended) {
                (0, true) => self.end(),
                (_, false) if !is_damaged => {
                    self.source.refill();
                    Ok(true)
                }
                (_, true) if !is_damaged => {
                    let has = bytes.len();
                    let what =
                        format!("the recording ends inside a packet, of which it has {has} bytes");
                    Err(self.source.take_failure(0).unwrap_or_else(|| self.bad(what)))
                }
                _ => Err(self.bad("a packet has no type".to_owned())),
            };
        };
        let Packet { kind, payload, bytes } = packet;
        self.findings.packets.packets += 1;
        match kind {
            b'S' => {
                let is_new = self.number >= self.expected;
                if is_new && !payload.is_empty() {
                    ready.extend((payload.len() as u16).to_be_bytes());
                    ready.extend_from_slice(payload);
                    self.delivered += 1;
                }
                self.findings.packets.copies += u64::from(!is_new);
                self.number += 1;
                self.expected = self.expected.max(self.number);
            }
            b'A' => {
                let Some((session, number)) = login(payload) else {
                    let what = "a login names no number of the next message";
                    return Err(self.bad(what.to_owned()));
                };
                self.begin(session, number);
            }
            b'H' => self.findings.packets.heartbeats += 1,
            b'Z' => self.findings.has_end = true,
            b'J' => {
                let why = if payload == b"S" { "no such session" } else { "not authorised" };
                self.findings.notes.push(format!("a login was rejected: {why}"));
            }
            b'+' => {}
            b'L' | b'U' | b'R' | b'O' => self.client_packets += 1,
            other => {
                let name = other.escape_ascii();
                return Err(self.bad(format!("a packet is of type `{name}`, which there is not")));
            }
        }
        self.source.consume(bytes);
        Ok(true)
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn stored_bytes(&self) -> u64 {
        self.source.stored_offset()
    }

    fn inflate_ns(&self) -> u64 {
        self.source.inflate_ns()
    }
}
