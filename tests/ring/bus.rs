//! The bus: types, order, publishers, subscribers that come and go, and what is refused.
//!
//! Would catch an event that reaches who did not ask for it, that is lost, doubled or out of its
//! publisher's order, a publisher that is told `Ok` for an event that nobody gets, and a mistake of
//! the caller that is not refused by name.

use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use ringtape::bus::{
    Bus, BusEvent, Context, DirectPublisher, Envelope, PolledSubscriber, Publisher,
};
use ringtape::error::Error;
use ringtape::ring::{HandlerResult, MemoryRecording};

use crate::bus_events::{Add, LONG, Note, Stop, numbers, watch};

#[test]
fn a_subscriber_sees_the_types_that_it_asked_for_and_no_other() {
    let bus = Bus::new("shop").unwrap();
    let adds = watch::<Add>(&bus, "adds");
    let notes = watch::<Note>(&bus, "notes");
    let (send, both) = mpsc::channel();
    bus.subscriber("both", send)
        .on(|send, event: &Add, context: Context| {
            Ok(send.send((Add::ID, event.number, context.sequence))?)
        })
        .on(|send, event: &Note, context: Context| {
            Ok(send.send((Note::ID, u64::from(event.letter), context.sequence))?)
        })
        .start()
        .unwrap();
    for number in 0..300 {
        match number % 3 {
            0 => bus.publish(Add { number }).unwrap(),
            1 => bus.publish(Note { letter: number as u32, color: 0 }).unwrap(),
            _ => bus.publish(Stop {}).unwrap(),
        }
    }
    assert!(bus.settle(LONG));
    let stats = bus.stats();
    let delivered = |name: &str| stats.subscriber(name).unwrap().delivered;
    assert_eq!((delivered("adds"), delivered("notes"), delivered("both")), (100, 100, 200));
    assert!(bus.shutdown(LONG).is_clean());

    let (adds, notes): (Vec<_>, Vec<_>) = (adds.iter().collect(), notes.iter().collect());
    assert!(adds.iter().map(|(event, _)| event.number).eq((0..300).step_by(3)));
    assert!(notes.iter().map(|(event, _)| u64::from(event.letter)).eq((1..300).step_by(3)));
    assert!(adds.iter().all(|(event, context)| event.number == context.sequence));
    let expected = (0..300).filter(|number| number % 3 < 2);
    assert!(both.iter().eq(expected.map(|number| (number as u32 % 3 + 1, number, number))));
}

#[test]
fn several_publishers_keep_their_order_and_nothing_is_lost_or_doubled() {
    const EVENTS: u64 = 20_000;
    let bus = Bus::builder("shop").capacity(64).inbox_capacity(16).start().unwrap();
    let seen = [watch::<Add>(&bus, "first"), watch::<Add>(&bus, "second")];
    let start = Arc::new(Barrier::new(3));
    let publishers = [0; 3].map(|_| {
        let (publisher, start) = (bus.publisher().unwrap(), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            (0..EVENTS).for_each(|number| publisher.publish(Add { number }).unwrap());
        })
    });
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    let report = bus.shutdown(LONG);
    assert!(report.is_clean(), "{report:?}");
    assert!(report.stats.waited > 0, "the inbox of 16 was never full");

    let [first, second] = seen.map(|seen| seen.iter().collect::<Vec<_>>());
    assert_eq!(first, second, "subscribers see one order");
    for publisher in 1..=3 {
        let own = first.iter().filter(|(_, context)| context.publisher == publisher);
        assert!(own.map(|(event, _)| event.number).eq(0..EVENTS), "publisher {publisher}");
    }
    assert!(first.iter().map(|(_, context)| context.sequence).eq(0..3 * EVENTS));
}

#[test]
fn every_event_that_was_accepted_while_the_bus_was_closed_reaches_everybody() {
    for _ in 0..50 {
        let bus = Bus::builder("shop").inbox_capacity(8).start().unwrap();
        let seen = watch::<Add>(&bus, "seen");
        let publishers = [0; 2].map(|_| {
            let publisher = bus.publisher().unwrap();
            thread::spawn(move || {
                let accepted = |number: &u64| publisher.publish(Add { number: *number }).is_ok();
                (0..).take_while(accepted).count()
            })
        });
        thread::sleep(Duration::from_micros(300));
        bus.close();
        let accepted: usize = publishers.map(|publisher| publisher.join().unwrap()).iter().sum();
        assert!(bus.shutdown(LONG).is_clean());
        assert_eq!(seen.iter().count(), accepted);
    }
}

