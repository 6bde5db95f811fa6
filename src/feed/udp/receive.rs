//! The receiver: sockets, arbiter, requests, decoder.

use std::fmt;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::UdpAddress;
use super::socket::{LineSocket, open_sender};
use super::stream::Stream;
use crate::error::{Error, Result};
use crate::event::kinds::Raw;
use crate::event::{Event, Flags, payload};
use crate::feed::itch::{Decoder, Framing, Stop, mark_message};
use crate::feed::moldudp64::packet::messages_from;
use crate::feed::source::{WINDOW_MARGIN, Window};
use crate::feed::{Checks, Description, Feed, Fill, LineCounts, OpenOptions, Position};
use crate::hash::hash_bytes;

/// Name of the format.
const FORMAT: &str = "itch-5.0 in moldudp64, live";

/// Datagrams that are taken from a socket before the other one is looked at.
const BURST: usize = 64;

/// Bytes of the largest answer of a server.
const ANSWER_BYTES: usize = 1 << 16;

/// Silence after which a `time` event is due.
const SILENCE: Duration = Duration::from_millis(1);

/// Time for which the other line may bring what is missing before a server is asked.
const ASK_AFTER: Duration = Duration::from_millis(1);

/// Time after which a server is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Messages that are asked for at once.
const ASK_MESSAGES: u64 = 1_000;

/// Gaps behind the first one that are asked for each time that this one is asked for again.
const ASK_BEHIND: usize = 4;

/// Time within which what has come is read once the feed is to stop.
const STOP_WITHIN: Duration = Duration::from_millis(100);

/// A live feed.
pub struct UdpFeed {
    address: UdpAddress,
    lines: Vec<LineSocket>,
    server: Option<UdpSocket>,
    stream: Stream,
    decoder: Decoder,
    description: Description,
    position: Position,
    started: Instant,
    /// When the last message came.
    last_message: Option<Instant>,
    /// When the last message came or the last `time` event was.
    last_news: Instant,
    awaited: Option<Awaited>,
    /// The last message of the packets before.
    last_place: Option<Place>,
    /// Exchange events that go on in the packet after their own.
    split: u64,
    fault: Option<Error>,
    is_stopped: bool,
    is_ended: bool,
}

/// What tells whether a message of ITCH goes on with the exchange event of the one before: fields
/// of its header as they are sent, the highest byte first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    locate: [u8; 2],
    tracking: [u8; 2],
    time: [u8; 6],
}

impl Place {
    /// Of a message with its length in front.
    fn of(frame: &[u8]) -> Option<Self> {
        let field = |at: usize| frame.get(at..at + 2)?.try_into().ok();
        let time = frame.get(7..13)?.try_into().ok()?;
        Some(Self { locate: field(3)?, tracking: field(5)?, time })
    }

    fn continues(self, before: Self) -> bool {
        (self.locate, self.time) == (before.locate, before.time) && self.tracking > before.tracking
    }
}

/// A message that is awaited.
#[derive(Clone, Copy)]
struct Awaited {
    number: u64,
    since: Instant,
    asked: Option<Instant>,
    /// The number from which on gaps behind it are asked for next.
    behind: u64,
}

