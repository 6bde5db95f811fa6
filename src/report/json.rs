//! A run as one JSON document for scripts.

use serde_json::{Map, Value, json};

use super::carrier;
use super::door;
use super::findings::{self, DataFaults, warnings};
use super::format::{books_of, messages_by_type};
use super::journal_check::JournalCheck;
use super::machine::Machine;
use super::matching_check;
use crate::engine::{HashPoint, Hashes, RunReport, StrategyReport};
use crate::event::RejectCounts;
use crate::feed::SourceChecks;
use crate::journal::{Recovery, VerifyReport};
use crate::portfolio::{AccountTotal, Measured, PositionRow};
use crate::runtime::LatencySummary;

/// Version of the document's shape; it grows when a field changes its meaning or goes away.
const SCHEMA: u64 = 1;

/// The document of a finished run.
pub fn run_json(run: &RunReport, machine: &Machine, check: Option<&JournalCheck>) -> Value {
    json!({
        "schema": SCHEMA,
        "ringtape": machine.version,
        "machine": {
            "cpu": machine.cpu,
            "cores_allowed": machine.cores_allowed,
            "kernel": machine.kernel,
            "clock": machine.clock,
            "clock_read_ns": machine.clock_read_ns,
            "optimised": machine.is_optimised,
        },
        "feed": feed(run),
        "books": {
            "instruments": run.totals.instruments,
            "live_orders": run.totals.live_orders,
            "peak_live_orders": run.totals.peak_live_orders,
            "levels": run.totals.levels,
            "crossed": run.counts.crossed.count,
            "venue_quotes": venue_quotes(run),
        },
        "hashes": hashes(run),
        "state_hash": format!("{:016x}", run.hashes.state()),
        "hash_every": run.trail.iter().map(hash_point).collect::<Vec<_>>(),
        "throughput": {
            "messages_per_s": run.messages_per_second(),
            "flow_s": seconds(run.flow.0),
            "wall_s": seconds(run.wall.0),
            "first_event_ns": run.first_event.map(|at| at.0),
            "inflate": carrier::inflate_json(run),
            "stages": shares(run),
        },
        "latency_ns": latencies(run),
        "hiccup_ns": hiccups(run),
        "journal": check.map(|check| journal(run, check)),
        "orders": {
            "submitted": run.trades.submitted,
            "accepted": run.trades.accepted,
            "rejected": run.trades.rejected,
            "rejects": rejects_json(&run.trades.rejects),
            "cancelled": run.trades.cancelled,
        },
        "fills": run.trades.fills,
        "gateway": door::json(run),
        "strategies": run.strategies.iter().map(strategy).collect::<Vec<_>>(),
        "audits": run.audits,
        "audits_from": run.first_execution(),
        "portfolio": run.portfolio.iter().map(position).collect::<Vec<_>>(),
        "accounts": run.accounts.iter().map(account).collect::<Vec<_>>(),
        "check_matching": run.check_matching.as_ref().map(matching_check::json),
        "plan": plan(run),
        "interrupted": run.interrupted,
        "error": run.error.as_ref().map(ToString::to_string),
        "warnings": warnings(run),
    })
}

/// What was read, and what was found wrong with it.
fn hashes(run: &RunReport) -> Value {
    let mut hashes = parts(&run.hashes);
    hashes["books_of"] = books_of(&run.feed).into();
    hashes
}

fn parts(hashes: &Hashes) -> Value {
    json!({
        "books": format!("{:016x}", hashes.books),
        "orders": format!("{:016x}", hashes.orders),
        "portfolio": format!("{:016x}", hashes.portfolio),
    })
}

fn hash_point(point: &HashPoint) -> Value {
    let mut value = parts(&point.hashes);
    value["messages"] = point.messages.into();
    value
}

fn feed(run: &RunReport) -> Value {
    let checks = &run.checks;
    let by_type: Map<String, Value> =
        messages_by_type(&run.feed, checks).map(|(name, count)| (name, json!(count))).collect();
    json!({
        "origin": run.feed.origin,
        "format": run.feed.format,
        "compression": run.feed.compression,
        "identity": format!("{:016x}", run.feed.identity),
        "messages": checks.messages,
        "records": run.records,
        "bytes": checks.bytes,
        "by_type": by_type,
        "first_ts": checks.first_ts,
        "last_ts": checks.last_ts,
        "clock": run.feed.zone.code(),
        "gaps": checks.gaps.count,
        "gap_ranges": carrier::gaps_json(checks),
        "packets": carrier::packets_json(checks),
        "arrival": run.feed.arrival,
        "unknown_orders": run.counts.unknown_orders.count,
        "complete": checks.has_start && checks.has_end,
        "books_complete_since": findings::complete_since(run),
        "venue_books": {
            "compared": checks.states,
            "differ": checks.states_differ.count,
        },
        "faults": faults(run),
        "sources": checks.sources.iter().map(source).collect::<Vec<_>>(),
    })
}

