//! A venue's market as an order file: the commands that must have come in for its books to be what
//! they were.
//!
//! | the venue says | the order file has |
//! |---|---|
//! | an order came | `new`, good till cancelled |
//! | one exchange event executes orders | one `new` of the other side, immediate or cancel, as far as the last price |
//! | an order was executed at another price, or in a cross | `reduce` or `cancel`: no command does that |
//! | reduced, deleted, replaced, modified | `reduce`, `cancel`, `replace` |
//! | halted; quoting; trading again | `halt`; `auction`; `resume`, or `uncross`, which finds nothing to trade |
//!
//! So the books after each exchange event are the feed's, as far as price-time priority made them.
//! Match numbers, attributions, hidden trades, crosses and notices are left out, and the running
//! hash of touches is another where one event of the feed takes several commands. No order of an
//! order file has the number 0: a venue's order of that reference has [`REFERENCE_ZERO`].

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ringtape::book::Replica;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, EventView, Flags, payload};
use ringtape::feed::Feed;
use ringtape::report::format::{csv_field, thousands};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use super::super::{Ending, executions, term};
use super::{drive, ending, parted, stop_on_interrupt, tell_notes, write_output};

const HEADER: &str = "action,order_id,symbol,side,tif,price,qty,new_order_id,ts";

/// Aggressors have no reference in a feed; theirs are from here on.
const AGGRESSORS_FROM: u64 = 1 << 62;

/// The number of the order whose reference is 0.
const REFERENCE_ZERO: OrderId = OrderId(AGGRESSORS_FROM - 1);

/// What an instrument may do, by the commands so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Trading,
    Halted,
    Call,
}

/// The orders that one exchange event executed.
struct Sweep {
    resting: Side,
    price: Price,
    qty: u64,
}

/// Writes the commands of a feed.
struct Commands<W> {
    out: W,
    replica: Replica,
    midnight_ns: u64,
    /// Time of the row before; an order file never goes back.
    ts: u64,
    /// What was executed of each live order, which a replacement's total holds.
    filled: HashMap<OrderId, u64>,
    phases: HashMap<u32, Phase>,
    sweep: Option<Sweep>,
    aggressors: u64,
    rows: u64,
    left_out: u64,
}

/// Writes the order file at `path`, and the price increments of its symbols beside it.
pub(super) fn write(mut feed: Box<dyn Feed>, path: &Path) -> Result<Ending> {
    let increments = increments_path(path);
    let stop = stop_on_interrupt()?;
    let midnight_ns = feed.description().midnight_ns;
    let mut told = (0, 0);
    write_output(path, |file| {
        let mut commands = Commands::new(BufWriter::new(file), midnight_ns);
        writeln!(commands.out, "{HEADER}")?;
        let outcome = drive(&mut *feed, &stop, |records| {
            commands.take(records).map_err(|source| Error::io("write", path, source))
        });
        commands.out.flush()?;
        told = (commands.rows, commands.left_out);
        let text = commands.increments();
        Ok(outcome.and_then(|()| {
            term::write_whole(&increments, |mut file| file.write_all(text.as_bytes()))
        }))
    })?;
    tell_notes(feed.description(), feed.checks());
    let (rows, left_out) = told;
    if left_out > 0 {
        let left_out = thousands(left_out);
        term::tell(format_args!("! {left_out} messages are left out: no command says them"));
    }
    let (path, increments) = (path.display(), increments.display());
    term::tell(format_args!(
        "{} rows in {path}: run them with `ringtape match {path} --instruments {increments}`",
        thousands(rows)
    ));
    Ok(ending(&stop))
}

/// Where the price increments go: beside the order file, under its name.
pub(super) fn increments_path(path: &Path) -> PathBuf {
    path.with_extension("toml")
}

/// The number of an order in an order file.
fn number(reference: OrderId) -> OrderId {
    match reference {
        OrderId(0) => REFERENCE_ZERO,
        other => other,
    }
}

impl<W: Write> Commands<W> {
    fn new(out: W, midnight_ns: u64) -> Self {
        Self {
            out,
            replica: Replica::new(),
            midnight_ns,
            ts: 0,
            filled: HashMap::new(),
            phases: HashMap::new(),
            sweep: None,
            aggressors: AGGRESSORS_FROM,
            rows: 0,
            left_out: 0,
        }
    }

    /// Takes the records of one message.
    fn take(&mut self, records: &[Event]) -> io::Result<()> {
        let (introducing, records) = parted(records);
        for record in introducing {
            self.replica.apply(record);
        }
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        self.ts = self.ts.max(first.ts_event.saturating_sub(self.midnight_ns));
        if !matches!(first.view(), EventView::Execute(_)) {
            self.end_sweep(first.instrument)?;
        }
        self.say(first)?;
        for record in records {
            self.replica.apply(record);
        }
        if last.has(Flags::LAST) {
            self.end_sweep(first.instrument)?;
        }
        Ok(())
    }

    /// Writes the commands of an event, given the books before it.
    fn say(&mut self, event: &Event) -> io::Result<()> {
        let id = event.instrument;
        match event.view() {
            EventView::Add(&payload::Add { order_id, price, qty, .. }) => match event.side() {
                Some(side) => self.enter(id, (order_id, side), "", (price, qty)),
                None => self.leave_out(),
            },
            EventView::Execute(execute) => self.execute(execute.order_id, execute.qty),
            EventView::ExecuteAt(execute) => self.take_off(id, execute.order_id, execute.qty),
            EventView::Reduce(reduce) => self.take_off(id, reduce.order_id, reduce.qty),
            EventView::Delete(delete) => self.take_off(id, delete.order_id, Qty(u64::MAX)),
            EventView::Replace(&payload::Replace { order_id, new_order_id, price, qty }) => {
                self.replace(id, order_id, Some(new_order_id), (price, qty))
            }
            EventView::Modify(modify) => match self.replica.order(modify.order_id) {
                Some(order) if order.price == modify.price && modify.qty <= order.qty => {
                    self.take_off(id, modify.order_id, Qty(order.qty.0 - modify.qty.0))
                }
                _ => self.replace(id, modify.order_id, None, (modify.price, modify.qty)),
            },
            EventView::Clear(_) => {
                let symbol = self.symbol(id);
                self.row(format_args!("mass_cancel,,{symbol},,,,,"))
            }
            EventView::Status(status) => self.change_phase(id, status.state.0),
            _ => self.leave_out(),
        }
    }

