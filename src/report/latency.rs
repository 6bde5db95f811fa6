//! Charts of latency: percentiles by stage beside the machine's own hiccups, and latency over time
//! beside the event rate.

use std::borrow::Cow;

use super::chart::{Axis, Chart, Series, Shape, Unit};
use crate::engine::{RunReport, StageReport};
use crate::runtime::{Interval, Meter};

/// Points of a percentile curve in each power of ten of its tail.
const POINTS_PER_DECADE: i32 = 12;

/// Samples above a percentile without which it says nothing.
const SAMPLES_ABOVE_MIN: f64 = 10.0;

/// What stands before the name of a stage where its handler alone is meant.
const SERVICE: &str = "service_";

/// Stages whose latency over time says most about a run, the best first.
const KEY_STAGES: [&str; 3] = ["tick_to_order", "matching", "ring"];

/// A meter with the name under which it is charted.
#[derive(Debug)]
pub struct NamedMeter<'a> {
    /// What was measured.
    pub name: String,
    /// The durations.
    pub meter: Cow<'a, Meter>,
    /// Whether it is the machine's own: what events would have waited for idle cores.
    pub is_idle: bool,
}

/// Every latency stage of a run with its handler alone, then the hiccups of its runners.
pub fn meters(run: &RunReport) -> Vec<NamedMeter<'_>> {
    let named = |name, meter| NamedMeter { name, meter: Cow::Borrowed(meter), is_idle: false };
    let stages = run.stages.iter().flat_map(|stage| {
        [
            named(stage.name.to_owned(), stage.latency.meter()),
            named(format!("{SERVICE}{}", stage.name), stage.latency.service()),
        ]
    });
    let runners = run.hiccups().into_iter().enumerate().map(|(index, waits)| NamedMeter {
        name: format!("idle_runner{index}"),
        meter: Cow::Owned(waits),
        is_idle: true,
    });
    stages.chain(runners).filter(|named| named.meter.summary().count > 0).collect()
}

/// The stage that is charted over time.
pub(super) fn key_stage(run: &RunReport) -> Option<&StageReport> {
    let has_samples = |stage: &&StageReport| stage.latency.meter().summary().count > 0;
    KEY_STAGES
        .iter()
        .find_map(|name| run.stages.iter().filter(has_samples).find(|stage| stage.name == *name))
}

/// What latencies of this run are called.
pub(super) fn basis(run: &RunReport) -> &'static str {
    match run.is_paced {
        true => "latency from intended time",
        false => "saturated: not latency, but time from decode to effect at full speed",
    }
}

