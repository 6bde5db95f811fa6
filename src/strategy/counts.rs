//! What a trader counts.

use crate::error::Result;
use crate::event::{Execution, ExecutionKind};
use crate::state::{StateReader, StateWriter};

/// What a trader did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraderCounts {
    /// New orders that the strategy sent.
    pub submitted: u64,
    /// Orders that the venue accepted.
    pub accepted: u64,
    /// Commands that the venue rejected.
    pub rejected: u64,
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
            Some(ExecutionKind::Rejected) => &mut self.rejected,
            Some(ExecutionKind::Filled) => &mut self.fills,
            Some(ExecutionKind::Cancelled) => &mut self.cancelled,
            Some(ExecutionKind::Replaced) => &mut self.replaced,
            Some(ExecutionKind::Expired) => &mut self.expired,
            _ => return,
        };
        *counter += 1;
    }

    fn fields(self) -> [u64; 8] {
        let Self { submitted, accepted, rejected, fills, cancelled, replaced, expired, postponed } =
            self;
        [submitted, accepted, rejected, fills, cancelled, replaced, expired, postponed]
    }

    /// Writes the counts.
    pub(crate) fn save(self, writer: &mut StateWriter) {
        self.fields().into_iter().for_each(|count| writer.put_u64(count));
    }

    /// Reads what [`save`](Self::save) wrote.
    pub(crate) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        Ok(Self {
            submitted: reader.u64()?,
            accepted: reader.u64()?,
            rejected: reader.u64()?,
            fills: reader.u64()?,
            cancelled: reader.u64()?,
            replaced: reader.u64()?,
            expired: reader.u64()?,
            postponed: reader.u64()?,
        })
    }
}
