//! Two processes, a run and a venue: orders out, fills back, and either killed in the middle.
//!
//! Would catch a fill that is lost or booked twice wherever a connection breaks, an order that is sent
//! late or again, a difference of open orders that nobody hears of, a rule of the venue that is not
//! kept, a journal or a snapshot that does not repeat the run, and a run that trades without being
//! kept.
#![cfg(feature = "cli")]

mod contradictions;
mod cuts;
mod differences;
mod inside;
mod peer;
mod proxy;
mod rules;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use ringtape::journal::snapshot::snapshots;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::program::{end, run, start};
use crate::common::venue::{Fill, Venue, same_fills, signal};

const DAY: &str = "feeds/sample.itch.gz";

/// Follows whoever trades more, and so trades often.
const STRATEGY: &str = "momentum:symbols=ACME,size=10,limit=500,window=5s,threshold=1,hold=20s";

/// The arguments of a run that trades at a venue.
fn trading(dir: &Path, gateway: &str, rest: &[&str]) -> Vec<String> {
    let dir = dir.join("run").display().to_string();
    let what = ["replay", DAY, "--until", "10:00", "--strategy", STRATEGY, "--json", "--audit"];
    let how = ["--gateway", gateway, "--journal", &dir, "--durability", "interval:10ms"];
    [&what[..], &how, rest].concat().into_iter().map(str::to_owned).collect()
}

/// What fills come to.
fn position(fills: &[Fill]) -> i64 {
    let signed = |fill: &Fill| if fill.1 == "buy" { fill.3 as i64 } else { -(fill.3 as i64) };
    fills.iter().map(signed).sum()
}

fn own_position(report: &Value) -> i64 {
    report["portfolio"].as_array().expect("rows").iter().fold(0, |sum, row| {
        sum + row["position"]
            .as_i64()
            .or_else(|| row["position"].as_str()?.parse().ok())
            .unwrap_or(0)
    })
}

/// Waits until a run's execution journal holds so many records more than now, or the run is over.
fn wait_for_more(client: &mut Child, dir: &Path, more: usize) {
    let dir = dir.join("run/executions").display().to_string();
    let count = || run(["journal", "tail", &dir, "--json"]).stdout.lines().count();
    let (begin, before) = (Instant::now(), count());
    while count() < before + more && client.try_wait().expect("a child").is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{before} records and no more");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a run has left a snapshot, or is over.
fn wait_for_snapshot(client: &mut Child, dir: &Path) {
    let folder = dir.join("run/snapshots");
    let is_there = || snapshots(&folder).is_ok_and(|found| !found.is_empty());
    let begin = Instant::now();
    while !is_there() && client.try_wait().expect("a child").is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no snapshot");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A replay of the run's directory, without any venue.
fn repeat(dir: &Path) -> Value {
    let ran = run(["replay", &dir.join("run").display().to_string(), "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

fn assert_repeats(dir: &Path, live: &Value) {
    let repeated = repeat(dir);
    for part in ["hashes", "state_hash", "orders", "fills", "portfolio"] {
        assert_eq!(repeated[part], live[part], "{part}");
    }
}

#[test]
fn a_run_trades_at_a_venue_in_another_process_and_its_journal_repeats_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let venue = Venue::start(dir, "127.0.0.1:0");
    let ran = end(start(trading(dir, &venue.gateway(), &["--rate", "20k"])));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let live = ran.json();
    let told = venue.close();
    let fills = same_fills(dir);
    assert!(fills.len() > 5, "{} fills: {}", fills.len(), ran.all());
    assert_eq!(own_position(&live), position(&fills));
    let gateway = &live["gateway"];
    assert_eq!(gateway["differences"], 0, "{}", live["warnings"]);
    assert_eq!(gateway["commands"], told["venue"]["commands"]);
    assert!(live["latency_ns"]["tick_to_fill"]["count"].as_u64() > Some(0), "{live}");
    assert_repeats(dir, &live);
    // And so does the venue's.
    let venue_dir = dir.join("venue").display().to_string();
    let repeated = run(["replay", &venue_dir, "--json"]).json();
    assert_eq!(repeated["hashes"], told["hashes"]);
}

#[test]
fn a_venue_that_is_killed_and_opened_again_loses_and_repeats_no_fill() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let mut venue = Venue::start(dir, "127.0.0.1:0");
    let (address, gateway) = (venue.address.clone(), venue.gateway());
    let mut client = start(trading(dir, &gateway, &["--rate", "5k"]));
    for _ in 1..=2 {
        wait_for_more(&mut client, dir, 10);
        venue.kill();
        std::thread::sleep(Duration::from_millis(100));
        venue = Venue::start(dir, &address);
    }
    let ran = end(client);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let live = ran.json();
    venue.close();
    let fills = same_fills(dir);
    assert!(live["orders"]["accepted"].as_u64() > Some(0), "{}", ran.all());
    assert_eq!(own_position(&live), position(&fills));
    assert!(live["gateway"]["sessions"].as_u64() > Some(1), "{}", live["gateway"]);
    assert_eq!(live["gateway"]["differences"], 0, "{}", live["warnings"]);
    assert_repeats(dir, &live);
}

#[test]
fn a_run_that_is_killed_and_resumed_loses_and_repeats_no_fill() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let venue = Venue::start(dir, "127.0.0.1:0");
    let gateway = venue.gateway();
    let mut client = start(trading(dir, &gateway, &["--rate", "10k", "--resume"]));
    for _ in 1..=3 {
        wait_for_more(&mut client, dir, 10);
        client.kill().expect("it runs");
        client.wait().expect("it ends");
        client = start(trading(dir, &gateway, &["--rate", "10k", "--resume"]));
    }
    let ran = end(client);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let live = ran.json();
    let told = venue.close();
    let fills = same_fills(dir);
    assert!(live["orders"]["accepted"].as_u64() > Some(0), "{}", ran.all());
    assert_eq!(own_position(&live), position(&fills));
    assert_eq!(live["gateway"]["differences"], 0, "{}", live["warnings"]);
    assert_eq!(told["venue"]["runs"], 1, "{}", told["venue"]);
    assert!(told["venue"]["sessions"].as_u64() > Some(1), "{}", told["venue"]);
    assert_repeats(dir, &live);
}

#[test]
fn a_run_that_goes_on_from_a_snapshot_loses_and_repeats_no_fill() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let venue = Venue::start(dir, "127.0.0.1:0");
    let often = ["--rate", "10k", "--resume", "--snapshot-every", "1k"];
    let arguments = trading(dir, &venue.gateway(), &often);
    let mut client = start(&arguments);
    for _ in 1..=2 {
        wait_for_more(&mut client, dir, 10);
        wait_for_snapshot(&mut client, dir);
        client.kill().expect("it runs");
        client.wait().expect("it ends");
        client = start(&arguments);
    }
    let ran = end(client);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let live = ran.json();
    venue.close();
    let fills = same_fills(dir);
    let took_up = &live["journal"]["resumed"];
    assert!(took_up["snapshot"]["market"].as_u64() > Some(0), "{took_up}");
    assert_eq!(own_position(&live), position(&fills));
    assert_eq!(live["gateway"]["differences"], 0, "{}", live["warnings"]);
    assert_repeats(dir, &live);
}

#[test]
fn ctrl_c_cancels_what_is_open_and_hears_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let venue = Venue::start(dir, "127.0.0.1:0");
    let mut arguments = trading(dir, &venue.gateway(), &["--rate", "1k"]);
    arguments[5] = "maker:symbols=ACME,lots=1,limit=500".to_owned();
    let mut client = start(&arguments);
    wait_for_more(&mut client, dir, 10);
    signal(&client, Signal::INT);
    let ran = end(client);
    assert_eq!(ran.code, 130, "{}", ran.all());
    let live = ran.json();
    venue.close();
    let open = live["warnings"].to_string();
    assert!(!open.contains("orders were open when the run ended"), "{open}");
    let executions = dir.join("run/executions").display().to_string();
    let cancelled = run(["journal", "tail", &executions, "--kind", "cancelled"]);
    assert!(cancelled.stdout.contains("mass_cancel"), "{}", cancelled.all());
    assert_repeats(dir, &live);
}

