//! What a run has to tell: the report made of its agents' outcomes.

use super::collector::SnapshotReport;
use super::config::Gate;
use super::explain::Chapter;
use super::gateway::GatewayReport;
use super::hashes::{HashPoint, Hashes};
use super::journals::Resumed;
use super::kept::{FillRecord, KeptExecutions};
use super::names::{JOURNAL_STAGE, MATCHING, PORTFOLIO, RING_STAGE, TICK_TO_FILL, TICK_TO_ORDER};
use super::outcomes::{
    AccountingOutcome, Handover, IntakeOutcome, MatchingOutcome, RecordingOutcome, StrategyReport,
    take,
};
use super::trail::completed;
use crate::book::{ReplicaCounts, Totals};
use crate::error::{Error, Result};
use crate::feed::{Checks, Description};
use crate::journal::{Durability, Summary};
use crate::matching::proof::MatchingCheck;
use crate::portfolio::{AccountTotal, PositionRow};
use crate::runtime::{Meter, Plan, RunnerReport, StageMeter};
use crate::strategy::TraderCounts;
use crate::units::Nanos;

/// Where the agents leave what they have to tell.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) intake: Handover<IntakeOutcome>,
    pub(super) matching: Handover<MatchingOutcome>,
    pub(super) accounting: Handover<AccountingOutcome>,
    /// `None` without a gateway.
    pub(super) gateway: Option<Handover<GatewayReport>>,
    /// How the journals were kept.
    pub(super) durability: Durability,
    pub(super) gate: Gate,
    /// What became of snapshots; `None` when there were to be none.
    pub(super) snapshots: Option<SnapshotReport>,
    /// What the user should know of the journals.
    pub(super) warnings: Vec<String>,
    /// What was taken up; `None` in a run that started from the beginning.
    pub(super) resumed: Option<Resumed>,
    /// Market and execution journal; `None` without journals.
    pub(super) recording: Option<[Handover<RecordingOutcome>; 2]>,
}

/// The latency of one stage from intended time to its effect.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// The stage; `ring` is the feed handler's publication, `tick_to_order` the time from the
    /// record that completed an exchange event to the publication of the orders sent in answer,
    /// `tick_to_fill` that to the first fill of each of them at a real venue, as the strategy has
    /// heard of it.
    pub name: &'static str,
    /// Latencies and batch lengths.
    pub latency: StageMeter,
}

/// What a run wrote to its journals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// The market journal.
    pub market: Summary,
    /// The execution journal.
    pub executions: Summary,
    /// Times that a writer had to wait for space to be prepared.
    pub stalls: u64,
    /// What was done for records to survive.
    pub durability: Durability,
    /// What matching waited for.
    pub gate: Gate,
}

