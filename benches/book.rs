//! The replica over a stream of events in memory, beside the naive replica of the tests.
//!
//! Stream: the mix of a NASDAQ day (A 45 %, D 42 %, U 8 %, E 3 %, X and P 1 % each) over
//! instruments of skewed activity, prices by depth as on a real day, half of the cancels on young
//! orders. The books are filled before the clock starts. The checksum is `books_hash` at the end;
//! the two replicas must agree where both run.

#[path = "../tests/common/book_events.rs"]
mod events;
#[path = "../tests/common/naive_book.rs"]
mod naive_book;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use naive_book::NaiveReplica;
use ringtape::book::Replica;
use ringtape::event::Event;
use ringtape::units::Side;

/// Numbers that are the same on every machine: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(limit)) >> 64) as u64
    }
}

#[derive(Clone, Copy)]
struct Resting {
    order_id: u64,
    instrument: u32,
    side: Side,
    qty: u64,
}

/// Size of a stream.
struct Size {
    instruments: u64,
    live_orders: usize,
    events: usize,
}

/// Writes the stream: `live_orders` adds, then `events` events of the mix.
struct Writer {
    numbers: Numbers,
    size: Size,
    live: Vec<Resting>,
    references: u64,
    stream: Vec<Event>,
}

impl Writer {
    fn stream(size: Size) -> Vec<Event> {
        let mut writer = Self {
            numbers: Numbers(1),
            live: Vec::new(),
            references: 0,
            stream: Vec::with_capacity(size.live_orders + size.events),
            size,
        };
        for _ in 0..writer.size.live_orders {
            writer.add();
        }
        for number in 0..writer.size.events as u64 {
            match writer.numbers.below(100) {
                0..45 => writer.add(),
                45..87 => writer.delete(),
                87..95 => writer.replace(),
                95..98 => writer.execute(number),
                98 => writer.reduce(),
                _ => {
                    let instrument = writer.instrument();
                    writer.stream.push(events::trade(instrument, 10_000, 100, number));
                }
            }
        }
        writer.stream
    }

    /// A few instruments have most of the activity.
    fn instrument(&mut self) -> u32 {
        let place = self.numbers.below(1 << 20);
        ((((place * place) >> 20) * self.size.instruments) >> 20) as u32
    }

    /// Cents away from the touch: median 2, upper quartile 8, 1 % beyond 288.
    fn price(&mut self, side: Side) -> i64 {
        let depth = match self.numbers.below(100) {
            0..50 => self.numbers.below(3),
            50..75 => 2 + self.numbers.below(7),
            75..99 => 8 + self.numbers.below(280),
            _ => 288 + self.numbers.below(9_000),
        };
        let depth = 100 * depth as i64;
        if side == Side::Buy { 1_000_000 - depth } else { 1_000_100 + depth }
    }

    fn add(&mut self) {
        self.references += 1;
        let side = if self.numbers.below(2) == 0 { Side::Buy } else { Side::Sell };
        let qty = if self.numbers.below(4) < 3 { 100 } else { 1 + self.numbers.below(99) };
        let (order_id, instrument) = (self.references, self.instrument());
        let price = self.price(side);
        self.live.push(Resting { order_id, instrument, side, qty });
        self.stream.push(events::add(instrument, order_id, side, price, qty));
    }

    /// Half of the time one of the youngest thousand.
    fn pick(&mut self) -> usize {
        let count = self.live.len() as u64;
        let young = if self.numbers.below(2) == 0 { count.min(1_000) } else { count };
        (count - 1 - self.numbers.below(young)) as usize
    }

    fn delete(&mut self) {
        let position = self.pick();
        let order = self.live.swap_remove(position);
        self.stream.push(events::delete(order.instrument, order.order_id));
    }

    fn replace(&mut self) {
        let position = self.pick();
        self.references += 1;
        let price = self.price(self.live[position].side);
        let order = &mut self.live[position];
        let old = std::mem::replace(&mut order.order_id, self.references);
        order.qty = 100;
        self.stream.push(events::replace(order.instrument, old, order.order_id, price, 100));
    }

    fn execute(&mut self, number: u64) {
        let position = self.pick();
        let order = self.live.swap_remove(position);
        self.stream.push(events::execute(order.instrument, order.order_id, order.qty, number));
    }

    fn reduce(&mut self) {
        let position = self.pick();
        let order = &mut self.live[position];
        let taken = order.qty / 2;
        order.qty -= taken;
        if taken > 0 {
            self.stream.push(events::reduce(order.instrument, order.order_id, taken));
        }
    }
}

/// Fills a replica, then times the rest; `iterations` times from the start.
fn time<R>(
    iterations: u64,
    (fill, rest): (&[Event], &[Event]),
    new: impl Fn() -> R,
    apply: impl Fn(&mut R, &Event),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let mut replica = new();
        fill.iter().for_each(|event| apply(&mut replica, event));
        let start = Instant::now();
        rest.iter().for_each(|event| apply(&mut replica, event));
        total += start.elapsed();
        black_box(&replica);
    }
    total
}

fn replica_of(stream: &[Event]) -> Replica {
    let mut replica = Replica::new();
    stream.iter().for_each(|event| _ = replica.apply(event));
    let unknown = replica.counts().unknown_orders.count;
    assert_eq!(unknown, 0, "the stream knows its orders");
    replica
}

fn books(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("book");
    group.sample_size(10);

    let size = Size { instruments: 100, live_orders: 5_000, events: 50_000 };
    let (name, split) = ("100 symbols, 5k live", size.live_orders);
    let stream = Writer::stream(size);
    let checksum = replica_of(&stream).books_hash();
    let mut naive = NaiveReplica::default();
    stream.iter().for_each(|event| _ = naive.apply(event));
    assert_eq!(naive.books_hash(), checksum, "both replicas end with the same books");
    println!("book/{name}: checksum {checksum:016x}, replica and naive equal");

    let parts = stream.split_at(split);
    group.throughput(Throughput::Elements(parts.1.len() as u64));
    group.bench_function(BenchmarkId::new("replica", name), |bench| {
        bench.iter_custom(|iterations| {
            time(iterations, parts, Replica::new, |replica, event| _ = replica.apply(event))
        });
    });
    group.bench_function(BenchmarkId::new("naive", name), |bench| {
        bench.iter_custom(|iterations| {
            time(iterations, parts, NaiveReplica::default, |naive, event| _ = naive.apply(event))
        });
    });

    let size = Size { instruments: 2_000, live_orders: 200_000, events: 1_000_000 };
    let (name, split) = ("2,000 symbols, 200k live", size.live_orders);
    let stream = Writer::stream(size);
    let replica = replica_of(&stream);
    println!(
        "book/{name}: checksum {:016x}, {:?}, {} bytes a peak order",
        replica.books_hash(),
        replica.totals(),
        replica.totals().bytes / replica.totals().peak_live_orders,
    );
    let parts = stream.split_at(split);
    group.throughput(Throughput::Elements(parts.1.len() as u64));
    group.bench_function(BenchmarkId::new("replica", name), |bench| {
        let new = || Replica::with_capacity(split);
        bench.iter_custom(|iterations| {
            time(iterations, parts, new, |replica, event| _ = replica.apply(event))
        });
    });
    group.finish();
}

criterion_group!(benches, books);
criterion_main!(benches);
