//! Slices of the ring, written and read: would catch a missing Release or Acquire, a slot written
//! while it is read, and an end that nobody hears of.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use ringtape::error::Error;
use ringtape::ring::Consumer;

use crate::{model, publish, ring};

/// Reads and checks everything until the ring is closed; returns how many records it was.
fn read_all(consumer: &mut Consumer<u64>) -> Result<u64, Error> {
    let mut next = 0;
    while !consumer.is_finished() {
        let batch = consumer.poll(usize::MAX)?;
        if batch.is_empty() {
            thread::yield_now();
        }
        for record in batch.iter() {
            assert_eq!(*record, 10 + next);
            next += 1;
        }
        drop(batch);
        assert!(consumer.lag() <= 2);
    }
    Ok(next)
}

#[test]
fn a_reader_sees_single_commits_lap_after_lap_and_then_the_close() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 1, false);
        let writer = thread::spawn(move || {
            for _ in 0..3 {
                publish(&mut producer, 1).unwrap();
            }
        });
        assert_eq!(read_all(&mut consumers[0]).unwrap(), 3);
        writer.join().unwrap();
    });
}

#[test]
fn a_reader_sees_commits_of_two_over_one() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 1, false);
        let writer = thread::spawn(move || {
            publish(&mut producer, 1).unwrap();
            publish(&mut producer, 2).unwrap();
        });
        assert_eq!(read_all(&mut consumers[0]).unwrap(), 3);
        writer.join().unwrap();
    });
}

#[test]
fn a_reader_that_lags_finds_behind_the_cursor_what_no_stamp_told_it() {
    model(3, || {
        let (mut producer, mut consumers) = ring(4, 1, false);
        let writer = thread::spawn(move || {
            for _ in 0..3 {
                publish(&mut producer, 1).unwrap();
            }
            producer
        });
        let batch = consumers[0].poll(usize::MAX).unwrap();
        assert!(batch.iter().copied().eq((10..).take(batch.len())));
        drop(batch);
        drop(writer.join().unwrap());
        assert!(consumers[0].poll(usize::MAX).is_ok());
    });
}

#[test]
fn two_readers_both_hold_the_writer_back() {
    model(3, || {
        let (mut producer, consumers) = ring(2, 2, false);
        publish(&mut producer, 2).unwrap();
        // Only the writer waits here: loom cannot tell two waiting threads from a deadlock.
        let readers: Vec<_> = consumers
            .into_iter()
            .map(|mut consumer| {
                thread::spawn(move || {
                    let batch = consumer.poll(usize::MAX).unwrap();
                    assert!(batch.iter().eq(&[10, 11]));
                    drop(batch);
                    consumer
                })
            })
            .collect();
        publish(&mut producer, 1).unwrap();
        producer.close();
        for reader in readers {
            let mut consumer = reader.join().unwrap();
            assert!(consumer.poll(usize::MAX).unwrap().iter().eq(&[12]));
        }
    });
}

#[test]
fn a_full_ring_refuses_until_a_slot_is_released() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 1, false);
        publish(&mut producer, 2).unwrap();
        assert!(producer.try_claim(1).unwrap().is_none());
        let mut consumer = consumers.pop().unwrap();
        let reader = thread::spawn(move || {
            let mut batch = consumer.poll(2).unwrap();
            assert!(batch.iter().eq(&[10, 11]));
            batch.release(1);
            drop(batch);
            consumer
        });
        publish(&mut producer, 1).unwrap();
        let mut consumer = reader.join().unwrap();
        assert_eq!(*consumer.poll(1).unwrap().iter().next().unwrap(), 12);
        producer.close();
    });
}

#[test]
fn a_stage_behind_another_sees_its_effects() {
    model(3, || {
        let (mut producer, mut consumers) = ring(2, 2, true);
        let mut second = consumers.pop().unwrap();
        let mut first = consumers.pop().unwrap();
        // Relaxed, so that only the ring's own ordering can make a note visible in time.
        let noted = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let notes = Arc::clone(&noted);
        publish(&mut producer, 2).unwrap();
        producer.close();
        let before = thread::spawn(move || {
            while !first.is_finished() {
                let batch = first.poll(1).unwrap();
                let sequence = batch.first_sequence() as usize;
                if let Some(record) = batch.iter().next() {
                    notes[sequence].store(*record, Ordering::Relaxed);
                }
            }
        });
        while !second.is_finished() {
            let batch = second.poll(2).unwrap();
            for (sequence, record) in (batch.first_sequence() as usize..).zip(batch.iter()) {
                assert_eq!(noted[sequence].load(Ordering::Relaxed), *record);
            }
            drop(batch);
            thread::yield_now();
        }
        before.join().unwrap();
    });
}
