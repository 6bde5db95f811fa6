//! Anybody follows a journal from anywhere, and nobody loses what he has not read.
//!
//! Catches: a tailer in another process that skips, repeats or stalls where a segment ends, a time
//! or cursor that leads to another record, a retention that takes a segment away too early.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytemuck::Zeroable;
use ringtape::error::Error;
use ringtape::event::Event;
use ringtape::journal::{
    Durability, From, Hold, Limits, Read, Tailer, Writer, records_per_segment, retain, verify,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::program::{Ran, end, ringtape, run, start};
use crate::written::{SEGMENT, append, check, event, write};

/// Reads to the end, and checks every record; says where that is.
fn read_all(tailer: &mut Tailer<Event>) -> u64 {
    let mut events = vec![Event::zeroed(); 500];
    loop {
        let from = tailer.position();
        match tailer.read(&mut events).unwrap() {
            Read::Records(count) => {
                check(from, &events[..count]);
                assert_eq!(tailer.position(), from + count as u64);
            }
            Read::Pending => std::thread::sleep(Duration::from_micros(50)),
            Read::End => return from,
        }
    }
}

/// The child process of the next test: follows the journal to its end.
#[test]
fn follower_in_another_process() {
    let Some(dir) = std::env::var_os("RINGTAPE_TEST_FOLLOW") else { return };
    let mut tailer = Tailer::<Event>::open(Path::new(&dir), &From::Sequence(17)).unwrap();
    println!("followed to {}", read_all(&mut tailer));
}

/// Writes three segments and a part of a fourth while another process follows; what that printed.
fn followed_by(follower: impl FnOnce(&Path, u64) -> Command) -> (String, u64) {
    let dir = tempfile::tempdir().unwrap();
    let count = 3 * records_per_segment::<Event>(SEGMENT) + 5_000;
    let mut writer = write(dir.path(), 100);
    let child = follower(dir.path(), count).stdout(Stdio::piped()).spawn().unwrap();
    while writer.next_sequence() < count {
        let left = count - writer.next_sequence();
        append(&mut writer, left.min(1_000));
        std::thread::sleep(Duration::from_micros(300));
    }
    writer.close().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    (text, count)
}

#[test]
fn a_second_process_follows_a_living_journal_across_three_rolls_and_sees_everything_once() {
    let (text, count) = followed_by(|dir, _| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tail::follower_in_another_process", "--nocapture"]);
        command.env("RINGTAPE_TEST_FOLLOW", dir);
        command
    });
    assert!(text.contains(&format!("followed to {count}\n")), "{text}");
}

#[test]
fn numpy_follows_a_living_journal_across_three_rolls_and_sees_everything_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/numpy/bin/python");
    if !python.exists() {
        return println!("skipped: no Python with numpy in target/numpy, where `.ci/run` puts it");
    }
    let (text, count) = followed_by(|dir, count| {
        let mut command = Command::new(python);
        command.arg(root.join("tests/numpy_reader.py")).arg("--follow").arg(dir);
        command.arg(count.to_string());
        command
    });
    assert!(text.contains(&format!("followed to {count} through 4 segments\n")), "{text}");
}

#[test]
fn a_tailer_begins_at_the_first_record_of_a_time_wherever_that_is() {
    let dir = tempfile::tempdir().unwrap();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let count = 2 * per_segment + 3_000;
    drop(write(dir.path(), per_segment + 500));
    // The rest is another epoch's.
    let (mut writer, _) = Writer::resume(dir.path(), Durability::PageCache, None).unwrap();
    append(&mut writer, count - per_segment - 500);
    writer.close().unwrap();
    let near = [0, 1, 6, 7, 1022, 1023, per_segment - 1, per_segment, per_segment + 500, count - 1];
    for sequence in near.into_iter().chain((0..40).map(|n| n * count / 40)) {
        for time in [event(sequence).ts_event, event(sequence).ts_event + 1] {
            let from = sequence.saturating_sub(20);
            let first = (from..count).find(|&at| event(at).ts_event >= time).unwrap_or(count);
            let tailer = Tailer::<Event>::open(dir.path(), &From::Time(time)).unwrap();
            assert_eq!(tailer.position(), first, "time {time}");
        }
    }
    let mut tailer = Tailer::<Event>::open(dir.path(), &From::Time(0)).unwrap();
    assert_eq!((tailer.position(), read_all(&mut tailer)), (0, count));
    let now = Tailer::<Event>::open(dir.path(), &From::Now).unwrap();
    assert_eq!(now.position(), count);
}

