//! Two processes, a run and a venue: orders out, fills back, and either killed in the middle.
//!
//! Would catch a fill that is lost or booked twice, an order that is sent late or again, a journal
//! that does not repeat the run, and a run that trades without being kept.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use common::program::{end, ringtape, run, start};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const DAY: &str = "feeds/sample.itch.gz";

/// Follows whoever trades more, and so trades often.
const STRATEGY: &str = "momentum:symbols=ACME,size=10,limit=500,window=5s,threshold=1,hold=20s";

/// A venue in a process of its own.
struct Venue {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Venue {
    /// Opens a venue whose books are those of the sample's noon.
    fn start(dir: &Path, listen: &str) -> Self {
        let dir = dir.join("venue").display().to_string();
        let fixed = ["venue", DAY, "--until", "12:00", "--journal", &dir, "--resume", "--json"];
        let mut command = ringtape([&fixed[..], &["--listen", listen]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let address = line
            .strip_prefix("ringtape: listening at ")
            .and_then(|rest| rest.split(',').next())
            .unwrap_or_else(|| panic!("no address: {line}"));
        Self { address: address.to_owned(), child, stderr }
    }

    fn gateway(&self) -> String {
        format!("tcp://{}?heartbeat=500ms", self.address)
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Closes the venue and gives its report.
    fn close(mut self) -> Value {
        signal(&self.child, Signal::INT);
        let mut told = String::new();
        self.stderr.read_to_string(&mut told).expect("text");
        let output = self.child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(130), "{told}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(child.id() as i32).expect("a process");
    kill_process(id, signal).expect("it runs");
}

/// The arguments of a run that trades at a venue.
fn trading(dir: &Path, gateway: &str, rest: &[&str]) -> Vec<String> {
    let dir = dir.join("run").display().to_string();
    let what = ["replay", DAY, "--until", "10:00", "--strategy", STRATEGY, "--json", "--audit"];
    let how = ["--gateway", gateway, "--journal", &dir, "--durability", "interval:10ms"];
    [&what[..], &how, rest].concat().into_iter().map(str::to_owned).collect()
}

/// A fill: order without the venue's part of its number, side, price, quantity, filled so far.
type Fill = (u64, String, String, u64, u64);

/// The fills of an execution journal, with the side that is ours.
fn fills(dir: &Path, is_ours: impl Fn(u64) -> bool) -> Vec<Fill> {
    let dir = dir.join("executions").display().to_string();
    let ran = run(["journal", "tail", &dir, "--kind", "filled", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap_or_default();
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a document a line"))
        .filter(|row| is_ours(number(row, "order_id")))
        .map(|row| {
            let order = number(&row, "order_id") & ((1 << 40) - 1);
            let (side, price) = (text(&row, "side"), row["price"].to_string());
            (order, side, price, number(&row, "qty"), number(&row, "cum"))
        })
        .collect()
}

/// Both sides' fills, which must be the same, each once.
fn same_fills(dir: &Path) -> Vec<Fill> {
    let own = fills(&dir.join("run"), |_| true);
    let told = fills(&dir.join("venue"), |order| order >> 40 > 0);
    let mut sorted = own.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), own.len(), "a fill is booked twice: {own:?}");
    assert_eq!(own, told);
    own
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
        let ran = common::program::run_line(line);
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
    assert_eq!(again.code, 1, "{}", again.all());
    assert!(again.stderr.contains("has made 0 reports to this run"), "{}", again.stderr);
    venue.close();
}
