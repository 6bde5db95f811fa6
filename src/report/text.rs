//! A run as text for people: plan and machine first, then what happened, warnings last.

use std::fmt::Write;

use super::carrier;
use super::door;
use super::findings::{self, warnings};
use super::format::{books_of, bytes, duration, messages_by_type, reasons, span, thousands};
use super::journal_check::JournalCheck;
use super::machine::Machine;
use super::matching_check;
use crate::engine::{Resumed, RunReport, SnapshotReport};
use crate::journal::Durability;
use crate::portfolio::PositionRow;
use crate::runtime::{AgentUsage, LatencySummary};
use crate::units::Money;

/// The report of a finished run, ending with the line of the state hash.
pub fn run_text(run: &RunReport, machine: &Machine, check: Option<&JournalCheck>) -> String {
    let mut text = String::new();
    plan(&mut text, run, machine);
    feed(&mut text, run);
    latency(&mut text, run);
    hiccups(&mut text, run);
    throughput(&mut text, run);
    books(&mut text, run);
    venue_quotes(&mut text, run);
    if let Some(check) = &run.check_matching {
        heading(&mut text, "matching engine against the feed's own executions");
        matching_check::lines(check, run.feed.zone)
            .iter()
            .for_each(|(label, content)| row(&mut text, label, content));
    }
    trading(&mut text, run);
    journal(&mut text, run, check);
    let warnings = warnings(run);
    if !warnings.is_empty() {
        heading(&mut text, "warnings");
        for warning in warnings {
            line(&mut text, &format!("! {warning}"));
        }
    }
    hashes(&mut text, run);
    text
}

fn heading(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n{title}");
}

fn line(text: &mut String, content: &str) {
    let _ = writeln!(text, "  {content}");
}

fn row(text: &mut String, label: &str, content: &str) {
    let _ = writeln!(text, "  {label:<14} {content}");
}

fn plan(text: &mut String, run: &RunReport, machine: &Machine) {
    let build = if machine.is_optimised { "optimised" } else { "unoptimised" };
    let _ = writeln!(text, "ringtape {} ({build} build), {}", machine.version, run.feed.origin);
    heading(text, "plan and machine");
    for (index, (planned, runner)) in run.plan.runners.iter().zip(&run.runners).enumerate() {
        let core = match (runner.core_asked, runner.cores_got.as_slice()) {
            (Some(asked), [got]) if *got == asked => format!("on core {asked}"),
            (Some(asked), _) => format!("asked for core {asked}, not pinned"),
            (None, _) => "not pinned".to_owned(),
        };
        row(text, &format!("runner {index}"), &format!("{} {core}", planned.agents.join(", ")));
    }
    row(text, "waiting", run.plan.wait.name());
    row(
        text,
        "machine",
        &format!(
            "{}, {} cores allowed, Linux {}",
            machine.cpu, machine.cores_allowed, machine.kernel
        ),
    );
    row(text, "clock", &format!("{}, {} ns a read", machine.clock, machine.clock_read_ns));
}

fn feed(text: &mut String, run: &RunReport) {
    let checks = &run.checks;
    heading(text, "feed");
    let compression = match run.feed.compression {
        "none" => String::new(),
        other => format!(" in {other}"),
    };
    row(
        text,
        "format",
        &format!(
            "{}{compression}, {} messages, {}",
            run.feed.format,
            thousands(checks.messages),
            bytes(checks.bytes)
        ),
    );
    if let (Some(first), Some(last)) = (checks.first_ts, checks.last_ts) {
        row(text, "span", &span(first, last, run.feed.zone));
    }
    let completeness = match (checks.has_start, checks.has_end) {
        (true, true) => "whole session",
        (true, false) => "from the start of the session, without its end",
        (false, true) => "up to the end of the session, without its start",
        (false, false) => "a slice of a session",
    };
    row(text, "completeness", completeness);
    let lines = findings::lines(run).into_iter().chain(carrier::lines(run));
    lines.for_each(|(label, content)| row(text, label, &content));
    let types: Vec<_> = messages_by_type(&run.feed, checks)
        .map(|(name, count)| format!("{name} {}", thousands(count)))
        .collect();
    row(text, "by type", &types.join("  "));
    if run.filtered > 0 {
        row(text, "left out", &format!("{} records of other symbols", thousands(run.filtered)));
    }
}

fn latency(text: &mut String, run: &RunReport) {
    if run.is_paced {
        heading(text, "latency from intended time (a batch is stamped with its end)");
    } else if let Some(arrival) = run.feed.arrival {
        heading(text, &format!("latency from {arrival} (a batch is stamped with its end)"));
    } else {
        heading(text, "saturated: not latency (time from decode to effect at full speed)");
    }
    percentile_head(text);
    for stage in &run.stages {
        let batch = stage.latency.mean_batch_hundredths();
        let note = format!("mean batch {}.{:02}", batch / 100, batch % 100);
        percentile_row(text, stage.name, &stage.latency.meter().summary(), &note);
        let service = stage.latency.service().summary();
        if service.count > 0 {
            percentile_row(text, "  of it handler", &service, "");
        }
    }
}

