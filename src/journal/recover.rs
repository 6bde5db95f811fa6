//! Taking up a journal that an earlier writer left, however it ended.
//!
//! ```text
//!   check everything ---- corruption ----> refuse: segment, sequences, bytes; `repair` offers cuts
//!        |
//!   clean or torn tail
//!        |  copy what does not count to quarantine, force what counts to the disk
//!        v
//!   a new epoch in a new segment, behind the last record that counts
//! ```
//!
//! Nothing is changed in place and nothing is destroyed: bytes behind the cut are copied to
//! `DIR/quarantine`, whole segments behind it are moved there. Each step can be interrupted and is
//! then done again; a reader sees the same records before, during and after it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::directory::{
    WriterLock, WriterWatch, begin_cut, boot_id, end_cut, list_segments, quarantine_path,
    quarantine_segment, remove_unfinished, segment_path, sync_directory,
};
use super::drop_segment::check_droppable;
use super::durability::Durability;
use super::format::{Progress, SegmentHeader};
use super::options::{Start, Summary, Tally, backend};
use super::reader::check_record_type;
use super::record::{Record, slot_bytes};
use super::segment::{Opening, Segment, read_header};
use super::storage::{punch_hole, sync_file};
use super::tape::{Tape, TornTail};
use super::verify::{VerifyReport, verify_with, walk_until};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::limits::SEGMENT_BYTES_MIN;

/// What [`recover`] and [`Writer::resume`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Records that count.
    pub records: u64,
    /// The sequence after the last of them.
    pub next_sequence: u64,
    /// The epoch that begins there; that of the last record if nothing had to be done.
    pub epoch: u64,
    /// Whether the journal had been closed.
    pub was_closed: bool,
    /// What the writer or the machine had left half done.
    pub torn_tail: Option<TornTail>,
    /// Readable records that were cut off on request.
    pub cut: u64,
    /// Where everything is that does not count any more.
    pub quarantined: Vec<PathBuf>,
}

impl<R: Record> Writer<R> {
    /// Takes up the journal in `dir`: its records stay, a new epoch begins behind them.
    ///
    /// A torn tail is set aside in `DIR/quarantine`. With `cut_at`, records from that sequence on
    /// are set aside too; it may lie behind the last one.
    ///
    /// ```
    /// use bytemuck::Zeroable;
    /// use ringtape::event::Event;
    /// use ringtape::journal::{Durability, JournalOptions, Writer, verify};
    ///
    /// # let scratch = tempfile::tempdir()?;
    /// # let dir = scratch.path().join("market");
    /// let mut writer = Writer::<Event>::create(&dir, &JournalOptions::default())?;
    /// writer.append(&Event::zeroed())?;
    /// drop(writer); // As if the process had been killed.
    ///
    /// let (mut writer, recovery) = Writer::<Event>::resume(&dir, Durability::PageCache, None)?;
    /// assert_eq!((recovery.next_sequence, recovery.epoch), (1, 1));
    /// writer.append(&Event::zeroed())?;
    /// writer.close()?;
    /// assert_eq!(verify::<Event>(&dir)?.records, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`] for corruption, which names segment, sequences and bytes; nothing was
    /// changed then. [`Error::Usage`] for a directory without a journal or with a living writer, or
    /// a cut before the first record; [`Error::Io`].
    pub fn resume(
        dir: &Path,
        durability: Durability,
        cut_at: Option<u64>,
    ) -> Result<(Self, Recovery)> {
        Left::look(dir)?.take_up(durability, cut_at)
    }
}

/// A journal that an earlier writer left, locked and looked at from end to end, before it is taken
/// up.
#[derive(Debug)]
pub(crate) struct Left<R> {
    dir: PathBuf,
    lock: WriterLock,
    report: VerifyReport,
    _records: PhantomData<fn() -> R>,
}

impl<R: Record> Left<R> {
    /// Looks at the whole journal in `dir`, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Writer::resume`].
    pub(crate) fn look(dir: &Path) -> Result<Self> {
        let lock = WriterLock::take(dir)?;
        let report = verify_with::<R>(dir, WriterWatch::under(&lock))?;
        Ok(Self { dir: dir.to_owned(), lock, report, _records: PhantomData })
    }