#[test]
fn a_late_subscriber_begins_now_or_wherever_the_recording_does() {
    let bus = Bus::builder("shop").capacity(4).recorded().start().unwrap();
    numbers(&bus, 0..100);
    assert!(bus.settle(LONG));
    let now = watch::<Add>(&bus, "now");
    let (send, all) = mpsc::channel();
    let keep =
        move |send: &mut mpsc::Sender<_>, event: &Add, _: Context| Ok(send.send(event.number)?);
    bus.subscriber("all", send).from(0).on(keep).start().unwrap();
    numbers(&bus, 100..200);
    assert!(bus.shutdown(LONG).is_clean());
    assert!(now.iter().map(|(event, _)| event.number).eq(100..200));
    assert!(all.iter().eq(0..200));
}

#[test]
fn without_a_recording_a_subscriber_begins_with_what_the_ring_still_holds() {
    let (bus, mut publisher) = Bus::builder("shop").capacity(4).start_direct().unwrap();
    (0..10).for_each(|number| assert_eq!(publisher.publish(Add { number }).unwrap(), number));
    let begin = |name: &str, sequence| {
        bus.subscriber(name, Vec::new()).from(sequence).on(keep_number).polled()
    };
    assert!(matches!(begin("gone", 7), Err(Error::Overwritten { sequence: 7, oldest: 8, .. })));
    assert_usage(begin("early", 11), "begin at 10 or before");
    let mut held = begin("held", 8).unwrap();
    assert_eq!(held.poll(100).unwrap(), 2);
    assert_eq!(*held.state(), [8, 9]);
}

#[test]
fn a_direct_publisher_serves_the_same_subscribers_and_is_the_only_one() {
    let (bus, mut publisher) = Bus::builder("shop").capacity(8).start_direct().unwrap();
    let seen = watch::<Add>(&bus, "seen");
    for number in 0..1000 {
        assert_eq!(publisher.publish(Add { number }).unwrap(), number);
    }
    assert_usage(bus.publish(Add { number: 0 }), "one direct publisher");
    assert_usage(bus.publisher(), "one direct publisher");
    drop(publisher);
    assert!(bus.shutdown(LONG).is_clean());
    assert!(seen.iter().map(|(event, _)| event.number).eq(0..1000));
}

#[test]
fn a_direct_publisher_is_refused_once_the_bus_is_shut_down() {
    let (bus, mut publisher) = Bus::builder("shop").capacity(8).start_direct().unwrap();
    let seen = watch::<Add>(&bus, "seen");
    publisher.publish(Add { number: 0 }).unwrap();
    let shutdown = thread::spawn(move || bus.shutdown(LONG));
    while publisher.publish(Add { number: 1 }).is_ok() {
        thread::yield_now();
    }
    assert_usage(publisher.publish(Add { number: 2 }), "bus `shop` is closed");
    drop(publisher);
    assert!(shutdown.join().unwrap().is_clean());
    assert!(seen.iter().all(|(event, _)| event.number < 2));
}

#[test]
fn a_polled_subscriber_runs_in_its_owners_loop_and_leaves_when_dropped() {
    let (bus, mut publisher) = Bus::builder("shop").capacity(4).start_direct().unwrap();
    let mut polled = bus.subscriber("sum", Vec::new()).on(keep_number).polled().unwrap();
    (0..4).for_each(|number| assert_eq!(publisher.publish(Add { number }).unwrap(), number));
    assert_eq!(publisher.try_publish(Add { number: 4 }).unwrap(), None, "the ring is full");
    assert_eq!(publisher.publish_within(Stop {}, Duration::from_millis(2)).unwrap(), None);
    assert_eq!((bus.stats().refused, bus.stats().fill), (2, 4));
    assert_eq!(polled.poll(3).unwrap(), 3);
    assert_eq!(*polled.state(), [0, 1, 2]);
    assert_eq!(bus.stats().subscriber("sum").unwrap().lag, 1);
    drop(polled);
    (4..20).for_each(|number| assert_eq!(publisher.publish(Add { number }).unwrap(), number));
    assert_eq!(bus.wait_end("sum", Duration::ZERO).unwrap(), 3);
    drop(publisher);
    assert!(bus.shutdown(LONG).is_clean());
}

