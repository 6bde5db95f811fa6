//! `ringtape compare`: where two runs part.
//!
//! Would catch a difference that is overlooked, or one that is found between equal runs because
//! their journals have other segments or their feeds another compression.

use std::path::Path;

use ringtape::engine::EXECUTIONS_DIR;
use ringtape::event::{Execution, ExecutionKind};
use ringtape::journal::{Read, Reader};

use crate::common::program::{Ran, run, run_line};

const SAMPLE: &str = "feeds/sample.itch.gz";

fn record(dir: &Path, flags: &str) {
    let line = format!("replay {SAMPLE} --journal {} {flags}", dir.display());
    let ran = run_line(&line);
    assert_eq!(ran.code, 0, "{line}\n{}", ran.all());
}

fn compare(a: &Path, b: &Path) -> Ran {
    run(["compare".as_ref(), a.as_os_str(), b.as_os_str(), "--json".as_ref()])
}

/// Executions before a sequence of a run's journal, marks of snapshots aside.
fn executions_before(dir: &Path, sequence: Option<u64>) -> Option<u64> {
    let mut records = vec![Execution::new(ExecutionKind::Status, 0, 0); sequence? as usize];
    let mut reader = Reader::<Execution>::open(&dir.join(EXECUTIONS_DIR)).expect("a journal");
    let mut read = 0;
    while read < records.len() {
        match reader.read(&mut records[read..]).expect("whole records") {
            Read::Records(count) => read += count,
            ended => panic!("{ended:?} before the difference"),
        }
    }
    let is_mark = |one: &&Execution| one.kind() == Some(ExecutionKind::SnapshotMark);
    Some(records.len() as u64 - records.iter().filter(is_mark).count() as u64)
}

#[test]
fn the_same_run_twice_is_the_same_and_another_parameter_is_found_where_it_acts() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name);
    record(&at("a"), "--strategy maker:symbols=ACME,lots=1 --snapshot-every 1k");
    record(&at("b"), "--strategy maker:symbols=ACME,lots=1 --runners 1");
    record(&at("c"), "--strategy maker:symbols=ACME,lots=1,limit=200");

    let same = compare(&at("a"), &at("b"));
    assert_eq!(same.code, 0, "{}", same.all());
    assert!(same.json()["market"]["same"].as_u64() > Some(400_000));
    assert!(same.json()["executions"]["same"].as_u64() > Some(1_000));

    let other = compare(&at("a"), &at("c"));
    assert_eq!(other.code, 1, "{}", other.all());
    let json = other.json();
    assert!(json["market"]["difference"].is_null(), "{json}");
    let difference = &json["executions"]["difference"];
    assert_eq!(difference["instrument"], "ACME", "{json}");
    assert_ne!(difference["a"], difference["b"]);
    // A finds it behind marks of snapshots, which are none of the executions that are compared.
    let same = json["executions"]["same"].as_u64();
    let found = |side: &str| difference[format!("sequence_{side}")].as_u64();
    assert_eq!(executions_before(&at("a"), found("a")), same, "{json}");
    assert_eq!(executions_before(&at("c"), found("b")), same, "{json}");
    assert!(found("a") > found("b") && found("b") == same, "{json}");

    let slice = compare(&at("a"), Path::new("feeds/bad/unknown-type.itch")).json();
    let difference = &slice["market"]["difference"];
    assert!(difference["sequence_a"].as_u64() > slice["market"]["same"].as_u64(), "{slice}");
    assert!(difference["sequence_b"].is_null(), "{slice}");

    let feed = compare(&at("a"), Path::new(SAMPLE));
    assert_eq!((feed.code, feed.json()["executions"].is_null()), (0, true), "{}", feed.all());
}

#[test]
fn a_feed_that_ends_early_differs_where_it_ends() {
    let slice = Path::new("feeds/bad/unknown-type.itch");
    let ran = compare(Path::new(SAMPLE), slice);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.json()["market"]["difference"]["sequence_a"].is_null(), "no journals");
    assert!(ran.json()["market"]["difference"]["a"].is_string());
    assert_eq!(run(["compare", SAMPLE, "nowhere.itch"]).code, 2);
}

#[test]
fn hashes_along_the_way_tell_between_which_messages_two_runs_part() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let report = |name: &str, flags: &str| {
        let ran = run_line(&format!("replay {SAMPLE} --json --hash-every 50k {flags}"));
        assert_eq!(ran.code, 0, "{}", ran.all());
        let path = scratch.path().join(name);
        std::fs::write(&path, &ran.stdout).expect("a free disk");
        (path, ran.json())
    };
    let (a, plain) = report("a.json", "--strategy maker:symbols=ACME,lots=1");
    let journal = scratch.path().join("journal");
    let flags = format!("--runners 1 --journal {}", journal.display());
    let (b, _) = report("b.json", &format!("--strategy maker:symbols=ACME,lots=1 {flags}"));
    let (c, _) = report("c.json", "--strategy maker:symbols=ACME,lots=2");

    let points = plain["hash_every"].as_array().expect("points");
    assert_eq!(points.len(), 7, "{points:?}");
    assert_eq!(points[3]["messages"], 200_000);
    assert_ne!(points[6]["portfolio"], points[3]["portfolio"]);

    let same = compare(&a, &b);
    assert_eq!((same.code, &same.json()["hashes"]["points"]), (0, &7.into()), "{}", same.all());
    let other = compare(&a, &c);
    let hashes = &other.json()["hashes"];
    assert_eq!(other.code, 1, "{hashes}");
    let of = hashes["difference"]["of"].as_array().expect("parts");
    assert!(of.contains(&"orders".into()) && !of.contains(&"books".into()), "{hashes}");

    let again = run_line(&format!("replay {} --json --hash-every 50k", journal.display()));
    assert_eq!(again.json()["hash_every"], plain["hash_every"], "a journal repeats the run");
    assert_eq!(run_line(&format!("replay {SAMPLE} --json --hash-every 0")).code, 2);
}

#[test]
fn a_report_of_a_bench_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let report = scratch.path().join("bench.json");
    std::fs::write(&report, r#"{"schema": 1, "state_hash": "00"}"#).expect("a free disk");
    let ran = compare(&report, &report);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.stderr.contains("no report of `replay --json`"), "{}", ran.all());
}

#[test]
fn a_report_is_not_held_against_a_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let report = scratch.path().join("a.json");
    let ran = run(["replay", "feeds/bad/unknown-orders.itch", "--json"]);
    std::fs::write(&report, &ran.stdout).expect("a free disk");
    let journal = Path::new("feeds/bad/unknown-orders.itch");
    for (a, b) in [(&*report, journal), (journal, &*report)] {
        let ran = compare(a, b);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.stderr.contains("name two reports"), "{}", ran.all());
    }
}
