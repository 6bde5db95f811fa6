//! The journal agents: each writes one ring's records to its journal.

use super::stats::{Handover, RecordingOutcome, hand_over};
use crate::error::Result;
use crate::journal::{Record, Writer};
use crate::limits::BATCH_RECORDS_MAX;
use crate::ring::{Consumer, StageCursor};
use crate::runtime::{Agent, StageMeter};
use crate::units::Nanos;

/// Name of the agent that writes the market journal.
pub(super) const MARKET_JOURNAL: &str = "market journal";

/// Name of the agent that writes the execution journal.
pub(super) const EXECUTION_JOURNAL: &str = "execution journal";

/// Holds records back until what caused them is in the market journal.
#[derive(Debug)]
pub(super) struct CauseGate<R> {
    /// How far the market journal is.
    pub(super) journaled: StageCursor,
    /// The market sequence that caused a record.
    pub(super) cause: fn(&R) -> u64,
}

/// An agent that writes a ring's records to a journal.
pub(super) struct Recording<R: Record> {
    name: &'static str,
    ring: Consumer<R>,
    /// `None` once the journal is closed.
    writer: Option<Writer<R>>,
    gate: Option<CauseGate<R>>,
    ingest: fn(&R) -> u64,
    meter: StageMeter,
    handover: Handover<RecordingOutcome>,
}

impl<R: Record> Recording<R> {
    /// An agent called `name`; `ingest` reads a record's ingest time.
    pub(super) fn new(
        name: &'static str,
        ring: Consumer<R>,
        writer: Writer<R>,
        gate: Option<CauseGate<R>>,
        ingest: fn(&R) -> u64,
        handover: Handover<RecordingOutcome>,
    ) -> Self {
        Self { name, ring, writer: Some(writer), gate, ingest, meter: StageMeter::new(), handover }
    }
}

impl<R: Record + Send + Sync> Agent for Recording<R> {
    fn name(&self) -> &str {
        self.name
    }

    fn do_work(&mut self) -> Result<usize> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        let batch = self.ring.poll(BATCH_RECORDS_MAX)?;
        let ready = self.gate.as_ref().map_or(batch.len(), |gate| {
            let journaled = gate.journaled.sequence();
            batch.iter().take_while(|record| (gate.cause)(record) < journaled).count()
        });
        if ready > 0 {
            writer.append_batch(batch.iter().take(ready))?;
            for record in batch.iter().take(ready) {
                self.meter.note((self.ingest)(record));
            }
        }
        batch.end_at(ready);
        Ok(ready)
    }

    fn completed(&mut self, now: Nanos) {
        self.meter.complete(now);
    }

    fn is_done(&self) -> bool {
        self.ring.is_finished()
    }

    fn fail(&mut self, cause: &str) {
        let position = self.ring.position();
        self.ring.fail(position, cause);
        // An unsealed journal tells every reader that its writer did not come to its end.
        self.writer = None;
    }

    fn finish(&mut self) {
        let stalls = self.writer.as_ref().map_or(0, Writer::stalls);
        let closed = self.writer.take().map(Writer::close);
        let latency = std::mem::take(&mut self.meter);
        hand_over(&self.handover, RecordingOutcome { closed, stalls, latency });
    }
}
