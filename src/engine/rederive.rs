//! Deriving a run once more from its market journal, without rings or threads, and comparing what
//! comes out with what the run left: its executions, and the state in its snapshots.

use std::path::{Path, PathBuf};

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
    /// Executions that came out and that the journal does not hold yet; going on appends them.
    pub missing: u64,
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
        executions.reader.seek(used.executions)?;
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
            if let Some((_, path)) = kept.iter().find(|(mark, _)| *mark == sequence + 1) {
                compare_snapshot(dir, path, sequence + 1, &state)?;
                found.snapshots.push(path.clone());
            }
        }
        found.records += count as u64;
    }
    let end = market.position();
    if executions.more()? {
        // The run came to its end: so does this one.
        state.market.end(&mut out)?;
        take_out(&mut out, end, &mut state, &mut executions)?;
        if executions.more()? {
            return Err(differs(executions.at, "is in the journal and does not come out again"));
        }
    }
    (found.executions, found.missing) = (executions.compared, executions.missing);
    Ok(found)
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
    compared: u64,
    missing: u64,
}

impl Recorded {
    fn open(dir: &Path) -> Result<Self> {
        let reader = Reader::open(dir)?;
        Ok(Self { reader, batch: Vec::new(), next: 0, at: 0, compared: 0, missing: 0 })
    }

    /// Whether the journal holds another one.
    fn more(&mut self) -> Result<bool> {
        if self.next == self.batch.len() {
            self.batch.resize(BATCH_RECORDS_MAX, bytemuck::Zeroable::zeroed());
            self.at = self.reader.position();
            let read = self.reader.read(&mut self.batch)?;
            self.batch.truncate(if let Read::Records(count) = read { count } else { 0 });
            self.next = 0;
        }
        Ok(self.next < self.batch.len())
    }

    fn compare(&mut self, again: &Execution) -> Result<()> {
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
    // How often it was audited is not part of the run.
    let money = portfolio_section(&state.portfolio, 0);
    if snapshot.section(PORTFOLIO_SECTION)?.get(8..) != money.get(8..) {
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
