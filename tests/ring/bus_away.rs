//! Subscribers that are slow, stuck, failing or away, and the end of a bus.
//!
//! Would catch others that notice, an event that is lost or handled twice around an absence, a
//! publisher that hangs on the dead, and a shutdown that does not end.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ringtape::bus::{Bus, BusStats, Context, SubscriberState};
use ringtape::error::{Error, Result};
use ringtape::ring::{HandlerResult, Policy};

use crate::bus_events::{Add, LONG, Note, Stop, numbers, watch};

/// A handler that sends every number, and at `stuck_at` says so and waits to be let go.
fn sticky(
    stuck_at: u64,
) -> (impl FnMut(&mut (), &Add, Context) -> HandlerResult + Send, Receiver<u64>, Sender<()>) {
    let (send, seen) = channel();
    let (let_go, is_let_go) = channel();
    let handler = move |(): &mut (), event: &Add, _: Context| {
        if event.number == stuck_at {
            let _ = is_let_go.recv();
        }
        Ok(send.send(event.number)?)
    };
    (handler, seen, let_go)
}

/// Waits until `is_so`, and fails when it never is.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

fn state(stats: &BusStats, name: &str) -> (SubscriberState, bool) {
    let subscriber = stats.subscriber(name).expect("a subscriber of that name");
    (subscriber.state.clone(), subscriber.is_running)
}

#[test]
fn a_stuck_detachable_subscriber_is_cut_and_resumed_with_every_event_once() {
    let bus = Bus::builder("shop").capacity(8).start().unwrap();
    let others = watch::<Add>(&bus, "others");
    let (handler, seen, let_go) = sticky(3);
    bus.subscriber("stuck", ()).detachable().on(handler).start().unwrap();
    numbers(&bus, 0..4);
    wait_until("stuck at 3", || bus.stats().subscriber("stuck").unwrap().sequence == 3);
    numbers(&bus, 4..100);
    assert!(bus.settle(LONG), "nobody waits for who was cut");
    assert_eq!(bus.stats().subscriber("others").unwrap().sequence, 100);
    assert_eq!(state(&bus.stats(), "stuck"), (SubscriberState::Cut, true));
    assert_eq!(bus.stats().subscriber("stuck").unwrap().policy, Policy::Detach);

    let resume = |from: &Bus| from.resume("stuck", |_: &Add, _: Context| Ok(()));
    assert!(resume(&bus).is_err(), "its handler has not returned, so nobody knows about event 3");
    drop(let_go);
    let next = bus.wait_end("stuck", LONG).unwrap();
    let seen: Vec<u64> = seen.iter().collect();
    assert_eq!(seen, (0..next).collect::<Vec<_>>(), "up to where it says, and each once");
    assert!((4..=11).contains(&next), "what it had copied of a ring of 8: {next}");
    assert_eq!(state(&bus.stats(), "stuck"), (SubscriberState::Cut, false));
    let Err(Error::Overwritten { oldest, .. }) = resume(&bus) else { panic!("nothing is left") };
    assert!((92..=100).contains(&oldest), "{oldest}");

    let (send, late) = channel();
    let keep = move |(): &mut (), event: &Add, _: Context| Ok(send.send(event.number)?);
    bus.subscriber("stuck", ()).from(oldest).on(keep).start().unwrap();
    numbers(&bus, 100..104);
    assert!(bus.shutdown(LONG).is_clean());
    assert!(late.iter().eq(oldest..104));
    assert!(others.iter().map(|(event, _)| event.number).eq(0..104));
}

#[test]
fn on_a_recorded_bus_a_stuck_subscriber_catches_up_by_itself() {
    let bus = Bus::builder("shop").capacity(8).recorded().start().unwrap();
    let others = watch::<Add>(&bus, "others");
    let (handler, seen, let_go) = sticky(3);
    bus.subscriber("stuck", ()).detachable().on(handler).start().unwrap();
    numbers(&bus, 0..500);
    wait_until("the others go on", || bus.stats().subscriber("others").unwrap().sequence == 500);
    assert_eq!(state(&bus.stats(), "stuck"), (SubscriberState::CatchingUp, true));
    assert!(!bus.settle(Duration::from_millis(20)), "it is still expected");
    drop(let_go);
    assert!(bus.settle(LONG));
    assert_eq!(state(&bus.stats(), "stuck"), (SubscriberState::Live, true));
    numbers(&bus, 500..600);
    let report = bus.shutdown(LONG);
    assert!(report.is_clean(), "{report:?}");
    assert!(seen.iter().eq(0..600));
    assert_eq!(others.iter().count(), 600);
}

