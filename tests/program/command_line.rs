//! The command line is a contract: flags, streams, exit codes, refusals.
//!
//! Would catch a script that breaks: another exit code, text on the wrong stream, a file that is
//! overwritten, a panic where an error is due.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::program::{ringtape, run, run_line};

const SAMPLE: &str = "feeds/sample.itch.gz";

#[test]
fn every_bad_feed_has_its_exit_code_and_sentence() {
    let table = fs::read_to_string("feeds/bad/README.md").expect("the table");
    let mut files = 0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, _, _, told, code] = cells[..] else { panic!("{row}") };
        let path = format!("feeds/bad/{}", name.trim_matches('`'));
        let ran = run(["replay", &path]);
        assert_eq!(ran.code.to_string(), code.trim_end_matches(" |"), "{path}\n{}", ran.all());
        if ran.code != 0 {
            assert!(ran.stderr.contains(told), "{path} should say: {told}\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked"), "{path}\n{}", ran.stderr);
        files += 1;
    }
    assert!(files >= 6, "{files} bad feeds");
}

#[test]
fn data_faults_are_warnings_unless_strict() {
    for name in ["unknown-orders", "backwards-time", "unknown-type"] {
        let path = format!("feeds/bad/{name}.itch");
        let lenient = run(["replay", &path]);
        assert_eq!(lenient.code, 0);
        assert!(lenient.stderr.contains("\nwarnings\n"), "{}", lenient.stderr);
        assert_eq!(run(["replay", &path, "--strict"]).code, 1, "{name}");
    }
}

#[test]
fn usage_mistakes_exit_with_2_and_name_the_cure() {
    for (line, cure) in [
        ("replay nowhere.itch", "check the path"),
        ("replay feeds/sample.itch.gz --wait spni", "auto, spin, pause, yield or park"),
        ("replay feeds/sample.itch.gz --strategy makr", "did you mean `maker`?"),
        ("replay feeds/sample.itch.gz --cores 4000", "choose from"),
        ("replay feeds/sample.itch.gz --runners 0", "ask for 1 or more"),
        ("replay feeds/sample.itch.gz --gate journaled", "name a journal directory"),
        ("replay feeds/sample.itch.gz --speed fast", "10x"),
        ("replay feeds/sample.itch.gz --expect-hash xyz", "16 hex digits"),
        ("replay feeds/sample.itch.gz --expect-hash 6364", "16 hex digits"),
        ("replay feeds/sample.itch.gz --date=", "'--date <DATE>'"),
        ("dump feeds/sample.itch.gz --date=", "'--date <DATE>'"),
        ("replay feeds/sample.itch.gz --strategy maker --limits=", "'--limits <LIMITS|FILE.toml>'"),
        ("replay feeds/sample.itch.gz --latency order=5us", "--strategy"),
        ("replay feeds/sample.itch.gz --strategy maker --latency 5", "order=50us"),
        ("replay feeds/sample.itch.gz --strategy maker --fills nice", "default or conservative"),
        ("replay feeds/sample.itch.gz --date 2023-02-29", "YYYY-MM-DD"),
        ("book feeds/sample.itch.gz", "--symbol"),
        ("book feeds/sample.itch.gz --csv", "--symbol"),
        ("book feeds/sample.itch.gz --symbol NOPE", "ringtape info"),
        ("book feeds/sample.itch.gz --symbol NOPE --csv", "ringtape info"),
        ("replay feeds/sample.itch.gz --cores 3-1", "0-3"),
        ("replay feeds/sample.itch.gz --date 9999-01-01", "YYYY-MM-DD"),
        ("dump feeds/sample.itch.gz --kind ad", "add"),
        ("dump feeds/sample.itch.gz --from 25:00", "HH:MM"),
        ("generate --messages 10 -o -", "at least"),
    ] {
        let ran = run_line(line);
        assert_eq!(ran.code, 2, "{line}\n{}", ran.all());
        assert!(ran.stderr.contains(cure), "{line} should name `{cure}`\n{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{line} printed data\n{}", ran.stdout);
    }
}

#[test]
fn a_maker_without_symbols_is_refused_where_the_feed_has_several() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let [dir, fills] = ["run", "fills.csv"].map(|name| scratch.path().join(name));
    let [journal, table] = [&dir, &fills].map(|path| path.to_str().expect("letters"));
    let words = ["replay", SAMPLE, "--json", "--journal", journal, "--fills-out", table];
    let ran = run(words.into_iter().chain(["--strategy", "maker"]));
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.stderr.contains("symbols="), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert!(!dir.exists() && !fills.exists(), "a refused run left something");
    let ran = run(words.into_iter().chain(["--strategy", "maker:symbols=ACME"]));
    assert_eq!(ran.code, 0, "{}", ran.all());
    // Another run's journal is no part of the refusal.
    let ran = run(["replay", SAMPLE, "--strategy", "maker", "--journal", journal]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(dir.join("market").is_dir(), "a refused run removed the journal of another");
}

