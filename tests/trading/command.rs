//! Trading from the command line: strategies, limits, commands, tables, sweeps.
//!
//! Would catch: a flag that reaches nothing, a table that does not add up to the report, a grid that
//! depends on threads, commands that a replay of the journal forgets, a portfolio that the journal
//! alone does not make again.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ringtape::event::{Execution, ExecutionKind};
use ringtape::journal::{Read, Reader};
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use serde_json::{Value, json};

use crate::common::program::{Ran, end, finish, ringtape, run, run_line};
use crate::common::shared_feeds;

const FEED: &str = "feeds/sample.itch.gz";

fn replay(words: &str) -> Value {
    let ran = run_line(&format!("replay {FEED} --json {words}"));
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The lines of a CSV file by column.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).expect("a table");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().expect("a header"), lines.collect())
}

#[test]
fn the_recording_is_traded_with_default_parameters_and_every_order_is_timed() {
    let Some(folder) = shared_feeds() else { return };
    let feed = folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    let ran = run(["replay", &text(&feed), "--strategy", "maker", "--audit", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let report = ran.json();
    assert!(report["fills"].as_u64() > Some(0) && report["audits"].as_u64() > Some(0));
    assert!(!report["portfolio"].as_array().expect("rows").is_empty());
    let latency = &report["latency_ns"];
    assert_eq!(latency["basis"], "saturated");
    assert!(latency["tick_to_order"]["count"].as_u64() > Some(0), "{latency}");
    for stage in ["matching", "portfolio", "ring"] {
        let service = &latency[format!("service_{stage}")];
        assert_eq!(service["count"], latency[stage]["count"], "{stage}");
    }
    assert!(ran_without_strategy(&feed)["latency_ns"].get("tick_to_order").is_none());
}

fn ran_without_strategy(feed: &Path) -> Value {
    run(["replay", &text(feed), "--json"]).json()
}

#[test]
fn several_strategies_run_side_by_side_from_flags_or_from_a_file() {
    let flags = "--strategy maker:symbols=ACME,size=200,skew=2 --strategy momentum:symbols=ACME \
                 --strategy twap:symbols=ORBQ,side=sell,qty=2000,every=1m,for=3h,jitter=30 \
                 --seed 7 --fees taker=0.0030/share --limits position=600,order-qty=2000 --audit";
    let report = replay(flags);
    let strategies = report["strategies"].as_array().expect("strategies");
    let of = |index: usize, field: &str| strategies[index][field].clone();
    assert_eq!([0, 1, 2].map(|index| of(index, "strategy")), ["maker", "momentum", "twap"]);
    assert_eq!([0, 1, 2].map(|index| of(index, "account")), [0, 1, 2]);
    assert!((0..3).all(|index| of(index, "fills").as_u64() > Some(0)), "{strategies:?}");
    let fills: u64 = (0..3).map(|index| of(index, "fills").as_u64().unwrap_or(0)).sum();
    assert_eq!(report["fills"], fills);
    // The limit holds the scheduled order back.
    let rows = report["portfolio"].as_array().expect("rows");
    let row = |account: u64| rows.iter().find(|row| row["account"] == account).expect("a row");
    let position = row(2)["position"].as_i64().expect("a position");
    assert!((-600..-400).contains(&position), "{position}");
    assert!(of(2, "rejected").as_u64() > Some(0));

    let scratch = tempfile::tempdir().expect("a scratch folder");
    let file = scratch.path().join("run.toml");
    let written = r#"
        fees = "taker=0.0030/share"
        seed = 7
        [[strategy]]
        name = "maker"
        symbols = ["ACME"]
        size = 200
        skew = 2
        [[strategy]]
        name = "momentum"
        symbols = "ACME"
        [[strategy]]
        name = "twap"
        symbols = ["ORBQ"]
        side = "sell"
        qty = 2000
        every = "1m"
        for = "3h"
        jitter = 30
        [limits]
        position = 600
        order-qty = 2000
    "#;
    fs::write(&file, written).expect("written");
    let from_file = replay(&format!("--config {}", text(&file)));
    assert_eq!(from_file["state_hash"], report["state_hash"]);
    // What is given as a flag goes before; another seed is another run.
    let other = replay(&format!("--config {} --seed 8", text(&file)));
    assert_ne!(other["state_hash"], report["state_hash"]);
}

#[test]
fn fills_and_positions_are_written_as_tables_that_add_up_and_are_not_overwritten() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let [fills, positions] = ["fills.csv", "positions.csv"].map(|name| scratch.path().join(name));
    let words = format!(
        "--strategy maker:symbols=ACME --fees maker=-0.0020/share --fills-out {} \
         --positions-out {}",
        text(&fills),
        text(&positions)
    );
    let report = replay(&words);
    let (names, lines) = table(&fills);
    assert_eq!(report["fills"], lines.len());
    let column = |name: &str| names.iter().position(|other| other == name).expect(name);
    let (side, qty, ahead) = (column("side"), column("qty"), column("ahead_at_entry"));
    let mut held = 0i64;
    for line in &lines {
        let qty: i64 = line[qty].parse().expect("a quantity");
        held += if line[side] == "buy" { qty } else { -qty };
        assert_eq!(line[column("position")], held.to_string());
        if line[column("liquidity")] != "maker" {
            continue;
        }
        let [entry, now] = [ahead, column("ahead_at_fill")].map(|at| line[at].parse::<u64>());
        assert!(now.expect("a queue") <= entry.expect("a queue"), "{line:?}");
    }
    assert!(lines.iter().any(|line| line[ahead].parse::<u64>().is_ok_and(|qty| qty > 0)));
    let (names, lines) = table(&positions);
    let row = &report["portfolio"][0];
    let of = |name: &str| {
        let at = names.iter().position(|other| other == name).expect(name);
        lines[0][at].clone()
    };
    for name in ["realised", "unrealised", "fees", "equity", "lots_realised"] {
        assert_eq!(row[name], of(name), "{name}");
    }
    assert_eq!(row["spread_capture"]["value"], of("spread_capture"));
    assert_eq!(row["markouts"]["1s"]["value"], of("markout_1s"));

    let again = run_line(&format!("replay {FEED} {words}"));
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--force"), "{}", again.all());
    assert_eq!(run_line(&format!("replay {FEED} {words} --force")).code, 0);
}

#[test]
fn the_story_of_an_order_names_its_queue_and_the_event_that_filled_it() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let fills = scratch.path().join("fills.csv");
    replay(&format!("--strategy maker:symbols=ACME --fills-out {}", text(&fills)));
    let (names, lines) = table(&fills);
    let at = |name: &str| names.iter().position(|other| other == name).expect(name);
    let order = &lines[0][at("order_id")];
    let report = replay(&format!("--strategy maker:symbols=ACME --explain {order}"));
    let chapters = report["explain"]["chapters"].as_array().expect("chapters");
    let events: Vec<_> = chapters.iter().map(|chapter| chapter["event"].clone()).collect();
    assert!(events.contains(&json!("filled")), "{events:?}");
    let filled = chapters.iter().find(|chapter| chapter["event"] == "filled").expect("a fill");
    assert_eq!(filled["ahead_at_entry"].to_string(), lines[0][at("ahead_at_entry")]);
    assert_eq!(filled["cause"].to_string(), lines[0][at("cause")]);
    let by = filled["by"].as_str().expect("an event");
    assert!(
        ["execute ", "trade ", "add ", "replace "].iter().any(|kind| by.contains(kind)),
        "{by}"
    );
    let told = run_line(&format!("replay {FEED} --strategy maker:symbols=ACME --explain {order}"));
    assert!(told.stderr.contains(&format!("the story of order {order}")), "{}", told.stderr);
    let none = run_line(&format!("replay {FEED} --strategy maker:symbols=ACME --explain x"));
    assert_eq!(none.code, 2);
}

