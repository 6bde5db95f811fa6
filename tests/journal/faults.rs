//! What the program does when the world around its journals fails: full disks, files that are cut
//! under it, directories that hold anything but journals.
//!
//! Catches: a full disk that leaves what cannot be taken up, a cut file that ends the program
//! without a word, a directory that hangs or crashes whoever opens it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ringtape::engine::{MARKET_DIR, SNAPSHOTS_DIR};
use ringtape::error::Error;
use ringtape::event::Event;
use ringtape::journal::snapshot::Snapshot;
use ringtape::journal::{Writer, recover, verify};

use crate::common::program::{Ran, finish, ringtape, run, run_line};
use crate::written::{options, tried};

const REPLAY: &str = "replay feeds/sample.itch.gz --strategy maker:symbols=ACME,ORBQ,lots=1 --json";

fn replay(dir: &Path, more: &str) -> String {
    format!("{REPLAY} --journal {} {more}", dir.display())
}

/// Runs the program with files of at most so many KiB; more is refused and not punished.
fn run_on_a_full_disk(kib: u64, line: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_ringtape");
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {program} {line}");
    let mut shell = Command::new("bash");
    finish(shell.args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()))
}

#[test]
fn a_disk_that_is_full_from_the_start_is_an_error_and_the_run_is_made_up_for_later() {
    let expected = run_line(REPLAY).json()["state_hash"].clone();
    let mut sizes = 0;
    // Not even the run's file, its file alone, part of a segment.
    for kib in [0, 4, 1_024, 100_000] {
        let scratch = tempfile::tempdir().expect("a folder");
        let dir = scratch.path().join("run");
        let failed = run_on_a_full_disk(kib, &replay(&dir, "--snapshot-every 50k"));
        assert_eq!(failed.code, 4, "{kib} KiB: {}", failed.all());
        assert!(failed.stderr.contains(&dir.display().to_string()), "{}", failed.all());
        let left: Vec<_> = walk(scratch.path())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "tape"))
            .collect();
        assert!(left.is_empty(), "half a segment has a name: {left:?}");
        let resumed = run_line(&replay(&dir, "--resume"));
        assert_eq!(resumed.code, 0, "{kib} KiB: {}", resumed.all());
        assert_eq!(resumed.json()["state_hash"], expected, "{kib} KiB");
        sizes += 1;
    }
    tried("a run on a disk that is full from the start", sizes);
}

/// All files under a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn snapshots_that_cannot_be_written_are_a_warning_and_the_run_goes_on() {
    let expected = run_line(REPLAY).json()["state_hash"].clone();
    let scratch = tempfile::tempdir().expect("a folder");
    let dir = scratch.path().join("run");
    fs::create_dir(&dir).expect("space");
    File::create(dir.join(SNAPSHOTS_DIR)).expect("a file where the folder would be");
    let ran = run_line(&replay(&dir, "--snapshot-every 50k"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    let json = ran.json();
    assert_eq!((&json["state_hash"], &json["journal"]["verified"]), (&expected, &true.into()));
    let warnings = json["warnings"].to_string();
    assert!(warnings.contains("snapshots could not be written"), "{warnings}");
    tried("snapshots that cannot be written", 1);
}

#[test]
fn a_journal_that_is_cut_under_its_writer_ends_in_a_message() {
    let scratch = tempfile::tempdir().expect("a folder");
    let dir = scratch.path().join("run");
    let line = replay(&dir, "--rate 100k");
    let child = ringtape(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let segment = dir.join(MARKET_DIR).join(format!("{:020}.tape", 0));
    let started = Instant::now();
    while !segment.exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let file = OpenOptions::new().write(true).open(&segment).expect("a segment");
    file.set_len(4096).expect("a shorter file");
    let output = child.wait_with_output().expect("the program ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("was cut, or its disk failed, while it was mapped"), "{told}");
    // What is left is refused with a reason.
    let verified = run(["journal", "verify", dir.to_str().expect("text")]);
    assert_eq!(verified.code, 3, "{}", verified.all());
    tried("a journal cut under its writer", 1);
}

/// A closed journal of 1,500 records.
fn journal(dir: &Path) {
    let mut writer = Writer::<Event>::create(dir, &options()).expect("space");
    (0..1_500).for_each(|_| writer.append(&Event::default()).expect("space"));
    writer.close().expect("space");
}

#[test]
fn directories_that_hold_anything_but_segments_are_opened_safely() {
    type Trap = fn(&Path);
    let traps: [(&str, Trap); 6] = [
        ("a link to itself", |path| symlink(path, path).expect("a link")),
        ("a link to nowhere", |path| symlink("nowhere", path).expect("a link")),
        ("a link to a device", |path| symlink("/dev/zero", path).expect("a link")),
        ("a folder", |path| fs::create_dir(path).expect("space")),
        ("a pipe", |path| {
            let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
            assert!(made.success());
        }),
        ("a file of absurd length", |path| {
            File::create(path).and_then(|file| file.set_len(1 << 42)).expect("a sparse file");
        }),
    ];
    let mut traps_tried = 0;
    for (what, trap) in traps {
        // In place of the first segment, and as one behind it.
        for sequence in [0, 1_500_u64] {
            let scratch = tempfile::tempdir().expect("a folder");
            let dir = scratch.path();
            journal(dir);
            let path = dir.join(format!("{sequence:020}.tape"));
            if sequence == 0 {
                fs::remove_file(&path).expect("the segment");
            }
            trap(&path);
            for outcome in [verify::<Event>(dir).map(|_| ()), recover::<Event>(dir).map(|_| ())] {
                let error = outcome.expect_err(what);
                assert!(
                    matches!(error, Error::BadJournal { .. } | Error::Io { .. }),
                    "{what}: {error}"
                );
            }
            traps_tried += 1;
        }
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().join(format!("{:020}.snapshot", 7));
        trap(&path);
        assert!(Snapshot::read(&path).is_err(), "{what}");
        traps_tried += 1;
    }
    tried("links, pipes, devices, folders, absurd lengths", traps_tried);
}
