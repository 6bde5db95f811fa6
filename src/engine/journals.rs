//! The journals of a run: made new, or taken up where an earlier run left them.
//!
//! ```text
//!   market journal      0 ............................ N        records that count
//!   execution journal   0 .......... M                          what they gave rise to, so far
//!   feed                0 ............ mark .... here           where the recording of it ended
//! ```
//!
//! A run that goes on re-runs the market journal from its first record, or from where the newest
//! snapshot was taken, to `N`, compares what comes of it with the executions that are there up to
//! `M`, appends those that are missing, and takes the next message from the feed. Refusals come
//! before anything is changed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::thread;

use super::config::{
    EXECUTIONS_DIR, EngineConfig, JournalConfig, MARKET_DIR, RUN_FILE, SNAPSHOTS_DIR,
};
use super::recorded::{Recorded, find_tail, skip_to};
use super::run_state::RunState;
use super::snapshots::{Ends, SnapshotRefused, SnapshotUsed, load_newest, set_aside};
use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::feed::{Description, Feed};
use crate::gateway::RunId;
use crate::hash::hash_bytes;
use crate::journal::snapshot::remove_unfinished;
use crate::journal::{
    self, JournalOptions, Left, Reader, Recovery, Writer, random_id, records_per_segment,
};
use crate::runtime::pin_current_thread;
use crate::units::CoreId;

/// Name of the run file while it is written.
const RUN_FILE_UNFINISHED: &str = "run.toml.unfinished";

/// The journals that a run writes, and what they hold already.
pub(super) struct Journals {
    pub(super) market: Writer<Event>,
    pub(super) executions: Writer<Execution>,
    /// What is run again first; `None` in a run that starts from the beginning.
    pub(super) recorded: Option<Recorded>,
    /// Reads the executions that are to come out again.
    pub(super) past_executions: Option<Reader<Execution>>,
    pub(super) resumed: Option<Resumed>,
}

impl Journals {
    /// Sequences of the first records that the rings will carry.
    pub(super) fn origins(&self) -> (u64, u64) {
        let snapshot = self.resumed.as_ref().and_then(|resumed| resumed.snapshot.as_ref());
        snapshot.map_or((0, 0), |used| (used.market, used.executions))
    }
}

/// Where the segments of a market journal begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segments {
    /// The sequence where the first one that this run writes begins.
    pub(super) first: u64,
    /// Records of each.
    pub(super) records: u64,
}

impl Segments {
    /// Records from `sequence` to the end of its segment.
    pub(super) fn left(self, sequence: u64) -> u64 {
        self.records - (sequence - self.first) % self.records
    }

    pub(super) fn begins_at(self, sequence: u64) -> bool {
        sequence >= self.first && (sequence - self.first).is_multiple_of(self.records)
    }
}

impl Journals {
    /// The number by which a venue knows the run: the market journal's, or one that nobody has.
    pub(super) fn run_id(journals: Option<&Self>) -> RunId {
        let journal = journals.map(|journals| journals.market.header().journal_id);
        RunId(journal.unwrap_or_else(random_id))
    }

    pub(super) fn segments(&self) -> Segments {
        let header = self.market.header();
        let records = records_per_segment::<Event>(header.segment_bytes);
        Segments { first: header.first_sequence, records }
    }
}

/// What a run took up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// The market journal, which was run again.
    pub market: Recovery,
    /// The execution journal, with which the result was compared.
    pub executions: Recovery,
    /// Where it went on; `None` if all of the market journal was run again.
    pub snapshot: Option<SnapshotUsed>,
    /// Why newer snapshots were not used.
    pub refused: Vec<SnapshotRefused>,
}

/// Opens the journals of a run over `feed`, which is moved to where the journal ends, as `state` is
/// to the newest usable snapshot; `core` is that of the agent that writes the market journal.
pub(super) fn open(
    config: &JournalConfig,
    feed: &mut dyn Feed,
    engine: &EngineConfig,
    core: Option<CoreId>,
    state: &mut RunState,
) -> Result<Journals> {
    check_place(&config.dir)?;
    let market = config.dir.join(MARKET_DIR);
    if config.resume && journal::is_present(&market)? {
        return resume(config, feed, engine, core, state);
    }
    let parts = [MARKET_DIR, EXECUTIONS_DIR].map(|name| config.dir.join(name));
    let run_file = config.dir.join(RUN_FILE);
    if config.resume {
        check_configuration(config, &run_file)?;
        if journal::is_present(&parts[1])? {
            if !journal::is_cut_off(&parts[0])? {
                return Err(Error::usage(
                    format!("{} holds executions without a market journal", config.dir.display()),
                    "restore `market` from a copy, or name another directory",
                ));
            }
            // Recovery had found no record in the market journal: nothing caused an execution.
            journal::set_aside(&parts[1])?;
        }
    } else {
        check_new(config)?;
    }
    create(config, feed.description().identity, core)
}