#[test]
fn a_full_inbox_refuses_who_does_not_wait_and_counts_it() {
    let bus = Bus::builder("shop").capacity(1).inbox_capacity(2).start().unwrap();
    let polled = bus.subscriber("slow", Vec::new()).on(keep_number).polled().unwrap();
    let publisher = bus.publisher().unwrap();
    let accepted = (0..10).take_while(|&number| {
        thread::sleep(Duration::from_millis(5));
        publisher.try_publish(Add { number }).unwrap()
    });
    // One in the ring, one in the sequencer's hand, two in the inbox.
    assert_eq!(accepted.count(), 4);
    assert!(!publisher.publish_within(Stop {}, Duration::from_millis(20)).unwrap());
    assert_eq!((bus.stats().refused, bus.stats().waited, bus.stats().inbox), (2, 1, 2));
    drop(polled);
    assert!(bus.settle(LONG));
    assert_eq!(bus.stats().published, 4);
}

#[test]
fn two_types_with_one_number_are_told_apart_by_name() {
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Impostor {
        number: u64,
    }
    impl BusEvent for Impostor {
        const ID: u32 = Add::ID;
    }
    let bus = Bus::new("shop").unwrap();
    bus.publish(Add { number: 1 }).unwrap();
    assert_usage(bus.publish(Impostor { number: 1 }), "Impostor` are both type 1");
    let subscribed = bus.subscribe("impostor", |_: &Impostor, _: Context| Ok(()));
    assert_usage(subscribed, "bus_events::Add` and");
    let clash = bus.subscriber("both", ()).on(|(), _: &Add, _: Context| Ok(()));
    assert_usage(clash.on(|(), _: &Impostor, _: Context| Ok(())).start(), "are both type 1");
    assert!(bus.stats().subscribers.is_empty());
}

#[test]
fn a_recorded_event_of_another_size_fails_its_reader_by_name() {
    let recording = MemoryRecording::new();
    recording.push(Envelope::new(0, Note { letter: 1, color: 2 }));
    let recorder = |_: u64, _: &Envelope| -> HandlerResult { Ok(()) };
    let bus = Bus::builder("shop").recorded_by(recorder, recording).start().unwrap();
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Longer {
        words: [u64; 3],
    }
    impl BusEvent for Longer {
        const ID: u32 = Note::ID;
    }
    bus.publish(Stop {}).unwrap();
    assert!(bus.settle(LONG));
    let ignore = |(): &mut (), _: &Longer, _: Context| Ok(());
    bus.subscriber("reader", ()).from(0).on(ignore).start().unwrap();
    assert_eq!(bus.wait_end("reader", LONG).unwrap(), 0);
    let failure = bus.shutdown(LONG).failure.unwrap();
    assert!(failure.contains("type 2 has 8 bytes and `"), "{failure}");
    assert!(failure.contains("Longer` has 24"), "{failure}");
}

#[test]
fn names_and_seats_are_given_once() {
    let bus = Bus::builder("shop").subscribers_max(2).start().unwrap();
    let polled = |name: &str| bus.subscriber(name, Vec::new()).on(keep_number).polled();
    let (first, _second) = (polled("first").unwrap(), polled("second").unwrap());
    assert_usage(polled("second"), "already has a subscriber `second`");
    assert_usage(polled("third"), "no seat left");
    drop(first);
    let third = polled("third").unwrap();
    assert_usage(bus.resume("third", |_: &Add, _: Context| Ok(())), "not done");
    assert_usage(bus.unsubscribe("fourth", LONG), "no subscriber `fourth`");
    assert_usage(Bus::builder("odd").capacity(3).start(), "power of two");
    assert_usage(Bus::builder("none").inbox_capacity(0).start(), "holds nothing");
    drop(third);
}

fn keep_number(seen: &mut Vec<u64>, event: &Add, _: Context) -> HandlerResult {
    seen.push(event.number);
    Ok(())
}

