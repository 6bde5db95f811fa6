//! The matcher on flows of commands in memory, beside the naive model that the tests hold it to.
//!
//! Every line names its flow, executions a command and the hash of all executions; on the smallest
//! flow matcher and model must have said the same, or the bench fails. `ringtape bench match` runs
//! the flows at their full size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringtape::engine::generate::{CommandFlow, Flow, FlowProfile};
use ringtape::event::{Event, Execution};
use ringtape::hash::RunningHash;
use ringtape::matching::{Matcher, MatcherConfig};

#[path = "../tests/common/naive_matcher/mod.rs"]
mod naive_matcher;

use naive_matcher::{Allocation, NaiveConfig, NaiveMatcher};

/// Commands between two looks at what was said.
const BATCH: usize = 256;

/// Fills the books, then times the commands; `iterations` times from the start.
fn time<M>(
    iterations: u64,
    flow: &CommandFlow,
    new: impl Fn() -> M,
    apply: impl Fn(&mut M, &Event, &mut Vec<Execution>),
) -> Duration {
    let mut total = Duration::ZERO;
    let mut out = Vec::with_capacity(64 * BATCH);
    for _ in 0..iterations {
        let mut matcher = new();
        for event in &flow.setup {
            out.clear();
            apply(&mut matcher, event, &mut out);
        }
        let start = Instant::now();
        for batch in flow.events.chunks(BATCH) {
            out.clear();
            batch.iter().for_each(|event| apply(&mut matcher, event, &mut out));
            black_box(&out);
        }
        total += start.elapsed();
    }
    total
}

/// Executions of the commands, and their hash.
fn said<M>(
    flow: &CommandFlow,
    mut matcher: M,
    apply: impl Fn(&mut M, &Event, &mut Vec<Execution>),
) -> (u64, u64) {
    let (mut out, mut hash, mut count) = (Vec::new(), RunningHash::default(), 0);
    for event in flow.setup.iter().chain(&flow.events) {
        out.clear();
        apply(&mut matcher, event, &mut out);
        count += out.len() as u64;
        out.iter().for_each(|execution| hash.update(bytemuck::bytes_of(execution)));
    }
    (count, hash.value())
}

fn matcher() -> Matcher {
    Matcher::new(MatcherConfig::default())
}

fn naive() -> NaiveMatcher {
    NaiveMatcher::new(NaiveConfig {
        orders_max: usize::MAX,
        reduction_keeps_place: false,
        allocation: Allocation::Fifo,
    })
}

fn flows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    group.sample_size(10);
    for flow in Flow::ALL {
        let profile = FlowProfile { commands: 2_000, symbols: 5, live: 200, ..flow.profile() };
        let stream = profile.generate().expect("a flow");
        let (_, hash) = said(&stream, matcher(), Matcher::apply);
        let (_, expected) = said(&stream, naive(), NaiveMatcher::apply);
        assert_eq!(hash, expected, "matcher and model say the same");
        println!("match/{}, 200 live: hash {hash:016x}, matcher and naive equal", flow.name());
        group.throughput(Throughput::Elements(stream.commands));
        group.bench_function(BenchmarkId::new("naive", flow.name()), |bench| {
            bench.iter_custom(|iterations| time(iterations, &stream, naive, NaiveMatcher::apply));
        });

        let profile =
            FlowProfile { commands: 200_000, symbols: 100, live: 10_000, ..flow.profile() };
        let stream = profile.generate().expect("a flow");
        let (count, hash) = said(&stream, matcher(), Matcher::apply);
        println!("match/{}, 10k live: {count} executions, hash {hash:016x}", flow.name());
        group.throughput(Throughput::Elements(stream.commands));
        group.bench_function(BenchmarkId::new("matcher", flow.name()), |bench| {
            bench.iter_custom(|iterations| time(iterations, &stream, matcher, Matcher::apply));
        });
    }
    group.finish();
}

criterion_group!(benches, flows);
criterion_main!(benches);
