//! Holds the house in order: which module may use which, where `unsafe` may stand, how long files,
//! functions and lines may be, that documents and code agree.
//!
//! Each test here would catch a change that compiles and passes everything else, and still makes
//! the tree worse.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sources::{root, rust_files};

/// The modules in reading order, which is the order of the data: each may use those before it.
const ORDER: [&str; 23] = [
    "error",
    "units",
    "limits",
    "hash",
    "state",
    "clock",
    "map",
    "processor",
    "event",
    "feed",
    "ring",
    "bus",
    "runtime",
    "book",
    "matching",
    "portfolio",
    "gateway",
    "strategy",
    "journal",
    "engine",
    "report",
    "prelude",
    "capi",
];

/// Files that may use `unsafe`.
const UNSAFE_FILES: [&str; 16] = [
    "src/ring/slots/claim.rs",
    "src/ring/slots/hint.rs",
    "src/ring/slots/memory.rs",
    "src/ring/slots/mod.rs",
    "src/ring/slots/reader.rs",
    "src/ring/slots/writer.rs",
    "src/map.rs",
    "src/map/huge.rs",
    "src/processor.rs",
    "src/journal/crc.rs",
    "src/cli/fault.rs",
    "src/capi/mod.rs",
    "src/capi/pointers.rs",
    "src/capi/ring.rs",
    "src/capi/journal.rs",
    "src/capi/book.rs",
];

/// Modules that know no thread, ring, clock or file.
const PURE_MODULES: [&str; 5] = ["book", "matching", "portfolio", "gateway", "strategy"];

/// Modules without floats.
const FLOATLESS_MODULES: [&str; 5] = ["event", "book", "matching", "portfolio", "journal"];

/// Folders of Rust files.
const FOLDERS: [&str; 4] = ["src", "tests", "benches", "examples"];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 75;
const LINE_COLUMNS_MAX: usize = 100;

/// Visible entries of the top level; `fuzz`, `python` and `target` come and go.
const TOP_LEVEL: [&str; 12] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "examples",
    "feeds",
    "src",
    "target",
    "tests",
];

/// The module that a file of `src` belongs to; `None` for the crate's roots and the program.
fn module(file: &Path) -> Option<String> {
    let mut parts = file.components().skip(1).map(|part| part.as_os_str().to_string_lossy());
    let first = parts.next()?.trim_end_matches(".rs").to_owned();
    (!matches!(first.as_str(), "lib" | "main" | "cli")).then_some(first)
}

