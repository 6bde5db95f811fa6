//! What operators get wrong, and what they are told: no run begins, nothing is left behind.
//!
//! Would catch an exit code of a failed run for a mistake in the command, an error without advice,
//! and advice that leads to the next error.

use std::fs;

use crate::common::program::run_line;

const FEED: &str = "feeds/sample.itch.gz";

/// Command, exit code, what is said and what is advised; `@` is a scratch folder with a binary file
/// `bytes`, an empty folder `empty`, a link `link` that leads nowhere, order files and others.
const MISTAKES: &[(&str, u8, &str, &str)] = &[
    ("replay FEED --config @/bytes", 3, "bytes", "the file that was meant"),
    ("replay FEED --strategy maker:symbols=ACME --limits @/bytes.toml", 3, "bytes.toml", "meant"),
    ("replay FEED --config @/clock.toml", 2, "`clock`", "leave it out"),
    ("replay FEED --config @/text.toml", 2, "line 2: invalid type: integer", "write it in quotes"),
    ("replay FEED --config @/list.toml", 2, "line 1: invalid type: string", "write a list"),
    ("replay FEED --journal @/bytes", 2, "bytes is no directory", "name another"),
    ("replay FEED --journal @/link --resume", 2, "link is no directory", "name another"),
    ("replay FEED --journal @/link --dry-run", 2, "link is no directory", "name another"),
    ("replay FEED --report @/link", 2, "link is no directory", "another name"),
    ("replay FEED --audit", 2, "--audit does nothing", "--strategy"),
    ("replay FEED --force", 2, "--force does nothing", "leave it out"),
    ("replay FEED --strategy maker:symbols=ACME --control @/empty", 2, "is a directory", "mkfifo"),
    ("replay FEED --control @/bytes", 2, "--control does nothing", "--strategy"),
    ("replay FEED --strategy maker:symbols=ACME --control @/bytes", 2, "is no command", "`kill`"),
    ("replay FEED --strategy maker:symbols=ACME --control @/one.txt", 2, "account 7", "name an"),
    ("replay FEED --strategy maker --latency order=1us,order=2us", 2, "`order`", "give it once"),
    ("replay FEED --strategy maker --fees maker=1ppm,maker=2ppm", 2, "`maker`", "write it like"),
    ("bench door --runners 0", 2, "nothing measured", "1 or more"),
    ("replay FEED --strategy maker:symbols=ACME --limits posn=10", 2, "`posn`", "position"),
    ("replay FEED --date 2020-01-30,2020-01-31", 2, "2 dates for one feed", "one date for all"),
    ("replay udp://127.0.0.1:27 --strategy maker --sweep size=1..2", 2, "again and", "name a file"),
    ("replay - -", 2, "stdin is there once", "by their files"),
    ("replay @/empty", 2, "empty holds no run", "`replay --journal` made"),
    ("dump @/empty", 2, "empty holds no run", "`replay --journal` made"),
    ("book @/empty", 2, "empty holds no run", "`replay --journal` made"),
    ("journal verify FEED", 2, "sample.itch.gz", "name a directory, not a file"),
    ("doctor --dir FEED", 2, "sample.itch.gz", "name a directory, not a file"),
    ("venue FEED --journal @/venue --listen foo", 2, "`foo`", "127.0.0.1:7001"),
    ("match @/zero.csv", 3, "line 3", "leave the field empty"),
    ("generate -o @/day.itch.zst", 2, "which no .zst is", "`ringtape convert`"),
    ("generate -o @/day.pcap", 2, "which no .pcap is", "`ringtape convert`"),
    ("generate -o @/day.pcap.gz", 2, "which no .pcap is", "`ringtape convert`"),
    (
        "generate --messages 99999999999999 -o @/day.itch",
        2,
        "cannot generate",
        "at most 10000000000",
    ),
    ("bench book FEED", 2, "sample.itch.gz is compressed", "unpack it"),
    ("convert FEED @/day.pcap --session TOOLONGNAMEX", 2, "`TOOLONGNAMEX`", "ten characters"),
];

#[test]
fn each_mistake_has_its_exit_code_and_advice_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("empty")).expect("a folder");
    for name in ["bytes", "bytes.toml"] {
        fs::write(at(name), [0xff_u8, 0xfe, 0, 1]).expect("a file");
    }
    fs::write(at("clock.toml"), "clock = \"utc\"\n").expect("a file");
    fs::write(at("text.toml"), "symbols = [\"ACME\"]\nmark-max-spread = 5\n").expect("a file");
    fs::write(at("list.toml"), "symbols = \"ACME\"\n").expect("a file");
    fs::write(at("one.txt"), "limits position=5 account=7\n").expect("a file");
    std::os::unix::fs::symlink("nowhere", at("link")).expect("a link");
    let orders = "action,order_id,account,symbol,side,price,qty\n\
                  new,1,1,A,buy,1.00,10\n\
                  replace,1,,,,,0\n";
    fs::write(at("zero.csv"), orders).expect("a file");
    let names = || {
        let entries = fs::read_dir(scratch.path()).expect("the folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort_unstable();
        names
    };
    let before = names();
    for (line, code, what, advice) in MISTAKES {
        let line = line.replace("FEED", FEED).replace('@', &scratch.path().display().to_string());
        let ran = run_line(&line);
        assert_eq!(ran.code, i32::from(*code), "{line}\n{}", ran.all());
        assert!(ran.stderr.contains(what) && ran.stderr.contains(advice), "{line}\n{}", ran.stderr);
        assert_eq!(names(), before, "{line}");
    }
}

#[test]
fn feeds_with_and_without_a_date_are_one_feed_once_the_date_is_told() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dated = scratch.path().join("levels.csv").display().to_string();
    let rows = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
                x,XUSDT,1580392800000000,1580392800000100,true,bid,10.5,1\n";
    fs::write(&dated, rows).expect("a feed");
    let plain = "feeds/bad/unknown-orders.itch";
    let alone = |feed: &str| run_line(&format!("info {feed} --json")).json()["messages"].as_u64();
    let both = alone(plain).zip(alone(&dated)).map(|(one, other)| one + other);
    for date in ["2020-01-30", "2020-01-30,"] {
        let ran = run_line(&format!("info {plain} {dated} --date {date} --json"));
        assert_eq!((ran.code, ran.json()["messages"].as_u64()), (0, both), "{}", ran.all());
    }
    for (feeds, date, advice) in [
        (format!("{plain} {dated}"), "", "give --date"),
        (format!("{plain} {dated}"), "--date 2020-01-30,2020-01-30", "its place empty"),
        (format!("{dated} {dated}"), "--date 2020-01-30", "leave --date out"),
    ] {
        let ran = run_line(&format!("info {feeds} {date}"));
        assert!(ran.code == 2 && ran.stderr.contains(advice), "{}", ran.all());
    }
}
