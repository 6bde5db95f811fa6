//! `ringtape generate` prints what it made beside a real day.
//!
//! Would catch a session that is less like a real day than it was, a table that lacks a figure of
//! one, a document that scripts cannot read, and a table on the stream of the session.
#![cfg(feature = "cli")]

use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::Event;
use ringtape::limits::MESSAGE_RECORDS_MAX;

use crate::common::program::run;

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

/// A day of fewer symbols, in which the busiest has about a real liquid name's messages.
#[test]
fn the_busiest_symbol_is_like_a_liquid_name() {
    let profile = Profile { messages: 600_000, symbols: 20, live: 4_300, seed: 42 };
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    generator.write_itch(&mut std::io::sink()).expect("a sink takes everything");
    let name = generator.summary().liquid_name();
    let share = |part: u64| part * 1000 / name.orders;
    for (what, found, real, tolerance) in [
        ("improve the touch", share(name.improving), 140, 40),
        ("join the touch", share(name.joining), 215, 40),
        ("100 shares", share(name.of_100), 730, 10),
        ("odd lots", share(name.odd_lots), 250, 10),
        ("ticks behind, p50", name.distance_ticks[0], 2, 1),
        ("ticks behind, p75", name.distance_ticks[1], 8, 3),
        ("ticks behind, p99", name.distance_ticks[2], 288, 30),
        ("ticks of spread, p50", name.spread_ticks[1], 4, 2),
        ("most in 100 us", name.burst_messages, 85, 60),
    ] {
        assert!(found.abs_diff(real) <= tolerance, "{what}: {found}, not about {real}");
    }
    // Times go with the number of messages, so that they are only roughly a whole day's.
    let [gap, _] = name.gap_ns;
    assert!((12_000..300_000).contains(&gap), "gaps of {gap} ns, not about 59 us");
    let [soon, half, late] = name.lifetime_ns;
    assert!(soon * 100 < half && half * 10 < late, "lives of {:?} ns", name.lifetime_ns);
    let summary = generator.summary();
    let far = summary.placed_far * 1000 / summary.placed;
    let whole = summary.executed_whole * 1000 / summary.count(b"AF");
    assert!((90..160).contains(&far), "{far} per mille beyond 512 ticks");
    assert!((30..45).contains(&whole), "{whole} per mille executed wholly");
}

/// A session of the whole market that has a hundredth of the real day's messages.
#[test]
fn the_whole_market_keeps_a_real_days_pace_and_rests_in_between() {
    const MINUTE: u64 = 60_000_000_000;
    let profile = Profile { messages: 2_700_000, symbols: 1_000, live: 100_000, seed: 42 };
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    let (from, until) = (600 * MINUTE, 950 * MINUTE);
    let (mut messages, mut awake, mut before) = (0_u64, 0, from);
    let mut records = [Event::default(); MESSAGE_RECORDS_MAX];
    while generator.next_message(&mut records) > 0 {
        let now = records[0].ts_event;
        if (from..until).contains(&now) {
            messages += 1;
            let gap = now - before;
            awake += if gap < MINUTE / 60 { gap } else { 0 };
            before = now;
        }
    }
    let a_second = messages * 1_000_000_000 / awake;
    assert!((3_500..14_000).contains(&a_second), "{a_second} messages a second, not about 7,000");
    let name = generator.summary().liquid_name();
    let share = |part: u64| part * 1000 / name.orders;
    for (what, found, real, tolerance) in [
        ("improve the touch", share(name.improving), 140, 40),
        ("join the touch", share(name.joining), 215, 40),
        ("ticks of spread, p50", name.spread_ticks[1], 4, 2),
    ] {
        assert!(found.abs_diff(real) <= tolerance, "{what}: {found}, not about {real}");
    }
    let [soon, half, late] = name.lifetime_ns.map(|ns| ns / 1_000_000);
    assert!(soon < 20 && (30..600).contains(&half) && late < 120_000, "{:?}", name.lifetime_ns);
    assert!(name.gap_ns[1] < 500_000_000, "{:?}", name.gap_ns);
}
