//! One stream of messages out of packets that come twice, late, or not at all.
//!
//! ```text
//!   line A   1-3   4-6         10-12              A lost 7-9, B brings it: nothing is missing
//!   line B   1-3   4-6   7-9   10-12
//!                        |     |
//!   expected 1     4     7     10                 a packet ahead of it is held until it fits
//! ```
//!
//! The arbiter knows no clock and no socket: who drives it says when a packet came, looks at
//! [`Arbiter::missing`], and decides when to ask for messages again or to [give
//! up](Arbiter::give_up). A session whose first number is not known starts with its first packet;
//! or with the lowest number that comes until who drives it says that [it starts](Arbiter::start),
//! and then what is below and comes later is lost like what was given up.

use std::collections::BTreeMap;

use super::line::{Line, Ranges};
use super::packet::{Content, LENGTH_BYTES, Packet, messages_from};
use crate::feed::Gap;
use crate::feed::unpack::Findings;

/// Bytes of packets that are held while others are awaited: some seconds of a busy feed.
const HELD_BYTES_MAX: usize = 32 << 20;

/// A packet ahead of its time.
#[derive(Debug)]
struct Held {
    next: u64,
    messages: Box<[u8]>,
    arrival: Arrival,
}

/// Where and when a packet came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The line that it came on; `None` for one that was asked for.
    pub(crate) line: Option<usize>,
    /// In the caller's time.
    pub(crate) now_ns: u64,
    /// Where it begins in the capture; `None` live.
    pub(crate) byte: Option<u64>,
}

/// Messages that are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The first number that is awaited.
    pub(crate) from: u64,
    /// The number of the first message after it that is there, or known to exist.
    pub(crate) until: u64,
    /// When that was found, in the caller's time.
    pub(crate) since_ns: u64,
}

/// Puts the packets of a session in order.
#[derive(Debug, Default)]
pub(crate) struct Arbiter {
    /// The number that comes next; `None` before the session starts.
    expected: Option<u64>,
    /// The lowest number before a session was [started](Self::start).
    lowest: Option<u64>,
    /// Whether lower numbers than the first packet's are awaited.
    awaits_start: bool,
    /// When the first packet came, in the caller's time, while they are.
    starting_since_ns: Option<u64>,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    /// The highest number after which a packet said that messages follow.
    known: u64,
    /// Where the packet that said so begins in the capture.
    known_byte: Option<u64>,
    missing_since_ns: Option<u64>,
    lines: Vec<Line>,
    /// What was given up.
    lost: Ranges,
    end: Option<u64>,
    /// Messages that were handed out.
    delivered: u64,
}

impl Arbiter {
    /// An arbiter that hands out the messages of a session from number `first` on.
    #[cfg(feature = "udp")]
    pub(crate) fn starting_at(first: u64) -> Self {
        Self { expected: Some(first), ..Self::default() }
    }

    /// An arbiter of sessions that [start](Self::start) when who drives it says so.
    #[cfg(feature = "pcap")]
    pub(crate) fn awaiting_start() -> Self {
        Self { awaits_start: true, ..Self::default() }
    }

    /// The number that comes next.
    #[cfg(feature = "udp")]
    pub(crate) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Begins another session behind this one.
    #[cfg(feature = "pcap")]
    pub(crate) fn begin_session(&mut self) {
        *self = Self { delivered: self.delivered, ..Self::awaiting_start() };
    }

    /// Since when a session that has not started holds its packets back.
    #[cfg(feature = "pcap")]
    pub(crate) fn starting_since_ns(&self) -> Option<u64> {
        self.starting_since_ns
    }

    /// Starts a session with the lowest number that came.
    #[cfg(feature = "pcap")]
    pub(crate) fn start(&mut self, now_ns: u64, findings: &mut Findings, out: &mut Vec<u8>) {
        if self.starting_since_ns.take().is_none() {
            return;
        }
        self.expected = self.lowest;
        self.release(findings, out);
        // What is missing then has been since what is behind it came.
        let behind = self.held.values().next();
        self.note_missing(behind.map_or(now_ns, |held| held.arrival.now_ns));
    }

    /// Hands out all that is there of a session, whatever is missing.
    #[cfg(feature = "pcap")]
    pub(crate) fn finish(&mut self, now_ns: u64, findings: &mut Findings, out: &mut Vec<u8>) {
        self.start(now_ns, findings, out);
        while self.missing().is_some() {
            self.give_up(now_ns, findings, out);
        }
    }

