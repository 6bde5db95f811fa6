//! Memory maps: the one place where files become slices.
//!
//! This file is one of the few that may use `unsafe`: mapping a file is unsafe because another
//! process may change or truncate it under the map.
#![allow(unsafe_code)]

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// Maps a whole file for reading.
///
/// # Errors
///
/// The operating system's, with the path; an empty file gives an empty slice, not an error.
pub fn map_for_reading(file: &File, path: &Path) -> Result<Mmap> {
    // SAFETY: the map is read only. A file that shrinks under it raises SIGBUS, which ends the
    // process; a file that changes gives other bytes, which every reader checks anyway.
    unsafe { Mmap::map(file) }.map_err(|source| Error::io("map", path, source))
}
