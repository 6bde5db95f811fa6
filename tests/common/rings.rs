//! What the tests of rings share: small rings, bounded time, and what an error must say.
#![allow(dead_code)]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::ring::{Consumer, Consumers, Producer, RingBuilder, StageId, Wait};

/// How long anything here may take; it takes milliseconds unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Runs `test` on a thread of its own and fails when it hangs.
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let _ = sender.send(test());
    });
    match receiver.recv_timeout(LONG) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().expect_err("it sent nothing"))
        }
    }
}

/// Waits until `is_so`, for a bounded time.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

/// A ring whose stages follow one another.
pub(crate) fn pipeline(
    capacity: usize,
    names: &[&str],
) -> (Producer<u64>, Vec<Consumer<u64>>, Consumers<u64>, Vec<StageId>) {
    let mut builder = RingBuilder::new("market", capacity).unwrap();
    let mut ids: Vec<StageId> = Vec::new();
    for name in names {
        ids.push(builder.stage(*name, ids.last().copied().as_slice()).unwrap());
    }
    let (producer, mut consumers) = builder.build().unwrap();
    let taken = ids.iter().map(|&id| consumers.take(id).unwrap()).collect();
    (producer, taken, consumers, ids)
}

/// Publishes `count` records one by one, each the number that is its sequence.
pub(crate) fn publish(producer: &mut Producer<u64>, count: usize) {
    for _ in 0..count {
        let mut claim = producer.claim(1, Wait::Yield).unwrap();
        claim.set(0, claim.first_sequence());
        claim.commit_all();
    }
}

/// Publishes until that is refused; a ring that hangs instead fails the test.
pub(crate) fn publish_until_refused(producer: &mut Producer<u64>) -> Error {
    let mut refusal = None;
    wait_until("the producer learns of the failure", || {
        match producer.try_claim(1) {
            Ok(Some(mut claim)) => {
                claim.set(0, claim.first_sequence());
                claim.commit_all();
            }
            Ok(None) => {}
            Err(error) => refusal = Some(error),
        }
        refusal.is_some()
    });
    refusal.expect("waited for it")
}

/// Polls once and checks that each record is the number that is its sequence; returns how many.
#[track_caller]
pub(crate) fn read(consumer: &mut Consumer<u64>) -> u64 {
    let batch = consumer.poll(usize::MAX).unwrap();
    assert!(batch.iter().copied().eq((batch.first_sequence()..).take(batch.len())));
    batch.len() as u64
}

#[track_caller]
pub(crate) fn assert_consumer_failed(error: Error, stage: &str, at: u64, because: &str) {
    match error {
        Error::ConsumerFailed { name, sequence, cause } => {
            assert_eq!((name.as_str(), sequence), (stage, at), "{cause}");
            assert!(cause.contains(because), "{cause}");
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
pub(crate) fn assert_upstream_failed<T>(result: Result<T>, stage: &str, before: &str) {
    match result.map(drop) {
        Err(Error::UpstreamFailed { name, upstream }) => {
            assert_eq!((name.as_str(), upstream.as_str()), (stage, before));
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_cut<T>(result: Result<T>, stage: &str, at: u64) {
    match result.map(drop) {
        Err(Error::StageCut { name, sequence }) => {
            assert_eq!((name.as_str(), sequence), (stage, at));
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_overwritten<T>(result: Result<T>, asked: u64, oldest_left: u64) {
    match result.map(drop) {
        Err(Error::Overwritten { ring, sequence, oldest }) => {
            assert_eq!((ring.as_str(), sequence, oldest), ("market", asked, oldest_left));
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_usage<T>(result: Result<T>, part: &str) {
    match result.map(drop) {
        Err(error @ Error::Usage { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    }
}
