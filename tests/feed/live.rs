//! Live feeds over multicast on the loopback: what a sender sends is what a receiver replays.
//!
//! Would catch a message lost, doubled or out of order between sockets and books, a loss that a
//! request could have filled, a gap that is told with wrong numbers, and a run that never ends.
//! `RINGTAPE_LIVE_MESSAGES=1M` makes the session of the test with two bad lines as long.
#![cfg(feature = "cli")]

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::common::program::{Ran, end, run, start};
use crate::common::venue::{Venue, same_fills};

/// A place of its own for each test: groups and ports.
struct Place {
    number: u16,
}

impl Place {
    fn new(number: u16) -> Self {
        // Tests of several checkouts may run at a time on one machine.
        Self { number: number + 10 * (std::process::id() % 500) as u16 }
    }

    /// The address of the feed, with a second line and a server if wanted.
    fn address(&self, two_lines: bool, server: bool, rest: &str) -> String {
        let (low, port) = (self.number % 250, 20_000 + 2 * self.number);
        let mut address = format!("udp://239.77.1.{low}:{port}?interface=127.0.0.1");
        if two_lines {
            address += &format!("&b=239.77.2.{low}:{port}");
        }
        if server {
            address += &format!("&request=127.0.0.1:{}", port + 1);
        }
        address + rest
    }
}

fn session(folder: &Path, messages: &str) -> String {
    session_of(folder, messages, "12", "2k")
}

fn session_of(folder: &Path, messages: &str, symbols: &str, live: &str) -> String {
    let path = folder.join("day.itch").display().to_string();
    let arguments =
        ["generate", "--messages", messages, "--symbols", symbols, "--live", live, "--seed", "5"];
    let ran = run([&arguments[..], &["-o", &path]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    path
}

fn replay_file(day: &str) -> Value {
    let ran = run(["replay", day, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

/// Whether groups can be joined and heard on the loopback here.
fn has_multicast() -> bool {
    use std::net::{Ipv4Addr, UdpSocket};
    let group = Ipv4Addr::new(239, 77, 3, 1);
    let heard = || -> std::io::Result<usize> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let port = socket.local_addr()?.port();
        let sender = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        sender.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
        let sender: UdpSocket = sender.into();
        sender.send_to(b"heard", (group, port))?;
        socket.recv(&mut [0; 16])
    };
    let is_there = matches!(heard(), Ok(5));
    if !is_there {
        eprintln!("skipped: no multicast on the loopback");
    }
    is_there
}

/// Sends `day` to one who listens; the listener's report and what the sender said.
fn play(day: &str, to: &str, at: &str, sending: &[&str]) -> (Value, Ran) {
    let listener = start(["replay", at, "--json"]);
    std::thread::sleep(Duration::from_millis(400));
    let sender = start([&["convert", day, to], sending].concat());
    let (heard, sent) = (end(listener), end(sender));
    assert_eq!(sent.code, 0, "{}", sent.all());
    assert_eq!(heard.code, 0, "{}", heard.all());
    (heard.json(), sent)
}

#[test]
fn two_bad_lines_and_a_server_give_the_hash_of_the_file() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let messages = std::env::var("RINGTAPE_LIVE_MESSAGES").unwrap_or_else(|_| "200k".to_owned());
    let day = session(folder.path(), &messages);
    let expected = replay_file(&day);
    let address = Place::new(1).address(true, true, "");
    let bad = ["--rate", "200k", "--loss", "1%", "--duplicate", "0.5%", "--reorder", "1%"];
    let (report, sent) = play(&day, &address, &address, &bad);
    let feed = &report["feed"];
    assert_eq!(feed["gaps"], 0, "{feed}");
    assert_eq!(feed["messages"], expected["feed"]["messages"]);
    assert_eq!(report["hashes"]["books"], expected["hashes"]["books"], "{}", sent.stderr);
    assert_eq!(feed["complete"], true);
    let packets = &feed["packets"];
    assert!(packets["copies"].as_u64() > Some(100_000), "{packets}");
    // In this day two messages are seldom within a millisecond, and at this rate 200 are.
    let (carried, told) = (packets["packets"].as_u64(), feed["messages"].as_u64());
    assert!(carried.map(|carried| 5 * carried) < told, "packed by the time of sending: {packets}");
    assert!(packets["late"].as_u64() > Some(10), "{packets}");
    let lines = packets["lines"].as_array().expect("two lines");
    let sum = |key: &str| lines.iter().filter_map(|line| line[key].as_u64()).sum::<u64>();
    assert_eq!(lines.len(), 2);
    // Requested packets came on no line; nothing is missing in all, so all gaps were filled.
    assert!(sum("packets") > 0 && Some(sum("packets")) <= carried, "{packets}");
    assert!(sum("missing") > 100 && sum("missing") == sum("filled"), "{packets}");
    assert!(lines.iter().all(|line| line["missing"].as_u64() > Some(0)), "{packets}");
    assert_eq!(report["latency_ns"]["basis"], "received");
    assert!(sent.stderr.contains("lost on purpose"), "{}", sent.stderr);
}

#[test]
fn one_line_with_losses_is_made_whole_by_the_server_alone() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path(), "60k");
    let expected = replay_file(&day);
    let address = Place::new(2).address(false, true, "");
    let (report, sent) = play(&day, &address, &address, &["--rate", "100k", "--loss", "5%"]);
    assert_eq!(report["feed"]["gaps"], 0, "{}", report["feed"]);
    assert_eq!(report["hashes"]["books"], expected["hashes"]["books"]);
    assert!(report["feed"]["packets"]["recovered"].as_u64() > Some(500), "{}", sent.stderr);
}

#[test]
fn without_a_server_a_loss_is_told_with_its_numbers() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path(), "60k");
    let expected = replay_file(&day);
    let address = Place::new(3).address(false, false, "&patience=20ms");
    let (report, sent) = play(&day, &address, &address, &["--rate", "100k", "--loss", "2%"]);
    let feed = &report["feed"];
    let missing = feed["gaps"].as_u64().expect("a count");
    let ranges = feed["gap_ranges"].as_array().expect("ranges");
    let number = |range: &Value, key: &str| range[key].as_u64().expect("a number");
    let width = |range: &Value| number(range, "until") - number(range, "from");
    assert!(missing > 0 && !ranges.is_empty(), "{}", sent.stderr);
    assert_eq!(ranges.iter().map(width).sum::<u64>(), missing);
    let told = expected["feed"]["messages"].as_u64().expect("a count");
    // The listener may have missed the session's very first packet, which nobody can know.
    let first = told - missing - feed["messages"].as_u64().expect("a count");
    assert!(first < 60, "{first} of {told} are neither there nor told");
}

