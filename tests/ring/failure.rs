//! Failures of either side: would catch a hang when one side dies, a failure that names the wrong
//! stage, sequence or cause, and records that leak out of an abandoned claim.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use ringtape::error::Error;
use ringtape::ring::{RingBuilder, Wait};

use crate::rings::{
    assert_consumer_failed, assert_upstream_failed, assert_usage, pipeline, publish,
    publish_until_refused,
};

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
