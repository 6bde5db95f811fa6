//! The journal agents: each writes one ring's records to its journal.
//!
//! In a run that goes on, the first records are in the journal already: those of the market come
//! from there, and those that matching makes of them are compared with it.

use super::collector::{Part, Sink};
use super::journals::Journals;
use super::names::{EXECUTION_JOURNAL, MARKET_JOURNAL};
use super::outcomes::{Handover, RecordingOutcome, hand_over};
use crate::error::{Error, Result};
use crate::event::{Event, EventView, Execution, ExecutionKind};
use crate::journal::{Read, Reader, Record, Writer};
use crate::limits::BATCH_RECORDS_MAX;
use crate::ring::{Consumer, StageCursor};
use crate::runtime::{Agent, StageMeter};
use crate::units::Nanos;

/// Holds records back until what caused them is in the market journal.
#[derive(Debug)]
pub(super) struct CauseGate<R> {
    /// How far the market journal's agent is on its ring.
    pub(super) journaled: StageCursor,
    /// The sequence in the journal of that ring's first record.
    pub(super) origin: u64,
    /// The market sequence that caused a record.
    pub(super) cause: fn(&R) -> u64,
}

/// The journal's end of the market ring.
pub(super) struct JournalStage {
    pub(super) consumer: Consumer<Event>,
    pub(super) cursor: StageCursor,
    /// Whether records reach matching only when they are on the disk.
    pub(super) releases_durable: bool,
}

/// The agents of both journals, whose rings begin at `origins`, with the market's meter and where
/// marks are told; an execution waits until its cause is in the market journal.
pub(super) fn recordings(
    journals: Journals,
    (origin, executions_origin): (u64, u64),
    (from_market, from_executions): (JournalStage, Consumer<Execution>),
    handovers: &[Handover<RecordingOutcome>; 2],
    (meter, sink): (StageMeter, Option<Sink>),
) -> (Recording<Event>, Recording<Execution>) {
    let [market, executions] = handovers.clone();
    let gate = CauseGate {
        journaled: from_market.cursor,
        origin,
        cause: |execution: &Execution| execution.cause,
    };
    let records_market = Recording::new(
        MARKET_JOURNAL,
        from_market.consumer,
        journals.market,
        None,
        |event| event.ts_ingest,
        market,
    );
    let records_executions = Recording::new(
        EXECUTION_JOURNAL,
        from_executions,
        journals.executions,
        Some(gate),
        |execution| execution.ts_ingest,
        executions,
    );
    let past =
        journals.past_executions.map(|reader| PastRecords::new(reader, Execution::says_same));
    let records_executions = records_executions.comparing(past);
    let records_market = records_market
        .starting_at(origin)
        .metered(meter)
        .telling(sink.clone().map(Marks::of_market))
        .releasing_durable(from_market.releases_durable);
    let records_executions =
        records_executions.starting_at(executions_origin).telling(sink.map(Marks::of_executions));
    (records_market, records_executions)
}

/// An agent that writes a ring's records to a journal.
pub(super) struct Recording<R: Record> {
    name: &'static str,
    ring: Consumer<R>,
    /// `None` once the journal is closed.
    writer: Option<Writer<R>>,
    gate: Option<CauseGate<R>>,
    /// The sequence in the journal of the ring's first record.
    origin: u64,
    /// Who is told of the marks of snapshots.
    marks: Option<Marks<R>>,
    /// Records that are in the journal already.
    past_until: u64,
    /// What they are compared with.
    past: Option<PastRecords<R>>,
    /// Whether records are released only when they are on the disk.
    releases_durable: bool,
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
        Self {
            name,
            ring,
            origin: 0,
            marks: None,
            past_until: writer.next_sequence(),
            past: None,
            writer: Some(writer),
            gate,
            releases_durable: false,
            ingest,
            meter: StageMeter::new(),
            handover,
        }
    }

    /// The same agent, whose records reach those behind it only when they are on the disk.
    pub(super) fn releasing_durable(self, releases_durable: bool) -> Self {
        Self { releases_durable, ..self }
    }

    /// The same agent with a meter of its own.
    pub(super) fn metered(self, meter: StageMeter) -> Self {
        Self { meter, ..self }
    }

    /// The same agent, on a ring whose first record has this sequence in the journal.
    pub(super) fn starting_at(self, origin: u64) -> Self {
        Self { origin, ..self }
    }

    /// The same agent, which tells when a mark is in its journal.
    pub(super) fn telling(self, marks: Option<Marks<R>>) -> Self {
        Self { marks, ..self }
    }

    /// The same agent, which compares the records that are in its journal already.
    pub(super) fn comparing(self, past: Option<PastRecords<R>>) -> Self {
        Self { past, ..self }
    }

    /// The error of a ring that ended before the records that are in the journal already.
    fn missing_past(&self) -> Option<Error> {
        let position = self.origin + self.ring.position();
        if !self.ring.is_finished() || position >= self.past_until {
            return None;
        }
        let begins = self.past.as_ref().map_or(0, |past| past.reader.first_sequence());
        Some(match position < begins {
            true => begins_late::<R>(position, begins),
            false => not_deterministic::<R>(position, "does not come out again"),
        })
    }
}

