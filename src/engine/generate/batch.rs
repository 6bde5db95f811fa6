//! Messages that a partition has made ahead, until they are merged with those of the others.

use crate::event::{Event, EventView, Flags};
use crate::feed::itch::{Encoder, FRAME_BYTES_MAX, Room};

/// What messages are wanted as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Records,
    /// Framed ITCH 5.0.
    Bytes,
}

/// What merging needs to know of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) ts: u64,
    /// The order reference that it issues; 0 when it issues none.
    pub(super) reference: u64,
    /// By how much it changes the number of resting orders. What happens at once is counted with
    /// its last message.
    pub(super) live: i32,
    /// Its records or bytes, whichever were wanted.
    size: u32,
}

/// Messages of one partition in a row, in one form.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) form: Form,
    /// Whether none come after them.
    pub(super) is_last: bool,
    marks: Vec<Mark>,
    records: Vec<Event>,
    /// The bytes that were made, and room for more.
    bytes: Vec<u8>,
    bytes_made: usize,
    given: Given,
}

/// How much of a batch was handed out.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    marks: usize,
    /// Records or bytes.
    size: usize,
}

/// Messages that are handed out, in the form they were made in.
pub(super) struct Taken<'a> {
    pub(super) marks: &'a [Mark],
    pub(super) records: &'a [Event],
    pub(super) bytes: &'a [u8],
}

impl Batch {
    /// Messages that are not yet handed out.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.marks.len() - self.given.marks
    }

    /// Whether all was handed out, and more will come.
    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.len() == 0 && !self.is_last
    }

    /// Time of the next message.
    #[inline]
    pub(super) fn next_ts(&self) -> Option<u64> {
        self.marks.get(self.given.marks).map(|mark| mark.ts)
    }

    /// Forgets everything, but keeps the memory.
    pub(super) fn clear(&mut self) {
        self.is_last = false;
        self.marks.clear();
        self.records.clear();
        self.bytes_made = 0;
        self.given = Given::default();
    }

    /// Adds a message.
    // WHY always: the caller knows the kind, so that a message goes from its values straight into
    // its bytes.
    #[inline(always)]
    pub(super) fn push(&mut self, message: &[Event], encoder: &mut Encoder) {
        let size = match self.form {
            Form::Records => {
                self.records.extend_from_slice(message);
                message.len()
            }
            Form::Bytes => {
                if self.bytes.len() < self.bytes_made + FRAME_BYTES_MAX {
                    self.make_room();
                }
                let room: Option<&mut Room> = self.bytes[self.bytes_made..].first_chunk_mut();
                let room = room.expect("room was made");
                let size = encoder.encode_into(message, room);
                debug_assert!(size.is_some(), "{message:?}");
                self.bytes_made += size.unwrap_or(0);
                size.unwrap_or(0)
            }
        };
        self.marks.push(Mark {
            ts: message[0].ts_event,
            reference: reference_of(&message[0]),
            live: 0,
            size: size as u32,
        });
    }

    #[cold]
    fn make_room(&mut self) {
        self.bytes.resize(2 * self.bytes.len() + FRAME_BYTES_MAX, 0);
    }

    /// Marks the last message as the last of its exchange event.
    #[inline]
    pub(super) fn end_event(&mut self, encoder: &mut Encoder) {
        encoder.end_event();
        if let Some(last) = self.records.last_mut() {
            last.flags |= Flags::LAST;
        }
    }

    /// Counts a change of the number of resting orders with the last message.
    #[inline]
    pub(super) fn note_live(&mut self, change: i32) {
        if let Some(last) = self.marks.last_mut() {
            last.live += change;
        }
    }

    /// Hands out the next messages that come before the time `until`, as long as what is handed out
    /// with them has less than `size_max` records or bytes.
    #[inline]
    pub(super) fn take(&mut self, until: u64, size_max: usize) -> Taken<'_> {
        let waiting = &self.marks[self.given.marks..];
        let (mut count, mut size) = (0, 0);
        for mark in waiting {
            if mark.ts >= until || size >= size_max {
                break;
            }
            count += 1;
            size += mark.size as usize;
        }
        let sizes = self.given.size..self.given.size + size;
        self.given.marks += count;
        self.given.size += size;
        let (records, bytes) = match self.form {
            Form::Records => (&self.records[sizes], &[][..]),
            Form::Bytes => (&[][..], &self.bytes[sizes]),
        };
        Taken { marks: &waiting[..count], records, bytes }
    }
}

/// The order reference that a message issues; 0 when it issues none.
#[inline(always)]
fn reference_of(first: &Event) -> u64 {
    match first.view() {
        EventView::Add(add) => add.order_id.0,
        EventView::Replace(replace) => replace.new_order_id.0,
        _ => 0,
    }
}
