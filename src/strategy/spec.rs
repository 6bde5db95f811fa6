//! How a strategy is written on a command line and in `run.toml`.

use std::fmt;
use std::str::FromStr;

use super::parameters::{Parameters, unknown};
use super::{
    Idle, Maker, MakerConfig, Momentum, MomentumConfig, Schedule, ScheduleConfig, ScheduleKind,
    Strategy,
};
use crate::error::{Error, Result};
use crate::units::{Nanos, Side};

/// A strategy with its parameters: `NAME[:key=value,...]`.
///
/// A value without a key continues the list before it, so `symbols=A,B` names two symbols.
///
/// ```
/// use ringtape::strategy::StrategySpec;
///
/// let spec: StrategySpec = "maker:symbols=AAPL,MSFT,lots=2".parse()?;
/// assert_eq!(spec.to_string(), "maker:symbols=AAPL,MSFT,lots=2,limit=1000");
/// assert_eq!(spec.build().name(), "maker");
///
/// let error = "makr".parse::<StrategySpec>().expect_err("no such strategy");
/// assert!(error.to_string().contains("did you mean `maker`?"));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StrategySpec {
    /// `none`: no strategy.
    #[default]
    None,
    /// `idle`: is called for everything and does nothing.
    Idle,
    /// `maker`: joins the touch.
    Maker(MakerConfig),
    /// `momentum`: follows the side that trades more.
    Momentum(MomentumConfig),
    /// `twap` or `vwap`: works a parent order.
    Schedule(ScheduleConfig),
}

const NAMES: &[&str] = &["none", "idle", "maker", "momentum", "twap", "vwap"];
const MAKER_KEYS: &[&str] = &["symbols", "lots", "size", "limit", "skew"];
const MOMENTUM_KEYS: &[&str] = &["symbols", "size", "limit", "window", "threshold", "hold"];
const TWAP_KEYS: &[&str] = &["symbols", "side", "qty", "every", "for", "jitter"];
const VWAP_KEYS: &[&str] = &["symbols", "side", "qty", "every", "rate"];

impl StrategySpec {
    /// Reads a strategy as it is written.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] with the nearest name for an unknown strategy or parameter, and what a
    /// value must be.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
        match name.trim() {
            "none" => Parameters::parse("none", parameters, &[]).map(|_| Self::None),
            "idle" => Parameters::parse("idle", parameters, &[]).map(|_| Self::Idle),
            "maker" => maker(&Parameters::parse("maker", parameters, MAKER_KEYS)?),
            "momentum" => momentum(&Parameters::parse("momentum", parameters, MOMENTUM_KEYS)?),
            "twap" => twap(&Parameters::parse("twap", parameters, TWAP_KEYS)?),
            "vwap" => vwap(&Parameters::parse("vwap", parameters, VWAP_KEYS)?),
            other => Err(unknown("strategy", other, NAMES)),
        }
    }

    /// Makes the strategy.
    pub fn build(&self) -> Box<dyn Strategy> {
        match self {
            Self::None => Box::new(Idle { watches: false }),
            Self::Idle => Box::new(Idle { watches: true }),
            Self::Maker(config) => Box::new(Maker::new(config.clone())),
            Self::Momentum(config) => Box::new(Momentum::new(config.clone())),
            Self::Schedule(config) => Box::new(Schedule::new(config.clone())),
        }
    }

    /// The strategy's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idle => "idle",
            Self::Maker(_) => "maker",
            Self::Momentum(_) => "momentum",
            Self::Schedule(config) => config.kind.name(),
        }
    }

    /// The strategy with a parameter set to another value.
    ///
    /// # Errors
    ///
    /// A parameter that it does not have, or a value that it cannot be.
    pub fn with(&self, key: &str, value: &str) -> Result<Self> {
        // What is written later counts, and a size in shares stands in the place of one in lots.
        let dropped = if key == "size" { "lots" } else { key };
        let text = self.to_string();
        let (name, parameters) = text.split_once(':').unwrap_or((&text, ""));
        let mut kept: Vec<String> = vec![];
        let mut drops = false;
        for item in parameters.split(',').filter(|item| !item.is_empty()) {
            if let Some((name, _)) = item.split_once('=') {
                drops = name == key || name == dropped || (key == "lots" && name == "size");
            }
            if !drops {
                kept.push(item.to_owned());
            }
        }
        kept.push(format!("{key}={value}"));
        Self::parse(&format!("{name}:{}", kept.join(",")))
    }
}