/// Refuses a directory in which no run over `feed` can begin, or go on, without reading either.
pub(super) fn check(config: &JournalConfig, feed: &Description) -> Result<()> {
    check_place(&config.dir)?;
    if !config.resume {
        return check_new(config);
    }
    check_configuration(config, &config.dir.join(RUN_FILE))?;
    let market = config.dir.join(MARKET_DIR);
    match journal::is_present(&market)? {
        true => check_header(config, &Reader::open(&market)?, feed),
        false => Ok(()),
    }
}

/// Refuses the place of a file or of a link that leads nowhere.
fn check_place(dir: &Path) -> Result<()> {
    match dir.symlink_metadata().is_ok() && !dir.is_dir() {
        true => Err(Error::usage(
            format!("{} is no directory", dir.display()),
            "name another, which is made where there is none",
        )),
        false => Ok(()),
    }
}

/// Refuses a directory that holds a run, where there is to be a new one.
pub(super) fn check_new(config: &JournalConfig) -> Result<()> {
    let mut parts = [MARKET_DIR, EXECUTIONS_DIR, RUN_FILE].iter().map(|name| config.dir.join(name));
    match parts.any(|part| part.exists()) && !config.resume {
        true => Err(Error::usage(
            format!("{} already holds a run", config.dir.display()),
            "add --resume to go on with it, name another directory, or remove this one first",
        )),
        false => Ok(()),
    }
}

/// Creates both journals and the file that says what shapes the run.
fn create(config: &JournalConfig, identity: u64, core: Option<CoreId>) -> Result<Journals> {
    // First of all, so that a journal is never without what shaped it.
    write_run_file(config)?;
    let options = options(config, identity);
    let (market, executions) = on_core(core, || {
        let market = Writer::create(&config.dir.join(MARKET_DIR), &options)?;
        Ok((market, Writer::create(&config.dir.join(EXECUTIONS_DIR), &options)?))
    })?;
    Ok(Journals { market, executions, recorded: None, past_executions: None, resumed: None })
}

fn options(config: &JournalConfig, feed_identity: u64) -> JournalOptions {
    JournalOptions {
        segment_bytes: config.segment_bytes,
        run_hash: hash_bytes(config.run_toml.as_bytes()),
        feed_identity,
        durability: config.durability,
        ..JournalOptions::default()
    }
}

/// Writes `run.toml` whole or not at all.
fn write_run_file(config: &JournalConfig) -> Result<()> {
    let path = config.dir.join(RUN_FILE);
    let unfinished = config.dir.join(RUN_FILE_UNFINISHED);
    let write = || {
        fs::create_dir_all(&config.dir)?;
        let mut file = File::create(&unfinished)?;
        file.write_all(config.run_toml.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&config.dir)?.sync_all()
    };
    write().map_err(|source| Error::io("write", &path, source))
}

/// Runs `open` on a thread of its own, pinned to `core`.
///
/// WHY: the helpers that prepare segments inherit the core of the thread that opens the writers.
/// Beside the market journal they leave matching alone: the whole engine ran 1.09 times as fast
/// (median of six pairs, 0.93 to 1.30).
fn on_core<T: Send>(core: Option<CoreId>, open: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pinned = || {
        if let Some(core) = core {
            pin_current_thread(core);
        }
        open()
    };
    thread::scope(|scope| scope.spawn(pinned).join().expect("opening a journal does not panic"))
}

/// Refuses another configuration than that of the run.
fn check_configuration(config: &JournalConfig, run_file: &Path) -> Result<()> {
    let recorded = match fs::read_to_string(run_file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", run_file, error)),
    };
    if recorded == config.run_toml {
        return Ok(());
    }
    Err(Error::usage(
        format!("the run in {} was recorded with another configuration", config.dir.display()),
        format!("leave those flags out, which are in `{}`, or start a new run", run_file.display()),
    ))
}

