//! The ring under loom, which tries the interleavings of its atomic operations and every value that
//! a load may see.
//!
//! Each model prints how many executions that were. So that all of them take some minutes, each
//! bounds the preemptions of its threads, unless `LOOM_MAX_PREEMPTIONS` gives another bound:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --no-default-features --test ring_loom \
//!     --target-dir target/loom -- --show-output
//! ```
#![cfg(loom)]

mod catch_up;
mod copy;
mod fail;
mod park;
mod read;
mod seats;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use loom::model::Builder;
use ringtape::error::Error;
use ringtape::ring::{Consumer, Producer, RingBuilder, Wait};

/// Runs a model in every way that loom finds, with that many preemptions of a thread at most, and
/// tells how many those were.
fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    let executions = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&executions);
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let name = thread::current().name().unwrap_or_default().to_owned();
    println!("{:>9} executions: {name}", executions.load(Ordering::Relaxed));
}

/// A ring whose stages stand beside each other, or behind each other.
fn ring(capacity: usize, stages: usize, pipeline: bool) -> (Producer<u64>, Vec<Consumer<u64>>) {
    let mut builder = RingBuilder::new("model", capacity).unwrap();
    let mut ids = Vec::new();
    for i in 0..stages {
        let upstream = ids.last().copied().filter(|_| pipeline);
        let id = builder.stage(format!("stage {i}"), upstream.as_slice()).unwrap();
        ids.push(id);
    }
    let (producer, mut consumers) = builder.build().unwrap();
    (producer, ids.iter().map(|&id| consumers.take(id).unwrap()).collect())
}

/// Publishes the next `count` records of a stream of numbers.
fn publish(producer: &mut Producer<u64>, count: usize) -> Result<(), Error> {
    let mut claim = producer.claim(count, Wait::Yield)?;
    let first = claim.first_sequence();
    claim.for_each_mut(|i, slot| *slot = 10 + first + i as u64);
    claim.commit_all();
    Ok(())
}
