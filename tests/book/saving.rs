//! A replica that is saved in slices while it goes on is saved as it was when that began, and no
//! event waits for more of it than the limits say.
//!
//! Catches: an event that reaches orders before they are saved, a slice that is lost or taken
//! twice, a piece that grows with a book.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::book::{Replica, SAVED_PIECES, Saving};
use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::{Event, EventView};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::limits::{SNAPSHOT_EVENT_BYTES_MAX, SNAPSHOT_PIECE_BYTES, SNAPSHOT_SLICE_ORDERS};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{InstrumentId, Price, Side};

use crate::book_events::*;

fn session() -> Vec<Event> {
    let profile = Profile { messages: 40_000, symbols: 40, live: 3_000, seed: 8 };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    let mut feed = ItchFeed::from_bytes("session", session, &OpenOptions::default()).expect("one");
    let (mut events, mut batch) = (Vec::new(), [Event::default(); 256]);
    while let Fill::Records(count) = feed.fill(&mut batch).expect("a valid session") {
        events.extend_from_slice(&batch[..count]);
    }
    events
}

/// Few numbers for orders and matches in few instruments: orders are replaced by numbers that are
/// live elsewhere, books are cleared, trades are broken, all within one saving.
fn tangle(count: usize) -> Vec<Event> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut below = |limit: u64| random.next_u64() % limit;
    let mut events = Vec::new();
    for match_id in 0..count as u64 {
        let (instrument, order_id) = (below(6) as u32, below(300));
        let side = if below(2) == 0 { Side::Buy } else { Side::Sell };
        let (price, qty) = (90 + below(20) as i64, 1 + below(100));
        events.push(match below(40) {
            0..=15 => add(instrument, order_id, side, price, qty),
            16..=21 => execute(instrument, order_id, qty, match_id),
            22..=25 => replace(instrument, order_id, below(300), price, qty),
            26..=28 => modify(instrument, order_id, price, qty),
            29..=31 => reduce(instrument, order_id, qty),
            32..=33 => delete(instrument, order_id),
            34..=35 => trade(instrument, price, qty, match_id),
            36 => broken(below(6) as u32, match_id - below(200).min(match_id)),
            37 => status(instrument, b"TH"[below(2) as usize], 0),
            38 => level_set(6 + below(2) as u32, price, below(3)).with_side(side),
            _ => clear(below(8) as u32),
        });
    }
    events
}

fn saved(replica: &Replica) -> Vec<u8> {
    let mut writer = StateWriter::default();
    replica.save(&mut writer);
    writer.into_bytes()
}

/// Takes what was saved.
fn take(saving: &mut Saving, pieces: &mut Vec<(&'static str, Vec<u8>)>) {
    saving.take(1, |name, bytes| {
        pieces.push((name, bytes));
        Vec::new()
    });
}

/// What pieces in any order come to.
fn load(mut pieces: Vec<(&'static str, Vec<u8>)>) -> Replica {
    pieces.sort_by_key(|(name, _)| SAVED_PIECES.iter().position(|other| other == name));
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let mut reader = StateReader::new("books", &bytes);
    let loaded = Replica::load(&mut reader).expect("what was just saved");
    reader.finish().expect("nothing else");
    loaded
}

/// Saves again and again while events come; how often, and how many events came meanwhile.
fn save_all_along(events: &[Event], between: usize) -> (usize, usize) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut replica = Replica::new();
    let mut saving = Saving::of(&replica);
    let (mut savings, mut interrupted) = (0, 0);
    let mut next = 0;
    while next < events.len() {
        let expected = saved(&replica);
        saving.begin(&replica);
        let mut pieces = Vec::new();
        let orders = 1 + (random.next_u64() % 200) as usize;
        // Every third one is given up half way: nothing of it may be left in the next.
        let given_up_after = if savings % 3 == 2 { 4 } else { usize::MAX };
        let mut slices = 0;
        while slices < given_up_after && saving.advance(&replica, orders) {
            let count = (random.next_u64() % 8) as usize;
            for event in events.iter().skip(next).take(count) {
                saving.before(event, &replica);
                replica.apply(event);
                interrupted += 1;
            }
            next += count;
            slices += 1;
            take(&mut saving, &mut pieces);
        }
        if slices < given_up_after {
            take(&mut saving, &mut pieces);
            // Saved again it is in the order of books, however events disturbed the first time.
            assert!(saved(&load(pieces)) == expected, "saving {savings} at event {next}");
        }
        savings += 1;
        for event in events.iter().skip(next).take(between) {
            replica.apply(event);
        }
        next += between;
    }
    (savings, interrupted)
}

#[test]
fn slices_give_the_state_at_the_mark_whatever_comes_in_between() {
    for (what, events, between) in [("session", session(), 500), ("tangle", tangle(60_000), 150)] {
        let (savings, interrupted) = save_all_along(&events, between);
        println!("{what}: {savings} savings, {interrupted} events meanwhile");
        assert!(savings > 20 && interrupted > 1_000, "{what}");
    }
}

#[test]
fn no_event_and_no_slice_saves_more_than_the_limits_say_however_deep_a_book_is() {
    let mut replica = Replica::new();
    // All in one queue: to save it as a whole would be 1.5 MB before the first event.
    let deep = (1_000..41_000).map(|id| add(9, id, Side::Buy, 100, 10));
    let wide = (10..2_000).map(|instrument| status(instrument, b'T', 0));
    deep.chain(wide).chain(tangle(20_000)).for_each(|event| _ = replica.apply(&event));
    assert!(replica.level(InstrumentId(9), Side::Buy, Price(100)).orders > 39_000);
    for match_id in 0..5_000 {
        replica.apply(&trade(2, 100, 1, match_id));
    }
    let expected = saved(&replica);
    let mut saving = Saving::of(&replica);
    saving.begin(&replica);
    let mut pieces = Vec::new();
    let (mut most, mut events, mut has_more) = ([0; 2], 0, true);
    let mut touching = (1_000..21_000).map(|id| reduce(9, id, 1)).chain(tangle(20_000)).cycle();
    while has_more {
        for event in touching.by_ref().take(500) {
            let before = saving.pending_bytes();
            saving.before(&event, &replica);
            replica.apply(&event);
            let is_bounded = !matches!(event.view(), EventView::Clear(_) | EventView::LevelSet(_));
            if is_bounded {
                most[0] = most[0].max(saving.pending_bytes() - before);
                events += 1;
            }
        }
        let before = saving.pending_bytes();
        has_more = saving.advance(&replica, SNAPSHOT_SLICE_ORDERS);
        most[1] = most[1].max(saving.pending_bytes() - before);
        take(&mut saving, &mut pieces);
    }
    let [of_event, of_slice] = most;
    println!("{events} events: {of_event} bytes at most; a slice: {of_slice} bytes at most");
    assert!(of_event <= SNAPSHOT_EVENT_BYTES_MAX, "{of_event}");
    assert!(of_slice <= SNAPSHOT_PIECE_BYTES, "{of_slice}");
    assert!(saved(&load(pieces)) == expected);
}
