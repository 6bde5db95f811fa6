//! `ringtape bench journal`: what a record costs to keep and to read back.

mod paced;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::event::Event;
use ringtape::hash::hash_bytes;
use ringtape::journal::{Durability, JournalOptions, Read, Reader, Writer};
use ringtape::map::{HUGE_PAGE_BYTES, WriteMap};
use ringtape::report::Machine;
use ringtape::ring::RingBuilder;
use rustix::fs::{FallocateFlags, fallocate, syncfs};
use rustix::io::Errno;
use serde_json::{Value, json};

use self::paced::Paced;
use super::yardstick;
use crate::cli::{Ending, parse, term};

/// Records of a batch, as a ring hands them out.
const BATCH_RECORDS: usize = 1024;

/// Distinct records, appended again and again.
const DISTINCT_RECORDS: usize = 1 << 14;

/// Bytes of a slot: commit word and event.
const SLOT_BYTES: usize = 64;

/// Durabilities at which a paced writer is watched.
const PACED_LEVELS: [&str; 2] = ["pagecache", "interval:10ms"];

/// The rows of what is no journal: what the memory costs, and what it costs while the file grows.
const BARE_ROWS: [&str; 2] = ["bare mapped store", "the same into new pages"];

/// Bytes of a segment, so that a round rolls.
const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// Records of a round
    #[arg(long, value_name = "N", default_value = "3M")]
    records: String,
    /// Records of a round that waits for the disk
    #[arg(long, value_name = "N", default_value = "100k")]
    synced_records: String,
    /// Rounds to take minimum, median and maximum of; the rows take turns
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Seconds at 1 M records/s for each durability, in which stalls are counted; 0 for none
    #[arg(long, value_name = "N", default_value_t = 2)]
    paced_seconds: u32,
    /// Directory on the disk to measure [default: that of temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

/// A row of the table: its name and what a record took in each round, in tenths of ns.
struct Row {
    name: String,
    tenths: Vec<u64>,
}

impl Row {
    /// Minimum, median and maximum.
    fn figures(&self) -> [u64; 3] {
        let mut sorted = self.tenths.clone();
        sorted.sort_unstable();
        [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]]
    }
}

pub(super) fn run(args: &JournalArgs) -> Result<Ending> {
    if args.rounds == 0 {
        return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
    }
    let records = whole_batches(&args.records)?;
    let synced = whole_batches(&args.synced_records)?;
    let events = stream();
    let base = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = base.join(format!("ringtape-bench-{}", std::process::id()));
    let mut rows: Vec<Row> = Vec::new();
    let mut note = |name: &str, count: usize, took: Duration| {
        let tenths = (took.as_nanos() * 10 / count as u128) as u64;
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.tenths.push(tenths),
            None => rows.push(Row { name: name.to_owned(), tenths: vec![tenths] }),
        }
    };
    let bare = BareStore::new(&dir, records)?;
    for _ in 0..args.rounds {
        let [old_pages, new_pages] = BARE_ROWS;
        note(old_pages, records, bare.store(&events, records)?);
        note(new_pages, records, store_to_new_pages(&dir, &events, records)?);
        for (level, count) in
            [("batch", synced), ("interval:10ms", records), ("pagecache", records)]
        {
            let took = append(&dir.join("journal"), level.parse()?, &events, count)?;
            note(&format!("append, {level}"), count, took);
        }
        note("read and check", records, read(&dir.join("journal"), records)?);
        note("read, check and publish", records, publish(&dir.join("journal"), records)?);
    }
    let paced = match args.paced_seconds {
        0 => Vec::new(),
        seconds => paced::run(&dir.join("journal"), &PACED_LEVELS, &events, seconds)?,
    };
    remove(&dir)?;
    let checksum = hash_bytes(bytemuck::cast_slice(&events));
    if args.json {
        term::print(format_args!("{:#}", document(&rows, &paced, checksum)))?;
    } else {
        describe(&rows, checksum, &base);
        paced::describe(&paced);
    }
    Ok(Ending::Done)
}

