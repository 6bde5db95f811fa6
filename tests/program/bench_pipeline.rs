//! `bench pipeline` at fixed rates.
//!
//! Would catch a bound that is not held, and a file that is not written.

use std::fs;

use crate::common::program::run_line;

const BENCH: &str = "bench pipeline --messages 30k --symbols 50 --live 1000 --rounds 2 \
                     --seconds 0.1 --rates 50k,200k --json";

#[test]
fn rates_have_percentiles_of_each_stage_and_files_beside_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name).display().to_string();
    // The log may lie in the folder that is made for the distributions.
    let (hgrm, hlog, report) = (at("hgrm"), at("hgrm/all.hlog"), at("report"));
    let ran = run_line(&format!("{BENCH} --hgrm {hgrm} --hlog {hlog} --report {report}"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let latency = &ran.json()["latency"];
    let rates = latency["rates"].as_array().expect("rates");
    assert_eq!(rates.len(), 2);
    for rate in rates {
        let matching = &rate["latency_ns"]["matching"];
        assert!(matching["count"].as_u64() > Some(5_000), "{rate}");
        assert!(matching["p50"]["median"].is_u64() && matching["p9999"].is_null(), "{rate}");
        let hiccups = &rate["latency_ns"]["hiccups"];
        assert_eq!(hiccups["control"], "hiccups", "{rate}");
        assert!(hiccups["count"].as_u64() > Some(0) && hiccups["max"]["min"].is_u64(), "{rate}");
        assert!(matching["control"].is_null(), "{rate}");
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
    assert_eq!(tagged + 1, fs::read_dir(&hgrm).expect("distributions and the log").count());
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