#[test]
fn joining_in_the_middle_gets_what_came_before_from_the_server() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path(), "100k");
    let expected = replay_file(&day);
    let address = Place::new(4).address(true, true, "");
    let sender = start(["convert", &day, &address, "--rate", "50k"]);
    std::thread::sleep(Duration::from_millis(700));
    let heard = end(start(["replay", &address, "--json"]));
    assert_eq!(heard.code, 0, "{}", heard.all());
    let sent = end(sender);
    assert_eq!(sent.code, 0, "{}", sent.all());
    let report = heard.json();
    assert_eq!(report["feed"]["gaps"], 0, "{}", report["feed"]);
    assert_eq!(report["hashes"]["books"], expected["hashes"]["books"]);
    let recovered = report["feed"]["packets"]["recovered"].as_u64();
    assert!(recovered > Some(10_000), "{recovered:?}: {}", report["feed"]["packets"]);
}

#[test]
fn the_journal_of_a_live_run_repeats_it_with_its_times() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let day = session_of(folder.path(), "4200", "3", "300");
    let address = Place::new(5).address(true, true, "");
    let run_dir = folder.path().join("run").display().to_string();
    let page = folder.path().join("page");
    let page_dir = page.display().to_string();
    let live = ["replay", &address, "--journal", &run_dir, "--report", &page_dir, "--json"];
    let listener = start([&live[..], &["--strategy", "maker:symbols=ACME"]].concat());
    std::thread::sleep(Duration::from_millis(400));
    // Slow enough for a silence after every message.
    let sender = start(["convert", &day, &address, "--rate", "700"]);
    let (heard, sent) = (end(listener), end(sender));
    assert_eq!((heard.code, sent.code), (0, 0), "{}\n{}", heard.all(), sent.all());
    let (live, repeated) = (heard.json(), replay_file(&run_dir));
    for part in ["hashes", "state_hash", "orders", "fills", "portfolio"] {
        assert_eq!(repeated[part], live[part], "{part}");
    }
    let times = run(["journal", "tail", &run_dir, "--kind", "time", "--json", "--limit", "3"]);
    assert_eq!(times.code, 0, "{}", times.all());
    assert!(times.stdout.lines().count() >= 1, "silence was told");
    // Drawn from the journal: the feed comes once.
    let page = std::fs::read_to_string(page.join("index.html")).expect("a report");
    assert!(page.contains("Price of ACME and own fills"), "no market");
}

