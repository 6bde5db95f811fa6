//! Real threads on small rings: would catch a torn, lost, repeated or early record, a deadlock,
//! and, built with ThreadSanitizer, a data race:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
//!     CARGO_TARGET_DIR=target/tsan TSAN_OPTIONS=suppressions=tests/thread_sanitizer.supp \
//!     cargo test --target x86_64-unknown-linux-gnu --test ring_stress
//! ```
//!
//! The graphs, each on rings of 1, 2, 4 and 64 slots:
//!
//! ```text
//! unicast    producer -> a                multicast  producer -> a, b, c
//! pipeline   producer -> a -> b -> c      diamond    producer -> a, b; a + b -> c
//! ```

#[path = "common/stream.rs"]
mod stream;

use std::thread;

use ringtape::ring::{Consumer, Producer, RingBuilder, StageCursor, Wait};
use stream::{Record, is_whole, record};

const RECORDS: u64 = 20_000;

/// The stages of a graph: each one's name and the indices of those that it follows.
type Graph = [(&'static str, &'static [usize])];

fn run(graph: &Graph) {
    for capacity in [1, 2, 4, 64] {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        let mut ids = Vec::new();
        for (name, upstreams) in graph {
            let upstreams: Vec<_> = upstreams.iter().map(|&i| ids[i]).collect();
            ids.push(builder.stage(*name, &upstreams).unwrap());
        }
        let (producer, mut consumers) = builder.build().unwrap();
        thread::scope(|scope| {
            for (&id, (_, upstreams)) in ids.iter().zip(graph) {
                let upstreams = upstreams.iter().map(|&i| consumers.cursor(ids[i]).unwrap());
                let upstreams: Vec<_> = upstreams.collect();
                let consumer = consumers.take(id).unwrap();
                scope.spawn(move || consume(consumer, &upstreams, capacity as u64));
            }
            produce(producer);
        });
    }
}

/// Publishes the stream in claims of changing size, now and then committing a part only.
fn produce(mut producer: Producer<Record>) {
    let mut sizes = Sizes(1);
    while producer.next_sequence() < RECORDS {
        let left = (RECORDS - producer.next_sequence()) as usize;
        let count = sizes.next(producer.capacity().min(left));
        let mut claim = producer.claim(count, Wait::Yield).unwrap();
        let first = claim.first_sequence();
        claim.for_each_mut(|i, slot| *slot = record(first + i as u64));
        claim.commit(count - usize::from(count > 1 && count.is_multiple_of(3)));
    }
}

/// Reads the stream to its end in batches of changing size, ended in every way there is.
fn consume(mut consumer: Consumer<Record>, upstreams: &[StageCursor], capacity: u64) {
    let mut sizes = Sizes(2);
    let mut next = 0;
    while !consumer.is_finished() {
        assert!(consumer.lag() <= capacity);
        let mut batch = consumer.poll(sizes.next(16)).unwrap();
        if batch.is_empty() {
            thread::yield_now();
            continue;
        }
        let first = batch.first_sequence();
        assert_eq!(first, next);
        for (sequence, found) in (first..).zip(batch.iter()) {
            assert!(is_whole(found) && found[0] == sequence, "{found:?} at {sequence}");
        }
        let end = first + batch.len() as u64;
        assert!(upstreams.iter().all(|upstream| upstream.sequence() >= end));
        next = match sizes.next(4) {
            1 => {
                let half = batch.len() / 2;
                batch.end_at(half);
                first + half as u64
            }
            2 => {
                batch.release(1);
                end
            }
            _ => end,
        };
    }
    assert_eq!(next, RECORDS);
}

/// A small repeatable sequence of numbers.
struct Sizes(u64);

impl Sizes {
    /// The next number from 1 to `most`.
    fn next(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1 + (self.0 >> 33) as usize % most
    }
}

#[test]
fn one_stage_reads_the_whole_stream_untorn() {
    run(&[("a", &[])]);
}

#[test]
fn three_stages_beside_each_other_all_read_the_whole_stream() {
    run(&[("a", &[]), ("b", &[]), ("c", &[])]);
}

#[test]
fn three_stages_behind_each_other_never_overtake() {
    run(&[("a", &[]), ("b", &[0]), ("c", &[1])]);
}

#[test]
fn a_stage_behind_two_waits_for_both() {
    run(&[("a", &[]), ("b", &[]), ("c", &[0, 1])]);
}