    /// The sequence after the last record that counts. Behind a hole that a crash of the machine
    /// left, readable ones may follow, which do not.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.report.next_sequence
    }

    /// Takes the journal up, as [`Writer::resume`] does.
    ///
    /// # Errors
    ///
    /// As [`Writer::resume`].
    pub(crate) fn take_up(
        self,
        durability: Durability,
        cut_at: Option<u64>,
    ) -> Result<(Writer<R>, Recovery)> {
        let Self { dir, lock, report, .. } = self;
        let found = Found::of::<R>(&dir, &lock, report, cut_at)?;
        let (start, recovery) = found.set_aside(&dir)?;
        let start = Start { durability, ..start };
        let writer = Writer::start(&dir, lock, &start, backend(durability))?;
        Ok((writer, recovery))
    }
}

/// Brings the journal in `dir`, whose records are of type `R`, to a clean end: what a killed writer
/// or a crash of the machine left half done is set aside in `DIR/quarantine`, and the rest is
/// forced to the disk and closed. A journal that was closed is left as it is.
///
/// # Errors
///
/// As [`Writer::resume`].
pub fn recover<R: Record>(dir: &Path) -> Result<Recovery> {
    let Left { lock, report, .. } = Left::<R>::look(dir)?;
    let found = Found::of::<R>(dir, &lock, report, None)?;
    if found.recovery.was_closed {
        return Ok(found.recovery);
    }
    close::<R>(dir, lock, found).map(|(_, recovery)| recovery)
}

/// As [`recover`], for a journal of events or executions, whichever it is.
///
/// # Errors
///
/// As [`recover`]; [`Error::Usage`] for records of a type that this crate does not know.
pub fn recover_any(dir: &Path) -> Result<Recovery> {
    match record_name(dir)?.as_str() {
        Event::NAME => recover::<Event>(dir),
        Execution::NAME => recover::<Execution>(dir),
        other => Err(Error::usage(
            format!("`{}` holds records of type `{other}`", dir.display()),
            "recover it with the program that wrote it",
        )),
    }
}

/// The name of the record type of the journal in `dir`.
pub(super) fn record_name(dir: &Path) -> Result<String> {
    let listed = list_segments(dir)?;
    let Some((_, first)) = listed.first() else {
        return Err(Error::usage(
            format!("`{}` holds no journal", dir.display()),
            "name the directory that holds the `.tape` files",
        ));
    };
    Ok(read_header(first)?.schema_name())
}

/// Sets aside what does not count and closes the journal behind the rest.
pub(super) fn close<R: Record>(
    dir: &Path,
    lock: WriterLock,
    found: Found,
) -> Result<(Summary, Recovery)> {
    let (mut start, recovery) = found.set_aside(dir)?;
    // WHY: the disk may be full, which may be why there is something to recover.
    start.header.segment_bytes = SEGMENT_BYTES_MIN;
    let writer = Writer::<R>::start_alone(dir, lock, &start, backend(start.durability))?;
    Ok((writer.close()?, recovery))
}

/// A journal as it was found, and where its next epoch is to begin.
#[derive(Debug)]
pub(super) struct Found {
    /// The sequence where the next epoch begins.
    until: u64,
    at: Progress,
    /// Bytes before `until`.
    bytes: u64,
    pub(super) recovery: Recovery,
}

impl Found {
    /// What a look at the whole journal found, up to `cut_at`.
    fn of<R: Record>(
        dir: &Path,
        lock: &WriterLock,
        report: VerifyReport,
        cut_at: Option<u64>,
    ) -> Result<Self> {
        let until = cut_at.map_or(report.next_sequence, |cut| cut.min(report.next_sequence));
        let mut found = Self::until::<R>(dir, lock, until)?;
        found.recovery.was_closed = report.sealed;
        found.recovery.torn_tail = report.torn_tail;
        found.recovery.epoch = report.epoch;
        found.recovery.cut = report.next_sequence - until;
        Ok(found)
    }

    /// Looks at what is before `until`, all of which must be whole.
    pub(super) fn until<R: Record>(dir: &Path, lock: &WriterLock, until: u64) -> Result<Self> {
        let mut tape = match Tape::open_until(dir, until, WriterWatch::under(lock)) {
            // Everything is to go.
            Err(Error::Usage { .. }) if list_segments(dir)?.first().map(|s| s.0) == Some(until) => {
                return Ok(Self::nothing(until));
            }
            opened => opened?,
        };
        check_record_type::<R>(dir, tape.header())?;
        let refused = |what: String| Err(Error::usage(what, "choose a sequence in between"));
        if until < tape.first_sequence() {
            return refused(format!("the journal begins only at {}", tape.first_sequence()));
        }
        let bytes = walk_until(&mut tape, until)?.bytes;
        if tape.position() < until {
            return refused(format!("the journal is whole only up to {}", tape.position()));
        }
        let at = Progress {
            sequence: until,
            time_max: time_max::<R>(&mut tape, until)?,
            durable: until,
            last_crc: tape.last_crc().unwrap_or_default(),
        };
        let records = until - tape.first_sequence();
        let recovery = Recovery { records, next_sequence: until, ..Recovery::default() };
        Ok(Self { until, at, bytes, recovery })
    }

