//! Failures and misuse: would catch a hang when one side dies, a failure that names the wrong
//! stage, sequence or cause, records that leak out of an abandoned claim, and a mistake of the
//! caller that is not refused.

use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::ring::{Consumer, Consumers, Producer, RingBuilder, StageId, Wait};

/// A ring whose stages follow one another.
fn pipeline(
    capacity: usize,
    names: &[&str],
) -> (Producer<u64>, Vec<Consumer<u64>>, Consumers<u64>, Vec<StageId>) {
    let mut builder = RingBuilder::new("market", capacity).unwrap();
    let mut ids: Vec<StageId> = Vec::new();
    for name in names {
        ids.push(builder.stage(*name, ids.last().copied().as_slice()).unwrap());
    }
    let (producer, mut consumers) = builder.build().unwrap();
    let taken = ids.iter().map(|&id| consumers.take(id).unwrap()).collect();
    (producer, taken, consumers, ids)
}

fn publish(producer: &mut Producer<u64>, count: usize) {
    for _ in 0..count {
        let mut claim = producer.claim(1, Wait::Yield).unwrap();
        claim.set(0, claim.first_sequence());
        claim.commit_all();
    }
}

/// Publishes until that is refused; a ring that hangs instead fails the test.
fn publish_until_refused(producer: &mut Producer<u64>) -> Error {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match producer.try_claim(1) {
            Ok(Some(mut claim)) => {
                claim.set(0, claim.first_sequence());
                claim.commit_all();
            }
            Ok(None) => thread::yield_now(),
            Err(error) => return error,
        }
        assert!(Instant::now() < deadline, "the producer never learned of the failure");
    }
}

