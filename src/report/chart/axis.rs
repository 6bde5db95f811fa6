//! Axes: where a value lies, where the ticks stand and how they read.

use crate::event::Zone;
use crate::report::format::time_of_day;

/// ns of a second.
const SECOND: f64 = 1e9;

/// Steps between times of day, in seconds.
const CLOCK_STEPS: [f64; 16] = [
    0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
    10_800.0, 21_600.0,
];

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten; values of 0 and less have no place.
    Log,
}

/// What the values of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Durations in ns.
    Duration,
    /// Numbers of things.
    Count,
    /// Numbers of things a second.
    Rate,
    /// Exchange time in ns, shown in a clock.
    Clock(Zone),
    /// Time since the start in ns.
    Elapsed,
    /// `1 / (1 - q)` of a quantile `q`, on a logarithmic scale.
    Percentile,
    /// Prices and money with so many decimal places.
    Decimal(usize),
}

/// An axis of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What the values are.
    pub unit: Unit,
    /// How they are spread.
    pub scale: Scale,
    /// What stands beside it; may be empty.
    pub label: String,
    /// Whether it begins at 0.
    pub has_zero: bool,
}

impl Axis {
    /// A linear axis.
    pub fn new(unit: Unit) -> Self {
        let has_zero = matches!(unit, Unit::Count | Unit::Rate);
        Self { unit, scale: Scale::Linear, label: String::new(), has_zero }
    }

    /// A logarithmic axis.
    pub fn log(unit: Unit) -> Self {
        Self { scale: Scale::Log, has_zero: false, ..Self::new(unit) }
    }

    /// The same with a label.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// How a value reads.
    pub fn format(&self, value: f64) -> String {
        match self.unit {
            Unit::Duration | Unit::Elapsed => short_duration(value),
            Unit::Count => short(value),
            Unit::Rate => format!("{}/s", short(value)),
            Unit::Clock(zone) => time_of_day(value.max(0.0) as u64, zone)[..12].to_owned(),
            Unit::Percentile => percentile(value),
            Unit::Decimal(places) => decimal(value, places),
        }
    }
}

/// Where the values of an axis lie on the paper.
#[derive(Clone, Debug)]
pub(super) struct Ruler<'a> {
    axis: &'a Axis,
    low: f64,
    high: f64,
    /// Place of the lowest and of the highest value.
    place: (f64, f64),
}

impl<'a> Ruler<'a> {
    /// A ruler for all of `values`; those that have no place on the axis do not count.
    pub(super) fn over(
        axis: &'a Axis,
        values: impl Iterator<Item = f64>,
        place: (f64, f64),
    ) -> Self {
        let is_log = axis.scale == Scale::Log;
        let (mut low, mut high) = values
            .filter(|value| value.is_finite() && (!is_log || *value > 0.0))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = if is_log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        let is_time = matches!(axis.unit, Unit::Clock(_) | Unit::Elapsed);
        if axis.unit == Unit::Percentile {
            (low, high) = (1.0, high.max(100.0));
        } else if is_log {
            low = 10_f64.powf((low.log10() - 0.02).floor());
            high = high.max(low * 10.0) * 1.3;
        } else if is_time {
            high = high.max(low + 1.0);
        } else {
            low = if axis.has_zero { low.min(0.0) } else { low };
            let margin = if high > low { (high - low) * 0.06 } else { high.abs().max(1.0) * 0.1 };
            low = if axis.has_zero && low >= 0.0 { 0.0 } else { low - margin };
            high += margin;
        }
        Self { axis, low, high, place }
    }

