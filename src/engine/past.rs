//! What a report tells of single orders and fills, and where a run that goes on from a snapshot has
//! the beginning of it from: the executions before the mark are in their journal.

use std::path::Path;

use bytemuck::Zeroable;

use super::config::{EXECUTIONS_DIR, EngineConfig, MARKET_DIR};
use super::explain::Story;
use super::kept::{FillLog, Keeper};
use super::stats::Outcomes;
use crate::error::{Error, Result};
use crate::event::{Event, EventView, Execution};
use crate::journal::{Read, Reader};
use crate::limits::BATCH_RECORDS_MAX;
use crate::portfolio::Portfolio;

/// What the report is to tell of executions.
pub(super) struct Logs {
    pub(super) fills: FillLog,
    /// `None` unless an order is to be explained.
    pub(super) story: Option<Story>,
}

impl Logs {
    /// What `config` asks for, with what was before the snapshot that a run goes on from, where its
    /// portfolio is `portfolio`; a warning says what the journal no longer holds.
    pub(super) fn of(
        config: &EngineConfig,
        portfolio: &Portfolio,
        outcomes: &mut Outcomes,
    ) -> Result<Self> {
        let resumed = outcomes.resumed.as_ref().and_then(|resumed| resumed.snapshot.as_ref());
        let (Some(used), Some(journal)) = (resumed, &config.journal) else {
            return Ok(Self::behind(config, portfolio));
        };
        if config.keep_executions == 0 && !config.keep_fills && config.explain.is_none() {
            return Ok(Self::behind(config, portfolio));
        }
        let mut executions = Reader::open(&journal.dir.join(EXECUTIONS_DIR))?;
        if executions.first_sequence() > 0 {
            outcomes.warnings.push(format!(
                "orders, fills and charts of money are told from execution {} on: the journal no \
                 longer holds the first ones, keep them from `journal retain` to have all",
                used.executions
            ));
            return Ok(Self::behind(config, portfolio));
        }
        let mut portfolio = Portfolio::new(portfolio.config().clone()).unaudited();
        let mut logs = Self::behind(config, &portfolio);
        let mut causes = Causes::open(&journal.dir)?;
        let mut batch = vec![Execution::zeroed(); BATCH_RECORDS_MAX];
        while executions.position() < used.executions {
            let left = (used.executions - executions.position()).min(batch.len() as u64) as usize;
            let Read::Records(count) = executions.read(&mut batch[..left])? else {
                return Err(Error::usage(
                    format!("the execution journal ends before sequence {}", used.executions),
                    "resume it once nothing else writes there",
                ));
            };
            for execution in &batch[..count] {
                portfolio.apply(execution)?;
                logs.fills.note(execution, &portfolio);
            }
            if let Some(story) = &mut logs.story {
                story.note(&batch[..count], |execution| causes.find(execution.cause));
            }
        }
        Ok(logs)
    }

    /// What `config` asks for, from where a portfolio is as `before`.
    fn behind(config: &EngineConfig, before: &Portfolio) -> Self {
        let room = config.keep_executions;
        let keeper = (room > 0).then(|| Keeper::new(room, before.clone().unaudited()));
        let fills = FillLog { keeper, fills: config.keep_fills.then(Vec::new) };
        Self { fills, story: config.explain.map(|order| Story::of(order).knowing(before)) }
    }
}

/// The market events that caused executions.
struct Causes(Reader<Event>);

impl Causes {
    fn open(run_dir: &Path) -> Result<Self> {
        Reader::open(&run_dir.join(MARKET_DIR)).map(Self)
    }

    /// The event at `sequence`, `None` for the start of the run, and whether it is lost.
    fn find(&mut self, sequence: u64) -> (Option<Event>, bool) {
        let Self(market) = self;
        let is_held = sequence >= market.first_sequence();
        match is_held.then(|| market.seek(sequence).and_then(|()| market.read_one())) {
            // What starts a run is told with the first record, a mark.
            Some(Ok(Some(event))) if matches!(event.view(), EventView::FeedMark(_)) => {
                (None, false)
            }
            Some(Ok(Some(event))) => (Some(Event { ts_ingest: 0, ..event }), false),
            _ => (None, true),
        }
    }
}
