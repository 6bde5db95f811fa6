//! Fills and positions as CSV.

use std::fmt::Write;

use super::format::csv_field;
use crate::engine::{FillRecord, RunReport};
use crate::event::{ExecutionKind, Liquidity};
use crate::portfolio::{Measured, PositionRow};
use crate::units::Money;

/// Columns of the fills.
const FILLS: &str = "ts_event,account,symbol,order_id,match_id,side,price,qty,leaves,cum,\
    liquidity,fee,contra_order_id,ahead_at_entry,ahead_at_fill,cause,position,realised,equity";

/// Columns of the positions.
const POSITIONS: &str = "account,symbol,currency,position,cost,cash,realised,unrealised,fees,\
    equity,mark,priced,volume,turnover,fills,lots,lots_cost,lots_realised,spread_capture,\
    markout_100ms,markout_1s,markout_10s,adverse_selection";

/// The fills of a run, a line each, in their order; to be kept with `keep_fills`.
///
/// Prices are decimals; `ahead_at_entry` and `ahead_at_fill` are what of the queue was before an
/// order that rested; position, realised profit and equity are those of the account after the fill.
/// Own orders are numbered from 1.
pub fn fills_csv(run: &RunReport) -> String {
    let mut text = format!("{FILLS}\n");
    for fill in &run.fill_log {
        fill_line(&mut text, fill);
    }
    text
}

fn fill_line(text: &mut String, fill: &FillRecord) {
    let FillRecord { execution, symbol, price_increment, position, realised, equity } = fill;
    debug_assert_eq!(execution.kind(), Some(ExecutionKind::Filled));
    let price = Money(i128::from(execution.price) * i128::from(*price_increment));
    let side = execution.side().map_or("", |side| side.name());
    let liquidity = Liquidity::from_code(execution.liquidity).map_or("", Liquidity::name);
    let contra = match execution.contra_order_id {
        0 => String::new(),
        other => other.to_string(),
    };
    let [entry, now] = match execution.queue_ahead() {
        Some(ahead) => ahead.map(|qty| qty.to_string()),
        None => [String::new(), String::new()],
    };
    let _ = writeln!(
        text,
        "{},{},{},{},{},{side},{price},{},{},{},{liquidity},{},{contra},{entry},{now},{},\
         {position},{realised},{equity}",
        execution.ts_event,
        execution.account,
        csv_field(symbol.as_str()),
        execution.order_id().number(),
        execution.match_id,
        execution.qty,
        execution.leaves,
        execution.cum,
        Money(i128::from(execution.fee)),
        execution.cause,
    );
}

/// The positions of a run at its end, a line each.
pub fn positions_csv(run: &RunReport) -> String {
    let mut text = format!("{POSITIONS}\n");
    run.portfolio.iter().for_each(|row| position_line(&mut text, row));
    text
}

fn position_line(text: &mut String, row: &PositionRow) {
    let money = |amount: Money| amount.to_string();
    let measured = |one: Measured| if one.fills == 0 { String::new() } else { money(one.value) };
    let [at_100ms, at_1s, at_10s] = row.quality.markouts().map(measured);
    let fields = [
        row.account.to_string(),
        csv_field(&row.symbol),
        row.currency.as_str().to_owned(),
        row.position.to_string(),
        money(row.cost),
        money(row.cash),
        money(row.realised),
        money(row.unrealised),
        money(row.fees),
        money(row.equity),
        row.mark.map_or(String::new(), money),
        if row.priced { "yes" } else { "no" }.to_owned(),
        row.volume.to_string(),
        money(row.turnover),
        row.fills.to_string(),
        row.lots.to_string(),
        money(row.lots_cost),
        money(row.lots_realised),
        measured(row.quality.capture()),
        at_100ms,
        at_1s,
        at_10s,
        measured(row.quality.adverse),
    ];
    let _ = writeln!(text, "{}", fields.join(","));
}
