//! The portfolio agent: follows the execution ring.

use super::stats::{AccountingOutcome, Handover, hand_over};
use crate::error::Result;
use crate::event::Execution;
use crate::limits::BATCH_RECORDS_MAX;
use crate::portfolio::Portfolio;
use crate::ring::Consumer;
use crate::runtime::{Agent, StageMeter};
use crate::units::Nanos;

/// Name of the agent.
pub(super) const PORTFOLIO: &str = "portfolio";

/// The portfolio agent.
pub(super) struct Accounting {
    executions: Consumer<Execution>,
    portfolio: Portfolio,
    audits: bool,
    audited: u64,
    meter: StageMeter,
    handover: Handover<AccountingOutcome>,
}

impl Accounting {
    /// An agent that checks the audit identity after every record when `audits` is set.
    pub(super) fn new(
        executions: Consumer<Execution>,
        portfolio: Portfolio,
        audits: bool,
        handover: Handover<AccountingOutcome>,
    ) -> Self {
        Self { executions, portfolio, audits, audited: 0, meter: StageMeter::new(), handover }
    }
}

impl Agent for Accounting {
    fn name(&self) -> &str {
        PORTFOLIO
    }

    fn do_work(&mut self) -> Result<usize> {
        let batch = self.executions.poll(BATCH_RECORDS_MAX)?;
        for execution in batch.iter() {
            self.portfolio.apply(execution)?;
            if self.audits {
                self.portfolio.audit()?;
                self.audited += 1;
            }
            self.meter.note(execution.ts_ingest);
        }
        Ok(batch.len())
    }

    fn completed(&mut self, now: Nanos) {
        self.meter.complete(now);
    }

    fn is_done(&self) -> bool {
        self.executions.is_finished()
    }

    fn fail(&mut self, cause: &str) {
        let position = self.executions.position();
        self.executions.fail(position, cause);
    }

    fn finish(&mut self) {
        let outcome = AccountingOutcome {
            rows: self.portfolio.rows(),
            hash: self.portfolio.hash(),
            audits: self.audited,
            latency: std::mem::take(&mut self.meter),
        };
        hand_over(&self.handover, outcome);
    }
}
