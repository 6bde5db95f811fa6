//! Stages that come and go while others work, on threads of their own: would catch a slot that is
//! overwritten under a reader that is just coming or whose follower is just going, two that both
//! believe that they came first, and a cursor that is mistaken for another one's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use ringtape::error::Error;
use ringtape::ring::{Consumer, Ring, RingBuilder, StageState, Wait};

use crate::rings::in_time;
use crate::stream::{Record, is_whole, record};

#[test]
fn a_stage_goes_or_is_followed_but_never_both() {
    in_time(|| {
        let (mut followed, mut gone) = (0, 0);
        for round in 0..4_000 {
            let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
            builder.spare_stages(1);
            let journal = builder.stage("journal", &[]).unwrap();
            let (producer, mut consumers) = builder.build().unwrap();
            let consumer = consumers.take(journal).unwrap();
            let ring = producer.ring();
            let start = Arc::new(Barrier::new(2));
            let other_start = Arc::clone(&start);
            let attaching = thread::spawn(move || {
                other_start.wait();
                ring.attach("behind", &[journal])
            });
            start.wait();
            let went = match round % 2 {
                0 => consumer.leave().is_ok(),
                _ => producer.ring().cut("journal").is_ok(),
            };
            let is_followed = attaching.join().unwrap().is_ok();
            assert!(!(went && is_followed), "round {round}: it went and is followed");
            followed += u64::from(is_followed);
            gone += u64::from(went);
        }
        println!("{followed} followed, {gone} gone");
    });
}

#[test]
fn a_cursor_never_shows_where_the_next_one_in_the_seat_is() {
    in_time(|| {
        let mut builder = RingBuilder::<u64>::new("market", 4).unwrap();
        builder.spare_stages(1);
        let (mut producer, _) = builder.build().unwrap();
        producer.claim(4, Wait::Yield).unwrap().commit_all();
        let ring = producer.ring();
        for _ in 0..500 {
            let first = ring.attach("first", &[]).unwrap();
            let cursor = ring.cursor("first").unwrap();
            let is_over = Arc::new(AtomicBool::new(false));
            let stop = Arc::clone(&is_over);
            let watching = thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(cursor.sequence(), 4);
                }
                assert_eq!(cursor.status().state, StageState::Cut);
            });
            first.leave().unwrap();
            for _ in 0..20 {
                ring.attach_at("second", &[], 0).unwrap().leave().unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
            watching.join().unwrap();
        }
    });
}

/// Reads `batches` batches and checks every record and, at each look, that it is still there when
/// others have run.
fn read_some(consumer: &mut Consumer<Record>, batches: u64) {
    let mut next = consumer.position();
    for _ in 0..batches {
        let batch = match consumer.next_batch(usize::MAX, Wait::Yield) {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(Error::StageCut { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(batch.first_sequence(), next);
        for found in batch.iter() {
            assert!(is_whole(found) && found[0] == next, "{found:?} at {next}");
            next += 1;
        }
        thread::yield_now();
        let again = (batch.first_sequence()..).zip(batch.iter());
        again.for_each(|(sequence, found)| assert!(is_whole(found) && found[0] == sequence));
    }
}

/// Comes and goes in every way there is until the ring is closed; returns how often.
fn come_and_go(ring: &Ring<Record>, name: &str, is_detachable: bool, published: &AtomicU64) -> u64 {
    let mut visits = 0;
    while published.load(Ordering::Relaxed) < RECORDS {
        let back = visits % 5;
        let attached = match (is_detachable, back) {
            (true, 0) => ring.attach_detachable(name, None),
            (true, _) => ring.attach_detachable(name, Some(ring.published().saturating_sub(back))),
            (_, 0) => ring.attach(name, &[]),
            _ => ring.attach_at(name, &[], ring.published().saturating_sub(back)),
        };
        let mut consumer = match attached {
            Ok(consumer) => consumer,
            Err(Error::Overwritten { oldest, sequence, .. }) => {
                assert!(sequence < oldest);
                visits += 1;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        read_some(&mut consumer, 1 + visits % 7);
        if visits.is_multiple_of(3) {
            ring.cut(name).unwrap();
            // A detachable one may have been cut before, for its lag.
            assert!(matches!(consumer.poll(1), Err(Error::StageCut { .. })));
            drop(consumer);
        } else {
            consumer.leave().unwrap();
        }
        visits += 1;
    }
    visits
}

const RECORDS: u64 = 60_000;

#[test]
fn stages_come_and_go_while_the_producer_works_and_nobody_sees_a_torn_record() {
    for is_observable in [false, true] {
        for capacity in [1, 2, 8, 64] {
            in_time(move || {
                let mut builder = RingBuilder::<Record>::new("market", capacity).unwrap();
                if is_observable {
                    builder.observable().unwrap();
                }
                builder.spare_stages(2);
                let journal = builder.stage("journal", &[]).unwrap();
                let guest = builder.stage("guest", &[journal]).unwrap();
                let (mut producer, mut consumers) = builder.build().unwrap();
                let published = Arc::new(AtomicU64::new(0));
                let visitors = ["one", "two"].map(|name| {
                    let (ring, published) = (producer.ring(), Arc::clone(&published));
                    thread::spawn(move || {
                        come_and_go(&ring, name, is_observable && name == "two", &published)
                    })
                });
                let mut journal = consumers.take(journal).unwrap();
                let journal = thread::spawn(move || read_some(&mut journal, u64::MAX));
                // The one behind the journal leaves it alone early on.
                let mut guest = consumers.take(guest).unwrap();
                let guest = thread::spawn(move || {
                    read_some(&mut guest, 20);
                    guest.leave().unwrap();
                });
                while producer.next_sequence() < RECORDS {
                    let count = 1 + producer.next_sequence() as usize % capacity.min(3);
                    let mut claim = producer.claim(count, Wait::Yield).unwrap();
                    let first = claim.first_sequence();
                    claim.for_each_mut(|i, slot| *slot = record(first + i as u64));
                    claim.commit_all();
                    published.store(producer.next_sequence(), Ordering::Relaxed);
                }
                producer.close();
                let visits = visitors.map(|visitor| visitor.join().unwrap());
                println!("capacity {capacity}: {visits:?} visits");
                journal.join().unwrap();
                guest.join().unwrap();
            });
        }
    }
}

#[test]
fn a_stage_that_is_restarted_where_it_was_cut_is_never_told_that_this_is_not_published() {
    in_time(|| {
        let mut builder = RingBuilder::<u64>::new("market", 64).unwrap();
        builder.spare_stages(1);
        let (mut producer, _) = builder.build().unwrap();
        let ring = producer.ring();
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let restarting = thread::spawn(move || {
            let mut late = ring.attach("late", &[]).unwrap();
            let mut restarts = 0;
            while !stop.load(Ordering::Relaxed) {
                let Some(batch) = late.next_batch(usize::MAX, Wait::Spin).unwrap() else { break };
                drop(batch);
                let at = late.leave().unwrap();
                match ring.attach_at("late", &[], at) {
                    Ok(again) => late = again,
                    Err(Error::Overwritten { .. }) => late = ring.attach("late", &[]).unwrap(),
                    Err(error) => panic!("{error}"),
                }
                restarts += 1;
            }
            late.leave().unwrap();
            restarts
        });
        for _ in 0..300_000 {
            producer.claim(1, Wait::Yield).unwrap().commit_all();
        }
        is_over.store(true, Ordering::Relaxed);
        producer.close();
        println!("{} restarts", restarting.join().unwrap());
    });
}
