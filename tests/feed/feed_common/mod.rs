//! What the tests of feeds share: messages built byte by byte, readers that give little at a time.
#![allow(dead_code, unreachable_pub)]

pub mod iex;
pub mod packets;

use std::io::{self, Read};

use ringtape::event::{Event, EventView, Flags};
use ringtape::feed::itch::{ItchFeed, MESSAGES, message};
use ringtape::feed::{Feed, Fill, OpenOptions};

/// An ITCH message as bytes, without its length.
#[derive(Clone)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// A message with its header; the fields follow in the order of the specification.
    pub fn new(letter: u8, locate: u16, tracking: u16, timestamp: u64) -> Self {
        let mut bytes = vec![letter];
        bytes.extend_from_slice(&locate.to_be_bytes());
        bytes.extend_from_slice(&tracking.to_be_bytes());
        bytes.extend_from_slice(&timestamp.to_be_bytes()[2..]);
        Self(bytes)
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// The message with its length before it.
    ///
    /// Fails when the fields do not add up to the length of the type.
    pub fn frame(&self) -> Vec<u8> {
        let known = message(self.0[0]).expect("a known letter");
        assert_eq!(self.0.len(), known.bytes, "{}", known.name);
        self.raw_frame()
    }

    /// The message with its length before it, whatever its type.
    pub fn raw_frame(&self) -> Vec<u8> {
        [&(self.0.len() as u16).to_be_bytes(), &self.0[..]].concat()
    }
}

/// The system event that starts every session.
pub fn start() -> Vec<u8> {
    Message::new(b'S', 0, 0, 1_000).text("O").frame()
}

/// Everything that a feed delivers before its end.
pub fn drain(feed: &mut dyn Feed) -> Vec<Event> {
    let (events, outcome) = drain_to_fault(feed, 64);
    outcome.expect("a good feed");
    events
}

/// Everything that a feed delivers in batches of `batch_records`, and how it ended.
pub fn drain_to_fault(
    feed: &mut dyn Feed,
    batch_records: usize,
) -> (Vec<Event>, Result<(), ringtape::error::Error>) {
    let mut events = Vec::new();
    let mut batch = vec![bytemuck::Zeroable::zeroed(); batch_records];
    loop {
        match feed.fill(&mut batch) {
            Ok(Fill::Records(count)) => {
                assert!(count > 0, "records mean at least one");
                assert!(!batch[count - 1].has(Flags::CONTINUED), "only whole messages");
                events.extend_from_slice(&batch[..count]);
            }
            Ok(Fill::Pending) => unreachable!("a recording never waits"),
            Ok(Fill::End) => return (events, Ok(())),
            Err(error) => {
                assert_eq!(feed.fill(&mut batch).expect("an end"), Fill::End);
                return (events, Err(error));
            }
        }
    }
}

/// A feed over bytes in memory.
pub fn feed_of(bytes: Vec<u8>) -> ItchFeed {
    ItchFeed::from_bytes("test", bytes, &OpenOptions::default()).expect("an ITCH recording")
}

/// The events of bytes in memory.
pub fn events_of(bytes: Vec<u8>) -> Vec<Event> {
    drain(&mut feed_of(bytes))
}

/// The records of each message.
pub fn messages(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    events.split_inclusive(|event| !event.has(Flags::CONTINUED))
}

fn is_assumed(event: &Event) -> bool {
    matches!(event.view(), EventView::InstrumentTerms(terms) if terms.assumed == 1)
}

/// The message's own records, without the introduction of its instrument.
pub fn own(chain: &[Event]) -> &[Event] {
    match chain {
        [_, terms, own @ ..] if is_assumed(terms) => own,
        own => own,
    }
}

/// A reader that gives one to seven bytes at a time, and is interrupted now and then.
pub struct Trickle<R> {
    pub inner: R,
    pub step: usize,
}

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.step = (self.step * 5 + 3) % 8;
        if self.step == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.step.min(buffer.len());
        self.inner.read(&mut buffer[..most])
    }
}

/// Where the fields lie whose letters a parser checks, and what they may be.
const LETTERS: &[(u8, usize, &[u8])] = &[
    (b'S', 11, b"OSQMEC"),
    (b'R', 19, b"QGSNAPZV "),
    (b'R', 20, b"DEQSGHJKCN "),
    (b'R', 25, b"YN"),
    (b'R', 26, b"ABCFILNOPQRSTUVW"),
    (b'R', 27, b"CDQZ"),
    (b'R', 28, b" "),
    (b'R', 29, b"PT"),
    (b'R', 30, b"YN "),
    (b'R', 31, b"YN "),
    (b'R', 32, b"12 "),
    (b'R', 33, b"YN "),
    (b'R', 38, b"YN"),
    (b'H', 19, b"HPQT"),
    (b'h', 19, b"QBX"),
    (b'h', 20, b"HT"),
    (b'Y', 19, b"012"),
    (b'L', 23, b"YN"),
    (b'L', 24, b"NPSRL"),
    (b'L', 25, b"AEWSD"),
    (b'W', 11, b"123"),
    (b'K', 23, b"AC"),
    (b'A', 19, b"BS"),
    (b'F', 19, b"BS"),
    (b'C', 31, b"YN"),
    (b'P', 19, b"BS"),
    (b'Q', 39, b"OCHI"),
    (b'I', 27, b"BSNO"),
    (b'I', 48, b"OCHA"),
    (b'N', 19, b"BSAN"),
    (b'O', 19, b"YN"),
];

/// Where text lies, and of how many bytes.
const TEXTS: &[(u8, usize, usize)] = &[
    (b'R', 11, 8),
    (b'H', 11, 8),
    (b'H', 21, 4),
    (b'h', 11, 8),
    (b'Y', 11, 8),
    (b'L', 11, 4),
    (b'L', 15, 8),
    (b'K', 11, 8),
    (b'J', 11, 8),
    (b'A', 24, 8),
    (b'F', 24, 8),
    (b'F', 36, 4),
    (b'P', 24, 8),
    (b'Q', 19, 8),
    (b'I', 28, 8),
    (b'N', 11, 8),
    (b'O', 11, 8),
];

/// A valid message of the type with index `choice` in the table, its numbers taken from `noise`.
pub fn valid_message(choice: usize, noise: &[u8; 64]) -> Message {
    let row = &MESSAGES[choice % MESSAGES.len()];
    let mut bytes = noise[..row.bytes].to_vec();
    bytes[0] = row.letter;
    for &(_, at, allowed) in LETTERS.iter().filter(|(letter, ..)| *letter == row.letter) {
        bytes[at] = allowed[usize::from(noise[at]) % allowed.len()];
    }
    for &(_, at, width) in TEXTS.iter().filter(|(letter, ..)| *letter == row.letter) {
        let used = 1 + usize::from(noise[at]) % width;
        for (index, byte) in bytes[at..at + width].iter_mut().enumerate() {
            *byte = if index < used { b'A' + *byte % 26 } else { b' ' };
        }
    }
    Message(bytes)
}