impl fmt::Debug for UdpFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpFeed")
            .field("address", &self.address)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl UdpFeed {
    /// Opens the sockets of a feed and joins its groups.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a socket cannot be had, such as for an address that is not there.
    pub fn open(address: UdpAddress, options: &OpenOptions) -> Result<Self> {
        let lines = address
            .lines
            .iter()
            .map(|line| LineSocket::open(*line, &address))
            .collect::<Result<Vec<_>>>()?;
        let server = address
            .request
            .map(|server| {
                open_sender(address.interface, 0, Some(address.buffer_bytes))
                    .map_err(|source| Error::io("ask", server.to_string(), source))
            })
            .transpose()?;
        let from = address.from.or(server.as_ref().map(|_| 1));
        let counts = address.lines.iter().map(|line| {
            let address = line.to_string().into();
            LineCounts { address, ..LineCounts::default() }
        });
        let stream = Stream::new(from, counts.collect());
        let now = Instant::now();
        let mut feed = Self {
            description: describe(&address, &lines, options),
            lines,
            server,
            stream,
            decoder: Decoder::new(Framing::Prefixed, options.midnight_ns),
            position: Position::default(),
            started: now,
            last_message: None,
            last_news: now,
            awaited: None,
            last_place: None,
            split: 0,
            address,
            fault: None,
            is_stopped: false,
            is_ended: false,
        };
        feed.note_packets();
        Ok(feed)
    }

    /// Takes what has come on all sockets; how many datagrams.
    fn receive(&mut self) -> Result<usize> {
        let now_ns = self.ns_at(Instant::now());
        let mut datagrams = 0;
        for (index, line) in self.lines.iter_mut().enumerate() {
            for _ in 0..BURST {
                let received = line.receive().map_err(|source| {
                    Error::io("receive from", self.address.lines[index].to_string(), source)
                })?;
                let Some(received) = received else { break };
                datagrams += 1;
                self.stream.age_ns = self.stream.age_ns.max(received.age_ns);
                self.stream.take(received.payload, Some(index), now_ns);
            }
        }
        let dropped = self.lines.iter().map(|line| u64::from(line.dropped)).sum();
        self.stream.findings.packets.dropped = dropped;
        let Some(server) = &self.server else { return Ok(datagrams) };
        let mut answer = [0; ANSWER_BYTES];
        for _ in 0..BURST {
            // That a server is not there is told by what stays missing.
            let Ok(count) = server.recv(&mut answer) else { break };
            datagrams += 1;
            self.stream.take(&answer[..count], None, now_ns);
        }
        Ok(datagrams)
    }

    /// A moment in the feed's own time.
    fn ns_at(&self, now: Instant) -> u64 {
        (now - self.started).as_nanos() as u64
    }

    /// Asks for what is missing, or gives it up.
    fn look_for_missing(&mut self, now: Instant) {
        self.stream.give_up(self.address.patience, self.ns_at(now));
        let Some(missing) = self.stream.arbiter.missing() else {
            self.awaited = None;
            return;
        };
        let fresh = Awaited { number: missing.from, since: now, asked: None, behind: 0 };
        let mut awaited = self.awaited.unwrap_or(fresh);
        let is_next = awaited.number != missing.from;
        if is_next {
            // Something came, or was given up: what is missing now is asked for at once.
            let asked = awaited.asked.map(|asked| asked - ASK_AGAIN);
            awaited = Awaited { asked, behind: awaited.behind, ..fresh };
        }
        let is_due = match awaited.asked {
            Some(asked) => now - asked >= ASK_AGAIN,
            None => now - awaited.since >= ASK_AFTER,
        };
        if is_due {
            self.ask(missing.from, missing.until);
            if awaited.asked.is_some() && !is_next {
                awaited.behind = self.ask_behind(awaited.behind.max(missing.until));
            }
            awaited.asked = Some(now);
        }
        self.awaited = Some(awaited);
    }

    /// Asks for gaps from `number` on; where to go on, 0 for the beginning.
    fn ask_behind(&mut self, mut number: u64) -> u64 {
        for _ in 0..ASK_BEHIND {
            let Some(gap) = self.stream.arbiter.missing_from(number) else { return 0 };
            self.ask(gap.start, gap.end);
            number = gap.end;
        }
        number
    }

    /// Asks the server, if there is one, for messages.
    fn ask(&mut self, from: u64, until: u64) {
        let (Some(server), Some(address)) = (&self.server, self.address.request) else { return };
        let count = (until - from).min(ASK_MESSAGES) as u16;
        let session = self.stream.session.unwrap_or_default();
        let request = [&session[..], &from.to_be_bytes(), &count.to_be_bytes()].concat();
        self.stream.findings.packets.requests += 1;
        // One that cannot be sent now is sent again when it is due again.
        let _ = server.send_to(&request, address);
    }

    /// Decodes what is ready into `out`; how many records.
    fn decode(&mut self, out: &mut [Event]) -> usize {
        let end = self.stream.ready.len();
        if self.stream.taken == end {
            return 0;
        }
        self.stream.ready.resize(end + WINDOW_MARGIN, 0);
        let bytes = &self.stream.ready[self.stream.taken..];
        let window =
            Window { bytes, limit: end - self.stream.taken, is_ended: !self.stream.is_open };
        let before = self.decoder.checks.messages;
        let batch = self.decoder.decode(window, out);
        let start = self.stream.taken;
        self.stream.ready.truncate(end);
        let offset = self.decoder.checks.bytes;
        self.decoder.checks.bytes += batch.bytes as u64;
        self.stream.taken += batch.bytes;
        if let Stop::Fault(fault) = batch.stop {
            self.fault = Some(Error::BadFeed {
                origin: self.description.origin.clone(),
                offset: offset + batch.bytes as u64 + fault.at as u64,
                message: self.decoder.checks.messages,
                what: format!("{} (byte of the messages received)", fault.what),
                cure: "see who sends to this address, and record what comes".to_owned(),
            });
            self.is_ended = true;
        }
        let written = &mut out[..batch.records];
        self.note(before, written);
        self.note_split(start);
        if self.stream.taken == end {
            self.stream.ready.clear();
            self.stream.taken = 0;
        } else {
            // The packets go on, and so may the event: the decoder sees both.
            self.last_place = None;
        }
        batch.records
    }

    /// Takes note of whether what was decoded from `start` on goes on with what came before.
    fn note_split(&mut self, start: usize) {
        let mut places = messages_from(&self.stream.ready[start..self.stream.taken], 0)
            .filter_map(Place::of)
            .peekable();
        let first = places.peek().copied();
        let goes_on = first.zip(self.last_place).is_some_and(|(next, last)| next.continues(last));
        self.split += u64::from(goes_on);
        self.last_place = places.last().or(self.last_place);
    }

    /// Takes note of what was decoded.
    fn note(&mut self, before: u64, written: &mut [Event]) {
        if written.is_empty() {
            return;
        }
        if before == 0 {
            self.description.identity = hash_bytes(&self.stream.session.unwrap_or_default());
        }
        written.iter_mut().for_each(|event| event.ts_ingest = self.stream.age_ns);
        let findings = &mut self.stream.findings;
        let checks = &mut self.decoder.checks;
        while let Some(gap) = findings.gaps.pop_front_if(|gap| gap.message < checks.messages) {
            checks.note_gap(gap, mark_message(written, gap.message - before));
        }
        self.note_packets();
        let checks = &self.decoder.checks;
        self.position.byte_offset = checks.bytes;
        self.position.stored_bytes = checks.bytes;
        self.position.message = checks.messages;
    }

    /// Takes over what was counted of packets.
    fn note_packets(&mut self) {
        let (findings, checks) = (&self.stream.findings, &mut self.decoder.checks);
        checks.packets = Some(findings.packets);
        checks.lines.clone_from(&findings.lines);
    }

    /// The `time` event of a silence.
    fn time(&mut self, now: Instant) -> Option<Event> {
        let last_message = self.last_message?;
        if now - self.last_news < SILENCE {
            return None;
        }
        self.last_news = now;
        let since = (now - last_message).as_nanos() as u64;
        let ts = self.decoder.checks.last_ts?.saturating_add(since);
        let time = payload::Time { pad: Raw([0; 32]) };
        Some(Event::new(ts, 0, time).with_flags(Flags::LAST))
    }

    /// Ends the feed and says what there is to say about it.
    fn end(&mut self) {
        self.is_ended = true;
        self.note_packets();
        let Stream { arbiter, findings, .. } = &mut self.stream;
        let checks = &mut self.decoder.checks;
        findings.gaps.drain(..).for_each(|gap| checks.note_gap(gap, None));
        checks.has_end |= arbiter.is_ended();
        let findings = &self.stream.findings;
        let mut tell = |note: String| self.description.assumptions.push(note);
        self.stream.tell(&mut tell);
        if self.split > 0 {
            tell(format!(
                "{} exchange events go on in the packet after their own, and were taken for two: \
                 send one in one packet",
                self.split
            ));
        }
        if findings.packets.dropped > 0 {
            tell(format!(
                "{} packets found their socket full: ask for more with `buffer=`, or raise the \
                 system's limit with `sysctl net.core.rmem_max`",
                findings.packets.dropped
            ));
        }
    }
}

