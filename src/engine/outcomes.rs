//! What agents have to tell when they end, and how it comes to the thread that joins the run.

use std::sync::{Arc, OnceLock};

use super::explain::Chapter;
use super::hashes::HashPoint;
use super::kept::{FillRecord, KeptExecutions};
use crate::book::{ReplicaCounts, Totals};
use crate::error::{Error, Result};
use crate::feed::{Checks, Description};
use crate::journal::Summary;
use crate::matching::proof::MatchingCheck;
use crate::portfolio::{AccountTotal, PositionRow};
use crate::runtime::StageMeter;
use crate::strategy::TraderCounts;
use crate::units::{AccountId, Nanos};

/// Where an agent leaves its outcome when it ends, for the thread that joins the run.
pub(super) type Handover<T> = Arc<OnceLock<T>>;

/// Leaves an outcome; an agent ends once, so a second one is dropped.
pub(super) fn hand_over<T>(handover: &Handover<T>, outcome: T) {
    let _ = handover.set(outcome);
}

/// Takes an outcome; the default when its agent never came to its end.
pub(super) fn take<T: Default>(handover: Handover<T>) -> T {
    Arc::into_inner(handover).and_then(OnceLock::into_inner).unwrap_or_default()
}

/// What the feed handler did.
#[derive(Debug, Default)]
pub(super) struct IntakeOutcome {
    pub(super) description: Description,
    pub(super) checks: Checks,
    pub(super) records: u64,
    pub(super) filtered: u64,
    /// Messages before the run began.
    pub(super) messages_before: u64,
    pub(super) commands: u64,
    pub(super) missing_symbols: Vec<String>,
    pub(super) interrupted: bool,
    pub(super) first_published: Option<Nanos>,
    pub(super) error: Option<Error>,
    pub(super) latency: StageMeter,
}

/// What a journal agent did.
#[derive(Debug, Default)]
pub(super) struct RecordingOutcome {
    /// `None` when the agent failed before it could close the journal.
    pub(super) closed: Option<Result<Summary>>,
    pub(super) stalls: u64,
    pub(super) latency: StageMeter,
}

/// What the matching agent did.
#[derive(Debug, Default)]
pub(super) struct MatchingOutcome {
    pub(super) totals: Totals,
    pub(super) counts: ReplicaCounts,
    pub(super) books_hash: u64,
    pub(super) trail: Vec<HashPoint>,
    pub(super) orders_hash: u64,
    pub(super) trades: TraderCounts,
    pub(super) executions: u64,
    pub(super) check: Option<MatchingCheck>,
    pub(super) warnings: Vec<String>,
    pub(super) strategies: Vec<StrategyReport>,
    pub(super) story: Option<Vec<Chapter>>,
    pub(super) longest_pause_ns: u64,
    pub(super) snapshots_skipped: u64,
    pub(super) latency: StageMeter,
    /// `None` without a strategy.
    pub(super) tick_to_order: Option<StageMeter>,
    /// `None` without a gateway.
    pub(super) tick_to_fill: Option<StageMeter>,
    /// Orders of which a real venue said something else than the run knew.
    pub(super) differences: u64,
}

/// What the portfolio agent did.
#[derive(Debug, Default)]
pub(super) struct AccountingOutcome {
    pub(super) rows: Vec<PositionRow>,
    pub(super) totals: Vec<AccountTotal>,
    pub(super) hash: u64,
    pub(super) trail: Vec<u64>,
    pub(super) audits: u64,
    pub(super) fills: Vec<FillRecord>,
    pub(super) kept: Option<KeptExecutions>,
    pub(super) latency: StageMeter,
}

/// A strategy and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyReport {
    /// Its account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its orders and fills.
    pub counts: TraderCounts,
}
