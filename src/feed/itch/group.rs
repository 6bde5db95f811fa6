//! Exchange events: which messages are one thing that happened at the venue.
//!
//! An aggressor that takes five orders arrives as five messages. They share locate and timestamp,
//! and their tracking numbers grow: the first execution or hidden print of an aggressor has 2, each
//! further one 2 more, a remainder that comes to rest 1 more. So
//!
//! > a message continues the one before it if locate and timestamp are equal and its tracking
//! > number is larger,
//!
//! and the last record of a message that the next one does not continue carries
//! [`Flags::LAST`](crate::event::Flags::LAST). The rule holds for every message, orders or not, and
//! looks at neighbours only: when messages of another instrument come in between, the event is
//! closed. That costs nothing on real data: all 807 events of the AAPL recording of 2020-01-30 with
//! an execution or a hidden print come out whole (687 with executions, 120 with hidden prints
//! alone).
//!
//! Traps: equal timestamps alone prove nothing (12 % of neighbours in an opening burst share
//! theirs); tracking numbers 1 and 2 also occur on single adds; most messages have 0.

use super::view::{View, frame_word_at};

/// Bits of the timestamp in the second word.
const TIMESTAMP_MASK: u64 = (1 << 48) - 1;

/// A frame's length prefix and message header, in two words as they lie in the data.
///
/// ```text
///   | length u16 | type u8 | locate u16 | tracking u16 | timestamp u48 |
///   |<------------ start ------------------------>|
///                                       |<--------- order ------------>|
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    start: u64,
    order: u64,
}

impl Header {
    /// The header of the frame that starts `frame` bytes into a view.
    #[inline(always)]
    pub(crate) fn at(view: &View, frame: u8) -> Self {
        Self { start: frame_word_at(view, frame, 0), order: frame_word_at(view, frame, 5) }
    }

    /// The length before the message.
    #[inline(always)]
    pub(crate) fn prefix(self) -> u32 {
        (self.start >> 48) as u32
    }

    /// The message's type.
    #[inline(always)]
    pub(crate) fn letter(self) -> u8 {
        (self.start >> 40) as u8
    }

    /// The instrument's number of the day; 0 when the message is of none.
    #[inline(always)]
    pub(crate) fn locate(self) -> u16 {
        (self.start >> 24) as u16
    }

    /// Nanoseconds since midnight.
    #[inline(always)]
    pub(crate) fn timestamp(self) -> u64 {
        self.order & TIMESTAMP_MASK
    }

    /// Whether this message belongs to the exchange event of the one `before` it.
    #[inline(always)]
    pub(crate) fn continues(self, before: Self) -> bool {
        let locates = u64::from(self.locate() ^ before.locate());
        let timestamps = (self.order ^ before.order) & TIMESTAMP_MASK;
        // With equal timestamps the larger word has the larger tracking number.
        (locates | timestamps == 0) & (self.order > before.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(locate: u16, tracking: u16, timestamp: u64) -> Header {
        let start = u64::from(locate) << 24;
        Header { start, order: (u64::from(tracking) << 48) | timestamp }
    }

    #[test]
    fn a_message_continues_its_neighbour_of_the_same_instant_with_a_smaller_tracking_number() {
        let first = header(13, 2, 500);
        assert!(header(13, 4, 500).continues(first));
        assert!(header(13, 3, 500).continues(first));
        assert!(!header(13, 2, 500).continues(first), "equal tracking numbers");
        assert!(!header(13, 0, 500).continues(first), "smaller tracking number");
        assert!(!header(13, 4, 501).continues(first), "another instant");
        assert!(!header(14, 4, 500).continues(first), "another instrument");
    }
}
