//! A journal is taken up again however its writer ended: a torn tail is set aside, corruption is
//! refused, and what counts comes back once and in order over all epochs.
//!
//! Catches: a damaged record that is cut away as if torn, a torn tail that stops a recovery, a
//! recovery that destroys bytes or cannot be repeated, a reader that skips or repeats records where
//! one epoch ends and the next begins.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use bytemuck::Zeroable;
use proptest::prelude::*;
use ringtape::error::Error;
use ringtape::event::Event;
use ringtape::journal::{
    Durability, Read, Reader, Recovery, Repair, VerifyReport, Writer, records_per_segment, recover,
    recover_any, repair, repair_any, verify,
};

use crate::common::runs::{reboot, tapes};
use crate::written::{SEGMENT, append, check, event, tried, write};

const BLOCK: u64 = 64 << 10;

fn resume(dir: &Path) -> (Writer<Event>, Recovery) {
    Writer::resume(dir, Durability::PageCache, None).unwrap()
}

/// The whole journal: every record once, in order, with the right content.
fn check_whole(dir: &Path) -> VerifyReport {
    let report = verify::<Event>(dir).unwrap();
    let mut reader = Reader::<Event>::open(dir).unwrap();
    let mut events = vec![Event::zeroed(); 700];
    let end = loop {
        let from = reader.position();
        match reader.read(&mut events).unwrap() {
            Read::Records(count) => {
                check(from, &events[..count]);
            }
            Read::Pending => panic!("pending without a writer"),
            Read::End => break from,
        }
    };
    assert_eq!(end, report.next_sequence);
    report
}

fn segment(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.tape"))
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn slot_offset(index: u64) -> u64 {
    4096 + index / 1023 * BLOCK + (index % 1023 + 1) * 64
}

/// Damages the record at `index` of the segment at `path`.
fn damage(path: &Path, index: u64) {
    open(path).write_all_at(&[0xa5], slot_offset(index) + 20).unwrap();
}

#[test]
fn a_journal_goes_on_in_a_new_epoch_after_any_kind_of_end() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    for count in [1, 1022, 1023, 1024, per_segment, per_segment + 1] {
        for closed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            let writer = write(dir, count);
            if closed {
                writer.close().unwrap();
            } else {
                drop(writer);
            }
            for epoch in 1..4 {
                let (mut writer, recovery) = resume(dir);
                let from = count + (epoch - 1) * 2000;
                assert_eq!((recovery.next_sequence, recovery.epoch), (from, epoch));
                assert_eq!((recovery.records, recovery.quarantined.len()), (from, 0));
                assert_eq!(writer.next_sequence(), from);
                append(&mut writer, 2000);
                assert_eq!(writer.close().unwrap().records, from + 2000);
            }
            let report = check_whole(dir);
            assert_eq!((report.records, report.epoch, report.sealed), (count + 6000, 3, true));
        }
    }
}

#[test]
fn a_summary_of_a_resumed_writer_is_what_verify_finds() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), per_segment + 10));
    let (mut writer, _) = resume(dir.path());
    append(&mut writer, per_segment + 5);
    let summary = writer.close().unwrap();
    let report = check_whole(dir.path());
    assert_eq!(
        (summary.records, summary.segments, summary.bytes),
        (report.records, report.segments, report.bytes)
    );
}

#[test]
fn an_empty_journal_is_taken_up_at_its_first_sequence() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 0));
    for epoch in 1..4 {
        let (writer, recovery) = resume(dir.path());
        assert_eq!((recovery.next_sequence, recovery.epoch), (0, epoch));
        drop(writer);
        assert_eq!(check_whole(dir.path()).records, 0);
    }
    let (mut writer, _) = resume(dir.path());
    append(&mut writer, 5);
    writer.close().unwrap();
    assert_eq!(check_whole(dir.path()).records, 5);
}

#[test]
fn a_torn_last_record_is_set_aside_and_the_journal_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 3000));
    let path = segment(dir.path(), 0);
    damage(&path, 2999);
    let mut torn = vec![0; 64];
    open(&path).read_exact_at(&mut torn, slot_offset(2999)).unwrap();
    let whole = fs::read(&path).unwrap();

    let (mut writer, recovery) = resume(dir.path());
    assert_eq!((recovery.records, recovery.next_sequence), (2999, 2999));
    assert_eq!(recovery.torn_tail.as_ref().unwrap().sequence, 2999);
    let [copy] = recovery.quarantined.as_slice() else { panic!("{recovery:?}") };
    assert!(copy.starts_with(dir.path().join("quarantine")));
    assert_eq!(fs::read(copy).unwrap(), torn);
    assert_eq!(fs::read(&path).unwrap(), whole, "the old segment is left as it was");
    let kept = fs::metadata(&path).unwrap().blocks() * 512;
    assert!(kept < 1 << 20, "{kept} bytes for 3,000 records");
    append(&mut writer, 100);
    drop(writer);
    assert_eq!(check_whole(dir.path()).records, 3099);
    tried("a torn last record", 1);
}

