//! Any bytes are a snapshot or are refused, with checksums as they are and with right ones.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use ringtape::journal::snapshot::Snapshot;

const HEADER_BYTES: usize = 32;
const FRAME_HEAD_BYTES: usize = 40;

fuzz_target!(|input: &[u8]| {
    read(input);
    read(&with_checksums(input.to_vec()));
});

fn read(bytes: &[u8]) {
    if let Ok(snapshot) = Snapshot::from_bytes(Path::new("fuzzed"), bytes) {
        let names: Vec<&str> = snapshot.sections().collect();
        let sections = names.iter().map(|name| snapshot.section(name).expect("its own").len());
        assert!(sections.sum::<usize>() < bytes.len(), "sections lie within the snapshot");
    }
}

/// The same bytes, with right checksums of the header and of every frame that ends before they do.
fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut rest = &mut bytes[..];
    let Some((header, frames)) = rest.split_at_mut_checked(HEADER_BYTES) else { return bytes };
    put_checksum(header, HEADER_BYTES - 4);
    rest = frames;
    while rest.len() >= FRAME_HEAD_BYTES {
        let payload = u64::from_le_bytes(rest[24..32].try_into().expect("eight bytes"));
        let Some(end) = usize::try_from(payload)
            .ok()
            .and_then(|payload| payload.checked_next_multiple_of(8))
            .and_then(|payload| payload.checked_add(FRAME_HEAD_BYTES))
            .filter(|&end| end <= rest.len())
        else {
            break;
        };
        let (frame, behind) = rest.split_at_mut(end);
        put_checksum(frame, FRAME_HEAD_BYTES - 4);
        rest = behind;
    }
    bytes
}

/// Stores at `at` the checksum of everything else.
fn put_checksum(part: &mut [u8], at: usize) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&part[..at]), &part[at + 4..]);
    part[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}
