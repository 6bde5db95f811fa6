//! Deriving a run once more from its market journal, without rings or threads, and comparing what
//! comes out with what the run left: its executions, and the state in its snapshots.

use std::path::{Path, PathBuf};

use bytemuck::Zeroable;

use super::config::{EXECUTIONS_DIR, EngineConfig, MARKET_DIR, SNAPSHOTS_DIR};
use super::run_state::{
    EXCHANGE_SECTION, PORTFOLIO_SECTION, RunState, exchange_section, portfolio_section,
};
use super::saver::mark_of;
use super::snapshots::{Ends, SnapshotUsed, check};
use crate::book::{Replica, SAVED_PIECES};
use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::journal::snapshot::{Snapshot, snapshots};
use crate::journal::{Read, Reader};
use crate::limits::BATCH_RECORDS_MAX;
use crate::state::{StateReader, StateWriter};

/// What [`rederive`] compared, all of which agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rederived {
    /// The first market record that was applied; not 0 if a snapshot stands for those before.
    pub from: u64,
    /// Market records that were applied.
    pub records: u64,
    /// Executions that came out as they are in the journal.
    pub executions: u64,
    /// Executions that came out and that the journal does not hold any more.
    pub removed: u64,
    /// Executions that came out and that the journal does not hold yet; going on appends them.
    pub missing: u64,
    /// Executions at the end of the journal that were caused behind the end of the market journal;
    /// going on sets them aside.
    pub ahead: u64,
    /// Snapshots whose state came out the same.
    pub snapshots: Vec<PathBuf>,
}

/// Derives the run in `dir` again, which `config` shaped.
///
/// # Errors
///
/// [`Error::CheckFailed`] names the first execution or the snapshot that differs;
/// [`Error::BadJournal`] for damage; [`Error::Usage`] if the first records are gone and no snapshot
/// stands for them.
pub fn rederive(dir: &Path, mut config: EngineConfig) -> Result<Rederived> {
    let mut state = RunState::new(&mut config);
    let mut market = Reader::<Event>::open(&dir.join(MARKET_DIR))?;
    let mut executions = Recorded::open(&dir.join(EXECUTIONS_DIR))?;
    let mut found = Rederived::default();
    let kept = snapshots(&dir.join(SNAPSHOTS_DIR))?;
    if market.first_sequence() > 0 {
        let (snapshot, used) = oldest_usable(dir, &kept)?;
        state.load(&snapshot)?;
        market.seek(used.market)?;
        executions.go_to(used.executions)?;
        found.from = used.market;
    }
    let mut out = Vec::new();
    if found.from == 0 {
        state.market.start(&mut out)?;
        take_out(&mut out, 0, &mut state, &mut executions)?;
    }
    let mut batch = [Event::default(); BATCH_RECORDS_MAX];
    while let Read::Records(count) = market.read(&mut batch)? {
        let first = market.position() - count as u64;
        for (sequence, event) in (first..).zip(&batch[..count]) {
            state.market.apply(event, &mut out)?;
            out.extend(mark_of(event));
            take_out(&mut out, sequence, &mut state, &mut executions)?;
            // A snapshot whose mark is no longer in both journals stands for nothing.
            let is_here = |(mark, _): &&(u64, PathBuf)| *mark == sequence + 1;
            if let Some((_, path)) = kept.iter().find(is_here).filter(|_| executions.holds_last()) {
                compare_snapshot(dir, path, sequence + 1, &state)?;
                found.snapshots.push(path.clone());
            }
        }
        found.records += count as u64;
    }
    if executions.more()? {
        let (from, compared) = (executions.at, executions.compared);
        let is_ahead = match end(dir, market.position(), &mut state, &mut executions) {
            // A journal that was not closed there may have held what caused them.
            Err(Error::CheckFailed { .. }) if !market.is_sealed()? => true,
            ended => ended?,
        };
        if is_ahead {
            executions.reader.seek_end()?;
            found.ahead = executions.reader.position() - from;
            executions.compared = compared;
        }
    }
    let Recorded { compared, removed, missing, .. } = executions;
    Ok(Rederived { executions: compared, removed, missing, ..found })
}

/// Compares what the end of the market at `sequence` gave rise to; says whether executions are
/// there that were caused behind it.
fn end(dir: &Path, sequence: u64, state: &mut RunState, executions: &mut Recorded) -> Result<bool> {
    if last_cause(&dir.join(EXECUTIONS_DIR))? > sequence {
        return Ok(true);
    }
    // The run came to its end: so does this one.
    let mut out = Vec::new();
    state.market.end(&mut out)?;
    take_out(&mut out, sequence, state, executions)?;
    match executions.more()? {
        true => Err(differs(executions.at, "is in the journal and does not come out again")),
        false => Ok(false),
    }
}

/// What caused the last execution of a journal.
fn last_cause(dir: &Path) -> Result<u64> {
    let mut reader = Reader::<Execution>::open(dir)?;
    reader.seek_end()?;
    let Some(last) = reader.position().checked_sub(1) else { return Ok(0) };
    reader.seek(last)?;
    Ok(reader.read_one()?.map_or(0, |execution| execution.cause))
}

