//! The commands on journals, as their operator meets them.
//!
//! Catches: an exit code that scripts cannot rely on, a repair that destroys, a recovery that
//! refuses what it should take up.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::common::program::{Ran, run, run_line};
use crate::common::runs::tapes;

const FEED: &str = "feeds/sample.itch.gz";

/// Records the sample and says where.
fn recorded(scratch: &Path) -> PathBuf {
    let dir = scratch.join("run");
    let ran = run(["replay", FEED, "--journal", dir.to_str().expect("text")]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    dir
}

fn journal(words: &[&str], dir: &Path) -> Ran {
    let dir = dir.to_str().expect("text");
    let mut all = vec!["journal", words[0], dir];
    all.extend(&words[1..]);
    run(all)
}

/// Flips a bit in the record at `index` of the first segment of a journal of events.
fn damage(dir: &Path, index: u64) {
    damage_slot(dir, index, 64);
}

/// As [`damage`], with slots of so many bytes.
fn damage_slot(dir: &Path, index: u64, slot: u64) {
    let path = dir.join(format!("{:020}.tape", 0));
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a segment");
    let each = (64 << 10) / slot - 1;
    let at = 4096 + index / each * (64 << 10) + (index % each + 1) * slot + 30;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a record");
    file.write_all_at(&[byte[0] ^ 4], at).expect("a writable segment");
}

#[test]
fn corruption_is_refused_with_code_3_until_its_operator_chooses_a_cut() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = recorded(scratch.path());
    let market = dir.join("market");
    damage(&market, 5_000);
    for ran in [journal(&["verify"], &dir), journal(&["recover"], &dir)] {
        assert_eq!(ran.code, 3, "{}", ran.all());
        assert!(ran.stderr.contains("sequences 5000..5001"), "{}", ran.all());
    }
    assert_eq!(journal(&["repair"], &dir).code, 2, "a run holds two journals");
    let advice = journal(&["repair"], &market);
    assert_eq!(advice.code, 3);
    assert!(advice.stderr.contains("--cut-at SEQUENCE"), "{}", advice.all());
    assert_eq!(journal(&["repair", "--cut-at", "5001"], &market).code, 3);

    let cut = journal(&["repair", "--cut-at", "5000", "--json"], &market);
    assert_eq!(cut.code, 0, "{}", cut.all());
    let quarantined = cut.json()["journal"]["quarantined"][0].as_str().expect("a path").to_owned();
    assert!(fs::metadata(quarantined).expect("a copy").len() > 300_000 * 64);
    let verified = journal(&["verify", "--json"], &dir);
    assert_eq!(verified.code, 0);
    assert_eq!(verified.json()["journals"]["market"]["records"], 5_000);
    assert_eq!(run(["replay", dir.to_str().expect("text")]).code, 0);
}

#[test]
fn levels_and_gates_reach_no_hash_and_the_report_says_what_was_used() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let replay = |name: &str, flags: &str| {
        let dir = scratch.path().join(name);
        let dir = dir.to_str().expect("text");
        let fixed =
            ["replay", FEED, "--strategy", "maker:symbols=ACME", "--json", "--journal", dir];
        run(fixed.into_iter().chain(flags.split_whitespace()))
    };
    let expected = replay("plain", "").json();
    assert_eq!(expected["journal"]["durability"], "pagecache");
    let levels = [
        ("batch", "durable"),
        ("batch", "none"),
        ("interval:5ms", "durable"),
        ("interval:5ms", "none"),
    ];
    for (number, (level, gate)) in levels.into_iter().enumerate() {
        let flags = format!("--durability {level} --gate {gate}");
        let ran = replay(&number.to_string(), &flags);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let json = ran.json();
        assert_eq!(json["state_hash"], expected["state_hash"], "{flags}");
        assert_eq!(
            (&json["journal"]["durability"], &json["journal"]["gate"]),
            (&level.into(), &gate.into())
        );
        assert_eq!(json["journal"]["verified"], true);
    }
    let refused = replay("refused", "--gate durable");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("never open"), "{}", refused.all());
    assert_eq!(replay("refused", "--durability fsync").code, 2);
}

