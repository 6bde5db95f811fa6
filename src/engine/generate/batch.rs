//! Messages that a partition has made ahead, until they are merged with those of the others.

use crate::event::{Event, EventView, Flags};
use crate::feed::itch::Encoder;

/// What messages are wanted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
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
    /// Its size, in the one form that was wanted.
    pub(super) bytes: u16,
    records: u16,
}

/// Messages in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    marks: Vec<Mark>,
    records: Vec<Event>,
    bytes: Vec<u8>,
    given: Given,
}

/// How much of a batch was handed out.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    marks: usize,
    records: usize,
    bytes: usize,
}

impl Batch {
    /// Messages that are not yet handed out.
    pub(super) fn len(&self) -> usize {
        self.marks.len() - self.given.marks
    }

    /// Time of the next message.
    #[inline]
    pub(super) fn next_ts(&self) -> Option<u64> {
        self.marks.get(self.given.marks).map(|mark| mark.ts)
    }

    /// Forgets what was handed out.
    pub(super) fn tidy(&mut self) {
        let Given { marks, records, bytes } = std::mem::take(&mut self.given);
        self.marks.drain(..marks);
        self.records.drain(..records);
        self.bytes.drain(..bytes);
    }

    /// Adds messages that happen at once and change the number of resting orders by `live`.
    #[inline]
    pub(super) fn push(
        &mut self,
        mut records: &[Event],
        live: i32,
        form: Form,
        encoder: &mut Encoder,
    ) {
        while !records.is_empty() {
            let (message, rest) = records.split_at(message_length(records));
            records = rest;
            let mut mark = Mark {
                ts: message[0].ts_event,
                reference: reference_of(&message[0]),
                live: if rest.is_empty() { live } else { 0 },
                bytes: 0,
                records: 0,
            };
            match form {
                Form::Records => {
                    self.records.extend_from_slice(message);
                    mark.records = message.len() as u16;
                }
                Form::Bytes => {
                    let start = self.bytes.len();
                    let is_written = encoder.encode(message, &mut self.bytes);
                    debug_assert!(is_written, "{message:?}");
                    mark.bytes = (self.bytes.len() - start) as u16;
                }
            }
            self.marks.push(mark);
        }
    }

    /// Hands out the next messages as long as they are due, in the form they were made in.
    #[inline]
    pub(super) fn take(&mut self, mut is_due: impl FnMut(&Mark) -> bool) -> (&[Event], &[u8]) {
        let Given { marks, records, bytes } = self.given;
        let given = &mut self.given;
        for mark in self.marks[marks..].iter().take_while(|mark| is_due(mark)) {
            given.marks += 1;
            given.records += usize::from(mark.records);
            given.bytes += usize::from(mark.bytes);
        }
        (&self.records[records..given.records], &self.bytes[bytes..given.bytes])
    }
}

/// The order reference that a message issues; 0 when it issues none.
#[inline]
fn reference_of(first: &Event) -> u64 {
    match first.view() {
        EventView::Add(add) => add.order_id.0,
        EventView::Replace(replace) => replace.new_order_id.0,
        _ => 0,
    }
}

/// Records of the message at the front of `records`.
#[inline]
fn message_length(records: &[Event]) -> usize {
    1 + records.iter().take_while(|record| record.has(Flags::CONTINUED)).count()
}
