//! What the program does when the world around its journals fails: full disks, files that are cut or
//! deleted under it, directories that hold anything but journals.
//!
//! Catches: a full disk that leaves what cannot be taken up, a limit on files or a cut file that ends
//! the program without a word, a journal whose loss is taken for a mistake or for a whole one, a
//! directory that hangs or crashes whoever opens it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR, SNAPSHOTS_DIR};
use ringtape::error::Error;
use ringtape::event::Event;
use ringtape::journal::snapshot::Snapshot;
use ringtape::journal::{Writer, recover, verify};

use crate::common::program::{end, run, run_line, run_with_small_files, start};
use crate::written::{options, tried};

const REPLAY: &str = "replay feeds/sample.itch.gz --strategy maker:symbols=ACME,ORBQ,lots=1 --json";

fn replay(dir: &Path, more: &str) -> String {
    format!("{REPLAY} --journal {} {more}", dir.display())
}

/// Starts a paced run, and waits until its journal is written.
fn started(dir: &Path, more: &str) -> Child {
    let child = start(replay(dir, more).split_whitespace());
    let segment = first_segment(dir, EXECUTIONS_DIR);
    let started = Instant::now();
    while !segment.exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    child
}

fn first_segment(dir: &Path, journal: &str) -> PathBuf {
    dir.join(journal).join(format!("{:020}.tape", 0))
}

#[test]
fn a_limit_on_files_from_the_start_is_an_error_and_the_run_is_made_up_for_later() {
    let expected = run_line(REPLAY).json()["state_hash"].clone();
    let mut sizes = 0;
    // Not even the run's file, its file alone, part of a segment.
    for kib in [0, 4, 1_024, 100_000] {
        let scratch = tempfile::tempdir().expect("a folder");
        let dir = scratch.path().join("run");
        let failed = run_with_small_files(kib, &replay(&dir, "--snapshot-every 50k"));
        assert_eq!(failed.code, 4, "{kib} KiB: {}", failed.all());
        assert!(failed.stderr.contains(&dir.display().to_string()), "{}", failed.all());
        assert!(failed.stderr.contains("ulimit -f"), "{}", failed.all());
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
    tried("a run with a limit on files from the start", sizes);
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
    let child = started(&dir, "--rate 100k");
    let segment = first_segment(&dir, MARKET_DIR);
    let file = OpenOptions::new().write(true).open(&segment).expect("a segment");
    file.set_len(4096).expect("a shorter file");
    let ran = end(child);
    assert_eq!(ran.code, 4, "{}", ran.all());
    let told = "was cut, or its disk failed, while it was mapped";
    assert!(ran.stderr.contains(told), "{}", ran.all());
    // What is left is refused with a reason.
    let verified = run(["journal", "verify", dir.to_str().expect("text")]);
    assert_eq!(verified.code, 3, "{}", verified.all());
    tried("a journal cut under its writer", 1);
}

#[test]
fn a_journal_that_is_deleted_or_moved_under_its_writer_fails_the_run() {
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 4] = [
        ("deleted", |dir| fs::remove_dir_all(dir).expect("a run")),
        ("moved", |dir| fs::rename(dir, dir.with_extension("moved")).expect("a run")),
        ("without its market segment", |dir| {
            fs::remove_file(first_segment(dir, MARKET_DIR)).expect("a segment");
        }),
        ("without its segment of executions", |dir| {
            fs::remove_file(first_segment(dir, EXECUTIONS_DIR)).expect("a segment");
        }),
    ];
    for (what, lose) in losses {
        let scratch = tempfile::tempdir().expect("a folder");
        let dir = scratch.path().join("run");
        let child = started(&dir, "--rate 400k");
        lose(&dir);
        let ran = end(child);
        assert_eq!(ran.code, 4, "{what}: {}", ran.all());
        let told = "was deleted or moved while it was written";
        assert!(ran.stderr.contains(told), "{what}: {}", ran.all());
    }
    tried("a journal lost under its writer", losses.len() as u64);
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
