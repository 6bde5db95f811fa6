//! What these tests write: the smallest segments, full of records of which no two are the same.

use std::path::Path;

use bytemuck::Zeroable;
use ringtape::event::Event;
use ringtape::journal::{JournalOptions, Read, Reader, Writer};
use ringtape::limits::SEGMENT_BYTES_MIN;

pub(crate) const SEGMENT: u64 = SEGMENT_BYTES_MIN;

pub(crate) fn options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT, ..JournalOptions::default() }
}

/// The record of a sequence, every word of it used. Times rise by 10, but every seventh is late.
pub(crate) fn event(sequence: u64) -> Event {
    let mixed = (sequence + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let late = if sequence % 7 == 6 { 25 } else { 0 };
    Event {
        ts_event: 1_000 + sequence * 10 - late,
        ts_ingest: mixed,
        kind: mixed as u8,
        side: (mixed >> 8) as u8,
        flags: (mixed >> 16) as u16,
        instrument: (mixed >> 32) as u32,
        payload: [sequence, !sequence, mixed.rotate_left(17), mixed.rotate_left(9)],
    }
}

/// A new journal of so many records.
pub(crate) fn write(dir: &Path, count: u64) -> Writer<Event> {
    let mut writer = Writer::create(dir, &options()).unwrap();
    append(&mut writer, count);
    writer
}

pub(crate) fn append(writer: &mut Writer<Event>, count: u64) {
    let from = writer.next_sequence();
    for sequence in from..from + count {
        assert_eq!(writer.next_sequence(), sequence);
        writer.append(&event(sequence)).unwrap();
    }
}

/// Fails unless these are the records from a sequence on.
pub(crate) fn check(from: u64, found: &[Event]) {
    for (sequence, found) in (from..).zip(found) {
        assert_eq!(*found, event(sequence), "sequence {sequence}");
    }
}

/// Reads everything; panics if any of it is not what was written.
pub(crate) fn read_all(dir: &Path) -> u64 {
    let mut reader = Reader::<Event>::open(dir).unwrap();
    let mut events = vec![Event::zeroed(); 4096];
    let mut sequence = reader.position();
    while let Read::Records(count) = reader.read(&mut events).unwrap() {
        check(sequence, &events[..count]);
        sequence += count as u64;
    }
    sequence
}

/// Tells how many cases a test of the fault table has tried, for whoever asks for the table.
pub(crate) fn tried(row: &str, cases: u64) {
    println!("tried: {cases:>7}  {row}");
}
