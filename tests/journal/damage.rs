//! A damaged journal gets the verdict that the damaged region owes: never wrong records, never a
//! panic, never a torn tail where records follow.
//!
//! Catches: fields that no CRC covers, a checksum that is not looked at, a reader that skips or
//! repeats where it should refuse.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytemuck::Zeroable;
use proptest::prelude::*;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution};
use ringtape::journal::{
    JournalOptions, Read, Reader, VerifyReport, Writer, records_per_segment, verify, verify_any,
};

use crate::written::{SEGMENT, check, event, options, tried, write};

const HEADER: u64 = 4096;
const BLOCK: u64 = 64 << 10;
const SLOT: u64 = 64;

/// Where the parts of the small journal lie.
const BLOCK_HEADER: u64 = HEADER;
const FIRST_RECORD: u64 = BLOCK_HEADER + SLOT;

/// Records of the small journal.
const COUNT: u64 = 6;

fn segment(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.tape"))
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Reads all that a reader delivers; panics if any of it is not what was written.
fn read_all(dir: &Path) -> Result<u64> {
    let mut reader = Reader::<Event>::open(dir)?;
    let mut events = vec![Event::zeroed(); 256];
    loop {
        let from = reader.position();
        match reader.read(&mut events)? {
            Read::Records(count) => {
                check(from, &events[..count]);
            }
            Read::Pending => panic!("pending without a writer"),
            Read::End => return Ok(from),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Whole,
    Torn(u64),
    Unsealed(u64),
    Corrupt,
}

/// The verdict on a journal; reader and verify must agree.
fn verdict(dir: &Path) -> Verdict {
    let (read, verified) = (read_all(dir), verify::<Event>(dir));
    match verified {
        Ok(VerifyReport { next_sequence, sealed, torn_tail, .. }) => {
            assert_eq!(read.unwrap(), next_sequence);
            match torn_tail {
                Some(torn) => {
                    assert_eq!(torn.sequence, next_sequence);
                    Verdict::Torn(next_sequence)
                }
                None if sealed => Verdict::Whole,
                None => Verdict::Unsealed(next_sequence),
            }
        }
        Err(error @ Error::BadJournal { .. }) => {
            assert!(matches!(read, Err(Error::BadJournal { .. })), "{error}, but {read:?}");
            assert_eq!(error.exit_code(), 3);
            Verdict::Corrupt
        }
        Err(other) => panic!("{other}"),
    }
}

/// Flips each bit of `bytes` from `offset` on in turn and checks the verdict; how many.
fn flip_each(dir: &Path, offset: u64, bytes: u64, owed: &Verdict) -> u64 {
    let file = open(&segment(dir, 0));
    for byte in offset..offset + bytes {
        let mut whole = [0];
        file.read_exact_at(&mut whole, byte).unwrap();
        for bit in 0..8 {
            file.write_all_at(&[whole[0] ^ 1 << bit], byte).unwrap();
            assert_eq!(verdict(dir), *owed, "byte {byte}, bit {bit}");
        }
        file.write_all_at(&whole, byte).unwrap();
    }
    8 * bytes
}

#[test]
fn every_flipped_bit_of_a_segment_header_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    tried("a bit of a segment header", flip_each(dir.path(), 0, HEADER, &Verdict::Corrupt));
    assert_eq!(verdict(dir.path()), Verdict::Whole);
}

#[test]
fn every_flipped_bit_of_a_block_header_or_record_of_a_sealed_journal_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    let bits = flip_each(dir.path(), BLOCK_HEADER, (1 + COUNT) * SLOT, &Verdict::Corrupt);
    tried("a bit of a block header or record", bits);
    assert_eq!(verdict(dir.path()), Verdict::Whole);
}

#[test]
fn every_flipped_bit_of_the_last_seal_is_a_torn_tail_behind_all_records() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    let bits = flip_each(dir.path(), FIRST_RECORD + COUNT * SLOT, SLOT, &Verdict::Torn(COUNT));
    tried("a bit of the last seal", bits);
    assert_eq!(verdict(dir.path()), Verdict::Whole);
}