/// Tells that the marks of snapshots are in a journal.
pub(super) struct Marks<R> {
    sink: Sink,
    part: Part,
    /// The number of the snapshot, if a record is the mark of one.
    number: fn(&R) -> Option<u64>,
}

impl Marks<Event> {
    /// Those of the market journal.
    pub(super) fn of_market(sink: Sink) -> Self {
        let number = |event: &Event| match event.view() {
            EventView::SnapshotMark(mark) => Some(mark.snapshot),
            _ => None,
        };
        Self { sink, part: Part::MarketJournal, number }
    }
}

impl Marks<Execution> {
    /// Those of the execution journal.
    pub(super) fn of_executions(sink: Sink) -> Self {
        let number = |execution: &Execution| {
            (execution.kind() == Some(ExecutionKind::SnapshotMark)).then_some(execution.order_id)
        };
        Self { sink, part: Part::ExecutionJournal, number }
    }
}

impl<R: Record> Marks<R> {
    /// Looks for marks among `records`, which `writer` has appended from `first` on.
    fn tell<'a>(&self, writer: &Writer<R>, first: u64, records: impl Iterator<Item = &'a R>) {
        for (sequence, record) in (first..).zip(records) {
            if let Some(number) = (self.number)(record) {
                let id = writer.header().journal_id;
                self.sink.journaled(self.part, number, id, sequence + 1, record);
            }
        }
    }
}

/// Records of a journal that are to come out again.
pub(super) struct PastRecords<R> {
    reader: Reader<R>,
    is_same: fn(&R, &R) -> bool,
    /// Room for reading.
    records: Box<[R]>,
}

impl<R: Record> PastRecords<R> {
    /// The records of `reader` from its first on; `is_same` says what counts in a comparison.
    pub(super) fn new(reader: Reader<R>, is_same: fn(&R, &R) -> bool) -> Self {
        let records = vec![R::zeroed(); BATCH_RECORDS_MAX].into_boxed_slice();
        Self { reader, is_same, records }
    }

    /// Compares the `count` records that came out again from `sequence` on.
    fn compare<'a>(
        &mut self,
        sequence: u64,
        count: usize,
        mut again: impl Iterator<Item = &'a R>,
    ) -> Result<()> {
        let until = sequence + count as u64;
        // What retention has removed cannot be compared any more.
        let from = self.reader.position().clamp(sequence, until);
        again.by_ref().take((from - sequence) as usize).for_each(drop);
        let mut at = from;
        while at < until {
            let room = self.records.len().min((until - at) as usize);
            let Read::Records(read) = self.reader.read(&mut self.records[..room])? else {
                return Err(not_deterministic::<R>(at, "cannot be read"));
            };
            let recorded = &self.records[..read];
            let mut pairs = recorded.iter().zip(again.by_ref().take(read));
            if let Some(other) = pairs.position(|(one, other)| !(self.is_same)(one, other)) {
                return Err(not_deterministic::<R>(at + other as u64, "comes out otherwise now"));
            }
            at += read as u64;
        }
        Ok(())
    }
}

/// The error of a journal that begins behind the end of its run, at `count`.
fn begins_late<R: Record>(count: u64, begins: u64) -> Error {
    Error::usage(
        format!(
            "the {} journal begins at sequence {begins}, and the run comes only to {count}: the \
             segments before are missing",
            R::NAME
        ),
        "restore them from a copy, or move that journal away: --resume derives all of it again",
    )
}

/// The error of a run that does not come out as it was recorded.
fn not_deterministic<R: Record>(sequence: u64, what: &str) -> Error {
    Error::CheckFailed {
        what: format!("not deterministic: {} {sequence} of the run {what}", R::NAME),
        cure: "go on with the version that recorded it, or start a new run".to_owned(),
    }
}

impl<R: Record + Send + Sync> Agent for Recording<R> {
    fn name(&self) -> &str {
        self.name
    }

