//! What a feed's messages were carried and packed in: packets, gaps, decompression.

#[cfg(feature = "cli")]
use serde_json::{Value, json};

use super::format::{duration, thousands};
use crate::engine::RunReport;
#[cfg(feature = "cli")]
use crate::feed::Gap;
use crate::feed::{Checks, LineCounts, PacketCounts};

/// Gaps that a report for people lists.
const GAPS_SHOWN: usize = 5;

/// Share of the feed handler's time, in per mille, from which on decompression is what bounds it.
const BOUND_PERMILLE: u64 = 500;

/// The time that decompression took, and its share of the feed handler's in per mille; `None`
/// without compression.
fn inflate(run: &RunReport) -> Option<(u64, u64)> {
    let ns = run.checks.inflate_ns;
    let agents = run.runners.iter().flat_map(|runner| &runner.agents);
    let busy: u64 = agents.filter(|agent| agent.name == "feed").map(|agent| agent.busy.0).sum();
    (ns > 0).then(|| (ns, (ns * 1_000 / busy.max(1)).min(1_000)))
}

fn bound(permille: u64) -> &'static str {
    if permille >= BOUND_PERMILLE { "decompression" } else { "decoding" }
}

/// Lines of the report for people.
pub(super) fn lines(run: &RunReport) -> Vec<(&'static str, String)> {
    let mut lines = all_packet_lines(&run.checks);
    if let Some((ns, permille)) = inflate(run) {
        let share = format!("{}.{} %", permille / 10, permille % 10);
        let text = format!(
            "{} of {} data, {share} of the feed handler's time: {} bounds it",
            duration(ns),
            run.feed.compression,
            bound(permille)
        );
        lines.push(("unpacking", text));
    }
    lines
}

/// What packets brought, and the numbers of what is missing; of several feeds each one's own.
pub fn all_packet_lines(checks: &Checks) -> Vec<(&'static str, String)> {
    let mut lines = packet_lines(checks);
    for source in &checks.sources {
        let origin = &source.description.origin;
        let own = packet_lines(&source.checks).into_iter();
        lines.extend(own.map(|(label, text)| (label, format!("{origin}: {text}"))));
    }
    lines
}

fn packet_lines(checks: &Checks) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(packets) = &checks.packets {
        let named: Vec<_> = counts(packets)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {}", thousands(count)))
            .collect();
        lines.push(("packets", named.join(", ")));
    }
    // A line alone has nothing to be held against.
    for line in checks.lines.iter().filter(|_| checks.lines.len() > 1) {
        let LineCounts { address, packets, messages, copies, missing, filled } = line;
        let [packets, messages, copies, missing, filled] =
            [packets, messages, copies, missing, filled].map(|count| thousands(*count));
        let text = format!(
            "{address}: {packets} packets, {messages} messages, {copies} of them copies; {missing} \
             missing, {filled} of them filled from elsewhere"
        );
        lines.push(("line", text));
    }
    for gap in checks.gap_ranges.iter().take(GAPS_SHOWN) {
        let byte = gap.byte.map_or_else(String::new, |byte| format!(" (packet at byte {byte})"));
        let text = format!(
            "{} messages, numbers {} to {}, before message {}{byte}",
            thousands(gap.count()),
            gap.from,
            gap.until - 1,
            gap.message
        );
        lines.push(("gap", text));
    }
    if checks.gap_ranges.len() > GAPS_SHOWN {
        let more = checks.gap_ranges.len() - GAPS_SHOWN;
        lines.push(("gap", format!("and {more} more: see `gap_ranges` of --json")));
    }
    lines
}

fn counts(packets: &PacketCounts) -> [(&'static str, u64); 9] {
    [
        ("received", packets.packets),
        ("heartbeats", packets.heartbeats),
        ("copies of messages", packets.copies),
        ("late", packets.late),
        ("messages before the first wanted", packets.skipped),
        ("of others", packets.foreign),
        ("dropped", packets.dropped),
        ("requests", packets.requests),
        ("messages on request", packets.recovered),
    ]
}

/// Packets in JSON; null when no packets carried the feed.
#[cfg(feature = "cli")]
pub fn packets_json(checks: &Checks) -> Value {
    checks.packets.map_or(Value::Null, |packets| {
        json!({
            "packets": packets.packets,
            "heartbeats": packets.heartbeats,
            "copies": packets.copies,
            "late": packets.late,
            "skipped": packets.skipped,
            "foreign": packets.foreign,
            "dropped": packets.dropped,
            "requests": packets.requests,
            "recovered": packets.recovered,
            "lines": checks.lines.iter().map(line_json).collect::<Vec<_>>(),
        })
    })
}

#[cfg(feature = "cli")]
fn line_json(line: &LineCounts) -> Value {
    json!({
        "address": &*line.address,
        "packets": line.packets,
        "messages": line.messages,
        "copies": line.copies,
        "missing": line.missing,
        "filled": line.filled,
    })
}

/// Gaps in JSON: the message behind each, its first number, the number after its last, and the
/// byte at which the packet begins that follows it.
#[cfg(feature = "cli")]
pub fn gaps_json(checks: &Checks) -> Value {
    let gap = |gap: &Gap| {
        let Gap { message, from, until, byte } = gap;
        json!({ "message": message, "from": from, "until": until, "byte": byte })
    };
    checks.gap_ranges.iter().map(gap).collect()
}

/// Decompression in JSON; null without one.
#[cfg(feature = "cli")]
pub(super) fn inflate_json(run: &RunReport) -> Value {
    inflate(run).map_or(Value::Null, |(ns, permille)| {
        json!({ "ns": ns, "share": permille as f64 / 1e3, "bound": bound(permille) })
    })
}
