//! The thread that writes a run's snapshots, and the ways of the run's parts to it.
//!
//! ```text
//!   snapshot mark
//!        |
//!   market ring --+--> market journal: the mark as it stands there -----+
//!                 +--> matching: books in slices, trader ---------------+--> collector's thread:
//!                         | mark                                        |    file, fsync, rename
//!                  execution ring --+--> execution journal: its mark ---+
//!                                   +--> portfolio: its state ----------+
//! ```
//!
//! Each part saves itself when the mark passes it, so all sections are of the same place in the
//! stream although they come at different times. A snapshot gets its name when all parts have
//! come and both journals are on the disk up to the mark: it never knows more than they do.
//!
//! Matching fills buffers that the collector has touched beforehand and gets them back when they
//! are written. It neither wakes the collector nor waits for it: the journals' agents wake it when
//! the mark passes them, and until the snapshot is written it looks again and again. Of an order
//! file's matching engine it has a [`Standby`] of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::config::{EXECUTIONS_DIR, JournalConfig, MARKET_DIR, SNAPSHOTS_DIR};
use super::run_state::{EXCHANGE_SECTION, RunState, Tally};
use super::snapshots::{RUN_SECTION, SnapshotUsed, mark_section, run_section};
use super::standby::Standby;
use crate::error::{Error, Result};
use crate::hash::hash_bytes;
use crate::journal::snapshot::{SnapshotWriter, force_out, snapshots};
use crate::journal::{Read, Record};
use crate::limits::{SNAPSHOT_BUFFER_BYTES, SNAPSHOT_BUFFERS, SNAPSHOT_NOTES, SNAPSHOTS_KEPT};
use crate::state::StateWriter;

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
    /// Matching takes a snapshot at this mark, where its executions had come to `tally`.
    Begin { number: u64, tally: Tally },
    /// More bytes of a section.
    Section { number: u64, name: &'static str, bytes: Vec<u8> },
    /// All of the part has come.
    Done { number: u64, part: Part },
    /// The market journal holds the mark before this sequence.
    Marked { number: u64, sequence: u64 },
}

/// How often the collector looks for more of a snapshot.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How often it looks for the next one when nobody wakes it.
const LOOK_EVERY_IDLE: Duration = Duration::from_millis(100);

/// Where parts hand their sections in.
#[derive(Clone)]
pub(super) struct Sink {
    notes: SyncSender<Note>,
    /// Number of the snapshot that is being taken; 0 for none.
    at_work: Arc<AtomicU64>,
    collector: Thread,
}

/// The buffers into which matching saves.
pub(super) struct Buffers {
    /// Those that are empty, again or for the first time.
    empty: Receiver<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    collector: Thread,
}

impl Sink {
    /// Begins a snapshot; `false` while the one before is not on the disk.
    pub(super) fn begin(&self, number: u64, tally: Tally) -> bool {
        // SYNC: the number is all there is to see; sections go through the channel.
        let begun = self.at_work.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_ok() {
            let _ = self.notes.send(Note::Begin { number, tally });
        }
        begun.is_ok()
    }

    /// Whether this snapshot is being taken.
    pub(super) fn is_at(&self, number: u64) -> bool {
        self.at_work.load(Ordering::Relaxed) == number
    }

    /// Hands in a section, or the next piece of one.
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
        self.collector.unpark();
    }
}

impl Buffers {
    /// Whether so few are left that what can wait should.
    pub(super) fn are_few(&mut self) -> bool {
        self.spare.extend(self.empty.try_iter());
        self.spare.len() < SNAPSHOT_BUFFERS / 4
    }

    /// An empty buffer; a new one if the collector is far behind.
    pub(super) fn take(&mut self) -> Vec<u8> {
        if let Some(buffer) = self.spare.pop().or_else(|| self.empty.try_recv().ok()) {
            return buffer;
        }
        self.collector.unpark();
        Vec::with_capacity(SNAPSHOT_BUFFER_BYTES)
    }
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
    /// Starts the collector of a run, if snapshots are wanted and possible; `state` is from the
    /// snapshot `start`.
    pub(super) fn start(
        journal: Option<&JournalConfig>,
        feed_identity: u64,
        (state, start): (&RunState, Option<SnapshotUsed>),
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Sink, Buffers, Self)>> {
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
        let (notes, handed_in) = sync_channel(SNAPSHOT_NOTES);
        let (returned, empty) = sync_channel(SNAPSHOT_BUFFERS);
        let at_work = Arc::<AtomicU64>::default();
        let run_hash = hash_bytes(config.run_toml.as_bytes());
        let exchange = state.market.exchange.as_ref();
        let desk = Desk {
            dir: config.dir.clone(),
            run: run_section(run_hash, feed_identity),
            at_work: Arc::clone(&at_work),
            returned,
            standby: exchange.map(|of| Standby::of(of, state.tally, &config.dir, start)),
            open: BTreeMap::new(),
            done_until: 0,
            synced_until: 0,
            report: SnapshotReport::default(),
        };
        let thread = thread::Builder::new()
            .name("snapshots".into())
            .spawn(move || collect(desk, &handed_in))
            .map_err(|source| Error::io("start snapshot thread for", &config.dir, source))?;
        let collector = thread.thread().clone();
        let spare = Vec::with_capacity(SNAPSHOT_BUFFERS);
        let buffers = Buffers { empty, spare, collector: collector.clone() };
        Ok(Some((Sink { notes, at_work, collector }, buffers, Self { thread })))
    }

