//! What feeds count and check.

use std::sync::Arc;

use super::Description;
use crate::event::Event;
use crate::limits::GAPS_LISTED_MAX;

/// How often something was found, and where and when first and last.
///
/// ```
/// use ringtape::feed::Located;
///
/// let mut halts = Located::default();
/// halts.note(7, 34_200_000_000_000);
/// halts.note(9, 34_201_000_000_000);
/// assert_eq!((halts.count, halts.first, halts.last), (2, 7, 9));
/// assert_eq!(halts.last_ts, 34_201_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// How often.
    pub count: u64,
    /// Number of the first message concerned.
    pub first: u64,
    /// Number of the last message concerned.
    pub last: u64,
    /// Exchange time of the first message concerned in ns.
    pub first_ts: u64,
    /// Exchange time of the last message concerned in ns.
    pub last_ts: u64,
    /// Byte of the unpacked file at which the first message concerned begins, or its packet;
    /// `None` where that is not known.
    pub first_byte: Option<u64>,
    /// The same of the last message concerned.
    pub last_byte: Option<u64>,
    /// Of several feeds that are read as one: the number, from 1, of the one that the first message
    /// concerned is of; `None` for a feed alone.
    pub first_source: Option<u32>,
    /// The same of the last message concerned.
    pub last_source: Option<u32>,
}

impl Located {
    /// Counts one more at `message` and its time.
    #[inline]
    pub fn note(&mut self, message: u64, ts: u64) {
        self.note_at(message, ts, None);
    }

    /// Counts one more at `message`, its time, and its byte where that is known.
    #[inline]
    pub fn note_at(&mut self, message: u64, ts: u64, byte: Option<u64>) {
        if self.count == 0 {
            self.first = message;
            self.first_ts = ts;
            self.first_byte = byte;
        }
        self.count = self.count.saturating_add(1);
        self.last = message;
        self.last_ts = ts;
        self.last_byte = byte;
    }

    /// Counts `count` more at `message`, its time, and its byte where that is known.
    pub(crate) fn note_many(&mut self, (message, ts): (u64, u64), byte: Option<u64>, count: u64) {
        if count > 0 {
            self.note_at(message, ts, byte);
            self.count = self.count.saturating_add(count - 1);
        }
    }

    /// Counts one more at `event`, the event of the ring of this number, of the feed it says.
    pub(crate) fn note_event(&mut self, number: u64, event: &Event) {
        if self.count == 0 {
            self.first_source = event.source();
        }
        self.last_source = event.source();
        self.note(number, event.ts_event);
    }

    /// Adds what was found in the feed `source` of several; the first and the last are those by
    /// time, and their places those of their own feeds.
    fn add(&mut self, source: u32, more: Self) {
        if more.count == 0 {
            return;
        }
        let more = Self { first_source: Some(source), last_source: Some(source), ..more };
        let count = self.count.saturating_add(more.count);
        let is_before = |own: &Self| own.count > 0 && own.first_ts <= more.first_ts;
        let is_after = |own: &Self| own.count > 0 && own.last_ts > more.last_ts;
        let first = if is_before(self) { *self } else { more };
        let last = if is_after(self) { *self } else { more };
        *self = Self {
            count,
            last: last.last,
            last_ts: last.last_ts,
            last_byte: last.last_byte,
            last_source: last.last_source,
            ..first
        };
    }
}

/// Messages that the format's numbering says are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Number of the feed's message that follows the gap.
    pub message: u64,
    /// The venue's number of the first missing message.
    pub from: u64,
    /// The venue's number of the first message after the gap.
    pub until: u64,
    /// Byte of the unpacked file at which the packet begins that follows the gap, or tells of it;
    /// `None` where packets have no place in a file.
    pub byte: Option<u64>,
}

impl Gap {
    /// How many messages are missing.
    pub fn count(&self) -> u64 {
        self.until - self.from
    }
}

/// What was counted of the packets that carried a feed's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Packets of the feed's session.
    pub packets: u64,
    /// Those among them that only say that the session is alive.
    pub heartbeats: u64,
    /// Messages that came again, on the other line or the same.
    pub copies: u64,
    /// Packets that came behind a later one of their own line.
    pub late: u64,
    /// Messages that came and are before the first one that was asked for, `from=` of a live feed.
    pub skipped: u64,
    /// Packets that were none of the feed's.
    pub foreign: u64,
    /// Packets of a live feed that the system dropped, because a socket was full.
    pub dropped: u64,
    /// Times that a live feed asked for messages again.
    pub requests: u64,
    /// Messages that came because they were asked for again.
    pub recovered: u64,
}

/// What was counted of one line of a feed that comes on several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Address and port that its packets are sent to; shared, so that counts are taken over without
    /// allocating.
    pub address: Arc<str>,
    /// Packets that came on it.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Those among them that were there already: from another line, or a second time.
    pub copies: u64,
    /// Messages between the first and the last that came on it which did not.
    pub missing: u64,
    /// Those among them that came elsewhere: on another line, or on request.
    pub filled: u64,
}

