//! `run.toml`: everything that shapes the state of a run, in the words of the command line.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ringtape::engine::{MARKET_DIR, RUN_FILE};
use ringtape::error::{Error, Result};
use ringtape::event::{Event, InstrumentOverrides};
use ringtape::feed::{Description, Zone};
use ringtape::hash::hash_bytes;
use ringtape::journal::Reader;
use ringtape::matching::{LATENCY_DEFAULT, MATCHER_ORDERS_MAX_DEFAULT, QueueModel};
use ringtape::strategy::StrategySpec;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use super::instruments::{self, Instruments};
use super::{parse, toml_file, trading};

/// The `book` of a feed of price levels.
const OF_LEVELS: &str = "levels";

/// The `times` of a feed whose times have their date of themselves.
pub(super) const DATED: &str = "dated";

/// The `orders` of a run that trades at a real venue.
const AWAY: &str = "gateway";

/// The flags of `replay` that shape the state; the file beside a journal holds the same names.
///
/// An empty string or list means that the flag was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct RunConfig {
    /// Date of the session, YYYY-MM-DD, for feeds that only have times of day; one for each of
    /// several feeds, separated by commas
    #[arg(long, value_name = "DATE", value_parser = parse::some_text())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    /// Clock of the feed's times, as its format says: `eastern` or `utc`
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<String>,
    /// `dated` for a feed whose times have their date of themselves, or are of several dates
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<String>,
    /// `levels` for a feed that tells price levels and no orders
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) book: Option<String>,
    /// `gateway` for a run whose orders went to a real venue
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) orders: Option<String>,
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
    /// Strategy and its parameters: `maker:symbols=A,B,lots=1,limit=1000`, `momentum`, `twap`,
    /// `vwap`, `idle` or `none`; several are run side by side, each for an account of its own
    #[arg(long, value_name = "NAME[:key=value,...]")]
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "strategies")]
    pub(super) strategy: Option<Vec<String>>,
    /// Seed of the randomness that strategies use; 1 unless given
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    /// Limits of the risk gate for each account: `position=1000,loss=250.00,...`, or a TOML file
    #[arg(long, value_name = "LIMITS|FILE.toml", value_parser = parse::some_text())]
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "limits")]
    pub(super) limits: Option<String>,
    /// Way to the venue and back: `order=50us,report=30us,jitter=5us,seed=1`, or recorded ones,
    /// `file=PATH`, a line each
    #[arg(long, value_name = "order=TIME,...")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency: Option<String>,
    /// Rules of own fills: `default`, or `conservative` without hidden and crossing-add fills
    #[arg(long, value_name = "RULES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fills: Option<String>,
    /// Place of own orders in the queue of a price level, by what leaves it without a print:
    /// `pessimistic`, from behind them, or `proportional`; only for feeds that tell no orders
    #[arg(long, value_name = "MODEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<String>,
    /// Fees in currency: `maker=-0.0020/share,taker=0.0030/share`; none unless given
    #[arg(long, value_name = "SCHEDULE", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fees: Option<String>,
    /// Constant rates into a base currency, for sums and limits: `base=USD,EUR=1.0850`
    #[arg(long, value_name = "RATES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rates: Option<String>,
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

/// The refusal of a flag that does nothing where no strategy trades.
pub(super) fn without_strategy(flag: &str) -> Error {
    Error::usage(
        format!("--{flag} does nothing without a strategy"),
        "name one with --strategy, or leave it out",
    )
}

