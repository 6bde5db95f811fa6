//! The page of a run, with its charts and histograms as files beside it.

use super::chart::Chart;
use super::findings::warnings;
use super::format::{duration, thousands, time_of_day};
use super::hdr::hgrm;
use super::html::Html;
use super::latency::{self, NamedMeter, basis, key_stage, meters};
use super::machine::Machine;
use super::market::MarketPicture;
use super::money::MoneyStory;
use super::samples::Samples;
use crate::engine::RunReport;
use crate::event::Execution;
use crate::runtime::LatencySummary;
use crate::units::OrderId;

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// Its name within the report's directory.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What the page of a run is made of.
#[derive(Debug)]
pub struct Page<'a> {
    /// The finished run.
    pub run: &'a RunReport,
    /// The machine that it ran on.
    pub machine: &'a Machine,
    /// What costs latency on that machine, and what cures it, in a line each.
    pub costs: &'a [String],
    /// The command that repeats it.
    pub command: &'a str,
    /// Everything that shaped the run, as TOML.
    pub config: &'a str,
    /// The gauges while it ran.
    pub samples: &'a Samples,
    /// The chosen symbol's market; `None` when the feed could not be read twice.
    pub market: Option<&'a MarketPicture>,
    /// Orders and money; `None` when no executions were kept.
    pub money: Option<&'a MoneyStory>,
}

