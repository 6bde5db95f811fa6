//! The replica over a generated day in memory, beside decoding alone and the naive replica of the
//! tests.
//!
//! Stream: one million messages of the generator's whole day (its mix, lifetimes and activity are
//! those of a real one) over 8,900 symbols with 190,000 live orders at the peak, as ITCH bytes that
//! are resident. Decoding with its checks is in every row, and a replica starts empty. The checksum
//! is `books_hash`, of both replicas after each tenth of the stream, and they must agree; so must
//! they over the first million messages of the day that `ringtape bench book` takes, of 20 million
//! messages and 1.9 million live orders.

#[path = "../tests/common/naive_book.rs"]
mod naive_book;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use naive_book::NaiveReplica;
use ringtape::book::Replica;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::Event;
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::limits::BATCH_RECORDS_MAX;

/// A whole day, small enough for the naive replica.
const DAY: Profile = Profile { messages: 1_000_000, symbols: 8_900, live: 190_000, seed: 42 };

/// The day of `ringtape bench book`.
const LONG_DAY: Profile =
    Profile { messages: 20_000_000, symbols: 8_900, live: 1_900_000, seed: 42 };

/// Messages on which both replicas are compared.
const COMPARED: u64 = 1_000_000;

/// The first messages of a day, a million or a few more.
fn session(profile: &Profile) -> Arc<[u8]> {
    let mut generator = Generator::new(profile).expect("a valid profile");
    let mut bytes = Vec::new();
    let mut messages = 0;
    while messages < COMPARED {
        messages += generator.fill(&mut bytes);
    }
    bytes.into()
}

/// Hands a session's events on in batches; says how many messages they were.
fn decode(session: &Arc<[u8]>, mut take: impl FnMut(&[Event])) -> u64 {
    let options = OpenOptions::default();
    let mut feed = ItchFeed::from_bytes("session", session.clone(), &options).expect("ITCH");
    let mut batch = [Event::default(); BATCH_RECORDS_MAX];
    while let Fill::Records(count) = feed.fill(&mut batch).expect("a good session") {
        take(&batch[..count]);
    }
    feed.checks().messages
}

/// Compares both replicas along a session, and prints where they end.
fn compare(name: &str, session: &Arc<[u8]>) -> u64 {
    let (mut replica, mut naive) = (Replica::new(), NaiveReplica::default());
    let mut applied = 0;
    let mut compared = 0;
    let messages = decode(session, |events| {
        replica.apply_all(events);
        events.iter().for_each(|event| _ = naive.apply(event));
        applied += events.len() as u64;
        if applied / (COMPARED / 10) > compared {
            compared = applied / (COMPARED / 10);
            assert_eq!(replica.books_hash(), naive.books_hash(), "after {applied} records");
        }
    });
    let hash = replica.books_hash();
    assert_eq!(hash, naive.books_hash(), "both replicas end with the same books");
    assert_eq!(replica.counts(), &naive.counts);
    let totals = replica.totals();
    println!(
        "book/{name}: {messages} messages, books {hash:016x} (replica and naive equal, {compared} \
         times before too), {} live orders at the peak, {} bytes each",
        totals.peak_live_orders,
        totals.bytes / totals.peak_live_orders,
    );
    messages
}

fn books(criterion: &mut Criterion) {
    compare("the first million of a long day", &session(&LONG_DAY));
    let session = session(&DAY);
    let messages = compare("a day of a million", &session);

    let mut group = criterion.benchmark_group("book");
    group.sample_size(10);
    group.throughput(Throughput::Elements(messages));
    group.bench_function("decode alone", |bench| {
        bench.iter(|| decode(&session, |events| _ = black_box(events)));
    });
    group.bench_function("decode and replica", |bench| {
        bench.iter(|| {
            let mut replica = Replica::new();
            decode(&session, |events| replica.apply_all(events));
            replica.totals().live_orders
        });
    });
    group.bench_function("decode and replica, one event at a time", |bench| {
        bench.iter(|| {
            let mut replica = Replica::new();
            decode(&session, |events| events.iter().for_each(|event| _ = replica.apply(event)));
            replica.totals().live_orders
        });
    });
    group.bench_function("decode and naive", |bench| {
        bench.iter(|| {
            let mut naive = NaiveReplica::default();
            decode(&session, |events| events.iter().for_each(|event| _ = naive.apply(event)));
            naive.peak_orders
        });
    });
    group.finish();
}

criterion_group!(benches, books);
criterion_main!(benches);