impl RunConfig {
    /// The configuration that the run in `dir` was recorded with.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let file = dir.join(RUN_FILE);
        if !file.exists() {
            return Err(Error::usage(
                format!("{} holds no run", dir.display()),
                "name a feed's file, or the directory that `replay --journal` made",
            ));
        }
        toml_file::read(&file, "it is written by `replay --journal` and not meant to be edited")
    }

    /// As [`read`](Self::read); refuses a file that was changed since the run.
    pub(super) fn read_recorded(dir: &Path) -> Result<Self> {
        let config = Self::read(dir)?;
        let file = dir.join(RUN_FILE);
        let text = fs::read(&file).map_err(|error| Error::io("read", &file, error))?;
        let market = Reader::<Event>::open(&dir.join(MARKET_DIR))?;
        if market.header().run_hash == hash_bytes(&text) {
            return Ok(config);
        }
        Err(Error::usage(
            format!("the run in {} was recorded with another configuration", dir.display()),
            "restore its `run.toml` from a copy; for a run of its own give other flags to `replay`",
        ))
    }

    /// A configuration that the user wrote: the same names, strategies and limits also as tables.
    pub(super) fn read_file(path: &Path) -> Result<Self> {
        let cure = "its names are the flags of `ringtape replay --help` that shape the run";
        let mut config: Self = toml_file::read(path, cure)?;
        config.instruments = config.instruments.map(|own| own.of_file(path));
        if let Some(limits) = config.limits.as_ref().filter(|text| !text.ends_with(".toml")) {
            trading::check_limits(path, limits)?;
        }
        Ok(config)
    }

    /// As [`read`](Self::read); `None` for a directory without a run, or none at all.
    pub(super) fn read_if_present(dir: &Path) -> Result<Option<Self>> {
        dir.join(RUN_FILE).exists().then(|| Self::read(dir)).transpose()
    }

    /// Refuses flags of trading in a run without a strategy, where they would do nothing.
    pub(super) fn check_flags(&self, has_strategy: bool, is_of_orders: bool) -> Result<()> {
        if let Some(own) = self.instruments.as_ref().filter(|_| !has_strategy) {
            own.check_no_fees(match is_of_orders {
                true => "nothing is charged in an order file",
                false => "there is no strategy to be charged",
            })?;
        }
        let seed = self.seed.map(|seed| seed.to_string());
        let given = [
            ("latency", &self.latency),
            ("fills", &self.fills),
            ("queue", &self.queue),
            ("fees", &self.fees),
            ("mark-max-spread", &self.mark_max_spread),
            ("limits", &self.limits),
            ("rates", &self.rates),
            ("seed", &seed),
        ];
        match given.iter().find(|(_, value)| value.is_some() && !has_strategy) {
            Some((name, _)) if is_of_orders => Err(Error::usage(
                format!("--{name} does nothing for an order file, in which no strategy trades"),
                "leave it out",
            )),
            Some((name, _)) => Err(without_strategy(name)),
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
            times: self.times.or(recorded.times),
            book: self.book.or(recorded.book),
            orders: self.orders.or(recorded.orders),
            from: self.from.or(recorded.from),
            until: self.until.or(recorded.until),
            symbols: self.symbols.or(recorded.symbols),
            strategy: self.strategy.or(recorded.strategy),
            seed: self.seed.or(recorded.seed),
            limits: self.limits.or(recorded.limits),
            rates: self.rates.or(recorded.rates),
            latency: self.latency.or(recorded.latency),
            fills: self.fills.or(recorded.fills),
            queue: self.queue.or(recorded.queue),
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
        if let Some(strategies) = &mut self.strategy {
            for strategy in strategies {
                *strategy = strategy.parse::<StrategySpec>()?.to_string();
            }
            if let Some(limits) = &mut self.limits {
                *limits = trading::limits_text(limits)?;
            }
            if let Some(latency) = &mut self.latency {
                *latency = trading::latency_with_hash(latency)?;
            }
            if !self.is_away() {
                self.latency.get_or_insert_with(|| format!("order={LATENCY_DEFAULT}ns"));
                self.fills.get_or_insert_with(|| "default".to_owned());
            }
        }
        Ok(self)
    }

    /// Whether orders go, or went, to a real venue.
    pub(super) fn is_away(&self) -> bool {
        self.orders.as_deref() == Some(AWAY)
    }

    /// The same run with its orders at a real venue.
    pub(super) fn away(self) -> Self {
        Self { orders: Some(AWAY.to_owned()), latency: None, fills: None, ..self }
    }

    /// The same run with its orders at the simulated venue.
    pub(super) fn simulated(self) -> Self {
        Self { orders: None, ..self }
    }

    /// Refuses flags of the simulated venue where there is none, because of `why`.
    pub(super) fn check_simulation(&self, why: &str) -> Result<()> {
        let given = [("latency", &self.latency), ("fills", &self.fills)];
        match given.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(Error::usage(
                format!("--{name} is for the simulated venue: {why}"),
                "leave it out, or leave --gateway out",
            )),
            None => Ok(()),
        }
    }

    /// Takes note of what the feed itself says.
    pub(super) fn of_feed(self, feed: &Description) -> Self {
        let book = feed.is_of_levels.then(|| OF_LEVELS.to_owned());
        let clock = Some(feed.zone.code().to_owned());
        let times = feed.is_dated.then(|| DATED.to_owned());
        let has_queues = feed.is_of_levels && self.strategy.is_some();
        let named = has_queues.then(|| QueueModel::default().name().to_owned());
        let queue = self.queue.clone().or(named);
        Self { clock, times, book, queue, ..self }
    }

    /// Refuses a configuration that contradicts what the feed itself says.
    pub(super) fn check_feed(&self, feed: &Description) -> Result<()> {
        let own = Self::default().of_feed(feed);
        let said = [
            ("clock", &self.clock, own.clock),
            ("times", &self.times, own.times),
            ("book", &self.book, own.book),
        ];
        match said.iter().find(|(_, given, own)| given.is_some() && *given != own) {
            Some((name, ..)) => Err(Error::usage(
                format!("`{name}` of the configuration is not what the feed says of itself"),
                "leave it out",
            )),
            None => Ok(()),
        }
    }

    /// Refuses a model of queues where the feed tells the orders in them.
    pub(super) fn check_queue(&self) -> Result<()> {
        match &self.queue {
            Some(_) if !self.is_of_levels() => Err(Error::usage(
                "--queue is for feeds that tell price levels, and this one tells orders",
                "leave it out: places in the queues are known",
            )),
            _ => Ok(()),
        }
    }

    /// What the records of the run do not tell of its feed.
    pub(super) fn recorded_feed(&self) -> Result<Description> {
        Ok(Description {
            zone: self.zone(),
            midnight_ns: self.midnight_ns()?,
            is_dated: self.times.as_deref() == Some(DATED),
            is_of_levels: self.is_of_levels(),
            ..Description::default()
        })
    }

    /// Whether the recorded feed was of price levels.
    pub(super) fn is_of_levels(&self) -> bool {
        self.book.as_deref() == Some(OF_LEVELS)
    }

    /// The clock of the feed's times.
    pub(super) fn zone(&self) -> Zone {
        self.clock.as_deref().and_then(Zone::from_code).unwrap_or_default()
    }

    /// What the feed's times count from: midnight of its date in its clock, 0 without a date.
    pub(super) fn midnight_ns(&self) -> Result<u64> {
        // Times of several dates count from no common midnight.
        let date = self.date.as_deref().filter(|date| !date.contains(','));
        let date = date.map(str::parse).transpose()?;
        Ok(date.map_or(0, |date| self.zone().midnight_ns(date)))
    }

    /// What the user knows of instruments, as the engine takes it.
    pub(super) fn overrides(&self) -> Result<Option<Arc<InstrumentOverrides>>> {
        self.instruments.as_ref().map(|own| own.overrides(self.zone())).transpose()
    }

    /// Whether the recorded run was of an order file.
    pub(super) fn is_of_orders(&self) -> bool {
        self.priority.is_some()
    }

    /// The configuration of a run of an order file, with what a matcher defaults to spelled out.
    pub(super) fn of_orders(mut self) -> Result<Self> {
        if self.strategy.iter().flatten().any(|strategy| strategy != "none") {
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

/// Reads one strategy or several, each as text or as a table of its name and parameters.
fn strategies<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Table(table) => {
            let mut parameters = table.clone();
            match parameters.remove("name") {
                Some(Value::String(name)) if parameters.is_empty() => Ok(name),
                Some(Value::String(name)) => Ok(format!("{name}:{}", pairs(&parameters))),
                _ => Err(D::Error::custom("a strategy has no name: write name = \"maker\"")),
            }
        }
        _ => Err(D::Error::custom("a strategy is text or a table")),
    };
    match Value::deserialize(from)? {
        Value::Array(values) => values.iter().map(text).collect::<Result<_, _>>().map(Some),
        value => text(&value).map(|text| Some(vec![text])),
    }
}

