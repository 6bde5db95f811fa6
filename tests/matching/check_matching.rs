//! The matcher held against tapes: an exchange's own, the generator's, and small ones written here.
//!
//! Would catch a matcher that breaks price-time priority, and a checker that cannot see it or says
//! the wrong thing: matchers that are wrong on purpose must be found out, and what a small tape does
//! must be in the right row of the report.

mod program;
mod queues;
mod tapes;

use std::path::{Path, PathBuf};

use queues::{Fault, Queues};
use ringtape::book::Replica;
use ringtape::event::{Event, Kind};
use ringtape::feed::{self, Fill, OpenOptions};
use ringtape::matching::proof::{CheckedMatcher, Checker, MatchingCheck, OnTape, Why};
use ringtape::units::{InstrumentId, Side};

const SAMPLE: &str = "feeds/sample.itch.gz";
const FAULTS: [Fault; 3] =
    [Fault::LastInFirstOut, Fault::ReduceLosesItsPlace, Fault::ReplaceKeepsItsPlace];

/// The AAPL recording, where it exists.
fn aapl() -> Option<PathBuf> {
    let folder = crate::common::shared_feeds()?;
    Some(folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50"))
}

fn events(path: &Path) -> Vec<Event> {
    let mut feed = feed::open(path, &OpenOptions::default()).expect("a feed that opens");
    let mut batch = [Event::default(); 256];
    let mut events = Vec::new();
    while let Fill::Records(count) = feed.fill(&mut batch).expect("a good feed") {
        events.extend_from_slice(&batch[..count]);
    }
    events
}

fn check<M: CheckedMatcher>(events: &[Event], matcher: M) -> MatchingCheck {
    let (mut replica, mut checker) = (Replica::new(), Checker::new(matcher));
    for event in events {
        checker.apply(&mut replica, event);
    }
    checker.finish(&replica)
}

/// Both sides of an instrument's book, order by order, must be the same in matcher and replica.
fn assert_equal_books<M: CheckedMatcher>(matcher: &M, replica: &Replica, instrument: u32) {
    let instrument = InstrumentId(instrument);
    for side in [Side::Buy, Side::Sell] {
        for level in replica.levels(instrument, side) {
            let mut got = Vec::new();
            matcher.queue(instrument, side, level.price, &mut got);
            let queue = replica.queue(instrument, side, level.price);
            let expected: Vec<_> = queue.map(|order| (order.order_id, order.qty)).collect();
            assert_eq!(got, expected, "{instrument} {side:?} {}", level.price);
        }
    }
}

/// No order may be in the engine's matcher and not in the replica.
fn assert_equal_sizes(matcher: &OnTape, replica: &Replica) {
    let (ours, theirs) = (matcher.matcher().totals(), replica.totals());
    assert_eq!((ours.live_orders, ours.levels), (theirs.live_orders, theirs.levels));
}

/// Drives the engine's matcher and holds its books to the replica's all along.
fn check_and_compare(events: impl IntoIterator<Item = Event>) -> MatchingCheck {
    let (mut replica, mut checker) = (Replica::new(), Checker::new(OnTape::new()));
    for (number, event) in events.into_iter().enumerate() {
        checker.apply(&mut replica, &event);
        // Executions alone may wait for what comes next.
        if number % 64 == 0 && event.is_last() && event.kind != Kind::Execute as u8 {
            assert_equal_books(checker.matcher(), &replica, event.instrument);
        }
    }
    let found = checker.finish(&replica);
    let ids: Vec<_> = replica.instruments().iter().map(|(id, _)| id).collect();
    for id in ids {
        assert_equal_books(checker.matcher(), &replica, id.0);
    }
    assert_equal_sizes(checker.matcher(), &replica);
    found
}

#[test]
fn the_matcher_agrees_with_nasdaq_in_all_687_events_of_aapl() {
    let Some(path) = aapl() else { return };
    let found = check_and_compare(events(&path));
    assert_eq!((found.checked, found.agree, found.disagree), (687, 687, 0));
    assert_eq!((found.executions, found.remainders, found.hidden_prints), (849, 45, 120));
    assert_eq!((found.evidence.in_company, found.implausible_prints), (139, 0));
    assert_eq!((found.cross, found.priced), (0, 0));
    assert_eq!((found.unknown_reference, found.unclassified), (0, 0));
    assert!(!found.is_grouped_by_match_number && found.disagreements.is_empty());
}

#[test]
fn last_in_first_out_disagrees_with_nasdaq_in_exactly_126_events_of_aapl() {
    let Some(path) = aapl() else { return };
    let events = events(&path);
    let found = check(&events, Queues::new(Some(Fault::LastInFirstOut)));
    assert_eq!((found.checked, found.agree, found.disagree), (687, 561, 126));
    assert!(found.disagreements.iter().all(|found| found.why == Why::OtherFills));
    let right = check(&events, Queues::new(None));
    assert_eq!((right.agree, right.disagree), (687, 0), "and without its fault it agrees");
}

#[test]
fn the_matcher_agrees_with_the_generated_day() {
    let found = check_and_compare(events(Path::new(SAMPLE)));
    assert_eq!((found.agree, found.disagree), (found.checked, 0), "{:#?}", found.disagreements);
    assert!(found.checked > 4_000 && found.executions > 8_000 && found.remainders > 200);
    assert!(found.cross > 0 && found.priced > 0 && found.hidden_prints > 0);
    assert_eq!((found.implausible_prints, found.unclassified), (0, 0));
    let evidence = found.evidence;
    assert!(evidence.in_company * 5 >= found.executions, "{evidence:?}");
    assert!(evidence.on_reduced > 100 && evidence.on_replaced > 500, "{evidence:?}");
    assert!(evidence.over_levels > 1_000 && evidence.with_remainder > 200, "{evidence:?}");
}

#[test]
fn every_wrong_matcher_is_found_out_on_the_generated_day() {
    let events = events(Path::new(SAMPLE));
    let right = check(&events, Queues::new(None));
    assert_eq!(right, check(&events, OnTape::new()), "a plain matcher without fault");
    for fault in FAULTS {
        let found = check(&events, Queues::new(Some(fault)));
        eprintln!("{fault:?}: {} of {} events disagree", found.disagree, found.checked);
        assert!(found.disagree > 10, "{fault:?}: {}", found.disagree);
        assert_eq!(found.checked, found.agree + found.disagree - found.adds_would_trade);
        assert!(found.disagreements.iter().all(|found| found.why == Why::OtherFills));
    }
}

/// The generated day, but now and then the last order of a queue is executed in place of the first.
/// What follows is full of faults: orders that are gone, and more executed than is there.
fn falsified(events: Vec<Event>) -> impl Iterator<Item = Event> {
    let mut replica = Replica::new();
    events.into_iter().enumerate().map(move |(number, mut event)| {
        if event.kind == Kind::Execute as u8 && number % 3 == 0 {
            let order = replica.order(ringtape::units::OrderId(event.payload[0]));
            let last = order
                .and_then(|order| replica.queue(order.instrument, order.side, order.price).last());
            if let Some(last) = last {
                event.payload[0] = last.order_id.0;
            }
        }
        replica.apply(&event);
        event
    })
}

#[test]
fn the_matcher_keeps_the_books_of_the_tape_however_often_they_disagree() {
    let found = check_and_compare(falsified(events(Path::new(SAMPLE))));
    eprintln!("{} of {} events disagree", found.disagree, found.checked);
    assert!(found.disagree > 500 && found.agree > 500 && found.unknown_reference > 100);
    assert!(found.disagreements.iter().any(|found| matches!(found.why, Why::PassedOver(_))));
}