#[test]
fn the_expected_hash_decides_the_exit_code() {
    let hash = run(["replay", SAMPLE, "--json"]).json()["state_hash"].clone();
    let hash = hash.as_str().expect("a hash");
    assert_eq!(run(["replay", SAMPLE, "--expect-hash", hash]).code, 0);
    let other = run(["replay", SAMPLE, "--expect-hash", "0123456789abcdef"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains(hash), "{}", other.stderr);
}

#[test]
fn text_goes_to_stderr_and_data_to_stdout() {
    let human = run(["replay", SAMPLE]);
    assert!(human.stdout.is_empty() && human.stderr.contains("\nstate hash "));
    let last = human.stderr.lines().last().expect("a report");
    assert!(last.starts_with("state hash "), "the report ends with it: {last}");
    assert!(human.stderr.contains("saturated: not latency"));
    let json = run(["replay", SAMPLE, "--json"]);
    assert!(json.stderr.is_empty(), "{}", json.stderr);
    let document = json.json();
    for field in [
        "schema",
        "feed",
        "books",
        "hashes",
        "state_hash",
        "throughput",
        "latency_ns",
        "hiccup_ns",
        "journal",
        "orders",
        "fills",
        "portfolio",
        "plan",
        "warnings",
    ] {
        assert!(document.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(document["latency_ns"]["basis"], "saturated");
    let throughput = &document["throughput"];
    let [rate, flow, wall] = ["messages_per_s", "flow_s", "wall_s"]
        .map(|name| throughput[name].as_f64().expect("a number"));
    assert!(flow > 0.0 && flow <= wall, "{throughput}");
    assert!((rate * flow / 400_000.0 - 1.0).abs() < 0.01, "{throughput}");
    assert!(!human.stderr.contains('\x1b'), "no colours or progress where stderr is no terminal");
}

#[test]
fn a_paced_replay_measures_from_intended_time() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let feed = scratch.path().join("short.itch").display().to_string();
    let line = format!("generate --messages 6000 --symbols 2 --live 200 --seed 3 -o {feed}");
    assert_eq!(run_line(&line).code, 0);
    let started = Instant::now();
    let document = run(["replay", &feed, "--rate", "20k", "--json"]).json();
    assert!(started.elapsed() >= Duration::from_millis(280), "6,000 messages at 20,000 a second");
    assert_eq!(document["latency_ns"]["basis"], "intended");
    assert_eq!(document["state_hash"], run(["replay", &feed, "--json"]).json()["state_hash"]);
}

#[test]
fn an_existing_file_or_run_is_not_overwritten() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let file = scratch.path().join("day.itch").display().to_string();
    let line = format!("generate --messages 5000 --symbols 2 --live 100 --seed 3 -o {file}");
    assert_eq!(run_line(&line).code, 0);
    let before = fs::read(&file).expect("written");
    let refused = run_line(&line);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(run_line(&format!("{line} --force")).code, 0);
    assert_eq!(fs::read(&file).expect("written"), before, "the same seed gives the same bytes");

    let dir = scratch.path().join("run").display().to_string();
    assert_eq!(run(["replay", &file, "--journal", &dir]).code, 0);
    let refused = run(["replay", &file, "--journal", &dir]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert_eq!(run(["journal", "verify", &dir]).code, 0, "the refusal left the journal as it was");
}

#[test]
fn a_damaged_journal_is_refused_with_3() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let name = dir.display().to_string();
    assert_eq!(run(["replay", SAMPLE, "--journal", &name]).code, 0);
    let segment = first_segment(&dir.join("market"));
    let mut bytes = fs::read(&segment).expect("a segment");
    bytes[100_000] ^= 1;
    fs::write(&segment, bytes).expect("written");
    for arguments in [vec!["journal", "verify", &name], vec!["replay", &name]] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 3, "{arguments:?}\n{}", ran.all());
        assert!(ran.stderr.contains(".tape"), "{}", ran.stderr);
    }
    let document = run(["journal", "verify", &name, "--json"]).json();
    let journals = &document["journals"];
    assert!(journals["market"]["damage"].is_string(), "{document}");
    assert_eq!(journals["executions"]["sealed"], true, "the other one is checked all the same");
}

