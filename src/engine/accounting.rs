//! The portfolio agent: follows the execution ring.

use super::kept::Keeper;
use super::run_state::{PORTFOLIO_SECTION, portfolio_section};
use super::snapshots::{Part, Sink};
use super::stats::{AccountingOutcome, Handover, hand_over};
use crate::error::Result;
use crate::event::{Execution, ExecutionKind};
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
    is_audited: bool,
    audits: u64,
    /// Where the portfolio goes at the marks of snapshots.
    sink: Option<Sink>,
    keeper: Keeper,
    meter: StageMeter,
    handover: Handover<AccountingOutcome>,
}

impl Accounting {
    pub(super) fn new(
        executions: Consumer<Execution>,
        (portfolio, audits): (Portfolio, u64),
        sink: Option<Sink>,
        keeper: Keeper,
        handover: Handover<AccountingOutcome>,
    ) -> Self {
        Self {
            executions,
            is_audited: portfolio.config().audit,
            portfolio,
            audits,
            sink,
            keeper,
            meter: StageMeter::new(),
            handover,
        }
    }
}

impl Agent for Accounting {
    fn name(&self) -> &str {
        PORTFOLIO
    }

    fn do_work(&mut self) -> Result<usize> {
        let batch = self.executions.poll(BATCH_RECORDS_MAX)?;
        for execution in batch.iter() {
            self.keeper.note(execution);
            self.portfolio.apply(execution)?;
            let is_checked =
                matches!(execution.kind(), Some(ExecutionKind::Filled | ExecutionKind::Quote));
            self.audits += u64::from(self.is_audited && is_checked);
            if execution.kind() == Some(ExecutionKind::SnapshotMark)
                && let Some(sink) = self.sink.as_ref().filter(|sink| sink.is_at(execution.order_id))
            {
                let bytes = portfolio_section(&self.portfolio, self.audits);
                sink.section(execution.order_id, PORTFOLIO_SECTION, bytes);
                sink.done(execution.order_id, Part::Portfolio);
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
        self.sink = None;
        let outcome = AccountingOutcome {
            rows: self.portfolio.rows(),
            hash: self.portfolio.hash(),
            totals: self.portfolio.totals(),
            audits: self.audits,
            kept: std::mem::replace(&mut self.keeper, Keeper::new(0)).into_kept(),
            latency: std::mem::take(&mut self.meter),
        };
        hand_over(&self.handover, outcome);
    }
}
