//! The ring for C.
//!
//! May use `unsafe` to call [`pointers`](super::pointers) with what the caller promised.

use super::pointers::{give, handle, input, output, take_back};
use super::{RtEvent, RtStatus, guard};
use crate::error::Error;
use crate::ring::{Consumer, Producer, RingBuilder, Wait};

/// Consumers that a ring has at most.
const CONSUMERS_MAX: usize = 64;

/// The writing end of a ring.
#[derive(Debug)]
pub struct RtProducer(Producer<RtEvent>);

/// A reading end of a ring.
#[derive(Debug)]
pub struct RtConsumer(Consumer<RtEvent>);

/// Makes a ring of `capacity` slots, a power of two, whose `consumers` consumers read it side by
/// side; their handles are written to `consumers_out`, of the same length.
///
/// A producer never goes further ahead of the slowest consumer than the ring has slots.
///
/// # Safety
///
/// `producer_out` has room for a pointer, `consumers_out` for `consumers` of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_ring_new(
    capacity: usize,
    consumers: usize,
    producer_out: *mut *mut RtProducer,
    consumers_out: *mut *mut RtConsumer,
) -> RtStatus {
    guard(|| {
        if consumers == 0 || consumers > CONSUMERS_MAX {
            let what = format!("a ring with {consumers} consumers");
            return Err(Error::usage(what, format!("ask for 1 to {CONSUMERS_MAX}")));
        }
        if producer_out.is_null() || consumers_out.is_null() {
            return Err(Error::usage("an `out` is null", "pass valid pointers"));
        }
        let mut ring = RingBuilder::new("ring", capacity)?;
        let names = (0..consumers).map(|number| format!("consumer {number}"));
        let stages: Vec<_> = names.map(|name| ring.stage(name, &[])).collect::<Result<_, _>>()?;
        let (producer, mut ends) = ring.build()?;
        for (number, stage) in stages.into_iter().enumerate() {
            let consumer = RtConsumer(ends.take(stage)?);
            // SAFETY: promised by the caller.
            unsafe { give(consumers_out.wrapping_add(number), consumer) }?;
        }
        // SAFETY: promised by the caller.
        unsafe { give(producer_out, RtProducer(producer)) }?;
        Ok(RtStatus::Ok)
    })
}

/// Publishes events, and waits while the ring is full.
///
/// # Safety
///
/// `producer` was made and not freed; `events` has `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_publish(
    producer: *mut RtProducer,
    events: *const RtEvent,
    count: usize,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let producer = unsafe { handle(producer, "producer") }?;
        // SAFETY: promised by the caller.
        let events = unsafe { input(events, count, "events") }?;
        for chunk in events.chunks(producer.0.capacity()) {
            let mut claim = producer.0.claim(chunk.len(), Wait::Auto)?;
            chunk.iter().enumerate().for_each(|(at, event)| claim.set(at, *event));
            claim.commit_all();
        }
        Ok(RtStatus::Ok)
    })
}

/// Copies what is there, at most `room` events, to `events`, and says in `count` how many.
///
/// `PENDING` when nothing is there now, `END` when the producer has closed the ring and all is
/// read.
///
/// # Safety
///
/// `consumer` was made and not freed; `events` has `room` elements; `count` has room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_poll(
    consumer: *mut RtConsumer,
    events: *mut RtEvent,
    room: usize,
    count: *mut usize,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let consumer = unsafe { handle(consumer, "consumer") }?;
        // SAFETY: promised by the caller.
        let count = unsafe { output(count, 1, "count") }?;
        // SAFETY: promised by the caller.
        let events = unsafe { output(events, room, "events") }?;
        let is_finished = consumer.0.is_finished();
        for (slot, event) in events.iter_mut().zip(consumer.0.poll(room)?.iter()) {
            *slot = *event;
            count[0] += 1;
        }
        Ok(match (count[0], is_finished) {
            (1.., _) => RtStatus::Ok,
            (0, false) => RtStatus::Pending,
            (0, true) => RtStatus::End,
        })
    })
}

/// Records that are published and that the consumer has not read; 0 for null.
///
/// # Safety
///
/// `consumer` was made and not freed, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_lag(consumer: *mut RtConsumer) -> u64 {
    // SAFETY: promised by the caller.
    unsafe { handle(consumer, "consumer") }.map_or(0, |consumer| consumer.0.lag())
}

/// Closes the ring, so that consumers come to their end, and frees the producer; null is none.
///
/// # Safety
///
/// `producer` was made, or is null, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_producer_free(producer: *mut RtProducer) {
    // SAFETY: promised by the caller.
    unsafe { take_back(producer) };
}

/// Frees a consumer; null is none. One that has not come to the end counts as failed, which the
/// producer learns from its next call.
///
/// # Safety
///
/// `consumer` was made, or is null, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_consumer_free(consumer: *mut RtConsumer) {
    // SAFETY: promised by the caller.
    unsafe { take_back(consumer) };
}
