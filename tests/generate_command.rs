//! `ringtape generate` prints what it made beside a real day.
//!
//! Would catch a table that lacks a figure of the real day, a document that scripts cannot read, a
//! profile that is not what its flags say, and a table on the stream of the session.
#![cfg(feature = "cli")]

mod common;

use common::program::run;

#[test]
fn the_table_stands_beside_a_real_day_for_people_and_for_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.itch").display().to_string();
    let size = ["generate", "--profile", "nasdaq", "--messages", "20k", "--symbols", "40"];
    let asked = [&size[..], &["--live", "800", "-o", &path]].concat();
    let ran = run([&asked[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let document = ran.json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["messages"], 20_000);
    assert_eq!(document["bytes"], std::fs::metadata(&path).expect("the session").len());
    assert!(document["messages_per_s"].as_u64() > Some(0));
    let rows = document["rows"].as_array().expect("rows");
    for (name, real_day) in [
        ("A add order", "43.6 %"),
        ("500 busiest symbols", "52.5 %"),
        ("orders beyond 512 ticks", "13.4 %"),
        ("adds executed wholly", "3.6 %"),
        ("cancelled after, p10 p50 p90", "1 ms, 157 ms, 5.1 s"),
        ("ticks behind, p50 p75 p99", "2, 8, 288"),
    ] {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(row["real_day"], real_day);
        assert!(row["session"].as_str().is_some_and(|text| !text.is_empty()), "{row}");
    }
    let again = run([&asked[..], &["--force"]].concat());
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{}", again.all());
    for row in rows {
        let name = row["name"].as_str().expect("a name");
        assert!(again.stderr.contains(name), "{name}: {}", again.stderr);
    }
    let both = run(["generate", "-o", "-", "--json"]);
    assert_eq!(both.code, 2, "{}", both.stderr);
    assert!(both.stderr.contains("cannot both go to stdout"), "{}", both.stderr);
}
