//! The fault table: what a disk may do to a writer, and what is left of the journal then.
//!
//! Catches: a record that was called durable and is gone, a record that comes back otherwise, a
//! failed sync that is tried again, a journal that cannot be taken up after a crash.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytemuck::Zeroable;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::directory::WriterLock;
use super::durability::Durability;
use super::format::Progress;
use super::memory::{Faults, MemoryDisk, clear, restore};
use super::options::{JournalOptions, Start, Tally, first_header};
use super::reader::{Read, Reader};
use super::record::records_per_segment;
use super::storage::Backend;
use super::verify::verify;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::limits::SEGMENT_BYTES_MIN;

const BATCH: Durability = Durability::Batch;
const INTERVAL: Durability = Durability::Interval(Duration::from_micros(200));

/// Tells how many cases a test of the fault table has tried, for whoever asks for the table.
pub(super) fn tried(row: &str, cases: u64) {
    println!("tried: {cases:>7}  {row}");
}

fn event(sequence: u64) -> Event {
    let mixed = (sequence + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Event { ts_event: sequence, payload: [mixed, !mixed, sequence, 0], ..Event::zeroed() }
}

fn create(
    lock_dir: &Path,
    disk: &Arc<MemoryDisk>,
    durability: Durability,
) -> Result<Writer<Event>> {
    let options = JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
    let (at, before) = (Progress::default(), Tally::default());
    let start = Start { header: first_header::<Event>(&options), at, before, durability };
    let backend: Arc<dyn Backend> = Arc::<MemoryDisk>::clone(disk);
    Writer::start(lock_dir, WriterLock::take(lock_dir)?, &start, backend)
}

fn append(writer: &mut Writer<Event>, count: u64) -> Result<()> {
    let from = writer.next_sequence();
    let events: Vec<Event> = (from..from + count).map(event).collect();
    writer.append_batch(&events)
}

/// Everything that a journal holds, in order and right; says how much that is.
fn read_all(dir: &Path) -> u64 {
    let mut reader = Reader::<Event>::open(dir).expect("a journal");
    let mut events = vec![Event::zeroed(); 1024];
    loop {
        let from = reader.position();
        match reader.read(&mut events).expect("no corruption") {
            Read::Records(count) => {
                for (sequence, found) in (from..).zip(&events[..count]) {
                    assert_eq!(*found, event(sequence), "sequence {sequence}");
                }
            }
            Read::Pending => panic!("pending without a writer"),
            Read::End => return from,
        }
    }
}

/// Takes the journal in `dir` up, appends and reads everything; says where it was taken up.
fn take_up(dir: &Path) -> u64 {
    let (mut writer, recovery) =
        Writer::<Event>::resume(dir, Durability::PageCache, None).expect("nothing but a torn tail");
    append(&mut writer, 100).expect("space");
    writer.close().expect("space");
    assert_eq!(read_all(dir), recovery.next_sequence + 100);
    recovery.next_sequence
}

#[test]
fn a_power_cut_at_any_moment_leaves_all_that_was_durable_and_nothing_wrong() {
    let (lock, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut cases = 0;
    for (durability, is_buffered) in
        [(BATCH, true), (INTERVAL, false), (Durability::PageCache, false)]
    {
        let disk = MemoryDisk::new(is_buffered, Faults::default());
        let mut writer = create(lock.path(), &disk, durability).unwrap();
        for step in 0..6 {
            // Most steps are short; some go over the end of a segment.
            let most = if step % 5 == 4 { 300_000 } else { 3_000 };
            append(&mut writer, random.next_u64() % most).unwrap();
            for odds in [0, 2, 8] {
                let durable = writer.durable();
                let image = disk.after_power_cut(|| random.next_u64() % 10 < odds);
                restore(&image, dir.path(), true);
                let left = take_up(dir.path());
                assert!(left >= durable, "{durability}: {left} of {durable}");
                clear(dir.path());
                cases += 1;
            }
            if durability == BATCH {
                assert_eq!(writer.durable(), writer.next_sequence());
            }
        }
    }
    assert_eq!(cases, 54);
    tried("a power cut", cases);
}

#[test]
fn a_kill_at_any_moment_leaves_all_that_was_appended() {
    let (lock, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    for (durability, is_buffered) in [(BATCH, true), (INTERVAL, false)] {
        let disk = MemoryDisk::new(is_buffered, Faults::default());
        let mut writer = create(lock.path(), &disk, durability).unwrap();
        for _ in 0..10 {
            append(&mut writer, random.next_u64() % 60_000).unwrap();
            restore(&disk.after_kill(), dir.path(), false);
            assert_eq!(take_up(dir.path()), writer.next_sequence());
            clear(dir.path());
        }
    }
    tried("a kill, on a disk in memory", 20);
}

#[test]
fn a_failed_sync_poisons_the_writer_and_is_never_tried_again() {
    let (lock, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = MemoryDisk::new(true, Faults::default());
    let mut writer = create(lock.path(), &disk, BATCH).unwrap();
    append(&mut writer, 100).unwrap();
    disk.set_faults(Faults { syncs: Some(0), ..Faults::default() });
    let failed = append(&mut writer, 100).unwrap_err();
    assert!(matches!(failed, Error::Io { action: "sync", .. }) && failed.exit_code() == 4);
    // The disk would say now that all is well.
    for _ in 0..3 {
        assert!(matches!(append(&mut writer, 1), Err(Error::Io { .. })));
        assert_eq!(writer.durable(), 100);
    }
    assert!(writer.close().is_err(), "an unsealed journal tells that something was wrong");
    restore(&disk.after_power_cut(|| false), dir.path(), true);
    assert_eq!(take_up(dir.path()), 100);
    tried("a sync that fails", 1);
}

#[test]
fn the_disk_is_asked_once_a_batch_at_each_interval_or_not_at_all() {
    let lock = tempfile::tempdir().unwrap();
    let asked = |durability, is_buffered| {
        let disk = MemoryDisk::new(is_buffered, Faults::default());
        let mut writer = create(lock.path(), &disk, durability).unwrap();
        let before = disk.syncs();
        for _ in 0..50 {
            append(&mut writer, 100).unwrap();
            while durability == INTERVAL && writer.durable() < writer.next_sequence() {
                std::thread::yield_now();
            }
        }
        let asked = disk.syncs() - before;
        writer.close().unwrap();
        assert!(disk.syncs() > before + asked, "{durability}: a close forces everything out");
        asked
    };
    assert_eq!(asked(BATCH, true), 50);
    assert_eq!(asked(Durability::PageCache, false), 0);
    assert!(asked(INTERVAL, false) >= 50);
}

#[test]
fn a_flusher_that_fails_stops_the_writer_and_durability() {
    let lock = tempfile::tempdir().unwrap();
    let disk = MemoryDisk::new(false, Faults::default());
    let mut writer = create(lock.path(), &disk, INTERVAL).unwrap();
    append(&mut writer, 5_000).unwrap();
    while writer.durable() < 5_000 {
        std::thread::yield_now();
    }
    disk.set_faults(Faults { syncs: Some(0), ..Faults::default() });
    append(&mut writer, 5_000).unwrap();
    let failed = (0..1_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        append(&mut writer, 1).err()
    });
    assert!(failed.is_some() && writer.durable() == 5_000);
    assert!(writer.close().is_err());
    tried("a flusher that fails", 1);
}

#[test]
fn short_writes_are_gone_on_with_and_a_full_disk_is_an_error() {
    let (lock, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let short = Faults { write_bytes_max: Some(100), ..Faults::default() };
    let disk = MemoryDisk::new(true, short);
    let mut writer = create(lock.path(), &disk, BATCH).unwrap();
    append(&mut writer, 3_000).unwrap();
    for writes in 0..20 {
        drop(writer);
        restore(&disk.after_kill(), dir.path(), false);
        assert_eq!(read_all(dir.path()), 3_000);
        clear(dir.path());
        // Full in the middle of a batch: what went before is there, and of the batch a part.
        disk.set_faults(Faults { writes: Some(writes), ..short });
        let full = MemoryDisk::new(true, short);
        writer = create(lock.path(), &full, BATCH).unwrap();
        append(&mut writer, 50).unwrap();
        full.set_faults(Faults { writes: Some(writes), ..short });
        let refused = append(&mut writer, 50).unwrap_err();
        assert_eq!(refused.exit_code(), 4, "{refused}");
        restore(&full.after_kill(), dir.path(), false);
        let left = take_up(dir.path());
        assert!((50..100).contains(&left), "{left}");
        clear(dir.path());
    }
    tried("a disk full within a batch", 20);
}

#[test]
fn a_disk_that_is_full_at_a_roll_is_an_error_and_all_before_is_there() {
    let (lock, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let per_segment = records_per_segment::<Event>(SEGMENT_BYTES_MIN);
    for (durability, is_buffered) in [(BATCH, true), (INTERVAL, false)] {
        let disk = MemoryDisk::new(is_buffered, Faults { segments: Some(1), ..Faults::default() });
        let mut writer = create(lock.path(), &disk, durability).unwrap();
        append(&mut writer, per_segment).unwrap();
        let refused = append(&mut writer, 1).unwrap_err();
        assert_eq!(refused.exit_code(), 4, "{refused}");
        assert_eq!(writer.close().unwrap().records, per_segment);
        restore(&disk.after_kill(), dir.path(), false);
        assert!(verify::<Event>(dir.path()).unwrap().sealed);
        assert_eq!(read_all(dir.path()), per_segment);
        clear(dir.path());
        let none = MemoryDisk::new(is_buffered, Faults { segments: Some(0), ..Faults::default() });
        assert!(matches!(create(lock.path(), &none, durability), Err(Error::Io { .. })));
    }
    tried("a disk full at a roll or from the start, in memory", 4);
}