#[test]
fn every_flipped_bit_of_an_unsealed_journals_last_record_is_a_torn_tail_before_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), COUNT));
    let last = FIRST_RECORD + (COUNT - 1) * SLOT;
    let bits = flip_each(dir.path(), last, SLOT, &Verdict::Torn(COUNT - 1));
    tried("a bit of the last record", bits);
    let bits = flip_each(dir.path(), last - SLOT, SLOT, &Verdict::Corrupt);
    tried("a bit of the record before it", bits);
    assert_eq!(verdict(dir.path()), Verdict::Unsealed(COUNT));
}

#[test]
fn a_flipped_bit_in_unwritten_space_is_a_torn_tail_unless_a_seal_stands_before_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), COUNT));
    let end = FIRST_RECORD + COUNT * SLOT;
    let mut bits = flip_each(dir.path(), end, SLOT, &Verdict::Torn(COUNT));
    for far in [HEADER + BLOCK, HEADER + 7 * BLOCK + 8, SEGMENT - 1] {
        bits += flip_each(dir.path(), far, 1, &Verdict::Torn(COUNT));
    }
    assert_eq!(verdict(dir.path()), Verdict::Unsealed(COUNT));

    let sealed = tempfile::tempdir().unwrap();
    write(sealed.path(), COUNT).close().unwrap();
    bits += flip_each(sealed.path(), end + SLOT, SLOT, &Verdict::Whole);
    tried("a bit of unwritten space", bits);
}

#[test]
fn zeroed_records_are_corruption_when_records_follow_however_many() {
    for (from, count) in [(0, 1), (1, 1), (500, 64), (100, 1500), (1022, 2)] {
        let dir = tempfile::tempdir().unwrap();
        drop(write(dir.path(), 3000));
        let file = open(&segment(dir.path(), 0));
        for sequence in from..from + count {
            file.write_all_at(&[0; SLOT as usize], slot_offset(sequence)).unwrap();
        }
        let error = verify::<Event>(dir.path()).unwrap_err();
        let named = format!("sequences {from}..{}", from + count);
        assert!(error.to_string().contains(&named), "{error}");
        assert_eq!(verdict(dir.path()), Verdict::Corrupt);
    }
    tried("records zeroed", 5);
}

#[test]
fn a_zeroed_block_header_is_corruption_when_records_follow() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 2000));
    open(&segment(dir.path(), 0)).write_all_at(&[0; 64], HEADER + BLOCK).unwrap();
    let error = verify::<Event>(dir.path()).unwrap_err();
    assert!(error.to_string().contains("header of the block at sequence 1023"), "{error}");
    assert_eq!(verdict(dir.path()), Verdict::Corrupt);
    tried("a block header zeroed", 1);
}

fn slot_offset(sequence: u64) -> u64 {
    HEADER + sequence / 1023 * BLOCK + (sequence % 1023 + 1) * SLOT
}

#[test]
fn a_record_that_is_moved_or_repeated_is_not_accepted_in_another_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    let file = open(&segment(dir.path(), 0));
    let mut record = [0; SLOT as usize];
    file.read_exact_at(&mut record, slot_offset(1)).unwrap();
    file.write_all_at(&record, slot_offset(2)).unwrap();
    assert_eq!(verdict(dir.path()), Verdict::Corrupt);
    tried("a record repeated in another place", 1);
}

#[test]
fn records_of_another_epoch_are_no_evidence_of_what_was_lost() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(write(old.path(), 2000));
    let options = JournalOptions { epoch: 1, ..options() };
    let mut writer = Writer::<Event>::create(new.path(), &options).unwrap();
    writer.append(&event(0)).unwrap();
    drop(writer);
    let mut stale = vec![0; 2 * BLOCK as usize];
    open(&segment(old.path(), 0)).read_exact_at(&mut stale, slot_offset(1)).unwrap();
    open(&segment(new.path(), 0)).write_all_at(&stale, slot_offset(1)).unwrap();
    assert_eq!(verdict(new.path()), Verdict::Torn(1));
    tried("blocks of another epoch", 1);
}