impl FromStr for StrategySpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for StrategySpec {
    /// The canonical text, which parses back to the same strategy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let symbols = match self {
            Self::None | Self::Idle => return Ok(()),
            Self::Maker(config) => &config.symbols,
            Self::Momentum(config) => &config.symbols,
            Self::Schedule(config) => &config.symbols,
        };
        f.write_str(":")?;
        if !symbols.is_empty() {
            write!(f, "symbols={},", symbols.join(","))?;
        }
        match self {
            Self::None | Self::Idle => Ok(()),
            Self::Maker(MakerConfig { lots, size, limit, skew, .. }) => {
                match size {
                    Some(size) => write!(f, "size={size},limit={limit}")?,
                    None => write!(f, "lots={lots},limit={limit}")?,
                }
                if *skew == 0 { Ok(()) } else { write!(f, ",skew={skew}") }
            }
            Self::Momentum(MomentumConfig { size, limit, window, threshold, hold, .. }) => write!(
                f,
                "size={size},limit={limit},window={window}ns,threshold={threshold},hold={hold}ns"
            ),
            Self::Schedule(ScheduleConfig { kind, side, qty, every, .. }) => {
                write!(f, "side={},qty={qty},every={every}ns", side.name())?;
                match kind {
                    ScheduleKind::Twap { span, jitter_percent } => {
                        write!(f, ",for={span}ns,jitter={jitter_percent}")
                    }
                    ScheduleKind::Vwap { rate_percent } => write!(f, ",rate={rate_percent}"),
                }
            }
        }
    }
}

fn maker(given: &Parameters<'_>) -> Result<StrategySpec> {
    let default = MakerConfig::default();
    // 0 stands for none: sizes that are written are larger.
    let size = given.whole("size", 1, i64::MAX as u64, 0)?;
    Ok(StrategySpec::Maker(MakerConfig {
        symbols: given.symbols()?,
        lots: given.whole("lots", 1, u32::MAX.into(), default.lots.into())? as u32,
        size: (size > 0).then_some(size),
        limit: given.whole("limit", 1, i64::MAX as u64, default.limit as u64)? as i64,
        skew: given.whole("skew", 0, 10_000, default.skew.into())? as u32,
    }))
}

fn momentum(given: &Parameters<'_>) -> Result<StrategySpec> {
    let default = MomentumConfig::default();
    Ok(StrategySpec::Momentum(MomentumConfig {
        symbols: given.symbols()?,
        size: given.whole("size", 1, i64::MAX as u64, default.size)?,
        limit: given.whole("limit", 1, i64::MAX as u64, default.limit as u64)? as i64,
        window: given.time("window", default.window)?,
        threshold: given.whole("threshold", 1, i64::MAX as u64, default.threshold)?,
        hold: given.time("hold", default.hold)?,
    }))
}

fn twap(given: &Parameters<'_>) -> Result<StrategySpec> {
    let span = given.time("for", Nanos(600_000_000_000))?;
    let jitter_percent = given.whole("jitter", 0, 100, 0)? as u32;
    schedule(given, ScheduleKind::Twap { span, jitter_percent })
}

fn vwap(given: &Parameters<'_>) -> Result<StrategySpec> {
    let rate_percent = given.whole("rate", 1, 100, 10)? as u32;
    schedule(given, ScheduleKind::Vwap { rate_percent })
}

