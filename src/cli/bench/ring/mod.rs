//! `ringtape bench ring`: the ring beside `disruptor`, `rtrb`, `crossbeam-channel` and the standard
//! library's channel, in the same run.
//!
//! ```text
//! unicast-1, -64   producer --> consumer             1 or 64 records a commit
//! multicast-2, -3  producer --> a
//!                          \--> b
//!                          \--> c                    every stage sees every record
//! pipeline         producer --> a --> b
//! diamond          producer --> a --\
//!                          \--> b ---+--> c          c sees what both have released
//! round-trip       caller --> echo --> caller        two rings, one record at a time
//! paced            producer --> consumer             1 M/s, from each record's intended time
//! head             producer (36 ns) --> consumer     the consumer waits for every record
//! oversubscribed   producer --> two stages a core    more threads than cores
//! ```
//!
//! ringtape and `disruptor` build a graph on one ring; the others join two threads only, so they
//! take a ring for every edge and copy ([`chain`]). Every record is one cache line with a checksum
//! of its own: each stage verifies that it is whole and that it is the next one, and the stream's
//! checksum must be the same for all. Each line first tries every way to wait that it has and goes
//! on with the best. A round is a process of its own, with all memory touched and a warm-up before
//! the measured part; the lines take turns in random order. Threads are pinned where each can have
//! a core; with more threads than cores the system places them, which suits every peer best.
//!
//! On a busy machine the figures mean nothing, and one round does not either: cursor rings fall
//! into a slow or a fast mode by chance, so a line shows minimum, median and maximum.

mod chain;
// Without the peers nobody uses what their own threads need.
#[cfg_attr(not(feature = "peers"), allow(dead_code))]
mod crew;
#[cfg(feature = "peers")]
mod crossbeam;
#[cfg(feature = "peers")]
mod disruptor;
#[cfg_attr(not(feature = "peers"), allow(dead_code))]
mod job;
mod mpsc;
mod ours;
mod peers;
mod rows;
#[cfg(feature = "peers")]
mod rtrb;
mod schedule;
#[path = "../../../../tests/common/stream.rs"]
mod stream;
mod table;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "peers"), allow(dead_code))]
mod watch;

#[cfg(feature = "peers")]
pub(super) use peers::version;

use std::thread;
use std::time::Duration;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::report::Machine;
use ringtape::runtime::allowed_cores;
use serde_json::json;

use self::job::{How, Way};
use self::peers::{HOW_TO_BUILD, PEERS, Peer, VARIANTS};
use self::rows::{ROWS, Row, Setup};
use self::schedule::{Effort, Entry, Round, Schedule, calibrate_spins};
use self::table::Figures;
use crate::cli::{Ending, parse, term};

/// Time after which a round counts as hanging.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// Bytes of a record with its slot: a cache line for every peer.
const SLOT_BYTES: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct RingArgs {
    /// Rows to measure; all unless given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    row: Vec<String>,
    /// Peers to measure; all unless given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    peers: Vec<String>,
    /// Variants of ringtape to measure too: observable, copy
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    variants: Vec<String>,
    /// Rounds of each line; 7 unless given, 3 with --quick
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Short rounds: half a minute in all, and less sure
    #[arg(long)]
    quick: bool,
    /// Slots of every ring and channel, a power of two
    #[arg(long, value_name = "N", default_value = "16384")]
    capacity: String,
    /// Most records that a stage takes in one look; the peer `disruptor` takes all there are
    #[arg(long, value_name = "N", default_value = "1024")]
    batch_max: String,
    /// Seed of the order of rounds
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Print all rounds to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RoundArgs {
    #[arg(long)]
    row: String,
    #[arg(long)]
    peer: String,
    #[arg(long)]
    way: String,
    #[arg(long)]
    ms: u64,
    #[arg(long)]
    capacity: usize,
    #[arg(long)]
    batch_max: usize,
    #[arg(long)]
    spins: u64,
}

pub(crate) fn run(args: &RingArgs) -> Result<Ending> {
    let effort = effort(args)?;
    let rows = rows(&args.row)?;
    let peers = [peers(&args.peers)?, variants(&args.variants)?].concat();
    let setup = setup(args, &rows)?;
    let machine = Machine::look();
    let allowed = allowed_cores();
    if !args.json {
        describe_run(args, effort, setup, &machine);
    }
    let mut schedule = Schedule::new(effort, setup, args.seed);
    let mut agree = true;
    let mut documents = Vec::new();
    for row in rows {
        let mut entries = entries(&peers);
        schedule.measure(row, &mut entries);
        let threads = row.shape(allowed.len()).threads();
        let cores = row.cores(&allowed).iter().map(|core| core.0).collect();
        let figures = Figures::new(row, threads, cores, &entries);
        agree &= figures.agree();
        if args.json {
            documents.push(figures.to_json());
        } else {
            figures.describe();
        }
    }
    if args.json {
        let versions: serde_json::Map<_, _> = table::versions()
            .into_iter()
            .map(|(name, version)| (name.to_owned(), json!(version)))
            .collect();
        let document = json!({
            "schema": 1,
            "bench": "ring",
            "machine": {
                "cpu": machine.cpu,
                "cores_allowed": machine.cores_allowed,
                "kernel": machine.kernel,
                "clock": machine.clock,
                "clock_read_ns": machine.clock_read_ns,
            },
            "flags": table::flags(&machine),
            "versions": versions,
            "record_bytes": SLOT_BYTES,
            "capacity": setup.capacity,
            "batch_max": setup.batch_max,
            "slowed_spins": setup.spins,
            "seed": args.seed,
            "rounds": effort.rounds,
            "screening_rounds": effort.screening_rounds,
            "agree": agree,
            "rows": documents,
        });
        term::print(format_args!("{document:#}"))?;
    }
    Ok(if agree { Ending::Done } else { Ending::CheckFailed })
}

/// Runs one round in this process and prints it as one line.
pub(crate) fn run_round(args: &RoundArgs) -> Result<Ending> {
    thread::spawn(|| {
        thread::sleep(ROUND_MAX);
        term::tell(format_args!("the round did not end within {} s", ROUND_MAX.as_secs()));
        std::process::exit(4);
    });
    let row = row(&args.row)?;
    let way = Way::from_name(&args.way)
        .ok_or_else(|| Error::usage(format!("unknown way `{}`", args.way), "spin, for one"))?;
    let RoundArgs { capacity, batch_max, spins, .. } = *args;
    let setup = Setup { capacity, batch_max, spins };
    let job = row.job(way, Duration::from_millis(args.ms), setup, &allowed_cores());
    let round = Round::from(peers::named(&args.peer)?.run(&job)?);
    term::print(json!(round))?;
    Ok(Ending::Done)
}

fn effort(args: &RingArgs) -> Result<Effort> {
    let (rounds, screening_rounds, round_ms, screening_ms) =
        if args.quick { (3, 1, 50, 20) } else { (7, 3, 400, 60) };
    let rounds = args.rounds.unwrap_or(rounds);
    if rounds == 0 {
        return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
    }
    Ok(Effort { rounds, screening_rounds, round_ms, screening_ms })
}

fn row(name: &str) -> Result<&'static Row> {
    Row::named(name).ok_or_else(|| {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        Error::usage(format!("unknown row `{name}`"), format!("choose of {}", names.join(", ")))
    })
}

