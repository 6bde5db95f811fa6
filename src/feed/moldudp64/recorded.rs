//! The messages of a capture in order.

use std::net::SocketAddr;

use super::arbiter::{Arbiter, Arrival};
use super::packet::{Packet, SESSION_BYTES, session_name};
use crate::error::{Error, Result};
use crate::feed::LineCounts;
use crate::feed::capture::{Capture, Datagram};
use crate::feed::unpack::{Findings, Unwrap};

/// Time of the capture for which a missing packet is awaited, on either line, and at the beginning
/// one with a lower number than the first.
const AWAIT_NS: u64 = 1_000_000_000;

/// Takes the messages of one MoldUDP64 session out of a capture.
///
/// The first packet's session is the feed's. Its lines are the addresses that packets of it are
/// sent to; a session that follows it on one of its lines belongs to the feed too, and packets of
/// another session on other addresses are left out.
pub(crate) struct MoldUnwrap {
    capture: Capture,
    arbiter: Arbiter,
    session: Option<[u8; SESSION_BYTES]>,
    lines: Vec<SocketAddr>,
    findings: Findings,
    tally: Tally,
    /// The fault that comes after what was held back before it.
    fault: Option<Error>,
}

/// What is told at the end.
#[derive(Debug, Default)]
struct Tally {
    unnumbered: u64,
    /// Datagrams to the feed's addresses that are no packets, and where the first one is.
    malformed: u64,
    first_malformed: u64,
    /// Another session's packets, its name and where they go.
    others: u64,
    other: Option<([u8; SESSION_BYTES], SocketAddr)>,
    /// The last datagram that is no packet at all.
    stranger: Option<(usize, SocketAddr)>,
}

impl MoldUnwrap {
    /// Takes the messages out of `capture`.
    pub(crate) fn new(capture: Capture) -> Self {
        Self {
            capture,
            arbiter: Arbiter::default(),
            session: None,
            lines: Vec::new(),
            findings: Findings::default(),
            tally: Tally::default(),
            fault: None,
        }
    }

    /// Ends the session where the capture does.
    fn end(&mut self, ready: &mut Vec<u8>) -> Result<bool> {
        self.arbiter.finish(&mut self.findings, ready);
        let passed = self.capture.passed();
        if self.arbiter.delivered() == 0 {
            return Err(self.nothing_found());
        }
        self.findings.packets.foreign += passed.others + passed.cut;
        self.findings.has_end = self.arbiter.is_ended();
        let Tally { unnumbered, malformed, first_malformed, others, other, .. } = self.tally;
        let mut tell = |note: String| self.findings.notes.push(note);
        if unnumbered > 0 {
            tell(format!(
                "{unnumbered} packets have no session and no number, so all of them are taken as \
                 they come and a loss cannot be found: capture the feed itself for that"
            ));
        } else if !self.arbiter.is_ended() {
            tell(
                "the capture ends without the end of its session: if it should be a whole \
                 session, what came after is missing"
                    .to_owned(),
            );
        }
        if let Some(offset) = self.capture.torn_at() {
            tell(format!(
                "the capture ends inside a record, at byte {offset}, and was read up to there"
            ));
        }
        if passed.cut > 0 {
            tell(format!(
                "the capture holds only a part of {} packets: capture whole ones, for example \
                 with `tcpdump -s 0`",
                passed.cut
            ));
        }
        if malformed > 0 {
            tell(format!(
                "{malformed} datagrams to the feed's own address are no MoldUDP64 packets and were \
                 left out, the first at byte {first_malformed}: look at it there"
            ));
        }
        if let Some((session, address)) = other {
            tell(format!(
                "{others} packets of session {} to {address} were left out: give them in a \
                 capture of their own, for example with `tcpdump -r IN -w OUT udp dst port {}`",
                session_name(&session),
                address.port(),
            ));
        }
        Ok(false)
    }

    /// Why a capture without a message is refused.
    fn nothing_found(&self) -> Error {
        let description = self.capture.description();
        let format = description.format;
        let what = match (self.findings.packets.packets, self.tally.stranger) {
            (0, None) => format!("this is a {format} capture without a UDP datagram"),
            (0, Some((bytes, address))) => format!(
                "this is a {format} capture of no protocol that is read here: {} UDP datagrams, \
                 such as {bytes} bytes to {address}",
                self.findings.packets.foreign,
            ),
            (packets, _) => format!(
                "this is a {format} capture of MoldUDP64 whose packets, {packets} of them, hold no \
                 message"
            ),
        };
        Error::UnknownFormat {
            origin: description.origin.clone(),
            what,
            cure: "give a capture of a feed in MoldUDP64, made with the group's address and port"
                .to_owned(),
        }
    }
}

impl Unwrap for MoldUnwrap {
    fn step(&mut self, ready: &mut Vec<u8>) -> Result<bool> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let datagram = match self.capture.next() {
            Ok(Some(datagram)) => datagram,
            Ok(None) => return self.end(ready),
            Err(fault) => {
                self.arbiter.finish(&mut self.findings, ready);
                self.fault = Some(fault);
                return Ok(true);
            }
        };
        let Datagram { payload, captured_ns, destination, offset, .. } = datagram;
        let line = self.lines.iter().position(|known| *known == destination);
        let Some(packet) = Packet::parse(payload) else {
            self.findings.packets.foreign += 1;
            self.tally.stranger = Some((payload.len(), destination));
            if line.is_some() {
                if self.tally.malformed == 0 {
                    self.tally.first_malformed = offset;
                }
                self.tally.malformed += 1;
            }
            return Ok(true);
        };
        match (self.session, line) {
            (Some(session), _) if session == packet.session => {}
            (None, _) => self.session = Some(packet.session),
            (Some(before), Some(_)) => {
                self.arbiter.finish(&mut self.findings, ready);
                self.findings.notes.push(format!(
                    "session {} follows session {} at message {}: if they are different days, \
                     give each in a file of its own",
                    session_name(&packet.session),
                    session_name(&before),
                    self.arbiter.delivered(),
                ));
                self.arbiter.begin_session();
                self.session = Some(packet.session);
            }
            (Some(_), None) => {
                self.findings.packets.foreign += 1;
                self.tally.others += 1;
                self.tally.other = Some((packet.session, destination));
                return Ok(true);
            }
        }
        let line = line.unwrap_or_else(|| {
            self.lines.push(destination);
            let address = destination.to_string().into();
            self.findings.lines.push(LineCounts { address, ..LineCounts::default() });
            self.lines.len() - 1
        });
        self.tally.unnumbered += u64::from(packet.is_unnumbered());
        let arrival = Arrival { line: Some(line), now_ns: captured_ns, byte: Some(offset) };
        self.arbiter.accept(&packet, arrival, &mut self.findings, ready);
        let is_over = |since_ns: u64| captured_ns.saturating_sub(since_ns) > AWAIT_NS;
        let is_full = self.arbiter.is_overfull();
        if self.arbiter.starting_since_ns().is_some_and(|since| is_full || is_over(since)) {
            self.arbiter.start(&mut self.findings, ready);
        }
        while let Some(missing) = self.arbiter.missing()
            && (is_over(missing.since_ns) || self.arbiter.is_overfull())
        {
            self.arbiter.give_up(&mut self.findings, ready);
        }
        Ok(true)
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn stored_bytes(&self) -> u64 {
        self.capture.stored_bytes()
    }

    fn inflate_ns(&self) -> u64 {
        self.capture.inflate_ns()
    }
}
