//! `ringtape generate`: a synthetic feed.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::error::Result;

use super::{Ending, parse, term};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Messages of the session, such as 400000 or 10M
    #[arg(long, value_name = "N", default_value = "400k")]
    messages: String,
    /// Number of stocks
    #[arg(long, value_name = "N", default_value = "24")]
    symbols: String,
    /// Live orders at the peak, such as 8000 or 1.9M
    #[arg(long, value_name = "N", default_value = "8k")]
    live: String,
    /// Seed: the same seed gives the same bytes on every machine
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// File to write, compressed when its name ends in .gz; `-` for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &GenerateArgs) -> Result<Ending> {
    let mut generator = Generator::new(&profile(args)?)?;
    if args.output.as_os_str() == "-" {
        write(&mut generator, std::io::stdout().lock()).or_else(term::closed_pipe)?;
    } else {
        term::check_overwrite(&args.output, args.force)?;
        write_file(&mut generator, &args.output)?;
    }
    term::tell(generator.summary());
    Ok(Ending::Done)
}

fn profile(args: &GenerateArgs) -> Result<Profile> {
    Ok(Profile {
        messages: parse::count(&args.messages)?,
        symbols: parse::count_u32(&args.symbols)?,
        live: parse::count(&args.live)?,
        seed: args.seed,
    })
}

/// Writes the session to a file, compressed when its name says so.
fn write_file(generator: &mut Generator, path: &Path) -> Result<()> {
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    term::write_whole(path, |file| {
        if !is_gzip {
            return write(generator, file);
        }
        let mut encoder = GzEncoder::new(file, Compression::best());
        write(generator, &mut encoder).and_then(|()| encoder.finish().map(drop))
    })
}

/// Writes the session to `out` through a buffer.
fn write(generator: &mut Generator, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    generator.write_itch(&mut out)?;
    out.flush()
}
