//! The ring under loom, which tries the interleavings of its atomic operations and every value that
//! a load may see.
//!
//! Each model prints how many executions that were. They are bounded to three preemptions, or to
//! what `LOOM_MAX_PREEMPTIONS` says:
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

/// Preemptions of one execution when the environment asks for no other number.
const PREEMPTIONS: usize = 3;

/// Runs a model in every way that loom finds, with few preemptions, and tells how many they were.
fn model(run: impl Fn() + Send + Sync + 'static) {
    model_within(usize::MAX, run);
}

/// As [`model`], with at most so many preemptions.
fn model_within(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    let asked = builder.preemption_bound.unwrap_or(PREEMPTIONS);
    builder.preemption_bound = Some(asked.min(preemptions));
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
