//! `bench compare` of two documents.
//!
//! Would catch a comparison that finds differences in noise, in the machine or in the rows of
//! peers, or none in a slow build.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::program::{Ran, run, run_line};

/// A document with one rate of so many rounds around `median`.
fn document(median: f64, rounds: u64, checksum: &str) -> Value {
    json!({
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
        json!({
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
fn a_machine_that_was_slower_around_another_bench_was_perhaps_so_within_this_one() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let all = |rate: f64, slowest_ps: u64| {
        let quiet = json!({ "before_ps": 3_000, "after_ps": 3_000 });
        json!({
            "schema": 1,
            "bench": "all",
            "yardsticks": {
                "pipeline": quiet,
                "door": { "before_ps": 3_000, "after_ps": slowest_ps },
            },
            "benches": { "pipeline": document(rate, 7, "aa") },
        })
    };
    let noisy = compare(scratch.path(), &all(1e6, 3_000), &all(0.5e6, 9_000));
    assert_eq!(noisy.code, 0, "{}", noisy.all());
    assert!(noisy.stdout.contains("the machine itself 200.0 %"), "{}", noisy.all());
    let quiet = compare(scratch.path(), &all(1e6, 3_000), &all(0.5e6, 3_000));
    assert_eq!(quiet.code, 1, "{}", quiet.all());
}

#[test]
fn what_does_not_compare_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let before = document(1e6, 7, "aa");
    let other = compare(folder, &before, &document(1e6, 7, "bb"));
    assert_eq!(other.code, 2, "{}", other.all());
    assert!(other.stderr.contains("different streams"), "{}", other.stderr);
    let nothing = compare(folder, &before, &json!({ "schema": 1 }));
    assert_eq!(nothing.code, 2, "{}", nothing.all());
    assert_eq!(run(["bench", "compare", "nowhere.json", "nowhere.json"]).code, 2);
}

/// A line of `bench ring` with seven rounds around `median`.
fn line(name: &str, wait: &str, median: f64) -> Value {
    let rounds: Vec<f64> = (0..7).map(|round| median * (0.97 + 0.01 * f64::from(round))).collect();
    json!({
        "peer": name,
        "control": (!name.starts_with("ringtape")).then_some("peer"),
        "wait": wait,
        "figure": { "min": rounds[0], "median": rounds[3], "max": rounds[6] },
        "rounds": rounds.iter().map(|round| json!({ "figure": round })).collect::<Vec<_>>(),
    })
}

/// A document of `bench all` in which `bench ring` has two rows of two peers and ours, whose second
/// line is that with the default wait.
fn ring(ours: [f64; 2], peers: [f64; 4], wait: &str) -> Value {
    let row = |name: &str, one: f64, other: f64| {
        json!({
            "row": name,
            "better": "less",
            "peers": [
                line("ringtape", wait, ours[0]),
                line("ringtape, default", "auto", ours[1]),
                line("rtrb", "spin", one),
                line("mpsc", "block", other),
            ],
        })
    };
    json!({
        "schema": 1,
        "bench": "all",
        "yardsticks": { "ring": { "before_ps": 3_000, "after_ps": 3_000 } },
        "benches": {
            "ring": { "rows": [row("head", peers[0], peers[1]), row("paced", peers[2], peers[3])] },
        },
    })
}

/// What lines of peers and of ours are in every document that another is compared with.
const OURS: [f64; 2] = [40.0, 50.0];
const PEERS: [f64; 4] = [60.0, 200.0, 300.0, 400.0];

fn compare_rings(after: &Value) -> Ran {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    compare(scratch.path(), &ring(OURS, PEERS, "spin"), after)
}

#[test]
fn peers_that_jump_alone_are_shown_and_not_judged() {
    let [head, other, paced, last] = PEERS;
    let ran = compare_rings(&ring(OURS, [head * 3.0, other, paced, last * 0.1], "spin"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    for told in ["peer, not judged (+200.0 %)", "peer, not judged (-90.0 %)"] {
        assert!(ran.stdout.contains(told), "no `{told}`\n{}", ran.stdout);
    }
    assert!(ran.stdout.ends_with("no difference beyond the noise of these rounds\n"));
}

#[test]
fn a_slower_row_of_ours_is_caught_beside_controls_that_stand_still() {
    let ran = compare_rings(&ring(OURS.map(|ns| ns * 1.4), PEERS, "spin"));
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stdout.contains("worse (+40.0 %)"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("0 better, 4 worse, 0 without a difference, 4 not judged\n"));
}

#[test]
fn what_ours_and_the_controls_lost_together_is_the_machines() {
    let ran = compare_rings(&ring(OURS.map(|ns| ns * 1.4), PEERS.map(|ns| ns * 1.4), "spin"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let told = "no difference (+40.0 %, the machine itself 40.0 %)";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn a_row_that_waited_in_another_way_is_not_judged_and_the_default_one_is() {
    let [best, default] = OURS;
    let ran = compare_rings(&ring([best * 1.4, default], PEERS, "yield"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let told = "waited by spin, then by yield, not judged (+40.0 %)";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let ran = compare_rings(&ring([best * 1.4, default * 1.4], PEERS, "yield"));
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stdout.contains("2 worse, 0 without a difference, 6 not judged"), "{}", ran.all());
}

#[test]
fn the_document_of_a_comparison_says_what_was_not_judged_and_why() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let write = |name: &str, document: Value| {
        let path = scratch.path().join(name).display().to_string();
        fs::write(&path, document.to_string()).expect("a file");
        path
    };
    let a = write("a.json", ring(OURS, PEERS, "spin"));
    let b = write("b.json", ring(OURS, PEERS.map(|ns| ns * 1.5), "spin"));
    let ran = run(["bench", "compare", &a, &b, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let document = ran.json();
    let figures = document["figures"].as_array().expect("figures");
    assert_eq!(figures.len(), 8);
    for figure in figures {
        let is_peers = !figure["figure"].as_str().expect("a path").contains("ringtape");
        let verdict = if is_peers { "not judged" } else { "no difference" };
        assert_eq!(figure["verdict"], verdict, "{figure}");
        assert_eq!(figure["why"].as_str(), is_peers.then_some("peer"), "{figure}");
        let change = figure["change_percent"].as_f64().expect("a number");
        assert!((change - if is_peers { 50.0 } else { 0.0 }).abs() < 1e-9, "{figure}");
        assert!((figure["machine_percent"].as_f64().expect("a number") - 50.0).abs() < 1e-9);
    }
}

#[test]
fn the_bare_stores_beside_the_journal_are_controls() {
    let ran = run_line(
        "bench journal --records 2k --synced-records 1024 --rounds 1 --paced-seconds 0 --json",
    );
    assert_eq!(ran.code, 0, "{}", ran.all());
    let document = ran.json();
    let rows = document["rows"].as_array().expect("rows");
    let controls = rows.iter().filter(|row| row["control"] == "yardstick");
    let names: Vec<_> = controls.map(|row| row["row"].as_str().expect("a name")).collect();
    assert_eq!(names, ["bare mapped store", "the same into new pages"], "{document:#}");
    assert_eq!(rows.len(), names.len() + 5, "{document:#}");
}