    fn nothing(until: u64) -> Self {
        let at = Progress { sequence: until, durable: until, ..Progress::default() };
        let recovery = Recovery { next_sequence: until, ..Recovery::default() };
        Self { until, at, bytes: 0, recovery }
    }

    /// Sets aside what is behind `until` and forces what is before it to the disk.
    fn set_aside(self, dir: &Path) -> Result<(Start, Recovery)> {
        let Self { until, at, bytes, mut recovery } = self;
        remove_unfinished(dir)?;
        let listed = list_segments(dir)?;
        let first_sequence = listed.first().map_or(until, |&(start, _)| start);
        let (kept, behind) = listed.split_at(listed.partition_point(|&(start, _)| start < until));
        let headers = listed.iter().filter_map(|(_, path)| read_header(path).ok());
        let epoch = headers.map(|header| header.epoch).max().unwrap_or(0) + 1;
        // A segment that gives way to the next one lends it everything but the epoch.
        let model = match (kept.last(), behind.first()) {
            (Some((_, last)), _) => {
                let header = read_header(last)?;
                SegmentHeader { segment_number: header.segment_number + 1, ..header }
            }
            (None, Some((_, first))) => read_header(first)?,
            (None, None) => unreachable!("a journal has a segment"),
        };
        if let Some((start, last)) = kept.last() {
            recovery.quarantined.extend(copy_rest(dir, last, until - start)?);
            give_back(last, until - start)?;
        }
        for cleared in clearing(dir, until, behind) {
            recovery.quarantined.extend(cleared?);
        }
        for (_, path) in kept {
            sync_file(path)?;
        }
        sync_directory(dir)?;
        recovery.epoch = epoch;
        let header = SegmentHeader { first_sequence: until, epoch, boot_id: boot_id(), ..model };
        let before = Tally { first_sequence, segments: kept.len() as u64, bytes };
        Ok((Start { header, at, before, durability: Durability::PageCache }, recovery))
    }
}

/// The highest time of any record before `until`, where the tape is.
fn time_max<R: Record>(tape: &mut Tape, until: u64) -> Result<u64> {
    let words_each = const { slot_bytes::<R>() / 8 - 1 };
    let Some(last) = until.checked_sub(1).filter(|&last| last >= tape.first_sequence()) else {
        return Ok(0);
    };
    let last_crc = tape.last_crc();
    let mut highest = 0;
    if tape.seek(last)? {
        let (block, before) = tape.block_start();
        highest = before;
        tape.seek(block)?;
    }
    let mut words = vec![[0; 8]; words_each];
    while tape.position() < until && tape.read(words_each, &mut words)? > 0 {
        highest = highest.max(bytemuck::pod_read_unaligned::<R>(words.as_flattened()).time());
    }
    assert_eq!(tape.last_crc(), last_crc, "the same record comes last however it is reached");
    Ok(highest)
}

/// Copies what a segment holds behind record `index` to quarantine, unless that is nothing or the
/// seal of a closed journal alone.
fn copy_rest(dir: &Path, path: &Path, index: u64) -> Result<Option<PathBuf>> {
    let segment = Segment::open(path)?;
    let rest = segment.rest(index);
    if rest.is_empty() || segment.ends_sealed_at(index, &rest) {
        return Ok(None);
    }
    let sequence = segment.header.first_sequence + index;
    let name = format!("{sequence:020}.byte{}.epoch{}", rest.start, segment.header.epoch);
    let to = quarantine_path(dir, &name)?;
    copy_bytes(path, rest, &to)
        .map_err(|source| Error::io("quarantine a copy of", path, source))?;
    Ok(Some(to))
}

/// Gives back the space behind all that a segment holds, which is not written any more: a run that
/// is killed ten times would else take ten whole segments.
fn give_back(path: &Path, index: u64) -> Result<()> {
    let unused = Segment::open(path)?.unused(index);
    let mut options = fs::OpenOptions::new();
    let given = options.write(true).open(path).and_then(|file| punch_hole(&file, unused));
    given.map_err(|source| Error::io("punch a hole in", path, source))
}

