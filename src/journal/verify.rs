//! Whether a journal is whole.

use std::path::Path;

use super::directory::WriterWatch;
use super::reader::check_record_type;
use super::record::Record;
use super::tape::{Head, Tape, TornTail};
use crate::error::Result;
use crate::event::{Event, Execution};

/// Bytes of records that are read at a time.
const BATCH_BYTES: usize = 64 << 10;

/// What a journal holds that has no damage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Records that were read and checked.
    pub records: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes up to the end of each segment's records, headers and seals included.
    pub bytes: u64,
    /// The first sequence.
    pub first_sequence: u64,
    /// The sequence after the last.
    pub next_sequence: u64,
    /// The epoch: how often writing was taken up again.
    pub epoch: u64,
    /// Whether the writer closed the journal.
    pub sealed: bool,
    /// Whether a writer was at work at the end of the check; the journal may have grown since.
    pub live: bool,
    /// What is left of records that were being written when the writer or the machine went down.
    pub torn_tail: Option<TornTail>,
}

/// Reads and checks every record of the journal in `dir`, whose records are of type `R`.
///
/// A torn tail is no error: nothing was lost that an append had returned for, unless the machine
/// went down too. [`Writer::resume`](super::Writer::resume) goes on behind what is whole.
///
/// # Errors
///
/// As [`Reader::open`](super::Reader::open);
/// [`Error::BadJournal`](crate::error::Error::BadJournal) names segment, sequences and bytes of
/// damage that readable records follow.
pub fn verify<R: Record>(dir: &Path) -> Result<VerifyReport> {
    verify_with::<R>(dir, WriterWatch::default())
}

/// As [`verify`], where `watch` says whether the writer is alive.
pub(super) fn verify_with<R: Record>(dir: &Path, watch: WriterWatch) -> Result<VerifyReport> {
    let tape = Tape::open_until(dir, u64::MAX, watch)?;
    check_record_type::<R>(dir, tape.header())?;
    walk(tape)
}

/// Reads and checks every record of the journal in `dir`, whatever type its records have.
///
/// # Errors
///
/// As [`verify`]; records of a type that this crate does not know are checked all the same.
pub fn verify_any(dir: &Path) -> Result<VerifyReport> {
    let tape = Tape::open(dir)?;
    match tape.header().schema_name().as_str() {
        Event::NAME => check_record_type::<Event>(dir, tape.header())?,
        Execution::NAME => check_record_type::<Execution>(dir, tape.header())?,
        _ => {}
    }
    walk(tape)
}

fn walk(mut tape: Tape) -> Result<VerifyReport> {
    let slot_bytes = u64::from(tape.header().slot_bytes);
    let Walked { head, bytes } = walk_until(&mut tape, u64::MAX)?;
    let first_sequence = tape.first_sequence();
    let next_sequence = tape.position();
    let (live, sealed, torn_tail) = match head {
        Head::End { sealed, torn_tail } => (false, sealed, torn_tail),
        Head::More | Head::Pending => (true, false, None),
    };
    Ok(VerifyReport {
        records: next_sequence - first_sequence,
        segments: tape.segments(),
        bytes: bytes + if sealed { slot_bytes } else { 0 },
        first_sequence,
        next_sequence,
        epoch: tape.header().epoch,
        sealed,
        live,
        torn_tail,
    })
}

/// What a walk over records found.
pub(super) struct Walked {
    /// What is at the end of the walk; `More` if it is where it was to end.
    pub(super) head: Head,
    /// Bytes up to there, headers and seals between segments included.
    pub(super) bytes: u64,
}

/// Reads and checks every record from the position of `tape` to before `until`.
pub(super) fn walk_until(tape: &mut Tape, until: u64) -> Result<Walked> {
    let slot_bytes = u64::from(tape.header().slot_bytes);
    let words_each = tape.header().record_bytes as usize / 8;
    let mut batch = vec![[0; 8]; BATCH_BYTES / (8 * words_each) * words_each];
    let mut bytes_before = 0;
    loop {
        while let left @ 1.. = until - tape.position() {
            let records =
                (batch.len() / words_each).min(usize::try_from(left).unwrap_or(usize::MAX));
            if tape.read(words_each, &mut batch[..records * words_each])? == 0 {
                break;
            }
        }
        if tape.position() == until {
            return Ok(Walked { head: Head::More, bytes: bytes_before + tape.bytes_here() });
        }
        let (here, before) = (tape.bytes_here(), *tape.header());
        match tape.head()? {
            Head::More if tape.header().first_sequence > before.first_sequence => {
                // A later epoch begins where the one before was left, sealed or not.
                let is_roll = tape.header().epoch == before.epoch;
                bytes_before += here + if is_roll { slot_bytes } else { 0 };
            }
            Head::More => {}
            head => return Ok(Walked { head, bytes: bytes_before + tape.bytes_here() }),
        }
    }
}