/// What a feed counted and checked.
#[derive(Clone, Debug)]
pub struct Checks {
    /// Messages delivered or skipped.
    pub messages: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Byte of the unpacked file at which the message in hand begins, or its packet; `None` where
    /// neither has one.
    pub offset: Option<u64>,
    /// Messages by the venue's type letter; feeds without letters leave it empty.
    pub by_type: [u64; 256],
    /// Exchange time of the first message in ns; `None` before it.
    pub first_ts: Option<u64>,
    /// Exchange time of the last message in ns.
    pub last_ts: Option<u64>,
    /// Messages that the format's numbering says are missing; `count` is of messages.
    pub gaps: Located,
    /// The same one by one: the first [`GAPS_LISTED_MAX`](crate::limits::GAPS_LISTED_MAX).
    pub gap_ranges: Vec<Gap>,
    /// What carried the messages; `None` when no packets did.
    pub packets: Option<PacketCounts>,
    /// The same by line, where packets name one.
    pub lines: Vec<LineCounts>,
    /// Time that taking off the compression took, in ns.
    pub inflate_ns: u64,
    /// Messages whose time is before that of the message before them.
    pub backwards: Located,
    /// Messages of a type that the format does not know; skipped, kept as notices.
    pub unknown_types: Located,
    /// Steps from one of the venue's own books to the next that a file beside the feed tells and
    /// that were compared.
    pub states: u64,
    /// Those of them that do not follow from the messages.
    pub states_differ: Located,
    /// Whether the recording starts with the venue's first message of the session.
    pub has_start: bool,
    /// Whether the recording ends with the venue's last message of the session.
    pub has_end: bool,
    /// Of feeds that were merged: what each was and counted, once all are over.
    pub sources: Vec<SourceChecks>,
}

/// What the reader of a feed has found, and its messages do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages that are missing, as in [`Checks`].
    pub gaps: Located,
    /// Messages whose time is before that of the message before them.
    pub backwards: Located,
    /// Messages of a type that the format does not know.
    pub unknown_types: Located,
    /// Steps of the venue's own books that do not follow from the messages.
    pub states_differ: Located,
    /// Steps that were compared.
    pub states: u64,
    /// Whether the venue's first message of the session is there.
    pub has_start: bool,
    /// Whether its last one is.
    pub has_end: bool,
}

impl Found {
    /// What was found in several feeds that are read as one.
    pub(crate) fn sum(feeds: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self { has_start: true, has_end: true, ..Self::default() };
        for (source, found) in (1..).zip(feeds) {
            sum.gaps.add(source, found.gaps);
            sum.backwards.add(source, found.backwards);
            sum.unknown_types.add(source, found.unknown_types);
            sum.states_differ.add(source, found.states_differ);
            sum.states += found.states;
            sum.has_start &= found.has_start;
            sum.has_end &= found.has_end;
        }
        sum
    }
}

/// One of several feeds that were read as one.
#[derive(Clone, Debug)]
pub struct SourceChecks {
    /// What it is.
    pub description: Description,
    /// What it counted; message numbers are its own.
    pub checks: Checks,
}

impl Checks {
    /// What was found so far.
    pub fn found(&self) -> Found {
        let &Self { gaps, backwards, unknown_types, states_differ, .. } = self;
        let &Self { states, has_start, has_end, .. } = self;
        Found { gaps, backwards, unknown_types, states_differ, states, has_start, has_end }
    }

    /// Takes over what was found.
    pub(crate) fn set_found(&mut self, found: Found) {
        let Found { gaps, backwards, unknown_types, states_differ, .. } = found;
        (self.gaps, self.backwards) = (gaps, backwards);
        (self.unknown_types, self.states_differ) = (unknown_types, states_differ);
        (self.states, self.has_start, self.has_end) =
            (found.states, found.has_start, found.has_end);
    }

    /// Takes note of the time of the next message.
    pub(super) fn note_time(&mut self, ts: u64) {
        self.note_time_of(self.messages, ts);
    }

    /// Takes note of the time of the message of this number.
    pub(super) fn note_time_of(&mut self, message: u64, ts: u64) {
        if self.last_ts.is_some_and(|last| ts < last) {
            self.backwards.note_at(message, ts, self.offset);
        }
        self.first_ts.get_or_insert(ts);
        self.last_ts = Some(ts);
    }

    /// Counts messages that are missing before the one of this number and time.
    pub(super) fn note_missing(&mut self, place: (u64, u64), count: u64) {
        self.gaps.note_many(place, self.offset, count);
    }

    /// Takes note of messages that are missing, at the time of the message that follows the gap, or
    /// that of the feed's last message where none follows.
    pub fn note_gap(&mut self, gap: Gap, ts: Option<u64>) {
        let ts = ts.or(self.last_ts).unwrap_or(0);
        // Where the messages themselves have no place in the file their packets have.
        let offset = self.offset;
        self.offset = gap.byte.or(offset);
        self.note_missing((gap.message, ts), gap.count());
        self.offset = offset;
        self.list_gap(gap);
    }

    /// Lists a gap while there is room.
    pub(crate) fn list_gap(&mut self, gap: Gap) {
        if self.gap_ranges.len() < GAPS_LISTED_MAX {
            self.gap_ranges.push(gap);
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            messages: 0,
            bytes: 0,
            offset: None,
            by_type: [0; 256],
            first_ts: None,
            last_ts: None,
            gaps: Located::default(),
            gap_ranges: Vec::new(),
            packets: None,
            lines: Vec::new(),
            inflate_ns: 0,
            backwards: Located::default(),
            unknown_types: Located::default(),
            states: 0,
            states_differ: Located::default(),
            has_start: false,
            has_end: false,
            sources: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_lines_are_taken_over_without_a_copy_of_their_addresses() {
        let line = LineCounts { address: "233.54.12.111:26477".into(), ..LineCounts::default() };
        let mut taken = vec![LineCounts::default()];
        taken.clone_from(&vec![LineCounts { packets: 7, ..line.clone() }]);
        assert_eq!(taken[0].packets, 7);
        assert!(Arc::ptr_eq(&taken[0].address, &line.address));
    }
}
