//! The portfolio agent: follows the execution ring.

use super::collector::{Part, Sink};
use super::kept::{FillLog, Keeper};
use super::names::PORTFOLIO;
use super::outcomes::{AccountingOutcome, Handover, hand_over};
use super::run_state::{PORTFOLIO_SECTION, portfolio_section};
use super::watch::ToldByPortfolio;
use crate::error::Result;
use crate::event::{Execution, ExecutionKind};
use crate::limits::BATCH_RECORDS_MAX;
use crate::portfolio::Portfolio;
use crate::ring::Consumer;
use crate::runtime::Agent;
use crate::units::Nanos;

/// The portfolio agent.
pub(super) struct Accounting {
    executions: Consumer<Execution>,
    portfolio: Portfolio,
    is_audited: bool,
    audits: u64,
    /// Where the portfolio goes at the marks of snapshots.
    sink: Option<Sink>,
    log: FillLog,
    told: ToldByPortfolio,
    handover: Handover<AccountingOutcome>,
}

/// What accounting is made of.
pub(super) struct AccountingParts {
    pub(super) executions: Consumer<Execution>,
    pub(super) portfolio: Portfolio,
    /// Where the portfolio goes at the marks of snapshots.
    pub(super) sink: Option<Sink>,
    /// What the report is to tell, with what was before a snapshot.
    pub(super) log: FillLog,
    pub(super) told: ToldByPortfolio,
    pub(super) handover: Handover<AccountingOutcome>,
}

impl Accounting {
    pub(super) fn new(parts: AccountingParts) -> Self {
        Self {
            executions: parts.executions,
            is_audited: parts.portfolio.config().audit,
            portfolio: parts.portfolio,
            audits: 0,
            sink: parts.sink,
            log: parts.log,
            told: parts.told,
            handover: parts.handover,
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
            if let Some(trail) = &mut self.told.trail {
                trail.before(execution.cause, &self.portfolio);
            }
            self.portfolio.apply(execution)?;
            let is_checked =
                matches!(execution.kind(), Some(ExecutionKind::Filled | ExecutionKind::Quote));
            self.audits += u64::from(self.is_audited && is_checked);
            self.log.note(execution, &self.portfolio);
            if execution.kind() == Some(ExecutionKind::SnapshotMark)
                && let Some(sink) = self.sink.as_ref().filter(|sink| sink.is_at(execution.order_id))
            {
                let bytes = portfolio_section(&self.portfolio);
                sink.section(execution.order_id, PORTFOLIO_SECTION, bytes);
                sink.done(execution.order_id, Part::Portfolio);
            }
            self.told.meter.note(execution.ts_ingest);
        }
        if self.told.show.as_mut().is_some_and(|show| show.show(&self.portfolio).is_err()) {
            self.told.show = None;
        }
        Ok(batch.len())
    }

    fn completed(&mut self, started: Nanos, now: Nanos) {
        self.told.meter.complete_since(started, now);
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
        let trail = self.told.trail.take().map(|trail| trail.finish(&self.portfolio));
        let FillLog { keeper, fills } = std::mem::take(&mut self.log);
        let outcome = AccountingOutcome {
            rows: self.portfolio.rows(),
            hash: self.portfolio.hash(),
            totals: self.portfolio.totals(),
            audits: self.audits,
            trail: trail.unwrap_or_default(),
            fills: fills.unwrap_or_default(),
            kept: keeper.map(Keeper::into_kept),
            latency: std::mem::take(&mut self.told.meter),
        };
        hand_over(&self.handover, outcome);
    }
}
