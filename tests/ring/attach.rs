//! Stages that come and go: would catch a slot that is overwritten while somebody may still read
//! it, a seat that is lost or given twice, a stage that begins at the wrong record, and one that
//! holds the others back after it went.

use ringtape::error::Error;
use ringtape::ring::{Consumer, Producer, Ring, RingBuilder, StageState, Wait};

use crate::rings::{
    assert_consumer_failed, assert_cut, assert_overwritten, assert_upstream_failed, assert_usage,
    in_time, pipeline, publish, read,
};

/// An observable ring of 4 slots without a stage and with `seats` for some.
fn open_ring(seats: usize) -> (Producer<u64>, Ring<u64>) {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.observable().unwrap();
    builder.spare_stages(seats);
    let (producer, _) = builder.build().unwrap();
    let ring = producer.ring();
    (producer, ring)
}

/// An observable ring of 4 slots: `journal`, and `email` behind it, which is detachable.
fn with_email() -> (Producer<u64>, Consumer<u64>, Consumer<u64>) {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.observable().unwrap();
    let journal = builder.stage("journal", &[]).unwrap();
    let email = builder.detachable("email", &[journal]).unwrap();
    let (producer, mut consumers) = builder.build().unwrap();
    (producer, consumers.take(journal).unwrap(), consumers.take(email).unwrap())
}

/// Checks that a full ring of 4 waits for its stage although none is behind it any more.
#[track_caller]
fn assert_still_waits_for(mut journal: Consumer<u64>, mut producer: Producer<u64>) {
    let batch = journal.poll(9).unwrap();
    assert!(producer.try_claim(1).unwrap().is_none(), "the journal has released nothing");
    assert_eq!(producer.free_slots().unwrap(), 0);
    assert!(batch.iter().eq(&[0, 1, 2, 3]));
    batch.end_at(1);
    assert_eq!(producer.free_slots().unwrap(), 1);
    publish(&mut producer, 1);
    assert!(producer.try_claim(1).unwrap().is_none());
    assert_eq!(read(&mut journal), 3);
    assert_eq!(read(&mut journal), 1);
}

#[test]
fn a_stage_is_not_overwritten_after_the_one_behind_it_left() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["journal", "guest"]);
    publish(&mut producer, 4);
    assert_eq!(consumers.pop().unwrap().leave().unwrap(), 0);
    assert_still_waits_for(consumers.remove(0), producer);
}

#[test]
fn a_stage_is_not_overwritten_after_the_one_behind_it_was_cut() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["journal", "guest"]);
    publish(&mut producer, 4);
    producer.ring().cut("guest").unwrap();
    assert_cut(consumers[1].poll(1), "guest", 0);
    assert_still_waits_for(consumers.remove(0), producer);
}

#[test]
fn a_stage_is_not_overwritten_after_a_detachable_one_behind_it_was_cut_or_failed() {
    let (mut producer, journal, mut email) = with_email();
    publish(&mut producer, 4);
    email.fail(0, "no server");
    assert_still_waits_for(journal, producer);

    let (mut producer, journal, mut email) = with_email();
    publish(&mut producer, 4);
    producer.ring().cut("email").unwrap();
    assert_cut(email.poll(1), "email", 0);
    assert_still_waits_for(journal, producer);
}

#[test]
fn a_detachable_stage_is_not_cut_for_the_lag_of_the_one_before_it() {
    let (mut producer, mut journal, mut email) = with_email();
    publish(&mut producer, 4);
    assert!(producer.claim_or_drop(1).unwrap().is_none());
    assert_eq!(producer.ring().stages()[1].state, StageState::Live);
    assert_eq!((read(&mut journal), read(&mut email)), (4, 4));

    publish(&mut producer, 4);
    assert_eq!(read(&mut journal), 4);
    publish(&mut producer, 1);
    assert_cut(email.poll(9), "email", 4);
    assert_eq!(read(&mut journal), 1);
}

