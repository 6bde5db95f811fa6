//! Segments in memory that fail on demand: what a disk does to a journal, at any moment.
//!
//! Each segment is kept twice, as readers see it and as the disk has it. A killed process leaves
//! the first; a power cut leaves the second and, of what was not forced out, any sectors whatever.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::directory::segment_path;
use super::format::SegmentHeader;
use super::storage::{Backend, Pending, Storage, Store, locked};
use crate::error::{Error, Result};
use crate::limits::SEGMENT_HEADER_BYTES;

/// Bytes that reach a disk together or not at all.
const SECTOR_BYTES: usize = 512;

/// What goes wrong, and after how many operations of its kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Segments that can be made before the disk is full.
    pub(super) segments: Option<usize>,
    /// Writes that succeed before one finds the disk full.
    pub(super) writes: Option<usize>,
    /// Syncs that succeed before one fails; only one does.
    pub(super) syncs: Option<usize>,
    /// Bytes that a write takes at most.
    pub(super) write_bytes_max: Option<usize>,
}

/// A disk in memory.
#[derive(Debug)]
pub(super) struct MemoryDisk {
    segments: Mutex<BTreeMap<PathBuf, Arc<Segment>>>,
    faults: Arc<Mutex<Faults>>,
    /// How often a segment was forced out.
    syncs: Arc<AtomicUsize>,
    /// Whether what is published waits for a write, as with `pwrite`.
    is_buffered: bool,
}

#[derive(Debug)]
struct Segment {
    /// As readers see it.
    seen: Mutex<Vec<u8>>,
    /// As the disk has it.
    stored: Mutex<Vec<u8>>,
    pending: Mutex<Pending>,
    is_buffered: bool,
    faults: Arc<Mutex<Faults>>,
    syncs: Arc<AtomicUsize>,
}

/// A file as a crash left it.
pub(super) type Image = (PathBuf, Vec<u8>);

impl MemoryDisk {
    pub(super) fn new(is_buffered: bool, faults: Faults) -> Arc<Self> {
        let (segments, faults) = (Mutex::default(), Arc::new(Mutex::new(faults)));
        Arc::new(Self { segments, faults, syncs: Arc::default(), is_buffered })
    }

    /// How often a segment was forced out so far.
    pub(super) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Changes what goes wrong from now on.
    pub(super) fn set_faults(&self, faults: Faults) {
        *locked(&self.faults) = faults;
    }

    /// The files that a killed process leaves.
    pub(super) fn after_kill(&self) -> Vec<Image> {
        let segments = locked(&self.segments);
        segments.iter().map(|(path, one)| (path.clone(), locked(&one.seen).clone())).collect()
    }

    /// The files that a power cut leaves; `keeps` is asked for each sector that was not forced out.
    pub(super) fn after_power_cut(&self, mut keeps: impl FnMut() -> bool) -> Vec<Image> {
        let segments = locked(&self.segments);
        let mut image = |one: &Segment| {
            let (seen, mut left) = (locked(&one.seen), locked(&one.stored).clone());
            let sectors = left.chunks_mut(SECTOR_BYTES).zip(seen.chunks(SECTOR_BYTES));
            for (stored, seen) in sectors.filter(|(stored, seen)| stored != seen) {
                if keeps() {
                    stored.copy_from_slice(seen);
                }
            }
            left
        };
        segments.iter().map(|(path, one)| (path.clone(), image(one))).collect()
    }
}

