//! Several feeds as one: two venues, two days, a day in parts.
//!
//! Would catch an order that depends on batches, orders of two venues that meet under one reference,
//! a symbol of one venue that hides another's, a book of yesterday that goes on today, a journal or a
//! resumed run that differs, and marks and findings that do not say which feed they are of.

use std::fs;
use std::path::Path;

use ringtape::book::Replica;
use ringtape::engine::MARKET_DIR;
use ringtape::event::{Event, EventView, payload};
use ringtape::feed::lobster::LobsterFeed;
use ringtape::feed::{Feed, Merged, OpenOptions};
use ringtape::journal::{Read, Reader};
use serde_json::Value;

use crate::common::program::run;
use crate::common::runs::cut_market;
use crate::feed_common::{drain, drain_to_fault};

/// Rows of a LOBSTER file: times in ms since midnight, each a new order of its own number.
fn feed(name: &str, times_ms: &[u64], options: &OpenOptions) -> Box<dyn Feed> {
    let row = |(n, ms): (usize, &u64)| {
        format!("{}.{:03},1,{},10,5000000,1\n", ms / 1_000, ms % 1_000, n + 1)
    };
    let rows: String = times_ms.iter().enumerate().map(row).collect();
    Box::new(LobsterFeed::from_bytes(name, rows, options).expect("rows"))
}

fn merged(feeds: Vec<Box<dyn Feed>>) -> Merged {
    Merged::new(feeds).expect("feeds whose times compare")
}

fn adds(events: &[Event]) -> Vec<(u64, u32)> {
    let add = |event: &&Event| matches!(event.view(), EventView::Add(_));
    events.iter().filter(add).map(|event| (event.ts_event / 1_000_000, event.instrument)).collect()
}

#[test]
fn messages_come_by_time_and_the_first_feed_first_where_times_are_equal() {
    let undated = OpenOptions::default();
    let feeds = || {
        vec![feed("B_x.csv", &[2, 3, 3, 7], &undated), feed("A_x.csv", &[1, 3, 5, 4, 8], &undated)]
    };
    let events = drain(&mut merged(feeds()));
    // The second feed goes back in time: its message waits for no other.
    let expected = [(1, 1), (2, 2), (3, 2), (3, 2), (3, 1), (5, 1), (4, 1), (7, 2), (8, 1)];
    assert_eq!(adds(&events), expected);
    for batch in [8, 9, 31] {
        assert_eq!(drain_to_fault(&mut merged(feeds()), batch).0, events, "{batch}");
    }
    let mut replica = Replica::new();
    events.iter().for_each(|event| _ = replica.apply(event));
    assert_eq!(replica.totals().live_orders, 9, "equal references of two feeds are two orders");
    assert_eq!(replica.counts().duplicate_adds.count, 0);
    let mut feed = merged(feeds());
    drain(&mut feed);
    assert_eq!((feed.checks().messages, feed.checks().backwards.count), (9, 1));
    let [first, second] = &feed.checks().sources[..] else { panic!("two feeds") };
    assert_eq!((first.checks.messages, first.checks.backwards.count), (4, 0));
    assert_eq!(second.description.origin, "A_x.csv");
    let row_bytes = "0.001,1,1,10,5000000,1\n".len() as u64;
    let backwards = second.checks.backwards;
    assert_eq!((backwards.first, backwards.first_byte), (3, Some(3 * row_bytes)));
    let told = feed.description().assumptions.join("\n");
    assert!(told.contains("feed 2 is A_x.csv: 5 messages of lobster, 0 missing, 1 backwards"));
}

