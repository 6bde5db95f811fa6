//! What became of a run's gateway to a real venue.

#[cfg(feature = "cli")]
use serde_json::{Value, json};

use super::format::thousands;
use crate::engine::{GatewayReport, RunReport};

/// Lines of the report for people.
pub(super) fn lines(run: &RunReport) -> Vec<(&'static str, String)> {
    let Some(GatewayReport { address, counts, differences }) = &run.gateway else { return vec![] };
    let sessions = format!(
        "{address}, {} sessions, {} heartbeats",
        thousands(counts.sessions),
        thousands(counts.heartbeats)
    );
    let commands = format!(
        "{} sent, {} not sent for want of a session",
        thousands(counts.commands),
        thousands(counts.dropped)
    );
    let reports = format!(
        "{} came, {} of them made before their session; {} differences in lists of open orders",
        thousands(counts.reports),
        thousands(counts.recovered),
        thousands(*differences)
    );
    let mut lines = vec![("gateway", sessions), ("commands", commands), ("reports", reports)];
    lines.extend(counts.breaks.iter().map(|what| ("broken", what.clone())));
    lines
}

/// The same for scripts; null without a gateway.
#[cfg(feature = "cli")]
pub(super) fn json(run: &RunReport) -> Value {
    run.gateway.as_ref().map_or(Value::Null, |gateway| {
        let counts = &gateway.counts;
        json!({
            "address": gateway.address,
            "sessions": counts.sessions,
            "commands": counts.commands,
            "dropped": counts.dropped,
            "reports": counts.reports,
            "recovered": counts.recovered,
            "heartbeats": counts.heartbeats,
            "differences": gateway.differences,
            "breaks": counts.breaks,
        })
    })
}