/// Writes files as they were left into `dir`, in another boot if `rebooted`.
pub(super) fn restore(images: &[Image], dir: &Path, rebooted: bool) {
    for (path, bytes) in images {
        let mut head = [0; SEGMENT_HEADER_BYTES];
        head.copy_from_slice(&bytes[..SEGMENT_HEADER_BYTES]);
        if rebooted {
            let header = SegmentHeader::decode(&head).expect("headers are on the disk");
            let opening = head[SEGMENT_HEADER_BYTES - 8..].to_vec();
            head = SegmentHeader { boot_id: [7; 16], ..header }.encode();
            head[SEGMENT_HEADER_BYTES - 8..].copy_from_slice(&opening);
        }
        let file = File::create(dir.join(path.file_name().expect("a name"))).expect("space");
        file.set_len(bytes.len() as u64).expect("space");
        for (index, page) in bytes.chunks(4096).enumerate().skip(1) {
            if page.iter().any(|&byte| byte != 0) {
                file.write_all_at(page, index as u64 * 4096).expect("space");
            }
        }
        file.write_all_at(&head, 0).expect("space");
    }
}

/// Removes the segments of `dir`.
pub(super) fn clear(dir: &Path) {
    fs::remove_dir_all(dir).expect("a directory");
    fs::create_dir(dir).expect("a directory");
}

impl Backend for MemoryDisk {
    fn create(&self, dir: &Path, header: &SegmentHeader) -> Result<Store> {
        let path = segment_path(dir, header.first_sequence);
        let full = |source| Error::io("prepare segment", &path, source);
        take_one(&mut locked(&self.faults).segments).map_err(full)?;
        let mut bytes = vec![0; header.segment_bytes as usize];
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        let segment = Arc::new(Segment {
            stored: Mutex::new(bytes.clone()),
            seen: Mutex::new(bytes),
            pending: Mutex::default(),
            is_buffered: self.is_buffered,
            faults: Arc::clone(&self.faults),
            syncs: Arc::clone(&self.syncs),
        });
        locked(&self.segments).insert(path, Arc::clone(&segment));
        Ok(Store::Other(Box::new(segment)))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        locked(&self.segments).remove(path);
        Ok(())
    }

    fn sync(&self, path: &Path) -> Result<()> {
        let segment = locked(&self.segments).get(path).cloned().expect("a segment of this disk");
        let bytes = segment.bytes();
        Storage::sync(&segment, 0..bytes).map_err(|source| Error::io("sync", path, source))
    }

    fn find(&self, _path: &Path) -> Result<()> {
        Ok(())
    }
}

/// Counts an operation down to the one that finds the disk full, and every one after it.
fn take_one(left: &mut Option<usize>) -> io::Result<()> {
    match left {
        Some(0) => Err(io::ErrorKind::StorageFull.into()),
        Some(left) => {
            *left -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

impl Segment {
    fn bytes(&self) -> usize {
        locked(&self.seen).len()
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut faults = locked(&self.faults);
        take_one(&mut faults.writes)?;
        let count = faults.write_bytes_max.map_or(bytes.len(), |most| most.min(bytes.len()));
        let offset = offset as usize;
        locked(&self.seen)[offset..offset + count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }
}

impl Storage for Arc<Segment> {
    fn bytes(&self) -> usize {
        Segment::bytes(self)
    }

    fn publish(&self, offset: usize, commit: u64, words: &[[u8; 8]]) {
        if self.is_buffered {
            locked(&self.pending).add(offset, commit, words);
            return;
        }
        let mut seen = locked(&self.seen);
        let record = words.as_flattened();
        seen[offset + 8..offset + 8 + record.len()].copy_from_slice(record);
        seen[offset..offset + 8].copy_from_slice(&commit.to_le_bytes());
    }

    fn flush(&self) -> io::Result<()> {
        locked(&self.pending).write(|bytes, offset| self.write(bytes, offset))
    }

    fn sync(&self, range: Range<usize>) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let mut faults = locked(&self.faults);
        match &mut faults.syncs {
            Some(0) => {
                // As Linux does: it tells once, and the next sync succeeds.
                faults.syncs = None;
                return Err(io::Error::other("the disk failed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let seen = locked(&self.seen);
        locked(&self.stored)[range.clone()].copy_from_slice(&seen[range]);
        Ok(())
    }

    fn populate(&self, _range: Range<usize>) -> io::Result<()> {
        Ok(())
    }

    fn give_back(&self, _offset: usize) -> io::Result<()> {
        Ok(())
    }
}
