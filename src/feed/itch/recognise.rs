//! Whether bytes are ITCH 5.0, and how its messages are framed.
//!
//! The format has no magic. What gives it away is that the length before each message is the length
//! of its type. Files that come near are named: the same walk with another prefix or other lengths.

use super::decode::Framing;
use super::table::message;
use super::view::PREFIX_BYTES;
use crate::feed::sniff::Refusal;

/// Messages that are looked at.
const MESSAGES_LOOKED_AT: usize = 64;

/// Messages in a row that chance does not produce where no length confirms them.
const MESSAGES_CONVINCING: usize = 3;

/// How the messages at the start of a source are framed.
///
/// One message whose prefix is its type's length is enough; before it there may be unknown types.
/// So a recording may start anywhere in the day, and damage further on is for the decoder to find.
pub(super) fn framing(head: &[u8]) -> Result<Framing, Refusal> {
    if has_prefixes(head) {
        return Ok(Framing::Prefixed);
    }
    let zero_prefix = Walk { prefix_bytes: PREFIX_BYTES, extra: 0, prefix: |_| Some([0, 0]) };
    if zero_prefix.convinces(head) {
        return Ok(Framing::ByType);
    }
    Err(refusal(head))
}

fn has_prefixes(head: &[u8]) -> bool {
    let mut rest = head;
    for _ in 0..MESSAGES_LOOKED_AT {
        let &[high, low, letter, ..] = rest else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        match message(letter) {
            Some(known) => return known.bytes == length,
            None if length >= super::view::HEADER_BYTES => {}
            None => return false,
        }
        rest = rest.get(PREFIX_BYTES + length..).unwrap_or_default();
    }
    false
}

/// A way in which messages may follow one another.
struct Walk {
    /// Bytes before each message.
    prefix_bytes: usize,
    /// Bytes that each message is longer than its type says.
    extra: usize,
    /// What the prefix of a message of some length should be, if it matters.
    prefix: fn(u16) -> Option<[u8; 2]>,
}

impl Walk {
    /// Whether the source starts with enough messages that follow each other in this way, or holds
    /// nothing else.
    fn convinces(&self, head: &[u8]) -> bool {
        let mut rest = head;
        for seen in 0..MESSAGES_CONVINCING {
            if rest.is_empty() {
                return seen > 0;
            }
            let Some(known) = rest.get(self.prefix_bytes).and_then(|&letter| message(letter))
            else {
                return false;
            };
            let length = known.bytes + self.extra;
            let expected = (self.prefix)(length as u16);
            if expected.is_some_and(|prefix| rest[..self.prefix_bytes] != prefix) {
                return false;
            }
            rest = rest.get(self.prefix_bytes + length..).unwrap_or_default();
        }
        true
    }
}

/// Files that come near ITCH 5.0 in the usual framing, and what is different.
fn refusal(head: &[u8]) -> Refusal {
    let none = |_| None;
    let big = |length: u16| Some(length.to_be_bytes());
    let little = |length: u16| Some(length.to_le_bytes());
    let near: [(Walk, &str); 4] = [
        (
            Walk { prefix_bytes: 0, extra: 0, prefix: none },
            "this looks like ITCH 5.0 without the 2-byte length before each message",
        ),
        (
            Walk { prefix_bytes: PREFIX_BYTES, extra: 2, prefix: big },
            "this looks like ITCH with 8-byte timestamps, where ITCH 5.0 has 6 bytes",
        ),
        (
            Walk { prefix_bytes: 0, extra: 2, prefix: none },
            "this looks like ITCH with 8-byte timestamps and without lengths",
        ),
        (
            Walk { prefix_bytes: PREFIX_BYTES, extra: 0, prefix: little },
            "this looks like ITCH 5.0 with little-endian lengths",
        ),
    ];
    let cure = "write each message as NASDAQ's files have it: a 2-byte big-endian length, then the \
                message with a 6-byte timestamp";
    match near.into_iter().find(|(walk, _)| walk.convinces(head)) {
        Some((_, what)) => Refusal::new(what, cure),
        None => Refusal::new(
            "this is of no known format",
            "give an ITCH 5.0 recording, plain or gzip, with a 2-byte length before each message",
        ),
    }
}
