//! Which segments a journal can do without: copies, another journal's, one of no records.

use std::path::Path;

use super::directory::{list_segments, segment_path};
use super::format::SegmentHeader;
use super::segment::{Opening, Segment, read_header};
use crate::error::{Error, Result};

/// Refuses to take the segment at `path` out of the journal in `dir` if it alone holds its records;
/// `named` is the sequence in its name.
///
/// Of a damaged header nothing can be told, and of two segments in one place only the operator can
/// tell which is the journal's: either may go.
pub(super) fn check_droppable(dir: &Path, named: u64, path: &Path) -> Result<()> {
    let Ok(header) = read_header(path) else { return Ok(()) };
    let mut others = list_segments(dir)?;
    others.retain(|&(start, _)| start != named);
    let readable =
        others.iter().filter_map(|(start, path)| Some((*start, read_header(path).ok()?)));
    let own: Vec<_> = readable.filter(|(_, other)| other.journal_id == header.journal_id).collect();
    let is_foreign = own.is_empty() && !others.is_empty();
    if is_foreign || is_empty(path, &own, named) {
        return Ok(());
    }
    if header.first_sequence != named {
        let is_copy = own.iter().any(|(_, other)| *other == header);
        return refuse_unless(is_copy, path, || {
            let name = segment_path(dir, header.first_sequence);
            format!("give it back its name, {}", name.display())
        });
    }
    let is_contested = own.iter().any(|(start, other)| {
        // Others with a wrong name are not where they belong.
        other.first_sequence == *start
            && other.segment_number.cmp(&header.segment_number) != start.cmp(&named)
    });
    refuse_unless(is_contested, path, || {
        format!(
            "`--cut-at {named}` sets it aside with what follows it, `ringtape journal retain` \
             deletes old segments"
        )
    })
}

/// Whether a segment was made ahead and is not in use: the last one may be.
fn is_empty(path: &Path, own: &[(u64, SegmentHeader)], named: u64) -> bool {
    let is_last = own.iter().all(|&(start, _)| start < named);
    let is_prepared = || {
        let opening = Segment::open(path).and_then(|segment| segment.opening());
        matches!(opening, Ok(Opening::Prepared))
    };
    is_last && !own.is_empty() && is_prepared()
}

fn refuse_unless(may_go: bool, path: &Path, cure: impl FnOnce() -> String) -> Result<()> {
    match may_go {
        true => Ok(()),
        false => Err(Error::usage(
            format!("{} belongs to the journal and alone holds its records", path.display()),
            cure(),
        )),
    }
}
