//! Waiting: would catch a wait that does not end when it should, whatever way of waiting and
//! however many threads share a core, and a parked thread that keeps its core busy.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::ring::{Consumer, MemoryRecording, Policy, Producer, RingBuilder, Wait, Workers};

use crate::rings::{
    LONG, assert_consumer_failed, assert_cut, assert_upstream_failed, assert_usage, in_time,
    pipeline, publish, read,
};

/// Publishes `records` through a chain of `stages` on a ring of 4 slots, a thread for each.
fn run_chain(wait: Wait, stages: usize, records: u64) {
    let names: Vec<String> = (0..stages).map(|i| format!("stage {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut producer, consumers, ..) = pipeline(4, &names);
    let mut workers = Workers::new(producer.ring());
    for consumer in consumers {
        let mut next = 0;
        let look = move |sequence, record: &u64| {
            assert_eq!((sequence, *record), (next, next));
            next += 1;
            Ok(())
        };
        workers.spawn(consumer, wait, look).unwrap();
    }
    while producer.next_sequence() < records {
        let mut claim = producer.claim(1, wait).unwrap();
        claim.set(0, claim.first_sequence());
        claim.commit_all();
    }
    producer.close();
    let report = workers.shutdown(LONG);
    assert!(report.is_complete(), "{wait:?}: {report:?}");
    assert!(report.stages.iter().all(|stage| stage.sequence == records));
}

#[test]
fn every_wait_ends_with_far_more_threads_than_cores() {
    for wait in Wait::ALL {
        // Who does not give up the core holds it for a whole time slice.
        let records = if matches!(wait, Wait::Spin | Wait::Pause) { 50 } else { 2_000 };
        in_time(move || run_chain(wait, 9, records));
    }
}

#[test]
fn every_wait_ends_when_all_threads_share_one_core() {
    for wait in Wait::ALL {
        let records = if matches!(wait, Wait::Spin | Wait::Pause) { 50 } else { 2_000 };
        in_time(move || {
            // The threads that this one starts are bound to the same core.
            let mine = rustix::thread::sched_getaffinity(None).unwrap();
            let first = (0..).find(|&core| mine.is_set(core)).unwrap();
            let mut one = rustix::thread::CpuSet::new();
            one.set(first);
            rustix::thread::sched_setaffinity(None, &one).unwrap();
            run_chain(wait, 2, records);
        });
    }
}

#[test]
fn waits_are_known_by_their_names_and_nothing_else() {
    for wait in Wait::ALL {
        assert_eq!(wait.name().parse::<Wait>().unwrap(), wait);
    }
    for text in ["", "Auto", "SPIN", " park", "park ", "busy", "auto,spin", "0", "yield\0"] {
        match text.parse::<Wait>() {
            Err(error @ Error::Usage { .. }) => {
                let text = error.to_string();
                assert!(text.contains("unknown way of waiting"), "{text}");
                assert!(Wait::ALL.iter().all(|wait| text.contains(wait.name())), "{text}");
                assert_eq!(error.exit_code(), 2);
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

/// Lets `wait` run on a thread, makes `change` once it has begun, and returns what it came to.
fn while_waiting<R: Send + 'static>(
    wait: impl FnOnce() -> R + Send + 'static,
    change: impl FnOnce(),
) -> R {
    let (begun, has_begun) = channel();
    let thread = thread::spawn(move || {
        begun.send(()).unwrap();
        wait()
    });
    has_begun.recv().unwrap();
    // Long enough for a parked thread to be asleep; if it is not yet, that is tested too.
    thread::sleep(Duration::from_millis(2));
    change();
    thread.join().unwrap()
}

/// A full observable ring of 2 slots with `first`, and `second` behind it.
fn full_ring() -> (Producer<u64>, Consumer<u64>, Consumer<u64>) {
    let mut builder = RingBuilder::<u64>::new("market", 2).unwrap();
    builder.observable().unwrap();
    let first = builder.stage("first", &[]).unwrap();
    let second = builder.stage("second", &[first]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    publish(&mut producer, 2);
    (producer, consumers.take(first).unwrap(), consumers.take(second).unwrap())
}

/// Waits for room as long as it takes; the sequence that it got.
fn wait_for_room(mut producer: Producer<u64>, wait: Wait) -> Result<u64> {
    producer.claim(1, wait).map(|claim| claim.first_sequence())
}

#[test]
fn a_producer_that_waits_for_room_goes_on_when_there_is_some_or_never_will_be() {
    for wait in Wait::ALL {
        in_time(move || {
            let (producer, mut first, mut second) = full_ring();
            let got = while_waiting(
                move || wait_for_room(producer, wait),
                || assert_eq!((read(&mut first), read(&mut second)), (2, 2)),
            );
            assert_eq!(got.unwrap(), 2);

            let (producer, mut first, _second) = full_ring();
            let got =
                while_waiting(move || wait_for_room(producer, wait), || first.fail(0, "disk full"));
            assert_consumer_failed(got.unwrap_err(), "first", 0, "disk full");

            let (producer, _first, second) = full_ring();
            let got = while_waiting(move || wait_for_room(producer, wait), || drop(second));
            assert_consumer_failed(got.unwrap_err(), "second", 0, "dropped before");

            let (producer, first, second) = full_ring();
            let got = while_waiting(
                move || wait_for_room(producer, wait),
                || {
                    second.leave().unwrap();
                    first.leave().unwrap();
                },
            );
            assert_eq!(got.unwrap(), 2);

            let (producer, mut first, mut second) = full_ring();
            let ring = producer.ring();
            let got = while_waiting(
                move || wait_for_room(producer, wait),
                || {
                    assert_eq!(read(&mut first), 2);
                    ring.cut("second").unwrap();
                    assert_cut(second.poll(1), "second", 0);
                },
            );
            assert_eq!(got.unwrap(), 2);
        });
    }
}

#[test]
fn a_timeout_is_kept_in_every_way_of_waiting() {
    for wait in Wait::ALL {
        in_time(move || {
            let (mut producer, mut first, mut second) = full_ring();
            for time in [Duration::ZERO, Duration::from_millis(3)] {
                let begin = Instant::now();
                assert!(producer.claim_timeout(1, wait, time).unwrap().is_none());
                assert!(producer.claim_timeout(2, wait, time).unwrap().is_none());
                assert!(begin.elapsed() >= 2 * time);
            }
            let got = while_waiting(
                move || {
                    let claim = producer.claim_timeout(2, wait, Duration::MAX).unwrap();
                    claim.map(|claim| claim.first_sequence())
                },
                || assert_eq!((read(&mut first), read(&mut second)), (2, 2)),
            );
            assert_eq!(got, Some(2));
        });
    }
}

/// An open ring of 4 slots with `first`, and `second` behind it.
fn open_ring() -> (Producer<u64>, Consumer<u64>, Consumer<u64>) {
    let (producer, mut consumers, ..) = pipeline(4, &["first", "second"]);
    let second = consumers.pop().unwrap();
    (producer, consumers.pop().unwrap(), second)
}

/// Waits for a batch as long as it takes; its length, or `None` at the end.
fn wait_for_batch(mut consumer: Consumer<u64>, wait: Wait) -> Result<Option<usize>> {
    consumer.next_batch(9, wait).map(|batch| batch.map(|batch| batch.len()))
}

#[test]
fn a_consumer_that_waits_goes_on_when_something_comes_or_never_will() {
    for wait in Wait::ALL {
        in_time(move || {
            let (mut producer, first, _second) = open_ring();
            let got =
                while_waiting(move || wait_for_batch(first, wait), || publish(&mut producer, 1));
            assert_eq!(got.unwrap(), Some(1));

            let (mut producer, mut first, second) = open_ring();
            let got = while_waiting(
                move || wait_for_batch(second, wait),
                || {
                    publish(&mut producer, 1);
                    assert_eq!(read(&mut first), 1);
                },
            );
            assert_eq!(got.unwrap(), Some(1));

            let (mut producer, mut first, second) = open_ring();
            publish(&mut producer, 1);
            assert_eq!(read(&mut first), 1);
            let got = while_waiting(
                move || {
                    let mut second = second;
                    assert_eq!(read(&mut second), 1);
                    wait_for_batch(second, wait)
                },
                || producer.close(),
            );
            assert_eq!(got.unwrap(), None);

            let (mut producer, first, _second) = open_ring();
            let got = while_waiting(move || wait_for_batch(first, wait), || producer.fail());
            assert_upstream_failed(got, "first", "producer of market");

            let (_producer, mut first, second) = open_ring();
            let got =
                while_waiting(move || wait_for_batch(second, wait), || first.fail(0, "disk full"));
            assert_upstream_failed(got, "second", "first");

            let (producer, _first, second) = open_ring();
            let cut = || assert_eq!(producer.ring().cut("second").unwrap(), 0);
            assert_cut(while_waiting(move || wait_for_batch(second, wait), cut), "second", 0);
        });
    }
}

#[test]
fn a_batch_of_nothing_is_not_waited_for() {
    let (_producer, mut first, _second) = open_ring();
    for wait in Wait::ALL {
        assert_usage(first.next_batch(0, wait), "0 records never comes");
    }
    assert!(first.poll(0).unwrap().is_empty());
}

/// Time that the thread was on a core, where the system tells.
fn core_time(thread: rustix::thread::Pid) -> Option<Duration> {
    let path = format!("/proc/self/task/{}/schedstat", thread.as_raw_nonzero());
    let text = fs::read_to_string(path).ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// Core time that a thread spends in `wait`, over a time of which a busy one would have most.
fn core_time_of<R: Send + 'static>(
    wait: impl FnOnce() -> R + Send + 'static,
    end: impl FnOnce(),
) -> (Option<Duration>, R) {
    let (id, thread_id) = channel();
    let thread = thread::spawn(move || {
        id.send(rustix::thread::gettid()).unwrap();
        wait()
    });
    let id = thread_id.recv().unwrap();
    thread::sleep(Duration::from_millis(20));
    let before = core_time(id);
    thread::sleep(PARKED);
    let spent = core_time(id).zip(before).map(|(after, before)| after - before);
    end();
    (spent, thread.join().unwrap())
}

const PARKED: Duration = Duration::from_millis(300);

#[track_caller]
fn assert_idle(who: &str, spent: Option<Duration>) {
    match spent {
        Some(spent) => assert!(spent < PARKED / 5, "{who} was busy for {spent:?}"),
        None => eprintln!("skipped: this system does not tell how long a thread was on a core"),
    }
}

#[test]
fn a_parked_consumer_leaves_its_core_to_others() {
    let (mut producer, first, _second) = open_ring();
    let (spent, got) =
        core_time_of(move || wait_for_batch(first, Wait::Park), || publish(&mut producer, 1));
    assert_idle("a consumer at the head", spent);
    assert_eq!(got.unwrap(), Some(1));
}

#[test]
fn a_parked_consumer_behind_a_slow_one_leaves_its_core_to_others_also_after_the_end() {
    let (mut producer, mut first, second) = open_ring();
    publish(&mut producer, 2);
    producer.close();
    let (spent, got) = core_time_of(
        move || wait_for_batch(second, Wait::Park),
        || assert_eq!(read(&mut first), 2),
    );
    assert_idle("a consumer behind a slow one", spent);
    assert_eq!(got.unwrap(), Some(2));
}

#[test]
fn a_parked_producer_leaves_its_core_to_others() {
    let (producer, mut first, mut second) = full_ring();
    let (spent, got) = core_time_of(
        move || wait_for_room(producer, Wait::Park),
        || assert_eq!((read(&mut first), read(&mut second)), (2, 2)),
    );
    assert_idle("a producer at a full ring", spent);
    assert_eq!(got.unwrap(), 2);
}

#[test]
fn a_parked_stage_that_waits_for_its_recording_leaves_its_core_to_others() {
    let mut builder = RingBuilder::<u64>::new("market", 8).unwrap();
    builder.spare_stages(1);
    let (mut producer, _) = builder.build().unwrap();
    publish(&mut producer, 3);
    let recording = MemoryRecording::<u64>::new();
    let mut late = producer.ring().attach_from("late", Policy::Stop, 0, recording.clone()).unwrap();
    let (spent, got) = core_time_of(
        move || late.run(Wait::Park, &mut |_, _: &u64| Ok(())),
        || {
            (0..3).for_each(|number| recording.push(number));
            producer.close();
        },
    );
    assert_idle("a stage that waits for its recording", spent);
    got.unwrap();
}
