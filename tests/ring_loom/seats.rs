//! Stages that come and go while the producer publishes: would catch a slot overwritten before the
//! newcomer has read it, a gap where it begins, and a stage that is gone and still waited for.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use ringtape::error::Error;
use ringtape::ring::{Consumer, Producer, RingBuilder, StageId};

use crate::{model, publish, ring};

/// A ring with room for one more stage.
fn open_ring(capacity: usize) -> Producer<u64> {
    let mut builder = RingBuilder::new("model", capacity).unwrap();
    builder.spare_stages(1);
    builder.build().unwrap().0
}

/// Reads to the end of the stream and checks that nothing is left out or comes twice.
fn read_on(stage: &mut Consumer<u64>) -> u64 {
    let mut next = stage.position();
    while !stage.is_finished() {
        let batch = stage.poll(usize::MAX).unwrap();
        if batch.is_empty() {
            thread::yield_now();
        }
        assert_eq!(batch.first_sequence(), next);
        for record in batch.iter() {
            assert_eq!(*record, 10 + next);
            next += 1;
        }
    }
    next
}

#[test]
fn a_stage_that_comes_while_the_ring_wraps_sees_everything_from_then_on() {
    model(3, || {
        let mut producer = open_ring(1);
        let ring = producer.ring();
        let writer = thread::spawn(move || {
            publish(&mut producer, 1).unwrap();
            publish(&mut producer, 1).unwrap();
        });
        let mut late = ring.attach("late", &[]).unwrap();
        assert_eq!(read_on(&mut late), 2);
        writer.join().unwrap();
    });
}

#[test]
fn a_stage_that_begins_at_an_old_record_gets_it_or_is_told_that_it_is_gone() {
    model(3, || {
        let mut producer = open_ring(2);
        let ring = producer.ring();
        publish(&mut producer, 2).unwrap();
        let writer = thread::spawn(move || publish(&mut producer, 1).unwrap());
        match ring.attach_at("late", &[], 0) {
            Ok(mut late) => assert_eq!(read_on(&mut late), 3),
            Err(Error::Overwritten { sequence: 0, oldest, .. }) => assert!(oldest > 0),
            Err(other) => panic!("{other}"),
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_stage_that_comes_behind_another_sees_its_effects() {
    model(3, || {
        let mut builder = RingBuilder::new("model", 1).unwrap();
        builder.spare_stages(1);
        let first_id: StageId = builder.stage("first", &[]).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        let mut first = consumers.take(first_id).unwrap();
        let ring = producer.ring();
        // Relaxed, so that only the ring's own ordering can make a note visible in time.
        let noted = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let notes = Arc::clone(&noted);
        let before = thread::spawn(move || {
            for _ in 0..2 {
                publish(&mut producer, 1).unwrap();
                let batch = first.poll(1).unwrap();
                let sequence = batch.first_sequence() as usize;
                notes[sequence].store(*batch.iter().next().unwrap(), Ordering::Relaxed);
            }
            (producer, first)
        });
        let mut late = ring.attach("late", &[first_id]).unwrap();
        while late.position() < 2 {
            let batch = late.poll(1).unwrap();
            if batch.is_empty() {
                thread::yield_now();
            }
            for (sequence, record) in (batch.first_sequence() as usize..).zip(batch.iter()) {
                assert_eq!(noted[sequence].load(Ordering::Relaxed), *record);
            }
        }
        let (mut producer, _first) = before.join().unwrap();
        producer.close();
    });
}

#[test]
fn a_seat_that_was_given_back_is_taken_by_another_stage() {
    model(3, || {
        let mut producer = open_ring(1);
        let ring = producer.ring();
        let guest = ring.attach("guest", &[]).unwrap();
        publish(&mut producer, 1).unwrap();
        let writer = thread::spawn(move || publish(&mut producer, 1).unwrap());
        assert_eq!(guest.leave().unwrap(), 0);
        let mut late = ring.attach("late", &[]).unwrap();
        assert_eq!(read_on(&mut late), 2);
        writer.join().unwrap();
    });
}

#[test]
fn a_waiting_producer_goes_on_when_the_last_stage_leaves() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        publish(&mut producer, 1).unwrap();
        let mut stage = stages.pop().unwrap();
        let guest = thread::spawn(move || {
            let batch = stage.poll(1).unwrap();
            assert!(batch.iter().eq(&[10]));
            batch.end_at(0);
            assert_eq!(stage.leave().unwrap(), 0);
        });
        publish(&mut producer, 1).unwrap();
        guest.join().unwrap();
    });
}

#[test]
fn a_stage_whose_last_follower_left_is_not_overwritten() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 2, true);
        publish(&mut producer, 1).unwrap();
        assert_eq!(stages.pop().unwrap().leave().unwrap(), 0);
        let mut first = stages.pop().unwrap();
        let reader = thread::spawn(move || {
            assert!(first.poll(1).unwrap().iter().eq(&[10]));
            first
        });
        publish(&mut producer, 1).unwrap();
        producer.close();
        assert!(reader.join().unwrap().poll(1).unwrap().iter().eq(&[11]));
    });
}

