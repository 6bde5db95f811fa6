//! `ringtape generate`: a synthetic feed.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::engine::generate::{FlowProfile, Generator, Profile};
use ringtape::error::{Error, Result};
use ringtape::report::format::thousands;
use ringtape::report::generated;

use super::flow::FlowName;
use super::{Ending, parse, term};

/// What the names of files end in that a session would be found to be none of.
const OTHER_FORMATS: [&str; 7] = ["csv", "dbn", "parquet", "pcap", "pcapng", "soup", "zst"];

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Size of the session, where the flags below name no other
    #[arg(long, value_enum, default_value = "sample", conflicts_with = "flow")]
    profile: ProfileName,
    /// Messages of the session, such as 400000 or 10M [default: the profile's]
    #[arg(long, value_name = "N", conflicts_with = "flow")]
    messages: Option<String>,
    /// Number of stocks [default: the profile's or the flow's]
    #[arg(long, value_name = "N")]
    symbols: Option<String>,
    /// Live orders at the peak, such as 8000 or 1.9M [default: the profile's or the flow's]
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
    /// Print the table of the session beside a real day as one JSON document
    #[arg(long, conflicts_with = "flow")]
    json: bool,
}

/// How large a session is when nothing else is said.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// 400,000 messages of 24 stocks with 8,000 live orders: the project's sample
    Sample,
    /// 50 million messages of 8,900 stocks with 1.9 million live orders: a NASDAQ day
    Nasdaq,
}

impl ProfileName {
    fn profile(self) -> Profile {
        match self {
            Self::Sample => Profile::default(),
            Self::Nasdaq => Profile::nasdaq(),
        }
    }
}

pub(super) fn run(args: &GenerateArgs) -> Result<Ending> {
    if let Some(name) = args.flow {
        return write_flow(args, name);
    }
    let mut generator = Generator::new(&profile(args)?)?;
    let is_stdout = args.output.as_os_str() == "-";
    if is_stdout && args.json {
        let cure = "write the session to a file with -o FILE";
        return Err(Error::usage("session and table cannot both go to stdout", cure));
    }
    let is_gzip = args.output.extension().is_some_and(|extension| extension == "gz");
    let plain = if is_gzip { args.output.with_extension("") } else { args.output.clone() };
    if let Some(other) = plain.extension().filter(|one| OTHER_FORMATS.iter().any(|no| one == no)) {
        return Err(Error::usage(
            format!("a session is ITCH, plain or in gzip, which no .{} is", other.display()),
            "write it to a name that ends in .itch or .gz, then `ringtape convert` it",
        ));
    }
    let start = Instant::now();
    if is_stdout {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        generator.write_itch(&mut out).map(drop).or_else(term::closed_pipe)?;
    } else {
        term::check_files(&[&args.output], &[], None, args.force)?;
        write_file(&mut generator, &args.output)?;
    }
    let summary = generator.summary();
    let rate = generated::per_second(summary.messages(), start.elapsed());
    if args.json {
        term::print(generated::json(&summary, rate))?;
    } else {
        term::tell(generated::text(&summary, rate));
    }
    Ok(Ending::Done)
}

fn profile(args: &GenerateArgs) -> Result<Profile> {
    let named = args.profile.profile();
    let count = |given: &Option<String>, own| given.as_deref().map_or(Ok(own), parse::count);
    Ok(Profile {
        messages: count(&args.messages, named.messages)?,
        symbols: args.symbols.as_deref().map_or(Ok(named.symbols), parse::count_u32)?,
        live: count(&args.live, named.live)?,
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
        term::check_files(&[&args.output], &[], None, args.force)?;
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
    term::write_whole(path, |mut file| {
        if !is_gzip {
            return generator.write_itch(&mut file).map(drop);
        }
        let mut encoder = GzEncoder::new(file, Compression::best());
        generator.write_itch(&mut encoder).and_then(|_| encoder.finish().map(drop))
    })
}
