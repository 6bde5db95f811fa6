//! Handlers and hooks that fail, panic or never return: would catch a failure that is lost, that
//! names the wrong stage, sequence or cause, or that somebody waits on for ever; a stage that takes
//! others down with it; and a shutdown that takes longer than it was given.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::ring::{
    Consumer, Consumers, Handler, HandlerResult, Policy, Producer, RingBuilder, StageEnd, StageId,
    StageReport, StageState, Wait, Workers,
};

use crate::rings::{
    LONG, assert_consumer_failed, assert_upstream_failed, assert_usage, in_time, publish,
    publish_until_refused, wait_until,
};

/// An observable ring of 8 slots with `bad` of `policy`, `beside`, and for policy stop `behind` it.
struct Bench {
    producer: Producer<u64>,
    consumers: Consumers<u64>,
    workers: Workers<u64>,
    ids: [StageId; 2],
    behind: Option<StageId>,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let mut builder = RingBuilder::<u64>::new("market", 8).unwrap();
        builder.observable().unwrap();
        builder.spare_stages(1);
        let bad = match policy {
            Policy::Stop => builder.stage("bad", &[]).unwrap(),
            Policy::Detach => builder.detachable("bad", &[]).unwrap(),
        };
        let beside = builder.stage("beside", &[]).unwrap();
        let behind = (policy == Policy::Stop).then(|| builder.stage("behind", &[bad]).unwrap());
        let (producer, consumers) = builder.build().unwrap();
        let workers = Workers::new(producer.ring());
        Self { producer, consumers, workers, ids: [bad, beside], behind }
    }

    /// Starts `bad` with this handler and the others with one that does nothing.
    fn start(&mut self, wait: Wait, handler: impl Handler<u64> + Send + 'static) {
        let [bad, beside] = self.ids.map(|id| self.consumers.take(id).unwrap());
        self.workers.spawn(bad, wait, handler).unwrap();
        self.workers.spawn(beside, wait, |_, _: &u64| Ok(())).unwrap();
        if let Some(behind) = self.behind {
            let behind = self.consumers.take(behind).unwrap();
            self.workers.spawn(behind, wait, |_, _: &u64| Ok(())).unwrap();
        }
    }

    /// Closes the ring and checks the end of every stage but the bad one, whose it returns.
    #[track_caller]
    fn end(mut self, failed_at: u64) -> StageReport {
        self.producer.close();
        let published = self.producer.next_sequence();
        let mut reports = self.workers.shutdown(LONG).stages.into_iter();
        let (bad, beside) = (reports.next().unwrap(), reports.next().unwrap());
        assert_eq!((bad.name.as_str(), bad.sequence), ("bad", failed_at));
        assert_eq!(bad.left, published - failed_at);
        assert!(matches!(beside.end, StageEnd::Finished), "{:?}", beside.end);
        assert_eq!((beside.sequence, beside.left), (published, 0));
        if let Some(behind) = reports.next() {
            assert_eq!((behind.sequence, behind.left), (failed_at, published - failed_at));
            if published > failed_at {
                assert_upstream_failed(failure(behind), "behind", "bad");
            }
        }
        bad
    }
}

/// The failure that a report tells of.
#[track_caller]
fn failure(report: StageReport) -> Result<()> {
    match report.end {
        StageEnd::Failed(error) => Err(error),
        end => panic!("{}: {end:?}", report.name),
    }
}

type Fail = Box<dyn FnMut(u64) -> HandlerResult + Send>;

/// Every way in which the handling of a record can fail, with what the cause must say.
fn failing_handlers() -> Vec<(Fail, &'static str)> {
    /// An error that cannot even be shown.
    #[derive(Debug)]
    struct Unspeakable;
    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words");
        }
    }
    impl std::error::Error for Unspeakable {}
    /// What a panic throws that panics again when it is thrown away.
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    vec![
        (Box::new(|sequence| panic!("panic at {sequence}")), "panic at 3"),
        (Box::new(|_| panic!("plain text")), "plain text"),
        (Box::new(|_| std::panic::panic_any(7_u8)), "it panicked"),
        (Box::new(|_| std::panic::panic_any(Grenade)), "it panicked"),
        (Box::new(|sequence| Err(format!("error at {sequence}").into())), "error at 3"),
        (Box::new(|_| Err(Box::new(Unspeakable))), "no words"),
    ]
}

