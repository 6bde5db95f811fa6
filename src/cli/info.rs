//! `ringtape info`: what a feed or journal is.

use clap::Args;
use ringtape::error::Result;
use ringtape::event::{Event, InstrumentTable};
use ringtape::feed::{Feed, Fill, Located};
use ringtape::limits::{FEED_BATCH_RECORDS, INSTRUMENTS_MAX};
use ringtape::report::format::{bytes, messages_by_type, thousands, time_of_day};
use ringtape::units::InstrumentId;
use serde_json::{Map, Value, json};

use super::input::Input;
use super::{Ending, term};

/// Instruments that are listed by their share of messages.
const TOP_INSTRUMENTS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    input: Input,
    /// Print the description to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InfoArgs) -> Result<Ending> {
    let mut feed = args.input.open()?;
    let mut census = Census { instruments: InstrumentTable::default(), messages: Vec::new() };
    let read = census.take(feed.as_mut());
    if args.json {
        term::print(format_args!("{:#}", json_of(feed.as_ref(), &census)))?;
    } else {
        describe(feed.as_ref(), &census)?;
    }
    // What was read before a fault has been told; now the fault.
    read.map(|()| Ending::Done)
}

/// Messages by instrument.
struct Census {
    instruments: InstrumentTable,
    messages: Vec<u64>,
}

impl Census {
    /// Counts all of `feed`, or what comes before its fault.
    fn take(&mut self, feed: &mut dyn Feed) -> Result<()> {
        let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
        while let Fill::Records(count) = feed.fill(&mut batch)? {
            batch[..count].iter().for_each(|event| self.note(event));
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        self.instruments.apply(event);
        let index = event.instrument as usize;
        if index >= INSTRUMENTS_MAX {
            return;
        }
        if self.messages.len() <= index {
            self.messages.resize(index + 1, 0);
        }
        self.messages[index] += u64::from(!event.is_continued());
    }

    /// The busiest instruments, by descending number of messages.
    fn top(&self) -> Vec<(String, u64)> {
        let mut rows: Vec<_> =
            self.messages.iter().enumerate().skip(1).filter(|(_, count)| **count > 0).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        rows.truncate(TOP_INSTRUMENTS);
        rows.into_iter()
            .map(|(id, count)| (self.instruments.symbol(InstrumentId(id as u32)), *count))
            .collect()
    }
}

fn describe(feed: &dyn Feed, census: &Census) -> Result<()> {
    let description = feed.description();
    let checks = feed.checks();
    let mut out = term::Stdout::lock();
    out.line(format_args!("feed          {}", description.origin))?;
    out.line(format_args!("format        {}", description.format))?;
    out.line(format_args!("compression   {}", description.compression))?;
    out.line(format_args!("identity      {:016x}", description.identity))?;
    out.line(format_args!(
        "messages      {} in {}",
        thousands(checks.messages),
        bytes(checks.bytes)
    ))?;
    if let (Some(first), Some(last)) = (checks.first_ts, checks.last_ts) {
        let (first, last) = (time_of_day(first), time_of_day(last));
        out.line(format_args!("span          {first} to {last}"))?;
    }
    let completeness = if checks.has_start && checks.has_end { "whole session" } else { "slice" };
    out.line(format_args!("completeness  {completeness}"))?;
    out.line(format_args!("instruments   {}", thousands(census.instruments.len() as u64)))?;
    for (what, located) in faults(feed) {
        let Located { count, first, last } = located;
        if count > 0 {
            out.line(format_args!("{what:<13} {count}, first at message {first}, last at {last}"))?;
        } else {
            out.line(format_args!("{what:<13} 0"))?;
        }
    }
    for assumption in &description.assumptions {
        out.line(format_args!("assumed       {assumption}"))?;
    }
    out.line("by type")?;
    for (name, count) in messages_by_type(description, checks) {
        out.line(format_args!("  {name:<12}{:>14}", thousands(count)))?;
    }
    out.line("busiest")?;
    for (symbol, count) in census.top() {
        out.line(format_args!("  {symbol:<12}{:>14}", thousands(count)))?;
    }
    out.finish()
}

fn faults(feed: &dyn Feed) -> [(&'static str, Located); 3] {
    let checks = feed.checks();
    [
        ("gaps", checks.gaps),
        ("backwards", checks.backwards),
        ("unknown_types", checks.unknown_types),
    ]
}

fn json_of(feed: &dyn Feed, census: &Census) -> Value {
    let description = feed.description();
    let checks = feed.checks();
    let by_type: Map<String, Value> =
        messages_by_type(description, checks).map(|(name, count)| (name, json!(count))).collect();
    let top: Vec<_> = census
        .top()
        .into_iter()
        .map(|(symbol, messages)| json!({ "symbol": symbol, "messages": messages }))
        .collect();
    let mut document = json!({
        "schema": 1,
        "origin": description.origin,
        "format": description.format,
        "compression": description.compression,
        "identity": format!("{:016x}", description.identity),
        "messages": checks.messages,
        "bytes": checks.bytes,
        "first_ts": checks.first_ts,
        "last_ts": checks.last_ts,
        "complete": checks.has_start && checks.has_end,
        "instruments": census.instruments.len(),
        "by_type": by_type,
        "top": top,
        "assumptions": description.assumptions,
    });
    for (name, located) in faults(feed) {
        document[name] = json!(located.count);
    }
    document
}
