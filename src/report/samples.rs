//! Samples of a running engine's gauges, and the charts of them.

use super::chart::{Axis, Chart, Series, Shape, Unit};
use super::format::thousands;
use crate::engine::{Gauges, Reading};
use crate::units::Nanos;

/// Time between two samples at first.
const FIRST_PERIOD: Nanos = Nanos(1_000_000);

/// Samples that are kept; when there are more, every second goes and the period doubles.
const SAMPLES_MAX: usize = 1200;

/// Gauges read now and then by a thread outside the engine, which never waits for it.
#[derive(Debug)]
pub struct Samples {
    gauges: Gauges,
    readings: Vec<Reading>,
    period: Nanos,
}

impl Samples {
    /// No samples yet of these gauges.
    pub fn new(gauges: Gauges) -> Self {
        let first = gauges.read();
        Self { gauges, readings: vec![first], period: FIRST_PERIOD }
    }

    /// The time to wait between two looks.
    pub fn period(&self) -> Nanos {
        self.period
    }

    /// Takes a sample.
    pub fn look(&mut self) {
        self.readings.push(self.gauges.read());
        if self.readings.len() >= SAMPLES_MAX {
            let mut index = 0;
            self.readings.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.period.0 *= 2;
        }
    }

    /// What was read, in order.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// Throughput over time; depth of the rings and lag of their consumers over time.
    pub fn charts(&self) -> Vec<Chart> {
        vec![self.throughput(), self.depth()]
    }

    fn throughput(&self) -> Chart {
        let mut chart = Chart::new(
            "throughput",
            "Throughput over time",
            Axis::new(Unit::Elapsed).labelled("time since the start"),
            Axis::new(Unit::Rate),
        );
        chart.note =
            "Messages taken from the feed, records handled on each ring; between two looks at the \
             gauges."
                .to_owned();
        let rate = |count: &dyn Fn(&Reading) -> u64| {
            let pairs = self.readings.windows(2).map(|pair| {
                let (one, other) = (&pair[0], &pair[1]);
                let ns = other.at.0.saturating_sub(one.at.0).max(1) as f64;
                let more = count(other).saturating_sub(count(one)) as f64;
                ((one.at.0 + other.at.0) as f64 / 2.0, more * 1e9 / ns)
            });
            pairs.collect::<Vec<_>>()
        };
        let messages = rate(&|reading| reading.messages);
        chart.series.push(Series::new("messages", 0, Shape::Area).with(messages.clone()));
        chart.series.push(Series::new("messages", 0, Shape::Line).with(messages));
        for (index, ring) in self.gauges.rings().iter().enumerate() {
            let handled = rate(&|reading| reading.rings[index].handled);
            if handled.iter().any(|&(_, rate)| rate > 0.0) {
                let name = format!("{} ring", ring.name);
                chart.series.push(Series::new(name, 1 + index, Shape::Line).with(handled));
            }
        }
        chart
    }

    fn depth(&self) -> Chart {
        let mut chart = Chart::new(
            "ring-depth",
            "Ring depth and consumer lag over time",
            Axis::new(Unit::Elapsed).labelled("time since the start"),
            Axis::new(Unit::Count),
        );
        let slots = thousands(self.gauges.rings()[0].slots as u64);
        chart.note = format!(
            "Records that were published and not yet handled, by stage; the area is the market \
             ring's depth, of {slots} slots. A full ring holds the feed back."
        );
        let at = |reading: &Reading| reading.at.0 as f64;
        let depth = self.readings.iter().map(|r| (at(r), r.rings[0].depth as f64));
        chart.series.push(Series::new("market ring", 7, Shape::Area).with(depth));
        let mut color = 0;
        for (index, ring) in self.gauges.rings().iter().enumerate() {
            for (stage, name) in ring.stages.iter().enumerate() {
                let lag = self.readings.iter().map(|r| (at(r), r.rings[index].lags[stage] as f64));
                chart.series.push(Series::new(name, color, Shape::Line).with(lag));
                color += 1;
            }
        }
        chart
    }
}
