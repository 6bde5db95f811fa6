//! Catching up from a recording: would catch a record that is lost or seen twice where the
//! recording ends and the live ring begins, at whatever moment that is, and a stage that waits for
//! ever because its recording does not go on.
//!
//! ```text
//!     producer ----> recorder ~~~> recording ~~~.
//!         '--------> late, cut at c             '~~~> late again, from c on ----> live
//! ```

use std::thread;

use ringtape::error::{Error, Result};
use ringtape::ring::{
    CatchUp, Consumer, HandlerResult, MemoryRecording, Policy, Producer, Recording, Ring,
    RingBuilder, StageEnd, StageState, Wait, Workers,
};

use crate::rings::{LONG, assert_consumer_failed, assert_cut, assert_usage, in_time};
use crate::stream::{Record, is_whole, record};

type Late = CatchUp<Record, MemoryRecording<Record>>;

/// A ring with a recorder and a stage that catches up, driven step by step.
struct Bench {
    producer: Producer<Record>,
    recorder: Consumer<Record>,
    recording: MemoryRecording<Record>,
    ring: Ring<Record>,
    late: Option<Late>,
    policy: Policy,
    /// What the stage saw, before it was cut and since: the next sequence it is to see.
    seen: u64,
}

impl Bench {
    fn new(capacity: usize, policy: Policy) -> Self {
        let mut builder = RingBuilder::<Record>::new("market", capacity).unwrap();
        builder.observable().unwrap();
        builder.spare_stages(1);
        let recorder = builder.stage("recorder", &[]).unwrap();
        let (producer, mut consumers) = builder.build().unwrap();
        Self {
            ring: producer.ring(),
            producer,
            recorder: consumers.take(recorder).unwrap(),
            recording: MemoryRecording::new(),
            late: None,
            policy,
            seen: 0,
        }
    }

    /// Publishes one record if there is room.
    fn produce(&mut self) {
        if let Some(mut claim) = self.producer.try_claim(1).unwrap() {
            claim.set(0, record(claim.first_sequence()));
            claim.commit_all();
        }
    }

    /// Records all but the newest `lag` records, at most `max`.
    fn record(&mut self, lag: u64, max: usize) {
        let behind = self.recorder.lag().saturating_sub(lag) as usize;
        let recording = &self.recording;
        let keep = |_, record: &Record| {
            recording.push(*record);
            Ok::<_, String>(())
        };
        self.recorder.poll_each(behind.min(max), keep).unwrap();
    }

    fn restart(&mut self) {
        let recording = self.recording.clone();
        self.late = Some(self.ring.attach_from("late", self.policy, self.seen, recording).unwrap());
    }

    fn poll(&mut self, max: usize) {
        let seen = &mut self.seen;
        let look = |sequence, found: &Record| {
            assert!(is_whole(found));
            assert_eq!((sequence, found[0]), (*seen, *seen));
            *seen += 1;
            Ok::<_, String>(())
        };
        let late = self.late.as_mut().expect("it was restarted");
        let before = late.poll_each(max, look).unwrap();
        assert!(before <= max);
    }

    /// Closes the ring, with `lag` records not yet recorded, and lets everybody come to the end.
    fn end(mut self, lag: u64, max: usize) {
        let published = self.producer.next_sequence();
        self.producer.close();
        for step in 0..3 * published + 9 {
            self.record(lag.saturating_sub(step), usize::MAX);
            self.poll(max);
        }
        assert!(self.recorder.is_finished());
        let late = self.late.expect("it was restarted");
        assert!(late.is_live() && late.is_finished(), "{} of {published}", self.seen);
        assert_eq!(self.seen, published);
    }
}

const POLICIES: [Policy; 2] = [Policy::Stop, Policy::Detach];

/// Calls `run` with every order of so many of each step.
fn for_every_order(counts: [usize; 3], order: &mut Vec<usize>, run: &mut impl FnMut(&[usize])) {
    if counts == [0; 3] {
        return run(order);
    }
    for step in 0..3 {
        let mut rest = counts;
        if rest[step] > 0 {
            rest[step] -= 1;
            order.push(step);
            for_every_order(rest, order, run);
            order.pop();
        }
    }
}

