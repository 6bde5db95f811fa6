//! `ringtape compare`: two runs, journals or feeds, up to the first record that differs; or two
//! reports of `replay --json`, up to the first hashes that do.

mod hashes;

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::{EXECUTIONS_DIR, JournalFeed, MARKET_DIR, RUN_FILE};
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution, ExecutionKind, InstrumentTable};
use ringtape::feed::{Feed, Fill};
use ringtape::journal::Reader;
use ringtape::units::InstrumentId;
use serde_json::{Value, json};

use super::{Ending, executions, input, term};

/// Records that are read at a time.
const BATCH: usize = 1024;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Directory of a run's journal, a recorded feed, or the document of `replay --json`
    #[arg(value_name = "A")]
    a: PathBuf,
    /// What to hold against it
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Print the outcome to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

/// Two streams of records, compared.
#[derive(Default)]
struct Outcome {
    /// Records that are the same, from the first on.
    same: u64,
    difference: Option<Difference>,
}

/// The first record that differs.
struct Difference {
    symbol: String,
    /// The record of each side; `None` where that side has ended.
    records: [Option<String>; 2],
    /// Its sequence in the journal of each side; `None` where that has ended or is no journal.
    sequences: [Option<u64>; 2],
}

pub(super) fn run(args: &CompareArgs) -> Result<Ending> {
    match (hashes::read(&args.a)?, hashes::read(&args.b)?) {
        (Some(a), Some(b)) => return hashes::run([&a, &b], args.json),
        (Some(_), None) => return Err(report_and_other(&args.a, &args.b)),
        (None, Some(_)) => return Err(report_and_other(&args.b, &args.a)),
        (None, None) => {}
    }
    let mut instruments = InstrumentTable::default();
    let mut feeds = [&args.a, &args.b]
        .map(|path| input::open(std::slice::from_ref(path), None, None).map(Events::new));
    let [a, b] = &mut feeds;
    let (a, b) = (taken(a)?, taken(b)?);
    let mut market = market(a, b, &mut instruments)?;
    if let Some(difference) = &mut market.difference {
        let of = |path: &Path| sequence_in_journal(path, market.same);
        difference.sequences = [of(&args.a)?, of(&args.b)?];
    }
    let has_both = [&args.a, &args.b].iter().all(|path| path.join(RUN_FILE).exists());
    let executed = has_both.then(|| executed(&args.a, &args.b, &instruments)).transpose()?;
    if args.json {
        term::print(format_args!("{:#}", to_json(&market, executed.as_ref())))?;
    } else {
        tell("market", &market);
        executed.iter().for_each(|executed| tell("executions", executed));
    }
    let differs = market.difference.is_some()
        || executed.is_some_and(|executed| executed.difference.is_some());
    Ok(if differs { Ending::CheckFailed } else { Ending::Done })
}

/// The refusal of a report of `replay --json` beside something else.
fn report_and_other(report: &Path, other: &Path) -> Error {
    Error::usage(
        format!("{} is a report of `replay --json`, {} is none", report.display(), other.display()),
        "name two reports, or two of runs, journals and feeds",
    )
}

/// A feed that was opened, or why it was not.
fn taken(opened: &mut Result<Events>) -> Result<&mut Events> {
    match opened {
        Ok(events) => Ok(events),
        Err(error) => Err(std::mem::replace(error, Error::usage("", ""))),
    }
}

/// The events of a feed, one at a time.
struct Events {
    feed: Box<dyn Feed>,
    batch: Vec<Event>,
    next: usize,
    len: usize,
}

impl Events {
    fn new(feed: Box<dyn Feed>) -> Self {
        Self { feed, batch: vec![Event::default(); BATCH], next: 0, len: 0 }
    }

    fn next(&mut self) -> Result<Option<Event>> {
        while self.next == self.len {
            match self.feed.fill(&mut self.batch)? {
                Fill::Records(count) => (self.next, self.len) = (0, count),
                Fill::Pending => {}
                Fill::End => return Ok(None),
            }
        }
        self.next += 1;
        // When a run took the event in says nothing about it.
        Ok(Some(Event { ts_ingest: 0, ..self.batch[self.next - 1] }))
    }
}