#[test]
fn blocks_of_another_journal_are_noticed() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(write(ours.path(), 3000));
    let mut writer = Writer::<Event>::create(other.path(), &options()).unwrap();
    for sequence in 0..3000 {
        writer.append(&event(sequence + 1)).unwrap();
    }
    drop(writer);
    let mut block = vec![0; BLOCK as usize];
    open(&segment(other.path(), 0)).read_exact_at(&mut block, HEADER + BLOCK).unwrap();
    open(&segment(ours.path(), 0)).write_all_at(&block, HEADER + BLOCK).unwrap();
    let error = verify::<Event>(ours.path()).unwrap_err();
    assert!(error.to_string().contains("another journal's"), "{error}");
    tried("blocks of another journal", 1);
}

#[test]
fn a_segment_of_any_other_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    let path = segment(dir.path(), 0);
    let whole = fs::read(&path).unwrap();
    let file = open(&path);
    let interesting = [HEADER + BLOCK, SEGMENT / 2, SEGMENT - 4096, SEGMENT - 1];
    for length in (0..8192).chain(interesting).rev() {
        file.set_len(length).unwrap();
        assert_eq!(verdict(dir.path()), Verdict::Corrupt, "length {length}");
    }
    file.write_all_at(&whole, 0).unwrap();
    assert_eq!(verdict(dir.path()), Verdict::Whole);
    for more in [1, 64, 4096, BLOCK] {
        file.write_all_at(&vec![0xa5; more as usize], SEGMENT).unwrap();
        assert_eq!(verdict(dir.path()), Verdict::Corrupt, "{more} bytes more");
    }
    tried("a segment of another length", 8_192 + 4 + 4);
}

/// A sealed journal of three full segments and a bit, and the start of each segment.
fn four_segments(dir: &Path) -> [u64; 4] {
    let per_segment = records_per_segment::<Event>(SEGMENT);
    write(dir, 3 * per_segment + 10).close().unwrap();
    [0, per_segment, 2 * per_segment, 3 * per_segment]
}

#[test]
fn missing_swapped_renamed_and_foreign_segments_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let starts = four_segments(dir);
    let paths = starts.map(|start| segment(dir, start));
    let aside = dir.join("aside");
    let message = || {
        assert_eq!(verdict(dir), Verdict::Corrupt);
        verify::<Event>(dir).unwrap_err().to_string()
    };

    fs::rename(&paths[1], &aside).unwrap();
    assert!(message().contains("segment 2 follows segment 0"), "{}", message());
    fs::rename(&paths[2], &paths[1]).unwrap();
    assert!(message().contains("give it back its name"), "{}", message());
    fs::rename(&aside, &paths[2]).unwrap();
    assert!(message().contains("give it back its name"), "{}", message());
    fs::rename(&paths[1], &aside).unwrap();
    fs::rename(&paths[2], &paths[1]).unwrap();
    fs::rename(&aside, &paths[2]).unwrap();
    assert_eq!(verdict(dir), Verdict::Whole);

    fs::rename(&paths[3], &aside).unwrap();
    assert!(message().contains("is missing"), "{}", message());
    let other = tempfile::tempdir().unwrap();
    four_segments(other.path());
    fs::copy(segment(other.path(), starts[3]), &paths[3]).unwrap();
    assert!(message().contains("belongs to another journal"), "{}", message());
    fs::rename(&aside, &paths[3]).unwrap();
    assert_eq!(verdict(dir), Verdict::Whole);

    // Without its first segments, which retention may have removed, a journal is whole.
    fs::remove_file(&paths[0]).unwrap();
    let report = verify::<Event>(dir).unwrap();
    assert_eq!((report.first_sequence, report.segments), (starts[1], 3));
    tried("segments missing, swapped, renamed or foreign", 5);
}