#[test]
fn every_order_of_publishing_recording_and_reading_shows_every_record_once() {
    for policy in POLICIES {
        for capacity in [1, 2, 4] {
            for from in 0..2 {
                for_every_order([4, 3, 4], &mut Vec::new(), &mut |order| {
                    let mut bench = Bench::new(capacity, policy);
                    for _ in 0..from {
                        bench.produce();
                        bench.record(0, 1);
                    }
                    bench.seen = from;
                    bench.restart();
                    for step in order {
                        match step {
                            0 => bench.produce(),
                            1 => bench.record(0, 1),
                            _ => bench.poll(1),
                        }
                    }
                    bench.end(0, 1);
                });
            }
        }
    }
}

/// A stage that was cut at `cut` and is restarted when `restart` records are published; the
/// recorder lags by `lag`, and `pace` records are published between two polls of `max`.
#[derive(Clone, Copy, Debug)]
struct Moment {
    capacity: usize,
    policy: Policy,
    lag: u64,
    cut: u64,
    restart: u64,
    pace: u64,
    max: usize,
}

impl Moment {
    /// Reads a stream of `records` from beginning to end, with the one cut and restart in it.
    fn run(self, records: u64) {
        let mut bench = Bench::new(self.capacity, self.policy);
        let mut first = match self.policy {
            Policy::Stop => bench.ring.attach("late", &[]).unwrap(),
            Policy::Detach => bench.ring.attach_detachable("late", None).unwrap(),
        };
        while bench.seen < self.cut {
            bench.produce();
            bench.record(self.lag, usize::MAX);
            bench.seen += first.poll(1).unwrap().len() as u64;
        }
        assert_eq!(bench.ring.cut("late").unwrap(), self.cut);
        assert_cut(first.poll(1), "late", self.cut);
        drop(first);
        while bench.producer.next_sequence() < self.restart {
            bench.produce();
            bench.record(self.lag, usize::MAX);
        }
        bench.restart();
        let mut steps = 0;
        while bench.producer.next_sequence() < records && steps < 4 * records {
            for _ in 0..self.pace {
                bench.produce();
                bench.record(self.lag, usize::MAX);
            }
            bench.poll(self.max);
            steps += 1;
        }
        bench.end(self.lag, self.max);
    }
}

