//! Snapshots of a run: made while it goes on, and chosen from when it is taken up again.
//!
//! ```text
//!   snapshot mark
//!        |
//!   market ring --+--> market journal: the mark as it stands there -----+
//!                 +--> matching: books in slices, trader, exchange -----+--> collector's thread:
//!                         | mark                                        |    file, fsync, rename
//!                  execution ring --+--> execution journal: its mark ---+
//!                                   +--> portfolio: its state ----------+
//! ```
//!
//! Each part saves itself when the mark passes it, so all sections are of the same place in the
//! stream although they come at different times. A snapshot gets its name when all parts have
//! come and both journals are on the disk up to the mark: it never knows more than they do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::config::JournalConfig;
use super::run_state::RunState;
use super::wiring::{EXECUTIONS_DIR, MARKET_DIR, SNAPSHOTS_DIR};
use crate::error::{Error, Result};
use crate::event::{Event, EventView, Execution, ExecutionKind};
use crate::hash::hash_bytes;
use crate::journal::snapshot::{Snapshot, SnapshotWriter, force_out, snapshots};
use crate::journal::{Read, Reader, Record};
use crate::limits::SNAPSHOTS_KEPT;
use crate::runtime::yield_to_others;
use crate::state::{StateReader, StateWriter};

/// Directory of snapshots that cannot be used.
const QUARANTINE_DIR: &str = "quarantine";

/// Section of what the snapshot belongs to.
const RUN_SECTION: &str = "run";

/// A part that has its share in each snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    MarketJournal,
    Matching,
    ExecutionJournal,
    Portfolio,
}

const PARTS: usize = 4;

/// What a part tells the collector.
enum Note {
    /// Matching takes a snapshot at this mark.
    Begin { number: u64 },
    /// More bytes of a section.
    Section { number: u64, name: &'static str, bytes: Vec<u8> },
    /// All of the part has come.
    Done { number: u64, part: Part },
    /// The market journal holds the mark before this sequence.
    Marked { number: u64, sequence: u64 },
}

/// Where parts hand their sections in.
#[derive(Clone)]
pub(super) struct Sink {
    notes: Sender<Note>,
    /// Number of the snapshot that is being taken; 0 for none.
    at_work: Arc<AtomicU64>,
}

impl Sink {
    /// Begins a snapshot; `false` while the one before is not on the disk.
    pub(super) fn begin(&self, number: u64) -> bool {
        // SYNC: the number is all there is to see; sections go through the channel.
        let begun = self.at_work.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_ok() {
            let _ = self.notes.send(Note::Begin { number });
        }
        begun.is_ok()
    }

    /// Whether this snapshot is being taken.
    pub(super) fn is_at(&self, number: u64) -> bool {
        self.at_work.load(Ordering::Relaxed) == number
    }

    /// Hands in a section, or the next part of one.
    pub(super) fn section(&self, number: u64, name: &'static str, bytes: Vec<u8>) {
        // A collector that is gone has said why.
        let _ = self.notes.send(Note::Section { number, name, bytes });
    }

    /// Says that all of a part was handed in.
    pub(super) fn done(&self, number: u64, part: Part) {
        let _ = self.notes.send(Note::Done { number, part });
    }

    /// Says that a journal holds a mark, `record`, as the last before `next`.
    pub(super) fn journaled<R: Record>(
        &self,
        part: Part,
        number: u64,
        journal_id: [u8; 16],
        next: u64,
        record: &R,
    ) {
        let mut writer = StateWriter::default();
        writer.put_bytes(&journal_id);
        writer.put_u64(next);
        writer.put_bytes(bytemuck::bytes_of(record));
        let is_market = part == Part::MarketJournal;
        self.section(number, mark_section(is_market), writer.into_bytes());
        if is_market {
            let _ = self.notes.send(Note::Marked { number, sequence: next });
        }
        self.done(number, part);
    }
}

fn mark_section(is_market: bool) -> &'static str {
    if is_market { "market.mark" } else { "executions.mark" }
}

/// What became of a run's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// Snapshots that were completed.
    pub written: u64,
    /// Bytes of the last one.
    pub bytes: u64,
    /// The last one.
    pub path: Option<PathBuf>,
    /// Marks that passed while the snapshot before was still being taken.
    pub skipped: u64,
    /// The longest that matching worked on a snapshot without a look at its ring, in ns.
    pub longest_pause_ns: u64,
    /// Why snapshots could not be written; the run went on.
    pub failure: Option<String>,
}

/// The thread that writes snapshots.
#[derive(Debug)]
pub(super) struct Collector {
    thread: JoinHandle<SnapshotReport>,
}

impl Collector {
    /// Starts the collector of a run, if snapshots are wanted and possible.
    pub(super) fn start(
        journal: Option<&JournalConfig>,
        feed_identity: u64,
        state: &RunState,
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Sink, Self)>> {
        let Some(config) = journal.filter(|journal| journal.snapshot_every.is_some()) else {
            return Ok(None);
        };
        if !state.market.can_save() {
            warnings.push(
                "no snapshots were taken because the strategy cannot be saved: let its `save` \
                 write all that its decisions depend on, and `can_save` say so"
                    .to_owned(),
            );
            return Ok(None);
        }
        let (notes, handed_in) = channel();
        let at_work = Arc::<AtomicU64>::default();
        let run_hash = hash_bytes(config.run_toml.as_bytes());
        let desk = Desk {
            dir: config.dir.clone(),
            run: run_section(run_hash, feed_identity),
            at_work: Arc::clone(&at_work),
            open: BTreeMap::new(),
            done_until: 0,
            synced_until: 0,
            report: SnapshotReport::default(),
        };
        let thread = thread::Builder::new()
            .name("snapshots".into())
            .spawn(move || collect(desk, &handed_in))
            .map_err(|source| Error::io("start snapshot thread for", &config.dir, source))?;
        Ok(Some((Sink { notes, at_work }, Self { thread })))
    }

