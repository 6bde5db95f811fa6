//! What was found when a run's journals were read back.

use crate::journal::VerifyReport;

/// The journals of a run after its end, read back record by record.
#[derive(Clone, Debug)]
pub struct JournalCheck {
    /// Directory of the run.
    pub path: String,
    /// The market journal; `None` when it does not hold what was written.
    pub market: Option<VerifyReport>,
    /// The execution journal; `None` when it does not hold what was written.
    pub executions: Option<VerifyReport>,
}

impl JournalCheck {
    /// Whether both journals hold, undamaged and closed, all that was written.
    pub fn is_verified(&self) -> bool {
        self.market.is_some() && self.executions.is_some()
    }
}