#[test]
fn a_live_run_trades_at_a_venue_and_its_journal_repeats_it() {
    if !has_multicast() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let day = session(dir, "60k");
    let venue = Venue::open(dir, &[&day, "--until", "12:00"], "127.0.0.1:0");
    let address = Place::new(7).address(true, true, "");
    let run_dir = dir.join("run").display().to_string();
    let gateway = venue.gateway();
    let strategy = "momentum:symbols=ACME,size=10,limit=500,window=5s,threshold=1,hold=20s";
    let listener = start(
        [
            &["replay", &address, "--strategy", strategy, "--json", "--audit"][..],
            &["--journal", &run_dir, "--durability", "interval:10ms", "--gateway", &gateway],
        ]
        .concat(),
    );
    std::thread::sleep(Duration::from_millis(400));
    let sender = start(["convert", &day, &address, "--rate", "30k"]);
    let (heard, sent) = (end(listener), end(sender));
    assert_eq!((heard.code, sent.code), (0, 0), "{}\n{}", heard.all(), sent.all());
    venue.close();
    let fills = same_fills(dir);
    assert!(!fills.is_empty(), "{}", heard.all());
    let (live, repeated) = (heard.json(), replay_file(&run_dir));
    assert_eq!(live["gateway"]["differences"], 0, "{}", live["warnings"]);
    for part in ["hashes", "state_hash", "orders", "fills", "portfolio"] {
        assert_eq!(repeated[part], live[part], "{part}");
    }
}

#[test]
fn ctrl_c_ends_a_live_run_with_its_report() {
    if !has_multicast() {
        return;
    }
    let address = Place::new(6).address(false, false, "");
    let listener = start(["replay", &address, "--json"]);
    std::thread::sleep(Duration::from_millis(400));
    let id = rustix::process::Pid::from_raw(listener.id() as i32).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    let heard = end(listener);
    assert_eq!(heard.code, 130, "{}", heard.all());
    assert_eq!(heard.json()["interrupted"], true);
}

#[test]
fn mistakes_about_live_feeds_are_named() {
    for (line, told) in [
        ("replay udp://239.1.1.1", "no ADDRESS:PORT"),
        ("replay udp://239.1.1.1:5?bufer=1", "`buffer` perhaps"),
        ("replay udp://239.1.1.1:9?interface=127.0.0.1 --speed 2x", "--speed does nothing"),
        ("info udp://239.1.1.1:9?interface=127.0.0.1", "never over"),
        ("replay udp://239.1.1.1:9?interface=127.0.0.1 --report target/never", "--journal DIR"),
        ("replay udp://239.1.1.1:0", "has no port"),
        ("replay udp://239.1.1.1:9?from=1&from=2", "`from` is given twice"),
        ("convert feeds/sample.itch.gz target/never.itch --linger 2s", "--linger does nothing"),
        ("convert feeds/sample.itch.gz udp://239.1.1.1:9 --two-lines", "--two-lines does nothing"),
        ("convert feeds/sample.itch.gz udp://239.1.1.1:9 --loss 101%", "no share"),
    ] {
        let ran = crate::common::program::run_line(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.all());
        assert!(ran.stderr.contains(told), "{line}: {}", ran.stderr);
    }
}
