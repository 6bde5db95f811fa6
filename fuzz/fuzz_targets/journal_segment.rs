//! A segment with bytes changed at will, cut or extended, is read to its end or refused: nothing
//! panics, and nothing is delivered that was not written there.
//!
//! The input is a flag byte and then five bytes a change: a place and what its byte is XORed with.
//! With the flag the segment header gets a right checksum again, so that its fields are tried too.
#![no_main]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use bytemuck::Zeroable;
use libfuzzer_sys::fuzz_target;
use ringtape::event::Event;
use ringtape::journal::{JournalOptions, Read, Reader, Writer, verify};

/// Records of the journal: two blocks and a bit.
const RECORDS: usize = 2_100;

const SEGMENT_BYTES: u64 = 16 << 20;
const HEADER_BYTES: usize = 4_096;

/// Bytes of the segment that were written to: its header and three blocks.
const USED_BYTES: usize = HEADER_BYTES + 3 * 65_536;

struct Journal {
    dir: tempfile::TempDir,
    file: File,
    /// The used bytes as they were written.
    whole: Vec<u8>,
    events: Vec<Event>,
}

static JOURNAL: LazyLock<Journal> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let event = |number: u64| Event { ts_event: number * 10, instrument: 7, ..Event::zeroed() };
    let events: Vec<Event> = (0..RECORDS as u64).map(event).collect();
    let options = JournalOptions { segment_bytes: SEGMENT_BYTES, ..JournalOptions::default() };
    let mut writer = Writer::create(dir.path(), &options).expect("a journal");
    writer.append_batch(&events).expect("space");
    writer.close().expect("space");
    let path: PathBuf = dir.path().join(format!("{:020}.tape", 0));
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the segment");
    let mut whole = vec![0; USED_BYTES];
    file.read_exact_at(&mut whole, 0).expect("its bytes");
    Journal { dir, file, whole, events }
});

fuzz_target!(|input: &[u8]| {
    let Some((&flags, changes)) = input.split_first() else { return };
    let (mut bytes, mut length) = (JOURNAL.whole.clone(), SEGMENT_BYTES);
    for change in changes.as_chunks::<5>().0 {
        let place = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        match change[3] % 4 {
            0 => bytes[place % HEADER_BYTES] ^= change[4],
            1 | 2 => bytes[place % USED_BYTES] ^= change[4],
            _ => length = place as u64 * 2,
        }
    }
    if flags & 1 == 1 {
        let crc = crc32c::crc32c(&bytes[..4084]);
        bytes[4084..4088].copy_from_slice(&crc.to_le_bytes());
    }
    JOURNAL.file.set_len(0).expect("a file");
    JOURNAL.file.write_all_at(&bytes, 0).expect("space");
    JOURNAL.file.set_len(length).expect("space");
    let read = read_all();
    let verified = verify::<Event>(JOURNAL.dir.path());
    assert!(JOURNAL.events.starts_with(&read), "{} records, not all as written", read.len());
    if let Ok(report) = verified {
        assert_eq!(report.records, read.len() as u64, "readers agree");
    }
    seek(changes);
});

/// What can be read from the start.
fn read_all() -> Vec<Event> {
    let mut read = Vec::new();
    let Ok(mut reader) = Reader::<Event>::open(JOURNAL.dir.path()) else { return read };
    let mut events = [Event::zeroed(); 256];
    while let Ok(Read::Records(count)) = reader.read(&mut events) {
        read.extend_from_slice(&events[..count]);
    }
    read
}

/// Moves about; what is read there must be what was written there.
fn seek(changes: &[u8]) {
    let Ok(mut reader) = Reader::<Event>::open(JOURNAL.dir.path()) else { return };
    let mut events = [Event::zeroed(); 8];
    for pair in changes.as_chunks::<2>().0.iter().take(4) {
        let to = u64::from(u16::from_le_bytes(*pair));
        let sought = match pair[0] % 3 {
            0 => reader.seek(to % 4_096),
            1 => reader.seek_time(to),
            _ => reader.seek_end(),
        };
        if sought.is_ok()
            && let Ok(Read::Records(count)) = reader.read(&mut events)
        {
            let from = reader.position() as usize - count;
            assert_eq!(events[..count], JOURNAL.events[from..from + count], "at {from}");
        }
    }
}
