//! The C library, its header and the C example, as a C programmer builds them.
//!
//! Would catch a header that does not compile or does not fit the library, a null pointer or an
//! error that crashes, and a book in C that is not the program's. Says so and skips where there is
//! no `gcc` or no `cbindgen`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::program::{Ran, finish, run_line};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the header, the library and the programs; `None` where a tool is missing.
fn built() -> Option<PathBuf> {
    for tool in ["gcc", "cbindgen"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: no {tool}");
            return None;
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    let mut library = Command::new(env!("CARGO"));
    library.args(["rustc", "--quiet", "--lib", "--no-default-features", "--features", "capi"]);
    library.args(["--crate-type", "cdylib", "--target-dir"]).arg(target.join("capi"));
    succeeds(library.current_dir(root()));
    let mut header = Command::new("cbindgen");
    header.args(["--quiet", "--config", "examples/c/cbindgen.toml", "--output"]);
    succeeds(header.arg(target.join("ringtape.h")).current_dir(root()));
    Some(target)
}

fn succeeds(command: &mut Command) -> Ran {
    let ran = finish(command);
    assert_eq!(ran.code, 0, "{command:?}\n{}", ran.all());
    ran
}

/// Compiles a C file of the project and gives the command that runs it.
fn compiled(target: &Path, source: &str) -> Command {
    let program = target.join(Path::new(source).file_stem().expect("a name"));
    let library = target.join("capi/debug");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(target)
        .arg(root().join(source));
    gcc.arg("-L").arg(&library).args(["-lringtape", "-o"]).arg(&program);
    succeeds(&mut gcc);
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", library);
    command
}

#[test]
fn c_programs_have_the_books_of_the_program_and_get_errors_for_mistakes() {
    let Some(target) = built() else { return };
    let said = succeeds(&mut compiled(&target, "tests/capi/misuse.c"));
    assert_eq!(said.stdout, "all refused\n");

    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run");
    let replay =
        format!("replay feeds/sample.itch.gz --until 12:00 --journal {} --json", dir.display());
    let run = run_line(&replay).json();
    let market = dir.join("market");
    let said = succeeds(compiled(&target, "examples/c/book.c").arg(&market).arg("ACME")).stdout;
    let records = run["journal"]["market"]["records"].as_u64().expect("a count");
    assert!(said.starts_with(&format!("records {records}\n")), "{said}");
    let shown =
        run_line("book feeds/sample.itch.gz --symbol ACME --at 12:00 --depth 3 --json").json();
    for (side, key) in [("bid", "bids"), ("ask", "asks")] {
        for level in shown[key].as_array().expect("levels") {
            let price = level["price"].as_str().expect("a decimal").replace('.', "");
            let line = format!("{side} {price} {} in {} orders\n", level["qty"], level["orders"]);
            assert!(said.contains(&line), "no `{line}` in\n{said}");
        }
    }

    let ran = finish(compiled(&target, "examples/c/book.c").arg(scratch.path()).arg("ACME"));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.starts_with("journal: "), "{}", ran.all());
}
