//! LOBSTER files: messages of one instrument, and the book after each.
//!
//! A row says less than an ITCH message: a replacement is a deletion and a new order, match
//! numbers, attributions and what is no order of the book are left out. So the book after each row
//! is that of the feed, and the running hash of its touches is not.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ringtape::book::{LevelView, Replica};
use ringtape::error::{Error, Result};
use ringtape::event::{Event, EventView, Flags, payload};
use ringtape::feed::Feed;
use ringtape::report::format::thousands;
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use super::super::{Ending, term};
use super::{ConvertArgs, drive, ending, parted, stop_on_interrupt, tell_notes, write_output};

/// What is in the name of a message file; other names of CSV are of order files.
pub(super) const MESSAGE_FILE: &str = "message";

/// Levels of the order book file where the name of the message file says none.
const LEVELS: usize = 10;

/// Levels that an order book file may have: LOBSTER's most.
const LEVELS_MAX: usize = 200;

/// Prices of LOBSTER's levels that are not there.
const NO_ASK: i64 = 9_999_999_999;
const NO_BID: i64 = -9_999_999_999;

/// Price steps of LOBSTER, in 1e-9 of the currency.
const PRICE_INCREMENT: u64 = 100_000;

/// ns of one second and of one day.
const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// A row of the message file, but its time.
#[derive(Clone, Copy)]
struct Row {
    letter: u8,
    order_id: i64,
    qty: u64,
    price: i64,
    direction: i8,
}

/// Writes the message file at `path`, and the order book file beside it.
pub(super) fn write(args: &ConvertArgs, mut feed: Box<dyn Feed>, path: &Path) -> Result<Ending> {
    let books = book_path(path);
    let stop = stop_on_interrupt()?;
    let (mut rows, mut left_out, mut unprinted) = (0, 0, 0);
    write_output(path, |messages| {
        let mut messages = BufWriter::new(messages);
        let mut book_file = BufWriter::new(io::Cursor::new(Vec::new()));
        let mut replica = Replica::new();
        let mut chosen = Chosen::new(args.symbol.as_deref());
        let depth = depth_of(path);
        let midnight = feed.description().midnight_ns;
        let outcome = drive(&mut *feed, &stop, |records| {
            chosen.look(&records[0])?;
            let event = parted(records).1.first().unwrap_or(&records[0]);
            let is_wanted = chosen.is(event.instrument);
            let said = if is_wanted { said(event, &replica) } else { Vec::new() };
            records.iter().for_each(|record| {
                replica.apply(record);
            });
            left_out += u64::from(is_wanted && said.is_empty());
            unprinted += u64::from(!said.is_empty() && is_unprinted(event));
            let since = event.ts_event.saturating_sub(midnight) % DAY;
            for (index, row) in said.iter().enumerate() {
                let is_last = index + 1 == said.len();
                let book = match is_last {
                    true => levels(&replica, event.instrument, depth, None),
                    false => levels(&replica, event.instrument, depth, Some(&said[index + 1])),
                };
                rows += 1;
                write_row(&mut messages, since, row)
                    .and_then(|()| writeln!(book_file, "{book}"))
                    .map_err(|source| Error::io("write", path, source))?;
            }
            Ok(())
        });
        let outcome = outcome.and_then(|()| if rows > 0 { Ok(()) } else { Err(chosen.nothing()) });
        messages.flush()?;
        let book_file = book_file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let book_rows = book_file.into_inner();
        Ok(outcome.and_then(|()| term::write_whole(&books, |mut file| file.write_all(&book_rows))))
    })?;
    tell_notes(feed.description(), feed.checks());
    if left_out > 0 {
        term::tell(format_args!(
            "! {} messages are left out: LOBSTER has no row for them, or the book not their orders",
            thousands(left_out)
        ));
    }
    if unprinted > 0 {
        term::tell(format_args!(
            "! {} executions that are no volume are rows like others: LOBSTER has no mark for them",
            thousands(unprinted)
        ));
    }
    term::tell(format_args!("{} rows in {}", thousands(rows), path.display()));
    Ok(ending(&stop))
}

/// Levels of the order book file, as the end of the name says: `..._message_5.csv`.
fn depth_of(path: &Path) -> usize {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let told = stem.rsplit_once('_').and_then(|(_, depth)| depth.parse().ok());
    told.filter(|depth| (1..=LEVELS_MAX).contains(depth)).unwrap_or(LEVELS)
}

/// The name of the order book file: `orderbook` in place of `message`.
pub(super) fn book_path(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.with_file_name(name.replacen(MESSAGE_FILE, "orderbook", 1))
}

/// The instrument that is written.
struct Chosen {
    symbol: Option<String>,
    instrument: Option<u32>,
}

impl Chosen {
    fn new(symbol: Option<&str>) -> Self {
        Self { symbol: symbol.map(str::to_owned), instrument: None }
    }

    fn is(&self, instrument: u32) -> bool {
        self.instrument == Some(instrument)
    }

    /// Why there is no row.
    fn nothing(&self) -> Error {
        let what = match &self.symbol {
            Some(symbol) => format!("no message of {symbol} has a row in a LOBSTER file"),
            None => "no message of the feed has a row in a LOBSTER file".to_owned(),
        };
        Error::usage(what, "`ringtape info` lists the instruments and the messages of a feed")
    }

