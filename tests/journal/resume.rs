//! A run that goes on where another one stopped comes to the same state.
//!
//! Catches: a message that is lost or taken twice where a run goes on, an execution that comes out
//! otherwise unnoticed, another feed or configuration that is accepted, a kill that cannot be
//! resumed from. `RINGTAPE_KILL_ROUNDS=100` makes the test of kills as long as the README says.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ringtape::engine::{EXECUTIONS_DIR, JournalConfig, JournalFeed, MARKET_DIR, RUN_FILE};
use ringtape::error::Error;
use ringtape::event::{Event, Execution};
use ringtape::feed::{Feed, Merged};
use ringtape::journal::{Durability, JournalOptions, Read, Reader, Record, Writer, verify};
use ringtape::limits::SEGMENT_BYTES_MIN;

use crate::common::program::{Ran, finish, ringtape, run, run_line};
use crate::common::runs::{cut_market, feed, folder, reboot, resuming, session, start, tapes};
use crate::written::tried;

fn assert_resumes(feed: &dyn Fn() -> Box<dyn Feed>, symbols: &[&str], messages: u64) {
    let expected = start(feed(), None, symbols).expect("a run").hashes;
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let report = start(feed(), Some(resuming(&dir)), symbols).expect("a run");
    assert_eq!(report.hashes, expected);
    assert_eq!(report.resumed, None, "an empty directory starts from the beginning");
    assert!(symbols.is_empty() || report.filtered > 0);
    let records = report.records;

    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    // Within the first definitions, at the first roll, and anywhere.
    let per_segment = 255 * 1023;
    let near = [0, 1, 2, 3, 5, 500, per_segment - 1, per_segment, per_segment + 2];
    let anywhere = std::iter::repeat_with(|| random.next_u64() % records).take(12);
    let mut cuts: Vec<_> = near.into_iter().chain(anywhere).filter(|&cut| cut < records).collect();
    cuts.extend([per_segment + 450, records - 1].into_iter().filter(|&cut| cut < records));
    tried("a run cut at a record", cuts.len() as u64);
    for cut in cuts {
        cut_market(&dir, cut);
        let report = start(feed(), Some(resuming(&dir)), symbols).expect("a resumed run");
        assert!(report.error.is_none(), "cut at {cut}: {:?}", report.error);
        assert_eq!(report.hashes, expected, "cut at {cut}");
        assert_eq!(report.checks.messages, messages);
        let resumed = report.resumed.expect("a resumed run");
        assert_eq!(resumed.market.next_sequence, cut);
        let journal = report.journal.expect("a journal");
        let found = verify::<Event>(&dir.join(MARKET_DIR)).expect("a whole journal");
        assert_eq!((found.records, found.sealed), (journal.market.records, true));
        let found = verify::<Execution>(&dir.join(EXECUTIONS_DIR)).expect("a whole journal");
        assert_eq!((found.records, found.sealed), (journal.executions.records, true));
    }
    // The journal of all those epochs is a recording of one run.
    let recorded = Box::new(JournalFeed::open(&dir).expect("a journal"));
    let again = start(recorded, None, symbols).expect("a run");
    assert_eq!(again.hashes, expected);
}

#[test]
fn a_run_goes_on_from_any_record_to_the_same_state() {
    let session = session(60_000, 11);
    assert_resumes(&|| feed(&session), &[], 60_000);
}

#[test]
fn a_run_of_some_symbols_goes_on_from_any_record_to_the_same_state() {
    let session = session(60_000, 11);
    assert_resumes(&|| feed(&session), &["ACME", "BOLTX"], 60_000);
}

#[test]
fn a_run_over_several_segments_goes_on_from_any_record_to_the_same_state() {
    let session = session(350_000, 12);
    assert_resumes(&|| feed(&session), &[], 350_000);
}

#[test]
fn a_run_of_two_feeds_goes_on_from_any_record_to_the_same_state() {
    let sessions = [session(30_000, 11), session(20_000, 12)];
    let both = || -> Box<dyn Feed> {
        Box::new(Merged::new(sessions.iter().map(feed).collect()).expect("two feeds"))
    };
    assert_resumes(&both, &["ACME", "BOLTX", "ACME.2"], 50_000);
}