fn hiccups(text: &mut String, run: &RunReport) {
    heading(text, "hiccups of the machine (what events would have waited for idle runners)");
    percentile_head(text);
    for (index, (runner, waits)) in run.runners.iter().zip(run.hiccups()).enumerate() {
        let usage = &runner.usage;
        let note = format!(
            "{} switches, {} faults, {} ms stolen",
            usage.involuntary_switches,
            usage.minor_faults + usage.major_faults,
            usage.steal_ms
        );
        percentile_row(text, &format!("runner {index}"), &waits.summary(), &note);
    }
}

fn percentile_head(text: &mut String) {
    let _ = writeln!(
        text,
        "  {:<14} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "p50", "p90", "p99", "p99.9", "p99.99", "max"
    );
}

fn percentile_row(text: &mut String, label: &str, summary: &LatencySummary, note: &str) {
    let cell = |value: Option<u64>| value.map_or_else(|| "n/a".to_owned(), duration);
    let _ = writeln!(
        text,
        "  {label:<14} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}  {note}",
        cell(summary.p50),
        cell(summary.p90),
        cell(summary.p99),
        cell(summary.p999),
        cell(summary.p9999),
        cell(summary.max)
    );
}

fn throughput(text: &mut String, run: &RunReport) {
    heading(text, "throughput");
    let pace = match (run.is_paced, run.feed.arrival) {
        (true, _) => "paced",
        (false, Some(_)) => "live",
        (false, None) => "full speed",
    };
    row(
        text,
        "messages",
        &format!(
            "{} a second from the first event to the last, {} of {} in all ({pace})",
            thousands(run.messages_per_second()),
            duration(run.flow.0),
            duration(run.wall.0)
        ),
    );
    if let Some(first) = run.first_event {
        row(text, "first event", &format!("{} after the start", duration(first.0)));
    }
    for runner in &run.runners {
        for agent in &runner.agents {
            row(text, &agent.name, &share(agent, runner.wall.0, run.checks.messages));
        }
    }
}

/// An agent's share of its runner's time and its cost a message.
fn share(agent: &AgentUsage, wall_ns: u64, messages: u64) -> String {
    let permille = (agent.busy.0 * 1_000).checked_div(wall_ns).unwrap_or(0);
    let tenths = (agent.busy.0 * 10).checked_div(messages).unwrap_or(0);
    format!(
        "busy {}.{} % of its runner's time, {}.{} ns a message, {} records",
        permille / 10,
        permille % 10,
        tenths / 10,
        tenths % 10,
        thousands(agent.work)
    )
}

fn books(text: &mut String, run: &RunReport) {
    let totals = &run.totals;
    heading(text, "books at the end");
    row(
        text,
        "books",
        &format!(
            "{} instruments, {} live orders on {} levels, {} at the peak",
            thousands(totals.instruments as u64),
            thousands(totals.live_orders as u64),
            thousands(totals.levels as u64),
            thousands(totals.peak_live_orders as u64)
        ),
    );
}

/// How the books' touch compares with what the venue said it was.
fn venue_quotes(text: &mut String, run: &RunReport) {
    let counts = &run.counts;
    if counts.quotes > 0 {
        let [all, same] = [counts.quotes, counts.quotes - counts.quotes_differ.count];
        let content =
            format!("{} of {} are the book's best bid and offer", thousands(same), thousands(all));
        row(text, "venue quotes", &content);
    }
}

fn trading(text: &mut String, run: &RunReport) {
    heading(text, "orders, fills and money");
    let trades = &run.trades;
    row(
        text,
        "orders",
        &format!(
            "{} accepted, {} rejected{}, {} cancelled, {} fills",
            thousands(trades.accepted),
            thousands(trades.rejected),
            reasons(&trades.rejects),
            thousands(trades.cancelled),
            thousands(trades.fills)
        ),
    );
    for one in run.strategies.iter().filter(|_| run.strategies.len() > 1) {
        let counts = &one.counts;
        let content = format!(
            "account {}: {} sent, {} rejected{}, {} fills",
            one.account,
            thousands(counts.submitted),
            thousands(counts.rejected),
            reasons(&counts.rejects),
            thousands(counts.fills)
        );
        row(text, &one.name, &content);
    }
    door::lines(run).iter().for_each(|(label, content)| row(text, label, content));
    if run.audits > 0 {
        row(text, "audit", &audited(run));
    }
    if run.portfolio.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "  {:<8} {:<10} {:>9} {:>16} {:>14} {:>14} {:>12} {:>14}",
        "account", "symbol", "position", "cash", "realised", "unrealised", "fees", "equity"
    );
    for row in &run.portfolio {
        position(text, row);
    }
    for total in &run.accounts {
        let amounts = [total.cash, total.realised, total.unrealised, total.fees, total.equity];
        let label = format!("total {}", total.currency.as_str());
        let in_base = total.equity_in_base.filter(|&equity| equity != total.equity);
        money_row(text, &total.account.to_string(), &label, "", amounts, "");
        row(
            text,
            "",
            &format!(
                "{}drawdown {}, exposure {} gross ({} at most), {} net, turnover {}",
                in_base.map_or(String::new(), |equity| format!("equity {equity} in the base, ")),
                total.drawdown,
                total.gross_exposure,
                total.gross_exposure_max,
                total.net_exposure,
                total.turnover
            ),
        );
    }
    captured(text, run);
}