#[track_caller]
fn assert_consumer_failed(error: Error, stage: &str, at: u64, because: &str) {
    match error {
        Error::ConsumerFailed { name, sequence, cause } => {
            assert_eq!((name.as_str(), sequence), (stage, at));
            assert!(cause.contains(because), "{cause}");
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
fn assert_upstream_failed<T>(result: Result<T>, stage: &str, before: &str) {
    match result.map(drop) {
        Err(Error::UpstreamFailed { name, upstream }) => {
            assert_eq!((name.as_str(), upstream.as_str()), (stage, before));
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_usage<T>(result: Result<T>, part: &str) {
    match result.map(drop) {
        Err(error @ Error::Usage { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handler_that_panics_at_record_three_reaches_a_waiting_producer() {
    let (mut producer, mut consumers, ..) = pipeline(2, &["matching"]);
    let mut matching = consumers.remove(0);
    let consumer = thread::spawn(move || {
        let handler = |sequence, record: &u64| {
            assert_eq!(sequence, *record);
            assert!(sequence != 3, "no book for record {record}");
            Ok::<(), Error>(())
        };
        while matching.poll_each(usize::MAX, handler).is_ok() {
            thread::yield_now();
        }
        assert_eq!(matching.position(), 3, "the records before it count as handled");
        matching.poll(1).map(drop).unwrap_err()
    });
    let error = loop {
        match producer.claim(1, Wait::Yield) {
            Ok(mut claim) => {
                claim.set(0, claim.first_sequence());
                claim.commit_all();
            }
            Err(error) => break error,
        }
    };
    assert_consumer_failed(error, "matching", 3, "no book for record 3");
    assert_consumer_failed(producer.free_slots().unwrap_err(), "matching", 3, "no book");
    assert_consumer_failed(producer.try_claim(1).map(drop).unwrap_err(), "matching", 3, "no book");
    assert_consumer_failed(consumer.join().unwrap(), "matching", 3, "no book for record 3");
}

#[test]
fn a_thread_that_panics_with_an_open_batch_releases_none_of_it() {
    let (mut producer, mut consumers, all, ids) = pipeline(8, &["matching"]);
    publish(&mut producer, 5);
    let mut matching = consumers.remove(0);
    let thread = thread::spawn(move || {
        matching.poll(2).unwrap().end_at(2);
        let _batch = matching.poll(2).unwrap();
        panic!("out of luck");
    });
    thread.join().unwrap_err();
    assert_eq!(all.cursor(ids[0]).unwrap().sequence(), 2);
    let error = publish_until_refused(&mut producer);
    assert_consumer_failed(error, "matching", 2, "its thread panicked");
}

#[test]
fn a_failed_stage_stops_those_behind_it_after_what_it_released_and_not_those_beside_it() {
    let mut builder = RingBuilder::<u64>::new("market", 8).unwrap();
    let journal = builder.stage("journal", &[]).unwrap();
    let audit = builder.stage("audit", &[]).unwrap();
    let matching = builder.stage("matching", &[journal, audit]).unwrap();
    let last = builder.stage("last", &[matching]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let [mut journal, mut audit, mut matching, mut last] =
        [journal, audit, matching, last].map(|id| consumers.take(id).unwrap());
    publish(&mut producer, 5);

    journal.poll(2).unwrap().end_at(2);
    journal.fail(2, "disk full");
    journal.fail(4, "only the first failure counts");
    assert_eq!(matching.poll(9).unwrap().len(), 0, "audit has released nothing");
    audit.poll(9).unwrap().end_at(5);
    assert_eq!(matching.poll(9).unwrap().len(), 2);
    assert_upstream_failed(matching.poll(9), "matching", "journal");
    assert_upstream_failed(matching.poll(9), "matching", "journal");
    assert_eq!(last.poll(9).unwrap().len(), 2);
    assert_upstream_failed(last.poll(9), "last", "journal");

    let error = producer.try_claim(1).map(drop).unwrap_err();
    assert_consumer_failed(error, "journal", 2, "disk full");
    producer.close();
    assert!(audit.is_finished() && !matching.is_finished());
}

#[test]
fn a_consumer_dropped_before_the_end_fails_the_ring_and_one_dropped_at_the_end_does_not() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["first", "second"]);
    publish(&mut producer, 1);
    drop(consumers.remove(0));
    let error = publish_until_refused(&mut producer);
    assert_consumer_failed(error, "first", 0, "dropped before");
    assert_upstream_failed(consumers[0].poll(1), "second", "first");

    let (mut producer, mut consumers, ..) = pipeline(4, &["first", "second"]);
    publish(&mut producer, 1);
    producer.close();
    for consumer in &mut consumers {
        assert_eq!(consumer.poll(9).unwrap().len(), 1);
        assert!(consumer.is_finished());
    }
    drop(consumers);
    assert_usage(producer.try_claim(1), "is closed");
}

#[test]
fn a_consumer_that_is_never_taken_fails_the_ring_when_the_rest_is_dropped() {
    let mut builder = RingBuilder::<u64>::new("market", 2).unwrap();
    builder.stage("forgotten", &[]).unwrap();
    let (mut producer, consumers) = builder.build().unwrap();
    drop(consumers);
    assert_consumer_failed(publish_until_refused(&mut producer), "forgotten", 0, "dropped before");
}

#[test]
fn a_consumer_that_never_polls_keeps_the_ring_full_and_nothing_is_overwritten() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["slow"]);
    publish(&mut producer, 4);
    for _ in 0..1000 {
        assert!(producer.try_claim(1).unwrap().is_none());
    }
    assert_eq!(producer.free_slots().unwrap(), 0);
    assert!(consumers[0].poll(9).unwrap().iter().eq(&[0, 1, 2, 3]));
}

#[test]
fn a_dropped_claim_publishes_nothing_also_when_a_panic_drops_it() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["reader"]);
    producer.try_claim(3).unwrap().unwrap().set(0, 77);
    let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut claim = producer.try_claim(4).unwrap().unwrap();
        claim.for_each_mut(|i, _| assert!(i < 2, "no more"));
        claim.commit_all();
    }));
    assert!(unwound.is_err());
    assert!(consumers[0].poll(9).unwrap().is_empty());
    assert_eq!((producer.next_sequence(), producer.free_slots().unwrap()), (0, 4));
    publish(&mut producer, 1);
    assert!(consumers[0].poll(9).unwrap().iter().eq(&[0]));
}

#[test]
fn a_producer_dropped_in_the_middle_of_a_claim_closes_after_what_it_published() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["reader"]);
    publish(&mut producer, 2);
    let mut claim = producer.try_claim(2).unwrap().unwrap();
    claim.set(0, 77);
    let _ = claim;
    drop(producer);
    assert!(!consumers[0].is_finished());
    assert!(consumers[0].poll(9).unwrap().iter().eq(&[0, 1]));
    assert!(consumers[0].is_finished() && consumers[0].poll(9).unwrap().is_empty());
}

