//! `run.toml`: everything that shapes the state of a run, in the words of the command line.

use std::fs;
use std::path::Path;

use ringtape::engine::RUN_FILE;
use ringtape::error::{Error, Result};
use ringtape::feed::Zone;
use ringtape::matching::{MATCHER_ORDERS_MAX_DEFAULT, VenueConfig};
use ringtape::strategy::StrategySpec;
use serde::{Deserialize, Serialize};

use super::instruments::{self, Instruments};

/// The flags of `replay` that shape the state; the file beside a journal holds the same names.
///
/// An empty string or list means that the flag was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct RunConfig {
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day
    #[arg(long, value_name = "DATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    /// Clock of the feed's times, as its format says: `eastern` or `utc`
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<String>,
    /// Begin pacing, strategy and statistics at this time, HH:MM[:SS[.n]] in the feed's clock, with
    /// Z behind it in UTC; books are built from the start all the same
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    /// End before the first message at or after this time
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    /// Follow these symbols only
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symbols: Option<Vec<String>>,
    /// Strategy and its parameters: `maker:symbols=A,B,lots=1,limit=1000`, or `none`
    #[arg(long, value_name = "NAME[:key=value,...]")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<String>,
    /// Latency from a strategy's order to the venue: `order=50us`
    #[arg(long, value_name = "order=TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency: Option<String>,
    /// Rules of own fills: `default`, or `conservative` without hidden and crossing-add fills
    #[arg(long, value_name = "RULES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fills: Option<String>,
    /// Fees in currency: `maker=-0.0020/share,taker=0.0030/share`; none unless given
    #[arg(long, value_name = "SCHEDULE", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fees: Option<String>,
    /// Widest spread whose middle marks a position, in per cent [default: 5]
    #[arg(long, value_name = "PERCENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mark_max_spread: Option<String>,
    /// Place of a replaced order of an order file: `standard`, or `cme`
    #[arg(long, value_name = "RULE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<String>,
    /// Who trades at a price in an order file: `fifo`, `pro-rata`, or `pro-rata:top`
    #[arg(long, value_name = "RULE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allocation: Option<String>,
    /// Live orders of an order file at most; more are rejected
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capacity: Option<String>,
    /// Terms and rules of instruments that take the place of the feed's, a table for each symbol
    #[arg(long, value_name = "FILE.toml", value_parser = instruments::read)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instruments: Option<Instruments>,
}

impl RunConfig {
    /// The configuration that the run in `dir` was recorded with.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(RUN_FILE);
        let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
        toml::from_str(&text).map_err(|error| {
            Error::usage(
                format!("{}: {}", path.display(), error.message()),
                "it is written by `replay --journal` and not meant to be edited",
            )
        })
    }

    /// The configuration that a user wrote into a file.
    pub(super) fn read_own(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = before.matches('\n').count() + 1;
            Error::usage(
                format!("{}, line {line}: {}", path.display(), error.message()),
                "write the names of flags without dashes before them, as `run.toml` of a journal \
                 holds them",
            )
        })
    }

    /// As [`read`](Self::read); `None` for a directory without a run, or none at all.
    pub(super) fn read_if_present(dir: &Path) -> Result<Option<Self>> {
        dir.join(RUN_FILE).exists().then(|| Self::read(dir)).transpose()
    }

    /// Refuses flags of trading in a run without a strategy, where they would do nothing.
    pub(super) fn check_flags(&self, has_strategy: bool) -> Result<()> {
        let given = [
            ("latency", &self.latency),
            ("fills", &self.fills),
            ("fees", &self.fees),
            ("mark-max-spread", &self.mark_max_spread),
        ];
        match given.iter().find(|(_, value)| value.is_some() && !has_strategy) {
            Some((name, _)) => Err(Error::usage(
                format!("--{name} does nothing without a strategy"),
                "name one with --strategy, or leave it out",
            )),
            None => Ok(()),
        }
    }

    /// The text of `run.toml`.
    pub(super) fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("strings and lists of strings are valid TOML");
        format!("# What shaped this run; `ringtape replay` of this directory repeats it.\n{body}")
    }

    /// This configuration where it says something, and `recorded` elsewhere.
    pub(super) fn or(self, recorded: Self) -> Self {
        Self {
            date: self.date.or(recorded.date),
            clock: self.clock.or(recorded.clock),
            from: self.from.or(recorded.from),
            until: self.until.or(recorded.until),
            symbols: self.symbols.or(recorded.symbols),
            strategy: self.strategy.or(recorded.strategy),
            latency: self.latency.or(recorded.latency),
            fills: self.fills.or(recorded.fills),
            fees: self.fees.or(recorded.fees),
            mark_max_spread: self.mark_max_spread.or(recorded.mark_max_spread),
            priority: self.priority.or(recorded.priority),
            allocation: self.allocation.or(recorded.allocation),
            capacity: self.capacity.or(recorded.capacity),
            instruments: self.instruments.or(recorded.instruments),
        }
    }
}

