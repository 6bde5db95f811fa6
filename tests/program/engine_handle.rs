//! An engine as an application has it: built setting by setting, watched, paused and stopped from
//! other threads, with consumers of the application's own on its rings.
//!
//! Would catch a pause that loses, doubles or hurries messages, a handle that lies, and a consumer
//! that misses records, or whose failure hangs the run or is not named.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ringtape::engine::{Engine, EngineBuilder, EngineConfig, EngineHandle};
use ringtape::error::Error;
use ringtape::event::kinds::Raw;
use ringtape::event::{Event, payload};
use ringtape::feed::Pace;
use ringtape::ring::Wait;
use ringtape::strategy::StrategySpec;
use ringtape::units::AccountId;

use crate::common::runs;

const MESSAGES: u64 = 20_000;

fn builder() -> EngineBuilder {
    Engine::builder(runs::feed(&runs::session(MESSAGES, 3)))
}

/// Waits until something holds, and fails when it never does.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until a paused engine takes nothing more, and says how much it has taken.
fn rest(handle: &EngineHandle) -> u64 {
    let mut last = u64::MAX;
    wait_until("the engine comes to rest", || {
        thread::sleep(Duration::from_millis(20));
        let now = handle.stats().messages;
        now == std::mem::replace(&mut last, now) && handle.lag("matching") == Some(0)
    });
    last
}

#[test]
fn settings_given_one_by_one_are_those_of_a_whole_configuration() {
    let whole = EngineConfig { trader: Some(runs::trader()), ..EngineConfig::default() };
    let whole = builder().config(whole).start().expect("a valid run").join();
    let strategy: StrategySpec = runs::STRATEGY.parse().expect("a strategy");
    let (runners, wait) = (1, Wait::Yield);
    let built = builder().strategy(strategy.build()).audit().runners(runners).wait(wait);
    let built = built.start().expect("a valid run").join();
    assert_eq!((built.hashes, built.trades), (whole.hashes, whole.trades));
    assert!(built.trades.fills > 0 && built.audits > 0 && whole.audits == 0);
    assert_eq!((built.plan.runners.len(), built.plan.wait), (runners, wait));
}

#[test]
fn a_pause_holds_a_paced_feed_and_what_follows_is_due_later() {
    let free = builder().start().expect("a valid run").join();
    let engine = builder().pace(Pace::Rate(100_000)).start().expect("a valid run");
    let handle = engine.handle();
    wait_until("it has begun", || handle.stats().messages > 2_000);
    handle.pause();
    let before = rest(&handle);
    let paused = Duration::from_millis(300);
    thread::sleep(paused);
    assert_eq!((handle.stats().messages, handle.is_paused()), (before, true));
    assert!(before < MESSAGES && !engine.is_finished());
    handle.resume();
    let report = engine.join();
    assert_eq!((report.hashes, report.checks.messages), (free.hashes, MESSAGES));
    // The pause came on top of the 200 ms that the feed takes.
    assert!(Duration::from_nanos(report.flow.0) > Duration::from_millis(199) + paused);
    let ring = &report.stages[0];
    let p50 = ring.latency.meter().summary().p50.expect("enough samples");
    assert!(u128::from(p50) < paused.as_nanos() / 2, "late by {p50} ns: the pause counts as delay");
}

#[test]
fn while_an_unpaced_feed_is_held_commands_get_through_and_a_stop_ends_the_run() {
    let engine = builder().strategy(StrategySpec::None.build());
    let engine = engine.start().expect("a valid run");
    let handle = engine.handle();
    handle.pause();
    let before = rest(&handle);
    let kill = payload::Kill { account: AccountId(0), all_accounts: 1, pad: Raw([0; 24]) };
    let handled = handle.stats().rings[0].handled;
    handle.inbox().post(Event::new(0, 0, kill)).expect("room in the inbox");
    wait_until("the command is sequenced", || handle.stats().rings[0].handled > handled);
    assert_eq!(handle.stats().messages, before);
    handle.stop();
    let report = engine.join();
    assert!(handle.is_stopping());
    assert_eq!((report.commands, report.error.is_none()), (1, true));
    assert_eq!(report.interrupted, before < MESSAGES);
}

#[test]
fn consumers_of_the_application_see_every_record_of_both_rings_once_and_in_order() {
    let (market, seen) = channel();
    let (executed, executions) = channel();
    let mut engine = builder()
        .strategy(runs::STRATEGY.parse::<StrategySpec>().expect("a strategy").build())
        .on_market("counter", move |sequence, _| Ok(market.send(sequence)?))
        .on_executions("fills", move |sequence, _| Ok(executed.send(sequence)?))
        .polled_market("mine")
        .polled_executions("my fills")
        .start()
        .expect("a valid run");
    let mut mine = engine.take_market("mine").expect("declared");
    let mut fills = engine.take_executions("my fills").expect("declared");
    assert!(engine.take_market("mine").is_err(), "it is taken");
    assert!(engine.take_market("yours").is_err(), "it was never declared");
    let (mut polled, mut polled_fills) = (0, 0);
    while !(mine.is_finished() && fills.is_finished()) {
        polled += mine.poll(100).expect("nobody fails").len() as u64;
        polled_fills += fills.poll(100).expect("nobody fails").len() as u64;
    }
    let handle = engine.handle();
    let report = engine.join();
    assert!(report.error.is_none(), "{:?}", report.error);
    assert!(seen.iter().eq(0..report.records) && executions.iter().eq(0..report.executions));
    assert_eq!((polled, polled_fills), (report.records, report.executions));
    assert_eq!(handle.gauges().rings()[0].stages, ["matching", "counter", "mine"]);
    assert_eq!((handle.lag("counter"), handle.lag("my fills")), (Some(0), Some(0)));
}

#[test]
fn a_consumer_that_fails_or_is_left_untaken_ends_the_run_by_name() {
    let failing = builder().on_market("picky", |sequence, _| match sequence {
        7 => Err("it is a seven".into()),
        _ => Ok(()),
    });
    let report = failing.start().expect("a valid run").join();
    let error = report.error.expect("a failed run").to_string();
    assert_eq!(error, "stage `picky` failed at sequence 7: it is a seven");

    let panicking = builder().on_executions("clumsy", |_, _| panic!("dropped a plate"));
    let strategy = runs::STRATEGY.parse::<StrategySpec>().expect("a strategy").build();
    let report = panicking.strategy(strategy).start().expect("a valid run").join();
    let error = report.error.expect("a failed run").to_string();
    assert!(error.contains("clumsy") && error.contains("dropped a plate"), "{error}");

    let forgotten = builder().polled_market("forgotten").start().expect("a valid run").join();
    let error = forgotten.error.expect("a failed run");
    assert!(matches!(error, Error::ConsumerFailed { .. }), "{error}");
    assert!(error.to_string().contains("forgotten"), "{error}");
}