#[test]
fn a_producer_that_panics_fails_every_stage_after_what_it_published() {
    for capacity in [1, 2, 4] {
        let (mut producer, mut consumers, ..) = pipeline(capacity, &["first", "second"]);
        let thread = thread::spawn(move || {
            publish(&mut producer, 1);
            panic!("bad feed");
        });
        thread.join().unwrap_err();
        for (consumer, name) in consumers.iter_mut().zip(["first", "second"]) {
            assert!(consumer.poll(9).unwrap().iter().eq(&[0]));
            assert_upstream_failed(consumer.poll(9), name, "producer of market");
            assert!(!consumer.is_finished());
        }
    }
}

#[test]
fn a_producer_can_report_its_failure() {
    let (mut producer, mut consumers, ..) = pipeline(2, &["first"]);
    publish(&mut producer, 2);
    producer.fail();
    producer.close();
    assert_usage(producer.try_claim(1), "is closed");
    assert_eq!(consumers[0].poll(9).unwrap().len(), 2);
    assert_upstream_failed(consumers[0].poll(9), "first", "producer of market");
}

#[test]
fn a_full_ring_that_is_closed_is_still_read_to_the_end() {
    for capacity in [1, 2, 4] {
        let (mut producer, mut consumers, ..) = pipeline(capacity, &["first", "second"]);
        publish(&mut producer, capacity);
        producer.close();
        for consumer in &mut consumers {
            assert!(!consumer.is_finished());
            assert_eq!(consumer.poll(9).unwrap().len(), capacity);
            assert!(consumer.is_finished());
        }
    }
}

#[test]
fn claims_that_can_never_be_met_are_refused() {
    let (mut producer, _consumers, ..) = pipeline(4, &["reader"]);
    for count in [0, 5, usize::MAX] {
        assert_usage(producer.try_claim(count), "cannot claim");
        assert_usage(producer.claim(count, Wait::Spin), "cannot claim");
    }
}

#[test]
fn counts_beyond_a_claim_or_a_batch_are_assertions_and_move_nothing() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["reader"]);
    publish(&mut producer, 2);
    let mut panics = |step: &mut dyn FnMut(&mut Producer<u64>, &mut Consumer<u64>)| {
        panic::catch_unwind(AssertUnwindSafe(|| step(&mut producer, &mut consumers[0]))).is_err()
    };
    assert!(panics(&mut |producer, _| producer.try_claim(1).unwrap().unwrap().commit(2)));
    assert!(panics(&mut |producer, _| producer.try_claim(1).unwrap().unwrap().set(1, 0)));
    assert!(panics(
        &mut |producer, _| *producer.try_claim(1).unwrap().unwrap().slot(usize::MAX) = 0
    ));
    assert!(panics(&mut |_, reader| reader.poll(1).unwrap().release(2)));
    assert!(panics(&mut |_, reader| reader.poll(1).unwrap().end_at(usize::MAX)));
    assert_eq!((producer.next_sequence(), consumers[0].position()), (2, 0));
}

#[test]
fn capacities_names_and_ids_that_make_no_ring_are_refused() {
    for capacity in [0, 3, 6, usize::MAX] {
        assert_usage(RingBuilder::<u64>::new("market", capacity), "power of two");
    }
    let mut huge = RingBuilder::<u64>::new("market", 1 << 62).unwrap();
    huge.stage("reader", &[]).unwrap();
    assert_usage(huge.build(), "smaller capacity");
    assert_usage(RingBuilder::<u64>::new("market", 2).unwrap().build(), "no stage");

    let mut ours = RingBuilder::<u64>::new("ours", 2).unwrap();
    let mut other = RingBuilder::<u64>::new("other", 2).unwrap();
    let first = ours.stage("first", &[]).unwrap();
    let foreign = other.stage("first", &[]).unwrap();
    assert_ne!(first, foreign);
    assert_usage(ours.stage("first", &[]), "already has a stage `first`");
    assert_usage(ours.stage("second", &[foreign]), "foreign");

    let (_producer, mut consumers) = ours.build().unwrap();
    assert_usage(consumers.take(foreign), "foreign");
    assert_usage(consumers.cursor(foreign), "foreign");
    let _first = consumers.take(first).unwrap();
    assert_usage(consumers.take(first), "already taken");
    assert_eq!(consumers.cursor(first).unwrap().name(), "first");
}
