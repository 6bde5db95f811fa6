//! A program whose system calls are watched: any of those that change a folder's files can be made
//! the last one, or fail.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A system call that changes a file, or forces one to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: &'static str,
    /// The file, or the folder; empty for a range of memory.
    pub path: PathBuf,
}

impl Call {
    /// What a disk that is full, or one that fails at a sync, says to it.
    pub fn refusal(&self) -> Errno {
        let is_of_space = !matches!(self.name, "fsync" | "fdatasync" | "msync" | "unlink");
        if is_of_space { Errno::ENOSPC } else { Errno::EIO }
    }
}

/// What is done at the call of a number.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// The program is killed before the call.
    Kill,
    /// The call is not made and tells of a disk that is full or fails.
    Refuse,
}

/// What a watched program did.
#[derive(Debug)]
pub struct Traced {
    pub calls: Vec<Call>,
    /// Exit code; `None` for one that was killed.
    pub code: Option<i32>,
    pub output: String,
}

/// Runs a program to its end, with `blow` at the call of its number among those on files in
/// `folder`. `None`, and a word about it, where no program may be watched.
#[expect(clippy::zombie_processes, reason = "the tracer waits for the program")]
pub fn trace(command: &Command, folder: &Path, blow: Option<(usize, Blow)>) -> Option<Traced> {
    let mut child = start_stopped(command);
    let program = Pid::from_raw(child.id() as i32);
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    if let Err(refused) = ptrace::seize(program, options) {
        eprintln!("skipped: programs cannot be watched here: {refused}");
        let _ = (child.kill(), child.wait());
        return None;
    }
    kill(program, Signal::SIGCONT).expect("it is there");
    let stdout = child.stdout.take().map(read_on_a_thread);
    let stderr = child.stderr.take().map(read_on_a_thread);
    let mut tracer = Tracer { program, folder, blow, calls: Vec::new(), refused: HashMap::new() };
    let code = tracer.watch();
    let outputs = [stdout, stderr].into_iter().flatten();
    let output = outputs.map(|reader| reader.join().expect("text")).collect();
    Some(Traced { calls: tracer.calls, code, output })
}

/// Starts a program in a shell that stops itself before it becomes the program.
fn start_stopped(command: &Command) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = shell.spawn().expect("a shell");
    let flags = Some(WaitPidFlag::WUNTRACED);
    let stopped = waitpid(Pid::from_raw(child.id() as i32), flags).expect("a child");
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    child
}

fn read_on_a_thread(
    mut pipe: impl std::io::Read + Send + 'static,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("text");
        text
    })
}

struct Tracer<'a> {
    program: Pid,
    folder: &'a Path,
    blow: Option<(usize, Blow)>,
    calls: Vec<Call>,
    /// What threads are told whose call was not made.
    refused: HashMap<Pid, Errno>,
}

impl Tracer<'_> {
    /// Lets the program go from stop to stop; its exit code.
    fn watch(&mut self) -> Option<i32> {
        // Of this thread's children alone: other tests wait for theirs.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)).expect("a child") {
                WaitStatus::Exited(pid, code) if pid == self.program => return Some(code),
                WaitStatus::Signaled(pid, ..) if pid == self.program => return None,
                WaitStatus::PtraceSyscall(thread) => {
                    self.at_call(thread);
                    go_on(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..) => go_on(thread, None),
                WaitStatus::Stopped(thread, signal) => go_on(thread, Some(signal)),
                _ => {}
            }
        }
    }

    /// A thread is about to make a call, or has made one.
    fn at_call(&mut self, thread: Pid) {
        // A thread that was killed meanwhile has none.
        let Ok(mut registers) = ptrace::getregs(thread) else { return };
        if let Some(errno) = self.refused.remove(&thread) {
            registers.rax = -i64::from(errno as i32) as u64;
            let _ = ptrace::setregs(thread, registers);
            return;
        }
        let is_before = registers.rax as i64 == -i64::from(libc::ENOSYS);
        let Some(call) = call_of(thread, &registers).filter(|call| is_before && self.is_ours(call))
        else {
            return;
        };
        match self.blow {
            Some((number, Blow::Kill)) if number == self.calls.len() => {
                let _ = kill(self.program, Signal::SIGKILL);
            }
            Some((number, Blow::Refuse)) if number == self.calls.len() => {
                registers.orig_rax = u64::MAX;
                let _ = ptrace::setregs(thread, registers);
                self.refused.insert(thread, call.refusal());
            }
            _ => {}
        }
        self.calls.push(call);
    }

    fn is_ours(&self, call: &Call) -> bool {
        call.name == "msync" || call.path.starts_with(self.folder)
    }
}

fn go_on(thread: Pid, signal: Option<Signal>) {
    // A thread that was killed meanwhile is reported as such.
    let _ = ptrace::syscall(thread, signal);
}

/// The call that a thread is at, if it is of those that count.
fn call_of(thread: Pid, registers: &user_regs_struct) -> Option<Call> {
    let of_file = |name| {
        let link = format!("/proc/{thread}/fd/{}", registers.rdi);
        Some(Call { name, path: std::fs::read_link(link).ok()? })
    };
    let of_path = |name, at| Some(Call { name, path: text_at(thread, at)? });
    match registers.orig_rax as i64 {
        libc::SYS_openat if registers.rdx as i32 & libc::O_CREAT != 0 => {
            of_path("create", registers.rsi)
        }
        libc::SYS_mkdir => of_path("mkdir", registers.rdi),
        libc::SYS_rename => of_path("rename", registers.rdi),
        libc::SYS_unlink => of_path("unlink", registers.rdi),
        libc::SYS_write => of_file("write"),
        libc::SYS_pwrite64 => of_file("pwrite"),
        libc::SYS_fallocate => of_file("fallocate"),
        libc::SYS_ftruncate => of_file("ftruncate"),
        libc::SYS_fsync => of_file("fsync"),
        libc::SYS_fdatasync => of_file("fdatasync"),
        libc::SYS_msync => Some(Call { name: "msync", path: PathBuf::new() }),
        _ => None,
    }
}

/// The text at an address of a thread's memory.
fn text_at(thread: Pid, address: u64) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    for at in (address..).step_by(8) {
        let word = ptrace::read(thread, at as ptrace::AddressType).ok()?.to_le_bytes();
        let end = word.iter().position(|&byte| byte == 0);
        bytes.extend(&word[..end.unwrap_or(8)]);
        if end.is_some() {
            break;
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}
