//! `ringtape journal tail`: records of a journal in lines, also while it is written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR};
use ringtape::error::{Error, Result};
use ringtape::event::kinds::KINDS;
use ringtape::event::{Event, Execution, ExecutionKind};
use ringtape::feed::{Moment, TimeOfDay, Zone};
use ringtape::journal::{From, Read, Reader, Record, Tailer};
use ringtape::report::format::time_of_day;
use serde_json::{Map, Value, json};

use crate::cli::config::RunConfig;
use crate::cli::control::stop_on_interrupt;
use crate::cli::dump::{fields, name, plain_json};
use crate::cli::{Ending, term};

/// Records that are read at a time.
const BATCH_RECORDS: usize = 1024;

/// Time between two looks at a journal that has nothing new.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// Time between two saves of a cursor, each of which waits for the disk.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(in crate::cli) struct TailArgs {
    /// Directory of a run, or of one journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Go on as the journal grows, until its writer ends
    #[arg(long)]
    follow: bool,
    /// Begin at this time, HH:MM[:SS[.n]] in the feed's clock
    #[arg(long, value_name = "TIME", group = "start")]
    from: Option<String>,
    /// Begin at this sequence
    #[arg(long, value_name = "N", group = "start")]
    sequence: Option<u64>,
    /// Begin where the cursor of this name was left, and keep it, also when interrupted
    #[arg(long, value_name = "NAME", group = "start")]
    cursor: Option<String>,
    /// Begin behind the last record
    #[arg(long, group = "start")]
    now: bool,
    /// Records of these kinds only, of market events or of executions
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    kind: Vec<String>,
    /// At most so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TailArgs) -> Result<Ending> {
    let dir = journal(args)?;
    let is_executions = Reader::<Execution>::open(&dir).is_ok();
    // Times of day are in the clock of the run's feed.
    let run_dir = [Some(&*args.dir), args.dir.parent()].into_iter().flatten();
    let recorded = run_dir.filter_map(|dir| RunConfig::read_if_present(dir).transpose()).next();
    let run = recorded.transpose()?.unwrap_or_default();
    let zone = run.zone();
    if is_executions {
        check_kinds(args, is_execution)?;
        return tail::<Execution>(args, &dir, zone);
    }
    // What is no journal is refused as that before its kinds are.
    Reader::<Event>::open(&dir)?;
    check_kinds(args, is_event)?;
    tail::<Event>(args, &dir, zone)
}

/// The journal to read: of a run, that which has records of the wanted kinds.
fn journal(args: &TailArgs) -> Result<PathBuf> {
    let [market, executions] = [MARKET_DIR, EXECUTIONS_DIR].map(|name| args.dir.join(name));
    if !market.is_dir() {
        return Ok(args.dir.clone());
    }
    if let Some(kind) = args.kind.first()
        && args.kind.iter().all(|name| is_event(name) && is_execution(name))
    {
        return Err(Error::usage(
            format!("`{kind}` is a kind of market events and of executions"),
            format!("name the journal, {} or {}", market.display(), executions.display()),
        ));
    }
    if !args.kind.is_empty() && args.kind.iter().all(|name| is_execution(name)) {
        return Ok(executions);
    }
    let of_one = |is_of_one: fn(&str) -> bool, is_of_other: fn(&str) -> bool| {
        args.kind.iter().find(|name| is_of_one(name) && !is_of_other(name))
    };
    match (of_one(is_event, is_execution), of_one(is_execution, is_event)) {
        (Some(event), Some(execution)) => Err(Error::usage(
            format!("`{event}` is a kind of market events, `{execution}` of executions"),
            "ask for kinds of one journal at a time",
        )),
        _ => Ok(market),
    }
}

/// Whether there are market events of a kind.
fn is_event(name: &str) -> bool {
    KINDS.iter().any(|info| info.name == name)
}

/// Whether there are executions of a kind.
fn is_execution(name: &str) -> bool {
    ExecutionKind::ALL.iter().any(|kind| kind.name() == name)
}

fn check_kinds(args: &TailArgs, is_known: impl Fn(&str) -> bool) -> Result<()> {
    match args.kind.iter().find(|name| !is_known(name)) {
        Some(name) => Err(Error::usage(
            format!("`{name}` is no kind of the records of this journal"),
            "`ringtape journal tail` without --kind shows those that are there",
        )),
        None => Ok(()),
    }
}

/// What a line shows of a record.
trait Line: Record {
    fn kind_name(&self) -> &'static str;
    fn instrument(&self) -> u32;
    fn side_name(&self) -> Option<&'static str>;
    fn values(&self) -> Vec<(&'static str, Value)>;
}

impl Line for Event {
    fn kind_name(&self) -> &'static str {
        name(self)
    }

    fn instrument(&self) -> u32 {
        self.instrument
    }

    fn side_name(&self) -> Option<&'static str> {
        self.side().map(|side| side.name())
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        fields(std::slice::from_ref(self))
            .map(|(field, value)| (field, plain_json(value)))
            .collect()
    }
}

