//! Following a journal from anywhere: a sequence, a time, a named cursor or now.

use std::path::Path;

use super::cursor::Cursor;
use super::format::SegmentHeader;
use super::reader::{Read, Reader};
use super::record::Record;
use crate::error::{Error, Result};

/// Where a [`Tailer`] begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum From {
    /// At the first record that is still there.
    #[default]
    First,
    /// Behind the last record that is there now.
    Now,
    /// At a sequence.
    Sequence(u64),
    /// At the first record of this time or later, in the records' own ns.
    Time(u64),
    /// Where the cursor of this name was saved; a new one begins at the first record.
    Cursor(String),
}

/// Follows a journal in any process, while it is written, over rolls and epochs.
///
/// Each record comes once and in order. With a cursor, [`save`](Self::save) keeps the position in
/// the journal's directory: after a crash of this process the records since then come again.
/// Retention removes nothing that a cursor has not passed.
///
/// ```
/// use bytemuck::Zeroable;
/// use ringtape::event::Event;
/// use ringtape::journal::{From, JournalOptions, Read, Tailer, Writer};
///
/// # let scratch = tempfile::tempdir()?;
/// # let dir = scratch.path().join("market");
/// let mut writer = Writer::<Event>::create(&dir, &JournalOptions::default())?;
/// let at = |ts_event| Event { ts_event, ..Event::zeroed() };
/// writer.append_batch(&[at(10), at(20), at(30)])?;
///
/// let mut events = [Event::zeroed(); 64];
/// let mut tailer = Tailer::<Event>::open(&dir, &From::Time(15))?;
/// assert_eq!(tailer.read(&mut events)?, Read::Records(2));
/// assert_eq!((events[0], tailer.position()), (at(20), 3));
///
/// let mut tailer = Tailer::<Event>::open(&dir, &From::Cursor("risk".to_owned()))?;
/// tailer.read(&mut events[..1])?;
/// tailer.save()?;
/// let tailer = Tailer::<Event>::open(&dir, &From::Cursor("risk".to_owned()))?;
/// assert_eq!(tailer.position(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tailer<R> {
    reader: Reader<R>,
    cursor: Option<Cursor>,
}

impl<R: Record> Tailer<R> {
    /// Opens the journal in `dir` at `from`. A cursor is registered at once.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`]; [`Error::Usage`] for a place that the journal does not hold, or a name
    /// that cannot be a cursor's; [`Error::BadJournal`] for a cursor that is damaged.
    pub fn open(dir: &Path, from: &From) -> Result<Self> {
        let mut reader = Reader::<R>::open(dir)?;
        let mut cursor = None;
        match from {
            From::First => {}
            From::Now => reader.seek_end()?,
            From::Sequence(sequence) => reader.seek(*sequence)?,
            From::Time(time) => reader.seek_time(*time)?,
            From::Cursor(name) => {
                let own = Cursor::new(dir, name, reader.header().journal_id)?;
                match own.load()? {
                    Some(sequence) => reader.seek(sequence)?,
                    None => own.save(reader.position())?,
                }
                cursor = Some(own);
            }
        }
        Ok(Self { reader, cursor })
    }

    /// Copies the records that come next, as [`Reader::read`] does.
    ///
    /// # Errors
    ///
    /// As [`Reader::read`].
    ///
    /// # Panics
    ///
    /// If `records` is empty.
    pub fn read(&mut self, records: &mut [R]) -> Result<Read> {
        self.reader.read(records)
    }

    /// Saves the position under the name of the cursor; when this returns it survives a power cut.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Usage`] without a cursor.
    pub fn save(&mut self) -> Result<()> {
        match &self.cursor {
            Some(cursor) => cursor.save(self.reader.position()),
            None => Err(Error::usage("a tailer without a cursor has nothing to save", "name one")),
        }
    }

    /// The sequence of the record that comes next.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// The header of the segment at the position.
    pub fn header(&self) -> &SegmentHeader {
        self.reader.header()
    }
}
