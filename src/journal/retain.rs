//! Retention: which segments may be deleted, and why the others may not.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::chain::Chain;
use super::cursor::cursors;
use super::directory::{segment_path, sync_directory};
use super::segment::read_header;
use crate::error::{Error, Result};

/// How much of a journal to keep; what exceeds any limit may go, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the disk at most.
    pub size: Option<u64>,
    /// Time since a segment was last written at most.
    pub age: Option<Duration>,
    /// Segments at most.
    pub count: Option<u64>,
    /// What is from this sequence on is needed, whatever the limits say.
    pub needed_from: Option<u64>,
}

/// Why a segment stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// It is the last one.
    Last,
    /// A cursor has not passed it.
    Cursor {
        /// The cursor.
        name: String,
        /// Where it stands.
        sequence: u64,
    },
    /// It holds something that is needed, from this sequence on.
    Needed(u64),
    /// A segment before it stays, and a journal has no gaps.
    Behind,
    /// Nothing keeps it, and no limit asks for its removal.
    Free,
}

impl fmt::Display for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => out.write_str("kept: the last segment, which may be written"),
            Self::Cursor { name, sequence } => {
                write!(out, "kept: cursor `{name}` has only come to {sequence}")
            }
            Self::Needed(from) => {
                write!(out, "kept: a run needs what is from sequence {from} on to go on")
            }
            Self::Behind => out.write_str("kept: one before it is kept"),
            Self::Free => out.write_str("within the limits: may be removed at any time"),
        }
    }
}

/// What becomes of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fate {
    /// The segment.
    pub path: PathBuf,
    /// Its first sequence.
    pub first_sequence: u64,
    /// Bytes that it takes on the disk.
    pub bytes: u64,
    /// Why it stays; `None` if it goes.
    pub hold: Option<Hold>,
}

/// Removes what exceeds `limits` of the journal in `dir`, whole segments from the oldest on, never
/// past a cursor or what is needed; with `dry_run` only says what it would do.
///
/// A writer and readers may be at work; a reader keeps the segment that it reads.
///
/// # Errors
///
/// As [`Reader::open`](super::Reader::open); a damaged cursor; [`Error::Io`].
pub fn retain(dir: &Path, limits: &Limits, dry_run: bool) -> Result<Vec<Fate>> {
    let chain = Chain::look(dir, u64::MAX)?;
    let first = read_header(&segment_path(dir, chain.first_sequence()))?;
    let cursors = cursors(dir, first.journal_id)?;
    let starts: Vec<u64> = chain.from(0).map(|link| link.start).collect();
    let mut fates = Vec::with_capacity(starts.len());
    let excess = Excess::new(dir, &starts, limits)?;
    for (index, &start) in starts.iter().enumerate() {
        let next = starts.get(index + 1).copied();
        let behind_cursor = cursors.first().filter(|(at, _)| next.is_some_and(|next| *at < next));
        let needed = limits.needed_from.filter(|&from| next.is_some_and(|next| from < next));
        let is_excess = excess.asks(index)?;
        let is_kept_before = fates.last().is_some_and(|fate: &Fate| fate.hold.is_some());
        let hold = match (next, behind_cursor, needed) {
            (None, ..) => Some(Hold::Last),
            (_, Some((sequence, name)), _) => {
                Some(Hold::Cursor { name: name.clone(), sequence: *sequence })
            }
            (_, _, Some(from)) => Some(Hold::Needed(from)),
            _ if !is_excess => Some(Hold::Free),
            _ if is_kept_before => Some(Hold::Behind),
            _ => None,
        };
        let path = segment_path(dir, start);
        fates.push(Fate { path, first_sequence: start, bytes: excess.bytes[index], hold });
    }
    if !dry_run {
        for fate in fates.iter().filter(|fate| fate.hold.is_none()) {
            match fs::remove_file(&fate.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &fate.path, error));
                }
                _ => {}
            }
        }
        sync_directory(dir)?;
    }
    Ok(fates)
}

/// What exceeds the limits.
struct Excess<'a> {
    limits: &'a Limits,
    paths: Vec<PathBuf>,
    /// Bytes of each segment on the disk.
    bytes: Vec<u64>,
}

impl<'a> Excess<'a> {
    fn new(dir: &Path, starts: &[u64], limits: &'a Limits) -> Result<Self> {
        let paths: Vec<_> = starts.iter().map(|&start| segment_path(dir, start)).collect();
        // Blocks of a file are counted in units of 512 bytes, whatever its file system's.
        let bytes_of = |path: &PathBuf| Ok(metadata(path)?.blocks() * 512);
        let bytes = paths.iter().map(bytes_of).collect::<Result<_>>()?;
        Ok(Self { limits, paths, bytes })
    }

    /// Whether a limit asks for the removal of a segment.
    fn asks(&self, index: usize) -> Result<bool> {
        let from_here: u64 = self.bytes[index..].iter().sum();
        let is_over = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value > limit);
        let age = match self.limits.age {
            Some(limit) => {
                let written = metadata(&self.paths[index])?.modified();
                let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
                age.is_some_and(|age| age > limit)
            }
            None => false,
        };
        Ok(age
            || is_over(self.limits.size, from_here)
            || is_over(self.limits.count, (self.paths.len() - index) as u64))
    }
}

fn metadata(path: &Path) -> Result<fs::Metadata> {
    fs::metadata(path).map_err(|source| Error::io("read", path, source))
}
