//! The journal reader for C.
//!
//! May use `unsafe` to call [`pointers`](super::pointers) with what the caller promised.

use std::ffi::c_char;
use std::path::Path;

use super::pointers::{give, handle, output, take_back, text};
use super::{RtEvent, RtStatus, guard};
use crate::event::Event;
use crate::journal::{Read, Reader};

/// A reader of a market journal.
#[derive(Debug)]
pub struct RtJournal(Reader<Event>);

/// Opens the market journal in a directory at its first record, also while it is written.
///
/// # Safety
///
/// `dir` is a text that ends with a zero byte; `out` has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_journal_open(dir: *const c_char, out: *mut *mut RtJournal) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let dir = unsafe { text(dir, "dir") }?;
        let reader = Reader::open(Path::new(dir))?;
        // SAFETY: promised by the caller.
        unsafe { give(out, RtJournal(reader)) }?;
        Ok(RtStatus::Ok)
    })
}

/// Copies the records that come next, at most `room`, to `events`, and says in `count` how many.
///
/// `PENDING` when the writer may append more, `END` when nothing will come.
///
/// # Safety
///
/// `journal` is open; `events` has `room` elements; `count` has room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_journal_read(
    journal: *mut RtJournal,
    events: *mut RtEvent,
    room: usize,
    count: *mut usize,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let journal = unsafe { handle(journal, "journal") }?;
        // SAFETY: promised by the caller.
        let count = unsafe { output(count, 1, "count") }?;
        // SAFETY: promised by the caller.
        let events = unsafe { output(events, room, "events") }?;
        Ok(match journal.0.read(bytemuck::cast_slice_mut(events))? {
            Read::Records(read) => {
                count[0] = read;
                RtStatus::Ok
            }
            Read::Pending => RtStatus::Pending,
            Read::End => RtStatus::End,
        })
    })
}

/// Moves to the record of a sequence, or behind the last record.
///
/// # Safety
///
/// `journal` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_journal_seek(journal: *mut RtJournal, sequence: u64) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { handle(journal, "journal") }?.0.seek(sequence)?;
        Ok(RtStatus::Ok)
    })
}

/// The sequence of the record that is read next; 0 for null.
///
/// # Safety
///
/// `journal` is open, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_journal_position(journal: *mut RtJournal) -> u64 {
    // SAFETY: promised by the caller.
    unsafe { handle(journal, "journal") }.map_or(0, |journal| journal.0.position())
}

/// Closes a journal; null is none.
///
/// # Safety
///
/// `journal` is open, or null, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_journal_free(journal: *mut RtJournal) {
    // SAFETY: promised by the caller.
    unsafe { take_back(journal) };
}
