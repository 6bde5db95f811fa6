//! Snapshots of a run: from which it is taken up again, and what it needs for that.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{EXECUTIONS_DIR, JournalConfig, MARKET_DIR, SNAPSHOTS_DIR};
use super::run_state::RunState;
use crate::error::{Error, Result};
use crate::event::{Event, EventView, Execution, ExecutionKind};
use crate::hash::hash_bytes;
use crate::journal::snapshot::{Snapshot, snapshots};
use crate::journal::{Reader, Record};
use crate::state::{StateReader, StateWriter};

/// Directory of snapshots that cannot be used.
const QUARANTINE_DIR: &str = "quarantine";

/// Section of what the snapshot belongs to.
pub(super) const RUN_SECTION: &str = "run";

/// What a snapshot belongs to: this version, a configuration, a feed.
pub(super) fn run_section(run_hash: u64, feed_identity: u64) -> Vec<u8> {
    let mut writer = StateWriter::default();
    writer.put_bytes(env!("CARGO_PKG_VERSION").as_bytes());
    writer.put_u64(run_hash);
    writer.put_u64(feed_identity);
    writer.into_bytes()
}

/// Section of the mark of a journal.
pub(super) fn mark_section(is_market: bool) -> &'static str {
    if is_market { "market.mark" } else { "executions.mark" }
}

/// Where a run goes on: behind the marks of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotUsed {
    /// The snapshot.
    pub path: PathBuf,
    /// Its number.
    pub number: u64,
    /// The first market record that is run again.
    pub market: u64,
    /// The first execution that comes out again.
    pub executions: u64,
    /// Messages of the feed before that.
    pub messages: u64,
    /// Exchange time of the mark.
    pub(super) ts_event: u64,
}

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRefused {
    /// The snapshot, before it was set aside.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The sequences behind the last record of each journal that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) market: u64,
    pub(super) executions: u64,
}

impl Ends {
    /// Those of journals whose ends are not known.
    pub(super) const UNKNOWN: Self = Self { market: u64::MAX, executions: u64::MAX };
}

/// Loads the newest usable snapshot of the run in `config` whose records before `ends` are whole;
/// says of each newer one why it could not be used.
pub(super) fn load_newest(
    config: &JournalConfig,
    feed_identity: u64,
    ends: Ends,
    state: &mut RunState,
) -> Result<(Option<SnapshotUsed>, Vec<SnapshotRefused>)> {
    let run = run_section(hash_bytes(config.run_toml.as_bytes()), feed_identity);
    let mut refused = Vec::new();
    for (sequence, path) in snapshots(&config.dir.join(SNAPSHOTS_DIR))?.into_iter().rev() {
        let loaded = Snapshot::read(&path).and_then(|snapshot| {
            let used = check(&config.dir, &snapshot, sequence, ends, Some(&run))?;
            if state.market.books.is_checking() {
                // A check of the matching engine begins with the first record.
                return Ok(None);
            }
            state.load(&snapshot).map(|()| Some(used))
        });
        match loaded {
            Ok(used) => return Ok((used, refused)),
            Err(error) => {
                refused.push(SnapshotRefused { path, reason: error.to_string() });
            }
        }
    }
    Ok((None, refused))
}

/// Moves snapshots to quarantine that cannot be used, so that they take no place from better ones.
pub(super) fn set_aside(dir: &Path, refused: &[SnapshotRefused]) -> Result<()> {
    let quarantine = dir.join(SNAPSHOTS_DIR).join(QUARANTINE_DIR);
    for SnapshotRefused { path, .. } in refused {
        let to = quarantine.join(path.file_name().unwrap_or_default());
        let moved = fs::create_dir_all(&quarantine).and_then(|()| fs::rename(path, to));
        moved.map_err(|source| Error::io("quarantine", path, source))?;
    }
    Ok(())
}