#[test]
fn a_sweep_gives_each_point_what_a_run_alone_gives_and_the_same_every_time() {
    let words =
        format!("replay {FEED} --strategy maker:symbols=ACME --sweep skew=0..2,size=100,200");
    let first = run_line(&words);
    assert_eq!(first.code, 0, "{}", first.all());
    let lines: Vec<Vec<&str>> =
        first.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + 6);
    assert_eq!(lines[0][..3], ["skew", "size", "orders"]);
    assert_eq!(lines[6][..2], ["2", "200"]);
    let hash = lines[0].iter().position(|name| *name == "state_hash").expect("a hash");
    let alone = replay("--strategy maker:symbols=ACME,size=200,skew=1");
    assert_eq!(alone["state_hash"], lines[4][hash]);
    assert_eq!(run_line(&words).stdout, first.stdout);
    assert!(first.stderr.contains("drawdown"), "a table for people");

    let document = run_line(&format!("{words} --json")).json();
    assert_eq!(document["rows"].as_array().map(Vec::len), Some(6));
    assert_eq!(document["rows"][3]["state_hash"], lines[4][hash]);
    for (words, named) in [
        ("--strategy maker:symbols=ACME --sweep skew", "skew=1..5"),
        ("--strategy maker:symbols=ACME --sweep skw=1", "`skew`"),
        ("--sweep skew=1", "--strategy"),
        ("--strategy maker --sweep skew=1 --journal x", "--journal"),
    ] {
        let ran = run_line(&format!("replay {FEED} {words}"));
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.stderr.contains(named), "{}", ran.stderr);
    }
}