/// Reads until a tailer is at `want`; it must not take many looks.
fn read_up_to(tailer: &mut Tailer<Event>, want: u64) {
    let mut events = vec![Event::zeroed(); 500];
    for _ in 0..200 {
        if tailer.position() == want {
            return;
        }
        let from = tailer.position();
        if let Read::Records(count) = tailer.read(&mut events).unwrap() {
            check(from, &events[..count]);
        }
    }
    panic!("stuck at {} before {want}", tailer.position());
}

#[test]
fn a_tailer_that_looks_while_an_epoch_is_about_to_begin_goes_on_once_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    drop(write(dir, 100));
    let (mut writer, _) = Writer::resume(dir, Durability::PageCache, None).unwrap();
    // As between the two moments at which a segment gets its name and is taken into use.
    let next = dir.join(format!("{:020}.tape", 100 + records_per_segment::<Event>(SEGMENT)));
    while !next.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::remove_file(next).unwrap();
    let epoch = fs::OpenOptions::new().read(true).write(true).open(segment(dir, 100)).unwrap();
    let mut opening = [0; 8];
    epoch.read_exact_at(&mut opening, 4088).unwrap();
    epoch.write_all_at(&[0; 8], 4088).unwrap();
    let mut tailer = Tailer::<Event>::open(dir, &From::First).unwrap();
    read_up_to(&mut tailer, 100);
    for _ in 0..100 {
        assert_eq!(tailer.read(&mut [Event::zeroed()]).unwrap(), Read::Pending);
    }
    epoch.write_all_at(&opening, 4088).unwrap();
    append(&mut writer, 10);
    read_up_to(&mut tailer, 110);
}

#[test]
fn a_tailer_waits_while_the_epoch_it_stands_in_gives_way_to_another() {
    // Nothing at all was written, or nothing in the last epoch.
    for count in [0, 100] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        drop(write(dir, count));
        let (writer, _) = Writer::<Event>::resume(dir, Durability::PageCache, None).unwrap();
        drop(writer);
        let mut tailer = Tailer::<Event>::open(dir, &From::First).unwrap();
        while tailer.position() < count || tailer.header().first_sequence < count {
            let _ = tailer.read(&mut vec![Event::zeroed(); 500]).unwrap();
        }
        // As while a recovery has taken the segment away and not put another there.
        let (path, aside) = (segment(dir, count), dir.join("aside"));
        let lock = fs::File::open(dir.join("writer.lock")).unwrap();
        lock.lock().unwrap();
        fs::rename(&path, &aside).unwrap();
        for _ in 0..100 {
            assert_eq!(tailer.read(&mut [Event::zeroed()]).unwrap(), Read::Pending);
        }
        fs::rename(&aside, &path).unwrap();
        lock.unlock().unwrap();
        let (mut writer, _) = Writer::resume(dir, Durability::PageCache, None).unwrap();
        append(&mut writer, 10);
        read_up_to(&mut tailer, count + 10);
    }
}

fn segment(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.tape"))
}

#[test]
fn a_cursor_survives_its_reader_and_goes_on_where_it_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = write(dir.path(), 5_000);
    let cursor = From::Cursor("risk".to_owned());
    let mut events = vec![Event::zeroed(); 100];
    for round in 0..10 {
        let mut tailer = Tailer::<Event>::open(dir.path(), &cursor).unwrap();
        assert_eq!(tailer.position(), round * 100);
        assert_eq!(tailer.read(&mut events).unwrap(), Read::Records(100));
        tailer.save().unwrap();
        // What is read and not saved comes again.
        tailer.read(&mut events).unwrap();
    }
    append(&mut writer, 10);
    writer.close().unwrap();
    let mut tailer = Tailer::<Event>::open(dir.path(), &cursor).unwrap();
    assert_eq!(read_all(&mut tailer), 5_010);
    assert!(Tailer::<Event>::open(dir.path(), &From::Cursor("../x".to_owned())).is_err());
    assert!(Tailer::<Event>::open(dir.path(), &From::First).unwrap().save().is_err());
}

