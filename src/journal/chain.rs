//! The segments of a directory as one journal.
//!
//! ```text
//!   epoch 0        epoch 0        epoch 0             epoch 1
//!   | 0 ... 999 |  | 1000 ... |   | 2000 . 2345 ~~ |  | 2346 ...
//!                                              torn    begins where the torn tail did
//! ```
//!
//! Within an epoch a segment begins where the one before it is full. An epoch begins with a segment
//! of its own at any sequence behind the first of the segment before it: whatever that one holds
//! from there on counts no more. While segments behind such a place are cleared away, a file notes
//! where that is, and the journal ends there.

use std::io;
use std::path::Path;

use super::directory::{begun_cut, list_segments, segment_path};
use super::format::SegmentHeader;
use super::segment::{Opening, Segment, bad, read_header};
use crate::error::{Error, Result};

/// Segments in use, in order, without a gap.
#[derive(Debug)]
pub(super) struct Chain {
    links: Vec<Link>,
    /// The first sequences in the names of all segments there were, prepared ones included.
    named: Vec<u64>,
    /// Where the journal ends, because it is being cut there.
    cut: Option<u64>,
    /// Whether an epoch is about to begin: its segment is there and not in use.
    awaits_epoch: bool,
}

/// A segment in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) start: u64,
    pub(super) epoch: u64,
}

impl Chain {
    /// Looks at the segments whose names are below `until` and checks that they are one journal.
    pub(super) fn look(dir: &Path, until: u64) -> Result<Self> {
        Self::look_if_any(dir, until)?.ok_or_else(|| {
            Error::usage(
                format!("`{}` holds no journal", dir.display()),
                "name the directory that holds the `.tape` files",
            )
        })
    }

    /// As [`look`](Self::look); `None` where there is no segment, as for the moment in which a
    /// recovery replaces the only one.
    pub(super) fn look_if_any(dir: &Path, until: u64) -> Result<Option<Self>> {
        match Self::try_look(dir, until) {
            // A writer that closed or recovered meanwhile has removed a segment.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::try_look(dir, until)
            }
            looked => looked,
        }
    }

    fn try_look(dir: &Path, until: u64) -> Result<Option<Self>> {
        let cut = begun_cut(dir)?;
        let end = cut.map_or(until, |cut| cut.min(until));
        let mut listed = list_segments(dir)?;
        listed.retain(|&(start, _)| start < end);
        let Some((_, last)) = listed.last() else { return Ok(None) };
        let mut links: Vec<Link> = Vec::with_capacity(listed.len());
        let mut before: Option<SegmentHeader> = None;
        for (named, path) in &listed {
            let header = read_header(path)?;
            check_name(dir, *named, &header, path)?;
            if let Some(before) = &before {
                check_neighbours(before, &header, path)?;
            }
            links.push(Link { start: *named, epoch: header.epoch });
            before = Some(header);
        }
        let mut awaits_epoch = false;
        if let [.., before, prepared] = links[..]
            && Segment::open(last)?.opening()? == Opening::Prepared
        {
            awaits_epoch = prepared.epoch > before.epoch;
            links.pop();
        }
        let named = listed.into_iter().map(|(start, _)| start).collect();
        Ok(Some(Self { links, named, cut, awaits_epoch }))
    }

    /// Whether other segments are there, or may be in use, than when this was looked at.
    pub(super) fn has_changed(&self, dir: &Path, until: u64) -> Result<bool> {
        if self.awaits_epoch {
            return Ok(true);
        }
        let cut = begun_cut(dir)?;
        let end = cut.map_or(until, |cut| cut.min(until));
        let listed = list_segments(dir)?;
        let now = listed.iter().map(|&(start, _)| start).filter(|&start| start < end);
        Ok(cut != self.cut || !now.eq(self.named.iter().copied()))
    }

    pub(super) fn first_sequence(&self) -> u64 {
        self.links[0].start
    }

    /// Segments in use.
    pub(super) fn segments(&self) -> u64 {
        self.links.len() as u64
    }

    pub(super) fn last(&self) -> Link {
        self.links[self.links.len() - 1]
    }

    /// The segment that `sequence` belongs to, if the journal begins before it.
    pub(super) fn holding(&self, sequence: u64) -> Option<Link> {
        let behind = self.links.partition_point(|link| link.start <= sequence);
        behind.checked_sub(1).map(|index| self.links[index])
    }

    /// The segments from the one that begins at `start` on.
    pub(super) fn from(&self, start: u64) -> impl Iterator<Item = Link> {
        self.links.iter().copied().filter(move |link| link.start >= start)
    }

    /// The segment after that of `header`.
    pub(super) fn after(&self, header: &SegmentHeader) -> Option<Link> {
        self.from(header.first_sequence + 1).next()
    }

    /// Where the segment of `header` ends because a later epoch begins there, or is about to.
    pub(super) fn superseded_at(&self, header: &SegmentHeader) -> Option<u64> {
        match self.after(header) {
            Some(next) => (next.epoch > header.epoch).then_some(next.start),
            None => {
                self.cut.filter(|cut| cut - header.first_sequence <= header.geometry().records())
            }
        }
    }
}

/// Checks that a segment's name is that of its header.
fn check_name(dir: &Path, named: u64, header: &SegmentHeader, path: &Path) -> Result<()> {
    if header.first_sequence == named {
        return Ok(());
    }
    let own = segment_path(dir, header.first_sequence);
    let what = format!("the segment begins at sequence {}", header.first_sequence);
    let cure = match read_header(&own) {
        Ok(other) if other == *header => {
            format!("it is a copy: `ringtape journal repair DIR --drop-segment {named}`")
        }
        _ => "give it back its name".to_owned(),
    };
    Err(bad(path, 112, what, cure))
}

/// Checks that one segment's header can follow another's.
pub(super) fn check_neighbours(
    before: &SegmentHeader,
    header: &SegmentHeader,
    path: &Path,
) -> Result<()> {
    if header.journal_id != before.journal_id
        || header.schema_name != before.schema_name
        || header.schema_hash != before.schema_hash
        || header.slot_bytes != before.slot_bytes
    {
        let what = "the segment belongs to another journal";
        return Err(bad(path, 88, what, "move it to the directory of its own journal"));
    }
    let missing = header.segment_number.wrapping_sub(before.segment_number).wrapping_sub(1);
    if missing != 0 {
        let what = format!(
            "segment {} follows segment {}, which begins at sequence {}",
            header.segment_number, before.segment_number, before.first_sequence
        );
        return Err(bad(path, 104, what, "restore the missing segments from a copy"));
    }
    let behind = header.first_sequence.checked_sub(before.first_sequence);
    let follows = behind.is_some_and(|records| records <= before.geometry().records());
    if !follows || header.epoch < before.epoch {
        let what = "the segment does not continue the one before it";
        return Err(bad(path, 112, what, RESTORE));
    }
    Ok(())
}

/// What to do about damage.
pub(super) const RESTORE: &str =
    "restore the segment from a copy, or see `ringtape journal repair`; what is before can be read";
