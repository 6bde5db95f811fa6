//! Misuse, and rings that are full: would catch a mistake of the caller that is not refused, one
//! that moves something before it is, and a record that is dropped without being counted.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use ringtape::error::{Error, Result};
use ringtape::ring::{Consumer, Consumers, Policy, Producer, RingBuilder, StageId, Wait};

use crate::rings::{LONG, assert_cut, assert_usage, in_time, pipeline, publish, read};

#[test]
fn a_full_ring_waits_times_out_or_drops_as_the_producer_chooses_and_counts_exactly() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["slow"]);
    publish(&mut producer, 3);
    let ring = producer.ring();
    for round in 1..=100 {
        assert!(producer.try_claim(2).unwrap().is_none());
        assert!(producer.claim_timeout(3, Wait::Yield, Duration::ZERO).unwrap().is_none());
        assert_eq!(producer.dropped(), 6 * (round - 1), "only those that ask for it drop");
        assert!(producer.claim_or_drop(2).unwrap().is_none());
        assert!(producer.claim_or_drop(4).unwrap().is_none());
        assert_eq!((producer.dropped(), ring.dropped()), (6 * round, 6 * round));
    }
    // What there is room for is not dropped, nor is a claim that is let go.
    drop(producer.claim_or_drop(1).unwrap().unwrap());
    publish(&mut producer, 1);
    assert!(producer.claim_or_drop(1).unwrap().is_none());
    assert_eq!((producer.dropped(), producer.next_sequence()), (601, 4));
    assert_eq!((ring.fill(), producer.free_slots().unwrap()), (4, 0));
    assert!(consumers[0].poll(9).unwrap().iter().eq(&[0, 1, 2, 3]));
    assert!(producer.claim_timeout(4, Wait::Yield, Duration::ZERO).unwrap().is_some());
}

#[test]
fn a_stage_that_may_be_cut_makes_no_way_of_claiming_wait() {
    type Claims = fn(&mut Producer<u64>) -> Result<Option<ringtape::ring::Claim<'_, u64>>>;
    let claims: [Claims; 4] = [
        |producer| producer.try_claim(2),
        |producer| producer.claim_or_drop(2),
        |producer| producer.claim_timeout(2, Wait::Park, Duration::ZERO),
        |producer| producer.claim(2, Wait::Park).map(Some),
    ];
    for claim in claims {
        in_time(move || {
            let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
            builder.observable().unwrap();
            let [one, two] = ["one", "two"].map(|name| builder.detachable(name, &[]).unwrap());
            let journal = builder.stage("journal", &[]).unwrap();
            let (mut producer, mut consumers) = builder.build().unwrap();
            let [mut one, mut two, mut journal] =
                [one, two, journal].map(|id| consumers.take(id).unwrap());
            publish(&mut producer, 3);
            one.poll(1).unwrap().end_at(1);
            journal.poll(9).unwrap().end_at(3);
            assert_eq!(producer.free_slots().unwrap(), 1, "to count them cuts nobody");
            claim(&mut producer).unwrap().expect("nobody else is in the way").commit_all();
            assert_eq!(producer.dropped(), 0);
            assert_cut(two.poll(9), "two", 0);
            assert_eq!(read(&mut one), 2, "only who is in the way is cut");
        });
    }
}

