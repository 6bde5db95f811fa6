//! Parameters of strategies as they are written: `key=value,...`.

use crate::error::{Error, Result, nearest};
use crate::units::{Nanos, Side, duration};

/// The parameters of one strategy.
pub(super) struct Parameters<'a> {
    strategy: &'static str,
    items: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Parameters<'a> {
    /// Reads parameters; a value without a key continues the list before it.
    pub(super) fn parse(strategy: &'static str, text: &'a str, known: &[&str]) -> Result<Self> {
        let mut items: Vec<(&str, Vec<&str>)> = vec![];
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match (item.split_once('='), items.last_mut()) {
                (Some((key, value)), _) => {
                    let key = key.trim();
                    if !known.contains(&key) {
                        return Err(unknown_parameter(strategy, key, known));
                    }
                    if items.iter().any(|(other, _)| *other == key) {
                        let what = format!("strategy parameter `{key}` is given twice");
                        return Err(Error::usage(what, "give it once"));
                    }
                    items.push((key, vec![value.trim()]));
                }
                (None, Some((_, values))) => values.push(item),
                (None, None) => {
                    let what = format!("strategy parameter `{item}` has no `=`");
                    return Err(Error::usage(what, "write it as `NAME:key=value,...`"));
                }
            }
        }
        Ok(Self { strategy, items })
    }

    fn values(&self, key: &str) -> Option<&[&'a str]> {
        self.items.iter().find(|(name, _)| *name == key).map(|(_, values)| values.as_slice())
    }

    /// Symbols in the order of the alphabet; none when they are left out.
    pub(super) fn symbols(&self) -> Result<Vec<String>> {
        let Some(values) = self.values("symbols") else { return Ok(vec![]) };
        let mut symbols: Vec<String> = values.iter().map(|symbol| (*symbol).to_owned()).collect();
        if symbols.iter().any(String::is_empty) {
            let cure = "write it as `symbols=AAPL,MSFT`, or leave it out";
            return Err(Error::usage("parameter `symbols` is empty", cure));
        }
        symbols.sort();
        symbols.dedup();
        Ok(symbols)
    }

    /// A whole number of `least..=most`; the default when it is left out.
    pub(super) fn whole(&self, key: &str, least: u64, most: u64, default: u64) -> Result<u64> {
        let read = |value: &str| value.parse().ok().filter(|n| (least..=most).contains(n));
        let what = format!("whole number of {least} to {most}");
        self.one(key, default, read, &what, &100.clamp(least, most).to_string())
    }

    /// A duration above 0; the default when it is left out.
    pub(super) fn time(&self, key: &str, default: Nanos) -> Result<Nanos> {
        let read = |value: &str| duration(value).filter(|time| time.0 > 0);
        self.one(key, default, read, "duration", "10s")
    }

    /// A side; the default when it is left out.
    pub(super) fn side(&self, key: &str, default: Side) -> Result<Side> {
        let read =
            |value: &str| [Side::Buy, Side::Sell].into_iter().find(|side| side.name() == value);
        self.one(key, default, read, "side", "buy")
    }

    fn one<T>(
        &self,
        key: &str,
        default: T,
        read: impl Fn(&str) -> Option<T>,
        what: &str,
        example: &str,
    ) -> Result<T> {
        let Some(values) = self.values(key) else { return Ok(default) };
        let value = match values {
            [value] => read(value),
            _ => None,
        };
        value.ok_or_else(|| {
            let strategy = self.strategy;
            Error::usage(
                format!("parameter `{key}={}` of `{strategy}` is no {what}", values.join(",")),
                format!("write it as `{key}={example}`"),
            )
        })
    }
}

fn unknown_parameter(strategy: &str, given: &str, known: &[&str]) -> Error {
    if known.is_empty() {
        let what = format!("strategy `{strategy}` has no parameter `{given}`");
        return Error::usage(what, "leave the parameters out");
    }
    unknown(&format!("parameter of `{strategy}`"), given, known)
}

/// The error of a name that nothing has, with the nearest that something has.
pub(super) fn unknown(what: &str, given: &str, known: &[&str]) -> Error {
    let cure = match nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", known.join(", ")),
    };
    Error::usage(format!("unknown {what} `{given}`"), cure)
}
