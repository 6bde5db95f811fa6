//! What a sender keeps of the messages it sent, for those who ask for them again.

use std::collections::VecDeque;

use crate::feed::moldudp64::packet::messages_from;

/// Bytes of messages in a page, and how many pages are kept: half a gibibyte.
const PAGE_BYTES: usize = 16 << 20;
const PAGES_MAX: usize = 32;

/// Bytes of messages in an answer.
const ANSWER_BYTES: usize = 1_380;

/// Packets that answer one request at most.
const ANSWERS_MAX: usize = 64;

/// The latest messages, framed, in pages of which the oldest makes room for a new one.
#[derive(Debug)]
pub(super) struct History {
    pages: VecDeque<Page>,
    page_bytes: usize,
    pages_max: usize,
    /// Messages that came so far.
    count: u64,
}

/// Messages in a row.
#[derive(Debug)]
struct Page {
    /// Index of its first message.
    first: u64,
    frames: Vec<u8>,
    /// Where each message begins.
    starts: Vec<usize>,
}

impl Default for History {
    fn default() -> Self {
        Self::new(PAGE_BYTES, PAGES_MAX)
    }
}

impl History {
    fn new(page_bytes: usize, pages_max: usize) -> Self {
        Self { pages: VecDeque::new(), page_bytes, pages_max, count: 0 }
    }

    /// Keeps framed messages.
    pub(super) fn keep(&mut self, frames: &[u8]) {
        if self.pages.back().is_none_or(|page| page.frames.len() >= self.page_bytes) {
            self.turn();
        }
        let Some(page) = self.pages.back_mut() else { return };
        let mut start = page.frames.len();
        for frame in messages_from(frames, 0) {
            page.starts.push(start);
            start += frame.len();
            self.count += 1;
        }
        page.frames.extend_from_slice(frames);
    }

    /// Begins a page; the oldest is forgotten and its memory used again.
    fn turn(&mut self) {
        let is_full = self.pages.len() == self.pages_max;
        let mut page = match self.pages.pop_front_if(|_| is_full) {
            Some(page) => page,
            None => Page { first: 0, frames: Vec::new(), starts: Vec::new() },
        };
        page.first = self.count;
        page.frames.clear();
        page.starts.clear();
        self.pages.push_back(page);
    }

    /// The packets that hold the messages from index `first` to `end`, as far as they are kept and
    /// one answer goes: number, count, messages.
    pub(super) fn answers(&self, first: u64, end: u64) -> Vec<(u64, u16, &[u8])> {
        let mut packets = Vec::new();
        for page in &self.pages {
            page.answers((first.max(page.first), end), &mut packets);
        }
        packets
    }
}

impl Page {
    fn answers<'a>(&'a self, (mut next, end): (u64, u64), packets: &mut Vec<(u64, u16, &'a [u8])>) {
        let end = end.min(self.first + self.starts.len() as u64);
        while next < end && packets.len() < ANSWERS_MAX {
            let start = self.starts[(next - self.first) as usize];
            let mut count = 0_u16;
            let mut bytes = 0;
            for frame in messages_from(&self.frames[start..], 0) {
                let is_full = bytes + frame.len() > ANSWER_BYTES && count > 0;
                if is_full || next + u64::from(count) == end || count == u16::MAX - 1 {
                    break;
                }
                bytes += frame.len();
                count += 1;
            }
            packets.push((next + 1, count, &self.frames[start..start + bytes]));
            next += u64::from(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: usize) -> Vec<u8> {
        [&[0, 98][..], &[b'x'; 98]].concat().repeat(count)
    }

    #[test]
    fn answers_hold_what_was_asked_for_in_packets_of_a_frame() {
        let mut history = History::default();
        history.keep(&frames(30));
        history.keep(&frames(10));
        let packets = history.answers(3, 50);
        let counts: Vec<_> = packets.iter().map(|(number, count, _)| (*number, *count)).collect();
        assert_eq!(counts, [(4, 13), (17, 13), (30, 11)]);
        assert!(packets.iter().all(|(_, count, bytes)| bytes.len() == usize::from(*count) * 100));
        assert!(history.answers(40, 50).is_empty());
    }

    #[test]
    fn only_the_latest_messages_are_kept_and_answered() {
        let mut history = History::new(1_000, 3);
        let page = frames(12);
        (0..5).for_each(|_| history.keep(&page));
        let kept: usize = history.pages.iter().map(|page| page.frames.len()).sum();
        assert_eq!(kept, 3 * page.len());
        let counts = |first, end| -> Vec<(u64, u16)> {
            let packets = history.answers(first, end);
            packets.iter().map(|(number, count, _)| (*number, *count)).collect()
        };
        assert_eq!(counts(0, 24), [], "the first messages are forgotten");
        assert_eq!(counts(20, 27), [(25, 3)], "the oldest that are kept");
        assert_eq!(counts(34, 38), [(35, 2), (37, 2)], "an answer from two pages");
        assert_eq!(counts(59, u64::MAX), [(60, 1)]);
        assert_eq!(counts(u64::MAX, u64::MAX), []);
    }
}