fn whole_batches(text: &str) -> Result<usize> {
    let count = parse::count_u32(text)? as usize / BATCH_RECORDS * BATCH_RECORDS;
    if count == 0 {
        let cure = format!("ask for {BATCH_RECORDS} records or more");
        return Err(Error::usage(format!("{text} records are less than a batch"), cure));
    }
    Ok(count)
}

/// Records of which no two are the same.
fn stream() -> Vec<Event> {
    let event = |number: u64| {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let payload = [mixed, !mixed, number, mixed.rotate_left(9)];
        Event { ts_event: number, ts_ingest: mixed, payload, ..Event::zeroed() }
    };
    (0..DISTINCT_RECORDS as u64).map(event).collect()
}

/// A mapped file in memory, to which the same records are stored without anything else.
struct BareStore {
    map: WriteMap,
}

impl BareStore {
    fn new(dir: &Path, records: usize) -> Result<Self> {
        let path = dir.join("bare");
        std::fs::create_dir_all(dir).map_err(|source| Error::io("make", dir, source))?;
        let (_, map) = new_map(&path, records)?;
        Ok(Self { map })
    }

    /// The time without bringing in the pages, which have been forced out since the round before
    /// and would fault.
    fn store(&self, events: &[Event], records: usize) -> Result<Duration> {
        let populated = self.map.populate(0, self.map.bytes());
        populated.map_err(|source| Error::io("populate", "the bare store", source))?;
        Ok(store(&self.map, events, records, |_| {}))
    }
}

/// A new file with its space, mapped.
fn new_map(path: &Path, records: usize) -> Result<(File, WriteMap)> {
    let failed = |source| Error::io("prepare", path, source);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(path).map_err(failed)?;
    let bytes = (records * SLOT_BYTES) as u64;
    let allocated = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP) => file.set_len(bytes),
        done => done.map_err(Into::into),
    };
    allocated.map_err(failed)?;
    let map = WriteMap::new(&file, path)?;
    Ok((file, map))
}

/// Stores records one behind the other; `wait_for` is told where each batch will end.
fn store(
    map: &WriteMap,
    events: &[Event],
    records: usize,
    mut wait_for: impl FnMut(usize),
) -> Duration {
    let start = Instant::now();
    let mut offset = 0;
    for batch in events.chunks(BATCH_RECORDS).cycle().take(records / BATCH_RECORDS) {
        wait_for(offset + batch.len() * SLOT_BYTES);
        for event in batch {
            map.publish(offset, offset as u64, bytemuck::bytes_of(event).as_chunks().0);
            offset += SLOT_BYTES;
        }
    }
    start.elapsed()
}

/// The same stores into a new file, whose pages a thread brings in ahead of them, as a journal's
/// helper does: what keeping records costs anybody whose file grows.
fn store_to_new_pages(dir: &Path, events: &[Event], records: usize) -> Result<Duration> {
    let path = dir.join("growing");
    let (file, map) = new_map(&path, records)?;
    settle(dir)?;
    let there = AtomicUsize::new(0);
    let bring_in = || {
        let zeros = vec![0; HUGE_PAGE_BYTES];
        let brought = (0..map.bytes()).step_by(HUGE_PAGE_BYTES).try_for_each(|from| {
            let to = (from + HUGE_PAGE_BYTES).min(map.bytes());
            file.write_all_at(&zeros[..to - from], from as u64)?;
            map.populate(from, to - from)?;
            there.store(to, Ordering::Release);
            Ok(())
        });
        // After an error too: the stores bring in what is missing.
        there.store(usize::MAX, Ordering::Release);
        brought
    };
    let (took, brought) = thread::scope(|scope| {
        let thread = scope.spawn(bring_in);
        let took = store(&map, events, records, |end| {
            while there.load(Ordering::Acquire) < end {
                thread::yield_now();
            }
        });
        (took, thread.join().expect("the thread does not panic"))
    });
    brought.map_err(|source| Error::io("bring in", &path, source))?;
    std::fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
    Ok(took)
}

/// Waits until the disk has done what the rows before have left it.
fn settle(dir: &Path) -> Result<()> {
    let settled = File::open(dir).and_then(|dir| Ok(syncfs(dir)?));
    settled.map_err(|source| Error::io("sync the file system of", dir, source))
}

