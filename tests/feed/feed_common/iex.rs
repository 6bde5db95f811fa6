//! IEX's messages and datagrams, built byte by byte.
#![allow(dead_code, unreachable_pub)]

use super::packets::{LINE_A, PCAP, frame};

pub const TOPS: u16 = 0x8003;
pub const DEEP: u16 = 0x8004;

/// A message with its header; the fields follow in the order of the specification.
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(letter: u8, flags: u8, ts: i64, symbol: &str) -> Self {
        let mut bytes = vec![letter, flags];
        bytes.extend(ts.to_le_bytes());
        bytes.extend(format!("{symbol:<8}").into_bytes());
        Self(bytes)
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn framed(&self) -> Vec<u8> {
        [&(self.0.len() as u16).to_le_bytes(), &self.0[..]].concat()
    }
}

/// A datagram of messages of session 7, the first of which has number `first`.
pub fn segment(protocol: u16, first: i64, messages: &[Message]) -> Vec<u8> {
    let body: Vec<u8> = messages.iter().flat_map(Message::framed).collect();
    let mut bytes = vec![1, 0];
    bytes.extend(protocol.to_le_bytes());
    bytes.extend([1_u32.to_le_bytes(), 7_u32.to_le_bytes()].concat());
    bytes.extend((body.len() as u16).to_le_bytes());
    bytes.extend((messages.len() as u16).to_le_bytes());
    bytes.extend([0_i64, first, 1_700_000_000_000_000_000].map(i64::to_le_bytes).concat());
    bytes.extend(body);
    bytes
}

/// A capture of datagrams.
pub fn capture(segments: &[Vec<u8>]) -> Vec<u8> {
    let frames: Vec<Vec<u8>> = segments.iter().map(|bytes| frame(LINE_A, bytes, 0)).collect();
    PCAP.file(&frames)
}
