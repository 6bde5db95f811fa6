//! The page of a bench of the pipeline, with its charts and histograms as files beside it.

use super::chart::Chart;
use super::hdr::hgrm;
use super::html::Html;
use super::latency::{NamedMeter, percentiles};
use super::machine::Machine;
use super::page::ReportFile;

/// What the page of a bench is made of.
#[derive(Debug)]
pub struct BenchPage<'a> {
    /// The verdict in words.
    pub verdict: &'a str,
    /// Figures in large letters, each with what it is.
    pub tiles: &'a [(String, String)],
    /// The machine.
    pub machine: &'a Machine,
    /// What costs latency on it, and what cures it, in a line each.
    pub costs: &'a [String],
    /// The command that repeats it.
    pub command: &'a str,
    /// Names of the table's columns.
    pub head: &'a [&'a str],
    /// The table.
    pub rows: &'a [Vec<String>],
    /// What the curves of percentiles show.
    pub curves: &'a [NamedMeter<'a>],
    /// Everything that was measured.
    pub meters: &'a [NamedMeter<'a>],
    /// The charts behind those of percentiles.
    pub charts: &'a [Chart],
    /// Facts about streams and hashes.
    pub facts: &'a [(String, String)],
}

impl BenchPage<'_> {
    /// All files of the report; the first is `index.html`.
    pub fn files(&self) -> Vec<ReportFile> {
        let mut curves = percentiles(self.curves, "latency from intended time");
        curves.title = "Percentiles from intended time, by rate".to_owned();
        let charts: Vec<&Chart> = [&curves].into_iter().chain(self.charts).collect();
        let mut html = Html::new("ringtape bench pipeline", self.verdict);
        html.tiles(self.tiles);
        html.heading("Latency and speed");
        html.charts(charts.iter().copied());
        html.heading("Percentiles");
        html.paragraph(
            "Medians of the rounds. n/a: fewer than ten samples of a round lie above it.",
        );
        html.table(self.head, self.rows);
        html.heading("Machine, build and stream");
        let machine = self.machine;
        let build = if machine.is_optimised { "optimised" } else { "unoptimised" };
        let fact = |name: &str, fact: String| (name.to_owned(), fact);
        let mut facts = vec![
            fact("processor", format!("{}, {} cores allowed", machine.cpu, machine.cores_allowed)),
            fact("system", format!("Linux {}", machine.kernel)),
            fact("clock", format!("{}, {} ns a read", machine.clock, machine.clock_read_ns)),
            fact("build", format!("ringtape {}, {build}", machine.version)),
        ];
        facts.extend_from_slice(self.facts);
        html.facts(&facts);
        html.costs(self.costs);
        html.heading("To measure again");
        html.verbatim(self.command);
        let page = ReportFile { name: "index.html".to_owned(), text: html.finish() };
        let drawings = charts.into_iter().map(|chart| ReportFile {
            name: format!("{}.svg", chart.name),
            text: chart.to_svg(true),
        });
        let histograms = self.meters.iter().map(|named| ReportFile {
            name: format!("{}.hgrm", named.name),
            text: hgrm(&named.meter),
        });
        [page].into_iter().chain(drawings).chain(histograms).collect()
    }
}