#[test]
fn a_fault_in_mid_feed_ends_the_run_with_its_report_and_a_whole_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let line = format!("generate --messages 6000 --symbols 2 --live 200 -o {}", path("day.itch"));
    assert_eq!(run_line(&line).code, 0);
    let mut bytes = fs::read(path("day.itch")).expect("written");
    bytes.truncate(bytes.len() * 2 / 3 - 1);
    fs::write(path("cut.itch"), bytes).expect("written");

    let ran = run(["replay", &path("cut.itch"), "--json", "--journal", &path("run")]);
    assert_eq!(ran.code, 3, "{}", ran.all());
    let document = ran.json();
    assert!(document["error"].as_str().is_some_and(|error| error.contains("cut.itch")));
    assert!(document["feed"]["messages"].as_u64() > Some(3_000), "all before the fault");
    assert_eq!(document["journal"]["verified"], true);
    let human = run(["replay", &path("cut.itch")]);
    assert!(human.code == 3 && human.stderr.contains("\nstate hash "), "{}", human.all());

    let again = run(["replay", &path("run"), "--json"]);
    assert_eq!(again.code, 0, "{}", again.all());
    assert_eq!(again.json()["state_hash"], document["state_hash"]);
    let other = run(["replay", &path("run"), "--json", "--symbols", "ACME"]).json();
    assert!(other["warnings"].to_string().contains("new run"), "{}", other["warnings"]);
}

#[test]
fn a_journal_keeps_the_date_of_its_run() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run").display().to_string();
    let dated = ["replay", SAMPLE, "--date", "2020-01-30", "--symbols", "ACME", "--journal", &dir];
    assert_eq!(run(dated).code, 0);
    for command in ["replay", "info", "dump", "book"] {
        let refused = run([command, &dir, "--date", "2024-01-30"]);
        assert_eq!(refused.code, 2, "{command}\n{}", refused.all());
        assert!(refused.stderr.contains("leave --date out"), "{}", refused.stderr);
    }
    let rows = |feed: &str| run(["book", feed, "--symbol", "ACME", "--csv"]).stdout;
    let times = |rows: String| -> Vec<String> {
        rows.lines().filter_map(|row| row.split(',').nth(1).map(str::to_owned)).collect()
    };
    assert!(times(rows(&dir)) == times(rows(SAMPLE)), "times since midnight, whatever the date");
    let first = ["--from", "09:30", "--limit", "1"];
    let line = |feed: &str| run(["dump", feed, "--symbol", "ACME"].iter().chain(&first)).stdout;
    assert_eq!(line(&dir)[10..], line(SAMPLE)[10..]);
}

#[test]
fn a_limit_is_kept_also_where_one_message_prints_two_lines() {
    for limit in [0, 1, 2, 7] {
        let ran = run_line(&format!("dump feeds/bad/unknown-orders.itch --limit {limit}"));
        assert!(ran.stdout.lines().count() <= limit, "{limit}\n{}", ran.stdout);
    }
}

#[test]
fn a_bench_removes_its_own_journals_and_nothing_else() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let kept = scratch.path().join("kept");
    fs::write(&kept, "mine").expect("written");
    let line =
        "bench pipeline --messages 6000 --symbols 2 --live 200 --rounds 1 --rates none --journal";
    let ran = run_line(&format!("{line} {}", scratch.path().display()));
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(fs::read_dir(scratch.path()).expect("still there").count(), 1);
    assert!(kept.exists());
}

