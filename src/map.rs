//! Memory maps: the one place where files become memory, and where large arrays come from.
//!
//! This file is one of the few that may use `unsafe`: mapping a file is unsafe because another
//! process may change or truncate it under the map. Files that are written while others read them
//! ([`WriteMap`], [`ReadMap`]) are therefore touched by whole atomic words only: a reader may see
//! an old word or a new one, in any mixture, but never undefined behaviour; the journal's CRC tells
//! it whether the mixture is a record.
//!
//! A file that another process truncates raises SIGBUS at the next touch and ends the process.
#![allow(unsafe_code)]

mod huge;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{Advice, Mmap, MmapOptions, MmapRaw};

pub use huge::{HUGE_PAGE_BYTES, HugeArray};

use crate::error::{Error, Result};

/// Bytes of the words that [`WriteMap`] and [`ReadMap`] move.
pub const WORD_BYTES: usize = size_of::<u64>();

/// Bytes of the smallest page; touching one word in each populates a range on every machine.
const PAGE_BYTES: usize = 4096;

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

/// A whole file, mapped shared and writable, while other processes read it.
#[derive(Debug)]
pub struct WriteMap {
    map: MmapRaw,
}

impl WriteMap {
    /// Maps a file that is open for reading and writing, at the length that it has now.
    ///
    /// # Errors
    ///
    /// The operating system's, with the path.
    pub fn new(file: &File, path: &Path) -> Result<Self> {
        let map = MmapOptions::new().map_raw(file);
        Ok(Self { map: map.map_err(|source| Error::io("map", path, source))? })
    }

    /// Bytes of the map.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// Stores words from `offset` on, in any order.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map or `offset` is not a multiple of 8.
    #[inline]
    pub fn store(&self, offset: usize, words: &[[u8; WORD_BYTES]]) {
        for (to, word) in words_of(&self.map, offset, words.len()).iter().zip(words) {
            to.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
    }

    /// Stores the words of a record behind a commit word at `offset`, and the commit word last.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map or `offset` is not a multiple of 8.
    #[inline]
    pub fn publish(&self, offset: usize, commit: u64, words: &[[u8; WORD_BYTES]]) {
        let slot = words_of(&self.map, offset, words.len() + 1);
        for (to, word) in slot[1..].iter().zip(words) {
            to.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        // SYNC: pairs with the fence in `ReadMap::load_acquire`: who sees the commit word sees the
        // record, and everything that was published before it.
        slot[0].store(commit, Ordering::Release);
    }

    /// Makes the pages of a range present and writable, so that no later store faults.
    ///
    /// # Errors
    ///
    /// What would have been a SIGBUS at the store: no space, or a failing disk.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map.
    pub fn populate(&self, offset: usize, bytes: usize) -> io::Result<()> {
        match self.map.advise_range(Advice::PopulateWrite, offset, bytes) {
            // Linux before 5.14 does not know the advice.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.touch(offset, bytes);
                Ok(())
            }
            done => done,
        }
    }

    /// Forces a range to the disk, with nothing else of the file.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn sync(&self, range: Range<usize>) -> io::Result<()> {
        self.map.flush_range(range.start, range.len())
    }

