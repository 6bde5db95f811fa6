//! Equity, drawdown and position over time, and the table of orders, from the executions that a
//! run kept.

use std::collections::BTreeMap;

use super::chart::{Axis, Chart, Series, Shape, Unit};
use crate::engine::KeptExecutions;
use crate::event::{Execution, ExecutionKind, Listing, Reason, Zone};
use crate::portfolio::Portfolio;
use crate::units::{AccountId, InstrumentId, Money, Side};

/// Moments at which the portfolio is looked at.
const COLUMNS: u64 = 500;

/// Accounts, and instruments of the position chart, that are drawn at most.
const LINES_MAX: usize = 4;

/// Orders that traded and that the table shows at most.
const TRADED_MAX: usize = 250;

/// Orders that did not trade and that the table shows at most.
const UNTRADED_MAX: usize = 50;

/// Money over time, and what became of the orders.
#[derive(Debug, Default)]
pub struct MoneyStory {
    /// By account: time and equity.
    equity: BTreeMap<AccountId, Vec<(f64, f64)>>,
    /// By account and symbol: time and position.
    positions: BTreeMap<(AccountId, String), Vec<(f64, f64)>>,
    /// Fills by account and symbol.
    fills: BTreeMap<(AccountId, String), u64>,
    /// The first orders that traded and a few that did not, as they came; one that takes another's
    /// place is an order of its own, for what was open then.
    pub orders: Vec<OrderRow>,
    /// Orders in all, and how many of them traded.
    pub orders_in_all: (u64, u64),
    /// Orders whose end is not known yet.
    open: BTreeMap<u64, OrderRow>,
    /// Orders in the table that did not trade.
    untraded: usize,
    /// What was left out, in a sentence; empty when nothing was.
    pub left_out: String,
}

/// An order as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its number.
    pub order_id: u64,
    /// Its account.
    pub account: AccountId,
    /// Its symbol.
    pub symbol: String,
    /// Its side.
    pub side: Option<Side>,
    /// Its limit in the currency; empty without one.
    pub price: String,
    /// Its quantity.
    pub qty: u64,
    /// What was filled of it.
    pub filled: u64,
    /// Average price of its fills in the currency; empty without one.
    pub average: String,
    /// Exchange time at which it came.
    pub came: u64,
    /// Exchange time of the last record about it.
    pub last: u64,
    /// What the last record about it said.
    pub state: String,
    /// Price times quantity of its fills, in increments.
    value: i128,
    listing: Option<Listing>,
}

impl MoneyStory {
    /// The story of a run.
    pub fn of(kept: &KeptExecutions) -> Self {
        let mut story = Self::default();
        let mut portfolio = kept.before.clone();
        let times = kept.records.iter().map(|record| record.ts_event).filter(|&ts| ts > 0);
        let first = times.clone().min().unwrap_or(0);
        let step = (times.max().unwrap_or(0).saturating_sub(first) / COLUMNS).max(1);
        let mut next = first;
        for record in &kept.records {
            while record.ts_event > next {
                story.look(&portfolio, next);
                // A pause longer than a column needs no points of its own.
                next += ((record.ts_event - next) / step).max(1) * step;
            }
            // What the portfolio refuses has ended the run already and stands in its error.
            let _ = portfolio.apply(record);
            story.note_order(record, portfolio.listing(InstrumentId(record.instrument)));
        }
        let last = kept.records.iter().map(|record| record.ts_event).max().unwrap_or(0);
        story.look(&portfolio, last);
        std::mem::take(&mut story.open).into_values().for_each(|row| story.show(row));
        story.orders.sort_by_key(|row| (row.came, row.order_id));
        for row in portfolio.rows() {
            story.fills.insert((row.account, row.symbol), row.fills);
        }
        if kept.left_out > 0 {
            story.left_out =
                format!("{} executions found no room in memory and are not in here", kept.left_out);
        }
        story
    }

    /// The charts, with times in this clock; none without a fill.
    pub fn charts(&self, zone: Zone) -> Vec<Chart> {
        if self.fills.values().all(|&fills| fills == 0) {
            return Vec::new();
        }
        vec![self.equity_chart(zone), self.drawdown_chart(zone), self.position_chart(zone)]
    }