#[test]
fn recover_closes_what_a_killed_writer_left_and_leaves_a_closed_journal_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 2000));
    let done = recover::<Event>(dir.path()).unwrap();
    assert!(!done.was_closed && done.epoch == 1);
    let report = check_whole(dir.path());
    assert!(report.sealed && report.records == 2000);
    let before = tapes(dir.path());
    let done = recover_any(dir.path()).unwrap();
    assert!(done.was_closed && done.epoch == 1 && done.records == 2000);
    assert_eq!(tapes(dir.path()), before);
    let (mut writer, _) = resume(dir.path());
    append(&mut writer, 1);
    writer.close().unwrap();
    assert_eq!(check_whole(dir.path()).records, 2001);
}

#[test]
fn corruption_is_refused_by_segment_sequences_and_bytes_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 3000));
    let path = segment(dir.path(), 0);
    damage(&path, 1500);
    let before = (fs::read(&path).unwrap(), tapes(dir.path()));
    for refused in [
        Writer::<Event>::resume(dir.path(), Durability::PageCache, None).map(|_| ()).unwrap_err(),
        recover::<Event>(dir.path()).map(|_| ()).unwrap_err(),
        recover_any(dir.path()).map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(refused.exit_code(), 3);
        let text = refused.to_string();
        let bytes = format!("(bytes {}..{})", slot_offset(1500), slot_offset(1501));
        for named in [path.to_str().unwrap(), "sequences 1500..1501", &bytes, "repair"] {
            assert!(text.contains(named), "{named}: {text}");
        }
    }
    assert_eq!((fs::read(&path).unwrap(), tapes(dir.path())), before);
    // What is behind the damage is still served.
    let mut reader = Reader::<Event>::open(dir.path()).unwrap();
    reader.seek(1502).unwrap();
    let mut events = [Event::zeroed(); 1];
    assert_eq!(reader.read(&mut events).unwrap(), Read::Records(1));
    assert_eq!(events[0], event(1502));
    tried("a corrupt journal taken up", 3);
}

#[test]
fn after_a_crash_of_the_machine_a_gap_above_the_durable_mark_is_torn() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    drop(write(dir, 2 * per_segment + 500));
    // A page of the first segment never reached the disk; all behind it did.
    open(&segment(dir, 0)).write_all_at(&[0; 4096], 4096 + 3 * BLOCK + 4096).unwrap();
    assert_eq!(verify::<Event>(dir).unwrap_err().exit_code(), 3, "in the same boot");
    reboot(dir);
    let report = verify::<Event>(dir).unwrap();
    let first = 3 * 1023 + 63;
    let torn = report.torn_tail.expect("a torn tail");
    assert_eq!((torn.sequence, torn.later), (first, Some(first + 64)));

    let (mut writer, recovery) = resume(dir);
    assert_eq!((recovery.next_sequence, recovery.quarantined.len()), (first, 3));
    append(&mut writer, 1000);
    writer.close().unwrap();
    assert_eq!(check_whole(dir).records, first + 1000);
    tried("a gap above the durable mark after a crash of the machine", 1);
}

#[test]
fn after_a_crash_of_the_machine_damage_below_the_durable_mark_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // A recovery forces what it keeps to the disk, and the next block says so.
    drop(write(dir, 2000));
    let (mut writer, _) = resume(dir);
    append(&mut writer, 2000);
    drop(writer);
    damage(&segment(dir, 2000), 1500);
    reboot(dir);
    let report = verify::<Event>(dir).unwrap();
    assert_eq!(report.torn_tail.expect("a torn tail").sequence, 3500);
    damage(&segment(dir, 0), 100);
    assert_eq!(recover::<Event>(dir).unwrap_err().exit_code(), 3);

    // So does a close.
    let closed = tempfile::tempdir().unwrap();
    write(closed.path(), 2000).close().unwrap();
    damage(&segment(closed.path(), 0), 1999);
    reboot(closed.path());
    assert_eq!(recover::<Event>(closed.path()).unwrap_err().exit_code(), 3);
    tried("damage below the durable mark after a crash of the machine", 1);
}

