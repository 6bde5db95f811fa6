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
//! # Faults
//!
//! What each costs, and the tests that try it (in `tests/journal/` unless a path is given). They
//! print how many cases they try:
//!
//! ```text
//! cargo test --lib --test journal -- --show-output | grep '^tried'
//! ```
//!
//! | fault | what is owed | tried by |
//! |---|---|---|
//! | the writer killed at any moment, rolls included | nothing that was acknowledged is lost | `kill` |
//! | a writer killed before any system call that changes a file: preparing, populating, forcing out, a cursor, retention, the close | nothing that was acknowledged is lost, and it goes on | `kill` |
//! | the same of a recovery; of a run with snapshots | done again; goes on to the same hashes | `kill` |
//! | a disk that is full, or fails, at any one of those calls | code 4 or nothing lost, no panic; goes on later | `kill` |
//! | a level of durability that forces less to the disk than it says | its calls are counted | `kill`, `src/journal/faults.rs` |
//! | a reader at the end of a killed writer's segment while a recovery replaces it | waits, then goes on | `tail` |
//! | a run killed at any moment, also while a snapshot is written | goes on to the same hashes | `resume` |
//! | a run cut before any record, at rolls and at marks | goes on to the same hashes | `resume`, `snapshot` |
//! | any bit of a header, block header or record flipped, records behind it | corruption, nothing wrong delivered | `damage` |
//! | any bit of the last record or seal flipped | torn tail in front of it, all else delivered | `damage` |
//! | garbage in unwritten space | torn tail, or nothing behind a seal | `damage` |
//! | garbage over any part, over the end, or for a segment (64, 48 and 64 cases, drawn anew each time) | nothing wrong delivered, no panic | `damage`, `recover` |
//! | a segment cut, extended or empty | refused with the byte | `damage` |
//! | segments missing, swapped, renamed, repeated or foreign | refused by name; `repair` drops copies | `damage`, `recover` |
//! | content of another epoch or journal in recycled blocks | never delivered | `damage` |
//! | a newer version or a needed feature | refused with advice | `damage` |
//! | a recovery stopped between any two of its steps | done again | `recover`, `src/journal/interrupted.rs` |
//! | a cut over several segments stopped between any two steps | the journal ends at the cut, and it is done again | `src/journal/interrupted.rs` |
//! | bytes of a segment, a snapshot or saved state changed at will | no panic, nothing wrong delivered | `fuzz/run` |
//! | a second writer, a repair beside a writer | refused with the process id | `write_read`, `recover` |
//! | a power cut that keeps any of the pages not yet forced out | every durable record is there | `src/journal/faults.rs` |
//! | a sync that fails | never asked again, the journal stays unsealed | `src/journal/faults.rs` |
//! | a disk full from the start, or at a roll | an error; what is there goes on later | `faults`, `write_read` |
//! | a file system that fills up at any stage: lock, first segment, rolls, the close, a cursor, a run's journals and snapshots | code 4, nothing acknowledged is lost; goes on once there is room | `full_disk` |
//! | a file cut under a map | a message and exit code 4 | `faults` |
//! | links, pipes, devices, folders and absurd lengths for segments | refused, nobody waits | `faults` |
//! | any bit of a snapshot flipped, any other length | the one before it is used | [`snapshot`], `snapshot` |
//! | snapshots that cannot be written | a warning; the run goes on | `faults` |
//! | a cursor with a flipped bit or cut anywhere | refused | `src/journal/cursor.rs` |
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
mod drop_segment;
mod durability;
#[cfg(test)]
mod faults;
mod flusher;
pub mod format;
mod geometry;
#[cfg(test)]
mod interrupted;
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

pub use cursor::cursors;
pub(crate) use directory::random_id;
pub use directory::{is_cut_off, is_present};
pub use durability::Durability;
pub use format::SegmentHeader;
pub use options::{ClockCalibration, JournalOptions, Summary};
pub use reader::{Read, Reader};
pub use record::{Record, records_per_segment, schema_hash};
pub(crate) use recover::Left;
pub use recover::{Recovery, Repair, recover, recover_any, repair, repair_any, set_aside};
pub use retain::{Fate, Hold, Limits, retain};
pub use tailer::{From, Tailer};
pub use tape::TornTail;
pub use verify::{VerifyReport, verify, verify_any};
pub use writer::Writer;