/// One of several feeds that were read as one; numbers and bytes are those of its own.
fn source(source: &SourceChecks) -> Value {
    let SourceChecks { description, checks } = source;
    let located = |located| findings::located_json(located, "message", &[]);
    json!({
        "origin": description.origin,
        "format": description.format,
        "identity": format!("{:016x}", description.identity),
        "messages": checks.messages,
        "bytes": checks.bytes,
        "first_ts": checks.first_ts,
        "last_ts": checks.last_ts,
        "complete": checks.has_start && checks.has_end,
        "gaps": located(&checks.gaps),
        "gap_ranges": carrier::gaps_json(checks),
        "packets": carrier::packets_json(checks),
        "backwards": located(&checks.backwards),
        "unknown_types": located(&checks.unknown_types),
        "states_differ": located(&checks.states_differ),
    })
}

/// How often the venue's best bid and offer was compared with the book's.
fn venue_quotes(run: &RunReport) -> Value {
    let counts = &run.counts;
    json!({ "compared": counts.quotes, "differ": counts.quotes_differ.count })
}

/// The journals as they were read back.
fn journal(run: &RunReport, check: &JournalCheck) -> Value {
    let found = |found: &Option<VerifyReport>| {
        found.as_ref().map(|found| json!({ "records": found.records, "bytes": found.bytes }))
    };
    json!({
        "path": check.path,
        "market": found(&check.market),
        "executions": found(&check.executions),
        "durability": run.journal.map(|journal| journal.durability.to_string()),
        "gate": run.journal.map(|journal| journal.gate.name()),
        "stalls": run.journal.map(|journal| journal.stalls),
        "resumed": run.resumed.as_ref().map(|resumed| json!({
            "market": recovery(&resumed.market),
            "executions": recovery(&resumed.executions),
            "snapshot": resumed.snapshot.as_ref().map(|used| json!({
                "path": used.path.display().to_string(),
                "market": used.market,
                "executions": used.executions,
                "messages": used.messages,
            })),
        })),
        "snapshots": run.snapshots.as_ref().map(|snapshots| json!({
            "written": snapshots.written,
            "skipped": snapshots.skipped,
            "bytes": snapshots.bytes,
            "last": snapshots.path.as_ref().map(|path| path.display().to_string()),
            "longest_pause_ns": snapshots.longest_pause_ns,
        })),
        "verified": check.is_verified(),
    })
}

