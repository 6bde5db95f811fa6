//! The replica against the naive one, event by event, over random streams.
//!
//! Would catch: any answer (touch, levels, queues, orders, counts, statistics, hashes) that slab,
//! ladder, index or saved state get wrong for any order of messages, faulty ones included.

use std::sync::LazyLock;

use proptest::prelude::*;
use ringtape::book::Replica;
use ringtape::event::instrument::UNIT_INCREMENT;
use ringtape::event::{Event, Flags, Instrument, InstrumentTable, payload};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{InstrumentId, OrderId, Price, Side};

use crate::naive_book::NaiveReplica;

/// Instruments of the streams, with holes between them.
const INSTRUMENTS: [u32; 3] = [0, 7, 40];

/// References of the streams, some over 2^32.
fn reference(number: u64) -> u64 {
    if number.is_multiple_of(3) { number << 33 | 1 } else { number }
}

const REFERENCES: u64 = 20;

fn instruments() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => Just(INSTRUMENTS[0]), 6 => Just(INSTRUMENTS[1]), 3 => Just(INSTRUMENTS[2]),
        1 => Just(u32::MAX),
    ]
}

fn prices() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 100..112i64,
        1 => prop::sample::select(vec![0, 1, 1_999_999_900, -5, i64::MIN, i64::MAX]),
    ]
}

fn quantities() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        12 => 1..6u64,
        4 => Just(100),
        1 => prop::sample::select(vec![1 << 40, u64::MAX]),
    ]
}

fn market_events() -> impl Strategy<Value = Event> {
    let order = (0..REFERENCES).prop_map(reference);
    let other = (0..REFERENCES).prop_map(reference);
    let side = prop::sample::select(vec![Side::Buy, Side::Sell]);
    let numbers = (instruments(), order, other, prices(), quantities(), 0..12u64);
    (0..100u8, numbers, side).prop_map(|(choice, numbers, side)| {
        let (of, id, new_id, price, qty, number) = numbers;
        match choice {
            0..40 => crate::book_events::add(of, id, side, price, qty),
            40..50 => crate::book_events::delete(of, id),
            50..60 => crate::book_events::execute(of, id, qty, number),
            60..66 => crate::book_events::execute_at(of, id, price, qty, number),
            66..72 => crate::book_events::reduce(of, id, qty),
            72..80 => crate::book_events::replace(of, id, new_id, price, qty),
            80..86 => crate::book_events::modify(of, id, price, qty),
            86..88 => crate::book_events::trade(of, price, qty, number),
            88 => crate::book_events::cross(of, b"OCHI"[number as usize % 4], price, qty, number),
            89..91 => crate::book_events::broken(of, number),
            91 => crate::book_events::clear(of),
            92..95 => crate::book_events::status(
                of,
                b"HPQT"[number as usize % 4],
                b"\0QBX"[qty as usize % 4],
            ),
            95 => crate::book_events::level_set(of, price, qty),
            96 => define(of, number)[number as usize % 2],
            97 => Event { side: 0, ..crate::book_events::add(of, id, side, price, qty) },
            98 => Event { kind: 63, ..crate::book_events::clear(of) },
            _ => Event::new(0, of, payload::Time { pad: ringtape::event::kinds::Raw([0; 32]) }),
        }
    })
}

fn define(of: u32, number: u64) -> [Event; 2] {
    let symbol = ["AAPL", "ZVZZT", "A"][number as usize % 3];
    let price_increment = if number < 6 { 100_000 } else { UNIT_INCREMENT };
    let instrument = Instrument { price_increment, ..Instrument::us_equity(symbol) };
    InstrumentTable::events(0, InstrumentId(of), &instrument)
}

fn streams() -> impl Strategy<Value = Vec<Event>> {
    let taken = prop::sample::select(vec![0, Flags::LAST, Flags::PRINTABLE]);
    let event = (market_events(), taken)
        .prop_map(|(event, taken)| Event { flags: event.flags & !taken, ..event });
    prop::collection::vec(event, 1..300)
}

/// A replica that has had more orders than a cache holds, of an instrument of their own.
static CROWDED: LazyLock<Replica> = LazyLock::new(|| {
    let mut replica = Replica::new();
    for id in 1_000..18_000u64 {
        replica.apply(&crate::book_events::add(3, id, Side::Buy, 1 + id as i64 % 90, 1));
    }
    replica
});