#[test]
fn a_symbol_goes_on_the_next_day_with_an_empty_book() {
    let on = |date: &str| OpenOptions::on(date.parse().expect("a date"));
    let days = vec![
        feed("A_x.csv", &[1, 2], &on("2024-08-07")),
        feed("A_x.csv", &[1, 2, 3], &on("2024-08-08")),
    ];
    let events = drain(&mut merged(days));
    let mut replica = Replica::new();
    events.iter().for_each(|event| _ = replica.apply(event));
    assert_eq!((replica.totals().instruments, replica.totals().live_orders), (1, 3));

    // At the same time they are two.
    let undated = OpenOptions::default();
    let both = vec![feed("A_x.csv", &[1, 9], &undated), feed("A_y.csv", &[1, 2], &undated)];
    let mut feed = merged(both);
    let mut replica = Replica::new();
    drain(&mut feed).iter().for_each(|event| _ = replica.apply(event));
    let symbols: Vec<_> =
        replica.instruments().iter().map(|(_, one)| one.symbol.as_str().to_owned()).collect();
    assert_eq!(symbols, ["A", "A.2"]);
}

#[test]
fn times_that_do_not_compare_are_refused() {
    let dated = OpenOptions::on("2024-08-07".parse().expect("a date"));
    let feeds = vec![feed("A_x.csv", &[1], &dated), feed("B_x.csv", &[1], &OpenOptions::default())];
    let refused = Merged::new(feeds).expect_err("refused").to_string();
    assert!(refused.contains("give --date"), "{refused}");
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn replay(arguments: &[&str]) -> Value {
    let ran = run(["replay", "--json"].iter().chain(arguments));
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

#[test]
fn several_files_are_one_feed_for_the_program_and_its_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let one = write(folder, "AB_x.csv", "1.5,1,7,10,5000000,1\n3.5,3,7,10,5000000,1\n");
    let two = write(folder, "CD_x.csv", "2.5,1,7,10,5000000,-1\n");
    let dir = folder.join("run").display().to_string();
    let first = replay(&[&one, &two, "--journal", &dir]);
    assert_eq!(
        (&first["feed"]["messages"], &first["books"]["instruments"]),
        (&3.into(), &2.into())
    );
    assert_eq!(first["books"]["live_orders"], 1);
    assert_eq!(replay(&[&dir])["hashes"], first["hashes"]);
    assert_eq!(replay(&[&one, &two])["hashes"], first["hashes"]);
    let resumed = replay(&[&one, &two, "--journal", &dir, "--resume"]);
    assert_eq!(resumed["hashes"], first["hashes"]);
    let other = run(["replay", &two, &one, "--journal", &dir, "--resume"]);
    assert_eq!(other.code, 2, "another order is another feed\n{}", other.all());

    let book = run(["book", &one, &two, "--symbol", "CD", "--csv"]);
    assert!(book.stdout.ends_with("2500000000,0,0,5000000,10,1,0,1\n"), "{}", book.all());
    assert_eq!(run(["dump", &one, &two]).stdout.lines().count(), 5);
    let refused = run(["replay", &one, &dir]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    let dates = run(["replay", &one, &two, "--date", "2024-08-07,2024-08-08,2024-08-09"]);
    assert_eq!(dates.code, 2, "{}", dates.all());
    assert_eq!(replay(&[&one, &two, "--date", "2024-08-07,2024-08-08"])["feed"]["messages"], 3);
}

#[test]
fn times_of_two_days_are_shown_in_the_clock_of_the_feeds() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let one = write(folder, "AB_1.csv", "34200.5,1,7,10,5000000,1\n36000.5,3,7,10,5000000,1\n");
    let two = write(folder, "AB_2.csv", "43200.5,1,8,10,5000000,1\n");
    let days = [&one, &two, "--date", "2024-08-07,2024-08-08"];
    let dir = folder.join("run").display().to_string();
    let report = run(["replay"].iter().chain(&days).chain(&["--journal", &dir]));
    let span = "2024-08-07 09:30:00.500000000 to 2024-08-08 12:00:00.500000000";
    let with_zone = format!("{span} US Eastern");
    assert!(report.stderr.contains(&with_zone), "{}", report.all());
    let told = |arguments: &[&str]| run(arguments).stdout;
    assert!(told(&[&["info"], &days[..]].concat()).contains(&with_zone));
    let journal = told(&["info", &dir]);
    assert!(journal.contains(&with_zone), "{journal}");
    assert!(journal.contains(&format!("events of {span}")), "{journal}");
    let first = " 09:30:00.500000000 ";
    assert!(told(&["journal", "tail", &dir, "--kind", "add"]).contains(first));
    for feed in [&days[..], &[&dir]] {
        let dump = told(&[&["dump"], feed, &["--kind", "add"]].concat());
        assert!(dump.lines().next().is_some_and(|line| line.contains(first)), "{dump}");
        let from = told(&[&["dump"], feed, &["--from", "10:00"]].concat());
        let line = from.lines().next();
        assert!(line.is_some_and(|line| line.contains(" 10:00:00.500000000 ")), "{from}");
        let book = told(&[&["book"], feed, &["--at", "10:00"]].concat());
        assert!(book.contains("at 09:30:00.500000000 US Eastern"), "{book}");
    }
}

#[test]
fn of_a_part_of_several_feeds_bytes_are_told_by_nobody_who_does_not_know_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let one = write(folder, "AB_1.csv", "34200.5,1,7,10,5000000,1\n36000.5,3,7,10,5000000,1\n");
    let two = write(folder, "CD_2.csv", "34200.6,1,8,10,5000000,1\n36001.5,3,8,10,5000000,1\n");
    for (flags, messages, is_known) in
        [(&[][..], 4, true), (&["--from", "10:00"], 2, false), (&["--until", "10:00"], 2, false)]
    {
        let info = run([&["info", &one, &two, "--json"], flags].concat()).json();
        assert_eq!((&info["messages"], info["bytes"].is_u64()), (&messages.into(), is_known));
        assert_eq!(info["by_type"].as_object().map(|types| !types.is_empty()), Some(is_known));
        assert!(run([&["info", &one, &two], flags].concat()).code == 0);
    }
}

