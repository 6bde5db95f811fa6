//! A writer that is killed at any moment, or whose disk refuses any single call, loses nothing that
//! it acknowledged.
//!
//! Catches: a record that is visible before it is whole, an append that returns before its record
//! can be read, a roll with a moment at which the journal is not readable, a step of a preparation,
//! recovery, snapshot or retention behind which nobody can go on, a level of durability that forces
//! nothing to the disk. `RINGTAPE_EVERY_CALL=1` tries every system call instead of a part of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytemuck::Zeroable;
use ringtape::engine::{Engine, EngineConfig, JournalConfig, RunReport};
use ringtape::event::Event;
use ringtape::journal::{
    Durability, From, JournalOptions, Limits, Tailer, Writer, is_present, records_per_segment,
    retain, verify,
};
use ringtape::ring::Wait;

use crate::common::runs::{feed, resuming, session, trader};
use crate::tracer::{Blow, Call, Traced, trace};
use crate::written::{SEGMENT, event, options, read_all, tried, write};

/// The child process of the next test: appends and acknowledges until it is killed.
#[test]
fn appender_to_be_killed() {
    let Some(dir) = std::env::var_os("RINGTAPE_TEST_APPEND_TO") else { return };
    let mut writer = Writer::<Event>::create(Path::new(&dir), &options()).unwrap();
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
            .args(["--exact", "kill::appender_to_be_killed", "--nocapture"])
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
    tried("a writer killed at a random moment", 10);
}

type Life = fn(&Path) -> ringtape::error::Result<()>;

/// What a child process of the next tests does in a folder; it tells what it has done, or why it
/// could not.
const LIVES: [(&str, Life); 5] = [
    ("pagecache", |dir| live(dir, Durability::PageCache)),
    ("interval", |dir| live(dir, Durability::Interval(Duration::from_millis(1)))),
    ("batch", |dir| live(dir, Durability::Batch)),
    ("recovery", recover_and_go_on),
    ("run", |dir| run(dir, 5_000).map(|report| tell("hashes", report.hashes.books))),
];

fn tell(what: &str, number: u64) {
    println!("{what} {number}");
    std::io::stdout().flush().unwrap();
}

#[test]
fn child_that_lives_under_watch() {
    let (Ok(life), Some(dir)) =
        (std::env::var("RINGTAPE_TEST_LIFE"), std::env::var_os("RINGTAPE_TEST_DIR"))
    else {
        return;
    };
    let (_, live) = LIVES.iter().find(|(name, _)| *name == life).expect("one of them");
    match live(Path::new(&dir)) {
        Ok(()) => tell("done", 0),
        Err(error) => {
            println!("{error}");
            tell("refused", error.exit_code().into());
        }
    }
}

