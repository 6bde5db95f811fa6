//! Bytes of any format are read to their end through the books, or refused: nothing panics, and no
//! feed goes on without end. The content decides which reader gets them, as with files; the corpus
//! has a recording of each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtape::book::Replica;
use ringtape::event::Event;
use ringtape::feed::{self, Fill, OpenOptions};

/// Most records that a feed may make of an input, far more than any should.
const RECORDS_MAX: usize = 1 << 24;

fuzz_target!(|input: &[u8]| {
    let Ok(mut feed) = feed::open_bytes("fuzz", input.to_vec(), &OpenOptions::default()) else {
        return;
    };
    let mut replica = Replica::new();
    let mut batch = vec![Event::default(); 64];
    let mut records = 0;
    while let Ok(Fill::Records(count)) = feed.fill(&mut batch) {
        batch[..count].iter().for_each(|event| {
            replica.apply(event);
        });
        records += count;
        assert!(records < RECORDS_MAX, "a feed without end");
    }
});
