//! The one error type: what went wrong, where, and what to do about it.
//!
//! An operator's mistake or a fault of the outside world is an [`Error`]; a broken invariant of
//! this crate is an assertion. Every message reads `what, where: what to do`, and every error knows
//! the exit code that the command line contract gives it ([`Error::exit_code`]).

use std::io;
use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong and is not a bug of this crate.
///
/// ```
/// use ringtape::error::Error;
///
/// let error = Error::usage("unknown strategy `makr`", "did you mean `maker`?");
/// assert_eq!(error.to_string(), "unknown strategy `makr`: did you mean `maker`?");
/// assert_eq!(error.exit_code(), 2);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be done: a bad option, a refused combination.
    #[error("{what}: {cure}")]
    Usage {
        /// What was refused.
        what: String,
        /// What to do instead.
        cure: String,
    },
    /// The operating system refused an operation on a file.
    #[error("cannot {action} {}: {source}{}", path.display(), io_cure(source))]
    Io {
        /// The attempted action as a verb phrase, such as `open` or `prepare segment`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A feed holds bytes that its format does not allow.
    #[error("{origin}, byte {offset}, message {message}: {what}: {cure}")]
    BadFeed {
        /// The file name, or `stdin`.
        origin: String,
        /// Offset of the faulty bytes, counted after decompression.
        offset: u64,
        /// Number of the faulty message, counted from 0.
        message: u64,
        /// What is wrong there.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// An order file holds something that its format does not allow.
    #[error("{origin}, line {line}, column {column}: {what}: {cure}")]
    BadOrders {
        /// The file name, or `stdin`.
        origin: String,
        /// Number of the line, from 1.
        line: u64,
        /// Number of the column, from 1, and its name where it has one.
        column: String,
        /// What is wrong there.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// A file is of no format that this crate reads.
    #[error("{origin}: {what}: {cure}")]
    UnknownFormat {
        /// The file name, or `stdin`.
        origin: String,
        /// What it looks like.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// Another process sent bytes that are no message of the protocol.
    #[error("{peer}, byte {offset}: {what}: see who is there, and that both are of one version")]
    BadMessage {
        /// Who sent them.
        peer: String,
        /// Bytes of the stream before the message.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A venue says what cannot be, or a run and a venue do not fit together.
    #[error("{what}: {cure}")]
    Venue {
        /// What was said.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// A journal does not hold what it should.
    #[error("{}, byte {offset}: {what}: {cure}", path.display())]
    BadJournal {
        /// The segment or directory.
        path: PathBuf,
        /// Byte offset inside the segment.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// Saved state of one part cannot be loaded.
    #[error("saved state of `{part}`: {what}: take an older snapshot or start over")]
    BadState {
        /// The part of the engine whose state it is.
        part: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A consumer failed; the ring it reads is poisoned and its producer stops.
    #[error("stage `{name}` failed at sequence {sequence}: {cause}")]
    ConsumerFailed {
        /// The failed stage.
        name: String,
        /// The sequence that it was handling.
        sequence: u64,
        /// Its error or panic message.
        cause: String,
    },
    /// A stage upstream of this one failed, so this stage will see nothing more.
    #[error("stage `{name}` stopped because `{upstream}` before it failed")]
    UpstreamFailed {
        /// The stage that stopped.
        name: String,
        /// The stage that failed.
        upstream: String,
    },
    /// A stage of a ring was cut off; nobody else noticed.
    #[error(
        "stage `{name}` was cut off before sequence {sequence}: let it catch up from a recording"
    )]
    StageCut {
        /// The stage that was cut.
        name: String,
        /// The first sequence that it has not released.
        sequence: u64,
    },
    /// A ring does not hold a sequence any more.
    #[error("ring `{ring}` holds nothing before {oldest}: read {sequence} from a recording")]
    Overwritten {
        /// The ring.
        ring: String,
        /// The sequence that was asked for.
        sequence: u64,
        /// The oldest one that can still be had.
        oldest: u64,
    },
    /// An agent panicked; that is a bug, here or in a strategy or handler.
    #[error("agent `{agent}` panicked: {panic}")]
    AgentPanicked {
        /// The agent.
        agent: String,
        /// The panic's message.
        panic: String,
    },
    /// A check that the caller asked for did not hold.
    #[error("{what}: {cure}")]
    CheckFailed {
        /// The check and what was found.
        what: String,
        /// What to do about it.
        cure: String,
    },
}

impl Error {
    /// An [`Error::Usage`].
    pub fn usage(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), cure: cure.into() }
    }

    /// An [`Error::Io`] of `action` on `path`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// An [`Error::BadState`] of `part`.
    pub fn bad_state(part: &'static str, what: impl Into<String>) -> Self {
        Self::BadState { part, what: what.into() }
    }

    /// The same with the number of the message that was next, which only the decoder knows.
    pub(crate) fn at_message(mut self, next: u64) -> Self {
        if let Self::BadFeed { message, .. } = &mut self {
            *message = next;
        }
        self
    }

    /// The exit code of a program that ends with this error.
    ///
    /// 1 a requested check failed, 2 usage, missing file or refused combination, 3 unreadable or
    /// corrupt input, 4 the run failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CheckFailed { .. } => 1,
            Self::Usage { .. } => 2,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory => 2,
                io::ErrorKind::InvalidData => 3,
                _ => 4,
            },
            Self::BadFeed { .. }
            | Self::BadOrders { .. }
            | Self::BadMessage { .. }
            | Self::UnknownFormat { .. }
            | Self::BadJournal { .. }
            | Self::BadState { .. } => 3,
            Self::ConsumerFailed { .. }
            | Self::UpstreamFailed { .. }
            | Self::StageCut { .. }
            | Self::Overwritten { .. }
            | Self::Venue { .. }
            | Self::AgentPanicked { .. } => 4,
        }
    }
}