impl RunConfig {
    /// The same configuration with what a strategy defaults to spelled out, so that a later version
    /// with other defaults still repeats the run.
    pub(super) fn spelled_out(mut self) -> Result<Self> {
        if let Some(strategy) = &mut self.strategy {
            *strategy = strategy.parse::<StrategySpec>()?.to_string();
            let latency = VenueConfig::default().latency;
            self.latency.get_or_insert_with(|| format!("order={latency}ns"));
            self.fills.get_or_insert_with(|| "default".to_owned());
        }
        Ok(self)
    }

    /// The clock of the feed's times.
    pub(super) fn zone(&self) -> Zone {
        self.clock.as_deref().and_then(Zone::from_code).unwrap_or_default()
    }

    /// What the feed's times count from: midnight of its date in its clock, 0 without a date.
    pub(super) fn midnight_ns(&self) -> Result<u64> {
        let date = self.date.as_deref().map(str::parse).transpose()?;
        Ok(date.map_or(0, |date| self.zone().midnight_ns(date)))
    }

    /// Whether the recorded run was of an order file.
    pub(super) fn is_of_orders(&self) -> bool {
        self.priority.is_some()
    }

    /// The configuration of a run of an order file, with what a matcher defaults to spelled out.
    pub(super) fn of_orders(mut self) -> Result<Self> {
        if self.strategy.as_deref().is_some_and(|strategy| strategy != "none") {
            return Err(Error::usage(
                "a strategy does not trade in an order file",
                "leave --strategy out, or replay a recorded feed",
            ));
        }
        self.priority.get_or_insert_with(|| "standard".to_owned());
        self.allocation.get_or_insert_with(|| "fifo".to_owned());
        self.capacity.get_or_insert_with(|| MATCHER_ORDERS_MAX_DEFAULT.to_string());
        Ok(self)
    }

    /// Refuses flags of a matcher where there is none.
    pub(super) fn check_matcher_flags(&self) -> Result<()> {
        let given = [
            ("priority", &self.priority),
            ("allocation", &self.allocation),
            ("capacity", &self.capacity),
        ];
        match given.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(Error::usage(
                format!("--{name} is for order files"),
                "leave it out, or replay an order file",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_back_as_it_was_written() {
        let config = RunConfig {
            symbols: Some(vec!["A".to_owned(), "B".to_owned()]),
            strategy: Some("maker:lots=2".to_owned()),
            mark_max_spread: Some("2.5".to_owned()),
            ..RunConfig::default()
        };
        let read: RunConfig = toml::from_str(&config.to_toml()).expect("own output");
        assert_eq!(read, config);
    }

    #[test]
    fn a_flag_goes_before_what_was_recorded() {
        let flag = |text: &str| Some(text.to_owned());
        let given = RunConfig { strategy: flag("none"), ..RunConfig::default() };
        let recorded =
            RunConfig { strategy: flag("maker"), fills: flag("conservative"), ..given.clone() };
        let merged = given.or(recorded);
        assert_eq!((merged.strategy, merged.fills), (flag("none"), flag("conservative")));
    }
}