#[test]
fn retention_passes_no_cursor_and_leaves_a_whole_journal() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let per_segment = records_per_segment::<Event>(SEGMENT);
    let mut writer = write(dir, 4 * per_segment + 10);
    let mut slow = Tailer::<Event>::open(dir, &From::First).unwrap();
    let mut cursor = Tailer::<Event>::open(dir, &From::Cursor("slow".to_owned())).unwrap();
    let count = |count| Limits { count: Some(count), ..Limits::default() };
    let removed = |limits: &Limits, dry: bool| {
        let fates = retain(dir, limits, dry).unwrap();
        fates.iter().filter(|fate| fate.hold.is_none()).count()
    };
    assert_eq!(removed(&count(1), false), 0, "the cursor is at the first record");
    let mut events = vec![Event::zeroed(); 700];
    while cursor.position() < 2 * per_segment + 5 {
        cursor.read(&mut events).unwrap();
    }
    cursor.save().unwrap();
    assert_eq!(removed(&count(1), true), 2);
    assert_eq!(verify::<Event>(dir).unwrap().segments, 5, "nothing was removed by a dry run");
    let needed = Limits { needed_from: Some(per_segment), ..count(1) };
    let fates = retain(dir, &needed, false).unwrap();
    let holds: Vec<_> = fates.iter().map(|fate| fate.hold.clone()).collect();
    let by_cursor = Some(Hold::Cursor { name: "slow".to_owned(), sequence: cursor.position() });
    assert_eq!(
        holds,
        [None, Some(Hold::Needed(per_segment)), by_cursor.clone(), by_cursor, Some(Hold::Last)]
    );
    assert_eq!(removed(&Limits { size: Some(3 * SEGMENT), ..Limits::default() }, false), 1);
    let old = Limits { age: Some(Duration::from_secs(3_600)), ..Limits::default() };
    assert_eq!(removed(&old, false), 0);

    append(&mut writer, 10);
    writer.close().unwrap();
    let report = verify::<Event>(dir).unwrap();
    assert_eq!((report.first_sequence, report.segments), (2 * per_segment, 3));
    // A reader that was slower than retention keeps its segment, and is told at its end.
    let refused = loop {
        match slow.read(&mut events) {
            Ok(Read::Records(_)) => {}
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(slow.position(), per_segment);
    assert!(matches!(refused, Error::Usage { .. }), "{refused}");
    assert_eq!(read_all(&mut cursor), 4 * per_segment + 20);
}

fn tail(dir: &Path, words: &str) -> Ran {
    let dir = dir.to_str().expect("text").to_owned();
    run(["journal".to_owned(), "tail".to_owned(), dir]
        .into_iter()
        .chain(words.split_whitespace().map(str::to_owned)))
}

fn recorded(scratch: &Path) -> PathBuf {
    let dir = scratch.join("run");
    let words = "replay feeds/sample.itch.gz --strategy maker:symbols=ACME --journal";
    let ran = run(words.split_whitespace().chain([dir.to_str().expect("text")]));
    assert_eq!(ran.code, 0, "{}", ran.all());
    dir
}

#[test]
fn the_command_prints_what_was_asked_for() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = recorded(scratch.path());
    let lines_of = |dir: &Path, words: &str| {
        let ran = tail(dir, words);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let parse = |line| serde_json::from_str(line).expect("JSON");
        ran.stdout.lines().map(parse).collect::<Vec<serde_json::Value>>()
    };
    let lines = |words: &str| lines_of(&dir, words);
    let executions = dir.join("executions");
    let fills = lines("--kind filled --json");
    assert!(fills.len() > 10 && fills.iter().all(|fill| fill["kind"] == "filled"));
    assert!(fills.iter().all(|fill| fill["match_id"].as_u64() > Some(0)), "{}", fills[0]);
    let quote = &lines_of(&executions, "--kind quote --json --limit 1")[0];
    let (bid, ask) = (quote["bid_price"].as_i64(), quote["ask_price"].as_i64());
    assert!(bid > Some(0) && bid < ask && quote["order_id"].is_null(), "{quote}");
    let listed = tail(&executions, "--kind status --limit 1").stdout;
    assert!(listed.contains(" symbol=ACME currency=USD price_increment="), "{listed}");
    for kinds in ["status", "status,snapshot_mark"] {
        let both = tail(&dir, &format!("--kind {kinds}"));
        assert_eq!(both.code, 2, "{}", both.all());
        let advice = format!("{0}/market or {0}/executions", dir.display());
        assert!(both.stderr.contains(&advice), "{}", both.all());
    }
    let nowhere = tail(&dir.join("none"), "--kind filled");
    assert!(nowhere.code == 2 && nowhere.stderr.contains("check the path"), "{}", nowhere.all());
    let adds = lines("--kind add --from 09:30 --json --limit 5");
    assert!(adds.len() == 5 && adds[0]["ts_ns"].as_u64() >= Some(34_200_000_000_000));
    assert!(adds[0]["price"].is_i64() && adds[0]["qty"].is_u64(), "{}", adds[0]);
    assert_eq!(lines("--sequence 1000 --limit 2 --json")[1]["sequence"], 1001);
    assert_eq!(lines("--now --json").len(), 0);
    assert_eq!(lines("--cursor a --limit 10 --json")[9]["sequence"], 9);
    assert_eq!(lines("--cursor a --limit 10 --json")[0]["sequence"], 10);
    assert!(tail(&dir, "--limit 3").stdout.lines().count() == 3);
    assert_eq!(tail(&dir, "--kind nonsense").code, 2);
    let mixed = tail(&dir, "--kind add,filled");
    assert!(mixed.code == 2 && mixed.stderr.contains("`filled` of executions"), "{}", mixed.all());

    let retained =
        run(["journal", "retain", dir.to_str().expect("text"), "--count", "1", "--json"]);
    assert_eq!(retained.code, 0, "{}", retained.all());
    assert_eq!(retained.json()["journals"]["market"][0]["removed"], false);
}

