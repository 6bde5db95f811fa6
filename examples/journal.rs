//! The journal alone: records of a type of your own, written through a memory map, followed by a
//! reader while they are written, and read on later from where it had come to.
//!
//! `cargo run --example journal -- [DIR]` keeps the journal; without a directory it is a passing
//! one.

use std::path::Path;
use std::thread;

use bytemuck::{Pod, Zeroable};
use ringtape::error::Result;
use ringtape::journal::{From, JournalOptions, Read, Record, Tailer, Writer, schema_hash, verify};

/// 56 bytes, so that a slot with its commit word is a cache line.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    time: u64,
    millidegrees: [i64; 6],
}

impl Record for Reading {
    const NAME: &'static str = "reading";
    const SCHEMA: u64 = schema_hash("0 time u64, 8 millidegrees [i64; 6]");

    fn time(&self) -> u64 {
        self.time
    }
}

/// Reads at most `limit` readings behind the cursor `chart` and moves it there.
fn chart(dir: &Path, limit: u64) -> Result<u64> {
    let mut tailer = Tailer::<Reading>::open(dir, &From::Cursor("chart".to_owned()))?;
    let mut readings = [Reading::zeroed(); 64];
    let (start, mut count) = (tailer.position(), 0);
    while count < limit {
        match tailer.read(&mut readings[..64.min((limit - count) as usize)])? {
            Read::Records(read) => count += read as u64,
            Read::Pending => thread::yield_now(),
            Read::End => break,
        }
    }
    tailer.save()?;
    println!("chart {start} to {}", tailer.position());
    Ok(count)
}

fn main() -> Result<()> {
    let passing = tempfile::tempdir().expect("a folder for passing files");
    let dir = std::env::args().nth(1).map_or(passing.path().join("readings"), Into::into);
    let mut writer = Writer::<Reading>::create(&dir, &JournalOptions::default())?;
    let followed = dir.clone();
    let follower = thread::spawn(move || chart(&followed, 10_000));
    for second in 0..25_000 {
        writer.append(&Reading { time: second, millidegrees: [20_000; 6] })?;
    }
    writer.close()?;
    follower.join().expect("the chart does not panic")?;
    chart(&dir, u64::MAX)?;
    println!("whole {} records", verify::<Reading>(&dir)?.records);
    Ok(())
}