/// Completes what the record at `cause` gave rise to and compares it.
fn take_out(
    out: &mut Vec<Execution>,
    cause: u64,
    state: &mut RunState,
    recorded: &mut Recorded,
) -> Result<()> {
    for mut execution in out.drain(..) {
        state.tally.note(&execution);
        execution.cause = cause;
        state.portfolio.apply(&execution)?;
        recorded.compare(&execution)?;
    }
    Ok(())
}

/// The executions of the journal, one after the other.
struct Recorded {
    reader: Reader<Execution>,
    batch: Vec<Execution>,
    next: usize,
    /// Sequence of the next one.
    at: u64,
    /// Sequence of the one that comes out next.
    sequence: u64,
    compared: u64,
    removed: u64,
    missing: u64,
}

impl Recorded {
    fn open(dir: &Path) -> Result<Self> {
        let reader = Reader::open(dir)?;
        let at = reader.position();
        let batch = Vec::new();
        Ok(Self { reader, batch, next: 0, at, sequence: 0, compared: 0, removed: 0, missing: 0 })
    }

    /// Begins with the execution of `sequence`.
    fn go_to(&mut self, sequence: u64) -> Result<()> {
        (self.at, self.sequence) = (sequence, sequence);
        self.reader.seek(sequence)
    }

    /// Whether the journal holds the one that came out last, as far as its beginning goes.
    fn holds_last(&self) -> bool {
        self.sequence > self.reader.first_sequence()
    }

    /// Whether the journal holds another one.
    fn more(&mut self) -> Result<bool> {
        if self.next == self.batch.len() {
            self.batch.resize(BATCH_RECORDS_MAX, Execution::zeroed());
            self.at = self.reader.position();
            let read = self.reader.read(&mut self.batch)?;
            self.batch.truncate(if let Read::Records(count) = read { count } else { 0 });
            self.next = 0;
        }
        Ok(self.next < self.batch.len())
    }

    fn compare(&mut self, again: &Execution) -> Result<()> {
        let sequence = self.sequence;
        self.sequence += 1;
        if sequence < self.at {
            self.removed += 1;
            return Ok(());
        }
        if !self.more()? {
            self.missing += 1;
            return Ok(());
        }
        if !self.batch[self.next].says_same(again) {
            return Err(differs(self.at, "comes out otherwise now"));
        }
        self.next += 1;
        self.at += 1;
        self.compared += 1;
        Ok(())
    }
}

fn differs(sequence: u64, what: &str) -> Error {
    Error::CheckFailed {
        what: format!("not deterministic: execution {sequence} of the run {what}"),
        cure: "look at it with `ringtape journal tail`, and at what caused it".to_owned(),
    }
}

fn oldest_usable(dir: &Path, kept: &[(u64, PathBuf)]) -> Result<(Snapshot, SnapshotUsed)> {
    for (sequence, path) in kept {
        let snapshot = Snapshot::read(path)?;
        if let Ok(used) = check(dir, &snapshot, *sequence, Ends::UNKNOWN, None) {
            return Ok((snapshot, used));
        }
    }
    Err(Error::usage(
        format!("the market journal in {} no longer holds its first segment", dir.display()),
        "no snapshot stands for it, so nothing can be derived: verify it without --deep",
    ))
}

/// Compares what a snapshot holds with the state at its mark.
fn compare_snapshot(dir: &Path, path: &Path, sequence: u64, state: &RunState) -> Result<()> {
    let snapshot = Snapshot::read(path)?;
    check(dir, &snapshot, sequence, Ends::UNKNOWN, None)?;
    let differing = |section: &str| {
        Err(Error::CheckFailed {
            what: format!("{}: section `{section}` is not the state at its mark", path.display()),
            cure: "remove it, and tell the makers: snapshot and journal are both whole".to_owned(),
        })
    };
    let mut sections = Vec::new();
    state.market.save(state.tally, |name, save| {
        let mut writer = StateWriter::default();
        save(&mut writer);
        sections.push((name, writer.into_bytes()));
    });
    let exchange = state.market.exchange.as_ref();
    sections.extend(exchange.map(|exchange| (EXCHANGE_SECTION, exchange_section(exchange))));
    for (name, bytes) in sections {
        if snapshot.section(name)? != bytes {
            return differing(name);
        }
    }
    if snapshot.section(PORTFOLIO_SECTION)? != portfolio_section(&state.portfolio) {
        return differing(PORTFOLIO_SECTION);
    }
    // Orders and instruments stand there in the order in which they were saved.
    let bytes = SAVED_PIECES.map(|name| snapshot.section(name).unwrap_or_default()).concat();
    let loaded = Replica::load(&mut StateReader::new("books", &bytes))?;
    match saved(&loaded) == saved(state.market.books.replica()) {
        true => Ok(()),
        false => differing("books"),
    }
}

fn saved(replica: &Replica) -> Vec<u8> {
    let mut writer = StateWriter::default();
    replica.save(&mut writer);
    writer.into_bytes()
}