impl Feed for UdpFeed {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        if self.is_ended {
            return self.fault.take().map_or(Ok(Fill::End), Err);
        }
        let mut records = self.decode(out);
        if records == 0 && !self.is_ended && self.is_stopped {
            self.end();
            return self.fault.take().map_or(Ok(Fill::End), Err);
        }
        if records == 0 && !self.is_ended {
            self.stream.age_ns = 0;
            self.receive()?;
            let now = Instant::now();
            self.look_for_missing(now);
            records = self.decode(out);
            if records > 0 {
                self.last_message = Some(now);
                self.last_news = now;
            } else if self.stream.is_over(self.address.patience, self.ns_at(now)) {
                self.end();
                return Ok(Fill::End);
            } else if let Some(time) = self.time(now) {
                out[0] = time;
                records = 1;
            }
        }
        match (records, self.fault.take_if(|_| records == 0)) {
            (_, Some(fault)) => Err(fault),
            (0, None) => Ok(Fill::Pending),
            (records, None) => Ok(Fill::Records(records)),
        }
    }

    fn stop(&mut self) -> bool {
        if !self.is_stopped {
            self.is_stopped = true;
            let until = Instant::now() + STOP_WITHIN;
            loop {
                match self.receive() {
                    Ok(datagrams) if datagrams > 0 && Instant::now() < until => {}
                    Ok(_) => break,
                    Err(fault) => {
                        self.fault = self.fault.take().or(Some(fault));
                        break;
                    }
                }
            }
            self.stream.finish();
        }
        !self.is_ended
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.decoder.checks
    }
}

/// What the feed is, and how its sockets turned out.
fn describe(address: &UdpAddress, lines: &[LineSocket], options: &OpenOptions) -> Description {
    let names: Vec<_> = address.lines.iter().map(ToString::to_string).collect();
    let has_stamps = lines.iter().all(|line| line.has_stamps);
    let mut assumptions = Vec::new();
    // The kernel doubles what is asked for, and says so, to have room for its own records.
    let smallest = lines.iter().map(|line| line.buffer_bytes / 2).min().unwrap_or(0);
    if smallest < address.buffer_bytes {
        assumptions.push(format!(
            "the sockets hold {smallest} bytes, not {} as asked: raise the system's limit with \
             `sysctl net.core.rmem_max`",
            address.buffer_bytes
        ));
    }
    let refused = lines.iter().find_map(|line| line.busy_poll_refused.as_ref());
    if let Some(error) = refused {
        assumptions.push(format!(
            "the kernel does not poll for packets ({error}): it takes the privilege net_admin"
        ));
    }
    Description {
        origin: names.join(" and "),
        format: FORMAT,
        compression: "none",
        midnight_ns: options.midnight_ns,
        arrival: Some(if has_stamps { "the kernel's receive stamp" } else { "the read" }),
        assumptions,
        ..Description::default()
    }
}
