//! What a journal costs: append with CRC and rolls, beside a bare store of 64 bytes into a mapped,
//! populated file in the same run; and read with CRC check.
//!
//! Stream: `RECORDS` seeded events; its checksum is printed and checked against what is read back.

use std::path::Path;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::event::Event;
use ringtape::hash::RunningHash;
use ringtape::journal::{JournalOptions, Read, Reader, Writer, records_per_segment};
use ringtape::map::WriteMap;

/// Distinct records; they are appended again and again.
const RECORDS: usize = 1 << 14;

/// Records of a ring batch.
const BATCH: usize = 1024;

/// Records appended a sample: three segments of 64 MiB, so two rolls.
const APPENDED: usize = 3 << 20;

/// Bytes of the file of the bare store: as many records as one sample appends.
const BARE_BYTES: usize = 192 << 20;

const SEED: u64 = 8;

fn stream() -> Vec<Event> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut time = 34_200_000_000_000;
    let events: Vec<Event> = (0..RECORDS)
        .map(|_| {
            time += random.next_u64() % 1000;
            let payload = std::array::from_fn(|_| random.next_u64());
            Event { ts_event: time, ts_ingest: time + 1, payload, ..Event::zeroed() }
        })
        .collect();
    println!("stream: {RECORDS} events, seed {SEED}, checksum {:016x}", checksum(&events));
    events
}

fn checksum(events: &[Event]) -> u64 {
    let mut hash = RunningHash::default();
    events.iter().for_each(|event| hash.update(bytemuck::bytes_of(event)));
    hash.value()
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 64 << 20, ..JournalOptions::default() }
}

/// Appends `APPENDED` records to a new journal; the time without creating and closing it.
fn append(dir: &Path, events: &[Event]) -> (Duration, u64) {
    let mut writer = Writer::<Event>::create(dir, &options()).unwrap();
    let start = Instant::now();
    for batch in events.chunks(BATCH).cycle().take(APPENDED / BATCH) {
        writer.append_batch(batch).unwrap();
    }
    let took = start.elapsed();
    let stalls = writer.stalls();
    writer.close().unwrap();
    (took, stalls)
}

/// Stores the same records without CRC into a file that is already populated.
fn store_bare(map: &WriteMap, events: &[Event]) -> Duration {
    let start = Instant::now();
    let mut offset = 0;
    for batch in events.chunks(BATCH).cycle().take(APPENDED / BATCH) {
        for event in batch {
            map.publish(offset, offset as u64, bytemuck::bytes_of(event).as_chunks().0);
            offset += 64;
        }
    }
    start.elapsed()
}

fn bench(criterion: &mut Criterion) {
    let events = stream();
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(10).throughput(Throughput::Elements(APPENDED as u64));

    group.bench_function("bare mapped store, populated", |bencher| {
        let file = tempfile::tempfile().unwrap();
        file.set_len(BARE_BYTES as u64).unwrap();
        let map = WriteMap::new(&file, Path::new("bare")).unwrap();
        map.populate(0, BARE_BYTES).unwrap();
        bencher.iter_custom(|rounds| (0..rounds).map(|_| store_bare(&map, &events)).sum());
    });
    let mut stalls = (0, 0);
    group.bench_function("append with CRC, two rolls", |bencher| {
        bencher.iter_custom(|rounds| {
            let sample = |_| {
                let dir = tempfile::tempdir().unwrap();
                let (took, stalled) = append(dir.path(), &events);
                stalls = (stalls.0 + stalled, stalls.1 + 1);
                took
            };
            (0..rounds).map(sample).sum()
        });
    });
    println!("stalls of the writer: {} in {} runs", stalls.0, stalls.1);
    group.bench_function("read and check", |bencher| {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), &events);
        check(dir.path(), &events);
        let mut reader = Reader::<Event>::open(dir.path()).unwrap();
        let mut out = vec![Event::zeroed(); BATCH];
        bencher.iter(|| {
            reader.seek(0).unwrap();
            let mut records = 0;
            while let Read::Records(count) = reader.read(&mut out).unwrap() {
                records += count;
            }
            assert_eq!(records, APPENDED);
        });
    });
    group.finish();
}

/// What was appended is what is read.
fn check(dir: &Path, events: &[Event]) {
    assert!(records_per_segment::<Event>(options().segment_bytes) < APPENDED as u64);
    let mut reader = Reader::<Event>::open(dir).unwrap();
    let mut out = vec![Event::zeroed(); RECORDS];
    let mut filled = 0;
    while filled < RECORDS {
        match reader.read(&mut out[filled..]).unwrap() {
            Read::Records(count) => filled += count,
            other => panic!("{other:?} after {filled} records"),
        }
    }
    assert_eq!(checksum(&out), checksum(events));
}

criterion_group!(benches, bench);
criterion_main!(benches);