/// Everything a finished run has to tell.
#[derive(Debug)]
pub struct RunReport {
    /// What was replayed.
    pub feed: Description,
    /// What the feed counted and checked.
    pub checks: Checks,
    /// Records that went over the market ring, with those before the snapshot from which a run went
    /// on.
    pub records: u64,
    /// Messages before the run began, of which books were built and nothing else was done.
    pub messages_before: u64,
    /// Records of symbols that were not wanted.
    pub filtered: u64,
    /// Wanted symbols that the feed never defined.
    pub missing_symbols: Vec<String>,
    /// Commands that came through the inbox.
    pub commands: u64,
    /// Size of the books at the end.
    pub totals: Totals,
    /// What the replica counted.
    pub counts: ReplicaCounts,
    /// Orders and fills of the strategy.
    pub trades: TraderCounts,
    /// The strategies, in the order of their accounts.
    pub strategies: Vec<StrategyReport>,
    /// Every fill in its order, if they were to be kept.
    pub fill_log: Vec<FillRecord>,
    /// The story of the order that was to be explained; `None` when none was.
    pub story: Option<Vec<Chapter>>,
    /// Records that went over the execution ring.
    pub executions: u64,
    /// What holding the matching engine against the feed found; `None` when it was not asked for.
    pub check_matching: Option<MatchingCheck>,
    /// Positions and money.
    pub portfolio: Vec<PositionRow>,
    /// Sums by account and currency.
    pub accounts: Vec<AccountTotal>,
    /// Times that the audit identity was checked and held, from
    /// [`first_execution`](Self::first_execution) on.
    pub audits: u64,
    /// Executions that were kept for a report; `None` when none were to be.
    pub kept: Option<KeptExecutions>,
    /// Hashes of the state.
    pub hashes: Hashes,
    /// Hashes along the way, if they were to be recorded.
    pub trail: Vec<HashPoint>,
    /// Time from the start of the first agent to the end of the last.
    pub wall: Nanos,
    /// Time from the first published event to the last handled one, in whichever stage.
    ///
    /// Opening and closing the journals lies outside.
    pub flow: Nanos,
    /// Time from the start to the first published event.
    pub first_event: Option<Nanos>,
    /// Whether the replay was paced; if not, latencies are those of a saturated engine.
    pub is_paced: bool,
    /// Latency by stage, in pipeline order.
    pub stages: Vec<StageReport>,
    /// The plan as made.
    pub plan: Plan,
    /// The runners, in the order of the plan.
    pub runners: Vec<RunnerReport>,
    /// What was journaled; `None` without a journal.
    pub journal: Option<JournalReport>,
    /// What became of the gateway to a real venue; `None` without one.
    pub gateway: Option<GatewayReport>,
    /// What became of snapshots; `None` when none were asked for or they are impossible.
    pub snapshots: Option<SnapshotReport>,
    /// What the run took up; `None` when it started from the beginning.
    pub resumed: Option<Resumed>,
    /// Findings of strategy, venue and journals.
    pub trader_warnings: Vec<String>,
    /// Whether the user stopped the run.
    pub interrupted: bool,
    /// What ended the run before the feed did; `None` when all went well.
    pub error: Option<Error>,
}

/// What a report is made of.
pub(super) struct RunParts {
    pub(super) plan: Plan,
    pub(super) runners: Vec<RunnerReport>,
    pub(super) outcomes: Outcomes,
    pub(super) started: Nanos,
    pub(super) wall: Nanos,
    pub(super) is_paced: bool,
}

impl RunReport {
    pub(super) fn new(mut parts: RunParts) -> Self {
        let intake = take(parts.outcomes.intake);
        let matching = take(parts.outcomes.matching);
        let accounting = take(parts.outcomes.accounting);
        let recording = parts.outcomes.recording.map(|journals| journals.map(take));
        let mut error = root_cause(&mut parts.runners).or(intake.error);
        let (durability, gate) = (parts.outcomes.durability, parts.outcomes.gate);
        let (journal, journal_latency) = match recording {
            Some(outcomes) => {
                let (report, latency) = journal_report(outcomes, durability, gate, &mut error);
                (Some(report), Some(latency))
            }
            None => (None, None),
        };
        let stages = stages([
            (RING_STAGE, Some(intake.latency)),
            (JOURNAL_STAGE, journal_latency),
            (MATCHING, Some(matching.latency)),
            (TICK_TO_ORDER, matching.tick_to_order),
            (TICK_TO_FILL, matching.tick_to_fill),
            (PORTFOLIO, Some(accounting.latency)),
        ]);
        let last = stages.iter().filter_map(|stage| stage.latency.last()).max();
        let flow =
            last.zip(intake.first_published).map(|(last, first)| last.0.saturating_sub(first.0));
        Self {
            feed: intake.description,
            checks: intake.checks,
            records: intake.records,
            messages_before: intake.messages_before,
            filtered: intake.filtered,
            commands: intake.commands,
            missing_symbols: intake.missing_symbols,
            totals: matching.totals,
            counts: matching.counts,
            trades: matching.trades,
            strategies: matching.strategies,
            fill_log: accounting.fills,
            story: matching.story,
            executions: matching.executions,
            check_matching: matching.check,
            portfolio: accounting.rows,
            accounts: accounting.totals,
            audits: accounting.audits,
            kept: accounting.kept,
            hashes: Hashes {
                books: matching.books_hash,
                orders: matching.orders_hash,
                portfolio: accounting.hash,
            },
            trail: completed(matching.trail, &accounting.trail),
            wall: parts.wall,
            flow: Nanos(flow.unwrap_or(0)),
            first_event: intake.first_published.map(|at| Nanos(at.0 - parts.started.0)),
            is_paced: parts.is_paced,
            stages,
            plan: parts.plan,
            runners: parts.runners,
            journal,
            gateway: parts.outcomes.gateway.map(|gateway| GatewayReport {
                differences: matching.differences,
                ..take(gateway)
            }),
            snapshots: parts.outcomes.snapshots.map(|snapshots| SnapshotReport {
                skipped: matching.snapshots_skipped,
                longest_pause_ns: matching.longest_pause_ns,
                ..snapshots
            }),
            resumed: parts.outcomes.resumed,
            trader_warnings: [matching.warnings, parts.outcomes.warnings].concat(),
            interrupted: intake.interrupted,
            error,
        }
    }

