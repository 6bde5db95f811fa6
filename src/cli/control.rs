//! Control of a run from outside: limits and the kill switch, through the market ring.
//!
//! What is asked for is sequenced between two messages of the feed and stands in the market
//! journal, so that a replay of the journal repeats it. Of commands that are no run Ctrl-C asks for
//! their end.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringtape::error::{Error, Result};
use ringtape::event::kinds::Raw;
use ringtape::event::{Event, payload};
use ringtape::ring::{InboxSender, Wait};
use ringtape::runtime::StopFlag;
use ringtape::strategy::risk::{Limit, RiskLimits};
use ringtape::units::AccountId;
use signal_hook::consts::SIGUSR1;

use super::{Ending, parse, term};

/// How long a command waits for room in the inbox.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a source that had nothing more to say is looked at again.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of the longest line that is read.
const LINE_BYTES_MAX: usize = 1024;

/// Characters of a line that are named when it is refused.
const SHOWN_MAX: usize = 60;

/// A switch that the signal USR1 throws.
pub(super) struct KillSignal {
    is_thrown: Arc<AtomicBool>,
    is_done: bool,
}

impl KillSignal {
    /// Listens for the signal.
    pub(super) fn listen() -> Result<Self> {
        let is_thrown = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGUSR1, is_thrown.clone())
            .map_err(|error| Error::io("listen for", "the signal USR1", error))?;
        Ok(Self { is_thrown, is_done: false })
    }

    /// Throws the kill switch of all accounts if the signal came.
    pub(super) fn pass_on(&mut self, inbox: &InboxSender<Event>) {
        if !self.is_done && self.is_thrown.load(Ordering::Relaxed) && inbox.post(kill(None)).is_ok()
        {
            self.is_done = true;
            term::tell(format_args!("ringtape: USR1: the kill switch is thrown"));
        }
    }
}

/// The command that throws the kill switch of an account, or of all.
fn kill(account: Option<AccountId>) -> Event {
    let all_accounts = u32::from(account.is_none());
    let account = account.unwrap_or_default();
    Event::new(0, 0, payload::Kill { account, all_accounts, pad: Raw([0; 24]) })
}

/// The commands of a line: `kill [account=N]`, or `limits NAME=VALUE,... [account=N]`, where a
/// value `none` takes a limit away and account 0 is meant unless one is named.
///
/// The accounts are numbered from 0.
fn commands(line: &str, accounts: usize) -> Result<Vec<Event>> {
    let mut account = None;
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        match word.strip_prefix("account=") {
            Some(_) if account.is_some() => {
                return Err(Error::usage("an account is named twice", "write a line for each"));
            }
            Some(number) => account = Some(known_account(number, line, accounts)?),
            None => words.push(word),
        }
    }
    match words[..] {
        ["kill"] => Ok(vec![kill(account)]),
        ["limits", limits] => limit_changes(limits, account.unwrap_or_default()),
        _ => Err(bad(line)),
    }
}

fn known_account(number: &str, line: &str, accounts: usize) -> Result<AccountId> {
    let account: u32 = number.parse().map_err(|_| bad(line))?;
    if (account as usize) < accounts {
        return Ok(AccountId(account));
    }
    let (last, cure) = (accounts.saturating_sub(1), "name an account of the run");
    Err(Error::usage(
        match last {
            0 => format!("there is no account {account}: the one strategy trades for account 0"),
            _ => format!("there is no account {account}: the strategies' are 0 to {last}"),
        },
        cure,
    ))
}

fn limit_changes(limits: &str, account: AccountId) -> Result<Vec<Event>> {
    let mut names = Vec::new();
    let mut changes = Vec::new();
    for item in limits.split(',') {
        let name = item.split('=').next().unwrap_or(item);
        parse::once(&mut names, name, "limit")?;
        changes.push(limit(item, account)?);
    }
    Ok(changes)
}

fn limit(item: &str, account: AccountId) -> Result<Event> {
    // The name is checked by reading it with a value that every limit of its kind can have.
    let (name, value) = item.split_once('=').ok_or_else(|| bad(item))?;
    let known = Limit::ALL.into_iter().find(|limit| limit.name() == name);
    let (limit, value) = match (known, value) {
        (Some(limit), "none") => (limit, u64::MAX),
        (Some(limit), value) => (limit, limit.parse_value(value)?),
        (None, _) => return Err(item.parse::<RiskLimits>().err().unwrap_or_else(|| bad(item))),
    };
    let limits = payload::Limits { account, limit: limit as u32, value, pad: Raw([0; 16]) };
    Ok(Event::new(0, 0, limits))
}

