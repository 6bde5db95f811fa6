//! The table of books at regular times.

use std::io;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::event::Event;
use ringtape::units::Side;

use super::{Column, Moment, Rows, Table, TableArgs, Value, interval, qty};

#[derive(Debug, Args)]
pub(in crate::cli) struct BooksArgs {
    #[command(flatten)]
    pub(super) table: TableArgs,
    /// Time between two snapshots; each is of the book before the first message at or after it
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
        Ok(Books { every: interval(&self.every)?, depth: self.depth, next: None })
    }
}

/// Snapshots of the wanted books.
pub(super) struct Books {
    every: u64,
    depth: usize,
    /// Time of the next snapshot; `None` before the first message.
    next: Option<u64>,
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
        let every = self.every;
        let next = *self.next.get_or_insert_with(|| at.ts_ns.div_ceil(every).saturating_mul(every));
        if at.ts_ns < next {
            return Ok(());
        }
        // Of several that fell into silence the last says what the others would.
        let last = at.ts_ns / every * every;
        self.next = Some(last.saturating_add(every));
        for (id, _) in at.replica.instruments().iter() {
            let Some(instrument) = at.listed(id) else { continue };
            for side in [Side::Buy, Side::Sell] {
                let levels = at.replica.levels(id, side).take(self.depth);
                for (level, place) in levels.zip(1..) {
                    table.row(&[
                        Value::Count(last),
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
        Ok(())
    }

    fn end(&mut self, _at: &Moment<'_>, _table: &mut dyn Table) -> io::Result<()> {
        Ok(())
    }
}