#[test]
fn a_failed_detachable_subscriber_is_resumed_while_events_keep_coming() {
    for failing_at in [0, 1, 50, 999] {
        let bus = Bus::builder("shop").capacity(16).recorded().start().unwrap();
        let others = watch::<Add>(&bus, "others");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let email = |is_up: bool| {
            let sent = Arc::clone(&sent);
            move |(): &mut (), event: &Add, _: Context| -> HandlerResult {
                if !is_up && event.number == failing_at {
                    return Err("the mail server is down".into());
                }
                sent.lock().unwrap().push(event.number);
                Ok(())
            }
        };
        bus.subscriber("email", ()).detachable().on(email(false)).start().unwrap();
        let publisher = bus.publisher().unwrap();
        let orders = thread::spawn(move || {
            (0..5_000).try_for_each(|number| publisher.publish(Add { number }))
        });
        assert_eq!(bus.wait_end("email", LONG).unwrap(), failing_at);
        let (state, _) = state(&bus.stats(), "email");
        let cause =
            format!("stage `email` failed at sequence {failing_at}: the mail server is down");
        assert_eq!(state, SubscriberState::Failed(cause));
        let handler = email(true);
        bus.resume("email", move |event: &Add, context| handler(&mut (), event, context)).unwrap();
        orders.join().unwrap().unwrap();
        let report = bus.shutdown(LONG);
        assert!(report.is_clean(), "{report:?}");
        assert!(sent.lock().unwrap().iter().copied().eq(0..5_000), "failed at {failing_at}");
        assert_eq!(others.iter().count(), 5_000);
    }
}

#[test]
fn a_subscriber_that_leaves_and_comes_back_misses_nothing() {
    let bus = Bus::builder("shop").capacity(4).recorded().start().unwrap();
    let (send, seen) = channel();
    for round in 0..20 {
        let send = send.clone();
        let keep = move |event: &Add, _: Context| Ok(send.send(event.number)?);
        match round {
            0 => bus.subscribe("guest", keep).unwrap(),
            _ => bus.resume("guest", keep).unwrap(),
        }
        numbers(&bus, 50 * round..50 * round + 50);
        let next = bus.unsubscribe("guest", LONG).unwrap();
        assert_eq!(state(&bus.stats(), "guest"), (SubscriberState::Left, false));
        assert!(next <= 50 * round + 50);
    }
    let last = move |event: &Add, _: Context| Ok(send.send(event.number)?);
    bus.resume("guest", last).unwrap();
    assert!(bus.shutdown(LONG).is_clean());
    assert!(seen.iter().eq(0..1000));
}

#[test]
fn a_panicking_handler_ends_publishing_with_its_name_and_place() {
    let bus = Bus::builder("shop").capacity(4).start().unwrap();
    let others = watch::<Add>(&bus, "others");
    let payment = |event: &Add, _: Context| {
        assert!(event.number != 7, "no money for {}", event.number);
        Ok(())
    };
    bus.subscribe("payment", payment).unwrap();
    let error = (0..).find_map(|number| bus.publish(Add { number }).err()).unwrap();
    let expected = "stage `payment` failed at sequence 7: no money for 7";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Error::ConsumerFailed { sequence: 7, .. }));
    let subscribed = bus.subscribe("late", |_: &Add, _: Context| Ok(()));
    assert_eq!(subscribed.unwrap_err().to_string(), expected);

    let report = bus.shutdown(LONG);
    assert_eq!(report.failure.as_deref(), Some(expected));
    assert!(!report.is_clean());
    assert_eq!(state(&report.stats, "others"), (SubscriberState::Finished, false));
    let seen = others.iter().map(|(event, _)| event.number);
    assert!(seen.eq(0..report.stats.published), "all that was published");
}

#[test]
fn a_direct_publisher_gets_the_failure_too() {
    let (bus, mut publisher) = Bus::builder("shop").capacity(4).start_direct().unwrap();
    let refuse = |event: &Add, _: Context| match event.number {
        9 => Err("nine".into()),
        _ => Ok(()),
    };
    bus.subscribe("picky", refuse).unwrap();
    let error = (0..).find_map(|number| publisher.publish(Add { number }).err()).unwrap();
    assert_eq!(error.to_string(), "stage `picky` failed at sequence 9: nine");
}