fn rows(names: &[String]) -> Result<Vec<&'static Row>> {
    if names.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    names.iter().map(|name| row(name)).collect()
}

fn peers(names: &[String]) -> Result<Vec<&'static Peer>> {
    if names.is_empty() {
        return Ok(PEERS.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            let peer = peers::named(name)?;
            if peer.is_built() {
                return Ok(peer);
            }
            Err(Error::usage(format!("this build is without the peer `{name}`"), HOW_TO_BUILD))
        })
        .collect()
}

fn variants(names: &[String]) -> Result<Vec<&'static Peer>> {
    names
        .iter()
        .map(|name| {
            let has_name = |peer: &&Peer| peer.name.strip_prefix("ringtape/") == Some(name);
            VARIANTS.iter().find(has_name).ok_or_else(|| {
                Error::usage(format!("unknown variant `{name}`"), "choose of observable, copy")
            })
        })
        .collect()
}

/// The lines of a row: the peers, and ringtape with its default wait.
fn entries(peers: &[&'static Peer]) -> Vec<Entry> {
    let own = |peer: &&'static Peer| Entry::new(peer, peer.name.to_owned(), peer.ways);
    let mut entries: Vec<Entry> = peers.iter().map(own).collect();
    if let Some(at) = peers.iter().position(|peer| peer.name == PEERS[0].name) {
        let auto = [Way::new(How::Auto)];
        entries
            .insert(at + 1, Entry::new(peers[at], format!("{}, default", peers[at].name), &auto));
    }
    entries
}

fn setup(args: &RingArgs, rows: &[&Row]) -> Result<Setup> {
    let size = |text: &str| parse::count_u32(text).map(|size| size as usize);
    let (capacity, batch_max) = (size(&args.capacity)?, size(&args.batch_max)?);
    if !capacity.is_power_of_two() || capacity < 64 {
        let what = format!("a ring of {capacity} slots does not suit every peer and row");
        return Err(Error::usage(what, "choose a power of two from 64 up"));
    }
    if batch_max == 0 {
        return Err(Error::usage("a look cannot take 0 records", "allow 1 or more"));
    }
    let is_slowed = rows.iter().any(|row| row.is_slowed());
    Ok(Setup { capacity, batch_max, spins: if is_slowed { calibrate_spins() } else { 0 } })
}

fn describe_run(args: &RingArgs, effort: Effort, setup: Setup, machine: &Machine) {
    term::tell(format_args!(
        "machine  {}, {} cores allowed, {} ({} ns a read)",
        machine.cpu, machine.cores_allowed, machine.clock, machine.clock_read_ns
    ));
    term::tell(format_args!("build    {}", table::flags(machine)));
    let versions: Vec<_> =
        table::versions().iter().map(|(name, version)| format!("{name} {version}")).collect();
    term::tell(format_args!("peers    {}", versions.join(", ")));
    if PEERS.iter().any(|peer| !peer.is_built()) {
        term::tell(format_args!("         all peers: {HOW_TO_BUILD}"));
    }
    term::tell(format_args!(
        "stream   records of {SLOT_BYTES} bytes with their slot, each verified by each stage; \
         rings of {}; at most {} a look",
        setup.capacity, setup.batch_max
    ));
    term::tell(format_args!(
        "rounds   {} of {} ms, a process each, in random order (seed {}); \
         waits chosen by {} of {} ms",
        effort.rounds, effort.round_ms, args.seed, effort.screening_rounds, effort.screening_ms
    ));
}
