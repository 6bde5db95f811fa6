//! Failures: would catch a producer or a stage that waits for the dead, and a record read after one
//! that failed.

use loom::thread;
use ringtape::error::Error;

use crate::{model, publish, ring};

#[test]
fn a_waiting_producer_learns_that_its_consumer_failed() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 1, false);
        publish(&mut producer, 2).unwrap();
        let mut consumer = consumers.pop().unwrap();
        let reader = thread::spawn(move || consumer.fail(0, "model"));
        match publish(&mut producer, 1) {
            Err(Error::ConsumerFailed { name, sequence: 0, cause }) => {
                assert_eq!((name.as_str(), cause.as_str()), ("stage 0", "model"));
            }
            other => panic!("{other:?}"),
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_stage_behind_a_failed_one_reads_what_was_released_and_then_stops() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 2, true);
        let mut second = consumers.pop().unwrap();
        let mut first = consumers.pop().unwrap();
        publish(&mut producer, 2).unwrap();
        let before = thread::spawn(move || {
            drop(first.poll(1).unwrap());
            first.fail(1, "model");
        });
        let mut read = 0;
        let error = loop {
            match second.poll(2) {
                Ok(batch) if batch.is_empty() => thread::yield_now(),
                Ok(batch) => read += batch.len(),
                Err(error) => break error,
            }
        };
        assert_eq!(read, 1);
        assert!(matches!(error, Error::UpstreamFailed { .. }));
        before.join().unwrap();
    });
}

#[test]
fn a_failed_producer_stops_its_reader_after_what_it_published() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 1, false);
        let writer = thread::spawn(move || {
            publish(&mut producer, 1).unwrap();
            producer.fail();
        });
        let mut read = 0;
        while let Ok(batch) = consumers[0].poll(2) {
            read += batch.len();
            if batch.is_empty() {
                thread::yield_now();
            }
        }
        assert_eq!(read, 1);
        writer.join().unwrap();
    });
}
