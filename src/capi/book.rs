//! The books for C.
//!
//! May use `unsafe` to call [`pointers`](super::pointers) with what the caller promised.

use std::ffi::c_char;

use bytemuck::{Pod, Zeroable};

use super::pointers::{give, handle, input, output, take_back, text};
use super::{RtEvent, RtStatus, guard};
use crate::book::Replica;
use crate::error::Error;
use crate::event::Event;
use crate::units::{InstrumentId, Side};

/// The order books of all instruments of a stream of events.
#[derive(Debug)]
pub struct RtBook(Replica);

/// Best bid and offer, in the instrument's increments; a quantity of 0 is an empty side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RtTouch {
    /// Highest bid.
    pub bid_price: i64,
    /// All that is bid there.
    pub bid_qty: u64,
    /// Lowest offer.
    pub ask_price: i64,
    /// All that is offered there.
    pub ask_qty: u64,
}

/// A price level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RtLevel {
    /// Its price.
    pub price: i64,
    /// Sum of its orders' open quantities.
    pub qty: u64,
    /// Number of its orders.
    pub orders: u64,
}

/// Makes empty books.
///
/// # Safety
///
/// `out` has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_new(out: *mut *mut RtBook) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { give(out, RtBook(Replica::new())) }?;
        Ok(RtStatus::Ok)
    })
}

/// Applies events in their order.
///
/// # Safety
///
/// `book` was made and not freed; `events` has `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_apply(
    book: *mut RtBook,
    events: *const RtEvent,
    count: usize,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let book = unsafe { handle(book, "book") }?;
        // SAFETY: promised by the caller.
        let events = unsafe { input(events, count, "events") }?;
        let events: &[Event] = bytemuck::cast_slice(events);
        book.0.apply_each(events, |event| event, |_, _| {});
        Ok(RtStatus::Ok)
    })
}

/// Finds an instrument by its symbol.
///
/// # Safety
///
/// `book` was made and not freed; `symbol` ends with a zero byte; `instrument` has room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_find(
    book: *mut RtBook,
    symbol: *const c_char,
    instrument: *mut u32,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let book = unsafe { handle(book, "book") }?;
        // SAFETY: promised by the caller.
        let symbol = unsafe { text(symbol, "symbol") }?;
        // SAFETY: promised by the caller.
        let instrument = unsafe { output(instrument, 1, "instrument") }?;
        let found = book.0.instruments().find(symbol).ok_or_else(|| {
            let what = format!("no event so far defined the symbol `{symbol}`");
            Error::usage(what, "apply more events, or look at the spelling")
        })?;
        instrument[0] = found.0;
        Ok(RtStatus::Ok)
    })
}

/// Best bid and offer of an instrument; zeros for one that has none.
///
/// # Safety
///
/// `book` was made and not freed; `touch` has room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_touch(
    book: *mut RtBook,
    instrument: u32,
    touch: *mut RtTouch,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let book = unsafe { handle(book, "book") }?;
        // SAFETY: promised by the caller.
        let out = unsafe { output(touch, 1, "touch") }?;
        let touch = book.0.touch(InstrumentId(instrument));
        out[0] = RtTouch {
            bid_price: touch.bid_price.0,
            bid_qty: touch.bid_qty.0,
            ask_price: touch.ask_price.0,
            ask_qty: touch.ask_qty.0,
        };
        Ok(RtStatus::Ok)
    })
}

/// The levels of one side, 1 for bids and 2 for offers, the best first, at most `room`; `count`
/// says how many.
///
/// # Safety
///
/// `book` was made and not freed; `levels` has `room` elements; `count` has room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_levels(
    book: *mut RtBook,
    instrument: u32,
    side: u8,
    levels: *mut RtLevel,
    room: usize,
    count: *mut usize,
) -> RtStatus {
    guard(|| {
        // SAFETY: promised by the caller.
        let book = unsafe { handle(book, "book") }?;
        // SAFETY: promised by the caller.
        let count = unsafe { output(count, 1, "count") }?;
        // SAFETY: promised by the caller.
        let levels = unsafe { output(levels, room, "levels") }?;
        let sides = [Side::Buy, Side::Sell];
        let side = sides.into_iter().find(|one| *one as u8 == side).ok_or_else(|| {
            Error::usage(format!("there is no side {side}"), "pass 1 for bids, 2 for offers")
        })?;
        let found = book.0.levels(InstrumentId(instrument), side);
        for (slot, level) in levels.iter_mut().zip(found) {
            let (price, qty, orders) = (level.price.0, level.qty.0, u64::from(level.orders));
            *slot = RtLevel { price, qty, orders };
            count[0] += 1;
        }
        Ok(RtStatus::Ok)
    })
}

/// Frees books; null is none.
///
/// # Safety
///
/// `book` was made, or is null, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_book_free(book: *mut RtBook) {
    // SAFETY: promised by the caller.
    unsafe { take_back(book) };
}
