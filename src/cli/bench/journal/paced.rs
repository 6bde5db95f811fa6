//! A writer that appends one record a microsecond: how often it is held up, beside the same thread
//! when it only reads the clock; and whether the system took its core away or its memory faulted.

use std::path::Path;
use std::time::Duration;

use ringtape::clock::Clock;
use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::journal::{Durability, JournalOptions, Writer};
use ringtape::runtime::ThreadUsage;
use serde_json::{Value, json};

use super::{SEGMENT_BYTES, remove};
use crate::cli::term;

/// Time between two records: 1 M/s.
const RECORD_NS: u64 = 1_000;

/// A gap between two looks at the clock that counts as a stall.
const STALL_NS: u64 = 100_000;

/// Gaps of a thread that should never pause.
#[derive(Clone, Copy, Debug, Default)]
struct Stalls {
    count: u64,
    longest_ns: u64,
    /// Time in stalls.
    total_ns: u64,
    watched_ns: u64,
    /// What the system did to the thread meanwhile.
    usage: ThreadUsage,
}

impl Stalls {
    fn note(&mut self, gap_ns: u64) {
        self.longest_ns = self.longest_ns.max(gap_ns);
        self.watched_ns += gap_ns;
        if gap_ns > STALL_NS {
            self.count += 1;
            self.total_ns += gap_ns;
        }
    }

    fn faults(&self) -> u64 {
        self.usage.minor_faults + self.usage.major_faults
    }

    fn per_second(&self) -> f64 {
        self.count as f64 * 1e9 / self.watched_ns.max(1) as f64
    }
}

/// A level of durability, and what the thread met before and during its run.
#[derive(Debug)]
pub(super) struct Paced {
    level: &'static str,
    before: Stalls,
    during: Stalls,
    records: u64,
    durable: u64,
}

/// Appends for `seconds` at each of `levels`, after reading the clock for as long.
pub(super) fn run(
    dir: &Path,
    levels: &[&'static str],
    events: &[Event],
    seconds: u32,
) -> Result<Vec<Paced>> {
    let lasting = Duration::from_secs(seconds.into());
    levels.iter().map(|level| one(dir, level, level.parse()?, events, lasting)).collect()
}

fn one(
    dir: &Path,
    level: &'static str,
    durability: Durability,
    events: &[Event],
    lasting: Duration,
) -> Result<Paced> {
    remove(dir)?;
    let options =
        JournalOptions { segment_bytes: SEGMENT_BYTES, durability, ..JournalOptions::default() };
    let mut writer = Writer::<Event>::create(dir, &options)?;
    let before = watch(lasting, |_| Ok(()))?;
    let mut records = 0;
    let during = watch(lasting, |passed_ns| {
        if records * RECORD_NS <= passed_ns {
            writer.append(&events[records as usize % events.len()])?;
            records += 1;
        }
        Ok(())
    })?;
    let durable = writer.durable();
    writer.close()?;
    Ok(Paced { level, before, during, records, durable })
}

/// Calls `work` with the time that has passed, again and again, and notes how long each call took.
fn watch(lasting: Duration, mut work: impl FnMut(u64) -> Result<()>) -> Result<Stalls> {
    let clock = Clock::new();
    let mut stalls = Stalls::default();
    let before = ThreadUsage::of_current_thread(None);
    let start = clock.now().0;
    let mut last = start;
    while last - start < lasting.as_nanos() as u64 {
        work(last - start)?;
        let now = clock.now().0;
        stalls.note(now - last);
        last = now;
    }
    stalls.usage = ThreadUsage::of_current_thread(None).since(before);
    Ok(stalls)
}

pub(super) fn describe(paced: &[Paced]) {
    for Paced { level, before, during, records, durable } in paced {
        let us = |ns: u64| ns / 1_000;
        term::tell(format_args!(
            "paced at 1 M/s, {level}: {:.1} stalls over 100 us a second, {:.1} before the run; \
             longest {} us, {} us before",
            during.per_second(),
            before.per_second(),
            us(during.longest_ns),
            us(before.longest_ns),
        ));
        let behind = records - durable.min(records);
        term::tell(format_args!("    {records} records, the last {behind} not yet on the disk"));
        term::tell(format_args!(
            "    the core was taken away {} times, {} before; {} page faults",
            during.usage.involuntary_switches,
            before.usage.involuntary_switches,
            during.faults(),
        ));
    }
}

pub(super) fn document(paced: &[Paced]) -> Value {
    let stalls = |stalls: &Stalls| {
        json!({
            "over_100us_per_s": stalls.per_second(),
            "longest_ns": stalls.longest_ns,
            "total_ns": stalls.total_ns,
            "involuntary_switches": stalls.usage.involuntary_switches,
            "faults": stalls.faults(),
        })
    };
    let rows = paced.iter().map(|row| {
        json!({
            "durability": row.level,
            "records": row.records,
            "durable": row.durable,
            "before": stalls(&row.before),
            "during": stalls(&row.during),
        })
    });
    rows.collect()
}
