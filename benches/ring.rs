//! The ring beside its peers: `disruptor`, `rtrb` and `crossbeam`'s channel.
//!
//! ```text
//! unicast      producer --[ring]--> consumer                  records a second
//! round trip   caller --[ring]--> echo --[ring]--> caller     ns a round trip
//! ```
//!
//! These are the rows of `ringtape bench ring` that Criterion can repeat, over the same code: every
//! record is one cache line with a checksum that the consumer verifies, each run has a warm-up, and
//! the stream's checksum is the same for all peers, which is asserted. All wait in the same way,
//! with the processor's pause, or by yielding with `RING_BENCH_WAIT=yield`; the other rows, every
//! peer's best way to wait and a process a round are the program's.
//!
//! On a busy machine the figures mean nothing, and one pair of runs does not either: cursor rings
//! fall into a slow or a fast mode by chance.
#![allow(dead_code)] // The program uses the rest of what is shared with it.

#[path = "../src/cli/bench/ring/chain.rs"]
mod chain;
#[path = "../src/cli/bench/ring/crew.rs"]
mod crew;
#[path = "../src/cli/bench/ring/crossbeam.rs"]
mod crossbeam;
#[path = "../src/cli/bench/ring/disruptor.rs"]
mod disruptor;
#[path = "../src/cli/bench/ring/job.rs"]
mod job;
#[path = "../src/cli/bench/ring/ours.rs"]
mod ours;
#[path = "../src/cli/bench/ring/rtrb.rs"]
mod rtrb;
#[path = "../tests/common/stream.rs"]
mod stream;
#[path = "../src/cli/bench/ring/watch.rs"]
mod watch;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringtape::error::Result;
use ringtape::runtime::allowed_cores;

use job::{How, Job, Load, Shape, Way};
use watch::Outcome;

/// Slots of every ring and channel here.
const CAPACITY: usize = 1 << 14;

/// Records of one round of the unicast bench, a multiple of every batch size.
const ROUND_RECORDS: u64 = 1 << 20;

/// Records or trips before the measured ones.
const WARM_UP: u64 = 1 << 16;

/// Most records that a batch holds when it is read.
const READ_MAX: usize = 1024;

type Run = fn(&Job) -> Result<Outcome>;

const PEERS: [(&str, Run); 4] = [
    ("ringtape", ours::plain),
    ("disruptor", disruptor::run),
    ("rtrb", chain::run::<rtrb::Rtrb>),
    ("crossbeam", chain::run::<crossbeam::Crossbeam>),
];

fn job(shape: Shape, batch: usize, records: u64) -> Job {
    let yields = std::env::var("RING_BENCH_WAIT").is_ok_and(|wait| wait == "yield");
    let allowed = allowed_cores();
    Job {
        shape,
        load: Load::Full { batch },
        way: Way::new(if yields { How::Yield } else { How::Pause }),
        capacity: CAPACITY,
        batch_max: READ_MAX,
        warm_up: WARM_UP,
        records_max: records,
        time_max: Duration::MAX,
        cores: allowed.get(..shape.threads()).map_or_else(Vec::new, <[_]>::to_vec),
    }
}

/// Runs a round on a thread of its own, because a round pins the thread that it runs on.
fn round(run: Run, job: &Job) -> Outcome {
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| run(job).expect("the stream arrives whole"));
        outcome.join().expect("no stage panics")
    })
}

fn unicast(criterion: &mut Criterion, batch: usize) {
    let mut group = criterion.benchmark_group(format!("ring/unicast/batch {batch}"));
    group.throughput(Throughput::Elements(ROUND_RECORDS)).sample_size(15);
    let job = job(Shape::UNICAST, batch, ROUND_RECORDS);
    let mut checksums = Vec::new();
    for (name, run) in PEERS {
        let mut rounds: Vec<Outcome> = Vec::new();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|count| {
                let first = rounds.len();
                rounds.extend((0..count).map(|_| round(run, &job)));
                rounds[first..].iter().map(|round| round.elapsed).sum()
            });
        });
        print_rounds(name, &mut rounds);
        checksums.extend(rounds.iter().map(|round| round.checksum));
    }
    group.finish();
    assert!(checksums.windows(2).all(|pair| pair[0] == pair[1]), "{checksums:x?}");
}

/// Prints the stream's checksum, the spread of the speed and the mean batch length.
fn print_rounds(peer: &str, rounds: &mut [Outcome]) {
    rounds.sort_by_key(|round| round.elapsed);
    let (Some(fastest), Some(slowest)) = (rounds.first(), rounds.last()) else { return };
    let speed = |round: &Outcome| round.records as f64 / round.elapsed.as_secs_f64() / 1e6;
    let batches: f64 = rounds.iter().map(|round| round.mean_batch).sum();
    println!(
        "    {peer}: stream {:016x}, M records/s min/median/max {:.0}/{:.0}/{:.0}, mean batch {:.1}",
        fastest.checksum,
        speed(slowest),
        speed(&rounds[rounds.len() / 2]),
        speed(fastest),
        batches / rounds.len() as f64,
    );
}

fn round_trip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring/round trip");
    group.sample_size(15);
    for (name, run) in PEERS {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|trips| round(run, &job(Shape::RoundTrip, 1, trips)).elapsed);
        });
    }
    group.finish();
}

fn ring(criterion: &mut Criterion) {
    unicast(criterion, 1);
    unicast(criterion, 64);
    round_trip(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = ring
}
criterion_main!(benches);