/// Reads limits as text or as a table.
fn limits<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(Some(text)),
        Value::Table(table) => Ok(Some(pairs(&table))),
        _ => Err(D::Error::custom("limits are text or a table")),
    }
}

/// A table as `key=value,...`; what flags write as a word is one here.
pub(super) fn pairs(table: &toml::Table) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Boolean(is_so) => (if *is_so { "yes" } else { "no" }).to_owned(),
        Value::Array(values) => {
            let words: Vec<_> =
                values.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_owned)).collect();
            words.join(",")
        }
        other => other.to_string(),
    };
    let pairs: Vec<_> = table.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_back_as_it_was_written() {
        let config = RunConfig {
            symbols: Some(vec!["A".to_owned(), "B".to_owned()]),
            strategy: Some(vec!["maker:lots=2".to_owned(), "idle".to_owned()]),
            limits: Some("position=5".to_owned()),
            mark_max_spread: Some("2.5".to_owned()),
            ..RunConfig::default()
        };
        let read: RunConfig = toml::from_str(&config.to_toml()).expect("own output");
        assert_eq!(read, config);
    }

    #[test]
    fn a_flag_goes_before_what_was_recorded() {
        let flag = |text: &str| Some(text.to_owned());
        let strategy = |text: &str| flag(text).map(|text| vec![text]);
        let given = RunConfig { strategy: strategy("none"), ..RunConfig::default() };
        let recorded =
            RunConfig { strategy: strategy("maker"), fills: flag("conservative"), ..given.clone() };
        let merged = given.or(recorded);
        assert_eq!((merged.strategy, merged.fills), (strategy("none"), flag("conservative")));
    }

    #[test]
    fn tables_say_the_same_as_texts() {
        let text = r#"
            fees = "maker=-0.0020/share"
            [[strategy]]
            name = "maker"
            symbols = ["A", "B"]
            size = 200
            [[strategy]]
            name = "idle"
            [limits]
            position = 1000
            cancel-on-disconnect = true
        "#;
        let read: RunConfig = toml::from_str(text).expect("a configuration");
        let strategies = ["maker:size=200,symbols=A,B", "idle"].map(str::to_owned);
        assert_eq!(read.strategy.as_deref(), Some(&strategies[..]));
        let limits = read.limits.as_deref().map(trading::limits_text).expect("limits");
        assert_eq!(limits.expect("sound"), "position=1000,cancel-on-disconnect=yes");
        let one: RunConfig = toml::from_str("strategy = \"maker\"").expect("a configuration");
        assert_eq!(one.strategy, Some(vec!["maker".to_owned()]));
    }
}