impl Page<'_> {
    /// All files of the report; the first is `index.html`.
    pub fn files(&self) -> Vec<ReportFile> {
        let meters = meters(self.run);
        let (speed, market, money) = self.charts(&meters);
        let all: Vec<&Chart> = speed.iter().chain(&market).chain(&money).collect();
        let mut files = vec![ReportFile {
            name: "index.html".to_owned(),
            text: self.html(&meters, &speed, &market, &money),
        }];
        files.extend(all.into_iter().map(|chart| ReportFile {
            name: format!("{}.svg", chart.name),
            text: chart.to_svg(true),
        }));
        files.extend(meters.iter().map(|named| ReportFile {
            name: format!("{}.hgrm", named.name),
            text: hgrm(&named.meter),
        }));
        #[cfg(feature = "cli")]
        files.push(self.log(&meters));
        files
    }

    /// All histograms as one interval log.
    #[cfg(feature = "cli")]
    fn log(&self, meters: &[NamedMeter<'_>]) -> ReportFile {
        let start = latency::start(self.run).unwrap_or(0);
        let intervals: Vec<_> = meters
            .iter()
            .map(|named| (named.name.as_str(), self.run.wall.0, &*named.meter))
            .collect();
        let text = super::hdr::hlog(start, &intervals);
        ReportFile { name: "latency.hlog".to_owned(), text }
    }

    fn charts(&self, meters: &[NamedMeter<'_>]) -> (Vec<Chart>, Vec<Chart>, Vec<Chart>) {
        let mut speed = vec![latency::percentiles(meters, basis(self.run))];
        speed.extend(latency::over_time(self.run));
        speed.extend(self.samples.charts());
        speed.extend(latency::worst_over_time(self.run));
        let kept = self.run.kept.as_ref();
        let executions: &[Execution] = kept.map_or(&[], |kept| &kept.records);
        let market = self.market.map(|market| market.charts(executions)).unwrap_or_default();
        let money = self.money.map(|money| money.charts(self.run.feed.zone)).unwrap_or_default();
        (speed, market, money)
    }

    fn html(
        &self,
        meters: &[NamedMeter<'_>],
        speed: &[Chart],
        market: &[Chart],
        money: &[Chart],
    ) -> String {
        let run = self.run;
        let mut html = Html::new("ringtape replay", &run.feed.origin);
        html.tiles(&self.tiles());
        let warnings = warnings(run);
        if !warnings.is_empty() {
            html.heading("Warnings");
            html.list(&warnings);
        }
        html.heading("Speed");
        html.charts(speed);
        html.heading("Percentiles");
        html.paragraph(&format!(
            "Basis: {}. n/a: fewer than ten samples lie above it.",
            basis(run)
        ));
        html.table(
            &["stage", "samples", "p50", "p90", "p99", "p99.9", "p99.99", "max"],
            &meters.iter().map(percentile_row).collect::<Vec<_>>(),
        );
        html.heading("Market");
        if market.is_empty() {
            html.paragraph(
                "No picture of the market: the feed could not be read a second time, or has no \
                 displayed book.",
            );
        }
        html.charts(market);
        if !money.is_empty() {
            html.heading("Money");
            html.charts(money);
        }
        self.tables(&mut html);
        html.heading("Machine and build");
        html.facts(&self.facts());
        html.costs(self.costs);
        html.heading("To repeat this run");
        html.verbatim(self.command);
        html.paragraph("What shaped it, as TOML:");
        html.verbatim(self.config);
        html.heading("Hashes");
        let hashes = run.hashes;
        let hash = |name: &str, hash: u64| (name.to_owned(), format!("{hash:016x}"));
        html.facts(&[
            hash("state", hashes.state()),
            hash("books", hashes.books),
            hash("orders", hashes.orders),
            hash("portfolio", hashes.portfolio),
            hash("feed identity", run.feed.identity),
        ]);
        html.finish()
    }

    fn tiles(&self) -> Vec<(String, String)> {
        let run = self.run;
        let tile = |figure: String, what: &str| (figure, what.to_owned());
        let mut tiles = vec![
            tile(thousands(run.messages_per_second()), "messages a second"),
            tile(thousands(run.checks.messages), "messages"),
            tile(duration(run.wall.0), "in all"),
        ];
        if let Some(stage) = key_stage(run) {
            let summary = stage.latency.meter().summary();
            let what = if run.is_paced { "from intended time" } else { "saturated, not latency" };
            for (name, value) in [("p50", summary.p50), ("p99", summary.p99)] {
                tiles.push((cell(value), format!("{name} {}, {what}", stage.name)));
            }
        }
        if run.trades.submitted > 0 || run.executions > 0 {
            tiles.push(tile(thousands(run.trades.accepted), "orders accepted"));
            tiles.push(tile(thousands(run.trades.fills), "fills"));
        }
        for total in run.accounts.iter().take(2) {
            let gain = total.equity - total.initial_cash;
            let what =
                format!("{} profit and loss, account {}", total.currency.as_str(), total.account);
            tiles.push((gain.to_string(), what));
        }
        tiles.push(tile(format!("{:016x}", run.hashes.state()), "state hash"));
        tiles
    }

    /// Positions and orders.
    fn tables(&self, html: &mut Html) {
        let run = self.run;
        if !run.portfolio.is_empty() {
            html.heading("Positions");
            let rows = run.portfolio.iter().map(|row| {
                let money = [row.cash, row.realised, row.unrealised, row.fees, row.equity];
                let mut cells =
                    vec![row.symbol.clone(), row.account.to_string(), row.position.to_string()];
                cells.extend(money.map(|money| money.to_string()));
                cells.push(thousands(row.fills));
                cells
            });
            html.table(
                &[
                    "symbol",
                    "account",
                    "position",
                    "cash",
                    "realised",
                    "unrealised",
                    "fees",
                    "equity",
                    "fills",
                ],
                &rows.collect::<Vec<_>>(),
            );
        }
        let Some(story) = self.money.filter(|story| !story.orders.is_empty()) else { return };
        html.heading("Orders");
        let (shown, (all, traded)) = (story.orders.len() as u64, story.orders_in_all);
        if shown < all {
            html.paragraph(&format!(
                "{} orders, one that takes another's place counted by itself, of which {} traded; \
                 here are the first that did, and some that did not. {}",
                thousands(all),
                thousands(traded),
                story.left_out
            ));
        }
        let rows = story.orders.iter().map(|order| {
            vec![
                OrderId(order.order_id).number().to_string(),
                time_of_day(order.came, self.run.feed.zone),
                order.symbol.clone(),
                order.account.to_string(),
                order.side.map_or("", |side| side.name()).to_owned(),
                order.price.clone(),
                thousands(order.qty),
                thousands(order.filled),
                order.average.clone(),
                order.state.clone(),
                time_of_day(order.last, self.run.feed.zone),
            ]
        });
        html.table(
            &[
                "order", "came", "symbol", "account", "side", "limit", "quantity", "filled",
                "average", "ended as", "last",
            ],
            &rows.collect::<Vec<_>>(),
        );
    }

    fn facts(&self) -> Vec<(String, String)> {
        let (run, machine) = (self.run, self.machine);
        let fact = |name: &str, fact: String| (name.to_owned(), fact);
        let build = if machine.is_optimised { "optimised" } else { "unoptimised" };
        let mut facts = vec![
            fact("processor", format!("{}, {} cores allowed", machine.cpu, machine.cores_allowed)),
            fact("system", format!("Linux {}", machine.kernel)),
            fact("clock", format!("{}, {} ns a read", machine.clock, machine.clock_read_ns)),
            fact("build", format!("ringtape {}, {build}", machine.version)),
            fact("waiting", run.plan.wait.name().to_owned()),
        ];
        for (index, (planned, got)) in run.plan.runners.iter().zip(&run.runners).enumerate() {
            let cores: Vec<_> = got.cores_got.iter().map(ToString::to_string).collect();
            let usage = &got.usage;
            facts.push((
                format!("runner {index}"),
                format!(
                    "{} on core {}; {} involuntary switches, {} faults, {} ms stolen",
                    planned.agents.join(", "),
                    cores.join(","),
                    thousands(usage.involuntary_switches),
                    thousands(usage.minor_faults + usage.major_faults),
                    usage.steal_ms
                ),
            ));
        }
        let gate = run.journal.map_or_else(
            || "none kept".to_owned(),
            |journal| format!("durability {}, gate {}", journal.durability, journal.gate.name()),
        );
        facts.push(fact("journal", gate));
        facts.push(fact(
            "feed",
            format!(
                "{}, {} messages, identity {:016x}",
                run.feed.format,
                thousands(run.checks.messages),
                run.feed.identity
            ),
        ));
        facts
    }
}

fn cell(value: Option<u64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), duration)
}

fn percentile_row(named: &NamedMeter<'_>) -> Vec<String> {
    let LatencySummary { count, p50, p90, p99, p999, p9999, max } = named.meter.summary();
    let mut cells = vec![named.name.clone(), thousands(count)];
    cells.extend([p50, p90, p99, p999, p9999, max].map(cell));
    cells
}
