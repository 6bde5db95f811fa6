//! Live feeds as commands receive and send them, over the loopback without multicast.
//!
//! Would catch a journal that finds faults which its live run had not, what waits behind a gap lost
//! at Ctrl-C, advice that cannot be followed, and receivers that take a part of a session for all.
#![cfg(feature = "cli")]

use std::net::UdpSocket;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::common::program::{end, run, start};
use crate::feed_common::packets::{end_of_session, numbered as frame, numbered_packet as of};
use crate::feed_common::start as start_of_session;

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

fn interrupt(child: &Child) {
    let id = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
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

#[test]
fn a_recording_that_is_stopped_has_what_waited_behind_a_gap_and_tells_the_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, out) = (free_port(), place(folder.path(), "out.itch"));
    let address = format!("udp://127.0.0.1:{port}?patience=20s");
    let (child, sender) = listening(&["convert", &address, &out], port);
    for numbers in [1..11, 21..31] {
        sender.send(&of(numbers)).expect("sent");
    }
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let ran = end(child);
    assert_eq!(ran.code, 130, "{}", ran.all());
    assert!(ran.stderr.contains("10, numbers 11 to 20, before message 10"), "{}", ran.all());
    assert!(!ran.stderr.contains("ringtape info"), "{}", ran.all());
    let written = std::fs::read(&out).expect("a file");
    assert_eq!(written.len(), 20 * frame(1).len());
}

#[test]
fn a_run_that_is_stopped_has_what_waited_behind_a_gap() {
    let port = free_port();
    let address = format!("udp://127.0.0.1:{port}?patience=20s");
    let (child, sender) = listening(&["replay", &address, "--json"], port);
    for numbers in [1..11, 21..31, 41..51] {
        sender.send(&of(numbers)).expect("sent");
    }
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let ran = end(child);
    assert_eq!(ran.code, 130, "{}", ran.all());
    let feed = &ran.json()["feed"];
    assert_eq!((&feed["messages"], &feed["gaps"]), (&30.into(), &20.into()), "{feed}");
    assert_eq!(feed["packets"]["packets"], 3);
}

#[test]
fn the_end_of_a_session_is_told_once_at_least_and_never_when_it_was_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = place(folder.path(), "day.itch");
    let frames: Vec<_> = (1..200).map(frame).collect();
    std::fs::write(&day, [start_of_session(), frames.concat()].concat()).expect("a file");
    let listener = UdpSocket::bind("127.0.0.1:0").expect("a port");
    listener.set_read_timeout(Some(Duration::from_millis(500))).expect("a time");
    let address = format!("udp://{}", listener.local_addr().expect("bound"));
    // How many packets came, and how many of them told the end.
    let heard = || {
        let mut packet = [0; 2_048];
        let (mut packets, mut ends) = (0, 0);
        while let Ok(bytes) = listener.recv(&mut packet) {
            packets += 1;
            ends += usize::from(bytes == 20 && packet[18..20] == [0xff; 2]);
        }
        (packets, ends)
    };
    let ran = run(["convert", &day, &address, "--speed", "max", "--linger", "0ms"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let (packets, ends) = heard();
    assert!(packets > 1 && ends == 1, "{packets} packets, {ends} ends");
    let sender = start(["convert", &day, &address, "--rate", "100"]);
    std::thread::sleep(Duration::from_millis(900));
    interrupt(&sender);
    let ran = end(sender);
    assert_eq!(ran.code, 130, "{}", ran.all());
    let (packets, ends) = heard();
    assert!(packets > 0 && ends == 0, "{packets} packets, {ends} ends");
}
