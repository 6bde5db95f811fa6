//! `ringtape export`: what people load elsewhere, as tables: trades, bars, snapshots of books.
//!
//! Prices are exact decimals, times nanoseconds in the feed's own count, as `book --csv` has them.

mod bars;
mod books;
mod csv;
#[cfg(feature = "parquet")]
mod parquet;
mod trades;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ringtape::book::Replica;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Instrument};
use ringtape::feed::{Begin, Feed, Fill};
use ringtape::limits::FEED_BATCH_RECORDS;
use ringtape::units::{InstrumentId, Price, Qty};

use self::csv::Csv;
#[cfg(feature = "parquet")]
use self::parquet::Parquet;
use super::input::{self, Input};
use super::{Ending, parse, term};

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Every trade that counts as volume, and every broken one
    Trades(TableArgs),
    /// Opening, highest, lowest and closing price, volume in the feed's increments and turnover in
    /// its currency, by time or by volume; all are written at the end of the feed, without the
    /// trades that were broken until then. Executions of orders that are not in the book have no
    /// price, and count as volume and trades alone
    Bars(bars::BarsArgs),
    /// The best levels of books at regular times
    Books(books::BooksArgs),
}

/// What every table is made of and where it goes.
#[derive(Debug, Args)]
pub(super) struct TableArgs {
    #[command(flatten)]
    input: Input,
    /// These symbols only
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbols: Vec<String>,
    /// File to write, `.csv` or `.parquet`; CSV to stdout unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "CSV has no types"))]
    kind: Kind,
}

/// What the cells of a column are; in each of them there may be nothing.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Count,
    Text,
    /// Prices and amounts.
    Decimal,
}

impl Column {
    const fn count(name: &'static str) -> Self {
        Self { name, kind: Kind::Count }
    }

    const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    const fn decimal(name: &'static str) -> Self {
        Self { name, kind: Kind::Decimal }
    }
}

/// A cell of a table.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    /// There is none.
    Nothing,
    Count(u64),
    Text(&'a str),
    /// A price in increments, and the increment in 1e-9 of the currency.
    Price(Price, u64),
    /// An amount in 1e-9 of the currency.
    Amount(i128),
}

/// Where rows go.
trait Table {
    fn row(&mut self, row: &[Value<'_>]) -> io::Result<()>;

    /// After the last row.
    fn finish(&mut self) -> io::Result<()>;
}

/// What makes a table of a feed's events.
trait Rows {
    /// Its columns.
    fn columns(&self) -> &'static [Column];

    /// Before an event is applied to the books.
    fn before(&mut self, at: &Moment<'_>, event: &Event, table: &mut dyn Table) -> io::Result<()>;

    /// At the end of the feed.
    fn end(&mut self, at: &Moment<'_>, table: &mut dyn Table) -> io::Result<()>;
}

/// The state of the feed at an event.
struct Moment<'a> {
    replica: &'a Replica,
    /// Messages before it.
    message: u64,
    /// Time in the feed's own count.
    ts_ns: u64,
    /// Symbols that are wanted; all when empty.
    symbols: &'a [String],
}

impl Moment<'_> {
    /// An instrument that is wanted.
    fn listed(&self, id: InstrumentId) -> Option<&Instrument> {
        let instrument = self.replica.instruments().get(id)?;
        let symbol = instrument.symbol.as_str();
        let is_wanted = self.symbols.is_empty() || self.symbols.iter().any(|own| own == symbol);
        is_wanted.then_some(instrument)
    }
}

pub(super) fn run(command: &ExportCommand) -> Result<Ending> {
    match command {
        ExportCommand::Trades(args) => export(args, &mut trades::Trades),
        ExportCommand::Bars(args) => export(&args.table, &mut args.rows()?),
        ExportCommand::Books(args) => export(&args.table, &mut args.rows()?),
    }
}

fn export(args: &TableArgs, rows: &mut dyn Rows) -> Result<Ending> {
    let mut feed = args.input.open(None)?;
    if input::is_of_orders(&args.input.feeds, &*feed)? {
        return Err(Error::usage(
            "an order file publishes no trades and no books",
            "write its executions with `ringtape match`",
        ));
    }
    let begin = args.input.begin(&*feed)?;
    let Some(path) = &args.output else {
        let mut out = term::Stdout::lock();
        let table = Csv::new(&mut out, rows.columns());
        let written = write(&mut *feed, begin, args, rows, table, &term::closed_pipe);
        let failed = written.and_then(|failed| out.finish().map(|()| failed))?;
        return failed.map_or(Ok(Ending::Done), Err);
    };
    let format = Format::of(path)?;
    term::check_files(&[path], &args.input.feeds, None, args.force)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => term::closed_pipe(error),
        _ => Err(Error::io("write", path, error)),
    };
    let mut outcome = Ok(None);
    let named = term::write_whole(path, |file: File| {
        outcome = match format {
            Format::Csv => {
                let table = Csv::new(BufWriter::new(file), rows.columns());
                write(&mut *feed, begin, args, rows, table, &failed)
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let table = Parquet::new(file, rows.columns());
                write(&mut *feed, begin, args, rows, table, &failed)
            }
        };
        match &outcome {
            Err(error) | Ok(Some(error)) => Err(io::Error::other(error.to_string())),
            Ok(None) => Ok(()),
        }
    });
    if let Some(fault) = outcome? {
        term::tell_unwritten(path);
        return Err(fault);
    }
    named.map(|()| Ending::Done)
}

/// What a file is written as.
enum Format {
    Csv,
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    /// The format that a file's name says.
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(Self::Csv),
            #[cfg(feature = "parquet")]
            Some("parquet") => Ok(Self::Parquet),
            #[cfg(not(feature = "parquet"))]
            Some("parquet") => Err(Error::usage(
                format!("{}: this build writes no Parquet", path.display()),
                "build with `--features parquet`, or name the file with .csv",
            )),
            _ => Err(Error::usage(
                format!("{} does not say what to write", path.display()),
                "name the file with .csv or .parquet",
            )),
        }
    }
}

