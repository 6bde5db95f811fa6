//! What is written to a journal is read back: once, in order, over rolls, live and afterwards.
//!
//! Catches: slots that overlap or are skipped, a roll that loses or repeats records, a reader that
//! runs ahead of its writer or stops at a roll, two writers in one directory.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::{Pod, Zeroable};
use proptest::prelude::*;
use ringtape::error::Error;
use ringtape::event::{Event, Execution, ExecutionKind};
use ringtape::journal::{
    ClockCalibration, Durability, JournalOptions, Read, Reader, Record, Writer,
    records_per_segment, schema_hash, verify, verify_any,
};

use crate::written::{SEGMENT, check, event, options, tried, write};

/// Reads to the end; panics unless the events are those of their sequences.
fn read_all(reader: &mut Reader<Event>, room: usize) -> u64 {
    let mut events = vec![Event::zeroed(); room];
    loop {
        let from = reader.position();
        match reader.read(&mut events).unwrap() {
            Read::Records(count) => {
                check(from, &events[..count]);
                assert_eq!(reader.position(), from + count as u64);
            }
            Read::Pending => std::thread::yield_now(),
            Read::End => return from,
        }
    }
}

#[test]
fn records_come_back_in_order_over_several_rolls() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let count = 3 * per_segment + 12_345;
    let summary = write(dir.path(), count).close().unwrap();
    assert_eq!((summary.records, summary.segments), (count, 4));

    let mut reader = Reader::open(dir.path()).unwrap();
    assert_eq!(read_all(&mut reader, 777), count);
    let report = verify::<Event>(dir.path()).unwrap();
    assert_eq!((report.records, report.segments, report.bytes), (count, 4, summary.bytes));
    assert!(report.sealed && !report.live && report.torn_tail.is_none());
    assert_eq!(verify_any(dir.path()).unwrap(), report);

    for sequence in [0, 1, 1022, 1023, per_segment - 1, per_segment, 2 * per_segment + 5, count] {
        reader.seek(sequence).unwrap();
        assert_eq!(reader.position(), sequence);
        assert_eq!(read_all(&mut reader, 100_000), count);
    }
    assert!(matches!(reader.seek(count + 1), Err(Error::Usage { .. })));
    assert_eq!(reader.position(), count);
}

#[test]
fn every_level_of_durability_gives_the_same_journal_and_keeps_its_promise_while_it_is_written() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let count = per_segment + 5_000;
    for level in ["pagecache", "interval:1ms", "batch"] {
        let durability: Durability = level.parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions { durability, ..options() };
        let mut writer = Writer::<Event>::create(dir.path(), &options).unwrap();
        let mut reader = Reader::<Event>::open(dir.path()).unwrap();
        let events: Vec<Event> = (0..count).map(event).collect();
        let mut out = vec![Event::zeroed(); 8192];
        for batch in events.chunks(4096) {
            writer.append_batch(batch).unwrap();
            let mut left = batch.len();
            while left > 0 {
                match reader.read(&mut out).unwrap() {
                    Read::Records(read) => left -= read,
                    other => assert_eq!(other, Read::Pending, "{level}"),
                }
            }
            match durability {
                Durability::PageCache => assert_eq!(writer.durable(), 0),
                Durability::Batch => assert_eq!(writer.durable(), writer.next_sequence()),
                Durability::Interval(_) => assert!(writer.durable() <= writer.next_sequence()),
            }
        }
        // A writer that stands still does not keep anybody waiting.
        while durability.advances() && writer.durable() < count {
            std::thread::yield_now();
        }
        assert_eq!(writer.close().unwrap().records, count);
        assert_eq!(read_all(&mut Reader::open(dir.path()).unwrap(), 4096), count);
        assert!(verify::<Event>(dir.path()).unwrap().sealed);
    }
}