    fn row(&mut self, fields: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.rows += 1;
        writeln!(self.out, "{fields},{}", self.ts)
    }

    fn leave_out(&mut self) -> io::Result<()> {
        self.left_out += 1;
        Ok(())
    }

    fn symbol(&self, id: u32) -> String {
        let known = self.replica.instruments().get(InstrumentId(id));
        known.map_or_else(|| id.to_string(), |known| csv_field(known.symbol.as_str()))
    }

    fn price(&self, id: u32, price: Price) -> String {
        executions::price(price, InstrumentId(id), self.replica.instruments())
    }

    fn enter(
        &mut self,
        id: u32,
        (order_id, side): (OrderId, Side),
        tif: &str,
        (price, qty): (Price, Qty),
    ) -> io::Result<()> {
        let (symbol, price, side) = (self.symbol(id), self.price(id, price), side.name());
        let order_id = number(order_id);
        self.row(format_args!("new,{order_id},{symbol},{side},{tif},{price},{qty},"))
    }

    /// Adds an execution to the aggressor's.
    fn execute(&mut self, order_id: OrderId, qty: Qty) -> io::Result<()> {
        let Some(order) = self.replica.order(order_id) else { return self.leave_out() };
        if qty >= order.qty {
            self.filled.remove(&order_id);
        } else {
            *self.filled.entry(order_id).or_default() += qty.0;
        }
        let sweep =
            self.sweep.get_or_insert(Sweep { resting: order.side, price: order.price, qty: 0 });
        sweep.price = order.price;
        sweep.qty += qty.0;
        Ok(())
    }

    /// Writes the aggressor whose executions came to an end.
    fn end_sweep(&mut self, id: u32) -> io::Result<()> {
        let Some(Sweep { resting, price, qty }) = self.sweep.take() else { return Ok(()) };
        self.aggressors += 1;
        let aggressor = (OrderId(self.aggressors), resting.opposite());
        self.enter(id, aggressor, "ioc", (price, Qty(qty)))
    }

    /// Takes quantity off an order, or the order out of the book.
    fn take_off(&mut self, id: u32, order_id: OrderId, qty: Qty) -> io::Result<()> {
        let Some(order) = self.replica.order(order_id) else { return self.leave_out() };
        let (symbol, number) = (self.symbol(id), number(order_id));
        if qty >= order.qty {
            self.filled.remove(&order_id);
            self.row(format_args!("cancel,{number},{symbol},,,,,"))
        } else {
            self.row(format_args!("reduce,{number},{symbol},,,,{qty},"))
        }
    }

    fn replace(
        &mut self,
        id: u32,
        order_id: OrderId,
        new: Option<OrderId>,
        (price, Qty(qty)): (Price, Qty),
    ) -> io::Result<()> {
        if self.replica.order(order_id).is_none() {
            return self.leave_out();
        }
        let (symbol, price, number_before) =
            (self.symbol(id), self.price(id, price), number(order_id));
        let filled = self.filled.remove(&order_id).unwrap_or(0);
        if filled + qty == 0 {
            // A total of 0 is none, and an empty one leaves it as it was.
            return self.row(format_args!("cancel,{number_before},{symbol},,,,,"));
        }
        self.filled.insert(new.unwrap_or(order_id), filled);
        let (total, new) =
            (filled + qty, new.map_or_else(String::new, |new| number(new).to_string()));
        self.row(format_args!("replace,{number_before},{symbol},,,{price},{total},{new}"))
    }

    /// Writes what brings an instrument from the phase it is in to a venue's state.
    fn change_phase(&mut self, id: u32, state: u8) -> io::Result<()> {
        let to = match state {
            b'H' | b'P' => Phase::Halted,
            b'Q' => Phase::Call,
            _ => Phase::Trading,
        };
        let from = self.phases.insert(id, to).unwrap_or(Phase::Trading);
        let actions: &[&str] = match (from, to) {
            (Phase::Trading, Phase::Halted) => &["halt"],
            (Phase::Trading, Phase::Call) => &["auction"],
            (Phase::Halted, Phase::Trading) => &["resume"],
            (Phase::Halted, Phase::Call) => &["resume", "auction"],
            (Phase::Call, Phase::Trading) => &["uncross"],
            (Phase::Call, Phase::Halted) => &["uncross", "halt"],
            _ => &[],
        };
        let symbol = self.symbol(id);
        actions.iter().try_for_each(|action| self.row(format_args!("{action},,{symbol},,,,,")))
    }

    /// The price increments of all symbols, as `--instruments` takes them.
    fn increments(&self) -> String {
        let tables: BTreeMap<String, String> = self
            .replica
            .instruments()
            .iter()
            .map(|(_, known)| {
                let increment = known.format_price(Price(1));
                (known.symbol.as_str().to_owned(), increment)
            })
            .collect();
        let table = |(symbol, increment)| {
            format!("[{}]\nprice-increment = \"{increment}\"\n", toml::Value::String(symbol))
        };
        tables.into_iter().map(table).collect()
    }
}