#[test]
fn a_stage_that_is_cut_ends_its_batch_first() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        publish(&mut producer, 1).unwrap();
        let mut stage = stages.pop().unwrap();
        let reader = thread::spawn(move || {
            let mut read = 0;
            loop {
                match stage.poll(1) {
                    Ok(batch) if batch.is_empty() => thread::yield_now(),
                    Ok(batch) => {
                        assert!(batch.iter().eq(&[10 + read]));
                        read += 1;
                    }
                    Err(Error::StageCut { sequence, .. }) => return (sequence, read),
                    Err(other) => panic!("{other}"),
                }
            }
        });
        assert!(producer.ring().cut("stage 0").unwrap() <= 1);
        publish(&mut producer, 1).unwrap();
        publish(&mut producer, 1).unwrap();
        let (sequence, read) = reader.join().unwrap();
        assert_eq!(sequence, read);
    });
}

#[test]
fn an_exclusive_stage_is_alone_with_its_records() {
    model(3, || {
        let mut builder = RingBuilder::new("model", 1).unwrap();
        let double = builder.exclusive("double", &[]).unwrap();
        let sum = builder.stage("sum", &[double]).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        let mut double = consumers.take_exclusive(double).unwrap();
        let mut sum = consumers.take(sum).unwrap();
        let worker = thread::spawn(move || {
            while !double.consumer().is_finished() {
                let mut batch = double.poll(1).unwrap();
                if batch.is_empty() {
                    thread::yield_now();
                }
                batch.for_each_mut(|_, number| *number *= 2);
            }
        });
        publish(&mut producer, 1).unwrap();
        let mut next = 0;
        while next < 2 {
            let batch = sum.poll(1).unwrap();
            if batch.is_empty() {
                thread::yield_now();
                continue;
            }
            assert!(batch.iter().eq(&[20 + 2 * next]));
            next += 1;
            drop(batch);
            if next == 1 {
                publish(&mut producer, 1).unwrap();
                producer.close();
            }
        }
        worker.join().unwrap();
    });
}

#[test]
fn a_stage_leaves_or_is_followed_and_never_both() {
    model(3, || {
        let mut builder = RingBuilder::<u64>::new("model", 1).unwrap();
        builder.spare_stages(1);
        let first_id = builder.stage("first", &[]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        let first = consumers.take(first_id).unwrap();
        let ring = producer.ring();
        let leaver = thread::spawn(move || first.leave().is_ok());
        let has_come = ring.attach("late", &[first_id]).is_ok();
        assert_ne!(leaver.join().unwrap(), has_come);
    });
}

#[test]
fn a_cut_hits_the_stage_of_that_name_and_not_the_next_one_in_its_seat() {
    model(3, || {
        let producer = open_ring(1);
        let ring = producer.ring();
        let guest = ring.attach("guest", &[]).unwrap();
        let cutter = thread::spawn({
            let ring = ring.clone();
            move || ring.cut("guest").is_ok()
        });
        guest.leave().unwrap();
        let mut late = ring.attach("late", &[]).unwrap();
        cutter.join().unwrap();
        assert!(late.poll(1).is_ok());
        drop(producer);
    });
}