#[test]
fn a_journal_that_ends_exactly_with_a_block_or_a_segment_is_whole() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    for count in [0, 1, 1022, 1023, 1024, per_segment - 1, per_segment, per_segment + 1] {
        let dir = tempfile::tempdir().unwrap();
        let summary = write(dir.path(), count).close().unwrap();
        assert_eq!(summary.records, count);
        assert_eq!(read_all(&mut Reader::open(dir.path()).unwrap(), 999), count);
        let report = verify::<Event>(dir.path()).unwrap();
        assert_eq!((report.next_sequence, report.bytes), (count, summary.bytes));
        assert!(report.sealed);
    }
}

#[test]
fn a_closed_journal_keeps_its_length_and_gives_back_its_space() {
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10).close().unwrap();
    let tapes: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "lock"))
        .collect();
    assert_eq!(tapes, [dir.path().join("00000000000000000000.tape")]);
    let metadata = fs::metadata(&tapes[0]).unwrap();
    assert_eq!(metadata.len(), SEGMENT);
    assert!(metadata.blocks() * 512 < SEGMENT / 8, "{} blocks", metadata.blocks());
}

#[test]
fn a_reader_follows_a_living_writer_over_rolls_and_sees_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let count = 2 * records_per_segment::<Event>(SEGMENT) + 4_321;
    let mut writer = Writer::<Event>::create(dir.path(), &options()).unwrap();
    let pended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut reader = Reader::<Event>::open(dir.path()).unwrap();
            let mut events = [Event::zeroed(); 1];
            pended.store(reader.read(&mut events).unwrap() == Read::Pending, Ordering::Relaxed);
            reader.seek(0).unwrap();
            read_all(&mut reader, 512)
        });
        while !pended.load(Ordering::Relaxed) && !follower.is_finished() {
            std::thread::yield_now();
        }
        let events: Vec<Event> = (0..count).map(event).collect();
        for batch in events.chunks(300) {
            writer.append_batch(batch).unwrap();
        }
        writer.close().unwrap();
        assert_eq!(follower.join().unwrap(), count);
    });
}

#[test]
fn a_journal_can_be_verified_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = write(dir.path(), 2000);
    let report = verify::<Event>(dir.path()).unwrap();
    assert_eq!((report.records, report.live, report.sealed), (2000, true, false));
    writer.append(&event(2000)).unwrap();
    writer.close().unwrap();
    assert_eq!(verify::<Event>(dir.path()).unwrap().records, 2001);
}

#[test]
fn a_writer_that_is_dropped_leaves_everything_but_the_seal() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 2000));
    assert_eq!(read_all(&mut Reader::open(dir.path()).unwrap(), 64), 2000);
    let report = verify::<Event>(dir.path()).unwrap();
    assert_eq!((report.records, report.sealed, report.live), (2000, false, false));
    assert_eq!(report.torn_tail, None);
}

#[test]
fn a_directory_that_holds_a_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1).close().unwrap();
    let refused = Writer::<Event>::create(dir.path(), &options()).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains("already holds a journal"), "{refused}");
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let dir = tempfile::tempdir().unwrap();
    let _writer = write(dir.path(), 1);
    let refused = Writer::<Event>::create(dir.path(), &options()).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let process = format!("process {}", std::process::id());
    assert!(refused.to_string().contains(&process), "{refused}");
    tried("a second writer", 1);
}

#[test]
fn segment_sizes_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for segment_bytes in [0, 1 << 20, SEGMENT - (64 << 10), SEGMENT + 1, u64::MAX] {
        let options = JournalOptions { segment_bytes, ..options() };
        let refused = Writer::<Event>::create(dir.path(), &options).unwrap_err();
        assert!(matches!(refused, Error::Usage { .. }), "{segment_bytes}: {refused}");
    }
}

#[test]
fn a_directory_without_a_journal_is_a_mistake_of_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Reader::<Event>::open(dir.path()).unwrap_err().exit_code(), 2);
    assert_eq!(verify_any(&dir.path().join("missing")).unwrap_err().exit_code(), 2);
}

