//! The table of bars, by time or by volume.
//!
//! A trade may be broken until the end of the feed. So the trades are kept until then, without
//! those that were taken back, and the bars are made of the rest: 56 bytes a trade.

use std::collections::BTreeMap;
use std::io;

use clap::Args;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Listing};
use ringtape::portfolio::Worth;
use ringtape::units::{InstrumentId, MatchId, Price};

use super::trades::{BROKEN, Trade};
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
        Ok(Bars { end, trades: Vec::new(), listings: Vec::new(), latest: BTreeMap::new() })
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

/// The trades that the bars are made of, and what their integers mean.
pub(super) struct Bars {
    end: End,
    trades: Vec<Kept>,
    /// What the instruments were called and counted in, in the order in which they traded.
    listings: Vec<Listing>,
    /// Where the latest listing of each instrument is: another day may give its number away.
    latest: BTreeMap<InstrumentId, usize>,
}

/// A trade that was not taken back.
struct Kept {
    ts_ns: u64,
    /// `None` for the execution of an order that is not in the book.
    price: Option<Price>,
    qty: u64,
    match_id: MatchId,
    series: Series,
}

/// What the bars of one symbol are kept under: its instrument, and where its listing is.
type Series = (InstrumentId, usize);

/// A bar; prices in increments.
struct Bar {
    first_ns: u64,
    last_ns: u64,
    /// Those of its trades that have some; `None` without any.
    prices: Option<Prices>,
    volume: u64,
    /// Sum of price times quantity in increments, of the trades with a price; `None` beyond `i128`.
    turnover: Option<i128>,
    trades: u64,
}

/// The first, highest, lowest and last price.
#[derive(Clone, Copy)]
struct Prices {
    open: Price,
    high: Price,
    low: Price,
    close: Price,
}

impl Prices {
    fn of(price: Price) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    /// With the price of one more trade.
    fn and(self, price: Price) -> Self {
        let Self { open, high, low, .. } = self;
        Self { open, high: high.max(price), low: low.min(price), close: price }
    }
}

impl Bar {
    fn new(ts_ns: u64) -> Self {
        Self {
            first_ns: ts_ns,
            last_ns: ts_ns,
            prices: None,
            volume: 0,
            turnover: Some(0),
            trades: 0,
        }
    }

    fn take(&mut self, trade: &Kept) {
        let &Kept { ts_ns, price, qty, .. } = trade;
        self.last_ns = ts_ns;
        self.volume = self.volume.saturating_add(qty);
        self.trades += 1;
        let Some(price) = price else { return };
        self.prices = Some(self.prices.map_or(Prices::of(price), |prices| prices.and(price)));
        let amount = i128::from(price.0).checked_mul(i128::from(qty));
        self.turnover = self.turnover.zip(amount).and_then(|(sum, amount)| sum.checked_add(amount));
    }

    fn write(&self, listing: &Listing, table: &mut dyn Table) -> io::Result<()> {
        let price = |of: fn(Prices) -> Price| match self.prices {
            Some(prices) => Value::Price(of(prices), listing.price_increment),
            None => Value::Nothing,
        };
        let turnover = self.turnover.and_then(|sum| Worth::of(listing)?.value(2 * sum, 1));
        table.row(&[
            Value::Text(listing.symbol.as_str()),
            Value::Count(self.first_ns),
            Value::Count(self.last_ns),
            price(|prices| prices.open),
            price(|prices| prices.high),
            price(|prices| prices.low),
            price(|prices| prices.close),
            Value::Count(self.volume),
            turnover.map_or(Value::Nothing, |turnover| Value::Amount(turnover.0)),
            Value::Count(self.trades),
        ])
    }
}

impl Bars {
    /// Where the bars of an instrument's trades belong now.
    fn series(&mut self, id: InstrumentId, listing: &Listing) -> Series {
        let latest = self.latest.get(&id).copied();
        let index = latest.filter(|&index| self.listings[index] == *listing).unwrap_or_else(|| {
            self.listings.push(*listing);
            self.listings.len() - 1
        });
        self.latest.insert(id, index);
        (id, index)
    }

    /// Takes a trade back, if it is kept.
    fn take_back(&mut self, id: InstrumentId, match_id: MatchId) {
        let is_it = |trade: &Kept| trade.match_id == match_id && trade.series.0 == id;
        if let Some(index) = self.trades.iter().rposition(is_it) {
            self.trades.remove(index);
        }
    }

    fn write_all(&self, bars: &BTreeMap<Series, Bar>, table: &mut dyn Table) -> io::Result<()> {
        bars.iter().try_for_each(|((_, index), bar)| bar.write(&self.listings[*index], table))
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

    fn before(&mut self, at: &Moment<'_>, event: &Event, _table: &mut dyn Table) -> io::Result<()> {
        let Some(trade) = Trade::of(event, at.replica) else { return Ok(()) };
        let (id, match_id) = (trade.instrument, trade.match_id);
        if trade.kind == BROKEN {
            self.take_back(id, match_id);
            return Ok(());
        }
        if let Some(instrument) = at.listed(id) {
            let series = self.series(id, &instrument.listing());
            let (ts_ns, price, qty) = (at.ts_ns, trade.price, trade.qty.0);
            self.trades.push(Kept { ts_ns, price, qty, match_id, series });
        }
        Ok(())
    }

    fn end(&mut self, _at: &Moment<'_>, table: &mut dyn Table) -> io::Result<()> {
        let mut open: BTreeMap<Series, Bar> = BTreeMap::new();
        let mut upto = 0;
        for trade in &self.trades {
            if let End::Time(every) = self.end
                && trade.ts_ns >= upto
            {
                self.write_all(&open, table)?;
                open.clear();
                upto = (trade.ts_ns / every + 1).saturating_mul(every);
            }
            let series = trade.series;
            let bar = open.entry(series).or_insert_with(|| Bar::new(trade.ts_ns));
            bar.take(trade);
            if let End::Volume(volume) = self.end
                && bar.volume >= volume
            {
                bar.write(&self.listings[series.1], table)?;
                open.remove(&series);
            }
        }
        self.write_all(&open, table)
    }
}
