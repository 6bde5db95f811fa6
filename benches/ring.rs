//! The ring beside its peers: `disruptor`, `rtrb` and `crossbeam`'s channel.
//!
//! ```text
//! unicast      producer --[ring]--> consumer                  records a second
//! round trip   caller --[ring]--> echo --[ring]--> caller     ns a round trip
//! ```
//!
//! Every record is one cache line of payload with a checksum that the consumer verifies; each run
//! prints the checksum of its whole stream, which is the same for all peers, and the mean number
//! of records that one successful look of the consumer brought. Every peer uses its own batches,
//! and where it has to wait it looks again at once, or yields with `RING_BENCH_WAIT=yield`.
//!
//! On a busy machine the figures mean nothing, and one pair of runs does not either: cursor rings
//! fall into a slow or a fast mode by chance.

#[path = "../tests/common/stream.rs"]
mod stream;

use std::hint::black_box;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringtape::ring::{Consumer, Producer, RingBuilder};
use stream::{Record, is_whole, record};

/// Slots of every ring and channel here.
const CAPACITY: usize = 1 << 14;

/// Records of one round of the unicast bench, a multiple of every batch size.
const ROUND_RECORDS: u64 = 1 << 20;

/// Most records that a batch holds when it is read.
const READ_MAX: usize = 1024;

/// One way for one thread to hand records to another.
trait Peer {
    const NAME: &'static str;
    type Sender: Sender;
    type Receiver: Receiver;

    fn make() -> (Self::Sender, Self::Receiver);
}

trait Sender: Send {
    /// Sends the records of the stream from `first` on, `count` in one piece, waiting for room.
    fn send(&mut self, first: u64, count: usize);
}

trait Receiver: Send {
    /// Reads what is there, `READ_MAX` records at most; returns how many.
    fn receive(&mut self, read: impl FnMut(&Record)) -> usize;
}

/// How every peer waits.
fn wait() {
    static YIELDS: OnceLock<bool> = OnceLock::new();
    let by_yielding = || std::env::var("RING_BENCH_WAIT").is_ok_and(|wait| wait == "yield");
    if *YIELDS.get_or_init(by_yielding) { thread::yield_now() } else { std::hint::spin_loop() }
}

struct Ours;

impl Peer for Ours {
    const NAME: &'static str = "ringtape";
    type Sender = Producer<Record>;
    type Receiver = Consumer<Record>;

    fn make() -> (Self::Sender, Self::Receiver) {
        let mut builder = RingBuilder::new("bench", CAPACITY).expect("a power of two");
        let reader = builder.stage("reader", &[]).expect("a new name");
        let (producer, mut consumers) = builder.build().expect("one stage");
        (producer, consumers.take(reader).expect("not taken yet"))
    }
}

impl Sender for Producer<Record> {
    #[inline]
    fn send(&mut self, first: u64, count: usize) {
        loop {
            if let Some(mut claim) = self.try_claim(count).expect("no consumer fails") {
                match count {
                    1 => claim.set(0, record(first)),
                    _ => claim.for_each_mut(|i, slot| *slot = record(first + i as u64)),
                }
                return claim.commit_all();
            }
            wait();
        }
    }
}

impl Receiver for Consumer<Record> {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> usize {
        let batch = self.poll(READ_MAX).expect("no producer fails");
        let (head, tail) = batch.slices();
        head.iter().for_each(|record| read(record));
        tail.iter().for_each(|record| read(record));
        batch.len()
    }
}

/// A record in a cache line of its own, as the peers hold it.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line(Record);

struct Disruptor;

type Poller = disruptor::EventPoller<Line, disruptor::SingleProducerBarrier>;
type Publisher = disruptor::SingleProducer<Line, disruptor::SingleConsumerBarrier>;

impl Peer for Disruptor {
    const NAME: &'static str = "disruptor";
    type Sender = Publisher;
    type Receiver = Poller;

    fn make() -> (Self::Sender, Self::Receiver) {
        let builder =
            disruptor::build_single_producer(CAPACITY, Line::default, disruptor::BusySpin);
        let (poller, builder) = builder.new_event_poller();
        (builder.build(), poller)
    }
}

impl Sender for Publisher {
    #[inline]
    fn send(&mut self, first: u64, count: usize) {
        use disruptor::Producer;
        if count == 1 {
            while self.try_publish(|slot| slot.0 = record(first)).is_err() {
                wait();
            }
            return;
        }
        let mut send = || {
            self.try_batch_publish(count, |slots| {
                slots.zip(first..).for_each(|(slot, sequence)| slot.0 = record(sequence));
            })
        };
        while send().is_err() {
            wait();
        }
    }
}

impl Receiver for Poller {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> usize {
        let Ok(mut records) = self.take(READ_MAX as u64) else { return 0 };
        let lines = &mut records;
        let len = lines.len();
        lines.for_each(|line| read(&line.0));
        len
    }
}

struct Rtrb;

impl Peer for Rtrb {
    const NAME: &'static str = "rtrb";
    type Sender = rtrb::Producer<Line>;
    type Receiver = rtrb::Consumer<Line>;

    fn make() -> (Self::Sender, Self::Receiver) {
        rtrb::RingBuffer::new(CAPACITY)
    }
}

impl Sender for rtrb::Producer<Line> {
    #[inline]
    fn send(&mut self, first: u64, count: usize) {
        if count == 1 {
            while self.push(Line(record(first))).is_err() {
                wait();
            }
            return;
        }
        loop {
            if let Ok(chunk) = self.write_chunk_uninit(count) {
                chunk.fill_from_iter((first..).map(|sequence| Line(record(sequence))));
                return;
            }
            wait();
        }
    }
}

