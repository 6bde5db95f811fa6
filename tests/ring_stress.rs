//! Real threads on small rings: would catch a torn, lost, repeated or early record, a miscount, a
//! deadlock, and, built with ThreadSanitizer, a data race:
//!
//! ```text
//! CARGO_PROFILE_TEST_DEBUG=full RUSTC_BOOTSTRAP=1 \
//!     TSAN_OPTIONS=suppressions=tests/thread_sanitizer.supp \
//!     RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg tsan" \
//!     cargo test --no-default-features --target x86_64-unknown-linux-gnu --test ring_stress \
//!     --target-dir target/tsan -- --show-output
//! ```
//!
//! Each test runs for a second, or for `RING_STRESS_SECONDS`; with 150 all of them take ten minutes
//! on two cores. Each prints what it saw. A ring lives a tenth of a second, then comes one of
//! another size: 1, 2, 4 or 64 slots. The graphs:
//!
//! ```text
//! unicast    producer -> a                multicast  producer -> a, b, c
//! pipeline   producer -> a -> b -> c      diamond    producer -> a, b; a + b -> c
//! exclusive  producer -> a -> b           where a changes what b reads
//! observed   producer -> a                and two observers, of which one is slow
//! recorded   producer -> a                and stages that catch up from what a recorded
//! visited    producer -> a                and stages that come, read, leave, come and are cut
//! ```
//!
//! Each thread is joined by its handle: ThreadSanitizer does not see how a scope waits for others.

#[path = "common/stream.rs"]
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::ring::{
    Consumer, MemoryRecording, Observer, Policy, Producer, Ring, RingBuilder, StageCursor, StageId,
    Wait,
};
use stream::{Record, is_whole, record};

const CAPACITIES: [usize; 4] = [1, 2, 4, 64];

/// How long one ring lives.
const ROUND: Duration = Duration::from_millis(100);