#[test]
fn after_a_crash_of_the_machine_a_segment_that_lost_its_opening_is_torn() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    drop(write(dir, per_segment + 500));
    open(&segment(dir, per_segment)).write_all_at(&[0; 8], 4088).unwrap();
    assert_eq!(verify::<Event>(dir).unwrap_err().exit_code(), 3, "in the same boot");
    reboot(dir);
    let torn = verify::<Event>(dir).unwrap().torn_tail.expect("a torn tail");
    assert_eq!((torn.sequence, torn.path), (per_segment, segment(dir, per_segment)));
    let (mut writer, recovery) = resume(dir);
    assert_eq!((recovery.next_sequence, recovery.quarantined.len()), (per_segment, 1));
    append(&mut writer, 10);
    writer.close().unwrap();
    assert_eq!(check_whole(dir).records, per_segment + 10);
    tried("an opening lost in a crash of the machine", 1);
}

#[test]
fn a_recovery_that_was_interrupted_is_done_again() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    drop(write(dir, per_segment + 500));
    damage(&segment(dir, per_segment), 499);
    // The next epoch's segment is there, prepared but not opened, and one half made.
    let (writer, _) = resume(dir);
    drop(writer);
    let next = segment(dir, per_segment + 499);
    open(&next).write_all_at(&[0; 8], 4088).unwrap();
    fs::write(dir.join(format!("{:020}.unfinished", per_segment + 499)), [0; 100]).unwrap();
    assert_eq!(check_whole(dir).records, per_segment + 499);

    let (mut writer, recovery) = resume(dir);
    assert_eq!((recovery.next_sequence, recovery.epoch), (per_segment + 499, 2));
    append(&mut writer, 10);
    writer.close().unwrap();
    assert_eq!(check_whole(dir).records, per_segment + 509);
    tried("a recovery interrupted before its segment was opened", 1);
}

#[test]
fn a_reader_that_waits_at_the_end_of_a_killed_writer_goes_on_with_the_next_epoch() {
    let dir = tempfile::tempdir().unwrap();
    for left in [0, 1500] {
        let dir = dir.path().join(left.to_string());
        drop(write(&dir, left));
        let mut reader = Reader::<Event>::open(&dir).unwrap();
        let mut events = vec![Event::zeroed(); 4000];
        let mut position = 0;
        let mut read = |want: u64| {
            for _ in 0..10_000 {
                if let Read::Records(count) = reader.read(&mut events).unwrap() {
                    check(position, &events[..count]);
                    position += count as u64;
                }
                if position == want {
                    return;
                }
            }
            panic!("stuck at {position} before {want}");
        };
        read(left);
        let (mut writer, _) = resume(&dir);
        append(&mut writer, 100);
        read(left + 100);
        writer.close().unwrap();
        read(left + 100);
        let (mut writer, _) = resume(&dir);
        append(&mut writer, 100);
        read(left + 200);
    }
    tried("a reader at the end of a killed writer", 2);
}

#[test]
fn records_from_the_cut_on_are_set_aside_and_written_anew() {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    for cut in [1, 1023, 1500, per_segment, per_segment + 100] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(dir, per_segment + 200).close().unwrap();
        let (mut writer, recovery) =
            Writer::<Event>::resume(dir, Durability::PageCache, Some(cut)).unwrap();
        assert_eq!((recovery.next_sequence, recovery.cut), (cut, per_segment + 200 - cut));
        assert!(!recovery.quarantined.is_empty());
        append(&mut writer, 3000);
        writer.close().unwrap();
        let report = check_whole(dir);
        assert_eq!(report.records, cut + 3000);
        let mut reader = Reader::<Event>::open(dir).unwrap();
        for sequence in [0, cut - 1, cut, cut + 1, cut + 3000] {
            reader.seek(sequence).unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 100));
    assert_eq!(
        Writer::<Event>::resume(dir.path(), Durability::PageCache, Some(500)).unwrap().1.cut,
        0
    );
}

#[test]
fn a_corrupt_journal_is_cut_where_its_operator_says_and_not_beyond_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    write(dir, per_segment + 200).close().unwrap();
    damage(&segment(dir, 0), 1500);
    let refused = repair::<Event>(dir, Repair::CutAt(1501)).unwrap_err();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let done = repair_any(dir, Repair::CutAt(1500)).unwrap();
    assert_eq!((done.records, done.quarantined.len()), (1500, 2));
    let report = check_whole(dir);
    assert!(report.sealed && report.records == 1500);
    let (mut writer, _) = resume(dir);
    append(&mut writer, 10);
    writer.close().unwrap();
    assert_eq!(check_whole(dir).records, 1510);
}

