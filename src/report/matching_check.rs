//! What holding the matching engine against a feed found, as lines for people and as JSON.

#[cfg(feature = "cli")]
use serde_json::{Value, json};

use super::format::{thousands, time_of_day};
use crate::event::{Instrument, Zone};
use crate::matching::proof::{Disagreement, MatchingCheck, TapeFill};

/// Fills of a disagreement that a line shows.
const FILLS_SHOWN: usize = 4;

/// Labels and contents of the section.
pub(super) fn lines(check: &MatchingCheck, zone: Zone) -> Vec<(&'static str, String)> {
    let evidence = &check.evidence;
    let number = thousands;
    let grouping = match check.is_grouped_by_match_number {
        true => ", grouped by match number",
        false => "",
    };
    let mut lines = vec![
        (
            "checked",
            format!(
                "{} exchange events{grouping}: {} executions, {} remainders",
                number(check.checked),
                number(check.executions),
                number(check.remainders)
            ),
        ),
        ("agree", number(check.agree)),
        (
            "disagree",
            format!(
                "{}, of them {} adds that would trade",
                number(check.disagree),
                number(check.adds_would_trade)
            ),
        ),
        (
            "evidence",
            format!(
                "executions in company {}, on reduced orders {}, on replaced {}, over several \
                 levels {}, with remainder {}",
                number(evidence.in_company),
                number(evidence.on_reduced),
                number(evidence.on_replaced),
                number(evidence.over_levels),
                number(evidence.with_remainder)
            ),
        ),
        (
            "no verdict",
            format!(
                "cross {}, priced {}, unknown reference {}, hidden prints {}, unclassified {}",
                number(check.cross),
                number(check.priced),
                number(check.unknown_reference),
                number(check.hidden_prints),
                number(check.unclassified)
            ),
        ),
    ];
    if check.implausible_prints > 0 {
        let count = number(check.implausible_prints);
        lines.push((
            "implausible",
            format!("{count} hidden trades where displayed orders came first"),
        ));
    }
    lines
        .push(("proves", "price-time priority of displayed limit orders, nothing else".to_owned()));
    lines.extend(
        check.disagreements.iter().map(|found| ("disagreement", disagreement(found, zone))),
    );
    lines
}

fn disagreement(found: &Disagreement, zone: Zone) -> String {
    let instrument = found.definition.as_ref();
    let name = instrument
        .map_or_else(|| format!("#{}", found.instrument), |known| known.symbol.as_str().to_owned());
    format!(
        "event {} at {}, {name}, order {}: {}; expected {}; got {}",
        found.event,
        time_of_day(found.ts_event, zone),
        found.order_id,
        found.why,
        fills(instrument, &found.expected),
        fills(instrument, &found.got)
    )
}

fn fills(instrument: Option<&Instrument>, fills: &[TapeFill]) -> String {
    let price = |fill: &TapeFill| match instrument {
        Some(known) => known.format_price(fill.price),
        None => fill.price.to_string(),
    };
    let shown = fills.iter().take(FILLS_SHOWN);
    let mut words: Vec<_> =
        shown.map(|fill| format!("{} of {} at {}", fill.qty, fill.order_id, price(fill))).collect();
    if let Some(more @ 1..) = fills.len().checked_sub(FILLS_SHOWN) {
        words.push(format!("{more} more"));
    }
    if words.is_empty() { "no fill".to_owned() } else { words.join(", ") }
}

/// The value of `check_matching`; prices and quantities in increments.
#[cfg(feature = "cli")]
pub(super) fn json(check: &MatchingCheck) -> Value {
    let evidence = &check.evidence;
    json!({
        "checked": check.checked,
        "agree": check.agree,
        "disagree": check.disagree,
        "adds_would_trade": check.adds_would_trade,
        "executions": check.executions,
        "remainders": check.remainders,
        "cross": check.cross,
        "priced": check.priced,
        "unknown_reference": check.unknown_reference,
        "hidden_prints": check.hidden_prints,
        "implausible_prints": check.implausible_prints,
        "unclassified": check.unclassified,
        "evidence": {
            "in_company": evidence.in_company,
            "on_reduced": evidence.on_reduced,
            "on_replaced": evidence.on_replaced,
            "over_levels": evidence.over_levels,
            "with_remainder": evidence.with_remainder,
        },
        "grouped_by_match_number": check.is_grouped_by_match_number,
        "disagreements": check.disagreements.iter().map(disagreement_json).collect::<Vec<_>>(),
    })
}

#[cfg(feature = "cli")]
fn disagreement_json(found: &Disagreement) -> Value {
    let fills = |fills: &[TapeFill]| fills.iter().map(fill_json).collect::<Vec<_>>();
    json!({
        "event": found.event,
        "ts_event": found.ts_event,
        "instrument": found.definition.map_or_else(
            || format!("#{}", found.instrument),
            |known| known.symbol.as_str().to_owned(),
        ),
        "order_id": found.order_id.0,
        "why": found.why.to_string(),
        "expected": fills(&found.expected),
        "got": fills(&found.got),
    })
}

#[cfg(feature = "cli")]
fn fill_json(fill: &TapeFill) -> Value {
    json!({ "order_id": fill.order_id.0, "price": fill.price.0, "qty": fill.qty.0 })
}
