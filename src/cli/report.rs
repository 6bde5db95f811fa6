//! `--report DIR`: the page of a run and what lies beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use ringtape::engine::{Engine, RunReport};
use ringtape::error::{Error, Result};
use ringtape::report::{self, Machine, MarketPicture, MoneyStory, Page, ReportFile, Samples};

use super::config::RunConfig;
use super::{doctor, input, term};

/// Executions that are kept in memory for a report: 30 MiB of them.
const KEPT_EXECUTIONS: usize = 1 << 18;

/// The page at which a reader of a report begins.
const PAGE: &str = "index.html";

/// The flags of `replay` that ask for a report.
#[derive(Debug, Args)]
pub(super) struct ReportFlags {
    /// Write a page of charts into this new directory, with its histograms and drawings beside it;
    /// of a live feed only with --journal, from which the market is drawn
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Symbol whose market the report shows; unless given the one with the most fills or messages
    #[arg(long, value_name = "SYMBOL", requires = "report")]
    report_symbol: Option<String>,
    /// Overwrite what is there: the files of another report, of fills, of positions
    #[arg(long)]
    pub(super) force: bool,
}

impl ReportFlags {
    /// Refuses a directory that cannot be created, or exists already unless forced.
    pub(super) fn check(&self) -> Result<()> {
        self.report.as_deref().map_or(Ok(()), |dir| term::check_dir(dir, self.force))
    }

    /// Whether a report is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.report.is_some()
    }

    /// Executions that the engine is to keep.
    pub(super) fn kept_executions(&self) -> usize {
        if self.is_wanted() { KEPT_EXECUTIONS } else { 0 }
    }

    /// The samples to take while `engine` runs; `None` without a report.
    pub(super) fn samples(&self, engine: &Engine) -> Option<Samples> {
        self.is_wanted().then(|| Samples::new(engine.handle().gauges()))
    }

    /// Writes the report of a finished run, if one is wanted.
    pub(super) fn write(
        &self,
        feeds: &[PathBuf],
        run: &RunReport,
        samples: Option<&Samples>,
        shape: &RunConfig,
    ) -> Result<()> {
        let (Some(dir), Some(samples)) = (&self.report, samples) else { return Ok(()) };
        let market = self.market(feeds, run, shape)?;
        let money = run.kept.as_ref().map(MoneyStory::of);
        let page = Page {
            run,
            machine: &Machine::look(),
            costs: &doctor::costs(),
            command: &command(),
            config: &shape.to_toml(),
            samples,
            market: market.as_ref(),
            money: money.as_ref(),
        };
        write_files(dir, &page.files())
    }

    /// The market of the chosen symbol, from a second pass over the feed.
    fn market(
        &self,
        feeds: &[PathBuf],
        run: &RunReport,
        shape: &RunConfig,
    ) -> Result<Option<MarketPicture>> {
        let is_stream = feeds.iter().any(|feed| feed == Path::new("-"));
        let (Some(first), Some(last)) = (run.checks.first_ts, run.checks.last_ts) else {
            return Ok(None);
        };
        if is_stream || first >= last {
            return Ok(None);
        }
        let open = || match feeds {
            // The times in a journal have their date.
            [dir] if dir.is_dir() => input::open(feeds, None, None),
            _ => input::open(feeds, shape.date.as_deref(), shape.instruments.as_ref()),
        };
        let most_fills = run.portfolio.iter().max_by_key(|row| row.fills);
        let symbol = match (&self.report_symbol, most_fills) {
            (Some(symbol), _) => Some(symbol.clone()),
            (None, Some(row)) => Some(row.symbol.clone()),
            (None, None) => {
                let wanted = shape.symbols.as_deref().unwrap_or_default();
                report::busiest(&mut *open()?, &|symbol| {
                    wanted.is_empty() || wanted.iter().any(|wanted| wanted == symbol)
                })?
            }
        };
        let Some(symbol) = symbol else { return Ok(None) };
        let picture = report::picture(&mut *open()?, &symbol, (first, last))?;
        match (picture, &self.report_symbol) {
            (None, Some(symbol)) => Err(Error::usage(
                format!("symbol {symbol} is not in the feed"),
                "`ringtape info` lists those that are",
            )),
            (picture, _) => Ok(picture),
        }
    }
}

/// Writes the files of a report; the page last, so that it never lacks what it belongs to. A new
/// directory that cannot be filled is removed.
pub(super) fn write_files(dir: &Path, files: &[ReportFile]) -> Result<()> {
    let is_new = !dir.exists();
    fs::create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
    let written = files.iter().rev().try_for_each(|file| {
        let path = dir.join(&file.name);
        term::write_whole(&path, |mut out| out.write_all(file.text.as_bytes()))
    });
    if written.is_err() && is_new {
        // What stopped the writing is told; a failure to tidy up would only hide it.
        let _ = fs::remove_dir_all(dir);
    }
    written?;
    term::tell(format_args!("report     {}", dir.join(PAGE).display()));
    Ok(())
}

/// The command line of this process, as one would type it.
pub(super) fn command() -> String {
    let words = std::env::args().skip(1).map(|word| quoted(&word));
    std::iter::once("ringtape".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("maker:symbols=A,B"), "maker:symbols=A,B");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
