//! The figures as text and as JSON.

use std::time::Duration;

use ringtape::report::Machine;
use ringtape::report::format::{duration, thousands};
use serde_json::{Value, json};

use super::rounds::Figures;
use crate::cli::term;

/// Messages a second when all of a row's take `time`.
fn rate(figures: &Figures, time: Duration) -> f64 {
    figures.messages as f64 / time.as_secs_f64()
}

/// Minimum, median and maximum of messages a second, over the ascending times of rounds.
fn rates(figures: &Figures, rounds: &[Duration]) -> [f64; 3] {
    [rounds[rounds.len() - 1], rounds[rounds.len() / 2], rounds[0]].map(|time| rate(figures, time))
}

/// Bytes of all books for each order at the peak.
fn bytes_an_order(figures: &Figures) -> Option<f64> {
    let (totals, _) = figures.books?;
    Some(totals.bytes as f64 / totals.peak_live_orders.max(1) as f64)
}

pub(super) fn describe(all: &[Figures]) {
    let machine = Machine::look();
    term::tell(format_args!("machine  {}, one core of {}", machine.cpu, machine.cores_allowed));
    for figures in all {
        let [min, median, max] = rates(figures, &figures.rounds);
        let each = 1e9 / median;
        term::tell(format_args!("{}", figures.name));
        term::tell(format_args!(
            "  {:.2} / {:.2} / {:.2} M messages/s (min / median / max of {} rounds), {each:.1} ns \
             each, {} messages",
            min / 1e6,
            median / 1e6,
            max / 1e6,
            figures.rounds.len(),
            thousands(figures.messages),
        ));
        if !figures.plain.is_empty() {
            let [min, median, max] = rates(figures, &figures.plain).map(|rate| rate / 1e6);
            term::tell(format_args!(
                "  plain books, in turns: {min:.2} / {median:.2} / {max:.2} M messages/s"
            ));
        }
        if let Some(longest) = figures.longest {
            let longest = duration(longest.as_nanos() as u64);
            term::tell(format_args!("  longest message {longest} (least of the rounds)"));
        }
        if let (Some((totals, hash)), Some(bytes)) = (figures.books, bytes_an_order(figures)) {
            let verdict =
                if figures.is_deterministic { "same in all rounds" } else { "NOT THE SAME" };
            term::tell(format_args!(
                "  {} live orders at the peak, {bytes:.1} bytes each, {} levels at the end, books \
                 {hash:016x} ({verdict})",
                thousands(totals.peak_live_orders as u64),
                thousands(totals.levels as u64),
            ));
        }
    }
}

pub(super) fn to_json(all: &[Figures]) -> Value {
    let machine = Machine::look();
    let rows: Vec<Value> = all.iter().map(row_to_json).collect();
    json!({
        "schema": 1,
        "bench": "book",
        "machine": { "cpu": machine.cpu, "cores_allowed": machine.cores_allowed },
        "rows": rows,
    })
}

fn row_to_json(figures: &Figures) -> Value {
    let per_s = |rounds: &[Duration]| {
        let [min, median, max] = rates(figures, rounds).map(|rate| rate as u64);
        let rounds: Vec<u64> = rounds.iter().map(|time| rate(figures, *time) as u64).collect();
        json!({ "min": min, "median": median, "max": max, "rounds": rounds })
    };
    let plain = || json!({ "control": "peer", "messages_per_s": per_s(&figures.plain) });
    json!({
        "row": figures.name,
        "messages": figures.messages,
        "messages_per_s": per_s(&figures.rounds),
        "plain_books": (!figures.plain.is_empty()).then(plain),
        "longest_message_ns": figures.longest.map(|longest| longest.as_nanos() as u64),
        "peak_live_orders": figures.books.map(|(totals, _)| totals.peak_live_orders),
        "bytes_per_live_order": bytes_an_order(figures),
        "books_hash": figures.books.map(|(_, hash)| format!("{hash:016x}")),
        "deterministic": figures.is_deterministic,
        "yardstick": figures.looks.to_json(),
    })
}