#[test]
fn a_handler_that_fails_at_record_three_stops_the_producer_and_those_behind_it() {
    for wait in Wait::ALL {
        for (mut fail, cause) in failing_handlers() {
            in_time(move || {
                let mut bench = Bench::new(Policy::Stop);
                bench.start(wait, move |sequence, record: &u64| {
                    assert_eq!(sequence, *record);
                    if sequence == 3 { fail(sequence) } else { Ok(()) }
                });
                let error = loop {
                    match bench.producer.claim(1, wait) {
                        Ok(mut claim) => {
                            claim.set(0, claim.first_sequence());
                            claim.commit_all();
                        }
                        Err(error) => break error,
                    }
                };
                assert_consumer_failed(error, "bad", 3, cause);
                let again = bench.producer.claim_or_drop(1).map(drop).unwrap_err();
                assert_consumer_failed(again, "bad", 3, cause);
                let report = bench.end(3);
                assert_consumer_failed(failure(report).unwrap_err(), "bad", 3, cause);
            });
        }
    }
}

#[test]
fn a_detachable_stage_that_fails_at_record_three_disturbs_nobody() {
    for wait in Wait::ALL {
        for (mut fail, cause) in failing_handlers() {
            in_time(move || {
                let mut bench = Bench::new(Policy::Detach);
                bench.start(
                    wait,
                    move |sequence, _: &u64| {
                        if sequence == 3 { fail(sequence) } else { Ok(()) }
                    },
                );
                let ring = bench.producer.ring();
                publish(&mut bench.producer, 4);
                wait_until("the stage has failed", || ring.stages()[0].state == StageState::Failed);
                publish(&mut bench.producer, 96);
                let report = bench.end(3);
                assert_consumer_failed(failure(report).unwrap_err(), "bad", 3, cause);
            });
        }
    }
}

