//! The terminal: data to stdout, progress to stderr, closed pipes.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringtape::error::{Error, Result};
use ringtape::report::format::{duration, thousands};

/// Time between two updates of the progress line.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Bytes that are gathered before they are written to stdout.
const STDOUT_BUFFER_BYTES: usize = 1 << 16;

/// Buffered stdout whose closing by the reader ends the program quietly.
pub(super) struct Stdout(BufWriter<StdoutLock<'static>>);

impl Stdout {
    pub(super) fn lock() -> Self {
        Self(BufWriter::with_capacity(STDOUT_BUFFER_BYTES, io::stdout().lock()))
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: impl std::fmt::Display) -> Result<()> {
        writeln!(self.0, "{line}").or_else(closed_pipe)
    }

    /// Drops what is still buffered: a refused command prints no data.
    pub(super) fn discard(self) {
        drop(self.0.into_parts());
    }

    /// Writes what is still buffered, for a reader who waits for it.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.0.flush().or_else(closed_pipe)
    }

    /// Writes what is still buffered.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Tells people something on stderr; when nobody listens there any more, that is no failure.
pub(super) fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells that nothing was written of a feed that ends in a fault.
pub(super) fn tell_unwritten(path: &Path) {
    tell(format_args!(
        "! {} was not written, because the feed ends in a fault: --until with a time before it \
         takes what comes before",
        path.display()
    ));
}

/// Writes one document to stdout.
pub(super) fn print(document: impl std::fmt::Display) -> Result<()> {
    let mut out = Stdout::lock();
    out.line(document)?;
    out.finish()
}

/// Ends the program with success when the reader of stdout has gone; else gives an error.
pub(super) fn closed_pipe(error: io::Error) -> Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    Err(Error::io("write to", "stdout", error))
}

/// A progress line by bytes of the feed, when stderr is a terminal.
pub(super) struct Progress {
    total_bytes: Option<u64>,
    started: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new(total_bytes: Option<u64>) -> Self {
        Self {
            total_bytes: total_bytes.filter(|&bytes| bytes > 0),
            started: Instant::now(),
            shown: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows how far the feed was read, now and then.
    pub(super) fn update(&mut self, messages: u64, bytes: u64) {
        if !self.is_terminal || self.shown.is_some_and(|at| at.elapsed() < PROGRESS_INTERVAL) {
            return;
        }
        self.shown = Some(Instant::now());
        let elapsed = self.started.elapsed().as_nanos();
        let far = self.total_bytes.map_or_else(String::new, |total| {
            let left = elapsed * u128::from(total.saturating_sub(bytes)) / u128::from(bytes.max(1));
            let percent = (bytes * 100 / total).min(100);
            format!("{percent:>3} %, {} left, ", duration(left as u64))
        });
        let _ = write!(io::stderr(), "\r\x1b[K{far}{} messages", thousands(messages));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Refuses to overwrite `path` unless forced.
pub(super) fn check_overwrite(path: &Path, force: bool) -> Result<()> {
    if path.exists() && !force {
        return Err(Error::usage(
            format!("{} exists already", path.display()),
            "choose another name, or overwrite it with --force",
        ));
    }
    Ok(())
}

/// Refuses files to write before anything is run: two that are one, one of `inputs`, what cannot be
/// created, and what exists already unless forced. The run itself makes the directory `made`.
pub(super) fn check_files(
    files: &[impl AsRef<Path>],
    inputs: &[PathBuf],
    made: Option<&Path>,
    force: bool,
) -> Result<()> {
    let mut places = Vec::new();
    for path in files.iter().map(AsRef::as_ref) {
        check_name(path, made)?;
        let place = place(path);
        let is_own = |other: &Option<PathBuf>| place.is_some() && *other == place;
        if inputs.iter().any(|input| is_own(&self::place(input))) {
            return Err(Error::usage(
                format!("{} is an input, and would be overwritten", path.display()),
                "choose another name for the output",
            ));
        }
        if places.iter().any(is_own) {
            return Err(Error::usage(
                format!("{} is the name of two outputs", path.display()),
                "give each a name of its own",
            ));
        }
        places.push(place);
        check_overwrite(path, force)?;
    }
    Ok(())
}

/// Refuses a directory to write into that cannot be created, or exists already unless forced.
pub(super) fn check_dir(path: &Path, force: bool) -> Result<()> {
    // A link that leads nowhere is there too, and nothing can be made in its place.
    match path.ancestors().find(|path| path.symlink_metadata().is_ok()) {
        Some(there) if !there.is_dir() => {
            Err(Error::usage(format!("{} is no directory", there.display()), "choose another name"))
        }
        _ => check_overwrite(path, force),
    }
}

/// Refuses the name of a file that cannot be created.
fn check_name(path: &Path, made: Option<&Path>) -> Result<()> {
    let dir = directory(path);
    let (what, cure) = if path.as_os_str() == "-" {
        ("`-` is no name for this output".to_owned(), "name a file; `./-` is a file of that name")
    } else if path.is_dir() {
        (format!("{} is a directory", path.display()), "name a file in it")
    } else if !dir.is_dir() && made != Some(dir) {
        let what = format!("there is no directory {} for {}", dir.display(), path.display());
        (what, "create it, or choose another name")
    } else {
        return Ok(());
    };
    Err(Error::usage(what, cure))
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file is or would be; `None` for devices and pipes, which inputs and outputs may share.
fn place(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return path.canonicalize().ok().filter(|path| path.is_file());
    }
    let dir = directory(path);
    let dir = dir.canonicalize().or_else(|_| std::path::absolute(dir)).ok()?;
    Some(dir.join(path.file_name()?))
}

/// Writes a file that has its name only once it is whole.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(File) -> io::Result<()>) -> Result<()> {
    // Devices and pipes are written in place: renaming would replace them.
    let is_special = path.exists() && !path.is_file();
    let mut unfinished = path.as_os_str().to_owned();
    if !is_special {
        unfinished.push(".unfinished");
    }
    let unfinished = PathBuf::from(unfinished);
    let file = File::create(&unfinished).map_err(|error| Error::io("create", path, error))?;
    let named = write(file).and_then(|()| fs::rename(&unfinished, path));
    if named.is_err() && !is_special {
        // What stopped the writing is told; a failure to tidy up would only hide it.
        let _ = fs::remove_file(&unfinished);
    }
    named.map_err(|error| Error::io("write", path, error))
}
