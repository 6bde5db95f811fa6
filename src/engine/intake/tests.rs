//! The feed handler alone, on a ring that is read beside it.

use super::*;
use crate::engine::generate::{Generator, Profile};
use crate::event::Kind;
use crate::feed::itch::ItchFeed;
use crate::feed::{OpenOptions, Pace};
use crate::ring::{RingBuilder, inbox};
use crate::units::AccountId;

/// Records of a segment, few enough for many rolls.
const SEGMENT_RECORDS: u64 = 100;

fn parts(ring: Producer<Event>, inbox: InboxReceiver<Event>) -> IntakeParts {
    let profile = Profile { messages: 5_000, symbols: 2, live: 100, seed: 5 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    let feed = ItchFeed::from_bytes("session", session, &OpenOptions::default());
    IntakeParts {
        feed: Box::new(feed.expect("a valid session")),
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

#[test]
fn segments_begin_with_definitions_and_a_mark_however_many_commands_come() {
    let mut builder = RingBuilder::new("market", 512).expect("a capacity");
    let stage = builder.stage("reader", &[]).expect("a new name");
    let (producer, mut consumers) = builder.build().expect("a graph");
    let mut reader = consumers.take(stage).expect("not taken before");
    let (sender, receiver) = inbox(256);
    let mut intake = Intake::new(parts(producer, receiver));
    let kill = payload::Kill { account: AccountId(1), all_accounts: 0, pad: Raw([0; 24]) };
    let mut records = Vec::new();
    while !intake.is_done() {
        while sender.post(Event::new(0, 0, kill)).is_ok() {}
        intake.do_work().expect("nobody failed");
        records.extend(reader.poll(usize::MAX).expect("nobody failed").iter().copied());
    }

    let segments = records.chunks(SEGMENT_RECORDS as usize);
    assert!(segments.len() > 50, "{} segments", segments.len());
    for segment in segments.skip(1) {
        let is_definition = |event: &&Event| {
            matches!(
                event.kind(),
                Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing)
            )
        };
        let definitions = segment.iter().take_while(is_definition).count();
        let first = segment.get(definitions).expect("a record behind the definitions");
        assert!(matches!(first.view(), EventView::FeedMark(_)), "{first:?}");
    }
}