#[test]
fn a_stage_that_was_cut_anywhere_is_restarted_anywhere_without_a_gap_or_a_repeat() {
    let mut moments = 0;
    for capacity in [1, 2, 4, 8] {
        let records = 3 * capacity as u64 + 3;
        for policy in POLICIES {
            for lag in 0..capacity as u64 {
                for cut in 0..=records {
                    for restart in cut..=records {
                        for (pace, max) in [(1, 1), (1, 3), (2, 1), (capacity as u64 + 1, 2)] {
                            let moment = Moment { capacity, policy, lag, cut, restart, pace, max };
                            moment.run(records);
                            moments += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(moments > 20_000, "{moments}");
}

#[test]
fn one_that_is_lapped_again_falls_back_to_the_recording_as_often_as_it_takes() {
    for capacity in [1, 2, 4, 8] {
        let mut bench = Bench::new(capacity, Policy::Detach);
        bench.restart();
        let mut falls = 0;
        for round in 0..50 {
            bench.produce();
            bench.record(0, usize::MAX);
            bench.poll(usize::MAX);
            assert!(bench.late.as_ref().unwrap().is_live(), "round {round}");
            assert_eq!(bench.seen, bench.producer.next_sequence());
            for _ in 0..=capacity {
                bench.produce();
                bench.record(0, usize::MAX);
            }
            assert_eq!(bench.ring.stages()[1].state, StageState::Cut);
            while !bench.late.as_ref().unwrap().is_live() || falls == round {
                bench.poll(1);
                falls += u64::from(!bench.late.as_ref().unwrap().is_live() && falls == round);
            }
        }
        assert_eq!(falls, 50);
        bench.end(0, 1);
    }
}

#[test]
fn one_that_is_cut_by_hand_does_not_come_back_by_itself() {
    for lapped_first in [false, true] {
        let mut bench = Bench::new(4, Policy::Detach);
        bench.restart();
        bench.poll(1);
        for _ in 0..if lapped_first { 5 } else { 2 } {
            bench.produce();
            bench.record(0, usize::MAX);
        }
        assert_eq!(bench.ring.cut("late").unwrap(), 0);
        let mut late = bench.late.take().unwrap();
        assert_cut(late.poll_each(9, |_, _| Ok::<_, String>(())), "late", 0);
        assert_cut(late.run(Wait::Yield, &mut |_, _: &Record| Ok(())), "late", 0);
    }
}

#[test]
fn a_beginning_that_makes_no_sense_is_refused_at_once() {
    let mut bench = Bench::new(2, Policy::Stop);
    bench.produce();
    for sequence in [2, u64::MAX] {
        let recording = bench.recording.clone();
        let late = bench.ring.attach_from("late", Policy::Stop, sequence, recording);
        assert_usage(late, "begin at 1 or before");
    }
    let mut builder = RingBuilder::<u64>::new("market", 2).unwrap();
    builder.exclusive("own", &[]).unwrap();
    let (_producer, consumers) = builder.build().unwrap();
    let late = consumers.ring().attach_from("late", Policy::Stop, 0, MemoryRecording::new());
    assert_usage(late, "at once");
}

#[test]
fn without_a_seat_or_with_its_name_taken_it_says_so_and_loses_nothing() {
    let mut bench = Bench::new(2, Policy::Stop);
    let guest = bench.ring.attach("guest", &[]).unwrap();
    bench.produce();
    bench.record(0, 1);
    bench.restart();
    let look = |_, _: &Record| Ok::<_, String>(());
    let late = bench.late.as_mut().unwrap();
    assert_usage(late.poll_each(9, look), "no seat left for `late`");
    guest.leave().unwrap();
    let other = bench.ring.attach("late", &[]).unwrap();
    assert_usage(late.poll_each(9, look), "already has a stage `late`");
    other.leave().unwrap();
    bench.end(0, 9);
}

#[test]
fn a_recording_ahead_of_the_ring_is_no_mistake() {
    for policy in POLICIES {
        let mut bench = Bench::new(4, policy);
        bench.restart();
        // Kept before it is published, as a write-ahead log does.
        for sequence in 0..3 {
            bench.recording.push(record(sequence));
        }
        bench.poll(9);
        assert_eq!(bench.seen, 3);
        bench.poll(9);
        for _ in 0..3 {
            assert!(!bench.late.as_ref().unwrap().is_live());
            bench.produce();
            assert_eq!(bench.recorder.poll(9).unwrap().len(), 1);
            bench.poll(9);
        }
        assert!(bench.late.as_ref().unwrap().is_live());
        bench.produce();
        bench.end(0, 9);
    }
}

/// A recording that is not what it should be.
struct Liar(fn(usize) -> Result<usize>);

impl Recording<Record> for Liar {
    fn read(&mut self, _: u64, records: &mut [Record]) -> Result<usize> {
        self.0(records.len())
    }
}

#[test]
fn a_recording_that_fails_or_gives_too_much_does_not_pass_for_records() {
    let bench = Bench::new(4, Policy::Stop);
    let attach = |liar| bench.ring.attach_from("late", Policy::Stop, 0, Liar(liar)).unwrap();
    let handler = &mut |_, _: &Record| -> HandlerResult { panic!("these are no records") };
    let mut late = attach(|_| Err(Error::usage("no such file", "look elsewhere")));
    assert_usage(late.run(Wait::Yield, handler), "no such file");
    for lie in [|wanted| Ok(wanted + 1), |_| Ok(usize::MAX)] as [fn(usize) -> _; 2] {
        let error = attach(lie).run(Wait::Yield, handler).unwrap_err();
        assert_consumer_failed(error, "late", 0, "records, ");
    }
}

#[test]
fn one_whose_handler_failed_stays_failed() {
    let mut bench = Bench::new(4, Policy::Stop);
    bench.produce();
    bench.produce();
    bench.record(1, 9);
    bench.restart();
    bench.poll(1);
    // It has its seat and misses one record of the recording.
    bench.record(0, 9);
    let late = bench.late.as_mut().unwrap();
    assert!(!late.is_live());
    let error = late.poll_each(1, |_, _| Err("no")).unwrap_err();
    assert_consumer_failed(error, "late", 1, "no");
    for _ in 0..3 {
        let error = late.poll_each(9, |_, _| Ok::<_, String>(())).unwrap_err();
        assert_consumer_failed(error, "late", 1, "no");
    }
    let refusal = bench.producer.try_claim(1).map(drop).unwrap_err();
    assert_consumer_failed(refusal, "late", 1, "no");
}

#[test]
fn one_whose_recorder_failed_or_went_ends_with_the_ring() {
    for policy in POLICIES {
        for wait in Wait::ALL {
            for (published, recorded) in [(7, 0), (2, 0), (4, 2), (4, 3)] {
                for is_cut in [false, true] {
                    in_time(move || {
                        let mut bench = Bench::new(8, policy);
                        (0..published).for_each(|_| bench.produce());
                        bench.record(0, recorded);
                        bench.restart();
                        let mut late = bench.late.take().unwrap();
                        let thread = thread::spawn(move || {
                            late.run(wait, &mut |_, _: &Record| Ok(())).unwrap_err()
                        });
                        match is_cut {
                            true => drop(bench.recorder.leave().unwrap()),
                            false => bench.recorder.fail(recorded as u64, "disk full"),
                        }
                        drop(bench.producer);
                        let error = thread.join().unwrap();
                        assert_consumer_failed(error, "late", recorded as u64, "recording ends");
                    });
                }
            }
        }
    }
}

#[test]
fn two_that_wait_for_the_same_dead_recorder_do_not_wait_for_each_other() {
    in_time(|| {
        let mut builder = RingBuilder::<u64>::new("market", 8).unwrap();
        builder.spare_stages(2);
        let recorder = builder.stage("recorder", &[]).unwrap();
        let (mut producer, mut consumers) = builder.build().unwrap();
        let mut workers = Workers::new(producer.ring());
        crate::rings::publish(&mut producer, 2);
        for name in ["one", "two"] {
            let recording = MemoryRecording::<u64>::new();
            let late = producer.ring().attach_from(name, Policy::Stop, 0, recording).unwrap();
            workers.spawn(late, Wait::Park, |_, _: &u64| Ok(())).unwrap();
        }
        crate::rings::wait_until("both have a seat", || producer.ring().stages().len() == 3);
        consumers.take(recorder).unwrap().fail(0, "disk full");
        for stage in workers.shutdown(LONG).stages {
            assert!(matches!(stage.end, StageEnd::Failed(_)), "{stage:?}");
            assert_eq!((stage.sequence, stage.left), (0, 2));
        }
    });
}

#[test]
fn many_stages_catch_up_at_once_with_a_producer_that_does_not_wait() {
    const RECORDS: u64 = 60_000;
    for policy in POLICIES {
        in_time(move || {
            let mut builder = RingBuilder::<Record>::new("market", 64).unwrap();
            builder.observable().unwrap();
            builder.spare_stages(4);
            let recorder = builder.stage("recorder", &[]).unwrap();
            let (mut producer, mut consumers) = builder.build().unwrap();
            let ring = producer.ring();
            let recording = MemoryRecording::new();
            let mut workers = Workers::new(ring.clone());
            let consumer = consumers.take(recorder).unwrap();
            workers.spawn(consumer, Wait::Auto, recording.clone()).unwrap();
            let mut begun = 0;
            while producer.next_sequence() < RECORDS {
                let mut claim = producer.claim(1, Wait::Auto).unwrap();
                let sequence = claim.first_sequence();
                claim.set(0, record(sequence));
                claim.commit_all();
                if sequence % 15_000 == 14_000 {
                    let from = sequence / 2;
                    let name = format!("late {begun}");
                    let late = ring.attach_from(&name, policy, from, recording.clone()).unwrap();
                    let mut next = from;
                    let look = move |sequence, found: &Record| -> HandlerResult {
                        assert!(is_whole(found));
                        assert_eq!((sequence, found[0]), (next, next));
                        next += 1;
                        Ok(())
                    };
                    workers.spawn(late, Wait::Auto, look).unwrap();
                    begun += 1;
                }
            }
            producer.close();
            let report = workers.shutdown(LONG);
            assert!(report.is_complete() && report.stages.len() == 5, "{report:?}");
            assert!(report.stages.iter().all(|stage| (stage.sequence, stage.left) == (RECORDS, 0)));
        });
    }
}
