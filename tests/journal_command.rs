//! The commands on journals, as their operator meets them.
//!
//! Catches: an exit code that scripts cannot rely on, a repair that destroys, a recovery that
//! refuses what it should take up.

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::program::{Ran, run};

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
    let path = dir.join(format!("{:020}.tape", 0));
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a segment");
    let at = 4096 + index / 1023 * (64 << 10) + (index % 1023 + 1) * 64 + 30;
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
