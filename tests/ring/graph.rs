//! Random acyclic graphs on one thread in random interleavings, with stages that are cut, leave,
//! fail and come later, stages that change records, and observers: would catch a record lost, seen
//! twice, out of order or half changed, a stage that overtakes one before it, a writer that
//! overtakes a reader, somebody gone who holds the ring back, a gauge or a count that is wrong, and
//! an arithmetic slip at the end of the ring.
//!
//! `PROPTEST_CASES` says how many rings are tried; the test prints what came up in them.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::ring_model::{Bench, Declared, End, Plan, Tally};

/// Rings that are tried unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 5_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Claim some slots and commit some of them.
    Produce { claim: usize, commit: usize, or_drop: bool },
    /// Claim and drop the claim.
    Abandon { claim: usize },
    /// Poll at one stage.
    Poll { stage: usize, max: usize, end: End },
    /// Attach a stage.
    Attach { edges: u8, is_detachable: bool, back: Option<u64> },
    /// Tell a stage to go.
    Cut { stage: usize },
    /// Let it go by itself.
    Leave { stage: usize },
    /// Drop its consumer.
    Drop { stage: usize },
    /// Begin to observe.
    Observe,
    /// Poll at one observer.
    PollWatcher { watcher: usize, max: usize, end: End },
    /// Count the free slots.
    CheckFree,
}

fn step() -> impl Strategy<Value = Step> {
    let end = || {
        prop_oneof![
            3 => Just(End::Drop),
            1 => any::<usize>().prop_map(End::At),
            1 => any::<(usize, usize)>().prop_map(|(a, b)| End::EarlyThenAt(a, b)),
            1 => Just(End::Forget),
        ]
    };
    let max = || prop_oneof![0..5_usize, Just(usize::MAX)];
    let stage = || any::<usize>();
    prop_oneof![
        30 => (1..9_usize, any::<usize>(), any::<bool>()).prop_map(|(claim, commit, or_drop)| {
            Step::Produce { claim, commit: commit % (claim + 1), or_drop }
        }),
        3 => (1..9_usize).prop_map(|claim| Step::Abandon { claim }),
        60 => (stage(), max(), end())
            .prop_map(|(stage, max, end)| Step::Poll { stage, max, end }),
        5 => (any::<u8>(), any::<bool>(), prop::option::of(0..12_u64)).prop_map(
            |(edges, is_detachable, back)| Step::Attach { edges, is_detachable, back }
        ),
        1 => stage().prop_map(|stage| Step::Cut { stage }),
        1 => stage().prop_map(|stage| Step::Leave { stage }),
        3 => stage().prop_map(|stage| Step::Drop { stage }),
        1 => Just(Step::Observe),
        8 => (stage(), max(), end())
            .prop_map(|(watcher, max, end)| Step::PollWatcher { watcher, max, end }),
        3 => Just(Step::CheckFree),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    // All edges make a chain, in which a stage can be exclusive.
    let edges = prop_oneof![any::<u8>(), Just(u8::MAX)];
    let declared =
        (edges, any::<bool>(), any::<bool>()).prop_map(|(edges, wants_detach, wants_exclusive)| {
            Declared { edges, wants_detach, wants_exclusive }
        });
    let capacity = prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)];
    let stages = prop::collection::vec(declared, 1..6);
    (capacity, any::<bool>(), 0..4_usize, stages).prop_map(
        |(capacity, is_observable, seats, stages)| Plan { capacity, is_observable, seats, stages },
    )
}

fn take(bench: &mut Bench<'_>, step: Step) {
    match step {
        Step::Produce { claim, commit, or_drop } => bench.produce(claim, commit, or_drop),
        Step::Abandon { claim } => bench.produce(claim, 0, false),
        Step::Poll { stage, max, end } => bench.poll(stage % bench.stages(), max, end),
        Step::Attach { edges, is_detachable, back } => bench.attach(edges, is_detachable, back),
        Step::Cut { stage } => bench.cut(stage % bench.stages()),
        Step::Leave { stage } => bench.leave(stage % bench.stages()),
        Step::Drop { stage } => bench.drop_consumer(stage % bench.stages()),
        Step::Observe => bench.observe(),
        Step::PollWatcher { watcher, max, end } => {
            if let Some(watcher) = watcher.checked_rem(bench.watchers()) {
                bench.poll_watcher(watcher, max, end);
            }
        }
        Step::CheckFree => bench.check_free(),
    }
    bench.check_gauges();
}

#[test]
fn every_stage_sees_every_record_once_in_order_and_never_before_its_upstreams() {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let cases = asked.map_or(CASES, |cases| cases.parse().expect("PROPTEST_CASES is a number"));
    // A failure prints the ring and the steps, so nothing is kept in a file.
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let tally = RefCell::new(Tally::new());
    let rings = (plan(), prop::collection::vec(step(), 1..300));
    let outcome = TestRunner::new(config).run(&rings, |(plan, steps)| {
        let mut tally = tally.borrow_mut();
        *tally.entry("rings").or_default() += 1;
        let mut bench = Bench::new(&plan, &mut tally);
        for step in steps {
            take(&mut bench, step);
        }
        bench.drain();
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let tally = tally.into_inner();
    println!("{tally:#?}");
    assert!(tally["rings"] >= u64::from(cases));
    if cases >= CASES {
        // A step that never comes to anything tests nothing.
        for what in [
            "attached",
            "attaches refused",
            "attaches too late",
            "batches changed",
            "claims dropped",
            "cut by hand",
            "detachable attached",
            "dropped",
            "laggards cut",
            "left",
            "observers lapped",
        ] {
            assert!(tally.get(what).is_some_and(|&times| times > 100), "{what}: {tally:?}");
        }
    }
}
