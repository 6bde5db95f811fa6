//! A writer that is killed at any moment loses nothing that it acknowledged.
//!
//! Catches: a record that is visible before it is whole, an append that returns before its record
//! can be read, a roll with a moment at which the journal is not readable.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytemuck::Zeroable;
use ringtape::event::Event;
use ringtape::journal::{JournalOptions, Read, Reader, Writer, verify};

fn event(sequence: u64) -> Event {
    let mixed = (sequence + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Event { ts_event: sequence, payload: [mixed, !mixed, sequence, 0], ..Event::zeroed() }
}

/// Reads everything; panics if any of it is not what was written.
fn read_all(dir: &Path) -> u64 {
    let mut reader = Reader::<Event>::open(dir).unwrap();
    let mut events = vec![Event::zeroed(); 4096];
    let mut sequence = 0;
    while let Read::Records(count) = reader.read(&mut events).unwrap() {
        for found in &events[..count] {
            assert_eq!(*found, event(sequence), "wrong data at sequence {sequence}");
            sequence += 1;
        }
    }
    sequence
}

/// The child process of the next test: appends and acknowledges until it is killed.
#[test]
fn appender_to_be_killed() {
    let Some(dir) = std::env::var_os("RINGTAPE_TEST_APPEND_TO") else { return };
    let options = JournalOptions { segment_bytes: 16 << 20, ..JournalOptions::default() };
    let mut writer = Writer::<Event>::create(Path::new(&dir), &options).unwrap();
    let mut out = std::io::stdout().lock();
    for sequence in 0.. {
        writer.append(&event(sequence)).unwrap();
        if sequence % 64 == 0 {
            writeln!(out, "appended {sequence}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    for kill in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "appender_to_be_killed", "--nocapture"])
            .env("RINGTAPE_TEST_APPEND_TO", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = None;
        let mut note = |line: String| {
            // The test harness may have written its own words before the first one.
            if let Some((_, sequence)) = line.split_once("appended ") {
                acknowledged = sequence.parse::<u64>().ok().or(acknowledged);
            }
        };
        // At least one acknowledgement, then a moment that differs from kill to kill.
        lines.by_ref().map_while(Result::ok).find(|line| line.contains("appended")).map(&mut note);
        let wait = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(1 + 7_919 * kill * kill % 150_000));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        lines.map_while(Result::ok).for_each(&mut note);
        wait.join().unwrap();
        let report = verify::<Event>(dir.path()).unwrap();
        assert!(!report.sealed && !report.live);
        let acknowledged = acknowledged.unwrap();
        assert!(report.next_sequence > acknowledged, "{report:?} after {acknowledged}");
        assert_eq!(read_all(dir.path()), report.next_sequence);
        println!("kill {kill}: {} records, {} segments", report.records, report.segments);
    }
}
