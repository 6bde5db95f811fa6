//! The page of a sweep.

use std::borrow::Cow;

use ringtape::report::chart::{Axis, Chart, Series, Shape, Unit};
use ringtape::report::format::{duration, thousands};
use ringtape::report::{BenchPage, Machine, NamedMeter, ReportFile};
use ringtape::runtime::Meter;

use super::sweep::{HICCUPS, Rate, STAGE, Stage, Sweep};
use crate::cli::doctor;
use crate::cli::report::command;

impl Sweep {
    /// All files of the report; `full_speed` are the messages a second of the unpaced rounds.
    pub(super) fn page(
        &self,
        machine: &Machine,
        facts: &[(String, String)],
        full_speed: &[u64],
    ) -> Vec<ReportFile> {
        let named = |(name, meter)| {
            let is_idle = name == "idle";
            NamedMeter { name, meter: Cow::Borrowed(meter), is_idle }
        };
        let meters: Vec<NamedMeter<'_>> = self.histograms().into_iter().map(named).collect();
        let of_stage = self
            .histograms()
            .into_iter()
            .filter(|(name, _)| name.starts_with(STAGE) || name == "idle");
        let curves: Vec<NamedMeter<'_>> = of_stage.map(named).collect();
        let median = full_speed[full_speed.len() / 2];
        let mut facts = facts.to_vec();
        facts.push(("saturation".to_owned(), self.saturation_words(median)));
        BenchPage {
            verdict: &self.verdict(),
            tiles: &self.tiles(median),
            machine,
            costs: &doctor::costs(),
            command: &command(),
            head: &["rate", "stage", "p50", "p90", "p99", "p99.9", "p99.99", "max"],
            rows: &self.rows(),
            curves: &curves,
            meters: &meters,
            charts: &[self.by_rate(), self.reached(), rounds(full_speed)],
            facts: &facts,
        }
        .files()
    }

    fn tiles(&self, full_speed: u64) -> Vec<(String, String)> {
        let mut tiles =
            vec![(thousands(full_speed), "messages a second at full speed, median".to_owned())];
        for rate in self.rates() {
            let p99 = rate.p99().map_or_else(|| "n/a".to_owned(), |[_, mid, _]| duration(mid));
            tiles.push((p99, format!("p99 of {STAGE} at {}/s", thousands(rate.asked))));
        }
        let idle = self.idle().summary().p99;
        let idle = idle.map_or_else(|| "n/a".to_owned(), duration);
        tiles.push((idle, "p99 of idle cores".to_owned()));
        tiles
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |first: String, stage: &Stage| {
            let mut cells = vec![first, stage.name.to_owned()];
            cells.extend(stage.percentiles().map(|(_, spread)| {
                spread.map_or_else(|| "n/a".to_owned(), |[_, mid, _]| duration(mid))
            }));
            cells
        };
        let rates = self.rates().iter();
        let mut rows: Vec<_> = rates
            .flat_map(|rate| rate.stages.iter().map(|stage| row(thousands(rate.asked), stage)))
            .collect();
        let idle =
            Stage { name: "idle cores", rounds: vec![self.idle().summary()], all: Meter::new() };
        rows.push(row(String::new(), &idle));
        rows
    }

    fn by_rate(&self) -> Chart {
        let x = Axis::log(Unit::Rate).labelled("messages a second");
        let title = format!("Latency of {STAGE} by rate");
        let mut chart = Chart::new("latency-by-rate", title, x, Axis::log(Unit::Duration));
        chart.note =
            "Medians of the rounds. Where it turns upwards the pipeline is saturated.".to_owned();
        let by_rate = |stage: &'static str, wanted: &'static str| {
            self.rates().iter().filter_map(move |rate| {
                let percentiles = rate.stage(stage)?.percentiles();
                let (_, spread) = percentiles.into_iter().find(|(name, _)| *name == wanted)?;
                Some((rate.asked as f64, spread?[1] as f64))
            })
        };
        for (color, wanted) in ["p50", "p99", "p999", "max"].into_iter().enumerate() {
            let line = Series::new(wanted, color, Shape::Line).with(by_rate(STAGE, wanted));
            chart.series.push(line);
        }
        let hiccups = Series::new("p99 of hiccups meanwhile", 6, Shape::Dashed);
        chart.series.push(hiccups.with(by_rate(HICCUPS, "p99")));
        let idle = self.idle().summary().p99.unwrap_or(0) as f64;
        let ends = self.rates().iter().map(|rate| (rate.asked as f64, idle));
        chart.series.push(Series::new("p99 of idle cores", 7, Shape::Dashed).with(ends));
        chart
    }

    fn reached(&self) -> Chart {
        let x = Axis::log(Unit::Rate).labelled("messages a second asked for");
        let mut chart = Chart::new("reached", "Rate reached", x, Axis::log(Unit::Rate));
        chart.note = "Dashed: what was asked for.".to_owned();
        let asked = |rate: &Rate| rate.asked as f64;
        let reached = self.rates().iter().map(|rate| {
            let mut all = rate.reached.clone();
            all.sort_unstable();
            (asked(rate), all.get(all.len() / 2).map_or(f64::NAN, |&rate| rate as f64))
        });
        chart.series.push(Series::new("reached", 0, Shape::Line).with(reached));
        let line = self.rates().iter().map(|rate| (asked(rate), asked(rate)));
        chart.series.push(Series::new("asked for", 7, Shape::Dashed).with(line));
        chart
    }
}

fn rounds(full_speed: &[u64]) -> Chart {
    let x = Axis::new(Unit::Count).labelled("rounds, the slowest first");
    let mut chart = Chart::new("full-speed", "Full speed by round", x, Axis::new(Unit::Rate));
    let points =
        full_speed.iter().enumerate().map(|(round, &rate)| (round as f64 + 1.0, rate as f64));
    chart.series.push(Series::new("messages", 0, Shape::Line).with(points));
    chart
}