#[test]
fn a_run_that_could_lose_what_it_sent_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("run").display().to_string();
    let trade = ["replay", DAY, "--strategy", STRATEGY, "--gateway", "tcp://127.0.0.1:9"];
    let refuse = |more: &[&str], told: &str| {
        let ran = run([&trade[..], more].concat());
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.all());
        assert!(ran.stderr.contains(told), "{more:?}: {}", ran.stderr);
        assert!(!Path::new(&dir).exists(), "{more:?}");
    };
    refuse(&[], "without a journal nobody would know after a crash which");
    let journal = ["--journal", dir.as_str()];
    refuse(&journal, "a power cut would take the record of them");
    let kept = [&journal[..], &["--durability", "interval:10ms"]].concat();
    refuse(&[&kept[..], &["--gate", "none"]].concat(), "that a killed run does not know of");
    refuse(&[&kept[..], &["--latency", "order=1us"]].concat(), "for the simulated venue");
    let lost = run([&trade[..], &["--accept-loss", "--json"]].concat());
    assert_eq!(lost.code, 0, "{}", lost.all());
    let report = lost.json();
    assert_eq!(report["gateway"]["sessions"], 0, "{}", report["gateway"]);
    let told = report["gateway"]["breaks"].to_string();
    assert!(told.contains("cannot connect to tcp://127.0.0.1:9"), "{told}");
    assert_eq!(report["fills"], 0);
    for (line, told) in [
        ("replay feeds/sample.itch.gz --gateway tcp://127.0.0.1:9 --accept-loss", "--strategy"),
        ("replay feeds/sample.itch.gz --gateway 127.0.0.1:9 --strategy idle", "no address"),
        ("replay feeds/sample.itch.gz --accept-loss", "--gateway"),
        ("venue feeds/sample.itch.gz --listen 127.0.0.1:x --journal nowhere", "listen at"),
    ] {
        let ran = crate::common::program::run_line(line);
        assert_ne!(ran.code, 0, "{line}");
        assert!(ran.stderr.contains(told), "{line}: {}", ran.stderr);
    }
    assert!(!Path::new("nowhere").exists());
}

#[test]
fn a_venue_that_lost_reports_or_commands_is_not_traded_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let venue = Venue::start(dir, "127.0.0.1:0");
    let ran = end(start(trading(dir, &venue.gateway(), &["--rate", "10k"])));
    assert_eq!(ran.code, 0, "{}", ran.all());
    venue.close();
    // Another venue, which has never heard of the run.
    fs::remove_dir_all(dir.join("venue")).expect("it was there");
    let venue = Venue::start(dir, "127.0.0.1:0");
    let again = end(start(trading(dir, &venue.gateway(), &["--resume"])));
    assert_eq!(again.code, 4, "{}", again.all());
    assert!(again.stderr.contains("has made 0 reports to this run"), "{}", again.stderr);
    venue.close();
}
