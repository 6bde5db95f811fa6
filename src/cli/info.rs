//! `ringtape info`: what a feed or journal is.

mod journals;

use std::path::Path;

use clap::Args;
use ringtape::engine::{JOURNAL_FORMAT, MARKET_DIR};
use ringtape::error::Result;
use ringtape::event::{Event, InstrumentTable};
use ringtape::feed::{Begin, Checks, Description, Feed, Fill, Located};
use ringtape::limits::{FEED_BATCH_RECORDS, INSTRUMENTS_MAX, MESSAGE_RECORDS_MAX};
use ringtape::report::format::{bytes, messages_by_type, span, thousands};
use ringtape::report::{carrier, located_json, located_text};
use ringtape::units::InstrumentId;
use serde_json::{Map, Value, json};

use self::journals::Journals;
use super::input::Input;
use super::{Ending, term};

/// Instruments that are listed by their share of messages.
const TOP_INSTRUMENTS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    input: Input,
    /// List these symbols instead of the busiest
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Print the description to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InfoArgs) -> Result<Ending> {
    let dir = match &args.input.feeds[..] {
        [dir] if dir.is_dir() => Some(dir),
        _ => None,
    };
    if let Some(dir) = dir.filter(|dir| !dir.join(MARKET_DIR).is_dir()) {
        return one_journal(dir, args.json);
    }
    let journals = dir.map(|dir| Journals::look(dir)).transpose()?;
    let mut feed = args.input.open(None)?;
    let mut census = Census::new(args.input.begin(feed.as_ref())?, &args.symbols);
    let read = census.take(feed.as_mut());
    args.input.tell_empty(&census.begin, feed.checks());
    let is_part = args.input.from.is_some() || args.input.until.is_some();
    if is_part && !feed.description().sources.is_empty() {
        census.forget_what_is_ahead();
    }
    let description = feed.description();
    if args.json {
        let mut document = json_of(description, &census);
        journals.iter().for_each(|journals| journals.add_to(&mut document));
        term::print(format_args!("{document:#}"))?;
    } else {
        describe(description, &census, journals.as_ref())?;
    }
    // What was read before a fault has been told; now the fault.
    read.map(|()| Ending::Done)
}

/// Says what the journal in `dir` is, which may be of any program.
fn one_journal(dir: &Path, as_json: bool) -> Result<Ending> {
    let journals = Journals::look(dir)?;
    if as_json {
        let mut document =
            json!({ "schema": 1, "origin": dir.display().to_string(), "format": JOURNAL_FORMAT });
        journals.add_to(&mut document);
        term::print(format_args!("{document:#}"))?;
        return Ok(Ending::Done);
    }
    let mut out = term::Stdout::lock();
    journals.describe(true, &mut out)?;
    out.finish()?;
    Ok(Ending::Done)
}

/// Messages by instrument, and what the feed counted from the time to begin on.
struct Census {
    instruments: InstrumentTable,
    messages: Vec<u64>,
    /// Symbols to list; the busiest when there are none.
    symbols: Vec<String>,
    begin: Begin,
    checks: Checks,
    /// Whether bytes and types are those of these messages.
    is_exact: bool,
}

impl Census {
    fn new(begin: Begin, symbols: &[String]) -> Self {
        Self {
            instruments: InstrumentTable::default(),
            messages: Vec::new(),
            symbols: symbols.to_vec(),
            begin,
            checks: Checks::default(),
            is_exact: true,
        }
    }

    /// Several feeds are read ahead of the messages that they give in the order of time: of a part
    /// of them nobody knows bytes and types.
    fn forget_what_is_ahead(&mut self) {
        self.is_exact = false;
        self.checks.by_type = [0; 256];
    }

    /// Bytes of the messages; `None` where they are not known.
    fn bytes(&self) -> Option<u64> {
        self.is_exact.then_some(self.checks.bytes)
    }

    /// Counts all of `feed` from the time to begin on, or what comes before its fault.
    fn take(&mut self, feed: &mut dyn Feed) -> Result<()> {
        let begun = self.begin(feed);
        let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
        let read = begun.and_then(|()| {
            while let Fill::Records(count) = feed.fill(&mut batch)? {
                batch[..count].iter().for_each(|event| self.note(event));
            }
            Ok(())
        });
        let counted = feed.checks().clone();
        if !self.begin.has_come() {
            // All that was read came before the time to begin.
            self.checks = Checks { first_ts: None, ..counted.clone() };
        }
        let before = std::mem::replace(&mut self.checks, counted);
        let checks = &mut self.checks;
        checks.messages -= before.messages;
        checks.bytes -= before.bytes;
        checks.has_start &= before.messages == 0;
        if checks.messages == 0 {
            (checks.first_ts, checks.last_ts) = (None, None);
        } else {
            checks.first_ts = before.first_ts.or(checks.first_ts);
        }
        for (count, before) in checks.by_type.iter_mut().zip(before.by_type) {
            *count -= before;
        }
        read
    }