#[test]
fn commands_go_through_the_market_ring_and_a_replay_repeats_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (commands, dir) = (scratch.path().join("commands"), scratch.path().join("run"));
    fs::write(&commands, "# no more than this\nlimits position=200\nkill account=1\n")
        .expect("written");
    let two = "--strategy maker:symbols=ACME --strategy maker:symbols=ORBQ";
    // Paced, so that the commands come before most of the market.
    let recorded = replay(&format!(
        "{two} --rate 400k --control {} --journal {}",
        text(&commands),
        text(&dir)
    ));
    let strategies = &recorded["strategies"];
    assert!(strategies[0]["fills"].as_u64() > Some(0));
    assert!(recorded["warnings"].to_string().contains("account 1"), "{}", recorded["warnings"]);
    let repeated = run(["replay", &text(&dir), "--json"]).json();
    for part in ["state_hash", "hashes", "orders", "fills", "strategies", "portfolio"] {
        assert_eq!(repeated[part], recorded[part], "{part}");
    }
    assert_ne!(recorded["state_hash"], replay(two)["state_hash"]);

    fs::write(&commands, "stop\n").expect("written");
    let words = format!("replay {FEED} {two} --control {}", text(&commands));
    let bad = run_line(&words);
    assert_eq!((bad.code, bad.stderr.contains("`stop`")), (2, true), "{}", bad.all());
}

/// Would catch a pipe that is read to the end of its first writer only, a line that ends all
/// reading, a file of which only the beginning is read, an account that is nobody's.
#[test]
fn commands_are_read_to_the_end_of_the_run_whoever_writes_and_whatever() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let [pipe, file] = ["pipe", "file"].map(|name| scratch.path().join(name));
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let begin = |source: &str| {
        let words = format!("replay {FEED} --strategy maker:symbols=ACME --rate 80k --json");
        let mut command = ringtape(words.split(' ').chain(["--control", source]));
        let all = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        all.spawn().expect("it starts")
    };
    fs::write(&file, "limits position=400\n").expect("written");
    let mut runs = [text(&pipe), text(&file), "-".to_owned()].map(|source| begin(&source));
    let stdin = runs[2].stdin.take();
    let long = format!("stop {}\n", "x".repeat(200_000));
    let lines: [&[u8]; 5] =
        [b"limits position=300\n", b"caf\xe9\n", b"kill account=9\n", long.as_bytes(), b"kill"];
    std::thread::sleep(Duration::from_millis(300));
    for line in lines {
        for path in [&pipe, &file] {
            let mut writer = fs::File::options().append(true).open(path).expect("a reader");
            writer.write_all(line).expect("written");
        }
        stdin.as_ref().expect("a pipe").write_all(line).expect("written");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stdin);
    for run in runs {
        let ran = end(run);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let warnings = ran.json()["warnings"].to_string();
        assert!(warnings.contains("kill switch of account 0"), "{warnings}\n{}", ran.stderr);
        for told in ["`caf\u{fffd}` is no command", "no account 9", "longer than 1024 bytes"] {
            assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        }
        assert!(ran.stderr.len() < 2_000, "{}", ran.stderr);
    }
}

