//! Captures built byte by byte: MoldUDP64 packets in UDP in IPv4 in Ethernet in pcap and pcapng.
#![allow(dead_code, unreachable_pub)]

use super::Message;

/// Session of the packets made here.
pub const SESSION: &[u8; 10] = b"TEST000001";

/// The two lines of the feed.
pub const LINE_A: ([u8; 4], u16) = ([233, 54, 12, 111], 26_477);
pub const LINE_B: ([u8; 4], u16) = ([233, 49, 196, 111], 26_477);

/// A MoldUDP64 packet of framed messages, the first of which has number `number`.
pub fn packet(number: u64, frames: &[&[u8]]) -> Vec<u8> {
    mold(SESSION, number, frames.len() as u16, &frames.concat())
}

/// A MoldUDP64 packet with any header.
pub fn mold(session: &[u8; 10], number: u64, count: u16, messages: &[u8]) -> Vec<u8> {
    let (number, count) = (number.to_be_bytes(), count.to_be_bytes());
    [session, &number[..], &count[..], messages].concat()
}

/// A framed order whose reference and time, in ns from 9:30 on, are this number.
pub fn numbered(number: u64) -> Vec<u8> {
    let message = Message::new(b'A', 1, 0, 34_200_000_000_000 + number).u64(number).text("B");
    message.u32(100).text("ACME    ").u32(100_000).frame()
}

/// A packet of such orders from one number to before another.
pub fn numbered_packet(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let frames: Vec<_> = numbers.clone().map(numbered).collect();
    packet(numbers.start, &frames.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// The packet that ends a session, `next` the number that would come next.
pub fn end_of_session(next: u64) -> Vec<u8> {
    mold(SESSION, next, 0xffff, &[])
}

/// An IPv4 packet with a UDP datagram; `fragment` is its field of flags and offset.
pub fn ip(line: ([u8; 4], u16), payload: &[u8], fragment: u16) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((28 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([16, 17, 0, 0, 10, 0, 0, 1]);
    bytes.extend(line.0);
    bytes.extend(1234_u16.to_be_bytes());
    bytes.extend(line.1.to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

/// An Ethernet frame with `tags` (802.1ad outside, 802.1Q inside), padded to 60 bytes.
pub fn frame(line: ([u8; 4], u16), payload: &[u8], tags: usize) -> Vec<u8> {
    ethernet(&ip(line, payload, 0), tags)
}

/// An Ethernet frame around an IPv4 packet.
pub fn ethernet(packet: &[u8], tags: usize) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1];
    let kinds: &[[u8; 2]] = &[[0x88, 0xa8], [0x81, 0x00]];
    for kind in &kinds[kinds.len() - tags..] {
        bytes.extend(kind);
        bytes.extend([0, 7]);
    }
    bytes.extend([0x08, 0x00]);
    bytes.extend_from_slice(packet);
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

/// How a pcap file is written.
#[derive(Clone, Copy, Debug)]
pub struct Pcap {
    pub is_big_endian: bool,
    pub is_ns: bool,
    pub link: u32,
}

pub const PCAP: Pcap = Pcap { is_big_endian: false, is_ns: true, link: 1 };

impl Pcap {
    fn u32(self, value: u32) -> [u8; 4] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u16(self, value: u16) -> [u8; 2] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A file of frames, a millisecond between two.
    pub fn file(self, frames: &[Vec<u8>]) -> Vec<u8> {
        let magic = if self.is_ns { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut bytes = self.u32(magic).to_vec();
        bytes.extend([self.u16(2), self.u16(4)].concat());
        bytes.extend([self.u32(0), self.u32(0), self.u32(65_535), self.u32(self.link)].concat());
        for (index, frame) in frames.iter().enumerate() {
            let (second, millisecond) = (index as u32 / 1000, index as u32 % 1000);
            let units = millisecond * if self.is_ns { 1_000_000 } else { 1000 };
            let length = self.u32(frame.len() as u32);
            bytes.extend(
                [self.u32(1_700_000_000 + second), self.u32(units), length, length].concat(),
            );
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    /// The same as pcapng, with one interface that stamps in ns or us.
    pub fn next_generation(self, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut section = self.u32(0x1a2b_3c4d).to_vec();
        section.extend([self.u16(1), self.u16(0)].concat());
        section.extend([0xff; 8]);
        let mut bytes = self.block(0x0a0d_0d0a, &section);
        let mut interface = [self.u16(self.link as u16), self.u16(0)].concat();
        interface.extend(self.u32(0));
        interface.extend([self.u16(9), self.u16(1)].concat());
        interface.extend([if self.is_ns { 9 } else { 6 }, 0, 0, 0]);
        interface.extend([0; 4]);
        bytes.extend(self.block(1, &interface));
        for (index, frame) in frames.iter().enumerate() {
            let per_second: u64 = if self.is_ns { 1_000_000_000 } else { 1_000_000 };
            let stamp = 1_700_000_000 * per_second + index as u64 * per_second / 1000;
            let mut packet = self.u32(0).to_vec();
            packet.extend([self.u32((stamp >> 32) as u32), self.u32(stamp as u32)].concat());
            packet.extend([self.u32(frame.len() as u32), self.u32(frame.len() as u32)].concat());
            packet.extend_from_slice(frame);
            packet.resize(packet.len().next_multiple_of(4), 0);
            bytes.extend(self.block(6, &packet));
        }
        bytes
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = self.u32(12 + body.len() as u32);
        [&self.u32(kind)[..], &length, body, &length].concat()
    }
}
