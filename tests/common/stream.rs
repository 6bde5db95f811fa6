//! A stream of checksummed records that the ring's tests and bench send and verify.

/// A record of 56 bytes: the sequence, five words made from it, and their checksum.
pub(crate) type Record = [u64; 7];

/// The record at `sequence` of the stream.
#[inline]
pub(crate) fn record(sequence: u64) -> Record {
    let mut record = [sequence, 0, 0, 0, 0, 0, 0];
    for i in 1..6 {
        record[i] = record[i - 1].wrapping_add(0x9E37_79B9_7F4A_7C15).rotate_left(7);
    }
    record[6] = checksum(&record);
    record
}

/// Whether `record` holds what its producer wrote, with no word of another one.
#[inline]
pub(crate) fn is_whole(record: &Record) -> bool {
    record[6] == checksum(record)
}

#[inline]
fn checksum(record: &Record) -> u64 {
    record[..6].iter().fold(0, |sum, word| sum ^ word.wrapping_mul(3))
}