/// Writes the rows of a feed; a fault of the feed ends them and is given beside what is right, and
/// `failed` says what it means that a row cannot be written.
fn write(
    feed: &mut dyn Feed,
    mut begin: Begin,
    args: &TableArgs,
    rows: &mut dyn Rows,
    table: io::Result<impl Table>,
    failed: &dyn Fn(io::Error) -> Result<()>,
) -> Result<Option<Error>> {
    let failed = |error| failed(error).map(|()| None);
    let midnight_ns = feed.description().midnight_ns;
    let mut table = match table {
        Ok(table) => table,
        Err(error) => return failed(error),
    };
    let mut replica = Replica::new();
    let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
    let (mut message, mut ts_ns) = (0, 0);
    let fault = loop {
        let count = match feed.fill(&mut batch) {
            Ok(Fill::Records(count)) => count,
            Ok(Fill::Pending) => continue,
            Ok(Fill::End) => break None,
            Err(error) => break Some(error),
        };
        for event in &batch[..count] {
            let has_begun = begin.look(event)?;
            if event.ts_event > 0 {
                ts_ns = event.ts_event.saturating_sub(midnight_ns);
            }
            let at = Moment { replica: &replica, message, ts_ns, symbols: &args.symbols };
            if has_begun && let Err(error) = rows.before(&at, event, &mut table) {
                return failed(error);
            }
            replica.apply(event);
            message += u64::from(!event.is_continued());
        }
    };
    args.input.tell_empty(&begin, feed.checks());
    input::tell_missing(feed.description(), feed.checks());
    let at = Moment { replica: &replica, message, ts_ns, symbols: &args.symbols };
    if let Err(error) = rows.end(&at, &mut table).and_then(|()| table.finish()) {
        return failed(error);
    }
    input::warn_of_missing(&args.symbols, replica.instruments());
    Ok(fault)
}

/// A length of time, of at least 1 ns.
fn interval(text: &str) -> Result<u64> {
    match parse::duration(text)? {
        0 => Err(Error::usage("a table every 0 s has no end", "write --every 1s, 100ms or 300s")),
        ns => Ok(ns),
    }
}

/// A quantity as a cell.
fn qty(qty: Qty) -> Value<'static> {
    Value::Count(qty.0)
}