/// The cure for the I/O errors that have a usual one, as a suffix of the message.
fn io_cure(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": check the permissions of the file and its directory",
        io::ErrorKind::AlreadyExists => ": choose another name, or allow overwriting with --force",
        io::ErrorKind::FileTooLarge => ": raise the limit on the size of files, `ulimit -f`",
        io::ErrorKind::StorageFull => ": free some space or choose another disk",
        io::ErrorKind::IsADirectory => ": name a file, not a directory",
        io::ErrorKind::NotADirectory => ": name a directory, not a file",
        io::ErrorKind::InvalidData => ": check that it is the file that was meant",
        _ => "",
    }
}

/// The candidate that is at most two typing errors away, or one when it begins with another letter;
/// the nearest first.
///
/// ```
/// use ringtape::error::nearest;
///
/// assert_eq!(nearest("stratgy", ["seed", "strategy"].into_iter()), Some("strategy"));
/// assert_eq!(nearest("colour", ["seed", "strategy"].into_iter()), None);
/// assert_eq!(nearest("posn", ["position", "loss"].into_iter()), None);
/// ```
pub fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const TYPING_ERRORS_MAX: usize = 2;
    let (given, first) = (given.to_lowercase(), |name: &str| name.chars().next());
    candidates
        .map(|name| (typing_errors(&given, &name.to_lowercase()), name))
        // A word that begins otherwise is seldom meant.
        .filter(|&(errors, name)| {
            let is_alike = first(&given) == first(&name.to_lowercase());
            errors <= TYPING_ERRORS_MAX - usize::from(!is_alike) && errors < given.len()
        })
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, delete or change to make `a` of `b` (Levenshtein distance).
fn typing_errors(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.chars().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_the_operators_mistake_and_a_full_disk_is_a_failed_run() {
        let missing = Error::io("open", "day.itch", io::ErrorKind::NotFound.into());
        let full = Error::io("write", "day.tape", io::ErrorKind::StorageFull.into());
        assert_eq!((missing.exit_code(), full.exit_code()), (2, 4));
        assert!(missing.to_string().ends_with("check the path"), "{missing}");
        assert!(full.to_string().ends_with("choose another disk"), "{full}");
    }
}
