//! `ringtape doctor`: what it looks at, and that each finding names its effect and its cure.
//!
//! Would catch a check that goes missing, a finding without advice, and a file left on the disk
//! that was measured.

use crate::common::program::{run, run_line};

#[test]
fn every_finding_names_its_effect_and_its_cure_and_strict_exits_with_1() {
    let ran = run_line("doctor --json");
    assert_eq!(ran.code, 0, "{}", ran.all());
    let json = ran.json();
    assert_eq!(json["schema"], 1);
    let checks = json["checks"].as_array().expect("checks");
    let names: Vec<_> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    for name in [
        "cores",
        "isolated",
        "smt_siblings",
        "governor",
        "turbo",
        "tsc",
        "numa",
        "huge_pages",
        "memory_lock",
        "timer_slack",
        "network",
        "clock",
        "idle_hiccups",
        "disk_append",
        "disk_sync",
        "disk_flush",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let mut findings = 0;
    for check in checks {
        assert!(check["found"].as_str().is_some_and(|found| !found.is_empty()), "{check}");
        assert_eq!(check["effect"].is_string(), check["cure"].is_string(), "{check}");
        findings += u64::from(check["cure"].is_string());
    }
    assert_eq!(json["findings"], findings);
    // Timer slack is 50 us unless someone changed it, so there is a finding nearly everywhere.
    let strict = run_line("doctor --strict");
    assert_eq!(strict.code, i32::from(findings > 0), "{}", strict.all());
    assert_eq!(strict.stdout.contains("cure"), findings > 0, "{}", strict.stdout);
}

#[test]
fn the_disk_of_a_directory_is_measured_and_left_as_it_was() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().to_str().expect("letters");
    let ran = run(["doctor", "--json", "--dir", dir]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.stdout.contains(dir), "{}", ran.stdout);
    assert_eq!(scratch.path().read_dir().expect("a folder").count(), 0, "something was left");
    assert_eq!(run(["doctor", "--dir", "/nowhere/at/all"]).code, 2);
}
