//! A generated session beside a real day.

use std::time::Duration;

#[cfg(feature = "cli")]
use serde_json::{Value, json};

use super::format::{duration, thousands};
use crate::engine::generate::{LiquidName, Summary};
use crate::feed::itch::MESSAGES;

/// A row of the table: a figure of the session, and of a real day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is counted.
    pub name: String,
    /// The session's figure.
    pub session: String,
    /// The real day's figure; empty where none is known.
    pub real_day: &'static str,
}

/// Shares of message types on the real day.
const REAL_SHARES: [(u8, &str); 11] = [
    (b'A', "43.6 %"),
    (b'D', "42.6 %"),
    (b'U', "8.05 %"),
    (b'E', "2.1 %"),
    (b'I', "1.5 %"),
    (b'X', "1.0 %"),
    (b'F', "0.55 %"),
    (b'P', "0.45 %"),
    (b'L', "0.08 %"),
    (b'C', "0.04 %"),
    (b'Q', "0.007 %"),
];

/// The figures of a session, each beside that of NASDAQ on 2019-12-30.
///
/// ```
/// use ringtape::engine::generate::{Generator, Profile};
/// use ringtape::report::generated::rows;
///
/// let profile = Profile { messages: 20_000, symbols: 4, live: 500, seed: 7 };
/// let mut generator = Generator::new(&profile)?;
/// generator.write_itch(&mut std::io::sink())?;
/// let rows = rows(&generator.summary());
/// assert_eq!((rows[0].session.as_str(), rows[0].real_day), ("20,000", "268,744,780"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rows(summary: &Summary) -> Vec<Row> {
    let messages = summary.messages();
    let mut rows = vec![row("messages", thousands(messages), "268,744,780")];
    for info in MESSAGES {
        let count = summary.count(&[info.letter]);
        let text = format!("{} ({})", thousands(count), share(count, messages));
        let real = REAL_SHARES.iter().find(|(letter, _)| *letter == info.letter);
        let name = format!("{} {}", char::from(info.letter), info.name);
        rows.push(row(&name, text, real.map_or("", |&(_, text)| text)));
    }
    rows.extend(of_all(summary));
    rows.extend(of_executions(summary));
    rows.extend(of_liquid_name(&summary.liquid_name()));
    rows
}

/// Messages a second.
pub fn per_second(messages: u64, elapsed: Duration) -> u64 {
    (u128::from(messages) * 1_000_000_000 / elapsed.as_nanos().max(1)) as u64
}

/// The table for people, with the rate at which the session was made and written.
pub fn text(summary: &Summary, per_second: u64) -> String {
    let mut text = format!("{:<34} {:>26}  {:>20}\n", "", "session", "2019-12-30");
    for Row { name, session, real_day } in rows(summary) {
        text += &format!("{name:<34} {session:>26}  {real_day:>20}\n");
    }
    text += &format!("{:<34} {:>26}\n", "messages/s", thousands(per_second));
    text + &format!("{:<34} {:>26}", "xxh3", format!("{:016x}", summary.checksum))
}

/// The table as a document.
#[cfg(feature = "cli")]
pub fn json(summary: &Summary, per_second: u64) -> Value {
    let rows: Vec<Value> = rows(summary)
        .into_iter()
        .map(|row| json!({ "name": row.name, "session": row.session, "real_day": row.real_day }))
        .collect();
    json!({
        "schema": 1,
        "messages": summary.messages(),
        "bytes": summary.bytes,
        "xxh3": format!("{:016x}", summary.checksum),
        "messages_per_s": per_second,
        "real_day": "2019-12-30",
        "rows": rows,
    })
}

fn row(name: &str, session: String, real_day: &'static str) -> Row {
    Row { name: name.to_owned(), session, real_day }
}

/// Sizes of the whole, and how the messages are spread over symbols and time.
fn of_all(summary: &Summary) -> [Row; 11] {
    let messages = summary.messages();
    let mean_bytes_x100 = summary.bytes * 100 / messages.max(1);
    let mean_bytes = format!("{}.{:02}", mean_bytes_x100 / 100, mean_bytes_x100 % 100);
    let references_down = share(summary.references_down, summary.references);
    let of_busiest = |count| share(summary.messages_of_busiest(count), messages);
    [
        row("bytes a message", mean_bytes, "30.70"),
        row("symbols", thousands(summary.symbols() as u64), "8,906"),
        row("live orders at the peak", thousands(summary.live_peak), "1,924,078"),
        row("10 busiest symbols", of_busiest(10), "5.7 %"),
        row("100 busiest symbols", of_busiest(100), "23 %"),
        row("500 busiest symbols", of_busiest(500), "52.5 %"),
        row("1,000 busiest symbols", of_busiest(1_000), "68 %"),
        row("time of the message before", share(summary.same_time, messages), "12 % at the open"),
        row("references that go down", references_down, "35 % at the open"),
        row("orders beyond 512 ticks", share(summary.placed_far, summary.placed), "13.4 %"),
        row("adds executed wholly", share(summary.executed_whole, summary.count(b"AF")), "3.6 %"),
    ]
}

/// What a matching engine can be checked on.
fn of_executions(summary: &Summary) -> [Row; 6] {
    let executions = summary.count(b"E");
    let of_aggressors = |count| share(count, summary.aggressors);
    [
        row("executions with company", share(summary.with_company, executions), ""),
        row("aggressors", thousands(summary.aggressors), ""),
        row("over several levels", of_aggressors(summary.sweeps), ""),
        row("with remainder", of_aggressors(summary.remainders), ""),
        row("with reserve refill", of_aggressors(summary.refills), ""),
        row("hidden prints only", thousands(summary.hidden_only), ""),
    ]
}

/// The busiest symbol beside a liquid name of the real day.
fn of_liquid_name(name: &LiquidName) -> [Row; 10] {
    let of_orders = |count| share(count, name.orders);
    [
        row("busiest symbol: messages", thousands(name.messages), "2,380,000"),
        row("gaps, p50 p99", joined(name.gap_ns, duration), "59 us, 90 ms"),
        row("most in 100 us", thousands(name.burst_messages), "85"),
        row(
            "cancelled after, p10 p50 p90",
            joined(name.lifetime_ns, duration),
            "1 ms, 157 ms, 5.1 s",
        ),
        row("100 shares", of_orders(name.of_100), "73 %"),
        row("odd lots", of_orders(name.odd_lots), "25 %"),
        row("improve the touch", of_orders(name.improving), "14 %"),
        row("join the touch", of_orders(name.joining), "21.5 %"),
        row("ticks behind, p50 p75 p99", joined(name.distance_ticks, thousands), "2, 8, 288"),
        row("ticks of spread, p10 p50 p90", joined(name.spread_ticks, thousands), "2 to 6"),
    ]
}

fn joined<const N: usize>(figures: [u64; N], text: impl Fn(u64) -> String) -> String {
    figures.map(text).join(", ")
}

/// `part` of `whole` as a percentage with three places.
fn share(part: u64, whole: u64) -> String {
    let per_100_000 = u128::from(part) * 100_000 / u128::from(whole.max(1));
    format!("{}.{:03} %", per_100_000 / 1000, per_100_000 % 1000)
}
