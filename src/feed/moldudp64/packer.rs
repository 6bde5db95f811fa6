//! Packing messages into packets, as the sender of a feed does.

use super::packet::{HEADER_BYTES, LENGTH_BYTES, SESSION_BYTES};

/// Bytes of a packet beyond which another one is begun: with its headers it fits into a frame of
/// Ethernet.
const PACKET_BYTES: usize = 1_400;

/// Bytes of the largest packet, which a single exchange event may need.
const PACKET_BYTES_MAX: usize = 8_900;

/// Time that a packet may span, by the clock of those who add to it.
const SPAN_NS: u64 = 1_000_000;

/// A packet that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The packet's bytes.
    pub bytes: Vec<u8>,
    /// Number of its first message.
    pub number: u64,
    /// Time that its first message was added with.
    pub ts_ns: u64,
    /// Messages in it.
    pub count: u16,
}

/// Packs exchange events into packets; one event is never spread over two packets that it would
/// fit into.
///
/// ```
/// use ringtape::feed::moldudp64::Packer;
///
/// let mut packer = Packer::new("SESSION001");
/// packer.add(&[0, 1, b'x', 0, 1, b'y'], 34_200_000_000_000, |_| unreachable!("it has room"));
/// let packet = packer.flush().expect("two messages");
/// assert_eq!((packet.count, packet.bytes.len()), (2, 20 + 6));
/// assert_eq!(packer.next(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Packer {
    session: [u8; SESSION_BYTES],
    /// Number of the next message that is not in a packet yet.
    next: u64,
    messages: Vec<u8>,
    count: u16,
    ts_ns: u64,
}

impl Packer {
    /// A packer for a session, whose name is cut or padded to ten characters.
    pub fn new(session: &str) -> Self {
        let mut name = [b' '; SESSION_BYTES];
        name.iter_mut().zip(session.bytes()).for_each(|(byte, given)| *byte = given);
        Self { session: name, next: 1, messages: Vec::new(), count: 0, ts_ns: 0 }
    }

    /// Number of the next message, counted from 1.
    pub fn next(&self) -> u64 {
        self.next + u64::from(self.count)
    }

    /// Adds the framed messages of one exchange event; `emit` gets the packets that are full.
    ///
    /// A packet spans at most a millisecond of the times `ts_ns`, which are those of the feed or
    /// those of the sending.
    pub fn add(&mut self, frames: &[u8], ts_ns: u64, mut emit: impl FnMut(Packed)) {
        let is_long = self.messages.len() + frames.len() > PACKET_BYTES - HEADER_BYTES;
        let is_old = ts_ns.saturating_sub(self.ts_ns) > SPAN_NS;
        if is_long || is_old {
            self.flush().into_iter().for_each(&mut emit);
        }
        let mut rest = frames;
        while let Some((length, _)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let end = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
            if self.messages.len() + end > PACKET_BYTES_MAX - HEADER_BYTES {
                self.flush().into_iter().for_each(&mut emit);
            }
            if self.count == 0 {
                self.ts_ns = ts_ns;
            }
            self.messages.extend_from_slice(&rest[..end]);
            self.count += 1;
            rest = &rest[end..];
        }
    }

    /// Closes the packet in hand; `None` when it holds nothing.
    pub fn flush(&mut self) -> Option<Packed> {
        if self.count == 0 {
            return None;
        }
        let (ts_ns, count) = (self.ts_ns, self.count);
        let number = self.next;
        let bytes = self.packet(number, count, &self.messages);
        self.next += u64::from(count);
        self.messages.clear();
        self.count = 0;
        Some(Packed { bytes, number, ts_ns, count })
    }

    /// A packet of framed messages that were sent before, the first of which has number `number`.
    pub fn packet(&self, number: u64, count: u16, messages: &[u8]) -> Vec<u8> {
        let (number, count) = (number.to_be_bytes(), count.to_be_bytes());
        [&self.session[..], &number, &count, messages].concat()
    }

    /// The packet that says that the session is alive.
    pub fn heartbeat(&self) -> Vec<u8> {
        self.packet(self.next, 0, &[])
    }

    /// The packet that ends the session.
    pub fn end(&self) -> Vec<u8> {
        self.packet(self.next, u16::MAX, &[])
    }
}