    /// Messages handed out so far.
    #[cfg(feature = "pcap")]
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether all messages of a session that has ended were handed out.
    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some() && self.end <= self.expected
    }

    /// What is awaited; `None` when nothing is.
    pub(crate) fn missing(&self) -> Option<Missing> {
        let from = self.expected?;
        let until = self.held.keys().next().copied().unwrap_or(self.known);
        let since_ns = self.missing_since_ns?;
        (from < until).then_some(Missing { from, until, since_ns })
    }

    /// Whether so much is held that what is missing must be given up.
    pub(crate) fn is_overfull(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX
    }

    /// Takes a packet that came on a line of `findings`, or was asked for; appends to `out` what is
    /// next in order.
    pub(crate) fn accept(
        &mut self,
        packet: &Packet<'_>,
        arrival: Arrival,
        findings: &mut Findings,
        out: &mut Vec<u8>,
    ) {
        let counts = &mut findings.packets;
        counts.packets += 1;
        if packet.content == Content::Heartbeat {
            counts.heartbeats += 1;
        }
        if packet.is_unnumbered() {
            return self.append(packet.messages, 0, out);
        }
        self.note_start(packet, arrival, findings);
        if let Some(line) = arrival.line {
            self.note_line(line, packet, findings);
        }
        if packet.next() > self.known {
            (self.known, self.known_byte) = (packet.next(), arrival.byte);
        }
        if packet.content == Content::End {
            self.end = Some(packet.number);
        }
        if let Content::Messages(count) = packet.content {
            match self.expected.filter(|&expected| packet.number <= expected) {
                Some(expected) => {
                    let known = (expected - packet.number).min(u64::from(count));
                    let numbers = packet.number..packet.number + known;
                    note_copies(known - self.lost.count(&numbers), arrival.line, findings);
                    if packet.next() > expected {
                        self.append(packet.messages, known, out);
                        self.expected = Some(packet.next());
                        self.release(findings, out);
                    }
                }
                None => {
                    let copies = self.hold(packet, count, arrival);
                    note_copies(copies, arrival.line, findings);
                }
            }
        }
        self.note_missing(arrival.now_ns);
    }

    /// Takes note of a packet that may be the session's first, or below it: what is comes too late.
    fn note_start(&mut self, packet: &Packet<'_>, arrival: Arrival, findings: &mut Findings) {
        if self.expected.is_none() {
            match self.awaits_start {
                true => {
                    self.lowest = Some(packet.number.min(self.lowest.unwrap_or(packet.number)));
                    self.starting_since_ns.get_or_insert(arrival.now_ns);
                }
                false => self.expected = Some(packet.number),
            }
            return;
        }
        let late = packet.number..packet.next().min(self.lowest.unwrap_or(0));
        if late.is_empty() {
            return;
        }
        for gap in self.lost.split(late).1 {
            let (message, byte) = (self.delivered, arrival.byte);
            findings.gaps.push_back(Gap { message, from: gap.start, until: gap.end, byte });
            self.lost.push(gap);
        }
    }

    /// Takes note of since when something is missing.
    fn note_missing(&mut self, now_ns: u64) {
        match self.expected {
            Some(expected) if expected < self.known => {
                self.missing_since_ns.get_or_insert(now_ns);
            }
            _ => self.missing_since_ns = None,
        }
    }

    /// Gives up what is missing before the first message that is there, and goes on behind it.
    pub(crate) fn give_up(&mut self, now_ns: u64, findings: &mut Findings, out: &mut Vec<u8>) {
        let Some(Missing { from, until, .. }) = self.missing() else { return };
        let byte = self.held.values().next().map_or(self.known_byte, |held| held.arrival.byte);
        findings.gaps.push_back(Gap { message: self.delivered, from, until, byte });
        for (line, counts) in self.lines.iter_mut().zip(&mut findings.lines) {
            line.give_up(&(from..until), counts);
        }
        self.lost.push(from..until);
        self.expected = Some(until);
        self.release(findings, out);
        self.missing_since_ns = (self.expected < Some(self.known)).then_some(now_ns);
    }

    /// Notes what a line brought.
    fn note_line(&mut self, line: usize, packet: &Packet<'_>, findings: &mut Findings) {
        if self.lines.len() <= line {
            self.lines.resize_with(line + 1, Line::default);
        }
        let counts = &mut findings.lines[line];
        let numbers = packet.number..packet.next();
        counts.packets += 1;
        counts.messages += numbers.end - numbers.start;
        let is_late = self.lines[line].note(numbers, &self.lost, counts);
        findings.packets.late += u64::from(is_late);
    }

    /// Keeps a packet for later; how many of its messages are kept already.
    fn hold(&mut self, packet: &Packet<'_>, count: u16, arrival: Arrival) -> u64 {
        let (next, messages) = (packet.next(), packet.messages);
        let there = self.held.get(&packet.number).map_or(0, |held| held.next - packet.number);
        if there < u64::from(count) {
            self.held_bytes += messages.len();
            let held = Held { next, messages: messages.into(), arrival };
            if let Some(before) = self.held.insert(packet.number, held) {
                self.held_bytes -= before.messages.len();
            }
        }
        there.min(u64::from(count))
    }

    /// Appends the held packets whose turn has come.
    fn release(&mut self, findings: &mut Findings, out: &mut Vec<u8>) {
        while let Some(first) = self.held.first_entry() {
            let expected = self.expected.unwrap_or(0);
            let number = *first.key();
            if number > expected {
                return;
            }
            let held = first.remove();
            self.held_bytes -= held.messages.len();
            let known = expected.min(held.next) - number;
            note_copies(known, held.arrival.line, findings);
            self.append(&held.messages, known, out);
            self.expected = Some(expected.max(held.next));
        }
    }

    /// Appends a packet's messages but the first `known`; those without a word are left out.
    fn append(&mut self, messages: &[u8], known: u64, out: &mut Vec<u8>) {
        for frame in messages_from(messages, known).filter(|frame| frame.len() > LENGTH_BYTES) {
            out.extend_from_slice(frame);
            self.delivered += 1;
        }
    }
}

/// Counts messages that were there already.
fn note_copies(copies: u64, line: Option<usize>, findings: &mut Findings) {
    findings.packets.copies += copies;
    if let Some(line) = line {
        findings.lines[line].copies += copies;
    }
}
