//! Stages that read a recording and then the ring: would catch a gap or a repeat where they change
//! over, also when they are cut off and change back.

use loom::thread;
use ringtape::ring::{MemoryRecording, Policy, RingBuilder};

use crate::{model, publish};

fn catch_up(policy: Policy, records: u64, preemptions: usize) {
    model(preemptions, move || {
        let mut builder = RingBuilder::new("model", 1).unwrap();
        if policy == Policy::Detach {
            builder.observable().unwrap();
        }
        builder.spare_stages(1);
        let (mut producer, _) = builder.build().unwrap();
        let recording = MemoryRecording::new();
        let ring = producer.ring();
        let mut late = ring.attach_from("late", policy, 0, recording.clone()).unwrap();
        let writer = thread::spawn(move || {
            for sequence in 0..records {
                publish(&mut producer, 1).unwrap();
                recording.push(10 + sequence);
            }
        });
        let mut next = 0;
        while next < records {
            let count = late.poll_each(usize::MAX, |sequence, record| {
                assert_eq!((sequence, *record), (next, 10 + next));
                next += 1;
                Ok::<(), String>(())
            });
            if count.unwrap() == 0 {
                thread::yield_now();
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_stage_that_catches_up_sees_every_record_once() {
    catch_up(Policy::Stop, 2, 2);
}

#[test]
fn a_detachable_stage_that_falls_behind_again_sees_every_record_once() {
    catch_up(Policy::Detach, 2, 2);
}
