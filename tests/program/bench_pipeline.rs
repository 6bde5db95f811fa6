//! `bench pipeline` at fixed rates, and `bench compare` of what it printed.
//!
//! Would catch a bound that is not held, a file that is not written, and a comparison that finds
//! differences in noise or none in a slow build.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::program::{Ran, run, run_line};

const BENCH: &str = "bench pipeline --messages 30k --symbols 50 --live 1000 --rounds 2 \
                     --seconds 0.1 --rates 50k,200k --json";

/// A document with one rate of so many rounds around `median`.
fn document(median: f64, rounds: u64, checksum: &str) -> Value {
    serde_json::json!({
        "schema": 1,
        "bench": "pipeline",
        "machine": { "cpu": "one", "cores_allowed": 2 },
        "session": { "bytes": 1, "checksum": checksum },
        "messages_per_s": {
            "min": median * 0.99,
            "median": median,
            "max": median * 1.01,
            "rounds": vec![median; rounds as usize],
        },
    })
}

fn compare(folder: &Path, a: &Value, b: &Value) -> Ran {
    let write = |name: &str, document: &Value| {
        let path = folder.join(name);
        fs::write(&path, document.to_string()).expect("a file");
        path
    };
    let (a, b) = (write("a.json", a), write("b.json", b));
    run(["bench".as_ref(), "compare".as_ref(), a.as_os_str(), b.as_os_str()])
}

#[test]
fn rates_have_percentiles_of_each_stage_and_files_beside_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name).display().to_string();
    let (hgrm, hlog, report) = (at("hgrm"), at("all.hlog"), at("report"));
    let ran = run_line(&format!("{BENCH} --hgrm {hgrm} --hlog {hlog} --report {report}"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let latency = &ran.json()["latency"];
    let rates = latency["rates"].as_array().expect("rates");
    assert_eq!(rates.len(), 2);
    for rate in rates {
        let matching = &rate["latency_ns"]["matching"];
        assert!(matching["count"].as_u64() > Some(5_000), "{rate}");
        assert!(matching["p50"]["median"].is_u64() && matching["p9999"].is_null(), "{rate}");
        let name = format!("{hgrm}/matching_{}.hgrm", rate["rate"]);
        let text = fs::read_to_string(&name).expect("a distribution");
        assert!(
            text.contains(&format!("Total count    = {:12}]", matching["count"].as_u64().unwrap()))
        );
    }
    assert!(latency["verdict"].as_str().expect("words").contains("tail claim"), "{latency}");
    assert!(latency["idle_ns"]["p99"].is_u64());
    let log = fs::read_to_string(&hlog).expect("a log");
    let tagged = log.lines().filter(|line| line.starts_with("Tag=")).count();
    assert_eq!(tagged, fs::read_dir(&hgrm).expect("distributions").count());
    assert!(tagged >= 5, "{log}");
    let page = fs::read_to_string(format!("{report}/index.html")).expect("a page");
    assert!(page.matches("<svg").count() >= 4 && !page.contains("http"), "charts");

    let refused = run_line(&format!("{BENCH} --hlog {hlog}"));
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
}

#[test]
fn a_bound_on_the_99th_percentile_decides_the_exit_code() {
    assert_eq!(run_line(&format!("{BENCH} --p99-max 1ns")).code, 1);
    assert_eq!(run_line(&format!("{BENCH} --p99-max 100s")).code, 0);
    let line = "bench pipeline --messages 30k --symbols 50 --live 1000 --rates none --p99-max 1us";
    assert_eq!(run_line(line).code, 2);
}

#[test]
fn the_same_figures_do_not_differ_and_a_slowed_build_is_caught() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let before = document(1e6, 7, "aa");
    let same = compare(folder, &before, &before);
    assert_eq!(same.code, 0, "{}", same.all());
    assert!(same.stdout.contains("no difference"), "{}", same.stdout);
    let slower = compare(folder, &before, &document(0.9e6, 7, "aa"));
    assert_eq!(slower.code, 1, "{}", slower.all());
    assert!(slower.stdout.contains("worse (-10.0 %)"), "{}", slower.stdout);
    assert_eq!(compare(folder, &document(0.9e6, 7, "aa"), &before).code, 0, "faster is no fault");

    let few = compare(folder, &document(1e6, 2, "aa"), &document(0.9e6, 2, "aa"));
    assert_eq!(few.code, 0, "{}", few.all());
    assert!(few.stdout.contains("that 2 rounds could show"), "{}", few.stdout);
}

#[test]
fn what_the_machine_itself_lost_is_no_difference_in_documents_of_all_benches() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let all = |rate: f64, ps: u64| {
        serde_json::json!({
            "schema": 1,
            "bench": "all",
            "yardsticks": { "pipeline": { "before_ps": ps, "after_ps": ps } },
            "benches": { "pipeline": document(rate, 7, "aa") },
        })
    };
    let before = all(1e6, 3_000);
    let slower_machine = compare(scratch.path(), &before, &all(0.9e6, 3_300));
    assert_eq!(slower_machine.code, 0, "{}", slower_machine.all());
    assert!(
        slower_machine.stdout.contains("the machine itself 10.0 %"),
        "{}",
        slower_machine.all()
    );
    let slower_build = compare(scratch.path(), &before, &all(0.8e6, 3_300));
    assert_eq!(slower_build.code, 1, "{}", slower_build.all());
    assert!(slower_build.stdout.contains("worse (-20.0 %)"), "{}", slower_build.all());
}

#[test]
fn what_does_not_compare_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let before = document(1e6, 7, "aa");
    let other = compare(folder, &before, &document(1e6, 7, "bb"));
    assert_eq!(other.code, 2, "{}", other.all());
    assert!(other.stderr.contains("different streams"), "{}", other.stderr);
    let nothing = compare(folder, &before, &serde_json::json!({ "schema": 1 }));
    assert_eq!(nothing.code, 2, "{}", nothing.all());
    assert_eq!(run(["bench", "compare", "nowhere.json", "nowhere.json"]).code, 2);
}
