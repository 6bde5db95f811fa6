//! A disk that fills up, at every stage of a journal's life: a small file system in memory, mounted
//! where this test alone sees it, and made larger afterwards.
//!
//! Catches: a full disk that ends a process by a signal, that loses a record which was
//! acknowledged, or that leaves what cannot be taken up once there is room again.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::journal::{
    Durability, From, JournalOptions, Tailer, Writer, is_present, records_per_segment, verify,
};

use crate::common::runs::{feed, session, start};
use crate::kill::run;
use crate::written::{SEGMENT, event, options, read_all, tried};

/// A file system of its own size, which goes with its holder.
struct SmallDisk {
    holder: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _place: tempfile::TempDir,
    path: PathBuf,
}

impl SmallDisk {
    /// One of so many KiB; `None` where none can be mounted.
    fn of(kib: u64) -> Option<Self> {
        let place = tempfile::tempdir().expect("a folder");
        // Each line is a command, and each has an answer.
        let script = "while read line; do if $line 2>&1; then echo done; fi; done";
        let mut holder = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let orders = holder.stdin.take().expect("a pipe");
        let answers = BufReader::new(holder.stdout.take().expect("a pipe"));
        let inside = place.path().strip_prefix("/").expect("an absolute path").to_owned();
        let path = Path::new("/proc").join(holder.id().to_string()).join("root").join(inside);
        let mut disk = Self { holder, orders, answers, _place: place, path };
        let mounted = disk.order(&format!("mount -t tmpfs -o size={kib}k tmpfs"));
        if !mounted {
            println!("skipped: no file system can be mounted in a namespace of its own here");
        }
        mounted.then_some(disk)
    }

    /// Makes it so large that it will not fill up again.
    fn grow(&mut self) {
        assert!(self.order("mount -o remount,size=1g"), "a mounted file system grows");
    }

    fn order(&mut self, command: &str) -> bool {
        let place = self._place.path().display();
        let mut answer = String::new();
        let sent = writeln!(self.orders, "{command} {place}");
        sent.and_then(|()| self.answers.read_line(&mut answer)).is_ok() && answer == "done\n"
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Appends over two rolls and closes; `acknowledged` is the sequence after the last record for
/// which the writer answered.
fn live(dir: &Path, durability: Durability, acknowledged: &mut u64) -> Result<()> {
    let options = JournalOptions { durability, ..options() };
    let mut writer = Writer::<Event>::create(dir, &options)?;
    let count = 2 * records_per_segment::<Event>(SEGMENT) + 5_000;
    while *acknowledged < count {
        let events: Vec<_> = (*acknowledged..*acknowledged + 5_000).map(event).collect();
        let appended = writer.append_batch(&events);
        if durability != Durability::Batch {
            // What was appended before the failure is there.
            *acknowledged = writer.next_sequence();
        }
        appended?;
        *acknowledged = writer.next_sequence();
    }
    writer.close().map(|_| ())
}

#[test]
fn a_disk_that_fills_up_at_any_stage_of_a_writer_loses_nothing_that_was_acknowledged() {
    let mut cases = [0; 2];
    // No file; the lock alone; part of the first segment, of the second, of the third, of the one
    // that is prepared behind it; room for everything.
    for kib in [4, 64, 8_000, 16_800, 30_000, 34_000, 48_000, 51_000, 60_000, 70_000] {
        for level in ["pagecache", "interval:1ms", "batch"] {
            let Some(mut disk) = SmallDisk::of(kib) else { return };
            let (dir, about) = (disk.path.join("market"), format!("{kib} KiB, {level}"));
            let mut acknowledged = 0;
            let lived = live(&dir, level.parse().expect("a level"), &mut acknowledged);
            cases[0] += 1;
            if let Err(error) = lived {
                assert_eq!(error.exit_code(), 4, "{about}: {error}");
                assert!(error.to_string().contains("market"), "{about}: {error}");
                cases[1] += 1;
            }
            disk.grow();
            if !is_present(&dir).expect("a folder") {
                assert_eq!(acknowledged, 0, "{about}");
                live(&dir, Durability::PageCache, &mut acknowledged).expect("room");
                continue;
            }
            let found = verify::<Event>(&dir).unwrap_or_else(|error| panic!("{about}: {error}"));
            assert!(found.next_sequence >= acknowledged, "{about}: {found:?}, {acknowledged}");
            assert_eq!(read_all(&dir), found.next_sequence, "{about}");
            let resumed = Writer::<Event>::resume(&dir, Durability::PageCache, None);
            let (mut writer, _) = resumed.unwrap_or_else(|error| panic!("{about}: {error}"));
            let first = writer.next_sequence();
            writer.append_batch(&(first..first + 100).map(event).collect::<Vec<_>>()).expect(level);
            writer.close().expect("room");
            assert_eq!(read_all(&dir), first + 100, "{about}");
        }
    }
    tried("a writer on a disk that fills up", cases[0]);
    assert!(cases[1] >= 18, "{cases:?}");
}

#[test]
fn a_cursor_that_finds_no_room_stays_where_it_was() {
    let Some(mut disk) = SmallDisk::of(20_000) else { return };
    let dir = disk.path.join("market");
    let mut writer = Writer::<Event>::create(&dir, &options()).expect("room");
    writer.append_batch(&(0..1_000).map(event).collect::<Vec<_>>()).expect("room");
    let open = || Tailer::<Event>::open(&dir, &From::Cursor("slow".to_owned()));
    let mut tailer = open().expect("a journal");
    let mut out = [Event::default(); 300];
    tailer.read(&mut out).expect("records");
    tailer.save().expect("room");
    tailer.read(&mut out).expect("records");
    // A writer's helper gives back what it could not allocate whole.
    writer.close().expect("room");
    // Whatever is left goes.
    let full = fs::write(disk.path.join("ballast"), vec![1; 20 << 20]).expect_err("a full disk");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let error = tailer.save().expect_err("a full disk");
    assert_eq!(error.exit_code(), 4, "{error}");
    assert_eq!(open().expect("a cursor").position(), 300);
    disk.grow();
    tailer.save().expect("room");
    assert_eq!(open().expect("a cursor").position(), 600);
    tried("a cursor on a full disk", 1);
}

#[test]
fn a_run_on_a_disk_that_fills_up_goes_on_to_the_same_state_once_there_is_room() {
    let undisturbed = start(feed(&session(20_000, 5)), None, &[]).expect("a run");
    let mut cases = [0; 2];
    // The run's file alone; one journal; both, and not what is prepared; and then some for
    // snapshots, of which each takes some 300 KiB.
    for kib in [16, 17_000, 33_400, 34_000, 50_500, 65_800, 66_000, 66_200, 70_000] {
        let Some(mut disk) = SmallDisk::of(kib) else { return };
        let dir = disk.path.join("run");
        cases[0] += 1;
        if let Err(error) = run(&dir, 3_000) {
            assert_eq!(error.exit_code(), 4, "{kib} KiB: {error}");
            cases[1] += 1;
        }
        disk.grow();
        let resumed = run(&dir, 3_000).unwrap_or_else(|error| panic!("{kib} KiB: {error}"));
        assert_eq!(resumed.hashes, undisturbed.hashes, "{kib} KiB");
    }
    tried("a run on a disk that fills up", cases[0]);
    assert!(cases[1] > 1, "{cases:?}");
}