    /// Looks whether an event introduces the instrument.
    fn look(&mut self, event: &Event) -> Result<()> {
        let EventView::Instrument(instrument) = event.view() else { return Ok(()) };
        let symbol = instrument.symbol.as_str();
        match (&self.symbol, self.instrument) {
            (Some(wanted), _) if wanted != symbol => return Ok(()),
            (None, Some(known)) if known != event.instrument => {
                return Err(Error::usage(
                    "a LOBSTER file is of one instrument, and the feed has several",
                    "name one with --symbol",
                ));
            }
            _ => self.instrument = Some(event.instrument),
        }
        if instrument.price_increment != PRICE_INCREMENT {
            return Err(Error::usage(
                format!("the prices of {symbol} are not in steps of 0.0001, as LOBSTER has them"),
                "convert it to a journal, which keeps every step",
            ));
        }
        Ok(())
    }
}

/// Whether an event is an execution that prints elsewhere, such as in a cross.
fn is_unprinted(event: &Event) -> bool {
    matches!(event.view(), EventView::ExecuteAt(_)) && !event.has(Flags::PRINTABLE)
}

fn direction(side: Side) -> i8 {
    match side {
        Side::Buy => 1,
        Side::Sell => -1,
    }
}

/// The rows that say what an event does, given the book before it.
fn said(event: &Event, before: &Replica) -> Vec<Row> {
    let row = |letter, OrderId(order_id), Qty(qty), Price(price), side| Row {
        letter,
        order_id: order_id as i64,
        qty,
        price,
        direction: direction(side),
    };
    let resting = |order_id| before.order(order_id);
    match event.view() {
        EventView::Add(payload::Add { order_id, price, qty, .. }) => {
            event.side().map(|side| row(b'1', *order_id, *qty, *price, side)).into_iter().collect()
        }
        EventView::Reduce(reduce) => resting(reduce.order_id)
            .map(|order| {
                let letter = if reduce.qty < order.qty { b'2' } else { b'3' };
                row(letter, reduce.order_id, reduce.qty.min(order.qty), order.price, order.side)
            })
            .into_iter()
            .collect(),
        EventView::Delete(delete) => resting(delete.order_id)
            .map(|order| row(b'3', delete.order_id, order.qty, order.price, order.side))
            .into_iter()
            .collect(),
        EventView::Execute(execute) => resting(execute.order_id)
            .map(|order| row(b'4', execute.order_id, execute.qty, order.price, order.side))
            .into_iter()
            .collect(),
        EventView::ExecuteAt(execute) => resting(execute.order_id)
            .map(|order| row(b'4', execute.order_id, execute.qty, execute.price, order.side))
            .into_iter()
            .collect(),
        EventView::Replace(replace) => resting(replace.order_id)
            .map(|order| {
                let new = (replace.new_order_id, replace.qty, replace.price);
                [
                    row(b'3', replace.order_id, order.qty, order.price, order.side),
                    row(b'1', new.0, new.1, new.2, order.side),
                ]
            })
            .into_iter()
            .flatten()
            .collect(),
        EventView::Trade(trade) => {
            let side = event.side().unwrap_or(Side::Buy);
            vec![row(b'5', OrderId(0), trade.qty, trade.price, side)]
        }
        EventView::Cross(cross) => {
            let row = row(b'6', OrderId(0), cross.qty, cross.price, Side::Sell);
            vec![Row { order_id: -1, ..row }]
        }
        EventView::Status(status) => {
            let price = match status.state.0 {
                b'H' | b'P' => -1,
                b'Q' => 0,
                _ => 1,
            };
            vec![Row { letter: b'7', order_id: 0, qty: 0, price, direction: -1 }]
        }
        _ => Vec::new(),
    }
}

fn write_row(out: &mut impl Write, since_ns: u64, row: &Row) -> io::Result<()> {
    let Row { letter, order_id, qty, price, direction } = *row;
    writeln!(
        out,
        "{}.{:09},{},{order_id},{qty},{price},{direction}",
        since_ns / SECOND,
        since_ns % SECOND,
        char::from(letter),
    )
}

/// The best levels as a row of the order book file: after the message, or before the new order
/// `coming` that the same message brings.
fn levels(replica: &Replica, instrument: u32, depth: usize, coming: Option<&Row>) -> String {
    let side = |side: Side| {
        let levels: Vec<LevelView> =
            replica.levels(InstrumentId(instrument), side).take(depth + 1).collect();
        levels.into_iter().filter_map(move |level| {
            let is_its = coming
                .is_some_and(|row| row.price == level.price.0 && row.direction == direction(side));
            let qty = level.qty.0 - if is_its { coming.map_or(0, |row| row.qty) } else { 0 };
            (qty > 0).then_some((level.price.0, qty))
        })
    };
    let (mut asks, mut bids) = (side(Side::Sell), side(Side::Buy));
    let columns: Vec<String> = (0..depth)
        .map(|_| {
            let (ask, ask_qty) = asks.next().unwrap_or((NO_ASK, 0));
            let (bid, bid_qty) = bids.next().unwrap_or((NO_BID, 0));
            format!("{ask},{ask_qty},{bid},{bid_qty}")
        })
        .collect();
    columns.join(",")
}