#[track_caller]
fn assert_usage<T>(result: ringtape::error::Result<T>, part: &str) {
    match result.map(drop) {
        Err(error @ Error::Usage { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// One thing that happens to a bus.
#[derive(Clone, Debug)]
enum Deed {
    PublishAdd,
    PublishNote,
    PublishStop,
    Join { wants_adds: bool, wants_notes: bool },
    Poll { who: usize, max: usize },
    Leave { who: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => Just(Deed::PublishAdd),
        4 => Just(Deed::PublishNote),
        1 => Just(Deed::PublishStop),
        2 => any::<(bool, bool)>()
            .prop_map(|(wants_adds, wants_notes)| Deed::Join { wants_adds, wants_notes }),
        6 => (0..4_usize, 1..8_usize).prop_map(|(who, max)| Deed::Poll { who, max }),
        1 => (0..4_usize).prop_map(|who| Deed::Leave { who }),
    ]
}

/// What one subscriber saw, and what it should have.
struct Checked {
    subscriber: PolledSubscriber<Vec<(u32, u64)>>,
    ids: Vec<u32>,
    next: usize,
    expected: Vec<(u32, u64)>,
}

impl Checked {
    fn new(bus: &Bus, name: &str, adds: bool, notes: bool, next: usize) -> Self {
        let mut builder = bus.subscriber(name, Vec::new());
        if adds {
            builder = builder.on(|seen: &mut Vec<_>, event: &Add, _: Context| {
                seen.push((Add::ID, event.number));
                Ok(())
            });
        }
        if notes {
            builder = builder.on(|seen: &mut Vec<_>, event: &Note, _: Context| {
                seen.push((Note::ID, u64::from(event.letter)));
                Ok(())
            });
        }
        let ids = [adds.then_some(Add::ID), notes.then_some(Note::ID)];
        let ids = ids.into_iter().flatten().collect();
        Self { subscriber: builder.polled().unwrap(), ids, next, expected: Vec::new() }
    }

    /// Polls, and compares with the next of the published events.
    fn poll(&mut self, max: usize, published: &[(u32, u64)]) {
        let polled = self.subscriber.poll(max).unwrap();
        let there = published.len() - self.next;
        assert!(polled <= max.min(there) && (polled > 0 || there == 0), "{polled} of {there}");
        let events = published[self.next..self.next + polled].iter();
        self.expected.extend(events.filter(|(id, _)| self.ids.contains(id)));
        self.next += polled;
        assert_eq!(*self.subscriber.state(), self.expected);
    }
}

fn publish(publisher: &mut DirectPublisher, deed: &Deed, number: u64) -> (u32, Option<u64>) {
    match deed {
        Deed::PublishAdd => (Add::ID, publisher.try_publish(Add { number }).unwrap()),
        Deed::PublishNote => {
            let note = Note { letter: number as u32, color: 9 };
            (Note::ID, publisher.try_publish(note).unwrap())
        }
        _ => (Stop::ID, publisher.try_publish(Stop {}).unwrap()),
    }
}

proptest! {
    #[test]
    fn whoever_comes_and_goes_sees_its_types_from_joining_to_leaving(
        deeds in prop::collection::vec(deed(), 1..200),
    ) {
        const CAPACITY: usize = 16;
        let (bus, mut publisher) =
            Bus::builder("shop").capacity(CAPACITY).subscribers_max(4).start_direct().unwrap();
        let mut published: Vec<(u32, u64)> = Vec::new();
        let mut subscribers: Vec<Checked> = Vec::new();
        for (turn, deed) in deeds.iter().enumerate() {
            match *deed {
                Deed::Join { wants_adds, wants_notes } if subscribers.len() < 4 => {
                    let (name, next) = (format!("subscriber {turn}"), published.len());
                    subscribers.push(Checked::new(&bus, &name, wants_adds, wants_notes, next));
                }
                Deed::Poll { who, max } if who < subscribers.len() => {
                    subscribers[who].poll(max, &published);
                }
                Deed::Leave { who } if who < subscribers.len() => drop(subscribers.remove(who)),
                Deed::Join { .. } | Deed::Poll { .. } | Deed::Leave { .. } => {}
                _ => {
                    let slowest = subscribers.iter().map(|checked| checked.next).min();
                    let has_room = slowest.is_none_or(|next| published.len() - next < CAPACITY);
                    let (id, sequence) = publish(&mut publisher, deed, turn as u64);
                    prop_assert_eq!(sequence, has_room.then_some(published.len() as u64));
                    published.extend(has_room.then_some((id, turn as u64)));
                }
            }
        }
    }
}

#[test]
fn any_thread_may_hold_a_bus_or_a_publisher() {
    fn is_shareable<T: Clone + Send + Sync>() {}
    is_shareable::<Bus>();
    is_shareable::<Publisher>();
}

#[test]
fn the_bus_closes_with_its_last_handle() {
    let bus = Bus::new("shop").unwrap();
    let publisher = bus.publisher().unwrap();
    let ended = Arc::new(Mutex::new(None));
    let end = Arc::clone(&ended);
    let (done, is_done) = mpsc::channel::<()>();
    bus.subscriber("seen", Vec::new())
        .on(keep_number)
        .on_end(move |seen, outcome| {
            *end.lock().unwrap() = Some((seen.clone(), outcome.is_ok()));
            let _ = &done;
        })
        .start()
        .unwrap();
    let other = bus.clone();
    drop(bus);
    publisher.publish(Add { number: 1 }).unwrap();
    drop(other);
    assert_usage(publisher.publish(Add { number: 2 }), "bus `shop` is closed");
    assert!(is_done.recv().is_err(), "the subscriber ended and dropped its handlers");
    assert_eq!(*ended.lock().unwrap(), Some((vec![1], true)));
}