#[test]
fn a_torn_tail_is_a_warning_of_verify_and_set_aside_by_recover() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = recorded(scratch.path());
    let records = journal(&["verify", "--json"], &dir).json()["journals"]["market"]["records"]
        .as_u64()
        .expect("a count");
    // The seal is gone, and the last record is torn.
    damage(&dir.join("market"), records - 1);
    damage(&dir.join("market"), records);
    let verified = journal(&["verify"], &dir);
    assert_eq!(verified.code, 0);
    assert!(verified.stderr.contains("! torn tail"), "{}", verified.all());

    let recovered = journal(&["recover", "--json"], &dir);
    assert_eq!(recovered.code, 0, "{}", recovered.all());
    let journals = recovered.json()["journals"].clone();
    assert_eq!(journals["market"]["records"], records - 1);
    assert_eq!(journals["market"]["torn_tail"]["sequence"], records - 1);
    assert_eq!(journals["executions"]["was_closed"], true);
    let verified = journal(&["verify", "--json"], &dir).json();
    let market = &verified["journals"]["market"];
    assert_eq!((&market["sealed"], &market["torn_tail"]), (&true.into(), &().into()));
    let again = journal(&["recover"], &dir);
    assert!(again.stderr.contains("nothing to do"), "{}", again.all());
}

#[test]
fn info_says_what_journals_hold_and_how_they_were_left() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let dir_text = dir.to_str().expect("text");
    let line = format!(
        "replay {FEED} --strategy maker:symbols=ACME --snapshot-every 150k --journal {dir_text}"
    );
    assert_eq!(run_line(&line).code, 0);
    assert_eq!(journal(&["tail", "--cursor", "risk", "--limit", "100"], &dir).code, 0);
    let document = run(["info", dir_text, "--json"]).json();
    assert_eq!(document["messages"], 400_000);
    let market = &document["journals"]["market"];
    assert_eq!((&market["type"], &market["state"]), (&"event".into(), &"closed".into()));
    assert_eq!(market["cursors"][0], serde_json::json!({ "name": "risk", "sequence": 100 }));
    let kinds = market["by_kind"].as_object().expect("kinds").values();
    assert_eq!(kinds.filter_map(serde_json::Value::as_u64).sum::<u64>(), market["records"]);
    assert!(!document["snapshots"].as_array().expect("snapshots").is_empty());
    let told = run(["info", dir_text]);
    assert!(told.stdout.contains("cursor `risk` is at sequence 100"), "{}", told.all());

    // Each of them alone, torn.
    for part in ["market", "executions"] {
        let part_dir = dir.join(part);
        let records = document["journals"][part]["records"].as_u64().expect("a count");
        let slot = if part == "market" { 64 } else { 128 };
        damage_slot(&part_dir, records, slot);
        let told = run(["info", part_dir.to_str().expect("text")]);
        assert_eq!(told.code, 0, "{}", told.all());
        assert!(told.stdout.contains("nothing counts from sequence"), "{}", told.all());
        let alone = run(["info", part_dir.to_str().expect("text"), "--json"]).json();
        let found = &alone["journals"]["journal"];
        assert_eq!((&found["records"], &found["state"]), (&records.into(), &"torn".into()));
        assert_eq!(found["by_kind"], document["journals"][part]["by_kind"]);
    }
    damage(&dir.join("market"), 1_000);
    let refused = run(["info", dir.join("market").to_str().expect("text")]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    assert!(refused.stderr.contains("sequences 1000..1001"), "{}", refused.all());
}

