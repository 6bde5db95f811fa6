//! `ringtape bench ring` as a user runs it: would catch a row that hangs, a peer whose stages read
//! another stream, a figure that is missing, a mistake that is not refused.
//!
//! No time is asserted: what a machine reaches is the table's business.

use serde_json::Value;

use crate::common::program::{run, run_line};

/// The rows that README and module documentation speak of.
const ROWS: [&str; 10] = [
    "unicast-1",
    "unicast-64",
    "multicast-2",
    "multicast-3",
    "pipeline",
    "diamond",
    "round-trip",
    "paced",
    "head",
    "oversubscribed",
];

fn line<'a>(row: &'a Value, peer: &str) -> &'a Value {
    let lines = row["peers"].as_array().expect("a list of peers");
    lines.iter().find(|line| line["peer"] == peer).unwrap_or_else(|| panic!("{peer} in {row}"))
}

#[test]
fn every_row_has_figures_and_every_stage_of_every_peer_reads_the_same_stream() {
    let json = run(["bench", "ring", "--quick", "--rounds", "1", "--json"]).json();
    assert_eq!((&json["schema"], &json["bench"]), (&1.into(), &"ring".into()));
    assert_eq!(json["agree"], true, "{json:#}");
    assert_eq!(json["versions"]["ringtape"], env!("CARGO_PKG_VERSION"));
    let rows = json["rows"].as_array().expect("rows");
    let names: Vec<_> = rows.iter().map(|row| row["row"].as_str().expect("a name")).collect();
    assert_eq!(names, ROWS);
    for row in rows {
        for peer in ["ringtape", "ringtape, default", "mpsc"] {
            let line = line(row, peer);
            assert!(line["figure"]["median"].as_f64() > Some(0.0), "{line:#}");
            assert_eq!(line["control"].as_str(), (peer == "mpsc").then_some("peer"), "{line:#}");
            assert_eq!(&line["checksum"], line_checksum(row), "{line:#}");
            assert_eq!(line["rounds"].as_array().map(Vec::len), Some(1), "{line:#}");
            assert!(line["mean_batch"].as_f64() >= Some(1.0), "{line:#}");
            let tried = line["waits_tried"].as_object().expect("waits");
            assert!(tried.contains_key(line["wait"].as_str().expect("a wait")), "{line:#}");
        }
        let latency = &line(row, "ringtape")["rounds"][0]["latency_ns"];
        let has_latency = matches!(row["row"].as_str(), Some("round-trip" | "paced"));
        assert_eq!(latency["samples"].as_u64() > Some(0), has_latency, "{latency}");
        assert_eq!(latency.is_null(), !has_latency);
    }
}

fn line_checksum(row: &Value) -> &Value {
    &line(row, "ringtape")["checksum"]
}

#[test]
fn rows_and_peers_can_be_chosen_and_the_table_names_them() {
    let ran = run_line("bench ring --quick --rounds 1 --row pipeline,head --peers ringtape");
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    for told in ["\npipeline: producer --> a --> b", "\nhead: ", "\n  ringtape "] {
        assert!(ran.stderr.contains(told), "no `{told}`\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("unicast-1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("\n  mpsc"), "{}", ran.stderr);
}

#[test]
fn variants_of_the_ring_read_the_same_stream_in_every_row() {
    let words = "bench ring --quick --rounds 1 --peers ringtape --variants observable,copy --json";
    let json = run_line(words).json();
    assert_eq!(json["agree"], true, "{json:#}");
    for row in json["rows"].as_array().expect("rows") {
        for variant in ["ringtape/observable", "ringtape/copy"] {
            let line = line(row, variant);
            assert_eq!(&line["checksum"], line_checksum(row), "{line:#}");
        }
    }
}

#[test]
fn the_order_of_rounds_is_the_seeds() {
    let places = |seed: &str| {
        let words = "bench ring --quick --rounds 4 --row unicast-64 --json --seed";
        let json = run(words.split_whitespace().chain([seed])).json();
        let rounds = line(&json["rows"][0], "ringtape")["rounds"].clone();
        let rounds = rounds.as_array().expect("rounds").clone();
        rounds.iter().map(|round| round["place"].as_u64().expect("a place")).collect::<Vec<_>>()
    };
    assert_eq!(places("7"), places("7"));
}

#[test]
fn mistakes_exit_with_2_and_name_the_cure() {
    for (line, cure) in [
        ("bench ring --row unicats-1", "unicast-1"),
        ("bench ring --peers disrupter", "disruptor"),
        ("bench ring --variants slow", "observable, copy"),
        ("bench ring --rounds 0", "ask for 1 or more"),
        ("bench ring --capacity 1000", "power of two"),
        ("bench ring --batch-max 0", "allow 1 or more"),
    ] {
        let ran = run_line(line);
        assert_eq!(ran.code, 2, "{line}\n{}", ran.all());
        assert!(ran.stderr.contains(cure), "{line} should name `{cure}`\n{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{line} printed data\n{}", ran.stdout);
    }
}

#[cfg(not(feature = "peers"))]
#[test]
fn a_build_without_the_peers_says_how_to_get_them() {
    let ran = run_line("bench ring --row unicast-1 --peers rtrb");
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.stderr.contains("--features peers"), "{}", ran.stderr);
}
