//! Pointers from C: the one place where they become references, slices and boxes.
//!
//! This file is one of the few that may use `unsafe`: nothing but the caller's promise says that a
//! pointer is valid. The promise is the same everywhere, and every function that takes a pointer
//! documents it: *a handle comes from its own `new` or `open` and was not freed; a buffer has room
//! for as many elements as were said; nobody else uses either during the call.*

use std::ffi::{CStr, c_char};

use crate::error::{Error, Result};

/// The error of a null or misaligned pointer.
fn refused(what: &str) -> Error {
    Error::usage(format!("`{what}` is null or misaligned"), "pass a valid pointer")
}

fn is_good<T>(pointer: *const T) -> bool {
    !pointer.is_null() && pointer.is_aligned()
}

/// A handle.
///
/// # Safety
///
/// The caller's promise: it is null, or was made by [`give`] and not taken back, and nobody else
/// uses it.
pub(super) unsafe fn handle<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T> {
    if !is_good(pointer) {
        return Err(refused(what));
    }
    // SAFETY: it is not null and aligned; that it is alive and ours alone is the caller's promise.
    Ok(unsafe { &mut *pointer })
}

/// What the caller hands over to be read.
///
/// # Safety
///
/// The caller's promise: it is null, or has `count` elements that nobody changes meanwhile.
pub(super) unsafe fn input<'a, T>(pointer: *const T, count: usize, what: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if !is_good(pointer) || count > isize::MAX as usize / size_of::<T>() {
        return Err(refused(what));
    }
    // SAFETY: it is not null, aligned and no longer than memory; that so many elements are there,
    // and stay as they are, is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// Room that the caller lends to be filled.
///
/// # Safety
///
/// The caller's promise: it is null, or has `room` elements that nobody else uses meanwhile, and
/// any bytes are a `T`.
pub(super) unsafe fn output<'a, T: bytemuck::Pod>(
    pointer: *mut T,
    room: usize,
    what: &str,
) -> Result<&'a mut [T]> {
    if !is_good(pointer) || room == 0 || room > isize::MAX as usize / size_of::<T>() {
        return Err(refused(what));
    }
    // SAFETY: as for `input`; what C did not write to is still memory of the caller's, and any
    // bytes are a `T`. Zeros are written first, so that none is read before it has a value.
    unsafe { pointer.write_bytes(0, room) };
    // SAFETY: the elements have just got values; that they are ours alone is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, room) })
}

/// A text that ends with a zero byte.
///
/// # Safety
///
/// The caller's promise: it is null, or a text that ends so and that nobody changes meanwhile.
pub(super) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(refused(what));
    }
    // SAFETY: it is not null; that it ends with a zero byte is the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    let cure = "pass UTF-8 that ends with a zero byte";
    text.to_str().map_err(|_| Error::usage(format!("`{what}` is no UTF-8"), cure))
}

/// Gives a new handle to the caller, in `out`.
///
/// # Safety
///
/// The caller's promise: `out` is null, or has room for a pointer.
pub(super) unsafe fn give<T>(out: *mut *mut T, value: T) -> Result<()> {
    if !is_good(out) {
        return Err(refused("out"));
    }
    // SAFETY: it is not null and aligned; that there is room is the caller's promise. What was
    // there is not read or dropped.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Takes a handle back and drops it; null is none.
///
/// # Safety
///
/// The caller's promise: it is null, or was made by [`give`] and not taken back.
pub(super) unsafe fn take_back<T>(pointer: *mut T) {
    if is_good(pointer) {
        // SAFETY: it was made by `Box::into_raw`, and is not used again: the caller's promise.
        drop(unsafe { Box::from_raw(pointer) });
    }
}
