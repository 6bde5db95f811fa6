//! Histograms in HdrHistogram's own formats, for its public tools: `.hgrm`, the percentile
//! distribution as text, and `.hlog`, the interval log.
//!
//! Values are ns. <http://hdrhistogram.github.io/HdrHistogram/plotFiles.html> draws `.hgrm` files;
//! the logs are read by every HdrHistogram library.

use std::fmt::Write;

use crate::runtime::Meter;

/// Lines of a distribution for each halving of what lies above.
const TICKS_PER_HALVING: u32 = 5;

/// Buckets of the smallest and finest part of a histogram, as its text names them.
const SUB_BUCKETS: u32 = 2048;

/// The percentile distribution of a meter as text.
///
/// ```
/// use ringtape::report::hdr::hgrm;
/// use ringtape::runtime::Meter;
///
/// let mut meter = Meter::new();
/// (1..=1_000).for_each(|ns| meter.record(ns));
/// let text = hgrm(&meter);
/// assert!(text.contains("     500.000 0.500000000000        500           2.00\n"));
/// assert!(text.contains("#[Max     =     1000.000, Total count    =         1000]"));
/// ```
pub fn hgrm(meter: &Meter) -> String {
    let histogram = meter.histogram();
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALVING) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
        let _ = write!(text, "{value:12.3} {quantile:2.12} {total:10}");
        let _ = match quantile < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text),
        };
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {SUB_BUCKETS:12}]",
        histogram.mean(),
        histogram.stdev(),
        histogram.max() as f64,
        histogram.len(),
        histogram.buckets(),
    );
    text
}

/// An interval of a log: its tag, its length in ns and what was measured in it.
#[cfg(feature = "cli")]
pub type LogInterval<'a> = (&'a str, u64, &'a Meter);

/// An interval log: each meter as an interval with its name for a tag.
///
/// `started` is the Unix time of the beginning in ns.
///
/// # Panics
///
/// When a tag holds a comma or white space, which the format does not allow.
#[cfg(feature = "cli")]
pub fn hlog(started: u64, intervals: &[LogInterval<'_>]) -> String {
    use std::time::{Duration, UNIX_EPOCH};

    use hdrhistogram::serialization::V2DeflateSerializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let start = UNIX_EPOCH + Duration::from_nanos(started);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Logged with ringtape; values are ns]")
        .with_start_time(start)
        .with_max_value_divisor(1.0)
        .begin_log_with(&mut bytes, &mut serializer)
        .expect("memory takes everything");
    for (name, length, meter) in intervals {
        let tag = Tag::new(name).expect("a tag without comma or white space");
        let length = Duration::from_nanos(*length);
        log.write_histogram(meter.histogram(), Duration::ZERO, length, Some(tag))
            .expect("memory takes everything and the histogram is whole");
    }
    String::from_utf8(bytes).expect("the format is text")
}
