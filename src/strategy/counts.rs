//! What a trader counts.

use crate::error::Result;
use crate::event::{Execution, ExecutionKind, RejectCounts};
use crate::state::{StateReader, StateWriter};

/// What a trader did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraderCounts {
    /// New orders that the strategy sent.
    pub submitted: u64,
    /// Orders that the venue accepted.
    pub accepted: u64,
    /// Commands that risk gate or venue rejected.
    pub rejected: u64,
    /// The same by reason.
    pub rejects: RejectCounts,
    /// Fills.
    pub fills: u64,
    /// Orders cancelled.
    pub cancelled: u64,
    /// Orders replaced.
    pub replaced: u64,
    /// Orders that expired at the end.
    pub expired: u64,
    /// Events whose turn ended before all commands that were due had arrived.
    pub postponed: u64,
}

impl TraderCounts {
    /// Counts an execution.
    pub(crate) fn note(&mut self, execution: &Execution) {
        let counter = match execution.kind() {
            Some(ExecutionKind::Accepted) => &mut self.accepted,
            Some(ExecutionKind::Rejected) => {
                self.rejects.note(execution.reason());
                &mut self.rejected
            }
            Some(ExecutionKind::Filled) => &mut self.fills,
            Some(ExecutionKind::Cancelled) => &mut self.cancelled,
            Some(ExecutionKind::Replaced) => &mut self.replaced,
            Some(ExecutionKind::Expired) => &mut self.expired,
            _ => return,
        };
        *counter += 1;
    }

    fn fields(&mut self) -> impl Iterator<Item = &mut u64> {
        let Self {
            submitted,
            accepted,
            rejected,
            fills,
            cancelled,
            replaced,
            expired,
            postponed,
            ..
        } = self;
        let one_by_one =
            [submitted, accepted, rejected, fills, cancelled, replaced, expired, postponed];
        one_by_one.into_iter().chain(&mut self.rejects.by_reason)
    }

    /// Writes the counts.
    pub(crate) fn save(mut self, writer: &mut StateWriter) {
        self.fields().for_each(|count| writer.put_u64(*count));
    }

    /// Reads what [`save`](Self::save) wrote.
    pub(crate) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut counts = Self::default();
        for count in counts.fields() {
            *count = reader.u64()?;
        }
        Ok(counts)
    }
}
