//! Every file in `feeds/bad` does what its row in `feeds/bad/README.md` says, and every file has
//! one; bad journals and files of `--instruments` do what is said here.
//!
//! Would catch a fault that panics, passes in silence, or is named wrongly, and a stale README.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ringtape::error::Error;
use ringtape::event::{Event, EventView};
use ringtape::feed::{self, Checks, Feed, OpenOptions};

#[cfg(feature = "cli")]
use crate::common::program::run;
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
    assert!(files.len() >= 30, "{} files", files.len());
}

#[test]
#[cfg(feature = "cli")]
fn the_program_says_of_every_bad_file_what_its_row_says_and_exits_so() {
    let readme = fs::read_to_string(folder().join("README.md")).expect("a README");
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let row: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let path = folder().join(row[0].trim_matches('`')).display().to_string();
        let ran = run(["info", &path]);
        assert_eq!(ran.code.to_string(), row[4], "{}: {}", row[0], ran.all());
        let told = ran.stderr.strip_prefix(&format!("ringtape: {path}")).unwrap_or_default();
        let told = told.trim_start_matches([':', ',', ' ']).trim_end();
        assert!(ran.code == 0 || told == row[3], "{}: {}", row[0], ran.all());
    }
}

#[test]
#[cfg(feature = "cli")]
fn a_bad_journal_is_refused_with_what_to_do() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let (run_file, market) = (dir.join("run.toml"), dir.join("market"));
    let tape = market.join(format!("{:020}.tape", 0));
    let dir = dir.display().to_string();
    let feed = folder().join("backwards-time.itch").display().to_string();
    let overwrite = |at: u64, bytes: &[u8]| {
        let file = fs::OpenOptions::new().write(true).open(&tape).expect("a segment");
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).expect("space");
    };
    let cases: [(&dyn Fn(), String, i32); 6] = [
        (
            &|| fs::remove_file(&run_file).expect("there was one"),
            format!(
                "{dir} holds no run: name a feed's file, or the directory that `replay --journal` made"
            ),
            2,
        ),
        (
            &|| fs::write(&run_file, "strategi = \"maker\"\n").expect("space"),
            format!("{dir}/run.toml, line 1: unknown key `strategi`: did you mean `strategy`?"),
            2,
        ),
        (
            &|| overwrite(0, b"garbage"),
            format!(
                "{}, byte 0: this is no journal segment: remove it, or restore a copy",
                tape.display()
            ),
            3,
        ),
        (
            &|| overwrite(4_400, b"?"),
            format!(
                "{}, byte 4352: sequences 3..4 (bytes 4352..4416) are damaged, what follows is \
                 not: restore the segment from a copy, or see `ringtape journal repair`; what is \
                 before can be read",
                tape.display()
            ),
            3,
        ),
        (
            &|| fs::write(&tape, [0; 1_000]).expect("space"),
            format!(
                "{}, byte 1000: the segment has only 1000 bytes, less than its header: restore it \
                 from a copy",
                tape.display()
            ),
            3,
        ),
        (
            &|| fs::remove_file(&tape).expect("there was one"),
            format!(
                "`{dir}/market` holds no journal: name the directory that holds the `.tape` files"
            ),
            2,
        ),
    ];
    for (spoil, told, exit) in cases {
        let _ = fs::remove_dir_all(&dir);
        assert_eq!(run(["replay", &feed, "--journal", &dir]).code, 0);
        spoil();
        let ran = run(["replay", &dir]);
        assert_eq!(ran.code, exit, "{told}: {}", ran.all());
        assert!(ran.stderr.ends_with(&format!("ringtape: {told}\n")), "{told}: {}", ran.all());
    }
}

#[test]
#[cfg(feature = "cli")]
fn a_bad_file_of_instruments_is_refused_with_its_line_and_what_to_do() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let own = scratch.path().join("own.toml").display().to_string();
    let feed = folder().join("backwards-time.itch").display().to_string();
    let amounts = "prices are decimals in quotes above 0, quantities whole numbers above 0";
    let table = "write a table for each symbol, such as `[ACME]` with `lot = 10`";
    let hours = "write open = \"09:30\" and close = \"16:00\", and zone = \"eastern\" or \"utc\" \
                 where that is not the feed's own clock";
    for (text, what, cure) in [
        ("lot = 0", "`lot` of [ACME]: it is 0", amounts),
        ("tik = 1", "unknown key `tik`", "did you mean `ticks`?"),
        (
            "lot = \"ten\"",
            "invalid type: string \"ten\", expected a whole number of at least 0",
            "write such a number, without quotes",
        ),
        ("lot =", "string values must be quoted, expected literal string", table),
        ("collar = \"-1\"", "`collar` of [ACME]: `-1` is no price", amounts),
        (
            "ticks = { \"1\" = \"0.01\" }",
            "`ticks` of [ACME]: the first band does not begin at 0",
            amounts,
        ),
        ("open = \"09:30\"", "`open` of [ACME]: there is no `close`", hours),
        (
            "zone = \"CET\"\nopen = \"09:30\"\nclose = \"16:00\"",
            "`zone` of [ACME]: `CET` is no clock",
            hours,
        ),
        (
            "price-increment = \"0.01\"",
            "`price-increment` of [ACME]: a recorded feed's prices are in its own",
            "leave it out; it is for order files",
        ),
    ] {
        fs::write(&own, format!("[ACME]\n{text}\n")).expect("space");
        let ran = run(["replay", &feed, "--instruments", &own]);
        assert_eq!(ran.code, 2, "{text}: {}", ran.all());
        let told = format!("{own}, line 2: {what}: {cure}\n");
        assert!(ran.stderr.contains(&told), "{told}: {}", ran.all());
    }
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
