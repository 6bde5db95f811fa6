//! A venue in another process.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::program::{ringtape, run};

/// A venue in a process of its own.
pub struct Venue {
    child: Child,
    pub address: String,
    stderr: BufReader<ChildStderr>,
}

impl Venue {
    /// Opens a venue whose books are those of the sample's noon.
    pub fn start(dir: &Path, listen: &str) -> Self {
        Self::open(dir, &["feeds/sample.itch.gz", "--until", "12:00"], listen)
    }

    /// Opens a venue with what `book` names, whose journals are below `dir`.
    pub fn open(dir: &Path, book: &[&str], listen: &str) -> Self {
        let dir = dir.join("venue").display().to_string();
        let kept = ["--journal", &dir, "--resume", "--json", "--listen", listen];
        let mut command = ringtape([&["venue"], book, &kept].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let address = line
            .strip_prefix("ringtape: listening at ")
            .and_then(|rest| rest.split(',').next())
            .unwrap_or_else(|| panic!("no address: {line}"));
        Self { address: address.to_owned(), child, stderr }
    }

    pub fn gateway(&self) -> String {
        format!("tcp://{}?heartbeat=500ms", self.address)
    }

    pub fn kill(self) {
        drop(self);
    }

    /// Closes the venue and gives its report.
    pub fn close(mut self) -> Value {
        signal(&self.child, Signal::INT);
        let (mut told, mut report) = (String::new(), String::new());
        self.stderr.read_to_string(&mut told).expect("text");
        let mut stdout = self.child.stdout.take().expect("piped");
        stdout.read_to_string(&mut report).expect("text");
        let status = self.child.wait().expect("an end");
        assert_eq!(status.code(), Some(130), "{told}");
        serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

impl Drop for Venue {
    /// A venue whose test failed does not outlive it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child that runs.
pub fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(child.id() as i32).expect("a process");
    kill_process(id, signal).expect("it runs");
}

/// A fill: order without the venue's part of its number, side, price, quantity, filled so far.
pub type Fill = (u64, String, String, u64, u64);

/// The fills of an execution journal, with the side that is ours.
pub fn fills(dir: &Path, is_ours: impl Fn(u64) -> bool) -> Vec<Fill> {
    let dir = dir.join("executions").display().to_string();
    let ran = run(["journal", "tail", &dir, "--kind", "filled", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap_or_default();
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a document a line"))
        .filter(|row| is_ours(number(row, "order_id")))
        .map(|row| {
            let order = number(&row, "order_id") & ((1 << 40) - 1);
            let (side, price) = (text(&row, "side"), row["price"].to_string());
            (order, side, price, number(&row, "qty"), number(&row, "cum"))
        })
        .collect()
}

/// Both sides' fills, which must be the same, each once.
pub fn same_fills(dir: &Path) -> Vec<Fill> {
    let own = fills(&dir.join("run"), |_| true);
    let told = fills(&dir.join("venue"), |order| order >> 40 > 0);
    let mut sorted = own.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), own.len(), "a fill is booked twice: {own:?}");
    assert_eq!(own, told);
    own
}
