//! A counting allocator: would catch an allocation anywhere on the data path of ring or bus.

#[path = "common/allocations.rs"]
mod counting;
#[path = "common/stream.rs"]
mod stream;

use std::time::Duration;

use counting::allocated;
use ringtape::bus::{Bus, BusEvent, Context, Envelope};
use ringtape::ring::{Handler, HandlerResult, RingBuilder, Wait, inbox};
use stream::{Record, is_whole, record};

#[test]
fn claims_commits_polls_releases_and_posts_allocate_nothing() {
    let mut builder = RingBuilder::<Record>::new("market", 8).unwrap();
    let first = builder.stage("first", &[]).unwrap();
    let second = builder.stage("second", &[first]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let mut stages = [consumers.take(first).unwrap(), consumers.take(second).unwrap()];
    let (sender, mut receiver) = inbox::<Record>(4);

    let before = allocated();
    for round in 0..1000 {
        for _ in 0..6 {
            let _ = sender.post(record(round));
        }
        while let Some(command) = receiver.try_take() {
            producer.claim(1, Wait::Pause).unwrap().set(0, command);
            let mut claim = producer.claim(1, Wait::Yield).unwrap();
            *claim.slot(0) = command;
            claim.commit_all();
        }
        let mut claim = producer.try_claim(4).unwrap().unwrap();
        claim.for_each_mut(|i, slot| *slot = record(i as u64));
        claim.commit(3);
        assert!(producer.try_claim(8).unwrap().is_none());
        for stage in &mut stages {
            let mut batch = stage.poll(5).unwrap();
            assert!(batch.iter().all(is_whole));
            batch.release(1);
            batch.end_at(2);
            assert_eq!(stage.poll_each(9, |_, _| Ok::<(), String>(())).unwrap(), 4);
            assert!(!stage.is_finished() && stage.poll(1).unwrap().is_empty());
        }
    }
    assert_eq!(allocated() - before, 0);
    assert_eq!((sender.refused(), producer.next_sequence()), (2000, 7000));
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Tick {
    number: u64,
}

impl BusEvent for Tick {
    const ID: u32 = 1;
}

#[test]
fn publishing_and_handling_on_a_bus_allocates_nothing() {
    let (direct_bus, mut direct) = Bus::builder("direct").capacity(8).start_direct().unwrap();
    let mut sum = direct_bus
        .subscriber("sum", 0)
        .on(|sum: &mut u64, tick: &Tick, _: Context| {
            *sum += tick.number;
            Ok(())
        })
        .on_any(|sum: &mut u64, envelope: &Envelope, _: Context| {
            *sum += u64::from(envelope.id());
            Ok(())
        })
        .polled()
        .unwrap();
    let bus = Bus::builder("inbox").inbox_capacity(4096).start().unwrap();
    let publisher = bus.publisher().unwrap();
    direct.publish(Tick { number: 0 }).unwrap();
    publisher.publish(Tick { number: 0 }).unwrap();

    let before = allocated();
    for number in 0..1000 {
        direct.publish(Tick { number }).unwrap();
        publisher.publish(Tick { number }).unwrap();
        assert!(publisher.try_publish(Tick { number }).unwrap());
        assert!(sum.poll(8).unwrap() > 0);
    }
    assert_eq!(allocated() - before, 0);
    assert_eq!(*sum.state(), 1001 + 999 * 1000 / 2);
}

#[test]
fn drops_timeouts_and_waits_that_need_not_wait_allocate_nothing() {
    let mut builder = RingBuilder::<Record>::new("market", 4).unwrap();
    let change = builder.exclusive("change", &[]).unwrap();
    let read = builder.stage("read", &[change]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let mut change = consumers.take_exclusive(change).unwrap();
    let mut read = consumers.take(read).unwrap();
    let time = Duration::from_micros(1);
    // A thread that waits takes its place among those that do once.
    producer.claim(4, Wait::Auto).unwrap().commit_all();
    assert!(producer.claim_timeout(1, Wait::Auto, time).unwrap().is_none());
    drop(change.poll(4).unwrap());
    assert_eq!(read.poll(4).unwrap().len(), 4);

    let before = allocated();
    for _ in 0..500 {
        producer.claim_or_drop(2).unwrap().unwrap().for_each_mut(|_, slot| *slot = record(1));
        producer.claim_or_drop(2).unwrap().unwrap().commit_all();
        producer.claim_timeout(2, Wait::Park, time).unwrap().unwrap().commit_all();
        assert!(producer.claim_or_drop(1).unwrap().is_none());
        assert!(producer.claim_timeout(1, Wait::Pause, time).unwrap().is_none());
        assert!(producer.claim_timeout(1, Wait::Auto, time).unwrap().is_none());
        for wait in [Wait::Pause, Wait::Park] {
            let mut batch = change.next_batch(2, wait).unwrap().unwrap();
            batch.for_each_mut(|_, found| *found = record(2));
            *batch.slot(1) = record(3);
            batch.release(1);
        }
        for wait in [Wait::Pause, Wait::Auto] {
            let batch = read.next_batch(2, wait).unwrap().unwrap();
            assert!(batch.iter().map(|found| found[0]).eq([2, 3]));
        }
    }
    assert_eq!(allocated() - before, 0);
    assert_eq!((producer.dropped(), producer.next_sequence()), (500, 2004));
}

#[test]
fn an_observable_ring_its_copies_and_its_observers_allocate_nothing() {
    let mut builder = RingBuilder::<Record>::new("market", 4).unwrap();
    builder.observable().unwrap();
    builder.spare_stages(1);
    let detachable = builder.detachable("detachable", &[]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let ring = producer.ring();
    let mut stages =
        [consumers.take(detachable).unwrap(), ring.attach_detachable("late", None).unwrap()];
    let mut observers = [ring.observe("fast").unwrap(), ring.observe("slow").unwrap()];

    let before = allocated();
    for round in 0..500 {
        for _ in 0..2 {
            let mut claim = producer.claim(3, Wait::Park).unwrap();
            claim.for_each_mut(|_, slot| *slot = record(round));
            claim.commit_all();
            for stage in &mut stages {
                assert_eq!(stage.poll_each(2, |_, _| Ok::<(), String>(())).unwrap(), 2);
                assert!(stage.next_batch(2, Wait::Park).unwrap().unwrap().iter().all(is_whole));
                assert!(stage.poll(1).unwrap().is_empty());
            }
            assert!(observers[0].poll(3).unwrap().iter().all(is_whole));
        }
        assert!(observers[1].poll(4).unwrap().iter().all(is_whole));
    }
    assert_eq!(allocated() - before, 0);
    assert_eq!((observers[0].missed(), ring.published()), (0, 3000));
    assert!(observers[1].missed() > 0);
}

/// Counts what it is called with.
#[derive(Default)]
struct Counter {
    batches: u64,
    records: u64,
}

impl Handler<Record> for Counter {
    fn batch(&mut self, _first: u64, _len: usize, _depth: usize) {
        self.batches += 1;
    }

    fn event(&mut self, _sequence: u64, found: &Record) -> HandlerResult {
        self.records += u64::from(is_whole(found));
        Ok(())
    }
}

#[test]
fn a_handler_that_is_run_to_the_end_allocates_nothing() {
    let mut builder = RingBuilder::<Record>::new("market", 2048).unwrap();
    let stage = builder.stage("stage", &[]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let mut stage = consumers.take(stage).unwrap();
    let mut claim = producer.claim(2048, Wait::Yield).unwrap();
    claim.for_each_mut(|i, slot| *slot = record(i as u64));
    claim.commit_all();
    let mut counter = Counter::default();

    let before = allocated();
    producer.close();
    stage.run(Wait::Park, &mut counter).unwrap();
    assert_eq!(allocated() - before, 0);
    assert_eq!((counter.batches, counter.records), (2, 2048));
}
