//! The messages of a live session in order, as far as they have come.

use std::time::Duration;

use crate::feed::moldudp64::arbiter::{Arbiter, Arrival};
use crate::feed::moldudp64::packet::{Packet, SESSION_BYTES, session_name};
use crate::feed::unpack::Findings;
use crate::feed::{LineCounts, PacketCounts};

/// Time for which another session is awaited, where one has ended before a message of it came.
const ANOTHER_SESSION: Duration = Duration::from_secs(1);

/// The messages in order, as far as they have come.
///
/// The session is that of the first packet with messages. Until it comes, it is that of the last
/// packet, by whose name a server is asked.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) session: Option<[u8; SESSION_BYTES]>,
    /// Whether a packet with messages has come.
    has_begun: bool,
    pub(super) arbiter: Arbiter,
    pub(super) findings: Findings,
    /// Messages, of which the first `taken` bytes are decoded.
    pub(super) ready: Vec<u8>,
    pub(super) taken: usize,
    /// Whether what follows the last of them is on its way, because it was asked for: an answer
    /// ends where it is full, not where an exchange event ends.
    pub(super) is_open: bool,
    /// How old the oldest packet among them was when it was read, in ns.
    pub(super) age_ns: u64,
    /// The number of the first message wanted; `None` where the session begins as it comes.
    from: Option<u64>,
    /// When the session had ended, in the feed's time.
    ended_ns: Option<u64>,
    /// When an answer last brought what came next, in the feed's time.
    pub(super) answered_ns: u64,
    unnumbered: u64,
    malformed: u64,
    /// Packets of other sessions, and the name of the last one's.
    others: u64,
    other: Option<[u8; SESSION_BYTES]>,
}

impl Stream {
    /// A session from number `from` on, or from the lowest number that comes.
    pub(super) fn new(from: Option<u64>, lines: Vec<LineCounts>) -> Self {
        Self {
            arbiter: arbiter(from),
            findings: Findings { lines, ..Findings::default() },
            from,
            ..Self::default()
        }
    }

    /// Takes a datagram that came on a line, or from a server.
    pub(super) fn take(&mut self, payload: &[u8], line: Option<usize>, now_ns: u64) {
        let Some(packet) = Packet::parse(payload) else {
            self.findings.packets.foreign += 1;
            self.malformed += 1;
            return;
        };
        if !self.is_of_session(&packet) {
            self.findings.packets.foreign += 1;
            self.others += 1;
            self.other = Some(packet.session);
            return;
        }
        self.has_begun |= packet.has_messages();
        self.unnumbered += u64::from(packet.is_unnumbered());
        let before = self.arbiter.expected();
        if line.is_none() {
            let first = before.unwrap_or(0).max(packet.number);
            self.findings.packets.recovered += packet.next().saturating_sub(first);
        }
        let (bytes, foreign) = (self.ready.len(), self.findings.packets.foreign);
        let arrival = Arrival { line, now_ns, byte: None };
        self.arbiter.accept(&packet, arrival, &mut self.findings, &mut self.ready);
        self.malformed += self.findings.packets.foreign - foreign;
        if line.is_none() && self.arbiter.expected() > before {
            self.answered_ns = now_ns;
        }
        if self.arbiter.lowest().is_some_and(|lowest| lowest <= 1) {
            self.arbiter.start(&mut self.findings, &mut self.ready);
        }
        if self.ready.len() > bytes {
            self.is_open = line.is_none() && self.arbiter.missing().is_some();
        }
        if self.arbiter.is_ended() {
            self.ended_ns.get_or_insert(now_ns);
        }
    }

    /// Whether a packet is of the session, which may begin with it.
    fn is_of_session(&mut self, packet: &Packet<'_>) -> bool {
        match self.session {
            Some(session) if session == packet.session => true,
            Some(_) if self.has_begun => false,
            before => {
                if before.is_some() {
                    self.leave();
                }
                self.session = Some(packet.session);
                true
            }
        }
    }

    /// Leaves a session of which no message came: its packets were those of another.
    fn leave(&mut self) {
        let counts = &mut self.findings.packets;
        self.others += counts.packets;
        self.other = self.session;
        let foreign = counts.foreign + counts.packets;
        *counts = PacketCounts { packets: 0, heartbeats: 0, foreign, ..*counts };
        for line in &mut self.findings.lines {
            *line = LineCounts { address: line.address.clone(), ..LineCounts::default() };
        }
        self.findings.gaps.clear();
        self.arbiter = arbiter(self.from);
        self.ended_ns = None;
    }

    /// Starts a session that has waited for lower numbers for `patience`, and gives up what was
    /// awaited as long.
    pub(super) fn give_up(&mut self, patience: Duration, now_ns: u64) {
        let is_over =
            |since_ns: u64| u128::from(now_ns.saturating_sub(since_ns)) > patience.as_nanos();
        let is_full = self.arbiter.is_overfull();
        if self.arbiter.starting_since_ns().is_some_and(|since| is_full || is_over(since)) {
            self.arbiter.start(&mut self.findings, &mut self.ready);
        }
        while let Some(missing) = self.arbiter.missing()
            && (is_over(missing.since_ns.max(self.answered_ns)) || self.arbiter.is_overfull())
        {
            self.arbiter.give_up(&mut self.findings, &mut self.ready);
            self.is_open = false;
        }
        if self.arbiter.is_ended() {
            self.ended_ns.get_or_insert(now_ns);
        }
    }

    /// Hands out all that has come.
    pub(super) fn finish(&mut self) {
        self.arbiter.finish(&mut self.findings, &mut self.ready);
        self.is_open = false;
    }

    /// Whether the session is over; one without a message only when no other follows it.
    pub(super) fn is_over(&self, patience: Duration, now_ns: u64) -> bool {
        let awaited = if self.has_begun { Duration::ZERO } else { patience.max(ANOTHER_SESSION) };
        let over_ns = |since: u64| u128::from(now_ns.saturating_sub(since));
        self.ended_ns.is_some_and(|since| over_ns(since) >= awaited.as_nanos())
    }

    /// What there is to say at the end.
    pub(super) fn tell(&self, mut tell: impl FnMut(String)) {
        let name = self.session.as_ref().map(session_name).unwrap_or_default();
        let end = self.arbiter.end();
        if end.is_some() && !self.has_begun {
            tell(format!(
                "session {name} had ended before a message of it came: begin to listen before it \
                 does, or ask for it with `request=`"
            ));
        }
        let wanted = self.arbiter.wanted_from();
        if let Some(end) = end.filter(|end| *end < wanted) {
            tell(format!(
                "the session ended with number {}, before {wanted}, the first one wanted: give a \
                 lower one with `from=`",
                end.saturating_sub(1)
            ));
        }
        if self.unnumbered > 0 {
            tell(format!(
                "{} packets have no session and no number, so all of them are taken as they come \
                 and a loss cannot be found: have them sent with both",
                self.unnumbered
            ));
        }
        if let Some(other) = &self.other {
            tell(format!(
                "{} packets of other sessions came to the feed's own addresses and were left out, \
                 the last one of session {}: see who sends there",
                self.others,
                session_name(other)
            ));
        }
        if self.malformed > 0 {
            tell(format!(
                "{} datagrams to the feed's own addresses are no MoldUDP64 packets, or have an \
                 impossible number, and were left out: see who sends there",
                self.malformed
            ));
        }
    }
}

fn arbiter(from: Option<u64>) -> Arbiter {
    from.map_or_else(Arbiter::default, Arbiter::starting_at)
}