/// What was found when a journal was taken up.
fn recovery(found: &Recovery) -> Value {
    let paths = found.quarantined.iter().map(|path| path.display().to_string());
    json!({
        "records": found.records,
        "next_sequence": found.next_sequence,
        "epoch": found.epoch,
        "was_closed": found.was_closed,
        "cut": found.cut,
        "torn_at": found.torn_tail.as_ref().map(|torn| torn.sequence),
        "quarantined": paths.collect::<Vec<_>>(),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Each data fault with its count and place; the place is null when there was none.
fn faults(run: &RunReport) -> Value {
    let sources = &run.feed.sources;
    let faults: Map<String, Value> = DataFaults::of(run)
        .all()
        .iter()
        .map(|fault| {
            let value = findings::located_json(&fault.located, fault.counted_in, sources);
            (fault.name.to_owned(), value)
        })
        .collect();
    Value::Object(faults)
}

fn shares(run: &RunReport) -> Value {
    let agents = run.runners.iter().enumerate().flat_map(|(runner, report)| {
        report.agents.iter().map(move |agent| {
            let value = json!({
                "runner": runner,
                "busy_ns": agent.busy.0,
                "share": seconds(agent.busy.0) / seconds(report.wall.0.max(1)),
                "records": agent.work,
                "batches": agent.batches,
            });
            (agent.name.clone(), value)
        })
    });
    Value::Object(agents.collect())
}

fn latencies(run: &RunReport) -> Value {
    let basis = match (run.is_paced, run.feed.arrival) {
        (true, _) => "intended",
        (false, Some(_)) => "received",
        (false, None) => "saturated",
    };
    let mut stages = Map::new();
    stages.insert("basis".to_owned(), json!(basis));
    for stage in &run.stages {
        let mut value = summary(&stage.latency.meter().summary());
        value["mean_batch"] = json!(stage.latency.mean_batch_hundredths() as f64 / 100.0);
        stages.insert(stage.name.to_owned(), value);
        let service = stage.latency.service().summary();
        if service.count > 0 {
            stages.insert(format!("service_{}", stage.name), summary(&service));
        }
    }
    Value::Object(stages)
}

fn hiccups(run: &RunReport) -> Value {
    let runners = run.runners.iter().zip(run.hiccups()).enumerate();
    let runners = runners.map(|(index, (runner, waits))| {
        let mut value = summary(&waits.summary());
        value["involuntary_switches"] = json!(runner.usage.involuntary_switches);
        value["faults"] = json!(runner.usage.minor_faults + runner.usage.major_faults);
        value["steal_ms"] = json!(runner.usage.steal_ms);
        (format!("runner{index}"), value)
    });
    Value::Object(runners.collect())
}

/// Percentiles in ns; null where there are too few samples.
fn summary(summary: &LatencySummary) -> Value {
    json!({
        "count": summary.count,
        "p50": summary.p50,
        "p90": summary.p90,
        "p99": summary.p99,
        "p999": summary.p999,
        "p9999": summary.p9999,
        "max": summary.max,
    })
}

/// A position; money as decimal strings, so that no reader rounds it.
fn position(row: &PositionRow) -> Value {
    json!({
        "account": row.account.0,
        "instrument": row.symbol,
        "currency": row.currency.as_str(),
        "position": row.position,
        "cash": row.cash.to_string(),
        "realised": row.realised.to_string(),
        "unrealised": row.unrealised.to_string(),
        "fees": row.fees.to_string(),
        "equity": row.equity.to_string(),
        "mark": row.mark.map(|mark| mark.to_string()),
        "priced": row.priced,
        "turnover": row.turnover.to_string(),
        "fills": row.fills,
        "lots": row.lots,
        "lots_cost": row.lots_cost.to_string(),
        "lots_realised": row.lots_realised.to_string(),
        "spread_capture": measured(row.quality.capture()),
        "markouts": {
            "100ms": measured(row.quality.markouts()[0]),
            "1s": measured(row.quality.markouts()[1]),
            "10s": measured(row.quality.markouts()[2]),
        },
        "adverse_selection": measured(row.quality.adverse),
    })
}

/// A sum over the fills that were measured; null when none was.
fn measured(one: Measured) -> Value {
    match one.fills {
        0 => Value::Null,
        fills => json!({ "fills": fills, "value": one.value.to_string() }),
    }
}

/// An account's sums in one currency.
fn account(total: &AccountTotal) -> Value {
    json!({
        "account": total.account.0,
        "currency": total.currency.as_str(),
        "initial_cash": total.initial_cash.to_string(),
        "cash": total.cash.to_string(),
        "realised": total.realised.to_string(),
        "unrealised": total.unrealised.to_string(),
        "fees": total.fees.to_string(),
        "equity": total.equity.to_string(),
        "equity_in_base": total.equity_in_base.map(|equity| equity.to_string()),
        "drawdown": total.drawdown.to_string(),
        "gross_exposure": total.gross_exposure.to_string(),
        "gross_exposure_max": total.gross_exposure_max.to_string(),
        "net_exposure": total.net_exposure.to_string(),
        "turnover": total.turnover.to_string(),
        "fills": total.fills,
    })
}

/// Rejects by their reasons' names.
pub fn rejects_json(rejects: &RejectCounts) -> Value {
    rejects.rejects().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect()
}

/// A strategy and what it did.
fn strategy(one: &StrategyReport) -> Value {
    json!({
        "account": one.account.0,
        "strategy": one.name,
        "submitted": one.counts.submitted,
        "accepted": one.counts.accepted,
        "rejected": one.counts.rejected,
        "rejects": rejects_json(&one.counts.rejects),
        "cancelled": one.counts.cancelled,
        "fills": one.counts.fills,
    })
}

fn plan(run: &RunReport) -> Value {
    let runners: Vec<_> = run
        .plan
        .runners
        .iter()
        .zip(&run.runners)
        .map(|(planned, got)| {
            json!({
                "agents": planned.agents,
                "core_asked": planned.core.map(|core| core.0),
                "cores_got": got.cores_got.iter().map(|core| core.0).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "runners": runners, "wait": run.plan.wait.name() })
}