    /// The place of a value; `None` for one that has none.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let share = match self.axis.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        let (from, to) = self.place;
        share.is_finite().then(|| from + share.clamp(-0.01, 1.01) * (to - from))
    }

    /// The value at a place.
    pub(super) fn value(&self, place: f64) -> f64 {
        let share = (place - self.place.0) / (self.place.1 - self.place.0);
        match self.axis.scale {
            Scale::Linear => self.low + share * (self.high - self.low),
            Scale::Log => self.low * (self.high / self.low).powf(share),
        }
    }

    /// Values with a tick, and what stands there.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let (unit, is_log) = (self.axis.unit, self.axis.scale == Scale::Log);
        let values = match unit {
            Unit::Percentile => {
                let tails = (1..12).map(|nines| 10_f64.powi(nines));
                [2.0].into_iter().chain(tails).filter(|&v| v <= self.high).collect()
            }
            _ if is_log => self.decades(),
            Unit::Clock(_) => {
                let wanted = (self.high - self.low) / SECOND / 8.0;
                let step = CLOCK_STEPS.iter().find(|&&step| step >= wanted).unwrap_or(&43_200.0);
                self.multiples(step * SECOND)
            }
            _ => {
                let wanted = (self.high - self.low) / 5.0;
                let power = 10_f64.powf(wanted.log10().floor());
                let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
                let step = steps.into_iter().find(|&step| step >= wanted);
                self.multiples(step.unwrap_or(wanted))
            }
        };
        values.into_iter().map(|value| (value, self.tick_text(value))).collect()
    }

    fn decades(&self) -> Vec<f64> {
        let (low, high) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let steps: &[f64] = if high - low <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        (low..=high)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|&value| value >= self.low * 0.999 && value <= self.high)
            .collect()
    }

    fn multiples(&self, step: f64) -> Vec<f64> {
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last.min(first + 20)).map(|count| count as f64 * step).collect()
    }

    fn tick_text(&self, value: f64) -> String {
        let zone = match self.axis.unit {
            Unit::Clock(zone) => zone,
            Unit::Decimal(_) if self.high - self.low > 20.0 => return decimal(value, 0),
            _ => return self.axis.format(value),
        };
        let text = time_of_day(value.max(0.0) as u64, zone);
        let span = (self.high - self.low) / SECOND;
        let letters = match span {
            600.0.. => 5,
            5.0.. => 8,
            _ => 12,
        };
        text[..letters].to_owned()
    }
}

/// Three digits, without zeros at the end.
fn three_digits(value: f64) -> String {
    let places = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn in_units(value: f64, units: &[(f64, &str)], smallest: &str) -> String {
    match units.iter().find(|(size, _)| value.abs() >= size * 0.9995) {
        Some((size, name)) => format!("{}{name}", three_digits(value / size)),
        None => format!("{}{smallest}", three_digits(value)),
    }
}

/// `1.5 us`, of ns.
fn short_duration(ns: f64) -> String {
    in_units(ns, &[(1e9, " s"), (1e6, " ms"), (1e3, " us")], " ns")
}

/// `1.5M`.
fn short(value: f64) -> String {
    in_units(value, &[(1e9, "G"), (1e6, "M"), (1e3, "k")], "")
}

fn decimal(value: f64, places: usize) -> String {
    if value.abs() >= 1e7 { short(value) } else { format!("{value:.places$}") }
}

/// `99.9 %`, of `1 / (1 - q)`.
fn percentile(tail: f64) -> String {
    let percent = 100.0 * (1.0 - 1.0 / tail.max(1.0));
    let places = (tail.log10() - 2.0).ceil().clamp(0.0, 9.0) as usize;
    format!("{percent:.places$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        let text = |unit, value| Axis::new(unit).format(value);
        assert_eq!(text(Unit::Duration, 1_500.0), "1.5 us");
        assert_eq!(text(Unit::Duration, 999_999.0), "1 ms");
        assert_eq!(text(Unit::Rate, 6_250_000.0), "6.25M/s");
        assert_eq!(text(Unit::Percentile, 1_000.0), "99.9 %");
        assert_eq!(text(Unit::Percentile, 2.0), "50 %");
        assert_eq!(text(Unit::Decimal(2), -3.456), "-3.46");
        assert_eq!(text(Unit::Clock(Zone::Eastern), 34_200.5e9), "09:30:00.500");
    }

    #[test]
    fn ticks_lie_within_the_axis_and_their_places_lead_back() {
        for (axis, values) in [
            (Axis::new(Unit::Count), [0.0, 977.0]),
            (Axis::log(Unit::Duration), [350.0, 4.2e6]),
            (Axis::new(Unit::Clock(Zone::Eastern)), [34_200e9, 57_600e9]),
            (Axis::new(Unit::Decimal(2)), [-3.0, 12.0]),
            (Axis::new(Unit::Elapsed), [0.0, 66e6]),
        ] {
            let ruler = Ruler::over(&axis, values.into_iter(), (100.0, 700.0));
            let ticks = ruler.ticks();
            assert!((3..=12).contains(&ticks.len()), "{axis:?}: {ticks:?}");
            for (value, _) in ticks {
                let place = ruler.place(value).expect("a place");
                assert!((99.0..=701.0).contains(&place), "{axis:?}: {value} at {place}");
                let back = ruler.value(place);
                assert!((back - value).abs() <= 1e-6 * value.abs().max(1.0), "{value} {back}");
            }
        }
    }
}
