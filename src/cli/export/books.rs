//! The table of books at regular times.

use std::io;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::event::Event;
use ringtape::units::Side;

use super::{Column, Moment, Rows, Table, TableArgs, Value, interval, qty};

/// Least time between two snapshots, in ns: a silence of a minute has 60,000 of them.
const EVERY_MIN: u64 = 1_000_000;

/// The longest silence of a feed in which snapshots are taken, in ns: between days, and before a
/// time that is none, there is one at its end.
const SILENCE_MAX: u64 = 6 * 3_600_000_000_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct BooksArgs {
    #[command(flatten)]
    pub(super) table: TableArgs,
    /// Time between two snapshots, at least 1ms; each is of the book before the first message at or
    /// after it. A silence of more than 6 hours, such as between two days, has one, at its end
    #[arg(long, value_name = "TIME", default_value = "60s")]
    every: String,
    /// Levels of a side
    #[arg(long, value_name = "N", default_value_t = 5)]
    depth: usize,
}

impl BooksArgs {
    pub(super) fn rows(&self) -> Result<Books> {
        if self.depth == 0 {
            return Err(Error::usage("a book of 0 levels is none", "write --depth 5"));
        }
        let every = interval(&self.every)?;
        if every < EVERY_MIN {
            return Err(Error::usage(
                format!("snapshots every {every} ns are more than a table holds"),
                "write --every 1ms or more",
            ));
        }
        Ok(Books { every, depth: self.depth, next: None })
    }
}

/// Snapshots of the wanted books.
pub(super) struct Books {
    every: u64,
    depth: usize,
    /// Time of the next snapshot; `None` before the first message.
    next: Option<u64>,
}

impl Books {
    /// Writes the books as of a time; says whether there was anything in them.
    fn write(&self, ts_ns: u64, at: &Moment<'_>, table: &mut dyn Table) -> io::Result<bool> {
        let mut has_rows = false;
        for (id, _) in at.replica.instruments().iter() {
            let Some(instrument) = at.listed(id) else { continue };
            for side in [Side::Buy, Side::Sell] {
                let levels = at.replica.levels(id, side).take(self.depth);
                for (level, place) in levels.zip(1..) {
                    has_rows = true;
                    table.row(&[
                        Value::Count(ts_ns),
                        Value::Text(instrument.symbol.as_str()),
                        Value::Text(side.name()),
                        Value::Count(place),
                        Value::Price(level.price, instrument.price_increment),
                        qty(level.qty),
                        Value::Count(u64::from(level.orders)),
                    ])?;
                }
            }
        }
        Ok(has_rows)
    }
}

impl Rows for Books {
    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::count("ts_ns"),
                Column::text("symbol"),
                Column::text("side"),
                Column::count("level"),
                Column::decimal("price"),
                Column::count("qty"),
                Column::count("orders"),
            ]
        }
    }

    fn before(&mut self, at: &Moment<'_>, _event: &Event, table: &mut dyn Table) -> io::Result<()> {
        if self.next.is_some_and(|next| at.ts_ns < next) {
            return Ok(());
        }
        let every = self.every;
        // So that a time which is none, 2^64 - 1, has one after it.
        let now = at.ts_ns.min(u64::MAX - every);
        let last = now / every * every;
        let mut next = self.next.unwrap_or_else(|| now.div_ceil(every) * every);
        if now.saturating_sub(next) > SILENCE_MAX {
            next = last;
        }
        while next <= now {
            // Where nothing rests nothing will before this message.
            let has_rows = self.write(next, at, table)?;
            next = if has_rows { next } else { last } + every;
        }
        self.next = Some(next);
        Ok(())
    }

    fn end(&mut self, _at: &Moment<'_>, _table: &mut dyn Table) -> io::Result<()> {
        Ok(())
    }
}
