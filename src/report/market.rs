//! The market as one symbol saw it: price, own fills, depth.
//!
//! Drawn from a second pass over the feed after the run, so that the run itself pays nothing: the
//! books are a function of the feed.

use super::chart::{Axis, Cell, Chart, Series, Shape, Unit};
use crate::book::{LevelView, Replica, Touch};
use crate::error::Result;
use crate::event::{Event, Execution, ExecutionKind, Instrument, InstrumentTable, Zone};
use crate::feed::{Feed, Fill};
use crate::units::{InstrumentId, Price, Side};

/// Moments at which the book is looked at.
const COLUMNS: usize = 480;

/// Columns of the heat map.
const HEAT_COLUMNS: usize = 160;

/// Rows of the heat map.
const HEAT_ROWS: usize = 56;

/// Levels of each side that are looked at.
const LEVELS_MAX: usize = 60;

/// Own fills that are drawn at most.
const FILLS_MAX: usize = 600;

/// Records that are pulled at a time.
const BATCH: usize = 256;

/// The book of a symbol at evenly spaced moments.
#[derive(Clone, Debug)]
pub struct MarketPicture {
    /// Its number in the run.
    pub id: InstrumentId,
    /// What it is.
    pub instrument: Instrument,
    zone: Zone,
    start: u64,
    step: u64,
    columns: Vec<Column>,
}

/// The book at a moment.
#[derive(Clone, Debug, Default)]
struct Column {
    touch: Touch,
    last: Option<Price>,
    levels: [Vec<LevelView>; 2],
}

/// The symbol with the most records in a feed, of those that `is_wanted`; `None` without any.
///
/// # Errors
///
/// Those of the feed.
pub fn busiest(feed: &mut dyn Feed, is_wanted: &dyn Fn(&str) -> bool) -> Result<Option<String>> {
    let mut counts: Vec<u64> = Vec::new();
    let mut table = InstrumentTable::default();
    each(feed, |event| {
        let at = event.instrument as usize;
        if at >= counts.len() {
            counts.resize(at + 1, 0);
        }
        counts[at] += 1;
        table.apply(event);
    })?;
    let named = table.iter().filter(|(_, known)| is_wanted(known.symbol.as_str()));
    let count = |id: InstrumentId| counts.get(id.0 as usize).copied().unwrap_or(0);
    let most = named.max_by_key(|(id, _)| (count(*id), std::cmp::Reverse(id.0)));
    Ok(most.map(|(_, known)| known.symbol.as_str().to_owned()))
}

/// The book of `symbol` from `first_ts` to `last_ts`; `None` when the feed does not have it.
///
/// # Errors
///
/// Those of the feed.
pub fn picture(
    feed: &mut dyn Feed,
    symbol: &str,
    (first_ts, last_ts): (u64, u64),
) -> Result<Option<MarketPicture>> {
    let mut replica = Replica::new();
    let mut id = None;
    let step = (last_ts.saturating_sub(first_ts) / COLUMNS as u64).max(1);
    let mut columns: Vec<Column> = Vec::with_capacity(COLUMNS);
    each(feed, |event| {
        if event.ts_event > last_ts {
            return;
        }
        // The book as it was when the moment came: what happens later is not in it.
        while columns.len() < COLUMNS && event.ts_event > first_ts + columns.len() as u64 * step {
            columns.push(id.map_or_else(Column::default, |id| look(&replica, id)));
        }
        replica.apply(event);
        if id.is_none() {
            id = replica.instruments().find(symbol);
        }
    })?;
    let Some(id) = id else { return Ok(None) };
    columns.push(look(&replica, id));
    let instrument = *replica.instruments().get(id).expect("just found");
    let zone = feed.description().zone;
    Ok(Some(MarketPicture { id, instrument, zone, start: first_ts, step, columns }))
}

fn each(feed: &mut dyn Feed, mut then: impl FnMut(&Event)) -> Result<()> {
    let mut events = [Event::default(); BATCH];
    loop {
        match feed.fill(&mut events)? {
            Fill::Records(count) => events[..count].iter().for_each(&mut then),
            Fill::Pending => {}
            Fill::End => return Ok(()),
        }
    }
}

fn look(replica: &Replica, id: InstrumentId) -> Column {
    Column {
        touch: replica.touch(id),
        last: replica.last_price(id),
        levels: [Side::Buy, Side::Sell]
            .map(|side| replica.levels(id, side).take(LEVELS_MAX).collect()),
    }
}

impl MarketPicture {
    /// Price with the fills among `executions`, and the heat map of depth.
    pub fn charts(&self, executions: &[Execution]) -> Vec<Chart> {
        let charts = [self.price(executions), self.depth()];
        charts.into_iter().filter(|chart| !chart.is_empty()).collect()
    }

    fn units(&self, price: Price) -> f64 {
        price.0 as f64 * self.instrument.price_increment as f64 / 1e9
    }

    fn at(&self, column: usize) -> f64 {
        (self.start + column as u64 * self.step) as f64
    }

    fn axes(&self) -> (Axis, Axis) {
        let label = format!("time of the feed; {}", self.instrument.currency.as_str());
        (Axis::new(Unit::Clock(self.zone)).labelled(label), Axis::new(Unit::Decimal(2)))
    }