fn market(a: &mut Events, b: &mut Events, instruments: &mut InstrumentTable) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    loop {
        let (one, other) = (a.next()?, b.next()?);
        if let Some(event) = &one {
            instruments.apply(event);
        }
        match (one, other) {
            (None, None) => return Ok(outcome),
            (one, other) if one == other => outcome.same += 1,
            (one, other) => {
                let event = one.or(other).expect("one side goes on");
                let id = InstrumentId(event.instrument);
                outcome.difference = Some(Difference {
                    symbol: symbol(id, instruments),
                    records: [one, other].map(|event| event.map(|event| described(&event))),
                    sequences: [None; 2],
                });
                return Ok(outcome);
            }
        }
    }
}

/// The sequence in a run's market journal of the record behind the first `count` of its feed.
fn sequence_in_journal(path: &Path, count: u64) -> Result<Option<u64>> {
    match path.join(MARKET_DIR).is_dir() {
        true => JournalFeed::open(path)?.sequence_after(count),
        false => Ok(None),
    }
}

fn described(event: &Event) -> String {
    let kind = event.kind().map_or("unknown kind", |kind| kind.name());
    let side = event.side().map_or("", |side| side.name());
    let payload = event.payload.map(|word| word.to_string()).join(" ");
    format!(
        "{kind} {side} at {} flags {:#x} instrument {} payload {payload}",
        event.ts_event, event.flags, event.instrument
    )
}

fn symbol(id: InstrumentId, instruments: &InstrumentTable) -> String {
    instruments
        .get(id)
        .map_or_else(|| format!("#{id}"), |instrument| instrument.symbol.as_str().to_owned())
}

fn executed(a: &Path, b: &Path, instruments: &InstrumentTable) -> Result<Outcome> {
    let mut readers = [
        Reader::<Execution>::open(&a.join(EXECUTIONS_DIR))?,
        Reader::<Execution>::open(&b.join(EXECUTIONS_DIR))?,
    ];
    let mut outcome = Outcome::default();
    loop {
        let [a, b] = &mut readers;
        let records = [next_execution(a)?, next_execution(b)?];
        match records {
            [None, None] => return Ok(outcome),
            [one, other] if one == other => outcome.same += 1,
            [one, other] => {
                let execution = one.or(other).expect("one side goes on");
                let sequences = [one.map(|_| a.position() - 1), other.map(|_| b.position() - 1)];
                let text = |(execution, sequence): (Option<Execution>, Option<u64>)| {
                    Some(executions::csv(0, sequence?, &execution?, instruments))
                };
                outcome.difference = Some(Difference {
                    symbol: symbol(InstrumentId(execution.instrument), instruments),
                    records: [(one, sequences[0]), (other, sequences[1])].map(text),
                    sequences,
                });
                return Ok(outcome);
            }
        }
    }
}

/// The next execution of a journal as it is compared; marks of snapshots are none.
fn next_execution(reader: &mut Reader<Execution>) -> Result<Option<Execution>> {
    while let Some(execution) = reader.read_one()? {
        if execution.kind() != Some(ExecutionKind::SnapshotMark) {
            return Ok(Some(execution.canonical()));
        }
    }
    Ok(None)
}

fn tell(stream: &str, outcome: &Outcome) {
    let Some(difference) = &outcome.difference else {
        term::tell(format_args!("{stream:<11} {} records, all the same", outcome.same));
        return;
    };
    term::tell(format_args!(
        "{stream:<11} the first difference is behind {} records that are the same, {}",
        outcome.same, difference.symbol
    ));
    let sides = difference.records.iter().zip(difference.sequences);
    for (side, (record, sequence)) in ["A", "B"].iter().zip(sides) {
        let at = sequence.map_or_else(String::new, |sequence| format!(" at sequence {sequence}:"));
        term::tell(format_args!("  {side}{at} {}", record.as_deref().unwrap_or("has ended")));
    }
}

fn to_json(market: &Outcome, executed: Option<&Outcome>) -> Value {
    let one = |outcome: &Outcome| {
        json!({
            "same": outcome.same,
            "difference": outcome.difference.as_ref().map(|difference| json!({
                "sequence_a": difference.sequences[0],
                "sequence_b": difference.sequences[1],
                "instrument": difference.symbol,
                "a": difference.records[0],
                "b": difference.records[1],
            })),
        })
    };
    json!({ "schema": 1, "market": one(market), "executions": executed.map(one) })
}