#[test]
fn one_may_follow_a_stage_whose_own_follower_is_gone() {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.spare_stages(1);
    let journal = builder.stage("journal", &[]).unwrap();
    let first = builder.stage("first", &[journal]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let mut journal_consumer = consumers.take(journal).unwrap();
    publish(&mut producer, 4);
    consumers.take(first).unwrap().leave().unwrap();
    assert!(producer.try_claim(1).unwrap().is_none());
    let mut second = producer.ring().attach("second", &[journal]).unwrap();
    assert_eq!((second.position(), read(&mut second)), (0, 0));
    assert_eq!((read(&mut journal_consumer), read(&mut second)), (4, 4));
    publish(&mut producer, 4);
}

#[test]
fn a_graph_in_which_every_stage_follows_all_before_it_is_built_in_time() {
    in_time(|| {
        let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
        let mut ids = Vec::new();
        for i in 0..60 {
            ids.push(builder.stage(format!("stage {i}"), &ids).unwrap());
        }
        let own = builder.exclusive("own", &ids).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        publish(&mut producer, 3);
        for id in ids {
            assert_eq!(read(&mut consumers.take(id).unwrap()), 3);
        }
        assert_eq!(consumers.take_exclusive(own).unwrap().poll(9).unwrap().len(), 3);
    });
}

#[test]
fn seats_are_counted_and_come_back_after_leave_cut_drop_and_the_end() {
    let (mut producer, ring) = open_ring(2);
    let first = ring.attach("first", &[]).unwrap();
    let mut second = ring.attach_detachable("second", None).unwrap();
    assert_usage(ring.attach("third", &[]), "no seat left for `third`");
    assert_usage(ring.attach_at("third", &[], 0), "no seat left");
    assert_usage(ring.attach_detachable("third", None), "no seat left");
    publish(&mut producer, 2);

    first.leave().unwrap();
    let third = ring.attach("third", &[]).unwrap();
    assert_eq!(third.position(), 2);
    assert_eq!(ring.cut("second").unwrap(), 0);
    assert_usage(ring.attach("fourth", &[]), "no seat left");
    assert_cut(second.poll(1), "second", 0);
    assert_usage(ring.attach("fourth", &[]), "no seat left");
    drop(second);
    let mut fourth = ring.attach_at("fourth", &[], 1).unwrap();
    assert_eq!(read(&mut fourth), 1);

    assert_eq!(ring.cut("third").unwrap(), 2);
    drop(third);
    let mut fifth = ring.attach_detachable("fifth", Some(0)).unwrap();
    assert_eq!(read(&mut fifth), 2);
    producer.close();
    assert!(fifth.is_finished());
    drop((fourth, fifth));
    let late = [ring.attach("late", &[]).unwrap(), ring.attach_at("later", &[], 0).unwrap()];
    assert_eq!(late.map(|consumer| consumer.is_finished()), [true, false]);
}

#[test]
fn a_seat_whose_stage_failed_stays_taken_because_the_ring_has_failed() {
    let (mut producer, ring) = open_ring(1);
    publish(&mut producer, 1);
    drop(ring.attach("guest", &[]).unwrap());
    assert_consumer_failed(producer.try_claim(1).unwrap_err(), "guest", 1, "dropped before");
    assert_usage(ring.attach("guest", &[]), "already has a stage");
    assert_usage(ring.attach("other", &[]), "no seat left");
    assert_eq!(ring.stages()[0].state, StageState::Failed);

    // A detachable one concerns nobody, and its seat is free again.
    let (mut producer, ring) = open_ring(1);
    drop(ring.attach_detachable("guest", None).unwrap());
    publish(&mut producer, 9);
    drop(ring.attach_detachable("guest", None).unwrap());
    assert_eq!(ring.stages()[0].state, StageState::Failed);
}

#[test]
fn a_name_is_taken_while_its_stage_holds_the_ring_and_free_afterwards() {
    let (mut producer, ring) = open_ring(3);
    let guest = ring.attach_detachable("guest", None).unwrap();
    assert_usage(ring.attach("guest", &[]), "already has a stage `guest`");
    ring.cut("guest").unwrap();
    let again = ring.attach("guest", &[]).unwrap();
    ring.cut("guest").unwrap();
    assert_usage(ring.attach("guest", &[]), "already has a stage `guest`");
    assert_eq!(again.leave().unwrap(), 0);
    publish(&mut producer, 2);
    let last = ring.attach("guest", &[]).unwrap();
    assert_eq!(ring.cursor("guest").unwrap().sequence(), 2);
    drop(guest);
    assert_eq!(last.leave().unwrap(), 2);
}

#[test]
fn a_cursor_of_a_stage_that_left_stays_where_it_was_when_another_has_its_seat() {
    let (mut producer, ring) = open_ring(1);
    publish(&mut producer, 3);
    let first = ring.attach("first", &[]).unwrap();
    let cursor = ring.cursor("first").unwrap();
    publish(&mut producer, 1);
    first.leave().unwrap();
    let mut second = ring.attach_at("second", &[], 1).unwrap();
    assert_eq!((cursor.sequence(), cursor.status().state), (3, StageState::Cut));
    assert_eq!(read(&mut second), 3);
    assert_eq!((cursor.sequence(), cursor.lag(), cursor.name()), (3, 1, "first"));
    assert_usage(ring.cut("first"), "no stage `first`");
    assert_eq!(ring.cut("second").unwrap(), 4);
    second.leave().unwrap();
    // To cut who has left changes nothing.
    assert_eq!(ring.cut("second").unwrap(), 4);
    let mut third = ring.attach("third", &[]).unwrap();
    publish(&mut producer, 1);
    assert_eq!(read(&mut third), 1);
}

#[test]
fn a_stage_begins_where_it_is_asked_to_or_is_told_the_oldest_sequence_that_is_left() {
    let (mut producer, ring) = open_ring(1);
    assert_usage(ring.attach_at("late", &[], 1), "begin at 0 or before");
    publish(&mut producer, 11);
    for sequence in [12, 100, u64::MAX] {
        assert_usage(ring.attach_at("late", &[], sequence), "begin at 11 or before");
        assert_usage(ring.attach_detachable("late", Some(sequence)), "begin at 11 or before");
    }
    let oldest = match ring.attach_at("late", &[], 0) {
        Err(Error::Overwritten { oldest, .. }) => oldest,
        other => panic!("{other:?}"),
    };
    assert_eq!(oldest, 8, "the producer has looked at 8 last and may write up to 12");
    for sequence in 0..oldest {
        assert_overwritten(ring.attach_at("late", &[], sequence), sequence, oldest);
        assert_overwritten(ring.attach_detachable("late", Some(sequence)), sequence, oldest);
    }
    for sequence in oldest..=11 {
        let mut late = ring.attach_at("late", &[], sequence).unwrap();
        assert_eq!(read(&mut late), 11 - sequence);
        late.leave().unwrap();
        let mut late = ring.attach_detachable("late", Some(sequence)).unwrap();
        assert_eq!(read(&mut late), 11 - sequence);
        late.leave().unwrap();
    }
    // One who begins in the past holds the producer back from there.
    let late = ring.attach_at("late", &[], oldest).unwrap();
    assert_eq!(producer.free_slots().unwrap() as u64, 4 - (11 - oldest));
    late.leave().unwrap();
    assert_eq!(producer.free_slots().unwrap(), 4);
}

#[test]
fn one_that_asks_for_what_is_gone_does_not_make_the_producer_drop_anything() {
    in_time(|| {
        let (mut producer, ring) = open_ring(1);
        publish(&mut producer, 8);
        let asking = std::thread::spawn(move || {
            for _ in 0..50_000 {
                let gone = ring.attach_at("late", &[], 0).unwrap_err();
                assert!(matches!(gone, Error::Overwritten { .. }), "{gone}");
            }
        });
        while !asking.is_finished() {
            producer.claim_or_drop(1).unwrap().expect("nobody holds the ring back").commit_all();
        }
        asking.join().unwrap();
    });
}

#[test]
fn a_stage_attached_behind_another_begins_where_that_one_is() {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.spare_stages(2);
    let journal = builder.stage("journal", &[]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let ring = consumers.ring();
    let mut journal_consumer = consumers.take(journal).unwrap();
    publish(&mut producer, 3);
    journal_consumer.poll(9).unwrap().end_at(2);

    let mut behind = ring.attach("behind", &[journal]).unwrap();
    assert_eq!((behind.position(), read(&mut behind)), (2, 0));
    assert_usage(ring.attach_at("again", &[journal], 3), "begin at 2 or before");
    let mut again = ring.attach_at("again", &[journal], 1).unwrap();
    assert_eq!(read(&mut again), 1);
    assert_usage(journal_consumer.leave(), "`behind` follows it");
    assert_upstream_failed(behind.poll(9), "behind", "journal");
    assert_consumer_failed(producer.try_claim(1).unwrap_err(), "journal", 2, "dropped before");
}

#[test]
fn a_stage_that_others_follow_cannot_go_and_one_that_goes_cannot_be_followed() {
    let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
    builder.spare_stages(1);
    let first = builder.stage("first", &[]).unwrap();
    let second = builder.stage("second", &[first]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let ring = producer.ring();
    let (mut first_consumer, second_consumer) =
        (consumers.take(first).unwrap(), consumers.take(second).unwrap());
    assert_usage(ring.cut("first"), "`first` cannot go: `second` follows it");
    assert_usage(ring.cut("nobody"), "no stage `nobody`");
    assert_usage(ring.cursor("nobody"), "no stage `nobody`");
    assert_eq!(ring.cut("second").unwrap(), 0);
    assert_usage(ring.attach("third", &[second]), "can go away");
    assert_usage(ring.cut("first"), "`second` follows it");
    drop(second_consumer);
    assert_usage(ring.attach("third", &[second]), "can go away");

    let third = ring.attach("third", &[first]).unwrap();
    assert_usage(ring.cut("first"), "`third` follows it");
    third.leave().unwrap();
    publish(&mut producer, 2);
    assert_eq!(ring.cut("first").unwrap(), 0);
    assert_usage(ring.attach("third", &[first]), "can go away");
    assert_cut(first_consumer.poll(1), "first", 0);
    publish(&mut producer, 20);
}

#[test]
fn a_cut_is_noticed_at_the_very_next_poll() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["reader"]);
    publish(&mut producer, 4);
    assert!(consumers[0].poll(1).unwrap().iter().eq(&[0]));
    let batch = consumers[0].poll(1).unwrap();
    assert_eq!(producer.ring().cut("reader").unwrap(), 1);
    assert_eq!(producer.free_slots().unwrap(), 1, "it may still hold the batch");
    assert!(batch.iter().eq(&[1]));
    drop(batch);
    assert_eq!(producer.ring().stages()[0].state, StageState::Leaving);
    assert_cut(consumers[0].poll(1), "reader", 2);
    assert_cut(consumers[0].next_batch(1, Wait::Park), "reader", 2);
    assert_eq!(producer.free_slots().unwrap(), 4);
    assert_eq!(producer.ring().stages()[0].state, StageState::Cut);
}

#[test]
fn to_cut_a_stage_that_has_ended_changes_nothing_for_the_others() {
    let (mut producer, mut consumers, ..) = pipeline(4, &["first", "second"]);
    publish(&mut producer, 3);
    producer.close();
    consumers.iter_mut().for_each(|consumer| assert_eq!(read(consumer), 3));
    let ring = producer.ring();
    assert_eq!(ring.cut("second").unwrap(), 3);
    assert_eq!(ring.stages()[1].state, StageState::Finished);
    assert_cut(consumers[1].poll(1), "second", 3);
    drop(consumers);
    assert_eq!(ring.stages()[0].state, StageState::Finished);
    assert_eq!(ring.cut("first").unwrap(), 3);
}

#[test]
fn the_ring_outlives_its_producer_and_consumers() {
    let (mut producer, ring) = open_ring(2);
    publish(&mut producer, 6);
    drop(producer);
    assert_eq!((ring.published(), ring.fill(), ring.name()), (6, 0, "market"));
    let mut late = ring.attach_at("late", &[], 5).unwrap();
    assert_eq!(read(&mut late), 1);
    assert!(late.is_finished() && late.next_batch(1, Wait::Park).unwrap().is_none());
    let mut observer = ring.observe("watch").unwrap();
    assert!(observer.is_finished() && observer.poll(1).unwrap().is_empty());

    let (mut producer, ring) = open_ring(2);
    publish(&mut producer, 6);
    producer.fail();
    drop(producer);
    let mut late = ring.attach_at("late", &[], 5).unwrap();
    assert_eq!(read(&mut late), 1);
    assert_upstream_failed(late.poll(1), "late", "producer of market");
    let mut observer = ring.observe("watch").unwrap();
    assert_upstream_failed(observer.poll(1), "watch", "producer of market");
}

#[test]
fn an_empty_batch_of_copies_can_be_looked_at_wherever_it_is() {
    let (mut producer, ring) = open_ring(1);
    let mut observer = ring.observe("watch").unwrap();
    publish(&mut producer, 99);
    let mut late = ring.attach_detachable("late", None).unwrap();
    for batch in [observer.poll(9).unwrap(), late.poll(9).unwrap()] {
        assert_eq!((batch.iter().count(), batch.slices().0.len()), (0, 0));
    }
}
