//! Control of a run from outside: limits and the kill switch, through the market ring.
//!
//! What is asked for is sequenced between two messages of the feed and stands in the market
//! journal, so that a replay of the journal repeats it. Of commands that are no run Ctrl-C asks for
//! their end.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
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

use super::{Ending, term};

/// How long a command waits for room in the inbox.
const PATIENCE: Duration = Duration::from_secs(10);

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
fn commands(line: &str) -> Result<Vec<Event>> {
    let mut account = None;
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        match word.strip_prefix("account=") {
            Some(number) => account = Some(AccountId(number.parse().map_err(|_| bad(line))?)),
            None => words.push(word),
        }
    }
    match words[..] {
        ["kill"] => Ok(vec![kill(account)]),
        ["limits", limits] => {
            let account = account.unwrap_or_default();
            limits.split(',').map(|item| limit(item, account)).collect()
        }
        _ => Err(bad(line)),
    }
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
        format!("`{line}` is no command"),
        "write `kill`, `kill account=1`, or `limits position=500,loss=250.00 account=1`",
    )
}

/// Reads commands from a file, a named pipe or stdin, and passes them on until it ends.
///
/// Those of a plain file are all there before the run begins.
pub(super) fn follow(path: &Path, inbox: InboxSender<Event>) -> Result<()> {
    let is_plain = path.is_file();
    let source: Box<dyn BufRead + Send> = if path == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else if is_plain {
        Box::new(BufReader::new(File::open(path).map_err(|e| Error::io("open", path, e))?))
    } else if path.is_dir() {
        return Err(Error::usage(
            format!("{} is a directory", path.display()),
            "make a pipe with mkfifo, or name a file",
        ));
    } else if path.exists() {
        // Opening a pipe waits for its writer, so it is opened where it is read.
        let path = path.to_owned();
        thread::spawn(move || match File::open(&path) {
            Ok(file) => pass_lines(BufReader::new(file), &inbox, false),
            Err(error) => Err(Error::io("open", &path, error)),
        });
        return Ok(());
    } else {
        return Err(Error::usage(
            format!("there is no `{}` to read commands from", path.display()),
            "make one with mkfifo, or name a file",
        ));
    };
    if is_plain {
        return pass_lines(source, &inbox, true);
    }
    thread::spawn(move || pass_lines(source, &inbox, false));
    Ok(())
}

fn pass_lines(source: impl BufRead, inbox: &InboxSender<Event>, is_strict: bool) -> Result<()> {
    for line in source.lines() {
        let line = line.map_err(|error| Error::io("read", "commands", error))?;
        let line = line.split_once('#').map_or(line.as_str(), |(before, _)| before).trim();
        if line.is_empty() {
            continue;
        }
        match commands(line) {
            Ok(commands) => {
                for command in commands {
                    if inbox.post_within(command, Wait::Park, PATIENCE).is_err() {
                        return Ok(());
                    }
                }
            }
            Err(error) if is_strict => return Err(error),
            Err(error) => term::tell(format_args!("ringtape: {error}")),
        }
    }
    Ok(())
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
        let commands_of = |line| commands(line).expect(line);
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
        ] {
            let message = commands(line).expect_err(line).to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