fn copy_bytes(from: &Path, range: Range<usize>, to: &Path) -> std::io::Result<()> {
    let mut file = File::open(from)?;
    file.seek(SeekFrom::Start(range.start as u64))?;
    let mut copy = File::create(to)?;
    std::io::copy(&mut file.take(range.len() as u64), &mut copy)?;
    copy.sync_all()
}

/// Clears away segments that do not count from `until` on, one at each step; says where each is
/// now.
///
/// First of all it is noted where the journal ends. The last segment goes first: whoever is killed
/// between two steps leaves no gap between segments.
pub(super) fn clearing<'a>(
    dir: &'a Path,
    until: u64,
    behind: &'a [(u64, PathBuf)],
) -> impl Iterator<Item = Result<Option<PathBuf>>> + 'a {
    let begins = behind.first().into_iter().map(move |_| begin_cut(dir, until).map(|()| None));
    begins.chain(behind.iter().rev().map(move |(_, path)| clear_away(dir, path)))
}

/// Moves all records of a journal to its quarantine, so that another may begin in its place.
///
/// # Errors
///
/// [`Error::Io`], and whatever [`Writer::create`] says of a journal that somebody writes.
pub fn set_aside(dir: &Path) -> Result<()> {
    let _lock = WriterLock::take(dir)?;
    clear_all(dir)
}

/// Clears away what is left of a journal of which everything was being cut off.
pub(super) fn clear_all(dir: &Path) -> Result<()> {
    let listed = list_segments(dir)?;
    for cleared in clearing(dir, 0, &listed) {
        cleared?;
    }
    end_cut(dir)
}

/// Moves a segment that does not count to quarantine, or removes it if it holds nothing.
fn clear_away(dir: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let is_empty = Segment::open(path).is_ok_and(|segment| {
        let is_opening_sound =
            matches!(segment.opening(), Ok(Opening::Prepared | Opening::Opened(_)));
        let rest = segment.rest(0);
        is_opening_sound && (rest.is_empty() || segment.ends_sealed_at(0, &rest))
    });
    if is_empty {
        fs::remove_file(path).map_err(|source| Error::io("remove", path, source))?;
        return Ok(None);
    }
    quarantine_segment(dir, path).map(Some)
}

/// What to cut a corrupt journal to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Keep what is before this sequence, all of which must be whole.
    CutAt(u64),
    /// Take the segment out whose name is this sequence: a copy, or another journal's.
    DropSegment(u64),
}

/// Changes a journal that [`recover`] refuses, as its operator chose; what it takes out goes to
/// `DIR/quarantine`. After [`Repair::CutAt`] the journal is closed and whole.
///
/// # Errors
///
/// As [`recover`]; [`Error::Usage`] for a choice that cannot be, such as to drop the segment that
/// alone holds records of the journal.
pub fn repair<R: Record>(dir: &Path, choice: Repair) -> Result<Recovery> {
    let lock = WriterLock::take(dir)?;
    match choice {
        Repair::CutAt(until) => {
            let found = Found::until::<R>(dir, &lock, until)?;
            close::<R>(dir, lock, found).map(|(_, recovery)| recovery)
        }
        Repair::DropSegment(start) => {
            let path = segment_path(dir, start);
            if !path.exists() {
                return Err(Error::usage(
                    format!("`{}` does not exist", path.display()),
                    "name a segment by the number in its file name",
                ));
            }
            check_droppable(dir, start, &path)?;
            let quarantined = vec![quarantine_segment(dir, &path)?];
            sync_directory(dir)?;
            Ok(Recovery { quarantined, ..Recovery::default() })
        }
    }
}

/// As [`repair`], for a journal of events or executions, whichever it is.
///
/// # Errors
///
/// As [`repair`]; [`Error::Usage`] for records of a type that this crate does not know.
pub fn repair_any(dir: &Path, choice: Repair) -> Result<Recovery> {
    match (choice, record_name(dir)) {
        (Repair::DropSegment(_), _) => repair::<Event>(dir, choice),
        (_, Ok(name)) if name == Event::NAME => repair::<Event>(dir, choice),
        (_, Ok(name)) if name == Execution::NAME => repair::<Execution>(dir, choice),
        (_, Ok(other)) => Err(Error::usage(
            format!("`{}` holds records of type `{other}`", dir.display()),
            "repair it with the program that wrote it",
        )),
        (_, Err(error)) => Err(error),
    }
}
