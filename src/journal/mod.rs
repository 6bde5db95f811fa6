//! The journal: memory-mapped segments that are their own index.
//!
//! One [`Writer`] appends the records of a ring to a directory of segments; any number of
//! [`Reader`]s follow it from any process, while it writes or years later; [`verify()`] says
//! whether a journal is whole. [`mod@format`] documents every byte, enough to write a reader from.
//!
//! ```text
//!   ring batch                        DIR/00000000000000000000.tape   sealed
//!      |                              DIR/00000000000004189185.tape   being written
//!      v             prepares ahead   DIR/00000000000008378370.tape   prepared
//!   Writer <-------- helper thread    DIR/writer.lock                 held by the writer
//!      |  mapped stores
//!      v
//!   segment -------> Reader, verify: any process, any number
//! ```
//!
//! # What survives what
//!
//! Every appended record survives the end of the process, `kill -9` included. What a power cut or a
//! crash of the operating system costs is chosen by [`Durability`], which has the table.
//! [`Writer::durable`] is the sequence before which everything is on the disk; an engine's gate can
//! wait for it. [`Writer::close`] forces everything to the disk. A disk that refuses once is never
//! asked again: the writer fails, and the journal stays unsealed.
//!
//! # Reading along
//!
//! A [`Tailer`] follows a journal in any process from a sequence, a time, a named cursor or now. A
//! cursor survives its reader, and [`retain`] removes no segment that a cursor has not passed.
//!
//! # After a crash
//!
//! [`Writer::resume`] checks the whole journal and begins a new *epoch* behind what is whole, in a
//! segment of its own; [`recover()`] does the same and closes the journal.
//!
//! | what is found | verdict |
//! |---|---|
//! | a seal, or nothing behind the last record | clean: goes on |
//! | bytes that are no record, and nothing readable behind them | torn tail: set aside, goes on |
//! | the same, with readable records behind, below the mark of what was on the disk | corruption |
//! | the same, not below the mark, after another boot of the machine | torn tail |
//! | the same, in the boot that it was written in | corruption |
//! | segments damaged, missing, renamed or of another journal | corruption |
//!
//! Corruption is refused with segment, sequences and bytes, and what is whole can still be read;
//! [`repair`] cuts a journal where its operator says. Nothing is changed in place or destroyed:
//! what does not count any more is in `DIR/quarantine`.
//!
//! # Example
//!
//! ```
//! use bytemuck::Zeroable;
//! use ringtape::event::Event;
//! use ringtape::journal::{JournalOptions, Read, Reader, Writer, verify};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let dir = scratch.path().join("market");
//! let mut writer = Writer::<Event>::create(&dir, &JournalOptions::default())?;
//! let event = Event { ts_event: 34_200_000_000_000, instrument: 13, ..Event::zeroed() };
//! writer.append(&event)?;
//! writer.close()?;
//!
//! let mut reader = Reader::<Event>::open(&dir)?;
//! let mut events = [Event::zeroed(); 64];
//! assert_eq!(reader.read(&mut events)?, Read::Records(1));
//! assert_eq!(events[0], event);
//! assert_eq!(reader.read(&mut events)?, Read::End);
//! assert_eq!(verify::<Event>(&dir)?.records, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod crc;
mod cursor;
mod directory;
mod durability;
#[cfg(test)]
mod faults;
mod flusher;
pub mod format;
mod geometry;
#[cfg(test)]
mod memory;
mod options;
mod prepare;
mod reader;
mod record;
mod recover;
mod retain;
mod segment;
pub mod snapshot;
mod storage;
mod tailer;
mod tape;
mod verify;
mod writer;

pub use directory::is_present;
pub use durability::Durability;
pub use format::SegmentHeader;
pub use options::{ClockCalibration, JournalOptions, Summary};
pub use reader::{Read, Reader};
pub use record::{Record, records_per_segment, schema_hash};
pub use recover::{Recovery, Repair, recover, recover_any, repair, repair_any};
pub use retain::{Fate, Hold, Limits, retain};
pub use tailer::{From, Tailer};
pub use tape::TornTail;
pub use verify::{VerifyReport, verify, verify_any};
pub use writer::Writer;
