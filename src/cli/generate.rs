//! `ringtape generate`: a synthetic feed.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::engine::generate::{FlowProfile, Generator, Profile};
use ringtape::error::Result;
use ringtape::report::format::thousands;

use super::flow::FlowName;
use super::{Ending, parse, term};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Messages of the session, such as 400000 or 10M [default: 400k]
    #[arg(long, value_name = "N", conflicts_with = "flow")]
    messages: Option<String>,
    /// Number of stocks [default: 24, or the flow's own]
    #[arg(long, value_name = "N")]
    symbols: Option<String>,
    /// Live orders at the peak, such as 8000 or 1.9M [default: 8k, or the flow's own]
    #[arg(long, value_name = "N")]
    live: Option<String>,
    /// Write an order file with this mix of commands instead of a session
    #[arg(long, value_enum)]
    flow: Option<FlowName>,
    /// Commands of the flow, beside the orders that fill the books at first [default: 1M]
    #[arg(long, value_name = "N", requires = "flow")]
    commands: Option<String>,
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
    if let Some(name) = args.flow {
        return write_flow(args, name);
    }
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
        messages: parse::count(args.messages.as_deref().unwrap_or("400k"))?,
        symbols: parse::count_u32(args.symbols.as_deref().unwrap_or("24"))?,
        live: parse::count(args.live.as_deref().unwrap_or("8k"))?,
        seed: args.seed,
    })
}

/// Writes a flow of commands as an order file.
fn write_flow(args: &GenerateArgs, name: FlowName) -> Result<Ending> {
    let own = name.flow().profile();
    let count = |given: &Option<String>, own| given.as_deref().map_or(Ok(own), parse::count);
    let profile = FlowProfile {
        commands: count(&args.commands, own.commands)?,
        symbols: args.symbols.as_deref().map_or(Ok(own.symbols), parse::count_u32)?,
        live: count(&args.live, own.live)?,
        seed: args.seed,
        ..own
    };
    let is_stdout = args.output.as_os_str() == "-";
    if !is_stdout {
        term::check_overwrite(&args.output, args.force)?;
    }
    let flow = profile.generate()?;
    let write = |out: &mut dyn Write| {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
        flow.write_orders(&mut out)?;
        out.flush()
    };
    if is_stdout {
        write(&mut io::stdout().lock()).or_else(term::closed_pipe)?;
    } else {
        write_compressed(&args.output, write)?;
    }
    term::tell(format_args!(
        "{} orders fill the books of {} symbols, {} commands of the flow `{}` follow",
        thousands(profile.live),
        profile.symbols,
        thousands(profile.commands),
        profile.flow.name()
    ));
    Ok(Ending::Done)
}

/// Writes a file whole or not at all, compressed when its name says so.
fn write_compressed(path: &Path, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    term::write_whole(path, |mut file| {
        if !is_gzip {
            return write(&mut file);
        }
        let mut encoder = GzEncoder::new(file, Compression::best());
        write(&mut encoder).and_then(|()| encoder.finish().map(drop))
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
