//! `replay --report`: the page, its drawings and its histograms.
//!
//! Would catch a page that needs the network, a figure on it that is not the run's, a chart or
//! histogram that is missing, a finding about the machine that is not told, a directory that is
//! overwritten unasked, and a report that changes what it reports on.

use std::fs;
use std::path::Path;

use crate::common::program::{Ran, run, run_with_small_files};

const SAMPLE: &str = "feeds/sample.itch.gz";
const STRATEGY: &str = "maker:symbols=ACME,ORBQ,lots=1,limit=1000";

fn report(dir: &Path, flags: &[&str]) -> Ran {
    let dir = dir.to_str().expect("a path of letters");
    let mut words = vec!["replay", SAMPLE, "--json", "--report", dir];
    words.extend(flags);
    run(words)
}

fn page(dir: &Path) -> String {
    fs::read_to_string(dir.join("index.html")).expect("a page")
}

#[test]
fn the_page_needs_nothing_but_itself_and_shows_the_runs_own_figures() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("report");
    let ran = report(&dir, &["--strategy", STRATEGY, "--rate", "2M"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let (json, page) = (ran.json(), page(&dir));
    for address in ["http:", "https:", "href=", "src=", "@import", "url("] {
        assert!(!page.contains(address), "the page holds {address}");
    }
    for name in ["percentiles", "latency-over-time", "throughput", "ring-depth", "worst-by-stage"] {
        assert!(page.contains(&format!("<figure id=\"{name}\">")), "no {name}");
    }
    for name in ["price", "depth", "equity", "drawdown", "position"] {
        assert!(page.contains(&format!("<figure id=\"{name}\">")), "no {name}");
        let alone = fs::read_to_string(dir.join(format!("{name}.svg"))).expect("a drawing");
        assert!(alone.starts_with("<svg") && alone.contains("<style>"), "{name}");
    }
    for figure in ["state_hash", "ringtape"] {
        assert!(page.contains(json[figure].as_str().expect("text")), "{figure}");
    }
    for row in json["portfolio"].as_array().expect("rows") {
        assert!(page.contains(row["equity"].as_str().expect("text")), "{row}");
    }
    assert!(page.contains("ringtape replay feeds/sample.itch.gz"), "no command to repeat it");
    assert!(page.contains(&format!("&quot;{STRATEGY}")), "no configuration");
    assert!(page.contains("<td>buy</td>") && page.contains("<td>sell</td>"), "no orders");
    let doctor = run(["doctor", "--json"]).json();
    let words = page.replace("<code>", "").replace("</code>", "");
    for check in doctor["checks"].as_array().expect("checks") {
        let Some(cure) = check["cure"].as_str() else { continue };
        let name = check["name"].as_str().expect("a name");
        if ["isolated", "timer_slack", "network"].contains(&name) {
            assert!(words.contains(&format!("Cure: {}.", cure.replace('`', ""))), "{check}");
        }
    }
}

#[test]
fn every_latency_stage_has_its_histogram_beside_the_page() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("report");
    let json = report(&dir, &["--rate", "2M"]).json();
    let stages = json["latency_ns"].as_object().expect("stages");
    let mut seen = 0;
    for (stage, summary) in stages.iter().filter(|(name, _)| *name != "basis") {
        let count = summary["count"].as_u64().expect("a count");
        if count == 0 {
            continue;
        }
        let text = fs::read_to_string(dir.join(format!("{stage}.hgrm"))).expect("a histogram");
        assert!(text.contains(&format!("Total count    = {count:12}]")), "{stage}: {text}");
        let max = summary["max"].as_u64().expect("a maximum");
        assert!(text.contains(&format!("#[Max     = {:12.3}", max as f64)), "{stage}");
        let mut before = (0.0, 0.0, 0.0);
        for line in text.lines().skip(2).filter(|line| !line.starts_with('#')) {
            let mut cells = line.split_whitespace().map(|cell| cell.parse::<f64>().expect(line));
            let mut next = || cells.next().expect(line);
            let now = (next(), next(), next());
            assert!(now.0 >= before.0 && now.1 >= before.1 && now.2 >= before.2, "{line}");
            before = now;
        }
        assert_eq!((before.1, before.2), (1.0, count as f64), "{stage} ends with all");
        seen += 1;
    }
    assert!(seen >= 2, "{stages:?}");
    assert!(page(&dir).matches("<svg").count() >= 4, "charts also without a strategy");
}

#[test]
fn a_report_changes_no_hash_and_overwrites_nothing_unasked() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("report");
    let flags = ["--strategy", STRATEGY];
    let with = report(&dir, &flags).json();
    let without = run(["replay", SAMPLE, "--json", "--strategy", STRATEGY]).json();
    assert_eq!(with["state_hash"], without["state_hash"]);

    let before = page(&dir);
    let refused = report(&dir, &flags);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("--force") && refused.stdout.is_empty(), "{}", refused.all());
    assert_eq!(page(&dir), before);
    assert_eq!(report(&dir, &["--force"]).code, 0);
    assert_ne!(page(&dir), before);
}

#[test]
fn the_chosen_symbol_is_shown_and_one_that_is_not_there_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("report");
    assert_eq!(report(&dir, &["--report-symbol", "ORBQ"]).code, 0);
    assert!(page(&dir).contains("Price of ORBQ"), "not the chosen one");
    let ran = report(&dir, &["--force", "--report-symbol", "NOPE"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.stderr.contains("ringtape info"), "{}", ran.stderr);
    assert_eq!(run(["replay", SAMPLE, "--report-symbol", "ACME"]).code, 2);
}

#[test]
fn order_files_and_short_recordings_have_a_page_too() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    for (name, feed) in
        [("orders", "tests/orders/auction.csv"), ("one", "feeds/bad/unknown-type.itch")]
    {
        let dir = scratch.path().join(name);
        let ran = run(["replay", feed, "--report", dir.to_str().expect("letters")]);
        assert_eq!(ran.code, 0, "{feed}\n{}", ran.all());
        assert!(page(&dir).matches("<svg").count() >= 4, "{feed}");
    }
}

#[test]
fn a_report_that_finds_no_room_leaves_no_directory() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("report");
    let ran = run_with_small_files(4, &format!("replay {SAMPLE} --report {}", dir.display()));
    assert_eq!(ran.code, 4, "{}", ran.all());
    assert!(ran.stderr.contains("cannot write"), "{}", ran.all());
    assert!(!dir.exists(), "half a report");
}