impl Line for Execution {
    fn kind_name(&self) -> &'static str {
        self.kind().map_or("unknown", ExecutionKind::name)
    }

    fn instrument(&self) -> u32 {
        self.instrument
    }

    fn side_name(&self) -> Option<&'static str> {
        self.side().map(|side| side.name())
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        // Numbers begin with 1.
        let number = |number: u64| json!((number != 0).then_some(number));
        let mut values = match (self.quote(), self.listing()) {
            (Some(quote), _) => vec![
                ("bid_price", json!(quote.bid_price.0)),
                ("bid_qty", json!(quote.bid_qty.0)),
                ("ask_price", json!(quote.ask_price.0)),
                ("ask_qty", json!(quote.ask_qty.0)),
                ("last_price", json!(quote.last_price.map(|price| price.0))),
                ("close_price", json!(quote.close_price.map(|price| price.0))),
                ("trading", json!(quote.trading)),
            ],
            (_, Some(listing)) => vec![
                ("symbol", json!(listing.symbol.as_str())),
                ("currency", json!(listing.currency.as_str())),
                ("price_increment", json!(listing.price_increment)),
                ("qty_increment", json!(listing.qty_increment)),
                ("multiplier", json!(listing.multiplier)),
                ("reason", json!(self.reason().name())),
            ],
            (None, None) => vec![
                ("order_id", json!(self.order_id)),
                ("price", json!(self.price)),
                ("qty", json!(self.qty)),
                ("leaves", json!(self.leaves)),
                ("cum", json!(self.cum)),
                ("account", json!(self.account)),
                ("match_id", number(self.match_id)),
                ("contra_order_id", number(self.contra_order_id)),
                ("new_order_id", number(self.new_order_id)),
                ("reason", json!(self.reason().name())),
            ],
        };
        values.push(("cause", json!(self.cause)));
        values
    }
}

fn tail<R: Line>(args: &TailArgs, dir: &Path, zone: Zone) -> Result<Ending> {
    let mut tailer = Tailer::<R>::open(dir, &start::<R>(args, dir, zone)?)?;
    let mut out = term::Stdout::lock();
    let mut records = [R::zeroed(); BATCH_RECORDS];
    let (mut printed, mut saved) = (0, Instant::now());
    let limit = args.limit.unwrap_or(u64::MAX);
    let stop = stop_on_interrupt()?;
    while printed < limit && !stop.is_set() {
        // What is not printed is not passed by the cursor either.
        let room = usize::try_from(limit - printed).map_or(BATCH_RECORDS, |n| n.min(BATCH_RECORDS));
        let first = tailer.position();
        match tailer.read(&mut records[..room])? {
            Read::Records(count) => {
                for (sequence, record) in (first..).zip(&records[..count]) {
                    if args.kind.is_empty() || args.kind.iter().any(|k| k == record.kind_name()) {
                        out.line(line(sequence, record, zone, args.json))?;
                        printed += 1;
                    }
                }
                if args.cursor.is_some() && saved.elapsed() > SAVE_INTERVAL {
                    out.flush()?;
                    tailer.save()?;
                    saved = Instant::now();
                }
            }
            Read::Pending if args.follow => {
                out.flush()?;
                std::thread::sleep(LOOK_INTERVAL);
            }
            Read::Pending | Read::End => break,
        }
    }
    out.flush()?;
    if args.cursor.is_some() {
        tailer.save()?;
    }
    out.finish()?;
    Ok(if stop.is_set() { Ending::Interrupted } else { Ending::Done })
}

fn start<R: Line>(args: &TailArgs, dir: &Path, zone: Zone) -> Result<From> {
    Ok(match (&args.from, args.sequence, &args.cursor) {
        (Some(text), ..) => {
            let time = text.parse::<TimeOfDay>()?;
            From::Time(Moment { time, zone }.among(some_time::<R>(dir)?)?)
        }
        (_, Some(sequence), _) => From::Sequence(sequence),
        (.., Some(name)) => From::Cursor(name.clone()),
        _ if args.now => From::Now,
        _ => From::First,
    })
}

/// A time of the recorded session: the latest of the first records, as a mark before the first
/// message has none. 0 in a journal without records.
fn some_time<R: Line>(dir: &Path) -> Result<u64> {
    let mut records = [R::zeroed(); BATCH_RECORDS];
    Ok(match Reader::<R>::open(dir)?.read(&mut records)? {
        Read::Records(count) => records[..count].iter().map(R::time).max().unwrap_or(0),
        Read::Pending | Read::End => 0,
    })
}

fn line<R: Line>(sequence: u64, record: &R, zone: Zone, as_json: bool) -> String {
    let (kind, instrument) = (record.kind_name(), record.instrument());
    let side = record.side_name();
    if as_json {
        let mut object = Map::new();
        object.insert("sequence".to_owned(), json!(sequence));
        object.insert("ts_ns".to_owned(), json!(record.time()));
        object.insert("kind".to_owned(), json!(kind));
        object.insert("instrument".to_owned(), json!(instrument));
        object.insert("side".to_owned(), json!(side));
        for (field, value) in record.values() {
            object.insert(field.to_owned(), value);
        }
        return Value::Object(object).to_string();
    }
    let time = time_of_day(record.time(), zone);
    let side = side.unwrap_or_default();
    let mut text = format!("{sequence:>9} {time} {kind:<12} {instrument:>5} {side:<4}");
    for (field, value) in record.values().into_iter().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if !value.is_empty() {
            text.push_str(&format!(" {field}={value}"));
        }
    }
    text
}