    fn look(&mut self, portfolio: &Portfolio, ts: u64) {
        let mut sums: BTreeMap<AccountId, Money> = BTreeMap::new();
        for total in portfolio.totals() {
            *sums.entry(total.account).or_default() += total.equity - total.initial_cash;
        }
        for (account, equity) in sums {
            self.equity.entry(account).or_default().push((ts as f64, equity.0 as f64 / 1e9));
        }
        for row in portfolio.rows() {
            let line = self.positions.entry((row.account, row.symbol)).or_default();
            let is_same = line.last().is_some_and(|&(_, qty)| qty as i64 == row.position);
            if !is_same || line.len() < 2 {
                line.push((ts as f64, row.position as f64));
            }
        }
    }

    fn note_order(&mut self, record: &Execution, listing: Option<&Listing>) {
        let Some(kind) = record.kind() else { return };
        let is_of_order = !matches!(
            kind,
            ExecutionKind::Quote | ExecutionKind::Status | ExecutionKind::SnapshotMark
        );
        if !is_of_order {
            return;
        }
        let is_known = self.open.contains_key(&record.order_id);
        let is_refused = kind == ExecutionKind::Rejected && !is_known;
        // What was to change an order that is over is no order.
        let is_change_too_late = is_refused && record.reason() == Reason::UnknownOrder;
        if kind == ExecutionKind::Accepted || (is_refused && !is_change_too_late) {
            self.begin(OrderRow::new(record, listing));
        }
        let Some(row) = self.open.get_mut(&record.order_id) else { return };
        let is_over = row.note(record, kind, is_known);
        if kind == ExecutionKind::Filled && row.filled == record.qty {
            self.orders_in_all.1 += 1;
        }
        if is_over && let Some(row) = self.open.remove(&record.order_id) {
            self.show(row);
        }
        if kind == ExecutionKind::Replaced {
            self.begin(OrderRow::replacing(record, listing));
        }
    }

    fn begin(&mut self, row: OrderRow) {
        self.orders_in_all.0 += 1;
        self.open.insert(row.order_id, row);
    }

    /// Puts an order into the table, if it has room for one like it.
    fn show(&mut self, row: OrderRow) {
        let is_traded = row.filled > 0;
        let traded = self.orders.len() - self.untraded;
        let has_room = if is_traded { traded < TRADED_MAX } else { self.untraded < UNTRADED_MAX };
        if has_room {
            self.untraded += usize::from(!is_traded);
            self.orders.push(row);
        }
    }

    /// Accounts with the most fills.
    fn busiest_accounts(&self) -> Vec<AccountId> {
        let mut fills: BTreeMap<AccountId, u64> = BTreeMap::new();
        for ((account, _), count) in &self.fills {
            *fills.entry(*account).or_default() += count;
        }
        let mut accounts: Vec<_> = fills.into_iter().collect();
        accounts.sort_by_key(|&(account, fills)| (std::cmp::Reverse(fills), account));
        accounts.into_iter().map(|(account, _)| account).take(LINES_MAX).collect()
    }

    fn equity_chart(&self, zone: Zone) -> Chart {
        let (x, y) = axes(zone);
        let mut chart = Chart::new("equity", "Profit and loss", x, y);
        chart.note =
            "Equity without the cash at the start, at the marks, fees taken off.".to_owned();
        for (color, account) in self.busiest_accounts().into_iter().enumerate() {
            let points = self.equity.get(&account).into_iter().flatten().copied();
            let name = format!("account {account}");
            chart.series.push(Series::new(name, color, Shape::Step).with(points));
        }
        chart
    }

    fn drawdown_chart(&self, zone: Zone) -> Chart {
        let (x, y) = axes(zone);
        let mut chart = Chart::new("drawdown", "Drawdown", x, y);
        let mut deepest = Vec::new();
        for (color, account) in self.busiest_accounts().into_iter().enumerate() {
            let mut peak = 0.0_f64;
            let points = self.equity.get(&account).into_iter().flatten().map(|&(ts, equity)| {
                peak = peak.max(equity);
                (ts, equity - peak)
            });
            let name = format!("account {account}");
            let series = Series::new(&name, color, Shape::Step).with(points);
            let low = series.points.iter().map(|&(_, y)| y).fold(0.0, f64::min);
            deepest.push(format!("{name} {low:.2}"));
            chart.series.push(series);
        }
        chart.note =
            format!("What is missing to the highest equity before: {}.", deepest.join(", "));
        chart
    }

