//! Copies of an observable ring: would catch a torn record that is kept, a record that is missed
//! and not counted, and a producer that waits for a detachable stage.

use loom::thread;
use ringtape::error::Error;
use ringtape::ring::{Consumer, Observer, Producer, RingBuilder, StageState, Wait};

use crate::model;

/// A record of two words that must agree.
type Pair = [u64; 2];

fn pair(sequence: u64) -> Pair {
    [10 + sequence, 20 + sequence]
}

fn publish(producer: &mut Producer<Pair>, count: usize) {
    let mut claim = producer.claim(count, Wait::Yield).unwrap();
    let first = claim.first_sequence();
    claim.for_each_mut(|i, slot| *slot = pair(first + i as u64));
    claim.commit_all();
}

fn observed(capacity: usize) -> (Producer<Pair>, Observer<Pair>) {
    let mut builder = RingBuilder::new("model", capacity).unwrap();
    builder.observable().unwrap();
    let (producer, _) = builder.build().unwrap();
    let observer = producer.ring().observe("observer").unwrap();
    (producer, observer)
}

/// Polls once and checks what came, and that it comes where the count of missed records says.
fn observe(observer: &mut Observer<Pair>, read: &mut u64) {
    let missed = observer.missed();
    let batch = observer.poll(usize::MAX).unwrap();
    assert_eq!(batch.first_sequence().min(*read + missed), *read + missed);
    for (sequence, record) in (batch.first_sequence()..).zip(batch.iter()) {
        assert_eq!(*record, pair(sequence));
    }
    *read += batch.len() as u64;
    drop(batch);
    assert_eq!(observer.position(), *read + observer.missed());
}

#[test]
fn an_observer_keeps_no_record_that_was_overwritten_while_it_copied() {
    model(3, || {
        let (mut producer, mut observer) = observed(2);
        publish(&mut producer, 2);
        let writer = thread::spawn(move || {
            publish(&mut producer, 1);
            producer
        });
        let mut read = 0;
        observe(&mut observer, &mut read);
        let producer = writer.join().unwrap();
        while !observer.is_finished() && observer.position() < producer.next_sequence() {
            observe(&mut observer, &mut read);
        }
        assert_eq!(read + observer.missed(), 3);
        assert!(observer.missed() <= 2);
    });
}

#[test]
fn an_observer_counts_exactly_what_it_missed_of_single_commits() {
    model(3, || {
        let (mut producer, mut observer) = observed(2);
        let writer = thread::spawn(move || {
            for _ in 0..3 {
                publish(&mut producer, 1);
            }
        });
        let mut read = 0;
        observe(&mut observer, &mut read);
        observe(&mut observer, &mut read);
        writer.join().unwrap();
        while !observer.is_finished() {
            observe(&mut observer, &mut read);
        }
        assert_eq!(read + observer.missed(), 3);
    });
}

/// A ring with a detachable stage and `firm` other ones.
fn detachable(capacity: usize, firm: usize) -> (Producer<Pair>, Vec<Consumer<Pair>>) {
    let mut builder = RingBuilder::new("model", capacity).unwrap();
    builder.observable().unwrap();
    let mut ids = vec![builder.detachable("guest", &[]).unwrap()];
    ids.extend((0..firm).map(|i| builder.stage(format!("stage {i}"), &[]).unwrap()));
    let (producer, mut consumers) = builder.build().unwrap();
    (producer, ids.iter().map(|&id| consumers.take(id).unwrap()).collect())
}

/// Polls once; whether the stage is still there. Checks what came.
fn poll(stage: &mut Consumer<Pair>, next: &mut u64) -> bool {
    match stage.poll(usize::MAX) {
        Ok(batch) => {
            assert_eq!(batch.first_sequence(), *next);
            for record in batch.iter() {
                assert_eq!(*record, pair(*next));
                *next += 1;
            }
            true
        }
        Err(Error::StageCut { sequence, .. }) => {
            assert_eq!(sequence, *next);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_detachable_stage_that_is_cut_while_it_copies_gets_whole_records_or_nothing() {
    model(3, || {
        let (mut producer, mut stages) = detachable(2, 0);
        let mut stage = stages.pop().unwrap();
        publish(&mut producer, 2);
        let writer = thread::spawn(move || {
            publish(&mut producer, 1);
            producer
        });
        let mut next = 0;
        let is_there = poll(&mut stage, &mut next) && poll(&mut stage, &mut next);
        let mut producer = writer.join().unwrap();
        // It may be cut and not yet know.
        let is_cut = producer.ring().stages()[0].state == StageState::Cut;
        assert!(is_there || is_cut);
        assert_eq!(poll(&mut stage, &mut next), !is_cut);
        // It holds nobody back, whatever became of it.
        publish(&mut producer, 2);
    });
}

#[test]
fn a_producer_waits_for_its_other_stage_and_not_for_the_detachable_one() {
    model(3, || {
        let (mut producer, mut stages) = detachable(1, 1);
        let (mut firm, _guest) = (stages.pop().unwrap(), stages.pop().unwrap());
        publish(&mut producer, 1);
        let reader = thread::spawn(move || {
            assert!(firm.poll(1).unwrap().iter().eq(&[pair(0)]));
            firm
        });
        publish(&mut producer, 1);
        assert_eq!(producer.ring().stages()[0].state, StageState::Cut);
        let mut firm = reader.join().unwrap();
        assert!(firm.poll(1).unwrap().iter().eq(&[pair(1)]));
        producer.close();
    });
}

#[test]
fn a_producer_cuts_no_detachable_stage_for_the_lag_of_one_before_it() {
    model(3, || {
        let mut builder = RingBuilder::new("model", 1).unwrap();
        builder.observable().unwrap();
        let first = builder.stage("first", &[]).unwrap();
        let guest = builder.detachable("guest", &[first]).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        let (mut first, mut guest) =
            (consumers.take(first).unwrap(), consumers.take(guest).unwrap());
        publish(&mut producer, 1);
        let reader = thread::spawn(move || {
            assert!(first.poll(1).unwrap().iter().eq(&[pair(0)]));
            first
        });
        publish(&mut producer, 1);
        let mut first = reader.join().unwrap();
        assert!(first.poll(1).unwrap().iter().eq(&[pair(1)]));
        assert!(!poll(&mut guest, &mut 0), "it was cut once the stage before it had released");
        producer.close();
    });
}