    /// Faults every page of a range in by writing to it what it holds.
    fn touch(&self, offset: usize, bytes: usize) {
        for page in words_of(&self.map, offset, bytes / WORD_BYTES).chunks(PAGE_BYTES / WORD_BYTES)
        {
            // The exchange succeeds only where the word is zero, and then changes nothing; where it
            // fails someone has already written, so the page is there.
            let _ = page[0].compare_exchange(0, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// A whole file, mapped shared and read only, while another process writes it.
#[derive(Debug)]
pub struct ReadMap {
    map: MmapRaw,
}

impl ReadMap {
    /// Maps a file at the length that it has now.
    ///
    /// # Errors
    ///
    /// The operating system's, with the path.
    pub fn new(file: &File, path: &Path) -> Result<Self> {
        let map = MmapOptions::new().map_raw_read_only(file);
        Ok(Self { map: map.map_err(|source| Error::io("map", path, source))? })
    }

    /// Bytes of the map.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// Loads a commit word; what was published before it is visible afterwards.
    ///
    /// # Panics
    ///
    /// If the word is not inside the map or `offset` is not a multiple of 8.
    #[inline]
    pub fn load_acquire(&self, offset: usize) -> u64 {
        let word = words_of(&self.map, offset, 1)[0].load(Ordering::Relaxed);
        // SYNC: pairs with the Release store in `WriteMap::publish`. A fence and not an Acquire
        // load, because only relaxed loads are promised to work on memory mapped read only.
        fence(Ordering::Acquire);
        word
    }

    /// Loads words from `offset` on, in any order.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map or `offset` is not a multiple of 8.
    #[inline]
    pub fn load(&self, offset: usize, words: &mut [[u8; WORD_BYTES]]) {
        for (from, word) in words_of(&self.map, offset, words.len()).iter().zip(words) {
            *word = from.load(Ordering::Relaxed).to_ne_bytes();
        }
    }

    /// The offset of the first word in a range that is not zero.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map or its start is not a multiple of 8.
    pub fn find_nonzero(&self, range: Range<usize>) -> Option<usize> {
        let words = words_of(&self.map, range.start, range.len() / WORD_BYTES);
        let first = words.iter().position(|word| word.load(Ordering::Relaxed) != 0)?;
        Some(range.start + first * WORD_BYTES)
    }

    /// The offset of the last word in a range that is not zero.
    ///
    /// # Panics
    ///
    /// If the range is not inside the map or its start is not a multiple of 8.
    pub fn find_last_nonzero(&self, range: Range<usize>) -> Option<usize> {
        let words = words_of(&self.map, range.start, range.len() / WORD_BYTES);
        let last = words.iter().rposition(|word| word.load(Ordering::Relaxed) != 0)?;
        Some(range.start + last * WORD_BYTES)
    }
}

/// A part of a map as atomic words; the caller stores only into maps that are writable.
#[inline]
fn words_of(map: &MmapRaw, offset: usize, count: usize) -> &[AtomicU64] {
    let fits = map.len().checked_sub(offset).is_some_and(|left| count <= left / WORD_BYTES);
    assert!(fits && offset.is_multiple_of(WORD_BYTES), "words outside the map");
    // SAFETY: `offset` is inside the map, as was just checked.
    let first = unsafe { map.as_ptr().add(offset) };
    // SAFETY: the range is inside the map, which lives as long as the returned slice; a map starts
    // at a page, so a multiple of 8 is aligned; `AtomicU64` has the layout of `u64` and any bits
    // are one. All access of this process to such maps is through atomics; what other processes do
    // to the file is a change of values, which atomics allow.
    unsafe { std::slice::from_raw_parts(first.cast::<AtomicU64>(), count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_writing_map_publishes_a_reading_map_loads() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let path = Path::new("test");
        let (write, read) =
            (WriteMap::new(&file, path).unwrap(), ReadMap::new(&file, path).unwrap());
        write.populate(0, 8192).unwrap();
        write.touch(0, 8192);
        assert_eq!((read.bytes(), read.find_nonzero(0..8192)), (write.bytes(), None));
        write.publish(4096, 7, &[[1; 8], [2; 8]]);
        write.touch(0, 8192);
        assert_eq!((read.load_acquire(4096), read.find_nonzero(64..8192)), (7, Some(4096)));
        assert_eq!(read.find_last_nonzero(0..8192), Some(4112));
        let mut words = [[0; 8]; 2];
        read.load(4104, &mut words);
        assert_eq!(words, [[1; 8], [2; 8]]);
    }

    #[test]
    #[should_panic(expected = "words outside the map")]
    fn a_store_past_the_end_panics_before_it_touches_memory() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        WriteMap::new(&file, Path::new("test")).unwrap().store(4088, &[[0; 8]; 2]);
    }
}