fn bad(line: &str) -> Error {
    Error::usage(
        format!("`{}` is no command", shown(line)),
        "write `kill`, `kill account=0`, or `limits position=500,loss=250.00 account=0`",
    )
}

/// The beginning of a line, where it is long.
fn shown(line: &str) -> String {
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// Passes on commands from a file, a named pipe or stdin as long as the run goes on.
///
/// Those that are in a plain file already are there before the run has begun in earnest, and a
/// mistake among them is refused; then comes what is appended. A named pipe outlives its writers.
pub(super) fn follow(path: &Path, accounts: usize, inbox: InboxSender<Event>) -> Result<()> {
    let desk = CommandDesk { accounts, inbox };
    if path == Path::new("-") {
        thread::spawn(move || desk.read_stream(&mut io::stdin(), false));
        return Ok(());
    }
    let Ok(metadata) = fs::metadata(path) else {
        return Err(Error::usage(
            format!("there is no `{}` to read commands from", path.display()),
            "make one with mkfifo, or name a file",
        ));
    };
    if metadata.is_dir() {
        return Err(Error::usage(
            format!("{} is a directory", path.display()),
            "make a pipe with mkfifo, or name a file",
        ));
    }
    let path = path.to_owned();
    if metadata.is_file() {
        let mut appended = Appended { path, position: 0 };
        let mut lines = Lines::default();
        let bytes = appended.read().map_err(|e| Error::io("read", &appended.path, e))?;
        lines.take(&bytes, &mut |line| desk.pass(line))?;
        lines.finish(&mut |line| desk.pass(line))?;
        thread::spawn(move || desk.read_appended(appended));
        return Ok(());
    }
    // Opening a pipe waits for its first writer, so it is opened where it is read.
    thread::spawn(move || match File::open(&path) {
        Ok(mut file) => desk.read_stream(&mut file, metadata.file_type().is_fifo()),
        Err(error) => term::tell(format_args!("ringtape: {}", Error::io("open", &path, error))),
    });
    Ok(())
}

/// Where lines become commands of the run.
struct CommandDesk {
    /// Accounts of the run.
    accounts: usize,
    inbox: InboxSender<Event>,
}

impl CommandDesk {
    /// Passes the lines of a stream on to its end; a named pipe has none, only writers that come
    /// and go.
    fn read_stream(&self, source: &mut impl Read, is_pipe: bool) {
        let mut lines = Lines::default();
        let mut room = [0; LINE_BYTES_MAX];
        while !self.inbox.is_closed() {
            match source.read(&mut room) {
                Ok(0) => {
                    let _ = lines.finish(&mut |line| self.try_pass(line));
                    if !is_pipe {
                        return;
                    }
                    thread::sleep(LOOK);
                }
                Ok(count) => {
                    let _ = lines.take(&room[..count], &mut |line| self.try_pass(line));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = Error::io("read", "commands", error);
                    return term::tell(format_args!("ringtape: no more commands: {error}"));
                }
            }
        }
    }

    /// Passes on what is appended to a file.
    fn read_appended(&self, mut appended: Appended) {
        let mut lines = Lines::default();
        let mut is_lost = false;
        while !self.inbox.is_closed() {
            thread::sleep(LOOK);
            match appended.read() {
                // A line without its end has had time to get it.
                Ok(bytes) if bytes.is_empty() => {
                    let _ = lines.finish(&mut |line| self.try_pass(line));
                }
                Ok(bytes) => {
                    let _ = lines.take(&bytes, &mut |line| self.try_pass(line));
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_lost, true) {
                        let error = Error::io("read", &appended.path, error);
                        term::tell(format_args!("ringtape: {error}; commands wait for it"));
                    }
                    continue;
                }
            }
            is_lost = false;
        }
    }

    /// Passes a line on, or says what is wrong with it.
    fn try_pass(&self, line: &[u8]) -> Result<()> {
        self.pass(line).or_else(|error| {
            term::tell(format_args!("ringtape: {error}"));
            Ok(())
        })
    }

    /// Passes the commands of a line on.
    fn pass(&self, line: &[u8]) -> Result<()> {
        // What is no text becomes letters that no command has; in a comment it is no harm.
        let text = String::from_utf8_lossy(line);
        if line.len() > LINE_BYTES_MAX {
            return Err(Error::usage(
                format!("`{}` is longer than {LINE_BYTES_MAX} bytes", shown(text.trim())),
                "write a line for each command",
            ));
        }
        let text = text.split_once('#').map_or(&*text, |(before, _)| before).trim();
        if text.is_empty() {
            return Ok(());
        }
        for command in commands(text, self.accounts)? {
            let posted = self.inbox.post_within(command, Wait::Park, PATIENCE);
            // A run that is over takes no more.
            if posted.is_err() && !self.inbox.is_closed() {
                return Err(Error::usage(
                    format!("the run found no time for `{}`", shown(text)),
                    "give it again once the run goes on",
                ));
            }
        }
        Ok(())
    }
}