/// Percentile curves by stage, the machine's hiccups dashed beside them.
pub(super) fn percentiles(meters: &[NamedMeter<'_>], basis: &str) -> Chart {
    let x = Axis::log(Unit::Percentile).labelled("percentile");
    let mut chart = Chart::new(
        "percentiles",
        format!("Percentiles by stage: {basis}"),
        x,
        Axis::log(Unit::Duration),
    );
    if meters.iter().any(|named| named.name.starts_with(SERVICE)) {
        chart.note += "Dotted: the handler alone. ";
    }
    chart.note += "Dashed: the machine's own hiccups, what events at this rate would have waited \
                   for idle runners. What lies below them is not the engine's. A curve ends where \
                   fewer than ten samples lie above, then goes to its maximum.";
    let (mut stages, mut idle) = (Vec::new(), 0);
    for named in meters {
        let handled = named.name.strip_prefix(SERVICE);
        let stage = handled.unwrap_or(&named.name);
        let (color, shape) = if named.is_idle {
            idle += 1;
            (8 - idle.min(2), Shape::Dashed)
        } else {
            let known = stages.iter().position(|&known| known == stage);
            let place = known.unwrap_or_else(|| {
                stages.push(stage);
                stages.len() - 1
            });
            (place % 6, if handled.is_some() { Shape::Dotted } else { Shape::Line })
        };
        chart.series.push(Series::new(&named.name, color, shape).with(curve(&named.meter)));
    }
    chart
}

/// Points of a percentile curve: `1 / (1 - q)` and the duration.
fn curve(meter: &Meter) -> Vec<(f64, f64)> {
    let histogram = meter.histogram();
    let count = histogram.len() as f64;
    let mut points: Vec<(f64, f64)> = (0..)
        .map(|step: i32| 10_f64.powf(f64::from(step) / f64::from(POINTS_PER_DECADE)))
        .take_while(|tail| count / tail >= SAMPLES_ABOVE_MIN)
        .map(|tail| (tail, histogram.value_at_quantile(1.0 - 1.0 / tail).max(1) as f64))
        .collect();
    points.push((count.max(1.0), histogram.max().max(1) as f64));
    points
}

/// Latency of a stage over time, beside how many events a second it handled.
pub(super) fn over_time(run: &RunReport) -> Option<Chart> {
    let stage = key_stage(run)?;
    let started = start(run)?;
    let x = Axis::new(Unit::Elapsed).labelled("time since the start");
    let mut chart = Chart::new(
        "latency-over-time",
        format!("Latency of {} over time, against the event rate", stage.name),
        x,
        Axis::log(Unit::Duration),
    );
    chart.right = Some(Axis::new(Unit::Rate));
    chart.note = format!(
        "The area is the rate of events, on the right. A peak without a burst under it is a stall. \
         Basis: {}.",
        basis(run)
    );
    let intervals: Vec<Interval> = stage.latency.timeline().intervals().collect();
    let middle = |i: &Interval| (i.start.0 + i.width.0 / 2).saturating_sub(started) as f64;
    let mut rate = Series::new("events/s", 7, Shape::Area)
        .with(intervals.iter().map(|i| (middle(i), i.count as f64 * 1e9 / i.width.0 as f64)));
    rate.is_right = true;
    let value = |count: u64, ns: u64| if count == 0 { f64::NAN } else { ns.max(1) as f64 };
    let line = |name: &str, color, pick: &dyn Fn(&Interval) -> f64| {
        Series::new(name, color, Shape::Line).with(intervals.iter().map(|i| (middle(i), pick(i))))
    };
    chart.series = vec![
        rate,
        line("max", 4, &|i| value(i.count, i.max)),
        line("p99", 1, &|i| i.p99.map_or(f64::NAN, |ns| ns.max(1) as f64)),
        line("p50", 0, &|i| value(i.count, i.p50)),
    ];
    Some(chart)
}

/// The worst latency of each moment, by stage.
pub(super) fn worst_over_time(run: &RunReport) -> Option<Chart> {
    let started = start(run)?;
    let x = Axis::new(Unit::Elapsed).labelled("time since the start");
    let mut chart = Chart::new(
        "worst-by-stage",
        "Longest latency of each moment, by stage",
        x,
        Axis::log(Unit::Duration),
    );
    chart.note = "Stages that rise together were stopped together: look at the machine.".to_owned();
    for (index, stage) in run.stages.iter().enumerate() {
        let points = stage.latency.timeline().intervals().map(|i| {
            let at = (i.start.0 + i.width.0 / 2).saturating_sub(started) as f64;
            (at, if i.count == 0 { f64::NAN } else { i.max.max(1) as f64 })
        });
        let series = Series::new(stage.name, index % 6, Shape::Line).with(points);
        if !series.points.is_empty() {
            chart.series.push(series);
        }
    }
    Some(chart)
}

/// Engine time of the start of a run in ns: that of its first interval less what came before it.
pub(super) fn start(run: &RunReport) -> Option<u64> {
    let firsts = run.stages.iter().filter_map(|stage| stage.latency.timeline().intervals().next());
    let first = firsts.map(|interval| interval.start.0).min()?;
    Some(first.saturating_sub(run.first_event.map_or(0, |first| first.0)))
}
