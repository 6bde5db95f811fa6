//! `ringtape dump` of an execution journal: one line an execution, with symbols and prices from the
//! market journal beside it.

use std::path::Path;

use bytemuck::Zeroable;
use ringtape::engine::MARKET_DIR;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution, ExecutionKind, InstrumentTable};
use ringtape::feed::{Moment, TimeOfDay, Zone};
use ringtape::journal::{Read, Reader, is_present};
use ringtape::limits::BATCH_RECORDS_MAX;
use ringtape::report::format::time_of_day;
use ringtape::units::InstrumentId;

use super::DumpArgs;
use crate::cli::config::RunConfig;
use crate::cli::input::{self, check_order};
use crate::cli::{Ending, executions, term};

/// Prints the execution journal in `dir`.
pub(super) fn run(args: &DumpArgs, dir: &Path, mut reader: Reader<Execution>) -> Result<Ending> {
    let run_dir = dir.parent().unwrap_or(dir);
    let run = RunConfig::read_if_present(run_dir)?.unwrap_or_default();
    let wanted = Wanted::new(args, run.zone(), run.midnight_ns()?)?;
    let (instruments, zone) = (instruments(&run_dir.join(MARKET_DIR))?, run.zone());
    let mut out = term::Stdout::lock();
    if args.csv {
        let columns = executions::HEADER.replacen("line,seq", "sequence,cause", 1);
        out.line(columns)?;
    }
    let mut records = vec![Execution::zeroed(); BATCH_RECORDS_MAX];
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut sequence = reader.position();
    while let Read::Records(count) = reader.read(&mut records)? {
        for execution in &records[..count] {
            if left > 0 && wanted.has(execution, &instruments)? {
                out.line(line(args, sequence, execution, &instruments, zone))?;
                left -= 1;
            }
            sequence += 1;
        }
        if left == 0 {
            break;
        }
    }
    out.finish()?;
    if !instruments.is_empty() {
        input::warn_of_missing(&args.symbol, &instruments);
    }
    Ok(Ending::Done)
}

/// All instruments that a market journal defines; none where there is no journal.
fn instruments(dir: &Path) -> Result<InstrumentTable> {
    let mut table = InstrumentTable::default();
    if !is_present(dir)? {
        return Ok(table);
    }
    let mut reader = Reader::<Event>::open(dir)?;
    let mut events = vec![Event::default(); BATCH_RECORDS_MAX];
    while let Read::Records(count) = reader.read(&mut events)? {
        events[..count].iter().for_each(|event| _ = table.apply(event));
    }
    Ok(table)
}

/// What is to be printed.
struct Wanted<'a> {
    args: &'a DumpArgs,
    kinds: Vec<ExecutionKind>,
    from: Option<Moment>,
    until: Option<Moment>,
}

impl<'a> Wanted<'a> {
    fn new(args: &'a DumpArgs, zone: Zone, midnight_ns: u64) -> Result<Self> {
        let moment = |text: &Option<String>| {
            let time = text.as_deref().map(str::parse::<TimeOfDay>).transpose()?;
            Ok::<_, Error>(time.map(|time| Moment { time, zone }))
        };
        let (from, until) = (moment(&args.input.from)?, moment(&args.input.until)?);
        if let Some(window) = from.zip(until) {
            check_order(window, midnight_ns)?;
        }
        Ok(Self {
            kinds: args.kind.iter().map(|name| kind(name)).collect::<Result<_>>()?,
            from,
            until,
            args,
        })
    }

    fn has(&self, execution: &Execution, instruments: &InstrumentTable) -> Result<bool> {
        let Self { args, kinds, from, until } = self;
        let is_of_kind = match (execution.kind(), kinds.as_slice()) {
            (_, []) => executions::is_told(execution),
            (Some(kind), kinds) => kinds.contains(&kind),
            (None, _) => false,
        };
        let is_of_symbol = || {
            let symbol = instruments.symbol(InstrumentId(execution.instrument));
            args.symbol.is_empty() || args.symbol.contains(&symbol)
        };
        let orders = [execution.order_id, execution.new_order_id, execution.contra_order_id];
        if !is_of_kind || !is_of_symbol() || args.order.is_some_and(|one| !orders.contains(&one)) {
            return Ok(false);
        }
        let time = execution.ts_event;
        let has_begun = from.map_or(Ok(true), |from| from.among(time).map(|from| time >= from))?;
        Ok(has_begun && until.map_or(Ok(true), |end| end.among(time).map(|end| time < end))?)
    }
}

/// The kind that `name` means.
fn kind(name: &str) -> Result<ExecutionKind> {
    let kinds = ExecutionKind::ALL.iter();
    kinds.copied().find(|kind| kind.name() == name).ok_or_else(|| {
        let names: Vec<_> = ExecutionKind::ALL.iter().map(|kind| kind.name()).collect();
        Error::usage(format!("unknown kind `{name}`"), format!("use {}", names.join(", ")))
    })
}

fn line(
    args: &DumpArgs,
    sequence: u64,
    execution: &Execution,
    instruments: &InstrumentTable,
    zone: Zone,
) -> String {
    if args.csv {
        return executions::csv(sequence, execution.cause, execution, instruments);
    }
    let names = [("sequence", sequence), ("cause", execution.cause)];
    let object = executions::json(names, execution, instruments);
    if args.json {
        return object.to_string();
    }
    let time = time_of_day(execution.ts_event, zone);
    let word = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let [event, symbol, side] = ["event", "symbol", "side"].map(word);
    let mut text = format!("{sequence:>9} {time} {event:<12} {symbol:<8} {side:<4}");
    let is_shown = |name: &str| !["sequence", "ts", "event", "symbol", "side"].contains(&name);
    for (name, value) in object.as_object().into_iter().flatten() {
        if is_shown(name) && !value.is_null() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text += &format!(" {name}={value}");
        }
    }
    text
}
