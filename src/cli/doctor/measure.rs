//! Measurements of the machine alone: from core to core, idle cores, the disk.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::utils::CachePadded;
use ringtape::clock::Clock;
use ringtape::error::{Error, Result};
use ringtape::map::WriteMap;
use ringtape::runtime::{Meter, pin_current_thread};
use ringtape::units::CoreId;

/// Times that a line goes there and back in a round.
const TURNS: u64 = 4_000;

/// Rounds of which minimum, median and maximum are taken.
const ROUNDS: usize = 7;

/// Bytes that are appended at a time.
const APPENDED_BYTES: usize = 4096;

/// Appends that are measured with a wait for the disk, and without.
const SYNCED: usize = 1_100;
const UNSYNCED: usize = 4_000;

/// The rate at which tails are claimed, in events a second.
pub(in crate::cli) const TAIL_RATE: u64 = 100_000;

/// 99th percentile in ns of what events at that rate wait for an idle core, above which no tail can
/// be claimed.
pub(in crate::cli) const IDLE_P99_NS_MAX: u64 = 10_000;

/// From one core to another: a cache line one way, in ns: minimum, median, maximum.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Hop {
    pub(in crate::cli) from: CoreId,
    pub(in crate::cli) to: CoreId,
    pub(in crate::cli) ns: [u64; 3],
}

/// Every pair of `cores`.
pub(in crate::cli) fn core_to_core(cores: &[CoreId]) -> Vec<Hop> {
    let pairs = cores.iter().enumerate();
    let pairs = pairs.flat_map(|(at, &from)| cores[at + 1..].iter().map(move |&to| (from, to)));
    pairs.map(|(from, to)| hop(from, to)).collect()
}

fn hop(from: CoreId, to: CoreId) -> Hop {
    let (there, back) = (CachePadded::new(AtomicU64::new(0)), CachePadded::new(AtomicU64::new(0)));
    let last = TURNS * ROUNDS as u64;
    let mut rounds = [0; ROUNDS];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin_current_thread(to);
            for turn in 1..=last {
                await_turn(&there, turn);
                back.store(turn, Ordering::Release);
            }
        });
        let (rounds, there, back) = (&mut rounds, &there, &back);
        scope.spawn(move || {
            pin_current_thread(from);
            let clock = Clock::new();
            let mut turn = 0;
            for round in rounds {
                let start = clock.now().0;
                for _ in 0..TURNS {
                    turn += 1;
                    there.store(turn, Ordering::Release);
                    await_turn(back, turn);
                }
                *round = (clock.now().0 - start) / (2 * TURNS);
            }
        });
    });
    rounds.sort_unstable();
    Hop { from, to, ns: [rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]] }
}

/// Spins until it is our turn; now and then lets others run, should both be on one core.
fn await_turn(line: &AtomicU64, turn: u64) {
    let mut spins = 0_u32;
    while line.load(Ordering::Acquire) != turn {
        spins += 1;
        if spins.is_multiple_of(10_000) {
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

/// Gaps between reads of the clock on an idle core: what the machine itself takes away.
fn idle_gaps(core: CoreId, length: Duration) -> Meter {
    let measured = std::thread::spawn(move || {
        pin_current_thread(core);
        let clock = Clock::new();
        let mut meter = Meter::new();
        let start = clock.now().0;
        let mut last = start;
        while last - start < length.as_nanos() as u64 {
            let now = clock.now().0;
            meter.record(now - last);
            last = now;
        }
        meter
    });
    measured.join().expect("reading a clock does not panic")
}

/// What `per_second` events would have waited for each of `cores`, idle and watched at the same
/// time.
pub(in crate::cli) fn idle_waits(
    cores: &[CoreId],
    length: Duration,
    per_second: u64,
) -> Vec<Meter> {
    let watch = |&core: &CoreId| std::thread::spawn(move || idle_gaps(core, length));
    let threads: Vec<_> = cores.iter().map(watch).collect();
    let gaps = threads.into_iter().map(|thread| thread.join().expect("as above"));
    gaps.map(|gaps| gaps.waits_at_rate(per_second)).collect()
}

/// Adds to `idle` what events would have waited for any of `cores`, watched now.
pub(in crate::cli) fn watch_idle(
    cores: &[CoreId],
    length: Duration,
    per_second: u64,
    idle: &mut Meter,
) {
    idle_waits(cores, length, per_second).iter().for_each(|waits| idle.merge(waits));
}

/// What the disk under a directory takes.
#[derive(Debug)]
pub(in crate::cli) struct DiskTimes {
    /// A write of 4 KiB behind the others.
    pub(in crate::cli) append: Meter,
    /// The same with `fdatasync`.
    pub(in crate::cli) sync: Meter,
    /// A page of a mapped file, with `msync`.
    pub(in crate::cli) flush: Meter,
}

/// Measures the disk under `dir` with a file that is removed again.
pub(in crate::cli) fn disk(dir: &Path) -> Result<DiskTimes> {
    let path = dir.join(format!("ringtape-doctor-{}.tmp", std::process::id()));
    let measured = disk_with(&path);
    let removed = fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error));
    let measured = measured?;
    removed.map(|()| measured)
}

fn disk_with(path: &Path) -> Result<DiskTimes> {
    let failed = |action| move |error| Error::io(action, path, error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed("create"))?;
    let page = [0x5a_u8; APPENDED_BYTES];
    // Blocks that are written once already: what a journal prepares.
    for _ in 0..UNSYNCED {
        file.write_all(&page).map_err(failed("write"))?;
    }
    file.sync_all().map_err(failed("sync"))?;
    let clock = Clock::new();
    let mut times = DiskTimes { append: Meter::new(), sync: Meter::new(), flush: Meter::new() };
    file.seek(SeekFrom::Start(0)).map_err(failed("seek"))?;
    for _ in 0..UNSYNCED {
        let start = clock.now().0;
        file.write_all(&page).map_err(failed("write"))?;
        times.append.record(clock.now().0 - start);
    }
    file.sync_all().map_err(failed("sync"))?;
    file.seek(SeekFrom::Start(0)).map_err(failed("seek"))?;
    for _ in 0..SYNCED {
        let start = clock.now().0;
        file.write_all(&page).map_err(failed("write"))?;
        file.sync_data().map_err(failed("sync"))?;
        times.sync.record(clock.now().0 - start);
    }
    let map = WriteMap::new(&file, path)?;
    for at in 0..SYNCED {
        let (start, offset) = (clock.now().0, at * APPENDED_BYTES);
        map.store(offset, &[[0xa5; 8]]);
        map.sync(offset..offset + APPENDED_BYTES).map_err(failed("flush"))?;
        times.flush.record(clock.now().0 - start);
    }
    Ok(times)
}
