//! The program `ringtape`, run as a user runs it.

use std::ffi::OsStr;
use std::process::{Child, Command, Output, Stdio};

/// The built program with `arguments`, in the project's folder.
pub fn ringtape<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringtape"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// What a finished program printed, and its exit code.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Everything that was printed, for messages of failed assertions.
    pub fn all(&self) -> String {
        format!("exit {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }

    /// The JSON document on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.all()))
    }
}

/// Runs `ringtape` to its end.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    finish(&mut ringtape(arguments))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    ran(command.output().expect("the program starts"))
}

/// Runs `ringtape` with the words of `line`, and with files of at most so many KiB.
pub fn run_with_small_files(kib: u64, line: &str) -> Ran {
    let script = format!("ulimit -f {kib}; exec {} {line}", env!("CARGO_BIN_EXE_ringtape"));
    let mut shell = Command::new("bash");
    finish(shell.args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()))
}

/// Starts `ringtape`, whose output is kept for [`end`].
pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Child {
    let mut command = ringtape(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Waits for the end of a program that was started.
pub fn end(child: Child) -> Ran {
    ran(child.wait_with_output().expect("an end"))
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs `ringtape` with the words of `line`.
pub fn run_line(line: &str) -> Ran {
    run(line.split_whitespace())
}