/// What a test saw, over all its rings and threads.
#[derive(Debug, Default)]
struct Tally {
    published: AtomicU64,
    laps: AtomicU64,
    checked: AtomicU64,
    missed: AtomicU64,
    came: AtomicU64,
    came_too_late: AtomicU64,
    cut: AtomicU64,
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// Runs `round` with rings of every size until the time is over, and tells what was seen.
fn run(round: impl Fn(usize, &Tally)) {
    let seconds = std::env::var("RING_STRESS_SECONDS").unwrap_or_else(|_| "1".to_owned());
    let seconds = seconds.parse().expect("RING_STRESS_SECONDS is a number");
    let (begin, tally) = (Instant::now(), Tally::default());
    while begin.elapsed() < Duration::from_secs(seconds) {
        CAPACITIES.iter().for_each(|&capacity| round(capacity, &tally));
    }
    println!("{}: {tally:?}", thread::current().name().unwrap_or_default());
}

/// Publishes the stream in claims of changing size for a while, now and then committing a part
/// only; returns how many records that were.
fn produce(mut producer: Producer<Record>, tally: &Tally) -> u64 {
    let (begin, mut sizes) = (Instant::now(), Sizes(1));
    while begin.elapsed() < ROUND {
        let count = sizes.next(producer.capacity());
        let mut claim = producer.claim(count, sizes.wait()).unwrap();
        let first = claim.first_sequence();
        claim.for_each_mut(|i, slot| *slot = record(first + i as u64));
        claim.commit(count - usize::from(count > 1 && count.is_multiple_of(3)));
    }
    let published = producer.next_sequence();
    add(&tally.published, published);
    add(&tally.laps, published / producer.capacity() as u64);
    published
}

fn check(sequence: u64, found: &Record) {
    assert!(is_whole(found) && found[0] == sequence, "{found:?} at {sequence}");
}

/// Reads the stream to its end in batches of changing size, had and ended in every way there is;
/// returns how many records that were.
fn consume(mut consumer: Consumer<Record>, upstreams: &[StageCursor], capacity: usize) -> u64 {
    let (mut sizes, mut next) = (Sizes(2), 0);
    while !consumer.is_finished() {
        assert!(consumer.lag() <= capacity as u64);
        let most = sizes.next(16);
        let batch = match sizes.next(2) {
            1 => Some(consumer.poll(most)),
            _ => consumer.next_batch(most, sizes.wait()).transpose(),
        };
        let Some(mut batch) = batch.transpose().unwrap() else { break };
        if batch.is_empty() {
            thread::yield_now();
            continue;
        }
        let first = batch.first_sequence();
        assert_eq!(first, next);
        (first..).zip(batch.iter()).for_each(|(sequence, found)| check(sequence, found));
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
    next
}

/// A small repeatable sequence of numbers.
struct Sizes(u64);

impl Sizes {
    /// The next number from 1 to `most`.
    fn next(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1 + (self.0 >> 33) as usize % most
    }

    /// A wait that gets along with fewer cores than threads; seldom a park, which is slow.
    fn wait(&mut self) -> Wait {
        match self.next(16) {
            1 => Wait::Park,
            2..8 => Wait::Yield,
            _ => Wait::Auto,
        }
    }
}

/// The stages of a graph: each one's name and the indices of those that it follows.
type Graph = [(&'static str, &'static [usize])];

fn run_graph(graph: &Graph) {
    run(|capacity, tally| {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        let mut ids = Vec::new();
        for (name, upstreams) in graph {
            let upstreams: Vec<_> = upstreams.iter().map(|&i| ids[i]).collect();
            ids.push(builder.stage(*name, &upstreams).unwrap());
        }
        let (producer, mut consumers) = builder.build().unwrap();
        thread::scope(|scope| {
            let stages = ids.iter().zip(graph).map(|(&id, (_, upstreams))| {
                let upstreams = upstreams.iter().map(|&i| consumers.cursor(ids[i]).unwrap());
                let upstreams: Vec<_> = upstreams.collect();
                let consumer = consumers.take(id).unwrap();
                scope.spawn(move || consume(consumer, &upstreams, capacity))
            });
            let stages: Vec<_> = stages.collect();
            let published = produce(producer, tally);
            for stage in stages {
                assert_eq!(stage.join().unwrap(), published);
                add(&tally.checked, published);
            }
        });
    });
}

#[test]
fn one_stage_reads_the_whole_stream_untorn() {
    run_graph(&[("a", &[])]);
}

#[test]
fn three_stages_beside_each_other_all_read_the_whole_stream() {
    run_graph(&[("a", &[]), ("b", &[]), ("c", &[])]);
}

#[test]
fn three_stages_behind_each_other_never_overtake() {
    run_graph(&[("a", &[]), ("b", &[0]), ("c", &[1])]);
}

#[test]
fn a_stage_behind_two_waits_for_both() {
    run_graph(&[("a", &[]), ("b", &[]), ("c", &[0, 1])]);
}

#[test]
fn a_stage_behind_an_exclusive_one_sees_every_change() {
    run(|capacity, tally| {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        let a = builder.exclusive("a", &[]).unwrap();
        let b = builder.stage("b", &[a]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        let (mut a, mut b) = (consumers.take_exclusive(a).unwrap(), consumers.take(b).unwrap());
        thread::scope(|scope| {
            let changer = scope.spawn(move || {
                let mut sizes = Sizes(3);
                while let Some(mut batch) = a.next_batch(sizes.next(16), sizes.wait()).unwrap() {
                    let first = batch.first_sequence();
                    batch.for_each_mut(|i, found| {
                        check(first + i as u64, found);
                        *found = record(!found[0]);
                    });
                }
            });
            let stage = scope.spawn(move || {
                b.run(Wait::Auto, &mut |sequence: u64, found: &Record| {
                    check(!sequence, found);
                    Ok(())
                })
                .unwrap();
                b.position()
            });
            let published = produce(producer, tally);
            changer.join().unwrap();
            assert_eq!(stage.join().unwrap(), published);
            add(&tally.checked, published);
        });
    });
}

/// Watches the stream to its end and sleeps for `pause` after each batch.
fn observe(mut observer: Observer<Record>, pause: Duration, tally: &Tally) -> u64 {
    let (mut sizes, mut next, mut read) = (Sizes(4), 0, 0);
    while !observer.is_finished() {
        let batch = observer.poll(sizes.next(16)).unwrap();
        assert!(batch.first_sequence() >= next, "it goes back");
        next = batch.first_sequence() + batch.len() as u64;
        (batch.first_sequence()..).zip(batch.iter()).for_each(|(at, found)| check(at, found));
        read += batch.len() as u64;
        if batch.is_empty() || !pause.is_zero() {
            drop(batch);
            thread::sleep(pause);
        }
    }
    assert_eq!(read + observer.missed(), observer.position());
    add(&tally.checked, read);
    add(&tally.missed, observer.missed());
    observer.position()
}

#[test]
fn observers_that_are_lapped_see_whole_records_and_count_the_others() {
    run(|capacity, tally| {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        builder.observable().unwrap();
        let a = builder.stage("a", &[]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        let a = consumers.take(a).unwrap();
        let ring = producer.ring();
        thread::scope(|scope| {
            let watchers = [Duration::ZERO, Duration::from_micros(200)].map(|pause| {
                let observer = ring.observe("watcher").unwrap();
                scope.spawn(move || observe(observer, pause, tally))
            });
            let stage = scope.spawn(move || consume(a, &[], capacity));
            let published = produce(producer, tally);
            assert_eq!(stage.join().unwrap(), published);
            add(&tally.checked, published);
            for watcher in watchers {
                assert_eq!(watcher.join().unwrap(), published);
            }
        });
    });
}

/// Catches up from `recording`, and again whenever it is cut, with a rest now and then.
fn catch_up(
    ring: &Ring<Record>,
    (name, policy): (&str, Policy),
    recording: MemoryRecording<Record>,
    tally: &Tally,
) -> u64 {
    let mut late = ring.attach_from(name, policy, 0, recording).unwrap();
    let (mut sizes, mut next) = (Sizes(5), 0);
    while !late.is_finished() {
        let was_live = late.is_live();
        let count = late.poll_each(sizes.next(300), |sequence, found| {
            assert_eq!(sequence, next);
            check(sequence, found);
            next += 1;
            Ok::<(), String>(())
        });
        match count.unwrap() {
            0 => thread::yield_now(),
            _ if sizes.next(1000) == 1 => thread::sleep(Duration::from_micros(200)),
            _ => {}
        }
        add(&tally.came, u64::from(!was_live && late.is_live()));
        add(&tally.cut, u64::from(was_live && !late.is_live()));
    }
    add(&tally.checked, next);
    next
}

#[test]
fn stages_that_catch_up_while_they_are_cut_again_and_again_miss_nothing() {
    run(|capacity, tally| {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        builder.observable().unwrap();
        builder.spare_stages(3);
        let a = builder.stage("a", &[]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        let mut a = consumers.take(a).unwrap();
        let ring = &producer.ring();
        let recording = &MemoryRecording::new();
        thread::scope(|scope| {
            let late = [("b", Policy::Detach), ("c", Policy::Detach), ("d", Policy::Stop)];
            let late = late
                .map(|late| scope.spawn(move || catch_up(ring, late, recording.clone(), tally)));
            let recorder = scope.spawn(move || a.run(Wait::Auto, &mut recording.clone()));
            let published = produce(producer, tally);
            recorder.join().unwrap().unwrap();
            for stage in late {
                assert_eq!(stage.join().unwrap(), published);
            }
            assert_eq!(recording.len() as u64, published);
        });
    });
}

/// Comes to the ring again and again, reads a little and leaves, until the ring is closed.
fn visit(ring: &Ring<Record>, name: &str, upstreams: &[StageId], tally: &Tally) {
    let mut sizes = Sizes(name.len() as u64);
    while !ring.is_ended() {
        let back = ring.published().saturating_sub(sizes.next(ring.capacity()) as u64);
        let stage = match sizes.next(4) {
            1 => ring.attach(name, upstreams),
            2 => ring.attach_at(name, upstreams, back),
            3 => ring.attach_detachable(name, None),
            _ => ring.attach_detachable(name, Some(back)),
        };
        match stage.and_then(|stage| stay(stage, sizes.next(100), tally)) {
            Ok(()) => add(&tally.came, 1),
            Err(Error::StageCut { .. }) => add(&tally.cut, 1),
            Err(Error::Overwritten { sequence, oldest, .. }) if sequence < oldest => {
                add(&tally.came_too_late, 1);
            }
            // What is published need not yet be through the stage before it.
            Err(Error::Usage { .. }) if !upstreams.is_empty() => thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Reads for some polls, or to the end, and leaves.
fn stay(mut stage: Consumer<Record>, polls: usize, tally: &Tally) -> Result<()> {
    let mut next = stage.position();
    for _ in 0..polls {
        if stage.is_finished() {
            return Ok(());
        }
        let batch = stage.poll(16)?;
        assert_eq!(batch.first_sequence(), next);
        (next..).zip(batch.iter()).for_each(|(sequence, found)| check(sequence, found));
        next += batch.len() as u64;
        add(&tally.checked, batch.len() as u64);
        if batch.is_empty() {
            thread::yield_now();
        }
    }
    assert_eq!(stage.leave()?, next);
    Ok(())
}

#[test]
fn stages_that_come_leave_and_are_cut_see_everything_while_they_are_there() {
    run(|capacity, tally| {
        let mut builder = RingBuilder::<Record>::new("stress", capacity).unwrap();
        builder.observable().unwrap();
        builder.spare_stages(3);
        let id = builder.stage("a", &[]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        let a = consumers.take(id).unwrap();
        let ring = &producer.ring();
        thread::scope(|scope| {
            let visitors = [("b", vec![]), ("cc", vec![]), ("ddd", vec![id])];
            let visitors = visitors
                .map(|(name, upstreams)| scope.spawn(move || visit(ring, name, &upstreams, tally)));
            let cutter = scope.spawn(move || {
                for name in ["b", "cc", "ddd"].into_iter().cycle() {
                    if ring.is_ended() {
                        break;
                    }
                    // It may just not be there.
                    let _ = ring.cut(name);
                    assert!(ring.stages().iter().any(|stage| stage.name == "a"));
                    thread::sleep(Duration::from_micros(300));
                }
            });
            let stage = scope.spawn(move || consume(a, &[], capacity));
            let published = produce(producer, tally);
            assert_eq!(stage.join().unwrap(), published);
            add(&tally.checked, published);
            cutter.join().unwrap();
            visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
        });
    });
}
