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
    feed_of(session_bytes(seed))
}

fn feed_of(session: Vec<u8>) -> Box<dyn Feed> {
    let feed = ItchFeed::from_bytes("session", session, &OpenOptions::default());
    Box::new(feed.expect("a valid session"))
}

fn session_bytes(seed: u64) -> Vec<u8> {
    let profile = Profile { messages: 5_000, symbols: 2, live: 100, seed };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    session
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

#[test]
fn findings_stand_before_their_messages_and_none_is_lost_where_a_segment_ends() {
    let bytes = session_bytes(7);
    let (mut frames, mut rest) = (Vec::new(), &bytes[..]);
    while let [high, low, ..] = *rest {
        let (frame, behind) = rest.split_at(2 + usize::from(u16::from_be_bytes([high, low])));
        frames.extend_from_slice(frame);
        rest = behind;
        // Of an unknown type, in every place of a segment.
        if frames.len() % 13 == 0 {
            frames.extend([&[0, 11, b'~'][..], &[0; 4], &frame[7..13]].concat());
        }
    }
    let mut feed = feed_of(frames.clone());
    let mut batch = [Event::default(); FEED_BATCH_RECORDS];
    while feed.fill(&mut batch).expect("a valid session") != Fill::End {}
    let expected = feed.checks().unknown_types;
    assert!(expected.count > 300, "{expected:?}");

    let records = records_among_commands(feed_of(frames));
    let (mut told, mut findings, mut before) = (0, 0, 0);
    for (index, event) in records.iter().enumerate() {
        let EventView::FeedFinding(found) = event.view() else { continue };
        told += found.count;
        findings += 1;
        let next = records[index + 1].view();
        let is_before = matches!(next, EventView::Notice(notice) if notice.message_type.0 == b'~');
        before += usize::from(is_before);
        assert!(found.message <= expected.last);
    }
    assert_eq!(told, expected.count);
    assert!(findings > 20 && before * 10 > findings * 8, "{before} of {findings}");
}