/// A handler of which one hook panics.
struct BadHook(&'static str);

impl BadHook {
    fn enter(&self, hook: &str) {
        assert!(self.0 != hook, "no {hook} today");
    }
}

impl Handler<u64> for BadHook {
    fn start(&mut self) {
        self.enter("start");
    }
    fn batch(&mut self, _: u64, _: usize, _: usize) {
        self.enter("batch");
    }
    fn event(&mut self, _: u64, _: &u64) -> HandlerResult {
        Ok(())
    }
    fn idle(&mut self) {
        self.enter("idle");
    }
    fn stop(&mut self, _: &Result<()>) {
        self.enter("stop");
    }
}

impl Drop for BadHook {
    fn drop(&mut self) {
        self.enter("drop");
    }
}

#[test]
fn a_hook_that_panics_fails_its_stage_and_the_producer_learns_of_it() {
    for hook in ["start", "batch", "idle"] {
        in_time(move || {
            let mut bench = Bench::new(Policy::Stop);
            bench.start(Wait::Yield, BadHook(hook));
            let cause = format!("no {hook} today");
            let error = publish_until_refused(&mut bench.producer);
            let Error::ConsumerFailed { sequence, .. } = error else { panic!("{error}") };
            assert!(hook == "idle" || sequence == 0, "{hook} comes before the first record");
            assert_consumer_failed(error, "bad", sequence, &cause);
            let report = bench.end(sequence);
            assert_consumer_failed(failure(report).unwrap_err(), "bad", sequence, &cause);
        });
    }
}

#[test]
fn a_hook_of_a_detachable_stage_that_panics_disturbs_nobody() {
    for hook in ["start", "batch", "idle"] {
        in_time(move || {
            let mut bench = Bench::new(Policy::Detach);
            let ring = bench.producer.ring();
            if hook == "batch" {
                publish(&mut bench.producer, 1);
            }
            bench.start(Wait::Yield, BadHook(hook));
            wait_until("the stage has failed", || ring.stages()[0].state == StageState::Failed);
            publish(&mut bench.producer, 100);
            let report = bench.end(0);
            let cause = format!("no {hook} today");
            assert_consumer_failed(failure(report).unwrap_err(), "bad", 0, &cause);
        });
    }
}

#[test]
fn the_last_hook_and_the_handlers_own_end_may_panic_too_and_the_report_tells_of_it() {
    for policy in [Policy::Stop, Policy::Detach] {
        for hook in ["stop", "drop"] {
            in_time(move || {
                let mut bench = Bench::new(policy);
                bench.start(Wait::Yield, BadHook(hook));
                let ring = bench.producer.ring();
                for count in 1..=20 {
                    publish(&mut bench.producer, 1);
                    wait_until("all is read", || ring.stages()[0].sequence == count);
                }
                let report = bench.end(20);
                let cause = format!("no {hook} today");
                assert_consumer_failed(failure(report).unwrap_err(), "bad", 20, &cause);
            });
        }
    }
}

#[test]
fn a_first_failure_is_not_hidden_by_a_hook_that_panics_later() {
    struct Twice;
    impl Handler<u64> for Twice {
        fn event(&mut self, _: u64, _: &u64) -> HandlerResult {
            Err("first".into())
        }
        fn stop(&mut self, end: &Result<()>) {
            panic!("second, after {end:?}");
        }
    }
    in_time(|| {
        let mut bench = Bench::new(Policy::Stop);
        bench.start(Wait::Yield, Twice);
        assert_consumer_failed(publish_until_refused(&mut bench.producer), "bad", 0, "first");
        assert_consumer_failed(failure(bench.end(0)).unwrap_err(), "bad", 0, "first");
    });
}

/// A handler that is stuck at record 3 until the test lets it go; it says when it is and how it
/// ended.
struct Stuck {
    go_on: Receiver<()>,
    says: Sender<String>,
}

impl Stuck {
    fn new() -> (Self, Sender<()>, Receiver<String>) {
        let ((let_go, go_on), (says, said)) = (channel(), channel());
        (Self { go_on, says }, let_go, said)
    }
}

impl Handler<u64> for Stuck {
    fn event(&mut self, sequence: u64, _: &u64) -> HandlerResult {
        if sequence == 3 {
            let _ = self.says.send("stuck".to_owned());
            let _ = self.go_on.recv();
        }
        Ok(())
    }
    fn stop(&mut self, end: &Result<()>) {
        let _ = self.says.send(format!("{end:?}"));
    }
}

#[test]
fn a_detachable_stage_that_never_returns_is_cut_and_the_others_go_on() {
    for wait in Wait::ALL {
        in_time(move || {
            let mut bench = Bench::new(Policy::Detach);
            let (stuck, let_go, said) = Stuck::new();
            bench.start(wait, stuck);
            let ring = bench.producer.ring();
            for count in 1..=4 {
                publish(&mut bench.producer, 1);
                wait_until("it is at record 3", || ring.stages()[0].sequence == count.min(3));
            }
            assert_eq!(said.recv_timeout(LONG).unwrap(), "stuck");
            publish(&mut bench.producer, 96);
            let status = &ring.stages()[0];
            assert_eq!((status.state, status.sequence, status.lag), (StageState::Cut, 3, 97));

            // Another one may take its name; the report is still about the one that is stuck.
            let mut again = ring.attach_detachable("bad", None).unwrap();
            publish(&mut bench.producer, 2);
            bench.producer.close();
            let report = bench.workers.shutdown(Duration::from_millis(50));
            assert!(!report.is_complete());
            let [bad, beside] = &report.stages[..] else { panic!("{report:?}") };
            assert!(matches!(bad.end, StageEnd::StillRunning), "{:?}", bad.end);
            assert_eq!((bad.sequence, bad.left), (3, 99));
            assert!(matches!(beside.end, StageEnd::Finished), "{:?}", beside.end);
            assert_eq!((beside.sequence, beside.left), (102, 0));
            assert_eq!(again.poll(9).unwrap().len(), 2);

            // Its thread ends by itself once the handler returns.
            let_go.send(()).unwrap();
            let end = said.recv_timeout(LONG).unwrap();
            assert!(end.contains("StageCut") && end.contains("sequence: 4"), "{end}");
        });
    }
}

#[test]
fn a_stage_that_never_returns_stops_the_producer_only_as_long_as_the_producer_wants() {
    for wait in Wait::ALL {
        in_time(move || {
            let mut bench = Bench::new(Policy::Stop);
            let (stuck, let_go, said) = Stuck::new();
            bench.start(wait, stuck);
            let ring = bench.producer.ring();
            for count in 1..=4 {
                publish(&mut bench.producer, 1);
                wait_until("it is at record 3", || ring.stages()[0].sequence == count.min(3));
            }
            assert_eq!(said.recv_timeout(LONG).unwrap(), "stuck");
            publish(&mut bench.producer, 7);
            let short = Duration::from_millis(5);
            let begin = Instant::now();
            assert!(bench.producer.claim_timeout(1, wait, short).unwrap().is_none());
            assert!(begin.elapsed() >= short);
            assert!(bench.producer.claim_or_drop(1).unwrap().is_none());
            assert_eq!(bench.producer.dropped(), 1);
            assert_usage(ring.cut("bad"), "`behind` follows it");

            bench.producer.close();
            let report = bench.workers.shutdown(Duration::from_millis(50));
            let [bad, beside, behind] = &report.stages[..] else { panic!("{report:?}") };
            for report in [bad, behind] {
                assert!(matches!(report.end, StageEnd::StillRunning), "{:?}", report.end);
                assert_eq!((report.sequence, report.left), (3, 8));
            }
            assert!(matches!(beside.end, StageEnd::Finished) && beside.left == 0);
            let_go.send(()).unwrap();
            assert_eq!(said.recv_timeout(LONG).unwrap(), "Ok(())");
        });
    }
}

#[test]
fn a_handler_whose_end_never_comes_does_not_hold_up_the_shutdown() {
    struct Sticky(Receiver<()>);
    impl Handler<u64> for Sticky {
        fn event(&mut self, _: u64, _: &u64) -> HandlerResult {
            Ok(())
        }
    }
    impl Drop for Sticky {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    in_time(|| {
        let mut bench = Bench::new(Policy::Stop);
        let (_let_go, go_on) = channel();
        bench.start(Wait::Yield, Sticky(go_on));
        publish(&mut bench.producer, 5);
        bench.producer.close();
        let report = bench.workers.shutdown(Duration::from_millis(200));
        assert!(matches!(report.stages[0].end, StageEnd::StillRunning));
        assert!(matches!(report.stages[1].end, StageEnd::Finished));
        assert!(matches!(report.stages[2].end, StageEnd::Finished));
    });
}

#[test]
fn workers_end_when_the_producer_dies_in_the_middle_of_a_claim() {
    in_time(|| {
        let mut bench = Bench::new(Policy::Stop);
        bench.start(Wait::Park, |_, _: &u64| Ok(()));
        let mut producer = bench.producer;
        let thread = std::thread::spawn(move || {
            publish(&mut producer, 5);
            let mut claim = producer.claim(3, Wait::Yield).unwrap();
            claim.set(0, 77);
            panic!("bad feed");
        });
        thread.join().unwrap_err();
        for report in bench.workers.shutdown(LONG).stages {
            assert_eq!((report.sequence, report.left), (5, 0));
            let name = report.name.clone();
            assert_upstream_failed(failure(report), &name, "producer of market");
        }
    });
}

#[test]
fn a_stage_that_is_cut_by_hand_ends_as_cut_and_the_producer_goes_on() {
    for policy in [Policy::Stop, Policy::Detach] {
        in_time(move || {
            let mut builder = RingBuilder::<u64>::new("market", 8).unwrap();
            builder.observable().unwrap();
            builder.spare_stages(1);
            let (mut producer, _) = builder.build().unwrap();
            let ring = producer.ring();
            let guest: Consumer<u64> = match policy {
                Policy::Stop => ring.attach("guest", &[]).unwrap(),
                Policy::Detach => ring.attach_detachable("guest", None).unwrap(),
            };
            let mut workers = Workers::new(ring.clone());
            workers.spawn(guest, Wait::Park, |_, _: &u64| Ok(())).unwrap();
            for count in 1..=20 {
                publish(&mut producer, 1);
                wait_until("it is read", || ring.stages()[0].sequence == count);
            }
            assert_eq!(ring.cut("guest").unwrap(), 20);
            let report = workers.shutdown(LONG);
            assert!(matches!(report.stages[0].end, StageEnd::Cut), "{report:?}");
            assert_eq!((report.stages[0].sequence, report.stages[0].left), (20, 0));
            publish(&mut producer, 20);
        });
    }
}
