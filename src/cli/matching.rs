//! `ringtape match`: an order file through the matching engine, and the flags that shape a matcher.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::slice;

use clap::Args;
use ringtape::engine::Exchange;
use ringtape::error::{Error, Result};
use ringtape::event::Execution;
use ringtape::feed::orders::OrderFeed;
use ringtape::feed::{Feed as _, OpenOptions, Zone, open_orders};
use ringtape::hash::RunningHash;
use ringtape::matching::{Allocation, MatcherConfig, Priority};
use ringtape::report::format::{csv_field, reasons, thousands};
use ringtape::report::rejects_json;
use serde_json::{Value, json};

use super::instruments::{self, Instruments};
use super::{Ending, executions, parse, term};

#[derive(Debug, Args)]
pub(super) struct MatchArgs {
    /// Order file (CSV), plain or gzip; `-` for stdin
    #[arg(value_name = "ORDERS.csv")]
    orders: PathBuf,
    /// Write the final book to this file as CSV
    #[arg(long, value_name = "FILE")]
    book_out: Option<PathBuf>,
    #[command(flatten)]
    matcher: MatcherFlags,
    /// Terms and rules of instruments, a table for each symbol
    #[arg(long, value_name = "FILE.toml", value_parser = instruments::read)]
    instruments: Option<Instruments>,
    /// Overwrite the file of the book
    #[arg(long)]
    force: bool,
    /// Print one JSON document instead of CSV
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MatchArgs) -> Result<Ending> {
    let config = args.matcher.config()?;
    if let Some(path) = &args.book_out {
        term::check_files(&[path], slice::from_ref(&args.orders), None, args.force)?;
    }
    let own = args.instruments.as_ref();
    own.map_or(Ok(()), |own| own.check_no_fees("nothing is charged in an order file"))?;
    // Order files are in UTC.
    let instruments = own.map(|own| own.overrides(Zone::Utc)).transpose()?;
    let options = OpenOptions { instruments: instruments.clone(), ..OpenOptions::default() };
    let feed = open_orders(&args.orders, &options)?;
    own.map_or(Ok(()), |own| own.check_clock(feed.description()))?;
    let mut session = Session {
        exchange: Exchange::new(config).knowing(instruments.unwrap_or_default()),
        hash: RunningHash::default(),
        rows: 0,
        seq: 0,
        is_json: args.json,
        documents: Vec::new(),
    };
    let outcome = session.play(feed);
    // What came before a fault has been printed; a book that is not final is not written.
    outcome?;
    if let Some(path) = &args.book_out {
        let book = session.book();
        term::write_whole(path, |mut file| file.write_all(book.as_bytes()))?;
    }
    if args.json {
        term::print(format_args!("{:#}", session.document()))?;
    }
    term::tell(session.summary().trim_end());
    Ok(Ending::Done)
}

/// The flags that shape a matcher.
#[derive(Clone, Debug, Args)]
pub(super) struct MatcherFlags {
    /// Place of a replaced order: `standard`, or `cme` where a pure reduction keeps it
    #[arg(long, value_name = "RULE")]
    pub(super) priority: Option<String>,
    /// Who trades at a price: `fifo`, `pro-rata`, or `pro-rata:top` with the first order before all
    #[arg(long, value_name = "RULE")]
    pub(super) allocation: Option<String>,
    /// Live orders at most, such as 1M; more are rejected
    #[arg(long, value_name = "N")]
    pub(super) capacity: Option<String>,
}

impl MatcherFlags {
    /// The matcher that they shape.
    pub(super) fn config(&self) -> Result<MatcherConfig> {
        let Self { priority, allocation, capacity } = self;
        matcher_config(priority.as_deref(), allocation.as_deref(), capacity.as_deref())
    }
}

/// A matcher as flags shape it.
pub(super) fn matcher_config(
    priority: Option<&str>,
    allocation: Option<&str>,
    capacity: Option<&str>,
) -> Result<MatcherConfig> {
    let mut config = MatcherConfig::default();
    config.priority = match priority {
        None => config.priority,
        Some("standard") => Priority::Standard,
        Some("cme") => Priority::Cme,
        Some(other) => {
            let what = format!("unknown rule of priority `{other}`");
            return Err(Error::usage(what, "use standard or cme"));
        }
    };
    config.allocation = match allocation {
        None => config.allocation,
        Some("fifo") => Allocation::Fifo,
        Some("pro-rata") => Allocation::ProRata { top: false },
        Some("pro-rata:top") => Allocation::ProRata { top: true },
        Some(other) => {
            let what = format!("unknown rule of allocation `{other}`");
            return Err(Error::usage(what, "use fifo, pro-rata or pro-rata:top"));
        }
    };
    if let Some(text) = capacity {
        config.orders_max = match parse::count_u32(text)? {
            0 => return Err(Error::usage("a capacity of 0 takes no order", "ask for more")),
            orders => orders as usize,
        };
    }
    Ok(config)
}