/// What fills captured of the spread, and what the market did after them.
fn captured(text: &mut String, run: &RunReport) {
    for held in run.portfolio.iter().filter(|held| held.quality.capture().fills > 0) {
        let [at_100ms, at_1s, at_10s] = held.quality.markouts().map(|one| one.value);
        let is_one_of_many = run.portfolio.iter().any(|other| other.account != held.account);
        let whose =
            if is_one_of_many { format!("account {}: ", held.account) } else { <_>::default() };
        row(
            text,
            &held.symbol,
            &format!(
                "{whose}spread capture {}, markouts {at_100ms} after 100 ms, {at_1s} after 1 s, \
                 {at_10s} after 10 s, adverse selection {}",
                held.quality.capture().value,
                held.quality.adverse.value
            ),
        );
    }
}

/// How often the audit identity held, and since when it was looked at.
fn audited(run: &RunReport) -> String {
    let from = match run.first_execution() {
        0 => String::new(),
        first => format!(", from execution {} on", thousands(first)),
    };
    format!("identity held {} times{from}", thousands(run.audits))
}

fn position(text: &mut String, row: &PositionRow) {
    let note = if row.priced || row.position == 0 { "" } else { "  unpriced" };
    money_row(
        text,
        &row.account.to_string(),
        &row.symbol,
        &row.position.to_string(),
        [row.cash, row.realised, row.unrealised, row.fees, row.equity],
        note,
    );
}

fn money_row(
    text: &mut String,
    account: &str,
    symbol: &str,
    position: &str,
    amounts: [Money; 5],
    note: &str,
) {
    let [cash, realised, unrealised, fees, equity] = amounts.map(|money| money.to_string());
    let _ = writeln!(
        text,
        "  {account:<8} {symbol:<10} {position:>9} {cash:>16} {realised:>14} {unrealised:>14} \
         {fees:>12} {equity:>14}{note}"
    );
}

fn journal(text: &mut String, run: &RunReport, check: Option<&JournalCheck>) {
    let Some(journal) = &run.journal else { return };
    heading(text, "journal");
    for (label, summary) in [("market", &journal.market), ("executions", &journal.executions)] {
        row(
            text,
            label,
            &format!(
                "{} records in {} segments, {}",
                thousands(summary.records),
                summary.segments,
                bytes(summary.bytes)
            ),
        );
    }
    if let Some(check) = check {
        let verdict = if check.is_verified() {
            "every record was read back and is whole"
        } else {
            "NOT what was written: see the error below"
        };
        row(text, "verified", verdict);
    }
    if let Some(resumed) = &run.resumed {
        resumption(text, resumed);
    }
    if let Some(snapshots) = run.snapshots.as_ref().filter(|snapshots| snapshots.written > 0) {
        let SnapshotReport { written, bytes: size, longest_pause_ns, .. } = snapshots;
        let (size, pause) = (bytes(*size), duration(*longest_pause_ns));
        let line = format!("{written}, the last of {size}; longest pause of matching {pause}");
        row(text, "snapshots", &line);
    }
    let survives = match journal.durability {
        Durability::PageCache => "survives a killed process, not a power cut",
        Durability::Interval(_) => "a power cut costs the last two intervals or so",
        Durability::Batch => "survives a power cut",
    };
    row(text, "durability", &format!("{}: {survives}", journal.durability));
    row(text, "gate", journal.gate.name());
}

/// Where a run went on, and what stood there.
fn resumption(text: &mut String, resumed: &Resumed) {
    let compared = thousands(resumed.executions.next_sequence);
    let records = thousands(resumed.market.next_sequence);
    row(
        text,
        "resumed",
        &format!("behind {records} records; {compared} executions came out again"),
    );
    if let Some(used) = &resumed.snapshot {
        let first = thousands(used.market);
        row(text, "snapshot", &format!("{}; run again from record {first}", used.path.display()));
    }
    for found in [&resumed.market, &resumed.executions] {
        if let Some(torn) = &found.torn_tail {
            let path = torn.path.display();
            let place = format!("sequence {} of {path}, byte {}", torn.sequence, torn.offset);
            row(text, "torn tail", &place);
        }
        for path in &found.quarantined {
            row(text, "set aside", &path.display().to_string());
        }
    }
}

fn hashes(text: &mut String, run: &RunReport) {
    heading(text, "hashes");
    row(text, "books", &format!("{:016x}, of {}", run.hashes.books, books_of(&run.feed)));
    row(text, "orders", &format!("{:016x}", run.hashes.orders));
    row(text, "portfolio", &format!("{:016x}", run.hashes.portfolio));
    let _ = writeln!(text, "state hash {:016x}", run.hashes.state());
}
