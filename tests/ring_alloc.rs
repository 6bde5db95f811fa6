//! A counting allocator: would catch an allocation anywhere on the data path of ring or bus.
#![allow(unsafe_code)] // A global allocator cannot be written without it.

#[path = "common/stream.rs"]
mod stream;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringtape::bus::{Bus, BusEvent, Context, Envelope};
use ringtape::ring::{RingBuilder, Wait, inbox};
use stream::{Record, is_whole, record};

thread_local! {
    /// Allocations of this thread, so that the test harness's own threads do not count.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are the system allocator's requirements.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn claims_commits_polls_releases_and_posts_allocate_nothing() {
    let mut builder = RingBuilder::<Record>::new("market", 8).unwrap();
    let first = builder.stage("first", &[]).unwrap();
    let second = builder.stage("second", &[first]).unwrap();
    let (mut producer, mut consumers) = builder.build().unwrap();
    let mut stages = [consumers.take(first).unwrap(), consumers.take(second).unwrap()];
    let (sender, mut receiver) = inbox::<Record>(4);

    let before = ALLOCATIONS.get();
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
    assert_eq!(ALLOCATIONS.get() - before, 0);
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

    let before = ALLOCATIONS.get();
    for number in 0..1000 {
        direct.publish(Tick { number }).unwrap();
        publisher.publish(Tick { number }).unwrap();
        assert!(publisher.try_publish(Tick { number }).unwrap());
        assert!(sum.poll(8).unwrap() > 0);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(*sum.state(), 1001 + 999 * 1000 / 2);
}
