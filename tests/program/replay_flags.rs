//! Flags of `replay` around a run: told before it, looked at while it goes on, taken from a file.
//!
//! Would catch a dry run that does something, an endpoint that others can reach or that says
//! nothing, and a configuration file whose mistakes pass.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::common::program::{ringtape, run, run_line};

const SAMPLE: &str = "feeds/sample.itch.gz";

#[test]
fn a_dry_run_tells_plan_sizes_and_space_and_leaves_nothing() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("journal");
    let line = format!("replay {SAMPLE} --dry-run --runners 2 --journal {}", dir.display());
    let ran = run_line(&line);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for told in ["runner 0", "runner 1", "rings", "at least 768.0 MiB", "free at", "waiting"] {
        assert!(ran.stdout.contains(told), "{told}\n{}", ran.stdout);
    }
    let json = run_line(&format!("{line} --json")).json();
    assert_eq!(json["plan"]["runners"].as_array().map(Vec::len), Some(2));
    let sizes = &json["sizes"];
    assert!(sizes["journal_bytes_estimate"].as_u64() > Some(400_000 * 64), "{sizes}");
    // A segment of each journal, and one of the market that is made ahead.
    assert_eq!(sizes["disk_bytes_estimate"], 3 * (256 << 20), "{sizes}");
    assert!(sizes["free_bytes"].is_u64() && sizes["rings_bytes"].is_u64(), "{sizes}");
    assert!(!dir.exists(), "a dry run made a journal");
    assert_eq!(run_line(&format!("replay {SAMPLE} --dry-run --cores 4000")).code, 2);
    fs::create_dir_all(dir.join("market")).expect("a free disk");
    let held = run_line(&line);
    assert_eq!(held.code, 2, "{}", held.all());
    assert!(held.stderr.contains("already holds a run"), "{}", held.all());
    assert_eq!(run_line(&format!("{line} --resume")).code, 0);
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let table = scratch.path().join("t.csv");
    for (flags, told) in [
        (format!("--fills-out {}", table.display()), "--fills-out does nothing without a strategy"),
        (format!("--positions-out {}", table.display()), "--positions-out does nothing"),
        ("--explain 1".to_owned(), "--explain does nothing without a strategy"),
        ("--durability batch".to_owned(), "--journal"),
    ] {
        let ran = run_line(&format!("replay {SAMPLE} {flags}"));
        assert_eq!(ran.code, 2, "{flags}: {}", ran.all());
        assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
    }
    assert!(!table.exists());
}

#[test]
fn tables_that_cannot_be_written_are_refused_before_the_run() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().display();
    let day = format!("{folder}/day.csv");
    fs::write(&day, "34200,1,1,100,5000000,1\n").expect("a free disk");
    let before = fs::read(&day).expect("the feed");
    fs::write(format!("{folder}/old"), "").expect("a free disk");
    let both = format!("--fills-out {folder}/x --positions-out {folder}/../{}/x", {
        scratch.path().file_name().expect("a name").display()
    });
    for (flags, told) in [
        (both, "the name of two outputs"),
        (format!("--fills-out {folder}/day.csv"), "is an input"),
        (format!("--positions-out {folder}/./day.csv"), "is an input"),
        (format!("--fills-out {folder}/none/f.csv"), "there is no directory"),
        (format!("--fills-out {folder}"), "is a directory"),
        ("--fills-out -".to_owned(), "`-` is no name"),
        (format!("--report {folder}/old/page"), "old is no directory"),
    ] {
        for only in ["", " --dry-run"].iter().take(1 + usize::from(!flags.contains("report"))) {
            let ran =
                run_line(&format!("replay {day} --journal {folder}/run --force {flags}{only}"));
            assert_eq!(ran.code, 2, "{flags}: {}", ran.all());
            assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
        }
    }
    assert!(!scratch.path().join("run").exists() && !scratch.path().join("x").exists());
    assert_eq!(fs::read(&day).expect("the feed"), before);
    let inside = format!("--journal {folder}/run --fills-out {folder}/run/fills.csv");
    let ran = run_line(&format!("replay {day} {inside} --strategy maker"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(scratch.path().join("run/fills.csv").is_file());
}

#[test]
fn gauges_are_served_while_the_run_goes_on() {
    let mut child = ringtape(["replay", SAMPLE, "--rate", "100k", "--metrics", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("metrics") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "no address was told");
    }
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address.expect("an address")).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let value = |answer: &str| -> u64 {
        let row = answer.lines().find(|line| line.starts_with("ringtape_messages_total "));
        row.and_then(|row| row.split(' ').nth(1)?.parse().ok()).expect("a number")
    };
    // Whoever says nothing holds nobody up.
    let idle: Vec<_> = (0..5).map(|_| TcpStream::connect(address.expect("one"))).collect();
    let since = std::time::Instant::now();
    let first = get("/metrics");
    assert!(since.elapsed() < std::time::Duration::from_secs(1), "{:?}", since.elapsed());
    drop(idle);
    assert!(get("/metrics?x=1").starts_with("HTTP/1.1 200 OK"));
    assert!(first.starts_with("HTTP/1.1 200 OK"), "{first}");
    assert!(first.contains("ringtape_stage_lag{ring=\"market\",stage=\"matching\"}"), "{first}");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let (before, after) = (value(&first), value(&get("/metrics")));
    assert!(after > before, "{before} {after}");
    assert!(get("/else").starts_with("HTTP/1.1 404"));
    child.kill().expect("it runs still");
    child.wait().expect("it ends");
}