/// Every answer of both replicas.
fn assert_same(replica: &Replica, naive: &NaiveReplica) {
    for id in INSTRUMENTS.map(InstrumentId).into_iter().chain([InstrumentId(3)]) {
        assert_eq!(replica.touch(id), naive.touch(id));
        assert_eq!(replica.stats(id), naive.stats(id));
        assert_eq!(replica.is_trading(id), naive.is_trading(id));
        assert_eq!(replica.is_event_open(id), naive.is_event_open(id));
        assert_eq!(replica.last_price(id), naive.last_price(id));
        assert_eq!(replica.close_price(id), naive.close_price(id));
        for side in [Side::Buy, Side::Sell] {
            let levels = naive.levels(id, side);
            assert!(replica.levels(id, side).eq(levels.iter().copied()));
            for level in levels {
                assert_eq!(replica.level(id, side, level.price), level);
                let queue = naive.queue(id, side, level.price);
                assert!(replica.queue(id, side, level.price).eq(queue.iter().copied()));
                assert!(queue.iter().all(|order| order.priority < replica.next_priority()));
                assert!(queue.is_sorted_by_key(|order| order.priority));
            }
            assert_eq!(replica.queue(id, side, Price(50)).count(), 0);
        }
    }
    for id in (0..REFERENCES).map(reference).map(OrderId) {
        assert_eq!(replica.order(id), naive.order(id));
    }
    assert_eq!(*replica.counts(), naive.counts);
    let totals = replica.totals();
    assert_eq!(totals.live_orders, naive.live_orders());
    assert_eq!(totals.peak_live_orders, naive.peak_orders);
}

fn saved(replica: &Replica) -> Vec<u8> {
    let mut writer = StateWriter::default();
    replica.save(&mut writer);
    writer.into_bytes()
}

fn loaded(bytes: &[u8]) -> Replica {
    let mut reader = StateReader::new("replica", bytes);
    let replica = Replica::load(&mut reader).expect("just saved");
    reader.finish().expect("all of it");
    replica
}

proptest! {
    #[test]
    fn the_replica_answers_like_the_naive_one_after_every_event(stream in streams()) {
        let (mut replica, mut naive) = (Replica::new(), NaiveReplica::default());
        for event in &stream {
            prop_assert_eq!(replica.apply(event), naive.apply(event));
            assert_same(&replica, &naive);
        }
        prop_assert_eq!(replica.books_hash(), naive.books_hash());
    }

    /// Would catch: a look ahead that changes what events do, whether it found their levels or
    /// another event of the batch took them away.
    #[test]
    fn batches_change_what_their_events_change_one_by_one(
        stream in streams(), size in 1..100usize, is_crowded: bool,
    ) {
        let start = if is_crowded { CROWDED.clone() } else { Replica::new() };
        let (mut batched, mut single) = (start.clone(), start);
        let mut changes = Vec::new();
        for batch in stream.chunks(size) {
            batched.apply_each(batch, |event| event, |_, change| changes.push(change));
        }
        prop_assert!(stream.iter().map(|event| single.apply(event)).eq(changes));
        prop_assert_eq!(saved(&batched), saved(&single));
    }

    #[test]
    fn a_replica_saved_and_loaded_at_any_moment_goes_on_the_same(
        stream in streams(), cut in any::<prop::sample::Index>(),
    ) {
        let mut replica = Replica::new();
        let cut = cut.index(stream.len());
        for event in &stream[..cut] {
            replica.apply(event);
        }
        let bytes = saved(&replica);
        let mut copy = loaded(&bytes);
        prop_assert_eq!(saved(&copy), bytes);
        for event in &stream[cut..] {
            prop_assert_eq!(copy.apply(event), replica.apply(event));
        }
        prop_assert_eq!(copy.books_hash(), replica.books_hash());
        prop_assert_eq!(saved(&copy), saved(&replica));
    }

    #[test]
    fn damaged_state_is_an_error_or_another_state_but_no_panic(
        stream in streams(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut replica = Replica::new();
        for event in &stream {
            replica.apply(event);
        }
        let mut bytes = saved(&replica);
        let at = at.index(bytes.len());
        prop_assert!(Replica::load(&mut StateReader::new("replica", &bytes[..at])).is_err());
        bytes[at] = byte;
        let _ = Replica::load(&mut StateReader::new("replica", &bytes));
    }
}