#[test]
fn a_damaged_seal_or_opening_word_between_segments_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    drop(write(dir.path(), per_segment + 10));
    let expect = |path: &Path, offset: u64, named: &str| {
        let file = open(path);
        let mut whole = [0; 8];
        file.read_exact_at(&mut whole, offset).unwrap();
        assert_ne!(whole, [0; 8]);
        let mut flipped = whole;
        flipped[1] ^= 4;
        for damaged in [[0; 8], flipped] {
            file.write_all_at(&damaged, offset).unwrap();
            assert_eq!(verdict(dir.path()), Verdict::Corrupt);
            let error = verify::<Event>(dir.path()).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
        file.write_all_at(&whole, offset).unwrap();
        assert_eq!(verdict(dir.path()), Verdict::Unsealed(per_segment + 10));
    };
    let (first, second) = (segment(dir.path(), 0), segment(dir.path(), per_segment));
    expect(&first, slot_offset(per_segment), "without a seal");
    expect(&first, HEADER + 255 * BLOCK, "header of the block");
    expect(&second, 4088, "opening word");
    // The only segment is held to the same.
    let single = tempfile::tempdir().unwrap();
    drop(write(single.path(), 1));
    open(&segment(single.path(), 0)).write_all_at(&[0; 8], 4088).unwrap();
    assert_eq!(verdict(single.path()), Verdict::Corrupt);
    tried("a seal or an opening word between segments", 7);
}

#[test]
fn a_writer_killed_between_seal_and_next_segment_leaves_a_whole_journal() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    drop(write(dir.path(), per_segment + 1));
    let second = open(&segment(dir.path(), per_segment));
    second.write_all_at(&[0; 8], 4088).unwrap();
    second.write_all_at(&[0; 128], HEADER).unwrap();
    assert_eq!(verdict(dir.path()), Verdict::Unsealed(per_segment));
}

#[test]
fn a_writer_killed_while_creating_leaves_an_empty_journal() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path(), 0));
    open(&segment(dir.path(), 0)).write_all_at(&[0; 8], 4088).unwrap();
    assert_eq!(verdict(dir.path()), Verdict::Unsealed(0));
}

#[test]
fn damage_behind_a_living_writer_is_found_as_soon_as_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = write(dir.path(), 100);
    open(&segment(dir.path(), 0)).write_all_at(&[1], slot_offset(99) + 20).unwrap();
    let mut reader = Reader::<Event>::open(dir.path()).unwrap();
    let mut events = [Event::zeroed(); 200];
    assert_eq!(reader.read(&mut events).unwrap(), Read::Records(99));
    assert_eq!(reader.read(&mut events).unwrap(), Read::Pending);
    writer.append(&event(100)).unwrap();
    let error = (0..100).find_map(|_| reader.read(&mut events).err()).unwrap();
    assert!(error.to_string().contains("sequences 99..100"), "{error}");
    tried("damage behind a living writer", 1);
}

#[test]
fn a_journal_of_other_records_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    for error in [
        Reader::<Execution>::open(dir.path()).unwrap_err(),
        verify::<Execution>(dir.path()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::BadJournal { .. }));
        let named = "holds `event` records of 56 bytes, not `execution` of 120";
        assert!(error.to_string().contains(named), "{error}");
    }
    assert_eq!(verify_any(dir.path()).unwrap().records, COUNT);
}

#[test]
fn newer_versions_and_unknown_needed_features_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), COUNT).close().unwrap();
    let path = segment(dir.path(), 0);
    let mut head = fs::read(&path).unwrap();
    head.truncate(HEADER as usize);
    for (offset, named) in [(12, "format version"), (24, "unknown features")] {
        let mut newer = head.clone();
        newer[offset] ^= 0x40;
        let crc = crc32c::crc32c(&newer[..4084]);
        newer[4084..4088].copy_from_slice(&crc.to_le_bytes());
        open(&path).write_all_at(&newer, 0).unwrap();
        let error = verify_any(dir.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(named) && text.contains("use a newer ringtape"), "{text}");
        assert_eq!(verdict(dir.path()), Verdict::Corrupt);
    }
    tried("a newer version or a needed feature", 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_garbage_is_never_delivered_and_never_panics(
        garbage in prop::collection::vec(any::<u8>(), 1..20_000),
        at in 0..4 * BLOCK,
        sealed in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let writer = write(dir.path(), 2000);
        if sealed {
            writer.close().unwrap();
        } else {
            drop(writer);
        }
        open(&segment(dir.path(), 0)).write_all_at(&garbage, at).unwrap();
        verdict(dir.path());
    }

    #[test]
    fn a_file_of_garbage_is_refused(garbage in prop::collection::vec(any::<u8>(), 0..9000)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(segment(dir.path(), 0), garbage).unwrap();
        prop_assert_eq!(verdict(dir.path()), Verdict::Corrupt);
    }
}