    fn do_work(&mut self) -> Result<usize> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        // What waits for the disk stays in the batch, before what is still to be appended.
        let most = if self.releases_durable { usize::MAX } else { BATCH_RECORDS_MAX };
        let batch = self.ring.poll(most)?;
        let mut ready = batch.len();
        if let Some(gate) = &self.gate {
            // Asked first: what a failed stage had released before counts.
            let is_final = gate.journaled.has_failed();
            let journaled = gate.origin + gate.journaled.sequence();
            ready = batch.iter().take_while(|record| (gate.cause)(record) < journaled).count();
            if ready < batch.len() && gate.journaled.is_finished() {
                // What is left was caused by the end of the market.
                ready = batch.len();
            }
            if is_final && ready == 0 && !batch.is_empty() {
                batch.end_at(0);
                let upstream = gate.journaled.name().to_owned();
                return Err(Error::UpstreamFailed { name: self.name.to_owned(), upstream });
            }
        }
        let first = self.origin + batch.first_sequence();
        if ready > 0 {
            let past = self.past_until.saturating_sub(first).min(ready as u64) as usize;
            if let Some(records) = self.past.as_mut().filter(|_| past > 0) {
                records.compare(first, past, batch.iter())?;
            }
            let there = (writer.next_sequence() - first).min(ready as u64) as usize;
            writer.append_batch(batch.iter().take(ready).skip(there))?;
            for record in batch.iter().take(ready).skip(there) {
                self.meter.note((self.ingest)(record));
            }
            if let Some(marks) = &self.marks {
                let from = first + there as u64;
                marks.tell(writer, from, batch.iter().take(ready).skip(there));
            }
        }
        if self.releases_durable {
            ready = ready.min(writer.durable().saturating_sub(first) as usize);
        }
        batch.end_at(ready);
        Ok(ready)
    }

    fn completed(&mut self, started: Nanos, now: Nanos) {
        self.meter.complete_since(started, now);
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
        self.marks = None;
        let stalls = self.writer.as_ref().map_or(0, Writer::stalls);
        // An unsealed journal tells every reader that its writer did not come to its end.
        let closed = match self.missing_past() {
            Some(error) => Some(Err(error)),
            None => self.writer.take().map(Writer::close),
        };
        let latency = std::mem::take(&mut self.meter);
        hand_over(&self.handover, RecordingOutcome { closed, stalls, latency });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalOptions;
    use crate::limits::SEGMENT_BYTES_MIN;
    use crate::ring::{Producer, RingBuilder};

    /// A ring of eight slots with one stage, and that stage's cursor.
    fn ring(name: &str) -> (Producer<Event>, Consumer<Event>, StageCursor) {
        let mut builder = RingBuilder::new(name, 8).expect("a capacity");
        let stage = builder.stage(name, &[]).expect("a new name");
        let (producer, mut consumers) = builder.build().expect("a graph");
        let cursor = consumers.cursor(stage).expect("its own stage");
        (producer, consumers.take(stage).expect("not taken before"), cursor)
    }

    fn publish(producer: &mut Producer<Event>, count: usize) {
        let mut claim = producer.try_claim(count).expect("no failure").expect("room");
        claim.for_each_mut(|index, event| event.ts_event = index as u64);
        claim.commit_all();
    }

    #[test]
    fn what_was_caused_by_unjournaled_records_is_not_waited_for_once_their_journal_failed() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let options =
            JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
        let writer = Writer::<Event>::create(scratch.path(), &options).expect("a journal");
        let (mut market, mut journal, journaled) = ring("market journal");
        let (mut derived, consumer, _) = ring("derived");
        let gate = CauseGate { journaled, origin: 0, cause: |event: &Event| event.ts_event };
        let ingest = |event: &Event| event.ts_ingest;
        let mut recording =
            Recording::new("derived", consumer, writer, Some(gate), ingest, Handover::default());

        publish(&mut market, 3);
        publish(&mut derived, 3);
        assert_eq!(recording.do_work().expect("nothing journaled"), 0);
        journal.poll(2).expect("records").end_at(2);
        journal.fail(2, "disk full");
        assert_eq!(recording.do_work().expect("what was journaled is written"), 2);
        let error = recording.do_work().expect_err("the third never will be");
        assert!(
            matches!(&error, Error::UpstreamFailed { upstream, .. } if upstream == "market journal")
        );
        recording.fail(&error.to_string());
        recording.finish();
        let mut records = [Event::default(); 4];
        let read = Reader::open(scratch.path()).expect("a journal").read(&mut records);
        assert_eq!(read.expect("whole records"), Read::Records(2));
    }
}