fn schedule(given: &Parameters<'_>, kind: ScheduleKind) -> Result<StrategySpec> {
    Ok(StrategySpec::Schedule(ScheduleConfig {
        symbols: given.symbols()?,
        side: given.side("side", Side::Buy)?,
        qty: given.whole("qty", 1, i64::MAX as u64, 1_000)?,
        every: given.time("every", Nanos(10_000_000_000))?,
        kind,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_text_parses_back() {
        for (text, canonical) in [
            ("none", "none"),
            ("idle", "idle"),
            ("maker", "maker:lots=1,limit=1000"),
            ("maker:limit=500,symbols=B, A ,B", "maker:symbols=A,B,lots=1,limit=500"),
            ("maker:symbols=X,lots=3,", "maker:symbols=X,lots=3,limit=1000"),
            ("maker:size=250,skew=3", "maker:size=250,limit=1000,skew=3"),
            (
                "momentum:hold=2s",
                "momentum:size=100,limit=1000,window=1000000000ns,threshold=1000,hold=2000000000ns",
            ),
            (
                "twap:side=sell,qty=500,every=1s,for=1m,jitter=20",
                "twap:side=sell,qty=500,every=1000000000ns,for=60000000000ns,jitter=20",
            ),
            ("vwap:rate=5", "vwap:side=buy,qty=1000,every=10000000000ns,rate=5"),
        ] {
            let spec = StrategySpec::parse(text).expect(text);
            assert_eq!(spec.to_string(), canonical);
            assert_eq!(StrategySpec::parse(canonical).expect(canonical), spec);
        }
    }

    #[test]
    fn a_parameter_can_be_set_to_another_value() {
        let spec = StrategySpec::parse("maker:symbols=A,B,lots=2").expect("a strategy");
        let with = |key, value| spec.with(key, value).expect(key).to_string();
        assert_eq!(with("skew", "2"), "maker:symbols=A,B,lots=2,limit=1000,skew=2");
        assert_eq!(with("size", "300"), "maker:symbols=A,B,size=300,limit=1000");
        assert_eq!(with("limit", "7"), "maker:symbols=A,B,lots=2,limit=7");
        assert_eq!(with("symbols", "C"), "maker:symbols=C,lots=2,limit=1000");
        assert!(spec.with("skw", "1").expect_err("none").to_string().contains("`skew`?"));
    }

    #[test]
    fn a_mistake_is_named_with_its_cure() {
        for (text, parts) in [
            ("makr", ["`makr`", "did you mean `maker`?"]),
            ("pairs", ["`pairs`", "none, idle, maker"]),
            ("maker:symbol=A", ["`symbol`", "did you mean `symbols`?"]),
            ("maker:symbols=", ["`symbols`", "symbols=AAPL,MSFT"]),
            ("maker:A", ["`A`", "key=value"]),
            ("maker:lots=0", ["`lots=0`", "lots=100"]),
            ("maker:size=0", ["`size=0`", "size=100"]),
            ("maker:lots=1,2", ["`lots=1,2`", "lots=100"]),
            ("maker:limit=99999999999999999999", ["limit", "whole number of 1 to 9223372036854"]),
            ("maker:skew=99999999999", ["no whole number of 0 to 10000", "skew=100"]),
            ("twap:jitter=101", ["no whole number of 0 to 100", "jitter=100"]),
            ("maker:lots=1,lots=2", ["`lots`", "once"]),
            ("idle:lots=1", ["`lots`", "leave"]),
            ("twap:side=long", ["`side=long`", "side=buy"]),
            ("twap:for=10", ["`for=10`", "for=10s"]),
            ("vwap:jitter=1", ["`jitter`", "symbols, side"]),
        ] {
            let error = StrategySpec::parse(text).expect_err(text);
            assert_eq!(error.exit_code(), 2);
            let message = error.to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
