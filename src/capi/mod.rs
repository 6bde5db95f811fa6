//! Ring, journal reader and book for C: feature `capi`.
//!
//! ```text
//!   C program --> rt_ring_new, rt_publish, rt_poll ...... producer and consumers of one ring
//!             --> rt_journal_open, rt_journal_read ...... the market journal of a run, also live
//!             --> rt_book_new, rt_book_apply ............ books that follow the events
//! ```
//!
//! * Handles are opaque; each is made by one function and freed by one. A handle is used by one
//!   thread at a time; those of one ring may be on different threads.
//! * Every function that can fail gives an [`RtStatus`]; [`rt_message`] says what went wrong in
//!   this thread, where, and what to do. A null pointer is an error, a panic is
//!   [`RtStatus::Panic`]: the handle is then good for nothing but to be freed. Nothing unwinds
//!   into C.
//! * Prices and quantities are integers in the instrument's increments, times are ns.
//!
//! The header is made from this module, and the library from the crate:
//!
//! ```text
//! cargo rustc --release --lib --no-default-features --features capi --crate-type cdylib
//! cbindgen --quiet --config examples/c/cbindgen.toml --output target/ringtape.h
//! gcc -Itarget examples/c/book.c -Ltarget/release -lringtape -o target/book
//! LD_LIBRARY_PATH=target/release target/book run/market ACME
//! ```
//!
//! The files of this module are among the few that may use `unsafe`: what comes from C is pointers,
//! which only a promise of the caller makes valid. Each is checked for null and alignment here, and
//! turned into a reference or slice in one place; the rest of the module is safe code.
#![allow(unsafe_code)]

pub mod book;
pub mod journal;
mod pointers;
pub mod ring;

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytemuck::{Pod, Zeroable};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::limits::EVENT_BYTES;

/// How a call ended. What is below 0 is an error, and [`rt_message`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum RtStatus {
    /// Done.
    Ok = 0,
    /// Nothing now; more may come.
    Pending = 1,
    /// Nothing, and nothing will come.
    End = 2,
    /// The caller asked for something that cannot be.
    Usage = -1,
    /// What was read is damaged or of another kind.
    Data = -2,
    /// Something failed on the way: a disk, or another end of the ring.
    Failed = -3,
    /// A fault of the library itself.
    Panic = -4,
}

/// An event, as on the market ring and in market journals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RtEvent {
    /// Exchange time in ns.
    pub ts_event: u64,
    /// Engine clock in ns.
    pub ts_ingest: u64,
    /// Code of the kind: 1 instrument, 4 add, 5 execute, and so on as `ringtape::event` lists them.
    pub kind: u8,
    /// 1 buy, 2 sell, 0 for none.
    pub side: u8,
    /// Bits: 1 last record of its exchange event, 16 the next record belongs to this one; in bits 8
    /// to 14 the number, from 1, of its feed among several that are read as one.
    pub flags: u16,
    /// Number of the instrument.
    pub instrument: u32,
    /// The payload by kind; of an add: order, price, quantity, and what it is attributed to.
    pub payload: [u64; 4],
}

const _: () = assert!(size_of::<RtEvent>() == EVENT_BYTES && align_of::<Event>() == 8);

thread_local! {
    /// What went wrong last in this thread.
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// What went wrong in the last call of this thread that gave an error: text without a line break,
/// valid until the next such call, never null.
#[unsafe(no_mangle)]
pub extern "C" fn rt_message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// Runs a call; no panic gets out, and an error leaves its message.
fn guard(call: impl FnOnce() -> Result<RtStatus>) -> RtStatus {
    let (status, message) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(status)) => return status,
        Ok(Err(error)) => (status_of(&error), error.to_string()),
        Err(_) => (RtStatus::Panic, "a fault of ringtape: free the handle, and report it".into()),
    };
    let text = message.replace(['\0', '\n'], " ");
    MESSAGE.set(CString::new(text).unwrap_or_default());
    status
}

/// The status by the exit code that the program would end with.
fn status_of(error: &Error) -> RtStatus {
    match error.exit_code() {
        2 => RtStatus::Usage,
        3 => RtStatus::Data,
        _ => RtStatus::Failed,
    }
}