#[test]
fn dump_prints_both_journals_of_a_run() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let at = |part: &str| dir.join(part).display().to_string();
    let line = format!("replay {FEED} --strategy maker:symbols=ACME --journal {}", dir.display());
    assert_eq!(run_line(&line).code, 0);
    let dump = |part: &str, words: &str| {
        let ran = run_line(&format!("dump {} {words}", at(part)));
        assert_eq!(ran.code, 0, "{}", ran.all());
        ran.stdout
    };
    let words = "--symbol ACME --kind execute --limit 20 --csv";
    assert_eq!(dump("market", words), run_line(&format!("dump {FEED} {words}")).stdout);

    let info = run(["info", &at("executions"), "--json"]).json();
    let fills = &info["journals"]["journal"]["by_kind"]["filled"];
    let lines = dump("executions", "--symbol ACME --kind filled --csv");
    assert_eq!(lines.lines().count() as u64 - 1, fills.as_u64().expect("fills"));
    assert!(lines.starts_with("sequence,cause,ts,event,order_id,account,symbol,"), "{lines}");
    let first = dump("executions", "--kind filled --limit 1 --json");
    let fill: serde_json::Value = serde_json::from_str(&first).expect("one object");
    assert_eq!((&fill["event"], &fill["symbol"]), (&"filled".into(), &"ACME".into()));
    assert!(fill["price"].as_str().is_some_and(|price| price.contains('.')), "{fill}");
    let order = fill["order_id"].to_string();
    let story = dump("executions", &format!("--order {order}"));
    let is_of_order = |line: &str| line.contains(&format!("order_id={order}"));
    assert!(story.lines().count() >= 2 && story.lines().all(is_of_order), "{story}");
    let all = dump("executions", "").lines().count();
    let split = ["--until 12:00", "--from 12:00"].map(|half| dump("executions", half));
    assert_eq!(split.iter().map(|half| half.lines().count()).sum::<usize>(), all);
    assert_eq!(run_line(&format!("dump {} --kind add", at("executions"))).code, 2);
}

/// Removes the segments of a journal.
fn empty(dir: &Path) {
    tapes(dir).iter().for_each(|path| fs::remove_file(path).expect("a segment"));
}

#[test]
fn a_run_that_was_stopped_before_its_journals_were_begun_is_sound_and_goes_on() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = recorded(scratch.path());
    let text = dir.to_str().expect("text");
    let resume = ["replay", FEED, "--journal", text, "--resume", "--json"];
    let expected = run(resume).json()["state_hash"].clone();
    let found = journal(&["verify", "--json"], &dir).json();
    let records = &found["journals"]["market"]["records"];
    let check = |told: &[&str]| {
        for words in [&["verify"][..], &["verify", "--deep"], &["recover"], &["retain"]] {
            let ran = journal(words, &dir);
            assert_eq!(ran.code, 0, "{words:?}: {}", ran.all());
            assert!(told.iter().all(|told| ran.stderr.contains(told)), "{words:?}: {}", ran.all());
        }
    };
    empty(&dir.join("executions"));
    check(&["! executions: not begun; `replay --resume`"]);
    let found = journal(&["verify", "--json"], &dir).json();
    assert_eq!(&found["journals"]["market"]["records"], records);
    assert_eq!(run(["info", text]).code, 0);
    let resumed = run(resume);
    assert_eq!((resumed.code, &resumed.json()["state_hash"]), (0, &expected), "{}", resumed.all());

    for part in ["market", "executions"] {
        empty(&dir.join(part));
    }
    check(&["! market: not begun", "! executions: not begun"]);
    for part in ["market", "executions"] {
        fs::remove_dir_all(dir.join(part)).expect("a folder");
    }
    check(&["! market: not begun", "! executions: not begun"]);
    let resumed = run(resume);
    assert_eq!((resumed.code, &resumed.json()["state_hash"]), (0, &expected), "{}", resumed.all());
}

#[test]
fn a_run_whose_market_journal_is_gone_is_corrupt() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = recorded(scratch.path());
    let away = |missing: &str| {
        for command in ["verify", "recover"] {
            let ran = journal(&[command], &dir);
            assert_eq!(ran.code, 3, "{missing}: {}", ran.all());
            assert!(ran.stderr.contains("market, byte 0: the journal is gone"), "{}", ran.all());
        }
    };
    empty(&dir.join("market"));
    away("its segments");
    fs::remove_dir_all(dir.join("market")).expect("a folder");
    away("its directory");
    assert_eq!(journal(&["verify"], &dir.join("executions")).code, 0);
}