#[test]
fn day_orders_expire_between_two_files_of_two_days_and_a_journal_repeats_that() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    // A book of one bid and one offer in the morning; at noon something far away comes and goes.
    let rows = |bid: u32, offer: u32| {
        let touch = format!("36000.5,1,1,900,{bid},1\n36000.6,1,2,900,{offer},-1\n");
        touch + "43200.5,1,3,10,4000000,1\n43200.6,3,3,10,4000000,1\n"
    };
    let one = write(folder, "AB_1.csv", &rows(5_000_000, 5_010_000));
    let two = write(folder, "AB_2.csv", &rows(5_000_000, 5_010_000));
    let dir = folder.join("run").display().to_string();
    let days = [&one, &two, "--date", "2024-08-07,2024-08-08", "--strategy", "maker:symbols=AB"];
    let live = replay(&[&days[..], &["--journal", &dir]].concat());
    let executions = folder.join("run/executions").display().to_string();
    let tail = run(["journal", "tail", &executions, "--json"]);
    let told: Vec<(String, u64)> = tail
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a document a line"))
        .filter(|row| ["accepted", "expired"].map(Value::from).contains(&row["kind"]))
        .map(|row| {
            // Hours since midnight of the first day in New York.
            let hour = row["ts_ns"].as_u64().unwrap_or(0) / 3_600_000_000_000 - 478_612;
            (row["kind"].as_str().unwrap_or_default().to_owned(), hour)
        })
        .collect();
    let (accepted, expired) = ("accepted", "expired");
    // The second order of a day is on its way until noon. Those of the first day expire as the
    // second begins, those of the second at its end.
    let first = [(accepted, 10), (accepted, 12), (expired, 34), (expired, 34)];
    let second = [(accepted, 34), (accepted, 36), (expired, 36), (expired, 36)];
    let expected = [first, second].concat();
    let expected: Vec<_> = expected.iter().map(|row| (row.0.to_owned(), row.1)).collect();
    assert_eq!(told, expected, "{}", tail.all());
    assert_eq!(replay(&[&dir])["state_hash"], live["state_hash"]);
    assert_eq!(replay(&days)["state_hash"], live["state_hash"]);
}

