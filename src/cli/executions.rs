//! Executions as lines of CSV and as JSON.

use ringtape::event::{Execution, ExecutionKind, InstrumentTable, Liquidity, Reason};
use ringtape::matching::EVERY_INSTRUMENT;
use ringtape::report::format::csv_field;
use ringtape::units::{InstrumentId, Price};
use serde_json::{Map, Value};

/// The columns, as the order file's contract names them.
pub(super) const HEADER: &str = "line,seq,ts,event,order_id,account,symbol,side,price,qty,\
    leaves_qty,cum_qty,liquidity,match_id,contra_order_id,new_order_id,reason";

/// Whether an execution is of an order or a state, and not made for portfolios alone.
pub(super) fn is_told(execution: &Execution) -> bool {
    execution.kind() != Some(ExecutionKind::Quote) && execution.listing().is_none()
}

/// A price as a decimal; empty for none.
pub(super) fn price(price: Price, id: InstrumentId, instruments: &InstrumentTable) -> String {
    match instruments.get(id) {
        _ if price.0 == 0 => String::new(),
        Some(instrument) => instrument.format_price(price),
        None => price.to_string(),
    }
}

/// The fields of an execution in the order of [`HEADER`], line and number aside; numbers of orders
/// and matches, prices and names are empty where there is none.
fn fields(execution: &Execution, instruments: &InstrumentTable) -> [String; 15] {
    let id = InstrumentId(execution.instrument);
    let symbol = match execution.instrument {
        EVERY_INSTRUMENT => "*",
        _ => instruments.get(id).map_or("", |instrument| instrument.symbol.as_str()),
    };
    let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
    let is_of_account = execution.order_id != 0 || execution.account != 0;
    let reason = execution.reason();
    [
        execution.ts_event.to_string(),
        execution.kind().map_or("", ExecutionKind::name).to_owned(),
        number(execution.order_id),
        if is_of_account { execution.account.to_string() } else { String::new() },
        symbol.to_owned(),
        execution.side().map_or("", |side| side.name()).to_owned(),
        price(Price(execution.price), id, instruments),
        execution.qty.to_string(),
        execution.leaves.to_string(),
        execution.cum.to_string(),
        Liquidity::from_code(execution.liquidity).map_or("", Liquidity::name).to_owned(),
        number(execution.match_id),
        number(execution.contra_order_id),
        number(execution.new_order_id),
        if reason == Reason::None { String::new() } else { reason.name().to_owned() },
    ]
}

/// An execution as a line of CSV.
pub(super) fn csv(
    line: u64,
    seq: u64,
    execution: &Execution,
    instruments: &InstrumentTable,
) -> String {
    let fields = fields(execution, instruments).map(|field| csv_field(&field));
    format!("{line},{seq},{}", fields.join(","))
}

/// An execution as JSON, behind two numbers: names as in [`HEADER`], prices as decimals in strings,
/// null for none.
pub(super) fn json(
    numbers: [(&str, u64); 2],
    execution: &Execution,
    instruments: &InstrumentTable,
) -> Value {
    const TEXTS: [&str; 6] = ["event", "symbol", "side", "price", "liquidity", "reason"];
    let mut object = Map::new();
    object.extend(numbers.map(|(name, number)| (name.to_owned(), number.into())));
    let fields = fields(execution, instruments);
    for (name, field) in HEADER.split(',').skip(2).zip(fields) {
        let value = match field.parse::<u64>() {
            _ if field.is_empty() => Value::Null,
            Ok(number) if !TEXTS.contains(&name) => number.into(),
            _ => field.into(),
        };
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}
