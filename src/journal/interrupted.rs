//! Tests of recoveries and cuts that are stopped between any two of their steps.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytemuck::Zeroable;

use super::directory::{begun_cut, list_segments, segment_path};
use super::faults::tried;
use super::recover::clearing;
use super::{
    Durability, JournalOptions, Reader, Writer, is_present, records_per_segment, recover, verify,
};
use crate::event::Event;
use crate::limits::{SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, STAMP_BYTES};

/// Offset of the slot of record 500.
const TORN_SLOT: usize = SEGMENT_HEADER_BYTES + 501 * (STAMP_BYTES + size_of::<Event>());

/// Changes bytes of a file.
fn change(path: &Path, offset: usize, change: impl FnOnce(&mut [u8])) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("a segment");
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut bytes, offset as u64).expect("a segment");
    change(&mut bytes);
    file.write_all_at(&bytes, offset as u64).expect("a segment");
}

/// A journal of three segments and one prepared, of another boot, torn at record 500.
fn torn_after_a_crash_of_the_machine(dir: &Path) {
    let segment_bytes = SEGMENT_BYTES_MIN;
    let options = JournalOptions { segment_bytes, ..JournalOptions::default() };
    let records = 2 * records_per_segment::<Event>(segment_bytes) + 10;
    let mut writer = Writer::<Event>::create(dir, &options).expect("space");
    let event = Event { ts_event: 7, ..Event::zeroed() };
    (0..records).for_each(|_| writer.append(&event).expect("space"));
    drop(writer);
    for (_, path) in list_segments(dir).expect("a journal") {
        change(&path, 0, |head| {
            head[128] ^= 0xff;
            let crc = crc32c::crc32c(&head[..4084]);
            head[4084..4088].copy_from_slice(&crc.to_le_bytes());
        });
    }
    change(&segment_path(dir, 0), TORN_SLOT, |slot| slot[20] ^= 1);
}

#[test]
fn a_recovery_that_is_stopped_between_any_two_segments_is_done_again() {
    let mut steps_tried = 0;
    for steps in 0.. {
        let scratch = tempfile::tempdir().expect("a folder");
        let dir = scratch.path();
        torn_after_a_crash_of_the_machine(dir);
        let listed = list_segments(dir).expect("a journal");
        assert!(listed.len() >= 3, "{listed:?}");
        if steps > listed.len() {
            break;
        }
        let cleared = clearing(dir, 500, &listed[1..]).take(steps);
        assert_eq!(cleared.filter(Result::is_ok).count(), steps);
        let found = verify::<Event>(dir).expect("no gap");
        assert_eq!(found.next_sequence, 500, "after {steps} of {} steps", listed.len());
        assert!(steps > 0 || found.torn_tail.is_some_and(|torn| torn.sequence == 500));
        let (writer, recovery) =
            Writer::<Event>::resume(dir, Durability::PageCache, None).expect("no gap");
        assert_eq!((recovery.next_sequence, recovery.epoch), (500, 1));
        writer.close().expect("space");
        assert_eq!(verify::<Event>(dir).expect("a whole journal").records, 500);
        steps_tried += 1;
    }
    assert!(steps_tried >= 4);
    tried("a recovery stopped between two segments", steps_tried);
}

#[test]
fn a_cut_over_several_segments_that_is_stopped_anywhere_is_done_again() {
    let per_segment = records_per_segment::<Event>(SEGMENT_BYTES_MIN);
    // Within a segment, at its end, and everything.
    let mut all_steps = 0;
    for until in [500, per_segment, 0] {
        let mut steps = 0;
        loop {
            let scratch = tempfile::tempdir().expect("a folder");
            let dir = scratch.path();
            torn_after_a_crash_of_the_machine(dir);
            // Whole, and closed.
            change(&segment_path(dir, 0), TORN_SLOT, |slot| slot[20] ^= 1);
            recover::<Event>(dir).expect("a whole journal");
            let listed = list_segments(dir).expect("a journal");
            let behind = listed.partition_point(|&(start, _)| start < until);
            if steps > listed.len() - behind + 1 {
                break;
            }
            let cleared = clearing(dir, until, &listed[behind..]).take(steps);
            assert_eq!(cleared.filter(Result::is_ok).count(), steps);
            if steps > 0 && until > 0 {
                let found = verify::<Event>(dir).expect("a whole journal");
                assert_eq!(found.next_sequence, until, "after {steps} steps");
                let mut reader = Reader::<Event>::open(dir).expect("a whole journal");
                reader.seek_end().expect("a whole journal");
                assert_eq!(reader.position(), until);
                reader.seek(until + 1).expect_err("it was cut off");
            }
            if is_present(dir).expect("a folder") {
                let (writer, _) = Writer::<Event>::resume(dir, Durability::PageCache, Some(until))
                    .expect("space");
                assert_eq!(writer.next_sequence(), until, "after {steps} steps");
                writer.close().expect("space");
            } else {
                let options = JournalOptions::default();
                let writer = Writer::<Event>::create(dir, &options).expect("nothing there");
                writer.close().expect("space");
            }
            let found = verify::<Event>(dir).expect("a whole journal");
            assert_eq!((found.records, found.sealed), (until, true), "after {steps} steps");
            assert_eq!(begun_cut(dir).expect("a folder"), None);
            steps += 1;
        }
        assert!(steps >= 3);
        all_steps += steps;
    }
    tried("a cut over several segments stopped between two steps", all_steps as u64);
}