/// The records of a run's market journal.
fn journaled(dir: &str) -> Vec<Event> {
    let mut reader = Reader::<Event>::open(&Path::new(dir).join(MARKET_DIR)).expect("a journal");
    let mut events = vec![Event::default(); 100_000];
    let mut count = 0;
    while let Read::Records(more) = reader.read(&mut events[count..]).expect("whole records") {
        count += more;
    }
    events.truncate(count);
    events
}

/// Rows of a LOBSTER file at these tenths of a second: orders that come and stay.
fn rows(tenths: impl IntoIterator<Item = u32>) -> String {
    let row = |(n, tenth): (u32, u32)| {
        format!("{:05}.{},1,{:05},10,5000000,1\n", 36_000 + tenth / 10, tenth % 10, n + 1)
    };
    (0..).zip(tenths).map(row).collect()
}

#[test]
fn marks_in_a_journal_say_which_feed_they_are_of_and_where_each_is() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let one = write(folder, "AB_x.csv", &rows((0..2_000).map(|n| 2 * n)));
    let two = write(folder, "CD_x.csv", &rows((0..1_000).map(|n| 2 * n + 1)));
    let identities = [&one, &two].map(|path| {
        let feed = ringtape::feed::open(path.as_ref(), &OpenOptions::default()).expect("rows");
        feed.description().identity
    });
    let dir = folder.join("run").display().to_string();
    let ran = replay(&[&one, &two, "--journal", &dir]);
    let all = u64::from_str_radix(ran["feed"]["identity"].as_str().expect("a hash"), 16);

    let (mut delivered, mut groups) = ([0_u64; 2], 0);
    let mut group: Vec<payload::FeedMark> = Vec::new();
    for event in journaled(&dir) {
        if let EventView::FeedMark(mark) = event.view() {
            assert_eq!(event.source(), None, "the engine's own");
            group.push(*mark);
            if mark.source == 0 {
                let sources: Vec<_> = group.iter().map(|mark| mark.source).collect();
                assert_eq!(sources, [1, 2, 0], "a mark of each, then that of both");
                let messages: Vec<_> = group.iter().map(|mark| mark.message).collect();
                assert_eq!(messages, [delivered[0], delivered[1], delivered[0] + delivered[1]]);
                let of_feeds: Vec<_> = group[..2].iter().map(|mark| mark.identity).collect();
                assert_eq!(of_feeds, identities);
                assert_eq!(Ok(mark.identity), all);
                assert_eq!(mark.byte_offset, group[0].byte_offset + group[1].byte_offset);
                group.clear();
                groups += 1;
            }
        } else if !event.is_continued() {
            delivered[event.source().expect("a feed's") as usize - 1] += 1;
        }
    }
    assert_eq!(delivered, [2_000, 1_000]);
    assert!(groups > 4, "{groups} groups of marks");
    // A run that ends early has them too.
    let until = folder.join("until").display().to_string();
    replay(&[&one, &two, "--until", "10:01:00", "--journal", &until]);
    let marks = journaled(&until).into_iter().rev().filter_map(|event| match event.view() {
        EventView::FeedMark(mark) => Some((mark.source, mark.message)),
        _ => None,
    });
    assert_eq!(marks.take(3).collect::<Vec<_>>(), [(0, 600), (2, 300), (1, 300)]);
    // The same as the program tells it, one object a line.
    let tail = run(["journal", "tail", &dir, "--kind", "feed_mark", "--json"]);
    let last = tail.stdout.lines().rev().take(3);
    let marks: Vec<Value> = last.map(|line| line.parse().expect("a document a line")).collect();
    let number = |mark: &Value, field: &str| mark[field].as_u64().expect("a number");
    let told: Vec<_> =
        marks.iter().map(|mark| (number(mark, "source"), number(mark, "message"))).collect();
    assert_eq!(told, [(0, 3_000), (2, 1_000), (1, 2_000)], "{}", tail.all());
}

