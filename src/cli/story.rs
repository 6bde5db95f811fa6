//! `--explain ORDER`: what became of an order, and what the market did to it.

use ringtape::engine::Chapter;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, ExecutionKind, Liquidity, Reason};
use ringtape::units::OrderId;
use serde_json::{Value, json};

use super::dump;

/// The number of an order as reports print it: own orders of a strategy count from 1.
pub(super) fn order_number(text: &str, is_of_orders: bool) -> Result<u64> {
    let number = text.parse::<u64>().map_err(|_| {
        Error::usage(format!("`{text}` is no order"), "give its number as --fills-out lists it")
    })?;
    Ok(if is_of_orders { number } else { number | OrderId::OWN })
}

/// The story in lines: time, what happened, the queue ahead of an order that rests, the event.
pub(super) fn text(order: &str, chapters: &[Chapter]) -> String {
    let mut text = format!("\nthe story of order {order}\n");
    if chapters.is_empty() {
        text.push_str("  no such order: --fills-out lists those that were filled\n");
    }
    for chapter in chapters {
        let execution = &chapter.execution;
        let side = execution.side().map_or("", |side| side.name());
        let what = execution.kind().map_or("", ExecutionKind::name);
        // A market order without a cap has no price of its own.
        let price = match execution.price {
            0 => "any price".to_owned(),
            price => price.to_string(),
        };
        let mut line = format!(
            "  {:>20}  {what:<9} {side} {} at {price}, {} open, {} filled",
            execution.ts_event, execution.qty, execution.leaves, execution.cum
        );
        if let Some([entry, now]) = execution.queue_ahead() {
            line += &format!(", {now} ahead of {entry} at entry");
        }
        let liquidity = Liquidity::from_code(execution.liquidity).map_or("", Liquidity::name);
        let words = [
            ("as ", liquidity.to_owned()),
            ("reason ", name_of(execution.reason())),
            ("replaced by ", number(execution.new_order_id)),
        ];
        for (lead, word) in words {
            if !word.is_empty() {
                line += &format!(", {lead}{word}");
            }
        }
        // What fills or triggers an order is the event; else the order came, or went, at its time.
        let kind = execution.kind();
        let is_done = matches!(kind, Some(ExecutionKind::Filled | ExecutionKind::Triggered));
        let word = if is_done { "by" } else { "with" };
        text += &format!("{line}\n{:>22}  {word} {}\n", "", cause(chapter));
    }
    text
}

/// The story as JSON: a list of what happened.
pub(super) fn json(order: &str, chapters: &[Chapter]) -> Value {
    let chapters: Vec<Value> = chapters
        .iter()
        .map(|chapter| {
            let execution = &chapter.execution;
            let ahead = execution.queue_ahead();
            json!({
                "ts": execution.ts_event,
                "event": execution.kind().map(ExecutionKind::name),
                "side": execution.side().map(|side| side.name()),
                "price": execution.price,
                "qty": execution.qty,
                "leaves": execution.leaves,
                "cum": execution.cum,
                "liquidity": Liquidity::from_code(execution.liquidity).map(Liquidity::name),
                "reason": name_of(execution.reason()),
                "new_order_id": number(execution.new_order_id),
                "ahead_at_entry": ahead.map(|[entry, _]| entry),
                "ahead": ahead.map(|[_, now]| now),
                "cause": execution.cause,
                "by": cause(chapter),
            })
        })
        .collect();
    json!({ "order": order, "chapters": chapters })
}

fn name_of(reason: Reason) -> String {
    if reason == Reason::None { String::new() } else { reason.name().to_owned() }
}

fn number(order_id: u64) -> String {
    if order_id == 0 { String::new() } else { (order_id & !OrderId::OWN).to_string() }
}

/// The event that caused a chapter, as `ringtape dump` names its fields.
fn cause(chapter: &Chapter) -> String {
    let sequence = chapter.execution.cause;
    match &chapter.event {
        Some(event) => format!("market sequence {sequence}: {}", described(event)),
        None => "the end of the feed".to_owned(),
    }
}

fn described(event: &Event) -> String {
    let fields: Vec<String> = dump::fields(std::slice::from_ref(event))
        .map(|(name, value)| format!("{name}={}", dump::plain(value)))
        .collect();
    format!("{} {}", event.kind().map_or("unknown", |kind| kind.name()), fields.join(" "))
}

#[cfg(test)]
mod tests {
    use ringtape::event::{Execution, payload};
    use ringtape::units::{MatchId, Price, Qty};

    use super::*;

    #[test]
    fn a_stop_is_told_from_its_trigger_to_its_end() {
        let (order_id, price, qty) = (OrderId(0), Price(100_100), Qty(50));
        let trade = payload::Trade { order_id, price, qty, match_id: MatchId(1) };
        let told = |kind, reason: Reason, price| Chapter {
            execution: Execution {
                order_id: 7,
                price,
                qty: 100,
                cause: 41,
                reason: reason as u16,
                ..Execution::new(kind, 1_000, 13)
            },
            event: Some(Event::new(1_000, 13, trade)),
        };
        let chapters = [
            told(ExecutionKind::Accepted, Reason::None, 0),
            told(ExecutionKind::Triggered, Reason::None, 0),
            told(ExecutionKind::Cancelled, Reason::NoLiquidity, 0),
            told(ExecutionKind::Expired, Reason::Expired, 100_100),
        ];
        let text = text("7", &chapters);
        for line in [
            "accepted   100 at any price",
            "triggered  100 at any price",
            "by market sequence 41: trade",
            "cancelled  100 at any price, 0 open, 0 filled, reason no_liquidity",
            "expired    100 at 100100, 0 open, 0 filled, reason expired",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