#[test]
fn a_finished_run_can_be_resumed_and_stays_as_it_is() {
    let session = session(20_000, 3);
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let first = start(feed(&session), Some(resuming(scratch.path())), &[]).expect("a run");
    for _ in 0..3 {
        let again = start(feed(&session), Some(resuming(scratch.path())), &[]).expect("a run");
        assert!(again.error.is_none(), "{:?}", again.error);
        assert_eq!((again.hashes, again.executions), (first.hashes, first.executions));
    }
}

#[test]
fn an_execution_that_comes_out_otherwise_is_named_and_ends_the_run_with_code_1() {
    let session = session(60_000, 11);
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path();
    start(feed(&session), Some(resuming(dir)), &[]).expect("a run");
    let executions = dir.join(EXECUTIONS_DIR);
    let mut reader = Reader::<Execution>::open(&executions).expect("a journal");
    let mut records = vec![bytemuck::Zeroable::zeroed(); 40];
    assert_eq!(reader.read(&mut records).expect("records"), Read::Records(40));
    // Whoever recorded this had another idea of execution 30.
    let (mut writer, _) = Writer::<Execution>::resume(&executions, Durability::PageCache, Some(30))
        .expect("a journal");
    records[30].qty += 1;
    writer.append_batch(&records[30..]).expect("space");
    drop(writer);
    let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
    let error = report.error.expect("a difference");
    assert_eq!(error.exit_code(), 1, "{error}");
    assert!(error.to_string().contains("not deterministic: execution 30"), "{error}");
}

#[test]
fn an_execution_journal_that_begins_behind_the_end_of_its_run_is_named_for_that() {
    let session = session(20_000, 3);
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path();
    let first = start(feed(&session), Some(resuming(dir)), &[]).expect("a run");
    let executions = dir.join(EXECUTIONS_DIR);
    let go_on = || Writer::<Execution>::resume(&executions, Durability::PageCache, None);
    let (mut writer, _) = go_on().expect("a journal");
    let more = Execution { cause: 0, ..bytemuck::Zeroable::zeroed() };
    writer.append_batch(&[more; 10]).expect("space");
    drop(writer);
    drop(go_on().expect("a journal"));
    let mut lost = tapes(&executions);
    let kept = lost.pop().expect("the last segment");
    lost.iter().for_each(|path| std::fs::remove_file(path).expect("a segment"));

    let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
    let error = report.error.expect("segments are missing");
    assert!(error.to_string().contains("the segments before are missing"), "{error}");
    assert_eq!(error.exit_code(), 2);
    // As the error says.
    assert!(kept.exists());
    std::fs::rename(&executions, dir.join("away")).expect("a folder");
    let report = start(feed(&session), Some(resuming(dir)), &[]).expect("a resumed run");
    assert!(report.error.is_none(), "{:?}", report.error);
    let found = verify::<Execution>(&executions).expect("a journal");
    assert_eq!(
        (report.hashes, found.records),
        (first.hashes, first.journal.unwrap().executions.records)
    );
}

#[test]
fn another_feed_or_configuration_is_refused_and_nothing_is_changed() {
    let ours = session(20_000, 3);
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path();
    start(feed(&ours), Some(resuming(dir)), &[]).expect("a run");
    cut_market(dir, 10_000);
    let before = verify::<Event>(&dir.join(MARKET_DIR)).expect("a journal");
    // Another beginning, the same beginning with another end, and a shorter one.
    let other = session(20_000, 4);
    let mut longer = ours.to_vec();
    let middle = longer.len() / 4;
    let end = other[middle..].to_vec();
    longer.truncate(middle);
    let shorter: Arc<[u8]> = longer.clone().into();
    longer.extend(end);
    let refusals = [&other, &Arc::from(longer), &shorter]
        .map(|session| start(feed(session), Some(resuming(dir)), &[]).expect_err("another feed"));
    let config = JournalConfig { run_toml: "strategy = \"none\"".to_owned(), ..resuming(dir) };
    let refused = start(feed(&ours), Some(config), &[]).expect_err("another configuration");
    for error in refusals.into_iter().chain([refused]) {
        let is_fault = matches!(error, Error::BadFeed { .. });
        assert!(error.exit_code() == 2 || is_fault, "{error}");
    }
    assert_eq!(verify::<Event>(&dir.join(MARKET_DIR)).expect("a journal"), before);
}

/// What is compared of two runs.
fn hashes(ran: &Ran) -> (String, serde_json::Value, serde_json::Value) {
    let json = ran.json();
    (json["state_hash"].to_string(), json["hashes"].clone(), json["portfolio"].clone())
}

