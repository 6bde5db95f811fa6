//! What is measured: the clock, the way from core to core, idle cores, sleep, the disk.

use std::path::Path;
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::report::Machine;
use ringtape::report::format::{bytes, duration};
use ringtape::runtime::{LatencySummary, Meter, allowed_cores};
use ringtape::units::CoreId;
use rustix::fs::{fstatvfs, statfs};
use serde_json::{Value, json};

use super::Check;
use super::measure::{self, DiskTimes, Hop, IDLE_P99_NS_MAX, TAIL_RATE};

/// Cores of which every pair is measured at most.
const CORES_MAX: usize = 8;

/// How long the idle cores are watched.
const IDLE: Duration = Duration::from_millis(1_000);

/// A read of the clock in ns that is as it should be.
const CLOCK_NS_MAX: u64 = 40;

/// Longest gap of an idle core in ns that is as it should be.
const IDLE_MAX_NS_MAX: u64 = 50_000;

/// Sync of the disk in ns, median, from which on `batch` durability is slow.
const SYNC_NS_MAX: u64 = 1_000_000;

/// Free bytes of the disk that a day's journal needs.
const FREE_BYTES_MIN: u64 = 20 << 30;

/// File systems in memory, by the number that `statfs` gives.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Sleeps that are measured, and their length.
const SLEEPS: usize = 1_100;
const SLEEP: Duration = Duration::from_micros(50);

pub(super) fn all(machine: &Machine, dir: &Path) -> Result<Vec<Check>> {
    let mut cores = allowed_cores();
    cores.truncate(CORES_MAX);
    let mut checks = vec![clock(machine)];
    if cores.len() > 1 {
        checks.push(hops(&measure::core_to_core(&cores)));
    }
    checks.push(idle(&cores));
    checks.push(sleep());
    let times = measure::disk(dir)?;
    checks.extend(disk(dir, &times)?);
    Ok(checks)
}

/// Percentiles as text and as JSON.
fn told(meter: &Meter) -> (String, Value) {
    let LatencySummary { count, p50, p99, p999, max, .. } = meter.summary();
    let text = |value: Option<u64>| value.map_or_else(|| "n/a".to_owned(), duration);
    let found = format!("p50 {}, p99 {}, max {}", text(p50), text(p99), text(max));
    let value = json!({ "count": count, "p50": p50, "p99": p99, "p999": p999, "max": max });
    (found, value)
}

fn clock(machine: &Machine) -> Check {
    let ns = machine.clock_read_ns;
    Check::new("clock", format!("{}, {ns} ns a read", machine.clock), json!(ns)).costs(
        ns > CLOCK_NS_MAX,
        "each stage reads it once a batch, the feed twice: so much is added to every latency",
        "let the guest read the counter itself: in the hypervisor do not trap RDTSC",
    )
}

fn hops(hops: &[Hop]) -> Check {
    let row = |hop: &Hop| {
        let [min, median, max] = hop.ns;
        format!("{}-{} {min}/{median}/{max}", hop.from, hop.to)
    };
    let rows: Vec<_> = hops.iter().map(row).collect();
    let medians = || hops.iter().map(|hop| hop.ns[1]);
    let (near, far) = (medians().min().unwrap_or(0), medians().max().unwrap_or(0));
    let value = hops.iter().map(|hop| {
        let [min, median, max] = hop.ns;
        json!({ "from": hop.from.0, "to": hop.to.0, "min": min, "median": median, "max": max })
    });
    Check::new(
        "core_to_core",
        format!("ns one way, min/median/max: {}", rows.join("  ")),
        json!(value.collect::<Vec<_>>()),
    )
    .costs(
        far > 2 * near,
        format!("a ring between the far ones costs {far} ns a hand-over, between the near {near}"),
        "name near ones with `--cores`",
    )
}

fn idle(cores: &[CoreId]) -> Check {
    let meters = measure::idle_waits(cores, IDLE, TAIL_RATE);
    let summaries: Vec<LatencySummary> = meters.iter().map(Meter::summary).collect();
    let rows = cores.iter().zip(&meters).map(|(core, meter)| {
        let (found, value) = told(meter);
        (format!("core {core} {found}"), value)
    });
    let (found, values): (Vec<_>, Vec<_>) = rows.unzip();
    let worst = |pick: fn(&LatencySummary) -> Option<u64>| {
        summaries.iter().filter_map(pick).max().unwrap_or(0)
    };
    let (p99, max) = (worst(|s| s.p99), worst(|s| s.max));
    let tail = match p99 > IDLE_P99_NS_MAX {
        true => "this machine cannot support a tail claim: ",
        false => "",
    };
    Check::new("idle_hiccups", found.join("; "), json!(values)).costs(
        max > IDLE_MAX_NS_MAX || p99 > IDLE_P99_NS_MAX,
        format!("{tail}idle cores stood still for up to {}; no latency is better", duration(max)),
        "isolate cores (see above), stop other programs, or take real hardware",
    )
}

fn sleep() -> Check {
    let mut meter = Meter::new();
    for _ in 0..SLEEPS {
        let start = Instant::now();
        std::thread::sleep(SLEEP);
        meter.record(start.elapsed().saturating_sub(SLEEP).as_nanos() as u64);
    }
    let (found, value) = told(&meter);
    let late = meter.summary().p50.unwrap_or(0);
    Check::new("sleep", format!("late by {found}"), value).costs(
        late > SLEEP.as_nanos() as u64,
        "with `--wait park` that much is added to an event that comes after a pause",
        "use `--wait spin` or `yield`, or lower the timer slack (see above)",
    )
}

fn disk(dir: &Path, times: &DiskTimes) -> Result<Vec<Check>> {
    let failed = |source: rustix::io::Errno| Error::io("look at", dir, source.into());
    let opened = std::fs::File::open(dir).map_err(|error| Error::io("open", dir, error))?;
    let space = fstatvfs(&opened).map_err(failed)?;
    let is_in_memory = IN_MEMORY.contains(&statfs(dir).map_err(failed)?.f_type);
    let free = space.f_bavail * space.f_frsize;
    let place = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let home = Check::new(
        "disk",
        format!("{}: {} free{}", place.display(), bytes(free), memory_note(is_in_memory)),
        json!({
            "path": place.display().to_string(),
            "free_bytes": free,
            "in_memory": is_in_memory,
        }),
    )
    .costs(
        free < FREE_BYTES_MIN || is_in_memory,
        match is_in_memory {
            true => "a journal here survives a killed process only, and takes memory",
            false => "a whole day's journal takes about 18 GiB: the run ends when the disk is full",
        },
        "name another directory with `--dir`, and to `replay` with `--journal`",
    );
    let (found, value) = told(&times.append);
    let append = Check::new("disk_append", format!("4 KiB: {found}"), value);
    let (found, value) = told(&times.sync);
    let slow = times.sync.summary().p50.unwrap_or(0);
    let sync = Check::new("disk_sync", format!("4 KiB and fdatasync: {found}"), value).costs(
        slow > SYNC_NS_MAX,
        format!("`--durability batch` acknowledges at most one batch in {}", duration(slow)),
        "a drive with power-loss protection, or `--durability interval:10ms`",
    );
    let (found, value) = told(&times.flush);
    let flush = Check::new("disk_flush", format!("a mapped page and msync: {found}"), value);
    Ok(vec![home, append, sync, flush])
}

fn memory_note(is_in_memory: bool) -> &'static str {
    if is_in_memory { ", in memory" } else { "" }
}