#[test]
fn a_feed_that_differs_from_the_recorded_one_is_named_though_the_sums_of_both_are_equal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let one = write(folder, "AB_x.csv", &rows(0..3_000));
    let two = write(folder, "CD_x.csv", &rows(0..3_000));
    let dir = folder.join("run").display().to_string();
    replay(&[&one, &two, "--journal", &dir]);
    // The same beginning, of which an identity is made; then the second feed comes first.
    write(folder, "AB_x.csv", &rows((0..2_500).chain(5_000..5_500)));
    cut_market(Path::new(&dir), 5_800);
    let refused = run(["replay", &one, &two, "--journal", &dir, "--resume"]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    let named = format!("feed 1, `{one}`, differs before its message");
    assert!(refused.stderr.contains(&named), "{}", refused.stderr);
}

/// A LOBSTER pair: orders of 5 that come at seconds after ten to one bid, and the size that the
/// venue says the bid has then; the path of its messages.
fn pair(folder: &Path, symbol: &str, steps: &[(&str, u32)]) -> String {
    let row =
        |(order, (second, _)): (u32, &(&str, u32))| format!("360{second},1,{order},5,5000000,1\n");
    let rows: String = (1..).zip(steps).map(row).collect();
    let book = |(_, size): &(&str, u32)| format!("9999999999,0,5000000,{size}\n");
    let books: String = steps.iter().map(book).collect();
    write(folder, &format!("{symbol}_x_orderbook_1.csv"), &books);
    write(folder, &format!("{symbol}_x_message_1.csv"), &rows)
}

#[test]
fn a_step_that_one_of_two_books_does_not_make_is_told_with_its_file() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    // The last step of the first file, and after an earlier one the second of the second, are wrong.
    let one = pair(folder, "AA", &[("00.0", 5), ("01.0", 10), ("05.0", 77)]);
    let two = pair(folder, "BB", &[("00.5", 5), ("02.0", 99), ("03.0", 104), ("04.0", 109)]);
    let right = pair(folder, "CC", &[("00.7", 5), ("02.5", 10), ("06.0", 15)]);
    let whole = run(["replay", &right, "--strict", "--json"]);
    assert_eq!(whole.code, 0, "{}", whole.all());

    let dir = folder.join("run").display().to_string();
    let ran = run(["replay", &one, &two, &right, "--strict", "--json", "--journal", &dir]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let feed = &ran.json()["feed"];
    let again = run(["replay", &dir, "--strict", "--json"]);
    assert_eq!(again.code, 1, "{}", again.all());
    let mut recorded = feed["faults"]["states_differ"].clone();
    (recorded["first_source"], recorded["last_source"]) = ("feed 2".into(), "feed 1".into());
    assert_eq!(again.json()["feed"]["faults"]["states_differ"], recorded, "of the journal");
    assert_eq!(again.json()["feed"]["venue_books"], feed["venue_books"]);
    assert_eq!(feed["venue_books"], serde_json::json!({ "compared": 7, "differ": 2 }));
    let fault = &feed["faults"]["states_differ"];
    let row_bytes = "36000.5,1,1,5,5000000,1\n".len();
    assert_eq!(
        (&fault["count"], &fault["first"], &fault["last"]),
        (&2.into(), &1.into(), &2.into())
    );
    assert_eq!(
        (&fault["first_source"], &fault["last_source"]),
        (&two.as_str().into(), &one.as_str().into())
    );
    assert_eq!(
        (&fault["first_byte"], &fault["last_byte"]),
        (&row_bytes.into(), &(2 * row_bytes).into())
    );
    assert_eq!(feed["sources"][1]["states_differ"]["count"], 1);
    assert_eq!(feed["sources"][2]["states_differ"]["count"], 0);
    assert_eq!(feed["sources"][0]["states_differ"]["first_source"], Value::Null);
    let told = run(["replay", &one, &two, &right]).stderr;
    let first = format!("first at message 1 of {two} (byte {row_bytes}), 10:00:02");
    assert!(told.contains(&first), "{told}");
    assert!(told.contains(&format!("last at message 2 of {one} ")), "{told}");
}