#[test]
fn a_dry_run_of_retention_says_that_nothing_was_removed() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().to_str().expect("text");
    write(scratch.path(), records_per_segment::<Event>(SEGMENT) + 10).close().expect("space");
    let words = ["journal", "retain", dir, "--count", "1", "--json"];
    for (dry, removed) in [(true, false), (false, true)] {
        let ran = run(words.into_iter().chain(dry.then_some("--dry-run")));
        let document = ran.json();
        let oldest = &document["journals"]["journal"][0];
        assert_eq!(document["dry_run"], dry, "{}", ran.all());
        assert_eq!((&oldest["removable"], &oldest["removed"]), (&true.into(), &removed.into()));
        assert_eq!(segment(scratch.path(), 0).exists(), dry);
    }
}

#[test]
fn a_follower_that_is_stopped_saves_its_cursor() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path();
    let mut writer = write(dir, 1_000);
    for (signal, records) in [(Signal::INT, 1_000), (Signal::TERM, 1_500)] {
        let words = ["journal", "tail", dir.to_str().expect("text"), "--follow", "--cursor", "a"];
        let child = start(words);
        std::thread::sleep(Duration::from_millis(500));
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        let ran = end(child);
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        let tailer = Tailer::<Event>::open(dir, &From::Cursor("a".to_owned())).expect("a cursor");
        assert_eq!(tailer.position(), records);
        append(&mut writer, 500);
    }
}

#[test]
fn the_command_follows_a_run_to_its_end() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let words = "replay feeds/sample.itch.gz --rate 400k --strategy maker:symbols=ACME --journal";
    let mut replay = ringtape(words.split_whitespace().chain([dir.to_str().expect("text")]))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let segment = dir.join("market").join(format!("{:020}.tape", 0));
    while !segment.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let followed = tail(&dir.join("market"), "--follow --json");
    assert!(replay.wait().expect("a child").success());
    assert_eq!(followed.code, 0, "{}", followed.stderr);
    let report = verify::<Event>(&dir.join("market")).expect("a whole journal");
    let expected = (0..report.records).map(|sequence| format!("{{\"sequence\":{sequence},"));
    let mut count = 0;
    for (line, start) in followed.stdout.lines().zip(expected) {
        assert!(line.starts_with(&start), "{line}");
        count += 1;
    }
    assert_eq!(count, report.records);
    assert!(fs::read_dir(dir.join("market")).expect("a directory").count() > 0);
}
