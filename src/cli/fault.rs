//! What is said when a mapped file loses bytes under the program, or a file may not grow further.
//!
//! Feeds and journals are read through memory maps. When another process cuts such a file, or its
//! disk fails, the next access is a SIGBUS, which by default ends the program without a word. So
//! does a SIGXFSZ where a file would exceed the limit of the process; heard, the write is an error.
//!
//! This file is one of the few that may use `unsafe`: a signal handler is set by a system call that
//! takes a function's address, and it may only do what is safe at any moment: give the terminal
//! back as it was, write constants, and end the process. Going on would repeat the access for ever.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::SIGXFSZ;

use super::watch;

/// Exit code: the run failed.
const CODE: i32 = 4;

const MESSAGE: &[u8] = b"ringtape: a feed or journal was cut, or its disk failed, while it was \
    mapped: stop who truncates files in use and look at the disk; `ringtape journal verify` tells \
    what is whole\n";

/// Leaves the dashboard's screen and shows the cursor again, as terminals have it.
const LEAVE_DASHBOARD: &[u8] = b"\x1b[?1049l\x1b[?25h";

/// How the terminal was set when the program began.
static TERMINAL: OnceLock<libc::termios> = OnceLock::new();

/// Lets the program end with a message when a mapped file loses bytes or a file may not grow.
pub(super) fn install() {
    // A failure leaves the default, which is what there was.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    // SAFETY: all zeros is a value of this plain structure of numbers.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `settings` is writable for the call; where stderr is no terminal, nothing is written.
    if unsafe { libc::tcgetattr(libc::STDERR_FILENO, &raw mut settings) } == 0 {
        TERMINAL.get_or_init(|| settings);
    }
    let handler: extern "C" fn(libc::c_int) = tell_and_end;
    // SAFETY: all zeros is a value of this plain structure: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: `action` is initialised, names a handler of the kind that no flags ask for, and
    // nothing is to be returned. A failure leaves the default, which is what there was.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
}

extern "C" fn tell_and_end(_signal: libc::c_int) {
    if let Some(settings) = TERMINAL.get().filter(|_| watch::is_shown()) {
        tell(LEAVE_DASHBOARD);
        // SAFETY: `tcsetattr` may be called in a handler; the settings are never written again.
        unsafe { libc::tcsetattr(libc::STDERR_FILENO, libc::TCSANOW, settings) };
    }
    tell(MESSAGE);
    // SAFETY: `_exit` may be called in a handler and does not return.
    unsafe { libc::_exit(CODE) };
}

/// Writes constant bytes to stderr.
fn tell(bytes: &'static [u8]) {
    // SAFETY: `write` may be called in a handler; the bytes are constant.
    unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
}
