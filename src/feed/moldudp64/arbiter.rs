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
//! up](Arbiter::give_up). A session whose first number is not known starts with the lowest number
//! that comes until who drives it says that [it starts](Arbiter::start); what is below and comes
//! later is lost like what was given up.

use std::collections::{BTreeMap, VecDeque};

use super::line::{Line, Ranges};
use super::packet::{Content, LENGTH_BYTES, Packet, messages_from};
use crate::feed::unpack::Findings;
use crate::feed::{Gap, LineCounts};

/// Bytes of packets that are held while others are awaited: some seconds of a busy feed.
const HELD_BYTES_MAX: usize = 32 << 20;

/// The same in packets, for those of single messages.
const HELD_PACKETS_MAX: usize = 1 << 17;

/// Messages that a packet without one may be ahead: more than a session has in a day.
const AHEAD_MAX: u64 = 1 << 32;

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
    /// When it was first known that the first one exists, in the caller's time.
    pub(crate) since_ns: u64,
}

/// Puts the packets of sessions in order, each of which [starts](Self::start) when who drives it
/// says so, unless its first number is known.
#[derive(Debug, Default)]
pub(crate) struct Arbiter {
    /// The number that comes next; `None` before the session starts.
    expected: Option<u64>,
    /// The number of the first message wanted; what is below is skipped.
    wanted_from: u64,
    /// The lowest number before a session was [started](Self::start).
    lowest: Option<u64>,
    /// When the first packet came, in the caller's time, while lower numbers are awaited.
    starting_since_ns: Option<u64>,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    /// The highest number after which a packet said that messages follow.
    known: u64,
    /// Where the packet that said so begins in the capture.
    known_byte: Option<u64>,
    /// Numbers before which messages were known to exist, and since when; both grow.
    frontier: VecDeque<(u64, u64)>,
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
        Self { expected: Some(first), wanted_from: first, ..Self::default() }
    }

    /// The number that comes next.
    #[cfg(feature = "udp")]
    pub(crate) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Begins another session behind this one.
    #[cfg(feature = "pcap")]
    pub(crate) fn begin_session(&mut self) {
        *self = Self { delivered: self.delivered, ..Self::default() };
    }

    /// The number after a session's last message; `None` before it ended.
    #[cfg(feature = "udp")]
    pub(crate) fn end(&self) -> Option<u64> {
        self.end
    }

    /// The number of the first message wanted; 0 where all are.
    #[cfg(feature = "udp")]
    pub(crate) fn wanted_from(&self) -> u64 {
        self.wanted_from
    }

    /// The lowest number of a session that has not started.
    #[cfg(feature = "udp")]
    pub(crate) fn lowest(&self) -> Option<u64> {
        self.lowest
    }

    /// Since when a session that has not started holds its packets back.
    pub(crate) fn starting_since_ns(&self) -> Option<u64> {
        self.starting_since_ns
    }

    /// Starts a session with the lowest number that came.
    pub(crate) fn start(&mut self, findings: &mut Findings, out: &mut Vec<u8>) {
        if self.starting_since_ns.take().is_some() {
            self.expected = self.lowest;
            self.release(findings, out);
            self.forget_known();
        }
    }

    /// Hands out all that is there of a session, whatever is missing.
    pub(crate) fn finish(&mut self, findings: &mut Findings, out: &mut Vec<u8>) {
        self.start(findings, out);
        while self.missing().is_some() {
            self.give_up(findings, out);
        }
    }

    /// Messages handed out so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether all messages of a session that has ended were handed out.
    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some_and(|end| end == 0 || Some(end) <= self.expected)
    }

    /// What is awaited; `None` when nothing is.
    pub(crate) fn missing(&self) -> Option<Missing> {
        let from = self.expected?;
        let until = self.held.keys().next().copied().unwrap_or(self.known);
        let &(_, since_ns) = self.frontier.front()?;
        (from < until).then_some(Missing { from, until, since_ns })
    }

    /// The numbers that are missing between held packets from `number` on, or behind the last.
    #[cfg(feature = "udp")]
    pub(crate) fn missing_from(&self, number: u64) -> Option<std::ops::Range<u64>> {
        let before = self.held.range(..number).next_back();
        let mut end = before.map_or(number, |(_, held)| held.next.max(number));
        for (&start, held) in self.held.range(number..) {
            if start > end {
                return Some(end..start);
            }
            end = end.max(held.next);
        }
        (end < self.known).then_some(end..self.known)
    }

    /// Whether so much is held that what is missing must be given up.
    pub(crate) fn is_overfull(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX || self.held.len() > HELD_PACKETS_MAX
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
        let ahead = packet.number.saturating_sub(self.known.max(self.expected.unwrap_or(0)));
        if !packet.has_messages() && ahead > AHEAD_MAX {
            counts.foreign += 1;
            return;
        }
        counts.packets += 1;
        if packet.content == Content::Heartbeat {
            counts.heartbeats += 1;
        }
        if packet.is_unnumbered() {
            if let Some(line) = arrival.line {
                note_packet(packet, &mut findings.lines[line]);
            }
            if packet.content == Content::End {
                self.end = Some(packet.number);
            }
            return self.append(packet.messages, 0, out);
        }
        self.note_start(packet, arrival, findings);
        if let Some(line) = arrival.line {
            self.note_line(line, packet, findings);
        }
        if packet.next() > self.known {
            (self.known, self.known_byte) = (packet.next(), arrival.byte);
            self.frontier.push_back((self.known, arrival.now_ns));
        }
        if packet.content == Content::End {
            self.end = Some(packet.number);
        }
        if let Content::Messages(count) = packet.content {
            match self.expected.filter(|&expected| packet.number <= expected) {
                Some(expected) => {
                    let known = (expected - packet.number).min(u64::from(count));
                    let numbers = packet.number..packet.number + known;
                    let skipped = numbers.end.min(self.wanted_from).saturating_sub(numbers.start);
                    findings.packets.skipped += skipped;
                    let copies = known - skipped - self.lost.count(&numbers);
                    note_copies(copies, arrival.line, findings);
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
        self.forget_known();
    }

    /// Takes note of a packet that may be the session's first, or below it: what is comes too late.
    fn note_start(&mut self, packet: &Packet<'_>, arrival: Arrival, findings: &mut Findings) {
        if self.expected.is_none() {
            self.lowest = Some(packet.number.min(self.lowest.unwrap_or(packet.number)));
            self.starting_since_ns.get_or_insert(arrival.now_ns);
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

    /// Forgets since when messages were known that are there now.
    fn forget_known(&mut self) {
        let expected = self.expected.unwrap_or(0);
        while self.frontier.pop_front_if(|(until, _)| *until <= expected).is_some() {}
    }

    /// Gives up what is missing before the first message that is there, as far as it has been
    /// missing as long as the first of it, and goes on behind it.
    pub(crate) fn give_up(&mut self, findings: &mut Findings, out: &mut Vec<u8>) {
        let Some(Missing { from, until, .. }) = self.missing() else { return };
        let until = self.frontier.front().map_or(until, |(known, _)| until.min(*known));
        let behind = self.held.get(&until).map(|held| held.arrival.byte);
        let byte = behind.unwrap_or(self.known_byte);
        match findings.gaps.back_mut() {
            // Nothing was handed out between the two.
            Some(gap) if (gap.message, gap.until) == (self.delivered, from) => {
                (gap.until, gap.byte) = (until, byte);
            }
            _ => {
                let message = self.delivered;
                findings.gaps.push_back(Gap { message, from, until, byte });
            }
        }
        for (line, counts) in self.lines.iter_mut().zip(&mut findings.lines) {
            line.give_up(&(from..until), counts);
        }
        self.lost.push(from..until);
        self.expected = Some(until);
        self.release(findings, out);
        self.forget_known();
    }

    /// Notes what a line brought.
    fn note_line(&mut self, line: usize, packet: &Packet<'_>, findings: &mut Findings) {
        if self.lines.len() <= line {
            self.lines.resize_with(line + 1, Line::default);
        }
        let counts = &mut findings.lines[line];
        note_packet(packet, counts);
        if !packet.has_messages() {
            return;
        }
        let numbers = packet.number..packet.next();
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

/// Counts a packet on its line.
fn note_packet(packet: &Packet<'_>, counts: &mut LineCounts) {
    counts.packets += 1;
    if let Content::Messages(count) = packet.content {
        counts.messages += u64::from(count);
    }
}

/// Counts messages that were there already.
fn note_copies(copies: u64, line: Option<usize>, findings: &mut Findings) {
    findings.packets.copies += copies;
    if let Some(line) = line {
        findings.lines[line].copies += copies;
    }
}
