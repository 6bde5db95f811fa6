//! `replay --watch`, driven in a real terminal: tmux shows what a user would see.
//!
//! Would catch a dashboard that stays blank, that keeps the terminal when it ends, that takes keys
//! from the run, or that changes its result. Skipped, and said so, where there is no tmux.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::program::run;

const SAMPLE: &str = "feeds/sample.itch.gz";

/// How long something may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 80 by 24 in which the program runs; what it leaves stays to be looked at.
struct Screen {
    socket: String,
}

impl Screen {
    /// `None` where there is no tmux.
    fn open(name: &str, arguments: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: no tmux here");
            return None;
        }
        let screen = Self { socket: format!("ringtape-{name}-{}", std::process::id()) };
        let program = env!("CARGO_BIN_EXE_ringtape");
        let command = format!("'{program}' {arguments}; echo \"exit $?\"; sleep 600");
        let size = ["-x", "80", "-y", "24"];
        let dir = env!("CARGO_MANIFEST_DIR");
        screen.tmux(&[&["new-session", "-d", "-c", dir], &size[..], &[&command]].concat());
        Some(screen)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket, "-f", "/dev/null"]).args(arguments);
        let output = command.env("LC_ALL", "C.UTF-8").output().expect("tmux starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What is on the screen once it holds `text`, with what has scrolled away.
    fn showing(&self, text: &str) -> String {
        let started = Instant::now();
        loop {
            let shown = self.tmux(&["capture-pane", "-p", "-S", "-200"]);
            if shown.contains(text) {
                return shown;
            }
            assert!(started.elapsed() < PATIENCE, "no `{text}` on the screen:\n{shown}");
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_dashboard_shows_stages_books_and_positions_and_leaves_the_report_behind() {
    let plain = run(["replay", SAMPLE, "--strategy", "maker:symbols=ACME", "--json"]).json();
    let arguments = format!("replay {SAMPLE} --strategy maker:symbols=ACME --rate 100k --watch");
    let Some(screen) = Screen::open("whole", &arguments) else { return };
    screen.showing("ask size");
    let shown = screen.showing("positions");
    for part in ["stages", "matching", "tick to order", "ask size", "messages/s", "US Eastern"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let shown = screen.showing("exit 0");
    let state = plain["state_hash"].as_str().expect("a hash");
    assert!(shown.contains(state), "the view changed the result\n{shown}");
    assert!(!shown.contains("closes this view"), "the dashboard was left behind\n{shown}");
}

#[test]
fn a_key_closes_the_view_and_the_run_goes_on_and_ctrl_c_stops_it() {
    let arguments = format!("replay {SAMPLE} --rate 20k --watch");
    let Some(screen) = Screen::open("keys", &arguments) else { return };
    // Two symbols at least, so that there is another book to turn to.
    let shown = screen.showing("book 1 of 2");
    screen.press("Right");
    let turned = screen.showing("book 2 of");
    assert_ne!(shown, turned);
    screen.press("q");
    // Only the line of progress that takes over has a comma there.
    let shown = screen.showing(" %, ");
    assert!(!shown.contains("closes this view"), "{shown}");
    screen.press("C-c");
    screen.showing("exit 130");

    let Some(screen) = Screen::open("stop", &arguments) else { return };
    screen.showing("closes this view");
    screen.press("C-c");
    let shown = screen.showing("exit 130");
    assert!(shown.contains("state"), "a stopped run reports\n{shown}");
}

#[test]
fn a_narrow_terminal_shows_whole_figures_one_below_the_other() {
    let arguments = format!("replay {SAMPLE} --strategy maker:symbols=ACME --rate 20k --watch");
    let Some(screen) = Screen::open("narrow", &arguments) else { return };
    screen.tmux(&["resize-window", "-x", "60", "-y", "30"]);
    screen.showing(" books   Ctrl-C stops ");
    let shown = screen.showing(" fills│");
    let words: Vec<&str> = shown.split_whitespace().collect();
    for part in ["ask", "size", "held", "net", "left,", "Eastern", "stops"] {
        assert!(words.contains(&part), "{part}\n{shown}");
    }
    let is_figure = |word: &&&str| word.bytes().all(|byte| b"0123456789.,".contains(&byte));
    let merged = words.iter().filter(is_figure).filter(|word| word.matches('.').count() > 1);
    assert_eq!(merged.count(), 0, "figures run into each other\n{shown}");
}

#[test]
fn a_feed_that_is_cut_gives_the_terminal_back_and_says_so() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let feed = scratch.path().join("sample.itch");
    run(["convert".as_ref(), SAMPLE.as_ref(), feed.as_os_str()]);
    let arguments = format!("replay {} --rate 20k --watch", feed.display());
    let Some(screen) = Screen::open("cut", &arguments) else { return };
    screen.showing("closes this view");
    let file = std::fs::OpenOptions::new().write(true).open(&feed).expect("a feed");
    file.set_len(4_096).expect("a shorter feed");
    let shown = screen.showing("exit 4");
    assert!(shown.contains("was cut, or its disk failed, while it was mapped"), "{shown}");
    assert!(!shown.contains("closes this view"), "the dashboard was left behind\n{shown}");
    // A terminal left raw would not go back to the first column after a line.
    assert!(shown.lines().any(|line| line == "exit 4"), "{shown}");
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_as_an_interrupt_does() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let journal = scratch.path().join("journal");
    let arguments = format!("replay {SAMPLE} --rate 10k --watch --journal {}", journal.display());
    let Some(screen) = Screen::open("gone", &arguments) else { return };
    screen.showing("closes this view");
    drop(screen);
    let started = Instant::now();
    while is_running(journal.to_str().expect("letters")) {
        assert!(started.elapsed() < PATIENCE, "the run goes on without its terminal");
        sleep(Duration::from_millis(100));
    }
    let market = journal.join("market");
    let ran = run(["journal".as_ref(), "verify".as_ref(), market.as_os_str()]);
    assert!(ran.all().contains("closed cleanly"), "{}", ran.all());
}

/// Whether a process has this word among its arguments.
fn is_running(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let arguments =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    arguments
        .into_iter()
        .any(|bytes| bytes.split(|&byte| byte == 0).any(|own| own == word.as_bytes()))
}

#[test]
fn without_a_terminal_there_is_an_error_and_no_run() {
    let ran = run(["replay", SAMPLE, "--watch"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.stderr.contains("no terminal"), "{}", ran.stderr);
}