    fn price(&self, executions: &[Execution]) -> Chart {
        let symbol = self.instrument.symbol;
        let (x, y) = self.axes();
        let title = format!("Price of {} and own fills", symbol.as_str());
        let mut chart = Chart::new("price", title, x, y);
        let side = |pick: &dyn Fn(&Column) -> Option<Price>| {
            let points = self.columns.iter().enumerate().map(|(index, column)| {
                (self.at(index), pick(column).map_or(f64::NAN, |price| self.units(price)))
            });
            points.collect::<Vec<_>>()
        };
        let bid = side(&|c| self.is_plausible(c).then_some(c.touch.bid_price));
        let ask = side(&|c| self.is_plausible(c).then_some(c.touch.ask_price));
        let last = side(&|c| c.last);
        if [&bid, &ask, &last].into_iter().flatten().all(|(_, y)| y.is_nan()) {
            return chart;
        }
        chart.series.push(Series::new("last trade", 7, Shape::Step).with(last));
        chart.series.push(Series::new("best bid", 0, Shape::Step).with(bid));
        chart.series.push(Series::new("best offer", 1, Shape::Step).with(ask));
        let (mut all, mut drawn) = (0, 0);
        for (name, own, color, shape) in
            [("bought", Side::Buy, 2, Shape::Up), ("sold", Side::Sell, 4, Shape::Down)]
        {
            let fills: Vec<&Execution> = executions
                .iter()
                .filter(|e| e.kind() == Some(ExecutionKind::Filled) && e.side() == Some(own))
                .filter(|e| e.instrument == self.id.0)
                .collect();
            let nth = fills.len().div_ceil(FILLS_MAX).max(1);
            let points = fills.iter().step_by(nth).map(|fill| {
                let at = fill.ts_event.clamp(self.start, self.at(COLUMNS) as u64);
                (at as f64, self.units(Price(fill.price)))
            });
            let series = Series::new(name, color, shape).with(points);
            (all, drawn) = (all + fills.len(), drawn + series.points.len());
            if !series.points.is_empty() {
                chart.series.push(series);
            }
        }
        chart.note = match all {
            0 => "No own fills in this symbol.".to_owned(),
            _ if all == drawn => format!("{all} own fills."),
            _ => format!("{all} own fills, of which {drawn} are drawn, evenly chosen."),
        };
        chart
    }

    /// Whether both sides are there and not so far apart that their middle says nothing.
    fn is_plausible(&self, column: &Column) -> bool {
        let Touch { bid_price, ask_price, .. } = column.touch;
        column.touch.is_two_sided() && ask_price.0 - bid_price.0 <= ask_price.0 / 5
    }

    /// What rested at each price and time: the darker, the more.
    fn depth(&self) -> Chart {
        let symbol = self.instrument.symbol;
        let (x, y) = self.axes();
        let title = format!("Depth of {} over time", symbol.as_str());
        let mut chart = Chart::new("depth", title, x, y);
        let Some((low, high)) = self.price_range() else { return chart };
        chart.note = "Displayed quantity by price: bids blue, offers orange; each shade is twice \
                      the one before."
            .to_owned();
        let row_height = (high - low) / HEAT_ROWS as f64;
        let every = self.columns.len().div_ceil(HEAT_COLUMNS).max(1);
        let mut rows = Vec::new();
        for (index, column) in self.columns.iter().enumerate().step_by(every) {
            for (side, levels) in column.levels.iter().enumerate() {
                let mut sums = [0_u64; HEAT_ROWS];
                for level in levels {
                    let row = (self.units(level.price) - low) / row_height;
                    if row >= 0.0 && row < HEAT_ROWS as f64 {
                        sums[row as usize] += level.qty.0;
                    }
                }
                rows.push((index, side, sums));
            }
        }
        let largest = rows.iter().flat_map(|(_, _, sums)| sums).copied().max().unwrap_or(0);
        for (index, side, sums) in rows {
            let x = (self.at(index), self.at((index + every).min(COLUMNS)));
            for (row, sum) in sums.into_iter().enumerate().filter(|&(_, sum)| sum > 0) {
                let below = (largest / sum).ilog2() as usize;
                let level = Cell::LEVELS.saturating_sub(below).max(1);
                let bottom = low + row as f64 * row_height;
                let y = (bottom, bottom + row_height);
                chart.cells.push(Cell { x, y, color: side, level });
            }
        }
        join_neighbours(&mut chart.cells);
        chart
    }

    /// Prices around those at which the market was, with room on both sides.
    fn price_range(&self) -> Option<(f64, f64)> {
        let plausible = || self.columns.iter().filter(|column| self.is_plausible(column));
        let low = plausible().map(|column| column.touch.bid_price).min()?;
        let high = plausible().map(|column| column.touch.ask_price).max()?;
        let (low, high) = (self.units(low), self.units(high));
        let margin = ((high - low) * 0.25).max(high * 0.0005);
        Some((low - margin, high + margin))
    }
}

/// Joins cells that lie side by side in a row and look the same.
fn join_neighbours(cells: &mut Vec<Cell>) {
    cells.sort_by(|a, b| {
        (a.color, a.y.0, a.x.0).partial_cmp(&(b.color, b.y.0, b.x.0)).expect("all are finite")
    });
    cells.dedup_by(|next, cell| {
        let touches =
            next.x.0.to_bits() == cell.x.1.to_bits() && next.y.0.to_bits() == cell.y.0.to_bits();
        let joins = touches && (next.color, next.level) == (cell.color, cell.level);
        if joins {
            cell.x.1 = next.x.1;
        }
        joins
    });
}