#[test]
fn the_signal_usr1_throws_the_kill_switch() {
    let mut command = ringtape(
        format!("replay {FEED} --strategy maker:symbols=ACME --rate 150k --json").split(' '),
    );
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_millis(700));
    let kill = std::process::Command::new("kill")
        .args(["-USR1", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(kill.success());
    let output = child.wait_with_output().expect("it ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(output.status.code(), Some(0));
    assert!(report["warnings"].to_string().contains("kill switch"), "{}", report["warnings"]);
}

#[test]
fn the_portfolio_made_again_from_the_journal_alone_is_the_live_one() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let live = replay(&format!(
        "--strategy maker:symbols=ACME --strategy momentum:symbols=ORBQ \
         --fees maker=-0.0020/share,taker=0.0030/share --journal {}",
        text(&dir)
    ));
    let mut portfolio = Portfolio::new(PortfolioConfig { audit: true, ..Default::default() });
    let mut reader = Reader::<Execution>::open(&dir.join("executions")).expect("a journal");
    let mut batch = [Execution::new(ExecutionKind::Status, 0, 0); 256];
    while let Read::Records(count) = reader.read(&mut batch).expect("sound records") {
        for execution in &batch[..count] {
            portfolio.apply(execution).expect("the audit holds");
        }
    }
    assert_eq!(live["hashes"]["portfolio"], format!("{:016x}", portfolio.hash()));
    let rows = portfolio.rows();
    assert_eq!(live["portfolio"].as_array().map(Vec::len), Some(rows.len()));
    for (row, live) in rows.iter().zip(live["portfolio"].as_array().expect("rows")) {
        assert_eq!(live["equity"], row.equity.to_string());
        assert_eq!(live["lots_realised"], row.lots_realised.to_string());
        let [_, at_1s, _] = row.quality.markouts();
        assert_eq!(live["markouts"]["1s"]["value"], at_1s.value.to_string());
    }
    for (total, live) in portfolio.totals().iter().zip(live["accounts"].as_array().expect("sums")) {
        assert_eq!(live["drawdown"], total.drawdown.to_string());
        assert_eq!(live["gross_exposure_max"], total.gross_exposure_max.to_string());
    }
}

#[test]
fn recorded_latencies_are_used_and_another_file_is_refused_on_repetition() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (ways, dir) = (scratch.path().join("ways"), scratch.path().join("run"));
    let mut file = fs::File::create(&ways).expect("created");
    file.write_all(b"# order, report\n50us,30us\n1ms\n20000,10us\n").expect("written");
    let words = format!("--strategy maker:symbols=ACME --latency file={}", text(&ways));
    let first = replay(&format!("{words} --journal {}", text(&dir)));
    assert!(first["fills"].as_u64() > Some(0));
    let repeated = run(["replay", &text(&dir), "--json"]).json();
    assert_eq!(repeated["state_hash"], first["state_hash"]);
    fs::write(&ways, "50us\n").expect("written");
    let other: Ran = finish(&mut ringtape(["replay", &text(&dir)]));
    assert_eq!(other.code, 2, "{}", other.all());
    assert!(other.stderr.contains("recorded run"), "{}", other.stderr);
    fs::write(&ways, "fast\n").expect("written");
    let bad = run_line(&format!("replay {FEED} {words}"));
    assert_eq!((bad.code, bad.stderr.contains("line 1")), (2, true), "{}", bad.all());
    let jitter = "--strategy maker:symbols=ACME --latency order=50us,report=20us,jitter=5us";
    let jittered = replay(&format!("{jitter},seed=3"));
    assert_eq!(jittered["state_hash"], replay(&format!("{jitter},seed=3"))["state_hash"]);
    assert_ne!(jittered["state_hash"], replay(&format!("{jitter},seed=4"))["state_hash"]);
}

#[test]
fn an_instrument_of_its_own_fees_pays_them_and_the_others_pay_those_of_the_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.toml");
    let own = "[ACME]\nfees = \"maker=0.01/trade,taker=0.01/trade,auction=0.01/trade\"\n";
    fs::write(&path, own).expect("a file");
    let strategies = "--strategy maker:symbols=ACME,size=200 --strategy maker:symbols=ORBQ";
    let all = "--fees maker=0.03/trade,taker=0.03/trade,auction=0.03/trade";
    let fills_out = folder.path().join("fills.csv");
    let report = replay(&format!(
        "{strategies} {all} --instruments {} --fills-out {} --audit",
        text(&path),
        text(&fills_out)
    ));
    let (header, fills) = table(&fills_out);
    let symbol = header.iter().position(|name| name == "symbol").expect("a column");
    for (name, cents) in [("ACME", 1), ("ORBQ", 3)] {
        let count = fills.iter().filter(|fill| fill[symbol] == name).count();
        let rows = report["portfolio"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["instrument"] == name).expect("a position");
        let fees = row["fees"].as_str().expect("a decimal").parse::<f64>().expect("a number");
        assert!(
            count > 0 && (fees * 100.0 - (count * cents) as f64).abs() < 1e-6,
            "{row}: {count}"
        );
    }
}

/// Would catch a run whose orders are all refused and that does not say why.
#[test]
fn rejects_are_told_with_their_reasons() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[ACME]\nlot = 10\n").expect("a free disk");
    let strategy = "momentum:symbols=ACME,size=105,threshold=1";
    let words = format!("--strategy {strategy} --instruments {}", text(&rules));
    let orders = &replay(&words)["orders"];
    assert!(orders["rejected"].as_u64() > Some(0), "{orders}");
    assert_eq!(orders["rejects"], json!({ "off_lot": orders["rejected"] }));
    let told = run_line(&format!("replay {FEED} {words}"));
    assert!(told.stderr.contains(" off_lot)"), "{}", told.all());
}

#[test]
fn a_currency_without_a_rate_is_warned_about() {
    let words = "--strategy maker:symbols=ACME --rates";
    let warnings = &replay(&format!("{words} base=EUR,GBP=1.2"))["warnings"];
    let told = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("from USD"));
    assert!(warnings.as_array().expect("a list").iter().any(told), "{warnings}");
    let ran = run_line(&format!("replay {FEED} {words} base=EUR,USD=0.9"));
    assert!(
        ran.stderr.contains(" in the base, ") && !ran.stderr.contains("no rate"),
        "{}",
        ran.all()
    );
}
