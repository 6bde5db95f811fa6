//! The ITCH decoder on an in-memory stream, beside the `itchy` crate.
//!
//! Both read the same bytes and sum the same things: order references, quantities and prices of all
//! messages about orders. The sums must be equal, or the bench fails. Ringtape's side includes its
//! checks (framing, length, type, time), grouping and counting; the input is resident in memory.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use itchy::{Body, MessageStream};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::event::{Event, Kind};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::hash::hash_bytes;
use ringtape::limits::FEED_BATCH_RECORDS;

/// Messages of the stream, about.
const MESSAGES: usize = 200_000;

/// Instruments that the messages are about.
const INSTRUMENTS: u64 = 1_000;

/// How often in 1,000 messages each letter occurs, as on 2019-12-30.
const SHARES: [(u8, u64); 6] =
    [(b'A', 446), (b'D', 436), (b'U', 82), (b'E', 21), (b'X', 10), (b'P', 5)];

/// A stream of orders with the mix of a real day; the letters follow no pattern.
fn stream() -> Vec<u8> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut timestamp = 34_200_000_000_000_u64;
    let mut bytes = Vec::with_capacity(MESSAGES * 32);
    for locate in 1..=INSTRUMENTS as u16 {
        directory(&mut bytes, locate, timestamp);
    }
    for _ in 0..MESSAGES {
        let noise = random.next_u64();
        timestamp += noise % 5_000;
        let letter = pick((noise >> 32) % 1_000);
        let locate = (random.next_u64() % INSTRUMENTS) as u16 + 1;
        order(&mut bytes, letter, locate, timestamp, random.next_u64());
    }
    bytes
}

/// The letter at `place` of 1,000.
fn pick(mut place: u64) -> u8 {
    for (letter, share) in SHARES {
        if place < share {
            return letter;
        }
        place -= share;
    }
    unreachable!("the shares add up to 1,000")
}

fn header(bytes: &mut Vec<u8>, length: u16, letter: u8, locate: u16, timestamp: u64) {
    bytes.extend(length.to_be_bytes());
    bytes.push(letter);
    bytes.extend(locate.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&timestamp.to_be_bytes()[2..]);
}

fn directory(bytes: &mut Vec<u8>, locate: u16, timestamp: u64) {
    header(bytes, 39, b'R', locate, timestamp);
    bytes.extend(b"BENCH   QN\0\0\0\x64NCZ PNN1N\0\0\0\0N");
}

fn order(bytes: &mut Vec<u8>, letter: u8, locate: u16, timestamp: u64, noise: u64) {
    let reference = noise & 0xffff_ffff;
    let shares = ((noise >> 40 & 7) as u32 + 1) * 100;
    let price = (noise >> 44) as u32;
    let length = ringtape::feed::itch::message(letter).expect("a known letter").bytes as u16;
    header(bytes, length, letter, locate, timestamp);
    bytes.extend(reference.to_be_bytes());
    match letter {
        b'A' | b'P' => {
            bytes.push(if noise & 1 == 0 { b'B' } else { b'S' });
            bytes.extend(shares.to_be_bytes());
            bytes.extend(b"BENCH   ");
            bytes.extend(price.to_be_bytes());
        }
        b'U' => {
            bytes.extend((reference + 1).to_be_bytes());
            bytes.extend(shares.to_be_bytes());
            bytes.extend(price.to_be_bytes());
        }
        b'E' | b'X' => bytes.extend(shares.to_be_bytes()),
        _ => {}
    }
    if let b'E' | b'P' = letter {
        bytes.extend(noise.to_be_bytes());
    }
}

/// The sum over the records of orders, and the messages of all kinds.
fn ringtape_sum(bytes: &'static [u8], batch: &mut [Event]) -> (u64, u64) {
    let mut feed =
        ItchFeed::from_bytes("bench", bytes, &OpenOptions::default()).expect("an ITCH stream");
    let mut sum = 0_u64;
    while let Fill::Records(count) = feed.fill(batch).expect("a good stream") {
        for event in &batch[..count] {
            if event.kind >= Kind::Add as u8 {
                let [order_id, price, qty, _] = event.payload;
                sum = sum.wrapping_add(order_id).wrapping_add(price).wrapping_add(qty);
            }
        }
    }
    (sum, feed.checks().messages)
}

/// The same with `itchy`.
fn itchy_sum(bytes: &[u8]) -> (u64, u64) {
    let mut sum = 0_u64;
    let mut messages = 0;
    for message in MessageStream::from_reader(bytes) {
        let (reference, price, shares) = match message.expect("a good stream").body {
            Body::AddOrder(m) => (m.reference, m.price.raw(), m.shares),
            Body::NonCrossTrade(m) => (m.reference, m.price.raw(), m.shares),
            Body::ReplaceOrder(m) => (m.old_reference, m.price.raw(), m.shares),
            Body::OrderExecuted { reference, executed, .. } => (reference, 0, executed),
            Body::OrderCancelled { reference, cancelled } => (reference, 0, cancelled),
            Body::DeleteOrder { reference } => (reference, 0, 0),
            _ => (0, 0, 0),
        };
        sum = sum.wrapping_add(reference).wrapping_add(price.into()).wrapping_add(shares.into());
        messages += 1;
    }
    (sum, messages)
}

fn decode(criterion: &mut Criterion) {
    let bytes: &'static [u8] = stream().leak();
    let mut batch = vec![bytemuck::Zeroable::zeroed(); FEED_BATCH_RECORDS];
    let (sum, messages) = ringtape_sum(bytes, &mut batch);
    assert_eq!((sum, messages), itchy_sum(bytes), "both decoders read the same");
    println!(
        "stream: {messages} messages, {} bytes, hash {:016x}, sum {sum:016x} (equal)",
        bytes.len(),
        hash_bytes(bytes),
    );
    let mut group = criterion.benchmark_group("itch_decode");
    group.throughput(Throughput::Elements(messages));
    group.bench_function("ringtape", |b| b.iter(|| ringtape_sum(black_box(bytes), &mut batch)));
    group.bench_function("itchy-0.3.4", |b| b.iter(|| itchy_sum(black_box(bytes))));
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
