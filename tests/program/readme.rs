//! Every command of the README does what the README says.
//!
//! Would catch a first five minutes that fails: a renamed flag, a moved file, a stale example. The
//! Rust examples are doc tests of the crate; the commands of cargo itself are run by `.ci/run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::program::{Ran, finish, ringtape};

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
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(readme.contains(&format!("\nstate hash {hash}\n")), "the README promises another");

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
        // What needs a feature runs as the program that `cargo bench` builds with the same feature.
        let run =
            command.replace("cargo run --release --features peers --", "target/release/ringtape");
        assert!(
            ci.lines().any(|line| line.trim_start().starts_with(run.as_str())),
            ".ci/run has no line `{run}`"
        );
    }
}

/// What each crate comes with, by the rows of the README's table.
fn shown_dependencies(readme: &str) -> BTreeMap<String, BTreeSet<String>> {
    let table = readme.split("| crate | with | for |").nth(1).expect("a table of dependencies");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let with = cells[2].split(", ").filter(|with| *with != "always").map(str::to_owned);
        (cells[1].clone(), with.collect())
    })
    .collect()
}

/// What each crate comes with, by the manifest: features, none for those that always come.
fn named_dependencies(manifest: &str) -> BTreeMap<String, BTreeSet<String>> {
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let features = manifest["features"].as_table().expect("features");
    let brings = |list: &toml::Value, name: &str| {
        let list = list.as_array().expect("a list");
        list.iter().any(|part| part.as_str() == Some(&format!("dep:{name}")))
    };
    let with = |name: &str| {
        let bringing = features.iter().filter(|(_, list)| brings(list, name));
        bringing.map(|(feature, _)| feature.clone()).collect()
    };
    let named = manifest["dependencies"].as_table().expect("dependencies");
    named.keys().map(|name| (name.clone(), with(name))).collect()
}

#[test]
fn every_dependency_has_its_reason_and_the_features_that_bring_it() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("a file");
    assert_eq!(shown_dependencies(&read("README.md")), named_dependencies(&read("Cargo.toml")));
}

#[test]
fn the_short_strategy_is_the_one_of_the_example() {
    let strategy = |text: String| {
        let begin = text.find("/// Buys 100 at the best bid").expect("a strategy");
        text[begin..].split("\nfn main").next().map(str::to_owned)
    };
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("a file");
    assert_eq!(strategy(read("README.md")), strategy(read("examples/scalper.rs")));
}
