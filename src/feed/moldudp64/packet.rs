//! The bytes of a packet.

/// Bytes before a packet's messages.
pub(crate) const HEADER_BYTES: usize = 20;

/// Bytes of a session's name.
pub(crate) const SESSION_BYTES: usize = 10;

/// Bytes of the length before each message.
pub(crate) const LENGTH_BYTES: usize = 2;

/// Name of the session of captures that were made of single messages.
pub(crate) const NO_SESSION: [u8; SESSION_BYTES] = [0; SESSION_BYTES];

/// The count that ends a session.
const END: u16 = 0xffff;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// So many messages, at least one.
    Messages(u16),
    /// The session is alive.
    Heartbeat,
    /// The session has ended.
    End,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) session: [u8; SESSION_BYTES],
    /// Number of the first message; of the next one, when there are none.
    pub(crate) number: u64,
    pub(crate) content: Content,
    /// The messages, each behind its length.
    pub(crate) messages: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` when the payload is none.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let (header, messages) = payload.split_first_chunk::<HEADER_BYTES>()?;
        let (session, rest) = header.split_first_chunk::<SESSION_BYTES>()?;
        let (number, count) = rest.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*number);
        let content = match u16::from_be_bytes([count[0], count[1]]) {
            0 => Content::Heartbeat,
            END => Content::End,
            count => Content::Messages(count),
        };
        let count = match content {
            Content::Messages(count) => count,
            _ => 0,
        };
        let is_whole = (0..count).try_fold(messages, |rest, _| skip(rest))?.is_empty();
        let is_session = *session == NO_SESSION || session.iter().all(|b| matches!(b, b' '..=b'~'));
        number.checked_add(u64::from(count))?;
        let packet = Self { session: *session, number, content, messages };
        (is_whole && is_session).then_some(packet)
    }

    /// The number after the packet's last message.
    pub(crate) fn next(&self) -> u64 {
        match self.content {
            Content::Messages(count) => self.number + u64::from(count),
            Content::Heartbeat | Content::End => self.number,
        }
    }

    /// Whether it is for messages, which heartbeats and end marks are not.
    pub(crate) fn has_messages(&self) -> bool {
        matches!(self.content, Content::Messages(_))
    }

    /// Whether the packets of its session have no numbers.
    pub(crate) fn is_unnumbered(&self) -> bool {
        self.session == NO_SESSION && self.number == 0
    }
}

/// A session's name for people.
pub(crate) fn session_name(session: &[u8; SESSION_BYTES]) -> String {
    match *session {
        NO_SESSION => "of ten zeros".to_owned(),
        _ => format!("`{}`", String::from_utf8_lossy(session).trim()),
    }
}

/// Whether a payload is a packet whose first message, if any, has the length of its type.
#[cfg(feature = "pcap")]
pub(crate) fn is_packet(payload: &[u8]) -> bool {
    let Some(packet) = Packet::parse(payload) else { return false };
    match packet.messages {
        [high, low, letter, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            crate::feed::itch::message(*letter).is_none_or(|known| known.bytes == length)
        }
        _ => true,
    }
}

/// What follows the message that `rest` starts with.
fn skip(rest: &[u8]) -> Option<&[u8]> {
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(usize::from(u16::from_be_bytes(*length))..)
}

/// The messages of a packet with their lengths, from the one of index `first` on.
pub(crate) fn messages_from(messages: &[u8], first: u64) -> impl Iterator<Item = &[u8]> {
    let mut rest = messages;
    let frames = std::iter::from_fn(move || {
        let after = skip(rest)?;
        let frame = &rest[..rest.len() - after.len()];
        rest = after;
        Some(frame)
    });
    frames.skip(usize::try_from(first).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64, count: u16, messages: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"SESSION001".to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        for message in messages {
            bytes.extend((message.len() as u16).to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes
    }

    #[test]
    fn packets_are_read_and_others_refused() {
        let bytes = packet(7, 3, &[b"Sabc", b"", b"Zz"]);
        let read = Packet::parse(&bytes).expect("a packet");
        assert_eq!((read.number, read.content, read.next()), (7, Content::Messages(3), 10));
        let second: Vec<_> = messages_from(read.messages, 1).collect();
        assert_eq!(second, [&b"\0\0"[..], b"\0\x02Zz"]);
        assert_eq!(Packet::parse(&packet(9, 0, &[])).expect("one").content, Content::Heartbeat);
        assert_eq!(Packet::parse(&packet(9, END, &[])).expect("one").content, Content::End);
        for wrong in [
            packet(7, 2, &[b"Sabc"]),
            packet(7, 1, &[b"Sabc", b"S"]),
            packet(u64::MAX, 1, &[b"S"]),
            packet(7, 1, &[b"Sabc"])[..20].to_vec(),
            b"SESSION".to_vec(),
        ] {
            assert!(Packet::parse(&wrong).is_none(), "{wrong:?}");
        }
    }
}
