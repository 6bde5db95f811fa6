//! The table of bars, by time or by volume.

use std::collections::BTreeMap;
use std::io;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::event::Event;
use ringtape::units::{InstrumentId, Price};

use super::trades::Trade;
use super::{Column, Moment, Rows, Table, TableArgs, Value, interval};
use crate::cli::parse;

#[derive(Debug, Args)]
pub(in crate::cli) struct BarsArgs {
    #[command(flatten)]
    pub(super) table: TableArgs,
    /// A bar of each symbol for each such time in which it traded: `1s`, `300s` [default: 60s]
    #[arg(long, value_name = "TIME", conflicts_with = "volume")]
    every: Option<String>,
    /// A bar ends with the trade that brings its volume to so much
    #[arg(long, value_name = "QTY")]
    volume: Option<String>,
}

impl BarsArgs {
    pub(super) fn rows(&self) -> Result<Bars> {
        let end = match (&self.volume, &self.every) {
            (Some(volume), _) => match parse::count(volume)? {
                0 => return Err(Error::usage("bars of volume 0 never end", "write --volume 10k")),
                volume => End::Volume(volume),
            },
            (None, every) => End::Time(interval(every.as_deref().unwrap_or("60s"))?),
        };
        Ok(Bars { end, open: BTreeMap::new(), upto: 0 })
    }
}

/// When a bar ends.
#[derive(Clone, Copy)]
enum End {
    /// At multiples of so many ns of the feed's time.
    Time(u64),
    /// With the trade that makes it so large.
    Volume(u64),
}

/// The bars that are not over.
pub(super) struct Bars {
    end: End,
    open: BTreeMap<InstrumentId, Bar>,
    /// End of the open bars by time.
    upto: u64,
}

/// A bar; prices in increments.
struct Bar {
    first_ns: u64,
    last_ns: u64,
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    volume: u64,
    /// Sum of price times quantity.
    turnover: i128,
    trades: u64,
}

impl Bar {
    fn new(ts_ns: u64, price: Price) -> Self {
        Self {
            first_ns: ts_ns,
            last_ns: ts_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            turnover: 0,
            trades: 0,
        }
    }

    fn take(&mut self, ts_ns: u64, price: Price, qty: u64) {
        (self.last_ns, self.close) = (ts_ns, price);
        (self.high, self.low) = (self.high.max(price), self.low.min(price));
        self.volume = self.volume.saturating_add(qty);
        self.turnover += i128::from(price.0) * i128::from(qty);
        self.trades += 1;
    }

    fn write(&self, id: InstrumentId, at: &Moment<'_>, table: &mut dyn Table) -> io::Result<()> {
        let Some((symbol, increment)) = at.listed(id) else { return Ok(()) };
        let price = |price| Value::Price(price, increment);
        table.row(&[
            Value::Text(symbol),
            Value::Count(self.first_ns),
            Value::Count(self.last_ns),
            price(self.open),
            price(self.high),
            price(self.low),
            price(self.close),
            Value::Count(self.volume),
            Value::Amount(self.turnover * i128::from(increment)),
            Value::Count(self.trades),
        ])
    }
}

impl Bars {
    fn end_all(&mut self, at: &Moment<'_>, table: &mut dyn Table) -> io::Result<()> {
        let over = std::mem::take(&mut self.open);
        over.iter().try_for_each(|(id, bar)| bar.write(*id, at, table))
    }
}

impl Rows for Bars {
    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::text("symbol"),
                Column::count("first_ns"),
                Column::count("last_ns"),
                Column::decimal("open"),
                Column::decimal("high"),
                Column::decimal("low"),
                Column::decimal("close"),
                Column::count("volume"),
                Column::decimal("turnover"),
                Column::count("trades"),
            ]
        }
    }

    fn before(&mut self, at: &Moment<'_>, event: &Event, table: &mut dyn Table) -> io::Result<()> {
        if let End::Time(every) = self.end
            && at.ts_ns >= self.upto
        {
            self.end_all(at, table)?;
            self.upto = (at.ts_ns / every + 1).saturating_mul(every);
        }
        let Some(trade) = Trade::of(event, at.replica) else { return Ok(()) };
        // A trade without a price has no place in a bar, nor does taking one back.
        let Some(price) = trade.price else { return Ok(()) };
        if at.listed(trade.instrument).is_none() {
            return Ok(());
        }
        let id = trade.instrument;
        let bar = self.open.entry(id).or_insert_with(|| Bar::new(at.ts_ns, price));
        bar.take(at.ts_ns, price, trade.qty.0);
        match self.end {
            End::Volume(volume) if bar.volume >= volume => {
                let bar = self.open.remove(&id);
                bar.map_or(Ok(()), |bar| bar.write(id, at, table))
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, at: &Moment<'_>, table: &mut dyn Table) -> io::Result<()> {
        self.end_all(at, table)
    }
}