    /// Sequence of the first execution that came out in this run; not 0 where it went on from a
    /// snapshot.
    pub fn first_execution(&self) -> u64 {
        let resumed = self.resumed.as_ref().and_then(|resumed| resumed.snapshot.as_ref());
        resumed.map_or(0, |snapshot| snapshot.executions)
    }

    /// Messages of the feed per second of [`flow`](Self::flow), those before a snapshot aside.
    pub fn messages_per_second(&self) -> u64 {
        let flow = u128::from(self.flow.0.max(1));
        let resumed = self.resumed.as_ref().and_then(|resumed| resumed.snapshot.as_ref());
        let before = resumed.map_or(0, |snapshot| snapshot.messages).max(self.messages_before);
        let messages = self.checks.messages.saturating_sub(before);
        (u128::from(messages) * 1_000_000_000 / flow) as u64
    }

    /// The machine's own hiccups, by runner: what events at the run's rate would have waited for
    /// it in its idle duty cycles. Percentiles of latencies are read beside theirs.
    pub fn hiccups(&self) -> Vec<Meter> {
        let rate = self.messages_per_second();
        self.runners.iter().map(|runner| runner.gaps.waits_at_rate(rate)).collect()
    }
}

/// What both journals hold, and the latency of the market's; a failure to close one is the error
/// unless there was another.
fn journal_report(
    [market, executions]: [RecordingOutcome; 2],
    durability: Durability,
    gate: Gate,
    error: &mut Option<Error>,
) -> (JournalReport, StageMeter) {
    let mut summary = |outcome: Option<Result<Summary>>| match outcome {
        Some(Ok(summary)) => summary,
        Some(Err(failed)) => {
            error.get_or_insert(failed);
            Summary::default()
        }
        None => Summary::default(),
    };
    let report = JournalReport {
        market: summary(market.closed),
        executions: summary(executions.closed),
        stalls: market.stalls + executions.stalls,
        durability,
        gate,
    };
    (report, market.latency)
}

/// The stages that a run had, in pipeline order.
fn stages(all: [(&'static str, Option<StageMeter>); 6]) -> Vec<StageReport> {
    let had = all.into_iter().filter_map(|(name, latency)| Some((name, latency?)));
    had.map(|(name, latency)| StageReport { name, latency }).collect()
}

/// The failure that the others follow from: the first that is not about another stage's failure.
fn root_cause(runners: &mut [RunnerReport]) -> Option<Error> {
    let is_consequence = |error: &Error| {
        matches!(error, Error::ConsumerFailed { .. } | Error::UpstreamFailed { .. })
    };
    let mut failures: Vec<_> =
        runners.iter_mut().flat_map(|runner| runner.failures.drain(..)).collect();
    failures.sort_by_key(|failure| is_consequence(&failure.error));
    failures.into_iter().next().map(|failure| failure.error)
}