/// A file that others append to.
struct Appended {
    path: PathBuf,
    /// Bytes that were read.
    position: u64,
}

impl Appended {
    /// What is new. A file that is shorter now was written anew.
    // WHY: opened again each time, because editors put another file in the place of the one that
    // they change.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() < self.position {
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        self.position += file.read_to_end(&mut bytes)? as u64;
        Ok(bytes)
    }
}

/// Bytes on their way to lines.
#[derive(Default)]
struct Lines {
    /// The beginning of the line that is not at its end; of one that is too long a byte too many.
    begun: Vec<u8>,
}

impl Lines {
    /// Takes bytes and passes on the lines that they end.
    fn take(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (part, is_end) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            let room = LINE_BYTES_MAX + 1 - self.begun.len();
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            if is_end {
                self.finish(pass)?;
            }
        }
        Ok(())
    }

    /// The line that was begun is at its end.
    fn finish(&mut self, pass: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let line = std::mem::take(&mut self.begun);
        if line.is_empty() { Ok(()) } else { pass(&line) }
    }
}

/// A flag that the first Ctrl-C sets, so that what was begun is ended well.
pub(super) fn stop_on_interrupt() -> Result<StopFlag> {
    let stop = StopFlag::default();
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.is_set() {
            std::process::exit(i32::from(Ending::Interrupted.code()));
        }
        flag.set();
    })
    .map_err(|error| Error::usage(format!("cannot handle Ctrl-C: {error}"), "report this"))?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringtape::event::EventView;

    #[test]
    fn lines_become_commands_and_mistakes_are_named() {
        let commands_of = |line| commands(line, 3).expect(line);
        assert!(matches!(commands_of("kill")[0].view(), EventView::Kill(kill)
            if kill.all_accounts == 1));
        assert!(matches!(commands_of("kill account=2")[0].view(), EventView::Kill(kill)
            if kill.all_accounts == 0 && kill.account == AccountId(2)));
        let both = commands_of("limits position=5,loss=none account=1");
        let limits: Vec<_> = both
            .iter()
            .map(|event| match event.view() {
                EventView::Limits(change) => (change.account.0, change.limit, change.value),
                _ => (0, 0, 0),
            })
            .collect();
        assert_eq!(limits, [(1, 2, 5), (1, 9, u64::MAX)]);
        for (line, named) in [
            ("stop", "`stop`"),
            ("limits", "`limits`"),
            ("limits positon=1", "did you mean `position`?"),
            ("limits position=x", "position=500"),
            ("kill account=x", "account=x"),
            ("kill account=3", "no account 3: the strategies' are 0 to 2"),
            ("limits position=1 account=7", "no account 7"),
            ("kill account=1 account=2", "twice"),
            ("limits position=0,position=400", "limit `position` is given twice"),
        ] {
            let message = commands(line, 3).expect_err(line).to_string();
            assert!(message.contains(named), "{message}");
        }
        let alone = commands("kill account=1", 1).expect_err("none").to_string();
        assert!(alone.contains("account 0"), "{alone}");
    }

    #[test]
    fn lines_are_the_same_however_their_bytes_come_and_long_ones_are_cut() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let text = format!("kill\n\nlimits a\n{long}\nend");
        for size in [1, 2, 7, 1000, text.len()] {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            let mut pass = |line: &[u8]| {
                found.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            for part in text.as_bytes().chunks(size) {
                lines.take(part, &mut pass).expect("taken");
            }
            lines.finish(&mut pass).expect("taken");
            assert_eq!(found, ["kill", "limits a", &long[..=LINE_BYTES_MAX], "end"], "{size}");
        }
    }
}