/// Appends to a new journal; the time without making and closing it.
fn append(
    dir: &Path,
    durability: Durability,
    events: &[Event],
    records: usize,
) -> Result<Duration> {
    remove(dir)?;
    let options =
        JournalOptions { segment_bytes: SEGMENT_BYTES, durability, ..JournalOptions::default() };
    let mut writer = Writer::<Event>::create(dir, &options)?;
    settle(dir)?;
    let start = Instant::now();
    for batch in events.chunks(BATCH_RECORDS).cycle().take(records / BATCH_RECORDS) {
        writer.append_batch(batch)?;
    }
    let took = start.elapsed();
    writer.close()?;
    Ok(took)
}

fn read(dir: &Path, records: usize) -> Result<Duration> {
    let mut reader = Reader::<Event>::open(dir)?;
    let mut out = [Event::zeroed(); BATCH_RECORDS];
    let (mut count, start) = (0, Instant::now());
    while let Read::Records(read) = reader.read(&mut out)? {
        count += read;
    }
    let took = start.elapsed();
    assert_eq!(count, records, "what was appended is what is read");
    Ok(took)
}

/// Reads and publishes to a ring whose stage takes everything at once.
fn publish(dir: &Path, records: usize) -> Result<Duration> {
    let mut builder = RingBuilder::new("recovery", 2 * BATCH_RECORDS)?;
    let stage = builder.stage("reader", &[])?;
    let (mut producer, mut consumers) = builder.build()?;
    let mut consumer = consumers.take(stage)?;
    let mut reader = Reader::<Event>::open(dir)?;
    let mut out = [Event::zeroed(); BATCH_RECORDS];
    let (mut count, start) = (0, Instant::now());
    while let Read::Records(read) = reader.read(&mut out)? {
        let mut claim = producer.try_claim(read)?.expect("the stage has taken everything");
        claim.for_each_mut(|index, event| *event = out[index]);
        claim.commit_all();
        let batch = consumer.poll(BATCH_RECORDS)?;
        count += batch.len();
        let taken = batch.len();
        batch.end_at(taken);
    }
    let took = start.elapsed();
    assert_eq!(count, records, "what was appended is what is published");
    Ok(took)
}

fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir, error))
        }
        _ => Ok(()),
    }
}

fn describe(rows: &[Row], checksum: u64, base: &Path) {
    let machine = Machine::look();
    term::tell(format_args!("machine  {}, {} cores allowed", machine.cpu, machine.cores_allowed));
    term::tell(format_args!("disk     that of {}", base.display()));
    term::tell(format_args!("stream   {DISTINCT_RECORDS} events, checksum {checksum:016x}"));
    term::tell(format_args!(
        "{:<26} {:>34} {:>14}",
        "", "ns a record, min / median / max", "M records/s"
    ));
    for row in rows {
        let [min, median, max] =
            row.figures().map(|tenths| format!("{}.{}", tenths / 10, tenths % 10));
        let rate = 100_000 / row.figures()[1].max(1);
        term::tell(format_args!(
            "{:<26} {:>34} {:>12}.{}",
            row.name,
            format!("{min} / {median} / {max}"),
            rate / 10,
            rate % 10
        ));
    }
}

fn document(rows: &[Row], paced: &[Paced], checksum: u64) -> Value {
    let ns = |tenths: u64| tenths as f64 / 10.0;
    let rows = rows.iter().map(|row| {
        let [min, median, max] = row.figures().map(ns);
        json!({
            "row": row.name,
            "control": BARE_ROWS.contains(&row.name.as_str()).then_some(yardstick::CONTROL),
            "ns_per_record": {
                "min": min,
                "median": median,
                "max": max,
                "rounds": row.tenths.iter().map(|&tenths| ns(tenths)).collect::<Vec<_>>(),
            },
        })
    });
    let machine = Machine::look();
    json!({
        "schema": 1,
        "bench": "journal",
        "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
        "stream": { "events": DISTINCT_RECORDS, "checksum": format!("{checksum:016x}") },
        "rows": rows.collect::<Vec<_>>(),
        "paced": paced::document(paced),
    })
}
