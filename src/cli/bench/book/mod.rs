//! `ringtape bench book`: how fast messages become books on one core, beside decoding alone, and
//! what the worst cases cost.
//!
//! ```text
//!   ITCH bytes, resident -> decode and check -> batch of events -> replica of all books
//!   |<-------- row "decode" -------->|
//!   |<------------------------- row "books" ------------------------------------------>|
//! ```
//!
//! Beside the replica, in turns with it, plain books take the same bytes ([`plain`]): what a
//! machine gives a day's books for nothing special.
//!
//! A replica starts empty in every round, with room for the session's peak and its memory touched,
//! as an engine does before it runs; growing is timed among the worst cases. The hash of the books
//! is taken after the clock stopped, and must be the same in all rounds.

mod plain;
mod rounds;
mod streams;
mod table;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::error::{Error, Result};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, OpenOptions};

use self::rounds::{Figures, measure_stream, measure_worst};
use crate::cli::{Ending, parse, term};

/// Rows by the names that `--row` knows.
const ROWS: [&str; 4] = ["decode", "books", "one-symbol", "worst"];

#[derive(Debug, Args)]
pub(crate) struct BookArgs {
    /// ITCH 5.0 recordings, unpacked, to measure in place of generated sessions
    #[arg(value_name = "FEED")]
    feeds: Vec<PathBuf>,
    /// Messages of each session
    #[arg(long, value_name = "N", default_value = "20M", conflicts_with = "feeds")]
    messages: String,
    /// Stocks of each session
    #[arg(long, value_name = "N", default_value = "8900", conflicts_with = "feeds")]
    symbols: String,
    /// Live orders at the peak; a session for each
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1.9M,800k",
        conflicts_with = "feeds"
    )]
    live: Vec<String>,
    /// Seed of the sessions
    #[arg(long, value_name = "N", default_value_t = 42, conflicts_with = "feeds")]
    seed: u64,
    /// Rounds to take minimum, median and maximum of
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// These rows only: decode, books, one-symbol, worst
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    row: Vec<String>,
    /// Print the figures to stdout as one JSON document
    #[arg(long)]
    json: bool,
}

impl BookArgs {
    fn wants(&self, row: &str) -> bool {
        self.row.is_empty() || self.row.iter().any(|wanted| wanted == row)
    }

    fn check(&self) -> Result<()> {
        if self.rounds == 0 {
            return Err(Error::usage("0 rounds measure nothing", "ask for 1 or more"));
        }
        match self.row.iter().find(|row| !ROWS.contains(&row.as_str())) {
            Some(row) => {
                Err(Error::usage(format!("no row `{row}`"), format!("use {}", ROWS.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// The profiles of the sessions, with the names of their rows.
    fn profiles(&self) -> Result<Vec<(String, Profile)>> {
        let messages = parse::count(&self.messages)?;
        let symbols = parse::count_u32(&self.symbols)?;
        let mut profiles = Vec::new();
        if self.wants("decode") || self.wants("books") {
            for live in &self.live {
                let profile =
                    Profile { messages, symbols, live: parse::count(live)?, seed: self.seed };
                profiles.push((format!("{symbols} symbols, {live} live"), profile));
            }
        }
        if self.wants("one-symbol") {
            let messages = (messages / 10).max(20_000);
            let live = (messages / 400).max(100);
            let profile = Profile { messages, symbols: 1, live, seed: self.seed };
            profiles.push((format!("one symbol, {live} live"), profile));
        }
        Ok(profiles)
    }
}

pub(crate) fn run(args: &BookArgs) -> Result<Ending> {
    args.check()?;
    let mut figures = Vec::new();
    if args.feeds.is_empty() {
        for (name, profile) in args.profiles()? {
            figures.extend(session_figures(args, &name, &generate(&profile)?)?);
        }
    }
    for path in &args.feeds {
        let bytes = fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let (name, session): (_, Arc<[u8]>) = (path.display().to_string(), bytes.into());
        let feed = ItchFeed::from_bytes(&name, session.clone(), &OpenOptions::default())?;
        if feed.description().compression != "none" {
            return Err(Error::usage(
                format!("{name} is compressed, and unpacking it would be timed"),
                "unpack it first",
            ));
        }
        figures.extend(session_figures(args, &name, &session)?);
    }
    if args.wants("worst") {
        for stream in streams::worst_cases() {
            figures.push(measure_worst(&stream, args.rounds));
        }
    }
    let is_same = figures.iter().all(|figures| figures.is_deterministic);
    if args.json {
        term::print(format_args!("{:#}", table::to_json(&figures)))?;
    } else {
        table::describe(&figures);
    }
    Ok(if is_same { Ending::Done } else { Ending::CheckFailed })
}

/// A session in memory.
fn generate(profile: &Profile) -> Result<Arc<[u8]>> {
    let mut generator = Generator::new(profile)?;
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    Ok(session.into())
}

/// The rows of one session: decoding alone, and books.
fn session_figures(args: &BookArgs, name: &str, session: &Arc<[u8]>) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    if args.wants("decode") {
        figures.push(measure_stream(&format!("decode: {name}"), session, args.rounds, false)?);
    }
    if args.wants("books") || args.wants("one-symbol") {
        figures.push(measure_stream(&format!("books: {name}"), session, args.rounds, true)?);
    }
    Ok(figures)
}
