//! How a strategy is written on a command line and in `run.toml`.

use std::fmt;
use std::str::FromStr;

use super::{Idle, Maker, MakerConfig, Strategy};
use crate::error::{Error, Result, nearest};

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
}

const NAMES: &[&str] = &["none", "idle", "maker"];
const MAKER_KEYS: &[&str] = &["symbols", "lots", "limit"];

impl StrategySpec {
    /// Reads a strategy as it is written.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] with the nearest name for an unknown strategy or parameter, and what a
    /// value must be.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
        let parameters = parameters_of(parameters)?;
        match name.trim() {
            "none" => without_parameters(&parameters, Self::None),
            "idle" => without_parameters(&parameters, Self::Idle),
            "maker" => maker(&parameters).map(Self::Maker),
            other => Err(unknown("strategy", other, NAMES)),
        }
    }

    /// Makes the strategy.
    pub fn build(&self) -> Box<dyn Strategy> {
        match self {
            Self::None => Box::new(Idle { watches: false }),
            Self::Idle => Box::new(Idle { watches: true }),
            Self::Maker(config) => Box::new(Maker::new(config.clone())),
        }
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
        match self {
            Self::None => f.write_str("none"),
            Self::Idle => f.write_str("idle"),
            Self::Maker(MakerConfig { symbols, lots, limit }) => {
                f.write_str("maker:")?;
                if !symbols.is_empty() {
                    write!(f, "symbols={},", symbols.join(","))?;
                }
                write!(f, "lots={lots},limit={limit}")
            }
        }
    }
}

/// A parameter with its values.
type Parameter<'a> = (&'a str, Vec<&'a str>);

fn parameters_of(text: &str) -> Result<Vec<Parameter<'_>>> {
    let mut parameters: Vec<Parameter<'_>> = vec![];
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match (item.split_once('='), parameters.last_mut()) {
            (Some((key, value)), _) => {
                let key = key.trim();
                if parameters.iter().any(|(other, _)| *other == key) {
                    let what = format!("strategy parameter `{key}` is given twice");
                    return Err(Error::usage(what, "give it once"));
                }
                parameters.push((key, vec![value.trim()]));
            }
            (None, Some((_, values))) => values.push(item),
            (None, None) => {
                let what = format!("strategy parameter `{item}` has no `=`");
                return Err(Error::usage(what, "write it as `NAME:key=value,...`"));
            }
        }
    }
    Ok(parameters)
}

fn without_parameters(parameters: &[Parameter<'_>], spec: StrategySpec) -> Result<StrategySpec> {
    match parameters.first() {
        None => Ok(spec),
        Some((key, _)) => {
            let what = format!("strategy `{spec}` has no parameter `{key}`");
            Err(Error::usage(what, "leave the parameters out"))
        }
    }
}

fn maker(parameters: &[Parameter<'_>]) -> Result<MakerConfig> {
    let mut config = MakerConfig::default();
    for (key, values) in parameters {
        match *key {
            "symbols" => {
                config.symbols = values.iter().map(|symbol| (*symbol).to_owned()).collect();
                if config.symbols.iter().any(String::is_empty) {
                    let cure = "write it as `symbols=AAPL,MSFT`, or leave it out";
                    return Err(Error::usage("parameter `symbols` is empty", cure));
                }
            }
            "lots" => config.lots = positive(key, values, u32::MAX.into())? as u32,
            "limit" => config.limit = positive(key, values, i64::MAX)?,
            other => return Err(unknown("parameter of `maker`", other, MAKER_KEYS)),
        }
    }
    config.symbols.sort();
    config.symbols.dedup();
    Ok(config)
}

/// The one value of a parameter, a whole number from 1.
fn positive(key: &str, values: &[&str], max: i64) -> Result<i64> {
    match values {
        [value] if value.parse().is_ok_and(|number| (1..=max).contains(&number)) => {
            value.parse().map_err(|_| Error::usage(format!("bad number `{value}`"), "check it"))
        }
        _ => Err(Error::usage(
            format!("parameter `{key}={}` is no whole number of at least 1", values.join(",")),
            format!("write it as `{key}=100`"),
        )),
    }
}

fn unknown(what: &str, given: &str, known: &[&str]) -> Error {
    let cure = match nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", known.join(", ")),
    };
    Error::usage(format!("unknown {what} `{given}`"), cure)
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
            ("maker:symbols=B,A,B,limit=300", "maker:symbols=A,B,lots=1,limit=300"),
            (" maker : lots=3 , symbols = X ", "maker:symbols=X,lots=3,limit=1000"),
        ] {
            let spec = StrategySpec::parse(text).expect(text);
            assert_eq!(spec.to_string(), canonical);
            assert_eq!(StrategySpec::parse(canonical).expect(canonical), spec);
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_cure() {
        for (text, parts) in [
            ("makr", ["`makr`", "did you mean `maker`?"]),
            ("momentum", ["`momentum`", "none, idle, maker"]),
            ("maker:symbol=A", ["`symbol`", "did you mean `symbols`?"]),
            ("maker:symbols=", ["`symbols`", "symbols=AAPL,MSFT"]),
            ("maker:A", ["`A`", "key=value"]),
            ("maker:lots=0", ["`lots=0`", "lots=100"]),
            ("maker:lots=1,2", ["`lots=1,2`", "lots=100"]),
            ("maker:limit=99999999999999999999", ["limit", "whole number"]),
            ("maker:lots=1,lots=2", ["`lots`", "once"]),
            ("idle:lots=1", ["`lots`", "leave"]),
        ] {
            let error = StrategySpec::parse(text).expect_err(text);
            assert_eq!(error.exit_code(), 2);
            let message = error.to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