#[test]
fn copies_and_foreign_segments_are_dropped_by_name() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = ours.path();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    write(dir, per_segment + 10).close().unwrap();
    let copy = segment(dir, 2 * per_segment);
    fs::copy(segment(dir, per_segment), &copy).unwrap();
    let error = verify::<Event>(dir).unwrap_err().to_string();
    assert!(error.contains(&format!("--drop-segment {}", 2 * per_segment)), "{error}");
    repair_any(dir, Repair::DropSegment(2 * per_segment)).unwrap();
    check_whole(dir);

    write(other.path(), 3 * per_segment).close().unwrap();
    fs::copy(segment(other.path(), 2 * per_segment), &copy).unwrap();
    assert_eq!(verify::<Event>(dir).unwrap_err().exit_code(), 3);
    let done = repair_any(dir, Repair::DropSegment(2 * per_segment)).unwrap();
    assert!(done.quarantined[0].exists());
    check_whole(dir);
    let refused = repair_any(dir, Repair::DropSegment(7)).unwrap_err();
    assert!(matches!(refused, Error::Usage { .. }));
    tried("copies and foreign segments", 2);
}

#[test]
fn a_segment_that_alone_holds_its_records_is_not_dropped() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let refused = |start: u64, cure: &str| {
        let error = repair_any(dir, Repair::DropSegment(start)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{start}: {error}");
        assert!(error.to_string().contains(cure), "{start}: {error}");
        assert!(!dir.join("quarantine").exists());
    };
    let mut writer = write(dir, 10);
    append(&mut writer, 2 * per_segment);
    writer.close().unwrap();
    let starts = [0, per_segment, 2 * per_segment];
    for start in starts {
        refused(start, "--cut-at");
    }
    assert_eq!(check_whole(dir).records, 2 * per_segment + 10);
    // Of two in one place its operator chooses.
    let other = tempfile::tempdir().unwrap();
    for start in starts {
        fs::copy(segment(dir, start), segment(other.path(), start)).unwrap();
    }
    let (mut writer, _) =
        Writer::<Event>::resume(other.path(), Durability::PageCache, Some(50)).unwrap();
    append(&mut writer, 10);
    writer.close().unwrap();
    fs::copy(segment(other.path(), 50), segment(dir, 50)).unwrap();
    verify::<Event>(dir).unwrap_err();
    repair_any(dir, Repair::DropSegment(50)).unwrap();
    fs::remove_dir_all(dir.join("quarantine")).unwrap();
    check_whole(dir);
    // Under another's name it is no copy, and the others are where they were.
    let [_, second, wrong] = [0, per_segment, 7 * per_segment].map(|start| segment(dir, start));
    fs::rename(&second, &wrong).unwrap();
    refused(7 * per_segment, "give it back its name");
    refused(0, "--cut-at");
    fs::rename(&wrong, &second).unwrap();
    damage(&second, 100);
    refused(per_segment, "--cut-at");
    tried("segments that must not be dropped", 6);
}

#[test]
fn a_living_writer_keeps_recovery_and_repair_away() {
    let dir = tempfile::tempdir().unwrap();
    let _writer = write(dir.path(), 10);
    for refused in [
        Writer::<Event>::resume(dir.path(), Durability::PageCache, None).map(|_| ()).unwrap_err(),
        recover::<Event>(dir.path()).map(|_| ()).unwrap_err(),
        repair_any(dir.path(), Repair::CutAt(5)).map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(refused.exit_code(), 2, "{refused}");
    }
    tried("recovery or repair beside a living writer", 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is written over the end of a journal, a recovery keeps every record before it, or
    /// refuses because a record behind the damage is whole.
    #[test]
    fn garbage_over_the_end_never_costs_a_record_before_it(
        garbage in prop::collection::vec(any::<u8>(), 1..10_000),
        count in 1..2500u64,
        back in 0..3000u64,
        rebooted in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        drop(write(dir.path(), count));
        let at = slot_offset(count).saturating_sub(back).max(4096);
        open(&segment(dir.path(), 0)).write_all_at(&garbage, at).unwrap();
        if rebooted {
            reboot(dir.path());
        }
        let safe = (0..count).take_while(|&index| slot_offset(index) + 64 <= at).count() as u64;
        match Writer::<Event>::resume(dir.path(), Durability::PageCache, None) {
            Ok((mut writer, recovery)) => {
                let is_header_hit = (0..3).any(|b| {
                    let header = 4096 + b * BLOCK;
                    at < header + 64 && header < at + garbage.len() as u64
                });
                prop_assert!(recovery.next_sequence >= safe || is_header_hit);
                append(&mut writer, 10);
                writer.close().unwrap();
                prop_assert_eq!(check_whole(dir.path()).records, recovery.next_sequence + 10);
            }
            Err(error) => {
                prop_assert!(!rebooted, "{error}");
                prop_assert_eq!(error.exit_code(), 3);
            }
        }
    }
}
