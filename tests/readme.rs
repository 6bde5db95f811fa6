//! Every command of the README does what the README says.
//!
//! Would catch a first five minutes that fails: a renamed flag, a moved file, a stale example. The
//! Rust examples are doc tests of the crate; the commands of cargo itself are run by `.ci/run`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::program::{Ran, finish, ringtape};

/// The lines of the README's shell blocks, without comments.
fn shell_lines() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with the project's feeds and order files in it, as a checkout has them.
fn checkout() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().to_owned();
    for name in ["feeds", "tests"] {
        std::os::unix::fs::symlink(root().join(name), folder.join(name)).expect("a link");
    }
    (scratch, folder)
}

fn run_in(folder: &Path, words: &str) -> Ran {
    finish(ringtape(words.split_whitespace()).current_dir(folder))
}

#[test]
fn the_main_command_ends_with_orders_fills_money_and_the_state_hash() {
    let line = shell_lines().remove(0);
    let words = line.strip_prefix("cargo run --release -- ").expect("the main command comes first");
    assert!(words.starts_with("replay feeds/"), "the feed comes directly after replay: {words}");
    let (_scratch, folder) = checkout();
    let ran = run_in(&folder, words);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let json = run_in(&folder, &format!("{words} --json")).json();
    assert!(json["fills"].as_u64() > Some(0) && json["orders"]["accepted"].as_u64() > Some(0));
    assert_eq!(json["portfolio"].as_array().map(Vec::len), Some(2));
    let hash = json["state_hash"].as_str().expect("a hash");
    assert!(ran.stderr.ends_with(&format!("state hash {hash}\n")), "{}", ran.stderr);

    let feed = words.split_whitespace().nth(1).expect("a feed");
    assert_eq!(run_in(&folder, &format!("replay {feed}")).code, 0, "without a strategy");
}

#[test]
fn the_other_commands_run_in_their_order() {
    let (_scratch, folder) = checkout();
    let lines = shell_lines();
    let commands: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("ringtape ")).collect();
    assert!(commands.len() >= 12, "{commands:?}");
    for words in commands {
        let ran = run_in(&folder, words);
        assert_eq!(ran.code, 0, "ringtape {words}\n{}", ran.all());
    }
}

#[test]
fn the_recorded_run_repeats_its_hash_as_promised() {
    let (_scratch, folder) = checkout();
    let lines = shell_lines();
    let runs: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("ringtape "))
        .filter(|words| words.contains("--journal run") || *words == "replay run")
        .map(|words| run_in(&folder, &format!("{words} --json")).json()["state_hash"].clone())
        .collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn commands_of_cargo_are_run_by_the_ci_script() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect("a CI script");
    let lines = shell_lines();
    let commands: Vec<_> = lines.iter().filter(|line| line.contains("cargo ")).skip(1).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        assert!(
            ci.lines().any(|line| line.starts_with(command.as_str())),
            ".ci/run has no line `{command}`"
        );
    }
}