/// Takes up both journals, and moves `feed` to the first message that is not in them.
fn resume(
    config: &JournalConfig,
    feed: &mut dyn Feed,
    engine: &EngineConfig,
    core: Option<CoreId>,
    state: &mut RunState,
) -> Result<Journals> {
    let parts = [MARKET_DIR, EXECUTIONS_DIR].map(|name| config.dir.join(name));
    let [market_dir, executions_dir] = &parts;
    check_configuration(config, &config.dir.join(RUN_FILE))?;
    let mut market = Reader::<Event>::open(market_dir)?;
    check_header(config, &market, feed.description())?;
    // Nobody writes to either from here on, and nothing is changed before all is looked at.
    let left_market = Left::<Event>::look(market_dir)?;
    let has_executions = journal::is_present(executions_dir)?;
    let left_executions =
        has_executions.then(|| Left::<Execution>::look(executions_dir)).transpose()?;
    let until = left_market.next_sequence();
    let ends =
        Ends { market: until, executions: left_executions.as_ref().map_or(0, Left::next_sequence) };
    let tail = find_tail(&mut market, until, feed)?;
    let skipped = skip_to(&tail, feed, engine)?;
    let (snapshot, refused) = load_newest(config, feed.description().identity, ends, state)?;
    let origin = snapshot.as_ref().map_or(0, |used| used.market);
    if market.first_sequence() > origin {
        return Err(start_is_gone(config, &refused));
    }
    market.seek(origin)?;
    let cut = first_caused_from(executions_dir, until, ends.executions)?;

    let options = options(config, feed.description().identity);
    let (writer, market_found, executions, executions_found) = on_core(core, || {
        let (market, found) = left_market.take_up(config.durability, None)?;
        let (executions, executions_found) = match left_executions {
            Some(left) => left.take_up(config.durability, Some(cut))?,
            None => (Writer::create(executions_dir, &options)?, Recovery::default()),
        };
        Ok((market, found, executions, executions_found))
    })?;
    remove_unfinished(&config.dir.join(SNAPSHOTS_DIR))?;
    set_aside(&config.dir, &refused)?;
    let mut past_executions = (cut > 0).then(|| Reader::open(executions_dir)).transpose()?;
    if let (Some(reader), Some(used)) = (&mut past_executions, &snapshot) {
        reader.seek(used.executions)?;
    }
    Ok(Journals {
        market: writer,
        executions,
        recorded: Some(Recorded::new(market, until, snapshot.as_ref(), skipped)),
        past_executions,
        resumed: Some(Resumed {
            market: market_found,
            executions: executions_found,
            snapshot,
            refused,
        }),
    })
}

/// Refuses a journal of another feed or configuration.
fn check_header(config: &JournalConfig, market: &Reader<Event>, feed: &Description) -> Result<()> {
    let dir = config.dir.display();
    if market.header().feed_identity != feed.identity {
        return Err(Error::usage(
            format!("the run in {dir} was recorded from another feed"),
            format!("name the feed that it was recorded from, not `{}`", feed.origin),
        ));
    }
    if market.header().run_hash != hash_bytes(config.run_toml.as_bytes()) {
        return Err(Error::usage(
            format!("the run in {dir} was recorded with another configuration"),
            "restore its `run.toml` from a copy, or start a new run",
        ));
    }
    Ok(())
}

/// The error of a journal without its first segment and without a snapshot in its place.
fn start_is_gone(config: &JournalConfig, refused: &[SnapshotRefused]) -> Error {
    let mut what = format!(
        "the market journal in {} no longer holds its first segment, and no snapshot stands for it",
        config.dir.display()
    );
    for SnapshotRefused { reason, .. } in refused {
        what += &format!("; {reason}");
    }
    Error::usage(what, "restore a snapshot or the first segments from a copy, or start a new run")
}

/// The sequence of the first execution before `end` that was caused at `until` or later: by the end
/// of a run, or by records that a crash of the machine took.
fn first_caused_from(dir: &Path, until: u64, end: u64) -> Result<u64> {
    if end == 0 {
        return Ok(0);
    }
    let mut reader = Reader::<Execution>::open(dir)?;
    let (mut from, mut to) = (reader.first_sequence(), end);
    while from < to {
        let middle = from + (to - from) / 2;
        reader.seek(middle)?;
        let is_before = reader.read_one()?.is_some_and(|execution| execution.cause < until);
        (from, to) = if is_before { (middle + 1, to) } else { (from, middle) };
    }
    Ok(from)
}