    /// Waits until everything that was handed in is written; all sinks are dropped before.
    pub(super) fn join(self) -> SnapshotReport {
        self.thread.thread().unpark();
        let gone =
            SnapshotReport { failure: Some("its thread panicked".to_owned()), ..<_>::default() };
        self.thread.join().unwrap_or(gone)
    }
}

/// The collector's work.
struct Desk {
    /// The run's directory.
    dir: PathBuf,
    run: Vec<u8>,
    at_work: Arc<AtomicU64>,
    /// Where buffers go that are written.
    returned: SyncSender<Vec<u8>>,
    /// Of an order file's run.
    standby: Option<Standby>,
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
    tally: Tally,
}

fn collect(mut desk: Desk, handed_in: &Receiver<Note>) -> SnapshotReport {
    // Touched here, so that it costs nobody else anything.
    (0..SNAPSHOT_BUFFERS).for_each(|_| desk.give_back(vec![1; SNAPSHOT_BUFFER_BYTES]));
    loop {
        match handed_in.try_recv() {
            Ok(note) => desk.note(note),
            // WHY: who sends to one that sleeps has to wake it, which is a system call, and may
            // lose its core to it.
            Err(TryRecvError::Empty) => {
                if !desk.complete() {
                    thread::park_timeout(desk.looks_every());
                }
            }
            Err(TryRecvError::Disconnected) => {
                while desk.complete() {}
                return desk.report;
            }
        }
    }
}

impl Desk {
    fn looks_every(&self) -> Duration {
        let is_at_work = self.at_work.load(Ordering::Relaxed) != 0;
        if is_at_work { LOOK_EVERY } else { LOOK_EVERY_IDLE }
    }

    fn note(&mut self, note: Note) {
        let (Note::Begin { number, .. }
        | Note::Section { number, .. }
        | Note::Done { number, .. }
        | Note::Marked { number, .. }) = note;
        if number < self.done_until {
            if let Note::Section { bytes, .. } = note {
                self.give_back(bytes);
            }
        } else if let Err(error) = self.take(note) {
            self.fail(number, &error);
        }
    }

    /// A snapshot that cannot be had is no reason to stop: the journals hold everything.
    fn fail(&mut self, number: u64, error: &Error) {
        self.report.failure = Some(error.to_string());
        self.give_up(number + 1);
    }

    /// Gives a buffer back; what was none, or is one too many, goes.
    fn give_back(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() >= SNAPSHOT_BUFFER_BYTES {
            bytes.clear();
            bytes.shrink_to(SNAPSHOT_BUFFER_BYTES);
            let _ = self.returned.try_send(bytes);
        }
    }

    fn take(&mut self, note: Note) -> Result<()> {
        match note {
            Note::Begin { number, tally } => {
                let mut writer = SnapshotWriter::create(&self.dir.join(SNAPSHOTS_DIR), number)?;
                writer.add(RUN_SECTION, &self.run)?;
                let open = self.open.entry(number).or_default();
                for (name, bytes) in open.early.drain(..) {
                    writer.add(name, &bytes)?;
                }
                open.writer = Some(writer);
                open.tally = tally;
            }
            Note::Section { number, name, bytes } => {
                let open = self.open.entry(number).or_default();
                match &mut open.writer {
                    Some(writer) => {
                        let added = writer.add(name, &bytes);
                        self.give_back(bytes);
                        added?;
                    }
                    None => open.early.push((name, bytes)),
                }
            }
            Note::Marked { number, sequence } => {
                self.open.entry(number).or_default().sequence = sequence;
            }
            Note::Done { number, part } => {
                self.open.entry(number).or_default().done.push(part);
            }
        }
        Ok(())
    }

    /// Goes on with the snapshot of which all parts have come; whether there was something to do.
    fn complete(&mut self) -> bool {
        let whole = self.open.iter_mut().find(|(_, open)| open.done.len() == PARTS);
        let Some((&number, open)) = whole else { return false };
        let followed = self.standby.as_mut().map_or(Ok(Read::End), |one| one.follow(open.sequence));
        let done = match followed {
            Ok(Read::Records(_)) => Ok(()),
            Ok(Read::Pending) => return false,
            Ok(Read::End) => self.finish(number),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.fail(number, &error);
        }
        true
    }

    /// Gives a snapshot its name once what it refers to is on the disk, and removes old ones.
    fn finish(&mut self, number: u64) -> Result<()> {
        let Some(Open { writer: Some(mut writer), sequence, tally, .. }) =
            self.open.remove(&number)
        else {
            return Ok(());
        };
        if let Some(standby) = &self.standby {
            writer.add(EXCHANGE_SECTION, &standby.section(tally)?)?;
        }
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