#[test]
fn claims_that_can_never_be_met_are_refused() {
    for capacity in [1, 4] {
        let (mut producer, _consumers, ..) = pipeline(capacity, &["reader"]);
        for count in [0, capacity + 1, usize::MAX] {
            assert_usage(producer.try_claim(count), "cannot claim");
            assert_usage(producer.claim(count, Wait::Spin), "cannot claim");
            assert_usage(producer.claim_timeout(count, Wait::Spin, LONG), "cannot claim");
            assert_usage(producer.claim_or_drop(count), "cannot claim");
        }
        assert_eq!(producer.dropped(), 0, "what is refused is not dropped");
        producer.claim(capacity, Wait::Spin).unwrap().commit_all();
        producer.close();
        for count in [0, 1, usize::MAX] {
            assert_usage(producer.try_claim(count), "is closed");
            assert_usage(producer.claim(count, Wait::Spin), "is closed");
            assert_usage(producer.claim_timeout(count, Wait::Spin, LONG), "is closed");
            assert_usage(producer.claim_or_drop(count), "is closed");
        }
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
    assert_usage(ours.stage("second", &[first, foreign]), "foreign");
    assert_usage(ours.detachable("second", &[foreign]), "foreign");
    assert_usage(ours.exclusive("second", &[foreign]), "foreign");
    ours.spare_stages(1);

    let (_producer, mut consumers) = ours.build().unwrap();
    assert_usage(consumers.take(foreign), "foreign");
    assert_usage(consumers.take_exclusive(foreign), "foreign");
    assert_usage(consumers.cursor(foreign), "foreign");
    let ring = consumers.ring();
    assert_usage(ring.attach("second", &[foreign]), "foreign");
    assert_usage(ring.attach_at("second", &[first, foreign], 0), "foreign");
    let _first = consumers.take(first).unwrap();
    assert_usage(consumers.take(first), "already taken");
    assert_eq!(consumers.cursor(first).unwrap().name(), "first");
}

#[test]
fn what_a_plain_ring_cannot_give_is_refused() {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.spare_stages(1);
    let email = builder.detachable("email", &[]).unwrap();
    assert_usage(builder.stage("behind", &[email]), "follows detachable stage `email`");
    assert_usage(builder.detachable("behind", &[email]), "follows detachable stage `email`");
    assert_usage(builder.exclusive("behind", &[email]), "follows detachable stage `email`");
    assert_usage(builder.build(), "make the ring observable");

    let (producer, ..) = pipeline(4, &["reader"]);
    let ring = producer.ring();
    assert_usage(ring.observe("watch"), "build it with `observable`");
    assert_usage(ring.attach_detachable("email", None), "build it with `observable`");
    let recording = ringtape::ring::MemoryRecording::new();
    assert_usage(
        ring.attach_from("email", Policy::Detach, 0, recording),
        "build it with `observable`",
    );
}

#[test]
fn records_that_are_not_words_cannot_be_observed() {
    assert_usage(RingBuilder::<[u8; 8]>::new("bytes", 4).unwrap().observable(), "8-byte words");
    assert_usage(RingBuilder::<[u32; 3]>::new("halves", 4).unwrap().observable(), "8-byte words");
    assert_usage(RingBuilder::<()>::new("nothing", 4).unwrap().observable(), "8-byte words");
    RingBuilder::<[u64; 3]>::new("words", 4).unwrap().observable().unwrap();
    RingBuilder::<u128>::new("wide", 4).unwrap().observable().unwrap();
}

/// Whether `declare` makes a ring that can be built.
fn is_built(declare: impl FnOnce(&mut RingBuilder<u64>)) -> bool {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    declare(&mut builder);
    match builder.build() {
        Ok(_) => true,
        Err(error @ Error::Usage { .. }) => {
            let text = error.to_string();
            assert!(text.contains("at once") || text.contains("observable"), "{text}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_exclusive_stage_is_alone_with_its_records_or_refused() {
    assert!(is_built(|builder| {
        let before = builder.stage("before", &[]).unwrap();
        let own = builder.exclusive("own", &[before]).unwrap();
        let more = builder.exclusive("more", &[own]).unwrap();
        builder.stage("behind", &[more]).unwrap();
        builder.stage("beside the other one behind", &[more]).unwrap();
    }));
    assert!(!is_built(|builder| {
        builder.exclusive("own", &[]).unwrap();
        builder.stage("beside", &[]).unwrap();
    }));
    assert!(!is_built(|builder| {
        let before = builder.stage("before", &[]).unwrap();
        builder.exclusive("own", &[before]).unwrap();
        builder.stage("skips it", &[before]).unwrap();
    }));
    assert!(!is_built(|builder| {
        let [a, b] = ["a", "b"].map(|name| builder.stage(name, &[]).unwrap());
        builder.exclusive("own", &[a]).unwrap();
        builder.stage("join", &[b]).unwrap();
    }));
    assert!(!is_built(|builder| {
        builder.exclusive("own", &[]).unwrap();
        builder.observable().unwrap();
    }));
}

/// A ring of 4 slots with a seat, exclusive stage `own` and `behind` it.
fn with_exclusive() -> (Producer<u64>, Consumers<u64>, [StageId; 3]) {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.spare_stages(1);
    let before = builder.stage("before", &[]).unwrap();
    let own = builder.exclusive("own", &[before]).unwrap();
    let behind = builder.stage("behind", &[own]).unwrap();
    let (producer, consumers) = builder.build().unwrap();
    (producer, consumers, [before, own, behind])
}

#[test]
fn nobody_is_attached_beside_an_exclusive_stage() {
    let (producer, mut consumers, [before, own, behind]) = with_exclusive();
    let ring = producer.ring();
    assert_usage(ring.attach("late", &[]), "may hold the same record at once");
    assert_usage(ring.attach("late", &[before]), "may hold the same record at once");
    assert_usage(ring.attach_at("late", &[], 0), "may hold the same record at once");
    ring.attach("late", &[own]).unwrap().leave().unwrap();
    ring.attach("late", &[before, behind]).unwrap().leave().unwrap();
    assert_usage(consumers.take(own), "take it with `take_exclusive`");
    assert_usage(consumers.take_exclusive(before), "`before` is not exclusive");
    let _own = consumers.take_exclusive(own).unwrap();
    assert_usage(consumers.take_exclusive(own), "already taken");
}

#[test]
fn an_exclusive_consumer_is_worth_nothing_in_the_place_of_another() {
    let (mut producer, mut consumers, [before, own, behind]) = with_exclusive();
    publish(&mut producer, 2);
    let mut before = consumers.take(before).unwrap();
    let mut own = consumers.take_exclusive(own).unwrap();
    assert_eq!(read(&mut before), 2);
    std::mem::swap(own.consumer(), &mut before);
    // The one that may change records is now called a consumer and only reads.
    publish(&mut producer, 1);
    assert_eq!((own.consumer().name(), before.name()), ("before", "own"));
    let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        *own.poll(9).unwrap().slot(0) = 99;
    }));
    assert!(changed.is_err(), "it changed what is not its own");
    assert_eq!(read(&mut before), 2);
    assert_eq!((read(own.consumer()), read(&mut before)), (1, 1));
    assert_eq!(read(&mut consumers.take(behind).unwrap()), 3);
}