    fn position_chart(&self, zone: Zone) -> Chart {
        let (x, _) = axes(zone);
        let mut chart = Chart::new("position", "Position", x, Axis::new(Unit::Count));
        let mut busiest: Vec<_> = self.fills.iter().collect();
        busiest.sort_by_key(|&(key, fills)| (std::cmp::Reverse(*fills), key.clone()));
        let end = self.equity.values().flatten().map(|&(ts, _)| ts).fold(0.0, f64::max);
        for (color, (key, _)) in busiest.iter().take(LINES_MAX).enumerate() {
            let Some(line) = self.positions.get(*key) else { continue };
            let mut points = line.clone();
            points.extend(line.last().map(|&(_, qty)| (end, qty)));
            let name = format!("{} of account {}", key.1, key.0);
            chart.series.push(Series::new(name, color, Shape::Step).with(points));
        }
        let rest = busiest.len().saturating_sub(LINES_MAX);
        if rest > 0 {
            chart.note = format!("The {LINES_MAX} with the most fills; {rest} more are not drawn.");
        }
        chart
    }
}

fn axes(zone: Zone) -> (Axis, Axis) {
    let x = Axis::new(Unit::Clock(zone)).labelled("time of the feed");
    (x, Axis::new(Unit::Decimal(2)))
}

impl OrderRow {
    fn new(record: &Execution, listing: Option<&Listing>) -> Self {
        let mut row = Self {
            order_id: record.order_id,
            account: record.account(),
            symbol: listing.map_or_else(
                || format!("#{}", record.instrument),
                |listing| listing.symbol.as_str().to_owned(),
            ),
            side: record.side(),
            price: String::new(),
            qty: record.qty.max(record.leaves),
            filled: 0,
            average: String::new(),
            came: record.ts_event,
            last: record.ts_event,
            state: String::new(),
            value: 0,
            listing: listing.copied(),
        };
        if record.price != 0 {
            row.price = row.money(i128::from(record.price), 1);
        }
        row
    }

    /// The order that has taken the place of another.
    fn replacing(record: &Execution, listing: Option<&Listing>) -> Self {
        let state = ExecutionKind::Accepted.name().to_owned();
        let row = Self::new(record, listing);
        Self { order_id: record.new_order_id, qty: record.leaves, state, ..row }
    }

    /// Takes in a record about the order; whether that was its end.
    fn note(&mut self, record: &Execution, kind: ExecutionKind, is_known: bool) -> bool {
        if kind == ExecutionKind::Rejected && is_known {
            // A change was refused; the order stays as it was.
            return false;
        }
        self.last = record.ts_event;
        kind.name().clone_into(&mut self.state);
        match kind {
            ExecutionKind::Filled => {
                self.filled += record.qty;
                self.value += i128::from(record.price) * i128::from(record.qty);
                self.average = self.money(self.value, i128::from(self.filled.max(1)));
                if record.leaves > 0 {
                    "partly filled".clone_into(&mut self.state);
                }
                record.leaves == 0
            }
            ExecutionKind::Rejected | ExecutionKind::Cancelled => {
                self.state = format!("{}: {}", kind.name(), record.reason().name());
                true
            }
            ExecutionKind::Replaced | ExecutionKind::Expired => true,
            _ => false,
        }
    }

    /// `value` increments of the price over `parts`, as money.
    fn money(&self, value: i128, parts: i128) -> String {
        let increment = self.listing.map_or(1, |listing| i128::from(listing.price_increment));
        Money(value * increment / parts).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_takes_anothers_place_has_fills_of_its_own() {
        let record = |kind, order_id, qty, leaves| Execution {
            order_id,
            qty,
            leaves,
            price: 100,
            side: Side::Buy as u8,
            ..Execution::new(kind, 1, 1)
        };
        let replaced = |old, new_order_id, qty, leaves| Execution {
            new_order_id,
            ..record(ExecutionKind::Replaced, old, qty, leaves)
        };
        let too_late = Execution {
            reason: Reason::UnknownOrder as u16,
            ..record(ExecutionKind::Rejected, 3, 0, 0)
        };
        let mut story = MoneyStory::default();
        for record in [
            record(ExecutionKind::Accepted, 1, 100, 100),
            replaced(1, 2, 100, 100),
            record(ExecutionKind::Filled, 2, 40, 60),
            replaced(2, 3, 140, 100),
            record(ExecutionKind::Filled, 3, 70, 30),
            record(ExecutionKind::Filled, 3, 30, 0),
            too_late,
        ] {
            story.note_order(&record, None);
        }
        let rows = story.orders.iter();
        let rows: Vec<_> =
            rows.map(|row| (row.order_id, row.filled, row.qty, row.state.as_str())).collect();
        assert_eq!(
            rows,
            [(1, 0, 100, "replaced"), (2, 40, 100, "replaced"), (3, 100, 100, "filled")]
        );
        assert_eq!(story.orders_in_all, (3, 2));
        assert!(story.open.is_empty());
    }
}