#[test]
fn only_this_machine_may_look() {
    for address in ["0.0.0.0:9100", "9100", "192.168.1.1:80"] {
        let ran = run(["replay", SAMPLE, "--metrics", address]);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.stderr.contains("127.0.0.1:9100"), "{}", ran.stderr);
    }
}

#[test]
fn a_file_gives_flags_by_their_names_and_its_mistakes_are_named() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("own.toml");
    let path_text = path.to_str().expect("letters");
    fs::write(&path, "strategy = \"maker:symbols=ACME,lots=1\"\nfees = \"maker=-0.0020/share\"\n")
        .expect("a file");
    let from_file = run(["replay", SAMPLE, "--json", "--config", path_text]).json();
    let flags = ["--strategy", "maker:symbols=ACME,lots=1", "--fees", "maker=-0.0020/share"];
    let by_flags = run(["replay", SAMPLE, "--json"].into_iter().chain(flags)).json();
    assert!(from_file["fills"].as_u64() > Some(0));
    assert_eq!(from_file["state_hash"], by_flags["state_hash"]);
    let own = ["replay", SAMPLE, "--json", "--config", path_text, "--strategy", "none"];
    assert_eq!(run(own).code, 2, "fees do nothing without a strategy");

    fs::write(&path, "symbols = [\"ACME\"]\nstrategi = \"maker\"\n").expect("a file");
    let wrong = run(["replay", SAMPLE, "--config", path_text]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
    assert!(
        wrong.stderr.contains("line 2: unknown key `strategi`: did you mean `strategy`?"),
        "{}",
        wrong.all()
    );
}

#[test]
fn a_misspelt_flag_or_key_of_any_file_is_told_with_the_nearest() {
    let wrong = run(["replay", SAMPLE, "--stratgy", "maker"]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
    assert!(wrong.stderr.contains("'--strategy'"), "{}", wrong.all());
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("rules.toml");
    fs::write(&path, "[ACME]\n\nlott = 10\n").expect("a file");
    let path = path.to_str().expect("letters");
    let wrong = run(["replay", SAMPLE, "--instruments", path]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
    let told = "rules.toml, line 3: unknown key `lott`: did you mean `lot`?";
    assert!(wrong.stderr.contains(told), "{}", wrong.all());
    let wrong = run(["replay", SAMPLE, "--strategy", "maker:lotz=2"]);
    assert!(wrong.stderr.contains("did you mean `lots`?"), "{}", wrong.all());
}

#[test]
fn a_misspelt_limit_is_told_with_file_and_line_in_a_file_of_its_own_and_in_a_configuration() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    for (flag, name, text) in [
        ("--limits", "limits.toml", "# Carefully.\norder-qty = 10\npositon = 1000\n"),
        ("--config", "run.toml", "[limits]\nloss = \"1.00\"\npositon = 1000\n"),
    ] {
        let path = scratch.path().join(name);
        fs::write(&path, text).expect("a file");
        let path = path.to_str().expect("letters");
        let wrong = run(["replay", SAMPLE, "--strategy", "maker:symbols=ACME", flag, path]);
        assert_eq!(wrong.code, 2, "{}", wrong.all());
        let told = format!("{name}, line 3: unknown limit `positon`: did you mean `position`?");
        assert!(wrong.stderr.contains(&told), "{}", wrong.all());
    }
}