    /// Waits until everything that was handed in is written; all sinks are dropped before.
    pub(super) fn join(self) -> SnapshotReport {
        let gone =
            SnapshotReport { failure: Some("its thread panicked".to_owned()), ..<_>::default() };
        self.thread.join().unwrap_or(gone)
    }
}

fn run_section(run_hash: u64, feed_identity: u64) -> Vec<u8> {
    let mut writer = StateWriter::default();
    writer.put_bytes(env!("CARGO_PKG_VERSION").as_bytes());
    writer.put_u64(run_hash);
    writer.put_u64(feed_identity);
    writer.into_bytes()
}

/// The collector's work.
struct Desk {
    /// The run's directory.
    dir: PathBuf,
    run: Vec<u8>,
    at_work: Arc<AtomicU64>,
    open: BTreeMap<u64, Open>,
    /// Snapshots before this number are complete or given up.
    done_until: u64,
    /// Market records before this are on the disk.
    synced_until: u64,
    report: SnapshotReport,
}

/// A snapshot of which something has come.
#[derive(Default)]
struct Open {
    /// `None` until matching begins with it, which it may leave out.
    writer: Option<SnapshotWriter>,
    /// What came before: that of journals which are ahead of matching.
    early: Vec<(&'static str, Vec<u8>)>,
    done: Vec<Part>,
    sequence: u64,
}

fn collect(mut desk: Desk, handed_in: &Receiver<Note>) -> SnapshotReport {
    yield_to_others();
    for note in handed_in {
        let (Note::Begin { number }
        | Note::Section { number, .. }
        | Note::Done { number, .. }
        | Note::Marked { number, .. }) = note;
        if number < desk.done_until {
            continue;
        }
        if let Err(error) = desk.take(note) {
            // A snapshot that cannot be had is no reason to stop: the journals hold everything.
            desk.report.failure = Some(error.to_string());
            desk.give_up(number + 1);
        }
    }
    desk.report
}

impl Desk {
    fn take(&mut self, note: Note) -> Result<()> {
        match note {
            Note::Begin { number } => {
                let mut writer = SnapshotWriter::create(&self.dir.join(SNAPSHOTS_DIR), number)?;
                writer.add(RUN_SECTION, &self.run)?;
                let open = self.open.entry(number).or_default();
                for (name, bytes) in open.early.drain(..) {
                    writer.add(name, &bytes)?;
                }
                open.writer = Some(writer);
            }
            Note::Section { number, name, bytes } => {
                let open = self.open.entry(number).or_default();
                match &mut open.writer {
                    Some(writer) => writer.add(name, &bytes)?,
                    None => open.early.push((name, bytes)),
                }
            }
            Note::Marked { number, sequence } => {
                self.open.entry(number).or_default().sequence = sequence;
            }
            Note::Done { number, part } => {
                let open = self.open.entry(number).or_default();
                open.done.push(part);
                if open.done.len() == PARTS {
                    self.finish(number)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a snapshot its name once what it refers to is on the disk, and removes old ones.
    fn finish(&mut self, number: u64) -> Result<()> {
        let Some(Open { writer: Some(writer), sequence, .. }) = self.open.remove(&number) else {
            return Ok(());
        };
        force_out(&self.dir.join(MARKET_DIR), self.synced_until, sequence)?;
        force_out(&self.dir.join(EXECUTIONS_DIR), 0, u64::MAX)?;
        self.synced_until = sequence;
        let (path, bytes) = writer.finish(sequence)?;
        self.report.written += 1;
        (self.report.bytes, self.report.path) = (bytes, Some(path));
        self.give_up(number + 1);
        let found = snapshots(&self.dir.join(SNAPSHOTS_DIR))?;
        for (_, old) in found.iter().rev().skip(SNAPSHOTS_KEPT) {
            fs::remove_file(old).map_err(|source| Error::io("remove", old, source))?;
        }
        Ok(())
    }

    /// Drops what is not complete before snapshot `number`.
    fn give_up(&mut self, number: u64) {
        self.open = self.open.split_off(&number);
        self.done_until = number;
        self.at_work.store(0, Ordering::Relaxed);
    }
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

/// Loads the newest usable snapshot of the run in `config` whose records before `until` are whole;
/// says of each newer one why it could not be used.
pub(super) fn load_newest(
    config: &JournalConfig,
    feed_identity: u64,
    until: u64,
    state: &mut RunState,
) -> Result<(Option<SnapshotUsed>, Vec<SnapshotRefused>)> {
    let run = run_section(hash_bytes(config.run_toml.as_bytes()), feed_identity);
    let mut refused = Vec::new();
    for (sequence, path) in snapshots(&config.dir.join(SNAPSHOTS_DIR))?.into_iter().rev() {
        let loaded = Snapshot::read(&path).and_then(|snapshot| {
            let used = check(&config.dir, &snapshot, sequence, until, Some(&run))?;
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
    until: u64,
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
    if market.next != sequence || sequence > until {
        return unusable("the snapshot is ahead of the market journal");
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
    let mut record = [R::zeroed()];
    let read = reader.read(&mut record)?;
    Ok((read == Read::Records(1)).then_some(record[0]))
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
        check(dir, &snapshot, sequence, u64::MAX, None).ok()
    });
    Ok(usable.nth(1).map_or(NeededFrom::default(), |used| NeededFrom {
        market: used.market - 1,
        executions: Some(used.executions - 1),
    }))
}
