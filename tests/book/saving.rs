//! A replica that is saved in slices while it goes on is saved as it was when that began.
//!
//! Catches: an event that reaches books before they are saved, a slice that is lost or taken twice.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::book::{Replica, SAVED_PIECES};
use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::Event;
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::state::{StateReader, StateWriter};

fn events() -> Vec<Event> {
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

fn saved(replica: &Replica) -> Vec<u8> {
    let mut writer = StateWriter::default();
    replica.save(&mut writer);
    writer.into_bytes()
}

#[test]
fn slices_give_the_state_at_the_mark_whatever_comes_in_between() {
    let events = events();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut replica = Replica::new();
    let (mut savings, mut interrupted) = (0, 0);
    let mut next = 0;
    while next < events.len() {
        let expected = saved(&replica);
        let mut saving = replica.begin_save();
        let mut pieces = Vec::new();
        let orders = 1 + (random.next_u64() % 200) as usize;
        while saving.advance(&replica, orders) {
            let count = (random.next_u64() % 8) as usize;
            for event in events.iter().skip(next).take(count) {
                saving.before(event, &replica);
                replica.apply(event);
                interrupted += 1;
            }
            next += count;
            pieces.extend(saving.take());
        }
        pieces.extend(saving.take());
        pieces.sort_by_key(|(name, _)| SAVED_PIECES.iter().position(|other| other == name));
        let bytes: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let mut reader = StateReader::new("books", &bytes);
        let loaded = Replica::load(&mut reader).expect("what was just saved");
        reader.finish().expect("nothing else");
        // Saved again it is in the order of instruments, however events disturbed the first time.
        assert!(saved(&loaded) == expected, "saving {savings} at event {next}");
        savings += 1;
        for event in events.iter().skip(next).take(500) {
            replica.apply(event);
        }
        next += 500;
    }
    println!("{savings} savings, {interrupted} events meanwhile");
    assert!(savings > 20 && interrupted > 1_000);
}