#[test]
fn a_publisher_that_panics_with_the_ring_in_its_hands_is_told_to_subscribers() {
    let (bus, mut publisher) = Bus::builder("shop").start_direct().unwrap();
    let seen = watch::<Add>(&bus, "seen");
    let publisher = thread::spawn(move || {
        publisher.publish(Add { number: 0 }).unwrap();
        panic!("out of orders");
    });
    assert!(publisher.join().is_err());
    let report = bus.shutdown(LONG);
    assert_eq!(seen.iter().count(), 1);
    assert!(report.failure.unwrap().contains("`producer of shop` before it failed"));
}

#[test]
fn handlers_publish_until_everything_that_follows_from_it_is_handled() {
    let bus = Bus::builder("shop").capacity(8).start().unwrap();
    let publisher = bus.publisher().unwrap();
    let countdown = move |event: &Add, _: Context| -> HandlerResult {
        match event.number.checked_sub(1) {
            Some(number) => Ok(publisher.publish(Add { number })?),
            None => Ok(publisher.publish(Stop {})?),
        }
    };
    bus.subscribe("countdown", countdown).unwrap();
    let stops = watch::<Stop>(&bus, "stops");
    bus.publish(Add { number: 1000 }).unwrap();
    let report = bus.shutdown(LONG);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.stats.published, stops.iter().count()), (1002, 1));
}

#[test]
fn a_handler_that_would_wait_for_itself_is_refused_by_name() {
    let bus = Bus::builder("shop").capacity(4).inbox_capacity(4).start().unwrap();
    let publisher = bus.publisher().unwrap();
    let double = move |event: &Add, _: Context| -> HandlerResult {
        for color in 0..10 {
            publisher.publish(Note { letter: event.number as u32, color })?;
        }
        Ok(())
    };
    bus.subscribe("double", double).unwrap();
    let error = (0..1000).find_map(|number| bus.publish(Add { number }).err()).unwrap();
    let text = error.to_string();
    assert!(text.contains("subscriber `double` of bus `shop` waits for itself"), "{text}");
    assert!(!bus.shutdown(LONG).is_clean());
}

#[test]
fn shutdown_leaves_a_handler_behind_that_never_returns() {
    let bus = Bus::builder("shop").capacity(4).inbox_capacity(4).start().unwrap();
    let (handler, seen, let_go) = sticky(2);
    bus.subscriber("stuck", ()).on(handler).start().unwrap();
    let others = watch::<Add>(&bus, "others");
    numbers(&bus, 0..9);
    let begin = Instant::now();
    let report = bus.shutdown(Duration::from_millis(200));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(!report.is_clean());
    let stuck = report.stats.subscriber("stuck").unwrap();
    assert_eq!((stuck.sequence, stuck.is_running, &stuck.state), (2, true, &SubscriberState::Cut));
    assert_eq!(report.stats.published + report.unpublished, 9);
    assert_eq!(stuck.lag, report.stats.published - 2);
    assert_eq!(state(&report.stats, "others"), (SubscriberState::Finished, false));
    assert_eq!(others.iter().count() as u64, report.stats.published);

    drop(let_go);
    assert_eq!(bus.wait_end("stuck", LONG).unwrap(), 3, "it handles nothing after the shutdown");
    assert_eq!(seen.iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_closed_bus_takes_neither_events_nor_subscribers() {
    let bus = Bus::new("shop").unwrap();
    let seen = watch::<Add>(&bus, "seen");
    let publisher = bus.publisher().unwrap();
    numbers(&bus, 0..10);
    bus.close();
    let refused = |result: Result<()>| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains("bus `shop` is closed"), "{text}");
    };
    refused(bus.publish(Stop {}));
    refused(publisher.publish(Stop {}));
    refused(publisher.try_publish(Stop {}).map(drop));
    refused(bus.subscribe("late", |_: &Add, _: Context| Ok(())));
    assert!(bus.shutdown(LONG).is_clean());
    assert!(bus.shutdown(LONG).is_clean(), "a second time it tells the same");
    assert!(seen.iter().map(|(event, _)| event.number).eq(0..10));
}
