//! `ringtape compare`: two runs, journals or feeds, up to the first record that differs; or two
//! reports of `replay --json`, up to the first hashes that do.

mod hashes;

use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::{EXECUTIONS_DIR, RUN_FILE};
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution, InstrumentTable};
use ringtape::feed::{Feed, Fill};
use ringtape::journal::{Read, Reader};
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
}

pub(super) fn run(args: &CompareArgs) -> Result<Ending> {
    if let (Some(a), Some(b)) = (hashes::read(&args.a)?, hashes::read(&args.b)?) {
        return hashes::run([&a, &b], args.json);
    }
    let mut instruments = InstrumentTable::default();
    let mut feeds = [&args.a, &args.b]
        .map(|path| input::open(std::slice::from_ref(path), None, None).map(Events::new));
    let [a, b] = &mut feeds;
    let (a, b) = (taken(a)?, taken(b)?);
    let market = market(a, b, &mut instruments)?;
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
                });
                return Ok(outcome);
            }
        }
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
        let mut records = [None, None];
        for (record, reader) in records.iter_mut().zip(&mut readers) {
            let mut one = [Execution::new(ringtape::event::ExecutionKind::Status, 0, 0)];
            *record = match reader.read(&mut one)? {
                Read::Records(_) => Some(one[0].canonical()),
                _ => None,
            };
        }
        match records {
            [None, None] => return Ok(outcome),
            [one, other] if one == other => outcome.same += 1,
            [one, other] => {
                let execution = one.or(other).expect("one side goes on");
                let text = |execution: Execution| {
                    executions::csv(0, outcome.same, &execution, instruments)
                };
                outcome.difference = Some(Difference {
                    symbol: symbol(InstrumentId(execution.instrument), instruments),
                    records: [one.map(text), other.map(text)],
                });
                return Ok(outcome);
            }
        }
    }
}

fn tell(stream: &str, outcome: &Outcome) {
    let Some(difference) = &outcome.difference else {
        term::tell(format_args!("{stream:<11} {} records, all the same", outcome.same));
        return;
    };
    term::tell(format_args!(
        "{stream:<11} the first difference is at sequence {}, {}",
        outcome.same, difference.symbol
    ));
    for (side, record) in ["A", "B"].iter().zip(&difference.records) {
        term::tell(format_args!("  {side} {}", record.as_deref().unwrap_or("has ended")));
    }
}

fn to_json(market: &Outcome, executed: Option<&Outcome>) -> Value {
    let one = |outcome: &Outcome| {
        json!({
            "same": outcome.same,
            "difference": outcome.difference.as_ref().map(|difference| json!({
                "sequence": outcome.same,
                "instrument": difference.symbol,
                "a": difference.records[0],
                "b": difference.records[1],
            })),
        })
    };
    json!({ "schema": 1, "market": one(market), "executions": executed.map(one) })
}
