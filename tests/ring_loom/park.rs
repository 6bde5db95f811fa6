//! Threads that sleep at the bell: would catch a wake-up that is lost, which loom reports as a
//! deadlock, because its clock stands still and nobody wakes by himself.

use loom::thread;
use ringtape::error::Error;
use ringtape::ring::{Consumer, Producer, RingBuilder, Wait, expect_sleepers};

use crate::ring;

fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    expect_sleepers();
    crate::model(preemptions, run);
}

fn publish(producer: &mut Producer<u64>, count: u64) -> Result<(), Error> {
    for _ in 0..count {
        let mut claim = producer.claim(1, Wait::Park)?;
        let first = claim.first_sequence();
        claim.set(0, 10 + first);
        claim.commit_all();
    }
    Ok(())
}

/// Reads to the end of the stream.
fn read(stage: &mut Consumer<u64>) -> Result<u64, Error> {
    let mut next = 0;
    while let Some(batch) = stage.next_batch(usize::MAX, Wait::Park)? {
        for record in batch.iter() {
            assert_eq!(*record, 10 + next);
            next += 1;
        }
    }
    Ok(next)
}

#[test]
fn a_parked_stage_wakes_for_a_commit_and_for_the_close() {
    model(3, || {
        let (mut producer, mut stages) = ring(2, 1, false);
        let writer = thread::spawn(move || publish(&mut producer, 1).unwrap());
        assert_eq!(read(&mut stages[0]).unwrap(), 1);
        writer.join().unwrap();
    });
}

#[test]
fn a_parked_producer_wakes_for_a_release() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        publish(&mut producer, 1).unwrap();
        let mut stage = stages.pop().unwrap();
        let reader = thread::spawn(move || {
            assert_eq!(stage.poll(1).unwrap().len(), 1);
            stage
        });
        publish(&mut producer, 1).unwrap();
        producer.close();
        assert_eq!(reader.join().unwrap().poll(1).unwrap().len(), 1);
    });
}

#[test]
fn a_producer_and_a_stage_that_both_park_take_turns() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        let writer = thread::spawn(move || publish(&mut producer, 2).unwrap());
        assert_eq!(read(&mut stages[0]).unwrap(), 2);
        writer.join().unwrap();
    });
}

#[test]
fn a_parked_stage_wakes_for_the_stage_before_it() {
    model(3, || {
        let (mut producer, mut stages) = ring(2, 2, true);
        let (mut second, mut first) = (stages.pop().unwrap(), stages.pop().unwrap());
        publish(&mut producer, 1).unwrap();
        producer.close();
        let before = thread::spawn(move || assert_eq!(read(&mut first).unwrap(), 1));
        assert_eq!(read(&mut second).unwrap(), 1);
        before.join().unwrap();
    });
}

#[test]
fn a_parked_producer_wakes_for_a_failure() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        publish(&mut producer, 1).unwrap();
        let mut stage = stages.pop().unwrap();
        let reader = thread::spawn(move || stage.fail(0, "model"));
        assert!(matches!(publish(&mut producer, 1), Err(Error::ConsumerFailed { .. })));
        reader.join().unwrap();
    });
}

#[test]
fn a_parked_stage_wakes_for_the_failure_of_the_producer_or_of_the_stage_before_it() {
    model(3, || {
        let (mut producer, mut stages) = ring(2, 2, true);
        let (mut second, mut first) = (stages.pop().unwrap(), stages.pop().unwrap());
        let before = thread::spawn(move || {
            producer.fail();
            assert!(matches!(read(&mut first), Err(Error::UpstreamFailed { .. })));
        });
        assert!(matches!(read(&mut second), Err(Error::UpstreamFailed { .. })));
        before.join().unwrap();
    });
}

#[test]
fn a_parked_producer_and_the_parked_stage_it_waits_for_both_wake_when_it_is_cut() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 2, false);
        let (mut idle, mut reading) = (stages.pop().unwrap(), stages.pop().unwrap());
        let ring = producer.ring();
        publish(&mut producer, 1).unwrap();
        drop(reading.poll(1).unwrap());
        drop(idle.poll(1).unwrap());
        let cutter = thread::spawn(move || {
            ring.cut("stage 1").unwrap();
        });
        assert!(matches!(idle.next_batch(1, Wait::Park), Err(Error::StageCut { sequence: 1, .. })));
        cutter.join().unwrap();
        publish(&mut producer, 1).unwrap();
        producer.close();
        drop(reading.poll(1).unwrap());
    });
}

#[test]
fn a_parked_producer_wakes_when_the_stage_that_it_waits_for_leaves() {
    model(3, || {
        let (mut producer, mut stages) = ring(1, 1, false);
        publish(&mut producer, 1).unwrap();
        let stage = stages.pop().unwrap();
        let guest = thread::spawn(move || stage.leave().unwrap());
        publish(&mut producer, 1).unwrap();
        guest.join().unwrap();
    });
}

#[test]
fn a_parked_producer_wakes_when_only_a_stage_that_it_may_cut_is_left_behind() {
    model(3, || {
        let mut builder = RingBuilder::new("model", 1).unwrap();
        builder.observable().unwrap();
        let guest = builder.detachable("guest", &[]).unwrap();
        let firm = builder.stage("firm", &[]).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        let _guest = consumers.take(guest).unwrap();
        let mut firm = consumers.take(firm).unwrap();
        publish(&mut producer, 1).unwrap();
        let reader = thread::spawn(move || {
            drop(firm.poll(1).unwrap());
            firm
        });
        publish(&mut producer, 1).unwrap();
        producer.close();
        drop(reader.join().unwrap().poll(1).unwrap());
    });
}
