//! Live feeds as commands receive and send them, over the loopback without multicast.
//!
//! Would catch a journal that finds faults which its live run had not.
#![cfg(feature = "cli")]

use std::net::UdpSocket;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::common::program::{end, run, start};
use crate::feed_common::packets::{end_of_session, numbered_packet as of};

/// A port that nobody has.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("bound").port()
}

/// Starts a command, and waits until it listens at a port; who sends there.
fn listening(arguments: &[&str], port: u16) -> (Child, UdpSocket) {
    let child = start(arguments);
    let wanted = format!(":{port:04X} ");
    let has_port = || std::fs::read_to_string("/proc/net/udp").is_ok_and(|it| it.contains(&wanted));
    let is_there = (0..2_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        has_port()
    });
    assert!(is_there, "nobody listens at {port}");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    sender.connect(("127.0.0.1", port)).expect("an address");
    (child, sender)
}

fn place(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn a_journal_finds_what_its_live_run_found_whatever_silences_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, run_dir) = (free_port(), place(folder.path(), "run"));
    let address = format!("udp://127.0.0.1:{port}");
    let (listener, sender) =
        listening(&["replay", &address, "--journal", &run_dir, "--json", "--strict"], port);
    for number in 1..6 {
        sender.send(&of(number..number + 1)).expect("sent");
        std::thread::sleep(Duration::from_millis(30));
    }
    sender.send(&end_of_session(6)).expect("sent");
    let heard = end(listener);
    let repeated = run(["replay", &run_dir, "--json", "--strict"]);
    assert_eq!((heard.code, repeated.code), (0, 0), "{}\n{}", heard.all(), repeated.all());
    let (live, repeated) = (heard.json(), repeated.json());
    assert_eq!(repeated["feed"]["faults"], live["feed"]["faults"]);
    let times = run(["journal", "tail", &run_dir, "--kind", "time", "--json", "--limit", "3"]);
    assert!(times.stdout.lines().count() >= 1, "silence was told: {}", times.all());
}