/// Checks that a snapshot is of this run and of what its journals hold.
pub(super) fn check(
    dir: &Path,
    snapshot: &Snapshot,
    sequence: u64,
    ends: Ends,
    run: Option<&[u8]>,
) -> Result<SnapshotUsed> {
    let unusable = |what: &str| {
        Err(Error::BadJournal {
            path: snapshot.path().to_owned(),
            offset: 0,
            what: what.to_owned(),
            cure: "remove it: an older one or the first record will do".to_owned(),
        })
    };
    if run.is_some_and(|run| snapshot.section(RUN_SECTION).ok() != Some(run)) {
        return unusable("the snapshot is of another run or another version of ringtape");
    }
    let market = mark::<Event>(snapshot, true)?;
    let executions = mark::<Execution>(snapshot, false)?;
    if market.next != sequence || sequence > ends.market {
        return unusable("the snapshot is ahead of the market journal");
    }
    if executions.next > ends.executions {
        return unusable("the snapshot is ahead of the execution journal");
    }
    let stored = record_before::<Event>(&dir.join(MARKET_DIR), &market)?;
    if stored != Some(market.record) {
        return unusable("the market journal does not hold the mark of the snapshot");
    }
    let EventView::SnapshotMark(payload) = market.record.view() else {
        return unusable("the snapshot was not taken at a mark");
    };
    let stored = record_before::<Execution>(&dir.join(EXECUTIONS_DIR), &executions)?;
    let is_mark = |one: &Execution| {
        one.kind() == Some(ExecutionKind::SnapshotMark)
            && (one.order_id, one.cause) == (snapshot.number(), sequence - 1)
    };
    if payload.snapshot != snapshot.number() || !stored.as_ref().is_some_and(is_mark) {
        return unusable("the execution journal does not hold the mark of the snapshot");
    }
    Ok(SnapshotUsed {
        path: snapshot.path().to_owned(),
        number: snapshot.number(),
        market: market.next,
        executions: executions.next,
        messages: payload.message,
        ts_event: market.record.ts_event,
    })
}

/// A mark as its section holds it.
struct Mark<R> {
    journal_id: [u8; 16],
    next: u64,
    record: R,
}

fn mark<R: Record>(snapshot: &Snapshot, is_market: bool) -> Result<Mark<R>> {
    let name = mark_section(is_market);
    let mut reader = StateReader::new(name, snapshot.section(name)?);
    let journal_id =
        reader.bytes()?.try_into().map_err(|_| reader.bad("a journal has no such identity"))?;
    let next = reader.u64()?;
    let record = bytemuck::try_pod_read_unaligned(reader.bytes()?)
        .map_err(|_| reader.bad("a record has another size"))?;
    if next == 0 {
        return Err(reader.bad("a mark has a sequence"));
    }
    reader.finish()?;
    Ok(Mark { journal_id, next, record })
}

/// The record before a mark's sequence, if the journal in `dir` is the mark's and holds it.
fn record_before<R: Record>(dir: &Path, mark: &Mark<R>) -> Result<Option<R>> {
    let mut reader = Reader::<R>::open(dir)?;
    if reader.header().journal_id != mark.journal_id || reader.seek(mark.next - 1).is_err() {
        return Ok(None);
    }
    reader.read_one()
}

/// What a run's journals must keep for the run to go on from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeededFrom {
    /// Market records from this sequence on.
    pub market: u64,
    /// Executions from this sequence on; `None` when none is needed.
    pub executions: Option<u64>,
}

/// What the run in `dir` needs to go on: what is from the last snapshot but one on, so that one may
/// be damaged; everything while there is no second one.
///
/// # Errors
///
/// [`Error::Io`]; a snapshot that is damaged is none.
pub fn needed_from(dir: &Path) -> Result<NeededFrom> {
    let found = snapshots(&dir.join(SNAPSHOTS_DIR))?;
    let mut usable = found.into_iter().rev().filter_map(|(sequence, path)| {
        let snapshot = Snapshot::read(&path).ok()?;
        check(dir, &snapshot, sequence, Ends::UNKNOWN, None).ok()
    });
    Ok(usable.nth(1).map_or(NeededFrom::default(), |used| NeededFrom {
        market: used.market - 1,
        executions: Some(used.executions - 1),
    }))
}