#[test]
fn the_header_says_what_the_options_said() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ClockCalibration { counter: 4, wall_ns: 5, counter_hz: 6 };
    let options = JournalOptions {
        segment_bytes: SEGMENT,
        run_hash: 1,
        feed_identity: 2,
        epoch: 3,
        clock,
        ..JournalOptions::default()
    };
    Writer::<Execution>::create(dir.path(), &options).unwrap().close().unwrap();
    let reader = Reader::<Execution>::open(dir.path()).unwrap();
    let header = reader.header();
    assert_eq!((header.run_hash, header.feed_identity, header.epoch), (1, 2, 3));
    assert_eq!((header.clock_counter, header.clock_wall_ns, header.clock_counter_hz), (4, 5, 6));
    assert_eq!((header.schema_name().as_str(), header.slot_bytes), ("execution", 128));
    assert_eq!((header.segment_number, header.first_sequence), (0, 0));
}

#[test]
fn a_roll_that_fails_is_an_error_and_what_was_written_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let mut writer = Writer::<Event>::create(dir.path(), &options()).unwrap();
    // The third segment cannot be made: its name is taken.
    let third = dir.path().join(format!("{:020}.tape", 2 * per_segment));
    fs::create_dir(&third).unwrap();
    for sequence in 0..2 * per_segment {
        writer.append(&event(sequence)).unwrap();
    }
    for _ in 0..2 {
        assert!(matches!(writer.append(&event(0)), Err(Error::Io { .. })));
        assert_eq!(writer.next_sequence(), 2 * per_segment);
    }
    assert_eq!(writer.close().unwrap().records, 2 * per_segment);
    fs::remove_dir(&third).unwrap();
    assert_eq!(read_all(&mut Reader::open(dir.path()).unwrap(), 5000), 2 * per_segment);
    assert!(verify::<Event>(dir.path()).unwrap().sealed);
    tried("a roll that fails", 1);
}

/// A record with the alignment of a byte that fills a whole page with its commit word.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Page {
    bytes: [u8; 4088],
}

impl Record for Page {
    const NAME: &'static str = "page, unaligned";
    const SCHEMA: u64 = schema_hash("0 bytes [u8; 4088]");

    fn time(&self) -> u64 {
        u64::from(self.bytes[0])
    }
}

#[test]
fn any_plain_type_of_the_right_size_can_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Page>(SEGMENT);
    assert_eq!(per_segment, 255 * 15);
    let page = |number: u64| Page { bytes: std::array::from_fn(|i| (number + i as u64) as u8) };
    let mut writer = Writer::<Page>::create(dir.path(), &options()).unwrap();
    for number in 0..=per_segment {
        writer.append(&page(number)).unwrap();
    }
    writer.close().unwrap();
    let mut reader = Reader::<Page>::open(dir.path()).unwrap();
    let mut pages = [Page::zeroed(); 8];
    let mut number = 0;
    while let Read::Records(count) = reader.read(&mut pages).unwrap() {
        for found in &pages[..count] {
            assert!(found.bytes == page(number).bytes, "page {number}");
            number += 1;
        }
    }
    assert_eq!(number, per_segment + 1);
    let report = verify_any(dir.path()).unwrap();
    assert_eq!((report.records, report.segments), (per_segment + 1, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_executions_come_back_whatever_the_sizes_of_writes_and_reads(
        seeds in prop::collection::vec(any::<u64>(), 0..3000),
        batch in 1usize..600,
        room in 1usize..600,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let executions: Vec<Execution> = seeds
            .iter()
            .map(|&seed| {
                let mut execution = Execution::new(ExecutionKind::Filled, seed, 1);
                execution.order_id = seed.rotate_left(1);
                execution.reserved = !seed;
                execution
            })
            .collect();
        let mut writer = Writer::<Execution>::create(dir.path(), &options()).unwrap();
        for part in executions.chunks(batch) {
            writer.append_batch(part).unwrap();
        }
        writer.close().unwrap();
        let mut reader = Reader::<Execution>::open(dir.path()).unwrap();
        let mut found = Vec::new();
        let mut part = vec![Execution::zeroed(); room];
        while let Read::Records(count) = reader.read(&mut part).unwrap() {
            found.extend_from_slice(&part[..count]);
        }
        prop_assert_eq!(found, executions);
    }
}
