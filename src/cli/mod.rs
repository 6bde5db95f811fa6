//! The command line: the only part that prints, exits and reads flags.
//!
//! Text for people goes to stderr, data to stdout. Exit codes: 0 done, 1 a requested check failed,
//! 2 usage, missing file or refused combination, 3 unreadable or corrupt input, 4 the run failed,
//! 130 interrupted. A closed pipe is 0.

mod bench;
mod book;
mod compare;
mod completions;
mod config;
mod control;
mod convert;
mod doctor;
mod door;
mod dry_run;
mod dump;
mod executions;
mod export;
mod fault;
mod flow;
mod generate;
mod info;
mod input;
mod instruments;
mod journal;
mod matching;
mod metrics;
mod parse;
mod replay;
mod report;
mod story;
mod sweep;
mod term;
mod threads;
mod toml_file;
mod trading;
mod venue;
#[cfg(feature = "watch")]
mod watch;
#[cfg(not(feature = "watch"))]
#[path = "no_watch.rs"]
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringtape::error::Error;

/// A low-latency trading event engine: replays recorded market feeds through books, strategies,
/// portfolio and journal, with the same result every time.
#[derive(Debug, Parser)]
#[command(name = "ringtape", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole engine over a recorded feed
    Replay(Box<replay::ReplayArgs>),
    /// Describe a feed or journal: format, span, messages by type, top instruments, faults
    Info(info::InfoArgs),
    /// Print a feed or journal, one line a message
    Dump(dump::DumpArgs),
    /// Rebuild an instrument's order book
    Book(book::BookArgs),
    /// Write trades, bars or books of a feed as tables, CSV with exact decimals
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Run an order file through the matching engine, executions to stdout as CSV
    Match(matching::MatchArgs),
    /// Run the matching engine as a venue that `replay --gateway` sends orders to
    Venue(Box<venue::VenueArgs>),
    /// Check journals
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Write a synthetic feed with the statistics of a real day
    Generate(generate::GenerateArgs),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Write a feed in another format, or play it live
    Convert(Box<convert::ConvertArgs>),
    /// Hold two runs, journals or feeds together: the first sequence and instrument that differ
    Compare(compare::CompareArgs),
    /// Look at this machine: what costs latency here, and what cures it
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    CheckFailed,
    Interrupted,
}

impl Ending {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CheckFailed => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    fault::install();
    let outcome = match Cli::parse().command {
        Command::Replay(args) => replay::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Book(args) => book::run(&args),
        Command::Export(command) => export::run(&command),
        Command::Match(args) => matching::run(&args),
        Command::Venue(args) => venue::run(&args),
        Command::Journal(command) => journal::run(&command),
        Command::Generate(args) => generate::run(&args),
        Command::Bench(command) => bench::run(&command),
        Command::Convert(args) => convert::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    ExitCode::from(outcome.map_or_else(|error| report(&error), Ending::code))
}

/// Tells the user of an error and gives its exit code.
fn report(error: &Error) -> u8 {
    term::tell(format_args!("ringtape: {error}"));
    error.exit_code()
}
