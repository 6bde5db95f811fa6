//! `--explain ORDER`: what became of an order, and what the market did to it.

use ringtape::engine::Chapter;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution, ExecutionKind, Liquidity, Reason, format_price};
use ringtape::feed::Zone;
use ringtape::report::format::time_of_day;
use ringtape::units::{OrderId, Price};
use serde_json::{Value, json};

use super::dump;

/// The number of an order as reports print it: own orders of a strategy count from 1.
pub(super) fn order_number(text: &str, is_of_orders: bool) -> Result<u64> {
    let number = text.parse::<u64>().map_err(|_| {
        Error::usage(format!("`{text}` is no order"), "give its number as --fills-out lists it")
    })?;
    Ok(if is_of_orders { number } else { number | OrderId::OWN })
}

/// The story in lines: time, what happened, the queue ahead of an order that rests, the event;
/// times of day in a zone.
pub(super) fn text(order: &str, chapters: &[Chapter], zone: Zone) -> String {
    let mut text = format!("\nthe story of order {order}\n");
    if chapters.is_empty() {
        text.push_str("  nothing is known of it: --fills-out lists the orders that were filled\n");
    }
    for chapter in chapters {
        let execution = &chapter.execution;
        let what = execution.kind().map_or("", ExecutionKind::name);
        let time = time_of_day(execution.ts_event, zone);
        let mut line = format!(
            "  {time}  {what:<9} {}{} open, {} filled",
            terms(chapter),
            execution.leaves,
            execution.cum
        );
        if let Some([entry, now]) = execution.queue_ahead() {
            line += &format!(", {now} ahead of {entry} at entry");
        }
        let is_rejected = execution.kind() == Some(ExecutionKind::Rejected);
        let successor = if is_rejected { "not replaced by " } else { "replaced by " };
        let liquidity = Liquidity::from_code(execution.liquidity).map_or("", Liquidity::name);
        let words = [
            ("as ", liquidity.to_owned()),
            ("reason ", name_of(execution.reason())),
            (successor, number(execution.new_order_id)),
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
        text += &format!("{line}\n{:>20}  {word} {}\n", "", cause(chapter));
    }
    text
}

/// What an order asks for: `buy 100 ACME at 153.4700, `; nothing of one that was refused unread.
fn terms(chapter: &Chapter) -> String {
    let &Chapter { execution: Execution { price, qty, .. }, symbol, .. } = chapter;
    if (price, qty) == (0, 0) {
        return String::new();
    }
    let side = chapter.execution.side().map_or("", |side| side.name());
    // A market order without a cap has no price of its own.
    let price = if price == 0 { "any price".to_owned() } else { decimal(chapter) };
    let words = [side.to_owned(), qty.to_string(), symbol.as_str().to_owned()];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{} at {price}, ", words.join(" "))
}

/// The price as a decimal, or in increments where they are not known.
fn decimal(chapter: &Chapter) -> String {
    let price = Price(chapter.execution.price);
    match chapter.price_increment {
        0 => price.to_string(),
        increment => format_price(price, increment),
    }
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
                "symbol": chapter.symbol.as_str(),
                "side": execution.side().map(|side| side.name()),
                "price": decimal(chapter),
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
    if order_id == 0 { String::new() } else { OrderId(order_id).number().to_string() }
}

/// The event that caused a chapter, as `ringtape dump` names its fields.
fn cause(chapter: &Chapter) -> String {
    let sequence = chapter.execution.cause;
    match &chapter.event {
        Some(event) => format!("market sequence {sequence}: {}", described(event)),
        None if chapter.is_event_lost => {
            format!("market sequence {sequence}, which the journal no longer holds")
        }
        None if sequence == 0 => "the start of the run".to_owned(),
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
    use ringtape::event::kinds::Text;
    use ringtape::event::payload;
    use ringtape::units::{MatchId, Qty};

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
            symbol: Text::new("X"),
            price_increment: 100_000,
            event: Some(Event::new(1_000, 13, trade)),
            is_event_lost: false,
        };
        let chapters = [
            told(ExecutionKind::Accepted, Reason::None, 0),
            told(ExecutionKind::Triggered, Reason::None, 0),
            told(ExecutionKind::Cancelled, Reason::NoLiquidity, 0),
            told(ExecutionKind::Expired, Reason::Expired, 100_100),
        ];
        let text = text("7", &chapters, Zone::Utc);
        for line in [
            "00:00:00.000001000  accepted  100 X at any price",
            "triggered 100 X at any price",
            "by market sequence 41: trade",
            "cancelled 100 X at any price, 0 open, 0 filled, reason no_liquidity",
            "expired   100 X at 10.0100, 0 open, 0 filled, reason expired",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
