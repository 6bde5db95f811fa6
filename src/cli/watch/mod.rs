//! `replay --watch`: a dashboard in the terminal while the run goes on.
//!
//! ```text
//!   engine --> gauges, views, live meters --> Board (what is known) --> draw (what is shown)
//!                                               ^
//!                                     keys -----+
//! ```
//!
//! It is drawn by the thread that waits for the run. The engine does not know of it; the terminal
//! is given back whatever ends the view: a key, the run's end, an error or a panic.

mod board;
mod draw;
mod palette;

use std::io::{self, IsTerminal, Stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ringtape::engine::Engine;
use ringtape::error::{Error, Result};
use ringtape::feed::Description;

use board::Board;

/// Time between two looks at what the engine shows.
const LOOK: Duration = Duration::from_millis(20);

/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(125);

/// Keys that are heeded between two looks; a terminal that has gone may pretend to have more.
const KEYS_MAX: usize = 32;

/// Whether the terminal shows the dashboard.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether this build has a dashboard, and there is a terminal to show it.
pub(super) fn check() -> Result<()> {
    if io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Error::usage(
        "--watch draws on stderr, which is no terminal here",
        "leave it out, or send only stdout elsewhere: `ringtape replay ... --watch > FILE`",
    ))
}

/// Whether the terminal shows the dashboard now.
pub(super) fn is_shown() -> bool {
    IS_SHOWN.load(Ordering::Acquire)
}

/// Gives the terminal back, if the dashboard has it.
pub(super) fn restore() {
    if IS_SHOWN.swap(false, Ordering::AcqRel) {
        // A terminal that has gone needs no mending.
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing that concerns the run.
    Nothing,
    /// The run is to stop, as by Ctrl-C.
    Stop,
}

/// The dashboard of a run.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    board: Board,
    looked: Instant,
    drawn: Option<Instant>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open(
        engine: &mut Engine,
        feed: Description,
        symbols: &[String],
        pace: String,
    ) -> Result<Self> {
        let failed = |error| Error::io("draw on", "the terminal", error);
        let terminal = Terminal::new(CrosstermBackend::new(io::stderr())).map_err(failed)?;
        let board = Board::new(engine, feed, symbols, pace);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
        enable_raw_mode().map_err(failed)?;
        IS_SHOWN.store(true, Ordering::Release);
        let screen = Self { terminal, board, looked: Instant::now(), drawn: None };
        execute!(io::stderr(), EnterAlternateScreen, Hide).map_err(failed)?;
        Ok(screen)
    }

    /// Looks at the engine, heeds the keys and draws, each when it is time.
    pub(super) fn turn(&mut self, is_stopping: bool) -> Wish {
        if self.looked.elapsed() < LOOK {
            return Wish::Nothing;
        }
        self.looked = Instant::now();
        self.board.look();
        if !is_shown() {
            return Wish::Nothing;
        }
        let wish = self.heed_keys();
        let is_due = self.drawn.is_none_or(|at| at.elapsed() >= FRAME);
        if is_shown() && is_due {
            self.drawn = Some(Instant::now());
            self.board.sum_up(is_stopping);
            if self.terminal.draw(|frame| draw::draw(frame, &self.board)).is_err() {
                restore();
            }
        }
        wish
    }

    /// Takes the keys that were pressed.
    fn heed_keys(&mut self) -> Wish {
        for _ in 0..KEYS_MAX {
            let key = match event::poll(Duration::ZERO).and_then(|is_there| match is_there {
                true => event::read().map(Some),
                false => Ok(None),
            }) {
                Ok(None) => break,
                Ok(Some(Event::Key(key))) if key.kind == KeyEventKind::Press => key,
                Ok(Some(_)) => continue,
                // The terminal has gone: nobody looks any more.
                Err(_) => {
                    restore();
                    break;
                }
            };
            match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Wish::Stop;
                }
                KeyCode::Char('q') | KeyCode::Esc => restore(),
                KeyCode::Right | KeyCode::Down | KeyCode::Tab => self.board.turn_pages(1),
                KeyCode::Left | KeyCode::Up | KeyCode::BackTab => self.board.turn_pages(-1),
                _ => {}
            }
            self.drawn = None;
        }
        Wish::Nothing
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}