const REPLAY: &str = "replay feeds/sample.itch.gz --strategy maker:symbols=ACME,ORBQ,lots=1 --json";

fn replay(dir: &Path, more: &str) -> Vec<String> {
    let words = REPLAY.split_whitespace().map(str::to_owned);
    let journal = ["--journal".to_owned(), dir.display().to_string()];
    words.chain(journal).chain(more.split_whitespace().map(str::to_owned)).collect()
}

/// Starts a paced run and kills it after `wait`.
fn kill_after(wait: Duration, dir: &Path, more: &str) {
    let mut child = ringtape(replay(dir, &format!("--resume --rate 400k {more}")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(wait);
    child.kill().expect("a child");
    child.wait().expect("a child");
}

#[test]
fn executions_of_a_market_journal_that_was_being_cut_off_are_kept_in_quarantine() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir: PathBuf = scratch.path().join("run");
    let uninterrupted = finish(&mut ringtape(replay(&dir, "")));
    let first = format!("{:020}", 0);
    // As recovery leaves it when it is killed between both journals.
    std::fs::write(dir.join(MARKET_DIR).join(format!("{first}.cut")), "").expect("a journal");
    let resumed = finish(&mut ringtape(replay(&dir, "--resume")));
    assert_eq!(resumed.code, 0, "{}", resumed.all());
    assert_eq!(hashes(&resumed), hashes(&uninterrupted));
    for part in ["market", "executions"] {
        let kept = std::fs::read_dir(dir.join(part).join("quarantine")).expect("a quarantine");
        assert!(kept.count() > 0, "{part}");
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_to_the_same_hashes() {
    let rounds =
        std::env::var("RINGTAPE_KILL_ROUNDS").map_or(4, |text| text.parse().expect("a number"));
    let uninterrupted = hashes(&run(REPLAY.split_whitespace()));
    let seed = std::process::id().into();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    println!("seed {seed}");
    let mut all_kills = 0;
    for round in 0..rounds {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let dir: PathBuf = scratch.path().join("run");
        let kills = 1 + random.next_u64() % 3;
        // So often that many a kill comes while one is being written.
        let more = if round % 2 == 0 { "--snapshot-every 2k" } else { "" };
        all_kills += kills;
        for _ in 0..kills {
            kill_after(Duration::from_micros(random.next_u64() % 900_000), &dir, more);
            if dir.join(MARKET_DIR).join(format!("{:020}.tape", 0)).exists() {
                let verified = run(["journal", "verify", dir.to_str().expect("text")]);
                assert_eq!(verified.code, 0, "{}", verified.all());
            }
        }
        let resumed = finish(&mut ringtape(replay(&dir, "--resume")));
        assert_eq!(resumed.code, 0, "round {round}: {}", resumed.all());
        assert_eq!(hashes(&resumed), uninterrupted, "round {round}");
        let again = run(["replay", dir.to_str().expect("text"), "--json"]);
        assert_eq!(hashes(&again), uninterrupted, "round {round}, replayed");
        let took_up = &resumed.json()["journal"]["resumed"];
        let (at, from) = (&took_up["market"]["next_sequence"], &took_up["snapshot"]["market"]);
        println!("round {round}: {kills} kills, record {at}, run again from {from}, same hashes");
    }
    tried("a run killed at a random moment", all_kills);
}

/// Writes the records of a journal into a new one, of the same run and feed, whose writer is killed.
fn write_again<R: Record>(from: &Path, to: &Path) {
    let mut reader = Reader::<R>::open(from).expect("a journal");
    let header = reader.header();
    let options = JournalOptions {
        segment_bytes: SEGMENT_BYTES_MIN,
        run_hash: header.run_hash,
        feed_identity: header.feed_identity,
        ..JournalOptions::default()
    };
    let mut writer = Writer::<R>::create(to, &options).expect("space");
    let mut batch = vec![R::zeroed(); 1024];
    while let Read::Records(count) = reader.read(&mut batch).expect("a whole journal") {
        writer.append_batch(&batch[..count]).expect("space");
    }
}

#[test]
fn a_run_goes_on_whatever_pages_a_crash_of_the_machine_took() {
    let session = session(20_000, 23);
    let scratch = folder();
    let [whole, killed] = ["whole", "killed"].map(|name| scratch.path().join(name));
    let first = start(feed(&session), Some(resuming(&whole)), &[]).expect("a run");
    assert!(first.executions > 500, "{}", first.executions);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(12);
    let rounds = 40;
    for round in 0..rounds {
        let _ = fs::remove_dir_all(&killed);
        fs::create_dir_all(&killed).expect("space");
        fs::copy(whole.join(RUN_FILE), killed.join(RUN_FILE)).expect("space");
        write_again::<Event>(&whole.join(MARKET_DIR), &killed.join(MARKET_DIR));
        write_again::<Execution>(&whole.join(EXECUTIONS_DIR), &killed.join(EXECUTIONS_DIR));
        let mut lost = Vec::new();
        for (part, records, slot_bytes) in
            [(MARKET_DIR, first.records, 64), (EXECUTIONS_DIR, first.executions, 128)]
        {
            reboot(&killed.join(part));
            let pages = records * slot_bytes / 4096;
            // Of one journal, of the other, of both.
            let wanted = if random.next_u64() % 3 == 0 { 0 } else { 1 + random.next_u64() % 3 };
            for _ in 0..wanted {
                let page = 1 + random.next_u64() % pages;
                let file = OpenOptions::new().write(true).open(&tapes(&killed.join(part))[0]);
                let gone = file.and_then(|file| file.write_all_at(&[0; 4096], page * 4096));
                gone.expect("space");
                lost.push((part, page));
            }
        }
        let report = start(feed(&session), Some(resuming(&killed)), &[]);
        let report = report.unwrap_or_else(|error| panic!("round {round}, {lost:?}: {error}"));
        assert!(report.error.is_none(), "round {round}, {lost:?}: {:?}", report.error);
        assert_eq!(report.hashes, first.hashes, "round {round}, {lost:?}");
    }
    tried("pages of a run's journals that a crash of the machine took", rounds);
}

#[test]
fn another_strategy_is_refused_and_left_out_flags_are_those_of_the_run() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let recorded = finish(&mut ringtape(replay(&dir, "")));
    assert_eq!(recorded.code, 0, "{}", recorded.all());
    let again = finish(&mut ringtape(replay(&dir, "")));
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--resume"), "{}", again.all());
    let journal = dir.to_str().expect("text");
    let feed = "feeds/sample.itch.gz";
    let other =
        run(["replay", feed, "--strategy", "maker:symbols=ACME", "--journal", journal, "--resume"]);
    assert_eq!(other.code, 2, "{}", other.all());
    assert!(other.stderr.contains("another configuration"), "{}", other.all());
    for (feed, flags, told) in [
        (feed, "--strategy maker:symbols=ACME", "another configuration"),
        ("feeds/bad/unknown-orders.itch", "--strategy maker:symbols=ACME,ORBQ", "another feed"),
    ] {
        let line = format!("replay {feed} {flags},lots=1 --journal {journal} --resume --dry-run");
        let dry = run_line(&line.replace("ACME,lots=1", "ACME"));
        assert_eq!(dry.code, 2, "{}", dry.all());
        assert!(dry.stderr.contains(told), "{}", dry.all());
    }
    let left_out = run(["replay", feed, "--journal", journal, "--resume", "--json"]);
    assert_eq!(hashes(&left_out), hashes(&recorded));
    let by_its_journal = run_line(&format!("replay {journal}/market --json"));
    assert_eq!(hashes(&by_its_journal), hashes(&recorded));
}

#[test]
fn a_run_whose_configuration_was_changed_is_not_repeated_as_if_it_were_the_same() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    assert_eq!(finish(&mut ringtape(replay(&dir, ""))).code, 0);
    let file = dir.join("run.toml");
    let text = std::fs::read_to_string(&file).expect("text");
    std::fs::write(&file, text.replace("lots=1", "lots=2")).expect("space");
    let journal = dir.display();
    for line in [
        format!("replay {journal}"),
        format!("replay {journal} --strategy none"),
        format!("journal verify {journal} --deep"),
    ] {
        let ran = run_line(&line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.all());
        assert!(ran.stderr.contains("restore its `run.toml`"), "{line}: {}", ran.all());
    }
    assert_eq!(run_line(&format!("dump {journal} --limit 1")).code, 0, "records are what they are");
    std::fs::write(&file, text).expect("space");
    assert_eq!(run_line(&format!("replay {journal} --strategy none")).code, 0);
}
