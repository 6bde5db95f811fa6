//! Every file in `feeds/bad` does what its row in `feeds/bad/README.md` says, and every file has
//! one.
//!
//! Would catch a fault that panics, passes in silence, or is named wrongly, and a stale README.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ringtape::error::Error;
use ringtape::event::{Event, EventView};
use ringtape::feed::{self, Checks, Feed, OpenOptions};

use crate::feed_common::{drain_to_fault, messages};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/bad")
}

fn open(path: &Path) -> Result<Box<dyn Feed>, Error> {
    feed::open(path, &OpenOptions::default())
}

/// What happens to a file, in the words of the README, and the exit code.
fn verdict(path: &Path) -> (String, u8) {
    let mut feed = match open(path) {
        Ok(feed) => feed,
        Err(error) => return (refusal(path, &error), error.exit_code()),
    };
    let (events, outcome) = drain_to_fault(&mut *feed, 64);
    let checks = feed.checks();
    assert_eq!(messages(&events).count() as u64, checks.messages, "all before a fault arrive");
    match outcome {
        Ok(()) => (findings(checks, &feed.description().assumptions, &events), 0),
        Err(error) => (refusal(path, &error), error.exit_code()),
    }
}

/// An error without the file's name at its start.
fn refusal(path: &Path, error: &Error) -> String {
    let told = error.to_string();
    let without_name = told.strip_prefix(&path.display().to_string()).expect("the file is named");
    without_name.trim_start_matches([':', ',', ' ']).to_owned()
}

fn findings(checks: &Checks, assumptions: &[String], events: &[Event]) -> String {
    let mut text = format!("reads {} messages", checks.messages);
    for (what, found) in
        [("times that go backwards", checks.backwards), ("unknown types", checks.unknown_types)]
    {
        if found.count > 0 {
            let (count, first, last) = (found.count, found.first, found.last);
            write!(text, "; {what}: {count}, messages {first} to {last}").expect("a string");
        }
    }
    if checks.gaps.count > 0 {
        let (count, first) = (checks.gaps.count, checks.gaps.first);
        write!(text, "; missing messages: {count}, before message {first}").expect("a string");
    }
    let unknown = unknown_orders(events);
    if unknown > 0 {
        write!(text, "; unknown orders: {unknown} (the books count them)").expect("a string");
    }
    for assumed in assumptions {
        write!(text, "; {assumed}").expect("a string");
    }
    text
}

/// Messages that change an order which was never added.
fn unknown_orders(events: &[Event]) -> usize {
    let mut added = Vec::new();
    let is_unknown = |event: &&Event| match event.view() {
        EventView::Add(add) => {
            added.push(add.order_id);
            false
        }
        EventView::Execute(execute) => !added.contains(&execute.order_id),
        EventView::Reduce(reduce) => !added.contains(&reduce.order_id),
        EventView::Delete(delete) => !added.contains(&delete.order_id),
        _ => false,
    };
    events.iter().filter(is_unknown).count()
}

#[test]
fn every_bad_file_does_what_its_row_says() {
    let readme = fs::read_to_string(folder().join("README.md")).expect("a README");
    let mut rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    rows.sort();
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !path.ends_with("README.md"))
        .collect();
    files.sort();
    let mut table = String::new();
    for path in &files {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let bytes = fs::metadata(path).expect("a file").len();
        assert!(bytes < 4096, "{name} is small");
        let (says, exit) = verdict(path);
        let row = rows.iter().find(|row| row[0] == format!("`{name}`"));
        let wrong = row.map_or("?", |row| row[2]);
        writeln!(table, "| `{name}` | {bytes} | {wrong} | {says} | {exit} |").expect("a string");
    }
    let written: String = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    assert!(written == table, "the rows should be\n{table}");
}

#[test]
fn a_missing_file_and_a_folder_are_the_operators_mistakes() {
    for (path, told) in [("no/such.itch", "check the path"), ("src", "name a file")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let error = open(&path).err().expect("no feed there");
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_pipe_is_read_like_a_file() {
    let path = Path::new("/dev/null");
    if path.exists() {
        let error = open(path).err().expect("nothing there");
        assert!(error.to_string().contains("empty"), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
}