/// Everything that a writer and those beside it do: two rolls, a cursor, retention, a close.
fn live(dir: &Path, durability: Durability) -> ringtape::error::Result<()> {
    let options = JournalOptions { durability, ..options() };
    let mut writer = Writer::<Event>::create(dir, &options)?;
    let count = 2 * records_per_segment::<Event>(SEGMENT) + 5_000;
    while writer.next_sequence() < count {
        let first = writer.next_sequence();
        let events: Vec<_> = (first..(first + 20_000).min(count)).map(event).collect();
        writer.append_batch(&events)?;
        tell("appended", writer.next_sequence());
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut tailer = Tailer::<Event>::open(dir, &From::Cursor("slow".to_owned()))?;
    while tailer.position() < records_per_segment::<Event>(SEGMENT) + 100 {
        tailer.read(&mut vec![Event::zeroed(); 4096])?;
    }
    tailer.save()?;
    tell("saved", tailer.position());
    retain(dir, &Limits { count: Some(1), ..Limits::default() }, false)?;
    writer.close()?;
    Ok(())
}

/// Goes on with a journal whose machine went down: torn in its first segment, with two behind it.
fn recover_and_go_on(dir: &Path) -> ringtape::error::Result<()> {
    let (mut writer, recovery) = Writer::<Event>::resume(dir, Durability::PageCache, None)?;
    let first = recovery.next_sequence;
    writer.append_batch(&(first..first + 1_000).map(event).collect::<Vec<_>>())?;
    tell("appended", writer.next_sequence());
    writer.close()?;
    Ok(())
}

/// What that is to find: whole up to record 500.
fn torn(dir: &Path) {
    drop(write(dir, 2 * records_per_segment::<Event>(SEGMENT) + 10));
    crate::common::runs::reboot(dir);
    crate::common::runs::flip(&dir.join(format!("{:020}.tape", 0)), 4096 + 501 * 64 + 20);
}

/// A run of a market maker with journals and snapshots on one thread, which never sleeps.
pub(crate) fn run(dir: &Path, snapshot_every: u64) -> ringtape::error::Result<RunReport> {
    let journal = JournalConfig { snapshot_every: Some(snapshot_every), ..resuming(dir) };
    let config = EngineConfig {
        trader: Some(trader()),
        journal: Some(journal),
        runners: Some(1),
        wait: Wait::Spin,
        ..EngineConfig::default()
    };
    let report = Engine::start(feed(&session(20_000, 5)), config)?.join();
    match report.error {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// Watches a life in `dir`, with a blow at one of its calls.
fn watch(life: &str, dir: &Path, blow: Option<(usize, Blow)>) -> Option<Traced> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child_that_lives_under_watch", "--nocapture"]);
    command.env("RINGTAPE_TEST_LIFE", life).env("RINGTAPE_TEST_DIR", dir);
    trace(&command, dir, blow)
}

/// The last number that a child told of `what`.
fn told(traced: &Traced, what: &str) -> Option<u64> {
    let number = |line: &str| line.split_once(what)?.1.trim().parse().ok();
    traced.output.lines().rev().find_map(number)
}

/// What a call is part of.
fn phase(Call { name, path }: &Call) -> &'static str {
    let text = path.to_string_lossy();
    let ends = |end: &str| text.ends_with(end);
    match *name {
        _ if text.contains("/cursors") => "cursor",
        _ if text.contains("/snapshots") => "snapshot",
        _ if text.contains("/quarantine") || ends(".cut") => "recovery",
        "fallocate" | "create" | "rename" if ends(".unfinished") => "preparing",
        "pwrite" | "fsync" if ends(".unfinished") => "preparing",
        "fdatasync" | "msync" => "forcing out",
        "unlink" => "removing",
        _ if ends(".tape") => "writing a segment",
        _ if ends("writer.lock") || text.contains("run.toml") => "lock and run file",
        _ => "folders",
    }
}

/// Deals `blow` to a life at its calls, all or some of them, and lets `check` look at what is left.
fn deal(life: &str, blow: Blow, before: &dyn Fn(&Path), check: &dyn Fn(&Path, &Traced, &str)) {
    let begin = || {
        let scratch = crate::common::runs::folder();
        let dir = scratch.path().join("journal");
        std::fs::create_dir(&dir).unwrap();
        before(&dir);
        (scratch, dir)
    };
    let (_scratch, dir) = begin();
    let Some(calm) = watch(life, &dir, None) else { return };
    assert_eq!((calm.code, told(&calm, "done ")), (Some(0), Some(0)), "{}", calm.output);
    check(&dir, &calm, "undisturbed");
    let all = calm.calls.len();
    let every = if std::env::var_os("RINGTAPE_EVERY_CALL").is_some() { 1 } else { all / 12 + 1 };
    let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
    for number in (std::process::id() as usize % every..all).step_by(every) {
        let (_scratch, dir) = begin();
        let traced = watch(life, &dir, Some((number, blow))).expect("as before");
        let Some(call) = traced.calls.get(number) else { continue };
        let about = format!("{life}, {blow:?} at call {number} of {all}, {call:?}");
        match blow {
            Blow::Kill => assert_eq!(traced.code, None, "{about}: {}", traced.output),
            Blow::Refuse => {
                assert_eq!(traced.code, Some(0), "{about}: {}", traced.output);
                assert!(!traced.output.contains("panicked"), "{about}: {}", traced.output);
                let refused = told(&traced, "refused ").is_none_or(|code| code == 4);
                assert!(refused, "{about}: {}", traced.output);
            }
        }
        check(&dir, &traced, &about);
        *phases.entry(phase(call)).or_default() += 1;
    }
    let what = match blow {
        Blow::Kill => "killed before",
        Blow::Refuse => "refused",
    };
    tried(&format!("{life} {what} one of {all} calls: {phases:?}"), phases.values().sum());
}

/// A journal must hold what was acknowledged, and must go on.
fn check_journal(dir: &Path, traced: &Traced, about: &str) {
    let acknowledged = told(traced, "appended ").unwrap_or(0);
    if !is_present(dir).unwrap() {
        assert_eq!(acknowledged, 0, "{about}");
        return;
    }
    let found = verify::<Event>(dir).unwrap_or_else(|error| panic!("{about}: {error}"));
    assert!(found.next_sequence >= acknowledged, "{about}: {found:?}, {acknowledged}");
    assert_eq!(read_all(dir), found.next_sequence, "{about}");
    if let Some(saved) = told(traced, "saved ") {
        let cursor = Tailer::<Event>::open(dir, &From::Cursor("slow".to_owned())).unwrap();
        assert_eq!(cursor.position(), saved, "{about}");
    }
    let (mut writer, recovery) = Writer::<Event>::resume(dir, Durability::PageCache, None)
        .unwrap_or_else(|error| panic!("{about}: {error}"));
    let first = recovery.next_sequence;
    assert_eq!(first, found.next_sequence, "{about}");
    writer.append_batch(&(first..first + 100).map(event).collect::<Vec<_>>()).unwrap();
    writer.close().unwrap();
    assert_eq!(
        (read_all(dir), verify::<Event>(dir).unwrap().sealed),
        (first + 100, true),
        "{about}"
    );
}

/// A run must go on to the state that it comes to without a disturbance.
fn check_run(dir: &Path, _: &Traced, about: &str) {
    let undisturbed =
        crate::common::runs::start(feed(&session(20_000, 5)), None, &[]).expect("a run");
    let resumed = run(dir, 3_000).unwrap_or_else(|error| panic!("{about}: {error}"));
    assert_eq!(resumed.hashes, undisturbed.hashes, "{about}");
}

#[test]
fn a_writer_killed_at_any_call_of_its_life_leaves_a_journal_that_goes_on() {
    for life in ["pagecache", "batch"] {
        deal(life, Blow::Kill, &|_| {}, &check_journal);
    }
}

#[test]
fn a_writer_whose_disk_refuses_any_call_says_so_and_leaves_a_journal_that_goes_on() {
    for life in ["pagecache", "batch"] {
        deal(life, Blow::Refuse, &|_| {}, &check_journal);
    }
}

#[test]
fn a_recovery_that_is_killed_or_refused_at_any_call_is_done_again() {
    for blow in [Blow::Kill, Blow::Refuse] {
        deal("recovery", blow, &torn, &check_journal);
    }
}

#[test]
fn a_run_that_is_killed_or_refused_at_any_call_goes_on_to_the_same_state() {
    for blow in [Blow::Kill, Blow::Refuse] {
        deal("run", blow, &|_| {}, &check_run);
    }
}

#[test]
fn every_level_of_durability_asks_the_disk_as_often_as_it_says() {
    let count = |life: &str| {
        let scratch = crate::common::runs::folder();
        let traced = watch(life, scratch.path(), None)?;
        let calls = traced.calls.iter();
        let syncs = calls.filter(|call| ["msync", "fdatasync"].contains(&call.name)).count();
        let batches = traced.output.matches("appended ").count();
        println!("{life}: {syncs} syncs for {batches} batches");
        Some((syncs, batches))
    };
    let [Some(pagecache), Some(interval), Some(batch)] =
        ["pagecache", "interval", "batch"].map(count)
    else {
        return;
    };
    // The opening of the first segment and the close alone; each segment once.
    assert!(pagecache.0 <= 6, "{pagecache:?}");
    assert!(interval.0 >= pagecache.0 + 5, "{interval:?}");
    assert!(batch.0 >= batch.1 + pagecache.0, "{batch:?}");
}
