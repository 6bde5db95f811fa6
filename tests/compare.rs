//! `ringtape compare`: where two runs part.
//!
//! Would catch a difference that is overlooked, or one that is found between equal runs because
//! their journals have other segments or their feeds another compression.

mod common;

use std::path::Path;

use common::program::{Ran, run, run_line};

const SAMPLE: &str = "feeds/sample.itch.gz";

fn record(dir: &Path, flags: &str) {
    let line = format!("replay {SAMPLE} --journal {} {flags}", dir.display());
    let ran = run_line(&line);
    assert_eq!(ran.code, 0, "{line}\n{}", ran.all());
}

fn compare(a: &Path, b: &Path) -> Ran {
    run(["compare".as_ref(), a.as_os_str(), b.as_os_str(), "--json".as_ref()])
}

#[test]
fn the_same_run_twice_is_the_same_and_another_parameter_is_found_where_it_acts() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name);
    record(&at("a"), "--strategy maker:symbols=ACME,lots=1");
    record(&at("b"), "--strategy maker:symbols=ACME,lots=1 --runners 1");
    record(&at("c"), "--strategy maker:symbols=ACME,lots=2");

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
    assert_eq!(difference["sequence"], json["executions"]["same"]);
    assert_ne!(difference["a"], difference["b"]);

    let feed = compare(&at("a"), Path::new(SAMPLE));
    assert_eq!((feed.code, feed.json()["executions"].is_null()), (0, true), "{}", feed.all());
}

#[test]
fn a_feed_that_ends_early_differs_where_it_ends() {
    let slice = Path::new("feeds/bad/unknown-type.itch");
    let ran = compare(Path::new(SAMPLE), slice);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.json()["market"]["difference"]["sequence"].is_u64());
    assert_eq!(run(["compare", SAMPLE, "nowhere.itch"]).code, 2);
}
