//! The feed handler alone, on a ring that is read beside it.

use super::*;
use crate::engine::generate::{Generator, Profile};
use crate::event::Kind;
use crate::feed::itch::ItchFeed;
use crate::feed::{Merged, OpenOptions, Pace};
use crate::ring::{RingBuilder, inbox};
use crate::units::AccountId;

/// Records of a segment, few enough for many rolls.
const SEGMENT_RECORDS: u64 = 100;

fn session(seed: u64) -> Box<dyn Feed> {
    let profile = Profile { messages: 5_000, symbols: 2, live: 100, seed };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    let feed = ItchFeed::from_bytes("session", session, &OpenOptions::default());
    Box::new(feed.expect("a valid session"))
}

fn parts(feed: Box<dyn Feed>, ring: Producer<Event>, inbox: InboxReceiver<Event>) -> IntakeParts {
    IntakeParts {
        feed,
        ring: Some(ring),
        inbox,
        clock: Clock::new(),
        pacer: Pacer::new(Pace::Max),
        filter: SymbolFilter::new(&[]),
        instruments: InstrumentOverrides::default(),
        begin: Begin::at(None),
        stop: StopFlag::default(),
        farewell: None,
        valve: Valve::new(Default::default()),
        progress: Arc::default(),
        recorded: None,
        segments: Some(Segments { first: 0, records: SEGMENT_RECORDS }),
        origin: 0,
        snapshot_every: None,
        meter: StageMeter::new(),
        handover: Handover::default(),
    }
}

/// The records of a feed that commands keep coming between.
fn records_among_commands(feed: Box<dyn Feed>) -> Vec<Event> {
    let mut builder = RingBuilder::new("market", 512).expect("a capacity");
    let stage = builder.stage("reader", &[]).expect("a new name");
    let (producer, mut consumers) = builder.build().expect("a graph");
    let mut reader = consumers.take(stage).expect("not taken before");
    let (sender, receiver) = inbox(256);
    let mut intake = Intake::new(parts(feed, producer, receiver));
    let kill = payload::Kill { account: AccountId(1), all_accounts: 0, pad: Raw([0; 24]) };
    let mut records = Vec::new();
    while !intake.is_done() {
        while sender.post(Event::new(0, 0, kill)).is_ok() {}
        intake.do_work().expect("nobody failed");
        records.extend(reader.poll(usize::MAX).expect("nobody failed").iter().copied());
    }
    records
}

/// The source that a feed mark is of.
fn marked(event: &Event) -> Option<u64> {
    match event.view() {
        EventView::FeedMark(mark) => Some(mark.source),
        _ => None,
    }
}

#[test]
fn segments_begin_with_definitions_and_marks_however_many_commands_come() {
    let both = Merged::new(vec![session(5), session(6)]).expect("two feeds");
    let feeds: [(Box<dyn Feed>, &[u64]); 2] = [(session(5), &[0]), (Box::new(both), &[1, 2, 0])];
    for (feed, sources) in feeds {
        let records = records_among_commands(feed);
        let segments = records.chunks_exact(SEGMENT_RECORDS as usize);
        assert!(segments.len() > 50, "{} segments", segments.len());
        for segment in segments.skip(1) {
            let is_definition = |event: &&Event| {
                matches!(
                    event.kind(),
                    Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing)
                )
            };
            let definitions = segment.iter().take_while(is_definition).count();
            let behind = segment[definitions..].iter().take(sources.len());
            let marks: Vec<_> = behind.map(marked).collect();
            assert!(sources.iter().map(|one| Some(*one)).eq(marks.iter().copied()), "{marks:?}");
            // Marks of all fill a segment that has no room for more.
            let of_one = |event: &Event| marked(event).is_some_and(|source| source > 0);
            assert!(!segment.last().is_some_and(of_one), "the marks of a place stay together");
        }
    }
}