impl Receiver for rtrb::Consumer<Line> {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> usize {
        let Ok(chunk) = self.read_chunk(self.slots().min(READ_MAX)) else { return 0 };
        let (head, tail) = chunk.as_slices();
        head.iter().for_each(|line| read(&line.0));
        tail.iter().for_each(|line| read(&line.0));
        let len = chunk.len();
        chunk.commit_all();
        len
    }
}

struct Crossbeam;

impl Peer for Crossbeam {
    const NAME: &'static str = "crossbeam";
    type Sender = crossbeam::channel::Sender<Line>;
    type Receiver = crossbeam::channel::Receiver<Line>;

    fn make() -> (Self::Sender, Self::Receiver) {
        crossbeam::channel::bounded(CAPACITY)
    }
}

impl Sender for crossbeam::channel::Sender<Line> {
    #[inline]
    fn send(&mut self, first: u64, count: usize) {
        for sequence in first..first + count as u64 {
            while self.try_send(Line(record(sequence))).is_err() {
                wait();
            }
        }
    }
}

impl Receiver for crossbeam::channel::Receiver<Line> {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> usize {
        let lines = self.try_iter().take(READ_MAX);
        lines.map(|line| read(&line.0)).count()
    }
}

/// What a consumer has seen.
#[derive(Default)]
struct Seen {
    records: u64,
    looks: u64,
    checksum: u64,
}

impl Seen {
    /// Reads until `records` records have been seen in all.
    fn read_until(&mut self, records: u64, receiver: &mut impl Receiver) {
        while self.records < records {
            let mut checksum = self.checksum;
            let len = receiver.receive(|record| {
                assert!(is_whole(record), "torn record {record:?}");
                checksum = checksum.rotate_left(1) ^ record[6];
            });
            self.checksum = checksum;
            self.records += len as u64;
            match len {
                0 => wait(),
                _ => self.looks += 1,
            }
        }
    }
}

/// Moves one round through `P`: how long the consumer took from the start, and what it saw.
fn unicast<P: Peer>(batch: usize) -> (Duration, Seen) {
    let (mut sender, mut receiver) = P::make();
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut seen = Seen::default();
            start.wait();
            let begin = Instant::now();
            seen.read_until(ROUND_RECORDS, &mut receiver);
            (begin.elapsed(), seen)
        });
        start.wait();
        for first in (0..ROUND_RECORDS).step_by(batch) {
            sender.send(first, batch);
        }
        consumer.join().expect("no record is torn")
    })
}

/// Sends `trips` records to an echo and back, one at a time.
fn round_trips<P: Peer>(trips: u64) -> Duration {
    let (mut there, mut at_echo) = P::make();
    let (mut from_echo, mut back) = P::make();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut seen = Seen::default();
            for trip in 0..trips {
                seen.read_until(trip + 1, &mut at_echo);
                from_echo.send(trip, 1);
            }
        });
        let mut seen = Seen::default();
        let begin = Instant::now();
        for trip in 0..trips {
            there.send(trip, 1);
            seen.read_until(trip + 1, &mut back);
        }
        black_box(seen.checksum);
        begin.elapsed()
    })
}

fn bench_unicast<P: Peer>(criterion: &mut Criterion, batch: usize) {
    let mut group = criterion.benchmark_group(format!("ring/unicast/batch {batch}"));
    group.throughput(Throughput::Elements(ROUND_RECORDS)).sample_size(15);
    let mut rounds = Vec::new();
    group.bench_function(BenchmarkId::from_parameter(P::NAME), |bencher| {
        bencher.iter_custom(|count| {
            let first = rounds.len();
            rounds.extend((0..count).map(|_| unicast::<P>(batch)));
            rounds[first..].iter().map(|(elapsed, _)| *elapsed).sum()
        });
    });
    group.finish();
    print_rounds(P::NAME, &mut rounds);
}

/// Prints the stream's checksum, the spread of the speed and the mean batch length.
fn print_rounds(peer: &str, rounds: &mut [(Duration, Seen)]) {
    rounds.sort_by_key(|(elapsed, _)| *elapsed);
    let (Some(fastest), Some(slowest)) = (rounds.first(), rounds.last()) else { return };
    let speed =
        |(elapsed, _): &(Duration, Seen)| ROUND_RECORDS as f64 / elapsed.as_secs_f64() / 1e6;
    let looks: u64 = rounds.iter().map(|(_, seen)| seen.looks).sum();
    assert!(rounds.iter().all(|(_, seen)| seen.checksum == fastest.1.checksum));
    println!(
        "    {peer}: stream {:016x}, M records/s min/median/max {:.0}/{:.0}/{:.0}, mean batch {:.1}",
        fastest.1.checksum,
        speed(slowest),
        speed(&rounds[rounds.len() / 2]),
        speed(fastest),
        (ROUND_RECORDS * rounds.len() as u64) as f64 / looks as f64,
    );
}

fn bench_round_trip<P: Peer>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring/round trip");
    group.sample_size(15);
    group.bench_function(BenchmarkId::from_parameter(P::NAME), |bencher| {
        bencher.iter_custom(round_trips::<P>);
    });
    group.finish();
}

fn ring(criterion: &mut Criterion) {
    for batch in [1, 64] {
        bench_unicast::<Ours>(criterion, batch);
        bench_unicast::<Disruptor>(criterion, batch);
        bench_unicast::<Rtrb>(criterion, batch);
        bench_unicast::<Crossbeam>(criterion, batch);
    }
    bench_round_trip::<Ours>(criterion);
    bench_round_trip::<Disruptor>(criterion);
    bench_round_trip::<Rtrb>(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = ring
}
criterion_main!(benches);