fn first_segment(dir: &Path) -> std::path::PathBuf {
    let mut segments: Vec<_> = fs::read_dir(dir)
        .expect("a journal")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tape"))
        .collect();
    segments.sort();
    segments.swap_remove(0)
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = ringtape(["dump", SAMPLE])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 100]).expect("some lines");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reader_of_generated_bytes_or_of_the_report_may_leave_early() {
    let generate = ["generate", "--messages", "200k", "-o", "-"];
    let replay = ["replay", SAMPLE];
    let runs = [(&generate[..], true), (&replay[..], false)];
    for (arguments, reads_stdout) in runs {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = ringtape(arguments);
        if reads_stdout {
            command.stdout(writer).stderr(Stdio::null());
        } else {
            command.stdout(Stdio::null()).stderr(writer);
        }
        let mut child = command.spawn().expect("the program starts");
        drop(command);
        drop(reader);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn an_interrupt_drains_reports_and_exits_with_130() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run").display().to_string();
    let mut child = ringtape(["replay", SAMPLE, "--rate", "1000", "--journal", &dir, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).expect("a report");
    assert_eq!(document["interrupted"], true);
    assert_eq!(document["journal"]["verified"], true);
    assert!(document["feed"]["messages"].as_u64() < Some(400_000));
    assert!(document["warnings"].to_string().contains("ended before the feed did"));
}

#[test]
fn info_dump_and_book_tell_one_story() {
    let info = run(["info", SAMPLE, "--json"]).json();
    assert_eq!((&info["messages"], &info["complete"]), (&400_000.into(), &true.into()));
    let symbol = info["top"][0]["symbol"].as_str().expect("a symbol").to_owned();
    let messages = info["top"][0]["messages"].as_u64().expect("a count");

    let book = run(["book", SAMPLE, "--symbol", &symbol, "--csv"]);
    assert_eq!(book.stdout.lines().count() as u64, messages + 1);
    let dump = run(["dump", SAMPLE, "--symbol", &symbol, "--csv"]);
    assert_eq!(dump.stdout.lines().count() as u64, messages + 1);
    assert!(dump.stderr.is_empty(), "{}", dump.stderr);
    let none = run(["dump", SAMPLE, "--symbol", "NONE"]);
    assert_eq!((none.code, &*none.stdout), (0, ""), "{}", none.all());
    assert!(none.stderr.contains("symbol NONE is not in the feed"), "{}", none.stderr);
    let first =
        run(["dump", SAMPLE, "--symbol", &symbol, "--kind", "add", "--limit", "1", "--json"]);
    let add: serde_json::Value = serde_json::from_str(&first.stdout).expect("one object");
    let order = add["order_id"].to_string();
    let story = run(["dump", SAMPLE, "--order", &order]);
    assert!(story.stdout.lines().count() >= 1 && story.stdout.contains(&order));
    let depth = run(["book", SAMPLE, "--symbol", &symbol, "--at", "12:00", "--depth", "3"]);
    assert_eq!(depth.stdout.lines().count(), 7, "{}", depth.stdout);
    assert!(depth.stdout.contains("average price"), "{}", depth.stdout);

    let json = run(["book", SAMPLE, "--symbol", &symbol, "--at", "12:00", "--orders", "--json"]);
    let book = json.json();
    for side in ["bids", "asks"] {
        for level in book[side].as_array().expect("levels") {
            let queue = level["queue"].as_array().expect("orders");
            let sum: u64 = queue.iter().map(|order| order["qty"].as_u64().expect("a qty")).sum();
            assert_eq!(level["orders"].as_u64(), Some(queue.len() as u64));
            assert_eq!(level["qty"].as_u64(), Some(sum));
        }
    }
    // The last order of the best bid's queue stands behind all others there.
    let queue = book["bids"][0]["queue"].as_array().expect("orders");
    let last = queue.last().expect("an order");
    let order = last["order_id"].to_string();
    let lines = run(["dump", SAMPLE, "--order", &order, "--until", "12:00", "--json"]).stdout;
    let line = lines.lines().last().expect("a message before noon");
    let place: serde_json::Value = serde_json::from_str(line).expect("one object");
    assert!(place["ahead_orders"].as_u64() >= Some(queue.len() as u64 - 1), "{line}");
    assert_eq!(place["open_qty"], last["qty"]);
}

#[test]
fn a_book_tells_the_levels_that_there_are_and_rounds_its_average_price() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let feed = scratch.path().join("AB_x.csv");
    let rows = "34200.1,1,1,1,5000000,-1\n34200.2,1,2,2,5000100,-1\n34200.3,1,3,10,4990000,1\n\
                34200.4,4,1,1,5000000,-1\n34200.5,4,2,2,5000100,-1\n";
    fs::write(&feed, rows).expect("written");
    let told = run(["book", &feed.display().to_string(), "--depth", "50"]).stdout;
    assert!(told.contains("10 bid and 0 offered on 1 and 0 levels"), "{told}");
    // 500.00666...
    assert!(told.contains("average price 500.0067"), "{told}");
}

#[test]
fn the_pipeline_bench_finds_the_same_state_in_all_rounds() {
    let line =
        "bench pipeline --messages 30k --symbols 50 --live 1000 --rounds 3 --rates none --json";
    let document = run_line(line).json();
    assert_eq!(document["deterministic"], true);
    assert_eq!(document["messages_per_s"]["rounds"].as_array().map(Vec::len), Some(3));
    assert_eq!(document["first_event_ns"].as_array().map(Vec::len), Some(3));
    assert_eq!(document["stages"].as_array().map(Vec::len), Some(5));
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("replay"), "{shell}\n{}", ran.stderr);
    }
}

#[test]
fn a_journal_is_described_like_the_feed_it_was_recorded_from() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run").display().to_string();
    let recorded = run(["replay", SAMPLE, "--journal", &dir]);
    assert_eq!(recorded.code, 0, "{}", recorded.all());
    assert!(recorded.stderr.contains("every record was read back"), "{}", recorded.stderr);
    let (feed, journal) = (run(["info", SAMPLE, "--json"]), run(["info", &dir, "--json"]));
    for field in ["messages", "first_ts", "last_ts", "complete", "instruments", "top", "identity"] {
        assert_eq!(journal.json()[field], feed.json()[field], "{field}");
    }
}

#[test]
fn info_tells_what_came_before_a_fault_and_then_the_fault() {
    let ran = run(["info", "feeds/bad/truncated-message.itch"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stdout.contains("messages      12 in"), "{}", ran.stdout);
    assert!(ran.stderr.contains("ends inside a message"), "{}", ran.stderr);
}