/// The text without its unit tests and comments.
fn code(text: &str) -> String {
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    production
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules of this crate that `code` names in a path: `crate::event::...`.
fn used_modules(code: &str) -> BTreeSet<String> {
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn arrows_never_run_back() {
    let place = |module: &str| ORDER.iter().position(|name| *name == module);
    for (file, text) in rust_files("src") {
        let Some(own) = module(&file) else { continue };
        let own_place = place(&own).unwrap_or_else(|| panic!("{own} has no place in the order"));
        for used in used_modules(&code(&text)) {
            let used_place = place(&used)
                .unwrap_or_else(|| panic!("{}: crate::{used} is no module", file.display()));
            assert!(used_place <= own_place, "{}: {own} uses {used}", file.display());
        }
    }
}

#[test]
fn units_limits_and_error_use_no_module_of_ours() {
    for name in ["units", "limits", "error"] {
        let text = fs::read_to_string(root().join(format!("src/{name}.rs"))).expect("a module");
        assert_eq!(used_modules(&code(&text)), BTreeSet::new(), "{name}");
    }
}

#[test]
fn ring_bus_and_runtime_know_no_event() {
    for (file, text) in rust_files("src") {
        if matches!(module(&file).as_deref(), Some("ring" | "bus" | "runtime")) {
            assert!(!used_modules(&code(&text)).contains("event"), "{}", file.display());
        }
    }
}

#[test]
fn books_matching_portfolio_gateway_and_strategies_know_no_thread_ring_clock_or_file() {
    for (file, text) in rust_files("src") {
        let Some(own) = module(&file) else { continue };
        if !PURE_MODULES.contains(&own.as_str()) {
            continue;
        }
        let code = code(&text);
        for banned in
            ["crate::ring", "crate::runtime", "crate::clock", "std::thread", "std::time", "std::fs"]
        {
            assert!(!code.contains(banned), "{} uses {banned}", file.display());
        }
    }
}

#[test]
fn unsafe_stands_in_the_fenced_files_only() {
    for (file, text) in rust_files("src") {
        let is_fenced = UNSAFE_FILES.iter().any(|fenced| file == Path::new(fenced));
        let code = code(&text);
        let has_unsafe = code.contains("unsafe {")
            || code.contains("unsafe fn")
            || code.contains("unsafe impl")
            || code.contains("allow(unsafe_code)");
        assert!(is_fenced || !has_unsafe, "{} uses unsafe", file.display());
        if is_fenced {
            let blocks = code.matches("unsafe {").count() + code.matches("unsafe impl").count();
            let reasons = text.matches("SAFETY:").count();
            assert!(reasons >= blocks, "{}: {blocks} blocks, {reasons} reasons", file.display());
        }
    }
}

#[test]
fn there_are_no_floats_where_money_and_prices_are() {
    for (file, text) in rust_files("src") {
        let Some(own) = module(&file) else { continue };
        if FLOATLESS_MODULES.contains(&own.as_str()) {
            let code = code(&text);
            for float in ["f32", "f64"] {
                assert!(!code.contains(float), "{} uses {float}", file.display());
            }
        }
    }
}

#[test]
fn only_the_command_line_prints_and_exits() {
    for (file, text) in rust_files("src") {
        // Tests in a file of their own, which tell how many cases they tried.
        if module(&file).is_none() || file.ends_with("journal/faults.rs") {
            continue;
        }
        let code = code(&text);
        for banned in ["println!", "print!(", "process::exit", "process::abort"] {
            assert!(!code.contains(banned), "{} uses {banned}: return it", file.display());
        }
    }
}

#[test]
fn files_functions_and_lines_keep_to_their_length() {
    let mut overlong = Vec::new();
    let mut check = |what: String, length: usize, most: usize| {
        if length > most {
            overlong.push(format!("{what}: {length} of {most}"));
        }
    };
    for (file, text) in FOLDERS.into_iter().flat_map(rust_files) {
        let is_production = file.starts_with("src");
        let file = file.display();
        check(format!("lines of {file}"), text.lines().count(), FILE_LINES_MAX);
        if !is_production {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            // A row of a table in the documentation cannot be wrapped.
            let is_table = line.trim_start().starts_with("//! |");
            let columns = if is_table { 0 } else { line.chars().count() };
            check(format!("columns of {file}:{}", number + 1), columns, LINE_COLUMNS_MAX);
        }
        for (name, lines) in function_lengths(&text) {
            check(format!("lines of fn {name} in {file}"), lines, FUNCTION_LINES_MAX);
        }
    }
    assert!(overlong.is_empty(), "{}", overlong.join("\n"));
}

/// Names and lengths of the functions in formatted code, from `fn` to the brace of equal indent.
fn function_lengths(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let head = line.trim_start().trim_start_matches("pub(super) ");
        let head = head.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let Some(rest) = head.trim_start_matches("const ").strip_prefix("fn ") else { continue };
        if line.ends_with(';') {
            continue;
        }
        let name = rest.split(['(', '<']).next().unwrap_or(rest).to_owned();
        let end = lines[start..]
            .iter()
            .position(|other| indent(other) == indent(line) && other.trim_start() == "}");
        if let Some(end) = end {
            lengths.push((name, end + 1));
        }
    }
    lengths
}

#[test]
fn nothing_is_left_undone() {
    for folder in FOLDERS {
        for (file, text) in rust_files(folder) {
            if file == Path::new("tests/tidy/house.rs") {
                continue;
            }
            for banned in ["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore"] {
                assert!(!text.contains(banned), "{} holds {banned}", file.display());
            }
        }
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    // What the README's commands leave there is ignored by git and by this test.
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("a .gitignore");
    let ignored = ignored.lines().map(|line| line.trim_start_matches('/'));
    let allowed: BTreeSet<_> =
        TOP_LEVEL.iter().copied().chain(["fuzz", "python"]).chain(ignored).collect();
    for entry in fs::read_dir(root()).expect("the root").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || allowed.contains(name.as_str()), "{name} at the top");
    }
}

#[test]
fn readme_and_ci_hold_the_same_test_command() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let ci = fs::read_to_string(root().join(".ci/run")).expect("a CI script");
    let command = "cargo test";
    assert!(readme.lines().any(|line| line == command), "the README has no line `{command}`");
    assert!(ci.lines().any(|line| line == command), ".ci/run has no line `{command}`");
}

#[test]
fn the_crates_documentation_shows_the_modules_and_their_arrows_as_built() {
    let mut built: Vec<(String, BTreeSet<String>)> =
        ORDER.iter().map(|name| ((*name).to_owned(), BTreeSet::new())).collect();
    for (file, text) in rust_files("src") {
        let Some(own) = module(&file) else { continue };
        let row = built.iter_mut().find(|(name, _)| *name == own).expect("a place in the order");
        row.1.extend(used_modules(&code(&text)).into_iter().filter(|used| *used != own));
    }
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("the crate root");
    let shown: Vec<(String, BTreeSet<String>)> = lib
        .lines()
        .skip_while(|line| *line != "//! # The modules")
        .take_while(|line| !line.contains("```"))
        .filter(|line| line.starts_with("//! | `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let used = cells[3].split_whitespace().map(|name| name.replace('`', ""));
            (cells[1].replace('`', ""), used.collect())
        })
        .collect();
    assert_eq!(shown, built);
}

#[test]
fn the_readme_names_the_toolchain_that_the_manifest_asks_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let asked = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .expect("a rust-version")
        .trim_end_matches('"');
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(readme.contains(&format!("Rust toolchain ({asked} or newer)")), "{asked}");
}