    /// Reads message by message up to the time to begin, and keeps what was counted before it.
    fn begin(&mut self, feed: &mut dyn Feed) -> Result<()> {
        let mut batch = [Event::default(); MESSAGE_RECORDS_MAX];
        while !self.begin.has_come() {
            let before = feed.checks().clone();
            let Fill::Records(count) = feed.fill(&mut batch)? else { return Ok(()) };
            if self.begin.look(&batch[0])? {
                let first_ts = Some(batch[0].ts_event);
                self.checks = Checks { first_ts, ..before };
                batch[..count].iter().for_each(|event| self.note(event));
            } else {
                batch[..count].iter().for_each(|event| _ = self.instruments.apply(event));
            }
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

    /// The instruments that were asked for, else the busiest, by descending number of messages.
    fn top(&self) -> Vec<(String, u64)> {
        if !self.symbols.is_empty() {
            let count = |symbol: &String| {
                let id = self.instruments.find(symbol);
                id.and_then(|id| self.messages.get(id.0 as usize)).copied().unwrap_or(0)
            };
            return self.symbols.iter().map(|symbol| (symbol.clone(), count(symbol))).collect();
        }
        let mut rows: Vec<_> =
            self.messages.iter().enumerate().skip(1).filter(|(_, count)| **count > 0).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        rows.truncate(TOP_INSTRUMENTS);
        rows.into_iter()
            .map(|(id, count)| (self.instruments.symbol(InstrumentId(id as u32)), *count))
            .collect()
    }
}

fn describe(description: &Description, census: &Census, journals: Option<&Journals>) -> Result<()> {
    let checks = &census.checks;
    let mut out = term::Stdout::lock();
    out.line(format_args!("feed          {}", description.origin))?;
    out.line(format_args!("format        {}", description.format))?;
    out.line(format_args!("compression   {}", description.compression))?;
    out.line(format_args!("identity      {:016x}", description.identity))?;
    let size = census.bytes().map_or_else(String::new, |count| format!(" in {}", bytes(count)));
    out.line(format_args!("messages      {}{size}", thousands(checks.messages)))?;
    if let (Some(first), Some(last)) = (checks.first_ts, checks.last_ts) {
        out.line(format_args!("span          {}", span(first, last, description.zone)))?;
    }
    let completeness = match (checks.has_start && checks.has_end, checks.gaps.count) {
        (false, _) => "slice",
        (true, 0) => "whole session",
        (true, _) => "whole session, with gaps",
    };
    out.line(format_args!("completeness  {completeness}"))?;
    out.line(format_args!("instruments   {}", thousands(census.instruments.len() as u64)))?;
    for (what, located) in faults(checks) {
        if located.count > 0 {
            let [from, to] =
                located_text(&located, "message", &description.sources, description.zone);
            out.line(format_args!("{what:<13} {}, first at {from}, last at {to}", located.count))?;
        } else {
            out.line(format_args!("{what:<13} 0"))?;
        }
    }
    for (label, content) in carrier::all_packet_lines(checks) {
        out.line(format_args!("{label:<13} {content}"))?;
    }
    for assumption in &description.assumptions {
        out.line(format_args!("assumed       {assumption}"))?;
    }
    out.line(if census.is_exact { "by type" } else { "by type       not known of a part" })?;
    for (name, count) in messages_by_type(description, checks) {
        out.line(format_args!("  {name:<12}{:>14}", thousands(count)))?;
    }
    out.line(if census.symbols.is_empty() { "busiest" } else { "symbols" })?;
    for (symbol, count) in census.top() {
        out.line(format_args!("  {symbol:<12}{:>14}", thousands(count)))?;
    }
    if let Some(journals) = journals {
        journals.describe(false, &mut out)?;
    }
    out.finish()
}

fn faults(checks: &Checks) -> [(&'static str, Located); 3] {
    [
        ("gaps", checks.gaps),
        ("backwards", checks.backwards),
        ("unknown_types", checks.unknown_types),
    ]
}

fn json_of(description: &Description, census: &Census) -> Value {
    let checks = &census.checks;
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
        "bytes": census.bytes(),
        "first_ts": checks.first_ts,
        "last_ts": checks.last_ts,
        "clock": description.zone.code(),
        "complete": checks.has_start && checks.has_end,
        "instruments": census.instruments.len(),
        "by_type": by_type,
        "top": top,
        "assumptions": description.assumptions,
        "packets": carrier::packets_json(checks),
        "gap_ranges": carrier::gaps_json(checks),
    });
    for (name, located) in faults(checks) {
        document[name] = json!(located.count);
        document["faults"][name] = located_json(&located, "message", &description.sources);
    }
    document
}