/// An order file on its way through the exchange.
struct Session {
    exchange: Exchange,
    hash: RunningHash,
    rows: u64,
    /// Number of the next execution that is told.
    seq: u64,
    is_json: bool,
    /// What is told, for one document at the end.
    documents: Vec<Value>,
}

impl Session {
    fn play(&mut self, mut feed: OrderFeed) -> Result<()> {
        let mut out = term::Stdout::lock();
        if !self.is_json {
            out.line(executions::HEADER)?;
        }
        let played = self.play_rows(&mut feed, &mut out);
        out.finish()?;
        played?;
        let mut last = Vec::new();
        self.exchange.end(&mut last);
        last.iter().for_each(|execution| self.take_in(execution));
        Ok(())
    }

    fn play_rows(&mut self, feed: &mut OrderFeed, out: &mut term::Stdout) -> Result<()> {
        let (mut records, mut found) = (Vec::new(), Vec::new());
        while let Some(line) = feed.next_row(&mut records)? {
            self.rows += 1;
            for record in records.drain(..) {
                self.exchange.apply(&record, &mut found);
            }
            for execution in found.drain(..) {
                self.take_in(&execution);
                if !executions::is_told(&execution) {
                    continue;
                }
                let instruments = self.exchange.matcher().instruments();
                if self.is_json {
                    let numbers = [("line", line), ("seq", self.seq)];
                    let document = executions::json(numbers, &execution, instruments);
                    self.documents.push(document);
                } else {
                    out.line(executions::csv(line, self.seq, &execution, instruments))?;
                }
                self.seq += 1;
            }
        }
        Ok(())
    }

    fn take_in(&mut self, execution: &Execution) {
        self.hash.update(bytemuck::bytes_of(&execution.canonical()));
    }

    /// The final book: every order that rests, by symbol, side, price and place in its queue.
    fn book(&self) -> String {
        let mut text =
            "symbol,side,price,position,order_id,open_qty,displayed_qty,account\n".to_owned();
        let instruments = self.exchange.matcher().instruments();
        for (id, instrument) in instruments.iter() {
            let symbol = csv_field(instrument.symbol.as_str());
            let resting = self.exchange.resting(id);
            for queue in resting.chunk_by(|a, b| (a.side, a.price) == (b.side, b.price)) {
                for (position, order) in (1..).zip(queue) {
                    let price = instrument.format_price(order.price);
                    let _ = writeln!(
                        text,
                        "{symbol},{},{price},{position},{},{},{},{}",
                        order.side.name(),
                        order.order_id,
                        order.leaves,
                        order.displayed,
                        order.account
                    );
                }
            }
        }
        text
    }

    fn document(&mut self) -> Value {
        let counts = self.exchange.counts();
        json!({
            "schema": 1,
            "rows": self.rows,
            "accepted": counts.accepted,
            "rejected": counts.rejected,
            "rejects": rejects_json(&counts.rejects),
            "matches": self.exchange.matcher().totals().matches,
            "live_orders": self.exchange.matcher().totals().live_orders,
            "hashes": {
                "books": format!("{:016x}", self.exchange.books_hash()),
                "orders": format!("{:016x}", self.hash.value()),
            },
            "executions": std::mem::take(&mut self.documents),
        })
    }

    fn summary(&self) -> String {
        let counts = self.exchange.counts();
        let totals = self.exchange.matcher().totals();
        let mut text = format!(
            "{} rows: {} orders accepted, {} commands rejected{}\n",
            thousands(self.rows),
            thousands(counts.accepted),
            thousands(counts.rejected),
            reasons(&counts.rejects),
        );
        let _ = writeln!(
            text,
            "{} matches, {} executions; {} orders are live",
            thousands(totals.matches),
            thousands(self.seq),
            thousands(totals.live_orders as u64),
        );
        let _ = writeln!(
            text,
            "hashes        books {:016x}, orders {:016x}",
            self.exchange.books_hash(),
            self.hash.value()
        );
        for warning in self.exchange.warnings() {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}
